/*
 * Programs that use the kext of fake_host.h.
 */
#ifndef BERTH_TESTS_CONTROLS_FAKE_CLIENT_H
#define BERTH_TESTS_CONTROLS_FAKE_CLIENT_H

#include "tests/controls/fake_host.h"
#include "tests/support/linux_calls.h"

#include <stdbool.h>
#include <sys/kern_control.h>

/* The one of the test that runs. */
extern struct fake *fake;
extern pid_t fake_pid;

/* Set-up and tear-down of such a test. */
int fake_begin(void **state);
int fake_finish(void **state);

struct sockaddr_ctl fake_address(uint32_t unit);
/* As connect(). */
int fake_connect(int fd, uint32_t unit);
/* A connected socket, SOCK_DGRAM. */
int fake_client(uint32_t unit);
/* The unit of a connected socket. */
uint32_t fake_unit(int fd);
/* Does the socket carry data both ways? */
bool echoes(int fd, const char *text);

#endif
