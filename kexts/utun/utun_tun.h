/*
 * The Linux side of utun: TUN devices.  What stands behind it knows libc and no KPI.
 *
 * Functions give 0, a number, or -errno.
 */
#ifndef BERTH_KEXTS_UTUN_UTUN_TUN_H
#define BERTH_KEXTS_UTUN_UTUN_TUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TUN_PACKET_MAX 65535u
#define TUN_PARTS_MAX 16

/* A piece of a packet. */
struct tun_part {
	void *bytes;
	size_t size;
};

/* An interface, and the thread that reads it. */
struct tun {
	int fd;      /* -1: none */
	int stop_fd; /* readable: the thread shall end */
	bool has_thread;
	uintptr_t thread;
};

#define TUN_NONE ((struct tun){ .fd = -1, .stop_fd = -1 })

/*
 * Makes the interface @name, which must not be there, and sets it up.  It is gone after
 * tun_close().
 *
 * 0; -EBUSY: there is one; -ENXIO: no TUN on this machine; else as Linux says
 */
int tun_open(struct tun *tun, const char *name);
void tun_close(struct tun *tun);

/*
 * Runs @run(@argument) on a thread, which tun_stop() ends: it makes tun_wait() return and waits
 * for the end.  The KPI's threads cannot be waited for, and this one has to be out of the
 * extension's code before that may be unmapped.
 */
int tun_start(struct tun *tun, void (*run)(void *), void *argument);
void tun_stop(struct tun *tun);

/* One packet into @packet, without waiting.  Its size; -EAGAIN: there is none. */
int tun_read(const struct tun *tun, void *packet, size_t size);
/* Waits for a packet.  0; -ECANCELED: tun_stop() was called; else the interface is gone. */
int tun_wait(const struct tun *tun);
/* One packet, without waiting. */
int tun_write(const struct tun *tun, const struct tun_part *parts, int count);

/* Is there an interface @name? */
bool tun_interface_exists(const char *name);

#endif
