/*
 * Errors and warnings: what is said of each wrong definition, and where.
 *
 * The place is marked in the text: `@` stands before it and is taken out.  Each text has as
 * many marks as it has errors or warnings, and nothing else may be said.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/mig/errors/reading.h"
#include "tests/support/runner.h"

#define SAID_MAX 4

struct wrong {
	const char *text;
	const char *said[SAID_MAX]; /* a part of each message, in the order they are said */
};

#define ROUTINE(arguments) "routine f(p : port; " arguments ");"
#define SIMPLE_ROUTINE(arguments) "simpleroutine f(p : port; " arguments ");"

static const struct wrong lexical[] = {
	{ "@?;", { "'?' means nothing here" } },
	{ "type a = int; @$$$ type b = int;", { "'$' means nothing here" } },
	{ "@\f", { "a byte 0x0c means nothing here" } },
	{ "@\r", { "a byte 0x0d means nothing here" } },
	{ "@\x80\x80", { "a byte 0x80 means nothing here" } },
	{ "@#include <x>\n", { "'#' begins a line marker or `#pragma`" } },
	{ "rcsid @\"abc\n;", { "no \" before the end of the line", "a string in quotes" } },
	{ "import @<abc\n;", { "no > before the end of the line" } },
	{ "type a = array[@99999999999999999999] of int;", { "larger than 2147483647" } },
	{ "type a = array[@0x10] of int;", { "numbers are decimal" } },
	{ "type a = array[@10UL] of int;", { "numbers are decimal" } },
};

static const struct wrong grammar[] = {
	{ "@foo;", { "expected a statement, got 'foo'" } },
	{ "@in x : int;", { "expected a statement, got 'in'" } },
	{ "@15;", { "expected a statement, got '15'" } },
	{ "type @;", { "expected the name of a type, got ';'" } },
	{ "type @in = int;", { "the name of a type, got 'in', which is a keyword" } },
	{ "type @OUT = int;", { "got 'OUT', which is a keyword" } },
	{ "type a @int;", { "expected '=' after the name of type `a`, got 'int'" } },
	{ "type a = @;", { "expected a type, got ';'" } },
	{ "type a = @7;", { "not as a number" } },
	{ "type a = MACH_MSG_TYPE_BYTE | @int;", { "MACH_MSG_TYPE_... or `polymorphic`" } },
	{ "type a = @(MACH_MSG_TYPE_INTEGER_32, 32);", { "`(TYPE, bits)` is of older" } },
	{ "type a = struct @{ int x; };",
	  {
	      "members are not listed here",
	  } },
	{ "type a = array @of int;", { "expected '[' after `array`, got 'of'" } },
	{ "type a = array[4] @int;", { "expected 'of' after ']', got 'int'" } },
	{ "type a = array[4@;", { "expected ']' after the count, got ';'" } },
	{ "type a = array[* @4] of int;", { "expected ':' and the largest count after '*'" } },
	{ "type a = array[*:@] of int;", { "expected a number, got ']'" } },
	{ "type a = array[@0] of int;", { "the count is 0" } },
	{ "type a = struct[@0] of int;", { "the count is 0" } },
	{ "type a = c_string[@0];", { "the count is 0" } },
	{ "type a = c_string[*:@0];", { "the count is 0" } },
	{ "type a = struct[@] of int;", { "expected a number, got ']'" } },
	{ "type a = c_string[@];", { "expected a number, got ']'" } },
	{ "type a = c_string[*@];", { "expected ':' and the largest count" } },
	{ "type a = array[@2-4] of int;", { "the count is -2" } },
	{ "type a = array[@65536*65536] of int;", { "the count is 4294967296" } },
	{ "type a = array[4@/(2-2)] of int;", { "division by zero" } },
	{ "type a = array[2147483647*2147483647*2@*2147483647] of int;",
	  { "does not fit 64 bits" } },
	{ "type a = array[(4@;", { "expected ')' after the number" } },
	{ "type a = ^@;", { "expected a type" } },
	{ "type a = int intran @int f(int);", { "expected ':' after `intran`" } },
	{ "type a = int intran: int f@;", { "expected '(' after the name of the function" } },
	{ "type a = int intran: int f(int@;", { "expected ')' after the C type" } },
	{ "type a = int destructor: @(int);", { "expected the name of a C function" } },
	{ "type a = int ctype: @\"x\";", { "expected the name of a C type" } },
	{ "type a = int ctype: b @ctype: c;", { "a second `ctype`" } },
	{ "type a = int @intranpayload: x f(y);", { "`intranpayload` is of another MIG" } },
	{ "type a = int @foo;", { "expected ';' at the end of the statement, got 'foo'" } },
	{ "@procedure f(p : port);", { "write `routine`" } },
	{ "@simpleprocedure f(p : port);", { "write `simpleroutine`" } },
	{ "@function f(p : port) : int;", { "write `routine`" } },
	{ "@camelot;", { "`camelot` is of older languages" } },
	{ "skip @3;", { "`skip` takes no number" } },
	{ "routine @(p : port);", { "expected the name of a routine, got '('" } },
	{ "routine @skip(p : port);", { "got 'skip', which is a keyword" } },
	{ "routine f@;", { "expected '(' after the name of routine `f`, got ';'" } },
	{ "routine f(p : port @q : port);", { "expected ';', ',' or ')' after argument `p`" } },
	{ "routine f(p : port; @);", { "expected an argument after ';'" } },
	{ "routine f(p : port; @;);",
	  { "expected the name of an argument, got ';'", "the name of an argument, got ')'" } },
	{ "routine f(p@);", { "expected ':' after the name of argument `p`, got ')'" } },
	{ "routine f(p : port; x@;);",
	  { "after the name of argument `x`, got ';'", "the name of an argument, got ')'" } },
	{ "routine f(p : @);", { "expected the name of a type, got ')'" } },
	{ "routine f(p : @MACH_MSG_TYPE_COPY_SEND);", { "declare one with `type`" } },
	{ ROUTINE("x : @array[4] of int"), { "declare one with `type`" } },
	{ ROUTINE("x : @^int"), { "declare one with `type`" } },
	{ ROUTINE("in @out x : int"), { "`out` after `in`: an argument has one direction" } },
	{ ROUTINE("@in : int"), { "expected the name of an argument: `in` is a keyword" } },
	{ ROUTINE("out @type : int"), { "got 'type', which is a keyword" } },
	{ ROUTINE("x : int, @foo"), { "expected a flag after ',' (arguments are separated" } },
	{ ROUTINE("x : int, @4"), { "expected a flag after ',', got '4'" } },
	{ "routine f(p : port, @x : int);", { "arguments are separated by ';'" } },
	{ "type a = array[@MAX] of int;", { "is this a macro that nobody defines?" } },
	{ ROUTINE("x : memory, @islong"), { "`islong` is of older languages" } },
	{ ROUTINE("x : memory, @servercopy"), { "`servercopy` is of another MIG" } },
	{ ROUTINE("x : memory, dealloc[@"), { "expected ']' after `dealloc[`" } },
	{ ROUTINE("in x : PointerTo @int"), { "expected '(' after the name of a native" } },
	{ ROUTINE("in x : PointerTo(@)"), { "expected a C type" } },
	{ ROUTINE("in x : PointerToIfNot(int@)"), { "expected ',' and a value" } },
	{ ROUTINE("in x : ValueOf(int@;"), { "expected ')' at the end of the native type" } },
	{ "subsystem @12;", { "expected the name of the subsystem, got '12'" } },
	{ "subsystem x @;", { "expected the number of the first routine, got ';'" } },
	{ "import @foo.h;", { "expected \"file\" or <file> after `import`, got 'foo'" } },
	{ "waittime @;", { "expected a C name or number after `waittime`" } },
	{ "msgoption @(A | B);", { "expected a C name or number after `msgoption`" } },
	{ "msgoption A @| B;", { "expected ';' at the end of the statement, got '|'" } },
	{ "rcsid @x;", { "expected a string in quotes" } },
	{ "userprefix @;", { "expected the name of a prefix" } },
	{ "serverdemux @\"x\";", { "expected the name of the dispatch function" } },
	{ "UserTypeLimit @x;", { "expected a number" } },
	{ "usespecialreplyport @on;", { "expected a number" } },
};

static const struct wrong types[] = {
	{ "type a = @unknown;", { "type `unknown` is not known" } },
	{ "type a = @Int;", { "type `Int` is not known" } },
	{ "type a = @MACH_MSG_TYPE_INTEGER_33;", { "MACH_MSG_TYPE_INTEGER_33 is not known" } },
	{ "type a = @MACH_MSG_TYPE_STRING_C;", { "a string is written c_string" } },
	{ "type a = @MACH_MSG_TYPE_BIT;", { "C has no type of one bit" } },
	{ "type a = @MACH_MSG_TYPE_UNSTRUCTURED;", { "write MACH_MSG_TYPE_BYTE" } },
	{ "type a = MACH_MSG_TYPE_BYTE|@MACH_MSG_TYPE_INTEGER_32;", { "not the same kind" } },
	{ "type a = MACH_MSG_TYPE_INTEGER_32|@MACH_MSG_TYPE_COPY_SEND;", { "not the same kind" } },
	{ "type a = @^memory;", { "out of line already" } },
	{ "type a = @^^int;", { "out of line already" } },
	{ "type a = @^text;", { "a string cannot be out of line" } },
	{ "type a = @array[] of memory;", { "give the array a size" } },
	{ "type a = @array[] of few;", { "too complicated" } },
	{ "type b = array[2] of port; type a = @array[] of b;", { "too complicated" } },
	{ "type a = @array[*:4] of few;", { "too complicated" } },
	{ "type a = @array[4] of text;", { "too complicated" } },
	{ "type b = array[2] of port; type a = @array[2] of b;", { "too complicated" } },
	{ "type a = array[*:4] of @struct[3] of int;", { "need a C type" } },
	{ "type a = @struct[2] of port;", { "a structure has no ports" } },
	{ "type a = @struct[2] of few;", { "a structure has no ports" } },
	{ "type a = @struct[2] of memory;", { "a structure has no ports" } },
	{ "type a = array[@2147483647] of int;", { "more than 2147483647 bytes" } },
	{ "type a = struct[65536] of int; type b = array[@65536] of a;", { "more than 2147" } },
	{ "type a = ^array[@2147483647] of int;", { "more than 2147483647 bytes" } },
	{ "type a = few intran: x @f(y);", { "arrays and strings cannot be translated" } },
	{ "type a = memory outtran: x @f(y);", { "cannot be translated" } },
	{ "type a = text destructor: @f(y);", { "cannot be translated" } },
	{ "type a = port intran: x f(y) outtran: @z g(x);", { "is `z` here and `y` before" } },
	{ "type a = port intran: x f(y) destructor: g(@y);", { "is `y` here and `x` before" } },
	{ "type a = @; type b = array[2] of a; routine f(p : a);", { "expected a type" } },
};

static const struct wrong arguments[] = {
	{ "routine @f();", { "has no request port" } },
	{ "routine f(@in p : port);", { "has no request port: its first argument is `in`" } },
	{ "routine f(@out p : port);", { "its first argument is `out`" } },
	{ "routine @f(sreplyport p : once);", { "has no request port" } },
	{ "routine f(@p : int);", { "the request port is a single send" } },
	{ "routine f(@p : ports);", { "the request port is a single send" } },
	{ "type r = MACH_MSG_TYPE_MOVE_RECEIVE; routine f(@p : r);", { "the request port is" } },
	{ ROUTINE("requestport a : port; requestport @b : port"),
	  { "a second request port", "the first is here" } },
	{ ROUTINE("replyport a : once; sreplyport @b : once"),
	  { "a second reply port", "the first is here" } },
	{ ROUTINE("replyport @a : int"), { "a reply port is a single send-once" } },
	{ ROUTINE("waittime @t : int64"), { "32-bit integers" } },
	{ ROUTINE("sendtime @t : port"), { "32-bit integers" } },
	{ ROUTINE("msgoption @t : few"), { "32-bit integers" } },
	{ ROUTINE("msgseqno @t : byte"), { "32-bit integers" } },
	{ ROUTINE("waittime t : int; sendtime @u : int"), { "a second time-out", "first" } },
	{ ROUTINE("msgoption t : int; msgoption @u : int"), { "a second msgoption", "first" } },
	{ ROUTINE("serversectoken @t : audit"), { "a security token has 8 bytes" } },
	{ ROUTINE("serveraudittoken @t : sec"), { "an audit token has 32 bytes" } },
	{ ROUTINE("servercontexttoken @t : int"), { "a context has 8 bytes" } },
	{ ROUTINE("sectoken t : sec; usersectoken @u : sec"), { "a second token", "first" } },
	{ ROUTINE("@serverimpl t : int"), { "`serverimpl` has never worked" } },
	{ ROUTINE("@userimpl t : int"), { "`userimpl` has never worked" } },
	{ SIMPLE_ROUTINE("out @x : int"), { "a simpleroutine has none" } },
	{ SIMPLE_ROUTINE("inout @x : int"), { "a simpleroutine has none" } },
	{ SIMPLE_ROUTINE("usersectoken @x : sec"), { "a simpleroutine has none" } },
	{ SIMPLE_ROUTINE("audittoken @x : audit"), { "a simpleroutine has none" } },
	{ ROUTINE("x : @unknown"), { "type `unknown` is not known" } },
	{ ROUTINE("x : y = array[2] of int; z : @y"), { "type `y` is not known" } },
	{ ROUTINE("inout @x : few"), { "of variable size cannot be inout" } },
	{ ROUTINE("inout @x : text"), { "of variable size cannot be inout" } },
	{ ROUTINE("@x : PointerTo(int)"), { "write `in`, `out` or `inout`" } },
	{ ROUTINE("out @x : ValueOf(int)"), { "can only be `in`" } },
	{ ROUTINE("inout @x : PointerToIfNot(int, NULL)"), { "can only be `in`" } },
	{ ROUTINE("x : int; @x : int"), { "a second argument `x`", "the first is here" } },
	{ ROUTINE("x : int; @p : int"), { "a second argument `p`", "the first is here" } },
	{ ROUTINE("x : few; @xCnt : int"), { "`xCnt` is a parameter that `x` brings along" } },
	{ ROUTINE("x : poly; @xPoly : int"), { "`xPoly` is a parameter that `x` brings" } },
	{ ROUTINE("x : memory, dealloc[]; @xDealloc : int"), { "that `x` brings along" } },
	{ ROUTINE("@default : int"), { "`default` is a keyword of C" } },
	{ ROUTINE("@NDR : int"), { "every message has a member `NDR`" } },
	{ ROUTINE("@RetCode : int"), { "got 'RetCode', which is a keyword" } },
	{ "routine @while(p : port);", { "`while` is a keyword of C" } },
	{ "routine f(p : port); simpleroutine @f(p : port);",
	  { "a second routine `f`", "the first is here" } },
	{ "type big = array[2147483647] of byte; " SIMPLE_ROUTINE("x : big"),
	  { "the request of `f` has more than 2147483647 bytes" } },
};

/* A flag that does not fit is warned of, and nothing else happens. */
static const struct wrong flags[] = {
	{ ROUTINE("x : int, @dealloc"), { "`dealloc` is ignored" } },
	{ ROUTINE("x : few, @dealloc[]"), { "`dealloc` is ignored" } },
	{ ROUTINE("x : port, @dealloc[]"), { "`dealloc` is ignored" } },
	{ ROUTINE("x : int, @notdealloc"), { "`notdealloc` is ignored" } },
	{ ROUTINE("x : few, @countinout"), { "`countinout` is ignored" } },
	{ ROUTINE("out x : memory, @countinout"), { "`countinout` is ignored" } },
	{ ROUTINE("out x : text, @countinout"), { "`countinout` is ignored" } },
	{ ROUTINE("x : few, @samecount"), { "`samecount` is ignored" } },
	{ ROUTINE("x : few; out y : few, @samecount"), { "`samecount` is ignored" } },
	{ ROUTINE("x : few; i : int; y : few, @samecount"), { "`samecount` is ignored" } },
	{ ROUTINE("out x : few; out y : few, countinout, @samecount"),
	  { "`samecount` is ignored" } },
	{ ROUTINE("x : int, @physicalcopy"), { "`physicalcopy` is ignored" } },
	{ ROUTINE("x : ports, @physicalcopy"), { "`physicalcopy` is ignored" } },
	{ ROUTINE("x : memory, @overwrite"), { "`overwrite` is ignored" } },
	{ ROUTINE("out x : int, @overwrite"), { "`overwrite` is ignored" } },
	{ ROUTINE("out x : memory, @auto"), { "`auto` is ignored" } },
	{ ROUTINE("x : int, @const"), { "`const` is ignored" } },
	{ ROUTINE("out x : few, @const"), { "`const` is ignored" } },
	{ ROUTINE("x : int, @retcode"), { "`retcode` is ignored" } },
	{ SIMPLE_ROUTINE("x : int64, @retcode"), { "`retcode` is ignored" } },
	{ SIMPLE_ROUTINE("x : int, retcode; y : int, @retcode"), { "`retcode` is ignored" } },
};

static const struct wrong statements[] = {
	{ "@subsystem again 7;", { "a second subsystem", "the first is here" } },
	{ "consumeonsenderror @Sometimes;", { "expected None, Timeout or Any" } },
	{ "usespecialreplyport @2;", { "expected 0 or 1, got 2" } },
};

/* Texts of their own, without the prelude. */
static const struct wrong whole[] = {
	{ "", { "there is no `subsystem NAME NUMBER;`" } },
	{ "type a = MACH_MSG_TYPE_BYTE;", { "there is no `subsystem NAME NUMBER;`" } },
	{ "type p = MACH_MSG_TYPE_COPY_SEND; @routine f(p : p); subsystem x 1;",
	  { "`subsystem` must stand before the first routine" } },
	{ "@skip; skip;", { "`subsystem` must stand before the first routine" } },
	{ "subsystem x @2147483648;", { "larger than 2147483647" } },
	{ "subsystem x 2147483547; skip; @skip; skip;", { "the number of this routine" } },
	{ "subsystem x", { "expected the number of the first routine, got the end" } },
};

/* Take the marks out of @marked into @clean; write where they were, as "LINE:COLUMN". */
static unsigned
take_marks(const char *marked, char *clean, char places[SAID_MAX][32])
{
	unsigned count = 0, line = 1, column = 1;

	for (; *marked; marked++) {
		if (*marked == '@') {
			assert_true(count < SAID_MAX);
			snprintf(places[count++], 32, ":%u:%u: ", line, column);
			continue;
		}
		*clean++ = *marked;
		column++;
		if (*marked == '\n') {
			line++;
			column = 1;
		}
	}
	*clean = '\0';
	return count;
}

/* How many messages of @kind are there? */
static unsigned
count_of(const char *said, const char *kind)
{
	unsigned count = 0;

	while ((said = strstr(said, kind))) {
		said++;
		count++;
	}
	return count;
}

static bool
is_told(const struct wrong *wrong, const char *prelude, const char *kind)
{
	char *marked, *clean, places[SAID_MAX][32];
	const char *at;

	if (asprintf(&marked, "%s%s", prelude, wrong->text) < 0 ||
	    !(clean = malloc(strlen(marked) + 1)))
		abort();
	unsigned place_count = take_marks(marked, clean, places);
	struct reading *reading = reading_of_bytes(clean, strlen(clean));
	bool good = (reading->interface != NULL) == (strcmp(kind, "error: ") != 0);

	at = reading->said;
	for (unsigned i = 0; i < place_count && at; i++)
		at = strstr(at, places[i]);
	good = good && at;
	at = reading->said;
	for (unsigned i = 0; i < SAID_MAX && wrong->said[i] && at; i++)
		at = strstr(at, wrong->said[i]);
	good = good && at;
	if (place_count)
		good = good && count_of(reading->said, kind) >= place_count;
	if (!good)
		print_error("of\n%s\nwas said\n%s", wrong->text, reading->said);
	reading_free(reading);
	free(clean);
	free(marked);
	return good;
}

static void
check_all(const struct wrong *table, size_t count, const char *prelude, const char *kind)
{
	bool good = true;

	for (size_t i = 0; i < count; i++)
		good &= is_told(&table[i], prelude, kind);
	assert_true(good);
}

#define CHECK_ALL(table, prelude, kind)                                                            \
	check_all(table, sizeof(table) / sizeof((table)[0]), prelude, kind)

TEST(bytes_that_make_no_token_are_refused_where_they_stand)
{
	(void)state;
	CHECK_ALL(lexical, reading_prelude, "error: ");
}

TEST(what_the_grammar_does_not_have_is_refused_where_it_stands)
{
	(void)state;
	CHECK_ALL(grammar, reading_prelude, "error: ");
}

TEST(types_that_cannot_travel_are_refused)
{
	(void)state;
	CHECK_ALL(types, reading_prelude, "error: ");
}

TEST(a_type_that_is_declared_again_is_warned_of_and_replaced)
{
	static const struct wrong again[] = {
		{ "type @int = byte;", { "type `int` is declared again", "it was declared here" } },
	};
	struct reading *reading = reading_of("type int = int64; routine f(p : port; x : int);");

	(void)state;
	CHECK_ALL(again, reading_prelude, "warning: ");
	assert_int_equal(reading->interface->routines[0].arguments[1].type->size_max, 8);
	reading_free(reading);
}

TEST(arguments_that_no_stub_could_pass_are_refused)
{
	(void)state;
	CHECK_ALL(arguments, reading_prelude, "error: ");
}

TEST(flags_that_do_not_fit_are_warned_of_and_dropped)
{
	(void)state;
	CHECK_ALL(flags, reading_prelude, "warning: ");
}

TEST(statements_of_old_that_do_nothing_are_warned_of)
{
	static const struct wrong ignored[] = {
		{ "error @MsgError;", { "`error` is ignored: no stub calls `MsgError`" } },
	};

	(void)state;
	CHECK_ALL(ignored, reading_prelude, "warning: ");
}

TEST(statements_with_wrong_values_are_refused)
{
	(void)state;
	CHECK_ALL(statements, reading_prelude, "error: ");
	CHECK_ALL(whole, "", "error: ");
}

TEST(an_error_shows_its_line_and_a_caret_below_what_is_meant)
{
	struct reading *reading = reading_of("type x = array[2]\tof unknown; \033[2");

	(void)state;
	assert_string_equal(reading->said, "test.defs:2:31: error: a byte 0x1b means nothing here\n"
					   "type x = array[2]\tof unknown; ?[2\n"
					   "                 \t            ^\n"
					   "test.defs:2:32: error: expected a statement, got '['\n"
					   "type x = array[2]\tof unknown; ?[2\n"
					   "                 \t             ^\n"
					   "test.defs:2:22: error: type `unknown` is not known: "
					   "none is built in, <mach/std_types.defs> and "
					   "<mach/mach_types.defs> declare the usual ones\n"
					   "type x = array[2]\tof unknown; ?[2\n"
					   "                 \t   ^~~~~~~\n");
	reading_free(reading);
}

TEST(line_markers_say_where_an_error_is)
{
	static const struct {
		const char *text;
		const char *said;
	} marked[] = {
		{ "# 70 \"a b.defs\" 1 3\n?", "a b.defs:70:1: " },
		{ "#line 7\n?", "test.defs:7:1: " },
		{ "# 5 \"q\\\"\\\\.defs\"\n\n\n?", "q\"\\.defs:7:1: " },
		{ "#pragma once upon a time ?\n?", "test.defs:3:1: " },
		{ "# 99999999999999999999 \"x\"\n?", "x:4294967295:1: " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(marked) / sizeof(marked[0]); i++) {
		struct reading *reading = reading_of(marked[i].text);

		assert_non_null(strstr(reading->said, marked[i].said));
		assert_int_equal(reading->diagnostics.error_count, 1);
		reading_free(reading);
	}
}

TEST(after_an_error_the_next_statement_is_read_again)
{
	struct reading *reading = reading_of("type a = ;\n"
					     "routine f(p : port; x : ; y : unknown);\n"
					     "routine g(p : port; x int);\n"
					     "routine h(p : port\n"
					     "routine i(p : unknown);\n");

	(void)state;
	assert_int_equal(reading->diagnostics.error_count, 6);
	assert_non_null(strstr(reading->said, ":2:10: error"));
	assert_non_null(strstr(reading->said, ":3:25: error"));
	assert_non_null(strstr(reading->said, ":3:31: error"));
	assert_non_null(strstr(reading->said, ":4:23: error"));
	assert_non_null(strstr(reading->said, ":6:1: error"));
	assert_non_null(strstr(reading->said, ":6:15: error"));
	reading_free(reading);
}

TEST(after_fifty_errors_nothing_more_is_said)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	(void)state;
	assert_non_null(stream);
	for (int i = 0; i < 1000; i++)
		fputs("?;!;\n", stream);
	fclose(stream);
	struct reading *reading = reading_of(text);
	assert_int_equal(reading->diagnostics.error_count, DIAGNOSTICS_ERRORS_MAX);
	assert_int_equal(count_of(reading->said, "error: "), DIAGNOSTICS_ERRORS_MAX);
	assert_non_null(strstr(reading->said, "the rest is not looked at"));
	reading_free(reading);
	free(text);
}
