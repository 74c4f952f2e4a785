/*
 * Requests to kernel objects that are almost right: whatever is wrong with them, the kernel
 * answers, its audit holds after each, and in the end nothing is left.
 */
#include <string.h>

#include <mach/mig_errors.h>

#include "tests/support/calls.h"
#include "tests/support/rpc.h"

#define RUNS 40
#define STEPS 150
#define TABLE_BYTES_MANY (256u << 10)

/*
 * The arguments of each routine: p a port, o 24 bytes out of line, a an array of rights, all
 * before w 32 bits and d 64 bits.
 */
static const struct {
	int32_t id;
	const char *in;
} requests[] = {
	{ 200, "ww" },    { 201, "" },       { 202, "" },    { 206, "w" },      { 1000, "" },
	{ 1001, "ww" },   { 1002, "pwww" },  { 3200, "" },   { 3201, "w" },     { 3203, "ww" },
	{ 3204, "w" },    { 3205, "w" },     { 3206, "w" },  { 3207, "ww" },    { 3208, "www" },
	{ 3209, "wwww" }, { 3210, "ww" },    { 3211, "w" },  { 3212, "ww" },    { 3213, "pwww" },
	{ 3214, "pw" },   { 3215, "ww" },    { 3216, "ww" }, { 3217, "www" },   { 3218, "wwww" },
	{ 3219, "www" },  { 3220, "pwwww" }, { 3221, "w" },  { 3222, "w" },     { 3223, "" },
	{ 3224, "w" },    { 3225, "w" },     { 3226, "ww" }, { 3227, "ww" },    { 3228, "w" },
	{ 3229, "wd" },   { 3230, "w" },     { 3231, "od" }, { 3232, "wwd" },   { 3233, "wdw" },
	{ 3234, "wd" },   { 3235, "" },      { 3236, "w" },  { 3237, "wdd" },   { 3238, "wdd" },
	{ 3239, "w" },    { 3240, "ww" },    { 3241, "w" },  { 3242, "wwwww" }, { 3403, "aw" },
	{ 3404, "" },     { 3409, "w" },     { 3410, "pw" }, { 3418, "ww" },    { 3419, "p" },
};

struct run {
	uint64_t seed;
	struct actor *actor;
	mach_port_name_t reply, host, clock;
	mach_port_name_t names[8]; /* ports, sets and dead names that the requests are about */
	mach_port_name_t array[4];
	uint8_t memory[64];
};

static uint32_t
next(struct run *run, uint32_t below)
{
	run->seed = run->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(run->seed >> 33) % below;
}

static mach_port_name_t
some_name(struct run *run)
{
	static const mach_port_name_t odd[] = { MACH_PORT_NULL, MACH_PORT_DEAD, 0x9903 };
	uint32_t pick = next(run, 11);

	return pick < 8 ? run->names[pick] : odd[pick - 8];
}

static uint32_t
some_word(struct run *run)
{
	switch (next(run, 6)) {
	case 0:
		return next(run, 20);
	case 4:
	case 5:
		return next(run, 4);
	case 1:
		return MACH_NOTIFY_FIRST + next(run, 9);
	case 2:
		return (uint32_t)run->seed;
	default:
		return some_name(run);
	}
}

static uint32_t
some_disposition(struct run *run)
{
	return next(run, 8) ? MACH_MSG_TYPE_MAKE_SEND + next(run, 2)
			    : MACH_MSG_TYPE_MOVE_RECEIVE + next(run, 6);
}

static void
add(struct run *run, struct rpc *r, char letter)
{
	uint32_t count = next(run, 5);

	switch (letter) {
	case 'p':
		message_add_port(&r->message, some_name(run), some_disposition(run));
		break;
	case 'o':
		message_add_ool(&r->message, run->memory, next(run, 4) ? 24 : next(run, 64), false,
				MACH_MSG_VIRTUAL_COPY);
		break;
	case 'a':
		for (uint32_t i = 0; i < count; i++)
			run->array[i] = some_name(run);
		message_add_ool_ports(&r->message, run->array, count, some_disposition(run));
		break;
	case 'd':
		rpc_u64(r, next(run, 3) ? next(run, 4) : run->seed);
		break;
	default:
		/* most routines are about a name, which comes first */
		rpc_u32(r, r->data_size == 0 && next(run, 8) ? some_name(run) : some_word(run));
		break;
	}
}

/* One thing that is not as it should be. */
static void
spoil(struct run *run, struct rpc *r)
{
	static const char letters[] = "poawd";

	switch (next(run, 6)) {
	case 0: /* a descriptor or a field too much */
		add(run, r, letters[r->data_size > 0 ? 3 + next(run, 2) : next(run, 5)]);
		break;
	case 1: /* the end is missing */
		r->data_size -= r->data_size >= 4 ? 4 : 0;
		break;
	case 2: /* complex without descriptors, or so many that are not there */
		message_complex(&r->message);
		break;
	case 3: /* another number */
		r->id += (int32_t)next(run, 5) - 2;
		break;
	case 4: /* some byte */
		if (r->data_size > 8)
			r->data[8 + next(run, r->data_size - 8)] ^= (uint8_t)(1u << next(run, 8));
		break;
	default:
		break;
	}
}

static void
renew_names(struct run *run)
{
	struct actor *a = run->actor;

	for (int i = 0; i < 8; i++)
		if (type_of(a, run->names[i]) == 0)
			run->names[i] = i == 6   ? new_set(a)
					: i == 7 ? new_dead_name(a)
						 : new_port_with_send(a);
}

/* Who serves that routine; sometimes another object. */
static mach_port_name_t
object_of(struct run *run, int32_t id)
{
	const mach_port_name_t objects[3] = { run->host, run->clock, BERTH_NAME_TASK_SELF };

	if (next(run, 10) == 0)
		return objects[next(run, 3)];
	return objects[id < 1000 ? 0 : id < 3000 ? 1 : 2];
}

static void
find_objects(struct run *run)
{
	struct actor *a = run->actor;
	struct rpc r = rpc_to(206);

	run->reply = reply_port(a);
	run->host = host_self(a);
	a->target = run->host;
	rpc_u32(&r, 0);
	assert_ok(rpc_call(a, run->reply, &r));
	run->clock = got.descriptors[0].name;
	a->target = BERTH_NAME_TASK_SELF;
}

static void
random_run(uint64_t seed)
{
	struct world *w = world_new(1);
	struct run run = { .seed = seed, .actor = world_actor(w, 0) };

	uint32_t served = 0;

	print_message("seed %lu\n", (unsigned long)seed);
	find_objects(&run);
	for (int step = 0; step < STEPS; step++) {
		uint32_t which = next(&run, sizeof requests / sizeof *requests);
		struct rpc r = rpc_to(requests[which].id);

		renew_names(&run);
		for (const char *letter = requests[which].in; *letter; letter++)
			add(&run, &r,
			    strchr("poa", *letter) && next(&run, 8) == 0 ? "poa"[next(&run, 3)]
									 : *letter);
		if (next(&run, 2))
			spoil(&run, &r);
		run.actor->target = object_of(&run, requests[which].id);
		served += rpc_call(run.actor, run.reply, &r) == KERN_SUCCESS;
		run.actor->target = BERTH_NAME_TASK_SELF;
		/* what came, and what the request gave up, is taken */
		while (take_id(run.actor, run.reply) != 0)
			;
		assert_int_equal(type_of(run.actor, BERTH_NAME_TASK_SELF), MACH_PORT_TYPE_SEND);
		/* a name far out has made a table that takes long to walk: once is enough */
		w->quiet_audit = world_counts(w).bytes > TABLE_BYTES_MANY;
	}
	print_message("%u served\n", served);
	kernel_audit(w->kernel);
	assert_true(served > STEPS / 8); /* else it is noise that is sent */
	world_free(w);
}

TEST(requests_that_are_almost_right_do_no_harm)
{
	for (uint64_t seed = 1; seed <= RUNS; seed++)
		random_run(seed);
}
