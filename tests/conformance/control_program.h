/*
 * What the programs that test controls share: short ways to a socket and to the test kext.
 *
 * Only Darwin's and POSIX' headers: this compiles on a Mac, too.
 */
#ifndef BERTH_TESTS_CONTROL_PROGRAM_H
#define BERTH_TESTS_CONTROL_PROGRAM_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/kern_event.h>
#include <sys/socket.h>
#include <sys/sys_domain.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/conformance/control_kext.h"

/* The call fails with this errno. */
#define assert_errno(call, wanted)                                                                 \
	do {                                                                                       \
		errno = 0;                                                                         \
		assert_int_equal((call), -1);                                                      \
		assert_int_equal(errno, wanted);                                                   \
	} while (0)

static inline int
socket_new(int type)
{
	int fd = socket(PF_SYSTEM, type, SYSPROTO_CONTROL);

	assert_true(fd >= 0);
	return fd;
}

static inline uint32_t
id_of(const char *name)
{
	struct ctl_info info = { 0 };
	int fd = socket_new(SOCK_DGRAM);

	strncpy(info.ctl_name, name, sizeof(info.ctl_name) - 1);
	assert_int_equal(ioctl(fd, CTLIOCGINFO, &info), 0);
	close(fd);
	return info.ctl_id;
}

static inline struct sockaddr_ctl
address_of(uint32_t id, uint32_t unit)
{
	return (struct sockaddr_ctl){ .sc_len = sizeof(struct sockaddr_ctl),
				      .sc_family = AF_SYSTEM,
				      .ss_sysaddr = AF_SYS_CONTROL,
				      .sc_id = id,
				      .sc_unit = unit };
}

static inline int
connect_fd(int fd, const char *name, uint32_t unit)
{
	struct sockaddr_ctl address = address_of(id_of(name), unit);

	return connect(fd, (struct sockaddr *)&address, sizeof(address));
}

/* A connected socket. */
static inline int
client_new(const char *name)
{
	int fd = socket_new(strcmp(name, KEXT_STREAM) == 0 ? SOCK_STREAM : SOCK_DGRAM);

	assert_int_equal(connect_fd(fd, name, 0), 0);
	return fd;
}

static inline uint32_t
unit_of(int fd)
{
	struct sockaddr_ctl address;
	socklen_t size = sizeof(address);

	assert_int_equal(getpeername(fd, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(size, sizeof(address));
	return address.sc_unit;
}

static inline int
set_option(int fd, int option, const void *data, size_t size)
{
	return setsockopt(fd, SYSPROTO_CONTROL, option, data, (socklen_t)size);
}

static inline int
set_number(int fd, int option, int number)
{
	return set_option(fd, option, &number, sizeof(number));
}

/* Let the kext enqueue @size bytes. */
static inline int
enqueue_as(int fd, int how, const void *data, size_t size, uint32_t flags)
{
	char *text = malloc(sizeof(struct kext_enqueue) + size);
	struct kext_enqueue head = { flags };

	memcpy(text, &head, sizeof(head));
	if (size > 0)
		memcpy(text + sizeof(head), data, size);
	int result = set_option(fd, how, text, sizeof(head) + size);
	int error = errno;
	free(text);
	errno = error;
	return result;
}

/* flags of the kext's side, which programs do not see in headers */
#define DATA_EOR 0x2u
#define DATA_CRIT 0x4u

static inline int
enqueue(int fd, const char *text, uint32_t flags)
{
	return enqueue_as(fd, SET_ENQUEUE, text, strlen(text), flags);
}

static inline uint64_t
get_number(int fd, int option)
{
	uint64_t number = 0;
	socklen_t size = sizeof(number);

	assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, option, &number, &size), 0);
	return number;
}

/* One receive: its text and flags. */
static inline ssize_t
receive_flags(int fd, char *text, size_t size, int flags, int *got)
{
	struct iovec part = { text, size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t result = recvmsg(fd, &message, flags);

	*got = message.msg_flags & ~MSG_CMSG_CLOEXEC;
	return result;
}

#define assert_receives(fd, wanted)                                                                \
	do {                                                                                       \
		char text_[4096];                                                                  \
		ssize_t size_ = recv(fd, text_, sizeof(text_) - 1, MSG_DONTWAIT);                  \
		assert_true(size_ >= 0);                                                           \
		text_[size_] = '\0';                                                               \
		assert_string_equal(text_, wanted);                                                \
	} while (0)

#define assert_nothing_there(fd)                                                                   \
	do {                                                                                       \
		char byte_;                                                                        \
		assert_errno(recv(fd, &byte_, 1, MSG_DONTWAIT), EWOULDBLOCK);                      \
	} while (0)

/* What has happened in the kext since the last look; through a client of its own, whose own
 * comings and goings are left out. */
static inline void
journal(char *text, size_t size)
{
	static int fd = -1;
	socklen_t length = (socklen_t)size - 1;

	if (fd < 0) {
		fd = client_new(KEXT_LARGE);
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, GET_JOURNAL, text, &length), 0);
	text[length] = '\0';
	char *own = strstr(text, "connect large");
	if (own == text)
		memmove(text, strchr(text, '\n') + 1, strlen(strchr(text, '\n') + 1) + 1);
}

#define assert_journal(wanted)                                                                     \
	do {                                                                                       \
		char journal_[8192];                                                               \
		journal(journal_, sizeof(journal_));                                               \
		assert_string_equal(journal_, wanted);                                             \
	} while (0)

static inline void
journal_forget(void)
{
	char text[8192];

	journal(text, sizeof(text));
}

#endif
