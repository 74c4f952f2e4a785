/*
 * Vouchers: made and read by trap, else by message; and the one of the calling thread, which
 * travels with its messages.
 *
 * A thread alone sets its voucher, and by these functions: what its state remembers is what the
 * kernel has, so that a message without one costs nothing.
 */
#include <mach/mach.h>
#include <mach/mach_voucher.h>

#include "client/export.h"
#include "client/mach/kernelrpc.h"
#include "client/trap.h"

/* ---- making and looking ------------------------------------------------------------------- */

BERTH_EXPORT kern_return_t
host_create_mach_voucher(host_t host, mach_voucher_attr_raw_recipe_array_t recipes,
			 mach_msg_type_number_t recipesCnt, ipc_voucher_t *voucher)
{
	const uint64_t args[TRAP_ARG_COUNT] = { host };
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code;

	if (recipesCnt > MACH_VOUCHER_ATTR_MAX_RAW_RECIPE_ARRAY_SIZE)
		return MIG_ARRAY_TOO_LARGE;
	code = trap_call_in(BERTH_TRAP_HOST_CREATE_MACH_VOUCHER, args, recipes, recipesCnt, values);
	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_host_create_mach_voucher(host, recipes, recipesCnt, voucher);
	if (code == KERN_SUCCESS)
		*voucher = (ipc_voucher_t)values[0];
	return code;
}

BERTH_EXPORT kern_return_t
mach_voucher_extract_attr_recipe(ipc_voucher_t voucher, mach_voucher_attr_key_t key,
				 mach_voucher_attr_raw_recipe_t recipe,
				 mach_msg_type_number_t *recipeCnt)
{
	const uint64_t args[TRAP_ARG_COUNT] = { voucher, key, *recipeCnt };
	uint32_t size_bytes = *recipeCnt;
	kern_return_t code = trap_call_into(BERTH_TRAP_MACH_VOUCHER_EXTRACT_ATTR_RECIPE, args, NULL,
					    recipe, &size_bytes);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_mach_voucher_extract_attr_recipe(voucher, key, recipe, recipeCnt);
	if (code == KERN_SUCCESS)
		*recipeCnt = size_bytes;
	return code;
}

BERTH_EXPORT kern_return_t
mach_voucher_extract_attr_content(ipc_voucher_t voucher, mach_voucher_attr_key_t key,
				  mach_voucher_attr_content_t content,
				  mach_msg_type_number_t *contentCnt)
{
	if (voucher == IPC_VOUCHER_NULL)
		return KERN_INVALID_ARGUMENT;
	return _kernelrpc_mach_voucher_extract_attr_content(voucher, key, content, contentCnt);
}

BERTH_EXPORT kern_return_t
mach_voucher_extract_all_attr_recipes(ipc_voucher_t voucher,
				      mach_voucher_attr_raw_recipe_array_t recipes,
				      mach_msg_type_number_t *recipesCnt)
{
	if (voucher == IPC_VOUCHER_NULL)
		return KERN_INVALID_ARGUMENT;
	return _kernelrpc_mach_voucher_extract_all_attr_recipes(voucher, recipes, recipesCnt);
}

BERTH_EXPORT kern_return_t
mach_voucher_attr_command(ipc_voucher_t voucher, mach_voucher_attr_key_t key,
			  mach_voucher_attr_command_t command,
			  mach_voucher_attr_content_t in_content,
			  mach_msg_type_number_t in_contentCnt,
			  mach_voucher_attr_content_t out_content,
			  mach_msg_type_number_t *out_contentCnt)
{
	if (voucher == IPC_VOUCHER_NULL)
		return KERN_INVALID_ARGUMENT;
	return _kernelrpc_mach_voucher_attr_command(voucher, key, command, in_content,
						    in_contentCnt, out_content, out_contentCnt);
}

BERTH_EXPORT kern_return_t
mach_voucher_debug_info(ipc_voucher_t voucher, mach_voucher_attr_key_t key,
			mach_voucher_attr_content_t info, mach_msg_type_number_t *infoCnt)
{
	if (voucher == IPC_VOUCHER_NULL)
		return KERN_NOT_SUPPORTED;
	return _kernelrpc_mach_voucher_debug_info(voucher, key, info, infoCnt);
}

/* ---- of a thread --------------------------------------------------------------------------- */

/* The calling thread's voucher is @voucher now; its state takes over a reference that the caller
 * has.  Gives that of the one before. */
static mach_port_t
remember(mach_port_t voucher)
{
	struct thread_state *thread = thread_state();
	mach_port_t old = thread->voucher;

	thread->voucher = voucher;
	return old;
}

static void
reference_drop(mach_port_t voucher)
{
	if (voucher != MACH_PORT_NULL)
		(void)mach_port_deallocate(mach_task_self_, voucher);
}

/* The request itself carries none: the program may have given the name up by mistake. */
static kern_return_t
set_own(mach_port_t voucher)
{
	mach_port_t before = remember(MACH_PORT_NULL);
	mach_port_t thread = mach_thread_self();
	kern_return_t code = _kernelrpc_thread_set_mach_voucher(thread, voucher);

	reference_drop(thread);
	remember(before);
	return code;
}

BERTH_EXPORT kern_return_t
thread_get_mach_voucher(thread_read_t thr_act, mach_voucher_selector_t which,
			ipc_voucher_t *voucher)
{
	return _kernelrpc_thread_get_mach_voucher(thr_act, which, voucher);
}

BERTH_EXPORT kern_return_t
thread_set_mach_voucher(thread_act_t thr_act, ipc_voucher_t voucher)
{
	mach_port_t self = mach_thread_self();
	kern_return_t code = _kernelrpc_thread_set_mach_voucher(thr_act, voucher);

	reference_drop(self);
	/* another thread is refused by the kernel; but a program may serve what looks like one */
	if (code != KERN_SUCCESS || thr_act != self)
		return code;
	if (voucher != IPC_VOUCHER_NULL)
		(void)mach_port_mod_refs(mach_task_self_, voucher, MACH_PORT_RIGHT_SEND, 1);
	reference_drop(remember(voucher));
	return KERN_SUCCESS;
}

/* ---- of messages ---------------------------------------------------------------------------- */

static void
header_set(mach_msg_header_t *msg, mach_port_t voucher, mach_msg_type_name_t disposition)
{
	msg->msgh_voucher_port = voucher;
	msg->msgh_bits = (msg->msgh_bits & ~(mach_msg_bits_t)MACH_MSGH_BITS_VOUCHER_MASK) |
			 MACH_MSGH_BITS_SET_PORTS(0, 0, disposition);
}

BERTH_EXPORT boolean_t
voucher_mach_msg_set(mach_msg_header_t *msg)
{
	mach_port_t voucher = thread_state()->voucher;

	if (voucher == MACH_PORT_NULL || msg->msgh_voucher_port != MACH_PORT_NULL ||
	    MACH_MSGH_BITS_HAS_VOUCHER(msg->msgh_bits))
		return FALSE;
	header_set(msg, voucher, MACH_MSG_TYPE_COPY_SEND);
	return TRUE;
}

BERTH_EXPORT void
voucher_mach_msg_clear(mach_msg_header_t *msg)
{
	if (MACH_MSGH_BITS_VOUCHER(msg->msgh_bits) == MACH_MSG_TYPE_COPY_SEND &&
	    msg->msgh_voucher_port == thread_state()->voucher)
		header_set(msg, MACH_PORT_NULL, 0);
}

/* What is given back stands for the voucher before, with its reference. */
BERTH_EXPORT voucher_mach_msg_state_t
voucher_mach_msg_adopt(mach_msg_header_t *msg)
{
	mach_port_t voucher = msg->msgh_voucher_port;

	if (MACH_MSGH_BITS_VOUCHER(msg->msgh_bits) != MACH_MSG_TYPE_MOVE_SEND)
		return VOUCHER_MACH_MSG_STATE_UNCHANGED;
	header_set(msg, MACH_PORT_NULL, 0);
	if (!MACH_PORT_VALID(voucher))
		return VOUCHER_MACH_MSG_STATE_UNCHANGED;
	if (set_own(voucher) != KERN_SUCCESS) {
		reference_drop(voucher);
		return VOUCHER_MACH_MSG_STATE_UNCHANGED;
	}
	return (voucher_mach_msg_state_t)(uintptr_t)remember(voucher);
}

BERTH_EXPORT void
voucher_mach_msg_revert(voucher_mach_msg_state_t state)
{
	mach_port_t before = (mach_port_t)(uintptr_t)state;

	if (state == VOUCHER_MACH_MSG_STATE_UNCHANGED)
		return;
	if (set_own(before) != KERN_SUCCESS) {
		/* the kernel has none of it any more, or never had: nor has the thread */
		reference_drop(before);
		before = MACH_PORT_NULL;
		(void)set_own(before);
	}
	reference_drop(remember(before));
}
