/*
 * What the traps of a task do to its names: which give some, which take some.
 *
 * What a call does to another task's space is not noted here, nor there.
 */
#include "client/site.h"

#include "wire/trap_page.h"

#include <mach/mach_init.h>
#include <mach/mach_port.h>
#include <mach/message.h>

#include <string.h>

static enum site_kind
kind_of_right(uint64_t right)
{
	switch (right) {
	case MACH_PORT_RIGHT_RECEIVE:
		return SITE_RECEIVE;
	case MACH_PORT_RIGHT_SEND:
		return SITE_SEND;
	case MACH_PORT_RIGHT_SEND_ONCE:
		return SITE_SEND_ONCE;
	case MACH_PORT_RIGHT_PORT_SET:
		return SITE_PORT_SET;
	case MACH_PORT_RIGHT_DEAD_NAME:
		return SITE_DEAD_NAME;
	default:
		return SITE_NONE;
	}
}

/* What who gets a right by @disposition has; SITE_NONE: it is no disposition. */
static enum site_kind
kind_gained(uint64_t disposition)
{
	switch (disposition) {
	case MACH_MSG_TYPE_MOVE_RECEIVE:
		return SITE_RECEIVE;
	case MACH_MSG_TYPE_MOVE_SEND:
	case MACH_MSG_TYPE_COPY_SEND:
	case MACH_MSG_TYPE_MAKE_SEND:
		return SITE_SEND;
	case MACH_MSG_TYPE_MOVE_SEND_ONCE:
	case MACH_MSG_TYPE_MAKE_SEND_ONCE:
		return SITE_SEND_ONCE;
	default:
		return SITE_NONE;
	}
}

static bool
is_move(uint64_t disposition)
{
	return disposition == MACH_MSG_TYPE_MOVE_RECEIVE ||
	       disposition == MACH_MSG_TYPE_MOVE_SEND ||
	       disposition == MACH_MSG_TYPE_MOVE_SEND_ONCE;
}

/* A name that was not in the space before: of one that it had once nothing is left. */
static void
new_name(struct site_change *change, uint64_t name, enum site_kind kind)
{
	if (kind == SITE_NONE)
		return;
	site_forget((mach_port_name_t)name);
	site_gain(change, (mach_port_name_t)name, kind, 1);
}

static void
moved_away(uint64_t name, uint64_t disposition)
{
	if (is_move(disposition))
		site_lose((mach_port_name_t)name, kind_gained(disposition), 1);
}

static void
came(struct site_change *change, uint64_t name, uint64_t disposition)
{
	enum site_kind kind = kind_gained(disposition);

	if (kind == SITE_SEND_ONCE)
		new_name(change, name, kind);
	else if (kind != SITE_NONE)
		site_gain(change, (mach_port_name_t)name, kind, 1);
}

static void
references_changed(struct site_change *change, uint64_t name, uint64_t right, int64_t delta)
{
	enum site_kind kind = kind_of_right(right);

	if (kind == SITE_NONE)
		return;
	if (delta > 0)
		site_gain(change, (mach_port_name_t)name, kind, (uint32_t)delta);
	else if (delta < 0)
		site_lose((mach_port_name_t)name, kind, (uint32_t)-delta);
}

/* Traps that have no task argument.  False: it is none of them. */
static bool
own_trap(struct site_change *change, uint32_t number, const uint64_t *args, const uint64_t *values)
{
	switch (number) {
	case BERTH_TRAP_REPLY_PORT:
	case BERTH_TRAP_GET_SPECIAL_REPLY_PORT:
		if ((args[0] & BERTH_REPLY_PORT_KEPT) == 0)
			new_name(change, values[0], SITE_RECEIVE);
		return true;
	case BERTH_TRAP_MK_TIMER_CREATE:
		new_name(change, values[0], SITE_RECEIVE);
		return true;
	case BERTH_TRAP_MK_TIMER_DESTROY:
		site_lose((mach_port_name_t)args[0], SITE_RECEIVE, 1);
		return true;
	case BERTH_TRAP_TASK_SELF:
	case BERTH_TRAP_THREAD_SELF:
	case BERTH_TRAP_HOST_SELF:
	case BERTH_TRAP_TASK_GET_SPECIAL_PORT: /* of whatever task: the name is the caller's */
	case BERTH_TRAP_HOST_CREATE_MACH_VOUCHER:
	case BERTH_TRAP_FILEPORT_MAKE:
	case BERTH_TRAP_MEMORY_ENTRY_MAKE:
	case BERTH_TRAP_HOST_GET_CLOCK_CONTROL:
	case BERTH_TRAP_TASK_FOR_PID:
	case BERTH_TRAP_TASK_NAME_FOR_PID:
	case BERTH_TRAP_HOST_EXCEPTION_PORT:
		site_gain(change, (mach_port_name_t)values[0], SITE_SEND, 1);
		return true;
	case BERTH_TRAP_TASK_SUSPEND2:
		site_gain(change, (mach_port_name_t)values[0], SITE_SEND_ONCE, 1);
		return true;
	case BERTH_TRAP_PORTS_LOOKUP:
		for (uint32_t i = 0; i < 3; i++)
			site_gain(change, (mach_port_name_t)values[i], SITE_SEND, 1);
		return true;
	default:
		return false;
	}
}

/* The names of threads, which came as bytes. */
static void
threads_came(struct site_change *change, struct trap *trap)
{
	const uint8_t *names = trap_stream(trap);
	uint32_t count = trap->slot->reply.prefix_size_bytes / sizeof(mach_port_name_t);

	for (uint32_t i = 0; names != NULL && i < count; i++) {
		mach_port_name_t name;

		memcpy(&name, names + i * sizeof(name), sizeof(name));
		site_gain(change, name, SITE_SEND, 1);
	}
}

/* Traps about a space, of which args[0] is the task's. */
static void
space_trap(struct site_change *change, uint32_t number, const uint64_t *args,
	   const uint64_t *values, bool is_self)
{
	switch (number) {
	case BERTH_TRAP_PORT_INSERT_RIGHT:
		moved_away(args[2], args[3]);
		if (is_self)
			came(change, args[1], args[3]);
		return;
	case BERTH_TRAP_PORT_EXTRACT_RIGHT:
		if (is_self)
			moved_away(args[1], args[2]);
		came(change, values[0], values[1]);
		return;
	case BERTH_TRAP_PORT_REQUEST_NOTIFICATION:
		moved_away(args[4], args[5]);
		came(change, values[0], MACH_MSG_TYPE_MOVE_SEND_ONCE);
		return;
	default:
		break;
	}
	if (!is_self)
		return;
	switch (number) {
	case BERTH_TRAP_PORT_ALLOCATE:
	case BERTH_TRAP_PORT_ALLOCATE_FULL:
		new_name(change, values[0], kind_of_right(args[1]));
		return;
	case BERTH_TRAP_PORT_ALLOCATE_NAME:
		new_name(change, args[2], kind_of_right(args[1]));
		return;
	case BERTH_TRAP_PORT_CONSTRUCT:
		new_name(change, values[0], SITE_RECEIVE);
		if ((args[1] & MPO_INSERT_SEND_RIGHT) != 0)
			site_gain(change, (mach_port_name_t)values[0], SITE_SEND, 1);
		return;
	case BERTH_TRAP_PORT_DESTRUCT:
		site_lose((mach_port_name_t)args[1], SITE_RECEIVE, 1);
		references_changed(change, args[1], MACH_PORT_RIGHT_SEND, (int64_t)args[2]);
		return;
	case BERTH_TRAP_PORT_DESTROY:
		site_forget((mach_port_name_t)args[1]);
		return;
	case BERTH_TRAP_PORT_DEALLOCATE:
		site_lose((mach_port_name_t)args[1], SITE_SEND, 1);
		return;
	case BERTH_TRAP_PORT_MOD_REFS:
		references_changed(change, args[1], args[2], (int64_t)args[3]);
		return;
	default:
		return;
	}
}

/* Most traps change no name. */
static bool
is_of_interest(uint32_t number)
{
	switch (number) {
	case BERTH_TRAP_REPLY_PORT:
	case BERTH_TRAP_GET_SPECIAL_REPLY_PORT:
	case BERTH_TRAP_MK_TIMER_CREATE:
	case BERTH_TRAP_MK_TIMER_DESTROY:
	case BERTH_TRAP_TASK_SELF:
	case BERTH_TRAP_THREAD_SELF:
	case BERTH_TRAP_HOST_SELF:
	case BERTH_TRAP_TASK_GET_SPECIAL_PORT:
	case BERTH_TRAP_HOST_CREATE_MACH_VOUCHER:
	case BERTH_TRAP_FILEPORT_MAKE:
	case BERTH_TRAP_MEMORY_ENTRY_MAKE:
	case BERTH_TRAP_HOST_GET_CLOCK_CONTROL:
	case BERTH_TRAP_TASK_FOR_PID:
	case BERTH_TRAP_TASK_NAME_FOR_PID:
	case BERTH_TRAP_HOST_EXCEPTION_PORT:
	case BERTH_TRAP_TASK_THREADS:
	case BERTH_TRAP_TASK_SUSPEND2:
	case BERTH_TRAP_PORTS_LOOKUP:
	case BERTH_TRAP_PORT_INSERT_RIGHT:
	case BERTH_TRAP_PORT_EXTRACT_RIGHT:
	case BERTH_TRAP_PORT_REQUEST_NOTIFICATION:
	case BERTH_TRAP_PORT_ALLOCATE:
	case BERTH_TRAP_PORT_ALLOCATE_FULL:
	case BERTH_TRAP_PORT_ALLOCATE_NAME:
	case BERTH_TRAP_PORT_CONSTRUCT:
	case BERTH_TRAP_PORT_DESTRUCT:
	case BERTH_TRAP_PORT_DESTROY:
	case BERTH_TRAP_PORT_DEALLOCATE:
	case BERTH_TRAP_PORT_MOD_REFS:
		return true;
	default:
		return false;
	}
}

void
site_trap_done(struct trap *trap)
{
	const struct trap_request *request = &trap->slot->request;
	const struct trap_reply *reply = &trap->slot->reply;
	struct site_change change;

	if (!is_of_interest(request->number) || reply->code != KERN_SUCCESS || !site_begin(&change))
		return;
	if (request->number == BERTH_TRAP_TASK_THREADS)
		threads_came(&change, trap);
	else if (!own_trap(&change, request->number, request->args, reply->values))
		space_trap(&change, request->number, request->args, reply->values,
			   request->args[0] == mach_task_self_);
	site_end(&change);
}
