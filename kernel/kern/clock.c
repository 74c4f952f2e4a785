#include "kern/clock.h"

#include "ipc/ipc_notify.h"
#include "ipc/ipc_right.h"
#include "kern/host.h"
#include "kern/ipc_tt.h"
#include "kern/syscall.h"

#define TOKEN_EUID 1           /* in audit_token_t */
#define RESOLUTION_NS 10000000 /* as Darwin says of its own */

struct clock *
convert_port_to_clock(struct ipc_port *port)
{
	return convert_port_to_kobject(port, IKOT_CLOCK);
}

kern_return_t
host_get_clock_service(struct kernel *k, clock_id_t id, struct ipc_port **clock)
{
	if (!k || id < 0 || id >= CLOCK_COUNT)
		return KERN_INVALID_ARGUMENT;
	*clock = ipc_port_make_send(k->clocks[id].port);
	return KERN_SUCCESS;
}

kern_return_t
clock_get_time(struct clock *clock, mach_timespec_t *time)
{
	uint64_t ns;

	if (!clock)
		return KERN_INVALID_ARGUMENT;
	ns = clock->kernel->now_ns;
	if (clock->id == CALENDAR_CLOCK)
		ns += clock->kernel->wall_offset_ns;
	*time = (mach_timespec_t){ .tv_sec = (unsigned)(ns / NSEC_PER_SEC),
				   .tv_nsec = (int)(ns % NSEC_PER_SEC) };
	return KERN_SUCCESS;
}

kern_return_t
clock_get_attributes(struct clock *clock, clock_flavor_t flavor, clock_attr_t attr,
		     mach_msg_type_number_t *count)
{
	if (!clock)
		return KERN_INVALID_ARGUMENT;
	if (*count != 1)
		return KERN_FAILURE;
	switch (flavor) {
	case CLOCK_GET_TIME_RES:
		attr[0] = RESOLUTION_NS;
		return KERN_SUCCESS;
	case CLOCK_ALARM_CURRES:
	case CLOCK_ALARM_MINRES:
	case CLOCK_ALARM_MAXRES:
		/* the calendar has no alarms */
		attr[0] = clock->id == SYSTEM_CLOCK ? RESOLUTION_NS : 0;
		return KERN_SUCCESS;
	default:
		return KERN_INVALID_VALUE;
	}
}

/* ---- alarms ------------------------------------------------------------------------------- */

static struct clock_alarm *
alarm_new(struct kernel *k, struct task *task, struct ipc_port *port)
{
	struct clock_alarm *alarm;

	if (task->account->alarm_count >= TASK_ALARM_MAX || !kernel_deadline_reserve(k))
		return NULL;
	alarm = kernel_memory_alloc(k, sizeof(*alarm));
	if (!alarm)
		return NULL;
	alarm->deadline.kind = DEADLINE_ALARM;
	alarm->task = task;
	alarm->port = port;
	list_append(&task->alarms, &alarm->in_task);
	list_append(&port->alarms, &alarm->in_port);
	task->account->alarm_count++;
	k->alarm_count++;
	return alarm;
}

/* Gives its send-once right. */
static struct ipc_port *
alarm_free(struct kernel *k, struct clock_alarm *alarm)
{
	struct ipc_port *port = alarm->port;

	list_remove(&alarm->in_task);
	list_remove(&alarm->in_port);
	deadlines_remove(&k->deadlines, &alarm->deadline);
	alarm->task->account->alarm_count--;
	k->alarm_count--;
	kernel_memory_free(k, alarm, sizeof(*alarm));
	return port;
}

kern_return_t
clock_alarm(struct clock *clock, alarm_type_t type, mach_timespec_t time, struct ipc_port *port)
{
	struct clock_alarm *alarm;
	struct kernel *k;
	uint64_t due_ns;

	if (!clock)
		return KERN_INVALID_ARGUMENT;
	if (clock->id != SYSTEM_CLOCK)
		return KERN_FAILURE;
	if (!ip_valid(port) || !ip_active(port))
		return KERN_INVALID_CAPABILITY;
	k = clock->kernel;
	if (BAD_ALRMTYPE(type) || BAD_MACH_TIMESPEC(&time)) {
		ipc_notify_alarm(k, port, KERN_INVALID_VALUE, type, time);
		return KERN_SUCCESS;
	}
	due_ns = time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec;
	if (type == TIME_RELATIVE)
		due_ns += k->now_ns;
	if (due_ns <= k->now_ns) {
		ipc_notify_alarm(k, port, KERN_SUCCESS, type, time);
		return KERN_SUCCESS;
	}
	alarm = alarm_new(k, k->asker, port);
	if (!alarm)
		return KERN_RESOURCE_SHORTAGE;
	alarm->type = type;
	alarm->time = time;
	deadlines_add(&k->deadlines, &alarm->deadline, due_ns);
	return KERN_SUCCESS;
}

void
clock_alarm_due(struct kernel *k, struct clock_alarm *alarm)
{
	const alarm_type_t type = alarm->type;
	const mach_timespec_t time = alarm->time;

	ipc_notify_alarm(k, alarm_free(k, alarm), KERN_SUCCESS, type, time);
}

void
clock_alarms_port_died(struct kernel *k, struct ipc_port *port)
{
	struct list *first;

	check(!ip_active(port));
	while ((first = list_first(&port->alarms)) != NULL)
		ipc_port_use_send_once(
		    k, alarm_free(k, list_entry(first, struct clock_alarm, in_port)));
}

void
clock_alarms_task_died(struct kernel *k, struct task *task)
{
	struct list *first;

	while ((first = list_first(&task->alarms)) != NULL)
		ipc_port_release_send_once(
		    k, alarm_free(k, list_entry(first, struct clock_alarm, in_task)));
}

/* ---- control ------------------------------------------------------------------------------ */

kern_return_t
host_get_clock_control(struct kernel *k, const struct task *asker, clock_id_t id,
		       struct ipc_port **control)
{
	struct clock *clock;

	if (!k || id < 0 || id >= CLOCK_COUNT)
		return KERN_INVALID_ARGUMENT;
	if (asker->token.val[TOKEN_EUID] != 0)
		return KERN_NO_ACCESS;
	clock = &k->clocks[id];
	if (!clock->control)
		clock->control = ipc_port_new_kernel(k, IKOT_CLOCK_CTRL, clock);
	if (!clock->control)
		return KERN_RESOURCE_SHORTAGE;
	*control = ipc_port_make_send(clock->control);
	return KERN_SUCCESS;
}

static kern_return_t
trap_get_control(struct syscall *call)
{
	struct ipc_port *port, *control;
	kern_return_t kr = kobject_from_name(call->caller, call_arg32(call, 0), &port);

	if (kr == KERN_SUCCESS)
		kr = ipc_space_reserve(&call->caller->space, 1);
	if (kr == KERN_SUCCESS)
		kr = host_get_clock_control(convert_port_to_host(port), call->caller,
					    (clock_id_t)call_arg32(call, 1), &control);
	if (kr != KERN_SUCCESS)
		return kr;
	return call_give_send(call, control, 0);
}

/* KERN_SUCCESS and values; KERN_INVALID_ARGUMENT: another kernel object. */
static kern_return_t
trap_control_id(struct syscall *call)
{
	const struct clock *clock;
	struct ipc_port *port;
	kern_return_t kr = kobject_from_name(call->caller, call_arg32(call, 0), &port);

	if (kr != KERN_SUCCESS)
		return kr;
	clock = convert_port_to_kobject(port, IKOT_CLOCK_CTRL);
	if (!clock)
		return KERN_INVALID_ARGUMENT;
	call->result->values[0] = (uint64_t)clock->id;
	return KERN_SUCCESS;
}

syscall_function *
clock_syscall(uint32_t number)
{
	switch (number) {
	case BERTH_TRAP_HOST_GET_CLOCK_CONTROL:
		return trap_get_control;
	case BERTH_TRAP_CLOCK_CONTROL_ID:
		return trap_control_id;
	default:
		return NULL;
	}
}
