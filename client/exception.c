/*
 * Exceptions: see exception.h.
 *
 * Linux tells the thread that ran into something by a signal.  The handler here looks up who
 * wants to hear (thread, then task, then host), sends the message and waits for the answer; the
 * registers are with the kernel meanwhile, where the handler in another process can read and change
 * them. Handled: the thread goes on with the registers as they are then.  Not handled: the
 * program's own handler runs, or the signal does what it does.
 *
 * All signals are blocked meanwhile.  State behaviors need some 32 KiB of stack.
 */
#include "client/exception.h"

#include <mach/exception_types.h>
#include <mach/mach.h>
#include <mach/thread_act.h>

#include "client/export.h"
#include "client/generated/exc_user.h"
#include "client/generated/mach_exc_user.h"
#include "client/mach/kernelrpc.h"
#include "client/registers.h"
#include "client/signals.h"
#include "client/thread_hold.h"
#include "client/trap.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* glibc's own names: the plain ones are ours, below */
int __sigaction(int signal, const struct sigaction *action, struct sigaction *old);

/* code[0] of what an x86 processor raises, as Darwin has it */
enum {
	I386_DIV = 1,
	I386_SGL = 1,
	I386_INVOP = 1,
	I386_BPT = 2,
	I386_INTO = 2,
	I386_EXTERR = 5,
	I386_GPFLT = 13
};

static const int watched[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT };
#define WATCHED_COUNT (sizeof(watched) / sizeof(watched[0]))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool is_watching;
static struct sigaction programs[WATCHED_COUNT]; /* what the program set */

/* ---- what was raised ------------------------------------------------------------------------ */

struct raised {
	exception_type_t type; /* 0: nothing that the processor raised */
	int64_t codes[EXCEPTION_CODE_MAX];
};

static struct raised
raised_by(int signal, const siginfo_t *info)
{
	struct raised raised = { 0, { 0, 0 } };

	if (info->si_code <= 0)
		return raised; /* a program sent it */
	switch (signal) {
	case SIGSEGV:
	case SIGBUS:
		raised.type = EXC_BAD_ACCESS;
		raised.codes[1] = (int64_t)(uintptr_t)info->si_addr;
		if (info->si_code == SI_KERNEL) /* an address that none can be */
			raised = (struct raised){ EXC_BAD_ACCESS, { I386_GPFLT, 0 } };
		else if (signal == SIGSEGV && info->si_code == SEGV_MAPERR)
			raised.codes[0] = KERN_INVALID_ADDRESS;
		else if (signal == SIGSEGV)
			raised.codes[0] = KERN_PROTECTION_FAILURE;
		else
			raised.codes[0] = KERN_MEMORY_ERROR;
		break;
	case SIGILL:
		raised = (struct raised){ EXC_BAD_INSTRUCTION, { I386_INVOP, 0 } };
		break;
	case SIGFPE:
		raised.type = EXC_ARITHMETIC;
		raised.codes[0] = info->si_code == FPE_INTDIV   ? I386_DIV
				  : info->si_code == FPE_INTOVF ? I386_INTO
								: I386_EXTERR;
		break;
	case SIGTRAP:
		raised.type = EXC_BREAKPOINT;
		raised.codes[0] = info->si_code == TRAP_TRACE ? I386_SGL : I386_BPT;
		break;
	default:
		break;
	}
	return raised;
}

/* ---- registers ------------------------------------------------------------------------------ */

/* As @flavor has them.  The count; 0: they cannot be had so. */
static mach_msg_type_number_t
registers_as(const struct registers *r, thread_state_flavor_t flavor, natural_t *state)
{
	const bool is_wide = flavor == x86_THREAD_STATE || flavor == x86_EXCEPTION_STATE;
	const bool is_thread = flavor == x86_THREAD_STATE || flavor == x86_THREAD_STATE64;
	const void *from = is_thread ? (const void *)&r->thread : &r->exception;
	uint32_t count = is_thread ? x86_THREAD_STATE64_COUNT : x86_EXCEPTION_STATE64_COUNT;

	if (!is_thread && flavor != x86_EXCEPTION_STATE && flavor != x86_EXCEPTION_STATE64)
		return 0;
	if (is_wide) {
		*state++ = (natural_t)(is_thread ? x86_THREAD_STATE64 : x86_EXCEPTION_STATE64);
		*state++ = count;
	}
	memcpy(state, from, count * sizeof(*state));
	return count + (is_wide ? X86_STATE_HDR_COUNT : 0);
}

/* What a handler's reply says of them.  False: nothing that can be taken. */
static bool
registers_from(struct registers *r, thread_state_flavor_t flavor, const natural_t *state,
	       mach_msg_type_number_t count)
{
	if (flavor == x86_THREAD_STATE && count >= X86_STATE_HDR_COUNT &&
	    state[0] == x86_THREAD_STATE64) {
		state += X86_STATE_HDR_COUNT;
		count -= X86_STATE_HDR_COUNT;
	} else if (flavor != x86_THREAD_STATE64) {
		return false;
	}
	if (count < x86_THREAD_STATE64_COUNT)
		return false;
	memcpy(&r->thread, state, sizeof(r->thread));
	return true;
}

/* ---- telling ----------------------------------------------------------------------------------
 */

/* Who wants to hear of it. */
struct handler {
	mach_port_t port;
	exception_behavior_t behavior;
	thread_state_flavor_t flavor;
};

/* The message and its answer.  @registers become what the answer says of them. */
static kern_return_t
tell_with_state(const struct handler *handler, mach_port_t thread, mach_port_t task,
		struct raised *raised, struct registers *registers)
{
	const bool has_identity = (handler->behavior & 0xff) == EXCEPTION_STATE_IDENTITY;
	int32_t codes[EXCEPTION_CODE_MAX] = { (int32_t)raised->codes[0],
					      (int32_t)raised->codes[1] };
	thread_state_data_t old_state, new_state;
	mach_msg_type_number_t new_count = THREAD_STATE_MAX;
	int flavor = handler->flavor;
	mach_msg_type_number_t old_count = registers_as(registers, flavor, old_state);
	kern_return_t code;

	if (old_count == 0)
		return KERN_FAILURE;
	if (((uint32_t)handler->behavior & MACH_EXCEPTION_CODES) == 0)
		code =
		    has_identity
			? _kernelrpc_exception_raise_state_identity(
			      handler->port, thread, task, raised->type, codes, EXCEPTION_CODE_MAX,
			      &flavor, old_state, old_count, new_state, &new_count)
			: _kernelrpc_exception_raise_state(handler->port, raised->type, codes,
							   EXCEPTION_CODE_MAX, &flavor, old_state,
							   old_count, new_state, &new_count);
	else
		code = has_identity
			   ? _kernelrpc_mach_exception_raise_state_identity(
				 handler->port, thread, task, raised->type, raised->codes,
				 EXCEPTION_CODE_MAX, &flavor, old_state, old_count, new_state,
				 &new_count)
			   : _kernelrpc_mach_exception_raise_state(
				 handler->port, raised->type, raised->codes, EXCEPTION_CODE_MAX,
				 &flavor, old_state, old_count, new_state, &new_count);
	if (code == KERN_SUCCESS)
		registers_from(registers, flavor, new_state, new_count);
	return code;
}

static kern_return_t
tell_identity(const struct handler *handler, mach_port_t thread, mach_port_t task,
	      struct raised *raised)
{
	int32_t codes[EXCEPTION_CODE_MAX] = { (int32_t)raised->codes[0],
					      (int32_t)raised->codes[1] };

	return ((uint32_t)handler->behavior & MACH_EXCEPTION_CODES) != 0
		   ? _kernelrpc_mach_exception_raise(handler->port, thread, task, raised->type,
						     raised->codes, EXCEPTION_CODE_MAX)
		   : _kernelrpc_exception_raise(handler->port, thread, task, raised->type, codes,
						EXCEPTION_CODE_MAX);
}

/* The handler of @raised for @thread, or for the task.  False: there is none. */
static bool
handler_find(mach_port_t thread, bool of_thread, exception_type_t type, struct handler *handler)
{
	exception_mask_t masks[EXC_TYPES_COUNT + 18];
	mach_port_t ports[EXC_TYPES_COUNT + 18];
	exception_behavior_t behaviors[EXC_TYPES_COUNT + 18];
	thread_state_flavor_t flavors[EXC_TYPES_COUNT + 18];
	mach_msg_type_number_t count = EXC_TYPES_COUNT;
	kern_return_t code =
	    of_thread ? _kernelrpc_thread_get_exception_ports(thread, 1u << type, masks, &count,
							      ports, behaviors, flavors)
		      : _kernelrpc_task_get_exception_ports(mach_task_self_, 1u << type, masks,
							    &count, ports, behaviors, flavors);

	if (code != KERN_SUCCESS || count != 1 || !MACH_PORT_VALID(ports[0]))
		return false;
	*handler = (struct handler){ ports[0], behaviors[0], flavors[0] };
	return true;
}

/* The one that hears of all tasks. */
static bool
host_handler_find(exception_type_t type, struct handler *handler)
{
	uint64_t values[TRAP_VALUE_COUNT];

	if (TRAP_CALL(BERTH_TRAP_HOST_EXCEPTION_PORT, values, (uint32_t)type) != KERN_SUCCESS ||
	    !MACH_PORT_VALID((mach_port_t)values[0]))
		return false;
	*handler = (struct handler){ (mach_port_t)values[0], (exception_behavior_t)values[1],
				     (thread_state_flavor_t)values[2] };
	return true;
}

/* Does this task itself receive there?  Who crashed cannot. */
static bool
is_own(mach_port_t port)
{
	mach_port_type_t type = 0;

	return mach_port_type(mach_task_self_, port, &type) == KERN_SUCCESS &&
	       (type & MACH_PORT_TYPE_RECEIVE) != 0;
}

/* Handled?  @registers are what the thread goes on with then. */
static bool
raise_exception(struct raised *raised, struct registers *registers)
{
	mach_port_t thread = mach_thread_self();
	bool is_handled = false;

	for (int level = 0; level < 3 && !is_handled; level++) {
		struct handler handler;

		if (level == 2 ? !host_handler_find(raised->type, &handler)
			       : !handler_find(thread, level == 0, raised->type, &handler))
			continue;
		if (raised->type == EXC_CRASH && is_own(handler.port)) {
			mach_port_deallocate(mach_task_self_, handler.port);
			continue;
		}
		uint32_t size = sizeof(*registers);
		const uint64_t none[TRAP_ARG_COUNT] = { 0 };
		trap_call_in(BERTH_TRAP_THREAD_STATE_OFFER, none, registers, size, NULL);
		struct registers told = *registers;
		kern_return_t code =
		    (handler.behavior & 0xff) == EXCEPTION_DEFAULT
			? tell_identity(&handler, thread, mach_task_self_, raised)
			: tell_with_state(&handler, thread, mach_task_self_, raised, &told);
		trap_call_into(BERTH_TRAP_THREAD_STATE_WITHDRAW, none, NULL, registers, &size);
		is_handled = code == KERN_SUCCESS;
		/* what the answer says comes last */
		if (is_handled && (handler.behavior & 0xff) != EXCEPTION_DEFAULT)
			registers->thread = told.thread;
		mach_port_deallocate(mach_task_self_, handler.port);
	}
	mach_port_deallocate(mach_task_self_, thread);
	return is_handled;
}

/* ---- the signal ---------------------------------------------------------------------------- */

static size_t
watched_index(int signal)
{
	size_t i = 0;

	while (i < WATCHED_COUNT && watched[i] != signal)
		i++;
	return i;
}

static void
tell_of_crash(int signal, const struct raised *raised, struct registers *registers)
{
	struct raised crash = { EXC_CRASH,
				{ (int64_t)signal << 24 | (int64_t)raised->type << 20 |
				      (raised->codes[0] & 0xfffff),
				  raised->codes[1] } };

	raise_exception(&crash, registers);
}

/* Nobody handled it: the signal is the program's. */
static void
pass_on(int signal, siginfo_t *info, void *context, const struct sigaction *action)
{
	sigset_t mask = action->sa_mask;

	if ((action->sa_flags & SA_NODEFER) == 0)
		sigaddset(&mask, signal);
	sigorset(&mask, &mask, &((ucontext_t *)context)->uc_sigmask);
	signals_set(SIG_SETMASK, &mask, NULL);
	if ((action->sa_flags & SA_SIGINFO) != 0)
		action->sa_sigaction(signal, info, context);
	else
		action->sa_handler(signal);
}

/* It ends the process, as if nobody had ever watched. */
static void
let_die(int signal, const siginfo_t *info)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	__sigaction(signal, &action, NULL);
	/* what the processor raised comes again; the rest, and a breakpoint passed, does not */
	if (info->si_code <= 0 || signal == SIGTRAP)
		syscall(SYS_tgkill, getpid(), gettid(), signal);
}

static void
exception_happened(int signal, siginfo_t *info, void *context)
{
	const size_t index = watched_index(signal);
	struct raised raised = raised_by(signal, info);
	struct registers registers;
	int saved_errno = errno;

	registers_load(&registers, context);
	if (raised.type != 0 && raise_exception(&raised, &registers)) {
		registers_store(&registers.thread, context);
		errno = saved_errno;
		return;
	}
	pthread_mutex_lock(&lock);
	struct sigaction action = programs[index];
	if ((action.sa_flags & (int)SA_RESETHAND) != 0)
		programs[index] = (struct sigaction){ .sa_handler = SIG_DFL };
	pthread_mutex_unlock(&lock);
	bool is_default =
	    (action.sa_flags & SA_SIGINFO) == 0 &&
	    (action.sa_handler == SIG_DFL || (action.sa_handler == SIG_IGN && info->si_code > 0));
	if (is_default) {
		tell_of_crash(signal, &raised, &registers);
		let_die(signal, info);
	} else if ((action.sa_flags & SA_SIGINFO) != 0 || action.sa_handler != SIG_IGN) {
		errno = saved_errno;
		pass_on(signal, info, context, &action);
	}
	errno = saved_errno;
}

/* The table is left alone by others until table_unlock(): by handlers of this thread, too. */
static void
table_lock(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	signals_set(SIG_SETMASK, &all, before);
	pthread_mutex_lock(&lock);
}

static void
table_unlock(const sigset_t *before)
{
	pthread_mutex_unlock(&lock);
	signals_set(SIG_SETMASK, before, NULL);
}

void
exception_watch(void)
{
	sigset_t before;

	/* a set-uid program hands its ports to nobody */
	if (is_watching || getauxval(AT_SECURE) != 0)
		return;
	table_lock(&before);
	if (!is_watching) {
		struct sigaction ours = { .sa_sigaction = exception_happened,
					  .sa_flags = SA_SIGINFO | SA_ONSTACK };

		sigfillset(&ours.sa_mask);
		for (size_t i = 0; i < WATCHED_COUNT; i++)
			__sigaction(watched[i], &ours, &programs[i]);
		is_watching = true;
	}
	table_unlock(&before);
}

void
exception_forked(void)
{
	pthread_mutex_init(&lock, NULL);
}

bool
exception_sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
	const size_t index = watched_index(signal);
	struct sigaction wanted, was;
	sigset_t before;

	if (index == WATCHED_COUNT || !is_watching)
		return false;
	if (action != NULL)
		wanted = *action; /* a bad pointer ends the program here, and locks nothing */
	table_lock(&before);
	was = programs[index];
	if (action != NULL)
		programs[index] = wanted;
	table_unlock(&before);
	if (old != NULL)
		*old = was;
	return true;
}

/*
 * ThreadSanitizer sets its own handlers by these before it can take a report of a call, hence
 * the attribute; nothing is watched so early.
 */
#define BEFORE_SANITIZER __attribute__((no_sanitize("thread")))

BERTH_EXPORT BEFORE_SANITIZER int
sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
	if (thread_hold_has_signal(signal)) {
		errno = EINVAL;
		return -1;
	}
	if (is_watching && exception_sigaction(signal, action, old))
		return 0;
	return __sigaction(signal, action, old);
}

BERTH_EXPORT BEFORE_SANITIZER __sighandler_t
signal(int number, __sighandler_t handler)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART }, old;

	if (thread_hold_has_signal(number)) {
		errno = EINVAL;
		return SIG_ERR;
	}
	if (!is_watching)
		return ssignal(number, handler);
	sigemptyset(&action.sa_mask);
	return exception_sigaction(number, &action, &old) ? old.sa_handler
							  : ssignal(number, handler);
}
