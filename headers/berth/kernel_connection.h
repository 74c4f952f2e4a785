/*
 * Finding Berth's programs and its kernel: for tools.  A program needs none of this: the
 * library attaches by itself at the first Darwin call.
 */
#ifndef BERTH_KERNEL_CONNECTION_H
#define BERTH_KERNEL_CONNECTION_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum berth_kernel_connect_flags {
	BERTH_KERNEL_START = 1 /* start the user's kernel if it is the one meant and does not run */
};

/*
 * Find the program @name ("berthd", "berth-launchd") and put its path in @out.
 *
 * Looked for in: $BERTH_LIBEXECDIR; the folder of the running executable and the one of
 * libberth.so, each with ../libexec/berth and ../../libexec/berth from there; the folder
 * that was compiled in.
 *
 * 0              and the path is in @out
 * -ENOENT        it is in none of them
 * -ENAMETOOLONG  the path does not fit in @size bytes
 */
int berth_find_program(const char *name, char *out, size_t size);

/*
 * Connect to the kernel: the one that $BERTH_KERNEL names (a socket's path, `user` or
 * `system`), else the system's if its socket is there, else the user's.
 *
 * The connected SOCK_SEQPACKET socket, close-on-exec, on which nothing was said yet: the
 * caller owns it.  Or -errno; then @why (up to @why_size bytes) says in words what was
 * tried and what to do.  Without BERTH_KERNEL_START a user's kernel that does not run is
 * -ENOENT or -ECONNREFUSED.
 */
int berth_kernel_connect(unsigned int flags, char *why, size_t why_size);

/*
 * No messages by lanes, either way, from here on: for who hands receive rights on with messages in
 * their queues.  Of what came by a lane nobody but its receiver is told the sender.
 */
void berth_lanes_off(void);

#ifdef __cplusplus
}
#endif

#endif
