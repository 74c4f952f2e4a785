/*
 * Kernel controls by hand: a lane without the library, so that a test can say over it what the
 * library never would, and what a kexthost holds before and after.
 *
 * Runs inside `berth run` with the kext of the control tests loaded as the kernel's first.
 */
#ifndef TESTS_ATTACK_CONTROL_RAW_H
#define TESTS_ATTACK_CONTROL_RAW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/daemon/raw_task.h"
#include "wire/lane.h"

/* What follows from an end that Linux tells of is waited for as long as this. */
#define SETTLE_MS 60000

struct raw_lane {
	int socket_fd, event_fd;
	struct lane_memory *memory;
};

/* The kernel of $BERTH_KERNEL. */
struct raw_kernel control_kernel(void);

/* A lane to the first kexthost of that task's kernel; false: it was not given. */
bool raw_lane_open(struct raw_task *task, struct raw_lane *lane);
void raw_lane_close(struct raw_lane *lane);

/* LANE_FDS for that slot. */
void raw_lane_fds(struct raw_lane *lane, uint32_t slot_index, const int *fds, unsigned fd_count);
/* Ask, and write the eventfd whatever the bell says. */
void raw_lane_ring(struct raw_lane *lane, uint32_t slot_index, const struct lane_request *request);
/* Wait for the answer at most @ms; false: none came. */
bool raw_lane_await(struct raw_lane *lane, uint32_t slot_index, unsigned ms);
/* All of it with slot 0; the errno that it said.  Fails the test if there is no answer. */
int raw_lane_call(struct raw_lane *lane, const struct lane_request *request);

/* LANE_CONNECT, BIND or ADOPT of @fd, with slot 0; the errno, and the handle if that is 0. */
int raw_lane_show(struct raw_lane *lane, uint32_t operation, int fd, uint32_t id, uint32_t unit,
		  uint64_t *handle);
/* A plain socket, and as a control socket connected over @lane. */
int raw_control_socket(int type);
int raw_control_connect(struct raw_lane *lane, uint32_t id, uint64_t *handle);

/* The process of the kexthost, as Linux says; found by a connection of its own. */
pid_t kexthost_pid(struct raw_task *task, uint32_t id);
/* What /proc knows of a process: 0 if that is not ours to look at. */
unsigned process_descriptors(pid_t pid);
unsigned process_threads(pid_t pid);
unsigned long process_rss_kb(pid_t pid);
/* Waits until it has no more than @limit descriptors; fails the test if that takes too long. */
void process_descriptors_settle(pid_t pid, unsigned limit);

/*
 * A process that connects through the library, sends, is answered, sets and gets options,
 * closes, again and again, and notes what goes wrong and the slowest round.
 */
struct control_bystander {
	pid_t pid;
	struct control_bystander_notes *notes;
};

struct control_bystander control_bystander_start(void);
/* Ends it; fails the test if something went wrong, or a round took longer than @worst_ms. */
void control_bystander_end(struct control_bystander *bystander, unsigned worst_ms);

#endif
