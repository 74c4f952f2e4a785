/*
 * What the end-to-end tests of the name server share.  Each test is a program for a kernel
 * of its own: `berth run TEST`.  It includes Darwin's headers only and says by its exit
 * status how it went: 0, 1, or 77 where it cannot run.
 */
#ifndef TESTS_LAUNCHD_E2E_H
#define TESTS_LAUNCHD_E2E_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <mach/mach.h>
#include <servers/bootstrap.h>

#define E2E_SKIPPED 77

/* Ends the test, from whatever process, unless @condition holds. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			e2e_fail(__FILE__, __LINE__, #condition);                                  \
	} while (0)

/* The same for a code that must be @expected. */
#define CHECK_KR(call, expected)                                                                   \
	do {                                                                                       \
		kern_return_t kr_ = (call);                                                        \
		if (kr_ != (expected))                                                             \
			e2e_fail_code(__FILE__, __LINE__, #call, kr_, (expected));                 \
	} while (0)

/* One of the tests of a program; its name says how far it came. */
#define RUN(test)                                                                                  \
	do {                                                                                       \
		fprintf(stderr, "%s\n", #test);                                                    \
		test();                                                                            \
	} while (0)

_Noreturn void e2e_fail(const char *file, int line, const char *what);
_Noreturn void e2e_fail_code(const char *file, int line, const char *what, kern_return_t got,
			     kern_return_t expected);

/* ---- ports ----------------------------------------------------------------------------- */

mach_port_t e2e_port(void); /* receive right and one send right */
void e2e_drop_receive(mach_port_t port);
mach_port_urefs_t e2e_send_refs(mach_port_t port);
mach_port_type_t e2e_type(mach_port_t port); /* 0: no such name */
unsigned e2e_name_count(void);               /* names in the own space */
/* The name becomes a dead one within a few seconds. */
void e2e_await_death(mach_port_t port);

/* A message of @id; MACH_MSG_SUCCESS or what mach_msg gives.  @timeout_ms < 0: none. */
kern_return_t e2e_send(mach_port_t port, mach_msg_id_t id, int timeout_ms);
/* With a reply right to @reply. */
kern_return_t e2e_send_asking(mach_port_t port, mach_msg_id_t id, mach_port_t reply);
/* The id of the next message, which must come within @timeout_ms; -1: none came. */
mach_msg_id_t e2e_receive(mach_port_t port, int timeout_ms);

/* ---- processes ------------------------------------------------------------------------- */

/* Run @body in a child; its result is the exit status, which is given back. */
int e2e_in_child(int (*body)(void *context), void *context);
pid_t e2e_fork(int (*body)(void *context), void *context);
int e2e_wait(pid_t pid); /* exit status; 128 + signal */
void e2e_sleep_ms(unsigned ms);
/* Wait until @condition gives true, for at most some seconds. */
void e2e_await(bool (*condition)(void *context), void *context, const char *what);

/* ---- jobs ------------------------------------------------------------------------------ */

/* The folder of this test, removed at its end. */
const char *e2e_folder(void);
/* A path in it.  The text stays. */
const char *e2e_path(const char *name);
/* The path of this program. */
const char *e2e_self(void);
/*
 * Write LABEL.plist into the folder: Label, ProgramArguments (this program with @mode) and
 * @keys, which is XML.
 */
const char *e2e_plist(const char *label, const char *mode, const char *keys);
/* Run `berth launch` with these words; its exit status.  What it prints is in @out, if any. */
int e2e_launch(char *out, size_t size, const char *word, ...) __attribute__((sentinel));
/* e2e_plist(), and load it. */
void e2e_load(const char *label, const char *mode, const char *keys);
/* Lines that servers add to a file, which tests wait for. */
void e2e_note(const char *file, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The number of whole lines in it. */
unsigned e2e_notes(const char *file);
/* Wait until there are @count. */
void e2e_await_notes(const char *file, unsigned count);
/* Line @index (from 0) of it. */
void e2e_read_note(const char *file, unsigned index, char *line, size_t size);

#endif
