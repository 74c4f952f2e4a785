/*
 * Asking the name server, for `berth launch`.
 */
#ifndef BERTH_TOOLS_LAUNCH_CLIENT_H
#define BERTH_TOOLS_LAUNCH_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include <plist/plist.h>

#include <berth/launch_protocol.h>

/* What the name server said. */
struct launch_result {
	int error;  /* 0 or an errno */
	char *text; /* ends with NUL; never NULL after launch_ask(); to be freed */
};

/*
 * Ask the routine @id about @argument, with @size_bytes of @data.
 *
 * 0    it answered: look at @result, and free result->text
 * -1   it did not: the reason has been told on stderr
 */
int launch_ask(enum launch_routine id, const char *argument, uint32_t flags, const char *data,
	       size_t size_bytes, struct launch_result *result);

/*
 * The same, for what is answered with a property list.  NULL: told on stderr, too if the
 * answer was an error.
 */
plist_t launch_ask_plist(enum launch_routine id, const char *argument, uint32_t flags);

/* The same, for what is answered with nothing.  0, or -1 after telling. */
int launch_order(enum launch_routine id, const char *argument, uint32_t flags);

/* Say on stderr what went wrong with @what.  Gives -1. */
__attribute__((format(printf, 2, 3))) int launch_tell(const char *what, const char *format, ...);

#endif
