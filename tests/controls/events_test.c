/*
 * Event sockets: filters, what comes, and what they refuse.  Events come from the kernel, and from
 * a kexthost that does as it is told.  kernel-event.md §3 and §7.
 */
#include "tests/controls/fake_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/kern_event.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define VENDOR "berth.test.vendor"

static int
listener_new(uint32_t vendor, uint32_t class, uint32_t subclass)
{
	struct kev_request filter = { vendor, class, subclass };
	int fd = socket(PF_SYSTEM, SOCK_RAW, SYSPROTO_EVENT);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSKEVFILT, &filter), 0);
	return fd;
}

union event {
	struct kern_event_msg message;
	uint8_t bytes[512];
};

/* The next event: its code, or -1 if none waits. */
static int
next_event(int fd, union event *event)
{
	ssize_t size = recv(fd, event, sizeof(*event), MSG_DONTWAIT);

	if (size < 0) {
		assert_int_equal(errno, EAGAIN);
		return -1;
	}
	assert_int_equal(size, event->message.total_size);
	return (int)event->message.event_code;
}

static uint32_t
vendor_code(void)
{
	memcpy(fake->event_data, VENDOR, sizeof(VENDOR) - 1);
	fake->event_size = sizeof(VENDOR) - 1;
	assert_int_equal(fake_do(fake, FAKE_VENDOR), 0);
	return fake->event[0];
}

static void
post(uint32_t vendor, uint32_t class, uint32_t subclass, uint32_t code, const char *text)
{
	const uint32_t event[4] = { vendor, class, subclass, code };

	memcpy(fake->event, event, sizeof(event));
	fake->event_size = (uint32_t)strlen(text);
	memcpy(fake->event_data, text, fake->event_size);
	assert_int_equal(fake_do(fake, FAKE_POST), 0);
}

static void
a_new_socket_hears_nothing(void **state)
{
	int fd = socket(PF_SYSTEM, SOCK_RAW, 0);
	struct kev_request filter = { 5, 5, 5 };
	union event event;

	(void)state;
	assert_int_equal(ioctl(fd, SIOCGKEVFILT, &filter), 0);
	assert_int_equal(filter.vendor_code, 0xffffffff);
	assert_int_equal(filter.kev_class, 0);
	assert_int_equal(filter.kev_subclass, 0);
	assert_int_equal(fake_do(fake, FAKE_DEREGISTER), 0);
	assert_int_equal(next_event(fd, &event), -1);
	filter = (struct kev_request){ 0, 0, 0 };
	assert_int_equal(ioctl(fd, SIOCSKEVFILT, &filter), 0);
	assert_int_equal(next_event(fd, &event), -1);
	assert_int_equal(fake_do(fake, FAKE_REGISTER), 0);
	assert_int_equal(next_event(fd, &event), KEV_CTL_REGISTERED);
	close(fd);
}

static void
who_watches_controls_sees_them_come_and_go(void **state)
{
	int fd = listener_new(KEV_VENDOR_APPLE, KEV_SYSTEM_CLASS, KEV_CTL_SUBCLASS);
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	struct ctl_event_data data;
	uint32_t first_id = fake->control_id, last;
	union event event;

	(void)state;
	assert_int_equal(poll(&ready, 1, 0), 0);
	assert_int_equal(fake_do(fake, FAKE_DEREGISTER), 0);
	assert_int_equal(fake_do(fake, FAKE_REGISTER), 0);
	assert_int_equal(poll(&ready, 1, 0), 1);
	assert_int_equal(next_event(fd, &event), KEV_CTL_DEREGISTERED);
	assert_int_equal(event.message.total_size, KEV_MSG_HEADER_SIZE + sizeof(data));
	assert_int_equal(event.message.vendor_code, KEV_VENDOR_APPLE);
	assert_int_equal(event.message.kev_class, KEV_SYSTEM_CLASS);
	assert_int_equal(event.message.kev_subclass, KEV_CTL_SUBCLASS);
	memcpy(&data, event.message.event_data, sizeof(data));
	assert_int_equal(data.ctl_id, first_id);
	assert_int_equal(data.ctl_unit, 0);
	last = event.message.id;
	assert_int_equal(next_event(fd, &event), KEV_CTL_REGISTERED);
	assert_int_equal(event.message.id, last + 1);
	memcpy(&data, event.message.event_data, sizeof(data));
	assert_int_equal(data.ctl_id, fake->control_id);
	assert_int_equal(ioctl(fd, SIOCGKEVID, &last), 0);
	assert_int_equal(last, event.message.id);
	close(fd);
}

static void
filters_are_hierarchical(void **state)
{
	uint32_t v = vendor_code();
	static const struct {
		uint32_t class, subclass;
		int is_heard; /* by the listeners below, a bit each */
	} events[] = { { 1, 1, 0x07 }, { 1, 2, 0x0f }, { 2, 2, 0x03 }, { 9, 9, 0x03 } };
	int fds[4] = { listener_new(0, 7, 7), listener_new(v, 0, 9), listener_new(v, 1, 0),
		       listener_new(v, 1, 2) };
	int other = listener_new(v + 1, 0, 0);
	union event event;

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		post(v, events[i].class, events[i].subclass, (uint32_t)i + 10, "");
	for (int i = 0; i < 4; i++) {
		for (int j = 0; j < 4; j++)
			if ((events[j].is_heard >> i & 1) != 0)
				assert_int_equal(next_event(fds[i], &event), j + 10);
		assert_int_equal(next_event(fds[i], &event), -1);
		close(fds[i]);
	}
	assert_int_equal(next_event(other, &event), -1);
	close(other);
}

static void
an_event_is_read_whole_or_cut(void **state)
{
	uint32_t v = vendor_code();
	int fd = listener_new(v, 0, 0), number;
	socklen_t size = sizeof(number);
	union event event;
	char name[32];
	struct iovec part = { event.bytes, KEV_MSG_HEADER_SIZE };
	struct msghdr message = {
		.msg_name = name, .msg_namelen = sizeof(name), .msg_iov = &part, .msg_iovlen = 1
	};

	(void)state;
	post(v, 1, 1, 1, "12345678");
	post(v, 1, 1, 2, "");
	post(v, 1, 1, 3, "abc");
	assert_int_equal(ioctl(fd, FIONREAD, &number), 0);
	assert_int_equal(number, 32 + 24 + 27);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_NREAD, &number, &size), 0);
	assert_int_equal(number, 32);
	assert_int_equal(recv(fd, event.bytes, sizeof(event), MSG_PEEK), 32);
	assert_int_equal(recvmsg(fd, &message, 0), 24);
	assert_int_equal(message.msg_flags, MSG_TRUNC);
	assert_int_equal(message.msg_namelen, 0);
	assert_int_equal(event.message.total_size, 32);
	assert_int_equal(recvmsg(fd, &message, 0), 24);
	assert_int_equal(message.msg_flags, 0);
	assert_int_equal(event.message.event_code, 2);
	assert_int_equal(read(fd, event.bytes, sizeof(event)), 27);
	assert_memory_equal(event.message.event_data, "abc", 3);
	assert_errno(recv(fd, event.bytes, sizeof(event), MSG_DONTWAIT), EAGAIN);
	close(fd);
}

static void
vendors_are_known_by_their_string(void **state)
{
	struct kev_vendor_code vendor = { 0 };
	int fd = socket(PF_SYSTEM, SOCK_RAW, SYSPROTO_EVENT);

	(void)state;
	strcpy(vendor.vendor_string, "berth.test.nobody");
	assert_errno(ioctl(fd, SIOCGKEVVENDOR, &vendor), ENOENT);
	strcpy(vendor.vendor_string, VENDOR);
	uint32_t code = vendor_code();
	assert_true(code >= 1000);
	assert_int_equal(ioctl(fd, SIOCGKEVVENDOR, &vendor), 0);
	assert_int_equal(vendor.vendor_code, code);
	assert_string_equal(vendor.vendor_string, VENDOR);
	memset(vendor.vendor_string, 'x', sizeof(vendor.vendor_string));
	assert_errno(ioctl(fd, SIOCGKEVVENDOR, &vendor), ENOENT);
	assert_errno(ioctl(fd, SIOCGKEVVENDOR, NULL), EFAULT);
	close(fd);
}

static void
an_event_socket_does_nothing_but_listen(void **state)
{
	struct sockaddr_ctl address = { .sc_len = 32, .sc_family = AF_SYSTEM };
	struct sockaddr *name = (struct sockaddr *)&address;
	int fd = listener_new(0, 0, 0), number = 0;
	socklen_t size = sizeof(address);
	char byte = 'x';
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	(void)state;
	assert_errno(connect(fd, name, size), EOPNOTSUPP);
	assert_errno(bind(fd, name, size), EOPNOTSUPP);
	assert_errno(listen(fd, 1), EOPNOTSUPP);
	assert_errno(accept(fd, NULL, NULL), EOPNOTSUPP);
	assert_errno(send(fd, "x", 1, 0), EOPNOTSUPP);
	assert_errno(sendto(fd, "x", 1, 0, name, size), EOPNOTSUPP);
	assert_errno(write(fd, "x", 1), EOPNOTSUPP);
	assert_errno(writev(fd, &part, 1), EOPNOTSUPP);
	assert_errno(sendmsg(fd, &message, 0), EOPNOTSUPP);
	assert_errno(getsockname(fd, name, &size), EOPNOTSUPP);
	assert_errno(getpeername(fd, name, &size), ENOTCONN);
	assert_errno(shutdown(fd, SHUT_RD), ENOTCONN);
	assert_errno(shutdown(fd, SHUT_RDWR), ENOTCONN);
	assert_errno(shutdown(fd, 9), EINVAL);
	size = sizeof(number);
	assert_errno(getsockopt(fd, SYSPROTO_CONTROL, 1, &number, &size), ENOPROTOOPT);
	assert_errno(setsockopt(fd, SYSPROTO_CONTROL, 1, &number, size), ENOPROTOOPT);
	assert_errno(ioctl(fd, CTLIOCGCOUNT, &number), ENOTSUP);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &number, &size), 0);
	assert_int_equal(number, 32768);
	number = 65536;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &number, sizeof(number)), 0);
	number = 0;
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &number, &size), 0);
	assert_int_equal(number, 65536);
	number = 1;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &number, sizeof(number)), 0);
	close(fd);
}

static void
who_shares_a_socket_shares_its_filter(void **state)
{
	int fd = listener_new(3, 4, 5), status;
	struct kev_request filter;

	(void)state;
	pid_t child = fork();
	if (child == 0) {
		int fine = ioctl(fd, SIOCGKEVFILT, &filter) == 0 && filter.vendor_code == 3 &&
			   filter.kev_class == 4 && filter.kev_subclass == 5;
		filter = (struct kev_request){ 0, 0, 0 };
		_exit(fine && ioctl(fd, SIOCSKEVFILT, &filter) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	int copy = dup(fd);
	assert_int_equal(ioctl(copy, SIOCGKEVFILT, &filter), 0);
	assert_int_equal(filter.vendor_code, 0);
	close(fd);
	assert_int_equal(ioctl(copy, SIOCGKEVFILT, &filter), 0);
	close(copy);
}

static void
an_unread_socket_loses_the_newest_alone(void **state)
{
	uint32_t v = vendor_code();
	int lazy = listener_new(v, 0, 0), busy = listener_new(v, 0, 0);
	union event event;
	int kept = 0;

	(void)state;
	for (int i = 0; i < 1500; i++) {
		post(v, 1, 1, (uint32_t)i, "some bytes");
		assert_int_equal(next_event(busy, &event), i);
	}
	/* one is read, and so there is room for one that ends them */
	assert_int_equal(next_event(lazy, &event), kept);
	post(v, 1, 1, 7777, "");
	for (;;) {
		assert_true(recv(lazy, &event, sizeof(event), 0) > 0);
		if (event.message.event_code == 7777)
			break;
		assert_int_equal(event.message.event_code, ++kept);
	}
	/* 32768 bytes of 34 each, and no more than 1024 */
	assert_in_range(kept, 900, 1024);
	assert_int_equal(next_event(lazy, &event), -1);
	close(lazy);
	close(busy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_socket_hears_nothing, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(who_watches_controls_sees_them_come_and_go,
						fake_begin, fake_finish),
		cmocka_unit_test_setup_teardown(filters_are_hierarchical, fake_begin, fake_finish),
		cmocka_unit_test_setup_teardown(an_event_is_read_whole_or_cut, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(vendors_are_known_by_their_string, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(an_event_socket_does_nothing_but_listen, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(who_shares_a_socket_shares_its_filter, fake_begin,
						fake_finish),
		cmocka_unit_test_setup_teardown(an_unread_socket_loses_the_newest_alone, fake_begin,
						fake_finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
