/*
 * berthd: the Linux process that hosts one kernel core.  What its files share.
 *
 * One thread, one loop, and helpers that only close (closer.c).  A *peer* is a connection: of a
 * task, of a tool, of the owner.  A *slot* is the place in shared memory where one thread of a task
 * asks and is answered; what stands there is the task's to write at any time, so everything that
 * the daemon decides by is in its own `struct slot`.
 *
 * Functions that may fail give 0 or -errno.  What a peer does wrong costs that peer.
 */
#ifndef BERTH_HOSTS_DAEMON_BERTHD_H
#define BERTH_HOSTS_DAEMON_BERTHD_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "hosts/daemon/kexts.h"
#include "hosts/daemon/options.h"
#include "kernel/kernel.h"
#include "wire/socket.h"
#include "wire/trap_page.h"
#include "wire/wait.h"

#define mustuse __attribute__((warn_unused_result))

struct host;
struct peer;
struct slot;

/* ---- bounds ------------------------------------------------------------------------ */

#define HOT_MAX 64u                   /* tasks whose doorbells are looked at unasked */
#define HOT_IDLE_NS 2000000u          /* a task not heard of for so long is cold */
#define SOCKET_LOOK_NS 20000u         /* look at the sockets at least this often while busy */
#define SOCKET_MESSAGES_PER_ROUND 16u /* of one peer, before the others get their turn */
#define VIOLATIONS_MAX 8u             /* then the connection is dropped */
#define TELL_INTERVAL_NS 100000000u   /* between two lines about violations */
#define RETRY_NS 10000000u            /* what Linux had no resources for is tried again */
#define HELLO_HOLD_NS 10000000000u    /* tasks wait at most so long for the name server */
#define DESCRIPTORS_PER_MESSAGE 4u
#define SPILL_MAX_BYTES (64u << 20)    /* a message of 48 MiB and its arrays */
#define STOP_NS 1500000000u            /* what the name server gets to end its jobs and itself */
#define PIECES_MAX (1u << 18)          /* of one message */
#define BULK_SEGMENTS_PER_TASK_MIN 64u /* descriptors that what a task sent may hold, or … */
#define TRACE_BUFFER_BYTES (16u << 20) /* a subscriber may lag so much behind */
#define TRACE_SUBSCRIBERS_MAX 64u
#define TRACE_SUBSCRIBERS_PER_USER_MAX 8u
#define CONNECTIONS_PROCESS_SHARE 2u /* one process may have half the descriptors */
#define WAKERS_SHARE 4u /* a quarter of them for wakers: threads sleep without one as well */
#define WAKERS_PROCESS_SHARE 4u  /* … of which one process may have a quarter */
#define LANE_DESCRIPTOR_SHARE 4u /* a quarter for lanes: whoever has none goes by the kernel */
#define LEAKS_MAX 65536u         /* rows remembered; what is beyond is only counted */
#define ROWS_PER_ROUND 64u       /* of an inspection, before the tasks get their turn */
#define DUMP_MAX_BYTES (256u << 20)
#define INSPECTIONS_PER_USER_MAX 32u /* answers under way, of which one may be a large dump */
#define LINEAGE_DEPTH_MAX 256u
#define PID_BUCKETS 1024u

/* ---- sources of events ------------------------------------------------------------- */

enum source_kind {
	SOURCE_LISTEN,
	SOURCE_SIGNAL,
	SOURCE_SOCKET,  /* a peer's connection; owner: the peer */
	SOURCE_BELL,    /* a task's eventfd */
	SOURCE_PROCESS, /* a task's pidfd */
	SOURCE_PIPE,    /* where a subscriber's trace goes */
	SOURCE_EVENT    /* the kernel's end of an event socket; no peer's */
};

/* What epoll points at.  Part of its owner, which outlives the round of the loop. */
struct source {
	enum source_kind kind;
	int fd; /* -1: none */
	uint32_t events;
	struct host *host;
	struct peer *peer;
};

void source_init(struct source *source, enum source_kind kind, struct host *host,
		 struct peer *peer);
/* Takes over @fd on success. */
mustuse int source_open(struct source *source, int fd, uint32_t events);
/* Like epoll_ctl with EPOLL_CTL_MOD; no system call if nothing changes. */
void source_want(struct source *source, uint32_t events);
/* Closes the descriptor. */
void source_close(struct source *source);

/* ---- slots ------------------------------------------------------------------------- */

enum slot_state {
	SLOT_FREE,    /* no thread */
	SLOT_IDLE,    /* the next bell may ask for something */
	SLOT_BUSY,    /* its trap is in the core, perhaps parked */
	SLOT_STUCK,   /* completed, but Linux lacks what the reply needs: retried */
	SLOT_REPLYING /* the reply is written; its descriptors are queued on the socket */
};

struct slot {
	struct peer *peer;
	struct thread *thread;
	struct trap_slot *shared;
	uint32_t index;
	uint32_t alias_of; /* WIRE_NO_SLOT: none */
	uint32_t sequence; /* of the last reply */
	uint32_t linux_tid;
	enum slot_state state;
	bool is_taken;         /* the request, in this very step */
	bool descriptors_came; /* with WIRE_RING, for the next request */
	bool descriptors_lost; /* … but Linux could not give us them */
	int descriptors[2];    /* -1: none */
	int waker_fd;          /* our end of what the thread may sleep on; -1: none */
	bool is_unwoken;       /* … which Linux had no memory to write to: retried */
};

/* One segment: shared memory and the daemon's own view of it. */
struct slot_segment {
	uint8_t *memory;
	size_t memory_size;
	int fd; /* until the task has got it; -1 then */
	struct slot slots[TRAP_SEGMENT_SLOTS];
	uint64_t used;
};

/* A sealed memfd and its mapping.  0, -errno. */
mustuse int sealed_memory_new(const char *name, size_t size, int *fd_out, void **memory_out);
/* Makes segment @index of @peer; the first has the doorbell.  0, -ENOMEM, -EMFILE … */
mustuse int slot_segment_new(struct peer *peer, uint32_t index);
void slot_segments_free(struct peer *peer);
struct slot *slot_find(struct peer *peer, uint32_t index); /* NULL: no thread has it */
/* A free slot; makes a segment when all are taken.  0, -ENOSPC (too many), -ENOMEM … */
mustuse int slot_take(struct peer *peer, struct slot **slot);
/* Puts a slot back: the descriptors kept for it are closed, the shared part says nothing. */
void slot_give(struct slot *slot);
/* A pair of sockets, of which the thread gets @theirs to sleep on.  0; -EDQUOT: its process has as
 * many as one may; -EMFILE … */
mustuse int slot_make_waker(struct slot *slot, int *theirs);
void slot_drop_waker(struct slot *slot);
void slot_drop_descriptors(struct slot *slot);

/* ---- peers ------------------------------------------------------------------------- */

enum peer_kind {
	PEER_NEW,     /* has not said what it is */
	PEER_WAITING, /* said HELLO; waits for the name server */
	PEER_EMBRYO,  /* a task made by WIRE_FORK whose process has not spoken yet */
	PEER_TASK,
	PEER_REMNANT, /* no connection: what a process keeps over an exec */
	PEER_TOOL,    /* inspects, traces, controls or commands */
	PEER_KEXT_HOST,
	PEER_KEXT_SUPERVISOR,
	PEER_GONE /* freed at the end of the round */
};

/* A message to be sent later. */
struct outgoing {
	TAILQ_ENTRY(outgoing) link;
	struct slot *completes; /* then this slot is done; NULL: none */
	uint32_t descriptor_count;
	int descriptors[DESCRIPTORS_PER_MESSAGE]; /* its own */
	size_t size_bytes;
	uint8_t bytes[];
};

struct bulk; /* a memfd that a task handed over */
struct carrier;
struct inspection;
struct subscriber;

struct peer {
	struct host *host;
	TAILQ_ENTRY(peer) link; /* all peers */
	TAILQ_ENTRY(peer) bucket_link;
	enum peer_kind kind;
	bool is_first;   /* the name server */
	bool is_control; /* came with --control-fd */
	bool owns;       /* its end is the kernel's end */
	bool in_bucket;
	bool censused;
	bool doomed; /* ended at the end of the round */
	struct source socket, bell, process;

	/* who it is, as Linux says */
	pid_t pid;
	uid_t ruid, euid;
	gid_t rgid, egid;
	uint32_t pidversion;
	char label[32];
	uint64_t since_ns; /* of its kind */

	uint32_t violations;
	bool starved; /* Linux had no resources to send: the retry timer, not epoll, says when */
	TAILQ_HEAD(, outgoing) outgoing;
	uint32_t outgoing_count;
	size_t outgoing_bytes;

	/* of a task */
	struct task *task;
	uint64_t task_id;   /* the core's */
	uint64_t forked_by; /* of an embryo: its parent */
	struct doorbell *doorbell;
	struct slot_segment **segments;
	uint32_t segment_count;
	uint32_t thread_count;
	uint32_t stuck_count, unwoken_count;
	uint32_t waker_count;
	uint32_t bulk_count;
	LIST_HEAD(, bulk) bulks;
	struct carrier *carriers_from[TRAP_CARRIERS], *carriers_to[TRAP_CARRIERS];
	uint32_t carrier_ticks; /* of messages that came to it by carriers */
	uint32_t hot_index;     /* HOT_MAX: cold */
	uint64_t heard_ns;

	/* of a tool */
	struct inspection *inspection;
	struct subscriber *subscriber;
	struct subscriber *old_subscriber; /* ended; freed with the peer */
	uint32_t command_count;            /* under way */

	/* of a kexthost, of a supervisor */
	struct kernel_kext_host *kext_host;
	struct supervisor *supervisor;
};

TAILQ_HEAD(peer_list, peer);

/* ---- closer.c ---------------------------------------------------------------------- */

TAILQ_HEAD(closing_list, closing);

struct closer {
	pthread_mutex_t lock; /* for everything below */
	pthread_cond_t more;
	struct closing_list waiting, running;
	uint32_t waiting_count, thread_count, idle_count;
};

void closer_init(struct closer *closer);
/* Closes a descriptor that came from @uid, now or soon; never waits for it.  True: soon. */
bool closer_close(struct closer *closer, int fd, uid_t uid);
/* The same for one that @peer handed over and that nobody wants. */
void peer_close(struct peer *peer, int fd);
/* Do so many of the user's descriptors not get closed that he may not hand over more? */
bool closer_is_stuck(struct closer *closer, uid_t uid);

/* ---- the host ---------------------------------------------------------------------- */

struct leak;

struct first_task {
	struct peer *peer; /* NULL: none runs */
	pid_t pid;
	bool wanted;
	bool ready;      /* it has a bootstrap port */
	uint32_t deaths; /* in a row */
	uint64_t since_ns;
	uint64_t again_ns; /* when to start it; UINT64_MAX: not waiting */
	char why[64];      /* how the last try ended, for those who are refused */
};

struct starter {
	int fd;    /* -1: none */
	pid_t pid; /* 0: none */
};

struct host {
	struct options options;
	struct kernel *kernel;
	int epoll_fd;
	int reserve_fd; /* given up to be able to refuse when no descriptor is left */
	uint32_t descriptor_limit;
	uint32_t waker_count;
	LIST_HEAD(, watch_pair) unshown; /* watch.c */
	struct closer closer;
	LIST_HEAD(, file_owner) file_owners;
	uint32_t file_count;   /* of fileports */
	uint32_t shared_count; /* memories of lanes */
	uint32_t carrier_count;
	struct source listener, signals;
	struct peer *control;
	pid_t control_pid; /* of `berth run`; 0: none */

	struct peer_list peers;
	uint32_t peer_count, task_count, waiting_count; /* task_count: without the first */
	TAILQ_HEAD(, peer) by_pid[PID_BUCKETS];
	uint32_t next_pidversion;
	uint64_t last_task_id;

	uint64_t now_ns;                       /* the last reading of the clock */
	uint64_t wall_offset_ns, wall_read_ns; /* of the time of day, and when it was read */
	uint64_t looked_ns;
	uint64_t deadline_ns;   /* the core's next */
	uint64_t retry_ns;      /* when to try again what had no resources; UINT64_MAX: nothing */
	uint64_t accept_ns;     /* when to accept again; UINT64_MAX: we do */
	uint64_t idle_since_ns; /* UINT64_MAX: somebody is here */
	uint64_t waiting_since_ns; /* the first of those that wait for the name server */
	uint64_t told_ns;          /* when a peer's violation was last told */
	bool had_gone;             /* peers to be freed */
	bool had_doomed;           /* peers to be ended */
	bool ending;
	uint64_t stop_ns; /* by when the name server must be gone; 0: it was not asked to go */
	const char *why_ending;

	/* waiting: sleep.c */
	struct wait_state wait;
	uint32_t busy_rounds; /* since the last sleep, up to a limit; see slice.c */
	bool has_short_slice;
	struct peer *hot[HOT_MAX];
	uint32_t hot_count;
	uint32_t cpu;       /* as published */
	uint32_t rang_cpu;  /* where the last bell came from */
	uint32_t woken_cpu; /* where the last answer went */

	struct first_task first;
	struct starter starter;

	/* the kernel page */
	struct kernel_page *page;
	int page_fd;

	/* memory for one request or reply at a time */
	uint8_t *scratch;
	size_t scratch_size;

	/* trace */
	struct subscriber *subscribers[TRACE_SUBSCRIBERS_MAX];
	uint32_t subscriber_count;

	/* leaks */
	bool leaks_on;
	struct leak *leaks;
	uint32_t leaks_kept, leaks_capacity, leaks_lost;

	/* kexts.h */
	struct kext_command_list commands;
	uint32_t command_count, last_command;
	struct kext_log log;
	struct event_table events;

	/* what was bound: address.c */
	char *socket_path;
	char *lock_path;
	int lock_fd;
	uint64_t socket_device, socket_inode;
};

/* ---- loop.c ------------------------------------------------------------------------ */

/* Serves until host->ending.  0, or -errno when epoll itself fails. */
mustuse int host_run(struct host *host);
void host_end(struct host *host, const char *why);
/* One event into the core; its effects are worked off. */
void host_step(struct host *host, struct kernel_event *event);
/* At least @size bytes of memory that lasts until the next call.  NULL: none. */
void *host_scratch(struct host *host, size_t size);
/* Try again soon what had no resources. */
void host_retry_soon(struct host *host);
/* Handle what is pending on sockets and processes, without waiting.  How many events. */
int host_look_at_sockets(struct host *host);
/* What follows from a round, whatever happened in it: who is to end ends, who is gone is freed. */
void host_settle(struct host *host);
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- task_link.c ------------------------------------------------------------------- */

/* Takes over @fd on success.  NULL: no memory. */
struct peer *peer_new(struct host *host, int fd);
/* The connection ended or is ended; its task, if any, dies or becomes a remnant. */
void peer_hang_up(struct peer *peer);
/* The process is gone. */
void peer_process_ended(struct peer *peer);
/* It ends at the end of the round: for where a step of the core is under way. */
void peer_doom(struct peer *peer);
/* Everything that belongs to the peer ends now. */
void peer_end(struct peer *peer);
void peer_free(struct peer *peer);
/* Counts; drops the peer when it is too much.  @what is for the log. */
void peer_violation(struct peer *peer, const char *what);
/* WIRE_REFUSED and hang up. */
void peer_refuse(struct peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void peer_set_pid(struct peer *peer, pid_t pid);
struct peer *peer_of_pid(struct host *host, pid_t pid, bool remnants);
/* Look at every task's connection and process now: what Linux says has ended, ends. */
void peers_reap(struct host *host);

/* Makes the core's task for a connection that says who it is.  0, -ENOMEM … */
mustuse int peer_make_task(struct peer *peer, struct peer *parent);
/* Gives it doorbell, first slot and thread.  0, -errno. */
mustuse int peer_make_slots(struct peer *peer, struct slot **slot);

/* ---- greeting.c -------------------------------------------------------------------- */

/* A message of @size bytes came, with descriptors: consumed. */
#define PROCESS_NOT_SHOWN (-EOPNOTSUPP) /* nobody asked, or Linux is too old */

struct received {
	const uint8_t *bytes;
	size_t size_bytes;
	bool has_credentials;
	struct ucred credentials;
	uint32_t descriptor_count;
	int descriptors[DESCRIPTORS_PER_MESSAGE];
	bool descriptors_lost;
	int process_fd; /* the sender's; -errno; PROCESS_NOT_SHOWN */
};
void greeting_message(struct peer *peer, struct received *received);
/* The descriptor @index, now the caller's; -1: none. */
int received_take(struct received *received, uint32_t index);
/* Answers the tasks that waited for the name server: it is ready, or has been given up. */
void greeting_release(struct host *host);
void greeting_accept(struct host *host);
/* In a system's kernel no user may take all connections. */
bool greeting_too_many_of_uid(struct peer *peer);
/* A descriptor of the process behind the peer: @shown, of its message, consumed; else Linux is
 * asked for it (PROCESS_NOT_SHOWN).  A process that cannot be seen is known by its connection only.
 * 0, -ESRCH: it is gone, -errno. */
mustuse int greeting_watch_process(struct peer *peer, int shown);
/* Everything that a task has but its core task; then the WELCOME. */
void greeting_welcome(struct peer *peer);

/* ---- thread_link.c, embryo.c ------------------------------------------------------- */

/* A WIRE_THREAD, _THREAD_EXIT, _RING or _WAKER of a task, of the right size. */
void thread_message(struct peer *peer, uint32_t kind, struct received *received);

/* A WIRE_FORK: the answer has the child's connection, or none. */
void embryo_begins(struct peer *parent);
/* Its WIRE_FORKED: now it is known who it is. */
void embryo_greets(struct peer *embryo, struct received *received);

/* ---- credentials.c ----------------------------------------------------------------- */

/* Who connected, by SO_PEERCRED.  0, -errno. */
mustuse int credentials_of_socket(struct peer *peer);
void credentials_token(const struct peer *peer, audit_token_t *token);
/* Have Linux show with each message on @socket_fd which process sent it, or not any more. */
void credentials_show_process(int socket_fd, bool wanted);
/* Does a part of what came beside a message show a process?  Gives *@fd, or it is -errno, and
 * -ESRCH if that process is gone. */
bool credentials_shown_process(const struct cmsghdr *part, int *fd);
/* A descriptor of the process behind @peer.  Gives it; -errno; -ESRCH: it is gone. */
int credentials_pidfd(struct peer *peer);
/* May this peer be here at all?  NULL, or why not, in words. */
const char *credentials_refusal(struct peer *peer);
/* May it see everything? */
bool credentials_sees_all(const struct peer *peer);
/* May it see tasks of @uid? */
bool credentials_sees(const struct peer *peer, uid_t uid);
/* Real ids of a process.  0, -errno. */
mustuse int credentials_real_ids(pid_t pid, uid_t *ruid, gid_t *rgid);
void credentials_label(pid_t pid, char *label, size_t size);
/* Is the process on its way out, even if not all that it had is closed yet? */
bool credentials_process_exits(pid_t pid);
/* True once the process of a pidfd has ended. */
bool credentials_process_ended(int pidfd);

/* ---- lineage.c --------------------------------------------------------------------- */

/* The parent in the text of /proc/PID/stat; -EINVAL. */
pid_t lineage_parse_stat(const char *text, size_t size);
pid_t lineage_parent(pid_t pid); /* 0: none, or not to be known */
/* The nearest of @pid and its ancestors that is a task, or was one before an exec. */
struct peer *lineage_find(struct host *host, pid_t pid);
bool lineage_descends(pid_t pid, pid_t ancestor);

/* ---- socket_io.c ------------------------------------------------------------------- */

/* Reads and handles messages, a bounded number. */
void socket_read(struct peer *peer);
/* Sends what is queued. */
void socket_flush(struct peer *peer);
/*
 * Sends a message, or queues it.  The descriptors are copied where needed, never consumed.
 * @completes: a slot that is done once the message is out.
 *
 * 0 sent; 1 queued; -ENOMEM, -EMFILE: neither
 */
mustuse int socket_send(struct peer *peer, const void *bytes, size_t size_bytes,
			const int *descriptors, uint32_t descriptor_count, struct slot *completes);
void socket_drop_outgoing(struct peer *peer);
/* A slot is given back: what is queued for it completes nothing. */
void socket_forget_slot(struct slot *slot);
/* Tells epoll what the connection waits for now. */
void socket_update(struct peer *peer);

/* ---- doorbell.c -------------------------------------------------------------------- */

/* Takes each bell of a task once.  True: there was one. */
bool doorbell_take(struct peer *peer);
bool doorbell_is_rung(const struct peer *peer);
/* What a slot asks for, if anything. */
void doorbell_slot(struct slot *slot);

/* ---- bulk.c ------------------------------------------------------------------------ */

/*
 * A sealed memfd of a task as a segment.  Consumes @fd on success.
 *
 * 0; -EINVAL: not a memfd, or not sealed; -EDQUOT: the task holds too many; -ENOMEM
 */
mustuse int bulk_new(struct peer *peer, int fd, struct kernel_segment **segment);
/* Is it a memfd that can be mapped in pieces, with these seals?  0 and its size; -EINVAL */
mustuse int bulk_check(int fd, int needed_seals, uint64_t *size_bytes);
int bulk_fd(const struct kernel_segment *segment); /* borrowed */
void bulk_free(struct kernel_segment *segment);
void bulks_forget_peer(struct peer *peer);
/*
 * What a message of @peer has in its carrier @number, which was given for it; @fd: -1, or a new
 * one.  Consumes @fd on success, and what was given in any case.
 *
 * 0; -EINVAL: it was not given, or is none; -EDQUOT, -ENOMEM
 */
mustuse int bulk_carried(struct peer *peer, uint32_t number, int fd,
			 struct kernel_segment **segment);
/* The carrier that @segment lies in; NULL: it has a memfd of its own. */
struct carrier *bulk_carrier(const struct kernel_segment *segment);

/* ---- carrier.c --------------------------------------------------------------------- */

/* BERTH_TRAP_CARRIER_FIND */
void carrier_find(struct peer *peer, const uint64_t *args, uint64_t *values);
/* As bulk_carried().  *@carrier holds a message from now on. */
mustuse int carrier_take(struct peer *peer, uint32_t number, int fd, struct carrier **carrier);
/* What was given for a message holds none. */
void carrier_refuse(struct peer *peer, uint32_t number);
int carrier_fd(const struct carrier *carrier); /* borrowed */
uint64_t carrier_size_bytes(const struct carrier *carrier);
/* Its message is not in the kernel any more: destroyed, copied, or the receiver is told of it. */
void carrier_release(struct carrier *carrier);
/* May @peer be told of the message, and read it there? */
bool carrier_leads_to(const struct carrier *carrier, const struct peer *peer);
/* The tick of the message; *@fd: -1, or what its receiver has not got yet. */
uint32_t carrier_show(struct carrier *carrier, int *fd);
/* It has been told. */
void carrier_shown(struct carrier *carrier);
/* No carrier leads from or to @peer any more. */
void carriers_forget_peer(struct peer *peer);

/* ---- fileport.c -------------------------------------------------------------------- */

/*
 * A descriptor of a task as a file.  Consumes @fd on success.
 *
 * 0; -EINVAL: a kind that is not sent; -EDQUOT: too many, or no memory; -ENOMEM
 */
mustuse int file_new(struct peer *peer, int fd, struct kernel_file **made);
int file_fd(const struct kernel_file *core); /* borrowed */
void file_free(struct host *host, struct kernel_file *core);

/* ---- mach_lanes.c ------------------------------------------------------------------ */

/* The memory that @frame of @task is to be given, if it wants any and there is; the caller's. */
void mach_lanes_provide(struct host *host, const struct task *task, struct trap_frame *frame);
int mach_lanes_fd(const struct kernel_shared *core); /* borrowed */
/* Wakes who sleeps in lanes, and frees those that are gone. */
void mach_lanes_work_off(struct host *host, struct kernel_effects *effects);
/* Somebody is about to look at the kernel from outside: nothing is left in lanes. */
void host_look(struct host *host);

/* ---- subject.c --------------------------------------------------------------------- */

/*
 * The task that a BERTH_TRAP_TASK_FOR_PID or _NAME_FOR_PID of @caller is about, if the caller
 * may have the port that it asks for; NULL otherwise.  @memory_fd is what the caller showed,
 * borrowed; -1: nothing.
 */
struct task *subject_find(const struct peer *caller, uint32_t number, uint64_t pid, int memory_fd);
/* When a process began, in clock ticks since the machine's start; 0: not to be known. */
uint64_t subject_birth(pid_t pid);

/* ---- effects.c --------------------------------------------------------------------- */

void effects_work_off(struct host *host, struct kernel_effects *effects);
/* A trap that did not reach the core ends with @code. */
void effects_complete_with(struct slot *slot, kern_return_t code);
/* The same with success, and values. */
void effects_complete_values(struct slot *slot, const uint64_t values[TRAP_VALUE_COUNT]);
/* The reply of a slot is out: the thread may go on. */
void effects_slot_done(struct slot *slot);
/* What had no resources before. */
void effects_retry(struct host *host);

/* ---- slice.c ----------------------------------------------------------------------- */

/* A round of the loop found something to do. */
void slice_worked(struct host *host);
/* We go to sleep, or start a program, which would inherit the slice. */
void slice_sleeps(struct host *host);

/* ---- watch.c ----------------------------------------------------------------------- */

/* The task's descriptor of a watch, made if need be; -errno. */
int watch_descriptor(struct host *host, struct kernel_watch *watch);
/* Its port became ready, or not, or is gone. */
void watch_changed(struct host *host, struct kernel_watch *watch);
/* What Linux had no memory to show is shown now, or soon. */
void watches_retry(struct host *host);

/* ---- sleep.c ----------------------------------------------------------------------- */

void hot_add(struct peer *peer);
void hot_remove(struct peer *peer);
/* Takes the bells of all hot tasks; true: there was one. */
bool hot_poll(struct host *host);
/* Tasks not heard of for a while are cold. */
void hot_cool(struct host *host);
/* Says that the kernel sleeps, and looks once more.  True: really nothing to do. */
bool hot_sleep(struct host *host);
void hot_publish_cpu(struct host *host);
/*
 * Where whom we wait for runs; see wait_look().  Who was answered last rings next: who rang last,
 * and was not, waits for that one, too.
 */
static inline uint32_t
hot_peer_cpu(const struct host *host)
{
	return host->woken_cpu != 0 ? host->woken_cpu : host->rang_cpu;
}

/* ---- kernel_page.c, address.c, first_task.c ---------------------------------------- */

mustuse int kernel_page_new(struct host *host);
void kernel_page_end(struct host *host);

/* Binds and listens.  The mistake has been told on stderr when it fails. */
mustuse int address_bind(struct host *host);
/* Nobody finds us any more; then, nobody is kept from taking our place. */
void address_unlink(struct host *host);
void address_unlock(struct host *host);
/* Where the user's kernel listens, as the library looks for it.  0, -errno. */
mustuse int address_user_path(char *path, size_t size, bool make_folder);

void first_task_start(struct host *host);
void first_task_ended(struct host *host);
void first_task_look(struct host *host); /* has it got its bootstrap port? */
/* Asks it to end, while it is still served. */
void first_task_ask_to_stop(struct host *host);
/* Waits for it, and kills it if it does not end. */
void first_task_stop(struct host *host);
/* May tasks be answered? */
bool first_task_settled(const struct host *host);

/* ---- starter.c, confine.c ---------------------------------------------------------- */

/* Makes the process that starts the name server.  0, -errno: the mistake has been told. */
mustuse int starter_new(struct host *host);
/* Runs the name server with the connection @fd, borrowed; its pid in @pid.  0, -errno. */
mustuse int starter_run(struct host *host, int fd, pid_t *pid);
void starter_end(struct host *host);

/* Gives up all that serving does not need.  What cannot be had is told, and is no mistake. */
void host_confine(const struct host *host);

#endif
