/*
 * Basic types: what a single number or right is called in messages.
 *
 * Source: mig-language.md §5.1, mach-messages.md for the values.
 */
#include <string.h>

#include "mig/check/checker.h"

#define POLYMORPHIC (-1)

#define IS_NO_PORT 0
#define IS_PORT 1

struct basic {
	const char *text;
	int32_t out_value;
	int32_t in_value;
	const char *in_text; /* NULL: as @text */
	uint32_t size;       /* bytes */
	bool is_port;
	const char *c_type; /* where the type has no name of its own */
};

static const struct basic basics[] = {
	{ "MACH_MSG_TYPE_BOOLEAN", 0, 0, NULL, 4, IS_NO_PORT, "boolean_t" },
	{ "MACH_MSG_TYPE_INTEGER_16", 1, 1, NULL, 2, IS_NO_PORT, "int16_t" },
	{ "MACH_MSG_TYPE_INTEGER_32", 2, 2, NULL, 4, IS_NO_PORT, "int32_t" },
	{ "MACH_MSG_TYPE_INTEGER_64", 3, 3, NULL, 8, IS_NO_PORT, "int64_t" },
	{ "MACH_MSG_TYPE_CHAR", 8, 8, NULL, 1, IS_NO_PORT, "char" },
	{ "MACH_MSG_TYPE_BYTE", 9, 9, NULL, 1, IS_NO_PORT, "uint8_t" },
	{ "MACH_MSG_TYPE_INTEGER_8", 9, 9, NULL, 1, IS_NO_PORT, "int8_t" },
	{ "MACH_MSG_TYPE_REAL_32", 10, 10, NULL, 4, IS_NO_PORT, "float" },
	{ "MACH_MSG_TYPE_REAL_64", 11, 11, NULL, 8, IS_NO_PORT, "double" },
	{ "MACH_MSG_TYPE_PORT_NAME", 15, 15, NULL, 4, IS_NO_PORT, "mach_port_name_t" },
	{ "MACH_MSG_TYPE_MOVE_RECEIVE", 16, 16, "MACH_MSG_TYPE_PORT_RECEIVE", 4, IS_PORT,
	  "mach_port_t" },
	{ "MACH_MSG_TYPE_MOVE_SEND", 17, 17, "MACH_MSG_TYPE_PORT_SEND", 4, IS_PORT, "mach_port_t" },
	{ "MACH_MSG_TYPE_MOVE_SEND_ONCE", 18, 18, "MACH_MSG_TYPE_PORT_SEND_ONCE", 4, IS_PORT,
	  "mach_port_t" },
	{ "MACH_MSG_TYPE_COPY_SEND", 19, 17, "MACH_MSG_TYPE_PORT_SEND", 4, IS_PORT, "mach_port_t" },
	{ "MACH_MSG_TYPE_MAKE_SEND", 20, 17, "MACH_MSG_TYPE_PORT_SEND", 4, IS_PORT, "mach_port_t" },
	{ "MACH_MSG_TYPE_MAKE_SEND_ONCE", 21, 18, "MACH_MSG_TYPE_PORT_SEND_ONCE", 4, IS_PORT,
	  "mach_port_t" },
	/* what is received is fixed, how it is sent the sender says */
	{ "MACH_MSG_TYPE_PORT_RECEIVE", POLYMORPHIC, 16, NULL, 4, IS_PORT, "mach_port_t" },
	{ "MACH_MSG_TYPE_PORT_SEND", POLYMORPHIC, 17, NULL, 4, IS_PORT, "mach_port_t" },
	{ "MACH_MSG_TYPE_PORT_SEND_ONCE", POLYMORPHIC, 18, NULL, 4, IS_PORT, "mach_port_t" },
	{ "polymorphic", POLYMORPHIC, POLYMORPHIC, NULL, 4, IS_PORT, "mach_port_t" },
	{ "MACH_MSG_TYPE_POLYMORPHIC", POLYMORPHIC, POLYMORPHIC, NULL, 4, IS_PORT, "mach_port_t" },
};

/* Known names that no .defs can use, and why. */
static const struct {
	const char *text;
	const char *why;
} refused[] = {
	{ "MACH_MSG_TYPE_STRING_C", "a string is written c_string[n] or c_string[*:n]" },
	{ "MACH_MSG_TYPE_BIT",
	  "C has no type of one bit: write MACH_MSG_TYPE_BOOLEAN or MACH_MSG_TYPE_BYTE" },
	{ "MACH_MSG_TYPE_UNSTRUCTURED", "write MACH_MSG_TYPE_BYTE" },
	{ "MACH_MSG_TYPE_BIT_32", "write MACH_MSG_TYPE_INTEGER_32" },
};

static const struct basic *
basic_find(struct checker *checker, const struct tree_name *name)
{
	for (size_t i = 0; i < sizeof(basics) / sizeof(basics[0]); i++) {
		if (strcmp(basics[i].text, name->text) == 0)
			return &basics[i];
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (strcmp(refused[i].text, name->text) == 0) {
			diagnostics_error(checker->diagnostics, &name->place,
					  "%s cannot be used: %s", name->text, refused[i].why);
			return NULL;
		}
	}
	diagnostics_error(checker->diagnostics, &name->place, "%s is not known", name->text);
	return NULL;
}

static struct ipc_name
ipc_name(int32_t value, const char *text)
{
	return (struct ipc_name){ value, value == POLYMORPHIC ? "polymorphic" : text };
}

bool
check_basic(struct checker *checker, const struct tree_type *tree, struct ipc_type *type)
{
	const struct basic *sent = basic_find(checker, &tree->sent);
	const struct basic *received = sent;

	if (tree->received.text)
		received = basic_find(checker, &tree->received);
	if (!sent || !received)
		return false;
	if (sent->size != received->size || sent->is_port != received->is_port) {
		diagnostics_error(checker->diagnostics, &tree->received.place,
				  "%s and %s are not the same kind of thing", sent->text,
				  received->text);
		return false;
	}
	type->carriage = sent->is_port ? CARRIAGE_PORT : CARRIAGE_INLINE;
	type->extent = EXTENT_SINGLE;
	type->form = FORM_SCALAR;
	type->capacity = 1;
	type->element_size = sent->size;
	type->size_max = sent->size;
	type->out_name = ipc_name(sent->out_value, sent->text);
	type->in_name =
	    ipc_name(received->in_value, received->in_text ? received->in_text : received->text);
	type->user_type = type->server_type = type->translated_type = sent->c_type;
	return true;
}
