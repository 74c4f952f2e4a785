/*
 * The interface: what a .defs file means, checked and laid out.
 *
 * The border between the phases.  check/ builds it from the syntax tree; the generators
 * only read it, each on its own.  Everything here is right: a generator checks nothing.
 * All memory is in one arena and lives as long as the interface.
 *
 * Source: mig-language.md for what is read, mig-codegen.md §2 for the layout.
 */
#ifndef MIG_INTERFACE_H
#define MIG_INTERFACE_H

#include <stdbool.h>
#include <stdint.h>

#include "mig/support/source.h"

/* ---- types --------------------------------------------------------------------------- */

/* What a basic type is called in messages: MACH_MSG_TYPE_* of mig-language.md §5.1. */
struct ipc_name {
	int32_t value;    /* -1: polymorphic */
	const char *text; /* "MACH_MSG_TYPE_COPY_SEND"; "polymorphic" for -1 */
};

/* How a value travels. */
enum carriage {
	CARRIAGE_INLINE,    /* bytes in the body */
	CARRIAGE_PORT,      /* one port descriptor */
	CARRIAGE_PORTS,     /* `capacity` port descriptors */
	CARRIAGE_OOL,       /* one out-of-line descriptor */
	CARRIAGE_OOL_PORTS, /* one out-of-line ports descriptor */
	CARRIAGE_OOLS,      /* `capacity` out-of-line descriptors: an array of pointers */
	CARRIAGE_OOLS_PORTS /* the same, each of ports */
};

/* How many elements it has. */
enum extent {
	EXTENT_SINGLE,  /* it is no array */
	EXTENT_FIXED,   /* always `capacity` */
	EXTENT_BOUNDED, /* a count says, at most `capacity` */
	EXTENT_ANY      /* a count says */
};

/* What C sees. */
enum form {
	FORM_SCALAR,         /* passed by value; a single port too */
	FORM_STRUCT,         /* a structure, passed by value */
	FORM_ARRAY,          /* an inline array, or descriptors in a row: decays to a pointer */
	FORM_STRING,         /* characters up to a NUL */
	FORM_POINTER,        /* out of line: the C type is itself a pointer */
	FORM_NATIVE_POINTER, /* PointerTo(T) */
	FORM_NATIVE_VALUE,   /* ValueOf(T) */
	FORM_NATIVE_IF_NOT   /* PointerToIfNot(T, V) */
};

/* The C types of one value on the two sides, and the way between message and server. */
struct ipc_type {
	const char *name;          /* in the .defs; NULL: written in place, without a name */
	struct source_place place; /* where it was declared */
	enum carriage carriage;
	enum extent extent;
	enum form form;
	bool managed; /* array[] without ^: the server stub frees the memory */

	/* What the value is an array, structure or pointer of; NULL for basic types, strings
	 * and native types.  For CARRIAGE_OOLS* the element is itself out of line. */
	const struct ipc_type *element;
	uint32_t capacity;     /* elements: exact or most; 1 if single, 0 if EXTENT_ANY */
	uint32_t element_size; /* in bytes; 1 for strings; 4 for ports (of a name) */
	uint32_t size_max;     /* inline: bytes without padding; 0 if out of line or native */

	/* The basic type at the bottom. */
	struct ipc_name out_name; /* as the sender says it */
	struct ipc_name in_name;  /* as the receiver is told */

	const char *user_type;       /* C type of the user's parameter */
	const char *server_type;     /* C type as it lies in the server's message */
	const char *translated_type; /* C type of the server function's parameter */
	const char *intran;          /* function names, NULL: none */
	const char *outtran;
	const char *destructor;

	const char *native_type;  /* "struct x": T of PointerTo and its like */
	const char *native_value; /* V of PointerToIfNot */
};

static inline bool
type_is_out_of_line(const struct ipc_type *type)
{
	return type->carriage >= CARRIAGE_OOL;
}

/* Is a count passed beside it?  Strings have a length, but no count argument. */
static inline bool
type_is_variable(const struct ipc_type *type)
{
	return type->extent == EXTENT_BOUNDED || type->extent == EXTENT_ANY;
}

/* Inline, and cut to what is used. */
static inline bool
type_is_cut(const struct ipc_type *type)
{
	return type->carriage == CARRIAGE_INLINE && type_is_variable(type);
}

/* Is what it carries rights? */
static inline bool
type_is_port(const struct ipc_type *type)
{
	return type->carriage == CARRIAGE_PORT || type->carriage == CARRIAGE_PORTS ||
	       type->carriage == CARRIAGE_OOL_PORTS || type->carriage == CARRIAGE_OOLS_PORTS;
}

/* ---- arguments ----------------------------------------------------------------------- */

enum role {
	ROLE_IN,
	ROLE_OUT,
	ROLE_INOUT,
	ROLE_REQUEST_PORT,
	ROLE_REPLY_PORT,  /* both sides see it */
	ROLE_UREPLY_PORT, /* the user's side alone */
	ROLE_SREPLY_PORT, /* the server's side alone */
	ROLE_WAIT_TIME,
	ROLE_SEND_TIME,
	ROLE_MSG_OPTION,
	ROLE_MSG_SEQNO,
	ROLE_SEC_TOKEN, /* the plain ones: both sides */
	ROLE_USER_SEC_TOKEN,
	ROLE_SERVER_SEC_TOKEN,
	ROLE_AUDIT_TOKEN,
	ROLE_USER_AUDIT_TOKEN,
	ROLE_SERVER_AUDIT_TOKEN,
	ROLE_SERVER_CONTEXT_TOKEN
};

/* Which way a parameter of a C function goes. */
enum passing {
	PASS_NOT,  /* not a parameter of that side */
	PASS_IN,   /* by value (arrays: a pointer) */
	PASS_OUT,  /* by pointer, set on return */
	PASS_INOUT /* by pointer, read and set */
};

enum dealloc {
	DEALLOC_NO,
	DEALLOC_YES,     /* the memory leaves the sender */
	DEALLOC_RUN_TIME /* an argument `<name>Dealloc` says so */
};

struct argument {
	const char *name;
	struct source_place place;
	enum role role;
	const struct ipc_type *type;
	enum passing user;   /* parameter of the user function */
	enum passing server; /* parameter of the server function */
	bool in_request;     /* it has descriptors or bytes in the request's body */
	bool in_reply;

	/* flags, as far as they fit: others were warned of and are gone */
	enum dealloc dealloc;
	bool physical_copy;
	bool overwrite;
	bool count_inout;
	bool server_frees; /* `auto` or a managed array, coming in: freed after the call */
	bool is_const;
	bool retcode; /* see mig-codegen.md §7.5 */

	/* C parameters behind the argument, in this order: Poly, Cnt, Dealloc, Subs */
	bool has_poly;    /* one of the two sides has it: */
	bool user_poly;   /* the user function, which says how it sends or is told what came */
	bool server_poly; /* the server function, likewise */
	bool has_count;   /* `<name>Cnt` */
	bool has_dealloc;
	bool has_subs;
	/* Whose count it is: itself if has_count, with samecount another's; NULL: no count. */
	const struct argument *count_of;
};

/* ---- messages ------------------------------------------------------------------------ */

/* A descriptor, or `capacity` of them in a row. */
struct message_descriptor {
	const struct argument *argument;
	uint32_t offset; /* in bytes from the start of the message */
	uint32_t size;   /* of one, in bytes */
	uint32_t count;  /* 1, or the type's capacity for CARRIAGE_PORTS and _OOLS* */
};

/* One inline field; named in the generated structure as @name says. */
enum field_kind {
	FIELD_VALUE,    /* the argument's bytes: `<name>` */
	FIELD_COUNT,    /* u32 `<name>Cnt`: of an array, or of a c_string[*:n] */
	FIELD_OFFSET,   /* u32 `<name>Offset` of a c_string[*:n]: 0 */
	FIELD_SUBS,     /* u32[capacity] `<name>Subs`: counts of an array of pointers */
	FIELD_PRESENCE, /* u32 `<name>Present`: PointerToIfNot */
	FIELD_RETCODE   /* `RetCode` of a reply, or of a request that is one (retcode flag) */
};

struct message_field {
	enum field_kind kind;
	const struct argument *argument; /* NULL for the RetCode of a reply */
	const char *name;
	/* Where it lies when every variable field before it is full; native types count as 0
	 * bytes, and then nothing behind the first of them has a meaningful offset. */
	uint32_t offset_max;
	uint32_t size_max;   /* bytes without padding */
	uint32_t padding;    /* bytes, when full */
	bool is_cut;         /* its length is its count's: what follows moves */
	uint32_t cut_before; /* number of such fields before it */
};

struct message {
	bool exists; /* false: the reply of a simpleroutine */
	bool is_complex;
	bool has_ndr;        /* something inline follows it */
	uint32_t ndr_offset; /* if has_ndr */
	struct message_descriptor *descriptors;
	uint32_t descriptor_count;      /* entries above */
	uint32_t wire_descriptor_count; /* msgh_descriptor_count */
	struct message_field *fields;
	uint32_t field_count;
	uint32_t cut_count; /* fields that are cut */
	bool has_native;    /* sizes are only known to the C compiler */
	uint32_t size_min;  /* all cut fields empty */
	uint32_t size_max;
};

/* ---- routines ------------------------------------------------------------------------ */

enum consume_on_send_error { CONSUME_NONE, CONSUME_TIMEOUT, CONSUME_ANY };

/* Trailer elements, in the order of their sizes. */
enum trailer_need {
	TRAILER_MINIMAL,
	TRAILER_SEQNO,
	TRAILER_SENDER,
	TRAILER_AUDIT,
	TRAILER_CONTEXT
};

struct routine {
	const char *name; /* NULL: a skip */
	struct source_place place;
	bool simple; /* one-way */
	uint32_t ordinal;
	int32_t id;                /* base + ordinal; the reply's is 100 more */
	const char *user_function; /* with prefixes */
	const char *server_function;

	struct argument *arguments; /* as written */
	uint32_t argument_count;
	const struct argument *request_port; /* never NULL */
	const struct argument *reply_port;   /* any of the three roles; NULL: the thread's */
	const struct argument *wait_time;    /* arguments, NULL: none */
	const struct argument *send_time;
	const struct argument *msg_option;
	const struct argument *retcode; /* argument with that flag */

	/* statements in force where it was declared */
	const char *wait_time_text; /* literal C, NULL: none */
	const char *send_time_text;
	const char *msg_option_text;
	bool special_reply_port;
	enum consume_on_send_error consume;
	uint32_t stack_limit; /* bytes of message above which the buffer is allocated; 0: none */

	enum trailer_need user_trailer;   /* of the reply */
	enum trailer_need server_trailer; /* of the request */
	struct message request;
	struct message reply;
};

enum import_kind { IMPORT_BOTH, IMPORT_USER, IMPORT_SERVER, IMPORT_INTERNAL, IMPORT_DEFINES };

struct import {
	enum import_kind kind;
	const char *file; /* with its quotes or brackets, as written */
};

struct interface {
	const char *source; /* the file's name as the user gave it */
	const char *name;   /* of the subsystem */
	int32_t base;
	bool kernel_user;
	bool kernel_server;
	const char *user_prefix; /* the last in force; "" if none */
	const char *server_prefix;
	const char *demux; /* name of the dispatch function */
	const char *rcsid; /* text between the quotes, NULL: none */

	struct import *imports;
	uint32_t import_count;
	const struct ipc_type **types; /* every named type, in the order of declaration */
	uint32_t type_count;
	struct routine *routines; /* skips too: entry i has the ordinal i */
	uint32_t routine_count;
};

#endif
