/*
 * The command line of berthd.
 */
#ifndef BERTH_HOSTS_DAEMON_OPTIONS_H
#define BERTH_HOSTS_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum host_mode {
	MODE_PRIVATE = 1, /* --listen-fd: a kernel of one process tree */
	MODE_USER,        /* --user */
	MODE_SYSTEM       /* --system */
};

struct options {
	enum host_mode mode;
	int listen_fd;  /* -1: not given */
	int control_fd; /* -1: not given */
	uid_t owner_uid;
	bool leaks;
	bool strict; /* every task but the name server */
	bool no_launchd;
	bool no_seccomp;
	bool daemonize;
	int64_t idle_exit_seconds; /* -1: never */
};

/*
 * Read the command line.  0; 1: done, --help or --version was printed; -EINVAL: the
 * mistake has been told on stderr.
 */
__attribute__((warn_unused_result)) int options_parse(struct options *options, int argc,
						      char **argv);

#endif
