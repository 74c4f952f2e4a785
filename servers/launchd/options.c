/*
 * The command line of berth-launchd.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "launchd.h"

static const char usage[] =
    "usage: berth-launchd [--system] [--owner-uid UID] [-- COMMAND [ARGUMENT...]]\n"
    "\n"
    "The bootstrap name server of a Berth kernel, which starts it.  With COMMAND: a name\n"
    "server below the one of the caller, for that command, ending with it.\n"
    "\n"
    "  --system         the kernel serves several users: each has a context of his own\n"
    "  --owner-uid UID  who may do here what root may (the user it runs as)\n";

/* Digits only, of a number that a user can have: who it names may do here what root may. */
static bool
parse_uid(const char *text, uid_t *uid)
{
	char *end;

	errno = 0;
	unsigned long number = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || number >= UINT_MAX)
		return false;
	*uid = (uid_t)number;
	return true;
}

int
launchd_options_parse(struct launchd *l, int argc, char **argv)
{
	static const struct option options[] = {
		{ "system", no_argument, NULL, 's' },
		{ "owner-uid", required_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (option) {
		case 's':
			l->is_system = true;
			break;
		case 'u':
			if (!parse_uid(optarg, &l->owner_uid)) {
				fprintf(stderr,
					"berth-launchd: --owner-uid: no user's number: %s\n",
					optarg);
				return -EINVAL;
			}
			break;
		case 'h':
			fputs(usage, stdout);
			return 1;
		default:
			fputs(usage, stderr);
			return -EINVAL;
		}
	}
	return 0;
}
