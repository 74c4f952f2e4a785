/*
 * The table of one space: growth, the free list, names and the hash of ports.
 */
#include "ipc/ipc_space.h"

#include <string.h>

#include "ipc/ipc_lane.h"
#include "ipc/ipc_promise.h"
#include "kern/task.h"

#define GEN_FIRST 3u /* low byte of the first name of an index; the two low bits stay set */
#define GEN_STEP 4u

static uint32_t
hash_port(const struct ipc_space *space, const struct ipc_port *port)
{
	uint64_t key = port->id * 0x9e3779b97f4a7c15ull;

	return (uint32_t)(key >> 40) & (space->bucket_count - 1);
}

/* The free list is first in, first out only for fresh indices: freed ones go in front. */
static void
free_list_append(struct ipc_space *space, uint32_t index)
{
	space->table[index].next = 0;
	if (space->free_tail)
		space->table[space->free_tail].next = index;
	else
		space->free_head = index;
	space->free_tail = index;
	space->free_count++;
}

static void
entry_init_fresh(struct ipc_space *space, uint32_t index)
{
	struct ipc_entry *entry = &space->table[index];

	memset(entry, 0, sizeof(*entry));
	entry->bits = (GEN_FIRST << IE_GEN_SHIFT) |
		      (uint32_t)((kernel_random(space->kernel) & 3) << IE_ROLL_SHIFT);
}

/* Appends indices [from, to) to the free list in random order, but for the first @ordered. */
static void
free_list_append_range(struct ipc_space *space, uint32_t from, uint32_t to, uint32_t ordered)
{
	for (uint32_t i = from; i < to; i++) {
		entry_init_fresh(space, i);
		space->table[i].request = i; /* borrowed as the permutation */
	}
	for (uint32_t i = from + ordered; i + 1 < to; i++) {
		uint32_t j = i + (uint32_t)(kernel_random(space->kernel) % (to - i));
		uint32_t other = space->table[j].request;

		space->table[j].request = space->table[i].request;
		space->table[i].request = other;
	}
	for (uint32_t i = from; i < to; i++)
		free_list_append(space, space->table[i].request);
	for (uint32_t i = from; i < to; i++)
		space->table[i].request = 0;
}

kern_return_t
ipc_space_init(struct kernel *k, struct ipc_space *space, struct task *task)
{
	memset(space, 0, sizeof(*space));
	space->kernel = k;
	space->task = task;
	space->table = kernel_memory_alloc(k, IPC_ENTRY_TABLE_MIN * sizeof(struct ipc_entry));
	space->buckets = kernel_memory_alloc(k, IPC_ENTRY_TABLE_MIN * sizeof(uint32_t));
	if (!space->table || !space->buckets) {
		kernel_memory_free(k, space->table, IPC_ENTRY_TABLE_MIN * sizeof(struct ipc_entry));
		kernel_memory_free(k, space->buckets, IPC_ENTRY_TABLE_MIN * sizeof(uint32_t));
		return KERN_RESOURCE_SHORTAGE;
	}
	space->table_size = IPC_ENTRY_TABLE_MIN;
	space->bucket_count = IPC_ENTRY_TABLE_MIN;
	space->active = true;
	free_list_append_range(space, 1, IPC_ENTRY_TABLE_MIN, IPC_ENTRY_ORDERED);
	return KERN_SUCCESS;
}

void
ipc_space_deinit(struct ipc_space *space)
{
	struct kernel *k = space->kernel;

	check(!space->active);
	check(space->free_count == space->table_size - 1 && space->lane_count == 0);
	check(space->port_count == 0);
	kernel_memory_free(k, space->table, space->table_size * sizeof(struct ipc_entry));
	kernel_memory_free(k, space->buckets, space->bucket_count * sizeof(uint32_t));
	space->table = NULL;
	space->buckets = NULL;
}

struct ipc_entry *
ipc_space_find_raw(const struct ipc_space *space, mach_port_name_t name)
{
	uint32_t index = name >> 8;

	if (index == 0 || index >= space->table_size)
		return NULL;

	struct ipc_entry *entry = &space->table[index];

	if (ie_type(entry) == MACH_PORT_TYPE_NONE || entry->bits >> IE_GEN_SHIFT != (name & 0xff))
		return NULL;
	return entry;
}

struct ipc_entry *
ipc_space_find(struct ipc_space *space, mach_port_name_t name)
{
	if (!list_is_empty(&space->kernel->promises))
		ipc_promises_end_name(space, name);

	struct ipc_entry *entry = ipc_space_find_raw(space, name);

	if (entry) {
		if (ie_type(entry) & MACH_PORT_TYPE_RECEIVE)
			ipc_port_touch(space->kernel, entry->port);
		return entry;
	}
	/* an answer that a lane keeps the name for may be due */
	if (space->lane_count == 0 || name >> 8 >= space->table_size ||
	    ie_lane_kind(&space->table[name >> 8]) != IE_LANE_KEPT)
		return NULL;
	ipc_lane_take_kept(space, &space->table[name >> 8], name);
	return ipc_space_find_raw(space, name);
}

/* Grows the table to at least @size_min entries. */
static kern_return_t
space_grow(struct ipc_space *space, uint32_t size_min)
{
	struct kernel *k = space->kernel;
	uint32_t size = space->table_size;

	if (size_min > IPC_ENTRY_TABLE_MAX)
		return KERN_NO_SPACE;
	while (size < size_min)
		size *= 2;
	if (size > IPC_ENTRY_TABLE_MAX)
		size = IPC_ENTRY_TABLE_MAX;

	uint32_t bucket_count = space->bucket_count;

	while (bucket_count < size)
		bucket_count *= 2;

	struct ipc_entry *table = kernel_memory_alloc_raw(k, size * sizeof(*table));
	uint32_t *buckets = kernel_memory_alloc(k, bucket_count * sizeof(*buckets));

	if (!table || !buckets) {
		kernel_memory_free(k, table, size * sizeof(*table));
		kernel_memory_free(k, buckets, bucket_count * sizeof(*buckets));
		return KERN_RESOURCE_SHORTAGE;
	}

	uint32_t old_size = space->table_size;

	memcpy(table, space->table, old_size * sizeof(*table));
	kernel_memory_free(k, space->table, old_size * sizeof(*table));
	kernel_memory_free(k, space->buckets, space->bucket_count * sizeof(*buckets));
	space->table = table;
	space->table_size = size;
	space->buckets = buckets;
	space->bucket_count = bucket_count;
	free_list_append_range(space, old_size, size, 0);
	for (uint32_t i = 1; i < old_size; i++)
		if (ie_type(&table[i]) == MACH_PORT_TYPE_SEND)
			ipc_hash_insert(space, &table[i]);
	return KERN_SUCCESS;
}

kern_return_t
ipc_space_reserve(struct ipc_space *space, uint32_t count)
{
	if (space->free_count >= count)
		return KERN_SUCCESS;
	return space_grow(space, space->table_size + (count - space->free_count));
}

struct ipc_entry *
ipc_entry_alloc(struct ipc_space *space, mach_port_name_t *name)
{
	uint32_t index = space->free_head;

	check(index != 0 && space->free_count > 0);

	struct ipc_entry *entry = &space->table[index];

	space->free_head = entry->next;
	if (space->free_head == 0)
		space->free_tail = 0;
	space->free_count--;
	entry->next = 0;
	check(entry->lane == 0);
	*name = ie_name(space, entry);
	return entry;
}

/* The entry is in the middle of the free list: a walk, for the rare call that names it. */
static void
free_list_take(struct ipc_space *space, uint32_t index)
{
	uint32_t previous = 0;
	uint32_t at = space->free_head;

	while (at != index) {
		check(at != 0);
		previous = at;
		at = space->table[at].next;
	}
	if (previous)
		space->table[previous].next = space->table[index].next;
	else
		space->free_head = space->table[index].next;
	if (space->free_tail == index)
		space->free_tail = previous;
	space->table[index].next = 0;
	space->free_count--;
}

kern_return_t
ipc_entry_alloc_name(struct ipc_space *space, mach_port_name_t name, struct ipc_entry **entry)
{
	uint32_t index = name >> 8;
	uint32_t gen = name & 0xff;

	*entry = NULL;
	if (index >= IPC_ENTRY_TABLE_MAX)
		return KERN_NO_SPACE;
	if ((name & 3) != 3)
		return KERN_INVALID_VALUE;
	if (index == 0)
		return KERN_FAILURE;
	if (index < space->table_size && ie_type(&space->table[index]) != MACH_PORT_TYPE_NONE) {
		if (space->table[index].bits >> IE_GEN_SHIFT != gen)
			return KERN_FAILURE;
		*entry = &space->table[index];
		return KERN_NAME_EXISTS;
	}
	if (index >= space->table_size) {
		kern_return_t kr = space_grow(space, index + 1);

		if (kr != KERN_SUCCESS)
			return kr;
	}
	if (ie_lane_kind(&space->table[index]) == IE_LANE_KEPT) {
		if (!ipc_lane_give_back(space, &space->table[index]))
			return KERN_RESOURCE_SHORTAGE;
		if (ie_type(&space->table[index]) != MACH_PORT_TYPE_NONE)
			return ipc_entry_alloc_name(space, name, entry); /* the answer was due */
	}
	free_list_take(space, index);
	*entry = &space->table[index];
	(*entry)->bits = ((*entry)->bits & IE_ROLL_MASK) | (gen << IE_GEN_SHIFT);
	return KERN_SUCCESS;
}

void
ipc_entry_free(struct ipc_space *space, struct ipc_entry *entry)
{
	uint32_t index = (uint32_t)(entry - space->table);
	uint32_t gen = entry->bits >> IE_GEN_SHIFT;
	uint32_t roll = (entry->bits & IE_ROLL_MASK) >> IE_ROLL_SHIFT;

	check(entry->object == NULL && entry->request == 0 && entry->lane == 0);

	/* 16, 32, 48 or 64 names until the low byte starts again: reuse is hard to foresee */
	gen += GEN_STEP;
	if (gen >= GEN_FIRST + GEN_STEP * 16 * (roll + 1) || gen > 0xff) {
		gen = GEN_FIRST;
		roll = (uint32_t)(kernel_random(space->kernel) & 3);
	}
	entry->bits = (gen << IE_GEN_SHIFT) | (roll << IE_ROLL_SHIFT);
	entry->next = space->free_head;
	space->free_head = index;
	if (space->free_tail == 0)
		space->free_tail = index;
	space->free_count++;
}

struct ipc_entry *
ipc_space_find_port(const struct ipc_space *space, const struct ipc_port *port)
{
	if (port->object.place == PORT_IN_SPACE && port->receiver == space)
		return ipc_space_find_raw(space, port->receiver_name);

	for (uint32_t i = space->buckets[hash_port(space, port)]; i; i = space->table[i].next)
		if (space->table[i].port == port)
			return &space->table[i];
	return NULL;
}

void
ipc_hash_insert(struct ipc_space *space, struct ipc_entry *entry)
{
	uint32_t *bucket = &space->buckets[hash_port(space, entry->port)];

	entry->next = *bucket;
	*bucket = (uint32_t)(entry - space->table);
}

void
ipc_hash_remove(struct ipc_space *space, struct ipc_entry *entry)
{
	uint32_t index = (uint32_t)(entry - space->table);
	uint32_t *at = &space->buckets[hash_port(space, entry->port)];

	while (*at != index) {
		check(*at != 0);
		at = &space->table[*at].next;
	}
	*at = entry->next;
	entry->next = 0;
}
