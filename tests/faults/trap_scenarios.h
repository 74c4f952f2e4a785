/*
 * A scenario for each trap of the kernel: the arguments of one call that succeeds, and what must
 * have been done before.
 */
#ifndef TESTS_FAULTS_TRAP_SCENARIOS_H
#define TESTS_FAULTS_TRAP_SCENARIOS_H

#include "tests/support/message.h"
#include "tests/support/vouchers.h"

/* One call, and what it points to. */
struct call {
	struct world *world;
	struct actor *caller, *other; /* of two tasks */
	struct trap_frame frame;
	uint8_t bytes[1024];
	struct recipes recipes;
	struct message message;
	struct file *file;
	struct kernel_kext_host *kext_host;
	bool gives_name; /* 0 is a failure, too */
	/* the call consumes a send-once right to this port, on failure too: mach-ports.md §9 */
	mach_port_name_t consumes;
};

/* Prepares @c, whose world, tasks and trap number are there. */
typedef void scenario(struct call *c);

/* NULL: there is no such trap. */
scenario *scenario_of(enum berth_trap_number number);

#endif
