/*
 * Credentials: who somebody was when asked.  They do not change; a process whose ids change
 * has another credential from then on.
 */
#include "kexts/host/kpi.h"

#include "kexts/host/call.h"
#include "kexts/host/identity.h"
#include "kexts/host/panic.h"

#include <kern/debug.h>
#include <sys/kauth.h>
#include <sys/proc.h>
#include <sys/systm.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ASU_FLAG 0x02 /* in *acflag of suser(): used the rights of root */

struct ucred {
	_Atomic uint32_t refs; /* of the kernel's: not counted */
	pid_t pid;             /* whose groups these are */
	uid_t ruid, euid, svuid;
	gid_t rgid, egid, svgid;
};

static struct ucred kernel_cred; /* root */

static __thread struct ucred *current; /* of the call that this thread runs; counted */
static pthread_once_t current_once = PTHREAD_ONCE_INIT;
static pthread_key_t current_key; /* for a thread that ends in a call */

/* ---- counting ---------------------------------------------------------------------------- */

KPI_EXPORT void
kauth_cred_ref(kauth_cred_t cred)
{
	if (cred != NULL && cred != &kernel_cred)
		atomic_fetch_add_explicit(&cred->refs, 1, memory_order_relaxed);
}

KPI_EXPORT void
kauth_cred_unref(kauth_cred_t *credp)
{
	struct ucred *cred = *credp;

	*credp = NULL;
	if (cred == NULL || cred == &kernel_cred)
		return;
	uint32_t before = atomic_fetch_sub_explicit(&cred->refs, 1, memory_order_acq_rel);
	if (before == 0)
		panic("kauth_cred_unref: %p has no reference left; called from %s", (void *)cred,
		      place_of(CALLED_FROM).text);
	if (before == 1)
		free(cred);
}

/* ---- the current one --------------------------------------------------------------------- */

static void
current_at_exit(void *unused)
{
	kauth_forget_current();
}

static void
current_key_make(void)
{
	(void)pthread_key_create(&current_key, current_at_exit);
}

void
kauth_forget_current(void)
{
	kauth_cred_unref(&current);
}

static struct ucred *
cred_new(void)
{
	struct ucred *cred = calloc(1, sizeof(*cred));

	if (cred == NULL)
		panic("no memory for a credential");
	atomic_init(&cred->refs, 1);
	return cred;
}

KPI_EXPORT kauth_cred_t
kauth_cred_get(void)
{
	struct host_call *call = host_call_current();
	struct process_facts facts;

	if (call == NULL)
		return &kernel_cred;
	if (current == NULL) {
		struct ucred *cred = cred_new();

		cred->pid = call->caller.pid;
		cred->ruid = call->caller.ruid;
		cred->euid = cred->svuid = call->caller.euid;
		cred->rgid = call->caller.rgid;
		cred->egid = cred->svgid = call->caller.egid;
		/* the socket does not tell these */
		if (process_facts_read(cred->pid, &facts)) {
			cred->svuid = facts.svuid;
			cred->svgid = facts.svgid;
		}
		current = cred;
		pthread_once(&current_once, current_key_make);
		(void)pthread_setspecific(current_key, cred);
	}
	return current;
}

KPI_EXPORT kauth_cred_t
kauth_cred_get_with_ref(void)
{
	kauth_cred_t cred = kauth_cred_get();

	kauth_cred_ref(cred);
	return cred;
}

KPI_EXPORT kauth_cred_t
kauth_cred_proc_ref(proc_t procp)
{
	struct process_facts facts;

	if (procp == NULL)
		return NULL;
	if (proc_pid(procp) == 0)
		return &kernel_cred;
	if (host_call_current() != NULL && procp == current_proc())
		return kauth_cred_get_with_ref();
	if (!process_facts_read(proc_pid(procp), &facts) || proc_exiting(procp))
		return NULL;
	struct ucred *cred = cred_new();
	cred->pid = facts.pid;
	cred->ruid = facts.ruid;
	cred->euid = facts.euid;
	cred->svuid = facts.svuid;
	cred->rgid = facts.rgid;
	cred->egid = facts.egid;
	cred->svgid = facts.svgid;
	return cred;
}

/* ---- what is in it ------------------------------------------------------------------------- */

KPI_EXPORT uid_t
kauth_cred_getuid(kauth_cred_t cred)
{
	return cred->euid;
}

KPI_EXPORT uid_t
kauth_cred_getruid(kauth_cred_t cred)
{
	return cred->ruid;
}

KPI_EXPORT uid_t
kauth_cred_getsvuid(kauth_cred_t cred)
{
	return cred->svuid;
}

KPI_EXPORT gid_t
kauth_cred_getgid(kauth_cred_t cred)
{
	return cred->egid;
}

KPI_EXPORT gid_t
kauth_cred_getrgid(kauth_cred_t cred)
{
	return cred->rgid;
}

KPI_EXPORT gid_t
kauth_cred_getsvgid(kauth_cred_t cred)
{
	return cred->svgid;
}

KPI_EXPORT int
kauth_cred_issuser(kauth_cred_t cred)
{
	return cred->euid == 0;
}

KPI_EXPORT int
kauth_cred_ismember_gid(kauth_cred_t cred, gid_t gid, int *resultp)
{
	*resultp = cred->egid == gid || process_in_group(cred->pid, gid);
	return 0;
}

KPI_EXPORT int
suser(kauth_cred_t cred, u_short *acflag)
{
	if (!kauth_cred_issuser(cred))
		return EPERM;
	if (acflag != NULL)
		*acflag |= ASU_FLAG;
	return 0;
}

KPI_EXPORT uid_t
kauth_getuid(void)
{
	struct host_call *call = host_call_current();

	return call != NULL ? call->caller.euid : 0;
}

KPI_EXPORT uid_t
kauth_getruid(void)
{
	struct host_call *call = host_call_current();

	return call != NULL ? call->caller.ruid : 0;
}

KPI_EXPORT gid_t
kauth_getgid(void)
{
	struct host_call *call = host_call_current();

	return call != NULL ? call->caller.egid : 0;
}

KPI_EXPORT gid_t
kauth_getrgid(void)
{
	struct host_call *call = host_call_current();

	return call != NULL ? call->caller.rgid : 0;
}
