/*
 * Threads of the kernel.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * Source: kext.md §5.5.
 */
#ifndef BERTH_KERN_THREAD_H
#define BERTH_KERN_THREAD_H

#ifdef KERNEL

#include <stdint.h>

#include <kern/kern_types.h>
#include <kern/sched_prim.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The thread that runs; not counted, good while it runs. */
thread_t current_thread(void);

/*
 * A new thread, which runs @continuation(@parameter, THREAD_AWAKENED) for the kernel: pid 0,
 * uid 0.  It ends when that returns.  Gives one reference in *@new_thread, for
 * thread_deallocate().
 *
 * KERN_SUCCESS; KERN_INVALID_ARGUMENT: no function, or nowhere to give it to;
 * KERN_RESOURCE_SHORTAGE: no memory, or too many threads
 */
kern_return_t kernel_thread_start(thread_continue_t continuation, void *parameter,
				  thread_t *new_thread);

/*
 * End this thread: does not return for current_thread().  KERN_INVALID_ARGUMENT: NULL;
 * KERN_FAILURE: another thread, which cannot be stopped from outside, or one that belongs to
 * the host.
 */
kern_return_t thread_terminate(thread_t target_act);

void thread_reference(thread_t thread);
void thread_deallocate(thread_t thread);

/* A number for people, never used twice. */
uint64_t thread_tid(thread_t thread);
/* A name for people and debuggers: cut to 15 bytes. */
void thread_set_thread_name(thread_t thread, const char *name);
/* Something that stands for the thread; never followed. */
void *get_bsdthread_info(thread_t thread);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
