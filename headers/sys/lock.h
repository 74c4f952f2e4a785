/*
 * The kernel's locks, by the name that BSD has for them.
 */
#ifndef BERTH_SYS_LOCK_H
#define BERTH_SYS_LOCK_H

#include <sys/types.h>

#ifdef KERNEL
#include <kern/locks.h>
#endif

#endif
