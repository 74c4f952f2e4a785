/*
 * Hostile programs on lanes: what they say, ring, show and write into memory harms nobody but
 * themselves.  A bystander uses the same kext through the library meanwhile.
 */
#include "tests/conformance/control_program.h"

#include "tests/attack/control_scene.h"

#include "kexts/host/program.h"

#include <grp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define STORM_MS 2000

/* ---- what is shown ------------------------------------------------------------------------ */

static int
connected_elsewhere(void)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	close(pair[1]);
	return pair[0];
}

static int
listening(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = raw_control_socket(SOCK_SEQPACKET);

	/* a name that Linux chooses */
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address.sun_family)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static int
closed_pipe(void)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	close(ends[1]);
	return ends[0];
}

static void
wrong_descriptors_are_refused(void **state)
{
	struct scene scene = scene_begin();
	uint64_t handle;

	(void)state;
	const struct {
		int fd, error;
	} wrong[] = {
		{ -1, EINVAL },
		{ open("/dev/null", O_RDWR), ENOTSOCK },
		{ open("/", O_RDONLY | O_DIRECTORY), ENOTSOCK },
		{ closed_pipe(), ENOTSOCK },
		{ eventfd(0, 0), ENOTSOCK },
		{ raw_memfd(4096, 0, 0), ENOTSOCK },
		{ (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0), ENOTSOCK },
		{ raw_control_socket(SOCK_DGRAM), EOPNOTSUPP },
		{ raw_control_socket(SOCK_STREAM), EPROTOTYPE },
		{ connected_elsewhere(), EISCONN },
		{ listening(), EINVAL },
		{ dup(scene.lane.socket_fd), EISCONN },
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		for (uint32_t operation = LANE_CONNECT; operation <= LANE_BIND; operation++)
			assert_int_equal(raw_lane_show(&scene.lane, operation, wrong[i].fd,
						       scene_id, 0, &handle),
					 wrong[i].error);
		assert_int_equal(
		    raw_lane_show(&scene.lane, LANE_ADOPT, wrong[i].fd, scene_id, 0, &handle),
		    ENOTCONN);
		if (wrong[i].fd >= 0)
			close(wrong[i].fd);
	}
	scene_end(&scene);
}

/* The number of an inode is no proof: a file system may give any to a socket's file. */
static void
what_only_looks_like_the_socket_is_not_taken_for_it(void **state)
{
	struct scene scene = scene_begin();
	uint64_t handle, other;
	char path[64];

	(void)state;
	int fd = raw_control_connect(&scene.lane, scene_id, &handle);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int seen = open(path, O_PATH | O_CLOEXEC);
	assert_true(seen >= 0);
	assert_int_equal(raw_lane_show(&scene.lane, LANE_ADOPT, seen, scene_id, 0, &other),
			 ENOTCONN);
	assert_int_equal(raw_lane_show(&scene.lane, LANE_ADOPT, fd, scene_id, 0, &other), 0);
	assert_int_equal(other, handle);
	close(seen);
	close(fd);
	scene_end(&scene);
}

static void
a_handle_means_nothing_on_another_lane(void **state)
{
	struct scene scene = scene_begin();
	struct raw_lane other;
	uint64_t handle;

	(void)state;
	int fd = raw_control_connect(&scene.lane, scene_id, &handle);
	assert_true(raw_lane_open(&scene.task, &other));
	for (uint32_t operation = LANE_SEND; operation <= LANE_QUEUED; operation++) {
		for (uint64_t guess = 0; guess < 64; guess++) {
			struct lane_request request = { .operation = operation,
							.args = { guess << 32 | (guess % 8 + 1) } };
			if (guess == 0)
				request.args[0] = handle;
			int error = raw_lane_call(&other, &request);
			assert_true(error == EPIPE || error == EINVAL || error == 0);
			assert_int_equal(other.memory->slots[0].reply.size_bytes, 0);
			assert_int_equal(other.memory->slots[0].reply.values[0], 0);
		}
	}
	/* it is as it was */
	struct lane_request request = { .operation = LANE_QUEUED, .args = { handle } };
	assert_int_equal(raw_lane_call(&scene.lane, &request), 0);
	struct lane_request send_it = { .operation = LANE_SEND,
					.args = { handle },
					.size_bytes = 3 };
	memcpy(scene.lane.memory->slots[0].data, "mine", 4);
	assert_int_equal(raw_lane_call(&scene.lane, &send_it), 0);
	char text[8];
	assert_int_equal(recv(fd, text, sizeof(text), 0), 3);
	raw_lane_close(&other);
	close(fd);
	scene_end(&scene);
}

/* ---- data in descriptors ------------------------------------------------------------------- */

static int
fifo_new(void)
{
	char folder[] = "/tmp/berth-attack-XXXXXX", path[64];

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	unlink(path);
	rmdir(folder);
	assert_true(fd >= 0);
	return fd;
}

static void
data_is_read_from_nothing_that_could_block(void **state)
{
	struct scene scene = scene_begin();
	uint64_t handle;

	(void)state;
	int fd = raw_control_connect(&scene.lane, scene_id, &handle);
	int huge = raw_memfd(1, 0, 0);
	assert_int_equal(ftruncate(huge, (off_t)1 << 40), 0);
	const struct {
		int fd;
		uint32_t size;
		int error;
	} tries[] = {
		{ eventfd(0, 0), 8, EFAULT },
		{ fifo_new(), 100, EFAULT },
		{ closed_pipe(), 100, EFAULT },
		{ open("/dev/zero", O_RDONLY), 100, EFAULT },
		{ open("/proc/kmsg", O_RDONLY), 100, EFAULT },
		{ open("/", O_RDONLY | O_DIRECTORY), 100, EFAULT },
		{ dup(scene.lane.socket_fd), 100, EFAULT },
		{ raw_memfd(99, 'x', 0), 100, EFAULT },
		{ huge, UINT32_MAX, EINVAL },
		{ dup(huge), LANE_DATA_MAX, EMSGSIZE },
		{ raw_memfd(100, 'x', 0), 100, 0 },
	};
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		struct lane_request request = { .operation = LANE_SEND,
						.flags = LANE_IN_MEMFD,
						.size_bytes = tries[i].size,
						.args = { handle } };
		if (tries[i].fd < 0)
			continue; /* not allowed to open it */
		raw_lane_fds(&scene.lane, 0, &tries[i].fd, 1);
		assert_int_equal(raw_lane_call(&scene.lane, &request), tries[i].error);
		close(tries[i].fd);
	}
	/* none was sent at all */
	struct lane_request request = { .operation = LANE_SEND,
					.flags = LANE_IN_MEMFD,
					.size_bytes = 100,
					.args = { handle } };
	assert_int_equal(raw_lane_call(&scene.lane, &request), EINVAL);
	close(fd);
	scene_end(&scene);
}

/* ---- callbacks that a kext does not expect -------------------------------------------------- */

/* kernel-control.md §6: without a buffer the length is 0, whatever the program says. */
static void
no_buffer_has_no_length(void **state)
{
	struct scene scene = scene_begin();
	uint64_t handle;

	(void)state;
	int fd = raw_control_connect(&scene.lane, scene_id, &handle);
	struct lane_request request = { .operation = LANE_GETOPT,
					.args = { handle, GET_MIRROR, 0, 4096 } };
	assert_int_equal(raw_lane_call(&scene.lane, &request), 0);
	assert_int_equal(scene.lane.memory->slots[0].reply.values[0], 0);
	close(fd);
	scene_end(&scene);
}

struct hammer {
	struct raw_lane *lane;
	_Atomic uint64_t handle;
	_Atomic uint32_t stop;
	uint32_t slot_index, operation;
};

static void *
hammer_run(void *argument)
{
	struct hammer *hammer = argument;

	while (!atomic_load(&hammer->stop)) {
		struct lane_request request = { .operation = hammer->operation,
						.args = { hammer->handle, SET_SEND_RESULT, 1 },
						.size_bytes = 4 };
		raw_lane_ring(hammer->lane, hammer->slot_index, &request);
		raw_lane_await(hammer->lane, hammer->slot_index, WORST_MS);
	}
	return NULL;
}

#define HAMMERS 4

/* kernel-control.md §3.1, §3.3: between a refusal and its disconnect there is no callback. */
static void
a_refused_client_sends_nothing(void **state)
{
	struct scene scene = scene_begin();
	struct hammer hammers[HAMMERS];
	pthread_t threads[HAMMERS];
	uint32_t id = id_of(KEXT_DGRAM);
	uint64_t unused;

	(void)state;
	for (uint32_t i = 0; i < HAMMERS; i++) {
		hammers[i] = (struct hammer){ .lane = &scene.lane,
					      .slot_index = i + 1,
					      .operation = LANE_SEND };
		assert_int_equal(pthread_create(&threads[i], NULL, hammer_run, &hammers[i]), 0);
	}
	for (int round = 0; round < 300; round++) {
		int fd = raw_control_socket(SOCK_SEQPACKET);

		/* no bind callback: EINVAL, and attached all the same */
		assert_int_equal(raw_lane_show(&scene.lane, LANE_BIND, fd, id, 0, &unused), EINVAL);
		for (uint32_t i = 0; i < HAMMERS; i++)
			hammers[i].handle = scene.lane.memory->slots[0].reply.values[LANE_HANDLE];
		struct sockaddr_ctl address = address_of(id, 0);
		address.sc_reserved[0] = EACCES;
		struct lane_request request = { .operation = LANE_CONNECT,
						.size_bytes = sizeof(address),
						.args = { sizeof(address) } };
		memcpy(scene.lane.memory->slots[0].data, &address, sizeof(address));
		raw_lane_fds(&scene.lane, 0, &fd, 1);
		assert_int_equal(raw_lane_call(&scene.lane, &request), EACCES);
		close(fd);
	}
	for (uint32_t i = 0; i < HAMMERS; i++) {
		atomic_store(&hammers[i].stop, 1);
		pthread_join(threads[i], NULL);
	}
	journal_forget();
	scene_end(&scene);
}

/* §7.2: who is not connected receives nothing, so nobody is told that it did. */
static void
a_bound_client_has_received_nothing(void **state)
{
	struct scene scene = scene_begin();
	uint64_t handle;

	(void)state;
	int fd = raw_control_socket(SOCK_SEQPACKET);
	journal_forget();
	assert_int_equal(raw_lane_show(&scene.lane, LANE_BIND, fd, id_of(KEXT_FULL), 9, &handle),
			 0);
	struct lane_request request = { .operation = LANE_RCVD, .args = { handle } };
	raw_lane_call(&scene.lane, &request);
	char text[8192];
	journal(text, sizeof(text));
	assert_non_null(strstr(text, "bind full 9\n"));
	assert_null(strstr(text, "rcvd"));
	close(fd);
	scene_end(&scene);
}

/* ---- floods -------------------------------------------------------------------------------- */

static void
descriptors_without_bells_do_not_pile_up(void **state)
{
	struct scene scene = scene_begin();
	struct lane_message message = { .head = { LANE_FDS, sizeof(message) } };
	int one = 1, fds[64];
	uint64_t handle;

	(void)state;
	for (int i = 0; i < 64; i++)
		fds[i] = dup(one);
	fcntl(scene.lane.socket_fd, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 2000; i++) {
		message.slot_index = (uint32_t)i % (LANE_SLOTS + 3);
		message.head.kind = i % 7 == 0 ? LANE_WELCOME : LANE_FDS;
		raw_send(scene.lane.socket_fd, &message, i % 5 == 0 ? 3 : sizeof(message), fds,
			 (unsigned)i % 64);
		if (i % 100 == 0) {
			struct lane_request request = { .operation = LANE_ADOPT };
			raw_lane_call(&scene.lane, &request);
		}
	}
	/* two a slot at most */
	assert_true(process_descriptors(scene.kexthost) <= scene.descriptors + 2 * LANE_SLOTS + 16);
	for (int i = 0; i < 64; i++)
		close(fds[i]);
	struct lane_request request = { .operation = LANE_ADOPT };
	for (int i = 0; i < 100; i++)
		raw_lane_call(&scene.lane, &request);
	int fd = raw_control_socket(SOCK_SEQPACKET);
	assert_int_equal(raw_lane_show(&scene.lane, LANE_CONNECT, fd, scene_id, 0, &handle), 0);
	close(fd);
	scene_end(&scene);
}

/* Another process gets a lane and is served.  0. */
static int
another_is_served(void)
{
	struct raw_task task = raw_task_new(&scene_kernel);
	struct raw_lane lane;
	uint64_t handle;

	if (!raw_lane_open(&task, &lane))
		return 1;
	close(raw_control_connect(&lane, scene_id, &handle));
	raw_lane_close(&lane);
	raw_task_free(&task);
	return 0;
}

static void
one_process_has_so_many_lanes_and_others_get_theirs(void **state)
{
	struct scene scene = scene_begin();
	static struct raw_lane lanes[PROGRAM_LANES_MAX];
	uint64_t handle;
	unsigned opened = 0;
	int status;

	(void)state;
	while (opened < PROGRAM_LANES_MAX && raw_lane_open(&scene.task, &lanes[opened]))
		opened++;
	/* the scene has one, the library another */
	assert_int_equal(opened, PROGRAM_LANES_MAX - 2);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		_exit(another_is_served());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (unsigned i = 0; i < opened; i++) {
		int fd = raw_control_connect(&lanes[i], scene_id, &handle);
		close(fd);
	}
	for (unsigned i = 0; i < opened; i++)
		raw_lane_close(&lanes[i]);
	scene_end(&scene);
}

struct storm {
	struct raw_lane *lane;
	_Atomic uint32_t stop;
};

static void *
storm_run(void *argument)
{
	struct storm *storm = argument;
	uint64_t one = 1;

	for (uint32_t i = 0; !atomic_load(&storm->stop); i++) {
		atomic_fetch_or(&storm->lane->memory->bell.bells, UINT64_MAX);
		if (i % 256 == 0)
			(void)!write(storm->lane->event_fd, &one, sizeof(one));
	}
	return NULL;
}

/* Rounds of the bystander must go on while bells are rung for nothing. */
static void
bells_without_requests_keep_nobody_waiting(void **state)
{
	struct scene scene = scene_begin();
	struct raw_lane more[3];
	struct storm storms[4] = { { .lane = &scene.lane } };
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_true(raw_lane_open(&scene.task, &more[i]));
		storms[i + 1].lane = &more[i];
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, storm_run, &storms[i]), 0);
	/* new lanes, new connections, hang-ups: all are seen */
	uint64_t limit_ns = wait_now_ns() + STORM_MS * 1000000ull;
	do
		assert_int_equal(kexthost_pid(&scene.task, scene_id), scene.kexthost);
	while (wait_now_ns() < limit_ns);
	for (int i = 0; i < 4; i++) {
		atomic_store(&storms[i].stop, 1);
		pthread_join(threads[i], NULL);
	}
	for (int i = 0; i < 3; i++)
		raw_lane_close(&more[i]);
	scene_end(&scene);
}

/* ---- who asks ------------------------------------------------------------------------------ */

/* Claims to be root with the descriptor of a privileged control.  0: it was refused. */
static int
claim_root(uint32_t id)
{
	struct raw_task task = raw_task_new(&scene_kernel);
	struct ucred claim = { .pid = getpid() };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(claim))];
	} control = { .bytes = { 0 } };
	struct lane_message text = { .head = { LANE_FDS, sizeof(text) } };
	struct iovec part = { &text, sizeof(text) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *piece = CMSG_FIRSTHDR(&message);
	int fd = raw_control_socket(SOCK_SEQPACKET);
	struct raw_lane lane;
	uint64_t handle;

	if (!raw_lane_open(&task, &lane))
		return 1;
	piece->cmsg_level = SOL_SOCKET;
	piece->cmsg_type = SCM_RIGHTS;
	piece->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(piece), &fd, sizeof(fd));
	piece = CMSG_NXTHDR(&message, piece);
	piece->cmsg_level = SOL_SOCKET;
	piece->cmsg_type = SCM_CREDENTIALS;
	piece->cmsg_len = CMSG_LEN(sizeof(claim));
	memcpy(CMSG_DATA(piece), &claim, sizeof(claim));
	if (sendmsg(lane.socket_fd, &message, 0) >= 0)
		return 2;
	return raw_lane_show(&lane, LANE_CONNECT, fd, id, 0, &handle) == EPERM ? 0 : 3;
}

static void
nobody_becomes_root_by_saying_so(void **state)
{
	uint32_t id = id_of(KEXT_ROOT);
	int status;

	(void)state;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		if (geteuid() == 0 &&
		    (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 ||
		     setresuid(65534, 65534, 65534) != 0))
			_exit(9);
		_exit(claim_root(id));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* With an argument only the tests whose names match it. */
int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_descriptors_are_refused),
		cmocka_unit_test(what_only_looks_like_the_socket_is_not_taken_for_it),
		cmocka_unit_test(a_handle_means_nothing_on_another_lane),
		cmocka_unit_test(data_is_read_from_nothing_that_could_block),
		cmocka_unit_test(no_buffer_has_no_length),
		cmocka_unit_test(a_refused_client_sends_nothing),
		cmocka_unit_test(a_bound_client_has_received_nothing),
		cmocka_unit_test(descriptors_without_bells_do_not_pile_up),
		cmocka_unit_test(one_process_has_so_many_lanes_and_others_get_theirs),
		cmocka_unit_test(bells_without_requests_keep_nobody_waiting),
		cmocka_unit_test(nobody_becomes_root_by_saying_so),
	};

	signal(SIGPIPE, SIG_IGN);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	scene_find();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
