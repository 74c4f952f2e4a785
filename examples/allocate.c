/*
 * A port is made, looked at, and let go.
 *
 * A task knows a port by a *name*, a number that means something in this task alone: it
 * is the index of an entry in the task's table of rights, and a generation, so that an
 * old name of a reused entry is not mistaken for the new one.  Beside each name the table
 * has the rights held under it and how often the task refers to them.
 */
#include <mach/mach.h>
#include <mach_debug/mach_debug.h>

#include "must.h"

static const char *
type_text(mach_port_type_t type)
{
	switch (type & MACH_PORT_TYPE_ALL_RIGHTS) {
	case MACH_PORT_TYPE_RECEIVE:
		return "receive";
	case MACH_PORT_TYPE_SEND:
		return "send";
	case MACH_PORT_TYPE_SEND_RECEIVE:
		return "send and receive";
	case MACH_PORT_TYPE_SEND_ONCE:
		return "send once";
	case MACH_PORT_TYPE_PORT_SET:
		return "port set";
	case MACH_PORT_TYPE_DEAD_NAME:
		return "dead name";
	default:
		return "nothing";
	}
}

/* The name, as the task sees it. */
static void
show_right(mach_port_t p, const char *when)
{
	mach_port_type_t type;
	mach_port_urefs_t send_refs, dead_refs;

	must(mach_port_type(mach_task_self(), p, &type));
	must(mach_port_get_refs(mach_task_self(), p, MACH_PORT_RIGHT_SEND, &send_refs));
	must(mach_port_get_refs(mach_task_self(), p, MACH_PORT_RIGHT_DEAD_NAME, &dead_refs));
	printf("%s\n", when);
	printf("  right       %s\n", type_text(type));
	printf("  user refs   %u\n", send_refs + dead_refs);
}

/* The port behind it, as its receiver sees it. */
static void
show_port(mach_port_t p)
{
	mach_port_status_t status;
	mach_msg_type_number_t count = MACH_PORT_RECEIVE_STATUS_COUNT;

	must(mach_port_get_attributes(mach_task_self(), p, MACH_PORT_RECEIVE_STATUS,
				      (mach_port_info_t)&status, &count));
	printf("  queue       %u of %u messages\n", status.mps_msgcount, status.mps_qlimit);
	printf("  make-sends  %u, send rights exist: %s\n", status.mps_mscount,
	       status.mps_srights ? "yes" : "no");
}

/* The entry, out of the whole table. */
static void
show_entry(mach_port_t p)
{
	ipc_info_space_t space;
	ipc_info_name_array_t names;
	ipc_info_tree_name_array_t tree;
	mach_msg_type_number_t name_count, tree_count;

	must(mach_port_space_info(mach_task_self(), &space, &names, &name_count, &tree,
				  &tree_count));
	for (mach_msg_type_number_t i = 0; i < name_count; i++)
		if (names[i].iin_name == p)
			printf("  entry       one of %u in a table of %u: type 0x%x, urefs %u\n",
			       name_count, space.iis_table_size, names[i].iin_type,
			       names[i].iin_urefs);
	must(vm_deallocate(mach_task_self(), (vm_address_t)names, name_count * sizeof(*names)));
}

int
main(void)
{
	mach_port_t p;

	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &p));
	printf("name 0x%x: index %u, generation %u\n", p, MACH_PORT_INDEX(p),
	       MACH_PORT_GEN(p) >> 24);
	show_right(p, "allocated");
	show_port(p);
	show_entry(p);

	must(mach_port_insert_right(mach_task_self(), p, p, MACH_MSG_TYPE_MAKE_SEND));
	show_right(p, "with a send right made from the receive right");
	show_port(p);
	show_entry(p);

	/* Who receives decides over the port's life: without a receiver it is dead. */
	must(mach_port_mod_refs(mach_task_self(), p, MACH_PORT_RIGHT_RECEIVE, -1));
	show_right(p, "with the receive right given up");
	show_entry(p);

	must(mach_port_deallocate(mach_task_self(), p));
	mach_port_type_t type;
	kern_return_t kr = mach_port_type(mach_task_self(), p, &type);
	printf("let go: mach_port_type says \"%s\"\n", mach_error_string(kr));
	return kr == KERN_INVALID_NAME ? 0 : 1;
}
