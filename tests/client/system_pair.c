/* A connected system socket without a kernel: see system_pair.h. */
#include "tests/client/system_pair.h"

#include "client/bsd/next.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

struct pair
pair_new(enum system_kind kind)
{
	char folder[] = "/tmp/berth-unit-XXXXXX";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int type = kind == SYSTEM_STREAM ? SOCK_STREAM : SOCK_SEQPACKET;
	struct system_hold hold = { 0 };
	struct pair pair;

	assert_non_null(mkdtemp(folder));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/kexthost.2a", folder);
	int listener = socket(AF_UNIX, type, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	pair.fd = control_socket(kind, 0);
	assert_true(pair.fd >= 0);
	assert_int_equal(NEXT(connect)(pair.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	pair.kext_fd = accept(listener, NULL, NULL);
	assert_true(pair.kext_fd >= 0);
	close(listener);
	unlink(address.sun_path);
	rmdir(folder);
	assert_true(system_take(&hold, pair.fd));
	atomic_store(&hold.socket->state, SYSTEM_CONNECTED);
	system_let_go(&hold);
	return pair;
}

void
pair_end(struct pair pair)
{
	close(pair.fd);
	close(pair.kext_fd);
}

void
enqueue_bytes(struct pair pair, const void *bytes, size_t size, bool marked)
{
	static int mark = -1;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec part = { (void *)bytes, size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (mark < 0)
		mark = open("/", O_PATH | O_CLOEXEC);
	if (marked) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &mark, sizeof(mark));
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
	}
	assert_int_equal(sendmsg(pair.kext_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL), size);
}

void
enqueue(struct pair pair, const char *text, bool marked)
{
	enqueue_bytes(pair, text, strlen(text), marked);
}

int
lowest_free(void)
{
	int fd = (int)syscall(SYS_dup, 0);

	syscall(SYS_close, fd);
	return fd;
}
