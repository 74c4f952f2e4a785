/*
 * Calls that tell, wait or change little: each flavor and each bad argument of them.
 * mach-kobjects.md §4, §5, §7 and §8.
 */
#include "kernel_test.h"

#include <mach/clock.h>
#include <mach/host_info.h>
#include <mach/mach_time.h>
#include <mach/mach_vm.h>
#include <mach/mig_errors.h>
#include <mach/processor_info.h>
#include <mach/thread_switch.h>

#include <signal.h>
#include <time.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define HANG_NS 60000000000ull

/* ---- tasks ------------------------------------------------------------------------------- */

static void
each_flavor_of_task_info_has_its_count(void **state)
{
	static const struct {
		task_flavor_t flavor;
		mach_msg_type_number_t count, least;
	} flavors[] = {
		{ TASK_ABSOLUTETIME_INFO, 8, 8 }, { TASK_THREAD_TIMES_INFO, 4, 4 },
		{ TASK_BASIC_INFO_32, 8, 8 },     { TASK_BASIC_INFO_64, 10, 10 },
		{ TASK_BASIC_INFO_64_2, 10, 10 }, { MACH_TASK_BASIC_INFO, 12, 12 },
		{ TASK_SECURITY_TOKEN, 2, 2 },    { TASK_AUDIT_TOKEN, 8, 8 },
		{ TASK_FLAGS_INFO, 1, 1 },        { TASK_VM_INFO, TASK_VM_INFO_COUNT, 0 },
	};
	natural_t info[TASK_INFO_MAX];
	mach_msg_type_number_t count;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(flavors); i++) {
		count = TASK_INFO_MAX;
		memset(info, 0xee, sizeof(info));
		assert_int_equal(
		    task_info(mach_task_self(), flavors[i].flavor, (task_info_t)info, &count),
		    KERN_SUCCESS);
		assert_int_equal(count, flavors[i].count);
		assert_int_equal(info[count], 0xeeeeeeee);
		if (flavors[i].least == 0)
			continue; /* later revisions have more */
		count = flavors[i].least - 1;
		assert_int_equal(
		    task_info(mach_task_self(), flavors[i].flavor, (task_info_t)info, &count),
		    KERN_INVALID_ARGUMENT);
	}
	count = TASK_FLAGS_INFO_COUNT;
	assert_int_equal(task_info(mach_task_self(), TASK_FLAGS_INFO, (task_info_t)info, &count),
			 KERN_SUCCESS);
	assert_int_equal(info[0], TF_LP64 | TF_64B_DATA);
	count = TASK_INFO_MAX;
	assert_int_equal(task_info(mach_task_self(), 4711, (task_info_t)info, &count),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(task_info(MACH_PORT_NULL, TASK_FLAGS_INFO, (task_info_t)info, &count),
			 KERN_INVALID_ARGUMENT);
}

static void
what_is_not_served_any_more_says_so(void **state)
{
	mach_port_t child = MACH_PORT_NULL;

	(void)state;
	assert_int_equal(task_create(mach_task_self(), NULL, 0, FALSE, &child), MIG_BAD_ID);
	assert_int_equal(mach_port_rename(mach_task_self(), mach_task_self(), 0x5503), MIG_BAD_ID);
}

static void
who_yields_goes_on(void **state)
{
	static const int options[] = {
		SWITCH_OPTION_NONE,           SWITCH_OPTION_DEPRESS,
		SWITCH_OPTION_WAIT,           SWITCH_OPTION_DISPATCH_CONTENTION,
		SWITCH_OPTION_OSLOCK_DEPRESS, SWITCH_OPTION_OSLOCK_WAIT
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(options); i++) {
		bool waits =
		    options[i] == SWITCH_OPTION_WAIT || options[i] == SWITCH_OPTION_OSLOCK_WAIT;
		uint64_t begun = mach_absolute_time();

		assert_int_equal(thread_switch(MACH_PORT_NULL, options[i], 20), KERN_SUCCESS);
		assert_true(!waits || mach_absolute_time() - begun >= 20000000);
	}
	swtch();
	swtch_pri(0);
}

/* ---- time ---------------------------------------------------------------------------------- */

static void
time_goes_forward_by_every_name(void **state)
{
	mach_timebase_info_data_t base = { 0 };
	uint64_t before = mach_absolute_time(), continuous = mach_continuous_time();

	(void)state;
	assert_int_equal(mach_timebase_info(&base), KERN_SUCCESS);
	assert_true(base.numer > 0 && base.denom > 0);
	assert_int_equal(mach_wait_until(before + 30000000ull * base.denom / base.numer),
			 KERN_SUCCESS);
	assert_true(mach_absolute_time() >= before + 30000000ull * base.denom / base.numer);
	assert_true(mach_continuous_time() > continuous);
	/* what counts sleep is never behind what does not */
	assert_true(mach_continuous_time() >= before);
	/* coarse, but not ahead, and not a minute behind */
	uint64_t coarse = mach_approximate_time();
	uint64_t coarse_continuous = mach_continuous_approximate_time();
	uint64_t after = mach_absolute_time();

	assert_true(coarse <= after && coarse + HANG_NS > after);
	after = mach_continuous_time();
	assert_true(coarse_continuous <= after && coarse_continuous + HANG_NS > after);
}

static void
nothing(int number)
{
	(void)number;
}

static void
who_waits_until_a_time_may_be_interrupted(void **state)
{
	struct sigaction action = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	mach_timespec_t wake = { 0 };

	(void)state;
	sigaction(SIGALRM, &action, NULL);
	ualarm(20000, 20000); /* again and again: the first may come too early */
	assert_int_equal(mach_wait_until(mach_absolute_time() + HANG_NS), KERN_ABORTED);
	assert_int_equal(
	    clock_sleep(MACH_PORT_NULL, TIME_RELATIVE, (mach_timespec_t){ 60, 0 }, &wake),
	    KERN_ABORTED);
	ualarm(0, 0);
	assert_true(wake.tv_sec > 0 || wake.tv_nsec > 0);
	assert_int_equal(mach_wait_until(0), KERN_SUCCESS);
	assert_int_equal(mach_wait_until(mach_absolute_time()), KERN_SUCCESS);
}

static void
who_sleeps_is_told_when_it_woke(void **state)
{
	static const struct {
		int type;
		mach_timespec_t time;
		kern_return_t code;
	} cases[] = {
		{ TIME_ABSOLUTE, { 0, 0 }, KERN_SUCCESS }, /* past */
		{ TIME_ABSOLUTE, { 1, 5 }, KERN_SUCCESS },
		{ TIME_RELATIVE, { 0, 0 }, KERN_SUCCESS },
		{ TIME_RELATIVE, { 0, 1000 }, KERN_SUCCESS },
		{ TIME_RELATIVE, { 0, -1 }, KERN_INVALID_VALUE },
		{ TIME_RELATIVE, { 0, 1000000000 }, KERN_INVALID_VALUE },
		{ 2, { 0, 1 }, KERN_INVALID_VALUE },
		{ -1, { 0, 1 }, KERN_INVALID_VALUE },
	};
	mach_port_t host = mach_host_self(), calendar;
	struct timespec before;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		mach_timespec_t wake = { 0, -7 };

		clock_gettime(CLOCK_MONOTONIC, &before);
		assert_int_equal(clock_sleep(MACH_PORT_NULL, cases[i].type, cases[i].time, &wake),
				 cases[i].code);
		assert_in_range(wake.tv_nsec, 0, 999999999);
		assert_true(wake.tv_sec > before.tv_sec ||
			    (wake.tv_sec == before.tv_sec && wake.tv_nsec >= before.tv_nsec));
	}
	/* of what is no clock to sleep by nothing is told */
	mach_timespec_t wake = { 0, -7 };

	assert_int_equal(host_get_clock_service(host, CALENDAR_CLOCK, &calendar), KERN_SUCCESS);
	assert_int_equal(clock_sleep(calendar, TIME_RELATIVE, cases[3].time, &wake), KERN_FAILURE);
	assert_int_equal(clock_sleep(host, TIME_RELATIVE, cases[3].time, &wake),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(wake.tv_nsec, -7);
	assert_int_equal(mach_port_deallocate(mach_task_self(), calendar), KERN_SUCCESS);
	assert_int_equal(mach_port_deallocate(mach_task_self(), host), KERN_SUCCESS);
}

/* ---- the host ------------------------------------------------------------------------------ */

typedef kern_return_t statistics_function(host_t host, host_flavor_t flavor, integer_t *out,
					  mach_msg_type_number_t *count);

static void
each_flavor_of_statistics_has_its_count(void **state)
{
	static const struct {
		statistics_function *function;
		host_flavor_t flavor;
		mach_msg_type_number_t count;
	} flavors[] = {
		{ host_statistics, HOST_LOAD_INFO, 6 },
		{ host_statistics, HOST_VM_INFO, 15 },
		{ host_statistics, HOST_CPU_LOAD_INFO, 4 },
		{ host_statistics64, HOST_VM_INFO64, 38 },
	};
	mach_port_t host = mach_host_self();
	integer_t info[64];
	mach_msg_type_number_t count;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(flavors); i++) {
		memset(info, 0xee, sizeof(info));
		count = COUNT_OF(info);
		assert_int_equal(flavors[i].function(host, flavors[i].flavor, info, &count),
				 KERN_SUCCESS);
		assert_int_equal(count, flavors[i].count);
		assert_int_equal(info[count], (integer_t)0xeeeeeeee);
		count = flavors[i].count - 1;
		assert_int_equal(flavors[i].function(host, flavors[i].flavor, info, &count),
				 KERN_FAILURE);
		count = COUNT_OF(info);
		assert_int_equal(
		    flavors[i].function(MACH_PORT_NULL, flavors[i].flavor, info, &count),
		    KERN_INVALID_HOST);
		assert_int_equal(flavors[i].function(host, 99, info, &count),
				 KERN_INVALID_ARGUMENT);
		assert_int_equal(
		    flavors[i].function(mach_task_self(), flavors[i].flavor, info, &count),
		    KERN_INVALID_HOST);
	}
	assert_int_equal(mach_port_deallocate(mach_task_self(), host), KERN_SUCCESS);
}

static void
each_processor_is_told_of(void **state)
{
	static const struct {
		processor_flavor_t flavor;
		mach_msg_type_number_t each;
	} flavors[] = {
		{ PROCESSOR_BASIC_INFO, PROCESSOR_BASIC_INFO_COUNT },
		{ PROCESSOR_CPU_LOAD_INFO, 4 },
	};
	mach_port_t host = mach_host_self();
	processor_info_array_t info;
	mach_msg_type_number_t count;
	natural_t processors;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(flavors); i++) {
		assert_int_equal(
		    host_processor_info(host, flavors[i].flavor, &processors, &info, &count),
		    KERN_SUCCESS);
		assert_int_equal(processors, sysconf(_SC_NPROCESSORS_ONLN));
		assert_int_equal(count, processors * flavors[i].each);
		if (flavors[i].flavor == PROCESSOR_BASIC_INFO) {
			const struct processor_basic_info *basic = (void *)info;

			assert_int_equal(basic[0].cpu_type, CPU_TYPE_X86_64);
			assert_true(basic[processors - 1].running);
		}
		assert_int_equal(
		    vm_deallocate(mach_task_self(), (vm_address_t)info, count * sizeof(integer_t)),
		    KERN_SUCCESS);
	}
	assert_int_equal(host_processor_info(host, 99, &processors, &info, &count),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(
	    host_processor_info(MACH_PORT_NULL, PROCESSOR_BASIC_INFO, &processors, &info, &count),
	    KERN_INVALID_ARGUMENT);
	assert_int_equal(mach_port_deallocate(mach_task_self(), host), KERN_SUCCESS);
}

/* ---- memory --------------------------------------------------------------------------------- */

static kern_return_t
map(mach_vm_size_t size, int flags, vm_prot_t protection, vm_prot_t most, vm_inherit_t inheritance)
{
	mach_vm_address_t address = 0;
	kern_return_t code = mach_vm_map(mach_task_self(), &address, size, 0, flags, MACH_PORT_NULL,
					 0, FALSE, protection, most, inheritance);

	if (code == KERN_SUCCESS)
		mach_vm_deallocate(mach_task_self(), address, size);
	return code;
}

static void
memory_is_not_mapped_by_bad_arguments(void **state)
{
	(void)state;
	assert_int_equal(map(4096, 1, VM_PROT_READ, VM_PROT_ALL, VM_INHERIT_COPY), KERN_SUCCESS);
	assert_int_equal(map(0, 1, VM_PROT_READ, VM_PROT_ALL, VM_INHERIT_COPY),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(map(4096, 1, VM_PROT_READ, VM_PROT_ALL, 3), KERN_INVALID_ARGUMENT);
	assert_int_equal(map(4096, 1, 0x80, VM_PROT_ALL, VM_INHERIT_COPY), KERN_INVALID_ARGUMENT);
	assert_int_equal(map(4096, 1, VM_PROT_READ, 0x80, VM_INHERIT_COPY), KERN_INVALID_ARGUMENT);
	assert_int_equal(map(4096, 1, VM_PROT_WRITE, VM_PROT_READ, VM_INHERIT_COPY),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(map(4096, 0x2001, VM_PROT_READ, VM_PROT_ALL, VM_INHERIT_COPY),
			 KERN_INVALID_ARGUMENT);
}

static kern_return_t
remap(mach_vm_address_t from, mach_vm_size_t size, vm_inherit_t inheritance)
{
	mach_vm_address_t address = 0;
	vm_prot_t current, most;
	kern_return_t code =
	    mach_vm_remap(mach_task_self(), &address, size, 0, VM_FLAGS_ANYWHERE, mach_task_self(),
			  from, TRUE, &current, &most, inheritance);

	if (code == KERN_SUCCESS)
		mach_vm_deallocate(mach_task_self(), address, size);
	return code;
}

static kern_return_t
remap_new(mach_vm_address_t from, vm_prot_t protection, vm_prot_t most)
{
	mach_vm_address_t address = 0;
	kern_return_t code =
	    mach_vm_remap_new(mach_task_self(), &address, 4096, 0, VM_FLAGS_ANYWHERE,
			      mach_task_self(), from, TRUE, &protection, &most, VM_INHERIT_COPY);

	if (code == KERN_SUCCESS)
		mach_vm_deallocate(mach_task_self(), address, 4096);
	return code;
}

static void
memory_is_not_mapped_again_by_bad_arguments(void **state)
{
	mach_vm_address_t pages = 0, hole;

	(void)state;
	assert_int_equal(mach_vm_allocate(mach_task_self(), &pages, 3 * 4096, VM_FLAGS_ANYWHERE),
			 KERN_SUCCESS);
	hole = pages + 4096;
	assert_int_equal(remap(pages, 3 * 4096, VM_INHERIT_COPY), KERN_SUCCESS);
	assert_int_equal(remap(pages, 0, VM_INHERIT_COPY), KERN_INVALID_ARGUMENT);
	assert_int_equal(remap(pages, 4096, 3), KERN_INVALID_ARGUMENT);
	assert_int_equal(remap(UINT64_MAX - 5, 4096, VM_INHERIT_COPY), KERN_INVALID_ARGUMENT);
	assert_int_equal(remap_new(pages, VM_PROT_READ, VM_PROT_READ), KERN_SUCCESS);
	assert_int_equal(remap_new(pages, VM_PROT_WRITE | VM_PROT_EXECUTE, VM_PROT_ALL),
			 KERN_PROTECTION_FAILURE);
	assert_int_equal(remap_new(pages, VM_PROT_WRITE, VM_PROT_READ), KERN_INVALID_ARGUMENT);
	assert_int_equal(remap_new(pages, 0x80, 0x80), KERN_INVALID_ARGUMENT);
	assert_int_equal(mach_vm_protect(mach_task_self(), pages, 4096, FALSE, VM_PROT_READ),
			 KERN_SUCCESS);
	assert_int_equal(remap_new(pages, VM_PROT_READ | VM_PROT_WRITE, VM_PROT_ALL),
			 KERN_PROTECTION_FAILURE);
	assert_int_equal(mach_vm_deallocate(mach_task_self(), hole, 4096), KERN_SUCCESS);
	assert_int_equal(remap(pages, 3 * 4096, VM_INHERIT_COPY), KERN_INVALID_ADDRESS);
	assert_int_equal(mach_vm_deallocate(mach_task_self(), pages, 3 * 4096), KERN_SUCCESS);
}

static void
ranges_that_are_none_are_refused(void **state)
{
	const mach_vm_address_t end = UINT64_MAX - 10;
	mach_port_t task = mach_task_self();

	(void)state;
	assert_int_equal(mach_vm_protect(task, end, 100, FALSE, VM_PROT_READ),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(mach_vm_protect(task, 0, 0, FALSE, VM_PROT_READ), KERN_SUCCESS);
	assert_int_equal(mach_vm_protect(task, 4096, 4096, FALSE, 0x80), KERN_INVALID_ARGUMENT);
	assert_int_equal(mach_vm_inherit(task, end, 100, VM_INHERIT_COPY), KERN_INVALID_ARGUMENT);
	assert_int_equal(mach_vm_inherit(task, 0, 0, VM_INHERIT_COPY), KERN_SUCCESS);
	assert_int_equal(mach_vm_inherit(task, 4096, 4096, VM_INHERIT_NONE), KERN_INVALID_ADDRESS);
	assert_int_equal(mach_vm_behavior_set(task, end, 100, VM_BEHAVIOR_DEFAULT),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(mach_vm_protect(MACH_PORT_NULL, 4096, 4096, FALSE, VM_PROT_READ),
			 KERN_INVALID_ARGUMENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_flavor_of_task_info_has_its_count),
		cmocka_unit_test(what_is_not_served_any_more_says_so),
		cmocka_unit_test(who_yields_goes_on),
		cmocka_unit_test(time_goes_forward_by_every_name),
		cmocka_unit_test(who_waits_until_a_time_may_be_interrupted),
		cmocka_unit_test(who_sleeps_is_told_when_it_woke),
		cmocka_unit_test(each_flavor_of_statistics_has_its_count),
		cmocka_unit_test(each_processor_is_told_of),
		cmocka_unit_test(memory_is_not_mapped_by_bad_arguments),
		cmocka_unit_test(memory_is_not_mapped_again_by_bad_arguments),
		cmocka_unit_test(ranges_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
