/*
 * System sockets of this process: the table, and who holds what.
 */
#include "client/bsd/system_socket.h"

#include "client/bsd/control.h"
#include "client/bsd/interpose.h"
#include "client/bsd/lane.h"
#include "client/bsd/next.h"
#include "client/signals.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define POOL_SOCKETS 64u /* structures made at once */
#define HANGUP_LOOKS 1000
#define HANGUP_LOOK_NS 1000000

struct system_page *_Atomic system_table[SYSTEM_PAGES];

__attribute__((used)) static const char *const interposers[] = { &interpose_is_here,
								 &interpose_io_is_here };

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

/* Guarded by the lock. */
struct pool {
	struct pool *next;
	struct system_socket sockets[POOL_SOCKETS];
};
static struct pool *pools;
static struct system_socket *free_sockets;
/* Who the table belongs to: a child of vfork shares our memory, but not our descriptors. */
static pid_t owner_pid;

void
system_lock(sigset_t *signals)
{
	sigset_t all;

	sigfillset(&all);
	signals_set(SIG_SETMASK, &all, signals);
	pthread_mutex_lock(&table_lock);
}

void
system_unlock(const sigset_t *signals)
{
	pthread_mutex_unlock(&table_lock);
	signals_set(SIG_SETMASK, signals, NULL);
}

/* ---- memory ------------------------------------------------------------------------------ */

/* Zeroed memory that is never given back.  NULL: there is none.  No heap: these functions run
 * in signal handlers, too. */
static void *
pages_new(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static struct system_socket *
socket_new_locked(void)
{
	if (free_sockets == NULL) {
		struct pool *pool = pages_new(sizeof(*pool));

		if (pool == NULL)
			return NULL;
		pool->next = pools;
		pools = pool;
		for (uint32_t i = 0; i < POOL_SOCKETS; i++) {
			pthread_mutex_init(&pool->sockets[i].read_lock, NULL);
			pool->sockets[i].next_free = free_sockets;
			free_sockets = &pool->sockets[i];
		}
	}
	struct system_socket *socket = free_sockets;
	free_sockets = socket->next_free;
	return socket;
}

void
system_end(struct system_socket *socket)
{
	struct lane *lanes[SYSTEM_LANES];
	int saved_errno = errno;
	sigset_t signals;

	system_lock(&signals);
	atomic_store(&socket->mark, NULL);
	for (uint32_t i = 0; i < SYSTEM_LANES; i++)
		lanes[i] = atomic_exchange(&socket->attachments[i].lane, NULL);
	socket->next_free = free_sockets;
	free_sockets = socket;
	system_unlock(&signals);
	for (uint32_t i = 0; i < SYSTEM_LANES; i++)
		lane_unref(lanes[i]);
	errno = saved_errno;
}

/* ---- the table --------------------------------------------------------------------------- */

static struct system_socket *_Atomic *
place_locked(int fd)
{
	if (fd < 0 || (unsigned int)fd >= SYSTEM_FD_MAX)
		return NULL;
	struct system_page *_Atomic *at = &system_table[(unsigned int)fd >> SYSTEM_PAGE_BITS];
	struct system_page *page = atomic_load(at);
	if (page == NULL) {
		page = pages_new(sizeof(*page));
		if (page == NULL)
			return NULL;
		atomic_store_explicit(at, page, memory_order_release);
	}
	return &page->sockets[(unsigned int)fd & (SYSTEM_PAGE_FDS - 1)];
}

/* Put @socket (a reference and a descriptor more) there in place of whatever was, which is
 * given.  False: no memory, or a number too high. */
static bool
enter_locked(int fd, struct system_socket *socket, struct system_socket **before)
{
	struct system_socket *_Atomic *place = place_locked(fd);

	if (place == NULL)
		return false;
	atomic_fetch_add(&socket->reference_count, 1);
	atomic_fetch_add(&socket->descriptor_count, 1);
	*before = atomic_exchange(place, socket);
	return true;
}

int
system_add(int fd, enum system_kind kind, enum system_state state)
{
	struct system_socket *before = NULL;
	struct stat status;
	sigset_t signals;

	if (fstat(fd, &status) != 0)
		return -errno;
	if (!S_ISSOCK(status.st_mode))
		return -ENOTSOCK;
	system_lock(&signals);
	if (owner_pid == 0)
		owner_pid = getpid();
	bool is_owner = getpid() == owner_pid, is_in = !is_owner;
	struct system_socket *socket = is_owner ? socket_new_locked() : NULL;
	if (socket != NULL) {
		socket->kind = kind;
		socket->device = status.st_dev;
		socket->inode = status.st_ino;
		atomic_store(&socket->state, state);
		atomic_store(&socket->flags, 0);
		atomic_store(&socket->host_id, 0);
		atomic_store(&socket->sendsize, 0);
		atomic_store(&socket->recvsize, 0);
		atomic_store(&socket->read_bytes, 0);
		atomic_store(&socket->peeked_end, 0);
		is_in = enter_locked(fd, socket, &before);
		if (!is_in) {
			socket->next_free = free_sockets;
			free_sockets = socket;
		}
	}
	system_unlock(&signals);
	system_closed(before); /* a stale one */
	return is_in ? 0 : -ENOBUFS;
}

int
system_add_dup(int fd, struct system_socket *socket)
{
	struct system_socket *before = NULL;
	sigset_t signals;

	system_lock(&signals);
	/* in the child of vfork the new descriptor is not one of the table's owner */
	bool is_in = getpid() != owner_pid || enter_locked(fd, socket, &before);
	system_unlock(&signals);
	system_closed(before);
	return is_in ? 0 : -ENOBUFS;
}

struct system_socket *
system_remove(int fd)
{
	struct system_socket *socket = NULL;
	sigset_t signals;

	if (system_entry(fd) == NULL)
		return NULL;
	system_lock(&signals);
	struct system_socket *_Atomic *place = place_locked(fd);
	if (place != NULL && getpid() == owner_pid)
		socket = atomic_exchange(place, NULL);
	system_unlock(&signals);
	return socket;
}

void
system_put_back(int fd, struct system_socket *socket)
{
	struct system_socket *before = NULL;
	sigset_t signals;

	if (socket == NULL)
		return;
	system_lock(&signals);
	struct system_socket *_Atomic *place = place_locked(fd);
	if (place != NULL)
		before = atomic_exchange(place, socket);
	system_unlock(&signals);
	system_closed(place != NULL ? before : socket);
}

void
system_closed(struct system_socket *socket)
{
	if (socket == NULL)
		return;
	if (atomic_fetch_sub(&socket->descriptor_count, 1) == 1 && socket->kind != SYSTEM_EVENT)
		control_closed(socket);
	system_unref(socket);
}

/* ---- calls ------------------------------------------------------------------------------- */

__thread uint32_t system_holds_here __attribute__((tls_model("initial-exec")));

bool
system_is_stale(const struct system_hold *hold)
{
	struct system_socket *socket = hold->socket;
	int saved_errno = errno;
	struct stat status;
	sigset_t signals;
	bool was_there = false;

	bool is_stale = fstat(hold->fd, &status) != 0 || status.st_ino != socket->inode ||
			status.st_dev != socket->device;
	errno = saved_errno;
	if (!is_stale)
		return false;
	system_lock(&signals);
	struct system_socket *_Atomic *place = place_locked(hold->fd);
	if (place != NULL && getpid() == owner_pid)
		was_there = atomic_compare_exchange_strong(
		    place, &(struct system_socket *){ socket }, NULL);
	system_unlock(&signals);
	if (was_there)
		system_closed(socket);
	errno = saved_errno;
	return true;
}

bool
system_take_known(struct system_hold *hold, int fd)
{
	if (!system_take(hold, fd))
		return false;
	if (!system_is_stale(hold))
		return true;
	system_let_go(hold);
	return false;
}

/* ---- the end of a kexthost --------------------------------------------------------------- */

static bool
are_hung_up_locked(uint32_t host_id)
{
	for (uint32_t i = 0; i < SYSTEM_PAGES; i++) {
		struct system_page *page = atomic_load(&system_table[i]);

		for (uint32_t j = 0; page != NULL && j < SYSTEM_PAGE_FDS; j++) {
			struct system_socket *socket = atomic_load(&page->sockets[j]);

			if (socket != NULL && socket->kind != SYSTEM_EVENT &&
			    atomic_load(&socket->host_id) == host_id &&
			    atomic_load(&socket->state) != SYSTEM_DEAD &&
			    !control_is_hung_up((int)(i << SYSTEM_PAGE_BITS | j)))
				return false;
		}
	}
	return true;
}

void
system_await_hangups(uint32_t host_id)
{
	const struct timespec moment = { .tv_nsec = HANGUP_LOOK_NS };
	sigset_t signals;

	for (int i = 0; i < HANGUP_LOOKS; i++) {
		system_lock(&signals);
		bool is_over = are_hung_up_locked(host_id);
		system_unlock(&signals);
		if (is_over)
			return;
		nanosleep(&moment, NULL);
	}
}

/* ---- fork -------------------------------------------------------------------------------- */

/* The lock is held from before the fork on, in both processes; signals are blocked by who holds
 * connection.lock. */

void
system_before_fork(void)
{
	pthread_mutex_lock(&table_lock);
	lanes_before_fork();
}

void
system_after_fork_in_parent(void)
{
	pthread_mutex_unlock(&table_lock);
}

/* Threads that are not here had calls under way: only the table's own references are left. */
static void
count_again(void)
{
	for (struct pool *pool = pools; pool != NULL; pool = pool->next) {
		for (uint32_t i = 0; i < POOL_SOCKETS; i++) {
			atomic_store(&pool->sockets[i].reference_count, 0);
			atomic_store(&pool->sockets[i].descriptor_count, 0);
		}
	}
	for (uint32_t i = 0; i < SYSTEM_PAGES; i++) {
		struct system_page *page = atomic_load(&system_table[i]);

		for (uint32_t j = 0; page != NULL && j < SYSTEM_PAGE_FDS; j++) {
			struct system_socket *socket = atomic_load(&page->sockets[j]);

			if (socket == NULL)
				continue;
			atomic_fetch_add(&socket->reference_count, 1);
			atomic_fetch_add(&socket->descriptor_count, 1);
		}
	}
	free_sockets = NULL;
	for (struct pool *pool = pools; pool != NULL; pool = pool->next) {
		for (uint32_t i = 0; i < POOL_SOCKETS; i++) {
			if (atomic_load(&pool->sockets[i].reference_count) != 0)
				continue;
			pool->sockets[i].next_free = free_sockets;
			free_sockets = &pool->sockets[i];
		}
	}
}

void
system_after_fork_in_child(void)
{
	if (owner_pid != 0)
		owner_pid = getpid();
	if (system_holds_here == 0) /* else a handler forks, and its call will be back */
		count_again();
	/* the parent's handles mean nothing here, and its lanes are gone */
	for (struct pool *pool = pools; pool != NULL; pool = pool->next) {
		for (uint32_t i = 0; i < POOL_SOCKETS; i++) {
			struct system_socket *socket = &pool->sockets[i];

			atomic_store(&socket->mark, NULL);
			for (uint32_t j = 0; j < SYSTEM_LANES; j++)
				atomic_store(&socket->attachments[j].lane, NULL);
			atomic_store(&socket->state, SYSTEM_UNKNOWN);
			/* a thread that is not here may have held it */
			pthread_mutex_init(&socket->read_lock, NULL);
		}
	}
	lanes_after_fork_in_child();
	pthread_mutex_unlock(&table_lock);
}
