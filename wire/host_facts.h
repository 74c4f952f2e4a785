/*
 * What Linux tells of the machine: the daemon gives it to its kernel, the library answers with
 * it.  Both read it here, so that both say the same.
 */
#ifndef BERTH_WIRE_HOST_FACTS_H
#define BERTH_WIRE_HOST_FACTS_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The numbers that <mach/machine.h> has for the processor. */
#if defined(__x86_64__)
#define HOST_CPU_TYPE 0x01000007
#define HOST_CPU_SUBTYPE 3
#elif defined(__aarch64__)
#define HOST_CPU_TYPE 0x0100000c
#define HOST_CPU_SUBTYPE 0
#elif defined(__i386__)
#define HOST_CPU_TYPE 7
#define HOST_CPU_SUBTYPE 3
#else
#define HOST_CPU_TYPE (-1)
#define HOST_CPU_SUBTYPE (-1)
#endif

#define HOST_VERSION_MAX 512 /* bytes, with the NUL */

struct host_facts {
	uint64_t memory_bytes;
	uint32_t page_bytes;
	uint32_t cpu_count, cpu_max;   /* that run, and that may */
	uint32_t core_count, core_max; /* of these, the ones that share no core with another */
	uint32_t quantum_ms;           /* the only one that Linux tells: of SCHED_RR */
	char version[HOST_VERSION_MAX];
};

/* The number at the start of the file at @path, or @otherwise. */
static inline long
host_facts_number(const char *path, long otherwise)
{
	char text[64];
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return otherwise;
	do
		got = read(fd, text, sizeof(text) - 1);
	while (got < 0 && errno == EINTR);
	close(fd);
	if (got <= 0)
		return otherwise;
	text[got] = '\0';
	return strtol(text, NULL, 10);
}

/* Of the processors below @count those that share no core with one of a lower number; all, if
 * Linux does not say. */
static inline uint32_t
host_facts_cores(uint32_t count)
{
	uint32_t cores = 0;

	for (uint32_t i = 0; i < count; i++) {
		char path[96];
		long first;

		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", i);
		first = host_facts_number(path, -1); /* the list begins with the lowest */
		if (first < 0)
			return count;
		cores += first == (long)i;
	}
	return cores > 0 ? cores : count;
}

static inline void
host_facts_read(struct host_facts *facts)
{
	const long quantum = host_facts_number("/proc/sys/kernel/sched_rr_timeslice_ms", 1);
	const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	struct utsname names;

	memset(facts, 0, sizeof(*facts));
	facts->page_bytes = (uint32_t)page;
	facts->memory_bytes = (uint64_t)pages * (uint64_t)page;
	facts->cpu_max = (uint32_t)sysconf(_SC_NPROCESSORS_CONF);
	facts->cpu_count = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	facts->core_max = host_facts_cores(facts->cpu_max);
	facts->core_count = host_facts_cores(facts->cpu_count);
	facts->quantum_ms = quantum > 0 ? (uint32_t)quantum : 1;
	if (uname(&names) == 0)
		snprintf(facts->version, sizeof(facts->version), "%s Kernel Version %s: %s; %s",
			 names.sysname, names.release, names.version, names.machine);
}

#endif
