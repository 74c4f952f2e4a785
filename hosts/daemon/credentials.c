/*
 * Who a peer is, as Linux says it, and what it may do.
 *
 * Effective ids and pid come from SO_PEERCRED, which tells of the moment of connect(); real
 * ids from SCM_CREDENTIALS of the first message, which Linux fills in.  Nothing that the
 * peer writes counts, and an id that it may choose among its own is checked by Linux.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76 /* the same */
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

#define AUDIT_SESSION 100000u /* one session a kernel */
#define PF_EXITING 0x4u       /* proc(5), flags of a process: it is being shut down */

int
credentials_of_socket(struct peer *peer)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	if (getsockopt(peer->socket.fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
		return -errno;
	peer->pid = credentials.pid;
	peer->euid = peer->ruid = credentials.uid;
	peer->egid = peer->rgid = credentials.gid;
	return 0;
}

void
credentials_token(const struct peer *peer, audit_token_t *token)
{
	*token =
	    (audit_token_t){ .val = { peer->ruid, peer->euid, peer->egid, peer->ruid, peer->rgid,
				      (uint32_t)peer->pid, AUDIT_SESSION, peer->pidversion } };
}

/* Who holds the other end of a socketpair, only its messages can say.  An older Linux does not
 * know how: then its pid is believed. */
void
credentials_show_process(int socket_fd, bool wanted)
{
	int value = wanted;

	setsockopt(socket_fd, SOL_SOCKET, SO_PASSPIDFD, &value, sizeof(value));
}

bool
credentials_shown_process(const struct cmsghdr *part, int *fd)
{
	if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_PIDFD ||
	    part->cmsg_len < CMSG_LEN(sizeof(*fd)))
		return false;
	memcpy(fd, CMSG_DATA(part), sizeof(*fd));
	if (*fd >= 0)
		fcntl(*fd, F_SETFD, FD_CLOEXEC);
	else if (*fd == -EINVAL)
		*fd = -ESRCH; /* of a process that has been waited for, some versions say that */
	return true;
}

/*
 * Two ways: Linux 6.5 hands out the process of the connection itself.  Before, the pid may
 * have gone to another process between connect() and now; so the connection is looked at
 * afterwards: as long as it is there, so was the process when we asked.
 */
int
credentials_pidfd(struct peer *peer)
{
	struct pollfd hang_up = { .fd = peer->socket.fd };
	struct ucred credentials;
	socklen_t size = sizeof(credentials);
	int fd;

	/* the peer of a socketpair of ours is not who made it */
	if (getsockopt(peer->socket.fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 &&
	    credentials.pid == peer->pid) {
		size = sizeof(fd);
		if (getsockopt(peer->socket.fd, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0) {
			fcntl(fd, F_SETFD, FD_CLOEXEC);
			return fd;
		}
	}
	fd = (int)syscall(SYS_pidfd_open, peer->pid, 0);
	if (fd < 0)
		return -errno;
	if (poll(&hang_up, 1, 0) != 0) {
		close(fd);
		return -ESRCH;
	}
	return fd;
}

bool
credentials_process_ended(int pidfd)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };

	return poll(&end, 1, 0) > 0;
}

const char *
credentials_refusal(struct peer *peer)
{
	const struct host *host = peer->host;

	if (host->options.mode == MODE_SYSTEM || peer->euid == 0 ||
	    peer->euid == host->options.owner_uid)
		return NULL;
	if (host->options.mode == MODE_PRIVATE && host->control_pid > 0 &&
	    lineage_descends(peer->pid, host->control_pid))
		return NULL;
	return host->options.mode == MODE_PRIVATE
		   ? "this kernel serves one process tree, and this process is not part of it"
		   : "this kernel serves another user";
}

bool
credentials_sees_all(const struct peer *peer)
{
	const struct host *host = peer->host;

	return peer->euid == 0 ||
	       (host->options.mode != MODE_SYSTEM && peer->euid == host->options.owner_uid);
}

bool
credentials_sees(const struct peer *peer, uid_t uid)
{
	return credentials_sees_all(peer) || peer->euid == uid;
}

/* Reads a small file of /proc.  The size, or -errno. */
static ssize_t
read_small(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		n = -errno;
	else
		text[n] = '\0';
	close(fd);
	return n;
}

int
credentials_real_ids(pid_t pid, uid_t *ruid, gid_t *rgid)
{
	char path[64], text[4096];
	const char *line;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	n = read_small(path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	line = strstr(text, "\nUid:");
	if (line == NULL || sscanf(line + 5, "%u", ruid) != 1)
		return -EINVAL;
	line = strstr(text, "\nGid:");
	if (line == NULL || sscanf(line + 5, "%u", rgid) != 1)
		return -EINVAL;
	return 0;
}

bool
credentials_process_exits(pid_t pid)
{
	char path[64], text[512];
	const char *end;
	unsigned flags;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (read_small(path, text, sizeof(text)) <= 0)
		return false;
	end = strrchr(text, ')'); /* the name may hold anything */
	return end != NULL && sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       (flags & PF_EXITING) != 0;
}

void
credentials_label(pid_t pid, char *label, size_t size)
{
	char path[64], text[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	n = read_small(path, text, sizeof(text));
	if (n <= 0)
		snprintf(text, sizeof(text), "?");
	text[strcspn(text, "\n")] = '\0';
	/* it goes to terminals: nothing there may be more than a character */
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
	snprintf(label, size, "%s", text);
}
