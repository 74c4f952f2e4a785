/* The clients: see tasks.h. */
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mach/mach_time.h>
#include <mach/mach_vm.h>
#include <mach/mach_voucher.h>
#include <mach/mk_timer.h>
#include <mach/notify.h>
#include <servers/bootstrap.h>
#include <sys/fileport.h>

#include "tests/kills/tasks.h"

#define LARGE_BYTES 300000u /* goes in a memfd */

static mach_port_t
new_port(void)
{
	mach_port_t port;

	MUST(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port));
	MUST(mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND));
	return port;
}

/* A call to the server.  False: it is dead, and what was sent is destroyed. */
static bool
call(struct letter *letter)
{
	const mach_msg_id_t id = letter->header.msgh_id;
	mach_port_t reply = mig_get_reply_port();

	letter->header.msgh_bits |= MACH_MSGH_BITS(0, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	letter->header.msgh_local_port = reply;
	if (!WENT(mach_msg(&letter->header, MACH_SEND_MSG | MACH_RCV_MSG | MACH_RCV_TIMEOUT,
			   LETTER_SIZE, sizeof(*letter), reply, HANG_MS, MACH_PORT_NULL),
		  MACH_SEND_INVALID_DEST)) {
		mach_msg_destroy(&letter->header);
		return false;
	}
	if (letter->header.msgh_id == MACH_NOTIFY_SEND_ONCE)
		return false;
	if (letter->header.msgh_id != id + 100)
		_exit(1);
	return true;
}

/* What needs nobody else. */
static void
alone(void)
{
	static const uint8_t recipe[] = { 0 };
	struct {
		mach_msg_header_t header;
		uint8_t bytes[128];
	} fired;
	semaphore_t semaphore;
	mach_port_t timer, host = mach_host_self(), voucher = MACH_PORT_NULL;

	MUST(semaphore_create(mach_task_self(), &semaphore, SYNC_POLICY_FIFO, 1));
	MUST(semaphore_wait(semaphore));
	if (semaphore_timedwait(semaphore, (mach_timespec_t){ 0, 1000 }) !=
	    KERN_OPERATION_TIMED_OUT)
		_exit(1);
	MUST(semaphore_destroy(mach_task_self(), semaphore));
	timer = mk_timer_create();
	if (timer == MACH_PORT_NULL)
		_exit(1);
	MUST(mk_timer_arm(timer, mach_absolute_time() + 1000));
	MUST(mach_msg(&fired.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(fired), timer,
		      HANG_MS, MACH_PORT_NULL));
	MUST(mk_timer_destroy(timer));
	MUST(host_create_mach_voucher(host, (mach_voucher_attr_raw_recipe_array_t)(uintptr_t)recipe,
				      0, &voucher));
	if (voucher != MACH_PORT_NULL)
		MUST(mach_port_deallocate(mach_task_self(), voucher));
	MUST(mach_port_deallocate(mach_task_self(), host));
}

static bool
say_hello(mach_port_t server, mach_port_t watched)
{
	struct letter letter = letter_to(server, REQUEST_HELLO, MACH_MSG_TYPE_COPY_SEND);
	int fd;

	letter.first.name = watched;
	letter.second.name = mach_task_self();
	if (!call(&letter))
		return false;
	fd = fileport_makefd(letter.first.name); /* works, though its maker may be dead */
	if (fd < 0)
		_exit(1);
	close(fd);
	MUST(mach_port_deallocate(mach_task_self(), letter.first.name));
	return true;
}

static bool
echo(mach_port_t server)
{
	struct letter letter = letter_to(server, REQUEST_ECHO, MACH_MSG_TYPE_COPY_SEND);
	uint8_t *large = malloc(LARGE_BYTES);
	bool same;

	memset(large, 7, LARGE_BYTES);
	letter.small.address = large;
	letter.small.size = 100;
	letter.large.address = large;
	letter.large.size = LARGE_BYTES;
	if (!call(&letter)) {
		free(large);
		return false;
	}
	same = letter.small.size == 100 && letter.large.size == LARGE_BYTES &&
	       memcmp(letter.small.address, large, 100) == 0 &&
	       memcmp(letter.large.address, large, LARGE_BYTES) == 0;
	free(large);
	if (!same)
		_exit(1);
	mach_msg_destroy(&letter.header);
	return true;
}

static bool
move(mach_port_t server)
{
	struct letter letter = letter_to(server, REQUEST_MOVE, MACH_MSG_TYPE_COPY_SEND);
	mach_port_t port = new_port();
	mach_msg_header_t number = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND, 0),
				     .msgh_size = sizeof(number),
				     .msgh_remote_port = port,
				     .msgh_id = 4711 };

	MUST(mach_msg(&number, MACH_SEND_MSG, sizeof(number), 0, 0, 0, 0));
	letter.first.name = port;
	letter.first.disposition = MACH_MSG_TYPE_MOVE_RECEIVE;
	if (!call(&letter))
		return false;
	mach_msg_destroy(&letter.header);
	return true;
}

static bool
be_signalled(mach_port_t server)
{
	struct letter letter = letter_to(server, REQUEST_SIGNAL, MACH_MSG_TYPE_COPY_SEND);
	semaphore_t semaphore;
	bool is_alive;

	MUST(semaphore_create(mach_task_self(), &semaphore, SYNC_POLICY_FIFO, 0));
	letter.first.name = semaphore;
	is_alive = call(&letter);
	if (is_alive) {
		/* it was signalled before the answer */
		MUST(semaphore_timedwait(semaphore, (mach_timespec_t){ HANG_MS / 1000, 0 }));
		mach_msg_destroy(&letter.header);
	}
	MUST(semaphore_destroy(mach_task_self(), semaphore));
	return is_alive;
}

static void
nothing(int number)
{
}

/* The server does not handle it, or is dead: in both cases the signal is next. */
static void
raise_exception(mach_port_t server)
{
	signal(SIGTRAP, nothing);
	(void)WENT(task_set_exception_ports(
		       mach_task_self(), EXC_MASK_BREAKPOINT, server,
		       (exception_behavior_t)(EXCEPTION_DEFAULT | MACH_EXCEPTION_CODES),
		       THREAD_STATE_NONE),
		   KERN_INVALID_ARGUMENT);
#if defined(__x86_64__)
	__asm__ volatile("int3");
#else
	raise(SIGTRAP);
#endif
}

void
client_main(const char *name, int is_second)
{
	mach_port_t bootstrap, server, watched;

	alone();
	MUST(task_get_bootstrap_port(mach_task_self(), &bootstrap));
	if (!WENT(bootstrap_look_up(bootstrap, name, &server), BOOTSTRAP_UNKNOWN_SERVICE))
		return;
	watched = new_port();
	if (say_hello(server, watched) && echo(server) && move(server) && is_second)
		raise_exception(server);
	be_signalled(server);
	MUST(mach_port_destroy(mach_task_self(), watched));
	MUST(mach_port_deallocate(mach_task_self(), server));
}
