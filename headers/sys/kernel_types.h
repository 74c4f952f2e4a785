/*
 * Objects of the kernel that extensions name and never look into.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 */
#ifndef BERTH_SYS_KERNEL_TYPES_H
#define BERTH_SYS_KERNEL_TYPES_H

#ifdef KERNEL

#include <stdint.h>
#include <sys/types.h>

typedef struct __mbuf *mbuf_t;
typedef struct ifnet *ifnet_t;
typedef struct proc *proc_t;
typedef struct vnode *vnode_t;
typedef struct mount *mount_t;
typedef struct vfs_context *vfs_context_t;
typedef struct ucred *kauth_cred_t;
typedef struct uio *uio_t;
typedef struct socket *socket_t;
typedef struct kauth_scope *kauth_scope_t;
typedef struct kauth_listener *kauth_listener_t;

#define NULLVP ((vnode_t)0)
#define PROC_NULL ((proc_t)0)

#endif /* KERNEL */

#endif
