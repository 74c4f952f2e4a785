#include "bench/measure.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/process.h"

void
samples_init(struct samples *samples)
{
	samples->values = malloc(SAMPLES_MAX * sizeof(samples->values[0]));
	samples->count = 0;
	if (samples->values == NULL)
		die("malloc");
}

void
samples_deinit(struct samples *samples)
{
	free(samples->values);
	samples->values = NULL;
}

void
samples_add(struct samples *samples, uint64_t value_ns)
{
	if (samples->count < SAMPLES_MAX)
		samples->values[samples->count++] =
		    value_ns > UINT32_MAX ? UINT32_MAX : (uint32_t)value_ns;
}

static int
compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a;
	uint32_t right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

uint32_t
samples_percentile(struct samples *samples, unsigned percent)
{
	if (samples->count == 0)
		die_saying("nothing was measured");
	qsort(samples->values, samples->count, sizeof(samples->values[0]), compare);

	size_t index = samples->count * percent / 100;

	return samples->values[index < samples->count ? index : samples->count - 1];
}

void
report(const char *work, const char *unit, double value)
{
	printf("{\"work\": \"%s\", \"unit\": \"%s\", \"value\": %.9g}\n", work, unit, value);
	fflush(stdout);
}
