/*
 * A server of these tests: server_main.c serves what it describes until a client says that
 * it is done, and then holds what it held before.
 */
#ifndef TESTS_MIG_SERVER_H
#define TESTS_MIG_SERVER_H

#include "mig_test.h"

#include <mach/mig.h>

#define MIG_TEST_SERVICE "org.berth.test.mig"

/* Ids of messages that are not in any subsystem: see server_main.c. */
#define MIG_TEST_STOP 1
#define MIG_TEST_COUNT 2

struct served {
	boolean_t (*demux)(mach_msg_header_t *request, mach_msg_header_t *reply);
	mach_msg_size_t max_size;
	mach_msg_options_t options;      /* what trailer to receive */
	void (*begin)(mach_port_t port); /* NULL: nothing to do */
	void (*end)(void);
};

/* Each server defines it. */
extern const struct served served;

#endif
