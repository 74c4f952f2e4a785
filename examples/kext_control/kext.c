/*
 * A kernel control for one client at a time.
 *
 * The shape is that of most kexts with a daemon: one structure of state, a registration with
 * all callbacks, a refusal of whoever comes second.  Each message is answered with itself, in
 * capitals.
 *
 *   berth cc --kext kext.c -o kext_control.kext
 */
#include <kern/locks.h>
#include <libkern/libkern.h>
#include <mach/kmod.h>
#include <stdbool.h>
#include <string.h>
#include <sys/errno.h>
#include <sys/kern_control.h>
#include <sys/kpi_mbuf.h>
#include <sys/systm.h>

#include "control.h"

#define LOG(level, format, ...) printf("kext_control: " level ": " format "\n", ##__VA_ARGS__)

static struct {
	struct kern_ctl_reg registration;
	kern_ctl_ref control;
	lck_grp_t *lock_group;
	lck_mtx_t *lock; /* guards what follows */
	bool has_client;
	u_int32_t unit; /* of the client */
	bool is_quiet;  /* it wants no answers: CONTROL_OPTION_QUIET */
} state;

/* ---- callbacks: each runs on behalf of the program that called ------------------------ */

static errno_t
client_connect(kern_ctl_ref control, struct sockaddr_ctl *address, void **unitinfo)
{
	errno_t error = 0;

	lck_mtx_lock(state.lock);
	if (state.has_client) {
		error = EISCONN;
	} else {
		state.has_client = true;
		state.is_quiet = false;
		state.unit = address->sc_unit;
		*unitinfo = &state;
	}
	lck_mtx_unlock(state.lock);
	if (error == 0)
		LOG("info", "Connect with client successfully.");
	else
		LOG("error", "Failed to accept the connection request for a connection already "
			     "established.");
	return error;
}

/* After a refused connect, too, but then with nothing in @unitinfo. */
static errno_t
client_disconnect(kern_ctl_ref control, u_int32_t unit, void *unitinfo)
{
	if (unitinfo == NULL)
		return 0;
	lck_mtx_lock(state.lock);
	state.has_client = false;
	lck_mtx_unlock(state.lock);
	LOG("info", "Disconnect with peer successfully.");
	return 0;
}

static errno_t
client_send(kern_ctl_ref control, u_int32_t unit, void *unitinfo, mbuf_t m, int flags)
{
	char text[CONTROL_MESSAGE_MAX];
	size_t length = mbuf_pkthdr_len(m);
	errno_t error = EMSGSIZE;

	if (length <= sizeof(text))
		error = mbuf_copydata(m, 0, length, text);
	mbuf_freem(m); /* the packet is ours, whatever comes of it */
	if (error != 0)
		return error; /* of the client's send() */

	LOG("info", "Client %u sends %u bytes.", unit, (unsigned int)length);
	lck_mtx_lock(state.lock);
	bool is_quiet = state.is_quiet;
	lck_mtx_unlock(state.lock);
	if (is_quiet)
		return 0;
	for (size_t i = 0; i < length; i++) {
		if (text[i] >= 'a' && text[i] <= 'z')
			text[i] = (char)(text[i] - 'a' + 'A');
	}
	return ctl_enqueuedata(control, unit, text, length, CTL_DATA_EOR);
}

static errno_t
client_setopt(kern_ctl_ref control, u_int32_t unit, void *unitinfo, int option, void *data,
	      size_t size)
{
	if (option != CONTROL_OPTION_QUIET)
		return ENOPROTOOPT;
	if (data == NULL || size != sizeof(int))
		return EINVAL;
	lck_mtx_lock(state.lock);
	state.is_quiet = *(int *)data != 0;
	lck_mtx_unlock(state.lock);
	return 0;
}

/* With data NULL only the size is asked for. */
static errno_t
client_getopt(kern_ctl_ref control, u_int32_t unit, void *unitinfo, int option, void *data,
	      size_t *size)
{
	if (option != CONTROL_OPTION_QUIET)
		return ENOPROTOOPT;
	if (data != NULL) {
		if (*size < sizeof(int))
			return EINVAL;
		lck_mtx_lock(state.lock);
		*(int *)data = state.is_quiet;
		lck_mtx_unlock(state.lock);
	}
	*size = sizeof(int);
	return 0;
}

/* ---- life ---------------------------------------------------------------------------- */

static void
locks_free(void)
{
	lck_mtx_free(state.lock, state.lock_group);
	lck_grp_free(state.lock_group);
}

static kern_return_t
control_start(kmod_info_t *info, void *data)
{
	struct kern_ctl_reg *registration = &state.registration;

	state.lock_group = lck_grp_alloc_init(CONTROL_NAME, LCK_GRP_ATTR_NULL);
	state.lock = lck_mtx_alloc_init(state.lock_group, LCK_ATTR_NULL);
	strlcpy(registration->ctl_name, CONTROL_NAME, sizeof(registration->ctl_name));
	registration->ctl_flags = CTL_FLAG_PRIVILEGED;
	registration->ctl_connect = client_connect;
	registration->ctl_disconnect = client_disconnect;
	registration->ctl_send = client_send;
	registration->ctl_setopt = client_setopt;
	registration->ctl_getopt = client_getopt;
	errno_t error = ctl_register(registration, &state.control);
	if (error != 0) {
		LOG("error", "Failed to register kext controller with error code [%d].", error);
		locks_free();
		return KERN_FAILURE;
	}
	return KERN_SUCCESS;
}

/* While a client is connected the control cannot go (EBUSY), and so the kext stays. */
static kern_return_t
control_stop(kmod_info_t *info, void *data)
{
	errno_t error = ctl_deregister(state.control);

	if (error != 0) {
		LOG("error", "Failed to deregister kext controller with error code [%d].", error);
		return KERN_FAILURE;
	}
	locks_free();
	return KERN_SUCCESS;
}

KMOD_EXPLICIT_DECL(org.berth.example.control, "1.0.0", control_start, control_stop)
