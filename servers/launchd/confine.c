/*
 * What the name server gives up, and the thread that has not.
 *
 * The loop reads what anybody sends, property lists among it.  Jobs are any programs, of any
 * user, and a filter of system calls goes over to what a thread starts; so jobs are started by a
 * second thread, made before, that does nothing else.  That is a second wall and no more: both
 * threads share their memory, and who may load a job may run a program anyway.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "confine/confine.h"

#include "launchd.h"

/* A request to the second thread, and its answer. */
static struct {
	pthread_mutex_t lock; /* for everything below */
	pthread_cond_t changed;
	struct job *job; /* NULL: nothing to do */
	pid_t pid;
	bool runs;
} starter = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void *
start_jobs(void *unused)
{
	(void)unused;
	prctl(PR_SET_NAME, "launchd-starter", 0, 0, 0);
	pthread_mutex_lock(&starter.lock);
	for (;;) {
		if (starter.job) {
			starter.pid = spawn_job(starter.job);
			starter.job = NULL;
			pthread_cond_broadcast(&starter.changed);
		}
		pthread_cond_wait(&starter.changed, &starter.lock);
	}
	return NULL;
}

pid_t
start_job(struct job *job)
{
	pid_t pid;

	if (!starter.runs)
		return spawn_job(job);
	pthread_mutex_lock(&starter.lock);
	starter.job = job;
	pthread_cond_broadcast(&starter.changed);
	while (starter.job)
		pthread_cond_wait(&starter.changed, &starter.lock);
	pid = starter.pid;
	pthread_mutex_unlock(&starter.lock);
	return pid;
}

void
launchd_confine(void)
{
	const struct confine_rule rules[] = {
		CONFINE_ANY(inotify_add_watch),
		CONFINE_ANY(inotify_rm_watch),
		CONFINE_ANY(getdents64),
		CONFINE_ANY(timerfd_settime),
		/* libberth: whether memory is there, and the kernel at its address */
		CONFINE_ANY(msync),
		{ SCMP_SYS(process_vm_readv),
		  1,
		  { { 0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0 } } },
		{ SCMP_SYS(process_vm_writev),
		  1,
		  { { 0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0 } } },
		{ SCMP_SYS(socket), 1, { { 0, SCMP_CMP_EQ, AF_UNIX, 0 } } },
		CONFINE_ANY(connect),
	};
	pthread_t thread;
	int error = 0;

	confine_memory();
	error = pthread_create(&thread, NULL, start_jobs, NULL);
	if (error != 0) {
		/* without it jobs would get what we get */
		log_error("keeps its privileges: there is no second thread: %s", strerror(error));
		return;
	}
	starter.runs = true;
	/* jobs of others are ended, and paths of others looked at */
	if (!confine_checks_leaks())
		error = confine_capabilities(1ull << CAP_KILL | 1ull << CAP_DAC_READ_SEARCH);
	if (error != 0)
		log_error("cannot give up capabilities: %s", strerror(-error));
	if (confine_calls("berth-launchd", rules, sizeof(rules) / sizeof(rules[0])) ==
	    CONFINE_REFUSED)
		log_warning("goes on without a filter of system calls, which Linux refuses: %s",
			    strerror(errno));
}
