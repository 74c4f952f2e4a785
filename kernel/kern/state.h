/*
 * The whole of one kernel.  Everything hangs off it; nothing is global.
 */
#ifndef KERNEL_STATE_H
#define KERNEL_STATE_H

#include "bsd/kern_control.h"
#include "bsd/kern_event.h"
#include "bsd/kext.h"
#include "kernel.h"
#include "limits.h"
#include "support/check.h"
#include "support/deadlines.h"
#include "support/list.h"

#include <mach/host_special_ports.h>

struct exception_actions;
struct ipc_port;
struct ipc_kmsg;

/* What is behind a clock's port. */
struct clock {
	struct kernel *kernel;
	int id; /* SYSTEM_CLOCK, CALENDAR_CLOCK */
	struct ipc_port *port;
	struct ipc_port *control; /* made when first asked for; NULL: nobody has */
};

#define CLOCK_COUNT 2

/* deadline.kind */
enum { DEADLINE_THREAD = 0, DEADLINE_ALARM, DEADLINE_TIMER, DEADLINE_LANES };

struct kernel {
	struct kernel_heap heap;
	uint64_t heap_bytes; /* handed out and not yet given back */
	uint64_t now_ns;     /* of the event under way */
	uint64_t wall_offset_ns;
	uint64_t random; /* state of the generator */

	struct list tasks; /* struct task, oldest first */
	uint32_t task_count;
	uint64_t next_task_id;
	uint64_t next_port_id;
	uint32_t next_thread_id;
	uint32_t thread_count;
	struct task *first_task; /* the name server: what orphans inherit from */

	struct list ports; /* every struct ipc_port that exists, dead ones too */
	uint32_t port_count;
	struct list gates;         /* struct ipc_gate: ipc_lane.h */
	struct list touched_gates; /* that are opened at the end of the step, if they may be */
	uint32_t lane_count;
	struct list promises; /* struct ipc_promise: ipc_promise.h */
	uint32_t promise_count;
	struct deadline lanes_cold; /* while there are lanes: when to look which were not used */
	struct list port_sets;
	uint32_t port_set_count;
	uint32_t kmsg_count; /* messages that carry something: queued, in hand, in results */
	uint32_t segment_count;
	uint32_t watch_count;
	uint32_t fileport_count;
	uint32_t memory_entry_count;

	struct kernel_host_facts facts;
	struct ipc_port *host_port;
	/* kern/host_priv.c; until the last task has died */
	struct ipc_port *host_priv_port; /* NULL: nobody has asked for it yet */
	struct ipc_port *host_special[HOST_MAX_SPECIAL_PORT + 1]; /* send rights, NULL or IP_DEAD */
	struct exception_actions *exceptions;                     /* NULL: none was ever set */
	bool watches_exceptions;
	struct clock clocks[CLOCK_COUNT]; /* by id */
	uint32_t alarm_count;
	uint32_t timer_count;

	struct list *vouchers; /* struct voucher, by hash: voucher_bucket_count chains */
	uint32_t voucher_bucket_count;
	uint32_t voucher_count;
	uint64_t voucher_seed;

	struct deadlines deadlines; /* of threads, alarms and timers, and of cold lanes */

	/*
	 * There is one notification message for each send-once right on a live port, in the
	 * pool or on its way, so that the right's one outcome never fails for want of memory.
	 */
	struct list notify_pool;
	uint32_t notify_pool_count;
	uint32_t notify_reserved_count;  /* send-once rights on live ports */
	uint32_t notify_in_flight_count; /* of these, the ones in a notification's message */

	/* receive rights that lost their holder while another port was being destroyed */
	struct list dying_ports;
	bool destroying;

	/* threads whose blocked send is done: mach_msg_continue() goes on with them */
	struct list continuing;

	struct kernel_effects *effects; /* of the event under way */

	struct task *asker;          /* whose message a kernel object is serving */
	struct thread *asker_thread; /* and which of its threads sent it */

	struct kext_state kext;
	struct ctl_state ctl;
	struct kev_state kev;

	kernel_trace_sink *trace;
	void *trace_context;
	struct thread *trace_thread; /* whose trap is under way */
};

/* Zeroed memory or NULL; released by kernel_memory_free() with the same size. */
mustuse void *kernel_memory_alloc(struct kernel *k, size_t size_bytes);
/* As above, but not zeroed: for bytes that are written at once. */
mustuse void *kernel_memory_alloc_raw(struct kernel *k, size_t size_bytes);
void kernel_memory_free(struct kernel *k, void *memory, size_t size_bytes);

struct kernel_shared *kernel_shared_ref(struct kernel_shared *shared);
/* Its tasks are woken: of a table who sleeps on @port's word, of a lane its sender. */
void kernel_shared_wake(struct kernel *k, struct kernel_shared *shared, uint32_t port);

/* Room for the deadline of one more thread, alarm or timer, so that adding it never fails. */
mustuse bool kernel_deadline_reserve(struct kernel *k);

uint64_t kernel_random(struct kernel *k);

/* Puts @thread, whose result is filled in, on the effects. */
void kernel_complete(struct kernel *k, struct thread *thread);

/* One predictable branch while nobody looks. */
#define KERNEL_TRACE(k, ...)                                                                       \
	do {                                                                                       \
		if (__builtin_expect((k)->trace != NULL, 0))                                       \
			kernel_trace_emit((k), (struct kernel_trace){ __VA_ARGS__ });              \
	} while (0)

void kernel_trace_emit(struct kernel *k, struct kernel_trace trace);

#endif
