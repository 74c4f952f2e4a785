/*
 * The calls that Darwin's kernel serves as traps.
 */
#ifndef _MACH_MACH_TRAPS_H_
#define _MACH_MACH_TRAPS_H_

#include <mach/kern_return.h>
#include <mach/mach_types.h>
#include <mach/port.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A new port with its receive right and nothing else; MACH_PORT_NULL: none could be made. */
extern mach_port_name_t mach_reply_port(void);

/*
 * A port bound to the calling thread, with its receive right and one send right; a new one
 * each time.  MACH_PORT_NULL: none could be made.
 */
extern mach_port_name_t thread_get_special_reply_port(void);

/*
 * Give up what thread_get_special_reply_port() gave: all of it, or one of the two rights.
 *
 * KERN_INVALID_ARGUMENT  @rights is none of the three; else as mach_port_destruct() and
 *                        mach_port_deallocate()
 */
extern kern_return_t
thread_destruct_special_reply_port(mach_port_name_t port,
				   thread_destruct_special_reply_port_rights_t rights);

/*
 * A send right to the calling thread's port; the caller deallocates it.
 */
extern mach_port_t mach_thread_self(void);

/* A send right to the host's port; the caller deallocates it. */
extern mach_port_t mach_host_self(void);

/*
 * The control port of process @pid, by policy; a send right that the caller deallocates.
 *
 * KERN_FAILURE  no such process, or it may not be had; *@task is MACH_PORT_NULL
 */
extern kern_return_t task_for_pid(mach_port_name_t target_tport, int pid, mach_port_name_t *task);

/* The same for the port that only names the task. */
extern kern_return_t task_name_for_pid(mach_port_name_t target_tport, int pid,
				       mach_port_name_t *task);

/*
 * The process that @task, a port of a task of any kind, stands for.
 *
 * KERN_FAILURE  it is no port of a task, or the task is gone; *@pid is -1
 */
extern kern_return_t pid_for_task(mach_port_name_t task, int *pid);

/* Give the processor to another thread, if one wants it. */
extern boolean_t swtch(void);
extern boolean_t swtch_pri(int pri);

/* clock_sleep() of <mach/mach.h> with the time in two numbers. */
extern kern_return_t clock_sleep_trap(mach_port_name_t clock_name, sleep_type_t sleep_type,
				      int sleep_sec, int sleep_nsec, mach_timespec_t *wakeup_time);

#ifdef __cplusplus
}
#endif

#endif
