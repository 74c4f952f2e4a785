/*
 * Attacks by memory that changes while berthd reads it: whatever it checks it must have
 * copied, for the next look may see something else.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/attack/fuzz.h"

#define WORST_MS 20000
#define FRAMES 8000
#define FRAMES_PER_TASK 400

struct scribbler {
	struct fuzz *fuzz;
	uint64_t seed;
	/* the pages may be unmapped only while the scribbler rests */
	pthread_mutex_t pages_lock;
	_Atomic bool stop;
	_Atomic uint32_t slot; /* in use now: worth the most */
};

/* One word of the shared pages, changed without any order. */
static void
scribble(struct scribbler *scribbler)
{
	struct fuzz *fuzz = scribbler->fuzz;
	uint32_t random = attack_random(&scribbler->seed), word = attack_random(&scribbler->seed);
	uint32_t index = random % 4 == 0 ? random / 4 % FUZZ_SLOTS : atomic_load(&scribbler->slot);
	struct trap_slot *slot = raw_slot(&fuzz->task, fuzz->slots[index]);
	volatile uint32_t *request = (volatile uint32_t *)(void *)&slot->request;
	volatile uint32_t *data = (volatile uint32_t *)(void *)slot->data;
	volatile uint32_t *reply = (volatile uint32_t *)(void *)&slot->reply;

	/* small numbers are more often believed than large ones */
	if (random & 0x100)
		word = random & 0x200 ? word % 64 : word % TRAP_DATA_SIZE;
	switch (random >> 28) {
	case 0 ... 5:
		request[random / 16 % (sizeof(slot->request) / 4)] = word;
		break;
	case 6 ... 9:
		data[random / 16 % 64] = word;
		break;
	case 10:
		data[random / 16 % (TRAP_DATA_SIZE / 4)] = word;
		break;
	case 11:
		reply[random / 16 % (sizeof(slot->reply) / 4)] = word;
		break;
	case 12: /* asked, done or nonsense */
		atomic_store(&slot->state, random & 0x400 ? word : random / 16 % 3);
		break;
	case 13:
		atomic_store(&slot->cancel, word);
		slot->sequence = word;
		atomic_store(&slot->task_cpu, word);
		break;
	case 14: /* other bells, too, of slots that are and that are not */
		atomic_fetch_or(&fuzz->task.doorbell->bells[random / 16 % TRAP_SEGMENT_MAX],
				(uint64_t)word << (random & 31));
		atomic_fetch_or(&fuzz->task.doorbell->summary[word % DOORBELL_SUMMARY_WORDS],
				(uint64_t)word << (random & 31));
		break;
	default: /* the kernel's own hints */
		atomic_store(&fuzz->task.doorbell->kernel_cpu, word);
		atomic_store(&fuzz->task.doorbell->kernel_sleeps, random & 1);
		break;
	}
}

static void *
scribble_on(void *context)
{
	struct scribbler *scribbler = context;

	while (!atomic_load(&scribbler->stop)) {
		pthread_mutex_lock(&scribbler->pages_lock);
		for (int i = 0; i < 2000 && !atomic_load(&scribbler->stop); i++)
			scribble(scribbler);
		pthread_mutex_unlock(&scribbler->pages_lock);
		sched_yield();
	}
	return NULL;
}

/* Gives a frame a moment, and goes on whether it has been answered or not: what the slot says
 * means nothing any more. */
static void
look_away(struct fuzz *fuzz, unsigned slot)
{
	for (int i = 0; i < 100; i++)
		if (atomic_load(&raw_slot(&fuzz->task, fuzz->slots[slot])->state) == TRAP_DONE)
			return;
	sched_yield();
}

static void
racing(const struct raw_kernel *kernel, void *context)
{
	struct fuzz fuzz;
	struct scribbler scribbler = { .fuzz = &fuzz,
				       .seed = *(uint64_t *)context + 1,
				       .pages_lock = PTHREAD_MUTEX_INITIALIZER };
	uint64_t one = 1;
	unsigned fd_count;
	int fds[40] = { -1, -1 };
	pthread_t thread;

	fuzz_init(&fuzz, kernel, *(uint64_t *)context);
	fuzz_attach(&fuzz);
	if (pthread_create(&thread, NULL, scribble_on, &scribbler) != 0)
		abort();
	for (unsigned i = 1; i <= FRAMES; i++) {
		unsigned slot = attack_random(&fuzz.seed) % FUZZ_SLOTS;

		/* a task that rings for a busy slot over the socket is dropped in the end */
		if (i % FRAMES_PER_TASK == 0 || !fuzz_drain(&fuzz)) {
			pthread_mutex_lock(&scribbler.pages_lock);
			fuzz_detach(&fuzz);
			fuzz_attach(&fuzz);
			pthread_mutex_unlock(&scribbler.pages_lock);
		}
		atomic_store(&scribbler.slot, slot);
		fuzz_ask(&fuzz, slot, fds, &fd_count);
		fuzz_ring(&fuzz, slot, fds, i % 4 == 0 ? fd_count : 0);
		/* by all ways: the hints that say which is needed are scribbled on */
		if (write(fuzz.task.event_fd, &one, sizeof(one)) < 0)
			abort();
		look_away(&fuzz, slot);
	}
	atomic_store(&scribbler.stop, true);
	pthread_join(thread, NULL);
}

static void
memory_that_changes_while_it_is_read_harms_nobody(void **state)
{
	uint64_t seed = attack_seed();

	attack(racing, &seed, WORST_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_that_changes_while_it_is_read_harms_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
