/*
 * misuse WHAT: misuses a right in that way, prints the code and goes on.
 * misuse: prints all ways, one a line, with the code that each gives.
 */
#include <mach/mach.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_NAME 0x77703u

static void
require(kern_return_t code)
{
	if (code != KERN_SUCCESS) {
		fprintf(stderr, "misuse: not even a right: %s\n", mach_error_string(code));
		exit(99);
	}
}

static mach_port_t
port_new(void)
{
	mach_port_t port;

	require(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port));
	return port;
}

static mach_port_t
port_with_send(void)
{
	mach_port_t port = port_new();

	require(mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND));
	return port;
}

static mach_port_t
guarded(uint64_t guard, uint64_t flags)
{
	mach_port_t port = port_new();

	require(mach_port_guard_with_flags(mach_task_self(), port, guard, flags));
	return port;
}

/* ---- names and rights --------------------------------------------------------------------- */

static kern_return_t
never(void)
{
	return mach_port_deallocate(mach_task_self(), NO_NAME);
}

static kern_return_t
twice(void)
{
	mach_port_t port = port_with_send();

	require(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1));
	require(mach_port_deallocate(mach_task_self(), port));
	return mach_port_deallocate(mach_task_self(), port);
}

static kern_return_t
receive(void)
{
	return mach_port_deallocate(mach_task_self(), port_new());
}

static kern_return_t
below(void)
{
	return mach_port_mod_refs(mach_task_self(), port_with_send(), MACH_PORT_RIGHT_SEND, -2);
}

static kern_return_t
dead(void)
{
	mach_port_t port = port_with_send();

	require(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1));
	return mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, -1);
}

static kern_return_t
copy(void)
{
	mach_port_t port = port_new();

	return mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_COPY_SEND);
}

/* ---- guards --------------------------------------------------------------------------------- */

static kern_return_t
destroy(void)
{
	return mach_port_destroy(mach_task_self(), guarded(7, 0));
}

static kern_return_t
mod_refs(void)
{
	return mach_port_mod_refs(mach_task_self(), guarded(7, 0), MACH_PORT_RIGHT_RECEIVE, -1);
}

static kern_return_t
wrong_guard(void)
{
	return mach_port_destruct(mach_task_self(), guarded(7, 0), 0, 8);
}

static kern_return_t
no_guard(void)
{
	return mach_port_unguard(mach_task_self(), port_new(), 7);
}

static kern_return_t
context(void)
{
	return mach_port_set_context(mach_task_self(), guarded(7, MPG_STRICT), 8);
}

/* ---- messages -------------------------------------------------------------------------------- */

static kern_return_t
send_port(mach_port_t port, mach_msg_type_name_t disposition, mach_port_t reply)
{
	struct {
		mach_msg_header_t header;
		mach_msg_body_t body;
		mach_msg_port_descriptor_t descriptor;
	} message = { 0 };

	message.header.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, reply != 0 ? MACH_MSG_TYPE_COPY_SEND : 0) |
	    MACH_MSGH_BITS_COMPLEX;
	message.header.msgh_size = sizeof(message);
	message.header.msgh_remote_port = port_new();
	message.header.msgh_local_port = reply;
	message.header.msgh_id = 77;
	message.body.msgh_descriptor_count = 1;
	message.descriptor.name = port;
	message.descriptor.disposition = disposition;
	message.descriptor.type = MACH_MSG_PORT_DESCRIPTOR;
	return mach_msg_send(&message.header);
}

static kern_return_t
descriptor(void)
{
	return send_port(port_new(), MACH_MSG_TYPE_COPY_SEND, MACH_PORT_NULL);
}

static kern_return_t
immovable(void)
{
	return send_port(guarded(7, MPG_IMMOVABLE_RECEIVE), MACH_MSG_TYPE_MOVE_RECEIVE,
			 MACH_PORT_NULL);
}

static kern_return_t
reply(void)
{
	return send_port(MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND, NO_NAME);
}

static kern_return_t
receive_from(void)
{
	mach_msg_empty_rcv_t message;

	return mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(message),
			NO_NAME, 0, MACH_PORT_NULL);
}

/* ---- what is no misuse ------------------------------------------------------------------------
 */

static kern_return_t
question(void)
{
	mach_port_type_t type;

	return mach_port_type(mach_task_self(), NO_NAME, &type);
}

static kern_return_t
send_to_the_dead(void)
{
	mach_msg_header_t header = {
		.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
		.msgh_size = sizeof(header),
		.msgh_remote_port = port_with_send(),
	};

	require(mach_port_mod_refs(mach_task_self(), header.msgh_remote_port,
				   MACH_PORT_RIGHT_RECEIVE, -1));
	return mach_msg_send(&header);
}

/* The program gives back what the library keeps for a thread that ends then. */
static void *
give_back(void *unused)
{
	require(mach_port_mod_refs(mach_task_self(), mig_get_reply_port(), MACH_PORT_RIGHT_RECEIVE,
				   -1));
	return unused;
}

static kern_return_t
thread(void)
{
	pthread_t id;

	if (pthread_create(&id, NULL, give_back, NULL) != 0)
		exit(99);
	pthread_join(id, NULL);
	return KERN_SUCCESS;
}

/* ---- others -------------------------------------------------------------------------------------
 */

static char *own_path;

/* In a child of fork(), and in what that executes. */
static kern_return_t
child(void)
{
	char kernel[256];
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit((int)never() & 0x7f);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		exit(99);
	printf("child %s %d\n", WIFSIGNALED(status) ? "signal" : "status",
	       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	fflush(stdout);
	/* all that is handed on is where the kernel is */
	snprintf(kernel, sizeof(kernel), "BERTH_KERNEL=%s", getenv("BERTH_KERNEL"));
	execle(own_path, own_path, "never", (char *)NULL, (char *[]){ kernel, NULL });
	exit(99);
}

/* A program that has shut the door to signals is stopped all the same. */
static kern_return_t
stubborn(void)
{
	sigset_t all;

	signal(SIGTRAP, SIG_IGN);
	signal(SIGABRT, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	return never();
}

static const struct {
	const char *name;
	kern_return_t (*call)(void);
} ways[] = {
	{ "never", never },
	{ "twice", twice },
	{ "receive", receive },
	{ "below", below },
	{ "dead", dead },
	{ "copy", copy },
	{ "destroy", destroy },
	{ "mod_refs", mod_refs },
	{ "wrong_guard", wrong_guard },
	{ "no_guard", no_guard },
	{ "context", context },
	{ "descriptor", descriptor },
	{ "immovable", immovable },
	{ "reply", reply },
	{ "receive_from", receive_from },
	{ "question", question },
	{ "send_to_the_dead", send_to_the_dead },
	{ "thread", thread },
	{ "stubborn", stubborn },
	{ "child", child },
};

int
main(int argc, char **argv)
{
	own_path = argv[0];
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (argc > 1 ? strcmp(argv[1], ways[i].name) != 0 : ways[i].call == child)
			continue;
		printf("%s 0x%x\n", ways[i].name, (unsigned)ways[i].call());
	}
	puts("went on");
	return 0;
}
