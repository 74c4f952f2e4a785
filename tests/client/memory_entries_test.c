/*
 * Memory entries as programs use them: memory that two tasks share, copies of it, what may be done
 * with it, and wrong arguments.
 */
#include "other_process.h"
#include "tests/support/memcheck.h"

#include <mach/mach_vm.h>
#include <mach/memory_object_types.h>
#include <mach/vm_map.h>

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define PAGE 4096u

static mach_vm_address_t
allocated(mach_vm_size_t size)
{
	mach_vm_address_t address = 0;

	assert_int_equal(mach_vm_allocate(mach_task_self(), &address, size, VM_FLAGS_ANYWHERE),
			 KERN_SUCCESS);
	return address;
}

static void
freed(mach_vm_address_t address, mach_vm_size_t size)
{
	assert_int_equal(mach_vm_deallocate(mach_task_self(), address, size), KERN_SUCCESS);
}

static uint8_t *
bytes(mach_vm_address_t address)
{
	return (uint8_t *)(uintptr_t)address;
}

static mach_port_t
entry_of(mach_vm_address_t address, memory_object_size_t size, vm_prot_t permission)
{
	memory_object_size_t covered = size;
	mach_port_t entry = MACH_PORT_NULL;

	assert_int_equal(mach_make_memory_entry_64(mach_task_self(), &covered, address, permission,
						   &entry, MACH_PORT_NULL),
			 KERN_SUCCESS);
	assert_int_equal(covered, size);
	return entry;
}

static kern_return_t
map(mach_port_t entry, mach_vm_address_t *address, mach_vm_size_t size,
    memory_object_offset_t offset, boolean_t copy, vm_prot_t protection)
{
	*address = 0;
	return mach_vm_map(mach_task_self(), address, size, 0, VM_FLAGS_ANYWHERE, entry, offset,
			   copy, protection, protection, VM_INHERIT_DEFAULT);
}

static mach_vm_address_t
mapped(mach_port_t entry, mach_vm_size_t size, memory_object_offset_t offset, boolean_t copy,
       vm_prot_t protection)
{
	mach_vm_address_t address;

	assert_int_equal(map(entry, &address, size, offset, copy, protection), KERN_SUCCESS);
	return address;
}

static unsigned
descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* ---- one task ----------------------------------------------------------------------------- */

static void
memory_of_the_caller_is_shared_with_who_maps_its_entry(void **state)
{
	(void)state;
	const unsigned before = descriptors();
	mach_vm_address_t source = allocated(3 * PAGE);

	strcpy((char *)bytes(source + PAGE), "before");
	mach_port_t entry = entry_of(source, 3 * PAGE, VM_PROT_DEFAULT);
	mach_vm_address_t twin = mapped(entry, 3 * PAGE, 0, FALSE, VM_PROT_DEFAULT);
	assert_string_equal((char *)bytes(twin + PAGE), "before");
	assert_int_equal(bytes(twin)[0], 0);
	strcpy((char *)bytes(source), "from here");
	strcpy((char *)bytes(twin + 2 * PAGE), "from there");
	assert_string_equal((char *)bytes(twin), "from here");
	assert_string_equal((char *)bytes(source + 2 * PAGE), "from there");
	/* the memory lives on without its entry and its first place, and has a new entry */
	right_end(entry);
	freed(source, 3 * PAGE);
	assert_string_equal((char *)bytes(twin), "from here");
	entry = entry_of(twin + PAGE, PAGE, VM_PROT_READ);
	mach_vm_address_t third = mapped(entry, PAGE, 0, FALSE, VM_PROT_READ);
	bytes(twin + PAGE)[0] = 'B';
	assert_string_equal((char *)bytes(third), "Before");
	right_end(entry);
	freed(third, PAGE);
	freed(twin, 3 * PAGE);
	assert_int_equal(descriptors(), before);
}

static void
a_part_of_an_entry_is_mapped(void **state)
{
	(void)state;
	mach_vm_address_t source = allocated(4 * PAGE);

	for (unsigned i = 0; i < 4; i++)
		bytes(source)[i * PAGE] = (uint8_t)('a' + i);
	mach_port_t entry = entry_of(source, 4 * PAGE, VM_PROT_DEFAULT);
	mach_vm_address_t part = mapped(entry, 2 * PAGE, PAGE, FALSE, VM_PROT_READ);
	assert_int_equal(bytes(part)[0], 'b');
	assert_int_equal(bytes(part)[PAGE], 'c');
	freed(part, 2 * PAGE);
	right_end(entry);
	freed(source, 4 * PAGE);
}

static void
a_copy_is_what_was_there_and_stays_so(void **state)
{
	(void)state;
	mach_vm_address_t source = allocated(2 * PAGE);

	bytes(source)[0] = 1;
	mach_port_t entry = entry_of(source, 2 * PAGE, VM_PROT_DEFAULT);
	mach_vm_address_t copy = mapped(entry, 2 * PAGE, 0, TRUE, VM_PROT_DEFAULT);
	bytes(source)[0] = 2;
	bytes(source)[PAGE] = 2;
	assert_int_equal(bytes(copy)[0], 1);
	assert_int_equal(bytes(copy)[PAGE], 0);
	bytes(copy)[0] = 3;
	assert_int_equal(bytes(source)[0], 2);
	freed(copy, 2 * PAGE);
	right_end(entry);
	/* and so is an entry that is a copy, of which the source stays private */
	entry = entry_of(source, 2 * PAGE, VM_PROT_DEFAULT | MAP_MEM_VM_COPY);
	bytes(source)[0] = 4;
	copy = mapped(entry, 2 * PAGE, 0, FALSE, VM_PROT_DEFAULT);
	assert_int_equal(bytes(copy)[0], 2);
	bytes(copy)[0] = 5;
	assert_int_equal(bytes(source)[0], 4);
	freed(copy, 2 * PAGE);
	freed(source, 2 * PAGE);
	right_end(entry);
}

static void
new_memory_is_zero_and_of_whole_pages(void **state)
{
	(void)state;
	memory_object_size_t size = PAGE + 1;
	mach_port_t entry;

	assert_int_equal(mach_make_memory_entry_64(mach_task_self(), &size, 0,
						   VM_PROT_DEFAULT | MAP_MEM_NAMED_CREATE, &entry,
						   MACH_PORT_NULL),
			 KERN_SUCCESS);
	assert_int_equal(size, 2 * PAGE);
	mach_vm_address_t first = mapped(entry, 2 * PAGE, 0, FALSE, VM_PROT_DEFAULT);
	mach_vm_address_t second = mapped(entry, 2 * PAGE, 0, FALSE, VM_PROT_DEFAULT);
	for (unsigned i = 0; i < 2 * PAGE; i++)
		assert_int_equal(bytes(first)[i], 0);
	bytes(first)[PAGE + 7] = 9;
	assert_int_equal(bytes(second)[PAGE + 7], 9);
	freed(first, 2 * PAGE);
	freed(second, 2 * PAGE);
	right_end(entry);
}

static void
what_the_entry_does_not_allow_nobody_gets(void **state)
{
	(void)state;
	mach_vm_address_t source = allocated(PAGE), address;
	mach_port_t entry = entry_of(source, PAGE, VM_PROT_READ);

	assert_int_equal(map(entry, &address, PAGE, 0, FALSE, VM_PROT_DEFAULT), KERN_INVALID_RIGHT);
	address = mapped(entry, PAGE, 0, FALSE, VM_PROT_READ);
	assert_int_equal(mach_vm_protect(mach_task_self(), address, PAGE, FALSE, VM_PROT_DEFAULT),
			 KERN_PROTECTION_FAILURE);
	bytes(source)[0] = 7; /* its maker still may */
	assert_int_equal(bytes(address)[0], 7);
	freed(address, PAGE);
	right_end(entry);
	/* a maximum of who maps holds, too */
	entry = entry_of(source, PAGE, VM_PROT_DEFAULT);
	address = mapped(entry, PAGE, 0, FALSE, VM_PROT_READ);
	assert_int_equal(mach_vm_protect(mach_task_self(), address, PAGE, FALSE, VM_PROT_DEFAULT),
			 KERN_PROTECTION_FAILURE);
	freed(address, PAGE);
	right_end(entry);
	/* nor gives its maker what he has not */
	assert_int_equal(mach_vm_protect(mach_task_self(), source, PAGE, FALSE, VM_PROT_READ),
			 KERN_SUCCESS);
	memory_object_size_t size = PAGE;
	assert_int_equal(mach_make_memory_entry_64(mach_task_self(), &size, source, VM_PROT_DEFAULT,
						   &entry, MACH_PORT_NULL),
			 KERN_PROTECTION_FAILURE);
	entry = entry_of(source, PAGE, VM_PROT_DEFAULT | VM_PROT_IS_MASK);
	assert_int_equal(map(entry, &address, PAGE, 0, FALSE, VM_PROT_DEFAULT), KERN_INVALID_RIGHT);
	right_end(entry);
	freed(source, PAGE);
}

static void
an_entry_of_an_entry_is_a_part_of_it(void **state)
{
	(void)state;
	mach_vm_address_t source = allocated(4 * PAGE), address;
	mach_port_t whole = entry_of(source, 4 * PAGE, VM_PROT_DEFAULT), part, refused;
	memory_object_size_t size = 2 * PAGE;

	assert_int_equal(
	    mach_make_memory_entry_64(mach_task_self(), &size, PAGE, VM_PROT_READ, &part, whole),
	    KERN_SUCCESS);
	assert_int_equal(size, 2 * PAGE);
	bytes(source)[PAGE] = 'p';
	address = mapped(part, 2 * PAGE, 0, FALSE, VM_PROT_READ);
	assert_int_equal(bytes(address)[0], 'p');
	freed(address, 2 * PAGE);
	assert_int_equal(map(part, &address, 3 * PAGE, 0, FALSE, VM_PROT_READ),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(
	    mach_make_memory_entry_64(mach_task_self(), &size, 0, VM_PROT_DEFAULT, &refused, part),
	    KERN_PROTECTION_FAILURE);
	size = 2 * PAGE;
	assert_int_equal(mach_make_memory_entry_64(mach_task_self(), &size, 3 * PAGE, VM_PROT_READ,
						   &refused, whole),
			 KERN_INVALID_ARGUMENT);
	right_end(whole);
	right_end(part);
	freed(source, 4 * PAGE);
}

static void
data_that_begins_in_a_page_is_found_there(void **state)
{
	(void)state;
	mach_vm_address_t source = allocated(2 * PAGE), address = 0;
	memory_object_size_t size = PAGE;
	mach_port_t entry;

	strcpy((char *)bytes(source + 100), "data");
	assert_int_equal(mach_make_memory_entry_64(mach_task_self(), &size, source + 100,
						   VM_PROT_READ | MAP_MEM_USE_DATA_ADDR, &entry,
						   MACH_PORT_NULL),
			 KERN_SUCCESS);
	assert_int_equal(size, PAGE);
	assert_int_equal(mach_vm_map(mach_task_self(), &address, PAGE, 0,
				     VM_FLAGS_ANYWHERE | VM_FLAGS_RETURN_DATA_ADDR, entry, 0, FALSE,
				     VM_PROT_READ, VM_PROT_READ, VM_INHERIT_DEFAULT),
			 KERN_SUCCESS);
	assert_string_equal((char *)bytes(address), "data");
	freed(address, PAGE);
	right_end(entry);
	freed(source, 2 * PAGE);
}

static void
a_place_that_is_taken_is_left_alone(void **state)
{
	(void)state;
	mach_vm_address_t source = allocated(PAGE), place = allocated(3 * PAGE);
	mach_vm_address_t wanted = place + PAGE;
	mach_port_t entry = entry_of(source, PAGE, VM_PROT_DEFAULT);

	bytes(wanted)[0] = 'x';
	assert_int_equal(mach_vm_map(mach_task_self(), &wanted, PAGE, 0, VM_FLAGS_FIXED, entry, 0,
				     FALSE, VM_PROT_DEFAULT, VM_PROT_DEFAULT, VM_INHERIT_DEFAULT),
			 KERN_NO_SPACE);
	assert_int_equal(bytes(place + PAGE)[0], 'x');
	assert_int_equal(mach_vm_map(mach_task_self(), &wanted, PAGE, 0,
				     VM_FLAGS_FIXED | VM_FLAGS_OVERWRITE, entry, 0, FALSE,
				     VM_PROT_DEFAULT, VM_PROT_DEFAULT, VM_INHERIT_DEFAULT),
			 KERN_SUCCESS);
	assert_int_equal(wanted, place + PAGE);
	bytes(source)[0] = 'y';
	assert_int_equal(bytes(wanted)[0], 'y');
	wanted = 0;
	assert_int_equal(mach_vm_map(mach_task_self(), &wanted, PAGE, 0xfffff, VM_FLAGS_ANYWHERE,
				     entry, 0, FALSE, VM_PROT_DEFAULT, VM_PROT_DEFAULT,
				     VM_INHERIT_DEFAULT),
			 KERN_SUCCESS);
	assert_int_equal(wanted & 0xfffff, 0);
	assert_int_equal(bytes(wanted)[0], 'y');
	freed(wanted, PAGE);
	freed(place, 3 * PAGE);
	freed(source, PAGE);
	right_end(entry);
}

static void
wrong_arguments_leave_no_trace(void **state)
{
	(void)state;
	const unsigned before = descriptors();
	mach_vm_address_t source = allocated(3 * PAGE), address;
	mach_port_t entry = 0x4711, plain = mach_task_self();
	const struct {
		memory_object_size_t size;
		memory_object_offset_t offset;
		vm_prot_t permission;
		kern_return_t code;
	} cases[] = {
		{ 0, source, VM_PROT_READ, KERN_INVALID_ARGUMENT },
		{ UINT64_MAX, source, VM_PROT_READ, KERN_INVALID_ARGUMENT },
		{ UINT64_MAX - PAGE, 2 * PAGE, VM_PROT_READ, KERN_INVALID_ARGUMENT },
		{ PAGE, UINT64_MAX - PAGE + 2, VM_PROT_READ, KERN_INVALID_ARGUMENT },
		{ PAGE, UINT64_MAX & ~(uint64_t)0xffff, VM_PROT_READ, KERN_INVALID_ADDRESS },
		{ 3 * PAGE, source, VM_PROT_READ, KERN_INVALID_ADDRESS }, /* a hole */
		{ PAGE, 0, VM_PROT_READ, KERN_INVALID_ADDRESS },
		{ PAGE, source, VM_PROT_READ | 0x1000, KERN_INVALID_VALUE },
		{ PAGE, source, VM_PROT_READ | MAP_MEM_VM_COPY | MAP_MEM_VM_SHARE,
		  KERN_INVALID_VALUE },
		{ UINT64_MAX, 0, VM_PROT_READ | MAP_MEM_NAMED_CREATE, KERN_INVALID_ARGUMENT },
		{ UINT64_MAX / 2 + PAGE, 0, VM_PROT_READ | MAP_MEM_NAMED_CREATE,
		  KERN_RESOURCE_SHORTAGE },
	};

	freed(source + PAGE, PAGE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memory_object_size_t size = cases[i].size;
		assert_int_equal(mach_make_memory_entry_64(mach_task_self(), &size, cases[i].offset,
							   cases[i].permission, &entry,
							   MACH_PORT_NULL),
				 cases[i].code);
		assert_int_equal(entry, 0x4711);
		assert_int_equal(size, cases[i].size);
	}
	memory_object_size_t size = PAGE;
	assert_int_equal(mach_make_memory_entry_64(MACH_PORT_NULL, &size, source, VM_PROT_READ,
						   &entry, MACH_PORT_NULL),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(
	    mach_make_memory_entry_64(mach_task_self(), &size, 0, VM_PROT_READ, &entry, plain),
	    KERN_INVALID_OBJECT);
	entry = entry_of(source, PAGE, VM_PROT_DEFAULT);
	assert_int_equal(map(entry, &address, 2 * PAGE, 0, FALSE, VM_PROT_READ),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(map(entry, &address, PAGE, PAGE, FALSE, VM_PROT_READ),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(map(entry, &address, PAGE, UINT64_MAX - 1, FALSE, VM_PROT_READ),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(map(entry, &address, UINT64_MAX - 1, PAGE, FALSE, VM_PROT_READ),
			 KERN_INVALID_ARGUMENT);
	assert_int_equal(map(plain, &address, PAGE, 0, FALSE, VM_PROT_READ), KERN_INVALID_OBJECT);
	assert_int_equal(map(0x77707, &address, PAGE, 0, FALSE, VM_PROT_READ),
			 KERN_INVALID_ARGUMENT);
	right_end(entry);
	freed(source, 3 * PAGE);
	assert_int_equal(descriptors(), before);
}

static void
no_descriptor_and_no_room_is_a_shortage(void **state)
{
	(void)state;
	struct rlimit limit, none;
	mach_vm_address_t source = allocated(PAGE), address;
	memory_object_size_t size = PAGE;
	mach_port_t entry = entry_of(source, PAGE, VM_PROT_DEFAULT), refused;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	kern_return_t made = mach_make_memory_entry_64(mach_task_self(), &size, 0,
						       VM_PROT_DEFAULT | MAP_MEM_NAMED_CREATE,
						       &refused, MACH_PORT_NULL);
	kern_return_t seen = map(entry, &address, PAGE, 0, FALSE, VM_PROT_READ);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(made, KERN_RESOURCE_SHORTAGE);
	assert_int_equal(seen, KERN_RESOURCE_SHORTAGE);

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	none = limit;
	none.rlim_cur = 2 * PAGE; /* beyond it a signal would kill */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	size = 3 * PAGE;
	made = mach_make_memory_entry_64(mach_task_self(), &size, 0,
					 VM_PROT_DEFAULT | MAP_MEM_NAMED_CREATE, &refused,
					 MACH_PORT_NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(made, KERN_RESOURCE_SHORTAGE);
	freed(mapped(entry, PAGE, 0, FALSE, VM_PROT_READ), PAGE);
	right_end(entry);
	freed(source, PAGE);
}

static void
memory_that_nobody_touched_costs_nothing_to_share(void **state)
{
	(void)state;
	const mach_vm_size_t size = 256u << 20;
	mach_vm_address_t source = allocated(size);

	bytes(source)[size / 2] = 1;
	mach_port_t entry = entry_of(source, size, VM_PROT_DEFAULT);
	mach_vm_address_t twin = mapped(entry, size, 0, FALSE, VM_PROT_DEFAULT);
	assert_int_equal(bytes(twin)[size / 2], 1);
	unsigned char resident[256];
	unsigned count = 0;
	for (mach_vm_size_t at = 0; at < size; at += sizeof(resident) * PAGE) {
		assert_int_equal(mincore(bytes(twin + at), sizeof(resident) * PAGE, resident), 0);
		for (unsigned i = 0; i < sizeof(resident); i++)
			count += resident[i] & 1;
	}
	assert_true(count < 1024); /* of 65,536; a huge page is 512 */
	freed(twin, size);
	freed(source, size);
	right_end(entry);
}

static void
a_second_place_shows_the_same_private_memory(void **state)
{
	(void)state;
	mach_vm_address_t source = allocated(2 * PAGE), twin = 0;
	vm_prot_t current, maximum;

	bytes(source)[PAGE] = 'a';
	assert_int_equal(mach_vm_remap(mach_task_self(), &twin, 2 * PAGE, 0, VM_FLAGS_ANYWHERE,
				       mach_task_self(), source, FALSE, &current, &maximum,
				       VM_INHERIT_DEFAULT),
			 KERN_SUCCESS);
	assert_int_equal(current, VM_PROT_DEFAULT);
	assert_int_equal(bytes(twin)[PAGE], 'a');
	bytes(twin)[0] = 'b';
	assert_int_equal(bytes(source)[0], 'b');
	freed(twin, 2 * PAGE);
	freed(source, 2 * PAGE);
}

static bool
is_on_stack(uintptr_t address)
{
	const uintptr_t frame = (uintptr_t)__builtin_frame_address(0);

	return address > frame && address - frame < 16 * PAGE;
}

static void
the_stack_of_the_caller_is_not_moved_under_it(void **state)
{
	(void)state;
	volatile uint8_t here[3 * PAGE];
	memory_object_size_t size = PAGE;
	mach_port_t entry;

	if (!is_on_stack((uintptr_t)here))
		skip(); /* a sanitizer keeps variables elsewhere */
	here[0] = 1;
	assert_int_equal(mach_make_memory_entry_64(mach_task_self(), &size, (uintptr_t)here,
						   VM_PROT_DEFAULT, &entry, MACH_PORT_NULL),
			 KERN_NOT_SUPPORTED);
	assert_int_equal(here[0], 1);
}

static void
a_file_of_the_program_that_may_shrink_is_no_memory(void **state)
{
	(void)state;
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	memory_object_size_t size = PAGE;
	mach_port_t entry;

	assert_int_equal(ftruncate(fd, PAGE), 0);
	void *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(mach_make_memory_entry_64(mach_task_self(), &size, (uintptr_t)memory,
						   VM_PROT_DEFAULT, &entry, MACH_PORT_NULL),
			 KERN_NOT_SUPPORTED);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	entry = entry_of((uintptr_t)memory, PAGE, VM_PROT_DEFAULT);
	((uint8_t *)memory)[0] = 6;
	mach_vm_address_t twin = mapped(entry, PAGE, 0, FALSE, VM_PROT_READ);
	assert_int_equal(bytes(twin)[0], 6);
	freed(twin, PAGE);
	munmap(memory, PAGE);
	close(fd);
	right_end(entry);
}

/* ---- two tasks ----------------------------------------------------------------------------- */

static mach_vm_address_t child_memory; /* of the child; the same address in the parent */

/* The child makes an entry of its memory and puts it where its task's parent finds it. */
static uint8_t
child_does(uint8_t byte)
{
	mach_port_t entry = MACH_PORT_NULL;
	memory_object_size_t size = 2 * PAGE;

	switch (byte) {
	case 'm':
		strcpy((char *)bytes(child_memory), "of the child");
		if (mach_make_memory_entry_64(mach_task_self(), &size, child_memory,
					      VM_PROT_DEFAULT, &entry,
					      MACH_PORT_NULL) != KERN_SUCCESS)
			return 1;
		/* the parent takes the right out of the slots of this task */
		return mach_ports_register(mach_task_self(), &entry, 1) != KERN_SUCCESS;
	case 'r':
		return bytes(child_memory)[PAGE];
	case 'w':
		bytes(child_memory)[PAGE]++;
		return 0;
	default:
		return 2;
	}
}

static mach_port_t
registered_in(mach_port_t task)
{
	mach_port_array_t ports;
	mach_msg_type_number_t count;

	assert_int_equal(mach_ports_lookup(task, &ports, &count), KERN_SUCCESS);
	mach_port_t first = ports[0];
	freed((uintptr_t)ports, count * sizeof(*ports));
	return first;
}

/* The same by its address, without the entry. */
static void
share_by_address(const struct other *other, mach_port_t task)
{
	mach_vm_address_t twin = 0;
	vm_prot_t current, maximum;

	assert_int_equal(mach_vm_remap(mach_task_self(), &twin, 2 * PAGE, 0, VM_FLAGS_ANYWHERE,
				       task, child_memory, FALSE, &current, &maximum,
				       VM_INHERIT_DEFAULT),
			 KERN_SUCCESS);
	assert_int_equal(bytes(twin)[PAGE], 42);
	bytes(twin)[PAGE] = 41;
	assert_int_equal(other_does(other, 'r'), 41);
	other_does(other, 'w');
	freed(twin, 2 * PAGE);
	/* what was not shared by its owner is not from here */
	assert_int_equal(mach_vm_remap(mach_task_self(), &twin, PAGE, 0, VM_FLAGS_ANYWHERE, task,
				       (uintptr_t)&child_memory & ~(uintptr_t)(PAGE - 1), FALSE,
				       &current, &maximum, VM_INHERIT_DEFAULT),
			 KERN_NOT_SUPPORTED);
}

static void
two_tasks_share_an_entry_and_its_memory_outlives_its_maker(void **state)
{
	(void)state;
	child_memory = allocated(2 * PAGE);
	struct other other = other_start(child_does);
	mach_port_t task = other_task(&other);

	assert_int_equal(other_does(&other, 'm'), 0);
	mach_port_t entry = registered_in(task);
	assert_int_not_equal(entry, MACH_PORT_NULL);
	mach_vm_address_t here = mapped(entry, 2 * PAGE, 0, FALSE, VM_PROT_DEFAULT);
	assert_string_equal((char *)bytes(here), "of the child");
	bytes(here)[PAGE] = 41;
	assert_int_equal(other_does(&other, 'r'), 41);
	other_does(&other, 'w');
	assert_int_equal(bytes(here)[PAGE], 42);
	if (!is_under_memcheck()) /* which knows no pidfd_open() */
		share_by_address(&other, task);
	other_end(&other);
	task_is_dead(task);
	assert_int_equal(bytes(here)[PAGE], 42);
	mach_vm_address_t twin = mapped(entry, PAGE, PAGE, FALSE, VM_PROT_READ);
	assert_int_equal(bytes(twin)[0], 42);
	freed(twin, PAGE);
	freed(here, 2 * PAGE);
	freed(child_memory, 2 * PAGE);
	right_end(entry);
	assert_int_equal(mach_port_mod_refs(mach_task_self(), task, MACH_PORT_RIGHT_DEAD_NAME, -1),
			 KERN_SUCCESS);
}

static void
another_tasks_memory_is_copied_into_an_entry(void **state)
{
	(void)state;
	child_memory = allocated(2 * PAGE);
	bytes(child_memory)[PAGE] = 8;
	struct other other = other_start(child_does);
	mach_port_t task = other_task(&other), entry;
	memory_object_size_t size = 2 * PAGE;

	other_does(&other, 'w');
	assert_int_equal(mach_make_memory_entry_64(task, &size, child_memory,
						   VM_PROT_READ | MAP_MEM_VM_COPY, &entry,
						   MACH_PORT_NULL),
			 KERN_SUCCESS);
	other_does(&other, 'w');
	mach_vm_address_t here = mapped(entry, 2 * PAGE, 0, FALSE, VM_PROT_READ);
	assert_int_equal(bytes(here)[PAGE], 9);
	assert_int_equal(other_does(&other, 'r'), 10);
	assert_int_equal(bytes(child_memory)[PAGE], 8);
	freed(here, 2 * PAGE);
	right_end(entry);
	assert_int_equal(mach_make_memory_entry_64(task, &size, child_memory, VM_PROT_READ, &entry,
						   MACH_PORT_NULL),
			 KERN_NOT_SUPPORTED);
	other_end(&other);
	task_is_dead(task);
	freed(child_memory, 2 * PAGE);
	assert_int_equal(mach_port_mod_refs(mach_task_self(), task, MACH_PORT_RIGHT_DEAD_NAME, -1),
			 KERN_SUCCESS);
}

int
main(void)
{
	/* what is counted below is not the connection */
	mach_port_deallocate(mach_task_self(), mach_host_self());

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_of_the_caller_is_shared_with_who_maps_its_entry),
		cmocka_unit_test(a_part_of_an_entry_is_mapped),
		cmocka_unit_test(a_copy_is_what_was_there_and_stays_so),
		cmocka_unit_test(new_memory_is_zero_and_of_whole_pages),
		cmocka_unit_test(what_the_entry_does_not_allow_nobody_gets),
		cmocka_unit_test(an_entry_of_an_entry_is_a_part_of_it),
		cmocka_unit_test(data_that_begins_in_a_page_is_found_there),
		cmocka_unit_test(a_place_that_is_taken_is_left_alone),
		cmocka_unit_test(wrong_arguments_leave_no_trace),
		cmocka_unit_test(no_descriptor_and_no_room_is_a_shortage),
		cmocka_unit_test(memory_that_nobody_touched_costs_nothing_to_share),
		cmocka_unit_test(a_second_place_shows_the_same_private_memory),
		cmocka_unit_test(the_stack_of_the_caller_is_not_moved_under_it),
		cmocka_unit_test(a_file_of_the_program_that_may_shrink_is_no_memory),
		cmocka_unit_test(two_tasks_share_an_entry_and_its_memory_outlives_its_maker),
		cmocka_unit_test(another_tasks_memory_is_copied_into_an_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
