/*
 * The user's half of a monitor of executions: decides what may run.
 *
 *   monitord [--deny=PATTERN]... [--rules=FILE] [--patience=MILLISECONDS]
 *
 * A program whose file name matches a PATTERN (as of a shell) must not run; FILE has a pattern
 * a line.  It may be started before its kext: it waits for that, also for the next one.  Ends
 * with SIGINT or SIGTERM.
 */
#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/kern_event.h>
#include <sys/socket.h>
#include <sys/sys_domain.h>
#include <unistd.h>

#include "monitor.h"

#define PATTERN_MAX 64

static const char *patterns[PATTERN_MAX];
static size_t pattern_count;
static uint32_t patience_ms; /* 0: as the kext has it */
static int end_pipe[2];      /* a signal handler writes there */

static _Noreturn void
fail(const char *what)
{
	fprintf(stderr, "monitord: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- the kernel's events: has our control come? ------------------------------------------ */

/* A socket that tells of each control that is registered. */
static int
events_open(void)
{
	struct kev_request filter = {
		.vendor_code = KEV_VENDOR_APPLE,
		.kev_class = KEV_SYSTEM_CLASS,
		.kev_subclass = KEV_CTL_SUBCLASS,
	};
	int fd = socket(PF_SYSTEM, SOCK_RAW, SYSPROTO_EVENT);

	if (fd < 0 || ioctl(fd, SIOCSKEVFILT, &filter) < 0)
		fail("events");
	return fd;
}

/* Take one event.  True: a control was registered, perhaps ours. */
static bool
events_take(int fd)
{
	struct kern_event_msg event = { 0 };

	if (recv(fd, &event, sizeof(event), 0) < 0 && errno != EINTR)
		fail("events");
	return event.event_code == KEV_CTL_REGISTERED;
}

/* ---- the kext's control --------------------------------------------------------------------- */

/* The connected socket; -1: there is no such control (yet). */
static int
control_connect(void)
{
	struct ctl_info info = { .ctl_name = MONITOR_CONTROL };
	struct sockaddr_ctl address = {
		.sc_len = sizeof(address),
		.sc_family = AF_SYSTEM,
		.ss_sysaddr = AF_SYS_CONTROL,
	};
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL);

	if (fd < 0)
		fail("socket");
	if (ioctl(fd, CTLIOCGINFO, &info) == 0) {
		address.sc_id = info.ctl_id;
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
			if (patience_ms != 0 &&
			    setsockopt(fd, SYSPROTO_CONTROL, MONITOR_OPTION_PATIENCE, &patience_ms,
				       sizeof(patience_ms)) < 0)
				fail("setsockopt");
			printf("monitord: connected to the kext\n");
			return fd;
		}
	}
	if (errno != ENOENT)
		fail("connect");
	close(fd);
	return -1;
}

static bool
is_denied(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < pattern_count; i++) {
		if (fnmatch(patterns[i], name, 0) == 0)
			return true;
	}
	return false;
}

/* Take one event and answer it.  False: the kext is gone. */
static bool
control_serve(int fd)
{
	struct monitor_event event;
	ssize_t size = recv(fd, &event, sizeof(event), 0);

	if (size < 0 && errno == EINTR)
		return true;
	if (size < 0)
		fail("recv");
	if (size == 0)
		return false;
	if ((size_t)size <= offsetof(struct monitor_event, path))
		return true;
	((char *)&event)[size - 1] = '\0';
	if (event.kind != MONITOR_WANTS) {
		printf("monitord: pid %d runs %s\n", event.pid, event.path);
		return true;
	}

	struct monitor_verdict verdict = { .id = event.id, .is_denied = is_denied(event.path) };

	printf("monitord: %llu: pid %d (parent %d, uid %u) wants to run %s: %s\n",
	       (unsigned long long)event.id, event.pid, event.ppid, event.uid, event.path,
	       verdict.is_denied ? "denied" : "allowed");
	if (send(fd, &verdict, sizeof(verdict), 0) < 0) {
		if (errno == EPIPE)
			return false;
		if (errno == ESTALE)
			printf("monitord: %llu: too late\n", (unsigned long long)event.id);
		else
			fail("send");
	}
	return true;
}

static void
control_print_counts(int fd)
{
	struct monitor_counts counts;
	socklen_t size = sizeof(counts);

	if (getsockopt(fd, SYSPROTO_CONTROL, MONITOR_OPTION_COUNTS, &counts, &size) < 0)
		fail("getsockopt");
	printf("monitord: %llu allowed, %llu denied, %llu without an answer in time\n",
	       (unsigned long long)counts.allowed, (unsigned long long)counts.denied,
	       (unsigned long long)(counts.unanswered + counts.untold));
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

static void
serve(void)
{
	/* first listen, then look, then wait: so no control is missed */
	int events = events_open(), control = control_connect();

	if (control < 0)
		printf("monitord: waiting for the kext\n");
	for (;;) {
		struct pollfd polled[3] = {
			{ .fd = end_pipe[0], .events = POLLIN },
			{ .fd = events, .events = POLLIN },
			{ .fd = control, .events = POLLIN }, /* -1 is left out */
		};

		if (poll(polled, 3, -1) < 0) {
			if (errno == EINTR)
				continue;
			fail("poll");
		}
		if (polled[0].revents != 0)
			break;
		if (polled[2].revents != 0 && !control_serve(control)) {
			printf("monitord: the kext is gone; waiting for another\n");
			close(control);
			control = control_connect(); /* it may be there already */
		}
		if (polled[1].revents != 0 && events_take(events) && control < 0)
			control = control_connect();
	}
	if (control >= 0) {
		control_print_counts(control);
		close(control);
	}
	close(events);
}

/* ---- the command line -------------------------------------------------------------------------
 */

static void
add_pattern(const char *pattern)
{
	if (pattern_count == PATTERN_MAX) {
		fprintf(stderr, "monitord: more than %d patterns\n", PATTERN_MAX);
		exit(2);
	}
	patterns[pattern_count++] = pattern;
}

static void
read_rules(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[256];

	if (!file)
		fail(path);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		char *pattern = strdup(line);
		if (!pattern)
			fail(path);
		add_pattern(pattern);
	}
	fclose(file);
}

static void
end(int signal_number)
{
	int error = errno;

	(void)signal_number;
	(void)!write(end_pipe[1], "", 1);
	errno = error;
}

int
main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = end };

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--deny=", 7) == 0) {
			add_pattern(argv[i] + 7);
		} else if (strncmp(argv[i], "--rules=", 8) == 0) {
			read_rules(argv[i] + 8);
		} else if (strncmp(argv[i], "--patience=", 11) == 0) {
			patience_ms = (uint32_t)strtoul(argv[i] + 11, NULL, 10);
		} else {
			fprintf(stderr, "usage: monitord [--deny=PATTERN]... [--rules=FILE] "
					"[--patience=MILLISECONDS]\n");
			return 2;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (pipe(end_pipe) < 0)
		fail("pipe");
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN); /* the kext may go while we answer: EPIPE says so */
	serve();
	return 0;
}
