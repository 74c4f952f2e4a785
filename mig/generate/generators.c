/*
 * The list of generators.
 */
#include "mig/generate/generator.h"

extern const struct generator json_generator, header_generator, server_header_generator,
    defines_generator, internal_header_generator, user_generator, server_generator;

const struct generator *const generators[] = {
	&json_generator,
	&header_generator,
	&server_header_generator,
	&defines_generator,
	&internal_header_generator,
	&user_generator,
	&server_generator,
	NULL,
};
