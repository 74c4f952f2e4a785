/*
 * Filling a message: what user stubs do with a request and server stubs with a reply.
 */
#ifndef MIG_GENERATE_C_PACK_H
#define MIG_GENERATE_C_PACK_H

#include "mig/generate/c_text.h"

struct packing {
	struct writer *w;
	const struct c_message *m;
	/* A C expression: the value of the argument (@suffix "") or of one of its companions
	 * ("Cnt", "Poly"), as the message is to hold it. */
	const char *(*value)(struct writer *w, const struct argument *argument, const char *suffix);
};

/* The number of elements of @argument, be the count its own or another's. */
const char *pack_count_of(const struct packing *p, const struct argument *argument);

/* The number of descriptors and all of them. */
void pack_descriptors(const struct packing *p);

/* A field that is a number. */
void pack_number(const struct packing *p, const struct message_field *field, const char *number);
/* Zero what lies between the bytes of a value and the next field. */
void pack_padding(const struct packing *p, const struct message_field *field);
/* Zero the last bytes of a field that is cut to @bytes, up to a multiple of 4. */
void pack_zero_tail(const struct packing *p, const struct message_field *field, const char *bytes);
/* The end of a field that is cut to @bytes: zero up to the next, and say how far that moves. */
void pack_cut(const struct packing *p, const struct message_field *field, const char *bytes);
/* The comment that says which argument @field is for, unless *last was for it, too. */
void pack_comment(const struct packing *p, const struct message_field *field,
		  const struct argument **last);

#endif
