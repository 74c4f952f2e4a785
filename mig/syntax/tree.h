/*
 * Tree: a .defs file as it is written, before anything is checked but its form.
 *
 * All memory is in an arena.  Lists are linked in the order of the text.
 *
 * Source: mig-language.md §3.
 */
#ifndef MIG_SYNTAX_TREE_H
#define MIG_SYNTAX_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "mig/support/source.h"
#include "mig/syntax/keywords.h"

struct tree_name {
	const char *text; /* NULL: it is not there */
	struct source_place place;
};

enum tree_type_kind {
	TREE_BASIC,            /* sent, received */
	TREE_REFERENCE,        /* name: of another type */
	TREE_POINTER,          /* ^element */
	TREE_ARRAY,            /* array[...] of element */
	TREE_STRUCT,           /* struct[count] of element */
	TREE_STRING,           /* c_string[...] */
	TREE_POINTER_TO,       /* PointerTo(name) */
	TREE_VALUE_OF,         /* ValueOf(name) */
	TREE_POINTER_TO_IF_NOT /* PointerToIfNot(name, value) */
};

struct tree_type {
	enum tree_type_kind kind;
	struct source_place place;
	struct tree_name name;
	struct tree_name sent;     /* "MACH_MSG_TYPE_..." or "polymorphic" */
	struct tree_name received; /* not there: as sent */
	struct tree_name value;
	const struct tree_type *element;
	bool is_variable; /* [], [*] or [*:count] */
	bool has_count;   /* [count] or [*:count] */
	uint32_t count;
	struct source_place count_place;
};

/* intran: RESULT FUNCTION(ARGUMENT); a destructor has no result. */
struct tree_translation {
	struct tree_name result;
	struct tree_name function; /* not there: there is no such translation */
	struct tree_name argument;
};

/* NAME = TYPE and the options behind it */
struct tree_declaration {
	struct tree_name name;
	const struct tree_type *type;
	struct tree_translation intran;
	struct tree_translation outtran;
	struct tree_translation destructor;
	struct tree_name c_type;
	struct tree_name c_user_type;
	struct tree_name c_server_type;
};

struct tree_flag {
	enum keyword keyword;
	bool at_run_time; /* dealloc[] */
	struct source_place place;
	struct tree_flag *next;
};

struct tree_argument {
	enum keyword direction; /* KEYWORD_NONE: not written */
	struct source_place direction_place;
	struct tree_name name;
	/* Written in place as `name = type`, or else a reference or a native type. */
	const struct tree_declaration *declaration;
	const struct tree_type *type;
	struct tree_flag *flags;
	struct tree_argument *next;
};

struct tree_statement {
	/* What it begins with: `type`, `routine`, ... */
	enum keyword keyword;
	/* These two are no keywords: their case matters. */
	enum { TREE_NO_LIMIT, TREE_USER_TYPE_LIMIT, TREE_ON_STACK_LIMIT } limit;
	struct source_place place;

	struct tree_name word; /* name, file, option or quoted string, as written */
	uint32_t number;
	struct source_place number_place;
	bool kernel_user; /* subsystem */
	bool kernel_server;
	/* type; NULL if it could not be read, and only `word` is known of it */
	const struct tree_declaration *declaration;
	const struct tree_argument *arguments; /* routine, simpleroutine */
	uint32_t argument_count;
	bool misses_arguments; /* some could not be read, and are left out */
	struct tree_statement *next;
};

struct tree {
	const struct tree_statement *statements;
	struct source_place end;
};

#endif
