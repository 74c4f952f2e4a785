/*
 * The library's own part of messages: entry points, what is done with buffers and memory,
 * mach_msg_destroy() and server loops.  mach-messages.md §1, §5, §8 and §15.
 */
#include "kernel_test.h"

#include <mach/mach_vm.h>
#include <mach/mig_errors.h>
#include <mach/notify.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_MS 60000

static mach_port_urefs_t
refs_of(mach_port_t name, mach_port_right_t right)
{
	mach_port_urefs_t refs = 0;

	if (mach_port_get_refs(mach_task_self(), name, right, &refs) != KERN_SUCCESS)
		return 0;
	return refs;
}

static mach_port_t
once_new(mach_port_t port)
{
	mach_msg_type_name_t type;
	mach_port_t once = MACH_PORT_NULL;

	assert_int_equal(mach_port_extract_right(mach_task_self(), port,
						 MACH_MSG_TYPE_MAKE_SEND_ONCE, &once, &type),
			 KERN_SUCCESS);
	return once;
}

static bool
is_mapped(const void *page)
{
	unsigned char there;

	return mincore((void *)(uintptr_t)page, 1, &there) == 0;
}

/* The id of the message that waits at @port, or 0. */
static mach_msg_id_t
next_id(mach_port_t port)
{
	struct {
		mach_msg_header_t header;
		uint8_t room[256];
	} message;

	if (mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(message), port, 0,
		     MACH_PORT_NULL) != MACH_MSG_SUCCESS)
		return 0;
	return message.header.msgh_id;
}

/* ---- entry points -------------------------------------------------------------------------- */

static void
every_entry_point_sends_and_receives(void **state)
{
	mach_port_t port = port_new();
	struct number_message message = number_to(port, 1), other;

	(void)state;
	message.header.msgh_size = NUMBER_SIZE;
	assert_int_equal(mach_msg_send(&message.header), MACH_MSG_SUCCESS);
	message = (struct number_message){ .header = { .msgh_local_port = port,
						       .msgh_size = sizeof(message) } };
	assert_int_equal(mach_msg_receive(&message.header), MACH_MSG_SUCCESS);
	assert_int_equal(message.number, 1);
	/* in one call, into another buffer, whose limit is the receive size */
	message = number_to(port, 2);
	memset(&other, 0xee, sizeof(other));
	assert_int_equal(mach_msg_overwrite(&message.header, MACH_SEND_MSG | MACH_RCV_MSG,
					    NUMBER_SIZE, sizeof(other), port, 0, 0, &other.header,
					    0),
			 MACH_MSG_SUCCESS);
	assert_int_equal(other.number, 2);
	assert_int_equal(other.header.msgh_local_port, port);
	assert_int_equal(message.header.msgh_remote_port, port); /* as it was sent */
	/* without one into the first */
	message = number_to(port, 3);
	assert_int_equal(mach_msg_overwrite(&message.header, MACH_SEND_MSG | MACH_RCV_MSG,
					    NUMBER_SIZE, sizeof(message), port, 0, 0, NULL, 0),
			 MACH_MSG_SUCCESS);
	assert_int_equal(message.number, 3);
	assert_int_equal(message.header.msgh_local_port, port);
	assert_int_equal(
	    mach_msg(&message.header, MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT, 0, 0, 0, 0, 0),
	    MACH_MSG_SUCCESS);
	port_end(port);
}

static void
a_send_leaves_the_buffer_as_it_was(void **state)
{
	mach_port_t port = port_new();
	struct number_message message = number_to(port, 5), before;

	(void)state;
	message.header.msgh_size = 0x7fffffff; /* nobody looks */
	message.header.msgh_id = 77;
	before = message;
	assert_int_equal(mach_msg(&message.header, MACH_SEND_MSG, NUMBER_SIZE, 0, 0, 0, 0),
			 MACH_MSG_SUCCESS);
	assert_memory_equal(&message, &before, sizeof(message));
	assert_int_equal(receive_number(port), 5);
	message = before = number_to(0x7703, 5);
	assert_int_equal(mach_msg(&message.header, MACH_SEND_MSG, NUMBER_SIZE, 0, 0, 0, 0),
			 MACH_SEND_INVALID_DEST);
	assert_memory_equal(&message, &before, sizeof(message));
	port_end(port);
}

static void
the_largest_message_arrives(void **state)
{
	const mach_msg_size_t size = 50331580;
	mach_port_t port = port_new();
	uint8_t *bytes =
	    mmap(NULL, size + 100, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mach_msg_header_t *header = (mach_msg_header_t *)bytes;

	(void)state;
	assert_ptr_not_equal(bytes, MAP_FAILED);
	for (size_t i = sizeof(*header); i < size; i += 4096)
		bytes[i] = (uint8_t)(i >> 12);
	bytes[size - 1] = 0x5a;
	header->msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0);
	header->msgh_remote_port = port;
	assert_int_equal(mach_msg(header, MACH_SEND_MSG, size + 4, 0, 0, 0, 0),
			 MACH_SEND_TOO_LARGE);
	assert_int_equal(mach_msg(header, MACH_SEND_MSG, size, 0, 0, 0, 0), MACH_MSG_SUCCESS);
	memset(bytes, 0, size);
	assert_int_equal(mach_msg(header, MACH_RCV_MSG, 0, size + 100, port, 0, 0),
			 MACH_MSG_SUCCESS);
	assert_int_equal(header->msgh_size, size);
	for (size_t i = sizeof(*header); i < size; i += 4096)
		assert_int_equal(bytes[i], (uint8_t)(i >> 12));
	assert_int_equal(bytes[size - 1], 0x5a);
	munmap(bytes, size + 100);
	port_end(port);
}

/* ---- memory ---------------------------------------------------------------------------------- */

struct array_message {
	mach_msg_base_t base;
	mach_msg_ool_ports_descriptor_t array;
	mach_msg_max_trailer_t trailer;
};

#define ARRAY_SIZE ((mach_msg_size_t)offsetof(struct array_message, trailer))

static struct array_message
array_to(mach_port_t port, mach_port_t *names, uint32_t count, bool deallocate)
{
	return (struct array_message){
		.base = { .header = { .msgh_bits = MACH_MSGH_BITS_COMPLEX |
						   MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
				      .msgh_remote_port = port },
			  .body = { 1 } },
		.array = { .address = names,
			   .count = count,
			   .deallocate = deallocate,
			   .disposition = MACH_MSG_TYPE_COPY_SEND,
			   .type = MACH_MSG_OOL_PORTS_DESCRIPTOR },
	};
}

static mach_port_t *
names_page(mach_port_t first, mach_port_t second)
{
	mach_port_t *names =
	    mmap(NULL, vm_page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(names, MAP_FAILED);
	names[0] = first;
	names[1] = second;
	return names;
}

static void
the_memory_of_an_array_goes_before_its_rights(void **state)
{
	mach_port_t port = port_new(), *names = names_page(port, port);
	struct array_message message = array_to(port, names, 2, true);

	(void)state;
	assert_int_equal(mach_msg(&message.base.header, MACH_SEND_MSG, ARRAY_SIZE, 0, 0, 0, 0),
			 MACH_MSG_SUCCESS);
	assert_false(is_mapped(names));
	assert_int_equal(
	    mach_msg(&message.base.header, MACH_RCV_MSG, 0, sizeof(message), port, 0, 0),
	    MACH_MSG_SUCCESS);
	mach_msg_destroy(&message.base.header);
	/* a name in it that is none is found afterwards */
	names = names_page(port, 0x7703);
	message = array_to(port, names, 2, true);
	assert_int_equal(mach_msg(&message.base.header, MACH_SEND_MSG, ARRAY_SIZE, 0, 0, 0, 0),
			 MACH_SEND_INVALID_RIGHT);
	assert_false(is_mapped(names));
	/* without the flag it stays */
	names = names_page(port, 0x7703);
	message = array_to(port, names, 2, false);
	assert_int_equal(mach_msg(&message.base.header, MACH_SEND_MSG, ARRAY_SIZE, 0, 0, 0, 0),
			 MACH_SEND_INVALID_RIGHT);
	assert_true(is_mapped(names));
	munmap(names, vm_page_size);
	assert_int_equal(refs_of(port, MACH_PORT_RIGHT_SEND), 1);
	port_end(port);
}

struct memory_message {
	mach_msg_base_t base;
	mach_msg_ool_descriptor_t memory;
	mach_msg_max_trailer_t trailer;
};

#define MEMORY_SIZE ((mach_msg_size_t)offsetof(struct memory_message, trailer))
#define MUCH (256u << 20)

/* In a child, whose address space gets full; its exit status. */
static int
receives_without_room(void)
{
	mach_port_t port = port_new();
	void *memory = mmap(NULL, MUCH, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct memory_message message = {
		.base = { .header = { .msgh_bits = MACH_MSGH_BITS_COMPLEX |
						   MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
				      .msgh_remote_port = port,
				      .msgh_id = 9 },
			  .body = { 1 } },
		.memory = { .address = memory,
			    .size = MUCH,
			    .deallocate = 1,
			    .copy = MACH_MSG_VIRTUAL_COPY,
			    .type = MACH_MSG_OOL_DESCRIPTOR },
	};
	unsigned long pages = 0;
	FILE *statm;

	if (memory == MAP_FAILED || mach_msg(&message.base.header, MACH_SEND_MSG, MEMORY_SIZE, 0, 0,
					     0, 0) != MACH_MSG_SUCCESS)
		return 1;
	statm = fopen("/proc/self/statm", "r");
	if (statm == NULL || fscanf(statm, "%lu", &pages) != 1)
		return 2;
	fclose(statm);
	struct rlimit limit = { .rlim_max = RLIM_INFINITY };

	if (getrlimit(RLIMIT_AS, &limit) != 0)
		return 3;
	limit.rlim_cur = (rlim_t)pages * vm_page_size + MUCH / 2;
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		return 4;
	if (mach_msg(&message.base.header, MACH_RCV_MSG, 0, sizeof(message), port, 0, 0) !=
	    (MACH_RCV_BODY_ERROR | MACH_MSG_VM_SPACE))
		return 5;
	/* the rest of the message is there */
	if (message.base.header.msgh_id != 9 || message.base.body.msgh_descriptor_count != 1 ||
	    message.memory.address != NULL || message.memory.size != 0)
		return 6;
	return send_number(port, 4) == MACH_MSG_SUCCESS && receive_number(port) == 4 ? 0 : 7;
}

static void
memory_that_finds_no_room_is_told(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(receives_without_room());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- mach_msg_destroy ------------------------------------------------------------------------ */

struct port_message {
	mach_msg_base_t base;
	mach_msg_port_descriptor_t right;
};

/* Destroys a message with @name of @disposition: as its destination, or in its body. */
static void
destroy_right(mach_port_t name, mach_msg_type_name_t disposition, bool in_body)
{
	struct port_message message = { .base.body = { 1 } };

	if (in_body) {
		message.base.header.msgh_bits = MACH_MSGH_BITS_COMPLEX;
		message.right = (mach_msg_port_descriptor_t){ .name = name,
							      .disposition = disposition,
							      .type = MACH_MSG_PORT_DESCRIPTOR };
	} else {
		message.base.header.msgh_bits = MACH_MSGH_BITS(disposition, 0);
		message.base.header.msgh_remote_port = name;
	}
	mach_msg_destroy(&message.base.header);
}

static void
destroying_a_message_ends_each_right_in_its_way(void **state)
{
	mach_port_t notify = port_new(), previous;

	(void)state;
	for (int in_body = 0; in_body < 2; in_body++) {
		mach_port_t port = port_new(), once = once_new(port);

		destroy_right(port, MACH_MSG_TYPE_COPY_SEND, in_body); /* nothing was taken */
		destroy_right(MACH_PORT_NULL, MACH_MSG_TYPE_MOVE_SEND, in_body);
		destroy_right(MACH_PORT_DEAD, MACH_MSG_TYPE_MOVE_SEND, in_body);
		destroy_right(port, 0, in_body);
		assert_int_equal(refs_of(port, MACH_PORT_RIGHT_SEND), 1);
		destroy_right(port, MACH_MSG_TYPE_MOVE_SEND, in_body);
		assert_int_equal(refs_of(port, MACH_PORT_RIGHT_SEND), 0);
		destroy_right(once, MACH_MSG_TYPE_MOVE_SEND_ONCE, in_body);
		assert_int_equal(refs_of(once, MACH_PORT_RIGHT_SEND_ONCE), 0);
		assert_int_equal(next_id(port), MACH_NOTIFY_SEND_ONCE);
		/* what was still to be made is made and given up: others are told */
		assert_int_equal(mach_port_request_notification(
				     mach_task_self(), port, MACH_NOTIFY_NO_SENDERS, 2, notify,
				     MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous),
				 KERN_SUCCESS);
		destroy_right(port, MACH_MSG_TYPE_MAKE_SEND, in_body);
		assert_int_equal(next_id(notify), MACH_NOTIFY_NO_SENDERS);
		destroy_right(port, MACH_MSG_TYPE_MAKE_SEND_ONCE, in_body);
		assert_int_equal(next_id(port), MACH_NOTIFY_SEND_ONCE);
		destroy_right(port, MACH_MSG_TYPE_MOVE_RECEIVE, in_body);
		assert_int_equal(refs_of(port, MACH_PORT_RIGHT_RECEIVE), 0);
	}
	port_end(notify);
}

static void
destroying_a_message_leaves_its_local_right(void **state)
{
	mach_port_t port = port_new();
	mach_msg_header_t header = { .msgh_bits = MACH_MSGH_BITS(0, MACH_MSG_TYPE_MOVE_SEND),
				     .msgh_local_port = port };

	(void)state;
	mach_msg_destroy(&header);
	assert_int_equal(refs_of(port, MACH_PORT_RIGHT_SEND), 1);
	port_end(port);
}

static void
destroying_a_message_frees_what_it_says(void **state)
{
	static const mach_msg_descriptor_type_t types[] = { MACH_MSG_OOL_DESCRIPTOR,
							    MACH_MSG_OOL_VOLATILE_DESCRIPTOR };
	mach_port_t port = port_new(), *names;

	(void)state;
	for (int i = 0; i < 4; i++) {
		bool deallocate = i % 2, is_volatile = i / 2;
		void *page = names_page(0, 0);
		struct memory_message message = {
			.base = { .header.msgh_bits = MACH_MSGH_BITS_COMPLEX, .body = { 1 } },
			.memory = { .address = page,
				    .size = (mach_msg_size_t)vm_page_size,
				    .deallocate = deallocate,
				    .type = types[is_volatile] },
		};

		mach_msg_destroy(&message.base.header);
		assert_int_equal(is_mapped(page), !deallocate || is_volatile);
		if (is_mapped(page))
			munmap(page, vm_page_size);
	}
	for (int deallocate = 0; deallocate < 2; deallocate++) {
		struct array_message message;

		assert_int_equal(
		    mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, 2),
		    KERN_SUCCESS);
		names = names_page(port, port);
		message = array_to(MACH_PORT_NULL, names, 2, deallocate);
		message.array.disposition = MACH_MSG_TYPE_MOVE_SEND;
		mach_msg_destroy(&message.base.header);
		assert_int_equal(is_mapped(names), !deallocate);
		if (!deallocate)
			munmap(names, vm_page_size);
		assert_int_equal(refs_of(port, MACH_PORT_RIGHT_SEND), 1);
	}
	/* without the complex bit there is a header and no more */
	names = names_page(port, port);
	struct array_message message = array_to(MACH_PORT_NULL, names, 2, true);

	message.base.header.msgh_bits = 0;
	mach_msg_destroy(&message.base.header);
	assert_true(is_mapped(names));
	munmap(names, vm_page_size);
	port_end(port);
}

static void
destroying_a_message_unguards_what_it_carries(void **state)
{
	mach_port_t port = port_new();
	struct {
		mach_msg_base_t base;
		mach_msg_guarded_port_descriptor_t right;
	} message = { .base = { .header.msgh_bits = MACH_MSGH_BITS_COMPLEX, .body = { 1 } },
		      .right = { .name = port,
				 .context = 77,
				 .flags = MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE,
				 .disposition = MACH_MSG_TYPE_MOVE_RECEIVE,
				 .type = MACH_MSG_GUARDED_PORT_DESCRIPTOR } };

	(void)state;
	assert_int_equal(mach_port_guard(mach_task_self(), port, 77, FALSE), KERN_SUCCESS);
	/* which it says it is not: it stays guarded, and there */
	message.right.flags |= MACH_MSG_GUARD_FLAGS_UNGUARDED_ON_SEND;
	mach_msg_destroy(&message.base.header);
	assert_int_equal(refs_of(port, MACH_PORT_RIGHT_RECEIVE), 1);
	message.right.flags = MACH_MSG_GUARD_FLAGS_IMMOVABLE_RECEIVE;
	mach_msg_destroy(&message.base.header);
	assert_int_equal(refs_of(port, MACH_PORT_RIGHT_RECEIVE), 0);
	assert_int_equal(mach_port_deallocate(mach_task_self(), port), KERN_SUCCESS);
}

/* ---- servers --------------------------------------------------------------------------------- */

static struct {
	kern_return_t code;
	bool is_complex;
	mach_port_t carried; /* the name that came */
} served;

static boolean_t
serve(mach_msg_header_t *request, mach_msg_header_t *reply)
{
	mig_reply_error_t *out = (mig_reply_error_t *)reply;

	mig_reply_setup(request, reply);
	out->Head.msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(request->msgh_bits), 0);
	out->Head.msgh_remote_port = request->msgh_remote_port;
	out->RetCode = served.code;
	served.carried = ((struct port_message *)request)->right.name;
	return FALSE; /* which says nothing */
}

static struct port_message
request_to(mach_port_t port, mach_port_t reply, mach_port_t carried)
{
	return (struct port_message){
		.base = { .header = { .msgh_bits =
					  MACH_MSGH_BITS_COMPLEX |
					  MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
							 reply == MACH_PORT_NULL
							     ? 0
							     : MACH_MSG_TYPE_MAKE_SEND_ONCE),
				      .msgh_remote_port = port,
				      .msgh_local_port = reply,
				      .msgh_id = 400 },
			  .body = { 1 } },
		.right = { .name = carried,
			   .disposition = MACH_MSG_TYPE_MAKE_SEND,
			   .type = MACH_MSG_PORT_DESCRIPTOR },
	};
}

static void
ask(mach_port_t port, mach_port_t reply, mach_port_t carried)
{
	struct port_message request = request_to(port, reply, carried);

	assert_int_equal(mach_msg(&request.base.header, MACH_SEND_MSG, sizeof(request), 0, 0, 0, 0),
			 MACH_MSG_SUCCESS);
}

/* The code that an answer at @port gives. */
static kern_return_t
answer(mach_port_t port)
{
	struct {
		mig_reply_error_t error;
		mach_msg_max_trailer_t trailer;
	} reply;

	assert_int_equal(mach_msg(&reply.error.Head, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
				  sizeof(reply), port, HANG_MS, MACH_PORT_NULL),
			 MACH_MSG_SUCCESS);
	assert_int_equal(reply.error.Head.msgh_id, 500);
	return reply.error.RetCode;
}

static void
a_server_destroys_a_request_that_failed(void **state)
{
	mach_port_t port = port_new(), reply = port_new(), carried;

	(void)state;
	assert_int_equal(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &carried),
			 KERN_SUCCESS);
	served.code = KERN_SUCCESS;
	ask(port, reply, carried);
	assert_int_equal(mach_msg_server_once(serve, 512, port, 0), MACH_MSG_SUCCESS);
	assert_int_equal(served.carried, carried);
	assert_int_equal(answer(reply), KERN_SUCCESS);
	assert_int_equal(refs_of(carried, MACH_PORT_RIGHT_SEND), 1); /* the server's to keep */
	served.code = KERN_NO_SPACE;
	ask(port, reply, carried);
	assert_int_equal(mach_msg_server_once(serve, 512, port, 0), MACH_MSG_SUCCESS);
	assert_int_equal(answer(reply), KERN_NO_SPACE);
	assert_int_equal(refs_of(carried, MACH_PORT_RIGHT_SEND), 1);
	port_end(carried);
	port_end(reply);
	port_end(port);
}

static void
a_server_need_not_answer(void **state)
{
	mach_port_t port = port_new(), reply = port_new();

	(void)state;
	served.code = MIG_NO_REPLY;
	ask(port, reply, MACH_PORT_NULL);
	/* options that the loop sets itself are none of the caller's */
	assert_int_equal(mach_msg_server_once(serve, 512, port, MACH_SEND_MSG | MACH_RCV_VOUCHER),
			 MACH_MSG_SUCCESS);
	assert_int_equal(next_id(reply), 0);
	/* nor is there an answer where nobody asked for one */
	served.code = KERN_SUCCESS;
	ask(port, MACH_PORT_NULL, MACH_PORT_NULL);
	assert_int_equal(mach_msg_server_once(serve, 512, port, 0), MACH_MSG_SUCCESS);
	port_end(reply);
	port_end(port);
}

/* A client that is gone when it is to be answered, or whose queue is full. */
static boolean_t
serve_whom_nobody_hears(mach_msg_header_t *request, mach_msg_header_t *reply)
{
	mach_port_t port = request->msgh_remote_port;

	serve(request, reply);
	if (MACH_MSGH_BITS_REMOTE(request->msgh_bits) == MACH_MSG_TYPE_MOVE_SEND) {
		for (int i = 0; i < MACH_PORT_QLIMIT_DEFAULT; i++)
			assert_int_equal(send_number(port, i), MACH_MSG_SUCCESS);
	}
	return TRUE;
}

static void
a_server_goes_on_when_its_client_has_gone(void **state)
{
	mach_port_t port = port_new(), reply = port_new();
	struct port_message request = request_to(port, reply, MACH_PORT_NULL);

	(void)state;
	served.code = KERN_SUCCESS;
	/* an answer to a send right does not wait for room */
	request.base.header.msgh_bits =
	    MACH_MSGH_BITS_COMPLEX |
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND);
	assert_int_equal(mach_msg(&request.base.header, MACH_SEND_MSG, sizeof(request), 0, 0, 0, 0),
			 MACH_MSG_SUCCESS);
	assert_int_equal(mach_msg_server_once(serve_whom_nobody_hears, 512, port, 0),
			 MACH_MSG_SUCCESS);
	for (int i = 0; i < MACH_PORT_QLIMIT_DEFAULT; i++)
		assert_int_equal(receive_number(reply), i);
	assert_int_equal(next_id(reply), 0);
	/* what was not delivered was given up */
	assert_int_equal(refs_of(reply, MACH_PORT_RIGHT_SEND), 1);
	ask(port, reply, MACH_PORT_NULL);
	port_end(reply);
	assert_int_equal(mach_msg_server_once(serve, 512, port, 0), MACH_MSG_SUCCESS);
	port_end(port);
}

/* ---- special reply ports --------------------------------------------------------------------- */

static void
a_special_reply_port_ends_as_it_is_told(void **state)
{
	mach_port_t self = mach_task_self(), port;
	mach_port_type_t type;

	(void)state;
	port = thread_get_special_reply_port();
	assert_int_equal(mach_port_type(self, port, &type), KERN_SUCCESS);
	assert_int_equal(type, MACH_PORT_TYPE_SEND_RECEIVE);
	assert_int_equal(thread_destruct_special_reply_port(port, 77), KERN_INVALID_ARGUMENT);
	assert_int_equal(
	    thread_destruct_special_reply_port(port, THREAD_SPECIAL_REPLY_PORT_SEND_ONLY),
	    KERN_SUCCESS);
	assert_int_equal(mach_port_type(self, port, &type), KERN_SUCCESS);
	assert_int_equal(type, MACH_PORT_TYPE_RECEIVE);
	assert_int_equal(
	    thread_destruct_special_reply_port(port, THREAD_SPECIAL_REPLY_PORT_RECEIVE_ONLY),
	    KERN_SUCCESS);
	assert_int_equal(mach_port_type(self, port, &type), KERN_INVALID_NAME);

	port = thread_get_special_reply_port();
	assert_int_equal(
	    thread_destruct_special_reply_port(port, THREAD_SPECIAL_REPLY_PORT_RECEIVE_ONLY),
	    KERN_SUCCESS);
	assert_int_equal(mach_port_type(self, port, &type), KERN_SUCCESS);
	assert_int_equal(type, MACH_PORT_TYPE_DEAD_NAME);
	assert_int_equal(mach_port_deallocate(self, port), KERN_SUCCESS);

	port = thread_get_special_reply_port();
	assert_int_equal(thread_destruct_special_reply_port(port, THREAD_SPECIAL_REPLY_PORT_ALL),
			 KERN_SUCCESS);
	assert_int_equal(mach_port_type(self, port, &type), KERN_INVALID_NAME);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_entry_point_sends_and_receives),
		cmocka_unit_test(a_send_leaves_the_buffer_as_it_was),
		cmocka_unit_test(the_largest_message_arrives),
		cmocka_unit_test(the_memory_of_an_array_goes_before_its_rights),
		cmocka_unit_test(memory_that_finds_no_room_is_told),
		cmocka_unit_test(destroying_a_message_ends_each_right_in_its_way),
		cmocka_unit_test(destroying_a_message_leaves_its_local_right),
		cmocka_unit_test(destroying_a_message_frees_what_it_says),
		cmocka_unit_test(destroying_a_message_unguards_what_it_carries),
		cmocka_unit_test(a_server_destroys_a_request_that_failed),
		cmocka_unit_test(a_server_need_not_answer),
		cmocka_unit_test(a_server_goes_on_when_its_client_has_gone),
		cmocka_unit_test(a_special_reply_port_ends_as_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
