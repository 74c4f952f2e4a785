/*
 * What the library tells people, on stderr: in whole lines, and no line twice.
 *
 * A program's own calls say what went wrong by their codes; this is for what a code cannot
 * say (no kernel was found and why, the kernel died, a call is not there yet).
 */
#ifndef BERTH_CLIENT_SAY_H
#define BERTH_CLIENT_SAY_H

#include <stdatomic.h>

/* Write "libberth: TEXT" and a newline with one write(2).  Keeps errno; safe in a signal
 * handler as far as vsnprintf of strings and numbers is. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* The same, only if @said was 0; it is 1 then. */
#define SAY_ONCE(said, ...)                                                                        \
	do {                                                                                       \
		if (atomic_exchange(said, 1) == 0)                                                 \
			say(__VA_ARGS__);                                                          \
	} while (0)

#endif
