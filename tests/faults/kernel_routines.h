/* The routines that the kernel serves by message, as the tables that mig made for it say. */
#ifndef TESTS_FAULTS_KERNEL_ROUTINES_H
#define TESTS_FAULTS_KERNEL_ROUTINES_H

#include <stdbool.h>
#include <stdint.h>

struct kernel_routine {
	int32_t id;
	const char *name;
};

/* The next one after @routine, which starts as { 0 }; false: that was the last. */
bool kernel_routine_next(struct kernel_routine *routine);

#endif
