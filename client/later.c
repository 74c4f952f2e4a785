/*
 * Calls that are declared and refused.  They link, fail with the code that Darwin has for "not
 * here", and say so once each; none claims a success that it did not have.
 */
#include "client/later.h"

#include <mach/mach.h>
#include <mach/host_priv.h>

#include "client/export.h"
#include "client/mach/kernelrpc.h"
#include "client/say.h"

/* ---- what the other files use ----------------------------------------------------------- */

kern_return_t
later_not_supported(const char *call, const char *what, _Atomic uint32_t *said)
{
	SAY_ONCE(said, "%s: %s is not there yet; it returns KERN_NOT_SUPPORTED", call, what);
	return KERN_NOT_SUPPORTED;
}

kern_return_t
later_own_task(mach_port_t task)
{
	mach_vm_address_t address;
	natural_t kind = 0;
	int pid;

	if (__builtin_expect(task == mach_task_self_, 1))
		return KERN_SUCCESS;
	if (!MACH_PORT_VALID(task))
		return KERN_INVALID_ARGUMENT;
	if (mach_task_is_self(task))
		return KERN_SUCCESS;
	if (mach_port_kobject(mach_task_self_, task, &kind, &address) == KERN_SUCCESS &&
	    kind != 0 && pid_for_task(task, &pid) != KERN_SUCCESS)
		return KERN_INVALID_ARGUMENT;
	return BERTH_TRAP_BY_MESSAGE;
}

kern_return_t
later_asked(kern_return_t code, const char *call, _Atomic uint32_t *said)
{
	if (code == MIG_BAD_ID)
		SAY_ONCE(said, "%s: this on another task is not there yet; it returns MIG_BAD_ID",
			 call);
	return code;
}

/* ---- the calls ---------------------------------------------------------------------------- */

/*
 * Call @name, which is refused for good and says why; but what a task serves itself is asked, by
 * @message.  KERN_NOT_SUPPORTED; KERN_INVALID_ARGUMENT: @object is null or dead.
 */
#define REFUSED(name, parameters, object, message, why)                                            \
	BERTH_EXPORT kern_return_t name parameters                                                 \
	{                                                                                          \
		static _Atomic uint32_t said;                                                      \
                                                                                                   \
		if (!MACH_PORT_VALID(object))                                                      \
			return KERN_INVALID_ARGUMENT;                                              \
		if (kernelrpc_is_asked(object))                                                    \
			return message;                                                            \
		SAY_ONCE(&said, #name ": " why "; it returns KERN_NOT_SUPPORTED");                 \
		return KERN_NOT_SUPPORTED;                                                         \
	}

#define NO_PROCESSORS "processors and their sets are no objects here"

REFUSED(host_processors,
	(host_priv_t host_priv, processor_array_t *out_processor_list,
	 mach_msg_type_number_t *out_processor_listCnt),
	host_priv, _kernelrpc_host_processors(host_priv, out_processor_list, out_processor_listCnt),
	NO_PROCESSORS)
REFUSED(processor_set_default, (host_t host, processor_set_name_t *default_set), host,
	_kernelrpc_processor_set_default(host, default_set), NO_PROCESSORS)
REFUSED(host_request_notification,
	(host_t host, host_notify_type_t notify_type, mach_port_t notify_port), host,
	_kernelrpc_host_request_notification(host, notify_type, notify_port),
	"nobody is told that the clock was set")
