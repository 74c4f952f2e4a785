/*
 * Attacks on berthd's socket: what is not a message, what is not asked for, what is never
 * read, and too much of everything.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/observe.h"

#define ANSWER_MS 60000
#define WORST_MS 20000 /* of a bystander's round: a hang, not a speed */

/* Connects without a test's patience: -1 if there is no room. */
static int
try_connect(const struct raw_kernel *kernel, bool nonblocking)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0);

	if (fd < 0)
		return -1;
	strcpy(address.sun_path, kernel->path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* As many descriptors as may be. */
static void
raise_limit(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool
is_hung_up(int fd, int ms)
{
	struct pollfd look = { .fd = fd };

	return poll(&look, 1, ms) == 1 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

/* ---- nonsense ----------------------------------------------------------------------- */

static void
garbage(const struct raw_kernel *kernel, void *context)
{
	uint64_t seed = *(uint64_t *)context;
	static uint8_t bytes[65536];

	for (int i = 0; i < 3000; i++) {
		int fd = raw_connect(kernel), passed[250];
		struct wire_head *head = (struct wire_head *)(void *)bytes;
		size_t size = attack_random(&seed) % (i % 50 == 0 ? sizeof(bytes) : 400);
		unsigned count = attack_random(&seed) % 4 == 0 ? attack_random(&seed) % 250 : 0;

		for (size_t j = 0; j < size; j += 4) {
			uint32_t word = attack_random(&seed);

			memcpy(bytes + j, &word, 4);
		}
		if (i % 2 == 0) { /* nearly right */
			head->kind = attack_random(&seed) % 100;
			head->size_bytes = (uint32_t)size + (i % 10 == 0);
		}
		for (unsigned j = 0; j < count; j++)
			passed[j] = fd;
		raw_send(fd, bytes, size, passed, count);
		if (i % 3 == 0)
			shutdown(fd, SHUT_WR);
		close(fd);
	}
}

static void
garbage_is_dropped(void **state)
{
	uint64_t seed = attack_seed();

	attack(garbage, &seed, WORST_MS);
}

static void
task_garbage(const struct raw_kernel *kernel, void *context)
{
	uint64_t seed = *(uint64_t *)context;
	static uint8_t bytes[65536];

	for (int i = 0; i < 200; i++) {
		struct raw_task task = raw_task_new(kernel);
		int fds[2] = { task.socket_fd, task.event_fd };

		for (int j = 0; j < 12; j++) {
			struct wire_head *head = (struct wire_head *)(void *)bytes;
			size_t size = attack_random(&seed) % (j % 4 == 0 ? 4096 : 40);

			for (size_t k = 0; k < size; k++)
				bytes[k] = (uint8_t)attack_random(&seed);
			head->kind = attack_random(&seed) % 10;
			head->size_bytes = (uint32_t)size;
			/* not WIRE_FORK, whose answer would have to be read; it has its own test */
			if (head->kind == WIRE_FORK || head->kind == WIRE_THREAD)
				head->kind = WIRE_CHILD;
			raw_send(task.socket_fd, bytes, size, fds, attack_random(&seed) % 3);
		}
		if (!is_hung_up(task.socket_fd, WORST_MS))
			abort(); /* it may not go on like this */
		raw_task_free(&task);
	}
}

static void
a_task_that_sends_garbage_is_dropped(void **state)
{
	uint64_t seed = attack_seed();

	attack(task_garbage, &seed, WORST_MS);
}

/* Every length from nothing to beyond the longest message, with a head that says so. */
static void
lengths(const struct raw_kernel *kernel, void *context)
{
	static uint8_t bytes[200000];

	for (uint32_t kind = 0; kind < 100; kind++) {
		for (size_t size = 0; size < 96; size += 1 + size / 24) {
			int fd = raw_connect(kernel);
			struct wire_head head = { kind, (uint32_t)size };

			memcpy(bytes, &head, sizeof(head));
			raw_send(fd, bytes, size, NULL, 0);
			close(fd);
		}
	}
	for (size_t size = 96; size < sizeof(bytes); size = size * 5 / 4) {
		int fd = raw_connect(kernel);
		struct wire_head head = { WIRE_HELLO, (uint32_t)size };

		memcpy(bytes, &head, sizeof(head));
		raw_send(fd, bytes, size, NULL, 0);
		close(fd);
	}
}

static void
messages_of_every_wrong_length_are_dropped(void **state)
{
	attack(lengths, NULL, WORST_MS);
}

/* ---- too many ----------------------------------------------------------------------- */

static void
half_open(const struct raw_kernel *kernel, void *context)
{
	static int fds[6000];
	unsigned count = 0;

	raise_limit();
	for (unsigned i = 0; i < 6000; i++) {
		int fd = try_connect(kernel, false);

		if (fd < 0)
			break;
		if (i % 3 == 0)
			shutdown(fd, SHUT_RD);
		fds[count++] = fd;
	}
	printf("   %u connections that say nothing\n", count);
	/* somebody else still gets in */
	struct raw_task task = raw_task_new(kernel);

	raw_port(&task, 0);
	raw_task_free(&task);
	while (count > 0)
		close(fds[--count]);
}

static void
thousands_of_silent_connections_disturb_nobody(void **state)
{
	attack(half_open, NULL, WORST_MS);
}

static void
take_all(const struct raw_kernel *kernel, void *context)
{
	static int fds[2000];
	unsigned count = 0, refused = 0;

	raise_limit();
	for (unsigned i = 0; i < 2000; i++) {
		int fd = try_connect(kernel, true);

		if (fd < 0)
			usleep(1000); /* the backlog is full, as it is to be */
		else
			fds[count++] = fd;
	}
	if (count == 0)
		abort();
	/* the last one that got in is answered when berthd comes to it */
	struct pollfd last = { .fd = fds[count - 1], .events = POLLIN };
	poll(&last, 1, ANSWER_MS);
	for (unsigned i = 0; i < count; i++) {
		struct wire_refused answer;
		unsigned fd_count;
		int passed[8];

		fcntl(fds[i], F_SETFL, O_NONBLOCK);
		if (raw_receive(fds[i], &answer, sizeof(answer), passed, &fd_count) ==
			(ssize_t)sizeof(answer) &&
		    answer.head.kind == WIRE_REFUSED && strstr(answer.why, "descriptors") != NULL)
			refused++;
	}
	printf("   %u connections, of which %u were refused in words\n", count, refused);
	if (refused == 0)
		abort();
	while (count > 0)
		close(fds[--count]);
}

static void
with_no_descriptor_left_those_who_are_there_go_on(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct bystander bystander = bystander_start(&kernel);
	struct observation before = observe(&kernel);
	struct rlimit few = { 300, 300 };

	assert_int_equal(prlimit(kernel.pid, RLIMIT_NOFILE, &few, NULL), 0);
	run_hostile(&kernel, take_all, NULL, 60);
	observe_settles(&kernel, &before);
	/* and who comes now is welcome */
	struct raw_task task = raw_task_new(&kernel);

	raw_port(&task, 0);
	raw_task_free(&task);
	bystander_end(&bystander, WORST_MS);
	raw_kernel_end(&kernel);
}

static void
storm(const struct raw_kernel *kernel, void *context)
{
	for (int i = 0; i < 2000; i++) {
		struct wire_hello hello = { { WIRE_HELLO, sizeof(hello) }, WIRE_VERSION, 0 };
		int fd = raw_connect(kernel);

		raw_send(fd, &hello, sizeof(hello), NULL, 0);
		if (i % 4 == 0)
			raw_send(fd, &hello, sizeof(hello), NULL, 0);
		if (i % 2 == 0) {
			struct pollfd look = { .fd = fd, .events = POLLIN };

			poll(&look, 1, 5000);
		}
		close(fd);
	}
}

static void
thousands_that_greet_and_go_leave_nothing(void **state)
{
	attack(storm, NULL, WORST_MS);
}

/* ---- what is never read ------------------------------------------------------------- */

/* Says @message over and over without reading an answer, until the socket takes no more.
 * False: it takes all of them. */
static bool
say_and_never_read(int fd, const void *message, size_t size, unsigned times)
{
	struct pollfd look = { .fd = fd, .events = POLLOUT };

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	for (unsigned i = 0; i < times; i++) {
		if (send(fd, message, size, MSG_NOSIGNAL) >= 0)
			continue;
		if (errno != EAGAIN || poll(&look, 1, 300) == 0)
			return true;
	}
	return false;
}

static void
never_reads(const struct raw_kernel *kernel, void *context)
{
	uint32_t kind = *(uint32_t *)context;
	struct raw_task tasks[4];

	raise_limit();
	for (unsigned i = 0; i < 4; i++) {
		struct wire_thread ask = { { kind, sizeof(ask) }, WIRE_NO_SLOT, 1 };

		tasks[i] = raw_task_new(kernel);
		if (!say_and_never_read(tasks[i].socket_fd, &ask, sizeof(ask), 30000))
			abort(); /* where are all the answers? */
	}
}

static void
answers_to_threads_that_nobody_reads_do_not_pile_up(void **state)
{
	uint32_t kind = WIRE_THREAD;

	attack(never_reads, &kind, WORST_MS);
}

static void
answers_to_forks_that_nobody_reads_do_not_pile_up(void **state)
{
	uint32_t kind = WIRE_FORK;

	attack(never_reads, &kind, WORST_MS);
}

/* Many who ask for the whole kernel as text and read none of it. */
static void
dumps(const struct raw_kernel *kernel, void *context)
{
	struct wire_inspect ask = { .head = { WIRE_INSPECT, sizeof(ask) },
				    .what = WIRE_INSPECT_DUMP };
	struct raw_task task = raw_task_new(kernel);
	unsigned long before_kb = observe(kernel).rss_kb;

	for (int i = 0; i < 5000; i++) /* a dump of about a megabyte */
		raw_port(&task, 0);
	for (int i = 0; i < 300; i++) {
		int fd = raw_connect(kernel);

		ask.what = (uint32_t)(i % 2 == 0 ? WIRE_INSPECT_DUMP : WIRE_INSPECT_PORTS);
		raw_send(fd, &ask, sizeof(ask), NULL, 0);
	}
	raw_port(&task, 0);
	unsigned long after_kb = observe(kernel).rss_kb;

	printf("   300 unread answers: %lu KiB more\n", after_kb - before_kb);
	fflush(stdout);
#ifndef ATTACK_ASAN /* whose allocator gives nothing back for long */
	if (after_kb > before_kb + 65536)
		abort();
#endif
}

static void
answers_to_tools_that_nobody_reads_do_not_pile_up(void **state)
{
	attack(dumps, NULL, WORST_MS);
}

/* Traces into what is no pipe, into full pipes, into pipes whose flags change. */
static void
traces(const struct raw_kernel *kernel, void *context)
{
	struct wire_inspect ask = { .head = { WIRE_TRACE, sizeof(ask) } };
	int fds[40];

	for (int i = 0; i < 40; i++) {
		int ends[2], passed;

		fds[i] = raw_connect(kernel);
		if (pipe(ends) != 0)
			abort();
		switch (i % 5) {
		case 0:
			passed = ends[1]; /* never read */
			break;
		case 1:
			passed = ends[0]; /* cannot be written */
			break;
		case 2:
			passed = fds[i];
			break;
		case 3:
			passed = open("/dev/null", O_RDWR);
			break;
		default:
			passed = ends[1];
			close(ends[0]); /* broken */
			break;
		}
		raw_send(fds[i], &ask, sizeof(ask), &passed, 1);
		fcntl(ends[1], F_SETFL, 0); /* would make a shared description wait */
	}
	usleep(1000000);
}

static void
a_trace_that_nobody_reads_stops_nobody(void **state)
{
	attack(traces, NULL, WORST_MS);
}

/* ---- what is not the sender's to say ------------------------------------------------ */

static void
foreign_rings(const struct raw_kernel *kernel, void *context)
{
	uint64_t seed = *(uint64_t *)context;

	for (int i = 0; i < 300; i++) {
		struct raw_task task = raw_task_new(kernel);
		int memory = raw_memfd(4096, 1, 0), fds[4] = { memory, memory, memory, memory };
		uint32_t own = raw_thread_new(&task, WIRE_NO_SLOT);

		for (int j = 0; j < 8; j++) {
			uint32_t slot = attack_random(&seed);

			if (j % 2 == 0)
				slot %= 20000;
			if (slot <= own)
				slot = own + 1;
			raw_ring_with(&task, slot, fds, (unsigned)j % 5);
		}
		if (!is_hung_up(task.socket_fd, WORST_MS))
			abort();
		close(memory);
		raw_task_free(&task);
	}
	/* a ring with descriptors for a slot that asks for nothing keeps none of them */
	struct raw_task task = raw_task_new(kernel);
	int memory = raw_memfd(4096, 1, 0), fds[4] = { memory, memory, memory, memory };

	for (int j = 0; j < 2000; j++)
		raw_ring_with(&task, 0, fds, (unsigned)j % 5);
	raw_port(&task, 0);
}

static void
rings_for_slots_of_others_are_dropped(void **state)
{
	uint64_t seed = attack_seed();

	attack(foreign_rings, &seed, WORST_MS);
}

/* Descriptors that refer to each other and to their own connection, in all messages. */
static void
unasked_descriptors(const struct raw_kernel *kernel, void *context)
{
	for (int i = 0; i < 200; i++) {
		struct raw_task task = raw_task_new(kernel);
		struct wire_thread ask = { { WIRE_THREAD, sizeof(ask) }, WIRE_NO_SLOT, 1 };
		struct wire_slot slot;
		unsigned fd_count;
		int fds[64], pair[2], answers[8];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
			abort();
		/* a ring of sockets that only Linux's collector could free */
		raw_send(pair[0], "x", 1, pair, 2);
		raw_send(pair[1], "x", 1, pair, 2);
		for (int j = 0; j < 64; j++)
			fds[j] = j % 3 == 0   ? pair[j % 2]
				 : j % 3 == 1 ? task.socket_fd
					      : task.event_fd;
		raw_send(task.socket_fd, &ask, sizeof(ask), fds, 64);
		raw_receive(task.socket_fd, &slot, sizeof(slot), answers, &fd_count);
		if (slot.head.kind != WIRE_SLOT)
			abort();
		while (fd_count > 0)
			close(answers[--fd_count]);
		close(pair[0]);
		close(pair[1]);
		raw_task_free(&task);
	}
}

static void
descriptors_that_nobody_asked_for_are_closed(void **state)
{
	attack(unasked_descriptors, NULL, WORST_MS);
}

/* ---- floods ------------------------------------------------------------------------- */

/* The next WIRE_CHILD's descriptor; -1: none came. */
static int
fork_once(struct raw_task *task)
{
	struct wire_head ask = { WIRE_FORK, sizeof(ask) }, answer;
	unsigned fd_count;
	int fds[8];

	raw_send(task->socket_fd, &ask, sizeof(ask), NULL, 0);
	if (raw_receive(task->socket_fd, &answer, sizeof(answer), fds, &fd_count) !=
		(ssize_t)sizeof(answer) ||
	    answer.kind != WIRE_CHILD)
		abort();
	return fd_count == 1 ? fds[0] : -1;
}

static void
forks(const struct raw_kernel *kernel, void *context)
{
	static struct raw_task tasks[500];
	struct raw_task parent = raw_task_new(kernel);
	unsigned embryos = 0, count = 0;
	int fd;

	raise_limit();
	while (embryos < 1000 && (fd = fork_once(&parent)) >= 0)
		embryos++;
	printf("   %u children that never speak, then no more\n", embryos);
	if (embryos == 0 || embryos == 1000)
		abort();
	/* children that speak, and have children, all of one process */
	tasks[count++] = raw_task_new(kernel);
	while (count < 500) {
		fd = fork_once(&tasks[count / 2]);
		if (fd < 0)
			break;
		tasks[count++] = raw_task_greet(fd, WIRE_FORKED);
		raw_port(&tasks[count - 1], 0);
	}
	printf("   %u tasks of one process\n", count);
	for (int i = 0; i < 2000; i++) { /* and many that never see the light */
		fd = fork_once(&tasks[0]);
		if (fd >= 0)
			close(fd);
	}
}

static void
a_flood_of_forks_has_an_end(void **state)
{
	attack(forks, NULL, WORST_MS);
}

static void
threads(const struct raw_kernel *kernel, void *context)
{
	struct raw_task task = raw_task_new(kernel);
	static uint32_t slots[20000];
	unsigned count = 0;

	raise_limit();
	for (int round = 0; round < 2; round++) {
		for (count = 0; count < 20000; count++) {
			slots[count] =
			    raw_thread_new(&task, count % 3 == 2 ? slots[count - 1] : WIRE_NO_SLOT);
			if (slots[count] == WIRE_NO_SLOT)
				break;
			if (count % 64 == 0)
				raw_port(&task, slots[count]);
		}
		printf("   %u threads, then no more\n", count);
		if (count < 1000 || count == 20000)
			abort();
		for (unsigned i = 0; i < count; i++)
			if (i % 3 != 2)
				raw_thread_exit(&task, slots[i]);
		raw_port(&task, 0);
	}
	/* as many, all blocked in a receive, at the end */
	uint64_t args[] = { MACH_RCV_MSG, 0, 256, raw_port(&task, 0) };

	for (unsigned i = 0; i < 2000; i++) {
		uint32_t slot = raw_thread_new(&task, WIRE_NO_SLOT);

		raw_ask(raw_slot(&task, slot), BERTH_TRAP_MSG, args, 4);
		raw_ring(&task, slot);
	}
	raw_port(&task, 0);
}

static void
a_flood_of_threads_has_an_end(void **state)
{
	attack(threads, NULL, WORST_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(garbage_is_dropped),
		cmocka_unit_test(a_task_that_sends_garbage_is_dropped),
		cmocka_unit_test(messages_of_every_wrong_length_are_dropped),
		cmocka_unit_test(thousands_of_silent_connections_disturb_nobody),
		cmocka_unit_test(with_no_descriptor_left_those_who_are_there_go_on),
		cmocka_unit_test(thousands_that_greet_and_go_leave_nothing),
		cmocka_unit_test(answers_to_threads_that_nobody_reads_do_not_pile_up),
		cmocka_unit_test(answers_to_forks_that_nobody_reads_do_not_pile_up),
		cmocka_unit_test(answers_to_tools_that_nobody_reads_do_not_pile_up),
		cmocka_unit_test(a_trace_that_nobody_reads_stops_nobody),
		cmocka_unit_test(rings_for_slots_of_others_are_dropped),
		cmocka_unit_test(descriptors_that_nobody_asked_for_are_closed),
		cmocka_unit_test(a_flood_of_forks_has_an_end),
		cmocka_unit_test(a_flood_of_threads_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
