/*
 * The simulated host: many tasks and threads of one kernel in one process, on one core, with
 * a clock, a scheduler and a heap that do what a seed says.
 *
 * A simulated thread runs a *program*: a function that looks at how its last trap ended and
 * asks for the next one.  It is called again from the place where it stopped (see
 * tests/simulation/programs.h), so a thread has no stack: a thousand of them cost little, a
 * sanitizer sees nothing unusual, and a thread that dies is simply not called any more.
 *
 * One *schedule* is a run from empty kernel to empty kernel.  First the *storm*: the seed
 * chooses which thread traps next, when time passes, who is interrupted, exits, dies, forks or
 * execs, and which allocation fails.  Then the *calm*: no more harm is done, time passes where
 * nobody can run, and in the end everything that should have completed has.  Last all tasks
 * die, in any order, and nothing may be left.
 *
 * After each step holds, beside kernel_audit():
 *   - a trap completes once, a thread that has none under way does not complete;
 *   - a time-out is told neither before its time, nor to somebody who asked for none, nor is
 *     anybody left waiting when it has passed;
 *   - who is interrupted comes back, and nobody else is told that he was;
 *   - a trap speaks of a shortage only if an allocation failed in the step that completed it.
 *
 * All that is done is in the trace; the same seed gives the same trace.
 */
#ifndef HOSTS_SIMULATED_H
#define HOSTS_SIMULATED_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "hosts/simulated/lane_host.h"
#include "kernel/kernel.h"

#define SIM_RECORDS 256u      /* that a report keeps: the end of the trace */
#define SIM_LETTER_MAX 512u   /* bytes of a message, out or in */
#define SIM_PIECES_MAX 2u     /* pieces of memory beside a message */
#define SIM_PIECE_MAX 256u    /* bytes of one */
#define SIM_CALM_STEPS 20000u /* for each task's share of the calm: who takes longer never ends */

struct sim;
struct sim_task;
struct sim_thread;

/* ---- the trace ---------------------------------------------------------------------------- */

enum sim_record_kind {
	SIM_RECORD_NONE = 0,
	SIM_TRAP,      /* number; a, b: its most telling arguments */
	SIM_DONE,      /* number, code; a, b: two values */
	SIM_PARKED,    /* number */
	SIM_INTERRUPT, /* a: was it blocked */
	SIM_DEADLINE,  /* a: milliseconds that passed */
	SIM_EXIT,
	SIM_EXEC,
	SIM_DIED,
	SIM_TASK,     /* a: of this parent; b: 1 if there was memory for it */
	SIM_THREAD,   /* b: 1 if there was memory for it */
	SIM_SHORTAGE, /* a: so many allocations failed in this step */
	SIM_PHASE,    /* a: enum sim_phase */
	SIM_LANE,     /* number: enum lane_step_kind; a: the lane; b: 1 if it was made */
	SIM_NOTE      /* number: a word of a program's own; a, b */
};

/* Nothing in it depends on where memory lies: traces of one seed are equal byte for byte. */
struct sim_record {
	uint64_t now_ns;
	uint32_t step, kind;
	uint32_t task, thread; /* numbers of the simulation, from 0 and 1 */
	uint32_t number;
	int32_t code;
	uint32_t a, b;
};

/* What is known when a schedule fails, in memory that outlives the process that ran it. */
struct sim_report {
	uint64_t seed;              /* of the schedule that runs */
	uint64_t schedules, deaths; /* that ran; and schedules with a death by plan */
	uint32_t step;
	bool failed; /* `why` says it; not set: the process ended otherwise */
	char scenario[32];
	char why[512];
	uint32_t kill_task, kill_at; /* see struct sim_options; 0 if nobody is killed by plan */
	bool killed;                 /* it came to that */
	bool kill_later;             /* it did not, but may at a later event */
	uint64_t lane_requests, lane_taken, lane_answers, lane_answers_taken;
	uint64_t lane_failed;  /* the kernel came between the halves of a step */
	uint64_t lane_sleeps;  /* for messages, not in the kernel */
	uint32_t record_count; /* all that there were; the last SIM_RECORDS are here */
	struct sim_record records[SIM_RECORDS];
};

/* The end of the trace, @count records at most, as text. */
void sim_report_print(const struct sim_report *report, uint32_t count, FILE *to);

/* ---- a schedule --------------------------------------------------------------------------- */

enum sim_phase { SIM_SETUP, SIM_STORM, SIM_CALM, SIM_END };

typedef void sim_program(struct sim_thread *self);

/* What a program set does where the host cannot know.  All but `start` may be NULL. */
struct sim_scenario {
	const char *name;
	uint32_t storm_steps; /* at most; the seed chooses */
	uint32_t share;       /* of the seeds: how often it is chosen, in relation to others */
	uint32_t audit_every; /* steps between two audits; 0: 1 */
	uint32_t deaths;      /* of threads and tasks, forks and execs: fewer than these; 0: 6 */
	bool threads_exit;    /* the storm may end single threads */
	bool memory_fails;    /* ... and refuse memory */
	bool tasks_die;       /* ... and kill tasks that are `mortal` */
	size_t model_bytes;   /* of sim->model, which starts zeroed */
	void (*start)(struct sim *sim);
	/* a trap completed: before the thread's program hears of it, in the kernel's order */
	void (*completed)(struct sim_thread *thread);
	/* @thread goes, maybe out of the middle of a trap; called before the kernel hears of it */
	void (*thread_gone)(struct sim_thread *thread);
	/* @task dies, or its program is replaced; its threads have gone */
	void (*task_gone)(struct sim_task *task);
	/* a fork, or what an exec started: give @child its program; NULL: tasks do neither */
	void (*born)(struct sim_task *child, struct sim_task *parent);
	/* nobody can run any more: is all done that should be? */
	void (*settled)(struct sim *sim);
	/* the kernel is gone: the model's own memory, beside sim->model */
	void (*model_free)(struct sim *sim);
};

struct sim_heap {
	uint64_t live_count, live_bytes;
	uint64_t random;
	uint32_t fail_one_in; /* 0: none fails */
	uint32_t failed_in_step;
	bool armed;
};

/* Bulk memory of a task; freed when the kernel and who made it have let it go. */
struct sim_segment {
	struct kernel_segment core;
	struct sim *sim;
	uint8_t bytes[SIM_PIECE_MAX];
};

/* By which way messages go.  A program's library is part of it: see lanes.c. */
enum sim_lanes {
	SIM_LANES_OFF,
	SIM_LANES_FORCED,  /* by a lane from the first message on, if it can take them */
	SIM_LANES_FLAPPING /* as the seed says, message by message */
};

/* Where a thread is in a message that may go by lanes. */
enum sim_lane_stage {
	SIM_LANE_NOT, /* nowhere: the kernel has it, or nobody */
	SIM_LANE_SEND,
	SIM_LANE_SENDING, /* half done */
	SIM_LANE_RECEIVE,
	SIM_LANE_RECEIVING, /* half done */
	SIM_LANE_SLEEPS     /* until somebody wakes it: it is parked, but not in the kernel */
};

struct sim_thread_lane {
	enum sim_lane_stage stage;
	struct lane_step *half;
	bool sent;  /* the message went by a lane: what is left is to receive */
	bool aside; /* a trap about lanes is under way, of which the program hears nothing */
	struct lane_trap got;
	uint32_t port; /* that it sleeps on */
};

/* How a trap ended: the program's until it asks for the next one. */
struct sim_result {
	kern_return_t code;
	uint64_t values[KERNEL_VALUE_COUNT];
	uint32_t bytes_size, trailer_size, piece_count;
	uint32_t piece_sizes[SIM_PIECES_MAX];
	bool shortage; /* an allocation failed in the step that completed it */
	uint8_t bytes[SIM_LETTER_MAX];
	uint8_t trailer[SIM_LETTER_MAX];
	uint8_t pieces[SIM_PIECES_MAX][SIM_PIECE_MAX];
};

struct sim_thread {
	struct sim *sim;
	struct sim_task *task;
	struct thread *thread; /* NULL: gone */
	uint32_t number;       /* in the simulation; never used twice */
	uint32_t ready_index;  /* in sim->ready, plus 1; 0: cannot run */
	uint32_t live_index;   /* in sim->live */
	sim_program *program;
	int at;      /* where the program goes on */
	void *state; /* the program's own; freed with the thread */
	bool asked;  /* `frame` is to be trapped */
	bool trapping, parked;
	bool harmed;     /* it was interrupted in the step that is under way */
	bool done;       /* the program has ended */
	uint32_t letter; /* the scenario's: what the trap under way sends; 0: nothing */

	/* when a blocked trap may tell a time-out, and must have; UINT64_MAX: never */
	uint64_t earliest_ns, latest_ns;

	struct trap_frame frame;
	uint8_t out[SIM_LETTER_MAX];
	uint32_t out_size;
	struct kernel_piece out_pieces[SIM_PIECES_MAX];
	struct sim_segment *out_segment; /* given up after the trap */
	struct sim_result result;
	struct sim_thread_lane lane;
	struct sim_thread *next; /* of its task */
};

struct sim_task {
	struct sim *sim;
	struct task *task; /* NULL: dead */
	uint32_t index;
	bool mortal;                       /* the storm may kill it */
	bool crippled;                     /* one of its threads has gone before the end */
	bool is_successor;                 /* of an exec */
	void *model;                       /* the scenario's */
	mach_port_name_t mailbox;          /* where set-up reaches it */
	mach_port_name_t mailbox_of_first; /* of the first task: its right to that */
	struct sim_thread *threads;
	struct lane_task lanes;
};

struct sim {
	const struct sim_scenario *scenario;
	struct sim_report *report;
	void (*failed)(struct sim *sim); /* the report is filled; does not return */
	FILE *text;                      /* the whole trace goes there; NULL: nowhere */
	struct kernel *kernel;
	struct sim_heap heap;
	uint64_t seed, random, hash;
	uint64_t now_ns;
	uint32_t step;
	enum sim_phase phase;
	bool lose_a_wakeup; /* for the tests of the simulator: this host is broken */
	uint32_t live_segments;
	enum sim_lanes lanes;
	struct lane_memory lane_memory;

	struct sim_task **tasks;
	uint32_t task_count, task_room;
	struct sim_thread **live, **ready; /* all threads; those that can run */
	uint32_t live_count, ready_count, thread_room, next_thread;
	uint32_t stickiness; /* percent: goes on with the thread that ran last */
	uint32_t harm;       /* per mille of the storm's steps that are none of a program's */
	uint32_t deaths_left;
	uint32_t last_ready; /* number of the thread that ran last */
	void *model;         /* the scenario's */
};

struct sim_options {
	struct sim_report *report;
	void (*failed)(struct sim *sim);
	FILE *text;
	bool lose_a_wakeup;
	enum sim_lanes lanes;
	/* beside all else task number @kill_task, if it is mortal, dies before event @kill_at of
	 * the storm; 0: nobody does.  report->killed tells whether it came to that */
	uint32_t kill_task, kill_at;
};

/* One schedule.  The hash of its trace; a failure calls options->failed instead. */
uint64_t sim_run(const struct sim_scenario *scenario, uint64_t seed,
		 const struct sim_options *options);

/* Something is not as it must be: fills the report and ends the schedule. */
_Noreturn void sim_fail(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define sim_must(sim_, condition_, ...)                                                            \
	do {                                                                                       \
		if (!(condition_))                                                                 \
			sim_fail(sim_, __VA_ARGS__);                                               \
	} while (0)

/* A random number below @bound, which is not 0. */
uint32_t sim_pick(struct sim *sim, uint32_t bound);
bool sim_chance(struct sim *sim, uint32_t percent);

void sim_note(struct sim_thread *thread, uint32_t number, uint32_t a, uint32_t b);

/* ---- tasks and threads -------------------------------------------------------------------- */

/* A task without threads, child of @parent (NULL: of nobody); NULL: an allocation failed. */
struct sim_task *sim_task_new(struct sim *sim, struct sim_task *parent);
/* NULL: an allocation failed.  @state of @state_bytes is the program's, zeroed. */
struct sim_thread *sim_thread_new(struct sim_task *task, sim_program *program, size_t state_bytes);
void sim_thread_exit(struct sim_thread *thread);
void sim_task_die(struct sim_task *task);
/* All of @task dies but its special ports; the new task, without threads.  NULL: no memory. */
struct sim_task *sim_task_exec(struct sim_task *task);
void sim_interrupt(struct sim_thread *thread);
void sim_pass_time(struct sim *sim, uint64_t duration_ns);

/* One more segment with @size_bytes of @byte; goes with the next trap of @thread. */
struct kernel_segment *sim_segment_new(struct sim_thread *thread, uint32_t size_bytes,
				       uint8_t byte);

/* The frame that @thread has asked for.  True: completed, false: it blocks. */
bool sim_trap(struct sim_thread *thread);

bool sim_is_shortage(kern_return_t code);

#endif
