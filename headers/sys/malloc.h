/*
 * BSD's kernel memory.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * Source: kext.md §5.2.
 */
#ifndef BERTH_SYS_MALLOC_H
#define BERTH_SYS_MALLOC_H

#ifdef KERNEL

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* flags */
#define M_WAITOK 0x0000
#define M_NOWAIT 0x0001
#define M_ZERO 0x0004
#define M_NULL 0x0008

/* what it is for: makes no difference */
#define M_FREE 0
#define M_MBUF 1
#define M_DEVBUF 2
#define M_SOCKET 3
#define M_PCB 4
#define M_SONAME 8
#define M_IOCTLOPS 11
#define M_UDFMNT 48
#define M_TEMP 80

/* NULL: no memory, or @size is 0 */
void *_MALLOC(size_t size, int type, int flags);
void *_REALLOC(void *addr, size_t size, int type, int flags);
/* NULL is nothing. */
void _FREE(void *addr, int type);
void *_MALLOC_ZONE(size_t size, int type, int flags);
void _FREE_ZONE(void *elem, size_t size, int type);

#define MALLOC(space, cast, size, type, flags) ((space) = (cast)_MALLOC((size), (type), (flags)))
#define REALLOC(space, cast, addr, size, type, flags)                                              \
	((space) = (cast)_REALLOC((addr), (size), (type), (flags)))
#define FREE(addr, type) _FREE((void *)(addr), (type))
#define MALLOC_ZONE(space, cast, size, type, flags)                                                \
	((space) = (cast)_MALLOC_ZONE((size), (type), (flags)))
#define FREE_ZONE(addr, size, type) _FREE_ZONE((void *)(addr), (size), (type))

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
