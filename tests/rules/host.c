/* The host by message: mach-kobjects.md §4. */
#include <string.h>

#include <mach/host_info.h>
#include <mach/mig_errors.h>

#include "tests/support/calls.h"
#include "tests/support/rpc.h"

#define HOST_INFO 200
#define HOST_KERNEL_VERSION 201
#define HOST_PAGE_SIZE 202

static kern_return_t
info(struct actor *t, host_flavor_t flavor, integer_t *out, uint32_t *count)
{
	struct rpc r = rpc_to(HOST_INFO);
	kern_return_t kr;

	rpc_u32(&r, (uint32_t)flavor);
	rpc_u32(&r, *count);
	kr = rpc_call(t, reply_port(t), &r);
	if (kr != KERN_SUCCESS)
		return kr;
	*count = rpc_result_u32(&r);
	for (uint32_t i = 0; i < *count; i++)
		out[i] = (integer_t)rpc_result_u32(&r);
	assert_int_equal(r.read, got.data_size);
	return kr;
}

/* An actor whose calls go to the host. */
static struct actor *
at_host(struct actor *t)
{
	t->target = host_self(t);
	return t;
}

TEST_1(the_host_tells_the_facts_that_it_was_given)
{
	host_basic_info_data_t basic;
	uint32_t count = HOST_BASIC_INFO_COUNT;

	assert_ok(info(at_host(a), HOST_BASIC_INFO, (integer_t *)(void *)&basic, &count));
	assert_int_equal(count, HOST_BASIC_INFO_COUNT);
	assert_int_equal(basic.max_cpus, world_facts.cpu_max);
	assert_int_equal(basic.avail_cpus, world_facts.cpu_count);
	assert_int_equal(basic.logical_cpu_max, world_facts.cpu_max);
	assert_int_equal(basic.logical_cpu, world_facts.cpu_count);
	assert_int_equal(basic.physical_cpu_max, world_facts.core_max);
	assert_int_equal(basic.physical_cpu, world_facts.core_count);
	assert_int_equal(basic.cpu_type, world_facts.cpu_type);
	assert_int_equal(basic.cpu_subtype, world_facts.cpu_subtype);
	assert_int_equal(basic.memory_size, 0x80000000u);
	assert_true(basic.max_mem == world_facts.memory_bytes);
}

TEST_1(a_program_of_old_gets_as_much_as_it_knows)
{
	integer_t numbers[HOST_BASIC_INFO_COUNT];

	at_host(a);
	for (uint32_t room = 0; room <= HOST_BASIC_INFO_COUNT + 3; room++) {
		uint32_t count = room;

		assert_code(info(a, HOST_BASIC_INFO, numbers, &count),
			    room < HOST_BASIC_INFO_OLD_COUNT ? KERN_FAILURE : KERN_SUCCESS);
		if (room >= HOST_BASIC_INFO_OLD_COUNT)
			assert_int_equal(count, room < HOST_BASIC_INFO_COUNT
						    ? HOST_BASIC_INFO_OLD_COUNT
						    : HOST_BASIC_INFO_COUNT);
	}
}

TEST_1(each_flavor_has_its_count)
{
	static const struct {
		host_flavor_t flavor;
		uint32_t count;
		kern_return_t code;
	} flavors[] = {
		{ HOST_SCHED_INFO, 2, KERN_SUCCESS },
		{ HOST_PRIORITY_INFO, 8, KERN_SUCCESS },
		{ HOST_SEMAPHORE_TRAPS, 0, KERN_SUCCESS },
		{ HOST_MACH_MSG_TRAP, 0, KERN_SUCCESS },
		{ HOST_CAN_HAS_DEBUGGER, 1, KERN_SUCCESS },
		{ HOST_PREFERRED_USER_ARCH, 2, KERN_SUCCESS },
		{ HOST_RESOURCE_SIZES, 0, KERN_INVALID_ARGUMENT },
		{ HOST_VM_PURGABLE, 0, KERN_NOT_SUPPORTED },
		{ 0, 0, KERN_INVALID_ARGUMENT },
		{ -1, 0, KERN_INVALID_ARGUMENT },
	};
	integer_t numbers[68];

	at_host(a);
	for (size_t i = 0; i < sizeof flavors / sizeof *flavors; i++) {
		uint32_t count = sizeof numbers / sizeof *numbers;

		assert_code(info(a, flavors[i].flavor, numbers, &count), flavors[i].code);
		if (flavors[i].code != KERN_SUCCESS)
			continue;
		assert_int_equal(count, flavors[i].count);
		if (count == 0)
			continue;
		count--;
		assert_code(info(a, flavors[i].flavor, numbers, &count), KERN_FAILURE);
	}
}

TEST_1(the_kernel_says_what_it_is)
{
	struct rpc r = rpc_to(HOST_KERNEL_VERSION);
	mach_port_name_t reply = reply_port(a);

	at_host(a);
	assert_ok(rpc_call(a, reply, &r));
	/* offset, length with the NUL, text */
	assert_int_equal(rpc_result_u32(&r), 0);
	assert_int_equal(rpc_result_u32(&r), strlen(world_facts.version) + 1);
	assert_string_equal((const char *)got.data + r.read, world_facts.version);
	r = rpc_to(HOST_PAGE_SIZE);
	assert_ok(rpc_call(a, reply, &r));
	assert_true(rpc_result_u64(&r) == world_facts.page_bytes);
}

TEST_1(what_is_no_host_is_refused)
{
	mach_port_name_t reply = reply_port(a);
	struct rpc version = rpc_to(HOST_KERNEL_VERSION), page = rpc_to(HOST_PAGE_SIZE);
	integer_t numbers[2];
	uint32_t count = 2;

	assert_code(info(a, HOST_SCHED_INFO, numbers, &count), KERN_INVALID_ARGUMENT);
	assert_code(rpc_call(a, reply, &version), KERN_INVALID_ARGUMENT);
	assert_code(rpc_call(a, reply, &page), KERN_INVALID_ARGUMENT);
}

TEST_1(what_comes_later_is_no_routine)
{
	static const int32_t ids[] = { 203, 204, 205, 207, 209, 213, 216, 217, 219 };
	mach_port_name_t reply = reply_port(a);

	at_host(a);
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		struct rpc r = rpc_to(ids[i]);

		assert_code(rpc_call(a, reply, &r), MIG_BAD_ID);
	}
}
