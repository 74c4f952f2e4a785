/*
 * Traps: a thread's slots, asking, waiting, and how waiting ends.
 */
#include "client/trap.h"

#include "client/exception.h"
#include "client/mach_lane.h"
#include "client/memory.h"
#include "client/say.h"
#include "client/signals.h"
#include "client/site.h"
#include "client/strict.h"
#include "client/thread_hold.h"
#include "wire/promise.h"

#include <mach/mach_init.h>
#include <mach/mach_port.h>
#include <mach/message.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * The first sleep of a wait watches the answer alone: that is cheaper than to watch the kernel
 * as well, and most answers come soon.
 */
#define FIRST_SLEEP_NS 20000000u

/*
 * A futex cannot be left for every signal handler and watch the kernel's life at once: Linux
 * restarts futex_waitv after a handler with SA_RESTART, and what watches one word only must
 * look after the kernel now and then, when a handler that has just run goes unnoticed.  So what
 * may be interrupted sleeps in poll; in this only where there is no descriptor for that.
 */
#define INTERRUPTIBLE_SLICE_NS 2000000000u

static __thread struct thread_state self __attribute__((tls_model("initial-exec")));

/* ---- a thread's slots --------------------------------------------------------------- */

static pthread_key_t end_key;
static pthread_once_t end_key_once = PTHREAD_ONCE_INIT;

/* The thread ends: give back what it has. */
static void
thread_ended(void *unused)
{
	trap_thread_ends();
}

void
trap_thread_ends(void)
{
	sigset_t signals;

	self.is_keyed = false;
	if (self.generation != atomic_load(&connection.generation) || self.level_count == 0)
		return;
	self.is_ending = true; /* what the program gave back already is no misuse of ours */
	if (self.reply_port != MACH_PORT_NULL)
		TRAP_CALL(BERTH_TRAP_PORT_MOD_REFS, NULL, mach_task_self_, self.reply_port,
			  MACH_PORT_RIGHT_RECEIVE, (uint64_t)(int64_t)-1);
	if (self.special_reply_port != MACH_PORT_NULL)
		TRAP_CALL(BERTH_TRAP_PORT_DESTRUCT, NULL, mach_task_self_, self.special_reply_port,
			  (uint64_t)(int64_t)-1, 0);
	if (self.voucher != MACH_PORT_NULL)
		TRAP_CALL(BERTH_TRAP_PORT_DEALLOCATE, NULL, mach_task_self_, self.voucher);
	self.reply_port = MACH_PORT_NULL;
	self.special_reply_port = MACH_PORT_NULL;
	self.voucher = MACH_PORT_NULL;
	self.is_ending = false;
	connection_lock(&signals);
	while (self.level_count > 0) {
		struct wire_thread end = { { WIRE_THREAD_EXIT, sizeof(end) },
					   self.slot_index[--self.level_count],
					   (uint32_t)gettid() };
		connection_waker_drop(end.slot_index);
		if (atomic_load(&connection.state) == CONNECTION_READY)
			connection_send(&end.head, NULL, 0, false);
	}
	connection_unlock(&signals);
}

static void
end_key_make(void)
{
	pthread_key_create(&end_key, thread_ended); /* fails: slots of ended threads are lost */
}

struct thread_state *
thread_state(void)
{
	uint32_t generation = atomic_load_explicit(&connection.generation, memory_order_relaxed);

	if (__builtin_expect(self.generation != generation, 0)) {
		/* a new thread, or the child of a fork: whatever there was is the parent's */
		self.level_count = 0;
		self.reply_port = MACH_PORT_NULL;
		self.special_reply_port = MACH_PORT_NULL;
		self.voucher = MACH_PORT_NULL;
		memset(&self.wait, 0, sizeof(self.wait));
		self.has_waited = false;
		self.generation = generation;
	}
	return &self;
}

/* Get slots for all levels up to @level.  False: none left, or the kernel is gone. */
static bool
thread_slots_get(uint32_t level)
{
	sigset_t signals;
	int saved_errno = errno;

	/* the handler of a signal that comes in between must not find half of it */
	connection_lock(&signals);
	while (self.level_count <= level && atomic_load(&connection.state) == CONNECTION_READY) {
		uint32_t outer = self.level_count == 0 ? WIRE_NO_SLOT : self.slot_index[0];
		uint32_t slot_index = connection_slot_ask(outer);
		if (slot_index == WIRE_NO_SLOT)
			break;
		atomic_store_explicit(&connection_slot(slot_index)->linux_tid, (uint32_t)gettid(),
				      memory_order_relaxed);
		self.slot_index[self.level_count++] = slot_index;
	}
	connection_unlock(&signals);
	if (level == 0 && self.level_count > 0)
		thread_hold_watch();
	if (!self.is_keyed && self.level_count > 0) {
		pthread_once(&end_key_once, end_key_make);
		self.is_keyed = pthread_setspecific(end_key, &self) == 0;
	}
	errno = saved_errno;
	return self.level_count > level;
}

/* ---- one trap ----------------------------------------------------------------------- */

enum trap_outcome
trap_begin(struct trap *trap, uint32_t number)
{
	static _Atomic uint32_t said;

	if (!connection_ready())
		return TRAP_NO_KERNEL;
	struct thread_state *thread = thread_state();
	uint32_t level = thread->depth;
	if (level >= THREAD_LEVELS)
		return TRAP_SHORTAGE;
	thread->depth = level + 1;
	atomic_signal_fence(memory_order_seq_cst); /* a handler from here on is one level deeper */
	if (level >= thread->level_count && !thread_slots_get(level)) {
		thread->depth = level;
		if (atomic_load(&connection.state) != CONNECTION_READY)
			return TRAP_NO_KERNEL;
		SAY_ONCE(&said,
			 "the kernel has no room for another thread of this process (pid %ld)",
			 (long)getpid());
		return TRAP_SHORTAGE;
	}
	trap->slot_index = thread->slot_index[level];
	trap->slot = connection_slot(trap->slot_index);
	trap->doorbell = connection.doorbell;
	trap->kernel_page = connection.kernel_page;
	trap->rings_by_socket = false;
	trap->waits_for_others = false;
	trap->spill_fd = -1;
	trap->bulk_fd = -1;
	trap->event_fd = -1;
	trap->file_fd = -1;
	trap->send_error = 0;
	trap->spill = NULL;
	memset(&trap->slot->request, 0, sizeof(trap->slot->request));
	trap->slot->request.number = number;
	return TRAP_OK;
}

/* Ring, waking the kernel if it sleeps.  True: it slept. */
static bool
ring(const struct trap *trap)
{
	uint64_t one = 1;
	ssize_t written;

	if (!doorbell_ring(trap->doorbell, trap->slot_index))
		return false;
	do
		written = write(connection.event_fd, &one, sizeof(one));
	while (written < 0 && errno == EINTR);
	return true;
}

/* Linux does not send the descriptors, or not now; the kernel is there all the same.  @file_fd:
 * the program's, which another thread may have closed meanwhile. */
static bool
is_about_descriptors(int error, int file_fd)
{
	if (error == EBADF)
		return file_fd >= 0 && fcntl(file_fd, F_GETFD) < 0;
	return error == EINVAL || error == ETOOMANYREFS || error == ENOBUFS || error == ENOMEM;
}

/* Ring by a message that carries the descriptors of the request, if any; ours are closed.
 * False: it did not go out, because of them (send_error) or because the kernel is gone. */
static bool
ring_by_socket(struct trap *trap)
{
	struct wire_thread message = { { WIRE_RING, sizeof(message) }, trap->slot_index, 0 };
	int fds[3];
	uint32_t fd_count = 0, own_count;
	sigset_t signals;

	if (trap->spill_fd >= 0)
		fds[fd_count++] = trap->spill_fd;
	if (trap->bulk_fd >= 0)
		fds[fd_count++] = trap->bulk_fd;
	own_count = fd_count;
	if (trap->file_fd >= 0)
		fds[fd_count++] = trap->file_fd;
	connection_lock(&signals);
	bool is_sent = false;
	if (atomic_load(&connection.state) == CONNECTION_READY) {
		is_sent = connection_send(&message.head, fds, fd_count, false);
		int error = errno;
		if (!is_sent && fd_count > 0 && is_about_descriptors(error, trap->file_fd))
			trap->send_error = error;
	}
	connection_unlock(&signals);
	for (uint32_t i = 0; i < own_count; i++)
		close(fds[i]);
	trap->spill_fd = -1;
	trap->bulk_fd = -1;
	trap->file_fd = -1;
	return is_sent;
}

/* Sleep in a futex until the trap is done, or something else happens, for at most @limit_ns.
 * False: the kernel is gone. */
static bool
sleep_in_futex(const struct trap *trap, uint64_t limit_ns, int *result)
{
	struct trap_slot *slot = trap->slot;
	const _Atomic uint32_t *alive = &trap->kernel_page->alive;
	/* the kernel dies, or drops us alone: connection_died() changes the third word before it
	 * wakes, so whatever happens from here on is seen by the sleep, or ends it */
	const struct wait_word words[] = {
		{ &slot->state, TRAP_ASKED },
		{ alive, atomic_load(alive) },
		{ &connection.state, atomic_load(&connection.state) },
	};

	if (alive_word_is_dead(words[1].value) || words[2].value == CONNECTION_DEAD)
		return false;
	atomic_store(&slot->task_sleeps, TRAP_SLEEPS_IN_FUTEX);
	*result = 0;
	if (atomic_load(&slot->state) == TRAP_ASKED) {
		if (limit_ns != WAIT_FOREVER)
			*result = wait_futex(&slot->state, TRAP_ASKED, wait_now_ns() + limit_ns);
		else
			*result = wait_futex_any(words, 3, WAIT_FOREVER);
	}
	atomic_store_explicit(&slot->task_sleeps, TRAP_SLEEPS_NOT, memory_order_relaxed);
	return true;
}

/* The same in poll, which every handler ends: *@result is -EINTR then; -EBADF: the program has
 * closed our descriptor.  A kernel that drops us closes its end of the waker: that ends it, too,
 * and is not missed before it. */
static bool
sleep_in_poll(const struct trap *trap, int waker_fd, int *result)
{
	struct trap_slot *slot = trap->slot;
	struct pollfd readable = { .fd = waker_fd, .events = POLLIN };
	sigset_t all, before, meanwhile;
	char bytes[64];
	bool is_alive = true;

	/* a handler runs before the sleep, as if before the trap, or in poll; but who is to be held
	 * runs nothing here, and is held when it wakes, without an end of its wait */
	sigfillset(&all);
	signals_set(SIG_SETMASK, &all, &before);
	meanwhile = before;
	sigaddset(&meanwhile, THREAD_HOLD_SIGNAL);
	atomic_store(&slot->task_sleeps, TRAP_SLEEPS_IN_POLL);
	*result = 0;
	if (atomic_load(&slot->state) == TRAP_ASKED) {
		ssize_t got = -1;
		if (ppoll(&readable, 1, NULL, &meanwhile) >= 0)
			got = recv(waker_fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (got < 0 && errno != EAGAIN)
			*result = errno == EINTR ? -EINTR : -EBADF;
		is_alive = got != 0;
	}
	atomic_store_explicit(&slot->task_sleeps, TRAP_SLEEPS_NOT, memory_order_relaxed);
	signals_set(SIG_SETMASK, &before, NULL);
	return is_alive;
}

/* The trap's waker, asked for at the first time, or -1. */
static int
trap_waker(const struct trap *trap)
{
	int waker = WAKER_NONE;
	sigset_t signals;

	connection_lock(&signals); /* or the handler of a signal might fork */
	if (self.generation == atomic_load(&connection.generation)) {
		waker = connection_mail(trap->slot_index)->waker;
		if (waker == 0 && atomic_load(&connection.state) == CONNECTION_READY)
			waker = connection_waker_ask(trap->slot_index);
	}
	connection_unlock(&signals);
	return waker > 0 ? waker - 1 : -1;
}

/* The program has closed it. */
static void
trap_waker_forget(const struct trap *trap)
{
	sigset_t signals;

	connection_lock(&signals);
	if (self.generation == atomic_load(&connection.generation))
		connection_mail(trap->slot_index)->waker = WAKER_NONE;
	connection_unlock(&signals);
}

/*
 * Sleep without a look?  Where the kernel runs on this very CPU and the last answer of this kind
 * was for another task to give, this one will be, too: to yield would give the CPU to the kernel
 * and take it from that task in turn, three switches where two are needed.  The kernel wakes us for
 * half a microsecond of its own; out of a poll it is far more, so who sleeps there looks.
 */
static bool
sleeps_at_once(const struct trap *trap, uint32_t kernel_cpu)
{
	return trap->waits_for_others && self.has_waited && kernel_cpu == wait_cpu();
}

/* Wait until the trap is done; @kernel_slept: do not look for it first.  False: the kernel is
 * gone. */
static bool
await_done(struct trap *trap, enum trap_patience patience, bool kernel_slept)
{
	struct trap_slot *slot = trap->slot;
	struct wait_state *wait = &self.wait;
	bool interruptible = patience == TRAP_INTERRUPTIBLE, is_alive;
	uint64_t limit_ns = FIRST_SLEEP_NS;
	uint32_t holds = thread_hold_count();
	int result;

	wait_begin(wait);
	while (atomic_load_explicit(&slot->state, memory_order_acquire) == TRAP_ASKED) {
		uint32_t kernel_cpu =
		    atomic_load_explicit(&trap->doorbell->kernel_cpu, memory_order_relaxed);
		if (!kernel_slept && (interruptible || !sleeps_at_once(trap, kernel_cpu)) &&
		    wait_look(wait, kernel_cpu))
			continue;
		kernel_slept = false;
		int waker_fd = interruptible ? trap_waker(trap) : -1;
		wait_sleeps(wait);
		if (waker_fd >= 0)
			is_alive = sleep_in_poll(trap, waker_fd, &result);
		else
			is_alive = sleep_in_futex(trap, limit_ns, &result);
		if (result == -EBADF)
			trap_waker_forget(trap);
		if (!is_alive)
			return atomic_load_explicit(&slot->state, memory_order_acquire) ==
			       TRAP_DONE;
		wait_woken(wait);
		if (holds != thread_hold_count()) {
			holds = thread_hold_count(); /* that is no end of the wait */
		} else if (interruptible && result == -EINTR &&
			   atomic_load_explicit(&slot->state, memory_order_acquire) == TRAP_ASKED) {
			interruptible = false; /* the answer comes at once now */
			atomic_store(&slot->cancel, 1);
			ring(trap);
		}
		limit_ns = interruptible ? INTERRUPTIBLE_SLICE_NS : WAIT_FOREVER;
	}
	wait_end(wait);
	return true;
}

/* Fetch the descriptors that belong to the reply. */
static enum trap_outcome
fetch_descriptors(struct trap *trap)
{
	static const uint32_t order[] = { TRAP_HAS_SPILL, TRAP_HAS_BULK, TRAP_HAS_EVENT,
					  TRAP_HAS_FILE };
	int *places[] = { &trap->spill_fd, &trap->bulk_fd, &trap->event_fd, &trap->file_fd };
	uint32_t flags = trap->slot->reply.flags;
	int fds[3];
	uint32_t taken = 0;
	sigset_t signals;

	connection_lock(&signals);
	uint32_t fd_count = 0;
	if (atomic_load(&connection.state) == CONNECTION_READY)
		fd_count = connection_mail_fetch(trap->slot_index, trap->slot->sequence, fds);
	connection_unlock(&signals);
	for (uint32_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if ((flags & order[i]) != 0 && taken < fd_count)
			*places[i] = fds[taken++];
	while (taken < fd_count)
		close(fds[--fd_count]);
	if (fd_count == 0)
		return atomic_load(&connection.state) == CONNECTION_READY ? TRAP_SHORTAGE
									  : TRAP_DIED;
	return TRAP_OK;
}

enum trap_outcome
trap_run(struct trap *trap, enum trap_patience patience)
{
	struct trap_slot *slot = trap->slot;
	int saved_errno = errno;

	atomic_store_explicit(&slot->cancel, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->task_cpu, wait_cpu(), memory_order_relaxed);
	atomic_store_explicit(&slot->state, TRAP_ASKED, memory_order_release);
	bool is_alive = true, kernel_slept = false;
	if (trap->spill_fd < 0 && trap->bulk_fd < 0 && trap->file_fd < 0 && !trap->rings_by_socket)
		kernel_slept = ring(trap);
	else
		is_alive = ring_by_socket(trap);
	if (trap->send_error != 0) {
		/* nobody rang, so nobody has looked, and the slot asks for nothing */
		atomic_store_explicit(&slot->state, TRAP_IDLE, memory_order_relaxed);
		errno = saved_errno;
		return TRAP_SHORTAGE;
	}
	if (!is_alive || !await_done(trap, patience, kernel_slept)) {
		connection_died();
		errno = saved_errno;
		return TRAP_DIED;
	}
	enum trap_outcome outcome = TRAP_OK;
	memory_came(slot, sizeof(*slot));
	if (trap->waits_for_others)
		self.has_waited = (slot->reply.flags & TRAP_HAS_WAITED) != 0;
	if ((slot->reply.flags &
	     (TRAP_HAS_SPILL | TRAP_HAS_BULK | TRAP_HAS_EVENT | TRAP_HAS_FILE)) != 0)
		outcome = fetch_descriptors(trap);
	if (__builtin_expect((slot->reply.flags & TRAP_WATCH_EXCEPTIONS) != 0, 0))
		exception_watch();
	if (__builtin_expect((slot->reply.flags & TRAP_LANES_OFFERED) != 0, 0))
		mach_lanes_offer_seen();
	if (site_is_on())
		site_trap_done(trap);
	if (__builtin_expect(slot->reply.guard.code != 0, 0) && !self.is_ending)
		strict_stop(trap);
	errno = saved_errno;
	return outcome;
}

void
trap_end(struct trap *trap)
{
	if (trap->spill != NULL)
		munmap(trap->spill, trap->spill_size);
	if (trap->spill_fd >= 0)
		close(trap->spill_fd);
	if (trap->bulk_fd >= 0)
		close(trap->bulk_fd);
	if (trap->event_fd >= 0)
		close(trap->event_fd);
	if (trap->file_fd >= 0)
		close(trap->file_fd);
	atomic_signal_fence(memory_order_seq_cst);
	self.depth--;
}

uint8_t *
trap_stream(struct trap *trap)
{
	if ((trap->slot->reply.flags & TRAP_HAS_SPILL) == 0)
		return trap->slot->data;
	if (trap->spill == NULL) {
		trap->spill_size = trap->slot->reply.stream_size_bytes;
		void *memory = mmap(NULL, trap->spill_size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
				    trap->spill_fd, 0);
		if (memory == MAP_FAILED)
			return NULL;
		trap->spill = memory;
	}
	return trap->spill;
}

/* Zeroes in place of what a child does not inherit. */
static bool
memory_replace(const void *memory, size_t size)
{
	return mmap((void *)memory, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == memory;
}

bool
trap_promise_take(mach_port_name_t name)
{
	uint64_t given = promise_word(name, PROMISE_GIVEN);

	if (self.generation != atomic_load_explicit(&connection.generation, memory_order_relaxed) ||
	    self.level_count == 0 || self.depth > 0 || !connection_ready() ||
	    alive_word_is_dead(atomic_load(&connection.kernel_page->alive)) || site_is_on())
		return false;
	_Atomic uint64_t *word = &connection_slot(self.slot_index[0])->promise;

	return atomic_load_explicit(word, memory_order_relaxed) == given &&
	       atomic_compare_exchange_strong(word, &given, promise_word(name, PROMISE_TAKEN));
}

void
trap_forked(void)
{
	/* A handler forked in the middle of a trap; in the child it will return there, and look
	 * once more.  Nobody is to ring for, the kernel is dead, and the slot, which is not mapped
	 * any more, says how the trap ended. */
	if (self.depth == 0 || connection.doorbell == NULL)
		return;
	memory_replace(connection.doorbell, sizeof(*connection.doorbell));
	memory_replace(connection.kernel_page, sizeof(*connection.kernel_page));
	for (uint32_t i = 0; i < self.depth && i < self.level_count; i++) {
		struct trap_slot *slot = connection_slot(self.slot_index[i]);
		if (!memory_replace(slot, sizeof(*slot)))
			continue;
		slot->reply.code = MACH_SEND_INVALID_DEST; /* all its names are gone */
		atomic_store(&slot->state, TRAP_DONE);
	}
}
