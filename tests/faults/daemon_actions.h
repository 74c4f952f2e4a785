/*
 * What a task asks of berthd through the library, each thing so that it can be asked for again:
 * what it made is gone afterwards, whether it worked or not.
 */
#ifndef TESTS_FAULTS_DAEMON_ACTIONS_H
#define TESTS_FAULTS_DAEMON_ACTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define HANG_MS 20000u
#define CHILD_S 60 /* the life of a process that does one thing */

/* How it went. */
enum outcome {
	WORKED,
	REFUSED,  /* with a code that is documented */
	DETACHED, /* the process has got no kernel, and was told so */
	WRONG
};

typedef enum outcome action(void);

struct daemon_action {
	const char *name;
	action *act;
	action *prepare;     /* NULL: the process has no kernel before */
	bool in_new_process; /* which may be left without a kernel */
};

extern const struct daemon_action daemon_actions[];
extern const size_t daemon_action_count;

#endif
