/*
 * What stubs made by MIG call.
 */
#include <mach/mach.h>
#include <mach/mach_port.h>
#include <mach/mig.h>
#include <mach/mig_errors.h>
#include <mach/ndr.h>
#include <mach/vm_map.h>
#include <mach/vm_statistics.h>

#include "client/export.h"
#include "client/trap.h"

#include <stdlib.h>
#include <string.h>

BERTH_EXPORT NDR_record_t NDR_record = {
	.mig_vers = NDR_PROTOCOL_2_0,
	.if_vers = NDR_PROTOCOL_2_0,
	.mig_encoding = NDR_PROTOCOL_2_0,
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	.int_rep = NDR_INT_LITTLE_ENDIAN,
#else
	.int_rep = NDR_INT_BIG_ENDIAN,
#endif
	.char_rep = NDR_CHAR_ASCII,
	.float_rep = NDR_FLOAT_IEEE,
};

/* ---- reply ports --------------------------------------------------------------------- */

static mach_port_t
reply_port_new(uint64_t flags)
{
	uint64_t values[TRAP_VALUE_COUNT];

	if (TRAP_CALL(BERTH_TRAP_REPLY_PORT, values, flags) != KERN_SUCCESS)
		return MACH_PORT_NULL;
	return (mach_port_t)values[0];
}

static mach_port_t
special_reply_port_new(uint64_t flags)
{
	uint64_t values[TRAP_VALUE_COUNT];

	if (TRAP_CALL(BERTH_TRAP_GET_SPECIAL_REPLY_PORT, values, flags) != KERN_SUCCESS)
		return MACH_PORT_NULL;
	return (mach_port_t)values[0];
}

BERTH_EXPORT mach_port_t
mig_get_reply_port(void)
{
	struct thread_state *thread = thread_state();

	/* the thread keeps it until it ends: no leak of the program's */
	if (thread->reply_port == MACH_PORT_NULL)
		thread->reply_port = reply_port_new(BERTH_REPLY_PORT_KEPT);
	return thread->reply_port;
}

BERTH_EXPORT void
mig_dealloc_reply_port(mach_port_t reply_port)
{
	struct thread_state *thread = thread_state();
	mach_port_t kept = thread->reply_port;

	if (kept == MACH_PORT_NULL)
		return;
	thread->reply_port = MACH_PORT_NULL;
	mach_port_mod_refs(mach_task_self_, kept, MACH_PORT_RIGHT_RECEIVE, -1);
	if (reply_port != kept)
		mach_port_deallocate(mach_task_self_, reply_port);
}

BERTH_EXPORT void
mig_put_reply_port(mach_port_t reply_port)
{
	(void)reply_port;
}

BERTH_EXPORT mach_port_t
mig_get_special_reply_port(void)
{
	struct thread_state *thread = thread_state();

	/* each trap makes another port */
	if (thread->special_reply_port == MACH_PORT_NULL)
		thread->special_reply_port = special_reply_port_new(BERTH_REPLY_PORT_KEPT);
	return thread->special_reply_port;
}

BERTH_EXPORT void
mig_dealloc_special_reply_port(mach_port_t reply_port)
{
	struct thread_state *thread = thread_state();

	if (reply_port == thread->special_reply_port)
		thread->special_reply_port = MACH_PORT_NULL;
	thread_destruct_special_reply_port(reply_port, THREAD_SPECIAL_REPLY_PORT_ALL);
}

BERTH_EXPORT mach_port_name_t
mach_reply_port(void)
{
	return reply_port_new(0);
}

BERTH_EXPORT mach_port_name_t
thread_get_special_reply_port(void)
{
	return special_reply_port_new(0);
}

BERTH_EXPORT kern_return_t
thread_destruct_special_reply_port(mach_port_name_t port,
				   thread_destruct_special_reply_port_rights_t rights)
{
	switch (rights) {
	case THREAD_SPECIAL_REPLY_PORT_ALL:
		return mach_port_destruct(mach_task_self_, port, -1, 0);
	case THREAD_SPECIAL_REPLY_PORT_RECEIVE_ONLY:
		return mach_port_destruct(mach_task_self_, port, 0, 0);
	case THREAD_SPECIAL_REPLY_PORT_SEND_ONLY:
		return mach_port_deallocate(mach_task_self_, port);
	default:
		return KERN_INVALID_ARGUMENT;
	}
}

/* ---- messages ------------------------------------------------------------------------ */

BERTH_EXPORT void
mig_reply_setup(mach_msg_header_t *request, mach_msg_header_t *reply)
{
	mig_reply_error_t *error = (mig_reply_error_t *)reply;

	error->Head.msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_LOCAL(request->msgh_bits), 0);
	error->Head.msgh_size = sizeof(*error);
	error->Head.msgh_remote_port = request->msgh_local_port;
	error->Head.msgh_local_port = MACH_PORT_NULL;
	error->Head.msgh_voucher_port = MACH_PORT_NULL;
	error->Head.msgh_id = request->msgh_id + 100;
	error->NDR = NDR_record;
}

/* ---- strings and memory -------------------------------------------------------------- */

BERTH_EXPORT int
mig_strncpy(char *dest, const char *src, int len)
{
	if (len <= 0)
		return 0;
	int length = (int)strnlen(src, (size_t)len - 1);
	memcpy(dest, src, (size_t)length);
	dest[length] = '\0';
	return length + 1;
}

BERTH_EXPORT int
mig_strncpy_zerofill(char *dest, const char *src, int len)
{
	if (len <= 0 || dest == NULL)
		return 0;
	int used = mig_strncpy(dest, src != NULL ? src : "", len);
	memset(dest + used, 0, (size_t)(len - used));
	return used;
}

BERTH_EXPORT void
mig_allocate(vm_address_t *addr, vm_size_t size)
{
	if (vm_allocate(mach_task_self_, addr, size, VM_FLAGS_ANYWHERE) != KERN_SUCCESS)
		*addr = 0;
}

BERTH_EXPORT void
mig_deallocate(vm_address_t addr, vm_size_t size)
{
	vm_deallocate(mach_task_self_, addr, size);
}

BERTH_EXPORT char *
mig_user_allocate(vm_size_t size)
{
	return malloc(size);
}

BERTH_EXPORT void
mig_user_deallocate(char *data, vm_size_t size)
{
	(void)size;
	free(data);
}
