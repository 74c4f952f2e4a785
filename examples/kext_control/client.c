/*
 * A client of kext.c, in C.
 *
 * Finds the control by its name, connects, is refused a second connection, sends a line and
 * prints the answer.  The control is privileged: `berth run --root` where one is not root.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/socket.h>
#include <sys/sys_domain.h>
#include <unistd.h>

#include "control.h"

/* A connected socket, and its unit; -1, with words on stderr and errno of what failed. */
static int
control_connect(unsigned int *unit)
{
	struct ctl_info info = { 0 };
	struct sockaddr_ctl address = { 0 };
	socklen_t size = sizeof(address);
	const char *what = "socket";
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL);

	if (fd < 0)
		goto failed;
	/* ids are given anew each time the kext is loaded: the name is what stays */
	what = "CTLIOCGINFO";
	strlcpy(info.ctl_name, CONTROL_NAME, sizeof(info.ctl_name));
	if (ioctl(fd, CTLIOCGINFO, &info) < 0)
		goto failed;

	address.sc_len = sizeof(address);
	address.sc_family = AF_SYSTEM;
	address.ss_sysaddr = AF_SYS_CONTROL;
	address.sc_id = info.ctl_id;
	address.sc_unit = 0; /* the kernel chooses */
	what = "connect";
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		goto failed;
	what = "getpeername";
	if (getpeername(fd, (struct sockaddr *)&address, &size) < 0)
		goto failed;
	*unit = address.sc_unit;
	return fd;

failed:
	printf("client: %s: %s\n", what, strerror(errno));
	if (fd >= 0) {
		int error = errno;

		close(fd);
		errno = error;
	}
	return -1;
}

int
main(int argc, char **argv)
{
	const char *message = argc > 1 ? argv[1] : "hello from C";
	char answer[256];
	unsigned int unit;
	int fd, second;

	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = control_connect(&unit);
	if (fd < 0)
		return 1;
	printf("client: connected, unit %u\n", unit);

	second = control_connect(&unit);
	if (second >= 0 || errno != EISCONN) {
		fprintf(stderr, "client: the second connection was not refused with EISCONN\n");
		return 1;
	}
	printf("client: the kext takes one client, and refuses a second with EISCONN\n");

	if (send(fd, message, strlen(message), 0) < 0) {
		perror("client: send");
		return 1;
	}
	ssize_t size = recv(fd, answer, sizeof(answer), 0);
	if (size < 0) {
		perror("client: recv");
		return 1;
	}
	printf("client: \"%s\" was answered with \"%.*s\"\n", message, (int)size, answer);
	close(fd);
	return 0;
}
