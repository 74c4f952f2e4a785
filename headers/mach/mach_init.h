/*
 * What a program has got before main(): its own task, its bootstrap port, the page size.
 */
#ifndef _MACH_INIT_
#define _MACH_INIT_ 1

#include <mach/mach_traps.h>
#include <mach/mach_types.h>
#include <mach/vm_page_size.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The own task's control port.  The library holds the right: do not deallocate it. */
extern mach_port_t mach_task_self_;
#define mach_task_self() mach_task_self_
#define current_task() mach_task_self()

/* Does @task, a control or name port, name the calling task? */
extern boolean_t mach_task_is_self(task_name_t task);

/*
 * The name service.  Set at the start from the task's special port 4, and again in a
 * child of fork(); MACH_PORT_NULL where the task has none.
 */
extern mach_port_t bootstrap_port;

/* mach_ports_lookup(): what the three slots are for */
#define NAME_SERVER_SLOT 0
#define ENVIRONMENT_SLOT 1
#define SERVICE_SLOT 2
#define MACH_PORTS_SLOTS_USED 3

/* The page size of @host into *@size.  KERN_SUCCESS. */
extern kern_return_t host_page_size(host_t host, vm_size_t *size);

#ifdef __cplusplus
}
#endif

#endif
