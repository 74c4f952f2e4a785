/*
 * What a test and the berthd that it started share, which is linked with failing_linux.c: which
 * call of Linux fails next, and how far its wall clock is off.
 */
#ifndef TESTS_FAULTS_LINUX_FAULTS_H
#define TESTS_FAULTS_LINUX_FAULTS_H

#include <stdatomic.h>
#include <stdint.h>

/* Names the file that is the shared page.  Without it nothing fails. */
#define LINUX_FAULTS_VARIABLE "BERTH_TEST_LINUX_FAULTS"

#define LINUX_CALLS(call)                                                                          \
	call(MEMFD_CREATE) call(FTRUNCATE) call(MMAP) call(EPOLL_ADD) call(SOCKETPAIR)             \
	    call(ACCEPT) call(SENDMSG) call(RECVMSG) call(SEND) call(PIDFD) call(EVENTFD)          \
		call(DUPFD) call(OPEN) call(PREAD) call(PWRITE) call(MALLOC)

#define LINUX_CALL_NAME(name) LINUX_##name,
enum linux_call { LINUX_CALLS(LINUX_CALL_NAME) LINUX_CALL_COUNT };
#undef LINUX_CALL_NAME

/* The ways in which a call fails, one error each. */
#define LINUX_WAYS 2u

struct linux_faults {
	_Atomic uint32_t armed;              /* only while it is, calls are counted and fail */
	_Atomic uint32_t fail_at, row, step; /* from that one on each step-th, so many in all */
	_Atomic uint32_t way;
	_Atomic uint32_t asked;
	_Atomic uint32_t failed; /* enum linux_call of the first that did, and 1 */
	_Atomic uint32_t hits[LINUX_CALL_COUNT];
	_Atomic int64_t wall_jump_s;
};

/* A page for the berthd that this process starts from now on; NULL with errno: there is none. */
struct linux_faults *linux_faults_new(void);
void linux_faults_free(struct linux_faults *faults);

#endif
