/*
 * The C type of echo.defs.
 */
#ifndef BERTH_BENCH_ECHO_H
#define BERTH_BENCH_ECHO_H

typedef struct {
	int words[16];
} echo_words_t;

#endif
