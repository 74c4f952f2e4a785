/*
 * Files, as the kernel names them, and on whose behalf something is done with them.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.  A vnode_t comes to a kext in
 * a callback of kauth (KAUTH_SCOPE_VNODE, KAUTH_SCOPE_FILEOP) and is good until it returns.
 *
 * Source: kext.md §4 and §5.8; Apple's technical note TN2127.
 */
#ifndef BERTH_SYS_VNODE_H
#define BERTH_SYS_VNODE_H

#ifdef KERNEL

#include <stdint.h>
#include <sys/kauth.h>
#include <sys/kernel_types.h>
#include <sys/time.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- files ------------------------------------------------------------------------------ */

enum vtype { VNON, VREG, VDIR, VBLK, VCHR, VLNK, VSOCK, VFIFO, VBAD, VSTR, VCPLX };

enum vtype vnode_vtype(vnode_t vp);
int vnode_isreg(vnode_t vp);
int vnode_isdir(vnode_t vp);
int vnode_islnk(vnode_t vp);

/*
 * The absolute path in @pathbuf of *@len bytes; *@len is then how many it has, with the NUL.
 * 0; ENOSPC: it is longer; ENOENT: it has none that is known.
 */
int vn_getpath(vnode_t vp, char *pathbuf, int *len);

/*
 * What a file is like.  Who asks says which members he wants, and looks afterwards which there
 * are:
 *
 *   VATTR_INIT(&attributes);
 *   VATTR_WANTED(&attributes, va_uid);
 *   if (vnode_getattr(vp, &attributes, context) == 0 && VATTR_IS_SUPPORTED(&attributes, va_uid))
 *
 * Only the members that Linux knows are here.
 */
struct vnode_attr {
	uint64_t va_supported; /* members that are there: VNODE_ATTR_va_* */
	uint64_t va_active;    /* members that are wanted */
	uint32_t va_rdev;
	uint64_t va_nlink;
	uint64_t va_total_size; /* bytes */
	uint64_t va_total_alloc;
	uint64_t va_data_size;
	uint64_t va_data_alloc;
	uint32_t va_iosize;
	uid_t va_uid;
	gid_t va_gid;
	mode_t va_mode; /* permissions; what kind of file: vnode_vtype() */
	uint32_t va_fsid;
	uint64_t va_fileid;
	struct timespec va_access_time;
	struct timespec va_modify_time;
	struct timespec va_change_time;
};

#define VNODE_ATTR_va_rdev (1ULL << 0)
#define VNODE_ATTR_va_nlink (1ULL << 1)
#define VNODE_ATTR_va_total_size (1ULL << 2)
#define VNODE_ATTR_va_total_alloc (1ULL << 3)
#define VNODE_ATTR_va_data_size (1ULL << 4)
#define VNODE_ATTR_va_data_alloc (1ULL << 5)
#define VNODE_ATTR_va_iosize (1ULL << 6)
#define VNODE_ATTR_va_uid (1ULL << 7)
#define VNODE_ATTR_va_gid (1ULL << 8)
#define VNODE_ATTR_va_mode (1ULL << 9)
#define VNODE_ATTR_va_fsid (1ULL << 10)
#define VNODE_ATTR_va_fileid (1ULL << 11)
#define VNODE_ATTR_va_access_time (1ULL << 12)
#define VNODE_ATTR_va_modify_time (1ULL << 13)
#define VNODE_ATTR_va_change_time (1ULL << 14)

#define VATTR_INIT(v)                                                                              \
	do {                                                                                       \
		(v)->va_supported = 0;                                                             \
		(v)->va_active = 0;                                                                \
	} while (0)
#define VATTR_WANTED(v, a) ((v)->va_active |= VNODE_ATTR_##a)
#define VATTR_IS_ACTIVE(v, a) (((v)->va_active & VNODE_ATTR_##a) != 0)
#define VATTR_IS_SUPPORTED(v, a) (((v)->va_supported & VNODE_ATTR_##a) != 0)
#define VATTR_SET_SUPPORTED(v, a) ((v)->va_supported |= VNODE_ATTR_##a)
#define VATTR_RETURN(v, a, x)                                                                      \
	do {                                                                                       \
		(v)->a = (x);                                                                      \
		VATTR_SET_SUPPORTED(v, a);                                                         \
	} while (0)

/* 0; EINVAL: no file or no @vap; else why Linux does not tell. */
int vnode_getattr(vnode_t vp, struct vnode_attr *vap, vfs_context_t ctx);

/* ---- on whose behalf ----------------------------------------------------------------------- */

/* Of this thread: the program that called, or the kernel.  Not counted; good until the callback
 * returns. */
vfs_context_t vfs_context_current(void);
/* A copy of @ctx (NULL: of this thread's) that stays, for vfs_context_rele().  NULL: no memory. */
vfs_context_t vfs_context_create(vfs_context_t ctx);
int vfs_context_rele(vfs_context_t ctx);

/* Neither gives a reference. */
proc_t vfs_context_proc(vfs_context_t ctx);
kauth_cred_t vfs_context_ucred(vfs_context_t ctx);
int vfs_context_pid(vfs_context_t ctx);
/* Not 0: its effective user is root. */
int vfs_context_issuser(vfs_context_t ctx);
/* 0: its effective user is root; else EPERM */
int vfs_context_suser(vfs_context_t ctx);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
