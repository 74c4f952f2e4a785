/*
 * Attacks by the frame of a trap: numbers, sizes, offsets and flags that lie, descriptors
 * that are not what they should be, and rights that are not there.
 *
 * ATTACK_FRAMES says how many frames, ATTACK_SEED which.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/fuzz.h"

#define WORST_MS 20000
#define FRAMES 20000
#define FRAMES_PER_TASK 400 /* then the task ends with all that it has, and a next begins */

static void
random_frames(const struct raw_kernel *kernel, void *context)
{
	const char *text = getenv("ATTACK_FRAMES");
	unsigned long count = text != NULL ? strtoul(text, NULL, 0) : FRAMES;
	struct fuzz fuzz;
	unsigned fd_count;
	int fds[40] = { -1, -1 };

	fuzz_init(&fuzz, kernel, *(uint64_t *)context);
	for (unsigned long i = 0; i < count; i++) {
		unsigned slot = attack_random(&fuzz.seed) % FUZZ_SLOTS;

		if (i % FRAMES_PER_TASK == 0) {
			if (i > 0)
				fuzz_detach(&fuzz);
			fuzz_attach(&fuzz);
		}
		fuzz_settle(&fuzz, slot, 0);
		fuzz_ask(&fuzz, slot, fds, &fd_count);
		fuzz_ring(&fuzz, slot, fds, fd_count);
		/* some stay as they are while others go on */
		if (attack_random(&fuzz.seed) % 4 != 0)
			fuzz_settle(&fuzz, slot, 1);
	}
	printf(
	    "   %u frames, %u answers, of which %u success and %u interrupted; %u tasks dropped\n",
	    fuzz.frames, fuzz.answered, fuzz.succeeded, fuzz.interrupted, fuzz.renewed);
	/* or it has not come anywhere */
	if (count >= FRAMES && fuzz.succeeded < count / 20)
		abort();
}

static void
random_frames_harm_nobody(void **state)
{
	uint64_t seed = attack_seed();
	struct raw_kernel kernel = raw_kernel_start(NULL);
	struct bystander bystander = bystander_start(&kernel);
	struct observation before = observe(&kernel);

	run_hostile(&kernel, random_frames, &seed, getenv("ATTACK_FRAMES") != NULL ? 0 : 240);
	observe_settles(&kernel, &before);
	bystander_end(&bystander, WORST_MS);
	raw_kernel_end(&kernel);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_frames_harm_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
