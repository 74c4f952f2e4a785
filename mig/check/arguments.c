/*
 * Arguments: what an argument is for, whether its type can be that, and its flags.
 *
 * A flag that does not fit is told of and dropped; it is an error where the stub could not
 * do what was asked.
 *
 * Source: mig-language.md §6.
 */
#include "mig/check/checker.h"

/* What the type of an argument must be. */
enum need {
	NEED_NOTHING,
	NEED_REQUEST_PORT,
	NEED_REPLY_PORT,
	NEED_INTEGER, /* of 32 bits */
	NEED_SECURITY_TOKEN,
	NEED_AUDIT_TOKEN,
	NEED_CONTEXT
};

struct role_rule {
	enum keyword keyword;
	enum role role;
	enum passing user;
	enum passing server;
	enum need need;
	bool in_request;
	bool in_reply;
};

static const struct role_rule request_port_rule = {
	KEYWORD_REQUEST_PORT, ROLE_REQUEST_PORT, PASS_IN, PASS_IN, NEED_REQUEST_PORT, false, false
};

static const struct role_rule *
find_rule(enum keyword keyword)
{
#define REPLY NEED_REPLY_PORT
#define INTEGER NEED_INTEGER
#define TOKEN NEED_SECURITY_TOKEN
#define AUDIT NEED_AUDIT_TOKEN
	static const struct role_rule rules[] = {
		{ KEYWORD_NONE, ROLE_IN, PASS_IN, PASS_IN, NEED_NOTHING, true, false },
		{ KEYWORD_IN, ROLE_IN, PASS_IN, PASS_IN, NEED_NOTHING, true, false },
		{ KEYWORD_OUT, ROLE_OUT, PASS_OUT, PASS_OUT, NEED_NOTHING, false, true },
		{ KEYWORD_INOUT, ROLE_INOUT, PASS_INOUT, PASS_INOUT, NEED_NOTHING, true, true },
		{ KEYWORD_REPLY_PORT, ROLE_REPLY_PORT, PASS_IN, PASS_IN, REPLY },
		{ KEYWORD_UREPLY_PORT, ROLE_UREPLY_PORT, PASS_IN, PASS_NOT, REPLY },
		{ KEYWORD_SREPLY_PORT, ROLE_SREPLY_PORT, PASS_NOT, PASS_IN, REPLY },
		{ KEYWORD_WAIT_TIME, ROLE_WAIT_TIME, PASS_IN, PASS_NOT, INTEGER },
		{ KEYWORD_SEND_TIME, ROLE_SEND_TIME, PASS_IN, PASS_NOT, INTEGER },
		{ KEYWORD_MSG_OPTION, ROLE_MSG_OPTION, PASS_IN, PASS_NOT, INTEGER },
		{ KEYWORD_MSG_SEQNO, ROLE_MSG_SEQNO, PASS_NOT, PASS_IN, INTEGER },
		{ KEYWORD_SEC_TOKEN, ROLE_SEC_TOKEN, PASS_OUT, PASS_IN, TOKEN },
		{ KEYWORD_USER_SEC_TOKEN, ROLE_USER_SEC_TOKEN, PASS_OUT, PASS_NOT, TOKEN },
		{ KEYWORD_SERVER_SEC_TOKEN, ROLE_SERVER_SEC_TOKEN, PASS_NOT, PASS_IN, TOKEN },
		{ KEYWORD_AUDIT_TOKEN, ROLE_AUDIT_TOKEN, PASS_OUT, PASS_IN, AUDIT },
		{ KEYWORD_USER_AUDIT_TOKEN, ROLE_USER_AUDIT_TOKEN, PASS_OUT, PASS_NOT, AUDIT },
		{ KEYWORD_SERVER_AUDIT_TOKEN, ROLE_SERVER_AUDIT_TOKEN, PASS_NOT, PASS_IN, AUDIT },
		{ KEYWORD_SERVER_CONTEXT_TOKEN, ROLE_SERVER_CONTEXT_TOKEN, PASS_NOT, PASS_IN,
		  NEED_CONTEXT },
	};
#undef REPLY
#undef INTEGER
#undef TOKEN
#undef AUDIT

	if (keyword == KEYWORD_REQUEST_PORT)
		return &request_port_rule;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].keyword == keyword)
			return &rules[i];
	}
	return NULL; /* serverimpl, userimpl */
}

/* ---- types for roles ----------------------------------------------------------------- */

static bool
is_integer(const struct ipc_type *type)
{
	return type->form == FORM_SCALAR && type->carriage == CARRIAGE_INLINE &&
	       type->out_name.value == 2;
}

static bool
is_receive_right(const struct ipc_type *type)
{
	return type->in_name.value == 16;
}

static bool
is_token(const struct ipc_type *type, uint32_t size)
{
	return type->carriage == CARRIAGE_INLINE && type->extent == EXTENT_SINGLE &&
	       type->size_max == size;
}

static bool
type_meets(const struct ipc_type *type, enum need need)
{
	switch (need) {
	case NEED_REQUEST_PORT:
	case NEED_REPLY_PORT:
		return type->carriage == CARRIAGE_PORT && !is_receive_right(type);
	case NEED_INTEGER:
		return is_integer(type);
	case NEED_SECURITY_TOKEN:
		return is_token(type, 8);
	case NEED_AUDIT_TOKEN:
		return is_token(type, 32);
	case NEED_CONTEXT:
		return is_token(type, 8);
	default:
		return true;
	}
}

static const char *
need_text(enum need need)
{
	switch (need) {
	case NEED_REQUEST_PORT:
		return "the request port is a single send or send-once right";
	case NEED_REPLY_PORT:
		return "a reply port is a single send-once or send right";
	case NEED_INTEGER:
		return "times, options and sequence numbers are 32-bit integers";
	case NEED_SECURITY_TOKEN:
		return "a security token has 8 bytes, security_token_t";
	case NEED_AUDIT_TOKEN:
		return "an audit token has 32 bytes, audit_token_t";
	default:
		return "a context has 8 bytes, mach_port_context_t";
	}
}

static bool
is_native(const struct ipc_type *type)
{
	return type->form == FORM_NATIVE_POINTER || type->form == FORM_NATIVE_VALUE ||
	       type->form == FORM_NATIVE_IF_NOT;
}

/* May the argument, whose role and type are set, go that way? */
static bool
check_direction(struct checker *checker, const struct tree_argument *tree,
		const struct argument *argument)
{
	const struct ipc_type *type = argument->type;
	const struct source_place *place = &argument->place;

	if (argument->role == ROLE_INOUT && type_is_cut(type)) {
		diagnostics_error(checker->diagnostics, place,
				  "`%s` of variable size cannot be inout: write two arguments, in "
				  "and out, or put it out of line with '^'",
				  argument->name);
		return false;
	}
	if (!is_native(type))
		return true;
	if (tree->direction != KEYWORD_IN && tree->direction != KEYWORD_OUT &&
	    tree->direction != KEYWORD_INOUT) {
		diagnostics_error(checker->diagnostics, place,
				  "`%s` has a native type: write `in`, `out` or `inout` before it",
				  argument->name);
		return false;
	}
	if (argument->role != ROLE_IN && type->form != FORM_NATIVE_POINTER) {
		diagnostics_error(checker->diagnostics, place,
				  "ValueOf and PointerToIfNot can only be `in`");
		return false;
	}
	return true;
}

/* ---- flags --------------------------------------------------------------------------- */

static bool
carries_memory(const struct argument *argument)
{
	return (argument->in_request || argument->in_reply) && type_is_out_of_line(argument->type);
}

static bool
carries_data_out_of_line(const struct argument *argument)
{
	return carries_memory(argument) && (argument->type->carriage == CARRIAGE_OOL ||
					    argument->type->carriage == CARRIAGE_OOLS);
}

static bool
has_capacity(const struct ipc_type *type)
{
	return type->extent == EXTENT_BOUNDED && type->form == FORM_ARRAY &&
	       (type->carriage == CARRIAGE_INLINE || type->carriage == CARRIAGE_PORTS);
}

static void
drop_flag(struct checker *checker, const struct tree_flag *flag, const char *fits)
{
	diagnostics_warn(checker->diagnostics, &flag->place, "`%s` is ignored: it is for %s",
			 keyword_text(flag->keyword), fits);
}

/* `samecount`: the count of the argument before it counts for this one, too. */
static void
share_count(struct checker *checker, const struct tree_flag *flag, const struct argument *previous,
	    struct argument *argument)
{
	bool has_count = type_is_variable(argument->type) && argument->type->form != FORM_STRING;

	if (!has_count || !previous || !previous->count_of || previous->role != argument->role ||
	    previous->count_inout != argument->count_inout) {
		drop_flag(checker, flag,
			  "a variable array right behind another one of the same direction and the "
			  "same `countinout`");
		return;
	}
	argument->count_of = previous->count_of;
}

/* `dealloc`, `dealloc[]` and `notdealloc` */
static void
set_dealloc(struct checker *checker, const struct tree_flag *flag, struct argument *argument)
{
	/* a single right: its type says whether it leaves the sender */
	if (argument->type->carriage == CARRIAGE_PORT && !flag->at_run_time)
		return;
	if (!carries_memory(argument)) {
		drop_flag(checker, flag,
			  "what is out of line; rights leave the sender by a type "
			  "that moves them");
		return;
	}
	if (flag->keyword == KEYWORD_NOT_DEALLOC)
		argument->dealloc = DEALLOC_NO;
	else
		argument->dealloc = flag->at_run_time ? DEALLOC_RUN_TIME : DEALLOC_YES;
}

static void
set_retcode(struct checker *checker, const struct tree_flag *flag, const struct routine *routine,
	    struct argument *argument)
{
	if (argument->role != ROLE_IN || !routine->simple || !is_integer(argument->type))
		drop_flag(checker, flag, "a 32-bit integer that goes in, of a simpleroutine");
	else if (routine->retcode)
		drop_flag(checker, flag, "one argument of a routine, and there is another");
	else
		argument->retcode = true;
}

static void
set_flag(struct checker *checker, const struct tree_flag *flag, const struct routine *routine,
	 const struct argument *previous, struct argument *argument)
{
	const struct ipc_type *type = argument->type;
	bool *set = NULL;
	const char *fits = NULL;
	bool does_fit = false;

	switch (flag->keyword) {
	case KEYWORD_DEALLOC:
	case KEYWORD_NOT_DEALLOC:
		set_dealloc(checker, flag, argument);
		return;
	case KEYWORD_RETCODE:
		set_retcode(checker, flag, routine, argument);
		return;
	case KEYWORD_SAME_COUNT:
		share_count(checker, flag, previous, argument);
		return;
	case KEYWORD_PHYSICAL_COPY:
		set = &argument->physical_copy;
		does_fit = carries_data_out_of_line(argument);
		fits = "data out of line";
		break;
	case KEYWORD_OVERWRITE:
		set = &argument->overwrite;
		does_fit = argument->role == ROLE_OUT && carries_memory(argument);
		fits = "what comes out and is out of line";
		break;
	case KEYWORD_COUNT_INOUT:
		set = &argument->count_inout;
		does_fit = argument->role == ROLE_OUT && has_capacity(type);
		fits = "an array[*:n] that comes out";
		break;
	case KEYWORD_AUTO:
		set = &argument->server_frees;
		does_fit = argument->role == ROLE_IN && carries_memory(argument);
		fits = "what goes in and is out of line";
		break;
	default: /* const */
		set = &argument->is_const;
		does_fit = argument->role == ROLE_IN &&
			   (type->form == FORM_ARRAY || type->form == FORM_STRING ||
			    type->form == FORM_POINTER || type->form == FORM_NATIVE_POINTER);
		fits = "arrays and strings that go in";
		break;
	}
	if (does_fit)
		*set = true;
	else
		drop_flag(checker, flag, fits);
}

static void
set_flags(struct checker *checker, const struct tree_argument *tree, const struct routine *routine,
	  const struct argument *previous, struct argument *argument)
{
	/* samecount last: it looks at countinout */
	for (int pass = 0; pass < 2; pass++) {
		for (const struct tree_flag *flag = tree->flags; flag; flag = flag->next) {
			if ((flag->keyword == KEYWORD_SAME_COUNT) == (pass == 1))
				set_flag(checker, flag, routine, previous, argument);
		}
	}
}

/* ---- what follows from all of it ----------------------------------------------------- */

/* Who says, or is told, what kind of right travels? */
static void
set_poly(struct argument *argument)
{
	bool sender = argument->type->out_name.value == -1;
	bool receiver = argument->type->in_name.value == -1;
	bool user = argument->role == ROLE_OUT ? receiver : sender;
	bool server = argument->role == ROLE_OUT ? sender : receiver;

	if (argument->role == ROLE_INOUT) /* each side is both */
		user = server = sender || receiver;
	argument->user_poly = user && argument->user != PASS_NOT;
	argument->server_poly = server && argument->server != PASS_NOT;
	argument->has_poly = argument->user_poly || argument->server_poly;
}

static void
set_implicit(struct argument *argument)
{
	const struct ipc_type *type = argument->type;

	set_poly(argument);
	if (!argument->in_request && !argument->in_reply)
		return;
	if (type_is_variable(type) && type->form != FORM_STRING && !argument->count_of) {
		argument->has_count = true;
		argument->count_of = argument;
	}
	argument->has_dealloc = argument->dealloc == DEALLOC_RUN_TIME;
	argument->has_subs =
	    (type->carriage == CARRIAGE_OOLS || type->carriage == CARRIAGE_OOLS_PORTS) &&
	    type_is_variable(type->element);
	if (type->managed && argument->role == ROLE_IN)
		argument->server_frees = true;
}

bool
check_argument(struct checker *checker, const struct routine *routine,
	       const struct tree_argument *tree, bool is_request_port,
	       const struct argument *previous, struct argument *argument)
{
	const struct role_rule *rule =
	    is_request_port ? &request_port_rule : find_rule(tree->direction);

	argument->name = tree->name.text;
	argument->place = tree->name.place;
	if (!rule) {
		diagnostics_error(
		    checker->diagnostics, &tree->direction_place,
		    "`%s` has never worked: write an `in` argument, or pass the value "
		    "by other means",
		    keyword_text(tree->direction));
		return false;
	}
	argument->role = rule->role;
	argument->user = rule->user;
	argument->server = rule->server;
	argument->in_request = rule->in_request;
	argument->in_reply = rule->in_reply;
	argument->type = check_argument_type(checker, tree);
	if (!argument->type)
		return false;
	if (!type_meets(argument->type, rule->need)) {
		diagnostics_error(checker->diagnostics, &argument->place,
				  "`%s` has the wrong type: %s", argument->name,
				  need_text(rule->need));
		return false;
	}
	if (!check_direction(checker, tree, argument))
		return false;
	set_flags(checker, tree, routine, previous, argument);
	set_implicit(argument);
	return true;
}
