#include "client/mach/vm_object.h"

#include <mach/mach.h>

#include "client/mach/vm_movable.h"
#include "client/memory.h"
#include "client/signals.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* ---- what is mapped ---------------------------------------------------------------------- */

struct object {
	int fd;
	dev_t device;
	ino_t inode;
	bool is_mapped; /* while it is looked which are */
};

/* Taken with all signals blocked, so that no handler waits for the code that it interrupted. */
static pthread_mutex_t objects_lock = PTHREAD_MUTEX_INITIALIZER;
/* the rest is guarded by it; the count may be read without, as a hint */
static struct object *objects;
static size_t object_room;
static _Atomic size_t object_count;
static sigset_t fork_signals;

static void
objects_enter(sigset_t *signals)
{
	sigset_t all;

	sigfillset(&all);
	signals_set(SIG_BLOCK, &all, signals);
	pthread_mutex_lock(&objects_lock);
}

static void
objects_leave(const sigset_t *signals)
{
	pthread_mutex_unlock(&objects_lock);
	signals_set(SIG_SETMASK, signals, NULL);
}

void
vm_object_before_fork(void)
{
	sigset_t signals;

	objects_enter(&signals);
	fork_signals = signals;
}

void
vm_object_after_fork(void)
{
	sigset_t signals = fork_signals;

	objects_leave(&signals); /* the child's only thread is the one that took it */
}

/* Programs close descriptors that they do not know, and use the number again. */
static bool
is_still(const struct object *object)
{
	struct stat status;

	return fstat(object->fd, &status) == 0 && status.st_dev == object->device &&
	       status.st_ino == object->inode;
}

static bool
note_mapped(void *context, const struct vm_mapping *mapping)
{
	(void)context;
	for (size_t i = 0; i < object_count && mapping->is_shared; i++)
		if (objects[i].inode == mapping->inode && objects[i].device == mapping->device)
			objects[i].is_mapped = true;
	return false;
}

/* Close those of which nothing is mapped; where Linux does not tell, none. */
static void
forget_unmapped_locked(void)
{
	size_t kept = 0;

	if (object_count == 0)
		return;
	for (size_t i = 0; i < object_count; i++)
		objects[i].is_mapped = false;
	int maps_fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (maps_fd < 0)
		return;
	/* nobody stops it, so this is how the end is told */
	bool is_whole = vm_mappings_visit(maps_fd, note_mapped, NULL) == KERN_INVALID_ADDRESS;
	close(maps_fd);
	for (size_t i = 0; is_whole && i < object_count; i++) {
		bool is_open = is_still(&objects[i]);
		if (is_open && objects[i].is_mapped)
			objects[kept++] = objects[i];
		else if (is_open)
			close(objects[i].fd);
	}
	if (is_whole)
		object_count = kept;
}

/* Room for one more.  No heap: the caller may be an allocator. */
static bool
reserve_locked(void)
{
	size_t room = object_room == 0 ? vm_page_size / sizeof(*objects) : 2 * object_room;

	if (object_count < object_room)
		return true;
	void *memory = mmap(NULL, room * sizeof(*objects), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return false;
	if (objects != NULL) {
		memcpy(memory, objects, object_count * sizeof(*objects));
		munmap(objects, object_room * sizeof(*objects));
	}
	objects = memory;
	object_room = room;
	return true;
}

void
vm_object_keep(int fd)
{
	struct object object = { .fd = fd };
	struct stat status;
	sigset_t signals;
	bool is_wanted = fstat(fd, &status) == 0;

	object.device = status.st_dev;
	object.inode = status.st_ino;
	objects_enter(&signals);
	forget_unmapped_locked();
	/* one that may be written does for reading, too; of the same kind one is enough */
	int mode = fcntl(fd, F_GETFL) & O_ACCMODE;
	for (size_t i = 0; i < object_count && is_wanted; i++)
		is_wanted =
		    objects[i].inode != object.inode || objects[i].device != object.device ||
		    (mode == O_RDWR && (fcntl(objects[i].fd, F_GETFL) & O_ACCMODE) != O_RDWR);
	is_wanted = is_wanted && reserve_locked();
	if (is_wanted)
		objects[object_count++] = object;
	objects_leave(&signals);
	if (!is_wanted)
		close(fd);
}

void
vm_object_unmapped(void)
{
	sigset_t signals;

	if (object_count == 0)
		return;
	objects_enter(&signals);
	forget_unmapped_locked();
	objects_leave(&signals);
}

/* ---- finding ------------------------------------------------------------------------------ */

bool
vm_object_keeps_size(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
}

/* One of our descriptors of that memory: a copy, the caller's; the best that there is.  -1. */
static int
find_kept(const struct vm_mapping *mapping)
{
	sigset_t signals;
	int fd = -1;

	objects_enter(&signals);
	for (size_t i = 0; i < object_count; i++) {
		const struct object *object = &objects[i];
		if (object->inode != mapping->inode || object->device != mapping->device ||
		    !is_still(object))
			continue;
		bool is_written = (fcntl(object->fd, F_GETFL) & O_ACCMODE) == O_RDWR;
		if (fd < 0 || is_written) {
			if (fd >= 0)
				close(fd);
			fd = fcntl(object->fd, F_DUPFD_CLOEXEC, 0);
		}
	}
	objects_leave(&signals);
	return fd;
}

/* Is the descriptor @name of the folder @fds_fd one of that memory? */
static bool
is_of_mapping(int fds_fd, const char *name, const struct vm_mapping *mapping)
{
	struct stat status;

	return fstatat(fds_fd, name, &status, 0) == 0 && status.st_ino == mapping->inode &&
	       status.st_dev == mapping->device;
}

#define OWN_PROCESS (-2) /* in the place of a pidfd */

/* A copy of the descriptor @number of a process, or of this one.  -1 and errno. */
static int
descriptor_of(int pidfd, int number)
{
	return pidfd == OWN_PROCESS ? fcntl(number, F_DUPFD_CLOEXEC, 0)
				    : (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
}

kern_return_t
vm_object_of_other(int proc_fd, pid_t pid, const struct vm_mapping *mapping, bool is_written,
		   int *fd)
{
	kern_return_t code = KERN_NOT_SUPPORTED;
	int found = -1;
	struct dirent *entry;

	int pidfd = pid == getpid() ? OWN_PROCESS : (int)syscall(SYS_pidfd_open, pid, 0);
	int fds_fd = openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *fds = pidfd == -1 || fds_fd < 0 ? NULL : fdopendir(fds_fd);
	if (fds == NULL) {
		code = errno == EACCES || errno == EPERM ? KERN_NO_ACCESS : KERN_RESOURCE_SHORTAGE;
		if (fds_fd >= 0)
			close(fds_fd);
	}
	while (fds != NULL && found < 0 && (entry = readdir(fds)) != NULL) {
		if (!is_of_mapping(fds_fd, entry->d_name, mapping))
			continue;
		found = descriptor_of(pidfd, atoi(entry->d_name));
		if (found < 0 && errno == EPERM)
			code = KERN_NO_ACCESS;
		/* the number may mean another file by now, and the pid another process */
		struct stat status;
		if (found >= 0 &&
		    (fstat(found, &status) != 0 || status.st_ino != mapping->inode ||
		     status.st_dev != mapping->device || !vm_object_keeps_size(found) ||
		     (is_written && (fcntl(found, F_GETFL) & O_ACCMODE) != O_RDWR))) {
			close(found);
			found = -1;
		}
	}
	if (fds != NULL)
		closedir(fds);
	if (pidfd >= 0)
		close(pidfd);
	if (found < 0)
		return code == KERN_NOT_SUPPORTED
			   ? SHARING_NOT_SUPPORTED("what is neither of an entry nor of an open "
						   "memfd that keeps its size")
			   : code;
	*fd = found;
	return KERN_SUCCESS;
}

/* The memory of a shared mapping of this process. */
static kern_return_t
find_own(const struct vm_mapping *mapping, int *fd)
{
	*fd = find_kept(mapping);
	if (*fd >= 0)
		return KERN_SUCCESS;
	/* the program's own memfd does as well, while it has it open */
	int proc_fd = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd < 0)
		return KERN_RESOURCE_SHORTAGE;
	kern_return_t code = vm_object_of_other(proc_fd, getpid(), mapping,
						(mapping->protection & VM_PROT_WRITE) != 0, fd);
	close(proc_fd);
	return code;
}

/* ---- making ------------------------------------------------------------------------------- */

bool
vm_object_size_is_allowed(size_t size)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
	       (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= size);
}

kern_return_t
vm_object_new(size_t size, int *fd)
{
	if ((off_t)size < 0 || !vm_object_size_is_allowed(size))
		return KERN_RESOURCE_SHORTAGE;
	int made = memory_fd_new("berth-memory");
	if (made < 0)
		return KERN_RESOURCE_SHORTAGE;
	/* who gets it to be read must not open it for writing, unless he is the same user */
	if (ftruncate(made, (off_t)size) != 0 || fchmod(made, 0644) != 0 ||
	    fcntl(made, F_ADD_SEALS, SEALS) != 0) {
		close(made);
		return KERN_RESOURCE_SHORTAGE;
	}
	*fd = made;
	return KERN_SUCCESS;
}

kern_return_t
vm_object_read_only(int fd, int *read_only_fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*read_only_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*read_only_fd >= 0)
		return KERN_SUCCESS;
	return errno == EMFILE || errno == ENFILE ? KERN_RESOURCE_SHORTAGE : KERN_FAILURE;
}

/* ---- sharing what there is ----------------------------------------------------------------- */

/* The mappings from an address on that are private, or of one memfd one behind the other. */
struct run {
	uintptr_t start, limit;
	uintptr_t end;           /* of what was found */
	struct vm_mapping first; /* end 0: nothing yet */
};

static bool
goes_on(void *context, const struct vm_mapping *mapping)
{
	struct run *run = context;

	if (mapping->end <= run->start)
		return false;
	if (run->first.end == 0) {
		if (mapping->start > run->start)
			return true;
		run->first = *mapping;
	} else if (mapping->start != run->end || mapping->is_shared != run->first.is_shared ||
		   mapping->is_of_linux ||
		   (mapping->is_shared &&
		    (mapping->inode != run->first.inode || mapping->device != run->first.device ||
		     mapping->offset - run->first.offset != mapping->start - run->first.start))) {
		return true;
	}
	run->end = mapping->end < run->limit ? mapping->end : run->limit;
	return run->end == run->limit;
}

/* Map what @fd has from 0 on over the private memory that it was copied from. */
static kern_return_t
replace(int fd, uintptr_t start, size_t size)
{
	struct vm_mapping mapping;
	kern_return_t code = KERN_SUCCESS;

	for (uintptr_t at = start; at < start + size && code == KERN_SUCCESS;) {
		code = vm_mapping_find(VM_OWN_MAPS, at, &mapping);
		if (code != KERN_SUCCESS)
			break;
		if (mapping.start > at || mapping.is_shared)
			return KERN_INVALID_ADDRESS; /* another thread has been here */
		uintptr_t end = mapping.end < start + size ? mapping.end : start + size;
		/* each piece keeps what may be done with it */
		if (mmap((void *)at, end - at, vm_linux_protection(mapping.protection),
			 MAP_SHARED | MAP_FIXED, fd, (off_t)(at - start)) == MAP_FAILED)
			code = KERN_RESOURCE_SHORTAGE;
		else
			vm_movable_replaced(at, end - at);
		at = end;
	}
	memory_changed();
	return code;
}

/* Private memory becomes shared.  No handler runs meanwhile that could write to it. */
static kern_return_t
share_private(uintptr_t start, size_t size, int *fd)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	sigset_t signals, all;
	int made, kept;

	if (here >= start && here - start < size)
		return SHARING_NOT_SUPPORTED("the stack of the running thread");
	kern_return_t code = vm_object_new(size, &made);
	if (code != KERN_SUCCESS)
		return code;
	kept = fcntl(made, F_DUPFD_CLOEXEC, 0);
	code = kept < 0 ? KERN_RESOURCE_SHORTAGE : KERN_SUCCESS;
	sigfillset(&all);
	signals_set(SIG_BLOCK, &all, &signals);
	if (code == KERN_SUCCESS)
		code = vm_object_fill(made, 0, start, size);
	if (code == KERN_SUCCESS)
		code = replace(made, start, size);
	signals_set(SIG_SETMASK, &signals, NULL);
	if (kept >= 0)
		vm_object_keep(kept); /* after a failure a part of it may be mapped */
	if (code != KERN_SUCCESS) {
		close(made);
		return code;
	}
	*fd = made;
	return KERN_SUCCESS;
}

kern_return_t
vm_object_of_own(uintptr_t start, size_t *size, int *fd, uint64_t *offset)
{
	struct run run = { .start = start, .limit = start + *size };
	int maps_fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	if (maps_fd < 0)
		return KERN_RESOURCE_SHORTAGE;
	vm_mappings_visit(maps_fd, goes_on, &run);
	close(maps_fd);
	if (run.first.end == 0)
		return KERN_INVALID_ADDRESS;
	if (run.first.is_of_linux)
		return SHARING_NOT_SUPPORTED("the first stack or Linux's own memory");
	*size = run.end - run.start;
	if (!run.first.is_shared) {
		*offset = 0;
		return share_private(start, *size, fd);
	}
	*offset = run.first.offset + (start - run.first.start);
	kern_return_t code = find_own(&run.first, fd);
	if (code == KERN_SUCCESS && !vm_object_keeps_size(*fd)) {
		close(*fd);
		code = SHARING_NOT_SUPPORTED("memory of a file that may become shorter");
	}
	return code;
}
