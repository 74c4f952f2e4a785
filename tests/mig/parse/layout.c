/*
 * Layouts that are known from the wire.
 *
 * Source: mig-codegen.md §2.1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/mig/errors/reading.h"
#include "tests/support/runner.h"

/* As text: "SIZE" or "MIN..MAX", and each part as " name@offset/size[+padding]". */
static void
describe(const struct message *message, FILE *out)
{
	if (!message->exists) {
		fputs("none", out);
		return;
	}
	if (message->size_min != message->size_max)
		fprintf(out, "%u..", message->size_min);
	fprintf(out, "%u", message->size_max);
	if (message->is_complex)
		fprintf(out, " count%u", message->wire_descriptor_count);
	for (uint32_t i = 0; i < message->descriptor_count; i++) {
		const struct message_descriptor *d = &message->descriptors[i];

		fprintf(out, " %s@%u/%u", d->argument->name, d->offset, d->size * d->count);
	}
	if (message->has_ndr)
		fprintf(out, " NDR@%u", message->ndr_offset);
	for (uint32_t i = 0; i < message->field_count; i++) {
		const struct message_field *f = &message->fields[i];

		fprintf(out, " %s@%u/%u", f->name, f->offset_max, f->size_max);
		if (f->padding)
			fprintf(out, "+%u", f->padding);
	}
}

struct golden {
	const char *routine; /* its arguments after the port */
	const char *request;
	const char *reply;
};

static void
check_golden(const struct golden *golden, const char *keyword)
{
	char *definition, *request, *reply;
	size_t size;

	if (asprintf(&definition, "%s f(p : port%s%s);", keyword, *golden->routine ? "; " : "",
		     golden->routine) < 0)
		abort();
	struct reading *reading = reading_of(definition);
	if (!reading->interface)
		fail_msg("%s", reading->said);
	FILE *out = open_memstream(&request, &size);
	describe(&reading->interface->routines[0].request, out);
	fclose(out);
	out = open_memstream(&reply, &size);
	describe(&reading->interface->routines[0].reply, out);
	fclose(out);
	assert_string_equal(request, golden->request);
	assert_string_equal(reply, golden->reply);
	free(request);
	free(reply);
	free(definition);
	reading_free(reading);
}

TEST(messages_of_routines_are_laid_out_as_on_the_wire)
{
	static const char error[] = "36 NDR@24 RetCode@32/4";
	const struct golden goldens[] = {
		{ "", "24", error },
		{ "a : int; out b : int64", "36 NDR@24 a@32/4", "44 NDR@24 RetCode@32/4 b@36/8" },
		{ "a : a_t = array[*:10] of byte; x : int; s : s_t = c_string[*:128]; "
		  "f : f_t = c_string[64]; b : b_t = array[*:5] of int; y : int; "
		  "out ob : o_t = array[*:5] of int, countinout",
		  "124..284 NDR@24 aCnt@32/4 a@36/10+2 x@48/4 sOffset@52/4 sCnt@56/4 s@60/128 "
		  "f@188/64 bCnt@252/4 b@256/20 y@276/4 obCnt@280/4",
		  "40..60 NDR@24 RetCode@32/4 obCnt@36/4 ob@40/20" },
		{ "a : port; b : b_t = array[*:4] of port; c : c_t = array[2] of port",
		  "124 count7 a@28/12 b@40/48 c@88/24 NDR@112 bCnt@120/4", error },
		{ "a : memory; b : b_t = ^array[*:16] of int; c : c_t = ^array[16] of int; f : "
		  "ports",
		  "112 count4 a@28/16 b@44/16 c@60/16 f@76/16 NDR@92 aCnt@100/4 bCnt@104/4 "
		  "fCnt@108/4",
		  error },
		{ "out p2 : port", "24", "40 count1 p2@28/12" },
		{ "inout a : int; inout b : port; inout c : memory; inout f : f_t = array[3] of "
		  "byte",
		  "76 count2 b@28/12 c@40/16 NDR@56 a@64/4 cCnt@68/4 f@72/3+1",
		  "76 count2 b@28/12 c@40/16 NDR@56 a@64/4 cCnt@68/4 f@72/3+1" },
		/* mach_port_insert_right, _extract_right, _request_notification, _names */
		{ "n : int; r : poly", "52 count1 r@28/12 NDR@40 n@48/4", error },
		{ "n : int; m : int; out r : poly", "40 NDR@24 n@32/4 m@36/4",
		  "40 count1 r@28/12" },
		{ "n : int; id : int; sync : int; notify : once; out previous : port",
		  "60 count1 notify@28/12 NDR@40 n@48/4 id@52/4 sync@56/4",
		  "40 count1 previous@28/12" },
		{ "out names : data; out types : data", "24",
		  "76 count2 names@28/16 types@44/16 NDR@60 namesCnt@68/4 typesCnt@72/4" },
		/* task_info, mach_ports_register, mach_exception_raise */
		{ "flavor : int; out i : i_t = array[*:94] of int, countinout",
		  "40 NDR@24 flavor@32/4 iCnt@36/4",
		  "40..416 NDR@24 RetCode@32/4 iCnt@36/4 i@40/376" },
		{ "r : ports", "56 count1 r@28/16 NDR@44 rCnt@52/4", error },
		{ "thread : port; task : port; e : int; code : c_t = array[*:2] of int64",
		  "68..84 count2 thread@28/12 task@40/12 NDR@52 e@60/4 codeCnt@64/4 code@68/16",
		  error },
		/* one count for two; counts of parts */
		{ "a : few; b : few, samecount", "36..68 NDR@24 aCnt@32/4 a@36/16 b@52/16", error },
		{ "out a : few, countinout; out b : few, countinout, samecount",
		  "36 NDR@24 aCnt@32/4", "40..72 NDR@24 RetCode@32/4 aCnt@36/4 a@40/16 b@56/16" },
		{ "a : a_t = array[*:3] of memory",
		  "100 count3 a@28/48 NDR@76 aCnt@84/4 aSubs@88/12", error },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++)
		check_golden(&goldens[i], "routine");
}

TEST(messages_of_simpleroutines_and_delayed_replies_are_laid_out_as_on_the_wire)
{
	static const struct golden goldens[] = {
		{ "n : int", "36 NDR@24 n@32/4", "none" },
		{ "", "24", "none" },
		{ "right : port", "40 count1 right@28/12", "none" },
		{ "code : int, retcode; x : int64", "44 NDR@24 RetCode@32/4 x@36/8", "none" },
		{ "x : port; code : int, retcode; y : int", "52 count1 x@28/12 NDR@40 y@48/4",
		  "none" },
		{ "x : port; code : int, retcode", "40 count1 x@28/12", "none" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++)
		check_golden(&goldens[i], "simpleroutine");
}

TEST(fields_behind_variable_ones_know_how_many_there_are)
{
	struct reading *reading = reading_of("routine f(p : port; a : few; s : text; x : int);");
	const struct message *request = &reading->interface->routines[0].request;
	static const uint32_t before[] = { 0, 0, 1, 1, 1, 2 };

	(void)state;
	assert_int_equal(request->cut_count, 2);
	assert_int_equal(request->field_count, 6);
	for (uint32_t i = 0; i < request->field_count; i++) {
		assert_int_equal(request->fields[i].cut_before, before[i]);
		assert_int_equal(request->fields[i].is_cut, i == 1 || i == 4);
	}
	reading_free(reading);
}

TEST(native_types_leave_sizes_to_the_c_compiler)
{
	struct reading *reading =
	    reading_of("routine f(p : port; in a : PointerToIfNot(struct x, NULL); out b : "
		       "PointerTo(long));");
	const struct routine *routine = &reading->interface->routines[0];

	(void)state;
	assert_true(routine->request.has_native && routine->reply.has_native);
	assert_int_equal(routine->request.fields[0].kind, FIELD_PRESENCE);
	assert_string_equal(routine->request.fields[0].name, "aPresent");
	assert_string_equal(routine->request.fields[1].argument->type->native_type, "struct x");
	assert_string_equal(routine->request.fields[1].argument->type->native_value, "NULL");
	reading_free(reading);
}
