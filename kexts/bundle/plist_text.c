/*
 * Text of property lists: see plist_text.h.
 */
#include "kexts/bundle/plist_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32u
#define SIZE_MAX_BYTES (1u << 20)

struct scan {
	const char *path;
	char *text, *end; /* the scan's own, with a NUL behind */
	struct {
		const char *name;
		size_t length;
	} open[DEPTH_MAX];
	unsigned depth;
	struct kext_outcome *outcome;
};

static unsigned
line_of(const struct scan *scan, const char *at)
{
	unsigned line = 1;

	for (const char *c = scan->text; c < at; c++)
		line += *c == '\n';
	return line;
}

/* The word at @at, cut for a message. */
#define WORD(at, length) (length) < 32 ? (int)(length) : 32, at

#define SCAN_FAILS(scan, at, format, ...)                                                          \
	(kext_fails((scan)->outcome, kOSKextReturnBadData, "%s: line %u: " format, (scan)->path,   \
		    line_of(scan, at), ##__VA_ARGS__),                                             \
	 false)

static bool
is_one_of(const char *name, size_t length, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(words[i]) == length && memcmp(words[i], name, length) == 0)
			return true;
	}
	return false;
}

static bool
is_element(const char *name, size_t length)
{
	static const char *const words[] = { "plist", "dict", "key",   "string", "array", "integer",
					     "real",  "true", "false", "date",   "data",  "uid" };

	return is_one_of(name, length, words, sizeof(words) / sizeof(words[0]));
}

static bool
scan_close(struct scan *scan, const char *name, size_t length)
{
	while (length > 0 && strchr(" \t\r\n", name[length - 1]))
		length--;
	if (scan->depth == 0 || scan->open[scan->depth - 1].length != length ||
	    memcmp(scan->open[scan->depth - 1].name, name, length) != 0)
		return SCAN_FAILS(scan, name, "</%.*s> closes nothing", WORD(name, length));
	scan->depth--;
	return true;
}

static bool
scan_open(struct scan *scan, const char *tag, size_t length)
{
	size_t name = 0;
	bool closed = length > 0 && tag[length - 1] == '/';

	length -= closed;
	while (name < length && tag[name] >= 'a' && tag[name] <= 'z')
		name++;
	size_t rest = name;

	while (rest < length && strchr(" \t\r\n", tag[rest]))
		rest++;
	if (!is_element(tag, name) || (rest < length && (name != 5 || closed)))
		return SCAN_FAILS(scan, tag, "<%.*s> does not belong in a property list",
				  WORD(tag, length));
	if (closed)
		return true;
	if (scan->depth == DEPTH_MAX)
		return SCAN_FAILS(scan, tag, "values lie more than %u levels deep", DEPTH_MAX);
	scan->open[scan->depth].name = tag;
	scan->open[scan->depth].length = name;
	scan->depth++;
	return true;
}

/* Blank out the comment at @at, and give its end; NULL: it has none. */
static char *
scan_comment(struct scan *scan, char *at)
{
	char *end = memmem(at + 4, (size_t)(scan->end - at - 4), "-->", 3);

	for (char *c = at; end && c < end + 3; c++)
		*c = *c == '\n' ? '\n' : ' ';
	return end ? end + 3 : NULL;
}

static bool
scan_tags(struct scan *scan)
{
	char *at = scan->text;

	while ((at = memchr(at, '<', (size_t)(scan->end - at)))) {
		if (scan->end - at >= 4 && memcmp(at, "<!--", 4) == 0) {
			char *after = scan_comment(scan, at);

			if (!after)
				return SCAN_FAILS(scan, at, "a comment has no end");
			at = after;
			continue;
		}
		char *tag = at + 1, *close = memchr(tag, '>', (size_t)(scan->end - tag));

		if (!close)
			return SCAN_FAILS(scan, at, "a tag has no end");
		size_t length = (size_t)(close - tag);
		bool is_document =
		    length > 8 && memcmp(tag, "!DOCTYPE", 8) == 0 && !memchr(tag, '[', length);
		bool fine = is_document || (length > 0 && tag[0] == '?') ||
			    (length > 0 && tag[0] == '/' ? scan_close(scan, tag + 1, length - 1)
							 : scan_open(scan, tag, length));

		if (!fine)
			return false;
		at = close + 1;
	}
	if (scan->depth > 0)
		return SCAN_FAILS(
		    scan, scan->end, "<%.*s> is not closed",
		    WORD(scan->open[scan->depth - 1].name, scan->open[scan->depth - 1].length));
	return true;
}

plist_t
plist_text_parse(const char *path, const char *text, size_t size, struct kext_outcome *outcome)
{
	struct scan scan = { .path = path, .outcome = outcome };
	plist_t plist = NULL;

	if (size > SIZE_MAX_BYTES) {
		kext_fails(outcome, kOSKextReturnBadData, "%s is larger than 1 MiB", path);
		return NULL;
	}
	if (size >= 6 && memcmp(text, "bplist", 6) == 0) {
		kext_fails(outcome, kOSKextReturnBadData,
			   "%s is a binary property list; turn it into XML, with 'plistutil -f xml "
			   "-i FILE' or so",
			   path);
		return NULL;
	}
	scan.text = malloc(size + 1);
	if (!scan.text) {
		kext_fails(outcome, kOSKextReturnNoMemory, "out of memory");
		return NULL;
	}
	memcpy(scan.text, text, size);
	scan.text[size] = '\0';
	scan.end = scan.text + size;
	if (memchr(scan.text, '\0', size)) {
		kext_fails(outcome, kOSKextReturnBadData, "%s is no property list: a NUL byte",
			   path);
	} else if (scan_tags(&scan)) {
		plist_from_xml(scan.text, (uint32_t)size, &plist);
		if (!plist)
			kext_fails(outcome, kOSKextReturnBadData, "%s is no property list", path);
	}
	free(scan.text);
	if (plist && plist_get_node_type(plist) != PLIST_DICT) {
		kext_fails(outcome, kOSKextReturnBadData, "%s must have a dictionary at the top",
			   path);
		plist_free(plist);
		plist = NULL;
	}
	return plist;
}
