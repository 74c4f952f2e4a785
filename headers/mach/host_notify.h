/*
 * What the host tells about: host_request_notification().
 */
#ifndef _MACH_HOST_NOTIFY_H_
#define _MACH_HOST_NOTIFY_H_

#include <mach/vm_types.h>

typedef integer_t host_notify_type_t;

#endif
