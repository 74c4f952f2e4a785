/*
 * Threads: waiting, results, the end.
 */
#include "kern/thread.h"

#include <string.h>

#include "ipc/ipc_kmsg_memory.h"
#include "ipc/ipc_lane.h"
#include "ipc/ipc_mqueue.h"
#include "kern/exception.h"
#include "kern/semaphore.h"
#include "kern/syscall.h"
#include "kern/thread_control.h"

struct thread *
kernel_thread_new(struct task *task, struct thread *alias_of, void *host)
{
	struct kernel *k = task->kernel;

	if (task->thread_count >= TASK_THREAD_MAX || task->remnant || !kernel_deadline_reserve(k))
		return NULL;

	struct thread *thread = kernel_memory_alloc(k, sizeof(*thread));

	if (!thread)
		return NULL;
	thread->task = task;
	thread->id = k->next_thread_id++;
	thread->host = host;
	thread->alias_of = alias_of && alias_of->alias_of ? alias_of->alias_of : alias_of;
	list_init(&thread->wait);
	list_init(&thread->holders);
	list_init(&thread->stop_waiters);
	list_init(&thread->promise.link);
	list_append(&task->threads, &thread->link);
	task->thread_count++;
	k->thread_count++;
	return thread;
}

void *
kernel_thread_host(const struct thread *thread)
{
	return thread->host;
}

void
kernel_thread_set_number(struct thread *thread, uint32_t number)
{
	thread->number = number;
	if (thread->alias_of)
		thread->alias_of->number = number;
}

void
kernel_thread_set_promise(struct thread *thread, _Atomic uint64_t *word)
{
	atomic_store(word, 0);
	thread->promise.word = word;
}

bool
kernel_thread_is_parked(const struct thread *thread)
{
	return thread->state == THREAD_PARKED_SEND || thread->state == THREAD_PARKED_RECEIVE ||
	       thread->state == THREAD_PARKED_SEMAPHORE || thread->state == THREAD_PARKED_HELD ||
	       thread->state == THREAD_PARKED_STOP;
}

/* Nobody who waits in the kernel keeps a gate shut any longer than he waits. */
static void
let_gate_open(struct kernel *k, const struct thread *thread)
{
	const struct ipc_port *port = NULL;
	const struct ipc_entry *entry;

	if (list_is_empty(&k->gates))
		return;
	if (thread->state == THREAD_PARKED_SEND) {
		port = thread->wait_port;
	} else if (thread->state == THREAD_PARKED_RECEIVE) {
		entry = ipc_space_find_raw(&thread->task->space, thread->msg.rcv_name);
		if (entry && (ie_type(entry) & MACH_PORT_TYPE_RECEIVE))
			port = entry->port;
	}
	if (port && port->gate)
		ipc_gate_look_again(k, port->gate);
}

void
thread_unpark(struct thread *thread)
{
	struct kernel *k = thread->task->kernel;

	check(kernel_thread_is_parked(thread));
	list_remove(&thread->wait);
	deadlines_remove(&k->deadlines, &thread->deadline);
	let_gate_open(k, thread);
	if (thread->wait_port)
		thread->wait_port = ipc_port_unref(k, thread->wait_port);
	thread->state = THREAD_RUNNING;
	thread->task->parked_count--;
}

void
thread_park(struct thread *thread, enum thread_state state, struct list *queue, uint64_t timeout_ns)
{
	struct kernel *k = thread->task->kernel;

	check(thread->state == THREAD_RUNNING);
	thread->state = state;
	list_append(queue, &thread->wait);
	thread->task->parked_count++;
	if (timeout_ns != TIMEOUT_NEVER)
		deadlines_add(&k->deadlines, &thread->deadline, k->now_ns + timeout_ns);
	thread_tell_stop(k, thread->alias_of ? thread->alias_of : thread, KERN_SUCCESS);
}

void
thread_give_up(struct kernel *k, struct thread *thread, bool timed_out)
{
	if (thread->state == THREAD_PARKED_HELD)
		thread_let_go(k, thread, KERN_ABORTED);
	else if (thread->state == THREAD_PARKED_STOP)
		thread_end_stop_wait(k, thread, timed_out ? KERN_SUCCESS : KERN_ABORTED);
	else if (thread->state == THREAD_PARKED_SEMAPHORE)
		semaphore_give_up(k, thread, timed_out);
	else
		mach_msg_give_up(k, thread, timed_out);
}

struct ipc_port *
thread_port(struct thread *thread)
{
	struct thread *owner = thread->alias_of ? thread->alias_of : thread;

	if (!owner->self_port)
		owner->self_port = ipc_port_new_kernel(owner->task->kernel, IKOT_THREAD, owner);
	return owner->self_port;
}

void *
thread_output(struct thread *thread, size_t size_bytes)
{
	check(!thread->output && size_bytes > 0);
	thread->output = kernel_memory_alloc(thread->task->kernel, size_bytes);
	thread->output_size = size_bytes;
	return thread->output;
}

void
thread_output_take(struct thread *thread, void *memory, size_t size_bytes)
{
	check(!thread->output && memory);
	thread->output = memory;
	thread->output_size = size_bytes;
}

const struct trap_result *
thread_result(const struct thread *thread)
{
	check(thread->state == THREAD_COMPLETED);
	return &thread->result;
}

static void
result_release(struct kernel *k, struct thread *thread)
{
	kernel_memory_free(k, thread->output, thread->output_size);
	thread->output = NULL;
	if (thread->kmsg) {
		struct ipc_kmsg *kmsg = thread->kmsg;

		thread->kmsg = NULL;
		ipc_kmsg_free(k, kmsg);
	}
	if (thread->result.file)
		kernel_file_unref(thread->result.file, k->effects);
	if (thread->result.shared)
		kernel_shared_unref(thread->result.shared, k->effects);
	memset(&thread->result, 0, sizeof(thread->result));
}

void
thread_result_free(struct thread *thread, struct kernel_effects *effects)
{
	struct kernel *k = thread->task->kernel;
	struct kernel_effects *outer = k->effects;

	check(thread->state == THREAD_COMPLETED);
	k->effects = effects;
	result_release(k, thread);
	k->effects = outer;
	thread->state = THREAD_IDLE;
}

void
thread_destroy(struct kernel *k, struct thread *thread)
{
	struct task *task = thread->task;

	ipc_promise_end(&thread->promise);
	if (kernel_thread_is_parked(thread)) {
		struct ipc_kmsg *kmsg = thread->state == THREAD_PARKED_SEND ? thread->kmsg : NULL;

		thread_unpark(thread);
		if (kmsg) {
			thread->kmsg = NULL;
			ipc_kmsg_destroy_unsent(k, kmsg);
		}
	}
	thread_let_all_go(k, thread, KERN_TERMINATED);
	thread_tell_stop(k, thread, KERN_TERMINATED);
	list_remove(&thread->wait);
	kernel_effects_forget(k->effects, thread);
	result_release(k, thread);
	if (thread->special_reply_port) {
		thread->special_reply_port->object.flags &= (uint8_t)~IPC_PORT_SPECIAL_REPLY;
		thread->special_reply_port = ipc_port_unref(k, thread->special_reply_port);
	}
	ipc_port_release_send(k, thread->voucher);
	thread->voucher = NULL;
	exception_actions_free(k, &thread->exceptions);
	kernel_memory_free(k, thread->offered, sizeof(*thread->offered));
	thread->offered = NULL;
	LIST_FOR_EACH (other, &task->threads, struct thread, link)
		if (other->alias_of == thread)
			other->alias_of = NULL;
	if (thread->self_port) {
		struct ipc_port *port = thread->self_port;

		thread->self_port = NULL;
		ipc_port_destroy_kernel(k, port);
	}
	list_remove(&thread->link);
	task->thread_count--;
	k->thread_count--;
	kernel_memory_free(k, thread, sizeof(*thread));
}

void
thread_exit(struct kernel *k, struct thread *thread)
{
	thread_destroy(k, thread);
}
