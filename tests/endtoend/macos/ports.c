/* Names, rights and their counts: what a first look at Mach ports tries. */
#include "check.h"

#include <string.h>

static void
kinds_of_rights(void)
{
	mach_port_t task = mach_task_self();
	mach_port_t port, set, dead, none;
	mach_port_type_t type;

	CHECK(mach_port_allocate(task, MACH_PORT_RIGHT_RECEIVE, &port));
	CHECK(mach_port_type(task, port, &type));
	REQUIRE(type == MACH_PORT_TYPE_RECEIVE);
	CHECK(mach_port_allocate(task, MACH_PORT_RIGHT_PORT_SET, &set));
	CHECK(mach_port_type(task, set, &type));
	REQUIRE(type == MACH_PORT_TYPE_PORT_SET);
	CHECK(mach_port_allocate(task, MACH_PORT_RIGHT_DEAD_NAME, &dead));
	CHECK(mach_port_type(task, dead, &type));
	REQUIRE(type == MACH_PORT_TYPE_DEAD_NAME);

	/* what cannot be made from nothing */
	EXPECT(KERN_INVALID_VALUE, mach_port_allocate(task, MACH_PORT_RIGHT_SEND, &none));
	EXPECT(KERN_INVALID_VALUE, mach_port_allocate(task, MACH_PORT_RIGHT_SEND_ONCE, &none));
	EXPECT(KERN_INVALID_VALUE, mach_port_allocate(task, MACH_PORT_RIGHT_LABELH, &none));
	EXPECT(KERN_INVALID_VALUE, mach_port_allocate(task, MACH_PORT_RIGHT_NUMBER, &none));
	EXPECT(KERN_INVALID_NAME, mach_port_type(task, 0xdead00, &type));

	/* all of them are in the list */
	mach_port_name_array_t names;
	mach_port_type_array_t types;
	mach_msg_type_number_t name_count, type_count;
	int found = 0;
	CHECK(mach_port_names(task, &names, &name_count, &types, &type_count));
	REQUIRE(name_count == type_count);
	for (mach_msg_type_number_t i = 0; i < name_count; i++)
		found += (names[i] == port && types[i] == MACH_PORT_TYPE_RECEIVE) ||
			 (names[i] == set && types[i] == MACH_PORT_TYPE_PORT_SET) ||
			 (names[i] == dead && types[i] == MACH_PORT_TYPE_DEAD_NAME);
	REQUIRE(found == 3);
	CHECK(vm_deallocate(task, (vm_address_t)names, name_count * sizeof(*names)));
	CHECK(vm_deallocate(task, (vm_address_t)types, type_count * sizeof(*types)));

	CHECK(mach_port_mod_refs(task, port, MACH_PORT_RIGHT_RECEIVE, -1));
	CHECK(mach_port_mod_refs(task, set, MACH_PORT_RIGHT_PORT_SET, -1));
	CHECK(mach_port_deallocate(task, dead));
}

static void
names_of_ones_own_choice(void)
{
	mach_port_t task = mach_task_self();
	mach_port_qos_t qos;
	mach_port_name_t name = 0x20003;

	CHECK(mach_port_allocate_name(task, MACH_PORT_RIGHT_RECEIVE, name));
	EXPECT(KERN_NAME_EXISTS, mach_port_allocate_name(task, MACH_PORT_RIGHT_RECEIVE, name));
	CHECK(mach_port_destroy(task, name));

	memset(&qos, 0, sizeof(qos));
	CHECK(mach_port_allocate_full(task, MACH_PORT_RIGHT_RECEIVE, MACH_PORT_NULL, &qos, &name));
	CHECK(mach_port_destroy(task, name));
}

static void
user_references(void)
{
	mach_port_t task = mach_task_self();
	mach_port_t port;
	mach_port_urefs_t refs;

	CHECK(mach_port_allocate(task, MACH_PORT_RIGHT_RECEIVE, &port));
	CHECK(mach_port_insert_right(task, port, port, MACH_MSG_TYPE_MAKE_SEND));
	CHECK(mach_port_insert_right(task, port, port, MACH_MSG_TYPE_MAKE_SEND));
	CHECK(mach_port_get_refs(task, port, MACH_PORT_RIGHT_SEND, &refs));
	REQUIRE(refs == 2);
	CHECK(mach_port_mod_refs(task, port, MACH_PORT_RIGHT_SEND, 3));
	CHECK(mach_port_get_refs(task, port, MACH_PORT_RIGHT_SEND, &refs));
	REQUIRE(refs == 5);
	CHECK(mach_port_mod_refs(task, port, MACH_PORT_RIGHT_SEND, -5));
	EXPECT(KERN_INVALID_RIGHT, mach_port_deallocate(task, port));
	CHECK(mach_port_destroy(task, port));
	EXPECT(KERN_INVALID_NAME, mach_port_destroy(task, port));
}

static void
sets(void)
{
	mach_port_t task = mach_task_self();
	mach_port_t set, ports[3];
	struct {
		mach_msg_header_t header;
		mach_msg_trailer_t trailer;
	} message;
	int seen = 0;

	CHECK(mach_port_allocate(task, MACH_PORT_RIGHT_PORT_SET, &set));
	for (int i = 0; i < 3; i++) {
		CHECK(mach_port_allocate(task, MACH_PORT_RIGHT_RECEIVE, &ports[i]));
		CHECK(mach_port_move_member(task, ports[i], set));
		memset(&message, 0, sizeof(message));
		message.header.msgh_bits = MACH_MSGH_BITS_REMOTE(MACH_MSG_TYPE_MAKE_SEND);
		message.header.msgh_remote_port = ports[i];
		message.header.msgh_size = sizeof(message.header);
		message.header.msgh_id = i;
		CHECK(mach_msg_send(&message.header));
	}
	for (int i = 0; i < 3; i++) {
		CHECK(mach_msg(&message.header, MACH_RCV_MSG, 0, sizeof(message), set,
			       MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
		REQUIRE(message.header.msgh_local_port == ports[message.header.msgh_id]);
		seen |= 1 << message.header.msgh_id;
	}
	REQUIRE(seen == 7);
	EXPECT(MACH_RCV_TIMED_OUT, mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
					    sizeof(message), set, 1, MACH_PORT_NULL));
	CHECK(mach_port_move_member(task, ports[0], MACH_PORT_NULL));
	EXPECT(KERN_NOT_IN_SET, mach_port_move_member(task, ports[0], MACH_PORT_NULL));
	for (int i = 0; i < 3; i++)
		CHECK(mach_port_destroy(task, ports[i]));
	CHECK(mach_port_destroy(task, set));
}

int
main(void)
{
	kinds_of_rights();
	names_of_ones_own_choice();
	user_references();
	sets();
	puts("ports: done");
	return 0;
}
