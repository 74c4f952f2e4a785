/*
 * Generators: each turns the interface into text, and knows of no other.
 *
 * A generator writes into memory; the driver puts the files down once all of them are done.
 * A new one is a file with a struct generator in it and a line in generators.c.
 */
#ifndef MIG_GENERATE_GENERATOR_H
#define MIG_GENERATE_GENERATOR_H

#include "mig/interface.h"
#include "mig/settings.h"
#include "mig/support/text.h"

/* The files to be written. */
struct outputs;

/*
 * Begin a file.  @path is copied; "-" is standard output.  Gives the text to fill, which
 * belongs to @outputs; what goes to "/dev/null" is filled and dropped.
 */
struct text *outputs_add(struct outputs *outputs, const char *path);

struct generator {
	const char *name;
	/* Adds its files to @outputs, or none if @settings do not ask for any. */
	void (*generate)(const struct interface *interface, const struct settings *settings,
			 struct outputs *outputs);
};

/* All of them, ended by NULL, in the order of running. */
extern const struct generator *const generators[];

#endif
