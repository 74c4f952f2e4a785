/*
 * What the kernel promises a thread, in a word of its slot: that mach_port_deallocate() of a send
 * right will succeed, and nobody is told of it.
 *
 * So the thread need not wait for that: it moves GIVEN to TAKEN, by one compare-and-exchange, and
 * the right is given up.  Whoever asks the kernel next finds it so.
 */
#ifndef BERTH_WIRE_PROMISE_H
#define BERTH_WIRE_PROMISE_H

#include <stdint.h>

enum promise_state { PROMISE_NONE = 0, PROMISE_GIVEN = 1, PROMISE_TAKEN = 2 };

/* The word that says this of the right @name. */
static inline uint64_t
promise_word(uint32_t name, enum promise_state state)
{
	return (uint64_t)name << 32 | (uint32_t)state;
}

#endif
