/*
 * Programs: the accounts of processes.  An account lives as long as something of it is held.
 */
#include "kexts/host/program.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#define BUCKETS 64u

struct program {
	LIST_ENTRY(program) link;
	pid_t pid;
	uint32_t reference_count;
	uint64_t held[PROGRAM_CHARGE_COUNT];
};

/* The lock is for all of them and what they hold. */
static pthread_mutex_t programs_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, program) programs[BUCKETS];

struct program *
program_ref(pid_t pid)
{
	struct program *program;

	pthread_mutex_lock(&programs_lock);
	LIST_FOREACH(program, &programs[(unsigned)pid % BUCKETS], link)
	{
		if (program->pid == pid)
			break;
	}
	if (program == NULL && (program = calloc(1, sizeof(*program))) != NULL) {
		program->pid = pid;
		LIST_INSERT_HEAD(&programs[(unsigned)pid % BUCKETS], program, link);
	}
	if (program != NULL)
		program->reference_count++;
	pthread_mutex_unlock(&programs_lock);
	return program;
}

struct program *
program_unref(struct program *program)
{
	if (program == NULL)
		return NULL;
	pthread_mutex_lock(&programs_lock);
	if (--program->reference_count == 0)
		LIST_REMOVE(program, link);
	else
		program = NULL;
	pthread_mutex_unlock(&programs_lock);
	for (unsigned i = 0; program != NULL && i < PROGRAM_CHARGE_COUNT; i++)
		assert(program->held[i] == 0);
	free(program);
	return NULL;
}

static uint64_t
limit_of(enum program_charge what)
{
	long descriptors;

	switch (what) {
	case PROGRAM_LANES:
		return PROGRAM_LANES_MAX;
	case PROGRAM_CONNECTIONS:
		descriptors = sysconf(_SC_OPEN_MAX);
		return descriptors > 0 && descriptors / 2 < (long)PROGRAM_CONNECTIONS_MAX
			   ? (uint64_t)descriptors / 2
			   : PROGRAM_CONNECTIONS_MAX;
	default:
		return PROGRAM_BYTES_MAX;
	}
}

int
program_charge(struct program *program, enum program_charge what, uint64_t amount)
{
	uint64_t limit = limit_of(what);

	pthread_mutex_lock(&programs_lock);
	int error = amount > limit || program->held[what] > limit - amount ? -ENOBUFS : 0;
	if (error == 0)
		program->held[what] += amount;
	pthread_mutex_unlock(&programs_lock);
	return error;
}

void
program_release(struct program *program, enum program_charge what, uint64_t amount)
{
	pthread_mutex_lock(&programs_lock);
	assert(program->held[what] >= amount);
	program->held[what] -= amount;
	pthread_mutex_unlock(&programs_lock);
}
