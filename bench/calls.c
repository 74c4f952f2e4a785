/*
 * Works of one client and one server.
 */
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/works.h"

void
caller_measure(struct caller *caller, const struct run *run, unsigned pause_us, const char *work,
	       const char *tail_work)
{
	const struct timespec pause = { 0, (long)pause_us * 1000 };
	struct samples samples;
	uint64_t end_ns;

	samples_init(&samples);
	caller_call(caller);
	caller_call_until(caller, now_ns() + run->span_ns / 4);
	end_ns = now_ns() + run->span_ns;
	for (uint64_t before_ns = now_ns(); before_ns < end_ns || samples.count == 0;) {
		if (pause_us > 0) {
			nanosleep(&pause, NULL);
			before_ns = now_ns();
		}
		caller_call(caller);

		uint64_t after_ns = now_ns();

		samples_add(&samples, after_ns - before_ns);
		before_ns = after_ns;
	}
	report(work, "ns", samples_percentile(&samples, 50));
	if (tail_work != NULL)
		report(tail_work, "ns", samples_percentile(&samples, 99));
	samples_deinit(&samples);
}

void
run_calls(const struct run *run, const char *work, const char *tail_work, unsigned pause_us)
{
	struct caller caller;

	server_start(run);
	place(run->placement, ROLE_CLIENT);
	caller_init(&caller, run, 0);
	caller_measure(&caller, run, pause_us, work, tail_work);
	caller_deinit(&caller);
}

void
run_oneway(const struct run *run)
{
	struct caller caller;
	uint64_t start_ns, end_ns, count = 0;

	server_start(run);
	place(run->placement, ROLE_CLIENT);
	caller_init(&caller, run, 0);
	start_ns = now_ns();
	end_ns = start_ns + run->span_ns;
	do {
		for (int i = 0; i < 64; i++) {
			caller.request->number = count++;
			run->peer->send(caller.request);
		}
	} while (now_ns() < end_ns);
	caller.request->number = LAST_NUMBER;
	run->peer->send(caller.request);
	server_wait_absorbed();
	report("oneway-64", "messages/s", (double)count * 1e9 / (double)(now_ns() - start_ns));
	caller_deinit(&caller);
}

/* A process that knew nothing of the server until it has its first reply. */
void
run_attach(const struct run *run)
{
	struct samples samples;
	uint64_t end_ns;

	samples_init(&samples);
	server_start(run);
	place(run->placement, ROLE_CLIENT);
	end_ns = now_ns() + run->span_ns;
	while (now_ns() < end_ns || samples.count == 0) {
		uint64_t took_ns;
		int ends[2];

		if (pipe(ends) != 0)
			die("pipe");

		pid_t pid = child();

		if (pid == 0) {
			struct caller caller;
			uint64_t start_ns = now_ns();

			caller_init(&caller, run, (unsigned)samples.count % 2);
			caller_call(&caller);
			took_ns = now_ns() - start_ns;
			_exit(write(ends[1], &took_ns, sizeof(took_ns)) != sizeof(took_ns));
		}
		close(ends[1]);
		if (read(ends[0], &took_ns, sizeof(took_ns)) != sizeof(took_ns))
			die_saying("a client has failed");
		close(ends[0]);
		waitpid(pid, NULL, 0);
		samples_add(&samples, took_ns);
	}
	report("attach", "ns", samples_percentile(&samples, 50));
	samples_deinit(&samples);
}

void
run_make(const struct run *run)
{
	struct samples samples;
	uint64_t end_ns;

	samples_init(&samples);
	place(run->placement, ROLE_CLIENT);
	end_ns = now_ns() + run->span_ns / 4;
	while (now_ns() < end_ns)
		run->peer->make();
	end_ns = now_ns() + run->span_ns;
	for (uint64_t before_ns = now_ns(); before_ns < end_ns;) {
		run->peer->make();

		uint64_t after_ns = now_ns();

		samples_add(&samples, after_ns - before_ns);
		before_ns = after_ns;
	}
	report("port-create-destroy", "ns", samples_percentile(&samples, 50));
	samples_deinit(&samples);
}

void
run_move(const struct run *run)
{
	struct samples samples;
	uint64_t end_ns;

	samples_init(&samples);
	server_start(run);
	place(run->placement, ROLE_CLIENT);
	if (run->peer->connect != NULL)
		run->peer->connect();
	run->peer->move();
	end_ns = now_ns() + run->span_ns;
	while (now_ns() < end_ns || samples.count == 0)
		samples_add(&samples, run->peer->move());
	report("move-1g", "ns", samples_percentile(&samples, 50));
	samples_deinit(&samples);
}
