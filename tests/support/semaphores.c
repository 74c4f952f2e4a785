/* Semaphores: see semaphores.h. */
#include "tests/support/semaphores.h"

#include "tests/support/calls.h"
#include "tests/support/rpc.h"

/* ---- by message -------------------------------------------------------------------------- */

/* The reply port goes, whoever was asked. */
static void
drop(struct actor *t, mach_port_name_t reply)
{
	assert_ok(trap(t, BERTH_TRAP_PORT_MOD_REFS, BERTH_NAME_TASK_SELF, reply,
		       MACH_PORT_RIGHT_RECEIVE, (uint64_t)-1, 0, 0));
}

kern_return_t
sem_create(struct actor *t, int policy, int value, mach_port_name_t *sem)
{
	mach_port_name_t reply = reply_port(t);
	struct rpc r = rpc_to(3418);
	kern_return_t kr;

	*sem = MACH_PORT_NULL;
	if (!reply)
		return KERN_RESOURCE_SHORTAGE;
	rpc_u32(&r, (uint32_t)policy);
	rpc_u32(&r, (uint32_t)value);
	kr = rpc_call(t, reply, &r);
	if (kr == KERN_SUCCESS)
		*sem = got.descriptors[0].name;
	drop(t, reply);
	return kr;
}

kern_return_t
sem_destroy(struct actor *t, mach_port_name_t sem)
{
	mach_port_name_t reply = reply_port(t);
	struct rpc r = rpc_to(3419);
	kern_return_t kr;

	if (!reply)
		return KERN_RESOURCE_SHORTAGE;
	message_add_port(&r.message, sem, MACH_MSG_TYPE_MOVE_SEND);
	kr = rpc_call(t, reply, &r);
	drop(t, reply);
	return kr;
}

mach_port_name_t
new_semaphore(struct actor *t, int policy, int value)
{
	mach_port_name_t sem;

	assert_ok(sem_create(t, policy, value, &sem));
	assert_entry(t, sem, MACH_PORT_TYPE_SEND, 1);
	return sem;
}

/* ---- by trap ------------------------------------------------------------------------------- */

static kern_return_t
sem_trap(struct actor *t, uint32_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2,
	 uint64_t arg3)
{
	struct trap_frame frame = { .number = number, .args = { arg0, arg1, arg2, arg3 } };

	return world_trap(t, &frame) ? t->outcome.code : BLOCKED;
}

kern_return_t
sem_signal(struct actor *t, mach_port_name_t sem)
{
	return sem_trap(t, BERTH_TRAP_SEMAPHORE_SIGNAL, sem, 0, 0, 0);
}

kern_return_t
sem_signal_all(struct actor *t, mach_port_name_t sem)
{
	return sem_trap(t, BERTH_TRAP_SEMAPHORE_SIGNAL_ALL, sem, 0, 0, 0);
}

kern_return_t
sem_signal_thread(struct actor *t, mach_port_name_t sem, mach_port_name_t thread)
{
	return sem_trap(t, BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD, sem, thread, 0, 0);
}

kern_return_t
sem_wait(struct actor *t, mach_port_name_t sem)
{
	return sem_trap(t, BERTH_TRAP_SEMAPHORE_WAIT, sem, 0, 0, 0);
}

kern_return_t
sem_timedwait(struct actor *t, mach_port_name_t sem, uint32_t sec, uint32_t nsec)
{
	return sem_trap(t, BERTH_TRAP_SEMAPHORE_TIMEDWAIT, sem, sec, nsec, 0);
}

kern_return_t
sem_wait_signal(struct actor *t, mach_port_name_t wait, mach_port_name_t signal)
{
	return sem_trap(t, BERTH_TRAP_SEMAPHORE_WAIT_SIGNAL, wait, signal, 0, 0);
}

kern_return_t
sem_timedwait_signal(struct actor *t, mach_port_name_t wait, mach_port_name_t signal, uint32_t sec,
		     uint32_t nsec)
{
	return sem_trap(t, BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL, wait, signal, sec, nsec);
}

kern_return_t
sem_finished(struct actor *t)
{
	return world_completed(t)->code;
}

uint32_t
sem_count(struct actor *t, mach_port_name_t sem)
{
	uint32_t count = 0;

	while (sem_timedwait(t, sem, 0, 0) == KERN_SUCCESS)
		count++;
	for (uint32_t i = 0; i < count; i++)
		assert_ok(sem_signal(t, sem));
	return count;
}
