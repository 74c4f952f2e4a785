/*
 * Sequences of steps: what the runner makes up, plays, shrinks, prints and reads.
 *
 * A step says names as "the second name that step 17 made" (%17.1), never as numbers, so that
 * it means the same when other steps are dropped; a name that was never made is 0.
 *
 * The text of a step is a line of words:
 *
 *	3 0.1 mod_refs self %2.0 0 -1           a trap of task 0, thread 1
 *	4 1.0 msg 0x11 to=%1.0:19 reply=%2.0:21 id=7 size=24 port:%2.1:20
 *	5 advance 10                            milliseconds
 *	6 0.1 interrupt                         also: exit, thread (a new one)
 *	7 2 die
 *	8 1.0 fork                          a new task; 1.1: with other ids
 *	9 1.0 exec                          another program, which is a new task
 *
 * The recipes of a voucher follow its host in groups of four: key, command, previous voucher, and
 * a content: its size, its bytes from 8 bits on, and with 0x10000 a size that is not true.
 *
 * The first line is "tasks N", with "lanes forced" or "lanes flapping SEED" behind it if messages
 * go by lanes; a # starts a comment.
 */
#ifndef TESTS_MODEL_SEQUENCE_H
#define TESTS_MODEL_SEQUENCE_H

#include <stdio.h>

#include "tests/model/model.h"

#define STEP_WORDS 4
#define STEP_RECIPES 3

/* A number, or the name that a step made. */
struct arg {
	bool is_label;
	uint32_t step, ordinal;
	int64_t number;
};

enum step_kind {
	STEP_TRAP,
	STEP_MSG,
	STEP_ADVANCE,
	STEP_INTERRUPT,
	STEP_EXIT,
	STEP_THREAD,
	STEP_FORK,
	STEP_EXEC,
	STEP_DIE
};

struct step_descriptor {
	uint32_t type, disposition, count; /* rights, or bytes */
	uint32_t flags, copy, deallocate;
	uint64_t context;
	bool unreadable;
	struct arg names[M_RIGHTS];
};

struct step {
	uint32_t id;
	enum step_kind kind;
	uint32_t task, thread;
	uint32_t trap;
	uint32_t arg_count;
	struct arg args[M_ARGS];
	uint64_t ms; /* STEP_ADVANCE */

	/* STEP_MSG */
	uint32_t option, timeout;
	struct arg dest, reply, rcv_name, sync_name;
	uint32_t dest_disposition, reply_disposition, voucher_disposition;
	struct arg voucher; /* a name, or 32 bits that pass */
	int32_t msgh_id;
	uint32_t data_size;
	uint32_t word_count, words[STEP_WORDS]; /* the body: these behind an NDR record */
	bool complex;
	int32_t size_error; /* the size said is wrong by so much */
	uint32_t count_error;
	uint32_t rcv_size;
	uint64_t rcv_buffer;
	uint32_t descriptor_count;
	struct step_descriptor descriptors[M_DESCRIPTORS];
};

/* By which way messages go: lanes.h. */
enum sequence_lanes { LANES_OFF, LANES_FORCED, LANES_FLAPPING };

struct sequence {
	uint32_t task_count;
	enum sequence_lanes lanes;
	uint64_t lane_seed; /* of what is chosen when they are flapping */
	struct step *steps;
	uint32_t count, room;
};

void sequence_add(struct sequence *s, const struct step *step);
void sequence_deinit(struct sequence *s);
/* "off", "forced", "flapping"; false: none of these. */
bool sequence_lanes_read(const char *word, enum sequence_lanes *lanes);
const char *sequence_lanes_name(enum sequence_lanes lanes);
void step_print(FILE *to, const struct step *step);
void sequence_print(FILE *to, const struct sequence *s);
/* False, and what is wrong on stderr. */
bool sequence_read(FILE *from, const char *file_name, struct sequence *s);

/* The short name of a trap, as in the text; NULL: none that sequences have. */
const char *trap_name_of(uint32_t number);

#endif
