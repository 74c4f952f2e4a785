/*
 * The control server: controls that kexts of this process registered, and their clients.
 *
 * A *control* is one registration; a *connection* is one client socket attached to it, from
 * bind or connect to the last close.  Both are counted.  What moves a connection from one
 * state to the next, and who does:
 *
 *   ATTACHING ─► BOUND       connection_attach() by bind(): unit and socket are there
 *   ATTACHING ─► CONNECTED   the connect callback has said 0
 *   BOUND     ─► CONNECTED   connection_connect()
 *   any       ─► DETACHING   connection_detach(): the last close, or the connect callback failed
 *   DETACHING ─► DETACHED    the disconnect callback has run; the unit is free
 *
 * The client's socket is connected to ours as soon as it is attached, so that its last close
 * is a hang-up here, however it comes about.
 *
 * Lock order: table_lock, a control's lock; a connection's lock; its out_lock; a lane's lock.
 * No callback runs under any of them but the setup callback, under its control's.
 *
 * Source: kernel-control.md.
 */
#ifndef BERTH_KEXTS_HOST_CONTROL_H
#define BERTH_KEXTS_HOST_CONTROL_H

#ifndef KERNEL
#define KERNEL 1
#endif
#include "kexts/host/call.h"
#include "kexts/host/kext_host.h"
#include "kexts/host/program.h"
#include "wire/lane.h"
#include "wire/record_queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/kern_control.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define SENDSIZE_DEFAULT 2048u
#define RECVSIZE_DEFAULT 8192u
#define SIZE_MAX_OF_SOCKET (8u << 20) /* what SO_RCVBUF and SO_SNDBUF are clamped to */
#define CRIT_MAX 262144u              /* how far a receive size may grow for CTL_DATA_CRIT */
#define UNIT_AUTOMATIC_MAX 65535u
#define UNIT_NONE 0xffffffffu /* the registered unit of a dynamic control */

struct lane;

/* ---- controls (control_table.c) ----------------------------------------------------------- */

struct connection;
LIST_HEAD(connection_list, connection);

struct control {
	struct kern_ctl_reg
	    reg; /* id, unit and sizes filled in; what no flag vouches for is NULL */
	kern_ctl_ref cookie;
	uint64_t kernel_ref;
	uint32_t kext_tag;
	uint32_t slot;
	_Atomic uint32_t reference_count;

	pthread_mutex_t lock;    /* guards what follows */
	pthread_cond_t detached; /* detaching_count went down */
	bool is_gone;
	struct connection_list connections;
	uint32_t attached_count, detaching_count;
	struct connection **by_unit; /* units up to by_unit_count - 1; larger ones are searched */
	uint32_t by_unit_count;
	uint64_t taken[(UNIT_AUTOMATIC_MAX + 1) / 64]; /* a bit for each unit in use */
	uint32_t free_hint;                            /* no unit below is free, in words */
};

/* What struct kctlstat counts. */
struct control_statistics {
	_Atomic uint64_t pcbcount, connections, conn_fail, send_fail, send_list_fail, enqueue_fail,
	    enqueue_fullsock, bad_kctlref, enqdata_mb_alloc_fail, enqdata_sbappend_fail;
	_Atomic uint64_t gencnt;
};
extern struct control_statistics statistics;

/* The control of @cookie, counted; NULL: stale, and statistics.bad_kctlref says so. */
struct control *control_of_ref(kern_ctl_ref cookie);
/* The control that connect() means, counted; NULL: there is none. */
struct control *control_find(uint32_t id, uint32_t unit);
/* The next one after @slot, which starts at 0, counted; NULL: no more.  For looking. */
struct control *control_next(uint32_t *slot);
void control_unref(struct control *control);

static inline bool
control_is_stream(const struct control *control)
{
	return (control->reg.ctl_flags & CTL_FLAG_REG_SOCK_STREAM) != 0;
}

static inline bool
control_is_static(const struct control *control)
{
	return (control->reg.ctl_flags & CTL_FLAG_REG_ID_UNIT) != 0;
}

/*
 * Give @connection a unit and put it on the control's lists, counted; runs setup.
 * 0, or as kernel-control.md §5.1, rows 8, 11, 12.  @unit: wanted, then given.
 */
int control_add(struct control *control, struct connection *connection, uint32_t *unit);
void control_remove(struct control *control, struct connection *connection);
/* The connection with @unit, counted; NULL: none. */
struct connection *control_connection(struct control *control, uint32_t unit);

/* ---- connections (connection.c) ------------------------------------------------------------ */

enum connection_state {
	CONNECTION_ATTACHING,
	CONNECTION_BOUND,
	CONNECTION_CONNECTED,
	CONNECTION_DETACHING,
	CONNECTION_DETACHED
};

/* One lane in which the connection has a handle. */
struct binding {
	LIST_ENTRY(binding) link;
	struct lane *lane; /* counted */
	uint32_t index;
};

struct connection {
	struct control *control; /* counted */
	uint32_t unit;
	void *unitinfo;
	_Atomic uint32_t reference_count;
	LIST_ENTRY(connection) control_link; /* the control's lock */
	struct connection *next_of_unit;     /* the control's lock */
	struct connection *next_of_inode;    /* inodes_lock, in connection.c */
	uint64_t inode;                      /* of the program's end */
	struct host_caller caller;           /* who attached it */
	struct program *program;             /* counted: pays for it; NULL until it is attached */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t quiet;
	enum connection_state state;
	uint32_t running; /* callbacks under way that exclude a detach */
	bool is_sending;  /* one of them is a send: they don't overlap */
	bool is_exclusive;
	bool is_refused; /* by the connect callback: nothing but the disconnect callback follows */
	int latched;     /* errno of data that came behind the library's back */
	_Atomic uint32_t sendsize; /* written under the lock */
	LIST_HEAD(, binding) bindings;
	_Atomic bool has_marks; /* written under the lock; wire/lane.h */

	pthread_mutex_t out_lock; /* guards what follows */
	int fd;                   /* our end; -1: detached */
	uint32_t source;
	struct record_queue out;
	uint32_t recvsize, lowat;
	bool is_shut; /* the program does not read any more */
	bool wants_room;
};

/*
 * Attach the socket @program_fd (borrowed) of @caller to a control.  The result may be attached
 * although a later step failed: it is counted in *@connection then.
 *
 * 0 or an errno, in the order of kernel-control.md §5.1, rows 7 to 13; -ENOENT: there is no such
 * control in this kexthost.
 */
int connection_attach(int program_fd, const struct sockaddr_ctl *address, uint64_t address_size,
		      const struct host_caller *caller, struct connection **connection);

/* Run the connect callback of an attached connection.  0 or an errno; then it is detached. */
int connection_connect(struct connection *connection, const struct sockaddr_ctl *address);
/* Run the bind callback.  0 or an errno; it stays attached. */
int connection_bind(struct connection *connection, const struct sockaddr_ctl *address);

/* The connection whose program's end is @program_fd, counted; NULL: none. */
struct connection *connection_of_socket(int program_fd);

/* Everything ends: waits for callbacks under way, runs disconnect.  By whoever is first; others
 * wait until it is done. */
void connection_detach(struct connection *connection);
/* Between these the connection counts as one that is being detached: connections_reap(). */
void connection_detaching_begin(struct connection *connection);
void connection_detaching_end(struct connection *connection);
/* Did the last descriptor of the program's end close? */
bool connection_is_hung_up(struct connection *connection);
/* Detach what has hung up already, and wait a while for who is at it: before a new client is let
 * in, or a control goes.  @control: only that one's are waited for. */
void connections_reap(struct control *control);
/* What epoll has to say of a connection. */
void connection_event(struct connection *connection, uint32_t events);

void connection_ref(struct connection *connection);
void connection_unref(struct connection *connection);

bool connection_is_connected(struct connection *connection);

/*
 * Callbacks that may overlap each other, but no attach or detach.  @as_sender: not each other
 * either.  False: it is not attached any more.
 */
bool connection_enter(struct connection *connection, bool as_sender);
void connection_leave(struct connection *connection, bool as_sender);

/*
 * Run the send callback on one message, or on the pieces of a stream.  Entered as sender.
 * @flags: MSG_EOR (SOCK_DGRAM) and MSG_OOB (SOCK_STREAM) count.
 * 0 or an errno of kernel-control.md §7.1, rows 6 to 9; @taken: bytes that the kext has got.
 */
int connection_deliver(struct connection *connection, const void *data, size_t size, int flags,
		       size_t *taken);
/* What the program wrote behind the library's back.  Entered as sender. */
void connection_drain(struct connection *connection, bool to_the_end);

/* Around each callback: what the kext is doing, should it crash there. */
static inline struct kext_activity
callback_begin(const struct connection *connection, const char *what)
{
	return kext_activity_begin(what, connection->unit, connection->control->kext_tag);
}

/* The first marked message is about to be sent: whoever reads is told before. */
void connection_show_marks(struct connection *connection);

/* Counts detaches: what a thread remembers of a connection is stale when it changes. */
extern _Atomic uint64_t detach_epoch;

/* ---- listeners (listener.c) -------------------------------------------------------------- */

/* Before anything else.  Nothing stays in @folder.  0 or -errno. */
int listener_start(uint32_t host_id, const char *folder);
/* Connect the program's socket to us.  Our end, the caller's; -errno. */
int listener_join(int program_fd, bool is_stream);

/* ---- what a program asks for over a lane (control_calls.c) -------------------------- */

/* One request: private copies of everything. */
struct control_request {
	struct lane *lane;
	struct lane_request request;
	const uint8_t *data; /* request.size_bytes; may be written by the program meanwhile */
	int program_fd;      /* the control socket shown; -1: none.  Borrowed */
};

/* Answers in @reply and, with up to *@out_size bytes, in @out (LANE_DATA_SIZE bytes at least);
 * more than that goes to a memfd, *@out_fd, the caller's then. */
void control_call(const struct control_request *request, const struct host_call *call,
		  struct lane_reply *reply, uint8_t *out, int *out_fd);

/* ---- lanes (lane.c) ----------------------------------------------------------------------------
 */

/* One program's calls. */
struct lane {
	_Atomic uint32_t reference_count;
	int fd;      /* the socket */
	int bell_fd; /* the eventfd */
	uint32_t socket_source, bell_source;
	struct lane_memory *memory;
	struct host_caller caller;
	struct program *program; /* counted; NULL: not charged */

	pthread_mutex_t lock; /* guards what follows */
	bool is_dead;
	struct lane_handle *handles;
	uint32_t handle_count, handle_free;
	struct lane_running {
		struct host_call *call; /* NULL: nothing runs for this slot */
		uint32_t operation;
		uint64_t handle;
		bool is_overdue; /* and that was said */
	} running[LANE_SLOTS];

	pthread_mutex_t mail_lock; /* guards what follows */
	struct lane_mail {
		uint32_t fd_count;
		int fds[2];
		bool has_ids;
		struct ucred ids;
	} mail[LANE_SLOTS]; /* descriptors that came for a slot's request */
};

/* A handle of @connection in @lane; the same as before if it has one.  0: no memory. */
uint64_t lane_handle_of(struct lane *lane, struct connection *connection);
/* The connection behind a handle, counted; NULL: none. */
struct connection *lane_connection(struct lane *lane, uint64_t handle);
/* A message of the connection behind that handle may be marked. */
void lane_show_marks(struct lane *lane, uint32_t index, bool has_marks);
/* The connection is gone: so is its handle. */
void lane_forget(struct lane *lane, uint32_t index, struct connection *connection);
void lane_ref(struct lane *lane);
void lane_unref(struct lane *lane);

/* What a slot's bell asks for: a call, which runs here and now, or attention to one. */
void lane_serve(struct lane *lane, uint32_t slot_index);
/* The program has hung up. */
void lane_end(struct lane *lane);

/* ---- sending (enqueue.c) -------------------------------------------------------------------- */

/* This thread is about to let others run.  If what it sent last found no room: wait, 10 ms
 * at most, until the client has read a good part.  False: there is nothing to wait for. */
bool enqueue_await_room(void);

/* ---- events of descriptors (server.c)
 * ------------------------------------------------------------ */

/* What epoll points at: a counted object behind a number that is never mistaken. */
enum source_kind { SOURCE_LANE, SOURCE_BELL, SOURCE_CONNECTION };

/* Watch @fd for @events, once (a bell: each time).  The source holds a count on @object until
 * source_close().  0 and *@source; -errno. */
int source_open(enum source_kind kind, void *object, int fd, uint32_t events, uint32_t *source);
/* Again. */
void source_arm(enum source_kind kind, uint32_t source, int fd, uint32_t events);
void source_close(enum source_kind kind, uint32_t source, int fd);
/* Take what has happened to connections, without waiting.  True: there was something. */
bool server_poll_connections(void);
/* A thread goes into a callback: another must be there for what comes meanwhile. */
void server_keep_awake(void);
/* 0 or -errno. */
int server_start(void);

#endif
