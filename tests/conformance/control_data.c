/*
 * Data and options: kernel-control.md §2.3 to §2.5, §6, §7.
 */
#include "tests/conformance/control_program.h"

#include <pthread.h>
#include <time.h>

/* ---- records ------------------------------------------------------------------------------- */

static void
what_is_not_ended_is_one_record(void **state)
{
	char text[64];
	int flags;
	int fd = client_new(KEXT_DGRAM);

	(void)state;
	assert_int_equal(enqueue(fd, "ab", 0), 0);
	assert_int_equal(enqueue(fd, "cd", 0), 0);
	assert_int_equal(get_number(fd, GET_PACKETS), 1);
	assert_int_equal(receive_flags(fd, text, sizeof(text), 0, &flags), 4);
	assert_memory_equal(text, "abcd", 4);
	assert_int_equal(flags & (MSG_EOR | MSG_TRUNC), 0);

	assert_int_equal(enqueue(fd, "ab", DATA_EOR), 0);
	assert_int_equal(enqueue(fd, "cd", DATA_EOR), 0);
	assert_int_equal(get_number(fd, GET_PACKETS), 2);
	assert_int_equal(receive_flags(fd, text, sizeof(text), 0, &flags), 2);
	assert_true(flags & MSG_EOR);
	assert_receives(fd, "cd");

	assert_int_equal(enqueue(fd, "one ", 0), 0);
	assert_int_equal(enqueue(fd, "record", DATA_EOR), 0);
	assert_int_equal(enqueue(fd, "next", DATA_EOR), 0);
	assert_receives(fd, "one record");
	assert_receives(fd, "next");
	assert_nothing_there(fd);
	/* nothing, and no end: nothing happens */
	assert_int_equal(enqueue(fd, "", 0), 0);
	assert_nothing_there(fd);
	close(fd);
}

static void
what_does_not_fit_in_the_buffer_is_gone(void **state)
{
	char text[64];
	int flags;
	int fd = client_new(KEXT_DGRAM);

	(void)state;
	assert_int_equal(enqueue(fd, "0123456789", DATA_EOR), 0);
	assert_int_equal(enqueue(fd, "next", DATA_EOR), 0);
	assert_int_equal(receive_flags(fd, text, 4, 0, &flags), 4);
	assert_memory_equal(text, "0123", 4);
	assert_true(flags & MSG_TRUNC);
	assert_receives(fd, "next");

	/* of a record in parts, too */
	assert_int_equal(enqueue(fd, "0123", 0), 0);
	assert_int_equal(enqueue(fd, "4567", 0), 0);
	assert_int_equal(enqueue(fd, "89", DATA_EOR), 0);
	assert_int_equal(enqueue(fd, "next", DATA_EOR), 0);
	assert_int_equal(receive_flags(fd, text, 6, 0, &flags), 6);
	assert_memory_equal(text, "012345", 6);
	assert_true(flags & MSG_TRUNC);
	assert_receives(fd, "next");
	assert_nothing_there(fd);
	close(fd);
}

static void
peeking_takes_nothing(void **state)
{
	char text[64];
	int flags;
	int fd = client_new(KEXT_DGRAM);

	(void)state;
	assert_int_equal(enqueue(fd, "look", DATA_EOR), 0);
	assert_int_equal(receive_flags(fd, text, sizeof(text), MSG_PEEK, &flags), 4);
	assert_int_equal(receive_flags(fd, text, sizeof(text), MSG_PEEK, &flags), 4);
	assert_receives(fd, "look");
	assert_nothing_there(fd);
	close(fd);
}

static void *
receive_one(void *argument)
{
	static char text[64];
	ssize_t size = recv(*(int *)argument, text, sizeof(text) - 1, 0);

	text[size > 0 ? size : 0] = '\0';
	return text;
}

static void
who_waits_sees_the_first_open_record_whole(void **state)
{
	pthread_t thread;
	void *text;
	int fd = client_new(KEXT_DGRAM);

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(enqueue(fd, "closed", DATA_EOR), 0);
		assert_receives(fd, "closed");
	}
	assert_int_equal(pthread_create(&thread, NULL, receive_one, &fd), 0);
	usleep(20000); /* most likely it waits now; right either way */
	assert_int_equal(enqueue(fd, "open", 0), 0);
	pthread_join(thread, &text);
	assert_string_equal(text, "open");
	assert_int_equal(enqueue(fd, "and ", 0), 0);
	assert_int_equal(enqueue(fd, "on", 0), 0);
	assert_receives(fd, "and on");
	assert_nothing_there(fd);
	close(fd);
}

/* A process of one thread reads in fewer steps.  Another one lets the kext send, and holds the
 * reader up meanwhile, so that the whole record is there when it goes on. */
static void
who_waits_alone_sees_the_first_open_record_whole(void **state)
{
	int status, fd = client_new(KEXT_DGRAM);
	char text[4] = "";
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		usleep(20000); /* most likely it waits now; right either way */
		kill(getppid(), SIGSTOP);
		int error = enqueue(fd, "open", 0) | enqueue(fd, "end", DATA_EOR);
		kill(getppid(), SIGCONT);
		_exit(error != 0);
	}
	assert_int_equal(recv(fd, text, sizeof(text), 0), 4);
	assert_memory_equal(text, "open", 4);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_nothing_there(fd); /* what did not fit is gone, with its record */
	close(fd);
}

static void
a_list_of_packets_is_a_list_of_records(void **state)
{
	int fd = client_new(KEXT_DGRAM), stream = client_new(KEXT_STREAM);

	(void)state;
	assert_int_equal(enqueue_as(fd, SET_ENQUEUE_LIST, "aaaabbbbcccc", 12, 0), 0);
	assert_receives(fd, "aaaa");
	assert_receives(fd, "bbbb");
	assert_receives(fd, "cccc");
	assert_errno(enqueue_as(fd, SET_ENQUEUE_LIST, "aaaa", 4, DATA_EOR), EINVAL);
	assert_errno(enqueue_as(stream, SET_ENQUEUE_LIST, "aaaa", 4, DATA_EOR), EOPNOTSUPP);
	close(fd);
	close(stream);
}

static void
packets_are_sent_as_data_is(void **state)
{
	static char large[8000];
	static char got[8100];
	int fd = client_new(KEXT_DGRAM);

	(void)state;
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (char)(i * 7);
	assert_int_equal(enqueue_as(fd, SET_ENQUEUE_MBUF, large, sizeof(large), DATA_EOR), 0);
	assert_int_equal(recv(fd, got, sizeof(got), 0), sizeof(large));
	assert_memory_equal(got, large, sizeof(large));
	close(fd);
}

/* ---- room --------------------------------------------------------------------------------------
 */

static void
the_room_is_exact(void **state)
{
	static char bytes[8193];
	char got[8192];
	int fd = client_new(KEXT_DGRAM);

	(void)state;
	assert_int_equal(get_number(fd, GET_SPACE), 8192);
	assert_int_equal(get_number(fd, GET_READABLE), 1);
	assert_int_equal(enqueue_as(fd, SET_ENQUEUE, bytes, 8000, DATA_EOR), 0);
	assert_int_equal(get_number(fd, GET_SPACE), 192);
	assert_int_equal(get_number(fd, GET_READABLE), 0);
	assert_errno(enqueue_as(fd, SET_ENQUEUE, bytes, 193, DATA_EOR), ENOBUFS);
	assert_int_equal(enqueue_as(fd, SET_ENQUEUE, bytes, 192, DATA_EOR), 0);
	assert_int_equal(get_number(fd, GET_SPACE), 0);
	assert_errno(enqueue_as(fd, SET_ENQUEUE, bytes, 1, DATA_EOR), ENOBUFS);
	assert_int_equal(recv(fd, got, sizeof(got), 0), 8000);
	assert_int_equal(get_number(fd, GET_SPACE), 8000);
	assert_int_equal(recv(fd, got, sizeof(got), 0), 192);
	assert_errno(enqueue_as(fd, SET_ENQUEUE, bytes, 8193, DATA_EOR), ENOBUFS);

	/* byte by byte: as many as there are bytes */
	int count = 0;
	while (enqueue_as(fd, SET_ENQUEUE, "x", 1, DATA_EOR) == 0)
		count++;
	assert_int_equal(errno, ENOBUFS);
	assert_int_equal(count, 8192);
	int waiting = 0;
	for (int i = 0; i < count; i++) {
		assert_int_equal(recv(fd, got, sizeof(got), 0), 1);
		waiting += got[0] == 'x';
	}
	assert_int_equal(waiting, 8192);
	assert_int_equal(get_number(fd, GET_SPACE), 8192);
	close(fd);
}

struct flood {
	int fd, count, result;
};

static void *
ask_for_flood(void *argument)
{
	struct flood *flood = argument;

	flood->result =
	    setsockopt(flood->fd, SYSPROTO_CONTROL, SET_FLOOD, &flood->count, sizeof(flood->count));
	return NULL;
}

static void
a_kext_that_waits_for_room_loses_nothing(void **state)
{
	struct flood flood = { .fd = client_new(KEXT_DGRAM), .count = 20000 };
	pthread_t thread;
	int got;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, ask_for_flood, &flood), 0);
	for (int i = 0; i < flood.count; i++) {
		assert_int_equal(recv(flood.fd, &got, sizeof(got), 0), sizeof(got));
		assert_int_equal(got, i);
	}
	pthread_join(thread, NULL);
	assert_int_equal(flood.result, 0);
	close(flood.fd);
}

static void
the_room_of_a_stream_is_exact_after_partial_reads(void **state)
{
	static char bytes[8192];
	char got[8192];
	int fd = client_new(KEXT_STREAM);

	(void)state;
	assert_int_equal(enqueue_as(fd, SET_ENQUEUE, bytes, 8000, 0), 0);
	assert_int_equal(recv(fd, got, 1000, 0), 1000);
	assert_int_equal(get_number(fd, GET_SPACE), 1192);
	assert_errno(enqueue_as(fd, SET_ENQUEUE, bytes, 1193, 0), ENOBUFS);
	assert_int_equal(enqueue_as(fd, SET_ENQUEUE, bytes, 1192, 0), 0);
	for (size_t left = 8192; left > 0;) {
		ssize_t size = recv(fd, got, sizeof(got), 0);
		assert_true(size > 0);
		left -= (size_t)size;
	}
	assert_int_equal(get_number(fd, GET_SPACE), 8192);
	close(fd);
}

static void
receive_sizes_can_be_raised_after_connect(void **state)
{
	static char bytes[20000];
	int fd = socket_new(SOCK_DGRAM), size = 100000;
	socklen_t length = sizeof(size);

	(void)state;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	assert_int_equal(connect_fd(fd, KEXT_DGRAM, 0), 0);
	/* the control's own sizes came with the connection */
	assert_int_equal(get_number(fd, GET_SPACE), 8192);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length), 0);
	assert_int_equal(size, 8192);
	size = 30000;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	assert_int_equal(get_number(fd, GET_SPACE), 30000);
	assert_int_equal(enqueue_as(fd, SET_ENQUEUE, bytes, sizeof(bytes), DATA_EOR), 0);
	close(fd);
}

static void
critical_data_has_a_reserve(void **state)
{
	static char bytes[8192];
	int fd = client_new(KEXT_CRIT);

	(void)state;
	/* a quarter is kept free from what is not critical */
	assert_int_equal(enqueue_as(fd, SET_ENQUEUE, bytes, 6144, DATA_EOR), 0);
	assert_int_equal(enqueue_as(fd, SET_ENQUEUE, bytes, 1, DATA_EOR), 0);
	assert_errno(enqueue_as(fd, SET_ENQUEUE, bytes, 1, DATA_EOR), ENOBUFS);
	assert_int_equal(enqueue_as(fd, SET_ENQUEUE, bytes, 2047, DATA_EOR | DATA_CRIT), 0);
	/* and it may grow by a quarter */
	assert_int_equal(enqueue_as(fd, SET_ENQUEUE, bytes, 2048, DATA_EOR | DATA_CRIT), 0);
	assert_errno(enqueue_as(fd, SET_ENQUEUE, bytes, 1, DATA_EOR | DATA_CRIT), ENOBUFS);
	close(fd);
}

/* ---- sending
 * --------------------------------------------------------------------------------------- */

static size_t
last_message(int fd, char *text, size_t size, uint32_t *flags)
{
	socklen_t length = (socklen_t)size;

	assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, GET_LAST, text, &length), 0);
	memcpy(flags, text, sizeof(*flags));
	memmove(text, text + sizeof(*flags), length - sizeof(*flags));
	return length - sizeof(*flags);
}

static void
a_send_is_the_callbacks_result(void **state)
{
	static char large[2049], text[5000];
	uint32_t flags;
	int fd = client_new(KEXT_DGRAM);
	struct iovec parts[3] = { { (char *)"one", 3 }, { (char *)"", 0 }, { (char *)"two", 3 } };

	(void)state;
	journal_forget();
	assert_int_equal(send(fd, "message", 7, 0), 7);
	assert_int_equal(last_message(fd, text, sizeof(text), &flags), 7);
	assert_memory_equal(text, "message", 7);
	assert_int_equal(writev(fd, parts, 3), 6);
	assert_int_equal(last_message(fd, text, sizeof(text), &flags), 6);
	assert_memory_equal(text, "onetwo", 6);
	assert_int_equal(write(fd, "w", 1), 1);
	assert_int_equal(send(fd, "", 0, 0), 0);
	assert_int_equal(send(fd, "end", 3, MSG_EOR), 3);
	assert_journal("send dgram 1 7 0\nsend dgram 1 6 0\nsend dgram 1 1 0\nsend dgram 1 0 0\n"
		       "send dgram 1 3 0 EOR\n");
	assert_int_equal(send(fd, large, 2048, 0), 2048);
	journal_forget();
	assert_errno(send(fd, large, 2049, 0), EMSGSIZE);
	assert_errno(send(fd, "x", 1, MSG_OOB), EOPNOTSUPP);
	assert_journal("");

	assert_int_equal(set_number(fd, SET_SEND_RESULT, ENOMEM), 0);
	assert_errno(send(fd, "x", 1, 0), ENOMEM);
	assert_errno(write(fd, "x", 1), ENOMEM);
	assert_int_equal(set_number(fd, SET_SEND_RESULT, 0), 0);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	/* an address is no news */
	struct sockaddr_ctl address = address_of(1, 1);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)), 1);
	close(fd);
	journal_forget();
}

static void
a_stream_is_cut_into_pieces(void **state)
{
	static char large[5000];
	int fd = client_new(KEXT_STREAM);

	(void)state;
	journal_forget();
	assert_int_equal(send(fd, large, sizeof(large), 0), sizeof(large));
	assert_journal("send stream 1 2048 4\nsend stream 1 2048 4\nsend stream 1 904 0\n");
	assert_errno(send(fd, "x", 1, MSG_EOR), EINVAL);
	assert_int_equal(set_number(fd, SET_SEND_RESULT, EIO), 0);
	assert_errno(send(fd, large, sizeof(large), 0), EIO);
	close(fd);
	journal_forget();
}

static _Atomic int pipe_signals;

static void
count_pipe_signal(int number)
{
	(void)number;
	pipe_signals++;
}

static void
a_broken_pipe_is_a_signal_unless_it_is_not_wished(void **state)
{
	int fd = client_new(KEXT_DGRAM), on = 1;

	(void)state;
	signal(SIGPIPE, count_pipe_signal);
	assert_int_equal(set_number(fd, SET_SEND_RESULT, EPIPE), 0);
	assert_errno(send(fd, "x", 1, 0), EPIPE);
	assert_int_equal(pipe_signals, 1);
	assert_errno(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
	assert_int_equal(pipe_signals, 1);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on)), 0);
	assert_errno(write(fd, "x", 1), EPIPE);
	assert_int_equal(pipe_signals, 1);
	signal(SIGPIPE, SIG_DFL);
	close(fd);
}

static void
a_stream_is_read_as_bytes_up_to_an_end(void **state)
{
	char text[64];
	int flags;
	int fd = client_new(KEXT_STREAM);

	(void)state;
	assert_int_equal(enqueue(fd, "abc", 0), 0);
	assert_int_equal(enqueue(fd, "def", 0), 0);
	assert_int_equal(recv(fd, text, 2, 0), 2);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 4);
	assert_memory_equal(text, "cdef", 4);
	assert_int_equal(enqueue(fd, "abc", 0), 0);
	assert_int_equal(enqueue(fd, "end", DATA_EOR), 0);
	assert_int_equal(enqueue(fd, "more", 0), 0);
	assert_int_equal(receive_flags(fd, text, sizeof(text), 0, &flags), 6);
	assert_memory_equal(text, "abcend", 6);
	assert_true(flags & MSG_EOR);
	assert_int_equal(receive_flags(fd, text, sizeof(text), 0, &flags), 4);
	assert_false(flags & MSG_EOR);
	/* read in small pieces, too: the end is where the record's is */
	assert_int_equal(enqueue(fd, "0123456789", DATA_EOR), 0);
	assert_int_equal(enqueue(fd, "next", 0), 0);
	assert_int_equal(receive_flags(fd, text, 4, 0, &flags), 4);
	assert_false(flags & MSG_EOR);
	assert_int_equal(receive_flags(fd, text, sizeof(text), 0, &flags), 6);
	assert_memory_equal(text, "456789", 6);
	assert_true(flags & MSG_EOR);
	assert_receives(fd, "next");
	/* out-of-band data is the callback's to tell */
	journal_forget();
	assert_int_equal(send(fd, "o", 1, MSG_OOB), 1);
	assert_journal("send stream 1 1 1\n");
	close(fd);
}

/* ---- large messages
 * ------------------------------------------------------------------------------------ */

static void
large_messages_come_back_whole(void **state)
{
	enum { LARGE = 256 * 1024 };
	char *bytes = malloc(LARGE), *got = malloc(LARGE + 1);
	int fd = client_new(KEXT_LARGE);

	(void)state;
	for (size_t i = 0; i < LARGE; i++)
		bytes[i] = (char)(i * 31 ^ i >> 8);
	for (size_t size = 1; size <= LARGE; size = size * 3 + 1) {
		assert_int_equal(send(fd, bytes, size, 0), size);
		assert_int_equal(recv(fd, got, LARGE + 1, 0), size);
		assert_memory_equal(got, bytes, size);
	}
	assert_int_equal(send(fd, bytes, LARGE, 0), LARGE);
	assert_int_equal(recv(fd, got, LARGE + 1, 0), LARGE);
	assert_memory_equal(got, bytes, LARGE);
	assert_errno(send(fd, bytes, LARGE + 1, 0), EMSGSIZE);
	free(bytes);
	free(got);
	close(fd);
}

/* ---- options
 * ---------------------------------------------------------------------------------------------- */

static void
options_go_both_ways(void **state)
{
	char text[64] = "abcdef";
	socklen_t size = 6;
	int fd = client_new(KEXT_DGRAM);
	int number = 0;

	(void)state;
	assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, GET_MIRROR, text, &size), 0);
	assert_int_equal(size, 6);
	assert_memory_equal(text, "fedcba", 6);
	/* how large is it? */
	size = 0;
	assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, GET_SIZE, NULL, &size), 0);
	assert_int_equal(size, 24);
	size = sizeof(text);
	assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, GET_SIZE, text, &size), 0);
	assert_int_equal(size, 24);
	/* an error changes nothing */
	size = 7;
	strcpy(text, "as was");
	assert_errno(getsockopt(fd, SYSPROTO_CONTROL, GET_FAIL, text, &size), ERANGE);
	assert_int_equal(size, 7);
	assert_string_equal(text, "as was");
	/* a callback that lies about its length overruns nothing */
	size = 16;
	memset(text, 'y', sizeof(text));
	assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, GET_LIE, text, &size), 0);
	assert_true(size <= 16);
	assert_int_equal(text[16], 'y');

	assert_errno(set_number(fd, SET_FAIL, ENAMETOOLONG), ENAMETOOLONG);
	assert_errno(set_option(fd, 999, NULL, 0), EDOM);
	assert_errno(set_option(fd, 999, &number, sizeof(number)), ENOPROTOOPT);
	assert_errno(setsockopt(fd, SYSPROTO_CONTROL, 1, NULL, 5), EFAULT);
	assert_errno(setsockopt(fd, SYSPROTO_CONTROL, SET_FAIL, (void *)16, 5), EFAULT);
	assert_errno(setsockopt(fd, SYSPROTO_CONTROL, SET_FAIL, text, (64u << 20) + 1), EINVAL);
	int bare = client_new(KEXT_BARE);
	assert_errno(setsockopt(bare, SYSPROTO_CONTROL, 1, text, (64u << 20) + 1), ENOTSUP);
	close(bare);
	assert_errno(setsockopt(fd, 77, 1, &number, sizeof(number)), EINVAL);
	assert_errno(getsockopt(fd, 77, 1, &number, &size), EINVAL);
	close(fd);
	fd = socket_new(SOCK_DGRAM);
	assert_errno(set_number(fd, SET_FAIL, 0), EINVAL);
	close(fd);
}

static void
options_of_sockets_tell_what_waits(void **state)
{
	int number = 0;
	socklen_t size = sizeof(number);
	int fd = client_new(KEXT_DGRAM);

	(void)state;
	assert_int_equal(enqueue(fd, "four", DATA_EOR), 0);
	assert_int_equal(enqueue(fd, "seven..", DATA_EOR), 0);
	assert_int_equal(ioctl(fd, FIONREAD, &number), 0);
	assert_int_equal(number, 11);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_NREAD, &number, &size), 0);
	assert_int_equal(number, 4);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_NUMRCVPKT, &number, &size), 0);
	assert_int_equal(number, 2);
	close(fd);
}

static void
the_kext_hears_of_reads(void **state)
{
	int fd = client_new(KEXT_FULL);

	(void)state;
	assert_int_equal(enqueue(fd, "x", DATA_EOR), 0);
	journal_forget();
	char text[8];
	assert_int_equal(recv(fd, text, sizeof(text), MSG_PEEK), 1);
	assert_journal("");
	assert_int_equal(recv(fd, text, sizeof(text), 0), 1);
	char heard[200];
	journal(heard, sizeof(heard));
	assert_non_null(strstr(heard, "rcvd full 1"));
	close(fd);
	journal_forget();
}

/* ---- several at once
 * --------------------------------------------------------------------------------------- */

static void *
sleep_in_the_kext(void *argument)
{
	return (void *)(intptr_t)set_number(*(int *)argument, SET_SLEEP, 2);
}

static void
a_sleeping_callback_blocks_nobody_else(void **state)
{
	int sleeper = client_new(KEXT_DGRAM), other = client_new(KEXT_DGRAM);
	pthread_t threads[8];

	(void)state;
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sleep_in_the_kext, &sleeper), 0);
	struct timespec begin, end;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(send(other, "x", 1, 0), 1);
		assert_int_equal(enqueue(other, "y", DATA_EOR), 0);
		assert_receives(other, "y");
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	/* not after the sleepers, who take two seconds from about now */
	assert_true(end.tv_sec - begin.tv_sec < 2);
	for (int i = 0; i < 8; i++) {
		void *result;
		pthread_join(threads[i], &result);
		assert_int_equal((intptr_t)result, -1);
	}
	close(sleeper);
	close(other);
	journal_forget();
}

static void
nothing(int number)
{
	(void)number;
}

static void
a_signal_interrupts_what_sleeps_interruptibly(void **state)
{
	struct sigaction action = { .sa_handler = nothing };
	int fd = client_new(KEXT_DGRAM);

	(void)state;
	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	assert_errno(set_number(fd, SET_SLEEP, 60), EINTR);
	signal(SIGALRM, SIG_DFL);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_waits_alone_sees_the_first_open_record_whole),
		cmocka_unit_test(what_is_not_ended_is_one_record),
		cmocka_unit_test(what_does_not_fit_in_the_buffer_is_gone),
		cmocka_unit_test(peeking_takes_nothing),
		cmocka_unit_test(who_waits_sees_the_first_open_record_whole),
		cmocka_unit_test(a_list_of_packets_is_a_list_of_records),
		cmocka_unit_test(packets_are_sent_as_data_is),
		cmocka_unit_test(the_room_is_exact),
		cmocka_unit_test(a_kext_that_waits_for_room_loses_nothing),
		cmocka_unit_test(the_room_of_a_stream_is_exact_after_partial_reads),
		cmocka_unit_test(receive_sizes_can_be_raised_after_connect),
		cmocka_unit_test(critical_data_has_a_reserve),
		cmocka_unit_test(a_send_is_the_callbacks_result),
		cmocka_unit_test(a_stream_is_cut_into_pieces),
		cmocka_unit_test(a_broken_pipe_is_a_signal_unless_it_is_not_wished),
		cmocka_unit_test(a_stream_is_read_as_bytes_up_to_an_end),
		cmocka_unit_test(large_messages_come_back_whole),
		cmocka_unit_test(options_go_both_ways),
		cmocka_unit_test(options_of_sockets_tell_what_waits),
		cmocka_unit_test(the_kext_hears_of_reads),
		cmocka_unit_test(a_sleeping_callback_blocks_nobody_else),
		cmocka_unit_test(a_signal_interrupts_what_sleeps_interruptibly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
