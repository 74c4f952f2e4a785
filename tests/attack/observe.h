/*
 * What an attack is measured by: what berthd holds before and after, and how another task,
 * the bystander, fares meanwhile.
 */
#ifndef TESTS_ATTACK_OBSERVE_H
#define TESTS_ATTACK_OBSERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/daemon/raw_task.h"

/* Built with the address sanitizer, as berthd is then, too. */
#if defined(__SANITIZE_ADDRESS__)
#define ATTACK_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ATTACK_ASAN 1
#endif
#endif

/* What berthd and its kernel hold. */
struct observation {
	unsigned descriptors; /* 0: not ours to look at */
	unsigned long rss_kb;
	unsigned tasks, threads, ports, port_sets, messages, segments, notifications, watches,
	    fileports, memory_entries;
};

/* Looks now; the kernel audits itself on the way, and berthd ends if it finds a mistake. */
struct observation observe(const struct raw_kernel *kernel);

/* Waits until everything is as in @before; fails the test if that takes too long.  The
 * memory may have grown by what an allocator keeps. */
void observe_settles(const struct raw_kernel *kernel, const struct observation *before);

/*
 * A process with a task of its own that sends itself messages with rights, one after the
 * other with small pauses, and notes what goes wrong and how long the slowest took.
 */
struct bystander {
	pid_t pid;
	struct bystander_notes *notes;
};

struct bystander bystander_start(const struct raw_kernel *kernel);
/* Ends it; fails the test if anything went wrong, or if a round took longer than @worst_ms. */
void bystander_end(struct bystander *bystander, unsigned worst_ms);

/* Runs @hostile(kernel, context) in a process of its own that must end well within @seconds. */
typedef void hostile_function(const struct raw_kernel *kernel, void *context);
void run_hostile(const struct raw_kernel *kernel, hostile_function *hostile, void *context,
		 unsigned seconds);

/* A whole attack: a kernel, a bystander, the hostile process, and nothing is left of it. */
void attack(hostile_function *hostile, void *context, unsigned worst_ms);

/* Many processes write more than is shown; seeds are printed so that a run can be repeated:
 * ATTACK_SEED in the environment, else a fixed one. */
uint64_t attack_seed(void);
uint32_t attack_random(uint64_t *seed);

#endif
