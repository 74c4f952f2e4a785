/*
 * Public calls at random, by several threads of several processes: nothing crashes or hangs, each
 * errno is one that the contract knows, what is echoed comes back whole, and at the end no socket
 * is attached.  ATTACK_SEED repeats a run (as far as threads let it), ATTACK_SECONDS makes it
 * longer.
 */
#include "tests/conformance/control_program.h"

#include "tests/attack/control_raw.h"
#include "tests/attack/observe.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define SECONDS 4u
#define PROCESSES 3
#define THREADS 3
#define SOCKETS 6
#define OPENED_ONCE 8u /* what a kexthost measures with, from the first need on */
#define ECHO_MAX 100000u
#define ANY(of, seed) (of)[attack_random(seed) % (sizeof(of) / sizeof((of)[0]))]

#if defined(ATTACK_ASAN) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER true
#elif defined(__has_feature)
#define HAS_SANITIZER __has_feature(thread_sanitizer)
#else
#define HAS_SANITIZER false
#endif

static const char *const names[] = {
	KEXT_DGRAM, KEXT_STREAM, KEXT_ROOT, KEXT_STATIC,           KEXT_FULL, KEXT_BARE, KEXT_SETUP,
	KEXT_CRIT,  KEXT_LARGE,  "",        "nobody.has.this.name"
};
static uint32_t ids[sizeof(names) / sizeof(names[0])];

struct player {
	uint64_t seed;
	const char *call; /* the last one */
	int fds[SOCKETS];
	uint8_t bytes[16384]; /* more than any option says that it has */
};

static uint64_t limit_ns;
static pid_t kexthost;

/* What the kexthost has of memory and threads, for who wonders why it refused. */
static void
kexthost_tell(void)
{
	char path[32], line[128];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)kexthost);
	FILE *status = fopen(path, "r");
	while (status != NULL && fgets(line, sizeof(line), status) != NULL)
		if (strncmp(line, "Vm", 2) == 0 || strncmp(line, "Threads", 7) == 0)
			fprintf(stderr, "kexthost: %s", line);
	if (status != NULL)
		fclose(status);
}

static void
wrong(const struct player *player, const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", player->call, what, strerror(errno));
	kexthost_tell();
	_exit(1);
}

/* Its result, if that is one of the contract's. */
static int64_t
known(struct player *player, int64_t result)
{
	static const int errors[] = { EINVAL, ENOENT, EPROTOTYPE, EPERM, EBUSY, EISCONN, ENOTCONN,
				      EOPNOTSUPP, EFAULT, EMSGSIZE, ENOBUFS, EAGAIN, EPIPE,
				      EDESTADDRREQ, ENAMETOOLONG, EPROTONOSUPPORT, EBADF, ENOTSOCK,
				      EALREADY, EACCES,
				      /* what the test kext says */
				      ENOPROTOOPT, ERANGE, EDOM };

	if (result >= 0)
		return result;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errno == errors[i])
			return result;
	wrong(player, "an errno that the contract does not know");
	return result;
}

#define CALL(call_) (player->call = #call_, errno = 0, known(player, (call_)))

/* Some memory, or none, or such that is not there; a sanitizer looks at all of it by itself. */
static void *
any_pointer(struct player *player)
{
	if (HAS_SANITIZER)
		return player->bytes;
	switch (attack_random(&player->seed) % 8) {
	case 0:
		return NULL;
	case 1:
		return (void *)(uintptr_t)1;
	case 2:
		return (void *)(uintptr_t)(UINT64_MAX - 4096);
	default:
		return player->bytes;
	}
}

static socklen_t
any_size(struct player *player)
{
	static const socklen_t sizes[] = { 0, 1, 2, 4, 8, 16, 31, 32, 33, 100, 2048, 2049, 4096 };

	return ANY(sizes, &player->seed);
}

static void
open_one(struct player *player, int *fd)
{
	static const int types[] = { SOCK_DGRAM, SOCK_STREAM, SOCK_RAW, SOCK_DGRAM | SOCK_NONBLOCK,
				     SOCK_DGRAM | SOCK_CLOEXEC };
	static const int protocols[] = { SYSPROTO_CONTROL, SYSPROTO_CONTROL, 0, SYSPROTO_EVENT,
					 77 };
	int type = ANY(types, &player->seed), protocol = ANY(protocols, &player->seed);

	if (*fd >= 0)
		CALL(close(*fd));
	*fd = (int)CALL(socket(PF_SYSTEM, type, protocol));
	/* so that no receive waits for what nobody sends */
	if (*fd >= 0)
		CALL(fcntl(*fd, F_SETFL, O_NONBLOCK));
}

static void
attach_one(struct player *player, int fd)
{
	uint64_t *seed = &player->seed;
	struct sockaddr_ctl address =
	    address_of(attack_random(seed) % 8 ? ANY(ids, seed) : attack_random(seed),
		       attack_random(seed) % 4);
	struct sockaddr *at = (struct sockaddr *)&address;
	socklen_t size = attack_random(seed) % 6 ? sizeof(address) : any_size(player);

	if (size > sizeof(address))
		size = sizeof(address);
	memset(player->bytes, 0, sizeof(address)); /* the test kext fails with what is in there */
	if (attack_random(seed) % 16 == 0)
		at = any_pointer(player);
	if (attack_random(seed) % 8 == 0)
		address.sc_reserved[0] = EACCES;
	if (attack_random(seed) % 3 == 0)
		CALL(bind(fd, at, size));
	else
		CALL(connect(fd, at, size));
}

static void
option_one(struct player *player, int fd)
{
	/* of the test kext those that need no connection and harm nobody */
	static const int set[] = { SET_ENQUEUE, SET_ENQUEUE_MBUF, SET_ENQUEUE_LIST, SET_FAIL, 78 };
	static const int get[] = { GET_SPACE,  GET_READABLE, GET_PACKETS, GET_JOURNAL, GET_CALLER,
				   GET_MIRROR, GET_LIE,      GET_SIZE,    GET_FAIL,    79 };
	static const int levels[] = { SYSPROTO_CONTROL, SYSPROTO_CONTROL, SYSPROTO_CONTROL, 0, 77 };
	static const int usual[] = { SO_RCVBUF, SO_SNDBUF, SO_TYPE, SO_ERROR, SO_RCVLOWAT };
	uint64_t *seed = &player->seed;
	int level = ANY(levels, seed);
	socklen_t size = any_size(player);

	memset(player->bytes, (int)attack_random(seed), sizeof(player->bytes));
	int number = (int)(attack_random(seed) % 100); /* SET_FAIL says it */
	if (number < 40)
		number = ENOBUFS;
	if (attack_random(seed) % 4 == 0) {
		if (attack_random(seed) % 2)
			CALL(setsockopt(fd, SOL_SOCKET, ANY(usual, seed), any_pointer(player),
					size));
		else
			CALL(getsockopt(fd, SOL_SOCKET, ANY(usual, seed), any_pointer(player),
					&size));
		return;
	}
	if (attack_random(seed) % 2) {
		int option = ANY(set, seed);
		if (option == SET_FAIL) /* with four bytes it fails with what they say */
			size = 8;
		CALL(setsockopt(fd, level, option, any_pointer(player), size));
	} else {
		CALL(getsockopt(fd, level, ANY(get, seed), any_pointer(player),
				HAS_SANITIZER || attack_random(seed) % 16 ? &size : NULL));
	}
}

static void
ask_one(struct player *player, int fd)
{
	static const unsigned long requests[] = { CTLIOCGINFO, CTLIOCGCOUNT, FIONREAD,    FIONBIO,
						  SIOCGKEVID,  SIOCSKEVFILT, SIOCGKEVFILT };
	uint64_t *seed = &player->seed;
	struct sockaddr_ctl address;
	socklen_t size = any_size(player);
	int on = 1;

	snprintf((char *)player->bytes + 4, 96, "%s", ANY(names, seed));
	switch (attack_random(seed) % 5) {
	case 0:
		CALL(ioctl(fd, attack_random(seed), player->bytes));
		break;
	case 1:
		size = size > sizeof(address) ? sizeof(address) : size;
		CALL(getpeername(fd, (struct sockaddr *)&address, &size));
		break;
	case 2:
		CALL(getsockname(fd, any_pointer(player), &size));
		break;
	default:
		CALL(ioctl(fd, ANY(requests, seed), any_pointer(player)));
		break;
	}
	/* whatever it was told */
	CALL(ioctl(fd, FIONBIO, &on));
}

static void
transfer_one(struct player *player, int fd)
{
	static const int flags[] = { 0,       MSG_PEEK, MSG_DONTWAIT, MSG_TRUNC,
				     MSG_EOR, MSG_OOB,  MSG_WAITALL };
	uint64_t *seed = &player->seed;
	struct iovec parts[3] = { { any_pointer(player), any_size(player) },
				  { player->bytes, any_size(player) },
				  { NULL, 0 } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = attack_random(seed) % 4 };

	switch (attack_random(seed) % 6) {
	case 0:
		CALL(send(fd, any_pointer(player), any_size(player),
			  ANY(flags, seed) | MSG_NOSIGNAL));
		break;
	case 1:
		CALL(sendmsg(fd, &message, ANY(flags, seed) | MSG_NOSIGNAL));
		break;
	case 2:
		CALL(recvmsg(fd, &message, ANY(flags, seed) | MSG_DONTWAIT));
		break;
	case 3:
		CALL(read(fd, any_pointer(player), any_size(player)));
		break;
	case 4:
		CALL(write(fd, any_pointer(player), any_size(player)));
		break;
	default:
		CALL(recv(fd, any_pointer(player), any_size(player),
			  ANY(flags, seed) | MSG_DONTWAIT));
		break;
	}
}

static void
share_one(struct player *player, int fd, int *other)
{
	int status;

	if (attack_random(&player->seed) % 4 != 0) {
		int copy = (int)CALL(dup(fd));
		if (*other >= 0)
			CALL(close(*other));
		*other = copy;
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		transfer_one(player, fd);
		option_one(player, fd);
		_exit(0);
	}
	if (pid > 0 && (waitpid(pid, &status, 0) != pid || status != 0))
		wrong(player, "a forked child ended badly");
}

/* What is sent comes back, whole, in order. */
static void
echo(struct player *player)
{
	static __thread uint8_t out[ECHO_MAX], back[ECHO_MAX];
	struct sockaddr_ctl address = address_of(ids[8], 0);
	int fd = (int)CALL(socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL));

	if (CALL(connect(fd, (struct sockaddr *)&address, sizeof(address))) != 0)
		wrong(player, "echo");
	size_t sizes[4];
	for (int i = 0; i < 4; i++) {
		sizes[i] = attack_random(&player->seed) % ECHO_MAX + 1;
		memset(out, i + 1, sizes[i]);
		if (CALL(send(fd, out, sizes[i], 0)) != (int64_t)sizes[i])
			wrong(player, "echo was not sent whole");
	}
	for (int i = 0; i < 4; i++) {
		memset(out, i + 1, sizes[i]);
		if (CALL(recv(fd, back, sizeof(back), 0)) != (int64_t)sizes[i] ||
		    memcmp(out, back, sizes[i]) != 0)
			wrong(player, "echo did not come back whole");
	}
	CALL(close(fd));
}

static void *
play(void *argument)
{
	struct player *player = argument;
	uint64_t *seed = &player->seed;

	while (wait_now_ns() < limit_ns) {
		int *fd = &ANY(player->fds, seed);

		if (*fd < 0 || attack_random(seed) % 12 == 0) {
			open_one(player, fd);
			continue;
		}
		switch (attack_random(seed) % 24) {
		case 0 ... 5:
			attach_one(player, *fd);
			break;
		case 6 ... 10:
			option_one(player, *fd);
			break;
		case 11 ... 13:
			ask_one(player, *fd);
			break;
		case 14 ... 20:
			transfer_one(player, *fd);
			break;
		case 21:
			share_one(player, *fd, &ANY(player->fds, seed));
			break;
		case 22:
			CALL(shutdown(*fd, (int)(attack_random(seed) % 5) - 1));
			break;
		default:
			echo(player);
			break;
		}
	}
	for (int i = 0; i < SOCKETS; i++)
		if (player->fds[i] >= 0)
			CALL(close(player->fds[i]));
	return NULL;
}

static void
play_process(uint64_t seed)
{
	static struct player players[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		players[i] = (struct player){ .seed = seed * 101 + (uint64_t)i };
		memset(players[i].fds, 0xff, sizeof(players[i].fds));
		if (pthread_create(&threads[i], NULL, play, &players[i]) != 0)
			_exit(2);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

/* Does `berth kctl --json` say that nothing is attached? */
static bool
is_nothing_attached(void)
{
	char command[512], text[256];
	bool is_empty = false;

	/* the shell asks, not this process, whose stdout is the test's */
	snprintf(command, sizeof(command), "'%s' kctl --json", getenv("BERTH"));
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	while (fgets(text, sizeof(text), pipe) != NULL)
		if (strstr(text, "\"connections\": [") != NULL)
			is_empty = fgets(text, sizeof(text), pipe) != NULL && text[0] == ']';
	assert_int_equal(pclose(pipe), 0);
	return is_empty;
}

/* The kexthost sees a little later than Linux that the processes have gone. */
static void
nothing_stays_attached(void)
{
	bool is_empty = is_nothing_attached();

	for (int i = 0; i < SETTLE_MS / 50 && !is_empty; i++) {
		usleep(50000);
		is_empty = is_nothing_attached();
	}
	assert_true(is_empty);
}

static void
random_calls_end_as_they_must(void **state)
{
	uint64_t seed = attack_seed();
	const char *text = getenv("ATTACK_SECONDS");
	struct raw_kernel kernel = control_kernel();
	struct raw_task task = raw_task_new(&kernel);
	pid_t pids[PROCESSES];
	int status;

	(void)state;
	kexthost = kexthost_pid(&task, ids[8]);
	unsigned descriptors = process_descriptors(kexthost);
	limit_ns = wait_now_ns() + (text != NULL ? (unsigned)atoi(text) : SECONDS) * 1000000000ull;
	fflush(stdout);
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			signal(SIGPIPE, SIG_IGN);
			signal(SIGIO, SIG_IGN);
			signal(SIGURG, SIG_IGN);
			play_process(seed + (uint64_t)i);
		}
	}
	for (int i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(kexthost_pid(&task, ids[8]), kexthost);
	process_descriptors_settle(kexthost, descriptors + OPENED_ONCE);
	nothing_stays_attached();
	raw_task_free(&task);
}

/* ---- many threads, the same controls ------------------------------------------------ */

struct crowd {
	uint64_t seed;
	int shared; /* a socket that all send on */
	_Atomic uint64_t *sent;
};

static void *
crowd_run(void *argument)
{
	struct crowd *crowd = argument;
	struct player player = { .seed = crowd->seed, .call = "crowd" };

	while (wait_now_ns() < limit_ns) {
		echo(&player);
		if (send(crowd->shared, "all", 3, 0) == 3)
			atomic_fetch_add(crowd->sent, 3);
		else
			wrong(&player, "a send on a shared socket");
		if (enqueue(crowd->shared, "own", DATA_EOR) == 0)
			atomic_fetch_add(crowd->sent, 3);
	}
	return NULL;
}

static void
threads_share_controls(void **state)
{
	enum { COUNT = 8 };
	_Atomic uint64_t sent = 0;
	uint64_t received = 0;
	struct crowd crowds[COUNT];
	pthread_t threads[COUNT];
	int shared = client_new(KEXT_LARGE);
	char text[16];

	(void)state;
	limit_ns = wait_now_ns() + 2000000000ull;
	for (int i = 0; i < COUNT; i++) {
		crowds[i] = (struct crowd){ (uint64_t)i, shared, &sent };
		assert_int_equal(pthread_create(&threads[i], NULL, crowd_run, &crowds[i]), 0);
	}
	while (wait_now_ns() < limit_ns) {
		ssize_t size = recv(shared, text, sizeof(text), MSG_DONTWAIT);
		received += size > 0 ? (uint64_t)size : 0;
	}
	for (int i = 0; i < COUNT; i++)
		pthread_join(threads[i], NULL);
	for (ssize_t size; (size = recv(shared, text, sizeof(text), MSG_DONTWAIT)) > 0;)
		received += (uint64_t)size;
	assert_int_equal(received, sent);
	close(shared);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_calls_end_as_they_must),
		cmocka_unit_test(threads_share_controls),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct ctl_info info = { 0 };
		int fd = socket_new(SOCK_DGRAM);
		strcpy(info.ctl_name, names[i]);
		ids[i] = ioctl(fd, CTLIOCGINFO, &info) == 0 ? info.ctl_id : 0;
		close(fd);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
