/*
 * Many tasks and many threads on one kernel.
 *
 * usage: berth run -- scale tasks COUNT              attached at once, each with calls
 *        berth run -- scale threads COUNT THREADS    each blocked in a receive of its own
 *        berth run -- scale scarce                   until Linux gives berthd no more
 *
 * Exits with 77 where Linux allows less than that.
 */
#include <mach/mach.h>
#include <mach/mach_error.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/stress/counts.h"

#define SKIPPED 77
#define STACK_SIZE 65536u
#define SCARCE_MAX 1000 /* children: far more than berthd can have then */

enum question {
	QUESTION_HERE = 1, /* answered when all have asked it */
	QUESTION_ADD,      /* answered at once */
	QUESTION_BYE,      /* answered when all have asked it */
	QUESTION_NO_ROOM   /* Linux forbids: no answer */
};

struct call {
	mach_msg_header_t header;
	uint32_t child, number;
	mach_msg_max_trailer_t trailer;
};

#define CALL_SIZE ((mach_msg_size_t)offsetof(struct call, trailer))

static mach_port_t hub;
static pid_t parent;
static pid_t *children;
static uint32_t child_count;

static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void
fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(1); /* the children end with their parent */
}

#define MUST(expression)                                                                           \
	do {                                                                                       \
		kern_return_t must_code = (expression);                                            \
		if (must_code != KERN_SUCCESS)                                                     \
			fail("%s:%d: %s: 0x%x %s", __FILE__, __LINE__, #expression, must_code,     \
			     mach_error_string(must_code));                                        \
	} while (0)

/* ---- children ------------------------------------------------------------------------- */

/* The parent's port, which is registered for all its children. */
static mach_port_t
find_hub(void)
{
	mach_port_array_t ports;
	mach_msg_type_number_t count;

	MUST(mach_ports_lookup(mach_task_self(), &ports, &count));
	mach_port_t port = ports[0];
	MUST(vm_deallocate(mach_task_self(), (vm_address_t)ports, count * sizeof(ports[0])));
	if (!MACH_PORT_VALID(port))
		fail("a child has not inherited the registered port");
	return port;
}

/* Ask the parent and wait for the answer. */
static uint32_t
ask(mach_port_t reply, uint32_t child, enum question question, uint32_t number)
{
	struct call call = {
		.header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
							MACH_MSG_TYPE_MAKE_SEND_ONCE),
			    .msgh_remote_port = hub,
			    .msgh_local_port = reply,
			    .msgh_id = (mach_msg_id_t)question },
		.child = child,
		.number = number,
	};

	MUST(mach_msg(&call.header, MACH_SEND_MSG | MACH_RCV_MSG, CALL_SIZE, sizeof(call), reply, 0,
		      0));
	if (call.child != child)
		fail("child %u got the answer for %u", child, call.child);
	return call.number;
}

static void
child_of_many(uint32_t child)
{
	mach_port_t reply;

	hub = find_hub();
	MUST(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &reply));
	ask(reply, child, QUESTION_HERE, 0);
	for (uint32_t i = 0; i < 3; i++)
		if (ask(reply, child, QUESTION_ADD, child + i) != child + i + 1)
			fail("a wrong sum");
	ask(reply, child, QUESTION_BYE, 0);
}

struct blocked {
	pthread_t id;
	mach_port_t port; /* both rights */
	bool woken;
};

static void *
blocked_main(void *argument)
{
	struct blocked *self = argument;
	struct call call;

	MUST(mach_msg(&call.header, MACH_RCV_MSG, 0, sizeof(call), self->port, 0, 0));
	self->woken = call.child == self->port;
	MUST(mach_port_destroy(mach_task_self(), self->port));
	return NULL;
}

/* Linux forbids it: tell the parent, who ends everything. */
static _Noreturn void
no_room(int error)
{
	struct call call = { .header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
					 .msgh_remote_port = hub,
					 .msgh_id = QUESTION_NO_ROOM },
			     .number = (uint32_t)error };

	MUST(mach_msg(&call.header, MACH_SEND_MSG, CALL_SIZE, 0, 0, 0, 0));
	for (;;)
		pause();
}

static void
child_of_threads(uint32_t child, uint32_t thread_count)
{
	struct blocked *threads = calloc(thread_count, sizeof(threads[0]));
	pthread_attr_t attributes;
	mach_port_t reply;

	hub = find_hub();
	MUST(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &reply));
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	for (uint32_t i = 0; i < thread_count; i++) {
		mach_port_t *port = &threads[i].port;

		MUST(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, port));
		MUST(mach_port_insert_right(mach_task_self(), *port, *port,
					    MACH_MSG_TYPE_MAKE_SEND));
		int error = pthread_create(&threads[i].id, &attributes, blocked_main, &threads[i]);
		if (error != 0)
			no_room(error);
	}
	ask(reply, child, QUESTION_HERE, 0); /* answered when all threads of all are blocked */
	for (uint32_t i = 0; i < thread_count; i++) {
		struct call call = {
			.header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
				    .msgh_remote_port = threads[i].port },
			.child = threads[i].port,
		};

		MUST(mach_msg(&call.header, MACH_SEND_MSG, CALL_SIZE, 0, 0, 0, 0));
	}
	for (uint32_t i = 0; i < thread_count; i++) {
		pthread_join(threads[i].id, NULL);
		if (!threads[i].woken)
			fail("a thread got another's message");
	}
	ask(reply, child, QUESTION_BYE, 0);
}

/* ---- the parent ----------------------------------------------------------------------- */

static pid_t
child_start(uint32_t child, uint32_t thread_count)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (thread_count > 0)
		child_of_threads(child, thread_count);
	else
		child_of_many(child);
	_exit(0); /* with all that it has: the kernel must cope */
}

static void
end_all(void)
{
	for (uint32_t i = 0; i < child_count; i++)
		kill(children[i], SIGKILL);
	while (wait(NULL) > 0)
		;
}

static _Noreturn void
skip(const char *what, int error)
{
	end_all();
	printf("skipped: no more %s than %u: %s\n", what, child_count, strerror(error));
	exit(SKIPPED);
}

static void
look_for_failures(void)
{
	siginfo_t info = { 0 };

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0)
		fail("child %d ended too early, with status %d", info.si_pid, info.si_status);
}

static bool
take(struct call *call)
{
	kern_return_t kr =
	    mach_msg(&call->header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(*call), hub, 500, 0);

	if (kr != MACH_RCV_TIMED_OUT) {
		MUST(kr);
		if (call->header.msgh_id == QUESTION_NO_ROOM)
			skip("processes with so many threads", (int)call->number);
		return true;
	}
	return false;
}

static void
answer(const struct call *question, uint32_t number)
{
	struct call call = *question;

	call.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0);
	call.header.msgh_local_port = MACH_PORT_NULL;
	call.number = number;
	MUST(mach_msg(&call.header, MACH_SEND_MSG, CALL_SIZE, 0, 0, 0, 0));
}

/* Serve until all children have asked @last; the questions are left in @held. */
static void
serve_until_all_ask(enum question last, struct call *held)
{
	for (uint32_t asked = 0; asked < child_count;) {
		struct call call;

		if (!take(&call)) {
			look_for_failures();
			continue;
		}
		if (call.header.msgh_id == (mach_msg_id_t)last)
			held[asked++] = call;
		else if (call.header.msgh_id == QUESTION_ADD)
			answer(&call, call.number + 1);
		else
			fail("an unexpected question %d", call.header.msgh_id);
	}
}

static double
seconds_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begin->tv_sec) + (double)(now.tv_nsec - begin->tv_nsec) / 1e9;
}

/* Between asking and answering, every thread of all children goes to sleep. */
static void
await_blocked(uint32_t wanted)
{
	struct timespec begin;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (kernel_blocked_ask() < wanted) {
		if (seconds_since(&begin) > 60)
			fail("%u threads are blocked, not %u", kernel_blocked_ask(), wanted);
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
}

static void
hub_make(void)
{
	mach_port_limits_t limits = { .mpl_qlimit = MACH_PORT_QLIMIT_LARGE };

	MUST(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &hub));
	MUST(mach_port_set_attributes(mach_task_self(), hub, MACH_PORT_LIMITS_INFO,
				      (mach_port_info_t)&limits, MACH_PORT_LIMITS_INFO_COUNT));
	MUST(mach_port_insert_right(mach_task_self(), hub, hub, MACH_MSG_TYPE_MAKE_SEND));
	MUST(mach_ports_register(mach_task_self(), &hub, 1));
}

static void
hub_free(void)
{
	MUST(mach_ports_register(mach_task_self(), NULL, 0));
	MUST(mach_port_destroy(mach_task_self(), hub));
}

/* Have @count children, with threads or with calls. */
static int
run_many(uint32_t count, uint32_t thread_count)
{
	struct kernel_totals before, now;
	struct timespec begin;
	struct call *held = calloc(count, sizeof(held[0]));

	children = calloc(count, sizeof(children[0]));
	clock_gettime(CLOCK_MONOTONIC, &begin);
	hub_make();
	kernel_totals_ask(&before);
	for (uint32_t i = 0; i < count; i++) {
		children[i] = child_start(i, thread_count);
		if (children[i] < 0)
			skip("processes", errno);
		child_count++;
	}
	serve_until_all_ask(QUESTION_HERE, held);
	kernel_totals_ask(&now);
	if (now.tasks != before.tasks + count)
		fail("%u tasks are attached, not %u", now.tasks, before.tasks + count);
	if (thread_count > 0)
		await_blocked(count * (thread_count + 1));
	kernel_totals_ask(&now);
	printf("%u tasks with %u threads and %u ports are attached after %.1f s\n", now.tasks,
	       now.threads, now.ports, seconds_since(&begin));
	for (uint32_t i = 0; i < count; i++)
		answer(&held[i], 0);
	serve_until_all_ask(QUESTION_BYE, held);
	for (uint32_t i = 0; i < count; i++)
		answer(&held[i], 0);
	for (uint32_t i = 0; i < count; i++) {
		int status;

		if (waitpid(children[i], &status, 0) != children[i] || status != 0)
			fail("child %u ended with status 0x%x", i, status);
	}
	printf("all have ended after %.1f s\n", seconds_since(&begin));
	kernel_totals_await(&before);
	free(children);
	free(held);
	hub_free();
	return 0;
}

/* ---- scarcity ------------------------------------------------------------------------- */

/*
 * A process that attaches, says so with a byte and lives until its input ends; what it
 * complains goes to the same pipe.
 */
static pid_t
attach_start(const int hold[2], int out[2])
{
	if (pipe(out) != 0)
		fail("pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out[1], STDERR_FILENO);
	close(hold[1]);
	mach_port_t port;
	kern_return_t kr = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port);
	char byte = kr == KERN_SUCCESS ? '+' : '-';
	if (write(out[1], &byte, 1) == 1)
		while (read(hold[0], &byte, 1) > 0)
			;
	_exit(0);
}

/* What the process says; true: it is attached. */
static bool
attach_result(int out[2], char *said, size_t size)
{
	size_t length = 0;
	bool is_attached = false, is_refused = false;

	close(out[1]);
	while (!is_attached && !is_refused) {
		struct pollfd fd = { .fd = out[0], .events = POLLIN };
		if (poll(&fd, 1, 30000) != 1)
			fail("a task without room hangs");
		ssize_t got = read(out[0], said + length, size - 1 - length);
		if (got <= 0)
			fail("a task without room ended");
		length += (size_t)got;
		is_attached = said[length - 1] == '+';
		is_refused = said[length - 1] == '-';
	}
	said[length] = '\0';
	close(out[0]);
	return is_attached;
}

/* Attach until berthd has no descriptors left: the next is told, and the others live on. */
static int
run_scarce(void)
{
	mach_port_t port;
	struct kernel_totals before;
	char said[2000];
	int hold[2], out[2];
	uint32_t attached = 0;

	/* attached from here on, so that children need no descriptors of ours */
	MUST(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port));
	kernel_totals_ask(&before);
	if (pipe(hold) != 0)
		fail("pipe: %s", strerror(errno));
	for (;;) {
		if (attached == SCARCE_MAX)
			fail("berthd has no limit here: run this with a small `ulimit -n`");
		pid_t pid = attach_start(hold, out);
		if (pid < 0)
			fail("fork: %s", strerror(errno));
		if (!attach_result(out, said, sizeof(said)))
			break;
		attached++;
	}
	printf("%u tasks were attached; the next was told: %s\n", attached, said);
	if (strstr(said, "descriptors") == NULL && strstr(said, "resources") == NULL &&
	    strstr(said, "Too many open files") == NULL)
		fail("which does not tell what is missing");
	MUST(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1));
	MUST(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port));
	close(hold[0]);
	close(hold[1]); /* all end */
	while (wait(NULL) > 0)
		;
	kernel_totals_await(&before);
	if (pipe(hold) != 0)
		fail("pipe: %s", strerror(errno));
	if (attach_start(hold, out) < 0 || !attach_result(out, said, sizeof(said)))
		fail("there is room again, but the next task was told: %s", said);
	close(hold[0]);
	close(hold[1]);
	while (wait(NULL) > 0)
		;
	return 0;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	uint32_t count = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;

	parent = getpid();
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(what, "tasks") == 0 && argc == 3 && count > 0)
		return run_many(count, 0);
	if (strcmp(what, "threads") == 0 && argc == 4 && count > 0 && atoi(argv[3]) > 0)
		return run_many(count, (uint32_t)atoi(argv[3]));
	if (strcmp(what, "scarce") == 0 && argc == 2)
		return run_scarce();
	fail("usage: scale tasks COUNT | threads COUNT THREADS | scarce");
}
