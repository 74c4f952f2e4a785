/*
 * Calls in every manner.
 */
#include "mig_client.h"

#include "calls.h"

#include <mach/mig_errors.h>
#include <unistd.h>

#define BIG (64 * 1024)

/* These take the place of the library's, to be counted. */
static int allocated, in_use;

char *
mig_user_allocate(vm_size_t size)
{
	allocated++;
	in_use++;
	return malloc(size);
}

void
mig_user_deallocate(char *data, vm_size_t size)
{
	(void)size;
	in_use--;
	free(data);
}

static void
waits(mach_port_t server)
{
	expect_equal(call_wait_statement(server), MACH_RCV_TIMED_OUT);
	expect_equal(call_wait_argument(server, 100, 0), MACH_RCV_TIMED_OUT);
	/* the reply port of before is gone: whatever comes late hits nobody */
	expect_equal(call_wait_argument(server, 20000, 1), KERN_SUCCESS);
	expect_equal(call_give_up_replies(server), KERN_SUCCESS);
	expect_equal(call_wait_argument(server, 20000, 2), KERN_SUCCESS);
}

static mach_port_t
full_port_new(void)
{
	mach_port_t port = port_new();

	for (int i = 0; i < 5; i++)
		expect_equal(call_option_statement(port), MACH_MSG_SUCCESS);
	expect_equal(call_option_statement(port), MACH_SEND_TIMED_OUT);
	/* the kernel has put the destination back as a right of ours, and the stub leaves it */
	while (right_urefs(port, MACH_PORT_RIGHT_SEND) > 1)
		expect_equal(mach_port_deallocate(mach_task_self(), port), 0);
	return port;
}

static void
drop_to(mach_port_t name, mach_port_urefs_t urefs)
{
	mach_port_urefs_t have = right_urefs(name, MACH_PORT_RIGHT_SEND);

	expect(have >= urefs);
	expect_equal(mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_SEND,
					(int)urefs - (int)have),
		     0);
}

/* By default the rights are as the kernel's pseudo-receive left them, the memory is gone. */
static void
sends_to_full(mach_port_t server)
{
	mach_port_t full = full_port_new();
	mach_port_t right = port_new();
	blob_t memory = memory_new(BIG);
	uint64_t mapped = memory_mapped();

	(void)server;
	for (int i = 0; i < 100; i++) {
		expect_equal(i % 2 ? call_send_statement(full, right, memory, BIG)
				   : call_send_argument(full, 5, right, memory, BIG),
			     MACH_SEND_TIMED_OUT);
		drop_to(full, 1);
		drop_to(right, 1);
	}
	expect(memory_mapped() < mapped + 50 * BIG);
	expect_equal(call_option_argument(full, MACH_SEND_TIMEOUT), MACH_SEND_TIMED_OUT);
	drop_to(full, 1);
	memory_end(memory, BIG);
	port_end(right);
	port_end(full);
}

static mach_port_t
dead_name_new(void)
{
	mach_port_t port = port_new();

	receive_right_end(port);
	expect_equal(right_type(port), MACH_PORT_TYPE_DEAD_NAME);
	return port;
}

typedef kern_return_t consuming(mach_port_t server, mach_port_t made, mach_port_t moved,
				blob_t memory, mach_msg_type_number_t memoryCnt);

static void
consume_at_full(consuming *call)
{
	mach_port_t full = full_port_new();
	mach_port_t made = port_new();
	mach_port_t moved = port_new();
	blob_t memory = memory_new(BIG);
	uint64_t mapped = memory_mapped();

	for (int i = 0; i < 50; i++) {
		expect_equal(mach_port_mod_refs(mach_task_self(), moved, MACH_PORT_RIGHT_SEND, 1),
			     0);
		expect_equal(call(full, made, moved, memory, BIG), MACH_SEND_TIMED_OUT);
		expect_equal(right_urefs(full, MACH_PORT_RIGHT_SEND), 1);
		expect_equal(right_urefs(made, MACH_PORT_RIGHT_SEND), 1);
		expect_equal(right_urefs(moved, MACH_PORT_RIGHT_SEND), 1);
	}
	expect(memory_mapped() < mapped + 25 * BIG);
	memory_end(memory, BIG);
	port_end(full);
	port_end(made);
	port_end(moved);
}

static void
consumes(mach_port_t server)
{
	(void)server;
	consume_at_full(call_send_consume_timeout);
	consume_at_full(call_send_consume_any);

	/* a destination that is not there: only Any gives the rights up */
	mach_port_t dead = dead_name_new();
	mach_port_t made = port_new();
	mach_port_t moved = port_new();
	expect_equal(mach_port_mod_refs(mach_task_self(), moved, MACH_PORT_RIGHT_SEND, 1), 0);
	expect_equal(call_send_consume_none(dead, moved), MACH_SEND_INVALID_DEST);
	expect_equal(call_send_consume_timeout(dead, made, moved, NULL, 0), MACH_SEND_INVALID_DEST);
	expect_equal(right_urefs(moved, MACH_PORT_RIGHT_SEND), 2);
	expect_equal(call_send_consume_any(dead, made, moved, NULL, 0), MACH_SEND_INVALID_DEST);
	expect_equal(right_urefs(moved, MACH_PORT_RIGHT_SEND), 1);
	expect_equal(right_urefs(made, MACH_PORT_RIGHT_SEND), 1);
	expect_equal(mach_port_deallocate(mach_task_self(), dead), 0);
	port_end(made);
	port_end(moved);
}

static void
reply_ports(mach_port_t server)
{
	mach_port_t mine = receive_right_new();
	int b = 0;

	expect_equal(call_special(server, 10, &b), KERN_SUCCESS);
	expect_equal(b, 11);
	expect_equal(call_special(server, -5, &b), KERN_FAILURE);
	mig_dealloc_special_reply_port(mig_get_special_reply_port());
	expect_equal(call_reply_here(server, mine, 20, &b), KERN_SUCCESS);
	expect_equal(b, 22);
	expect_equal(call_reply_user(server, mine, &b), KERN_SUCCESS);
	expect_equal(b, 3);
	/* it is the caller's, and lives on after a failure */
	expect_equal(call_reply_here(MACH_PORT_NULL, mine, 20, &b), MACH_SEND_INVALID_DEST);
	expect_equal(right_type(mine), MACH_PORT_TYPE_RECEIVE);
	receive_right_end(mine);
	expect_equal(call_reply_server(server, 0), KERN_SUCCESS);
	expect_equal(call_reply_server(server, 44), 44);
}

static void
large(mach_port_t server)
{
	static table_t a, b;
	static const mach_msg_type_number_t counts[] = { 0, 1, 7, 1999, 2000 };

	values_fill(a, sizeof(a), 1);
	for (size_t i = 0; i < 5; i++) {
		mach_msg_type_number_t count = 2000;
		kern_return_t code = call_large(server, a, counts[i], b, &count);
		expect_equal(code, counts[i] == 7 ? KERN_FAILURE : KERN_SUCCESS);
		if (code == KERN_SUCCESS) {
			expect_equal(count, counts[i]);
			expect(values_match(b, count * sizeof(*b), 2));
		}
	}
	expect_equal(allocated, 5);
	expect_equal(in_use, 0);
	mach_msg_type_number_t count = 2000;
	expect_equal(call_large(server, a, 2001, b, &count), MIG_ARRAY_TOO_LARGE);
	expect_equal(call_large(MACH_PORT_NULL, a, 5, b, &count), MACH_SEND_INVALID_DEST);
	expect_equal(in_use, 0);
	int before = allocated, small = 0;
	expect_equal(call_small(server, 6, &small), KERN_SUCCESS);
	expect_equal(small, 6);
	expect_equal(allocated, before);
}

static void
identities(mach_port_t server)
{
	static table_t name;
	security_token_t sender;
	audit_token_t audit;
	uint32_t uid, pid, first, second;
	uint64_t context;
	int server_pid, b;
	mach_port_t right = 1;
	mach_msg_type_number_t count = 2000;

	expect_equal(call_request_port_elsewhere(5, server, &b), KERN_SUCCESS);
	expect_equal(b, 9);
	expect_equal(call_sequence(server, &first), KERN_SUCCESS);
	expect_equal(call_sequence(server, &second), KERN_SUCCESS);
	expect_equal(second, first + 1);
	expect_equal(call_tell_who(server), MACH_MSG_SUCCESS);
	expect_equal(call_who_told(server, &pid), KERN_SUCCESS);
	expect_equal(pid, getpid());

	expect_equal(call_who_is_server(server, &sender, &audit, &server_pid), KERN_SUCCESS);
	expect_equal(audit.val[5], server_pid);
	expect(server_pid != getpid());
	expect_equal(sender.val[0], geteuid());
	expect_equal(sender.val[1], getegid());

	values_fill(name, sizeof(name), 5);
	for (mach_msg_type_number_t i = 0; i < 4; i++) {
		expect_equal(call_who_is_user(server, name, i * 500, &uid, &pid, &context),
			     KERN_SUCCESS);
		expect_equal(uid, geteuid());
		expect_equal(pid, getpid());
		expect_equal(context, 0x123456789abcull);
	}
	memset(&audit, 0, sizeof(audit));
	expect_equal(
	    call_who_is_each(server, &sender, &audit, &right, name, &count, &pid, &server_pid),
	    KERN_SUCCESS);
	expect_equal(audit.val[5], server_pid);
	expect_equal(sender.val[0], geteuid());
	expect_equal(pid, getpid());
	expect_equal(right, MACH_PORT_NULL);
	expect_equal(count, 3);
	expect(values_match(name, 12, 6));
}

void
client(mach_port_t server)
{
	static void (*const all[])(mach_port_t server) = { waits,       sends_to_full, consumes,
							   reply_ports, large,         identities };

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		mig_get_reply_port();
		struct holdings before = holdings_now();
		all[i](server);
		mig_get_reply_port();
		holdings_expect_equal(holdings_now(), before);
	}
}
