/*
 * Confinement: how a program of ours gives up what it does not need, once and for good.
 *
 * It knows nothing of Mach.  What is given up never comes back, and what a process has given up
 * its children have not either: so whoever starts programs does that from a process or a thread
 * that came before.
 */
#ifndef BERTH_CONFINE_CONFINE_H
#define BERTH_CONFINE_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <seccomp.h>

/* A system call that is allowed, if its arguments fit. */
struct confine_rule {
	int call; /* SCMP_SYS(…) */
	unsigned int argument_count;
	struct scmp_arg_cmp arguments[2];
};

/* With any arguments. */
#define CONFINE_ANY(name)                                                                          \
	{                                                                                          \
		.call = SCMP_SYS(name)                                                             \
	}
/* If the bits @mask of argument @index are @value. */
#define CONFINE_BITS(name, index, mask, value)                                                     \
	{                                                                                          \
		.call = SCMP_SYS(name), .argument_count = 1, .arguments = {                        \
			{ (index), SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask),                       \
			  (scmp_datum_t)(value) }                                                  \
		}                                                                                  \
	}

enum confine_result {
	CONFINE_DONE,
	CONFINE_OFF,    /* this build has none, or the environment says so */
	CONFINE_REFUSED /* Linux, or who started us, does not let us; errno says why */
};

/*
 * No core file, and nobody of the same user reads our memory: it holds what other users sent.
 * It holds for the process, until it runs another program.
 * A build with the address sanitizer stays readable, which its leak checker needs.
 */
void confine_memory(void);

/*
 * This thread, and those it will start, keep the capabilities whose bits are in @kept, as far as
 * they have them, and can get no others: not by running a program either.
 *
 * 0, -errno.
 */
int confine_capabilities(uint64_t kept);

/*
 * From here on this thread, and those it will start, can make only the calls that any program
 * needs for its memory, its threads, its time and its messages, and those of @rules.  Any other
 * ends the process with SIGSYS, after a line on stderr that gives its number; @name is its head.
 *
 * Off in builds with a sanitizer or for coverage, whose run-times need more, and where
 * BERTH_SECCOMP is 0 in the environment: the environment is of who starts us, who could just as
 * well start something else.
 */
enum confine_result confine_calls(const char *name, const struct confine_rule *rules, size_t count);

/*
 * A build with the address sanitizer: one thread looks at all others when the process ends, and
 * Linux lets it only if they have no capabilities that it lacks.
 */
bool confine_checks_leaks(void);

/* Is there a filter in this build? */
bool confine_is_built(void);

#endif
