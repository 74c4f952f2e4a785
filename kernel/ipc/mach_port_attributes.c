/*
 * Ports: what their receiver may see and set.
 */
#include "ipc/mach_port.h"

#include <string.h>

#include "ipc/ipc_kmsg.h"
#include "ipc/ipc_mqueue.h"
#include "ipc/ipc_right.h"

/* ---- attributes ------------------------------------------------------------------------- */

static uint32_t
status_flags(const struct ipc_port *port)
{
	uint32_t flags = 0;

	if (port->object.flags & IPC_PORT_GUARDED) {
		flags |= MACH_PORT_STATUS_FLAG_GUARDED;
		if (port->object.flags & IPC_PORT_STRICT_GUARD)
			flags |= MACH_PORT_STATUS_FLAG_STRICT_GUARD;
		if (port->object.flags & IPC_PORT_IMMOVABLE)
			flags |= MACH_PORT_STATUS_FLAG_GUARD_IMMOVABLE_RECEIVE;
	}
	return flags;
}

static mach_port_status_t
port_status(const struct ipc_port *port)
{
	return (mach_port_status_t){
		.mps_pset = !list_is_empty(&port->sets),
		.mps_seqno = port->seqno,
		.mps_mscount = port->mscount,
		.mps_qlimit = port->qlimit,
		.mps_msgcount = port->msgcount,
		.mps_sorights = port->sorights,
		.mps_srights = port->srights > 0,
		.mps_pdrequest = port->port_destroyed != NULL,
		.mps_nsrequest = port->no_senders != NULL,
		.mps_flags = status_flags(port),
	};
}

uint32_t
mach_port_flavor_count(mach_port_flavor_t flavor)
{
	switch (flavor) {
	case MACH_PORT_LIMITS_INFO:
	case MACH_PORT_DNREQUESTS_SIZE:
		return 1;
	case MACH_PORT_RECEIVE_STATUS:
		return MACH_PORT_RECEIVE_STATUS_COUNT;
	case MACH_PORT_INFO_EXT:
		return MACH_PORT_INFO_EXT_COUNT;
	default:
		return 0;
	}
}

/* What some flavors say of 0 and DEAD; the others refuse it. */
static kern_return_t
attributes_of_no_port(mach_port_flavor_t flavor, integer_t *info, mach_msg_type_number_t *count)
{
	switch (flavor) {
	case MACH_PORT_LIMITS_INFO:
		*count = 0;
		return KERN_SUCCESS;
	case MACH_PORT_DNREQUESTS_SIZE:
		info[0] = 0; /* and the count stays */
		return KERN_SUCCESS;
	default:
		return KERN_INVALID_RIGHT;
	}
}

kern_return_t
mach_port_get_attributes(struct ipc_space *space, mach_port_name_t name, mach_port_flavor_t flavor,
			 integer_t *info, mach_msg_type_number_t *count)
{
	const uint32_t needed = mach_port_flavor_count(flavor);
	struct ipc_port *port;
	kern_return_t kr;

	if (!space)
		return KERN_INVALID_ARGUMENT;
	if (flavor == MACH_PORT_SERVICE_THROTTLED) {
		kr = ipc_space_find_receive(space, name, KERN_INVALID_RIGHT, &port);
		return kr == KERN_SUCCESS ? KERN_INVALID_CAPABILITY : kr;
	}
	if (needed == 0)
		return KERN_INVALID_ARGUMENT;
	if (*count < needed)
		return KERN_FAILURE;
	if (!MACH_PORT_VALID(name))
		return attributes_of_no_port(flavor, info, count);
	kr = ipc_space_find_receive(space, name, KERN_INVALID_RIGHT, &port);
	if (kr != KERN_SUCCESS)
		return kr;
	switch (flavor) {
	case MACH_PORT_LIMITS_INFO:
		info[0] = (integer_t)port->qlimit;
		break;
	case MACH_PORT_DNREQUESTS_SIZE:
		info[0] = (integer_t)port->request_count;
		break;
	default: {
		mach_port_info_ext_t status = { .mpie_status = port_status(port) };

		memcpy(info, &status, needed * sizeof(*info));
		break;
	}
	}
	*count = needed;
	return KERN_SUCCESS;
}

kern_return_t
mach_port_set_attributes(struct ipc_space *space, mach_port_name_t name, mach_port_flavor_t flavor,
			 integer_t *info, mach_msg_type_number_t count)
{
	struct ipc_port *port;
	kern_return_t kr;

	if (!space)
		return KERN_INVALID_TASK;
	switch (flavor) {
	case MACH_PORT_LIMITS_INFO:
		if (count < 1)
			return KERN_FAILURE;
		if ((mach_port_msgcount_t)info[0] > MACH_PORT_QLIMIT_MAX)
			return KERN_INVALID_VALUE;
		break;
	case MACH_PORT_DNREQUESTS_SIZE:
		if (count < 1)
			return KERN_FAILURE;
		break;
	case MACH_PORT_TEMPOWNER:
	case MACH_PORT_IMPORTANCE_RECEIVER:
	case MACH_PORT_DENAP_RECEIVER:
		break;
	default:
		return KERN_INVALID_ARGUMENT;
	}
	kr = ipc_space_find_receive(space, name, KERN_INVALID_RIGHT, &port);
	if (kr != KERN_SUCCESS)
		return kr;
	switch (flavor) {
	case MACH_PORT_LIMITS_INFO:
		port->qlimit = (uint32_t)info[0];
		ipc_mqueue_admit(space->kernel, port);
		return KERN_SUCCESS;
	case MACH_PORT_DNREQUESTS_SIZE:
		return KERN_SUCCESS; /* tables grow by themselves */
	default:
		/* importance is policy: accepted, without effect, but not on special reply ports */
		return port->object.flags & IPC_PORT_SPECIAL_REPLY ? KERN_INVALID_ARGUMENT
								   : KERN_SUCCESS;
	}
}

static bool
is_strict(const struct ipc_port *port)
{
	return (port->object.flags & IPC_PORT_GUARDED) &&
	       (port->object.flags & IPC_PORT_STRICT_GUARD);
}

kern_return_t
mach_port_assert_attributes(struct ipc_space *space, mach_port_name_t name,
			    mach_port_flavor_t flavor, integer_t *info,
			    mach_msg_type_number_t count)
{
	struct ipc_port *port;
	uint64_t guard;
	kern_return_t kr;

	if (!space)
		return KERN_INVALID_TASK;
	if (flavor != MACH_PORT_GUARD_INFO)
		return KERN_INVALID_ARGUMENT;
	if (count < MACH_PORT_GUARD_INFO_COUNT)
		return KERN_FAILURE;
	memcpy(&guard, info, sizeof(guard));
	kr = ipc_space_find_receive(space, name, KERN_INVALID_RIGHT, &port);
	if (kr != KERN_SUCCESS)
		return kr;
	return is_strict(port) && port->context == guard ? KERN_SUCCESS : KERN_INVALID_ARGUMENT;
}

/* ---- context and guards ------------------------------------------------------------------ */

/* The receive right that a call guards: 0 and DEAD are no names to it. */
static kern_return_t
find_guarded(struct ipc_space *space, mach_port_name_t name, struct ipc_port **port)
{
	return space ? ipc_space_find_receive(space, name, KERN_INVALID_NAME, port)
		     : KERN_INVALID_TASK;
}

/* The receive right that a call sets something on. */
static kern_return_t
find_set(struct ipc_space *space, mach_port_name_t name, struct ipc_port **port)
{
	return space ? ipc_space_find_receive(space, name, KERN_INVALID_RIGHT, port)
		     : KERN_INVALID_TASK;
}

kern_return_t
mach_port_get_context(struct ipc_space *space, mach_port_name_t name, uint64_t *context)
{
	struct ipc_port *port;
	kern_return_t kr = space ? find_set(space, name, &port) : KERN_INVALID_ARGUMENT;

	if (kr == KERN_SUCCESS)
		*context = is_strict(port) ? 0 : port->context;
	return kr;
}

kern_return_t
mach_port_set_context(struct ipc_space *space, mach_port_name_t name, uint64_t context)
{
	struct ipc_port *port;
	kern_return_t kr = find_set(space, name, &port);

	if (kr != KERN_SUCCESS)
		return kr;
	if (is_strict(port))
		return KERN_INVALID_ARGUMENT;
	port->context = context;
	return KERN_SUCCESS;
}

kern_return_t
mach_port_guard_with_flags(struct ipc_space *space, mach_port_name_t name, uint64_t guard,
			   uint64_t flags)
{
	struct ipc_port *port;
	kern_return_t kr = find_guarded(space, name, &port);

	if (kr != KERN_SUCCESS)
		return kr;
	if (port->context != 0)
		return KERN_INVALID_ARGUMENT;
	port->context = guard;
	port->object.flags |= IPC_PORT_GUARDED;
	if (flags & MPG_STRICT)
		port->object.flags |= IPC_PORT_STRICT_GUARD;
	if (flags & MPG_IMMOVABLE_RECEIVE)
		port->object.flags |= IPC_PORT_IMMOVABLE;
	return KERN_SUCCESS;
}

kern_return_t
mach_port_guard(struct ipc_space *space, mach_port_name_t name, uint64_t guard, boolean_t strict)
{
	return mach_port_guard_with_flags(space, name, guard, strict ? MPG_STRICT : 0);
}

kern_return_t
mach_port_unguard(struct ipc_space *space, mach_port_name_t name, uint64_t guard)
{
	struct ipc_port *port;
	kern_return_t kr = find_guarded(space, name, &port);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!(port->object.flags & IPC_PORT_GUARDED) || port->context != guard)
		return KERN_INVALID_ARGUMENT;
	port->context = 0;
	port->object.flags &= (uint8_t) ~(IPC_PORT_GUARDED | IPC_PORT_STRICT_GUARD);
	return KERN_SUCCESS;
}

kern_return_t
mach_port_swap_guard(struct ipc_space *space, mach_port_name_t name, uint64_t old_guard,
		     uint64_t new_guard)
{
	struct ipc_port *port;
	kern_return_t kr = find_guarded(space, name, &port);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!(port->object.flags & IPC_PORT_GUARDED) || is_strict(port) ||
	    port->context != old_guard)
		return KERN_INVALID_ARGUMENT;
	port->context = new_guard;
	return KERN_SUCCESS;
}

/* ---- counters and peek ---------------------------------------------------------------------- */

kern_return_t
mach_port_set_mscount(struct ipc_space *space, mach_port_name_t name, mach_port_mscount_t mscount)
{
	struct ipc_port *port;
	kern_return_t kr = find_set(space, name, &port);

	if (kr == KERN_SUCCESS)
		port->mscount = mscount;
	return kr;
}

kern_return_t
mach_port_set_seqno(struct ipc_space *space, mach_port_name_t name, mach_port_seqno_t seqno)
{
	struct ipc_port *port;
	kern_return_t kr = find_set(space, name, &port);

	if (kr == KERN_SUCCESS)
		port->seqno = seqno;
	return kr;
}

kern_return_t
mach_port_get_srights(struct ipc_space *space, mach_port_name_t name, mach_port_rights_t *srights)
{
	struct ipc_port *port;
	kern_return_t kr = find_guarded(space, name, &port);

	if (kr == KERN_SUCCESS)
		*srights = port->srights;
	return kr;
}

kern_return_t
mach_port_peek(struct ipc_space *space, mach_port_name_t name, mach_msg_trailer_type_t type,
	       mach_port_seqno_t *seqno, mach_msg_size_t *size, mach_msg_id_t *id, char *info,
	       mach_msg_type_number_t *info_count)
{
	const mach_msg_option_t option = (mach_msg_option_t)type; /* as for a receive */
	struct ipc_port *port;
	uint32_t wanted = *seqno;
	kern_return_t kr;

	if (!space)
		return KERN_INVALID_TASK;
	if (!MACH_PORT_VALID(name))
		return KERN_INVALID_RIGHT;
	if (GET_RCV_ELEMENTS(option) > MACH_RCV_TRAILER_AUDIT ||
	    ipc_kmsg_trailer_size(option) > *info_count)
		return KERN_INVALID_VALUE;
	kr = find_set(space, name, &port);
	if (kr != KERN_SUCCESS)
		return kr;
	if (wanted == 0)
		wanted = port->seqno;
	if (wanted - port->seqno >= port->msgcount)
		return KERN_FAILURE;

	struct ipc_kmsg *kmsg = list_entry(list_first(&port->messages), struct ipc_kmsg, link);

	for (uint32_t skip = wanted - port->seqno; skip > 0; skip--)
		kmsg = list_entry(kmsg->link.next, struct ipc_kmsg, link);
	kmsg->seqno = wanted;

	uint32_t trailer_size =
	    ipc_kmsg_add_trailer(kmsg, space->task, option, port->context, false);
	mach_msg_trailer_t *trailer = (void *)(kmsg->bytes + kmsg->bytes_size);

	trailer->msgh_trailer_size = MACH_MSG_TRAILER_MINIMUM_SIZE;
	memcpy(info, trailer, trailer_size);
	*seqno = wanted;
	*size = kmsg->size;
	*id = ikm_header(kmsg)->msgh_id;
	*info_count = trailer_size;
	return KERN_SUCCESS;
}
