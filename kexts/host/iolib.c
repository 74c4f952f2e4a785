/*
 * Memory by its other names: IOMalloc, _MALLOC.
 */
#include "kexts/host/memory.h"

#include "kexts/host/panic.h"

#include <IOKit/IOLib.h>
#include <sys/malloc.h>

#include <string.h>
#include <unistd.h>

/* ---- IOKit ----------------------------------------------------------------------------- */

KPI_EXPORT void *
IOMalloc(vm_size_t size)
{
	return memory_get(MEMORY_IOMALLOC, size, 0, false, NULL, CALLED_FROM);
}

KPI_EXPORT void *
IOMallocZero(vm_size_t size)
{
	return memory_get(MEMORY_IOMALLOC, size, 0, true, NULL, CALLED_FROM);
}

KPI_EXPORT void
IOFree(void *address, vm_size_t size)
{
	memory_put(MEMORY_IOMALLOC, address, size, NULL, "IOFree", CALLED_FROM);
}

KPI_EXPORT void *
IOMallocAligned(vm_size_t size, vm_offset_t alignment)
{
	return memory_get(MEMORY_ALIGNED, size, alignment, false, NULL, CALLED_FROM);
}

KPI_EXPORT void
IOFreeAligned(void *address, vm_size_t size)
{
	memory_put(MEMORY_ALIGNED, address, size, NULL, "IOFreeAligned", CALLED_FROM);
}

KPI_EXPORT void *
IOMallocPageable(vm_size_t size, vm_size_t alignment)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return memory_get(MEMORY_PAGEABLE, size, alignment < page ? page : alignment, false, NULL,
			  CALLED_FROM);
}

KPI_EXPORT void
IOFreePageable(void *address, vm_size_t size)
{
	memory_put(MEMORY_PAGEABLE, address, size, NULL, "IOFreePageable", CALLED_FROM);
}

KPI_EXPORT void *
IOMallocData(vm_size_t size)
{
	return memory_get(MEMORY_DATA, size, 0, false, NULL, CALLED_FROM);
}

KPI_EXPORT void *
IOMallocZeroData(vm_size_t size)
{
	return memory_get(MEMORY_DATA, size, 0, true, NULL, CALLED_FROM);
}

KPI_EXPORT void
IOFreeData(void *address, vm_size_t size)
{
	memory_put(MEMORY_DATA, address, size, NULL, "IOFreeData", CALLED_FROM);
}

/* ---- BSD ------------------------------------------------------------------------------- */

KPI_EXPORT void *
_MALLOC(size_t size, int type, int flags)
{
	return memory_get(MEMORY_BSD, size, 0, (flags & M_ZERO) != 0, NULL, CALLED_FROM);
}

KPI_EXPORT void
_FREE(void *addr, int type)
{
	memory_put(MEMORY_BSD, addr, MEMORY_NO_SIZE, NULL, "_FREE", CALLED_FROM);
}

KPI_EXPORT void *
_REALLOC(void *addr, size_t size, int type, int flags)
{
	size_t old_size = addr != NULL ? memory_size(MEMORY_BSD, addr, "_REALLOC", CALLED_FROM) : 0;
	void *larger = memory_get(MEMORY_BSD, size, 0, (flags & M_ZERO) != 0, NULL, CALLED_FROM);

	if (larger == NULL && size != 0)
		return NULL; /* the old one stays */
	if (larger != NULL && addr != NULL)
		memcpy(larger, addr, old_size < size ? old_size : size);
	memory_put(MEMORY_BSD, addr, MEMORY_NO_SIZE, NULL, "_REALLOC", CALLED_FROM);
	return larger;
}

KPI_EXPORT void *
_MALLOC_ZONE(size_t size, int type, int flags)
{
	return memory_get(MEMORY_BSD, size, 0, (flags & M_ZERO) != 0, NULL, CALLED_FROM);
}

KPI_EXPORT void
_FREE_ZONE(void *elem, size_t size, int type)
{
	memory_put(MEMORY_BSD, elem, size, NULL, "_FREE_ZONE", CALLED_FROM);
}
