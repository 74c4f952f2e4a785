/*
 * What programs do with descriptors that are no system sockets: ordinary.py compares the system
 * calls that this makes with and without the library.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

int
main(void)
{
	char bytes[16] = "";
	struct iovec part = { bytes, 1 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct mmsghdr many = { .msg_hdr = message };
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct epoll_event event = { .events = EPOLLIN };
	socklen_t size = sizeof(address);
	int pair[2], number = 1;
	ssize_t result = access("/begin", F_OK);

	result += socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	result += write(pair[0], "abc", 3) + read(pair[1], bytes, 3);
	result += send(pair[0], "x", 1, 0) + recv(pair[1], bytes, 1, 0);
	result += sendto(pair[0], "x", 1, 0, NULL, 0) + recvfrom(pair[1], bytes, 1, 0, NULL, NULL);
	result += sendmsg(pair[0], &message, 0) + recvmsg(pair[1], &message, 0);
	result += writev(pair[0], &part, 1) + readv(pair[1], &part, 1);
	result += sendmmsg(pair[0], &many, 1, 0) + recvmmsg(pair[1], &many, 1, 0, NULL);

	int epoll = epoll_create1(0);
	result +=
	    epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event) + epoll_wait(epoll, &event, 1, 0);

	int datagram = socket(AF_INET, SOCK_DGRAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	result += bind(datagram, (struct sockaddr *)&address, sizeof(address));
	result += getsockname(datagram, (struct sockaddr *)&address, &size);
	result += connect(datagram, (struct sockaddr *)&address, size);
	result += getpeername(datagram, (struct sockaddr *)&address, &size);
	result += setsockopt(datagram, SOL_SOCKET, SO_REUSEADDR, &number, sizeof(number));
	size = sizeof(number);
	result += getsockopt(datagram, SOL_SOCKET, SO_TYPE, &number, &size);
	result += ioctl(datagram, FIONREAD, &number);

	int stream = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	result += listen(stream, 1) + accept(stream, NULL, NULL) + accept4(stream, NULL, NULL, 0);
	result += shutdown(stream, SHUT_RDWR);

	int file = open("/dev/null", O_RDWR);
	int copy = dup(file);
	result += dup2(file, copy) + dup3(file, copy, O_CLOEXEC) + fcntl(file, F_DUPFD, 30);
	result += fcntl(file, F_GETFL) + close(copy);
	result += close_range(40, 50, 0);
	closefrom(3);
	return result == -77; /* it is not; and nobody can say that it is not looked at */
}
