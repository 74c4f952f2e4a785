/*
 * A host of the kernel core for tests: tasks, threads, a clock that stands still until it
 * is moved, and memory that is counted and can be made to fail.
 *
 * Every step is followed by kernel_audit().  At the end of a world all its tasks die and
 * nothing may be left: no byte of the core's heap, no segment.
 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/kernel.h"

#include <mach/mach_types.h>
#include <mach/notify.h>

#include "tests/support/runner.h"

#define WORLD_TASKS_MAX 128
#define TASK_THREADS_MAX 16

/* ---- memory that can fail ---------------------------------------------------------- */

struct fault {
	struct kernel_heap heap;
	uint64_t live_count, live_bytes;
	uint64_t asked;   /* allocations since it was armed */
	uint64_t fail_at; /* which of them fails; 0: none does */
	bool armed;
	bool lasting; /* … and all that follow, while it is armed */
	bool hit;     /* one has failed */
};

/* Counts and never fails.  @fault must stay where it is. */
void fault_init(struct fault *fault);

/* From here on allocations are counted, and number fail_at fails. */
void fault_arm(struct fault *fault);

/* For FOR_EACH_FAILURE: make the next allocation the failing one; false at the end. */
bool fault_next(struct fault *fault);

/* Fails allocation 1, 2, 3 ... of what runs armed, until one run meets no failure. */
#define FOR_EACH_FAILURE(fault_) for (struct fault fault_ = { 0 }; fault_next(&fault_);)

/* ---- the world --------------------------------------------------------------------- */

/* Bulk memory of the test. */
struct segment {
	struct kernel_segment core;
	struct world *world;
	uint8_t *bytes;
};

/* An open file of the test. */
struct file {
	struct kernel_file core;
	struct world *world;
};

/* Memory that tasks share for lanes. */
struct shared {
	struct kernel_shared core;
	struct world *world;
	struct shared *next; /* ended, and kept for who has it mapped */
};

/* How a trap ended: a copy, owned by the actor until its next trap. */
struct piece {
	enum kernel_piece_kind kind;
	uint32_t size_bytes;
	uint8_t *bytes;
	struct kernel_segment *segment; /* only to be compared */
};

struct outcome {
	kern_return_t code;
	uint64_t values[KERNEL_VALUE_COUNT];
	uint8_t *bytes;
	uint32_t bytes_size;
	uint8_t *trailer;
	uint32_t trailer_size;
	bool has_tail;
	struct piece tail;
	struct piece *pieces;
	uint32_t piece_count;
	struct watch *watch;
	const struct file *file; /* only to be compared: it may be gone */
	void *shared;            /* memory of lanes, as long as the kernel keeps it */
	struct kernel_guard guard;
};

struct watch {
	struct kernel_watch *core; /* NULL once it was closed */
	bool ready, closed;
	uint32_t told; /* times that the kernel told of it */
	struct watch *next;
};

/* A thread of a task, which the test speaks for. */
struct actor {
	struct world *world;
	struct party *party;
	struct thread *thread; /* NULL: gone */
	bool parked;
	bool done; /* a completed outcome that was not looked at */
	struct outcome outcome;
	mach_port_name_t target;  /* the task argument of its calls; its own task's name */
	uint64_t receive_buffer;  /* address given with a receive */
	_Atomic uint64_t promise; /* as the slot of a thread has it */
	bool has_asked;           /* the last right that it might have given up without */
};

struct party {
	struct world *world;
	struct task *task; /* NULL: dead */
	uint32_t index;
	uint32_t resumed; /* how often the kernel said that it is to run again */
	audit_token_t token;
	struct actor actors[TASK_THREADS_MAX];
	uint32_t actor_count;
	mach_port_name_t mailbox;                     /* its receive right */
	mach_port_name_t mailbox_of[WORLD_TASKS_MAX]; /* its send rights */
};

struct world {
	struct kernel *kernel;
	struct fault own_heap;
	struct fault *fault;
	uint64_t now_ns;
	uint64_t wall_offset_ns;
	struct party parties[WORLD_TASKS_MAX];
	uint32_t party_count;
	uint64_t live_segments;
	uint64_t live_files;
	uint64_t live_shared;
	bool no_shared;    /* the host has no memory for lanes */
	bool keeps_shared; /* tasks have it mapped: it stays until the end of the world */
	struct shared *ended;
	struct watch *watches;
	uint32_t completed; /* traps that ended in the last step */
	bool quiet_audit;   /* no audit after each step: a test with very many objects */
};

/* The machine that the kernels of the tests believe to run on. */
extern const struct kernel_host_facts world_facts;

/*
 * A world of @task_count tasks with a thread each.  If they are several, each holds a
 * send right to a mailbox of each other one (see give()).
 */
struct world *world_new(uint32_t task_count);
/* The same, not audited at each step, with quiet_audit from the start: for many short lives. */
struct world *world_new_quiet(uint32_t task_count);
/* The same on memory that fails; NULL: it did.  The set-up itself runs unarmed. */
struct world *world_new_on(struct fault *fault, uint32_t task_count);

/* All tasks die, the kernel ends, and nothing is left.  Fails the test otherwise. */
void world_free(struct world *w);

/* One more task with a thread, child of @parent (NULL: of nobody); NULL: no memory. */
struct party *world_task_new(struct world *w, struct party *parent);
/* One more thread; NULL: no memory. */
struct actor *world_thread_new(struct party *party);
struct actor *world_actor(struct world *w, uint32_t task_index);

/* ---- events ------------------------------------------------------------------------ */

/*
 * One trap.  True: it completed and actor->outcome tells how; false: it is parked.
 * What the frame points to is destroyed right after the step.
 */
bool world_trap(struct actor *actor, const struct trap_frame *frame);
void world_interrupt(struct actor *actor);
/* Nothing is left in lanes: before a test looks at the kernel from outside. */
void world_look(struct world *w);
void world_thread_exit(struct actor *actor);
void world_task_exec(struct party *party);
void world_task_die(struct party *party);

/* Time passes; what is due is completed. */
void world_advance_ms(struct world *w, uint64_t ms);

/* The outcome of a trap that was parked and has been completed by a later step. */
const struct outcome *world_completed(struct actor *actor);

struct segment *segment_new(struct world *w, const void *bytes, uint64_t size_bytes);
/* The test's own reference goes. */
void segment_drop(struct segment *segment);

/* A file with one reference, the test's. */
struct file *file_new(struct world *w);
void file_drop(struct file *file);

/* ---- looking ----------------------------------------------------------------------- */

/* The kernel as text; the caller frees it. */
char *world_dump(struct world *w);
struct kernel_counts world_counts(struct world *w);

/* Compares two dumps, frees both, and fails with the first line that differs. */
void world_same(char *before, char *after, const char *file, int line);

/* ---- assertions -------------------------------------------------------------------- */

const char *code_name(kern_return_t code);
void check_code(kern_return_t code, kern_return_t expected, const char *call, const char *file,
		int line);

#define assert_code(call, expected) check_code(call, expected, #call, __FILE__, __LINE__)
#define assert_ok(call) check_code(call, KERN_SUCCESS, #call, __FILE__, __LINE__)

/* The call is refused with this code, and the kernel is afterwards what it was before. */
#define assert_refused_without_trace(w, call, expected)                                            \
	do {                                                                                       \
		char *before_ = world_dump(w);                                                     \
		check_code(call, expected, #call, __FILE__, __LINE__);                             \
		world_same(before_, world_dump(w), __FILE__, __LINE__);                            \
	} while (0)

#endif
