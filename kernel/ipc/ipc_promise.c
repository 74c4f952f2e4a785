#include "ipc/ipc_promise.h"

#include <stdatomic.h>

#include "ipc/ipc_right.h"
#include "kern/thread.h"
#include "wire/promise.h"

/* Looked at in each step, so there are few; who wants one more ends the oldest. */
#define PROMISES_MAX 8u

static bool
is_taken(const struct ipc_promise *promise, uint64_t word)
{
	return word == promise_word(promise->name, PROMISE_TAKEN);
}

static void
keep(struct ipc_promise *promise)
{
	struct ipc_space *space = &promise->thread->task->space;
	struct ipc_entry *entry = ipc_space_find(space, promise->name);

	check(entry && ipc_right_dealloc(space, entry) == KERN_SUCCESS);
}

void
ipc_promise_end(struct ipc_promise *promise)
{
	if (!list_is_linked(&promise->link))
		return;
	/* first, as who keeps it looks at the right, too */
	list_remove(&promise->link);
	promise->thread->task->kernel->promise_count--;
	if (is_taken(promise, atomic_exchange(promise->word, 0)))
		keep(promise);
}

void
ipc_promises_keep(struct kernel *k)
{
	LIST_FOR_EACH_SAFE (promise, &k->promises, struct ipc_promise, link)
		if (is_taken(promise, atomic_load(promise->word)))
			ipc_promise_end(promise);
}

/* Would nobody hear of it, whatever happens to a reference of @entry? */
static bool
may_be_promised(const struct kernel *k, const struct ipc_entry *entry)
{
	const struct ipc_port *port = entry->port;

	/* who traces sees each right that is given up when it is */
	return !k->trace && ie_type(entry) == MACH_PORT_TYPE_SEND && ip_active(port) &&
	       port->object.place == PORT_IN_SPACE && port->object.kobject == IKOT_NONE &&
	       !port->no_senders && entry->request == 0 && entry->lane == 0;
}

void
ipc_promise_make(struct thread *thread, mach_port_name_t name)
{
	struct ipc_promise *promise = &thread->promise;
	struct kernel *k = thread->task->kernel;
	const struct ipc_entry *entry;

	if (!promise->word)
		return;
	ipc_promise_end(promise);
	entry = ipc_space_find(&thread->task->space, name);
	if (!entry || !may_be_promised(k, entry))
		return;
	if (k->promise_count == PROMISES_MAX)
		ipc_promise_end(list_entry(list_first(&k->promises), struct ipc_promise, link));
	promise->thread = thread;
	promise->name = name;
	list_append(&k->promises, &promise->link);
	k->promise_count++;
	atomic_store(promise->word, promise_word(name, PROMISE_GIVEN));
}

/* There is one at most: who makes another looks at the name. */
void
ipc_promises_end_name(struct ipc_space *space, mach_port_name_t name)
{
	LIST_FOR_EACH (promise, &space->kernel->promises, struct ipc_promise, link)
		if (promise->name == name && &promise->thread->task->space == space) {
			ipc_promise_end(promise);
			return;
		}
}

void
ipc_promises_end_space(struct ipc_space *space)
{
	LIST_FOR_EACH (thread, &space->task->threads, struct thread, link)
		ipc_promise_end(&thread->promise);
}

/* Is it for a right to @port? */
static bool
is_on(const struct ipc_promise *promise, const struct ipc_port *port)
{
	return ipc_space_find_raw(&promise->thread->task->space, promise->name)->port == port;
}

void
ipc_promises_end_port(struct kernel *k, const struct ipc_port *port)
{
	LIST_FOR_EACH_SAFE (promise, &k->promises, struct ipc_promise, link)
		if (is_on(promise, port))
			ipc_promise_end(promise);
}
