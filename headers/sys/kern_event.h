/*
 * Kernel events: what the kernel and its extensions broadcast.
 *
 * The user side: socket(PF_SYSTEM, SOCK_RAW, SYSPROTO_EVENT), a filter with ioctl(SIOCSKEVFILT)
 * (until then nothing comes), then recv(): one struct kern_event_msg each.
 *
 * The kext side (KERNEL is defined): kev_vendor_code_find() and kev_msg_post().
 *
 * Source: kernel-event.md.
 */
#ifndef BERTH_SYS_KERN_EVENT_H
#define BERTH_SYS_KERN_EVENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/sys_domain.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KEV_ANY_VENDOR 0
#define KEV_ANY_CLASS 0
#define KEV_ANY_SUBCLASS 0

#define KEV_VENDOR_APPLE 1 /* the system itself */

/* classes of KEV_VENDOR_APPLE */
#define KEV_NETWORK_CLASS 1
#define KEV_IOKIT_CLASS 2
#define KEV_SYSTEM_CLASS 3
#define KEV_APPLESHARE_CLASS 4
#define KEV_FIREWALL_CLASS 5
#define KEV_IEEE80211_CLASS 6
#define KEV_NKE_CLASS 7

/* subclasses of KEV_NETWORK_CLASS */
#define KEV_INET_SUBCLASS 1
#define KEV_DL_SUBCLASS 2
#define KEV_INET6_SUBCLASS 6

#define KEV_INET_NEW_ADDR 1
#define KEV_INET_CHANGED_ADDR 2
#define KEV_INET_ADDR_DELETED 3
#define KEV_INET_SIFDSTADDR 4
#define KEV_INET_SIFBRDADDR 5
#define KEV_INET_SIFNETMASK 6
#define KEV_INET_ARPCOLLISION 7
#define KEV_INET_PORTINUSE 8
#define KEV_INET_ARPRTRFAILURE 9
#define KEV_INET_ARPRTRALIVE 10

#define KEV_DL_SIFFLAGS 1
#define KEV_DL_SIFMETRICS 2
#define KEV_DL_SIFMTU 3
#define KEV_DL_SIFPHYS 4
#define KEV_DL_SIFMEDIA 5
#define KEV_DL_SIFGENERIC 6
#define KEV_DL_ADDMULTI 7
#define KEV_DL_DELMULTI 8
#define KEV_DL_IF_ATTACHED 9
#define KEV_DL_IF_DETACHING 10
#define KEV_DL_IF_DETACHED 11
#define KEV_DL_LINK_OFF 12
#define KEV_DL_LINK_ON 13
#define KEV_DL_PROTO_ATTACHED 14
#define KEV_DL_PROTO_DETACHED 15
#define KEV_DL_LINK_ADDRESS_CHANGED 16
#define KEV_DL_WAKEFLAGS_CHANGED 17
#define KEV_DL_IF_IDLE_ROUTE_REFCNT 18
#define KEV_DL_IFCAP_CHANGED 19
#define KEV_DL_LINK_QUALITY_METRIC_CHANGED 20
#define KEV_DL_NODE_PRESENCE 21
#define KEV_DL_NODE_ABSENCE 22
#define KEV_DL_PRIMARY_ELECTED 23
#define KEV_DL_ISSUES 24
#define KEV_DL_IFDELEGATE_CHANGED 25
#define KEV_DL_AWDL_RESTRICTED 26
#define KEV_DL_AWDL_UNRESTRICTED 27
#define KEV_DL_RRC_STATE_CHANGED 28
#define KEV_DL_QOS_MODE_CHANGED 29
#define KEV_DL_LOW_POWER_MODE_CHANGED 30

#define KEV_INET6_NEW_USER_ADDR 1
#define KEV_INET6_CHANGED_ADDR 2
#define KEV_INET6_ADDR_DELETED 3
#define KEV_INET6_NEW_LL_ADDR 4
#define KEV_INET6_NEW_RTADV_ADDR 5
#define KEV_INET6_DEFROUTER 6
#define KEV_INET6_REQUEST_NAT64_PREFIX 7

/* One event, as recv() gives it. */
struct kern_event_msg {
	u_int32_t total_size; /* bytes, header and data */
	u_int32_t vendor_code;
	u_int32_t kev_class;
	u_int32_t kev_subclass;
	u_int32_t id; /* counts all events of the system */
	u_int32_t event_code;
	u_int32_t event_data[1]; /* total_size - KEV_MSG_HEADER_SIZE bytes */
};

#define KEV_MSG_HEADER_SIZE (offsetof(struct kern_event_msg, event_data[0]))

/* What a socket wants: KEV_ANY_* for all. */
struct kev_request {
	u_int32_t vendor_code;
	u_int32_t kev_class;
	u_int32_t kev_subclass;
};

#define KEV_VENDOR_CODE_MAX_STR_LEN 200

struct kev_vendor_code {
	u_int32_t vendor_code;
	char vendor_string[KEV_VENDOR_CODE_MAX_STR_LEN];
};

/* The data of events of interfaces begins so. */
struct net_event_data {
	u_int32_t if_family;
	u_int32_t if_unit;
	char if_name[16];
};

/* ioctl requests, with Darwin's numbers */
#define SIOCGKEVID 0x40046501UL     /* u_int32_t: the id of the last event */
#define SIOCSKEVFILT 0x800c6502UL   /* struct kev_request: set the filter */
#define SIOCGKEVFILT 0x400c6503UL   /* struct kev_request: what it is */
#define SIOCGKEVVENDOR 0xc0cc6504UL /* struct kev_vendor_code: the code of a vendor's string */

#ifdef KERNEL

#define N_KEV_VECTORS 5

struct kev_d_vectors {
	u_int32_t data_length; /* bytes; 0 ends the list */
	void *data_ptr;
};

struct kev_msg {
	u_int32_t vendor_code;
	u_int32_t kev_class;
	u_int32_t kev_subclass;
	u_int32_t event_code;
	struct kev_d_vectors dv[N_KEV_VECTORS];
};

/*
 * The code of the vendor @vendor_string (up to 199 bytes), made if it is new.
 *
 * 0; EINVAL: the string is missing or too long, or no @vendor_code; ENOMEM.
 * Source: kernel-event.md §4.1.
 */
errno_t kev_vendor_code_find(const char *vendor_string, u_int32_t *vendor_code);

/*
 * Post an event of a vendor.  It is copied; who has no room for it misses it.
 *
 * 0; EINVAL: no message, or the vendor code was never given out; EMSGSIZE: more than 264 bytes
 * of data; ENOMEM.  Source: kernel-event.md §4.2.
 */
errno_t kev_msg_post(struct kev_msg *event_msg);

/* The same for any vendor; 0 or an errno. */
int kev_post_msg(struct kev_msg *event_msg);
int kev_post_msg_nowait(struct kev_msg *event_msg);

#endif /* KERNEL */

/* Statistics, as sysctl net.systm.kevt.stats has them on Darwin: kernel-event.md §6 */
struct kevtstat {
	u_int64_t kes_pcbcount, kes_gencnt, kes_badvendor, kes_toobig, kes_nomem, kes_fullsock;
	u_int64_t kes_posted;
};

#ifdef __cplusplus
}
#endif

#endif
