/*
 * Results of a server function: room for them before the call, the reply after it.
 *
 * Arrays are made in the reply where their place is known beforehand; everything else in
 * variables.  All of it begins as zero, so that what a function leaves alone tells nobody
 * what lay there before.  Source: mig-codegen.md §7.2 (steps 2, 4 and 7), §9.
 */
#include "mig/generate/c_pack.h"
#include "mig/generate/server.h"

static const struct message_field *
value_field(const struct server_stub *stub, const struct argument *argument)
{
	return message_find(&stub->routine->reply, FIELD_VALUE, argument);
}

/* Is it made in the reply itself? */
static bool
is_in_place(const struct server_stub *stub, const struct argument *argument)
{
	const struct ipc_type *type = argument->type;

	return type->carriage == CARRIAGE_INLINE &&
	       (type->form == FORM_STRING ||
		(type->form == FORM_ARRAY && !c_needs_alignment(type))) &&
	       value_field(stub, argument)->cut_before == 0;
}

/* Is its variable an array of bytes, not of its C type? */
static bool
is_buffer(const struct argument *argument)
{
	const struct ipc_type *type = argument->type;

	return type->carriage == CARRIAGE_INLINE && type->form != FORM_SCALAR &&
	       type->form != FORM_STRUCT;
}

/* ---- before the call ------------------------------------------------------------------- */

/* The most elements that all arrays of one count can hold. */
static uint32_t
least_capacity(const struct server_stub *stub, const struct argument *owner)
{
	uint32_t least = owner->type->capacity;

	for (uint32_t i = 0; i < stub->routine->argument_count; i++) {
		const struct argument *argument = &stub->routine->arguments[i];

		if (argument->count_of == owner && argument->type->extent == EXTENT_BOUNDED &&
		    argument->type->capacity < least)
			least = argument->type->capacity;
	}
	return least;
}

static void
declare_count(const struct server_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	uint32_t most = least_capacity(stub, argument);
	const struct message_field *asked =
	    message_find(&stub->routine->request, FIELD_COUNT, argument);
	const char *value = write_string(w, "%u", type_is_out_of_line(argument->type) ? 0 : most);

	if (argument->role == ROLE_INOUT) {
		value = server_request_count(stub, argument);
	} else if (asked) {
		const char *count = c_field_number(w, &stub->request, asked);

		value = write_string(w, "%s < %u ? %s : %u", count, most, count, most);
	}
	write_line(w, "\tmach_msg_type_number_t %sCnt = %s;", argument->name, value);
}

static void
declare_row(const struct server_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	const struct ipc_type *type = argument->type;
	const char *element = type->element ? c_message_type(w, type->element) : NULL;

	if (!element)
		element = type->carriage == CARRIAGE_PORTS ? "mach_port_t" : "void *";
	write_line(w, "\t%s %s[%u];", element, argument->name, type->capacity);
	if (argument->role == ROLE_INOUT)
		write_line(w, "\tmemcpy(%s, _%s_in, sizeof(%s));", argument->name, argument->name,
			   argument->name);
	else
		write_line(w, "\tmemset(%s, 0, sizeof(%s));", argument->name, argument->name);
	if (!argument->has_subs)
		return;
	write_line(w, "\tmach_msg_type_number_t %sSubs[%u];", argument->name, type->capacity);
	if (argument->role == ROLE_INOUT)
		write_line(w, "\tmemcpy(%sSubs, _%s_subs_in, sizeof(%sSubs));", argument->name,
			   argument->name, argument->name);
	else
		write_line(w, "\tmemset(%sSubs, 0, sizeof(%sSubs));", argument->name,
			   argument->name);
}

/* An array, a string or a native value. */
static void
declare_buffer(const struct server_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	const struct message_field *field = value_field(stub, argument);
	const char *room = c_field_room(w, field);
	const char *buffer = argument->name;

	if (is_in_place(stub, argument))
		buffer = write_string(w, "OutP->%s", argument->name);
	else
		write_line(w, "\t_Alignas(16) char %s[%s];", argument->name, room);
	write_line(w, "\tmemset(%s, 0, %s);", buffer, c_field_size(w, field));
	if (argument->role == ROLE_INOUT)
		write_line(
		    w, "\tmemcpy(%s, %s, %s);", buffer,
		    c_field_address(w, &stub->request,
				    message_find(&stub->routine->request, FIELD_VALUE, argument)),
		    c_field_size(w, field));
}

static void
declare_variable(const struct server_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	const char *c = c_type(w, argument->type);

	if (argument->role == ROLE_INOUT) {
		write_line(w, "\t%s %s = %s;", c, argument->name,
			   argument->type->intran ? write_string(w, "_%s_object", argument->name)
						  : server_request_value(stub, argument));
		return;
	}
	write_line(w, "\t%s %s;", c, argument->name);
	write_line(w, "\tmemset(&%s, 0, sizeof(%s));", argument->name, argument->name);
}

static void
declare_result(const struct server_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	enum carriage carriage = argument->type->carriage;

	write_line(w, "\t/* %s */", argument->name);
	if (carriage == CARRIAGE_PORTS || carriage == CARRIAGE_OOLS ||
	    carriage == CARRIAGE_OOLS_PORTS)
		declare_row(stub, argument);
	else if (is_buffer(argument))
		declare_buffer(stub, argument);
	else
		declare_variable(stub, argument);
	if (argument->server_poly)
		write_line(w, "\tmach_msg_type_name_t %sPoly = %s;", argument->name,
			   argument->role == ROLE_INOUT
			       ? write_string(w, "In0P->%s.disposition", argument->name)
			       : "MACH_MSG_TYPE_MOVE_SEND");
	if (argument->has_count)
		declare_count(stub, argument);
	if (c_has_dealloc(w, argument))
		write_line(w, "\tboolean_t %sDealloc = FALSE;", argument->name);
}

void
server_declare_results(const struct server_stub *stub)
{
	for (uint32_t i = 0; i < stub->routine->argument_count; i++) {
		const struct argument *argument = &stub->routine->arguments[i];

		if (argument->server == PASS_OUT || argument->server == PASS_INOUT)
			declare_result(stub, argument);
	}
	if (stub->routine->reply.cut_count > 0)
		write_line(stub->w, "\tmach_msg_size_t _reply_cut = 0;");
}

const char *
server_result_parameter(const struct server_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;

	if (is_in_place(stub, argument))
		return write_string(w, "(void *)OutP->%s", argument->name);
	if (is_buffer(argument) || argument->type->form == FORM_ARRAY)
		return write_string(w, "(void *)%s", argument->name);
	return write_string(w, "&%s", argument->name);
}

/* ---- after the call -------------------------------------------------------------------- */

/* What goes into the reply: the function's variables, translated where that is asked for. */
static const char *
result_value(struct writer *w, const struct argument *argument, const char *suffix)
{
	if (*suffix == '\0' && argument->type->outtran)
		return write_string(w, "%s(%s)", argument->type->outtran, argument->name);
	return write_string(w, "%s%s", argument->name, suffix);
}

static struct packing
packing_of(const struct server_stub *stub)
{
	return (struct packing){ .w = stub->w, .m = &stub->reply, .value = result_value };
}

/* A function must not say more than there is room for; what it wrote there is gone anyway. */
static void
clamp_counts(const struct server_stub *stub)
{
	struct writer *w = stub->w;

	for (uint32_t i = 0; i < stub->routine->argument_count; i++) {
		const struct argument *argument = &stub->routine->arguments[i];

		if (!argument->in_reply || !argument->has_count ||
		    argument->type->extent != EXTENT_BOUNDED)
			continue;
		write_line(w, "\tif (%sCnt > %u)", argument->name, least_capacity(stub, argument));
		write_line(w, "\t\t%sCnt = %u;", argument->name, least_capacity(stub, argument));
	}
}

static void
pack_cut_array(const struct server_stub *stub, const struct packing *p,
	       const struct message_field *field)
{
	struct writer *w = p->w;
	const struct argument *argument = field->argument;
	const char *bytes = c_bytes(w, pack_count_of(p, argument), argument->type->element_size);

	if (!is_in_place(stub, argument))
		write_line(w, "\tmemcpy(%s, %s, (size_t)%s);", c_field_address(w, p->m, field),
			   argument->name, bytes);
	pack_cut(p, field, bytes);
}

static void
pack_string(const struct server_stub *stub, const struct packing *p,
	    const struct message_field *field)
{
	struct writer *w = p->w;
	const struct argument *argument = field->argument;
	uint32_t most = argument->type->capacity;
	const char *count = NULL;
	const char *set = "";

	if (field->is_cut) {
		count = c_field_number(w, p->m, message_count(p->m->message, argument));
		set = write_string(w, "%s =\n\t    (mach_msg_type_number_t)", count);
	}
	if (is_in_place(stub, argument)) {
		write_line(w, "\tOutP->%s[%u] = '\\0';", argument->name, most - 1);
		if (count) {
			write_line(w, "\t%s(strlen(OutP->%s) + 1);", set, argument->name);
			pack_zero_tail(p, field, count);
		}
	} else {
		write_line(w, "\t%smig_strncpy_zerofill(%s, %s, %u);", set,
			   c_field_address(w, p->m, field), argument->name, most);
	}
	if (count)
		pack_cut(p, field, count);
	else
		pack_padding(p, field);
}

static void
pack_scalar(const struct packing *p, const struct message_field *field)
{
	struct writer *w = p->w;
	const struct argument *argument = field->argument;
	const struct ipc_type *type = argument->type;
	const char *value = p->value(w, argument, "");

	if (field->cut_before == 0) {
		write_line(w, "\tOutP->%s = %s;", field->name, value);
	} else if (type->outtran) {
		write_line(w, "\t%s _%s_out = %s;\n", c_message_type(w, type), argument->name,
			   value);
		write_line(w, "\tmemcpy(%s, &_%s_out, %u);", c_field_address(w, p->m, field),
			   argument->name, field->size_max);
	} else {
		write_line(w, "\tmemcpy(%s, &%s, %u);", c_field_address(w, p->m, field), value,
			   field->size_max);
	}
	pack_padding(p, field);
}

static void
pack_value(const struct server_stub *stub, const struct packing *p,
	   const struct message_field *field)
{
	struct writer *w = p->w;
	const struct argument *argument = field->argument;

	switch (argument->type->form) {
	case FORM_SCALAR:
	case FORM_STRUCT:
		pack_scalar(p, field);
		break;
	case FORM_STRING:
		pack_string(stub, p, field);
		break;
	case FORM_ARRAY:
	case FORM_POINTER:
		if (field->is_cut) {
			pack_cut_array(stub, p, field);
			break;
		}
		if (!is_in_place(stub, argument))
			write_line(w, "\tmemcpy(%s, %s, %u);", c_field_address(w, p->m, field),
				   argument->name, field->size_max);
		pack_padding(p, field);
		break;
	default:
		write_line(w, "\tmemcpy(%s, %s, %s);", c_field_address(w, p->m, field),
			   argument->name, c_field_room(w, field));
	}
}

static void
pack_field(const struct server_stub *stub, const struct packing *p,
	   const struct message_field *field)
{
	struct writer *w = p->w;

	switch (field->kind) {
	case FIELD_VALUE:
		pack_value(stub, p, field);
		break;
	case FIELD_COUNT:
		if (field->argument->type->form != FORM_STRING) /* that is with the string */
			pack_number(p, field, pack_count_of(p, field->argument));
		break;
	case FIELD_OFFSET:
		pack_number(p, field, "0");
		break;
	case FIELD_SUBS:
		write_line(w, "\tmemcpy(%s, %sSubs, sizeof(%sSubs));",
			   c_field_address(w, p->m, field), field->argument->name,
			   field->argument->name);
		break;
	case FIELD_RETCODE:
		write_line(w, "\tOutP->RetCode = KERN_SUCCESS;");
		break;
	case FIELD_PRESENCE:
		break; /* comes in alone */
	}
}

void
server_pack_reply(const struct server_stub *stub)
{
	struct writer *w = stub->w;
	const struct packing p = packing_of(stub);
	const struct message *reply = &stub->routine->reply;
	const struct argument *last = NULL;

	write_line(w, "\n\t/* the reply */");
	clamp_counts(stub);
	if (reply->is_complex)
		write_line(w, "\tOutP->Head.msgh_bits |= MACH_MSGH_BITS_COMPLEX;");
	pack_descriptors(&p);
	for (uint32_t i = 0; i < reply->field_count; i++) {
		pack_comment(&p, &reply->fields[i], &last);
		pack_field(stub, &p, &reply->fields[i]);
	}
	write_line(w, "\tOutP->Head.msgh_size = (mach_msg_size_t)sizeof(%s)%s;", stub->reply.type,
		   reply->cut_count > 0 ? " - _reply_cut" : "");
}
