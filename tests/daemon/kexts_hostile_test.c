/*
 * Hostile kexthosts, supervisors and tools against berthd: what makes no sense costs who says it,
 * and nobody else.
 */
#include <errno.h>
#include <fcntl.h>
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/daemon/raw_kext.h"

#define NAME "com.example.hostile"

/* Is the connection gone?  Reads what still comes. */
static bool
is_dropped(int fd)
{
	uint8_t bytes[WIRE_MESSAGE_MAX];
	unsigned fd_count;
	int fds[8];
	ssize_t n;

	while ((n = raw_receive(fd, bytes, sizeof(bytes), fds, &fd_count)) > 0)
		while (fd_count > 0)
			close(fds[--fd_count]);
	return n == 0;
}

/* ---- greetings ---------------------------------------------------------------------- */

static void
greetings_that_make_no_sense_are_refused(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	static const uint32_t kinds[] = { WIRE_KEXT_HOST, WIRE_KEXT_SUPERVISOR };
	static const uint32_t first[] = { WIRE_KEXT_REQUEST, WIRE_KEXT_SAYS, WIRE_KEXT_DONE,
					  WIRE_KEXT_LOG,     WIRE_SYSTEM,    WIRE_KEXT_WELCOME };
	struct wire_refused refused;
	unsigned fd_count;
	int fds[8];

	for (unsigned i = 0; i < 2; i++) {
		struct {
			struct wire_kext_host hello;
			uint8_t more[8];
		} hello = { .hello = { .version = WIRE_VERSION } };

		for (uint32_t size = sizeof(struct wire_head); size <= sizeof(hello); size += 4) {
			int fd = raw_connect_patient(&kernel);

			hello.hello.head = (struct wire_head){ kinds[i], size };
			raw_send(fd, &hello, size, NULL, 0);
			if (size != sizeof(hello.hello))
				assert_true(is_dropped(fd));
			close(fd);
		}
		int fd = raw_connect_patient(&kernel);

		hello.hello.head = (struct wire_head){ kinds[i], sizeof(hello.hello) };
		hello.hello.version = WIRE_VERSION + 1;
		raw_send(fd, &hello, sizeof(hello.hello), NULL, 0);
		assert_int_equal(raw_receive(fd, &refused, sizeof(refused), fds, &fd_count),
				 sizeof(refused));
		assert_int_equal(refused.head.kind, WIRE_REFUSED);
		assert_non_null(strstr(refused.why, "version"));
		close(fd);
	}
	for (unsigned i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		struct {
			struct wire_head head;
			uint8_t rest[92];
		} message = { .head = { first[i], sizeof(message) } };
		int fd = raw_connect_patient(&kernel);

		raw_send(fd, &message, sizeof(message), NULL, 0);
		assert_true(is_dropped(fd));
		close(fd);
	}
	raw_kernel_end(&kernel);
}

static void
nobody_is_a_kexthost_and_a_task_at_once(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct wire_kext_host hello = { { WIRE_KEXT_HOST, sizeof(hello) }, WIRE_VERSION, 0 };
	struct wire_hello task_hello = { { WIRE_HELLO, sizeof(task_hello) }, WIRE_VERSION, 0 };
	struct wire_system lane = { { WIRE_SYSTEM, sizeof(lane) }, WIRE_SYSTEM_LANE };
	int host = raw_kext_host_new(&kernel, NULL);
	const char *text;

	raw_send(task.socket_fd, &hello, sizeof(hello), NULL, 0);
	raw_port(&task, 0); /* a violation, of which it has a few */
	raw_inspect(&kernel, WIRE_INSPECT_COUNTS, 0, &text);
	assert_non_null(strstr(text, "kext_hosts 1\n"));
	for (int i = 0; i < 8; i++)
		raw_send(host, i % 2 ? (void *)&task_hello : (void *)&lane,
			 i % 2 ? sizeof(task_hello) : sizeof(lane), NULL, 0);
	assert_true(is_dropped(host));
	close(host);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* ---- requests ----------------------------------------------------------------------- */

static void
requests_of_wrong_sizes_are_answered_and_change_nothing(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	int host = raw_kext_host_new(&kernel, NULL);
	static uint8_t zeros[4096];
	static char before[RAW_TEXT_MAX];
	const char *text;

	raw_inspect(&kernel, WIRE_INSPECT_DUMP, 0, &text);
	strcpy(before, text);
	for (uint32_t operation = 0; operation < 20; operation++) {
		static const size_t sizes[] = { 0, 1, 7, 95, 96, 97, 184, 185, 1000, 4096 };

		for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			assert_int_not_equal(
			    raw_request(host, operation, NULL, zeros, sizes[i], NULL),
			    operation == WIRE_KEV_VENDOR ? -1 : 0);
	}
	assert_int_equal(raw_request(host, 0, NULL, NULL, 0, NULL), ENOSYS);
	assert_int_equal(raw_request(host, UINT32_MAX, NULL, NULL, 0, NULL), ENOSYS);
	raw_inspect(&kernel, WIRE_INSPECT_DUMP, 0, &text);
	assert_string_equal(text, before);
	close(host);
	raw_kernel_end(&kernel);
}

static void
records_that_do_not_end_or_are_too_large_are_refused(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	int host = raw_kext_host_new(&kernel, NULL);
	struct wire_kext_record kext = { .identifier = NAME, .version = "1" };
	struct wire_ctl_record ctl = { .name = "" };
	static char data[WIRE_KEV_MAX + 1];
	uint32_t vendor;

	memset(kext.path, 'x', sizeof(kext.path));
	assert_int_equal(raw_request(host, WIRE_KEXT_LOADING, NULL, &kext, sizeof(kext), NULL),
			 EINVAL);
	kext.path[5] = '\0';
	memset(kext.version, 'x', sizeof(kext.version));
	assert_int_equal(raw_request(host, WIRE_KEXT_LOADING, NULL, &kext, sizeof(kext), NULL),
			 EINVAL);
	kext.version[5] = '\0';
	memset(kext.identifier, 'x', sizeof(kext.identifier));
	assert_int_equal(raw_request(host, WIRE_KEXT_LOADING, NULL, &kext, sizeof(kext), NULL),
			 EINVAL);
	kext.identifier[5] = '\0';
	kext.dependency_count = WIRE_KEXT_DEPENDENCY_MAX + 1;
	assert_int_equal(raw_request(host, WIRE_KEXT_LOADING, NULL, &kext, sizeof(kext), NULL),
			 EINVAL);
	kext.dependency_count = UINT32_MAX;
	assert_int_equal(raw_request(host, WIRE_KEXT_LOADING, NULL, &kext, sizeof(kext), NULL),
			 EINVAL);
	kext.dependency_count = 1;
	kext.dependencies[0] = 17;
	assert_int_equal(raw_request(host, WIRE_KEXT_LOADING, NULL, &kext, sizeof(kext), NULL),
			 ENOENT);
	memset(ctl.name, 'x', sizeof(ctl.name));
	assert_int_equal(raw_request(host, WIRE_CTL_REGISTER, NULL, &ctl, sizeof(ctl), NULL),
			 EINVAL);
	ctl.name[1] = '\0';
	assert_int_equal(
	    raw_request(host, WIRE_CTL_REGISTER, (uint64_t[5]){ 9 }, &ctl, sizeof(ctl), NULL),
	    EINVAL);
	assert_int_equal(raw_request(host, WIRE_CTL_REGISTER, (uint64_t[5]){ 1ull << 32 }, &ctl,
				     sizeof(ctl), NULL),
			 EINVAL);
	vendor = raw_vendor(host, NAME);
	assert_int_equal(raw_post(host, vendor, 1, 1, data, sizeof(data)), EMSGSIZE);
	assert_int_equal(raw_post(host, vendor + 1, 1, 1, data, 1), EINVAL);
	assert_int_equal(raw_request(host, WIRE_KEV_POST,
				     (uint64_t[5]){ vendor + (1ull << 32), 1, 1, 1 }, NULL, 0,
				     NULL),
			 EINVAL);
	assert_int_equal(
	    raw_request(host, WIRE_KEV_POST, (uint64_t[5]){ 1, 1, 1, 1, 0 }, NULL, 0, NULL),
	    EINVAL);
	assert_int_equal(
	    raw_request(host, WIRE_KEV_POST, (uint64_t[5]){ 1, 1, 1, 1, 1 }, NULL, 0, NULL), 0);
	assert_int_equal(raw_request(host, WIRE_KEV_VENDOR, (uint64_t[5]){ 3 }, "x", 1, NULL),
			 EINVAL);
	assert_int_equal(raw_request(host, WIRE_KEV_VENDOR, (uint64_t[5]){ 1 }, data, 201, NULL),
			 EINVAL);
	close(host);
	raw_kernel_end(&kernel);
}

static void
nobody_touches_what_another_kexthost_has(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	int victim = raw_kext_host_new(&kernel, NULL), thief = raw_kext_host_new(&kernel, NULL);
	static const uint32_t of_tag[] = { WIRE_KEXT_STARTED, WIRE_KEXT_STOPPING, WIRE_KEXT_GONE };
	uint32_t tag, found;
	uint64_t ref;

	assert_int_equal(raw_kext_load(victim, NAME, &tag), 0);
	assert_int_equal(raw_ctl_register(victim, tag, NAME, &ref, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(raw_request(thief, of_tag[i], (uint64_t[5]){ tag }, NULL, 0, NULL),
				 EINVAL);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(raw_request(thief, of_tag[i], (uint64_t[5]){ tag + (1ull << 32) },
					     NULL, 0, NULL),
				 EINVAL);
	assert_int_equal(
	    raw_request(thief, WIRE_CTL_DEREGISTER, (uint64_t[5]){ ref }, NULL, 0, NULL), EINVAL);
	assert_int_equal(raw_ctl_register(thief, tag, NAME ".mine", NULL, NULL), EINVAL);
	assert_int_equal(raw_ctl_register(thief, 0, NAME, NULL, NULL), EEXIST);
	assert_int_equal(raw_ctl_info(&task, NAME, &found), 0);
	close(thief);
	assert_int_equal(raw_ctl_info(&task, NAME, &found), 0);
	close(victim);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* ---- answers ------------------------------------------------------------------------ */

static void
answers_to_commands_of_others_are_violations(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	uint32_t host_id;
	int host = raw_kext_host_new(&kernel, &host_id), thief = raw_kext_host_new(&kernel, NULL),
	    tool = raw_connect_patient(&kernel), fds[8];
	struct wire_kext_command_message command;
	struct wire_kext_done done = { { WIRE_KEXT_DONE, sizeof(done) }, 0, 0, "" }, got;
	unsigned fd_count;

	raw_command(tool, 7, WIRE_COMMAND_STATUS, host_id, "", 0);
	assert_int_equal(raw_receive(host, &command, sizeof(command), fds, &fd_count),
			 sizeof(command));
	done.sequence = command.sequence;
	done.result = 99;
	for (int i = 0; i < 8; i++)
		raw_send(thief, &done, sizeof(done), NULL, 0);
	assert_true(is_dropped(thief));
	done.result = 1;
	raw_send(host, &done, sizeof(done), NULL, 0);
	assert_int_equal(raw_receive(tool, &got, sizeof(got), fds, &fd_count), sizeof(got));
	assert_int_equal(got.result, 1);
	assert_int_equal(got.sequence, 7);
	close(thief);
	close(host);
	close(tool);
	raw_kernel_end(&kernel);
}

/* ---- noise -------------------------------------------------------------------------- */

static size_t
random_message(uint8_t *bytes, size_t most, unsigned *seed)
{
	struct wire_head *head = (struct wire_head *)(void *)bytes;
	size_t size = 8 + (size_t)rand_r(seed) % (rand_r(seed) % 4 ? 256 : most - 8);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(rand_r(seed) % (rand_r(seed) % 2 ? 3 : 256));
	head->kind = 48 + (uint32_t)rand_r(seed) % 6;
	if (rand_r(seed) % 8 == 0)
		head->kind = (uint32_t)rand_r(seed) % 100;
	head->size_bytes = rand_r(seed) % 16 ? (uint32_t)size : (uint32_t)rand_r(seed);
	if (head->kind == WIRE_KEXT_REQUEST && size >= sizeof(struct wire_kext_request)) {
		struct wire_kext_request *request = (struct wire_kext_request *)(void *)bytes;

		request->operation = (uint32_t)rand_r(seed) % 12;
		for (int i = 0; i < 5; i++)
			request->args[i] =
			    (uint64_t)rand_r(seed) % 4 + (rand_r(seed) % 2 ? 1000 : 0);
	}
	return size;
}

static void
noise_drops_its_sender_only(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	int good = raw_kext_host_new(&kernel, NULL), events = raw_event_all(&task);
	unsigned before = raw_kernel_descriptors(&kernel), seed = 7;
	static uint8_t bytes[WIRE_MESSAGE_MAX];
	uint32_t tag, found;
	const char *text;

	assert_int_equal(raw_kext_load(good, NAME ".good", &tag), 0);
	assert_int_equal(raw_ctl_register(good, tag, NAME ".good", NULL, NULL), 0);
	for (int i = 0; i < 120; i++) {
		int kind = i % 3;
		int fd = kind == 0   ? raw_kext_host_new(&kernel, NULL)
			 : kind == 1 ? raw_supervisor_new(&kernel, 1)
				     : raw_connect_patient(&kernel);
		int passed[3] = { good, fd, events };

		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		for (int j = 0; j < 40; j++) {
			size_t size = random_message(bytes, sizeof(bytes), &seed);

			raw_send(fd, bytes, size, passed, (unsigned)j % 4);
		}
		close(fd);
		raw_event_drain(events);
	}
	assert_int_equal(raw_ctl_info(&task, NAME ".good", &found), 0);
	raw_port(&task, 0);
	raw_until(raw_kernel_descriptors(&kernel) <= before);
	raw_inspect(&kernel, WIRE_INSPECT_DUMP, 0, &text); /* audited */
	raw_inspect(&kernel, WIRE_INSPECT_COUNTS, 0, &text);
	assert_non_null(strstr(text, "kext_hosts 1\nkexts 1\ncontrols 1\nevent_sockets 1\n"));
	close(good);
	close(events);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
messages_that_are_too_long_are_violations(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	int host = raw_kext_host_new(&kernel, NULL);
	static uint8_t bytes[WIRE_MESSAGE_MAX + 4096];
	struct wire_head *head = (struct wire_head *)(void *)bytes;

	*head = (struct wire_head){ WIRE_KEXT_REQUEST, sizeof(bytes) };
	for (int i = 0; i < 8; i++)
		raw_send(host, bytes, sizeof(bytes), NULL, 0);
	assert_true(is_dropped(host));
	close(host);
	raw_kernel_end(&kernel);
}

static void
a_kexthost_that_floods_starves_nobody(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	int deaf = raw_event_all(&task), other = raw_kext_host_new(&kernel, NULL);
	uint32_t tag;
	pid_t child = fork();

	if (child == 0) {
		int host = raw_kext_host_new(&kernel, NULL);
		uint32_t vendor = raw_vendor(host, NAME);
		static char data[WIRE_KEV_MAX];

		for (;;)
			raw_post(host, vendor, 1, 1, data, sizeof(data));
	}
	for (int i = 0; i < 2000; i++)
		raw_port(&task, 0);
	assert_int_equal(raw_kext_load(other, NAME, &tag), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(deaf);
	close(other);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
a_kexthost_that_reads_no_answers_stops_only_itself(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	int bad = raw_kext_host_new(&kernel, NULL), other = raw_kext_host_new(&kernel, NULL);
	struct wire_kext_request request = { .head = { WIRE_KEXT_REQUEST, sizeof(request) },
					     .operation = WIRE_CTL_NAME_BY_ID };
	uint32_t tag;

	fcntl(bad, F_SETFL, fcntl(bad, F_GETFL) | O_NONBLOCK);
	for (int i = 0; i < 20000; i++)
		raw_send(bad, &request, sizeof(request), NULL, 0);
	raw_port(&task, 0);
	assert_int_equal(raw_kext_load(other, NAME, &tag), 0);
	close(bad);
	raw_port(&task, 0);
	close(other);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

static void
a_kexthost_that_is_killed_anywhere_leaves_nothing(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	int events = raw_event_all(&task);
	const char *text;
	uint32_t found;

	for (int i = 0; i < 60; i++) {
		pid_t child = fork();

		if (child == 0) {
			int host = raw_kext_host_new(&kernel, NULL);
			uint64_t ref;
			uint32_t tag;

			for (;;) {
				raw_kext_load(host, NAME, &tag);
				raw_ctl_register(host, tag, NAME, &ref, NULL);
				raw_request(host, WIRE_KEXT_GONE, (uint64_t[5]){ tag }, NULL, 0,
					    NULL);
			}
		}
		usleep((useconds_t)(i * 300));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		assert_int_equal(raw_ctl_info(&task, NAME, &found), ENOENT);
		raw_event_drain(events);
	}
	raw_until((raw_inspect(&kernel, WIRE_INSPECT_COUNTS, 0, &text),
		   strstr(text, "kext_hosts 0\nkexts 0\ncontrols 0\n") != NULL));
	close(events);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(greetings_that_make_no_sense_are_refused),
		cmocka_unit_test(nobody_is_a_kexthost_and_a_task_at_once),
		cmocka_unit_test(requests_of_wrong_sizes_are_answered_and_change_nothing),
		cmocka_unit_test(records_that_do_not_end_or_are_too_large_are_refused),
		cmocka_unit_test(nobody_touches_what_another_kexthost_has),
		cmocka_unit_test(answers_to_commands_of_others_are_violations),
		cmocka_unit_test(noise_drops_its_sender_only),
		cmocka_unit_test(messages_that_are_too_long_are_violations),
		cmocka_unit_test(a_kexthost_that_floods_starves_nobody),
		cmocka_unit_test(a_kexthost_that_reads_no_answers_stops_only_itself),
		cmocka_unit_test(a_kexthost_that_is_killed_anywhere_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
