/*
 * What generated files begin and end with.  Source: mig-codegen.md §5.3, §8.
 */
#include "mig/generate/c_text.h"

#include <string.h>

bool
c_is_wanted(const char *path)
{
	return path && strcmp(path, "/dev/null") != 0;
}

void
c_file_head(struct writer *w, const char *what)
{
	const struct interface *interface = w->interface;

	write_line(w, "/*");
	write_line(w, " * %s of subsystem %s, numbers %d to %d.", what, interface->name,
		   interface->base, interface->base + (int32_t)interface->routine_count - 1);
	write_line(w, " * Made by mig from %s: change that, not this.", interface->source);
	write_line(w, " */");
	if (interface->rcsid)
		write_line(w, "/* %s */", interface->rcsid);
}

static void
include(struct writer *w, const char *file)
{
	write_line(w, "#include <%s>", file);
}

void
c_include_runtime(struct writer *w)
{
	static const char *const files[] = {
		"stddef.h",          "stdint.h",       "string.h",           "sys/cdefs.h",
		"mach/ndr.h",        "mach/boolean.h", "mach/kern_return.h", "mach/notify.h",
		"mach/mach_types.h", "mach/message.h", "mach/mig.h",         "mach/mig_errors.h",
		"mach/port.h",
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		include(w, files[i]);
	write_line(w, "%s", "");
}

void
c_include_imports(struct writer *w, bool internal)
{
	const struct interface *interface = w->interface;
	enum import_kind others = w->side == SIDE_SERVER ? IMPORT_USER : IMPORT_SERVER;
	uint32_t count = 0;

	for (uint32_t i = 0; i < interface->import_count; i++) {
		const struct import *import = &interface->imports[i];

		if (import->kind == others || (import->kind == IMPORT_INTERNAL && !internal))
			continue;
		write_line(w, "#include %s", import->file);
		count++;
	}
	if (count > 0)
		write_line(w, "%s", "");
}

void
c_voucher_hook(struct writer *w)
{
	if (!w->settings->use_vouchers || w->interface->kernel_user)
		return;
	write_line(w, "/* A hook of the run time: called where it is there. */");
	write_line(w, "__BEGIN_DECLS");
	write_line(w, "extern boolean_t voucher_mach_msg_set(mach_msg_header_t *msg) "
		      "__attribute__((weak));");
	write_line(w, "__END_DECLS\n");
}

static size_t
folder_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) + 1 : 0;
}

/* #include of a generated header from the generated C file @from. */
static void
include_header(struct writer *w, const char *header, const char *from)
{
	size_t folder = folder_length(header);

	/* files side by side find each other wherever their folder goes */
	if (folder == folder_length(from) && strncmp(header, from, folder) == 0)
		header += folder;
	write_line(w, "#include \"%s\"\n", header);
}

static void
write_guarded(struct writer *w, const char *name, const char *parameters, const char *value)
{
	write_line(w, "#ifndef %s", name);
	write_line(w, "#define %s%s%s%s", name, parameters, *value ? " " : "", value);
	write_line(w, "#endif");
}

void
c_file_visibility(struct writer *w)
{
	write_guarded(w, "mig_external", "", "extern");
	if (w->side == SIDE_SERVER)
		write_guarded(w, "MIG_SERVER_ROUTINE", "", "");
	write_line(w, "%s", "");
}

void
c_file_macros(struct writer *w)
{
	write_guarded(w, "mig_internal", "", "static __inline__");
	write_line(w, "/* A field that has moved by `cut` bytes, for arrays before it that are not "
		      "full. */");
	write_line(w, "#ifndef MIG_AT");
	write_line(w, "#define MIG_AT(message, field, cut) \\");
	write_line(w, "\t((void *)((char *)(message) + \\");
	write_line(w, "\t    offsetof(__typeof__(*(message)), field) - (cut)))");
	write_line(w, "#define MIG_NUMBER_AT(message, field, cut) \\");
	write_line(w, "\t(*(mach_msg_type_number_t *)MIG_AT(message, field, cut))");
	write_line(w, "#endif\n");
}

void
c_hooks(struct writer *w)
{
	static const char *const user[] = {
		"__DeclareSendRpc",    "__BeforeSendRpc",    "__AfterSendRpc",
		"__DeclareSendSimple", "__BeforeSendSimple", "__AfterSendSimple",
	};
	static const char *const server[] = {
		"__DeclareRcvRpc",    "__BeforeRcvRpc",    "__AfterRcvRpc",
		"__DeclareRcvSimple", "__BeforeRcvSimple", "__AfterRcvSimple",
	};
	const char *const *hooks = w->side == SIDE_USER ? user : server;

	write_line(w, "/* For tracing: an includer may define them first. */");
	for (size_t i = 0; i < 6; i++)
		write_guarded(w, hooks[i], "(number, name)", "");
	if (w->settings->event_logger)
		write_guarded(w, "__MIG_LogEvent", "(event, number, name)", "");
	write_line(w, "%s", "");
}

void
c_prototypes(struct writer *w)
{
	const struct interface *interface = w->interface;
	bool user = w->side == SIDE_USER;

	if (w->settings->bounds)
		write_guarded(w, "__counted_by", "(count)", "");
	write_line(w, "__BEGIN_DECLS\n");
	for (uint32_t i = 0; i < interface->routine_count; i++) {
		const struct routine *routine = &interface->routines[i];

		if (!routine->name)
			continue;
		write_line(w, "/* %s %s: %d */", routine->simple ? "Simpleroutine" : "Routine",
			   routine->name, routine->id);
		write_line(w, "%s", user ? "mig_external" : "MIG_SERVER_ROUTINE mig_external");
		text_printf(w->text, "kern_return_t %s",
			    user ? routine->user_function : routine->server_function);
		c_parameters(w, routine);
		write_line(w, ";\n");
	}
	write_line(w, "__END_DECLS\n");
}

void
c_file_begin(struct writer *w, const char *what, const char *header, const char *from)
{
	bool has_header = c_is_wanted(header);

	c_file_head(w, what);
	if (w->settings->split_headers || !has_header) {
		c_include_runtime(w);
		c_include_imports(w, w->settings->split_headers || w->side == SIDE_SERVER);
	}
	if (has_header) {
		include_header(w, header, from);
	} else {
		c_file_visibility(w);
		c_prototypes(w);
		if (w->side == SIDE_SERVER)
			c_server_symbols(w);
		c_message_types(w);
	}
	if (w->side == SIDE_USER) {
		if (!w->interface->kernel_user)
			write_line(w, "#include <mach/mach.h>\n");
		c_voucher_hook(w);
	}
	c_file_macros(w);
	c_hooks(w);
}
