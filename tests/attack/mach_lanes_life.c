/*
 * Lanes whose ends are killed, or whose ports die, while messages go by them as fast as they can:
 * the order holds, each call has one end, and nothing is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/mach_lanes_scene.h"

#define WORST_MS 10000
#define DEATHS 30u

/* ---- killed clients ------------------------------------------------------------------------- */

/* Says number after number, and asks now and then without looking at the answers. */
static void
flood(mach_port_t server, struct scene_notes *notes)
{
	mach_port_t reply = mach_reply_port();
	struct scene_message answer;

	for (uint32_t said = 0;; said++) {
		if (scene_send(server, MACH_PORT_NULL, SCENE_SAY, said, 0, 0) != MACH_MSG_SUCCESS)
			scene_wrong(notes, "number %u was refused", said);
		if (said % 5 == 0 &&
		    scene_send(server, reply, SCENE_ASK, said, 0, 0) != MACH_MSG_SUCCESS)
			scene_wrong(notes, "question %u was refused", said);
		while (scene_receive(reply, &answer, 0) == MACH_MSG_SUCCESS)
			continue;
		atomic_fetch_add(&notes->rounds, 1);
	}
}

static void
killing_clients(const struct raw_kernel *kernel, uint64_t seed)
{
	struct scene_child server = scene_start_server(scene_serve), client;

	(void)kernel;
	atomic_store(&server.notes->strict, 1); /* what came of each came in order */
	client = scene_start(scene_client, server.port);
	for (uint32_t i = 0; i < DEATHS; i++) {
		struct scene_child flooder = scene_start(flood, server.port);

		scene_await_rounds(&flooder, i % 3 == 0 ? 1 : 20);
		scene_pause_us(attack_random(&seed) % 2000);
		scene_kill(&flooder);
	}
	scene_await_rounds(&client, 100);
	scene_end_by_lanes(&client, WORST_MS);
	scene_end(&server);
}

static void
clients_killed_while_they_write_leave_order_and_no_right(void **state)
{
	(void)state;
	scene_attack(killing_clients);
}

/* ---- killed servers ------------------------------------------------------------------------- */

static void
killing_servers(const struct raw_kernel *kernel, uint64_t seed)
{
	(void)kernel;
	for (uint32_t i = 0; i < DEATHS; i++) {
		struct scene_child server = scene_start_server(scene_serve);
		struct scene_child callers[2] = { scene_start(scene_caller, server.port),
						  scene_start(scene_caller, server.port) };

		for (uint32_t j = 0; j < 2; j++)
			scene_await_rounds(&callers[j], i % 3 == 0 ? 1 : 20);
		scene_pause_us(attack_random(&seed) % 2000);
		scene_kill(&server);
		for (uint32_t j = 0; j < 2; j++)
			scene_end(&callers[j]);
		mach_port_deallocate(mach_task_self(), server.port);
	}
}

static void
each_call_has_one_end_when_its_server_is_killed(void **state)
{
	(void)state;
	scene_attack(killing_servers);
}

/* Serves a while and becomes another program. */
static void
serve_and_exec(mach_port_t director, struct scene_notes *notes)
{
	mach_port_t port = scene_port(notes);
	struct scene_message message;

	scene_say_hello(director, port);
	for (int i = 0; i < 300; i++)
		if (scene_receive(port, &message, SCENE_HANG_MS) == MACH_MSG_SUCCESS)
			(void)scene_answer(&message);
	execl("/bin/true", "true", (char *)NULL);
	scene_wrong(notes, "no exec");
}

/* The port dies, its task lives on and has another one. */
static void
serve_and_drop(mach_port_t director, struct scene_notes *notes)
{
	uint64_t seed = attack_seed();
	struct scene_message message;

	while (!atomic_load(&notes->stop)) {
		mach_port_t port = scene_port(notes);

		scene_say_hello(director, port);
		mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, -1);
		for (uint32_t i = 10 + attack_random(&seed) % 200; i > 0; i--) {
			if (scene_receive(port, &message, SCENE_HANG_MS) != MACH_MSG_SUCCESS)
				scene_wrong(notes, "nobody calls");
			(void)scene_answer(&message);
		}
		if (mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1) !=
		    KERN_SUCCESS)
			scene_wrong(notes, "the port does not die");
	}
}

static void
dropping_ports(const struct raw_kernel *kernel, uint64_t seed)
{
	struct scene_child replaced = scene_start_server(serve_and_exec), dropper;
	struct scene_child caller = scene_start(scene_caller, replaced.port);
	mach_port_t own;

	(void)kernel;
	(void)seed;
	scene_end(&replaced);
	scene_end(&caller);
	assert_int_equal(mach_port_deallocate(mach_task_self(), replaced.port), KERN_SUCCESS);
	dropper = scene_start_server(serve_and_drop);
	/* the next ports come to the same place */
	own = scene_director_port();
	for (uint32_t i = 0; i < DEATHS; i++) {
		struct scene_child callers[2];
		struct scene_message hello;

		/* before anybody calls its last port: it looks when that is dead */
		if (i == DEATHS - 1)
			atomic_store(&dropper.notes->stop, 1);
		for (uint32_t j = 0; j < 2; j++)
			callers[j] = scene_start(scene_caller, dropper.port);
		for (uint32_t j = 0; j < 2; j++)
			scene_end(&callers[j]);
		assert_int_equal(mach_port_deallocate(mach_task_self(), dropper.port),
				 KERN_SUCCESS);
		if (i == DEATHS - 1)
			break;
		assert_int_equal(scene_receive(own, &hello, SCENE_HANG_MS), MACH_MSG_SUCCESS);
		dropper.port = hello.header.msgh_remote_port;
	}
	scene_end(&dropper);
}

static void
who_calls_a_port_that_dies_is_told(void **state)
{
	(void)state;
	scene_attack(dropping_ports);
}

/* ---- no senders ----------------------------------------------------------------------------- */

/* Counts what comes in order, until nobody is left who could send. */
static void
serve_until_no_senders(mach_port_t director, struct scene_notes *notes)
{
	mach_port_t port = scene_port(notes), previous = MACH_PORT_NULL;
	uint32_t next = 0;

	scene_say_hello(director, port);
	if (mach_port_request_notification(mach_task_self(), port, MACH_NOTIFY_NO_SENDERS, 0, port,
					   MACH_MSG_TYPE_MAKE_SEND_ONCE,
					   &previous) != KERN_SUCCESS ||
	    mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, -1) != KERN_SUCCESS)
		scene_wrong(notes, "no notification");
	for (;;) {
		struct scene_message message;
		mach_msg_return_t code = scene_receive(port, &message, SCENE_HANG_MS);

		if (code != MACH_MSG_SUCCESS)
			scene_wrong(notes, "after %u: 0x%x", next, (unsigned)code);
		if (message.header.msgh_id == MACH_NOTIFY_NO_SENDERS)
			break;
		if (message.header.msgh_remote_port != MACH_PORT_NULL)
			(void)scene_answer(&message);
		else if (message.number != next++)
			scene_wrong(notes, "number %u for %u", message.number, next - 1);
		atomic_fetch_add(&notes->rounds, 1);
	}
	if (scene_receive(port, &(struct scene_message){ 0 }, 0) != MACH_RCV_TIMED_OUT)
		scene_wrong(notes, "something came after the last sender's end");
}

static void
leaving(const struct raw_kernel *kernel, uint64_t seed)
{
	(void)kernel;
	for (uint32_t i = 0; i < DEATHS; i++) {
		struct scene_child server = scene_start_server(serve_until_no_senders);
		struct scene_child flooder = scene_start(flood, server.port);

		/* only the flooder has a right from here on */
		scene_await_rounds(&flooder, 1);
		assert_int_equal(task_set_bootstrap_port(mach_task_self(), scene_director_port()),
				 KERN_SUCCESS);
		assert_int_equal(mach_port_deallocate(mach_task_self(), server.port), KERN_SUCCESS);
		scene_await_rounds(&flooder, 1 + i % 3 * 10);
		scene_pause_us(attack_random(&seed) % 2000);
		scene_kill(&flooder);
		scene_end(&server);
	}
}

static void
no_senders_is_told_after_all_that_the_last_one_sent(void **state)
{
	(void)state;
	scene_attack(leaving);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_killed_while_they_write_leave_order_and_no_right),
		cmocka_unit_test(each_call_has_one_end_when_its_server_is_killed),
		cmocka_unit_test(who_calls_a_port_that_dies_is_told),
		cmocka_unit_test(no_senders_is_told_after_all_that_the_last_one_sent),
	};

	(void)argc;
	scene_choose_lanes(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
