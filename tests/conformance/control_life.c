/*
 * Descriptors that travel, events, and the death of the kext, which comes last.
 */
#include "tests/conformance/control_program.h"

#include <signal.h>
#include <sys/syscall.h>

/* ---- passing, inheriting ------------------------------------------------------------------------
 */

static void
pass(int over, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { (char *)"d", 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	assert_int_equal(sendmsg(over, &message, 0), 1);
}

static int
take(int over)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(over, &message, 0) != 1 || CMSG_FIRSTHDR(&message) == NULL)
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* A connected socket in the hands of a process that did not make it: everything works. */
static int
use_of_another(int fd)
{
	char text[16];
	int number = ENOTBLK;

	if (send(fd, "from another", 12, 0) != 12)
		return 1;
	if (setsockopt(fd, SYSPROTO_CONTROL, SET_FAIL, &number, sizeof(number)) != -1 ||
	    errno != ENOTBLK)
		return 2;
	if (enqueue(fd, "to you", DATA_EOR) != 0)
		return 3;
	if (recv(fd, text, sizeof(text), 0) != 6)
		return 4;
	struct sockaddr_ctl address;
	socklen_t size = sizeof(address);
	if (getpeername(fd, (struct sockaddr *)&address, &size) != 0 || address.sc_unit != 1)
		return 5;
	return 0;
}

static void
a_socket_can_be_passed(void **state)
{
	int pair[2], status;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(pair[0]);
		int fd = take(pair[1]);
		_exit(fd < 0 ? 9 : use_of_another(fd));
	}
	int fd = client_new(KEXT_DGRAM);
	journal_forget();
	pass(pair[0], fd);
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(pair[0]);
	close(pair[1]);
	/* the receiver was the last who had it */
	fd = client_new(KEXT_DGRAM);
	assert_journal("send dgram 1 12 0\ndisconnect dgram 1\nconnect dgram 1\n");
	close(fd);
	journal_forget();
}

static char *own_path;

static void
a_socket_survives_exec(void **state)
{
	int status;

	(void)state;
	int fd = client_new(KEXT_DGRAM);
	pid_t pid = fork();
	if (pid == 0) {
		char number[16];
		snprintf(number, sizeof(number), "%d", fd);
		execl(own_path, own_path, "use", number, (char *)NULL);
		_exit(8);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
	/* one that is not connected yet, too */
	fd = socket_new(SOCK_DGRAM);
	pid = fork();
	if (pid == 0) {
		char number[16];
		snprintf(number, sizeof(number), "%d", fd);
		execl(own_path, own_path, "connect", number, (char *)NULL);
		_exit(8);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
	journal_forget();
}

static void
a_child_has_its_parents_sockets(void **state)
{
	int status;
	int fd = client_new(KEXT_DGRAM);

	(void)state;
	pid_t pid = fork();
	if (pid == 0)
		_exit(use_of_another(fd));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* the parent's goes on */
	assert_int_equal(send(fd, "x", 1, 0), 1);
	close(fd);
	journal_forget();
}

static void
raw_writes_arrive_in_order(void **state)
{
	char heard[500];
	int fd = client_new(KEXT_DGRAM);

	(void)state;
	journal_forget();
	assert_int_equal(syscall(SYS_write, fd, "raw", 3L), 3);
	assert_int_equal(send(fd, "cooked", 6, 0), 6);
	journal(heard, sizeof(heard));
	assert_string_equal(heard, "send dgram 1 3 0\nsend dgram 1 6 0\n");
	/* whose errors are told by the next call */
	assert_int_equal(set_number(fd, SET_SEND_RESULT, ENOSPC), 0);
	assert_int_equal(syscall(SYS_write, fd, "raw", 3L), 3);
	assert_errno(send(fd, "cooked", 6, 0), ENOSPC);
	close(fd);
	journal_forget();
}

/* ---- events
 * ---------------------------------------------------------------------------------------- */

static int
event_socket(uint32_t vendor, uint32_t class, uint32_t subclass)
{
	struct kev_request filter = { vendor, class, subclass };
	int fd = socket(PF_SYSTEM, SOCK_RAW, SYSPROTO_EVENT);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSKEVFILT, &filter), 0);
	return fd;
}

static uint32_t
vendor_of(int fd, const char *name)
{
	struct kev_vendor_code vendor = { 0 };

	strcpy(vendor.vendor_string, name);
	assert_int_equal(ioctl(fd, SIOCGKEVVENDOR, &vendor), 0);
	return vendor.vendor_code;
}

static int
post(int fd, struct kext_event event, const char *data)
{
	char text[512];

	memcpy(text, &event, sizeof(event));
	memcpy(text + sizeof(event), data, strlen(data));
	return set_option(fd, SET_POST, text, sizeof(event) + strlen(data));
}

static void
events_reach_who_wants_them(void **state)
{
	char text[512];
	struct kern_event_msg *message = (struct kern_event_msg *)text;
	int fd = client_new(KEXT_DGRAM);
	struct kext_event event = {
		.kev_class = 5, .kev_subclass = 6, .code = 7, .vectors = { 4 }
	};
	int fresh = socket(PF_SYSTEM, SOCK_RAW, SYSPROTO_EVENT);

	(void)state;
	assert_true(fresh >= 0);
	assert_int_equal(post(fd, event, "data"), 0);
	assert_nothing_there(fresh);
	uint32_t vendor = vendor_of(fresh, "com.example.test");
	assert_true(vendor >= 1000);
	int all = event_socket(0, 0, 0), ours = event_socket(vendor, 5, 6);
	int other = event_socket(vendor, 5, 9), class = event_socket(vendor, 5, 0);
	assert_int_equal(post(fd, event, "data"), 0);
	assert_int_equal(recv(ours, text, sizeof(text), 0), 28);
	assert_int_equal(message->total_size, 28);
	assert_int_equal(message->vendor_code, vendor);
	assert_int_equal(message->event_code, 7);
	assert_memory_equal(message->event_data, "data", 4);
	uint32_t last;
	assert_int_equal(ioctl(ours, SIOCGKEVID, &last), 0);
	assert_int_equal(last, message->id);
	assert_int_equal(recv(all, text, sizeof(text), 0), 28);
	assert_int_equal(recv(class, text, sizeof(text), 0), 28);
	assert_nothing_there(other);
	assert_nothing_there(fresh);

	/* the vectors end at the first empty one */
	struct kext_event vectors = { .kev_class = 5, .kev_subclass = 6, .vectors = { 3, 0, 5 } };
	assert_int_equal(post(fd, vectors, "abc"), 0);
	assert_int_equal(recv(ours, text, sizeof(text), 0), 27);
	vectors.vectors[1] = 3;
	assert_int_equal(post(fd, vectors, "abcde"), 0);
	assert_int_equal(recv(ours, text, 26, 0), 26);
	assert_nothing_there(ours);
	struct kext_event apple = { .vendor = KEV_VENDOR_APPLE };
	assert_errno(post(fd, apple, ""), EINVAL);
	struct kext_event large = { .vectors = { 200, 200 } };
	assert_errno(post(fd, large, ""), EMSGSIZE);

	assert_errno(send(ours, "x", 1, 0), EOPNOTSUPP);
	assert_errno(connect(ours, (struct sockaddr *)text, 32), EOPNOTSUPP);
	struct sockaddr_ctl address;
	socklen_t size = sizeof(address);
	assert_errno(getpeername(ours, (struct sockaddr *)&address, &size), ENOTCONN);
	close(all);
	close(ours);
	close(other);
	close(class);
	close(fresh);
	close(fd);
}

static void
controls_are_announced(void **state)
{
	char text[512];
	struct kern_event_msg *message = (struct kern_event_msg *)text;
	const char name[] = "berth.test.announced";
	int fd = client_new(KEXT_DGRAM);
	int events = event_socket(KEV_VENDOR_APPLE, KEV_SYSTEM_CLASS, KEV_CTL_SUBCLASS);

	(void)state;
	assert_int_equal(set_option(fd, SET_REGISTER, name, sizeof(name)), 0);
	uint32_t id = id_of(name);
	assert_int_equal(set_option(fd, SET_DEREGISTER, name, sizeof(name)), 0);
	for (uint32_t code = KEV_CTL_REGISTERED; code <= KEV_CTL_DEREGISTERED; code++) {
		assert_int_equal(recv(events, text, sizeof(text), 0), 32);
		assert_int_equal(message->event_code, code);
		assert_int_equal(message->event_data[0], id);
		assert_int_equal(message->event_data[1], 0);
	}
	close(events);
	close(fd);
}

/* ---- the end of the kext
 * --------------------------------------------------------------------------------- */

static void
the_death_of_a_kext_is_seen_by_all(void **state)
{
	struct ctl_info info = { .ctl_name = KEXT_DGRAM };
	int fd = client_new(KEXT_DGRAM), stream = client_new(KEXT_STREAM), fresh;
	int events = event_socket(KEV_VENDOR_APPLE, KEV_SYSTEM_CLASS, KEV_CTL_SUBCLASS);
	struct pollfd ready = { .fd = stream, .events = POLLIN };
	char byte;

	(void)state;
	assert_int_equal(enqueue(stream, "last words", 0), 0);
	/* the call that it dies in fails */
	assert_int_equal(set_number(fd, SET_DIE, DIE_OF_NULL), -1);
	assert_int_equal(poll(&ready, 1, 10000), 1);
	assert_true(ready.revents & POLLHUP);
	/* what was sent before is there, then the end */
	assert_receives(stream, "last words");
	assert_int_equal(recv(stream, &byte, 1, 0), 0);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	assert_errno(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	fresh = socket_new(SOCK_DGRAM);
	assert_errno(ioctl(fresh, CTLIOCGINFO, &info), ENOENT);
	struct sockaddr_ctl address = address_of(STATIC_ID, STATIC_UNIT);
	assert_errno(connect(fresh, (struct sockaddr *)&address, sizeof(address)), ENOENT);
	char text[64];
	assert_int_equal(recv(events, text, sizeof(text), 0), 32);
	assert_int_equal(((struct kern_event_msg *)text)->event_code, KEV_CTL_DEREGISTERED);
	close(fd);
	close(stream);
	close(fresh);
	close(events);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_can_be_passed),
		cmocka_unit_test(a_socket_survives_exec),
		cmocka_unit_test(a_child_has_its_parents_sockets),
		cmocka_unit_test(raw_writes_arrive_in_order),
		cmocka_unit_test(events_reach_who_wants_them),
		cmocka_unit_test(controls_are_announced),
		cmocka_unit_test(the_death_of_a_kext_is_seen_by_all),
	};

	own_path = argv[0];
	if (argc == 3 && strcmp(argv[1], "use") == 0)
		return use_of_another(atoi(argv[2]));
	if (argc == 3 && strcmp(argv[1], "connect") == 0)
		return connect_fd(atoi(argv[2]), KEXT_DGRAM, 0) == 0 ? 0 : 7;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
