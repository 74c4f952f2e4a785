/* What the kernel holds: see counts.h. */
#include "tests/stress/counts.h"

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

void
kernel_totals_ask(struct kernel_totals *totals)
{
	struct wire_inspect question = {
		{ WIRE_INSPECT, sizeof(question) }, WIRE_INSPECT_COUNTS, 0, 0, 0
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("BERTH_KERNEL");
	struct {
		struct wire_head head;
		char text[WIRE_TEXT_MAX + 1];
	} answer;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (path == NULL || path[0] != '/' || strlen(path) >= sizeof(address.sun_path))
		cannot("BERTH_KERNEL names no socket");
	memcpy(address.sun_path, path, strlen(path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    send(fd, &question, sizeof(question), MSG_NOSIGNAL) != (ssize_t)sizeof(question))
		cannot("it does not listen");
	ssize_t size = recv(fd, &answer, sizeof(answer) - 1, 0);
	if (size <= (ssize_t)sizeof(answer.head) || answer.head.kind != WIRE_TEXT)
		cannot("no answer");
	((char *)&answer)[size] = '\0';
	if (sscanf(answer.text,
		   "tasks %u threads %u ports %u port_sets %u messages %u segments %u "
		   "notifications %u watches %u",
		   &totals->tasks, &totals->threads, &totals->ports, &totals->port_sets,
		   &totals->messages, &totals->segments, &totals->notifications,
		   &totals->watches) != 8)
		cannot(answer.text);
	close(fd);
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
