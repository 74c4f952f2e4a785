/*
 * Starting a job's process.
 *
 * The child is a new task that inherits our bootstrap port, the root's.  It asks there for
 * the port of its own job, which the server gives to nobody but the process that it has
 * just made, sets it as its bootstrap port, and becomes the program.  So there is no moment
 * at which another task could inherit it.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launchd.h"

#include "launchUser.h"

#define EXIT_NOT_STARTED 127 /* as shells have it */

extern char **environ;

/* ---- what the child does --------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static _Noreturn void
give_up(const struct job *job, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_error("%s: %s: %s", job->config->label, text, strerror(errno));
	_exit(EXIT_NOT_STARTED);
}

static void
claim_port(const struct job *job)
{
	mach_port_t root = MACH_PORT_NULL, own;

	errno = EIO;
	kern_return_t kr = task_get_bootstrap_port(mach_task_self(), &root);
	if (kr != KERN_SUCCESS)
		give_up(job, "no bootstrap port: %s", mach_error_string(kr));
	kr = berth_launch_claim_port(root, &own);
	if (kr == KERN_SUCCESS)
		kr = task_set_bootstrap_port(mach_task_self(), own);
	if (kr != KERN_SUCCESS)
		give_up(job, "no port of its own: %s", mach_error_string(kr));
}

static void
open_stdio(const struct job *job)
{
	static const int flags[JOB_STDIO_COUNT] = { O_RDONLY, O_WRONLY | O_CREAT | O_APPEND,
						    O_WRONLY | O_CREAT | O_APPEND };

	for (int fd = JOB_STDIN; fd < JOB_STDIO_COUNT; fd++) {
		const char *path = job->config->stdio_path[fd];
		int opened = path ? open(path, flags[fd] | O_NOCTTY, 0644)
				  : open("/dev/null", fd == JOB_STDIN ? O_RDONLY : O_WRONLY);
		if (opened < 0)
			give_up(job, "cannot open %s", path ? path : "/dev/null");
		if (opened != fd) {
			if (dup2(opened, fd) < 0)
				give_up(job, "cannot open %s", path ? path : "/dev/null");
			close(opened);
		}
	}
}

static void
set_limits(const struct job *job)
{
	for (size_t i = 0; i < JOB_LIMIT_COUNT; i++) {
		const struct job_limit *wanted = &job->config->limits[i];
		int resource = job_limit_resource(i);
		struct rlimit limit;

		if (!wanted->has_soft && !wanted->has_hard)
			continue;
		if (getrlimit((__rlimit_resource_t)resource, &limit) != 0)
			give_up(job, "getrlimit");
		if (wanted->has_hard)
			limit.rlim_max = wanted->hard;
		if (wanted->has_soft)
			limit.rlim_cur = wanted->soft;
		if (limit.rlim_cur > limit.rlim_max)
			limit.rlim_cur = limit.rlim_max;
		if (setrlimit((__rlimit_resource_t)resource, &limit) != 0)
			give_up(job, "cannot set a resource limit");
	}
}

struct identity {
	uid_t uid;
	gid_t gid;
	const struct passwd *user; /* NULL: a number without a name */
};

static struct identity
find_identity(const struct job *job)
{
	const struct job_config *config = job->config;
	struct identity who = { .uid = job->uid, .gid = getegid() };

	errno = 0;
	who.user = config->user_name ? getpwnam(config->user_name) : getpwuid(job->uid);
	if (config->user_name && !who.user) {
		errno = errno ? errno : ENOENT;
		give_up(job, "no user %s", config->user_name);
	}
	if (who.user) {
		who.uid = who.user->pw_uid;
		who.gid = who.user->pw_gid;
	} else if (who.uid != geteuid()) {
		who.gid = (gid_t)who.uid;
	}
	if (config->group_name) {
		errno = 0;
		const struct group *group = getgrnam(config->group_name);
		if (!group) {
			errno = errno ? errno : ENOENT;
			give_up(job, "no group %s", config->group_name);
		}
		who.gid = group->gr_gid;
	}
	return who;
}

static void
become(const struct job *job, const struct identity *who)
{
	if (geteuid() != 0 || (who->uid == 0 && !job->config->group_name))
		return;
	int error = who->user && job->config->init_groups ? initgroups(who->user->pw_name, who->gid)
							  : setgroups(1, &who->gid);
	if (error || setgid(who->gid) || setuid(who->uid))
		give_up(job, "cannot become user %u", (unsigned)who->uid);
}

static void
set_variable(const struct job *job, const char *name, const char *value)
{
	if (setenv(name, value, 1) != 0)
		give_up(job, "environment");
}

/*
 * In a kernel of one user jobs start with the environment of who started the kernel.  In
 * the system's, which is root's, they start with a clean one.
 */
static void
set_environment(const struct job *job, const struct identity *who)
{
	if (job->launchd->is_system) {
		const char *kernel = getenv("BERTH_KERNEL"); /* stays where it is */
		clearenv();
		if (kernel)
			set_variable(job, "BERTH_KERNEL", kernel);
		set_variable(job, "PATH",
			     "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
		if (who->user) {
			set_variable(job, "HOME", who->user->pw_dir);
			set_variable(job, "USER", who->user->pw_name);
			set_variable(job, "LOGNAME", who->user->pw_name);
			set_variable(job, "SHELL", who->user->pw_shell);
		}
	}
	for (size_t i = 0; i < job->config->environment.count; i++) {
		if (putenv(job->config->environment.items[i]) != 0)
			give_up(job, "environment");
	}
}

static void
reset_signals(void)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
become_program(const struct job *job)
{
	const struct job_config *config = job->config;
	char *program_only[] = { config->program, NULL };
	char **arguments = config->arguments.count ? config->arguments.items : program_only;

	if (config->program)
		execv(config->program, arguments);
	else
		execvp(arguments[0], arguments);
	give_up(job, "cannot execute %s", config->program ? config->program : arguments[0]);
}

static _Noreturn void
run_child(const struct job *job)
{
	const struct job_config *config = job->config;

	/* our own words go where the server's go, until the program is there */
	int said = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

	setsid();
	claim_port(job);
	struct identity who = find_identity(job);
	set_limits(job);
	if (config->has_nice && setpriority(PRIO_PROCESS, 0, config->nice) != 0)
		give_up(job, "cannot set nice to %d", config->nice);
	if (config->root_directory && (chroot(config->root_directory) != 0 || chdir("/") != 0))
		give_up(job, "cannot change the root to %s", config->root_directory);
	become(job, &who);
	umask(config->has_umask ? config->umask : 022);
	open_stdio(job);
	if (said >= 0)
		log_to(said);
	if (chdir(config->working_directory ? config->working_directory : "/") != 0)
		give_up(job, "cannot go to %s",
			config->working_directory ? config->working_directory : "/");
	set_environment(job, &who);
	/* after setuid(), which clears it: no job outlives its name server */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
	reset_signals();
	become_program(job);
	_exit(EXIT_NOT_STARTED);
}

/* ---------------------------------------------------------------------------------------- */

pid_t
spawn_job(struct job *job)
{
	pid_t server = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (getppid() != server)
			_exit(EXIT_NOT_STARTED);
		run_child(job);
	}
	return pid;
}
