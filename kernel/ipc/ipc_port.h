/*
 * Port: a queue of messages with exactly one receiver, and the object that rights name.
 *
 * Where the receive right of a port is (`place`), and what moves it:
 *
 *   IN_SPACE    in one entry of `receiver`            ipc_right_copyout, mach_port_allocate
 *   IN_TRANSIT  in a message to `destination`         ipc_right_copyin
 *   IN_LIMBO    in hand during one step               between the two
 *   KERNEL      the kernel's own: task, thread, host  ipc_port_new_kernel
 *   DEAD        nowhere, for good                     ipc_port_destroy
 *
 * Counts of a live port: srights is one for each entry with SEND, each send right in a
 * message and each that the kernel holds; sorights likewise for send-once rights, and the
 * pool of notifications holds one message for each.  A dead port has neither.
 */
#ifndef KERNEL_IPC_PORT_H
#define KERNEL_IPC_PORT_H

#include "kern/account.h"
#include "kern/state.h"

struct ipc_gate;
struct ipc_space;
struct ipc_kmsg;
struct ipc_pset;

enum ipc_object_kind { IPC_OBJECT_PORT = 1, IPC_OBJECT_PSET = 2 };

/* What an entry of a space points at; first member of both kinds. */
struct ipc_object {
	uint8_t kind;    /* enum ipc_object_kind */
	uint8_t place;   /* enum ipc_port_place; a set is IN_SPACE or DEAD */
	uint8_t kobject; /* enum ipc_kobject_kind */
	uint8_t flags;   /* IPC_PORT_* */
	uint32_t ref_count;
};

enum ipc_port_place { PORT_IN_SPACE = 1, PORT_IN_TRANSIT, PORT_IN_LIMBO, PORT_KERNEL, PORT_DEAD };

/* Numbers as mach_port_kobject() reports them (mach-kobjects.md §1). */
enum ipc_kobject_kind {
	IKOT_NONE = 0,
	IKOT_THREAD = 1,
	IKOT_TASK = 2,
	IKOT_HOST = 3,
	IKOT_HOST_PRIV = 4,
	IKOT_TIMER = 8,
	IKOT_TASK_NAME = 20,
	IKOT_SEMAPHORE = 23,
	IKOT_CLOCK = 25,
	IKOT_CLOCK_CTRL = 26,
	IKOT_NAMED_ENTRY = 28,
	IKOT_FILEPORT = 34,
	IKOT_TASK_RESUME = 36,
	IKOT_VOUCHER = 37
};

#define IPC_PORT_GUARDED 0x01
#define IPC_PORT_STRICT_GUARD 0x02
#define IPC_PORT_IMMOVABLE 0x04
#define IPC_PORT_SPECIAL_REPLY 0x08
#define IPC_PORT_TEMPOWNER 0x10

/* A dead-name or send-possible request on one name. */
enum ipc_request_state {
	IPC_REQUEST_FREE = 0,
	IPC_REQUEST_DEAD_NAME,     /* waits for the port's death */
	IPC_REQUEST_SEND_POSSIBLE, /* and for a full queue to be met */
	IPC_REQUEST_ARMED,         /* and for room */
	IPC_REQUEST_USED,          /* send-possible was sent: nothing more comes */
	IPC_REQUEST_DIED           /* dead-name was sent: the name gets one more reference */
};

struct ipc_port_request {
	struct ipc_port *notify; /* a send-once right; NULL in the last two states and FREE */
	struct account *payer;
	uint32_t name;
	uint32_t state; /* enum ipc_request_state */
};

struct ipc_port {
	struct ipc_object object;
	struct list link; /* kernel.ports; kernel.dying_ports while it dies */
	uint64_t id;

	struct ipc_space *receiver; /* IN_SPACE: borrowed, a space outlives its entries */
	union {
		struct ipc_port *destination; /* IN_TRANSIT: one reference */
		void *kobject; /* KERNEL: the task, thread … behind it; IN_SPACE: the timer */
	};
	struct account *payer; /* whose port it is: one reference; NULL for the kernel's */
	mach_port_name_t receiver_name;

	uint32_t srights;
	uint32_t sorights;
	uint32_t mscount;

	/* the message queue */
	struct list messages;  /* struct ipc_kmsg, in order of admission */
	struct list receivers; /* struct thread, waiting directly on this port */
	struct list senders;   /* struct thread, blocked because the queue is full */
	uint32_t msgcount;
	uint32_t qlimit;
	uint32_t seqno; /* of the next message taken */

	uint32_t request_count; /* slots */
	struct ipc_port_request *requests;
	uint32_t request_used_count; /* slots that are not FREE */
	uint32_t request_first_free; /* none before it is */
	uint32_t request_armed_count;

	struct list sets;   /* struct ipc_pset_link, in the order of joining */
	struct list alarms; /* struct clock_alarm, which will send here */
	mach_port_context_t context;
	struct ipc_port *no_senders;     /* a send-once right, or NULL */
	struct ipc_port *port_destroyed; /* a send-once right, or NULL */
	struct kernel_watch *watch;
	struct ipc_gate *gate; /* what lanes lead or answer to it, or NULL */
};

_Static_assert(sizeof(struct ipc_port) + 24 <= 256, "an idle port and its entry cost 256 bytes");

/* Stands for a right whose port was dead when it was carried. */
#define IP_DEAD ((struct ipc_port *)~(uintptr_t)0)

static inline bool
ip_valid(const struct ipc_port *port)
{
	return port && port != IP_DEAD;
}

static inline bool
ip_active(const struct ipc_port *port)
{
	return port->object.place != PORT_DEAD;
}

/* The kernel has an object behind a receive right of a task's: a timer.  It cannot be moved. */
static inline bool
ip_is_received_kobject(const struct ipc_port *port)
{
	return port->object.place != PORT_KERNEL && port->object.kobject != IKOT_NONE;
}

/* A port in limbo with one reference, charged to @payer (NULL: the kernel's own). */
mustuse struct ipc_port *ipc_port_new(struct kernel *k, struct account *payer);
/* A port that the kernel receives on, for the object behind it; gives one reference. */
mustuse struct ipc_port *ipc_port_new_kernel(struct kernel *k, enum ipc_kobject_kind kind,
					     void *kobject);
struct ipc_port *ipc_port_ref(struct ipc_port *port);
struct ipc_port *ipc_port_unref(struct kernel *k, struct ipc_port *port);

/* Gives a send right (a reference and a count); IP_DEAD for a dead port. */
struct ipc_port *ipc_port_make_send(struct ipc_port *port); /* from the receive right */
struct ipc_port *ipc_port_copy_send(struct ipc_port *port); /* from another send right */
/* Gives a send-once right; the caller reserved its notification (ipc_notify_reserve). */
struct ipc_port *ipc_port_make_send_once(struct kernel *k, struct ipc_port *port);

/* Drop a right that was given (a reference and a count), with its notifications.  NULL and
 * IP_DEAD are let pass. */
void ipc_port_release_send(struct kernel *k, struct ipc_port *port);
/* Unused: its port is sent a SEND_ONCE notification. */
void ipc_port_release_send_once(struct kernel *k, struct ipc_port *port);
/* Used: by a message, whose arrival is its outcome. */
void ipc_port_use_send_once(struct kernel *k, struct ipc_port *port);
/* The receive right in hand (limbo or transit, one reference) goes: port-destroyed or death. */
void ipc_port_release_receive(struct kernel *k, struct ipc_port *port);
/* Drop a carried right of kind @type (MACH_MSG_TYPE_PORT_*). */
void ipc_port_release_right(struct kernel *k, struct ipc_port *port, mach_msg_type_name_t type);

/* What a move or death of the receive right takes away: counters, guard, sets, waiters. */
void ipc_port_clear_receiver(struct kernel *k, struct ipc_port *port);
/* The port dies now, or after the one that is dying.  It is in no space any more. */
void ipc_port_destroy(struct kernel *k, struct ipc_port *port);
/* The same for a port of the kernel's own, whose object has gone. */
void ipc_port_destroy_kernel(struct kernel *k, struct ipc_port *port);
/* Sends NO_SENDERS if it is asked for and due. */
void ipc_port_check_no_senders(struct kernel *k, struct ipc_port *port);

/* A receive right comes out of a message, if it was in one: in hand. */
void ipc_port_leave_transit(struct kernel *k, struct ipc_port *port);
/* Would a message to @dest that carries @port's receive right hold itself? */
bool ipc_port_would_circle(const struct ipc_port *port, const struct ipc_port *dest);

/* One slot in the request table; KERN_RESOURCE_SHORTAGE.  Consumes @notify on success. */
mustuse kern_return_t ipc_port_request_add(struct kernel *k, struct ipc_port *port,
					   struct account *payer, mach_port_name_t name,
					   struct ipc_port *notify, enum ipc_request_state state,
					   uint32_t *slot);
/* Frees the slot and gives its send-once right, or NULL if that has been used. */
struct ipc_port *ipc_port_request_cancel(struct kernel *k, struct ipc_port *port, uint32_t slot);
void ipc_port_request_set_state(struct kernel *k, struct ipc_port *port, uint32_t slot,
				enum ipc_request_state state);
/* Sends SEND_POSSIBLE to every armed request. */
void ipc_port_fire_send_possible(struct kernel *k, struct ipc_port *port);

#endif
