/*
 * The one connection of this process to its kernel.
 *
 * States and who moves them (all under `lock`, with all signals blocked):
 *
 *   NONE ──► READY     connection_open(), at the first trap
 *   NONE ──► FAILED    the same: no kernel was found; stays so, calls fail
 *   READY ─► DEAD      connection_died(): the kernel is gone; stays so, calls fail
 *   READY ─► CHILD     in the child of a fork: the socket is there, the rest is not
 *   CHILD ─► READY     connection_open() in that child
 *   any ───► NONE      in the child of a fork that got no socket
 *
 * Whoever holds `lock` has all signals blocked: so a handler never waits for the code that
 * it interrupted.  Nothing here allocates from the heap, since traps work in handlers, too.
 */
#ifndef BERTH_CLIENT_CONNECTION_H
#define BERTH_CLIENT_CONNECTION_H

#include "wire/socket.h"
#include "wire/trap_page.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum connection_state {
	CONNECTION_NONE = 0,
	CONNECTION_READY,
	CONNECTION_CHILD,
	CONNECTION_FAILED,
	CONNECTION_DEAD
};

/* Descriptors that came for a slot's reply and were not fetched yet. */
struct slot_mail {
	uint32_t sequence;
	uint32_t fd_count; /* 0: none */
	int fds[3];
	int waker; /* the descriptor that its thread may sleep on, plus 1; 0: not asked for yet.
		      Only that thread touches it */
};

#define WAKER_NONE (-1) /* there is none to be had */

struct connection {
	_Atomic uint32_t state;      /* enum connection_state */
	_Atomic uint32_t generation; /* 1, and one more in the child of each fork */
	int socket_fd;
	int event_fd;
	struct doorbell *doorbell;
	const struct kernel_page *kernel_page;
	struct trap_slot *segments[TRAP_SEGMENT_MAX];
	struct slot_mail *mail[TRAP_SEGMENT_MAX]; /* one for each slot, guarded by `lock` */
	bool is_first_task;  /* berthd started this process, as its name server */
	uint32_t first_slot; /* came with the welcome; WIRE_NO_SLOT once a thread has it */
	pthread_mutex_t lock;
};

extern struct connection connection;

/* Block all signals and take connection.lock; and the opposite. */
void connection_lock(sigset_t *signals);
void connection_unlock(const sigset_t *signals);

/* Attach if it was not tried yet.  True: ready. */
bool connection_open(void);

/* Is it ready?  Attaches if it was not tried yet. */
static inline bool
connection_ready(void)
{
	return __builtin_expect(atomic_load_explicit(&connection.state, memory_order_acquire) ==
				    CONNECTION_READY,
				1) ||
	       connection_open();
}

/* The kernel is gone: say so once, and wake everybody who sleeps. */
void connection_died(void);

/* Has the kernel page said so? */
static inline bool
alive_word_is_dead(uint32_t alive)
{
	return alive == 0 || (alive & 0x40000000u) != 0; /* FUTEX_OWNER_DIED */
}

/* ---- under the lock, when ready; false or WIRE_NO_SLOT where the kernel is gone ------- */

/*
 * Send one message with up to two descriptors.  @head->size_bytes is filled in by the
 * caller.  @with_ids: also the effective ids, which Linux checks.
 */
bool connection_send(const struct wire_head *head, const int *fds, uint32_t fd_count,
		     bool with_ids);

/* The same on another socket, of which nothing is assumed. */
bool connection_send_on(int socket_fd, const struct wire_head *head, const int *fds,
			uint32_t fd_count, bool with_ids);

/*
 * Ask for a lane, or about an event socket (wire/kext.h), with up to two descriptors.
 *
 * 0, and what came: *@answer, and a descriptor, which the caller owns, or -1 in *@fd
 * ENOTCONN   the kernel is gone
 */
struct wire_system;
struct wire_system_answer;
int connection_system(const struct wire_system *ask, const int *fds, uint32_t fd_count,
		      struct wire_system_answer *answer, int *fd);

/* A slot for this thread.  @outer: of the thread's first level, or WIRE_NO_SLOT.
 * WIRE_NO_SLOT: refused, or the kernel is gone. */
uint32_t connection_slot_ask(uint32_t outer);

/* Wait for the descriptors of reply @sequence in @slot_index.  How many came; the caller
 * owns them.  0: the kernel is gone. */
uint32_t connection_mail_fetch(uint32_t slot_index, uint32_t sequence, int fds[3]);

/* Ask for the waker of the thread's own slot (wire/trap_page.h).  What connection_mail() then
 * has; the descriptor stays the connection's. */
int connection_waker_ask(uint32_t slot_index);
void connection_waker_drop(uint32_t slot_index);

/* Move @fd to a high number, out of the program's way, close-on-exec.  Consumes it.  Needs no
 * lock. */
int connection_fd_move_high(int fd);

/* Prepare a fork: the child's connection, or -1. */
int connection_fork(void);

/* Sets the handlers of fork; a constructor. */
void fork_watch(void);

static inline struct trap_slot *
connection_slot(uint32_t slot_index)
{
	return &connection
		    .segments[slot_index / TRAP_SEGMENT_SLOTS][slot_index % TRAP_SEGMENT_SLOTS];
}

static inline struct slot_mail *
connection_mail(uint32_t slot_index)
{
	return &connection.mail[slot_index / TRAP_SEGMENT_SLOTS][slot_index % TRAP_SEGMENT_SLOTS];
}

/* ---- fork (client/fork.c), in the child ----------------------------------------------- */

/* Forget the parent's connection; @socket_fd is the child's own, or -1.  Consumes it. */
void connection_start_over(int socket_fd);

#endif
