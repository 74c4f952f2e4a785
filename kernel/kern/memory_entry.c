#include "kern/memory_entry.h"

#include <mach/vm_prot.h>

#include "kern/fileport.h"
#include "kern/ipc_tt.h"
#include "kern/syscall.h"

struct memory_entry *
convert_port_to_memory_entry(struct ipc_port *port)
{
	return convert_port_to_kobject(port, IKOT_NAMED_ENTRY);
}

static bool
is_range_of(const struct memory_entry *entry, const struct kernel_file *file)
{
	return entry->size_bytes > 0 && entry->data_bytes < entry->size_bytes &&
	       entry->size_bytes <= file->memory_bytes &&
	       entry->offset_bytes <= file->memory_bytes - entry->size_bytes;
}

kern_return_t
memory_entry_alloc(struct task *task, struct kernel_file *file, const struct memory_entry *entry,
		   struct ipc_port **port)
{
	struct kernel *k = task->kernel;
	struct account *account = task->account;
	struct memory_entry *made;
	struct ipc_port *made_port;

	if (!file || file->port || !is_range_of(entry, file) ||
	    (entry->protection & ~(uint32_t)VM_PROT_ALL) != 0)
		return KERN_INVALID_ARGUMENT;
	if (account->memory_entry_count >= TASK_MEMORY_ENTRY_MAX)
		return KERN_RESOURCE_SHORTAGE;
	made = kernel_memory_alloc(k, sizeof(*made));
	if (!made)
		return KERN_RESOURCE_SHORTAGE;
	*made = *entry;
	made->file = file;
	made_port = ipc_port_new_kernel(k, IKOT_NAMED_ENTRY, made);
	if (!made_port) {
		kernel_memory_free(k, made, sizeof(*made));
		return KERN_RESOURCE_SHORTAGE;
	}
	kernel_file_bind(file, made_port, account);
	account->memory_entry_count++;
	k->memory_entry_count++;
	*port = ipc_port_make_send(made_port);
	return KERN_SUCCESS;
}

void
memory_entry_no_senders(struct kernel *k, struct ipc_port *port)
{
	struct memory_entry *entry = port->kobject;
	struct kernel_file *file = entry->file;
	struct account *payer = file->payer;

	payer->memory_entry_count--;
	k->memory_entry_count--;
	kernel_memory_free(k, entry, sizeof(*entry));
	kernel_file_unbind(k, file);
}

/* ---- the traps ----------------------------------------------------------------------------- */

/*
 * KERN_SUCCESS            values: the name of the send right
 * KERN_INVALID_ARGUMENT   no file came along, or none that has that range
 * KERN_NO_SPACE           the task holds as many names as it may
 * KERN_RESOURCE_SHORTAGE  no memory, or the task made as many as it may
 *
 * What is refused leaves no port; the host still has the file.
 */
static kern_return_t
trap_make(struct syscall *call)
{
	const uint64_t *args = call->frame->args;
	const struct memory_entry wanted = {
		.offset_bytes = args[0],
		.size_bytes = args[1],
		.protection = call_arg32(call, 2),
		.data_bytes = args[3],
	};
	struct ipc_port *port;
	kern_return_t kr;

	if (!call->frame->file)
		return KERN_INVALID_ARGUMENT;
	kr = ipc_space_reserve(&call->caller->space, 1);
	if (kr == KERN_SUCCESS)
		kr = memory_entry_alloc(call->caller, call->frame->file, &wanted, &port);
	if (kr != KERN_SUCCESS)
		return kr;
	return call_give_send(call, port, 0);
}

/*
 * KERN_SUCCESS            values: enum berth_memory_entry_value; the file goes with the result
 * KERN_INVALID_ARGUMENT   no live send right of that name
 * KERN_INVALID_OBJECT     not to a memory entry
 */
static kern_return_t
trap_open(struct syscall *call)
{
	uint64_t *values = call->result->values;
	const struct memory_entry *entry;
	struct ipc_port *port;

	switch (kobject_from_name(call->caller, call_arg32(call, 0), &port)) {
	case KERN_SUCCESS:
		entry = convert_port_to_memory_entry(port);
		break;
	case BERTH_TRAP_BY_MESSAGE:
		entry = NULL; /* a task receives there: no memory, whatever it would answer */
		break;
	default:
		return KERN_INVALID_ARGUMENT;
	}
	if (!entry)
		return KERN_INVALID_OBJECT;
	values[BERTH_MEMORY_ENTRY_OFFSET] = entry->offset_bytes;
	values[BERTH_MEMORY_ENTRY_SIZE] = entry->size_bytes;
	values[BERTH_MEMORY_ENTRY_PROTECTION] = entry->protection;
	values[BERTH_MEMORY_ENTRY_DATA] = entry->data_bytes;
	call->result->file = kernel_file_ref(entry->file);
	return KERN_SUCCESS;
}

syscall_function *
memory_entry_syscall(uint32_t number)
{
	switch (number) {
	case BERTH_TRAP_MEMORY_ENTRY_MAKE:
		return trap_make;
	case BERTH_TRAP_MEMORY_ENTRY_OPEN:
		return trap_open;
	default:
		return NULL;
	}
}
