/*
 * berthd is killed while messages go by lanes, and while their ends sleep in them: everybody comes
 * back with an error, though nobody is left who would wake him.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/mach_lanes_scene.h"
#include "tests/attack/traffic.h"

#define KERNELS 8u
#define WARM 200u /* calls before, so that there are lanes */

/* Serves @count calls; then @notes->steps says so. */
static mach_port_t
serve_some(mach_port_t director, struct scene_notes *notes, uint32_t count)
{
	mach_port_t port = scene_port(notes);
	struct scene_message message;

	scene_say_hello(director, port);
	for (; count > 0; count--)
		if (scene_receive(port, &message, SCENE_HANG_MS) != MACH_MSG_SUCCESS ||
		    scene_answer(&message) != MACH_MSG_SUCCESS)
			scene_wrong(notes, "%u calls are missing", count);
	atomic_store(&notes->steps, 1);
	return port;
}

/* Answers for a while, and then takes all and answers nothing. */
static void
fall_silent(mach_port_t director, struct scene_notes *notes)
{
	mach_port_t port = serve_some(director, notes, WARM);
	struct scene_message message;

	while (mach_msg(&message.header, MACH_RCV_MSG, 0, sizeof(message), port, 0, 0) ==
	       MACH_MSG_SUCCESS)
		continue;
}

/* Answers for a while, and then takes nothing. */
static void
stop_receiving(mach_port_t director, struct scene_notes *notes)
{
	serve_some(director, notes, WARM);
	while (atomic_load(&notes->stop) == 0)
		poll(NULL, 0, 1);
}

static void
serve_on(mach_port_t director, struct scene_notes *notes)
{
	mach_port_t port = scene_port(notes);
	struct scene_message message;

	scene_say_hello(director, port);
	atomic_store(&notes->steps, 1);
	while (mach_msg(&message.header, MACH_RCV_MSG, 0, sizeof(message), port, 0, 0) ==
	       MACH_MSG_SUCCESS)
		(void)scene_answer(&message);
}

static void
call_some(mach_port_t server, mach_port_t reply, struct scene_notes *notes)
{
	struct scene_message message;

	for (uint32_t i = 0; i < WARM; i++)
		if (scene_send(server, reply, SCENE_ASK, i, 0, 0) != MACH_MSG_SUCCESS ||
		    scene_receive(reply, &message, SCENE_HANG_MS) != MACH_MSG_SUCCESS)
			scene_wrong(notes, "call %u failed", i);
	atomic_store(&notes->by_lanes, scene_sent_by_lanes());
	atomic_store(&notes->steps, 1);
}

static void
await_answer(mach_port_t server, struct scene_notes *notes)
{
	mach_port_t reply = mach_reply_port();
	struct scene_message message;

	call_some(server, reply, notes);
	if (scene_send(server, reply, SCENE_ASK, 0, 0, 0) == MACH_MSG_SUCCESS &&
	    mach_msg(&message.header, MACH_RCV_MSG, 0, sizeof(message), reply, 0, 0) ==
		MACH_MSG_SUCCESS)
		scene_wrong(notes, "an answer from nobody");
}

static void
await_room(mach_port_t server, struct scene_notes *notes)
{
	call_some(server, mach_reply_port(), notes);
	while (scene_send(server, MACH_PORT_NULL, SCENE_SAY, 0, 0, 0) == MACH_MSG_SUCCESS)
		continue;
}

static void
call_on(mach_port_t server, struct scene_notes *notes)
{
	mach_port_t reply = mach_reply_port();
	struct scene_message message;

	call_some(server, reply, notes);
	while (scene_send(server, reply, SCENE_ASK, 0, 0, 0) == MACH_MSG_SUCCESS &&
	       mach_msg(&message.header, MACH_RCV_MSG, 0, sizeof(message), reply, 0, 0) ==
		   MACH_MSG_SUCCESS)
		continue;
}

static void
killing(const struct raw_kernel *kernel, uint64_t seed)
{
	struct scene_child children[7];
	uint32_t count = 0;

	children[count++] = scene_start_server(fall_silent);
	children[count++] = scene_start_server(stop_receiving);
	children[count++] = scene_start_server(serve_on);
	children[count++] = scene_start(await_answer, children[0].port);
	children[count++] = scene_start(await_room, children[1].port);
	children[count++] = scene_start(call_on, children[2].port);
	children[count++] = scene_start(call_on, children[2].port);
	for (uint32_t i = 0; i < count; i++)
		scene_await_steps(&children[i], 1);
	/* those that wait are asleep by then, or just about to be */
	if (seed % 2 == 0) {
		assert_true(traffic_await_state(children[3].pid, 'S'));
		assert_true(traffic_await_state(children[4].pid, 'S'));
	}
	poll(NULL, 0, (int)(seed % 7));
	assert_int_equal(kill(kernel->pid, SIGKILL), 0);
	for (uint32_t i = 0; i < count; i++) {
		if (i > 2)
			assert_true(children[i].notes->by_lanes > 0);
		scene_end(&children[i]);
	}
}

static void
everybody_comes_back_from_lanes_of_a_kernel_that_is_killed(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < KERNELS; i++)
		scene_attack_to_the_end(killing, i);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everybody_comes_back_from_lanes_of_a_kernel_that_is_killed),
	};

	(void)argc;
	scene_choose_lanes(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
