/*
 * Notifications: what the kernel tells about rights, as messages to a send-once right.
 */
#ifndef _MACH_NOTIFY_H_
#define _MACH_NOTIFY_H_

#include <mach/message.h>
#include <mach/ndr.h>
#include <mach/port.h>

#define MACH_NOTIFY_FIRST 0100
#define MACH_NOTIFY_PORT_DELETED (MACH_NOTIFY_FIRST + 01)
#define MACH_NOTIFY_SEND_POSSIBLE (MACH_NOTIFY_FIRST + 02)
#define MACH_NOTIFY_PORT_DESTROYED (MACH_NOTIFY_FIRST + 05)
#define MACH_NOTIFY_NO_SENDERS (MACH_NOTIFY_FIRST + 06)
#define MACH_NOTIFY_SEND_ONCE (MACH_NOTIFY_FIRST + 07)
#define MACH_NOTIFY_DEAD_NAME (MACH_NOTIFY_FIRST + 010)
#define MACH_NOTIFY_LAST (MACH_NOTIFY_FIRST + 015)

typedef mach_port_t notify_port_t;

/* A name with a request on it was deleted. */
typedef struct {
	mach_msg_header_t not_header;
	NDR_record_t NDR;
	mach_port_name_t not_port; /* no right: a name only */
	mach_msg_format_0_trailer_t trailer;
} mach_port_deleted_notification_t;

/* A queue that was full has room. */
typedef struct {
	mach_msg_header_t not_header;
	NDR_record_t NDR;
	mach_port_name_t not_port; /* no right: a name only */
	mach_msg_format_0_trailer_t trailer;
} mach_send_possible_notification_t;

/* A receive right was given up: here it is. */
typedef struct {
	mach_msg_header_t not_header;
	mach_msg_body_t not_body;
	mach_msg_port_descriptor_t not_port;
	mach_msg_format_0_trailer_t trailer;
} mach_port_destroyed_notification_t;

/* The last send right is gone. */
typedef struct {
	mach_msg_header_t not_header;
	NDR_record_t NDR;
	mach_msg_type_number_t not_count; /* the make-send count */
	mach_msg_format_0_trailer_t trailer;
} mach_no_senders_notification_t;

/* A send-once right was given up unused. */
typedef struct {
	mach_msg_header_t not_header;
	mach_msg_format_0_trailer_t trailer;
} mach_send_once_notification_t;

/* A port died.  The name has got one more reference for this message. */
typedef struct {
	mach_msg_header_t not_header;
	NDR_record_t NDR;
	mach_port_name_t not_port;
	mach_msg_format_0_trailer_t trailer;
} mach_dead_name_notification_t;

#endif
