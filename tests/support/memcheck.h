/*
 * For tests that look at what Valgrind's memcheck does otherwise than Linux and the processor.
 */
#ifndef TESTS_SUPPORT_MEMCHECK_H
#define TESTS_SUPPORT_MEMCHECK_H

#include <stdbool.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

/* Does this process run under Valgrind? */
static inline bool
is_under_memcheck(void)
{
#ifdef RUNNING_ON_VALGRIND
	return RUNNING_ON_VALGRIND != 0;
#else
	return false;
#endif
}

#endif
