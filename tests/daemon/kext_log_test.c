/*
 * The log of kexts, as berthd keeps it.
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

/* ---- the log ------------------------------------------------------------------------ */

static void
the_log_keeps_lines_with_time_and_name(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	int host = raw_kext_host_new(&kernel, NULL),
	    supervisor = raw_supervisor_new(&kernel, getpid());
	uint32_t tag, other;
	const char *text;

	assert_int_equal(raw_inspect(&kernel, WIRE_INSPECT_LOG, 0, &text).status, 0);
	assert_string_equal(text, "");
	raw_log(supervisor, "before\n");
	/* it is there when its answer is: the supervisor's own messages have none */
	raw_until(raw_inspect(&kernel, WIRE_INSPECT_LOG, 0, &text).count == 1);
	assert_true(raw_is_in(text, " kexthost[%d]: before\n", (int)getpid()));
	assert_int_equal(raw_kext_load(host, NAME ".a", &tag), 0);
	assert_int_equal(raw_kext_load(host, NAME ".b", &other), 0);
	raw_log(supervisor, "two\nlines\n\nand an end");
	raw_until(raw_inspect(&kernel, WIRE_INSPECT_LOG, 0, &text).count == 5);
	assert_true(raw_is_in(text, " " NAME ".a," NAME ".b[%d]: two\n", (int)getpid()));
	assert_true(raw_is_in(text, ": lines\n"));
	assert_true(raw_is_in(text, "[%d]: \n", (int)getpid()));
	assert_true(raw_is_in(text, ": and an end\n"));
	assert_int_equal(text[4], '-'); /* 2026-11-21 21:00:00.123456+0000 */
	assert_int_equal(text[19], '.');
	/* what dies is named by what it was, and stays */
	close(host);
	raw_until(raw_inspect(&kernel, WIRE_INSPECT_KEXTS, 0, &text).count == 0);
	raw_log(supervisor, "killed by signal 11\n");
	raw_until(raw_inspect(&kernel, WIRE_INSPECT_LOG, 0, &text).count == 6);
	close(supervisor);
	assert_true(
	    raw_is_in(text, NAME ".a," NAME ".b[%d]: killed by signal 11\n", (int)getpid()));
	raw_inspect(&kernel, WIRE_INSPECT_LOG, 0, &text);
	assert_true(raw_is_in(text, ": two\n"));
	raw_kernel_end(&kernel);
}

static void
who_follows_the_log_gets_what_comes(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	int supervisor = raw_supervisor_new(&kernel, 1), tool = raw_connect_patient(&kernel),
	    fds[8];
	struct wire_inspect request = {
		{ WIRE_INSPECT, sizeof(request) }, WIRE_INSPECT_LOG, WIRE_INSPECT_FOLLOW, 0, 0
	};
	struct {
		struct wire_head head;
		char text[WIRE_TEXT_MAX + 1];
	} in;
	unsigned fd_count;

	raw_log(supervisor, "first\n");
	raw_send(tool, &request, sizeof(request), NULL, 0);
	for (int i = 0; i < 3; i++) {
		ssize_t n = raw_receive(tool, &in, sizeof(in) - 1, fds, &fd_count);

		assert_true(n > (ssize_t)sizeof(in.head));
		assert_int_equal(in.head.kind, WIRE_TEXT);
		((char *)&in)[n] = '\0';
		assert_true(raw_is_in(in.text, "%s\n",
				      i == 0   ? "first"
				      : i == 1 ? "second"
					       : "third"));
		raw_log(supervisor, i == 0 ? "second\n" : "third\n");
	}
	/* it does not end, and costs nothing while nothing comes */
	struct pollfd quiet = { .fd = tool, .events = POLLIN };

	raw_receive(tool, &in, sizeof(in) - 1, fds, &fd_count); /* "third" once more */
	assert_int_equal(poll(&quiet, 1, 100), 0);
	close(tool);
	close(supervisor);
	raw_kernel_end(&kernel);
}

static void
the_log_keeps_the_last_megabyte(void **state)
{
	enum { SIZE = 1000, LINES = 3000 };
	struct raw_kernel kernel = raw_kernel_start(NULL);
	int supervisor = raw_supervisor_new(&kernel, 1);
	char line[SIZE + 1];
	const char *text;

	for (int i = 0; i < LINES; i++) {
		memset(line, 'x', SIZE);
		line[SIZE] = '\0';
		snprintf(line, 16, "%06d", i);
		line[6] = ' ';
		line[SIZE - 1] = '\n';
		raw_log(supervisor, line);
	}
	/* a line that is longer than what is sent at once, and every byte that there is */
	raw_until(
	    (raw_inspect(&kernel, WIRE_INSPECT_LOG, 0, &text), strstr(text, "002999 ") != NULL));
	assert_null(strstr(text, "001500 "));
	assert_true(raw_is_in(text, "002100 "));
	assert_in_range(strlen(text), 900000, 1200000);
	close(supervisor);
	raw_kernel_end(&kernel);
}

static void
a_supervisor_that_floods_starves_nobody(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	static char lines[60001];
	const char *text;
	pid_t child;

	memset(lines, '\n', 60000);
	child = fork();
	if (child == 0) {
		int supervisor = raw_supervisor_new(&kernel, 1);

		for (;;)
			raw_log(supervisor, lines);
	}
	for (int i = 0; i < 2000; i++)
		raw_port(&task, 0);
	raw_inspect(&kernel, WIRE_INSPECT_TASKS, 0, &text);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_log_keeps_lines_with_time_and_name),
		cmocka_unit_test(who_follows_the_log_gets_what_comes),
		cmocka_unit_test(the_log_keeps_the_last_megabyte),
		cmocka_unit_test(a_supervisor_that_floods_starves_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
