/*
 * Lanes of this process: opening, finding, ending, and what goes over their sockets.
 */
#include "client/bsd/lane.h"

#include "client/bsd/next.h"
#include "client/bsd/system_socket.h"
#include "client/connection.h"
#include "wire/kext.h"
#include "wire/wait.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOT_PATIENCE_NS 100000000u /* then look again, whatever woke us */

/* Guarded by system_lock. */
static struct lane *lanes[LANES_MAX];

/* ---- the socket -------------------------------------------------------------------------- */

bool
lane_say(const struct lane *lane, uint32_t kind, uint32_t slot_index, const int *fds,
	 uint32_t fd_count, bool with_ids)
{
	const struct lane_message message = { { kind, sizeof(message) }, slot_index, 0 };

	return connection_send_on(lane->socket_fd, &message.head, fds, fd_count, with_ids);
}

/* A message of the kexthost's.  Its size, 0: hung up, or -errno; up to three descriptors, which
 * the caller owns. */
static ssize_t
lane_hear(int socket_fd, struct lane_message *message, int fds[3], uint32_t *fd_count, int flags)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(3 * sizeof(int))];
	} control;
	struct iovec data = { .iov_base = message, .iov_len = sizeof(*message) };
	struct msghdr header = { .msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 /* not CMSG_SPACE(), whose padding is room for a fourth one */
				 .msg_controllen = CMSG_LEN(3 * sizeof(int)) };
	ssize_t size;

	*fd_count = 0;
	do
		size = NEXT(recvmsg)(socket_fd, &header, MSG_CMSG_CLOEXEC | flags);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return errno == ECONNRESET ? 0 : -errno;
	struct cmsghdr *part = CMSG_FIRSTHDR(&header);
	if (part != NULL && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) {
		*fd_count = (uint32_t)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(part), *fd_count * sizeof(int));
	}
	return size;
}

static void
fds_close(const int *fds, uint32_t fd_count)
{
	for (uint32_t i = 0; i < fd_count; i++)
		close(fds[i]);
}

void
lane_read_mail(struct lane *lane)
{
	struct lane_message message;
	uint32_t fd_count;
	int fds[3];

	for (;;) {
		ssize_t size = lane_hear(lane->socket_fd, &message, fds, &fd_count, MSG_DONTWAIT);
		if (size <= 0)
			return;
		if (size == sizeof(message) && message.head.kind == LANE_REPLY && fd_count == 1 &&
		    message.slot_index < LANE_SLOTS) {
			int before = atomic_exchange(&lane->mail[message.slot_index], fds[0] + 1);
			if (before != 0)
				close(before - 1); /* somebody has jumped out of that call */
			continue;
		}
		fds_close(fds, fd_count);
	}
}

void
lane_die(struct lane *lane)
{
	atomic_store(&lane->state, LANE_DEAD);
	/* nobody tells any more which sockets have marked messages */
	for (uint32_t i = 0; i < LANE_MARKS; i++)
		atomic_store_explicit(&lane->memory->marks[i], 1, memory_order_relaxed);
}

bool
lane_has_died(struct lane *lane)
{
	struct pollfd end = { .fd = lane->socket_fd, .events = 0 };
	const struct kernel_page *page = lane->alive_page;
	int saved_errno = errno;

	if (!lane_is_open(lane))
		return true;
	bool is_gone = page != NULL && alive_word_is_dead(atomic_load(&page->alive));
	bool is_dead = is_gone || (poll(&end, 1, 0) > 0 &&
				   (end.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0);
	if (is_dead)
		lane_die(lane);
	if (is_gone) /* Linux wakes one sleeper only */
		wait_wake(&page->alive, INT_MAX);
	errno = saved_errno;
	return is_dead;
}

/* ---- ending ------------------------------------------------------------------------------ */

/* Give everything back.  It is in the table no more. */
static void
lane_free(struct lane *lane)
{
	for (uint32_t i = 0; i < LANE_SLOTS; i++) {
		int mail = atomic_load(&lane->mail[i]);
		if (mail != 0)
			close(mail - 1);
	}
	if (lane->memory != NULL)
		munmap(lane->memory, sizeof(*lane->memory));
	if (lane->alive_page != NULL)
		munmap((void *)lane->alive_page, sizeof(*lane->alive_page));
	if (lane->event_fd >= 0)
		close(lane->event_fd);
	if (lane->socket_fd >= 0)
		close(lane->socket_fd);
	munmap(lane, sizeof(*lane));
}

static void
lane_forget_locked(uint32_t index)
{
	struct lane *lane = lanes[index];

	lanes[index] = NULL;
	lane_free(lane);
}

void
lane_ref(struct lane *lane)
{
	atomic_fetch_add(&lane->reference_count, 1);
}

void
lane_unref(struct lane *lane)
{
	sigset_t signals;

	if (lane == NULL)
		return;
	bool was_dead = !lane_is_open(lane);
	if (atomic_fetch_sub(&lane->reference_count, 1) > 1 || !was_dead)
		return;
	/* from here on it may be gone: whoever opens a lane looks for dead ones, too */
	system_lock(&signals);
	for (uint32_t i = 0; i < LANES_MAX; i++) {
		if (lanes[i] == lane && atomic_load(&lane->reference_count) == 0 &&
		    !lane_is_open(lane)) {
			lane_forget_locked(i);
			break;
		}
	}
	system_unlock(&signals);
}

/* ---- opening ----------------------------------------------------------------------------- */

/* A place in the table; drops idle lanes to kexthosts that are gone.  NULL: no more. */
static struct lane **
place_find_locked(void)
{
	struct lane **place = NULL;

	for (uint32_t i = 0; i < LANES_MAX; i++) {
		if (lanes[i] != NULL && atomic_load(&lanes[i]->reference_count) == 0 &&
		    lane_has_died(lanes[i]))
			lane_forget_locked(i);
		if (lanes[i] == NULL && place == NULL)
			place = &lanes[i];
	}
	return place;
}

/* Put a lane in the table, with one reference, that is only a socket yet.  Consumes @socket_fd.
 * NULL: no memory, or too many. */
static struct lane *
lane_new(uint32_t host_id, int socket_fd)
{
	struct lane *lane =
	    mmap(NULL, sizeof(*lane), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigset_t signals;

	if (lane == MAP_FAILED) {
		close(socket_fd);
		return NULL;
	}
	lane->host_id = host_id;
	lane->socket_fd = socket_fd;
	lane->event_fd = -1;
	atomic_store(&lane->reference_count, 1);
	atomic_store(&lane->state, LANE_OPENING);
	atomic_store(&lane->owners[0], (uint32_t)gettid());
	system_lock(&signals);
	struct lane **place = place_find_locked();
	if (place != NULL)
		*place = lane;
	system_unlock(&signals);
	if (place != NULL)
		return lane;
	lane_free(lane);
	return NULL;
}

/* Ask the kernel for a lane to that kexthost.  0 or an errno of lane_call_begin(). */
static int
lane_ask(uint32_t host_id, struct lane **result)
{
	struct wire_system ask = { .head = { WIRE_SYSTEM, sizeof(ask) },
				   .operation = WIRE_SYSTEM_LANE,
				   .number = host_id };
	struct wire_system_answer answer;
	sigset_t signals;
	int fd = -1;

	if (!connection_ready())
		return ENOTCONN;
	/* the child of a fork closes what is in the table: so it gets there under this lock */
	connection_lock(&signals);
	int error = connection_system(&ask, NULL, 0, &answer, &fd);
	if (error == 0 && answer.error != 0)
		error = answer.error == ENOENT ? ENOENT : ENOBUFS;
	else if (error == 0 && fd < 0)
		error = ENOBUFS;
	if (error == 0) {
		*result = lane_new(host_id, fd);
		error = *result == NULL ? ENOBUFS : 0;
	} else if (fd >= 0) {
		close(fd);
	}
	connection_unlock(&signals);
	return error;
}

/* Map what @fd holds.  NULL: it holds less, or cannot be mapped. */
static void *
welcome_map(int fd, size_t size, int protection)
{
	struct stat status;

	if (fstat(fd, &status) != 0 || status.st_size < (off_t)size)
		return NULL;
	void *memory = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return NULL;
	madvise(memory, size, MADV_DONTFORK);
	return memory;
}

/* Wait for the kexthost's welcome.  0 or an errno of lane_call_begin(). */
static int
lane_be_welcomed(struct lane *lane)
{
	struct lane_message message;
	uint32_t fd_count;
	int fds[3]; /* memory, eventfd, the page that says that it lives */

	ssize_t size = lane_hear(lane->socket_fd, &message, fds, &fd_count, 0);
	if (size <= 0)
		return size == 0 ? ENOENT : ENOBUFS;
	if (size != sizeof(message) || message.head.kind != LANE_WELCOME ||
	    message.slot_index != LANE_VERSION || fd_count != 3) {
		fds_close(fds, fd_count);
		return ENOBUFS;
	}
	lane->memory = welcome_map(fds[0], sizeof(struct lane_memory), PROT_READ | PROT_WRITE);
	lane->alive_page = welcome_map(fds[2], sizeof(struct kernel_page), PROT_READ);
	close(fds[0]);
	close(fds[2]);
	lane->event_fd = connection_fd_move_high(fds[1]);
	return lane->memory == NULL || lane->alive_page == NULL ? ENOBUFS : 0;
}

/* A new lane, with one reference. */
static int
lane_open(uint32_t host_id, struct lane **result)
{
	int error = lane_ask(host_id, result);

	if (error != 0)
		return error;
	error = lane_be_welcomed(*result);
	atomic_store(&(*result)->owners[0], 0);
	atomic_store(&(*result)->state, error == 0 ? LANE_OPEN : LANE_DEAD);
	if (error != 0)
		lane_unref(*result);
	return error;
}

/* ---- finding ----------------------------------------------------------------------------- */

/* Threads that wait for a slot, and how often there was reason to look again. */
static _Atomic uint32_t slot_waiters;
static _Atomic uint32_t slot_news;

void
lane_slot_is_free(void)
{
	if (atomic_load(&slot_waiters) == 0)
		return;
	atomic_fetch_add(&slot_news, 1);
	wait_wake(&slot_news, 1);
}

/* A slot in a lane that is there.  False, and how many lanes to that kexthost there are. */
static bool
lane_call_find(uint32_t host_id, struct lane_call *call, uint32_t *lane_count)
{
	bool is_found = false;
	sigset_t signals;

	*lane_count = 0;
	system_lock(&signals);
	for (uint32_t i = 0; i < LANES_MAX && !is_found; i++) {
		if (lanes[i] == NULL || lanes[i]->host_id != host_id ||
		    atomic_load(&lanes[i]->state) == LANE_DEAD)
			continue;
		++*lane_count;
		is_found = lane_call_on(lanes[i], call);
	}
	system_unlock(&signals);
	return is_found;
}

int
lane_call_begin(uint32_t host_id, struct lane_call *call)
{
	uint32_t lane_count;
	struct lane *lane;

	for (;;) {
		uint32_t news = atomic_load(&slot_news);

		if (lane_call_find(host_id, call, &lane_count))
			return 0;
		if (lane_count < SYSTEM_LANES) {
			int error = lane_open(host_id, &lane);
			if (error != 0)
				return error;
			bool is_begun = lane_call_on(lane, call);
			lane_unref(lane);
			if (is_begun)
				return 0;
			continue; /* others were quicker */
		}
		atomic_fetch_add(&slot_waiters, 1);
		wait_futex(&slot_news, news, wait_now_ns() + SLOT_PATIENCE_NS);
		atomic_fetch_sub(&slot_waiters, 1);
	}
}

/* ---- fork -------------------------------------------------------------------------------- */

static uint32_t forking_tid;

void
lanes_before_fork(void)
{
	forking_tid = (uint32_t)gettid();
}

/* A handler forked in the middle of a call of its thread's, or while that opened a lane: in the
 * child the call is interrupted.  How many such calls there are. */
static uint32_t
lane_calls_interrupt(struct lane *lane)
{
	struct lane_memory *memory = lane->memory;
	uint32_t count = 0;

	for (uint32_t i = 0; i < LANE_SLOTS; i++)
		count += atomic_load(&lane->owners[i]) == forking_tid;
	const struct kernel_page *alive_page = lane->alive_page;
	lane->memory = NULL; /* were not inherited */
	lane->alive_page = NULL;
	if (count == 0 || memory == NULL)
		return count;
	/* zeroes in its place, and in them how the calls ended */
	if (mmap(memory, sizeof(*memory), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != memory)
		return count;
	lane->memory = memory;
	if (alive_page != NULL &&
	    mmap((void *)alive_page, sizeof(*alive_page), PROT_READ,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == alive_page)
		lane->alive_page = alive_page; /* of nobody: dead */
	for (uint32_t i = 0; i < LANE_SLOTS; i++) {
		if (atomic_load(&lane->owners[i]) != forking_tid)
			continue;
		memory->slots[i].reply.error = EINTR;
		atomic_store(&memory->slots[i].state, LANE_DONE);
	}
	return count;
}

void
lanes_after_fork_in_child(void)
{
	for (uint32_t i = 0; i < LANES_MAX; i++) {
		struct lane *lane = lanes[i];

		if (lane == NULL)
			continue;
		close(lane->socket_fd);
		if (lane->event_fd >= 0)
			close(lane->event_fd);
		lane->socket_fd = -1;
		lane->event_fd = -1;
		uint32_t calls = lane_calls_interrupt(lane);
		atomic_store(&lane->reference_count, calls);
		atomic_store(&lane->state, LANE_DEAD);
		if (calls == 0)
			lane_forget_locked(i);
	}
}
