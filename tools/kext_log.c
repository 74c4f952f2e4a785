/*
 * berth kext log: what kexts have said, and how their processes ended.
 */
#include "tools/kext.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tools/answer.h"
#include "tools/command.h"
#include "tools/kernel_ask.h"
#include "wire/socket.h"

static const char log_help[] =
    "Usage: berth kext log [-f] [--kernel KERNEL] [IDENTIFIER]\n"
    "\n"
    "Show what kernel extensions have said, also those that are gone: the kernel keeps the\n"
    "last megabyte.\n"
    "\n"
    "  IDENTIFIER       only lines of the processes that this one runs in\n"
    "  -f, --follow     go on with what comes, until interrupted\n" KERNEL_HELP;

struct log {
	const char *identifier; /* NULL: all */
	bool is_followed;
	const char *kernel;
	char *rest; /* of a line whose end has not come */
	size_t rest_size;
};

/* What a kext says is not to steer the terminal. */
static void
print_line(const struct log *log, const char *line, size_t size)
{
	if (log->identifier && !memmem(line, size, log->identifier, strlen(log->identifier)))
		return;
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)line[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			printf("\\x%02x", c);
		else
			putchar(c);
	}
	putchar('\n');
}

/* Print the whole lines of @text, and keep what follows them. */
static int
take_text(struct log *log, const char *text, size_t size)
{
	char *all = realloc(log->rest, log->rest_size + size + 1);

	if (!all)
		return -ENOMEM;
	memcpy(all + log->rest_size, text, size);
	size_t all_size = log->rest_size + size, at = 0;

	for (char *end; (end = memchr(all + at, '\n', all_size - at)); at = (size_t)(end - all) + 1)
		print_line(log, all + at, (size_t)(end - all) - at);
	log->rest_size = all_size - at;
	memmove(all, all + at, log->rest_size);
	log->rest = all;
	return fflush(stdout) != 0 ? -errno : 0;
}

/* As answer_take(), and what came is printed. */
static int
take_message(struct log *log, int fd, struct answer *answer)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return -ENOMEM;
	int step = answer_take(fd, out, answer);

	if (fclose(out) != 0 && step == ANSWER_MORE)
		step = -ENOMEM;
	if (step == ANSWER_MORE && size > 0) {
		int err = take_text(log, text, size);

		step = err < 0 ? err : ANSWER_MORE;
	}
	free(text);
	return step;
}

static int
show(struct log *log)
{
	struct wire_inspect request = {
		.head = { WIRE_INSPECT, sizeof(request) },
		.what = WIRE_INSPECT_LOG,
		.flags = log->is_followed ? WIRE_INSPECT_FOLLOW : 0,
	};
	const struct timeval for_ever = { 0 };
	struct answer answer = { 0 };
	int fd = kernel_ask_connect("kext", log->kernel, 0), step = ANSWER_MORE;

	if (fd < 0)
		return COMMAND_FAILED;
	if (log->is_followed)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &for_ever, sizeof(for_ever));
	/* where it fails the kernel may have said why */
	(void)request_send(fd, &request, sizeof(request), -1);
	while (step == ANSWER_MORE)
		step = take_message(log, fd, &answer);
	close(fd);
	if (log->rest_size > 0)
		print_line(log, log->rest, log->rest_size);
	free(log->rest);
	/* the kernel's end is the end of what there is to follow */
	if (step == -ECONNRESET && log->is_followed)
		return COMMAND_OK;
	return kernel_ask_exit_code("kext", 0, step < 0 ? step : 0, &answer);
}

int
kext_log_main(int argc, char **argv)
{
	struct log log = { 0 };

	for (int i = 1; i < argc; i++) {
		const char *value, *option = argv[i];

		if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
			return command_help(log_help);
		if (strcmp(option, "-f") == 0 || strcmp(option, "--follow") == 0)
			log.is_followed = true;
		else if ((value = option_value("--kernel", argc, argv, &i)) && value[0])
			log.kernel = value;
		else if (option[0] != '-' && !log.identifier)
			log.identifier = option;
		else
			return command_usage("kext",
					     "'%s' is no option, lacks its value, or is one "
					     "argument too many",
					     option);
	}
	return show(&log);
}
