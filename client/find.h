/*
 * Where the kernel of a process is.  The public half is <berth/kernel_connection.h>.
 */
#ifndef BERTH_CLIENT_FIND_H
#define BERTH_CLIENT_FIND_H

#include <stddef.h>
#include <stdbool.h>

#define KERNEL_PATH_MAX 108 /* bytes: what a Unix socket's address holds */

/*
 * Start the user's kernel, whose socket is to be @socket_path, and connect to it once it
 * listens.  Two starters at once start one kernel.
 *
 * The connected socket (the caller owns it), or -errno and words in @why.
 */
int user_kernel_start(const char *socket_path, char *why, size_t why_size);

/* A connected socket, or -errno. */
int kernel_socket_connect(const char *path);

#endif
