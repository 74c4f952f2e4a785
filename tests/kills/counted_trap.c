/*
 * client/trap.c with its boundaries: see kill_point.h.  Each of the three functions that are
 * replaced is called once in the course of a trap, and at the right place.
 */
#include "tests/kills/kill_point.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "client/site.h"
#include "wire/wait.h"

static _Atomic unsigned trap_count, kill_at;
static enum kill_point kill_where;

void
kill_point_arm(unsigned at, enum kill_point point)
{
	kill_where = point;
	atomic_store(&trap_count, 0);
	atomic_store(&kill_at, at);
}

unsigned
kill_point_traps(void)
{
	return atomic_load(&trap_count);
}

void
kill_point_reached(enum kill_point point)
{
	unsigned count =
	    point == KILL_BEFORE ? atomic_fetch_add(&trap_count, 1) + 1 : atomic_load(&trap_count);

	if (count == atomic_load(&kill_at) && point == kill_where)
		kill(getpid(), SIGKILL);
}

#define wait_cpu() (kill_point_reached(KILL_BEFORE), (wait_cpu)())
#define wait_begin(wait_) (kill_point_reached(KILL_RUNG), (wait_begin)(wait_))
#define site_is_on() (kill_point_reached(KILL_ANSWERED), (site_is_on)())

#include "client/trap.c"
