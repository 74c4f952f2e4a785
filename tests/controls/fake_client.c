/* Programs that use the fake kext: see fake_client.h. */
#include "tests/controls/fake_client.h"

#include <string.h>
#include <sys/socket.h>

struct fake *fake;
pid_t fake_pid;

int
fake_begin(void **state)
{
	(void)state;
	fake = fake_start(&fake_pid);
	return 0;
}

int
fake_finish(void **state)
{
	(void)state;
	fake_end(fake, fake_pid);
	return 0;
}

struct sockaddr_ctl
fake_address(uint32_t unit)
{
	return (struct sockaddr_ctl){ .sc_len = 32,
				      .sc_family = AF_SYSTEM,
				      .ss_sysaddr = AF_SYS_CONTROL,
				      .sc_id = fake->control_id,
				      .sc_unit = unit };
}

int
fake_connect(int fd, uint32_t unit)
{
	struct sockaddr_ctl address = fake_address(unit);

	return connect(fd, (struct sockaddr *)&address, sizeof(address));
}

int
fake_client(uint32_t unit)
{
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL);

	assert_true(fd >= 0);
	assert_int_equal(fake_connect(fd, unit), 0);
	return fd;
}

uint32_t
fake_unit(int fd)
{
	struct sockaddr_ctl address = { 0 };
	socklen_t size = sizeof(address);

	assert_int_equal(getpeername(fd, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(size, 32);
	assert_int_equal(address.sc_len, 32);
	assert_int_equal(address.sc_family, AF_SYSTEM);
	assert_int_equal(address.ss_sysaddr, AF_SYS_CONTROL);
	assert_int_equal(address.sc_id, fake->control_id);
	return address.sc_unit;
}

bool
echoes(int fd, const char *text)
{
	char bytes[64] = "";

	return send(fd, text, strlen(text), 0) == (ssize_t)strlen(text) &&
	       recv(fd, bytes, sizeof(bytes), 0) == (ssize_t)strlen(text) &&
	       memcmp(bytes, text, strlen(text)) == 0;
}
