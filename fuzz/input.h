/*
 * Bytes taken one after the other; zeroes when there are no more.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

struct input {
	const uint8_t *at, *end;
};

static inline uint8_t
take_byte(struct input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

static inline uint64_t
take_word(struct input *input, unsigned size)
{
	uint64_t word = 0;

	for (unsigned i = 0; i < size; i++)
		word |= (uint64_t)take_byte(input) << 8 * i;
	return word;
}

#endif
