/*
 * Forks: the task of a child is made while its parent still waits to fork, so that it inherits
 * what the parent has at that moment.  Until its process speaks it is an embryo.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define EMBRYOS_MAX 64 /* of one process, between WIRE_FORK and its child's first word */

static uint32_t
embryos_of(struct peer *parent)
{
	struct peer *peer;
	uint32_t count = 0;

	TAILQ_FOREACH(peer, &parent->host->peers, link)
	{
		if (peer->kind == PEER_EMBRYO && peer->forked_by == parent->task_id)
			count++;
	}
	return count;
}

/* The child's task, made now so that it inherits what the parent has at this moment, and
 * the two ends of its connection.  The child's end; -errno. */
static int
embryo_new(struct peer *parent)
{
	struct host *host = parent->host;
	struct peer *embryo;
	int ends[2], on = 1, error;

	if (embryos_of(parent) >= EMBRYOS_MAX || greeting_too_many_of_uid(parent))
		return -EAGAIN;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
		return -errno;
	/* the child's end is the library's, which waits for its answers */
	fcntl(ends[1], F_SETFL, 0);
	setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	credentials_show_process(ends[0], true);
	embryo = peer_new(host, ends[0]);
	if (embryo == NULL) {
		close(ends[0]);
		close(ends[1]);
		return -ENOMEM;
	}
	embryo->ruid = parent->ruid;
	embryo->euid = parent->euid;
	embryo->rgid = parent->rgid;
	embryo->egid = parent->egid;
	embryo->forked_by = parent->task_id;
	memcpy(embryo->label, parent->label, sizeof(embryo->label));
	error = peer_make_task(embryo, parent);
	if (error != 0) {
		peer_doom(embryo);
		close(ends[1]);
		return error;
	}
	embryo->kind = PEER_EMBRYO;
	return ends[1];
}

void
embryo_begins(struct peer *parent)
{
	struct wire_head answer = { .kind = WIRE_CHILD, .size_bytes = sizeof(answer) };
	int fd = embryo_new(parent);
	int error;

	/* without a descriptor it says that there is none: the child attaches by itself then */
	error = socket_send(parent, &answer, sizeof(answer), &fd, fd >= 0 ? 1 : 0, NULL);
	if (fd >= 0)
		close(fd);
	if (error < 0)
		peer_doom(parent);
}

void
embryo_greets(struct peer *embryo, struct received *received)
{
	audit_token_t token;
	int error;

	if (!received->has_credentials || received->credentials.pid <= 0 ||
	    (received->credentials.uid != embryo->ruid &&
	     received->credentials.uid != embryo->euid)) {
		peer_violation(embryo, "a child's greeting that is not its parent's child's");
		peer_doom(embryo);
		return;
	}
	embryo->ruid = received->credentials.uid;
	embryo->rgid = received->credentials.gid;
	peer_set_pid(embryo, received->credentials.pid);
	credentials_show_process(embryo->socket.fd, false);
	error = greeting_watch_process(embryo, received->process_fd);
	received->process_fd = PROCESS_NOT_SHOWN;
	if (error != 0) {
		peer_doom(embryo);
		return;
	}
	credentials_label(embryo->pid, embryo->label, sizeof(embryo->label));
	credentials_token(embryo, &token);
	kernel_task_set_token(embryo->task, &token);
	kernel_task_set_label(embryo->task, embryo->label);
	greeting_welcome(embryo);
}
