/*
 * Files inside the host: what a vnode_t points at.
 */
#ifndef BERTH_KEXTS_HOST_VNODE_H
#define BERTH_KEXTS_HOST_VNODE_H

#include "kexts/host/kpi.h"

#include <limits.h>
#include <sys/stat.h>
#include <sys/vnode.h>

/* Lives as long as the callback that it is given to. */
struct vnode {
	struct stat status;
	char path[PATH_MAX]; /* "": not known */
};

/* The file that @fd (borrowed, and not looked at again) is open to.  0 or -errno. */
int vnode_init(struct vnode *vnode, int fd);

#endif
