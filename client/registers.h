/*
 * The registers of a thread that a signal has stopped, as Linux has them and as Darwin does.
 */
#ifndef BERTH_CLIENT_REGISTERS_H
#define BERTH_CLIENT_REGISTERS_H

#include <mach/thread_status.h>

#include <ucontext.h>

/* What BERTH_TRAP_THREAD_STATE_OFFER and BERTH_TRAP_THREAD_HOLD take. */
struct registers {
	x86_thread_state64_t thread;
	x86_exception_state64_t exception;
};

void registers_load(struct registers *r, const ucontext_t *context);

/* Segments stay as they are: Linux decides on them. */
void registers_store(const x86_thread_state64_t *s, ucontext_t *context);

#endif
