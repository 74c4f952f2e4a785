/*
 * What the clients and servers of these tests share: checks, values that both sides know,
 * and counts of what a task holds.
 */
#ifndef TESTS_MIG_TEST_H
#define TESTS_MIG_TEST_H

#include <mach/mach.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A check that fails says where, and ends the program. */
#define expect(condition_) ((condition_) ? (void)0 : expect_failed(__FILE__, __LINE__, #condition_))
#define expect_equal(got_, wanted_)                                                                \
	do {                                                                                       \
		long long got__ = (long long)(got_), wanted__ = (long long)(wanted_);              \
		if (got__ != wanted__)                                                             \
			expect_differs(__FILE__, __LINE__, #got_, got__, wanted__);                \
	} while (0)

__attribute__((noreturn)) void expect_failed(const char *file, int line, const char *text);
__attribute__((noreturn)) void expect_differs(const char *file, int line, const char *text,
					      long long got, long long wanted);

/* ---- values that both sides compute ------------------------------------------------------ */

/* The @index-th of the values that @seed names. */
uint64_t value_of(uint64_t seed, uint64_t index);
/* Fill @size bytes with them; and are they so filled? */
void values_fill(void *bytes, size_t size, uint64_t seed);
bool values_match(const void *bytes, size_t size, uint64_t seed);

/* ---- ports ------------------------------------------------------------------------------- */

mach_port_t receive_right_new(void);
void receive_right_end(mach_port_t port);
/* A receive right and, under the same name, a send right; and both given up. */
mach_port_t port_new(void);
void port_end(mach_port_t port);
mach_port_type_t right_type(mach_port_t name); /* MACH_PORT_TYPE_*, 0: there is none */
mach_port_urefs_t right_urefs(mach_port_t name, mach_port_right_t right);

/* Use the right @name, a send or send-once right that stays or is used up as @disposition
 * says, to send @number; and take one that must be there. */
void number_send(mach_port_t name, mach_msg_type_name_t disposition, int number);
int number_receive(mach_port_t port);

/* ---- what this task holds ---------------------------------------------------------------- */

struct holdings {
	unsigned names;
	unsigned urefs[MACH_PORT_RIGHT_NUMBER]; /* summed over all names, by right */
};

struct holdings holdings_now(void);
/* Ends the program, with both told, if they differ. */
#define holdings_expect_equal(got_, wanted_) holdings_compare(__FILE__, __LINE__, (got_), (wanted_))
void holdings_compare(const char *file, int line, struct holdings got, struct holdings wanted);

/* Bytes of address space. */
uint64_t memory_mapped(void);
bool memory_is_mapped(const void *address);
/* Memory by vm_allocate. */
void *memory_new(size_t size);
void memory_end(const void *address, size_t size);

#endif
