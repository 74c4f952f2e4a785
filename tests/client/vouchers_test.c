/*
 * Vouchers: made and read, carried between two processes, adopted by who serves.
 */
#include "kernel_test.h"

#include <mach/mach_voucher.h>
#include <mach/mig_errors.h>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER_DATA MACH_VOUCHER_ATTR_KEY_USER_DATA
#define STORE MACH_VOUCHER_ATTR_USER_DATA_STORE
#define HANG_MS 60000

static kern_return_t
create(uint32_t key, uint32_t command, mach_port_t previous, const char *content,
       ipc_voucher_t *voucher)
{
	uint8_t bytes[64];
	mach_voucher_attr_recipe_data_t head = { .key = key,
						 .command = command,
						 .previous_voucher = previous,
						 .content_size = (uint32_t)strlen(content) };
	host_t host = mach_host_self();
	kern_return_t code;

	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), content, head.content_size);
	code = host_create_mach_voucher(host, bytes, sizeof(head) + head.content_size, voucher);
	assert_int_equal(mach_port_deallocate(mach_task_self(), host), KERN_SUCCESS);
	return code;
}

static ipc_voucher_t
voucher_new(const char *content)
{
	ipc_voucher_t voucher = IPC_VOUCHER_NULL;

	assert_int_equal(create(USER_DATA, STORE, 0, content, &voucher), KERN_SUCCESS);
	assert_int_not_equal(voucher, IPC_VOUCHER_NULL);
	return voucher;
}

static void
voucher_end(ipc_voucher_t voucher)
{
	assert_int_equal(mach_voucher_deallocate(voucher), KERN_SUCCESS);
}

static bool
holds(ipc_voucher_t voucher, const char *content)
{
	uint8_t bytes[32];
	mach_msg_type_number_t size = sizeof(bytes);

	return mach_voucher_extract_attr_content(voucher, USER_DATA, bytes, &size) ==
		   KERN_SUCCESS &&
	       size == strlen(content) && memcmp(bytes, content, size) == 0;
}

static uint32_t
refs_of(mach_port_t name)
{
	mach_port_urefs_t refs = 0;

	if (mach_port_get_refs(mach_task_self(), name, MACH_PORT_RIGHT_SEND, &refs) != KERN_SUCCESS)
		return 0;
	return refs;
}

/* ---- one process --------------------------------------------------------------------------- */

static void
what_is_put_in_comes_out(void **state)
{
	ipc_voucher_t voucher = voucher_new("hello"), again = voucher_new("hello"), copy, none;
	mach_msg_type_number_t size = 21;
	uint8_t recipe[21], all[21], content[5];

	(void)state;
	assert_int_equal(again, voucher);
	assert_true(holds(voucher, "hello"));
	assert_int_equal(mach_voucher_extract_attr_recipe(voucher, USER_DATA, recipe, &size),
			 KERN_SUCCESS);
	assert_int_equal(size, 21);
	assert_int_equal(mach_voucher_extract_all_attr_recipes(voucher, all, &size), KERN_SUCCESS);
	assert_int_equal(size, 21);
	assert_memory_equal(all, recipe, size);
	assert_int_equal(
	    create(MACH_VOUCHER_ATTR_KEY_ALL, MACH_VOUCHER_ATTR_COPY, voucher, "", &copy),
	    KERN_SUCCESS);
	assert_int_equal(copy, voucher);
	/* the default */
	assert_int_equal(
	    mach_voucher_extract_attr_recipe(voucher, MACH_VOUCHER_ATTR_KEY_BANK, recipe, &size),
	    KERN_SUCCESS);
	assert_int_equal(size, 0);
	/* no recipe, no voucher */
	assert_int_equal(host_create_mach_voucher(mach_host_self(), recipe, 0, &none),
			 KERN_SUCCESS);
	assert_int_equal(none, IPC_VOUCHER_NULL);
	size = sizeof(content);
	assert_int_equal(mach_voucher_attr_command(voucher, USER_DATA, 1, NULL, 0, content, &size),
			 KERN_NOT_SUPPORTED);
	size = sizeof(content);
	assert_int_equal(mach_voucher_debug_info(voucher, USER_DATA, content, &size),
			 KERN_NOT_SUPPORTED);
	for (int i = 0; i < 3; i++)
		voucher_end(voucher);
}

static void
what_is_asked_wrongly_is_refused(void **state)
{
	ipc_voucher_t voucher = voucher_new("wrong"), none;
	mach_port_t port = port_new(), host = mach_host_self();
	mach_msg_type_number_t size = 4;
	static uint8_t bytes[6000];

	(void)state;
	assert_int_equal(create(99, STORE, 0, "", &none), KERN_INVALID_ARGUMENT);
	assert_int_equal(create(5, STORE, 0, "", &none), KERN_INVALID_CAPABILITY);
	assert_int_equal(create(USER_DATA, MACH_VOUCHER_ATTR_COPY, port, "", &none),
			 KERN_INVALID_CAPABILITY);
	assert_int_equal(host_create_mach_voucher(host, bytes, 5121, &none), MIG_ARRAY_TOO_LARGE);
	assert_int_equal(host_create_mach_voucher(host, bytes, 15, &none), KERN_INVALID_ARGUMENT);
	assert_int_equal(mach_voucher_extract_attr_content(voucher, USER_DATA, bytes, &size),
			 KERN_NO_SPACE);
	assert_int_equal(mach_voucher_extract_attr_recipe(voucher, USER_DATA, bytes, &size),
			 KERN_NO_SPACE);
	assert_int_equal(mach_voucher_extract_all_attr_recipes(voucher, bytes, &size),
			 KERN_NO_SPACE);
	assert_int_equal(mach_voucher_extract_attr_content(0, USER_DATA, bytes, &size),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(mach_voucher_extract_attr_recipe(0, USER_DATA, bytes, &size),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(mach_voucher_extract_all_attr_recipes(0, bytes, &size),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(mach_voucher_attr_command(0, USER_DATA, 1, NULL, 0, bytes, &size),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(mach_voucher_extract_attr_content(host, USER_DATA, bytes, &size),
			 KERN_INVALID_ARGUMENT);
	voucher_end(voucher);
	port_end(port);
}

static void *
set_for_another(void *thread)
{
	ipc_voucher_t voucher = voucher_new("another");
	kern_return_t code = thread_set_mach_voucher(*(thread_act_t *)thread, voucher);

	voucher_end(voucher);
	return (void *)(intptr_t)code;
}

static void
a_thread_sets_its_own(void **state)
{
	ipc_voucher_t voucher = voucher_new("mine"), seen;
	thread_act_t self = mach_thread_self();
	mach_msg_header_t header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) };
	pthread_t other;
	void *code;

	(void)state;
	assert_false(voucher_mach_msg_set(&header));
	assert_int_equal(thread_set_mach_voucher(self, voucher), KERN_SUCCESS);
	voucher_end(voucher); /* the thread has it */
	assert_int_equal(thread_get_mach_voucher(self, MACH_VOUCHER_SELECTOR_CURRENT, &seen),
			 KERN_SUCCESS);
	assert_int_equal(seen, voucher);
	assert_true(holds(seen, "mine"));
	voucher_end(seen);
	/* it goes with messages that have none */
	assert_true(voucher_mach_msg_set(&header));
	assert_int_equal(header.msgh_voucher_port, voucher);
	assert_int_equal(MACH_MSGH_BITS_VOUCHER(header.msgh_bits), MACH_MSG_TYPE_COPY_SEND);
	assert_false(voucher_mach_msg_set(&header));
	voucher_mach_msg_clear(&header);
	assert_int_equal(header.msgh_voucher_port, 0);
	assert_int_equal(MACH_MSGH_BITS_VOUCHER(header.msgh_bits), 0);
	assert_int_equal(MACH_MSGH_BITS_REMOTE(header.msgh_bits), MACH_MSG_TYPE_COPY_SEND);
	assert_int_equal(pthread_create(&other, NULL, set_for_another, &self), 0);
	assert_int_equal(pthread_join(other, &code), 0);
	assert_int_equal((intptr_t)code, KERN_INVALID_ARGUMENT);
	assert_int_equal(thread_set_mach_voucher(self, IPC_VOUCHER_NULL), KERN_SUCCESS);
	assert_int_equal(refs_of(voucher), 0);
	assert_false(voucher_mach_msg_set(&header));
	assert_int_equal(mach_port_deallocate(mach_task_self(), self), KERN_SUCCESS);
}

static void
a_task_has_none(void **state)
{
	ipc_voucher_t voucher = voucher_new("task"), seen = 1;

	(void)state;
	assert_int_equal(task_set_mach_voucher(mach_task_self(), voucher), KERN_SUCCESS);
	assert_int_equal(task_get_mach_voucher(mach_task_self(), 0, &seen), KERN_SUCCESS);
	assert_int_equal(seen, IPC_VOUCHER_NULL);
	assert_int_equal(task_swap_mach_voucher(mach_task_self(), voucher, &seen),
			 KERN_NOT_SUPPORTED);
	assert_int_equal(task_get_mach_voucher(MACH_PORT_NULL, 0, &seen), KERN_INVALID_TASK);
	voucher_end(voucher);
}

/* ---- two processes ------------------------------------------------------------------------- */

/* In the child: a message with @disposition for its voucher to its parent, who waits there. */
static int
child_sends(mach_msg_type_name_t disposition)
{
	ipc_voucher_t voucher = voucher_new("from a child");
	mach_port_t *ports;
	mach_msg_type_number_t count;
	struct number_message message;

	if (mach_ports_lookup(mach_task_self(), &ports, &count) != KERN_SUCCESS)
		return 1;
	message = number_to(ports[0], (int)disposition);
	message.header.msgh_bits =
	    MACH_MSGH_BITS_SET_PORTS(MACH_MSG_TYPE_COPY_SEND, 0, disposition);
	message.header.msgh_voucher_port = voucher;
	if (mach_msg(&message.header, MACH_SEND_MSG, NUMBER_SIZE, 0, MACH_PORT_NULL, 0, 0) !=
	    MACH_MSG_SUCCESS)
		return 2;
	return refs_of(voucher) == (disposition == MACH_MSG_TYPE_COPY_SEND) ? 0 : 3;
}

static void
receive_from_child(mach_port_t port, mach_msg_option_t option, struct number_message *message)
{
	assert_int_equal(mach_msg(&message->header, MACH_RCV_MSG | MACH_RCV_TIMEOUT | option, 0,
				  sizeof(*message), port, HANG_MS, MACH_PORT_NULL),
			 MACH_MSG_SUCCESS);
}

static void
a_voucher_travels_between_processes(void **state)
{
	static const mach_msg_type_name_t dispositions[] = { MACH_MSG_TYPE_COPY_SEND,
							     MACH_MSG_TYPE_MOVE_SEND };
	mach_port_t port = port_new(), none = MACH_PORT_NULL;

	(void)state;
	assert_int_equal(mach_ports_register(mach_task_self(), &port, 1), KERN_SUCCESS);
	for (int i = 0; i < 4; i++) {
		bool wanted = i < 2;
		struct number_message message;
		ipc_voucher_t voucher;
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(child_sends(dispositions[i % 2]));
		receive_from_child(port, wanted ? MACH_RCV_VOUCHER : 0, &message);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		voucher = message.header.msgh_voucher_port;
		if (!wanted) {
			assert_int_equal(voucher, MACH_PORT_NULL);
			continue;
		}
		assert_int_equal(MACH_MSGH_BITS_VOUCHER(message.header.msgh_bits),
				 MACH_MSG_TYPE_MOVE_SEND);
		assert_true(holds(voucher, "from a child")); /* who is gone */
		assert_int_equal(voucher_new("from a child"), voucher);
		voucher_end(voucher);
		mach_msg_destroy(&message.header); /* takes the other reference */
		assert_int_equal(refs_of(voucher), 0);
	}
	assert_int_equal(mach_ports_register(mach_task_self(), &none, 1), KERN_SUCCESS);
	port_end(port);
}

/* ---- serving ------------------------------------------------------------------------------- */

static bool served_with_voucher;

static boolean_t
serve(mach_msg_header_t *request, mach_msg_header_t *reply)
{
	thread_act_t self = mach_thread_self();
	ipc_voucher_t voucher = IPC_VOUCHER_NULL;

	assert_int_equal(request->msgh_voucher_port, MACH_PORT_NULL);
	assert_int_equal(thread_get_mach_voucher(self, 0, &voucher), KERN_SUCCESS);
	served_with_voucher = voucher != IPC_VOUCHER_NULL && holds(voucher, "request");
	if (voucher != IPC_VOUCHER_NULL)
		voucher_end(voucher);
	assert_int_equal(mach_port_deallocate(mach_task_self(), self), KERN_SUCCESS);
	((mig_reply_error_t *)reply)->RetCode = MIG_NO_REPLY;
	return TRUE;
}

static void
who_serves_a_message_has_its_voucher(void **state)
{
	ipc_voucher_t own = voucher_new("own"), voucher = voucher_new("request"), seen;
	mach_port_t port = port_new();
	thread_act_t self = mach_thread_self();

	(void)state;
	for (int i = 0; i < 4; i++) {
		bool with = i % 2;
		struct number_message message = number_to(port, i);

		assert_int_equal(thread_set_mach_voucher(self, i < 2 ? IPC_VOUCHER_NULL : own),
				 KERN_SUCCESS);
		if (with) {
			message.header.msgh_voucher_port = voucher;
			message.header.msgh_bits = MACH_MSGH_BITS_SET_PORTS(
			    MACH_MSG_TYPE_COPY_SEND, 0, MACH_MSG_TYPE_COPY_SEND);
		}
		assert_int_equal(
		    mach_msg(&message.header, MACH_SEND_MSG, NUMBER_SIZE, 0, MACH_PORT_NULL, 0, 0),
		    MACH_MSG_SUCCESS);
		assert_int_equal(mach_msg_server_once(serve, 256, port, 0), MACH_MSG_SUCCESS);
		assert_int_equal(served_with_voucher, with);
		/* then everything is as before */
		assert_int_equal(thread_get_mach_voucher(self, 0, &seen), KERN_SUCCESS);
		assert_int_equal(seen, i < 2 ? IPC_VOUCHER_NULL : own);
		if (seen != IPC_VOUCHER_NULL)
			voucher_end(seen);
		assert_int_equal(refs_of(voucher), 1);
		assert_int_equal(refs_of(own), i < 2 ? 1 : 2);
	}
	assert_int_equal(thread_set_mach_voucher(self, IPC_VOUCHER_NULL), KERN_SUCCESS);
	assert_int_equal(mach_port_deallocate(mach_task_self(), self), KERN_SUCCESS);
	voucher_end(voucher);
	voucher_end(own);
	port_end(port);
}

static void *
set_and_end(void *argument)
{
	ipc_voucher_t voucher = voucher_new("of a thread");
	thread_act_t self = mach_thread_self();

	(void)argument;
	assert_int_equal(thread_set_mach_voucher(self, voucher), KERN_SUCCESS);
	assert_int_equal(mach_port_deallocate(mach_task_self(), self), KERN_SUCCESS);
	voucher_end(voucher);
	return (void *)(uintptr_t)voucher;
}

static void
a_thread_that_ends_leaves_none(void **state)
{
	pthread_t thread;
	void *voucher;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, set_and_end, NULL), 0);
	assert_int_equal(pthread_join(thread, &voucher), 0);
	assert_int_equal(refs_of((mach_port_t)(uintptr_t)voucher), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_in_comes_out),
		cmocka_unit_test(what_is_asked_wrongly_is_refused),
		cmocka_unit_test(a_thread_sets_its_own),
		cmocka_unit_test(a_task_has_none),
		cmocka_unit_test(a_voucher_travels_between_processes),
		cmocka_unit_test(who_serves_a_message_has_its_voucher),
		cmocka_unit_test(a_thread_that_ends_leaves_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
