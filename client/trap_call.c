/*
 * Whole traps: numbers, or bytes, there and back.
 */
#include "client/trap.h"

#include <mach/message.h>

#include <string.h>
#include <sys/mman.h>

static kern_return_t
outcome_code(enum trap_outcome outcome)
{
	return outcome == TRAP_SHORTAGE ? KERN_RESOURCE_SHORTAGE : MACH_SEND_INVALID_DEST;
}

/* Run a trap up to its reply.  True: there is one, and the caller ends the trap. */
static bool
trap_whole(struct trap *trap, uint32_t number, enum trap_patience patience,
	   const uint64_t args[TRAP_ARG_COUNT], const void *in, uint32_t in_size,
	   uint64_t values[TRAP_VALUE_COUNT], kern_return_t *code)
{
	enum trap_outcome outcome = trap_begin(trap, number);

	if (outcome != TRAP_OK) {
		*code = outcome_code(outcome);
		return false;
	}
	struct trap_request *request = &trap->slot->request;
	memcpy(request->args, args, sizeof(request->args));
	if (in_size > 0)
		memcpy(trap->slot->data, in, in_size);
	request->stream_size_bytes = in_size;
	request->prefix_size_bytes = in_size;
	outcome = trap_run(trap, patience);
	if (outcome != TRAP_OK) {
		*code = outcome_code(outcome);
		trap_end(trap);
		return false;
	}
	if (values != NULL)
		memcpy(values, trap->slot->reply.values, sizeof(trap->slot->reply.values));
	*code = trap->slot->reply.code;
	return true;
}

kern_return_t
trap_call_in(uint32_t number, const uint64_t args[TRAP_ARG_COUNT], const void *in, uint32_t in_size,
	     uint64_t values[TRAP_VALUE_COUNT])
{
	struct trap trap;
	kern_return_t code;

	if (values != NULL)
		memset(values, 0, TRAP_VALUE_COUNT * sizeof(values[0]));
	if (trap_whole(&trap, number, TRAP_PATIENT, args, in, in_size, values, &code))
		trap_end(&trap);
	return code;
}

kern_return_t
trap_call(uint32_t number, const uint64_t args[TRAP_ARG_COUNT], uint64_t values[TRAP_VALUE_COUNT])
{
	return trap_call_in(number, args, NULL, 0, values);
}

kern_return_t
trap_call_patience(uint32_t number, const uint64_t args[TRAP_ARG_COUNT],
		   enum trap_patience patience)
{
	struct trap trap;
	kern_return_t code;

	if (trap_whole(&trap, number, patience, args, NULL, 0, NULL, &code))
		trap_end(&trap);
	return code;
}

kern_return_t
trap_call_exchange(uint32_t number, const uint64_t args[TRAP_ARG_COUNT], const void *in,
		   uint32_t in_size, uint64_t values[TRAP_VALUE_COUNT], void *out,
		   uint32_t *out_size)
{
	struct trap trap;
	kern_return_t code;
	uint32_t room = *out_size;

	*out_size = 0;
	if (values != NULL)
		memset(values, 0, TRAP_VALUE_COUNT * sizeof(values[0]));
	if (!trap_whole(&trap, number, TRAP_PATIENT, args, in, in_size, values, &code))
		return code;
	uint32_t size = trap.slot->reply.prefix_size_bytes;
	const uint8_t *stream = size > 0 ? trap_stream(&trap) : NULL;
	if (size > room)
		size = room;
	if (stream != NULL)
		memcpy(out, stream, size);
	else if (size > 0)
		code = KERN_RESOURCE_SHORTAGE;
	*out_size = stream != NULL ? size : 0;
	trap_end(&trap);
	return code;
}

kern_return_t
trap_call_into(uint32_t number, const uint64_t args[TRAP_ARG_COUNT],
	       uint64_t values[TRAP_VALUE_COUNT], void *out, uint32_t *out_size)
{
	return trap_call_exchange(number, args, NULL, 0, values, out, out_size);
}

kern_return_t
trap_call_out(uint32_t number, const uint64_t args[TRAP_ARG_COUNT],
	      uint64_t values[TRAP_VALUE_COUNT], vm_offset_t *out, uint32_t *out_size)
{
	struct trap trap;
	kern_return_t code;

	*out = 0;
	*out_size = 0;
	if (values != NULL)
		memset(values, 0, TRAP_VALUE_COUNT * sizeof(values[0]));
	if (!trap_whole(&trap, number, TRAP_PATIENT, args, NULL, 0, values, &code))
		return code;
	uint32_t size = trap.slot->reply.prefix_size_bytes;
	if (code == KERN_SUCCESS && size > 0) {
		const uint8_t *stream = trap_stream(&trap);
		void *memory = stream == NULL ? MAP_FAILED
					      : mmap(NULL, size, PROT_READ | PROT_WRITE,
						     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED) {
			code = KERN_RESOURCE_SHORTAGE;
		} else {
			memcpy(memory, stream, size);
			*out = (vm_offset_t)memory;
			*out_size = size;
		}
	}
	trap_end(&trap);
	return code;
}
