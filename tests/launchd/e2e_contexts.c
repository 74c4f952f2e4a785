/* Subsets, what is seen of them, jobs made from command lines. */
#include "e2e.h"

#include <unistd.h>

#include <servers/bootstrap_priv.h>

#define DEPTH_MAX 100u

static mach_port_t bp;

static mach_port_t
subset(mach_port_t parent, mach_port_t requestor)
{
	mach_port_t port = MACH_PORT_NULL;

	CHECK_KR(bootstrap_subset(parent, requestor, &port), 0);
	CHECK(e2e_type(port) == MACH_PORT_TYPE_SEND);
	return port;
}

static kern_return_t
look_up(mach_port_t context, const char *name, mach_port_t *port)
{
	*port = MACH_PORT_NULL;
	return bootstrap_look_up(context, name, port);
}

static void
forget(mach_port_t port)
{
	CHECK_KR(mach_port_deallocate(mach_task_self(), port), 0);
}

/* ---- subsets --------------------------------------------------------------------------- */

static void
a_subset_sees_what_is_above_and_keeps_its_own(void)
{
	mach_port_t requestor = e2e_port(), above, below, hiding, found;
	mach_port_t sub = subset(bp, requestor);

	CHECK_KR(bootstrap_check_in(bp, "above", &above), 0);
	CHECK_KR(look_up(sub, "above", &found), 0);
	CHECK(found == above);
	CHECK_KR(bootstrap_look_up2(sub, "above", &found, 0, BOOTSTRAP_FORCE_LOCAL),
		 BOOTSTRAP_UNKNOWN_SERVICE);
	CHECK_KR(bootstrap_look_up2(sub, "above", &found, 0, BOOTSTRAP_STRICT_LOOKUP),
		 BOOTSTRAP_UNKNOWN_SERVICE);

	CHECK_KR(bootstrap_check_in(sub, "below", &below), 0);
	CHECK_KR(look_up(sub, "below", &found), 0);
	CHECK(found == below);
	CHECK_KR(look_up(bp, "below", &found), BOOTSTRAP_UNKNOWN_SERVICE);

	/* a name of one's own hides the one above, and only here */
	CHECK_KR(bootstrap_check_in2(sub, "above", &found, BOOTSTRAP_STRICT_CHECKIN),
		 BOOTSTRAP_UNKNOWN_SERVICE);
	CHECK_KR(bootstrap_check_in(sub, "above", &hiding), 0);
	CHECK_KR(look_up(sub, "above", &found), 0);
	CHECK(found == hiding);
	CHECK_KR(look_up(bp, "above", &found), 0);
	CHECK(found == above);
	e2e_drop_receive(hiding);
	CHECK_KR(look_up(sub, "above", &found), 0);
	CHECK(found == above);

	CHECK_KR(bootstrap_parent(sub, &found), 0);
	CHECK(found == bp);
	CHECK_KR(bootstrap_get_root(sub, &found), 0);
	CHECK(found == bp);
	e2e_drop_receive(requestor);
	e2e_await_death(sub);
	e2e_drop_receive(above);
	e2e_drop_receive(below);
}

static void
a_subset_needs_a_live_requestor(void)
{
	mach_port_t dead = e2e_port(), sub;

	CHECK_KR(bootstrap_subset(bp, MACH_PORT_NULL, &sub), BOOTSTRAP_NOT_PRIVILEGED);
	e2e_drop_receive(dead);
	CHECK_KR(bootstrap_subset(bp, dead, &sub), BOOTSTRAP_NOT_PRIVILEGED);
}

/* The requestor's end takes away the subset, what is below, and all their names. */
static void
a_subset_ends_with_its_requestor_and_takes_those_below(void)
{
	unsigned before = e2e_name_count();
	mach_port_t requestor = e2e_port(), other = e2e_port(), mine = e2e_port();
	mach_port_t sub = subset(bp, requestor);
	mach_port_t below = subset(sub, other);
	mach_port_t bottom = subset(below, other);
	mach_port_t server, found;

	CHECK_KR(bootstrap_register(sub, (name_t){ "x" }, mine), 0);
	CHECK_KR(bootstrap_register(below, (name_t){ "y" }, mine), 0);
	CHECK_KR(bootstrap_check_in(bottom, "z", &server), 0);
	CHECK_KR(look_up(bottom, "x", &found), 0);
	CHECK(found == mine);
	forget(found);

	e2e_drop_receive(requestor);
	e2e_await_death(sub);
	e2e_await_death(below);
	e2e_await_death(bottom);
	CHECK_KR(look_up(bottom, "x", &found), MACH_SEND_INVALID_DEST);

	/* what was published there is its owner's as before */
	CHECK(e2e_type(mine) == MACH_PORT_TYPE_SEND_RECEIVE && e2e_send_refs(mine) == 1);
	CHECK(e2e_type(other) == MACH_PORT_TYPE_SEND_RECEIVE);
	CHECK(e2e_type(server) == MACH_PORT_TYPE_RECEIVE);
	const mach_port_t received[] = { mine, other, server };
	for (unsigned i = 0; i < 3; i++)
		e2e_drop_receive(received[i]);
	const mach_port_t named[] = { mine, other, requestor, sub, below, bottom };
	for (unsigned i = 0; i < 6; i++)
		forget(named[i]);
	CHECK(e2e_name_count() == before);
}

static void
subsets_are_nested_so_deep_and_no_deeper(void)
{
	mach_port_t requestor = e2e_port(), at = bp, next, first = MACH_PORT_NULL;
	unsigned depth = 0;
	kern_return_t kr;

	while ((kr = bootstrap_subset(at, requestor, &next)) == 0) {
		CHECK(++depth <= DEPTH_MAX);
		at = next;
		first = first ? first : next;
	}
	CHECK(kr == BOOTSTRAP_NO_MEMORY && depth == DEPTH_MAX);
	CHECK_KR(look_up(at, "nobody", &next), BOOTSTRAP_UNKNOWN_SERVICE);
	e2e_drop_receive(requestor);
	e2e_await_death(at);
	e2e_await_death(first);
}

static int
is_in(void *context)
{
	const char *name = context;
	mach_port_t port;

	if (bootstrap_look_up(bootstrap_port, name, &port) != 0)
		return 1;
	/* what it publishes stays in the subset */
	return bootstrap_check_in(bootstrap_port, "of-the-child", &port) != 0;
}

static void
children_inherit_the_subset(void)
{
	mach_port_t sub = subset(bp, mach_task_self()), server, found;

	CHECK_KR(bootstrap_check_in(sub, "in-subset", &server), 0);
	CHECK(e2e_in_child(is_in, (char[]){ "in-subset" }) == 1);
	CHECK_KR(task_set_bootstrap_port(mach_task_self(), sub), 0);
	CHECK(e2e_in_child(is_in, (char[]){ "in-subset" }) == 0);
	CHECK_KR(task_set_bootstrap_port(mach_task_self(), bp), 0);
	CHECK_KR(look_up(bp, "of-the-child", &found), BOOTSTRAP_UNKNOWN_SERVICE);
	e2e_drop_receive(server);
}

static int
make_subset(void *context)
{
	mach_port_t sub = subset(bootstrap_port, mach_task_self());

	CHECK_KR(bootstrap_register(bootstrap_port, (name_t){ "subset" }, sub), 0);
	e2e_note("made", "yes");
	e2e_await_notes("go", 1);
	return 0;
}

static void
a_subset_ends_with_the_process_that_asked_for_it(void)
{
	mach_port_t sub;
	pid_t pid = e2e_fork(make_subset, NULL);

	e2e_await_notes("made", 1);
	CHECK_KR(look_up(bp, "subset", &sub), 0);
	e2e_note("go", "now");
	CHECK(e2e_wait(pid) == 0);
	e2e_await_death(sub);
	CHECK_KR(look_up(bp, "subset", &sub), BOOTSTRAP_UNKNOWN_SERVICE);
	unlink(e2e_path("go"));
}

static void
the_children_of_a_context_are_listed(void)
{
	mach_port_t top = e2e_port(), requestor = e2e_port();
	mach_port_t sub = subset(bp, top);
	bootstrap_property_array_t properties;
	mach_port_array_t ports;
	mach_msg_type_number_t count = 0;
	name_array_t names;

	CHECK_KR(bootstrap_lookup_children(sub, &ports, &names, &properties, &count),
		 BOOTSTRAP_NO_CHILDREN);
	mach_port_t a = subset(sub, requestor), b = subset(sub, top);
	CHECK_KR(bootstrap_lookup_children(sub, &ports, &names, &properties, &count), 0);
	CHECK(count == 2);
	CHECK((ports[0] == a && ports[1] == b) || (ports[0] == b && ports[1] == a));
	CHECK(e2e_send_refs(a) == 2 && e2e_send_refs(b) == 2);
	CHECK(strncmp(names[0], "subset/", 7) == 0 && strcmp(names[0], names[1]) != 0);
	CHECK(properties[0] == BOOTSTRAP_PROPERTY_EXPLICITSUBSET);

	/* one that ends is not listed any more */
	e2e_drop_receive(requestor);
	e2e_await_death(a);
	CHECK_KR(bootstrap_lookup_children(sub, &ports, &names, &properties, &count), 0);
	CHECK(count == 1 && ports[0] == b);
	e2e_drop_receive(top);
	e2e_await_death(b);
}

/* ---- info ------------------------------------------------------------------------------ */

static bool
info_has(mach_port_t context, uint64_t flags, const char *name, bootstrap_status_t status)
{
	mach_msg_type_number_t count, job_count, status_count;
	bootstrap_status_array_t statuses;
	name_array_t names, jobs;
	bool found = false;

	CHECK_KR(bootstrap_info(context, &names, &count, &jobs, &job_count, &statuses,
				&status_count, flags),
		 0);
	CHECK(count == job_count && count == status_count);
	for (unsigned i = 0; i < count; i++)
		found |= strcmp(names[i], name) == 0 && statuses[i] == status &&
			 strncmp(jobs[i], "anonymous.", 10) == 0;
	vm_deallocate(mach_task_self(), (vm_address_t)names, count * sizeof(*names));
	vm_deallocate(mach_task_self(), (vm_address_t)jobs, count * sizeof(*jobs));
	vm_deallocate(mach_task_self(), (vm_address_t)statuses, count * sizeof(*statuses));
	return found;
}

static void
info_lists_what_a_look_up_finds(void)
{
	mach_port_t requestor = e2e_port(), server, client;
	mach_port_t sub = subset(bp, requestor);

	CHECK(!info_has(sub, BOOTSTRAP_FORCE_LOCAL, "listed", BOOTSTRAP_STATUS_ACTIVE));
	CHECK_KR(bootstrap_check_in(bp, "listed", &server), 0);
	CHECK_KR(bootstrap_create_service(sub, (name_t){ "held" }, &client), 0);
	CHECK(info_has(sub, 0, "listed", BOOTSTRAP_STATUS_ACTIVE));
	CHECK(!info_has(sub, BOOTSTRAP_FORCE_LOCAL, "listed", BOOTSTRAP_STATUS_ACTIVE));
	CHECK(info_has(sub, BOOTSTRAP_FORCE_LOCAL, "held", BOOTSTRAP_STATUS_INACTIVE));
	CHECK(!info_has(bp, 0, "held", BOOTSTRAP_STATUS_INACTIVE));
	e2e_drop_receive(server);
	e2e_drop_receive(requestor);
	e2e_await_death(client);
}

/* ---- create_server --------------------------------------------------------------------- */

/* The server that a command line names: `SELF "made server" FOLDER`. */
static int
made_server(const char *given_folder)
{
	mach_port_t port;

	CHECK(setenv("E2E_FOLDER", given_folder, 1) == 0);
	CHECK_KR(bootstrap_check_in(bootstrap_port, "made", &port), 0);
	e2e_note("served", "%d", e2e_receive(port, 30000));
	return 0;
}

static void
write_command(cmd_t command)
{
	CHECK(snprintf(command, sizeof(cmd_t), "%s \"made server\" %s", e2e_self(), e2e_folder()) <
	      (int)sizeof(cmd_t));
}

static void
a_server_made_on_demand_starts_with_a_message(void)
{
	mach_port_t server, client, found;
	cmd_t command;

	write_command(command);
	CHECK_KR(bootstrap_create_server(bp, command, getuid(), TRUE, &server), 0);
	CHECK_KR(bootstrap_create_service(server, (name_t){ "made" }, &client), 0);
	CHECK_KR(bootstrap_create_service(bp, (name_t){ "made" }, &found),
		 BOOTSTRAP_NOT_PRIVILEGED);
	CHECK_KR(look_up(bp, "made", &found), 0);
	CHECK(found == client);
	CHECK_KR(e2e_send(client, 1, -1), 0);
	e2e_await_notes("served", 1);
	/* its port is what makes a process the job: held here, so it is ours to withdraw */
	CHECK_KR(bootstrap_register(bp, (name_t){ "made" }, MACH_PORT_NULL),
		 BOOTSTRAP_NOT_PRIVILEGED);
	while (bootstrap_register(server, (name_t){ "made" }, MACH_PORT_NULL) ==
	       BOOTSTRAP_SERVICE_ACTIVE)
		e2e_sleep_ms(10); /* it is about to end */
	e2e_await_death(client);
	forget(server);
	unlink(e2e_path("served"));
}

static void
a_server_that_is_kept_alive_starts_at_once(void)
{
	mach_port_t server, found;
	char out[4096];
	cmd_t command;

	write_command(command);
	CHECK_KR(bootstrap_create_server(bp, command, getuid(), FALSE, &server), 0);
	while (look_up(bp, "made", &found) != 0)
		e2e_sleep_ms(10);
	CHECK_KR(e2e_send(found, 5, -1), 0);
	e2e_await_notes("served", 1);
	CHECK(e2e_launch(out, sizeof(out), "list", NULL) == 0);
	char *label = strstr(out, "mach_init.");
	CHECK(label != NULL);
	label[strcspn(label, "\n")] = '\0';
	CHECK(e2e_launch(NULL, 0, "remove", label, NULL) == 0);
	e2e_await_death(server);
	unlink(e2e_path("served"));
}

static void
bad_command_lines_are_refused(void)
{
	mach_port_t server;
	cmd_t command;

	CHECK_KR(bootstrap_create_server(bp, (cmd_t){ "" }, getuid(), TRUE, &server),
		 BOOTSTRAP_NO_MEMORY);
	CHECK_KR(bootstrap_create_server(bp, (cmd_t){ "a \"b" }, getuid(), TRUE, &server),
		 BOOTSTRAP_NO_MEMORY);
	for (unsigned i = 0; i < sizeof(command) - 1; i++)
		command[i] = i % 2 ? ' ' : 'w';
	command[sizeof(command) - 1] = '\0'; /* 256 words */
	CHECK_KR(bootstrap_create_server(bp, command, getuid(), TRUE, &server),
		 BOOTSTRAP_NO_MEMORY);
	if (geteuid() != 0)
		CHECK_KR(bootstrap_create_server(bp, (cmd_t){ "true" }, 0, TRUE, &server),
			 BOOTSTRAP_NOT_PRIVILEGED);
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "made server") == 0)
		return made_server(argv[2]);
	bp = bootstrap_port;
	e2e_folder(); /* before children would each make one */
	RUN(a_subset_sees_what_is_above_and_keeps_its_own);
	RUN(a_subset_needs_a_live_requestor);
	RUN(a_subset_ends_with_its_requestor_and_takes_those_below);
	RUN(subsets_are_nested_so_deep_and_no_deeper);
	RUN(children_inherit_the_subset);
	RUN(a_subset_ends_with_the_process_that_asked_for_it);
	RUN(the_children_of_a_context_are_listed);
	RUN(info_lists_what_a_look_up_finds);
	RUN(a_server_made_on_demand_starts_with_a_message);
	RUN(a_server_that_is_kept_alive_starts_at_once);
	RUN(bad_command_lines_are_refused);
	return 0;
}
