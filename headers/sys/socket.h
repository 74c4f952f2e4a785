/*
 * Sockets: the C library's, and Darwin's system domain.
 *
 * Source: kernel-control.md §1.
 */
#ifndef BERTH_SYS_SOCKET_H
#define BERTH_SYS_SOCKET_H

#include_next <sys/socket.h>

/* The number is AF_IUCV's on Linux, which only mainframes have. */
#define AF_SYSTEM 32
#define PF_SYSTEM AF_SYSTEM

/* Options of SOL_SOCKET that Linux lacks, with Darwin's numbers: on system sockets only. */
#ifndef SO_NREAD
#define SO_NREAD 0x1020     /* bytes of the first record */
#define SO_NUMRCVPKT 0x1112 /* records queued */
#define SO_NOSIGPIPE 0x1022 /* EPIPE without SIGPIPE */
#define SO_DONTTRUNC 0x2000 /* keep what a read of a record leaves over */
#endif

#endif
