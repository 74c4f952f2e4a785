/*
 * Memory of mbufs: blocks, their sharing, the cache of each thread, and the count of those that
 * live.
 *
 * A cache holds freed blocks of small size and belongs to one thread, so that it needs no lock.
 * So does the thread's part of the count, which others only read.
 */
#include "kexts/host/mbuf_memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_MAX 64u /* blocks, some 22 KiB a thread */

struct thread_part {
	struct __mbuf *cached; /* linked by `next` */
	uint32_t cached_count;
	enum { THREAD_NEW = 0, THREAD_COUNTED, THREAD_ENDED } state;
	_Atomic int64_t
	    live; /* mbufs made here less mbufs freed here; written by its thread only */
	struct thread_part *next, **link; /* guarded by threads_lock */
};

/* libberth-kpi is linked to the program, never loaded later */
static _Thread_local struct thread_part this_thread __attribute__((tls_model("initial-exec")));

static pthread_once_t thread_key_once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;
static bool thread_key_works;

static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;
static struct thread_part *threads; /* those in state THREAD_COUNTED */
static _Atomic int64_t live_elsewhere;

struct mbuf_allocator mbuf_allocator = { malloc, free };

/* ---- with kexts built with the address sanitizer: a cached block is not to be touched ------ */

void __asan_poison_memory_region(void const volatile *address, size_t size) __attribute__((weak));
void __asan_unpoison_memory_region(void const volatile *address, size_t size) __attribute__((weak));

/* `next` and `magic` are in the part that stays readable: a double free shall be told as such. */
static void
block_hide(struct __mbuf *block)
{
	if (__asan_poison_memory_region)
		__asan_poison_memory_region(block->bytes, block->bytes_size);
}

static void
block_show(struct __mbuf *block)
{
	if (__asan_unpoison_memory_region)
		__asan_unpoison_memory_region(block->bytes, block->bytes_size);
}

/* ---- threads ------------------------------------------------------------------------- */

void
mbuf_cache_empty(void)
{
	struct __mbuf *block = this_thread.cached;

	this_thread.cached = NULL;
	this_thread.cached_count = 0;
	while (block) {
		struct __mbuf *next = block->next;

		block_show(block);
		mbuf_allocator.release(block);
		block = next;
	}
}

uint32_t
mbuf_cache_count(void)
{
	return this_thread.cached_count;
}

static void
thread_ended(void *argument)
{
	struct thread_part *part = argument;

	part->state = THREAD_ENDED; /* destructors after this one may free mbufs */
	mbuf_cache_empty();
	pthread_mutex_lock(&threads_lock);
	*part->link = part->next;
	if (part->next)
		part->next->link = part->link;
	atomic_fetch_add_explicit(&live_elsewhere,
				  atomic_load_explicit(&part->live, memory_order_relaxed),
				  memory_order_relaxed);
	pthread_mutex_unlock(&threads_lock);
}

static void
thread_key_make(void)
{
	thread_key_works = pthread_key_create(&thread_key, thread_ended) == 0;
}

static void
thread_begins(struct thread_part *part)
{
	pthread_once(&thread_key_once, thread_key_make);
	if (!thread_key_works || pthread_setspecific(thread_key, part)) {
		part->state = THREAD_ENDED; /* its end would not be told: no cache */
		return;
	}
	part->state = THREAD_COUNTED;
	pthread_mutex_lock(&threads_lock);
	part->next = threads;
	part->link = &threads;
	if (threads)
		threads->link = &part->next;
	threads = part;
	pthread_mutex_unlock(&threads_lock);
}

static inline void
live_add(int64_t change)
{
	struct thread_part *part = &this_thread;

	if (__builtin_expect(part->state == THREAD_NEW, 0))
		thread_begins(part);
	if (__builtin_expect(part->state == THREAD_ENDED, 0)) {
		atomic_fetch_add_explicit(&live_elsewhere, change, memory_order_relaxed);
		return;
	}
	atomic_store_explicit(&part->live,
			      atomic_load_explicit(&part->live, memory_order_relaxed) + change,
			      memory_order_relaxed);
}

uint64_t
mbuf_live_count(void)
{
	int64_t count;

	pthread_mutex_lock(&threads_lock);
	count = atomic_load_explicit(&live_elsewhere, memory_order_relaxed);
	for (struct thread_part *part = threads; part; part = part->next)
		count += atomic_load_explicit(&part->live, memory_order_relaxed);
	pthread_mutex_unlock(&threads_lock);
	/* while others work it may be off by what they do */
	return count < 0 ? 0 : (uint64_t)count;
}

/* ---- blocks --------------------------------------------------------------------------- */

void
mbuf_refuse(const struct __mbuf *mbuf, const char *where)
{
	if (mbuf->magic == MBUF_MAGIC_FREED)
		panic("%s: mbuf %p was freed before", where, (const void *)mbuf);
	panic("%s: %p is no mbuf, or was overwritten", where, (const void *)mbuf);
}

size_t
mbuf_bytes_for(size_t wanted)
{
	static const size_t sizes[] = { MBUF_SMALL_BYTES, MBUF_CLUSTER_BYTES, MBUF_CLUSTER_4K_BYTES,
					MBUF_CLUSTER_16K_BYTES };
	size_t index = 0;

	while (sizes[index] < wanted && index + 1 < sizeof(sizes) / sizeof(sizes[0]))
		index++;
	return sizes[index];
}

struct __mbuf *
mbuf_block_new(size_t bytes_size)
{
	struct __mbuf *block = this_thread.cached;

	if (bytes_size == MBUF_SMALL_BYTES && block) {
		this_thread.cached = block->next;
		this_thread.cached_count--;
		block_show(block);
	} else {
		if (bytes_size > SIZE_MAX - sizeof(*block))
			return NULL;
		block = mbuf_allocator.allocate(sizeof(*block) + bytes_size);
		if (!block)
			return NULL;
		block->bytes_size = bytes_size;
	}
	live_add(1);
	block->next = NULL;
	block->next_packet = NULL;
	block->data = block->bytes;
	block->len = 0;
	block->magic = MBUF_MAGIC_LIVE;
	block->flags = bytes_size > MBUF_SMALL_BYTES ? MBUF_EXT : 0;
	block->type = MBUF_TYPE_DATA;
	block->packet_len = 0;
	block->receive_interface = NULL;
	block->tags = NULL;
	block->storage = block;
	atomic_init(&block->refs, 1);
	return block;
}

struct __mbuf *
mbuf_block_share(struct __mbuf *lender)
{
	struct __mbuf *mbuf = mbuf_block_new(MBUF_SMALL_BYTES);

	if (!mbuf)
		return NULL;
	atomic_fetch_add_explicit(&lender->storage->refs, 1, memory_order_relaxed);
	mbuf->storage = lender->storage;
	mbuf->data = lender->data;
	mbuf->flags |= MBUF_EXT;
	return mbuf;
}

static void
block_release(struct __mbuf *block)
{
	struct thread_part *part = &this_thread;

	if (block->bytes_size == MBUF_SMALL_BYTES && part->state == THREAD_COUNTED &&
	    part->cached_count < CACHE_MAX) {
		block->next = part->cached;
		part->cached = block;
		part->cached_count++;
		block_hide(block);
		return;
	}
	mbuf_allocator.release(block);
}

/* True: that was the last, and the block can go. */
static bool
block_unref(struct __mbuf *block)
{
	/* alone: nobody else can take a reference */
	if (atomic_load_explicit(&block->refs, memory_order_acquire) == 1)
		return true;
	return atomic_fetch_sub_explicit(&block->refs, 1, memory_order_acq_rel) == 1;
}

KPI_EXPORT mbuf_t
mbuf_free(mbuf_t mbuf)
{
	struct __mbuf *next, *storage;

	mbuf_check(mbuf, "mbuf_free");
	next = mbuf->next;
	storage = mbuf->storage;
	mbuf->magic = MBUF_MAGIC_FREED;
	if (__builtin_expect(mbuf->tags != NULL, 0))
		mbuf_tags_free(mbuf);
	live_add(-1);
	if (storage != mbuf)
		block_release(mbuf); /* its own bytes were never used */
	if (block_unref(storage))
		block_release(storage);
	return next;
}

KPI_EXPORT void
mbuf_freem(mbuf_t mbuf)
{
	while (mbuf)
		mbuf = mbuf_free(mbuf);
}

KPI_EXPORT int
mbuf_freem_list(mbuf_t mbuf)
{
	int count = 0;

	while (mbuf) {
		mbuf_t next = mbuf->next_packet;

		mbuf_freem(mbuf);
		mbuf = next;
		count++;
	}
	return count;
}

/* ---- for the control server -------------------------------------------------------------- */

mbuf_t
mbuf_packet_new(const void *data, size_t size, bool eor)
{
	struct __mbuf *mbuf =
	    mbuf_block_new(size > MBUF_SMALL_BYTES ? size : (size_t)MBUF_SMALL_BYTES);

	if (!mbuf)
		return NULL;
	mbuf->flags |= MBUF_PKTHDR | (eor ? MBUF_EOR : 0);
	mbuf->len = size;
	mbuf->packet_len = size;
	if (size)
		memcpy(mbuf->bytes, data, size);
	return mbuf;
}

int
mbuf_packet_vector(mbuf_t m, struct iovec *vector, int max)
{
	int count = 0;

	for (; m; m = m->next) {
		mbuf_check(m, "mbuf_packet_vector");
		if (!m->len)
			continue;
		if (count == max)
			return -1;
		vector[count].iov_base = m->data;
		vector[count].iov_len = m->len;
		count++;
	}
	return count;
}
