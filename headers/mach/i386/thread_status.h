/*
 * The registers of a thread on x86, by flavor.
 *
 * Source: Apple's documentation of thread_get_state and its flavors.
 */
#ifndef _MACH_I386_THREAD_STATUS_H_
#define _MACH_I386_THREAD_STATUS_H_

#include <stdint.h>

#include <mach/message.h>

#define x86_THREAD_STATE32 1
#define x86_FLOAT_STATE32 2
#define x86_EXCEPTION_STATE32 3
#define x86_THREAD_STATE64 4
#define x86_FLOAT_STATE64 5
#define x86_EXCEPTION_STATE64 6
#define x86_THREAD_STATE 7
#define x86_FLOAT_STATE 8
#define x86_EXCEPTION_STATE 9
#define x86_DEBUG_STATE32 10
#define x86_DEBUG_STATE64 11
#define x86_DEBUG_STATE 12
#define THREAD_STATE_NONE 13

typedef struct {
	uint64_t __rax, __rbx, __rcx, __rdx, __rdi, __rsi, __rbp, __rsp;
	uint64_t __r8, __r9, __r10, __r11, __r12, __r13, __r14, __r15;
	uint64_t __rip, __rflags, __cs, __fs, __gs;
} x86_thread_state64_t;

typedef struct {
	uint16_t __trapno;
	uint16_t __cpu;
	uint32_t __err;
	uint64_t __faultvaddr;
} x86_exception_state64_t;

/* what stands before the registers in the flavors that serve 32 and 64 bits */
typedef struct {
	uint32_t flavor;
	uint32_t count;
} x86_state_hdr_t;

typedef struct {
	x86_state_hdr_t tsh;
	union {
		x86_thread_state64_t ts64;
	} uts;
} x86_thread_state_t;

typedef struct {
	x86_state_hdr_t esh;
	union {
		x86_exception_state64_t es64;
	} ues;
} x86_exception_state_t;

#define X86_STATE_HDR_COUNT ((mach_msg_type_number_t)(sizeof(x86_state_hdr_t) / sizeof(int)))
#define x86_THREAD_STATE64_COUNT                                                                   \
	((mach_msg_type_number_t)(sizeof(x86_thread_state64_t) / sizeof(int)))
#define x86_EXCEPTION_STATE64_COUNT                                                                \
	((mach_msg_type_number_t)(sizeof(x86_exception_state64_t) / sizeof(int)))
#define x86_THREAD_STATE_COUNT ((mach_msg_type_number_t)(sizeof(x86_thread_state_t) / sizeof(int)))
#define x86_EXCEPTION_STATE_COUNT                                                                  \
	((mach_msg_type_number_t)(sizeof(x86_exception_state_t) / sizeof(int)))

#define MACHINE_THREAD_STATE x86_THREAD_STATE
#define MACHINE_THREAD_STATE_COUNT x86_THREAD_STATE_COUNT

#endif
