/*
 * One task sends another a great many messages of every kind; then neither of them nor the
 * kernel may have grown: memory is looked at after the first tenth and after the last.
 *
 * usage: berth run -- flat MESSAGES [self]
 *
 * self: the task sends to itself, and receives in the same trap.  That is a fraction of the work
 * for the same traffic in the kernel, so that a thousand million messages take a quarter of an
 * hour.
 *
 * A message is plain, brings a right, or brings a right and memory.  The last line says what each
 * process held then and how fast it went.
 */
#include <mach/mach.h>

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/stress/counts.h"

/* On their way at once; the receiver says each half of it that it has taken. */
#define WINDOW 512u
#define PER_RIGHT 16u
#define PER_MEMORY 1024u
#define MEMORY_SIZE 4096u
/* What an allocator may take later than in the first tenth, and what a page costs.  The address
 * sanitizer has each call's frame somewhere else, round and round in 8 MiB for each size. */
#ifdef __SANITIZE_ADDRESS__
#define GROWTH_MAX_KIB 32768
#else
#define GROWTH_MAX_KIB 1024
#endif

struct letter {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_port_descriptor_t right;
	mach_msg_ool_descriptor_t memory;
	uint32_t sequence;
	mach_msg_max_trailer_t trailer;
};

/* Of how many KiB the pages of @pid are in memory. */
static long
resident_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "VmRSS:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	if (file != NULL)
		fclose(file);
	return kib;
}

static _Noreturn void
fail(const char *what, int code)
{
	fprintf(stderr, "flat: %s: %d\n", what, code);
	_exit(1);
}

static void
expect(const char *what, kern_return_t code)
{
	if (code != KERN_SUCCESS)
		fail(what, code);
}

/* The process that listens where $BERTH_KERNEL says. */
static pid_t
kernel_pid(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("BERTH_KERNEL");
	struct ucred peer = { 0, 0, 0 };
	socklen_t size = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (path == NULL || strlen(path) >= sizeof(address.sun_path))
		fail("BERTH_KERNEL names no socket", 0);
	memcpy(address.sun_path, path, strlen(path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		fail("the kernel does not listen", 0);
	close(fd);
	return peer.pid;
}

/* ---- sending ---------------------------------------------------------------------------- */

static void
credit_await(mach_port_t credits)
{
	struct {
		mach_msg_header_t header;
		mach_msg_max_trailer_t trailer;
	} credit;

	expect("a credit", mach_msg(&credit.header, MACH_RCV_MSG, 0, sizeof(credit), credits,
				    MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
}

/* Letter @sequence to @to, with a right to @credits in some. */
static void
letter_write(struct letter *letter, mach_port_t to, mach_port_t credits, uint32_t sequence)
{
	static uint8_t bytes[MEMORY_SIZE];
	const bool has_memory = sequence % PER_MEMORY == 0;
	const bool is_complex = has_memory || sequence % PER_RIGHT == 0;

	*letter = (struct letter){
		.header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
			    .msgh_size = offsetof(struct letter, trailer),
			    .msgh_remote_port = to },
		.right = { .name = is_complex ? credits : MACH_PORT_NULL,
			   .disposition = MACH_MSG_TYPE_MAKE_SEND,
			   .type = MACH_MSG_PORT_DESCRIPTOR },
		.memory = { .address = has_memory ? bytes : NULL,
			    .size = has_memory ? MEMORY_SIZE : 0,
			    .copy = MACH_MSG_VIRTUAL_COPY,
			    .type = MACH_MSG_OOL_DESCRIPTOR },
		.sequence = sequence,
	};

	if (is_complex) {
		letter->header.msgh_bits |= MACH_MSGH_BITS_COMPLEX;
		letter->body.msgh_descriptor_count = has_memory ? 2 : 1;
	}
}

static void
letter_send(mach_port_t to, mach_port_t credits, uint32_t sequence)
{
	struct letter letter;

	letter_write(&letter, to, credits, sequence);
	expect("a message", mach_msg(&letter.header, MACH_SEND_MSG, letter.header.msgh_size, 0,
				     MACH_PORT_NULL, MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
}

static _Noreturn void
send_all(mach_port_t to, uint64_t count)
{
	mach_port_t credits;

	expect("a port", mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &credits));
	for (uint64_t i = 0; i < count; i++) {
		if (i >= WINDOW && i % (WINDOW / 2) == 0)
			credit_await(credits);
		letter_send(to, credits, (uint32_t)i);
	}
	for (uint32_t i = 0; i < 2; i++)
		credit_await(credits);
	expect("its end",
	       mach_port_mod_refs(mach_task_self(), credits, MACH_PORT_RIGHT_RECEIVE, -1));
	_exit(0);
}

/* ---- receiving -------------------------------------------------------------------------- */

/* The right to ask for more with, in @credits: the first one is kept, the others are dropped. */
static void
letter_receive(mach_port_t from, uint32_t sequence, mach_port_t *credits)
{
	struct letter letter;

	expect("a receive", mach_msg(&letter.header, MACH_RCV_MSG, 0, sizeof(letter), from,
				     MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
	if (letter.sequence != sequence)
		fail("out of order", (int)letter.sequence);
	if (*credits == MACH_PORT_NULL) {
		*credits = letter.right.name;
		letter.right.name = MACH_PORT_NULL;
	}
	mach_msg_destroy(&letter.header);
}

static void
credit_give(mach_port_t credits)
{
	mach_msg_header_t credit = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
				     .msgh_size = sizeof(credit),
				     .msgh_remote_port = credits };

	expect("a credit's sending",
	       mach_msg(&credit, MACH_SEND_MSG, sizeof(credit), 0, MACH_PORT_NULL,
			MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
}

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#define PROCESSES 3 /* or two, where the sender receives */

/* How much of memory each process has now: not more than after the first tenth. */
static void
look(uint64_t done, double start_s, const pid_t pids[PROCESSES], long first_kib[PROCESSES])
{
	static const char *const names[PROCESSES] = { "kernel", "sender", "receiver" };

	printf("%llu messages in %.0f s:", (unsigned long long)done, now_s() - start_s);
	for (int p = 0; p < PROCESSES && pids[p] != 0; p++) {
		const long kib = resident_kib(pids[p]);

		printf("%s %s %ld KiB", p > 0 ? "," : "", names[p], kib);
		if (first_kib[p] == 0)
			first_kib[p] = kib;
		if (kib < 0 || kib > first_kib[p] + GROWTH_MAX_KIB)
			fail("a process grows", p);
	}
	printf("\n");
	fflush(stdout);
}

static void
receive_all(mach_port_t from, uint64_t count, const pid_t pids[PROCESSES])
{
	const double start_s = now_s();
	long first_kib[PROCESSES] = { 0 };
	mach_port_t credits = MACH_PORT_NULL;

	for (uint64_t i = 0; i < count; i++) {
		letter_receive(from, (uint32_t)i, &credits);
		if ((i + 1) % (count / 10) == 0)
			look(i + 1, start_s, pids, first_kib);
		if (i % (WINDOW / 2) == WINDOW / 2 - 1)
			credit_give(credits);
	}
	expect("the right's end", mach_port_deallocate(mach_task_self(), credits));
}

/* To @inbox and back, @count times. */
static void
exchange_all(mach_port_t inbox, uint64_t count, const pid_t pids[PROCESSES])
{
	const double start_s = now_s();
	long first_kib[PROCESSES] = { 0 };
	struct letter letter;
	mach_port_t right;

	expect("a port", mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &right));
	for (uint64_t i = 0; i < count; i++) {
		letter_write(&letter, inbox, right, (uint32_t)i);
		expect("an exchange", mach_msg(&letter.header, MACH_SEND_MSG | MACH_RCV_MSG,
					       letter.header.msgh_size, sizeof(letter), inbox,
					       MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
		if (letter.sequence != (uint32_t)i)
			fail("out of order", (int)letter.sequence);
		if ((letter.header.msgh_bits & MACH_MSGH_BITS_COMPLEX) != 0)
			mach_msg_destroy(&letter.header);
		if ((i + 1) % (count / 10) == 0)
			look(i + 1, start_s, pids, first_kib);
	}
	expect("its end", mach_port_mod_refs(mach_task_self(), right, MACH_PORT_RIGHT_RECEIVE, -1));
}

int
main(int argc, char **argv)
{
	struct kernel_totals before;
	mach_port_t inbox;
	const bool is_alone = argc == 3 && strcmp(argv[2], "self") == 0;
	uint64_t count = argc == 2 || is_alone ? strtoull(argv[1], NULL, 10) : 0;
	int status;

	if (count == 0) {
		fprintf(stderr, "usage: berth run -- %s MESSAGES [self]\n", argv[0]);
		return 2;
	}
	count = (count + 10ull * WINDOW - 1) / (10ull * WINDOW) * (10ull * WINDOW);
	expect("a port", mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &inbox));
	const mach_port_limits_t limits = { .mpl_qlimit = MACH_PORT_QLIMIT_LARGE };
	expect("its limit",
	       mach_port_set_attributes(mach_task_self(), inbox, MACH_PORT_LIMITS_INFO,
					(mach_port_info_t)&limits, MACH_PORT_LIMITS_INFO_COUNT));
	expect("a right to it",
	       mach_port_insert_right(mach_task_self(), inbox, inbox, MACH_MSG_TYPE_MAKE_SEND));
	kernel_totals_ask(&before);
	if (is_alone) {
		exchange_all(inbox, count, (pid_t[PROCESSES]){ kernel_pid(), getpid() });
		kernel_totals_await(&before);
		printf("%llu messages: no process has grown\n", (unsigned long long)count);
		return 0;
	}
	/* what a child inherits is its bootstrap port: so the inbox goes there */
	expect("passing it on", task_set_bootstrap_port(mach_task_self(), inbox));
	const pid_t sender = fork();
	if (sender < 0)
		fail("no second process", sender);
	if (sender == 0) {
		mach_port_t to;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		expect("the inbox", task_get_bootstrap_port(mach_task_self(), &to));
		send_all(to, count);
	}
	receive_all(inbox, count, (pid_t[PROCESSES]){ kernel_pid(), sender, getpid() });
	if (waitpid(sender, &status, 0) != sender || status != 0)
		fail("the sender failed", status);
	kernel_totals_await(&before);
	printf("%llu messages: no process has grown\n", (unsigned long long)count);
	return 0;
}
