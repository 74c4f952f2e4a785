/*
 * What a kernel costs while nothing happens: a hundred tasks wait for a message, each kind of
 * receive for itself, and the CPU time of everything below `berth run` is added up.
 *
 * usage: berth run -- idle SECONDS [plain | interruptible | timeout]
 *
 * Measures and prints; it fails only if a task stops waiting.
 */
#include <mach/mach.h>

#include <errno.h>
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/stress/counts.h"

#define TASKS 100u
#define LONG_MS 3600000u

struct receive_kind {
	const char *name;
	mach_msg_option_t option;
	mach_msg_timeout_t timeout_ms;
};

static const struct receive_kind kinds[] = {
	{ "plain", 0, MACH_MSG_TIMEOUT_NONE },
	{ "interruptible", MACH_RCV_INTERRUPT, MACH_MSG_TIMEOUT_NONE },
	{ "timeout", MACH_RCV_TIMEOUT, LONG_MS },
};

/* CPU time and how often somebody woke up, of some processes. */
struct cost {
	uint64_t cpu_ns;
	uint64_t wakeups;
	uint32_t processes;
};

/* ---- what processes cost --------------------------------------------------------------- */

/* The whole file, up to a length; empty if it is not there. */
static void
file_read(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t length = 0;

	if (file != NULL) {
		length = fread(text, 1, size - 1, file);
		fclose(file);
	}
	text[length] = '\0';
}

static void
thread_cost(const char *folder, struct cost *cost)
{
	static const char key[] = "\nvoluntary_ctxt_switches:";
	char path[320], text[4096];

	snprintf(path, sizeof(path), "%s/schedstat", folder);
	file_read(path, text, sizeof(text));
	cost->cpu_ns += strtoull(text, NULL, 10);
	snprintf(path, sizeof(path), "%s/status", folder);
	file_read(path, text, sizeof(text));
	const char *switches = strstr(text, key);
	if (switches != NULL)
		cost->wakeups += strtoull(switches + sizeof(key) - 1, NULL, 10);
}

static bool
is_named(pid_t pid, const char *name)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file_read(path, text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, name) == 0;
}

/* Add what @pid and everything below it costs; only processes called @name, unless NULL.  What
 * measuring costs, and so this process, does not count. */
static void
tree_cost(pid_t pid, const char *name, struct cost *cost)
{
	char path[64], text[8192];
	const struct dirent *entry;
	bool counts = pid != getpid() && (name == NULL || is_named(pid, name));

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *threads = opendir(path);
	if (threads == NULL)
		return;
	cost->processes += counts;
	while ((entry = readdir(threads)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s", pid, entry->d_name);
		if (counts)
			thread_cost(path, cost);
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/children", pid, entry->d_name);
		file_read(path, text, sizeof(text));
		char *at = text, *end;
		for (long child = strtol(at, &end, 10); end != at; child = strtol(at, &end, 10)) {
			tree_cost((pid_t)child, name, cost);
			at = end;
		}
	}
	closedir(threads);
}

static void
cost_print(const char *who, const struct cost *before, const struct cost *after, double seconds)
{
	double ms = (double)(after->cpu_ns - before->cpu_ns) / 1e6;

	printf("  %-12s %4u processes: %8.2f ms of CPU, %8.2f ms a minute; woke %llu times\n", who,
	       after->processes, ms, ms * 60 / seconds,
	       (unsigned long long)(after->wakeups - before->wakeups));
}

/* ---- tasks that wait ------------------------------------------------------------------- */

static _Noreturn void
wait_for_nothing(const struct receive_kind *kind, pid_t parent)
{
	struct {
		mach_msg_header_t header;
		mach_msg_max_trailer_t trailer;
	} message;
	mach_port_t port;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent ||
	    mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) != KERN_SUCCESS)
		_exit(1);
	kern_return_t kr = mach_msg(&message.header, MACH_RCV_MSG | kind->option, 0,
				    sizeof(message), port, kind->timeout_ms, 0);
	fprintf(stderr, "idle: a receive that nothing ends ended with 0x%x\n", kr);
	_exit(1);
}

static void
sleep_seconds(double seconds)
{
	struct timespec left = { .tv_sec = (time_t)seconds,
				 .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

/* True: all of them waited all the time. */
static bool
watch(const struct receive_kind *kind, double seconds)
{
	static const char *const groups[] = { "berthd", "berth-launchd", NULL };
	struct cost before[3] = { 0 }, after[3] = { 0 };
	struct kernel_totals totals;
	pid_t children[TASKS], self = getpid();
	bool is_well = true;

	kernel_totals_ask(&totals);
	unsigned blocked = kernel_blocked_ask();
	for (uint32_t i = 0; i < TASKS; i++) {
		children[i] = fork();
		if (children[i] == 0)
			wait_for_nothing(kind, self);
		if (children[i] < 0) {
			perror("idle: fork");
			exit(1);
		}
	}
	for (int i = 0; kernel_blocked_ask() < TASKS + blocked; i++) {
		if (i == 3000) {
			fprintf(stderr, "idle: the tasks do not come to rest\n");
			exit(1);
		}
		sleep_seconds(0.01);
	}
	for (int i = 0; i < 3; i++)
		tree_cost(getppid(), groups[i], &before[i]);
	sleep_seconds(seconds);
	for (int i = 0; i < 3; i++)
		tree_cost(getppid(), groups[i], &after[i]);
	printf("%u tasks in a %s receive, watched for %.0f s\n", TASKS, kind->name, seconds);
	for (int i = 0; i < 3; i++)
		cost_print(groups[i] != NULL ? groups[i] : "all", &before[i], &after[i], seconds);
	fflush(stdout);
	for (uint32_t i = 0; i < TASKS; i++)
		kill(children[i], SIGKILL);
	for (uint32_t i = 0; i < TASKS; i++) {
		int status;

		if (waitpid(children[i], &status, 0) != children[i] || !WIFSIGNALED(status))
			is_well = false;
	}
	kernel_totals_await(&totals);
	return is_well;
}

int
main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
	bool is_well = true;
	mach_port_t port;

	if (seconds <= 0) {
		fprintf(stderr, "usage: idle SECONDS [plain | interruptible | timeout]\n");
		return 2;
	}
	/* attached, and so the name server is up */
	if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) != KERN_SUCCESS)
		return 1;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (argc < 3 || strcmp(argv[2], kinds[i].name) == 0)
			is_well &= watch(&kinds[i], seconds);
	return is_well ? 0 : 1;
}
