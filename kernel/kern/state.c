/*
 * Life of a kernel, its memory, and the step.
 */
#include "kern/state.h"

#include <string.h>

#include "ipc/ipc_lane.h"
#include "ipc/ipc_notify.h"
#include "ipc/ipc_mqueue.h"
#include "ipc/mach_msg.h"
#include "kern/clock.h"
#include "kern/mk_timer.h"
#include "kern/syscall.h"
#include "kern/thread.h"
#include "kern/voucher.h"

/* ---- memory ---------------------------------------------------------------------------- */

void *
kernel_memory_alloc_raw(struct kernel *k, size_t size_bytes)
{
	void *memory;

	check(size_bytes > 0);
	memory = k->heap.alloc(k->heap.context, size_bytes);
	if (memory)
		k->heap_bytes += size_bytes;
	return memory;
}

void *
kernel_memory_alloc(struct kernel *k, size_t size_bytes)
{
	void *memory = kernel_memory_alloc_raw(k, size_bytes);

	if (memory)
		memset(memory, 0, size_bytes);
	return memory;
}

void
kernel_memory_free(struct kernel *k, void *memory, size_t size_bytes)
{
	if (!memory)
		return;
	check(k->heap_bytes >= size_bytes);
	k->heap_bytes -= size_bytes;
	k->heap.free(k->heap.context, memory, size_bytes);
}

bool
kernel_deadline_reserve(struct kernel *k)
{
	struct deadlines *all = &k->deadlines;
	uint32_t capacity = all->capacity ? all->capacity * 2 : 64;

	/* one is there for the lanes from the first thread on */
	if (k->thread_count + k->alarm_count + k->timer_count + 1 < all->capacity)
		return true;

	struct deadline **slots = kernel_memory_alloc_raw(k, capacity * sizeof(*slots));

	if (!slots)
		return false;
	if (all->slots)
		memcpy(slots, all->slots, all->count * sizeof(*slots));
	kernel_memory_free(k, all->slots, all->capacity * sizeof(*slots));
	all->slots = slots;
	all->capacity = capacity;
	return true;
}

/* xorshift64*: unforeseeable enough for the order of names, repeatable from the seed. */
uint64_t
kernel_random(struct kernel *k)
{
	uint64_t x = k->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	k->random = x;
	return (x * 0x2545f4914f6cdd1dull) >> 8;
}

/* ---- life ------------------------------------------------------------------------------- */

static void
own_port_free(struct kernel *k, struct ipc_port **port)
{
	if (!*port)
		return;
	(*port)->object.place = PORT_DEAD;
	(*port)->kobject = NULL;
	*port = ipc_port_unref(k, *port);
}

/* Those that are there from the beginning. */
static void
own_ports_free(struct kernel *k)
{
	own_port_free(k, &k->host_port);
	for (int id = 0; id < CLOCK_COUNT; id++) {
		own_port_free(k, &k->clocks[id].port);
		own_port_free(k, &k->clocks[id].control);
	}
}

struct kernel *
kernel_new(const struct kernel_config *config)
{
	struct kernel *k = config->heap.alloc(config->heap.context, sizeof(*k));

	if (!k)
		return NULL;
	memset(k, 0, sizeof(*k));
	k->heap = config->heap;
	k->random = config->random_seed ? config->random_seed : 0x9e3779b97f4a7c15ull;
	k->voucher_seed = k->random * 0x9e3779b97f4a7c15ull; /* no step of the generator */
	k->next_task_id = 1;
	k->next_port_id = 1;
	k->next_thread_id = 1;
	list_init(&k->tasks);
	list_init(&k->ports);
	list_init(&k->promises);
	list_init(&k->gates);
	list_init(&k->touched_gates);
	list_init(&k->port_sets);
	list_init(&k->notify_pool);
	list_init(&k->dying_ports);
	list_init(&k->continuing);
	kext_init(k);
	ctl_init(k);
	kev_init(k);
	k->facts = config->facts;
	k->facts.version[sizeof(k->facts.version) - 1] = '\0';
	k->host_port = ipc_port_new_kernel(k, IKOT_HOST, k);
	for (int id = 0; id < CLOCK_COUNT; id++) {
		struct clock *clock = &k->clocks[id];

		*clock = (struct clock){ .kernel = k, .id = id };
		clock->port = ipc_port_new_kernel(k, IKOT_CLOCK, clock);
	}
	if (!k->host_port || !k->clocks[SYSTEM_CLOCK].port || !k->clocks[CALENDAR_CLOCK].port) {
		own_ports_free(k);
		k->heap.free(k->heap.context, k, sizeof(*k));
		return NULL;
	}
	return k;
}

struct kernel *
kernel_free(struct kernel *k)
{
	if (!k)
		return NULL;
	check(k->task_count == 0 && k->thread_count == 0);
	own_ports_free(k);
	ipc_notify_pool_free(k);
	kext_deinit(k);
	ctl_deinit(k);
	kev_deinit(k);
	vouchers_deinit(k);
	check(k->port_count == 0 && k->port_set_count == 0);
	check(k->promise_count == 0 && list_is_empty(&k->promises));
	check(k->lane_count == 0 && list_is_empty(&k->gates));
	check(k->kmsg_count == 0 && k->segment_count == 0 && k->watch_count == 0);
	check(k->fileport_count == 0 && k->memory_entry_count == 0);
	check(k->deadlines.count == 0 && k->alarm_count == 0 && k->timer_count == 0);
	kernel_memory_free(k, k->deadlines.slots,
			   k->deadlines.capacity * sizeof(*k->deadlines.slots));
	check(k->heap_bytes == 0);
	k->heap.free(k->heap.context, k, sizeof(*k));
	return NULL;
}

void
kernel_trace_to(struct kernel *k, kernel_trace_sink *sink, void *context)
{
	k->trace = sink;
	k->trace_context = context;
}

void
kernel_trace_emit(struct kernel *k, struct kernel_trace trace)
{
	trace.now_ns = k->now_ns;
	if (trace.task_pid == 0 && k->trace_thread)
		trace.task_pid = k->trace_thread->task->token.val[TOKEN_PID];
	if (trace.thread_id == 0 && k->trace_thread)
		trace.thread_id = k->trace_thread->id;
	if (trace.number == 0 && k->trace_thread)
		trace.number = k->trace_thread->trap_number;
	k->trace(k->trace_context, &trace);
}

/* ---- effects ---------------------------------------------------------------------------- */

void
kernel_effects_init(struct kernel_effects *effects)
{
	effects->completed = NULL;
	effects->completed_tail = &effects->completed;
	effects->segments = NULL;
	effects->watches = NULL;
	effects->files = NULL;
	effects->shared = NULL;
	effects->resumed = NULL;
	effects->kernel_events = NULL;
}

void
kernel_complete(struct kernel *k, struct thread *thread)
{
	check(thread->state == THREAD_RUNNING);
	thread->state = THREAD_COMPLETED;
	thread->next = NULL;
	*k->effects->completed_tail = thread;
	k->effects->completed_tail = &thread->next;
	KERNEL_TRACE(k, .kind = TRACE_TRAP_DONE, .task_pid = thread->task->token.val[TOKEN_PID],
		     .thread_id = thread->id, .number = thread->trap_number,
		     .code = thread->result.code, .args = thread->result.values);
}

struct thread *
kernel_effects_thread(struct kernel_effects *effects)
{
	struct thread *thread = effects->completed;

	if (!thread)
		return NULL;
	effects->completed = thread->next;
	if (!effects->completed)
		effects->completed_tail = &effects->completed;
	thread->next = NULL;
	return thread;
}

struct kernel_segment *
kernel_effects_segment(struct kernel_effects *effects)
{
	struct kernel_segment *segment = effects->segments;

	if (segment)
		effects->segments = segment->next;
	return segment;
}

struct kernel_watch *
kernel_effects_watch(struct kernel_effects *effects)
{
	struct kernel_watch *watch = effects->watches;

	if (watch) {
		effects->watches = watch->next;
		watch->next = NULL;
		watch->listed = false;
	}
	return watch;
}

/* A thread that is gone leaves the list of those whose result is to be taken. */
void
kernel_effects_forget(struct kernel_effects *effects, struct thread *thread)
{
	struct thread **at = &effects->completed;

	while (*at && *at != thread)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = thread->next;
	if (!*at)
		effects->completed_tail = at;
}

/* ---- the step --------------------------------------------------------------------------- */

static void
expire(struct kernel *k)
{
	struct deadline *first;

	while ((first = deadlines_first(&k->deadlines)) != NULL && first->when_ns <= k->now_ns)
		switch (first->kind) {
		case DEADLINE_ALARM:
			clock_alarm_due(k, container_of(first, struct clock_alarm, deadline));
			break;
		case DEADLINE_LANES:
			deadlines_remove(&k->deadlines, first);
			ipc_lanes_cool(k);
			break;
		case DEADLINE_TIMER:
			mk_timer_expire(k, container_of(first, struct mk_timer, deadline));
			break;
		default:
			thread_give_up(k, container_of(first, struct thread, deadline), true);
			break;
		}
}

void
kernel_step(struct kernel *k, const struct kernel_event *event, struct kernel_effects *effects)
{
	struct thread *thread = event->thread;

	check(!k->effects);
	k->effects = effects;
	if (event->now_ns > k->now_ns)
		k->now_ns = event->now_ns; /* a clock that went back stands still */
	k->wall_offset_ns = event->wall_offset_ns;
	k->trace_thread = NULL;
	if (!list_is_empty(&k->promises))
		ipc_promises_keep(k);
	k->trace_thread = event->kind == EVENT_TRAP ? thread : NULL;
	switch (event->kind) {
	case EVENT_TRAP:
		syscall_enter(k, thread, event->frame);
		break;
	case EVENT_INTERRUPT:
		if (kernel_thread_is_parked(thread))
			thread_give_up(k, thread, false);
		break;
	case EVENT_DEADLINE:
		expire(k);
		break;
	case EVENT_THREAD_EXIT:
		thread_exit(k, thread);
		break;
	case EVENT_LOOK:
		ipc_gates_touch_all(k);
		break;
	case EVENT_TASK_EXEC:
		task_exec(k, event->task);
		break;
	case EVENT_TASK_DIED:
		task_died(k, event->task);
		break;
	}
	mach_msg_continue(k);
	ipc_gates_settle(k);
	check(list_is_empty(&k->dying_ports));
	k->trace_thread = NULL;
	k->effects = NULL;
}

uint64_t
kernel_next_deadline_ns(const struct kernel *k)
{
	const struct deadline *first = deadlines_first(&k->deadlines);

	return first ? first->when_ns : UINT64_MAX;
}
