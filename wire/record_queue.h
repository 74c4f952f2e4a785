/*
 * Record queue: what was sent over a Unix socket and is not read yet, exactly.
 *
 * A kernel knows how many bytes wait in a socket's receive buffer; here the buffer is the
 * peer's.  Linux tells the sender one number (SIOCOUTQ): the memory that all unread messages
 * take.  A message of so many bytes always takes the same, which is measured once on a socket
 * of our own; messages are read in order; so that number says how many of them are left.  It
 * is asked for only when what is known already does not suffice, so that most sends cost no
 * more than the send.
 *
 * What the socket cannot take, though the limit of the queue would allow it, waits in memory
 * (the *backlog*) and follows in order: the user flushes when the socket is writable.
 *
 * On SOCK_STREAM a message that is read in part counts whole until the peer's end is asked
 * (sock_diag), where Linux has that.
 *
 * No locks: the user has one.  Source: kernel-control.md §2.5, kernel-event.md §3.5.
 */
#ifndef BERTH_WIRE_RECORD_QUEUE_H
#define BERTH_WIRE_RECORD_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* so much of a stream is one message to Linux, all or nothing */
#define RECORD_WHOLE_MAX 4096u

struct record; /* one in the backlog */

struct record_sent {
	uint32_t size_bytes;
	uint32_t charge_bytes : 31; /* what Linux accounts for it; 0: not asked for yet */
	uint32_t marked : 1;
};

struct record_queue {
	int fd; /* borrowed */
	bool is_stream;
	uint64_t peer_inode;          /* of the peer's end; 0: not known */
	int buffer_bytes, buffer_max; /* of the socket: what was asked for, what may be */

	/* in the socket, as far as known: a ring */
	struct record_sent *sent;
	uint32_t sent_first, sent_count, sent_capacity;
	uint64_t sent_bytes, sent_charge;
	uint64_t partly_read; /* of the first one on SOCK_STREAM, as last asked */
	bool last_read_marked;

	/* in memory */
	struct record *backlog, **backlog_tail;
	uint64_t backlog_bytes;
	uint32_t backlog_count;
};

/* Open now what queues need beside their sockets, once for the whole process: later there may be
 * no descriptors left.  What is not to be had is asked for again when it is needed. */
void record_queues_prepare(void);

void record_queue_init(struct record_queue *queue, int fd, bool is_stream, uint64_t peer_inode);
/* Forgets everything; what was sent stays sent.  The descriptor stays open. */
void record_queue_deinit(struct record_queue *queue);

/* There may be @bytes of records: make room for them in the socket, as far as Linux allows. */
void record_queue_reserve(struct record_queue *queue, uint64_t bytes);

/*
 * May @size_bytes more be queued, when no more than @limit_bytes may wait?  Looks at the socket
 * only if it must.
 */
bool record_queue_has_room(struct record_queue *queue, uint64_t limit_bytes, uint64_t size_bytes);

/* Bytes that were not read yet, as of now: looks at the socket. */
uint64_t record_queue_bytes(struct record_queue *queue);
/* The same in records of SOCK_DGRAM: marked messages and what follows them are one. */
uint32_t record_queue_count(struct record_queue *queue);
/* Was the last message that the peer has read marked?  Looks at the socket. */
bool record_queue_last_read_marked(struct record_queue *queue);

/*
 * The commonest send, in the fewest steps: an unmarked message of @size_bytes, which is small
 * and not part of anything, straight into the socket.  False: nothing was done, and the long way
 * (record_queue_has_room(), record_queue_send()) says why.
 */
static inline bool
record_queue_send_now(struct record_queue *queue, uint64_t limit_bytes, const void *bytes,
		      uint32_t size_bytes)
{
	if (queue->sent_count == queue->sent_capacity || queue->backlog != NULL ||
	    size_bytes > RECORD_WHOLE_MAX ||
	    queue->sent_bytes - queue->partly_read + size_bytes > limit_bytes)
		return false;
	/* not send(): this waits for nothing, and need not be a cancellation point */
	if (syscall(SYS_sendto, queue->fd, bytes, (size_t)size_bytes, MSG_DONTWAIT | MSG_NOSIGNAL,
		    NULL, 0) < 0)
		return false;
	queue->sent[(queue->sent_first + queue->sent_count) & (queue->sent_capacity - 1)] =
	    (struct record_sent){ .size_bytes = size_bytes };
	queue->sent_count++;
	queue->sent_bytes += size_bytes;
	return true;
}

/*
 * Queue one record.  @marked: with a descriptor, see the end of wire/lane.h.
 *
 * 0          sent, or in the backlog: record_queue_has_backlog()
 * -EPIPE     the peer does not read any more
 * -EMSGSIZE  larger than any message can be here
 * -ENOMEM    no memory; nothing was queued
 */
int record_queue_send(struct record_queue *queue, const struct iovec *parts, int part_count,
		      bool marked);

static inline bool
record_queue_has_backlog(const struct record_queue *queue)
{
	return queue->backlog_count > 0;
}

/* Send what waits in memory, as far as it goes.  0 or -EPIPE. */
int record_queue_flush(struct record_queue *queue);

#endif
