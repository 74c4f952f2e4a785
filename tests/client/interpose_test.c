/*
 * Calls as messages: on ports that a program receives on itself, on other tasks, and by hand
 * to the kernel.
 */
#include "kernel_test.h"
#include "tests/support/memcheck.h"

#include <mach/mach_error.h>
#include <mach/mach_host.h>
#include <mach/mach_port.h>
#include <mach/mach_vm.h>
#include <mach/mig_errors.h>
#include <mach/thread_act.h>

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a program that serves tasks --------------------------------------------------------- */

#define REFUSED 0x4321 /* what it says to everybody */

struct interposer {
	mach_port_t port;
	mach_msg_id_t asked; /* the last one's number */
	uint32_t port_count; /* descriptors of it */
	pthread_t thread;
};

static struct interposer interposer;

static boolean_t
refuse(mach_msg_header_t *request, mach_msg_header_t *reply)
{
	mig_reply_error_t *error = (mig_reply_error_t *)reply;

	interposer.asked = request->msgh_id;
	interposer.port_count = 0;
	if (request->msgh_bits & MACH_MSGH_BITS_COMPLEX)
		interposer.port_count = ((mach_msg_base_t *)request)->body.msgh_descriptor_count;
	*error = (mig_reply_error_t){
		.Head.msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(request->msgh_bits), 0),
		.Head.msgh_size = sizeof(*error),
		.Head.msgh_remote_port = request->msgh_remote_port,
		.Head.msgh_id = request->msgh_id + 100,
		.NDR = NDR_record,
		.RetCode = REFUSED,
	};
	return TRUE;
}

static void *
interpose(void *unused)
{
	(void)unused;
	/* until the port is gone */
	while (mach_msg_server_once(refuse, 8192, interposer.port, 0) == MACH_MSG_SUCCESS)
		;
	return NULL;
}

static void
interposer_start(void)
{
	interposer.port = port_new();
	interposer.asked = 0;
	assert_int_equal(pthread_create(&interposer.thread, NULL, interpose, NULL), 0);
}

static void
interposer_end(void)
{
	/* the thread waits in a receive, which ends with the port */
	port_end(interposer.port);
	pthread_join(interposer.thread, NULL);
}

/* The call asks the interposer, by a request of this number, and says what that says. */
#define ASKS(call, id)                                                                             \
	do {                                                                                       \
		interposer.asked = 0;                                                              \
		kern_return_t code_ = (call);                                                      \
		if (code_ != REFUSED || interposer.asked != (id))                                  \
			fail_msg("%s: %#x after request %d, not %d", #call, (unsigned)code_,       \
				 interposer.asked, id);                                            \
	} while (0)

static void
calls_on_names_ask_who_serves_the_port(void **state)
{
	mach_port_t task, other, out;
	mach_port_name_t name = 0x5503;
	mach_port_name_array_t names;
	mach_port_type_array_t types;
	mach_port_qos_t qos = { 0 };
	mach_port_options_t options = { 0 };
	mach_port_context_t context;
	mach_msg_type_name_t kind;
	mach_msg_type_number_t count = 10, more = 10;
	mach_vm_address_t address;
	ipc_info_space_t space;
	ipc_info_space_basic_t basic;
	ipc_info_name_array_t table;
	ipc_info_tree_name_array_t tree;
	mach_service_port_info_data_t service;
	kobject_description_t text;
	natural_t number;
	boolean_t lost;
	uint64_t wide;
	int info[64] = { 0 };
	char trailer[68];
	mach_msg_id_t id;

	(void)state;
	interposer_start();
	task = interposer.port;
	other = port_new();
	ASKS(mach_port_names(task, &names, &count, &types, &more), 3200);
	ASKS(mach_port_type(task, name, &number), 3201);
	ASKS(mach_port_rename(task, name, name), 3202);
	ASKS(mach_port_allocate_name(task, 1, name), 3203);
	ASKS(mach_port_allocate(task, 1, &name), 3204);
	ASKS(mach_port_destroy(task, name), 3205);
	ASKS(mach_port_deallocate(task, name), 3206);
	ASKS(mach_port_get_refs(task, name, 1, &number), 3207);
	ASKS(mach_port_mod_refs(task, name, 1, -1), 3208);
	number = 0;
	count = sizeof(trailer);
	ASKS(mach_port_peek(task, name, 0, &number, &number, &id, trailer, &count), 3209);
	ASKS(mach_port_set_mscount(task, name, 1), 3210);
	ASKS(mach_port_get_set_status(task, name, &names, &count), 3211);
	ASKS(mach_port_move_member(task, name, name), 3212);
	ASKS(mach_port_request_notification(task, name, MACH_NOTIFY_DEAD_NAME, 0, other,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, &out),
	     3213);
	assert_int_equal(interposer.port_count, 1);
	ASKS(mach_port_insert_right(task, name, other, MACH_MSG_TYPE_MAKE_SEND), 3214);
	assert_int_equal(interposer.port_count, 1);
	ASKS(mach_port_extract_right(task, name, MACH_MSG_TYPE_MAKE_SEND, &out, &kind), 3215);
	ASKS(mach_port_set_seqno(task, name, 1), 3216);
	count = 10;
	ASKS(mach_port_get_attributes(task, name, MACH_PORT_RECEIVE_STATUS, info, &count), 3217);
	ASKS(mach_port_set_attributes(task, name, MACH_PORT_LIMITS_INFO, info, 1), 3218);
	ASKS(mach_port_allocate_qos(task, 1, &qos, &name), 3219);
	ASKS(mach_port_allocate_full(task, 1, MACH_PORT_NULL, &qos, &name), 3220);
	ASKS(mach_port_allocate_full(task, 1, other, &qos, &name), 3220);
	ASKS(task_set_port_space(task, 4), 3221);
	ASKS(mach_port_get_srights(task, name, &number), 3222);
	ASKS(mach_port_space_info(task, &space, &table, &count, &tree, &more), 3223);
	ASKS(mach_port_dnrequest_info(task, name, &number, &number), 3224);
	ASKS(mach_port_kernel_object(task, name, &number, &number), 3225);
	ASKS(mach_port_insert_member(task, name, name), 3226);
	ASKS(mach_port_extract_member(task, name, name), 3227);
	ASKS(mach_port_get_context(task, name, &context), 3228);
	ASKS(mach_port_set_context(task, name, 1), 3229);
	ASKS(mach_port_kobject(task, name, &number, &address), 3230);
	ASKS(mach_port_construct(task, &options, 0, &name), 3231);
	ASKS(mach_port_destruct(task, name, 0, 0), 3232);
	ASKS(mach_port_guard(task, name, 1, TRUE), 3233);
	ASKS(mach_port_unguard(task, name, 1), 3234);
	ASKS(mach_port_space_basic_info(task, &basic), 3235);
	ASKS(mach_port_special_reply_port_reset_link(task, name, &lost), 3236);
	ASKS(mach_port_guard_with_flags(task, name, 1, 0), 3237);
	ASKS(mach_port_swap_guard(task, name, 1, 2), 3238);
	ASKS(mach_port_kobject_description(task, name, &number, &address, text), 3239);
	ASKS(mach_port_is_connection_for_service(task, name, name, &wide), 3240);
	ASKS(mach_port_get_service_port_info(task, name, &service), 3241);
	ASKS(mach_port_assert_attributes(task, name, MACH_PORT_GUARD_INFO, info, 2), 3242);
	port_end(other);
	interposer_end();
}

static void
calls_on_tasks_threads_and_hosts_ask_who_serves_the_port(void **state)
{
	mach_msg_type_number_t count = 8;
	mach_port_array_t ports;
	mach_port_t task, port, registered[4] = { 0 };
	host_basic_info_data_t host;
	kernel_version_t version;
	mach_vm_address_t address = 0;
	vm_offset_t data;
	int info[64];

	(void)state;
	interposer_start();
	task = interposer.port;
	ASKS(task_terminate(task), 3401);
	ASKS(mach_ports_register(task, registered, 3), 3403);
	ASKS(mach_ports_lookup(task, &ports, &count), 3404);
	count = TASK_BASIC_INFO_COUNT;
	ASKS(task_info(task, TASK_BASIC_INFO, info, &count), 3405);
	ASKS(task_suspend(task), 3407);
	ASKS(task_resume(task), 3408);
	ASKS(task_suspend2(task, &port), 3436);
	ASKS(task_get_special_port(task, TASK_BOOTSTRAP_PORT, &port), 3409);
	ASKS(task_set_special_port(task, TASK_BOOTSTRAP_PORT, MACH_PORT_NULL), 3410);
	ASKS(thread_terminate(task), 3600);
	ASKS(thread_suspend(task), 3605);
	count = HOST_BASIC_INFO_COUNT;
	ASKS(host_info(task, HOST_BASIC_INFO, (host_info_t)&host, &count), 200);
	ASKS(host_kernel_version(task, version), 201);
	ASKS(host_get_special_port(task, HOST_LOCAL_NODE, HOST_PORT, &port), 412);
	ASKS(semaphore_create(task, &port, 0, 0), 3418);
	ASKS(mach_vm_allocate(task, &address, 4096, VM_FLAGS_ANYWHERE), 4800);
	ASKS(vm_deallocate(task, 0, 4096), 4801);
	ASKS(mach_vm_read(task, 0, 4096, &data, &count), 4804);
	interposer_end();
}

/* A port that dies with the request in its queue, as when its program is killed. */
static void *
destroy_when_asked(void *unused)
{
	mach_port_status_t status = { 0 };

	(void)unused;
	while (status.mps_msgcount == 0) {
		mach_msg_type_number_t count = MACH_PORT_RECEIVE_STATUS_COUNT;

		assert_int_equal(mach_port_get_attributes(mach_task_self(), interposer.port,
							  MACH_PORT_RECEIVE_STATUS,
							  (mach_port_info_t)&status, &count),
				 KERN_SUCCESS);
		sched_yield();
	}
	assert_int_equal(
	    mach_port_mod_refs(mach_task_self(), interposer.port, MACH_PORT_RIGHT_RECEIVE, -1),
	    KERN_SUCCESS);
	return NULL;
}

static void
a_server_that_dies_ends_the_call(void **state)
{
	mach_port_name_t name;

	(void)state;
	interposer.port = port_new();
	assert_int_equal(pthread_create(&interposer.thread, NULL, destroy_when_asked, NULL), 0);
	assert_int_equal(mach_port_allocate(interposer.port, MACH_PORT_RIGHT_RECEIVE, &name),
			 MIG_SERVER_DIED);
	pthread_join(interposer.thread, NULL);
	assert_int_equal(mach_port_allocate(interposer.port, MACH_PORT_RIGHT_RECEIVE, &name),
			 MACH_SEND_INVALID_DEST);
	port_end(interposer.port);
}

/* ---- other tasks ------------------------------------------------------------------------- */

static void
what_is_no_right_says_so(void **state)
{
	mach_msg_type_number_t count = TASK_BASIC_INFO_COUNT;
	mach_vm_address_t address = 0;
	mach_port_name_t name;
	int info[64];

	(void)state;
	assert_int_equal(mach_port_allocate(0x7703, MACH_PORT_RIGHT_RECEIVE, &name),
			 MACH_SEND_INVALID_DEST);
	assert_int_equal(task_info(0x7703, TASK_BASIC_INFO, info, &count), MACH_SEND_INVALID_DEST);
	assert_int_equal(mach_port_allocate(mach_host_self(), MACH_PORT_RIGHT_RECEIVE, &name),
			 KERN_INVALID_TASK);
	assert_int_equal(mach_vm_allocate(mach_host_self(), &address, 4096, VM_FLAGS_ANYWHERE),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(mach_vm_allocate(MACH_PORT_NULL, &address, 4096, VM_FLAGS_ANYWHERE),
			 KERN_INVALID_ARGUMENT);
}

/* The child's task port, which it registers as the parent's bootstrap knows it by a message. */
static mach_port_t
task_of_child(mach_port_t mailbox)
{
	struct {
		mach_msg_base_t base;
		mach_msg_port_descriptor_t task;
		mach_msg_max_trailer_t trailer;
	} message;

	assert_int_equal(mach_msg(&message.base.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
				  sizeof(message), mailbox, 20000, MACH_PORT_NULL),
			 MACH_MSG_SUCCESS);
	return message.task.name;
}

static void
child_sends_its_task(void)
{
	mach_port_array_t ports;
	mach_msg_type_number_t count;
	struct {
		mach_msg_base_t base;
		mach_msg_port_descriptor_t task;
	} message = { .base.body.msgh_descriptor_count = 1 };

	if (mach_ports_lookup(mach_task_self(), &ports, &count) != KERN_SUCCESS || count < 1)
		_exit(2);
	message.base.header.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX;
	message.base.header.msgh_remote_port = ports[0];
	message.task.name = mach_task_self();
	message.task.disposition = MACH_MSG_TYPE_COPY_SEND;
	message.task.type = MACH_MSG_PORT_DESCRIPTOR;
	if (mach_msg(&message.base.header, MACH_SEND_MSG, sizeof(message), 0, MACH_PORT_NULL, 0,
		     MACH_PORT_NULL) != MACH_MSG_SUCCESS)
		_exit(3);
}

static void
another_task_is_served_as_far_as_the_kernel_can(void **state)
{
	mach_msg_type_number_t count = TASK_BASIC_INFO_COUNT;
	mach_vm_address_t address = 0;
	mach_port_t mailbox = port_new(), task, token;
	mach_port_name_t name;
	task_basic_info_data_t info;
	int wait_for[2];
	pid_t child;

	(void)state;
	assert_int_equal(mach_ports_register(mach_task_self(), &mailbox, 1), KERN_SUCCESS);
	assert_int_equal(pipe(wait_for), 0);
	child = fork();
	if (child == 0) {
		char byte;

		close(wait_for[1]);
		child_sends_its_task();
		_exit(read(wait_for[0], &byte, 1) == 0 ? 0 : 4);
	}
	task = task_of_child(mailbox);
	assert_int_equal(mach_port_allocate(task, MACH_PORT_RIGHT_RECEIVE, &name), KERN_SUCCESS);
	assert_int_equal(task_info(task, TASK_BASIC_INFO, (task_info_t)&info, &count),
			 KERN_SUCCESS);
	assert_int_equal(info.suspend_count, 0);
	assert_int_equal(mach_vm_allocate(task, &address, 4096, VM_FLAGS_ANYWHERE), MIG_BAD_ID);
	assert_int_equal(mach_vm_deallocate(task, 0, 4096), MIG_BAD_ID);
	if (!is_under_memcheck()) { /* which knows no pidfd_send_signal() */
		assert_int_equal(task_suspend2(task, &token), KERN_SUCCESS);
		assert_int_equal(task_resume2(token), KERN_SUCCESS);
	}
	close(wait_for[0]);
	close(wait_for[1]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(mach_port_deallocate(mach_task_self(), task), KERN_SUCCESS);
	assert_int_equal(mach_ports_register(mach_task_self(), NULL, 0), KERN_SUCCESS);
	port_end(mailbox);
}

/* ---- the kernel, by hand ------------------------------------------------------------------- */

struct allocate_request {
	mach_msg_header_t header;
	NDR_record_t ndr;
	mach_port_right_t right;
};

union allocate_reply {
	struct {
		mach_msg_header_t header;
		NDR_record_t ndr;
		kern_return_t code;
		mach_port_name_t name;
	} reply;
	uint8_t room[128];
};

static kern_return_t
ask_kernel(mach_msg_id_t id, mach_msg_size_t size, union allocate_reply *reply)
{
	struct allocate_request request = {
		.header = {
			.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
						    MACH_MSG_TYPE_MAKE_SEND_ONCE),
			.msgh_remote_port = mach_task_self(),
			.msgh_local_port = mig_get_reply_port(),
			.msgh_id = id,
		},
		.ndr = NDR_record,
		.right = MACH_PORT_RIGHT_RECEIVE,
	};

	memcpy(reply, &request, sizeof(request));
	assert_int_equal(mach_msg(&reply->reply.header, MACH_SEND_MSG | MACH_RCV_MSG, size,
				  sizeof(*reply), request.header.msgh_local_port, 0,
				  MACH_PORT_NULL),
			 MACH_MSG_SUCCESS);
	assert_int_equal(reply->reply.header.msgh_id, id + 100);
	return reply->reply.code;
}

static void
the_kernel_answers_messages_to_the_own_task(void **state)
{
	union allocate_reply reply;

	(void)state;
	assert_int_equal(ask_kernel(3204, sizeof(struct allocate_request), &reply), KERN_SUCCESS);
	assert_int_equal(reply.reply.header.msgh_size, 40);
	assert_int_equal(
	    mach_port_mod_refs(mach_task_self(), reply.reply.name, MACH_PORT_RIGHT_RECEIVE, -1),
	    KERN_SUCCESS);
	assert_int_equal(ask_kernel(3204, sizeof(struct allocate_request) - 4, &reply),
			 MIG_BAD_ARGUMENTS);
	assert_int_equal(reply.reply.header.msgh_size, 36);
	assert_int_equal(ask_kernel(3299, sizeof(struct allocate_request), &reply), MIG_BAD_ID);
	assert_int_equal(mach_port_rename(mach_task_self(), 0x103, 0x203), MIG_BAD_ID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_on_names_ask_who_serves_the_port),
		cmocka_unit_test(calls_on_tasks_threads_and_hosts_ask_who_serves_the_port),
		cmocka_unit_test(a_server_that_dies_ends_the_call),
		cmocka_unit_test(what_is_no_right_says_so),
		cmocka_unit_test(another_task_is_served_as_far_as_the_kernel_can),
		cmocka_unit_test(the_kernel_answers_messages_to_the_own_task),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
