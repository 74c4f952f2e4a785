/*
 * Attacks on lanes by a hostile receiver: it writes into its clients' lanes, and answers what it
 * was not asked, twice, or never.  Its clients wait no longer than for a server that does not
 * answer, each of their calls has one end, and who calls another server does not notice.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/mach_lanes_scene.h"

#define WORST_MS 10000
#define VICTIMS 2u
#define WAIT_MS 5u
#define UNDER_WAY 40u /* more than a lane has calls */

/* ---- the victims ---------------------------------------------------------------------------- */

struct victim {
	mach_port_t reply;
	uint32_t sent, ended, server_pid;
	struct scene_notes *notes;
};

/* Takes what comes within @ms; false: nothing did. */
static bool
victim_takes(struct victim *victim, mach_msg_timeout_t ms)
{
	static struct {
		struct scene_message message;
		uint8_t more[MACH_LANE_ANSWER_MAX];
	} room;
	mach_msg_header_t *header = &room.message.header;
	mach_msg_return_t code = mach_msg(header, MACH_RCV_MSG | MACH_RCV_TIMEOUT | SCENE_AUDIT, 0,
					  sizeof(room), victim->reply, ms, 0);
	uint32_t pid;

	if (code == MACH_RCV_TIMED_OUT)
		return false;
	if (code != MACH_MSG_SUCCESS)
		scene_wrong(victim->notes, "a receive: 0x%x", (unsigned)code);
	if (++victim->ended > victim->sent)
		scene_wrong(victim->notes, "%u calls, %u ends", victim->sent, victim->ended);
	if (header->msgh_local_port != victim->reply ||
	    header->msgh_remote_port != MACH_PORT_NULL ||
	    header->msgh_bits != MACH_MSGH_BITS(0, MACH_MSG_TYPE_PORT_SEND_ONCE))
		scene_wrong(victim->notes, "an answer of bits 0x%x", header->msgh_bits);
	pid = scene_pid_of_sender(header);
	/* the kernel is nobody, and says nothing but that a right ended */
	if (pid == 0 && header->msgh_id == MACH_NOTIFY_SEND_ONCE)
		return true;
	if (victim->server_pid == 0)
		victim->server_pid = pid;
	if (pid != victim->server_pid)
		scene_wrong(victim->notes, "an answer from %u, not %u", pid, victim->server_pid);
	return true;
}

/* Asks without trust until its server is dead; then as many ends have come as it asked. */
static void
be_victim(mach_port_t server, struct scene_notes *notes)
{
	struct victim victim = { .reply = mach_reply_port(), .notes = notes };
	mach_msg_return_t code;

	do {
		uint64_t begun_ns = wait_now_ns(), ns;

		code = scene_send(server, victim.reply, SCENE_ASK, victim.sent, MACH_SEND_TIMEOUT,
				  WAIT_MS);
		victim.sent += code == MACH_MSG_SUCCESS;
		while (victim_takes(&victim, victim.sent - victim.ended >= UNDER_WAY ? WAIT_MS : 0))
			continue;
		ns = wait_now_ns() - begun_ns;
		if (ns > atomic_load(&notes->worst_ns))
			atomic_store(&notes->worst_ns, ns);
		atomic_fetch_add(&notes->rounds, 1);
		atomic_store(&notes->by_lanes, scene_sent_by_lanes());
	} while (code == MACH_MSG_SUCCESS || code == MACH_SEND_TIMED_OUT);
	if (code != MACH_SEND_INVALID_DEST)
		scene_wrong(notes, "question %u: 0x%x", victim.sent, (unsigned)code);
	while (victim.ended < victim.sent && victim_takes(&victim, SCENE_HANG_MS))
		continue;
	if (victim.ended < victim.sent || victim_takes(&victim, 0))
		scene_wrong(notes, "%u calls, %u ends", victim.sent, victim.ended);
}

/* @hostile and its victims beside an honest server and its client, until @steps. */
static void
beside_an_honest_one(scene_part *hostile, uint32_t steps)
{
	struct scene_child honest = scene_start_server(scene_serve);
	struct scene_child client = scene_start(scene_client, honest.port);
	struct scene_child attacker = scene_start_server(hostile), victims[VICTIMS];

	for (uint32_t i = 0; i < VICTIMS; i++)
		victims[i] = scene_start(be_victim, attacker.port);
	scene_await_steps(&attacker, steps);
	scene_await_rounds(&client, 500);
	scene_kill(&attacker);
	for (uint32_t i = 0; i < VICTIMS; i++) {
		printf("   a victim sent %llu by lanes\n",
		       (unsigned long long)victims[i].notes->by_lanes);
		assert_in_range(victims[i].notes->worst_ns / 1000000, 0, WORST_MS);
		scene_end(&victims[i]);
	}
	scene_end_by_lanes(&client, WORST_MS);
	scene_end(&honest);
}

/* ---- garbage -------------------------------------------------------------------------------- */

/* The thread that does harm, while another one is an honest server. */
static void *
scribble_on(void *context)
{
	struct scene_notes *notes = context;
	uint64_t seed = attack_seed();
	struct scene_lane lane;

	for (;;) {
		if (!scene_lane_from_client(&lane, &seed)) {
			poll(NULL, 0, 1);
			continue;
		}
		for (int i = 0; i < 2000; i++)
			scene_scribble(&lane, &seed);
		scene_lane_forget(&lane);
		atomic_fetch_add(&notes->steps, 1);
		sched_yield();
	}
	return NULL;
}

static void
serve_beside(mach_port_t director, struct scene_notes *notes, void *(*harm)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, harm, notes) != 0)
		scene_wrong(notes, "no thread");
	scene_serve(director, notes);
}

static void
serve_and_scribble(mach_port_t director, struct scene_notes *notes)
{
	serve_beside(director, notes, scribble_on);
}

static void
scribbling(const struct raw_kernel *kernel, uint64_t seed)
{
	(void)kernel;
	(void)seed;
	beside_an_honest_one(serve_and_scribble, 1000);
}

static void
a_receiver_that_scribbles_costs_its_clients_no_more_than_silence(void **state)
{
	(void)state;
	scene_attack(scribbling);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* Its own rights are its own to lose: who is to answer in the end does not spoil them. */
static bool spoils_table;

/* Answers whatever call, asked or not, again and again; and takes answers back. */
static void *
answer_anything(void *context)
{
	struct scene_notes *notes = context;
	uint64_t seed = attack_seed();
	struct scene_lane lane;

	for (;;) {
		if (!scene_lane_from_client(&lane, &seed)) {
			poll(NULL, 0, 1);
			continue;
		}
		for (int i = 0; i < 200; i++) {
			uint32_t random = attack_random(&seed), index = random % MACH_LANE_CALLS;
			struct mach_lane_call *call = &lane.shared->calls[index];
			mach_msg_header_t forged = {
				.msgh_bits = attack_random(&seed),
				.msgh_size = attack_random(&seed),
				.msgh_remote_port = attack_random(&seed) % 4096,
				.msgh_id = MACH_NOTIFY_SEND_ONCE,
			};

			memcpy(call->answer, &forged, sizeof(forged));
			call->size_bytes =
			    random & 0x100 ? sizeof(struct scene_message) / 4 * 4 : random >> 16;
			call->order = attack_random(&seed);
			scene_call_spoil(call, random & 0x200 ? MACH_LANE_ANSWERED | 0x100
							      : random >> 10);
			/* and what its own table says of rights that it has, or has not */
			if (spoils_table && random >> 28 == 0)
				atomic_store(
				    &lane.table->entries[lane.number].names[index],
				    random & 0x800
					? random
					: atomic_load(
					      &lane.table->entries[lane.number].names[index]) ^
					      (random >> 12 & 3));
			if (spoils_table && random >> 28 == 1)
				atomic_store(&lane.table->entries[lane.number].busy,
					     random >> 12 & 63);
			if (random & 0x400)
				wait_wake(&call->word, INT32_MAX);
		}
		scene_lane_forget(&lane);
		atomic_fetch_add(&notes->steps, 1);
		sched_yield();
	}
	return NULL;
}

static void
serve_and_answer_anything(mach_port_t director, struct scene_notes *notes)
{
	spoils_table = true;
	serve_beside(director, notes, answer_anything);
}

static void
answering_anything(const struct raw_kernel *kernel, uint64_t seed)
{
	(void)kernel;
	(void)seed;
	beside_an_honest_one(serve_and_answer_anything, 3000);
}

static void
answers_that_are_forged_doubled_or_late_come_once(void **state)
{
	(void)state;
	scene_attack(answering_anything);
}

/* ---- rights to answer that travel on -------------------------------------------------------- */

/* Hands each right to answer to a further server, whose port it gets by its first message, while
 * its other thread scribbles over the call that it came by. */
static void
hand_on(mach_port_t director, struct scene_notes *notes)
{
	mach_port_t port = scene_port(notes), further = MACH_PORT_NULL;
	struct scene_message message;
	pthread_t thread;

	scene_say_hello(director, port);
	if (pthread_create(&thread, NULL, answer_anything, notes) != 0)
		scene_wrong(notes, "no thread");
	for (;;) {
		if (scene_receive(port, &message, 50) != MACH_MSG_SUCCESS)
			continue;
		mach_port_t right = message.header.msgh_remote_port;

		if (further == MACH_PORT_NULL) {
			further = right;
			continue;
		}
		message.header.msgh_bits =
		    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MOVE_SEND_ONCE);
		message.header.msgh_remote_port = further;
		message.header.msgh_local_port = right;
		if (right == MACH_PORT_NULL || mach_msg(&message.header, MACH_SEND_MSG, SCENE_SIZE,
							0, 0, 0, 0) != MACH_MSG_SUCCESS)
			mach_msg_destroy(&message.header);
		atomic_fetch_add(&notes->rounds, 1);
	}
}

/* Counts ends alone: whose answer it is depends on who was first. */
static void
count_ends(mach_port_t server, struct scene_notes *notes)
{
	mach_port_t reply = mach_reply_port();
	static struct {
		struct scene_message message;
		uint8_t more[MACH_LANE_ANSWER_MAX];
	} room;

	while (!atomic_load(&notes->stop)) {
		mach_msg_return_t code = scene_send(server, reply, SCENE_ASK, 0, 0, 0);

		if (code == MACH_MSG_SUCCESS)
			code = mach_msg(&room.message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
					sizeof(room), reply, SCENE_HANG_MS, 0);
		if (code != MACH_MSG_SUCCESS)
			scene_wrong(notes, "a call: 0x%x", (unsigned)code);
		if (mach_msg(&room.message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(room),
			     reply, 0, 0) != MACH_RCV_TIMED_OUT)
			scene_wrong(notes, "two ends of one call");
		atomic_fetch_add(&notes->rounds, 1);
		atomic_store(&notes->by_lanes, scene_sent_by_lanes());
	}
}

static void
handing_on(const struct raw_kernel *kernel, uint64_t seed)
{
	struct scene_child further = scene_start_server(scene_serve);
	struct scene_child between = scene_start_server(hand_on), client;

	(void)kernel;
	(void)seed;
	/* an answer to it goes to the further server */
	mach_msg_header_t introduction = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
								       MACH_MSG_TYPE_COPY_SEND),
					   .msgh_remote_port = between.port,
					   .msgh_local_port = further.port };

	assert_int_equal(mach_msg(&introduction, MACH_SEND_MSG, sizeof(introduction), 0, 0, 0, 0),
			 MACH_MSG_SUCCESS);
	client = scene_start(count_ends, between.port);
	scene_await_rounds(&client, 2000);
	scene_end_by_lanes(&client, WORST_MS);
	scene_kill(&between);
	scene_end(&further);
}

static void
a_right_to_answer_that_travels_on_is_one_right(void **state)
{
	(void)state;
	scene_attack(handing_on);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_receiver_that_scribbles_costs_its_clients_no_more_than_silence),
		cmocka_unit_test(answers_that_are_forged_doubled_or_late_come_once),
		cmocka_unit_test(a_right_to_answer_that_travels_on_is_one_right),
	};

	(void)argc;
	scene_choose_lanes(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
