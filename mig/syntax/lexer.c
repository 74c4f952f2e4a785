/*
 * Lexer: see lexer.h.  Reads no byte behind `end`, where a NUL stands; a NUL before it is a
 * byte like any other that belongs to no token.
 */
#include <stdarg.h>
#include <string.h>

#include "mig/syntax/lexer.h"

/* Longer names no C compiler takes; so a hostile one costs nothing to repeat. */
#define NAME_BYTES_MAX 1024

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_name(char c)
{
	return is_name_start(c) || is_digit(c);
}

static bool
is_option(char c)
{
	return is_name(c) || c == '-' || c == '/' || c == '.' || c == '$';
}

static bool
is_mark(char c)
{
	return c && strchr(":;,+-*/()=^~<>[]|{}", c);
}

void
lexer_init(struct lexer *lexer, const char *text, size_t size, const char *file,
	   struct arena *arena, struct diagnostics *diagnostics)
{
	*lexer = (struct lexer){
		.arena = arena,
		.diagnostics = diagnostics,
		.at = text,
		.end = text + size,
		.line_text = text,
		.file = file,
		.line = 1,
	};
}

__attribute__((format(printf, 3, 4))) static void
lexer_error(struct lexer *lexer, const struct source_place *place, const char *format, ...)
{
	va_list args;

	if (lexer->is_skipping)
		return;
	va_start(args, format);
	diagnostics_verror(lexer->diagnostics, place, format, args);
	va_end(args);
}

static struct source_place
place_of(const struct lexer *lexer, const char *start, size_t size)
{
	return (struct source_place){
		.file = lexer->file,
		.line = lexer->line,
		.column = (uint32_t)(start - lexer->line_text) + 1,
		.length = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size,
		.line_text = lexer->line_text,
	};
}

/* Are the next bytes, of which the last may be a NUL of the text, @string? */
static bool
is_next(const struct lexer *lexer, const char *string)
{
	size_t size = strlen(string);

	return (size_t)(lexer->end - lexer->at) >= size && memcmp(lexer->at, string, size) == 0;
}

static void
skip_line(struct lexer *lexer)
{
	const char *newline = memchr(lexer->at, '\n', (size_t)(lexer->end - lexer->at));

	lexer->at = newline ? newline : lexer->end;
}

static void
skip_blanks(struct lexer *lexer)
{
	while (*lexer->at == ' ' || *lexer->at == '\t')
		lexer->at++;
}

static void
pass_newline(struct lexer *lexer)
{
	lexer->at++;
	lexer->line_text = lexer->at;
	if (lexer->line < UINT32_MAX)
		lexer->line++;
}

/* The file name of a line marker, between quotes, with backslashes undone. */
static const char *
marker_file(struct lexer *lexer)
{
	const char *start = ++lexer->at;

	while (lexer->at < lexer->end && *lexer->at != '"' && *lexer->at != '\n') {
		if (*lexer->at == '\\' && lexer->at + 1 < lexer->end && lexer->at[1] != '\n')
			lexer->at++;
		lexer->at++;
	}
	char *name = arena_strndup(lexer->arena, start, (size_t)(lexer->at - start));
	char *to = name;
	for (const char *from = name; *from; from++) {
		if (*from == '\\' && from[1])
			from++;
		*to++ = *from;
	}
	*to = '\0';
	return name;
}

/*
 * A line that begins with `#`: `# N "file" flags` and `#line N "file"` say where the next line
 * comes from, `#pragma` nothing.
 */
static void
read_hash_line(struct lexer *lexer)
{
	const char *start = lexer->at++;

	skip_blanks(lexer);
	if (is_next(lexer, "pragma") && !is_name(lexer->at[6])) {
		skip_line(lexer);
		return;
	}
	if (is_next(lexer, "line") && !is_name(lexer->at[4])) {
		lexer->at += 4;
		skip_blanks(lexer);
	}
	if (!is_digit(*lexer->at)) {
		struct source_place place = place_of(lexer, start, 1);

		lexer_error(lexer, &place,
			    "'#' begins a line marker or `#pragma`, nothing else: other "
			    "directives are the preprocessor's");
		skip_line(lexer);
		return;
	}
	uint64_t line = 0;
	for (; is_digit(*lexer->at); lexer->at++) {
		if (line <= UINT32_MAX)
			line = line * 10 + (uint64_t)(*lexer->at - '0');
	}
	skip_blanks(lexer);
	if (*lexer->at == '"')
		lexer->file = marker_file(lexer);
	skip_line(lexer);
	if (lexer->at < lexer->end)
		pass_newline(lexer);
	lexer->line = line > UINT32_MAX ? UINT32_MAX : (uint32_t)line;
}

/* Pass over blanks, newlines and hash lines. */
static void
skip_white(struct lexer *lexer)
{
	for (;;) {
		char c = *lexer->at;

		if (c == '\n')
			pass_newline(lexer);
		else if (c == ' ' || c == '\t' || (c == '\r' && lexer->at[1] == '\n'))
			lexer->at++;
		else if (c == '#')
			read_hash_line(lexer);
		else
			return;
	}
}

static struct token
token_of(struct lexer *lexer, enum token_kind kind, const char *start)
{
	size_t size = (size_t)(lexer->at - start);

	return (struct token){
		.kind = kind,
		.text = start,
		.size = size,
		.place = place_of(lexer, start, size),
	};
}

static struct token
read_number(struct lexer *lexer)
{
	const char *start = lexer->at;
	uint64_t number = 0;

	for (; is_digit(*lexer->at); lexer->at++) {
		if (number <= INT32_MAX)
			number = number * 10 + (uint64_t)(*lexer->at - '0');
	}
	bool has_tail = is_name_start(*lexer->at);
	while (is_name(*lexer->at))
		lexer->at++;

	struct token token = token_of(lexer, TOKEN_NUMBER, start);
	if (has_tail)
		lexer_error(lexer, &token.place, "numbers are decimal and have no suffix");
	else if (number > INT32_MAX)
		lexer_error(lexer, &token.place, "the number is larger than %d", INT32_MAX);
	else
		token.number = (uint32_t)number;
	return token;
}

/* From a quote or `<` to @closing, on one line; false: it is not closed. */
static bool
read_closed(struct lexer *lexer, char closing, enum token_kind kind, struct token *token)
{
	const char *start = lexer->at++;

	while (lexer->at < lexer->end && *lexer->at && *lexer->at != '\n' && *lexer->at != closing)
		lexer->at++;
	bool closed = lexer->at < lexer->end && *lexer->at == closing;
	if (closed)
		lexer->at++;
	*token = token_of(lexer, kind, start);
	if (!closed)
		lexer_error(lexer, &token->place, "no %c before the end of the line", closing);
	return closed;
}

/* Bytes that belong to no token are told of once, however many they are. */
static void
refuse_bytes(struct lexer *lexer)
{
	const char *start = lexer->at;
	unsigned char byte = (unsigned char)*start;

	do
		lexer->at++;
	while (lexer->at < lexer->end && *lexer->at == *start);
	struct source_place place = place_of(lexer, start, (size_t)(lexer->at - start));

	if (byte > ' ' && byte < 0x7f)
		lexer_error(lexer, &place, "'%c' means nothing here", byte);
	else
		lexer_error(lexer, &place, "a byte 0x%02x means nothing here", byte);
}

/* All bytes that @belongs says, as a token; too many are told, and cut. */
static struct token
read_word(struct lexer *lexer, bool (*belongs)(char), enum token_kind kind)
{
	const char *start = lexer->at;

	while (belongs(*lexer->at))
		lexer->at++;
	struct token token = token_of(lexer, kind, start);
	if (token.size > NAME_BYTES_MAX) {
		lexer_error(lexer, &token.place, "a name of more than %d bytes", NAME_BYTES_MAX);
		token.size = NAME_BYTES_MAX;
	}
	return token;
}

struct token
lexer_next(struct lexer *lexer, enum lexer_mode mode)
{
	for (;;) {
		struct token token;

		skip_white(lexer);
		const char *start = lexer->at;
		char c = *start;

		if (start == lexer->end || diagnostics_is_full(lexer->diagnostics)) {
			token = (struct token){ .kind = TOKEN_END,
						.text = start,
						.place = place_of(lexer, start, 1) };
			if (start == lexer->line_text)
				token.place.column = 0; /* there is nothing to show */
			lexer->at = lexer->end;
			return token;
		}
		if (mode == LEXER_OPTION && is_option(c))
			return read_word(lexer, is_option, TOKEN_OPTION);
		if (mode == LEXER_FILE && c == '<') {
			if (read_closed(lexer, '>', TOKEN_FILE, &token))
				return token;
			continue;
		}
		if (c == '"') {
			if (read_closed(lexer, '"', mode == LEXER_FILE ? TOKEN_FILE : TOKEN_QUOTED,
					&token))
				return token;
			continue;
		}
		if (is_digit(c))
			return read_number(lexer);
		if (is_name_start(c)) {
			token = read_word(lexer, is_name, TOKEN_NAME);
			token.keyword = keyword_find(token.text, token.size);
			if (token.keyword != KEYWORD_NONE)
				token.kind = TOKEN_KEYWORD;
			return token;
		}
		if (is_mark(c)) {
			lexer->at++;
			token = token_of(lexer, TOKEN_MARK, start);
			token.mark = c;
			return token;
		}
		refuse_bytes(lexer);
	}
}
