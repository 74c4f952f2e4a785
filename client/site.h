/*
 * Sites: notes of where this process got its rights, for `berth run --leaks=sites`.
 *
 * Only a process that finds BERTH_SITES in its environment makes them; for all others each
 * question is one branch.  What is noted is what the library sees: answers of traps, and the
 * rights in messages.  What other tasks do to this one's space goes unnoticed.
 *
 * Of references to one name the latest are given back first: so nested calls match.
 */
#ifndef BERTH_CLIENT_SITE_H
#define BERTH_CLIENT_SITE_H

#include "client/trap.h"
#include "wire/sites.h"

#include <signal.h>

/* Are notes made here?  Written by site.c alone. */
extern _Atomic bool site_notes_on;

static inline bool
site_is_on(void)
{
	return __builtin_expect(atomic_load_explicit(&site_notes_on, memory_order_relaxed), 0);
}

/* ---- site.c: the notes ---------------------------------------------------------------- */

/* Changes of the notes that belong together. */
struct site_change {
	sigset_t signals;
	bool has_stack;
	uint32_t stack;
};

/* References that a message under way takes along: neither held nor gone. */
struct site_moves {
	uint32_t generation;
	uint32_t first; /* record, plus 1 */
};

/* Begin; false: no notes can be made, and there is nothing to end.  All signals are blocked
 * until the end. */
bool site_begin(struct site_change *change);
void site_end(struct site_change *change);

/* @refs more references under @name came, at the calling stack. */
void site_gain(struct site_change *change, mach_port_name_t name, enum site_kind kind,
	       uint32_t refs);

/* They are gone: those of @kind; of user references whatever their kind, since rights die. */
void site_lose(mach_port_name_t name, enum site_kind kind, uint32_t refs);

/* All that is known of @name is void. */
void site_forget(mach_port_name_t name);

/* As site_lose(), but the message may fail. */
void site_take(struct site_moves *moves, mach_port_name_t name, enum site_kind kind);

/* It is sent, or not. */
void site_moves_end(struct site_moves *moves, bool is_sent);

/* In the child of a fork: none of the parent's rights is here. */
void site_forked(void);

/* ---- site_traps.c, site_messages.c: what changes them ---------------------------------- */

/* A trap is done, and its request and reply are still in the slot. */
void site_trap_done(struct trap *trap);

struct trap_piece_wire;

/* A message in the form of a trap's stream. */
struct site_message {
	const uint8_t *stream;
	uint32_t prefix_size;
	const struct trap_piece_wire *pieces; /* of its descriptors */
	uint32_t piece_count;
	uint32_t stream_size;
};

/* Its rights are in the space now.  @is_returned: it was sent, and comes back. */
void site_message_came(const struct site_message *message, bool is_returned);

/* It is about to be sent: @moves gets what it takes along, for site_moves_end(). */
void site_message_goes(const struct site_message *message, struct site_moves *moves);

#endif
