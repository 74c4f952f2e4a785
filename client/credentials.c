/*
 * Changes of the process's ids.  The kernel puts them in the trailers of what this process
 * sends, and is told when they change: Linux does not tell it.
 *
 * These stand before the C library's functions of the same names and call them.
 */
#include "client/connection.h"
#include "client/export.h"
#include "client/say.h"
#include "client/trap.h"

#include <mach/mach_init.h>

#include <dlfcn.h>
#include <errno.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
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

/*
 * What @name does where there is no C library behind us to ask, in a program that is linked
 * without shared libraries.  Linux changes the ids of one thread only: so only while there
 * are no others.
 */
static int
bare_call(const char *name, long number, long first, long second, long third)
{
	if (!__libc_single_threaded) {
		say("%s cannot be called in a statically linked program that has threads", name);
		errno = ENOSYS;
		return -1;
	}
	return (int)syscall(number, first, second, third);
}

/* Function @name: the next one of that name in the program, or else a bare system call. */
#define WRAP(name, parameters, arguments, ...)                                                     \
	BERTH_EXPORT int name parameters                                                           \
	{                                                                                          \
		int(*next) parameters = (int(*) parameters)dlsym(RTLD_NEXT, #name);                \
		int result = next != NULL ? next arguments : bare_call(#name, __VA_ARGS__);        \
                                                                                                   \
		if (result == 0)                                                                   \
			ids_changed();                                                             \
		return result;                                                                     \
	}

WRAP(setuid, (uid_t uid), (uid), SYS_setuid, uid, 0, 0)
WRAP(seteuid, (uid_t euid), (euid), SYS_setresuid, -1, euid, -1)
WRAP(setreuid, (uid_t ruid, uid_t euid), (ruid, euid), SYS_setreuid, ruid, euid, 0)
WRAP(setresuid, (uid_t ruid, uid_t euid, uid_t suid), (ruid, euid, suid), SYS_setresuid, ruid, euid,
     suid)
WRAP(setgid, (gid_t gid), (gid), SYS_setgid, gid, 0, 0)
WRAP(setegid, (gid_t egid), (egid), SYS_setresgid, -1, egid, -1)
WRAP(setregid, (gid_t rgid, gid_t egid), (rgid, egid), SYS_setregid, rgid, egid, 0)
WRAP(setresgid, (gid_t rgid, gid_t egid, gid_t sgid), (rgid, egid, sgid), SYS_setresgid, rgid, egid,
     sgid)
