/*
 * Who did it: identities that messages carry.
 */
#ifndef _BSM_AUDIT_H_
#define _BSM_AUDIT_H_

#include <stdint.h>
#include <sys/types.h>

#include <mach/message.h>
#include <mach/port.h>

typedef uid_t au_id_t;   /* who logged in */
typedef pid_t au_asid_t; /* the session */
typedef uint16_t au_event_t;
typedef uint16_t au_emod_t;
typedef uint32_t au_class_t;

#define AU_DEFAUDITID ((uid_t)-1) /* nobody logged in */
#define AU_DEFAUDITSID 0
#define AU_ASSIGN_ASID (-1)

#define AU_IPv4 4
#define AU_IPv6 16

struct au_tid {
	dev_t port;
	uint32_t machine;
};
typedef struct au_tid au_tid_t;

struct au_tid_addr {
	dev_t at_port;
	uint32_t at_type;    /* AU_IPv4 or AU_IPv6 */
	uint32_t at_addr[4]; /* in network order */
};
typedef struct au_tid_addr au_tid_addr_t;

struct au_mask {
	unsigned int am_success;
	unsigned int am_failure;
};
typedef struct au_mask au_mask_t;

#endif
