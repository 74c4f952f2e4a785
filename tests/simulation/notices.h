/* The programs of the notifications' scenario: see notices.c. */
#ifndef TESTS_SIMULATION_NOTICES_H
#define TESTS_SIMULATION_NOTICES_H

#include "tests/simulation/programs.h"

#define OWNERS 3u
#define HOLDERS 3u
#define HELD 6u  /* rights that a holder keeps */
#define LATE 16u /* notifications of names that it has freed */

enum { GIFT_SEND = 1, GIFT_ONCE, BY_SEND, BY_ONCE };

struct notices_model {
	struct ledger ledger; /* first */
	uint32_t owners[OWNERS], owner_count;
	uint32_t holders[HOLDERS], holder_count; /* channels of their inboxes */
	uint32_t heir;                           /* the channel of who inherits */
	bool lossy; /* a thread went, and what it holds nobody will drop; or memory failed */
};

/* Who receives. */
struct owner {
	mach_port_name_t port, notices, set, heir_once;
	mach_port_name_t inboxes[HOLDERS];
	uint32_t channel, to;
	uint32_t makes;           /* its mscount */
	uint32_t armed;           /* no-senders notifications that may come */
	uint32_t given, used;     /* send-once rights: each has one outcome */
	mach_port_name_t drop[2]; /* to be deallocated */
};

/* Who was given rights, watches them and drops them. */
struct held {
	mach_port_name_t name; /* 0: free */
	uint32_t channel, urefs;
	bool watched; /* a dead-name request is registered, and nothing came of it */
	bool counted; /* the reference that comes with the dead name is in `urefs` */
};

struct holder {
	mach_port_name_t inbox, notices, set;
	struct held held[HELD];
	struct {
		mach_port_name_t name;
		int32_t id;
	} late[LATE];
	uint32_t at;
	struct mail mail;
};

/* Who sends and, before a full queue, waits to be told that it is worth another try. */
struct poster {
	mach_port_name_t to, notices;
	uint32_t channel, count;
	bool watched;
};

/* Who gets the ports of owners that die. */
struct heir {
	mach_port_name_t port, set;
	struct mail mail;
};

void notices_owner(struct sim_thread *self);
void notices_holder(struct sim_thread *self);
void notices_poster(struct sim_thread *self);
void notices_heir(struct sim_thread *self);

/* A receive that may only have been interrupted, or timed out if it was to. */
bool notices_heard(struct sim_thread *self);

#endif
