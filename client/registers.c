#include "client/registers.h"

void
registers_load(struct registers *r, const ucontext_t *context)
{
	const greg_t *g = context->uc_mcontext.gregs;
	const uint64_t segments = (uint64_t)g[REG_CSGSFS];

	r->thread = (x86_thread_state64_t){
		.__rax = (uint64_t)g[REG_RAX],
		.__rbx = (uint64_t)g[REG_RBX],
		.__rcx = (uint64_t)g[REG_RCX],
		.__rdx = (uint64_t)g[REG_RDX],
		.__rdi = (uint64_t)g[REG_RDI],
		.__rsi = (uint64_t)g[REG_RSI],
		.__rbp = (uint64_t)g[REG_RBP],
		.__rsp = (uint64_t)g[REG_RSP],
		.__r8 = (uint64_t)g[REG_R8],
		.__r9 = (uint64_t)g[REG_R9],
		.__r10 = (uint64_t)g[REG_R10],
		.__r11 = (uint64_t)g[REG_R11],
		.__r12 = (uint64_t)g[REG_R12],
		.__r13 = (uint64_t)g[REG_R13],
		.__r14 = (uint64_t)g[REG_R14],
		.__r15 = (uint64_t)g[REG_R15],
		.__rip = (uint64_t)g[REG_RIP],
		.__rflags = (uint64_t)g[REG_EFL],
		.__cs = segments & 0xffff,
		.__gs = segments >> 16 & 0xffff,
		.__fs = segments >> 32 & 0xffff,
	};
	r->exception = (x86_exception_state64_t){
		.__trapno = (uint16_t)g[REG_TRAPNO],
		.__err = (uint32_t)g[REG_ERR],
		.__faultvaddr = (uint64_t)g[REG_CR2],
	};
}

void
registers_store(const x86_thread_state64_t *s, ucontext_t *context)
{
	greg_t *g = context->uc_mcontext.gregs;

	g[REG_RAX] = (greg_t)s->__rax, g[REG_RBX] = (greg_t)s->__rbx;
	g[REG_RCX] = (greg_t)s->__rcx, g[REG_RDX] = (greg_t)s->__rdx;
	g[REG_RDI] = (greg_t)s->__rdi, g[REG_RSI] = (greg_t)s->__rsi;
	g[REG_RBP] = (greg_t)s->__rbp, g[REG_RSP] = (greg_t)s->__rsp;
	g[REG_R8] = (greg_t)s->__r8, g[REG_R9] = (greg_t)s->__r9;
	g[REG_R10] = (greg_t)s->__r10, g[REG_R11] = (greg_t)s->__r11;
	g[REG_R12] = (greg_t)s->__r12, g[REG_R13] = (greg_t)s->__r13;
	g[REG_R14] = (greg_t)s->__r14, g[REG_R15] = (greg_t)s->__r15;
	g[REG_RIP] = (greg_t)s->__rip, g[REG_EFL] = (greg_t)s->__rflags;
}
