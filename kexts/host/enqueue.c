/*
 * What a kext sends to its clients.  Source: kernel-control.md §2.3 to §2.5.
 */
#include "kexts/host/control.h"

#include "kexts/host/export.h"
#include "kexts/host/mbuf_host.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define PLAIN_NEVER UINT32_MAX /* no flags are that */
/* flags of what is not marked, or sends nothing */
#define NO_MARK CTL_DATA_EOR
#define VECTOR_MAX 256 /* parts of one packet that go out without being copied together */
/* The first wait of a thread for room is longer than a tick of Linux (4 ms with Debian), whose
 * timer runs anyway: an earlier one costs a virtual machine as much as a message */
#define AWAIT_ROOM_FIRST_MS 10
#define AWAIT_ROOM_AGAIN_MS 1

/*
 * The connection that this thread sent to last, counted: a kext sends to the same client again
 * and again.  Right as long as nobody was detached since.
 */
struct last {
	kern_ctl_ref ref;
	uint32_t unit;
	uint64_t epoch;
	struct connection *connection;
	uint32_t plain_flags; /* CTL_DATA_EOR as it is in what send_plainly() sends */
	bool was_refused;     /* what was sent last found no room */
	bool has_waited;      /* for room, and has sent nothing since */
};

static pthread_key_t last_key;
static pthread_once_t last_once = PTHREAD_ONCE_INIT;
static __thread struct last *last_here __attribute__((tls_model("initial-exec")));

static void
last_end(void *value)
{
	struct last *last = value;

	connection_unref(last->connection);
	free(last);
}

static void
last_init(void)
{
	pthread_key_create(&last_key, last_end);
}

static struct last *
last_new(void)
{
	pthread_once(&last_once, last_init);
	last_here = calloc(1, sizeof(*last_here));
	if (last_here != NULL && pthread_setspecific(last_key, last_here) != 0) {
		free(last_here);
		last_here = NULL;
	}
	return last_here;
}

/* Does a message with @flags carry the mark?  wire/lane.h says what that means. */
static bool
is_marked(const struct connection *connection, uint32_t flags)
{
	bool eor = (flags & CTL_DATA_EOR) != 0;

	return control_is_stream(connection->control) ? eor : !eor;
}

/* What (flags & CTL_DATA_EOR) is of data for @connection that carries no mark, and has no limit but
 * the receive size. */
static uint32_t
plain_flags_of(const struct connection *connection)
{
	if (connection->control->reg.ctl_flags & CTL_FLAG_REG_CRIT)
		return PLAIN_NEVER;
	return control_is_stream(connection->control) ? 0 : CTL_DATA_EOR;
}

/*
 * The client @unit of @ref, with its out_lock held, for data with @flags (CTL_DATA_EOR: of the
 * kind that needs no mark on SOCK_DGRAM).  NULL: there is none.  The caller unlocks,
 * and lets go of it if *@counted.
 */
static struct connection *
client_lock(kern_ctl_ref ref, uint32_t unit, uint32_t flags, bool *counted)
{
	struct last *last = last_here;
	uint64_t epoch = detach_epoch;
	struct connection *connection;

	if (last != NULL && last->ref == ref && last->unit == unit && last->epoch == epoch &&
	    last->connection != NULL) {
		connection = last->connection;
		*counted = false;
	} else {
		struct control *control = control_of_ref(ref);

		if (control == NULL)
			return NULL;
		connection = control_connection(control, unit);
		control_unref(control);
		if (connection == NULL)
			return NULL;
		*counted = true;
		if (last == NULL)
			last = last_new();
		if (last != NULL) {
			connection_unref(last->connection);
			*last = (struct last){ .ref = ref,
					       .unit = unit,
					       .epoch = epoch,
					       .connection = connection,
					       .plain_flags = plain_flags_of(connection) };
			*counted = false;
		}
	}
	if (is_marked(connection, flags) && !connection->has_marks)
		connection_show_marks(connection);
	pthread_mutex_lock(&connection->out_lock);
	if (connection->fd >= 0)
		return connection;
	pthread_mutex_unlock(&connection->out_lock);
	if (*counted)
		connection_unref(connection);
	return NULL;
}

static void
client_unlock(struct connection *connection, bool counted)
{
	pthread_mutex_unlock(&connection->out_lock);
	if (counted)
		connection_unref(connection);
}

/* ---- room --------------------------------------------------------------------------- */

/* How much may wait for the client when this is sent. */
static uint64_t
limit_of(const struct connection *connection, uint32_t flags)
{
	const struct kern_ctl_reg *reg = &connection->control->reg;
	uint64_t limit = connection->recvsize;

	if (!(reg->ctl_flags & CTL_FLAG_REG_CRIT))
		return limit;
	if (!(flags & CTL_DATA_CRIT))
		return limit; /* and a quarter stays free: has_room() */

	uint64_t grown = (uint64_t)reg->ctl_recvsize + reg->ctl_recvsize / 4;
	if (grown > CRIT_MAX)
		grown = CRIT_MAX;
	return grown > limit ? grown : limit;
}

static bool
has_room(struct connection *connection, size_t size, uint32_t flags)
{
	uint64_t limit = limit_of(connection, flags);

	if ((connection->control->reg.ctl_flags & CTL_FLAG_REG_CRIT) && !(flags & CTL_DATA_CRIT) &&
	    !record_queue_has_room(&connection->out, limit, limit / 4))
		return false;
	return record_queue_has_room(&connection->out, limit, size);
}

/* ---- sending ------------------------------------------------------------------------ */

/* One record, or a part of one.  0 or an errno. */
static int
send_locked(struct connection *connection, const struct iovec *parts, int part_count, size_t size,
	    uint32_t flags, bool marked)
{
	if (connection->is_shut || !has_room(connection, size, flags))
		return ENOBUFS;
	int error = record_queue_send(&connection->out, parts, part_count, marked);
	if (error == -EPIPE)
		connection->is_shut = true;
	if (error == -ENOMEM) {
		statistics.enqdata_mb_alloc_fail++;
		return ENOMEM;
	}
	if (error != 0) {
		statistics.enqdata_sbappend_fail++;
		return ENOBUFS;
	}
	if (!connection->wants_room && record_queue_has_backlog(&connection->out)) {
		connection->wants_room = true;
		source_arm(SOURCE_CONNECTION, connection->source, connection->fd,
			   EPOLLIN | EPOLLOUT);
	}
	return 0;
}

/* Take note of how it went.  @error. */
static int
note_outcome(int error)
{
	struct last *last = last_here;

	if (error == 0) {
		if (last != NULL)
			last->has_waited = false;
		return 0;
	}
	statistics.enqueue_fail++;
	if (error == ENOBUFS) {
		statistics.enqueue_fullsock++;
		if (last != NULL)
			last->was_refused = true;
	}
	return error;
}

bool
enqueue_await_room(void)
{
	struct last *last = last_here;

	if (last == NULL || !last->was_refused || last->connection == NULL)
		return false;
	last->was_refused = false;
	pthread_mutex_lock(&last->connection->out_lock);
	struct pollfd room = { .fd = last->connection->fd, .events = POLLOUT };
	pthread_mutex_unlock(&last->connection->out_lock);
	if (room.fd < 0)
		return false;
	/* closed and used again meanwhile, it costs no more than the moment */
	if (!last->has_waited) {
		last->has_waited = true;
		(void)poll(&room, 1, AWAIT_ROOM_FIRST_MS);
		return true;
	}
	/* Linux may see room at once where a large message finds none: that was no wait */
	return poll(&room, 1, AWAIT_ROOM_AGAIN_MS) == 0;
}

/* The commonest send, in the fewest steps: again to the same client, and there is room.  False:
 * nothing was done, and the long way says why. */
static inline bool
send_plainly(kern_ctl_ref ref, uint32_t unit, const void *data, size_t size, uint32_t flags)
{
	struct last *last = last_here;

	if (last == NULL || last->ref != ref || last->unit != unit || last->epoch != detach_epoch ||
	    last->plain_flags != (flags & CTL_DATA_EOR) || size - 1 >= RECORD_WHOLE_MAX)
		return false;
	struct connection *connection = last->connection;
	pthread_mutex_lock(&connection->out_lock);
	/* one that was detached meanwhile has a queue that takes nothing */
	bool is_sent =
	    !connection->is_shut &&
	    record_queue_send_now(&connection->out, connection->recvsize, data, (uint32_t)size);
	pthread_mutex_unlock(&connection->out_lock);
	if (is_sent)
		last->has_waited = false;
	return is_sent;
}

/* Any send; apart, since it would cost the short way registers. */
static __attribute__((noinline)) errno_t
send_anyhow(kern_ctl_ref ref, uint32_t unit, void *data, size_t size, uint32_t flags)
{
	struct iovec part = { data, size };
	bool counted;
	struct connection *connection = client_lock(ref, unit, flags, &counted);
	int error = 0;

	if (connection == NULL)
		return EINVAL;
	if (size > 0 || (flags & CTL_DATA_EOR))
		error =
		    send_locked(connection, &part, 1, size, flags, is_marked(connection, flags));
	client_unlock(connection, counted);
	return note_outcome(error);
}

KPI_EXPORT errno_t
ctl_enqueuedata(kern_ctl_ref kctlref, u_int32_t unit, void *data, size_t len, u_int32_t flags)
{
	return send_plainly(kctlref, unit, data, len, flags)
		   ? 0
		   : send_anyhow(kctlref, unit, data, len, flags);
}

/* The packet as one record.  0 or an errno; it stays the caller's. */
static int
send_packet_locked(struct connection *connection, mbuf_t m, uint32_t flags, bool marked)
{
	struct iovec parts[VECTOR_MAX];
	int part_count = mbuf_packet_vector(m, parts, VECTOR_MAX);
	uint8_t *whole = NULL;
	size_t size = 0;

	if (part_count < 0) {
		size = mbuf_pkthdr_len(m);
		whole = malloc(size);
		if (whole == NULL || mbuf_copydata(m, 0, size, whole) != 0) {
			free(whole);
			return ENOBUFS;
		}
		parts[0] = (struct iovec){ whole, size };
		part_count = 1;
	} else {
		for (int i = 0; i < part_count; i++)
			size += parts[i].iov_len;
	}
	int error = 0;
	if (size > 0 || (flags & CTL_DATA_EOR))
		error = send_locked(connection, parts, part_count, size, flags, marked);
	free(whole);
	return error;
}

KPI_EXPORT errno_t
ctl_enqueuembuf(kern_ctl_ref kctlref, u_int32_t unit, mbuf_t m, u_int32_t flags)
{
	bool counted;
	struct connection *connection = client_lock(kctlref, unit, flags, &counted);

	if (connection == NULL)
		return EINVAL;
	int error = send_packet_locked(connection, m, flags, is_marked(connection, flags));
	client_unlock(connection, counted);
	if (error == 0)
		mbuf_freem(m);
	return note_outcome(error);
}

KPI_EXPORT errno_t
ctl_enqueuembuf_list(kern_ctl_ref kctlref, u_int32_t unit, mbuf_t m_list, u_int32_t flags,
		     mbuf_t *m_remain)
{
	bool counted;
	struct connection *connection = client_lock(kctlref, unit, NO_MARK, &counted);
	int error = 0;

	if (connection == NULL)
		error = EINVAL;
	else if (control_is_stream(connection->control))
		error = EOPNOTSUPP;
	else if (flags & CTL_DATA_EOR)
		error = EINVAL;
	while (error == 0 && m_list != NULL) {
		mbuf_t next = mbuf_nextpkt(m_list);

		/* each is a record of its own: unmarked */
		error = send_packet_locked(connection, m_list, flags, false);
		if (error != 0)
			break;
		mbuf_setnextpkt(m_list, NULL);
		mbuf_freem(m_list);
		m_list = next;
	}
	if (connection != NULL)
		client_unlock(connection, counted);
	if (m_remain != NULL)
		*m_remain = m_list;
	else if (m_list != NULL)
		mbuf_freem_list(m_list);
	return note_outcome(error);
}

/* ---- questions ---------------------------------------------------------------------------------
 */

KPI_EXPORT errno_t
ctl_getenqueuespace(kern_ctl_ref kctlref, u_int32_t unit, size_t *space)
{
	bool counted;
	struct connection *connection;

	if (space == NULL || (connection = client_lock(kctlref, unit, NO_MARK, &counted)) == NULL)
		return EINVAL;
	uint64_t used = record_queue_bytes(&connection->out);
	*space = used < connection->recvsize ? connection->recvsize - used : 0;
	client_unlock(connection, counted);
	return 0;
}

KPI_EXPORT errno_t
ctl_getenqueuereadable(kern_ctl_ref kctlref, u_int32_t unit, u_int32_t *difference)
{
	bool counted;
	struct connection *connection;

	if (difference == NULL ||
	    (connection = client_lock(kctlref, unit, NO_MARK, &counted)) == NULL)
		return EINVAL;
	uint64_t used = record_queue_bytes(&connection->out);
	*difference = used < connection->lowat ? connection->lowat - (uint32_t)used : 0;
	client_unlock(connection, counted);
	return 0;
}

KPI_EXPORT errno_t
ctl_getenqueuepacketcount(kern_ctl_ref kctlref, u_int32_t unit, u_int32_t *count)
{
	bool counted;
	struct connection *connection;

	if (count == NULL || (connection = client_lock(kctlref, unit, NO_MARK, &counted)) == NULL)
		return EINVAL;
	*count = record_queue_count(&connection->out);
	client_unlock(connection, counted);
	return 0;
}
