/*
 * A message through berthd in an empty kernel, beside 10^3 tasks, and with 10^5 ports.
 *
 *	scale TASKS PORTS
 */
#include <mach/mach.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
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

static void
must(kern_return_t kr, const char *what)
{
	if (kr == KERN_SUCCESS)
		return;
	fprintf(stderr, "scale: %s: %#x\n", what, (unsigned)kr);
	exit(1);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median over nine batches of one trap that sends to oneself and receives. */
static double
message_us(mach_port_t port)
{
	struct {
		mach_msg_header_t header;
		char body[40];
		mach_msg_max_trailer_t trailer;
	} m;
	double batch[9];

	for (int b = 0; b < 9; b++) {
		double start = now_us();

		for (int i = 0; i < 2000; i++) {
			m.header = (mach_msg_header_t){
				.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0),
				.msgh_remote_port = port,
			};
			must(mach_msg(&m.header, MACH_SEND_MSG | MACH_RCV_MSG, 64, sizeof(m), port,
				      0, 0),
			     "mach_msg");
		}
		batch[b] = (now_us() - start) / 2000;
	}
	qsort(batch, 9, sizeof(batch[0]), compare);
	return batch[4];
}

int
main(int argc, char **argv)
{
	const int tasks = argc > 1 ? atoi(argv[1]) : 1000;
	const int ports = argc > 2 ? atoi(argv[2]) : 100000;
	pid_t *pids = calloc((size_t)tasks, sizeof(*pids));
	mach_port_t port;
	int ready[2];

	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port), "allocate");
	printf("alone           %6.2f µs\n", message_us(port));
	if (!pids || pipe(ready) < 0)
		return 1;
	for (int i = 0; i < tasks; i++) {
		char byte;

		pids[i] = fork();
		if (pids[i] == 0) {
			mach_port_t theirs;

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &theirs),
			     "allocate in a child");
			if (write(ready[1], "", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		if (pids[i] < 0 || read(ready[0], &byte, 1) != 1)
			return 1;
	}
	printf("+ %d tasks    %6.2f µs\n", tasks, message_us(port));
	for (int i = 0; i < ports; i++) {
		mach_port_t more;

		must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &more),
		     "allocate");
	}
	printf("+ %d ports  %6.2f µs\n", ports, message_us(port));
	for (int i = 0; i < tasks; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	free(pids);
	return 0;
}
