/*
 * Attacks on the sender's identity: whatever a task writes and says, the trailer of what it
 * sends names its true process and ids.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <mach/task_special_ports.h>

#include "tests/attack/fuzz.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76 /* Linux 6.5 */
#endif

#define SELF ((uint64_t)BERTH_NAME_TASK_SELF)
#define NOBODY 65534u
#define HANG_MS 20000
#define FORGERIES 4000

/* Who a message must come from. */
struct truth {
	uint32_t uid, gid, pid;
	/* what a task makes the kernel's own ports answer to the judge is the kernel's word */
	bool or_kernel;
};

/* ---- the two sides ------------------------------------------------------------------- */

/* The receiver, this process; who is forked inherits a send right to its port as the
 * bootstrap port. */
struct court {
	struct raw_kernel kernel;
	struct raw_task task;
	mach_port_name_t port;
};

static struct court
court_open(void)
{
	struct court court = { .kernel = raw_kernel_start(NULL) };

	/* for tasks of other users, as `berth run` does it */
	assert_int_equal(chmod(court.kernel.folder, 0711), 0);
	assert_int_equal(chmod(court.kernel.path, 0666), 0);
	court.task = raw_task_new(&court.kernel);
	court.port = raw_port(&court.task, 0);
	assert_int_equal(raw_trap(&court.task, 0, BERTH_TRAP_TASK_SET_SPECIAL_PORT, 3, SELF,
				  (uint64_t)TASK_BOOTSTRAP_PORT, (uint64_t)court.port),
			 KERN_SUCCESS);
	return court;
}

static void
court_close(struct court *court)
{
	raw_task_free(&court->task);
	raw_kernel_end(&court->kernel);
}

static bool
is_kernels(const mach_msg_audit_trailer_t *trailer)
{
	static const security_token_t sender = KERNEL_SECURITY_TOKEN_VALUE;
	static const audit_token_t audit = KERNEL_AUDIT_TOKEN_VALUE;

	return memcmp(&trailer->msgh_sender, &sender, sizeof(sender)) == 0 &&
	       memcmp(&trailer->msgh_audit, &audit, sizeof(audit)) == 0;
}

/* Receives within @ms; checks who sent it.  False: nothing came. */
static bool
judge(struct court *court, const struct truth *truth, unsigned ms)
{
	struct trap_slot *slot = raw_slot(&court->task, 0);
	uint64_t option =
	    MACH_RCV_MSG | MACH_RCV_TIMEOUT | MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT);
	struct fuzz drained = { .task = court->task };
	uint8_t spilled[sizeof(mach_msg_audit_trailer_t)];
	mach_msg_audit_trailer_t trailer;
	kern_return_t code = raw_trap(&court->task, 0, BERTH_TRAP_MSG, 5, option, (uint64_t)0,
				      (uint64_t)1 << 20, (uint64_t)court->port, (uint64_t)ms);

	if (code == MACH_RCV_TIMED_OUT)
		return false;
	assert_int_equal(code, MACH_MSG_SUCCESS);
	assert_int_equal(slot->reply.values[BERTH_MSG_TRAILER], sizeof(trailer));
	if (slot->reply.flags & TRAP_HAS_SPILL) {
		int fds[8];
		unsigned count = raw_descriptors(&court->task, fds);

		assert_int_equal(
		    pread(fds[0], spilled, sizeof(spilled), (off_t)slot->reply.prefix_size_bytes),
		    sizeof(spilled));
		memcpy(&trailer, spilled, sizeof(trailer));
		while (count > 0)
			close(fds[--count]);
	} else {
		memcpy(&trailer, slot->data + slot->reply.prefix_size_bytes, sizeof(trailer));
		fuzz_drain(&drained);
	}
	assert_int_equal(trailer.msgh_trailer_size, sizeof(trailer));
	if (truth->or_kernel && is_kernels(&trailer))
		return true;
	assert_int_equal(trailer.msgh_sender.val[0], truth->uid);
	assert_int_equal(trailer.msgh_sender.val[1], truth->gid);
	assert_int_equal(trailer.msgh_audit.val[0], truth->uid);
	assert_int_equal(trailer.msgh_audit.val[1], truth->uid);
	assert_int_equal(trailer.msgh_audit.val[2], truth->gid);
	assert_int_equal(trailer.msgh_audit.val[3], truth->uid);
	assert_int_equal(trailer.msgh_audit.val[4], truth->gid);
	assert_int_equal(trailer.msgh_audit.val[5], truth->pid);
	return true;
}

/* One plain message, so that the judge has something to look at.  By the socket: behind all
 * that was said there before. */
static void
testify(struct raw_task *task)
{
	struct trap_slot *slot = raw_slot(task, task->welcome.slot_index);
	mach_msg_header_t header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
				     .msgh_size = sizeof(header),
				     .msgh_remote_port = BERTH_NAME_BOOTSTRAP };
	uint64_t args[] = { MACH_SEND_MSG, sizeof(header) };

	memcpy(slot->data, &header, sizeof(header));
	raw_fill(slot, BERTH_TRAP_MSG, args, 2);
	slot->request.stream_size_bytes = slot->request.prefix_size_bytes = sizeof(header);
	raw_publish(slot);
	raw_ring_with(task, task->welcome.slot_index, NULL, 0);
	if (!raw_await(slot, HANG_MS) || slot->reply.code != MACH_MSG_SUCCESS) {
		printf("   a witness cannot speak: code 0x%x\n", (unsigned)slot->reply.code);
		fflush(stdout);
		abort();
	}
}

static bool
drop_to_nobody(void)
{
	return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
	       setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

typedef void liar_function(struct court *court);

static liar_function forge_at_random;

/*
 * Runs @lie in a process of its own, as an ordinary user if @ordinary, and judges every
 * message that comes of it until it has ended; how many there were.
 */
static unsigned
hear(struct court *court, liar_function *lie, bool ordinary)
{
	struct truth truth = { .uid = getuid(),
			       .gid = getgid(),
			       .or_kernel = lie == forge_at_random };
	unsigned count = 0;
	bool ended = false;
	int status;
	pid_t pid;

	if (ordinary && getuid() == 0)
		truth.uid = truth.gid = NOBODY;
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		alarm(120);
		if (ordinary && getuid() == 0 && !drop_to_nobody())
			abort();
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* changing ids has taken it back */
		lie(court);
		fflush(stdout);
		_exit(0);
	}
	truth.pid = (uint32_t)pid;
	for (;;) {
		bool heard = judge(court, &truth, ended ? 0 : 20);

		count += heard;
		if (!heard && ended)
			break;
		if (!heard && !ended) {
			ended = waitpid(pid, &status, WNOHANG) == pid;
			if (ended && status != 0)
				fail_msg("the liar ended with status 0x%x", (unsigned)status);
		}
	}
	return count;
}

/* ---- in messages --------------------------------------------------------------------- */

/* A trailer that says that the judge itself has sent it, as root. */
static mach_msg_audit_trailer_t
forged_trailer(void)
{
	mach_msg_audit_trailer_t trailer = { .msgh_trailer_size = sizeof(trailer) };

	trailer.msgh_audit.val[5] = (unsigned)getppid();
	return trailer;
}

/* A forged trailer in every place where a trailer could be taken from. */
static void
forge_by_hand(struct court *court)
{
	struct raw_task task = raw_task_new(&court->kernel);
	struct trap_slot *slot = raw_slot(&task, 0);
	mach_msg_audit_trailer_t trailer = forged_trailer();

	for (unsigned i = 0; i < 64; i++) {
		uint32_t said = sizeof(mach_msg_header_t), whole = said + sizeof(trailer);
		mach_msg_header_t header = { .msgh_bits =
						 MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
					     .msgh_size = i & 1 ? whole : said,
					     .msgh_remote_port = BERTH_NAME_BOOTSTRAP };
		uint64_t args[] = { MACH_SEND_MSG | (i & 2 ? MACH_SEND_TRAILER : 0),
				    i & 4 ? whole : said };

		memset(slot->data, 0, 1024);
		memcpy(slot->data, &header, sizeof(header));
		memcpy(slot->data + said, &trailer, sizeof(trailer));
		raw_fill(slot, BERTH_TRAP_MSG, args, 2);
		slot->request.prefix_size_bytes = i & 8 ? whole : (uint32_t)args[1];
		slot->request.stream_size_bytes = i & 16 ? 512 : slot->request.prefix_size_bytes;
		raw_publish(slot);
		/* and where the answer would be */
		slot->reply.prefix_size_bytes = said;
		slot->reply.values[BERTH_MSG_TRAILER] = sizeof(trailer);
		memcpy(slot->reply.values, trailer.msgh_audit.val, sizeof(trailer.msgh_audit.val));
		if (i & 32) {
			struct trap_piece_wire tail = { TRAP_PIECE_STREAM, sizeof(trailer), said };

			slot->request.flags = TRAP_HAS_TAIL;
			slot->request.piece_count = 1;
			slot->request.prefix_size_bytes = said;
			slot->request.stream_size_bytes = 512;
			memcpy(slot->data + said, &tail, sizeof(tail));
			memcpy(slot->data + said + sizeof(tail), &trailer, sizeof(trailer));
		}
		raw_ring(&task, 0);
		if (!raw_await(slot, HANG_MS))
			abort();
	}
	testify(&task);
}

static void
no_byte_of_a_message_changes_who_sent_it(void **state)
{
	struct court court = court_open();
	unsigned heard = hear(&court, forge_by_hand, false);

	printf("   %u messages came\n", heard);
	assert_in_range(heard, 10, 65);
	court_close(&court);
}

static void
forge_at_random(struct court *court)
{
	struct fuzz fuzz;
	unsigned fd_count, renewed = UINT32_MAX;
	int fds[40] = { -1, -1 };

	fuzz_init(&fuzz, &court->kernel, attack_seed());
	fuzz_attach(&fuzz);
	for (unsigned i = 0; i < FORGERIES; i++) {
		unsigned slot = attack_random(&fuzz.seed) % FUZZ_SLOTS;

		if (i % 40 == 39) { /* soon it has moved its right away */
			fuzz_detach(&fuzz);
			fuzz_attach(&fuzz);
			renewed = UINT32_MAX;
		}
		if (renewed != fuzz.renewed) /* the right to send is the judge's */
			for (unsigned j = 0; j < FUZZ_NAMES; j += 2)
				fuzz.names[j] = BERTH_NAME_BOOTSTRAP;
		renewed = fuzz.renewed;
		fuzz_settle(&fuzz, slot, 0);
		fuzz_ask(&fuzz, slot, fds, &fd_count);
		fuzz_ring(&fuzz, slot, fds, fd_count);
		fuzz_settle(&fuzz, slot, 5);
	}
	fuzz_detach(&fuzz);
}

static void
random_messages_say_who_sent_them(void **state)
{
	struct court court = court_open();
	unsigned heard = hear(&court, forge_at_random, false);

	printf("   %u messages came\n", heard);
	assert_true(heard > 20);
	court_close(&court);
}

/* ---- in what is said on the socket --------------------------------------------------- */

/* Says @message with these credentials: 0, or why Linux does not let it. */
static int
say_as(int fd, const void *message, size_t size, pid_t pid, uid_t uid, gid_t gid)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct ucred))];
	} control = { .bytes = { 0 } };
	struct ucred credentials = { .pid = pid, .uid = uid, .gid = gid };
	struct iovec vector = { .iov_base = (void *)(uintptr_t)message, .iov_len = size };
	struct msghdr header = { .msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_CREDENTIALS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(credentials));
	memcpy(CMSG_DATA(cmsg), &credentials, sizeof(credentials));
	return sendmsg(fd, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static const struct wire_head new_ids = { WIRE_CREDENTIALS, sizeof(new_ids) };

/* All false credentials that an ordinary process can think of; Linux knows better. */
static void
lie_to_linux(struct court *court)
{
	struct wire_hello hello = { { WIRE_HELLO, sizeof(hello) }, WIRE_VERSION, 0 };
	struct raw_task task = raw_task_new(&court->kernel);
	uid_t uid = getuid();
	gid_t gid = getgid();
	const struct ucred lies[] = {
		{ getppid(), uid, gid }, { 1, uid, gid },
		{ getppid(), 0, 0 },     { getpid(), 0, gid },
		{ getpid(), uid, 0 },    { getpid(), uid + 1, gid },
		{ 0, uid, gid },         { getpid(), uid, gid + 1 },
		{ -1, uid, gid },
	};

	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		int fd = raw_connect(&court->kernel);

		if (say_as(task.socket_fd, &new_ids, sizeof(new_ids), lies[i].pid, lies[i].uid,
			   lies[i].gid) == 0 ||
		    say_as(fd, &hello, sizeof(hello), lies[i].pid, lies[i].uid, lies[i].gid) == 0)
			abort();
		close(fd);
		testify(&task);
	}
	/* the truth is no lie */
	if (say_as(task.socket_fd, &new_ids, sizeof(new_ids), getpid(), uid, gid) != 0)
		abort();
	testify(&task);
}

static void
credentials_of_others_are_refused_by_linux(void **state)
{
	struct court court = court_open();

	assert_int_equal(hear(&court, lie_to_linux, true), 10);
	court_close(&court);
}

/* Root may say to Linux that it is another process; berthd knows who has connected. */
static void
lie_to_berthd(struct court *court)
{
	struct wire_hello hello = { { WIRE_HELLO, sizeof(hello) }, WIRE_VERSION, 0 };
	struct raw_task task = raw_task_new(&court->kernel);
	struct wire_refused answer;
	unsigned fd_count;
	int fds[8], fd = raw_connect(&court->kernel);

	if (say_as(fd, &hello, sizeof(hello), getppid(), 0, 0) != 0)
		abort();
	if (raw_receive(fd, &answer, sizeof(answer), fds, &fd_count) != (ssize_t)sizeof(answer) ||
	    answer.head.kind != WIRE_REFUSED)
		abort();
	close(fd);
	for (int i = 0; i < 3; i++) {
		if (say_as(task.socket_fd, &new_ids, sizeof(new_ids), getppid(), NOBODY, NOBODY) !=
		    0)
			abort();
		testify(&task);
	}
}

static void
credentials_of_other_processes_are_refused_by_berthd(void **state)
{
	if (getuid() != 0) {
		printf("   skipped: only root can lie to Linux\n");
		skip();
	}
	struct court court = court_open();

	assert_int_equal(hear(&court, lie_to_berthd, false), 3);
	court_close(&court);
}

/* ---- with connections of others ------------------------------------------------------ */

/* Is this connection dropped or refused? */
static bool
is_turned_away(int fd)
{
	struct wire_refused answer = { .head = { 0 } };
	struct pollfd look = { .fd = fd, .events = POLLIN };
	unsigned fd_count;
	int fds[8];

	if (poll(&look, 1, HANG_MS) != 1)
		return false;
	ssize_t n = raw_receive(fd, &answer, sizeof(answer), fds, &fd_count);

	return n <= 0 || answer.head.kind == WIRE_REFUSED;
}

/* Runs the rest in a child; the parent waits for it and returns. */
static bool
in_child(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		abort();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return true;
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		abort();
	return false;
}

static void
use_what_others_opened(struct court *court)
{
	struct wire_hello hello = { { WIRE_HELLO, sizeof(hello) }, WIRE_VERSION, 0 };
	struct wire_head forked = { WIRE_FORKED, sizeof(forked) };
	struct raw_task task = raw_task_new(&court->kernel);
	int fd = raw_connect(&court->kernel);

	/* a greeting on a connection that the parent made */
	if (in_child()) {
		raw_send(fd, &hello, sizeof(hello), NULL, 0);
		_exit(is_turned_away(fd) ? 0 : 1);
	}
	close(fd);
	/* a child that nobody asked for */
	fd = raw_connect(&court->kernel);
	raw_send(fd, &forked, sizeof(forked), NULL, 0);
	if (!is_turned_away(fd))
		abort();
	close(fd);
	/* the parent's task, told the child's ids */
	if (in_child()) {
		for (int i = 0; i < 3; i++)
			raw_send(task.socket_fd, &new_ids, sizeof(new_ids), NULL, 0);
		_exit(0);
	}
	testify(&task);
}

static void
connections_are_of_who_made_them(void **state)
{
	struct court court = court_open();

	assert_int_equal(hear(&court, use_what_others_opened, true), 1);
	court_close(&court);
}

/* The child's end that berthd makes for a fork. */
static int
ask_for_child(struct raw_task *task)
{
	struct wire_head ask = { WIRE_FORK, sizeof(ask) }, answer;
	unsigned fd_count;
	int fds[8];

	raw_send(task->socket_fd, &ask, sizeof(ask), NULL, 0);
	if (raw_receive(task->socket_fd, &answer, sizeof(answer), fds, &fd_count) !=
		(ssize_t)sizeof(answer) ||
	    answer.kind != WIRE_CHILD || fd_count != 1)
		abort();
	return fds[0];
}

/* A task forks itself: two tasks, one process, and both say so. */
static void
fork_without_fork(struct court *court)
{
	struct raw_task task = raw_task_new(&court->kernel), second;
	struct wire_head forked = { WIRE_FORKED, sizeof(forked) };

	second = raw_task_greet(ask_for_child(&task), WIRE_FORKED);
	testify(&second);
	/* it cannot be born twice, as somebody else */
	raw_send(second.socket_fd, &forked, sizeof(forked), NULL, 0);
	testify(&second);
	if (getuid() != 0) {
		int fd = ask_for_child(&task);

		if (say_as(fd, &forked, sizeof(forked), getppid(), 0, 0) == 0 ||
		    say_as(fd, &forked, sizeof(forked), getpid(), 0, 0) == 0)
			abort();
		close(fd);
	}
	testify(&task);
}

static void
a_task_that_is_its_own_child_is_the_same_process(void **state)
{
	struct court court = court_open();

	assert_int_equal(hear(&court, fork_without_fork, true), 3);
	court_close(&court);
}

/* ---- pids that come again -------------------------------------------------------------- */

/* A process that only sleeps, with that pid; -1: not to be had. */
static pid_t
sleeper_with_pid(pid_t pid)
{
	struct clone_args args = { .exit_signal = SIGCHLD,
				   .set_tid = (uintptr_t)&pid,
				   .set_tid_size = 1 };
	pid_t sleeper = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (sleeper == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (sleeper == 0)
		pause();
	return sleeper;
}

static bool
messages_show_processes(void)
{
	int ends[2], on = 1;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	bool known = setsockopt(ends[0], SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on)) == 0;
	close(ends[0]);
	close(ends[1]);
	return known;
}

/* Its greeting is read when it has ended, and its parent still has its connection. */
static void
who_has_a_dead_childs_pid_now_is_not_that_child(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct wire_head forked = { WIRE_FORKED, sizeof(forked) };
	int fd = ask_for_child(&task), status;

	(void)state;
	kill(kernel.pid, SIGSTOP);
	assert_int_equal(waitpid(kernel.pid, &status, WUNTRACED), kernel.pid);
	pid_t child = fork();
	if (child == 0) {
		raw_send(fd, &forked, sizeof(forked), NULL, 0);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	pid_t other = sleeper_with_pid(child);
	kill(kernel.pid, SIGCONT);
	bool is_possible = other > 0 && messages_show_processes();
	if (is_possible) {
		struct pollfd look = { .fd = fd, .events = POLLIN };
		struct wire_welcome welcome;
		unsigned fd_count;
		int fds[8];
		ssize_t n;

		/* a welcome at most, and the end of it */
		do {
			assert_int_equal(poll(&look, 1, HANG_MS), 1);
			n = raw_receive(fd, &welcome, sizeof(welcome), fds, &fd_count);
			for (unsigned i = 0; n > 0 && i < fd_count; i++)
				close(fds[i]);
		} while (n > 0);
	}
	if (other > 0) {
		kill(other, SIGKILL);
		waitpid(other, &status, 0);
	}
	close(fd);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
	if (!is_possible)
		skip();
}

/* A root's child connection in the hands of somebody who is not root. */
static void
give_a_child_away(struct court *court)
{
	struct raw_task task = raw_task_new(&court->kernel);
	struct wire_head forked = { WIRE_FORKED, sizeof(forked) };
	int fd = ask_for_child(&task);

	if (in_child()) {
		if (!drop_to_nobody())
			abort();
		raw_send(fd, &forked, sizeof(forked), NULL, 0);
		close(task.socket_fd);
		_exit(is_turned_away(fd) ? 0 : 1);
	}
	close(fd);
	testify(&task);
}

static void
a_child_of_another_user_is_turned_away(void **state)
{
	if (getuid() != 0) {
		printf("   skipped: only root can become somebody else\n");
		skip();
	}
	struct court court = court_open();

	assert_int_equal(hear(&court, give_a_child_away, false), 1);
	court_close(&court);
}

/* ---- true changes -------------------------------------------------------------------- */

static void
become_nobody(struct court *court)
{
	struct raw_task task = raw_task_new(&court->kernel);

	if (!drop_to_nobody() ||
	    say_as(task.socket_fd, &new_ids, sizeof(new_ids), getpid(), NOBODY, NOBODY) != 0)
		abort();
	testify(&task);
	/* there is no way back */
	if (say_as(task.socket_fd, &new_ids, sizeof(new_ids), getpid(), 0, 0) == 0)
		abort();
	testify(&task);
}

static void
who_drops_root_is_not_root_in_the_next_message(void **state)
{
	if (getuid() != 0) {
		printf("   skipped: only root can become somebody else\n");
		skip();
	}
	struct court court = court_open();
	struct truth truth = { .uid = NOBODY, .gid = NOBODY };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		become_nobody(&court);
		_exit(0);
	}
	truth.pid = (uint32_t)pid;
	assert_true(judge(&court, &truth, HANG_MS));
	assert_true(judge(&court, &truth, HANG_MS));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	court_close(&court);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_byte_of_a_message_changes_who_sent_it),
		cmocka_unit_test(random_messages_say_who_sent_them),
		cmocka_unit_test(credentials_of_others_are_refused_by_linux),
		cmocka_unit_test(credentials_of_other_processes_are_refused_by_berthd),
		cmocka_unit_test(connections_are_of_who_made_them),
		cmocka_unit_test(a_task_that_is_its_own_child_is_the_same_process),
		cmocka_unit_test(who_has_a_dead_childs_pid_now_is_not_that_child),
		cmocka_unit_test(a_child_of_another_user_is_turned_away),
		cmocka_unit_test(who_drops_root_is_not_root_in_the_next_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
