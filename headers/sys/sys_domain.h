/*
 * The system domain: sockets whose other side is the kernel.
 *
 * Source: kernel-control.md §1.
 */
#ifndef BERTH_SYS_SYS_DOMAIN_H
#define BERTH_SYS_SYS_DOMAIN_H

#include <sys/socket.h>
#include <sys/types.h>

/* protocols of PF_SYSTEM */
#define SYSPROTO_EVENT 1   /* SOCK_RAW: <sys/kern_event.h> */
#define SYSPROTO_CONTROL 2 /* SOCK_DGRAM, SOCK_STREAM: <sys/kern_control.h> */

#define AF_SYS_CONTROL 2 /* ss_sysaddr of a sockaddr_ctl */

/* The address of anything in the domain. */
struct sockaddr_sys {
	u_char ss_len;
	u_char ss_family; /* AF_SYSTEM */
	u_int16_t ss_sysaddr;
	u_int32_t ss_reserved[7];
};

#endif
