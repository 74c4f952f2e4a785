/*
 * Messages in C: their structures, and where each field lies.
 *
 * A structure shows a message with every variable array full.  Behind an array that is cut
 * to what is used the fields have moved towards the start: by the bytes that `_cut` counts.
 * Source: mig-codegen.md §2, §8.
 */
#include "mig/generate/c_text.h"

/* ---- finding --------------------------------------------------------------------------- */

const struct message_field *
message_find(const struct message *message, enum field_kind kind, const struct argument *argument)
{
	for (uint32_t i = 0; i < message->field_count; i++) {
		const struct message_field *field = &message->fields[i];

		if (field->kind == kind && field->argument == argument)
			return field;
	}
	return NULL;
}

const struct message_field *
message_count(const struct message *message, const struct argument *argument)
{
	return message_find(message, FIELD_COUNT,
			    argument->count_of ? argument->count_of : argument);
}

/* Is it declared as an array? */
static bool
is_array(const struct message_field *field)
{
	if (field->kind == FIELD_VALUE)
		return field->argument->type->form != FORM_SCALAR &&
		       field->argument->type->form != FORM_STRUCT;
	return field->kind == FIELD_SUBS;
}

/* ---- places ---------------------------------------------------------------------------- */

static const char *
cut_before(struct writer *w, const struct c_message *m, const struct message_field *field)
{
	return m->is_checked ? write_string(w, "%s[%u]", m->cut, field->cut_before - 1) : m->cut;
}

const char *
c_field_address(struct writer *w, const struct c_message *m, const struct message_field *field)
{
	if (field->cut_before == 0)
		return write_string(w, "%s%s->%s", is_array(field) ? "" : "&", m->pointer,
				    field->name);
	return write_string(w, "MIG_AT(%s, %s, %s)", m->pointer, field->name,
			    cut_before(w, m, field));
}

const char *
c_field_number(struct writer *w, const struct c_message *m, const struct message_field *field)
{
	if (field->cut_before == 0)
		return write_string(w, "%s->%s", m->pointer, field->name);
	return write_string(w, "MIG_NUMBER_AT(%s, %s, %s)", m->pointer, field->name,
			    cut_before(w, m, field));
}

static bool
is_native(const struct message_field *field)
{
	return field->kind == FIELD_VALUE && field->argument->type->form >= FORM_NATIVE_POINTER;
}

const char *
c_field_size(struct writer *w, const struct message_field *field)
{
	if (is_native(field))
		return write_string(w, "sizeof(%s)", field->argument->type->native_type);
	return write_string(w, "%u", field->size_max);
}

const char *
c_field_room(struct writer *w, const struct message_field *field)
{
	if (is_native(field))
		return write_string(w, "round_msg(sizeof(%s))", field->argument->type->native_type);
	return write_string(w, "%u", field->size_max + field->padding);
}

const char *
c_bytes(struct writer *w, const char *count, uint32_t element_size)
{
	return element_size == 1 ? count : write_string(w, "%s * %u", count, element_size);
}

const char *
c_size_min(struct writer *w, const struct c_message *m)
{
	if (m->message->cut_count == 0)
		return write_string(w, "sizeof(%s)", m->type);
	return write_string(w, "sizeof(%s) - %u", m->type,
			    m->message->size_max - m->message->size_min);
}

/* ---- structures ------------------------------------------------------------------------ */

static const char *
descriptor_type(enum carriage carriage)
{
	switch (carriage) {
	case CARRIAGE_PORT:
	case CARRIAGE_PORTS:
		return "mach_msg_port_descriptor_t";
	case CARRIAGE_OOL_PORTS:
	case CARRIAGE_OOLS_PORTS:
		return "mach_msg_ool_ports_descriptor_t";
	default:
		return "mach_msg_ool_descriptor_t";
	}
}

static bool
is_row(const struct argument *argument)
{
	enum carriage carriage = argument->type->carriage;

	return carriage == CARRIAGE_PORTS || carriage == CARRIAGE_OOLS ||
	       carriage == CARRIAGE_OOLS_PORTS;
}

/* An array by the C type of its elements; of elements that have none, by its bytes. */
static void
declare_array(struct writer *w, const struct message_field *field)
{
	const struct ipc_type *type = field->argument->type;
	const struct ipc_type *element = type->element;
	const char *c = element ? c_message_type(w, element) : NULL;

	if (c && element->name)
		write_line(w, "\t%s %s[%u];", c, field->name, type->capacity);
	else
		write_line(w, "\tchar %s[%u];", field->name, field->size_max);
}

static void
declare_value(struct writer *w, const struct message_field *field)
{
	const struct ipc_type *type = field->argument->type;

	switch (type->form) {
	case FORM_SCALAR:
	case FORM_STRUCT:
		write_line(w, "\t%s %s;", c_message_type(w, type), field->name);
		break;
	case FORM_STRING:
		write_line(w, "\tchar %s[%u];", field->name, type->capacity);
		break;
	case FORM_ARRAY:
	case FORM_POINTER:
		declare_array(w, field);
		break;
	case FORM_NATIVE_POINTER:
	case FORM_NATIVE_VALUE:
	case FORM_NATIVE_IF_NOT:
		write_line(w, "\tchar %s[%s];", field->name, c_field_room(w, field));
		return;
	}
	if (field->padding > 0)
		write_line(w, "\tchar %sPad[%u];", field->name, field->padding);
}

static void
declare_field(struct writer *w, const struct message_field *field)
{
	switch (field->kind) {
	case FIELD_VALUE:
		declare_value(w, field);
		break;
	case FIELD_SUBS:
		write_line(w, "\tmach_msg_type_number_t %s[%u];", field->name,
			   field->argument->type->capacity);
		break;
	case FIELD_RETCODE:
		write_line(w, "\tkern_return_t RetCode;");
		break;
	case FIELD_COUNT:
	case FIELD_OFFSET:
	case FIELD_PRESENCE:
		write_line(w, "\tmach_msg_type_number_t %s;", field->name);
		break;
	}
}

static void
message_structure(struct writer *w, const struct message *message, const char *name)
{
	write_line(w, "typedef struct {");
	write_line(w, "\tmach_msg_header_t Head;");
	if (message->is_complex) {
		write_line(w, "\tmach_msg_body_t msgh_body;");
		for (uint32_t i = 0; i < message->descriptor_count; i++) {
			const struct message_descriptor *d = &message->descriptors[i];

			text_printf(w->text, "\t%s %s",
				    descriptor_type(d->argument->type->carriage),
				    d->argument->name);
			if (is_row(d->argument))
				text_printf(w->text, "[%u]", d->count);
			write_line(w, ";");
		}
	}
	if (message->has_ndr)
		write_line(w, "\tNDR_record_t NDR;");
	for (uint32_t i = 0; i < message->field_count; i++)
		declare_field(w, &message->fields[i]);
	write_line(w, "} %s;", name);
	write_line(w, "%s", "");
}

static void
request_structure(struct writer *w, const struct routine *routine)
{
	message_structure(w, &routine->request, c_request_type(w, routine));
}

static void
reply_structure(struct writer *w, const struct routine *routine)
{
	if (routine->reply.exists)
		message_structure(w, &routine->reply, c_reply_type(w, routine));
	else /* never sent, but filled by the server */
		write_line(w, "typedef mig_reply_error_t %s;\n", c_reply_type(w, routine));
}

/* The structures of one kind, or the union of them. */
static void
structures(struct writer *w, const char *kind,
	   void (*structure)(struct writer *, const struct routine *))
{
	const struct interface *interface = w->interface;

	write_line(w, "#ifndef __%s__%s_subsystem__defined", kind, interface->name);
	write_line(w, "#define __%s__%s_subsystem__defined", kind, interface->name);
	write_line(w, "#pragma pack(push, 4)\n");
	for (uint32_t i = 0; i < interface->routine_count; i++) {
		const struct routine *routine = &interface->routines[i];

		if (routine->name)
			structure(w, routine);
	}
	write_line(w, "#pragma pack(pop)");
	write_line(w, "#endif\n");
}

static void
message_union(struct writer *w, const char *kind)
{
	const struct interface *interface = w->interface;
	const char *prefix =
	    w->side == SIDE_USER ? interface->user_prefix : interface->server_prefix;
	bool any = false;

	write_line(w, "#ifndef __%sUnion__%s%s_subsystem__defined", kind, prefix, interface->name);
	write_line(w, "#define __%sUnion__%s%s_subsystem__defined", kind, prefix, interface->name);
	write_line(w, "union __%sUnion__%s%s_subsystem {", kind, prefix, interface->name);
	for (uint32_t i = 0; i < interface->routine_count; i++) {
		const struct routine *routine = &interface->routines[i];

		if (!routine->name)
			continue;
		write_line(w, "\t__%s__%s_t %s_%s;", kind, routine->name, kind, routine->name);
		any = true;
	}
	if (!any)
		write_line(w, "\tmig_reply_error_t None;");
	write_line(w, "};");
	write_line(w, "#endif\n");
}

void
c_message_types(struct writer *w)
{
	write_line(w, "/* The messages, with every variable array full. */\n");
	structures(w, "Request", request_structure);
	structures(w, "Reply", reply_structure);
	message_union(w, "Request");
	message_union(w, "Reply");
}
