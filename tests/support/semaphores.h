/*
 * Semaphores as a test uses them: made by message, used by trap.
 */
#ifndef TESTS_SEMAPHORES_H
#define TESTS_SEMAPHORES_H

#include "tests/support/message.h"

/* semaphore_create and semaphore_destroy of the task t->target; @sem is 0 on failure. */
kern_return_t sem_create(struct actor *t, int policy, int value, mach_port_name_t *sem);
kern_return_t sem_destroy(struct actor *t, mach_port_name_t sem);

/* One of the own task, which must be had. */
mach_port_name_t new_semaphore(struct actor *t, int policy, int value);

kern_return_t sem_signal(struct actor *t, mach_port_name_t sem);
kern_return_t sem_signal_all(struct actor *t, mach_port_name_t sem);
kern_return_t sem_signal_thread(struct actor *t, mach_port_name_t sem, mach_port_name_t thread);

/* These may block: BLOCKED; sem_finished() tells what came of it. */
kern_return_t sem_wait(struct actor *t, mach_port_name_t sem);
kern_return_t sem_timedwait(struct actor *t, mach_port_name_t sem, uint32_t sec, uint32_t nsec);
kern_return_t sem_wait_signal(struct actor *t, mach_port_name_t wait, mach_port_name_t signal);
kern_return_t sem_timedwait_signal(struct actor *t, mach_port_name_t wait, mach_port_name_t signal,
				   uint32_t sec, uint32_t nsec);
kern_return_t sem_finished(struct actor *t);

/* How often @sem can be waited for without blocking; the count is back afterwards. */
uint32_t sem_count(struct actor *t, mach_port_name_t sem);

#endif
