/*
 * The C types of echo.defs.
 */
#ifndef BERTH_BENCH_ECHO_H
#define BERTH_BENCH_ECHO_H

typedef struct {
	int words[8];
} echo_request_t;

typedef struct {
	int words[7];
} echo_reply_t;

#endif
