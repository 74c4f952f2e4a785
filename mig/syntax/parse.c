/*
 * Parsing: what all of the parser's files use, see parse.h.
 */
#include <string.h>
#include <strings.h>

#include "mig/syntax/parse.h"

/* Of a token that is wrong no more than this is repeated in a message. */
#define REPEATED_MAX 40

void
parse_advance_as(struct parser *parser, enum lexer_mode mode)
{
	parser->token = lexer_next(&parser->lexer, mode);
}

void
parse_advance(struct parser *parser)
{
	parse_advance_as(parser, LEXER_PLAIN);
}

void
parse_skip(struct parser *parser)
{
	parser->lexer.is_skipping = true;
	parse_advance(parser);
	parser->lexer.is_skipping = false;
}

bool
parse_is_name(const struct parser *parser, const char *text)
{
	const struct token *token = &parser->token;

	return token->kind == TOKEN_NAME && token->size == strlen(text) &&
	       memcmp(token->text, text, token->size) == 0;
}

bool
parse_is_word(const struct parser *parser, const char *text)
{
	const struct token *token = &parser->token;

	return token->kind == TOKEN_NAME && token->size == strlen(text) &&
	       strncasecmp(token->text, text, token->size) == 0;
}

bool
parse_accept_mark(struct parser *parser, char mark)
{
	if (!parse_is_mark(parser, mark))
		return false;
	parse_advance(parser);
	return true;
}

bool
parse_accept_keyword(struct parser *parser, enum keyword keyword)
{
	if (!parse_is_keyword(parser, keyword))
		return false;
	parse_advance(parser);
	return true;
}

void
parse_expected(struct parser *parser, const char *expected)
{
	const struct token *token = &parser->token;

	/* the lexer has told why it went no further */
	if (diagnostics_is_full(parser->diagnostics))
		return;
	if (token->kind == TOKEN_END)
		diagnostics_error(parser->diagnostics, &token->place,
				  "expected %s, got the end of the file", expected);
	else
		diagnostics_error(parser->diagnostics, &token->place, "expected %s, got '%.*s%s'",
				  expected,
				  token->size > REPEATED_MAX ? REPEATED_MAX : (int)token->size,
				  token->text, token->size > REPEATED_MAX ? "..." : "");
}

bool
parse_expect_mark(struct parser *parser, char mark, const char *where)
{
	if (parse_accept_mark(parser, mark))
		return true;
	parse_expected(parser, arena_printf(parser->arena, "'%c' %s", mark, where));
	return false;
}

bool
parse_expect_keyword(struct parser *parser, enum keyword keyword, const char *where)
{
	if (parse_accept_keyword(parser, keyword))
		return true;
	parse_expected(parser,
		       arena_printf(parser->arena, "'%s' %s", keyword_text(keyword), where));
	return false;
}

struct tree_name
parse_text(struct parser *parser)
{
	const struct token *token = &parser->token;

	return (struct tree_name){ arena_strndup(parser->arena, token->text, token->size),
				   token->place };
}

bool
parse_expect_name(struct parser *parser, const char *what, struct tree_name *name)
{
	const struct token *token = &parser->token;

	if (token->kind == TOKEN_KEYWORD) {
		diagnostics_error(parser->diagnostics, &token->place,
				  "expected the name of %s, got '%.*s', which is a keyword", what,
				  (int)token->size, token->text);
		return false;
	}
	if (token->kind != TOKEN_NAME) {
		parse_expected(parser, arena_printf(parser->arena, "the name of %s", what));
		return false;
	}
	*name = parse_text(parser);
	parse_advance(parser);
	return true;
}

bool
parse_expect_number(struct parser *parser, const char *what, uint32_t *number)
{
	if (parser->token.kind == TOKEN_NAME) {
		parse_expected(
		    parser,
		    arena_printf(parser->arena, "%s (is this a macro that nobody defines?)", what));
		return false;
	}
	if (parser->token.kind != TOKEN_NUMBER) {
		parse_expected(parser, what);
		return false;
	}
	*number = parser->token.number;
	parse_advance(parser);
	return true;
}

bool
parse_enter(struct parser *parser)
{
	if (parser->nesting == NESTING_MAX) {
		diagnostics_error(parser->diagnostics, &parser->token.place,
				  "nested more than %d deep", NESTING_MAX);
		return false;
	}
	parser->nesting++;
	return true;
}

void
parse_leave(struct parser *parser)
{
	parser->nesting--;
}
