/*
 * Asking the name server, for `berth launch`.
 */
#ifndef BERTH_TOOLS_LAUNCH_CLIENT_H
#define BERTH_TOOLS_LAUNCH_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include <plist/plist.h>

#include "launchUser.h"

/* One of the routines of interfaces/servers/launch.defs that steer: berth_launch_load() … */
typedef kern_return_t launch_routine(mach_port_t bp, launch_data_t data,
				     mach_msg_type_number_t dataCnt, uint32_t flags,
				     const launch_argument_t argument, launch_text_t *answer,
				     mach_msg_type_number_t *answerCnt, integer_t *status);

/* What the name server said. */
struct launch_result {
	int error;  /* 0 or an errno */
	char *text; /* ends with NUL; never NULL after launch_ask(); to be freed */
};

/*
 * Ask @routine about @argument, with @size_bytes of @data.
 *
 * 0    it answered: look at @result, and free result->text
 * -1   it did not: the reason has been told on stderr
 */
int launch_ask(launch_routine *routine, const char *argument, uint32_t flags, const char *data,
	       size_t size_bytes, struct launch_result *result);

/*
 * The same, for what is answered with a property list.  NULL: told on stderr, too if the
 * answer was an error.
 */
plist_t launch_ask_plist(launch_routine *routine, const char *argument, uint32_t flags);

/* The same, for what is answered with nothing.  0, or -1 after telling. */
int launch_order(launch_routine *routine, const char *argument, uint32_t flags);

/* Say on stderr what went wrong with @what.  Gives -1. */
__attribute__((format(printf, 2, 3))) int launch_tell(const char *what, const char *format, ...);

#endif
