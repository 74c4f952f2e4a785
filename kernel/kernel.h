/*
 * The border of the kernel core: all that a host may include.
 *
 * Events go in, effects come out.  The core holds every Mach right of its tasks; it makes
 * no system call, reads no clock, starts no thread, never blocks and has no global state.
 * A host (berthd, a test, a fuzzer, the simulator) brings time, memory and a way to wake
 * threads.  One event at a time: what calls in here must not run in two threads at once.
 *
 * A trap completes at once or parks its thread, to be completed by a later event; each
 * completes exactly once.  After every call that takes a struct kernel_effects the host
 * works them off, in order, before it calls in again.
 */
#ifndef BERTH_KERNEL_H
#define BERTH_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mach/kern_return.h>
#include <mach/message.h>
#include <mach/port.h>

#include <berth/syscall_sw.h>

#define KERNEL_ARG_COUNT 8
#define KERNEL_VALUE_COUNT 6

struct kernel;
struct task;
struct thread;

/* ---- memory ------------------------------------------------------------------------ */

/* Where all memory of a kernel comes from.  `alloc` may return NULL: the call that needed
 * it then fails as the contract says, and nothing is lost. */
struct kernel_heap {
	void *(*alloc)(void *context, size_t size_bytes);
	void (*free)(void *context, void *memory, size_t size_bytes);
	void *context;
};

/*
 * Bulk memory that a task handed over and that the core only passes on: in berthd a sealed
 * memfd.  Counted; when the last reference goes the segment comes out as an effect and the
 * host frees it.  The host allocates it (embedded in what it needs) and fills the fields.
 */
struct kernel_segment {
	uint64_t size_bytes;
	uint32_t ref_count;          /* the host's own counts too; starts at 1 */
	struct kernel_segment *next; /* the core's: the list of effects */
	void *payer;                 /* the core's: the account charged */
	uint32_t message_count;      /* the core's: the references that messages have */
};

/* One piece of bulk data beside a message. */
enum kernel_piece_kind {
	KERNEL_PIECE_UNREADABLE = 0,
	KERNEL_PIECE_BYTES = 1,
	KERNEL_PIECE_SEGMENT = 2
};

struct kernel_piece {
	enum kernel_piece_kind kind;
	uint32_t size_bytes;
	const void *bytes; /* KERNEL_PIECE_BYTES: may be written by the task meanwhile */
	struct kernel_segment *segment; /* KERNEL_PIECE_SEGMENT: borrowed */
	uint64_t offset_bytes;          /* in the segment */
};

/*
 * An open file that a task handed over, to be passed on as a fileport or as the memory of a
 * memory entry: in berthd a descriptor.  Counted like a segment, and likewise made by the host and
 * given back to it as an effect.  A port is made for it once, and each makes a file of its own.
 */
struct kernel_file {
	uint32_t ref_count;       /* the host's own counts too; starts at 1 */
	uint64_t memory_bytes;    /* of memory: its size, below which it never falls; else 0 */
	struct kernel_file *next; /* the core's: the list of effects */
	void *payer;              /* the core's: the account charged, while a port stands for it */
	void *port;               /* the core's */
};

/*
 * Memory that tasks share for lanes (wire/mach_lane.h): in berthd a sealed memfd.  Counted like a
 * segment; made by the host, zeroed, and given back to it as an effect.
 */
struct kernel_shared {
	uint32_t ref_count; /* the host's own counts too; starts at 1 */
	void *address;
	bool listed;                /* the core's */
	uint64_t wakes;             /* the core's */
	struct kernel_shared *next; /* the core's: the list of effects */
};

/* ---- traps ------------------------------------------------------------------------- */

/*
 * A trap as the host hands it in.  The frame itself is private memory of the host; what
 * `bytes` and the pieces point to may change while it is read, and is read once.
 *
 * BERTH_TRAP_MSG with MACH_SEND_MSG: `bytes` is the message, or its header and descriptors
 * when `has_tail`; then the rest is `tail`.  `pieces` stand for the OOL and OOL-ports
 * descriptors whose size or count is not 0, in order.
 */
struct trap_frame {
	uint32_t number; /* enum berth_trap_number */
	uint64_t args[KERNEL_ARG_COUNT];
	const void *bytes;
	uint32_t bytes_size;
	bool has_tail;
	struct kernel_piece tail;
	const struct kernel_piece *pieces;
	uint32_t piece_count;
	/* BERTH_TRAP_LANE_BEGIN: table and gates; BERTH_TRAP_LANE_OPEN: a lane.  Borrowed; NULL:
	 * the host has none to give, or none was wanted: kernel_lane_memory_wanted() */
	struct kernel_shared *shared[2];
	struct kernel_file *file; /* BERTH_TRAP_FILEPORT_MAKE, BERTH_TRAP_MEMORY_ENTRY_MAKE:
				     borrowed; NULL: none came */
	/* BERTH_TRAP_TASK_FOR_PID and _NAME_FOR_PID: the task of that pid; NULL: there is none, or
	 * the caller may not have the port */
	struct task *subject;
};

/*
 * What a strict task is to be stopped for: kern/guard.h.  All 0: nothing.
 */
struct kernel_guard {
	uint64_t code, subcode; /* of EXC_GUARD */
	uint32_t name_type;     /* MACH_PORT_TYPE_* or enum berth_guard_name */
	uint32_t name_refs;     /* user references of a send right or dead name */
};

/*
 * How a trap ended.  Valid from the step that completed it until thread_result_free().
 * `bytes`, `trailer` and the pieces point into the core.
 */
struct trap_result {
	kern_return_t code;
	uint64_t values[KERNEL_VALUE_COUNT];
	const void *bytes; /* prefix of the message, or an array; NULL if none */
	uint32_t bytes_size;
	const void *trailer;
	uint32_t trailer_size;
	bool has_tail;
	struct kernel_piece tail;
	const struct kernel_piece *pieces; /* one for each descriptor with memory, in order */
	uint32_t piece_count;
	struct kernel_watch
	    *watch;               /* BERTH_TRAP_PORT_WATCH: what the host gives a descriptor for */
	struct kernel_file *file; /* BERTH_TRAP_FILEPORT_OPEN, BERTH_TRAP_MEMORY_ENTRY_OPEN: what
				     the task gets one of, too */
	struct kernel_shared *shared; /* BERTH_TRAP_LANE_*: memory that the task gets, too */
	struct kernel_guard guard;    /* of a strict task, with a code that is no success */
};

/* ---- events and effects ------------------------------------------------------------ */

enum kernel_event_kind {
	EVENT_TRAP,      /* `thread` asks for `frame`; it must not have a trap under way */
	EVENT_INTERRUPT, /* `thread` is to come back from what it is blocked in, if it is */
	EVENT_DEADLINE,  /* time has passed: everything due by now_ns is completed */
	EVENT_THREAD_EXIT,
	EVENT_LOOK,      /* somebody is about to look at everything: nothing is left in lanes, and
			    what threads gave up without asking is gone */
	EVENT_TASK_EXEC, /* all of `task` dies but its special ports, which a successor inherits */
	EVENT_TASK_DIED  /* `task` and its threads are gone; the handle is dead after the call */
};

struct kernel_event {
	enum kernel_event_kind kind;
	uint64_t now_ns;         /* the host's monotonic clock */
	uint64_t wall_offset_ns; /* and what its time of day, since 1970, is ahead of that */
	struct thread *thread;
	struct task *task;
	const struct trap_frame *frame;
};

/* A port or set that a task watches from an event loop. */
struct kernel_watch {
	void *host;  /* the host's; NULL until it has given the watch a descriptor */
	bool ready;  /* a message waits, or the port is gone and a receive would say so */
	bool closed; /* never changes again: the host releases it with kernel_watch_free() */
	bool listed; /* the core's */
	struct kernel_watch *next;
	void *object; /* the core's */
	void *task;   /* the core's */
};

struct kernel_effects {
	struct thread *completed; /* the core's lists; use the functions below */
	struct thread **completed_tail;
	struct kernel_segment *segments;
	struct kernel_watch *watches;
	struct kernel_file *files;
	struct kernel_shared *shared;
	struct task *resumed;
	void *kernel_events; /* to be delivered */
};

/* ---- life of a kernel -------------------------------------------------------------- */

/* The points at which the core tells what it does; names as in XNU. */
enum kernel_trace_kind {
	TRACE_TRAP,                   /* a trap begins: thread, number, args */
	TRACE_TRAP_DONE,              /* it completed: thread, number, code, values */
	TRACE_TRAP_PARKED,            /* it blocks */
	TRACE_IPC_KMSG_GET,           /* message copied in: size, id */
	TRACE_IPC_KMSG_COPYIN_HEADER, /* header rights taken: dest port, reply port, dispositions */
	TRACE_IPC_KMSG_COPYIN_BODY,   /* descriptors taken: count */
	TRACE_IPC_MQUEUE_SEND,        /* queued, handed over or blocked: port, msgcount, qlimit */
	TRACE_IPC_KOBJECT_SERVER,     /* a kernel object answers: port, id */
	TRACE_IPC_MQUEUE_COPYIN,      /* receive: name turned into a queue */
	TRACE_IPC_MQUEUE_RECEIVE,     /* message taken from the queue: port, seqno */
	TRACE_IPC_KMSG_COPYOUT,       /* rights given to the receiver: names */
	TRACE_MACH_MSG_RECEIVE_RESULTS, /* receive ends: code, size */
	TRACE_IPC_PORT_ALLOC,           /* port made: name */
	TRACE_IPC_PORT_DESTROY,         /* receive right gone: the port dies */
	TRACE_IPC_RIGHT_COPYIN,         /* a right leaves a name: name, disposition, port */
	TRACE_IPC_RIGHT_COPYOUT,        /* a right enters a name: name, kind, urefs, port */
	TRACE_IPC_RIGHT_DEALLOC,        /* a right or user reference is dropped: name, urefs left */
	TRACE_IPC_NOTIFY,               /* notification sent: msgid, port, name or count */
	TRACE_TASK_NEW,
	TRACE_TASK_DIED
};

/* What the fields hold for each kind is said at the kind; unused ones are 0. */
struct kernel_trace {
	enum kernel_trace_kind kind;
	uint64_t now_ns;
	uint32_t task_pid; /* 0: the kernel itself */
	uint32_t thread_id;
	uint32_t number; /* trap number */
	kern_return_t code;
	mach_port_name_t name; /* destination or subject, as the task names it */
	mach_port_name_t reply_name;
	uint64_t port_id; /* subject; ids are never used twice */
	uint64_t reply_port_id;
	mach_msg_bits_t bits;
	mach_msg_id_t msgh_id;
	uint32_t size_bytes;
	uint32_t count; /* descriptors, urefs, msgcount … */
	uint32_t limit; /* qlimit */
	const uint64_t
	    *args;        /* TRACE_TRAP: KERNEL_ARG_COUNT; TRACE_TRAP_DONE: KERNEL_VALUE_COUNT */
	const char *note; /* what happened, a word or two: "queued", "handed to a receiver" … */
};

typedef void kernel_trace_sink(void *context, const struct kernel_trace *trace);

#define KERNEL_VERSION_TEXT_MAX 512 /* bytes, with the NUL */

/* The machine, as programs that ask by message are told of it: as it was at the start. */
struct kernel_host_facts {
	uint64_t memory_bytes;
	uint32_t page_bytes;
	uint32_t cpu_count, cpu_max;   /* that run, and that may */
	uint32_t core_count, core_max; /* the same of processors that share nothing */
	uint32_t quantum_ms;
	int32_t cpu_type, cpu_subtype; /* <mach/machine.h> */
	char version[KERNEL_VERSION_TEXT_MAX];
};

struct kernel_config {
	struct kernel_heap heap;
	uint64_t random_seed;
	struct kernel_host_facts facts;
};

/* NULL: no memory.  @config is copied. */
struct kernel *kernel_new(const struct kernel_config *config);

/* Every task must have died.  Checks that nothing is left: no object, no charge, no byte. */
struct kernel *kernel_free(struct kernel *k);

/* NULL turns tracing off, which is how a kernel starts; then it costs one branch. */
void kernel_trace_to(struct kernel *k, kernel_trace_sink *sink, void *context);

/*
 * A task that starts with @parent's special and registered ports; without parent, with
 * those of the first task.  The first task of a kernel is its name server.
 *
 * @token is who it is, as Linux says: the only source of the identity in its trailers.
 * NULL: no memory, or the kernel has as many tasks as it may.
 */
struct task *kernel_task_new(struct kernel *k, const audit_token_t *token, struct task *parent,
			     void *host);
/* After an EVENT_LOOK: then what it sent by lanes is told with the token of before. */
void kernel_task_set_token(struct task *task, const audit_token_t *token);
/* When its process began, in the host's own unit: told with the pid. */
void kernel_task_set_birth(struct task *task, uint64_t birth);
void kernel_task_set_label(struct task *task, const char *label); /* for people; cut to 31 bytes */
/* A strict task is told with a refused call if it is a guard exception; tasks start without. */
void kernel_task_set_strict(struct task *task, bool strict);
void *kernel_task_host(const struct task *task);
uint32_t kernel_task_pid(const struct task *task);
/* The name of the task's bootstrap port in its own space, BERTH_NAME_BOOTSTRAP or 0. */
mach_port_name_t kernel_task_bootstrap_name(const struct task *task);
/* Has the task got a bootstrap port that is alive?  New tasks wait until the first one has. */
bool kernel_task_has_bootstrap(const struct task *task);
/* Has the task lanes to accept, or is it to begin with them? */
bool kernel_task_has_lane_offers(const struct task *task);
/*
 * How many memories the host is to bring along for @frame, a trap of @task: 2 for
 * BERTH_TRAP_LANE_BEGIN, 1 for BERTH_TRAP_LANE_OPEN; 0, if it would be refused or keep none.
 */
uint32_t kernel_lane_memory_wanted(const struct task *task, const struct trap_frame *frame);
/* Was an exception port ever set for the task, one of its threads, or who it inherits from? */
bool kernel_task_watches_exceptions(const struct task *task);

/*
 * A thread.  @alias_of: a nested level (a signal handler's) of that thread, with the same
 * thread port.  NULL: no memory, or the task has as many threads as it may.
 */
struct thread *kernel_thread_new(struct task *task, struct thread *alias_of, void *host);
void *kernel_thread_host(const struct thread *thread);
/* The host's number for it, as the task says it: handed on to whoever holds its port. */
void kernel_thread_set_number(struct thread *thread, uint32_t number);
/* Where it is told which right it may give up without asking (ipc_promise.h), in memory that it
 * shares and that outlives it; without this it is told of none. */
void kernel_thread_set_promise(struct thread *thread, _Atomic uint64_t *word);
bool kernel_thread_is_parked(const struct thread *thread);

/* ---- running ----------------------------------------------------------------------- */

void kernel_effects_init(struct kernel_effects *effects);

/* One step. */
void kernel_step(struct kernel *k, const struct kernel_event *event,
		 struct kernel_effects *effects);

/* When the next blocked trap times out or the next alarm is due; UINT64_MAX: never. */
uint64_t kernel_next_deadline_ns(const struct kernel *k);

/* The effects, one by one until NULL. */
struct thread *kernel_effects_thread(struct kernel_effects *effects);
struct kernel_segment *kernel_effects_segment(struct kernel_effects *effects);
struct kernel_watch *kernel_effects_watch(struct kernel_effects *effects);
struct kernel_file *kernel_effects_file(struct kernel_effects *effects);
/* Memory of lanes.  *@wakes: 0, and the last reference is gone; or who is to be woken: of a table
 * or of gates bit n for port n, of a lane bit 0.  Both at once: wake first. */
struct kernel_shared *kernel_effects_shared(struct kernel_effects *effects, uint64_t *wakes);
/* A task that BERTH_TRAP_TASK_SUSPEND2 has stopped, and that is to run: its last token ended. */
struct task *kernel_effects_resumed(struct kernel_effects *effects);

/* Of a thread that completed: the result, and the end of it (may release segments and files). */
const struct trap_result *thread_result(const struct thread *thread);
void thread_result_free(struct thread *thread, struct kernel_effects *effects);

/* The host gives up its reference; the last one puts the segment on the effects. */
void kernel_segment_unref(struct kernel_segment *segment, struct kernel_effects *effects);
/* The same for a file, and for memory of lanes. */
void kernel_file_unref(struct kernel_file *file, struct kernel_effects *effects);
void kernel_shared_unref(struct kernel_shared *shared, struct kernel_effects *effects);

/* Of a closed watch, or of one that the host could not give a descriptor to. */
void kernel_watch_free(struct kernel *k, struct kernel_watch *watch);

/* ---- kernel controls, kernel events, kernel extensions ------------------------------ */

/*
 * The core keeps the registry: which kexts are loaded, which controls they registered, which
 * vendor codes were handed out, which event sockets there are and what they want.  Connections
 * to a control are between program and kexthost; the core knows nothing of them.
 *
 * These functions give 0 or an errno (positive), as the contract says it: kernel-control.md,
 * kernel-event.md, kext.md.
 */
struct kernel_kext_host; /* a process that kexts run in */
struct kernel_kev_socket;

/* One event on its way to one socket; `bytes` is a struct kern_event_msg. */
struct kernel_kev_delivery {
	struct kernel_kev_socket *socket;
	const void *bytes;
	uint32_t size_bytes;
};

/* NULL: no memory, or too many.  @id is not used again while the kernel lives. */
struct kernel_kext_host *kernel_kext_host_new(struct kernel *k, uint32_t pid, void *host);
uint32_t kernel_kext_host_id(const struct kernel_kext_host *host);
void *kernel_kext_host_of_id(struct kernel *k, uint32_t host_id); /* the host's; NULL: gone */
/* It is gone: so are its kexts and, each with an event, its controls. */
void kernel_kext_host_died(struct kernel *k, struct kernel_kext_host *host,
			   struct kernel_effects *effects);

struct kernel_kext {
	char identifier[64], version[64];
	const char *path;
	uint64_t address, size_bytes;
	const uint32_t *dependencies; /* load tags */
	uint32_t dependency_count;
};

/* 0 and @tag; EEXIST (and @tag: of the loaded one); ENOENT, EINVAL, ENOMEM */
int __attribute__((warn_unused_result))
kernel_kext_loading(struct kernel *k, struct kernel_kext_host *host, const struct kernel_kext *kext,
		    uint32_t *tag);
/* 0; EINVAL: not of this host */
int __attribute__((warn_unused_result))
kernel_kext_started(struct kernel *k, struct kernel_kext_host *host, uint32_t tag);
/* 0; EBUSY: others are linked against it; EINVAL */
int __attribute__((warn_unused_result))
kernel_kext_may_stop(struct kernel *k, struct kernel_kext_host *host, uint32_t tag);
/* Its controls go, too: those that it has left behind. */
int __attribute__((warn_unused_result))
kernel_kext_gone(struct kernel *k, struct kernel_kext_host *host, uint32_t tag,
		 struct kernel_effects *effects);

struct kernel_ctl {
	char name[96];
	uint32_t id, unit, flags, sendsize, recvsize; /* CTL_FLAG_* of <sys/kern_control.h> */
	uint64_t callbacks[7];
};

/* 0, *@ref and *@id; EINVAL, EEXIST, ENOMEM.  @kext_tag 0: of no kext in particular. */
int __attribute__((warn_unused_result))
kernel_ctl_register(struct kernel *k, struct kernel_kext_host *host, uint32_t kext_tag,
		    const struct kernel_ctl *ctl, uint64_t *ref, uint32_t *id,
		    struct kernel_effects *effects);
/* 0; EINVAL: stale, or another host's.  That nobody is attached is the kexthost's to check. */
int __attribute__((warn_unused_result))
kernel_ctl_deregister(struct kernel *k, struct kernel_kext_host *host, uint64_t ref,
		      struct kernel_effects *effects);
/* The control that a name means, and the host behind it: for the host to see whether it lives. */
int __attribute__((warn_unused_result))
kernel_ctl_find(struct kernel *k, const char *name, uint32_t *id, uint32_t *host_id);
/* The same for an id and a unit, as connect() says them. */
int __attribute__((warn_unused_result))
kernel_ctl_find_id(struct kernel *k, uint32_t id, uint32_t unit, uint32_t *host_id);
int __attribute__((warn_unused_result))
kernel_ctl_name(struct kernel *k, uint32_t id, char name[96]);

enum kernel_vendor_purpose { KERNEL_VENDOR_EVENT = 1, KERNEL_VENDOR_MBUF_TAG = 2 };

/* @size_bytes without NUL.  0 and *@code; EINVAL, ENOMEM */
int __attribute__((warn_unused_result))
kernel_kev_vendor(struct kernel *k, const char *text, size_t size_bytes,
		  enum kernel_vendor_purpose purpose, uint32_t *code);
/* 0; EINVAL (vendor), EMSGSIZE, ENOMEM.  @is_kernel: any vendor. */
int __attribute__((warn_unused_result))
kernel_kev_post(struct kernel *k, const uint32_t vendor_class_subclass_code[4], const void *data,
		uint32_t size_bytes, bool is_kernel, struct kernel_effects *effects);

/* NULL: no memory, or too many.  Wants nothing yet. */
struct kernel_kev_socket *kernel_kev_socket_new(struct kernel *k, void *host);
void *kernel_kev_socket_host(const struct kernel_kev_socket *socket);
void kernel_kev_socket_free(struct kernel *k, struct kernel_kev_socket *socket);
void kernel_kev_socket_set_filter(struct kernel_kev_socket *socket, const uint32_t filter[3]);
void kernel_kev_socket_filter(const struct kernel_kev_socket *socket, uint32_t filter[3]);
/* What became of a delivery: counted in struct kevtstat. */
void kernel_kev_delivered(struct kernel *k, struct kernel_kev_socket *socket, bool was_full);

/* The next delivery of a step or of one of the calls above; false: none is left.  What `bytes`
 * points to lives until the next call of this. */
bool kernel_effects_kev(struct kernel *k, struct kernel_effects *effects,
			struct kernel_kev_delivery *delivery);

/* The next row after @at, which starts at 0; false at the end. */
struct kernel_kext_row {
	const struct kernel_kext *kext;
	uint32_t tag, host_id, host_pid, reference_count;
	bool started;
};
bool kernel_kext_next(struct kernel *k, uint32_t *at_tag, struct kernel_kext_row *row);

struct kernel_ctl_row {
	const struct kernel_ctl *ctl; /* `id` filled in; `unit` as registered */
	uint64_t ref;
	uint32_t kext_tag, host_id, host_pid;
};
bool kernel_ctl_next(struct kernel *k, uint64_t *at, struct kernel_ctl_row *row);

/* struct kevtstat: pcbcount, gencnt, badvendor, toobig, nomem, fullsock, posted. */
void kernel_kev_statistics(const struct kernel *k, uint64_t statistics[7]);

/* ---- looking ----------------------------------------------------------------------- */

/* One right of one task. */
struct kernel_right_row {
	struct task *task;
	uint32_t task_pid;
	const char *task_label;
	mach_port_name_t name;
	mach_port_type_t type;
	mach_port_urefs_t urefs;
	bool dead_name_request;
	bool kept_by_library; /* the thread's cached reply port and what every task starts with */
	uint64_t port_id;     /* 0: a dead name or a set */
	const char *kobject;  /* "task", "host" …; NULL: a plain port */
	uint32_t kobject_pid; /* the task behind a task or thread port */
	bool port_alive;
	/* of the port, whoever asks */
	uint32_t receiver_pid; /* 0: in transit, or the kernel */
	const char *receiver_label;
	mach_port_name_t receiver_name;
	uint32_t msgcount, qlimit, seqno;
	uint32_t srights, sorights, mscount;
	uint32_t set_count;         /* sets that the port is in; members, for a set */
	uint32_t waiting_receivers; /* threads blocked receiving on it or a set with it; waiting for
				       it, a semaphore */
	uint32_t waiting_senders;
	bool no_senders_request, port_destroyed_request;
	uint32_t oldest_sender_pid; /* of the first queued message; 0: the kernel or none */
};

/* The task that receives what is sent to the port which @task calls @name; NULL: none does, or the
 * kernel itself. */
struct task *kernel_receiver_of(const struct task *task, mach_port_name_t name);

/*
 * The next right after (@task, @index), in the order of tasks and names; false at the end.
 * Both start as NULL and 0 and are updated.  Other calls may come in between: what changes
 * then is seen or not, nothing is seen twice.
 */
struct kernel_census {
	uint64_t task_id;
	uint32_t entry_index;
};
bool kernel_census_next(struct kernel *k, struct kernel_census *at, struct kernel_right_row *row);

/* The next task after @at->task_id. */
struct kernel_task_row {
	struct task *task;
	uint64_t task_id;
	uint32_t pid;
	const char *label;
	audit_token_t token;
	uint32_t thread_count, parked_count;
	uint32_t right_count, port_count; /* names in its space; ports it receives on */
	uint64_t messages_sent, messages_received;
	uint64_t
	    queued_bytes; /* charged to it: unreceived, what it sent and answers it asked for */
	bool is_first;    /* the name server */
};
bool kernel_task_next(struct kernel *k, uint64_t *task_id, struct kernel_task_row *row);

/* What the kernel holds. */
struct kernel_counts {
	uint32_t tasks, threads, ports, port_sets, messages, segments, notifications, watches;
	uint32_t fileports, memory_entries, lanes;
	uint32_t kext_hosts, kexts, controls, kev_sockets;
	uint64_t bytes; /* allocated from the heap */
};
void kernel_counts(const struct kernel *k, struct kernel_counts *counts);

/* Walks everything and stops the program at the first invariant that does not hold. */
void kernel_audit(const struct kernel *k);

/* The kernel as text, the same for the same state: what tests compare and tools print. */
typedef void kernel_write(void *context, const char *text, size_t size_bytes);
void kernel_dump(const struct kernel *k, kernel_write *write, void *context);

#endif
