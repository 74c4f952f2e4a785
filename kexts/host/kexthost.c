/*
 * kexthost: see kexthost.h.
 */
#include "kexts/host/kexthost.h"

#include "kexts/host/crash.h"
#include "kexts/host/exec_source.h"
#include "kexts/host/host_log.h"
#include "kexts/host/kernel_link.h"
#include "kexts/host/kext_host.h"
#include "kexts/host/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_DEFAULT (UINT64_C(1) << 30)
#define FORCE_PATIENCE_S 5 /* for a stop routine that is given its chance */
#define EXIT_USAGE 64

struct kexthost_note *kexthost_note;

static pthread_mutex_t end_lock = PTHREAD_MUTEX_INITIALIZER; /* guards is_empty */
static pthread_cond_t end_changed = PTHREAD_COND_INITIALIZER;
static bool is_empty; /* the last kext is gone */

/* ---- commands ----------------------------------------------------------------------------- */

/* The last kext may be gone: then the process ends. */
static void
look_for_end(void)
{
	if (loader_count() > 0)
		return;
	pthread_mutex_lock(&end_lock);
	is_empty = true;
	pthread_cond_signal(&end_changed);
	pthread_mutex_unlock(&end_lock);
}

/* Each path ends with its NUL. */
static int32_t
load_paths(const char *paths, size_t size, struct kext_outcome *outcome)
{
	if (size == 0 || paths[size - 1] != '\0')
		return kext_fails(outcome, kOSKextReturnInvalidArgument, "no path");
	for (const char *path = paths; path < paths + size; path += strlen(path) + 1) {
		if (path[0] != '/')
			return kext_fails(outcome, kOSKextReturnInvalidArgument,
					  "'%s' is no absolute path", path);
		int32_t result = loader_load(path, outcome);

		/* what is not the last one is something that the last one is linked against */
		if (result != 0 && path + strlen(path) + 1 < paths + size)
			outcome->result = kOSKextReturnDependencyLoadError;
		if (result != 0)
			return outcome->result;
	}
	return 0;
}

/* Die, as the kext did not end by itself. */
static _Noreturn void
end_by_force(const char *why)
{
	snprintf(kexthost_note->end, sizeof(kexthost_note->end), "%s: unloaded by force: %s",
		 kexthost_note->kexts, why);
	atomic_store(&kexthost_note->is_set, 1);
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* One who waits for a stop routine, and for no longer than that takes. */
struct force {
	uint32_t sequence;
	pthread_mutex_t lock; /* guards is_over */
	pthread_cond_t changed;
	bool is_over;
};

static void *
force_watch(void *argument)
{
	struct force *force = argument;
	struct timespec limit;
	int error = 0;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += FORCE_PATIENCE_S;
	pthread_mutex_lock(&force->lock);
	while (!force->is_over && error == 0)
		error = pthread_cond_timedwait(&force->changed, &force->lock, &limit);
	if (force->is_over) {
		pthread_mutex_unlock(&force->lock);
		return NULL;
	}
	kernel_link_done(force->sequence, 0, "");
	end_by_force("a start or stop routine did not return");
}

static void
unload_by_force(uint32_t sequence, uint32_t tag, struct kext_outcome *outcome)
{
	struct force force = {
		.sequence = sequence,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	pthread_t watch;
	int error = pthread_create(&watch, NULL, force_watch, &force);

	if (error != 0) {
		kernel_link_done(sequence, 0, "");
		end_by_force("no thread could be started");
	}
	loader_unload(tag, outcome);
	pthread_mutex_lock(&force.lock);
	force.is_over = true;
	pthread_cond_signal(&force.changed);
	pthread_mutex_unlock(&force.lock);
	pthread_join(watch, NULL);
	if (outcome->result != 0 && outcome->result != kOSKextReturnNotFound) {
		kernel_link_done(sequence, 0, "");
		end_by_force(outcome->why);
	}
}

static void
take_command(const struct wire_kext_command_message *command, const uint8_t *payload,
	     size_t payload_size)
{
	struct kext_outcome outcome = { 0 };

	kext_thread_start();
	switch (command->command) {
	case WIRE_COMMAND_LOAD:
		load_paths((const char *)payload, payload_size, &outcome);
		break;
	case WIRE_COMMAND_UNLOAD:
		if (command->args[1] == 1)
			unload_by_force(command->sequence, (uint32_t)command->args[0], &outcome);
		else
			loader_unload((uint32_t)command->args[0], &outcome);
		break;
	case WIRE_COMMAND_STATUS:
		control_server_status(command->sequence);
		return;
	default:
		kext_fails(&outcome, kOSKextReturnUnsupported, "no command %u", command->command);
		break;
	}
	if (outcome.result != 0)
		host_log("%s", outcome.why);
	kernel_link_done(command->sequence, outcome.result, outcome.why);
	look_for_end();
}

/* As a machine whose power fails: nothing is stopped, nothing is left to be told. */
static void
kernel_gone(void)
{
	_exit(0);
}

/* ---- the kexthost ------------------------------------------------------------------- */

#define STACK_BYTES (512u << 10) /* of a thread; Darwin's kernel gives 16 KiB */

static void
set_limits(const struct kexthost_options *options)
{
	struct rlimit limit;

	/* what a kext runs has no more privileges than the kext */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	/* the shadow memory of a sanitizer counts, too, and is larger than any limit */
	if (options->memory_bytes != 0 && !crash_has_sanitizer()) {
		pthread_attr_t attributes;

		limit.rlim_cur = limit.rlim_max = options->memory_bytes;
		setrlimit(RLIMIT_DATA, &limit);
		/* stacks count whole: only 125 of 8 MiB, as Linux gives, fitted in */
		pthread_attr_init(&attributes);
		pthread_attr_setstacksize(&attributes, STACK_BYTES);
		pthread_setattr_default_np(&attributes);
		pthread_attr_destroy(&attributes);
	}
}

/* The folder of the kernel's socket, which @fd is connected to.  False: it is not to be had. */
static bool
kernel_folder(int fd, char folder[sizeof(((struct sockaddr_un *)0)->sun_path) + 1])
{
	struct sockaddr_un address = { 0 };
	socklen_t size = sizeof(address);

	if (getpeername(fd, (struct sockaddr *)&address, &size) != 0 || address.sun_path[0] != '/')
		return false;
	memcpy(folder, address.sun_path, sizeof(address.sun_path));
	folder[sizeof(address.sun_path)] = '\0';
	char *slash = strrchr(folder, '/');

	slash[slash == folder] = '\0';
	return access(folder, W_OK) == 0;
}

/* Where the kernel's folder is not ours to write, one that is there only meanwhile. */
static int
start_control_server(int fd, uint32_t host_id)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];

	if (kernel_folder(fd, folder))
		return control_server_start(host_id, folder);
	char made[] = "/tmp/berth-kexthost.XXXXXX";

	if (!mkdtemp(made))
		return -errno;
	int error = control_server_start(host_id, made);

	rmdir(made);
	return error;
}

static int32_t
attach(const struct kexthost_options *options, struct kext_outcome *outcome)
{
	static const struct kernel_link_handlers handlers = {
		.lane = control_server_lane,
		.command = take_command,
		.gone = kernel_gone,
	};
	char why[KEXT_WHY_MAX] = "";
	uint32_t host_id;
	int fd = options->connect(0, why, sizeof(why));

	if (fd < 0)
		return kext_fails(outcome,
				  fd == -EACCES || fd == -EPERM ? kOSKextReturnNotPrivileged
								: kOSKextReturnInternalError,
				  "cannot connect to the kernel: %.400s", why);
	int error = kernel_link_start(fd, &handlers, &host_id, why, sizeof(why));
	if (error != 0)
		return kext_fails(outcome,
				  error == -EPERM ? kOSKextReturnNotPrivileged
						  : kOSKextReturnInternalError,
				  "%s", why);
	error = start_control_server(fd, host_id);
	if (error != 0)
		return kext_fails(outcome, kOSKextReturnNoResources,
				  "the control server does not start: %s", strerror(-error));
	return 0;
}

static void
send_report(int report_fd, const struct kext_outcome *outcome)
{
	(void)!write(report_fd, outcome, sizeof(*outcome));
	close(report_fd);
}

_Noreturn void
kexthost_run(const struct kexthost_options *options, int report_fd)
{
	struct kext_outcome outcome = { 0 };

	set_limits(options);
	crash_watch();
	exec_source_set_folders(options->exec_folders, options->exec_folder_count);
	loader_init();
	attach(options, &outcome);
	for (int i = 0; outcome.result == 0 && i < options->path_count; i++) {
		loader_load(options->paths[i], &outcome);
		if (outcome.result != 0 && i + 1 < options->path_count)
			outcome.result = kOSKextReturnDependencyLoadError;
	}
	if (outcome.result == 0 && exec_source_trouble())
		snprintf(outcome.why, sizeof(outcome.why), "%s", exec_source_trouble());
	send_report(report_fd, &outcome);
	look_for_end();
	pthread_mutex_lock(&end_lock);
	while (!is_empty)
		pthread_cond_wait(&end_changed, &end_lock);
	pthread_mutex_unlock(&end_lock);
	/* a failure was reported: to end is no second one */
	exit(0);
}

/* ---- main --------------------------------------------------------------------------------- */

static const char help_text[] =
    "Usage: berth-kexthost [--report-fd=N] [--memory=BYTES] [--exec-events=FOLDER]...\n"
    "                      PATH...\n"
    "\n"
    "Run kernel extensions: what 'berth kext load' starts.  By hand it stays in the\n"
    "foreground, and the log is copied to standard error.\n"
    "\n"
    "  --memory=BYTES   how much memory the process may have; 0: no limit (1 GiB)\n"
    "  --exec-events=FOLDER\n"
    "                   kexts that listen to executions are asked about programs in there\n"
    "  --report-fd=N    where the outcome is written\n";

static int
usage(const char *format, const char *what)
{
	fprintf(stderr, "berth-kexthost: ");
	fprintf(stderr, format, what);
	fprintf(stderr, "\nTry 'berth-kexthost --help'.\n");
	return EXIT_USAGE;
}

static bool
read_number(const char *text, uint64_t max, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && errno == 0 && *end == '\0' && *number <= max;
}

/* The folder as an absolute path.  False: no memory. */
static bool
add_exec_folder(struct kexthost_options *options, const char *folder)
{
	size_t count = (size_t)options->exec_folder_count + 1;
	char **folders = reallocarray(options->exec_folders, count, sizeof(*folders));

	if (!folders)
		return false;
	options->exec_folders = folders;
	/* one that is not there is said so when it is to be watched */
	char *absolute = realpath(folder, NULL);
	folders[count - 1] = absolute ? absolute : strdup(folder);
	options->exec_folder_count = (int)count;
	return folders[count - 1] != NULL;
}

/* -1: go on; else the exit code. */
static int
read_options(struct kexthost_options *options, int argc, char **argv)
{
	int i = 1;
	uint64_t number;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return fputs(help_text, stdout) == EOF;
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (strncmp(argv[i], "--report-fd=", 12) == 0) {
			if (!read_number(argv[i] + 12, INT32_MAX, &number) ||
			    fcntl((int)number, F_SETFD, FD_CLOEXEC) < 0)
				return usage("'%s' names no descriptor", argv[i]);
			options->report_fd = (int)number;
		} else if (strncmp(argv[i], "--memory=", 9) == 0) {
			if (!read_number(argv[i] + 9, UINT64_MAX, &options->memory_bytes))
				return usage("'%s' is no number of bytes", argv[i]);
		} else if (strncmp(argv[i], "--exec-events=", 14) == 0) {
			if (!add_exec_folder(options, argv[i] + 14))
				return usage("%s", "out of memory");
		} else {
			return usage("unknown option '%s'", argv[i]);
		}
	}
	if (i == argc)
		return usage("%s", "no kernel extension is named");
	options->paths = argv + i;
	options->path_count = argc - i;
	for (int n = 0; n < options->path_count; n++) {
		char *absolute = realpath(options->paths[n], NULL);

		if (absolute)
			options->paths[n] = absolute; /* for as long as we live */
	}
	return -1;
}

/* In the child: nothing of the supervisor's but the pipes. */
static void
become_kexthost(int log_fd, pid_t supervisor)
{
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor)
		_exit(1);
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); /* gdb may attach, where others may not */
	if (null_fd >= 0)
		dup2(null_fd, STDIN_FILENO);
	dup2(log_fd, STDOUT_FILENO);
	dup2(log_fd, STDERR_FILENO);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int
kexthost_main(int argc, char **argv, kexthost_connect *connect)
{
	struct kexthost_options options = {
		.report_fd = -1,
		.memory_bytes = MEMORY_DEFAULT,
		.connect = connect,
	};
	int code = read_options(&options, argc, argv);
	int log_pipe[2], report_pipe[2];

	if (code >= 0)
		return code;
	kexthost_note = mmap(NULL, sizeof(*kexthost_note), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (kexthost_note == MAP_FAILED || pipe2(log_pipe, O_CLOEXEC) < 0 ||
	    pipe2(report_pipe, O_CLOEXEC) < 0 || chdir("/") < 0) {
		fprintf(stderr, "berth-kexthost: %s\n", strerror(errno));
		return 1;
	}
	pid_t supervisor = getpid(), pid = fork();
	if (pid < 0) {
		fprintf(stderr, "berth-kexthost: cannot start a process: %s\n", strerror(errno));
		return 1;
	}
	if (pid == 0) {
		become_kexthost(log_pipe[1], supervisor);
		close(log_pipe[0]);
		close(log_pipe[1]);
		close(report_pipe[0]);
		if (options.report_fd >= 0)
			close(options.report_fd);
		kexthost_run(&options, report_pipe[1]);
	}
	close(log_pipe[1]);
	close(report_pipe[1]);
	return supervise(&options, pid, log_pipe[0], report_pipe[0]);
}
