/*
 * The model as a whole: its memory, its tasks and threads, and each kind of step.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mach/task_special_ports.h>

#include "tests/model/model.h"

#define ARENA_CHUNK ((size_t)64 << 20) /* bytes of address space; what is not touched is free */

struct model *
model_new(void)
{
	struct model *m = calloc(1, sizeof *m);

	m->arena_size = ARENA_CHUNK;
	m->arena = malloc(m->arena_size);
	if (!m->arena)
		abort();
	model_reset(m);
	return m;
}

struct model *
model_free(struct model *m)
{
	if (m)
		free(m->arena);
	free(m);
	return NULL;
}

void
model_reset(struct model *m)
{
	uint8_t *arena = m->arena;
	size_t size = m->arena_size;

	/* results are long and are set when they are used */
	for (uint32_t i = 0; i < M_TASKS; i++) {
		struct m_task *task = &m->tasks[i];

		memset(task, 0, offsetof(struct m_task, threads));
		task->index = i;
		for (uint32_t j = 0; j < M_THREADS; j++) {
			memset(&task->threads[j], 0, offsetof(struct m_thread, result));
			task->threads[j].actual_done = false;
		}
	}
	memset(&m->task_count, 0, sizeof *m - offsetof(struct model, task_count));
	m->arena = arena;
	m->arena_size = size;
	m->host = m_port_new(m, NULL);
	m->host->kernel = M_OWNER_HOST;
	m->host_priv = m_port_new(m, NULL);
	m->host_priv->kernel = M_OWNER_HOST_PRIV;
}

void *
m_alloc(struct model *m, size_t size)
{
	void *memory = m->arena + m->arena_used;

	size = (size + 15) & ~(size_t)15;
	m->arena_used += size;
	if (m->arena_used > m->arena_size) {
		fprintf(stderr, "the model itself has no memory: make runs shorter\n");
		abort();
	}
	return memset(memory, 0, size);
}

void
model_wrong(struct model *m, const char *format, ...)
{
	va_list args;

	if (m->wrong[0])
		return; /* the first one is what matters */
	va_start(args, format);
	vsnprintf(m->wrong, sizeof m->wrong, format, args);
	va_end(args);
}

/* ---- lists ----------------------------------------------------------------------------- */

void
m_list_add(struct model *m, struct m_list *list, void *item)
{
	if (list->count == list->room) {
		uint32_t room = list->room ? list->room * 2 : 8;
		void **items = m_alloc(m, room * sizeof *items);

		if (list->count)
			memcpy(items, list->items, list->count * sizeof *items);
		list->items = items;
		list->room = room;
	}
	list->items[list->count++] = item;
}

bool
m_list_has(const struct m_list *list, const void *item)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->items[i] == item)
			return true;
	return false;
}

bool
m_list_remove(struct m_list *list, const void *item)
{
	for (uint32_t i = 0; i < list->count; i++) {
		if (list->items[i] != item)
			continue;
		memmove(&list->items[i], &list->items[i + 1],
			(list->count - i - 1) * sizeof *list->items);
		list->count--;
		return true;
	}
	return false;
}

void *
m_list_take_first(struct m_list *list)
{
	void *first = list->count ? list->items[0] : NULL;

	if (first)
		m_list_remove(list, first);
	return first;
}

/* ---- tasks and threads ------------------------------------------------------------------- */

static struct m_port *
task_port(struct model *m, struct m_task *task, enum m_owner kind)
{
	struct m_port *port = m_port_new(m, NULL);

	port->kernel = kind;
	port->kernel_task = task;
	return port;
}

struct m_task *
model_task_new(struct model *m, const audit_token_t *token)
{
	struct m_task *task = &m->tasks[m->task_count++];
	struct m_entry *entry;

	task->alive = true;
	task->token = *token;
	task->port = task_port(m, task, M_OWNER_TASK);
	task->name_port = task_port(m, task, M_OWNER_TASK_NAME);
	task->token_port = task_port(m, task, M_OWNER_TOKEN);
	entry = m_entry_named(m, task, BERTH_NAME_TASK_SELF);
	entry->type = MACH_PORT_TYPE_SEND;
	entry->urefs = 1;
	entry->port = task->port;
	return task;
}

struct m_thread *
model_thread_new(struct model *m, struct m_task *task, uint32_t index)
{
	struct m_thread *thread = &task->threads[index];

	memset(thread, 0, offsetof(struct m_thread, result));
	thread->alive = true;
	thread->born = ++m->order;
	thread->task = task;
	thread->port = task_port(m, task, M_OWNER_THREAD);
	thread->port->kernel_thread = thread;
	return thread;
}

/* ---- steps ----------------------------------------------------------------------------- */

static void
step_begin(struct model *m)
{
	m->fresh_count = 0;
	for (uint32_t i = 0; i < m->task_count; i++) {
		m->tasks[i].resumed = false;
		for (uint32_t j = 0; j < M_THREADS; j++)
			m->tasks[i].threads[j].done = false;
	}
}

/* mach-ports.md §10, last paragraph */
static struct m_task *
child_new(struct model *m, struct m_task *parent, const audit_token_t *token, bool same_ids)
{
	struct m_task *task = model_task_new(m, token);
	const struct m_right *bootstrap = &task->special[TASK_BOOTSTRAP_PORT];
	struct m_entry *entry;

	for (uint32_t i = 0; i < M_TASK_SPECIAL; i++)
		if (i != TASK_RESOURCE_NOTIFY_PORT)
			m_hold(m, &task->special[i], m_held_copy(&parent->special[i]));
	for (uint32_t i = 0; i < M_REGISTERED; i++)
		m_hold(m, &task->registered[i], m_held_copy(&parent->registered[i]));
	if (same_ids)
		m_actions_inherit(m, task->exceptions, parent->exceptions);
	if (bootstrap->kind) {
		entry = m_entry_fresh(m, task, BERTH_NAME_BOOTSTRAP);
		entry->type = MACH_PORT_TYPE_SEND;
		entry->urefs = 1;
		entry->port = bootstrap->port;
	}
	return task;
}

struct m_task *
model_fork(struct model *m, struct m_task *parent, const audit_token_t *token, bool same_ids)
{
	step_begin(m);
	return child_new(m, parent, token, same_ids);
}

/* What the step set off: ports that die, and senders that go on, in turn. */
static void
step_end(struct model *m)
{
	struct m_thread *thread;

	while ((thread = m_list_take_first(&m->resuming))) {
		m_send_done(m, thread);
	}
}

void
model_trap(struct model *m, struct m_thread *thread, const struct m_call *call)
{
	step_begin(m);
	m->current = thread;
	thread->call = call;
	m_result_clear(&thread->result);
	if (call->number == BERTH_TRAP_MSG)
		m_msg_trap(m, thread, call);
	else if (!m_call(m, thread, call))
		model_wrong(m, "the model does not know trap %u", call->number);
	thread->call = NULL;
	m->current = NULL;
	step_end(m);
}

void
model_interrupt(struct model *m, struct m_thread *thread)
{
	step_begin(m);
	if (thread->state == M_SENDING) {
		m_unpark(m, thread);
		m_send_give_back(m, thread, MACH_SEND_INTERRUPTED);
	} else if (thread->state == M_RECEIVING) {
		m_unpark(m, thread);
		m_msg_complete(thread, MACH_RCV_INTERRUPTED);
	} else if (thread->state == M_WAITING) {
		m_unpark(m, thread);
		m_complete(thread, KERN_ABORTED);
	}
	step_end(m);
}

static struct m_thread *
thread_due(struct model *m)
{
	struct m_thread *due = NULL;

	for (uint32_t i = 0; i < m->task_count; i++) {
		for (uint32_t j = 0; j < M_THREADS; j++) {
			struct m_thread *t = &m->tasks[i].threads[j];

			if (!t->alive || t->state == M_RUNNING)
				continue;
			if (!due || t->deadline < due->deadline ||
			    (t->deadline == due->deadline && t->parked_order < due->parked_order))
				due = t;
		}
	}
	return due;
}

uint64_t
model_next_deadline(const struct model *m)
{
	const struct m_thread *due = thread_due((struct model *)(uintptr_t)m);
	const struct m_port *timer = m_timer_due(m);
	uint64_t first = due ? due->deadline : M_NEVER;

	return timer && timer->timer->when < first ? timer->timer->when : first;
}

static void
thread_time_is_over(struct model *m, struct m_thread *thread)
{
	const enum m_state state = thread->state;

	m_unpark(m, thread);
	if (state == M_SENDING)
		m_send_give_back(m, thread, MACH_SEND_TIMED_OUT);
	else if (state == M_RECEIVING)
		m_msg_complete(thread, MACH_RCV_TIMED_OUT);
	else
		m_complete(thread, KERN_OPERATION_TIMED_OUT);
}

/* In the order of their times.  The generator has no timer fall due when something else does. */
void
model_advance(struct model *m, uint64_t now_ns)
{
	uint64_t next;

	step_begin(m);
	m->now_ns = now_ns;
	while ((next = model_next_deadline(m)) <= now_ns) {
		struct m_port *timer = m_timer_due(m);

		if (timer && timer->timer->when == next)
			m_timer_expire(m, timer);
		else
			thread_time_is_over(m, thread_due(m));
	}
	step_end(m);
}

/* A thread that is gone: what it was sending is destroyed, and so is its port. */
static void
thread_end(struct model *m, struct m_thread *thread)
{
	struct m_message *message = thread->message;
	bool was_sending = thread->state == M_SENDING;

	m_unpark(m, thread);
	thread->alive = false;
	if (was_sending) {
		thread->message = NULL;
		m_message_destroy(m, message);
	}
	if (thread->special_reply)
		thread->special_reply->special = false;
	m_actions_release(m, thread->exceptions);
	m_hold(m, &thread->voucher, m_right_null(0));
	m_port_end(m, thread->port);
	/* nobody is there to be told, or to go on */
	m_list_remove(&m->resuming, thread);
	thread->done = false;
}

void
model_thread_exit(struct model *m, struct m_thread *thread)
{
	step_begin(m);
	thread_end(m, thread);
	step_end(m);
}

static struct m_entry *
entry_to_end(struct m_task *task, bool receive)
{
	struct m_entry *first = NULL;

	M_EACH(struct m_entry, entry, &task->entries)
	if (((entry->type & MACH_PORT_TYPE_RECEIVE) != 0) == receive &&
	    (!first || entry->name >> 8 < first->name >> 8))
		first = entry;
	return first;
}

static struct m_thread *
oldest_thread(struct m_task *task)
{
	struct m_thread *oldest = NULL;

	for (uint32_t j = 0; j < M_THREADS; j++) {
		struct m_thread *thread = &task->threads[j];

		if (thread->alive && (!oldest || thread->born < oldest->born))
			oldest = thread;
	}
	return oldest;
}

/* What the host was given goes with the last task. */
static void
host_end(struct model *m)
{
	for (uint32_t i = 0; i < m->task_count; i++)
		if (m->tasks[i].alive)
			return;
	m_release_all(m, m->host_special, M_HOST_SPECIAL);
	m_actions_release(m, m->host_exceptions);
}

/*
 * mach-ports.md §8, last paragraph.  The threads go one after the other, in the order in which
 * they came.
 */
static void
space_end(struct model *m, struct m_task *task)
{
	struct m_thread *thread;
	struct m_entry *entry;

	/* its own tokens let nothing go any more: the contract leaves open that they end first */
	m_port_end(m, task->token_port);
	for (uint32_t j = 0; j < M_THREADS; j++)
		if (task->threads[j].alive && task->threads[j].state == M_RECEIVING)
			m_unpark(m, &task->threads[j]);
	while ((thread = oldest_thread(task)))
		thread_end(m, thread);
	m_semaphores_task_died(m, task);
	while ((entry = entry_to_end(task, true))) {
		m_entry_destroy(m, task, entry);
	}
	while ((entry = entry_to_end(task, false))) {
		m_entry_destroy(m, task, entry);
	}
}

/* What the kernel holds for it, and what stands for it. */
static void
held_end(struct model *m, struct m_task *task)
{
	m_release_all(m, task->special, M_TASK_SPECIAL);
	m_release_all(m, task->registered, M_REGISTERED);
	m_actions_release(m, task->exceptions);
	task->alive = false;
}

static void
task_ports_end(struct model *m, struct m_task *task)
{
	m_port_end(m, task->port);
	m_port_end(m, task->name_port);
}

void
model_task_die(struct model *m, struct m_task *task)
{
	step_begin(m);
	space_end(m, task);
	held_end(m, task);
	task_ports_end(m, task);
	host_end(m);
	step_end(m);
}

/* mach-ports.md §10, last paragraph: nothing of the space is left, what children get stays. */
struct m_task *
model_exec(struct model *m, struct m_task *task, const audit_token_t *token)
{
	struct m_task *next;

	step_begin(m);
	space_end(m, task);
	task_ports_end(m, task);
	next = child_new(m, task, token, true);
	held_end(m, task);
	step_end(m);
	return next;
}
