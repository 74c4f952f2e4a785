/*
 * Which descriptors are taken for system sockets, without a kernel; and the small parts that their
 * calls are made of.
 */
#include "tests/client/system_pair.h"

#include "client/bsd/parts.h"
#include "client/bsd/user_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the table --------------------------------------------------------------------------- */

static void
duplicates_are_the_same_socket_until_the_last_is_closed(void **state)
{
	int lowest = lowest_free();
	int fd = socket(PF_SYSTEM, SOCK_DGRAM | SOCK_CLOEXEC, SYSPROTO_CONTROL);
	int ordinary = open("/dev/null", O_RDWR);

	(void)state;
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	int copies[] = { dup(fd), fcntl(fd, F_DUPFD, 40), fcntl(fd, F_DUPFD_CLOEXEC, 40),
			 dup2(fd, 60), dup3(fd, 2000, O_CLOEXEC) };
	for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++) {
		assert_true(copies[i] >= 0);
		assert_ptr_equal(system_entry(copies[i]), system_entry(fd));
	}
	assert_int_equal(atomic_load(&system_entry(fd)->descriptor_count), 6);
	assert_int_equal(dup2(fd, fd), fd);
	assert_errno(dup3(fd, fd, 0), EINVAL);
	assert_errno(dup2(-1, fd), EBADF);
	assert_non_null(system_entry(fd));
	assert_int_equal(dup2(ordinary, copies[0]), copies[0]);
	assert_null(system_entry(copies[0]));
	assert_int_equal(write(copies[0], "x", 1), 1);
	assert_int_equal(dup2(fd, copies[0]), copies[0]);
	assert_int_equal(atomic_load(&system_entry(fd)->descriptor_count), 6);
	close(ordinary);
	close(copies[0]);
	assert_int_equal(close_range(40, 59, 0), 0);
	assert_null(system_entry(40));
	assert_null(system_entry(41));
	assert_int_equal(atomic_load(&system_entry(fd)->descriptor_count), 3);
	assert_int_equal(close(60), 0);
	assert_int_equal(close(2000), 0);
	assert_int_equal(close(fd), 0);
	assert_null(system_entry(fd));
	assert_errno(close(fd), EBADF);
	assert_int_equal(lowest_free(), lowest);
}

/* Linux closes, and nobody tells the library. */
static int
closed_behind_our_back(enum system_kind kind)
{
	struct pair pair = pair_new(kind);
	int fd = dup(pair.fd); /* no number below is free */

	assert_true(fd < pair.fd);
	pair_end(pair);
	syscall(SYS_close, fd);
	assert_non_null(system_entry(fd));
	return fd;
}

static void
a_stale_entry_does_no_harm_to_a_file(void **state)
{
	char byte;

	(void)state;
	for (int i = 0; i < 5; i++) {
		int fd = closed_behind_our_back(i % 2 ? SYSTEM_STREAM : SYSTEM_DGRAM);

		assert_int_equal(syscall(SYS_open, "/dev/zero", O_RDWR), fd);
		switch (i) {
		case 0:
			assert_int_equal(read(fd, &byte, 1), 1);
			break;
		case 1:
			assert_int_equal(write(fd, "x", 1), 1);
			break;
		case 2:
			assert_errno(recv(fd, &byte, 1, 0), ENOTSOCK);
			break;
		case 3:
			assert_errno(ioctl(fd, CTLIOCGINFO, &byte), ENOTTY);
			break;
		default:
			assert_errno(getpeername(fd, NULL, NULL), ENOTSOCK);
			break;
		}
		assert_null(system_entry(fd));
		close(fd);
	}
}

static void
a_stale_entry_does_no_harm_to_a_socket(void **state)
{
	char bytes[8] = "";
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { bytes, sizeof(bytes) };

	(void)state;
	for (int i = 0; i < 12; i++) {
		struct sockaddr_un address = { .sun_family = AF_UNIX }, from;
		struct msghdr message = { .msg_name = &from,
					  .msg_namelen = sizeof(from),
					  .msg_iov = &part,
					  .msg_iovlen = 1 };
		int type = i % 3 == 0 ? SOCK_DGRAM : i % 3 == 1 ? SOCK_SEQPACKET : SOCK_STREAM;
		int pair[2];
		int fd = closed_behind_our_back(i % 2 ? SYSTEM_STREAM : SYSTEM_DGRAM);

		assert_int_equal(syscall(SYS_socketpair, AF_UNIX, type, 0, pair), 0);
		assert_int_equal(pair[0], fd);
		snprintf(address.sun_path + 1, 60, "berth unit %d %d", getpid(), i);
		assert_int_equal(bind(pair[1], (struct sockaddr *)&address, 40), 0);
		assert_non_null(system_entry(fd));
		if (i < 6) {
			assert_int_equal(send(pair[1], "hello", 5, 0), 5);
			assert_int_equal(recvmsg(fd, &message, 0), 5);
			assert_memory_equal(bytes, "hello", 5);
			assert_int_equal(message.msg_flags, 0);
			assert_int_equal(message.msg_namelen, 40);
			assert_memory_equal(&from, &address, 40);
		} else {
			/* a descriptor that was sent arrives */
			memset(&control, 0, sizeof(control));
			control.align.cmsg_level = SOL_SOCKET;
			control.align.cmsg_type = SCM_RIGHTS;
			control.align.cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(&control.align), &pair[1], sizeof(int));
			message.msg_name = NULL;
			message.msg_namelen = 0;
			message.msg_control = &control;
			message.msg_controllen = sizeof(control);
			assert_int_equal(sendmsg(pair[1], &message, 0), sizeof(bytes));
			assert_int_equal(recvmsg(fd, &message, 0), sizeof(bytes));
			assert_int_equal(message.msg_controllen, sizeof(control));
			int passed;
			memcpy(&passed, CMSG_DATA(&control.align), sizeof(passed));
			assert_int_equal(close(passed), 0);
		}
		assert_null(system_entry(fd));
		assert_int_equal(send(fd, "back", 4, 0), 4);
		assert_int_equal(recv(pair[1], bytes, sizeof(bytes), 0), 4);
		close(fd);
		close(pair[1]);
	}
}

static void
a_number_that_is_given_out_again_is_nothing_special(void **state)
{
	char byte;
	int fds[2];

	(void)state;
	int fd = closed_behind_our_back(SYSTEM_DGRAM);
	assert_int_equal(socket(AF_INET, SOCK_DGRAM, 0), fd);
	assert_null(system_entry(fd));
	close(fd);
	fd = closed_behind_our_back(SYSTEM_DGRAM);
	assert_int_equal(dup(0), fd);
	assert_null(system_entry(fd));
	close(fd);
	fd = closed_behind_our_back(SYSTEM_DGRAM);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_null(system_entry(fd));
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	close(fds[1]);
	fd = closed_behind_our_back(SYSTEM_DGRAM);
	assert_int_equal(socket(PF_SYSTEM, SOCK_STREAM, 0), fd);
	assert_int_equal(system_entry(fd)->kind, SYSTEM_STREAM);
	close(fd);
}

static void
a_passed_socket_is_recognised(void **state)
{
	struct pair ours = pair_new(SYSTEM_STREAM);
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = { .bytes = { 0 } };
	char byte = 'x';
	struct iovec part = { &byte, 1 };
	struct mmsghdr many = { .msg_hdr = { .msg_iov = &part,
					     .msg_iovlen = 1,
					     .msg_control = &control,
					     .msg_controllen = sizeof(control) } };
	int pair[2], passed[2], sent[2] = { ours.fd, 0 };

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	for (int i = 0; i < 2; i++) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(2 * sizeof(int));
		memcpy(CMSG_DATA(&control.align), sent, sizeof(sent));
		many.msg_hdr.msg_controllen = sizeof(control);
		assert_int_equal(sendmsg(pair[0], &many.msg_hdr, 0), 1);
		if (i == 0)
			assert_int_equal(recvmsg(pair[1], &many.msg_hdr, 0), 1);
		else
			assert_int_equal(recvmmsg(pair[1], &many, 1, 0, NULL), 1);
		memcpy(passed, CMSG_DATA(&control.align), sizeof(passed));
		assert_non_null(system_entry(passed[0]));
		assert_int_equal(system_entry(passed[0])->kind, SYSTEM_STREAM);
		assert_null(system_entry(passed[1]));
		close(passed[0]);
		close(passed[1]);
	}
	close(pair[0]);
	close(pair[1]);
	pair_end(ours);
}

static void
a_child_of_vfork_leaves_the_table_alone(void **state)
{
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, 0);
	int status;

	(void)state;
	pid_t child = vfork();
	if (child == 0) {
		close(fd);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_non_null(system_entry(fd));
	assert_errno(getsockname(fd, NULL, NULL), EOPNOTSUPP);
	close(fd);
}

/* ---- small parts ------------------------------------------------------------------------- */

static void
a_vector_is_filled_step_by_step(void **state)
{
	static char bytes[4096];
	struct iovec vector[100], before[100];

	(void)state;
	for (size_t count = 1; count <= 100; count += 9) {
		size_t total = 0, at = 0;
		struct parts parts;

		for (size_t i = 0; i < count; i++) {
			vector[i] = (struct iovec){ bytes + total, i % 5 };
			total += i % 5;
		}
		memcpy(before, vector, sizeof(before));
		parts_init(&parts, vector, count);
		assert_int_equal(parts.size_bytes, total);
		for (size_t step = 0; at < total; step = (step + 1) % 4) {
			parts_skip(&parts, step);
			at += step < total - at ? step : total - at;
			assert_int_equal(parts.size_bytes, total - at);
			assert_int_equal(parts_size(parts.parts, parts.part_count), total - at);
			if (at < total) {
				size_t first = 0;
				while (parts.parts[first].iov_len == 0)
					first++;
				assert_ptr_equal(parts.parts[first].iov_base, bytes + at);
			}
		}
		parts_deinit(&parts);
		assert_memory_equal(vector, before, count * sizeof(vector[0]));
	}
}

static void
memory_that_is_not_there_is_noticed(void **state)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char bytes[16] = "0123456789abcde";

	(void)state;
	mprotect(page + 4096, 4096, PROT_NONE);
	assert_int_equal(user_write(page + 4080, bytes, 16), 0);
	assert_memory_equal(page + 4080, bytes, 16);
	assert_int_equal(user_write(page + 4090, bytes, 16), EFAULT);
	assert_int_equal(user_read(bytes, page + 4090, 16), EFAULT);
	assert_int_equal(user_read(bytes, NULL, 16), EFAULT);
	assert_int_equal(user_read(bytes, NULL, 0), 0);
	mprotect(page, 4096, PROT_READ);
	assert_int_equal(user_read(bytes, page, 16), 0);
	assert_int_equal(user_write(page, bytes, 16), EFAULT);
	munmap(page, 8192);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(duplicates_are_the_same_socket_until_the_last_is_closed),
		cmocka_unit_test(a_stale_entry_does_no_harm_to_a_file),
		cmocka_unit_test(a_stale_entry_does_no_harm_to_a_socket),
		cmocka_unit_test(a_number_that_is_given_out_again_is_nothing_special),
		cmocka_unit_test(a_passed_socket_is_recognised),
		cmocka_unit_test(a_child_of_vfork_leaves_the_table_alone),
		cmocka_unit_test(a_vector_is_filled_step_by_step),
		cmocka_unit_test(memory_that_is_not_there_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
