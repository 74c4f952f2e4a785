/*
 * What the client and the kext of bench/controls agree on.
 */
#ifndef BERTH_BENCH_CONTROLS_BENCH_H
#define BERTH_BENCH_CONTROLS_BENCH_H

#include <stdint.h>

#define BENCH_DGRAM "berth.bench.dgram"
#define BENCH_STREAM "berth.bench.stream"

/* the first byte of what is sent */
#define BENCH_ECHO 'e'
#define BENCH_SWALLOW 's'

#define BENCH_OPTION_FLOOD 1
#define BENCH_RECVSIZE (512 * 1024) /* bytes; what utun and other controls of bulk data have */

struct bench_flood {
	uint32_t size_bytes;
	uint64_t count;
};

#endif
