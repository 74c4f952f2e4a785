/*
 * The memory of an entry goes to the kernel beside the trap that makes it, and a descriptor of it
 * comes back to who maps it: mach-kobjects.md §8.  Nothing but that descriptor says what may be
 * done with the memory, so an entry that may not be written has one that cannot be.
 */
#include "client/mach/memory_entry.h"

#include <mach/mach.h>
#include <mach/mach_vm.h>
#include <mach/memory_object_types.h>
#include <mach/vm_map.h>
#include <mach/vm_statistics.h>

#include "client/export.h"
#include "client/fileport.h"
#include "client/later.h"
#include "client/mach/kernelrpc.h"
#include "client/mach/task_process.h"
#include "client/mach/vm_object.h"
#include "client/mach/vm_other.h"
#include "client/memory.h"
#include "client/trap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define FLAGS_CACHE (~0xffffff) /* how processors cache the memory, which is Linux's matter */
#define FLAGS_DATA (MAP_MEM_USE_DATA_ADDR | MAP_MEM_4K_DATA_ADDR)
#define FLAGS_SOURCE (MAP_MEM_NAMED_CREATE | MAP_MEM_VM_COPY | MAP_MEM_VM_SHARE)
#define FLAGS_HINTS (MAP_MEM_PURGABLE | MAP_MEM_NAMED_REUSE)

/* A range of memory that an entry stands for, or is to. */
struct entry {
	int fd; /* owned */
	uint64_t offset;
	uint64_t size; /* whole pages */
	uint64_t data; /* in the range: where what was asked for begins */
	vm_prot_t protection;
};

/* ---- traps -------------------------------------------------------------------------------- */

static kern_return_t
code_of(enum trap_outcome outcome, const struct trap *trap)
{
	if (outcome == TRAP_SHORTAGE)
		return KERN_RESOURCE_SHORTAGE;
	return outcome == TRAP_OK ? trap->slot->reply.code : MACH_SEND_INVALID_DEST;
}

/* Ask for a port of @entry. */
static kern_return_t
entry_register(const struct entry *entry, mach_port_t *name)
{
	struct trap trap;
	enum trap_outcome outcome = trap_begin(&trap, BERTH_TRAP_MEMORY_ENTRY_MAKE);

	if (outcome != TRAP_OK)
		return code_of(outcome, &trap);
	trap.slot->request.flags = TRAP_HAS_FILE;
	trap.slot->request.args[0] = entry->offset;
	trap.slot->request.args[1] = entry->size;
	trap.slot->request.args[2] = (uint64_t)entry->protection;
	trap.slot->request.args[3] = entry->data;
	trap.file_fd = entry->fd;
	kern_return_t code = code_of(trap_run(&trap, TRAP_PATIENT), &trap);
	if (code == KERN_SUCCESS)
		*name = (mach_port_t)trap.slot->reply.values[0];
	trap_end(&trap);
	return code;
}

/* What @name stands for; entry->fd is the caller's. */
static kern_return_t
entry_open(mach_port_t name, struct entry *entry)
{
	struct trap trap;
	enum trap_outcome outcome = trap_begin(&trap, BERTH_TRAP_MEMORY_ENTRY_OPEN);

	if (outcome != TRAP_OK)
		return code_of(outcome, &trap);
	if (fileport_table_is_full()) {
		trap_end(&trap);
		return KERN_RESOURCE_SHORTAGE;
	}
	trap.slot->request.args[0] = name;
	kern_return_t code = code_of(trap_run(&trap, TRAP_PATIENT), &trap);
	if (code == KERN_SUCCESS && trap.file_fd < 0)
		code = KERN_RESOURCE_SHORTAGE;
	if (code == KERN_SUCCESS) {
		const uint64_t *values = trap.slot->reply.values;
		*entry = (struct entry){
			.fd = trap.file_fd,
			.offset = values[BERTH_MEMORY_ENTRY_OFFSET],
			.size = values[BERTH_MEMORY_ENTRY_SIZE],
			.data = values[BERTH_MEMORY_ENTRY_DATA],
			.protection = (vm_prot_t)values[BERTH_MEMORY_ENTRY_PROTECTION],
		};
		trap.file_fd = -1;
	}
	trap_end(&trap);
	return code;
}

/* Replace a descriptor that may be written by one that may not. */
static kern_return_t
take_writing_away(int *fd)
{
	int read_only_fd;

	if ((fcntl(*fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return KERN_SUCCESS;
	kern_return_t code = vm_object_read_only(*fd, &read_only_fd);
	if (code != KERN_SUCCESS)
		return code;
	close(*fd);
	*fd = read_only_fd;
	return KERN_SUCCESS;
}

/* ---- making ------------------------------------------------------------------------------- */

/* Cut @wanted down to what @allowed has, if it is a mask; or refuse. */
static kern_return_t
protection_limit(vm_prot_t *wanted, vm_prot_t allowed, bool is_mask, kern_return_t refused)
{
	if (is_mask)
		*wanted &= allowed;
	return (*wanted & ~allowed) == 0 ? KERN_SUCCESS : refused;
}

/* A range, and what every page of it allows. */
struct range_rights {
	uintptr_t start, end;
	vm_prot_t allowed;
};

static bool
range_and(void *context, const struct vm_mapping *mapping)
{
	struct range_rights *range = context;

	if (mapping->end > range->start && mapping->start < range->end)
		range->allowed &= mapping->protection;
	return mapping->end >= range->end;
}

/* What the range allows in the process whose maps are open.  KERN_INVALID_ADDRESS: a hole. */
static kern_return_t
range_protection(int maps_fd, uintptr_t start, size_t size, vm_prot_t *allowed)
{
	struct range_rights range = { start, start + size, VM_PROT_ALL };
	kern_return_t code = vm_range_allows(maps_fd, start, size, VM_PROT_NONE);

	if (code == KERN_SUCCESS && lseek(maps_fd, 0, SEEK_SET) < 0)
		code = KERN_FAILURE;
	if (code == KERN_SUCCESS)
		code = vm_mappings_visit(maps_fd, range_and, &range);
	*allowed = range.allowed;
	return code;
}

/* A copy of @entry->size bytes at @start, of this task or of @other, in memory of its own. */
static kern_return_t
entry_copy(struct entry *entry, mach_port_t other, uintptr_t start)
{
	kern_return_t code = vm_object_new(entry->size, &entry->fd);

	if (code != KERN_SUCCESS)
		return code;
	if (other == MACH_PORT_NULL) {
		code = vm_object_fill(entry->fd, 0, start, entry->size);
	} else {
		void *here =
		    mmap(NULL, entry->size, PROT_READ | PROT_WRITE, MAP_SHARED, entry->fd, 0);
		code = here == MAP_FAILED ? KERN_RESOURCE_SHORTAGE
					  : vm_other_read(other, start, here, entry->size);
		if (here != MAP_FAILED)
			munmap(here, entry->size);
	}
	if (code != KERN_SUCCESS)
		close(entry->fd);
	return code;
}

/* The memory of the first mapping of the range in another task, which must be shared already. */
static kern_return_t
entry_share_other(struct entry *entry, const struct task_process *process, int maps_fd,
		  uintptr_t start)
{
	struct vm_mapping mapping;
	kern_return_t code = vm_mapping_find(maps_fd, start, &mapping);

	if (code != KERN_SUCCESS)
		return code;
	if (!mapping.is_shared)
		return SHARING_NOT_SUPPORTED("another task's memory that is not of an entry");
	if (mapping.end - start < entry->size)
		return SHARING_NOT_SUPPORTED("several mappings of another task at once");
	entry->offset = mapping.offset + (start - mapping.start);
	return vm_object_of_other(process->proc_fd, process->pid, &mapping,
				  (entry->protection & VM_PROT_WRITE) != 0, &entry->fd);
}

/* The memory itself at @start of @other, or, for MACH_PORT_NULL, of this task. */
static kern_return_t
entry_share(struct entry *entry, mach_port_t other, const struct task_process *process, int maps_fd,
	    uintptr_t start, bool is_whole)
{
	size_t size = entry->size;
	kern_return_t code;

	if (other != MACH_PORT_NULL)
		code = entry_share_other(entry, process, maps_fd, start);
	else
		code = vm_object_of_own(start, &size, &entry->fd, &entry->offset);
	if (code != KERN_SUCCESS)
		return code;
	if (other == MACH_PORT_NULL && size < entry->size) {
		if (is_whole) {
			close(entry->fd);
			return SHARING_NOT_SUPPORTED("a range of several kinds of memory");
		}
		entry->size = size;
	}
	return KERN_SUCCESS;
}

/* The memory at @start of @other, or, for MACH_PORT_NULL, of this task. */
static kern_return_t
entry_of_range(struct entry *entry, mach_port_t other, uintptr_t start, vm_prot_t permission)
{
	bool is_mask = (permission & VM_PROT_IS_MASK) != 0;
	bool is_copy = (permission & MAP_MEM_VM_COPY) != 0;
	struct task_process process = { .proc_fd = -1 };
	vm_prot_t allowed;
	int maps_fd;
	kern_return_t code = KERN_SUCCESS;

	if (other != MACH_PORT_NULL)
		code = vm_other_open(other, &process, &maps_fd);
	else if ((maps_fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)) < 0)
		code = KERN_RESOURCE_SHORTAGE;
	if (code != KERN_SUCCESS)
		return code;
	code = range_protection(maps_fd, start, entry->size, &allowed);
	/* a copy is the asker's own, with what he wants of it */
	if (code == KERN_SUCCESS && !is_copy)
		code =
		    protection_limit(&entry->protection, allowed, is_mask, KERN_PROTECTION_FAILURE);
	if (code == KERN_SUCCESS && (allowed & VM_PROT_READ) == 0)
		code = KERN_PROTECTION_FAILURE;
	if (code == KERN_SUCCESS)
		code = is_copy ? entry_copy(entry, other, start)
			       : entry_share(entry, other, &process, maps_fd, start,
					     (permission & MAP_MEM_VM_SHARE) != 0);
	close(maps_fd);
	if (other != MACH_PORT_NULL)
		task_process_close(&process);
	return code;
}

/* The part of the entry @parent that begins at @offset. */
static kern_return_t
entry_of_parent(struct entry *entry, mach_port_t parent, uint64_t offset, uint64_t size,
		vm_prot_t permission)
{
	struct entry whole;
	uint64_t end;
	kern_return_t code;

	if ((permission & MAP_MEM_VM_COPY) != 0)
		return NOT_SUPPORTED("copying a part of another entry");
	code = entry_open(parent, &whole);
	if (code != KERN_SUCCESS)
		return code;
	/* offsets are from where the parent's data begins */
	if (__builtin_add_overflow(offset, whole.data, &offset) ||
	    __builtin_add_overflow(offset, size, &end) || mach_vm_round_page(end) < end ||
	    mach_vm_round_page(end) > whole.size)
		code = KERN_INVALID_ARGUMENT;
	if (code == KERN_SUCCESS)
		code =
		    protection_limit(&entry->protection, whole.protection,
				     (permission & VM_PROT_IS_MASK) != 0, KERN_PROTECTION_FAILURE);
	if (code != KERN_SUCCESS) {
		close(whole.fd);
		return code;
	}
	entry->fd = whole.fd;
	entry->offset = whole.offset + mach_vm_trunc_page(offset);
	entry->size = mach_vm_round_page(end) - mach_vm_trunc_page(offset);
	entry->data = (permission & FLAGS_DATA) != 0 ? offset & vm_page_mask : 0;
	return KERN_SUCCESS;
}

/* The whole call, of which all but memory of its own is the same. */
static kern_return_t
make(mach_port_t other, memory_object_size_t *size, memory_object_offset_t offset,
     vm_prot_t permission, mach_port_t *handle, mach_port_t parent)
{
	struct entry entry = { .fd = -1, .protection = permission & VM_PROT_ALL };
	uintptr_t start;
	size_t page_bytes;
	kern_return_t code;

	if ((permission & MAP_MEM_NAMED_CREATE) != 0) {
		if (!vm_range_pages(0, *size, &start, &page_bytes))
			return KERN_INVALID_ARGUMENT;
		entry.size = page_bytes;
		code = vm_object_new(page_bytes, &entry.fd);
	} else if (parent != MACH_PORT_NULL) {
		code = entry_of_parent(&entry, parent, offset, *size, permission);
	} else {
		if (!vm_range_pages(offset, *size, &start, &page_bytes))
			return KERN_INVALID_ARGUMENT;
		entry.size = page_bytes;
		entry.data = (permission & FLAGS_DATA) != 0 ? offset & vm_page_mask : 0;
		code = entry_of_range(&entry, other, start, permission);
	}
	if (code != KERN_SUCCESS)
		return code;
	if ((entry.protection & VM_PROT_WRITE) == 0)
		code = take_writing_away(&entry.fd);
	if (code == KERN_SUCCESS)
		code = entry_register(&entry, handle);
	close(entry.fd);
	if (code != KERN_SUCCESS)
		return code;
	/* with its offset in the page told, an entry is as long as what was asked for */
	if ((permission & FLAGS_DATA) == 0 || entry.size - entry.data < *size)
		*size = entry.size - entry.data;
	return KERN_SUCCESS;
}

/* Is @task a task, ours or another?  *@other: MACH_PORT_NULL for our own. */
static kern_return_t
whose_memory(vm_map_t task, mach_port_t *other)
{
	kern_return_t code = later_own_task(task);

	*other = code == BERTH_TRAP_BY_MESSAGE ? task : MACH_PORT_NULL;
	return code == BERTH_TRAP_BY_MESSAGE ? KERN_SUCCESS : code;
}

BERTH_EXPORT kern_return_t
mach_make_memory_entry_64(vm_map_t target_task, memory_object_size_t *size,
			  memory_object_offset_t offset, vm_prot_t permission,
			  mach_port_t *object_handle, mem_entry_name_port_t parent_entry)
{
	const vm_prot_t known = VM_PROT_ALL | VM_PROT_IS_MASK | FLAGS_SOURCE | FLAGS_DATA |
				FLAGS_HINTS | MAP_MEM_ONLY | FLAGS_CACHE;
	const vm_prot_t source = permission & FLAGS_SOURCE;
	mach_port_t other;
	kern_return_t code = whose_memory(target_task, &other);

	if (code == KERN_SUCCESS && other != MACH_PORT_NULL && kernelrpc_is_asked(other))
		return _kernelrpc__mach_make_memory_entry(target_task, size, offset, permission,
							  object_handle, parent_entry);
	if (code != KERN_SUCCESS)
		return code;
	if ((permission & ~known) != 0 || (source & (source - 1)) != 0)
		return KERN_INVALID_VALUE;
	if (*size == 0)
		return KERN_INVALID_ARGUMENT;
	if ((permission & MAP_MEM_ONLY) != 0)
		return NOT_SUPPORTED("changing how the memory of an entry is cached");
	if (parent_entry == MACH_PORT_DEAD)
		return KERN_INVALID_ARGUMENT;
	return make(other, size, offset, permission, object_handle, parent_entry);
}

BERTH_EXPORT kern_return_t
mach_make_memory_entry(vm_map_t target_task, vm_size_t *size, vm_offset_t offset,
		       vm_prot_t permission, mem_entry_name_port_t *object_handle,
		       mem_entry_name_port_t parent_entry)
{
	memory_object_size_t wide = *size;
	kern_return_t code = mach_make_memory_entry_64(target_task, &wide, offset, permission,
						       object_handle, parent_entry);

	if (code == KERN_SUCCESS)
		*size = (vm_size_t)wide;
	return code;
}

/* ---- mapping ------------------------------------------------------------------------------ */

/* A copy of the memory, of this task alone; NULL: no memory.  Linux's private mapping would show
 * what others write to pages that this task has not. */
static void *
map_copy(int fd, uint64_t offset, size_t size, int protection)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	if (memory_fd_read(fd, memory, size, offset) == 0 &&
	    mprotect(memory, size, protection) == 0)
		return memory;
	munmap(memory, size);
	return NULL;
}

/* The part of the entry that is asked for, in whole pages; *@data is where it begins there. */
static kern_return_t
entry_part(struct entry *entry, uint64_t offset, uint64_t size, bool wants_data, uint64_t *data)
{
	uint64_t end;

	if (wants_data && __builtin_add_overflow(offset, entry->data, &offset))
		return KERN_INVALID_ARGUMENT;
	if (__builtin_add_overflow(offset, size, &end) || mach_vm_round_page(end) < end ||
	    mach_vm_round_page(end) > entry->size)
		return KERN_INVALID_ARGUMENT;
	*data = wants_data ? offset & vm_page_mask : 0;
	entry->offset += mach_vm_trunc_page(offset);
	entry->size = mach_vm_round_page(end) - mach_vm_trunc_page(offset);
	return KERN_SUCCESS;
}

/* Map the part; it belongs to the caller. */
static kern_return_t
entry_map_part(struct entry *entry, bool copy, vm_prot_t current, vm_prot_t maximum, void **memory)
{
	int protection = vm_linux_protection(current);

	if (copy) {
		*memory = map_copy(entry->fd, entry->offset, entry->size, protection);
		return *memory != NULL ? KERN_SUCCESS : KERN_RESOURCE_SHORTAGE;
	}
	/* what is mapped from a descriptor to read can never be made writable */
	if ((maximum & VM_PROT_WRITE) == 0) {
		kern_return_t code = take_writing_away(&entry->fd);
		if (code != KERN_SUCCESS)
			return code;
	}
	*memory = mmap(NULL, entry->size, protection, MAP_SHARED, entry->fd, (off_t)entry->offset);
	if (*memory != MAP_FAILED)
		return KERN_SUCCESS;
	/* EACCES: its maker says that it may be written, and has given what may not */
	return errno == EACCES || errno == EPERM ? KERN_INVALID_RIGHT
	       : errno == EINVAL                 ? KERN_INVALID_ARGUMENT
						 : KERN_NO_SPACE;
}

kern_return_t
memory_entry_map(mach_port_t name, mach_vm_address_t *address, mach_vm_size_t size,
		 mach_vm_offset_t mask, int flags, mach_vm_offset_t offset, boolean_t copy,
		 vm_prot_t current, vm_prot_t maximum, vm_inherit_t inheritance)
{
	const int data_flags = VM_FLAGS_RETURN_DATA_ADDR | VM_FLAGS_RETURN_4K_DATA_ADDR;
	mach_vm_address_t place = *address;
	struct entry entry;
	void *memory;
	uint64_t data;
	kern_return_t code = entry_open(name, &entry);

	if (code != KERN_SUCCESS)
		return code;
	if ((maximum & VM_PROT_IS_MASK) != 0)
		maximum &= entry.protection;
	if ((current & VM_PROT_IS_MASK) != 0)
		current &= entry.protection;
	if (((current | maximum) & ~entry.protection) != 0)
		code = KERN_INVALID_RIGHT;
	if (code == KERN_SUCCESS)
		code = entry_part(&entry, offset, size, (flags & data_flags) != 0, &data);
	if (code == KERN_SUCCESS)
		code = entry_map_part(&entry, copy, current, maximum, &memory);
	if (code == KERN_SUCCESS)
		code = vm_place(memory, entry.size, &place, flags, mask);
	if (code != KERN_SUCCESS || copy)
		close(entry.fd);
	else
		vm_object_keep(entry.fd);
	if (code != KERN_SUCCESS)
		return code;
	if (inheritance == VM_INHERIT_NONE)
		madvise((void *)(uintptr_t)place, entry.size, MADV_DONTFORK);
	*address = place + data;
	return KERN_SUCCESS;
}
