/*
 * Attacks on what lanes cost: a task that takes all lanes of a server, that opens and closes them
 * without an end, that asks for memory in vain.  Some speak to berthd by hand.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/limits.h"
#include "tests/attack/mach_lanes_scene.h"

#define WORST_MS 10000
#define SELF ((uint64_t)BERTH_NAME_TASK_SELF)
#define SESSIONS 100u /* more than a task has gates */

/* ---- all lanes of a server ------------------------------------------------------------------ */

/* Gives each who asks a port of his own, and nobody an answer from there. */
static void
serve_sessions(mach_port_t director, struct scene_notes *notes)
{
	mach_port_t port = scene_port(notes);
	struct scene_message message;

	scene_say_hello(director, port);
	while (!atomic_load(&notes->stop)) {
		if (scene_receive(port, &message, 20) != MACH_MSG_SUCCESS)
			continue;
		message.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0);
		message.header.msgh_local_port = MACH_PORT_NULL;
		message.pid = scene_pid_of_sender(&message.header);
		message.said = 0;
		if (message.number == 0 && message.operation == SCENE_LIE) {
			message.header.msgh_bits =
			    MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, MACH_MSG_TYPE_COPY_SEND);
			message.header.msgh_local_port = scene_port(notes);
		}
		if (mach_msg(&message.header, MACH_SEND_MSG, SCENE_SIZE, 0, 0, 0, 0) !=
		    MACH_MSG_SUCCESS)
			scene_wrong(notes, "no answer");
	}
}

/* Takes sessions, and sends to each until it has a lane or gets none. */
static void
hoard(mach_port_t server, struct scene_notes *notes)
{
	mach_port_t reply = mach_reply_port();
	struct scene_message message;

	for (uint32_t i = 0; i < SESSIONS; i++) {
		if (scene_send(server, reply, SCENE_LIE, 0, 0, 0) != MACH_MSG_SUCCESS ||
		    scene_receive(reply, &message, SCENE_HANG_MS) != MACH_MSG_SUCCESS)
			scene_wrong(notes, "no session");
		for (uint32_t j = 0; j < 3; j++)
			(void)scene_send(message.header.msgh_remote_port, MACH_PORT_NULL, SCENE_LIE,
					 1, MACH_SEND_TIMEOUT, 0);
	}
	atomic_store(&notes->steps, scene_lane_count());
	for (;;)
		pause();
}

/* Asks what has a number, so it is answered and no more. */
static void
ask_by_lane(mach_port_t server, struct scene_notes *notes)
{
	mach_port_t reply = mach_reply_port();
	struct scene_message message;

	for (uint32_t number = 1; !atomic_load(&notes->stop); number++) {
		if (scene_send(server, reply, SCENE_ASK, number, 0, 0) != MACH_MSG_SUCCESS ||
		    scene_receive(reply, &message, SCENE_HANG_MS) != MACH_MSG_SUCCESS ||
		    message.number != number || message.pid != (uint32_t)getpid())
			scene_wrong(notes, "answer %u", number);
		atomic_fetch_add(&notes->rounds, 1);
		atomic_store(&notes->by_lanes, scene_sent_by_lanes());
	}
}

static void
hoarding(const struct raw_kernel *kernel, uint64_t seed)
{
	struct scene_child server = scene_start_server(serve_sessions);
	struct scene_child hoarder = scene_start(hoard, server.port), client;

	(void)kernel;
	(void)seed;
	scene_await_steps(&hoarder, 1);
	printf("   it got %u lanes\n", atomic_load(&hoarder.notes->steps));
	assert_in_range(atomic_load(&hoarder.notes->steps), 1, LANE_PEER_GATE_MAX + 1);
	client = scene_start(ask_by_lane, server.port);
	scene_await_rounds(&client, 500);
	assert_true(client.notes->by_lanes > 300 || scene_lanes_flap());
	scene_end_by_lanes(&client, WORST_MS);
	scene_kill(&hoarder);
	scene_end(&server);
}

static void
who_takes_lanes_without_an_end_leaves_some_to_others(void **state)
{
	(void)state;
	scene_attack(hoarding);
}

/* ---- by hand -------------------------------------------------------------------------------- */

/* A trap about lanes, whose descriptor, if it comes, is closed; or mapped, if @memory says where.
 */
static kern_return_t
lane_trap(struct raw_task *task, uint32_t number, uint64_t arg, size_t size, void **memory)
{
	kern_return_t code = raw_trap(task, 0, number, 1, arg);
	int fds[8];
	unsigned count;

	if (code != KERN_SUCCESS || (raw_slot(task, 0)->reply.flags & TRAP_HAS_FILE) == 0)
		return code;
	count = raw_descriptors(task, fds);
	assert_int_equal(count, 1);
	if (memory != NULL)
		*memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	close(fds[0]);
	return code;
}

/* A task by hand with a right to the director's server. */
static struct raw_task
lane_task(const struct raw_kernel *kernel, mach_port_name_t *server, struct scene_notes *notes)
{
	struct raw_task task = raw_task_new(kernel);

	if (raw_trap(&task, 0, BERTH_TRAP_TASK_GET_SPECIAL_PORT, 2, SELF,
		     (uint64_t)TASK_BOOTSTRAP_PORT) != KERN_SUCCESS)
		scene_wrong(notes, "no server");
	*server = (mach_port_name_t)raw_slot(&task, 0)->reply.values[0];
	return task;
}

/* Opens and closes as fast as it can, and asks in vain when it gets none. */
static void
open_and_close(const struct raw_kernel *kernel, struct scene_notes *notes)
{
	mach_port_name_t server;
	struct raw_task task = lane_task(kernel, &server, notes);

	if (lane_trap(&task, BERTH_TRAP_LANE_BEGIN, 0, 0, NULL) != KERN_SUCCESS)
		scene_wrong(notes, "no table");
	for (;;) {
		if (lane_trap(&task, BERTH_TRAP_LANE_OPEN, server, 0, NULL) == KERN_SUCCESS) {
			uint64_t number = raw_slot(&task, 0)->reply.values[0];

			if (raw_trap(&task, 0, BERTH_TRAP_LANE_CLOSE, 1, number) != KERN_SUCCESS)
				scene_wrong(notes, "no end of it");
			atomic_fetch_add(&notes->rounds, 1);
		}
		lane_trap(&task, BERTH_TRAP_LANE_BEGIN, 0, 0, NULL);
		lane_trap(&task, BERTH_TRAP_LANE_GATES, BERTH_LANE_OWN, 0, NULL);
		raw_trap(&task, 0, BERTH_TRAP_LANE_OPEN, 1, (uint64_t)0x4711);
		atomic_fetch_add(&notes->steps, 1);
	}
}

#define OPENERS 3u

static void
flapping(const struct raw_kernel *kernel, uint64_t seed)
{
	struct scene_child server = scene_start_server(scene_serve), openers[OPENERS];
	struct scene_child client = scene_start(scene_client, server.port);
	uint64_t begun_ns, opened = 0;

	(void)seed;
	scene_await_rounds(&client, 100);
	begun_ns = wait_now_ns();
	for (uint32_t i = 0; i < OPENERS; i++)
		openers[i] = scene_start_raw(open_and_close, kernel, server.port);
	for (uint32_t i = 0; i < OPENERS; i++)
		scene_await_steps(&openers[i], 1000);
	scene_await_rounds(&client, 1500);
	for (uint32_t i = 0; i < OPENERS; i++) {
		opened += atomic_load(&openers[i].notes->rounds);
		scene_kill(&openers[i]);
	}
	uint64_t ms = (wait_now_ns() - begun_ns) / 1000000;

	printf("   %llu lanes opened and closed in %llu ms\n", (unsigned long long)opened,
	       (unsigned long long)ms);
	/* the burst, and one in a millisecond */
	assert_in_range(opened, OPENERS, OPENERS * (LANE_OPEN_BURST + ms + 1));
	scene_await_rounds(&client, 100);
	scene_end_by_lanes(&client, WORST_MS);
	scene_end(&server);
}

static void
lanes_that_come_and_go_cost_their_server_little(void **state)
{
	(void)state;
	scene_attack(flapping);
}

/* ---- traps that make no sense --------------------------------------------------------------- */

/* Every trap of lanes with arguments by chance, on lanes of its own, while it writes over table and
 * gates that are its own to write. */
static void
ask_anything(const struct raw_kernel *kernel, struct scene_notes *notes)
{
	static const uint32_t traps[] = { BERTH_TRAP_LANE_BEGIN, BERTH_TRAP_LANE_GATES,
					  BERTH_TRAP_LANE_OPEN,  BERTH_TRAP_LANE_ACCEPT,
					  BERTH_TRAP_LANE_BIND,  BERTH_TRAP_LANE_CLOSE };
	mach_port_name_t server, names[4];
	struct raw_task task = lane_task(kernel, &server, notes);
	struct mach_lane_table *table = NULL;
	uint64_t seed = attack_seed() + (uint64_t)getpid();
	struct mach_lane *lane = NULL;

	if (lane_trap(&task, BERTH_TRAP_LANE_BEGIN, 0, sizeof(*table), (void **)&table) !=
		KERN_SUCCESS ||
	    lane_trap(&task, BERTH_TRAP_LANE_OPEN, server, sizeof(*lane), (void **)&lane) !=
		KERN_SUCCESS)
		scene_wrong(notes, "no lane");
	for (uint32_t i = 0; i < 4; i++)
		names[i] = i == 0 ? server : raw_port(&task, 0);
	for (;;) {
		uint32_t random = attack_random(&seed), number = traps[random % 6];
		uint64_t args[2] = { random >> 8 & 1 ? random >> 16 & 3 : attack_random(&seed),
				     names[random >> 10 & 3] };

		if (number == BERTH_TRAP_LANE_OPEN)
			args[0] = names[random >> 10 & 3];
		if (raw_trap(&task, 0, number, 2, args[0], args[1]) == KERN_SUCCESS &&
		    (raw_slot(&task, 0)->reply.flags & TRAP_HAS_FILE) != 0) {
			int fds[8];

			for (unsigned count = raw_descriptors(&task, fds); count > 0;)
				close(fds[--count]);
		}
		for (uint32_t i = 0; i < 20; i++)
			((volatile uint32_t *)(void *)
			     table)[attack_random(&seed) % (sizeof(*table) / 4)] =
			    attack_random(&seed) % (random >> 12 & 1 ? 64 : UINT32_MAX);
		for (uint32_t i = 0; i < 20; i++)
			((volatile uint32_t *)(void *)lane)[attack_random(&seed) % 1024] =
			    attack_random(&seed) % (random >> 13 & 1 ? 8 : UINT32_MAX);
		atomic_fetch_add(&notes->steps, 1);
	}
}

static void
asking_anything(const struct raw_kernel *kernel, uint64_t seed)
{
	struct scene_child server = scene_start_server(scene_serve), askers[2];
	struct scene_child client = scene_start(scene_client, server.port);

	(void)seed;
	scene_await_rounds(&client, 100);
	for (uint32_t i = 0; i < 2; i++)
		askers[i] = scene_start_raw(ask_anything, kernel, server.port);
	for (uint32_t i = 0; i < 2; i++)
		scene_await_steps(&askers[i], 10000);
	for (uint32_t i = 0; i < 2; i++)
		scene_kill(&askers[i]);
	scene_await_rounds(&client, 100);
	scene_end_by_lanes(&client, WORST_MS);
	scene_end(&server);
}

static void
traps_of_lanes_and_tables_that_make_no_sense_harm_nobody(void **state)
{
	(void)state;
	scene_attack(asking_anything);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_takes_lanes_without_an_end_leaves_some_to_others),
		cmocka_unit_test(lanes_that_come_and_go_cost_their_server_little),
		cmocka_unit_test(traps_of_lanes_and_tables_that_make_no_sense_harm_nobody),
	};

	(void)argc;
	scene_choose_lanes(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
