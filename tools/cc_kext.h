/*
 * berth cc --kext: what a kernel extension is compiled and linked with, and its bundle.
 *
 * The compiler writes right into the bundle; Info.plist is written last, so that a bundle that
 * has one is whole.
 */
#ifndef BERTH_TOOLS_CC_KEXT_H
#define BERTH_TOOLS_CC_KEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/words.h"

struct cc_kext {
	bool is_kext;           /* --kext */
	const char *info_plist; /* --info-plist; NULL: to be made */
	const char *output;     /* of -o; NULL: none */
	size_t output_index;    /* which word of the command line it is in */
	const char *sanitizers; /* of -fsanitize=; NULL: none */
	bool is_bundle;         /* the output is a NAME.kext */
	char *executable;       /* in the bundle */
};

void cc_kext_add_cflags(struct words *words);
void cc_kext_add_link_flags(const struct cc_kext *kext, struct words *words);

/*
 * Before the compiler: make the bundle's folders, if one is to be made (@is_linked), and turn
 * the output in @given into the code's place there.  0, or the exit code after saying why not.
 */
int cc_kext_prepare(struct cc_kext *kext, struct words *given, bool is_linked, bool is_static);

/* After it: look at what came out, and write Info.plist.  0, or the exit code. */
int cc_kext_finish(struct cc_kext *kext);

void cc_kext_free(struct cc_kext *kext);

#endif
