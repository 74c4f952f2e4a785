/*
 * The socket between a task and its kernel: Unix SOCK_SEQPACKET, one message a call.
 *
 * It carries what shared memory cannot: who the task is (Linux says it, by SCM_CREDENTIALS
 * and SO_PEERCRED), descriptors, and, by its hang-up, that the task is gone.  Each message
 * starts with struct wire_head; numbers are in host order; unknown kinds are refused.
 */
#ifndef BERTH_WIRE_SOCKET_H
#define BERTH_WIRE_SOCKET_H

#include <stdint.h>

#include "wire/trap_page.h"

enum wire_kind {
	/* task → kernel */
	WIRE_HELLO = 1,       /* first message of a connection that will be a task */
	WIRE_THREAD = 2,      /* a thread asks for a slot */
	WIRE_THREAD_EXIT = 3, /* a thread gives its slot back */
	WIRE_RING = 4,        /* ring, with the descriptors of the trap in that slot */
	WIRE_FORK = 5,        /* about to fork: give me a connection for the child */
	WIRE_CREDENTIALS = 6, /* my ids changed: look at this message's SCM_CREDENTIALS */
	WIRE_FORKED = 7,      /* first message of a connection made by WIRE_FORK, from the child */
	WIRE_WAKER = 8,       /* give this slot a descriptor to sleep on: TRAP_SLEEPS_IN_POLL */

	WIRE_SYSTEM = 9, /* struct wire_system (wire/kext.h): lanes and event sockets */

	/* a tool → kernel: first message of a connection that will not be a task */
	WIRE_INSPECT = 32, /* struct wire_inspect: look, answer with WIRE_TEXT …, WIRE_END */
	WIRE_TRACE =
	    33, /* struct wire_inspect: subscribe to the trace; text goes to the pipe passed */
	WIRE_CONTROL = 34, /* struct wire_control: the owner of a private kernel */
	WIRE_KEXT_COMMAND =
	    35, /* struct wire_kext_command_message; berthd passes it on as it came */

	/* a kexthost or its supervisor → kernel (wire/kext.h) */
	WIRE_KEXT_HOST = 48,       /* first message */
	WIRE_KEXT_SUPERVISOR = 49, /* first message */
	WIRE_KEXT_REQUEST = 50,
	WIRE_KEXT_SAYS = 51, /* also kernel → tool */
	WIRE_KEXT_DONE = 52, /* also kernel → tool */
	WIRE_KEXT_LOG = 53,

	/* kernel → task */
	WIRE_WELCOME = 64, /* struct wire_welcome; descriptors: segment 0, kernel page, eventfd */
	WIRE_SLOT = 65,    /* struct wire_slot; descriptor: the new segment, if one */
	WIRE_DESCRIPTORS = 66, /* struct wire_descriptors: belong to the reply in that slot */
	WIRE_CHILD = 67,       /* answer to WIRE_FORK; descriptor: the child's connection */
	WIRE_REFUSED = 68,     /* struct wire_refused: why, in words; the connection ends */
	WIRE_WAKER_IS = 69,    /* struct wire_slot: answer to WIRE_WAKER; a socket, or none left */
	WIRE_SYSTEM_ANSWER = 70, /* struct wire_system_answer */

	/* kernel → kexthost */
	WIRE_KEXT_WELCOME = 80,
	WIRE_KEXT_ANSWER = 81,
	WIRE_KEXT_LANE = 82, /* descriptor: the kexthost's end */

	/* kernel → tool */
	WIRE_TEXT = 96, /* struct wire_head, then up to WIRE_TEXT_MAX bytes of text */
	WIRE_END = 97   /* struct wire_end */
};

#define WIRE_MESSAGE_MAX 65536u
#define WIRE_TEXT_MAX 61440u
#define WIRE_NAME_MAX 64u

struct wire_head {
	uint32_t kind; /* enum wire_kind */
	uint32_t size_bytes;
};

struct wire_hello {
	struct wire_head head;
	uint32_t version; /* WIRE_VERSION */
	uint32_t pad;
};

/* WIRE_THREAD, WIRE_THREAD_EXIT, WIRE_RING, WIRE_WAKER */
struct wire_thread {
	struct wire_head head;
	uint32_t slot_index; /* THREAD: the slot of the thread that this one is a nested level of,
				or WIRE_NO_SLOT */
	uint32_t linux_tid;  /* a label for people; nothing depends on it */
};

#define WIRE_NO_SLOT 0xffffffffu

struct wire_welcome {
	struct wire_head head;
	uint32_t version;
	uint32_t slot_index;     /* the first thread's */
	uint32_t task_self;      /* name; BERTH_NAME_TASK_SELF */
	uint32_t bootstrap_port; /* name; BERTH_NAME_BOOTSTRAP, or 0: the task has none */
};

struct wire_slot {
	struct wire_head head;
	uint32_t slot_index; /* WIRE_NO_SLOT: refused, no more threads */
	uint32_t segment_index;
	uint32_t has_segment; /* 1: its memfd is passed with this message */
	uint32_t asked_by;    /* linux_tid of the request */
};

struct wire_descriptors {
	struct wire_head head;
	uint32_t slot_index;
	uint32_t sequence; /* slot->sequence of the reply */
	uint32_t flags;    /* enum trap_flags: which descriptors, in that order */
	uint32_t pad;
};

struct wire_refused {
	struct wire_head head;
	char why[240]; /* NUL-terminated */
};

enum wire_inspect_what {
	WIRE_INSPECT_TASKS = 1,
	WIRE_INSPECT_PORTS = 2,
	WIRE_INSPECT_DUMP = 3,
	WIRE_INSPECT_COUNTS = 4, /* objects held by the kernel, for tests */
	WIRE_INSPECT_KEXTS = 5,  /* one JSON object a line, whatever the flags say */
	WIRE_INSPECT_CONTROLS = 6,
	WIRE_INSPECT_EVENTS = 7, /* event sockets and struct kevtstat */
	WIRE_INSPECT_LOG = 8     /* of kexts: text lines; WIRE_INSPECT_FOLLOW goes on */
};

enum wire_inspect_flags {
	WIRE_INSPECT_QUEUED = 1, /* only ports with undelivered messages */
	WIRE_INSPECT_JSON = 2,
	WIRE_INSPECT_FOLLOW = 4 /* no end: what comes is sent when it comes */
};

struct wire_inspect {
	struct wire_head head;
	uint32_t what;  /* enum wire_inspect_what */
	uint32_t flags; /* enum wire_inspect_flags */
	int32_t pid;    /* only this task; 0: all that the asker may see */
	uint32_t pad;
};

enum wire_control_what {
	WIRE_CONTROL_OWN = 1,   /* this connection owns the kernel: its end is the kernel's end */
	WIRE_CONTROL_LEAKS = 2, /* from now on remember what dying tasks leave behind */
	WIRE_CONTROL_REPORT =
	    3 /* first take in every death that Linux has told of; answer TEXT … END */
};

struct wire_control {
	struct wire_head head;
	uint32_t what;
	uint32_t pad;
};

struct wire_end {
	struct wire_head head;
	int32_t status; /* 0 or -errno */
	uint32_t count; /* rows, leaks …: what the answer counts */
};

#endif
