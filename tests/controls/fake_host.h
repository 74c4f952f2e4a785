/*
 * A kexthost made by hand, in a process of its own, with one control: so that a test can have it
 * do, and die, whenever it likes.  What it saw and is to do is in memory that both share.
 */
#ifndef TESTS_CONTROLS_FAKE_HOST_H
#define TESTS_CONTROLS_FAKE_HOST_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#define FAKE_NAME "berth.fake"
#define FAKE_SENDSIZE (1u << 20)

/* connect() to these units fails */
#define FAKE_UNIT_REFUSES 13 /* EPERM, as before the kext is asked */
#define FAKE_UNIT_DIES 14    /* EACCES, by the kext */
#define FAKE_UNIT_RCVD 0x100 /* a bit: wants to hear of reads */
#define FAKE_UNIT_DEAF 0x200 /* a bit: has no send callback */

/*
 * What is sent does this:
 *   "block"   waits until `release` is set or the call is cancelled (EINTR)
 *   "pipe"    fails with EPIPE
 *   "die"     kills the kexthost
 *   anything else comes back as a record
 *
 * Option 1 is what was set last; 2 fails with ERANGE; getting 3 gives more than there is room for.
 */
struct fake {
	_Atomic uint32_t lane_count, adopt_count, send_count, blocked_count, cancel_count;
	_Atomic uint32_t rcvd_count, rcvd_flags, closed_count, closing_count, shut_count;
	_Atomic uint32_t sizes[3];
	_Atomic uint32_t release;
	_Atomic uint32_t control_id;
	_Atomic uint64_t control_ref;
	_Atomic uint32_t request, answer; /* enum fake_request, and the error plus 1 */
	uint32_t event[4];
	uint8_t event_data[300];
	uint32_t event_size;
};

enum fake_request { FAKE_REGISTER = 1, FAKE_DEREGISTER, FAKE_VENDOR, FAKE_POST };

/* Start it in a child, with its control registered.  Waits until it is there. */
struct fake *fake_start(pid_t *pid);
/* Kill it and forget. */
void fake_end(struct fake *fake, pid_t pid);

/* Have it do one of these; the error.  POST: event, event_data; VENDOR: gives its code in
 * event[0]. */
int fake_do(struct fake *fake, enum fake_request request);

/* Wait until @counter is at least @value; fails the test after a long time. */
void fake_await(const _Atomic uint32_t *counter, uint32_t value);

#endif
