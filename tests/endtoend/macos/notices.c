/* No senders, dead names, lost send-once rights, destroyed ports, full queues. */
#include "check.h"

#include <mach/notify.h>
#include <string.h>

typedef union {
	mach_msg_header_t header;
	mach_dead_name_notification_t dead_name;
	mach_no_senders_notification_t no_senders;
	mach_port_destroyed_notification_t destroyed;
	char room[256];
} Notice;

static mach_port_t notify;

static void
receive(mach_port_t port, mach_msg_id_t id, Notice *notice)
{
	CHECK(mach_msg(&notice->header, MACH_RCV_MSG, 0, sizeof(*notice), port,
		       MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
	REQUIRE(notice->header.msgh_id == id);
}

static void
ask(mach_port_t port, mach_msg_id_t id)
{
	mach_port_t previous = port;

	CHECK(mach_port_request_notification(mach_task_self(), port, id, 0, notify,
					     MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous));
	REQUIRE(previous == MACH_PORT_NULL);
}

static void
full_queue(mach_port_t port)
{
	mach_port_limits_t limits = { .mpl_qlimit = 1 };
	mach_port_status_t status;
	mach_msg_type_number_t count = MACH_PORT_RECEIVE_STATUS_COUNT;

	CHECK(mach_port_set_attributes(mach_task_self(), port, MACH_PORT_LIMITS_INFO,
				       (mach_port_info_t)&limits, MACH_PORT_LIMITS_INFO_COUNT));
	for (int i = 0; i < 2; i++) {
		mach_msg_header_t header;
		memset(&header, 0, sizeof(header));
		header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0);
		header.msgh_remote_port = port;
		header.msgh_size = sizeof(header);
		EXPECT(i == 0 ? MACH_MSG_SUCCESS : MACH_SEND_TIMED_OUT,
		       mach_msg(&header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizeof(header), 0,
				MACH_PORT_NULL, 10, MACH_PORT_NULL));
		/* a send that timed out is given back: its right is ours again */
		if (i == 1)
			CHECK(mach_port_deallocate(mach_task_self(), header.msgh_remote_port));
	}
	CHECK(mach_port_get_attributes(mach_task_self(), port, MACH_PORT_RECEIVE_STATUS,
				       (mach_port_info_t)&status, &count));
	REQUIRE(status.mps_msgcount == 1 && status.mps_qlimit == 1);
}

int
main(void)
{
	mach_port_t task = mach_task_self();
	mach_port_t port, once;
	mach_msg_type_name_t type;
	mach_port_urefs_t refs;
	Notice notice;

	CHECK(mach_port_allocate(task, MACH_PORT_RIGHT_RECEIVE, &notify));
	CHECK(mach_port_allocate(task, MACH_PORT_RIGHT_RECEIVE, &port));

	CHECK(mach_port_insert_right(task, port, port, MACH_MSG_TYPE_MAKE_SEND));
	ask(port, MACH_NOTIFY_NO_SENDERS);
	CHECK(mach_port_deallocate(task, port));
	receive(notify, MACH_NOTIFY_NO_SENDERS, &notice);
	REQUIRE(notice.no_senders.not_count == 1);

	CHECK(mach_port_extract_right(task, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, &once, &type));
	REQUIRE(type == MACH_MSG_TYPE_PORT_SEND_ONCE);
	CHECK(mach_port_deallocate(task, once));
	receive(port, MACH_NOTIFY_SEND_ONCE, &notice);

	/* the right to receive is not lost but comes back in the notice */
	ask(port, MACH_NOTIFY_PORT_DESTROYED);
	CHECK(mach_port_mod_refs(task, port, MACH_PORT_RIGHT_RECEIVE, -1));
	receive(notify, MACH_NOTIFY_PORT_DESTROYED, &notice);
	port = notice.destroyed.not_port.name;
	full_queue(port);

	CHECK(mach_port_insert_right(task, port, port, MACH_MSG_TYPE_MAKE_SEND));
	ask(port, MACH_NOTIFY_DEAD_NAME);
	CHECK(mach_port_mod_refs(task, port, MACH_PORT_RIGHT_RECEIVE, -1));
	receive(notify, MACH_NOTIFY_DEAD_NAME, &notice);
	REQUIRE(notice.dead_name.not_port == port);
	CHECK(mach_port_get_refs(task, port, MACH_PORT_RIGHT_DEAD_NAME, &refs));
	REQUIRE(refs == 2); /* the send right's, and the notice's own */
	CHECK(mach_port_mod_refs(task, port, MACH_PORT_RIGHT_DEAD_NAME, -2));

	CHECK(mach_port_destroy(task, notify));
	puts("notices: done");
	return 0;
}
