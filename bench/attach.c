/*
 * How long a program takes to become a task: from nothing to its first port.
 *
 *	attach COUNT
 */
#include <mach/mach.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	const int count = argc > 1 ? atoi(argv[1]) : 100;
	double *times = calloc((size_t)count, sizeof(*times));

	if (!times || count < 1)
		return 1;
	for (int i = 0; i < count; i++) {
		int ends[2];
		double took;

		if (pipe(ends) < 0)
			return 1;

		/* this process is no task: the child attaches from nothing */
		pid_t pid = fork();

		if (pid == 0) {
			double start = now_us();
			mach_port_t port;
			kern_return_t kr =
			    mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port);

			took = now_us() - start;
			if (kr != KERN_SUCCESS ||
			    write(ends[1], &took, sizeof(took)) != sizeof(took))
				_exit(1);
			_exit(0);
		}
		close(ends[1]);
		if (pid < 0 || read(ends[0], &times[i], sizeof(times[i])) != sizeof(times[i]))
			return 1;
		close(ends[0]);
		waitpid(pid, NULL, 0);
	}
	qsort(times, (size_t)count, sizeof(*times), compare);
	printf("attach, first port  %6.0f µs (%.0f–%.0f of %d)\n", times[count / 2], times[0],
	       times[count - 1], count);
	free(times);
	return 0;
}
