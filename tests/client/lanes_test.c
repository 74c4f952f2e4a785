/*
 * Lanes between two processes, as programs meet them: what they are told is the same, and the
 * messages do not pass through the kernel.
 *
 * The service is a child that answers each request with what it was sent.  Some of its answers
 * say who the kernel said had sent it.
 */
#include "kernel_test.h"

#include "client/mach_lane_parts.h"

#include <servers/bootstrap.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SIZE_MAX_BYTES 70000u
#define TRAILER MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0)
#define AUDIT (TRAILER | MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT))

enum operation { ECHO = 1, WHO, LATER, NEVER, DROP, QUIET, COUNT };

struct call {
	mach_msg_header_t header;
	uint32_t operation;
	uint32_t number;
	uint8_t bytes[SIZE_MAX_BYTES];
};

#define CALL_SIZE ((mach_msg_size_t)offsetof(struct call, bytes))

static mach_port_t service;
static pid_t service_pid;
static char service_name[64];

/* ---- the service ------------------------------------------------------------------------ */

static uint32_t
pid_in(const mach_msg_header_t *message)
{
	const mach_msg_audit_trailer_t *trailer =
	    (const void *)((const uint8_t *)message + message->msgh_size);

	return trailer->msgh_audit.val[5];
}

static void
serve(mach_port_t port)
{
	static struct call request;
	mach_port_t kept = MACH_PORT_NULL;
	uint32_t quiet_count = 0, in_order = 1;

	for (;;) {
		mach_msg_size_t size;

		if (mach_msg(&request.header, MACH_RCV_MSG | AUDIT, 0, sizeof(request), port, 0,
			     0) != MACH_MSG_SUCCESS)
			_exit(1);
		size = request.header.msgh_size;
		switch (request.operation) {
		case QUIET:
			in_order &= request.number == quiet_count++;
			continue;
		case COUNT:
			request.number = in_order ? quiet_count : UINT32_MAX;
			quiet_count = 0;
			in_order = 1;
			break;
		case WHO:
			request.number = pid_in(&request.header);
			break;
		case LATER: /* answered when the next request comes */
			kept = request.header.msgh_remote_port;
			continue;
		case NEVER:
			continue;
		case DROP:
			mach_port_deallocate(mach_task_self(), request.header.msgh_remote_port);
			continue;
		default:
			break;
		}
		for (int i = 0; i < 2; i++) {
			mach_port_t to = i == 0 ? request.header.msgh_remote_port : kept;

			if (to == MACH_PORT_NULL)
				continue;
			request.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0);
			request.header.msgh_local_port = MACH_PORT_NULL;
			request.header.msgh_remote_port = to;
			if (mach_msg(&request.header, MACH_SEND_MSG, size, 0, 0, 0, 0) !=
			    MACH_MSG_SUCCESS)
				_exit(2);
		}
		kept = MACH_PORT_NULL;
	}
}

static boolean_t
echo(mach_msg_header_t *request, mach_msg_header_t *reply)
{
	memcpy(reply, request, CALL_SIZE + sizeof(kern_return_t));
	reply->msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0);
	reply->msgh_local_port = MACH_PORT_NULL;
	((mig_reply_error_t *)reply)->RetCode = KERN_SUCCESS;
	return TRUE;
}

/* ---- calls ------------------------------------------------------------------------------ */

static struct call buffer;

static mach_msg_return_t
ask(mach_port_t reply, uint32_t operation, uint32_t number, mach_msg_size_t size)
{
	buffer.header = (mach_msg_header_t){
		.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE),
		.msgh_remote_port = service,
		.msgh_local_port = reply,
		.msgh_id = (mach_msg_id_t)number,
	};
	buffer.operation = operation;
	buffer.number = number;
	return mach_msg(&buffer.header, MACH_SEND_MSG, size, 0, 0, 0, 0);
}

/* One call; what was answered. */
static uint32_t
call(mach_port_t reply, uint32_t operation, uint32_t number)
{
	assert_int_equal(ask(reply, operation, number, CALL_SIZE), MACH_MSG_SUCCESS);
	assert_int_equal(
	    mach_msg(&buffer.header, MACH_RCV_MSG | AUDIT, 0, sizeof(buffer), reply, 0, 0),
	    MACH_MSG_SUCCESS);
	assert_int_equal(buffer.header.msgh_bits, MACH_MSGH_BITS(0, MACH_MSG_TYPE_PORT_SEND_ONCE));
	assert_int_equal(buffer.header.msgh_local_port, reply);
	assert_int_equal(buffer.header.msgh_id, number);
	return buffer.number;
}

/* Messages of this process that went by lanes. */
static uint64_t
sent_by_lanes(void)
{
	uint64_t sent = 0;

	for (uint32_t i = 0; lanes.table != NULL && i < MACH_LANE_MAX; i++)
		sent += atomic_load(&lanes.table->entries[i].sent);
	return sent;
}

static bool
lanes_are_forced(void)
{
	const char *wanted = getenv("BERTH_LANES");

	return wanted != NULL && atoi(wanted) > 0;
}

/* Calls until both sides have their lane. */
static mach_port_t
warm_reply_port(void)
{
	mach_port_t reply = mach_reply_port();

	for (uint32_t i = 0; i < 300; i++)
		assert_int_equal(call(reply, ECHO, i), i);
	return reply;
}

static void
reply_port_end(mach_port_t reply)
{
	assert_int_equal(mach_port_mod_refs(mach_task_self(), reply, MACH_PORT_RIGHT_RECEIVE, -1),
			 KERN_SUCCESS);
}

static int
start(void (*service_serve)(mach_port_t port))
{
	static int number;

	snprintf(service_name, sizeof(service_name), "berth.test.lanes.%d", ++number);
	service_pid = fork();
	if (service_pid == 0) {
		mach_port_t port;
		struct mach_port_limits limits = { .mpl_qlimit = 1000 };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (bootstrap_check_in(bootstrap_port, service_name, &port) != KERN_SUCCESS ||
		    mach_port_set_attributes(mach_task_self(), port, MACH_PORT_LIMITS_INFO,
					     (mach_port_info_t)&limits,
					     MACH_PORT_LIMITS_INFO_COUNT) != KERN_SUCCESS)
			_exit(3);
		service_serve(port);
	}
	while (bootstrap_look_up(bootstrap_port, service_name, &service) != KERN_SUCCESS)
		usleep(1000);
	return 0;
}

static int
service_start(void **state)
{
	(void)state;
	return start(serve);
}

static void
serve_stubs(mach_port_t port)
{
	mach_msg_server(echo, 4096, port, MACH_MSG_OPTION_NONE);
	_exit(1);
}

static int
stubs_start(void **state)
{
	(void)state;
	return start(serve_stubs);
}

static int
service_end(void **state)
{
	(void)state;
	kill(service_pid, SIGKILL);
	waitpid(service_pid, NULL, 0);
	return mach_port_deallocate(mach_task_self(), service) == KERN_SUCCESS ? 0 : -1;
}

/* ---- by the lane ------------------------------------------------------------------------ */

static void
calls_go_by_the_lane(void **state)
{
	mach_port_t reply = warm_reply_port();
	uint64_t before = sent_by_lanes();

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(call(reply, ECHO, i), i);
	if (lanes_are_forced())
		assert_int_equal(sent_by_lanes() - before, 1000);
	reply_port_end(reply);
}

/* Those of mach_msg_server(), and what a client may say that changes nothing here. */
static void
options_that_make_no_difference_go_by_the_lane(void **state)
{
	const mach_msg_option_t options[] = { 0,
					      MACH_SEND_OVERRIDE,
					      MACH_SEND_NOIMPORTANCE,
					      MACH_SEND_PROPAGATE_QOS | MACH_SEND_SYNC_OVERRIDE,
					      MACH_MSG_STRICT_REPLY | MACH_RCV_GUARDED_DESC,
					      MACH_SEND_SYNC_BOOTSTRAP_CHECKIN };
	mach_port_t reply = mach_reply_port();

	(void)state;
	for (uint32_t i = 0; i < 300 + 100 * sizeof(options) / sizeof(options[0]); i++) {
		uint64_t before = sent_by_lanes();
		mach_msg_option_t option = i < 300 ? 0 : options[(i - 300) / 100];

		buffer.header = (mach_msg_header_t){
			.msgh_bits =
			    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE),
			.msgh_remote_port = service,
			.msgh_local_port = reply,
		};
		buffer.number = i;
		assert_int_equal(mach_msg(&buffer.header, MACH_SEND_MSG | MACH_RCV_MSG | option,
					  CALL_SIZE + sizeof(kern_return_t), sizeof(buffer), reply,
					  0, 0),
				 MACH_MSG_SUCCESS);
		assert_int_equal(buffer.number, i);
		assert_int_equal(buffer.header.msgh_voucher_port, MACH_PORT_NULL);
		if (lanes_are_forced() && i >= 300)
			assert_int_equal(sent_by_lanes() - before, 1);
	}
	reply_port_end(reply);
}

static void
both_sides_are_told_who_the_other_is(void **state)
{
	mach_port_t reply = warm_reply_port();

	(void)state;
	assert_int_equal(call(reply, WHO, 7), (uint32_t)getpid());
	assert_int_equal(pid_in(&buffer.header), (uint32_t)service_pid);
	reply_port_end(reply);
}

static void
sequence_numbers_count_every_message(void **state)
{
	mach_port_t reply = warm_reply_port();
	uint32_t first = 0;

	(void)state;
	for (uint32_t i = 0; i < 20; i++) {
		const mach_msg_audit_trailer_t *trailer;

		call(reply, ECHO, i);
		trailer = (const void *)((const uint8_t *)&buffer + buffer.header.msgh_size);
		if (i == 0)
			first = trailer->msgh_seqno;
		assert_int_equal(trailer->msgh_seqno, first + i);
		if (i == 10) { /* the kernel is asked in between */
			mach_port_status_t status;
			mach_msg_type_number_t count = MACH_PORT_RECEIVE_STATUS_COUNT;

			assert_int_equal(mach_port_get_attributes(
					     mach_task_self(), reply, MACH_PORT_RECEIVE_STATUS,
					     (mach_port_info_t)&status, &count),
					 KERN_SUCCESS);
			assert_int_equal(status.mps_seqno, first + i + 1);
		}
	}
	reply_port_end(reply);
}

static void
messages_of_any_size_come_back_as_they_were(void **state)
{
	mach_port_t reply = warm_reply_port();

	(void)state;
	for (uint32_t size = CALL_SIZE; size + 64 < SIZE_MAX_BYTES;
	     size = size < 200 ? size + 4 : (size + size / 16) & ~3u) {
		for (uint32_t i = 0; i < size - CALL_SIZE; i++)
			buffer.bytes[i] = (uint8_t)(i * 7 + size);
		assert_int_equal(ask(reply, ECHO, size, size), MACH_MSG_SUCCESS);
		memset(buffer.bytes, 0, size - CALL_SIZE);
		assert_int_equal(
		    mach_msg(&buffer.header, MACH_RCV_MSG, 0, sizeof(buffer), reply, 0, 0),
		    MACH_MSG_SUCCESS);
		assert_int_equal(buffer.header.msgh_size, size);
		assert_int_equal(buffer.number, size);
		for (uint32_t i = 0; i < size - CALL_SIZE; i++)
			if (buffer.bytes[i] != (uint8_t)(i * 7 + size))
				fail_msg("byte %u of %u is wrong", i, size);
	}
	reply_port_end(reply);
}

static void
a_buffer_that_is_too_small_is_told_so(void **state)
{
	mach_port_t reply = warm_reply_port();
	struct {
		mach_msg_header_t header;
		uint8_t room[64];
	} small;

	(void)state;
	assert_int_equal(ask(reply, ECHO, 1, 1000), MACH_MSG_SUCCESS);
	assert_int_equal(
	    mach_msg(&small.header, MACH_RCV_MSG | MACH_RCV_LARGE, 0, sizeof(small), reply, 0, 0),
	    MACH_RCV_TOO_LARGE);
	assert_int_equal(small.header.msgh_size, 1000);
	assert_int_equal(mach_msg(&buffer.header, MACH_RCV_MSG, 0, sizeof(buffer), reply, 0, 0),
			 MACH_MSG_SUCCESS);
	assert_int_equal(buffer.number, 1);
	reply_port_end(reply);
}

static void
many_messages_one_way_arrive_in_their_order(void **state)
{
	mach_port_t reply = warm_reply_port();

	(void)state;
	for (uint32_t i = 0; i < 50000; i++) {
		struct {
			mach_msg_header_t header;
			uint32_t operation, number;
		} one = { .header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
				      .msgh_remote_port = service },
			  .operation = QUIET,
			  .number = i };

		assert_int_equal(mach_msg(&one.header, MACH_SEND_MSG, CALL_SIZE, 0, 0, 0, 0),
				 MACH_MSG_SUCCESS);
	}
	assert_int_equal(call(reply, COUNT, 0), 50000);
	reply_port_end(reply);
}

/* Looks at calls in any order, while they are answered in theirs. */
#define FOLLOWERS 3u
#define FOLLOWED 30000u

/* Sends the messages whose turn is @own: each is sent when the one before it is. */
static void
follow(_Atomic uint32_t *turn, uint32_t own)
{
	mach_port_t reply;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (bootstrap_look_up(bootstrap_port, service_name, &service) != KERN_SUCCESS)
		_exit(1);
	reply = warm_reply_port();
	buffer.header = (mach_msg_header_t){
		.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
		.msgh_remote_port = service,
	};
	buffer.operation = QUIET;
	for (uint32_t i = own; i < FOLLOWED; i += FOLLOWERS) {
		while (atomic_load(turn) != i)
			sched_yield();
		buffer.number = i;
		if (mach_msg(&buffer.header, MACH_SEND_MSG, CALL_SIZE, 0, 0, 0, 0) !=
		    MACH_MSG_SUCCESS)
			_exit(2);
		atomic_store(turn, i + 1);
	}
	reply_port_end(reply);
	_exit(0);
}

static void
senders_who_follow_each_other_keep_their_order(void **state)
{
	_Atomic uint32_t *turn =
	    mmap(NULL, sizeof(*turn), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mach_port_t reply = warm_reply_port();
	pid_t children[FOLLOWERS];
	int status;

	(void)state;
	assert_ptr_not_equal(turn, MAP_FAILED);
	for (uint32_t i = 0; i < FOLLOWERS; i++) {
		children[i] = fork();
		if (children[i] == 0)
			follow(turn, i);
	}
	for (uint32_t i = 0; i < FOLLOWERS; i++) {
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(call(reply, COUNT, 0), FOLLOWED);
	reply_port_end(reply);
	munmap((void *)turn, sizeof(*turn));
}

static void
several_answers_arrive_in_their_order(void **state)
{
	enum { UNDER_WAY = 16, ASKED = 30000 };
	mach_port_t reply = warm_reply_port();
	mach_port_status_t status;
	mach_msg_type_number_t count = MACH_PORT_RECEIVE_STATUS_COUNT;
	uint32_t asked = 0;

	(void)state;
	for (uint32_t i = 0; i < ASKED; i++) {
		for (; asked < ASKED && asked - i < UNDER_WAY; asked++)
			assert_int_equal(ask(reply, ECHO, asked, CALL_SIZE), MACH_MSG_SUCCESS);
		if (i % 64 < 8) /* the kernel is asked in between */
			assert_int_equal(mach_port_get_attributes(
					     mach_task_self(), reply, MACH_PORT_RECEIVE_STATUS,
					     (mach_port_info_t)&status, &count),
					 KERN_SUCCESS);
		assert_int_equal(
		    mach_msg(&buffer.header, MACH_RCV_MSG, 0, sizeof(buffer), reply, 0, 0),
		    MACH_MSG_SUCCESS);
		assert_int_equal(buffer.number, i);
	}
	reply_port_end(reply);
}

/* ---- waiting ---------------------------------------------------------------------------- */

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void
a_time_out_ends_the_wait_and_the_answer_comes_later(void **state)
{
	mach_port_t reply = warm_reply_port();
	uint64_t begun = now_ms();

	(void)state;
	assert_int_equal(ask(reply, LATER, 5, CALL_SIZE), MACH_MSG_SUCCESS);
	assert_int_equal(mach_msg(&buffer.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
				  sizeof(buffer), reply, 30, 0),
			 MACH_RCV_TIMED_OUT);
	assert_true(now_ms() - begun >= 30);
	assert_int_equal(ask(reply, ECHO, 6, CALL_SIZE), MACH_MSG_SUCCESS);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    mach_msg(&buffer.header, MACH_RCV_MSG, 0, sizeof(buffer), reply, 0, 0),
		    MACH_MSG_SUCCESS);
		assert_int_equal(buffer.number, 6); /* both were answered with the second one */
	}
	reply_port_end(reply);
}

static void
who_drops_the_right_to_answer_is_told_of(void **state)
{
	mach_port_t reply = warm_reply_port();

	(void)state;
	assert_int_equal(ask(reply, DROP, 5, CALL_SIZE), MACH_MSG_SUCCESS);
	assert_int_equal(mach_msg(&buffer.header, MACH_RCV_MSG, 0, sizeof(buffer), reply, 0, 0),
			 MACH_MSG_SUCCESS);
	assert_int_equal(buffer.header.msgh_id, MACH_NOTIFY_SEND_ONCE);
	reply_port_end(reply);
}

static void *
kill_service(void *unused)
{
	(void)unused;
	usleep(20000);
	kill(service_pid, SIGKILL);
	return NULL;
}

static void
the_death_of_the_service_ends_the_wait(void **state)
{
	mach_port_t reply = warm_reply_port();
	pthread_t killer;

	(void)state;
	assert_int_equal(ask(reply, NEVER, 5, CALL_SIZE), MACH_MSG_SUCCESS);
	assert_int_equal(pthread_create(&killer, NULL, kill_service, NULL), 0);
	assert_int_equal(mach_msg(&buffer.header, MACH_RCV_MSG, 0, sizeof(buffer), reply, 0, 0),
			 MACH_MSG_SUCCESS);
	assert_int_equal(buffer.header.msgh_id, MACH_NOTIFY_SEND_ONCE);
	pthread_join(killer, NULL);
	assert_int_equal(ask(reply, ECHO, 6, CALL_SIZE), MACH_SEND_INVALID_DEST);
	reply_port_end(reply);
}

static void *
end_port(void *port)
{
	usleep(20000);
	reply_port_end((mach_port_t)(uintptr_t)port);
	return NULL;
}

static void
the_end_of_the_port_ends_the_wait(void **state)
{
	mach_port_t reply = warm_reply_port();
	pthread_t thread;

	(void)state;
	assert_int_equal(ask(reply, NEVER, 5, CALL_SIZE), MACH_MSG_SUCCESS);
	assert_int_equal(pthread_create(&thread, NULL, end_port, (void *)(uintptr_t)reply), 0);
	assert_int_equal(mach_msg(&buffer.header, MACH_RCV_MSG, 0, sizeof(buffer), reply, 0, 0),
			 MACH_RCV_PORT_CHANGED);
	pthread_join(thread, NULL);
}

/* ---- threads, handlers, children -------------------------------------------------------- */

static void *
call_often(void *unused)
{
	mach_port_t reply = mach_reply_port();
	uintptr_t wrong = 0;

	(void)unused;
	for (uint32_t i = 0; i < 2000; i++) {
		struct {
			mach_msg_header_t header;
			uint32_t operation, number;
			mach_msg_max_trailer_t trailer;
		} m = { .header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
								MACH_MSG_TYPE_MAKE_SEND_ONCE),
				    .msgh_remote_port = service,
				    .msgh_local_port = reply },
			.operation = ECHO,
			.number = i + (uint32_t)(reply << 12) };
		uint32_t number = m.number;

		if (mach_msg(&m.header, MACH_SEND_MSG | MACH_RCV_MSG, CALL_SIZE, sizeof(m), reply,
			     0, 0) != MACH_MSG_SUCCESS ||
		    m.number != number)
			wrong++;
	}
	mach_port_mod_refs(mach_task_self(), reply, MACH_PORT_RIGHT_RECEIVE, -1);
	return (void *)wrong;
}

static void
threads_get_their_own_answers(void **state)
{
	pthread_t threads[4];
	void *wrong;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_often, NULL), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
}

#define ANSWERS 1000u
static _Atomic uint32_t answers_taken;

/* Receives what others ask for. */
static void *
take_answers(void *context)
{
	static struct call answer;
	mach_port_t reply = *(mach_port_t *)context;

	for (uint32_t i = 0; i < ANSWERS; i++) {
		if (mach_msg(&answer.header, MACH_RCV_MSG, 0, sizeof(answer), reply, 0, 0) !=
			MACH_MSG_SUCCESS ||
		    answer.number != i)
			return &answer;
		atomic_store(&answers_taken, i + 1);
	}
	return NULL;
}

static void
who_waits_already_gets_answers_that_another_thread_asks_for(void **state)
{
	mach_port_t reply = mach_reply_port();
	uint64_t limit_ms = now_ms() + 20000;
	pthread_t taker;
	void *wrong;

	(void)state;
	atomic_store(&answers_taken, 0);
	pthread_create(&taker, NULL, take_answers, &reply);
	for (uint32_t i = 0; i < ANSWERS; i++) {
		if (i % 16 == 0)
			usleep(300); /* until it sleeps */
		assert_int_equal(ask(reply, ECHO, i, CALL_SIZE), MACH_MSG_SUCCESS);
		while (atomic_load(&answers_taken) < i + 1 && now_ms() < limit_ms)
			sched_yield();
		if (now_ms() >= limit_ms)
			fail_msg("answer %u was not taken", i);
	}
	pthread_join(taker, &wrong);
	assert_null(wrong);
	reply_port_end(reply);
}

static _Atomic uint32_t handled, handled_wrong;

static void
call_in_handler(int signal)
{
	int saved_errno = errno;

	(void)signal;
	if (handled >= 200)
		return;
	handled++;
	struct {
		mach_msg_header_t header;
		uint32_t operation, number;
		mach_msg_max_trailer_t trailer;
	} m = { .header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
							MACH_MSG_TYPE_MAKE_SEND_ONCE),
			    .msgh_remote_port = service },
		.operation = ECHO,
		.number = 4711 };

	m.header.msgh_local_port = mach_reply_port();
	mach_port_t reply = m.header.msgh_local_port;
	if (mach_msg(&m.header, MACH_SEND_MSG | MACH_RCV_MSG, CALL_SIZE, sizeof(m), reply, 0, 0) !=
		MACH_MSG_SUCCESS ||
	    m.number != 4711)
		handled_wrong++;
	mach_port_mod_refs(mach_task_self(), reply, MACH_PORT_RIGHT_RECEIVE, -1);
	errno = saved_errno;
}

static void
a_handler_that_calls_disturbs_nobody(void **state)
{
	mach_port_t reply = warm_reply_port();
	struct itimerval often = { .it_interval.tv_usec = 200, .it_value.tv_usec = 200 };
	struct itimerval never = { 0 };

	(void)state;
	handled = 0;
	signal(SIGALRM, call_in_handler);
	setitimer(ITIMER_REAL, &often, NULL);
	for (uint32_t i = 0; handled < 200; i++)
		assert_int_equal(call(reply, ECHO, i), i);
	setitimer(ITIMER_REAL, &never, NULL);
	signal(SIGALRM, SIG_IGN);
	assert_int_equal(handled_wrong, 0);
	reply_port_end(reply);
}

static void
fork_in_handler(int signal)
{
	int saved_errno = errno;
	pid_t child;

	(void)signal;
	if (handled >= 5)
		return;
	handled++;
	child = fork();
	if (child == 0)
		return; /* back into the middle of the parent's wait */
	waitpid(child, NULL, 0);
	errno = saved_errno;
}

static void
a_child_that_was_forked_in_the_middle_of_a_wait_comes_back(void **state)
{
	mach_port_t reply = warm_reply_port();
	struct itimerval often = { .it_interval.tv_usec = 5000, .it_value.tv_usec = 5000 };
	struct itimerval never = { 0 };
	pid_t parent = getpid();

	(void)state;
	handled = 0;
	signal(SIGALRM, fork_in_handler);
	setitimer(ITIMER_REAL, &often, NULL);
	for (uint32_t i = 0; handled < 5; i++) {
		mach_msg_return_t code = ask(reply, i % 50 ? ECHO : LATER, i, CALL_SIZE);

		if (code == MACH_MSG_SUCCESS)
			code = mach_msg(&buffer.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
					sizeof(buffer), reply, 2, 0); /* shorter than the timer's:
								   else each of its signals begins
								   it anew */
		if (getpid() != parent)
			_exit(0); /* without its parent's names, and alive */
		assert_true(code == MACH_MSG_SUCCESS || code == MACH_RCV_TIMED_OUT);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	signal(SIGALRM, SIG_IGN);
	if (getpid() != parent)
		_exit(0); /* the last one may be forked behind the call */
	reply_port_end(reply);
}

static void
a_child_begins_anew(void **state)
{
	mach_port_t reply = warm_reply_port();
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		mach_port_t own = mach_reply_port();

		/* the names of its parent are none of its own */
		_exit(ask(own, ECHO, 1, CALL_SIZE) == MACH_SEND_INVALID_DEST ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(call(reply, ECHO, 3), 3);
	reply_port_end(reply);
}

#define TEST_OF(name_) cmocka_unit_test_setup_teardown(name_, service_start, service_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OF(calls_go_by_the_lane),
		cmocka_unit_test_setup_teardown(options_that_make_no_difference_go_by_the_lane,
						stubs_start, service_end),
		TEST_OF(both_sides_are_told_who_the_other_is),
		TEST_OF(sequence_numbers_count_every_message),
		TEST_OF(messages_of_any_size_come_back_as_they_were),
		TEST_OF(a_buffer_that_is_too_small_is_told_so),
		TEST_OF(many_messages_one_way_arrive_in_their_order),
		TEST_OF(senders_who_follow_each_other_keep_their_order),
		TEST_OF(several_answers_arrive_in_their_order),
		TEST_OF(a_time_out_ends_the_wait_and_the_answer_comes_later),
		TEST_OF(who_drops_the_right_to_answer_is_told_of),
		TEST_OF(the_death_of_the_service_ends_the_wait),
		TEST_OF(the_end_of_the_port_ends_the_wait),
		TEST_OF(threads_get_their_own_answers),
		TEST_OF(who_waits_already_gets_answers_that_another_thread_asks_for),
		TEST_OF(a_handler_that_calls_disturbs_nobody),
		TEST_OF(a_child_that_was_forked_in_the_middle_of_a_wait_comes_back),
		TEST_OF(a_child_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
