/*
 * Reading a dictionary of a property list by a table of keys.
 *
 * Each key has a type and a function that takes the value.  A wrong type is an error that
 * names the key and the file; keys that are known and not served yet, and unknown ones,
 * are warned of and ignored.
 */
#ifndef LAUNCHD_PLIST_READER_H
#define LAUNCHD_PLIST_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <plist/plist.h>

struct plist_reader {
	const char *path; /* of the file, for people */
	FILE *messages;
};

enum plist_want {
	WANT_STRING,
	WANT_BOOL,
	WANT_INTEGER,
	WANT_STRING_ARRAY,
	WANT_DICT,
	WANT_ANY,
	WANT_LATER /* known, not supported */
};

struct plist_key {
	const char *name;
	enum plist_want want;
	/* 0, -EINVAL after plist_error(), -ENOMEM.  @name is the key as the user wrote it. */
	int (*take)(struct plist_reader *reader, void *target, size_t offset, const char *name,
		    plist_t value);
	size_t offset; /* in @target */
};

/* Write "PATH: KEY: …" and give -EINVAL. */
__attribute__((format(printf, 3, 4))) int plist_error(struct plist_reader *reader, const char *key,
						      const char *format, ...);
__attribute__((format(printf, 3, 4))) void plist_warn(struct plist_reader *reader, const char *key,
						      const char *format, ...);

/* Give each pair of @dict to the key of @table (which ends with a NULL name) that it names. */
int plist_read_dict(struct plist_reader *reader, plist_t dict, const struct plist_key *table,
		    void *target);

/* Call @each for each pair of @dict, in its order, until one gives an error. */
int plist_each(struct plist_reader *reader, plist_t dict, void *target,
	       int (*each)(struct plist_reader *reader, void *target, const char *key,
			   plist_t value));

bool plist_is(plist_t value, plist_type type);
/* What the caller knows to be a string, a boolean, a number. */
const char *plist_text(plist_t value);
bool plist_truth(plist_t value);
int64_t plist_number(plist_t value);

/*
 * The dictionary in @xml, or NULL after a message: not XML, not well formed, nested too
 * deeply, no dictionary.
 */
plist_t plist_parse_dict(struct plist_reader *reader, const char *xml, size_t size_bytes,
			 unsigned depth_max);

#endif
