/*
 * A network of the test's own, and what a test does in it: addresses, packets.
 */
#ifndef BERTH_TESTS_KEXTS_UTUN_NETWORK_H
#define BERTH_TESTS_KEXTS_UTUN_NETWORK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESON_SKIP 77 /* exit status: not tried */

/* Go into a new network namespace.  False, and why on stderr: this machine, or this user, may
 * not, or has no TUN. */
bool network_enter(void);

/* Give interface @name the address @local, and @peer at its other end. */
void network_address(const char *name, const char *local, const char *peer);
/* The same for IPv6. */
void network_address6(const char *name, const char *local);

/* IFF_* and MTU; -1: there is no such interface. */
int network_flags(const char *name);
int network_mtu(const char *name);
void network_set_mtu(const char *name, int mtu);
/* An interface of somebody else; it lives as long as the descriptor. */
int network_tap(const char *name);
/* Take the interface away. */
void network_delete(const char *name);
/* Waits until there is none of that name. */
bool network_is_gone(const char *name);

/* An IPv4 packet with UDP: its size. */
size_t packet_udp(uint8_t *packet, const char *from, const char *to, uint16_t port,
		  const void *data, size_t size);
size_t packet_udp6(uint8_t *packet, const char *from, const char *to, uint16_t port,
		   const void *data, size_t size);

/* A UDP socket on @port of any address, v4 and v6; waits 20 seconds at most. */
int socket_udp(uint16_t port);
void socket_udp_send(int fd, const char *to, uint16_t port, const void *data, size_t size);

#endif
