/*
 * Calls that are refused, and what the calls that are there do not do yet: each such call fails,
 * and says so once on stderr.
 */
#ifndef BERTH_CLIENT_LATER_H
#define BERTH_CLIENT_LATER_H

#include <berth/syscall_sw.h>

#include <mach/kern_return.h>
#include <mach/port.h>

#include <stdatomic.h>
#include <stdint.h>

/* Say, once for each @said, that @what of @call is not there; KERN_NOT_SUPPORTED. */
kern_return_t later_not_supported(const char *call, const char *what, _Atomic uint32_t *said);

#define NOT_SUPPORTED(what)                                                                        \
	({                                                                                         \
		static _Atomic uint32_t said_;                                                     \
		later_not_supported(__func__, what, &said_);                                       \
	})

/*
 * Is @task the caller's own?
 *
 * KERN_SUCCESS           it is
 * KERN_INVALID_ARGUMENT  null, dead, or another kernel object
 * BERTH_TRAP_BY_MESSAGE  it is not: who serves that port, or that it is none, a message tells
 */
kern_return_t later_own_task(mach_port_t task);

/* Pass on @code of a message about another task; what the kernel does not serve yet is said. */
kern_return_t later_asked(kern_return_t code, const char *call, _Atomic uint32_t *said);

/* Return from the caller, with what @message gives if it is to be asked, unless @task is its
 * own. */
#define OWN_TASK(task, message)                                                                    \
	do {                                                                                       \
		static _Atomic uint32_t said_;                                                     \
		kern_return_t own_ = later_own_task(task);                                         \
		if (own_ == BERTH_TRAP_BY_MESSAGE)                                                 \
			return later_asked(message, __func__, &said_);                             \
		if (own_ != KERN_SUCCESS)                                                          \
			return own_;                                                               \
	} while (0)

#endif
