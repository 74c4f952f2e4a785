/*
 * Attacks on lanes by a hostile sender: it writes into its lane, and into the counts that all
 * senders to a port share, what the library never would.  Its server and the server's other
 * clients must not notice.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/mach_lanes_scene.h"

#define WORST_MS 10000
#define CLIENTS 2u
#define HONEST_ROUNDS 1500u

/* A server, honest clients, and @hostile, which does what it does @steps times meanwhile. */
static void
beside_honest_ones(scene_part *hostile, uint32_t steps)
{
	struct scene_child server = scene_start_server(scene_serve), clients[CLIENTS], attacker;

	for (uint32_t i = 0; i < CLIENTS; i++)
		clients[i] = scene_start(scene_client, server.port);
	attacker = scene_start(hostile, server.port);
	scene_await_steps(&attacker, steps);
	for (uint32_t i = 0; i < CLIENTS; i++)
		scene_await_rounds(&clients[i], HONEST_ROUNDS);
	scene_kill(&attacker); /* in the middle of it */
	for (uint32_t i = 0; i < CLIENTS; i++) {
		scene_await_rounds(&clients[i], HONEST_ROUNDS / 10);
		scene_end_by_lanes(&clients[i], WORST_MS);
	}
	scene_end(&server);
}

/* ---- garbage -------------------------------------------------------------------------------- */

struct scribbler {
	pthread_mutex_t lock; /* of the lane, which comes and goes */
	struct scene_lane lane;
	uint64_t seed;
};

static void *
scribble_on(void *context)
{
	struct scribbler *scribbler = context;

	for (;;) {
		pthread_mutex_lock(&scribbler->lock);
		for (int i = 0; i < 500; i++)
			scene_scribble(&scribbler->lane, &scribbler->seed);
		pthread_mutex_unlock(&scribbler->lock);
		sched_yield();
	}
	return NULL;
}

/* One thread sends by the library, another one scribbles. */
static void
scribble(mach_port_t server, struct scene_notes *notes)
{
	struct scribbler scribbler = { .lock = PTHREAD_MUTEX_INITIALIZER, .seed = attack_seed() };
	mach_port_t reply = mach_reply_port();
	struct scene_message message;
	pthread_t thread;

	scribbler.lane = scene_lane_to(server, notes);
	if (pthread_create(&thread, NULL, scribble_on, &scribbler) != 0)
		scene_wrong(notes, "no thread");
	for (;;) {
		for (int i = 0; i < 20; i++) {
			(void)scene_send(server, i % 2 == 0 ? reply : MACH_PORT_NULL, SCENE_LIE, 0,
					 MACH_SEND_TIMEOUT, 1);
			while (scene_receive(reply, &message, 0) == MACH_MSG_SUCCESS)
				continue;
		}
		/* it has ended that one long since */
		pthread_mutex_lock(&scribbler.lock);
		scene_lane_forget(&scribbler.lane);
		scribbler.lane = scene_lane_to(server, notes);
		pthread_mutex_unlock(&scribbler.lock);
		atomic_fetch_add(&notes->steps, 1);
	}
}

static void
scribbling(const struct raw_kernel *kernel, uint64_t seed)
{
	(void)kernel;
	(void)seed;
	beside_honest_ones(scribble, 100);
}

static void
a_sender_that_scribbles_over_its_lane_harms_nobody(void **state)
{
	(void)state;
	scene_attack(scribbling);
}

/* Positions far out, sizes that reach beyond the ring, records of nothing. */
static void
mislead(mach_port_t server, struct scene_notes *notes)
{
	static const uint32_t sizes[] = { 0,
					  1,
					  20,
					  23,
					  25,
					  MACH_LANE_REQUEST_MAX,
					  MACH_LANE_REQUEST_MAX + 4,
					  0x7ffffffcu,
					  UINT32_MAX };
	uint64_t seed = 1;

	for (;;) {
		struct scene_lane lane = scene_lane_to(server, notes);
		struct mach_lane *shared = lane.shared;
		uint64_t tail = atomic_load(&shared->tail);
		uint32_t random = attack_random(&seed), position = mach_lane_position(tail);

		for (uint32_t i = 0; i < 8; i++)
			*mach_lane_record_at(shared, position + i) = (struct mach_lane_record){
				.size_bytes = sizes[random % 9],
				.ticket = random,
				.call = random >> 8 & 1 ? random % 64 : MACH_LANE_NO_CALL,
			};
		switch (random >> 16 & 3) {
		case 0: /* as far as the record says, or says not */
			atomic_store(&shared->tail, tail + 1 + (random >> 20 & 15));
			break;
		case 1:
			atomic_store(&shared->tail, tail + MACH_LANE_RING_UNITS + (random & 1));
			break;
		case 2:
			atomic_store(&shared->tail, tail - 1 - (random & 1));
			break;
		default: /* and the receiver's own position */
			atomic_store(&shared->head, tail - MACH_LANE_RING_UNITS);
			break;
		}
		scene_wake(&lane);
		scene_lane_forget(&lane);
		atomic_fetch_add(&notes->steps, 1);
	}
}

static void
misleading(const struct raw_kernel *kernel, uint64_t seed)
{
	(void)kernel;
	(void)seed;
	beside_honest_ones(mislead, 500);
}

static void
a_record_that_makes_no_sense_ends_its_lane_and_no_other(void **state)
{
	(void)state;
	scene_attack(misleading);
}

/* ---- who sent it, and where ----------------------------------------------------------------- */

#define FORGED 200u
#define FORGED_ID 4711

/* Whatever the header says that was written into the ring: @notes->steps is the forger's pid. */
static void
serve_forged(mach_port_t director, struct scene_notes *notes)
{
	static uint8_t room[MACH_LANE_REQUEST_MAX + 4096];
	struct scene_message *message = (struct scene_message *)(void *)room;
	mach_port_t port = scene_port(notes);
	uint32_t names = scene_name_count(), pid;

	scene_say_hello(director, port);
	while (!atomic_load(&notes->stop)) {
		const mach_msg_audit_trailer_t *trailer;
		mach_msg_return_t code =
		    mach_msg(&message->header, MACH_RCV_MSG | MACH_RCV_TIMEOUT | SCENE_AUDIT, 0,
			     sizeof(room), port, 50, 0);

		if (code == MACH_RCV_TIMED_OUT)
			continue;
		if (code != MACH_MSG_SUCCESS)
			scene_wrong(notes, "the receive failed: 0x%x", (unsigned)code);
		trailer = (const void *)(room + message->header.msgh_size);
		pid = scene_pid_of_sender(&message->header);
		if (message->header.msgh_id != FORGED_ID) { /* its way to a lane */
			if (scene_answer(message) != MACH_MSG_SUCCESS)
				scene_wrong(notes, "no answer");
			continue;
		}
		if (pid != atomic_load(&notes->steps) ||
		    trailer->msgh_sender.val[0] != (uint32_t)getuid() ||
		    trailer->msgh_audit.val[1] != (uint32_t)geteuid() ||
		    trailer->msgh_trailer_size != sizeof(*trailer) ||
		    trailer->msgh_trailer_type != MACH_MSG_TRAILER_FORMAT_0)
			scene_wrong(notes, "a forged sender was believed: pid %u", pid);
		if (message->header.msgh_local_port != port ||
		    message->header.msgh_remote_port != MACH_PORT_NULL ||
		    message->header.msgh_bits != MACH_MSGH_BITS(0, MACH_MSG_TYPE_PORT_SEND))
			scene_wrong(notes, "a forged header was believed: bits 0x%x, %#x, %#x",
				    message->header.msgh_bits, message->header.msgh_local_port,
				    message->header.msgh_remote_port);
		if (scene_name_count() != names)
			scene_wrong(notes, "it brought a right");
		atomic_fetch_add(&notes->rounds, 1);
	}
}

static void
forge(mach_port_t server, struct scene_notes *notes)
{
	mach_port_t reply = mach_reply_port();
	uint64_t seed = attack_seed();

	for (uint32_t sent = 0; sent < FORGED;) {
		struct scene_lane lane = scene_lane_to(server, notes);

		for (; sent < FORGED; sent++) {
			struct {
				mach_msg_header_t header;
				mach_msg_body_t body;
				mach_msg_port_descriptor_t right;
				uint32_t words[16];
				mach_msg_audit_trailer_t trailer; /* as if it belonged to it */
			} forged = {
				.header = { .msgh_bits = MACH_MSGH_BITS_COMPLEX |
							 attack_random(&seed) % 0x20202020,
					    .msgh_size = attack_random(&seed),
					    .msgh_remote_port = attack_random(&seed) % 4096 | 3,
					    .msgh_local_port = reply,
					    .msgh_id = FORGED_ID },
				.body = { 1 },
				.right = { .name = server,
					   .disposition = MACH_MSG_TYPE_COPY_SEND,
					   .type = MACH_MSG_PORT_DESCRIPTOR },
				.trailer = { .msgh_trailer_size = sizeof(forged.trailer),
					     .msgh_audit.val = { 0, 0, 0, 0, 0, 1 } },
			};

			if (!scene_put(&lane, &forged, sizeof(forged), MACH_LANE_NO_CALL, sent))
				break;
			scene_wake(&lane);
			atomic_store(&notes->steps, sent + 1);
			if (sent % 16 == 0)
				poll(NULL, 0, 1);
		}
		scene_lane_forget(&lane);
	}
	while (!atomic_load(&notes->stop))
		poll(NULL, 0, 1);
}

static void
forging(const struct raw_kernel *kernel, uint64_t seed)
{
	struct scene_child server = scene_start_server(serve_forged);
	struct scene_child forger = scene_start(forge, server.port);

	(void)kernel;
	(void)seed;
	atomic_store(&server.notes->steps, (uint32_t)forger.pid);
	scene_await_steps(&forger, FORGED);
	scene_await_all_rounds(&server, FORGED);
	scene_end(&forger);
	scene_end(&server);
}

static void
a_forged_sender_right_or_port_is_not_believed(void **state)
{
	(void)state;
	scene_attack(forging);
}

/* ---- rights to answer ----------------------------------------------------------------------- */

/* Asks with calls that are none, that are used, and twice with one; its answers are what they are.
 * The server checks in the end that it has no right more than it had. */
static void
make_up_calls(mach_port_t server, struct scene_notes *notes)
{
	uint64_t seed = attack_seed();

	for (;;) {
		struct scene_lane lane = scene_lane_to(server, notes);
		struct mach_lane_entry *row = &lane.table->entries[lane.number];

		for (int i = 0; i < 20; i++) {
			uint32_t random = attack_random(&seed), call = random % 40;
			struct scene_message message = { .operation = SCENE_LIE };

			if (call < MACH_LANE_CALLS) {
				if (random & 0x100) /* what it is bound to, or is not */
					atomic_store(&row->bindings[call], random >> 12 & 31);
				if (random & 0x200)
					scene_call_spoil(&lane.shared->calls[call],
							 MACH_LANE_ASKED | 0x100);
				if (random & 0x400)
					atomic_fetch_or(&row->asked, 1u << call);
				else if (random & 0x800)
					atomic_fetch_and(&row->asked, ~(1u << call));
				if (random & 0x10000)
					atomic_store(&row->busy, call + 1);
			}
			if (call < MACH_LANE_CALLS && (random & 0x4000)) /* the asking, too */
				call |= atomic_load(&lane.shared->calls[call].word) &
					~(uint32_t)MACH_LANE_CALL_MASK;
			for (uint32_t j = 0; j <= (random >> 20 & 1); j++)
				scene_put(&lane, &message, SCENE_SIZE, call, random >> 8);
			scene_wake(&lane);
		}
		atomic_store(&row->busy, 0);
		atomic_store(&row->asked, 0);
		scene_lane_forget(&lane);
		atomic_fetch_add(&notes->steps, 1);
	}
}

static void
making_up_calls(const struct raw_kernel *kernel, uint64_t seed)
{
	(void)kernel;
	(void)seed;
	beside_honest_ones(make_up_calls, 300);
}

static void
calls_that_are_made_up_leave_no_right(void **state)
{
	(void)state;
	scene_attack(making_up_calls);
}

/* ---- how full it is ------------------------------------------------------------------------- */

#define OVERFILLINGS 20

/* Says that there is room for all, and has the kernel look, again and again. */
static void
overfill(mach_port_t server, struct scene_notes *notes)
{
	struct scene_message message = { .operation = SCENE_LIE };
	struct scene_lane lane = scene_lane_to(server, notes);
	mach_port_urefs_t refs;

	atomic_store(&notes->steps, 1);
	while (atomic_load(&notes->stop) == 0) /* until its server is stopped */
		poll(NULL, 0, 1);
	for (int i = 0; i < OVERFILLINGS; i++) {
		atomic_store(&lane.gate->limit, UINT32_MAX);
		while (scene_put(&lane, &message, SCENE_SIZE, MACH_LANE_NO_CALL, 0))
			atomic_store(&lane.gate->count, 0);
		if (mach_port_get_refs(mach_task_self(), server, MACH_PORT_RIGHT_SEND, &refs) !=
		    KERN_SUCCESS)
			scene_wrong(notes, "the right is gone");
	}
	atomic_fetch_add(&notes->steps, 1);
	for (;;)
		pause();
}

static void
overfilling(const struct raw_kernel *kernel, uint64_t seed)
{
	struct scene_child server = scene_start_server(scene_serve);
	struct scene_child attacker = scene_start(overfill, server.port), client;
	uint32_t before;

	(void)seed;
	scene_await_steps(&attacker, 1);
	assert_int_equal(kill(server.pid, SIGSTOP), 0);
	before = observe(kernel).messages;
	atomic_store(&attacker.notes->stop, 1);
	scene_await_steps(&attacker, 2);
	/* what the ring holds comes in once, beyond the five that may */
	assert_in_range(observe(kernel).messages, before, before + 8 + MACH_LANE_RING_UNITS);
	client = scene_start(scene_client, server.port);
	assert_int_equal(kill(server.pid, SIGCONT), 0);
	scene_await_rounds(&client, HONEST_ROUNDS);
	scene_kill(&attacker);
	scene_await_rounds(&client, HONEST_ROUNDS);
	scene_end_by_lanes(&client, WORST_MS);
	scene_end(&server);
}

static void
who_spoils_the_count_gets_in_what_his_ring_holds(void **state)
{
	(void)state;
	scene_attack(overfilling);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sender_that_scribbles_over_its_lane_harms_nobody),
		cmocka_unit_test(a_record_that_makes_no_sense_ends_its_lane_and_no_other),
		cmocka_unit_test(a_forged_sender_right_or_port_is_not_believed),
		cmocka_unit_test(calls_that_are_made_up_leave_no_right),
		cmocka_unit_test(who_spoils_the_count_gets_in_what_his_ring_holds),
	};

	(void)argc;
	scene_choose_lanes(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
