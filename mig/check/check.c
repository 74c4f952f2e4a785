/*
 * Check: statements, one after the other.  See check.h.
 *
 * Options and prefixes hold for the routines after them, so the order is the text's.
 *
 * Source: mig-language.md §4.
 */
#include <string.h>
#include <strings.h>

#include "mig/check/checker.h"

static void
check_subsystem(struct checker *checker, const struct tree_statement *statement)
{
	struct interface *interface = checker->interface;

	if (checker->subsystem) {
		diagnostics_error(checker->diagnostics, &statement->place,
				  "a second subsystem: a file describes one");
		diagnostics_note(checker->diagnostics, &checker->subsystem->place,
				 "the first is here");
		return;
	}
	checker->subsystem = statement;
	interface->name = statement->word.text;
	interface->base = (int32_t)statement->number;
	interface->kernel_user = statement->kernel_user;
	interface->kernel_server = statement->kernel_server;
}

static void
check_import(struct checker *checker, const struct tree_statement *statement)
{
	struct interface *interface = checker->interface;
	struct import *import = &interface->imports[interface->import_count++];

	import->file = statement->word.text;
	import->kind = statement->keyword == KEYWORD_UIMPORT   ? IMPORT_USER
		       : statement->keyword == KEYWORD_SIMPORT ? IMPORT_SERVER
		       : statement->keyword == KEYWORD_IIMPORT ? IMPORT_INTERNAL
		       : statement->keyword == KEYWORD_DIMPORT ? IMPORT_DEFINES
							       : IMPORT_BOTH;
}

static void
check_consume(struct checker *checker, const struct tree_statement *statement)
{
	static const struct {
		const char *text;
		enum consume_on_send_error consume;
	} known[] = {
		{ "None", CONSUME_NONE },
		{ "Timeout", CONSUME_TIMEOUT },
		{ "Any", CONSUME_ANY },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcasecmp(known[i].text, statement->word.text) == 0) {
			checker->in_force.consume = known[i].consume;
			return;
		}
	}
	diagnostics_error(checker->diagnostics, &statement->word.place,
			  "expected None, Timeout or Any, got '%s'", statement->word.text);
}

static void
check_special_reply_port(struct checker *checker, const struct tree_statement *statement)
{
	if (statement->number > 1)
		diagnostics_error(checker->diagnostics, &statement->number_place,
				  "expected 0 or 1, got %u", statement->number);
	else
		checker->in_force.special_reply_port = statement->number == 1;
}

static void
check_msg_option(struct checker *checker, const struct tree_statement *statement)
{
	bool resets = strcmp(statement->word.text, "MACH_MSG_OPTION_NONE") == 0;

	checker->in_force.msg_option_text = resets ? NULL : statement->word.text;
}

/* A quoted string without its quotes. */
static const char *
unquoted(struct checker *checker, const char *text)
{
	return arena_strndup(checker->arena, text + 1, strlen(text) - 2);
}

static void
check_statement(struct checker *checker, const struct tree_statement *statement)
{
	struct in_force *in_force = &checker->in_force;

	switch (statement->keyword) {
	case KEYWORD_NONE:
		in_force->stack_limit = statement->number;
		break;
	case KEYWORD_SUBSYSTEM:
		check_subsystem(checker, statement);
		break;
	case KEYWORD_TYPE:
		check_type_statement(checker, statement);
		break;
	case KEYWORD_ROUTINE:
	case KEYWORD_SIMPLE_ROUTINE:
		check_routine(checker, statement);
		break;
	case KEYWORD_SKIP:
		check_next_routine(checker, statement);
		break;
	case KEYWORD_USER_PREFIX:
		in_force->user_prefix = statement->word.text;
		break;
	case KEYWORD_SERVER_PREFIX:
		in_force->server_prefix = statement->word.text;
		break;
	case KEYWORD_SERVER_DEMUX:
		checker->interface->demux = statement->word.text;
		break;
	case KEYWORD_IMPORT:
	case KEYWORD_UIMPORT:
	case KEYWORD_SIMPORT:
	case KEYWORD_IIMPORT:
	case KEYWORD_DIMPORT:
		check_import(checker, statement);
		break;
	case KEYWORD_WAIT_TIME:
		in_force->wait_time_text = statement->word.text;
		break;
	case KEYWORD_NO_WAIT_TIME:
		in_force->wait_time_text = NULL;
		break;
	case KEYWORD_SEND_TIME:
		in_force->send_time_text = statement->word.text;
		break;
	case KEYWORD_NO_SEND_TIME:
		in_force->send_time_text = NULL;
		break;
	case KEYWORD_MSG_OPTION:
		check_msg_option(checker, statement);
		break;
	case KEYWORD_USE_SPECIAL_REPLY_PORT:
		check_special_reply_port(checker, statement);
		break;
	case KEYWORD_CONSUME_ON_SEND_ERROR:
		check_consume(checker, statement);
		break;
	case KEYWORD_RCSID:
		checker->interface->rcsid = unquoted(checker, statement->word.text);
		break;
	default: /* KEYWORD_ERROR */
		diagnostics_warn(checker->diagnostics, &statement->word.place,
				 "`error` is ignored: no stub calls `%s`", statement->word.text);
		break;
	}
}

/* Room for what there may be most of: an entry for each statement of a kind. */
static void
make_room(struct checker *checker, const struct tree *tree)
{
	struct interface *interface = checker->interface;
	size_t import_count = 0, type_count = 0, routine_count = 0;

	for (const struct tree_statement *s = tree->statements; s; s = s->next) {
		switch (s->keyword) {
		case KEYWORD_TYPE:
			type_count++;
			break;
		case KEYWORD_ROUTINE:
		case KEYWORD_SIMPLE_ROUTINE:
		case KEYWORD_SKIP:
			routine_count++;
			break;
		case KEYWORD_IMPORT:
		case KEYWORD_UIMPORT:
		case KEYWORD_SIMPORT:
		case KEYWORD_IIMPORT:
		case KEYWORD_DIMPORT:
			import_count++;
			break;
		default:
			break;
		}
	}
	interface->imports = ARENA_ARRAY(checker->arena, struct import, import_count);
	interface->types = ARENA_ARRAY(checker->arena, const struct ipc_type *, type_count);
	interface->routines = ARENA_ARRAY(checker->arena, struct routine, routine_count);
}

struct interface *
check_tree(struct arena *arena, struct diagnostics *diagnostics, const struct settings *settings,
	   const char *source, const struct tree *tree)
{
	struct interface *interface = ARENA_NEW(arena, struct interface);
	struct checker checker = {
		.arena = arena,
		.diagnostics = diagnostics,
		.interface = interface,
		.in_force = { .user_prefix = "", .server_prefix = "" },
		.types = { .arena = arena },
		.routines = { .arena = arena },
	};

	interface->source = source;
	checker.in_force.stack_limit = settings->stack_limit;
	make_room(&checker, tree);
	for (const struct tree_statement *statement = tree->statements;
	     statement && !diagnostics_is_full(diagnostics); statement = statement->next)
		check_statement(&checker, statement);

	interface->user_prefix = checker.in_force.user_prefix;
	interface->server_prefix = checker.in_force.server_prefix;
	/* where the parser found errors it may be what was not understood */
	if (!checker.subsystem && !checker.misses_subsystem && diagnostics->error_count == 0)
		diagnostics_error(diagnostics, &tree->end,
				  "there is no `subsystem NAME NUMBER;`: a file of types alone is "
				  "for others to include");
	if (!interface->demux)
		interface->demux =
		    arena_printf(arena, "%s_server", interface->name ? interface->name : "");
	return interface;
}
