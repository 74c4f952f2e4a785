/*
 * Stubs: what mig makes of the interfaces on a command line of `berth cc`.
 *
 * X.defs becomes X.h, XServer.h, XUser.c and XServer.c in a private folder, which is put where
 * the compiler looks for headers.  The C files are compiled by themselves, and put into an
 * archive that the program is linked with: so a client needs no server functions, and a server
 * may have functions that are called as the user's stubs are.
 */
#ifndef BERTH_TOOLS_STUBS_H
#define BERTH_TOOLS_STUBS_H

#include "tools/words.h"

struct stubs {
	const char *command;      /* "cc": for messages */
	struct words interfaces;  /* the .defs files */
	struct words mig_options; /* -I, -D and -U of the command line */
	struct words options;     /* those that the C files are compiled with */
	char *folder;             /* NULL: not made yet */
};

bool stubs_is_interface(const char *file);

/*
 * Note one option of the command line, with its @value if that is the next argument (or
 * NULL): does mig need it, does compiling the stubs?
 */
void stubs_note_option(struct stubs *stubs, const char *option, const char *value);

/*
 * Make the folder and let mig write into it.  The folder then is the stubs' own until
 * stubs_free().
 *
 * 0, or the exit code after saying why not, or after mig said it
 */
int stubs_make(struct stubs *stubs);

/* Where the compiler finds the headers, and what the interfaces import; nothing if not made. */
void stubs_add_folders(const struct stubs *stubs, struct words *words);

/*
 * Compile them with @compiler (its name, and what comes before the options).  @into: NULL, and
 * the objects go into one archive in the stubs' folder, stubs_archive(); or a folder to leave
 * XUser.o and XServer.o in.
 *
 * 0, or the exit code
 */
int stubs_compile(struct stubs *stubs, const struct words *compiler, const char *into);

/* The archive's name, for words_add_text(). */
#define STUBS_ARCHIVE "libstubs.a"

/*
 * Run @words to the end.  SIGINT, SIGTERM and SIGHUP are meant for what runs, and passed on.
 * The exit code: 128 and the signal, if it ended so.
 */
int stubs_run(const struct stubs *stubs, const struct words *words);

/* Remove the folder, give back all memory. */
void stubs_free(struct stubs *stubs);

#endif
