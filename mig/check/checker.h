/*
 * What the files of the check share.
 */
#ifndef MIG_CHECK_CHECKER_H
#define MIG_CHECK_CHECKER_H

#include "mig/check/check.h"
#include "mig/support/names.h"

/* Types nested deeper than this are refused: nobody who walks them needs to be careful. */
#define TYPE_DEPTH_MAX 64

/* Statements that hold for the routines after them. */
struct in_force {
	const char *user_prefix;
	const char *server_prefix;
	const char *wait_time_text; /* NULL: none, as those below */
	const char *send_time_text;
	const char *msg_option_text;
	bool special_reply_port;
	enum consume_on_send_error consume;
	uint32_t stack_limit;
};

struct checker {
	struct arena *arena;
	struct diagnostics *diagnostics;
	struct interface *interface;
	struct in_force in_force;
	struct names types;                     /* name -> struct known_type */
	struct names routines;                  /* name -> struct tree_statement */
	const struct tree_statement *subsystem; /* NULL: there was none yet */
	bool misses_subsystem;                  /* told */
	bool ids_overflow;                      /* told */
};

/* ---- basic.c: basic types ------------------------------------------------------------ */

/*
 * Fill @type with what `MACH_MSG_TYPE_A` or `A|B` means; false: told.
 */
bool check_basic(struct checker *checker, const struct tree_type *tree, struct ipc_type *type);

/* ---- types.c: types ------------------------------------------------------------------ */

/* A `type` statement: what it declares is known from here on. */
void check_type_statement(struct checker *checker, const struct tree_statement *statement);

/* The type of an argument; NULL: told. */
const struct ipc_type *check_argument_type(struct checker *checker,
					   const struct tree_argument *tree);

/* ---- arguments.c: one argument ------------------------------------------------------- */

/*
 * Fill the role, the type and the flags of an argument of @routine; @previous is the one
 * before it, NULL if it is the first; false: told.
 */
bool check_argument(struct checker *checker, const struct routine *routine,
		    const struct tree_argument *tree, bool is_request_port,
		    const struct argument *previous, struct argument *argument);

/* ---- routines.c: routines and skips -------------------------------------------------- */

void check_routine(struct checker *checker, const struct tree_statement *statement);

/* The entry of the next routine; NULL: there are too many, told. */
struct routine *check_next_routine(struct checker *checker, const struct tree_statement *statement);

/* ---- layout.c: messages -------------------------------------------------------------- */

/* Lay out both messages of @routine, whose arguments are done; false: told. */
bool check_layout(struct checker *checker, struct routine *routine);

#endif
