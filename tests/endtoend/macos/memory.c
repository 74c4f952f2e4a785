/* Memory of one's own, time, and what the host and the task tell about themselves. */
#include "check.h"

#include <mach/mach_time.h>
#include <mach/mach_vm.h>
#include <string.h>

int
main(void)
{
	mach_port_t task = mach_task_self();
	vm_address_t pages = 0;
	vm_offset_t copy;
	mach_msg_type_number_t count;

	CHECK(vm_allocate(task, &pages, 3 * vm_page_size, VM_FLAGS_ANYWHERE));
	strcpy((char *)pages, "hello");
	CHECK(vm_protect(task, pages + vm_page_size, vm_page_size, FALSE, VM_PROT_READ));
	CHECK(vm_read(task, pages, vm_page_size, &copy, &count));
	REQUIRE(count == vm_page_size && strcmp((char *)copy, "hello") == 0);
	CHECK(vm_deallocate(task, copy, count));

	vm_address_t region = pages;
	vm_size_t size;
	vm_region_basic_info_data_64_t basic;
	mach_port_t object;
	count = VM_REGION_BASIC_INFO_COUNT_64;
	CHECK(vm_region_64(task, &region, &size, VM_REGION_BASIC_INFO_64, (vm_region_info_t)&basic,
			   &count, &object));
	REQUIRE(region == pages && size == vm_page_size);
	REQUIRE(basic.protection == (VM_PROT_READ | VM_PROT_WRITE));

	mach_vm_address_t wide = 0, twin = 0;
	vm_prot_t current, most;
	CHECK(mach_vm_allocate(task, &wide, 1 << 20, VM_FLAGS_ANYWHERE));
	CHECK(mach_vm_write(task, wide, pages, 6));
	CHECK(mach_vm_remap(task, &twin, vm_page_size, 0, VM_FLAGS_ANYWHERE, task, wide, TRUE,
			    &current, &most, VM_INHERIT_COPY));
	REQUIRE(strcmp((char *)(uintptr_t)twin, "hello") == 0);
	EXPECT(KERN_INVALID_ADDRESS, vm_read_overwrite(task, 0x1000, 16, pages, &size));
	CHECK(mach_vm_deallocate(task, twin, vm_page_size));
	CHECK(mach_vm_deallocate(task, wide, 1 << 20));
	CHECK(vm_deallocate(task, pages, 3 * vm_page_size));

	mach_timebase_info_data_t base;
	CHECK(mach_timebase_info(&base));
	uint64_t until = mach_absolute_time() + 1000000ull * base.denom / base.numer;
	CHECK(mach_wait_until(until));
	REQUIRE(mach_absolute_time() >= until);

	mach_task_basic_info_data_t task_basic;
	count = MACH_TASK_BASIC_INFO_COUNT;
	CHECK(task_info(task, MACH_TASK_BASIC_INFO, (task_info_t)&task_basic, &count));
	REQUIRE(task_basic.resident_size > 0);

	mach_port_t host = mach_host_self();
	host_basic_info_data_t host_basic;
	vm_size_t page_size;
	count = HOST_BASIC_INFO_COUNT;
	CHECK(host_info(host, HOST_BASIC_INFO, (host_info_t)&host_basic, &count));
	REQUIRE(host_basic.avail_cpus > 0 && host_basic.max_mem > 0);
	CHECK(host_page_size(host, &page_size));
	REQUIRE(page_size == vm_page_size);
	CHECK(mach_port_deallocate(task, host));
	puts("memory: done");
	return 0;
}
