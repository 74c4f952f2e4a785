/*
 * utun: network interfaces whose packets a program reads and writes.
 *
 * A program connects a socket of PF_SYSTEM to the control UTUN_CONTROL_NAME as root: unit N
 * (from 1) becomes interface utun(N-1), unit 0 the first that is free.  Each record on the socket
 * is one packet: its family, AF_INET or AF_INET6, in 4 bytes in network order, then the packet.
 * The interface lives as long as the connection.
 *
 * Options are of level SYSPROTO_CONTROL.  Those to be set before connect() need a bind() first.
 *
 * Source: builtin-controls.md §2.
 */
#ifndef BERTH_NET_IF_UTUN_H
#define BERTH_NET_IF_UTUN_H

#include <sys/types.h>

#define UTUN_CONTROL_NAME "com.apple.net.utun_control"

#define UTUN_OPT_FLAGS 1                   /* u_int32_t: UTUN_FLAGS_*; before connect */
#define UTUN_OPT_IFNAME 2                  /* get: the interface's name, with its NUL */
#define UTUN_OPT_EXT_IFDATA_STATS 3        /* int: the program counts; after connect */
#define UTUN_OPT_INC_IFDATA_STATS_IN 4     /* set: struct utun_stats_param, to be added */
#define UTUN_OPT_INC_IFDATA_STATS_OUT 5    /* the same */
#define UTUN_OPT_SET_DELEGATE_INTERFACE 15 /* set: a name, or nothing; after connect */
#define UTUN_OPT_MAX_PENDING_PACKETS 16    /* u_int32_t: packets that wait in the socket */

/* Apple's packet channels.  There are none here: what configures them is kept, no more. */
#define UTUN_OPT_ENABLE_CHANNEL 17    /* int; after connect */
#define UTUN_OPT_GET_CHANNEL_UUID 18  /* get: ENXIO without a channel */
#define UTUN_OPT_ENABLE_FLOWSWITCH 19 /* int; after connect */
#define UTUN_OPT_ENABLE_NETIF 20      /* int; before connect, as all that follow */
#define UTUN_OPT_SLOT_SIZE 21         /* u_int32_t: 1024 ... 32768 */
#define UTUN_OPT_NETIF_RING_SIZE 22   /* u_int32_t: 8 ... 1024, as those that follow */
#define UTUN_OPT_TX_FSW_RING_SIZE 23
#define UTUN_OPT_RX_FSW_RING_SIZE 24
#define UTUN_OPT_KPIPE_TX_RING_SIZE 25
#define UTUN_OPT_KPIPE_RX_RING_SIZE 26
#define UTUN_OPT_ATTACH_FLOWSWITCH 27 /* int */

#define UTUN_FLAGS_NO_OUTPUT 0x1        /* packets to the program are dropped */
#define UTUN_FLAGS_NO_INPUT 0x2         /* packets from the program are dropped */
#define UTUN_FLAGS_ENABLE_PROC_UUID 0x4 /* 16 bytes follow the family, both ways */

struct utun_stats_param {
	u_int64_t utsp_packets;
	u_int64_t utsp_bytes;
	u_int64_t utsp_errors;
};

#endif
