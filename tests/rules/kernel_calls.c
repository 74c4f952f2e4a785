/*
 * The kernel's routines by message and by trap: what one does the other does.
 *
 * Two worlds get the same calls in the same order, one as traps and one as messages; codes,
 * results and the whole kernel are compared after each.  So that what messages themselves
 * change is the same in both, each trap is followed by a message that no routine answers.
 */
#include <stdio.h>
#include <string.h>

#include <mach/mig_errors.h>

#include "tests/support/calls.h"
#include "tests/support/rpc.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define MOVE_RECEIVE MACH_MSG_TYPE_MOVE_RECEIVE

/*
 * A routine in both forms.  @in has a letter for each argument of the trap behind the task:
 *   w 32 bits   d 64 bits   p a name and how its right goes   c a name whose send right is copied
 *   i a count and one word, of which that many are sent
 * @out says what comes back:
 *   w, d values   P a right   A arrays
 */
struct twin {
	const char *name;
	uint32_t trap;
	int32_t id;
	const char *in;
	const char *out;
};

enum {
	ALLOCATE,
	ALLOCATE_NAME,
	DESTRUCT,
	DESTROY,
	DEALLOCATE,
	GET_REFS,
	MOD_REFS,
	INSERT_RIGHT,
	EXTRACT_RIGHT,
	INSERT_MEMBER,
	EXTRACT_MEMBER,
	MOVE_MEMBER,
	GET_SET_STATUS,
	REQUEST_NOTIFICATION,
	GET_ATTRIBUTES,
	SET_ATTRIBUTES,
	GET_CONTEXT,
	SET_CONTEXT,
	GUARD,
	UNGUARD,
	SWAP_GUARD,
	SET_MSCOUNT,
	SET_SEQNO,
	GET_SRIGHTS,
	NAMES,
	TYPE,
	KOBJECT,
	SPACE_INFO,
	DNREQUEST_INFO,
	GET_SPECIAL_PORT,
	SET_SPECIAL_PORT,
	TWIN_COUNT
};

static const struct twin twins[TWIN_COUNT] = {
	[ALLOCATE] = { "allocate", BERTH_TRAP_PORT_ALLOCATE, 3204, "w", "w" },
	[ALLOCATE_NAME] = { "allocate_name", BERTH_TRAP_PORT_ALLOCATE_NAME, 3203, "ww", "" },
	[DESTRUCT] = { "destruct", BERTH_TRAP_PORT_DESTRUCT, 3232, "wwd", "" },
	[DESTROY] = { "destroy", BERTH_TRAP_PORT_DESTROY, 3205, "w", "" },
	[DEALLOCATE] = { "deallocate", BERTH_TRAP_PORT_DEALLOCATE, 3206, "w", "" },
	[GET_REFS] = { "get_refs", BERTH_TRAP_PORT_GET_REFS, 3207, "ww", "w" },
	[MOD_REFS] = { "mod_refs", BERTH_TRAP_PORT_MOD_REFS, 3208, "www", "" },
	[INSERT_RIGHT] = { "insert_right", BERTH_TRAP_PORT_INSERT_RIGHT, 3214, "wp", "" },
	[EXTRACT_RIGHT] = { "extract_right", BERTH_TRAP_PORT_EXTRACT_RIGHT, 3215, "ww", "P" },
	[INSERT_MEMBER] = { "insert_member", BERTH_TRAP_PORT_INSERT_MEMBER, 3226, "ww", "" },
	[EXTRACT_MEMBER] = { "extract_member", BERTH_TRAP_PORT_EXTRACT_MEMBER, 3227, "ww", "" },
	[MOVE_MEMBER] = { "move_member", BERTH_TRAP_PORT_MOVE_MEMBER, 3212, "ww", "" },
	[GET_SET_STATUS] = { "get_set_status", BERTH_TRAP_PORT_GET_SET_STATUS, 3211, "w", "A" },
	[REQUEST_NOTIFICATION] = { "request_notification", BERTH_TRAP_PORT_REQUEST_NOTIFICATION,
				   3213, "wwwp", "P" },
	[GET_ATTRIBUTES] = { "get_attributes", BERTH_TRAP_PORT_GET_ATTRIBUTES, 3217, "www", "w" },
	[SET_ATTRIBUTES] = { "set_attributes", BERTH_TRAP_PORT_SET_ATTRIBUTES, 3218, "wwi", "" },
	[GET_CONTEXT] = { "get_context", BERTH_TRAP_PORT_GET_CONTEXT, 3228, "w", "d" },
	[SET_CONTEXT] = { "set_context", BERTH_TRAP_PORT_SET_CONTEXT, 3229, "wd", "" },
	[GUARD] = { "guard_with_flags", BERTH_TRAP_PORT_GUARD, 3237, "wdd", "" },
	[UNGUARD] = { "unguard", BERTH_TRAP_PORT_UNGUARD, 3234, "wd", "" },
	[SWAP_GUARD] = { "swap_guard", BERTH_TRAP_PORT_SWAP_GUARD, 3238, "wdd", "" },
	[SET_MSCOUNT] = { "set_mscount", BERTH_TRAP_PORT_SET_MSCOUNT, 3210, "ww", "" },
	[SET_SEQNO] = { "set_seqno", BERTH_TRAP_PORT_SET_SEQNO, 3216, "ww", "" },
	[GET_SRIGHTS] = { "get_srights", BERTH_TRAP_PORT_GET_SRIGHTS, 3222, "w", "w" },
	[NAMES] = { "names", BERTH_TRAP_PORT_NAMES, 3200, "", "A" },
	[TYPE] = { "type", BERTH_TRAP_PORT_TYPE, 3201, "w", "w" },
	[KOBJECT] = { "kobject", BERTH_TRAP_PORT_KOBJECT, 3230, "w", "wd" },
	[SPACE_INFO] = { "space_info", BERTH_TRAP_PORT_SPACE_INFO, 3223, "", "A" },
	[DNREQUEST_INFO] = { "dnrequest_info", BERTH_TRAP_PORT_DNREQUEST_INFO, 3224, "w", "ww" },
	[GET_SPECIAL_PORT] = { "task_get_special_port", BERTH_TRAP_TASK_GET_SPECIAL_PORT, 3409, "w",
			       "P" },
	[SET_SPECIAL_PORT] = { "task_set_special_port", BERTH_TRAP_TASK_SET_SPECIAL_PORT, 3410,
			       "wc", "" },
};

/* What a call gave. */
struct answer {
	kern_return_t code;
	uint64_t values[4];
	uint8_t bytes[4096];
	uint32_t bytes_size;
};

static void
answer_bytes(struct answer *answer, const void *bytes, uint32_t size_bytes)
{
	assert_true(answer->bytes_size + size_bytes <= sizeof answer->bytes);
	if (size_bytes > 0)
		memcpy(answer->bytes + answer->bytes_size, bytes, size_bytes);
	answer->bytes_size += size_bytes;
}

static struct answer
by_trap(struct actor *t, mach_port_name_t reply, const struct twin *twin, const uint64_t *args)
{
	struct trap_frame frame = { .number = twin->trap, .args = { t->target } };
	struct answer answer = { 0 };
	struct rpc nothing = rpc_to(1);
	uint32_t word = 0;
	uint32_t at = 0;

	for (const char *letter = twin->in; *letter; letter++) {
		frame.args[1 + at] = args[at];
		at++;
		if (*letter == 'p') {
			frame.args[1 + at] = args[at];
			at++;
		}
		if (*letter == 'i') {
			word = (uint32_t)args[at];
			frame.bytes = &word;
			frame.bytes_size = args[at - 1] ? sizeof word : 0;
		}
	}
	assert_true(world_trap(t, &frame));
	answer.code = t->outcome.code;
	if (answer.code == KERN_SUCCESS) {
		for (uint32_t i = 0; twin->out[i] && twin->out[i] != 'A'; i++)
			answer.values[i] = t->outcome.values[i];
		answer_bytes(&answer, t->outcome.bytes, t->outcome.bytes_size);
	}
	assert_code(rpc_call(t, reply, &nothing), MIG_BAD_ID);
	return answer;
}

static struct answer
by_message(struct actor *t, mach_port_name_t reply, const struct twin *twin, const uint64_t *args)
{
	struct rpc r = rpc_to(twin->id);
	/* one number, whatever the count says: the trap gives no more, a message has room for all
	 */
	const bool is_one = twin == &twins[GET_ATTRIBUTES] && args[1] == MACH_PORT_DNREQUESTS_SIZE;
	struct answer answer = { 0 };

	for (const char *letter = twin->in; *letter; letter++)
		switch (*letter) {
		case 'w':
			rpc_u32(&r, (uint32_t)*args++);
			break;
		case 'd':
			rpc_u64(&r, *args++);
			break;
		case 'p':
			message_add_port(&r.message, (mach_port_name_t)args[0], (uint32_t)args[1]);
			args += 2;
			break;
		case 'c':
			message_add_port(&r.message, (mach_port_name_t)*args++, COPY);
			break;
		default:
			rpc_u32(&r, args[0] ? 1 : 0);
			if (args[0])
				rpc_u32(&r, (uint32_t)args[1]);
			args += 2;
			break;
		}
	answer.code = rpc_call(t, reply, &r);
	if (answer.code != KERN_SUCCESS)
		return answer;
	for (uint32_t i = 0; twin->out[i]; i++)
		switch (twin->out[i]) {
		case 'w':
			answer.values[i] = rpc_result_u32(&r);
			break;
		case 'd':
			answer.values[i] = rpc_result_u64(&r);
			break;
		case 'P':
			assert_int_equal(got.descriptor_count, 1);
			answer.values[i] = got.descriptors[0].name;
			break;
		default:
			for (uint32_t d = 0; d < got.descriptor_count; d++)
				answer_bytes(&answer, got.descriptors[d].bytes,
					     got.descriptors[d].size);
			break;
		}
	if (twin == &twins[GET_ATTRIBUTES])
		answer_bytes(&answer, got.data + r.read, is_one ? 4 : got.data_size - r.read);
	return answer;
}

/* ---- two worlds --------------------------------------------------------------------------- */

struct side {
	struct world *w;
	struct actor *actor;
	mach_port_name_t reply;
	mach_port_name_t other; /* the task port of another task */
};

struct pair {
	struct side trap, message;
};

static struct side
side_new(void)
{
	struct side side = { .w = world_new(2) };

	side.actor = world_actor(side.w, 0);
	side.reply = reply_port(side.actor);
	side.other = give(world_actor(side.w, 1), BERTH_NAME_TASK_SELF, COPY, side.actor);
	return side;
}

static struct pair
pair_new(void)
{
	return (struct pair){ .trap = side_new(), .message = side_new() };
}

static void
pair_free(struct pair *pair)
{
	world_free(pair->trap.w);
	world_free(pair->message.w);
}

/* The same call on both sides; the answer that both gave. */
static struct answer
both(struct pair *pair, const struct twin *twin, const uint64_t *args)
{
	struct answer trap = by_trap(pair->trap.actor, pair->trap.reply, twin, args);
	struct answer message = by_message(pair->message.actor, pair->message.reply, twin, args);

	if (trap.code != message.code)
		fail_msg("%s(%#lx, %#lx, %#lx, %#lx, %#lx): %s by trap, %s by message", twin->name,
			 args[0], args[1], args[2], args[3], args[4], code_name(trap.code),
			 code_name(message.code));
	assert_memory_equal(trap.values, message.values, sizeof trap.values);
	assert_int_equal(trap.bytes_size, message.bytes_size);
	assert_memory_equal(trap.bytes, message.bytes, trap.bytes_size);
	world_same(world_dump(pair->trap.w), world_dump(pair->message.w), twin->name, __LINE__);
	return trap;
}

static void
both_at(struct pair *pair, mach_port_name_t target)
{
	pair->trap.actor->target = target;
	pair->message.actor->target = target;
}

#define BOTH(pair, which, ...) both(pair, &twins[which], (const uint64_t[8]){ __VA_ARGS__ })

/* ---- random calls --------------------------------------------------------------------------- */

static uint32_t
next(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*seed >> 33) % below;
}

/* Names that are there, that were, and that never are. */
struct names {
	mach_port_name_t known[12];
	uint32_t count;
	mach_port_name_t other, reply; /* the test's own: the same number may be a name elsewhere */
	mach_port_name_t keeper;       /* whose rights are handed in: nothing else is done to it */
};

static uint64_t
some_name(const struct names *names, uint64_t *seed)
{
	static const mach_port_name_t odd[] = { MACH_PORT_NULL, MACH_PORT_DEAD, 0x4403, 0x5503 };
	uint32_t pick = next(seed, names->count + 4);

	return pick < names->count ? names->known[pick] : odd[pick - names->count];
}

static void
remember(struct names *names, uint64_t name)
{
	if (!MACH_PORT_VALID((mach_port_name_t)name) || name == names->other ||
	    name == names->reply || name == names->keeper)
		return;
	names->known[names->count % 12] = (mach_port_name_t)name;
	if (names->count < 12)
		names->count++;
}

static void
random_call(struct pair *pair, struct names *names, uint64_t *seed)
{
	static const uint32_t notices[] = { MACH_NOTIFY_PORT_DESTROYED, MACH_NOTIFY_NO_SENDERS,
					    MACH_NOTIFY_DEAD_NAME, MACH_NOTIFY_SEND_POSSIBLE, 71 };
	uint32_t which = next(seed, TWIN_COUNT);
	const uint64_t name = some_name(names, seed);
	uint64_t args[8] = { name, next(seed, 4), next(seed, 3), next(seed, 2) };
	struct answer answer;

	switch (which) {
	case ALLOCATE:
		args[0] = next(seed, 6);
		break;
	case ALLOCATE_NAME:
		args[0] = next(seed, 6);
		args[1] = name;
		break;
	case DESTRUCT:
	case MOD_REFS:
		args[which == MOD_REFS ? 2 : 1] = (uint32_t)(next(seed, 3) - 1);
		args[which == MOD_REFS ? 1 : 2] = next(seed, 7);
		break;
	case INSERT_RIGHT:
	case SET_SPECIAL_PORT:
		args[0] = which == INSERT_RIGHT ? name : next(seed, 12);
		args[1] = names->keeper;
		args[2] = which == INSERT_RIGHT && next(seed, 2) ? MAKE_ONCE : MAKE;
		if (which == SET_SPECIAL_PORT && args[0] == TASK_BOOTSTRAP_PORT)
			args[0] = 77; /* tasks wait for one that lives */
		break;
	case EXTRACT_RIGHT:
		args[1] = 15 + next(seed, 8);
		break;
	case INSERT_MEMBER:
	case EXTRACT_MEMBER:
	case MOVE_MEMBER:
		args[1] = some_name(names, seed);
		break;
	case REQUEST_NOTIFICATION:
		args[1] = notices[next(seed, 5)];
		args[2] = next(seed, 2);
		args[3] = next(seed, 4) ? names->keeper : MACH_PORT_NULL;
		args[4] = MAKE_ONCE;
		break;
	case GET_ATTRIBUTES:
		args[1] = next(seed, 10);
		args[2] = next(seed, 18);
		break;
	case SET_ATTRIBUTES:
		args[1] = next(seed, 10);
		args[2] = next(seed, 2);
		args[3] = next(seed, 1100);
		break;
	case GET_SPECIAL_PORT:
		args[0] = next(seed, 12);
		break;
	default:
		break;
	}
	answer = both(pair, &twins[which], args);
	if (answer.code == KERN_SUCCESS && strchr("wP", twins[which].out[0]) &&
	    (which == ALLOCATE || which == EXTRACT_RIGHT || which == REQUEST_NOTIFICATION))
		remember(names, answer.values[0]);
	if (answer.code == KERN_SUCCESS && (which == ALLOCATE_NAME || which == INSERT_RIGHT))
		remember(names, which == INSERT_RIGHT ? args[0] : args[1]);
}

static void
random_run(uint64_t seed, bool other_task)
{
	struct pair pair = pair_new();
	struct names names = { .other = pair.trap.other, .reply = pair.trap.reply };

	print_message("seed %lu\n", (unsigned long)seed);
	names.keeper = (mach_port_name_t)BOTH(&pair, ALLOCATE, MACH_PORT_RIGHT_RECEIVE).values[0];
	BOTH(&pair, INSERT_RIGHT, names.keeper, names.keeper, MAKE);
	for (int step = 0; step < 400; step++) {
		if (other_task)
			both_at(&pair, next(&seed, 2) ? pair.trap.other : BERTH_NAME_TASK_SELF);
		random_call(&pair, &names, &seed);
	}
	pair_free(&pair);
}

TEST(random_calls_on_the_own_task_agree_by_trap_and_by_message)
{
	for (uint64_t seed = 1; seed <= 12; seed++)
		random_run(seed, false);
}

TEST(random_calls_on_two_tasks_agree_by_trap_and_by_message)
{
	for (uint64_t seed = 101; seed <= 112; seed++)
		random_run(seed, true);
}
