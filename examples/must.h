/*
 * What the examples do about an error: say which call failed and why, and end.
 */
#ifndef EXAMPLES_MUST_H
#define EXAMPLES_MUST_H

#include <stdio.h>
#include <stdlib.h>

#include <mach/mach.h>
#include <servers/bootstrap.h>

#define must(call) must_succeed((call), #call, __FILE__, __LINE__)

static inline void
must_succeed(kern_return_t kr, const char *call, const char *file, int line)
{
	if (kr == KERN_SUCCESS)
		return;
	/* knows the codes of the name server, and all of Mach's */
	fprintf(stderr, "%s:%d: %s: %s (0x%x)\n", file, line, call, bootstrap_strerror(kr), kr);
	exit(1);
}

#endif
