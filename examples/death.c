/*
 * Who was talking to me is gone: a server learns it from the kernel.
 *
 * A client asks for a session.  It hands over a send right to a port of its own, and gets
 * one to a port that the server made for it.  The server asks for two notices:
 *   dead name    the client's port died: nobody receives there any more
 *   no senders   nobody holds a send right to the session's port any more
 * Then the client lets go of both, by itself or, with the argument `kill`, because it is
 * killed: the kernel sends the notices in either case.
 */
#include <mach/mach.h>
#include <servers/bootstrap.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "must.h"

#define SERVICE "org.berth.example.sessions"

/* both ways: one port right */
struct session_message {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_port_descriptor_t port;
};

struct session_buffer {
	struct session_message message;
	mach_msg_trailer_t trailer;
};

static void
client(int killed)
{
	mach_port_t server, mine, reply_port = mach_reply_port();

	must(bootstrap_look_up(bootstrap_port, SERVICE, &server));
	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &mine));
	struct session_buffer buffer = {
		.message.header.msgh_bits =
		    MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE) |
		    MACH_MSGH_BITS_COMPLEX,
		.message.header.msgh_remote_port = server,
		.message.header.msgh_local_port = reply_port,
		.message.body.msgh_descriptor_count = 1,
		.message.port = {
			.name = mine,
			.disposition = MACH_MSG_TYPE_MAKE_SEND,
			.type = MACH_MSG_PORT_DESCRIPTOR,
		},
	};
	must(mach_msg(&buffer.message.header, MACH_SEND_MSG | MACH_RCV_MSG, sizeof(buffer.message),
		      sizeof(buffer), reply_port, MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
	printf("client: has a session\n");
	if (killed)
		kill(getpid(), SIGKILL);

	must(mach_port_mod_refs(mach_task_self(), mine, MACH_PORT_RIGHT_RECEIVE, -1));
	must(mach_port_deallocate(mach_task_self(), buffer.message.port.name));
	must(mach_port_mod_refs(mach_task_self(), reply_port, MACH_PORT_RIGHT_RECEIVE, -1));
}

/* Ask the kernel to send @msgid to @notices once, when it happens to @name. */
static void
request_notice(mach_port_t name, mach_msg_id_t msgid, mach_port_t notices)
{
	mach_port_t previous;

	must(mach_port_request_notification(mach_task_self(), name, msgid, 0, notices,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous));
}

int
main(int argc, char **argv)
{
	int killed = argc > 1 && strcmp(argv[1], "kill") == 0;
	mach_port_t service, session, notices;
	pid_t pid;

	setvbuf(stdout, NULL, _IOLBF, 0);
	must(bootstrap_check_in(bootstrap_port, SERVICE, &service));
	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &session));
	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &notices));

	pid = fork();
	if (pid == 0) {
		client(killed);
		_exit(0);
	}
	if (pid < 0) {
		perror("fork");
		return 1;
	}

	/* A client asks; keep its port, and answer with a right to the session's. */
	struct session_buffer buffer;
	must(mach_msg(&buffer.message.header, MACH_RCV_MSG, 0, sizeof(buffer), service,
		      MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
	mach_port_t client_port = buffer.message.port.name;
	request_notice(client_port, MACH_NOTIFY_DEAD_NAME, notices);
	buffer.message.header.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0) | MACH_MSGH_BITS_COMPLEX;
	buffer.message.header.msgh_local_port = MACH_PORT_NULL;
	buffer.message.port.name = session;
	buffer.message.port.disposition = MACH_MSG_TYPE_MAKE_SEND;
	must(mach_msg(&buffer.message.header, MACH_SEND_MSG, sizeof(buffer.message), 0,
		      MACH_PORT_NULL, MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
	/* after the right was made: with none in the world the notice would come at once */
	request_notice(session, MACH_NOTIFY_NO_SENDERS, notices);

	for (int i = 0; i < 2; i++) {
		union {
			mach_msg_header_t header;
			mach_dead_name_notification_t dead_name;
			mach_no_senders_notification_t no_senders;
		} notice;

		must(mach_msg(&notice.header, MACH_RCV_MSG, 0, sizeof(notice), notices,
			      MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL));
		if (notice.header.msgh_id == MACH_NOTIFY_DEAD_NAME) {
			printf("server: dead name: %s\n",
			       notice.dead_name.not_port == client_port
				   ? "nobody receives at the client's port any more"
				   : "of a port that I do not know");
			/* the notice brought a reference of its own, beside the right's */
			must(mach_port_deallocate(mach_task_self(), notice.dead_name.not_port));
			must(mach_port_deallocate(mach_task_self(), client_port));
		} else if (notice.header.msgh_id == MACH_NOTIFY_NO_SENDERS) {
			printf("server: no senders: the session is over, %u send right was made\n",
			       notice.no_senders.not_count);
		} else {
			printf("server: notice %d was not asked for\n", notice.header.msgh_id);
			return 1;
		}
	}

	int status;
	waitpid(pid, &status, 0);
	printf("server: the client %s\n", WIFSIGNALED(status) ? "was killed" : "ended by itself");
	must(mach_port_mod_refs(mach_task_self(), session, MACH_PORT_RIGHT_RECEIVE, -1));
	must(mach_port_mod_refs(mach_task_self(), notices, MACH_PORT_RIGHT_RECEIVE, -1));
	must(mach_port_mod_refs(mach_task_self(), service, MACH_PORT_RIGHT_RECEIVE, -1));
	return 0;
}
