/*
 * Parser: statements, and what to do with a wrong one.  See parser.h.
 */
#include "mig/syntax/parse.h"

/* Words of other languages of this family, and what is written in their place. */
static bool
tell_legacy(struct parser *parser)
{
	static const struct {
		const char *word;
		const char *instead;
	} legacy[] = {
		{ "procedure", "`routine`, which gives a kern_return_t" },
		{ "simpleprocedure", "`simpleroutine`" },
		{ "function", "`routine`, with the result as an `out` argument" },
		{ "camelotroutine", "`routine`" },
		{ "camelot", "nothing" },
		{ "camelotprefix", "nothing" },
		{ "servercopy", "nothing" },
	};

	for (size_t i = 0; i < sizeof(legacy) / sizeof(legacy[0]); i++) {
		if (parse_is_word(parser, legacy[i].word)) {
			diagnostics_error(parser->diagnostics, &parser->token.place,
					  "`%s` is of older languages: write %s", legacy[i].word,
					  legacy[i].instead);
			return true;
		}
	}
	return false;
}

static bool
parse_subsystem(struct parser *parser, struct tree_statement *statement)
{
	for (;;) {
		if (parse_accept_keyword(parser, KEYWORD_KERNEL_USER))
			statement->kernel_user = true;
		else if (parse_accept_keyword(parser, KEYWORD_KERNEL_SERVER))
			statement->kernel_server = true;
		else
			break;
	}
	if (!parse_expect_name(parser, "the subsystem", &statement->word))
		return false;
	statement->number_place = parser->token.place;
	return parse_expect_number(parser, "the number of the first routine", &statement->number);
}

static bool
parse_type_statement(struct parser *parser, struct tree_statement *statement)
{
	if (!parse_expect_name(parser, "a type", &statement->word) ||
	    !parse_expect_mark(
		parser, '=',
		arena_printf(parser->arena, "after the name of type `%s`", statement->word.text)))
		return false;
	statement->declaration = parse_declaration(parser, statement->word);
	return statement->declaration != NULL;
}

/* A token of @kind, as it is written; the current one is still the statement's keyword. */
static bool
parse_special(struct parser *parser, enum lexer_mode mode, enum token_kind kind,
	      const char *expected, struct tree_statement *statement)
{
	parse_advance_as(parser, mode);
	if (parser->token.kind != kind) {
		parse_expected(parser, arena_printf(parser->arena, "%s after `%s`", expected,
						    keyword_text(statement->keyword)));
		return false;
	}
	statement->word = parse_text(parser);
	parse_advance(parser);
	return true;
}

static bool
parse_number_statement(struct parser *parser, struct tree_statement *statement)
{
	parse_advance(parser);
	statement->number_place = parser->token.place;
	return parse_expect_number(parser, "a number", &statement->number);
}

/* A statement of one name. */
static bool
parse_name_statement(struct parser *parser, const char *what, struct tree_statement *statement)
{
	parse_advance(parser);
	return parse_expect_name(parser, what, &statement->word);
}

static bool
parse_skip_statement(struct parser *parser)
{
	parse_advance(parser);
	if (parser->token.kind != TOKEN_NUMBER)
		return true;
	diagnostics_error(parser->diagnostics, &parser->token.place,
			  "`skip` takes no number: write `skip;` once for each routine");
	return false;
}

/* One statement without its `;`.  The current token begins it. */
static bool
parse_statement(struct parser *parser, struct tree_statement *statement)
{
	statement->place = parser->token.place;
	if (parse_is_name(parser, "UserTypeLimit") || parse_is_name(parser, "OnStackLimit")) {
		statement->limit = parse_is_name(parser, "UserTypeLimit") ? TREE_USER_TYPE_LIMIT
									  : TREE_ON_STACK_LIMIT;
		return parse_number_statement(parser, statement);
	}
	if (parser->token.kind == TOKEN_NAME && tell_legacy(parser))
		return false;
	if (parser->token.kind == TOKEN_KEYWORD) {
		statement->keyword = parser->token.keyword;
		switch (statement->keyword) {
		case KEYWORD_SUBSYSTEM:
			parse_advance(parser);
			return parse_subsystem(parser, statement);
		case KEYWORD_TYPE:
			parse_advance(parser);
			return parse_type_statement(parser, statement);
		case KEYWORD_ROUTINE:
		case KEYWORD_SIMPLE_ROUTINE:
			parse_advance(parser);
			return parse_routine(parser, statement);
		case KEYWORD_SKIP:
			return parse_skip_statement(parser);
		case KEYWORD_NO_WAIT_TIME:
		case KEYWORD_NO_SEND_TIME:
			parse_advance(parser);
			return true;
		case KEYWORD_WAIT_TIME:
		case KEYWORD_SEND_TIME:
		case KEYWORD_MSG_OPTION:
		case KEYWORD_CONSUME_ON_SEND_ERROR:
			return parse_special(parser, LEXER_OPTION, TOKEN_OPTION,
					     "a C name or number", statement);
		case KEYWORD_USE_SPECIAL_REPLY_PORT:
			return parse_number_statement(parser, statement);
		case KEYWORD_ERROR:
			return parse_name_statement(parser, "a C function", statement);
		case KEYWORD_SERVER_PREFIX:
		case KEYWORD_USER_PREFIX:
			return parse_name_statement(parser, "a prefix", statement);
		case KEYWORD_SERVER_DEMUX:
			return parse_name_statement(parser, "the dispatch function", statement);
		case KEYWORD_RCSID:
			return parse_special(parser, LEXER_PLAIN, TOKEN_QUOTED,
					     "a string in quotes", statement);
		case KEYWORD_IMPORT:
		case KEYWORD_UIMPORT:
		case KEYWORD_SIMPORT:
		case KEYWORD_IIMPORT:
		case KEYWORD_DIMPORT:
			return parse_special(parser, LEXER_FILE, TOKEN_FILE, "\"file\" or <file>",
					     statement);
		default:
			break;
		}
	}
	parse_expected(parser, "a statement");
	return false;
}

static void
skip_statement(struct parser *parser)
{
	while (parser->token.kind != TOKEN_END && !parse_is_mark(parser, ';') &&
	       !parse_is_keyword(parser, KEYWORD_ROUTINE) &&
	       !parse_is_keyword(parser, KEYWORD_SIMPLE_ROUTINE))
		parse_skip(parser);
}

struct tree *
parser_parse(struct arena *arena, struct diagnostics *diagnostics, const char *file,
	     const char *text, size_t size)
{
	struct parser parser = { .arena = arena, .diagnostics = diagnostics };
	struct tree *tree = ARENA_NEW(arena, struct tree);
	struct tree_statement *first = NULL, **last = &first;
	unsigned statement_count = 0;

	lexer_init(&parser.lexer, text, size, file, arena, diagnostics);
	parse_advance(&parser);
	while (parser.token.kind != TOKEN_END) {
		if (parse_accept_mark(&parser, ';'))
			continue;
		if (statement_count++ == STATEMENTS_MAX) {
			diagnostics_error(diagnostics, &parser.token.place,
					  "a file of more than %d statements", STATEMENTS_MAX);
			break;
		}
		struct tree_statement *statement = ARENA_NEW(arena, struct tree_statement);
		const char *start = parser.token.text;

		bool ok = parse_statement(&parser, statement);
		/* that a type was meant to be there saves errors where it is used */
		if (ok || (statement->keyword == KEYWORD_TYPE && statement->word.text)) {
			*last = statement;
			last = &statement->next;
		}
		if (ok) {
			if (parse_accept_mark(&parser, ';'))
				continue;
			parse_expected(&parser, "';' at the end of the statement");
		}
		if (parser.token.text == start)
			parse_skip(&parser); /* nothing was understood: do not stay */
		skip_statement(&parser);
	}
	tree->statements = first;
	tree->end = parser.token.place;
	return tree;
}
