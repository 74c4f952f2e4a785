/*
 * Attacks on task_for_pid: what is shown must be the file of that very process's memory, opened
 * for its present program, and by one who has no less right.
 *
 * The victim is a process with a task of its own; who attacks is this one, or a child of it that
 * has become nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/observe.h"

#define SELF ((uint64_t)BERTH_NAME_TASK_SELF)
#define NOBODY 65534u
#define HANG_MS 20000

/* ---- a victim --------------------------------------------------------------------------- */

struct victim {
	pid_t pid;
	int fd; /* its life line, and where it says that it is there */
};

/* A task that waits for its end.  Also what an exec of this program becomes. */
static void
victim_run(const char *path, int fd)
{
	struct raw_kernel kernel = { 0 };
	struct raw_task task;
	char byte = 0;

	snprintf(kernel.path, sizeof(kernel.path), "%s", path);
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	task = raw_task_new(&kernel);
	if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 0)
		_exit(1);
	raw_task_free(&task);
	_exit(0);
}

static void
victim_wait(const struct victim *victim)
{
	char byte;

	assert_int_equal(read(victim->fd, &byte, 1), 1);
}

static struct victim
victim_start(const struct raw_kernel *kernel)
{
	struct victim victim;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	victim.pid = fork();
	assert_true(victim.pid >= 0);
	if (victim.pid == 0) {
		close(fds[0]);
		victim_run(kernel->path, fds[1]);
	}
	close(fds[1]);
	victim.fd = fds[0];
	victim_wait(&victim);
	return victim;
}

static void
victim_end(struct victim *victim)
{
	int status;

	close(victim->fd);
	assert_int_equal(waitpid(victim->pid, &status, 0), victim->pid);
	assert_int_equal(status, 0);
}

/* ---- asking ------------------------------------------------------------------------------ */

/* Asks for the task of @pid and shows these descriptors. */
static kern_return_t
ask(struct raw_task *task, uint32_t number, pid_t pid, uint32_t flags, const int *fds,
    unsigned fd_count)
{
	struct trap_slot *slot = raw_slot(task, 0);
	uint64_t args[] = { (uint64_t)pid };

	raw_fill(slot, number, args, 1);
	slot->request.flags = flags;
	raw_publish(slot);
	if (fd_count > 0)
		raw_ring_with(task, 0, fds, fd_count);
	else
		raw_ring(task, 0);
	if (!raw_await(slot, HANG_MS))
		return -1;
	return slot->reply.code;
}

static kern_return_t
show(struct raw_task *task, pid_t pid, int fd)
{
	return ask(task, BERTH_TRAP_TASK_FOR_PID, pid, TRAP_HAS_FILE, &fd, 1);
}

static int
open_memory(pid_t pid, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	return open(path, flags | O_CLOEXEC);
}

/* A kernel with a victim and this process as a task; everything must be as before at the end. */
struct scene {
	struct raw_kernel kernel;
	struct raw_task task;
	struct victim victim;
	struct observation before;
};

static struct scene
scene_open(void)
{
	struct scene scene = { .kernel = raw_kernel_start(NULL) };

	/* for tasks of other users, as `berth run` does it */
	assert_int_equal(chmod(scene.kernel.folder, 0711), 0);
	assert_int_equal(chmod(scene.kernel.path, 0666), 0);
	scene.task = raw_task_new(&scene.kernel);
	scene.victim = victim_start(&scene.kernel);
	scene.before = observe(&scene.kernel);
	return scene;
}

static void
scene_close(struct scene *scene)
{
	observe_settles(&scene->kernel, &scene->before);
	victim_end(&scene->victim);
	raw_task_free(&scene->task);
	raw_kernel_end(&scene->kernel);
}

/* ---- the attacks ------------------------------------------------------------------------- */

static void
the_right_file_is_taken(void **state)
{
	struct scene scene = scene_open();
	int fd = open_memory(scene.victim.pid, O_RDWR);
	char byte;

	assert_true(fd >= 0);
	assert_int_equal(show(&scene.task, scene.victim.pid, fd), KERN_SUCCESS);
	assert_int_equal(raw_trap(&scene.task, 0, BERTH_TRAP_PORT_DEALLOCATE, 2, SELF,
				  raw_slot(&scene.task, 0)->reply.values[0]),
			 KERN_SUCCESS);
	/* nor has it been changed, or kept open: observe_settles() */
	assert_int_equal(pread(fd, &byte, 1, (off_t)(uintptr_t)&scene), 1);
	close(fd);
	scene_close(&scene);
}

static void
another_file_is_not_taken_for_it(void **state)
{
	struct scene scene = scene_open();
	pid_t pid = scene.victim.pid;
	char path[64];
	int pipe_fds[2];

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	assert_int_equal(pipe(pipe_fds), 0);
	int fds[] = {
		open_memory(pid, O_RDONLY),
		open_memory(pid, O_WRONLY),
		open_memory(pid, O_PATH),
		open_memory(getpid(), O_RDWR),
		open_memory(scene.kernel.pid, O_RDWR), /* where it may be opened */
		open(path, O_RDONLY | O_CLOEXEC),
		open("/dev/null", O_RDWR | O_CLOEXEC),
		open("/", O_RDONLY | O_CLOEXEC),
		raw_memfd(4096, 'm', 0),
		pipe_fds[0],
		pipe_fds[1],
	};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] < 0)
			continue;
		assert_int_equal(show(&scene.task, pid, fds[i]), KERN_FAILURE);
		close(fds[i]);
	}
	scene_close(&scene);
}

static void
requests_that_make_no_sense_are_refused(void **state)
{
	struct scene scene = scene_open();
	pid_t pid = scene.victim.pid;
	int fd = open_memory(pid, O_RDWR), both[] = { fd, fd };
	const pid_t pids[] = { 0, -1, 1, 0x7fffffff, scene.kernel.pid };

	assert_true(fd >= 0);
	assert_int_equal(ask(&scene.task, BERTH_TRAP_TASK_FOR_PID, pid, 0, NULL, 0), KERN_FAILURE);
	assert_int_equal(ask(&scene.task, BERTH_TRAP_TASK_FOR_PID, pid, TRAP_HAS_FILE, both, 2),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(
	    ask(&scene.task, BERTH_TRAP_TASK_FOR_PID, pid, TRAP_HAS_FILE | TRAP_HAS_BULK, both, 2),
	    KERN_INVALID_ARGUMENT);
	assert_int_equal(ask(&scene.task, BERTH_TRAP_TASK_NAME_FOR_PID, pid, TRAP_HAS_FILE, &fd, 1),
			 KERN_INVALID_ARGUMENT);
	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++)
		assert_int_equal(show(&scene.task, pids[i], fd), KERN_FAILURE);
	close(fd);
	scene_close(&scene);
}

/* What a child that has become nobody does; its exit status: 0 for all well. */
typedef int nobodys_function(struct scene *scene, int memory_fd);

static void
as_nobody(struct scene *scene, nobodys_function *function, int memory_fd)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
		    setresuid(NOBODY, NOBODY, NOBODY) != 0)
			_exit(100);
		_exit(function(scene, memory_fd));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int
show_what_root_opened(struct scene *scene, int memory_fd)
{
	struct raw_task task = raw_task_new(&scene->kernel);

	if (open_memory(scene->victim.pid, O_RDWR) >= 0)
		return 1;
	if (show(&task, scene->victim.pid, memory_fd) != KERN_FAILURE)
		return 2;
	if (ask(&task, BERTH_TRAP_TASK_NAME_FOR_PID, scene->victim.pid, 0, NULL, 0) != KERN_FAILURE)
		return 3;
	raw_task_free(&task);
	return 0;
}

static void
a_file_that_root_opened_does_not_help_nobody(void **state)
{
	if (geteuid() != 0) {
		skip();
		return;
	}
	struct scene scene = scene_open();
	int fd = open_memory(scene.victim.pid, O_RDWR);

	assert_true(fd >= 0);
	as_nobody(&scene, show_what_root_opened, fd);
	close(fd);
	scene_close(&scene);
}

/* A victim of nobody's own: its task is to be had, until it may not be looked at. */
static int
show_what_cannot_be_dumped(struct scene *scene, int memory_fd)
{
	struct raw_task task = raw_task_new(&scene->kernel);
	int to_child[2], from_child[2];
	char byte = 0;

	if (pipe(to_child) != 0 || pipe(from_child) != 0)
		return 10;
	/* setuid() has made this process one that may not be looked at */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
		struct raw_task own = raw_task_new(&scene->kernel);
		if (own.socket_fd < 0 || write(from_child[1], &byte, 1) != 1 ||
		    read(to_child[0], &byte, 1) != 1)
			_exit(1);
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		if (write(from_child[1], &byte, 1) != 1 || read(to_child[0], &byte, 1) != 1)
			_exit(1);
		_exit(0);
	}
	if (read(from_child[0], &byte, 1) != 1)
		return 11;
	int fd = open_memory(pid, O_RDWR);
	if (fd < 0 || show(&task, pid, fd) != KERN_SUCCESS)
		return 12;
	if (write(to_child[1], &byte, 1) != 1 || read(from_child[0], &byte, 1) != 1)
		return 13;
	if (show(&task, pid, fd) != KERN_FAILURE)
		return 14;
	if (write(to_child[1], &byte, 1) != 1 || waitpid(pid, NULL, 0) != pid)
		return 15;
	raw_task_free(&task);
	return 0;
}

static void
what_may_not_be_dumped_is_not_had_by_an_old_file(void **state)
{
	if (geteuid() != 0) {
		skip();
		return;
	}
	struct scene scene = scene_open();

	as_nobody(&scene, show_what_cannot_be_dumped, -1);
	scene_close(&scene);
}

static void
a_file_of_the_program_before_an_exec_is_worth_nothing(void **state)
{
	struct scene scene = scene_open();
	struct victim changing;
	int fds[2];
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	changing.pid = fork();
	assert_true(changing.pid >= 0);
	if (changing.pid == 0) {
		char fd_text[16];

		close(fds[0]);
		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
		snprintf(fd_text, sizeof(fd_text), "%d", fds[1]);
		if (write(fds[1], "", 1) != 1 || read(fds[1], &byte, 1) != 1)
			_exit(1);
		execl("/proc/self/exe", "victim", scene.kernel.path, fd_text, (char *)NULL);
		_exit(1);
	}
	close(fds[1]);
	changing.fd = fds[0];
	victim_wait(&changing);
	int old_fd = open_memory(changing.pid, O_RDWR);
	assert_true(old_fd >= 0);
	assert_int_equal(write(changing.fd, "", 1), 1);
	victim_wait(&changing);
	assert_int_equal(show(&scene.task, changing.pid, old_fd), KERN_FAILURE);
	int new_fd = open_memory(changing.pid, O_RDWR);
	assert_true(new_fd >= 0);
	assert_int_equal(show(&scene.task, changing.pid, new_fd), KERN_SUCCESS);
	close(old_fd);
	close(new_fd);
	victim_end(&changing);
	scene_close(&scene);
}

/* Lets @pid's folder of /proc be this process's own, for this process alone.  False: Linux does
 * not let it. */
static bool
forge_path(pid_t pid)
{
	char path[64], own[64];

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	snprintf(own, sizeof(own), "/proc/%d", (int)getpid());
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount(own, path, NULL, MS_BIND, NULL) == 0;
}

static void
a_forged_path_is_seen_through(void **state)
{
	struct scene scene = scene_open();
	int status;
	pid_t pid = fork(); /* so that only the child has the mount */

	assert_true(pid >= 0);
	if (pid == 0) {
		char link[64], path[64], wanted[64];
		ssize_t n;

		if (!forge_path(scene.victim.pid))
			_exit(77);
		struct raw_task task = raw_task_new(&scene.kernel);
		int fd = open_memory(scene.victim.pid, O_RDWR);
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		snprintf(wanted, sizeof(wanted), "/proc/%d/mem", (int)scene.victim.pid);
		n = readlink(link, path, sizeof(path) - 1);
		path[n > 0 ? n : 0] = '\0';
		/* the name is the victim's, the memory is not */
		if (fd < 0 || strcmp(path, wanted) != 0)
			_exit(1);
		_exit(show(&task, scene.victim.pid, fd) == KERN_FAILURE ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) != 77)
		assert_int_equal(WEXITSTATUS(status), 0);
	scene_close(&scene);
	if (WEXITSTATUS(status) == 77)
		skip(); /* no mounts of one's own here */
}

static void
a_victim_that_has_ended_is_not_had(void **state)
{
	struct scene scene = scene_open();
	struct victim second = victim_start(&scene.kernel);
	int fd = open_memory(second.pid, O_RDWR);

	assert_true(fd >= 0);
	victim_end(&second);
	assert_int_equal(show(&scene.task, second.pid, fd), KERN_FAILURE);
	close(fd);
	scene_close(&scene);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_file_is_taken),
		cmocka_unit_test(another_file_is_not_taken_for_it),
		cmocka_unit_test(requests_that_make_no_sense_are_refused),
		cmocka_unit_test(a_file_that_root_opened_does_not_help_nobody),
		cmocka_unit_test(what_may_not_be_dumped_is_not_had_by_an_old_file),
		cmocka_unit_test(a_file_of_the_program_before_an_exec_is_worth_nothing),
		cmocka_unit_test(a_forged_path_is_seen_through),
		cmocka_unit_test(a_victim_that_has_ended_is_not_had),
	};

	if (argc == 3)
		victim_run(argv[1], atoi(argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
