/*
 * What both sides of a random interface use.
 */
#ifndef TESTS_MIG_RANDOM_SIDE_H
#define TESTS_MIG_RANDOM_SIDE_H

#include "mig_test.h"

/* The seed of an argument's values, how many elements it has and how long a string is, in
 * the @v-th call of its routine. */
#define SEED(v_, index_) ((uint64_t)(v_)*100000 + (index_))
#define COUNT(v_, index_, most_) count_of((v_), (index_), (most_))
#define LENGTH(v_, index_, size_) count_of((v_), (index_), (size_)-1)

/* None, one, the most, and anything between. */
static inline mach_msg_type_number_t
count_of(uint32_t v, uint32_t index, mach_msg_type_number_t most)
{
	switch ((v + index / 2) % 4) {
	case 0:
		return 0;
	case 1:
		return most;
	case 2:
		return most > 0;
	default:
		return (mach_msg_type_number_t)(value_of(v, index) % (most + 1));
	}
}

static inline void
text_fill(char *text, mach_msg_type_number_t length, uint64_t seed)
{
	for (mach_msg_type_number_t i = 0; i < length; i++)
		text[i] = (char)('a' + value_of(seed, i) % 26);
	text[length] = '\0';
}

static inline bool
text_match(const char *text, mach_msg_type_number_t length, uint64_t seed)
{
	for (mach_msg_type_number_t i = 0; i < length; i++)
		if (text[i] != (char)('a' + value_of(seed, i) % 26))
			return false;
	return text[length] == '\0';
}

/* NULL if @size is 0. */
static inline void *
memory_filled(size_t size, uint64_t seed)
{
	void *memory = size > 0 ? memory_new(size) : NULL;

	values_fill(memory, size, seed);
	return memory;
}

static inline void
memory_taken(const void *memory, size_t size)
{
	if (size > 0)
		memory_end(memory, size);
}

static inline mach_port_t *
rights_new(mach_msg_type_number_t count)
{
	return memory_filled(count * sizeof(mach_port_t), 0);
}

/* The port of this side: what rights are given to. */
extern mach_port_t own;

/* A name to be given as @disposition. */
static inline mach_port_t
right_given(mach_msg_type_name_t disposition)
{
	if (disposition == MACH_MSG_TYPE_MOVE_SEND)
		expect_equal(mach_port_mod_refs(mach_task_self(), own, MACH_PORT_RIGHT_SEND, 1), 0);
	return own;
}

static inline void
rights_given(mach_port_t *names, mach_msg_type_number_t count, mach_msg_type_name_t disposition)
{
	for (mach_msg_type_number_t i = 0; i < count; i++)
		names[i] = right_given(disposition);
}

/* A right has come: it is of this kind; and is given up. */
static inline void
right_taken(mach_port_t name, bool once)
{
	expect_equal(right_type(name), once ? MACH_PORT_TYPE_SEND_ONCE : MACH_PORT_TYPE_SEND);
	expect_equal(mach_port_deallocate(mach_task_self(), name), 0);
}

static inline void
rights_taken(const mach_port_t *names, mach_msg_type_number_t count, bool once)
{
	for (mach_msg_type_number_t i = 0; i < count; i++)
		right_taken(names[i], once);
}

/* The server counts its calls. */
extern uint32_t called;

/* Each routine of the client, called with everything chosen by @v. */
typedef void call_function(mach_port_t server, uint32_t v);
extern call_function *const calls[];
extern const unsigned call_count;

#endif
