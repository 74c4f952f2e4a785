/*
 * A client or a server of one name, for tests that are no tasks themselves.
 *
 *   client look-up NAME      prints the code
 *   client send NAME ID      waits as long as the queue is full; prints the code
 *   client ask NAME ID       prints the id of what answers: ID + 100, or a notification
 *   client server            prints the process of the name server
 *   client serve NAME FILE   checks in, adds "ID PID" to FILE for each message and answers
 *   client hold NAME FILE    checks in, adds "held PID" to FILE, takes nothing
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsm/libbsm.h>
#include <mach/mach.h>
#include <servers/bootstrap.h>

union message {
	mach_msg_header_t head;
	char room[512];
};

static void
note(const char *file, const char *what, int pid)
{
	char line[64];
	int size = snprintf(line, sizeof(line), "%s %d\n", what, pid);
	int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	if (fd < 0 || write(fd, line, (size_t)size) != size)
		_exit(4);
	close(fd);
}

static mach_port_t
must_look_up(const char *name)
{
	mach_port_t port;
	kern_return_t kr = bootstrap_look_up(bootstrap_port, name, &port);

	if (kr == KERN_SUCCESS)
		return port;
	printf("look-up: %d\n", kr);
	exit(3);
}

static kern_return_t
send_id(mach_port_t port, mach_msg_id_t id, mach_port_t reply)
{
	mach_msg_header_t head = {
		.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
					    reply ? MACH_MSG_TYPE_MAKE_SEND_ONCE : 0),
		.msgh_size = sizeof(head),
		.msgh_remote_port = port,
		.msgh_local_port = reply,
		.msgh_id = id,
	};

	return mach_msg(&head, MACH_SEND_MSG, sizeof(head), 0, MACH_PORT_NULL, 0, MACH_PORT_NULL);
}

static int
ask(const char *name, mach_msg_id_t id)
{
	union message message;
	mach_port_t reply = mig_get_reply_port();
	kern_return_t kr = send_id(must_look_up(name), id, reply);

	if (kr != KERN_SUCCESS) {
		printf("send: %d\n", kr);
		return 3;
	}
	puts("asked");
	fflush(stdout);
	kr = mach_msg(&message.head, MACH_RCV_MSG, 0, sizeof(message), reply, 0, MACH_PORT_NULL);
	printf("%d\n", kr == KERN_SUCCESS ? message.head.msgh_id : kr);
	return kr != KERN_SUCCESS;
}

static int
print_server(void)
{
	union message message = { .head = { 0 } };

	message.head.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	message.head.msgh_remote_port = bootstrap_port;
	message.head.msgh_local_port = mig_get_reply_port();
	if (mach_msg(&message.head,
		     MACH_SEND_MSG | MACH_RCV_MSG |
			 MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |
			 MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT),
		     sizeof(message.head), sizeof(message), message.head.msgh_local_port, 0,
		     MACH_PORT_NULL) != KERN_SUCCESS)
		return 1;
	const mach_msg_audit_trailer_t *trailer =
	    (const void *)(message.room + round_msg(message.head.msgh_size));
	printf("%d\n", (int)audit_token_to_pid(trailer->msgh_audit));
	return 0;
}

static int
serve(const char *name, const char *file)
{
	mach_port_t port;

	if (bootstrap_check_in(bootstrap_port, name, &port) != KERN_SUCCESS)
		return 3;
	for (;;) {
		union message message;
		char text[16];
		if (mach_msg(&message.head, MACH_RCV_MSG, 0, sizeof(message), port, 0,
			     MACH_PORT_NULL) != KERN_SUCCESS)
			return 1;
		snprintf(text, sizeof(text), "%d", message.head.msgh_id);
		note(file, text, (int)getpid());
		if (!MACH_PORT_VALID(message.head.msgh_remote_port))
			continue;
		message.head.msgh_bits =
		    MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(message.head.msgh_bits), 0);
		message.head.msgh_local_port = MACH_PORT_NULL;
		message.head.msgh_id += 100;
		if (mach_msg(&message.head, MACH_SEND_MSG, sizeof(message.head), 0, MACH_PORT_NULL,
			     0, MACH_PORT_NULL) != KERN_SUCCESS)
			mach_msg_destroy(&message.head); /* who asked is gone */
	}
}

static int
hold(const char *name, const char *file)
{
	mach_port_t port;

	if (bootstrap_check_in(bootstrap_port, name, &port) != KERN_SUCCESS)
		return 3;
	note(file, "held", (int)getpid());
	for (;;)
		pause();
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	mach_port_t port;

	if (strcmp(what, "server") == 0)
		return print_server();
	if (argc == 3 && strcmp(what, "look-up") == 0) {
		printf("%d\n", bootstrap_look_up(bootstrap_port, argv[2], &port));
		return 0;
	}
	if (argc != 4)
		return 2;
	if (strcmp(what, "send") == 0) {
		printf("%d\n", send_id(must_look_up(argv[2]), atoi(argv[3]), MACH_PORT_NULL));
		return 0;
	}
	if (strcmp(what, "ask") == 0)
		return ask(argv[2], atoi(argv[3]));
	if (strcmp(what, "serve") == 0)
		return serve(argv[2], argv[3]);
	if (strcmp(what, "hold") == 0)
		return hold(argv[2], argv[3]);
	return 2;
}
