/*
 * How benchmarks start processes: one way for all, so that what is compared was started alike.
 */
#ifndef BERTH_BENCH_PROCESS_H
#define BERTH_BENCH_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* The end, with what went wrong in errno's words. */
__attribute__((noreturn)) void die(const char *what);

/* The same where errno says nothing. */
__attribute__((noreturn, format(printf, 1, 2))) void die_saying(const char *format, ...);

/*
 * fork(): the child ends with this process, however that ends, and has a session of its own.
 *
 * Sessions, as berthd and each kexthost have one: where others want the CPU, Linux divides it
 * among sessions first, so a pair within one session pays less for handing it over.
 */
pid_t child(void);

/* End with whoever started this process; main() calls it first. */
void end_with_parent(void);

/* Where the processes of a benchmark run. */
enum placement {
	PLACEMENT_FREE,  /* where Linux likes */
	PLACEMENT_SAME,  /* all on one CPU: the whole is started so */
	PLACEMENT_CROSS, /* client and server pinned apart, who is in between is free */
};

/* free, same or cross; ends with status 2 at anything else */
enum placement placement_parse(const char *text);

enum role { ROLE_CLIENT, ROLE_SERVER };

/* Put this process where its role belongs. */
void place(enum placement placement, enum role role);

/* Memory that children share with this process and with each other; zeroed. */
void *shared_memory(size_t size_bytes);

/* As many descriptors as this process may have. */
void raise_descriptors(void);

#endif
