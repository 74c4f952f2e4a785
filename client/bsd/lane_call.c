/*
 * One call over a lane: its slot, asking, waiting, and how waiting ends.
 */
#include "client/bsd/lane.h"
#include "client/bsd/system_socket.h"
#include "client/bsd/user_memory.h"
#include "client/connection.h"
#include "client/memory.h"
#include "wire/wait.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define OVERDUE_NS (LANE_OVERDUE_S * 1000000000ull)

static __thread struct {
	struct wait_state wait;
	uint32_t tid;
	uint32_t generation; /* of the connection: what process the tid is of */
} self __attribute__((tls_model("initial-exec")));

static uint32_t
thread_id(void)
{
	uint32_t generation = atomic_load_explicit(&connection.generation, memory_order_relaxed);

	if (__builtin_expect(self.generation != generation, 0)) {
		self.generation = generation;
		self.tid = (uint32_t)gettid();
		memset(&self.wait, 0, sizeof(self.wait));
	}
	return self.tid;
}

/* ---- slots ------------------------------------------------------------------------------- */

bool
lane_call_on(struct lane *lane, struct lane_call *call)
{
	if (!lane_is_open(lane))
		return false;
	uint64_t taken = atomic_load(&lane->taken);
	uint32_t index;
	do {
		if (taken == UINT64_MAX)
			return false;
		index = (uint32_t)__builtin_ctzll(~taken);
	} while (!atomic_compare_exchange_weak(&lane->taken, &taken, taken | (uint64_t)1 << index));
	lane_ref(lane);
	atomic_store(&lane->owners[index], thread_id());
	call->lane = lane;
	call->slot_index = index;
	call->slot = &lane->memory->slots[index];
	call->bell = &lane->memory->bell;
	call->data_fd = -1;
	memset(&call->request, 0, sizeof(call->request));
	return true;
}

void
lane_call_end(struct lane_call *call)
{
	struct lane *lane = call->lane;

	if (call->data_fd >= 0)
		close(call->data_fd);
	atomic_store(&lane->owners[call->slot_index], 0);
	atomic_fetch_and(&lane->taken, ~((uint64_t)1 << call->slot_index));
	lane_unref(lane);
	lane_slot_is_free();
}

/* ---- data -------------------------------------------------------------------------------- */

/* What does not fit into the slot goes into a memfd. */
static int
data_by_memfd(struct lane_call *call, const struct iovec *parts, size_t part_count, size_t size)
{
	int fd = memory_fd_new("berth control");
	size_t at = 0;

	if (fd < 0)
		return ENOBUFS;
	for (size_t i = 0; i < part_count && at < size; i++) {
		size_t part = parts[i].iov_len < size - at ? parts[i].iov_len : size - at;
		int error = memory_fd_write(fd, parts[i].iov_base, part, at);
		if (error != 0) {
			close(fd);
			return error == -EFAULT ? EFAULT : ENOBUFS;
		}
		at += part;
	}
	memory_fd_seal(fd); /* fails: the kexthost copies it all the same */
	call->data_fd = fd;
	call->request.flags = LANE_IN_MEMFD;
	return 0;
}

int
lane_call_data(struct lane_call *call, const struct iovec *parts, size_t part_count, size_t size)
{
	size_t at = 0;

	call->request.size_bytes = (uint32_t)size;
	if (size > LANE_DATA_SIZE)
		return data_by_memfd(call, parts, part_count, size);
	for (size_t i = 0; i < part_count && at < size; i++) {
		size_t part = parts[i].iov_len < size - at ? parts[i].iov_len : size - at;
		if (part > 0)
			memcpy(call->slot->data + at, parts[i].iov_base, part);
		at += part;
	}
	return 0;
}

int
lane_call_take(struct lane_call *call, void *to, size_t room)
{
	size_t size = call->reply.size_bytes < room ? call->reply.size_bytes : room;

	if (size == 0)
		return 0;
	if ((call->reply.flags & LANE_OUT_MEMFD) != 0) {
		int error = call->data_fd < 0 ? -EIO : memory_fd_read(call->data_fd, to, size, 0);
		if (error != 0)
			return error == -EFAULT ? EFAULT : ENOBUFS;
		return 0;
	}
	if (size > LANE_DATA_SIZE)
		return ENOBUFS;
	return user_write(to, call->slot->data, size);
}

/* ---- asking and waiting ------------------------------------------------------------------ */

static void
wake_kexthost(const struct lane_call *call)
{
	uint64_t one = 1;
	ssize_t written;

	do
		written = write(call->lane->event_fd, &one, sizeof(one));
	while (written < 0 && errno == EINTR);
}

/* Send the descriptors of the request ahead.  False: the kexthost is gone. */
static bool
send_ahead(struct lane_call *call, int shown_fd)
{
	int fds[2];
	uint32_t fd_count = 0;

	if (shown_fd < 0 && call->data_fd < 0)
		return true;
	if (shown_fd >= 0)
		fds[fd_count++] = shown_fd;
	if (call->data_fd >= 0)
		fds[fd_count++] = call->data_fd;
	bool is_sent = lane_say(call->lane, LANE_FDS, call->slot_index, fds, fd_count, true);
	if (call->data_fd >= 0)
		close(call->data_fd);
	call->data_fd = -1;
	return is_sent;
}

/* Ring.  True: the kexthost slept, and was woken. */
static bool
ring(const struct lane_call *call)
{
	if (!lane_ring(call->bell, call->slot_index))
		return false;
	wake_kexthost(call);
	return true;
}

static bool
is_under_way(uint32_t state)
{
	return state == LANE_ASKED || state == LANE_TAKEN;
}

/*
 * Sleep until the call is done, the kexthost dies, or @deadline_ns.  -EINTR: a handler without
 * SA_RESTART ran.  @was_woken: the kexthost was woken for this call.
 */
static int
sleep_once(struct lane_call *call, uint64_t deadline_ns, bool *was_woken)
{
	struct lane_slot *slot = call->slot;
	const _Atomic uint32_t *alive = &call->lane->alive_page->alive;
	uint32_t alive_value = atomic_load(alive);
	int result = 0;

	if (alive_word_is_dead(alive_value))
		return 0;
	atomic_store(&slot->program_sleeps, 1);
	uint32_t state = atomic_load(&slot->state);
	/* who would take it may be in a callback: there is another thread for it */
	if (state == LANE_ASKED && !*was_woken) {
		wake_kexthost(call);
		*was_woken = true;
	}
	/* a wait for two words, unlike one for one, goes on after a handler with SA_RESTART */
	if (is_under_way(state))
		result = wait_futex_either(&slot->state, state, alive, alive_value, deadline_ns);
	atomic_store_explicit(&slot->program_sleeps, 0, memory_order_relaxed);
	return result;
}

/* The kexthost is to look at a call that it has taken: the program's thread was interrupted, or
 * has waited long. */
static void
draw_attention(struct lane_call *call, _Atomic uint32_t *why)
{
	atomic_store(why, 1);
	lane_ring(call->bell, call->slot_index);
	wake_kexthost(call);
}

/* Wait until the call is done.  False: the kexthost is gone. */
static bool
await_done(struct lane_call *call, bool was_woken)
{
	struct lane_slot *slot = call->slot;
	struct wait_state *wait = &self.wait;
	const _Atomic uint32_t *alive = &call->lane->alive_page->alive;
	uint64_t overdue_ns = 0; /* when the call has taken too long */
	bool is_cancelled = false, is_told = false, just_woken = was_woken;

	wait_begin(wait);
	while (is_under_way(atomic_load_explicit(&slot->state, memory_order_acquire))) {
		if (!just_woken && wait_look(wait, atomic_load_explicit(&call->bell->host_cpu,
									memory_order_relaxed)))
			continue;
		just_woken = false;
		wait_sleeps(wait);
		if (overdue_ns == 0)
			overdue_ns = wait->last_ns + OVERDUE_NS;
		int result = sleep_once(call, overdue_ns, &was_woken);
		wait_woken(wait);
		if (!is_under_way(atomic_load_explicit(&slot->state, memory_order_acquire)))
			break;
		/* a kexthost that throws out a program hangs up, and lives on: that is rare */
		if ((alive_word_is_dead(atomic_load(alive)) || result == -ETIMEDOUT) &&
		    lane_has_died(call->lane))
			return !is_under_way(
			    atomic_load_explicit(&slot->state, memory_order_acquire));
		if (result == -EINTR && !is_cancelled) {
			is_cancelled = true;
			draw_attention(call, &slot->cancel);
		} else if (result == -ETIMEDOUT) {
			overdue_ns = wait_now_ns() + OVERDUE_NS;
			if (!is_told)
				draw_attention(call, &slot->overdue);
			is_told = true;
		}
	}
	wait_end(wait);
	return true;
}

int
lane_call_run(struct lane_call *call, int shown_fd)
{
	struct lane_slot *slot = call->slot;
	int saved_errno = errno;

	call->request.linux_tid = thread_id();
	slot->request = call->request;
	atomic_store_explicit(&slot->cancel, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->overdue, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->program_cpu, wait_cpu(), memory_order_relaxed);
	bool is_alive = send_ahead(call, shown_fd);
	if (is_alive) {
		atomic_store_explicit(&slot->state, LANE_ASKED, memory_order_release);
		is_alive = await_done(call, ring(call));
	}
	if (!is_alive) {
		lane_die(call->lane);
		if (alive_word_is_dead(atomic_load(&call->lane->alive_page->alive)))
			system_await_hangups(call->lane->host_id);
		errno = saved_errno;
		return EPIPE;
	}
	memory_came(slot, sizeof(*slot));
	call->reply = slot->reply;
	if ((call->reply.flags & LANE_OUT_MEMFD) != 0) {
		lane_read_mail(call->lane);
		call->data_fd = atomic_exchange(&call->lane->mail[call->slot_index], 0) - 1;
	}
	errno = saved_errno;
	return 0;
}
