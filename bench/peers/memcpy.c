/*
 * Nobody to talk to: memory mapped, filled by one memcpy, looked at and unmapped.  What bulk data
 * costs at least if one copy is made into memory of its own.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/peers/peer.h"
#include "bench/process.h"

static void
serve(void)
{
	serving();
	for (;;)
		pause();
}

static void
call(const void *request, void *reply)
{
	void *copy = mmap(NULL, shape.request_bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (copy == MAP_FAILED)
		die("mmap");
	memcpy(copy, request, shape.request_bytes);
	answer(copy, reply);
	munmap(copy, shape.request_bytes);
}

static const struct peer peer_memcpy = {
	.system = "memcpy", .clients_max = 1, .bulk_only = true, .serve = serve, .call = call
};

const struct peer *const peers_here[] = { &peer_memcpy, NULL };
