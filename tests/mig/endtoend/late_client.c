/*
 * Knows nothing of who answers, and when.
 */
#include "mig_client.h"

#include "late.h"

#include <mach/mig_errors.h>

static void
simple(mach_port_t server)
{
	int a = 0;
	int32_t b[8];
	name_t c;
	mach_msg_type_number_t count = 8;

	expect_equal(late_simple(server, 0, &a, b, &count, c), KERN_SUCCESS);
	expect_equal(a, 17);
	expect_equal(count, 5);
	expect(values_match(b, count * sizeof(*b), 3));
	expect(strcmp(c, "later") == 0);
	expect_equal(late_simple(server, 9, &a, b, &count, c), 9);
	expect_equal(late_bare(server, 0), KERN_SUCCESS);
	expect_equal(late_bare(server, 12), 12);
	expect_equal(late_at_once(server), KERN_SUCCESS);
}

static void
complex(mach_port_t server)
{
	mach_port_t port = MACH_PORT_NULL;
	memory_t memory = NULL;
	mach_msg_type_number_t count = 0;
	int c = 0;

	expect_equal(late_complex(server, 0, &port, &memory, &count, &c), KERN_SUCCESS);
	/* the server ends the port as soon as it has answered, perhaps before we look */
	expect(port != MACH_PORT_NULL);
	if (MACH_PORT_VALID(port))
		expect_equal(mach_port_deallocate(mach_task_self(), port), 0);
	expect_equal(count, 5000);
	expect(values_match(memory, count, 4));
	memory_end(memory, count);
	expect_equal(c, 19);

	port = 1;
	expect_equal(late_complex(server, 21, &port, &memory, &count, &c), 21);
	expect_equal(port, 1);
}

static void
passed_on(mach_port_t server)
{
	mach_port_t port = port_new();
	audit_token_t audit = { { 0 } };
	int c = 0;

	expect_equal(late_ask(server, 500, port, &audit, &c), KERN_SUCCESS);
	expect_equal(c, 2500);
	expect_equal(number_receive(port), 2500);
	expect(audit.val[5] != 0);
	port_end(port);
}

void
client(mach_port_t server)
{
	simple(server);
	complex(server);
	passed_on(server);
	repeat_and_count(server, 50, 4096, complex);
	repeat_and_count(server, 50, 4096, passed_on);
}
