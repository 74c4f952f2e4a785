/*
 * The threads of the control server, and what they wait for.
 *
 * All threads wait in one epoll; whoever is woken serves what came, which may mean running a
 * kext's callback for as long as it likes.  There is always one more thread that waits: a
 * thread that goes into a callback sees to that (server_keep_awake()).  So a slow callback
 * blocks nobody else.
 *
 * Calls that come by a bell are looked for in memory by at most one thread at a time, the
 * *looker*, as long as that pays (wire/wait.h).  While the looker serves what he found nobody
 * looks; the programs know, for they write the lane's eventfd when they have waited in vain.
 */
#include "kexts/host/control.h"

#include "kexts/host/host_log.h"
#include "wire/wait.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define THREADS_MAX 1024u /* callbacks that may be under way at once */
#define HOT_MAX 16u       /* lanes that the looker looks at */
#define LOOK_FLOOR_NS 5000u
#define TURNS_MAX 64u /* bells of one lane that are served before what else has come */

/* ---- sources -----------------------------------------------------------------------------------
 */

struct source {
	void *object; /* counted; NULL: free */
	enum source_kind kind;
	uint32_t generation;
	uint32_t next_free; /* index + 1 */
};

static struct {
	pthread_mutex_t lock;
	struct source *all;
	uint32_t count, free;
} sources = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int main_epoll = -1;
/* Connections have an epoll of their own within the first, so that their hang-ups can be taken
 * apart from all else: connections_reap(). */
static int connection_epoll = -1;
#define CONNECTIONS_TOKEN UINT64_MAX

static int
epoll_of(enum source_kind kind)
{
	return kind == SOURCE_CONNECTION ? connection_epoll : main_epoll;
}

static uint32_t
mode_of(enum source_kind kind)
{
	return kind == SOURCE_BELL ? 0 : EPOLLONESHOT;
}

static void
object_ref(enum source_kind kind, void *object)
{
	if (kind == SOURCE_CONNECTION)
		connection_ref(object);
	else
		lane_ref(object);
}

static void
object_unref(enum source_kind kind, void *object)
{
	if (kind == SOURCE_CONNECTION)
		connection_unref(object);
	else
		lane_unref(object);
}

static uint64_t
token_of_locked(uint32_t index)
{
	return (uint64_t)sources.all[index].generation << 32 | index;
}

static bool
sources_reserve_locked(void)
{
	uint32_t count = sources.count == 0 ? 64 : sources.count * 2;

	if (sources.free != 0)
		return true;
	struct source *more = realloc(sources.all, count * sizeof(more[0]));
	if (more == NULL)
		return false;
	sources.all = more;
	for (uint32_t i = count; i-- > sources.count;) {
		more[i] = (struct source){ .next_free = sources.free };
		sources.free = i + 1;
	}
	sources.count = count;
	return true;
}

static void
source_free_locked(uint32_t index)
{
	sources.all[index].object = NULL;
	sources.all[index].generation++;
	sources.all[index].next_free = sources.free;
	sources.free = index + 1;
}

int
source_open(enum source_kind kind, void *object, int fd, uint32_t events, uint32_t *source)
{
	struct epoll_event event = { .events = events | mode_of(kind) };
	bool is_counted = false;
	int error = 0;

	pthread_mutex_lock(&sources.lock);
	if (!sources_reserve_locked()) {
		error = -ENOMEM;
	} else {
		uint32_t index = sources.free - 1;

		sources.free = sources.all[index].next_free;
		sources.all[index].object = object;
		sources.all[index].kind = kind;
		*source = index;
		object_ref(kind, object);
		is_counted = true;
		event.data.u64 = token_of_locked(index);
		if (epoll_ctl(epoll_of(kind), EPOLL_CTL_ADD, fd, &event) != 0) {
			error = -errno;
			source_free_locked(index);
		}
	}
	pthread_mutex_unlock(&sources.lock);
	if (is_counted && error != 0)
		object_unref(kind, object);
	return error;
}

void
source_arm(enum source_kind kind, uint32_t source, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events | mode_of(kind) };

	pthread_mutex_lock(&sources.lock);
	event.data.u64 = token_of_locked(source);
	pthread_mutex_unlock(&sources.lock);
	epoll_ctl(epoll_of(kind), EPOLL_CTL_MOD, fd, &event);
}

void
source_close(enum source_kind kind, uint32_t source, int fd)
{
	void *object;

	epoll_ctl(epoll_of(kind), EPOLL_CTL_DEL, fd, NULL);
	pthread_mutex_lock(&sources.lock);
	object = sources.all[source].object;
	source_free_locked(source);
	pthread_mutex_unlock(&sources.lock);
	object_unref(kind, object);
}

/* What @token points at, counted; NULL: it is gone. */
static void *
source_find(uint64_t token, enum source_kind *kind)
{
	uint32_t index = (uint32_t)token;
	void *object = NULL;

	pthread_mutex_lock(&sources.lock);
	if (index < sources.count && sources.all[index].generation == token >> 32)
		object = sources.all[index].object;
	if (object != NULL) {
		*kind = sources.all[index].kind;
		object_ref(*kind, object);
	}
	pthread_mutex_unlock(&sources.lock);
	return object;
}

/* ---- looking ------------------------------------------------------------------------ */

static struct {
	_Atomic bool is_taken;     /* somebody looks, and what follows is his */
	struct lane *hot[HOT_MAX]; /* counted */
	uint32_t hot_count;
	uint32_t turn;        /* whose bell is looked at first */
	uint32_t program_cpu; /* of who rang last */
	bool slept;
	struct wait_state wait;
} look = { .wait = { .floor_ns = LOOK_FLOOR_NS } };

static bool
look_take(void)
{
	return !atomic_exchange_explicit(&look.is_taken, true, memory_order_acquire);
}

static void
look_give(void)
{
	atomic_store_explicit(&look.is_taken, false, memory_order_release);
}

/* Nobody looks at the lane any more.  True: its bell was rung just before. */
static bool
hot_cool(struct lane *lane)
{
	struct lane_bell *bell = &lane->memory->bell;

	atomic_store_explicit(&bell->host_cpu, 0, memory_order_relaxed);
	atomic_store_explicit(&bell->host_sleeps, 1, memory_order_seq_cst);
	return atomic_load_explicit(&bell->bells, memory_order_seq_cst) != 0;
}

static void
bell_write(struct lane *lane)
{
	uint64_t one = 1;
	ssize_t written = write(lane->bell_fd, &one, sizeof(one));

	(void)written; /* full means that it is readable */
}

static void
hot_drop(uint32_t index)
{
	struct lane *lane = look.hot[index];

	if (hot_cool(lane))
		bell_write(lane);
	look.hot[index] = look.hot[--look.hot_count];
	lane_unref(lane);
}

static void
hot_add(struct lane *lane)
{
	for (uint32_t i = 0; i < look.hot_count; i++)
		if (look.hot[i] == lane)
			return;
	if (look.hot_count == HOT_MAX)
		hot_drop(0);
	lane_ref(lane);
	look.hot[look.hot_count++] = lane;
	atomic_store_explicit(&lane->memory->bell.host_sleeps, 0, memory_order_relaxed);
}

/* Take one bell of @lane; if there are more, another thread is told.  False: there is none. */
static bool
bell_take(struct lane *lane, uint32_t *slot_index)
{
	struct lane_bell *bell = &lane->memory->bell;

	if (atomic_load_explicit(&bell->bells, memory_order_acquire) == 0)
		return false;
	uint64_t bells = atomic_exchange_explicit(&bell->bells, 0, memory_order_seq_cst);
	if (bells == 0)
		return false;
	*slot_index = (uint32_t)__builtin_ctzll(bells);
	bells &= bells - 1;
	if (bells != 0) {
		atomic_fetch_or_explicit(&bell->bells, bells, memory_order_seq_cst);
		bell_write(lane);
	}
	return true;
}

/* The lane with a bell, counted; NULL: all are silent. */
static struct lane *
hot_find(uint32_t *slot_index)
{
	uint32_t cpu = wait_cpu();

	for (uint32_t i = 0; i < look.hot_count; i++) {
		/* in turn: one that rings without end keeps none of the others waiting */
		struct lane *lane = look.hot[(look.turn + i) % look.hot_count];

		if (atomic_load_explicit(&lane->memory->bell.host_cpu, memory_order_relaxed) != cpu)
			atomic_store_explicit(&lane->memory->bell.host_cpu, cpu,
					      memory_order_relaxed);
		if (bell_take(lane, slot_index)) {
			look.program_cpu = atomic_load_explicit(
			    &lane->memory->slots[*slot_index].program_cpu, memory_order_relaxed);
			look.turn = (look.turn + i + 1) % look.hot_count;
			lane_ref(lane);
			return lane;
		}
	}
	return NULL;
}

/* Say to all that nobody looks.  False: somebody rang meanwhile. */
static bool
hot_sleep(void)
{
	bool is_rung = false;

	for (uint32_t i = 0; i < look.hot_count; i++)
		is_rung |= hot_cool(look.hot[i]);
	if (!is_rung) {
		while (look.hot_count > 0)
			lane_unref(look.hot[--look.hot_count]);
		return true;
	}
	for (uint32_t i = 0; i < look.hot_count; i++)
		atomic_store_explicit(&look.hot[i]->memory->bell.host_sleeps, 0,
				      memory_order_relaxed);
	return false;
}

/* As the looker: serve what comes until nothing does for a while. */
static void
look_around(void)
{
	uint32_t slot_index;

	wait_begin(&look.wait);
	for (;;) {
		struct lane *lane = hot_find(&slot_index);

		if (lane != NULL) {
			wait_end(&look.wait);
			look_give();
			lane_serve(lane, slot_index);
			bool is_looker = look_take();
			if (is_looker)
				hot_add(lane); /* another looker may have left it */
			lane_unref(lane);
			if (!is_looker)
				return;
			wait_begin(&look.wait);
			continue;
		}
		if (look.hot_count > 0 && wait_look(&look.wait, look.program_cpu))
			continue;
		wait_sleeps(&look.wait);
		if (hot_sleep()) {
			look.slept = true;
			look_give();
			return;
		}
	}
}

/* The eventfd of @lane was written. */
static void
bell_event(struct lane *lane)
{
	uint32_t slot_index;

	if (look_take()) {
		if (look.slept)
			wait_woken(&look.wait);
		look.slept = false;
		hot_add(lane);
		look_around();
		return;
	}
	/* somebody looks, but perhaps not here, or he is busy */
	uint32_t turns = 0;
	for (; turns < TURNS_MAX && bell_take(lane, &slot_index); turns++)
		lane_serve(lane, slot_index);
	if (turns == TURNS_MAX)
		bell_write(lane);
}

/* ---- threads ------------------------------------------------------------------------ */

/* Who was started and has not run yet is as good as idle: where the CPU is busy, he runs late. */
static _Atomic uint32_t idle_count, starting_count, thread_count;

static void
handle(uint64_t token)
{
	enum source_kind kind;
	void *object = source_find(token, &kind);

	if (object == NULL)
		return;
	switch (kind) {
	case SOURCE_LANE:
		lane_end(object);
		break;
	case SOURCE_BELL:
		bell_event(object);
		break;
	case SOURCE_CONNECTION:
		break; /* handle_connection() */
	}
	object_unref(kind, object);
}

/* Threads that have taken an event of a connection, and have not yet said what it is. */
static _Atomic uint32_t in_hand_count;

/* Take what has happened to one connection.  False: nothing has.  @taken is called when it is
 * known that others may take the next. */
static bool
handle_connection(void (*taken)(void))
{
	struct epoll_event event;
	enum source_kind kind;
	struct connection *connection = NULL;

	in_hand_count++;
	int count = epoll_wait(connection_epoll, &event, 1, 0);
	if (taken != NULL)
		taken();
	if (count == 1)
		connection = source_find(event.data.u64, &kind);
	bool ends = connection != NULL && (event.events & (EPOLLHUP | EPOLLERR)) != 0;
	if (ends)
		connection_detaching_begin(connection);
	in_hand_count--;
	if (connection != NULL) {
		server_keep_awake();
		connection_event(connection, event.events);
	}
	if (ends)
		connection_detaching_end(connection);
	connection_unref(connection);
	return count == 1;
}

bool
server_poll_connections(void)
{
	if (handle_connection(NULL))
		return true;
	/* that takes no callback */
	while (in_hand_count > 0)
		sched_yield();
	return false;
}

/* Something happened to connections: who takes one lets others take the rest. */
static void
connections_again(void)
{
	struct epoll_event again = { .events = EPOLLIN | EPOLLONESHOT,
				     .data.u64 = CONNECTIONS_TOKEN };

	epoll_ctl(main_epoll, EPOLL_CTL_MOD, connection_epoll, &again);
}

static void *
serve_for_ever(void *unused)
{
	(void)unused;
	kext_thread_start();
	starting_count--;
	for (;;) {
		struct epoll_event event;

		idle_count++;
		int count = epoll_wait(main_epoll, &event, 1, -1);
		idle_count--;
		if (count != 1)
			continue;
		if (event.data.u64 == CONNECTIONS_TOKEN)
			handle_connection(connections_again);
		else
			handle(event.data.u64);
	}
	return NULL;
}

static int
thread_add(void)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	pthread_t thread;

	if (++thread_count > THREADS_MAX) {
		thread_count--;
		return -EAGAIN;
	}
	/* signals are the process's own: its first thread takes them */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	starting_count++;
	int error = pthread_create(&thread, &attributes, serve_for_ever, NULL);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0) {
		starting_count--;
		thread_count--;
	}
	return -error;
}

void
server_keep_awake(void)
{
	static _Atomic bool said;

	if (starting_count + idle_count > 0)
		return;
	if (thread_add() != 0 && !atomic_exchange(&said, true))
		host_log("%u callbacks are under way, and there is no thread for another: programs "
			 "wait until one returns",
			 (unsigned)thread_count);
}

int
server_start(void)
{
	struct epoll_event connections = { .events = EPOLLIN | EPOLLONESHOT,
					   .data.u64 = CONNECTIONS_TOKEN };

	main_epoll = epoll_create1(EPOLL_CLOEXEC);
	connection_epoll = epoll_create1(EPOLL_CLOEXEC);
	if (main_epoll < 0 || connection_epoll < 0 ||
	    epoll_ctl(main_epoll, EPOLL_CTL_ADD, connection_epoll, &connections) != 0)
		return -errno;
	int error = thread_add();
	return error != 0 ? error : thread_add();
}
