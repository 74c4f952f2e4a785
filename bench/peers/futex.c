/*
 * Shared memory and futexes, between two processes that trust each other.
 *
 *   futex       sleeps at once
 *   futex-spin  looks for 20 us first
 */
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/peers/peer.h"
#include "bench/process.h"

#define SPIN_NS 20000

/* One direction: whoever fills it adds one to `filled`; the other wakes to that. */
struct box {
	_Alignas(64) _Atomic uint32_t filled;
	_Atomic uint32_t sleeps; /* who waits for it says so */
};

struct area {
	struct box request;
	struct box reply;
	_Alignas(64) char bytes[]; /* the request, then the reply */
};

static struct area *area;
static uint32_t seen; /* requests that were answered */
static uint64_t spin_ns;

static void
listen_area(void)
{
	area = shared_memory(sizeof(*area) + shape.request_bytes + shape.reply_bytes);
}

static void
listen_at_once(void)
{
	spin_ns = 0;
	listen_area();
}

static void
listen_spinning(void)
{
	spin_ns = SPIN_NS;
	listen_area();
}

static inline void
relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static void
box_wait(struct box *box, uint32_t old)
{
	uint64_t end_ns = spin_ns ? now_ns() + spin_ns : 0;

	while (spin_ns && atomic_load_explicit(&box->filled, memory_order_acquire) == old) {
		for (int i = 0; i < 16; i++)
			relax();
		if (now_ns() >= end_ns)
			break;
	}
	if (atomic_load(&box->filled) != old)
		return;
	atomic_store(&box->sleeps, 1);
	while (atomic_load(&box->filled) == old)
		syscall(SYS_futex, &box->filled, FUTEX_WAIT, old, NULL, NULL, 0);
	atomic_store(&box->sleeps, 0);
}

static void
box_fill(struct box *box)
{
	atomic_fetch_add(&box->filled, 1);
	if (atomic_load(&box->sleeps))
		syscall(SYS_futex, &box->filled, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void
serve(void)
{
	void *request = malloc(shape.request_bytes);
	void *reply = calloc(1, shape.reply_bytes);

	if (request == NULL || reply == NULL)
		die("malloc");
	serving();
	for (;;) {
		box_wait(&area->request, seen++);
		memcpy(request, area->bytes, shape.request_bytes);
		answer(request, reply);
		memcpy(area->bytes + shape.request_bytes, reply, shape.reply_bytes);
		box_fill(&area->reply);
	}
}

static void
call(const void *request, void *reply)
{
	memcpy(area->bytes, request, shape.request_bytes);
	box_fill(&area->request);
	box_wait(&area->reply, seen++);
	memcpy(reply, area->bytes + shape.request_bytes, shape.reply_bytes);
}

static const struct peer peer_futex = {
	.system = "futex", .clients_max = 1, .listen = listen_at_once, .serve = serve, .call = call
};
static const struct peer peer_spin = { .system = "futex-spin",
				       .clients_max = 1,
				       .listen = listen_spinning,
				       .serve = serve,
				       .call = call };

const struct peer *const peers_here[] = { &peer_futex, &peer_spin, NULL };
