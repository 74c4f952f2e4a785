/*
 * A thread's registers, as numbers whose meaning depends on the machine.
 *
 * THREAD_STATE_NONE is what exception ports want that ask for no registers.
 */
#ifndef _MACH_THREAD_STATUS_H_
#define _MACH_THREAD_STATUS_H_

#include <mach/vm_types.h>

typedef natural_t *thread_state_t;

#define THREAD_STATE_MAX 1296 /* natural_t's of the widest flavor of any machine */
typedef natural_t thread_state_data_t[THREAD_STATE_MAX];

typedef int thread_state_flavor_t;
typedef thread_state_flavor_t *thread_state_flavor_array_t;

#define THREAD_STATE_FLAVOR_LIST 0
#if defined(__arm__) || defined(__aarch64__)
#define THREAD_STATE_NONE 5
#else
#include <mach/machine/thread_status.h>
#endif

#endif
