/*
 * What the C generators share: names, types, places of fields, structures, checks.
 *
 * One writer a file.  Strings that the functions give live as long as the writer.
 */
#ifndef MIG_GENERATE_C_TEXT_H
#define MIG_GENERATE_C_TEXT_H

#include "mig/generate/generator.h"
#include "mig/support/arena.h"

enum side { SIDE_USER, SIDE_SERVER };

struct writer {
	struct text *text;
	struct arena *arena;
	const struct interface *interface;
	const struct settings *settings;
	enum side side;
};

/* Begin to write @path; what writer_end() frees is all but the text. */
struct writer writer_begin(const struct interface *interface, const struct settings *settings,
			   struct outputs *outputs, const char *path, enum side side);
void writer_end(struct writer *w);

void write_line(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *write_string(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- names and types (c_types.c) ------------------------------------------------------- */

/* The C type of a value: as the user's or the server function's parameter. */
const char *c_type(const struct writer *w, const struct ipc_type *type);
/* The C type of a value as it lies in a message: what translation turns it from. */
const char *c_message_type(const struct writer *w, const struct ipc_type *type);
enum passing c_passing(const struct writer *w, const struct argument *argument);
/* Does the side have the parameter `<name>Dealloc`?  Only who sends decides. */
bool c_has_dealloc(const struct writer *w, const struct argument *argument);
/* The parameters, one a line, between parentheses. */
void c_parameters(struct writer *w, const struct routine *routine);
unsigned c_parameter_count(struct writer *w, const struct routine *routine);
/* Does the side have the parameter `<name>Poly`? */
bool c_has_poly(const struct writer *w, const struct argument *argument);
/* Does who sends say what kind of right it is? */
bool c_sender_chooses(const struct argument *argument);
/* MACH_MSG_TYPE_*: what a sender writes into a descriptor, what a receiver finds there. */
const char *c_sent_disposition(const struct writer *w, const struct argument *argument);
bool c_is_polymorphic(const struct ipc_type *type);
/* May an array lie where only 4 bytes of alignment are sure? */
bool c_needs_alignment(const struct ipc_type *type);

/* "__Request__look_up_t", "__Reply__look_up_t" */
const char *c_request_type(struct writer *w, const struct routine *routine);
const char *c_reply_type(struct writer *w, const struct routine *routine);

/* ---- messages (c_messages.c) ----------------------------------------------------------- */

/* The structures of all messages and the unions of them, under their guards. */
void c_message_types(struct writer *w);

/* The field of @kind of @argument, NULL: there is none. */
const struct message_field *message_find(const struct message *message, enum field_kind kind,
					 const struct argument *argument);
/* Where the count of @argument lies in @message; NULL: it carries none. */
const struct message_field *message_count(const struct message *message,
					  const struct argument *argument);

/* A message in generated code. */
struct c_message {
	const struct message *message;
	const char *pointer; /* "InP" */
	const char *type;    /* "__Request__look_up_t" */
	/* How far fields behind cut ones have moved.  While a message is written, a number
	 * that grows; of one that has been checked, an array: [n - 1] behind n of them. */
	const char *cut;
	bool is_checked;
};

/* A pointer to the field as `void *`, and an expression for its number if it is one. */
const char *c_field_address(struct writer *w, const struct c_message *m,
			    const struct message_field *field);
const char *c_field_number(struct writer *w, const struct c_message *m,
			   const struct message_field *field);
/* Bytes of the field with its padding: a C expression. */
const char *c_field_room(struct writer *w, const struct message_field *field);
/* Bytes of the value: a C expression; most of them where it is cut. */
const char *c_field_size(struct writer *w, const struct message_field *field);
/* Bytes of @count elements. */
const char *c_bytes(struct writer *w, const char *count, uint32_t element_size);
/* sizeof the message when all cut fields are full, and when they are empty. */
const char *c_size_min(struct writer *w, const struct c_message *m);

/* ---- checks (c_check.c) ---------------------------------------------------------------- */

/*
 * The checks of descriptors, counts, lengths and strings of a received message, as
 * statements of a function that returns the error.  @bad_shape and @bad_type are the codes
 * to return.  Where fields are cut the statements set _cut[].
 */
void c_check_body(struct writer *w, const struct c_message *m, const char *bad_shape,
		  const char *bad_type);

/* ---- files (c_file.c) ------------------------------------------------------------------ */

/* The comment that begins each generated file, and the rcsid. */
void c_file_head(struct writer *w, const char *what);
/* #include lines: of the run time's headers; of the imports that the side's files get, and
 * with @internal those of C files alone. */
void c_include_runtime(struct writer *w);
void c_include_imports(struct writer *w, bool internal);
/* The declaration of what user stubs call if it is there. */
void c_voucher_hook(struct writer *w);
/* Prototypes of that side, between __BEGIN_DECLS and __END_DECLS. */
void c_prototypes(struct writer *w);
void c_hooks(struct writer *w);
/* mig_external and, for servers, MIG_SERVER_ROUTINE, unless somebody defined them. */
void c_file_visibility(struct writer *w);
/* What every C file needs besides: mig_internal and MIG_AT. */
void c_file_macros(struct writer *w);
/* The beginning of a C file: its header, or what would be in it. */
void c_file_begin(struct writer *w, const char *what, const char *header, const char *from);
/* Declarations of the server's demultiplexer and table (server.c). */
void c_server_symbols(struct writer *w);

bool c_is_wanted(const char *path); /* not NULL, not /dev/null */

#endif
