/*
 * A process that kills itself at a trap of its own.
 *
 * The library of the test is the real one but for client/trap.c, which counted_trap.c compiles
 * again with a call at each boundary.
 */
#ifndef TESTS_KILLS_KILL_POINT_H
#define TESTS_KILLS_KILL_POINT_H

enum kill_point {
	KILL_BEFORE,   /* the request is written; the kernel does not know of it */
	KILL_RUNG,     /* the kernel has been told, and may be working on it */
	KILL_ANSWERED, /* it is done, and the library has not told its caller */
	KILL_POINTS
};

/* From here on the calling process counts, and dies at this point of trap number @at; 0: never. */
void kill_point_arm(unsigned at, enum kill_point point);

/* How many traps it has begun since. */
unsigned kill_point_traps(void);

/* A trap has come to @point. */
void kill_point_reached(enum kill_point point);

#endif
