/*
 * vnode_t and vfs_context_t.  Source: kext.md §4.
 */
#include "kexts/host/vnode.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/proc.h>
#include <unistd.h>

#define BLOCK_BYTES 512u /* of st_blocks */

/* ---- files ------------------------------------------------------------------------------ */

int
vnode_init(struct vnode *vnode, int fd)
{
	char link[32];

	if (fstat(fd, &vnode->status) < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, vnode->path, sizeof(vnode->path) - 1);
	vnode->path[length > 0 ? length : 0] = '\0';
	return 0;
}

KPI_EXPORT enum vtype
vnode_vtype(vnode_t vp)
{
	switch (vp->status.st_mode & S_IFMT) {
	case S_IFREG:
		return VREG;
	case S_IFDIR:
		return VDIR;
	case S_IFBLK:
		return VBLK;
	case S_IFCHR:
		return VCHR;
	case S_IFLNK:
		return VLNK;
	case S_IFSOCK:
		return VSOCK;
	case S_IFIFO:
		return VFIFO;
	default:
		return VNON;
	}
}

KPI_EXPORT int
vnode_isreg(vnode_t vp)
{
	return vnode_vtype(vp) == VREG;
}

KPI_EXPORT int
vnode_isdir(vnode_t vp)
{
	return vnode_vtype(vp) == VDIR;
}

KPI_EXPORT int
vnode_islnk(vnode_t vp)
{
	return vnode_vtype(vp) == VLNK;
}

KPI_EXPORT int
vn_getpath(vnode_t vp, char *pathbuf, int *len)
{
	size_t size = strlen(vp->path) + 1;

	if (vp->path[0] != '/')
		return ENOENT;
	if (*len < 0 || (size_t)*len < size)
		return ENOSPC;
	memcpy(pathbuf, vp->path, size);
	*len = (int)size;
	return 0;
}

KPI_EXPORT int
vnode_getattr(vnode_t vp, struct vnode_attr *vap, vfs_context_t ctx)
{
	(void)ctx;
	if (!vp || !vap)
		return EINVAL;
	const struct stat *status = &vp->status;

	/* all at once: that costs less than looking which are wanted */
	VATTR_RETURN(vap, va_rdev, (uint32_t)status->st_rdev);
	VATTR_RETURN(vap, va_nlink, status->st_nlink);
	VATTR_RETURN(vap, va_total_size, (uint64_t)status->st_size);
	VATTR_RETURN(vap, va_total_alloc, (uint64_t)status->st_blocks * BLOCK_BYTES);
	VATTR_RETURN(vap, va_data_size, (uint64_t)status->st_size);
	VATTR_RETURN(vap, va_data_alloc, (uint64_t)status->st_blocks * BLOCK_BYTES);
	VATTR_RETURN(vap, va_iosize, (uint32_t)status->st_blksize);
	VATTR_RETURN(vap, va_uid, status->st_uid);
	VATTR_RETURN(vap, va_gid, status->st_gid);
	VATTR_RETURN(vap, va_mode, status->st_mode & ~(mode_t)S_IFMT);
	VATTR_RETURN(vap, va_fsid, (uint32_t)status->st_dev);
	VATTR_RETURN(vap, va_fileid, status->st_ino);
	VATTR_RETURN(vap, va_access_time, status->st_atim);
	VATTR_RETURN(vap, va_modify_time, status->st_mtim);
	VATTR_RETURN(vap, va_change_time, status->st_ctim);
	return 0;
}

/* ---- on whose behalf ----------------------------------------------------------------------- */

struct vfs_context {
	proc_t proc;       /* counted if is_kept; NULL: the process is gone */
	kauth_cred_t cred; /* the same */
	int pid;
	bool is_kept;
};

static __thread struct vfs_context current;

KPI_EXPORT vfs_context_t
vfs_context_current(void)
{
	current.proc = current_proc();
	current.cred = kauth_cred_get();
	current.pid = proc_selfpid();
	return &current;
}

KPI_EXPORT vfs_context_t
vfs_context_create(vfs_context_t ctx)
{
	vfs_context_t kept = calloc(1, sizeof(*kept));

	if (!kept)
		return NULL;
	if (!ctx)
		ctx = vfs_context_current();
	kept->is_kept = true;
	kept->pid = ctx->pid;
	kept->proc = proc_find(ctx->pid);
	kept->cred = ctx->cred;
	kauth_cred_ref(kept->cred);
	return kept;
}

KPI_EXPORT int
vfs_context_rele(vfs_context_t ctx)
{
	if (ctx && ctx->is_kept) {
		if (ctx->proc)
			proc_rele(ctx->proc);
		kauth_cred_unref(&ctx->cred);
		free(ctx);
	}
	return 0;
}

KPI_EXPORT proc_t
vfs_context_proc(vfs_context_t ctx)
{
	return ctx ? ctx->proc : NULL;
}

KPI_EXPORT kauth_cred_t
vfs_context_ucred(vfs_context_t ctx)
{
	return ctx ? ctx->cred : NULL;
}

KPI_EXPORT int
vfs_context_pid(vfs_context_t ctx)
{
	return ctx ? ctx->pid : -1;
}

KPI_EXPORT int
vfs_context_issuser(vfs_context_t ctx)
{
	return ctx && kauth_cred_issuser(ctx->cred);
}

KPI_EXPORT int
vfs_context_suser(vfs_context_t ctx)
{
	return vfs_context_issuser(ctx) ? 0 : EPERM;
}
