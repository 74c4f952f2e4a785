/*
 * What this process knows of its system sockets: control sockets and event sockets.
 *
 * A table by descriptor says which descriptors are such sockets; reading it takes no lock and
 * no system call, and a process that has none pays one load.  Descriptors that were made of
 * each other (dup) share one struct system_socket.  It is counted: each descriptor in the table
 * is a reference, and so is each call under way (struct system_hold); its memory is never given
 * back, so that a reader who comes too late finds a count of 0 and looks again.
 *
 * An entry may be stale: Linux may have closed the descriptor without this library (fclose, a
 * bare system call), and given its number to something else.  So what would do harm then looks
 * at inode and device first, and no answer of an ordinary descriptor is changed.
 *
 * Lock: `system_lock`, with all signals blocked, guards table, pool and lanes (lane.h).  It is
 * the inner one of connection.lock; nothing is called under it but mmap, munmap and close.
 */
#ifndef BERTH_CLIENT_BSD_SYSTEM_SOCKET_H
#define BERTH_CLIENT_BSD_SYSTEM_SOCKET_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SYSTEM_PAGE_BITS 10u
#define SYSTEM_PAGE_FDS (1u << SYSTEM_PAGE_BITS)
#define SYSTEM_PAGES 1024u
#define SYSTEM_FD_MAX (SYSTEM_PAGES * SYSTEM_PAGE_FDS) /* fs.nr_open, unless root raises it */
#define SYSTEM_LANES 8u /* lanes to one kexthost: so many times LANE_SLOTS calls at once */

enum system_kind { SYSTEM_DGRAM = 1, SYSTEM_STREAM, SYSTEM_EVENT };

/*
 * What a control socket is, as far as this process knows.  A socket may be shared with other
 * processes, who move it on as well: only CONNECTED and DEAD stay what they are.
 *
 *   UNKNOWN ─► any        system_look(): inherited or received; the child of a fork starts so
 *   FRESH ─► BOUND        bind()
 *   FRESH, BOUND ─► CONNECTED, DEAD  connect(); DEAD: its callback said no
 *   CONNECTED ─► DEAD     the kext is gone
 *   FOREIGN               connected to what is none of our kernel's: left to Linux
 */
enum system_state {
	SYSTEM_UNKNOWN = 0,
	SYSTEM_FRESH,
	SYSTEM_BOUND, /* attached, not connected */
	SYSTEM_CONNECTED,
	SYSTEM_DEAD,
	SYSTEM_FOREIGN
};

enum system_flags {
	SYSTEM_NOSIGPIPE = 1,
	SYSTEM_DONTTRUNC = 2,
	SYSTEM_WANTS_RCVD = 4,
	SYSTEM_HAS_SEND = 8,
	SYSTEM_IS_SHUT = 16 /* SHUT_RD */
};

struct lane;

/* What the socket is called in one lane. */
struct system_attachment {
	struct lane *_Atomic lane; /* counted; NULL: none */
	uint64_t handle;           /* written before `lane`, and not again */
};

struct system_socket {
	/* what every read looks at, in one cache line */
	_Atomic uint32_t reference_count; /* 0: free */
	uint32_t kind;                    /* enum system_kind */
	_Atomic uint32_t state;           /* enum system_state */
	_Atomic uint32_t flags;           /* enum system_flags */
	/* of the first message in its queue, the bytes that were read under SO_DONTTRUNC */
	_Atomic uint32_t read_bytes;
	/* bytes from there to an end without bytes that was looked at; 0: none.  Linux shows such a
	 * message once only to who looks at one after the other */
	_Atomic uint32_t peeked_end;
	/* in the memory of the first lane that it has a handle in: may its messages be marked?
	 * (wire/lane.h)  NULL: not to be known */
	const _Atomic uint8_t *_Atomic mark;

	_Atomic uint32_t descriptor_count;
	dev_t device;
	ino_t inode;
	_Atomic uint32_t host_id;
	_Atomic uint32_t id, unit;
	_Atomic uint32_t sendsize, recvsize; /* before it is attached: what was asked for */
	struct system_attachment attachments[SYSTEM_LANES];
	pthread_mutex_t read_lock; /* of reads that take several steps; all signals blocked */
	struct system_socket *next_free;
} __attribute__((aligned(64)));

/* A page of the table; NULL: no descriptor there is one of ours. */
struct system_page {
	struct system_socket *_Atomic sockets[SYSTEM_PAGE_FDS];
};
extern struct system_page *_Atomic system_table[SYSTEM_PAGES];

/* The entry of @fd, not counted: only whether there is one means something. */
static inline struct system_socket *
system_entry(int fd)
{
	if (__builtin_expect((unsigned int)fd >= SYSTEM_FD_MAX, 0))
		return NULL;
	struct system_page *page = atomic_load_explicit(
	    &system_table[(unsigned int)fd >> SYSTEM_PAGE_BITS], memory_order_acquire);
	if (__builtin_expect(page == NULL, 1))
		return NULL;
	return atomic_load_explicit(&page->sockets[(unsigned int)fd & (SYSTEM_PAGE_FDS - 1)],
				    memory_order_acquire);
}

void system_lock(sigset_t *signals);
void system_unlock(const sigset_t *signals);

/* ---- calls ------------------------------------------------------------------------------- */

/* A call on a system socket, on its thread's stack. */
struct system_hold {
	struct system_socket *socket; /* counted */
	int fd;
};

/* Calls that this thread is in. */
extern __thread uint32_t system_holds_here __attribute__((tls_model("initial-exec")));
/* The last reference is gone.  Leaves errno alone. */
void system_end(struct system_socket *socket);

static inline void
system_unref(struct system_socket *socket)
{
	if (__builtin_expect(atomic_fetch_sub(&socket->reference_count, 1) == 1, 0))
		system_end(socket);
}

/* False: @fd is none of ours (any more).  Else system_let_go() ends it; it can be handed to
 * pthread_cleanup_push(). */
static inline bool
system_take(struct system_hold *hold, int fd)
{
	for (;;) {
		struct system_socket *socket = system_entry(fd);

		if (socket == NULL)
			return false;
		uint32_t count =
		    atomic_load_explicit(&socket->reference_count, memory_order_relaxed);
		while (count != 0 &&
		       !atomic_compare_exchange_weak(&socket->reference_count, &count, count + 1))
			continue;
		if (count == 0)
			continue; /* it has just gone */
		hold->socket = socket;
		hold->fd = fd;
		if (system_entry(fd) == socket) {
			system_holds_here++;
			return true;
		}
		system_unref(socket); /* it has become another's */
	}
}

/* The same, after a look whether it still is what we know it as. */
bool system_take_known(struct system_hold *hold, int fd);
static inline bool
system_take_sure(struct system_hold *hold, int fd)
{
	return __builtin_expect(system_entry(fd) != NULL, 0) && system_take_known(hold, fd);
}
static inline void
system_let_go(void *context)
{
	struct system_hold *hold = context;

	system_holds_here--;
	system_unref(hold->socket);
	hold->socket = NULL;
}

/* The descriptor is something else by now: take it out of the table, if it is still there as
 * @hold knows it.  True: it is something else. */
bool system_is_stale(const struct system_hold *hold);

/* ---- the table --------------------------------------------------------------------------- */

/*
 * @fd, just made, is a system socket of @kind.
 * 0; -ENOBUFS: no memory, or a number too high; -errno: it is no socket.
 */
int system_add(int fd, enum system_kind kind, enum system_state state);

/* @fd is made of the descriptor of @socket, which the caller holds.  As above. */
int system_add_dup(int fd, struct system_socket *socket);

/*
 * @fd is about to be closed: takes it out of the table.  Its socket, with the reference that
 * the table had, for system_closed() or system_put_back(); NULL: it was not there, or this
 * process is not the table's owner (a child of vfork).
 */
struct system_socket *system_remove(int fd);
/* It was not closed after all. */
void system_put_back(int fd, struct system_socket *socket);
/* It was: if it was the last descriptor here, wait for the kext to have heard of it if that was
 * the last anywhere.  Consumes @socket; NULL: nothing. */
void system_closed(struct system_socket *socket);

/*
 * That kexthost is known to be gone: wait, not for long, until Linux has closed its ends of all
 * sockets of this process, which it does a moment later; so that who has seen it in one call
 * sees it everywhere.
 */
void system_await_hangups(uint32_t host_id);

/* What a descriptor that this process did not make itself is (recognise.c); enters it. */
void system_recognise(int fd);
/* The same for all descriptors in the control data of a received message. */
struct msghdr;
void system_recognise_passed(const struct msghdr *message);

/* ---- fork (client/fork.c) ---------------------------------------------------------------- */

/* In this order, with connection.lock held; the last two end it in each process. */
void system_before_fork(void);
void system_after_fork_in_parent(void);
void system_after_fork_in_child(void);

#endif
