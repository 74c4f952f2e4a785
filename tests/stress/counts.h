/*
 * What the whole kernel holds, as it tells a tool: `berth dump --counts`, for programs under
 * `berth run`.
 */
#ifndef TESTS_STRESS_COUNTS_H
#define TESTS_STRESS_COUNTS_H

#include <stdint.h>

struct kernel_totals {
	unsigned tasks, threads, ports, port_sets, messages, segments, notifications, watches;
};

/* Ask the kernel that $BERTH_KERNEL names.  Ends the program, with a word on stderr, if it
 * cannot be asked. */
void kernel_totals_ask(struct kernel_totals *totals);

/*
 * Wait until the kernel holds no more than @wanted again: it hears of a death a moment after
 * the parent does.  Ends the program if that takes longer than 20 s.
 */
void kernel_totals_await(const struct kernel_totals *wanted);

/* Have the kernel check all its invariants: one that does not hold ends it. */
void kernel_audit_ask(void);

/* How many threads of all tasks are blocked in a call now.  Ends the program as above. */
unsigned kernel_blocked_ask(void);

#endif
