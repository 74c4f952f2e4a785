/*
 * Taking bells: which slots of a task ask for something.
 *
 * A bell is a hint and nothing more: what a slot asks for, and whether it may, is decided
 * by the daemon's own view of the slot.  A ring too many costs the task its own time.
 */
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/trap_codec.h"

#include <errno.h>
#include <string.h>

#define ALL_DESCRIPTORS (TRAP_HAS_SPILL | TRAP_HAS_BULK | TRAP_HAS_FILE)

/* Copy word by word what the task may write meanwhile: each is read once. */
static void
copy_request(struct trap_request *to, const struct trap_request *from)
{
	const volatile uint64_t *words = (const volatile uint64_t *)(const void *)from;
	uint64_t copy[sizeof(*to) / sizeof(uint64_t)];

	_Static_assert(sizeof(*to) % sizeof(uint64_t) == 0, "a request is whole words");
	for (size_t i = 0; i < sizeof(copy) / sizeof(copy[0]); i++)
		copy[i] = words[i];
	memcpy(to, copy, sizeof(*to));
}

static kern_return_t
no_resources(uint32_t number)
{
	return number == BERTH_TRAP_MSG ? MACH_SEND_NO_BUFFER : KERN_RESOURCE_SHORTAGE;
}

static kern_return_t
bad_data(uint32_t number)
{
	return number == BERTH_TRAP_MSG ? MACH_SEND_INVALID_DATA : KERN_INVALID_ARGUMENT;
}

/* The task that one with another's pid asks for; what came along shows that it may. */
static kern_return_t
adopt_subject(const struct slot *slot, struct trap_source *source)
{
	uint32_t number = source->request.number;
	uint32_t wanted = number == BERTH_TRAP_TASK_FOR_PID ? TRAP_HAS_FILE : 0;
	uint32_t came = source->request.flags & ALL_DESCRIPTORS;

	if ((came & ~wanted) != 0)
		return bad_data(number);
	if (came != 0 && slot->descriptors_lost)
		return no_resources(number);
	if (came != 0 && (slot->descriptors[0] < 0 || slot->descriptors[1] >= 0))
		return bad_data(number);
	source->subject = subject_find(slot->peer, number, source->request.args[0],
				       came != 0 ? slot->descriptors[0] : -1);
	return KERN_SUCCESS;
}

/* The file that came along, alone. */
static kern_return_t
adopt_file(struct slot *slot, struct trap_source *source)
{
	uint32_t number = source->request.number;

	if ((number != BERTH_TRAP_FILEPORT_MAKE && number != BERTH_TRAP_MEMORY_ENTRY_MAKE) ||
	    (source->request.flags & ALL_DESCRIPTORS) != TRAP_HAS_FILE)
		return bad_data(number);
	if (slot->descriptors_lost)
		return no_resources(number);
	if (slot->descriptors[0] < 0 || slot->descriptors[1] >= 0)
		return bad_data(number);
	int error = file_new(slot->peer, slot->descriptors[0], &source->file);

	if (error != 0)
		return error == -EINVAL ? bad_data(number) : no_resources(number);
	slot->descriptors[0] = -1;
	return KERN_SUCCESS;
}

/* Turns the descriptors that came along into @source.  KERN_SUCCESS, or how the trap ends. */
static kern_return_t
adopt_descriptors(struct slot *slot, struct trap_source *source)
{
	uint32_t number = source->request.number;
	bool spills = (source->request.flags & TRAP_HAS_SPILL) != 0;
	bool has_bulk = (source->request.flags & TRAP_HAS_BULK) != 0;
	uint32_t bulk_index = spills ? 1 : 0;

	if (number == BERTH_TRAP_TASK_FOR_PID || number == BERTH_TRAP_TASK_NAME_FOR_PID)
		return adopt_subject(slot, source);
	if ((source->request.flags & TRAP_HAS_FILE) != 0)
		return adopt_file(slot, source);
	bool is_carried = (source->request.flags & TRAP_HAS_CARRIER) != 0;

	if (is_carried && number != BERTH_TRAP_MSG)
		return bad_data(number);
	if (!spills && !has_bulk && !is_carried)
		return KERN_SUCCESS;
	if (slot->descriptors_lost)
		return no_resources(number);
	if (spills) {
		if (slot->descriptors[0] < 0)
			return bad_data(number);
		source->spill_fd = slot->descriptors[0];
	}
	if (has_bulk || is_carried) {
		int fd = has_bulk ? slot->descriptors[bulk_index] : -1;

		if (has_bulk && fd < 0)
			return bad_data(number);
		int error = is_carried ? bulk_carried(slot->peer, source->request.carrier, fd,
						      &source->bulk)
				       : bulk_new(slot->peer, fd, &source->bulk);

		if (error != 0)
			return error == -EINVAL ? bad_data(number) : no_resources(number);
		if (has_bulk)
			slot->descriptors[bulk_index] = -1;
	}
	return KERN_SUCCESS;
}

/* What the core has not kept of the request. */
static void
release_source(struct host *host, const struct trap_source *source, const struct trap_frame *frame)
{
	struct kernel_effects effects;

	if (source->bulk == NULL && source->file == NULL && frame->shared[0] == NULL &&
	    frame->shared[1] == NULL)
		return;
	kernel_effects_init(&effects);
	if (source->bulk != NULL)
		kernel_segment_unref(source->bulk, &effects);
	if (source->file != NULL)
		kernel_file_unref(source->file, &effects);
	for (int i = 0; i < 2; i++)
		if (frame->shared[i] != NULL)
			kernel_shared_unref(frame->shared[i], &effects);
	effects_work_off(host, &effects);
}

/* The trap in @slot, which asks for one. */
static void
take_request(struct slot *slot)
{
	struct host *host = slot->peer->host;
	struct trap_source source = { .data = slot->shared->data, .spill_fd = -1 };
	struct trap_decoded decoded = { 0 };
	kern_return_t code;

	copy_request(&source.request, &slot->shared->request);
	if ((source.request.flags & ALL_DESCRIPTORS) != 0 && !slot->descriptors_came)
		return; /* a ring to cancel has overtaken the one on the socket, which will come */

	uint32_t linux_tid = atomic_load_explicit(&slot->shared->linux_tid, memory_order_relaxed);

	if (linux_tid != slot->linux_tid) {
		slot->linux_tid = linux_tid;
		kernel_thread_set_number(slot->thread, linux_tid);
	}
	host->rang_cpu = atomic_load_explicit(&slot->shared->task_cpu, memory_order_relaxed);
	if (source.request.number == BERTH_TRAP_CARRIER_FIND) {
		uint64_t values[TRAP_VALUE_COUNT] = { 0 };

		slot->state = SLOT_BUSY;
		carrier_find(slot->peer, source.request.args, values);
		effects_complete_values(slot, values);
		slot_drop_descriptors(slot);
		return;
	}
	code = adopt_descriptors(slot, &source);
	if (code == KERN_SUCCESS)
		code = trap_decode(&source, &decoded);
	if (code == KERN_SUCCESS) {
		kext_hosts_look(host, &decoded.frame);
		mach_lanes_provide(host, slot->peer->task, &decoded.frame);
	}
	slot->state = SLOT_BUSY;
	slot->is_taken = true;
	if (code == KERN_SUCCESS)
		host_step(host, &(struct kernel_event){ .kind = EVENT_TRAP,
							.thread = slot->thread,
							.frame = &decoded.frame });
	else
		effects_complete_with(slot, code);
	slot->is_taken = false;
	trap_decode_free(&decoded);
	release_source(host, &source, &decoded.frame);
	slot_drop_descriptors(slot);
}

static void
interrupt_if_asked(struct slot *slot)
{
	if (slot->state == SLOT_BUSY &&
	    atomic_load_explicit(&slot->shared->cancel, memory_order_acquire) != 0)
		host_step(slot->peer->host, &(struct kernel_event){ .kind = EVENT_INTERRUPT,
								    .thread = slot->thread });
}

void
doorbell_slot(struct slot *slot)
{
	if (slot->state == SLOT_IDLE &&
	    atomic_load_explicit(&slot->shared->state, memory_order_acquire) == TRAP_ASKED)
		take_request(slot);
	/* asked to come back before we even began to look: do so now */
	interrupt_if_asked(slot);
}

bool
doorbell_is_rung(const struct peer *peer)
{
	for (uint32_t word = 0; word * 64 < peer->segment_count; word++)
		if (atomic_load_explicit(&peer->doorbell->summary[word], memory_order_seq_cst) != 0)
			return true;
	return false;
}

/* The bells of one segment. */
static void
take_segment(struct peer *peer, uint32_t segment_index)
{
	uint64_t bells = atomic_exchange_explicit(&peer->doorbell->bells[segment_index], 0,
						  memory_order_seq_cst);

	while (bells != 0) {
		uint32_t bit = (uint32_t)__builtin_ctzll(bells);
		struct slot *slot = slot_find(peer, segment_index * TRAP_SEGMENT_SLOTS + bit);

		bells &= bells - 1;
		if (slot != NULL)
			doorbell_slot(slot);
		if (peer->kind == PEER_GONE || peer->doorbell == NULL)
			return; /* ended by what it asked for */
	}
}

bool
doorbell_take(struct peer *peer)
{
	bool found = false;

	for (uint32_t word = 0; word * 64 < peer->segment_count; word++) {
		if (atomic_load_explicit(&peer->doorbell->summary[word], memory_order_relaxed) == 0)
			continue;
		uint64_t segments = atomic_exchange_explicit(&peer->doorbell->summary[word], 0,
							     memory_order_seq_cst);

		found = true;
		hot_add(peer);
		while (segments != 0) {
			uint32_t index = word * 64 + (uint32_t)__builtin_ctzll(segments);

			segments &= segments - 1;
			if (index < peer->segment_count)
				take_segment(peer, index);
			if (peer->kind == PEER_GONE || peer->doorbell == NULL)
				return true;
		}
	}
	return found;
}
