/*
 * What C files see first that are stubs made by MIG for the kernel, or call them.
 *
 * In them mach_port_t is the object (BERTH_KERNEL_STUBS, see <mach/port.h>): header, port
 * descriptors and arrays of ports are wider than in a task's message, and nothing else is
 * different.  ipc_kobject_message.c turns one form into the other.
 */
#ifndef KERNEL_IPC_KOBJECT_STUBS_H
#define KERNEL_IPC_KOBJECT_STUBS_H

#define BERTH_KERNEL_STUBS 1

/* The run time of stubs in the kernel, under names of its own: kernel and library may meet in
 * one program. */
#define NDR_record kernel_NDR_record
#define mig_strncpy_zerofill kernel_mig_strncpy_zerofill
#define mach_msg_send_from_kernel kernel_mach_msg_send_from_kernel

#include <mach/mach_types.h>
#include <mach/mig.h>
#include <mach_debug/mach_debug_types.h>

/* Memory that came with a request is the request's, and goes with it. */
#define mig_deallocate(address, size) ((void)(address), (void)(size))

struct clock;
struct ipc_space;
struct kernel;
struct task;
struct thread;

typedef struct ipc_space *ipc_space_ref_t;
typedef struct task *task_ref_t;
typedef struct thread *thread_ref_t;
typedef struct kernel *host_ref_t;
typedef struct clock *clock_ref_t;

struct ipc_space *convert_port_to_space(struct ipc_port *port);
struct task *convert_port_to_task(struct ipc_port *port);
struct thread *convert_port_to_thread(struct ipc_port *port);
struct kernel *convert_port_to_host(struct ipc_port *port);
struct kernel *convert_port_to_host_priv(struct ipc_port *port);
struct clock *convert_port_to_clock(struct ipc_port *port);

/*
 * Send @message, whose destination is a send-once right and which is consumed.  It takes the
 * place of the notification that was kept for that right, so that it cannot fail:
 * MACH_MSG_SUCCESS.
 */
mach_msg_return_t mach_msg_send_from_kernel(mach_msg_header_t *message, mach_msg_size_t size);

#endif
