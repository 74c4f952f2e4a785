/*
 * The kernel's half of a monitor of executions.
 *
 * Whoever wants to run a program waits here until the daemon, the one client of our control,
 * has said yes or no.  No daemon, no answer in time or no room for the question mean yes: a
 * monitor that fails must not stop the machine.
 *
 *   berth cc --kext monitor_kext.c -o exec_monitor.kext
 *   berth kext load --exec-events=FOLDER exec_monitor.kext
 */
#include <sys/errno.h>
#include <sys/kauth.h>
#include <sys/kern_control.h>
#include <sys/kern_event.h>
#include <sys/kpi_mbuf.h>
#include <sys/proc.h>
#include <sys/queue.h>
#include <sys/systm.h>
#include <sys/vnode.h>

#include <IOKit/IOLib.h>
#include <kern/clock.h>
#include <kern/locks.h>
#include <libkern/OSAtomic.h>
#include <libkern/libkern.h>
#include <mach/kmod.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "monitor.h"

#define PATIENCE_MS 1000
#define ROOM_FOR_EVENTS (256 * 1024) /* bytes that the daemon has not read yet */

/* Lives on the stack of the thread that waits, which takes it off the list itself. */
struct question {
	TAILQ_ENTRY(question) link;
	uint64_t id;
	bool is_over; /* the verdict is there, or the daemon is gone */
	bool is_denied;
};

static lck_grp_t *lock_group;
static lck_mtx_t *lock;              /* guards what follows */
static struct monitor_daemon daemon; /* unit 0: there is none */
static kern_ctl_ref daemon_control;
static TAILQ_HEAD(, question) questions = TAILQ_HEAD_INITIALIZER(questions);
static uint64_t last_id;
static uint32_t patience_ms = PATIENCE_MS;
static struct monitor_counts counts;

static kern_ctl_ref control;
static kauth_listener_t vnode_listener, fileop_listener;
static volatile SInt32 callbacks_running;
static u_int32_t vendor_code;

/* ---- asking the daemon -------------------------------------------------------------------- */

/* lock is held. */
static errno_t
tell_daemon(struct monitor_event *event)
{
	size_t size = offsetof(struct monitor_event, path) + strlen(event->path) + 1;

	return ctl_enqueuedata(daemon_control, daemon.unit, event, size, CTL_DATA_EOR);
}

/* Until the verdict, the daemon's end, or the end of our patience.  lock is held. */
static void
await_verdict(struct question *question)
{
	uint64_t deadline, left;
	int error = 0;

	clock_interval_to_deadline(patience_ms, NSEC_PER_MSEC, &deadline);
	while (!question->is_over && error == 0) {
		uint64_t now = mach_absolute_time();

		if (now >= deadline)
			break;
		absolutetime_to_nanoseconds(deadline - now, &left);
		struct timespec time = {
			.tv_sec = (time_t)(left / NSEC_PER_SEC),
			.tv_nsec = (long)(left % NSEC_PER_SEC),
		};
		error = msleep(question, lock, PWAIT | PCATCH, "verdict", &time);
	}
}

/* True: the daemon says that @event must not be. */
static bool
ask_daemon(struct monitor_event *event)
{
	struct question question = { 0 };

	lck_mtx_lock(lock);
	/* what the daemon runs itself it cannot be asked about */
	if (daemon.unit == 0 || daemon.pid == event->pid) {
		lck_mtx_unlock(lock);
		return false;
	}
	event->id = question.id = ++last_id;
	TAILQ_INSERT_TAIL(&questions, &question, link);
	if (tell_daemon(event) != 0) {
		counts.untold++;
	} else {
		await_verdict(&question);
		if (!question.is_over)
			counts.unanswered++;
		else if (question.is_denied)
			counts.denied++;
		else
			counts.allowed++;
	}
	TAILQ_REMOVE(&questions, &question, link);
	lck_mtx_unlock(lock);
	return question.is_denied;
}

/* ---- what the system asks ------------------------------------------------------------------ */

/* May somebody do something with a file?  On the thread that wants to. */
static int
vnode_asked(kauth_cred_t credential, void *idata, kauth_action_t action, uintptr_t arg0,
	    uintptr_t arg1, uintptr_t arg2, uintptr_t arg3)
{
	vfs_context_t context = (vfs_context_t)arg0;
	vnode_t vnode = (vnode_t)arg1;
	struct monitor_event event = { .kind = MONITOR_WANTS };
	int path_size = sizeof(event.path), result = KAUTH_RESULT_DEFER;

	/* access() only wants to know; and who may "execute" a folder looks things up in it */
	if (!(action & KAUTH_VNODE_EXECUTE) || (action & KAUTH_VNODE_ACCESS) ||
	    vnode_vtype(vnode) != VREG)
		return KAUTH_RESULT_DEFER;
	event.uid = kauth_cred_getuid(credential);
	event.pid = vfs_context_pid(context);
	event.ppid = proc_ppid(vfs_context_proc(context));
	OSIncrementAtomic(&callbacks_running);
	if (vn_getpath(vnode, event.path, &path_size) == 0 && ask_daemon(&event))
		result = KAUTH_RESULT_DENY;
	OSDecrementAtomic(&callbacks_running);
	return result;
}

/* Something was done with a file. */
static int
fileop_done(kauth_cred_t credential, void *idata, kauth_action_t action, uintptr_t arg0,
	    uintptr_t arg1, uintptr_t arg2, uintptr_t arg3)
{
	struct monitor_event event = { .kind = MONITOR_RUNS };

	if (action != KAUTH_FILEOP_EXEC)
		return KAUTH_RESULT_DEFER;
	event.uid = kauth_cred_getuid(credential);
	event.pid = proc_selfpid();
	event.ppid = proc_selfppid();
	OSIncrementAtomic(&callbacks_running);
	strlcpy(event.path, (const char *)arg1, sizeof(event.path));
	lck_mtx_lock(lock);
	if (daemon.unit != 0)
		tell_daemon(&event);
	lck_mtx_unlock(lock);
	OSDecrementAtomic(&callbacks_running);
	return KAUTH_RESULT_DEFER; /* nobody looks at it */
}

/* ---- the control, for the daemon ------------------------------------------------------------ */

static void
post_event(u_int32_t code, struct monitor_daemon who)
{
	struct kev_msg message = {
		.vendor_code = vendor_code,
		.kev_class = MONITOR_CLASS,
		.kev_subclass = MONITOR_SUBCLASS,
		.event_code = code,
	};

	message.dv[0].data_ptr = &who;
	message.dv[0].data_length = sizeof(who);
	kev_msg_post(&message);
}

static errno_t
daemon_connects(kern_ctl_ref ref, struct sockaddr_ctl *address, void **unitinfo)
{
	struct monitor_daemon who = { .pid = proc_selfpid(), .unit = address->sc_unit };

	lck_mtx_lock(lock);
	if (daemon.unit != 0) {
		lck_mtx_unlock(lock);
		return EBUSY;
	}
	daemon = who;
	daemon_control = ref;
	*unitinfo = &daemon; /* tells the daemon from those who were refused */
	lck_mtx_unlock(lock);
	printf("exec_monitor: daemon %d watches\n", who.pid);
	post_event(MONITOR_DAEMON_CAME, who);
	return 0;
}

static errno_t
daemon_disconnects(kern_ctl_ref ref, u_int32_t unit, void *unitinfo)
{
	struct monitor_daemon who;
	struct question *question;

	if (unitinfo == NULL) /* of a connection that was refused, too, the end is told */
		return 0;
	lck_mtx_lock(lock);
	who = daemon;
	daemon.unit = 0;
	patience_ms = PATIENCE_MS;
	TAILQ_FOREACH(question, &questions, link)
	{
		question->is_over = true;
		wakeup(question);
	}
	lck_mtx_unlock(lock);
	printf("exec_monitor: daemon %d watches no more\n", who.pid);
	post_event(MONITOR_DAEMON_LEFT, who);
	return 0;
}

static errno_t
daemon_sends(kern_ctl_ref ref, u_int32_t unit, void *unitinfo, mbuf_t m, int flags)
{
	struct monitor_verdict verdict;
	struct question *question;
	errno_t error = EINVAL;

	if (mbuf_pkthdr_len(m) == sizeof(verdict))
		error = mbuf_copydata(m, 0, sizeof(verdict), &verdict);
	mbuf_freem(m);
	if (error != 0)
		return error;

	lck_mtx_lock(lock);
	TAILQ_FOREACH(question, &questions, link)
	{
		if (question->id == verdict.id)
			break;
	}
	if (question) {
		question->is_denied = verdict.is_denied != 0;
		question->is_over = true;
		wakeup(question);
	}
	lck_mtx_unlock(lock);
	return question ? 0 : ESTALE; /* nobody waits for it any more */
}

static errno_t
daemon_sets(kern_ctl_ref ref, u_int32_t unit, void *unitinfo, int option, void *data, size_t length)
{
	uint32_t value;

	if (option != MONITOR_OPTION_PATIENCE)
		return ENOPROTOOPT;
	if (data == NULL || length != sizeof(value))
		return EINVAL;
	memcpy(&value, data, sizeof(value));
	lck_mtx_lock(lock);
	patience_ms = value;
	lck_mtx_unlock(lock);
	return 0;
}

static errno_t
daemon_gets(kern_ctl_ref ref, u_int32_t unit, void *unitinfo, int option, void *data,
	    size_t *length)
{
	if (option != MONITOR_OPTION_COUNTS)
		return ENOPROTOOPT;
	if (data != NULL) { /* NULL: how large would it be? */
		if (*length < sizeof(counts))
			return EINVAL;
		lck_mtx_lock(lock);
		memcpy(data, &counts, sizeof(counts));
		lck_mtx_unlock(lock);
	}
	*length = sizeof(counts);
	return 0;
}

/* ---- start and stop ---------------------------------------------------------------------------
 */

/* Callbacks may run on for a while after nobody listens any more. */
static void
stop_listening(void)
{
	if (vnode_listener)
		kauth_unlisten_scope(vnode_listener);
	if (fileop_listener)
		kauth_unlisten_scope(fileop_listener);
	vnode_listener = fileop_listener = NULL;
	while (OSAddAtomic(0, &callbacks_running) > 0)
		IOSleep(1);
}

static void
free_locks(void)
{
	lck_mtx_free(lock, lock_group);
	lck_grp_free(lock_group);
}

static kern_return_t
monitor_start(kmod_info_t *info, void *data)
{
	struct kern_ctl_reg registration = {
		.ctl_name = MONITOR_CONTROL,
		.ctl_flags = CTL_FLAG_PRIVILEGED,
		.ctl_recvsize = ROOM_FOR_EVENTS,
		.ctl_connect = daemon_connects,
		.ctl_disconnect = daemon_disconnects,
		.ctl_send = daemon_sends,
		.ctl_setopt = daemon_sets,
		.ctl_getopt = daemon_gets,
	};

	lock_group = lck_grp_alloc_init("exec_monitor", LCK_GRP_ATTR_NULL);
	if (lock_group == NULL)
		return KERN_RESOURCE_SHORTAGE;
	lock = lck_mtx_alloc_init(lock_group, LCK_ATTR_NULL);
	if (lock == NULL) {
		lck_grp_free(lock_group);
		return KERN_RESOURCE_SHORTAGE;
	}
	vnode_listener = kauth_listen_scope(KAUTH_SCOPE_VNODE, vnode_asked, NULL);
	fileop_listener = kauth_listen_scope(KAUTH_SCOPE_FILEOP, fileop_done, NULL);
	/* last: from here on the daemon may come */
	if (vnode_listener == NULL || fileop_listener == NULL ||
	    kev_vendor_code_find(MONITOR_VENDOR, &vendor_code) != 0 ||
	    ctl_register(&registration, &control) != 0) {
		stop_listening();
		free_locks();
		return KERN_FAILURE;
	}
	return KERN_SUCCESS;
}

static kern_return_t
monitor_stop(kmod_info_t *info, void *data)
{
	if (ctl_deregister(control) != 0) /* the daemon is still there */
		return KERN_FAILURE;
	stop_listening();
	free_locks();
	return KERN_SUCCESS;
}

KMOD_EXPLICIT_DECL(org.berth.example.exec_monitor, "1.0.0", monitor_start, monitor_stop)
