/*
 * What a hostile program would have won if it took berthd over: no privilege, no program, no
 * file, no memory of others.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "confine/confine.h"
#include "tests/attack/observe.h"

#define NOBODY 65534u
#define HANG_MS 20000
#define KEPT 0x1000022ull /* CAP_DAC_OVERRIDE, CAP_KILL, CAP_SYS_RESOURCE: root's berthd */

/* A line of /proc/@pid/status, as a number to the base @base. */
static unsigned long long
status_of(pid_t pid, const char *name, int base)
{
	char path[64], line[256];
	unsigned long long value = 0;
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file) != NULL) {
		found = strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':';
		if (found)
			value = strtoull(line + strlen(name) + 1, NULL, base);
	}
	fclose(file);
	assert_true(found);
	return value;
}

/* Can a filter be had: in this build, and of Linux here? */
static bool
filter_is_had(void)
{
	int status;

	if (!confine_is_built() || getenv("BERTH_SECCOMP") != NULL)
		return false;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(confine_capabilities(0) != 0 ||
		      confine_calls("here", NULL, 0) != CONFINE_DONE);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == 0;
}

/* What the filter of @pid adds to ours: 1, or 0 in a build without. */
static void
is_filtered(pid_t pid)
{
	if (!filter_is_had())
		assert_int_equal(status_of(pid, "Seccomp", 10), status_of(getpid(), "Seccomp", 10));
	else
		assert_int_equal(status_of(pid, "Seccomp", 10), 2);
}

static void
berthd_serves_without_privileges(void **state)
{
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel); /* so it serves by now */
	unsigned long long own = status_of(getpid(), "CapEff", 16);

	assert_int_equal(status_of(kernel.pid, "NoNewPrivs", 10), 1);
	assert_int_equal(status_of(kernel.pid, "CapInh", 16), 0);
	assert_int_equal(status_of(kernel.pid, "CapAmb", 16), 0);
	assert_int_equal(status_of(kernel.pid, "CapEff", 16), own & KEPT);
	assert_int_equal(status_of(kernel.pid, "CapPrm", 16), own & KEPT);
	if (geteuid() == 0)
		assert_int_equal(status_of(kernel.pid, "CapBnd", 16) & ~KEPT, 0);
	is_filtered(kernel.pid);
	raw_task_free(&task);
	raw_kernel_end(&kernel);
}

/* ---- its memory ---------------------------------------------------------------------- */

/* As an ordinary user, beside a berthd of his.  0; otherwise which way in was open. */
static int
look_into(pid_t pid)
{
	char path[64], byte;
	struct iovec here = { &byte, 1 }, there = { (void *)(uintptr_t)4096, 1 };

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	if (open(path, O_RDONLY) >= 0)
		return 1;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	int fd = open(path, O_RDONLY);
	if (fd >= 0 && read(fd, &byte, 1) >= 0)
		return 2;
	if (process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0 || errno != EPERM)
		return 3;
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0)
		return 4;
	return 0;
}

static void
nobody_of_the_same_user_reads_its_memory(void **state)
{
	int status;

#ifdef ATTACK_ASAN
	skip(); /* its leak checker reads it */
#endif
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
			_exit(10);
		if (access(getenv("BERTHD"), X_OK) != 0)
			_exit(11);
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		struct raw_kernel kernel = raw_kernel_start(NULL);
		struct raw_task task = raw_task_new(&kernel);
		int way = look_into(kernel.pid);

		raw_task_free(&task);
		raw_kernel_end(&kernel);
		_exit(way);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 11)
		skip(); /* the build is in a folder of root's alone */
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- its calls ----------------------------------------------------------------------- */

static void
run_a_program(void)
{
	char *argv[] = { (char *)(uintptr_t) "/bin/true", NULL };

	execve(argv[0], argv, NULL);
}

static void
fork_a_process(void)
{
	if (syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) == 0)
		_exit(0);
}

static void
open_to_write(void)
{
	syscall(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY, 0);
}

static void
make_a_file(void)
{
	syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_CREAT, 0600);
}

static void
go_to_the_network(void)
{
	syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static void
write_code(void)
{
	(void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0);
}

static void
make_code_of_data(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static void
debug_others(void)
{
	syscall(SYS_ptrace, PTRACE_SEIZE, getppid(), NULL, NULL);
}

static void
become_somebody(void)
{
	syscall(SYS_setuid, 0);
}

static void
take_the_signal(void)
{
	signal(SIGSYS, SIG_IGN);
}

/* What @forbidden does under the filter that all have in common: its line on stderr. */
static int
confined_child(void (*forbidden)(void), char *said, size_t size)
{
	int ends[2], status;
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		if (confine_capabilities(0) != 0 || confine_calls("here", NULL, 0) != CONFINE_DONE)
			_exit(10);
		forbidden();
		_exit(11);
	}
	close(ends[1]);
	n = read(ends[0], said, size - 1);
	said[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void
a_call_that_is_not_allowed_is_stopped_and_named(void **state)
{
	static const struct {
		void (*call)(void);
		int number;
	} forbidden[] = {
		{ run_a_program, SYS_execve },       { fork_a_process, SYS_clone },
		{ open_to_write, SYS_openat },       { make_a_file, SYS_openat },
		{ go_to_the_network, SYS_socket },   { write_code, SYS_mmap },
		{ make_code_of_data, SYS_mprotect }, { debug_others, SYS_ptrace },
		{ become_somebody, SYS_setuid },     { take_the_signal, SYS_rt_sigaction },
	};
	char said[256], wanted[128];

	if (!filter_is_had())
		skip();
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		int status = confined_child(forbidden[i].call, said, sizeof(said));

		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
		snprintf(wanted, sizeof(wanted),
			 "here: a system call that it never makes was stopped: number %d\n",
			 forbidden[i].number);
		assert_string_equal(said, wanted);
	}
}

#ifdef __x86_64__
/* Puts @number in the place of the next call that @pid makes, as who had taken it over would. */
static void
force_call(pid_t pid, unsigned long long number)
{
	struct user_regs_struct registers;
	int status;

	assert_int_equal(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, __WALL), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, __WALL), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &registers), 0);
	registers.orig_rax = number;
	assert_int_equal(ptrace(PTRACE_SETREGS, pid, NULL, &registers), 0);
	assert_int_equal(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
}
#endif

static void
berthd_that_is_taken_over_runs_no_program(void **state)
{
#ifdef __x86_64__
	if (!filter_is_had() ||
	    (status_of(getpid(), "CapEff", 16) >> 19 & 1) == 0) /* CAP_SYS_PTRACE */
		skip();
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct raw_task task = raw_task_new(&kernel);
	struct pollfd end = { .fd = task.socket_fd, .events = POLLIN };
	int status;

	force_call(kernel.pid, SYS_execve);
	assert_int_equal(waitpid(kernel.pid, &status, 0), kernel.pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	/* and its tasks know at once */
	assert_int_equal(poll(&end, 1, HANG_MS), 1);
	raw_task_free(&task);
	close(kernel.control_fd);
	unlink(kernel.path);
	rmdir(kernel.folder);
#else
	skip();
#endif
}

/* ---- where there is no filter to be had ---------------------------------------------- */

/* As containers do that know better. */
static void
refuse_filters(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	struct scmp_arg_cmp mode = { 0, SCMP_CMP_EQ, PR_SET_SECCOMP, 0 };

	assert_non_null(filter);
	assert_int_equal(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp), 0), 0);
	assert_int_equal(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1, mode),
			 0);
	assert_int_equal(seccomp_load(filter), 0);
	seccomp_release(filter);
}

static void
a_kernel_that_gets_no_filter_says_so_and_serves(void **state)
{
	char said[512];
	int ends[2], status;
	ssize_t n;

	if (!confine_is_built() || getenv("BERTH_SECCOMP") != NULL)
		skip();
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (filter_is_had())
			refuse_filters();
		dup2(ends[1], STDERR_FILENO);
		close(ends[1]);
		struct raw_kernel kernel = raw_kernel_start(NULL);
		struct raw_task task = raw_task_new(&kernel);

		raw_task_free(&task);
		raw_kernel_end(&kernel);
		_exit(0);
	}
	close(ends[1]);
	n = read(ends[0], said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_non_null(strstr(said, "goes on without a filter of system calls"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(berthd_serves_without_privileges),
		cmocka_unit_test(nobody_of_the_same_user_reads_its_memory),
		cmocka_unit_test(a_call_that_is_not_allowed_is_stopped_and_named),
		cmocka_unit_test(berthd_that_is_taken_over_runs_no_program),
		cmocka_unit_test(a_kernel_that_gets_no_filter_says_so_and_serves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
