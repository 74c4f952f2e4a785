/*
 * Each call of Linux that berthd makes for a task fails once, in two ways; then its limits are
 * low.  berthd is the real one, linked with failing_linux.c.
 *
 * What a task asks for meanwhile ends with a documented code; berthd lives, holds nothing more
 * than before, and does the same when it is asked once more.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/observe.h"
#include "tests/faults/daemon_actions.h"
#include "tests/faults/linux_faults.h"

#define ROW 4u          /* calls that fail one after the other */
#define LIMITED_MS 500u /* what a limit leaves no room for waits; then there is room */

static struct linux_faults *faults;

/* ---- one run --------------------------------------------------------------------------------- */

/* In a process of its own: does @act while call @fail_at fails, and then once more. */
static _Noreturn void
child_main(const struct raw_kernel *kernel, size_t index, unsigned fail_at)
{
	enum outcome outcome, again;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(CHILD_S);
	setenv("BERTH_KERNEL", kernel->path, 1);
	if (daemon_actions[index].prepare != NULL && daemon_actions[index].prepare() != WORKED)
		_exit(10);
	atomic_store(&faults->asked, 0);
	atomic_store(&faults->failed, 0);
	atomic_store(&faults->fail_at, fail_at);
	atomic_store(&faults->armed, 1);
	outcome = daemon_actions[index].act();
	atomic_store(&faults->armed, 0);
	if (outcome == WRONG)
		_exit(11);
	if (outcome == WORKED)
		_exit(0);
	if (atomic_load(&faults->failed) == 0)
		_exit(12); /* for nothing */
	/* it had a kernel, and has none any more: only if not even its answer could be kept */
	if (outcome == DETACHED && daemon_actions[index].prepare != NULL &&
	    !daemon_actions[index].in_new_process && atomic_load(&faults->row) == 1)
		_exit(13);
	if (outcome == DETACHED)
		_exit(1); /* whoever comes next attaches */
	again = daemon_actions[index].act();
	_exit(again == WORKED ? 1 : 14 + (int)again);
}

/* The number it ends with: 0 it worked, 1 it was refused, else what was wrong. */
static int
run_child(const struct raw_kernel *kernel, size_t index, unsigned fail_at)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child_main(kernel, index, fail_at);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	atomic_store(&faults->armed, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static bool
is_same(const struct observation *now, const struct observation *before)
{
	return now->tasks == before->tasks && now->threads == before->threads &&
	       now->ports == before->ports && now->port_sets == before->port_sets &&
	       now->messages == before->messages && now->segments == before->segments &&
	       now->notifications == before->notifications && now->watches == before->watches &&
	       now->fileports == before->fileports &&
	       now->memory_entries == before->memory_entries &&
	       now->descriptors == before->descriptors;
}

/* Nothing is left, a moment later.  What a hang-up tells of may not be worked off yet. */
static bool
settles(const struct raw_kernel *kernel, const struct observation *before)
{
	uint64_t limit_ns = wait_now_ns() + HANG_MS * 1000000ull;
	struct observation now = observe(kernel);

	while (!is_same(&now, before)) {
		if (wait_now_ns() >= limit_ns) {
			fprintf(stderr,
				"   %u descriptors after %u; %u ports after %u; %u messages after "
				"%u; %u tasks after %u\n",
				now.descriptors, before->descriptors, now.ports, before->ports,
				now.messages, before->messages, now.tasks, before->tasks);
			return false;
		}
		poll(NULL, 0, 5);
		now = observe(kernel);
	}
	return true;
}

/* ---- the kernel under test ------------------------------------------------------------------- */

/* One run that must go well, so that what stays for ever is there; then what there is. */
static struct observation
kernel_warm(const struct raw_kernel *kernel)
{
	for (size_t i = 0; i < daemon_action_count; i++) {
		int end = run_child(kernel, i, 0);

		if (end != 0)
			fail_msg("%s does not work: %d", daemon_actions[i].name, end);
	}
	poll(NULL, 0, 50);
	return observe(kernel);
}

#define CALL_TEXT(name) #name,
static const char *const call_names[] = { LINUX_CALLS(CALL_TEXT) };

/* Every call in one action fails, alone or with the next ones, in one way. */
static void
fail_each(const struct raw_kernel *kernel, const struct observation *before, size_t index)
{
	unsigned refused = 0, at;

	for (at = 1;; at++) {
		int end = run_child(kernel, index, at);
		uint32_t failed = atomic_load(&faults->failed);
		const char *name = failed != 0 ? call_names[failed - 1] : "nothing";

		if (end > 1)
			fail_msg("%s, call %u (%s) fails: %d", daemon_actions[index].name, at, name,
				 end);
		if (!settles(kernel, before))
			fail_msg("%s, call %u (%s) fails: something is left",
				 daemon_actions[index].name, at, name);
		if (failed == 0)
			break;
		refused += (unsigned)end;
	}
	printf("   %s: %u failures, %u told\n", daemon_actions[index].name, at - 1, refused);
	assert_int_not_equal(at, 1);
}

static void
fail_all(unsigned row, unsigned step, unsigned way)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct observation before;

	atomic_store(&faults->row, row);
	atomic_store(&faults->step, step);
	atomic_store(&faults->way, way);
	before = kernel_warm(&kernel);
	for (size_t i = 0; i < daemon_action_count; i++)
		fail_each(&kernel, &before, i);
	raw_kernel_end(&kernel);
}

static void
each_call_of_berthd_may_fail(void **state)
{
	fail_all(1, 1, 0);
}

static void
each_call_of_berthd_may_fail_in_another_way(void **state)
{
	fail_all(1, 1, 1);
}

static void
calls_of_berthd_may_fail_in_a_row(void **state)
{
	fail_all(ROW, 1, 0);
}

static void
every_second_call_of_berthd_may_fail(void **state)
{
	fail_all(ROW, 2, 0);
	for (size_t i = 0; i < LINUX_CALL_COUNT; i++) {
		unsigned hits = atomic_load(&faults->hits[i]);

		printf("   %s: %u times in all\n", call_names[i], hits);
		if (hits == 0)
			fail_msg("no call of %s has failed", call_names[i]);
	}
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void
limit_set(const struct raw_kernel *kernel, int resource, rlim_t value)
{
	struct rlimit limit;

	assert_int_equal(prlimit(kernel->pid, (__rlimit_resource_t)resource, NULL, &limit), 0);
	limit.rlim_cur = value;
	assert_int_equal(prlimit(kernel->pid, (__rlimit_resource_t)resource, &limit, NULL), 0);
}

static void
limit_restore(const struct raw_kernel *kernel, int resource, const struct rlimit *before)
{
	assert_int_equal(prlimit(kernel->pid, (__rlimit_resource_t)resource, before, NULL), 0);
}

/* In a process of its own, with a kernel if the action needs one: acts under the limit, and then
 * without. */
static _Noreturn void
limited_main(const struct raw_kernel *kernel, size_t index, int resource, rlim_t value,
	     const struct rlimit *old)
{
	enum outcome outcome;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(CHILD_S);
	setenv("BERTH_KERNEL", kernel->path, 1);
	if (daemon_actions[index].prepare != NULL && daemon_actions[index].prepare() != WORKED)
		_exit(10);
	limit_set(kernel, resource, value);
	outcome = daemon_actions[index].act();
	limit_restore(kernel, resource, old);
	if (outcome == WRONG)
		_exit(11);
	if (outcome == DETACHED && daemon_actions[index].prepare != NULL &&
	    !daemon_actions[index].in_new_process)
		_exit(13);
	if (outcome == REFUSED && daemon_actions[index].act() != WORKED)
		_exit(14);
	_exit(outcome == WORKED ? 0 : 1);
}

/* Does everything under the limit: it works or is refused.  Then it works. */
static void
live_under(struct raw_kernel *kernel, int resource, rlim_t value)
{
	struct observation before = kernel_warm(kernel);
	unsigned refused = 0;
	struct rlimit old;

	assert_int_equal(prlimit(kernel->pid, (__rlimit_resource_t)resource, NULL, &old), 0);

	for (size_t i = 0; i < daemon_action_count; i++) {
		pid_t pid, ended = 0;
		int status;

		fflush(NULL);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			limited_main(kernel, i, resource, value, &old);
		/* a letter that was taken out of its queue is not lost: it waits for room */
		for (unsigned ms = 0;
		     ms < LIMITED_MS && (ended = waitpid(pid, &status, WNOHANG)) == 0; ms += 5)
			poll(NULL, 0, 5);
		if (ended == 0) {
			limit_restore(kernel, resource, &old);
			ended = waitpid(pid, &status, 0);
		}
		assert_int_equal(ended, pid);
		printf("   %s: %s\n", daemon_actions[i].name,
		       !WIFEXITED(status)         ? "hangs"
		       : WEXITSTATUS(status) == 0 ? "works"
		       : WEXITSTATUS(status) == 1 ? "is refused"
						  : "goes wrong");
		assert_true(WIFEXITED(status));
		assert_in_range(WEXITSTATUS(status), 0, 1);
		refused += (unsigned)WEXITSTATUS(status);
		assert_true(settles(kernel, &before));
	}
	assert_int_not_equal(refused, 0);
	for (size_t i = 0; i < daemon_action_count; i++)
		assert_int_equal(run_child(kernel, i, 0), 0);
	assert_true(settles(kernel, &before));
}

static void
a_limit_of_file_sizes_is_survived(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);

	live_under(&kernel, RLIMIT_FSIZE, 4096);
	raw_kernel_end(&kernel);
}

static void
a_limit_of_descriptors_is_survived(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);

	/* what it has already is open; nothing can be added */
	live_under(&kernel, RLIMIT_NOFILE, raw_kernel_descriptors(&kernel) / 2);
	raw_kernel_end(&kernel);
}

#ifndef ATTACK_ASAN /* which needs address space by the terabyte, and ends where it gets none */
static void
a_limit_of_memory_is_survived(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);

	live_under(&kernel, RLIMIT_AS, 1u << 20); /* less than it has: it gets none */
	raw_kernel_end(&kernel);
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_of_berthd_may_fail),
		cmocka_unit_test(each_call_of_berthd_may_fail_in_another_way),
		cmocka_unit_test(calls_of_berthd_may_fail_in_a_row),
		cmocka_unit_test(every_second_call_of_berthd_may_fail),
		cmocka_unit_test(a_limit_of_file_sizes_is_survived),
		cmocka_unit_test(a_limit_of_descriptors_is_survived),
#ifndef ATTACK_ASAN
		cmocka_unit_test(a_limit_of_memory_is_survived),
#endif
	};
	int failed;

	faults = linux_faults_new();
	if (faults == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	linux_faults_free(faults);
	return failed;
}
