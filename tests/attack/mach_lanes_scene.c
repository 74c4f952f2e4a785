/* A place to attack lanes from: see mach_lanes_scene.h. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/mach_lanes_scene.h"
#include "tests/attack/traffic.h"

#define WORST_MS 20000

/* ---- directors ------------------------------------------------------------------------------ */

static mach_port_t director_port;

struct direction {
	scene_director *director;
	uint64_t seed;
};

static void
direct(const struct raw_kernel *kernel, void *context)
{
	const struct direction *direction = context;

	if (setenv("BERTH_KERNEL", kernel->path, 1) != 0)
		abort();
	director_port = traffic_port();
	direction->director(kernel, direction->seed);
}

void
scene_attack(scene_director *director)
{
	struct direction direction = { director, attack_seed() };

	attack(direct, &direction, WORST_MS);
}

void
scene_attack_to_the_end(scene_director *director, uint64_t seed)
{
	struct direction direction = { director, seed };
	struct raw_kernel kernel = raw_kernel_start(NULL);

	run_hostile(&kernel, direct, &direction, 120);
	raw_kernel_killed(&kernel);
}

void
scene_choose_lanes(char **argv)
{
	const char *wanted = getenv("BERTH_LANES");

	/* the library has looked at it before main() */
	if (wanted != NULL && (strncmp(wanted, "flap", 4) == 0 || atoi(wanted) == 1))
		return;
	setenv("BERTH_LANES", "1", 1);
	execv("/proc/self/exe", argv);
	abort();
}

bool
scene_lanes_flap(void)
{
	return strncmp(getenv("BERTH_LANES"), "flap", 4) == 0;
}

mach_port_t
scene_director_port(void)
{
	return director_port;
}

/* Of all children that there were. */
#define NOTES_MAX 512u
static struct scene_notes *all_notes[NOTES_MAX];
static uint32_t notes_count;

/* Forks: true in the child. */
static bool
child_begins(struct scene_child *child, mach_port_t server)
{
	*child = (struct scene_child){ .port = server };

	child->notes = mmap(NULL, sizeof(*child->notes), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(child->notes, MAP_FAILED);
	assert_true(notes_count < NOTES_MAX);
	all_notes[notes_count++] = child->notes;
	assert_int_equal(task_set_bootstrap_port(mach_task_self(), server), KERN_SUCCESS);
	fflush(stdout);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return true;
	}
	return false;
}

struct scene_child
scene_start(scene_part *part, mach_port_t server)
{
	struct scene_child child;

	if (child_begins(&child, server)) {
		part(traffic_server(), child.notes);
		_exit(0);
	}
	return child;
}

struct scene_child
scene_start_raw(scene_raw_part *part, const struct raw_kernel *kernel, mach_port_t server)
{
	struct scene_child child;

	if (child_begins(&child, server)) {
		part(kernel, child.notes);
		_exit(0);
	}
	return child;
}

static void
pause_ms(unsigned ms)
{
	poll(NULL, 0, (int)ms);
}

struct scene_child
scene_start_server(scene_part *part)
{
	struct scene_child child = scene_start(part, director_port);
	struct scene_message hello;

	assert_int_equal(scene_receive(director_port, &hello, SCENE_HANG_MS), MACH_MSG_SUCCESS);
	child.port = hello.header.msgh_remote_port;
	assert_int_not_equal(child.port, MACH_PORT_NULL);
	return child;
}

/* Fails the test if the child has gone wrong, maybe because of another. */
static void
look_after(const struct scene_child *child)
{
	siginfo_t ended = { 0 };

	if (child->notes->wrong[0] != '\0') {
		pause_ms(100);
		for (uint32_t i = 0; i < notes_count; i++)
			if (all_notes[i]->wrong[0] != '\0')
				print_error("   child %u of %u: %s\n", i + 1, notes_count,
					    all_notes[i]->wrong);
		fail_msg("%s", child->notes->wrong);
	}
	if (waitid(P_PID, (id_t)child->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    ended.si_pid != 0 && (ended.si_code != CLD_EXITED || ended.si_status != 0))
		fail_msg("a child ended with %d", ended.si_status);
}

void
scene_await_all_rounds(const struct scene_child *child, uint64_t count)
{
	uint64_t limit_ns = wait_now_ns() + SCENE_HANG_MS * 1000000ull;

	while (atomic_load(&child->notes->rounds) < count) {
		look_after(child);
		if (wait_now_ns() > limit_ns)
			fail_msg("a child does nothing");
		pause_ms(1);
	}
}

void
scene_await_rounds(const struct scene_child *child, uint64_t count)
{
	scene_await_all_rounds(child, atomic_load(&child->notes->rounds) + count);
}

void
scene_await_steps(const struct scene_child *child, uint32_t count)
{
	uint64_t limit_ns = wait_now_ns() + SCENE_HANG_MS * 1000000ull;

	while (atomic_load(&child->notes->steps) < count) {
		look_after(child);
		if (wait_now_ns() > limit_ns)
			fail_msg("a hostile child does nothing");
		pause_ms(1);
	}
}

void
scene_end(struct scene_child *child)
{
	uint64_t limit_ns = wait_now_ns() + 2 * SCENE_HANG_MS * 1000000ull;
	int status = -1;

	atomic_store(&child->notes->stop, 1);
	while (waitpid(child->pid, &status, WNOHANG) == 0) {
		if (wait_now_ns() > limit_ns)
			fail_msg("a child does not end");
		pause_ms(1);
	}
	look_after(child);
	assert_int_equal(status, 0);
}

void
scene_end_by_lanes(struct scene_child *child, unsigned worst_ms)
{
	printf("   %llu rounds, the slowest %.1f ms, %llu messages by lanes\n",
	       (unsigned long long)child->notes->rounds, (double)child->notes->worst_ns / 1e6,
	       (unsigned long long)child->notes->by_lanes);
	look_after(child);
	assert_true(child->notes->by_lanes > 0);
	assert_in_range(child->notes->worst_ns / 1000000, 0, worst_ms);
	scene_end(child);
}

void
scene_kill(struct scene_child *child)
{
	int status;

	assert_int_equal(kill(child->pid, SIGKILL), 0);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	look_after(child);
	assert_int_equal(status, SIGKILL); /* not by itself before */
}
