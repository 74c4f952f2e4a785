/*
 * The interface as JSON: everything that the other generators know, for tools of any language.
 *
 * Keys, their order and the indentation are stable; new keys may come.  docs/mig.md tells what
 * each means.
 */
#include <inttypes.h>
#include <string.h>

#include "mig/generate/generator.h"

/* ---- writing ------------------------------------------------------------------------- */

struct json {
	const struct interface *interface;
	struct text *out;
	unsigned depth;
	bool has_entry; /* the object or array that is open has one already */
};

static void
json_string(struct json *json, const char *string)
{
	text_printf(json->out, "\"");
	for (const unsigned char *at = (const unsigned char *)string; *at != '\0'; at++) {
		if (*at == '"' || *at == '\\')
			text_printf(json->out, "\\%c", *at);
		else if (*at < 0x20)
			text_printf(json->out, "\\u%04x", *at);
		else
			text_printf(json->out, "%c", *at);
	}
	text_printf(json->out, "\"");
}

static void
json_line(struct json *json)
{
	text_printf(json->out, "\n");
	for (unsigned i = 0; i < json->depth; i++)
		text_printf(json->out, "  ");
}

/* The start of an entry; @key is NULL in an array. */
static void
json_entry(struct json *json, const char *key)
{
	if (json->has_entry)
		text_printf(json->out, ",");
	json_line(json);
	json->has_entry = true;
	if (!key)
		return;
	json_string(json, key);
	text_printf(json->out, ": ");
}

static void
json_open(struct json *json, const char *key, char bracket)
{
	json_entry(json, key);
	text_printf(json->out, "%c", bracket);
	json->depth++;
	json->has_entry = false;
}

static void
json_close(struct json *json, char bracket)
{
	json->depth--;
	if (json->has_entry)
		json_line(json);
	text_printf(json->out, "%c", bracket);
	json->has_entry = true;
}

static void
put_text(struct json *json, const char *key, const char *string)
{
	json_entry(json, key);
	if (string)
		json_string(json, string);
	else
		text_printf(json->out, "null");
}

/* Left out where there is none. */
static void
put_text_if(struct json *json, const char *key, const char *string)
{
	if (string)
		put_text(json, key, string);
}

static void
put_number(struct json *json, const char *key, int64_t number)
{
	json_entry(json, key);
	text_printf(json->out, "%" PRId64, number);
}

static void
put_bool(struct json *json, const char *key, bool value)
{
	json_entry(json, key);
	text_printf(json->out, value ? "true" : "false");
}

/* Left out where it is false: most flags of most arguments are. */
static void
put_flag(struct json *json, const char *key, bool value)
{
	if (value)
		put_bool(json, key, true);
}

static void
put_place(struct json *json, const struct source_place *place)
{
	if (place->line == 0)
		return;
	put_text(json, "file", place->file);
	put_number(json, "line", place->line);
}

/* ---- types ----------------------------------------------------------------------------- */

static const char *const carriage_names[] = {
	[CARRIAGE_INLINE] = "inline",         [CARRIAGE_PORT] = "port",
	[CARRIAGE_PORTS] = "ports",           [CARRIAGE_OOL] = "ool",
	[CARRIAGE_OOL_PORTS] = "ool_ports",   [CARRIAGE_OOLS] = "ools",
	[CARRIAGE_OOLS_PORTS] = "ools_ports",
};

static const char *const extent_names[] = {
	[EXTENT_SINGLE] = "single",
	[EXTENT_FIXED] = "fixed",
	[EXTENT_BOUNDED] = "bounded",
	[EXTENT_ANY] = "any",
};

static const char *const form_names[] = {
	[FORM_SCALAR] = "scalar",
	[FORM_STRUCT] = "struct",
	[FORM_ARRAY] = "array",
	[FORM_STRING] = "string",
	[FORM_POINTER] = "pointer",
	[FORM_NATIVE_POINTER] = "native_pointer",
	[FORM_NATIVE_VALUE] = "native_value",
	[FORM_NATIVE_IF_NOT] = "native_if_not",
};

static bool
type_is_listed(const struct interface *interface, const struct ipc_type *type)
{
	for (uint32_t i = 0; i < interface->type_count; i++) {
		if (interface->types[i] == type)
			return true;
	}
	return false;
}

static void put_type(struct json *json, const char *key, const struct ipc_type *type);

static void
put_type_fields(struct json *json, const struct ipc_type *type)
{
	put_text(json, "name", type->name);
	put_place(json, &type->place);
	put_text(json, "carriage", carriage_names[type->carriage]);
	put_text(json, "extent", extent_names[type->extent]);
	put_text(json, "form", form_names[type->form]);
	put_flag(json, "managed", type->managed);
	if (type->element)
		put_type(json, "element", type->element);
	put_number(json, "capacity", type->capacity);
	put_number(json, "element_size", type->element_size);
	put_number(json, "size_max", type->size_max);
	put_text_if(json, "out_name", type->out_name.text);
	put_text_if(json, "in_name", type->in_name.text);
	put_text_if(json, "user_type", type->user_type);
	put_text_if(json, "server_type", type->server_type);
	put_text_if(json, "translated_type", type->translated_type);
	put_text_if(json, "intran", type->intran);
	put_text_if(json, "outtran", type->outtran);
	put_text_if(json, "destructor", type->destructor);
	put_text_if(json, "native_type", type->native_type);
	put_text_if(json, "native_value", type->native_value);
}

/* Its name if it is among the interface's types; otherwise all of it. */
static void
put_type(struct json *json, const char *key, const struct ipc_type *type)
{
	if (type_is_listed(json->interface, type)) {
		put_text(json, key, type->name);
		return;
	}
	json_open(json, key, '{');
	put_type_fields(json, type);
	json_close(json, '}');
}

/* ---- arguments ------------------------------------------------------------------------- */

static const char *const role_names[] = {
	[ROLE_IN] = "in",
	[ROLE_OUT] = "out",
	[ROLE_INOUT] = "inout",
	[ROLE_REQUEST_PORT] = "request_port",
	[ROLE_REPLY_PORT] = "reply_port",
	[ROLE_UREPLY_PORT] = "user_reply_port",
	[ROLE_SREPLY_PORT] = "server_reply_port",
	[ROLE_WAIT_TIME] = "wait_time",
	[ROLE_SEND_TIME] = "send_time",
	[ROLE_MSG_OPTION] = "msg_option",
	[ROLE_MSG_SEQNO] = "msg_seqno",
	[ROLE_SEC_TOKEN] = "sec_token",
	[ROLE_USER_SEC_TOKEN] = "user_sec_token",
	[ROLE_SERVER_SEC_TOKEN] = "server_sec_token",
	[ROLE_AUDIT_TOKEN] = "audit_token",
	[ROLE_USER_AUDIT_TOKEN] = "user_audit_token",
	[ROLE_SERVER_AUDIT_TOKEN] = "server_audit_token",
	[ROLE_SERVER_CONTEXT_TOKEN] = "server_context_token",
};

static const char *const passing_names[] = {
	[PASS_NOT] = "not",
	[PASS_IN] = "in",
	[PASS_OUT] = "out",
	[PASS_INOUT] = "inout",
};

static void
put_argument(struct json *json, const struct argument *argument)
{
	json_open(json, NULL, '{');
	put_text(json, "name", argument->name);
	put_place(json, &argument->place);
	put_text(json, "role", role_names[argument->role]);
	put_type(json, "type", argument->type);
	put_text(json, "user", passing_names[argument->user]);
	put_text(json, "server", passing_names[argument->server]);
	put_flag(json, "in_request", argument->in_request);
	put_flag(json, "in_reply", argument->in_reply);
	put_flag(json, "dealloc", argument->dealloc == DEALLOC_YES);
	put_flag(json, "dealloc_run_time", argument->dealloc == DEALLOC_RUN_TIME);
	put_flag(json, "physical_copy", argument->physical_copy);
	put_flag(json, "overwrite", argument->overwrite);
	put_flag(json, "count_inout", argument->count_inout);
	put_flag(json, "server_frees", argument->server_frees);
	put_flag(json, "const", argument->is_const);
	put_flag(json, "retcode", argument->retcode);
	put_flag(json, "has_poly", argument->has_poly);
	put_flag(json, "has_count", argument->has_count);
	put_flag(json, "has_dealloc", argument->has_dealloc);
	put_flag(json, "has_subs", argument->has_subs);
	if (argument->count_of)
		put_text(json, "count_of", argument->count_of->name);
	json_close(json, '}');
}

/* ---- messages -------------------------------------------------------------------------- */

static const char *const field_names[] = {
	[FIELD_VALUE] = "value", [FIELD_COUNT] = "count",       [FIELD_OFFSET] = "offset",
	[FIELD_SUBS] = "subs",   [FIELD_PRESENCE] = "presence", [FIELD_RETCODE] = "retcode",
};

static void
put_descriptors(struct json *json, const struct message *message)
{
	json_open(json, "descriptors", '[');
	for (uint32_t i = 0; i < message->descriptor_count; i++) {
		const struct message_descriptor *descriptor = &message->descriptors[i];

		json_open(json, NULL, '{');
		put_text(json, "argument", descriptor->argument->name);
		put_number(json, "offset", descriptor->offset);
		put_number(json, "size", descriptor->size);
		put_number(json, "count", descriptor->count);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void
put_fields(struct json *json, const struct message *message)
{
	json_open(json, "fields", '[');
	for (uint32_t i = 0; i < message->field_count; i++) {
		const struct message_field *field = &message->fields[i];

		json_open(json, NULL, '{');
		put_text(json, "name", field->name);
		put_text(json, "kind", field_names[field->kind]);
		if (field->argument)
			put_text(json, "argument", field->argument->name);
		put_number(json, "offset_max", field->offset_max);
		put_number(json, "size_max", field->size_max);
		put_number(json, "padding", field->padding);
		put_flag(json, "is_cut", field->is_cut);
		put_number(json, "cut_before", field->cut_before);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void
put_message(struct json *json, const char *key, const struct message *message)
{
	if (!message->exists) {
		put_text(json, key, NULL);
		return;
	}
	json_open(json, key, '{');
	put_bool(json, "complex", message->is_complex);
	put_number(json, "size_min", message->size_min);
	put_number(json, "size_max", message->size_max);
	put_flag(json, "has_native", message->has_native);
	if (message->has_ndr)
		put_number(json, "ndr_offset", message->ndr_offset);
	put_number(json, "descriptor_count", message->wire_descriptor_count);
	put_descriptors(json, message);
	put_fields(json, message);
	json_close(json, '}');
}

/* ---- routines -------------------------------------------------------------------------- */

static const char *const consume_names[] = {
	[CONSUME_NONE] = "none",
	[CONSUME_TIMEOUT] = "timeout",
	[CONSUME_ANY] = "any",
};

static const char *const trailer_names[] = {
	[TRAILER_MINIMAL] = "minimal", [TRAILER_SEQNO] = "seqno",     [TRAILER_SENDER] = "sender",
	[TRAILER_AUDIT] = "audit",     [TRAILER_CONTEXT] = "context",
};

static void
put_argument_name(struct json *json, const char *key, const struct argument *argument)
{
	if (argument)
		put_text(json, key, argument->name);
}

static void
put_routine(struct json *json, const struct routine *routine)
{
	json_open(json, NULL, '{');
	put_text(json, "name", routine->name);
	put_place(json, &routine->place);
	put_number(json, "ordinal", routine->ordinal);
	put_number(json, "id", routine->id);
	if (!routine->name) {
		json_close(json, '}');
		return;
	}
	put_bool(json, "simple", routine->simple);
	put_text(json, "user_function", routine->user_function);
	put_text(json, "server_function", routine->server_function);
	put_argument_name(json, "request_port", routine->request_port);
	put_argument_name(json, "reply_port", routine->reply_port);
	put_argument_name(json, "wait_time_argument", routine->wait_time);
	put_argument_name(json, "send_time_argument", routine->send_time);
	put_argument_name(json, "msg_option_argument", routine->msg_option);
	put_argument_name(json, "retcode_argument", routine->retcode);
	put_text_if(json, "wait_time", routine->wait_time_text);
	put_text_if(json, "send_time", routine->send_time_text);
	put_text_if(json, "msg_option", routine->msg_option_text);
	put_flag(json, "special_reply_port", routine->special_reply_port);
	put_text(json, "consume_on_send_error", consume_names[routine->consume]);
	if (routine->stack_limit)
		put_number(json, "stack_limit", routine->stack_limit);
	put_text(json, "user_trailer", trailer_names[routine->user_trailer]);
	put_text(json, "server_trailer", trailer_names[routine->server_trailer]);
	json_open(json, "arguments", '[');
	for (uint32_t i = 0; i < routine->argument_count; i++)
		put_argument(json, &routine->arguments[i]);
	json_close(json, ']');
	put_message(json, "request", &routine->request);
	put_message(json, "reply", &routine->reply);
	json_close(json, '}');
}

/* ---- the interface --------------------------------------------------------------------- */

static const char *const import_names[] = {
	[IMPORT_BOTH] = "import",      [IMPORT_USER] = "uimport",    [IMPORT_SERVER] = "simport",
	[IMPORT_INTERNAL] = "iimport", [IMPORT_DEFINES] = "dimport",
};

static void
put_imports(struct json *json, const struct interface *interface)
{
	json_open(json, "imports", '[');
	for (uint32_t i = 0; i < interface->import_count; i++) {
		json_open(json, NULL, '{');
		put_text(json, "kind", import_names[interface->imports[i].kind]);
		put_text(json, "file", interface->imports[i].file);
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void
json_generate(const struct interface *interface, const struct settings *settings,
	      struct outputs *outputs)
{
	if (!settings->json)
		return;
	struct json json = { .interface = interface, .out = outputs_add(outputs, "-"), .depth = 1 };

	text_printf(json.out, "{");
	put_text(&json, "source", interface->source);
	put_text(&json, "subsystem", interface->name);
	put_number(&json, "base", interface->base);
	put_bool(&json, "kernel_user", interface->kernel_user);
	put_bool(&json, "kernel_server", interface->kernel_server);
	put_text(&json, "user_prefix", interface->user_prefix);
	put_text(&json, "server_prefix", interface->server_prefix);
	put_text(&json, "demux", interface->demux);
	put_text_if(&json, "rcsid", interface->rcsid);
	put_imports(&json, interface);
	json_open(&json, "types", '[');
	for (uint32_t i = 0; i < interface->type_count; i++) {
		json_open(&json, NULL, '{');
		put_type_fields(&json, interface->types[i]);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_open(&json, "routines", '[');
	for (uint32_t i = 0; i < interface->routine_count; i++)
		put_routine(&json, &interface->routines[i]);
	json_close(&json, ']');
	text_printf(json.out, "\n}\n");
}

const struct generator json_generator = { .name = "JSON", .generate = json_generate };
