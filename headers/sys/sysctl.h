/*
 * Variables of the kernel, by name: how an extension publishes its own.
 *
 * For kernel extensions (KERNEL is defined); programs get the C library's, if it has one.
 *
 * Source: kext.md §5.10.
 */
#ifndef BERTH_SYS_SYSCTL_H
#define BERTH_SYS_SYSCTL_H

#ifdef __has_include_next
#if __has_include_next(<sys/sysctl.h>)
#include_next <sys/sysctl.h>
#endif
#endif

#ifdef KERNEL

#include <stddef.h>
#include <stdint.h>
#include <sys/kernel_types.h>
#include <sys/queue.h>
#include <sys/types.h>

#include <libkern/OSTypes.h>

#ifdef __cplusplus
extern "C" {
#endif

/* kinds of variables, and what may be done with them */
#define CTLTYPE 0xf
#define CTLTYPE_NODE 1
#define CTLTYPE_INT 2
#define CTLTYPE_STRING 3
#define CTLTYPE_QUAD 4
#define CTLTYPE_OPAQUE 5
#define CTLTYPE_STRUCT CTLTYPE_OPAQUE

#define CTLFLAG_RD 0x80000000u
#define CTLFLAG_WR 0x40000000u
#define CTLFLAG_RW (CTLFLAG_RD | CTLFLAG_WR)
#define CTLFLAG_NOLOCK 0x20000000u
#define CTLFLAG_ANYBODY 0x10000000u /* not only root may write it */
#define CTLFLAG_SECURE 0x08000000u
#define CTLFLAG_MASKED 0x04000000u
#define CTLFLAG_NOAUTO 0x02000000u
#define CTLFLAG_KERN 0x01000000u
#define CTLFLAG_LOCKED 0x00800000u
#define CTLFLAG_OID2 0x00400000u

#define OID_AUTO (-1)
#define OID_MUTABLE_ANCHOR (INT32_MIN)

struct sysctl_oid;

struct sysctl_req {
	struct proc *p; /* who asks */
	int lock;
	user_addr_t oldptr; /* where the value goes; 0: only its size is asked for */
	size_t oldlen;      /* bytes there */
	size_t oldidx;      /* bytes written so far */
	int (*oldfunc)(struct sysctl_req *req, const void *from, size_t size);
	user_addr_t newptr; /* where the new value is; 0: there is none */
	size_t newlen;
	size_t newidx;
	int (*newfunc)(struct sysctl_req *req, void *to, size_t size);
};

SLIST_HEAD(sysctl_oid_list, sysctl_oid);

#define SYSCTL_HANDLER_ARGS (struct sysctl_oid * oidp, void *arg1, int arg2, struct sysctl_req *req)

struct sysctl_oid {
	struct sysctl_oid_list *oid_parent;
	SLIST_ENTRY(sysctl_oid) oid_link;
	int oid_number;
	unsigned int oid_kind;
	void *oid_arg1;
	int oid_arg2;
	const char *oid_name;
	int(*oid_handler) SYSCTL_HANDLER_ARGS;
	const char *oid_fmt;
	const char *oid_descr;
	int oid_version;
	int oid_refcnt;
};

#define SYSCTL_OID_VERSION 1

#define SYSCTL_IN(r, p, l) ((r)->newfunc)((r), (p), (l))
#define SYSCTL_OUT(r, p, l) ((r)->oldfunc)((r), (p), (l))

/*
 * Publish a variable under its parent, which has been published before; its memory is the
 * extension's.  A name that is there already is logged, and the new one is not published.
 */
void sysctl_register_oid(struct sysctl_oid *oidp);
/* No handler of it runs when this returns.  One that is not published is nothing. */
void sysctl_unregister_oid(struct sysctl_oid *oidp);

/*
 * Handlers.  0, or the errno of the request: EPERM: a new value, and it is not writable; EINVAL:
 * it is too short or too long; ENOMEM: the old one does not fit.
 */
int sysctl_handle_int SYSCTL_HANDLER_ARGS;
int sysctl_handle_long SYSCTL_HANDLER_ARGS;
int sysctl_handle_quad SYSCTL_HANDLER_ARGS;
int sysctl_handle_string SYSCTL_HANDLER_ARGS;
int sysctl_handle_opaque SYSCTL_HANDLER_ARGS;
/* Give @value; where a new one comes it is in *@pValue, and *@changed is 1. */
int sysctl_io_number(struct sysctl_req *req, long long bigValue, size_t valueSize, void *pValue,
		     int *changed);
int sysctl_io_string(struct sysctl_req *req, char *pValue, size_t valueSize, int trunc,
		     int *changed);

#define SYSCTL_DECL(name) extern struct sysctl_oid_list sysctl_##name##_children

#define SYSCTL_OID(parent, nbr, name, kind, a1, a2, handler, fmt, descr)                           \
	struct sysctl_oid sysctl_##parent##_##name = { &sysctl_##parent##_children,                \
						       { 0 },                                      \
						       nbr,                                        \
						       (unsigned)(kind) | CTLFLAG_OID2,            \
						       a1,                                         \
						       (int)(a2),                                  \
						       #name,                                      \
						       handler,                                    \
						       fmt,                                        \
						       descr,                                      \
						       SYSCTL_OID_VERSION,                         \
						       0 }
#define SYSCTL_NODE(parent, nbr, name, access, handler, descr)                                     \
	struct sysctl_oid_list sysctl_##parent##_##name##_children;                                \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_NODE | access,                                       \
		   (void *)&sysctl_##parent##_##name##_children, 0, handler, "N", descr)
#define SYSCTL_STRING(parent, nbr, name, access, arg, len, descr)                                  \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_STRING | access, arg, len, sysctl_handle_string,     \
		   "A", descr)
#define SYSCTL_INT(parent, nbr, name, access, ptr, val, descr)                                     \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_INT | access, ptr, val, sysctl_handle_int, "I", descr)
#define SYSCTL_UINT(parent, nbr, name, access, ptr, val, descr)                                    \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_INT | access, ptr, val, sysctl_handle_int, "IU",     \
		   descr)
#define SYSCTL_LONG(parent, nbr, name, access, ptr, descr)                                         \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_INT | access, ptr, 0, sysctl_handle_long, "L", descr)
#define SYSCTL_ULONG(parent, nbr, name, access, ptr, descr)                                        \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_INT | access, ptr, 0, sysctl_handle_long, "LU", descr)
#define SYSCTL_QUAD(parent, nbr, name, access, ptr, descr)                                         \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_QUAD | access, ptr, 0, sysctl_handle_quad, "Q", descr)
#define SYSCTL_OPAQUE(parent, nbr, name, access, ptr, len, fmt, descr)                             \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_OPAQUE | access, ptr, len, sysctl_handle_opaque,     \
		   fmt, descr)
#define SYSCTL_STRUCT(parent, nbr, name, access, ptr, type, descr)                                 \
	SYSCTL_OID(parent, nbr, name, CTLTYPE_OPAQUE | access, ptr, sizeof(struct type),           \
		   sysctl_handle_opaque, "S," #type, descr)
#define SYSCTL_PROC(parent, nbr, name, access, ptr, arg, handler, fmt, descr)                      \
	SYSCTL_OID(parent, nbr, name, access, ptr, arg, handler, fmt, descr)

/* what is there to hang one's own under */
SYSCTL_DECL(_kern);
SYSCTL_DECL(_vm);
SYSCTL_DECL(_vfs);
SYSCTL_DECL(_net);
SYSCTL_DECL(_net_inet);
SYSCTL_DECL(_net_systm);
SYSCTL_DECL(_debug);
SYSCTL_DECL(_hw);
SYSCTL_DECL(_machdep);
SYSCTL_DECL(_user);
SYSCTL_DECL(_security);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
