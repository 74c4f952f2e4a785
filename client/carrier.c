#include "client/carrier.h"

#include "client/descriptor.h"
#include "client/mach/vm_movable.h"
#include "client/mach/vm_object.h"
#include "client/memory.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1 */
#endif

#define DESCRIPTORS_MAX 16u /* of a message that goes by one; who sends more is not in a hurry */
#define DESCRIPTORS_END_MAX (DESCRIPTORS_OFFSET + DESCRIPTORS_MAX * DESCRIPTOR_SIZE_MAX)
#define RIGHTS 64u      /* that are counted, by name */
#define ASK_AT 3u       /* the message to a right that is the first to ask */
#define REFUSED_FOR 32u /* messages until it is asked again */

struct mapped {
	uint8_t *memory;
	size_t size;
	_Atomic bool is_used; /* somebody is about to touch it */
};

/* Each is touched only by who was given it, or told that something came by it. */
static struct mapped outgoing[TRAP_CARRIERS], incoming[TRAP_CARRIERS];
static _Atomic uint32_t
    unused; /* bits of those that were given, and that the kernel may have back */

/* How many messages went to a right: its name, and above it how many are left until it is asked. */
static _Atomic uint64_t rights[RIGHTS];

/* ---- out ------------------------------------------------------------------------------------- */

/* Is it time to ask about @name? */
static bool
is_due(mach_port_name_t name)
{
	_Atomic uint64_t *right = &rights[(name >> 8) % RIGHTS];
	uint64_t seen = atomic_load_explicit(right, memory_order_relaxed);
	uint64_t left = (uint32_t)seen == name ? seen >> 32 : ASK_AT;

	if (left > 0)
		left--;
	atomic_store_explicit(right, left << 32 | name, memory_order_relaxed);
	return left == 0;
}

static void
was_refused(mach_port_name_t name)
{
	atomic_store_explicit(&rights[(name >> 8) % RIGHTS], (uint64_t)REFUSED_FOR << 32 | name,
			      memory_order_relaxed);
}

/* How many bytes from @message on can be read: those of its page, and those of the next one if
 * the descriptors need it.  The page of the header is believed to be there. */
static uint32_t
readable_bytes(const mach_msg_header_t *message, mach_msg_size_t size)
{
	uint32_t in_page = PAGE_BYTES - (uint32_t)((uintptr_t)message % PAGE_BYTES);

	if (size <= in_page || DESCRIPTORS_END_MAX <= in_page)
		return in_page;
	return memory_is_readable((const uint8_t *)message + in_page, 1) ? in_page + PAGE_BYTES
									 : in_page;
}

/* How much of @message would be copied, whole pages for each piece; 0: too little, or too much.
 * A hint: it is looked at again when it is copied. */
static size_t
bytes_of(const mach_msg_header_t *message, mach_msg_size_t size)
{
	const uint8_t *bytes = (const uint8_t *)message;
	uint32_t offset = DESCRIPTORS_OFFSET, count;
	uint64_t sum = 0;

	if (size < DESCRIPTORS_OFFSET || (message->msgh_bits & MACH_MSGH_BITS_COMPLEX) == 0)
		return 0;
	uint32_t readable = readable_bytes(message, size);
	if (readable > size)
		readable = size;
	if (readable < DESCRIPTORS_OFFSET)
		return 0;
	memcpy(&count, bytes + sizeof(*message), sizeof(count));
	if (count > DESCRIPTORS_MAX)
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		if (offset + DESCRIPTOR_SIZE_MIN > readable)
			return 0;
		struct descriptor d = descriptor_read(bytes + offset);
		if (d.size == 0 || offset + d.size > readable)
			return 0;
		descriptor_read_memory(bytes + offset, &d);
		offset += d.size;
		if (d.kind == MACH_MSG_OOL_PORTS_DESCRIPTOR || !d.has_memory)
			continue;
		/* that may go without a copy */
		if ((d.deallocate || d.is_virtual) &&
		    vm_movable_holds((uintptr_t)d.address, d.memory_bytes))
			return 0;
		sum += ((uint64_t)d.memory_bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
	}
	if (sum < TRAP_CARRIER_MIN_BYTES)
		return 0;
	sum += size - offset; /* the rest of the message may go there, too */
	sum = (sum + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
	return sum <= TRAP_CARRIER_MAX_BYTES ? (size_t)sum : 0;
}

/* A new memfd, which nobody but its mapping can write.  False: it is not to be had. */
static bool
carrier_make(struct carrier_place *place, size_t bytes)
{
	size_t size = TRAP_CARRIER_MIN_BYTES; /* powers of two: messages may grow */
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
	struct mapped *mapped = &outgoing[place->number];

	if (mapped->memory != NULL)
		munmap(mapped->memory, mapped->size);
	mapped->memory = NULL;
	while (size < bytes)
		size *= 2;
	if (!vm_object_size_is_allowed(size))
		return false;
	int fd = memory_fd_new("berth-carrier");
	if (fd < 0)
		return false;
	void *memory = MAP_FAILED;
	if (ftruncate(fd, (off_t)size) == 0)
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED || madvise(memory, size, MADV_DONTFORK) != 0 ||
	    fcntl(fd, F_ADD_SEALS, seals) != 0) {
		if (memory != MAP_FAILED)
			munmap(memory, size);
		close(fd);
		return false;
	}
	mapped->memory = memory;
	mapped->size = size;
	place->fd = fd;
	return true;
}

bool
carrier_find(struct carrier_place *place, const mach_msg_header_t *message, mach_msg_size_t size)
{
	uint64_t values[TRAP_VALUE_COUNT];
	size_t bytes = bytes_of(message, size);

	if (bytes == 0 || !is_due(message->msgh_remote_port))
		return false;
	uint32_t given_back = atomic_exchange(&unused, 0);
	if (TRAP_CALL(BERTH_TRAP_CARRIER_FIND, values, message->msgh_remote_port, bytes,
		      given_back) != KERN_SUCCESS) {
		atomic_fetch_or(&unused, given_back);
		return false;
	}
	if (values[0] == BERTH_CARRIER_NONE || values[1] >= TRAP_CARRIERS) {
		was_refused(message->msgh_remote_port);
		return false;
	}
	*place = (struct carrier_place){ .number = (uint32_t)values[1], .fd = -1 };
	if (values[0] == BERTH_CARRIER_MAKE && !carrier_make(place, bytes)) {
		carrier_leave(place);
		was_refused(message->msgh_remote_port);
		return false;
	}
	struct mapped *mapped = &outgoing[place->number];
	place->memory = mapped->memory;
	place->size = mapped->size;
	atomic_store_explicit(&mapped->is_used, true, memory_order_relaxed);
	return true;
}

void
carrier_gone(const struct carrier_place *place)
{
	atomic_store_explicit(&outgoing[place->number].is_used, false, memory_order_relaxed);
}

void
carrier_leave(const struct carrier_place *place)
{
	if (place->fd >= 0)
		close(place->fd);
	carrier_gone(place);
	atomic_fetch_or(&unused, 1u << place->number);
}

/* ---- in -------------------------------------------------------------------------------------- */

const uint8_t *
carrier_came(const struct trap *trap, size_t *size)
{
	struct mapped *mapped = &incoming[TRAP_CARRIER_INDEX(trap->slot->reply.carrier)];
	struct stat status;

	if ((trap->slot->reply.flags & TRAP_HAS_BULK) != 0) {
		if (mapped->memory != NULL)
			munmap(mapped->memory, mapped->size);
		mapped->memory = NULL;
		if (trap->bulk_fd < 0 || fstat(trap->bulk_fd, &status) != 0 || status.st_size <= 0)
			return NULL;
		void *memory =
		    mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, trap->bulk_fd, 0);
		if (memory == MAP_FAILED)
			return NULL;
		madvise(memory, (size_t)status.st_size, MADV_DONTFORK);
		mapped->memory = memory;
		mapped->size = (size_t)status.st_size;
	}
	if (mapped->memory == NULL)
		return NULL;
	atomic_store_explicit(&mapped->is_used, true, memory_order_relaxed);
	memory_came(mapped->memory, mapped->size);
	*size = mapped->size;
	return mapped->memory;
}

void
carrier_done(const struct trap *trap, bool is_mapped)
{
	uint32_t tick = trap->slot->reply.carrier;

	atomic_store_explicit(&incoming[TRAP_CARRIER_INDEX(tick)].is_used, false,
			      memory_order_relaxed);
	atomic_store_explicit(&trap->doorbell->carried[TRAP_CARRIER_INDEX(tick)],
			      is_mapped ? tick : tick | TRAP_CARRIER_LOST, memory_order_release);
}

/* The mappings are not inherited; but a handler may have forked in the middle of a copy. */
static void
forget(struct mapped *mapped)
{
	if (mapped->memory != NULL && atomic_load(&mapped->is_used))
		(void)mmap(mapped->memory, mapped->size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
			   0);
	mapped->memory = NULL;
	atomic_store(&mapped->is_used, false);
}

void
carriers_forked(void)
{
	for (uint32_t i = 0; i < TRAP_CARRIERS; i++) {
		forget(&outgoing[i]);
		forget(&incoming[i]);
	}
	for (uint32_t i = 0; i < RIGHTS; i++)
		atomic_store_explicit(&rights[i], 0, memory_order_relaxed);
	atomic_store(&unused, 0);
}
