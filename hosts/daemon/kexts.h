/*
 * Kexthosts, commands to them, their log, and event sockets: what berthd keeps beside the
 * core's registry.
 *
 * berthd is in the path of neither data nor connect: it hands out lanes, passes commands and
 * answers on, keeps what kexts print, and delivers events.
 */
#ifndef BERTH_HOSTS_DAEMON_KEXTS_H
#define BERTH_HOSTS_DAEMON_KEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct host;
struct peer;
struct source;
struct received;
struct inspection;
struct trap_frame;
struct kernel_kev_delivery;
struct event_socket;
struct kext_command;
struct log_chunk;

/* ---- bounds ------------------------------------------------------------------------ */

#define LONG_MESSAGES_PER_ROUND 4u        /* of a kexthost, a supervisor, a tool */
#define KEXT_QUEUED_MAX 256u              /* messages for a kexthost that does not read */
#define COMMANDS_PER_TOOL_MAX 16u         /* under way at once */
#define COMMANDS_MAX 4096u                /* of all tools, those that have gone, too */
#define TOOL_QUEUED_BYTES_MAX (16u << 20) /* of what kexthosts say to a tool that does not read */
#define LAST_WORDS_MAX 1024u              /* messages of a kexthost that has hung up */
#define LOG_BYTES_MAX (1u << 20)          /* the contract with `berth kext log` */
#define LOG_TAG_MAX 256u                  /* bytes of the identifiers before a line, with the NUL */
#define EVENT_SIZE_DEFAULT 32768u         /* bytes unread: kernel-event.md §1 */
#define EVENT_SIZE_MAX (8u << 20)         /* kernel-event.md §3.4 */
#define EVENT_BYTES_PER_RECORD 32u        /* so many for each unread event: kernel-event.md §3.5 */
#define EVENT_SIZES_PER_USER_MAX (256u << 20) /* together, of one user's sockets */
#define EVENT_BUCKETS 256u

/* ---- kext_host.c ------------------------------------------------------------------- */

/* First message of a kexthost or of its supervisor. */
void kext_greeting(struct peer *peer, uint32_t kind, const struct received *received);
/* What a kexthost says. */
void kext_host_message(struct peer *peer, uint32_t kind, const struct received *received);
/* It is gone: takes its last words, then its kexts and controls go, and its commands fail. */
void kext_host_end(struct peer *peer);
/* The frame is about to ask for a control: who is behind it must be alive. */
void kext_hosts_look(struct host *host, const struct trap_frame *frame);
/* WIRE_SYSTEM of a task. */
void system_message(struct peer *peer, struct received *received);
/* A lane from the task to that kexthost.  0 and the task's end; an errno. */
int kext_host_lane(struct peer *task, uint32_t host_id, int *fd);

/* ---- kext_command.c ---------------------------------------------------------------- */

TAILQ_HEAD(kext_command_list, kext_command);

/* A tool's command.  Answered, whatever is wrong with it. */
void kext_command_message(struct peer *tool, const struct received *received);
/* SAYS or DONE of a kexthost.  False: it makes no sense. */
bool kext_command_answer(struct peer *kext_host, uint32_t kind, const uint8_t *bytes,
			 size_t size_bytes);
/* Tool or kexthost: its commands are answered, or forgotten. */
void kext_commands_end(struct peer *peer);

/* ---- kext_log.c -------------------------------------------------------------------- */

/* What the kernel keeps of a supervisor. */
struct supervisor {
	pid_t host_pid;
	char tag[LOG_TAG_MAX]; /* identifiers of what its kexthost has, or last had, loaded */
};

TAILQ_HEAD(log_chunk_list, log_chunk);

struct kext_log {
	struct log_chunk_list chunks;
	size_t size_bytes;
	uint64_t next_sequence;
	bool somebody_waits; /* for more to come */
};

/* Where a reader of the log is. */
struct log_cursor {
	uint64_t sequence;
	size_t offset;
};

void kext_log_init(struct host *host);
void kext_log_deinit(struct host *host);
void kext_log_message(struct peer *supervisor, const struct received *received);
/* The kexts of the kexthost @host_pid are others now. */
void kext_log_retag(struct host *host, pid_t host_pid);
/* Text for as long as the slice has room; false: that was all there is now. */
bool kext_log_slice(struct host *host, struct inspection *inspection);

/* ---- kev.c ------------------------------------------------------------------------- */

TAILQ_HEAD(event_socket_list, event_socket);
LIST_HEAD(event_socket_bucket, event_socket);

struct event_table {
	struct event_socket_list all, gone; /* gone: freed at the end of the round */
	struct event_socket_bucket by_inode[EVENT_BUCKETS];
	uint64_t last_id;
};

void event_sockets_init(struct host *host);
void event_sockets_end(struct host *host);
void event_sockets_free_gone(struct host *host);
/* WIRE_SYSTEM_EVENT_*.  0 or an errno; @number and @filter are what the answer says. */
int event_socket_message(struct peer *task, struct received *received, uint32_t *number,
			 uint32_t filter[3]);
void event_socket_handle(struct source *source, uint32_t events);
void event_deliver(struct host *host, const struct kernel_kev_delivery *delivery);

/* One for the tools, the next after @id. */
struct event_socket_row {
	uint64_t id;
	pid_t pid;
	uid_t uid;
	uint32_t filter[3];
	uint64_t unread_bytes, dropped;
};
bool event_socket_next(struct host *host, uint64_t *id, struct event_socket_row *row);

#endif
