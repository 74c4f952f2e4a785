/*
 * Stopped tasks: one that asks by its socket and reads no answer, one whose queue is full and has
 * senders waiting, one in the middle of a trap.  Others go on, berthd's memory stays bounded, and
 * who goes on again has missed nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/observe.h"
#include "tests/attack/traffic.h"

#define PEERS 8u
#define ASKS_MAX 100000u /* more than any socket takes */
#define MEMORY_KB 32768u /* what stopped tasks may cost, and an allocator keep */
#define SENDERS 16u
#define QUEUE_LIMIT 5u /* of a port that nobody gave another one */
#define LETTERS 20u    /* of each sender */
#define LETTER_BYTES 40000u
#define SELF ((uint64_t)BERTH_NAME_TASK_SELF)
#define HANG_MS 20000u

/* Runs @run in a process of its own, which stops itself once. */
static pid_t
start_and_await_stop(void (*run)(const struct raw_kernel *, unsigned *),
		     const struct raw_kernel *kernel, unsigned *asked)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		run(kernel, asked);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	return pid;
}

static void
go_on_to_the_end(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Others are served: a whole new task, and a call of it. */
static void
others_go_on(const struct raw_kernel *kernel)
{
	for (unsigned i = 0; i < 10; i++) {
		struct raw_task task = raw_task_new(kernel);

		raw_port(&task, 0);
		raw_task_free(&task);
	}
}

static void
memory_is_bounded(const struct raw_kernel *kernel, const struct observation *before)
{
#ifndef ATTACK_ASAN /* which keeps what is freed */
	assert_in_range(observe(kernel).rss_kb, 0, before->rss_kb + MEMORY_KB);
#else
	observe(kernel);
#endif
}

/* ---- answers that nobody reads --------------------------------------------------------------- */

/* Asks for its waker until its socket takes no more, stops, and reads all answers. */
static void
ask_and_stop(const struct raw_kernel *kernel, unsigned *asked)
{
	struct raw_task task = raw_task_new(kernel);
	struct wire_thread ask = { { WIRE_WAKER, sizeof(ask) }, task.welcome.slot_index, 1 };
	unsigned count = 0;

	/* full once is not full for good: berthd may just be reading */
	for (unsigned quiet = 0; quiet < 50 && count < ASKS_MAX;) {
		if (send(task.socket_fd, &ask, sizeof(ask), MSG_DONTWAIT) == sizeof(ask)) {
			count++;
			quiet = 0;
		} else {
			assert_int_equal(errno, EAGAIN);
			poll(NULL, 0, 2);
			quiet++;
		}
	}
	*asked = count;
	raise(SIGSTOP);
	for (unsigned i = 0; i < count; i++) {
		struct wire_slot answer;
		int fds[8];
		unsigned fd_count;

		assert_int_equal(
		    raw_receive(task.socket_fd, &answer, sizeof(answer), fds, &fd_count),
		    sizeof(answer));
		assert_int_equal(answer.head.kind, WIRE_WAKER_IS);
		while (fd_count > 0)
			close(fds[--fd_count]);
	}
	raw_port(&task, 0);
	raw_task_free(&task);
}

static void
asking(const struct raw_kernel *kernel, void *context)
{
	struct observation before = observe(kernel);
	unsigned *asked = mmap(NULL, PEERS * sizeof(*asked), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[PEERS];

	assert_ptr_not_equal(asked, MAP_FAILED);
	for (unsigned i = 0; i < PEERS; i++)
		pids[i] = start_and_await_stop(ask_and_stop, kernel, &asked[i]);
	printf("   %u questions without an answer read\n", asked[0]);
	for (unsigned i = 0; i < PEERS; i++)
		assert_in_range(asked[i], 2, ASKS_MAX - 1);
	others_go_on(kernel);
	memory_is_bounded(kernel, &before);
	for (unsigned i = 0; i < PEERS; i++)
		go_on_to_the_end(pids[i]);
	munmap(asked, PEERS * sizeof(*asked));
}

static void
a_stopped_task_that_reads_no_answers_costs_nobody(void **state)
{
	attack(asking, NULL, HANG_MS);
}

/* ---- in the middle of a trap ----------------------------------------------------------------- */

/* One thread has asked for what will come, one for what needs room, one for what takes time. */
static void
trap_and_stop(const struct raw_kernel *kernel, unsigned *asked)
{
	struct raw_task task = raw_task_new(kernel);
	mach_port_name_t full = raw_port(&task, 0), empty = raw_port(&task, 0);
	uint32_t sender = raw_thread_new(&task, WIRE_NO_SLOT);
	uint32_t sleeper = raw_thread_new(&task, WIRE_NO_SLOT);
	mach_msg_header_t letter = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
				     .msgh_size = sizeof(letter),
				     .msgh_remote_port = full };
	uint64_t send[] = { MACH_SEND_MSG, sizeof(letter) };
	uint64_t receive[] = { MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 256, empty, 50 };
	struct trap_slot *slot = raw_slot(&task, sender);
	unsigned count = 0;

	for (;;) { /* until a send waits for room */
		memcpy(slot->data, &letter, sizeof(letter));
		raw_fill(slot, BERTH_TRAP_MSG, send, 2);
		slot->request.stream_size_bytes = slot->request.prefix_size_bytes = sizeof(letter);
		raw_publish(slot);
		raw_ring(&task, sender);
		count++;
		if (!raw_await(slot, 500))
			break;
		assert_int_equal(slot->reply.code, MACH_MSG_SUCCESS);
	}
	raw_ask(raw_slot(&task, sleeper), BERTH_TRAP_MSG, receive, 5);
	raw_ring(&task, sleeper);
	raw_ask(raw_slot(&task, 0), BERTH_TRAP_PORT_GET_REFS,
		(uint64_t[]){ SELF, full, MACH_PORT_RIGHT_SEND }, 3);
	raw_ring(&task, 0); /* and does not look */
	*asked = count;
	raise(SIGSTOP);
	assert_true(raw_await(raw_slot(&task, 0), HANG_MS));
	assert_int_equal(raw_slot(&task, 0)->reply.code, KERN_SUCCESS);
	assert_true(raw_await(raw_slot(&task, sleeper), HANG_MS));
	assert_int_equal(raw_slot(&task, sleeper)->reply.code, MACH_RCV_TIMED_OUT);
	for (unsigned i = 0; i < count; i++) /* with room, what waited comes in */
		assert_int_equal(raw_trap(&task, 0, BERTH_TRAP_MSG, 5,
					  (uint64_t)(MACH_RCV_MSG | MACH_RCV_TIMEOUT), (uint64_t)0,
					  (uint64_t)256, (uint64_t)full, (uint64_t)HANG_MS),
				 MACH_MSG_SUCCESS);
	assert_true(raw_await(slot, HANG_MS));
	assert_int_equal(slot->reply.code, MACH_MSG_SUCCESS);
	raw_task_free(&task);
}

static void
trapping(const struct raw_kernel *kernel, void *context)
{
	struct observation before = observe(kernel);
	unsigned *asked = mmap(NULL, PEERS * sizeof(*asked), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[PEERS];

	assert_ptr_not_equal(asked, MAP_FAILED);
	for (unsigned i = 0; i < PEERS; i++)
		pids[i] = start_and_await_stop(trap_and_stop, kernel, &asked[i]);
	others_go_on(kernel);
	poll(NULL, 0, 100); /* the times of receives end meanwhile */
	memory_is_bounded(kernel, &before);
	for (unsigned i = 0; i < PEERS; i++)
		go_on_to_the_end(pids[i]);
	munmap(asked, PEERS * sizeof(*asked));
}

static void
a_task_stopped_in_a_trap_finds_its_answer(void **state)
{
	attack(trapping, NULL, HANG_MS);
}

/* ---- a full queue ---------------------------------------------------------------------------- */

struct letter {
	mach_msg_header_t header;
	uint8_t bytes[LETTER_BYTES];
	mach_msg_max_trailer_t trailer;
};

#define LETTER_SIZE ((mach_msg_size_t)offsetof(struct letter, trailer))

/* Says where it receives, stops, and then receives everything. */
static void
receive_all(const struct raw_kernel *kernel, unsigned *asked)
{
	static struct letter letter;
	mach_msg_header_t hello = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
								MACH_MSG_TYPE_MAKE_SEND),
				    .msgh_size = sizeof(hello),
				    .msgh_remote_port = traffic_server() };

	assert_int_equal(
	    mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &hello.msgh_local_port),
	    KERN_SUCCESS);
	mach_port_t port = hello.msgh_local_port;

	assert_int_equal(mach_msg(&hello, MACH_SEND_MSG, sizeof(hello), 0, 0, 0, 0), KERN_SUCCESS);
	raise(SIGSTOP);
	for (unsigned i = 0; i < SENDERS * LETTERS; i++) {
		assert_int_equal(mach_msg(&letter.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
					  sizeof(letter), port, HANG_MS, 0),
				 KERN_SUCCESS);
		assert_int_equal(letter.bytes[LETTER_BYTES - 1], 7);
	}
}

static void *
send_letters(void *context)
{
	const mach_port_t *port = context;
	struct letter *letter = calloc(1, sizeof(*letter));
	mach_msg_return_t code = letter != NULL ? KERN_SUCCESS : KERN_RESOURCE_SHORTAGE;

	for (unsigned i = 0; i < LETTERS && code == KERN_SUCCESS; i++) {
		letter->header = (mach_msg_header_t){
			.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
			.msgh_size = LETTER_SIZE,
			.msgh_remote_port = *port,
		};
		letter->bytes[LETTER_BYTES - 1] = 7;
		code = mach_msg(&letter->header, MACH_SEND_MSG, LETTER_SIZE, 0, 0, 0, 0);
	}
	free(letter);
	return (void *)(uintptr_t)code;
}

static void
sending(const struct raw_kernel *kernel, void *context)
{
	struct {
		mach_msg_header_t header;
		mach_msg_max_trailer_t trailer;
	} hello;
	struct observation before = observe(kernel);
	pthread_t threads[SENDERS];
	unsigned unused;

	assert_int_equal(setenv("BERTH_KERNEL", kernel->path, 1), 0);
	mach_port_t port = traffic_port();
	pid_t pid = start_and_await_stop(receive_all, kernel, &unused);

	assert_int_equal(mach_msg(&hello.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(hello),
				  port, HANG_MS, 0),
			 KERN_SUCCESS);
	for (unsigned i = 0; i < SENDERS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, send_letters, &hello.header.msgh_remote_port),
		    0);
	/* five letters fill it, which some of the threads have sent by then */
	while (observe(kernel).messages < before.messages + QUEUE_LIMIT)
		poll(NULL, 0, 5);
	assert_int_equal(
	    traffic_send_number(hello.header.msgh_remote_port, 0, MACH_SEND_TIMEOUT, 0),
	    MACH_SEND_TIMED_OUT);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(traffic_send_number(port, i, 0, 0), KERN_SUCCESS);
		assert_int_equal(traffic_receive_number(port, HANG_MS), i);
	}
	others_go_on(kernel);
	memory_is_bounded(kernel, &before);
	assert_int_equal(kill(pid, SIGCONT), 0);
	for (unsigned i = 0; i < SENDERS; i++) {
		void *code;

		assert_int_equal(pthread_join(threads[i], &code), 0);
		assert_ptr_equal(code, NULL);
	}
	go_on_to_the_end(pid);
}

static void
a_stopped_receiver_gets_what_waited_for_its_full_queue(void **state)
{
	attack(sending, NULL, HANG_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stopped_task_that_reads_no_answers_costs_nobody),
		cmocka_unit_test(a_task_stopped_in_a_trap_finds_its_answer),
		cmocka_unit_test(a_stopped_receiver_gets_what_waited_for_its_full_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
