/*
 * What the tests of large memory share.
 */
#ifndef TESTS_CLIENT_MOVES_H
#define TESTS_CLIENT_MOVES_H

#include "tests/client/kernel_test.h"

#include <mach/mach_vm.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGE ((size_t)4 << 20)

struct memory_message {
	mach_msg_base_t base;
	mach_msg_ool_descriptor_t memory[2];
	mach_msg_max_trailer_t trailer;
};

#define MESSAGE_SIZE(count) ((mach_msg_size_t)(sizeof(mach_msg_base_t) + (count)*16u))

/* ---- support --------------------------------------------------------------------------- */

/* A value for each page, never 0. */
static inline uint8_t
value_of(size_t page, unsigned seed)
{
	return (uint8_t)(1 + (page * 7 + seed) % 251);
}

static inline void
fill(uint8_t *memory, size_t size, unsigned seed)
{
	for (size_t at = 0; at < size; at += vm_page_size)
		memset(memory + at, value_of(at / vm_page_size, seed),
		       size - at < vm_page_size ? size - at : vm_page_size);
}

static inline bool
is_filled(const uint8_t *memory, size_t size, unsigned seed)
{
	for (size_t at = 0; at < size; at++)
		if (memory[at] != value_of(at / vm_page_size, seed))
			return false;
	return true;
}

static inline uint8_t *
allocate(size_t size)
{
	mach_vm_address_t address = 0;

	assert_int_equal(mach_vm_allocate(mach_task_self(), &address, size, VM_FLAGS_ANYWHERE),
			 KERN_SUCCESS);
	return (uint8_t *)(uintptr_t)address;
}

static inline void
deallocate(const void *memory, size_t size)
{
	assert_int_equal(mach_vm_deallocate(mach_task_self(), (uintptr_t)memory, size),
			 KERN_SUCCESS);
}

static inline bool
is_there(const void *memory)
{
	unsigned char pages;

	return mincore((void *)(uintptr_t)memory, 1, &pages) == 0;
}

/* The file that the memory is of; 0: none. */
static inline unsigned long
file_of(const void *memory)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end, inode = 0;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &start, &end, &inode) != 3)
			continue;
		if ((uintptr_t)memory >= start && (uintptr_t)memory < end)
			break;
		inode = 0;
	}
	fclose(maps);
	return inode;
}

static inline unsigned
descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(folder);
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

/* What the memory's memfd is open as. */
static inline int
descriptor_of(const void *memory)
{
	unsigned long file = file_of(memory);
	struct stat status;

	for (int fd = 3; fd < 1000; fd++)
		if (fstat(fd, &status) == 0 && status.st_ino == file)
			return fd;
	fail_msg("none");
	return -1;
}

static inline struct memory_message
message_to(mach_port_t port, void *memory, size_t size, bool moves)
{
	struct memory_message message = { 0 };

	message.base.header.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX;
	message.base.header.msgh_remote_port = port;
	message.base.body.msgh_descriptor_count = 1;
	message.memory[0] = (mach_msg_ool_descriptor_t){ .address = memory,
							 .size = (mach_msg_size_t)size,
							 .deallocate = moves,
							 .copy = MACH_MSG_VIRTUAL_COPY,
							 .type = MACH_MSG_OOL_DESCRIPTOR };
	return message;
}

static inline mach_msg_return_t
send_memory(mach_port_t port, void *memory, size_t size, bool moves)
{
	struct memory_message message = message_to(port, memory, size, moves);

	return mach_msg(&message.base.header, MACH_SEND_MSG, MESSAGE_SIZE(1), 0, 0, 0, 0);
}

static inline uint8_t *
receive_memory(mach_port_t port, size_t size)
{
	struct memory_message message;

	assert_int_equal(
	    mach_msg(&message.base.header, MACH_RCV_MSG, 0, sizeof(message), port, 0, 0),
	    MACH_MSG_SUCCESS);
	assert_int_equal(message.memory[0].size, size);
	return message.memory[0].address;
}

#endif
