/*
 * Fuzzing of servers that mig makes: any bytes as a request.  What the kernel vouches for, the
 * header and the descriptors of a complex message, is put right first; sizes, counts, strings
 * and all that is behind them are the sender's.  The routines believe what the stubs checked.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <mach/mach.h>
#include <mach/mig_errors.h>

#include "fuzz/fuzz.h"
#include "fuzz/input.h"
#include "fuzzServer.h"

#define REQUEST_MAX 2048u
#define DESCRIPTORS_MAX 4u
#define MEMORY_SIZE 64u

static uint8_t memory[MEMORY_SIZE];

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* ---- routines ------------------------------------------------------------------------------ */

kern_return_t
serve_fuzz_numbers(mach_port_t server, int32_t a, int64_t b, int64_t *sum)
{
	(void)server;
	*sum = (int64_t)((uint64_t)a + (uint64_t)b);
	return a == 7 ? KERN_FAILURE : KERN_SUCCESS;
}

static int32_t
add_up(const int32_t *ints, mach_msg_type_number_t count)
{
	uint32_t sum = 0;

	must(count <= 8);
	for (uint32_t i = 0; i < count; i++)
		sum += (uint32_t)ints[i];
	return (int32_t)sum;
}

kern_return_t
serve_fuzz_text(mach_port_t server, fuzz_name_t name, fuzz_ints_t ints,
		mach_msg_type_number_t ints_count, fuzz_name_t second, int32_t *length)
{
	(void)server;
	must(memchr(name, '\0', sizeof(fuzz_name_t)) != NULL);
	must(memchr(second, '\0', sizeof(fuzz_name_t)) != NULL);
	*length = (int32_t)(strlen(name) + strlen(second)) + (add_up(ints, ints_count) & 1);
	return KERN_SUCCESS;
}

kern_return_t
serve_fuzz_echo(mach_port_t server, fuzz_bytes_t bytes, mach_msg_type_number_t count,
		fuzz_bytes_t answer, mach_msg_type_number_t *answer_count)
{
	(void)server;
	must(count <= sizeof(fuzz_bytes_t) && *answer_count == sizeof(fuzz_bytes_t));
	memcpy(answer, bytes, count);
	*answer_count = count;
	return KERN_SUCCESS;
}

kern_return_t
serve_fuzz_memory(mach_port_t server, fuzz_out_t bytes, mach_msg_type_number_t count,
		  mach_port_t right, int32_t *sum)
{
	(void)server;
	(void)right;
	*sum = 0;
	must(count <= MEMORY_SIZE);
	for (uint32_t i = 0; i < count; i++)
		*sum += bytes[i];
	return KERN_SUCCESS;
}

kern_return_t
serve_fuzz_ports(mach_port_t server, fuzz_ports_t ports, mach_msg_type_number_t ports_count,
		 fuzz_ints_t ints, mach_msg_type_number_t ints_count)
{
	uint32_t sum = 0;

	(void)server;
	must(ports_count <= 4);
	for (uint32_t i = 0; i < ports_count; i++)
		sum += ports[i];
	return (sum ^ (uint32_t)add_up(ints, ints_count)) & 1 ? KERN_FAILURE : KERN_SUCCESS;
}

/* ---- what the kernel vouches for -------------------------------------------------------------
 */

/* As many descriptors as there is room for, each of a kind that there is, with memory that is
 * there.  Where the body begins behind them. */
static uint32_t
put_right(mach_msg_header_t *head, uint32_t size)
{
	mach_msg_base_t *base = (void *)head;
	uint8_t *at = (uint8_t *)(base + 1), *end = (uint8_t *)head + size;
	uint32_t count = base->body.msgh_descriptor_count % (DESCRIPTORS_MAX + 1), done = 0;

	for (; done < count; done++) {
		mach_msg_type_descriptor_t any;

		if (end - at < (ptrdiff_t)sizeof(any))
			break;
		memcpy(&any, at, sizeof(any));
		any.type %= 3;
		if (any.type == MACH_MSG_PORT_DESCRIPTOR) {
			mach_msg_port_descriptor_t right;

			memcpy(&right, at, sizeof(right));
			right.type = MACH_MSG_PORT_DESCRIPTOR;
			right.disposition = MACH_MSG_TYPE_MOVE_RECEIVE + right.disposition % 3;
			memcpy(at, &right, sizeof(right));
			at += sizeof(right);
		} else {
			mach_msg_ool_descriptor_t ool;

			if (end - at < (ptrdiff_t)sizeof(ool))
				break;
			memcpy(&ool, at, sizeof(ool));
			ool.type = any.type;
			ool.address = memory;
			/* of ports this is their number */
			ool.size %=
			    (any.type == MACH_MSG_OOL_DESCRIPTOR ? MEMORY_SIZE : MEMORY_SIZE / 4) +
			    1;
			memcpy(at, &ool, sizeof(ool));
			at += sizeof(ool);
		}
	}
	base->body.msgh_descriptor_count = done;
	return (uint32_t)(at - (uint8_t *)head);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, bytes + size };
	union __ReplyUnion__serve_fuzz_stubs_subsystem reply;
	uint8_t what = take_byte(&input);
	uint32_t left = (uint32_t)(input.end - input.at);
	uint32_t body = left < REQUEST_MAX ? left & ~3u : REQUEST_MAX;
	uint32_t least = what & 0x80 ? sizeof(mach_msg_base_t) : sizeof(mach_msg_header_t);
	uint32_t request_size = sizeof(mach_msg_header_t) + body;

	if (request_size < least)
		return 0;
	/* exactly so large, with its trailer: the sanitizer sees who reads beyond it */
	mach_msg_header_t *request = calloc(1, request_size + sizeof(mach_msg_max_trailer_t));
	must(request != NULL);
	memcpy(request + 1, input.at, body);
	*request = (mach_msg_header_t){
		.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0),
		.msgh_size = request_size,
		.msgh_remote_port = 0x103,
		.msgh_local_port = 0x203,
		.msgh_id = 47000 + what % 8,
	};
	if (what & 0x80) {
		request->msgh_bits |= MACH_MSGH_BITS_COMPLEX;
		must(put_right(request, request_size) <= request_size);
	}
	mach_msg_trailer_t trailer = { MACH_MSG_TRAILER_FORMAT_0, sizeof(trailer) };
	memcpy((uint8_t *)request + request_size, &trailer, sizeof(trailer));
	memset(&reply, 0xa5, sizeof(reply));
	must(fuzz_stubs_server(request, (mach_msg_header_t *)(void *)&reply) == (what % 8 < 5));

	const mach_msg_header_t *head = (const mach_msg_header_t *)(const void *)&reply;
	if (what % 8 < 5)
		must(head->msgh_size >= sizeof(mach_msg_header_t) &&
		     head->msgh_size <= sizeof(reply) && head->msgh_size % 4 == 0);
	free(request);
	return 0;
}
