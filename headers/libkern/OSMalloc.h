/*
 * Memory by tag.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * Freed with another size or tag than it was got with: a panic that says both.
 *
 * Source: kext.md §5.2.
 */
#ifndef BERTH_LIBKERN_OSMALLOC_H
#define BERTH_LIBKERN_OSMALLOC_H

#ifdef KERNEL

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct __OSMallocTag__ *OSMallocTag;
typedef struct __OSMallocTag__ *OSMallocTag_t;

#define OSMT_DEFAULT 0x00
#define OSMT_PAGEABLE 0x01
#define OSMT_MAX_NAME 64 /* bytes, with the NUL */

/* NULL: no memory.  A name that is too long is cut. */
OSMallocTag OSMalloc_Tagalloc(const char *name, uint32_t flags);
/* It lives on while blocks have it. */
void OSMalloc_Tagfree(OSMallocTag tag);

/* NULL: no memory, or @size is 0.  What is in it is undefined. */
void *OSMalloc(uint32_t size, OSMallocTag tag);
void *OSMalloc_nowait(uint32_t size, OSMallocTag tag);
void *OSMalloc_noblock(uint32_t size, OSMallocTag tag);
/* NULL is nothing. */
void OSFree(void *addr, uint32_t size, OSMallocTag tag);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
