/*
 * Kernel events, as kexts post them: the kernel keeps the codes and delivers.
 *
 * Source: kernel-event.md §4.
 */
#ifndef KERNEL
#define KERNEL 1
#endif
#include <sys/kern_event.h>

#include "kexts/host/export.h"
#include "kexts/host/kernel_link.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

KPI_EXPORT errno_t
kev_vendor_code_find(const char *vendor_string, u_int32_t *vendor_code)
{
	uint64_t args[5] = { WIRE_VENDOR_EVENT };
	uint64_t values[2];

	if (vendor_string == NULL || vendor_code == NULL ||
	    strnlen(vendor_string, KEV_VENDOR_CODE_MAX_STR_LEN) == KEV_VENDOR_CODE_MAX_STR_LEN)
		return EINVAL;
	int error = kernel_link_request(WIRE_KEV_VENDOR, args, vendor_string, strlen(vendor_string),
					values, NULL, 0);
	if (error == 0)
		*vendor_code = (u_int32_t)values[0];
	return error;
}

/* Put the vectors one behind the other, up to the first empty one.  The size, which may be
 * larger than what fits in @data. */
static uint64_t
gather(const struct kev_msg *message, uint8_t data[WIRE_KEV_MAX + 1])
{
	uint64_t size = 0;

	for (int i = 0; i < N_KEV_VECTORS && message->dv[i].data_length != 0; i++) {
		if (size + message->dv[i].data_length <= WIRE_KEV_MAX)
			memcpy(data + size, message->dv[i].data_ptr, message->dv[i].data_length);
		size += message->dv[i].data_length;
	}
	return size;
}

static int
post(const struct kev_msg *message, bool is_kernel)
{
	uint8_t data[WIRE_KEV_MAX + 1] = { 0 };

	if (message == NULL)
		return EINVAL;
	uint64_t args[5] = { message->vendor_code, message->kev_class, message->kev_subclass,
			     message->event_code, is_kernel };
	uint64_t size = gather(message, data);
	/* too much is the kernel's to refuse, after the vendor: it is told how much */
	return kernel_link_request(WIRE_KEV_POST, args, data,
				   size <= WIRE_KEV_MAX ? size : WIRE_KEV_MAX + 1, NULL, NULL, 0);
}

KPI_EXPORT errno_t
kev_msg_post(struct kev_msg *event_msg)
{
	return post(event_msg, false);
}

KPI_EXPORT int
kev_post_msg(struct kev_msg *event_msg)
{
	return post(event_msg, true);
}

KPI_EXPORT int
kev_post_msg_nowait(struct kev_msg *event_msg)
{
	return post(event_msg, true);
}
