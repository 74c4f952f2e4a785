/*
 * The runner: see runner.h.
 *
 * Usage: program [-l] [-n] [name ...]: all tests, or those whose name contains a given
 * word.  -l lists them; -n runs in this process, for a debugger.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/runner.h"

static struct test_case *first, **last = &first;

void
test_register(struct test_case *test)
{
	*last = test;
	last = &test->next;
}

static int
run_here(const struct test_case *test)
{
	const struct CMUnitTest unit[] = { { test->name, test->body, NULL, NULL, NULL } };

	return _cmocka_run_group_tests(test->name, unit, 1, NULL, NULL);
}

static void
print_output(FILE *output)
{
	char line[4096];

	rewind(output);
	while (fgets(line, sizeof line, output))
		fputs(line, stdout);
}

/* True: as it should. */
static int
run_apart(const struct test_case *test)
{
	FILE *output = tmpfile();
	int status, good;
	pid_t child;

	if (!output) {
		perror("tmpfile");
		exit(2);
	}
	fflush(stdout);
	child = fork();
	if (child < 0) {
		perror("fork");
		exit(2);
	}
	if (child == 0) {
		dup2(fileno(output), 1);
		dup2(fileno(output), 2);
		alarm(test->limit_s);
		if (run_here(test) != 0) {
			fflush(NULL);
			_exit(1); /* what a test that stops in the middle leaves is no leak */
		}
		exit(0);
	}
	while (waitpid(child, &status, 0) < 0)
		;
	good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (good == !test->must_fail) {
		printf("ok       %s\n", test->name);
		fclose(output);
		return 1;
	}
	if (test->must_fail)
		printf("NOT SEEN %s: should have failed\n", test->name);
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		printf("HANG     %s: more than %u s\n", test->name, test->limit_s);
	else if (WIFSIGNALED(status))
		printf("CRASH    %s: %s\n", test->name, strsignal(WTERMSIG(status)));
	else
		printf("FAILED   %s\n", test->name);
	print_output(output);
	fclose(output);
	return 0;
}

static int
chosen(const struct test_case *test, int argc, char **argv)
{
	int words = 0;

	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			continue;
		words++;
		if (strstr(test->name, argv[i]))
			return 1;
	}
	return words == 0;
}

int
main(int argc, char **argv)
{
	int list = 0, here = 0, run = 0, bad = 0;

	for (int i = 1; i < argc; i++) {
		list |= strcmp(argv[i], "-l") == 0;
		here |= strcmp(argv[i], "-n") == 0;
	}
	for (const struct test_case *test = first; test; test = test->next) {
		if (!chosen(test, argc, argv))
			continue;
		run++;
		if (list)
			printf("%s\n", test->name);
		else if (here)
			bad += run_here(test) != 0;
		else
			bad += !run_apart(test);
	}
	if (!list)
		printf("%d run, %d failed\n", run, bad);
	if (bad)
		printf("repeat one: %s -n NAME\n", argv[0]);
	return bad || run == 0;
}
