/*
 * Taking a right out of a name, mach-ports.md §6.1: every disposition from every kind of
 * entry, on every way on which a right can leave.
 *
 * Task b holds the entry, task a the port behind it (or b itself, where the entry holds the
 * receive right), and task c gets what is taken.
 */
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"

enum kind {
	RECEIVE,
	SEND_RECEIVE,
	SEND,
	SEND_ONCE,
	DEAD_NAME,
	DEAD_SEND,      /* its port died, nobody looked since */
	DEAD_SEND_ONCE, /* the same */
	PORT_SET,
	KINDS
};

static const char *const kind_names[] = { "receive",        "send+receive", "send",
					  "send-once",      "dead name",    "dead send",
					  "dead send-once", "port set" };

enum gain { NOTHING, LIVE, DEAD };

struct subject {
	enum kind kind;
	uint32_t urefs;
	mach_port_name_t name;       /* in b */
	struct actor *owner;         /* of the port; NULL: none is alive */
	mach_port_name_t owner_name; /* its receive right */
};

static const uint32_t dispositions[] = { 0, 15, 16, 17, 18, 19, 20, 21, 22, 24, 25, 26, 27, 31 };

static bool
is_dead(enum kind kind)
{
	return kind == DEAD_NAME || kind == DEAD_SEND || kind == DEAD_SEND_ONCE;
}

/* The table of §6.1, by row. */
static enum gain
gain_of(enum kind kind, uint32_t disposition)
{
	switch (disposition) {
	case MACH_MSG_TYPE_MAKE_SEND:
	case MACH_MSG_TYPE_MAKE_SEND_ONCE:
	case MACH_MSG_TYPE_MOVE_RECEIVE:
		return kind == RECEIVE || kind == SEND_RECEIVE ? LIVE : NOTHING;
	case MACH_MSG_TYPE_COPY_SEND:
	case MACH_MSG_TYPE_MOVE_SEND:
		if (is_dead(kind))
			return DEAD;
		return kind == SEND || kind == SEND_RECEIVE ? LIVE : NOTHING;
	case MACH_MSG_TYPE_MOVE_SEND_ONCE:
		if (is_dead(kind))
			return DEAD;
		return kind == SEND_ONCE ? LIVE : NOTHING;
	default:
		return NOTHING;
	}
}

static uint32_t
carried_as(uint32_t disposition)
{
	switch (disposition) {
	case MACH_MSG_TYPE_MOVE_RECEIVE:
		return MACH_MSG_TYPE_PORT_RECEIVE;
	case MACH_MSG_TYPE_MOVE_SEND_ONCE:
	case MACH_MSG_TYPE_MAKE_SEND_ONCE:
		return MACH_MSG_TYPE_PORT_SEND_ONCE;
	default:
		return MACH_MSG_TYPE_PORT_SEND;
	}
}

static struct subject
subject_new(struct world *w, enum kind kind, uint32_t urefs)
{
	struct actor *a = world_actor(w, 0), *b = world_actor(w, 1);
	struct subject s = { .kind = kind, .urefs = urefs };
	mach_port_name_t port;

	switch (kind) {
	case RECEIVE:
	case SEND_RECEIVE:
		s.owner = b;
		s.name = s.owner_name = kind == RECEIVE ? new_port(b) : new_port_with_send(b);
		break;
	case SEND:
	case SEND_ONCE:
	case DEAD_SEND:
	case DEAD_SEND_ONCE:
		port = new_port(a);
		s.owner = a;
		s.owner_name = port;
		s.name = give(a, port,
			      kind == SEND || kind == DEAD_SEND ? MACH_MSG_TYPE_MAKE_SEND
								: MACH_MSG_TYPE_MAKE_SEND_ONCE,
			      b);
		break;
	case DEAD_NAME:
		s.name = new_dead_name(b);
		break;
	default:
		s.name = new_set(b);
		break;
	}
	if (kind == SEND || kind == DEAD_SEND || kind == SEND_RECEIVE)
		assert_ok(port_mod_refs(b, s.name, MACH_PORT_RIGHT_SEND, (int32_t)urefs - 1));
	if (kind == DEAD_NAME)
		assert_ok(port_mod_refs(b, s.name, MACH_PORT_RIGHT_DEAD_NAME, (int32_t)urefs - 1));
	if (kind == RECEIVE || kind == PORT_SET)
		s.urefs = 0;
	if (kind == SEND_ONCE || kind == DEAD_SEND_ONCE)
		s.urefs = 1;
	if (kind == DEAD_SEND || kind == DEAD_SEND_ONCE) {
		assert_ok(port_destroy(a, s.owner_name));
		s.owner = NULL;
	}
	return s;
}

/* What is left in b after @disposition was taken, if it was. */
static void
check_rest(struct actor *b, const struct subject *s, uint32_t disposition, bool taken)
{
	static const mach_port_type_t types[KINDS] = {
		MACH_PORT_TYPE_RECEIVE,   MACH_PORT_TYPE_SEND_RECEIVE, MACH_PORT_TYPE_SEND,
		MACH_PORT_TYPE_SEND_ONCE, MACH_PORT_TYPE_DEAD_NAME,    MACH_PORT_TYPE_DEAD_NAME,
		MACH_PORT_TYPE_DEAD_NAME, MACH_PORT_TYPE_PORT_SET
	};
	mach_port_type_t type = types[s->kind];
	uint32_t urefs = s->urefs;

	if (taken && (disposition == MACH_MSG_TYPE_MOVE_SEND ||
		      disposition == MACH_MSG_TYPE_MOVE_SEND_ONCE)) {
		urefs--;
		if (urefs == 0)
			type = s->kind == SEND_RECEIVE ? MACH_PORT_TYPE_RECEIVE : 0;
	}
	if (taken && disposition == MACH_MSG_TYPE_MOVE_RECEIVE)
		type = s->kind == SEND_RECEIVE ? MACH_PORT_TYPE_SEND : 0;
	assert_entry(b, s->name, type, urefs);
}

/* c got the right under @name, or a dead or no right. */
static void
check_gain(struct actor *c, enum gain gain, uint32_t disposition, mach_port_name_t name)
{
	if (gain == DEAD) {
		assert_int_equal(name, MACH_PORT_DEAD);
		return;
	}
	switch (carried_as(disposition)) {
	case MACH_MSG_TYPE_PORT_RECEIVE:
		assert_entry(c, name, MACH_PORT_TYPE_RECEIVE, 0);
		break;
	case MACH_MSG_TYPE_PORT_SEND:
		assert_entry(c, name, MACH_PORT_TYPE_SEND, 1);
		break;
	default:
		assert_entry(c, name, MACH_PORT_TYPE_SEND_ONCE, 1);
	}
}

/* The port's counters moved as the row says; c holds what was taken. */
static void
check_counts(const struct subject *s, uint32_t disposition, mach_port_status_t before,
	     uint32_t srights_before)
{
	mach_port_status_t after;

	if (!s->owner || disposition == MACH_MSG_TYPE_MOVE_RECEIVE)
		return;
	after = status_of(s->owner, s->owner_name);
	assert_int_equal(after.mps_mscount - before.mps_mscount,
			 disposition == MACH_MSG_TYPE_MAKE_SEND);
	assert_int_equal(after.mps_sorights - before.mps_sorights,
			 disposition == MACH_MSG_TYPE_MAKE_SEND_ONCE);
	if (disposition == MACH_MSG_TYPE_MOVE_SEND)
		/* the last user reference took the entry's own right along */
		assert_int_equal(srights_of(s->owner, s->owner_name) - srights_before,
				 s->urefs > 1);
	else
		assert_int_equal(srights_of(s->owner, s->owner_name) - srights_before,
				 disposition == MACH_MSG_TYPE_MAKE_SEND ||
				     disposition == MACH_MSG_TYPE_COPY_SEND);
}

/*
 * A way to take @disposition of @s->name from b to c.  Gives the code, and on success the
 * name and type in c.
 */
typedef kern_return_t take_way(struct world *w, const struct subject *s, uint32_t disposition,
			       mach_port_name_t *name, uint32_t *type);

struct way {
	take_way *take;
	kern_return_t no_right;        /* the entry does not hold it */
	kern_return_t bad_disposition; /* no such disposition */
	kern_return_t dead;            /* a dead right is taken: KERN_SUCCESS or refused */
	bool is_header;                /* receive rights cannot travel; dead entries don't pass */
};

static void
check_way(const struct way *way)
{
	for (int kind = 0; kind < KINDS; kind++)
		for (size_t i = 0; i < sizeof dispositions / sizeof dispositions[0]; i++)
			for (uint32_t urefs = 1; urefs <= 2; urefs++) {
				struct world *w = world_new(3);
				struct actor *b = world_actor(w, 1), *c = world_actor(w, 2);
				struct subject s = subject_new(w, kind, urefs);
				uint32_t disposition = dispositions[i], type = 0, srights = 0;
				mach_port_name_t name = 0;
				mach_port_status_t before = { 0 };
				enum gain gain = gain_of(kind, disposition);
				kern_return_t code, expected = KERN_SUCCESS;

				if (s.owner) {
					before = status_of(s.owner, s.owner_name);
					srights = srights_of(s.owner, s.owner_name);
				}
				/* the header's own rules: mach-messages.md §4.1, §4.2 */
				if (way->is_header && kind == DEAD_NAME)
					gain = NOTHING;
				if (gain == NOTHING)
					expected = way->no_right;
				if (gain == DEAD)
					expected = way->dead;
				if (!MACH_MSG_TYPE_PORT_ANY(disposition) ||
				    (way->is_header && disposition == MACH_MSG_TYPE_MOVE_RECEIVE)) {
					expected = way->bad_disposition;
					gain = NOTHING;
				}

				code = way->take(w, &s, disposition, &name, &type);
				if (code != expected)
					print_error("disposition %u of a %s name with %u:\n",
						    disposition, kind_names[kind], urefs);
				assert_code(code, expected);
				if (code == KERN_SUCCESS) {
					assert_int_equal(type, carried_as(disposition));
					check_gain(c, gain, disposition, name);
					check_counts(&s, disposition, before, srights);
				}
				check_rest(b, &s, disposition, gain != NOTHING);
				world_free(w);
			}
}

/* ---- the ways ------------------------------------------------------------------------------ */

static kern_return_t
by_descriptor(struct world *w, const struct subject *s, uint32_t disposition,
	      mach_port_name_t *name, uint32_t *type)
{
	struct actor *b = world_actor(w, 1), *c = world_actor(w, 2);
	struct message m = message_to(b->party->mailbox_of[2], MACH_MSG_TYPE_COPY_SEND);
	kern_return_t code;

	message_add_port(&m, s->name, disposition);
	code = msg_send(b, &m, MACH_SEND_TIMEOUT, 0);
	if (code != MACH_MSG_SUCCESS)
		return code;
	take(c, c->party->mailbox, &got);
	*name = got.descriptors[0].name;
	*type = got.descriptors[0].disposition;
	return code;
}

static kern_return_t
by_ool_ports(struct world *w, const struct subject *s, uint32_t disposition, mach_port_name_t *name,
	     uint32_t *type)
{
	struct actor *b = world_actor(w, 1), *c = world_actor(w, 2);
	struct message m = message_to(b->party->mailbox_of[2], MACH_MSG_TYPE_COPY_SEND);
	kern_return_t code;

	message_add_ool_ports(&m, &s->name, 1, disposition);
	code = msg_send(b, &m, MACH_SEND_TIMEOUT, 0);
	if (code != MACH_MSG_SUCCESS)
		return code;
	take(c, c->party->mailbox, &got);
	*name = got.descriptors[0].names[0];
	*type = got.descriptors[0].disposition;
	return code;
}

static kern_return_t
as_reply(struct world *w, const struct subject *s, uint32_t disposition, mach_port_name_t *name,
	 uint32_t *type)
{
	struct actor *b = world_actor(w, 1), *c = world_actor(w, 2);
	struct message m = message_to(b->party->mailbox_of[2], MACH_MSG_TYPE_COPY_SEND);
	kern_return_t code;

	message_reply(&m, s->name, disposition);
	code = msg_send(b, &m, MACH_SEND_TIMEOUT, 0);
	if (code != MACH_MSG_SUCCESS)
		return code;
	take(c, c->party->mailbox, &got);
	*name = got.header.msgh_remote_port;
	*type = MACH_MSGH_BITS_REMOTE(got.header.msgh_bits);
	return code;
}

static kern_return_t
by_insert_right(struct world *w, const struct subject *s, uint32_t disposition,
		mach_port_name_t *name, uint32_t *type)
{
	struct actor *b = world_actor(w, 1), *c = world_actor(w, 2);
	kern_return_t code;

	b->target = give(c, BERTH_NAME_TASK_SELF, MACH_MSG_TYPE_COPY_SEND, b);
	*name = 0x5003;
	*type = carried_as(disposition);
	code = port_insert_right(b, *name, s->name, disposition);
	b->target = BERTH_NAME_TASK_SELF;
	return code;
}

static kern_return_t
by_extract_right(struct world *w, const struct subject *s, uint32_t disposition,
		 mach_port_name_t *name, uint32_t *type)
{
	struct actor *b = world_actor(w, 1), *c = world_actor(w, 2);
	kern_return_t code;

	c->target = give(b, BERTH_NAME_TASK_SELF, MACH_MSG_TYPE_COPY_SEND, c);
	code = port_extract_right(c, s->name, disposition, name, type);
	c->target = BERTH_NAME_TASK_SELF;
	return code;
}

TEST(a_port_descriptor_takes_what_the_table_says)
{
	check_way(&(struct way){ by_descriptor, MACH_SEND_INVALID_RIGHT, MACH_SEND_INVALID_RIGHT,
				 KERN_SUCCESS, false });
}

TEST(an_array_of_ports_takes_what_the_table_says)
{
	check_way(&(struct way){ by_ool_ports, MACH_SEND_INVALID_RIGHT, MACH_SEND_INVALID_RIGHT,
				 KERN_SUCCESS, false });
}

TEST(the_reply_port_takes_what_the_table_says)
{
	check_way(&(struct way){ as_reply, MACH_SEND_INVALID_REPLY, MACH_SEND_INVALID_HEADER,
				 KERN_SUCCESS, true });
}

TEST(insert_right_takes_what_the_table_says)
{
	check_way(&(struct way){ by_insert_right, KERN_INVALID_RIGHT, KERN_INVALID_RIGHT,
				 KERN_INVALID_CAPABILITY, false });
}

TEST(extract_right_takes_what_the_table_says)
{
	check_way(&(struct way){ by_extract_right, KERN_INVALID_RIGHT, KERN_INVALID_VALUE,
				 KERN_SUCCESS, false });
}

/* ---- the destination of a message ------------------------------------------------------------ */

static kern_return_t
expected_dest(enum kind kind, uint32_t disposition)
{
	if (!MACH_MSG_TYPE_PORT_ANY_SEND(disposition))
		return MACH_SEND_INVALID_HEADER;
	if (kind == DEAD_SEND_ONCE && disposition == MACH_MSG_TYPE_MOVE_SEND_ONCE)
		return MACH_MSG_SUCCESS; /* §6.1 (1): taken, and the message vanishes */
	return gain_of(kind, disposition) == LIVE ? MACH_MSG_SUCCESS : MACH_SEND_INVALID_DEST;
}

TEST(the_destination_takes_what_the_table_says)
{
	for (int kind = 0; kind < KINDS; kind++)
		for (size_t i = 0; i < sizeof dispositions / sizeof dispositions[0]; i++)
			for (uint32_t urefs = 1; urefs <= 2; urefs++) {
				struct world *w = world_new(3);
				struct actor *b = world_actor(w, 1);
				struct subject s = subject_new(w, kind, urefs);
				kern_return_t expected = expected_dest(kind, dispositions[i]);
				struct message m = message_to(s.name, dispositions[i]);
				kern_return_t code;

				message_id(&m, 42);
				code = msg_send(b, &m, MACH_SEND_TIMEOUT, 0);
				if (code != expected)
					print_error("disposition %u of a %s name with %u:\n",
						    dispositions[i], kind_names[kind], urefs);
				assert_code(code, expected);
				check_rest(b, &s, dispositions[i], code == MACH_MSG_SUCCESS);
				if (code == MACH_MSG_SUCCESS && s.owner)
					assert_int_equal(take_id(s.owner, s.owner_name), 42);
				world_free(w);
			}
}

/* ---- what else a taken right does --------------------------------------------------------------
 */

TEST_2(a_dead_send_once_destination_with_a_request_is_noticed)
{
	mach_port_name_t port = new_port(a), notify = new_port(b);
	mach_port_name_t once = give(a, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, b);
	struct message m = message_to(once, MACH_MSG_TYPE_MOVE_SEND_ONCE);

	assert_ok(port_request_notification(b, once, MACH_NOTIFY_DEAD_NAME, 0, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
	assert_ok(port_destroy(a, port));
	assert_code(msg_send(b, &m, 0, 0), MACH_SEND_INVALID_DEST);
	assert_entry(b, once, MACH_PORT_TYPE_DEAD_NAME, 2);
}

static void
request_dead_name(struct actor *t, mach_port_name_t name, mach_port_name_t notify)
{
	assert_ok(port_request_notification(t, name, MACH_NOTIFY_DEAD_NAME, 0, notify,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, NULL));
}

TEST_2(moving_the_last_reference_away_deletes_the_request)
{
	mach_port_name_t notify = new_port(b), port = new_port(a);
	mach_port_name_t name = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);

	request_dead_name(b, name, notify);
	assert_ok(port_mod_refs(b, name, MACH_PORT_RIGHT_SEND, 1));
	give(b, name, MACH_MSG_TYPE_MOVE_SEND, a);
	assert_nothing_waits(b, notify);
	give(b, name, MACH_MSG_TYPE_MOVE_SEND, a);
	assert_notification(b, notify, MACH_NOTIFY_PORT_DELETED, name);
}

TEST_2(a_destination_moved_away_deletes_its_request)
{
	mach_port_name_t notify = new_port(b), port = new_port(a);
	mach_port_name_t name = give(a, port, MACH_MSG_TYPE_MAKE_SEND, b);
	mach_port_name_t once = give(a, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, b);

	request_dead_name(b, name, notify);
	request_dead_name(b, once, notify);
	assert_ok(port_mod_refs(b, name, MACH_PORT_RIGHT_SEND, 1));
	assert_ok(send_id(b, name, MACH_MSG_TYPE_MOVE_SEND, 1));
	assert_nothing_waits(b, notify);
	assert_ok(send_id(b, name, MACH_MSG_TYPE_MOVE_SEND, 2));
	assert_no_entry(b, name);
	assert_notification(b, notify, MACH_NOTIFY_PORT_DELETED, name);
	assert_ok(send_id(b, once, MACH_MSG_TYPE_MOVE_SEND_ONCE, 3));
	assert_notification(b, notify, MACH_NOTIFY_PORT_DELETED, once);
}

TEST_2(moving_a_send_once_right_away_deletes_the_request)
{
	mach_port_name_t notify = new_port(b), port = new_port(a);
	mach_port_name_t name = give(a, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, b);

	request_dead_name(b, name, notify);
	give(b, name, MACH_MSG_TYPE_MOVE_SEND_ONCE, a);
	assert_notification(b, notify, MACH_NOTIFY_PORT_DELETED, name);
}

TEST_2(moving_a_lone_receive_right_away_deletes_the_request)
{
	mach_port_name_t notify = new_port(b), port = new_port(b);

	request_dead_name(b, port, notify);
	give(b, port, MACH_MSG_TYPE_MOVE_RECEIVE, a);
	assert_notification(b, notify, MACH_NOTIFY_PORT_DELETED, port);
}

TEST_2(moving_the_receive_right_leaves_the_send_right_and_its_request)
{
	mach_port_name_t notify = new_port(b), port = new_port_with_send(b), there;

	assert_ok(port_mod_refs(b, port, MACH_PORT_RIGHT_SEND, 2));
	request_dead_name(b, port, notify);
	there = give(b, port, MACH_MSG_TYPE_MOVE_RECEIVE, a);
	assert_entry(b, port, MACH_PORT_TYPE_SEND, 3);
	assert_nothing_waits(b, notify);
	assert_ok(port_destroy(a, there));
	assert_notification(b, notify, MACH_NOTIFY_DEAD_NAME, port);
}

TEST_2(moving_the_last_send_reference_leaves_the_receive_right_and_its_request)
{
	mach_port_name_t notify = new_port(b), port = new_port_with_send(b);

	request_dead_name(b, port, notify);
	give(b, port, MACH_MSG_TYPE_MOVE_SEND, a);
	assert_entry(b, port, MACH_PORT_TYPE_RECEIVE, 0);
	assert_nothing_waits(b, notify);
}

/* ---- receive rights that may not move
 * ------------------------------------------------------------ */

static void
check_immovable(struct world *w, struct actor *a, mach_port_name_t port)
{
	struct message m = message_to(a->party->mailbox_of[1], MACH_MSG_TYPE_COPY_SEND);
	mach_port_name_t name;
	uint32_t type;

	message_add_port(&m, port, MACH_MSG_TYPE_MOVE_RECEIVE);
	assert_refused_without_trace(w, msg_send(a, &m, 0, 0), MACH_SEND_INVALID_RIGHT);
	assert_refused_without_trace(
	    w, port_extract_right(a, port, MACH_MSG_TYPE_MOVE_RECEIVE, &name, &type),
	    KERN_INVALID_CAPABILITY);
}

TEST_2(an_immovable_receive_right_does_not_move)
{
	mach_port_name_t port = new_port(a);

	assert_ok(port_guard(a, port, 7, MPG_IMMOVABLE_RECEIVE));
	check_immovable(w, a, port);
	assert_ok(port_unguard(a, port, 7));
	check_immovable(w, a, port); /* immovable stays */
}

TEST_2(a_special_reply_port_does_not_move)
{
	mach_port_name_t port = special_reply_port(a);

	assert_entry(a, port, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	check_immovable(w, a, port);
}

TEST_2(a_port_constructed_immovable_does_not_move)
{
	mach_port_name_t port;

	assert_ok(port_construct(a, MPO_CONTEXT_AS_GUARD | MPO_IMMOVABLE_RECEIVE, 0, 9, &port));
	check_immovable(w, a, port);
	assert_ok(port_construct(a, MPO_IMMOVABLE_RECEIVE, 0, 9, &port)); /* no effect alone */
	give(a, port, MACH_MSG_TYPE_MOVE_RECEIVE, b);
}
