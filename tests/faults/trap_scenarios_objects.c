/* What traps on tasks, threads, semaphores and other objects need: see trap_scenario_parts.h. */
#include "tests/faults/trap_scenario_parts.h"

#include <string.h>

#include <mach/exception_types.h>
#include <mach/thread_status.h>
#include <mach/vm_prot.h>

#include "tests/support/calls.h"
#include "tests/support/registry.h"
#include "tests/support/rpc.h"
#include "tests/support/semaphores.h"

#define COPY MACH_MSG_TYPE_COPY_SEND

/* ---- tasks ----------------------------------------------------------------------------------- */

void
special(struct call *c)
{
	call_args(c, 4, 0, 0, 0);
}

void
special_set(struct call *c)
{
	call_args(c, 4, new_port_with_send(c->caller), 0, 0);
}

void
registered_set(struct call *c)
{
	mach_port_name_t port = new_port_with_send(c->caller);

	call_args(c, 3, port, port, port);
}

void
registered(struct call *c)
{
	mach_port_name_t port = new_port_with_send(c->caller);

	assert_ok(ports_register(c->caller, 3, port, port, port));
}

void
other_task(struct call *c)
{
	c->frame.subject = c->other->party->task;
}

void
port_of_other_task(struct call *c)
{
	struct trap_frame ask = { .number = BERTH_TRAP_TASK_FOR_PID,
				  .subject = c->other->party->task };

	assert_true(world_trap(c->caller, &ask));
	assert_ok(c->caller->outcome.code);
	c->frame.args[0] = c->caller->outcome.values[0];
}

void
threads_of_other_task(struct call *c)
{
	for (int i = 0; i < 5; i++)
		assert_non_null(world_thread_new(c->other->party));
	port_of_other_task(c);
}

void
own_thread(struct call *c)
{
	c->frame.args[0] = thread_self(c->caller);
}

void
suspended_task(struct call *c)
{
	port_of_other_task(c);
	assert_ok(trap(c->caller, BERTH_TRAP_TASK_SUSPEND, c->frame.args[0], 0, 0, 0, 0, 0));
}

void
thread_beside(struct call *c)
{
	c->frame.args[0] = thread_self(world_thread_new(c->caller->party));
}

void
suspended_thread(struct call *c)
{
	thread_beside(c);
	assert_ok(trap(c->caller, BERTH_TRAP_THREAD_SUSPEND, c->frame.args[0], 0, 0, 0, 0, 0));
}

void
handler_of_host(struct call *c)
{
	const uint32_t set_exception_ports = 414;
	struct rpc r = rpc_to(set_exception_ports);

	message_add_port(&r.message, new_port_with_send(c->caller), COPY);
	rpc_u32(&r, EXC_MASK_BAD_ACCESS);
	rpc_u32(&r, EXCEPTION_DEFAULT);
	rpc_u32(&r, THREAD_STATE_NONE);
	c->caller->target = host_self(c->caller);
	assert_ok(rpc_call(c->caller, reply_port(c->caller), &r));
	c->caller->target = BERTH_NAME_TASK_SELF;
	c->frame.args[0] = EXC_BAD_ACCESS;
}

/* ---- semaphores ------------------------------------------------------------------------------ */

void
semaphore_with_count(struct call *c)
{
	c->frame.args[0] = new_semaphore(c->caller, 0, 1);
}

void
semaphore_with_waiter(struct call *c)
{
	struct actor *waiter = world_thread_new(c->caller->party);
	const mach_port_name_t thread = thread_self(waiter);

	c->frame.args[0] = new_semaphore(c->caller, 0, 0);
	if (c->frame.number == BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD)
		c->frame.args[1] = thread;
	assert_code(sem_wait(waiter, (mach_port_name_t)c->frame.args[0]), BLOCKED);
}

void
two_semaphores(struct call *c)
{
	semaphore_with_count(c);
	c->frame.args[1] = new_semaphore(c->caller, 0, 0);
}

/* ---- the rest -------------------------------------------------------------------------------- */

void
watched(struct call *c)
{
	c->frame.args[0] = new_port(c->caller);
}

/* Errors of the registry are errnos. */
void
control(struct call *c)
{
	const struct kernel_ctl ctl = ctl_named("com.example.control");
	uint32_t id;

	c->kext_host = kext_host_new(c->world, 50);
	assert_non_null(c->kext_host);
	assert_int_equal(ctl_add(c->world, c->kext_host, 0, &ctl, NULL, &id), 0);
	call_bytes(c, ctl.name, (uint32_t)strlen(ctl.name) + 1);
	c->frame.args[0] = id;
}

void
vendor(struct call *c)
{
	uint32_t code;

	assert_int_equal(kev_vendor(c->world, "com.example", &code), 0);
	call_bytes(c, "com.example", sizeof "com.example");
}

void
timer(struct call *c)
{
	assert_ok(trap(c->caller, BERTH_TRAP_MK_TIMER_CREATE, 0, 0, 0, 0, 0, 0));
	c->frame.args[0] = c->caller->outcome.values[0];
	c->frame.args[1] = c->world->now_ns + 1000;
}

void
timer_with_leeway(struct call *c)
{
	timer(c);
	call_args(c, 0, c->world->now_ns + 1000, 10, 0);
}

void
armed_timer(struct call *c)
{
	timer(c);
	assert_ok(trap(c->caller, BERTH_TRAP_MK_TIMER_ARM, c->frame.args[0], c->frame.args[1], 0, 0,
		       0, 0));
}

void
new_voucher(struct call *c)
{
	c->recipes = recipes_of(USER_DATA, STORE, MACH_PORT_NULL, "four");
	c->frame.args[0] = host_self(c->caller);
	c->frame.bytes = c->recipes.bytes;
	c->frame.bytes_size = c->recipes.size;
}

void
voucher(struct call *c)
{
	c->frame.args[0] = voucher_new(c->caller, "some");
	call_args(c, USER_DATA, 100, 0, 0);
}

void
made_fileport(struct call *c)
{
	c->file = file_new(c->world);
	c->frame.file = &c->file->core;
}

void
fileport(struct call *c)
{
	const struct file *file;

	c->frame.args[0] = new_fileport(c->caller, &file);
}

void
made_memory_entry(struct call *c)
{
	made_fileport(c);
	c->file->core.memory_bytes = 0x10000;
	c->frame.args[0] = 0x1000;
	call_args(c, 0x2000, VM_PROT_DEFAULT, 0x10, 0);
}

void
memory_entry(struct call *c)
{
	struct file *file = file_new(c->world);
	mach_port_name_t name;

	file->core.memory_bytes = 0x10000;
	assert_ok(memory_entry_make(c->caller, file, 0, 0x1000, VM_PROT_DEFAULT, 0, &name));
	file_drop(file);
	c->frame.args[0] = name;
}

/* For root alone. */
void
clock_of_host(struct call *c)
{
	audit_token_t root = c->caller->party->token;

	root.val[1] = 0;
	kernel_task_set_token(c->caller->party->task, &root);
	c->frame.args[0] = host_self(c->caller);
	call_args(c, SYSTEM_CLOCK, 0, 0, 0);
}

void
clock_control(struct call *c)
{
	clock_of_host(c);
	assert_ok(trap(c->caller, BERTH_TRAP_HOST_GET_CLOCK_CONTROL, c->frame.args[0], SYSTEM_CLOCK,
		       0, 0, 0, 0));
	c->frame.args[0] = c->caller->outcome.values[0];
}

void
offered_state(struct call *c)
{
	memset(c->bytes, 7, sizeof c->bytes);
	c->frame.bytes = c->bytes;
	c->frame.bytes_size = sizeof(x86_thread_state64_t) + sizeof(x86_exception_state64_t);
}

void
state_to_withdraw(struct call *c)
{
	struct trap_frame offer = { .number = BERTH_TRAP_THREAD_STATE_OFFER };

	offered_state(c);
	offer.bytes = c->frame.bytes;
	offer.bytes_size = c->frame.bytes_size;
	assert_true(world_trap(c->caller, &offer));
	assert_ok(c->caller->outcome.code);
}
