/*
 * Programs: what one process may make a kexthost hold for it.
 *
 * A kexthost has so many threads, descriptors and bytes for all who use its controls.  Each
 * process pays for its own; one that holds as much as it may is refused, the others go on.
 */
#ifndef KEXTS_HOST_PROGRAM_H
#define KEXTS_HOST_PROGRAM_H

#include <stdint.h>
#include <sys/types.h>

enum program_charge {
	PROGRAM_LANES,       /* each has LANE_SLOTS calls, and as many threads for callbacks */
	PROGRAM_CONNECTIONS, /* each has a descriptor and a unit, also of one that was passed on */
	PROGRAM_BYTES,       /* of calls under way, in what came and goes by memfd */
	PROGRAM_CHARGE_COUNT
};

#define PROGRAM_LANES_MAX 8u           /* 512 of the 1024 callbacks that may be under way */
#define PROGRAM_CONNECTIONS_MAX 32768u /* half the units of a control, or half the descriptors */
#define PROGRAM_BYTES_MAX (256u << 20) /* one call may need it all: LANE_DATA_MAX, 2 each way */

struct program;

/* The account of the process @pid, counted; made when there is none.  NULL: no memory. */
struct program *program_ref(pid_t pid);
/* Gives the count back; what was charged must have been given back before.  NULL is fine. */
struct program *program_unref(struct program *program);

/* 0; -ENOBUFS: it would be more than the process may hold, and nothing is charged. */
int program_charge(struct program *program, enum program_charge what, uint64_t amount);
void program_release(struct program *program, enum program_charge what, uint64_t amount);

#endif
