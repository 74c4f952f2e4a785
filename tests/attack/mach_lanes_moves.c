/*
 * Lanes whose port moves or is looked at, and whose ends are stopped, forked, replaced and traced,
 * while messages go by them as fast as they can: all is as without lanes, and nobody waits who
 * should not.
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/mach_lanes_scene.h"
#include "tests/attack/traffic.h"

#define WORST_MS 10000
#define ROUNDS 30u

/* ---- a receive right that moves ------------------------------------------------------------- */

#define CLIENTS 2u

struct moving_message {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_port_descriptor_t right;
	uint32_t pids[CLIENTS], said[CLIENTS]; /* who has said how much */
	mach_msg_max_trailer_t trailer;
};

#define MOVING_SIZE ((mach_msg_size_t)offsetof(struct moving_message, trailer))

/* What it has heard of @pid, who is new maybe. */
static uint32_t *
said_by(struct moving_message *state, uint32_t pid, struct scene_notes *notes)
{
	for (uint32_t i = 0; i < CLIENTS; i++) {
		if (state->pids[i] == 0)
			state->pids[i] = pid;
		if (state->pids[i] == pid)
			return &state->said[i];
	}
	scene_wrong(notes, "a client too many: %u", pid);
}

/* Serves at the port that has come; false: the test is over. */
static bool
hold(mach_port_t port, uint32_t count, struct moving_message *state, struct scene_notes *notes)
{
	struct scene_message message;

	for (; count > 0; count--) {
		mach_msg_return_t code = scene_receive(port, &message, 20);

		if (code == MACH_RCV_TIMED_OUT && atomic_load(&notes->stop) != 0)
			return false;
		if (code == MACH_RCV_TIMED_OUT)
			return true;
		if (code != MACH_MSG_SUCCESS)
			scene_wrong(notes, "a receive: 0x%x", (unsigned)code);
		/* of what came by a lane before the port moved the sender is not told */
		uint32_t pid = scene_pid_of_sender(&message.header);

		if (pid != UINT32_MAX && pid != message.pid)
			scene_wrong(notes, "from %u, who says %u", pid, message.pid);
		uint32_t *said = said_by(state, message.pid, notes);

		if (message.operation == SCENE_SAY && message.number != (*said)++)
			scene_wrong(notes, "said %u for %u", message.number, *said - 1);
		message.said = *said;
		if (message.header.msgh_remote_port != MACH_PORT_NULL)
			(void)scene_answer(&message);
		atomic_fetch_add(&notes->rounds, 1);
	}
	return true;
}

/* Serves at the port that comes, for a while, and passes it on with what it knows. */
static void
hold_and_pass(mach_port_t director, struct scene_notes *notes)
{
	mach_port_t own = scene_port(notes), other = MACH_PORT_NULL;
	uint64_t seed = (uint64_t)getpid();
	struct moving_message state;

	scene_say_hello(director, own);
	for (;;) {
		mach_msg_return_t code = mach_msg(&state.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
						  sizeof(state), own, 20, 0);

		if (code == MACH_RCV_TIMED_OUT && atomic_load(&notes->stop) != 0)
			return;
		if (code == MACH_RCV_TIMED_OUT)
			continue;
		if (code != MACH_MSG_SUCCESS)
			scene_wrong(notes, "the port does not come: 0x%x", (unsigned)code);
		if (state.right.disposition == MACH_MSG_TYPE_PORT_SEND) {
			other = state.right.name;
			continue;
		}
		if (!hold(state.right.name, 1 + attack_random(&seed) % 300, &state, notes))
			return;
		state.header.msgh_bits =
		    MACH_MSGH_BITS_COMPLEX | MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0);
		state.header.msgh_remote_port = other;
		state.header.msgh_local_port = MACH_PORT_NULL;
		state.right.disposition = MACH_MSG_TYPE_MOVE_RECEIVE;
		code = mach_msg(&state.header, MACH_SEND_MSG, MOVING_SIZE, 0, 0, 0, 0);
		if (code == MACH_SEND_INVALID_DEST) /* the other one has ended: so do we */
			return;
		if (code != MACH_MSG_SUCCESS)
			scene_wrong(notes, "the port does not go: 0x%x", (unsigned)code);
	}
}

static void
give(mach_port_t to, mach_port_t port, mach_msg_type_name_t disposition)
{
	struct moving_message message = {
		.header = { .msgh_bits =
				MACH_MSGH_BITS_COMPLEX | MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
			    .msgh_remote_port = to },
		.body = { 1 },
		.right = { .name = port,
			   .disposition = disposition,
			   .type = MACH_MSG_PORT_DESCRIPTOR },
	};

	assert_int_equal(mach_msg(&message.header, MACH_SEND_MSG, MOVING_SIZE, 0, 0, 0, 0),
			 MACH_MSG_SUCCESS);
}

static void
moving(const struct raw_kernel *kernel, uint64_t seed)
{
	struct scene_child holders[2] = { scene_start_server(hold_and_pass),
					  scene_start_server(hold_and_pass) };
	struct scene_child clients[CLIENTS];
	mach_port_t port;

	(void)kernel;
	(void)seed;
	assert_int_equal(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port),
			 KERN_SUCCESS);
	assert_int_equal(
	    mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND),
	    KERN_SUCCESS);
	for (uint32_t i = 0; i < 2; i++)
		give(holders[i].port, holders[1 - i].port, MACH_MSG_TYPE_COPY_SEND);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		clients[i] = scene_start(scene_client, port);
		atomic_store(&clients[i].notes->several, 1);
	}
	give(holders[0].port, port, MACH_MSG_TYPE_MOVE_RECEIVE);
	for (uint32_t i = 0; i < CLIENTS; i++)
		scene_await_rounds(&clients[i], 3000);
	for (uint32_t i = 0; i < CLIENTS; i++)
		scene_end_by_lanes(&clients[i], WORST_MS);
	for (uint32_t i = 0; i < 2; i++)
		scene_end(&holders[i]);
}

static void
a_receive_right_that_moves_takes_all_along_in_order(void **state)
{
	(void)state;
	scene_attack(moving);
}

/* ---- stopped -------------------------------------------------------------------------------- */

static void
stop(const struct scene_child *child)
{
	assert_int_equal(kill(child->pid, SIGSTOP), 0);
	assert_true(traffic_await_state(child->pid, 'T'));
}

static void
go_on(const struct scene_child *child)
{
	assert_int_equal(kill(child->pid, SIGCONT), 0);
}

#define STEP_MS 5u

/* Asks, and waits for answers for a short time only; each comes once, and in order. */
static void
ask_impatiently(mach_port_t server, struct scene_notes *notes)
{
	mach_port_t reply = mach_reply_port();
	uint32_t sent = 0, answered = 0;
	struct scene_message answer;

	while (atomic_load(&notes->stop) == 0 || answered < sent) {
		uint64_t begun_ns = wait_now_ns(), ns;
		mach_msg_return_t code = MACH_SEND_TIMED_OUT;

		if (atomic_load(&notes->stop) == 0)
			code =
			    scene_send(server, reply, SCENE_ASK, sent, MACH_SEND_TIMEOUT, STEP_MS);
		if (code != MACH_MSG_SUCCESS && code != MACH_SEND_TIMED_OUT)
			scene_wrong(notes, "question %u: 0x%x", sent, (unsigned)code);
		sent += code == MACH_MSG_SUCCESS;
		code = scene_receive(reply, &answer, STEP_MS);
		if (code == MACH_MSG_SUCCESS && answer.number != answered++)
			scene_wrong(notes, "answer %u for %u", answer.number, answered - 1);
		ns = wait_now_ns() - begun_ns;
		if (ns > atomic_load(&notes->worst_ns))
			atomic_store(&notes->worst_ns, ns);
		atomic_fetch_add(&notes->rounds, 1);
		atomic_store(&notes->by_lanes, scene_sent_by_lanes());
	}
}

static void
stopping(const struct raw_kernel *kernel, uint64_t seed)
{
	struct scene_child server = scene_start_server(scene_serve);
	struct scene_child other = scene_start_server(scene_serve);
	struct scene_child asker = scene_start(ask_impatiently, server.port);
	struct scene_child client = scene_start(scene_client, other.port);
	struct scene_child stopped = scene_start(scene_client, server.port);

	(void)kernel;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		const struct scene_child *victim = i % 2 == 0 ? &server : &stopped;

		scene_await_rounds(&asker, 20);
		scene_pause_us(attack_random(&seed) % 2000);
		stop(victim);
		/* who has to do with it waits no longer than he says, others not at all */
		scene_await_rounds(&asker, 3);
		scene_await_rounds(&client, 100);
		go_on(victim);
	}
	scene_end_by_lanes(&asker, WORST_MS);
	scene_end_by_lanes(&client, WORST_MS);
	scene_end_by_lanes(&stopped, WORST_MS);
	scene_end(&server);
	scene_end(&other);
}

static void
a_stopped_end_keeps_nobody_longer_than_he_says(void **state)
{
	(void)state;
	scene_attack(stopping);
}

/* ---- forked and replaced -------------------------------------------------------------------- */

/* A client whose children are clients, too, and end, or become other programs. */
static void
fork_often(mach_port_t server, struct scene_notes *notes)
{
	mach_port_t reply = mach_reply_port();
	uint32_t number = 0;

	for (uint32_t round = 0; !atomic_load(&notes->stop); round++) {
		struct scene_message answer;
		pid_t pid = round % 2 == 1 ? fork() : -1;
		int status;

		if (pid == 0) {
			server = traffic_server();
			reply = mach_reply_port();
		}
		for (uint32_t i = 0; i < 10; i++) {
			/* under way while a child is made */
			if (scene_send(server, reply, SCENE_ASK, ++number, 0, 0) !=
			    MACH_MSG_SUCCESS)
				scene_wrong(notes, "a question");
			if (scene_receive(reply, &answer, SCENE_HANG_MS) != MACH_MSG_SUCCESS ||
			    answer.number != number || answer.pid != (uint32_t)getpid())
				scene_wrong(notes, "an answer for %u of %d", answer.pid, getpid());
		}
		if (pid == 0) {
			for (uint32_t i = 0; i < 3; i++)
				scene_send(server, reply, SCENE_ASK, 0, 0, 0);
			if (round % 4 == 1)
				execl("/bin/true", "true", (char *)NULL);
			_exit(0);
		}
		if (pid > 0 && (waitpid(pid, &status, 0) != pid || status != 0))
			scene_wrong(notes, "a child: 0x%x", (unsigned)status);
		atomic_fetch_add(&notes->rounds, 1);
		atomic_store(&notes->by_lanes, scene_sent_by_lanes());
	}
}

static void
forking(const struct raw_kernel *kernel, uint64_t seed)
{
	struct scene_child server = scene_start_server(scene_serve);
	struct scene_child forker = scene_start(fork_often, server.port);
	struct scene_child client = scene_start(scene_client, server.port);

	(void)kernel;
	(void)seed;
	scene_await_rounds(&forker, 2 * ROUNDS);
	scene_await_rounds(&client, 500);
	scene_end_by_lanes(&forker, WORST_MS);
	scene_end_by_lanes(&client, WORST_MS);
	scene_end(&server);
}

static void
a_client_that_forks_in_the_middle_stays_who_it_is(void **state)
{
	(void)state;
	scene_attack(forking);
}

/* ---- traced --------------------------------------------------------------------------------- */

#define TRACED 300u

/* Has a lane, and then says what is to be seen when it is told to. */
static void
say_when_told(mach_port_t server, struct scene_notes *notes)
{
	mach_port_t reply = mach_reply_port();
	struct scene_message answer;
	uint32_t number = 0;

	while (atomic_load(&notes->strict) == 0 || number < TRACED) {
		bool is_told = atomic_load(&notes->strict) != 0;

		if (is_told && scene_send(server, MACH_PORT_NULL, SCENE_SAY, number++, 0, 0) !=
				   MACH_MSG_SUCCESS)
			scene_wrong(notes, "number %u", number);
		if (is_told)
			continue;
		if (scene_send(server, reply, SCENE_ASK, 0, 0, 0) != MACH_MSG_SUCCESS ||
		    scene_receive(reply, &answer, SCENE_HANG_MS) != MACH_MSG_SUCCESS)
			scene_wrong(notes, "a call");
		atomic_fetch_add(&notes->rounds, 1);
		atomic_store(&notes->by_lanes, scene_sent_by_lanes());
	}
}

/* Reads the trace until all of TRACED were in it; how many were. */
static uint32_t
count_in_trace(int fd)
{
	static char text[1 << 20];
	uint32_t count = 0;
	size_t used = 0;

	while (count < TRACED) {
		struct pollfd more = { .fd = fd, .events = POLLIN };
		char wanted[64], *line;

		if (poll(&more, 1, SCENE_HANG_MS) != 1)
			break;
		ssize_t n = read(fd, text + used, sizeof(text) - 1 - used);

		if (n <= 0)
			break;
		used += (size_t)n;
		text[used] = '\0';
		snprintf(wanted, sizeof(wanted), "id=%u", SCENE_SAY << 24 | count);
		while ((line = strstr(text, wanted)) != NULL) {
			snprintf(wanted, sizeof(wanted), "id=%u", SCENE_SAY << 24 | ++count);
			used = strlen(line);
			memmove(text, line, used + 1);
		}
		if (used > sizeof(text) / 2) { /* the last line may go on */
			memmove(text, text + used - 4096, 4096);
			used = 4096;
		}
	}
	return count;
}

static void
tracing(const struct raw_kernel *kernel, uint64_t seed)
{
	struct wire_inspect request = { .head = { WIRE_TRACE, sizeof(request) } };
	struct scene_child server = scene_start_server(scene_serve);
	struct scene_child speaker = scene_start(say_when_told, server.port);
	struct scene_child client = scene_start(scene_client, server.port);
	struct wire_end end;
	unsigned fd_count;
	int ends[2], fds[8], connection;

	(void)seed;
	scene_await_rounds(&speaker, 500);
	assert_true(speaker.notes->by_lanes > 0);
	connection = raw_connect(kernel);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	raw_send(connection, &request, sizeof(request), &ends[1], 1);
	close(ends[1]);
	assert_int_equal(raw_receive(connection, &end, sizeof(end), fds, &fd_count), sizeof(end));
	assert_int_equal(end.status, 0);
	atomic_store(&speaker.notes->strict, 1);
	assert_int_equal(count_in_trace(ends[0]), TRACED);
	close(connection);
	close(ends[0]);
	scene_end(&speaker);
	/* and then they go by lanes again */
	uint64_t by_lanes = atomic_load(&client.notes->by_lanes);

	scene_await_rounds(&client, 500);
	assert_true(atomic_load(&client.notes->by_lanes) > by_lanes + 100);
	scene_end_by_lanes(&client, WORST_MS);
	scene_end(&server);
}

static void
a_trace_sees_what_lanes_would_have_taken(void **state)
{
	(void)state;
	scene_attack(tracing);
}

/* ---- looked at ------------------------------------------------------------------------------ */

/* Looks at its port in every way, and moves it into a set and out, while numbers come. */
static void
serve_and_look(mach_port_t director, struct scene_notes *notes)
{
	mach_port_t port = scene_port(notes), set;
	uint64_t seed = attack_seed();
	uint32_t next = 0, seqno = 0;
	bool is_member = false;

	scene_say_hello(director, port);
	if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &set) != KERN_SUCCESS)
		scene_wrong(notes, "no set");
	while (!atomic_load(&notes->stop)) {
		mach_msg_type_number_t count = MACH_PORT_RECEIVE_STATUS_COUNT;
		const mach_msg_audit_trailer_t *trailer;
		struct mach_port_status status;
		struct scene_message message;
		mach_msg_return_t code;

		switch (attack_random(&seed) % 64) {
		case 0:
			is_member = !is_member;
			if (mach_port_move_member(mach_task_self(), port,
						  is_member ? set : MACH_PORT_NULL) != KERN_SUCCESS)
				scene_wrong(notes, "the set");
			break;
		case 1:
			if (mach_port_get_attributes(
				mach_task_self(), port, MACH_PORT_RECEIVE_STATUS,
				(mach_port_info_t)&status, &count) != KERN_SUCCESS ||
			    status.mps_msgcount > status.mps_qlimit ||
			    status.mps_pset != (is_member ? 1u : 0u) || !status.mps_srights)
				scene_wrong(notes, "%u messages, %u sets", status.mps_msgcount,
					    status.mps_pset);
			break;
		case 2:
			if (mach_port_set_context(mach_task_self(), port, next) != KERN_SUCCESS)
				scene_wrong(notes, "the context");
			break;
		default:
			break;
		}
		code = scene_receive(is_member ? set : port, &message, 20);
		if (code == MACH_RCV_TIMED_OUT)
			continue;
		if (code != MACH_MSG_SUCCESS)
			scene_wrong(notes, "a receive: 0x%x", (unsigned)code);
		trailer = (const void *)((const uint8_t *)&message + message.header.msgh_size);
		if (trailer->msgh_seqno != seqno || message.header.msgh_local_port != port)
			scene_wrong(notes, "seqno %u for %u", trailer->msgh_seqno, seqno);
		seqno = trailer->msgh_seqno + 1;
		if (message.operation == SCENE_SAY && message.number != next++)
			scene_wrong(notes, "number %u for %u", message.number, next - 1);
		message.said = next;
		message.pid = scene_pid_of_sender(&message.header);
		if (message.header.msgh_remote_port != MACH_PORT_NULL)
			(void)scene_answer(&message);
	}
}

static void
looking(const struct raw_kernel *kernel, uint64_t seed)
{
	struct scene_child server = scene_start_server(serve_and_look);
	struct scene_child client = scene_start(scene_client, server.port);

	(void)seed;
	for (uint32_t i = 0; i < 2 * ROUNDS; i++) { /* and tools look, too */
		scene_await_rounds(&client, 100);
		observe(kernel);
	}
	scene_end_by_lanes(&client, WORST_MS);
	scene_end(&server);
}

static void
sets_attributes_and_numbers_are_as_without_lanes(void **state)
{
	(void)state;
	scene_attack(looking);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_receive_right_that_moves_takes_all_along_in_order),
		cmocka_unit_test(a_stopped_end_keeps_nobody_longer_than_he_says),
		cmocka_unit_test(a_client_that_forks_in_the_middle_stays_who_it_is),
		cmocka_unit_test(a_trace_sees_what_lanes_would_have_taken),
		cmocka_unit_test(sets_attributes_and_numbers_are_as_without_lanes),
	};

	(void)argc;
	scene_choose_lanes(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
