/*
 * A kernel that drops this process alone, at the worst moment: a thread has looked whether the
 * kernel is there, and is about to sleep without a limit.  There is no kernel here, so nothing
 * else wakes it.
 */
#include "client/trap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ALIVE 77u        /* a thread id: the kernel lives */
#define HANG_SECONDS 120 /* far beyond what any machine needs */

/* ---- the moment between the look and the sleep -------------------------------------------- */

static unsigned endless_sleeps;

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);
long __real_syscall(long number, ...);

/* The library's calls of syscall() come here (--wrap). */
long
__wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if (number == SYS_futex_waitv && d == 0) {
		endless_sleeps++;
		connection_died(); /* whom it wakes is not asleep yet */
	}
	return __real_syscall(number, a, b, c, d, e, f);
}

/* ---- a connection without a kernel -------------------------------------------------------- */

static void *
memory_new(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static void
connection_pretend(void)
{
	struct kernel_page *page = memory_new(sizeof(*page));

	atomic_store(&page->alive, ALIVE);
	connection.kernel_page = page;
	connection.doorbell = memory_new(sizeof(struct doorbell));
	connection.segments[0] = memory_new((size_t)TRAP_SLOT_SIZE * TRAP_SEGMENT_SLOTS);
	connection.mail[0] = memory_new(TRAP_SEGMENT_SLOTS * sizeof(struct slot_mail));
	connection.first_slot = 0;
	atomic_store(&connection.state, CONNECTION_READY);
}

/* ---- tests, each in a process of its own: a connection ends once --------------------------- */

/* The status that a child ends with that runs @body; a hang ends it with a signal. */
static int
child_status(void (*body)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		alarm(HANG_SECONDS);
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void
ask_and_be_dropped(void)
{
	struct trap trap;

	connection_pretend();
	if (trap_begin(&trap, BERTH_TRAP_TASK_SELF) != TRAP_OK)
		_exit(1);
	if (trap_run(&trap, TRAP_PATIENT) != TRAP_DIED)
		_exit(2);
	trap_end(&trap);
	if (endless_sleeps != 1)
		_exit(3);
	if (trap_begin(&trap, BERTH_TRAP_TASK_SELF) != TRAP_NO_KERNEL)
		_exit(4);
}

static void
a_thread_about_to_sleep_for_ever_sees_that_it_was_dropped(void **state)
{
	(void)state;
	assert_int_equal(child_status(ask_and_be_dropped), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_about_to_sleep_for_ever_sees_that_it_was_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
