/* The server: see tasks.h. */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <mach/mig_errors.h>
#include <mach/notify.h>
#include <servers/bootstrap.h>
#include <sys/fileport.h>

#include "tests/kills/tasks.h"

int
went(const char *call, int line, kern_return_t code, unsigned count, const kern_return_t *allowed)
{
	if (code == KERN_SUCCESS)
		return 1;
	for (unsigned i = 0; i < count; i++)
		if (code == allowed[i])
			return 0;
	fprintf(stderr, "pid %ld, line %d: %s: 0x%x\n", (long)getpid(), line, call, (unsigned)code);
	_exit(1);
}

struct letter
letter_to(mach_port_t remote, mach_msg_id_t id, unsigned disposition)
{
	return (struct letter){ .header = { .msgh_bits = MACH_MSGH_BITS_COMPLEX |
							 MACH_MSGH_BITS(disposition, 0),
					    .msgh_size = LETTER_SIZE,
					    .msgh_remote_port = remote,
					    .msgh_id = id },
				.body = { .msgh_descriptor_count = 4 },
				.first = { .type = MACH_MSG_PORT_DESCRIPTOR,
					   .disposition = MACH_MSG_TYPE_COPY_SEND },
				.second = { .type = MACH_MSG_PORT_DESCRIPTOR,
					    .disposition = MACH_MSG_TYPE_COPY_SEND },
				.small = { .type = MACH_MSG_OOL_DESCRIPTOR },
				.large = { .type = MACH_MSG_OOL_DESCRIPTOR } };
}

/* What the server makes once, for all. */
struct shop {
	mach_port_t port, set, notify, fileport;
};

static void
open_shop(struct shop *shop, const char *name)
{
	mach_port_t bootstrap;
	int ends[2];

	MUST(task_get_bootstrap_port(mach_task_self(), &bootstrap));
	MUST(bootstrap_check_in(bootstrap, name, &shop->port));
	MUST(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &shop->notify));
	MUST(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &shop->set));
	MUST(mach_port_insert_member(mach_task_self(), shop->port, shop->set));
	MUST(mach_port_insert_member(mach_task_self(), shop->notify, shop->set));
	if (pipe(ends) != 0)
		_exit(1);
	MUST(fileport_makeport(ends[0], &shop->fileport) == 0 ? KERN_SUCCESS : KERN_FAILURE);
	close(ends[0]);
	close(ends[1]);
}

/* Watches the client, stops it and lets it go, and answers with a fileport. */
static void
hello(const struct shop *shop, struct letter *in, struct letter *out)
{
	mach_port_t previous;

	/* it may have died meanwhile: its rights are dead names, or become that any moment */
	if (WENT(mach_port_request_notification(mach_task_self(), in->first.name,
						MACH_NOTIFY_DEAD_NAME, 0, shop->notify,
						MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous),
		 KERN_INVALID_ARGUMENT, KERN_INVALID_NAME) &&
	    MACH_PORT_VALID(in->second.name) &&
	    WENT(task_suspend(in->second.name), MACH_SEND_INVALID_DEST, KERN_INVALID_ARGUMENT,
		 KERN_FAILURE))
		(void)WENT(task_resume(in->second.name), MACH_SEND_INVALID_DEST,
			   KERN_INVALID_ARGUMENT, KERN_FAILURE);
	out->first.name = shop->fileport;
}

static void
moved(struct letter *in)
{
	struct {
		mach_msg_header_t header;
		mach_msg_max_trailer_t trailer;
	} number;

	MUST(mach_msg(&number.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(number),
		      in->first.name, HANG_MS, MACH_PORT_NULL));
	MUST(mach_port_mod_refs(mach_task_self(), in->first.name, MACH_PORT_RIGHT_RECEIVE, -1));
}

/* The answer to what is no request of ours, such as an exception: we do not handle it. */
static void
decline(struct letter *in)
{
	mig_reply_error_t error = { .Head = { .msgh_bits =
						  MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0),
					      .msgh_size = sizeof(error),
					      .msgh_remote_port = in->header.msgh_remote_port,
					      .msgh_id = in->header.msgh_id + 100 },
				    .NDR = NDR_record,
				    .RetCode = KERN_FAILURE };

	if (!WENT(mach_msg(&error.Head, MACH_SEND_MSG, sizeof(error), 0, 0, 0, 0),
		  MACH_SEND_INVALID_DEST))
		mach_msg_destroy(&error.Head);
	in->header.msgh_remote_port = MACH_PORT_NULL;
}

static void
serve_request(const struct shop *shop, struct letter *in)
{
	struct letter out = letter_to(in->header.msgh_remote_port, in->header.msgh_id + 100,
				      MACH_MSG_TYPE_MOVE_SEND_ONCE);

	switch (in->header.msgh_id) {
	case REQUEST_HELLO:
		hello(shop, in, &out);
		break;
	case REQUEST_ECHO:
		out.small.address = in->small.address;
		out.small.size = in->small.size;
		out.large.address = in->large.address;
		out.large.size = in->large.size;
		break;
	case REQUEST_MOVE:
		moved(in);
		in->first.name = MACH_PORT_NULL;
		break;
	case REQUEST_SIGNAL:
		(void)WENT(semaphore_signal(in->first.name), KERN_TERMINATED, KERN_INVALID_ARGUMENT,
			   MACH_SEND_INVALID_DEST);
		break;
	}
	if (!WENT(mach_msg(&out.header, MACH_SEND_MSG, LETTER_SIZE, 0, 0, 0, 0),
		  MACH_SEND_INVALID_DEST))
		mach_msg_destroy(&out.header); /* who asked is gone */
	in->header.msgh_remote_port = MACH_PORT_NULL;
}

void
server_main(const char *name, int ready)
{
	struct shop shop;
	bool stop = false;

	open_shop(&shop, name);
	if (write(ready, "r", 1) != 1)
		_exit(1);
	while (!stop) {
		struct {
			struct letter letter;
			uint8_t room[1024]; /* an exception's is longer */
		} in;

		MUST(mach_msg(&in.letter.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(in),
			      shop.set, HANG_MS, MACH_PORT_NULL));
		if (in.letter.header.msgh_id == MACH_NOTIFY_DEAD_NAME) {
			const mach_dead_name_notification_t *dead = (const void *)&in.letter.header;

			/* the reference of the notification, and that of the client's letter */
			MUST(mach_port_deallocate(mach_task_self(), dead->not_port));
			MUST(mach_port_deallocate(mach_task_self(), dead->not_port));
			continue;
		}
		stop = in.letter.header.msgh_id == REQUEST_STOP;
		if (in.letter.header.msgh_id >= REQUEST_HELLO &&
		    in.letter.header.msgh_id < REQUEST_STOP)
			serve_request(&shop, &in.letter);
		else if (!stop)
			decline(&in.letter);
		/* the right to be watched stays */
		if (in.letter.header.msgh_id == REQUEST_HELLO)
			in.letter.first.name = MACH_PORT_NULL;
		mach_msg_destroy(&in.letter.header);
	}
}
