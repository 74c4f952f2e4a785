/*
 * What monitor_kext.c and monitord.c tell each other.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include <stdint.h>

#define MONITOR_CONTROL "org.berth.example.exec_monitor"

/* ---- kext → daemon: one record each ------------------------------------------------------- */

enum monitor_kind {
	MONITOR_WANTS = 1, /* a process wants to run a program, and waits for the verdict */
	MONITOR_RUNS       /* nobody has denied it; no answer is expected */
};

#define MONITOR_PATH_MAX 1024

struct monitor_event {
	uint64_t id;   /* MONITOR_WANTS: comes back in the verdict */
	uint32_t kind; /* enum monitor_kind */
	uint32_t uid;
	int32_t pid, ppid;
	char path[MONITOR_PATH_MAX]; /* the record ends with its NUL */
};

/* ---- daemon → kext: one message each ------------------------------------------------------ */

struct monitor_verdict {
	uint64_t id;
	uint32_t is_denied;
	uint32_t reserved;
};

/* ---- options of the daemon's socket ------------------------------------------------------- */

#define MONITOR_OPTION_PATIENCE 1 /* set: uint32_t, milliseconds to wait for a verdict */
#define MONITOR_OPTION_COUNTS 2   /* get: struct monitor_counts */

struct monitor_counts {
	uint64_t allowed, denied;
	uint64_t unanswered; /* allowed, as no verdict came in time */
	uint64_t untold;     /* allowed, as the daemon had no room for the question */
};

/* ---- kernel events: for whoever wants to know whether somebody watches ---------------------- */

#define MONITOR_VENDOR "org.berth.example"
#define MONITOR_CLASS 1
#define MONITOR_SUBCLASS 1
#define MONITOR_DAEMON_CAME 1 /* data: struct monitor_daemon */
#define MONITOR_DAEMON_LEFT 2

struct monitor_daemon {
	int32_t pid;
	uint32_t unit;
};

#endif
