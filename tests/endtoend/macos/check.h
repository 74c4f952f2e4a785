/*
 * What the programs here share: each is what somebody would write on macOS, with no word of
 * Berth in it, and compiles there as it is.
 */
#ifndef CHECK_H
#define CHECK_H

#include <mach/mach.h>
#include <stdio.h>
#include <stdlib.h>

/* The call gives the code. */
#define EXPECT(code, call)                                                                         \
	do {                                                                                       \
		kern_return_t code_ = (call);                                                      \
		if (code_ != (code)) {                                                             \
			fprintf(stderr, "%s:%d: %s: 0x%x (%s), not %s\n", __FILE__, __LINE__,      \
				#call, (unsigned int)code_, mach_error_string(code_), #code);      \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#define CHECK(call) EXPECT(KERN_SUCCESS, call)

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s is false\n", __FILE__, __LINE__, #condition);   \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

#endif
