/*
 * Kexthosts: see kext_host.h.
 */
#include "tools/kext_host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <berth/kernel_connection.h>

#include "tools/answer.h"
#include "tools/command.h"
#include "tools/kernel_ask.h"
#include "wire/kext.h"

#define STILL_WAITING_S 10 /* then people are told what we wait for */

/* ---- starting ---------------------------------------------------------------------------- */

/* In the grandchild: nothing of ours but the report goes with it. */
static _Noreturn void
become_kexthost(const char *program, char **arguments, int report_fd)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;
	int null_fd = open("/dev/null", O_RDWR);

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int fd = STDIN_FILENO; null_fd >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(null_fd, fd);
	/* CLOSE_RANGE_CLOEXEC: so that failing to execute it can be reported */
	syscall(SYS_close_range, 3u, ~0u, 4u);
	fcntl(report_fd, F_SETFD, 0);
	if (chdir("/") == 0)
		execv(program, arguments);

	struct kext_outcome outcome = { 0 };

	kext_fails(&outcome, kOSKextReturnInternalError, "%s: %s", program, strerror(errno));
	(void)!write(report_fd, &outcome, sizeof(outcome));
	_exit(1);
}

/* A process whose parent nobody of us is.  0 or -errno. */
static int
start_detached(const char *program, char **arguments, int report_fd)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		setsid();
		pid = fork();
		if (pid == 0)
			become_kexthost(program, arguments, report_fd);
		_exit(pid < 0 ? errno : 0);
	}
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

/* Wait for the outcome that is written to @fd.  False: nobody writes there any more. */
static bool
wait_report(const char *command, const struct words *paths, int fd, struct kext_outcome *outcome)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	int timeout_ms = STILL_WAITING_S * 1000;
	ssize_t size;

	for (;;) {
		int count = poll(&wait, 1, timeout_ms);

		if (count == 0) {
			fprintf(stderr, "berth %s: still waiting for the start routine of %s\n",
				command, paths->word[paths->count - 1]);
			timeout_ms = -1;
		}
		if (count > 0)
			break;
	}
	do
		size = read(fd, outcome, sizeof(*outcome));
	while (size < 0 && errno == EINTR);
	outcome->why[sizeof(outcome->why) - 1] = '\0';
	return size == (ssize_t)sizeof(*outcome);
}

static void
add_arguments(struct words *arguments, const struct words *paths, const struct words *options,
	      const char *program, int report_fd)
{
	words_add(arguments, program);
	words_add_text(arguments, "--report-fd=%d", report_fd);
	for (size_t i = 0; i < options->count; i++)
		words_add(arguments, options->word[i]);
	words_add(arguments, "--");
	for (size_t i = 0; i < paths->count; i++)
		words_add(arguments, paths->word[i]);
}

int32_t
kext_host_start(const char *command, const struct words *paths, const struct words *options,
		const char *preload, struct kext_outcome *outcome)
{
	char program[4096];
	struct words arguments = { 0 };
	int fds[2], err = berth_find_program("berth-kexthost", program, sizeof(program));

	if (err < 0)
		return kext_fails(outcome, kOSKextReturnInternalError,
				  "the program berth-kexthost is nowhere to be found: %s",
				  strerror(-err));
	if (preload[0] != '\0' && setenv("LD_PRELOAD", preload, 1) < 0)
		return kext_fails(outcome, kOSKextReturnNoMemory, "out of memory");
	if (pipe2(fds, O_CLOEXEC) < 0)
		return kext_fails(outcome, kOSKextReturnNoResources, "no pipe: %s",
				  strerror(errno));
	add_arguments(&arguments, paths, options, program, fds[1]);
	err = arguments.no_memory ? -ENOMEM : start_detached(program, arguments.word, fds[1]);
	words_free(&arguments);
	close(fds[1]);
	if (preload[0] != '\0')
		unsetenv("LD_PRELOAD");
	if (err < 0)
		kext_fails(outcome, kOSKextReturnNoResources, "cannot start %s: %s", program,
			   strerror(-err));
	else if (!wait_report(command, paths, fds[0], outcome))
		kext_fails(outcome, kOSKextReturnInternalError,
			   "%s ended, and did not say why; see 'berth kext log'", program);
	close(fds[0]);
	return outcome->result;
}

/* ---- commanding ----------------------------------------------------------------------------- */

/* Every message fits; only one is under way at a time. */
static union {
	struct wire_head head;
	struct wire_kext_command_message command;
	struct wire_kext_says says;
	struct wire_kext_done done;
	struct wire_refused refused;
	char bytes[WIRE_MESSAGE_MAX];
} message;

/* What it says is an OSReturn, or -errno where nothing was done. */
static void
take_done(const struct wire_kext_done *done, struct kext_outcome *outcome)
{
	const char *words = os_return_words(done->result, NULL);
	int32_t result = done->result;

	if (result == 0)
		return;
	if (!words) {
		words = strerror(-result);
		result = result == -EPERM || result == -EACCES ? kOSKextReturnNotPrivileged
							       : kOSKextReturnInternalError;
	}
	kext_fails(outcome, result, "%s", done->why[0] != '\0' ? done->why : words);
}

/* Take messages until the last one.  As kext_host_command(). */
static int
take_answer(const char *command, int fd, FILE *out, struct kext_outcome *outcome)
{
	for (;;) {
		ssize_t size = recv(fd, &message, sizeof(message), 0);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -EPIPE;
		if (size == 0)
			return command_failed(command, "the kernel ended before it had answered");
		if ((size_t)size == sizeof(message.refused) && message.head.kind == WIRE_REFUSED) {
			message.refused.why[sizeof(message.refused.why) - 1] = '\0';
			kext_fails(outcome, kOSKextReturnNotPrivileged, "the kernel refuses: %s",
				   message.refused.why);
			return 0;
		}
		if ((size_t)size >= sizeof(message.says) && message.head.kind == WIRE_KEXT_SAYS) {
			if (out)
				fwrite(message.says.payload, 1, (size_t)size - sizeof(message.says),
				       out);
			continue;
		}
		if ((size_t)size != sizeof(message.done) || message.head.kind != WIRE_KEXT_DONE)
			return command_failed(command, "the kernel speaks another language");
		message.done.why[sizeof(message.done.why) - 1] = '\0';
		if (message.done.result == -EPIPE || message.done.result == -ENOENT)
			return -EPIPE;
		take_done(&message.done, outcome);
		return 0;
	}
}

int
kext_host_command(const char *command, uint32_t host_id, uint32_t what, const uint64_t args[2],
		  const void *payload, size_t payload_size, unsigned patience_s, FILE *out,
		  struct kext_outcome *outcome)
{
	const struct timeval patience = { .tv_sec = patience_s };

	if (payload_size > WIRE_KEXT_PAYLOAD_MAX)
		return command_failed(command, "the paths are too long together");
	int fd = kernel_ask_connect(command, NULL, 0);
	if (fd < 0)
		return COMMAND_FAILED;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	message.command = (struct wire_kext_command_message){
		.head = { WIRE_KEXT_COMMAND, (uint32_t)(sizeof(message.command) + payload_size) },
		.sequence = 1,
		.command = what,
		.host_id = host_id,
		.args = { args ? args[0] : 0, args ? args[1] : 0 },
	};
	if (payload_size > 0)
		memcpy(message.bytes + sizeof(message.command), payload, payload_size);
	/* where that fails the kernel may have said why */
	(void)request_send(fd, &message, message.head.size_bytes, -1);
	int result = take_answer(command, fd, out, outcome);

	close(fd);
	return result;
}

int32_t
kext_host_load(const char *command, uint32_t host_id, const struct words *paths,
	       struct kext_outcome *outcome)
{
	char *payload = NULL;
	size_t size = 0;
	FILE *text = open_memstream(&payload, &size);

	for (size_t i = 0; text && i < paths->count; i++)
		fwrite(paths->word[i], 1, strlen(paths->word[i]) + 1, text);
	if (!text || fclose(text) != 0)
		return kext_fails(outcome, kOSKextReturnNoMemory, "out of memory");
	int err = kext_host_command(command, host_id, WIRE_COMMAND_LOAD, NULL, payload, size, 0,
				    NULL, outcome);

	free(payload);
	if (err == -EPIPE)
		kext_fails(outcome, kOSKextReturnStartStopError,
			   "its kexthost has died meanwhile; see 'berth kext log'");
	else if (err != 0)
		kext_fails(outcome, kOSKextReturnInternalError, "the kexthost was not reached");
	return outcome->result;
}
