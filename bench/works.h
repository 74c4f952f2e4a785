/*
 * The works: what is measured, over whichever peer.
 */
#ifndef BERTH_BENCH_WORKS_H
#define BERTH_BENCH_WORKS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/peers/peer.h"
#include "bench/process.h"

#define CROWD_CLIENTS 64
#define IDLE_CLIENTS 1000
#define IDLE_TASKS 100
#define REGION_BYTES (1ull << 30)

struct run {
	const struct peer *peer;
	enum placement placement;
	uint64_t span_ns; /* how long it is measured, behind a quarter of it that is not */
};

/* ---- works.c --------------------------------------------------------------------------------- */

/* Start the server of `shape`, and return when clients may come. */
void server_start(const struct run *run);

/* Sleep until the server has absorbed the last message of a oneway run. */
void server_wait_absorbed(void);

/* A client, and its one request. */
struct caller {
	const struct peer *peer;
	struct words *request;
	struct words *reply;
	uint64_t sum; /* of the request */
};

/* Connects. */
void caller_init(struct caller *caller, const struct run *run, unsigned client);
void caller_deinit(struct caller *caller);

/* One request and its reply, which must be the right one. */
void caller_call(struct caller *caller);

/* Calls until @end_ns have passed; returns how many. */
uint64_t caller_call_until(struct caller *caller, uint64_t end_ns);

/* ---- calls.c --------------------------------------------------------------------------------- */

/* Calls one after the other, reported as @work: the median; and the 99th percentile as
 * @tail_work, if there is such a name. */
void caller_measure(struct caller *caller, const struct run *run, unsigned pause_us,
		    const char *work, const char *tail_work);
void run_calls(const struct run *run, const char *work, const char *tail_work, unsigned pause_us);
void run_oneway(const struct run *run);
void run_attach(const struct run *run);
void run_make(const struct run *run);
void run_move(const struct run *run);

/* ---- crowds.c -------------------------------------------------------------------------------- */

void run_fan_in(const struct run *run);
void run_idle_beside(const struct run *run);
void run_hog(const struct run *run);
/* Says "ready", and stays until its input ends: bench/run looks at the CPU time. */
void run_idle(const struct run *run);

#endif
