/*
 * The headers of the two sides, and the small ones.  Source: mig-codegen.md §8.
 */
#include "mig/generate/c_text.h"

#include <ctype.h>

/* Numbers and names of all routines, for programs that print traces. */
static void
name_map(struct writer *w)
{
	const struct interface *interface = w->interface;
	bool any = false;

	write_line(w, "#ifndef subsystem_to_name_map_%s", interface->name);
	text_printf(w->text, "#define subsystem_to_name_map_%s", interface->name);
	for (uint32_t i = 0; i < interface->routine_count; i++) {
		const struct routine *routine = &interface->routines[i];

		if (!routine->name)
			continue;
		text_printf(w->text, "%s\\\n\t{ \"%s\", %d }", any ? ", " : " ", routine->name,
			    routine->id);
		any = true;
	}
	write_line(w, "\n#endif\n");
}

static void
message_count_macro(struct writer *w)
{
	const struct interface *interface = w->interface;

	write_line(w, "#ifndef %s_MSG_COUNT", interface->name);
	write_line(w, "#define %s_MSG_COUNT %u", interface->name, interface->routine_count);
	write_line(w, "#endif\n");
}

static void
header_begin(struct writer *w, const char *what, const char *guard)
{
	c_file_head(w, what);
	write_line(w, "#ifndef _%s_%s_", w->interface->name, guard);
	write_line(w, "#define _%s_%s_\n", w->interface->name, guard);
}

/* What lies between the includes and the message types. */
static void
header_middle(struct writer *w)
{
	if (!w->settings->split_headers)
		c_include_runtime(w);
	c_include_imports(w, false);
	c_file_visibility(w);
	message_count_macro(w);
}

/* ---- the generators -------------------------------------------------------------------- */

static void
generate_header(const struct interface *interface, const struct settings *settings,
		struct outputs *outputs)
{
	struct writer w;

	if (!c_is_wanted(settings->header_file))
		return;
	w = writer_begin(interface, settings, outputs, settings->header_file, SIDE_USER);
	header_begin(&w, "User header", "user");
	header_middle(&w);
	c_prototypes(&w);
	c_message_types(&w);
	name_map(&w);
	write_line(&w, "#endif /* _%s_user_ */", interface->name);
	writer_end(&w);
}

static void
generate_server_header(const struct interface *interface, const struct settings *settings,
		       struct outputs *outputs)
{
	struct writer w;

	if (!c_is_wanted(settings->server_header_file))
		return;
	w = writer_begin(interface, settings, outputs, settings->server_header_file, SIDE_SERVER);
	header_begin(&w, "Server header", "server");
	header_middle(&w);
	c_prototypes(&w);
	c_server_symbols(&w);
	c_message_types(&w);
	name_map(&w);
	write_line(&w, "#endif /* _%s_server_ */", interface->name);
	writer_end(&w);
}

static const char *
upper_case(struct writer *w, const char *name)
{
	char *upper = write_string(w, "%s", name);

	for (char *c = upper; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return upper;
}

static void
generate_defines(const struct interface *interface, const struct settings *settings,
		 struct outputs *outputs)
{
	struct writer w;

	if (!c_is_wanted(settings->defines_file))
		return;
	w = writer_begin(interface, settings, outputs, settings->defines_file, SIDE_USER);
	header_begin(&w, "Numbers", "defines");
	for (uint32_t i = 0; i < interface->import_count; i++) {
		if (interface->imports[i].kind == IMPORT_DEFINES)
			write_line(&w, "#include %s", interface->imports[i].file);
	}
	message_count_macro(&w);
	for (uint32_t i = 0; i < interface->routine_count; i++) {
		const struct routine *routine = &interface->routines[i];

		if (!routine->name)
			continue;
		const char *upper = upper_case(&w, routine->name);
		write_line(&w, "#define MACH_ID_%s %d", upper, routine->id);
		if (!routine->simple)
			write_line(&w, "#define MACH_ID_%s_REPLY %d", upper, routine->id + 100);
	}
	write_line(&w, "\n#endif /* _%s_defines_ */", interface->name);
	writer_end(&w);
}

static void
generate_internal_header(const struct interface *interface, const struct settings *settings,
			 struct outputs *outputs)
{
	struct writer w;

	if (!c_is_wanted(settings->internal_header_file))
		return;
	w = writer_begin(interface, settings, outputs, settings->internal_header_file, SIDE_SERVER);
	header_begin(&w, "Names inside the kernel", "internal");
	for (uint32_t i = 0; i < interface->routine_count; i++) {
		const char *function = interface->routines[i].server_function;

		if (interface->routines[i].name)
			write_line(&w, "#define %s %s_external", function, function);
	}
	write_line(&w, "\n#endif /* _%s_internal_ */", interface->name);
	writer_end(&w);
}

const struct generator header_generator = { "user header", generate_header };
const struct generator server_header_generator = { "server header", generate_server_header };
const struct generator defines_generator = { "defines", generate_defines };
const struct generator internal_header_generator = { "internal header", generate_internal_header };
