/*
 * A generator that the compiler knows nothing of: a program of its own around the other
 * phases, linked as they are.  It lists the routines.
 *
 * It reads preprocessed text from standard input.
 */
#include "mig/compile.h"
#include "mig/outputs.h"

#include <stdio.h>

static void
list_generate(const struct interface *interface, const struct settings *settings,
	      struct outputs *outputs)
{
	struct text *text = outputs_add(outputs, settings->defines_file);

	text_printf(text, "%s from %d\n", interface->name, interface->base);
	for (uint32_t i = 0; i < interface->routine_count; i++) {
		const struct routine *routine = &interface->routines[i];

		if (routine->name == NULL)
			continue;
		text_printf(text, "%d %s: %u to %u bytes", routine->id, routine->name,
			    routine->request.size_min, routine->request.size_max);
		if (routine->reply.exists)
			text_printf(text, ", %u to %u back", routine->reply.size_min,
				    routine->reply.size_max);
		text_printf(text, "\n");
	}
}

static const struct generator list_generator = { "list", list_generate };

/* In place of the list in mig/generate/generators.c. */
const struct generator *const generators[] = { &list_generator, NULL };

int
main(void)
{
	static char bytes[1 << 16];
	size_t size = fread(bytes, 1, sizeof(bytes) - 1, stdin);
	struct diagnostics diagnostics = { .out = stderr };
	struct settings settings = { .defines_file = "-" };
	struct arena *arena = arena_new();
	struct interface *interface =
	    compile_read(arena, &diagnostics, &settings, "list.defs", bytes, size);
	int result = -1;

	if (interface) {
		struct outputs *outputs = outputs_new();

		compile_generate(arena, interface, &settings, outputs);
		result = outputs_put(outputs, stderr);
		outputs_free(outputs);
	}
	arena_free(arena);
	return result == 0 ? 0 : 1;
}
