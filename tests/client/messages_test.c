/*
 * Messages of a program on a kernel: every way that one can travel, and what is left in the
 * buffers when it does not.
 */
#include "kernel_test.h"

#include <mach/vm_map.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- inline data --------------------------------------------------------------------- */

static void
there_and_back(mach_port_t port, uint32_t size)
{
	uint8_t *bytes = malloc(size + 100);
	mach_msg_header_t *header = (mach_msg_header_t *)bytes;

	for (uint32_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 31 + size);
	*header = (mach_msg_header_t){ .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
				       .msgh_remote_port = port,
				       .msgh_id = 9 };
	assert_int_equal(mach_msg(header, MACH_SEND_MSG, size, 0, 0, 0, 0), MACH_MSG_SUCCESS);
	memset(bytes, 0, size + 100);
	assert_int_equal(mach_msg(header, MACH_RCV_MSG, 0, size + 100, port, 0, 0),
			 MACH_MSG_SUCCESS);
	assert_int_equal(header->msgh_size, size);
	assert_int_equal(header->msgh_id, 9);
	for (uint32_t i = sizeof(*header); i < size; i++)
		if (bytes[i] != (uint8_t)(i * 31 + size))
			fail_msg("byte %u of %u is wrong", i, size);
	free(bytes);
}

static void
inline_data_of_any_size_arrive(void **state)
{
	mach_port_t port = port_new();

	(void)state;
	for (uint32_t size = 24; size < 40000; size += 1020)
		there_and_back(port, size);
	for (uint32_t size = 15600; size < 16400; size += 4) /* around a slot's data area */
		there_and_back(port, size);
	there_and_back(port, 1 << 20);
	there_and_back(port, 8 << 20);
	port_end(port);
}

/* ---- memory --------------------------------------------------------------------------- */

struct ool_message {
	mach_msg_base_t base;
	mach_msg_ool_descriptor_t memory[64];
	mach_msg_max_trailer_t trailer;
};

static void
memory_there_and_back(mach_port_t port, uint32_t size, uint32_t count, bool deallocate)
{
	struct ool_message message = { 0 };
	uint32_t message_size = (uint32_t)(sizeof(mach_msg_base_t) + count * 16);
	uint8_t *sources[64];
	unsigned char there;

	message.base.header.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX;
	message.base.header.msgh_remote_port = port;
	message.base.body.msgh_descriptor_count = count;
	for (uint32_t i = 0; i < count; i++) {
		sources[i] = size == 0 ? NULL
				       : mmap(NULL, size, PROT_READ | PROT_WRITE,
					      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (size > 0)
			memset(sources[i], (int)(i + 1), size);
		message.memory[i] = (mach_msg_ool_descriptor_t){ .address = sources[i],
								 .size = size,
								 .deallocate = deallocate,
								 .copy = MACH_MSG_VIRTUAL_COPY,
								 .type = MACH_MSG_OOL_DESCRIPTOR };
	}
	assert_int_equal(mach_msg(&message.base.header, MACH_SEND_MSG, message_size, 0, 0, 0, 0),
			 0);
	for (uint32_t i = 0; i < count && size > 0; i++) {
		assert_int_equal(mincore(sources[i], 1, &there) != 0, deallocate);
		if (!deallocate) {
			memset(sources[i], 0xff, size); /* the receiver has a snapshot */
			munmap(sources[i], size);
		}
	}
	memset(&message, 0xee, sizeof(message));
	assert_int_equal(
	    mach_msg(&message.base.header, MACH_RCV_MSG, 0, sizeof(message), port, 0, 0), 0);
	assert_int_equal(message.base.body.msgh_descriptor_count, count);
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *got = message.memory[i].address;
		assert_int_equal(message.memory[i].size, size);
		assert_int_equal(message.memory[i].deallocate, 1);
		for (uint32_t j = 0; j < size; j++)
			if (got[j] != i + 1)
				fail_msg("byte %u of piece %u is wrong", j, i);
		if (size > 0 && size <= 32768)
			assert_int_equal((uintptr_t)got % vm_page_size, 0);
		if (size > 0)
			memset(message.memory[i].address, 1, size); /* the receiver's own */
	}
	mach_msg_destroy(&message.base.header);
	for (uint32_t i = 0; i < count && size > 0; i++)
		assert_int_not_equal(mincore(message.memory[i].address, 1, &there), 0);
}

static void
memory_of_any_size_arrives_and_goes(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 100, 4096, 8192, 8193, 40000, 1 << 20 };
	mach_port_t port = port_new();

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memory_there_and_back(port, sizes[i], 1, false);
		memory_there_and_back(port, sizes[i], 3, true);
	}
	memory_there_and_back(port, 16, 64, true);
	memory_there_and_back(port, 5000, 64, false);
	port_end(port);
}

struct watch {
	mach_port_t port;
	bool went;
};

#define GOING "berth-test-going" /* the name of a mapping: its address may be used anew at once */

static bool
is_mapped(void)
{
	char line[512];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "r");

	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL)
		found = found || strstr(line, GOING) != NULL;
	if (maps != NULL)
		fclose(maps);
	return found;
}

static void *
look_and_answer(void *argument)
{
	struct watch *watch = argument;

	for (int i = 0; i < 4000 && !watch->went; i++) {
		usleep(5000);
		watch->went = !is_mapped();
	}
	return (void *)(intptr_t)send_number(watch->port, 1);
}

static void
a_wait_comes_after_the_memory_went(void **state)
{
	struct watch watch = { .port = port_new() };
	int fd = memfd_create(GOING, MFD_CLOEXEC);
	void *memory = ftruncate(fd, 4096) == 0
			   ? mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0)
			   : MAP_FAILED;
	mach_port_t other = port_new();
	struct ool_message message = { 0 };
	pthread_t thread;
	void *result;

	(void)state;
	close(fd);
	assert_true(is_mapped());
	message.base.header.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX;
	message.base.header.msgh_remote_port = other;
	message.base.body.msgh_descriptor_count = 1;
	message.memory[0] = (mach_msg_ool_descriptor_t){
		.address = memory, .size = 4096, .deallocate = 1, .type = MACH_MSG_OOL_DESCRIPTOR
	};
	pthread_create(&thread, NULL, look_and_answer, &watch);
	assert_int_equal(mach_msg(&message.base.header, MACH_SEND_MSG | MACH_RCV_MSG, 44,
				  sizeof(message), watch.port, 0, 0),
			 MACH_MSG_SUCCESS);
	pthread_join(thread, &result);
	assert_null(result);
	assert_true(watch.went);
	port_end(other);
	port_end(watch.port);
}

static void
memory_that_cannot_be_read_fails_the_send(void **state)
{
	static const uint32_t sizes[] = { 10, 100000 };
	mach_port_t port = port_new();

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct ool_message message = { 0 };
		message.base.header.msgh_bits =
		    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX;
		message.base.header.msgh_remote_port = port;
		message.base.body.msgh_descriptor_count = 1;
		message.memory[0] = (mach_msg_ool_descriptor_t){ .address = (void *)16,
								 .size = sizes[i],
								 .type = MACH_MSG_OOL_DESCRIPTOR };
		assert_int_equal(mach_msg(&message.base.header, MACH_SEND_MSG, 44, 0, 0, 0, 0),
				 MACH_SEND_INVALID_MEMORY);
	}
	port_end(port);
}

/* ---- rights ---------------------------------------------------------------------------- */

static void
array_there_and_back(uint32_t count)
{
	struct {
		mach_msg_base_t base;
		mach_msg_ool_ports_descriptor_t ports;
		mach_msg_max_trailer_t trailer;
	} message = { 0 };
	mach_port_t port = port_new();
	mach_port_t *sent = calloc(count, sizeof(*sent));
	mach_port_urefs_t before, after;

	for (uint32_t i = 0; i < count; i++)
		sent[i] = i % 3 == 0 ? MACH_PORT_NULL : port;
	mach_port_get_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, &before);
	message.base.header.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX;
	message.base.header.msgh_remote_port = port;
	message.base.body.msgh_descriptor_count = 1;
	message.ports = (mach_msg_ool_ports_descriptor_t){ .address = sent,
							   .count = count,
							   .disposition = MACH_MSG_TYPE_COPY_SEND,
							   .type = MACH_MSG_OOL_PORTS_DESCRIPTOR };
	assert_int_equal(mach_msg(&message.base.header, MACH_SEND_MSG | MACH_RCV_MSG,
				  sizeof(message.base) + sizeof(message.ports), sizeof(message),
				  port, 0, 0),
			 MACH_MSG_SUCCESS);
	assert_int_equal(message.ports.count, count);
	assert_ptr_not_equal(message.ports.address, sent);
	assert_memory_equal(message.ports.address, sent, count * sizeof(*sent));
	mach_port_get_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, &after);
	assert_int_equal(after, before + count - (count + 2) / 3);
	mach_msg_destroy(&message.base.header);
	mach_port_get_refs(mach_task_self(), port, MACH_PORT_RIGHT_SEND, &after);
	assert_int_equal(after, before);
	free(sent);
	port_end(port);
}

static void
an_array_of_rights_arrives(void **state)
{
	(void)state;
	array_there_and_back(1);
	array_there_and_back(100);
	array_there_and_back(3000);
	array_there_and_back(16383);
}

/* ---- buffers ---------------------------------------------------------------------------- */

static void
a_full_queue_gives_the_message_back(void **state)
{
	mach_port_t port = port_new();
	struct number_message message;

	(void)state;
	for (int i = 0; i < MACH_PORT_QLIMIT_DEFAULT; i++)
		assert_int_equal(send_number(port, i), MACH_MSG_SUCCESS);
	message = number_to(port, 77);
	message.header.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	message.header.msgh_local_port = port;
	assert_int_equal(
	    mach_msg(&message.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, NUMBER_SIZE, 0, 0, 0, 0),
	    MACH_SEND_TIMED_OUT);
	assert_int_equal(message.header.msgh_bits,
			 MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND, MACH_MSG_TYPE_MOVE_SEND_ONCE));
	assert_int_equal(message.header.msgh_size, NUMBER_SIZE);
	assert_int_equal(message.header.msgh_remote_port, port);
	assert_int_not_equal(message.header.msgh_local_port, port);
	assert_int_equal(message.number, 77);
	/* as it is, it can be sent again once there is room */
	assert_int_equal(receive_number(port), 0);
	assert_int_equal(
	    mach_msg(&message.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, NUMBER_SIZE, 0, 0, 0, 0),
	    MACH_MSG_SUCCESS);
	for (int i = 1; i < MACH_PORT_QLIMIT_DEFAULT; i++)
		assert_int_equal(receive_number(port), i);
	assert_int_equal(receive_number(port), 77);
	port_end(port);
}

static void
memory_of_a_message_given_back_is_there_again(void **state)
{
	mach_port_t port = port_new();
	struct ool_message message = { 0 };
	uint8_t *source =
	    mmap(NULL, 20000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	memset(source, 7, 20000);
	for (int i = 0; i < MACH_PORT_QLIMIT_DEFAULT; i++)
		assert_int_equal(send_number(port, i), MACH_MSG_SUCCESS);
	message.base.header.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX;
	message.base.header.msgh_remote_port = port;
	message.base.body.msgh_descriptor_count = 1;
	message.memory[0] = (mach_msg_ool_descriptor_t){ .address = source,
							 .size = 20000,
							 .deallocate = 1,
							 .copy = MACH_MSG_VIRTUAL_COPY,
							 .type = MACH_MSG_OOL_DESCRIPTOR };
	assert_int_equal(
	    mach_msg(&message.base.header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, 44, 0, 0, 10, 0),
	    MACH_SEND_TIMED_OUT);
	assert_int_equal(message.memory[0].size, 20000);
	assert_int_equal(message.memory[0].deallocate, 1);
	for (int i = 0; i < 20000; i++)
		assert_int_equal(((uint8_t *)message.memory[0].address)[i], 7);
	mach_msg_destroy(&message.base.header);
	port_end(port);
}

static void
a_large_message_stays_and_tells_its_size(void **state)
{
	mach_port_t port = port_new();
	union {
		mach_msg_header_t header;
		uint8_t bytes[3000];
	} message = { .header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0),
				  .msgh_remote_port = port } };

	(void)state;
	assert_int_equal(mach_msg(&message.header, MACH_SEND_MSG, 2000, 0, 0, 0, 0), 0);
	memset(&message, 0xee, sizeof(message));
	assert_int_equal(
	    mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_LARGE, 0, 100, port, 0, 0),
	    MACH_RCV_TOO_LARGE);
	assert_int_equal(message.header.msgh_size, 2000);
	assert_int_equal(message.header.msgh_bits, 0xeeeeeeee);
	assert_int_equal(message.header.msgh_local_port, 0xeeeeeeee);
	assert_int_equal(mach_msg(&message.header,
				  MACH_RCV_MSG | MACH_RCV_LARGE | MACH_RCV_LARGE_IDENTITY, 0, 100,
				  port, 0, 0),
			 MACH_RCV_TOO_LARGE);
	assert_int_equal(message.header.msgh_local_port, port);
	assert_int_equal(message.header.msgh_remote_port, 0xeeeeeeee);
	assert_int_equal(
	    mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_LARGE, 0, 3000, port, 0, 0), 0);
	assert_int_equal(message.header.msgh_size, 2000);
	/* without MACH_RCV_LARGE it is lost */
	message.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0);
	message.header.msgh_remote_port = port;
	message.header.msgh_local_port = MACH_PORT_NULL;
	assert_int_equal(mach_msg(&message.header, MACH_SEND_MSG, 2000, 0, 0, 0, 0), 0);
	assert_int_equal(mach_msg(&message.header, MACH_RCV_MSG, 0, 100, port, 0, 0),
			 MACH_RCV_TOO_LARGE);
	assert_int_equal(message.header.msgh_size, 24);
	assert_int_equal(
	    mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, 3000, port, 0, 0),
	    MACH_RCV_TIMED_OUT);
	port_end(port);
}

static void
a_buffer_that_cannot_be_written_loses_the_message(void **state)
{
	mach_port_t port = port_new();
	uint8_t *pages =
	    mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mach_msg_header_t *at_end = (mach_msg_header_t *)(pages + 4096 - sizeof(*at_end));

	(void)state;
	assert_int_equal(send_number(port, 1), 0);
	vm_protect(mach_task_self(), (vm_address_t)pages, 8192, FALSE, VM_PROT_READ);
	assert_int_equal(mach_msg((mach_msg_header_t *)pages, MACH_RCV_MSG, 0, 4096, port, 0, 0),
			 MACH_RCV_INVALID_DATA);
	vm_protect(mach_task_self(), (vm_address_t)pages, 4096, FALSE, VM_PROT_DEFAULT);
	assert_int_equal(send_number(port, 2), 0);
	assert_int_equal(mach_msg(at_end, MACH_RCV_MSG, 0, 200, port, 0, 0), MACH_RCV_INVALID_DATA);
	assert_int_equal(send_number(port, 3), 0);
	assert_int_equal(receive_number(port), 3);
	munmap(pages, 8192);
	port_end(port);
}

static void
trailers_come_in_the_size_asked_for(void **state)
{
	static const struct {
		int element;
		uint32_t size;
	} kinds[] = { { MACH_RCV_TRAILER_NULL, 8 },    { MACH_RCV_TRAILER_SEQNO, 12 },
		      { MACH_RCV_TRAILER_SENDER, 20 }, { MACH_RCV_TRAILER_AUDIT, 52 },
		      { MACH_RCV_TRAILER_CTX, 60 },    { MACH_RCV_TRAILER_AV, 68 } };
	mach_port_t port = port_new();

	(void)state;
	mach_port_set_context(mach_task_self(), port, 0x1234567890);
	for (uint32_t i = 0; i < 6; i++) {
		struct number_message message;
		audit_token_t token;
		mach_msg_type_number_t count = TASK_AUDIT_TOKEN_COUNT;

		memset(&message, 0xee, sizeof(message));
		assert_int_equal(send_number(port, 1), 0);
		assert_int_equal(
		    mach_msg(&message.header,
			     MACH_RCV_MSG | MACH_RCV_TRAILER_ELEMENTS(kinds[i].element), 0,
			     sizeof(message), port, 0, 0),
		    0);
		assert_int_equal(message.trailer.msgh_trailer_size, kinds[i].size);
		if (kinds[i].size < sizeof(message.trailer))
			assert_int_equal(((uint8_t *)&message.trailer)[kinds[i].size], 0xee);
		if (kinds[i].size >= 12)
			assert_int_equal(message.trailer.msgh_seqno, i);
		if (kinds[i].size >= 52) {
			assert_int_equal(task_info(mach_task_self(), TASK_AUDIT_TOKEN,
						   (task_info_t)&token, &count),
					 KERN_SUCCESS);
			assert_memory_equal(&message.trailer.msgh_audit, &token, sizeof(token));
		}
		if (kinds[i].size >= 60) {
			uint64_t context;
			memcpy(&context, &message.trailer.msgh_context, sizeof(context));
			assert_int_equal(context, 0x1234567890);
		}
	}
	port_end(port);
}

/* ---- server loops ------------------------------------------------------------------------ */

static boolean_t
double_number(mach_msg_header_t *request, mach_msg_header_t *reply)
{
	struct number_message *in = (struct number_message *)request;
	mig_reply_error_t *out = (mig_reply_error_t *)reply;

	mig_reply_setup(request, reply);
	out->Head.msgh_bits = MACH_MSGH_BITS(MACH_MSGH_BITS_REMOTE(request->msgh_bits), 0);
	out->Head.msgh_remote_port = request->msgh_remote_port;
	out->RetCode = KERN_SUCCESS;
	out->NDR.mig_vers = (unsigned char)(in->number * 2);
	request->msgh_remote_port = MACH_PORT_NULL;
	return TRUE;
}

static void
a_server_answers_one_request(void **state)
{
	mach_port_t port = port_new();
	mach_port_t reply_port = mig_get_reply_port();
	struct number_message request = number_to(port, 21);
	struct {
		mig_reply_error_t reply;
		mach_msg_max_trailer_t trailer;
	} answer;

	(void)state;
	assert_int_equal(mig_get_reply_port(), reply_port); /* kept */
	request.header.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	request.header.msgh_local_port = reply_port;
	request.header.msgh_id = 500;
	assert_int_equal(mach_msg(&request.header, MACH_SEND_MSG, NUMBER_SIZE, 0, 0, 0, 0), 0);
	assert_int_equal(mach_msg_server_once(double_number, 1000, port, MACH_MSG_OPTION_NONE), 0);
	assert_int_equal(mach_msg(&answer.reply.Head, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
				  sizeof(answer), reply_port, 1000, 0),
			 0);
	assert_int_equal(answer.reply.Head.msgh_id, 600);
	assert_int_equal(answer.reply.NDR.mig_vers, 42);
	/* a buffer that is too small grows, with MACH_RCV_LARGE; the client is gone: no failure */
	request = number_to(port, 1);
	assert_int_equal(mach_msg(&request.header, MACH_SEND_MSG, NUMBER_SIZE, 0, 0, 0, 0), 0);
	assert_int_equal(mach_msg_server_once(double_number, 4, port, MACH_RCV_LARGE), 0);
	mig_dealloc_reply_port(reply_port);
	port_end(port);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inline_data_of_any_size_arrive),
		cmocka_unit_test(memory_of_any_size_arrives_and_goes),
		cmocka_unit_test(a_wait_comes_after_the_memory_went),
		cmocka_unit_test(memory_that_cannot_be_read_fails_the_send),
		cmocka_unit_test(an_array_of_rights_arrives),
		cmocka_unit_test(a_full_queue_gives_the_message_back),
		cmocka_unit_test(memory_of_a_message_given_back_is_there_again),
		cmocka_unit_test(a_large_message_stays_and_tells_its_size),
		cmocka_unit_test(a_buffer_that_cannot_be_written_loses_the_message),
		cmocka_unit_test(trailers_come_in_the_size_asked_for),
		cmocka_unit_test(a_server_answers_one_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
