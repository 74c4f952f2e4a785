/*
 * Fuzzing: a target is a function over bytes.  With libFuzzer it is called by that; else by
 * alone.c, which runs a corpus and seeded mutations of it.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Try @size bytes; 0.  What is wrong ends the program. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
/* Before the first one, for a target that needs it. */
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

#endif
