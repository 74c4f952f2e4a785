/*
 * Whose task a pid is, and whether the caller may have its port.
 *
 * Who may is Linux's to say, not ours: the caller shows its own open file of the memory of that
 * process, /proc/PID/mem, which Linux opens for those alone who may attach to it as a debugger.
 * Two things are left to be looked at.  Is it really that file?  Its path can be forged by a
 * mount, so it is the inode that counts, as our own /proc has it: number and time of making,
 * because a number comes again after 2^32 files.  And does the process still run the program
 * that the file was opened for?  One that may debug a program may not debug what that becomes by
 * exec, if it is set-uid, has capabilities or may not be read; but the old file stays open.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What /proc says of the rights of a process. */
struct rights {
	uid_t uids[3]; /* real, effective, saved */
	gid_t gids[3];
	uint64_t capabilities; /* the permitted ones */
};

/* Reads a small file of the process.  False: Linux does not tell. */
static bool
read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool
rights_read(pid_t pid, struct rights *rights)
{
	char text[4096];
	const char *uids, *gids, *capabilities;
	unsigned long long bits;

	if (!read_proc(pid, "status", text, sizeof(text)))
		return false;
	/* the name, the only part that the process writes, has no line breaks here */
	uids = strstr(text, "\nUid:");
	gids = strstr(text, "\nGid:");
	capabilities = strstr(text, "\nCapPrm:");
	if (uids == NULL || gids == NULL || capabilities == NULL ||
	    sscanf(uids + 5, "%u %u %u", &rights->uids[0], &rights->uids[1], &rights->uids[2]) !=
		3 ||
	    sscanf(gids + 5, "%u %u %u", &rights->gids[0], &rights->gids[1], &rights->gids[2]) !=
		3 ||
	    sscanf(capabilities + 8, "%llx", &bits) != 1)
		return false;
	rights->capabilities = bits;
	return true;
}

/* Capabilities of another user namespace are worth nothing here. */
static bool
is_in_our_namespace(pid_t pid)
{
	char theirs[512], ours[512];

	return read_proc(pid, "uid_map", theirs, sizeof(theirs)) &&
	       read_proc(getpid(), "uid_map", ours, sizeof(ours)) && strcmp(theirs, ours) == 0;
}

/* Has @subject no right that @caller, an ordinary user, lacks? */
static bool
is_no_more_than(const struct peer *subject, const struct peer *caller, uid_t memory_owner)
{
	struct rights theirs, own;

	if (!rights_read(subject->pid, &theirs) || !rights_read(caller->pid, &own))
		return false;
	for (int i = 0; i < 3; i++)
		if (theirs.uids[i] != caller->euid || theirs.gids[i] != caller->egid)
			return false;
	/* Linux gives the files of a program that may not be looked at to root */
	if (memory_owner != theirs.uids[1])
		return false;
	if (!is_in_our_namespace(caller->pid))
		own.capabilities = 0;
	return (theirs.capabilities & ~own.capabilities) == 0;
}

/* Is the address space behind the file, a /proc/PID/mem, still in use?  Linux looks for it, then
 * at what is to be written, and last at where: bytes that nobody can read get no further. */
static bool
is_mapped(int memory_fd)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *unreadable =
	    mmap(NULL, page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	bool is_there;

	if (unreadable == MAP_FAILED)
		return false;
	is_there = pwrite(memory_fd, unreadable, 1, 0) < 0 && errno == EFAULT;
	munmap(unreadable, page_bytes);
	return is_there;
}

/* Is @fd an open file of the memory of @subject?  Then *@owner is whose file it is. */
static bool
is_memory_of(int fd, const struct peer *subject, uid_t *owner)
{
	const unsigned wanted = STATX_INO | STATX_CTIME | STATX_UID;
	struct statx shown, ours;
	char path[64];
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (flags & O_PATH) != 0 || (flags & O_ACCMODE) != O_RDWR)
		return false;
	/* what Linux knows by itself: a file system of the task's own is not waited for */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, wanted, &shown) != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)subject->pid);
	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, wanted, &ours) != 0)
		return false;
	*owner = ours.stx_uid;
	return (shown.stx_mask & ours.stx_mask & wanted) == wanted &&
	       shown.stx_dev_major == ours.stx_dev_major &&
	       shown.stx_dev_minor == ours.stx_dev_minor && shown.stx_ino == ours.stx_ino &&
	       shown.stx_ctime.tv_sec == ours.stx_ctime.tv_sec &&
	       shown.stx_ctime.tv_nsec == ours.stx_ctime.tv_nsec && is_mapped(fd);
}

static bool
may_have_task(const struct peer *caller, const struct peer *subject, int memory_fd)
{
	uid_t owner;

	return memory_fd >= 0 && is_memory_of(memory_fd, subject, &owner) &&
	       (caller->euid == 0 || is_no_more_than(subject, caller, owner));
}

static bool
may_have_name(const struct peer *caller, const struct peer *subject)
{
	uid_t ruid;
	gid_t rgid;

	if (caller->euid == 0)
		return true;
	return subject->euid == caller->euid &&
	       credentials_real_ids(subject->pid, &ruid, &rgid) == 0 && ruid == caller->euid;
}

/* Has its connection ended, by an exec for instance, and we have yet to read of it? */
static bool
has_hung_up(const struct peer *subject)
{
	struct pollfd connection = { .fd = subject->socket.fd, .events = POLLRDHUP };

	return poll(&connection, 1, 0) > 0;
}

struct task *
subject_find(const struct peer *caller, uint32_t number, uint64_t pid, int memory_fd)
{
	struct peer *subject = peer_of_pid(caller->host, (pid_t)(uint32_t)pid, false);

	if (subject == NULL || subject->kind != PEER_TASK || subject->task == NULL ||
	    subject->process.fd < 0 || has_hung_up(subject))
		return NULL;
	if (number == BERTH_TRAP_TASK_FOR_PID ? !may_have_task(caller, subject, memory_fd)
					      : !may_have_name(caller, subject))
		return NULL;
	/* looked at last: as long as it has not ended, nobody else has its pid */
	return credentials_process_ended(subject->process.fd) ? NULL : subject->task;
}

uint64_t
subject_birth(pid_t pid)
{
	char text[1024];
	unsigned long long birth;
	const char *end;

	if (!read_proc(pid, "stat", text, sizeof(text)))
		return 0;
	end = strrchr(text, ')'); /* the name may hold anything */
	if (end == NULL || sscanf(end + 1,
				  " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
				  "%*s %*s %*s %*s %llu",
				  &birth) != 1)
		return 0;
	return birth;
}
