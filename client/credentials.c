/*
 * Changes of the process's ids.  The kernel puts them in the trailers of what this process
 * sends, and is told when they change: Linux does not tell it.
 *
 * These stand before the C library's functions of the same names and call them.
 */
#include "client/connection.h"
#include "client/export.h"
#include "client/trap.h"

#include <mach/mach_init.h>

#include <dlfcn.h>
#include <errno.h>
#include <unistd.h>

/* Tell the kernel, if there is one; it knows before any message that is sent after. */
static void
ids_changed(void)
{
	struct wire_head message = { WIRE_CREDENTIALS, sizeof(message) };
	int saved_errno = errno;
	struct trap trap;
	sigset_t signals;

	if (atomic_load(&connection.state) == CONNECTION_CHILD)
		connection_open();
	if (atomic_load(&connection.state) != CONNECTION_READY)
		return;
	connection_lock(&signals);
	bool is_sent = connection_send(&message, NULL, 0, true);
	connection_unlock(&signals);
	/* a trap by the doorbell could overtake the message; one by the socket comes behind it */
	if (is_sent && trap_begin(&trap, BERTH_TRAP_TASK_IS_SELF) == TRAP_OK) {
		trap.rings_by_socket = true;
		trap.slot->request.args[0] = mach_task_self_;
		trap_run(&trap, TRAP_PATIENT);
		trap_end(&trap);
	}
	errno = saved_errno;
}

/* The next @name in the program, the C library's; without one the call fails, since the bare
 * system call would change one thread only. */
#define WRAP(name, parameters, arguments)                                                          \
	BERTH_EXPORT int name parameters                                                           \
	{                                                                                          \
		int(*next) parameters = (int(*) parameters)dlsym(RTLD_NEXT, #name);                \
                                                                                                   \
		if (next == NULL) {                                                                \
			errno = ENOSYS;                                                            \
			return -1;                                                                 \
		}                                                                                  \
		int result = next arguments;                                                       \
		if (result == 0)                                                                   \
			ids_changed();                                                             \
		return result;                                                                     \
	}

WRAP(setuid, (uid_t uid), (uid))
WRAP(seteuid, (uid_t euid), (euid))
WRAP(setreuid, (uid_t ruid, uid_t euid), (ruid, euid))
WRAP(setresuid, (uid_t ruid, uid_t euid, uid_t suid), (ruid, euid, suid))
WRAP(setgid, (gid_t gid), (gid))
WRAP(setegid, (gid_t egid), (egid))
WRAP(setregid, (gid_t rgid, gid_t egid), (rgid, egid))
WRAP(setresgid, (gid_t rgid, gid_t egid, gid_t sgid), (rgid, egid, sgid))
