/* What the kernel holds: see counts.h. */
#include "tests/stress/counts.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "wire/socket.h"

#define TRIES 2000
#define PAUSE_NS 10000000

static _Noreturn void
cannot(const char *what)
{
	fprintf(stderr, "cannot ask the kernel what it holds: %s\n", what);
	_exit(1);
}

/* Connect to the kernel that $BERTH_KERNEL names and ask for @what. */
static int
ask(enum wire_inspect_what what, uint32_t flags)
{
	struct wire_inspect question = { { WIRE_INSPECT, sizeof(question) }, what, flags, 0, 0 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("BERTH_KERNEL");
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (path == NULL || path[0] != '/' || strlen(path) >= sizeof(address.sun_path))
		cannot("BERTH_KERNEL names no socket");
	memcpy(address.sun_path, path, strlen(path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    send(fd, &question, sizeof(question), MSG_NOSIGNAL) != (ssize_t)sizeof(question))
		cannot("it does not listen");
	return fd;
}

struct answer {
	struct wire_head head;
	char text[WIRE_TEXT_MAX + 1];
};

/* The next piece of text; false: that was all. */
static bool
answer_next(int fd, struct answer *answer)
{
	ssize_t size = recv(fd, answer, sizeof(*answer) - 1, 0);

	if (size < (ssize_t)sizeof(answer->head))
		cannot("it hangs up");
	((char *)answer)[size] = '\0';
	if (answer->head.kind != WIRE_TEXT && answer->head.kind != WIRE_END)
		cannot("it refuses");
	return answer->head.kind == WIRE_TEXT;
}

void
kernel_totals_ask(struct kernel_totals *totals)
{
	struct answer answer;
	int fd = ask(WIRE_INSPECT_COUNTS, 0);

	if (!answer_next(fd, &answer) ||
	    sscanf(answer.text,
		   "tasks %u threads %u ports %u port_sets %u messages %u segments %u "
		   "notifications %u watches %u",
		   &totals->tasks, &totals->threads, &totals->ports, &totals->port_sets,
		   &totals->messages, &totals->segments, &totals->notifications,
		   &totals->watches) != 8)
		cannot("its answer makes no sense");
	close(fd);
}

void
kernel_audit_ask(void)
{
	struct answer answer;
	int fd = ask(WIRE_INSPECT_DUMP, 0);

	while (answer_next(fd, &answer))
		continue;
	close(fd);
}

unsigned
kernel_blocked_ask(void)
{
	static const char key[] = "\"blocked_threads\": ";
	struct answer answer;
	unsigned blocked = 0;
	int fd = ask(WIRE_INSPECT_TASKS, WIRE_INSPECT_JSON);

	/* a piece of text ends with a row */
	while (answer_next(fd, &answer)) {
		for (const char *at = strstr(answer.text, key); at != NULL;
		     at = strstr(at + 1, key))
			blocked += (unsigned)strtoul(at + sizeof(key) - 1, NULL, 10);
	}
	close(fd);
	return blocked;
}

void
kernel_totals_await(const struct kernel_totals *wanted)
{
	struct kernel_totals now;

	for (int i = 0; i < TRIES; i++) {
		kernel_totals_ask(&now);
		if (memcmp(&now, wanted, sizeof(now)) == 0)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
	}
	fprintf(stderr,
		"the kernel keeps: tasks %u (%u), threads %u (%u), ports %u (%u), port sets %u "
		"(%u), messages %u (%u), segments %u (%u), notifications %u (%u), watches %u (%u); "
		"in brackets what it held at first\n",
		now.tasks, wanted->tasks, now.threads, wanted->threads, now.ports, wanted->ports,
		now.port_sets, wanted->port_sets, now.messages, wanted->messages, now.segments,
		wanted->segments, now.notifications, wanted->notifications, now.watches,
		wanted->watches);
	_exit(1);
}
