/*
 * Every task of a scenario is killed at every boundary of each of its traps.
 *
 * usage: berth run -- kills [TASK TRAP POINT]
 *
 * The scenario of tasks.h runs once to count its traps, then once for each task, each trap and
 * each point of it (kill_point.h).  Whoever survives ends by itself with status 0, and then the
 * kernel, whose invariants are checked, holds no more than before the first run: no object, and
 * berthd no descriptor.  With arguments only that one run is made.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <servers/bootstrap.h>

#include "tests/kills/kill_point.h"
#include "tests/kills/tasks.h"
#include "tests/stress/counts.h"

#define LIFE_S 120 /* of a task; a run takes some milliseconds */

enum task { SERVER, FIRST, SECOND, TASKS };

static const char *const task_names[TASKS] = { "server", "first client", "second client" };
static const char *const point_names[KILL_POINTS] = { "before", "rung", "answered" };

/* Who dies where; trap 0: nobody. */
struct death {
	enum task task;
	unsigned trap;
	enum kill_point point;
};

/* Shared with the tasks: how many traps each has made. */
static unsigned *traps;

static void
one_name(char name[64], unsigned run)
{
	snprintf(name, 64, "org.berth.kills.%ld.%u", (long)getppid(), run);
}

static pid_t
start(enum task task, const struct death *death, const char *name, int ready)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(LIFE_S);
	kill_point_arm(death->task == task ? death->trap : 0, death->point);
	if (task == SERVER)
		server_main(name, ready);
	else
		client_main(name, task == SECOND);
	traps[task] = kill_point_traps();
	_exit(0);
}

/* The end of @pid.  The server stops the clients and lets them go: if it dies in between, then
 * whoever started both of them does. */
static int
end_of(pid_t pid, pid_t server)
{
	bool is_stopped = false;
	int status = 0;

	for (;;) {
		siginfo_t dead = { .si_pid = 0 };
		pid_t changed =
		    waitpid(pid, &status, WUNTRACED | WCONTINUED | (is_stopped ? WNOHANG : 0));

		if (changed == pid && (WIFEXITED(status) || WIFSIGNALED(status)))
			return status;
		if (changed == pid)
			is_stopped = WIFSTOPPED(status);
		if (!is_stopped)
			continue;
		if (waitid(P_PID, (id_t)server, &dead, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    dead.si_pid == server)
			kill(pid, SIGCONT);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

/* Its end is what was planned. */
static bool
ended_well(enum task task, const pid_t pids[TASKS], const struct death *death, bool *killed)
{
	bool is_victim = death->task == task && death->trap != 0;
	int status;

	if (pids[task] < 0)
		return false;
	status = end_of(pids[task], pids[SERVER]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	if (is_victim && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
		*killed = true;
		return true;
	}
	fprintf(stderr, "the %s ends with status 0x%x\n", task_names[task], (unsigned)status);
	return false;
}

/* The clients have ended; whether the server lives or not, nobody needs it any more. */
static void
stop_server(const char *name)
{
	mach_port_t bootstrap, server;
	mach_msg_header_t stop = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND, 0),
				   .msgh_size = sizeof(stop),
				   .msgh_id = REQUEST_STOP };

	MUST(task_get_bootstrap_port(mach_task_self(), &bootstrap));
	if (WENT(bootstrap_look_up(bootstrap, name, &server), BOOTSTRAP_UNKNOWN_SERVICE)) {
		stop.msgh_remote_port = server;
		if (!WENT(mach_msg(&stop, MACH_SEND_MSG, sizeof(stop), 0, 0, 0, 0),
			  MACH_SEND_INVALID_DEST))
			mach_msg_destroy(&stop);
	}
	MUST(mach_port_deallocate(mach_task_self(), bootstrap));
}

/* One run.  False: something went wrong.  *@killed: the victim came to its trap. */
static bool
run(const struct death *death, bool *killed)
{
	static unsigned number;
	pid_t pids[TASKS];
	char name[64], byte;
	int ready[2];
	bool well = true;

	*killed = false;
	one_name(name, number++);
	if (pipe(ready) != 0)
		return false;
	pids[SERVER] = start(SERVER, death, name, ready[1]);
	close(ready[1]);
	(void)!read(ready[0], &byte, 1); /* it serves, or has died */
	close(ready[0]);
	for (enum task task = FIRST; task < TASKS; task++)
		pids[task] = start(task, death, name, -1);
	for (enum task task = FIRST; task < TASKS; task++)
		well &= ended_well(task, pids, death, killed);
	stop_server(name);
	return ended_well(SERVER, pids, death, killed) && well;
}

/* ---- what is left -----------------------------------------------------------------------------
 */

/* The process behind the kernel's socket. */
static pid_t
kernel_pid(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("BERTH_KERNEL");
	struct ucred peer = { .pid = 0 };
	socklen_t size = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (path != NULL && strlen(path) < sizeof(address.sun_path)) {
		memcpy(address.sun_path, path, strlen(path));
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	}
	close(fd);
	return peer.pid;
}

/* -1: they cannot be counted. */
static int
descriptors_of(pid_t pid)
{
	char path[64];
	int count = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pid);
	folder = opendir(path);
	if (folder == NULL)
		return -1;
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

/* berthd closes what a task had a moment after it. */
static bool
descriptors_await(pid_t pid, int wanted)
{
	int now = 0;

	for (unsigned i = 0; i < HANG_MS / 10; i++) {
		now = descriptors_of(pid);
		if (now <= wanted)
			return true;
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	fprintf(stderr, "berthd has %d descriptors; %d before\n", now, wanted);
	return false;
}

/* ---- all runs ---------------------------------------------------------------------------------
 */

struct before {
	struct kernel_totals totals;
	pid_t kernel;
	int descriptors;
};

static bool
checked_run(const struct before *before, const struct death *death, bool *killed)
{
	bool well = run(death, killed);

	kernel_totals_await(&before->totals); /* ends the test if it does not */
	kernel_audit_ask();
	if (!descriptors_await(before->kernel, before->descriptors))
		well = false;
	if (!well)
		fprintf(stderr, "repeat it: berth run -- kills %d %u %d (%s, trap %u, %s)\n",
			(int)death->task, death->trap, (int)death->point, task_names[death->task],
			death->trap, point_names[death->point]);
	return well;
}

static int
run_all(const struct before *before)
{
	unsigned deaths = 0, wrong = 0, counted[TASKS];
	struct death death = { .trap = 0 };
	bool killed;

	if (!checked_run(before, &death, &killed))
		return 1;
	memcpy(counted, traps, sizeof(counted));
	for (death.task = 0; death.task < TASKS; death.task++) {
		printf("%s: %u traps\n", task_names[death.task], counted[death.task]);
		fflush(stdout);
		for (death.trap = 1; death.trap <= counted[death.task] && wrong < 5; death.trap++)
			for (death.point = 0; death.point < KILL_POINTS; death.point++) {
				wrong += !checked_run(before, &death, &killed);
				deaths += killed;
			}
	}
	printf("%u deaths, %u wrong\n", deaths, wrong);
	return wrong != 0;
}

int
main(int argc, char **argv)
{
	struct before before;
	struct death death = { .trap = 0 };
	mach_port_t unknown;
	bool killed;

	traps = mmap(NULL, TASKS * sizeof(*traps), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (traps == MAP_FAILED)
		return 1;
	/* what this process and the name server make at their first calls is there already */
	if (!run(&death, &killed) ||
	    bootstrap_look_up(bootstrap_port, "org.berth.none", &unknown) == KERN_SUCCESS)
		return 1;
	before.kernel = kernel_pid();
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
	kernel_totals_ask(&before.totals);
	before.descriptors = descriptors_of(before.kernel);
	if (argc == 4) {
		death = (struct death){ .task = (enum task)atoi(argv[1]),
					.trap = (unsigned)atoi(argv[2]),
					.point = (enum kill_point)atoi(argv[3]) };
		return !checked_run(&before, &death, &killed);
	}
	return run_all(&before);
}
