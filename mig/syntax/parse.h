/*
 * What the files of the parser share: the state, and how to expect a token.
 *
 * A function that parses something gives false or NULL after it has told what is wrong; the
 * token that is wrong is still the current one.
 */
#ifndef MIG_SYNTAX_PARSE_H
#define MIG_SYNTAX_PARSE_H

#include "mig/syntax/lexer.h"
#include "mig/syntax/parser.h"

/* More of anything is refused: a file that has it was not written to be used. */
#define NESTING_MAX 64
#define STATEMENTS_MAX 100000
#define ARGUMENTS_MAX 1000

struct parser {
	struct lexer lexer;
	struct arena *arena;
	struct diagnostics *diagnostics;
	struct token token; /* the current one */
	unsigned nesting;
};

/* ---- parse.c ------------------------------------------------------------------------- */

/* Go to the next token; @mode as for lexer_next. */
void parse_advance_as(struct parser *parser, enum lexer_mode mode);
void parse_advance(struct parser *parser);

static inline bool
parse_is_mark(const struct parser *parser, char mark)
{
	return parser->token.kind == TOKEN_MARK && parser->token.mark == mark;
}

static inline bool
parse_is_keyword(const struct parser *parser, enum keyword keyword)
{
	return parser->token.kind == TOKEN_KEYWORD && parser->token.keyword == keyword;
}

/* Is the current token the name @text, in the same case? */
bool parse_is_name(const struct parser *parser, const char *text);
/* ... or in any case? */
bool parse_is_word(const struct parser *parser, const char *text);

/* Pass over @mark if it is there. */
bool parse_accept_mark(struct parser *parser, char mark);
bool parse_accept_keyword(struct parser *parser, enum keyword keyword);

/* Pass over @mark; else tell that it is missing @where, "after ...". */
bool parse_expect_mark(struct parser *parser, char mark, const char *where);
bool parse_expect_keyword(struct parser *parser, enum keyword keyword, const char *where);

/* A name for @what, "an argument"; keywords are refused as what they are. */
bool parse_expect_name(struct parser *parser, const char *what, struct tree_name *name);
bool parse_expect_number(struct parser *parser, const char *what, uint32_t *number);

/* Go on to the next token, of which nothing is told; for text that is given up. */
void parse_skip(struct parser *parser);

/* Tell that @expected should stand here, and what does. */
void parse_expected(struct parser *parser, const char *expected);

/* The current token's text, as it is written. */
struct tree_name parse_text(struct parser *parser);

/* One deeper, which must be left by parse_leave; false: too deep, told. */
bool parse_enter(struct parser *parser);
void parse_leave(struct parser *parser);

/* ---- parse_type.c -------------------------------------------------------------------- */

const struct tree_type *parse_type(struct parser *parser);

/* NAME "=" TYPE options; the current token is behind the `=`. */
const struct tree_declaration *parse_declaration(struct parser *parser, struct tree_name name);

/* A name, or PointerTo and its like. */
const struct tree_type *parse_argument_type(struct parser *parser);

/* ---- parse_routine.c ----------------------------------------------------------------- */

/*
 * The name and arguments of a routine, into @statement; false: told, and the current token is
 * one where the statement is best given up.
 */
bool parse_routine(struct parser *parser, struct tree_statement *statement);

#endif
