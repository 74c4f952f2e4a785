/*
 * A connected system socket without a kernel: the other end, a kexthost's, is played by the test.
 */
#ifndef BERTH_TESTS_CLIENT_SYSTEM_PAIR_H
#define BERTH_TESTS_CLIENT_SYSTEM_PAIR_H

#include "client/bsd/control.h"
#include "tests/support/linux_calls.h"

#include <stdbool.h>

struct pair {
	int fd;      /* the program's */
	int kext_fd; /* the kext's */
};

struct pair pair_new(enum system_kind kind);
void pair_end(struct pair pair);

/* One message of the kext's. */
void enqueue_bytes(struct pair pair, const void *bytes, size_t size, bool marked);
void enqueue(struct pair pair, const char *text, bool marked);

#define GOES_ON true /* on SOCK_DGRAM */
#define ENDS false

/* Lower than any number that was not in use: everything is closed. */
int lowest_free(void);

#endif
