/*
 * Calls as messages, by the stubs that MIG makes: _kernelrpc_X() for X().
 *
 * A task, thread or host argument that is no object of the kernel's may be a port of some
 * program that serves the same interface: a debugger, a sandbox, a test.  It gets the request.
 */
#ifndef BERTH_CLIENT_KERNELRPC_H
#define BERTH_CLIENT_KERNELRPC_H

#include <berth/syscall_sw.h>

#include <stdbool.h>

#include "client/generated/host_priv_user.h"
#include "client/generated/mach_host_user.h"
#include "client/generated/mach_port_user.h"
#include "client/generated/mach_vm_user.h"
#include "client/generated/mach_voucher_user.h"
#include "client/generated/task_user.h"
#include "client/generated/thread_act_user.h"

/* What @trap says, unless it says that somebody is to be asked by @message. */
#define TRAP_OR_MESSAGE(trap, message)                                                             \
	({                                                                                         \
		kern_return_t code_ = (trap);                                                      \
		code_ == BERTH_TRAP_BY_MESSAGE ? (message) : code_;                                \
	})

/* Is @port a send right to a port that lives and that some task receives on? */
bool kernelrpc_is_asked(mach_port_t port);

#endif
