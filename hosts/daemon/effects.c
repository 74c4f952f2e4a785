/*
 * What a step of the core asks for: threads to be answered, segments and watches.
 *
 * A reply is complete in shared memory, and its descriptors are on the socket, before the
 * slot says TRAP_DONE.  Nothing here calls into a next step: a peer that fails meanwhile is
 * only marked, and ended at the end of the round.
 */
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/trap_codec.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALL_DESCRIPTORS (TRAP_HAS_SPILL | TRAP_HAS_BULK | TRAP_HAS_EVENT | TRAP_HAS_FILE)

/* Wakes the thread that sleeps on the waker of @slot, now or as soon as Linux has the memory. */
static void
wake_in_poll(struct slot *slot)
{
	struct peer *peer = slot->peer;
	/* full is as good; shut down by the task is its own loss */
	bool is_unwoken = send(slot->waker_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
			  (errno == ENOBUFS || errno == ENOMEM);

	if (is_unwoken)
		host_retry_soon(peer->host);
	if (is_unwoken == slot->is_unwoken)
		return;
	slot->is_unwoken = is_unwoken;
	if (is_unwoken)
		peer->unwoken_count++;
	else
		peer->unwoken_count--;
}

void
effects_slot_done(struct slot *slot)
{
	struct host *host = slot->peer->host;
	struct trap_slot *shared = slot->shared;

	slot->state = SLOT_IDLE;
	hot_add(slot->peer); /* it will ring again soon, or not: then it cools down */
	host->woken_cpu = atomic_load_explicit(&shared->task_cpu, memory_order_relaxed);
	/* either the task sees DONE before it sleeps, or we see that it does */
	atomic_store_explicit(&shared->state, TRAP_DONE, memory_order_seq_cst);
	uint32_t sleeps = atomic_load_explicit(&shared->task_sleeps, memory_order_seq_cst);

	if (sleeps == TRAP_SLEEPS_NOT)
		return;
	if (sleeps == TRAP_SLEEPS_IN_POLL && slot->waker_fd >= 0) {
		wake_in_poll(slot);
		return;
	}
	wait_wake(&shared->state, 1);
}

static void
write_reply(struct slot *slot, const struct trap_reply *reply)
{
	slot->shared->reply = *reply;
	slot->shared->sequence = ++slot->sequence;
}

void
effects_complete_with(struct slot *slot, kern_return_t code)
{
	write_reply(slot, &(struct trap_reply){ .code = code });
	effects_slot_done(slot);
}

void
effects_complete_values(struct slot *slot, const uint64_t values[TRAP_VALUE_COUNT])
{
	struct trap_reply reply = { .code = KERN_SUCCESS };

	memcpy(reply.values, values, sizeof(reply.values));
	write_reply(slot, &reply);
	effects_slot_done(slot);
}

static void
stick(struct slot *slot)
{
	if (slot->state != SLOT_STUCK)
		slot->peer->stuck_count++;
	slot->state = SLOT_STUCK;
	host_retry_soon(slot->peer->host);
}

static void
unstick(struct slot *slot)
{
	if (slot->state == SLOT_STUCK)
		slot->peer->stuck_count--;
	slot->state = SLOT_BUSY;
}

/* The descriptors of a reply, in the order of their flags.  0 sent, 1 queued, -errno. */
static int
send_descriptors(struct slot *slot, const struct reply_encoded *encoded, int own_fd)
{
	struct wire_descriptors message = {
		.head = { .kind = WIRE_DESCRIPTORS, .size_bytes = sizeof(message) },
		.slot_index = slot->index,
		.sequence = slot->sequence,
		.flags = encoded->reply.flags & ALL_DESCRIPTORS,
	};
	int descriptors[3];
	uint32_t count = 0;

	if (encoded->spill_fd >= 0)
		descriptors[count++] = encoded->spill_fd;
	if (encoded->bulk_fd >= 0)
		descriptors[count++] = encoded->bulk_fd;
	if (own_fd >= 0)
		descriptors[count++] = own_fd;
	return socket_send(slot->peer, &message, sizeof(message), descriptors, count, slot);
}

/* Linux has no descriptor for a watch or a file, or cannot send it: the task is told. */
static void
refuse(struct host *host, struct slot *slot, struct kernel_watch *watch,
       struct kernel_effects *effects)
{
	struct thread *thread = slot->thread;

	unstick(slot);
	thread_result_free(thread, effects);
	if (watch != NULL && watch->host == NULL)
		kernel_watch_free(host->kernel, watch);
	effects_complete_with(slot, KERN_RESOURCE_SHORTAGE);
}

/* Delivers the result that the core has for the thread of @slot. */
static void
deliver(struct slot *slot, struct kernel_effects *effects)
{
	struct host *host = slot->peer->host;
	const struct trap_result *result = thread_result(slot->thread);
	struct kernel_watch *watch = result->watch;
	struct reply_encoded encoded = { .capacity = TRAP_DATA_SIZE, .receiver = slot->peer };
	uint32_t own_flag = 0;
	int own_fd = -1, status = 0;

	if (watch != NULL) {
		own_fd = watch_descriptor(host, watch);
		if (own_fd < 0) {
			refuse(host, slot, watch, effects);
			return;
		}
		own_flag = TRAP_HAS_EVENT;
	} else if (result->file != NULL) {
		own_fd = file_fd(result->file);
		own_flag = TRAP_HAS_FILE;
	} else if (result->shared != NULL) {
		own_fd = mach_lanes_fd(result->shared);
		own_flag = TRAP_HAS_FILE;
	}
	status = reply_encode(host, result, slot->shared->data, &encoded);
	if (status != 0) {
		stick(slot);
		return;
	}
	encoded.reply.flags |= own_flag;
	if (kernel_task_watches_exceptions(slot->peer->task))
		encoded.reply.flags |= TRAP_WATCH_EXCEPTIONS;
	if (kernel_task_has_lane_offers(slot->peer->task))
		encoded.reply.flags |= TRAP_LANES_OFFERED;
	if (!slot->is_taken)
		encoded.reply.flags |= TRAP_HAS_WAITED;
	unstick(slot);
	write_reply(slot, &encoded.reply);
	if ((encoded.reply.flags & ALL_DESCRIPTORS) != 0)
		status = send_descriptors(slot, &encoded, own_fd);
	reply_encoded_free(&encoded);
	if (status < 0 && own_fd >= 0) {
		refuse(host, slot, watch, effects);
		return;
	}
	if (status < 0) {
		stick(slot);
		return;
	}
	if (encoded.carrier != NULL)
		carrier_shown(encoded.carrier);
	thread_result_free(slot->thread, effects);
	if (status == 0)
		effects_slot_done(slot);
	else
		slot->state = SLOT_REPLYING;
}

/*
 * Its last token has ended, maybe with who held it: nobody else is there to let it go.  A process
 * that Linux does not let us signal, or that cannot be seen, stays stopped.
 */
static void
let_go(struct peer *peer)
{
	if (peer != NULL && peer->process.fd >= 0)
		(void)syscall(SYS_pidfd_send_signal, peer->process.fd, SIGCONT, NULL, 0);
}

static void
watches_work_off(struct host *host, struct kernel_effects *effects)
{
	struct kernel_watch *watch;

	while ((watch = kernel_effects_watch(effects)) != NULL)
		watch_changed(host, watch);
}

void
effects_work_off(struct host *host, struct kernel_effects *effects)
{
	struct task *resumed;
	struct kernel_segment *segment;
	struct kernel_file *file;
	struct kernel_kev_delivery delivery;
	struct thread *thread;

	/* before anybody hears that it was done, and before anybody stops it again */
	while ((resumed = kernel_effects_resumed(effects)) != NULL)
		let_go(kernel_task_host(resumed));
	/* first: a new one that gets no descriptor is freed, and must not be in a list then */
	watches_work_off(host, effects);
	while ((thread = kernel_effects_thread(effects)) != NULL) {
		struct slot *slot = kernel_thread_host(thread);

		if (slot == NULL || slot->state != SLOT_BUSY)
			thread_result_free(thread, effects);
		else
			deliver(slot, effects);
	}
	while ((segment = kernel_effects_segment(effects)) != NULL)
		bulk_free(segment);
	mach_lanes_work_off(host, effects);
	watches_work_off(host, effects);
	while ((file = kernel_effects_file(effects)) != NULL)
		file_free(host, file);
	while (kernel_effects_kev(host->kernel, effects, &delivery))
		event_deliver(host, &delivery);
}

static void
retry_peer(struct peer *peer)
{
	for (uint32_t i = 0; i < peer->segment_count; i++) {
		for (uint32_t j = 0; j < TRAP_SEGMENT_SLOTS && peer->stuck_count > 0; j++) {
			struct slot *slot = &peer->segments[i]->slots[j];
			struct kernel_effects effects;

			if (slot->state != SLOT_STUCK)
				continue;
			kernel_effects_init(&effects);
			deliver(slot, &effects);
			effects_work_off(peer->host, &effects);
		}
	}
}

static void
wake_peer(struct peer *peer)
{
	for (uint32_t i = 0; i < peer->segment_count; i++)
		for (uint32_t j = 0; j < TRAP_SEGMENT_SLOTS && peer->unwoken_count > 0; j++)
			if (peer->segments[i]->slots[j].is_unwoken)
				wake_in_poll(&peer->segments[i]->slots[j]);
}

void
effects_retry(struct host *host)
{
	struct peer *peer;

	watches_retry(host);
	TAILQ_FOREACH(peer, &host->peers, link)
	{
		if (!TAILQ_EMPTY(&peer->outgoing))
			socket_flush(peer);
		if (peer->stuck_count > 0)
			retry_peer(peer);
		if (peer->unwoken_count > 0)
			wake_peer(peer);
	}
}
