/*
 * What tests ask of Linux calls and children, in short.
 */
#ifndef BERTH_TESTS_SUPPORT_LINUX_CALLS_H
#define BERTH_TESTS_SUPPORT_LINUX_CALLS_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <cmocka.h>

/* The call fails with that errno. */
#define assert_errno(call, wanted)                                                                 \
	do {                                                                                       \
		errno = 0;                                                                         \
		assert_int_equal((call), -1);                                                      \
		assert_int_equal(errno, wanted);                                                   \
	} while (0)

/* How the child ended: its status, or 1000 and the signal. */
static inline int
child_end(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#endif
