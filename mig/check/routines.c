/*
 * Routines: their arguments together, and their numbers.
 *
 * Source: mig-language.md §4, §6.
 */
#include <string.h>

#include "mig/check/checker.h"

#define REPLY_ID_OFFSET 100

/* ---- names --------------------------------------------------------------------------- */

static bool
is_c_keyword(const char *name)
{
	static const char *const keywords[] = {
		"auto",    "break",  "case",     "char",   "const",    "continue", "default",
		"do",      "double", "else",     "enum",   "extern",   "float",    "for",
		"goto",    "if",     "inline",   "int",    "long",     "register", "restrict",
		"return",  "short",  "signed",   "sizeof", "static",   "struct",   "switch",
		"typedef", "union",  "unsigned", "void",   "volatile", "while",    "_Bool",
	};

	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (strcmp(keywords[i], name) == 0)
			return true;
	}
	return false;
}

static bool
check_c_name(struct checker *checker, const struct tree_name *name)
{
	if (!is_c_keyword(name->text))
		return true;
	diagnostics_error(checker->diagnostics, &name->place,
			  "`%s` is a keyword of C, and would be a name there", name->text);
	return false;
}

/* Names of the members that every message has. */
static bool
is_member_of_all(const char *name)
{
	return strcmp(name, "Head") == 0 || strcmp(name, "NDR") == 0 ||
	       strcmp(name, "msgh_body") == 0;
}

static void
check_routine_name(struct checker *checker, const struct tree_statement *statement)
{
	const char *name = statement->word.text;
	const struct tree_statement *other = names_find(&checker->routines, name);

	check_c_name(checker, &statement->word);
	if (other) {
		diagnostics_error(checker->diagnostics, &statement->word.place,
				  "a second routine `%s`", name);
		diagnostics_note(checker->diagnostics, &other->word.place, "the first is here");
		return;
	}
	names_set(&checker->routines, name, (void *)statement);
}

/* A parameter that an argument brings along, `<name>Cnt` and the like. */
static void
check_implicit_name(struct checker *checker, const struct names *names,
		    const struct argument *argument, const char *suffix)
{
	const char *name = arena_printf(checker->arena, "%s%s", argument->name, suffix);
	const struct argument *other = names_find(names, name);

	if (!other)
		return;
	diagnostics_error(checker->diagnostics, &other->place,
			  "`%s` is a parameter that `%s` brings along: choose another name", name,
			  argument->name);
}

/* No two parameters, and no two members of a message, have one name. */
static void
check_argument_names(struct checker *checker, const struct routine *routine)
{
	struct names names = { .arena = checker->arena };

	for (uint32_t i = 0; i < routine->argument_count; i++) {
		struct argument *argument = &routine->arguments[i];
		const struct argument *other = names_find(&names, argument->name);
		struct tree_name name = { argument->name, argument->place };

		if (!check_c_name(checker, &name))
			continue;
		if (other) {
			diagnostics_error(checker->diagnostics, &argument->place,
					  "a second argument `%s`", argument->name);
			diagnostics_note(checker->diagnostics, &other->place, "the first is here");
			continue;
		}
		if ((argument->in_request || argument->in_reply) &&
		    is_member_of_all(argument->name))
			diagnostics_error(checker->diagnostics, &argument->place,
					  "every message has a member `%s`: choose another name",
					  argument->name);
		names_set(&names, argument->name, argument);
	}
	for (uint32_t i = 0; i < routine->argument_count; i++) {
		const struct argument *argument = &routine->arguments[i];

		if (argument->has_poly)
			check_implicit_name(checker, &names, argument, "Poly");
		if (argument->has_count || argument->type->form == FORM_STRING)
			check_implicit_name(checker, &names, argument, "Cnt");
		if (argument->has_dealloc)
			check_implicit_name(checker, &names, argument, "Dealloc");
		if (argument->has_subs)
			check_implicit_name(checker, &names, argument, "Subs");
	}
}

/* ---- special arguments --------------------------------------------------------------- */

/* Let @slot be @argument, the one of its kind. */
static bool
take(struct checker *checker, const struct argument **slot, const struct argument *argument,
     const char *what)
{
	if (*slot) {
		diagnostics_error(checker->diagnostics, &argument->place, "a second %s: `%s`", what,
				  argument->name);
		diagnostics_note(checker->diagnostics, &(*slot)->place, "the first is here");
		return false;
	}
	*slot = argument;
	return true;
}

static void
need_trailer(enum trailer_need *need, enum trailer_need least)
{
	if (*need < least)
		*need = least;
}

/* Tokens that come to the user come with the reply. */
static bool
has_reply(struct checker *checker, const struct routine *routine, const struct argument *argument)
{
	if (!routine->simple)
		return true;
	diagnostics_error(checker->diagnostics, &argument->place,
			  "`%s` comes with the reply, and a simpleroutine has none",
			  argument->name);
	return false;
}

/* A token for the user, the server or, if @role is @plain, both. */
static bool
take_token(struct checker *checker, struct routine *routine, const struct argument *argument,
	   const struct argument **seen, enum trailer_need need)
{
	if (checker->interface->kernel_user || checker->interface->kernel_server)
		diagnostics_warn(checker->diagnostics, &argument->place,
				 "`%s`: kernels have no trailers to look at", argument->name);
	if (argument->user != PASS_NOT) {
		if (!has_reply(checker, routine, argument) ||
		    !take(checker, &seen[0], argument, "token of its kind for the user"))
			return false;
		need_trailer(&routine->user_trailer, need);
	}
	if (argument->server != PASS_NOT) {
		if (!take(checker, &seen[1], argument, "token of its kind for the server"))
			return false;
		need_trailer(&routine->server_trailer, need);
	}
	return true;
}

/* Tokens seen, of the user and of the server. */
struct seen {
	const struct argument *security[2];
	const struct argument *audit[2];
	const struct argument *context[2];
	const struct argument *sequence;
	const struct argument *time_out;
};

static bool
take_special(struct checker *checker, struct routine *routine, struct seen *seen,
	     const struct argument *argument)
{
	switch (argument->role) {
	case ROLE_REQUEST_PORT:
		return take(checker, &routine->request_port, argument, "request port");
	case ROLE_REPLY_PORT:
	case ROLE_UREPLY_PORT:
	case ROLE_SREPLY_PORT:
		return take(checker, &routine->reply_port, argument, "reply port");
	case ROLE_WAIT_TIME:
		routine->wait_time = argument;
		return take(checker, &seen->time_out, argument, "time-out");
	case ROLE_SEND_TIME:
		routine->send_time = argument;
		return take(checker, &seen->time_out, argument, "time-out");
	case ROLE_MSG_OPTION:
		return take(checker, &routine->msg_option, argument, "msgoption");
	case ROLE_MSG_SEQNO:
		need_trailer(&routine->server_trailer, TRAILER_SEQNO);
		return take(checker, &seen->sequence, argument, "msgseqno");
	case ROLE_SEC_TOKEN:
	case ROLE_USER_SEC_TOKEN:
	case ROLE_SERVER_SEC_TOKEN:
		return take_token(checker, routine, argument, seen->security, TRAILER_SENDER);
	case ROLE_AUDIT_TOKEN:
	case ROLE_USER_AUDIT_TOKEN:
	case ROLE_SERVER_AUDIT_TOKEN:
		return take_token(checker, routine, argument, seen->audit, TRAILER_AUDIT);
	case ROLE_SERVER_CONTEXT_TOKEN:
		return take_token(checker, routine, argument, seen->context, TRAILER_CONTEXT);
	case ROLE_OUT:
	case ROLE_INOUT:
		return has_reply(checker, routine, argument);
	default:
		if (argument->retcode)
			routine->retcode = argument;
		return true;
	}
}

/* Is it outside of the messages' bodies whatever its type is? */
static bool
is_outside(enum keyword direction)
{
	switch (direction) {
	case KEYWORD_NONE:
	case KEYWORD_IN:
	case KEYWORD_OUT:
	case KEYWORD_INOUT:
		return false;
	default:
		return true;
	}
}

/*
 * The argument that is the request port: the one that says so, or else the first of those that
 * could travel, if no direction is written before it.
 */
static const struct tree_argument *
find_request_port(struct checker *checker, const struct tree_statement *statement)
{
	const struct tree_argument *first = NULL;

	for (const struct tree_argument *tree = statement->arguments; tree; tree = tree->next) {
		if (tree->direction == KEYWORD_REQUEST_PORT)
			return tree;
		if (!first && !is_outside(tree->direction))
			first = tree;
	}
	if (first && first->direction == KEYWORD_NONE)
		return first;
	if (statement->misses_arguments) /* told, and it may be among them */
		return NULL;
	if (first)
		diagnostics_error(
		    checker->diagnostics, &first->direction_place,
		    "`%s` has no request port: its first argument is `%s`; leave that "
		    "word out, or write `requestport` before another",
		    statement->word.text, keyword_text(first->direction));
	else
		diagnostics_error(checker->diagnostics, &statement->word.place,
				  "`%s` has no request port: its first argument says where the "
				  "message goes",
				  statement->word.text);
	return NULL;
}

static bool
check_arguments(struct checker *checker, const struct tree_statement *statement,
		struct routine *routine)
{
	const struct tree_argument *request_port = find_request_port(checker, statement);
	const struct argument *previous = NULL;
	struct seen seen = { 0 };
	bool ok = request_port != NULL;

	routine->arguments =
	    ARENA_ARRAY(checker->arena, struct argument, statement->argument_count);
	for (const struct tree_argument *tree = statement->arguments; tree; tree = tree->next) {
		struct argument *argument = &routine->arguments[routine->argument_count];

		if (diagnostics_is_full(checker->diagnostics))
			return false;
		if (!check_argument(checker, routine, tree, tree == request_port, previous,
				    argument)) {
			*argument = (struct argument){ 0 };
			ok = false;
			continue;
		}
		routine->argument_count++;
		previous = argument;
		if (!take_special(checker, routine, &seen, argument))
			ok = false;
	}
	check_argument_names(checker, routine);
	return ok;
}

/* ---- routines ------------------------------------------------------------------------ */

struct routine *
check_next_routine(struct checker *checker, const struct tree_statement *statement)
{
	struct interface *interface = checker->interface;

	if (!checker->subsystem) {
		if (!checker->misses_subsystem)
			diagnostics_error(checker->diagnostics, &statement->place,
					  "`subsystem` must stand before the first routine");
		checker->misses_subsystem = true;
	}
	int64_t id = (int64_t)interface->base + interface->routine_count;
	if (id + REPLY_ID_OFFSET > INT32_MAX) {
		if (!checker->ids_overflow)
			diagnostics_error(
			    checker->diagnostics, &statement->place,
			    "the number of this routine, %lld, or that of its reply is "
			    "larger than %d",
			    (long long)id, INT32_MAX);
		checker->ids_overflow = true;
		return NULL;
	}
	struct routine *routine = &interface->routines[interface->routine_count];
	routine->place = statement->word.text ? statement->word.place : statement->place;
	routine->ordinal = interface->routine_count++;
	routine->id = (int32_t)id;
	return routine;
}

void
check_routine(struct checker *checker, const struct tree_statement *statement)
{
	struct routine *routine = check_next_routine(checker, statement);
	const struct in_force *in_force = &checker->in_force;

	if (!routine)
		return;
	check_routine_name(checker, statement);
	routine->name = statement->word.text;
	routine->simple = statement->keyword == KEYWORD_SIMPLE_ROUTINE;
	routine->user_function =
	    arena_printf(checker->arena, "%s%s", in_force->user_prefix, routine->name);
	routine->server_function =
	    arena_printf(checker->arena, "%s%s", in_force->server_prefix, routine->name);
	routine->wait_time_text = in_force->wait_time_text;
	routine->send_time_text = in_force->send_time_text;
	routine->msg_option_text = in_force->msg_option_text;
	routine->special_reply_port = in_force->special_reply_port;
	routine->consume = in_force->consume;
	routine->stack_limit = in_force->stack_limit;
	if (check_arguments(checker, statement, routine))
		check_layout(checker, routine);
}
