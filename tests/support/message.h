/*
 * Messages: built like a program builds them, received and taken apart.
 *
 *   struct message m = message_to(port, MACH_MSG_TYPE_COPY_SEND);
 *   message_reply(&m, reply, MACH_MSG_TYPE_MAKE_SEND_ONCE);
 *   message_add_port(&m, name, MACH_MSG_TYPE_MOVE_RECEIVE);
 *   assert_ok(msg_send(t, &m, 0, 0));
 */
#ifndef TESTS_MESSAGE_H
#define TESTS_MESSAGE_H

#include "tests/support/world.h"

#define MESSAGE_MAX 8192
#define MESSAGE_PIECES_MAX 256
#define BLOCKED (-1)   /* what msg_send() and msg_receive() say of a trap that parks */
#define ANY_SIZE 65536 /* a receive buffer that is large enough */

struct message {
	uint8_t bytes[MESSAGE_MAX];
	uint32_t size_bytes;
	uint32_t descriptor_count;
	struct kernel_piece pieces[MESSAGE_PIECES_MAX];
	uint32_t piece_count;
	uint32_t tail_from; /* 0: no tail; else what lies from here on is passed as one */
	struct segment *tail;
};

/* The header of @m, to be read and changed. */
mach_msg_header_t *message_header(struct message *m);

struct message message_to(mach_port_name_t remote, uint32_t disposition);
void message_reply(struct message *m, mach_port_name_t local, uint32_t disposition);
void message_id(struct message *m, int32_t id);
/* Makes it complex, with no descriptors yet. */
void message_complex(struct message *m);
void message_add_port(struct message *m, mach_port_name_t name, uint32_t disposition);
void message_add_guarded(struct message *m, mach_port_name_t name, uint64_t context, uint32_t flags,
			 uint32_t disposition);
/* @bytes are borrowed until the message is sent. */
void message_add_ool(struct message *m, const void *bytes, uint32_t size_bytes, bool deallocate,
		     uint32_t copy);
void message_add_ool_segment(struct message *m, struct segment *segment, uint64_t offset_bytes,
			     uint32_t size_bytes);
void message_add_ool_unreadable(struct message *m, uint32_t size_bytes);
void message_add_ool_ports(struct message *m, const mach_port_name_t *names, uint32_t count,
			   uint32_t disposition);
/* Any 12 bytes: the last one is the type. */
void message_add_raw_descriptor(struct message *m, const void *bytes, uint32_t size_bytes);
/* Behind the descriptors; comes last. */
void message_add_data(struct message *m, const void *bytes, uint32_t size_bytes);

/* ---- sending and receiving ------------------------------------------------------------ */

struct descriptor {
	uint32_t type, disposition;
	mach_port_name_t name; /* port, guarded */
	uint32_t size;         /* OOL: bytes; OOL ports: count */
	uint64_t address;
	bool deallocate;
	uint32_t copy;
	uint64_t context;
	uint32_t flags;
	const uint8_t *bytes;          /* OOL */
	const mach_port_name_t *names; /* OOL ports */
	struct kernel_segment *segment;
};

#define RECEIVED_DESCRIPTORS_MAX 256

/*
 * A message as it was received, or as a failed send gave it back.  Memory of more than a
 * few pages is the actor's, until its next trap.
 */
struct received {
	uint64_t buffer; /* enum berth_msg_buffer */
	bool sent;
	mach_msg_header_t header;
	uint32_t size_bytes; /* of the bytes that came */
	uint8_t bytes[ANY_SIZE];
	const uint8_t *data; /* behind the descriptors */
	uint32_t data_size;
	uint32_t descriptor_count;
	struct descriptor descriptors[RECEIVED_DESCRIPTORS_MAX];
	uint32_t trailer_size;
	mach_msg_mac_trailer_t trailer;
	uint8_t memory[ANY_SIZE]; /* what small descriptors point to */
	uint32_t memory_used;
};

/* A send.  BLOCKED: parked.  @option is OR-ed to MACH_SEND_MSG. */
kern_return_t msg_send(struct actor *t, struct message *m, int32_t option, uint32_t timeout_ms);

/* The same with the send size that the caller says. */
kern_return_t msg_send_sized(struct actor *t, struct message *m, uint32_t send_size, int32_t option,
			     uint32_t timeout_ms);

/* A receive; without @r the message is only taken.  BLOCKED: parked. */
kern_return_t msg_receive(struct actor *t, mach_port_name_t name, int32_t option, uint32_t size,
			  uint32_t timeout_ms, struct received *r);

/* Send and receive in one trap. */
kern_return_t msg_send_receive(struct actor *t, struct message *m, int32_t option,
			       uint32_t rcv_size, mach_port_name_t rcv_name, uint32_t timeout_ms,
			       struct received *r);

/* What a parked send or receive came to in the end.  @r may be NULL. */
kern_return_t finished(struct actor *t, struct received *r);

/* What the last trap of @t left in the buffers. */
void received_parse(struct actor *t, struct received *r);

/* ---- short ways ----------------------------------------------------------------------- */

/* A message waits on @name and this is it; fails when there is none. */
void take(struct actor *t, mach_port_name_t name, struct received *r);
/* The id of the message that waits, which is taken; 0: none waits. */
int32_t take_id(struct actor *t, mach_port_name_t name);
/* A header with an id, without blocking. */
kern_return_t send_id(struct actor *t, mach_port_name_t to, uint32_t disposition, int32_t id);
/* @count messages of id 1, 2, ... into the queue of @to. */
void fill(struct actor *t, mach_port_name_t to, uint32_t count);

/*
 * Carries a right of @from to the task of @to over its mailbox: the name it has there.
 */
mach_port_name_t give(struct actor *from, mach_port_name_t name, uint32_t disposition,
		      struct actor *to);

/* The first descriptor of the message that waits in the mailbox of @to. */
mach_port_name_t mailbox_take(struct actor *to);

/* A notification waits on @name and says this; taken. @value is not_port or not_count. */
#define assert_notification(t, name, id, value)                                                    \
	check_notification(t, name, id, value, __FILE__, __LINE__)
void check_notification(struct actor *t, mach_port_name_t name, int32_t id, uint32_t value,
			const char *file, int line);
#define assert_nothing_waits(t, name)                                                              \
	assert_code(msg_receive(t, name, MACH_RCV_TIMEOUT, ANY_SIZE, 0, NULL), MACH_RCV_TIMED_OUT)

/* Where a test that needs one message at a time receives it. */
extern struct received got;

#endif
