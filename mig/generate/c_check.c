/*
 * The checks that a stub makes of a message before it believes a word of it.
 *
 * The order: descriptors, then the fields one by one.  `_room` counts the bytes that are
 * there beyond the smallest message; each variable field takes its part of them, and in the
 * end none may be left.  _cut[n] is how far the fields behind n + 1 cut ones have moved.
 * Source: mig-codegen.md §5.4, §7.2.
 */
#include "mig/generate/c_text.h"

struct check {
	struct writer *w;
	const struct c_message *m;
	const char *bad_shape;
	const char *bad_type;
};

static void
fail_if(const struct check *c, const char *condition, const char *code)
{
	write_line(c->w, "\tif (%s)", condition);
	write_line(c->w, "\t\treturn %s;", code);
}

/* ---- descriptors ----------------------------------------------------------------------- */

static const char *
disposition_mismatch(const struct check *c, const struct argument *argument, const char *of)
{
	if (c_is_polymorphic(argument->type))
		return "";
	return write_string(c->w, " ||\n\t    %s.disposition != %s", of,
			    argument->type->in_name.text);
}

static void
check_row_of_ports(const struct check *c, const struct message_descriptor *d)
{
	struct writer *w = c->w;
	const char *one = write_string(w, "%s->%s[_index]", c->m->pointer, d->argument->name);

	/* of a bounded row those behind the count are looked at with the count */
	if (d->argument->type->extent == EXTENT_BOUNDED)
		return;
	write_line(w, "\tfor (unsigned _index = 0; _index < %u; _index++) {", d->count);
	write_line(w, "\t\tif (%s.type != MACH_MSG_PORT_DESCRIPTOR%s)", one,
		   disposition_mismatch(c, d->argument, one));
	write_line(w, "\t\t\treturn %s;", c->bad_type);
	write_line(w, "\t}");
}

static void
check_row_of_memory(const struct check *c, const struct message_descriptor *d)
{
	struct writer *w = c->w;
	const struct ipc_type *element = d->argument->type->element;
	const char *one = write_string(w, "%s->%s[_index]", c->m->pointer, d->argument->name);
	bool ports = d->argument->type->carriage == CARRIAGE_OOLS_PORTS;

	write_line(w, "\tfor (unsigned _index = 0; _index < %u; _index++) {", d->count);
	write_line(w, "\t\tif (%s.type != %s%s)", one,
		   ports ? "MACH_MSG_OOL_PORTS_DESCRIPTOR" : "MACH_MSG_OOL_DESCRIPTOR",
		   ports ? disposition_mismatch(c, d->argument, one) : "");
	write_line(w, "\t\t\treturn %s;", c->bad_type);
	if (element->extent != EXTENT_ANY && element->extent != EXTENT_BOUNDED &&
	    d->argument->type->extent == EXTENT_FIXED) {
		write_line(w, "\t\tif (%s.%s != %u)", one, ports ? "count" : "size",
			   ports ? element->capacity : element->capacity * element->element_size);
		write_line(w, "\t\t\treturn %s;", c->bad_type);
	}
	write_line(w, "\t}");
}

static void
check_descriptor(const struct check *c, const struct message_descriptor *d)
{
	struct writer *w = c->w;
	const struct argument *argument = d->argument;
	const struct ipc_type *type = argument->type;
	const char *one = write_string(w, "%s->%s", c->m->pointer, argument->name);
	bool fixed = !type_is_variable(type);
	const char *size = "";

	write_line(w, "\t/* %s */", argument->name);
	switch (type->carriage) {
	case CARRIAGE_PORT:
		fail_if(c,
			write_string(w, "%s.type != MACH_MSG_PORT_DESCRIPTOR%s", one,
				     disposition_mismatch(c, argument, one)),
			c->bad_type);
		break;
	case CARRIAGE_PORTS:
		check_row_of_ports(c, d);
		break;
	case CARRIAGE_OOL:
		if (fixed)
			size = write_string(w, " ||\n\t    %s.size != %u", one,
					    type->capacity * type->element_size);
		fail_if(c, write_string(w, "%s.type != MACH_MSG_OOL_DESCRIPTOR%s", one, size),
			c->bad_type);
		break;
	case CARRIAGE_OOL_PORTS:
		if (fixed)
			size = write_string(w, " ||\n\t    %s.count != %u", one, type->capacity);
		fail_if(c,
			write_string(w, "%s.type != MACH_MSG_OOL_PORTS_DESCRIPTOR%s%s", one,
				     disposition_mismatch(c, argument, one), size),
			c->bad_type);
		break;
	case CARRIAGE_OOLS:
	case CARRIAGE_OOLS_PORTS:
		check_row_of_memory(c, d);
		break;
	case CARRIAGE_INLINE:
		break;
	}
}

/* ---- counts ---------------------------------------------------------------------------- */

/* A row of which only the first are used: the rest must be empty, or rights would be lost. */
static void
check_bounded_row(const struct check *c, const struct argument *argument, const char *count)
{
	struct writer *w = c->w;
	const struct ipc_type *type = argument->type;
	const char *one = write_string(w, "%s->%s[_index]", c->m->pointer, argument->name);

	fail_if(c, write_string(w, "%s > %u", count, type->capacity), c->bad_shape);
	write_line(w, "\tfor (unsigned _index = 0; _index < %u; _index++) {", type->capacity);
	if (type->carriage == CARRIAGE_PORTS) {
		write_line(w, "\t\tif (%s.type != MACH_MSG_PORT_DESCRIPTOR)", one);
		write_line(w, "\t\t\treturn %s;", c->bad_type);
		write_line(w, "\t\tif (_index >= %s && %s.name != MACH_PORT_NULL)", count, one);
		write_line(w, "\t\t\treturn %s;", c->bad_type);
		if (!c_is_polymorphic(type)) {
			write_line(w, "\t\tif (_index < %s && %s.disposition != %s)", count, one,
				   type->in_name.text);
			write_line(w, "\t\t\treturn %s;", c->bad_type);
		}
	} else {
		const char *size = type->carriage == CARRIAGE_OOLS ? "size" : "count";
		const struct ipc_type *element = type->element;

		write_line(w, "\t\tif (_index >= %s && %s.%s != 0)", count, one, size);
		write_line(w, "\t\t\treturn %s;", c->bad_type);
		if (!type_is_variable(element)) {
			write_line(w, "\t\tif (_index < %s && %s.%s != %u)", count, one, size,
				   type->carriage == CARRIAGE_OOLS
				       ? element->capacity * element->element_size
				       : element->capacity);
			write_line(w, "\t\t\treturn %s;", c->bad_type);
		}
	}
	write_line(w, "\t}");
}

/* What shares the count @field, and is not inline: its descriptors must agree with it. */
static void
check_count(const struct check *c, const struct message_field *field)
{
	struct writer *w = c->w;
	const struct message *message = c->m->message;

	for (uint32_t i = 0; i < message->descriptor_count; i++) {
		const struct argument *argument = message->descriptors[i].argument;
		const struct ipc_type *type = argument->type;
		const char *count = c_field_number(w, c->m, field);
		const char *bound = "";

		if (argument->count_of != field->argument)
			continue;
		write_line(w, "\t/* %s: its count */", argument->name);
		if (type->carriage != CARRIAGE_OOL && type->carriage != CARRIAGE_OOL_PORTS) {
			check_bounded_row(c, argument, count);
			continue;
		}
		if (type->extent == EXTENT_BOUNDED)
			bound = write_string(w, "%s > %u || ", count, type->capacity);
		if (type->carriage == CARRIAGE_OOL_PORTS)
			fail_if(c,
				write_string(w, "%s%s->%s.count != %s", bound, c->m->pointer,
					     argument->name, count),
				c->bad_type);
		else
			fail_if(c,
				write_string(w, "%s(uint64_t)%s != %s->%s.size", bound,
					     c_bytes(w, count, type->element_size), c->m->pointer,
					     argument->name),
				c->bad_type);
	}
}

/* The counts of the parts of a row of memory. */
static void
check_subs(const struct check *c, const struct message_field *field)
{
	struct writer *w = c->w;
	const struct ipc_type *type = field->argument->type;
	const struct ipc_type *element = type->element;
	const char *one = write_string(w, "%s->%s[_index]", c->m->pointer, field->argument->name);

	write_line(w, "\t/* %s: the counts of its parts */", field->argument->name);
	write_line(w, "\tfor (unsigned _index = 0; _index < %u; _index++) {", type->capacity);
	write_line(w, "\t\tmach_msg_type_number_t _part =");
	write_line(w, "\t\t    ((const mach_msg_type_number_t *)%s)[_index];\n",
		   c_field_address(w, c->m, field));
	if (element->extent == EXTENT_BOUNDED) {
		write_line(w, "\t\tif (_part > %u)", element->capacity);
		write_line(w, "\t\t\treturn %s;", c->bad_type);
	}
	if (type->carriage == CARRIAGE_OOLS_PORTS)
		write_line(w, "\t\tif (%s.count != _part)", one);
	else
		write_line(w, "\t\tif ((uint64_t)_part * %u != %s.size)", element->element_size,
			   one);
	write_line(w, "\t\t\treturn %s;", c->bad_type);
	write_line(w, "\t}");
}

/* ---- values ---------------------------------------------------------------------------- */

/* Take the part of a cut field out of _room. */
static void
check_cut(const struct check *c, const struct message_field *field, uint32_t *cut_index)
{
	struct writer *w = c->w;
	const struct ipc_type *type = field->argument->type;
	const struct message_field *count_field = message_count(c->m->message, field->argument);
	const char *count = c_field_number(w, c->m, count_field);
	const char *bytes = write_string(w, "round_msg(%s)", c_bytes(w, count, type->element_size));
	const char *before =
	    *cut_index > 0 ? write_string(w, "%s[%u] + ", c->m->cut, *cut_index - 1) : "";

	write_line(w, "\t/* %s: as long as its count says */", field->argument->name);
	fail_if(c, write_string(w, "%s > %u ||\n\t    %s > _room", count, type->capacity, bytes),
		c->bad_shape);
	write_line(w, "\t_room -= (mach_msg_size_t)%s;", bytes);
	write_line(w, "\t%s[%u] = (mach_msg_size_t)(%s%u - %s);", c->m->cut, *cut_index, before,
		   field->size_max + field->padding, bytes);
	(*cut_index)++;
}

static void
check_string(const struct check *c, const struct message_field *field)
{
	struct writer *w = c->w;
	const char *length = c_field_size(w, field);

	if (field->is_cut)
		length = c_field_number(w, c->m, message_count(c->m->message, field->argument));
	write_line(w, "\t/* %s: ends with a NUL */", field->argument->name);
	fail_if(
	    c,
	    write_string(w, "memchr(%s, 0, %s) == NULL", c_field_address(w, c->m, field), length),
	    c->bad_shape);
}

void
c_check_body(struct writer *w, const struct c_message *m, const char *bad_shape,
	     const char *bad_type)
{
	const struct check c = { .w = w, .m = m, .bad_shape = bad_shape, .bad_type = bad_type };
	const struct message *message = m->message;
	uint32_t cut_index = 0;

	for (uint32_t i = 0; i < message->descriptor_count; i++)
		check_descriptor(&c, &message->descriptors[i]);
	if (message->cut_count > 0)
		write_line(
		    w, "\tmach_msg_size_t _room = (mach_msg_size_t)(%s->Head.msgh_size - (%s));",
		    m->pointer, c_size_min(w, m));
	for (uint32_t i = 0; i < message->field_count; i++) {
		const struct message_field *field = &message->fields[i];

		if (field->kind == FIELD_COUNT) {
			check_count(&c, field);
		} else if (field->kind == FIELD_SUBS) {
			check_subs(&c, field);
		} else if (field->kind == FIELD_VALUE) {
			if (field->is_cut)
				check_cut(&c, field, &cut_index);
			if (field->argument->type->form == FORM_STRING)
				check_string(&c, field);
		}
	}
	if (message->cut_count > 0)
		fail_if(&c, "_room != 0", bad_shape);
}
