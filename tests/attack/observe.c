/* What an attack is measured by: see observe.h. */
#include "tests/attack/observe.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SELF ((uint64_t)BERTH_NAME_TASK_SELF)
#define SETTLE_MS 20000

/* what an allocator keeps of many small pieces; the address sanitizer's keeps all for long */
#ifdef ATTACK_ASAN
#define RSS_SLACK_KB 1048576
#else
#define RSS_SLACK_KB 16384
#endif

/* ---- what berthd holds -------------------------------------------------------------- */

/* Asks; the text is cut to @size.  What is asked is the whole answer of @what. */
static void
ask(const struct raw_kernel *kernel, uint32_t what, char *text, size_t size)
{
	static struct {
		struct wire_head head;
		char bytes[WIRE_TEXT_MAX];
	} message;
	struct wire_inspect request = { .head = { WIRE_INSPECT, sizeof(request) }, .what = what };
	struct timeval patience = { .tv_sec = 20 };
	int fd = raw_connect(kernel), fds[8];
	unsigned fd_count;
	size_t used = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	raw_send(fd, &request, sizeof(request), NULL, 0);
	for (;;) {
		ssize_t n = raw_receive(fd, &message, sizeof(message), fds, &fd_count);

		if (n < (ssize_t)sizeof(message.head)) {
			kill(kernel->pid, SIGKILL); /* or it would stay */
			fail_msg("berthd %s", n < 0 ? "hangs" : "is gone");
		}
		if (message.head.kind == WIRE_END)
			break;
		size_t length = (size_t)n - sizeof(message.head);

		if (length > size - 1 - used)
			length = size - 1 - used;
		memcpy(text + used, message.bytes, length);
		used += length;
	}
	text[used] = '\0';
	close(fd);
}

static unsigned
field(const char *text, const char *name)
{
	char pattern[32];
	const char *at;

	snprintf(pattern, sizeof(pattern), "%s ", name);
	for (at = strstr(text, pattern); at != NULL; at = strstr(at + 1, pattern))
		if (at == text || at[-1] == '\n')
			return (unsigned)strtoul(at + strlen(pattern), NULL, 10);
	fail_msg("the kernel's counts lack %s", name);
	return 0;
}

static unsigned long
resident_kb(pid_t pid)
{
	char path[64];
	unsigned long all, resident = 0;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &all, &resident), 2);
	fclose(file);
	return resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
}

struct observation
observe(const struct raw_kernel *kernel)
{
	struct observation seen = { 0 };
	char text[4096];

	ask(kernel, WIRE_INSPECT_DUMP, text, sizeof(text)); /* audits, too */
	ask(kernel, WIRE_INSPECT_COUNTS, text, sizeof(text));
	seen.tasks = field(text, "tasks");
	seen.threads = field(text, "threads");
	seen.ports = field(text, "ports");
	seen.port_sets = field(text, "port_sets");
	seen.messages = field(text, "messages");
	seen.segments = field(text, "segments");
	seen.notifications = field(text, "notifications");
	seen.watches = field(text, "watches");
	seen.fileports = field(text, "fileports");
	seen.memory_entries = field(text, "memory_entries");
	seen.descriptors = raw_kernel_descriptors(kernel);
	seen.rss_kb = resident_kb(kernel->pid);
	return seen;
}

static bool
as_before(const struct observation *now, const struct observation *before)
{
	/* our own connection that asked may just be open or closed */
	return now->tasks == before->tasks && now->threads == before->threads &&
	       now->ports <= before->ports + 1 && now->port_sets == before->port_sets &&
	       now->messages <= before->messages + 1 && now->segments == before->segments &&
	       now->notifications == before->notifications && now->watches == before->watches &&
	       now->fileports == before->fileports &&
	       now->memory_entries == before->memory_entries &&
	       now->descriptors <= before->descriptors + 1 &&
	       now->rss_kb <= before->rss_kb + RSS_SLACK_KB;
}

void
observe_settles(const struct raw_kernel *kernel, const struct observation *before)
{
	uint64_t limit_ns = wait_now_ns() + SETTLE_MS * 1000000ull;
	struct observation now = observe(kernel);

	while (!as_before(&now, before) && wait_now_ns() < limit_ns) {
		poll(NULL, 0, 20);
		now = observe(kernel);
	}
	printf("   before: %u descriptors, %lu KiB, %u tasks, %u threads, %u ports, %u messages\n",
	       before->descriptors, before->rss_kb, before->tasks, before->threads, before->ports,
	       before->messages);
	printf("   after:  %u descriptors, %lu KiB, %u tasks, %u threads, %u ports, %u messages\n",
	       now.descriptors, now.rss_kb, now.tasks, now.threads, now.ports, now.messages);
	assert_true(as_before(&now, before));
}

/* ---- the bystander ------------------------------------------------------------------ */

struct bystander_notes {
	_Atomic uint32_t stop, ready;
	_Atomic uint64_t rounds, worst_ns;
	char wrong[160]; /* empty: nothing */
};

/* One trap without cmocka, which belongs to the parent.  True: it went as it should. */
static bool
quiet_trap(struct raw_task *task, uint32_t number, const uint64_t *args, unsigned arg_count,
	   uint32_t stream_size, kern_return_t wanted)
{
	struct trap_slot *slot = raw_slot(task, 0);

	raw_fill(slot, number, args, arg_count);
	slot->request.stream_size_bytes = slot->request.prefix_size_bytes = stream_size;
	raw_publish(slot);
	raw_ring(task, 0);
	return raw_await(slot, 20000) && slot->reply.code == wanted;
}

struct round_message {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_port_descriptor_t right;
	uint64_t number;
};

/* Sends itself a message with a right and takes it; NULL, or what went wrong. */
static const char *
bystander_round(struct raw_task *task, mach_port_name_t port, uint64_t number)
{
	struct trap_slot *slot = raw_slot(task, 0);
	struct round_message message = {
		.header = { .msgh_bits =
				MACH_MSGH_BITS_COMPLEX | MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
			    .msgh_size = sizeof(message),
			    .msgh_remote_port = port },
		.body = { 1 },
		.right = { .name = port,
			   .disposition = MACH_MSG_TYPE_COPY_SEND,
			   .type = MACH_MSG_PORT_DESCRIPTOR },
		.number = number,
	};
	uint64_t send[] = { MACH_SEND_MSG, sizeof(message) };
	uint64_t receive[] = { MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 256, port, 10000 };
	uint64_t drop[] = { SELF, port };

	memcpy(slot->data, &message, sizeof(message));
	if (!quiet_trap(task, BERTH_TRAP_MSG, send, 2, sizeof(message), MACH_MSG_SUCCESS))
		return "its send failed";
	if (!quiet_trap(task, BERTH_TRAP_MSG, receive, 5, 0, MACH_MSG_SUCCESS))
		return "its receive failed";
	memcpy(&message, slot->data, sizeof(message));
	if (message.number != number || message.right.name != port)
		return "it received something else than it sent";
	/* the right came back with a user reference more */
	if (!quiet_trap(task, BERTH_TRAP_PORT_DEALLOCATE, drop, 2, 0, KERN_SUCCESS))
		return "its right was not there";
	return NULL;
}

static void
bystander_run(struct raw_task *task, mach_port_name_t port, struct bystander_notes *notes)
{
	uint64_t refs[] = { SELF, port, MACH_PORT_RIGHT_SEND };
	struct trap_slot *slot = raw_slot(task, 0);

	for (uint64_t i = 0; !atomic_load(&notes->stop); i++) {
		uint64_t begun_ns = wait_now_ns();
		const char *wrong = bystander_round(task, port, i);
		uint64_t ns = wait_now_ns() - begun_ns;

		if (wrong != NULL) {
			snprintf(notes->wrong, sizeof(notes->wrong),
				 "round %llu: %s, code 0x%x after %llu ms", (unsigned long long)i,
				 wrong, (unsigned)slot->reply.code,
				 (unsigned long long)(ns / 1000000));
			return;
		}
		if (ns > atomic_load(&notes->worst_ns))
			atomic_store(&notes->worst_ns, ns);
		atomic_store(&notes->rounds, i + 1);
		usleep(200);
	}
	if (!quiet_trap(task, BERTH_TRAP_PORT_GET_REFS, refs, 3, 0, KERN_SUCCESS) ||
	    slot->reply.values[0] != 1)
		snprintf(notes->wrong, sizeof(notes->wrong),
			 "at the end its right had not the one reference that it was given");
}

struct bystander
bystander_start(const struct raw_kernel *kernel)
{
	struct bystander bystander = { 0 };

	bystander.notes = mmap(NULL, sizeof(*bystander.notes), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(bystander.notes, MAP_FAILED);
	bystander.pid = fork();
	assert_true(bystander.pid >= 0);
	if (bystander.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		struct raw_task task = raw_task_new(kernel);
		mach_port_name_t port = raw_port(&task, 0);

		atomic_store(&bystander.notes->ready, 1);
		bystander_run(&task, port, bystander.notes);
		_exit(0);
	}
	for (int i = 0; i < 20000 && !atomic_load(&bystander.notes->ready); i++)
		poll(NULL, 0, 1);
	assert_true(atomic_load(&bystander.notes->ready));
	return bystander;
}

void
bystander_end(struct bystander *bystander, unsigned worst_ms)
{
	struct bystander_notes *notes = bystander->notes;
	int status;

	atomic_store(&notes->stop, 1);
	assert_int_equal(waitpid(bystander->pid, &status, 0), bystander->pid);
	printf("   bystander: %llu rounds, the slowest %.1f ms\n",
	       (unsigned long long)notes->rounds, (double)notes->worst_ns / 1e6);
	assert_string_equal(notes->wrong, "");
	assert_int_equal(status, 0);
	assert_true(notes->rounds > 0);
	assert_in_range(notes->worst_ns / 1000000, 0, worst_ms);
	munmap(notes, sizeof(*notes));
}

/* ---- attacks ------------------------------------------------------------------------ */

void
run_hostile(const struct raw_kernel *kernel, hostile_function *hostile, void *context,
	    unsigned seconds)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		signal(SIGPIPE, SIG_IGN);
		alarm(seconds);
		hostile(kernel, context);
		fflush(stdout);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0) {
		kill(kernel->pid, SIGKILL); /* it may hang */
		fail_msg("the hostile process ended with status 0x%x", (unsigned)status);
	}
}

void
attack(hostile_function *hostile, void *context, unsigned worst_ms)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct bystander bystander = bystander_start(&kernel);
	struct observation before = observe(&kernel);

	run_hostile(&kernel, hostile, context, 120);
	observe_settles(&kernel, &before);
	bystander_end(&bystander, worst_ms);
	raw_kernel_end(&kernel);
}

uint64_t
attack_seed(void)
{
	const char *text = getenv("ATTACK_SEED");
	uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : 20240607;

	printf("   ATTACK_SEED=%llu\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

uint32_t
attack_random(uint64_t *seed)
{
	/* splitmix64: every seed will do, 0 too */
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ (z >> 31)) >> 16);
}
