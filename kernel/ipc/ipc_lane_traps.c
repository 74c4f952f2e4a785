/*
 * Lanes: what tasks ask for.  Docs: wire/mach_lane.h, docs/lanes.md.
 */
#include "ipc/ipc_lane.h"
#include "ipc/ipc_right.h"
#include "kern/syscall.h"

/*
 * KERN_SUCCESS            and the memory of the table goes with the result
 * KERN_RESOURCE_SHORTAGE  the host brought no memory, or there is none
 */
static kern_return_t
trap_begin(struct syscall *call)
{
	struct task *task = call->caller;
	struct task_lanes *lanes = task->lanes;

	if (!lanes) {
		if (!call->frame->shared[0] || !call->frame->shared[1])
			return KERN_RESOURCE_SHORTAGE;
		lanes = kernel_memory_alloc(call->kernel, sizeof(*lanes));
		if (!lanes)
			return KERN_RESOURCE_SHORTAGE;
		lanes->table_memory = kernel_shared_ref(call->frame->shared[0]);
		lanes->gates_memory = kernel_shared_ref(call->frame->shared[1]);
		lanes->table = lanes->table_memory->address;
		lanes->gates_shared = lanes->gates_memory->address;
		task->lanes = lanes;
		task->lanes_wanted = false;
	}
	call->result->shared = kernel_shared_ref(lanes->table_memory);
	return KERN_SUCCESS;
}

static struct ipc_lane *
own_lane(const struct syscall *call)
{
	const struct task_lanes *lanes = call->caller->lanes;
	uint32_t number = call_arg32(call, 0);

	return lanes && number < MACH_LANE_MAX ? lanes->lanes[number] : NULL;
}

/* KERN_INVALID_ARGUMENT: no lane of the caller's, or it has not begun */
static kern_return_t
trap_gates(struct syscall *call)
{
	const struct task_lanes *lanes = call->caller->lanes;
	const struct ipc_lane *lane;

	if (lanes && call_arg32(call, 0) == BERTH_LANE_OWN) {
		call->result->shared = kernel_shared_ref(lanes->gates_memory);
		return KERN_SUCCESS;
	}
	lane = own_lane(call);
	if (!lane)
		return KERN_INVALID_ARGUMENT;
	call->result->shared = kernel_shared_ref(lane->gate->task->lanes->gates_memory);
	return KERN_SUCCESS;
}

static uint32_t
free_number(const struct task_lanes *lanes)
{
	uint32_t number = 0;

	/* a row where one waits for an answer is still looked at by who put in the request */
	while (number < MACH_LANE_MAX &&
	       (lanes->lanes[number] || atomic_load(&lanes->table->entries[number].asked) != 0))
		number++;
	return number;
}

/* Do all lanes of @gate, of which there are some, come from @task? */
static bool
gate_is_of(const struct ipc_gate *gate, const struct task *task)
{
	LIST_FOR_EACH (lane, &gate->lanes, struct ipc_lane, in_gate)
		if (lane->sender != task)
			return false;
	return !list_is_empty(&gate->lanes);
}

/* One task may take a share of the lanes and gates of another, so that some are left to others. */
static bool
has_share(const struct task *task, const struct ipc_port *port)
{
	const struct task_lanes *receiver = port->receiver->task->lanes;
	uint32_t lane_count = 0, gate_count = 0, port_count = 0;

	for (uint32_t i = 0; i < MACH_LANE_MAX; i++) {
		const struct ipc_lane *lane = receiver->lanes[i];

		lane_count +=
		    lane && lane->sender == task && lane->gate->task == port->receiver->task;
		port_count += lane && port->gate && lane->gate == port->gate;
	}
	for (uint32_t i = 0; i < MACH_LANE_GATE_MAX && !port->gate; i++)
		gate_count += receiver->gates[i] && gate_is_of(receiver->gates[i], task);
	return lane_count < LANE_PEER_MAX && gate_count < LANE_PEER_GATE_MAX &&
	       port_count < MACH_LANE_PORT_MAX;
}

/* Is there room for one more lane of @task to @port, whose receiver has begun? */
static bool
has_room(const struct task *task, const struct ipc_port *port)
{
	const struct kernel *k = task->kernel;

	return k->lane_count < LANE_COUNT_MAX &&
	       task->lanes->opened_ns < k->now_ns + LANE_OPEN_BURST * LANE_OPEN_NS &&
	       free_number(task->lanes) < MACH_LANE_MAX &&
	       free_number(port->receiver->task->lanes) < MACH_LANE_MAX && has_share(task, port);
}

static struct ipc_lane *
lane_new(struct syscall *call, struct ipc_port *port, mach_port_name_t name)
{
	struct kernel *k = call->kernel;
	struct task *sender = call->caller, *receiver = port->receiver->task;
	uint32_t sender_number = free_number(sender->lanes);
	uint32_t receiver_number = free_number(receiver->lanes);
	struct ipc_lane *lane;
	struct ipc_gate *gate;

	/* looked at anew: the tasks can write what free_number() looks at */
	if (sender_number == MACH_LANE_MAX || receiver_number == MACH_LANE_MAX)
		return NULL;
	lane = kernel_memory_alloc(k, sizeof(*lane));
	if (!lane)
		return NULL;
	gate = ipc_gate_get(k, receiver, port);
	if (!gate) {
		kernel_memory_free(k, lane, sizeof(*lane));
		return NULL;
	}
	ipc_gate_touch(k, gate);
	lane->kernel = k;
	lane->cold_tail = UINT64_MAX;
	lane->gate = gate;
	lane->memory = kernel_shared_ref(call->frame->shared[0]);
	lane->shared = lane->memory->address;
	lane->sender = sender;
	lane->payer = account_ref(sender->account);
	lane->token = sender->token;
	lane->name = name;
	lane->sender_number = sender_number;
	lane->receiver_number = receiver_number;
	for (uint32_t i = 0; i < MACH_LANE_BINDINGS; i++) {
		lane->bindings[i].lane = lane;
		list_init(&lane->bindings[i].in_gate);
	}
	for (uint32_t i = 0; i < MACH_LANE_CALLS; i++)
		atomic_store(&lane->shared->calls[i].word, MACH_LANE_UNUSABLE);
	atomic_store(&lane->shared->tail, MACH_LANE_SHUT);
	atomic_store(&lane->shared->head, MACH_LANE_SHUT);
	list_append(&gate->lanes, &lane->in_gate);
	sender->lanes->lanes[sender_number] = lane;
	receiver->lanes->lanes[receiver_number] = lane;
	receiver->lanes->offered++;
	k->lane_count++;
	ipc_lanes_watch(k);
	return lane;
}

/* May lanes of @task lead to @port, if its receiver begins? */
static bool
is_for_lanes(const struct task *task, const struct ipc_port *port)
{
	/* answers would overtake requests, and not count where these are counted */
	if (port->gate && !list_is_empty(&port->gate->bindings))
		return false;
	return task->lanes && !task->strict && port->object.place == PORT_IN_SPACE &&
	       port->object.kobject == IKOT_NONE && port->receiver->task != task &&
	       !port->receiver->task->strict;
}

/* KERN_SUCCESS, or why @entry of @task, NULL if there is none, gets no lane: see trap_open(). */
static kern_return_t
may_open(const struct task *task, const struct ipc_entry *entry)
{
	if (!entry)
		return KERN_INVALID_NAME;
	if (ie_type(entry) != MACH_PORT_TYPE_SEND || !ip_active(entry->port))
		return KERN_INVALID_RIGHT;
	if (entry->lane)
		return KERN_NAME_EXISTS;
	if (!is_for_lanes(task, entry->port) || !entry->port->receiver->task->lanes)
		return KERN_NOT_SUPPORTED;
	return has_room(task, entry->port) ? KERN_SUCCESS : KERN_RESOURCE_SHORTAGE;
}

uint32_t
kernel_lane_memory_wanted(const struct task *task, const struct trap_frame *frame)
{
	mach_port_name_t name = (mach_port_name_t)frame->args[0];

	switch (frame->number) {
	case BERTH_TRAP_LANE_BEGIN:
		return task->lanes ? 0 : 2;
	case BERTH_TRAP_LANE_OPEN:
		return may_open(task, ipc_space_find_raw(&task->space, name)) == KERN_SUCCESS;
	default:
		return 0;
	}
}

/* Each lane costs its receiver a trap and a mapping, so there is an end to how many are opened and
 * closed: a burst, then one in so much time. */
static void
count_opening(const struct kernel *k, struct task_lanes *lanes)
{
	if (lanes->opened_ns < k->now_ns)
		lanes->opened_ns = k->now_ns;
	lanes->opened_ns += LANE_OPEN_NS;
}

/*
 * KERN_SUCCESS            values: the lane; its memory goes with the result
 * KERN_INVALID_NAME, KERN_INVALID_RIGHT   no live send right
 * KERN_NAME_EXISTS        it has one
 * KERN_NOT_SUPPORTED      not to a port of this kind, or one that answers go to; or its receiver
 *                         has not begun
 * KERN_RESOURCE_SHORTAGE  too many, or no memory
 */
static kern_return_t
trap_open(struct syscall *call)
{
	struct task *task = call->caller;
	mach_port_name_t name = call_arg32(call, 0);
	struct ipc_entry *entry = ipc_space_find(&task->space, name);
	kern_return_t code = may_open(task, entry);
	struct mach_lane_entry *row;
	struct ipc_port *port;
	struct ipc_lane *lane;

	if (code == KERN_NOT_SUPPORTED && is_for_lanes(task, entry->port))
		entry->port->receiver->task->lanes_wanted = true;
	if (code != KERN_SUCCESS)
		return code;
	port = entry->port;
	lane = call->frame->shared[0] ? lane_new(call, port, name) : NULL;
	if (!lane)
		return KERN_RESOURCE_SHORTAGE;
	count_opening(call->kernel, task->lanes);
	entry->lane = IE_LANE_SEND | lane->sender_number << IE_LANE_NUMBER_SHIFT;
	row = ipc_lane_sender_row(lane);
	row->name = name;
	row->gate = lane->gate->number;
	atomic_store(&row->busy, 0);
	ipc_lane_tell_token(row, &port->receiver->task->token);
	atomic_store(&row->role, MACH_LANE_SENDER);
	call->result->values[0] = lane->sender_number;
	call->result->shared = kernel_shared_ref(lane->memory);
	return KERN_SUCCESS;
}

/* KERN_FAILURE: there is none */
static kern_return_t
trap_accept(struct syscall *call)
{
	struct task_lanes *lanes = call->caller->lanes;

	for (uint32_t i = 0; lanes && lanes->offered > 0 && i < MACH_LANE_MAX; i++) {
		struct ipc_lane *lane = lanes->lanes[i];
		struct mach_lane_entry *row = &lanes->table->entries[i];

		if (!lane || lane->receiver_number != i || lane->gate->task != call->caller ||
		    lane->accepted)
			continue;
		lane->accepted = true;
		lanes->offered--;
		ipc_lane_tell_token(row, &lane->token);
		row->gate = lane->gate->number;
		row->name = lane->gate->port->receiver_name;
		atomic_store(&row->busy, 0);
		atomic_store(&row->role, MACH_LANE_RECEIVER);
		atomic_fetch_add(&lanes->table->ports[lane->gate->number].generation, 1);
		ipc_gate_touch(call->kernel, lane->gate);
		call->result->values[0] = i;
		call->result->shared = kernel_shared_ref(lane->memory);
		return KERN_SUCCESS;
	}
	return KERN_FAILURE;
}

/*
 * KERN_SUCCESS            values: the binding, the port's place in the table, its incarnation
 * KERN_INVALID_ARGUMENT   no lane that the caller sends by
 * KERN_INVALID_NAME, KERN_INVALID_RIGHT   no receive right
 * KERN_NOT_SUPPORTED      lanes lead to it
 * KERN_RESOURCE_SHORTAGE  too many, or no memory
 */
static kern_return_t
trap_bind(struct syscall *call)
{
	struct task *task = call->caller;
	struct ipc_lane *lane = own_lane(call);
	struct ipc_entry *entry = ipc_space_find(&task->space, call_arg32(call, 1));
	struct ipc_lane_binding *unused = NULL;
	struct ipc_gate *gate;

	if (!lane || lane->sender != task)
		return KERN_INVALID_ARGUMENT;
	if (!entry)
		return KERN_INVALID_NAME;
	if (!(ie_type(entry) & MACH_PORT_TYPE_RECEIVE) || ip_is_received_kobject(entry->port) ||
	    (entry->port->object.flags & IPC_PORT_SPECIAL_REPLY))
		return KERN_INVALID_RIGHT;
	if (entry->port->gate && !list_is_empty(&entry->port->gate->lanes))
		return KERN_NOT_SUPPORTED;
	gate = ipc_gate_get(call->kernel, task, entry->port);
	if (!gate)
		return KERN_RESOURCE_SHORTAGE;
	for (uint32_t i = 0; i < MACH_LANE_BINDINGS; i++) {
		if (lane->bindings[i].gate == gate)
			unused = &lane->bindings[i];
		else if (!lane->bindings[i].gate && !unused)
			unused = &lane->bindings[i];
	}
	if (!unused)
		return KERN_RESOURCE_SHORTAGE;
	if (!unused->gate) {
		unused->gate = gate;
		list_append(&gate->bindings, &unused->in_gate);
	}
	ipc_gate_touch(call->kernel, gate);
	call->result->values[0] = (uint32_t)(unused - lane->bindings);
	call->result->values[1] = gate->number;
	call->result->values[2] = atomic_load(&task->lanes->table->ports[gate->number].incarnation);
	return KERN_SUCCESS;
}

/* KERN_INVALID_ARGUMENT: no lane of the caller's */
static kern_return_t
trap_close(struct syscall *call)
{
	struct ipc_lane *lane = own_lane(call);

	if (!lane)
		return KERN_INVALID_ARGUMENT;
	ipc_lane_close(call->kernel, lane);
	return KERN_SUCCESS;
}

syscall_function *
lane_syscall(uint32_t number)
{
	switch (number) {
	case BERTH_TRAP_LANE_BEGIN:
		return trap_begin;
	case BERTH_TRAP_LANE_GATES:
		return trap_gates;
	case BERTH_TRAP_LANE_OPEN:
		return trap_open;
	case BERTH_TRAP_LANE_ACCEPT:
		return trap_accept;
	case BERTH_TRAP_LANE_BIND:
		return trap_bind;
	case BERTH_TRAP_LANE_CLOSE:
		return trap_close;
	default:
		return NULL;
	}
}
