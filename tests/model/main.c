/*
 * The runner: random sequences on the kernel and on the model, until they differ.
 *
 *   test-model [--seconds N] [--seed N] [--seeds N] [--steps N] [--look N] [--tasks N]
 *              [--lanes off|forced|flapping|all]
 *   test-model --replay FILE...
 *
 * A difference is shrunk to the fewest steps that still differ, and printed as text that
 * --replay plays.  Status 0: no difference; 1: one; 2: the arguments make no sense.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/model/generate.h"
#include "tests/model/play.h"
#include "tests/model/shrink.h"

struct options {
	uint64_t seconds, seed, seed_count, steps, look, tasks;
	enum sequence_lanes lanes;
	bool all_lanes; /* one mode after the other */
	bool replay;
};

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- stored sequences ------------------------------------------------------------------------ */

static int
replay(struct play *p, const char *path)
{
	struct sequence s = { 0 };
	FILE *file = fopen(path, "r");
	bool same;

	if (!file || !sequence_read(file, path, &s)) {
		if (file)
			fclose(file);
		else
			perror(path);
		sequence_deinit(&s);
		return 2;
	}
	fclose(file);
	same = play_sequence(p, &s, 1);
	if (same)
		printf("%s: %u steps, no difference\n", path, s.count);
	else
		printf("%s: the kernel and the model differ\n%s\n", path, play_difference(p));
	sequence_deinit(&s);
	return same ? 0 : 1;
}

/* ---- random ones ------------------------------------------------------------------------------
 */

/* Plays the sequence of @seed; false: they differ, and @s has what led there. */
static bool
random_run(struct play *p, const struct options *options, uint64_t seed, struct sequence *s)
{
	/* much talk fills lanes, and little else then happens to them */
	static const uint32_t talk_percents[] = { 30, 60, 90, 96, 98 };
	struct generator g;
	bool same = true;

	s->task_count = options->tasks ? (uint32_t)options->tasks : 2 + (uint32_t)(seed % 3);
	s->lanes = options->all_lanes ? (enum sequence_lanes)(seed % 3) : options->lanes;
	s->lane_seed = seed;
	s->count = 0;
	play_start(p, s);
	generator_init(&g, seed, play_model(p));
	g.talk_percent = s->lanes == LANES_OFF ? 0 : talk_percents[seed % 5];
	for (uint64_t i = 0; same && i < options->steps; i++) {
		struct step step;

		generate_step(&g, &step);
		sequence_add(s, &step);
		same = play_step(p, &step);
		if (same)
			same = play_look_after(p, &step, (i + 1) % options->look == 0);
	}
	return same && play_look(p) && play_end(p);
}

static int
report(struct play *p, uint64_t seed, struct sequence *s)
{
	printf("seed %" PRIu64 ", lanes %s: the kernel and the model differ after %u steps\n%s\n",
	       seed, sequence_lanes_name(s->lanes), s->count, play_difference(p));
	fflush(stdout);
	if (!sequence_shrink(p, s)) {
		printf("it does not differ when it is played again: the kernel is not the same "
		       "twice\n");
		return 1;
	}
	printf("# the shortest that differs, for tests/model/cases:\n");
	sequence_print(stdout, s);
	printf("%s\n", play_difference(p));
	return 1;
}

static int
random_runs(struct play *p, const struct options *options)
{
	const uint64_t end = now_ms() + options->seconds * 1000;
	const struct play_lane_counts *counts = play_lane_counts(p);
	uint64_t operations = 0, seed = options->seed;
	struct sequence s = { 0 };
	int status = 0;

	printf("model: from seed %" PRIu64 ", lanes %s\n", seed,
	       options->all_lanes ? "all" : sequence_lanes_name(options->lanes));
	fflush(stdout);
	for (;; seed++) {
		bool same = random_run(p, options, seed, &s);

		operations += s.count;
		if (!same)
			status = report(p, seed, &s);
		if (!same || now_ms() >= end || seed - options->seed + 1 == options->seed_count)
			break;
	}
	sequence_deinit(&s);
	printf("model: %" PRIu64 " operations, seeds %" PRIu64 "-%" PRIu64 ", %d differences\n",
	       operations, options->seed, seed, status);
	if (options->all_lanes || options->lanes != LANES_OFF)
		printf("model: by lanes %" PRIu64 " requests, %" PRIu64 " taken; %" PRIu64
		       " answers, %" PRIu64 " taken; the kernel came between %" PRIu64 " times\n",
		       counts->requests, counts->taken, counts->answers, counts->answers_taken,
		       counts->failed);
	return status;
}

/* ---- arguments --------------------------------------------------------------------------------
 */

static const struct option long_options[] = { { "seconds", required_argument, NULL, 's' },
					      { "seed", required_argument, NULL, 'S' },
					      { "seeds", required_argument, NULL, 'c' },
					      { "steps", required_argument, NULL, 'n' },
					      { "look", required_argument, NULL, 'l' },
					      { "tasks", required_argument, NULL, 't' },
					      { "replay", no_argument, NULL, 'r' },
					      { "lanes", required_argument, NULL, 'L' },
					      { 0 } };

static bool
number_of(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
	char *end;

	*number = strtoull(text, &end, 10);
	return end != text && *end == '\0' && *number >= least && *number <= most;
}

static bool
options_read(int argc, char **argv, struct options *o)
{
	bool ok = true;

	for (int c; ok && (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
		switch (c) {
		case 's':
			ok = number_of(optarg, 0, 10000000, &o->seconds);
			break;
		case 'S':
			ok = number_of(optarg, 0, UINT64_MAX, &o->seed);
			break;
		case 'c':
			ok = number_of(optarg, 1, UINT64_MAX, &o->seed_count);
			break;
		case 'n':
			ok = number_of(optarg, 1, 20000, &o->steps);
			break;
		case 'l':
			ok = number_of(optarg, 1, UINT64_MAX, &o->look);
			break;
		case 't':
			ok = number_of(optarg, 1, M_TASKS, &o->tasks);
			break;
		case 'r':
			o->replay = true;
			break;
		case 'L':
			o->all_lanes = strcmp(optarg, "all") == 0;
			ok = o->all_lanes || sequence_lanes_read(optarg, &o->lanes);
			break;
		default:
			ok = false;
			break;
		}
	}
	return ok && (o->replay ? optind < argc : optind == argc);
}

int
main(int argc, char **argv)
{
	struct options options = { .seconds = 60, .seed = 1, .steps = 600, .look = 16 };
	const char *seed = getenv("BERTH_MODEL_SEED");
	struct play *p;
	int status = 0;

	if ((seed && !number_of(seed, 0, UINT64_MAX, &options.seed)) ||
	    !options_read(argc, argv, &options)) {
		fprintf(stderr,
			"usage: test-model [--seconds N] [--seed N] [--seeds N] [--steps N] "
			"[--look N] [--tasks N] [--lanes off|forced|flapping|all]\n"
			"       test-model --replay FILE...\n");
		return 2;
	}
	p = play_new();
	if (!options.replay)
		status = random_runs(p, &options);
	for (int i = optind; options.replay && i < argc && status != 2; i++) {
		int one = replay(p, argv[i]);

		status = one ? one : status;
	}
	play_free(p);
	return status;
}
