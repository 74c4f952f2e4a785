/*
 * Kernel events in words.
 */
#ifndef BERTH_TOOLS_EVENTS_TEXT_H
#define BERTH_TOOLS_EVENTS_TEXT_H

#include <stddef.h>
#include <stdio.h>
#include <sys/kern_event.h>

/* The vendor that was asked for by its string, and has a name for that. */
struct events_vendor {
	uint32_t code; /* 0: none */
	const char *name;
};

/* The name of the control with @id, or "": as far as it is known. */
typedef const char *events_control_name(void *context, uint32_t id);

/*
 * Print one event, of @size bytes, as one line.  What is too short for what it says to be is
 * shown as bytes.
 */
void events_print(FILE *out, const struct kern_event_msg *event, size_t size,
		  const struct events_vendor *vendor, events_control_name *name, void *context);

#endif
