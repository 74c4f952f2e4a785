#include "bench/process.h"

#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

void
die(const char *what)
{
	perror(what);
	exit(1);
}

void
die_saying(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

pid_t
child(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1); /* it ended before it was asked */
		setsid();
	}
	return pid;
}

void
end_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

enum placement
placement_parse(const char *text)
{
	if (strcmp(text, "free") == 0)
		return PLACEMENT_FREE;
	if (strcmp(text, "same") == 0)
		return PLACEMENT_SAME;
	if (strcmp(text, "cross") == 0)
		return PLACEMENT_CROSS;
	fprintf(stderr, "placement is free, same or cross, not '%s'\n", text);
	exit(2);
}

void
place(enum placement placement, enum role role)
{
	static cpu_set_t allowed;
	cpu_set_t one;
	int wanted = role == ROLE_SERVER;

	if (placement != PLACEMENT_CROSS)
		return;
	/* a process that was placed before passes its one CPU on to its children */
	if (CPU_COUNT(&allowed) == 0 && sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		die("sched_getaffinity");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || wanted-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) < 0)
			die("sched_setaffinity");
		return;
	}
	die_saying("no second CPU");
}

void *
shared_memory(size_t size_bytes)
{
	void *memory =
	    mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	return memory;
}

void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		die("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		die("setrlimit");
}
