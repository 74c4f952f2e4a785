/* Memory entries: mach-kobjects.md §8. */
#include <mach/vm_prot.h>

#include "kernel/limits.h"
#include "tests/support/calls.h"
#include "tests/support/message.h"

#define MOVE MACH_MSG_TYPE_MOVE_SEND
#define KOBJECT_MEMORY_ENTRY 28
#define MEMORY 0x10000u

static struct file *
memory_new(struct world *w)
{
	struct file *file = file_new(w);

	file->core.memory_bytes = MEMORY;
	return file;
}

/* An entry that alone holds its memory. */
static mach_port_name_t
new_entry(struct actor *t, const struct file **file)
{
	struct file *made = memory_new(t->world);
	mach_port_name_t name;

	assert_ok(memory_entry_make(t, made, 0x1000, 0x2000, VM_PROT_DEFAULT, 0x10, &name));
	file_drop(made);
	*file = made;
	return name;
}

TEST_1(an_entry_is_a_send_right_to_a_kernel_object)
{
	const struct file *file;
	mach_port_name_t port = new_entry(a, &file);

	assert_entry(a, port, MACH_PORT_TYPE_SEND, 1);
	assert_ok(trap(a, BERTH_TRAP_PORT_KOBJECT, a->target, port, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], KOBJECT_MEMORY_ENTRY);
	assert_int_equal(world_counts(w).memory_entries, 1);
}

TEST_2(who_has_the_right_gets_the_memory_and_what_its_maker_said)
{
	const struct file *file, *opened;
	mach_port_name_t there = give(a, new_entry(a, &file), MOVE, b);

	world_task_die(a->party);
	for (int i = 0; i < 2; i++) {
		assert_ok(memory_entry_open(b, there, &opened));
		assert_ptr_equal(opened, file);
		assert_int_equal(b->outcome.values[BERTH_MEMORY_ENTRY_OFFSET], 0x1000);
		assert_int_equal(b->outcome.values[BERTH_MEMORY_ENTRY_SIZE], 0x2000);
		assert_int_equal(b->outcome.values[BERTH_MEMORY_ENTRY_PROTECTION], VM_PROT_DEFAULT);
		assert_int_equal(b->outcome.values[BERTH_MEMORY_ENTRY_DATA], 0x10);
	}
	assert_int_equal(w->live_files, 1);
}

TEST_1(the_last_right_takes_entry_and_memory)
{
	const struct file *file;
	uint32_t ports = world_counts(w).ports;
	mach_port_name_t port = new_entry(a, &file);

	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_SEND, 1));
	assert_ok(port_deallocate(a, port));
	assert_int_equal(w->live_files, 1);
	assert_ok(port_deallocate(a, port));
	assert_int_equal(w->live_files, 0);
	assert_int_equal(world_counts(w).ports, ports);
	assert_int_equal(world_counts(w).memory_entries, 0);
}

TEST_2(a_right_in_a_message_that_nobody_gets_takes_the_memory)
{
	const struct file *file;
	struct message m = message_to(a->party->mailbox_of[1], MACH_MSG_TYPE_COPY_SEND);

	message_add_port(&m, new_entry(a, &file), MOVE);
	assert_ok(msg_send(a, &m, 0, 0));
	assert_int_equal(w->live_files, 1);
	assert_ok(port_destroy(b, b->party->mailbox));
	assert_int_equal(w->live_files, 0);
}

TEST_1(a_range_that_the_memory_does_not_have_makes_no_entry)
{
	struct file *memory = memory_new(w), *plain = file_new(w);
	mach_port_name_t name;
	const struct {
		uint64_t offset, size, protection, data;
	} cases[] = {
		{ 0, 0, VM_PROT_ALL, 0 },
		{ 0, MEMORY + 1, VM_PROT_ALL, 0 },
		{ 1, MEMORY, VM_PROT_ALL, 0 },
		{ MEMORY, 1, VM_PROT_ALL, 0 },
		{ UINT64_MAX, 1, VM_PROT_ALL, 0 },
		{ 1, UINT64_MAX, VM_PROT_ALL, 0 },
		{ UINT64_MAX, UINT64_MAX, VM_PROT_ALL, 0 },
		{ UINT64_MAX - 0xfff, 0x1000, VM_PROT_ALL, 0 },
		{ 0, MEMORY, VM_PROT_ALL + 1, 0 },
		{ 0, MEMORY, UINT32_MAX, 0 },
		{ 0, MEMORY, VM_PROT_ALL, MEMORY },
		{ 0, MEMORY, VM_PROT_ALL, UINT64_MAX },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_refused_without_trace(w,
					     memory_entry_make(a, memory, cases[i].offset,
							       cases[i].size, cases[i].protection,
							       cases[i].data, &name),
					     KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, memory_entry_make(a, NULL, 0, 1, 1, 0, &name),
				     KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, memory_entry_make(a, plain, 0, 1, 1, 0, &name),
				     KERN_INVALID_ARGUMENT);
	assert_ok(memory_entry_make(a, memory, MEMORY - 1, 1, VM_PROT_NONE, 0, &name));
	file_drop(memory);
	file_drop(plain);
}

TEST_1(only_a_send_right_to_an_entry_opens_memory)
{
	const struct file *file;
	mach_port_name_t receive = new_port(a);
	const struct {
		mach_port_name_t name;
		kern_return_t code;
	} cases[] = {
		{ MACH_PORT_NULL, KERN_INVALID_ARGUMENT },
		{ MACH_PORT_DEAD, KERN_INVALID_ARGUMENT },
		{ 0x7777, KERN_INVALID_ARGUMENT },
		{ receive, KERN_INVALID_ARGUMENT },
		{ new_dead_name(a), KERN_INVALID_ARGUMENT },
		{ new_port_with_send(a), KERN_INVALID_OBJECT },
		{ BERTH_NAME_TASK_SELF, KERN_INVALID_OBJECT },
		{ new_fileport(a, &file), KERN_INVALID_OBJECT },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_refused_without_trace(w, memory_entry_open(a, cases[i].name, &file),
					     cases[i].code);
	mach_port_name_t entry = new_entry(a, &file);
	assert_refused_without_trace(w, fileport_open(a, entry, &file), KERN_INVALID_CAPABILITY);
}

TEST_2(a_task_makes_so_many_entries_and_no_more)
{
	struct file *one_more = memory_new(w);
	mach_port_name_t first = 0, name;

	w->quiet_audit = true;
	for (uint32_t i = 0; i < TASK_MEMORY_ENTRY_MAX; i++) {
		struct file *made = memory_new(w);
		struct kernel_effects effects;

		assert_ok(memory_entry_make(a, made, 0, MEMORY, VM_PROT_READ, 0, &name));
		kernel_effects_init(&effects);
		kernel_file_unref(&made->core, &effects);
		first = i == 0 ? name : first;
	}
	w->quiet_audit = false;
	assert_code(memory_entry_make(a, one_more, 0, 1, 1, 0, &name), KERN_RESOURCE_SHORTAGE);
	assert_int_equal(one_more->core.ref_count, 1);
	/* who made it pays, whoever has it */
	name = give(a, first, MOVE, b);
	assert_code(memory_entry_make(a, one_more, 0, 1, 1, 0, &first), KERN_RESOURCE_SHORTAGE);
	assert_ok(port_deallocate(b, name));
	assert_ok(memory_entry_make(a, one_more, 0, 1, 1, 0, &name));
	file_drop(one_more);
}
