/*
 * Works of many processes: clients that compete, clients that only are there, and a neighbour
 * who never sleeps.
 */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/works.h"

/* What the processes of a crowd tell each other. */
struct board {
	_Atomic unsigned connected;
	_Atomic bool go;
	struct {
		_Alignas(64) _Atomic uint64_t calls;
	} clients[CROWD_CLIENTS];
};

static void
sleep_ns(uint64_t span_ns)
{
	struct timespec ts = { (time_t)(span_ns / 1000000000u), (long)(span_ns % 1000000000u) };

	while (nanosleep(&ts, &ts) != 0)
		continue;
}

/* Children that connect, make one call and then do as @then says; returns when all have. */
static struct board *
crowd_start(const struct run *run, unsigned first, unsigned count,
	    void (*then)(struct caller *, struct board *, unsigned client))
{
	struct board *board = shared_memory(sizeof(*board));

	for (unsigned i = 0; i < count; i++) {
		if (child() != 0) {
			/* a few at a time: no backlog overflows, and it does not take a second */
			while (atomic_load(&board->connected) + 8 < i)
				sleep_ns(50000);
			continue;
		}

		struct caller caller;

		caller_init(&caller, run, first + i);
		caller_call(&caller);
		atomic_fetch_add(&board->connected, 1);
		then(&caller, board, i);
		for (;;)
			pause();
	}
	while (atomic_load(&board->connected) < count)
		sleep_ns(100000);
	return board;
}

static void
do_nothing(struct caller *caller, struct board *board, unsigned client)
{
}

static void
call_forever(struct caller *caller, struct board *board, unsigned client)
{
	while (!atomic_load(&board->go))
		sleep_ns(1000000);
	for (;;) {
		caller_call(caller);
		atomic_fetch_add_explicit(&board->clients[client].calls, 1, memory_order_relaxed);
	}
}

void
run_fan_in(const struct run *run)
{
	uint64_t before[CROWD_CLIENTS], total = 0, least = UINT64_MAX;

	server_start(run);

	struct board *board = crowd_start(run, 0, CROWD_CLIENTS, call_forever);

	atomic_store(&board->go, true);
	sleep_ns(run->span_ns / 4);

	uint64_t start_ns = now_ns();

	for (unsigned i = 0; i < CROWD_CLIENTS; i++)
		before[i] = atomic_load(&board->clients[i].calls);
	sleep_ns(run->span_ns);

	uint64_t span_ns = now_ns() - start_ns;

	for (unsigned i = 0; i < CROWD_CLIENTS; i++) {
		uint64_t calls = atomic_load(&board->clients[i].calls) - before[i];

		total += calls;
		least = calls < least ? calls : least;
	}
	report("fan-in-64", "calls/s", (double)total * 1e9 / (double)span_ns);
	report("fan-in-64-slowest", "share",
	       total ? (double)least * CROWD_CLIENTS / (double)total : 0);
}

void
run_idle_beside(const struct run *run)
{
	struct caller caller;

	server_start(run);
	crowd_start(run, 1, IDLE_CLIENTS, do_nothing);
	place(run->placement, ROLE_CLIENT);
	caller_init(&caller, run, 0);
	caller_measure(&caller, run, 0, "idle-1000", NULL);
	caller_deinit(&caller);
}

static uint64_t
cpu_time_ns(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ts) != 0)
		die_saying("the hog has ended");
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* The mean, as the median knows nothing of the slices that the hog takes whole. */
void
run_hog(const struct run *run)
{
	struct caller caller;
	pid_t hog;

	server_start(run);
	hog = child();
	if (hog == 0)
		for (volatile uint64_t i = 0;; i++)
			continue;
	place(run->placement, ROLE_CLIENT);
	caller_init(&caller, run, 0);
	caller_call(&caller);
	caller_call_until(&caller, now_ns() + run->span_ns / 4);

	uint64_t start_ns = now_ns(), hog_ns = cpu_time_ns(hog);
	uint64_t count = caller_call_until(&caller, start_ns + run->span_ns);
	uint64_t span_ns = now_ns() - start_ns;

	report("rpc-64-hog", "ns", (double)span_ns / (double)(count ? count : 1));
	report("rpc-64-hog-share", "share", (double)(cpu_time_ns(hog) - hog_ns) / (double)span_ns);
	caller_deinit(&caller);
}

void
run_idle(const struct run *run)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	server_start(run);
	crowd_start(run, 0, IDLE_TASKS, do_nothing);
	puts("ready");
	fflush(stdout);
	poll(&input, 1, -1);
}
