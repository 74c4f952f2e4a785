/*
 * Parsing of routines and their arguments.
 *
 *   routine  = name ( argument ; ... )
 *   argument = direction name : type , flag ...
 *
 * An argument that is wrong is left out, and the next one looked at.
 */
#include "mig/syntax/parse.h"

static bool
is_direction(enum keyword keyword)
{
	switch (keyword) {
	case KEYWORD_IN:
	case KEYWORD_OUT:
	case KEYWORD_INOUT:
	case KEYWORD_REQUEST_PORT:
	case KEYWORD_REPLY_PORT:
	case KEYWORD_UREPLY_PORT:
	case KEYWORD_SREPLY_PORT:
	case KEYWORD_WAIT_TIME:
	case KEYWORD_SEND_TIME:
	case KEYWORD_MSG_OPTION:
	case KEYWORD_MSG_SEQNO:
	case KEYWORD_SEC_TOKEN:
	case KEYWORD_USER_SEC_TOKEN:
	case KEYWORD_SERVER_SEC_TOKEN:
	case KEYWORD_AUDIT_TOKEN:
	case KEYWORD_USER_AUDIT_TOKEN:
	case KEYWORD_SERVER_AUDIT_TOKEN:
	case KEYWORD_SERVER_CONTEXT_TOKEN:
	case KEYWORD_SERVER_IMPL:
	case KEYWORD_USER_IMPL:
		return true;
	default:
		return false;
	}
}

static bool
is_flag(enum keyword keyword)
{
	switch (keyword) {
	case KEYWORD_SAME_COUNT:
	case KEYWORD_RETCODE:
	case KEYWORD_PHYSICAL_COPY:
	case KEYWORD_OVERWRITE:
	case KEYWORD_DEALLOC:
	case KEYWORD_NOT_DEALLOC:
	case KEYWORD_COUNT_INOUT:
	case KEYWORD_AUTO:
	case KEYWORD_CONST:
		return true;
	default:
		return false;
	}
}

/* Does this begin a statement, so that an argument list must have ended before? */
static bool
is_statement(const struct token *token)
{
	if (token->kind != TOKEN_KEYWORD)
		return false;
	switch (token->keyword) {
	case KEYWORD_ROUTINE:
	case KEYWORD_SIMPLE_ROUTINE:
	case KEYWORD_SKIP:
	case KEYWORD_TYPE:
	case KEYWORD_SUBSYSTEM:
	case KEYWORD_USER_PREFIX:
	case KEYWORD_SERVER_PREFIX:
	case KEYWORD_SERVER_DEMUX:
	case KEYWORD_IMPORT:
	case KEYWORD_UIMPORT:
	case KEYWORD_SIMPORT:
	case KEYWORD_IIMPORT:
	case KEYWORD_DIMPORT:
		return true;
	default:
		return false;
	}
}

static void
tell_wrong_flag(struct parser *parser)
{
	const struct source_place *place = &parser->token.place;

	if (parse_is_word(parser, "islong") || parse_is_word(parser, "isnotlong"))
		diagnostics_error(
		    parser->diagnostics, place,
		    "`islong` is of older languages: leave it out, arrays may have any "
		    "size");
	else if (parse_is_word(parser, "servercopy"))
		diagnostics_error(parser->diagnostics, place,
				  "`servercopy` is of another MIG: for what is out of line write "
				  "`dealloc` or nothing");
	else if (parser->token.kind == TOKEN_NAME)
		parse_expected(parser, "a flag after ',' (arguments are separated by ';')");
	else
		parse_expected(parser, "a flag after ','");
}

/* The flags behind a type, each after a comma. */
static bool
parse_flags(struct parser *parser, struct tree_argument *argument)
{
	struct tree_flag **last = &argument->flags;

	while (parse_accept_mark(parser, ',')) {
		if (parser->token.kind != TOKEN_KEYWORD || !is_flag(parser->token.keyword)) {
			tell_wrong_flag(parser);
			return false;
		}
		struct tree_flag *flag = ARENA_NEW(parser->arena, struct tree_flag);
		flag->keyword = parser->token.keyword;
		flag->place = parser->token.place;
		*last = flag;
		last = &flag->next;
		parse_advance(parser);
		if (flag->keyword == KEYWORD_DEALLOC && parse_accept_mark(parser, '[')) {
			if (!parse_expect_mark(parser, ']', "after `dealloc[`"))
				return false;
			flag->at_run_time = true;
		}
	}
	return true;
}

static bool
parse_argument(struct parser *parser, struct tree_argument *argument)
{
	const struct token *token = &parser->token;

	if (token->kind == TOKEN_KEYWORD && is_direction(token->keyword)) {
		argument->direction = token->keyword;
		argument->direction_place = token->place;
		parse_advance(parser);
	}
	if (parse_is_mark(parser, ':') && argument->direction != KEYWORD_NONE) {
		diagnostics_error(parser->diagnostics, &argument->direction_place,
				  "expected the name of an argument: `%s` is a keyword",
				  keyword_text(argument->direction));
		return false;
	}
	if (token->kind == TOKEN_KEYWORD && argument->direction != KEYWORD_NONE &&
	    is_direction(token->keyword)) {
		diagnostics_error(parser->diagnostics, &token->place,
				  "`%s` after `%s`: an argument has one direction",
				  keyword_text(token->keyword), keyword_text(argument->direction));
		return false;
	}
	if (!parse_expect_name(parser, "an argument", &argument->name) ||
	    !parse_expect_mark(parser, ':',
			       arena_printf(parser->arena, "after the name of argument `%s`",
					    argument->name.text)))
		return false;
	argument->type = parse_argument_type(parser);
	if (!argument->type)
		return false;
	if (argument->type->kind == TREE_REFERENCE && parse_accept_mark(parser, '=')) {
		argument->declaration = parse_declaration(parser, argument->type->name);
		if (!argument->declaration)
			return false;
	}
	return parse_flags(parser, argument);
}

/* Go to the end of an argument that is wrong: what is in parentheses belongs to it. */
static void
skip_argument(struct parser *parser)
{
	unsigned depth = 0;

	for (;; parse_skip(parser)) {
		if (parser->token.kind == TOKEN_END || is_statement(&parser->token) ||
		    parse_is_mark(parser, ';') || (depth == 0 && parse_is_mark(parser, ')')))
			return;
		if (parse_is_mark(parser, '('))
			depth++;
		else if (parse_is_mark(parser, ')'))
			depth--;
	}
}

/* All up to the `)`.  What is wrong is told; false: and the end of the list is not known. */
static bool
parse_arguments(struct parser *parser, struct tree_statement *statement)
{
	struct tree_argument *first = NULL, **last = &first;

	for (;;) {
		struct tree_argument *argument = ARENA_NEW(parser->arena, struct tree_argument);

		if (statement->argument_count == ARGUMENTS_MAX) {
			diagnostics_error(parser->diagnostics, &parser->token.place,
					  "a routine of more than %d arguments", ARGUMENTS_MAX);
			return false;
		}
		if (parse_argument(parser, argument)) {
			*last = argument;
			last = &argument->next;
			statement->argument_count++;
			statement->arguments = first;
			if (parse_accept_mark(parser, ')'))
				return true;
			if (parse_is_mark(parser, ';')) {
				parse_advance(parser);
				if (parse_is_mark(parser, ')')) {
					diagnostics_error(
					    parser->diagnostics, &parser->token.place,
					    "expected an argument after ';', got ')': no ';' "
					    "stands behind the last one");
					parse_advance(parser);
					return true;
				}
				if (!is_statement(&parser->token))
					continue;
			}
			parse_expected(parser, arena_printf(parser->arena,
							    "';', ',' or ')' after argument `%s`",
							    argument->name.text));
			if (is_statement(&parser->token))
				return false;
		}
		statement->misses_arguments = true;
		skip_argument(parser);
		if (parse_accept_mark(parser, ')'))
			return true;
		if (!parse_accept_mark(parser, ';') || is_statement(&parser->token))
			return false;
	}
}

bool
parse_routine(struct parser *parser, struct tree_statement *statement)
{
	if (!parse_expect_name(parser, "a routine", &statement->word) ||
	    !parse_expect_mark(parser, '(',
			       arena_printf(parser->arena, "after the name of routine `%s`",
					    statement->word.text)))
		return false;
	return parse_accept_mark(parser, ')') || parse_arguments(parser, statement);
}
