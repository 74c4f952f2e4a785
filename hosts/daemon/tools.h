/*
 * What berthd does for those that look and steer: tools, and its owner.
 */
#ifndef BERTH_HOSTS_DAEMON_TOOLS_H
#define BERTH_HOSTS_DAEMON_TOOLS_H

#include "hosts/daemon/berthd.h"

/* ---- inspect.c, trace.c, leaks.c, control.c ---------------------------------------- */

void inspect_begin(struct peer *peer, const struct wire_inspect *request);
void inspect_go_on(struct peer *peer); /* the next slice, if the socket has room */
void inspect_free(struct inspection *inspection);
/* It has told all that there is, and goes on when there is more. */
bool inspect_waits(const struct inspection *inspection);

void trace_subscribe(struct peer *peer, const struct wire_inspect *request, int pipe_fd);
void trace_unsubscribe(struct peer *peer);
void trace_flush(struct host *host);
/* One line of text, without time.  The length, as of snprintf. */
int trace_format(const struct kernel_trace *trace, char *line, size_t size);

/* Remember what a task that is about to die holds. */
void leaks_census(struct peer *peer);
void leaks_free(struct host *host);
void control_message(struct peer *peer, const struct wire_control *request);
/* The leaks as an inspection's answer. */
struct inspection *leaks_report_new(struct host *host);

/* ---- names.c ----------------------------------------------------------------------- */

const char *name_of_code(kern_return_t code);          /* NULL: unknown */
const char *name_of_trap(uint32_t number);             /* NULL: unknown */
const char *const *name_of_trap_args(uint32_t number); /* KERNEL_ARG_COUNT, NULL: unused */
const char *name_of_message(mach_msg_id_t id);         /* NULL: unknown */
/* "receive", "send", "send+receive" … into @text. */
const char *name_of_type(mach_port_type_t type, char *text, size_t size);

#endif
