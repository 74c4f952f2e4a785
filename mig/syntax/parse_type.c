/*
 * Parsing of types, and of the numbers in them.
 *
 *   type    = basic | name | ^ type | array [ ... ] of type | struct [ n ] of type | c_string
 *   number  = sums and products of numbers, in parentheses
 */
#include <string.h>

#include "mig/support/text.h"
#include "mig/syntax/parse.h"

/* ---- numbers ------------------------------------------------------------------------- */

static bool parse_sum(struct parser *parser, int64_t *value);

static bool
parse_factor(struct parser *parser, int64_t *value)
{
	uint32_t number;

	if (!parse_is_mark(parser, '(')) {
		if (!parse_expect_number(parser, "a number", &number))
			return false;
		*value = number;
		return true;
	}
	if (!parse_enter(parser))
		return false;
	parse_advance(parser);
	bool ok = parse_sum(parser, value) && parse_expect_mark(parser, ')', "after the number");
	parse_leave(parser);
	return ok;
}

/* @left = @left @mark @right, told at @place if that is no number. */
static bool
compute(struct parser *parser, char mark, const struct source_place *place, int64_t *left,
	int64_t right)
{
	bool overflows = false;

	switch (mark) {
	case '+':
		overflows = __builtin_add_overflow(*left, right, left);
		break;
	case '-':
		overflows = __builtin_sub_overflow(*left, right, left);
		break;
	case '*':
		overflows = __builtin_mul_overflow(*left, right, left);
		break;
	default:
		if (right == 0) {
			diagnostics_error(parser->diagnostics, place, "division by zero");
			return false;
		}
		/* the smallest number by -1 */
		overflows = *left == INT64_MIN && right == -1;
		if (!overflows)
			*left /= right;
		break;
	}
	if (overflows)
		diagnostics_error(parser->diagnostics, place, "the number does not fit 64 bits");
	return !overflows;
}

static bool
parse_product(struct parser *parser, int64_t *value)
{
	if (!parse_factor(parser, value))
		return false;
	while (parse_is_mark(parser, '*') || parse_is_mark(parser, '/')) {
		struct token sign = parser->token;
		int64_t right;

		parse_advance(parser);
		if (!parse_factor(parser, &right) ||
		    !compute(parser, sign.mark, &sign.place, value, right))
			return false;
	}
	return true;
}

static bool
parse_sum(struct parser *parser, int64_t *value)
{
	if (!parse_product(parser, value))
		return false;
	while (parse_is_mark(parser, '+') || parse_is_mark(parser, '-')) {
		struct token sign = parser->token;
		int64_t right;

		parse_advance(parser);
		if (!parse_product(parser, &right) ||
		    !compute(parser, sign.mark, &sign.place, value, right))
			return false;
	}
	return true;
}

/* A count of elements. */
static bool
parse_count(struct parser *parser, struct tree_type *type)
{
	struct source_place start = parser->token.place;
	int64_t value;

	if (!parse_sum(parser, &value))
		return false;
	type->has_count = true;
	type->count_place = start;
	if (value < 1 || value > INT32_MAX) {
		diagnostics_error(parser->diagnostics, &start,
				  "the count is %lld; it must be from 1 to %d", (long long)value,
				  INT32_MAX);
		value = 1;
	}
	type->count = (uint32_t)value;
	return true;
}

/* ---- types --------------------------------------------------------------------------- */

static bool
is_basic(const struct token *token)
{
	static const char start[] = "MACH_MSG_TYPE_";

	if (token->kind == TOKEN_KEYWORD)
		return token->keyword == KEYWORD_POLYMORPHIC;
	return token->kind == TOKEN_NAME && token->size >= sizeof(start) - 1 &&
	       memcmp(token->text, start, sizeof(start) - 1) == 0;
}

/* The name of a basic type, in the one case that is known for it. */
static bool
parse_basic_name(struct parser *parser, struct tree_name *name)
{
	if (parser->token.kind == TOKEN_NUMBER) {
		diagnostics_error(parser->diagnostics, &parser->token.place,
				  "a basic type is written by its name, MACH_MSG_TYPE_..., not as "
				  "a number");
		return false;
	}
	if (!is_basic(&parser->token)) {
		parse_expected(parser, "MACH_MSG_TYPE_... or `polymorphic` after '|'");
		return false;
	}
	*name = parse_text(parser);
	if (parser->token.kind == TOKEN_KEYWORD)
		name->text = keyword_text(parser->token.keyword);
	parse_advance(parser);
	return true;
}

static bool
parse_basic(struct parser *parser, struct tree_type *type)
{
	type->kind = TREE_BASIC;
	if (!parse_basic_name(parser, &type->sent))
		return false;
	return !parse_accept_mark(parser, '|') || parse_basic_name(parser, &type->received);
}

/* `of` and a type */
static bool
parse_element(struct parser *parser, struct tree_type *type)
{
	if (!parse_expect_keyword(parser, KEYWORD_OF, "after ']'"))
		return false;
	type->element = parse_type(parser);
	return type->element != NULL;
}

/* What stands between the brackets: nothing, `*`, `*:n` or `n`, as far as @may_be allows. */
static bool
parse_brackets(struct parser *parser, struct tree_type *type, bool may_be_empty,
	       bool may_be_variable)
{
	const char *keyword = keyword_text(parser->token.keyword);

	parse_advance(parser);
	if (type->kind == TREE_STRUCT && parse_is_mark(parser, '{')) {
		diagnostics_error(parser->diagnostics, &parser->token.place,
				  "members are not listed here: write `struct[n] of type`, and "
				  "give the C structure by the type's name or `ctype`");
		return false;
	}
	if (!parse_expect_mark(parser, '[', arena_printf(parser->arena, "after `%s`", keyword)))
		return false;
	if (may_be_empty && parse_is_mark(parser, ']')) {
		type->is_variable = true;
	} else if (may_be_variable && parse_accept_mark(parser, '*')) {
		type->is_variable = true;
		if (!(may_be_empty && parse_is_mark(parser, ']')) &&
		    !(parse_expect_mark(parser, ':', "and the largest count after '*'") &&
		      parse_count(parser, type)))
			return false;
	} else if (!parse_count(parser, type)) {
		return false;
	}
	return parse_expect_mark(parser, ']', "after the count");
}

static bool
parse_type_into(struct parser *parser, struct tree_type *type)
{
	const struct token *token = &parser->token;

	if (parse_accept_mark(parser, '^')) {
		type->kind = TREE_POINTER;
		type->element = parse_type(parser);
		return type->element != NULL;
	}
	if (is_basic(token))
		return parse_basic(parser, type);
	if (token->kind == TOKEN_NAME) {
		type->kind = TREE_REFERENCE;
		return parse_expect_name(parser, "a type", &type->name);
	}
	if (token->kind == TOKEN_KEYWORD) {
		switch (token->keyword) {
		case KEYWORD_ARRAY:
			type->kind = TREE_ARRAY;
			return parse_brackets(parser, type, true, true) &&
			       parse_element(parser, type);
		case KEYWORD_STRUCT:
			type->kind = TREE_STRUCT;
			return parse_brackets(parser, type, false, false) &&
			       parse_element(parser, type);
		case KEYWORD_C_STRING:
			type->kind = TREE_STRING;
			return parse_brackets(parser, type, false, true);
		default:
			break;
		}
	}
	if (token->kind == TOKEN_NUMBER) {
		struct tree_name name;

		return parse_basic_name(parser, &name); /* which tells */
	}
	if (parse_is_mark(parser, '(')) {
		diagnostics_error(parser->diagnostics, &token->place,
				  "`(TYPE, bits)` is of older languages: write the type alone, as "
				  "in MACH_MSG_TYPE_INTEGER_32");
		return false;
	}
	parse_expected(parser, "a type");
	return false;
}

const struct tree_type *
parse_type(struct parser *parser)
{
	struct tree_type *type = ARENA_NEW(parser->arena, struct tree_type);

	if (!parse_enter(parser))
		return NULL;
	type->place = parser->token.place;
	bool ok = parse_type_into(parser, type);
	parse_leave(parser);
	return ok ? type : NULL;
}

/* ---- options of a type --------------------------------------------------------------- */

static bool
parse_translation(struct parser *parser, struct tree_translation *translation, bool has_result)
{
	struct tree_translation read = { 0 };

	if (has_result && !parse_expect_name(parser, "the C type of the result", &read.result))
		return false;
	if (!parse_expect_name(parser, "a C function", &read.function) ||
	    !parse_expect_mark(parser, '(', "after the name of the function") ||
	    !parse_expect_name(parser, "the C type of the function's argument", &read.argument) ||
	    !parse_expect_mark(parser, ')', "after the C type of the function's argument"))
		return false;
	*translation = read;
	return true;
}

/* One option behind a type; @keyword begins it, and has been passed over with its colon. */
static bool
parse_type_option(struct parser *parser, enum keyword keyword, struct tree_declaration *declaration)
{
	switch (keyword) {
	case KEYWORD_INTRAN:
		return parse_translation(parser, &declaration->intran, true);
	case KEYWORD_OUTTRAN:
		return parse_translation(parser, &declaration->outtran, true);
	case KEYWORD_DESTRUCTOR:
		return parse_translation(parser, &declaration->destructor, false);
	case KEYWORD_C_TYPE:
		return parse_expect_name(parser, "a C type", &declaration->c_type);
	case KEYWORD_C_USER_TYPE:
		return parse_expect_name(parser, "a C type", &declaration->c_user_type);
	default:
		return parse_expect_name(parser, "a C type", &declaration->c_server_type);
	}
}

static bool
is_type_option(enum keyword keyword)
{
	switch (keyword) {
	case KEYWORD_INTRAN:
	case KEYWORD_OUTTRAN:
	case KEYWORD_DESTRUCTOR:
	case KEYWORD_C_TYPE:
	case KEYWORD_C_USER_TYPE:
	case KEYWORD_C_SERVER_TYPE:
		return true;
	default:
		return false;
	}
}

const struct tree_declaration *
parse_declaration(struct parser *parser, struct tree_name name)
{
	struct tree_declaration *declaration = ARENA_NEW(parser->arena, struct tree_declaration);
	uint64_t seen = 0;

	declaration->name = name;
	declaration->type = parse_type(parser);
	if (!declaration->type)
		return NULL;
	while (parser->token.kind == TOKEN_KEYWORD && is_type_option(parser->token.keyword)) {
		enum keyword keyword = parser->token.keyword;
		const char *text = keyword_text(keyword);

		if (seen & (UINT64_C(1) << keyword)) {
			diagnostics_error(parser->diagnostics, &parser->token.place,
					  "a second `%s` of one type", text);
			return NULL;
		}
		seen |= UINT64_C(1) << keyword;
		parse_advance(parser);
		if (!parse_expect_mark(parser, ':',
				       arena_printf(parser->arena, "after `%s`", text)) ||
		    !parse_type_option(parser, keyword, declaration))
			return NULL;
	}
	if (parse_is_word(parser, "intranpayload")) {
		diagnostics_error(parser->diagnostics, &parser->token.place,
				  "`intranpayload` is of another MIG: ports are translated by "
				  "`intran`");
		return NULL;
	}
	return declaration;
}

/* The words of a C type or value, such as `struct x`, with one blank between each two. */
static bool
parse_words(struct parser *parser, const char *what, struct tree_name *words)
{
	struct text text = { 0 };

	words->place = parser->token.place;
	while (parser->token.kind == TOKEN_NAME || parser->token.kind == TOKEN_KEYWORD) {
		text_printf(&text, "%s%.*s", text.size ? " " : "", (int)parser->token.size,
			    parser->token.text);
		parse_advance(parser);
	}
	if (text.size == 0) {
		parse_expected(parser, what);
		return false;
	}
	words->text = arena_strndup(parser->arena, text.bytes, text.size);
	text_deinit(&text);
	return true;
}

/* PointerTo(T), ValueOf(T) or PointerToIfNot(T, V); the current token is behind the word. */
static bool
parse_native(struct parser *parser, struct tree_type *type)
{
	if (!parse_expect_mark(parser, '(', "after the name of a native type") ||
	    !parse_words(parser, "a C type", &type->name))
		return false;
	if (type->kind == TREE_POINTER_TO_IF_NOT &&
	    (!parse_expect_mark(parser, ',', "and a value after the C type") ||
	     !parse_words(parser, "a C value", &type->value)))
		return false;
	return parse_expect_mark(parser, ')', "at the end of the native type");
}

const struct tree_type *
parse_argument_type(struct parser *parser)
{
	static const struct {
		const char *name;
		enum tree_type_kind kind;
	} natives[] = {
		{ "PointerTo", TREE_POINTER_TO },
		{ "ValueOf", TREE_VALUE_OF },
		{ "PointerToIfNot", TREE_POINTER_TO_IF_NOT },
	};
	const struct token *token = &parser->token;
	struct tree_type *type = ARENA_NEW(parser->arena, struct tree_type);

	type->place = token->place;
	for (size_t i = 0; i < sizeof(natives) / sizeof(natives[0]); i++) {
		if (parse_is_name(parser, natives[i].name)) {
			type->kind = natives[i].kind;
			parse_advance(parser);
			return parse_native(parser, type) ? type : NULL;
		}
	}
	bool is_long = parse_is_mark(parser, '^') || parse_is_mark(parser, '(') ||
		       (token->kind == TOKEN_KEYWORD &&
			(token->keyword == KEYWORD_ARRAY || token->keyword == KEYWORD_STRUCT ||
			 token->keyword == KEYWORD_C_STRING));
	if (is_long || is_basic(token) || token->kind == TOKEN_NUMBER) {
		diagnostics_error(parser->diagnostics, &token->place,
				  "expected the name of a type: declare one with `type`, or write "
				  "`argument : name = ...`");
		return NULL;
	}
	type->kind = TREE_REFERENCE;
	return parse_expect_name(parser, "a type", &type->name) ? type : NULL;
}
