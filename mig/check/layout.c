/*
 * Layout: where in the two messages of a routine everything lies.
 *
 *   request          head [ descriptor count, descriptors ] [ NDR, fields ]
 *   reply, simple    head NDR RetCode fields
 *   reply, complex   head descriptor count, descriptors [ NDR, fields ]
 *
 * Everything is packed to 4 bytes; fields are padded to 4.
 *
 * Source: mig-codegen.md §2.
 */
#include "mig/check/checker.h"

#define HEAD_BYTES 24u
#define DESCRIPTOR_COUNT_BYTES 4u
#define NDR_BYTES 8u
#define WORD_BYTES 4u
#define PORT_DESCRIPTOR_BYTES 12u
#define OOL_DESCRIPTOR_BYTES 16u
/* of one argument: offset, count, counts of parts or presence, value */
#define FIELDS_OF_ARGUMENT_MAX 4u

/* A message that is being laid out; sums have 64 bits until they are known to fit. */
struct layout {
	struct checker *checker;
	struct message *message;
	bool is_reply;
	uint64_t offset;
	uint64_t cut_bytes; /* of fields that may be empty */
};

static bool
is_part_of(const struct layout *layout, const struct argument *argument)
{
	return layout->is_reply ? argument->in_reply : argument->in_request;
}

static bool
has_descriptors(const struct ipc_type *type)
{
	return type->carriage != CARRIAGE_INLINE;
}

static void
add_descriptor(struct layout *layout, const struct argument *argument)
{
	const struct ipc_type *type = argument->type;
	struct message *message = layout->message;
	bool is_port = type->carriage == CARRIAGE_PORT || type->carriage == CARRIAGE_PORTS;
	bool is_row = type->carriage == CARRIAGE_PORTS || type->carriage == CARRIAGE_OOLS ||
		      type->carriage == CARRIAGE_OOLS_PORTS;
	struct message_descriptor *descriptor = &message->descriptors[message->descriptor_count++];

	descriptor->argument = argument;
	descriptor->offset = (uint32_t)layout->offset;
	descriptor->size = is_port ? PORT_DESCRIPTOR_BYTES : OOL_DESCRIPTOR_BYTES;
	descriptor->count = is_row ? type->capacity : 1;
	message->wire_descriptor_count += descriptor->count;
	layout->offset += (uint64_t)descriptor->size * descriptor->count;
}

static void
add_field(struct layout *layout, enum field_kind kind, const struct argument *argument,
	  const char *name, uint64_t size)
{
	struct message *message = layout->message;
	struct message_field *field = &message->fields[message->field_count++];

	if (!message->has_ndr) {
		message->has_ndr = true;
		message->ndr_offset = (uint32_t)layout->offset;
		layout->offset += NDR_BYTES;
	}
	field->kind = kind;
	field->argument = argument;
	field->name = name;
	field->offset_max = (uint32_t)layout->offset;
	field->size_max = (uint32_t)size;
	field->padding = (uint32_t)(-size & (WORD_BYTES - 1));
	field->cut_before = message->cut_count;
	if (kind == FIELD_VALUE && argument && type_is_cut(argument->type)) {
		field->is_cut = true;
		message->cut_count++;
		layout->cut_bytes += size + field->padding;
	}
	layout->offset += size + field->padding;
}

static void
add_word(struct layout *layout, enum field_kind kind, const struct argument *argument,
	 const char *suffix)
{
	add_field(layout, kind, argument,
		  arena_printf(layout->checker->arena, "%s%s", argument->name, suffix), WORD_BYTES);
}

static void
add_value(struct layout *layout, const struct argument *argument)
{
	const struct ipc_type *type = argument->type;

	if (type->form == FORM_NATIVE_IF_NOT)
		add_word(layout, FIELD_PRESENCE, argument, "Present");
	if (type->form == FORM_NATIVE_IF_NOT || type->form == FORM_NATIVE_POINTER ||
	    type->form == FORM_NATIVE_VALUE)
		layout->message->has_native = true;
	add_field(layout, FIELD_VALUE, argument, argument->name, type->size_max);
}

/* What of @argument lies behind the descriptors. */
static void
add_fields(struct layout *layout, const struct argument *argument)
{
	const struct ipc_type *type = argument->type;

	if (!is_part_of(layout, argument)) {
		/* only how much the user has room for */
		if (!layout->is_reply && argument->count_inout && argument->has_count)
			add_word(layout, FIELD_COUNT, argument, "Cnt");
		return;
	}
	if (argument->retcode) {
		add_field(layout, FIELD_RETCODE, argument, "RetCode", WORD_BYTES);
		return;
	}
	if (type->form == FORM_STRING && type_is_cut(type)) {
		add_word(layout, FIELD_OFFSET, argument, "Offset");
		add_word(layout, FIELD_COUNT, argument, "Cnt");
	} else if (argument->has_count) {
		add_word(layout, FIELD_COUNT, argument, "Cnt");
	}
	if (argument->has_subs)
		add_field(layout, FIELD_SUBS, argument,
			  arena_printf(layout->checker->arena, "%sSubs", argument->name),
			  (uint64_t)type->capacity * WORD_BYTES);
	if (type->carriage == CARRIAGE_INLINE)
		add_value(layout, argument);
}

/* Does it have more bytes than a message's size can say?  Told once. */
static bool
is_too_large(struct layout *layout, const struct routine *routine)
{
	if (layout->offset <= INT32_MAX)
		return false;
	diagnostics_error(layout->checker->diagnostics, &routine->place,
			  "the %s of `%s` has more than %d bytes",
			  layout->is_reply ? "reply" : "request", routine->name, INT32_MAX);
	return true;
}

static bool
lay_out(struct checker *checker, struct routine *routine, struct message *message, bool is_reply)
{
	struct layout layout = { checker, message, is_reply, HEAD_BYTES, 0 };

	message->exists = true;
	message->descriptors =
	    ARENA_ARRAY(checker->arena, struct message_descriptor, routine->argument_count);
	message->fields = ARENA_ARRAY(checker->arena, struct message_field,
				      (size_t)routine->argument_count * FIELDS_OF_ARGUMENT_MAX + 1);
	for (uint32_t i = 0; i < routine->argument_count; i++) {
		struct argument *argument = &routine->arguments[i];

		if (!is_part_of(&layout, argument) || !has_descriptors(argument->type))
			continue;
		if (!message->is_complex)
			layout.offset += DESCRIPTOR_COUNT_BYTES;
		message->is_complex = true;
		add_descriptor(&layout, argument);
		if (is_too_large(&layout, routine))
			return false;
	}
	if (is_reply && !message->is_complex)
		add_field(&layout, FIELD_RETCODE, NULL, "RetCode", WORD_BYTES);
	for (uint32_t i = 0; i < routine->argument_count; i++) {
		struct argument *argument = &routine->arguments[i];

		/* a reply that is complex has no code, and neither has a request that is one */
		if (argument->retcode && message->is_complex)
			argument->in_request = false;
		add_fields(&layout, argument);
		if (is_too_large(&layout, routine))
			return false;
	}
	message->size_max = (uint32_t)layout.offset;
	message->size_min = (uint32_t)(layout.offset - layout.cut_bytes);
	return true;
}

bool
check_layout(struct checker *checker, struct routine *routine)
{
	return lay_out(checker, routine, &routine->request, false) &&
	       (routine->simple || lay_out(checker, routine, &routine->reply, true));
}
