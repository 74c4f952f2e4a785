/*
 * System sockets without a kernel: which descriptors are taken for such, and what is read from
 * them.  The other end, a kexthost's, is played here; nothing is asked of it.
 */
#include "client/bsd/control.h"
#include "client/bsd/next.h"
#include "client/bsd/parts.h"
#include "client/bsd/user_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_errno(call, wanted)                                                                 \
	do {                                                                                       \
		errno = 0;                                                                         \
		assert_int_equal((call), -1);                                                      \
		assert_int_equal(errno, wanted);                                                   \
	} while (0)

/* ---- a socket and its kext --------------------------------------------------------------- */

struct pair {
	int fd;      /* the program's */
	int kext_fd; /* the kext's */
};

static struct pair
pair_new(enum system_kind kind)
{
	char folder[] = "/tmp/berth-unit-XXXXXX";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int type = kind == SYSTEM_STREAM ? SOCK_STREAM : SOCK_SEQPACKET;
	struct system_hold hold;
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

static void
pair_end(struct pair pair)
{
	close(pair.fd);
	close(pair.kext_fd);
}

/* One message of the kext's. */
static void
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

static void
enqueue(struct pair pair, const char *text, bool marked)
{
	enqueue_bytes(pair, text, strlen(text), marked);
}

#define GOES_ON true /* on SOCK_DGRAM */
#define ENDS false

/* What recvmsg() of at most @room bytes gives. */
static void
assert_record_flags(int fd, size_t room, int flags, const char *text, int wanted_flags)
{
	char bytes[256] = "", name[64];
	struct iovec part = { bytes, room };
	struct msghdr message = {
		.msg_name = name, .msg_namelen = sizeof(name), .msg_iov = &part, .msg_iovlen = 1
	};
	ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | flags);

	assert_int_equal(size, strlen(text));
	assert_memory_equal(bytes, text, (size_t)size);
	assert_int_equal(message.msg_flags, wanted_flags);
	assert_int_equal(message.msg_namelen, 0);
	assert_int_equal(message.msg_controllen, 0);
}

#define assert_record(fd, room, text, flags) assert_record_flags(fd, room, 0, text, flags)

/* Lower than any number that was not in use: everything is closed. */
static int
lowest_free(void)
{
	int fd = (int)syscall(SYS_dup, 0);

	syscall(SYS_close, fd);
	return fd;
}

/* ---- records of SOCK_DGRAM --------------------------------------------------------------- */

static void
marked_messages_are_one_record_with_what_follows(void **state)
{
	struct pair pair = pair_new(SYSTEM_DGRAM);

	(void)state;
	enqueue(pair, "ab", GOES_ON);
	enqueue(pair, "cd", GOES_ON);
	assert_record(pair.fd, 100, "abcd", 0);
	enqueue(pair, "ab", ENDS);
	enqueue(pair, "cd", ENDS);
	assert_record(pair.fd, 100, "ab", MSG_EOR);
	assert_record(pair.fd, 100, "cd", MSG_EOR);
	enqueue(pair, "a", GOES_ON);
	enqueue(pair, "b", ENDS);
	enqueue(pair, "c", GOES_ON);
	assert_record(pair.fd, 100, "ab", MSG_EOR);
	assert_record(pair.fd, 100, "c", 0);
	assert_errno(recv(pair.fd, &(char){ 0 }, 1, MSG_DONTWAIT), EAGAIN);
	pair_end(pair);
}

static void
an_end_without_bytes_ends_the_record_before_it(void **state)
{
	struct pair pair = pair_new(SYSTEM_DGRAM);

	(void)state;
	enqueue(pair, "ab", GOES_ON);
	enqueue(pair, "", ENDS);
	enqueue(pair, "cd", ENDS);
	assert_record(pair.fd, 100, "ab", MSG_EOR);
	assert_record(pair.fd, 100, "cd", MSG_EOR);
	/* or is a record of its own */
	enqueue(pair, "", ENDS);
	enqueue(pair, "ef", ENDS);
	assert_record(pair.fd, 100, "", MSG_EOR);
	assert_record(pair.fd, 100, "ef", MSG_EOR);
	close(pair.kext_fd);
	assert_record(pair.fd, 100, "", 0);
	pair.kext_fd = -1;
	pair_end(pair);
}

static void
what_does_not_fit_is_dropped(void **state)
{
	struct pair pair = pair_new(SYSTEM_DGRAM);

	(void)state;
	enqueue(pair, "0123456789", ENDS);
	enqueue(pair, "next", ENDS);
	assert_record(pair.fd, 4, "0123", MSG_TRUNC | MSG_EOR);
	assert_record(pair.fd, 100, "next", MSG_EOR);
	/* of a record of several messages, too */
	enqueue(pair, "0123", GOES_ON);
	enqueue(pair, "4567", GOES_ON);
	enqueue(pair, "89", ENDS);
	enqueue(pair, "next", ENDS);
	assert_record(pair.fd, 6, "012345", MSG_TRUNC | MSG_EOR);
	assert_record(pair.fd, 100, "next", MSG_EOR);
	/* full to the brim is not too much */
	enqueue(pair, "0123", GOES_ON);
	enqueue(pair, "45", ENDS);
	assert_record(pair.fd, 6, "012345", MSG_EOR);
	pair_end(pair);
}

static void
peeking_shows_the_whole_record_and_takes_nothing(void **state)
{
	struct pair pair = pair_new(SYSTEM_DGRAM);

	(void)state;
	enqueue(pair, "ab", GOES_ON);
	enqueue(pair, "cd", GOES_ON);
	enqueue(pair, "ef", ENDS);
	enqueue(pair, "next", ENDS);
	for (int i = 0; i < 2; i++) {
		assert_record_flags(pair.fd, 100, MSG_PEEK, "abcdef", MSG_EOR);
		assert_record_flags(pair.fd, 3, MSG_PEEK, "abc", MSG_TRUNC);
	}
	assert_record(pair.fd, 100, "abcdef", MSG_EOR);
	assert_record_flags(pair.fd, 100, MSG_PEEK, "next", MSG_EOR);
	assert_record(pair.fd, 100, "next", MSG_EOR);
	enqueue(pair, "gh", GOES_ON);
	enqueue(pair, "", ENDS);
	enqueue(pair, "i", ENDS);
	for (int i = 0; i < 3; i++)
		assert_record_flags(pair.fd, 100, MSG_PEEK, "gh", MSG_EOR);
	assert_record(pair.fd, 100, "gh", MSG_EOR);
	assert_record(pair.fd, 100, "i", MSG_EOR);
	pair_end(pair);
}

static void
with_so_donttrunc_the_rest_stays(void **state)
{
	struct pair pair = pair_new(SYSTEM_DGRAM);
	struct pollfd readable = { .fd = pair.fd, .events = POLLIN };
	socklen_t size = sizeof(int);
	int number = 1;

	(void)state;
	assert_int_equal(setsockopt(pair.fd, SOL_SOCKET, SO_DONTTRUNC, &number, sizeof(number)), 0);
	number = 0;
	assert_int_equal(getsockopt(pair.fd, SOL_SOCKET, SO_DONTTRUNC, &number, &size), 0);
	assert_int_equal(number, 1);
	enqueue(pair, "0123456789", ENDS);
	enqueue(pair, "next", ENDS);
	assert_record(pair.fd, 4, "0123", 0);
	assert_int_equal(ioctl(pair.fd, FIONREAD, &number), 0);
	assert_int_equal(number, 10);
	assert_int_equal(getsockopt(pair.fd, SOL_SOCKET, SO_NREAD, &number, &size), 0);
	assert_int_equal(number, 6);
	assert_record_flags(pair.fd, 100, MSG_PEEK, "456789", MSG_EOR);
	assert_record(pair.fd, 4, "4567", 0);
	assert_record(pair.fd, 0, "", 0);
	assert_record(pair.fd, 100, "89", MSG_EOR);
	assert_record(pair.fd, 4, "next", MSG_EOR);
	assert_int_equal(poll(&readable, 1, 0), 0);
	/* a record of several messages, cut within the second */
	enqueue(pair, "0123", GOES_ON);
	enqueue(pair, "4567", GOES_ON);
	enqueue(pair, "89", ENDS);
	assert_record(pair.fd, 6, "012345", 0);
	assert_int_equal(poll(&readable, 1, 0), 1);
	/* and read whole after the option is off again */
	number = 0;
	assert_int_equal(setsockopt(pair.fd, SOL_SOCKET, SO_DONTTRUNC, &number, sizeof(number)), 0);
	assert_record(pair.fd, 100, "6789", MSG_EOR);
	enqueue(pair, "0123", ENDS);
	assert_record(pair.fd, 2, "01", MSG_TRUNC | MSG_EOR);
	assert_int_equal(poll(&readable, 1, 0), 0);
	pair_end(pair);
}

static void
every_way_to_read_reads_records(void **state)
{
	struct pair pair = pair_new(SYSTEM_DGRAM);
	char bytes[100], more[100], address[64];
	struct iovec parts[] = { { bytes, 1 }, { more, 2 }, { NULL, 0 }, { bytes + 50, 50 } };
	struct iovec single = { more, sizeof(more) };
	struct mmsghdr messages[3] = { { .msg_hdr = { .msg_iov = parts, .msg_iovlen = 4 } },
				       { .msg_hdr = { .msg_iov = &single, .msg_iovlen = 1 } },
				       { .msg_hdr = { .msg_iov = &single, .msg_iovlen = 1 } } };
	socklen_t address_size = sizeof(address);

	(void)state;
	for (int i = 0; i < 6; i++) {
		enqueue(pair, "abc", GOES_ON);
		enqueue(pair, "defg", ENDS);
	}
	assert_int_equal(read(pair.fd, bytes, sizeof(bytes)), 7);
	assert_memory_equal(bytes, "abcdefg", 7);
	assert_int_equal(recv(pair.fd, bytes, sizeof(bytes), 0), 7);
	assert_int_equal(
	    recvfrom(pair.fd, bytes, sizeof(bytes), 0, (struct sockaddr *)address, &address_size),
	    7);
	assert_int_equal(address_size, 0);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(readv(pair.fd, parts, 4), 7);
	assert_memory_equal(bytes, "a", 1);
	assert_memory_equal(more, "bc", 2);
	assert_memory_equal(bytes + 50, "defg", 4);
	assert_ptr_equal(parts[3].iov_base, bytes + 50); /* the program's vector is its own */
	assert_int_equal(recvmmsg(pair.fd, messages, 3, MSG_WAITFORONE, NULL), 2);
	assert_int_equal(messages[0].msg_len, 7);
	assert_int_equal(messages[1].msg_len, 7);
	assert_memory_equal(more, "abcdefg", 7);
	assert_int_equal(messages[0].msg_hdr.msg_flags, MSG_EOR);
	assert_errno(recvmmsg(pair.fd, messages, 3, MSG_DONTWAIT, NULL), EAGAIN);
	/* the length of what did not fit, for who asks */
	enqueue(pair, "0123456789", ENDS);
	assert_int_equal(recv(pair.fd, bytes, 1, MSG_PEEK | MSG_TRUNC), 10);
	assert_int_equal(recv(pair.fd, bytes, 1, MSG_TRUNC), 10);
	pair_end(pair);
}

static void
reading_nothing_waits_for_nothing(void **state)
{
	struct pair pairs[] = { pair_new(SYSTEM_DGRAM), pair_new(SYSTEM_STREAM) };
	char byte;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(recv(pairs[i].fd, &byte, 0, 0), 0);
		assert_int_equal(read(pairs[i].fd, &byte, 0), 0);
		pair_end(pairs[i]);
	}
}

/* ---- SOCK_STREAM ------------------------------------------------------------------------- */

static void
a_record_of_a_stream_ends_a_read(void **state)
{
	struct pair pair = pair_new(SYSTEM_STREAM);

	(void)state;
	enqueue(pair, "ab", false);
	enqueue(pair, "cd", false);
	enqueue(pair, "e", true);
	enqueue(pair, "fg", false);
	assert_record(pair.fd, 3, "abc", 0);
	assert_record_flags(pair.fd, 100, MSG_PEEK, "de", MSG_EOR);
	assert_record(pair.fd, 100, "de", MSG_EOR);
	assert_record(pair.fd, 100, "fg", 0);
	enqueue(pair, "h", true);
	enqueue(pair, "i", false);
	assert_record_flags(pair.fd, 2, MSG_WAITALL, "h", MSG_EOR);
	close(pair.kext_fd);
	assert_record(pair.fd, 100, "i", 0);
	assert_record(pair.fd, 100, "", 0);
	pair.kext_fd = -1;
	pair_end(pair);
}

/* ---- against a model --------------------------------------------------------------------- */

/* What Darwin's socket buffer holds: records, of which the last may be open. */
struct model {
	struct {
		uint8_t bytes[512];
		size_t size;
		bool closed;
	} records[64];
	size_t first, count;
};

static void
model_enqueue(struct model *model, const uint8_t *bytes, size_t size, bool ends)
{
	if (size == 0 && !ends)
		return;
	if (model->count == 0 || model->records[model->first + model->count - 1].closed) {
		model->records[model->first + model->count].size = 0;
		model->count++;
	}
	size_t last = model->first + model->count - 1;
	memcpy(model->records[last].bytes + model->records[last].size, bytes, size);
	model->records[last].size += size;
	model->records[last].closed = ends;
}

/* Random messages and reads, with and without SO_DONTTRUNC. */
static void
random_reads(unsigned int seed)
{
	struct pair pair = pair_new(SYSTEM_DGRAM);
	struct model model = { .first = 0 };
	uint8_t bytes[512], next = 0;
	int keeps = (int)(seed & 1);

	srandom(seed);
	setsockopt(pair.fd, SOL_SOCKET, SO_DONTTRUNC, &keeps, sizeof(keeps));
	for (int step = 0; step < 60; step++) {
		if (random() % 2 == 0) {
			size_t size = (size_t)(random() % 8);
			bool ends = random() % 3 == 0;

			for (size_t i = 0; i < size; i++)
				bytes[i] = next++;
			model_enqueue(&model, bytes, size, ends);
			if (size > 0 || ends)
				enqueue_bytes(pair, bytes, size, !ends);
			continue;
		}
		size_t room = (size_t)(random() % 20) + 1;
		bool peeks = random() % 4 == 0;
		struct iovec parts[3] = { { bytes, room / 3 },
					  { bytes + room / 3, room / 3 },
					  { bytes + room / 3 * 2, room - room / 3 * 2 } };
		struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };
		ssize_t size = recvmsg(pair.fd, &message, MSG_DONTWAIT | (peeks ? MSG_PEEK : 0));

		if (model.count == 0) {
			assert_int_equal(size, -1);
			assert_int_equal(errno, EAGAIN);
			continue;
		}
		size_t wanted = model.records[model.first].size;
		bool fits = wanted <= room, kept = keeps != 0 && !peeks && !fits;
		if (size != (ssize_t)(fits ? wanted : room) ||
		    memcmp(bytes, model.records[model.first].bytes, (size_t)size) != 0 ||
		    ((message.msg_flags & MSG_TRUNC) != 0) != (!fits && !kept))
			fail_msg("seed %u, step %d: %zd of %zu bytes, flags %#x", seed, step, size,
				 wanted, (unsigned)message.msg_flags);
		if (fits || !peeks)
			assert_int_equal((message.msg_flags & MSG_EOR) != 0,
					 model.records[model.first].closed && !kept);
		if (kept) {
			model.records[model.first].size -= room;
			memmove(model.records[model.first].bytes,
				model.records[model.first].bytes + room, wanted - room);
		} else if (!peeks) {
			model.first++;
			model.count--;
		}
	}
	pair_end(pair);
}

static void
random_reads_agree_with_the_model(void **state)
{
	const char *chosen = getenv("UNIT_SEED");

	(void)state;
	for (unsigned int seed = 1; chosen == NULL && seed <= 400; seed++)
		random_reads(seed);
	if (chosen != NULL)
		random_reads((unsigned int)strtoul(chosen, NULL, 10));
}

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
		cmocka_unit_test(marked_messages_are_one_record_with_what_follows),
		cmocka_unit_test(an_end_without_bytes_ends_the_record_before_it),
		cmocka_unit_test(what_does_not_fit_is_dropped),
		cmocka_unit_test(peeking_shows_the_whole_record_and_takes_nothing),
		cmocka_unit_test(with_so_donttrunc_the_rest_stays),
		cmocka_unit_test(every_way_to_read_reads_records),
		cmocka_unit_test(reading_nothing_waits_for_nothing),
		cmocka_unit_test(a_record_of_a_stream_ends_a_read),
		cmocka_unit_test(random_reads_agree_with_the_model),
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
