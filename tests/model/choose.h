/*
 * Choosing: numbers by the seed, and names and rights of a task that mean something.
 */
#ifndef TESTS_MODEL_CHOOSE_H
#define TESTS_MODEL_CHOOSE_H

#include "tests/model/generate.h"

#define SEND MACH_PORT_TYPE_SEND
#define RECEIVE MACH_PORT_TYPE_RECEIVE
#define ONCE MACH_PORT_TYPE_SEND_ONCE
#define SET MACH_PORT_TYPE_PORT_SET
#define DEAD MACH_PORT_TYPE_DEAD_NAME
#define ANY MACH_PORT_TYPE_ALL_RIGHTS

#define ENTRIES_MANY 14u /* of one task: from here on more is dropped than made */

/* Below @bound, which is not 0. */
uint32_t choose(struct generator *g, uint32_t bound);
bool chance(struct generator *g, uint32_t percent);

#define CHOOSE_OF(g, array) (array)[choose(g, sizeof(array) / sizeof(array)[0])]

static inline struct arg
number(int64_t value)
{
	return (struct arg){ .number = value };
}

struct arg arg_of_entry(const struct m_entry *entry);
/* A name that mostly is none. */
struct arg nonsense_name(struct generator *g);
/* An entry that has one of the rights in @types; NULL: there is none. */
const struct m_entry *find_entry(struct generator *g, const struct m_task *task,
				 mach_port_type_t types);
/* The same, of a port that @is_kind says yes to. */
const struct m_entry *find_object(struct generator *g, const struct m_task *task,
				  mach_port_type_t types,
				  bool (*is_kind)(const struct m_port *port));
/* A name with one of the rights in @types, mostly. */
struct arg some_name(struct generator *g, const struct m_task *task, mach_port_type_t types);
/* A right and a disposition that goes with it, mostly. */
struct arg some_right(struct generator *g, const struct m_task *task, bool body,
		      uint32_t *disposition);
uint64_t some_context(struct generator *g);

/* @step is to be this trap of a thread on its own task, with so many arguments behind that. */
void trap_of(struct step *step, uint32_t number, uint32_t arg_count);

/* generate_calls.c, generate_objects.c, generate_kernel.c */
void generate_call(struct generator *g, const struct m_task *task, struct step *step);
void generate_object_call(struct generator *g, const struct m_task *task, struct step *step);
void generate_kernel_call(struct generator *g, const struct m_task *task, struct step *step);
/* generate_talk.c: false: the task has nobody to talk to. */
bool generate_talk(struct generator *g, const struct m_task *task, struct step *step);
/* A name of an object of that kind, mostly; false: the task has none. */
bool some_object(struct generator *g, const struct m_task *task, mach_port_type_t types,
		 bool (*is_kind)(const struct m_port *port), struct arg *name);
/* A trap whose first argument is no task. */
void object_trap(struct step *step, uint32_t trap, uint32_t arg_count);
/* A request to what @dest names; the answer goes to a port of the asker's. */
void ask(struct generator *g, const struct m_task *task, struct step *step, struct arg dest,
	 int32_t id);
bool is_voucher(const struct m_port *port);

#endif
