/*
 * The reference model: the rights algebra and the queues of Mach once more, as plain as can be,
 * and timers, semaphores, vouchers, fileports, suspensions and what the kernel holds with them.
 *
 * Written from mach-ports.md, mach-messages.md and mach-kobjects.md alone.  Everything is a list
 * that is searched from its start; what can be counted is counted, not kept; nothing is freed
 * before the end.  It shares no code with kernel/ and is right to be slow where that makes it
 * plain.
 *
 * The model is told each step after the kernel has made it.  The one thing that it takes from
 * the kernel is the choice of a fresh name (`actual` of a thread), and of that it checks that
 * the name was free and is one that may be; sizes of tables and numbers of objects, which only
 * looks show, it takes as they are told and checks that they fit.
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mach/kern_return.h>
#include <mach/message.h>
#include <mach/notify.h>
#include <mach/port.h>

#include <berth/syscall_sw.h>

#define M_TASKS 4
#define M_THREADS 4
#define M_ARGS 13 /* of a step; a trap has eight, the rest is in its bytes */
#define M_VALUES 6
#define M_BYTES 4096
#define M_PIECES 4
#define M_PIECE_BYTES 64
#define M_DESCRIPTORS 4
#define M_RIGHTS 4 /* in one descriptor */
#define M_DATA 256
/* data may be read as descriptors, of 12 bytes at least, when the count says so */
#define M_WIRE_DESCRIPTORS (M_DESCRIPTORS + M_DATA / 12 + 1)
#define M_FRESH 32 /* names that one step makes, at most */
#define M_NEVER UINT64_MAX
#define M_VOUCHER_KEYS 8
#define M_REGISTERED 3
#define M_TASK_SPECIAL 12 /* numbers of special ports of a task, and of the host */
#define M_HOST_SPECIAL 36
#define M_EXCEPTIONS 14
#define M_REGISTERS (168 + 16)  /* bytes: x86_thread_state64_t, x86_exception_state64_t */
#define M_EXC_MASK_VALID 0x3ffe /* mach-kobjects.md §9 */

/* Things in order; linear everywhere. */
struct m_list {
	void **items;
	uint32_t count, room;
};

#define M_EACH(type, name, list)                                                                   \
	for (uint32_t name##_at = 0; name##_at < (list)->count; name##_at++)                       \
		for (type *name = (list)->items[name##_at], *name##_once = name; name##_once;      \
		     name##_once = NULL)

struct m_port;
struct m_task;
struct m_message;

/* A right that is not in an entry.  Kind 0: no right, and `name` is 0 or DEAD. */
struct m_right {
	uint32_t kind; /* MACH_MSG_TYPE_PORT_RECEIVE, _SEND, _SEND_ONCE */
	mach_port_name_t name;
	struct m_port *port;
};

/* A dead-name or send-possible request: of one entry, and of the port that it names. */
struct m_request {
	uint32_t slot; /* in the order of which they are told */
	mach_port_name_t name;
	struct m_right notify; /* kind 0: used up, or fired */
	bool send_possible, armed;
	bool used;  /* send-possible was told */
	bool fired; /* the port died, and dead-name was told */
};

struct m_set {
	bool alive;
	struct m_task *task;
	struct m_list members; /* m_port */
	struct m_list ready;   /* m_port: those with messages, in the order of service */
	struct m_list waiting; /* m_thread */
	uint64_t kernel_id;
};

struct m_entry {
	mach_port_name_t name;
	mach_port_type_t type; /* rights; no request bits */
	uint32_t urefs;        /* of SEND, DEAD_NAME and SEND_ONCE */
	struct m_port *port;
	struct m_set *set;
	struct m_request *request;
	uint32_t label_step, label_ordinal; /* the runner's: where the name came from */
};

enum m_owner {
	M_OWNER_NONE,
	M_OWNER_TASK,
	M_OWNER_THREAD,
	M_OWNER_HOST,
	M_OWNER_SEMAPHORE,
	M_OWNER_VOUCHER,
	M_OWNER_TASK_NAME,
	M_OWNER_TOKEN, /* of a suspension: of its task, one send-once right each */
	M_OWNER_FILEPORT,
	M_OWNER_HOST_PRIV
};

struct m_semaphore {
	struct m_task *owner; /* NULL: terminated */
	int32_t count;
	bool lifo;
	struct m_list waiters; /* m_thread, as they came */
};

/* One attribute of a voucher; command 0: it has the default. */
struct m_attribute {
	uint32_t command, size;
	uint8_t bytes[M_PIECE_BYTES];
};

struct m_voucher {
	struct m_attribute of[M_VOUCHER_KEYS]; /* of key 1 and so on */
};

/* What makes a receive right a timer. */
struct m_timer {
	bool armed;
	uint64_t when, order;
	bool queued; /* its message waits */
};

struct m_port {
	bool alive;
	enum m_owner kernel; /* a kernel object, and of what */
	struct m_task *kernel_task;
	struct m_semaphore *semaphore;
	struct m_voucher *voucher;
	struct m_timer *timer;   /* NULL: none; its port is no kernel object */
	uint32_t kernel_srights; /* that a timer has of itself */
	uint32_t file;           /* of a fileport: the runner's number for it */
	struct m_thread *kernel_thread;

	struct m_task *receiver;   /* NULL: in transit or the kernel's */
	struct m_message *carrier; /* that the receive right travels in */
	struct m_list queue;       /* m_message */
	uint32_t qlimit, seqno, mscount;
	uint64_t context;
	bool guarded, strict, immovable, special;
	struct m_right no_senders, port_destroyed; /* kind 0: none */
	struct m_list requests;                    /* m_request or NULL: slots */
	struct m_list sets;                        /* m_set, as linked */
	struct m_list receivers;                   /* m_thread: waiting on this very port */
	struct m_list senders;                     /* m_thread: blocked */
	uint64_t kernel_id; /* the kernel's number for it; 0: not known yet */
};

/* A descriptor as it travels. */
struct m_descriptor {
	uint32_t type;
	uint32_t disposition; /* as recorded for the receiver */
	uint32_t count;       /* rights, or bytes out of line */
	uint32_t copy, deallocate, flags;
	uint64_t context;
	struct m_right rights[M_PIECE_BYTES / sizeof(mach_port_name_t)];
	uint8_t bytes[M_PIECE_BYTES];
};

struct m_message {
	struct m_right dest, reply, voucher;
	bool complex;
	uint32_t dest_kind, reply_kind; /* dispositions as the receiver sees them */
	uint32_t voucher_field, voucher_disposition;
	int32_t id;
	uint32_t size; /* as sent */
	uint32_t descriptor_count;
	struct m_descriptor *descriptors; /* m_message_room() */
	uint8_t data[M_DATA];
	uint32_t data_size;
	struct m_task *sender; /* NULL: the kernel */
	struct m_timer *timer; /* whose message it is, or NULL */
	bool bypass;           /* the queue's limit does not hold for it */
	bool circular;         /* carries its destination, if by way of other messages */
};

/* How a trap ended. */
struct m_result {
	kern_return_t code;
	uint64_t values[M_VALUES];
	uint8_t bytes[M_BYTES];
	uint32_t bytes_size;
	uint8_t trailer[sizeof(mach_msg_mac_trailer_t)];
	uint32_t trailer_size;
	struct m_piece {
		uint32_t size;
		bool unreadable;
		uint8_t bytes[M_PIECE_BYTES];
	} pieces[M_PIECES];
	uint32_t piece_count;
	uint32_t file; /* that the task gets; 0: none */
};

/* What a trap asks. */
struct m_call {
	uint32_t number;
	uint64_t args[M_ARGS];
	uint8_t bytes[512];
	uint32_t bytes_size;
	struct m_piece pieces[M_PIECES];
	uint32_t piece_count;
	uint32_t file; /* that comes along; 0: none */
};

/* Who wants to hear of an exception; right of kind 0: nobody, or one who died (DEAD). */
struct m_action {
	struct m_right right;
	uint32_t behavior, flavor;
};

enum m_state { M_RUNNING, M_SENDING, M_RECEIVING, M_WAITING /* on a semaphore */ };

struct m_thread {
	struct m_task *task;
	bool alive;
	enum m_state state;
	uint64_t born, deadline, parked_order;
	struct m_port *port; /* kernel port of the thread; NULL: never asked for */
	struct m_port *special_reply;
	struct m_action exceptions[M_EXCEPTIONS];
	struct m_right voucher;
	bool offers; /* its registers are to be seen */
	uint8_t registers[M_REGISTERS];

	/* the trap that is under way */
	const struct m_call *call; /* of a running one */
	uint32_t option, rcv_size, timeout;
	mach_port_name_t rcv_name, sync_name;
	uint64_t rcv_buffer;
	bool sent;
	uint32_t captured;           /* descriptors whose memory the kernel has taken */
	struct m_message *message;   /* M_SENDING */
	struct m_port *waiting_port; /* M_RECEIVING: the port or the set; M_SENDING, M_WAITING */
	struct m_set *waiting_set;

	bool done; /* it completed in this step */
	struct m_result result;
	bool actual_done; /* the same of the kernel's */
	struct m_result actual;
};

struct m_task {
	uint32_t index;
	bool alive;
	audit_token_t token;
	struct m_list entries; /* m_entry */
	struct m_port *port;   /* its own kernel port */
	struct m_port *name_port, *token_port;
	uint32_t suspends; /* without a token */
	bool resumed;      /* in this step: its last token has ended, and nothing else holds it */
	bool actual_resumed;
	struct m_right special[M_TASK_SPECIAL], registered[M_REGISTERED];
	struct m_action exceptions[M_EXCEPTIONS];
	struct m_thread threads[M_THREADS];
};

struct model {
	struct m_task tasks[M_TASKS];
	uint32_t task_count;
	struct m_port *host, *host_priv;
	struct m_right host_special[M_HOST_SPECIAL];
	struct m_action host_exceptions[M_EXCEPTIONS];
	struct m_list held;  /* m_right: those that the kernel itself holds */
	struct m_list files; /* m_port: fileports that live */
	uint64_t now_ns, order;
	struct m_list messages; /* m_message: all that exist */
	struct m_list ports;    /* m_port: all that live or are dying, to be looked through */
	struct m_list dying;    /* m_port */
	struct m_list resuming; /* m_thread: sent, and go on at the end of the step */
	bool destroying;
	struct m_thread *current; /* whose trap this is */

	/* what the last step made: fresh names in the order that the model made them */
	struct {
		struct m_task *task;
		struct m_entry *entry;
	} fresh[M_FRESH];
	uint32_t fresh_count;

	char wrong[256]; /* what the kernel's choice of a name was wrong about; "": nothing */

	uint8_t *arena;
	size_t arena_used, arena_size;
};

/* ---- a model (model.c) ----------------------------------------------------------------- */

/* Both give back to the start: no tasks.  A model is reused, and its memory with it. */
struct model *model_new(void);
void model_reset(struct model *m);
struct model *model_free(struct model *m);

/* A task with its own port under BERTH_NAME_TASK_SELF and no thread. */
struct m_task *model_task_new(struct model *m, const audit_token_t *token);
struct m_thread *model_thread_new(struct model *m, struct m_task *task, uint32_t index);

/* A child of @parent, which inherits what children do, if @same_ids exception ports, too. */
struct m_task *model_fork(struct model *m, struct m_task *parent, const audit_token_t *token,
			  bool same_ids);

/* Another program in place of @task, as a new task; it is a step as those below. */
struct m_task *model_exec(struct model *m, struct m_task *task, const audit_token_t *token);

/* Steps.  Before each, `actual` says what the kernel did; after it, `done` and `result`. */
void model_trap(struct model *m, struct m_thread *thread, const struct m_call *call);
void model_interrupt(struct model *m, struct m_thread *thread);
void model_advance(struct model *m, uint64_t now_ns);
void model_thread_exit(struct model *m, struct m_thread *thread);
void model_task_die(struct model *m, struct m_task *task);

uint64_t model_next_deadline(const struct model *m);

void *m_alloc(struct model *m, size_t size);
void m_list_add(struct model *m, struct m_list *list, void *item);
bool m_list_has(const struct m_list *list, const void *item);
bool m_list_remove(struct m_list *list, const void *item);
void *m_list_take_first(struct m_list *list);
void model_wrong(struct model *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- names (names.c) ------------------------------------------------------------------- */

struct m_entry *m_entry_find(struct m_task *task, mach_port_name_t name);
/* The entry that a send or receive right to @port is under. */
struct m_entry *m_entry_of_port(struct m_task *task, const struct m_port *port);
/* A new entry under the name that the kernel chose. */
struct m_entry *m_entry_fresh(struct model *m, struct m_task *task, mach_port_name_t chosen);
struct m_entry *m_entry_named(struct model *m, struct m_task *task, mach_port_name_t name);
void m_entry_free(struct model *m, struct m_task *task, struct m_entry *entry);
/* Is the name one that a table could give?  KERN_SUCCESS, or why not: mach-ports.md §9.2. */
kern_return_t m_name_check(struct m_task *task, mach_port_name_t name);
/* Looks at an entry: a send right to a dead port becomes a dead name. */
void m_entry_notice(struct m_entry *entry);
mach_port_type_t m_entry_type(const struct m_entry *entry);
uint32_t m_urefs_add(uint32_t urefs, uint32_t delta);
uint32_t m_urefs_sub(uint32_t urefs, uint32_t delta);

/* ---- rights (rights.c) ----------------------------------------------------------------- */

uint32_t m_port_srights(const struct model *m, const struct m_port *port);
uint32_t m_port_sorights(const struct model *m, const struct m_port *port);

struct m_right m_right_null(mach_port_name_t name);
/* Takes a right out of an entry: mach-ports.md §6.1. */
kern_return_t m_copyin(struct model *m, struct m_task *task, mach_port_name_t name,
		       uint32_t disposition, struct m_right *right);
/* Would m_copyin() succeed?  Nothing is changed. */
bool m_copyin_possible(const struct m_entry *entry, uint32_t disposition);
/* Puts a right in, under a fresh name only if it needs one: mach-ports.md §6.2. */
mach_port_name_t m_copyout(struct model *m, struct m_task *task, struct m_right *right,
			   mach_port_name_t chosen);
void m_copyout_entry(struct m_entry *entry, struct m_right *right);
/* Destroys a right that is in no entry. */
void m_right_destroy(struct model *m, struct m_right *right);
/* After a send right has gone. */
void m_senders_check(struct model *m, struct m_port *port);

/* Dropping: mach-ports.md §6.3. */
void m_entry_drop_send(struct model *m, struct m_task *task, struct m_entry *entry, uint32_t urefs);
void m_entry_drop_dead(struct model *m, struct m_task *task, struct m_entry *entry, uint32_t urefs);
void m_entry_drop_send_once(struct model *m, struct m_task *task, struct m_entry *entry);
void m_entry_drop_receive(struct model *m, struct m_task *task, struct m_entry *entry);
void m_entry_destroy(struct model *m, struct m_task *task, struct m_entry *entry);

/* ---- ports (ports.c) ------------------------------------------------------------------- */

struct m_port *m_port_new(struct model *m, struct m_task *receiver);
/* The receive right leaves its place: sets, receivers, counters, guard. */
void m_port_unplace(struct model *m, struct m_port *port);
/* The receive right, which is in no entry, ends: to the backup, or the port dies. */
void m_port_release_receive(struct model *m, struct m_port *port);
/* A dying port is worked off at once, or, while another one is, after that. */
void m_port_end(struct model *m, struct m_port *port);

struct m_set *m_set_new(struct model *m, struct m_task *task);
void m_set_destroy(struct model *m, struct m_set *set);
void m_set_add(struct model *m, struct m_set *set, struct m_port *port);
void m_set_remove(struct m_set *set, struct m_port *port);

/* ---- notifications (notify.c) ------------------------------------------------------------ */

/* Consumes @notify: a message to its port.  @value: not_port or not_count. */
void m_notify(struct model *m, struct m_right *notify, int32_t id, uint32_t value);
void m_notify_port_destroyed(struct model *m, struct m_right *notify, struct m_port *port);
/* The request of an entry whose name goes: PORT_DELETED, if it was not used. */
void m_request_deleted(struct model *m, struct m_entry *entry);
/* A slot for @request among those of @port. */
void m_request_add(struct model *m, struct m_port *port, struct m_request *request);
void m_request_remove(struct m_port *port, struct m_request *request);
void m_requests_port_died(struct model *m, struct m_port *port);
void m_requests_send_possible(struct model *m, struct m_port *port);
kern_return_t m_call_request_notification(struct model *m, struct m_thread *thread,
					  struct m_task *task, const struct m_call *call);

/* ---- messages and queues (queues.c, send.c, receive.c) ------------------------------------ */

struct m_message *m_message_new(struct model *m);
/* Room for so many descriptors, of which it has none yet. */
void m_message_room(struct model *m, struct m_message *message, uint32_t count);
/* All rights in it, in their order. */
void m_message_destroy(struct model *m, struct m_message *message);
void m_message_forget(struct model *m, struct m_message *message);
bool m_message_circular(const struct m_message *message);

bool m_port_full(const struct m_port *port);
/* Into the hands of who waits, or into the queue. */
void m_enqueue(struct model *m, struct m_port *port, struct m_message *message);
struct m_message *m_dequeue(struct model *m, struct m_port *port, struct m_set *through);
void m_admit(struct model *m, struct m_port *port);
/* What waits in @port is offered to who waits on @set. */
void m_offer(struct model *m, struct m_port *port, struct m_set *set);
void m_wake_changed(struct model *m, struct m_list *threads);
void m_unpark(struct model *m, struct m_thread *thread);
/* It completes a trap that is no message. */
void m_complete(struct m_thread *thread, kern_return_t code);
void m_park(struct model *m, struct m_thread *thread, enum m_state state, bool timed);

void m_result_clear(struct m_result *result);
void m_msg_complete(struct m_thread *thread, kern_return_t code);

void m_msg_trap(struct model *m, struct m_thread *thread, const struct m_call *call);
/* The send half has succeeded. */
void m_send_done(struct model *m, struct m_thread *thread);
/* It has failed after the message was made: all is given back to the sender. */
void m_send_give_back(struct model *m, struct m_thread *thread, kern_return_t code);
void m_receive_start(struct model *m, struct m_thread *thread);
/* Is @message too large for what @thread has? */
bool m_receive_too_large(const struct m_thread *thread, const struct m_message *message);
/* A message that was too large and stays where it is. */
void m_receive_stays(struct model *m, struct m_thread *thread, struct m_port *port,
		     const struct m_message *message);
/* A message that was dequeued is given to @thread. */
void m_receive_take(struct model *m, struct m_thread *thread, struct m_port *port,
		    struct m_message *message, uint32_t seqno);
/* The rights of the body go to @thread's task, and the body into its result. */
void m_body_out(struct model *m, struct m_thread *thread, struct m_message *message,
		bool is_receive);
/* Four bytes of what the kernel gave @thread, where a fresh name is expected. */
mach_port_name_t m_actual_name(const struct m_thread *thread, uint32_t offset);
void m_header_out(struct m_result *result, const mach_msg_header_t *header);

/* ---- calls (calls.c, attributes.c, looking.c) ---------------------------------------------- */

/* One trap that is no message; false: the number is none that the model knows. */
bool m_call(struct model *m, struct m_thread *thread, const struct m_call *call);
kern_return_t m_call_attributes(struct model *m, struct m_thread *thread, struct m_task *task,
				const struct m_call *call, bool *known);
kern_return_t m_call_sets(struct model *m, struct m_thread *thread, struct m_task *task,
			  const struct m_call *call, bool *known);

/* A name as the calls that need a live right take it ("translate"). */
kern_return_t m_translate(struct m_task *task, mach_port_name_t name, mach_port_type_t type,
			  struct m_entry **entry);

/* mach_port_destroy() */
kern_return_t m_call_destroy(struct model *m, struct m_task *task, mach_port_name_t name);
/* One more user reference of @thread's task to @port. */
mach_port_name_t m_give_send(struct model *m, struct m_thread *thread, struct m_port *port);
/* The kernel object that @name is a send right to, as traps say what is wrong with it. */
kern_return_t m_kobject_named(struct m_task *task, mach_port_name_t name, struct m_port **port);

/* looking.c */
kern_return_t m_call_looking(struct model *m, struct m_thread *thread, struct m_task *task,
			     const struct m_call *call, bool *known);

/* ---- objects (timers.c, semaphores.c, vouchers.c) ------------------------------------------ */

/* Each: false, the number is none of theirs. */
bool m_call_timer(struct model *m, struct m_thread *thread, const struct m_call *call);
bool m_call_semaphore(struct model *m, struct m_thread *thread, const struct m_call *call);
bool m_call_voucher(struct model *m, struct m_thread *thread, const struct m_call *call);

/* Its time has come: one message, unless one waits. */
void m_timer_expire(struct model *m, struct m_port *port);
/* The armed timer that is due first; NULL: none is armed. */
struct m_port *m_timer_due(const struct model *m);

struct m_port *m_semaphore_new(struct model *m, struct m_task *owner, int32_t count, bool lifo);
void m_semaphore_terminate(struct model *m, struct m_port *port);
void m_semaphores_task_died(struct model *m, struct m_task *task);

/* ---- what the kernel holds (holding.c) ------------------------------------------------------- */

/* The right is the kernel's from now on, in place of the one that it held there. */
void m_hold(struct model *m, struct m_right *place, struct m_right right);
/* One more right to what is held there. */
struct m_right m_held_copy(const struct m_right *place);
void m_release_all(struct model *m, struct m_right *places, uint32_t count);
bool m_call_holding(struct model *m, struct m_thread *thread, const struct m_call *call);
/* A task as an argument of a call about tasks: KERN_INVALID_ARGUMENT for other objects. */
kern_return_t m_task_named(struct m_thread *thread, mach_port_name_t name, struct m_task **task);

/* exceptions.c */
void m_actions_release(struct model *m, struct m_action actions[M_EXCEPTIONS]);
void m_actions_inherit(struct model *m, struct m_action to[M_EXCEPTIONS],
		       const struct m_action from[M_EXCEPTIONS]);
bool m_call_exception(struct model *m, struct m_thread *thread, const struct m_call *call);

/* suspension.c */
bool m_call_suspension(struct model *m, struct m_thread *thread, const struct m_call *call);
/* A send-once right to @port has ended, whichever way. */
void m_token_ended(struct model *m, struct m_port *port);

/* fileports.c */
bool m_call_fileport(struct model *m, struct m_thread *thread, const struct m_call *call);

/* ---- messages to the kernel (kobject.c, routines in the files above) ---------------------------
 */

/* A request, and what goes back when it succeeds. */
struct m_rpc {
	struct m_thread *thread; /* whose it is */
	struct m_message *request, *reply;
	uint32_t words[M_DATA / 4 - 3]; /* the inline fields of the reply */
	uint32_t word_count;
};

/* Is the request of that shape?  So many descriptors of so many bytes, so many words. */
bool m_rpc_shape(const struct m_rpc *rpc, uint32_t descriptors, uint32_t bytes, uint32_t words);
uint32_t m_rpc_word(const struct m_rpc *rpc, uint32_t at);
/* The send right, or none, in the descriptor at @at; NULL: it is something else. */
struct m_right *m_rpc_right(const struct m_rpc *rpc, uint32_t at);
/* The next descriptor of the reply. */
void m_rpc_answer(struct m_rpc *rpc, struct m_right right);
/* @code: MIG_BAD_ID if the number is none of theirs. */
kern_return_t m_rpc_holding(struct model *m, struct m_rpc *rpc);
kern_return_t m_rpc_exception(struct model *m, struct m_rpc *rpc);
kern_return_t m_rpc_token(struct m_rpc *rpc);
/* May the asker rule the host?  Who is asked by it, or the host by its owner. */
bool m_rules_host(const struct model *m, const struct m_rpc *rpc);

/* Where a send right to a kernel object ends: those that live by these die with the last. */
void m_kobject_unreferenced(struct model *m, struct m_port *port);
/* A message to a port of the kernel's: semaphores are made and destroyed, all else is refused. */
void m_kobject_serve(struct model *m, struct m_thread *thread, struct m_message *message);

#endif
