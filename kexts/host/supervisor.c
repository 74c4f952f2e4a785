/*
 * The supervisor of a kexthost: see kexthost.h.
 *
 * The kexthost is never made to wait for a kernel that does not listen: what the kernel does
 * not take in LOG_PATIENCE_S is counted and left out.
 */
#include "kexts/host/kexthost.h"

#include "wire/kext.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_PATIENCE_S 2
#define END_PATIENCE_MS 10000 /* between the kernel's end and the kexthost's */
#define LINE_SIZE_MAX 4096u   /* a longer line becomes several */

struct supervisor {
	const struct kexthost_options *options;
	pid_t pid;
	int pid_fd, log_fd, report_fd;
	int kernel_fd; /* -1: none, or gone */
	bool is_reported;
	uint64_t lost_lines;
	size_t line_size; /* of the line that is not whole yet */
	char line[LINE_SIZE_MAX];
	size_t batch_size; /* of lines that are */
	struct {
		struct wire_head head; /* struct wire_kext_log */
		char text[WIRE_KEXT_PAYLOAD_MAX];
	} batch;
};

/* ---- the log ------------------------------------------------------------------------------ */

static void
kernel_is_gone(struct supervisor *supervisor)
{
	if (supervisor->kernel_fd >= 0)
		close(supervisor->kernel_fd);
	supervisor->kernel_fd = -1;
}

static uint64_t
count_lines(const char *text, size_t size)
{
	uint64_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += text[i] == '\n';
	return count;
}

static bool
batch_send(struct supervisor *supervisor)
{
	ssize_t sent;

	supervisor->batch.head.kind = WIRE_KEXT_LOG;
	supervisor->batch.head.size_bytes =
	    (uint32_t)(sizeof(supervisor->batch.head) + supervisor->batch_size);
	do
		sent = send(supervisor->kernel_fd, &supervisor->batch,
			    supervisor->batch.head.size_bytes, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN && errno != ENOBUFS)
		kernel_is_gone(supervisor);
	return sent >= 0;
}

static void
log_flush(struct supervisor *supervisor)
{
	if (supervisor->batch_size == 0)
		return;
	if (supervisor->options->report_fd < 0) /* started by hand: people look on */
		(void)!write(STDERR_FILENO, supervisor->batch.text, supervisor->batch_size);
	if (supervisor->kernel_fd >= 0 && !batch_send(supervisor))
		supervisor->lost_lines +=
		    count_lines(supervisor->batch.text, supervisor->batch_size);
	supervisor->batch_size = 0;
}

static void
batch_add(struct supervisor *supervisor, const char *text, size_t size)
{
	if (size > sizeof(supervisor->batch.text) - supervisor->batch_size)
		log_flush(supervisor);
	memcpy(supervisor->batch.text + supervisor->batch_size, text, size);
	supervisor->batch_size += size;
}

/* The line that is being put together is one, whatever it lacks. */
static void
line_end(struct supervisor *supervisor)
{
	supervisor->line[supervisor->line_size++] = '\n';
	if (supervisor->lost_lines > 0) {
		char note[80];
		int length = snprintf(note, sizeof(note), "(%llu lines are missing here)\n",
				      (unsigned long long)supervisor->lost_lines);

		supervisor->lost_lines = 0;
		batch_add(supervisor, note, (size_t)length);
	}
	batch_add(supervisor, supervisor->line, supervisor->line_size);
	supervisor->line_size = 0;
}

static void
log_add(struct supervisor *supervisor, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n' || supervisor->line_size + 1 == LINE_SIZE_MAX)
			line_end(supervisor);
		if (text[i] != '\n')
			supervisor->line[supervisor->line_size++] = text[i];
	}
}

/* A line of the supervisor's own. */
__attribute__((format(printf, 2, 3))) static void
log_say(struct supervisor *supervisor, const char *format, ...)
{
	char text[1536];
	va_list args;

	va_start(args, format);
	int length = vsnprintf(text, sizeof(text) - 1, format, args);
	va_end(args);
	if (length < 0)
		return;
	if ((size_t)length > sizeof(text) - 2)
		length = (int)sizeof(text) - 2;
	text[length] = '\n';
	if (supervisor->line_size > 0)
		line_end(supervisor);
	log_add(supervisor, text, (size_t)length + 1);
	log_flush(supervisor);
}

/* What is in the pipe; false: nobody writes to it any more. */
static bool
log_read(struct supervisor *supervisor)
{
	char text[16384];
	ssize_t size = read(supervisor->log_fd, text, sizeof(text));

	if (size <= 0)
		return size < 0 && (errno == EAGAIN || errno == EINTR);
	log_add(supervisor, text, (size_t)size);
	log_flush(supervisor);
	return true;
}

/* ---- the outcome -------------------------------------------------------------------------- */

static void
report(struct supervisor *supervisor, const struct kext_outcome *outcome)
{
	if (supervisor->is_reported)
		return;
	supervisor->is_reported = true;
	if (outcome->result != 0)
		log_say(supervisor, "%s", outcome->why);
	if (supervisor->options->report_fd < 0)
		return;
	(void)!write(supervisor->options->report_fd, outcome, sizeof(*outcome));
	close(supervisor->options->report_fd);
}

static void
report_read(struct supervisor *supervisor)
{
	struct kext_outcome outcome;

	/* smaller than PIPE_BUF: it comes whole, or not at all */
	if (read(supervisor->report_fd, &outcome, sizeof(outcome)) == (ssize_t)sizeof(outcome)) {
		outcome.why[sizeof(outcome.why) - 1] = '\0';
		report(supervisor, &outcome);
	}
	close(supervisor->report_fd);
	supervisor->report_fd = -1;
}

/* ---- the end ------------------------------------------------------------------------------ */

/* How the kexthost ended, in words; "": as it should. */
static void
end_words(const struct supervisor *supervisor, int status, char *words, size_t size)
{
	char who[sizeof(kexthost_note->kexts)], end[sizeof(kexthost_note->end)];

	/* the kexthost's last words: others may write them no more, but they may lack an end */
	memcpy(who, kexthost_note->kexts, sizeof(who));
	memcpy(end, kexthost_note->end, sizeof(end));
	who[sizeof(who) - 1] = end[sizeof(end) - 1] = '\0';
	for (char *c = end; *c != '\0'; c++)
		*c = (unsigned char)*c < ' ' ? '?' : *c;
	words[0] = '\0';
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (atomic_load(&kexthost_note->is_set))
		snprintf(words, size, "%s", end);
	else if (WIFSIGNALED(status))
		snprintf(words, size, "%s: killed by signal %d (%s)",
			 who[0] != '\0' ? who : "kexthost", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(words, size, "%s: the kexthost (pid %d) ended with status %d",
			 who[0] != '\0' ? who : "kexthost", supervisor->pid, WEXITSTATUS(status));
}

static int
supervise_end(struct supervisor *supervisor)
{
	struct kext_outcome outcome = { .result = kOSKextReturnStartStopError };
	char words[sizeof(kexthost_note->end) + 128];
	int status = 0;

	/* a fork of the kext may hold the pipe for ever: only what is there is read */
	fcntl(supervisor->log_fd, F_SETFL, O_NONBLOCK);
	for (struct pollfd left = { .fd = supervisor->log_fd, .events = POLLIN };
	     poll(&left, 1, 0) > 0 && log_read(supervisor);)
		;
	if (supervisor->line_size > 0)
		line_end(supervisor);
	while (waitpid(supervisor->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (supervisor->report_fd >= 0)
		report_read(supervisor);
	end_words(supervisor, status, words, sizeof(words));
	if (words[0] != '\0' && supervisor->is_reported)
		log_say(supervisor, "%s", words);
	/* it was still loading: who asked is told, and the log */
	if (words[0] == '\0')
		snprintf(outcome.why, sizeof(outcome.why), "the kexthost has ended");
	else
		snprintf(outcome.why, sizeof(outcome.why), "%.*s", (int)sizeof(outcome.why) - 1,
			 words);
	report(supervisor, &outcome);
	log_flush(supervisor);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- the whole ---------------------------------------------------------------------------- */

/* A connection of the supervisor's own; without one the log goes nowhere. */
static int
connect_kernel(const struct supervisor *supervisor)
{
	struct wire_kext_host hello = {
		.head = { WIRE_KEXT_SUPERVISOR, sizeof(hello) },
		.version = WIRE_VERSION,
		.host_pid = supervisor->pid,
	};
	const struct timeval patience = { .tv_sec = LOG_PATIENCE_S };
	struct wire_kext_welcome welcome;
	char why[512];
	int fd = supervisor->options->connect(0, why, sizeof(why));

	if (fd < 0)
		return -1;
	if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) != (ssize_t)sizeof(hello) ||
	    recv(fd, &welcome, sizeof(welcome), 0) != (ssize_t)sizeof(welcome) ||
	    welcome.head.kind != WIRE_KEXT_WELCOME) {
		close(fd); /* the kexthost will be told why */
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

int
supervise(const struct kexthost_options *options, pid_t pid, int log_fd, int report_fd)
{
	static struct supervisor supervisor;
	int timeout_ms = -1;

	supervisor = (struct supervisor){
		.options = options,
		.pid = pid,
		.pid_fd = (int)syscall(SYS_pidfd_open, pid, 0),
		.log_fd = log_fd,
		.report_fd = report_fd,
		.kernel_fd = -1,
	};
	signal(SIGPIPE, SIG_IGN);
	if (supervisor.pid_fd < 0) {
		kill(pid, SIGKILL);
		return supervise_end(&supervisor);
	}
	supervisor.kernel_fd = connect_kernel(&supervisor);
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = supervisor.pid_fd, .events = POLLIN },
			{ .fd = supervisor.log_fd, .events = POLLIN },
			{ .fd = supervisor.report_fd, .events = POLLIN },
			{ .fd = supervisor.kernel_fd, .events = POLLIN },
		};
		int count = poll(fds, sizeof(fds) / sizeof(fds[0]), timeout_ms);

		if (count == 0)
			kill(pid, SIGKILL);
		if (count <= 0)
			continue;
		if (fds[1].revents && !log_read(&supervisor)) {
			close(supervisor.log_fd);
			supervisor.log_fd = -1;
		}
		if (fds[2].revents)
			report_read(&supervisor);
		/* it says nothing to us: this is its hang-up, and the kexthost sees that, too */
		if (fds[3].revents) {
			kernel_is_gone(&supervisor);
			timeout_ms = END_PATIENCE_MS;
		}
		if (fds[0].revents)
			return supervise_end(&supervisor);
	}
}
