/* Memory that is at its end: where one allocation has failed, others fail too. */
#ifndef TESTS_FAULTS_DRY_H
#define TESTS_FAULTS_DRY_H

#include "tests/support/world.h"

/* While @fault is armed, all allocations after the failing one fail as well.  To be called before a
 * world is made on it. */
void fault_dry(struct fault *fault);

#endif
