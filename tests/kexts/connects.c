/* Connects to the control of subject.c, and closes, as often as its argument says. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/socket.h>
#include <sys/sys_domain.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct ctl_info info = { .ctl_name = "com.example.control" };
	struct sockaddr_ctl address = { .sc_len = sizeof(address),
					.sc_family = AF_SYSTEM,
					.ss_sysaddr = AF_SYS_CONTROL };

	for (int i = 0; argc > 1 && i < atoi(argv[1]); i++) {
		int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL);

		if (fd < 0 || ioctl(fd, CTLIOCGINFO, &info) != 0) {
			perror("control");
			return 1;
		}
		address.sc_id = info.ctl_id;
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
			perror("connect");
			return 1;
		}
		close(fd);
	}
	return 0;
}
