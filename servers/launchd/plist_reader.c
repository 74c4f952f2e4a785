#include "plist_reader.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void
plist_message(struct plist_reader *reader, const char *key, const char *format, va_list args)
{
	fprintf(reader->messages, "%s: ", reader->path);
	if (key)
		fprintf(reader->messages, "%.128s: ", key);
	vfprintf(reader->messages, format, args);
	fputc('\n', reader->messages);
}

int
plist_error(struct plist_reader *reader, const char *key, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	plist_message(reader, key, format, args);
	va_end(args);
	return -EINVAL;
}

void
plist_warn(struct plist_reader *reader, const char *key, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	plist_message(reader, key, format, args);
	va_end(args);
}

bool
plist_is(plist_t value, plist_type type)
{
	return value && plist_get_node_type(value) == type;
}

const char *
plist_text(plist_t value)
{
	return plist_get_string_ptr(value, NULL);
}

bool
plist_truth(plist_t value)
{
	uint8_t truth = 0;

	plist_get_bool_val(value, &truth);
	return truth != 0;
}

int64_t
plist_number(plist_t value)
{
	uint64_t number = 0;

	plist_get_uint_val(value, &number);
	return (int64_t)number;
}

static bool
is_string_array(plist_t value)
{
	if (!plist_is(value, PLIST_ARRAY))
		return false;
	for (uint32_t i = 0; i < plist_array_get_size(value); i++) {
		if (!plist_is(plist_array_get_item(value, i), PLIST_STRING))
			return false;
	}
	return true;
}

/* NULL: @value is as wanted; otherwise what it should be. */
static const char *
plist_mismatch(enum plist_want want, plist_t value)
{
	switch (want) {
	case WANT_STRING:
		return plist_is(value, PLIST_STRING) ? NULL : "a string";
	case WANT_BOOL:
		return plist_is(value, PLIST_BOOLEAN) ? NULL : "true or false";
	case WANT_INTEGER:
		return plist_is(value, PLIST_UINT) ? NULL : "an integer";
	case WANT_STRING_ARRAY:
		return is_string_array(value) ? NULL : "an array of strings";
	case WANT_DICT:
		return plist_is(value, PLIST_DICT) ? NULL : "a dictionary";
	case WANT_ANY:
	case WANT_LATER:
		break;
	}
	return NULL;
}

struct plist_walk {
	const struct plist_key *table;
	void *target;
};

static int
plist_take(struct plist_reader *reader, void *target, const char *name, plist_t value)
{
	struct plist_walk *walk = target;

	for (const struct plist_key *key = walk->table; key->name; key++) {
		if (strcmp(key->name, name) != 0)
			continue;
		if (key->want == WANT_LATER) {
			plist_warn(reader, name, "not supported yet, ignored");
			return 0;
		}
		const char *should = plist_mismatch(key->want, value);
		if (should)
			return plist_error(reader, name, "must be %s", should);
		return key->take(reader, walk->target, key->offset, name, value);
	}
	plist_warn(reader, name, "unknown key, ignored");
	return 0;
}

int
plist_read_dict(struct plist_reader *reader, plist_t dict, const struct plist_key *table,
		void *target)
{
	struct plist_walk walk = { table, target };

	return plist_each(reader, dict, &walk, plist_take);
}

int
plist_each(struct plist_reader *reader, plist_t dict, void *target,
	   int (*each)(struct plist_reader *reader, void *target, const char *key, plist_t value))
{
	plist_dict_iter at = NULL;
	int error = 0;

	plist_dict_new_iter(dict, &at);
	if (!at)
		return -ENOMEM;
	while (!error) {
		char *key = NULL;
		plist_t value = NULL;

		plist_dict_next_item(dict, at, &key, &value);
		if (!key)
			break;
		error = each(reader, target, key, value);
		free(key);
	}
	free(at);
	return error;
}

/* ---- before the parser --------------------------------------------------------------- */

#define XML_DEPTH_MAX 64u

/*
 * A look at the tags alone.  The text may come from anybody and the parser of libplist
 * recurses, so that what it sees is kept plain: elements without attributes, closed in
 * their order and not nested deeply, no comments, no sections.  `berth launch` writes
 * property lists that way.
 */
struct xml_check {
	struct plist_reader *reader;
	const char *start, *end;
	unsigned depth, depth_max;
	struct {
		const char *name;
		size_t length;
	} open[XML_DEPTH_MAX];
};

static unsigned
xml_line(const struct xml_check *check, const char *at)
{
	unsigned line = 1;

	for (const char *c = check->start; c < at; c++)
		line += *c == '\n';
	return line;
}

static int
xml_open(struct xml_check *check, const char *name, size_t length)
{
	if (check->depth == check->depth_max) {
		return plist_error(check->reader, NULL,
				   "line %u: values lie more than %u levels deep",
				   xml_line(check, name), check->depth_max);
	}
	check->open[check->depth].name = name;
	check->open[check->depth].length = length;
	check->depth++;
	return 0;
}

static int
xml_close(struct xml_check *check, const char *name, size_t length)
{
	if (check->depth > 0 && check->open[check->depth - 1].length == length &&
	    memcmp(check->open[check->depth - 1].name, name, length) == 0) {
		check->depth--;
		return 0;
	}
	return plist_error(check->reader, NULL, "line %u: </%.*s> closes nothing",
			   xml_line(check, name), length < 32 ? (int)length : 32, name);
}

static size_t
xml_name_length(const char *tag, size_t length)
{
	size_t n = 0;

	while (n < length && ((tag[n] >= 'a' && tag[n] <= 'z') || (tag[n] >= 'A' && tag[n] <= 'Z')))
		n++;
	return n;
}

/* @tag is what stands between < and >. */
static int
xml_tag(struct xml_check *check, const char *tag, size_t length)
{
	if (length > 0 && tag[0] == '?')
		return 0;
	if (length > 8 && memcmp(tag, "!DOCTYPE", 8) == 0 && !memchr(tag, '[', length))
		return 0;
	if (length > 1 && tag[0] == '/')
		return xml_close(check, tag + 1, length - 1);

	size_t name = xml_name_length(tag, length);
	bool closed = length > name && tag[length - 1] == '/';
	bool plain = name > 0 && name + closed == length;
	if (plain || (name == 5 && memcmp(tag, "plist", 5) == 0 && !closed))
		return closed ? 0 : xml_open(check, tag, name);
	return plist_error(check->reader, NULL,
			   "line %u: <%.*s> does not belong in a property list",
			   xml_line(check, tag), length < 32 ? (int)length : 32, tag);
}

static int
xml_check_tags(struct xml_check *check)
{
	const char *at = check->start;

	while ((at = memchr(at, '<', (size_t)(check->end - at)))) {
		const char *tag = at + 1;
		const char *close = memchr(tag, '>', (size_t)(check->end - tag));
		if (!close)
			return plist_error(check->reader, NULL, "line %u: a tag has no end",
					   xml_line(check, at));
		int error = xml_tag(check, tag, (size_t)(close - tag));
		if (error)
			return error;
		at = close + 1;
	}
	if (check->depth > 0)
		return plist_error(check->reader, NULL, "<%.*s> is not closed",
				   (int)check->open[check->depth - 1].length,
				   check->open[check->depth - 1].name);
	return 0;
}

plist_t
plist_parse_dict(struct plist_reader *reader, const char *xml, size_t size_bytes,
		 unsigned depth_max)
{
	plist_t plist = NULL;

	if (size_bytes >= 6 && memcmp(xml, "bplist", 6) == 0) {
		plist_error(reader, NULL, "must be a property list in XML form");
		return NULL;
	}
	struct xml_check check = { .reader = reader,
				   .start = xml,
				   .end = xml + size_bytes,
				   .depth_max =
				       depth_max < XML_DEPTH_MAX ? depth_max : XML_DEPTH_MAX };
	if (xml_check_tags(&check))
		return NULL;
	if (size_bytes <= INT_MAX)
		plist_from_xml(xml, (uint32_t)size_bytes, &plist);
	if (!plist) {
		plist_error(reader, NULL, "not a well-formed property list");
		return NULL;
	}
	if (!plist_is(plist, PLIST_DICT)) {
		plist_error(reader, NULL, "must be a dictionary at the top");
		plist_free(plist);
		return NULL;
	}
	return plist;
}
