/*
 * Clients that mean no good: forged messages, garbage, floods.  The name server answers with
 * a defined error, goes on serving others, and holds nothing afterwards that it did not
 * hold before.
 */
#include "e2e.h"

#include <signal.h>
#include <unistd.h>

#include <servers/bootstrap_priv.h>

#define MESSAGE_SIZE_MAX 8192u
#define ANSWER_MS 20000u
#define GARBAGE_COUNT 20000u
#define NAMES_PER_PROCESS 16384u
#define SUBSETS_PER_PROCESS 1024u
#define NO_ANSWER 1 /* no code of the name server */

static mach_port_t bp;
static mach_port_t answers; /* a receive right */

/* ---- the server's state ---------------------------------------------------------------- */

/* How many names the name server's space has, by `berth ps`. */
static unsigned
server_rights(void)
{
	char command[512], line[512];
	/* a task has its program's name; the first one is the server's */
	const char *name = getenv("TESTS_UNDER_MEMCHECK") != NULL ? "memcheck" : "berth-launchd";
	unsigned rights = 0;
	mach_port_t port;

	/* a round trip: what was sent before has been served, and what the kernel told, too */
	CHECK_KR(bootstrap_look_up(bp, "nobody", &port), BOOTSTRAP_UNKNOWN_SERVICE);
	snprintf(command, sizeof(command), "exec '%s' ps", getenv("BERTH"));
	FILE *stream = popen(command, "re");
	CHECK(stream != NULL);
	while (fgets(line, sizeof(line), stream)) {
		char task[64];
		if (sscanf(line, "%*d %63s %*u %*u %u", task, &rights) == 2 &&
		    strncmp(task, name, strlen(name)) == 0)
			break;
		rights = 0;
	}
	while (fgets(line, sizeof(line), stream))
		continue;
	CHECK(pclose(stream) == 0 && rights > 0);
	return rights;
}

struct rights_wanted {
	unsigned count;
};

static bool
has_rights(void *context)
{
	return server_rights() == ((struct rights_wanted *)context)->count;
}

/* Ends when the server holds as many names as @count again. */
static void
await_rights(unsigned count)
{
	e2e_await(has_rights, &(struct rights_wanted){ count }, "the rights of the name server");
}

/* ---- messages -------------------------------------------------------------------------- */

union message {
	mach_msg_header_t head;
	struct {
		mach_msg_header_t head;
		mach_msg_body_t body;
		mach_msg_port_descriptor_t port;
		char rest[64];
	} complex;
	mig_reply_error_t error;
	char bytes[MESSAGE_SIZE_MAX];
};

static void
address(union message *message, mach_msg_id_t id, mach_msg_size_t size)
{
	message->head.msgh_bits |=
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	message->head.msgh_size = size;
	message->head.msgh_remote_port = bp;
	message->head.msgh_local_port = answers;
	message->head.msgh_id = id;
}

/* The code of the answer; KERN_SUCCESS with rights, too; NO_ANSWER: the reply right was
 * destroyed. */
static kern_return_t
answer(mach_msg_id_t id)
{
	union message message;

	CHECK_KR(mach_msg(&message.head, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(message),
			  answers, ANSWER_MS, MACH_PORT_NULL),
		 0);
	mach_msg_id_t got = message.head.msgh_id;
	bool is_complex = MACH_MSGH_BITS_IS_COMPLEX(message.head.msgh_bits);
	kern_return_t code = is_complex ? KERN_SUCCESS : message.error.RetCode;
	mach_msg_destroy(&message.head);
	if (got == MACH_NOTIFY_SEND_ONCE)
		return NO_ANSWER;
	CHECK(got == (mach_msg_id_t)((uint32_t)id + 100));
	return code;
}

static kern_return_t
ask(union message *message, mach_msg_id_t id, mach_msg_size_t size)
{
	address(message, id, size);
	CHECK_KR(
	    mach_msg(&message->head, MACH_SEND_MSG, size, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL), 0);
	return answer(id);
}

static kern_return_t
ask_simple(mach_msg_id_t id, mach_msg_size_t size)
{
	union message message = { .head = { 0 } };

	return ask(&message, id, size);
}

/* ---- forged messages ------------------------------------------------------------------- */

static const mach_msg_id_t with_body[] = { 400,   402,   403,   404,   408,   409,   418,   52000,
					   52001, 52002, 52003, 52004, 52005, 52006, 52009, 52010 };
static const mach_msg_id_t without_body[] = { 406, 425, 436, 52008 };

static bool
is_known(mach_msg_id_t id)
{
	for (unsigned i = 0; i < sizeof(with_body) / sizeof(with_body[0]); i++) {
		if (with_body[i] == id)
			return true;
	}
	for (unsigned i = 0; i < sizeof(without_body) / sizeof(without_body[0]); i++) {
		if (without_body[i] == id)
			return true;
	}
	return false;
}

static void
ids_that_mean_nothing_are_bad_ids(void)
{
	static const mach_msg_id_t odd[] = {
		INT32_MIN, -1, 0, 64, 69, 70, 71, 72, 500, 51999, 52007, 52011, INT32_MAX - 100
	};

	for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		CHECK_KR(ask_simple(odd[i], sizeof(mach_msg_header_t)), MIG_BAD_ID);
	for (mach_msg_id_t id = 398; id <= 442; id++) {
		if (!is_known(id))
			CHECK_KR(ask_simple(id, 64), MIG_BAD_ID);
	}
}

static void
wrong_sizes_are_bad_arguments(void)
{
	for (unsigned i = 0; i < sizeof(with_body) / sizeof(with_body[0]); i++) {
		for (mach_msg_size_t size = 24; size <= 4000; size += 568)
			CHECK_KR(ask_simple(with_body[i], size), MIG_BAD_ARGUMENTS);
	}
	for (unsigned i = 0; i < sizeof(without_body) / sizeof(without_body[0]); i++)
		CHECK_KR(ask_simple(without_body[i], 28), MIG_BAD_ARGUMENTS);
	/* longer than any request: destroyed unread, which the reply right tells */
	CHECK_KR(ask_simple(404, MESSAGE_SIZE_MAX), NO_ANSWER);
}

static void
a_name_without_its_end_is_a_bad_argument(void)
{
	static const struct {
		mach_msg_id_t id;
		mach_msg_size_t size;
	} requests[] = { { 400, 552 }, { 402, 168 }, { 404, 188 }, { 52009, 160 }, { 52010, 160 } };

	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		union message message = { .head = { 0 } };
		memset(message.bytes + sizeof(mach_msg_header_t), 'n',
		       requests[i].size - sizeof(mach_msg_header_t));
		CHECK_KR(ask(&message, requests[i].id, requests[i].size), MIG_BAD_ARGUMENTS);
	}
}

/* A request of @id and @size that carries @port. */
static kern_return_t
ask_with_port(mach_msg_id_t id, mach_msg_size_t size, mach_port_t port,
	      mach_msg_type_name_t disposition)
{
	union message message = { .complex = { .body = { 1 },
					       .port = { .name = port,
							 .disposition = disposition,
							 .type = MACH_MSG_PORT_DESCRIPTOR } } };

	message.head.msgh_bits = MACH_MSGH_BITS_COMPLEX;
	strcpy(message.bytes + 48, "name");
	return ask(&message, id, size);
}

static void
rights_that_nobody_asked_for_are_destroyed(void)
{
	mach_port_t port = e2e_port(), found, before = e2e_name_count();

	/* in a request that has none, and in one that is too long */
	CHECK_KR(ask_with_port(402, 168, port, MACH_MSG_TYPE_COPY_SEND), MIG_BAD_ARGUMENTS);
	CHECK_KR(ask_with_port(403, 188, port, MACH_MSG_TYPE_COPY_SEND), MIG_BAD_ARGUMENTS);
	CHECK_KR(ask_with_port(9999, 168, port, MACH_MSG_TYPE_COPY_SEND), MIG_BAD_ID);
	CHECK_KR(ask_with_port(409, 40, port, MACH_MSG_TYPE_MAKE_SEND_ONCE), MIG_TYPE_ERROR);
	CHECK(e2e_receive(port, 5000) == MACH_NOTIFY_SEND_ONCE);
	CHECK_KR(ask_with_port(403, 184, port, MACH_MSG_TYPE_MOVE_RECEIVE), MIG_TYPE_ERROR);
	e2e_await_death(port);
	CHECK(e2e_name_count() == before);
	CHECK_KR(bootstrap_look_up(bp, "name", &found), BOOTSTRAP_UNKNOWN_SERVICE);

	/* without the mark of a complex message there is no right in it */
	union message message = { .head = { 0 } };
	CHECK_KR(ask(&message, 403, 184), MIG_BAD_ARGUMENTS);
}

static void
a_check_in_without_a_reply_gives_the_right_back(void)
{
	mach_port_t client, server;

	CHECK_KR(bootstrap_create_service(bp, (name_t){ "held" }, &client), 0);
	union message message = { .head = { 0 } };
	address(&message, 402, 168);
	message.head.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0);
	message.head.msgh_local_port = MACH_PORT_NULL;
	strcpy(message.bytes + 32, "held");
	CHECK_KR(mach_msg(&message.head, MACH_SEND_MSG, 168, 0, MACH_PORT_NULL, 0, MACH_PORT_NULL),
		 0);
	CHECK_KR(bootstrap_check_in(bp, "held", &server), 0);
	e2e_drop_receive(server);
	CHECK_KR(bootstrap_register(bp, (name_t){ "held" }, MACH_PORT_NULL), 0);
	e2e_await_death(client);
	CHECK_KR(mach_port_deallocate(mach_task_self(), client), 0);
}

/* Replies to a send right whose queue is full: the server drops them and waits for nobody. */
static void
a_client_that_does_not_listen_holds_up_nobody(void)
{
	mach_port_t deaf = e2e_port(), port;

	for (unsigned i = 0; i < 50; i++) {
		union message message = { .head = { 0 } };
		address(&message, 404, 188);
		message.head.msgh_bits =
		    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND);
		message.head.msgh_local_port = deaf;
		CHECK_KR(mach_msg(&message.head, MACH_SEND_MSG, 188, 0, MACH_PORT_NULL, 0,
				  MACH_PORT_NULL),
			 0);
	}
	CHECK_KR(bootstrap_look_up(bp, "a", &port), BOOTSTRAP_UNKNOWN_SERVICE);
	unsigned count = 0;
	while (e2e_receive(deaf, 0) == 504)
		count++;
	CHECK(count == 5); /* the limit of its queue */
	e2e_drop_receive(deaf);
	CHECK_KR(mach_port_deallocate(mach_task_self(), deaf), 0);
}

static void
nobody_claims_a_jobs_port(void)
{
	CHECK_KR(ask_simple(52008, sizeof(mach_msg_header_t)), BOOTSTRAP_NOT_PRIVILEGED);
}

/* ---- garbage --------------------------------------------------------------------------- */

static uint32_t random_state = 12345;

static uint32_t
random_below(uint32_t limit)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % limit;
}

/* One to four descriptors, of rights and memory that are there. */
static void
add_descriptors(union message *message)
{
	static const mach_msg_type_name_t kinds[] = { MACH_MSG_TYPE_MAKE_SEND,
						      MACH_MSG_TYPE_MAKE_SEND_ONCE,
						      MACH_MSG_TYPE_MOVE_RECEIVE };
	static char memory[70000];
	char *at = message->bytes + sizeof(mach_msg_base_t);
	unsigned count = 1 + random_below(4);

	message->head.msgh_bits = MACH_MSGH_BITS_COMPLEX;
	message->complex.body.msgh_descriptor_count = random_below(8) ? 1 : count;
	count = message->complex.body.msgh_descriptor_count;
	for (unsigned i = 0; i < count; i++) {
		if (random_below(2)) {
			mach_msg_ool_descriptor_t ool = {
				.address = memory,
				.size = random_below(sizeof(memory)),
				.copy = MACH_MSG_VIRTUAL_COPY,
				.type = MACH_MSG_OOL_DESCRIPTOR,
			};
			memcpy(at, &ool, sizeof(ool));
			at += sizeof(ool);
		} else {
			mach_msg_port_descriptor_t right = { .type = MACH_MSG_PORT_DESCRIPTOR };
			CHECK_KR(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE,
						    &right.name),
				 0);
			right.disposition = kinds[random_below(3)];
			memcpy(at, &right, sizeof(right));
			at += sizeof(right);
		}
	}
}

/* The right size of a request more often than not. */
static mach_msg_size_t
random_size(void)
{
	static const mach_msg_size_t sizes[] = { 24, 28, 32, 40, 160, 168, 184, 188, 552, 1084 };

	return random_below(4) ? sizes[random_below(10)] : 24 + 4 * random_below(1000);
}

static int
send_garbage(void *context)
{
	unsigned sent = 0;

	for (unsigned i = 0; i < GARBAGE_COUNT; i++) {
		union message message;
		for (unsigned at = 0; at < 1200; at += 4)
			memcpy(message.bytes + at, &(uint32_t){ random_below(1u << 24) }, 4);
		memset(message.bytes, 0, sizeof(mach_msg_base_t));
		mach_msg_size_t size = random_size();
		if (random_below(2))
			add_descriptors(&message);
		if (random_below(2)) /* text that ends */
			memset(message.bytes + 100, 0, 1100);
		mach_msg_id_t id =
		    (mach_msg_id_t)random_below(60) + (random_below(2) ? 395 : 51995);
		address(&message, id, size);
		message.head.msgh_local_port = MACH_PORT_NULL;
		message.head.msgh_bits = (message.head.msgh_bits & MACH_MSGH_BITS_COMPLEX) |
					 MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0);
		sent += mach_msg(&message.head, MACH_SEND_MSG, size, 0, MACH_PORT_NULL, 0,
				 MACH_PORT_NULL) == 0;
	}
	mach_port_t port;
	CHECK_KR(bootstrap_look_up(bootstrap_port, "nobody", &port), BOOTSTRAP_UNKNOWN_SERVICE);
	return sent > GARBAGE_COUNT / 4 ? 0 : 1;
}

static void
garbage_leaves_nothing_behind(void)
{
	unsigned before = server_rights();

	CHECK(e2e_in_child(send_garbage, NULL) == 0);
	await_rights(before);
}

/* ---- floods ---------------------------------------------------------------------------- */

static int
publish_all(void *context)
{
	mach_port_t mine = e2e_port(), found;
	char name[128];
	unsigned count = 0;
	kern_return_t kr;

	bp = bootstrap_port;
	do {
		snprintf(name, sizeof(name), "flood.%u", count);
		kr = count % 2 ? bootstrap_register(bp, name, mine)
			       : bootstrap_check_in(bp, name, &found);
	} while (kr == KERN_SUCCESS && ++count <= NAMES_PER_PROCESS);
	CHECK_KR(kr, BOOTSTRAP_NO_MEMORY);
	CHECK(count == NAMES_PER_PROCESS);

	/* a name given up makes room for one */
	CHECK_KR(bootstrap_register(bp, (name_t){ "flood.1" }, MACH_PORT_NULL), 0);
	CHECK_KR(bootstrap_register(bp, (name_t){ "flood.x" }, mine), 0);
	CHECK_KR(bootstrap_register(bp, (name_t){ "flood.y" }, mine), BOOTSTRAP_NO_MEMORY);
	e2e_note("full", "yes");
	e2e_await_notes("go", 1);
	return 0;
}

static void
a_flood_of_names_has_an_end(void)
{
	unsigned before = server_rights();
	mach_port_t server, found;
	pid_t pid = e2e_fork(publish_all, NULL);

	e2e_await_notes("full", 1);
	CHECK_KR(bootstrap_check_in(bp, "others", &server), 0); /* others are not concerned */
	CHECK_KR(bootstrap_look_up(bp, "flood.4711", &found), 0);
	CHECK_KR(mach_port_deallocate(mach_task_self(), found), 0);
	e2e_drop_receive(server);
	e2e_note("go", "now");
	CHECK(e2e_wait(pid) == 0);
	CHECK_KR(bootstrap_look_up(bp, "flood.4711", &found), BOOTSTRAP_UNKNOWN_SERVICE);
	await_rights(before);
}

static int
flood_subsets(void *context)
{
	mach_port_t sub, found;
	unsigned count = 0;
	kern_return_t kr;

	bp = bootstrap_port;
	while ((kr = bootstrap_subset(bp, mach_task_self(), &sub)) == KERN_SUCCESS)
		CHECK(++count < 100000);
	CHECK_KR(kr, BOOTSTRAP_NO_MEMORY);
	CHECK(count == SUBSETS_PER_PROCESS);
	CHECK_KR(bootstrap_look_up(bp, "nobody", &found), BOOTSTRAP_UNKNOWN_SERVICE);
	e2e_note("subsets", "full");
	e2e_await_notes("subsets go", 1);
	return 0;
}

static void
a_flood_of_subsets_has_an_end(void)
{
	unsigned before = server_rights();
	mach_port_t life = e2e_port(), sub;
	unsigned with_life = server_rights();
	pid_t pid = e2e_fork(flood_subsets, NULL);

	e2e_await_notes("subsets", 1);
	CHECK_KR(bootstrap_subset(bp, life, &sub), 0); /* others are not concerned */
	CHECK_KR(mach_port_deallocate(mach_task_self(), sub), 0);
	e2e_drop_receive(life);
	e2e_note("subsets go", "now");
	CHECK(e2e_wait(pid) == 0);
	CHECK(with_life == before);
	await_rights(before);
	CHECK_KR(bootstrap_subset(bp, mach_task_self(), &sub), 0);
}

/* Ten thousand names, each looked up: one user reference a look-up, none for what is not
 * there. */
static void
ten_thousand_look_ups_add_what_they_give(void)
{
	enum { COUNT = 10000 };
	static mach_port_t servers[COUNT];
	unsigned before = server_rights(), own = e2e_name_count();
	mach_port_t found;
	char name[128];

	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "many.%u", i);
		CHECK_KR(bootstrap_check_in(bp, name, &servers[i]), 0);
	}
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "many.%u", i);
		CHECK_KR(bootstrap_look_up(bp, name, &found), 0);
		CHECK(found == servers[i] && e2e_send_refs(found) == 1);
		CHECK_KR(bootstrap_look_up(bp, "many", &found), BOOTSTRAP_UNKNOWN_SERVICE);
	}
	CHECK(e2e_name_count() == own + COUNT);
	CHECK(server_rights() == before + COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		CHECK_KR(mach_port_destroy(mach_task_self(), servers[i]), 0);
	}
	CHECK(e2e_name_count() == own);
	await_rights(before);
}

int
main(void)
{
	bp = bootstrap_port;
	e2e_folder();
	CHECK_KR(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &answers), 0);
	unsigned before = server_rights();
	RUN(ids_that_mean_nothing_are_bad_ids);
	RUN(wrong_sizes_are_bad_arguments);
	RUN(a_name_without_its_end_is_a_bad_argument);
	RUN(rights_that_nobody_asked_for_are_destroyed);
	RUN(a_check_in_without_a_reply_gives_the_right_back);
	RUN(a_client_that_does_not_listen_holds_up_nobody);
	RUN(nobody_claims_a_jobs_port);
	await_rights(before);
	RUN(garbage_leaves_nothing_behind);
	RUN(a_flood_of_names_has_an_end);
	RUN(a_flood_of_subsets_has_an_end);
	RUN(ten_thousand_look_ups_add_what_they_give);
	return 0;
}
