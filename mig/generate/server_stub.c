/*
 * A server stub: check the request, call the server function, answer.
 *
 * What comes in is read where it lies in the request, unless it might lie badly for the
 * processor or has to be gathered from descriptors.  What goes out is put into the reply
 * by server_reply.c.  Source: mig-codegen.md §7.2, §7.3.
 */
#include "mig/generate/server.h"

/* ---- the check ------------------------------------------------------------------------- */

static const char *
check_name(const struct server_stub *stub)
{
	return write_string(stub->w, "__MIG_check__Request__%s_t", stub->routine->name);
}

/* The least trailer that holds what the server function is told of the sender. */
static const char *
trailer_type(enum trailer_need need)
{
	switch (need) {
	case TRAILER_SEQNO:
		return "mach_msg_seqno_trailer_t";
	case TRAILER_SENDER:
		return "mach_msg_security_trailer_t";
	case TRAILER_AUDIT:
		return "mach_msg_audit_trailer_t";
	case TRAILER_CONTEXT:
		return "mach_msg_context_trailer_t";
	default:
		return "mach_msg_trailer_t";
	}
}

static void
check_trailer(const struct server_stub *stub)
{
	struct writer *w = stub->w;
	const struct routine *routine = stub->routine;

	if (routine->server_trailer == TRAILER_MINIMAL)
		return;
	write_line(w, "\t/* the trailer: whoever receives must have asked for it */");
	write_line(w,
		   "\tconst mach_msg_trailer_t *TrailerP = (const mach_msg_trailer_t *)(void *)");
	write_line(w, "\t    ((char *)In0P + round_msg(In0P->Head.msgh_size));\n");
	write_line(w, "\tif (TrailerP->msgh_trailer_type != MACH_MSG_TRAILER_FORMAT_0 ||");
	write_line(w, "\t    TrailerP->msgh_trailer_size < sizeof(%s))",
		   trailer_type(routine->server_trailer));
	write_line(w, "\t\treturn MIG_TRAILER_ERROR;");
}

void
server_write_check(const struct server_stub *stub)
{
	struct writer *w = stub->w;
	const struct message *request = &stub->routine->request;
	bool moves = request->cut_count > 0;

	write_line(w, "/* Is the request of %s what it should be?%s */", stub->routine->name,
		   moves
		       ? "  _cut: how far the fields behind each array\n * that is cut have moved."
		       : "");
	write_line(w, "mig_internal kern_return_t");
	write_line(w, "%s(%s *In0P%s)\n{", check_name(stub), stub->request.type,
		   moves ? ", mach_msg_size_t *_cut" : "");
	write_line(w, "\tif ((In0P->Head.msgh_bits & MACH_MSGH_BITS_COMPLEX) %s 0 ||",
		   request->is_complex ? "==" : "!=");
	if (moves) {
		write_line(w, "\t    In0P->Head.msgh_size < %s ||", c_size_min(w, &stub->request));
		text_printf(w->text, "\t    In0P->Head.msgh_size > sizeof(%s)", stub->request.type);
	} else {
		text_printf(w->text, "\t    In0P->Head.msgh_size != %s",
			    c_size_min(w, &stub->request));
	}
	if (request->is_complex)
		text_printf(w->text, " ||\n\t    In0P->msgh_body.msgh_descriptor_count != %u",
			    request->wire_descriptor_count);
	write_line(w, ")\n\t\treturn MIG_BAD_ARGUMENTS;");
	if (w->settings->ndr_convert && request->has_ndr) {
		write_line(w, "\tif (In0P->NDR.int_rep != NDR_record.int_rep)");
		write_line(w, "\t\treturn MIG_BAD_ARGUMENTS;");
	}
	c_check_body(w, &stub->request, "MIG_BAD_ARGUMENTS", "MIG_TYPE_ERROR");
	check_trailer(stub);
	write_line(w, "\treturn KERN_SUCCESS;\n}\n");
}

/* ---- what comes in --------------------------------------------------------------------- */

static bool
is_reply_port(const struct argument *argument)
{
	return argument->role == ROLE_REPLY_PORT || argument->role == ROLE_SREPLY_PORT;
}

/* A right, and what kind it is, where it lies in the request. */
static const char *
port_in_request(const struct server_stub *stub, const struct argument *argument)
{
	if (argument == stub->routine->request_port)
		return "In0P->Head.msgh_local_port";
	if (is_reply_port(argument))
		return "In0P->Head.msgh_remote_port";
	return write_string(stub->w, "In0P->%s.name", argument->name);
}

static const char *
disposition_in_request(const struct server_stub *stub, const struct argument *argument)
{
	enum carriage carriage = argument->type->carriage;
	bool row = carriage == CARRIAGE_PORTS || carriage == CARRIAGE_OOLS_PORTS;

	if (argument == stub->routine->request_port)
		return "MACH_MSGH_BITS_LOCAL(In0P->Head.msgh_bits)";
	if (is_reply_port(argument))
		return "MACH_MSGH_BITS_REMOTE(In0P->Head.msgh_bits)";
	return write_string(stub->w, "In0P->%s%s.disposition", argument->name, row ? "[0]" : "");
}

const char *
server_request_count(const struct server_stub *stub, const struct argument *argument)
{
	return c_field_number(stub->w, &stub->request,
			      message_count(&stub->routine->request, argument));
}

static const struct message_field *
value_field(const struct server_stub *stub, const struct argument *argument)
{
	return message_find(&stub->routine->request, FIELD_VALUE, argument);
}

const char *
server_request_value(const struct server_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	const struct ipc_type *type = argument->type;
	const struct message_field *field;

	switch (type->carriage) {
	case CARRIAGE_PORT:
		return port_in_request(stub, argument);
	case CARRIAGE_OOL:
	case CARRIAGE_OOL_PORTS:
		return write_string(w, "(%s)In0P->%s.address", c_message_type(w, type),
				    argument->name);
	case CARRIAGE_INLINE:
		field = value_field(stub, argument);
		if (!field) /* the code of a reply that is a request */
			field = message_find(&stub->routine->request, FIELD_RETCODE, argument);
		if (!field)
			return "KERN_SUCCESS";
		if (type->form == FORM_STRING)
			return write_string(w, "(char *)%s",
					    c_field_address(w, &stub->request, field));
		if (type->form != FORM_SCALAR && type->form != FORM_STRUCT)
			return write_string(w, "(void *)%s",
					    c_field_address(w, &stub->request, field));
		if (field->cut_before == 0)
			return write_string(w, "In0P->%s", field->name);
		return write_string(w, "_%s_in", argument->name); /* a copy: see take_value() */
	default:
		return argument->name;
	}
}

static const char *
token_value(const struct argument *argument)
{
	switch (argument->role) {
	case ROLE_MSG_SEQNO:
		return "TrailerP->msgh_seqno";
	case ROLE_SEC_TOKEN:
	case ROLE_SERVER_SEC_TOKEN:
		return "TrailerP->msgh_sender";
	case ROLE_AUDIT_TOKEN:
	case ROLE_SERVER_AUDIT_TOKEN:
		return "TrailerP->msgh_audit";
	case ROLE_SERVER_CONTEXT_TOKEN:
		return "TrailerP->msgh_context";
	default:
		return NULL;
	}
}

/* Does the function get a copy, because the request may hold it at an odd place? */
static bool
is_copied(const struct argument *argument)
{
	const struct ipc_type *type = argument->type;

	if (type->carriage != CARRIAGE_INLINE)
		return false;
	return type->form >= FORM_NATIVE_POINTER ||
	       (type->form == FORM_ARRAY && c_needs_alignment(type));
}

static void
copy_aligned(const struct server_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	const struct message_field *field = value_field(stub, argument);
	const char *size = c_field_size(w, field);

	write_line(w, "\t/* %s: in the message it may lie too badly to be used there */",
		   argument->name);
	write_line(w, "\t_Alignas(16) char _%s_in[%s];\n", argument->name, size);
	if (field->is_cut)
		size = write_string(w, "(size_t)%s * %u", server_request_count(stub, argument),
				    argument->type->element_size);
	write_line(w, "\tmemcpy(_%s_in, %s, %s);", argument->name,
		   c_field_address(w, &stub->request, field), size);
}

static void
gather_row(const struct server_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	const struct ipc_type *type = argument->type;
	const char *element = type->element ? c_message_type(w, type->element) : NULL;
	bool ports = type->carriage == CARRIAGE_PORTS;

	if (!element)
		element = ports ? "mach_port_t" : "void *";
	write_line(w, "\t/* %s: out of its descriptors */", argument->name);
	write_line(w, "\t%s _%s_in[%u];\n", element, argument->name, type->capacity);
	write_line(w, "\tfor (unsigned _index = 0; _index < %u; _index++)", type->capacity);
	write_line(w, "\t\t_%s_in[_index] = %sIn0P->%s[_index].%s;", argument->name,
		   ports ? "" : write_string(w, "(%s)", element), argument->name,
		   ports ? "name" : "address");
	if (!argument->has_subs)
		return;
	write_line(w, "\tmach_msg_type_number_t *_%s_subs_in = (mach_msg_type_number_t *)%s;",
		   argument->name,
		   c_field_address(w, &stub->request,
				   message_find(&stub->routine->request, FIELD_SUBS, argument)));
}

/* Make a value ready that cannot be passed where it lies. */
static void
take_value(const struct server_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	const struct ipc_type *type = argument->type;
	const struct message_field *field = value_field(stub, argument);

	if (type->carriage == CARRIAGE_PORTS || type->carriage == CARRIAGE_OOLS ||
	    type->carriage == CARRIAGE_OOLS_PORTS) {
		gather_row(stub, argument);
	} else if (is_copied(argument)) {
		copy_aligned(stub, argument);
	} else if (field && field->cut_before > 0 &&
		   (type->form == FORM_SCALAR || type->form == FORM_STRUCT)) {
		write_line(w, "\t%s _%s_in;\n", c_message_type(w, type), argument->name);
		write_line(w, "\tmemcpy(&_%s_in, %s, %u);", argument->name,
			   c_field_address(w, &stub->request, field), field->size_max);
	}
}

static void
translate(const struct server_stub *stub, const struct argument *argument)
{
	if (argument->type->intran)
		write_line(stub->w, "\t%s _%s_object = %s(%s);", argument->type->translated_type,
			   argument->name, argument->type->intran,
			   server_request_value(stub, argument));
}

/* What the server function is given for an argument that comes in alone. */
static const char *
in_parameter(const struct server_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	const char *token = token_value(argument);
	enum carriage carriage = argument->type->carriage;

	if (token)
		return token;
	if (argument->type->intran)
		return write_string(w, "_%s_object", argument->name);
	if (carriage == CARRIAGE_PORTS)
		return write_string(w, "_%s_in", argument->name);
	if (carriage == CARRIAGE_OOLS || carriage == CARRIAGE_OOLS_PORTS)
		return write_string(w, "(void *)_%s_in",
				    argument->name); /* whatever it points to */
	if (argument->type->form == FORM_NATIVE_VALUE)
		return write_string(w, "*(%s *)(void *)_%s_in", argument->type->native_type,
				    argument->name);
	if (argument->type->form == FORM_NATIVE_IF_NOT)
		return write_string(
		    w, "%s ? (%s *)(void *)_%s_in : %s",
		    c_field_number(w, &stub->request,
				   message_find(&stub->routine->request, FIELD_PRESENCE, argument)),
		    argument->type->native_type, argument->name, argument->type->native_value);
	if (is_copied(argument))
		return write_string(w, "(void *)_%s_in", argument->name);
	return server_request_value(stub, argument);
}

/* ---- the call -------------------------------------------------------------------------- */

struct call {
	const struct server_stub *stub;
	unsigned count;
};

static void
pass(struct call *call, const char *value)
{
	text_printf(call->stub->w->text, "%s\n\t    %s", call->count > 0 ? "," : "", value);
	call->count++;
}

static void
pass_in(struct call *call, const struct argument *argument)
{
	const struct server_stub *stub = call->stub;

	pass(call, in_parameter(stub, argument));
	if (argument->server_poly)
		pass(call, disposition_in_request(stub, argument));
	if (argument->has_count)
		pass(call, server_request_count(stub, argument));
	if (argument->has_subs)
		pass(call, write_string(stub->w, "_%s_subs_in", argument->name));
}

static void
pass_result(struct call *call, const struct argument *argument)
{
	struct writer *w = call->stub->w;

	pass(call, server_result_parameter(call->stub, argument));
	if (argument->server_poly)
		pass(call, write_string(w, "&%sPoly", argument->name));
	if (argument->has_count)
		pass(call, write_string(w, "&%sCnt", argument->name));
	if (c_has_dealloc(w, argument))
		pass(call, write_string(w, "&%sDealloc", argument->name));
	if (argument->has_subs)
		pass(call, write_string(w, "%sSubs", argument->name));
}

static void
write_call(const struct server_stub *stub)
{
	struct writer *w = stub->w;
	struct call call = { .stub = stub };

	write_line(w, "\t__BeforeRcv%s(%d, \"%s\")", stub->routine->simple ? "Simple" : "Rpc",
		   stub->routine->id, stub->routine->name);
	text_printf(w->text, "\tRetCode = %s(", stub->routine->server_function);
	for (uint32_t i = 0; i < stub->routine->argument_count; i++) {
		const struct argument *argument = &stub->routine->arguments[i];

		if (argument->server == PASS_IN)
			pass_in(&call, argument);
		else if (argument->server != PASS_NOT)
			pass_result(&call, argument);
	}
	write_line(w, ");");
	write_line(w, "\t__AfterRcv%s(%d, \"%s\")", stub->routine->simple ? "Simple" : "Rpc",
		   stub->routine->id, stub->routine->name);
}

/* ---- after the call -------------------------------------------------------------------- */

/* Memory that counts as inline goes once the function is back.  That of rights stays when
 * the function failed: the rights in it are for the receive loop to destroy. */
static void
free_memory(const struct server_stub *stub, const struct argument *argument)
{
	struct writer *w = stub->w;
	const char *name = argument->name;

	write_line(w, "\t/* %s: counts as inline, and goes with the request */", name);
	if (argument->type->carriage == CARRIAGE_OOL_PORTS) {
		write_line(w, "\tif (RetCode == KERN_SUCCESS || RetCode == MIG_NO_REPLY) {");
		write_line(w,
			   "\t\tmig_deallocate((vm_address_t)In0P->%s.address,\n"
			   "\t\t    In0P->%s.count * (vm_size_t)sizeof(mach_port_t));",
			   name, name);
		write_line(w, "\t\tIn0P->%s.address = NULL;", name);
		write_line(w, "\t\tIn0P->%s.count = 0;", name);
		write_line(w, "\t}");
		return;
	}
	write_line(w, "\tmig_deallocate((vm_address_t)In0P->%s.address, In0P->%s.size);", name,
		   name);
	write_line(w, "\tIn0P->%s.address = NULL;", name);
	write_line(w, "\tIn0P->%s.size = 0;", name);
}

static void
release_arguments(const struct server_stub *stub)
{
	struct writer *w = stub->w;

	for (uint32_t i = stub->routine->argument_count; i-- > 0;) {
		const struct argument *argument = &stub->routine->arguments[i];
		const struct ipc_type *type = argument->type;
		bool comes_in = argument->server == PASS_IN || argument->server == PASS_INOUT;

		if (comes_in && type->intran && type->destructor)
			write_line(w, "\t%s(_%s_object);", type->destructor, argument->name);
		/* translation took a reference of its own: the message's is left over */
		if (w->interface->kernel_server && comes_in && type->intran &&
		    argument->in_request && type->carriage == CARRIAGE_PORT)
			write_line(w,
				   "\tif (RetCode == KERN_SUCCESS || RetCode == MIG_NO_REPLY)\n"
				   "\t\tmig_port_release(In0P->%s.name, In0P->%s.disposition);",
				   argument->name, argument->name);
		if (argument->server_frees)
			free_memory(stub, argument);
	}
}

/* ---- answers that are requests --------------------------------------------------------- */

/* The parameters of an argument that did not come: nothing. */
static void
pass_nothing(struct call *call, const struct argument *argument)
{
	struct writer *w = call->stub->w;
	const char *token = token_value(argument);

	if (token)
		pass(call, token);
	else if (argument == call->stub->routine->retcode)
		pass(call, "((mig_reply_error_t *)(void *)InHeadP)->RetCode");
	else if (!argument->in_request)
		pass(call, in_parameter(call->stub, argument));
	else
		pass(call, write_string(w, "(%s){ 0 }", c_type(w, argument->type)));
	if (argument->server_poly)
		pass(call, "0");
	if (argument->has_count)
		pass(call, "0");
	if (argument->has_subs)
		pass(call, "NULL");
}

/* An answer that carries rights or memory has no code in it; one that failed is the code
 * alone.  Source: mig-codegen.md §7.5. */
static void
take_error_form(const struct server_stub *stub)
{
	struct writer *w = stub->w;
	const struct routine *routine = stub->routine;
	struct call call = { .stub = stub };

	if (!routine->retcode || !routine->request.is_complex || routine->server_trailer)
		return;
	write_line(w, "\t/* a code that is not 0 comes alone */");
	write_line(w, "\tif ((InHeadP->msgh_bits & MACH_MSGH_BITS_COMPLEX) == 0 &&");
	write_line(w, "\t    InHeadP->msgh_size == sizeof(mig_reply_error_t) &&");
	write_line(w, "\t    ((mig_reply_error_t *)(void *)InHeadP)->RetCode != KERN_SUCCESS) {");
	text_printf(w->text, "\t\tRetCode = %s(", routine->server_function);
	for (uint32_t i = 0; i < routine->argument_count; i++) {
		if (routine->arguments[i].server != PASS_NOT)
			pass_nothing(&call, &routine->arguments[i]);
	}
	write_line(w, ");");
	write_line(w, "\t\t__MIG_reply_error(OutHeadP, RetCode);");
	write_line(w, "\t\treturn;");
	write_line(w, "\t}");
}

/* ---- the stub -------------------------------------------------------------------------- */

static void
find_trailer(const struct server_stub *stub)
{
	const char *type = trailer_type(stub->routine->server_trailer);

	if (stub->routine->server_trailer == TRAILER_MINIMAL)
		return;
	write_line(stub->w, "\t%s *TrailerP = (%s *)(void *)", type, type);
	write_line(stub->w, "\t    ((char *)In0P + round_msg(In0P->Head.msgh_size));");
}

static void
answer_simple(const struct server_stub *stub)
{
	write_line(stub->w, "\t__MIG_reply_error(OutHeadP, RetCode);");
	write_line(stub->w, "}\n");
}

void
server_write_stub(const struct server_stub *stub)
{
	struct writer *w = stub->w;
	const struct routine *routine = stub->routine;

	write_line(w, "/* %s %s: request %d */", routine->simple ? "Simpleroutine" : "Routine",
		   routine->name, routine->id);
	write_line(w, "mig_internal void");
	write_line(w, "_X%s(mach_msg_header_t *InHeadP, mach_msg_header_t *OutHeadP)\n{",
		   routine->name);
	write_line(w, "\t%s *In0P = (%s *)(void *)InHeadP;", stub->request.type,
		   stub->request.type);
	if (!routine->simple)
		write_line(w, "\t%s *OutP = (%s *)(void *)OutHeadP;", stub->reply.type,
			   stub->reply.type);
	write_line(w, "\tkern_return_t RetCode;");
	if (routine->request.cut_count > 0)
		write_line(w, "\tmach_msg_size_t _cut[%u];", routine->request.cut_count);
	write_line(w, "\t__DeclareRcv%s(%d, \"%s\")\n", routine->simple ? "Simple" : "Rpc",
		   routine->id, routine->name);
	take_error_form(stub);
	write_line(w, "\tRetCode = %s(In0P%s);", check_name(stub),
		   routine->request.cut_count > 0 ? ", _cut" : "");
	write_line(w, "\tif (RetCode != KERN_SUCCESS) {");
	write_line(w, "\t\t__MIG_reply_error(OutHeadP, RetCode);");
	write_line(w, "\t\treturn;");
	write_line(w, "\t}\n");
	find_trailer(stub);
	for (uint32_t i = 0; i < routine->argument_count; i++) {
		const struct argument *argument = &routine->arguments[i];

		if ((argument->server == PASS_IN || argument->server == PASS_INOUT) &&
		    !token_value(argument)) {
			if (argument->in_request)
				take_value(stub, argument);
			translate(stub, argument);
		}
	}
	if (!routine->simple)
		server_declare_results(stub);
	write_line(w, "%s", "");
	write_call(stub);
	release_arguments(stub);
	if (routine->simple) {
		answer_simple(stub);
		return;
	}
	write_line(w, "\tif (RetCode != KERN_SUCCESS) {");
	write_line(w, "\t\t__MIG_reply_error(OutHeadP, RetCode);");
	write_line(w, "\t\treturn;");
	write_line(w, "\t}");
	server_pack_reply(stub);
	write_line(w, "}\n");
}
