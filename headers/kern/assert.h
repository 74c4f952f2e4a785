/*
 * assert() of the kernel: nothing, unless MACH_ASSERT is defined to be 1; then a panic.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 */
#ifndef BERTH_KERN_ASSERT_H
#define BERTH_KERN_ASSERT_H

#ifdef KERNEL

#include <kern/debug.h>

#undef assert
#if defined(MACH_ASSERT) && MACH_ASSERT
#define assert(ex)                                                                                 \
	(__builtin_expect(!!(ex), 1)                                                               \
	     ? (void)0                                                                             \
	     : panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #ex))
#define assertf(ex, fmt, ...)                                                                      \
	(__builtin_expect(!!(ex), 1)                                                               \
	     ? (void)0                                                                             \
	     : panic("%s:%d: assertion failed: %s: " fmt, __FILE__, __LINE__, #ex, ##__VA_ARGS__))
#else
#define assert(ex) ((void)0)
#define assertf(ex, fmt, ...) ((void)0)
#endif
#define __assert_only __attribute__((__unused__))

#endif /* KERNEL */

#endif
