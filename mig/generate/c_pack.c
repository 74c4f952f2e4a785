/*
 * Filling a message: see c_pack.h.  Source: mig-codegen.md §2, §5.1, §7.2.
 */
#include "mig/generate/c_pack.h"

const char *
pack_count_of(const struct packing *p, const struct argument *argument)
{
	return p->value(p->w, argument->count_of, "Cnt");
}

/* ---- descriptors ----------------------------------------------------------------------- */

static const char *
disposition(const struct packing *p, const struct argument *argument)
{
	if (c_sender_chooses(argument))
		return write_string(p->w, "(unsigned char)%s", p->value(p->w, argument, "Poly"));
	return c_sent_disposition(p->w, argument);
}

static const char *
deallocate(const struct packing *p, const struct argument *argument)
{
	if (argument->dealloc == DEALLOC_RUN_TIME)
		return write_string(p->w, "(%sDealloc != FALSE)", argument->name);
	return argument->dealloc == DEALLOC_YES ? "TRUE" : "FALSE";
}

/* The right @name into the descriptor at @place. */
static void
pack_port(const struct packing *p, const struct argument *argument, const char *indent,
	  const char *place, const char *name)
{
	struct writer *w = p->w;

	write_line(w, "%s%s->%s = (mach_msg_port_descriptor_t){", indent, p->m->pointer, place);
	write_line(w, "%s\t.name = %s,", indent, name);
	write_line(w, "%s\t.disposition = %s,", indent, disposition(p, argument));
	write_line(w, "%s\t.type = MACH_MSG_PORT_DESCRIPTOR,", indent);
	write_line(w, "%s};", indent);
}

/* Memory of type @type at @address, with @count elements, into the descriptor at @place. */
static void
pack_memory(const struct packing *p, const struct argument *argument, const struct ipc_type *type,
	    const char *indent, const char *place, const char *address, const char *count)
{
	struct writer *w = p->w;
	bool ports = type->carriage == CARRIAGE_OOL_PORTS;

	write_line(w, "%s%s->%s = (%s){", indent, p->m->pointer, place,
		   ports ? "mach_msg_ool_ports_descriptor_t" : "mach_msg_ool_descriptor_t");
	write_line(w, "%s\t.address = (void *)(%s),", indent, address);
	if (ports) {
		write_line(w, "%s\t.count = %s,", indent, count);
		write_line(w, "%s\t.disposition = %s,", indent, disposition(p, argument));
	} else {
		write_line(w, "%s\t.size = (mach_msg_size_t)(%s),", indent,
			   c_bytes(w, count, type->element_size));
	}
	write_line(w, "%s\t.deallocate = %s,", indent, deallocate(p, argument));
	write_line(w, "%s\t.copy = %s,", indent,
		   argument->physical_copy ? "MACH_MSG_PHYSICAL_COPY" : "MACH_MSG_VIRTUAL_COPY");
	write_line(w, "%s\t.type = %s,", indent,
		   ports ? "MACH_MSG_OOL_PORTS_DESCRIPTOR" : "MACH_MSG_OOL_DESCRIPTOR");
	write_line(w, "%s};", indent);
}

/* Descriptors in a row; those behind the count are empty. */
static void
pack_row(const struct packing *p, const struct message_descriptor *d)
{
	struct writer *w = p->w;
	const struct argument *argument = d->argument;
	const struct ipc_type *part = argument->type->element;
	const char *place = write_string(w, "%s[_index]", argument->name);
	const char *value = place;
	const char *used = NULL;
	const char *count;

	if (argument->count_of)
		used = write_string(w, "_index < %s", pack_count_of(p, argument));
	write_line(w, "\tfor (unsigned _index = 0; _index < %u; _index++)", d->count);
	if (argument->type->carriage == CARRIAGE_PORTS) {
		if (used)
			value = write_string(w, "%s ? %s : MACH_PORT_NULL", used, value);
		pack_port(p, argument, "\t\t", place, value);
		return;
	}
	count = argument->has_subs ? write_string(w, "%sSubs[_index]", argument->name)
				   : write_string(w, "%uu", part->capacity);
	if (used) {
		value = write_string(w, "%s ? (void *)%s : NULL", used, value);
		count = write_string(w, "(%s ? %s : 0)", used, count);
	}
	pack_memory(p, argument, part, "\t\t", place, value, count);
}

static void
pack_descriptor(const struct packing *p, const struct message_descriptor *d)
{
	const struct argument *argument = d->argument;
	const struct ipc_type *type = argument->type;
	const char *value = p->value(p->w, argument, "");

	switch (type->carriage) {
	case CARRIAGE_PORT:
		pack_port(p, argument, "\t", argument->name, value);
		break;
	case CARRIAGE_OOL:
	case CARRIAGE_OOL_PORTS:
		pack_memory(p, argument, type, "\t", argument->name, value,
			    argument->count_of ? pack_count_of(p, argument)
					       : write_string(p->w, "%uu", type->capacity));
		break;
	default:
		pack_row(p, d);
	}
}

void
pack_descriptors(const struct packing *p)
{
	const struct message *message = p->m->message;

	if (message->is_complex)
		write_line(p->w, "\t%s->msgh_body.msgh_descriptor_count = %u;", p->m->pointer,
			   message->wire_descriptor_count);
	for (uint32_t i = 0; i < message->descriptor_count; i++) {
		write_line(p->w, "\n\t/* %s */", message->descriptors[i].argument->name);
		pack_descriptor(p, &message->descriptors[i]);
	}
	if (message->has_ndr)
		write_line(p->w, "\n\t%s->NDR = NDR_record;", p->m->pointer);
}

/* ---- inline fields --------------------------------------------------------------------- */

void
pack_number(const struct packing *p, const struct message_field *field, const char *number)
{
	write_line(p->w, "\t%s = %s;", c_field_number(p->w, p->m, field), number);
}

void
pack_padding(const struct packing *p, const struct message_field *field)
{
	if (field->padding > 0)
		write_line(p->w, "\tmemset((char *)%s + %u, 0, %u);",
			   c_field_address(p->w, p->m, field), field->size_max, field->padding);
}

void
pack_zero_tail(const struct packing *p, const struct message_field *field, const char *bytes)
{
	write_line(p->w, "\tmemset((char *)%s + %s, 0, round_msg(%s) - %s);",
		   c_field_address(p->w, p->m, field), bytes, bytes, bytes);
}

void
pack_cut(const struct packing *p, const struct message_field *field, const char *bytes)
{
	const struct ipc_type *type = field->argument->type;

	/* a string's copy has zeroed what is behind it */
	if (type->element_size % 4 != 0 && type->form != FORM_STRING)
		pack_zero_tail(p, field, bytes);
	write_line(p->w, "\t%s += (mach_msg_size_t)(%u - round_msg(%s));", p->m->cut,
		   field->size_max + field->padding, bytes);
}

void
pack_comment(const struct packing *p, const struct message_field *field,
	     const struct argument **last)
{
	if (field->argument && field->argument != *last)
		write_line(p->w, "\n\t/* %s */", field->argument->name);
	*last = field->argument;
}
