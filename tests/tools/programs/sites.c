/*
 * Leaves rights behind in functions that are known by name; the lines that get them are marked.
 * The first argument says how; see main().
 */
#include <mach/mach.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8

static void
must(kern_return_t kr)
{
	if (kr != KERN_SUCCESS)
		_exit(99);
}

static mach_port_t
self(void)
{
	return mach_task_self();
}

__attribute__((noinline)) static mach_port_t
make_port(void)
{
	mach_port_t port;

	must(mach_port_allocate(self(), MACH_PORT_RIGHT_RECEIVE, &port)); /* made */
	return port;
}

__attribute__((noinline)) static void
get_send(mach_port_t port)
{
	must(mach_port_insert_right(self(), port, port, MACH_MSG_TYPE_MAKE_SEND)); /* sent */
}

__attribute__((noinline)) static void
get_more(mach_port_t port)
{
	must(mach_port_mod_refs(self(), port, MACH_PORT_RIGHT_SEND, 1)); /* more */
}

static void
drop_receive(mach_port_t port)
{
	must(mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1));
}

struct parcel {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_port_descriptor_t right;
	mach_msg_max_trailer_t trailer;
};

static mach_msg_return_t
post(mach_port_t box, mach_port_t port, mach_msg_type_name_t disposition,
     mach_msg_timeout_t timeout)
{
	struct parcel parcel = {
		.header = { .msgh_bits =
				MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0) | MACH_MSGH_BITS_COMPLEX,
			    .msgh_size = sizeof(parcel) - sizeof(parcel.trailer),
			    .msgh_remote_port = box },
		.body = { 1 },
		.right = { .name = port,
			   .disposition = disposition,
			   .type = MACH_MSG_PORT_DESCRIPTOR },
	};

	return mach_msg(&parcel.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, parcel.header.msgh_size,
			0, MACH_PORT_NULL, timeout, MACH_PORT_NULL);
}

__attribute__((noinline)) static mach_port_t
take_parcel(mach_port_t box)
{
	struct parcel parcel;

	must(mach_msg(&parcel.header, MACH_RCV_MSG, 0, sizeof(parcel), box, 0, 0)); /* came */
	return parcel.right.name;
}

__attribute__((noinline)) static void
leave_in_child(void)
{
	make_port(); /* child */
}

/* Gets many, gives back all but one. */
static void *
come_and_go(void *unused)
{
	for (int i = 0; i < 100; i++) {
		mach_port_t port = make_port(); /* thread */

		if (i > 0)
			drop_receive(port);
	}
	return unused;
}

int
main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	mach_port_t port, box;

	if (strcmp(how, "forgets") == 0) {
		port = make_port();
		get_send(port);
		drop_receive(port); /* what is left is a dead name */
	} else if (strcmp(how, "killed") == 0) {
		make_port();
		raise(SIGKILL);
	} else if (strcmp(how, "forks") == 0) {
		make_port(); /* parent */
		pid_t child = fork();
		if (child == 0) {
			leave_in_child();
			_exit(0);
		}
		waitpid(child, NULL, 0);
	} else if (strcmp(how, "executes") == 0) {
		make_port(); /* before */
		execl("/proc/self/exe", argv[0], "twice", NULL);
	} else if (strcmp(how, "twice") == 0) {
		port = make_port(); /* after */
		get_send(port);
		get_more(port);
		must(mach_port_deallocate(mach_task_self(), port));
	} else if (strcmp(how, "moves") == 0) {
		box = make_port();
		must(post(box, make_port(), MACH_MSG_TYPE_MOVE_RECEIVE, 1000));
		take_parcel(box);
		drop_receive(box);
	} else if (strcmp(how, "fails") == 0) {
		mach_port_limits_t limits = { .mpl_qlimit = 0 };
		box = make_port();
		port = make_port();
		get_send(port);
		must(mach_port_set_attributes(mach_task_self(), box, MACH_PORT_LIMITS_INFO,
					      (mach_port_info_t)&limits,
					      MACH_PORT_LIMITS_INFO_COUNT));
		/* it is not sent at all: a name in it means nothing */
		if (post(box, 0xdead03, MACH_MSG_TYPE_MOVE_SEND, 0) != MACH_SEND_INVALID_RIGHT ||
		    post(0xdead03, port, MACH_MSG_TYPE_MOVE_SEND, 0) != MACH_SEND_INVALID_DEST)
			return 98;
		drop_receive(box);
	} else if (strcmp(how, "threads") == 0) {
		pthread_t threads[THREADS];
		for (int i = 0; i < THREADS; i++)
			if (pthread_create(&threads[i], NULL, come_and_go, NULL) != 0)
				return 97;
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
	} else if (strcmp(how, "tidy") == 0) {
		port = make_port();
		get_send(port);
		get_more(port);
		must(mach_port_destroy(mach_task_self(), port));
	}
	return 0;
}
