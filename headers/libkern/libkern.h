/*
 * The kernel's small C library.  What is the same as in every C library is taken from there.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * Source: kext.md §5.3 and §5.10.
 */
#ifndef BERTH_LIBKERN_LIBKERN_H
#define BERTH_LIBKERN_LIBKERN_H

#ifdef KERNEL

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

#include <libkern/OSTypes.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- printing --------------------------------------------------------------------------- */

/*
 * These have names of the C library and another meaning, so the linker knows them by names of
 * their own: the C library's users in the same process keep what they have.
 */
#undef printf
#undef random
/* To the kernel's log.  No newline is added.  The number of bytes. */
__attribute__((format(printf, 1, 2))) int printf(const char *format, ...) __asm__("kpi_printf");
/* As snprintf(), but the number of bytes that are there, without the NUL. */
__attribute__((format(printf, 3, 4))) int scnprintf(char *buf, size_t size, const char *format,
						    ...);
__attribute__((format(printf, 3, 0))) int vscnprintf(char *buf, size_t size, const char *format,
						     va_list ap);

/* ---- strings ---------------------------------------------------------------------------- */

/* libbsd has them; a newer C library, too, and has declared them then. */
#if !defined(__GLIBC_PREREQ) || !__GLIBC_PREREQ(2, 38)
/* Cut to @size with a NUL at the end, always; the length of the source, or of what was tried. */
size_t strlcpy(char *dst, const char *src, size_t size);
size_t strlcat(char *dst, const char *src, size_t size);
#endif
char *strnstr(const char *s, const char *find, size_t slen);

/* ---- numbers ---------------------------------------------------------------------------- */

/* 0 … 2^31 - 1 */
long random(void) __asm__("kpi_random");
/* @size random bytes, good for keys */
void read_random(void *buffer, unsigned int size);
void read_frandom(void *buffer, unsigned int size);
/* CRC-32 of the Ethernet; begin with 0 */
uint32_t crc32(uint32_t crc, const void *buf, size_t size) __asm__("kpi_crc32");

static inline int
imax(int a, int b)
{
	return a > b ? a : b;
}

static inline int
imin(int a, int b)
{
	return a < b ? a : b;
}

static inline long
lmax(long a, long b)
{
	return a > b ? a : b;
}

static inline long
lmin(long a, long b)
{
	return a < b ? a : b;
}

static inline u_int
max(u_int a, u_int b)
{
	return a > b ? a : b;
}

static inline u_int
min(u_int a, u_int b)
{
	return a < b ? a : b;
}

static inline u_long
ulmax(u_long a, u_long b)
{
	return a > b ? a : b;
}

static inline u_long
ulmin(u_long a, u_long b)
{
	return a < b ? a : b;
}

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
