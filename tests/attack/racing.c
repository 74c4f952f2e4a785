/*
 * Attacks by memory that changes while berthd reads it: whatever it checks it must have
 * copied, for the next look may see something else.  ATTACK_FRAMES says how often each word
 * is tried, ATTACK_SEED with what.
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
		if (random % 16 == 0 && ftruncate(fuzz->spill_fd, word % 65536) != 0)
			abort();
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

/* ---- one word at a time -------------------------------------------------------------- */

/* What changes is one word of an otherwise good message, from good to bad and back without
 * an end: who reads it twice sees both soon. */
struct toggler {
	_Atomic(volatile uint32_t *) word; /* NULL: rest */
	_Atomic uint32_t good, bad, rests;
	_Atomic bool stop;
};

static void *
toggle_on(void *context)
{
	struct toggler *toggler = context;

	while (!atomic_load(&toggler->stop)) {
		volatile uint32_t *word = atomic_load(&toggler->word);

		if (word == NULL) {
			atomic_store(&toggler->rests, 1);
			sched_yield();
			continue;
		}
		uint32_t good = atomic_load(&toggler->good), bad = atomic_load(&toggler->bad);

		for (int i = 0; i < 100; i++) {
			*word = bad;
			for (volatile unsigned j = 0; j < 8; j++)
				continue; /* or only the last would be seen */
			*word = good;
			for (volatile unsigned j = 0; j < 8; j++)
				continue;
		}
	}
	return NULL;
}

static void
toggler_rest(struct toggler *toggler)
{
	atomic_store(&toggler->word, NULL);
	atomic_store(&toggler->rests, 0);
	while (!atomic_load(&toggler->rests))
		sched_yield();
}

#define MEMORY_BYTES 1024

struct good_message {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_port_descriptor_t right;
	mach_msg_ool_descriptor_t memory;
	struct trap_piece_wire piece; /* the table */
	uint8_t bytes[MEMORY_BYTES];
};

_Static_assert(offsetof(struct good_message, piece) % 8 == 0, "the table is aligned");
_Static_assert(offsetof(struct good_message, bytes) % 8 == 0, "so is what it points to");

/* Fills slot 0 with a message to @port, which is all right. */
static void
prepare_good(struct fuzz *fuzz, mach_port_name_t port)
{
	struct trap_slot *slot = raw_slot(&fuzz->task, fuzz->slots[0]);
	uint32_t size = offsetof(struct good_message, piece);
	struct good_message message = {
		.header = { .msgh_bits =
				MACH_MSGH_BITS_COMPLEX | MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
			    .msgh_size = size,
			    .msgh_remote_port = port },
		.body = { 2 },
		.right = { .name = port,
			   .disposition = MACH_MSG_TYPE_COPY_SEND,
			   .type = MACH_MSG_PORT_DESCRIPTOR },
		.memory = { .address = (void *)0x1000,
			    .size = MEMORY_BYTES,
			    .copy = MACH_MSG_VIRTUAL_COPY,
			    .type = MACH_MSG_OOL_DESCRIPTOR },
		.piece = { TRAP_PIECE_STREAM, MEMORY_BYTES, offsetof(struct good_message, bytes) },
	};
	uint64_t args[] = { MACH_SEND_MSG | MACH_SEND_TIMEOUT, size, 0, 0, 0 };

	memcpy(slot->data, &message, sizeof(message));
	raw_fill(slot, BERTH_TRAP_MSG, args, 5);
	slot->request.prefix_size_bytes = size;
	slot->request.stream_size_bytes = sizeof(message);
	slot->request.piece_count = 1;
	raw_publish(slot);
}

/* Takes from the queue by another slot what has come. */
static void
take_all(struct fuzz *fuzz, mach_port_name_t port)
{
	while (raw_trap(&fuzz->task, fuzz->slots[1], BERTH_TRAP_MSG, 5,
			(uint64_t)(MACH_RCV_MSG | MACH_RCV_TIMEOUT), (uint64_t)0, (uint64_t)4096,
			(uint64_t)port, (uint64_t)0) == MACH_MSG_SUCCESS)
		continue;
}

#define REQUEST_WORDS (sizeof(struct trap_request) / 4)
#define MESSAGE_WORDS (offsetof(struct good_message, bytes) / 4)
#define FRAMES_PER_WORD 1000
#define FRAMES_PER_VALUE 8 /* the queue holds fewer, but it is the way there that counts */

static void
toggling(const struct raw_kernel *kernel, void *context)
{
	const char *text = getenv("ATTACK_FRAMES");
	unsigned long count = text != NULL ? strtoul(text, NULL, 0) : FRAMES_PER_WORD;
	struct toggler toggler = { .word = NULL };
	struct fuzz fuzz;
	pthread_t thread;

	fuzz_init(&fuzz, kernel, *(uint64_t *)context);
	if (pthread_create(&thread, NULL, toggle_on, &toggler) != 0)
		abort();
	for (unsigned i = 0; i < REQUEST_WORDS + MESSAGE_WORDS; i++) {
		fuzz_attach(&fuzz);
		mach_port_name_t port = raw_port(&fuzz.task, 0);
		struct trap_slot *slot = raw_slot(&fuzz.task, fuzz.slots[0]);
		volatile uint32_t *words =
		    i < REQUEST_WORDS ? (volatile uint32_t *)(void *)&slot->request + i
				      : (volatile uint32_t *)(void *)slot->data + i - REQUEST_WORDS;

		for (unsigned long j = 0; j < count; j++) {
			if (j % FRAMES_PER_VALUE == 0) {
				toggler_rest(&toggler);
				take_all(&fuzz, port);
				prepare_good(&fuzz, port);
				atomic_store(&toggler.good, *words);
				atomic_store(&toggler.bad, (uint32_t)fuzz_extreme(&fuzz));
				atomic_store(&toggler.word, words);
			}
			atomic_store(&slot->state, TRAP_ASKED);
			fuzz_ring(&fuzz, 0, NULL, 0);
			fuzz_settle(&fuzz, 0, 1);
		}
		toggler_rest(&toggler);
		fuzz_detach(&fuzz);
	}
	atomic_store(&toggler.stop, true);
	pthread_join(thread, NULL);
	printf("   %u answers, of which %u success; %u tasks dropped\n", fuzz.answered,
	       fuzz.succeeded, fuzz.renewed);
	if (fuzz.succeeded < fuzz.answered / 20)
		abort(); /* the good ones were none */
}

static void
words_that_change_while_they_are_read_harm_nobody(void **state)
{
	uint64_t seed = attack_seed();

	attack(toggling, &seed, WORST_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_that_changes_while_it_is_read_harms_nobody),
		cmocka_unit_test(words_that_change_while_they_are_read_harm_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
