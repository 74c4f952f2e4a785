/* Inspections: what inspect.c, inspect_rows.c and leaks.c share. */
#ifndef BERTH_HOSTS_DAEMON_INSPECT_H
#define BERTH_HOSTS_DAEMON_INSPECT_H

#include "hosts/daemon/tools.h"

enum inspection_kind {
	INSPECTION_TASKS,
	INSPECTION_PORTS,
	INSPECTION_KEXTS,
	INSPECTION_CONTROLS,
	INSPECTION_EVENTS,
	INSPECTION_LOG,
	INSPECTION_WHOLE /* text that is there from the start */
};

struct inspection {
	enum inspection_kind kind;
	bool json, queued, follow;
	bool waits;  /* of the log: for more to come */
	int32_t pid; /* only this task; 0: all */
	bool begun, pid_seen;
	int32_t status; /* of its WIRE_END */
	uint32_t count;
	uint64_t task_id;
	struct kernel_census census;
	uint32_t tag;          /* of a kext */
	uint64_t slot;         /* of a control */
	uint64_t event_socket; /* its id */
	bool statistics_told;
	struct log_cursor log;

	char *whole;
	size_t whole_size, whole_sent, whole_capacity;

	size_t text_size; /* of the slice */
	char text[WIRE_TEXT_MAX];
};

/* Adds to the slice; what it has no room for is cut. */
void text_add(struct inspection *inspection, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void text_append(struct inspection *inspection, const char *bytes, size_t size);
void text_add_json_string(struct inspection *inspection, const char *string);

void rows_begin(struct inspection *inspection);
void rows_end(struct inspection *inspection);
/* The next row, or none if it is not for the asker; false: there is none. */
bool rows_next_task(struct peer *peer, struct inspection *inspection);
bool rows_next_right(struct peer *peer, struct inspection *inspection);
bool rows_next_kext(struct peer *peer, struct inspection *inspection);
bool rows_next_control(struct peer *peer, struct inspection *inspection);
bool rows_next_event_socket(struct peer *peer, struct inspection *inspection);

/* The text of the report; gives how many leaks it tells of. */
uint32_t leaks_write(struct host *host, kernel_write *write, void *context);

#endif
