/*
 * berth ps, ports, trace and dump: ask a running kernel and print what it says.
 *
 * The text comes as it is to be read from the kernel, which alone knows its structures;
 * what may be seen is decided there, by who asks.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/answer.h"
#include "tools/command.h"
#include "tools/growth.h"
#include "tools/kernel_ask.h"
#include "tools/trace_text.h"
#include "wire/socket.h"

static const char ps_help[] =
    "Usage: berth ps [--json] [--pid PID] [--kernel KERNEL]\n"
    "\n"
    "List the tasks of the kernel: who they are, what they hold and what they sent.\n"
    "\n"
    "  --json           one JSON document instead of a table\n"
    "  --pid PID        only this task\n" KERNEL_HELP;

static const char ports_help[] =
    "Usage: berth ports [--queued] [--json] [--pid PID] [--kernel KERNEL]\n"
    "       berth ports [--save FILE] [--since FILE] [--json] [--pid PID] [--kernel KERNEL]\n"
    "\n"
    "List the port rights of each task, and where the ports' messages are.\n"
    "\n"
    "  --save FILE      write all there is to FILE, for a later look\n"
    "  --since FILE     only what is different from when FILE was saved: which task has\n"
    "                   how many rights of a kind more, and their names\n"
    "  --queued         only ports with messages that nobody has received, and who\n"
    "                   does not receive them\n"
    "  --json           one JSON document instead of a table\n"
    "  --pid PID        only this task\n" KERNEL_HELP;

static const char lsmp_help[] =
    "Usage: lsmp [-a] [-v] [-p PID] [-j FILE]\n"
    "\n"
    "List the Mach port rights of each task, as 'berth ports' does, with the options that\n"
    "the command of this name has on macOS.\n"
    "\n"
    "  -a       all tasks; this is so anyway unless -p is given\n"
    "  -p PID   only this task\n"
    "  -v       everything; this is so anyway\n"
    "  -j FILE  write JSON to FILE\n"
    "  -h       this text\n";

static const char trace_help[] =
    "Usage: berth trace [--pid PID] [--kernel KERNEL]\n"
    "\n"
    "Show every trap, message and right as it happens, until interrupted.\n"
    "\n"
    "  --pid PID        only this task\n" KERNEL_HELP;

static const char dump_help[] =
    "Usage: berth dump [--counts] [--kernel KERNEL]\n"
    "\n"
    "Print all that the kernel holds, for those who work on Berth itself.\n"
    "\n"
    "  --counts         only how many objects there are\n" KERNEL_HELP;

struct asking {
	const char *command;
	uint32_t what;
	uint32_t flags;
	int32_t pid;
	const char *kernel; /* --kernel */
	const char *file;   /* -j of lsmp */
	const char *save;   /* --save, --since of ports */
	const char *since;
};

/* ---- options ---------------------------------------------------------------------------- */

/* 0 or -EINVAL. */
static int
parse_pid(const char *text, int32_t *pid)
{
	char *end;

	errno = 0;
	long value = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value <= 0 || value > INT32_MAX)
		return -EINVAL;
	*pid = (int32_t)value;
	return 0;
}

enum allowed {
	ALLOW_QUEUED = 1,
	ALLOW_JSON = 2,
	ALLOW_PID = 4,
	ALLOW_COUNTS = 8,
	ALLOW_LOOKS = 16
};

/* -1: go on; else the exit code. */
static int
parse(struct asking *asking, unsigned allowed, const char *help, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *value, *option = argv[i];

		if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
			return command_help(help);
		if ((allowed & ALLOW_QUEUED) && strcmp(option, "--queued") == 0) {
			asking->flags |= WIRE_INSPECT_QUEUED;
		} else if ((allowed & ALLOW_JSON) && strcmp(option, "--json") == 0) {
			asking->flags |= WIRE_INSPECT_JSON;
		} else if ((allowed & ALLOW_COUNTS) && strcmp(option, "--counts") == 0) {
			asking->what = WIRE_INSPECT_COUNTS;
		} else if ((allowed & ALLOW_PID) &&
			   (value = option_value("--pid", argc, argv, &i)) != NULL) {
			if (parse_pid(value, &asking->pid) < 0)
				return command_usage(asking->command,
						     "--pid wants a process id, not '%s'", value);
		} else if ((allowed & ALLOW_LOOKS) &&
			   (value = option_value("--save", argc, argv, &i)) != NULL) {
			if (value[0] == '\0')
				return command_usage(asking->command, "--save names no file");
			asking->save = value;
		} else if ((allowed & ALLOW_LOOKS) &&
			   (value = option_value("--since", argc, argv, &i)) != NULL) {
			if (value[0] == '\0')
				return command_usage(asking->command, "--since names no file");
			asking->since = value;
		} else if ((value = option_value("--kernel", argc, argv, &i)) != NULL) {
			if (value[0] == '\0')
				return command_usage(
				    asking->command,
				    "--kernel wants a socket's path, 'user' or 'system'");
			asking->kernel = value;
		} else if (option[0] == '-') {
			return command_usage(asking->command, "unknown option '%s'", option);
		} else {
			return command_usage(asking->command, "'%s' is one argument too many",
					     option);
		}
	}
	return -1;
}

static int
parse_lsmp(struct asking *asking, int argc, char **argv)
{
	static const char hint[] = "Try 'lsmp -h'.";
	int option;

	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		return command_help(lsmp_help);
	opterr = 0;
	while ((option = getopt(argc, argv, "+ahj:p:v")) != -1) {
		switch (option) {
		case 'a':
		case 'v':
			break;
		case 'h':
			return command_help(lsmp_help);
		case 'j':
			asking->flags |= WIRE_INSPECT_JSON;
			asking->file = optarg;
			break;
		case 'p':
			if (parse_pid(optarg, &asking->pid) == 0)
				break;
			fprintf(stderr, "lsmp: -p wants a process id, not '%s'\n%s\n", optarg,
				hint);
			return COMMAND_USAGE;
		default:
			fprintf(stderr, "lsmp: option '-%c' is unknown or lacks its value\n%s\n",
				optopt, hint);
			return COMMAND_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "lsmp: '%s' is one argument too many\n%s\n", argv[optind], hint);
		return COMMAND_USAGE;
	}
	return -1;
}

/* ---- asking ----------------------------------------------------------------------------- */

/* Ask, and write the answer to @out.  The exit code. */
static int
inspect_to(const struct asking *asking, FILE *out)
{
	struct wire_inspect request = {
		.head = { WIRE_INSPECT, sizeof(request) },
		.what = asking->what,
		.flags = asking->flags,
		.pid = asking->pid,
	};
	struct answer answer = { 0 };
	int fd = kernel_ask_connect(asking->command, asking->kernel, 0);

	if (fd < 0)
		return COMMAND_FAILED;
	int err = request_send(fd, &request, sizeof(request), -1);
	if (err == 0)
		err = answer_take_all(fd, out, &answer);
	/* the kernel may have said why before it hung up */
	else if (err == -EPIPE || err == -ECONNRESET)
		err = answer_take_all(fd, out, &answer);
	if (fflush(out) != 0 && err == 0)
		err = -errno;
	close(fd);
	return kernel_ask_exit_code(asking->command, asking->pid, err, &answer);
}

static int
inspect(const struct asking *asking)
{
	FILE *out = asking->file ? fopen(asking->file, "we") : stdout;

	if (!out)
		return command_failed(asking->command, "cannot write '%s': %s", asking->file,
				      strerror(errno));
	int code = inspect_to(asking, out);
	if (out != stdout && fclose(out) != 0 && code == COMMAND_OK)
		code = command_failed(asking->command, "cannot write '%s': %s", asking->file,
				      strerror(errno));
	return code;
}

/* ---- looks that are compared -------------------------------------------------------------- */

/* All of the file @path; the caller frees it.  NULL, and errno. */
static char *
read_file(const char *path)
{
	char *text = NULL;
	size_t room = 0;
	FILE *in = fopen(path, "re");

	if (!in)
		return NULL;
	errno = 0;
	if (getdelim(&text, &room, '\0', in) < 0) {
		int err = errno;

		free(text);
		text = err == 0 ? strdup("") : NULL; /* it is empty */
		errno = err != 0 ? err : errno;
	}
	fclose(in);
	return text;
}

static int
save(const struct asking *asking, const char *text)
{
	FILE *out = fopen(asking->save, "we");
	bool is_written = out && fputs(text, out) != EOF;

	if (out && fclose(out) != 0)
		is_written = false;
	return is_written ? COMMAND_OK
			  : command_failed(asking->command, "cannot write '%s': %s", asking->save,
					   strerror(errno));
}

/* Print how the look in @text differs from the one saved before. */
static int
compare(const struct asking *asking, char *text)
{
	struct growth_look *before = NULL, *now = NULL;
	int code = COMMAND_OK, err;
	char *saved = read_file(asking->since);

	if (!saved)
		return command_failed(asking->command, "cannot read '%s': %s", asking->since,
				      strerror(errno));
	err = growth_look_new(saved, asking->pid, &before);
	if (err == -EINVAL)
		code = command_failed(asking->command,
				      "'%s' is nothing that 'berth ports --save' wrote",
				      asking->since);
	else if (err == 0)
		err = growth_look_new(text, asking->pid, &now);
	if (err == 0)
		err = growth_print(before, now, (asking->flags & WIRE_INSPECT_JSON) != 0, stdout);
	if (err == 0 && fflush(stdout) != 0)
		err = -errno;
	if (err < 0 && code == COMMAND_OK)
		code = command_failed(asking->command, "cannot compare with '%s': %s",
				      asking->since, strerror(-err));
	before = growth_look_free(before);
	now = growth_look_free(now);
	free(saved);
	return code;
}

/* --save, --since, or both: one look for both. */
static int
look(const struct asking *asking)
{
	struct asking all = *asking;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return command_failed(asking->command, "%s", strerror(errno));
	all.flags |= WIRE_INSPECT_JSON;
	if (asking->since)
		all.pid = 0; /* a task that has ended since then is no mistake */
	int code = inspect_to(&all, out);
	if (fclose(out) != 0 && code == COMMAND_OK)
		code = command_failed(asking->command, "%s", strerror(errno));
	/* before the comparison cuts it into lines */
	char *copy = code == COMMAND_OK && asking->since ? strdup(text) : NULL;
	if (code == COMMAND_OK && asking->since && !copy)
		code = command_failed(asking->command, "%s", strerror(errno));
	if (copy)
		code = compare(asking, copy);
	if (code == COMMAND_OK && asking->save)
		code = save(asking, text);
	free(copy);
	free(text);
	return code;
}

int
berth_ps_main(int argc, char **argv)
{
	struct asking asking = { .command = "ps", .what = WIRE_INSPECT_TASKS };
	int code = parse(&asking, ALLOW_JSON | ALLOW_PID, ps_help, argc, argv);

	return code >= 0 ? code : inspect(&asking);
}

int
berth_ports_main(int argc, char **argv)
{
	struct asking asking = { .command = "ports", .what = WIRE_INSPECT_PORTS };
	int code = parse(&asking, ALLOW_QUEUED | ALLOW_JSON | ALLOW_PID | ALLOW_LOOKS, ports_help,
			 argc, argv);

	if (code >= 0)
		return code;
	if (!asking.save && !asking.since)
		return inspect(&asking);
	if ((asking.flags & WIRE_INSPECT_QUEUED) != 0)
		return command_usage("ports", "--queued goes neither with --save nor with --since");
	return look(&asking);
}

int
berth_lsmp_main(int argc, char **argv)
{
	struct asking asking = { .command = "ports", .what = WIRE_INSPECT_PORTS };
	int code = parse_lsmp(&asking, argc, argv);

	return code >= 0 ? code : inspect(&asking);
}

int
berth_dump_main(int argc, char **argv)
{
	struct asking asking = { .command = "dump", .what = WIRE_INSPECT_DUMP };
	int code = parse(&asking, ALLOW_COUNTS, dump_help, argc, argv);

	return code >= 0 ? code : inspect(&asking);
}

/* ---- trace -------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void
note_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

/* Copy until the kernel ends, the user has seen enough, or nobody reads what we write.
 * Nothing that was in the pipe by then is lost. */
static void
follow(struct trace_text *trace)
{
	sigset_t watched, old;
	struct sigaction action = { .sa_handler = note_interrupt };

	sigemptyset(&watched);
	sigaddset(&watched, SIGINT);
	sigaddset(&watched, SIGTERM);
	sigprocmask(SIG_BLOCK, &watched, &old);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	while (!interrupted && trace->pipe_fd >= 0 && trace->err == 0) {
		struct pollfd fds[] = {
			{ .fd = trace->pipe_fd, .events = POLLIN },
			{ .fd = trace->out_fd, .events = 0 }, /* a pipe without reader: POLLERR */
		};

		if (ppoll(fds, sizeof(fds) / sizeof(fds[0]), NULL, &old) <= 0)
			continue;
		if (fds[0].revents != 0)
			trace_text_copy(trace);
		else if ((fds[1].revents & POLLERR) != 0)
			break;
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
}

int
berth_trace_main(int argc, char **argv)
{
	struct asking asking = { .command = "trace" };
	struct trace_text trace;
	struct answer answer = { 0 };
	int code = parse(&asking, ALLOW_PID, trace_help, argc, argv);

	if (code >= 0)
		return code;
	trace_text_init(&trace);
	int fd = kernel_ask_connect(asking.command, asking.kernel, 0);
	if (fd < 0)
		return COMMAND_FAILED;
	int err = trace_text_open_fd(&trace, STDOUT_FILENO);
	if (err == 0)
		err = trace_text_ask(&trace, fd, asking.pid);
	if (err == 0)
		err = answer_take_all(fd, stdout, &answer);
	trace.connection_fd = fd;
	code = kernel_ask_exit_code(asking.command, asking.pid, err, &answer);
	if (code == COMMAND_OK)
		follow(&trace);
	trace_text_finish(&trace);
	return code == COMMAND_OK && trace.err < 0 ? COMMAND_FAILED : code;
}
