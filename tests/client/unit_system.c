/*
 * What is read from system sockets, without a kernel.  The other end, a kexthost's, is played here;
 * nothing is asked of it.
 */
#include "tests/client/system_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
