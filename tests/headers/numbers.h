/*
 * How layouts.c and constants*.c say what must be.
 */
#ifndef TESTS_HEADERS_NUMBERS_H
#define TESTS_HEADERS_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* A constant and its number. */
#define IS(constant, number) _Static_assert((constant) == (number), #constant)

/* A type is another, not just as wide. */
#define SAME(type, other)                                                                          \
	_Static_assert(_Generic((type *)0, other * : 1, default : 0), #type " is " #other)

/* A type's size in bytes. */
#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)

/* Where a field is, and how wide it is. */
#define FIELD(type, field, offset, bytes)                                                          \
	_Static_assert(offsetof(type, field) == (offset) && sizeof(((type *)0)->field) == (bytes), \
		       #type "." #field)

#endif
