/*
 * What all works share: the server, the clients' side of a call, and the program around them.
 *
 *	bench-PEER list
 *	bench-PEER SYSTEM WORK PLACEMENT SPAN_MS
 *
 * `list` prints each system of this program and the works for which it makes sense.  Otherwise
 * a line of JSON is printed for each figure.
 */
#include "bench/works.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"

#define WORD_STRIDE (64 / sizeof(uint64_t)) /* one word of each cache line is looked at */

struct shape shape;

/* ---- the server ------------------------------------------------------------------------------ */

static int ready_fd = -1; /* the server's words to main(): one when it serves, one at the end */

static pid_t server;

static void
tell(void)
{
	if (write(ready_fd, "", 1) != 1)
		die("write");
}

static void
hear(void)
{
	char byte;

	if (read(ready_fd, &byte, 1) != 1)
		die_saying("the server has ended");
}

void
serving(void)
{
	tell();
}

/* A client of a library that connects again, however long, would wait for a dead server. */
static void
child_ended(int signal_number)
{
	static const char said[] = "the server has ended before its clients\n";
	siginfo_t info = { 0 };

	(void)signal_number;
	if (waitid(P_PID, (id_t)server, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid == server) {
		(void)!write(STDERR_FILENO, said, sizeof(said) - 1);
		_exit(1);
	}
}

void
server_start(const struct run *run)
{
	const struct sigaction action = { .sa_handler = child_ended, .sa_flags = SA_RESTART };
	int ends[2];

	if (run->peer->listen != NULL)
		run->peer->listen();
	if (pipe(ends) != 0)
		die("pipe");
	server = child();
	if (server == 0) {
		close(ends[0]);
		ready_fd = ends[1];
		place(run->placement, ROLE_SERVER);
		run->peer->serve();
		_exit(0);
	}
	close(ends[1]);
	ready_fd = ends[0];
	hear();
	sigaction(SIGCHLD, &action, NULL);
	child_ended(SIGCHLD); /* it may have ended since */
}

void
server_wait_absorbed(void)
{
	hear();
}

/* A library need not hand out a message where words may be read in place. */
static uint64_t
word_at(const void *data, size_t index)
{
	uint64_t word;

	memcpy(&word, (const uint8_t *)data + index * sizeof(word), sizeof(word));
	return word;
}

static uint64_t
sum_of(const void *data, size_t size_bytes)
{
	uint64_t sum = word_at(data, 1);

	for (size_t i = WORD_STRIDE; i < size_bytes / sizeof(sum); i += WORD_STRIDE)
		sum += word_at(data, i);
	return sum;
}

void
answer(const void *request, void *reply)
{
	const struct words words = { .number = word_at(request, 0),
				     .sum = sum_of(request, shape.request_bytes) };

	memcpy(reply, &words, sizeof(words));
}

void
absorb(const void *message)
{
	static uint64_t expected;
	uint64_t number = word_at(message, 0);

	if (number == LAST_NUMBER) {
		tell();
		return;
	}
	if (number != expected++)
		die_saying("message %llu came where %llu was due", (unsigned long long)number,
			   (unsigned long long)expected - 1);
}

const char *
own_path(const char *name)
{
	static char path[256];
	const char *folder = getenv("BENCH_FOLDER");

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : ".", name);
	return path;
}

/* ---- a client -------------------------------------------------------------------------------- */

void
caller_init(struct caller *caller, const struct run *run, unsigned client)
{
	uint64_t *request = calloc(1, shape.request_bytes);

	caller->peer = run->peer;
	caller->request = (struct words *)request;
	caller->reply = calloc(1, shape.reply_bytes);
	if (request == NULL || caller->reply == NULL)
		die("calloc");
	for (size_t i = 1; i < shape.request_bytes / sizeof(request[0]); i++)
		request[i] = i * 0x9e3779b97f4a7c15u + client;
	caller->sum = sum_of(request, shape.request_bytes);
	if (run->peer->choose != NULL)
		run->peer->choose(client);
	if (run->peer->connect != NULL)
		run->peer->connect();
}

void
caller_deinit(struct caller *caller)
{
	free(caller->request);
	free(caller->reply);
}

void
caller_call(struct caller *caller)
{
	caller->request->number++;
	caller->peer->call(caller->request, caller->reply);
	if (caller->reply->number != caller->request->number || caller->reply->sum != caller->sum)
		die_saying("%s: a wrong reply", caller->peer->system);
}

uint64_t
caller_call_until(struct caller *caller, uint64_t end_ns)
{
	uint64_t count = 0;

	while (now_ns() < end_ns) {
		caller_call(caller);
		count++;
	}
	return count;
}

/* ---- the works ------------------------------------------------------------------------------- */

static bool
can_call(const struct peer *peer)
{
	return !peer->bulk_only;
}

static bool
can_call_4k(const struct peer *peer)
{
	return !peer->bulk_only && (peer->size_max == 0 || peer->size_max >= 4096);
}

static bool
can_call_1m(const struct peer *peer)
{
	return peer->size_max == 0 || peer->size_max >= 1 << 20;
}

static bool
can_send(const struct peer *peer)
{
	return peer->send != NULL;
}

static bool
can_carry_rights(const struct peer *peer)
{
	return peer->carries_rights;
}

static bool
can_serve(const struct peer *peer, unsigned clients)
{
	return !peer->bulk_only && (peer->clients_max == 0 || peer->clients_max >= clients);
}

static bool
can_crowd(const struct peer *peer)
{
	return can_serve(peer, CROWD_CLIENTS);
}

static bool
can_attach(const struct peer *peer)
{
	return can_serve(peer, 2) && peer->connect != NULL;
}

static bool
can_idle(const struct peer *peer)
{
	return can_serve(peer, IDLE_TASKS) && peer->connect != NULL;
}

static bool
can_idle_beside(const struct peer *peer)
{
	return can_serve(peer, 1 + IDLE_CLIENTS) && peer->connect != NULL;
}

static bool
can_make(const struct peer *peer)
{
	return peer->make != NULL;
}

static bool
can_move(const struct peer *peer)
{
	return peer->move != NULL;
}

static void
rpc_64(const struct run *run)
{
	run_calls(run, "rpc-64", "rpc-64-p99", 0);
}

static void
rpc_64_sparse(const struct run *run)
{
	run_calls(run, "rpc-64-sparse", NULL, 1000);
}

static void
rpc_4k(const struct run *run)
{
	run_calls(run, "rpc-4k", "rpc-4k-p99", 0);
}

static void
rpc_port_right(const struct run *run)
{
	run_calls(run, "rpc-port-right", NULL, 0);
}

static void
ool_1m(const struct run *run)
{
	run_calls(run, "ool-1m", NULL, 0);
}

#define SMALL .request_bytes = 64, .reply_bytes = 64

static const struct work {
	const char *name;
	bool (*makes_sense)(const struct peer *peer);
	void (*run)(const struct run *run);
	struct shape shape;
} works[] = {
	{ "rpc-64", can_call, rpc_64, { SMALL, .clients = 1 } },
	{ "rpc-64-sparse", can_call, rpc_64_sparse, { SMALL, .clients = 1 } },
	{ "rpc-4k",
	  can_call_4k,
	  rpc_4k,
	  { .request_bytes = 4096, .reply_bytes = 4096, .clients = 1 } },
	{ "rpc-64-hog", can_call, run_hog, { SMALL, .clients = 1 } },
	{ "rpc-port-right",
	  can_carry_rights,
	  rpc_port_right,
	  { SMALL, .clients = 1, .with_right = true } },
	{ "oneway-64", can_send, run_oneway, { SMALL, .clients = 1, .oneway = true } },
	{ "ool-1m",
	  can_call_1m,
	  ool_1m,
	  { .request_bytes = 1 << 20, .reply_bytes = 64, .clients = 1 } },
	{ "move-1g", can_move, run_move, { SMALL, .clients = 1, .region_bytes = REGION_BYTES } },
	{ "fan-in-64", can_crowd, run_fan_in, { SMALL, .clients = CROWD_CLIENTS } },
	{ "idle-1000", can_idle_beside, run_idle_beside, { SMALL, .clients = 1 + IDLE_CLIENTS } },
	{ "port-create-destroy", can_make, run_make, { SMALL } },
	{ "attach", can_attach, run_attach, { SMALL, .clients = 2, .come_and_go = true } },
	{ "idle", can_idle, run_idle, { SMALL, .clients = IDLE_TASKS } },
};

#define WORK_COUNT (sizeof(works) / sizeof(works[0]))

static void
list(void)
{
	for (const struct peer *const *peer = peers_here; *peer != NULL; peer++) {
		const char *comma = "";

		printf("{\"system\": \"%s\", \"works\": [", (*peer)->system);
		for (size_t i = 0; i < WORK_COUNT; i++) {
			if (!works[i].makes_sense(*peer))
				continue;
			printf("%s\"%s\"", comma, works[i].name);
			comma = ", ";
		}
		printf("]}\n");
	}
}

int
main(int argc, char **argv)
{
	struct run run = { 0 };

	end_with_parent();
	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		list();
		return 0;
	}
	if (argc != 5) {
		fprintf(stderr, "usage: %s list | SYSTEM WORK PLACEMENT SPAN_MS\n", argv[0]);
		return 2;
	}
	for (const struct peer *const *peer = peers_here; *peer != NULL; peer++)
		if (strcmp((*peer)->system, argv[1]) == 0)
			run.peer = *peer;
	run.placement = placement_parse(argv[3]);
	run.span_ns = strtoull(argv[4], NULL, 10) * 1000000u;
	raise_descriptors();
	for (size_t i = 0; i < WORK_COUNT && run.peer != NULL; i++) {
		if (strcmp(works[i].name, argv[2]) != 0 || !works[i].makes_sense(run.peer))
			continue;
		shape = works[i].shape;
		works[i].run(&run);
		return 0;
	}
	fprintf(stderr, "%s: no work %s of %s\n", argv[0], argv[2], argv[1]);
	return 2;
}
