/*
 * Kernel controls: a program talks to a kernel extension over a socket.
 *
 * The user side: socket(PF_SYSTEM, SOCK_DGRAM or SOCK_STREAM, SYSPROTO_CONTROL), the id of a
 * control by its name with ioctl(CTLIOCGINFO), connect() with a struct sockaddr_ctl; then
 * send, recv, poll and getsockopt/setsockopt at level SYSPROTO_CONTROL.
 *
 * The kext side (KERNEL is defined): ctl_register() and the callbacks of struct kern_ctl_reg.
 *
 * Source: kernel-control.md.
 */
#ifndef BERTH_SYS_KERN_CONTROL_H
#define BERTH_SYS_KERN_CONTROL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/sys_domain.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MAX_KCTL_NAME 96 /* bytes, with the NUL */

/* subclass of KEV_SYSTEM_CLASS, and its codes; the data is a struct ctl_event_data */
#define KEV_CTL_SUBCLASS 2
#define KEV_CTL_REGISTERED 1
#define KEV_CTL_DEREGISTERED 2

struct ctl_event_data {
	u_int32_t ctl_id;
	u_int32_t ctl_unit; /* always 0 */
};

/* How to find a control: fill in the name, get the id. */
struct ctl_info {
	u_int32_t ctl_id;
	char ctl_name[MAX_KCTL_NAME];
};

struct sockaddr_ctl {
	u_char sc_len;        /* sizeof(struct sockaddr_ctl) */
	u_char sc_family;     /* AF_SYSTEM */
	u_int16_t ss_sysaddr; /* AF_SYS_CONTROL */
	u_int32_t sc_id;
	u_int32_t sc_unit; /* 0: the kernel chooses */
	u_int32_t sc_reserved[5];
};

/* ioctl requests, with Darwin's numbers */
#define CTLIOCGCOUNT 0x40044e02UL /* int: registered controls */
#define CTLIOCGINFO 0xc0644e03UL  /* struct ctl_info */

#ifdef KERNEL

#include <sys/kpi_mbuf.h>

/* A registered control: a cookie, never to be followed. */
typedef void *kern_ctl_ref;

/* ctl_flags */
#define CTL_FLAG_PRIVILEGED 0x1      /* effective uid 0 only */
#define CTL_FLAG_REG_ID_UNIT 0x2     /* ctl_id and ctl_unit are given */
#define CTL_FLAG_REG_SOCK_STREAM 0x4 /* SOCK_STREAM instead of SOCK_DGRAM */
#define CTL_FLAG_REG_EXTENDED 0x8    /* ctl_rcvd and ctl_send_list are there */
#define CTL_FLAG_REG_CRIT 0x10       /* a reserve for CTL_DATA_CRIT */
#define CTL_FLAG_REG_SETUP 0x20      /* ctl_setup is there */

/* flags of the enqueue functions */
#define CTL_DATA_NOWAKEUP 0x1 /* wake no reader */
#define CTL_DATA_EOR 0x2      /* the record ends here */
#define CTL_DATA_CRIT 0x4     /* may use the reserve */

typedef errno_t (*ctl_connect_func)(kern_ctl_ref kctlref, struct sockaddr_ctl *sac,
				    void **unitinfo);
typedef errno_t (*ctl_disconnect_func)(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo);
typedef errno_t (*ctl_send_func)(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo, mbuf_t m,
				 int flags);
typedef errno_t (*ctl_setopt_func)(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo, int opt,
				   void *data, size_t len);
typedef errno_t (*ctl_getopt_func)(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo, int opt,
				   void *data, size_t *len);
typedef void (*ctl_rcvd_func)(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo, int flags);
typedef errno_t (*ctl_send_list_func)(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo,
				      mbuf_t m, int flags);
typedef errno_t (*ctl_bind_func)(kern_ctl_ref kctlref, struct sockaddr_ctl *sac, void **unitinfo);
typedef errno_t (*ctl_setup_func)(u_int32_t *unit, void **unitinfo);

/*
 * What a kext registers.  Copied by ctl_register(), which writes back the id and the sizes.
 *
 * The members behind ctl_getopt are read only where ctl_flags has CTL_FLAG_REG_EXTENDED (the
 * first three) or CTL_FLAG_REG_SETUP (all): a kext that knows the shorter structure of the
 * public headers only is safe.
 */
struct kern_ctl_reg {
	char ctl_name[MAX_KCTL_NAME];
	u_int32_t ctl_id;
	u_int32_t ctl_unit;
	u_int32_t ctl_flags;
	u_int32_t ctl_sendsize; /* bytes of one message at most; 0: 2048 */
	u_int32_t ctl_recvsize; /* bytes that wait to be read at most; 0: 8192 */
	ctl_connect_func ctl_connect;
	ctl_disconnect_func ctl_disconnect;
	ctl_send_func ctl_send;
	ctl_setopt_func ctl_setopt;
	ctl_getopt_func ctl_getopt;
	ctl_rcvd_func ctl_rcvd;
	ctl_send_list_func ctl_send_list;
	ctl_bind_func ctl_bind;
	ctl_setup_func ctl_setup;
};

/*
 * Register a control; programs may connect before this returns.
 *
 * 0          @kctlref is the control; ctl_id and the sizes in @userkctl are filled in
 * EINVAL     no @userkctl, no connect callback, an empty name or one without NUL
 * EEXIST     the name, or the id and unit, is taken
 * ENOMEM     no memory, or too many controls
 *
 * Source: kernel-control.md §2.1.
 */
errno_t ctl_register(struct kern_ctl_reg *userkctl, kern_ctl_ref *kctlref);

/*
 * Take a control back.  EINVAL: @kctlref is none; EBUSY: a program is attached, and nothing
 * has changed.  Source: kernel-control.md §2.2.
 */
errno_t ctl_deregister(kern_ctl_ref kctlref);

/*
 * Append @len bytes at @data to what the client @unit has to read.
 *
 * 0          copied
 * EINVAL     no such control, or nobody has that unit
 * ENOBUFS    not enough room (ctl_getenqueuespace), or the client has shut its reading side
 * ENOMEM     no memory
 *
 * Source: kernel-control.md §2.3 and §2.4.
 */
errno_t ctl_enqueuedata(kern_ctl_ref kctlref, u_int32_t unit, void *data, size_t len,
			u_int32_t flags);

/* The same with the packet @m, which is consumed on success only. */
errno_t ctl_enqueuembuf(kern_ctl_ref kctlref, u_int32_t unit, mbuf_t m, u_int32_t flags);

/*
 * The same with a list of packets, each a record of its own.  Those that did not fit are given
 * back in @m_remain; where that is NULL they are freed.  EOPNOTSUPP: a SOCK_STREAM control;
 * EINVAL: CTL_DATA_EOR.
 */
errno_t ctl_enqueuembuf_list(kern_ctl_ref kctlref, u_int32_t unit, mbuf_t m_list, u_int32_t flags,
			     mbuf_t *m_remain);

/* The bytes that can be enqueued now.  EINVAL: no control, no client, or no @space. */
errno_t ctl_getenqueuespace(kern_ctl_ref kctlref, u_int32_t unit, size_t *space);

/* 0 once the client can read, else the bytes missing until then.  EINVAL as above. */
errno_t ctl_getenqueuereadable(kern_ctl_ref kctlref, u_int32_t unit, u_int32_t *difference);

/* Records that wait to be read.  EINVAL as above. */
errno_t ctl_getenqueuepacketcount(kern_ctl_ref kctlref, u_int32_t unit, u_int32_t *count);

/* The id of the control @name; 0: there is none. */
u_int32_t ctl_id_by_name(const char *name);

/* The name of control @id in @out_name of @maxsize bytes.  ENOENT: there is none. */
errno_t ctl_name_by_id(u_int32_t id, char *out_name, size_t maxsize);

#endif /* KERNEL */

/* ---- statistics, as sysctl net.systm.kctl has them on Darwin: kernel-control.md §9 --------- */

struct kctlstat {
	u_int64_t kcs_reg_total, kcs_reg_count, kcs_pcbcount, kcs_gencnt;
	u_int64_t kcs_connections, kcs_conn_fail, kcs_send_fail, kcs_send_list_fail;
	u_int64_t kcs_enqueue_fail, kcs_enqueue_fullsock, kcs_bad_kctlref, kcs_tbl_size_too_big;
	u_int64_t kcs_enqdata_mb_alloc_fail, kcs_enqdata_sbappend_fail;
};

#ifdef __cplusplus
}
#endif

#endif
