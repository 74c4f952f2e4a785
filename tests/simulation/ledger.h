/* What the ledger does for the functions that send. */
#ifndef TESTS_SIMULATION_LEDGER_H
#define TESTS_SIMULATION_LEDGER_H

#include "tests/simulation/programs.h"

/* Its number: what the next trap of @thread sends. */
uint32_t ledger_write(struct sim_thread *thread, struct letter letter);

/* msgh_id of a letter; those of the kernel are smaller. */
#define LETTER_ID 0x40000000

#endif
