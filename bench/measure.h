/*
 * How benchmarks time, sum up and report.
 */
#ifndef BERTH_BENCH_MEASURE_H
#define BERTH_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

static inline uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* What was measured, one by one.  At most SAMPLES_MAX are kept: of more, the first ones. */
#define SAMPLES_MAX 4000000u

struct samples {
	uint32_t *values; /* ns; what takes longer than 4 s counts as that */
	size_t count;
};

void samples_init(struct samples *samples);
void samples_deinit(struct samples *samples);
void samples_add(struct samples *samples, uint64_t value_ns);

/* The value that @percent of all are below; sorts.  Ends the program if there are none. */
uint32_t samples_percentile(struct samples *samples, unsigned percent);

/* One figure of this run, as bench/run reads it: a line of JSON. */
void report(const char *work, const char *unit, double value);

#endif
