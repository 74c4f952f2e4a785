/*
 * Who a process is, who asks, and what listeners say.
 */
#include "tests/kpi/support.h"

#include "kexts/host/call.h"
#include "kexts/host/kauth_listen.h"

#include <sys/kauth.h>
#include <sys/proc.h>
#include <sys/systm.h>
#include <sys/ucred.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct host_call
call_of(pid_t pid)
{
	return (struct host_call){
		.caller = { .pid = pid, .ruid = 11, .euid = 12, .rgid = 13, .egid = 14 },
	};
}

/* A process that sleeps until it is killed; its short name is "it's (a) name". */
static pid_t
child_start(void)
{
	int ends[2];
	char ready;

	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "it's (a) name");
		if (write(ends[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_true(child > 0);
	assert_int_equal(read(ends[0], &ready, 1), 1);
	close(ends[0]);
	close(ends[1]);
	return child;
}

static void
child_end(pid_t child)
{
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* ---- processes ------------------------------------------------------------------------- */

static void
without_a_call_it_is_the_kernel(void **state)
{
	char name[32];
	proc_t self = proc_self();

	assert_int_equal(proc_selfpid(), 0);
	assert_int_equal(proc_selfppid(), 0);
	assert_int_equal(proc_pid(current_proc()), 0);
	assert_int_equal(proc_ppid(self), 0);
	assert_int_equal(proc_suser(self), 0);
	assert_int_equal(proc_is64bit(self), 1);
	assert_int_equal(proc_exiting(self), 0);
	proc_selfname(name, sizeof(name));
	assert_string_equal(name, "kernel_task");
	assert_int_equal(proc_rele(self), 0);
	assert_ptr_equal(proc_find(0), current_proc());
	assert_int_equal(kauth_getuid(), 0);
	assert_int_equal(kauth_getgid(), 0);
	assert_int_equal(kauth_cred_getuid(kauth_cred_get()), 0);
	assert_int_not_equal(kauth_cred_issuser(kauth_cred_get()), 0);
}

static void
in_a_call_it_is_the_caller(void **state)
{
	pid_t child = child_start();
	struct host_call call = call_of(child);
	char name[32];

	host_call_set_current(&call);
	proc_t p = current_proc();
	assert_ptr_equal(current_proc(), p);
	assert_int_equal(proc_selfpid(), child);
	assert_int_equal(proc_selfppid(), getpid());
	assert_int_equal(proc_pid(p), child);
	assert_int_equal(proc_suser(p), EPERM); /* as the lane says, whoever runs the test */
	proc_selfname(name, sizeof(name));
	assert_string_equal(name, "it's (a) name");
	proc_t found = proc_find(child);
	assert_ptr_equal(found, p); /* one process, one proc_t */
	proc_rele(found);

	assert_int_equal(kauth_getuid(), 12);
	assert_int_equal(kauth_getruid(), 11);
	assert_int_equal(kauth_getgid(), 14);
	assert_int_equal(kauth_getrgid(), 13);
	kauth_cred_t cred = kauth_cred_get();
	assert_ptr_equal(kauth_cred_get(), cred);
	assert_int_equal(kauth_cred_getuid(cred), 12);
	assert_int_equal(kauth_cred_getruid(cred), 11);
	assert_int_equal(kauth_cred_getgid(cred), 14);
	assert_int_equal(kauth_cred_getrgid(cred), 13);
	assert_int_equal(kauth_cred_issuser(cred), 0);
	assert_int_equal(suser(cred, NULL), EPERM);

	/* what was counted outlives the call */
	proc_t kept_proc = proc_self();
	kauth_cred_t kept = kauth_cred_get_with_ref(), same = kauth_cred_proc_ref(p);
	assert_ptr_equal(same, kept);
	host_call_set_current(NULL);
	assert_int_equal(kauth_cred_getuid(kept), 12);
	assert_int_equal(proc_pid(kept_proc), child);
	kauth_cred_ref(kept);
	kauth_cred_unref(&same);
	assert_null(same);
	same = kept;
	kauth_cred_unref(&same);
	kauth_cred_unref(&kept);
	proc_rele(kept_proc);
	child_end(child);
}

static void
each_call_has_its_own_caller(void **state)
{
	pid_t child = child_start();
	struct host_call first = call_of(child), second = call_of(getpid());

	second.caller.euid = 0;
	host_call_set_current(&first);
	assert_int_equal(proc_pid(current_proc()), child);
	assert_int_equal(kauth_cred_getuid(kauth_cred_get()), 12);
	host_call_set_current(&second);
	assert_int_equal(proc_pid(current_proc()), getpid());
	assert_int_equal(kauth_cred_getuid(kauth_cred_get()), 0);
	u_short flags = 0;
	assert_int_equal(suser(kauth_cred_get(), &flags), 0);
	assert_int_not_equal(flags, 0);
	assert_int_equal(proc_suser(current_proc()), 0);
	host_call_set_current(NULL);
	child_end(child);
}

static void
a_caller_that_is_gone_is_still_somebody(void **state)
{
	pid_t child = child_start();
	struct host_call call = call_of(child);
	char name[8] = "garbage";

	child_end(child);
	host_call_set_current(&call);
	assert_int_equal(proc_selfpid(), child);
	assert_int_equal(proc_pid(current_proc()), child);
	assert_int_equal(proc_exiting(current_proc()), 1);
	assert_int_equal(kauth_cred_getuid(kauth_cred_get()), 12);
	proc_selfname(name, sizeof(name));
	assert_string_equal(name, "");
	host_call_set_current(NULL);
}

static void *
ask_in_a_thread_that_ends_in_the_call(void *argument)
{
	host_call_set_current(argument);
	assert_int_equal(proc_pid(current_proc()), getpid());
	assert_int_equal(kauth_cred_getuid(kauth_cred_get()), 12);
	return NULL;
}

static void
a_thread_that_ends_in_a_call_leaves_nothing(void **state)
{
	struct host_call call = call_of(getpid());
	pthread_t thread;

	assert_int_equal(
	    pthread_create(&thread, NULL, ask_in_a_thread_that_ends_in_the_call, &call), 0);
	pthread_join(thread, NULL); /* the leak sanitizer looks */
}

static void
proc_find_finds_processes_only(void **state)
{
	pid_t child = child_start();
	proc_t p = proc_find(child);

	assert_non_null(p);
	assert_int_equal(proc_ppid(p), getpid());
	assert_int_equal(proc_is64bit(p), 1);
	assert_int_equal(proc_issetugid(p), 0);
	assert_int_equal(proc_exiting(p), 0);
	assert_true(proc_uniqueid(p) != 0);
	assert_int_equal(proc_suser(p), geteuid() == 0 ? 0 : EPERM);
	kauth_cred_t cred = kauth_cred_proc_ref(p);
	assert_int_equal(kauth_cred_getuid(cred), geteuid());
	assert_int_equal(kauth_cred_getsvuid(cred), geteuid());
	assert_int_equal(kauth_cred_getsvgid(cred), getegid());
	kauth_cred_unref(&cred);

	assert_int_equal(proc_isinferior(child, getpid()), 1);
	assert_int_equal(proc_isinferior(child, getppid()), 1);
	assert_int_equal(proc_isinferior(child, child), 1);
	assert_int_equal(proc_isinferior(getpid(), child), 0);

	proc_signal(0, SIGKILL);         /* not our group */
	proc_signal(-getpid(), SIGKILL); /* nor another */
	proc_signal(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(proc_exiting(p), 1);
	assert_null(kauth_cred_proc_ref(p));
	assert_int_equal(proc_pid(p), child);
	assert_int_equal(proc_ppid(p), getpid()); /* as it was */
	assert_int_equal(proc_isinferior(child, getpid()), 0);
	proc_rele(p);
	assert_null(proc_find(child));
	assert_null(proc_find(-1));
	assert_int_equal(proc_pid(NULL), -1);
}

static void
a_zombie_and_a_thread_are_no_processes(void **state)
{
	pid_t child = child_start();

	kill(child, SIGKILL);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_null(proc_find(child));
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void
proc_name_cuts_and_clears(void **state)
{
	pid_t child = child_start();
	char name[8];

	memset(name, 'x', sizeof(name));
	proc_name(child, name, sizeof(name));
	assert_string_equal(name, "it's (a");
	proc_name(child, name, 1);
	assert_string_equal(name, "");
	memset(name, 'x', sizeof(name));
	proc_name(child, name, 0);
	proc_name(child, name, -5);
	assert_int_equal(name[0], 'x');
	proc_name(child, name, 3);
	assert_memory_equal(name, "it\0xx", 5);
	child_end(child);
	memset(name, 'x', sizeof(name));
	proc_name(child, name, sizeof(name));
	assert_memory_equal(name, "\0\0\0\0\0\0\0\0", 8);
}

static void
membership_is_by_effective_and_other_groups(void **state)
{
	struct host_call call = call_of(getpid());
	gid_t groups[256];
	int count = getgroups(COUNT_OF(groups), groups), result = -1;

	host_call_set_current(&call);
	assert_int_equal(kauth_cred_ismember_gid(kauth_cred_get(), 14, &result), 0);
	assert_int_equal(result, 1);
	for (int i = 0; i < count; i++) {
		assert_int_equal(kauth_cred_ismember_gid(kauth_cred_get(), groups[i], &result), 0);
		assert_int_equal(result, 1);
	}
	assert_int_equal(kauth_cred_ismember_gid(kauth_cred_get(), 987654321, &result), 0);
	assert_int_equal(result, 0);
	host_call_set_current(NULL);
}

/* ---- listeners --------------------------------------------------------------------------- */

static struct listening {
	int answer, asked;
	uintptr_t args[4];
	kauth_cred_t cred;
	kauth_listener_t unlisten; /* stops itself */
} listening[3];

static int
listen(kauth_cred_t cred, void *idata, kauth_action_t action, uintptr_t arg0, uintptr_t arg1,
       uintptr_t arg2, uintptr_t arg3)
{
	struct listening *me = idata;

	me->asked++;
	me->args[0] = arg0;
	me->args[1] = arg1;
	me->args[2] = arg2;
	me->args[3] = arg3;
	me->cred = cred;
	assert_int_equal(action, 5);
	if (me->unlisten != NULL)
		kauth_unlisten_scope(me->unlisten);
	me->unlisten = NULL;
	return me->answer;
}

static int
asked(const char *scope, int first, int second, int third)
{
	const int answers[] = { first, second, third };

	for (size_t i = 0; i < 3; i++) {
		listening[i].answer = answers[i];
		listening[i].asked = 0;
	}
	int result = kauth_authorize(scope, kauth_cred_get(), 5, 1, 2, 3, 4);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(listening[i].asked, 1); /* all, whatever the first says */
	return result;
}

static void
any_listener_may_deny_but_for_what_was_done(void **state)
{
	enum { A = KAUTH_RESULT_ALLOW, D = KAUTH_RESULT_DENY, P = KAUTH_RESULT_DEFER };
	const char *scopes[] = { KAUTH_SCOPE_VNODE, KAUTH_SCOPE_FILEOP, "com.example.mine" };

	for (size_t s = 0; s < COUNT_OF(scopes); s++) {
		kauth_listener_t listeners[3];
		bool counts = strcmp(scopes[s], KAUTH_SCOPE_FILEOP) != 0;

		assert_false(kauth_scope_has_listeners(scopes[s]));
		for (size_t i = 0; i < 3; i++)
			listeners[i] = kauth_listen_scope(scopes[s], listen, &listening[i]);
		assert_true(kauth_scope_has_listeners(scopes[s]));
		assert_int_equal(asked(scopes[s], P, P, P), P);
		assert_int_equal(asked(scopes[s], P, A, P), counts ? A : P);
		assert_int_equal(asked(scopes[s], A, D, A), counts ? D : P);
		assert_int_equal(asked(scopes[s], D, A, A), counts ? D : P);
		assert_int_equal(asked(scopes[s], A, P, D), counts ? D : P);
		assert_int_equal(asked(scopes[s], 99, P, A), counts ? A : P); /* nonsense defers */
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(listening[2].args[i], i + 1);
		assert_ptr_equal(listening[0].cred, kauth_cred_get());
		for (size_t i = 0; i < 3; i++)
			kauth_unlisten_scope(listeners[i]);
		assert_false(kauth_scope_has_listeners(scopes[s]));
		assert_int_equal(kauth_authorize(scopes[s], kauth_cred_get(), 5, 0, 0, 0, 0), P);
	}
}

static void
a_listener_may_stop_while_it_is_asked(void **state)
{
	kauth_listener_t first = kauth_listen_scope("s", listen, &listening[0]);
	kauth_listener_t second = kauth_listen_scope("s", listen, &listening[1]);

	listening[0] = (struct listening){ .answer = KAUTH_RESULT_ALLOW, .unlisten = first };
	listening[1] = (struct listening){ .answer = KAUTH_RESULT_DEFER };
	assert_int_equal(kauth_authorize("s", kauth_cred_get(), 5, 0, 0, 0, 0), KAUTH_RESULT_ALLOW);
	assert_int_equal(kauth_authorize("s", kauth_cred_get(), 5, 0, 0, 0, 0), KAUTH_RESULT_DEFER);
	assert_int_equal(listening[0].asked, 1);
	assert_int_equal(listening[1].asked, 2);
	kauth_unlisten_scope(second);
	kauth_unlisten_scope(NULL);
}

static void
a_scope_of_ones_own_is_asked_for_permission(void **state)
{
	struct listening owner = { .answer = KAUTH_RESULT_DEFER };
	kauth_scope_t scope = kauth_register_scope("com.example.own", listen, &owner);

	assert_non_null(scope);
	assert_null(kauth_register_scope("com.example.own", listen, &owner));
	assert_int_equal(kauth_authorize_action(scope, kauth_cred_get(), 5, 0, 0, 0, 0), EPERM);
	kauth_listener_t listener = kauth_listen_scope("com.example.own", listen, &listening[0]);
	listening[0] = (struct listening){ .answer = KAUTH_RESULT_ALLOW };
	assert_int_equal(kauth_authorize_action(scope, kauth_cred_get(), 5, 0, 0, 0, 0), 0);
	owner.answer = KAUTH_RESULT_DENY;
	assert_int_equal(kauth_authorize_action(scope, kauth_cred_get(), 5, 0, 0, 0, 0), EPERM);
	assert_int_equal(owner.asked, 3);
	kauth_deregister_scope(scope);
	kauth_unlisten_scope(listener);
}

static void
listeners_are_bounded(void **state)
{
	kauth_listener_t listeners[100];
	size_t count = 0;

	log_take();
	while (count < COUNT_OF(listeners) &&
	       (listeners[count] = kauth_listen_scope("many", listen, &listening[0])) != NULL)
		count++;
	assert_non_null(strstr(log_taken(), "takes no more"));
	assert_true(count >= 15 && count < COUNT_OF(listeners));
	while (count > 0)
		kauth_unlisten_scope(listeners[--count]);
	assert_null(kauth_listen_scope(NULL, listen, NULL));
	assert_null(kauth_listen_scope("many", NULL, NULL));
}

static void
unlisten_nothing(void)
{
	kauth_unlisten_scope((kauth_listener_t)(void *)listening);
}

static void
unlistening_what_does_not_listen_is_a_panic(void **state)
{
	assert_panics(unlisten_nothing, "listens to nothing");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_call_it_is_the_kernel),
		cmocka_unit_test(in_a_call_it_is_the_caller),
		cmocka_unit_test(each_call_has_its_own_caller),
		cmocka_unit_test(a_caller_that_is_gone_is_still_somebody),
		cmocka_unit_test(a_thread_that_ends_in_a_call_leaves_nothing),
		cmocka_unit_test(proc_find_finds_processes_only),
		cmocka_unit_test(a_zombie_and_a_thread_are_no_processes),
		cmocka_unit_test(proc_name_cuts_and_clears),
		cmocka_unit_test(membership_is_by_effective_and_other_groups),
		cmocka_unit_test(any_listener_may_deny_but_for_what_was_done),
		cmocka_unit_test(a_listener_may_stop_while_it_is_asked),
		cmocka_unit_test(a_scope_of_ones_own_is_asked_for_permission),
		cmocka_unit_test(listeners_are_bounded),
		cmocka_unit_test(unlistening_what_does_not_listen_is_a_panic),
	};

	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
