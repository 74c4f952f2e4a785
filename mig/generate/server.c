/*
 * The server's file: stubs, the table of them and the function that picks one.
 * Source: mig-codegen.md §7.1, §8.
 */
#include "mig/generate/server.h"

/* ---- symbols --------------------------------------------------------------------------- */

static const char *
table_name(struct writer *w)
{
	return write_string(w, "%s%s_subsystem", w->interface->server_prefix, w->interface->name);
}

static uint32_t
table_size(const struct interface *interface)
{
	return interface->routine_count > 0 ? interface->routine_count : 1;
}

static const char *
routine_finder(struct writer *w)
{
	return write_string(w, "%s_routine", w->interface->demux);
}

static void
table_type(struct writer *w)
{
	write_line(w, "struct %s {", table_name(w));
	write_line(w, "\tmig_server_routine_t server; /* finds a stub */");
	write_line(w, "\tmach_msg_id_t start;");
	write_line(w, "\tmach_msg_id_t end; /* one more than the last */");
	write_line(w, "\tmach_msg_size_t maxsize; /* of any reply */");
	write_line(w, "\tvm_address_t reserved;");
	write_line(w, "\tstruct routine_descriptor routine[%u];", table_size(w->interface));
	write_line(w, "};");
}

void
c_server_symbols(struct writer *w)
{
	const struct interface *interface = w->interface;

	write_line(w, "__BEGIN_DECLS\n");
	write_line(w, "/* Serve a request: FALSE, and MIG_BAD_ID in the reply, if it is none of "
		      "these. */");
	write_line(w, "mig_external");
	write_line(w, "boolean_t %s(mach_msg_header_t *InHeadP, mach_msg_header_t *OutHeadP);\n",
		   interface->demux);
	write_line(w, "/* The stub of a request, 0 if it is none of these. */");
	write_line(w, "mig_external");
	write_line(w, "mig_routine_t %s(mach_msg_header_t *InHeadP);\n", routine_finder(w));
	table_type(w);
	write_line(w, "extern const struct %s %s;\n", table_name(w), table_name(w));
	write_line(w, "__END_DECLS\n");
}

/* ---- the table ------------------------------------------------------------------------- */

static void
table(struct writer *w)
{
	const struct interface *interface = w->interface;

	write_line(w, "/* By number from %d on; all zero where one is skipped. */",
		   interface->base);
	write_line(w, "const struct %s %s = {", table_name(w), table_name(w));
	write_line(w, "\t.server = %s,", routine_finder(w));
	write_line(w, "\t.start = %d,", interface->base);
	write_line(w, "\t.end = %d,", interface->base + (int32_t)interface->routine_count);
	write_line(w, "\t.maxsize = (mach_msg_size_t)sizeof(union __ReplyUnion__%s%s_subsystem),",
		   interface->server_prefix, interface->name);
	write_line(w, "\t.reserved = 0,");
	write_line(w, "\t.routine = {");
	for (uint32_t i = 0; i < interface->routine_count; i++) {
		const struct routine *routine = &interface->routines[i];

		if (!routine->name)
			continue;
		write_line(w, "\t\t[%u] = {", i);
		write_line(w, "\t\t\t.stub_routine = _X%s,", routine->name);
		write_line(w, "\t\t\t.argc = %u,", c_parameter_count(w, routine));
		write_line(w, "\t\t\t.max_reply_msg = sizeof(%s),", c_reply_type(w, routine));
		write_line(w, "\t\t},");
	}
	if (interface->routine_count == 0)
		write_line(w, "\t\t{ .stub_routine = 0 },");
	write_line(w, "\t},");
	write_line(w, "};\n");
}

static void
symbol_table(struct writer *w)
{
	const struct interface *interface = w->interface;
	const char *name = interface->name;

	write_line(w, "/* Names and numbers of the stubs. */");
	write_line(w, "extern mig_symtab_t _%sSymTab[];", name);
	write_line(w, "extern int _%sSymTabBase;", name);
	write_line(w, "extern int _%sSymTabEnd;", name);
	write_line(w, "mig_symtab_t _%sSymTab[] = {", name);
	for (uint32_t i = 0; i < interface->routine_count; i++) {
		const struct routine *routine = &interface->routines[i];

		if (routine->name)
			write_line(w, "\t{ (char *)(uintptr_t)\"%s\", %d, (void (*)(void))_X%s },",
				   routine->name, routine->id, routine->name);
		else
			write_line(w, "\t{ (char *)(uintptr_t)\"\", 0, 0 },");
	}
	if (interface->routine_count == 0)
		write_line(w, "\t{ (char *)(uintptr_t)\"\", 0, 0 },");
	write_line(w, "};");
	write_line(w, "int _%sSymTabBase = %d;", name, interface->base);
	write_line(w, "int _%sSymTabEnd = %d;\n", name,
		   interface->base + (int32_t)interface->routine_count);
}

/* ---- picking a stub -------------------------------------------------------------------- */

static void
error_reply(struct writer *w)
{
	write_line(w, "/* The form that every error is answered in. */");
	write_line(w, "mig_internal void");
	write_line(w, "__MIG_reply_error(mach_msg_header_t *OutHeadP, kern_return_t RetCode)\n{");
	write_line(w, "\tmig_reply_error_t *OutP = (mig_reply_error_t *)(void *)OutHeadP;\n");
	write_line(w, "\tOutP->Head.msgh_size = (mach_msg_size_t)sizeof(mig_reply_error_t);");
	write_line(w, "\tOutP->NDR = NDR_record;");
	write_line(w, "\tOutP->RetCode = RetCode;");
	write_line(w, "}\n");
}

static void
finder(struct writer *w)
{
	const char *name = table_name(w);

	write_line(w, "mig_external mig_routine_t");
	write_line(w, "%s(mach_msg_header_t *InHeadP)\n{", routine_finder(w));
	write_line(w, "\tif (InHeadP->msgh_id < %s.start || InHeadP->msgh_id >= %s.end)", name,
		   name);
	write_line(w, "\t\treturn 0;");
	write_line(w, "\treturn %s.routine[InHeadP->msgh_id - %s.start].stub_routine;", name, name);
	write_line(w, "}\n");
}

static void
demultiplexer(struct writer *w)
{
	write_line(w, "mig_external boolean_t");
	write_line(w, "%s(mach_msg_header_t *InHeadP, mach_msg_header_t *OutHeadP)\n{",
		   w->interface->demux);
	write_line(w, "\tmig_routine_t Routine = %s(InHeadP);\n", routine_finder(w));
	write_line(w, "\tOutHeadP->msgh_bits =");
	write_line(w, "\t    MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(InHeadP->msgh_bits), 0);");
	write_line(w, "\tOutHeadP->msgh_remote_port = InHeadP->msgh_remote_port;");
	write_line(w, "\tOutHeadP->msgh_size = (mach_msg_size_t)sizeof(mig_reply_error_t);");
	write_line(w, "\tOutHeadP->msgh_local_port = MACH_PORT_NULL;");
	write_line(w, "\tOutHeadP->msgh_voucher_port = MACH_PORT_NULL;");
	write_line(w, "\tOutHeadP->msgh_id = (mach_msg_id_t)((uint32_t)InHeadP->msgh_id + 100);");
	write_line(w, "\tif (Routine == 0) {");
	write_line(w, "\t\t__MIG_reply_error(OutHeadP, MIG_BAD_ID);");
	write_line(w, "\t\treturn FALSE;");
	write_line(w, "\t}");
	write_line(w, "\tRoutine(InHeadP, OutHeadP);");
	write_line(w, "\treturn TRUE;");
	write_line(w, "}\n");
}

/* ---- the file -------------------------------------------------------------------------- */

/* Where a C type has another size than the .defs say, the wire would be another one. */
static void
layout_check(struct writer *w, const struct routine *routine)
{
	if (w->interface->kernel_server || w->interface->kernel_user || routine->request.has_native)
		return;
	write_line(w, "#ifdef __LP64__");
	write_line(w, "_Static_assert(sizeof(%s) == %u,", c_request_type(w, routine),
		   routine->request.size_max);
	write_line(w,
		   "    \"%s: a C type of its arguments has not the size that the .defs give\");",
		   routine->name);
	write_line(w, "#endif\n");
}

static void
generate_server(const struct interface *interface, const struct settings *settings,
		struct outputs *outputs)
{
	struct writer w;

	if (!c_is_wanted(settings->server_file))
		return;
	w = writer_begin(interface, settings, outputs, settings->server_file, SIDE_SERVER);
	c_file_begin(&w, "Server stubs", settings->server_header_file, settings->server_file);
	error_reply(&w);
	for (uint32_t i = 0; i < interface->routine_count; i++) {
		const struct routine *routine = &interface->routines[i];

		if (!routine->name)
			continue;
		struct server_stub stub = {
			.w = &w,
			.routine = routine,
			.request = { &routine->request, "In0P", c_request_type(&w, routine), "_cut",
				     true },
			.reply = { &routine->reply, "OutP", c_reply_type(&w, routine), "_reply_cut",
				   false },
		};
		layout_check(&w, routine);
		server_write_check(&stub);
		server_write_stub(&stub);
	}
	table(&w);
	if (settings->symbol_table)
		symbol_table(&w);
	finder(&w);
	demultiplexer(&w);
	writer_end(&w);
}

const struct generator server_generator = { "server stubs", generate_server };
