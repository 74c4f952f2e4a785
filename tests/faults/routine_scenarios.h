/*
 * A scenario for each routine that the kernel serves: a request that does what the routine is
 * for, and what must have been done before.
 */
#ifndef TESTS_FAULTS_ROUTINE_SCENARIOS_H
#define TESTS_FAULTS_ROUTINE_SCENARIOS_H

#include "tests/support/rpc.h"

/* One request. */
struct ask {
	struct world *world;
	struct actor *caller, *other; /* of two tasks */
	struct rpc request;           /* has its number, and no arguments yet */
	mach_port_name_t target; /* the caller's own task, unless the scenario says otherwise */
	kern_return_t expected;  /* success, likewise */
	bool lasts; /* it has done something that stays, should its results be lost on the way */
	/* Has what a failed request consumed once more, for the next one; NULL: nothing to do. */
	void (*again)(struct ask *ask);
};

/* Prepares @ask, whose world, tasks and number are there. */
typedef void routine_scenario(struct ask *ask);

struct routine_row {
	const char *routine; /* its name in the interface */
	routine_scenario *prepare;
};

/* A routine may have several.  Each ends with a row without a name. */
extern const struct routine_row routine_scenarios_ports[], routine_scenarios_tasks[],
    routine_scenarios_threads[], routine_scenarios_host[];

/* ---- what the files of the scenarios share --------------------------------------------------- */

/* The next inline arguments. */
void ask_words(struct ask *ask, uint32_t count, const uint32_t *words);
#define ASK_WORDS(ask_, ...)                                                                       \
	ask_words(ask_, sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t),                    \
		  (uint32_t[]){ __VA_ARGS__ })
void ask_wide(struct ask *ask, uint64_t word);
void ask_port(struct ask *ask, mach_port_name_t name, uint32_t disposition);

/* The number of the routine of that name; fails if the kernel serves none. */
int32_t routine_id(const char *name);

/* A request sent while a scenario is prepared, which must succeed: its reply is in `got`. */
void ask_first(struct ask *ask, mach_port_name_t object, struct rpc *r);

/* The task of ask->other, as ask->caller names it. */
mach_port_name_t other_task_of(struct ask *ask);

/* Exception ports of whatever ask->target is, which has some of before, set by @routine. */
void exceptions_handled(struct ask *ask, const char *routine);
routine_scenario set_exceptions, swap_exceptions, get_exceptions;

#endif
