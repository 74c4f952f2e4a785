/*
 * Lexer: preprocessed text into tokens, one at a time.
 *
 * Some words mean something only behind others: what is an option or a file name the parser
 * knows, and asks for it.
 *
 * Source: mig-language.md §2.
 */
#ifndef MIG_SYNTAX_LEXER_H
#define MIG_SYNTAX_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mig/support/arena.h"
#include "mig/support/diagnostics.h"
#include "mig/support/source.h"
#include "mig/syntax/keywords.h"

enum token_kind {
	TOKEN_END, /* of the text */
	TOKEN_NAME,
	TOKEN_KEYWORD,
	TOKEN_NUMBER,
	TOKEN_QUOTED, /* with its quotes */
	TOKEN_FILE,   /* with its quotes or brackets */
	TOKEN_OPTION,
	TOKEN_MARK /* one of : ; , + - * / ( ) = ^ ~ < > [ ] | { } */
};

struct token {
	enum token_kind kind;
	enum keyword keyword;
	char mark;
	uint32_t number;  /* at most INT32_MAX; what is larger is told, and 0 */
	const char *text; /* in the source text, not ended */
	size_t size;
	struct source_place place;
};

struct lexer {
	struct arena *arena; /* for file names */
	struct diagnostics *diagnostics;
	const char *at;
	const char *end; /* here is a NUL */
	const char *line_text;
	const char *file;
	uint32_t line;
	bool is_skipping; /* what is wrong in text that is given up is not told */
};

/*
 * Read @text, of which @text[@size] is a NUL.  @file names it until a line marker says
 * otherwise.  Everything is borrowed.
 */
void lexer_init(struct lexer *lexer, const char *text, size_t size, const char *file,
		struct arena *arena, struct diagnostics *diagnostics);

/* What is expected next, if it is special; else it is read as any token. */
enum lexer_mode { LEXER_PLAIN, LEXER_OPTION, LEXER_FILE };

/* The next token.  Bytes that are none are told of and passed over. */
struct token lexer_next(struct lexer *lexer, enum lexer_mode mode);

#endif
