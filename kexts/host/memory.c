/*
 * Blocks of memory with a tag.
 *
 * Each block has a head before it, which is where its size, tag and origin are, and hangs in a
 * list of its shard, so that what is left at the end can be told.  The head is checked before
 * anything in it is believed: a kext that frees what it never got gets a panic, not a heap that
 * is broken some time later.
 */
#include "kexts/host/memory.h"

#include "kexts/host/host_log.h"
#include "kexts/host/panic.h"

#include <kern/debug.h>
#include <libkern/OSMalloc.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define SHARD_COUNT 16u
#define BLOCK_MAGIC 0xb10cb10cu
#define FREED_MAGIC 0xf4eedb10u
#define TAG_MAGIC 0x746167a5u
#define LEFT_LOG_MAX 32u

struct memory_tag {
	uint32_t magic;
	_Atomic uint32_t refs; /* its owner's, and one a block; 0 in those that are ours */
	char name[OSMT_MAX_NAME];
};

struct block {
	uint32_t magic;
	uint32_t kind; /* enum memory_kind */
	size_t size;
	struct memory_tag *tag;
	void *raw; /* what malloc gave */
	const void *caller;
	LIST_ENTRY(block) link; /* guarded by its shard's lock */
} __attribute__((aligned(16)));

struct shard {
	pthread_mutex_t lock;
	LIST_HEAD(, block) blocks;
} __attribute__((aligned(64)));

static struct shard shards[SHARD_COUNT] = {
	[0 ... SHARD_COUNT - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER },
};

static struct memory_tag kind_tags[MEMORY_KIND_COUNT] = {
	[MEMORY_OSMALLOC] = { .magic = TAG_MAGIC, .name = "OSMalloc" },
	[MEMORY_IOMALLOC] = { .magic = TAG_MAGIC, .name = "IOMalloc" },
	[MEMORY_ALIGNED] = { .magic = TAG_MAGIC, .name = "IOMallocAligned" },
	[MEMORY_PAGEABLE] = { .magic = TAG_MAGIC, .name = "IOMallocPageable" },
	[MEMORY_DATA] = { .magic = TAG_MAGIC, .name = "IOMallocData" },
	[MEMORY_BSD] = { .magic = TAG_MAGIC, .name = "_MALLOC" },
};

static struct shard *
shard_of(const struct block *block)
{
	return &shards[((uintptr_t)block >> 5) * 0x9e3779b97f4a7c15u >> 60];
}

/* ---- tags ------------------------------------------------------------------------------ */

static void
tag_ref(struct memory_tag *tag)
{
	if (atomic_load_explicit(&tag->refs, memory_order_relaxed) > 0)
		atomic_fetch_add_explicit(&tag->refs, 1, memory_order_relaxed);
}

static void
tag_unref(struct memory_tag *tag)
{
	if (atomic_load_explicit(&tag->refs, memory_order_relaxed) == 0)
		return;
	if (atomic_fetch_sub_explicit(&tag->refs, 1, memory_order_acq_rel) > 1)
		return;
	tag->magic = FREED_MAGIC;
	free(tag);
}

static struct memory_tag *
tag_check(OSMallocTag opaque, const char *call, const void *caller)
{
	struct memory_tag *tag = (struct memory_tag *)(void *)opaque;

	if (tag == NULL || tag->magic != TAG_MAGIC)
		panic("%s: %p is no tag, or was freed; called from %s", call, (void *)tag,
		      place_of(caller).text);
	return tag;
}

KPI_EXPORT OSMallocTag
OSMalloc_Tagalloc(const char *name, uint32_t flags)
{
	struct memory_tag *tag = calloc(1, sizeof(*tag));

	if (tag == NULL)
		return NULL;
	tag->magic = TAG_MAGIC;
	atomic_init(&tag->refs, 1);
	snprintf(tag->name, sizeof(tag->name), "%s", name != NULL ? name : "");
	return (OSMallocTag)(void *)tag;
}

KPI_EXPORT void
OSMalloc_Tagfree(OSMallocTag tag)
{
	tag_unref(tag_check(tag, "OSMalloc_Tagfree", CALLED_FROM));
}

/* ---- blocks ---------------------------------------------------------------------------- */

void *
memory_get(enum memory_kind kind, size_t size, size_t alignment, bool zero, struct memory_tag *tag,
	   const void *caller)
{
	size_t total;
	void *raw;

	if (size == 0 || (alignment & (alignment - 1)) != 0)
		return NULL;
	if (alignment < _Alignof(struct block))
		alignment = _Alignof(struct block);
	size_t before = (sizeof(struct block) + alignment - 1) & ~(alignment - 1);
	if (before < sizeof(struct block) || __builtin_add_overflow(before, size, &total))
		return NULL;
	if (alignment <= _Alignof(max_align_t))
		raw = malloc(total);
	else if (posix_memalign(&raw, alignment, total) != 0)
		raw = NULL;
	if (raw == NULL)
		return NULL;

	char *data = (char *)raw + before;
	struct block *block = (struct block *)(void *)data - 1;
	*block = (struct block){
		.magic = BLOCK_MAGIC,
		.kind = kind,
		.size = size,
		.tag = tag != NULL ? tag : &kind_tags[kind],
		.raw = raw,
		.caller = caller,
	};
	tag_ref(block->tag);
	if (zero)
		memset(data, 0, size);
	struct shard *shard = shard_of(block);
	pthread_mutex_lock(&shard->lock);
	LIST_INSERT_HEAD(&shard->blocks, block, link);
	pthread_mutex_unlock(&shard->lock);
	return data;
}

static struct block *
block_check(enum memory_kind kind, const void *address, const char *call, const void *caller)
{
	struct block *block = (struct block *)(uintptr_t)address - 1;

	if (((uintptr_t)address & (_Alignof(struct block) - 1)) != 0)
		panic("%s: %p is no block; called from %s", call, address, place_of(caller).text);
	if (block->magic == FREED_MAGIC)
		panic("%s: %p was freed already; called from %s", call, address,
		      place_of(caller).text);
	if (block->magic != BLOCK_MAGIC)
		panic("%s: %p is no block, or what is before it was overwritten; called from %s",
		      call, address, place_of(caller).text);
	if (block->kind != kind)
		panic("%s: block %p of %zu bytes is of %s, got in %s; called from %s", call,
		      address, block->size, kind_tags[block->kind % MEMORY_KIND_COUNT].name,
		      place_of(block->caller).text, place_of(caller).text);
	return block;
}

size_t
memory_size(enum memory_kind kind, const void *address, const char *call, const void *caller)
{
	return block_check(kind, address, call, caller)->size;
}

void
memory_put(enum memory_kind kind, void *address, size_t size, struct memory_tag *tag,
	   const char *call, const void *caller)
{
	if (address == NULL)
		return;
	struct block *block = block_check(kind, address, call, caller);
	if (size != MEMORY_NO_SIZE && size != block->size)
		panic("%s: block %p has %zu bytes and is freed with %zu: got in %s with tag "
		      "\"%s\", called from %s",
		      call, address, block->size, size, place_of(block->caller).text,
		      block->tag->name, place_of(caller).text);
	if (tag != NULL && tag != block->tag)
		panic("%s: block %p has tag \"%s\" and is freed with \"%s\"; called from %s", call,
		      address, block->tag->name, tag->name, place_of(caller).text);

	struct shard *shard = shard_of(block);
	pthread_mutex_lock(&shard->lock);
	LIST_REMOVE(block, link);
	pthread_mutex_unlock(&shard->lock);
	tag_unref(block->tag);
	block->magic = FREED_MAGIC;
	free(block->raw);
}

KPI_EXPORT void *
OSMalloc(uint32_t size, OSMallocTag tag)
{
	return memory_get(MEMORY_OSMALLOC, size, 0, false, tag_check(tag, "OSMalloc", CALLED_FROM),
			  CALLED_FROM);
}

KPI_EXPORT void *
OSMalloc_nowait(uint32_t size, OSMallocTag tag)
{
	return memory_get(MEMORY_OSMALLOC, size, 0, false,
			  tag_check(tag, "OSMalloc_nowait", CALLED_FROM), CALLED_FROM);
}

KPI_EXPORT void *
OSMalloc_noblock(uint32_t size, OSMallocTag tag)
{
	return memory_get(MEMORY_OSMALLOC, size, 0, false,
			  tag_check(tag, "OSMalloc_noblock", CALLED_FROM), CALLED_FROM);
}

KPI_EXPORT void
OSFree(void *addr, uint32_t size, OSMallocTag tag)
{
	memory_put(MEMORY_OSMALLOC, addr, size, tag_check(tag, "OSFree", CALLED_FROM), "OSFree",
		   CALLED_FROM);
}

/* ---- what is left ------------------------------------------------------------------------ */

/* Its row among @count, or NULL: it has none. */
static struct memory_left *
row_of(struct memory_left *left, size_t count, const struct block *block)
{
	for (size_t i = 0; i < count; i++) {
		if (left[i].place == block->caller && strcmp(left[i].tag, block->tag->name) == 0)
			return &left[i];
	}
	return NULL;
}

size_t
memory_left_behind(bool (*mine)(const void *place, void *context), void *context,
		   struct memory_left *left, size_t max)
{
	size_t count = 0;

	for (uint32_t i = 0; i < SHARD_COUNT; i++) {
		struct block *block;

		pthread_mutex_lock(&shards[i].lock);
		LIST_FOREACH(block, &shards[i].blocks, link)
		{
			if (mine != NULL && !mine(block->caller, context))
				continue;
			struct memory_left *row = row_of(left, count, block);
			if (row == NULL && count < max) {
				row = &left[count++];
				*row = (struct memory_left){ .place = block->caller };
				memcpy(row->tag, block->tag->name, sizeof(row->tag));
			}
			if (row == NULL)
				continue; /* no room for another row */
			row->block_count++;
			row->size_bytes += block->size;
		}
		pthread_mutex_unlock(&shards[i].lock);
	}
	return count;
}

uint64_t
memory_log_left_behind(const char *identifier, bool (*mine)(const void *place, void *context),
		       void *context)
{
	struct memory_left left[LEFT_LOG_MAX];
	size_t count = memory_left_behind(mine, context, left, LEFT_LOG_MAX);
	uint64_t blocks = 0;

	for (size_t i = 0; i < count; i++) {
		blocks += left[i].block_count;
		host_log("%s: left behind: %llu block%s, %llu bytes, tag %s, taken in %s",
			 identifier, (unsigned long long)left[i].block_count,
			 left[i].block_count == 1 ? "" : "s",
			 (unsigned long long)left[i].size_bytes, left[i].tag,
			 place_of(left[i].place).text);
	}
	if (count == LEFT_LOG_MAX)
		host_log("%s: there may be more", identifier);
	return blocks;
}
