/* What of a kernel its tasks can see, to be compared where a call has failed. */
#ifndef TESTS_FAULTS_VISIBLE_H
#define TESTS_FAULTS_VISIBLE_H

#include "tests/support/world.h"

/*
 * The kernel as its tasks can see it: without the room that their tables have, and without the
 * port of a thread that nobody has a right to.  The caller frees it.
 */
char *visible(struct world *w);

#endif
