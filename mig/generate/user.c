/*
 * User stubs: each packs a request, makes one mach_msg() of it and unpacks the reply.
 * Source: mig-codegen.md §5, §6.
 *
 * A stub is laid out so: what fails before anything is sent; the request; the call; what is
 * to be undone when that fails; the check of the reply; the results.
 */
#include "mig/generate/c_pack.h"
#include "mig/generate/user.h"

/* ---- names in a stub ------------------------------------------------------------------- */

/* The value of a parameter that is passed in, or in and out. */
static const char *
value_of(struct writer *w, const struct argument *argument, const char *suffix)
{
	const struct ipc_type *type = argument->type;
	bool by_pointer = argument->user == PASS_INOUT;

	if (*suffix == '\0' && (type->form == FORM_ARRAY || type->form == FORM_STRING))
		by_pointer = false;
	return write_string(w, by_pointer ? "(*%s%s)" : "%s%s", argument->name, suffix);
}

static const char *
count_of(struct writer *w, const struct argument *argument)
{
	return value_of(w, argument->count_of, "Cnt");
}

/* Leave the stub with @result. */
static void
leave(const struct user_stub *stub, const char *indent, const char *result)
{
	if (stub->is_big) {
		write_line(stub->w, "%s_result = %s;", indent, result);
		write_line(stub->w, "%sgoto done;", indent);
	} else {
		write_line(stub->w, "%sreturn %s;", indent, result);
	}
}

void
user_leave(const struct user_stub *stub, const char *indent, const char *result)
{
	leave(stub, indent, result);
}

/* ---- before anything is sent ----------------------------------------------------------- */

static bool
is_sent_array(const struct argument *argument)
{
	return argument->in_request && argument->count_of && argument->role != ROLE_OUT;
}

/* Counts beyond what the type or a size in bytes can hold. */
static void
refuse_counts(const struct user_stub *stub)
{
	struct writer *w = stub->w;

	for (uint32_t i = 0; i < stub->routine->argument_count; i++) {
		const struct argument *argument = &stub->routine->arguments[i];
		const struct ipc_type *type = argument->type;

		if (!is_sent_array(argument))
			continue;
		if (type->extent == EXTENT_BOUNDED)
			write_line(w, "\tif (%s > %u)", count_of(w, argument), type->capacity);
		else if (type->carriage == CARRIAGE_OOL && type->element_size > 1)
			write_line(w, "\tif (%s > UINT32_MAX / %u)", count_of(w, argument),
				   type->element_size);
		else
			continue;
		write_line(w, "\t\treturn MIG_ARRAY_TOO_LARGE;");
	}
}

/* ---- the request ----------------------------------------------------------------------- */

static struct packing
packing_of(const struct user_stub *stub)
{
	return (struct packing){ .w = stub->w, .m = &stub->request, .value = value_of };
}

static void
pack_string(const struct packing *p, const struct message_field *field)
{
	struct writer *w = p->w;
	const struct argument *argument = field->argument;
	const char *copy =
	    write_string(w, "mig_strncpy_zerofill(%s, %s, %u)", c_field_address(w, p->m, field),
			 argument->name, argument->type->capacity);

	if (!field->is_cut) {
		write_line(w, "\t%s;", copy);
		pack_padding(p, field);
		return;
	}
	const char *count = c_field_number(w, p->m, message_count(p->m->message, argument));

	write_line(w, "\t%s =\n\t    (mach_msg_type_number_t)%s;", count, copy);
	pack_cut(p, field, count);
}

static void
pack_cut_array(const struct packing *p, const struct message_field *field)
{
	struct writer *w = p->w;
	const struct argument *argument = field->argument;
	const char *count = pack_count_of(p, argument);
	const char *bytes = c_bytes(w, count, argument->type->element_size);

	write_line(w, "\tif (%s > 0)", count);
	write_line(w, "\t\tmemcpy(%s, %s, (size_t)%s);", c_field_address(w, p->m, field),
		   argument->name, bytes);
	pack_cut(p, field, bytes);
}

static void
pack_native(const struct packing *p, const struct message_field *field)
{
	struct writer *w = p->w;
	const struct argument *argument = field->argument;
	const struct ipc_type *type = argument->type;
	const char *place = c_field_address(w, p->m, field);

	write_line(w, "\tmemset(%s, 0, %s);", place, c_field_room(w, field));
	if (type->form == FORM_NATIVE_VALUE)
		write_line(w, "\tmemcpy(%s, &%s, sizeof(%s));", place, argument->name,
			   type->native_type);
	else if (type->form == FORM_NATIVE_POINTER)
		write_line(w, "\tmemcpy(%s, %s, sizeof(%s));", place, argument->name,
			   type->native_type);
	else
		write_line(w, "\tif (%s != %s)\n\t\tmemcpy(%s, %s, sizeof(%s));", argument->name,
			   type->native_value, place, argument->name, type->native_type);
}

static void
pack_value(const struct packing *p, const struct message_field *field)
{
	struct writer *w = p->w;
	const struct argument *argument = field->argument;
	const char *place = c_field_address(w, p->m, field);

	switch (argument->type->form) {
	case FORM_STRING:
		pack_string(p, field);
		return;
	case FORM_SCALAR:
	case FORM_STRUCT:
		if (field->cut_before == 0)
			write_line(w, "\tInP->%s = %s;", field->name, value_of(w, argument, ""));
		else
			write_line(w, "\tmemcpy(%s, &%s, %u);", place, value_of(w, argument, ""),
				   field->size_max);
		pack_padding(p, field);
		return;
	case FORM_ARRAY:
	case FORM_POINTER:
		if (field->is_cut) {
			pack_cut_array(p, field);
			return;
		}
		write_line(w, "\tmemcpy(%s, %s, %u);", place, argument->name, field->size_max);
		pack_padding(p, field);
		return;
	default:
		pack_native(p, field);
	}
}

static void
pack_count(const struct packing *p, const struct message_field *field)
{
	struct writer *w = p->w;
	const struct argument *argument = field->argument;

	if (argument->type->form == FORM_STRING)
		return;                 /* with the string */
	if (argument->role == ROLE_OUT) /* countinout: what there is room for */
		pack_number(p, field,
			    write_string(w, "*%sCnt < %u ? *%sCnt : %u", argument->name,
					 argument->type->capacity, argument->name,
					 argument->type->capacity));
	else
		pack_number(p, field, pack_count_of(p, argument));
}

static void
pack_subs(const struct packing *p, const struct message_field *field)
{
	struct writer *w = p->w;
	const struct argument *argument = field->argument;
	const char *used =
	    argument->count_of ? write_string(w, "_index < %s ? ", pack_count_of(p, argument)) : "";

	write_line(w, "\tfor (unsigned _index = 0; _index < %u; _index++)",
		   argument->type->capacity);
	write_line(w, "\t\t((mach_msg_type_number_t *)%s)[_index] = %s%sSubs[_index]%s;",
		   c_field_address(w, p->m, field), used, argument->name, *used ? " : 0" : "");
}

static void
pack_field(const struct packing *p, const struct message_field *field)
{
	struct writer *w = p->w;

	switch (field->kind) {
	case FIELD_VALUE:
		pack_value(p, field);
		break;
	case FIELD_COUNT:
		pack_count(p, field);
		break;
	case FIELD_OFFSET:
		pack_number(p, field, "0");
		break;
	case FIELD_SUBS:
		pack_subs(p, field);
		break;
	case FIELD_PRESENCE:
		pack_number(p, field,
			    write_string(w, "%s != %s", field->argument->name,
					 field->argument->type->native_value));
		break;
	case FIELD_RETCODE:
		pack_number(p, field, field->argument->name);
		break;
	}
}

static void
pack_request(const struct user_stub *stub)
{
	const struct packing p = packing_of(stub);
	const struct message *request = &stub->routine->request;
	const struct argument *last = NULL;

	pack_descriptors(&p);
	for (uint32_t i = 0; i < request->field_count; i++) {
		pack_comment(&p, &request->fields[i], &last);
		pack_field(&p, &request->fields[i]);
	}
	write_line(stub->w, "%s", "");
}

/* ---- the header ------------------------------------------------------------------------ */

static const char *
port_disposition(struct writer *w, const struct argument *argument)
{
	return c_sender_chooses(argument) ? write_string(w, "%sPoly", argument->name)
					  : c_sent_disposition(w, argument);
}

static void
pack_header(const struct user_stub *stub)
{
	struct writer *w = stub->w;
	const struct routine *routine = stub->routine;
	const char *local = "0";
	const char *local_port = "MACH_PORT_NULL";

	if (stub->reply_argument) {
		local = port_disposition(w, stub->reply_argument);
		local_port = stub->reply_argument->name;
	} else if (!routine->simple) {
		local = "MACH_MSG_TYPE_MAKE_SEND_ONCE";
		local_port = "_reply_port";
	}
	if (!stub->reply_argument && !routine->simple && !w->interface->kernel_user)
		write_line(w, "\t_reply_port = mig_get_%sreply_port();",
			   routine->special_reply_port ? "special_" : "");
	write_line(w, "\tInP->Head.msgh_bits =%s",
		   routine->request.is_complex ? " MACH_MSGH_BITS_COMPLEX |" : "");
	write_line(w, "\t    MACH_MSGH_BITS(%s, %s);", port_disposition(w, routine->request_port),
		   local);
	write_line(w, "\tInP->Head.msgh_size = %s;", stub->send_size);
	write_line(w, "\tInP->Head.msgh_remote_port = %s;", routine->request_port->name);
	write_line(w, "\tInP->Head.msgh_local_port = %s;",
		   w->interface->kernel_user && !stub->reply_argument ? "MACH_PORT_NULL"
								      : local_port);
	write_line(w, "\tInP->Head.msgh_voucher_port = MACH_PORT_NULL;");
	write_line(w, "\tInP->Head.msgh_id = %d;\n", routine->id);
	if (w->settings->use_vouchers && !w->interface->kernel_user) {
		write_line(w, "\tif (voucher_mach_msg_set != NULL)");
		write_line(w, "\t\tvoucher_mach_msg_set(&InP->Head);\n");
	}
}

/* ---- a stub ---------------------------------------------------------------------------- */

static void
declare_locals(const struct user_stub *stub)
{
	struct writer *w = stub->w;
	const struct routine *routine = stub->routine;
	const char *trailer = routine->user_trailer == TRAILER_MINIMAL ? "mach_msg_trailer_t"
								       : "mach_msg_max_trailer_t";

	write_line(w, "\tunion {");
	write_line(w, "\t\t%s In;", stub->request.type);
	if (!routine->simple) {
		write_line(w, "\t\tstruct {");
		write_line(w, "\t\t\t%s Message;", stub->reply.type);
		write_line(w, "\t\t\t%s Trailer;", trailer);
		write_line(w, "\t\t} Out;");
		write_line(w, "\t\tmig_reply_error_t _error;");
	}
	if (stub->is_big) {
		write_line(w, "\t} *Mess;");
		write_line(w, "\tkern_return_t _result;");
	} else {
		write_line(w, "\t} Mess;");
		write_line(w, "\t%s *InP = &Mess.In;", stub->request.type);
		if (!routine->simple)
			write_line(w, "\t%s *Out0P = &Mess.Out.Message;", stub->reply.type);
	}
	write_line(w, "\tmach_msg_return_t _msg_result;");
	if (routine->request.cut_count > 0)
		write_line(w, "\tmach_msg_size_t _cut = 0;");
	if (!routine->simple && !stub->reply_argument && !w->interface->kernel_user)
		write_line(w, "\tmach_port_t _reply_port;");
	if (!routine->simple) {
		write_line(w, "\tkern_return_t _check_result;");
		if (routine->reply.cut_count > 0)
			write_line(w, "\tmach_msg_size_t _reply_cut[%u];",
				   routine->reply.cut_count);
		write_line(w, "\t__DeclareSendRpc(%d, \"%s\")", routine->id, routine->name);
	} else {
		write_line(w, "\t__DeclareSendSimple(%d, \"%s\")", routine->id, routine->name);
	}
	write_line(w, "%s", "");
}

static void
allocate_big(const struct user_stub *stub)
{
	struct writer *w = stub->w;

	write_line(w, "\tMess = (void *)mig_user_allocate(sizeof(*Mess));");
	write_line(w, "\tif (Mess == NULL)");
	write_line(w, "\t\treturn KERN_RESOURCE_SHORTAGE;");
	write_line(w, "\t%s *InP = &Mess->In;", stub->request.type);
	if (!stub->routine->simple)
		write_line(w, "\t%s *Out0P = &Mess->Out.Message;", stub->reply.type);
	write_line(w, "%s", "");
}

static uint32_t
stack_limit(const struct writer *w, const struct routine *routine)
{
	return routine->stack_limit > 0 ? routine->stack_limit : w->settings->stack_limit;
}

/* In a request whose code is not in the message: a code that is not 0 is the message. */
static void
send_error_form(const struct user_stub *stub)
{
	struct writer *w = stub->w;
	const struct routine *routine = stub->routine;

	write_line(w, "\tif (%s != KERN_SUCCESS) {", routine->retcode->name);
	write_line(w, "\t\tmig_reply_error_t _error = { .NDR = NDR_record, .RetCode = %s };\n",
		   routine->retcode->name);
	write_line(w, "\t\t_error.Head.msgh_bits = MACH_MSGH_BITS(%s, 0);",
		   port_disposition(w, routine->request_port));
	write_line(w, "\t\t_error.Head.msgh_size = sizeof(_error);");
	write_line(w, "\t\t_error.Head.msgh_remote_port = %s;", routine->request_port->name);
	write_line(w, "\t\t_error.Head.msgh_id = %d;", routine->id);
	write_line(w,
		   "\t\treturn mach_msg(&_error.Head, MACH_SEND_MSG%s, sizeof(_error), 0, "
		   "MACH_PORT_NULL, %s, MACH_PORT_NULL);",
		   user_send_options(stub), user_timeout(stub));
	write_line(w, "\t}");
}

static void
write_stub(struct writer *w, const struct routine *routine)
{
	const char *request_type = c_request_type(w, routine);
	uint32_t limit = stack_limit(w, routine);
	struct user_stub stub = {
		.w = w,
		.routine = routine,
		.request = { &routine->request, "InP", request_type, "_cut", false },
		.reply = { &routine->reply, "Out0P", c_reply_type(w, routine), "_reply_cut", true },
		.is_big = limit > 0 &&
			  (routine->request.size_max > limit || routine->reply.size_max > limit),
		.send_size = write_string(w, "(mach_msg_size_t)sizeof(%s)", request_type),
	};

	if (routine->reply_port && routine->reply_port->user != PASS_NOT)
		stub.reply_argument = routine->reply_port;
	if (routine->request.cut_count > 0)
		stub.send_size =
		    write_string(w, "(mach_msg_size_t)sizeof(%s) - _cut", request_type);
	if (!routine->simple)
		user_write_check(&stub);

	write_line(w, "/* %s %s: request %d */", routine->simple ? "Simpleroutine" : "Routine",
		   routine->name, routine->id);
	write_line(w, "mig_external kern_return_t");
	text_printf(w->text, "%s", routine->user_function);
	c_parameters(w, routine);
	write_line(w, "\n{");
	declare_locals(&stub);
	refuse_counts(&stub);
	if (routine->retcode && routine->request.is_complex)
		send_error_form(&stub);
	if (stub.is_big)
		allocate_big(&stub);
	pack_request(&stub);
	pack_header(&stub);
	user_write_call(&stub);
	if (!routine->simple)
		user_write_results(&stub);
	leave(&stub, "\t", routine->simple ? "_msg_result" : "KERN_SUCCESS");
	if (stub.is_big) {
		write_line(w, "done:");
		write_line(w, "\tmig_user_deallocate((char *)Mess, sizeof(*Mess));");
		write_line(w, "\treturn _result;");
	}
	write_line(w, "}\n");
}

/* ---- files ----------------------------------------------------------------------------- */

static void
write_one_file(const struct interface *interface, const struct settings *settings,
	       struct outputs *outputs, const char *path, const struct routine *only)
{
	struct writer w = writer_begin(interface, settings, outputs, path, SIDE_USER);

	c_file_begin(&w, "User stubs", settings->header_file, path);
	for (uint32_t i = 0; i < interface->routine_count; i++) {
		const struct routine *routine = &interface->routines[i];

		if (routine->name && (!only || only == routine))
			write_stub(&w, routine);
	}
	writer_end(&w);
}

static void
generate_user(const struct interface *interface, const struct settings *settings,
	      struct outputs *outputs)
{
	struct arena *arena;

	if (!settings->user_prefix_files) {
		if (c_is_wanted(settings->user_file))
			write_one_file(interface, settings, outputs, settings->user_file, NULL);
		return;
	}
	arena = arena_new();
	for (uint32_t i = 0; i < interface->routine_count; i++) {
		const struct routine *routine = &interface->routines[i];

		if (routine->name)
			write_one_file(interface, settings, outputs,
				       arena_printf(arena, "%s%s.c", settings->user_prefix_files,
						    routine->name),
				       routine);
	}
	arena_free(arena);
}

const struct generator user_generator = { "user stubs", generate_user };
