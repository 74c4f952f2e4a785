/*
 * Memory: what can be read and written, and the calls on the own task's.
 */
#include "client/memory.h"

#include <mach/mach.h>
#include <mach/mach_vm.h>
#include <mach/vm_map.h>
#include <mach/vm_region.h>
#include <mach/vm_statistics.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static mach_vm_address_t
allocate(mach_vm_size_t size)
{
	mach_vm_address_t address = 0;

	assert_int_equal(mach_vm_allocate(mach_task_self(), &address, size, VM_FLAGS_ANYWHERE),
			 KERN_SUCCESS);
	return address;
}

static void
release(mach_vm_address_t address, mach_vm_size_t size)
{
	assert_int_equal(mach_vm_deallocate(mach_task_self(), address, size), KERN_SUCCESS);
}

static void *
at(mach_vm_address_t address)
{
	return (void *)(uintptr_t)address;
}

/* ---- looking ------------------------------------------------------------------------ */

static void
what_can_be_read_and_written_is_told(void **state)
{
	uint8_t *pages = at(allocate(3 * 4096));

	(void)state;
	assert_true(memory_is_readable(pages, 3 * 4096));
	mprotect(pages + 4096, 4096, PROT_READ);
	assert_true(memory_is_readable(pages, 3 * 4096));
	memory_changed();
	assert_false(memory_is_writable(pages, 3 * 4096));
	assert_false(memory_is_writable(pages + 4090, 12));
	assert_true(memory_is_writable(pages, 4096));
	assert_true(memory_is_writable(pages + 8192, 4096));
	mprotect(pages + 4096, 4096, PROT_NONE);
	assert_false(memory_is_readable(pages, 3 * 4096));
	assert_false(memory_is_readable(pages + 4095, 2));
	assert_true(memory_is_readable(pages, 4096));
	assert_false(memory_is_readable(NULL, 1));
	assert_false(memory_is_readable((void *)1, SIZE_MAX));
	release((uintptr_t)pages, 3 * 4096);
}

static void
looking_for_readability_changes_nothing(void **state)
{
	uint8_t bytes[64];

	(void)state;
	memset(bytes, 0xab, sizeof(bytes));
	assert_true(memory_is_readable(bytes, sizeof(bytes)));
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0xab);
}

static void
memory_protected_by_mach_calls_is_not_remembered_as_writable(void **state)
{
	mach_vm_address_t address = allocate(4096);

	(void)state;
	assert_true(memory_is_writable(at(address), 100));
	assert_int_equal(mach_vm_protect(mach_task_self(), address, 4096, FALSE, VM_PROT_READ),
			 KERN_SUCCESS);
	assert_false(memory_is_writable(at(address), 100));
	release(address, 4096);
}

static void
a_message_may_go_on_where_the_thread_has_read_or_written_lately(void **state)
{
	mach_vm_address_t address = allocate(3 * 4096);
	uint8_t *message = (uint8_t *)at(address) + 4000;

	(void)state;
	assert_true(memory_message_is_readable(message, 8192));
	assert_true(memory_message_is_readable(message, 8192)); /* remembered */
	assert_true(memory_message_is_readable(message, 96));
	assert_int_equal(mach_vm_protect(mach_task_self(), address + 8192, 4096, FALSE, 0),
			 KERN_SUCCESS);
	assert_false(memory_message_is_readable(message, 8192));
	assert_true(memory_message_is_readable(message, 4096));
	assert_int_equal(mach_vm_protect(mach_task_self(), address + 4096, 4096, FALSE, 0),
			 KERN_SUCCESS);
	assert_false(memory_message_is_readable(message, 97));
	assert_true(memory_message_is_readable(message, 96));
	assert_int_equal(mach_vm_protect(mach_task_self(), address, 3 * 4096, FALSE,
					 VM_PROT_READ | VM_PROT_WRITE),
			 KERN_SUCCESS);
	assert_true(memory_is_writable((uint8_t *)at(address) + 4096, 4096));
	assert_true(memory_message_is_readable(message, 4096));
	assert_false(memory_message_is_readable(message, SIZE_MAX));
	release(address, 3 * 4096);
	assert_false(memory_message_is_readable(message, 8192));
}

/* ---- allocate ------------------------------------------------------------------------ */

static void
allocated_memory_is_zero_and_whole_pages(void **state)
{
	mach_vm_address_t address = allocate(5000);

	(void)state;
	assert_int_equal(address % vm_page_size, 0);
	for (int i = 0; i < 8192; i++)
		assert_int_equal(((uint8_t *)at(address))[i], 0);
	memset(at(address), 1, 8192);
	release(address, 5000);
	assert_false(memory_is_readable(at(address), 8192));
}

static void
nothing_allocated_is_no_error(void **state)
{
	mach_vm_address_t address = 77;

	(void)state;
	assert_int_equal(mach_vm_allocate(mach_task_self(), &address, 0, VM_FLAGS_ANYWHERE),
			 KERN_SUCCESS);
	assert_int_equal(address, 0);
	release(0, 0);
	release(0x1000, 0);
}

static void
a_place_that_is_taken_is_given_only_to_be_overwritten(void **state)
{
	mach_vm_address_t address = allocate(8192);
	mach_vm_address_t wanted = address + 4096 + 17; /* cut to its page */

	(void)state;
	*(uint8_t *)at(address + 4096) = 9;
	assert_int_equal(mach_vm_allocate(mach_task_self(), &wanted, 4096, VM_FLAGS_FIXED),
			 KERN_NO_SPACE);
	wanted = address + 4096 + 17;
	assert_int_equal(
	    mach_vm_allocate(mach_task_self(), &wanted, 4096, VM_FLAGS_FIXED | VM_FLAGS_OVERWRITE),
	    KERN_SUCCESS);
	assert_int_equal(wanted, address + 4096);
	assert_int_equal(*(uint8_t *)at(wanted), 0);
	release(wanted, 4096);
	assert_int_equal(mach_vm_allocate(mach_task_self(), &wanted, 4096, VM_FLAGS_FIXED),
			 KERN_SUCCESS);
	release(address, 8192);
}

static void
bad_arguments_of_allocate(void **state)
{
	mach_vm_address_t address = 0;

	(void)state;
	assert_int_equal(mach_vm_allocate(mach_task_self(), &address, 4096, 0x2000),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(mach_vm_allocate(MACH_PORT_NULL, &address, 4096, VM_FLAGS_ANYWHERE),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(mach_vm_allocate(mach_task_self(), &address, 4096, VM_FLAGS_FIXED),
			 KERN_INVALID_ADDRESS);
	assert_int_equal(
	    mach_vm_allocate(mach_task_self(), &address, UINT64_MAX - 10, VM_FLAGS_ANYWHERE),
	    KERN_NO_SPACE);
	assert_int_equal(mach_vm_deallocate(mach_task_self(), UINT64_MAX - 10, 100),
			 KERN_INVALID_ARGUMENT);
}

static void
a_mask_aligns(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		mach_vm_address_t address = 0;
		assert_int_equal(mach_vm_map(mach_task_self(), &address, 3 * 4096, 0xfffff,
					     VM_FLAGS_ANYWHERE, MACH_PORT_NULL, 0, FALSE,
					     VM_PROT_DEFAULT, VM_PROT_ALL, VM_INHERIT_COPY),
				 KERN_SUCCESS);
		assert_int_equal(address & 0xfffff, 0);
		memset(at(address), 1, 3 * 4096);
		release(address, 3 * 4096);
		allocate(4096);
	}
}

/* ---- the rest ------------------------------------------------------------------------- */

static void
reading_gives_a_copy(void **state)
{
	mach_vm_address_t address = allocate(20000);
	vm_offset_t data;
	mach_msg_type_number_t count;

	(void)state;
	memset(at(address), 5, 20000);
	assert_int_equal(mach_vm_read(mach_task_self(), address + 3, 19000, &data, &count),
			 KERN_SUCCESS);
	assert_int_equal(count, 19000);
	memset(at(address), 6, 20000);
	for (int i = 0; i < 19000; i++)
		assert_int_equal(((uint8_t *)data)[i], 5);
	assert_int_equal(vm_deallocate(mach_task_self(), data, count), KERN_SUCCESS);
	assert_int_equal(mach_vm_read(mach_task_self(), address, 1ull << 32, &data, &count),
			 KERN_INVALID_ARGUMENT);
	release(address, 20000);
	assert_int_equal(mach_vm_read(mach_task_self(), address, 10, &data, &count),
			 KERN_INVALID_ADDRESS);
}

static void
protection_and_holes_are_told_apart(void **state)
{
	mach_vm_address_t address = allocate(3 * 4096);
	mach_msg_type_number_t count;
	vm_offset_t data;
	uint8_t byte = 1;

	(void)state;
	assert_int_equal(
	    mach_vm_protect(mach_task_self(), address + 4096, 4096, FALSE, VM_PROT_NONE),
	    KERN_SUCCESS);
	assert_int_equal(mach_vm_read(mach_task_self(), address, 3 * 4096, &data, &count),
			 KERN_PROTECTION_FAILURE);
	assert_int_equal(mach_vm_write(mach_task_self(), address + 4096, (vm_offset_t)&byte, 1),
			 KERN_PROTECTION_FAILURE);
	release(address + 4096, 4096);
	assert_int_equal(mach_vm_read(mach_task_self(), address, 3 * 4096, &data, &count),
			 KERN_INVALID_ADDRESS);
	assert_int_equal(mach_vm_write(mach_task_self(), address + 4096, (vm_offset_t)&byte, 1),
			 KERN_INVALID_ADDRESS);
	assert_int_equal(mach_vm_protect(mach_task_self(), address, 3 * 4096, FALSE, VM_PROT_READ),
			 KERN_INVALID_ADDRESS);
	release(address, 3 * 4096);
}

static void
overlapping_copies_are_right_both_ways(void **state)
{
	mach_vm_address_t address = allocate(4 * 4096);
	uint8_t *bytes = at(address);

	(void)state;
	for (int step = -1; step <= 1; step += 2) {
		for (int i = 0; i < 4 * 4096; i++)
			bytes[i] = (uint8_t)(i % 251);
		assert_int_equal(mach_vm_copy(mach_task_self(), address + 4096, 8192,
					      address + 4096 + (mach_vm_address_t)(step * 1000)),
				 KERN_SUCCESS);
		for (int i = 0; i < 8192; i++)
			assert_int_equal(bytes[4096 + step * 1000 + i],
					 (uint8_t)((4096 + i) % 251));
	}
	release(address, 4 * 4096);
}

static void
a_remapped_copy_is_apart_and_a_shared_one_is_not(void **state)
{
	mach_vm_address_t source =
	    (uintptr_t)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mach_vm_address_t twin = 0;
	vm_prot_t current, maximum;

	(void)state;
	*(int *)at(source) = 1;
	for (int copy = 0; copy <= 1; copy++) {
		assert_int_equal(mach_vm_remap(mach_task_self(), &twin, 8192, 0, VM_FLAGS_ANYWHERE,
					       mach_task_self(), source, (boolean_t)copy, &current,
					       &maximum, VM_INHERIT_COPY),
				 KERN_SUCCESS);
		assert_int_equal(current, VM_PROT_DEFAULT);
		*(int *)at(twin) = 2 + copy;
		assert_int_equal(*(int *)at(source), 2);
		release(twin, 8192);
	}
	release(source, 8192);
}

static void
a_region_is_found_from_any_address_before_it(void **state)
{
	mach_vm_address_t address = allocate(3 * 4096);
	mach_vm_address_t found = address + 4096 + 5;
	mach_vm_size_t size;
	vm_region_basic_info_data_64_t info;
	mach_msg_type_number_t count = VM_REGION_BASIC_INFO_COUNT_64;
	mach_port_t object;

	(void)state;
	mprotect(at(address + 4096), 4096, PROT_READ);
	assert_int_equal(mach_vm_region(mach_task_self(), &found, &size, VM_REGION_BASIC_INFO_64,
					(vm_region_info_t)&info, &count, &object),
			 KERN_SUCCESS);
	assert_int_equal(found, address + 4096);
	assert_int_equal(size, 4096);
	assert_int_equal(info.protection, VM_PROT_READ);
	assert_int_equal(object, MACH_PORT_NULL);
	found = UINT64_MAX - 4096;
	assert_int_equal(mach_vm_region(mach_task_self(), &found, &size, VM_REGION_BASIC_INFO_64,
					(vm_region_info_t)&info, &count, &object),
			 KERN_INVALID_ADDRESS);
	count = 8;
	assert_int_equal(mach_vm_region(mach_task_self(), &found, &size, VM_REGION_BASIC_INFO_64,
					(vm_region_info_t)&info, &count, &object),
			 KERN_INVALID_ARGUMENT);
	release(address, 3 * 4096);
}

static void
memory_that_is_not_inherited_is_not_in_a_child(void **state)
{
	mach_vm_address_t address = allocate(4096);
	int status;

	(void)state;
	assert_int_equal(mach_vm_inherit(mach_task_self(), address, 4096, VM_INHERIT_NONE),
			 KERN_SUCCESS);
	assert_int_equal(mach_vm_inherit(mach_task_self(), address, 4096, 3),
			 KERN_INVALID_ARGUMENT);
	pid_t child = fork();
	if (child == 0)
		_exit(memory_is_readable(at(address), 4096));
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	release(address, 4096);
}

static void
advice_keeps_the_contents_where_darwin_does(void **state)
{
	mach_vm_address_t address = allocate(4096);

	(void)state;
	*(int *)at(address) = 42;
	for (vm_behavior_t behavior = VM_BEHAVIOR_DEFAULT; behavior <= VM_BEHAVIOR_DONTNEED;
	     behavior++)
		assert_int_equal(mach_vm_behavior_set(mach_task_self(), address, 4096, behavior),
				 KERN_SUCCESS);
	assert_int_equal(*(int *)at(address), 42);
	assert_int_equal(mach_vm_behavior_set(mach_task_self(), address, 4096, 99),
			 KERN_INVALID_ARGUMENT);
	release(address, 4096);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_can_be_read_and_written_is_told),
		cmocka_unit_test(looking_for_readability_changes_nothing),
		cmocka_unit_test(a_message_may_go_on_where_the_thread_has_read_or_written_lately),
		cmocka_unit_test(memory_protected_by_mach_calls_is_not_remembered_as_writable),
		cmocka_unit_test(allocated_memory_is_zero_and_whole_pages),
		cmocka_unit_test(nothing_allocated_is_no_error),
		cmocka_unit_test(a_place_that_is_taken_is_given_only_to_be_overwritten),
		cmocka_unit_test(bad_arguments_of_allocate),
		cmocka_unit_test(a_mask_aligns),
		cmocka_unit_test(reading_gives_a_copy),
		cmocka_unit_test(protection_and_holes_are_told_apart),
		cmocka_unit_test(overlapping_copies_are_right_both_ways),
		cmocka_unit_test(a_remapped_copy_is_apart_and_a_shared_one_is_not),
		cmocka_unit_test(a_region_is_found_from_any_address_before_it),
		cmocka_unit_test(memory_that_is_not_inherited_is_not_in_a_child),
		cmocka_unit_test(advice_keeps_the_contents_where_darwin_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
