/*
 * Guard exceptions: see guard.h.
 */
#include "kern/guard.h"

#include <mach/notify.h>

#include "ipc/ipc_right.h"

/* Which argument the refusal is about. */
enum guard_subject {
	SUBJECT_NAME,     /* argument 1 */
	SUBJECT_POLY,     /* argument 2 of insert_right */
	SUBJECT_OF_TWO,   /* argument 1 or the set, argument 2 */
	SUBJECT_OF_NOTIFY /* argument 1 or the port to notify, argument 4 */
};

/* What else must be so. */
enum guard_condition {
	ALWAYS,
	IF_GUARDED,
	IF_NOT_GUARDED,
	IF_STRICT,     /* guarded, and strictly */
	IF_RECEIVE,    /* the receive right is held */
	IF_GUARD_KEEPS /* guarded, and the call is about the receive right */
};

struct guard_rule {
	uint32_t trap; /* enum berth_trap_number */
	kern_return_t code;
	enum guard_subject subject;
	enum guard_condition condition;
	uint32_t flavor;
};

/* The first that fits counts.  What is not here is refused and no more. */
static const struct guard_rule rules[] = {
	{ BERTH_TRAP_PORT_DEALLOCATE, KERN_INVALID_NAME, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_DEALLOCATE, KERN_INVALID_RIGHT, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },

	{ BERTH_TRAP_PORT_DESTROY, KERN_INVALID_NAME, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_DESTROY, KERN_INVALID_RIGHT, SUBJECT_NAME, IF_GUARDED,
	  kGUARD_EXC_DESTROY },

	{ BERTH_TRAP_PORT_DESTRUCT, KERN_INVALID_NAME, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_DESTRUCT, KERN_INVALID_RIGHT, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },
	{ BERTH_TRAP_PORT_DESTRUCT, KERN_INVALID_VALUE, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_VALUE },
	{ BERTH_TRAP_PORT_DESTRUCT, KERN_INVALID_ARGUMENT, SUBJECT_NAME, IF_GUARDED,
	  kGUARD_EXC_INCORRECT_GUARD },

	{ BERTH_TRAP_PORT_MOD_REFS, KERN_INVALID_NAME, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_MOD_REFS, KERN_INVALID_RIGHT, SUBJECT_NAME, IF_GUARD_KEEPS,
	  kGUARD_EXC_MOD_REFS },
	{ BERTH_TRAP_PORT_MOD_REFS, KERN_INVALID_RIGHT, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },
	{ BERTH_TRAP_PORT_MOD_REFS, KERN_INVALID_VALUE, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_VALUE },

	{ BERTH_TRAP_PORT_INSERT_RIGHT, KERN_INVALID_NAME, SUBJECT_POLY, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_INSERT_RIGHT, KERN_INVALID_RIGHT, SUBJECT_POLY, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },
	{ BERTH_TRAP_PORT_INSERT_RIGHT, KERN_INVALID_CAPABILITY, SUBJECT_POLY, IF_RECEIVE,
	  kGUARD_EXC_IMMOVABLE },
	{ BERTH_TRAP_PORT_INSERT_RIGHT, KERN_INVALID_VALUE, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_VALUE },
	{ BERTH_TRAP_PORT_INSERT_RIGHT, KERN_RIGHT_EXISTS, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_RIGHT_EXISTS },
	{ BERTH_TRAP_PORT_INSERT_RIGHT, KERN_NO_SPACE, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_KERN_NO_SPACE },
	{ BERTH_TRAP_PORT_INSERT_RIGHT, KERN_FAILURE, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_KERN_FAILURE },

	{ BERTH_TRAP_PORT_EXTRACT_RIGHT, KERN_INVALID_NAME, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_EXTRACT_RIGHT, KERN_INVALID_RIGHT, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },
	{ BERTH_TRAP_PORT_EXTRACT_RIGHT, KERN_INVALID_CAPABILITY, SUBJECT_NAME, IF_RECEIVE,
	  kGUARD_EXC_IMMOVABLE },

	{ BERTH_TRAP_PORT_INSERT_MEMBER, KERN_INVALID_NAME, SUBJECT_OF_TWO, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_INSERT_MEMBER, KERN_INVALID_RIGHT, SUBJECT_OF_TWO, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },
	{ BERTH_TRAP_PORT_EXTRACT_MEMBER, KERN_INVALID_NAME, SUBJECT_OF_TWO, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_EXTRACT_MEMBER, KERN_INVALID_RIGHT, SUBJECT_OF_TWO, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },
	{ BERTH_TRAP_PORT_MOVE_MEMBER, KERN_INVALID_NAME, SUBJECT_OF_TWO, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_MOVE_MEMBER, KERN_INVALID_RIGHT, SUBJECT_OF_TWO, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },

	{ BERTH_TRAP_PORT_REQUEST_NOTIFICATION, KERN_INVALID_NAME, SUBJECT_OF_NOTIFY, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_REQUEST_NOTIFICATION, KERN_INVALID_RIGHT, SUBJECT_OF_NOTIFY, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },

	{ BERTH_TRAP_PORT_SET_CONTEXT, KERN_INVALID_NAME, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_SET_CONTEXT, KERN_INVALID_RIGHT, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },
	{ BERTH_TRAP_PORT_SET_CONTEXT, KERN_INVALID_ARGUMENT, SUBJECT_NAME, IF_STRICT,
	  kGUARD_EXC_SET_CONTEXT },

	{ BERTH_TRAP_PORT_GUARD, KERN_INVALID_NAME, SUBJECT_NAME, ALWAYS, kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_GUARD, KERN_INVALID_RIGHT, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },
	{ BERTH_TRAP_PORT_GUARD, KERN_INVALID_ARGUMENT, SUBJECT_NAME, IF_RECEIVE,
	  kGUARD_EXC_INVALID_ARGUMENT },

	{ BERTH_TRAP_PORT_UNGUARD, KERN_INVALID_NAME, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_UNGUARD, KERN_INVALID_RIGHT, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },
	{ BERTH_TRAP_PORT_UNGUARD, KERN_INVALID_ARGUMENT, SUBJECT_NAME, IF_NOT_GUARDED,
	  kGUARD_EXC_UNGUARDED },
	{ BERTH_TRAP_PORT_UNGUARD, KERN_INVALID_ARGUMENT, SUBJECT_NAME, IF_GUARDED,
	  kGUARD_EXC_INCORRECT_GUARD },

	{ BERTH_TRAP_PORT_SWAP_GUARD, KERN_INVALID_NAME, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_SWAP_GUARD, KERN_INVALID_RIGHT, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },
	{ BERTH_TRAP_PORT_SWAP_GUARD, KERN_INVALID_ARGUMENT, SUBJECT_NAME, IF_NOT_GUARDED,
	  kGUARD_EXC_UNGUARDED },
	{ BERTH_TRAP_PORT_SWAP_GUARD, KERN_INVALID_ARGUMENT, SUBJECT_NAME, IF_STRICT,
	  kGUARD_EXC_SET_CONTEXT },
	{ BERTH_TRAP_PORT_SWAP_GUARD, KERN_INVALID_ARGUMENT, SUBJECT_NAME, IF_GUARDED,
	  kGUARD_EXC_INCORRECT_GUARD },

	{ BERTH_TRAP_PORT_SET_ATTRIBUTES, KERN_INVALID_NAME, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_SET_ATTRIBUTES, KERN_INVALID_RIGHT, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },
	{ BERTH_TRAP_PORT_SET_MSCOUNT, KERN_INVALID_NAME, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_SET_MSCOUNT, KERN_INVALID_RIGHT, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },
	{ BERTH_TRAP_PORT_SET_SEQNO, KERN_INVALID_NAME, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_NAME },
	{ BERTH_TRAP_PORT_SET_SEQNO, KERN_INVALID_RIGHT, SUBJECT_NAME, ALWAYS,
	  kGUARD_EXC_INVALID_RIGHT },
};

/* ---- the name --------------------------------------------------------------------------- */

/* What is held under @name as of now, whether or not somebody has noticed that it died. */
static mach_port_type_t
type_of(const struct ipc_space *space, mach_port_name_t name)
{
	const struct ipc_entry *entry = ipc_space_find_raw(space, name);

	return entry ? ipc_right_type(space, entry) & IE_TYPE_MASK : MACH_PORT_TYPE_NONE;
}

/* The port that the task receives on under @name, or NULL. */
static const struct ipc_port *
own_port(const struct ipc_space *space, mach_port_name_t name)
{
	return type_of(space, name) & MACH_PORT_TYPE_RECEIVE ? ipc_space_find_raw(space, name)->port
							     : NULL;
}

/* Is argument 1 in order, so that the refusal is about the other name? */
static bool
first_is_fine(const struct syscall *call, const struct guard_rule *rule)
{
	mach_port_type_t type = type_of(&call->caller->space, call_arg32(call, 1));
	mach_msg_id_t msgid = (mach_msg_id_t)call_arg32(call, 2);

	if (rule->code == KERN_INVALID_NAME && type == MACH_PORT_TYPE_DEAD_NAME)
		return rule->subject == SUBJECT_OF_NOTIFY; /* a dead name is in no set */
	if (rule->code == KERN_INVALID_NAME)
		return type != MACH_PORT_TYPE_NONE;
	if (rule->subject == SUBJECT_OF_NOTIFY && msgid != MACH_NOTIFY_PORT_DESTROYED &&
	    msgid != MACH_NOTIFY_NO_SENDERS)
		return type != MACH_PORT_TYPE_NONE && type != MACH_PORT_TYPE_PORT_SET;
	return (type & MACH_PORT_TYPE_RECEIVE) != 0;
}

static mach_port_name_t
subject_of(const struct syscall *call, const struct guard_rule *rule)
{
	switch (rule->subject) {
	case SUBJECT_POLY:
		return call_arg32(call, 2);
	case SUBJECT_OF_TWO:
		return call_arg32(call, first_is_fine(call, rule) ? 2 : 1);
	case SUBJECT_OF_NOTIFY:
		return call_arg32(call, first_is_fine(call, rule) ? 4 : 1);
	default:
		return call_arg32(call, 1);
	}
}

/* What @name was: its rights, or why it has none. */
static void
describe_name(const struct ipc_space *space, mach_port_name_t name, struct kernel_guard *guard)
{
	const struct ipc_entry *entry = ipc_space_find_raw(space, name);
	uint32_t index = name >> 8;

	if (entry) {
		guard->name_type = type_of(space, name);
		guard->name_refs = ie_urefs(entry);
	} else if (!MACH_PORT_VALID(name)) {
		guard->name_type = BERTH_GUARD_NAME_NO_NAME;
	} else if (index > 0 && index < space->table_size && (name & 3) == 3 &&
		   (name & 0xff) < space->table[index].bits >> IE_GEN_SHIFT) {
		/* the low byte only grows, until it starts again */
		guard->name_type = BERTH_GUARD_NAME_GONE;
	} else {
		guard->name_type = BERTH_GUARD_NAME_NEVER;
	}
}

/* ---- noting ------------------------------------------------------------------------------ */

static bool
is_about_the_guard(uint32_t flavor)
{
	return flavor == kGUARD_EXC_DESTROY || flavor == kGUARD_EXC_MOD_REFS ||
	       flavor == kGUARD_EXC_SET_CONTEXT || flavor == kGUARD_EXC_INCORRECT_GUARD;
}

static void
note(struct thread *thread, uint32_t flavor, mach_port_name_t name)
{
	const struct ipc_space *space = &thread->task->space;
	const struct ipc_port *port = own_port(space, name);
	struct kernel_guard *guard = &thread->result.guard;

	guard->code = (uint64_t)GUARD_TYPE_MACH_PORT << 61 | (uint64_t)flavor << 32 | name;
	guard->subcode = port && is_about_the_guard(flavor) ? port->context : name;
	describe_name(space, name, guard);
}

static bool
holds(const struct syscall *call, enum guard_condition condition, mach_port_name_t name)
{
	const struct ipc_port *port = own_port(&call->caller->space, name);
	uint8_t flags = port ? port->object.flags : 0;

	switch (condition) {
	case IF_GUARDED:
		return (flags & IPC_PORT_GUARDED) != 0;
	case IF_NOT_GUARDED:
		return port && !(flags & IPC_PORT_GUARDED);
	case IF_STRICT:
		return (flags & IPC_PORT_GUARDED) && (flags & IPC_PORT_STRICT_GUARD);
	case IF_RECEIVE:
		return port != NULL;
	case IF_GUARD_KEEPS:
		return (flags & IPC_PORT_GUARDED) && call_arg32(call, 2) == MACH_PORT_RIGHT_RECEIVE;
	default:
		return true;
	}
}

void
guard_refused(struct syscall *call, kern_return_t code)
{
	if (!call->caller->strict)
		return;
	for (uint32_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct guard_rule *rule = &rules[i];

		if (rule->trap != call->frame->number || rule->code != code)
			continue;

		mach_port_name_t name = subject_of(call, rule);

		if (!holds(call, rule->condition, name))
			continue;
		note(call->thread, rule->flavor, name);
		if (rule->trap == BERTH_TRAP_PORT_INSERT_RIGHT && rule->subject == SUBJECT_NAME &&
		    !ipc_space_find(&call->caller->space, name))
			call->result->guard.name_type = BERTH_GUARD_NAME_FREE;
		return;
	}
}

void
guard_message_refused(struct thread *thread, uint32_t flavor, mach_port_name_t name)
{
	if (thread->task->strict)
		note(thread, flavor, name);
}

void
guard_right_refused(struct thread *thread, mach_port_name_t name, kern_return_t code,
		    bool is_guarded)
{
	const struct ipc_port *port = own_port(&thread->task->space, name);
	uint32_t flavor = kGUARD_EXC_SEND_INVALID_RIGHT;

	if (port && code == KERN_INVALID_CAPABILITY)
		flavor = kGUARD_EXC_IMMOVABLE;
	else if (port && is_guarded)
		flavor = port->object.flags & IPC_PORT_GUARDED ? kGUARD_EXC_INCORRECT_GUARD
							       : kGUARD_EXC_UNGUARDED;
	guard_message_refused(thread, flavor, name);
}
