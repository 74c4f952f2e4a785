/*
 * The same as a kext sees them.
 */
#define KERNEL 1
#include "numbers.h"

#include <sys/kern_control.h>
#include <sys/kern_event.h>

IS(CTL_FLAG_PRIVILEGED, 0x1);
IS(CTL_FLAG_REG_ID_UNIT, 0x2);
IS(CTL_FLAG_REG_SOCK_STREAM, 0x4);
IS(CTL_FLAG_REG_EXTENDED, 0x8);
IS(CTL_FLAG_REG_CRIT, 0x10);
IS(CTL_FLAG_REG_SETUP, 0x20);
IS(CTL_DATA_NOWAKEUP, 0x1);
IS(CTL_DATA_EOR, 0x2);
IS(CTL_DATA_CRIT, 0x4);
SAME(kern_ctl_ref, void *);
SIZE(struct kern_ctl_reg, 192);
FIELD(struct kern_ctl_reg, ctl_name, 0, 96);
FIELD(struct kern_ctl_reg, ctl_id, 96, 4);
FIELD(struct kern_ctl_reg, ctl_unit, 100, 4);
FIELD(struct kern_ctl_reg, ctl_flags, 104, 4);
FIELD(struct kern_ctl_reg, ctl_sendsize, 108, 4);
FIELD(struct kern_ctl_reg, ctl_recvsize, 112, 4);
FIELD(struct kern_ctl_reg, ctl_connect, 120, 8);
FIELD(struct kern_ctl_reg, ctl_disconnect, 128, 8);
FIELD(struct kern_ctl_reg, ctl_send, 136, 8);
FIELD(struct kern_ctl_reg, ctl_setopt, 144, 8);
FIELD(struct kern_ctl_reg, ctl_getopt, 152, 8);
FIELD(struct kern_ctl_reg, ctl_rcvd, 160, 8);
FIELD(struct kern_ctl_reg, ctl_send_list, 168, 8);
FIELD(struct kern_ctl_reg, ctl_bind, 176, 8);
FIELD(struct kern_ctl_reg, ctl_setup, 184, 8);

IS(N_KEV_VECTORS, 5);
SIZE(struct kev_d_vectors, 16);
FIELD(struct kev_d_vectors, data_length, 0, 4);
FIELD(struct kev_d_vectors, data_ptr, 8, 8);
SIZE(struct kev_msg, 96);
FIELD(struct kev_msg, vendor_code, 0, 4);
FIELD(struct kev_msg, kev_class, 4, 4);
FIELD(struct kev_msg, kev_subclass, 8, 4);
FIELD(struct kev_msg, event_code, 12, 4);
FIELD(struct kev_msg, dv, 16, 80);

/* each callback takes what the contract says: the types would not convert */
static errno_t (*const connects)(void *, struct sockaddr_ctl *, void **) = (ctl_connect_func)0;
static errno_t (*const disconnects)(void *, u_int32_t, void *) = (ctl_disconnect_func)0;
static errno_t (*const sends)(void *, u_int32_t, void *, mbuf_t, int) = (ctl_send_func)0;
static errno_t (*const sends_list)(void *, u_int32_t, void *, mbuf_t, int) = (ctl_send_list_func)0;
static errno_t (*const sets)(void *, u_int32_t, void *, int, void *, size_t) = (ctl_setopt_func)0;
static errno_t (*const gets_)(void *, u_int32_t, void *, int, void *,
			      size_t *) = (ctl_getopt_func)0;
static void (*const receives)(void *, u_int32_t, void *, int) = (ctl_rcvd_func)0;
static errno_t (*const binds)(void *, struct sockaddr_ctl *, void **) = (ctl_bind_func)0;
static errno_t (*const sets_up)(u_int32_t *, void **) = (ctl_setup_func)0;
static const void *const callbacks[]
    __attribute__((used)) = { &connects, &disconnects, &sends, &sends_list, &sets,
			      &gets_,    &receives,    &binds, &sets_up };
