/*
 * On whose behalf this thread runs: a pointer of the thread.
 */
#include "kexts/host/call.h"

#include "kexts/host/host_log.h"
#include "kexts/host/identity.h"

static __thread struct host_call *current;

struct host_call *
host_call_current(void)
{
	return current;
}

void
host_call_set_current(struct host_call *call)
{
	if (call == current)
		return;
	/* what the kext printed, and asked about the caller, ends with the call */
	host_log_flush();
	proc_forget_current();
	kauth_forget_current();
	current = call;
}
