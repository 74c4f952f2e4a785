/*
 * A message through berthd, sent to oneself and received, in one trap.
 *
 *	bench-scale TASKS PORTS
 *
 *   scale-alone  in an empty kernel
 *   scale-tasks  beside TASKS tasks
 *   scale-ports  and with PORTS ports in the task itself
 */
#include "bench/peers/mach.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/process.h"

#define BATCH 2000

/* Median over nine batches. */
static void
report_message(const char *work, mach_port_t port)
{
	struct {
		mach_msg_header_t header;
		char body[40];
		mach_msg_max_trailer_t trailer;
	} m;
	struct samples samples;

	samples_init(&samples);
	for (int b = 0; b < 9; b++) {
		uint64_t start_ns = now_ns();

		for (int i = 0; i < BATCH; i++) {
			m.header = (mach_msg_header_t){
				.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0),
				.msgh_remote_port = port,
			};
			must(mach_msg(&m.header, MACH_SEND_MSG | MACH_RCV_MSG, 64, sizeof(m), port,
				      0, 0),
			     "mach_msg");
		}
		samples_add(&samples, (now_ns() - start_ns) / BATCH);
	}
	report(work, "ns", samples_percentile(&samples, 50));
	samples_deinit(&samples);
}

int
main(int argc, char **argv)
{
	const int tasks = argc > 1 ? atoi(argv[1]) : 1000;
	const int ports = argc > 2 ? atoi(argv[2]) : 100000;
	pid_t *pids = calloc((size_t)tasks, sizeof(*pids));
	mach_port_t port;
	int ready[2];

	end_with_parent();
	if (!pids || pipe(ready) < 0)
		die("scale");
	port = port_new();
	report_message("scale-alone", port);
	for (int i = 0; i < tasks; i++) {
		char byte;

		pids[i] = child();
		if (pids[i] == 0) {
			port_new();
			if (write(ready[1], "", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		if (read(ready[0], &byte, 1) != 1)
			die("read");
	}
	report_message("scale-tasks", port);
	for (int i = 0; i < ports; i++)
		port_new();
	report_message("scale-ports", port);
	for (int i = 0; i < tasks; i++)
		kill(pids[i], SIGKILL);
	while (wait(NULL) > 0)
		continue;
	free(pids);
	return 0;
}
