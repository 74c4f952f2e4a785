/*
 * A kexthost, a supervisor, a tool and event sockets made by hand, beside raw_task.h.
 */
#ifndef TESTS_DAEMON_RAW_KEXT_H
#define TESTS_DAEMON_RAW_KEXT_H

#include "tests/daemon/raw_task.h"
#include "wire/kext.h"

#define RAW_TEXT_MAX (4u << 20)

/* ---- kexthosts ---------------------------------------------------------------------- */

/* A connection that gives up on an answer after a while, which fails the test. */
int raw_connect_patient(const struct raw_kernel *kernel);

/* Connects and says hello; @host_id may be NULL. */
int raw_kext_host_new(const struct raw_kernel *kernel, uint32_t *host_id);
int raw_supervisor_new(const struct raw_kernel *kernel, pid_t host_pid);

/* One request and its answer: the error.  @args may be NULL, @answer too. */
struct raw_answer {
	uint64_t values[2];
	uint8_t payload[4096];
	size_t payload_size;
};
int raw_request(int fd, uint32_t operation, const uint64_t args[5], const void *payload,
		size_t payload_size, struct raw_answer *answer);

/* The error; *@tag is the load tag. */
int raw_kext_load(int fd, const char *identifier, uint32_t *tag);
/* The error; @ref and @id may be NULL. */
int raw_ctl_register(int fd, uint32_t tag, const char *name, uint64_t *ref, uint32_t *id);
/* The code of @text, made if need be. */
uint32_t raw_vendor(int fd, const char *text);
int raw_post(int fd, uint32_t vendor, uint32_t class, uint32_t subclass, const void *data,
	     size_t data_size);
void raw_log(int fd, const char *text);

/* ---- programs ----------------------------------------------------------------------- */

/* The id of that control; the code is an errno. */
int raw_ctl_info(struct raw_task *task, const char *name, uint32_t *id);
int raw_ctl_find(struct raw_task *task, uint32_t id, uint32_t unit, uint32_t *host_id);

/* WIRE_SYSTEM and its answer; *@fd: the descriptor that came with it, or -1. */
struct wire_system_answer raw_system(struct raw_task *task, const struct wire_system *message,
				     const int *fds, unsigned fd_count, int *fd);
/* A lane: the error and our end. */
int raw_lane(struct raw_task *task, uint32_t host_id, int *fd);

/* A pair with the name of an event socket on @pair[1], the program's end. */
void raw_event_pair(int pair[2]);
/* An event socket: the program's end. */
int raw_event_open(struct raw_task *task);
/* The error. */
int raw_event_filter(struct raw_task *task, int fd, uint32_t vendor, uint32_t class,
		     uint32_t subclass);
/* An event socket that hears all. */
int raw_event_all(struct raw_task *task);

struct raw_event {
	uint32_t total_size, vendor_code, kev_class, kev_subclass, id, event_code;
	uint8_t data[512];
};
/* The next event, waited for; false: none comes any more. */
bool raw_event_next(int fd, struct raw_event *event);
/* How many wait, which are taken. */
unsigned raw_event_drain(int fd);

/* ---- tools -------------------------------------------------------------------------- */

/* A whole WIRE_INSPECT: its end.  *@text, which the next call overwrites, is what was told. */
struct wire_end raw_inspect(const struct raw_kernel *kernel, uint32_t what, uint32_t flags,
			    const char **text);
void raw_command(int fd, uint32_t sequence, uint32_t command, uint32_t host_id, const void *payload,
		 size_t payload_size);

/* A WIRE_KEXT_DONE, which comes next. */
struct wire_kext_done raw_take_done(int fd);

/* Is this in @text?  Says so if not. */
bool raw_is_in(const char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Waits until @condition holds, for a long time. */
#define raw_until(condition)                                                                       \
	do {                                                                                       \
		for (int wait_ = 0; wait_ < 10000 && !(condition); wait_++)                        \
			poll(NULL, 0, 2);                                                          \
		assert_true(condition);                                                            \
	} while (0)

#endif
