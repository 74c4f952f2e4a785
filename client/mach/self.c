/*
 * What a program has from the start, and its task's special ports.
 */
#include <mach/mach.h>
#include <mach/mach_init.h>
#include <mach/mach_port.h>
#include <mach/message.h>
#include <mach/task_special_ports.h>

#include "client/export.h"
#include "client/mach/kernelrpc.h"
#include "client/trap.h"

#include <sys/mman.h>

BERTH_EXPORT mach_port_t mach_task_self_ = BERTH_NAME_TASK_SELF;
BERTH_EXPORT mach_port_t bootstrap_port = BERTH_NAME_BOOTSTRAP;

BERTH_EXPORT const security_token_t KERNEL_SECURITY_TOKEN = KERNEL_SECURITY_TOKEN_VALUE;
BERTH_EXPORT const audit_token_t KERNEL_AUDIT_TOKEN = KERNEL_AUDIT_TOKEN_VALUE;

/* A trap without arguments that gives a name. */
static mach_port_t
name_of(uint32_t number)
{
	uint64_t values[TRAP_VALUE_COUNT];

	return TRAP_CALL(number, values, 0) == KERN_SUCCESS ? (mach_port_t)values[0]
							    : MACH_PORT_NULL;
}

BERTH_EXPORT mach_port_t
mach_thread_self(void)
{
	return name_of(BERTH_TRAP_THREAD_SELF);
}

BERTH_EXPORT mach_port_t
mach_host_self(void)
{
	return name_of(BERTH_TRAP_HOST_SELF);
}

/* As a function, for those who take its address or have no headers. */
#undef mach_task_self
BERTH_EXPORT mach_port_t mach_task_self(void);

BERTH_EXPORT mach_port_t
mach_task_self(void)
{
	return mach_task_self_;
}

BERTH_EXPORT boolean_t
mach_task_is_self(task_name_t task)
{
	uint64_t values[TRAP_VALUE_COUNT];

	return TRAP_CALL(BERTH_TRAP_TASK_IS_SELF, values, task) == KERN_SUCCESS && values[0] != 0;
}

BERTH_EXPORT kern_return_t
pid_for_task(mach_port_name_t task, int *pid)
{
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code = TRAP_CALL(BERTH_TRAP_PID_FOR_TASK, values, task);

	*pid = code == KERN_SUCCESS ? (int)values[0] : -1;
	return code == KERN_SUCCESS ? KERN_SUCCESS : KERN_FAILURE;
}

/* ---- special and registered ports ------------------------------------------------------ */

BERTH_EXPORT kern_return_t
task_get_special_port(task_inspect_t task, int which_port, mach_port_t *special_port)
{
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code =
	    TRAP_CALL(BERTH_TRAP_TASK_GET_SPECIAL_PORT, values, task, (uint32_t)which_port);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_task_get_special_port(task, which_port, special_port);
	if (code == KERN_SUCCESS)
		*special_port = (mach_port_t)values[0];
	return code;
}

BERTH_EXPORT kern_return_t
task_set_special_port(task_t task, int which_port, mach_port_t special_port)
{
	return TRAP_OR_MESSAGE(TRAP_CALL(BERTH_TRAP_TASK_SET_SPECIAL_PORT, NULL, task,
					 (uint32_t)which_port, special_port),
			       _kernelrpc_task_set_special_port(task, which_port, special_port));
}

BERTH_EXPORT kern_return_t
mach_ports_register(task_t target_task, mach_port_array_t init_port_set,
		    mach_msg_type_number_t init_port_setCnt)
{
	mach_port_t ports[TASK_PORT_REGISTER_MAX] = { 0 };

	if (init_port_setCnt > TASK_PORT_REGISTER_MAX && kernelrpc_is_asked(target_task))
		return _kernelrpc_mach_ports_register(target_task, init_port_set, init_port_setCnt);
	if (init_port_setCnt > TASK_PORT_REGISTER_MAX)
		return KERN_INVALID_ARGUMENT;
	for (mach_msg_type_number_t i = 0; i < init_port_setCnt; i++)
		ports[i] = init_port_set[i];
	return TRAP_OR_MESSAGE(
	    TRAP_CALL(BERTH_TRAP_PORTS_REGISTER, NULL, target_task, init_port_setCnt, ports[0],
		      ports[1], ports[2]),
	    _kernelrpc_mach_ports_register(target_task, init_port_set, init_port_setCnt));
}

BERTH_EXPORT kern_return_t
mach_ports_lookup(task_t target_task, mach_port_array_t *init_port_set,
		  mach_msg_type_number_t *init_port_setCnt)
{
	uint64_t values[TRAP_VALUE_COUNT];
	size_t size = TASK_PORT_REGISTER_MAX * sizeof(mach_port_t);

	/* first the memory: what the kernel gives cannot be given back as it was */
	mach_port_t *ports =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ports == MAP_FAILED)
		return KERN_RESOURCE_SHORTAGE;
	kern_return_t code = TRAP_CALL(BERTH_TRAP_PORTS_LOOKUP, values, target_task);
	if (code != KERN_SUCCESS) {
		munmap(ports, size);
		return TRAP_OR_MESSAGE(code, _kernelrpc_mach_ports_lookup(
						 target_task, init_port_set, init_port_setCnt));
	}
	for (int i = 0; i < TASK_PORT_REGISTER_MAX; i++)
		ports[i] = (mach_port_t)values[i];
	*init_port_set = ports;
	*init_port_setCnt = TASK_PORT_REGISTER_MAX;
	return KERN_SUCCESS;
}
