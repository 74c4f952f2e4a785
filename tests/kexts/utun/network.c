#include "tests/kexts/utun/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_S 20

static bool
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

bool
network_enter(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char text[64];
	int fd;

	if (unshare(uid == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET)) {
		fprintf(stderr, "no network namespace of our own: %s\n", strerror(errno));
		return false;
	}
	if (uid != 0) {
		snprintf(text, sizeof(text), "0 %u 1", (unsigned)uid);
		(void)write_file("/proc/self/setgroups", "deny");
		if (!write_file("/proc/self/uid_map", text)) {
			fprintf(stderr, "no user namespace of our own: %s\n", strerror(errno));
			return false;
		}
		snprintf(text, sizeof(text), "0 %u 1", (unsigned)gid);
		(void)write_file("/proc/self/gid_map", text);
	}
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "/dev/net/tun: %s\n", strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

/* ---- interfaces -------------------------------------------------------------------------------
 */

static int
control(unsigned long what, struct ifreq *request, const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result;

	assert_true(fd >= 0);
	snprintf(request->ifr_name, IFNAMSIZ, "%s", name);
	result = ioctl(fd, what, request) ? -errno : 0;
	close(fd);
	return result;
}

static void
control_address(unsigned long what, const char *name, const char *address)
{
	struct ifreq request = { 0 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
	memcpy(&request.ifr_addr, &in, sizeof(in));
	assert_int_equal(control(what, &request, name), 0);
}

void
network_address(const char *name, const char *local, const char *peer)
{
	control_address(SIOCSIFADDR, name, local);
	control_address(SIOCSIFDSTADDR, name, peer);
}

void
network_address6(const char *name, const char *local)
{
	/* memcheck takes it for what IPv4 wants, which is longer */
	union {
		struct ifreq longest;
		struct {
			struct in6_addr address;
			uint32_t prefix_bits;
			int index;
		};
	} request = { .longest = { .ifr_name = "" } };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	request.prefix_bits = 64;
	request.index = (int)if_nametoindex(name);
	assert_int_equal(inet_pton(AF_INET6, local, &request.address), 1);
	assert_int_equal(ioctl(fd, SIOCSIFADDR, &request), 0);
	close(fd);
}

int
network_flags(const char *name)
{
	struct ifreq request = { 0 };

	return control(SIOCGIFFLAGS, &request, name) ? -1 : (uint16_t)request.ifr_flags;
}

int
network_mtu(const char *name)
{
	struct ifreq request = { 0 };

	return control(SIOCGIFMTU, &request, name) ? -1 : request.ifr_mtu;
}

void
network_set_mtu(const char *name, int mtu)
{
	struct ifreq request = { .ifr_mtu = mtu };

	assert_int_equal(control(SIOCSIFMTU, &request, name), 0);
}

int
network_tap(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	return fd;
}

void
network_delete(const char *name)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
	} request = {
		.head = { .nlmsg_len = sizeof(request),
			  .nlmsg_type = RTM_DELLINK,
			  .nlmsg_flags = NLM_F_REQUEST },
		.link = { .ifi_index = (int)if_nametoindex(name) },
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	assert_true(fd >= 0);
	assert_int_equal(send(fd, &request, sizeof(request), 0), sizeof(request));
	close(fd);
}

bool
network_is_gone(const char *name)
{
	for (int i = 0; i < WAIT_S * 100; i++) {
		if (if_nametoindex(name) == 0)
			return true;
		usleep(10000);
	}
	return false;
}

/* ---- packets ----------------------------------------------------------------------------------
 */

static uint32_t
sum_of(const void *data, size_t size, uint32_t sum)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		sum += (uint32_t)bytes[i] << (i % 2 ? 0 : 8);
	return sum;
}

static uint16_t
checksum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void
udp_fill(uint8_t *at, uint16_t port, const void *data, size_t size, uint32_t sum)
{
	struct udphdr udp = { .source = htons(9), .dest = htons(port) };

	udp.len = htons((uint16_t)(sizeof(udp) + size));
	memcpy(at, &udp, sizeof(udp));
	memcpy(at + sizeof(udp), data, size);
	udp.check = checksum(sum_of(at, sizeof(udp) + size, sum));
	memcpy(at, &udp, sizeof(udp));
}

size_t
packet_udp(uint8_t *packet, const char *from, const char *to, uint16_t port, const void *data,
	   size_t size)
{
	size_t udp_size = sizeof(struct udphdr) + size, total = sizeof(struct ip) + udp_size;
	struct ip ip = { .ip_hl = 5, .ip_v = 4, .ip_ttl = 64, .ip_p = IPPROTO_UDP };
	uint32_t sum;

	ip.ip_len = htons((uint16_t)total);
	assert_int_equal(inet_pton(AF_INET, from, &ip.ip_src), 1);
	assert_int_equal(inet_pton(AF_INET, to, &ip.ip_dst), 1);
	ip.ip_sum = checksum(sum_of(&ip, sizeof(ip), 0));
	memcpy(packet, &ip, sizeof(ip));
	sum = sum_of(&ip.ip_src, 8, IPPROTO_UDP + (uint32_t)udp_size);
	udp_fill(packet + sizeof(ip), port, data, size, sum);
	return total;
}

size_t
packet_udp6(uint8_t *packet, const char *from, const char *to, uint16_t port, const void *data,
	    size_t size)
{
	size_t udp_size = sizeof(struct udphdr) + size;
	struct ip6_hdr ip = { 0 };
	uint32_t sum;

	ip.ip6_vfc = 0x60;
	ip.ip6_plen = htons((uint16_t)udp_size);
	ip.ip6_nxt = IPPROTO_UDP;
	ip.ip6_hlim = 64;
	assert_int_equal(inet_pton(AF_INET6, from, &ip.ip6_src), 1);
	assert_int_equal(inet_pton(AF_INET6, to, &ip.ip6_dst), 1);
	memcpy(packet, &ip, sizeof(ip));
	sum = sum_of(&ip.ip6_src, 32, IPPROTO_UDP + (uint32_t)udp_size);
	udp_fill(packet + sizeof(ip), port, data, size, sum);
	return sizeof(ip) + udp_size;
}

int
socket_udp(uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct timeval wait = { .tv_sec = WAIT_S };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), off = 0, on = 1;

	assert_true(fd >= 0);
	/* one test's failure is not the next one's */
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	return fd;
}

void
socket_udp_send(int fd, const char *to, uint16_t port, const void *data, size_t size)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	char mapped[64];

	snprintf(mapped, sizeof(mapped), strchr(to, ':') ? "%s" : "::ffff:%s", to);
	assert_int_equal(inet_pton(AF_INET6, mapped, &address.sin6_addr), 1);
	/* Linux looks whether an address is another's before it uses it */
	for (int tries = 0; tries < WAIT_S * 100; tries++) {
		if (sendto(fd, data, size, 0, (struct sockaddr *)&address, sizeof(address)) >= 0)
			return;
		if (errno != EADDRNOTAVAIL)
			break;
		usleep(10000);
	}
	fail_msg("a datagram to %s: %s", to, strerror(errno));
}
