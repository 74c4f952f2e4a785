/*
 * Tasks of other processes: who gets their ports, and what may be done to their memory.
 */
#include "other_process.h"

#include <mach/mach_vm.h>

#include <errno.h>
#include <sys/mman.h>
#include <time.h>

#define NOBODY 65534

static mach_vm_address_t
address_of(const volatile void *object)
{
	return (mach_vm_address_t)(uintptr_t)object;
}

/* ---- their ports ---------------------------------------------------------------------------- */

static void
a_childs_task_is_had_by_its_pid(void **state)
{
	struct other other = other_start(NULL);
	mach_port_t task = other_task(&other), again = other_task(&other);
	mach_port_name_array_t names;
	mach_port_type_array_t types;
	mach_msg_type_number_t count, type_count;
	int pid = 0;

	assert_int_equal(task, again);
	assert_int_equal(pid_for_task(task, &pid), KERN_SUCCESS);
	assert_int_equal(pid, other.pid);
	assert_int_equal(mach_port_names(task, &names, &count, &types, &type_count), KERN_SUCCESS);
	assert_true(count > 0 && count == type_count);
	mach_vm_deallocate(mach_task_self(), address_of(names), count * sizeof(names[0]));
	mach_vm_deallocate(mach_task_self(), address_of(types), count * sizeof(types[0]));
	assert_int_equal(mach_port_mod_refs(mach_task_self(), task, MACH_PORT_RIGHT_SEND, -2),
			 KERN_SUCCESS);
	other_end(&other);
}

static void
the_name_port_tells_who_it_is_and_controls_nothing(void **state)
{
	struct other other = other_start(NULL);
	mach_port_t name, port;
	vm_offset_t data;
	mach_msg_type_number_t size;
	int pid = 0;

	assert_int_equal(task_name_for_pid(mach_task_self(), other.pid, &name), KERN_SUCCESS);
	assert_int_equal(pid_for_task(name, &pid), KERN_SUCCESS);
	assert_int_equal(pid, other.pid);
	assert_int_equal(mach_port_allocate(name, MACH_PORT_RIGHT_RECEIVE, &port),
			 KERN_INVALID_TASK);
	assert_int_equal(mach_vm_read(name, address_of(&other), 1, &data, &size),
			 KERN_INVALID_ARGUMENT);
	right_end(name);
	other_end(&other);
}

static void
what_is_no_task_has_no_port(void **state)
{
	mach_port_t port = 1;
	int fds[2];
	char byte;

	/* exec, and nothing of Darwin since */
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		execlp("sh", "sh", "-c", "echo; exec sleep 1000", (char *)NULL);
		_exit(1);
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(task_for_pid(mach_task_self(), pid, &port), KERN_FAILURE);
	assert_int_equal(port, MACH_PORT_NULL);
	assert_int_equal(task_name_for_pid(mach_task_self(), pid, &port), KERN_FAILURE);
	assert_int_equal(port, MACH_PORT_NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fds[0]);
	close(fds[1]);
	const int nobodys[] = { 0, -1, pid, 0x7fffffff };
	for (size_t i = 0; i < sizeof(nobodys) / sizeof(nobodys[0]); i++) {
		assert_int_equal(task_for_pid(mach_task_self(), nobodys[i], &port), KERN_FAILURE);
		assert_int_equal(task_name_for_pid(mach_task_self(), nobodys[i], &port),
				 KERN_FAILURE);
	}
}

/* Becomes another user, then asks for its parent, which is root's. */
static uint8_t
ask_as_nobody(uint8_t byte)
{
	mach_port_t port;

	if (setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)
		return 1;
	if (task_for_pid(mach_task_self(), getppid(), &port) != KERN_FAILURE)
		return 2;
	return task_name_for_pid(mach_task_self(), getppid(), &port) == KERN_FAILURE ? 0 : 3;
}

static void
a_user_does_not_get_anothers_task_but_root_does(void **state)
{
	if (geteuid() != 0) {
		skip(); /* needs two users */
		return;
	}
	struct other other = other_start(ask_as_nobody);
	mach_port_t name;

	assert_int_equal(other_does(&other, 0), 0);
	assert_int_equal(task_name_for_pid(mach_task_self(), other.pid, &name), KERN_SUCCESS);
	right_end(name);
	right_end(other_task(&other));
	other_end(&other);
}

/* ---- their memory -------------------------------------------------------------------------- */

static volatile uint64_t number = 17;
static uint8_t *pages; /* three, of which the middle one is changed in the other process */

static uint8_t
change_pages(uint8_t byte)
{
	number = 4711;
	if (byte == 0)
		return munmap(pages + vm_page_size, vm_page_size) != 0;
	return mprotect(pages + vm_page_size, vm_page_size, byte == 1 ? PROT_NONE : PROT_READ) != 0;
}

static void
pages_map(void)
{
	pages = mmap(NULL, 3 * vm_page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	assert_ptr_not_equal(pages, MAP_FAILED);
	memset(pages, 'p', 3 * vm_page_size);
}

static void
memory_is_read_and_written_there_and_not_here(void **state)
{
	pages_map();
	struct other other = other_start(change_pages);
	mach_port_t task = other_task(&other);
	vm_offset_t data;
	mach_msg_type_number_t count;
	mach_vm_size_t size = 0;
	uint64_t there = 0, wanted = 815;

	assert_int_equal(other_does(&other, 2), 0);
	assert_int_equal(mach_vm_read(task, address_of(&number), sizeof(number), &data, &count),
			 KERN_SUCCESS);
	assert_int_equal(count, sizeof(number));
	assert_int_equal(*(uint64_t *)data, 4711);
	mach_vm_deallocate(mach_task_self(), data, count);
	assert_int_equal(
	    mach_vm_write(task, address_of(&number), (vm_offset_t)&wanted, sizeof(wanted)),
	    KERN_SUCCESS);
	assert_int_equal(mach_vm_read_overwrite(task, address_of(&number), sizeof(number),
						address_of(&there), &size),
			 KERN_SUCCESS);
	assert_int_equal(size, sizeof(number));
	assert_int_equal(there, 815);
	assert_int_equal(number, 17);
	/* inside the other task */
	assert_int_equal(mach_vm_copy(task, address_of(&number), 8, address_of(pages)),
			 KERN_SUCCESS);
	assert_int_equal(
	    vm_read_overwrite(task, (vm_address_t)pages, 8, (vm_address_t)&there, &size),
	    KERN_SUCCESS);
	assert_int_equal(there, 815);
	assert_int_equal(pages[0], 'p');
	right_end(task);
	other_end(&other);
	munmap(pages, 3 * vm_page_size);
}

/* Reads and writes all three pages of @task. */
static void
assert_range_refuses(mach_port_t task, kern_return_t reading, kern_return_t writing)
{
	const size_t size = 3 * vm_page_size;
	uint8_t *bytes = malloc(size);
	mach_vm_size_t got = 0;

	memset(bytes, 'w', size);
	assert_int_equal(mach_vm_write(task, address_of(pages), (vm_offset_t)bytes,
				       (mach_msg_type_number_t)size),
			 writing);
	assert_int_equal(
	    mach_vm_read_overwrite(task, address_of(pages), size, address_of(bytes), &got),
	    reading);
	if (reading == KERN_SUCCESS)
		for (size_t i = 0; i < size; i++)
			assert_int_equal(bytes[i], writing == KERN_SUCCESS ? 'w' : 'p');
	free(bytes);
}

static void
what_is_not_there_or_protected_is_left_alone(void **state)
{
	pages_map();
	struct other other = other_start(change_pages);
	mach_port_t task = other_task(&other);
	vm_offset_t data;
	mach_msg_type_number_t count;

	assert_int_equal(other_does(&other, 2), 0);
	assert_range_refuses(task, KERN_SUCCESS, KERN_PROTECTION_FAILURE);
	assert_int_equal(other_does(&other, 1), 0);
	assert_range_refuses(task, KERN_PROTECTION_FAILURE, KERN_PROTECTION_FAILURE);
	assert_int_equal(other_does(&other, 0), 0);
	assert_range_refuses(task, KERN_INVALID_ADDRESS, KERN_INVALID_ADDRESS);
	assert_int_equal(mach_vm_read(task, 0, 1, &data, &count), KERN_INVALID_ADDRESS);
	assert_int_equal(mach_vm_read(task, UINT64_MAX - 5, 10, &data, &count),
			 KERN_INVALID_ADDRESS);
	assert_int_equal(mach_vm_read(task, address_of(pages), 1ull << 32, &data, &count),
			 KERN_INVALID_ARGUMENT);
	/* what is wrong here */
	mach_vm_size_t size;
	assert_int_equal(mach_vm_read_overwrite(task, address_of(pages), 8, 16, &size),
			 KERN_INVALID_ADDRESS);
	assert_int_equal(mach_vm_write(task, address_of(pages), 16, 8), KERN_INVALID_ADDRESS);
	right_end(task);
	other_end(&other);
	munmap(pages, 3 * vm_page_size);
}

static void
regions_of_another_task_are_found_and_copied(void **state)
{
	pages_map();
	struct other other = other_start(change_pages);
	mach_port_t task = other_task(&other);
	vm_region_basic_info_data_64_t info;
	mach_msg_type_number_t count = VM_REGION_BASIC_INFO_COUNT_64;
	mach_vm_address_t address = address_of(pages) + vm_page_size;
	mach_vm_size_t size = 0;
	mach_port_t object;
	vm_prot_t current, maximum;

	assert_int_equal(other_does(&other, 2), 0);
	assert_int_equal(mach_vm_region(task, &address, &size, VM_REGION_BASIC_INFO_64,
					(vm_region_info_t)&info, &count, &object),
			 KERN_SUCCESS);
	assert_int_equal(address, address_of(pages) + vm_page_size);
	assert_int_equal(size, vm_page_size);
	assert_int_equal(info.protection, VM_PROT_READ);
	address = 0;
	assert_int_equal(mach_vm_remap(mach_task_self(), &address, vm_page_size, 0,
				       VM_FLAGS_ANYWHERE, task, address_of(pages) + vm_page_size,
				       TRUE, &current, &maximum, VM_INHERIT_COPY),
			 KERN_SUCCESS);
	assert_int_equal(current, VM_PROT_READ);
	assert_int_equal(*(uint8_t *)(uintptr_t)address, 'p');
	mach_vm_deallocate(mach_task_self(), address, vm_page_size);
	right_end(task);
	other_end(&other);
	munmap(pages, 3 * vm_page_size);
}

/* ---- what they are told of ----------------------------------------------------------------- */

/* Uses some time and memory. */
static uint8_t
work(uint8_t byte)
{
	struct timespec used = { 0 };

	pages = malloc(8u << 20);
	memset(pages, 'm', 8u << 20);
	while (used.tv_sec == 0 && used.tv_nsec < 100000000)
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return 0;
}

static void
task_info_tells_of_another_task(void **state)
{
	struct other other = other_start(work);
	mach_port_t ports[2] = { other_task(&other) };
	mach_task_basic_info_data_t own, its;
	task_absolutetime_info_data_t times;
	audit_token_t token;
	mach_msg_type_number_t count;

	assert_int_equal(task_name_for_pid(mach_task_self(), other.pid, &ports[1]), KERN_SUCCESS);
	assert_int_equal(other_does(&other, 0), 0);
	for (int i = 0; i < 2; i++) {
		count = MACH_TASK_BASIC_INFO_COUNT;
		assert_int_equal(
		    task_info(ports[i], MACH_TASK_BASIC_INFO, (task_info_t)&its, &count),
		    KERN_SUCCESS);
		assert_int_equal(count, MACH_TASK_BASIC_INFO_COUNT);
		assert_true(its.resident_size >= 8u << 20);
		assert_true(its.virtual_size >= its.resident_size);
		count = TASK_ABSOLUTETIME_INFO_COUNT;
		assert_int_equal(
		    task_info(ports[i], TASK_ABSOLUTETIME_INFO, (task_info_t)&times, &count),
		    KERN_SUCCESS);
		assert_true(times.total_user + times.total_system >= 50000000);
		assert_true(times.threads_user + times.threads_system >= 50000000);
		count = TASK_AUDIT_TOKEN_COUNT;
		assert_int_equal(task_info(ports[i], TASK_AUDIT_TOKEN, (task_info_t)&token, &count),
				 KERN_SUCCESS);
		assert_int_equal(token.val[5], other.pid);
		count = 3;
		assert_int_equal(
		    task_info(ports[i], MACH_TASK_BASIC_INFO, (task_info_t)&its, &count),
		    KERN_INVALID_ARGUMENT);
		assert_int_equal(task_info(ports[i], 4711, (task_info_t)&its, &count),
				 KERN_INVALID_ARGUMENT);
	}
	count = MACH_TASK_BASIC_INFO_COUNT;
	assert_int_equal(
	    task_info(mach_task_self(), MACH_TASK_BASIC_INFO, (task_info_t)&own, &count),
	    KERN_SUCCESS);
	assert_true(own.resident_size > 0);
	other_end(&other);
	task_is_dead(ports[0]);
	count = MACH_TASK_BASIC_INFO_COUNT;
	assert_int_equal(task_info(ports[0], MACH_TASK_BASIC_INFO, (task_info_t)&its, &count),
			 MACH_SEND_INVALID_DEST);
	right_end(ports[0]);
	right_end(ports[1]);
}

/* ---- the end ----------------------------------------------------------------------------------
 */

static void
the_task_of_a_process_that_ended_is_dead(void **state)
{
	struct other other = other_start(NULL);
	mach_port_t task = other_task(&other), port;
	vm_offset_t data;
	mach_msg_type_number_t count;

	other_end(&other);
	/* before and after the kernel has seen it */
	kern_return_t code = mach_vm_read(task, address_of(&number), 1, &data, &count);
	assert_true(code == KERN_INVALID_ARGUMENT || code == MACH_SEND_INVALID_DEST);
	assert_int_equal(task_for_pid(mach_task_self(), other.pid, &port), KERN_FAILURE);
	task_is_dead(task);
	assert_int_equal(mach_vm_read(task, address_of(&number), 1, &data, &count),
			 MACH_SEND_INVALID_DEST);
	assert_int_equal(mach_vm_write(task, address_of(&number), (vm_offset_t)&code, 1),
			 MACH_SEND_INVALID_DEST);
	right_end(task);
}

static void
a_zombie_has_no_memory(void **state)
{
	struct other other = other_start(NULL);
	mach_port_t task = other_task(&other);
	siginfo_t end;
	vm_offset_t data;
	mach_msg_type_number_t count;

	kill(other.pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)other.pid, &end, WEXITED | WNOWAIT), 0);
	kern_return_t code = mach_vm_read(task, address_of(&number), 1, &data, &count);
	assert_true(code == KERN_INVALID_ARGUMENT || code == MACH_SEND_INVALID_DEST ||
		    code == KERN_NO_ACCESS);
	other_end(&other);
	task_is_dead(task);
	right_end(task);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_childs_task_is_had_by_its_pid),
		cmocka_unit_test(the_name_port_tells_who_it_is_and_controls_nothing),
		cmocka_unit_test(what_is_no_task_has_no_port),
		cmocka_unit_test(a_user_does_not_get_anothers_task_but_root_does),
		cmocka_unit_test(memory_is_read_and_written_there_and_not_here),
		cmocka_unit_test(what_is_not_there_or_protected_is_left_alone),
		cmocka_unit_test(regions_of_another_task_are_found_and_copied),
		cmocka_unit_test(task_info_tells_of_another_task),
		cmocka_unit_test(the_task_of_a_process_that_ended_is_dead),
		cmocka_unit_test(a_zombie_has_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
