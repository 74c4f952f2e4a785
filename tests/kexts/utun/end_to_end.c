/*
 * utun as programs use it: on a kernel of its own, in a network of its own, loaded by `berth
 * kext load`.  The checks (a) to (k) are those of builtin-controls.md.
 *
 * usage: test-utun-end-to-end BERTH UTUN.kext
 */
#include "tests/kexts/utun/network.h"

#include <net/if_utun.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/socket.h>
#include <sys/sys_domain.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 20000
#define UTUN_BUFFER (512 * 1024)

static char *berth, *kext;

/* ---- as a VPN program does it ------------------------------------------------------------------
 */

static int
utun_socket(struct sockaddr_ctl *address, uint32_t unit)
{
	struct ctl_info info = { .ctl_name = UTUN_CONTROL_NAME };
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL);

	if (fd < 0 || ioctl(fd, CTLIOCGINFO, &info))
		fail_msg("no control %s: %s", UTUN_CONTROL_NAME, strerror(errno));
	*address = (struct sockaddr_ctl){ .sc_len = sizeof(*address),
					  .sc_family = AF_SYSTEM,
					  .ss_sysaddr = AF_SYS_CONTROL,
					  .sc_id = info.ctl_id,
					  .sc_unit = unit };
	return fd;
}

/* A connected socket; -1 and errno. */
static int
utun_connect(uint32_t unit)
{
	struct sockaddr_ctl address;
	int fd = utun_socket(&address, unit), error;

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int
utun_bind(uint32_t unit, struct sockaddr_ctl *address)
{
	int fd = utun_socket(address, unit);

	assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
	return fd;
}

static void
utun_name(int fd, char name[20])
{
	socklen_t size = 20;

	assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, UTUN_OPT_IFNAME, name, &size), 0);
	assert_int_equal(size, strlen(name) + 1);
}

/* The next packet with its header, 20 seconds at most. */
static ssize_t
utun_read(int fd, void *record, size_t size)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&polled, 1, WAIT_MS), 1);
	return read(fd, record, size);
}

/* Interface utun0 with addresses. */
static int
utun_with_addresses(void)
{
	int fd = utun_connect(1);

	assert_true(fd >= 0);
	network_address("utun0", "10.9.0.1", "10.9.0.2");
	return fd;
}

/* ---- who is which
 * ---------------------------------------------------------------------------------- */

static void
unit_0_is_another_interface_each_time(void **state)
{
	char one[20], two[20];
	int a = utun_connect(0), b = utun_connect(0);

	(void)state;
	assert_true(a >= 0 && b >= 0);
	utun_name(a, one);
	utun_name(b, two);
	assert_string_not_equal(one, two);
	assert_true(network_flags(one) & IFF_UP);
	assert_true(network_flags(two) & IFF_UP);
	close(a);
	close(b);
}

static void
unit_5_is_utun4_and_taken_then(void **state)
{
	struct sockaddr_ctl peer = { 0 };
	socklen_t size = sizeof(peer);
	int fd = utun_connect(5);
	char name[20];

	(void)state;
	assert_true(fd >= 0);
	utun_name(fd, name);
	assert_string_equal(name, "utun4");
	assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &size), 0);
	assert_int_equal(peer.sc_unit, 5);
	assert_int_equal(utun_connect(5), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(network_mtu("utun4"), 1500);
	close(fd);
	assert_int_equal(network_flags("utun4"), -1); /* when close() returns */
	fd = utun_connect(5);
	assert_true(fd >= 0);
	close(fd);
}

static void
a_name_comes_with_the_connection(void **state)
{
	struct sockaddr_ctl address;
	socklen_t size = 20;
	char name[20];
	int fd = utun_socket(&address, 3);

	(void)state;
	assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, UTUN_OPT_IFNAME, name, &size), -1);
	assert_int_equal(errno, EINVAL);
	close(fd);
	fd = utun_bind(3, &address);
	assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, UTUN_OPT_IFNAME, name, &size), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	size = 5;
	assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, UTUN_OPT_IFNAME, name, &size), -1);
	assert_int_equal(errno, EMSGSIZE);
	utun_name(fd, name);
	assert_string_equal(name, "utun2");
	close(fd);
}

static void
a_bound_socket_is_configured_and_holds_its_unit(void **state)
{
	uint32_t value = UTUN_FLAGS_NO_INPUT;
	struct sockaddr_ctl address;
	socklen_t size = sizeof(value);
	int fd = utun_bind(7, &address);

	(void)state;
	assert_int_equal(setsockopt(fd, SYSPROTO_CONTROL, UTUN_OPT_FLAGS, &value, 4), 0);
	assert_int_equal(setsockopt(fd, SYSPROTO_CONTROL, UTUN_OPT_FLAGS, &value, 3), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(utun_connect(7), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(setsockopt(fd, SYSPROTO_CONTROL, UTUN_OPT_FLAGS, &value, 4), -1);
	assert_int_equal(errno, EINVAL);
	value = 0;
	assert_int_equal(getsockopt(fd, SYSPROTO_CONTROL, UTUN_OPT_FLAGS, &value, &size), 0);
	assert_int_equal(value, UTUN_FLAGS_NO_INPUT);
	assert_int_equal(setsockopt(fd, SYSPROTO_CONTROL, 99, &value, 4), -1);
	assert_int_equal(errno, ENOPROTOOPT);
	close(fd);

	fd = utun_bind(7, &address); /* and gives it back without ever connecting */
	close(fd);
	fd = utun_connect(7);
	assert_true(fd >= 0);
	close(fd);
}

/* Runs @body in a child that is nobody; its exit status. */
static int
as_nobody(int (*body)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (setgid(65534) || setuid(65534))
			_exit(MESON_SKIP);
		_exit(body());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
connect_is_refused(void)
{
	return utun_connect(0) == -1 && errno == EPERM ? 0 : 1;
}

static void
only_root_connects(void **state)
{
	int status = as_nobody(connect_is_refused);

	(void)state;
	if (status == MESON_SKIP) {
		print_message("no other user to be in this user namespace\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* ---- packets
 * ------------------------------------------------------------------------------------------ */

static uint16_t
icmp_checksum(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void
swap_bytes(uint8_t *a, uint8_t *b, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t t = a[i];

		a[i] = b[i];
		b[i] = t;
	}
}

static void
the_other_side_answers_a_ping(void **state)
{
	struct {
		struct icmphdr head;
		char data[48];
	} echo = { .head = { .type = ICMP_ECHO, .un.echo = { htons(77), htons(1) } },
		   .data = "are you there?" };
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct timeval wait = { .tv_sec = WAIT_MS / 1000 };
	uint8_t record[2048], *packet = record + 4, got[2048];
	int fd, icmp;

	(void)state;
	fd = utun_with_addresses();
	icmp = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	assert_true(icmp >= 0);
	assert_int_equal(setsockopt(icmp, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	inet_pton(AF_INET, "10.9.0.2", &to.sin_addr);
	echo.head.checksum = icmp_checksum(&echo, sizeof(echo));
	assert_int_equal(sendto(icmp, &echo, sizeof(echo), 0, (struct sockaddr *)&to, sizeof(to)),
			 sizeof(echo));

	assert_int_equal(utun_read(fd, record, sizeof(record)), 4 + 20 + sizeof(echo));
	assert_memory_equal(record, "\0\0\0\2", 4);
	assert_memory_equal(packet + 20, &echo, sizeof(echo));

	/* the answer */
	swap_bytes(packet + 12, packet + 16, 4);
	echo.head.type = ICMP_ECHOREPLY;
	echo.head.checksum = 0;
	echo.head.checksum = icmp_checksum(&echo, sizeof(echo));
	memcpy(packet + 20, &echo, sizeof(echo));
	/* header and packet apart, as OpenVPN does */
	struct iovec parts[2] = { { record, 4 }, { packet, 20 + sizeof(echo) } };
	assert_int_equal(writev(fd, parts, 2), 4 + 20 + sizeof(echo));
	assert_int_equal(recv(icmp, got, sizeof(got), 0), 20 + sizeof(echo));
	assert_memory_equal(got + 20, &echo, sizeof(echo));
	close(icmp);
	close(fd);
}

static void
ip6_has_the_number_of_our_headers(void **state)
{
	uint8_t record[2048], got[16];
	int fd = utun_connect(1), udp = socket_udp(7000);
	size_t size;

	(void)state;
	assert_true(fd >= 0);
	network_address6("utun0", "fd00:9::1");
	socket_udp_send(udp, "fd00:9::2", 9, "hello", 5);
	do { /* Linux says who it is first */
		assert_true(utun_read(fd, record, sizeof(record)) > 44);
	} while (record[4 + 6] != IPPROTO_UDP);
	assert_memory_equal(record, ((uint8_t[]){ 0, 0, 0, AF_INET6 }), 4);
	assert_int_equal(record[4] >> 4, 6);

	size = packet_udp6(record + 4, "fd00:9::2", "fd00:9::1", 7000, "hi", 2);
	record[3] = 30; /* Darwin's */
	assert_int_equal(write(fd, record, 4 + size), 4 + size);
	assert_int_equal(recv(udp, got, sizeof(got), 0), 2);
	close(udp);
	close(fd);
}

static void
more_than_the_buffer_is_refused(void **state)
{
	uint8_t *large = calloc(1, UTUN_BUFFER + 1), got[4];
	int fd = utun_with_addresses(), udp = socket_udp(7000);
	size_t size;

	(void)state;
	large[3] = 2;
	assert_int_equal(write(fd, large, UTUN_BUFFER + 1), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(write(fd, large, UTUN_BUFFER), UTUN_BUFFER); /* and dropped */
	assert_int_equal(write(fd, large, 3), 3);
	size = packet_udp(large + 4, "10.9.0.2", "10.9.0.1", 7000, "still", 4);
	assert_int_equal(write(fd, large, 4 + size), 4 + size);
	assert_int_equal(recv(udp, got, sizeof(got), 0), 4);
	close(udp);
	close(fd);
	free(large);
}

static void
a_short_read_cuts_the_packet(void **state)
{
	int fd = utun_with_addresses(), udp = socket_udp(7000);
	uint8_t record[2048];
	struct iovec part = { record, 10 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	(void)state;
	socket_udp_send(udp, "10.9.0.2", 9, "1", 1);
	socket_udp_send(udp, "10.9.0.2", 9, "2", 1);
	assert_int_equal(recvmsg(fd, &message, 0), 10);
	assert_true(message.msg_flags & MSG_TRUNC);
	part.iov_len = sizeof(record);
	assert_int_equal(recvmsg(fd, &message, 0), 33);
	assert_int_equal(message.msg_flags & (MSG_TRUNC | MSG_EOR), MSG_EOR);
	assert_int_equal(record[32], '2');
	close(udp);
	close(fd);
}

static void
a_slow_reader_gets_every_packet(void **state)
{
	static const uint32_t pendings[] = { 1, 8, 1000 };
	uint8_t record[2048];
	int fd, udp;

	(void)state;
	for (size_t i = 0; i < sizeof(pendings) / sizeof(pendings[0]); i++) {
		uint32_t pending = pendings[i];
		socklen_t size = sizeof(pending);
		int room = i == 2 ? 4000 : 512 * 1024; /* fewer bytes than packets */

		fd = utun_with_addresses();
		udp = socket_udp(7000);
		assert_int_equal(setsockopt(fd, SYSPROTO_CONTROL, UTUN_OPT_MAX_PENDING_PACKETS,
					    &pending, sizeof(pending)),
				 0);
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
		for (uint32_t n = 0; n < 200; n++)
			socket_udp_send(udp, "10.9.0.2", 9, &n, sizeof(n));
		for (uint32_t n = 0; n < 200; n++) {
			assert_int_equal(utun_read(fd, record, sizeof(record)), 4 + 28 + 4);
			assert_memory_equal(record + 32, &n, sizeof(n));
		}
		assert_int_equal(
		    getsockopt(fd, SYSPROTO_CONTROL, UTUN_OPT_MAX_PENDING_PACKETS, &pending, &size),
		    0);
		assert_int_equal(pending, pendings[i]);
		close(udp);
		close(fd);
	}
}

/* ---- a stream
 * ------------------------------------------------------------------------------------------- */

/*
 * The other side of the interface is a mirror: each packet goes back with its addresses swapped,
 * which no checksum minds.  So a connection to 10.9.0.2 is one to ourselves, and every byte goes
 * through the program twice.
 */
static void *
mirror(void *argument)
{
	int fd = *(int *)argument;
	uint8_t record[70000];
	ssize_t size;

	while ((size = read(fd, record, sizeof(record))) > 0) {
		if (record[4] >> 4 != 4)
			continue;
		if (size == 33 && record[32] == '.') /* the end */
			break;
		swap_bytes(record + 16, record + 20, 4);
		if (write(fd, record, (size_t)size) != size)
			break;
	}
	return NULL;
}

#define STREAM_BYTES (4u << 20)

static void *
stream_write(void *argument)
{
	static uint8_t block[65536];
	int fd = *(int *)argument;

	for (uint32_t at = 0; at < STREAM_BYTES; at += sizeof(block)) {
		for (uint32_t i = 0; i < sizeof(block); i++)
			block[i] = (uint8_t)((at + i) * 2654435761u >> 24);
		for (uint32_t done = 0; done < sizeof(block);) {
			ssize_t n = send(fd, block + done, sizeof(block) - done, MSG_NOSIGNAL);

			if (n <= 0)
				return NULL;
			done += (uint32_t)n;
		}
	}
	shutdown(fd, SHUT_WR);
	return NULL;
}

static void
a_stream_goes_through(void **state)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(7001) }, there = here;
	struct timeval wait = { .tv_sec = WAIT_MS / 1000 };
	static uint8_t block[65536];
	pthread_t mirror_thread, writer;
	int fd = utun_with_addresses(), udp = socket_udp(7000);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int from = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), to, on = 1;
	uint32_t at = 0;
	ssize_t got;

	(void)state;
	inet_pton(AF_INET, "10.9.0.1", &here.sin_addr);
	inet_pton(AF_INET, "10.9.0.2", &there.sin_addr);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(listener, (struct sockaddr *)&here, sizeof(here)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	assert_int_equal(setsockopt(from, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)), 0);
	assert_int_equal(pthread_create(&mirror_thread, NULL, mirror, &fd), 0);

	assert_int_equal(connect(from, (struct sockaddr *)&there, sizeof(there)), 0);
	to = accept(listener, NULL, NULL);
	assert_true(to >= 0);
	assert_int_equal(setsockopt(to, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	assert_int_equal(pthread_create(&writer, NULL, stream_write, &from), 0);
	while ((got = recv(to, block, sizeof(block), 0)) > 0)
		for (ssize_t i = 0; i < got; i++, at++)
			if (block[i] != (uint8_t)(at * 2654435761u >> 24))
				fail_msg("byte %u is wrong", at);
	assert_int_equal(got, 0);
	assert_int_equal(at, STREAM_BYTES);
	pthread_join(writer, NULL);
	close(from);
	close(to);
	close(listener);
	socket_udp_send(udp, "10.9.0.2", 9, ".", 1);
	pthread_join(mirror_thread, NULL);
	close(udp);
	close(fd);
}

/* ---- the end
 * --------------------------------------------------------------------------------------------- */

static void
the_last_close_takes_the_interface_away(void **state)
{
	int fd = utun_connect(9), status, copy;
	pid_t child;

	(void)state;
	assert_true(fd >= 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(fd);
		_exit(network_flags("utun8") >= 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	copy = dup(fd);
	close(fd);
	assert_true(network_flags("utun8") >= 0);
	close(copy);
	assert_int_equal(network_flags("utun8"), -1);
}

static void
a_killed_program_leaves_no_interface(void **state)
{
	int ready[2], status;
	pid_t child;
	char byte;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (utun_connect(9) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_true(network_flags("utun8") >= 0);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(network_is_gone("utun8"));
	int fd = utun_connect(9);
	assert_true(fd >= 0);
	close(fd);
}

static void
a_dead_end_gives_its_unit_back(void **state)
{
	/* an interface of that name is there: the connect callback fails */
	int others = network_tap("utun11"), fd;
	struct sockaddr_ctl address;
	char byte;

	(void)state;
	fd = utun_socket(&address, 12);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(read(fd, &byte, 1), 0); /* this socket is shut for good */
	close(others);
	assert_true(network_is_gone("utun11"));
	close(fd);
	fd = utun_connect(12);
	assert_true(fd >= 0);
	close(fd);
}

static int
run(const char *a, const char *b, const char *c)
{
	char *const words[] = { berth, (char *)(uintptr_t)a, (char *)(uintptr_t)b,
				(char *)(uintptr_t)c, NULL };
	int status;
	pid_t child = fork();

	if (child == 0) {
		execv(berth, words);
		_exit(127);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status)
		   ? WEXITSTATUS(status)
		   : -1;
}

static void
the_kext_unloads_when_nobody_uses_it(void **state)
{
	int fd = utun_connect(1), status;

	(void)state;
	assert_true(fd >= 0);
	status = run("kext", "unload", "org.berth.utun");
	assert_int_not_equal(status, 0);
	assert_true(network_flags("utun0") >= 0); /* and works on */
	close(fd);
	assert_true(network_is_gone("utun0")); /* the kext hears of it a little later */
	assert_int_equal(run("kext", "unload", "org.berth.utun"), 0);
	assert_int_equal(run("kext", "load", kext), 0);
	fd = utun_connect(1);
	assert_true(fd >= 0);
	close(fd);
	assert_true(network_is_gone("utun0")); /* the kext hears of it a little later */
	assert_int_equal(run("kext", "unload", "org.berth.utun"), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unit_0_is_another_interface_each_time),
		cmocka_unit_test(unit_5_is_utun4_and_taken_then),
		cmocka_unit_test(a_name_comes_with_the_connection),
		cmocka_unit_test(a_bound_socket_is_configured_and_holds_its_unit),
		cmocka_unit_test(only_root_connects),
		cmocka_unit_test(the_other_side_answers_a_ping),
		cmocka_unit_test(ip6_has_the_number_of_our_headers),
		cmocka_unit_test(more_than_the_buffer_is_refused),
		cmocka_unit_test(a_short_read_cuts_the_packet),
		cmocka_unit_test(a_slow_reader_gets_every_packet),
		cmocka_unit_test(a_stream_goes_through),
		cmocka_unit_test(the_last_close_takes_the_interface_away),
		cmocka_unit_test(a_killed_program_leaves_no_interface),
		cmocka_unit_test(a_dead_end_gives_its_unit_back),
		cmocka_unit_test(the_kext_unloads_when_nobody_uses_it),
	};

	if (argc == 3) {
		if (!network_enter())
			return MESON_SKIP;
		execl(argv[1], argv[1], "run", "--", argv[0], argv[1], argv[2], "inside", NULL);
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	if (argc != 4) {
		fprintf(stderr, "usage: %s BERTH UTUN.kext\n", argv[0]);
		return 2;
	}
	berth = argv[1];
	kext = argv[2];
	if (run("kext", "load", kext)) {
		fprintf(stderr, "%s cannot be loaded\n", kext);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
