/*
 * Fileports: the program's descriptor goes to the kernel beside the trap, and a new one of the
 * same open file comes back beside the answer.
 */
#include <sys/fileport.h>

#include "client/bsd/system_socket.h"
#include "client/bsd/user_memory.h"
#include "client/export.h"
#include "client/fileport.h"
#include "client/trap.h"

#include <mach/mach_init.h>
#include <mach/mach_port.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define KOBJECT_FILEPORT 34 /* mach-kobjects.md §1 */

/* Why no port was made of a descriptor that Linux did not send, for the reason @error. */
static int
errno_of_unsent(int error)
{
	return error == EBADF || error == EINVAL ? error : EAGAIN;
}

/* Ask for a port of @fd.  0, or an errno. */
static int
make(int fd, mach_port_name_t *name)
{
	struct trap trap;
	enum trap_outcome outcome = trap_begin(&trap, BERTH_TRAP_FILEPORT_MAKE);
	int error;

	if (outcome != TRAP_OK)
		return outcome == TRAP_SHORTAGE ? EAGAIN : ENOTCONN;
	trap.slot->request.flags = TRAP_HAS_FILE;
	trap.file_fd = fd;
	outcome = trap_run(&trap, TRAP_PATIENT);
	if (outcome == TRAP_SHORTAGE)
		error = errno_of_unsent(trap.send_error);
	else if (outcome != TRAP_OK)
		error = ENOTCONN;
	else if (trap.slot->reply.code == KERN_RESOURCE_SHORTAGE)
		error = EAGAIN;
	else
		error = trap.slot->reply.code == KERN_SUCCESS ? 0 : EINVAL;
	*name = (mach_port_name_t)trap.slot->reply.values[0];
	trap_end(&trap);
	return error;
}

BERTH_EXPORT int
fileport_makeport(int fd, fileport_t *port)
{
	mach_port_name_t name;

	if (fcntl(fd, F_GETFD) < 0)
		return -1; /* EBADF */
	int error = make(fd, &name);
	if (error == 0 && user_write(port, &name, sizeof(name)) != 0) {
		mach_port_deallocate(mach_task_self_, name);
		error = EFAULT;
	}
	if (error == 0)
		return 0;
	errno = error;
	return -1;
}

bool
fileport_table_is_full(void)
{
	int spare = fcntl(connection.socket_fd, F_DUPFD_CLOEXEC, 0);

	if (spare < 0)
		return errno == EMFILE;
	close(spare);
	return false;
}

static bool
is_fileport(mach_port_name_t port)
{
	natural_t kind;
	mach_vm_address_t address;

	return mach_port_kobject(mach_task_self_, port, &kind, &address) == KERN_SUCCESS &&
	       kind == KOBJECT_FILEPORT;
}

/* Ask for the file of @port.  0, or an errno. */
static int
open_file(mach_port_name_t port, int *fd)
{
	struct trap trap;
	enum trap_outcome outcome = trap_begin(&trap, BERTH_TRAP_FILEPORT_OPEN);
	int error = 0;

	if (outcome != TRAP_OK)
		return outcome == TRAP_SHORTAGE ? ENFILE : EINVAL; /* no kernel, no right */
	if (fileport_table_is_full()) {
		trap_end(&trap);
		return is_fileport(port) ? EMFILE : EINVAL;
	}
	trap.slot->request.args[0] = port;
	outcome = trap_run(&trap, TRAP_PATIENT);
	if (outcome == TRAP_SHORTAGE)
		error = EMFILE; /* other threads opened files meanwhile */
	else if (outcome != TRAP_OK)
		error = EINVAL;
	else if (trap.slot->reply.code == KERN_RESOURCE_SHORTAGE)
		error = ENFILE;
	else if (trap.slot->reply.code != KERN_SUCCESS || trap.file_fd < 0)
		error = EINVAL;
	if (error == 0) {
		/* already close-on-exec and this process's own */
		*fd = trap.file_fd;
		trap.file_fd = -1;
	}
	trap_end(&trap);
	return error;
}

BERTH_EXPORT int
fileport_makefd(fileport_t port)
{
	int saved_errno = errno, fd = -1;
	int error = open_file(port, &fd);

	errno = error == 0 ? saved_errno : error;
	if (error != 0)
		return -1;
	/* the number was free a moment ago: what the library knows of it is stale */
	if (system_entry(fd) != NULL)
		system_closed(system_remove(fd));
	system_recognise(fd);
	return fd;
}
