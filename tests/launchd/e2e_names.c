/* Publishing and finding names: what each call gives, and who may do what. */
#include "e2e.h"

#include <unistd.h>

#include <servers/bootstrap_priv.h>

static mach_port_t bp;

static kern_return_t
check_in(const char *name, mach_port_t *port)
{
	*port = MACH_PORT_NULL;
	return bootstrap_check_in(bp, name, port);
}

static kern_return_t
look_up(const char *name, mach_port_t *port)
{
	*port = MACH_PORT_NULL;
	return bootstrap_look_up(bp, name, port);
}

static kern_return_t
publish(const char *name, mach_port_t port)
{
	name_t copy = "";

	memcpy(copy, name, strlen(name) < 127 ? strlen(name) : 127);
	return bootstrap_register(bp, copy, port);
}

static void
unknown_names_are_unknown_at_once(void)
{
	mach_port_t port;

	CHECK_KR(look_up("nobody", &port), BOOTSTRAP_UNKNOWN_SERVICE);
	CHECK(port == MACH_PORT_NULL);
	CHECK_KR(look_up("", &port), BOOTSTRAP_UNKNOWN_SERVICE);
	CHECK_KR(check_in("", &port), BOOTSTRAP_UNKNOWN_SERVICE);
	CHECK_KR(bootstrap_check_in2(bp, "nobody", &port, BOOTSTRAP_STRICT_CHECKIN),
		 BOOTSTRAP_UNKNOWN_SERVICE);
}

static void
a_checked_in_name_carries_messages(void)
{
	mach_port_t server, client;

	CHECK_KR(check_in("a", &server), 0);
	CHECK(e2e_type(server) == MACH_PORT_TYPE_RECEIVE);
	CHECK_KR(look_up("a", &client), 0);
	CHECK(client == server && e2e_send_refs(client) == 1);
	CHECK_KR(look_up("a", &client), 0);
	CHECK(e2e_send_refs(client) == 2);
	CHECK_KR(e2e_send(client, 7, -1), 0);
	CHECK(e2e_receive(server, 5000) == 7);
	CHECK_KR(check_in("a", &client), BOOTSTRAP_SERVICE_ACTIVE);

	/* the name goes with its port, and may be taken again */
	e2e_drop_receive(server);
	CHECK_KR(look_up("a", &client), BOOTSTRAP_UNKNOWN_SERVICE);
	CHECK_KR(check_in("a", &server), 0);
	e2e_drop_receive(server);
}

static void
names_are_compared_to_127_bytes(void)
{
	char name[200];
	mach_port_t server, client;

	memset(name, 'n', sizeof(name));
	name[127] = '\0';
	CHECK_KR(check_in(name, &server), 0);
	name[127] = 'x';
	name[128] = '\0';
	CHECK_KR(look_up(name, &client), 0);
	CHECK(client == server);
	name[126] = '\0';
	CHECK_KR(look_up(name, &client), BOOTSTRAP_UNKNOWN_SERVICE);
	e2e_drop_receive(server);
}

static void
any_bytes_make_a_name(void)
{
	static const char *const names[] = { "a/b", "/", "Bücher.søk", "\xff\x01", " ", "A", "a" };
	enum { COUNT = sizeof(names) / sizeof(names[0]) };
	mach_port_t servers[COUNT], client;

	for (unsigned i = 0; i < COUNT; i++)
		CHECK_KR(check_in(names[i], &servers[i]), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		CHECK_KR(look_up(names[i], &client), 0);
		CHECK(client == servers[i]);
		e2e_drop_receive(client);
	}
}

static void
register_publishes_a_copy_of_a_right(void)
{
	mach_port_t mine = e2e_port(), found, other = e2e_port();

	CHECK_KR(publish("r", mine), 0);
	CHECK(e2e_send_refs(mine) == 1);
	CHECK_KR(look_up("r", &found), 0);
	CHECK(found == mine && e2e_send_refs(mine) == 2);
	CHECK_KR(publish("r", other), BOOTSTRAP_SERVICE_ACTIVE);
	CHECK_KR(check_in("r", &found), BOOTSTRAP_SERVICE_ACTIVE);

	CHECK_KR(publish("r", MACH_PORT_NULL), 0);
	CHECK_KR(look_up("r", &found), BOOTSTRAP_UNKNOWN_SERVICE);
	CHECK_KR(publish("r", MACH_PORT_NULL), 0);
	CHECK_KR(publish("", mine), BOOTSTRAP_UNKNOWN_SERVICE);

	/* over one's own dead one */
	CHECK_KR(publish("r", mine), 0);
	e2e_drop_receive(mine);
	CHECK_KR(publish("r", other), 0);
	CHECK_KR(look_up("r", &found), 0);
	CHECK(found == other);
	CHECK_KR(publish("dead", mine), BOOTSTRAP_NO_MEMORY);
	e2e_drop_receive(other);
}

static void
one_port_may_have_many_names(void)
{
	mach_port_t port = e2e_port(), found;

	CHECK_KR(publish("m1", port), 0);
	CHECK_KR(publish("m2", port), 0);
	CHECK_KR(publish("m1", MACH_PORT_NULL), 0);
	CHECK_KR(look_up("m2", &found), 0);
	CHECK_KR(publish("m3", port), 0);
	e2e_drop_receive(port);
	CHECK_KR(look_up("m2", &found), BOOTSTRAP_UNKNOWN_SERVICE);
	CHECK_KR(look_up("m3", &found), BOOTSTRAP_UNKNOWN_SERVICE);
}

static void
the_name_servers_own_port_may_be_published(void)
{
	mach_port_t found, alias;

	CHECK_KR(publish("self", bp), 0);
	CHECK_KR(look_up("self", &found), 0);
	CHECK(found == bp);
	CHECK_KR(bootstrap_look_up(found, "self", &alias), 0);
	CHECK_KR(publish("self", MACH_PORT_NULL), 0);
	CHECK_KR(look_up("self", &found), BOOTSTRAP_UNKNOWN_SERVICE);
}

static int
as_another_process(void *context)
{
	mach_port_t port = e2e_port(), found;

	bp = bootstrap_port;
	CHECK_KR(check_in("theirs", &found), BOOTSTRAP_NOT_PRIVILEGED);
	CHECK_KR(publish("theirs", port), BOOTSTRAP_NOT_PRIVILEGED);
	CHECK_KR(publish("theirs", MACH_PORT_NULL), BOOTSTRAP_NOT_PRIVILEGED);
	CHECK_KR(bootstrap_create_service(bp, (char[128]){ "theirs" }, &found),
		 BOOTSTRAP_NOT_PRIVILEGED);
	CHECK_KR(look_up("theirs", &found), 0);
	CHECK_KR(e2e_send(found, 3, -1), 0);
	CHECK_KR(check_in("childs", &found), 0);
	return 0;
}

static int
as_another_user(void *context)
{
	return setuid(65534) == 0 ? as_another_process(context) : 1;
}

static void
another_process_may_look_but_not_touch(void)
{
	mach_port_t server, found;

	CHECK_KR(check_in("theirs", &server), 0);
	CHECK(e2e_in_child(as_another_process, NULL) == 0);
	CHECK(e2e_receive(server, 5000) == 3);
	if (geteuid() == 0) {
		CHECK(e2e_in_child(as_another_user, NULL) == 0);
		CHECK(e2e_receive(server, 5000) == 3);
	}
	/* what a process published goes with it */
	CHECK_KR(look_up("childs", &found), BOOTSTRAP_UNKNOWN_SERVICE);
	e2e_drop_receive(server);
}

static void
a_created_service_waits_with_the_name_server(void)
{
	mach_port_t client, server, again;
	bootstrap_status_t status;
	name_t name = "held";

	CHECK_KR(bootstrap_status(bp, name, &status), BOOTSTRAP_UNKNOWN_SERVICE);
	CHECK_KR(bootstrap_create_service(bp, name, &client), 0);
	CHECK(e2e_type(client) == MACH_PORT_TYPE_SEND);
	CHECK_KR(bootstrap_status(bp, name, &status), 0);
	CHECK(status == BOOTSTRAP_STATUS_ON_DEMAND);
	CHECK_KR(publish(name, client), BOOTSTRAP_NOT_PRIVILEGED);
	CHECK_KR(e2e_send(client, 11, -1), 0);

	CHECK_KR(check_in(name, &server), 0);
	CHECK(server == client);
	CHECK_KR(bootstrap_create_service(bp, name, &again), BOOTSTRAP_SERVICE_ACTIVE);
	CHECK_KR(bootstrap_status(bp, name, &status), 0);
	CHECK(status == BOOTSTRAP_STATUS_ACTIVE);
	CHECK(e2e_receive(server, 5000) == 11);

	/* given back with its queue, and taken again */
	CHECK_KR(e2e_send(client, 12, -1), 0);
	e2e_drop_receive(server);
	CHECK(e2e_type(client) & MACH_PORT_TYPE_SEND);
	CHECK_KR(check_in(name, &server), 0);
	CHECK(server == client && e2e_receive(server, 5000) == 12);
	e2e_drop_receive(server);

	CHECK_KR(publish(name, MACH_PORT_NULL), 0);
	CHECK_KR(look_up(name, &again), BOOTSTRAP_UNKNOWN_SERVICE);
	e2e_await_death(client);
}

static void
services_for_each_process_are_told_apart(void)
{
	mach_port_t mine, all, found;

	CHECK_KR(bootstrap_check_in2(bp, "pp", &mine, BOOTSTRAP_PER_PID_SERVICE), 0);
	CHECK_KR(look_up("pp", &found), BOOTSTRAP_UNKNOWN_SERVICE);
	CHECK_KR(check_in("pp", &all), 0);
	CHECK_KR(bootstrap_look_up2(bp, "pp", &found, getpid(), BOOTSTRAP_PER_PID_SERVICE), 0);
	CHECK(found == mine);
	CHECK_KR(bootstrap_look_up2(bp, "pp", &found, getppid(), BOOTSTRAP_PER_PID_SERVICE),
		 BOOTSTRAP_UNKNOWN_SERVICE);
	e2e_drop_receive(mine);
	e2e_drop_receive(all);
}

static void
contexts_and_their_ports(void)
{
	mach_port_t port;

	CHECK_KR(bootstrap_parent(bp, &port), 0); /* the root's is itself */
	CHECK(port == bp);
	CHECK_KR(bootstrap_get_root(bp, &port), 0);
	CHECK(port == bp);
	mach_port_urefs_t refs = e2e_send_refs(bp);
	CHECK_KR(bootstrap_unprivileged(bp, &port), 0);
	CHECK(port == bp && e2e_send_refs(bp) == refs + 1);
}

static void
a_bad_bootstrap_port_is_an_invalid_destination(void)
{
	mach_port_t port;

	CHECK_KR(bootstrap_look_up(MACH_PORT_NULL, "a", &port), MACH_SEND_INVALID_DEST);
	CHECK_KR(bootstrap_check_in(0x12345f, "a", &port), MACH_SEND_INVALID_DEST);
	CHECK_KR(bootstrap_look_up(bp, "a", &port), BOOTSTRAP_UNKNOWN_SERVICE);
}

static void
codes_have_words(void)
{
	CHECK(strcmp(bootstrap_strerror(BOOTSTRAP_UNKNOWN_SERVICE), "Unknown service name") == 0);
	CHECK(strcmp(bootstrap_strerror(BOOTSTRAP_NOT_PRIVILEGED), "Permission denied") == 0);
	CHECK(bootstrap_strerror(MACH_SEND_INVALID_DEST) != NULL);
}

int
main(void)
{
	bp = bootstrap_port;
	RUN(unknown_names_are_unknown_at_once);
	RUN(a_checked_in_name_carries_messages);
	RUN(names_are_compared_to_127_bytes);
	RUN(any_bytes_make_a_name);
	RUN(register_publishes_a_copy_of_a_right);
	RUN(one_port_may_have_many_names);
	RUN(the_name_servers_own_port_may_be_published);
	RUN(another_process_may_look_but_not_touch);
	RUN(a_created_service_waits_with_the_name_server);
	RUN(services_for_each_process_are_told_apart);
	RUN(contexts_and_their_ports);
	RUN(a_bad_bootstrap_port_is_an_invalid_destination);
	RUN(codes_have_words);
	return 0;
}
