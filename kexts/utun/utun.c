/*
 * utun: the control that VPN programs open by name, as a kernel extension.
 *
 * Source: builtin-controls.md §2.
 */
#include "kexts/utun/utun.h"

#include <mach/kmod.h>

#define UTUN_BUFFER_SIZE (512 * 1024)

static kern_ctl_ref control;

static kern_return_t
utun_start(kmod_info_t *ki, void *data)
{
	struct kern_ctl_reg reg = {
		.ctl_name = UTUN_CONTROL_NAME,
		.ctl_flags = CTL_FLAG_PRIVILEGED | CTL_FLAG_REG_SETUP | CTL_FLAG_REG_EXTENDED,
		.ctl_sendsize = UTUN_BUFFER_SIZE,
		.ctl_recvsize = UTUN_BUFFER_SIZE,
		.ctl_setup = utun_setup,
		.ctl_bind = utun_bind,
		.ctl_connect = utun_connect,
		.ctl_disconnect = utun_disconnect,
		.ctl_send = utun_send,
		.ctl_setopt = utun_setopt,
		.ctl_getopt = utun_getopt,
		.ctl_rcvd = utun_rcvd,
	};
	errno_t error;

	(void)ki;
	(void)data;
	if (utun_units_start())
		return KERN_RESOURCE_SHORTAGE;
	error = ctl_register(&reg, &control);
	if (!error)
		return KERN_SUCCESS;
	printf("utun: %s cannot be registered: error %d\n", UTUN_CONTROL_NAME, error);
	utun_units_stop();
	return KERN_FAILURE;
}

static kern_return_t
utun_stop(kmod_info_t *ki, void *data)
{
	(void)ki;
	(void)data;
	if (ctl_deregister(control))
		return KERN_FAILURE; /* interfaces are in use: stays as it is */
	utun_units_stop();
	return KERN_SUCCESS;
}

KMOD_EXPLICIT_DECL(org.berth.utun, "1.0.0", utun_start, utun_stop)
