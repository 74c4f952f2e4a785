/*
 * kexthost: the process that kexts run in, and the supervisor, its parent, that outlives it.
 *
 *   supervisor                                kexthost
 *   ──────────                                ────────
 *   fork                                ──►   connects to the kernel, loads
 *   passes lines on to the kernel       ◄──   stdout and stderr, one pipe
 *   passes the outcome on to who asked  ◄──   how loading went, another pipe
 *   waits for its end                   ◄──   what it was doing: struct kexthost_note
 *
 * The kexthost dies with its supervisor, and ends when its kernel does, or with its last kext.
 */
#ifndef BERTH_KEXTS_HOST_KEXTHOST_H
#define BERTH_KEXTS_HOST_KEXTHOST_H

#include "kexts/bundle/os_return.h"
#include "kexts/host/export.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* As berth_kernel_connect() of <berth/kernel_connection.h>. */
typedef int kexthost_connect(unsigned int flags, char *why, size_t why_size);

/* All of main(). */
KPI_EXPORT int kexthost_main(int argc, char **argv, kexthost_connect *connect);

/*
 * Shared by both processes: what the supervisor says of a kexthost that cannot speak any more.
 * Kext code may scribble on it, which spoils what is said of its own end and nothing else.
 */
struct kexthost_note {
	char kexts[256];         /* identifiers, with ", " between them */
	char end[768];           /* why it ends; "" unless it knows */
	_Atomic uint32_t is_set; /* `end` is whole */
};

extern struct kexthost_note *kexthost_note;

struct kexthost_options {
	int report_fd;         /* who asked is told there; -1: nobody but people */
	uint64_t memory_bytes; /* 0: no limit */
	char **paths;          /* absolute */
	int path_count;
	char **exec_folders; /* absolute; where executions are watched */
	int exec_folder_count;
	kexthost_connect *connect;
};

/* The supervisor, which gives its exit code.  @log_fd, @report_fd: its ends of the pipes. */
int supervise(const struct kexthost_options *options, pid_t pid, int log_fd, int report_fd);

/* The life of the kexthost itself.  Does not return. */
_Noreturn void kexthost_run(const struct kexthost_options *options, int report_fd);

#endif
