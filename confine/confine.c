/* Confinement: see confine.h. */
#include "confine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The run-times of these need files, threads and signals of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(BERTH_NO_FILTER)
#define HAS_FILTER 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define HAS_FILTER 0
#else
#define HAS_FILTER 1
#endif
#else
#define HAS_FILTER 1
#endif

/* ---- memory and capabilities --------------------------------------------------------- */

bool
confine_checks_leaks(void)
{
#if defined(__SANITIZE_ADDRESS__)
	return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	return true;
#else
	return false;
#endif
#else
	return false;
#endif
}

void
confine_memory(void)
{
	if (!confine_checks_leaks())
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int
confine_capabilities(uint64_t kept)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -errno;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/* who lacks CAP_SETPCAP, an ordinary user, keeps the bounding set, and cannot use it */
	for (unsigned long number = 0; prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; number++) {
		if (number >= 64 || (kept >> number & 1) == 0)
			prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
	}
	if (syscall(SYS_capget, &header, data) != 0)
		return -errno;
	for (int half = 0; half < 2; half++) {
		data[half].permitted &= (uint32_t)(kept >> (32 * half));
		data[half].effective = data[half].permitted;
		data[half].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) == 0 ? 0 : -errno;
}

/* ---- system calls -------------------------------------------------------------------- */

#define READS_ONLY (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND)

/* What the C library and every loop need. */
static const struct confine_rule common_rules[] = {
	/* memory, none of it to be executed */
	CONFINE_ANY(brk),
	CONFINE_BITS(mmap, 2, PROT_EXEC, 0),
	CONFINE_BITS(mprotect, 2, PROT_EXEC, 0),
	CONFINE_ANY(munmap),
	CONFINE_ANY(mremap),
	CONFINE_ANY(madvise),
	CONFINE_ANY(memfd_create),
	/* threads, no processes */
	CONFINE_BITS(clone, 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM),
	CONFINE_ANY(set_robust_list),
	CONFINE_ANY(rseq),
	CONFINE_ANY(futex),
	CONFINE_ANY(futex_waitv),
	CONFINE_ANY(sched_yield),
	CONFINE_ANY(sched_getaffinity),
	CONFINE_ANY(getcpu),
	CONFINE_ANY(exit),
	CONFINE_ANY(exit_group),
	CONFINE_ANY(gettid),
	CONFINE_ANY(getpid),
	/* signals; what SIGSYS does stays as it is */
	{ SCMP_SYS(rt_sigaction), 1, { { 0, SCMP_CMP_NE, SIGSYS, 0 } } },
	CONFINE_ANY(rt_sigpending),
	CONFINE_ANY(rt_sigprocmask),
	CONFINE_ANY(rt_sigreturn),
	CONFINE_ANY(sigaltstack),
	CONFINE_ANY(tgkill),
	CONFINE_ANY(restart_syscall),
	/* time and chance */
	CONFINE_ANY(clock_gettime),
	CONFINE_ANY(clock_getres),
	CONFINE_ANY(clock_nanosleep),
	CONFINE_ANY(nanosleep),
	CONFINE_ANY(gettimeofday),
	CONFINE_ANY(getrandom),
	/* descriptors that there are */
	CONFINE_ANY(read),
	CONFINE_ANY(pread64),
	CONFINE_ANY(write),
	CONFINE_ANY(writev),
	CONFINE_ANY(pwrite64),
	CONFINE_ANY(lseek),
	CONFINE_ANY(close),
	CONFINE_ANY(fcntl),
	CONFINE_ANY(fstat),
	CONFINE_ANY(fstatfs),
	CONFINE_ANY(ftruncate),
	CONFINE_ANY(newfstatat),
	CONFINE_ANY(stat),
	CONFINE_ANY(lstat),
	CONFINE_ANY(statx),
	CONFINE_ANY(poll),
	CONFINE_ANY(ppoll),
	CONFINE_ANY(epoll_ctl),
	CONFINE_ANY(epoll_wait),
	CONFINE_ANY(epoll_pwait),
	CONFINE_ANY(epoll_pwait2),
	CONFINE_ANY(eventfd2),
	CONFINE_ANY(pipe2),
	/* sockets */
	{ SCMP_SYS(socketpair), 1, { { 0, SCMP_CMP_EQ, AF_UNIX, 0 } } },
	CONFINE_ANY(sendmsg),
	CONFINE_ANY(sendto),
	CONFINE_ANY(recvmsg),
	CONFINE_ANY(recvfrom),
	CONFINE_ANY(getsockopt),
	CONFINE_ANY(setsockopt),
	CONFINE_ANY(getsockname),
	CONFINE_ANY(getpeername),
	CONFINE_ANY(shutdown),
	/* files, to read them */
	CONFINE_BITS(open, 1, READS_ONLY, O_RDONLY),
	CONFINE_BITS(openat, 2, READS_ONLY, O_RDONLY),
	CONFINE_ANY(access),
	CONFINE_ANY(faccessat2),
	CONFINE_ANY(readlink),
	CONFINE_ANY(readlinkat),
	/* who we are, who others are */
	CONFINE_ANY(geteuid),
	CONFINE_ANY(getuid),
	CONFINE_ANY(getegid),
	CONFINE_ANY(getgid),
	CONFINE_ANY(getppid),
	CONFINE_ANY(uname),
	CONFINE_ANY(sysinfo),
	CONFINE_ANY(getrlimit),
	{ SCMP_SYS(prlimit64), 1, { { 2, SCMP_CMP_EQ, 0, 0 } } }, /* limits are looked at */
	CONFINE_ANY(pidfd_open),
	CONFINE_ANY(wait4),
	CONFINE_ANY(waitid),
	CONFINE_ANY(kill),
};

static char filter_name[32];

/* A number in decimal; nothing that may lock may be called where it is used. */
static size_t
put_number(char *to, unsigned int number)
{
	char digits[12];
	size_t count = 0, size;

	do
		digits[count++] = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	size = count;
	while (count > 0)
		*to++ = digits[--count];
	return size;
}

/* Says which call it was; then SIGSYS, which is what it was before again, ends us. */
static void
tell_call(int number, siginfo_t *info, void *context)
{
	static const char says[] = ": a system call that it never makes was stopped: number ";
	char line[128];
	size_t size = strlen(filter_name);

	memcpy(line, filter_name, size);
	memcpy(line + size, says, sizeof(says) - 1);
	size += sizeof(says) - 1;
	size += put_number(line + size, (unsigned int)info->si_syscall);
	line[size++] = '\n';
	if (write(STDERR_FILENO, line, size) < 0)
		size = 0; /* nobody listens: it ends all the same */
	syscall(SYS_tgkill, getpid(), gettid(), SIGSYS);
	/* the signal is blocked while it is handled, and comes as soon as we return */
}

static int
add_rules(scmp_filter_ctx filter, const struct confine_rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call,
						   rules[i].argument_count, rules[i].arguments);

		if (error != 0)
			return error;
	}
	return 0;
}

static int
load(const struct confine_rule *rules, size_t count)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	int error;

	if (filter == NULL)
		return -ENOMEM;
	error = add_rules(filter, common_rules, sizeof(common_rules) / sizeof(common_rules[0]));
	if (error == 0)
		error = add_rules(filter, rules, count);
	/* its flags are in memory, where no filter looks: without it the C library takes clone */
	if (error == 0)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (error == 0)
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (error == 0)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}

enum confine_result
confine_calls(const char *name, const struct confine_rule *rules, size_t count)
{
	struct sigaction action = { .sa_sigaction = tell_call,
				    .sa_flags = (int)(SA_SIGINFO | SA_RESETHAND) };
	const char *wish = getenv("BERTH_SECCOMP");
	int error;

	if (!HAS_FILTER || (wish != NULL && strcmp(wish, "0") == 0))
		return CONFINE_OFF;
	snprintf(filter_name, sizeof(filter_name), "%s", name);
	sigaction(SIGSYS, &action, NULL);
	error = load(rules, count);
	if (error == 0)
		return CONFINE_DONE;
	signal(SIGSYS, SIG_DFL);
	errno = -error;
	return CONFINE_REFUSED;
}

bool
confine_is_built(void)
{
	return HAS_FILTER != 0;
}
