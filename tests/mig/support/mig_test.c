/*
 * Checks, values and counts.
 */
#include "mig_test.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

void
expect_failed(const char *file, int line, const char *text)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, text);
	exit(1);
}

void
expect_differs(const char *file, int line, const char *text, long long got, long long wanted)
{
	fprintf(stderr, "%s:%d: %s is %lld (0x%llx), not %lld (0x%llx)\n", file, line, text, got,
		(unsigned long long)got, wanted, (unsigned long long)wanted);
	exit(1);
}

/* ---- values ------------------------------------------------------------------------------ */

uint64_t
value_of(uint64_t seed, uint64_t index)
{
	uint64_t x = (seed + 1) * 0x9e3779b97f4a7c15u + index * 0xd1b54a32d192ed03u;

	x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 33);
}

void
values_fill(void *bytes, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)bytes)[i] = (uint8_t)value_of(seed, i);
}

bool
values_match(const void *bytes, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i++)
		if (((const uint8_t *)bytes)[i] != (uint8_t)value_of(seed, i))
			return false;
	return true;
}

/* ---- ports ------------------------------------------------------------------------------- */

mach_port_t
receive_right_new(void)
{
	mach_port_t port;

	expect_equal(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port), 0);
	return port;
}

void
receive_right_end(mach_port_t port)
{
	expect_equal(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1), 0);
}

mach_port_t
port_new(void)
{
	mach_port_t port = receive_right_new();

	expect_equal(mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND),
		     0);
	return port;
}

void
port_end(mach_port_t port)
{
	expect_equal(mach_port_deallocate(mach_task_self(), port), 0);
	receive_right_end(port);
}

mach_port_type_t
right_type(mach_port_t name)
{
	mach_port_type_t type = 0;

	if (mach_port_type(mach_task_self(), name, &type) != KERN_SUCCESS)
		return 0;
	return type & MACH_PORT_TYPE_ALL_RIGHTS;
}

mach_port_urefs_t
right_urefs(mach_port_t name, mach_port_right_t right)
{
	mach_port_urefs_t urefs = 0;

	if (mach_port_get_refs(mach_task_self(), name, right, &urefs) != KERN_SUCCESS)
		return 0;
	return urefs;
}

struct number_message {
	mach_msg_header_t header;
	int number;
	mach_msg_max_trailer_t trailer;
};

void
number_send(mach_port_t name, mach_msg_type_name_t disposition, int number)
{
	struct number_message message = {
		.header.msgh_bits = MACH_MSGH_BITS(disposition, 0),
		.header.msgh_remote_port = name,
		.number = number,
	};

	expect_equal(mach_msg(&message.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT,
			      offsetof(struct number_message, trailer), 0, MACH_PORT_NULL, 20000,
			      MACH_PORT_NULL),
		     MACH_MSG_SUCCESS);
}

int
number_receive(mach_port_t port)
{
	struct number_message message;

	expect_equal(mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(message),
			      port, 20000, MACH_PORT_NULL),
		     MACH_MSG_SUCCESS);
	return message.number;
}

/* ---- holdings ---------------------------------------------------------------------------- */

struct holdings
holdings_now(void)
{
	struct holdings now = { 0 };
	mach_port_name_array_t names;
	mach_port_type_array_t types;
	mach_msg_type_number_t name_count, type_count;

	expect_equal(mach_port_names(mach_task_self(), &names, &name_count, &types, &type_count),
		     0);
	now.names = name_count;
	for (mach_msg_type_number_t i = 0; i < name_count; i++)
		for (mach_port_right_t right = 0; right < MACH_PORT_RIGHT_NUMBER; right++)
			if ((types[i] & MACH_PORT_TYPE(right)) != 0)
				now.urefs[right] += right_urefs(names[i], right);
	memory_end(names, name_count * sizeof(*names));
	memory_end(types, type_count * sizeof(*types));
	return now;
}

void
holdings_compare(const char *file, int line, struct holdings got, struct holdings wanted)
{
	if (memcmp(&got, &wanted, sizeof(got)) == 0)
		return;
	fprintf(stderr, "%u names, not %u\n", got.names, wanted.names);
	for (mach_port_right_t right = 0; right < MACH_PORT_RIGHT_NUMBER; right++)
		if (got.urefs[right] != wanted.urefs[right])
			fprintf(stderr, "right %u: %u references, not %u\n", right,
				got.urefs[right], wanted.urefs[right]);
	expect_failed(file, line, "the task holds what it held");
}

uint64_t
memory_mapped(void)
{
	unsigned long long pages;
	FILE *file = fopen("/proc/self/statm", "re");

	expect(file != NULL);
	expect(fscanf(file, "%llu", &pages) == 1);
	fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

bool
memory_is_mapped(const void *address)
{
	uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	void *page = (void *)((uintptr_t)address & ~(page_size - 1));

	return msync(page, page_size, MS_ASYNC) == 0 || errno != ENOMEM;
}

void *
memory_new(size_t size)
{
	vm_address_t address = 0;

	expect_equal(vm_allocate(mach_task_self(), &address, size, VM_FLAGS_ANYWHERE), 0);
	return (void *)address;
}

void
memory_end(const void *address, size_t size)
{
	expect_equal(vm_deallocate(mach_task_self(), (vm_address_t)address, size), 0);
}
