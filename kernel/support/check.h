/*
 * check(x): our own mistake, on in every build.  A kernel that has lost count of a right
 * must stop.  NEVER(x): a case that cannot happen, so that coverage can reach the rest.
 */
#ifndef KERNEL_CHECK_H
#define KERNEL_CHECK_H

/* Weak in the core, where it traps; a host may say first what went wrong. */
_Noreturn void kernel_check_failed(const char *expression, const char *file, int line);

#define check(x) (__builtin_expect(!(x), 0) ? kernel_check_failed(#x, __FILE__, __LINE__) : (void)0)

#define NEVER(x)                                                                                   \
	(__builtin_expect(!!(x), 0) ? (kernel_check_failed("never: " #x, __FILE__, __LINE__), 1)   \
				    : 0)

#define mustuse __attribute__((warn_unused_result))

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
