/*
 * Record queue: see record_queue.h.
 */
#include "wire/record_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SENT_CAPACITY_FIRST 8u
#define CHARGE_SIZES 4096u /* message sizes whose charge is remembered, each kind of socket */
#define SOCKET_BUFFER_MIN (104 << 10)
#define SOCKET_BUFFER_MAX (64 << 20)
/* what a socket may have for a byte of records, half of what Linux then gives: small messages cost
 * it more than they hold */
#define SOCKET_BUFFER_FACTOR 8

struct record {
	struct record *next;
	bool marked;
	uint32_t size_bytes;
	uint8_t bytes[];
};

/* ---- what Linux charges -------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	int pair[2];
	bool is_open;
	struct record_sent known[CHARGE_SIZES];
} gauges[2] = { { .lock = PTHREAD_MUTEX_INITIALIZER }, { .lock = PTHREAD_MUTEX_INITIALIZER } };

static bool
gauge_open(int which)
{
	int size = 1 << 20;

	if (gauges[which].is_open)
		return true;
	if (socketpair(AF_UNIX, (which ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0,
		       gauges[which].pair) != 0)
		return false;
	setsockopt(gauges[which].pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(gauges[which].pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &(int){ 64 << 20 },
		   sizeof(int));
	gauges[which].is_open = true;
	return true;
}

/* Send @size bytes to ourselves, and see what that costs.  0: it cannot be told. */
static uint32_t
gauge_measure(int which, uint32_t size)
{
	uint8_t *bytes = calloc(1, size);
	int charge = 0;

	if (bytes == NULL)
		return 0;
	if (gauge_open(which)) {
		int *pair = gauges[which].pair;
		ssize_t sent = send(pair[0], bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent == (ssize_t)size)
			ioctl(pair[0], SIOCOUTQ, &charge);
		while (recv(pair[1], bytes, size, MSG_DONTWAIT) > 0)
			continue;
	}
	free(bytes);
	return charge > 0 ? (uint32_t)charge : 0;
}

/* What Linux accounts for a message of @size bytes. */
static uint32_t
charge_of(bool is_stream, uint32_t size)
{
	int which = is_stream;
	struct record_sent *known = &gauges[which].known[size % CHARGE_SIZES];
	uint32_t charge;

	pthread_mutex_lock(&gauges[which].lock);
	if (known->charge_bytes == 0 || known->size_bytes != size) {
		charge = gauge_measure(which, size);
		if (charge != 0)
			*known = (struct record_sent){ .size_bytes = size, .charge_bytes = charge };
	} else {
		charge = known->charge_bytes;
	}
	pthread_mutex_unlock(&gauges[which].lock);
	return charge;
}

/* ---- asking the peer's end ------------------------------------------------------------ */

static int diag_fd = -1; /* -2: Linux has no such thing here */
static pthread_mutex_t diag_lock = PTHREAD_MUTEX_INITIALIZER;

/* One question about the socket @inode.  Its unread bytes, or -errno. */
static int64_t
diag_ask(int fd, uint64_t inode)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req request;
	} question = {
		.head = { .nlmsg_len = sizeof(question),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST },
		.request = { .sdiag_family = AF_UNIX,
			     .udiag_states = -1u,
			     .udiag_ino = (uint32_t)inode,
			     .udiag_show = UDIAG_SHOW_RQLEN,
			     .udiag_cookie = { -1u, -1u } },
	};
	union {
		struct nlmsghdr head;
		uint8_t bytes[1024];
	} answer;

	if (send(fd, &question, sizeof(question), 0) < 0)
		return -errno;
	ssize_t size = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
	if (size < 0)
		return -errno;
	if (!NLMSG_OK(&answer.head, (size_t)size) || answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return -ENOENT;

	size_t at = NLMSG_LENGTH(NLMSG_ALIGN(sizeof(struct unix_diag_msg)));
	while (at + sizeof(struct nlattr) <= answer.head.nlmsg_len) {
		struct nlattr attribute;

		memcpy(&attribute, answer.bytes + at, sizeof(attribute));
		if (attribute.nla_len < sizeof(attribute))
			break;
		if (attribute.nla_type == UNIX_DIAG_RQLEN &&
		    attribute.nla_len >= sizeof(attribute) + sizeof(struct unix_diag_rqlen)) {
			struct unix_diag_rqlen lengths;

			memcpy(&lengths, answer.bytes + at + sizeof(attribute), sizeof(lengths));
			return lengths.udiag_rqueue;
		}
		at += NLA_ALIGN(attribute.nla_len);
	}
	return -ENOENT;
}

static void
diag_open_locked(void)
{
	if (diag_fd != -1)
		return;
	diag_fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (diag_fd < 0)
		diag_fd = -2;
}

/* Unread bytes at the peer's end; -errno: not to be known. */
static int64_t
peer_unread(uint64_t inode)
{
	int64_t result = -ENOSYS;

	pthread_mutex_lock(&diag_lock);
	diag_open_locked();
	if (diag_fd >= 0)
		result = diag_ask(diag_fd, inode);
	pthread_mutex_unlock(&diag_lock);
	return result;
}

/* ---- what is in the socket ------------------------------------------------------------ */

void
record_queue_init(struct record_queue *queue, int fd, bool is_stream, uint64_t peer_inode)
{
	*queue =
	    (struct record_queue){ .fd = fd, .is_stream = is_stream, .peer_inode = peer_inode };
	queue->backlog_tail = &queue->backlog;
}

void
record_queue_deinit(struct record_queue *queue)
{
	while (queue->backlog != NULL) {
		struct record *record = queue->backlog;

		queue->backlog = record->next;
		free(record);
	}
	free(queue->sent);
	record_queue_init(queue, -1, queue->is_stream, 0);
}

static void
buffer_set(struct record_queue *queue, int size)
{
	queue->buffer_bytes = size;
	if (setsockopt(queue->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0)
		setsockopt(queue->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int
buffer_clamped(uint64_t bytes)
{
	return bytes > SOCKET_BUFFER_MAX   ? SOCKET_BUFFER_MAX
	       : bytes < SOCKET_BUFFER_MIN ? SOCKET_BUFFER_MIN
					   : (int)bytes;
}

void
record_queue_reserve(struct record_queue *queue, uint64_t bytes)
{
	/* No more than is needed (Linux gives twice what one asks for): while less than a quarter
	 * is taken, it tells all who watch our end, at each message that is read, that there is
	 * room */
	buffer_set(queue, buffer_clamped(bytes / 2));
	queue->buffer_max = buffer_clamped(bytes * SOCKET_BUFFER_FACTOR);
}

/* The socket is full, though its records may be few: they are small ones.  False: that was all. */
static bool
buffer_grow(struct record_queue *queue)
{
	if (queue->buffer_bytes >= queue->buffer_max)
		return false;
	buffer_set(queue, queue->buffer_bytes <= queue->buffer_max / 2 ? queue->buffer_bytes * 2
								       : queue->buffer_max);
	return true;
}

static bool
sent_reserve(struct record_queue *queue)
{
	uint32_t capacity =
	    queue->sent_capacity == 0 ? SENT_CAPACITY_FIRST : queue->sent_capacity * 2;

	if (queue->sent_count < queue->sent_capacity)
		return true;
	struct record_sent *bigger = malloc(capacity * sizeof(bigger[0]));
	if (bigger == NULL)
		return false;
	for (uint32_t i = 0; i < queue->sent_count; i++)
		bigger[i] = queue->sent[(queue->sent_first + i) & (queue->sent_capacity - 1)];
	free(queue->sent);
	queue->sent = bigger;
	queue->sent_capacity = capacity;
	queue->sent_first = 0;
	return true;
}

static void
sent_push(struct record_queue *queue, uint32_t size, bool marked)
{
	uint32_t at = (queue->sent_first + queue->sent_count) & (queue->sent_capacity - 1);

	queue->sent[at] = (struct record_sent){ .size_bytes = size, .marked = marked };
	queue->sent_count++;
	queue->sent_bytes += size;
}

static void
sent_pop(struct record_queue *queue)
{
	struct record_sent *oldest = &queue->sent[queue->sent_first];

	queue->last_read_marked = oldest->marked;
	queue->sent_bytes -= oldest->size_bytes;
	queue->sent_charge -= oldest->charge_bytes;
	queue->sent_first = (queue->sent_first + 1) & (queue->sent_capacity - 1);
	queue->sent_count--;
	queue->partly_read = 0;
}

/* Learn which messages were read since the last look. */
static void
queue_look_whole(struct record_queue *queue)
{
	int unread = 0;

	if (queue->sent_count == 0 || ioctl(queue->fd, SIOCOUTQ, &unread) != 0)
		return;
	if (unread <= 0) {
		queue->last_read_marked = queue
					      ->sent[(queue->sent_first + queue->sent_count - 1) &
						     (queue->sent_capacity - 1)]
					      .marked;
		queue->sent_first = queue->sent_count = 0;
		queue->sent_bytes = queue->sent_charge = queue->partly_read = 0;
		return;
	}
	/* the newest have no charge yet: most are read before anybody asks for it */
	struct record_sent like = { 0 }; /* messages in a row are often of one size */
	for (uint32_t i = queue->sent_count; i-- > 0;) {
		struct record_sent *sent =
		    &queue->sent[(queue->sent_first + i) & (queue->sent_capacity - 1)];

		if (sent->charge_bytes != 0)
			break;
		if (sent->size_bytes != like.size_bytes) {
			like.size_bytes = sent->size_bytes;
			like.charge_bytes = charge_of(queue->is_stream, sent->size_bytes);
		}
		sent->charge_bytes = like.charge_bytes;
		queue->sent_charge += sent->charge_bytes;
	}
	while (queue->sent_count > 1 &&
	       queue->sent_charge - queue->sent[queue->sent_first].charge_bytes >= (uint64_t)unread)
		sent_pop(queue);
}

/* And how much of the first one, which costs more. */
static void
queue_look_part(struct record_queue *queue)
{
	if (!queue->is_stream || queue->peer_inode == 0 || queue->sent_count == 0)
		return;
	int64_t bytes = peer_unread(queue->peer_inode);
	if (bytes >= 0 && (uint64_t)bytes <= queue->sent_bytes)
		queue->partly_read = queue->sent_bytes - (uint64_t)bytes;
}

static void
queue_look(struct record_queue *queue)
{
	queue_look_whole(queue);
	queue_look_part(queue);
}

static uint64_t
queue_known_bytes(const struct record_queue *queue)
{
	return queue->sent_bytes - queue->partly_read + queue->backlog_bytes;
}

bool
record_queue_has_room(struct record_queue *queue, uint64_t limit_bytes, uint64_t size_bytes)
{
	if (size_bytes > limit_bytes)
		return false;
	uint64_t limit = limit_bytes - size_bytes; /* of what may be there before */
	if (queue_known_bytes(queue) <= limit)
		return true;
	queue_look_whole(queue);
	uint64_t known = queue_known_bytes(queue);
	if (known <= limit)
		return true;
	/* whatever was read of the first message, something of it is left */
	if (queue->sent_count == 0 || known - limit >= queue->sent[queue->sent_first].size_bytes)
		return false;
	queue_look_part(queue);
	return queue_known_bytes(queue) <= limit;
}

uint64_t
record_queue_bytes(struct record_queue *queue)
{
	queue_look(queue);
	return queue_known_bytes(queue);
}

bool
record_queue_last_read_marked(struct record_queue *queue)
{
	queue_look(queue);
	return queue->last_read_marked;
}

uint32_t
record_queue_count(struct record_queue *queue)
{
	bool goes_on = false;
	uint32_t count = 0;

	queue_look(queue);
	for (uint32_t i = 0; i < queue->sent_count; i++) {
		count += !goes_on;
		goes_on = queue->sent[(queue->sent_first + i) & (queue->sent_capacity - 1)].marked;
	}
	for (const struct record *record = queue->backlog; record != NULL; record = record->next) {
		count += !goes_on;
		goes_on = record->marked;
	}
	return count;
}

/* ---- sending --------------------------------------------------------------------------- */

/* The descriptor that marks a message: of nothing, and open as long as the process. */
static int
mark_fd(void)
{
	static _Atomic int mark;
	int fd = mark;

	if (fd != 0)
		return fd - 1;
	fd = open("/dev/null", O_PATH | O_CLOEXEC);
	int none = 0;
	if (fd >= 0 && !__atomic_compare_exchange_n((int *)&mark, &none, fd + 1, false,
						    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		close(fd);
		fd = none - 1;
	}
	return fd;
}

void
record_queues_prepare(void)
{
	pthread_mutex_lock(&diag_lock);
	diag_open_locked();
	pthread_mutex_unlock(&diag_lock);
	charge_of(false, 1);
	charge_of(true, 1);
	mark_fd();
}

/* One message into the socket.  0 or -errno. */
static int
socket_send(int fd, const struct iovec *parts, int part_count, size_t size, bool marked)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = { .msg_iov = (struct iovec *)parts,
				  .msg_iovlen = (size_t)part_count };
	ssize_t sent;

	if (marked) {
		int mark = mark_fd();

		if (mark < 0)
			return -ENOMEM;
		memset(&control, 0, sizeof(control));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &mark, sizeof(mark));
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
	}
	do /* send() costs less than sendmsg(), which most need not */
		sent = part_count == 1 && !marked
			   ? send(fd, parts[0].iov_base, size, MSG_DONTWAIT | MSG_NOSIGNAL)
			   : sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent == (ssize_t)size)
		return 0;
	if (sent >= 0)
		return (int)sent; /* SOCK_STREAM: that much of it */
	return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
}

/* Would it fit later?  Then it waits in memory. */
static bool
is_for_backlog(int error)
{
	return error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM || error == -ETOOMANYREFS;
}

/* A record of @size bytes for the backlog, not in it yet. */
static struct record *
record_new(size_t size, bool marked)
{
	struct record *record = malloc(sizeof(*record) + size);

	if (record == NULL)
		return NULL;
	record->next = NULL;
	record->marked = marked;
	record->size_bytes = (uint32_t)size;
	return record;
}

/* Fill @record, which has room for it, with what @parts hold from byte @skip on. */
static void
record_fill(struct record *record, const struct iovec *parts, int part_count, size_t skip)
{
	size_t at = 0;

	for (int i = 0; i < part_count; i++) {
		size_t from = skip < parts[i].iov_len ? skip : parts[i].iov_len;

		memcpy(record->bytes + at, (uint8_t *)parts[i].iov_base + from,
		       parts[i].iov_len - from);
		at += parts[i].iov_len - from;
		skip -= from;
	}
	record->size_bytes = (uint32_t)at;
}

static void
backlog_add(struct record_queue *queue, struct record *record)
{
	*queue->backlog_tail = record;
	queue->backlog_tail = &record->next;
	queue->backlog_bytes += record->size_bytes;
	queue->backlog_count++;
}

/* One message, of which Linux takes all or nothing unless it is a long one of a stream. */
static int
queue_message(struct record_queue *queue, const struct iovec *parts, int part_count, size_t size,
	      bool marked)
{
	bool may_tear = queue->is_stream && size > RECORD_WHOLE_MAX;
	struct record *record = NULL;
	int result = -EAGAIN;

	if (!sent_reserve(queue))
		return -ENOMEM;
	/* what is sent cannot be taken back: memory for the rest comes first */
	if (may_tear || record_queue_has_backlog(queue)) {
		record = record_new(size, marked);
		if (record == NULL)
			return -ENOMEM;
	}
	if (!record_queue_has_backlog(queue)) {
		do
			result = socket_send(queue->fd, parts, part_count, size, marked);
		while (result == -EAGAIN && buffer_grow(queue));
	}
	if (result == 0 || (result > 0 && (size_t)result == size)) {
		sent_push(queue, (uint32_t)size, marked);
		free(record);
		return 0;
	}
	if (result < 0 && !is_for_backlog(result)) {
		free(record);
		return result;
	}
	if (record == NULL)
		record = record_new(size, marked);
	if (record == NULL)
		return -ENOMEM;
	if (result > 0)
		sent_push(queue, (uint32_t)result, false);
	record_fill(record, parts, part_count, result > 0 ? (size_t)result : 0);
	backlog_add(queue, record);
	return 0;
}

/*
 * A marked message of a stream.  Linux puts the descriptor with the first piece that it makes of
 * it, and forgets it when that is read in part: so the mark goes with the last byte alone.
 */
static int
queue_marked_stream(struct record_queue *queue, const struct iovec *parts, int part_count,
		    size_t size)
{
	struct record *whole = record_new(size, true);
	struct record *spare = record_new(1, true);
	int error = -ENOMEM;

	if (whole != NULL && spare != NULL) {
		record_fill(whole, parts, part_count, 0);
		struct iovec body = { whole->bytes, size - 1 };
		struct iovec end = { whole->bytes + size - 1, 1 };

		error = queue_message(queue, &body, 1, body.iov_len, false);
		/* the body is on its way: for its end there is memory */
		if (error == 0 && queue_message(queue, &end, 1, 1, true) == -ENOMEM) {
			record_fill(spare, &end, 1, 0);
			backlog_add(queue, spare);
			spare = NULL;
		}
	}
	free(spare);
	free(whole);
	return error;
}

int
record_queue_send(struct record_queue *queue, const struct iovec *parts, int part_count,
		  bool marked)
{
	size_t size = 0;

	for (int i = 0; i < part_count; i++)
		size += parts[i].iov_len;
	if (size > UINT32_MAX / 2)
		return -EMSGSIZE;
	if (queue->is_stream && marked && size > 1)
		return queue_marked_stream(queue, parts, part_count, size);
	return queue_message(queue, parts, part_count, size, marked);
}

int
record_queue_flush(struct record_queue *queue)
{
	while (queue->backlog != NULL) {
		struct record *record = queue->backlog;
		struct iovec part = { record->bytes, record->size_bytes };

		if (!sent_reserve(queue))
			return 0;
		int result = socket_send(queue->fd, &part, 1, record->size_bytes, record->marked);
		if (result > 0) {
			sent_push(queue, (uint32_t)result, false);
			memmove(record->bytes, record->bytes + result,
				record->size_bytes - (uint32_t)result);
			record->size_bytes -= (uint32_t)result;
			queue->backlog_bytes -= (uint32_t)result;
			continue;
		}
		if (result < 0)
			return is_for_backlog(result) ? 0 : result;
		sent_push(queue, record->size_bytes, record->marked);
		queue->backlog_bytes -= record->size_bytes;
		queue->backlog_count--;
		queue->backlog = record->next;
		if (queue->backlog == NULL)
			queue->backlog_tail = &queue->backlog;
		free(record);
	}
	return 0;
}
