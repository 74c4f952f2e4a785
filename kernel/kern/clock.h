/*
 * Clocks: the time since the machine started, and the time of day; alarms.
 *
 * The core reads neither: both come with each event.  An alarm is a send-once right and a
 * deadline.  It ends with its message, with its port, or with the task that asked for it, which
 * pays for it:
 *
 *   due               the message goes                       clock_alarm_due
 *   port dies         nothing: nobody would get it           clock_alarms_port_died
 *   task dies         the right goes unused: SEND_ONCE       clock_alarms_task_died
 */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <mach/clock_types.h>

#include "kern/state.h"

struct task;

struct clock_alarm {
	struct list in_task; /* task.alarms */
	struct list in_port; /* ipc_port.alarms */
	struct deadline deadline;
	struct task *task;     /* who asked; borrowed: ends its alarms when it dies */
	struct ipc_port *port; /* a send-once right */
	alarm_type_t type;     /* as it was asked for, which the message repeats */
	mach_timespec_t time;
};

/* The clock behind a port; NULL for any other port, NULL, IP_DEAD. */
struct clock *convert_port_to_clock(struct ipc_port *port);

/*
 * Source of all: mach-kobjects.md §5.  They are reached by message; NULL says that the caller
 * named another object: KERN_INVALID_ARGUMENT.
 */

/* *@clock becomes a send right: the caller's.  KERN_INVALID_ARGUMENT: no such clock, too. */
kern_return_t host_get_clock_service(struct kernel *k, clock_id_t id, struct ipc_port **clock);
/*
 * The control of a clock, for who is root: *@control becomes a send right, the caller's.  It sets
 * nothing: that is Linux's to allow, to whoever asks it himself.
 *
 * KERN_INVALID_ARGUMENT   no host, or no such clock
 * KERN_NO_ACCESS          @asker is not root
 * KERN_RESOURCE_SHORTAGE  no memory
 */
kern_return_t host_get_clock_control(struct kernel *k, const struct task *asker, clock_id_t id,
				     struct ipc_port **control);
kern_return_t clock_get_time(struct clock *clock, mach_timespec_t *time);
/* KERN_FAILURE: *@count is not 1.  KERN_INVALID_VALUE: no such flavor. */
kern_return_t clock_get_attributes(struct clock *clock, clock_flavor_t flavor, clock_attr_t attr,
				   mach_msg_type_number_t *count);
/*
 * Send a message by the send-once right @port at @time; at once if that is past, or none at all.
 * Consumes @port on success.
 *
 * KERN_FAILURE             not the system clock
 * KERN_INVALID_CAPABILITY  no port, or a dead one
 * KERN_RESOURCE_SHORTAGE   no memory, or the asking task has as many as it may
 */
kern_return_t clock_alarm(struct clock *clock, alarm_type_t type, mach_timespec_t time,
			  struct ipc_port *port);

void clock_alarm_due(struct kernel *k, struct clock_alarm *alarm);
/* Those that wait to tell @port, which is dead. */
void clock_alarms_port_died(struct kernel *k, struct ipc_port *port);
void clock_alarms_task_died(struct kernel *k, struct task *task);

#endif
