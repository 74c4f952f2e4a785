/*
 * A client of these tests: client_main.c finds the server, calls client(), and checks that
 * both sides then hold what they held before.
 */
#ifndef TESTS_MIG_CLIENT_H
#define TESTS_MIG_CLIENT_H

#include "mig_test.h"

/* Each client defines it. */
void client(mach_port_t server);

/* What the server holds now. */
struct server_state {
	uint64_t mapped;
	struct holdings holdings;
};
struct server_state server_state(mach_port_t server);

/*
 * Call @again @count times, each of which hands over about @bytes of memory, and check that
 * neither side keeps it, nor a right.
 */
void repeat_and_count(mach_port_t server, unsigned count, size_t bytes,
		      void (*again)(mach_port_t server));

#endif
