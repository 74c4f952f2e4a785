/*
 * Crashes: see crash.h.
 *
 * In the handler nothing allocates and no lock is taken, but those of the dynamic linker in
 * dladdr(); should the crash have been inside them, an alarm ends the process.
 */
#include "kexts/host/crash.h"

#include "kexts/host/call.h"
#include "kexts/host/kext_host.h"
#include "kexts/host/kexthost.h"
#include "kexts/host/loader.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_SIZE (64u << 10)
#define FRAME_MAX 48
#define PATIENCE_S 10

static const struct {
	int number;
	const char *name;
	bool has_address;
	bool is_sanitizers;
} crashes[] = {
	{ SIGSEGV, "Segmentation fault", true, true },
	{ SIGBUS, "Bus error", true, true },
	{ SIGILL, "Illegal instruction", true, true },
	{ SIGFPE, "Arithmetic exception", true, true },
	{ SIGABRT, "Aborted", false, false },
	{ SIGTRAP, "Trap", true, false },
	{ SIGSYS, "Bad system call", false, false },
};

#define CRASH_COUNT (sizeof(crashes) / sizeof(crashes[0]))

/* What this thread runs for a kext. */
static __thread struct {
	const char *what;
	uint32_t unit;
	uint32_t tag;
} activity __attribute__((tls_model("initial-exec")));

struct kext_activity
kext_activity_begin(const char *what, uint32_t unit, uint32_t tag)
{
	struct kext_activity before = { activity.what, activity.unit, activity.tag };

	activity.what = what;
	activity.unit = unit;
	activity.tag = tag;
	return before;
}

void
kext_activity_end(struct kext_activity before)
{
	activity.what = before.what;
	activity.unit = before.unit;
	activity.tag = before.tag;
}

uint32_t
kext_activity_tag(void)
{
	return activity.tag;
}

/* ---- words, without printf ----------------------------------------------------------- */

struct line {
	char *text;
	size_t size, at;
};

static void
say(struct line *line, const char *text)
{
	for (; *text != '\0' && line->at + 1 < line->size; text++)
		line->text[line->at++] = *text;
	line->text[line->at] = '\0';
}

static void
say_number(struct line *line, uint64_t number, unsigned base)
{
	char digits[24];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number > 0);
	if (base == 16)
		say(line, "0x");
	say(line, digits + at);
}

static void
say_place(struct line *line, const void *address)
{
	Dl_info info;

	if (dladdr(address, &info) == 0) {
		say_number(line, (uintptr_t)address, 16);
		return;
	}
	if (info.dli_sname) {
		say(line, info.dli_sname);
		say(line, "+");
		say_number(line, (uintptr_t)address - (uintptr_t)info.dli_saddr, 16);
		say(line, " (");
	}
	const char *slash = strrchr(info.dli_fname, '/');

	say(line, slash ? slash + 1 : info.dli_fname);
	say(line, "+");
	say_number(line, (uintptr_t)address - (uintptr_t)info.dli_fbase, 16);
	if (info.dli_sname)
		say(line, ")");
}

/* ---- the handler ------------------------------------------------------------------------ */

static const void *
counter_of(const void *context)
{
	const ucontext_t *user = context;

#if defined(__x86_64__)
	return (const void *)(uintptr_t)user->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return (const void *)(uintptr_t)user->uc_mcontext.pc;
#else
	(void)user;
	return NULL; /* the backtrace says enough */
#endif
}

/* Where in kext code: the instruction itself, or the innermost caller that is a kext's. */
static const void *
place_in_kext(const void *counter, void *const *frames, int count)
{
	if (loader_identifier_of_address(counter))
		return counter;
	for (int i = 0; i < count; i++) {
		if (loader_identifier_of_address(frames[i]))
			return frames[i];
	}
	return counter;
}

static void
say_activity(struct line *line)
{
	const struct host_call *call = host_call_current();

	if (activity.what) {
		say(line, ", in ");
		say(line, activity.what);
		if (activity.unit != 0) {
			say(line, " of unit ");
			say_number(line, activity.unit, 10);
		}
	}
	if (call) {
		say(line, ", called by pid ");
		say_number(line, (uint64_t)call->caller.pid, 10);
	}
}

static void
say_crash(struct line *line, int number, const siginfo_t *info, const void *place)
{
	const char *identifier = loader_identifier_of_address(place);
	size_t which = 0;

	while (which + 1 < CRASH_COUNT && crashes[which].number != number)
		which++;
	if (!identifier)
		identifier = loader_identifier_of_tag(activity.tag);
	say(line, identifier ? identifier : kexthost_note->kexts);
	say(line, ": killed by signal ");
	say_number(line, (uint64_t)number, 10);
	say(line, " (");
	say(line, crashes[which].name);
	say(line, ")");
	if (info->si_code <= 0 && number != SIGABRT) {
		say(line, ", sent by pid ");
		say_number(line, (uint64_t)info->si_pid, 10);
	} else if (crashes[which].has_address) {
		say(line, " at address ");
		say_number(line, (uintptr_t)info->si_addr, 16);
	}
	say(line, " in ");
	say_place(line, place);
	say_activity(line);
}

static void
crashed(int number, siginfo_t *info, void *context)
{
	static _Atomic uint32_t is_crashing;
	void *frames[FRAME_MAX];

	if (atomic_exchange(&is_crashing, 1) != 0) {
		/* another thread tells its story; ours ends with it */
		for (;;)
			pause();
	}
	signal(SIGALRM, SIG_DFL);
	alarm(PATIENCE_S);
	const void *counter = counter_of(context);
	int count = backtrace(frames, FRAME_MAX);
	struct line line = { kexthost_note->end, sizeof(kexthost_note->end), 0 };

	say_crash(&line, number, info, place_in_kext(counter, frames, count));
	atomic_store(&kexthost_note->is_set, 1);
	backtrace_symbols_fd(frames, count, STDERR_FILENO);
	alarm(0);
	signal(number, SIG_DFL);
	raise(number); /* blocked here, delivered on return */
}

/* ---- watching ----------------------------------------------------------------------------- */

bool
crash_has_sanitizer(void)
{
	return dlsym(RTLD_DEFAULT, "__asan_init") || dlsym(RTLD_DEFAULT, "__tsan_init");
}

/* Its stack to crash on goes with the thread. */
static void
stack_free(void *stack)
{
	stack_t none = { .ss_flags = SS_DISABLE };

	sigaltstack(&none, NULL);
	munmap(stack, STACK_SIZE);
}

static pthread_key_t stack_key;

void
kext_thread_start(void)
{
	sigset_t ours;

	sigemptyset(&ours);
	for (size_t i = 0; i < CRASH_COUNT; i++)
		sigaddset(&ours, crashes[i].number);
	pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
	if (crash_has_sanitizer() || !kexthost_note || pthread_getspecific(stack_key))
		return;
	void *stack =
	    mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED)
		return; /* an overflow is then told of without words */
	stack_t use = { .ss_sp = stack, .ss_size = STACK_SIZE };

	if (sigaltstack(&use, NULL) != 0 || pthread_setspecific(stack_key, stack) != 0)
		stack_free(stack);
}

void
crash_watch(void)
{
	struct sigaction action = { .sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	bool has_sanitizer = crash_has_sanitizer();
	void *frame;

	backtrace(&frame, 1); /* loads what it needs, which may not be done in a handler */
	pthread_key_create(&stack_key, stack_free);
	sigfillset(&action.sa_mask);
	sigdelset(&action.sa_mask, SIGALRM);
	for (size_t i = 0; i < CRASH_COUNT; i++) {
		if (!has_sanitizer || !crashes[i].is_sanitizers)
			sigaction(crashes[i].number, &action, NULL);
	}
	kext_thread_start();
}
