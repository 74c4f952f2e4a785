/* The command line of berthd. */
#include "hosts/daemon/options.h"

#include "confine/confine.h"
#include "wire/trap_page.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char usage[] =
    "usage: berthd --user [--daemon]                     the kernel of this user\n"
    "       berthd --system                              the kernel of this machine (root)\n"
    "       berthd --listen-fd N [--control-fd M]        a private kernel, for `berth run`\n"
    "\n"
    "  --listen-fd N          a bound, listening Unix SEQPACKET socket\n"
    "  --control-fd M         a SEQPACKET socket; when its other end is closed, the kernel ends\n"
    "  --owner-uid UID        whom a private kernel serves (default: who runs it)\n"
    "  --leaks                remember from the start which rights dying tasks still held\n"
    "  --strict               tell programs of misuse that is fatal on newer macOS: they stop\n"
    "  --no-launchd           no name server: tasks have no bootstrap port\n"
    "  --idle-exit SECONDS    end when nobody was attached for so long (--user: 5)\n"
    "  --no-seccomp           no filter of system calls, for debuggers (BERTH_SECCOMP=0: too)\n"
    "  --daemon               return when the kernel serves\n"
    "  --help, --version\n";

enum {
	OPTION_USER = 256,
	OPTION_SYSTEM,
	OPTION_LISTEN,
	OPTION_CONTROL,
	OPTION_OWNER,
	OPTION_LEAKS,
	OPTION_STRICT,
	OPTION_NO_LAUNCHD,
	OPTION_NO_SECCOMP,
	OPTION_IDLE,
	OPTION_DAEMON,
	OPTION_HELP,
	OPTION_VERSION
};

static const struct option long_options[] = {
	{ "user", no_argument, NULL, OPTION_USER },
	{ "system", no_argument, NULL, OPTION_SYSTEM },
	{ "listen-fd", required_argument, NULL, OPTION_LISTEN },
	{ "control-fd", required_argument, NULL, OPTION_CONTROL },
	{ "owner-uid", required_argument, NULL, OPTION_OWNER },
	{ "leaks", no_argument, NULL, OPTION_LEAKS },
	{ "strict", no_argument, NULL, OPTION_STRICT },
	{ "no-launchd", no_argument, NULL, OPTION_NO_LAUNCHD },
	{ "no-seccomp", no_argument, NULL, OPTION_NO_SECCOMP },
	{ "idle-exit", required_argument, NULL, OPTION_IDLE },
	{ "daemon", no_argument, NULL, OPTION_DAEMON },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* A number from 0 to @limit.  0, -EINVAL. */
static int
parse_number(const char *name, const char *text, unsigned long limit, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || *number > limit) {
		fprintf(stderr, "berthd: --%s wants a number up to %lu, not '%s'\n", name, limit,
			text);
		return -EINVAL;
	}
	return 0;
}

/* A descriptor that is a SEQPACKET socket, listening or not.  0, -EINVAL. */
static int
parse_socket(const char *name, const char *text, bool listening, int *fd)
{
	unsigned long number;
	int domain = 0, type = 0, listens = 0;
	socklen_t size = sizeof(int);

	if (parse_number(name, text, INT_MAX, &number) != 0)
		return -EINVAL;
	*fd = (int)number;
	if (getsockopt(*fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 ||
	    getsockopt(*fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
	    getsockopt(*fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || domain != AF_UNIX ||
	    type != SOCK_SEQPACKET || (listens != 0) != listening) {
		fprintf(stderr, "berthd: --%s %s is not a %s Unix SEQPACKET socket\n", name, text,
			listening ? "listening" : "connected");
		return -EINVAL;
	}
	return 0;
}

static int
check(const struct options *options)
{
	if (options->mode == 0) {
		fprintf(stderr, "berthd: one of --user, --system, --listen-fd is needed\n%s",
			usage);
		return -EINVAL;
	}
	if (options->mode != MODE_PRIVATE && options->control_fd >= 0) {
		fprintf(stderr, "berthd: --control-fd goes with --listen-fd only\n");
		return -EINVAL;
	}
	if (options->mode == MODE_SYSTEM && geteuid() != 0) {
		fprintf(stderr,
			"berthd: --system needs root: it listens at /run/berth/kernel; a user's "
			"kernel is started with --user\n");
		return -EINVAL;
	}
	return 0;
}

/* Two modes are one too many. */
static int
set_mode(struct options *options, enum host_mode mode)
{
	if (options->mode != 0 && options->mode != mode) {
		fprintf(stderr, "berthd: --user, --system and --listen-fd exclude each other\n");
		return -EINVAL;
	}
	options->mode = mode;
	return 0;
}

/* One option.  0, 1 (done), -EINVAL. */
static int
take_option(struct options *options, int option)
{
	unsigned long number;

	switch (option) {
	case OPTION_USER:
		return set_mode(options, MODE_USER);
	case OPTION_SYSTEM:
		return set_mode(options, MODE_SYSTEM);
	case OPTION_LISTEN:
		if (set_mode(options, MODE_PRIVATE) != 0)
			return -EINVAL;
		return parse_socket("listen-fd", optarg, true, &options->listen_fd);
	case OPTION_CONTROL:
		return parse_socket("control-fd", optarg, false, &options->control_fd);
	case OPTION_OWNER:
		if (parse_number("owner-uid", optarg, UINT_MAX - 1, &number) != 0)
			return -EINVAL;
		options->owner_uid = (uid_t)number;
		return 0;
	case OPTION_LEAKS:
		options->leaks = true;
		return 0;
	case OPTION_STRICT:
		options->strict = true;
		return 0;
	case OPTION_NO_LAUNCHD:
		options->no_launchd = true;
		return 0;
	case OPTION_NO_SECCOMP:
		options->no_seccomp = true;
		return 0;
	case OPTION_IDLE:
		if (parse_number("idle-exit", optarg, 1000000000, &number) != 0)
			return -EINVAL;
		options->idle_exit_seconds = (int64_t)number;
		return 0;
	case OPTION_DAEMON:
		options->daemonize = true;
		return 0;
	case OPTION_HELP:
		fputs(usage, stdout);
		return 1;
	case OPTION_VERSION:
		printf("berthd, wire version %u%s\n", WIRE_VERSION,
		       confine_is_built() ? "" : ", without a filter of system calls");
		return 1;
	default:
		fputs(usage, stderr);
		return -EINVAL;
	}
}

int
options_parse(struct options *options, int argc, char **argv)
{
	bool idle_given;
	int option, status;

	*options = (struct options){
		.listen_fd = -1, .control_fd = -1, .owner_uid = geteuid(), .idle_exit_seconds = -2
	};
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		status = take_option(options, option);
		if (status != 0)
			return status;
	}
	if (optind < argc) {
		fprintf(stderr, "berthd: what is '%s'?\n%s", argv[optind], usage);
		return -EINVAL;
	}
	idle_given = options->idle_exit_seconds != -2;
	if (!idle_given)
		options->idle_exit_seconds = options->mode == MODE_USER ? 5 : -1;
	return check(options);
}
