/*
 * The answer to MIG_TEST_COUNT: a message by hand, so that nothing of what is tested is in
 * the counting.
 */
#ifndef TESTS_MIG_COUNT_H
#define TESTS_MIG_COUNT_H

#include "mig_test.h"

#include <mach/ndr.h>

struct count_reply {
	mach_msg_header_t header;
	NDR_record_t ndr;
	kern_return_t code; /* where mach_msg_server() looks for it */
	uint64_t mapped;
	struct holdings holdings;
};

#endif
