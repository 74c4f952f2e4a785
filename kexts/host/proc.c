/*
 * Processes as kexts see them.
 *
 * A proc_t is a process, not a pid: one made for a pid that another process has by now is not
 * found again.  All that are in use are in a table, so that one process is one proc_t.
 */
#include "kexts/host/kpi.h"

#include "kexts/host/call.h"
#include "kexts/host/identity.h"
#include "kexts/host/panic.h"

#include <kern/debug.h>
#include <sys/proc.h>

#include <bsd/string.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define ANCESTORS_MAX 4096 /* of one process: a ring would be an error of Linux */

struct proc {
	LIST_ENTRY(proc) link;
	uint32_t refs; /* guarded by table_lock, as the table; the kernel's are not counted */
	pid_t pid, ppid;
	uint64_t start_ticks;
};

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, proc) table = LIST_HEAD_INITIALIZER(table);
static struct proc kernel_proc; /* pid 0 */

static __thread struct proc *current; /* of the call that this thread runs; counted */
static pthread_once_t current_once = PTHREAD_ONCE_INIT;
static pthread_key_t current_key; /* for a thread that ends in a call */

/* ---- the table --------------------------------------------------------------------------- */

/* Gives a reference.  NULL: no memory. */
static struct proc *
proc_intern(pid_t pid, pid_t ppid, uint64_t start_ticks)
{
	struct proc *p;

	pthread_mutex_lock(&table_lock);
	LIST_FOREACH(p, &table, link)
	{
		if (p->pid == pid && p->start_ticks == start_ticks)
			break;
	}
	if (p == NULL && (p = calloc(1, sizeof(*p))) != NULL) {
		p->pid = pid;
		p->ppid = ppid;
		p->start_ticks = start_ticks;
		LIST_INSERT_HEAD(&table, p, link);
	}
	if (p != NULL)
		p->refs++;
	pthread_mutex_unlock(&table_lock);
	return p;
}

KPI_EXPORT proc_t
proc_find(int pid)
{
	struct process_facts facts;

	if (pid == 0)
		return &kernel_proc;
	if (!process_facts_read(pid, &facts) || facts.ended)
		return NULL;
	return proc_intern(pid, facts.ppid, process_start_ticks(pid));
}

KPI_EXPORT int
proc_rele(proc_t p)
{
	if (p == NULL || p == &kernel_proc)
		return 0;
	pthread_mutex_lock(&table_lock);
	if (p->refs == 0)
		panic("proc_rele: %p has no reference left; called from %s", (void *)p,
		      place_of(CALLED_FROM).text);
	bool last = --p->refs == 0;
	if (last)
		LIST_REMOVE(p, link);
	pthread_mutex_unlock(&table_lock);
	if (last)
		free(p);
	return 0;
}

/* ---- the current one --------------------------------------------------------------------- */

static void
current_at_exit(void *unused)
{
	proc_forget_current();
}

static void
current_key_make(void)
{
	(void)pthread_key_create(&current_key, current_at_exit);
}

void
proc_forget_current(void)
{
	struct proc *p = current;

	current = NULL;
	(void)proc_rele(p);
}

KPI_EXPORT proc_t
current_proc(void)
{
	struct host_call *call = host_call_current();
	struct process_facts facts = { 0 };

	if (call == NULL || call->caller.pid <= 0)
		return &kernel_proc;
	if (current == NULL) {
		pid_t pid = call->caller.pid;

		/* it may be gone: its call is running all the same */
		(void)process_facts_read(pid, &facts);
		current = proc_intern(pid, facts.ppid, process_start_ticks(pid));
		if (current == NULL)
			panic("no memory for a process");
		pthread_once(&current_once, current_key_make);
		(void)pthread_setspecific(current_key, current);
	}
	return current;
}

KPI_EXPORT proc_t
proc_self(void)
{
	struct proc *p = current_proc();

	if (p != &kernel_proc) {
		pthread_mutex_lock(&table_lock);
		p->refs++;
		pthread_mutex_unlock(&table_lock);
	}
	return p;
}

/* ---- what it is -------------------------------------------------------------------------- */

/* What Linux says of @p.  False: it is gone, or its pid is another's. */
static bool
facts_of(const struct proc *p, struct process_facts *facts)
{
	return process_facts_read(p->pid, facts) && process_start_ticks(p->pid) == p->start_ticks;
}

KPI_EXPORT int
proc_pid(proc_t p)
{
	return p != NULL ? p->pid : -1;
}

KPI_EXPORT int
proc_ppid(proc_t p)
{
	struct process_facts facts;

	if (p == NULL)
		return -1;
	if (p == &kernel_proc)
		return 0;
	return facts_of(p, &facts) ? facts.ppid : p->ppid;
}

KPI_EXPORT int
proc_selfpid(void)
{
	struct host_call *call = host_call_current();

	return call != NULL ? call->caller.pid : 0;
}

KPI_EXPORT int
proc_selfppid(void)
{
	return proc_ppid(current_proc());
}

KPI_EXPORT void
proc_name(int pid, char *buf, int size)
{
	char name[17] = "kernel_task";

	if (size <= 0)
		return;
	memset(buf, 0, (size_t)size);
	if (pid == 0 || process_name_read(pid, name))
		(void)strlcpy(buf, name, (size_t)size);
}

KPI_EXPORT void
proc_selfname(char *buf, int size)
{
	proc_name(proc_selfpid(), buf, size);
}

KPI_EXPORT int
proc_suser(proc_t p)
{
	struct host_call *call = host_call_current();
	struct process_facts facts;

	if (p == &kernel_proc)
		return 0;
	/* of the caller the lane knows, as of the moment of the call */
	if (call != NULL && p != NULL && p == current)
		return call->caller.euid == 0 ? 0 : EPERM;
	return p != NULL && facts_of(p, &facts) && facts.euid == 0 ? 0 : EPERM;
}

KPI_EXPORT int
proc_is64bit(proc_t p)
{
	return p == NULL || p == &kernel_proc || process_is_64bit(p->pid);
}

KPI_EXPORT int
proc_exiting(proc_t p)
{
	struct process_facts facts;

	if (p == NULL || p == &kernel_proc)
		return 0;
	return !facts_of(p, &facts) || facts.ended;
}

KPI_EXPORT int
proc_issetugid(proc_t p)
{
	struct process_facts facts;

	if (p == NULL || p == &kernel_proc || !facts_of(p, &facts))
		return 0;
	return facts.ruid != facts.euid || facts.rgid != facts.egid;
}

KPI_EXPORT uint64_t
proc_uniqueid(proc_t p)
{
	/* pids have at most 22 bits, and one is not given out twice within a tick */
	return p != NULL ? p->start_ticks << 22 | (uint64_t)p->pid : 0;
}

KPI_EXPORT void
proc_signal(int pid, int signum)
{
	/* 0 and what is negative would be whole groups */
	if (pid > 0)
		(void)kill(pid, signum);
}

KPI_EXPORT int
proc_isinferior(int pid1, int pid2)
{
	struct process_facts facts;

	for (int i = 0; i < ANCESTORS_MAX; i++) {
		if (pid1 == pid2)
			return pid1 == 0 || process_facts_read(pid1, &facts);
		if (!process_facts_read(pid1, &facts))
			return 0;
		pid1 = facts.ppid;
	}
	return 0;
}
