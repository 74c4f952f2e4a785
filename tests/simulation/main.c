/*
 * sim: runs schedules.
 *
 * usage: sim [--seed N] [--count N] [--seconds N] [--scenario NAME] [--trace] [--here]
 *            [--kill-each | --kill TASK:N] [--lose-a-wakeup] [--lanes MODE] [--stored FILE]
 *            [--list]
 *
 * Schedules run in a child, so that a crash, a failed check and a hang of the kernel cost one
 * schedule and are reported like any other failure: with seed, scenario, step, the end of the
 * trace, and the command that repeats it.  The report is in memory that both share.
 *
 *   --count N        so many seeds, from --seed on (default 1)
 *   --seconds N      as many as there is time for
 *   --scenario NAME  of that kind only; else the seed chooses
 *   --kill-each      each schedule once for each of its mortal tasks and each event of its storm,
 *                    before which that task dies
 *   --kill TASK:N    such a schedule alone
 *   --trace          the whole trace, then its hash
 *   --here           no child: for a debugger
 *   --stored FILE    the schedules of a file: a line for each, scenario, seed and why it is kept
 *   --lanes MODE     off, forced, flapping: by which way messages go; all: one after the other
 *   --list           names of scenarios
 *   --lose-a-wakeup  the host is broken on purpose: the failure must be found
 *
 * Status 0: all is well; 1: a schedule failed; 2: wrong use.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/simulation/scenarios.h"

#define HANG_S 120              /* of one schedule; it takes some milliseconds */
#define KILLED_TASKS_MAX 16u    /* with --kill-each: the first tasks */
#define KILLED_EVENTS_MAX 2000u /* ... and the first events */
#define FAILURES_MAX 10u        /* then it is clear enough */
#define TRACE_LINES 60u         /* of a failed schedule */
#define EXIT_FAILED 3           /* of the child: the report says why */

static const struct sim_scenario *const scenarios[] = {
	&scenario_rpc,     &scenario_queues, &scenario_semaphores, &scenario_sets,
	&scenario_moving,  &scenario_alarms, &scenario_names,      &scenario_families,
	&scenario_notices, &scenario_crowd,  &scenario_timers,     &scenario_vouchers,
	&scenario_guards,
};

#define SCENARIO_COUNT (sizeof scenarios / sizeof scenarios[0])

struct options {
	uint64_t seed, count;
	double seconds;
	const struct sim_scenario *scenario;
	bool trace, here, lose_a_wakeup, kill_each;
	uint32_t kill_task, kill_at;
	const char *stored;
	uint32_t lanes; /* enum sim_lanes, or LANES_ALL */
};

#define LANES_ALL 3u

static const char *const lanes_names[] = { "off", "forced", "flapping", "all" };

static struct sim_report *report;

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Of the seed alone, so that a seed says everything. */
static const struct sim_scenario *
scenario_of(uint64_t seed, const struct options *options)
{
	uint64_t mixed = (seed ^ 0x5eed) * 0x9e3779b97f4a7c15u;
	uint32_t all = 0, at;

	if (options->scenario)
		return options->scenario;
	for (size_t i = 0; i < SCENARIO_COUNT; i++)
		all += scenarios[i]->share;
	at = (uint32_t)((mixed ^ mixed >> 32) * 0xd6e8feb86659fd93u >> 33) % all;
	for (size_t i = 0;; at -= scenarios[i++]->share)
		if (at < scenarios[i]->share)
			return scenarios[i];
}

static enum sim_lanes
lanes_of(uint64_t seed, const struct options *options)
{
	return (enum sim_lanes)(options->lanes == LANES_ALL ? seed % LANES_ALL : options->lanes);
}

/* ---- running ------------------------------------------------------------------------------ */

static void
failed_in_child(struct sim *sim)
{
	if (sim->text)
		fflush(sim->text);
	_exit(EXIT_FAILED);
}

static void
failed_here(struct sim *sim)
{
	fflush(stdout);
	fprintf(stderr, "seed %" PRIu64 ", step %" PRIu32 ": %s\n", sim->seed, sim->step,
		report->why);
	abort();
}

/* One schedule, or it with each death. */
static uint64_t
run_seed(const struct sim_scenario *scenario, uint64_t seed, struct sim_options *sim_options,
	 const struct options *options)
{
	uint64_t hash;

	if (!options->here)
		alarm(HANG_S);
	hash = sim_run(scenario, seed, sim_options);
	for (uint32_t task = 0; options->kill_each && task < KILLED_TASKS_MAX; task++) {
		sim_options->kill_task = task;
		for (uint32_t at = 1; at <= KILLED_EVENTS_MAX; at++) {
			sim_options->kill_at = at;
			if (!options->here)
				alarm(HANG_S);
			hash = sim_run(scenario, seed, sim_options);
			report->deaths += report->killed;
			if (!report->killed && !report->kill_later)
				break; /* immortal, dead already, or the storm is over */
		}
		sim_options->kill_at = 0;
	}
	return hash;
}

/* Schedules from report->seed to @end or @until. */
static void
run(const struct options *options, uint64_t end, double until)
{
	struct sim_options sim_options = {
		.report = report,
		.failed = options->here ? failed_here : failed_in_child,
		.text = options->trace ? stdout : NULL,
		.lose_a_wakeup = options->lose_a_wakeup,
		.kill_task = options->kill_task,
		.kill_at = options->kill_at,
	};

	for (uint64_t seed = report->seed; seed < end; seed++) {
		uint64_t hash;

		if (until > 0 && now_s() >= until)
			return;
		sim_options.lanes = lanes_of(seed, options);
		hash = run_seed(scenario_of(seed, options), seed, &sim_options, options);
		report->schedules++;
		report->seed = seed + 1;
		if (options->trace)
			printf("seed %" PRIu64 ": %016" PRIx64 "\n", seed, hash);
	}
}

static void
print_failure(const struct options *options, int status)
{
	const enum sim_lanes lanes = lanes_of(report->seed, options);
	char how[64];

	if (!report->failed && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		snprintf(how, sizeof how, "more than %d s: it hangs", HANG_S);
	else if (!report->failed && WIFSIGNALED(status))
		snprintf(how, sizeof how, "%s", strsignal(WTERMSIG(status)));
	else
		snprintf(how, sizeof how, "it ends with status %d", WEXITSTATUS(status));
	printf("\nsim: FAILED: seed %" PRIu64 ", scenario %s, step %" PRIu32 ": %s\n", report->seed,
	       report->scenario, report->step, report->failed ? report->why : how);
	if (lanes != SIM_LANES_OFF)
		printf("sim: lanes %s\n", lanes_names[lanes]);
	if (report->kill_at > 0)
		printf("sim: task %" PRIu32 " dies before event %" PRIu32 " of the storm\n",
		       report->kill_task, report->kill_at);
	sim_report_print(report, TRACE_LINES, stdout);
	printf("repeat it: scripts/sim --seed %" PRIu64 " --trace%s%s%s%s%s\n", report->seed,
	       options->scenario ? " --scenario " : "",
	       options->scenario ? options->scenario->name : "",
	       options->lose_a_wakeup ? " --lose-a-wakeup" : "",
	       lanes != SIM_LANES_OFF ? " --lanes " : "",
	       lanes != SIM_LANES_OFF ? lanes_names[lanes] : "");
	if (report->kill_at > 0)
		printf("  with --kill %" PRIu32 ":%" PRIu32 "\n", report->kill_task,
		       report->kill_at);
}

/* The number of failures. */
static uint32_t
run_in_children(const struct options *options, uint64_t end, double until)
{
	uint32_t failures = 0;

	while (report->seed < end && failures < FAILURES_MAX && (until == 0 || now_s() < until)) {
		int status;
		pid_t child;

		fflush(NULL);
		report->failed = false;
		child = fork();
		if (child < 0) {
			perror("sim: fork");
			exit(2);
		}
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			run(options, end, until);
			exit(0);
		}
		while (waitpid(child, &status, 0) < 0)
			if (errno != EINTR) {
				perror("sim: waitpid");
				exit(2);
			}
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		failures++;
		report->schedules++;
		print_failure(options, status);
		report->seed++;
	}
	return failures;
}

/* ---- options ------------------------------------------------------------------------------ */

static _Noreturn void
wrong_use(const char *what, const char *value)
{
	fprintf(stderr, "sim: %s%s%s\n", what, value ? ": " : "", value ? value : "");
	fprintf(stderr, "usage: sim [--seed N] [--count N | --seconds N] [--scenario NAME] "
			"[--trace] [--here] [--kill-each | --kill TASK:N] [--lose-a-wakeup] "
			"[--lanes off|forced|flapping|all] [--stored FILE] [--list]\nscenarios:");
	for (size_t i = 0; i < SCENARIO_COUNT; i++)
		fprintf(stderr, " %s", scenarios[i]->name);
	fprintf(stderr, "\n");
	exit(2);
}

static uint64_t
number(const char *text)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-')
		wrong_use("no number", text);
	return value;
}

static const struct sim_scenario *
scenario_named(const char *name)
{
	for (size_t i = 0; i < SCENARIO_COUNT; i++)
		if (strcmp(scenarios[i]->name, name) == 0)
			return scenarios[i];
	wrong_use("no such scenario", name);
}

static uint32_t
lanes_named(const char *name)
{
	for (uint32_t i = 0; i <= LANES_ALL; i++)
		if (strcmp(lanes_names[i], name) == 0)
			return i;
	wrong_use("no way of lanes", name);
}

static struct options
options_read(int argc, char **argv)
{
	static const struct option known[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'c' },
		{ "seconds", required_argument, NULL, 't' },
		{ "scenario", required_argument, NULL, 'n' },
		{ "trace", no_argument, NULL, 'v' },
		{ "here", no_argument, NULL, 'h' },
		{ "lose-a-wakeup", no_argument, NULL, 'l' },
		{ "kill-each", no_argument, NULL, 'K' },
		{ "kill", required_argument, NULL, 'k' },
		{ "stored", required_argument, NULL, 'f' },
		{ "lanes", required_argument, NULL, 'w' },
		{ "list", no_argument, NULL, 'L' },
		{ NULL, 0, NULL, 0 },
	};
	struct options options = { .seed = 1, .count = 1 };
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (c) {
		case 's':
			options.seed = number(optarg);
			break;
		case 'c':
			options.count = number(optarg);
			break;
		case 't':
			options.seconds = (double)number(optarg);
			break;
		case 'n':
			options.scenario = scenario_named(optarg);
			break;
		case 'v':
			options.trace = true;
			break;
		case 'h':
			options.here = true;
			break;
		case 'l':
			options.lose_a_wakeup = true;
			break;
		case 'K':
			options.kill_each = true;
			break;
		case 'k':
			if (sscanf(optarg, "%" SCNu32 ":%" SCNu32, &options.kill_task,
				   &options.kill_at) != 2)
				wrong_use("no task and event", optarg);
			break;
		case 'f':
			options.stored = optarg;
			break;
		case 'w':
			options.lanes = lanes_named(optarg);
			break;
		case 'L':
			for (size_t i = 0; i < SCENARIO_COUNT; i++)
				printf("%s\n", scenarios[i]->name);
			exit(0);
		default:
			wrong_use("wrong option", NULL);
		}
	if (optind < argc)
		wrong_use("no option", argv[optind]);
	return options;
}

/* Each schedule of the file; the number of failures. */
static uint32_t
run_stored(const struct options *options)
{
	static char text[65536]; /* read before a child has a copy of the open file */
	FILE *file = fopen(options->stored, "r");
	uint32_t failures = 0;
	char *rest = text, *line, name[32];
	uint64_t seed;

	if (!file)
		wrong_use(strerror(errno), options->stored);
	if (fread(text, 1, sizeof text, file) == sizeof text)
		wrong_use("too long", options->stored);
	fclose(file);
	while ((line = strsep(&rest, "\n"))) {
		struct options one = *options;

		if (line[0] == '#' || line[0] == '\0')
			continue;
		if (sscanf(line, "%31s %" SCNu64, name, &seed) != 2)
			wrong_use("not a scenario and a seed", line);
		one.scenario = scenario_named(name);
		report->seed = seed;
		failures += run_in_children(&one, seed + 1, 0);
	}
	printf("sim: %" PRIu64 " stored schedules, %" PRIu32 " failures\n", report->schedules,
	       failures);
	return failures;
}

int
main(int argc, char **argv)
{
	const struct options options = options_read(argc, argv);
	const double until = options.seconds > 0 ? now_s() + options.seconds : 0;
	uint64_t end = options.seed + options.count;
	uint32_t failures = 0;

	if (until > 0 || end < options.seed)
		end = UINT64_MAX;
	report =
	    mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED) {
		perror("sim: mmap");
		return 2;
	}
	if (options.stored)
		return run_stored(&options) != 0;
	report->seed = options.seed;
	if (options.here)
		run(&options, end, until);
	else
		failures = run_in_children(&options, end, until);
	if (options.lanes != SIM_LANES_OFF)
		printf("sim: lanes %s: %" PRIu64 " requests, %" PRIu64 " taken; %" PRIu64
		       " answers, %" PRIu64 " taken; %" PRIu64
		       " sleeps; the kernel came between %" PRIu64 " times\n",
		       lanes_names[options.lanes], report->lane_requests, report->lane_taken,
		       report->lane_answers, report->lane_answers_taken, report->lane_sleeps,
		       report->lane_failed);
	if (options.kill_each)
		printf("sim: %" PRIu64 " deaths of tasks by plan\n", report->deaths);
	printf("sim: %" PRIu64 " schedules, seeds %" PRIu64 "-%" PRIu64 ", %" PRIu32 " failures\n",
	       report->schedules, options.seed, report->seed - (report->seed > options.seed),
	       failures);
	return failures != 0;
}
