/*
 * The host: the library answers by itself, the kernel answers messages, and both say the same.
 */
#include "kernel_test.h"

#include <mach/host_info.h>
#include <mach/mach_host.h>

#include "client/mach/kernelrpc.h" /* the calls as messages */

static void
every_flavor_is_told_alike(void **state)
{
	host_t host = mach_host_self();

	(void)state;
	for (host_flavor_t flavor = -1; flavor <= 20; flavor++) {
		for (mach_msg_type_number_t room = 0; room <= 20; room++) {
			integer_t ours[32], theirs[32];
			mach_msg_type_number_t our_count = room, their_count = room;
			kern_return_t code;

			memset(ours, 0x55, sizeof(ours));
			memset(theirs, 0x55, sizeof(theirs));
			code = host_info(host, flavor, ours, &our_count);
			assert_int_equal(_kernelrpc_host_info(host, flavor, theirs, &their_count),
					 code);
			if (code != KERN_SUCCESS)
				continue;
			assert_int_equal(their_count, our_count);
			assert_memory_equal(theirs, ours, our_count * sizeof(integer_t));
		}
	}
	assert_int_equal(mach_port_deallocate(mach_task_self(), host), KERN_SUCCESS);
}

static void
version_and_page_size_are_told_alike(void **state)
{
	host_t host = mach_host_self();
	kernel_version_t ours, theirs;
	vm_size_t page = 0;

	(void)state;
	assert_int_equal(host_kernel_version(host, ours), KERN_SUCCESS);
	assert_int_equal(_kernelrpc_host_kernel_version(host, theirs), KERN_SUCCESS);
	assert_string_equal(theirs, ours);
	assert_true(strlen(ours) > 10);
	assert_int_equal(_kernelrpc__host_page_size(host, &page), KERN_SUCCESS);
	assert_int_equal(page, vm_page_size);
	assert_int_equal(mach_port_deallocate(mach_task_self(), host), KERN_SUCCESS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_flavor_is_told_alike),
		cmocka_unit_test(version_and_page_size_are_told_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
