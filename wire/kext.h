/*
 * What a kexthost, and the tools that steer kexts, say to berthd.
 *
 * A kexthost is no task: it has a connection of its own, whose first message is
 * WIRE_KEXT_HOST; berthd takes it from the kernel's owner and from root only.  Over it the
 * kexthost registers kexts and controls with the kernel and posts kernel events; berthd hands
 * it lanes to programs (wire/lane.h) and commands.  Its hang-up is the death of its kexts.
 *
 * The kexthost's supervisor, which outlives a crash, has a second connection, which carries
 * lines for the log and, before it ends, how the kexthost died.
 *
 * A tool has a connection, too: it commands kexthosts through berthd, which passes commands on
 * and answers back; WIRE_INSPECT shows what berthd itself knows.
 */
#ifndef BERTH_WIRE_KEXT_H
#define BERTH_WIRE_KEXT_H

#include <stdint.h>

#include "wire/socket.h"

#define WIRE_KEXT_NAME_MAX 64u   /* bytes of an identifier or a version, with the NUL */
#define WIRE_KEXT_PATH_MAX 1024u /* with the NUL */
#define WIRE_KEXT_DEPENDENCY_MAX 32u
#define WIRE_CTL_NAME_MAX 96u
#define WIRE_KEV_MAX 264u /* data bytes of one event: kernel-event.md §4.2 */
#define WIRE_KEXT_PAYLOAD_MAX 61440u

/* First message of a kexthost (or of its supervisor).  Answer: WIRE_KEXT_WELCOME, or
 * WIRE_REFUSED. */
struct wire_kext_host {
	struct wire_head head; /* WIRE_KEXT_HOST, or WIRE_KEXT_SUPERVISOR */
	uint32_t version;      /* WIRE_VERSION */
	int32_t host_pid;      /* SUPERVISOR: of the kexthost it watches */
};

struct wire_kext_welcome {
	struct wire_head head;
	uint32_t host_id; /* of this kexthost; not used again while this kernel lives */
	uint32_t pad;
};

enum wire_kext_operation {
	/* A kext is about to start.  payload: struct wire_kext_record.  values: load tag.
	 * EEXIST: one of that identifier is loaded; ENOENT: a dependency is not */
	WIRE_KEXT_LOADING = 1,
	/* args: load tag.  Its start routine has succeeded */
	WIRE_KEXT_STARTED,
	/* args: load tag.  It is unloaded, or never started.  EBUSY: others are linked against it
	 */
	WIRE_KEXT_GONE,
	/* args: load tag.  May it stop?  EBUSY: others are linked against it */
	WIRE_KEXT_STOPPING,
	/* args: load tag of the kext, or 0.  payload: struct wire_ctl_record.
	 * values: reference, id.  Errors: kernel-control.md §2.1 */
	WIRE_CTL_REGISTER,
	/* args: reference.  EINVAL */
	WIRE_CTL_DEREGISTER,
	/* args: enum wire_vendor_purpose.  payload: the string.  values: code.  EINVAL, ENOMEM */
	WIRE_KEV_VENDOR,
	/* args: vendor code, class, subclass, event code, 1: also as KEV_VENDOR_APPLE.
	 * payload: data.  EINVAL, EMSGSIZE, ENOMEM */
	WIRE_KEV_POST,
	/* payload: name.  values: id; ENOENT */
	WIRE_CTL_ID_BY_NAME,
	/* args: id.  payload of the answer: name; ENOENT */
	WIRE_CTL_NAME_BY_ID
};

enum wire_vendor_purpose { WIRE_VENDOR_EVENT = 1, WIRE_VENDOR_MBUF_TAG = 2 };

/* kexthost → kernel: WIRE_KEXT_REQUEST; kernel → kexthost: WIRE_KEXT_ANSWER. */
struct wire_kext_request {
	struct wire_head head;
	uint32_t sequence;  /* comes back in the answer */
	uint32_t operation; /* enum wire_kext_operation */
	uint64_t args[5];
	uint8_t payload[]; /* the rest of the message */
};

struct wire_kext_answer {
	struct wire_head head;
	uint32_t sequence;
	int32_t error; /* errno of Linux, 0: fine */
	uint64_t values[2];
	uint8_t payload[];
};

struct wire_kext_record {
	char identifier[WIRE_KEXT_NAME_MAX];
	char version[WIRE_KEXT_NAME_MAX];
	char path[WIRE_KEXT_PATH_MAX];
	uint64_t address, size_bytes;
	uint32_t dependency_count;
	uint32_t dependencies[WIRE_KEXT_DEPENDENCY_MAX]; /* load tags */
	uint32_t pad;
};

struct wire_ctl_record {
	char name[WIRE_CTL_NAME_MAX];
	uint32_t id, unit, flags; /* as in struct kern_ctl_reg */
	uint32_t sendsize, recvsize;
	uint32_t pad;
	uint64_t callbacks[7]; /* addresses, for people: connect … rcvd, as in struct xkctl_reg */
};

/* kernel → kexthost, with the kexthost's end of a new lane. */
struct wire_kext_lane {
	struct wire_head head; /* WIRE_KEXT_LANE */
	int32_t pid;
	uint32_t ruid, euid, rgid, egid;
	uint32_t pad;
	char label[32];
};

enum wire_kext_command {
	/* payload: paths of bundles or shared objects, each with its NUL: loaded in this order */
	WIRE_COMMAND_LOAD = 1,
	/* args: load tag, 1: unless it stops, by force */
	WIRE_COMMAND_UNLOAD,
	/* the controls and connections of this kexthost, one JSON object a line */
	WIRE_COMMAND_STATUS
};

/*
 * A command: from a tool to berthd (WIRE_KEXT_COMMAND, `host_id` says to whom), from berthd to
 * the kexthost (the same kind, its own sequence), and back: any number of WIRE_TEXT-like
 * WIRE_KEXT_SAYS, then WIRE_KEXT_DONE.  A kexthost that dies meanwhile is DONE with -EPIPE.
 */
struct wire_kext_command_message {
	struct wire_head head;
	uint32_t sequence;
	uint32_t command;
	uint32_t host_id;
	uint32_t pad;
	uint64_t args[2];
	uint8_t payload[];
};

struct wire_kext_says {
	struct wire_head head; /* WIRE_KEXT_SAYS */
	uint32_t sequence;
	uint32_t pad;
	uint8_t payload[];
};

struct wire_kext_done {
	struct wire_head head; /* WIRE_KEXT_DONE */
	uint32_t sequence;
	int32_t result; /* an OSReturn (kext.md §3.1), 0: fine; or -errno: it was not carried out */
	char why[512];  /* in words; empty: fine */
};

/* supervisor → kernel: whole lines for the log, without time; kept as they come. */
struct wire_kext_log {
	struct wire_head head; /* WIRE_KEXT_LOG */
	uint8_t text[];
};

/* ---- programs: controls and events --------------------------------------------------- */

/*
 * task → kernel, on the task's connection.  LANE: a lane to that kexthost, whose program's end
 * comes with the answer.  EVENT_OPEN: descriptor: the kernel's end of a new event socket.
 * EVENT_FILTER, EVENT_GET: descriptor: the program's end, whoever made it.
 */
enum wire_system_operation {
	WIRE_SYSTEM_LANE = 1, /* number: host id.  ENOENT: it is gone */
	WIRE_SYSTEM_EVENT_OPEN,
	WIRE_SYSTEM_EVENT_FILTER, /* EBADF: that is no event socket of this kernel */
	WIRE_SYSTEM_EVENT_GET,
	WIRE_SYSTEM_EVENT_SIZE /* number: new receive size */
};

struct wire_system {
	struct wire_head head; /* WIRE_SYSTEM */
	uint32_t operation;
	uint32_t number;
	uint32_t filter[3]; /* struct kev_request */
	uint32_t pad;
};

struct wire_system_answer {
	struct wire_head head; /* WIRE_SYSTEM_ANSWER */
	int32_t error;
	uint32_t number;
	uint32_t filter[3];
	uint32_t pad;
};

#endif
