/*
 * The cost of the core alone: one process, no system call, no waiting.
 *
 *	bench-core ROUNDS
 *
 *   core-send-receive  send a 64-byte message to one's own port, receive it
 *   core-right         a message that carries a send right; the receiver drops it
 *   core-rpc           request with a send-once reply right, reply, both received
 *   core-port-size     what an idle port and its name take
 *   core-crowd         as the first, in a task with 10^5 ports and a kernel with 10^3 tasks
 */
#include <kernel/kernel.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "bench/process.h"

static void *
heap_alloc(void *context, size_t size_bytes)
{
	(void)context;
	return malloc(size_bytes);
}

static void
heap_free(void *context, void *memory, size_t size_bytes)
{
	(void)context;
	(void)size_bytes;
	free(memory);
}

struct side {
	struct kernel *k;
	struct thread *thread;
};

/* One trap that must complete; what it says is copied out as a host would. */
static kern_return_t
trap(struct side *s, const struct trap_frame *frame, uint64_t *value, void *buffer)
{
	struct kernel_event event = { .kind = EVENT_TRAP, .thread = s->thread, .frame = frame };
	struct kernel_effects effects;
	kern_return_t kr;

	kernel_effects_init(&effects);
	kernel_step(s->k, &event, &effects);

	struct thread *done = kernel_effects_thread(&effects);

	if (done != s->thread) {
		fprintf(stderr, "bench: a trap blocked\n");
		exit(1);
	}

	const struct trap_result *r = thread_result(done);

	kr = r->code;
	if (value)
		*value = r->values[0];
	if (buffer && r->bytes_size) {
		memcpy(buffer, r->bytes, r->bytes_size);
		memcpy((char *)buffer + r->bytes_size, r->trailer, r->trailer_size);
	}
	thread_result_free(done, &effects);
	return kr;
}

static void
must(kern_return_t kr, const char *what)
{
	if (kr == KERN_SUCCESS)
		return;
	fprintf(stderr, "bench: %s: %#x\n", what, (unsigned)kr);
	exit(1);
}

static mach_port_name_t
allocate(struct side *s)
{
	struct trap_frame frame = { .number = BERTH_TRAP_PORT_ALLOCATE,
				    .args = { BERTH_NAME_TASK_SELF, MACH_PORT_RIGHT_RECEIVE } };
	uint64_t name;

	must(trap(s, &frame, &name, NULL), "allocate");
	return (mach_port_name_t)name;
}

static void
call(struct side *s, uint32_t number, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct trap_frame frame = { .number = number,
				    .args = { BERTH_NAME_TASK_SELF, a1, a2, a3 } };

	must(trap(s, &frame, NULL, NULL), "a call");
}

struct simple {
	mach_msg_header_t header;
	char body[40];
};

struct carrier {
	mach_msg_base_t base;
	mach_msg_port_descriptor_t port;
	char body[24];
};

static void
send(struct side *s, const void *message, uint32_t size)
{
	struct trap_frame frame = {
		.number = BERTH_TRAP_MSG,
		.args = { MACH_SEND_MSG, size },
		.bytes = message,
		.bytes_size = size,
	};

	must(trap(s, &frame, NULL, NULL), "send");
}

static void
receive(struct side *s, mach_port_name_t port, void *buffer, uint32_t size)
{
	struct trap_frame frame = {
		.number = BERTH_TRAP_MSG,
		.args = { MACH_RCV_MSG, 0, size, port },
	};

	must(trap(s, &frame, NULL, buffer), "receive");
}

static struct simple
simple_to(mach_port_name_t port, uint32_t disposition, mach_port_name_t reply,
	  uint32_t reply_disposition)
{
	struct simple m = { .header = {
				.msgh_bits = MACH_MSGH_BITS(disposition, reply_disposition),
				.msgh_size = sizeof(m),
				.msgh_remote_port = port,
				.msgh_local_port = reply,
			    } };

	return m;
}

static double
message_ns(struct side *s, mach_port_name_t port, uint32_t rounds)
{
	struct simple m = simple_to(port, MACH_MSG_TYPE_MAKE_SEND, 0, 0);
	char buffer[256];
	uint64_t start = now_ns();

	for (uint32_t i = 0; i < rounds; i++) {
		send(s, &m, sizeof(m));
		receive(s, port, buffer, sizeof(buffer));
	}
	return (double)(now_ns() - start) / rounds;
}

static double
rights_ns(struct side *s, mach_port_name_t port, mach_port_name_t other, uint32_t rounds)
{
	char buffer[256];
	uint64_t start = now_ns();

	for (uint32_t i = 0; i < rounds; i++) {
		struct carrier m = {
			.base = { .header = { .msgh_bits =
						  MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0) |
						  MACH_MSGH_BITS_COMPLEX,
					      .msgh_remote_port = port },
				  .body = { 1 } },
			.port = { .name = other,
				  .disposition = MACH_MSG_TYPE_MAKE_SEND,
				  .type = MACH_MSG_PORT_DESCRIPTOR }
		};

		send(s, &m, sizeof(m));
		receive(s, port, buffer, sizeof(buffer));
		call(s, BERTH_TRAP_PORT_MOD_REFS, other, MACH_PORT_RIGHT_SEND, (uint64_t)-1);
	}
	return (double)(now_ns() - start) / rounds;
}

static double
rpc_ns(struct side *client, struct side *server, mach_port_name_t service, mach_port_name_t remote,
       mach_port_name_t reply_port, uint32_t rounds)
{
	struct simple request =
	    simple_to(remote, MACH_MSG_TYPE_COPY_SEND, reply_port, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	union {
		mach_msg_header_t header;
		char bytes[256];
	} buffer;
	uint64_t start = now_ns();

	for (uint32_t i = 0; i < rounds; i++) {
		send(client, &request, sizeof(request));
		receive(server, service, &buffer, sizeof(buffer));

		struct simple reply =
		    simple_to(buffer.header.msgh_remote_port, MACH_MSG_TYPE_MOVE_SEND_ONCE, 0, 0);

		send(server, &reply, sizeof(reply));
		receive(client, reply_port, &buffer, sizeof(buffer));
	}
	return (double)(now_ns() - start) / rounds;
}

/* A send right to the server's port in the client, carried by the bootstrap slot. */
static mach_port_name_t
give_send_right(struct side *server, mach_port_name_t service, struct kernel *k,
		struct side *client)
{
	static const audit_token_t token = { { 0, 0, 0, 0, 0, 2, 0, 0 } };
	struct task *task;

	call(server, BERTH_TRAP_PORT_INSERT_RIGHT, service, service, MACH_MSG_TYPE_MAKE_SEND);
	call(server, BERTH_TRAP_TASK_SET_SPECIAL_PORT, 4, service, 0);
	task = kernel_task_new(k, &token, NULL, NULL);
	client->k = k;
	client->thread = task ? kernel_thread_new(task, NULL, NULL) : NULL;
	if (!client->thread)
		exit(1);
	return BERTH_NAME_BOOTSTRAP;
}

int
main(int argc, char **argv)
{
	static const audit_token_t token = { { 0, 0, 0, 0, 0, 1, 0, 0 } };
	const struct kernel_config config = { .heap = { heap_alloc, heap_free, NULL },
					      .random_seed = 1 };
	const uint32_t rounds = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;

	end_with_parent();

	struct kernel *k = kernel_new(&config);
	struct task *task = k ? kernel_task_new(k, &token, NULL, NULL) : NULL;
	struct side self = { k, task ? kernel_thread_new(task, NULL, NULL) : NULL };
	struct side client;
	struct kernel_counts before, after;

	if (!self.thread)
		return 1;

	mach_port_name_t port = allocate(&self);
	mach_port_name_t other = allocate(&self);
	mach_port_name_t remote = give_send_right(&self, port, k, &client);
	mach_port_name_t reply_port = allocate(&client);

	call(&self, BERTH_TRAP_PORT_INSERT_RIGHT, other, other, MACH_MSG_TYPE_MAKE_SEND);
	message_ns(&self, port, rounds / 10);
	report("core-send-receive", "ns", message_ns(&self, port, rounds));
	report("core-right", "ns", rights_ns(&self, port, other, rounds));
	report("core-rpc", "ns", rpc_ns(&client, &self, port, remote, reply_port, rounds));

	kernel_counts(k, &before);
	for (uint32_t i = 0; i < 100000; i++)
		allocate(&self);
	kernel_counts(k, &after);
	report("core-port-size", "bytes", (double)(after.bytes - before.bytes) / 100000);
	for (uint32_t i = 0; i < 1000; i++)
		if (!kernel_task_new(k, &token, NULL, NULL))
			return 1;
	report("core-crowd", "ns", message_ns(&self, port, rounds));
	return 0;
}
