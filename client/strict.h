/*
 * Strict mode: a program stops at the call that was a guard exception.
 */
#ifndef BERTH_CLIENT_STRICT_H
#define BERTH_CLIENT_STRICT_H

#include "client/trap.h"

/*
 * The kernel has refused @trap, and told what exception newer macOS has for that.  Says so on
 * stderr and ends the process by SIGTRAP, which a debugger takes first.
 */
_Noreturn void strict_stop(const struct trap *trap);

#endif
