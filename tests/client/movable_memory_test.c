/*
 * Memory that messages may take along is as any other.
 */
#include "tests/client/moves.h"

#include <mach/vm_region.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- as any memory --------------------------------------------------------------------- */

static void
a_child_has_a_copy(void **state)
{
	uint8_t *memory = allocate(LARGE);
	unsigned long file = file_of(memory);
	int ready[2], go[2], status;
	char byte = 0;

	(void)state;
	assert_int_equal(pipe(ready) | pipe(go), 0);
	fill(memory, LARGE, 1);
	pid_t child = fork();
	if (child == 0) {
		/* what the parent writes now is not seen here, and the other way round */
		if (read(go[0], &byte, 1) != 1 || !is_filled(memory, LARGE, 1))
			_exit(1);
		fill(memory, LARGE / 2, 3);
		if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(2);
		mach_port_t port = port_new();
		if (send_memory(port, memory, LARGE, true) != MACH_MSG_SUCCESS || is_there(memory))
			_exit(3);
		memory = receive_memory(port, LARGE);
		_exit(is_filled(memory, LARGE / 2, 3) ? 0 : 4);
	}
	close(ready[1]); /* its end is seen */
	fill(memory + LARGE / 2, LARGE / 2, 2);
	assert_int_equal(write(go[1], &byte, 1), 1);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_true(is_filled(memory, LARGE / 2, 1));
	assert_true(is_filled(memory + LARGE / 2, LARGE / 2, 2));
	assert_int_equal(write(go[1], &byte, 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(is_filled(memory, LARGE / 2, 1));
	deallocate(memory, LARGE);

	/* untouched since, it moves in both */
	memory = allocate(LARGE);
	file = file_of(memory);
	fill(memory, LARGE, 1);
	child = fork();
	mach_port_t port = port_new();
	bool went = send_memory(port, memory, LARGE, true) == MACH_MSG_SUCCESS;
	memory = receive_memory(port, LARGE);
	went = went && file_of(memory) == file && is_filled(memory, LARGE, 1);
	if (child == 0)
		_exit(!went);
	assert_true(went);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	deallocate(memory, LARGE);
	port_end(port);
	close(ready[0]);
	close(go[0]);
	close(go[1]);
}

static void
a_child_made_past_the_library_does_not_share(void **state)
{
	uint8_t *memory = allocate(LARGE);
	int status;

	(void)state;
	fill(memory, LARGE, 1);
	fflush(stdout);
	pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0) {
		_exit(is_there(memory));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(is_filled(memory, LARGE, 1));
	deallocate(memory, LARGE);
}

static void
inheritance_is_as_it_was_asked_for(void **state)
{
	uint8_t *memory = allocate(LARGE);
	mach_vm_address_t none = 0;
	int status;

	(void)state;
	assert_int_equal(
	    mach_vm_inherit(mach_task_self(), (uintptr_t)memory, LARGE / 2, VM_INHERIT_NONE),
	    KERN_SUCCESS);
	assert_int_equal(mach_vm_map(mach_task_self(), &none, LARGE, 0, VM_FLAGS_ANYWHERE,
				     MACH_PORT_NULL, 0, FALSE, VM_PROT_DEFAULT, VM_PROT_ALL,
				     VM_INHERIT_NONE),
			 KERN_SUCCESS);
	pid_t child = fork();
	if (child == 0)
		_exit((is_there(memory) ? 1 : 0) | (is_there(memory + LARGE / 2) ? 0 : 2) |
		      (is_there((void *)(uintptr_t)none) ? 4 : 0));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	deallocate(memory, LARGE);
	deallocate((void *)(uintptr_t)none, LARGE);
}

static void
it_looks_like_private_memory(void **state)
{
	uint8_t *memory = allocate(LARGE);
	mach_vm_address_t at = (uintptr_t)memory;
	mach_vm_size_t size = 0;
	vm_region_basic_info_data_64_t info;
	mach_msg_type_number_t count = VM_REGION_BASIC_INFO_COUNT_64;
	mach_port_t object;

	(void)state;
	assert_int_equal(mach_vm_region(mach_task_self(), &at, &size, VM_REGION_BASIC_INFO_64,
					(vm_region_info_t)&info, &count, &object),
			 KERN_SUCCESS);
	assert_int_equal(at, (uintptr_t)memory);
	assert_int_equal(size, LARGE);
	assert_false(info.shared);
	assert_int_equal(info.inheritance, VM_INHERIT_COPY);
	assert_int_equal(info.protection, VM_PROT_DEFAULT);
	assert_int_equal(info.offset, 0);

	/* what its owner gives back is gone */
	fill(memory, LARGE, 1);
	assert_int_equal(
	    mach_vm_behavior_set(mach_task_self(), (uintptr_t)memory, LARGE, VM_BEHAVIOR_FREE),
	    KERN_SUCCESS);
	assert_int_equal(memory[0], 0);
	deallocate(memory, LARGE);
}

static void
protection_goes_on_holding(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE);

	(void)state;
	fill(memory, LARGE, 1);
	assert_int_equal(
	    mach_vm_protect(mach_task_self(), (uintptr_t)memory, LARGE / 2, FALSE, VM_PROT_READ),
	    KERN_SUCCESS);
	/* freezing keeps it */
	struct memory_message message = message_to(port, memory, LARGE, true);
	message.base.header.msgh_remote_port = MACH_PORT_DEAD;
	assert_int_equal(mach_msg(&message.base.header, MACH_SEND_MSG, MESSAGE_SIZE(1), 0, 0, 0, 0),
			 MACH_SEND_INVALID_DEST);
	int zeroes = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(zeroes, memory, 1), -1);
	assert_int_equal(read(zeroes, memory + LARGE / 2, 1), 1);
	fill(memory + LARGE / 2, vm_page_size, 1 + 7 * (unsigned)(LARGE / 2 / vm_page_size));
	close(zeroes);
	assert_int_equal(send_memory(port, memory, LARGE, true), MACH_MSG_SUCCESS);
	uint8_t *got = receive_memory(port, LARGE);
	assert_true(is_filled(got, LARGE, 1));
	fill(got, LARGE, 2);
	deallocate(got, LARGE);

	/* what cannot be read cannot be sent */
	memory = allocate(LARGE);
	assert_int_equal(mach_vm_protect(mach_task_self(), (uintptr_t)memory + LARGE / 2,
					 vm_page_size, FALSE, VM_PROT_NONE),
			 KERN_SUCCESS);
	assert_int_equal(send_memory(port, memory, LARGE, true), MACH_SEND_INVALID_MEMORY);
	assert_true(is_there(memory));
	deallocate(memory, LARGE);
	port_end(port);
}

static void
it_is_shared_by_an_entry_and_copied_by_a_remap(void **state)
{
	uint8_t *memory = allocate(LARGE);
	memory_object_size_t size = LARGE;
	mach_vm_address_t twin = 0, copy = 0;
	vm_prot_t current, maximum;
	mach_port_t entry;

	(void)state;
	memory[0] = 1;
	memory[LARGE - 1] = 2;
	assert_int_equal(mach_make_memory_entry_64(mach_task_self(), &size, (uintptr_t)memory,
						   VM_PROT_DEFAULT, &entry, MACH_PORT_NULL),
			 KERN_SUCCESS);
	assert_int_equal(size, LARGE);
	assert_int_equal(mach_vm_map(mach_task_self(), &twin, LARGE, 0, VM_FLAGS_ANYWHERE, entry, 0,
				     FALSE, VM_PROT_DEFAULT, VM_PROT_DEFAULT, VM_INHERIT_COPY),
			 KERN_SUCCESS);
	uint8_t *shared = (uint8_t *)(uintptr_t)twin;
	assert_int_equal(shared[0], 1);
	assert_int_equal(shared[LARGE - 1], 2);
	/* what was never touched takes no memory */
	struct stat status;
	assert_int_equal(fstat(descriptor_of(shared), &status), 0);
	assert_true((size_t)status.st_blocks * 512 <= 8 * vm_page_size);
	assert_int_equal(shared[LARGE / 2], 0);
	assert_int_equal(mach_vm_remap(mach_task_self(), &copy, LARGE, 0, VM_FLAGS_ANYWHERE,
				       mach_task_self(), (uintptr_t)memory, TRUE, &current,
				       &maximum, VM_INHERIT_COPY),
			 KERN_SUCCESS);
	uint8_t *apart = (uint8_t *)(uintptr_t)copy;
	memory[5] = 9;
	assert_int_equal(shared[5], 9);
	assert_int_equal(apart[5], 0);
	assert_int_equal(apart[LARGE - 1], 2);
	deallocate(shared, LARGE);
	deallocate(apart, LARGE);
	deallocate(memory, LARGE);
	mach_port_deallocate(mach_task_self(), entry);
}

static void
it_may_become_code(void **state)
{
	uint8_t *memory = allocate(LARGE);

	(void)state;
	memory[0] = 0xc3;
	assert_int_equal(mach_vm_protect(mach_task_self(), (uintptr_t)memory, LARGE, FALSE,
					 VM_PROT_READ | VM_PROT_EXECUTE),
			 KERN_SUCCESS);
	deallocate(memory, LARGE);
}

static void
a_limit_on_files_is_none_on_memory(void **state)
{
	int status;

	(void)state;
	pid_t child = fork();
	if (child == 0) {
		const struct rlimit limit = { LARGE / 2, LARGE / 2 };
		if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
			_exit(1);
		uint8_t *memory = allocate(LARGE);
		fill(memory, LARGE, 1);
		mach_port_t own = port_new();
		/* no memfd may be as large: that is said, and does not kill */
		if (send_memory(own, memory, LARGE, true) != MACH_SEND_NO_BUFFER)
			_exit(2);
		_exit(!is_filled(memory, LARGE, 1));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* ---- programs that go their own ways ----------------------------------------------------- */

static void
a_child_has_a_copy_though_no_descriptor_is_left(void **state)
{
	uint8_t *memory = allocate(LARGE);
	int taken[1024], count = 0, status;
	struct rlimit limit, low;

	(void)state;
	fill(memory, LARGE, 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 200;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	while ((taken[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		count++;
	pid_t child = fork();
	if (child == 0) {
		bool is_same = is_filled(memory, LARGE, 1);
		fill(memory, LARGE, 2);
		_exit(!is_same);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(is_filled(memory, LARGE, 1));
	while (count > 0)
		close(taken[--count]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	deallocate(memory, LARGE);
}

static void
memory_unmapped_by_munmap_is_given_back(void **state)
{
	unsigned before = descriptors();

	(void)state;
	uint8_t *memory[30];
	for (int i = 0; i < 30; i++)
		memory[i] = allocate(LARGE);
	assert_int_equal(descriptors(), before + 30);
	for (int i = 0; i < 30; i++)
		munmap(memory[i], LARGE);
	deallocate(allocate((size_t)100 << 20), (size_t)100 << 20);
	assert_int_equal(descriptors(), before);
}

static void
any_number_of_allocations_works(void **state)
{
	enum { COUNT = 600 };
	static uint8_t *all[COUNT];
	mach_port_t port = port_new();
	unsigned before = descriptors();
	size_t size = (size_t)300 << 10;

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		all[i] = allocate(size);
		all[i][size - 1] = (uint8_t)i;
	}
	assert_true(descriptors() - before <= 256);
	assert_int_equal(send_memory(port, all[0], size, true), MACH_MSG_SUCCESS);
	assert_int_equal(send_memory(port, all[COUNT - 1], size, true), MACH_MSG_SUCCESS);
	all[0] = receive_memory(port, size);
	all[COUNT - 1] = receive_memory(port, size);
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(all[i][size - 1], (uint8_t)i);
		deallocate(all[i], size);
	}
	assert_int_equal(descriptors(), before);
	port_end(port);
}

static void
a_closed_descriptor_loses_nothing(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE);
	int status;

	(void)state;
	fill(memory, LARGE, 1);
	assert_int_equal(close(descriptor_of(memory)), 0);
	int other = open("/dev/null", O_RDONLY | O_CLOEXEC); /* with the number that was ours */
	pid_t child = fork();
	if (child == 0) {
		bool is_same = is_filled(memory, LARGE, 1);
		fill(memory, LARGE, 2);
		_exit(!is_same);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(is_filled(memory, LARGE, 1));
	assert_int_equal(send_memory(port, memory, LARGE, true), MACH_MSG_SUCCESS);
	uint8_t *got = receive_memory(port, LARGE);
	assert_true(is_filled(got, LARGE, 1));
	deallocate(got, LARGE);
	assert_int_equal(fcntl(other, F_GETFD), FD_CLOEXEC);
	close(other);
	port_end(port);
}

static void
memory_that_somebody_else_maps_is_copied(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory = allocate(LARGE);
	unsigned long file = file_of(memory);

	(void)state;
	fill(memory, LARGE, 1);
	uint8_t *twin =
	    mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_of(memory), 0);
	assert_ptr_not_equal(twin, MAP_FAILED);
	assert_int_equal(send_memory(port, memory, LARGE, true), MACH_MSG_SUCCESS);
	fill(twin, LARGE, 2);
	uint8_t *got = receive_memory(port, LARGE);
	assert_int_not_equal(file_of(got), file);
	assert_true(is_filled(got, LARGE, 1));
	deallocate(got, LARGE);
	munmap(twin, LARGE);

	/* and what is not there any more is not sent in its place */
	memory = allocate(LARGE);
	fill(memory, LARGE, 1);
	assert_ptr_equal(mmap(memory, LARGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 memory);
	fill(memory, LARGE, 3);
	assert_int_equal(send_memory(port, memory, LARGE, true), MACH_MSG_SUCCESS);
	got = receive_memory(port, LARGE);
	assert_true(is_filled(got, LARGE, 3));
	deallocate(got, LARGE);
	port_end(port);
}

static void *
write_on(void *context)
{
	uint8_t *memory = context;

	for (unsigned i = 1; i < 2000; i++)
		for (size_t at = 0; at < LARGE / 2; at += 32 * vm_page_size)
			if (memory[at] != (uint8_t)(i - 1))
				return memory;
			else
				memory[at] = (uint8_t)i;
	return NULL;
}

static void
a_thread_that_writes_loses_nothing(void **state)
{
	mach_port_t dead = port_new();
	uint8_t *memory = allocate(LARGE);
	pthread_t thread;
	void *result;
	int status;

	(void)state;
	assert_int_equal(mach_port_mod_refs(mach_task_self(), dead, MACH_PORT_RIGHT_RECEIVE, -1),
			 KERN_SUCCESS);
	pthread_create(&thread, NULL, write_on, memory);
	for (int i = 0; i < 20; i++)
		assert_int_equal(send_memory(dead, memory, LARGE, true), MACH_SEND_INVALID_DEST);
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	assert_int_equal(waitpid(child, &status, 0), child);
	pthread_join(thread, &result);
	assert_null(result);
	deallocate(memory, LARGE);
	mach_port_deallocate(mach_task_self(), dead);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_has_a_copy),
		cmocka_unit_test(a_child_made_past_the_library_does_not_share),
		cmocka_unit_test(inheritance_is_as_it_was_asked_for),
		cmocka_unit_test(it_looks_like_private_memory),
		cmocka_unit_test(protection_goes_on_holding),
		cmocka_unit_test(it_is_shared_by_an_entry_and_copied_by_a_remap),
		cmocka_unit_test(it_may_become_code),
		cmocka_unit_test(a_limit_on_files_is_none_on_memory),
		cmocka_unit_test(a_child_has_a_copy_though_no_descriptor_is_left),
		cmocka_unit_test(memory_unmapped_by_munmap_is_given_back),
		cmocka_unit_test(any_number_of_allocations_works),
		cmocka_unit_test(a_closed_descriptor_loses_nothing),
		cmocka_unit_test(memory_that_somebody_else_maps_is_copied),
		cmocka_unit_test(a_thread_that_writes_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
