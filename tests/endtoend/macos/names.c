/* A service found by its name from a child, and who the child is. */
#include "check.h"

#include <bsm/libbsm.h>
#include <servers/bootstrap.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVICE "com.example.berth.names"

typedef struct {
	mach_msg_header_t header;
	char text[64];
} Message;

typedef struct {
	Message message;
	mach_msg_audit_trailer_t trailer;
} ReceivedMessage;

static int
child(void)
{
	Message message;
	mach_port_t port;

	CHECK(bootstrap_look_up(bootstrap_port, SERVICE, &port));
	memset(&message, 0, sizeof(message));
	message.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0);
	message.header.msgh_remote_port = port;
	message.header.msgh_size = sizeof(message);
	strcpy(message.text, "hello from the child");
	CHECK(mach_msg_send(&message.header));
	CHECK(mach_port_deallocate(mach_task_self(), port));
	return 0;
}

int
main(void)
{
	mach_port_t bootstrap, port, found;
	ReceivedMessage in;
	int status;

	CHECK(task_get_bootstrap_port(mach_task_self(), &bootstrap));
	REQUIRE(bootstrap == bootstrap_port);
	EXPECT(BOOTSTRAP_UNKNOWN_SERVICE, bootstrap_look_up(bootstrap, SERVICE, &found));
	CHECK(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port));
	CHECK(mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND));
	CHECK(bootstrap_register(bootstrap, (char *)SERVICE, port));
	CHECK(bootstrap_look_up(bootstrap, SERVICE, &found));
	REQUIRE(found == port); /* one name a task for send and receive */

	pid_t pid = fork();
	if (pid == 0)
		_exit(child());
	CHECK(mach_msg(&in.message.header,
		       MACH_RCV_MSG | MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |
			   MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT),
		       0, sizeof(in), port, MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
	REQUIRE(strcmp(in.message.text, "hello from the child") == 0);
	REQUIRE(audit_token_to_pid(in.trailer.msgh_audit) == pid);
	REQUIRE(audit_token_to_euid(in.trailer.msgh_audit) == geteuid());
	REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);

	/* the name goes with the port */
	CHECK(mach_port_destroy(mach_task_self(), port));
	EXPECT(BOOTSTRAP_UNKNOWN_SERVICE, bootstrap_look_up(bootstrap, SERVICE, &found));
	REQUIRE(strcmp(bootstrap_strerror(BOOTSTRAP_UNKNOWN_SERVICE), "") != 0);
	CHECK(mach_port_deallocate(mach_task_self(), bootstrap));
	puts("names: done");
	return 0;
}
