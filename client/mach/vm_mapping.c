/*
 * What is mapped, as /proc/PID/maps tells it; of this process or, by vm_other.c, of another.
 */
#include <mach/mach.h>

#include "client/mach/vm.h"
#include "client/mach/vm_movable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A line of /proc/self/maps.  False: not one. */
static bool
mapping_parse(const char *line, struct vm_mapping *mapping)
{
	char *at;
	const struct {
		char letter;
		int bit;
	} bits[] = { { 'r', VM_PROT_READ }, { 'w', VM_PROT_WRITE }, { 'x', VM_PROT_EXECUTE } };

	mapping->start = strtoul(line, &at, 16);
	if (*at != '-')
		return false;
	mapping->end = strtoul(at + 1, &at, 16);
	if (*at++ != ' ')
		return false;
	mapping->protection = 0;
	for (int i = 0; i < 3; i++)
		if (at[i] == bits[i].letter)
			mapping->protection |= bits[i].bit;
	mapping->is_shared = at[3] == 's';
	mapping->offset = strtoull(at + 4, &at, 16);
	unsigned int device_major = (unsigned int)strtoul(at, &at, 16);
	unsigned int device_minor = *at == ':' ? (unsigned int)strtoul(at + 1, &at, 16) : 0;
	mapping->device = makedev(device_major, device_minor);
	mapping->inode = strtoull(at, &at, 10);
	at += strspn(at, " ");
	/* [stack], [vdso], [vvar], [vsyscall]; but [heap] and [anon:...] are as any memory */
	mapping->is_of_linux = at[0] == '[' && (at[1] == 's' || at[1] == 'v');
	/* shared only with messages to come: programs see it as what they asked for */
	static const char movable[] = "/memfd:" VM_MOVABLE_NAME " ";
	mapping->is_movable = mapping->is_shared && strncmp(at, movable, sizeof(movable) - 1) == 0;
	if (mapping->is_movable)
		mapping->is_shared = false;
	return true;
}

kern_return_t
vm_mappings_visit(int maps_fd, vm_mapping_visitor *visitor, void *context)
{
	struct vm_mapping mapping;
	char text[8192];
	size_t used = 0;
	bool is_empty = true;

	/* no heap: the caller may be an allocator.  Names of files are cut: nobody wants them. */
	for (;;) {
		ssize_t size = read(maps_fd, text + used, sizeof(text) - 1 - used);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno != ESRCH)
			return KERN_FAILURE;
		if (size <= 0)
			return is_empty ? KERN_INVALID_ARGUMENT : KERN_INVALID_ADDRESS;
		is_empty = false;
		used += (size_t)size;
		text[used] = '\0';
		char *line = text;
		char *end;
		while ((end = strchr(line, '\n')) != NULL) {
			if (mapping_parse(line, &mapping) && visitor(context, &mapping))
				return KERN_SUCCESS;
			line = end + 1;
		}
		used -= (size_t)(line - text);
		memmove(text, line, used);
		if (used == sizeof(text) - 1)
			used = 200; /* the numbers of a line with an endless name */
	}
}

struct search {
	uintptr_t address;
	struct vm_mapping *mapping;
};

static bool
ends_behind(void *context, const struct vm_mapping *mapping)
{
	const struct search *search = context;

	if (mapping->end <= search->address)
		return false;
	*search->mapping = *mapping;
	return true;
}

kern_return_t
vm_mapping_find(int maps_fd, uintptr_t address, struct vm_mapping *mapping)
{
	struct search search = { address, mapping };

	if (maps_fd >= 0)
		return lseek(maps_fd, 0, SEEK_SET) < 0
			   ? KERN_FAILURE
			   : vm_mappings_visit(maps_fd, ends_behind, &search);
	int own_fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (own_fd < 0)
		return KERN_FAILURE;
	kern_return_t code = vm_mappings_visit(own_fd, ends_behind, &search);
	close(own_fd);
	return code;
}

kern_return_t
vm_range_allows(int maps_fd, mach_vm_address_t address, mach_vm_size_t size, int protection)
{
	uintptr_t at = (uintptr_t)address;
	uintptr_t end = at + (uintptr_t)size;
	struct vm_mapping mapping;

	if (end < at)
		return KERN_INVALID_ADDRESS;
	while (at < end) {
		kern_return_t code = vm_mapping_find(maps_fd, at, &mapping);
		if (code != KERN_SUCCESS || mapping.start > at)
			return code != KERN_SUCCESS ? code : KERN_INVALID_ADDRESS;
		if ((mapping.protection & protection) != protection)
			return KERN_PROTECTION_FAILURE;
		at = mapping.end;
	}
	return KERN_SUCCESS;
}
