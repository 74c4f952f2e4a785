/*
 * The memory of programs, and who the running kext is.
 */
#include "kexts/host/kpi.h"

#include "kexts/host/call.h"
#include "kexts/host/kext_identity.h"
#include "kexts/host/panic.h"

#include <libkern/OSKextLib.h>
#include <sys/systm.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define COPY_PART (256u << 20) /* bytes of one call to Linux, which takes no more than 2 GiB */

/* ---- copyin, copyout ---------------------------------------------------------------- */

/* The program that called; 0: none did. */
static pid_t
caller_pid(void)
{
	struct host_call *call = host_call_current();

	return call != NULL && call->caller.pid > 0 ? call->caller.pid : 0;
}

typedef ssize_t (*vm_function)(pid_t pid, const struct iovec *ours, unsigned long our_count,
			       const struct iovec *theirs, unsigned long their_count,
			       unsigned long flags);

static int
copy(vm_function function, void *ours, user_addr_t theirs, size_t size)
{
	pid_t pid = caller_pid();

	while (size > 0) {
		size_t part = size < COPY_PART ? size : COPY_PART;
		struct iovec here = { .iov_base = ours, .iov_len = part };
		struct iovec there = { .iov_base = (void *)(uintptr_t)theirs, .iov_len = part };
		ssize_t done = pid != 0 ? function(pid, &here, 1, &there, 1, 0) : -1;

		if (done <= 0)
			return EFAULT; /* also: not there, gone, or Linux does not let us */
		ours = (char *)ours + done;
		theirs += (user_addr_t)done;
		size -= (size_t)done;
	}
	return 0;
}

KPI_EXPORT int
copyin(const user_addr_t uaddr, void *kaddr, size_t len)
{
	return copy(process_vm_readv, kaddr, uaddr, len);
}

KPI_EXPORT int
copyout(const void *kaddr, user_addr_t udaddr, size_t len)
{
	return copy(process_vm_writev, (void *)(uintptr_t)kaddr, udaddr, len);
}

KPI_EXPORT int
copyinstr(const user_addr_t uaddr, void *kaddr, size_t len, size_t *done)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t copied = 0;

	while (copied < len) {
		/* not beyond the page: the string may end before one that is not there */
		user_addr_t at = uaddr + copied;
		size_t part = page - (size_t)(at & (page - 1));
		char *here = (char *)kaddr + copied;

		if (part > len - copied)
			part = len - copied;
		if (copy(process_vm_readv, here, at, part) != 0)
			return EFAULT;
		const char *end = memchr(here, '\0', part);
		if (end != NULL) {
			if (done != NULL)
				*done = copied + (size_t)(end - here) + 1;
			return 0;
		}
		copied += part;
	}
	if (done != NULL)
		*done = copied;
	return ENAMETOOLONG;
}

/* ---- the running kext -------------------------------------------------------------------------
 */

static _Atomic(kext_identity_finder) finder;

void
kext_identity_set_finder(kext_identity_finder function)
{
	atomic_store(&finder, function);
}

bool
kext_identity_find(const void *address, struct kext_identity *identity)
{
	kext_identity_finder find = atomic_load(&finder);

	return find != NULL && find(address, identity);
}

KPI_EXPORT const char *
OSKextGetCurrentIdentifier(void)
{
	struct kext_identity identity;

	return kext_identity_find(CALLED_FROM, &identity) ? identity.identifier : NULL;
}

KPI_EXPORT const char *
OSKextGetCurrentVersionString(void)
{
	struct kext_identity identity;

	return kext_identity_find(CALLED_FROM, &identity) ? identity.version : NULL;
}

KPI_EXPORT OSKextLoadTag
OSKextGetCurrentLoadTag(void)
{
	struct kext_identity identity;

	return kext_identity_find(CALLED_FROM, &identity) ? identity.load_tag
							  : kOSKextInvalidLoadTag;
}
