/*
 * Both ends of a lane at work at once, with a kernel that shuts and opens it as fast as it can:
 * each message comes once and in order, whichever way it went, and each request is answered once.
 *
 * The kernel is the core, in this process: who asks it holds its lock.  What goes by the lane goes
 * without any, which is for the thread sanitizer to judge.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/calls.h"
#include "tests/support/lanes.h"

#define MESSAGES 30000
#define LOOK_EVERY 16     /* messages */
#define UNANSWERED_MAX 12 /* more than that the sender does not leave open */
#define FIRST 1000        /* ids of messages begin behind those of notifications */
#define ASKS(id_) ((id_) % 3 != 0)

struct hammer {
	pthread_mutex_t kernel;
	struct world *w;
	struct actor *client, *server, *other;
	struct lane_ends lane;
	mach_port_name_t reply;
	uint32_t binding;
	_Atomic bool is_over;
	_Atomic uint32_t looks;
	/* how many went which way: both must have been tried */
	uint32_t by_lane, by_kernel;
	uint32_t returned; /* rights to answer: a notification comes for each */
	uint8_t answered[MESSAGES + 1];
};

static struct message
numbered(mach_port_name_t to, uint32_t disposition, int32_t id)
{
	struct message m = message_to(to, disposition);

	message_id(&m, FIRST + id);
	return m;
}

#define must(holds) ((holds) ? (void)0 : broken(#holds, __LINE__))

/* In a thread, where cmocka's assertions have nowhere to go. */
static _Noreturn void
broken(const char *what, int line)
{
	fprintf(stderr, "line %d: not so: %s\n", line, what);
	abort();
}

/* ---- the client ------------------------------------------------------------------------------ */

static bool
client_sends(struct hammer *h, int32_t id)
{
	struct message m = numbered(h->lane.right, MACH_MSG_TYPE_COPY_SEND, id);
	kern_return_t kr;

	if (lane_put(&h->lane, &m, ASKS(id) ? h->binding : LANE_NO_ANSWER)) {
		h->by_lane++;
		return true;
	}
	if (ASKS(id))
		message_reply(&m, h->reply, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	pthread_mutex_lock(&h->kernel);
	kr = msg_send(h->client, &m, MACH_SEND_TIMEOUT, 0);
	if (kr == MACH_SEND_TIMED_OUT && ASKS(id)) {
		/* it came back with the right to answer it */
		static struct received back;

		received_parse(h->client, &back);
		must(port_deallocate(h->client, back.header.msgh_local_port) == KERN_SUCCESS);
		h->returned++;
	}
	pthread_mutex_unlock(&h->kernel);
	h->by_kernel += kr == MACH_MSG_SUCCESS;
	return kr == MACH_MSG_SUCCESS;
}

/* True: an answer came, and was noted. */
static bool
client_receives(struct hammer *h)
{
	static struct lane_taken taken;
	static struct received came;
	int32_t id = 0;

	if (lane_take_answer(&h->lane, h->binding, &taken)) {
		id = taken.header.msgh_id;
	} else {
		pthread_mutex_lock(&h->kernel);
		if (msg_receive(h->client, h->reply, MACH_RCV_TIMEOUT, ANY_SIZE, 0, &came) ==
		    MACH_MSG_SUCCESS)
			id = came.header.msgh_id;
		pthread_mutex_unlock(&h->kernel);
	}
	if (id == MACH_NOTIFY_SEND_ONCE)
		must(h->returned-- > 0);
	if (id < FIRST)
		return false;
	id -= FIRST;
	must(id >= 1 && id <= MESSAGES);
	must(ASKS(id));
	h->answered[id]++;
	return true;
}

static void *
client_run(void *context)
{
	struct hammer *h = context;
	uint32_t open = 0;

	for (int32_t id = 1; id <= MESSAGES;) {
		/* at least as often as this somebody looks, at any moment */
		while (id / LOOK_EVERY > (int32_t)atomic_load(&h->looks))
			sched_yield();
		if (open < UNANSWERED_MAX && client_sends(h, id)) {
			open += ASKS(id);
			id++;
		} else if (client_receives(h)) {
			open--;
		} else {
			sched_yield();
		}
	}
	while (open > 0) {
		open -= client_receives(h);
		sched_yield();
	}
	return NULL;
}

/* ---- the server ------------------------------------------------------------------------------ */

static void
server_answers(struct hammer *h, int32_t id, mach_port_name_t name, uint32_t call)
{
	struct message m = numbered(name, MACH_MSG_TYPE_MOVE_SEND_ONCE, id);

	if (call < MACH_LANE_CALLS && lane_answer(&h->lane, call, name, &m))
		return;
	pthread_mutex_lock(&h->kernel);
	must(msg_send(h->server, &m, MACH_SEND_TIMEOUT, 0) == KERN_SUCCESS);
	pthread_mutex_unlock(&h->kernel);
}

static void *
server_run(void *context)
{
	static struct lane_taken taken;
	static struct received came;
	struct hammer *h = context;
	/* one answer is held back, so that somebody may look at its name */
	mach_port_name_t name = 0;
	uint32_t call = 0;
	int32_t held = 0;

	for (int32_t next = 1; next <= MESSAGES;) {
		mach_msg_header_t header;
		uint32_t with = MACH_LANE_NO_CALL;
		bool is_there = lane_take(&h->lane, &taken);

		if (is_there) {
			header = taken.header;
			header.msgh_remote_port = taken.reply;
			with = taken.call;
		} else {
			pthread_mutex_lock(&h->kernel);
			is_there =
			    msg_receive(h->server, h->server->party->mailbox, MACH_RCV_TIMEOUT,
					ANY_SIZE, 0, &came) == MACH_MSG_SUCCESS;
			pthread_mutex_unlock(&h->kernel);
			header = came.header;
		}
		if (!is_there) {
			sched_yield();
			continue;
		}
		must(header.msgh_id == FIRST + next);
		must((header.msgh_remote_port != 0) == ASKS(next));
		if (!ASKS(next++))
			continue;
		if (held != 0)
			server_answers(h, held, name, call);
		held = next - 1;
		name = header.msgh_remote_port;
		call = with;
	}
	server_answers(h, held, name, call);
	return NULL;
}

/* ---- who looks ------------------------------------------------------------------------------- */

static void *
others_run(void *context)
{
	struct hammer *h = context;

	for (uint32_t i = 0; !atomic_load(&h->is_over); i++) {
		pthread_mutex_lock(&h->kernel);
		switch (i % 4) {
		case 0:
			world_look(h->w);
			break;
		case 1: /* rights to answer */
			must(trap(h->other, BERTH_TRAP_PORT_NAMES, h->other->target, 0, 0, 0, 0,
				  0) == KERN_SUCCESS);
			break;
		case 2:
			(void)status_of(h->other, h->other->party->mailbox);
			break;
		default:
			kernel_audit(h->w->kernel);
			break;
		}
		pthread_mutex_unlock(&h->kernel);
		atomic_fetch_add(&h->looks, 1);
		for (uint32_t pause = 0; pause < i % 4; pause++)
			sched_yield();
	}
	return NULL;
}

TEST(each_message_comes_once_and_in_order_however_often_the_kernel_looks)
{
	static struct hammer h;
	pthread_t client, server, others;

	h.w = world_new_quiet(2);
	h.client = world_actor(h.w, 0);
	h.server = world_actor(h.w, 1);
	h.other = world_thread_new(h.server->party);
	pthread_mutex_init(&h.kernel, NULL);
	set_qlimit(h.server, h.server->party->mailbox, 8);
	h.lane = lane_make(h.client, h.client->party->mailbox_of[1], h.server);
	h.reply = new_port(h.client);
	h.binding = lane_bind(&h.lane, h.reply);
	pthread_create(&server, NULL, server_run, &h);
	pthread_create(&others, NULL, others_run, &h);
	pthread_create(&client, NULL, client_run, &h);
	pthread_join(client, NULL);
	pthread_join(server, NULL);
	atomic_store(&h.is_over, true);
	pthread_join(others, NULL);
	for (int32_t id = 1; id <= MESSAGES; id++)
		assert_int_equal(h.answered[id], ASKS(id) ? 1 : 0);
	print_message("%u by the lane, %u by the kernel\n", h.by_lane, h.by_kernel);
	assert_int_equal(h.by_lane + h.by_kernel, MESSAGES);
	kernel_audit(h.w->kernel);
	world_free(h.w);
	pthread_mutex_destroy(&h.kernel);
}
