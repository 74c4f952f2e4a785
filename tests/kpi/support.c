#include "tests/kpi/support.h"

#include "kexts/host/host_log.h"
#include "kexts/host/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_SIZE 65536

static char log_text[LOG_SIZE];
static int log_fd = -1, real_stderr = -1;

/* ---- the log --------------------------------------------------------------------------- */

void
log_take(void)
{
	host_log_flush();
	log_fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(log_fd >= 0);
	real_stderr = dup(STDERR_FILENO);
	assert_true(dup2(log_fd, STDERR_FILENO) == STDERR_FILENO);
}

const char *
log_taken(void)
{
	host_log_flush();
	assert_true(dup2(real_stderr, STDERR_FILENO) == STDERR_FILENO);
	close(real_stderr);
	ssize_t size = pread(log_fd, log_text, sizeof(log_text) - 1, 0);
	close(log_fd);
	assert_true(size >= 0);
	log_text[size] = '\0';
	return log_text;
}

void
assert_panics(void (*function)(void), const char *words)
{
	int status;

	log_take();
	pid_t child = fork();
	if (child == 0) {
		const struct rlimit none = { 0, 0 };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		alarm(60);
		function();
		_exit(0);
	}
	assert_true(child > 0);
	assert_true(waitpid(child, &status, 0) == child);
	const char *text = log_taken();
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT ||
	    strstr(text, "panic: ") == NULL || strstr(text, words) == NULL)
		fail_msg("status %#x, and the log is not \"%s\" but: %s", status, words, text);
}

/* ---- threads --------------------------------------------------------------------------- */

void
until_waits(thread_t thread)
{
	while (atomic_load(&thread->wait_state) != THREAD_WAIT_ON)
		usleep(200);
}

struct running {
	void (*function)(void *argument);
	void *argument;
	thread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool has_ended;
};

static void
running_run(void *argument, wait_result_t result)
{
	struct running *running = argument;

	running->function(running->argument);
	pthread_mutex_lock(&running->lock);
	running->has_ended = true;
	pthread_cond_signal(&running->ended);
	pthread_mutex_unlock(&running->lock);
}

struct running *
thread_run_kpi(void (*function)(void *argument), void *argument)
{
	struct running *running = calloc(1, sizeof(*running));

	assert_non_null(running);
	running->function = function;
	running->argument = argument;
	pthread_mutex_init(&running->lock, NULL);
	pthread_cond_init(&running->ended, NULL);
	assert_int_equal(kernel_thread_start(running_run, running, &running->thread), KERN_SUCCESS);
	return running;
}

thread_t
thread_of(struct running *running)
{
	return running->thread;
}

void
thread_join(struct running *running)
{
	pthread_mutex_lock(&running->lock);
	while (!running->has_ended)
		pthread_cond_wait(&running->ended, &running->lock);
	pthread_mutex_unlock(&running->lock);
	/* and it is gone, with all that it had */
	while (atomic_load(&running->thread->refs) > 1)
		usleep(200);
	thread_deallocate(running->thread);
	pthread_cond_destroy(&running->ended);
	pthread_mutex_destroy(&running->lock);
	free(running);
}

void
run_many(unsigned count, void (*function)(void *argument), void *argument)
{
	struct running **threads = calloc(count, sizeof(struct running *));

	assert_non_null(threads);
	for (unsigned i = 0; i < count; i++)
		threads[i] = thread_run_kpi(function, argument);
	for (unsigned i = 0; i < count; i++)
		thread_join(threads[i]);
	free(threads);
}
