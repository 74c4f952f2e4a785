/*
 * The reply: what is wrong with it, and what goes to the caller.
 * Source: mig-codegen.md §5.4, §5.5.
 */
#include "mig/generate/user.h"

/* ---- the check ------------------------------------------------------------------------- */

static void
check_simple_shape(const struct user_stub *stub)
{
	struct writer *w = stub->w;
	const char *size =
	    write_string(w, "Out0P->Head.msgh_size != %s", c_size_min(w, &stub->reply));

	if (stub->routine->reply.cut_count > 0)
		size = write_string(w,
				    "(Out0P->Head.msgh_size < %s ||\n"
				    "\t      Out0P->Head.msgh_size > sizeof(%s))",
				    c_size_min(w, &stub->reply), stub->reply.type);
	write_line(w, "\tif ((Out0P->Head.msgh_bits & MACH_MSGH_BITS_COMPLEX) != 0 ||");
	write_line(w, "\t    (%s &&", size);
	write_line(w, "\t     (Out0P->Head.msgh_size != sizeof(mig_reply_error_t) ||");
	write_line(w, "\t      Out0P->RetCode == KERN_SUCCESS)))");
	write_line(w, "\t\treturn MIG_TYPE_ERROR;");
	write_line(w, "\tif (Out0P->Head.msgh_remote_port != MACH_PORT_NULL)");
	write_line(w, "\t\treturn MIG_TYPE_ERROR;");
	write_line(w, "\tif (Out0P->RetCode != KERN_SUCCESS)");
	write_line(w, "\t\treturn Out0P->RetCode;");
}

static void
check_complex_shape(const struct user_stub *stub)
{
	struct writer *w = stub->w;
	const struct message *reply = &stub->routine->reply;

	write_line(w, "\tif (Out0P->Head.msgh_remote_port != MACH_PORT_NULL)");
	write_line(w, "\t\treturn MIG_TYPE_ERROR;");
	write_line(w, "\tif ((Out0P->Head.msgh_bits & MACH_MSGH_BITS_COMPLEX) == 0) {");
	write_line(w, "\t\t/* only an error comes so */");
	write_line(w, "\t\tkern_return_t RetCode;\n");
	write_line(w, "\t\tif (Out0P->Head.msgh_size != sizeof(mig_reply_error_t))");
	write_line(w, "\t\t\treturn MIG_TYPE_ERROR;");
	write_line(w, "\t\tRetCode = ((mig_reply_error_t *)(void *)Out0P)->RetCode;");
	write_line(w, "\t\treturn RetCode != KERN_SUCCESS ? RetCode : MIG_TYPE_ERROR;");
	write_line(w, "\t}");
	if (reply->cut_count > 0) {
		write_line(w, "\tif (Out0P->Head.msgh_size < %s ||", c_size_min(w, &stub->reply));
		write_line(w, "\t    Out0P->Head.msgh_size > sizeof(%s) ||", stub->reply.type);
	} else {
		write_line(w, "\tif (Out0P->Head.msgh_size != %s ||", c_size_min(w, &stub->reply));
	}
	write_line(w, "\t    Out0P->msgh_body.msgh_descriptor_count != %u)",
		   reply->wire_descriptor_count);
	write_line(w, "\t\treturn MIG_TYPE_ERROR;");
}

static void
check_foreign(const struct user_stub *stub)
{
	if (!stub->w->settings->ndr_convert || !stub->routine->reply.has_ndr)
		return;
	write_line(stub->w, "\tif (Out0P->NDR.int_rep != NDR_record.int_rep)");
	write_line(stub->w, "\t\treturn MIG_TYPE_ERROR;");
}

static const char *
check_name(const struct user_stub *stub)
{
	return write_string(stub->w, "__MIG_check__Reply__%s_t", stub->routine->name);
}

void
user_write_check(const struct user_stub *stub)
{
	struct writer *w = stub->w;
	const struct routine *routine = stub->routine;
	const struct message *reply = &routine->reply;

	write_line(w, "/* The reply of %s: KERN_SUCCESS, the server's code, or what is wrong.%s */",
		   routine->name,
		   reply->cut_count > 0
		       ? "\n * _reply_cut: how far the fields behind each array that "
			 "is cut have moved."
		       : "");
	write_line(w, "mig_internal kern_return_t");
	write_line(w, "%s(%s *Out0P%s)\n{", check_name(stub), stub->reply.type,
		   reply->cut_count > 0 ? ", mach_msg_size_t *_reply_cut" : "");
	write_line(w, "\tif (Out0P->Head.msgh_id != %d)", routine->id + 100);
	write_line(w, "\t\treturn Out0P->Head.msgh_id == MACH_NOTIFY_SEND_ONCE ? "
		      "MIG_SERVER_DIED : MIG_REPLY_MISMATCH;");
	if (reply->is_complex)
		check_complex_shape(stub);
	else
		check_simple_shape(stub);
	check_foreign(stub);
	c_check_body(w, &stub->reply, "MIG_TYPE_ERROR", "MIG_TYPE_ERROR");
	write_line(w, "\treturn KERN_SUCCESS;\n}\n");
}

/* ---- tokens ---------------------------------------------------------------------------- */

static void
refuse_reply(const struct user_stub *stub, const char *code)
{
	write_line(stub->w, "\t\tmach_msg_destroy%s(&Out0P->Head);",
		   stub->w->interface->kernel_user ? "_from_kernel" : "");
	user_leave(stub, "\t\t", code);
}

static bool
is_audit_token(const struct argument *argument)
{
	return argument->role == ROLE_AUDIT_TOKEN || argument->role == ROLE_USER_AUDIT_TOKEN;
}

static bool
is_user_token(const struct argument *argument)
{
	return is_audit_token(argument) || argument->role == ROLE_SEC_TOKEN ||
	       argument->role == ROLE_USER_SEC_TOKEN;
}

static void
copy_tokens(const struct user_stub *stub)
{
	struct writer *w = stub->w;
	const struct routine *routine = stub->routine;
	const char *needed = routine->user_trailer >= TRAILER_AUDIT ? "mach_msg_audit_trailer_t"
								    : "mach_msg_security_trailer_t";

	if (routine->user_trailer == TRAILER_MINIMAL)
		return;
	write_line(w, "\t/* who answered */");
	write_line(w, "\tmach_msg_max_trailer_t *TrailerP = (mach_msg_max_trailer_t *)(void *)");
	write_line(w, "\t    ((char *)Out0P + round_msg(Out0P->Head.msgh_size));\n");
	write_line(w, "\tif (TrailerP->msgh_trailer_type != MACH_MSG_TRAILER_FORMAT_0 ||");
	write_line(w, "\t    TrailerP->msgh_trailer_size < sizeof(%s)) {", needed);
	refuse_reply(stub, "MIG_TRAILER_ERROR");
	write_line(w, "\t}");
	for (uint32_t i = 0; i < routine->argument_count; i++) {
		const struct argument *argument = &routine->arguments[i];

		if (is_user_token(argument))
			write_line(w, "\t*%s = TrailerP->%s;", argument->name,
				   is_audit_token(argument) ? "msgh_audit" : "msgh_sender");
	}
}

/* ---- inline results -------------------------------------------------------------------- */

static const char *
wire_count(const struct user_stub *stub, const struct argument *argument)
{
	return c_field_number(stub->w, &stub->reply,
			      message_count(&stub->routine->reply, argument));
}

/* How many elements the caller has room for. */
static const char *
capacity(const struct user_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	uint32_t most = argument->type->capacity;

	if (!argument->count_of->count_inout)
		return write_string(w, "%u", most);
	const char *count = argument->count_of->name;
	return write_string(w, "(*%sCnt < %u ? *%sCnt : %u)", count, most, count, most);
}

static void
copy_cut_array(const struct user_stub *stub, const struct message_field *field)
{
	struct writer *w = stub->w;
	const struct argument *argument = field->argument;
	const char *count = wire_count(stub, argument);

	if (!argument->count_of->count_inout) {
		write_line(w, "\tif (%s > 0)", count);
		write_line(w, "\t\tmemcpy(%s, %s, (size_t)%s * %u);", argument->name,
			   c_field_address(w, &stub->reply, field), count,
			   argument->type->element_size);
		return;
	}
	write_line(w, "\t_fit = %s;", capacity(stub, argument));
	write_line(w, "\tif (%s > _fit)", count);
	write_line(w, "\t\t_too_large = TRUE;");
	write_line(w, "\telse");
	write_line(w, "\t\t_fit = %s;", count);
	write_line(w, "\tif (_fit > 0)");
	write_line(w, "\t\tmemcpy(%s, %s, (size_t)_fit * %u);", argument->name,
		   c_field_address(w, &stub->reply, field), argument->type->element_size);
}

static void
copy_value(const struct user_stub *stub, const struct message_field *field)
{
	struct writer *w = stub->w;
	const struct argument *argument = field->argument;
	const char *place = c_field_address(w, &stub->reply, field);

	switch (argument->type->form) {
	case FORM_STRING:
		write_line(w, "\tmig_strncpy(%s, %s, %u);", argument->name, place,
			   argument->type->capacity);
		break;
	case FORM_SCALAR:
	case FORM_STRUCT:
		if (field->cut_before == 0)
			write_line(w, "\t*%s = Out0P->%s;", argument->name, field->name);
		else
			write_line(w, "\tmemcpy(%s, %s, %u);", argument->name, place,
				   field->size_max);
		break;
	case FORM_ARRAY:
	case FORM_POINTER:
		if (field->is_cut)
			copy_cut_array(stub, field);
		else
			write_line(w, "\tmemcpy(%s, %s, %u);", argument->name, place,
				   field->size_max);
		break;
	default:
		write_line(w, "\tmemcpy(%s, %s, sizeof(%s));", argument->name, place,
			   argument->type->native_type);
	}
}

/* ---- rights and memory ----------------------------------------------------------------- */

/* Rights beyond what the caller has room for would be lost: give them up. */
static void
copy_ports(const struct user_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	uint32_t most = argument->type->capacity;

	if (!argument->count_of) {
		write_line(w, "\tfor (unsigned _index = 0; _index < %u; _index++)", most);
		write_line(w, "\t\t%s[_index] = Out0P->%s[_index].name;", argument->name,
			   argument->name);
		return;
	}
	const char *count = wire_count(stub, argument);

	if (!argument->count_of->count_inout) {
		write_line(w, "\tfor (unsigned _index = 0; _index < %s; _index++)", count);
		write_line(w, "\t\t%s[_index] = Out0P->%s[_index].name;", argument->name,
			   argument->name);
		return;
	}
	write_line(w, "\t_fit = %s;", capacity(stub, argument));
	write_line(w, "\tif (%s > _fit)", count);
	write_line(w, "\t\t_too_large = TRUE;");
	write_line(w, "\tfor (unsigned _index = 0; _index < _fit && _index < %s; _index++) {",
		   count);
	write_line(w, "\t\t%s[_index] = Out0P->%s[_index].name;", argument->name, argument->name);
	write_line(w, "\t\tOut0P->%s[_index].name = MACH_PORT_NULL; /* the caller's */",
		   argument->name);
	write_line(w, "\t}");
}

/* Into memory that the caller has prepared; what the kernel mapped is given back. */
static void
copy_over(const struct user_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	bool ports = argument->type->carriage == CARRIAGE_OOL_PORTS;
	const char *bytes =
	    ports ? write_string(w, "(vm_size_t)Out0P->%s.count * sizeof(mach_port_t)",
				 argument->name)
		  : write_string(w, "(vm_size_t)Out0P->%s.size", argument->name);

	write_line(w, "\tif (%s > 0)", bytes);
	write_line(w, "\t\tmemcpy((void *)*%s, Out0P->%s.address, %s);", argument->name,
		   argument->name, bytes);
	write_line(w, "\tmig_deallocate((vm_address_t)Out0P->%s.address, %s);", argument->name,
		   bytes);
}

static void
copy_row_of_memory(const struct user_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	const char *end = argument->count_of ? wire_count(stub, argument)
					     : write_string(w, "%u", argument->type->capacity);

	write_line(w, "\tfor (unsigned _index = 0; _index < %s; _index++) {", end);
	write_line(w, "\t\t%s[_index] = Out0P->%s[_index].address;", argument->name,
		   argument->name);
	if (argument->has_subs)
		write_line(
		    w, "\t\t%sSubs[_index] = ((mach_msg_type_number_t *)%s)[_index];",
		    argument->name,
		    c_field_address(w, &stub->reply,
				    message_find(&stub->routine->reply, FIELD_SUBS, argument)));
	write_line(w, "\t}");
}

static void
copy_descriptor(const struct user_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	const char *name = argument->name;

	switch (argument->type->carriage) {
	case CARRIAGE_PORT:
		write_line(w, "\t*%s = Out0P->%s.name;", name, name);
		break;
	case CARRIAGE_PORTS:
		copy_ports(stub, argument);
		break;
	case CARRIAGE_OOL:
	case CARRIAGE_OOL_PORTS:
		if (argument->overwrite)
			copy_over(stub, argument);
		else
			write_line(w, "\t*%s = (%s)Out0P->%s.address;", name,
				   c_type(w, argument->type), name);
		break;
	default:
		copy_row_of_memory(stub, argument);
	}
}

/* What kind of right it turned out to be. */
static void
copy_disposition(const struct user_stub *stub, const struct argument *argument)
{
	enum carriage carriage = argument->type->carriage;
	bool row = carriage == CARRIAGE_PORTS || carriage == CARRIAGE_OOLS_PORTS;

	if (argument->user_poly)
		write_line(stub->w, "\t*%sPoly = Out0P->%s%s.disposition;", argument->name,
			   argument->name, row ? "[0]" : "");
}

/* ---- all results ----------------------------------------------------------------------- */

/* Can it be that the caller has not enough room, so that nothing of it is delivered? */
static bool
may_be_too_large(const struct argument *argument)
{
	return argument->in_reply && argument->count_of &&
	       ((argument->type->carriage == CARRIAGE_INLINE && argument->count_of->count_inout) ||
		(argument->type->carriage == CARRIAGE_PORTS && argument->count_of->count_inout) ||
		argument->overwrite);
}

/* Everything that the caller's room decides, before anything else is handed out. */
static bool
copy_what_may_not_fit(const struct user_stub *stub)
{
	struct writer *w = stub->w;
	const struct routine *routine = stub->routine;
	bool begun = false;

	for (uint32_t i = 0; i < routine->argument_count; i++) {
		const struct argument *argument = &routine->arguments[i];

		if (!may_be_too_large(argument))
			continue;
		if (!begun) {
			write_line(w, "\tboolean_t _too_large = FALSE;");
			write_line(w, "\tmach_msg_type_number_t _fit;\n");
			begun = true;
		}
		write_line(w, "\t/* %s: as much as there is room for */", argument->name);
		if (argument->type->carriage == CARRIAGE_INLINE)
			copy_cut_array(stub, message_find(&routine->reply, FIELD_VALUE, argument));
		else if (argument->type->carriage == CARRIAGE_PORTS)
			copy_ports(stub, argument);
		else
			write_line(w, "\t_fit = *%sCnt;\n\tif (%s > _fit)\n\t\t_too_large = TRUE;",
				   argument->count_of->name, wire_count(stub, argument));
	}
	return begun;
}

static void
copy_counts(const struct user_stub *stub)
{
	struct writer *w = stub->w;
	const struct routine *routine = stub->routine;

	for (uint32_t i = 0; i < routine->argument_count; i++) {
		const struct argument *argument = &routine->arguments[i];

		if (argument->in_reply && argument->has_count)
			write_line(w, "\t*%sCnt = %s;", argument->name, wire_count(stub, argument));
	}
}

void
user_write_results(const struct user_stub *stub)
{
	struct writer *w = stub->w;
	const struct routine *routine = stub->routine;

	write_line(w, "\n\t_check_result = %s(Out0P%s);", check_name(stub),
		   routine->reply.cut_count > 0 ? ", _reply_cut" : "");
	write_line(w, "\tif (_check_result != KERN_SUCCESS) {");
	refuse_reply(stub, "_check_result");
	write_line(w, "\t}");
	copy_tokens(stub);
	bool may_not_fit = copy_what_may_not_fit(stub);
	copy_counts(stub);
	if (may_not_fit) {
		write_line(w, "\tif (_too_large) {");
		refuse_reply(stub, "MIG_ARRAY_TOO_LARGE");
		write_line(w, "\t}");
	}
	for (uint32_t i = 0; i < routine->reply.field_count; i++) {
		const struct message_field *field = &routine->reply.fields[i];

		if (field->kind == FIELD_VALUE && !may_be_too_large(field->argument))
			copy_value(stub, field);
	}
	for (uint32_t i = 0; i < routine->reply.descriptor_count; i++) {
		const struct argument *argument = routine->reply.descriptors[i].argument;

		if (argument->type->carriage != CARRIAGE_PORTS || !may_be_too_large(argument))
			copy_descriptor(stub, argument);
		copy_disposition(stub, argument);
	}
}
