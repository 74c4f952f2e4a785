/*
 * Asking a kernel: see kernel_ask.h.
 */
#include "tools/kernel_ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <berth/kernel_connection.h>

#include "tools/command.h"
#include "wire/socket.h"

const char *
option_value(const char *name, int argc, char **argv, int *i)
{
	size_t length = strlen(name);

	if (strncmp(argv[*i], name, length) != 0)
		return NULL;
	if (argv[*i][length] == '=')
		return argv[*i] + length + 1;
	if (argv[*i][length] != '\0')
		return NULL;
	(*i)++;
	return *i < argc ? argv[*i] : "";
}

int
kernel_ask_connect(const char *command, const char *kernel, unsigned flags)
{
	char why[512] = "";

	if (kernel && setenv("BERTH_KERNEL", kernel, 1) < 0) {
		command_failed(command, "out of memory");
		return -1;
	}
	int fd = berth_kernel_connect(flags, why, sizeof(why));
	if (fd >= 0) {
		const struct timeval patience = { .tv_sec = ANSWER_PATIENCE_S };

		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		return fd;
	}
	if (fd == -ENOENT || fd == -ECONNREFUSED)
		command_failed(command, "no kernel is running; start a program first\n%s", why);
	else
		command_failed(command, "cannot connect to the kernel: %s",
			       why[0] != '\0' ? why : strerror(-fd));
	return -1;
}

int
kernel_ask_exit_code(const char *command, int32_t pid, int err, const struct answer *answer)
{
	if (answer->why[0] != '\0')
		return command_failed(command, "refused by the kernel: %s", answer->why);
	if (err == -ECONNRESET)
		return command_failed(command, "the kernel ended before it had answered");
	if (err == -ETIMEDOUT)
		return command_failed(command,
				      "the kernel has not answered for %d seconds; is its process, "
				      "berthd, stopped?",
				      ANSWER_PATIENCE_S);
	if (err < 0)
		return command_failed(command, "%s", strerror(-err));
	if (answer->status == -ESRCH && pid)
		return command_failed(command, "process %d is no task of this kernel", pid);
	if (answer->status == -EPERM || answer->status == -EACCES)
		return command_failed(command, "the kernel does not show that to you");
	if (answer->status < 0)
		return command_failed(command, "the kernel answers: %s", strerror(-answer->status));
	return COMMAND_OK;
}

int
kernel_ask_text(const char *command, const char *kernel, uint32_t what, char **text)
{
	struct wire_inspect request = {
		.head = { WIRE_INSPECT, sizeof(request) },
		.what = what,
		.flags = WIRE_INSPECT_JSON,
	};
	struct answer answer = { 0 };
	size_t size;

	*text = NULL;
	int fd = kernel_ask_connect(command, kernel, 0);
	if (fd < 0)
		return COMMAND_FAILED;
	FILE *out = open_memstream(text, &size);
	if (!out) {
		close(fd);
		return command_failed(command, "out of memory");
	}
	int err = request_send(fd, &request, sizeof(request), -1);

	/* the kernel may have said why before it hung up */
	if (err == 0 || err == -EPIPE || err == -ECONNRESET)
		err = answer_take_all(fd, out, &answer);
	if (fclose(out) != 0 && err == 0)
		err = -ENOMEM;
	close(fd);
	int code = kernel_ask_exit_code(command, 0, err, &answer);
	if (code != COMMAND_OK) {
		free(*text);
		*text = NULL;
	}
	return answer.why[0] != '\0' ? COMMAND_REFUSED : code;
}
