/*
 * Random runs: what their tasks know, what is drawn, and the calls that come of it.
 */
#ifndef TESTS_RULES_RANDOM_H
#define TESTS_RULES_RANDOM_H

#include "tests/support/message.h"

#define KNOWN_MAX 48 /* names that a task remembers */

/* The names that a task has seen: some are good, some were. */
struct known {
	mach_port_name_t names[KNOWN_MAX];
	uint32_t next;
};

extern uint64_t random_state;
extern struct known timers[WORLD_TASKS_MAX]; /* of the names, those that are timers */

uint32_t pick(uint32_t bound);
bool chance(uint32_t percent);
void forget_all(void);

/* What is learnt is drawn later, mostly; 0 and MACH_PORT_DEAD are not learnt. */
void learn(struct party *party, mach_port_name_t name);
void learn_semaphore(struct party *party, mach_port_name_t name);
void learn_voucher(struct party *party, mach_port_name_t name);
/* What a finished message trap tells its task. */
void learn_received(struct actor *t);
void learn_clock(struct party *party);

mach_port_name_t some_name(struct party *party);
mach_port_name_t some_semaphore(struct party *party);
mach_port_name_t some_voucher(struct party *party);
uint32_t some_disposition(void);
uint64_t some_number(void);

/* random_messages.c */
void some_message(struct world *w, struct actor *t);
void some_receive(struct actor *t);

/* random_objects.c */
void some_semaphore_call(struct actor *t);
void some_alarm(struct actor *t);
void some_timer_call(struct actor *t);
void some_voucher_call(struct actor *t);

#endif
