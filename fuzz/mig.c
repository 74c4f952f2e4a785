/*
 * Fuzzing of mig: any bytes as a preprocessed definition, through lexer, parser, checks and all
 * generators.  What comes out is made, and dropped.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "mig/compile.h"
#include "mig/outputs.h"

static void
generate(struct arena *arena, const struct interface *interface, struct settings settings)
{
	struct outputs *outputs = outputs_new();

	compile_generate(arena, interface, &settings, outputs);
	outputs = outputs_free(outputs);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct arena *arena = arena_new();
	struct diagnostics diagnostics = { .out = NULL };
	struct settings settings = { .use_vouchers = true, .stack_limit = 1024 };
	char *text = malloc(size + 1), *said;
	size_t said_size;

	diagnostics.out = open_memstream(&said, &said_size);
	if (!text || !diagnostics.out)
		abort();
	if (size)
		memcpy(text, bytes, size);
	text[size] = '\0';
	struct interface *interface =
	    compile_read(arena, &diagnostics, &settings, "fuzz.defs", text, size);
	if (interface) {
		generate(arena, interface, settings);
		settings.json = true;
		generate(arena, interface, settings);
		settings = (struct settings){
			.server_header_file = "server.h",
			.internal_header_file = "internal.h",
			.defines_file = "defines.h",
			.user_prefix_files = "user_",
			.split_headers = true,
			.two_calls = true,
			.symbol_table = true,
			.event_logger = true,
			.ndr_convert = true,
			.bounds = true,
		};
		generate(arena, interface, settings);
	}
	fclose(diagnostics.out);
	free(said);
	free(text);
	arena = arena_free(arena);
	return 0;
}
