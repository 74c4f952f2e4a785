#include "kern/fileport.h"

#include "kern/ipc_tt.h"
#include "kern/syscall.h"

/* ---- files --------------------------------------------------------------------------------- */

struct kernel_file *
kernel_file_ref(struct kernel_file *file)
{
	check(file->ref_count > 0 && file->ref_count < UINT32_MAX);
	file->ref_count++;
	return file;
}

void
kernel_file_unref(struct kernel_file *file, struct kernel_effects *effects)
{
	check(file->ref_count > 0);
	if (--file->ref_count > 0)
		return;
	check(!file->port && !file->payer);
	file->next = effects->files;
	effects->files = file;
}

void
kernel_file_bind(struct kernel_file *file, struct ipc_port *port, struct account *payer)
{
	check(!file->port && !file->payer);
	kernel_file_ref(file);
	file->port = port;
	file->payer = account_ref(payer);
}

void
kernel_file_unbind(struct kernel *k, struct kernel_file *file)
{
	struct ipc_port *port = file->port;

	account_unref(file->payer);
	file->port = NULL;
	file->payer = NULL;
	kernel_file_unref(file, k->effects);
	ipc_port_destroy_kernel(k, port);
}

struct kernel_file *
kernel_effects_file(struct kernel_effects *effects)
{
	struct kernel_file *file = effects->files;

	if (file)
		effects->files = file->next;
	return file;
}

/* ---- ports --------------------------------------------------------------------------------- */

struct kernel_file *
convert_port_to_file(struct ipc_port *port)
{
	return convert_port_to_kobject(port, IKOT_FILEPORT);
}

kern_return_t
fileport_alloc(struct task *task, struct kernel_file *file, struct ipc_port **port)
{
	struct kernel *k = task->kernel;
	struct account *account = task->account;
	struct ipc_port *made;

	if (!file || file->port)
		return KERN_INVALID_ARGUMENT;
	if (account->fileport_count >= TASK_FILEPORT_MAX)
		return KERN_RESOURCE_SHORTAGE;
	made = ipc_port_new_kernel(k, IKOT_FILEPORT, file);
	if (!made)
		return KERN_RESOURCE_SHORTAGE;
	kernel_file_bind(file, made, account);
	account->fileport_count++;
	k->fileport_count++;
	*port = ipc_port_make_send(made);
	return KERN_SUCCESS;
}

void
fileport_no_senders(struct kernel *k, struct ipc_port *port)
{
	struct kernel_file *file = port->kobject;
	struct account *payer = file->payer;

	payer->fileport_count--;
	k->fileport_count--;
	kernel_file_unbind(k, file);
}

/* ---- the traps ----------------------------------------------------------------------------- */

/*
 * KERN_SUCCESS            values: the name of the send right
 * KERN_INVALID_ARGUMENT   no file came along, or no kind that may be sent
 * KERN_NO_SPACE           the task holds as many names as it may
 * KERN_RESOURCE_SHORTAGE  no memory, or the task made as many as it may
 *
 * What is refused leaves no port; the host still has the file.
 */
static kern_return_t
trap_make(struct syscall *call)
{
	struct ipc_port *port;
	kern_return_t kr;

	if (!call->frame->file)
		return KERN_INVALID_ARGUMENT;
	kr = ipc_space_reserve(&call->caller->space, 1);
	if (kr == KERN_SUCCESS)
		kr = fileport_alloc(call->caller, call->frame->file, &port);
	if (kr != KERN_SUCCESS)
		return kr;
	return call_give_send(call, port, 0);
}

/*
 * KERN_SUCCESS             and the file goes with the result
 * KERN_INVALID_RIGHT       no live send right of that name
 * KERN_INVALID_CAPABILITY  not to a fileport
 */
static kern_return_t
trap_open(struct syscall *call)
{
	struct kernel_file *file;
	struct ipc_port *port;

	switch (kobject_from_name(call->caller, call_arg32(call, 0), &port)) {
	case KERN_SUCCESS:
		file = convert_port_to_file(port);
		break;
	case BERTH_TRAP_BY_MESSAGE:
		file = NULL; /* a task receives there: no file, whatever it would answer */
		break;
	default:
		return KERN_INVALID_RIGHT;
	}
	if (!file)
		return KERN_INVALID_CAPABILITY;
	call->result->file = kernel_file_ref(file);
	return KERN_SUCCESS;
}

syscall_function *
fileport_syscall(uint32_t number)
{
	switch (number) {
	case BERTH_TRAP_FILEPORT_MAKE:
		return trap_make;
	case BERTH_TRAP_FILEPORT_OPEN:
		return trap_open;
	default:
		return NULL;
	}
}
