/*
 * Commands of tools to kexthosts, through berthd.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/daemon/raw_kext.h"

#define NAME "com.example.raw"

/* ---- commands ----------------------------------------------------------------------- */

struct taken {
	uint32_t sequence, command;
	uint64_t args[2];
};

/* The next command for the kexthost. */
static struct taken
take_command(int host, const char *payload)
{
	union {
		struct wire_kext_command_message command;
		uint8_t bytes[WIRE_MESSAGE_MAX];
	} in;
	unsigned fd_count;
	int fds[8];
	ssize_t n = raw_receive(host, &in, sizeof(in), fds, &fd_count);

	assert_int_equal(in.command.head.kind, WIRE_KEXT_COMMAND);
	assert_int_equal(in.command.head.size_bytes, n);
	assert_int_equal(n, sizeof(in.command) + strlen(payload));
	assert_memory_equal(in.bytes + sizeof(in.command), payload, strlen(payload));
	return (struct taken){ in.command.sequence,
			       in.command.command,
			       { in.command.args[0], in.command.args[1] } };
}

static void
say(int host, uint32_t sequence, const char *text)
{
	union {
		struct wire_kext_says says;
		uint8_t bytes[WIRE_MESSAGE_MAX];
	} out = { .says = { .sequence = sequence } };

	out.says.head.kind = WIRE_KEXT_SAYS;
	out.says.head.size_bytes = (uint32_t)(sizeof(out.says) + strlen(text));
	memcpy(out.bytes + sizeof(out.says), text, strlen(text));
	raw_send(host, &out, out.says.head.size_bytes, NULL, 0);
}

static void
finish(int host, uint32_t sequence, int32_t result, const char *why)
{
	struct wire_kext_done done = { { WIRE_KEXT_DONE, sizeof(done) }, sequence, result, "" };

	snprintf(done.why, sizeof(done.why), "%s", why);
	raw_send(host, &done, sizeof(done), NULL, 0);
}

static void
a_command_goes_there_and_its_answers_come_back(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	uint32_t host_id;
	int host = raw_kext_host_new(&kernel, &host_id), tool = raw_connect_patient(&kernel),
	    other = raw_connect_patient(&kernel), fds[8];
	struct taken first, second;
	union {
		struct wire_kext_says says;
		char bytes[sizeof(struct wire_kext_says) + 100];
	} in;
	unsigned fd_count;

	raw_command(tool, 5, WIRE_COMMAND_STATUS, host_id, "", 0);
	raw_command(other, 5, WIRE_COMMAND_LOAD, host_id, "/a\0/b", 5);
	first = take_command(host, "");
	assert_int_equal(first.command, WIRE_COMMAND_STATUS);
	assert_int_equal(first.args[0], 11);
	assert_int_equal(first.args[1], 22);
	{
		union {
			struct wire_kext_command_message command;
			uint8_t bytes[4096];
		} loads;

		assert_int_equal(raw_receive(host, &loads, sizeof(loads), fds, &fd_count),
				 sizeof(loads.command) + 5);
		assert_memory_equal(loads.bytes + sizeof(loads.command), "/a\0/b", 5);
		second = (struct taken){ .sequence = loads.command.sequence };
	}
	assert_int_not_equal(first.sequence, second.sequence);
	/* answers find their way whatever their order */
	say(host, second.sequence, "for the other");
	say(host, first.sequence, "one");
	say(host, first.sequence, "two");
	finish(host, second.sequence, (int32_t)0xdc008017, "start failed");
	finish(host, first.sequence, 0, "");
	assert_true(raw_receive(tool, &in, sizeof(in), fds, &fd_count) > 0);
	assert_int_equal(in.says.head.kind, WIRE_KEXT_SAYS);
	assert_int_equal(in.says.sequence, 5);
	assert_memory_equal(&in.says + 1, "one", 3);
	assert_true(raw_receive(tool, &in, sizeof(in), fds, &fd_count) > 0);
	assert_memory_equal(&in.says + 1, "two", 3);
	assert_int_equal(raw_take_done(tool).result, 0);
	assert_true(raw_receive(other, &in, sizeof(in), fds, &fd_count) > 0);
	assert_memory_equal(&in.says + 1, "for the other", 13);
	struct wire_kext_done done = raw_take_done(other);

	assert_int_equal(done.sequence, 5);
	assert_int_equal((uint32_t)done.result, 0xdc008017);
	assert_string_equal(done.why, "start failed");
	/* what was answered is over; who says more is wrong */
	finish(host, first.sequence, 0, "");
	raw_command(tool, 6, WIRE_COMMAND_STATUS, host_id + 1, "", 0);
	done = raw_take_done(tool);
	assert_int_equal(done.sequence, 6);
	assert_int_equal(done.result, -ENOENT);
	assert_true(done.why[0] != '\0');
	close(tool);
	close(other);
	close(host);
	raw_kernel_end(&kernel);
}

static void
a_kexthost_that_dies_ends_its_commands(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	uint32_t host_id;
	int host = raw_kext_host_new(&kernel, &host_id), tool = raw_connect_patient(&kernel);
	struct taken unload;
	struct wire_kext_done done;

	raw_command(tool, 1, WIRE_COMMAND_UNLOAD, host_id, "", 0);
	raw_command(tool, 2, WIRE_COMMAND_STATUS, host_id, "", 0);
	unload = take_command(host, "");
	take_command(host, "");
	/* its last answer counts, even if it is gone when berthd looks */
	assert_int_equal(kill(kernel.pid, SIGSTOP), 0);
	finish(host, unload.sequence, 0, "");
	close(host);
	assert_int_equal(kill(kernel.pid, SIGCONT), 0);
	done = raw_take_done(tool);
	assert_int_equal(done.sequence, 1);
	assert_int_equal(done.result, 0);
	done = raw_take_done(tool);
	assert_int_equal(done.sequence, 2);
	assert_int_equal(done.result, -EPIPE);
	assert_true(done.why[0] != '\0');
	close(tool);
	raw_kernel_end(&kernel);
}

/* berthd is stopped; a program asks, a kexthost answers a command and dies, and only then berthd
 * goes on. */
static void
a_death_that_was_not_noticed_yet_is_seen_by_who_looks(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct trap_slot *slot = raw_slot(&task, 0);
	int tool = raw_connect_patient(&kernel), status;

	for (int round = 0; round < 2; round++) {
		uint32_t host_id, id;
		int host = raw_kext_host_new(&kernel, &host_id);
		struct taken command;

		assert_int_equal(raw_ctl_register(host, 0, NAME, NULL, &id), 0);
		raw_command(tool, 1, WIRE_COMMAND_STATUS, host_id, "", 0);
		command = take_command(host, "");
		/* once it sleeps it finds things in the order in which they happened */
		poll(NULL, 0, 50);
		assert_int_equal(kill(kernel.pid, SIGSTOP), 0);
		assert_int_equal(waitpid(kernel.pid, &status, WUNTRACED), kernel.pid);
		assert_true(WIFSTOPPED(status));
		if (round == 0) {
			memcpy(slot->data, NAME, sizeof(NAME));
			raw_fill(slot, BERTH_TRAP_CTL_INFO, NULL, 0);
			slot->request.stream_size_bytes = sizeof(NAME);
			slot->request.prefix_size_bytes = sizeof(NAME);
			raw_publish(slot);
		} else {
			raw_ask(slot, BERTH_TRAP_CTL_FIND, (uint64_t[]){ id, 0 }, 2);
		}
		raw_ring(&task, 0);
		finish(host, command.sequence, 0, "");
		close(host);
		assert_int_equal(kill(kernel.pid, SIGCONT), 0);
		assert_true(raw_await(slot, 60000));
		assert_int_equal(slot->reply.code, ENOENT);
		assert_int_equal(raw_take_done(tool).result, 0);
	}
	close(tool);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
a_tool_that_goes_leaves_its_command_behind(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	uint32_t host_id, tag;
	int host = raw_kext_host_new(&kernel, &host_id), tool = raw_connect_patient(&kernel);
	struct taken command;
	unsigned before;

	raw_command(tool, 1, WIRE_COMMAND_STATUS, host_id, "", 0);
	command = take_command(host, "");
	before = raw_kernel_descriptors(&kernel);
	close(tool);
	raw_until(raw_kernel_descriptors(&kernel) < before || before == 0);
	for (int i = 0; i < 20; i++) /* more than any violations are allowed */
		say(host, command.sequence, "nobody listens");
	finish(host, command.sequence, 0, "");
	assert_int_equal(raw_kext_load(host, NAME, &tag), 0); /* still there */
	close(host);
	raw_kernel_end(&kernel);
}

static void
a_tool_has_few_commands_under_way(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	uint32_t host_id;
	int host = raw_kext_host_new(&kernel, &host_id), tool = raw_connect_patient(&kernel);
	struct wire_kext_done done;

	for (uint32_t i = 0; i < 17; i++)
		raw_command(tool, i, WIRE_COMMAND_STATUS, host_id, "", 0);
	done = raw_take_done(tool);
	assert_int_equal(done.sequence, 16);
	assert_int_equal(done.result, -EBUSY);
	finish(host, take_command(host, "").sequence, 0, "");
	assert_int_equal(raw_take_done(tool).sequence, 0);
	raw_command(tool, 99, WIRE_COMMAND_STATUS, host_id, "", 0);
	for (int i = 0; i < 15; i++)
		take_command(host, "");
	finish(host, take_command(host, "").sequence, 0, "");
	assert_int_equal(raw_take_done(tool).sequence, 99);
	close(tool);
	close(host);
	raw_kernel_end(&kernel);
}

static void
a_tool_that_does_not_read_is_dropped(void **state)
{
	enum { SIZE = 60000 };
	struct raw_kernel kernel = raw_kernel_start(NULL);
	uint32_t host_id, tag;
	int host = raw_kext_host_new(&kernel, &host_id), tool = raw_connect_patient(&kernel);
	unsigned before;
	struct taken command;
	static char text[SIZE + 1];

	memset(text, 'x', SIZE);
	raw_command(tool, 1, WIRE_COMMAND_STATUS, host_id, "", 0);
	command = take_command(host, "");
	before = raw_kernel_descriptors(&kernel);
	for (int i = 0; i < 600; i++)
		say(host, command.sequence, text);
	finish(host, command.sequence, 0, "");
	assert_int_equal(raw_kext_load(host, NAME, &tag), 0);
	raw_until(raw_kernel_descriptors(&kernel) < before || before == 0);
	close(tool);
	close(host);
	raw_kernel_end(&kernel);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_death_that_was_not_noticed_yet_is_seen_by_who_looks),
		cmocka_unit_test(a_command_goes_there_and_its_answers_come_back),
		cmocka_unit_test(a_kexthost_that_dies_ends_its_commands),
		cmocka_unit_test(a_tool_that_goes_leaves_its_command_behind),
		cmocka_unit_test(a_tool_has_few_commands_under_way),
		cmocka_unit_test(a_tool_that_does_not_read_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
