/*
 * kill -9 at every moment: a client, the kexthost, its supervisor or the kernel dies while a
 * program connects, calls, sends, receives, waits, closes.  Who is left sees an error that the
 * contract knows, nothing hangs, and nothing is left of the dead.
 *
 * Without arguments this is the test, run by hand as every test is; it runs itself as program of
 * `berth run`: `stage TARGET WHAT SEED`.  ATTACK_SEED repeats a run, ATTACK_ROUNDS makes it longer.
 */
#include "tests/conformance/control_program.h"

#include "tests/attack/control_raw.h"
#include "tests/attack/observe.h"

#include <dirent.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#define HANG_MS 60000
#define KEXT_IDENTIFIER "berth.test.kext"
#define ROUNDS 6

/* ---- what the worker does ----------------------------------------------------------- */

struct notes {
	_Atomic uint32_t is_ready;
	_Atomic int64_t result; /* of the call that failed */
	_Atomic int32_t error;
	_Atomic uint32_t calls;
	char call[32]; /* that is under way, or failed */
};

static struct notes *notes;

/* One call; what it says ends the worker if that is an error. */
#define CALL(call_)                                                                                \
	({                                                                                         \
		snprintf(notes->call, sizeof(notes->call), "%.20s", #call_);                       \
		errno = 0;                                                                         \
		int64_t result_ = (call_);                                                         \
		if (result_ < 0)                                                                   \
			worker_end(result_);                                                       \
		notes->calls++;                                                                    \
		result_;                                                                           \
	})

static _Noreturn void
worker_end(int64_t result)
{
	notes->error = errno;
	notes->result = result;
	_exit(0);
}

static int
client(const char *name)
{
	struct ctl_info info = { 0 };
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL);

	if (fd < 0)
		_exit(20);
	strcpy(info.ctl_name, name);
	CALL(ioctl(fd, CTLIOCGINFO, &info));
	struct sockaddr_ctl address = address_of(info.ctl_id, 0);
	CALL(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

static void
ready(void)
{
	atomic_store(&notes->is_ready, 1);
}

static void
connects(void)
{
	for (;;) {
		int fd = client(KEXT_LARGE);

		ready();
		CALL(close(fd));
	}
}

static void
sleeps_in_a_callback(void)
{
	int fd = client(KEXT_DGRAM);

	ready();
	for (;;)
		CALL(set_number(fd, SET_SLEEP, 1000));
}

static void
sends(void)
{
	static char text[4096], back[sizeof(text)];
	int fd = client(KEXT_LARGE);

	ready();
	for (;;) {
		CALL(send(fd, text, sizeof(text), MSG_NOSIGNAL));
		if (CALL(recv(fd, back, sizeof(back), 0)) == 0)
			worker_end(0);
	}
}

static void
receives_what_is_queued(void)
{
	char text[64];
	int fd = client(KEXT_DGRAM);

	for (;;) {
		for (int i = 0; i < 20; i++)
			CALL(enqueue(fd, "queued", DATA_EOR));
		ready();
		for (int i = 0; i < 20; i++)
			if (CALL(recv(fd, text, sizeof(text), 0)) != 6)
				worker_end(0);
	}
}

static void
blocks_in_receive(void)
{
	char byte;
	int fd = client(KEXT_DGRAM);

	ready();
	worker_end(CALL(recv(fd, &byte, 1, 0)));
}

static void
polls(void)
{
	int fd = client(KEXT_DGRAM);
	struct pollfd end = { .fd = fd, .events = POLLIN };
	char byte;

	ready();
	CALL(poll(&end, 1, -1));
	if (!(end.revents & POLLHUP))
		_exit(21);
	worker_end(CALL(recv(fd, &byte, 1, MSG_DONTWAIT)));
}

static void
fills_its_queue(void)
{
	static char text[1024], back[sizeof(text)];
	int fd = client(KEXT_DGRAM);

	for (;;) {
		strcpy(notes->call, "enqueue");
		while (enqueue_as(fd, SET_ENQUEUE, text, sizeof(text), DATA_EOR) == 0)
			notes->calls++;
		if (errno != ENOBUFS)
			worker_end(-1);
		ready();
		if (CALL(recv(fd, back, sizeof(back), 0)) == 0)
			worker_end(0);
	}
}

static void
gets_options(void)
{
	static char text[200000];
	int fd = client(KEXT_DGRAM);

	ready();
	for (;;) {
		socklen_t size = notes->calls % 2 ? sizeof(text) : 8;

		CALL(getsockopt(fd, SYSPROTO_CONTROL, GET_MIRROR, text, &size));
	}
}

static void
forks_and_closes(void)
{
	for (;;) {
		int fd = client(KEXT_LARGE), status, copy = dup(fd);
		pid_t pid = fork();

		if (pid == 0) {
			(void)!send(fd, "child", 5, MSG_NOSIGNAL);
			_exit(0);
		}
		close(fd);
		ready();
		waitpid(pid, &status, 0);
		CALL(send(copy, "parent", 6, MSG_NOSIGNAL));
		close(copy);
	}
}

static void
posts_events(void)
{
	struct {
		struct kext_event event;
		char data[8];
	} post = { { 1, 2, 3, { 8, 0, 0, 0, 0 }, 0 }, "events" };
	int fd = client(KEXT_DGRAM);
	int events = socket(PF_SYSTEM, SOCK_RAW, SYSPROTO_EVENT);
	struct kev_request filter = { KEV_ANY_VENDOR, KEV_ANY_CLASS, KEV_ANY_SUBCLASS };
	char message[512];

	if (events < 0)
		_exit(22);
	CALL(ioctl(events, SIOCSKEVFILT, &filter));
	ready();
	for (;;) {
		CALL(setsockopt(fd, SYSPROTO_CONTROL, SET_POST, &post, sizeof(post)));
		while (recv(events, message, sizeof(message), MSG_DONTWAIT) > 0)
			continue;
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} works[] = {
	{ "connect", connects },
	{ "callback", sleeps_in_a_callback },
	{ "send", sends },
	{ "queued", receives_what_is_queued },
	{ "recv", blocks_in_receive },
	{ "poll", polls },
	{ "full", fills_its_queue },
	{ "getsockopt", gets_options },
	{ "fork", forks_and_closes },
	{ "events", posts_events },
};
#define WORK_COUNT (sizeof(works) / sizeof(works[0]))

/* What a call may say whose kext, or kernel, is gone: the contract's words for it. */
static bool
is_expected(int64_t result, int error)
{
	if (result == 0)
		return true; /* a receive, at the end */
	switch (error) {
	case ENOENT:   /* there is no such control any more */
	case ENOTCONN: /* no kernel */
	case EPIPE:
	case EINVAL: /* an option of a socket that is not attached */
	case ENOBUFS:
		return true;
	default:
		return false;
	}
}

/* ---- processes ---------------------------------------------------------------------- */

static void
pause_us(unsigned us)
{
	const struct timespec pause = { us / 1000000, us % 1000000 * 1000L };

	nanosleep(&pause, NULL);
}

/* Its status; the test fails if it takes too long. */
static int
end_within_limit(pid_t pid, const char *who)
{
	int status;

	for (int i = 0; i < HANG_MS; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		pause_us(1000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	fprintf(stderr, "%s hangs in %s\n", who, notes != NULL ? notes->call : "");
	exit(30);
}

static pid_t
parent_of(pid_t pid)
{
	char path[64], text[512] = "";
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return 0;
	if (fgets(text, sizeof(text), file) != NULL && strrchr(text, ')') != NULL)
		(void)!sscanf(strrchr(text, ')'), ") %*c %d", &parent);
	fclose(file);
	return parent;
}

/* The child of @parent that runs a program of that name; 0: none. */
static pid_t
child_named(pid_t parent, const char *name)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	while (folder != NULL && found == 0 && (entry = readdir(folder)) != NULL) {
		char path[300], text[64] = "";
		pid_t pid = (pid_t)atoi(entry->d_name);

		if (pid <= 0 || parent_of(pid) != parent)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
		FILE *file = fopen(path, "r");
		if (file != NULL) {
			if (fgets(text, sizeof(text), file) != NULL &&
			    strncmp(text, name, strlen(name)) == 0)
				found = pid;
			fclose(file);
		}
	}
	closedir(folder);
	return found;
}

static void
await_gone(pid_t pid, const char *who)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/0", (int)pid);
	for (int i = 0; i < HANG_MS; i++) {
		/* a zombie whose parent takes its time is gone, too: it has nothing any more */
		if (kill(pid, 0) != 0 || process_descriptors(pid) <= 2)
			return;
		pause_us(1000);
	}
	fprintf(stderr, "%s is still there\n", who);
	exit(31);
}

static pid_t
tool_start(const char *command, const char *what)
{
	pid_t pid = fork();

	if (pid == 0) {
		int null_fd = open("/dev/null", O_RDWR);
		dup2(null_fd, STDOUT_FILENO);
		dup2(null_fd, STDERR_FILENO);
		execl(getenv("BERTH"), "berth", "kext", command, what, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static int
run_berth(const char *command, const char *what)
{
	return end_within_limit(tool_start(command, what), command);
}

/* ---- the stage ---------------------------------------------------------------------- */

enum target { TARGET_CLIENT, TARGET_KEXTHOST, TARGET_SUPERVISOR, TARGET_KERNEL, TARGET_LOADING };
static const char *const target_names[] = { "client", "kexthost", "supervisor", "kernel",
					    "loader" };

static pid_t
kexthost_now(void)
{
	struct {
		pid_t pid;
		uid_t uid;
		gid_t gid;
	} peer;
	socklen_t size = sizeof(peer);
	int fd = client(KEXT_LARGE);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		exit(32);
	close(fd);
	return peer.pid;
}

static pid_t
worker_start(size_t work)
{
	memset(notes, 0, sizeof(*notes));
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		works[work].run();
		_exit(23);
	}
	for (int i = 0; i < HANG_MS && !notes->is_ready; i++)
		pause_us(1000);
	if (!notes->is_ready) {
		fprintf(stderr, "%s does not begin: %s: %s\n", works[work].name, notes->call,
			strerror(notes->error));
		exit(33);
	}
	return pid;
}

/* It ended by itself, with an error that says what happened. */
static void
worker_is_told(pid_t pid, size_t work, const char *target)
{
	int status = end_within_limit(pid, works[work].name);

	if (getenv("ATTACK_SHOW") != NULL)
		fprintf(stderr, "   %s, %s dies: %s: %lld, %s\n", works[work].name, target,
			notes->call, (long long)notes->result,
			notes->result < 0 ? strerror(notes->error) : "");
	if (status == 0 && is_expected(notes->result, notes->error))
		return;
	fprintf(stderr, "%s, when the %s died: status 0x%x, %s: %lld, %s\n", works[work].name,
		target, (unsigned)status, notes->call, (long long)notes->result,
		strerror(notes->error));
	exit(34);
}

/* All units but our own are free, and the kexthost holds no more than before. */
static void
nothing_is_left(pid_t kexthost, unsigned descriptors)
{
	struct sockaddr_ctl address = address_of(id_of(KEXT_DGRAM), 1);
	int fd = socket_new(SOCK_DGRAM);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		fprintf(stderr, "unit 1 is not free: %s\n", strerror(errno));
		exit(35);
	}
	close(fd);
	process_descriptors_settle(kexthost, descriptors);
}

static void
kill_client(size_t work, unsigned delay_us)
{
	pid_t kexthost = kexthost_now();

	pause_us(2000);
	unsigned descriptors = process_descriptors(kexthost);
	pid_t pid = worker_start(work);
	int status;

	pause_us(delay_us);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (status != SIGKILL) {
		fprintf(stderr, "%s ended by itself: status 0x%x, %s: %s\n", works[work].name,
			(unsigned)status, notes->call, strerror(notes->error));
		exit(36);
	}
	nothing_is_left(kexthost, descriptors + 2);
}

static void
kill_kext(size_t work, unsigned delay_us, enum target target, const char *kext)
{
	pid_t kexthost = kexthost_now(), supervisor = parent_of(kexthost);
	pid_t pid = worker_start(work);
	struct ctl_info info = { .ctl_name = KEXT_DGRAM };

	pause_us(delay_us);
	kill(target == TARGET_KEXTHOST ? kexthost : supervisor, SIGKILL);
	worker_is_told(pid, work, target_names[target]);
	/* who has been told finds the control no more */
	int fd = socket_new(SOCK_DGRAM);
	if (ioctl(fd, CTLIOCGINFO, &info) == 0 || errno != ENOENT) {
		fprintf(stderr, "%s: the control is still there: %s\n", works[work].name,
			strerror(errno));
		exit(37);
	}
	close(fd);
	await_gone(kexthost, "the kexthost");
	await_gone(supervisor, "its supervisor");
	if (run_berth("load", kext) != 0) {
		fprintf(stderr, "the kext cannot be loaded again\n");
		exit(38);
	}
}

static void
kill_kernel(size_t work, unsigned delay_us)
{
	pid_t kernel = child_named(getppid(), "berthd");
	pid_t kexthost = kexthost_now(), supervisor = parent_of(kexthost);
	pid_t pid = worker_start(work);

	if (kernel == 0)
		exit(39);
	pause_us(delay_us);
	kill(kernel, SIGKILL);
	worker_is_told(pid, work, target_names[TARGET_KERNEL]);
	await_gone(kexthost, "the kexthost");
	await_gone(supervisor, "its supervisor");
}

/* The kext is loaded, or unloaded, while the tool, the supervisor or the kexthost dies: the tool
 * comes back, and afterwards the kext can be loaded and used. */
static void
kill_loading(unsigned round, unsigned delay_us, const char *kext)
{
	bool is_loading = round % 2 == 0;
	const char *command = is_loading ? "load" : "unload";

	if (is_loading)
		run_berth("unload", KEXT_IDENTIFIER);
	pid_t tool = tool_start(command, is_loading ? kext : KEXT_IDENTIFIER);
	pause_us(delay_us);
	pid_t supervisor = child_named(getppid(), "berth-kexthost"), victim = tool;
	/* asked once: it may be gone the next time, and pid 0 would be all of us */
	pid_t kexthost = supervisor != 0 ? child_named(supervisor, "berth-kexthost") : 0;
	if (round / 2 % 3 == 1 && supervisor != 0)
		victim = supervisor;
	else if (round / 2 % 3 == 2 && kexthost != 0)
		victim = kexthost;
	kill(victim, SIGKILL);
	end_within_limit(tool, command);
	/* what was under way may end a little later than who asked for it */
	for (int i = 0; run_berth("load", kext) != 0; i++) {
		if (i == 1000) {
			fprintf(stderr, "the kext cannot be loaded after a killed %s\n", command);
			exit(41);
		}
		pause_us(10000);
	}
}

static int
stage(enum target target, size_t work, uint64_t seed, const char *kext)
{
	const char *text = getenv("ATTACK_ROUNDS");
	int rounds = text != NULL ? atoi(text) : target == TARGET_LOADING ? 4 * ROUNDS : ROUNDS;

	signal(SIGPIPE, SIG_IGN);
	notes =
	    mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (notes == MAP_FAILED || run_berth("load", kext) != 0)
		return 40;
	for (int i = 0; i < rounds; i++) {
		unsigned delay_us = (unsigned)i * 50 + attack_random(&seed) % 50;

		if (target == TARGET_LOADING)
			kill_loading((unsigned)i, delay_us * 20, kext);
		else if (target == TARGET_CLIENT)
			kill_client(work, delay_us);
		else if (target != TARGET_KERNEL)
			kill_kext(work, delay_us, target, kext);
		else
			kill_kernel(work, delay_us);
		if (target == TARGET_KERNEL)
			break;
	}
	return 0;
}

/* ---- the test ----------------------------------------------------------------------- */

static char *own_path, *kext_path;
static uint64_t seed;

/* One stage in a kernel of its own; what it said.  The kernel's folder is one of ours, so that
 * what is left in it can be seen. */
static void
play(enum target target, size_t work)
{
	char target_text[8], work_text[8], seed_text[32], tmp[] = "/tmp/berth-death-XXXXXX";

	assert_non_null(mkdtemp(tmp));
	snprintf(target_text, sizeof(target_text), "%d", (int)target);
	snprintf(work_text, sizeof(work_text), "%zu", work);
	snprintf(seed_text, sizeof(seed_text), "%llu", (unsigned long long)seed++);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		setenv("TMPDIR", tmp, 1);
		/* it tells of a kernel that is gone, as it should */
		if (target == TARGET_KERNEL && getenv("ATTACK_SHOW") == NULL)
			freopen("/dev/null", "w", stderr);
		execl(getenv("BERTH"), "berth", "run", "--", own_path, "stage", target_text,
		      work_text, seed_text, kext_path, (char *)NULL);
		_exit(127);
	}
	int status = end_within_limit(pid, "berth run");
	/* that fails if something is in it */
	bool is_clean = rmdir(tmp) == 0;
	/* the program's own status, or that its kernel was killed */
	if (status != 0 && (target != TARGET_KERNEL || WEXITSTATUS(status) >= 20))
		fail_msg("%s, %s: status 0x%x; ATTACK_SEED=%s", works[work].name,
			 target_names[target], (unsigned)status, seed_text);
	if (!is_clean)
		fail_msg("%s, %s: something is left in %s", works[work].name, target_names[target],
			 tmp);
}

static void
play_all(enum target target)
{
	const char *text = getenv("ATTACK_ROUNDS");
	int times = target != TARGET_KERNEL ? 1 : text != NULL ? atoi(text) : 2;

	for (size_t work = 0; work < WORK_COUNT; work++)
		for (int i = 0; i < times; i++)
			play(target, work);
}

static void
a_client_that_is_killed_leaves_nothing(void **state)
{
	(void)state;
	play_all(TARGET_CLIENT);
}

static void
programs_see_the_death_of_a_kexthost(void **state)
{
	(void)state;
	play_all(TARGET_KEXTHOST);
}

static void
a_kexthost_dies_with_its_supervisor(void **state)
{
	(void)state;
	play_all(TARGET_SUPERVISOR);
}

static void
kexts_and_their_programs_see_the_death_of_the_kernel(void **state)
{
	(void)state;
	play_all(TARGET_KERNEL);
}

static void
loading_and_unloading_can_be_killed(void **state)
{
	(void)state;
	play(TARGET_LOADING, 0);
}

/*
 * A kexthost that ends by itself under AddressSanitizer looks for leaks by a child of its own,
 * which a search by name cannot tell from another kexthost.  Killed, it leaves its parent spinning
 * for ever; and what is killed anyway is not the place to look for leaks.
 */
static void
forgo_leaks(void)
{
	const char *options = getenv("ASAN_OPTIONS");
	char more[512];

	snprintf(more, sizeof(more), "%s:detect_leaks=0", options != NULL ? options : "");
	setenv("ASAN_OPTIONS", more, 1);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_that_is_killed_leaves_nothing),
		cmocka_unit_test(programs_see_the_death_of_a_kexthost),
		cmocka_unit_test(a_kexthost_dies_with_its_supervisor),
		cmocka_unit_test(kexts_and_their_programs_see_the_death_of_the_kernel),
		cmocka_unit_test(loading_and_unloading_can_be_killed),
	};

	if (argc == 6 && strcmp(argv[1], "stage") == 0)
		return stage((enum target)atoi(argv[2]), (size_t)atoi(argv[3]),
			     strtoull(argv[4], NULL, 0), argv[5]);
	if (argc < 2) {
		fprintf(stderr, "usage: attack-control-death-test KEXT [TESTS]\n");
		return 64;
	}
	forgo_leaks();
	own_path = argv[0];
	kext_path = argv[1];
	if (argc > 2)
		cmocka_set_test_filter(argv[2]);
	seed = attack_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
