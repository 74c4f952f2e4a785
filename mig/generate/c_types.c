/*
 * C types, parameters and names of generated code.  Source: mig-codegen.md §8,
 * mig-language.md §6.3.
 */
#include "mig/generate/c_text.h"

#include <stdarg.h>
#include <string.h>

/* ---- writers --------------------------------------------------------------------------- */

struct writer
writer_begin(const struct interface *interface, const struct settings *settings,
	     struct outputs *outputs, const char *path, enum side side)
{
	return (struct writer){
		.text = outputs_add(outputs, path),
		.arena = arena_new(),
		.interface = interface,
		.settings = settings,
		.side = side,
	};
}

void
writer_end(struct writer *w)
{
	w->arena = arena_free(w->arena);
}

void
write_line(struct writer *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vprintf(w->text, format, args);
	va_end(args);
	text_add(w->text, "\n", 1);
}

char *
write_string(struct writer *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *string = arena_vprintf(w->arena, format, args);
	va_end(args);
	return string;
}

/* ---- types ----------------------------------------------------------------------------- */

const char *
c_type(const struct writer *w, const struct ipc_type *type)
{
	return w->side == SIDE_USER ? type->user_type : type->translated_type;
}

const char *
c_message_type(const struct writer *w, const struct ipc_type *type)
{
	return w->side == SIDE_USER ? type->user_type : type->server_type;
}

enum passing
c_passing(const struct writer *w, const struct argument *argument)
{
	return w->side == SIDE_USER ? argument->user : argument->server;
}

bool
c_has_dealloc(const struct writer *w, const struct argument *argument)
{
	if (!argument->has_dealloc)
		return false;
	return w->side == SIDE_USER ? argument->in_request : argument->in_reply;
}

bool
c_has_poly(const struct writer *w, const struct argument *argument)
{
	return w->side == SIDE_USER ? argument->user_poly : argument->server_poly;
}

bool
c_sender_chooses(const struct argument *argument)
{
	return argument->type->out_name.value < 0;
}

bool
c_is_polymorphic(const struct ipc_type *type)
{
	return type->in_name.value < 0;
}

const char *
c_sent_disposition(const struct writer *w, const struct argument *argument)
{
	/* the kernel holds already what it sends */
	if (w->side == SIDE_SERVER && w->interface->kernel_server &&
	    !c_is_polymorphic(argument->type))
		return argument->type->in_name.text;
	return argument->type->out_name.text;
}

#define MACH_MSG_TYPE_INTEGER_64_VALUE 3
#define MACH_MSG_TYPE_REAL_64_VALUE 11

bool
c_needs_alignment(const struct ipc_type *type)
{
	for (; type->element; type = type->element) {
		if (type->form == FORM_STRUCT)
			return true;
	}
	return type->form >= FORM_NATIVE_POINTER ||
	       type->out_name.value == MACH_MSG_TYPE_INTEGER_64_VALUE ||
	       type->out_name.value == MACH_MSG_TYPE_REAL_64_VALUE;
}

/* ---- parameters ------------------------------------------------------------------------ */

struct parameters {
	struct writer *w;
	unsigned count;
	bool counts_only;
};

static void
parameter(struct parameters *p, const char *type, const char *star, const char *name,
	  const char *suffix)
{
	const char *comma = p->count > 0 ? ",\n\t" : "";

	if (!p->counts_only)
		text_printf(p->w->text, "%s%s %s%s%s", comma, type, star, name, suffix);
	p->count++;
}

/* Is what the side passes a pointer in any case, so that results need no other one? */
static bool
decays(const struct ipc_type *type)
{
	return type->form == FORM_ARRAY || type->form == FORM_STRING;
}

static void
value_parameter(struct parameters *p, const struct argument *argument, enum passing passing)
{
	struct writer *w = p->w;
	const struct ipc_type *type = argument->type;
	const char *c = c_type(w, type);
	const char *star = passing == PASS_IN || decays(type) ? "" : "*";
	const char *bound = "";

	if (type->form == FORM_NATIVE_POINTER || type->form == FORM_NATIVE_IF_NOT) {
		c = type->native_type;
		star = "*";
	} else if (type->form == FORM_NATIVE_VALUE) {
		c = type->native_type;
	} else if (type->form == FORM_STRING && w->side == SIDE_USER && passing == PASS_IN &&
		   type->name && strcmp(c, type->name) == 0) {
		/* the same to C; but gcc warns of every shorter string given for a char[n] */
		c = "char";
		star = "*";
	}
	if (argument->is_const)
		c = write_string(w, "const %s", c);
	if (w->settings->bounds && argument->count_of && passing == PASS_IN)
		bound = write_string(w, " __counted_by(%sCnt)", argument->count_of->name);
	parameter(p, c, star, argument->name, bound);
}

static void
implicit_parameters(struct parameters *p, const struct argument *argument, enum passing passing)
{
	struct writer *w = p->w;
	const char *star = passing == PASS_IN ? "" : "*";

	if (c_has_poly(w, argument))
		parameter(p, "mach_msg_type_name_t", star, argument->name, "Poly");
	if (argument->has_count)
		parameter(p, "mach_msg_type_number_t", star, argument->name, "Cnt");
	if (c_has_dealloc(w, argument))
		parameter(p, "boolean_t", w->side == SIDE_USER ? "" : "*", argument->name,
			  "Dealloc");
	if (argument->has_subs)
		parameter(p, "mach_msg_type_number_t", "*", argument->name, "Subs");
}

static void
all_parameters(struct parameters *p, const struct routine *routine)
{
	for (uint32_t i = 0; i < routine->argument_count; i++) {
		const struct argument *argument = &routine->arguments[i];
		enum passing passing = c_passing(p->w, argument);

		if (passing == PASS_NOT)
			continue;
		value_parameter(p, argument, passing);
		implicit_parameters(p, argument, passing);
	}
}

void
c_parameters(struct writer *w, const struct routine *routine)
{
	struct parameters p = { .w = w };

	text_printf(w->text, "(\n\t");
	all_parameters(&p, routine);
	if (p.count == 0)
		text_printf(w->text, "void");
	text_printf(w->text, ")");
}

unsigned
c_parameter_count(struct writer *w, const struct routine *routine)
{
	struct parameters p = { .w = w, .counts_only = true };

	all_parameters(&p, routine);
	return p.count;
}

/* ---- names ----------------------------------------------------------------------------- */

const char *
c_request_type(struct writer *w, const struct routine *routine)
{
	return write_string(w, "__Request__%s_t", routine->name);
}

const char *
c_reply_type(struct writer *w, const struct routine *routine)
{
	return write_string(w, "__Reply__%s_t", routine->name);
}
