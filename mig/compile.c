/*
 * Compile: see compile.h.
 */
#include "mig/check/check.h"
#include "mig/compile.h"
#include "mig/syntax/parser.h"

struct interface *
compile_read(struct arena *arena, struct diagnostics *diagnostics, const struct settings *settings,
	     const char *source, const char *text, size_t size)
{
	uint32_t errors_before = diagnostics->error_count;
	const struct tree *tree = parser_parse(arena, diagnostics, source, text, size);
	struct interface *interface = check_tree(arena, diagnostics, settings, source, tree);

	return diagnostics->error_count == errors_before ? interface : NULL;
}

void
compile_generate(struct arena *arena, const struct interface *interface,
		 const struct settings *settings, struct outputs *outputs)
{
	struct settings named = *settings;

	if (!named.user_file)
		named.user_file = arena_printf(arena, "%sUser.c", interface->name);
	if (!named.server_file)
		named.server_file = arena_printf(arena, "%sServer.c", interface->name);
	if (!named.header_file)
		named.header_file = arena_printf(arena, "%s.h", interface->name);
	if (settings->json) /* in place of all files */
		named = (struct settings){ .json = true };
	for (const struct generator *const *generator = generators; *generator; generator++)
		(*generator)->generate(interface, &named, outputs);
}
