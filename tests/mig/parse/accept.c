/*
 * Acceptance: every statement, type, flag and kind of argument means what it should.
 *
 * Source: mig-language.md §3 to §6.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/mig/errors/reading.h"
#include "tests/support/runner.h"

static const struct routine *
routine(const struct reading *reading, const char *name)
{
	for (uint32_t i = 0; i < reading->interface->routine_count; i++) {
		const struct routine *routine = &reading->interface->routines[i];

		if (routine->name && strcmp(routine->name, name) == 0)
			return routine;
	}
	fail_msg("no routine %s", name);
	return NULL;
}

static const struct argument *
argument(const struct routine *routine, const char *name)
{
	for (uint32_t i = 0; i < routine->argument_count; i++) {
		if (strcmp(routine->arguments[i].name, name) == 0)
			return &routine->arguments[i];
	}
	fail_msg("no argument %s", name);
	return NULL;
}

static const struct ipc_type *
type(const struct reading *reading, const char *name)
{
	for (uint32_t i = 0; i < reading->interface->type_count; i++) {
		if (strcmp(reading->interface->types[i]->name, name) == 0)
			return reading->interface->types[i];
	}
	fail_msg("no type %s", name);
	return NULL;
}

static struct reading *
everything(void)
{
	size_t size;
	char *text = read_file(CORPUS "/everything.defs", &size);
	struct reading *reading = reading_of_bytes(text, size);

	free(text);
	if (!reading->interface)
		fail_msg("%s", reading->said);
	return reading;
}

TEST(every_statement_is_understood)
{
	struct reading *reading = everything();
	const struct interface *interface = reading->interface;

	(void)state;
	assert_string_equal(interface->name, "everything");
	assert_int_equal(interface->base, 5000);
	assert_true(interface->kernel_user && interface->kernel_server);
	assert_string_equal(interface->user_prefix, "u_");
	assert_string_equal(interface->server_prefix, "s_");
	assert_string_equal(interface->demux, "everything_demux");
	assert_string_equal(interface->rcsid, "$everything$");
	assert_int_equal(interface->import_count, 5);
	assert_string_equal(interface->imports[0].file, "<mach/mach.h>");
	assert_string_equal(interface->imports[1].file, "\"user.h\"");
	for (enum import_kind kind = IMPORT_BOTH; kind <= IMPORT_DEFINES; kind++)
		assert_int_equal(interface->imports[kind].kind, kind);
	assert_int_equal(interface->routine_count, 17);
	for (uint32_t i = 0; i < interface->routine_count; i++) {
		assert_int_equal(interface->routines[i].ordinal, i);
		assert_int_equal(interface->routines[i].id, 5000 + i);
	}
	assert_null(interface->routines[2].name);
	assert_null(interface->routines[16].name);
	assert_string_equal(routine(reading, "rights")->user_function, "u_rights");
	assert_string_equal(routine(reading, "rights")->server_function, "s_rights");
	reading_free(reading);
}

TEST(options_hold_for_the_routines_after_them)
{
	struct reading *reading = everything();
	const struct routine *before = routine(reading, "shared");
	const struct routine *during = routine(reading, "options");
	const struct routine *after = routine(reading, "options_again");

	(void)state;
	assert_null(before->wait_time_text);
	assert_int_equal(before->stack_limit, 0);
	assert_int_equal(before->consume, CONSUME_NONE);
	assert_string_equal(during->wait_time_text, "1000");
	assert_string_equal(during->send_time_text, "MACH_SEND_TIMEOUT_NONE");
	assert_string_equal(during->msg_option_text, "MACH_SEND_NOIMPORTANCE");
	assert_true(during->special_reply_port);
	assert_int_equal(during->consume, CONSUME_ANY);
	assert_int_equal(during->stack_limit, 1024);
	assert_null(after->wait_time_text);
	assert_null(after->send_time_text);
	assert_null(after->msg_option_text);
	assert_false(after->special_reply_port);
	assert_int_equal(after->consume, CONSUME_TIMEOUT);
	reading_free(reading);
}

TEST(keywords_have_any_case_and_natives_one)
{
	struct reading *good = reading_of("SimpleRoutine f(RequestPort p : port; IN x : int);");
	struct reading *bad = reading_of("usertypelimit 4;");

	(void)state;
	assert_non_null(good->interface);
	assert_null(bad->interface);
	reading_free(good);
	reading_free(bad);
}

struct expected_type {
	const char *name;
	enum carriage carriage;
	enum extent extent;
	enum form form;
	bool managed;
	uint32_t capacity;
	uint32_t element_size;
	uint32_t size_max;
};

TEST(every_type_travels_as_the_table_says)
{
	static const struct expected_type expected[] = {
		{ "int", CARRIAGE_INLINE, EXTENT_SINGLE, FORM_SCALAR, false, 1, 4, 4 },
		{ "i16", CARRIAGE_INLINE, EXTENT_SINGLE, FORM_SCALAR, false, 1, 2, 2 },
		{ "double", CARRIAGE_INLINE, EXTENT_SINGLE, FORM_SCALAR, false, 1, 8, 8 },
		{ "name", CARRIAGE_INLINE, EXTENT_SINGLE, FORM_SCALAR, false, 1, 4, 4 },
		{ "port", CARRIAGE_PORT, EXTENT_SINGLE, FORM_SCALAR, false, 1, 4, 4 },
		{ "pair", CARRIAGE_INLINE, EXTENT_SINGLE, FORM_STRUCT, false, 1, 4, 8 },
		{ "pairs", CARRIAGE_INLINE, EXTENT_SINGLE, FORM_STRUCT, false, 1, 8, 24 },
		{ "fixed", CARRIAGE_INLINE, EXTENT_FIXED, FORM_ARRAY, false, 3, 1, 3 },
		{ "nested", CARRIAGE_INLINE, EXTENT_FIXED, FORM_ARRAY, false, 2, 3, 6 },
		{ "few", CARRIAGE_INLINE, EXTENT_BOUNDED, FORM_ARRAY, false, 11, 4, 44 },
		{ "pair_row", CARRIAGE_INLINE, EXTENT_BOUNDED, FORM_ARRAY, false, 3, 8, 24 },
		{ "managed", CARRIAGE_OOL, EXTENT_ANY, FORM_POINTER, true, 0, 1, 0 },
		{ "managed_star", CARRIAGE_OOL, EXTENT_ANY, FORM_POINTER, true, 0, 8, 0 },
		{ "memory", CARRIAGE_OOL, EXTENT_ANY, FORM_POINTER, false, 0, 1, 0 },
		{ "memory_star", CARRIAGE_OOL, EXTENT_ANY, FORM_POINTER, false, 0, 8, 0 },
		{ "bounded", CARRIAGE_OOL, EXTENT_BOUNDED, FORM_POINTER, false, 16, 4, 0 },
		{ "block", CARRIAGE_OOL, EXTENT_FIXED, FORM_POINTER, false, 16, 4, 0 },
		{ "record", CARRIAGE_OOL, EXTENT_SINGLE, FORM_POINTER, false, 1, 16, 0 },
		{ "one", CARRIAGE_OOL, EXTENT_SINGLE, FORM_POINTER, false, 1, 8, 0 },
		{ "pointer_to_few", CARRIAGE_OOL, EXTENT_BOUNDED, FORM_POINTER, false, 11, 4, 0 },
		{ "port_pointer", CARRIAGE_OOL_PORTS, EXTENT_SINGLE, FORM_POINTER, false, 1, 4, 0 },
		{ "ports", CARRIAGE_OOL_PORTS, EXTENT_ANY, FORM_POINTER, true, 0, 4, 0 },
		{ "polys", CARRIAGE_OOL_PORTS, EXTENT_ANY, FORM_POINTER, false, 0, 4, 0 },
		{ "port_row", CARRIAGE_PORTS, EXTENT_FIXED, FORM_ARRAY, false, 2, 4, 8 },
		{ "port_few", CARRIAGE_PORTS, EXTENT_BOUNDED, FORM_ARRAY, false, 4, 4, 16 },
		{ "blocks", CARRIAGE_OOLS, EXTENT_FIXED, FORM_ARRAY, false, 2, 8, 0 },
		{ "blocks_few", CARRIAGE_OOLS, EXTENT_BOUNDED, FORM_ARRAY, false, 3, 8, 0 },
		{ "port_blocks", CARRIAGE_OOLS_PORTS, EXTENT_FIXED, FORM_ARRAY, false, 2, 8, 0 },
		{ "word", CARRIAGE_INLINE, EXTENT_FIXED, FORM_STRING, false, 16, 1, 16 },
		{ "line", CARRIAGE_INLINE, EXTENT_BOUNDED, FORM_STRING, false, 128, 1, 128 },
	};
	struct reading *reading = everything();

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		const struct expected_type *e = &expected[i];
		const struct ipc_type *t = type(reading, e->name);

		if (t->carriage != e->carriage || t->extent != e->extent || t->form != e->form ||
		    t->managed != e->managed || t->capacity != e->capacity ||
		    t->element_size != e->element_size || t->size_max != e->size_max)
			fail_msg("%s: carriage %d extent %d form %d managed %d capacity %u element "
				 "%u size %u",
				 e->name, t->carriage, t->extent, t->form, t->managed, t->capacity,
				 t->element_size, t->size_max);
	}
	reading_free(reading);
}

TEST(rights_are_called_as_sender_and_receiver_know_them)
{
	static const struct {
		const char *name;
		int32_t out_name;
		int32_t in_name;
		const char *in_text;
	} expected[] = {
		{ "receive", 16, 16, "MACH_MSG_TYPE_PORT_RECEIVE" },
		{ "send", 17, 17, "MACH_MSG_TYPE_PORT_SEND" },
		{ "move_once", 18, 18, "MACH_MSG_TYPE_PORT_SEND_ONCE" },
		{ "port", 19, 17, "MACH_MSG_TYPE_PORT_SEND" },
		{ "make", 20, 17, "MACH_MSG_TYPE_PORT_SEND" },
		{ "once", 21, 18, "MACH_MSG_TYPE_PORT_SEND_ONCE" },
		{ "any_receive", -1, 16, "MACH_MSG_TYPE_PORT_RECEIVE" },
		{ "any_send", -1, 17, "MACH_MSG_TYPE_PORT_SEND" },
		{ "any_once", -1, 18, "MACH_MSG_TYPE_PORT_SEND_ONCE" },
		{ "poly", -1, -1, "polymorphic" },
		{ "poly2", -1, -1, "polymorphic" },
		{ "mixed", -1, 18, "MACH_MSG_TYPE_PORT_SEND_ONCE" },
		{ "ports", 19, 17, "MACH_MSG_TYPE_PORT_SEND" },
		{ "name", 15, 15, "MACH_MSG_TYPE_PORT_NAME" },
	};
	struct reading *reading = everything();

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		const struct ipc_type *t = type(reading, expected[i].name);

		assert_int_equal(t->out_name.value, expected[i].out_name);
		assert_int_equal(t->in_name.value, expected[i].in_name);
		assert_string_equal(t->in_name.text, expected[i].in_text);
	}
	reading_free(reading);
}

TEST(c_types_and_translations_belong_to_one_name)
{
	struct reading *reading = everything();
	const struct ipc_type *task = type(reading, "task"), *plain = type(reading, "plain");
	const struct ipc_type *number = type(reading, "number"), *memory = type(reading, "memory");

	(void)state;
	assert_string_equal(task->user_type, "task_port");
	assert_string_equal(task->server_type, "mach_port_t");
	assert_string_equal(task->translated_type, "task_object");
	assert_string_equal(task->intran, "convert_in");
	assert_string_equal(task->outtran, "convert_out");
	assert_string_equal(task->destructor, "task_release");
	assert_string_equal(plain->user_type, "plain");
	assert_string_equal(plain->server_type, "plain");
	assert_string_equal(plain->translated_type, "plain");
	assert_null(plain->intran);
	assert_null(plain->outtran);
	assert_null(plain->destructor);
	assert_int_equal(plain->carriage, CARRIAGE_PORT);
	assert_string_equal(number->user_type, "integer_t");
	assert_string_equal(number->server_type, "integer_t");
	assert_string_equal(number->translated_type, "real_t");
	assert_string_equal(memory->user_type, "vm_offset_t");
	assert_string_equal(memory->server_type, "vm_offset_t");
	assert_string_equal(memory->element->user_type, "uint8_t");
	reading_free(reading);
}

TEST(flags_are_kept_where_they_fit)
{
	struct reading *reading = everything();
	const struct routine *memory = routine(reading, "memory_out_of_line");
	const struct routine *data = routine(reading, "inline_data");

	(void)state;
	assert_true(argument(memory, "a")->server_frees);
	assert_false(argument(memory, "c")->server_frees);
	assert_true(argument(memory, "h")->server_frees);
	assert_false(argument(memory, "k")->server_frees);
	assert_int_equal(argument(memory, "c")->dealloc, DEALLOC_YES);
	assert_int_equal(argument(memory, "d")->dealloc, DEALLOC_RUN_TIME);
	assert_true(argument(memory, "d")->has_dealloc);
	assert_int_equal(argument(memory, "p")->dealloc, DEALLOC_NO);
	assert_true(argument(memory, "e")->physical_copy);
	assert_true(argument(memory, "o")->overwrite);
	assert_false(argument(memory, "f")->has_count);
	assert_true(argument(data, "j")->count_inout);
	assert_false(argument(data, "o")->count_inout);
	assert_false(argument(data, "i")->has_count);
	assert_null(argument(data, "i")->count_of);
	assert_true(argument(routine(reading, "one_way"), "f")->is_const);
	assert_true(argument(routine(reading, "rows"), "e")->has_subs);
	assert_true(argument(routine(reading, "answer"), "code")->retcode);
	reading_free(reading);
}

TEST(a_chain_of_samecount_has_one_count)
{
	struct reading *reading = everything();
	const struct routine *shared = routine(reading, "shared");

	(void)state;
	assert_ptr_equal(argument(shared, "b")->count_of, argument(shared, "a"));
	assert_ptr_equal(argument(shared, "c")->count_of, argument(shared, "a"));
	assert_ptr_equal(argument(shared, "d")->count_of, argument(shared, "d"));
	assert_ptr_equal(argument(shared, "e")->count_of, argument(shared, "d"));
	assert_ptr_equal(argument(shared, "g")->count_of, argument(shared, "f"));
	assert_true(argument(shared, "a")->has_count);
	assert_false(argument(shared, "c")->has_count);
	reading_free(reading);
}

TEST(polymorphic_rights_have_a_parameter_where_somebody_needs_it)
{
	static const struct {
		const char *name;
		bool user;
		bool server;
	} expected[] = {
		{ "server", true, true }, { "a", false, false }, { "g", true, false },
		{ "h", true, false },     { "i", true, true },   { "j", true, false },
		{ "k", true, true },      { "l", true, true },
	};
	struct reading *reading = everything();
	struct reading *out = reading_of("type some = MACH_MSG_TYPE_PORT_SEND;"
					 "routine f(p : port; out x : some);");

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		const struct argument *a = argument(routine(reading, "rights"), expected[i].name);

		assert_int_equal(a->user_poly, expected[i].user);
		assert_int_equal(a->server_poly, expected[i].server);
		assert_int_equal(a->has_poly, expected[i].user || expected[i].server);
	}
	assert_false(argument(routine(out, "f"), "x")->user_poly);
	assert_true(argument(routine(out, "f"), "x")->server_poly);
	reading_free(reading);
	reading_free(out);
}

TEST(special_arguments_have_their_roles)
{
	struct reading *reading = everything();
	const struct routine *r = routine(reading, "options");
	const struct routine *again = routine(reading, "options_again");

	(void)state;
	assert_ptr_equal(r->request_port, argument(r, "server"));
	assert_int_equal(argument(r, "a")->role, ROLE_IN);
	assert_ptr_equal(r->reply_port, argument(r, "reply"));
	assert_int_equal(r->reply_port->user, PASS_NOT);
	assert_int_equal(r->reply_port->server, PASS_IN);
	assert_ptr_equal(r->wait_time, argument(r, "w"));
	assert_ptr_equal(r->msg_option, argument(r, "o"));
	assert_int_equal(r->user_trailer, TRAILER_AUDIT);
	assert_int_equal(r->server_trailer, TRAILER_CONTEXT);
	assert_int_equal(argument(r, "ss")->user, PASS_OUT);
	assert_int_equal(argument(r, "ss")->server, PASS_IN);
	assert_ptr_equal(again->request_port, argument(again, "p"));
	assert_ptr_equal(again->send_time, argument(again, "s"));
	assert_int_equal(again->user_trailer, TRAILER_AUDIT);
	assert_int_equal(again->server_trailer, TRAILER_AUDIT);
	reading_free(reading);
}

TEST(the_generators_take_all_that_is_accepted)
{
	struct reading *reading = everything();

	(void)state;
	assert_true(reading_generate(reading) > 10000);
	reading->settings.json = true;
	assert_true(reading_generate(reading) > 1000);
	reading_free(reading);
}
