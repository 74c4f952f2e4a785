/*
 * What peers say on their sockets: hello, and to whom the rest of it goes.
 *
 * A message is checked whole before anything is done for it; one that makes no sense is a
 * violation, of which a peer has a few.
 */
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ACCEPTS_PER_ROUND 64

/* ---- accepting --------------------------------------------------------------------- */

/* No process may take all connections, whoever it is and whatever the kernel's mode. */
static bool
too_many_of_process(struct peer *peer)
{
	struct host *host = peer->host;
	uint32_t limit = host->descriptor_limit / CONNECTIONS_PROCESS_SHARE, count = 0;
	struct peer *other;

	if (host->peer_count <= limit) /* who asks is one of them: nobody has more */
		return false;
	TAILQ_FOREACH(other, &host->peers, link)
	{
		if (other->kind != PEER_GONE && other->kind != PEER_REMNANT &&
		    other->pid == peer->pid)
			count++;
	}
	return count > limit;
}

bool
greeting_too_many_of_uid(struct peer *peer)
{
	struct host *host = peer->host;
	struct peer *other;
	uint32_t count = 0;

	if (host->options.mode != MODE_SYSTEM || peer->euid == 0)
		return false;
	TAILQ_FOREACH(other, &host->peers, link)
	{
		if (other->kind != PEER_GONE && other->euid == peer->euid)
			count++;
	}
	return count > host->descriptor_limit / 16;
}

/* It may have been lost while there were none at all. */
static void
keep_reserve(struct host *host)
{
	if (host->reserve_fd < 0)
		host->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* No descriptor is left: give up the reserve to say so to one who waits. */
static void
refuse_without_descriptors(struct host *host)
{
	static const struct wire_refused refused = { .head = { .kind = WIRE_REFUSED,
							       .size_bytes = sizeof(refused) },
						     .why = "the kernel has no descriptors left" };

	if (host->reserve_fd >= 0) {
		close(host->reserve_fd);
		int fd = accept4(host->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			ssize_t n =
			    send(fd, &refused, sizeof(refused), MSG_NOSIGNAL | MSG_DONTWAIT);

			(void)n; /* the hang-up says it, too */
			close(fd);
		}
		host->reserve_fd = -1;
		keep_reserve(host);
	}
	/* others wait a moment in the backlog, and we don't spin */
	source_want(&host->listener, 0);
	host->accept_ns = wait_now_ns() + RETRY_NS;
}

void
greeting_accept(struct host *host)
{
	keep_reserve(host);
	for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
		int fd = accept4(host->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		int on = 1;

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			    errno == ENOBUFS)
				refuse_without_descriptors(host);
			return;
		}
		setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
		struct peer *peer = peer_new(host, fd);

		if (peer == NULL) {
			close(fd);
			continue;
		}
		if (credentials_of_socket(peer) != 0)
			peer_doom(peer);
		else if (greeting_too_many_of_uid(peer))
			peer_refuse(peer, "user %u has too many connections", (unsigned)peer->euid);
		else if (too_many_of_process(peer))
			peer_refuse(peer, "process %d has too many connections", (int)peer->pid);
		else if (closer_is_stuck(&host->closer, peer->euid))
			peer_refuse(peer, "files of user %u do not get closed",
				    (unsigned)peer->euid);
	}
}

/* ---- becoming a task --------------------------------------------------------------- */

/* Doorbell, eventfd and the first thread.  0, -errno. */
int
peer_make_slots(struct peer *peer, struct slot **slot)
{
	int error = slot_take(peer, slot);
	int fd;

	if (error != 0)
		return error;
	(*slot)->thread = kernel_thread_new(peer->task, NULL, *slot);
	if ((*slot)->thread == NULL)
		return -ENOMEM;
	kernel_thread_set_promise((*slot)->thread, &(*slot)->shared->promise);
	peer->thread_count++;
	/* never 0, so that hot_add() can ring by adding nothing, which never waits */
	fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = source_open(&peer->bell, fd, EPOLLIN | EPOLLET);
	if (error != 0)
		close(fd);
	return error;
}

int
greeting_watch_process(struct peer *peer, int shown)
{
	int fd = shown, error;

	if (peer->process.fd >= 0) {
		if (shown >= 0)
			close(shown);
		return 0; /* the name server's has been watched since it was started */
	}
	if (fd == PROCESS_NOT_SHOWN)
		fd = peer->pid > 0 ? credentials_pidfd(peer) : -EINVAL;

	if (fd < 0)
		return fd == -ESRCH || fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM ? fd : 0;
	error = source_open(&peer->process, fd, EPOLLIN);
	if (error != 0)
		close(fd);
	return error;
}

void
greeting_welcome(struct peer *peer)
{
	struct wire_welcome message = {
		.head = { .kind = WIRE_WELCOME, .size_bytes = sizeof(message) },
		.version = WIRE_VERSION,
		.task_self = BERTH_NAME_TASK_SELF,
	};
	struct slot *slot;
	int error = peer_make_slots(peer, &slot);

	if (error != 0) {
		peer_refuse(peer, "the kernel has no resources for one more task: %s",
			    strerror(-error));
		return;
	}
	peer->kind = PEER_TASK;
	message.slot_index = slot->index;
	message.bootstrap_port = kernel_task_bootstrap_name(peer->task);

	int descriptors[3] = { peer->segments[0]->fd, peer->host->page_fd, peer->bell.fd };

	error = socket_send(peer, &message, sizeof(message), descriptors, 3, NULL);
	if (error < 0) {
		peer_doom(peer);
		return;
	}
	close(peer->segments[0]->fd);
	peer->segments[0]->fd = -1;
	socket_update(peer);
}

/* A peer that may be a task becomes one. */
static void
admit(struct peer *peer)
{
	struct host *host = peer->host;
	struct peer *parent, *remnant;
	int error = greeting_watch_process(peer, PROCESS_NOT_SHOWN);

	if (error == -ESRCH) {
		peer_doom(peer);
		return;
	}
	credentials_label(peer->pid, peer->label, sizeof(peer->label));
	parent = peer->is_first ? NULL : lineage_find(host, peer->pid);
	if (!peer->is_first && parent == NULL && host->first.wanted &&
	    (host->first.peer == NULL || host->first.peer->task == NULL)) {
		/* it would take the name server's place */
		peer_refuse(peer,
			    "the name server, berth-launchd, does not start (%s); the kernel's own "
			    "messages, if it has a place for them, say more",
			    host->first.why[0] != '\0' ? host->first.why : "no try has ended yet");
		return;
	}
	if (error == 0)
		error = peer_make_task(peer, parent);
	if (error != 0) {
		peer_refuse(peer, "the kernel has no resources for one more task: %s",
			    strerror(-error));
		return;
	}
	/* what the process was before its exec has handed on what it had */
	remnant = parent != NULL && parent->kind == PEER_REMNANT && parent->pid == peer->pid
		      ? parent
		      : NULL;
	greeting_welcome(peer);
	if (remnant != NULL)
		peer_end(remnant);
}

void
greeting_release(struct host *host)
{
	struct peer *peer;

	TAILQ_FOREACH(peer, &host->peers, link)
	{
		if (peer->kind != PEER_WAITING || peer->doomed)
			continue;
		host->waiting_count--;
		peer->kind = PEER_NEW;
		admit(peer);
	}
}

static void
hello(struct peer *peer, const struct wire_hello *message, const struct received *received)
{
	struct host *host = peer->host;
	const char *refusal;

	if (message->version != WIRE_VERSION) {
		peer_refuse(
		    peer,
		    "this program's libberth speaks version %u, this kernel version %u: they "
		    "must come from one build",
		    message->version, WIRE_VERSION);
		return;
	}
	if (!received->has_credentials) {
		peer_violation(peer, "a greeting without credentials");
		return;
	}
	if (peer->is_first) {
		/* its socket was made by us, so only this message says who holds it */
		if (received->credentials.pid != host->first.pid) {
			peer_violation(peer, "a greeting in the name server's name");
			return;
		}
		peer->pid = received->credentials.pid;
		peer->euid = received->credentials.uid;
		peer->egid = received->credentials.gid;
	} else if (received->credentials.pid != peer->pid) {
		peer_refuse(peer,
			    "the connection was made by another process than the one that uses it");
		return;
	}
	peer->ruid = received->credentials.uid;
	peer->rgid = received->credentials.gid;
	refusal = peer->is_first ? NULL : credentials_refusal(peer);
	if (refusal != NULL) {
		peer_refuse(peer, "%s", refusal);
		return;
	}
	if (peer->is_first || first_task_settled(host)) {
		admit(peer);
		return;
	}
	peer->kind = PEER_WAITING;
	if (host->waiting_count++ == 0)
		host->waiting_since_ns = wait_now_ns();
	socket_update(peer);
}

/* ---- ids --------------------------------------------------------------------------- */

static void
credentials_changed(struct peer *peer, const struct received *received)
{
	audit_token_t token;

	if (!received->has_credentials || received->credentials.pid != peer->pid) {
		peer_violation(peer, "somebody else's credentials");
		return;
	}
	peer->euid = received->credentials.uid;
	peer->egid = received->credentials.gid;
	if (credentials_real_ids(peer->pid, &peer->ruid, &peer->rgid) != 0) {
		peer->ruid = peer->euid;
		peer->rgid = peer->egid;
	}
	credentials_token(peer, &token);
	host_look(peer->host);
	kernel_task_set_token(peer->task, &token);
}

/* ---- what comes -------------------------------------------------------------------- */

static void
task_message(struct peer *peer, uint32_t kind, struct received *received)
{
	if (kind == WIRE_FORK || kind == WIRE_CREDENTIALS) {
		if (received->size_bytes >
		    sizeof(struct wire_thread)) /* what is behind the head says nothing */
			peer_violation(peer, "a message of a wrong size");
		else if (kind == WIRE_FORK)
			embryo_begins(peer);
		else
			credentials_changed(peer, received);
		return;
	}
	if (kind == WIRE_SYSTEM) {
		system_message(peer, received);
		return;
	}
	if (kind != WIRE_THREAD && kind != WIRE_THREAD_EXIT && kind != WIRE_RING &&
	    kind != WIRE_WAKER) {
		peer_violation(peer, "a message of an unknown kind");
		return;
	}
	if (received->size_bytes != sizeof(struct wire_thread)) {
		peer_violation(peer, "a message of a wrong size");
		return;
	}
	thread_message(peer, kind, received);
}

/* A message of a peer that looks or steers. */
static void
tool_message(struct peer *peer, uint32_t kind, struct received *received)
{
	size_t wanted =
	    kind == WIRE_CONTROL ? sizeof(struct wire_control) : sizeof(struct wire_inspect);
	const char *refusal = peer->is_control ? NULL : credentials_refusal(peer);

	if (kind < WIRE_INSPECT || kind > WIRE_KEXT_COMMAND ||
	    (kind != WIRE_KEXT_COMMAND && received->size_bytes != wanted)) {
		peer_violation(peer, "a tool's message that makes no sense");
		return;
	}
	if (refusal != NULL) {
		peer_refuse(peer, "%s", refusal);
		return;
	}
	if (peer->kind == PEER_NEW) {
		peer->kind = PEER_TOOL;
		credentials_label(peer->pid, peer->label, sizeof(peer->label));
	}
	if (kind == WIRE_KEXT_COMMAND)
		kext_command_message(peer, received);
	else if (kind == WIRE_CONTROL)
		control_message(peer, (const struct wire_control *)(const void *)received->bytes);
	else if (kind == WIRE_INSPECT)
		inspect_begin(peer, (const struct wire_inspect *)(const void *)received->bytes);
	else
		trace_subscribe(peer, (const struct wire_inspect *)(const void *)received->bytes,
				received_take(received, 0));
}

void
greeting_message(struct peer *peer, struct received *received)
{
	const struct wire_head *head = (const struct wire_head *)(const void *)received->bytes;

	if (received->size_bytes < sizeof(*head) || head->size_bytes != received->size_bytes) {
		peer_violation(peer, "a message that is not as long as it says");
		return;
	}
	switch (peer->kind) {
	case PEER_NEW:
		if (head->kind == WIRE_KEXT_HOST || head->kind == WIRE_KEXT_SUPERVISOR)
			kext_greeting(peer, head->kind, received);
		else if (head->kind != WIRE_HELLO)
			tool_message(peer, head->kind, received);
		else if (received->size_bytes != sizeof(struct wire_hello))
			peer_violation(peer, "a greeting of a wrong size");
		else
			hello(peer, (const struct wire_hello *)(const void *)received->bytes,
			      received);
		break;
	case PEER_TOOL:
		tool_message(peer, head->kind, received);
		break;
	case PEER_KEXT_HOST:
		kext_host_message(peer, head->kind, received);
		break;
	case PEER_KEXT_SUPERVISOR:
		if (head->kind == WIRE_KEXT_LOG)
			kext_log_message(peer, received);
		else
			peer_violation(peer, "a message of an unknown kind");
		break;
	case PEER_EMBRYO:
		if (head->kind == WIRE_FORKED)
			embryo_greets(peer, received);
		else
			peer_violation(peer, "something before its greeting");
		break;
	case PEER_TASK:
		task_message(peer, head->kind, received);
		break;
	case PEER_WAITING:
	case PEER_REMNANT:
	case PEER_GONE:
		break; /* nothing is read from these */
	}
}
