/*
 * The kext that bench/controls measures: it echoes, swallows or floods, as the client wishes.
 */
#include <IOKit/IOLib.h>
#include <kern/thread.h>
#include <libkern/libkern.h>
#include <mach/kmod.h>
#include <mach/mach_types.h>
#include <sys/errno.h>
#include <sys/kern_control.h>
#include <sys/systm.h>

#include "bench/controls/bench.h"

static kern_ctl_ref dgram_ref, stream_ref;

/* What a client asked for with BENCH_OPTION_FLOOD. */
struct flood_order {
	kern_ctl_ref ref;
	u_int32_t unit;
	struct bench_flood flood;
};

/* Send as fast as the client reads. */
static void
flood(void *argument, wait_result_t unused)
{
	struct flood_order *order = argument;
	char *data = IOMalloc(order->flood.size_bytes);

	(void)unused;
	for (u_int64_t i = 0; data != NULL && i < order->flood.count; i++) {
		errno_t error;

		while ((error = ctl_enqueuedata(
			    order->ref, order->unit, data, order->flood.size_bytes,
			    order->ref == stream_ref ? 0 : CTL_DATA_EOR)) == ENOBUFS)
			IOSleep(0); /* a kext is not told when there is room again */
		if (error != 0)
			break;
	}
	if (data != NULL)
		IOFree(data, order->flood.size_bytes);
	IOFree(order, sizeof(*order));
	thread_terminate(current_thread());
}

static errno_t
bench_connect(kern_ctl_ref ref, struct sockaddr_ctl *sac, void **unitinfo)
{
	(void)ref;
	(void)sac;
	*unitinfo = NULL;
	return 0;
}

static errno_t
bench_disconnect(kern_ctl_ref ref, u_int32_t unit, void *unitinfo)
{
	(void)ref;
	(void)unit;
	(void)unitinfo;
	return 0;
}

static errno_t
bench_send(kern_ctl_ref ref, u_int32_t unit, void *unitinfo, mbuf_t m, int flags)
{
	(void)unitinfo;
	(void)flags;
	if (*(char *)mbuf_data(m) == BENCH_ECHO &&
	    ctl_enqueuembuf(ref, unit, m, ref == stream_ref ? 0 : CTL_DATA_EOR) == 0)
		return 0;
	mbuf_freem(m);
	return 0;
}

static errno_t
bench_setopt(kern_ctl_ref ref, u_int32_t unit, void *unitinfo, int option, void *data, size_t size)
{
	struct flood_order *order;
	thread_t thread;

	(void)unitinfo;
	if (option != BENCH_OPTION_FLOOD || size != sizeof(struct bench_flood))
		return EINVAL;
	order = IOMalloc(sizeof(*order));
	if (order == NULL)
		return ENOMEM;
	order->ref = ref;
	order->unit = unit;
	order->flood = *(struct bench_flood *)data;
	if (kernel_thread_start(flood, order, &thread) != KERN_SUCCESS) {
		IOFree(order, sizeof(*order));
		return ENOMEM;
	}
	thread_deallocate(thread);
	return 0;
}

static errno_t
register_one(const char *name, u_int32_t flags, kern_ctl_ref *ref)
{
	struct kern_ctl_reg reg = { .ctl_flags = flags,
				    .ctl_sendsize = 128 * 1024,
				    .ctl_recvsize = BENCH_RECVSIZE,
				    .ctl_connect = bench_connect,
				    .ctl_disconnect = bench_disconnect,
				    .ctl_send = bench_send,
				    .ctl_setopt = bench_setopt };

	strlcpy(reg.ctl_name, name, sizeof(reg.ctl_name));
	return ctl_register(&reg, ref);
}

static kern_return_t
bench_start(kmod_info_t *info, void *data)
{
	(void)info;
	(void)data;
	if (register_one(BENCH_DGRAM, 0, &dgram_ref) != 0)
		return KERN_FAILURE;
	if (register_one(BENCH_STREAM, CTL_FLAG_REG_SOCK_STREAM, &stream_ref) != 0) {
		ctl_deregister(dgram_ref);
		return KERN_FAILURE;
	}
	return KERN_SUCCESS;
}

static kern_return_t
bench_stop(kmod_info_t *info, void *data)
{
	(void)info;
	(void)data;
	return ctl_deregister(dgram_ref) == 0 && ctl_deregister(stream_ref) == 0 ? KERN_SUCCESS
										 : KERN_FAILURE;
}

KMOD_EXPLICIT_DECL(berth.bench.controls, "1.0.0", bench_start, bench_stop)
