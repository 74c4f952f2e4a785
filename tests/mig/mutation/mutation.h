/*
 * One process that is client and server, through generated stubs, with every message changed
 * on its way: what the two halves share.
 */
#ifndef TESTS_MIG_MUTATION_H
#define TESTS_MIG_MUTATION_H

#include "mig_test.h"

#define BLOCK_SIZE (64 * 1024)
#define NAMES_MOST 64

/* Choices, from the seed. */
uint32_t choose(uint32_t count);

extern mach_port_t service;   /* where requests go; send and receive right */
extern mach_port_t held;      /* what rights in messages are to; the same */
extern uint8_t *memory_block; /* what memory in messages is; never freed by a message */
extern mach_port_t held_names[NAMES_MOST];

/* Look at every byte. */
void touch(const void *bytes, size_t size);
/* Look at @size bytes that came out of line, and free them. */
void memory_use(const void *memory, size_t size);
/* Use up a right that came as @disposition, a received one; and @count of them. */
void right_use(mach_port_t name, mach_msg_type_name_t disposition);
void rights_use(const mach_port_t *names, uint32_t count, mach_msg_type_name_t disposition);

/* The server's side: serve @request, as mach_msg_server() would; the reply is in @reply, of
 * which nothing is to be sent if its remote port is MACH_PORT_NULL. */
void serve(mach_msg_header_t *request, mach_msg_header_t *reply);
extern mach_port_t served_reply_right; /* of the request that is served */

/* A change of a message, by the seed: a copy with rights and memory of its own. */
struct changed {
	union {
		mach_msg_header_t header;
		uint8_t bytes[8192];
	};
	size_t size;
};

/*
 * Copy the message @original of @size bytes, and change it @changes times.  The original is
 * only read; what the copy names belongs to it until it is sent.
 */
void change(const mach_msg_header_t *original, size_t size, unsigned changes, struct changed *copy);

#endif
