/* Vouchers: mach-kobjects.md §10, mach-types.md §11. */
#include <mach/mig_errors.h>

#include <string.h>

#include "tests/support/vouchers.h"

#define COPY MACH_MSG_TYPE_COPY_SEND
#define MOVE MACH_MSG_TYPE_MOVE_SEND

#define TEST_KEY MACH_VOUCHER_ATTR_KEY_TEST
#define BANK MACH_VOUCHER_ATTR_KEY_BANK
#define IMPORTANCE MACH_VOUCHER_ATTR_KEY_IMPORTANCE
#define ALL MACH_VOUCHER_ATTR_KEY_ALL

#define KOBJECT_VOUCHER 37

/* ---- making ------------------------------------------------------------------------------- */

TEST_1(a_voucher_is_a_send_right_to_a_kernel_object)
{
	mach_port_name_t voucher = voucher_new(a, "who asked");

	assert_entry(a, voucher, MACH_PORT_TYPE_SEND, 1);
	assert_ok(trap(a, BERTH_TRAP_PORT_KOBJECT, a->target, voucher, 0, 0, 0, 0));
	assert_int_equal(a->outcome.values[0], KOBJECT_VOUCHER);
	assert_voucher_has(a, voucher, USER_DATA, "who asked");
	assert_ok(port_deallocate(a, voucher));
	assert_no_entry(a, voucher);
}

TEST_1(no_recipe_gives_no_voucher)
{
	static const struct recipes none;
	mach_port_name_t voucher = 1;

	assert_ok(voucher_create(a, &none, &voucher));
	assert_int_equal(voucher, MACH_PORT_NULL);
}

TEST_1(recipes_of_nothing_give_the_voucher_of_defaults)
{
	mach_port_name_t first, second;
	struct recipes out;

	assert_ok(voucher_create_one(a, USER_DATA, MACH_VOUCHER_ATTR_NOOP, 0, "", &first));
	assert_ok(voucher_create_one(a, ALL, MACH_VOUCHER_ATTR_REMOVE, 0, "", &second));
	assert_int_not_equal(first, MACH_PORT_NULL);
	assert_int_equal(second, first);
	assert_ok(voucher_ask(a, first, 5402, 0, 0, &out));
	assert_int_equal(out.size, 0);
}

TEST_2(equal_contents_are_one_object_whoever_makes_it)
{
	struct kernel_counts before = world_counts(w);
	mach_port_name_t first = voucher_new(a, "same"), again = voucher_new(a, "same");
	mach_port_name_t other = voucher_new(a, "else"), theirs = voucher_new(b, "same");
	struct recipes r = recipes_of(TEST_KEY, STORE, 0, "x");

	assert_int_equal(again, first);
	assert_entry(a, first, MACH_PORT_TYPE_SEND, 2);
	assert_int_not_equal(other, first);
	assert_int_equal(give(b, theirs, COPY, a), first);
	assert_entry(a, first, MACH_PORT_TYPE_SEND, 3);
	assert_int_equal(world_counts(w).ports, before.ports + 2);
	/* in whatever order the attributes come */
	recipes_add(&r, USER_DATA, STORE, 0, "y", 1);
	assert_ok(voucher_create(a, &r, &first));
	r = recipes_of(USER_DATA, STORE, 0, "y");
	recipes_add(&r, TEST_KEY, STORE, 0, "x", 1);
	assert_ok(voucher_create(a, &r, &again));
	assert_int_equal(again, first);
}

TEST_2(the_last_send_right_takes_a_voucher_along)
{
	const struct kernel_counts before = world_counts(w);
	mach_port_name_t voucher = voucher_new(a, "short"), theirs = give(a, voucher, COPY, b);

	assert_ok(port_deallocate(a, voucher));
	assert_voucher_has(b, theirs, USER_DATA, "short");
	assert_ok(port_deallocate(b, theirs));
	assert_int_equal(world_counts(w).ports, before.ports);
	/* in a message that nobody receives */
	assert_ok(port_deallocate(a, give(b, voucher_new(b, "short"), MOVE, a)));
	assert_int_equal(world_counts(w).ports, before.ports);
}

TEST_2(a_voucher_outlives_who_made_it)
{
	mach_port_name_t theirs = give(b, voucher_new(b, "heir"), MOVE, a), own;

	world_task_die(b->party);
	assert_voucher_has(a, theirs, USER_DATA, "heir");
	own = voucher_new(a, "heir");
	assert_int_equal(own, theirs);
}

TEST_1(steps_are_done_in_order)
{
	mach_port_name_t base, voucher, expected = voucher_new(a, "second");
	struct recipes r = recipes_of(USER_DATA, STORE, 0, "first");

	recipes_add(&r, USER_DATA, STORE, 0, "second", 6);
	assert_ok(voucher_create(a, &r, &voucher));
	assert_int_equal(voucher, expected);
	r = recipes_of(USER_DATA, STORE, 0, "base");
	recipes_add(&r, BANK, 610, 0, "money", 5);
	recipes_add(&r, IMPORTANCE, MACH_VOUCHER_ATTR_IMPORTANCE_SELF, 0, "", 0);
	assert_ok(voucher_create(a, &r, &base));
	/* all of another, but one attribute, and one anew */
	r = recipes_of(ALL, MACH_VOUCHER_ATTR_COPY, base, "");
	recipes_add(&r, IMPORTANCE, MACH_VOUCHER_ATTR_REMOVE, 0, "", 0);
	recipes_add(&r, USER_DATA, STORE, 0, "new", 3);
	assert_ok(voucher_create(a, &r, &voucher));
	assert_voucher_has(a, voucher, USER_DATA, "new");
	assert_voucher_has(a, voucher, BANK, "money");
	assert_ok(voucher_extract(a, voucher, IMPORTANCE, 100));
	assert_int_equal(a->outcome.values[0], 0);
	assert_voucher_has(a, base, USER_DATA, "base");
	/* what comes later may take it all away */
	recipes_add(&r, ALL, MACH_VOUCHER_ATTR_COPY, base, "", 0);
	assert_ok(voucher_create(a, &r, &voucher));
	assert_int_equal(voucher, base);
}

TEST_1(copying_takes_what_is_there_and_what_is_not)
{
	static const uint32_t copies[] = { MACH_VOUCHER_ATTR_COPY, MACH_VOUCHER_ATTR_AUTO_REDEEM,
					   MACH_VOUCHER_ATTR_SEND_PREPROCESS,
					   MACH_VOUCHER_ATTR_REDEEM };
	mach_port_name_t base = voucher_new(a, "base"), voucher;

	for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
		struct recipes r = recipes_of(USER_DATA, copies[i], base, "");

		assert_ok(voucher_create(a, &r, &voucher));
		assert_int_equal(voucher, base);
		r = recipes_of(ALL, copies[i], base, "");
		assert_ok(voucher_create(a, &r, &voucher));
		assert_int_equal(voucher, base);
		/* the default is copied, too; from nothing nothing is */
		r = recipes_of(TEST_KEY, STORE, 0, "mine");
		recipes_add(&r, TEST_KEY, copies[i], 0, "", 0);
		assert_ok(voucher_create(a, &r, &voucher));
		assert_voucher_has(a, voucher, TEST_KEY, "mine");
		recipes_add(&r, TEST_KEY, copies[i], base, "", 0);
		assert_ok(voucher_create(a, &r, &voucher));
		assert_voucher_has(a, voucher, TEST_KEY, "");
	}
}

TEST_1(bad_recipes_are_refused_in_order)
{
	mach_port_name_t base = voucher_new(a, "base"), port = new_port_with_send(a), voucher;
	mach_port_name_t receive = new_port(a), dead = new_dead_name(a);
	const struct {
		uint32_t key, command, previous;
		const char *content;
		kern_return_t code;
	} cases[] = {
		/* content for what takes none goes before a bad previous voucher */
		{ USER_DATA, MACH_VOUCHER_ATTR_COPY, port, "x", KERN_INVALID_ARGUMENT },
		{ USER_DATA, MACH_VOUCHER_ATTR_REMOVE, 0, "x", KERN_INVALID_ARGUMENT },
		{ USER_DATA, MACH_VOUCHER_ATTR_NOOP, base, "x", KERN_INVALID_ARGUMENT },
		/* that before a bad key */
		{ 9, STORE, port, "", KERN_INVALID_CAPABILITY },
		{ USER_DATA, STORE, receive, "", KERN_INVALID_CAPABILITY },
		{ USER_DATA, STORE, dead, "", KERN_INVALID_CAPABILITY },
		{ USER_DATA, STORE, 0x7703, "", KERN_INVALID_CAPABILITY },
		{ USER_DATA, STORE, MACH_PORT_DEAD, "", KERN_INVALID_CAPABILITY },
		{ USER_DATA, MACH_VOUCHER_ATTR_COPY, BERTH_NAME_TASK_SELF, "",
		  KERN_INVALID_CAPABILITY },
		/* and that before a bad command */
		{ 0, 7, 0, "", KERN_INVALID_ARGUMENT },
		{ 9, STORE, 0, "", KERN_INVALID_ARGUMENT },
		{ 0xfffffffe, MACH_VOUCHER_ATTR_COPY, base, "", KERN_INVALID_ARGUMENT },
		{ ALL, STORE, 0, "", KERN_INVALID_ARGUMENT },
		{ 5, 7, 0, "", KERN_INVALID_CAPABILITY },
		{ 6, MACH_VOUCHER_ATTR_COPY, base, "", KERN_INVALID_CAPABILITY },
		{ USER_DATA, 6, 0, "", KERN_INVALID_ARGUMENT },
		{ USER_DATA, 9, 0, "", KERN_INVALID_ARGUMENT },
		{ USER_DATA, MACH_VOUCHER_ATTR_IMPORTANCE_SELF, 0, "", KERN_INVALID_ARGUMENT },
		{ TEST_KEY, 212, 0, "", KERN_INVALID_ARGUMENT },
		{ IMPORTANCE, STORE, 0, "", KERN_INVALID_ARGUMENT },
		{ BANK, STORE, 0, "", KERN_INVALID_ARGUMENT },
		{ USER_DATA, MACH_VOUCHER_ATTR_SET_VALUE_HANDLE, 0, "12345678",
		  KERN_INVALID_CAPABILITY },
		{ ALL, MACH_VOUCHER_ATTR_SET_VALUE_HANDLE, 0, "", KERN_INVALID_CAPABILITY },
	};

	mach_port_name_t host = host_self(a);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct recipes r =
		    recipes_of(cases[i].key, cases[i].command, cases[i].previous, cases[i].content);

		assert_refused_without_trace(w, voucher_create_at(a, host, &r, &voucher),
					     cases[i].code);
		/* behind good ones, too */
		r = recipes_of(USER_DATA, STORE, 0, "good");
		recipes_add(&r, cases[i].key, cases[i].command, cases[i].previous, cases[i].content,
			    (uint32_t)strlen(cases[i].content));
		assert_refused_without_trace(w, voucher_create_at(a, host, &r, &voucher),
					     cases[i].code);
	}
}

TEST_1(bytes_that_are_no_recipes_are_refused)
{
	struct recipes whole = recipes_of(USER_DATA, STORE, 0, "1234567890"), r;
	const uint32_t lengths[] = { 11, 0x7fffffff, 0xfffffff0, 0xffffffff };
	mach_port_name_t voucher, host = host_self(a);

	for (uint32_t size = 1; size < whole.size; size++) {
		r = whole;
		r.size = size;
		assert_refused_without_trace(w, voucher_create_at(a, host, &r, &voucher),
					     KERN_INVALID_ARGUMENT);
	}
	r = whole;
	r.size++; /* a byte that begins one more */
	assert_refused_without_trace(w, voucher_create_at(a, host, &r, &voucher),
				     KERN_INVALID_ARGUMENT);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		r = whole;
		memcpy(r.bytes + 12, &lengths[i], sizeof lengths[i]);
		assert_refused_without_trace(w, voucher_create_at(a, host, &r, &voucher),
					     KERN_INVALID_ARGUMENT);
	}
}

TEST_1(recipes_have_a_size)
{
	static struct recipes r;
	static uint8_t much[RECIPES_MOST];
	mach_port_name_t first, second, voucher, host = host_self(a);
	struct recipes both;

	recipes_add(&r, USER_DATA, STORE, 0, much, RECIPES_MOST - 16);
	assert_ok(voucher_create(a, &r, &first));
	r.size++;
	assert_code(voucher_create(a, &r, &voucher), MIG_ARRAY_TOO_LARGE);
	/* who makes it again must be able to say so */
	assert_ok(voucher_create_one(a, TEST_KEY, STORE, 0, "", &second));
	both = recipes_of(ALL, MACH_VOUCHER_ATTR_COPY, first, "");
	recipes_add(&both, TEST_KEY, MACH_VOUCHER_ATTR_COPY, second, "", 0);
	assert_refused_without_trace(w, voucher_create_at(a, host, &both, &voucher), KERN_NO_SPACE);
	assert_ok(voucher_extract(a, first, USER_DATA, RECIPES_MOST));
	assert_int_equal(a->outcome.bytes_size, RECIPES_MOST);
}

TEST_1(what_is_no_host_makes_none)
{
	struct recipes r = recipes_of(USER_DATA, STORE, 0, "x");
	mach_port_name_t voucher, port = new_port_with_send(a);

	assert_refused_without_trace(w, voucher_create_at(a, BERTH_NAME_TASK_SELF, &r, &voucher),
				     KERN_INVALID_ARGUMENT);
	assert_refused_without_trace(w, voucher_create_at(a, 0, &r, &voucher),
				     MACH_SEND_INVALID_DEST);
	assert_refused_without_trace(w, voucher_create_at(a, port, &r, &voucher),
				     BERTH_TRAP_BY_MESSAGE);
}

/* ---- by message --------------------------------------------------------------------------- */

static kern_return_t
create_by_message(struct actor *t, mach_port_name_t object, const struct recipes *recipes,
		  mach_port_name_t *voucher)
{
	struct rpc r = rpc_to(222);
	kern_return_t kr;

	rpc_u32(&r, recipes->size);
	memcpy(r.data + r.data_size, recipes->bytes, recipes->size);
	r.data_size += (recipes->size + 3) & ~3u;
	kr = object_call(t, object, &r);
	*voucher = kr == KERN_SUCCESS ? got.descriptors[0].name : MACH_PORT_NULL;
	return kr;
}

TEST_1(a_message_makes_the_same)
{
	mach_port_name_t host = host_self(a), expected = voucher_new(a, "abc"), voucher;
	struct recipes r = recipes_of(USER_DATA, STORE, 0, "abc");
	const uint32_t ports = world_counts(w).ports;

	assert_ok(create_by_message(a, host, &r, &voucher));
	assert_int_equal(voucher, expected);
	r = recipes_of(ALL, MACH_VOUCHER_ATTR_COPY, expected, "");
	assert_ok(create_by_message(a, host, &r, &voucher));
	assert_int_equal(voucher, expected);
	r = recipes_of(ALL, MACH_VOUCHER_ATTR_COPY, host, "");
	assert_code(create_by_message(a, host, &r, &voucher), KERN_INVALID_CAPABILITY);
	assert_code(create_by_message(a, expected, &r, &voucher), KERN_INVALID_ARGUMENT);
	assert_int_equal(world_counts(w).ports, ports);
}

TEST_1(recipes_come_back_as_they_make_it)
{
	struct recipes r = recipes_of(USER_DATA, STORE, 0, "seven"), out, back;
	mach_port_name_t voucher, again;

	recipes_add(&r, BANK, 610, 0, "three", 5);
	assert_ok(voucher_create(a, &r, &voucher));
	/* by keys, and without a previous one */
	back = recipes_of(BANK, 610, 0, "three");
	recipes_add(&back, USER_DATA, STORE, 0, "seven", 5);
	assert_ok(voucher_ask(a, voucher, 5402, 0, RECIPES_MOST, &out));
	assert_int_equal(out.size, back.size);
	assert_memory_equal(out.bytes, back.bytes, out.size);
	assert_ok(voucher_create(a, &out, &again));
	assert_int_equal(again, voucher);
	assert_ok(voucher_ask(a, voucher, 5401, BANK, 100, &out));
	assert_int_equal(out.size, 21);
	assert_memory_equal(out.bytes, back.bytes, 21);
	assert_ok(voucher_extract(a, voucher, BANK, 21));
	assert_int_equal(a->outcome.bytes_size, 21);
	assert_int_equal(a->outcome.values[0], 21);
	assert_memory_equal(a->outcome.bytes, back.bytes, 21);
}

TEST_1(looking_has_its_codes)
{
	mach_port_name_t voucher = voucher_new(a, "twelve bytes"), host = host_self(a);
	struct recipes out;

	for (int32_t id = 5400; id <= 5401; id++) {
		const uint32_t size = id == 5400 ? 12 : 28;

		assert_code(voucher_ask(a, host, id, USER_DATA, 100, &out), KERN_INVALID_ARGUMENT);
		assert_code(voucher_ask(a, voucher, id, 0, 100, &out), KERN_INVALID_ARGUMENT);
		assert_code(voucher_ask(a, voucher, id, 9, 100, &out), KERN_INVALID_ARGUMENT);
		assert_code(voucher_ask(a, voucher, id, ALL, 100, &out), KERN_INVALID_ARGUMENT);
		assert_code(voucher_ask(a, voucher, id, USER_DATA, size - 1, &out), KERN_NO_SPACE);
		assert_ok(voucher_ask(a, voucher, id, USER_DATA, size, &out));
		assert_int_equal(out.size, size);
		/* the default, also of keys that nobody manages */
		assert_ok(voucher_ask(a, voucher, id, BANK, 0, &out));
		assert_int_equal(out.size, 0);
		assert_ok(voucher_ask(a, voucher, id, 5, 0, &out));
		assert_int_equal(out.size, 0);
	}
	assert_code(voucher_ask(a, host, 5402, 0, 100, &out), KERN_INVALID_ARGUMENT);
	assert_code(voucher_ask(a, voucher, 5402, 0, 27, &out), KERN_NO_SPACE);
	assert_ok(voucher_ask(a, voucher, 5402, 0, 28, &out));
	/* and the trap */
	assert_code(voucher_extract(a, 0, USER_DATA, 100), KERN_INVALID_ARGUMENT);
	assert_code(voucher_extract(a, 0x7703, USER_DATA, 100), MACH_SEND_INVALID_DEST);
	assert_code(voucher_extract(a, new_port_with_send(a), USER_DATA, 100),
		    BERTH_TRAP_BY_MESSAGE);
	assert_code(voucher_extract(a, host, USER_DATA, 100), KERN_INVALID_ARGUMENT);
	assert_code(voucher_extract(a, voucher, ALL, 100), KERN_INVALID_ARGUMENT);
	assert_code(voucher_extract(a, voucher, USER_DATA, 27), KERN_NO_SPACE);
	assert_ok(voucher_extract(a, voucher, USER_DATA, 0xffffffff));
}

static kern_return_t
command(struct actor *t, mach_port_name_t voucher, uint32_t key)
{
	struct rpc r = rpc_to(5403);
	kern_return_t kr;

	rpc_u32(&r, key);
	rpc_u32(&r, MACH_VOUCHER_IMPORTANCE_ATTR_ADD_EXTERNAL);
	rpc_u32(&r, 0);  /* bytes in */
	rpc_u32(&r, 64); /* room for those that come out */
	kr = object_call(t, voucher, &r);
	if (kr == KERN_SUCCESS)
		assert_int_equal(rpc_result_u32(&r), 0);
	return kr;
}

TEST_1(managers_know_no_commands)
{
	mach_port_name_t voucher = voucher_new(a, "x");
	struct recipes out;

	assert_code(command(a, host_self(a), USER_DATA), KERN_INVALID_ARGUMENT);
	assert_code(command(a, voucher, ALL), KERN_INVALID_ARGUMENT);
	assert_code(command(a, voucher, 6), KERN_INVALID_CAPABILITY);
	assert_ok(command(a, voucher, BANK));
	assert_code(command(a, voucher, USER_DATA), KERN_NOT_SUPPORTED);
	assert_code(voucher_ask(a, voucher, 5404, USER_DATA, 64, &out), KERN_NOT_SUPPORTED);
}

/* ---- tasks and threads --------------------------------------------------------------------- */

/* A call on @object with a voucher, or none: 3440, 3441, 3626. */
static kern_return_t
call_with(struct actor *t, mach_port_name_t object, int32_t id, mach_port_name_t voucher)
{
	struct rpc r = rpc_to(id);

	message_add_port(&r.message, voucher, COPY);
	if (id == 3441)
		message_add_port(&r.message, 0, COPY);
	return object_call(t, object, &r);
}

static kern_return_t
get_voucher(struct actor *t, mach_port_name_t object, int32_t id, mach_port_name_t *voucher)
{
	struct rpc r = rpc_to(id);
	kern_return_t kr;

	rpc_u32(&r, MACH_VOUCHER_SELECTOR_CURRENT);
	kr = object_call(t, object, &r);
	*voucher = kr == KERN_SUCCESS ? got.descriptors[0].name : MACH_PORT_NULL;
	return kr;
}

TEST_1(a_task_has_no_voucher)
{
	mach_port_name_t voucher = voucher_new(a, "x"), none, host = host_self(a);

	assert_ok(call_with(a, BERTH_NAME_TASK_SELF, 3440, voucher));
	assert_entry(a, voucher, MACH_PORT_TYPE_SEND, 1);
	assert_ok(get_voucher(a, BERTH_NAME_TASK_SELF, 3439, &none));
	assert_int_equal(none, MACH_PORT_NULL);
	assert_code(call_with(a, BERTH_NAME_TASK_SELF, 3441, voucher), KERN_NOT_SUPPORTED);
	assert_code(get_voucher(a, host, 3439, &none), KERN_INVALID_TASK);
	assert_code(call_with(a, host, 3440, voucher), KERN_INVALID_TASK);
	assert_code(call_with(a, host, 3441, voucher), KERN_INVALID_TASK);
	assert_entry(a, voucher, MACH_PORT_TYPE_SEND, 1);
}

TEST_1(a_thread_has_the_voucher_that_it_sets)
{
	const uint32_t ports = world_counts(w).ports + 1; /* its own, from now on */
	mach_port_name_t self = thread_self(a), first = voucher_new(a, "first"), seen;
	mach_port_name_t second = voucher_new(a, "second");

	assert_ok(get_voucher(a, self, 3625, &seen));
	assert_int_equal(seen, MACH_PORT_NULL);
	assert_ok(call_with(a, self, 3626, first));
	assert_ok(get_voucher(a, self, 3625, &seen));
	assert_int_equal(seen, first);
	assert_entry(a, first, MACH_PORT_TYPE_SEND, 2);
	assert_ok(port_mod_refs(a, first, MACH_PORT_RIGHT_SEND, -2));
	/* it is the thread that holds it */
	assert_ok(get_voucher(a, self, 3625, &seen));
	assert_voucher_has(a, seen, USER_DATA, "first");
	assert_ok(port_deallocate(a, seen));
	assert_ok(call_with(a, self, 3626, second));
	assert_int_equal(world_counts(w).ports, ports + 1);
	assert_ok(call_with(a, self, 3626, MACH_PORT_NULL));
	assert_ok(get_voucher(a, self, 3625, &seen));
	assert_int_equal(seen, MACH_PORT_NULL);
	assert_ok(port_deallocate(a, second));
	assert_int_equal(world_counts(w).ports, ports);
}

TEST_1(a_thread_sets_its_own_voucher_only)
{
	struct actor *other = world_thread_new(a->party);
	mach_port_name_t theirs = thread_self(other), self = thread_self(a);
	mach_port_name_t voucher = voucher_new(a, "x"), none;

	assert_code(call_with(a, theirs, 3626, voucher), KERN_INVALID_ARGUMENT);
	assert_code(call_with(a, BERTH_NAME_TASK_SELF, 3626, voucher), KERN_INVALID_ARGUMENT);
	assert_code(call_with(a, self, 3626, host_self(a)), KERN_INVALID_ARGUMENT);
	assert_code(call_with(a, self, 3626, MACH_PORT_DEAD), KERN_INVALID_ARGUMENT);
	assert_code(get_voucher(a, BERTH_NAME_TASK_SELF, 3625, &none), KERN_INVALID_ARGUMENT);
	assert_ok(call_with(other, theirs, 3626, voucher));
	/* anybody who has the thread may look */
	assert_ok(get_voucher(a, theirs, 3625, &none));
	assert_int_equal(none, voucher);
	assert_entry(a, voucher, MACH_PORT_TYPE_SEND, 2);
}

TEST_2(a_thread_that_ends_lets_its_voucher_go)
{
	struct actor *other = world_thread_new(b->party);
	const uint32_t ports = world_counts(w).ports;
	mach_port_name_t voucher = voucher_new(other, "x"), self = thread_self(other);

	(void)a;
	assert_ok(call_with(other, self, 3626, voucher));
	assert_ok(port_deallocate(other, voucher));
	assert_ok(port_destroy(other, self));
	assert_int_equal(world_counts(w).ports, ports + 2);
	world_thread_exit(other);
	assert_int_equal(world_counts(w).ports, ports);
	voucher = voucher_new(b, "y");
	assert_ok(call_with(b, thread_self(b), 3626, voucher));
	world_task_exec(b->party);
}

/* ---- what it costs -------------------------------------------------------------------------- */

TEST_2(a_task_makes_so_many_bytes_of_vouchers)
{
	static uint8_t content[4096];
	static mach_port_name_t vouchers[1024];
	mach_port_name_t last = 0;
	uint32_t count = 0;

	w->quiet_audit = true;
	for (;; count++) {
		struct recipes r = { .size = 0 };
		kern_return_t kr;

		assert_true(count < 1024);
		memcpy(content, &count, sizeof count);
		recipes_add(&r, USER_DATA, STORE, 0, content, sizeof content);
		kr = voucher_create(a, &r, &last);
		if (kr != KERN_SUCCESS) {
			assert_code(kr, KERN_RESOURCE_SHORTAGE);
			assert_int_equal(last, 0);
			break;
		}
		vouchers[count] = last;
	}
	assert_true(count > 200);
	kernel_audit(w->kernel);
	/* what is there costs nothing, and others have their own */
	assert_ok(voucher_create_one(a, ALL, MACH_VOUCHER_ATTR_COPY, vouchers[0], "", &last));
	assert_int_equal(last, vouchers[0]);
	last = voucher_new(b, "other");
	last = give(b, last, MOVE, a);
	assert_ok(port_destroy(a, vouchers[count - 1]));
	last = voucher_new(a, "small");
	assert_ok(port_deallocate(a, last));
	kernel_audit(w->kernel);
	for (uint32_t i = 0; i + 1 < count; i++)
		assert_ok(port_destroy(a, vouchers[i]));
	kernel_audit(w->kernel);
}

/* ---- looking -------------------------------------------------------------------------------- */

TEST_1(the_tools_see_a_voucher_as_one)
{
	mach_port_name_t voucher = voucher_new(a, "x");
	struct kernel_census at = { 0 };
	struct kernel_right_row row = { 0 };

	while (row.name != voucher)
		assert_true(kernel_census_next(w->kernel, &at, &row));
	assert_string_equal(row.kobject, "voucher");
}
