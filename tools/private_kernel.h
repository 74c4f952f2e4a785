/*
 * Private kernel: a berthd for one process tree, with a folder and a socket of its own.
 *
 * The folder is locked (flock) as long as its owner lives.  So an owner that was killed
 * leaves a folder that anybody can tell is stale, and the next owner removes it.
 */
#ifndef BERTH_TOOLS_PRIVATE_KERNEL_H
#define BERTH_TOOLS_PRIVATE_KERNEL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

struct private_kernel {
	char parent[PATH_MAX]; /* the folder that the private one is in */
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct sockaddr_un address; /* sun_path: what BERTH_KERNEL is to say */
	int folder_fd;              /* locked; -1: there is no folder */
	int listen_fd;              /* until berthd has it, then -1 */
	int control_fd;             /* while open the kernel lives; -1: closed */
	pid_t pid;                  /* of berthd; 0: not started, or reaped */
	bool strict;                /* set before the start: misuse stops programs */
};

/* An empty one, on which private_kernel_remove() does nothing. */
void private_kernel_init(struct private_kernel *kernel);

/*
 * Make the folder, in $XDG_RUNTIME_DIR, else $TMPDIR, else /tmp, and a socket that listens
 * in it.  A folder in which a socket's path gets too long is passed over, and so is, for
 * root, one that others cannot enter: what root starts may change its user.
 *
 * 0        @kernel holds the folder and the socket
 * -ENOENT  none would do; @tried, which the caller frees, has a line about each
 */
int private_kernel_place(struct private_kernel *kernel, char **tried);

/*
 * Start the program @berthd on the socket, in a process group of its own, so that a terminal's
 * signals do not reach it, and tell it that the control connection owns it.
 *
 * 0        started; whether it comes up shows later
 * -errno   it could not be executed, or no descriptors or memory
 */
int private_kernel_start(struct private_kernel *kernel, const char *berthd, bool leaks);

/* Ask for the report of what dead tasks left behind; the answer comes on control_fd. */
int private_kernel_ask_report(struct private_kernel *kernel);

/* Open one more connection to the kernel.  The descriptor, or -errno. */
int private_kernel_connect(const struct private_kernel *kernel);

/* Close the control connection, by which the kernel ends. */
void private_kernel_end(struct private_kernel *kernel);

/*
 * Make a folder in the kernel's, for this user's programs alone, to note in where they got their
 * rights (wire/sites.h); it goes with the kernel's.  Its path comes in @path.  0 or -errno.
 */
int private_kernel_sites_make(struct private_kernel *kernel, char *path, size_t size);

/* Remove the socket and the folder. */
void private_kernel_remove(struct private_kernel *kernel);

/* Remove what killed owners left in the folder that this kernel's own one is in. */
void private_kernel_sweep(const struct private_kernel *kernel);

#endif
