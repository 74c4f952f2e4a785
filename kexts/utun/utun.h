/*
 * utun's units: one for each socket that is attached to the control.
 *
 * A unit is made by the setup callback, is configured while its socket is bound, has its
 * interface and a thread that reads it while the socket is connected, and ends with the
 * disconnect callback.
 */
#ifndef BERTH_KEXTS_UTUN_UTUN_H
#define BERTH_KEXTS_UTUN_UTUN_H

#include "kexts/utun/utun_tun.h"

#include <net/if_utun.h>
#include <sys/kern_control.h>
#include <sys/systm.h>

#define UTUN_NAME_MAX 24 /* bytes, with the NUL */
#define UTUN_UUID_SIZE 16
#define UTUN_HEADER_MAX (sizeof(u_int32_t) + UTUN_UUID_SIZE)
#define UTUN_DELEGATE_MAX 15 /* bytes */

/* The values of options 20 to 27 that are kept. */
#define UTUN_CHANNEL_FIRST UTUN_OPT_ENABLE_NETIF
#define UTUN_CHANNEL_COUNT (UTUN_OPT_ATTACH_FLOWSWITCH - UTUN_CHANNEL_FIRST + 1)

struct utun {
	struct utun *next; /* guarded by the lock of the units; ascending */
	u_int32_t unit;

	/* set by connect, then left alone while callbacks and the thread run */
	kern_ctl_ref control;
	boolean_t is_connected;
	char name[UTUN_NAME_MAX];
	size_t header_size;
	struct tun tun;

	lck_mtx_t *lock; /* guards what follows */
	u_int32_t flags; /* fixed when connected */
	u_int32_t max_pending;
	int program_counts; /* UTUN_OPT_EXT_IFDATA_STATS: and not we */
	struct utun_stats_param in, out;
	char delegate[UTUN_DELEGATE_MAX + 1];
	u_int32_t channel[UTUN_CHANNEL_COUNT];
	boolean_t is_ending;
	boolean_t is_waiting; /* the thread, for a receive */
	u_int32_t received;   /* counts the receives */
	boolean_t short_told;

	/* the thread's: one record */
	u_int8_t record[UTUN_HEADER_MAX + TUN_PACKET_MAX];
};

/* ---- utun_unit.c ------------------------------------------------------------------------- */

/* The callbacks of struct kern_ctl_reg: builtin-controls.md §2.3. */
errno_t utun_setup(u_int32_t *unit, void **unitinfo);
errno_t utun_bind(kern_ctl_ref kctlref, struct sockaddr_ctl *sac, void **unitinfo);
errno_t utun_connect(kern_ctl_ref kctlref, struct sockaddr_ctl *sac, void **unitinfo);
errno_t utun_disconnect(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo);

/* 0 or ENOMEM. */
errno_t utun_units_start(void);
/* There are no units any more. */
void utun_units_stop(void);

/* ---- utun_packets.c ------------------------------------------------------------------------ */

/* What the interface has sent, to the program: what the unit's thread runs. */
void utun_output(void *utun);
/* The program has read. */
void utun_rcvd(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo, int flags);
/* What the program has written, to the interface.  0 whatever becomes of it.  Consumes @m. */
errno_t utun_send(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo, mbuf_t m, int flags);

/* ---- utun_options.c ------------------------------------------------------------------------ */

/* builtin-controls.md §2.1 and §2.2. */
errno_t utun_setopt(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo, int option, void *data,
		    size_t len);
errno_t utun_getopt(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo, int option, void *data,
		    size_t *len);

#endif
