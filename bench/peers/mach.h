/*
 * What the benchmarks that speak Mach share.
 */
#ifndef BERTH_BENCH_MACH_H
#define BERTH_BENCH_MACH_H

#include <mach/mach.h>
#include <servers/bootstrap.h>

#include <stdlib.h>

/* The end, with what went wrong in Mach's words. */
static inline void
must(kern_return_t kr, const char *what)
{
	if (kr == KERN_SUCCESS)
		return;
	mach_error(what, kr);
	exit(1);
}

static inline mach_port_t
port_new(void)
{
	mach_port_t port;

	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port),
	     "mach_port_allocate");
	return port;
}

static inline void
port_destroy(mach_port_t port)
{
	must(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1),
	     "mach_port_mod_refs");
}

#endif
