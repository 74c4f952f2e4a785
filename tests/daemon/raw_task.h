/*
 * A task made by hand: the wire without the library, so that a test can say what the
 * library never would.
 *
 * Each test starts a private berthd and ends it; berthd checks at its end that the kernel
 * holds nothing, and raw_kernel_end() that it ended well.
 */
#ifndef TESTS_DAEMON_RAW_TASK_H
#define TESTS_DAEMON_RAW_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <mach/mach_types.h>
#include <mach/message.h>

#include <berth/syscall_sw.h>

#include "wire/socket.h"
#include "wire/trap_page.h"
#include "wire/wait.h"

struct raw_kernel {
	pid_t pid;
	int control_fd;
	char folder[64], path[96];
};

struct raw_task {
	int socket_fd, event_fd;
	struct doorbell *doorbell;
	struct trap_slot *segments[TRAP_SEGMENT_MAX];
	struct kernel_page *page;
	struct wire_welcome welcome;
};

/* Starts $BERTHD with --no-launchd and @options (NULL-terminated, may be NULL). */
struct raw_kernel raw_kernel_start(const char *const *options);
/* Hangs up the control connection; berthd must end by itself, with status 0. */
void raw_kernel_end(struct raw_kernel *kernel);
/* It was killed, and cannot have done that. */
void raw_kernel_killed(struct raw_kernel *kernel);
/* How many descriptors berthd has open. */
unsigned raw_kernel_descriptors(const struct raw_kernel *kernel);

int raw_connect(const struct raw_kernel *kernel);
void raw_send(int fd, const void *message, size_t size, const int *fds, unsigned fd_count);
/* The size; 0: hung up.  @fds has room for 8. */
ssize_t raw_receive(int fd, void *message, size_t size, int *fds, unsigned *fd_count);

/* Connects and says hello; fails the test if it is not welcome. */
struct raw_task raw_task_new(const struct raw_kernel *kernel);
/* The same over a connection that there is, saying @kind (WIRE_HELLO, WIRE_FORKED). */
struct raw_task raw_task_greet(int fd, uint32_t kind);
void raw_task_free(struct raw_task *task);

struct trap_slot *raw_slot(struct raw_task *task, uint32_t index);
/* A further thread: its slot. */
uint32_t raw_thread_new(struct raw_task *task, uint32_t outer);
void raw_thread_exit(struct raw_task *task, uint32_t slot_index);

/* Writes the request, which the kernel may not look at yet: more may be written to it. */
void raw_fill(struct trap_slot *slot, uint32_t number, const uint64_t *args, unsigned arg_count);
/* From here on the kernel may look at it, whoever rings. */
void raw_publish(struct trap_slot *slot);
/* Both, without ringing. */
void raw_ask(struct trap_slot *slot, uint32_t number, const uint64_t *args, unsigned arg_count);
void raw_ring(struct raw_task *task, uint32_t slot_index);
void raw_ring_with(struct raw_task *task, uint32_t slot_index, const int *fds, unsigned fd_count);
/* Waits for the reply, at most @ms; false: none came. */
bool raw_await(struct trap_slot *slot, unsigned ms);
/* A whole trap; the code. */
kern_return_t raw_trap(struct raw_task *task, uint32_t slot_index, uint32_t number,
		       unsigned arg_count, ...);
/* Takes a WIRE_DESCRIPTORS; how many descriptors there were. */
unsigned raw_descriptors(struct raw_task *task, int *fds);

/* A new port with a send right of one reference. */
mach_port_name_t raw_port(struct raw_task *task, uint32_t slot_index);
/* A memfd of @size bytes, all @byte, with these seals. */
int raw_memfd(size_t size, uint8_t byte, int seals);

/* Writes a plain message to @dest as the request of a slot, without ringing. */
void raw_message_ask(struct raw_task *task, uint32_t slot_index, mach_port_name_t dest,
		     mach_msg_bits_t bits, const void *body, uint32_t body_size);
/* Receives one of at most @size bytes from @name; the code. */
kern_return_t raw_message_receive(struct raw_task *task, uint32_t slot_index, mach_port_name_t name,
				  uint32_t size);

#endif
