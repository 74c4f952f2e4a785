/*
 * Sets, attributes, contexts, guards and counters: mach-ports.md §9.12, §9.14 to §9.16.
 */
#include <string.h>

#include "tests/model/model.h"

#define QLIMIT_MAX 1024u

/* ---- sets ------------------------------------------------------------------------------ */

/* Both names at once: each is looked up before either is judged. */
static kern_return_t
member_and_set(struct m_task *task, mach_port_name_t name, mach_port_name_t set_name,
	       struct m_port **port, struct m_set **set)
{
	struct m_entry *member, *pset;
	kern_return_t kr;

	if (!MACH_PORT_VALID(name) || !MACH_PORT_VALID(set_name))
		return KERN_INVALID_RIGHT;
	kr = m_translate(task, name, MACH_PORT_TYPE_ALL_RIGHTS, &member);
	if (kr == KERN_SUCCESS)
		kr = m_translate(task, set_name, MACH_PORT_TYPE_ALL_RIGHTS, &pset);
	if (kr != KERN_SUCCESS)
		return kr;
	if (!(member->type & MACH_PORT_TYPE_RECEIVE) || pset->type != MACH_PORT_TYPE_PORT_SET)
		return KERN_INVALID_RIGHT;
	*port = member->port;
	*set = pset->set;
	return KERN_SUCCESS;
}

static kern_return_t
move_member(struct model *m, struct m_task *task, mach_port_name_t name, mach_port_name_t after)
{
	struct m_entry *member;
	struct m_port *port;
	struct m_set *set = NULL;
	kern_return_t kr;

	if (after == MACH_PORT_NULL) {
		if (!MACH_PORT_VALID(name))
			return KERN_INVALID_RIGHT;
		kr = m_translate(task, name, MACH_PORT_TYPE_RECEIVE, &member);
		if (kr != KERN_SUCCESS)
			return kr;
		port = member->port;
		if (port->sets.count == 0)
			return KERN_NOT_IN_SET;
	} else {
		kr = member_and_set(task, name, after, &port, &set);
		if (kr != KERN_SUCCESS)
			return kr;
	}
	for (uint32_t i = port->sets.count; i-- > 0;)
		if (port->sets.items[i] != set)
			m_set_remove(port->sets.items[i], port);
	if (set && !m_list_has(&set->members, port))
		m_set_add(m, set, port);
	return KERN_SUCCESS;
}

static kern_return_t
get_set_status(struct m_thread *thread, struct m_task *task, mach_port_name_t name)
{
	struct m_result *result = &thread->result;
	struct m_entry *entry;
	uint32_t count = 0;

	if (!MACH_PORT_VALID(name))
		return KERN_INVALID_RIGHT;
	entry = m_entry_find(task, name);
	if (!entry)
		return KERN_INVALID_NAME;
	if (entry->type != MACH_PORT_TYPE_PORT_SET)
		return KERN_INVALID_RIGHT;
	for (mach_port_name_t last = 0; count < entry->set->members.count; count++) {
		mach_port_name_t next = MACH_PORT_DEAD;

		M_EACH(struct m_port, port, &entry->set->members)
		{
			mach_port_name_t at = m_entry_of_port(task, port)->name;

			if (at > last && at < next)
				next = at;
		}
		last = next;
		memcpy(result->bytes + 4 * count, &next, 4);
	}
	result->bytes_size = 4 * count;
	result->values[0] = count;
	return KERN_SUCCESS;
}

kern_return_t
m_call_sets(struct model *m, struct m_thread *thread, struct m_task *task,
	    const struct m_call *call, bool *known)
{
	const mach_port_name_t name = (mach_port_name_t)call->args[1];
	const mach_port_name_t set_name = (mach_port_name_t)call->args[2];
	struct m_port *port;
	struct m_set *set;
	kern_return_t kr;

	*known = true;
	switch (call->number) {
	case BERTH_TRAP_PORT_INSERT_MEMBER:
		kr = member_and_set(task, name, set_name, &port, &set);
		if (kr != KERN_SUCCESS)
			return kr;
		if (m_list_has(&set->members, port))
			return KERN_ALREADY_IN_SET;
		m_set_add(m, set, port);
		return KERN_SUCCESS;
	case BERTH_TRAP_PORT_EXTRACT_MEMBER:
		kr = member_and_set(task, name, set_name, &port, &set);
		if (kr != KERN_SUCCESS)
			return kr;
		if (!m_list_has(&set->members, port))
			return KERN_NOT_IN_SET;
		m_set_remove(set, port);
		return KERN_SUCCESS;
	case BERTH_TRAP_PORT_MOVE_MEMBER:
		return move_member(m, task, name, set_name);
	case BERTH_TRAP_PORT_GET_SET_STATUS:
		return get_set_status(thread, task, name);
	default:
		*known = false;
		return KERN_SUCCESS;
	}
}

/* ---- attributes ----------------------------------------------------------------------------- */

static kern_return_t
find_receive(struct m_task *task, mach_port_name_t name, struct m_port **port)
{
	struct m_entry *entry;
	kern_return_t kr = m_translate(task, name, MACH_PORT_TYPE_RECEIVE, &entry);

	if (kr == KERN_SUCCESS)
		*port = entry->port;
	return kr;
}

/* For the calls that say INVALID_RIGHT of 0 and DEAD. */
static kern_return_t
find_valid(struct m_task *task, mach_port_name_t name, struct m_port **port)
{
	return MACH_PORT_VALID(name) ? find_receive(task, name, port) : KERN_INVALID_RIGHT;
}

static mach_port_status_t
status(struct model *m, const struct m_port *port)
{
	return (mach_port_status_t){
		.mps_pset = port->sets.count > 0,
		.mps_seqno = port->seqno,
		.mps_mscount = port->mscount,
		.mps_qlimit = port->qlimit,
		.mps_msgcount = port->queue.count,
		.mps_sorights = m_port_sorights(m, port),
		.mps_srights = m_port_srights(m, port) > 0,
		.mps_pdrequest = port->port_destroyed.kind != 0,
		.mps_nsrequest = port->no_senders.kind != 0,
		.mps_flags = (port->guarded ? MACH_PORT_STATUS_FLAG_GUARDED : 0u) |
			     (port->strict ? MACH_PORT_STATUS_FLAG_STRICT_GUARD : 0u) |
			     (port->guarded && port->immovable
				  ? MACH_PORT_STATUS_FLAG_GUARD_IMMOVABLE_RECEIVE
				  : 0u),
	};
}

static void
info_out(struct m_thread *thread, const void *info, uint32_t count)
{
	memcpy(thread->result.bytes, info, 4 * count);
	thread->result.bytes_size = 4 * count;
	thread->result.values[0] = count;
}

/* args: task, name, flavor, count.  bytes: info.  values: count */
static kern_return_t
get_attributes(struct model *m, struct m_thread *thread, struct m_task *task,
	       const struct m_call *call)
{
	const mach_port_name_t name = (mach_port_name_t)call->args[1];
	const uint32_t room = (uint32_t)call->args[3];
	mach_port_info_ext_t ext = { 0 };
	struct m_port *port;
	kern_return_t kr;

	switch ((int)call->args[2]) {
	case MACH_PORT_LIMITS_INFO:
		if (room < MACH_PORT_LIMITS_INFO_COUNT)
			return KERN_FAILURE;
		if (!MACH_PORT_VALID(name))
			return KERN_SUCCESS;
		kr = find_receive(task, name, &port);
		if (kr == KERN_SUCCESS)
			info_out(thread, &port->qlimit, MACH_PORT_LIMITS_INFO_COUNT);
		return kr;
	case MACH_PORT_RECEIVE_STATUS:
	case MACH_PORT_INFO_EXT: {
		const uint32_t count = call->args[2] == MACH_PORT_INFO_EXT
					   ? MACH_PORT_INFO_EXT_COUNT
					   : MACH_PORT_RECEIVE_STATUS_COUNT;

		if (room < count)
			return KERN_FAILURE;
		kr = find_valid(task, name, &port);
		if (kr != KERN_SUCCESS)
			return kr;
		ext.mpie_status = status(m, port);
		info_out(thread, &ext, count);
		return kr;
	}
	default:
		return KERN_INVALID_ARGUMENT;
	}
}

static kern_return_t
set_qlimit(struct model *m, struct m_port *port, uint32_t qlimit)
{
	port->qlimit = qlimit;
	/* one for each new slot; what a receiver takes at once leaves its slot to the next */
	while (port->senders.count && !m_port_full(port))
		m_admit(m, port);
	return KERN_SUCCESS;
}

/* args: task, name, flavor, count.  in: info */
static kern_return_t
set_attributes(struct model *m, struct m_task *task, const struct m_call *call)
{
	const mach_port_name_t name = (mach_port_name_t)call->args[1];
	struct m_port *port;
	uint32_t qlimit;
	kern_return_t kr;

	if ((int)call->args[2] != MACH_PORT_LIMITS_INFO)
		return KERN_INVALID_ARGUMENT;
	if (call->args[3] < MACH_PORT_LIMITS_INFO_COUNT)
		return KERN_FAILURE;
	memcpy(&qlimit, call->bytes, sizeof qlimit);
	if (qlimit > QLIMIT_MAX)
		return KERN_INVALID_VALUE;
	kr = find_valid(task, name, &port);
	return kr == KERN_SUCCESS ? set_qlimit(m, port, qlimit) : kr;
}

static kern_return_t
assert_attributes(struct m_task *task, const struct m_call *call)
{
	struct m_port *port;
	uint64_t guard;
	kern_return_t kr;

	if ((int)call->args[2] != MACH_PORT_GUARD_INFO)
		return KERN_INVALID_ARGUMENT;
	if (call->args[3] < MACH_PORT_GUARD_INFO_COUNT)
		return KERN_FAILURE;
	memcpy(&guard, call->bytes, sizeof guard);
	kr = find_valid(task, (mach_port_name_t)call->args[1], &port);
	if (kr != KERN_SUCCESS)
		return kr;
	return port->guarded && port->strict && port->context == guard ? KERN_SUCCESS
								       : KERN_INVALID_ARGUMENT;
}

/* ---- contexts and guards ------------------------------------------------------------------------
 */

static kern_return_t
guard(struct m_port *port, uint64_t context, uint64_t flags)
{
	if (port->context != 0)
		return KERN_INVALID_ARGUMENT;
	port->guarded = true;
	port->context = context;
	if (flags & MPG_STRICT)
		port->strict = true;
	if (flags & MPG_IMMOVABLE_RECEIVE)
		port->immovable = true;
	return KERN_SUCCESS;
}

static kern_return_t
unguard(struct m_port *port, uint64_t context)
{
	if (!port->guarded || port->context != context)
		return KERN_INVALID_ARGUMENT;
	port->guarded = port->strict = false;
	port->context = 0;
	return KERN_SUCCESS;
}

static kern_return_t
swap_guard(struct m_port *port, uint64_t old, uint64_t new)
{
	if (!port->guarded || port->strict || port->context != old)
		return KERN_INVALID_ARGUMENT;
	port->context = new;
	return KERN_SUCCESS;
}

/* Those that say INVALID_NAME of 0 and DEAD, as no table has them. */
static kern_return_t
guard_call(struct m_port *port, const struct m_call *call)
{
	switch (call->number) {
	case BERTH_TRAP_PORT_GUARD:
		return guard(port, call->args[2], call->args[3]);
	case BERTH_TRAP_PORT_UNGUARD:
		return unguard(port, call->args[2]);
	default:
		return swap_guard(port, call->args[2], call->args[3]);
	}
}

static kern_return_t
value_call(struct m_thread *thread, struct m_port *port, const struct m_call *call)
{
	switch (call->number) {
	case BERTH_TRAP_PORT_GET_CONTEXT:
		thread->result.values[0] = port->guarded && port->strict ? 0 : port->context;
		return KERN_SUCCESS;
	case BERTH_TRAP_PORT_SET_CONTEXT:
		if (port->guarded && port->strict)
			return KERN_INVALID_ARGUMENT;
		port->context = call->args[2];
		return KERN_SUCCESS;
	case BERTH_TRAP_PORT_SET_MSCOUNT:
		port->mscount = (uint32_t)call->args[2];
		return KERN_SUCCESS;
	default:
		port->seqno = (uint32_t)call->args[2];
		return KERN_SUCCESS;
	}
}

kern_return_t
m_call_attributes(struct model *m, struct m_thread *thread, struct m_task *task,
		  const struct m_call *call, bool *known)
{
	const mach_port_name_t name = (mach_port_name_t)call->args[1];
	struct m_port *port;
	kern_return_t kr;

	*known = true;
	switch (call->number) {
	case BERTH_TRAP_PORT_GET_ATTRIBUTES:
		return get_attributes(m, thread, task, call);
	case BERTH_TRAP_PORT_SET_ATTRIBUTES:
		return set_attributes(m, task, call);
	case BERTH_TRAP_PORT_ASSERT_ATTRIBUTES:
		return assert_attributes(task, call);
	case BERTH_TRAP_PORT_GUARD:
	case BERTH_TRAP_PORT_UNGUARD:
	case BERTH_TRAP_PORT_SWAP_GUARD:
		kr = find_receive(task, name, &port);
		return kr == KERN_SUCCESS ? guard_call(port, call) : kr;
	case BERTH_TRAP_PORT_GET_CONTEXT:
	case BERTH_TRAP_PORT_SET_CONTEXT:
	case BERTH_TRAP_PORT_SET_MSCOUNT:
	case BERTH_TRAP_PORT_SET_SEQNO:
		kr = find_valid(task, name, &port);
		return kr == KERN_SUCCESS ? value_call(thread, port, call) : kr;
	default:
		*known = false;
		return KERN_SUCCESS;
	}
}
