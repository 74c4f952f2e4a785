/*
 * The calls on names and rights.  The kernel does all checks; here is only how arguments
 * and results travel.
 */
#include <mach/mach_init.h>
#include <mach/mach_port.h>

#include "client/export.h"
#include "client/mach/kernelrpc.h"
#include "client/trap.h"

BERTH_EXPORT kern_return_t
mach_port_allocate(ipc_space_t task, mach_port_right_t right, mach_port_name_t *name)
{
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code = TRAP_CALL(BERTH_TRAP_PORT_ALLOCATE, values, task, right);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_allocate(task, right, name);
	if (code == KERN_SUCCESS)
		*name = (mach_port_name_t)values[0];
	return code;
}

BERTH_EXPORT kern_return_t
mach_port_allocate_name(ipc_space_t task, mach_port_right_t right, mach_port_name_t name)
{
	return TRAP_OR_MESSAGE(TRAP_CALL(BERTH_TRAP_PORT_ALLOCATE_NAME, NULL, task, right, name),
			       _kernelrpc_mach_port_allocate_name(task, right, name));
}

BERTH_EXPORT kern_return_t
mach_port_allocate_qos(ipc_space_t task, mach_port_right_t right, mach_port_qos_t *qos,
		       mach_port_name_t *name)
{
	if (kernelrpc_is_asked(task))
		return _kernelrpc_mach_port_allocate_qos(task, right, qos, name);
	if (qos->name)
		return KERN_INVALID_ARGUMENT;
	return mach_port_allocate_full(task, right, MACH_PORT_NULL, qos, name);
}

BERTH_EXPORT kern_return_t
mach_port_allocate_full(ipc_space_t task, mach_port_right_t right, mach_port_t proto,
			mach_port_qos_t *qos, mach_port_name_t *name)
{
	uint64_t values[TRAP_VALUE_COUNT];
	uint64_t flags = (qos->name ? 1u : 0u) | (qos->prealloc ? 2u : 0u);
	mach_port_name_t wanted = qos->name ? *name : MACH_PORT_NULL;

	if (proto != MACH_PORT_NULL && kernelrpc_is_asked(task))
		return _kernelrpc_mach_port_allocate_full(task, right, proto, qos, name);
	if (proto != MACH_PORT_NULL)
		return KERN_INVALID_VALUE;
	kern_return_t code =
	    TRAP_CALL(BERTH_TRAP_PORT_ALLOCATE_FULL, values, task, right, wanted, flags, qos->len);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_allocate_full(task, right, proto, qos, name);
	if (code == KERN_SUCCESS)
		*name = (mach_port_name_t)values[0];
	return code;
}

BERTH_EXPORT kern_return_t
mach_port_construct(ipc_space_t task, mach_port_options_ptr_t options, mach_port_context_t context,
		    mach_port_name_t *name)
{
	uint64_t values[TRAP_VALUE_COUNT];

	if (options == NULL)
		return KERN_INVALID_ADDRESS;
	kern_return_t code = TRAP_CALL(BERTH_TRAP_PORT_CONSTRUCT, values, task, options->flags,
				       options->mpl.mpl_qlimit, context);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_construct(task, options, context, name);
	if (code == KERN_SUCCESS)
		*name = (mach_port_name_t)values[0];
	return code;
}

BERTH_EXPORT kern_return_t
mach_port_destruct(ipc_space_t task, mach_port_name_t name, mach_port_delta_t srdelta,
		   mach_port_context_t guard)
{
	return TRAP_OR_MESSAGE(TRAP_CALL(BERTH_TRAP_PORT_DESTRUCT, NULL, task, name,
					 (uint64_t)(int64_t)srdelta, guard),
			       _kernelrpc_mach_port_destruct(task, name, srdelta, guard));
}

BERTH_EXPORT kern_return_t
mach_port_destroy(ipc_space_t task, mach_port_name_t name)
{
	return TRAP_OR_MESSAGE(TRAP_CALL(BERTH_TRAP_PORT_DESTROY, NULL, task, name),
			       _kernelrpc_mach_port_destroy(task, name));
}

BERTH_EXPORT kern_return_t
mach_port_deallocate(ipc_space_t task, mach_port_name_t name)
{
	if (task == mach_task_self_ && trap_promise_take(name))
		return KERN_SUCCESS;
	return TRAP_OR_MESSAGE(TRAP_CALL(BERTH_TRAP_PORT_DEALLOCATE, NULL, task, name),
			       _kernelrpc_mach_port_deallocate(task, name));
}

BERTH_EXPORT kern_return_t
mach_voucher_deallocate(mach_port_name_t voucher)
{
	return mach_port_deallocate(mach_task_self_, voucher);
}

BERTH_EXPORT kern_return_t
mach_port_get_refs(ipc_space_t task, mach_port_name_t name, mach_port_right_t right,
		   mach_port_urefs_t *refs)
{
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code = TRAP_CALL(BERTH_TRAP_PORT_GET_REFS, values, task, name, right);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_get_refs(task, name, right, refs);
	if (code == KERN_SUCCESS)
		*refs = (mach_port_urefs_t)values[0];
	return code;
}

BERTH_EXPORT kern_return_t
mach_port_mod_refs(ipc_space_t task, mach_port_name_t name, mach_port_right_t right,
		   mach_port_delta_t delta)
{
	return TRAP_OR_MESSAGE(
	    TRAP_CALL(BERTH_TRAP_PORT_MOD_REFS, NULL, task, name, right, (uint64_t)(int64_t)delta),
	    _kernelrpc_mach_port_mod_refs(task, name, right, delta));
}

BERTH_EXPORT kern_return_t
mach_port_insert_right(ipc_space_t task, mach_port_name_t name, mach_port_t poly,
		       mach_msg_type_name_t polyPoly)
{
	return TRAP_OR_MESSAGE(
	    TRAP_CALL(BERTH_TRAP_PORT_INSERT_RIGHT, NULL, task, name, poly, polyPoly),
	    _kernelrpc_mach_port_insert_right(task, name, poly, polyPoly));
}

BERTH_EXPORT kern_return_t
mach_port_extract_right(ipc_space_t task, mach_port_name_t name, mach_msg_type_name_t msgt_name,
			mach_port_t *poly, mach_msg_type_name_t *polyPoly)
{
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code =
	    TRAP_CALL(BERTH_TRAP_PORT_EXTRACT_RIGHT, values, task, name, msgt_name);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_extract_right(task, name, msgt_name, poly, polyPoly);
	if (code == KERN_SUCCESS) {
		*poly = (mach_port_t)values[0];
		*polyPoly = (mach_msg_type_name_t)values[1];
	}
	return code;
}

/* ---- sets ---------------------------------------------------------------------------- */

BERTH_EXPORT kern_return_t
mach_port_insert_member(ipc_space_t task, mach_port_name_t name, mach_port_name_t pset)
{
	return TRAP_OR_MESSAGE(TRAP_CALL(BERTH_TRAP_PORT_INSERT_MEMBER, NULL, task, name, pset),
			       _kernelrpc_mach_port_insert_member(task, name, pset));
}

BERTH_EXPORT kern_return_t
mach_port_extract_member(ipc_space_t task, mach_port_name_t name, mach_port_name_t pset)
{
	return TRAP_OR_MESSAGE(TRAP_CALL(BERTH_TRAP_PORT_EXTRACT_MEMBER, NULL, task, name, pset),
			       _kernelrpc_mach_port_extract_member(task, name, pset));
}

BERTH_EXPORT kern_return_t
mach_port_move_member(ipc_space_t task, mach_port_name_t member, mach_port_name_t after)
{
	return TRAP_OR_MESSAGE(TRAP_CALL(BERTH_TRAP_PORT_MOVE_MEMBER, NULL, task, member, after),
			       _kernelrpc_mach_port_move_member(task, member, after));
}

/* ---- notifications ------------------------------------------------------------------- */

BERTH_EXPORT kern_return_t
mach_port_request_notification(ipc_space_t task, mach_port_name_t name, mach_msg_id_t msgid,
			       mach_port_mscount_t sync, mach_port_t notify,
			       mach_msg_type_name_t notifyPoly, mach_port_t *previous)
{
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code = TRAP_CALL(BERTH_TRAP_PORT_REQUEST_NOTIFICATION, values, task, name,
				       (uint32_t)msgid, sync, notify, notifyPoly);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_request_notification(task, name, msgid, sync, notify,
								 notifyPoly, previous);
	if (code == KERN_SUCCESS)
		*previous = (mach_port_t)values[0];
	return code;
}

/* ---- attributes ---------------------------------------------------------------------- */

/* No flavour has more numbers; programs may say that they have room for any amount. */
#define INFO_COUNT_MAX 64u

BERTH_EXPORT kern_return_t
mach_port_get_attributes(ipc_space_read_t task, mach_port_name_t name, mach_port_flavor_t flavor,
			 mach_port_info_t port_info_out, mach_msg_type_number_t *port_info_outCnt)
{
	uint64_t values[TRAP_VALUE_COUNT];
	uint32_t count = *port_info_outCnt;
	uint32_t size = (count < INFO_COUNT_MAX ? count : INFO_COUNT_MAX) * sizeof(integer_t);
	kern_return_t code =
	    trap_call_into(BERTH_TRAP_PORT_GET_ATTRIBUTES,
			   (const uint64_t[TRAP_ARG_COUNT]){ task, name, (uint32_t)flavor, count },
			   values, port_info_out, &size);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_get_attributes(task, name, flavor, port_info_out,
							   port_info_outCnt);
	if (code == KERN_SUCCESS)
		*port_info_outCnt = (mach_msg_type_number_t)values[0];
	return code;
}

/* The two calls that hand numbers in. */
static kern_return_t
attributes_in(uint32_t number, ipc_space_t task, mach_port_name_t name, mach_port_flavor_t flavor,
	      mach_port_info_t info, mach_msg_type_number_t count)
{
	uint32_t size = (count < INFO_COUNT_MAX ? count : INFO_COUNT_MAX) * sizeof(integer_t);

	return trap_call_in(number,
			    (const uint64_t[TRAP_ARG_COUNT]){ task, name, (uint32_t)flavor, count },
			    info, size, NULL);
}

BERTH_EXPORT kern_return_t
mach_port_set_attributes(ipc_space_t task, mach_port_name_t name, mach_port_flavor_t flavor,
			 mach_port_info_t port_info, mach_msg_type_number_t port_infoCnt)
{
	return TRAP_OR_MESSAGE(
	    attributes_in(BERTH_TRAP_PORT_SET_ATTRIBUTES, task, name, flavor, port_info,
			  port_infoCnt),
	    _kernelrpc_mach_port_set_attributes(task, name, flavor, port_info, port_infoCnt));
}

BERTH_EXPORT kern_return_t
mach_port_assert_attributes(ipc_space_t task, mach_port_name_t name, mach_port_flavor_t flavor,
			    mach_port_info_t info, mach_msg_type_number_t infoCnt)
{
	return TRAP_OR_MESSAGE(
	    attributes_in(BERTH_TRAP_PORT_ASSERT_ATTRIBUTES, task, name, flavor, info, infoCnt),
	    _kernelrpc_mach_port_assert_attributes(task, name, flavor, info, infoCnt));
}

/* ---- context and guard --------------------------------------------------------------- */

BERTH_EXPORT kern_return_t
mach_port_get_context(ipc_space_read_t task, mach_port_name_t name, mach_port_context_t *context)
{
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code = TRAP_CALL(BERTH_TRAP_PORT_GET_CONTEXT, values, task, name);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_get_context(task, name, context);
	if (code == KERN_SUCCESS)
		*context = (mach_port_context_t)values[0];
	return code;
}

BERTH_EXPORT kern_return_t
mach_port_set_context(ipc_space_t task, mach_port_name_t name, mach_port_context_t context)
{
	return TRAP_OR_MESSAGE(TRAP_CALL(BERTH_TRAP_PORT_SET_CONTEXT, NULL, task, name, context),
			       _kernelrpc_mach_port_set_context(task, name, context));
}

BERTH_EXPORT kern_return_t
mach_port_guard(ipc_space_t task, mach_port_name_t name, mach_port_context_t guard,
		boolean_t strict)
{
	return TRAP_OR_MESSAGE(
	    TRAP_CALL(BERTH_TRAP_PORT_GUARD, NULL, task, name, guard, strict ? MPG_STRICT : 0),
	    _kernelrpc_mach_port_guard(task, name, guard, strict));
}

BERTH_EXPORT kern_return_t
mach_port_guard_with_flags(ipc_space_t task, mach_port_name_t name, mach_port_context_t guard,
			   uint64_t flags)
{
	return TRAP_OR_MESSAGE(TRAP_CALL(BERTH_TRAP_PORT_GUARD, NULL, task, name, guard, flags),
			       _kernelrpc_mach_port_guard_with_flags(task, name, guard, flags));
}

BERTH_EXPORT kern_return_t
mach_port_unguard(ipc_space_t task, mach_port_name_t name, mach_port_context_t guard)
{
	return TRAP_OR_MESSAGE(TRAP_CALL(BERTH_TRAP_PORT_UNGUARD, NULL, task, name, guard),
			       _kernelrpc_mach_port_unguard(task, name, guard));
}

BERTH_EXPORT kern_return_t
mach_port_swap_guard(ipc_space_t task, mach_port_name_t name, mach_port_context_t old_guard,
		     mach_port_context_t new_guard)
{
	return TRAP_OR_MESSAGE(
	    TRAP_CALL(BERTH_TRAP_PORT_SWAP_GUARD, NULL, task, name, old_guard, new_guard),
	    _kernelrpc_mach_port_swap_guard(task, name, old_guard, new_guard));
}

/* ---- counters ------------------------------------------------------------------------ */

BERTH_EXPORT kern_return_t
mach_port_set_mscount(ipc_space_t task, mach_port_name_t name, mach_port_mscount_t mscount)
{
	return TRAP_OR_MESSAGE(TRAP_CALL(BERTH_TRAP_PORT_SET_MSCOUNT, NULL, task, name, mscount),
			       _kernelrpc_mach_port_set_mscount(task, name, mscount));
}

BERTH_EXPORT kern_return_t
mach_port_set_seqno(ipc_space_t task, mach_port_name_t name, mach_port_seqno_t seqno)
{
	return TRAP_OR_MESSAGE(TRAP_CALL(BERTH_TRAP_PORT_SET_SEQNO, NULL, task, name, seqno),
			       _kernelrpc_mach_port_set_seqno(task, name, seqno));
}

BERTH_EXPORT kern_return_t
mach_port_get_srights(ipc_space_t task, mach_port_name_t name, mach_port_rights_t *srights)
{
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code = TRAP_CALL(BERTH_TRAP_PORT_GET_SRIGHTS, values, task, name);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_port_get_srights(task, name, srights);
	if (code == KERN_SUCCESS)
		*srights = (mach_port_rights_t)values[0];
	return code;
}
