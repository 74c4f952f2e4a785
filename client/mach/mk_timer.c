/*
 * Timers.  They are of the caller's own task, and used by trap.
 */
#include <mach/mk_timer.h>

#include "client/export.h"
#include "client/trap.h"

BERTH_EXPORT mach_port_name_t
mk_timer_create(void)
{
	uint64_t values[TRAP_VALUE_COUNT];

	return TRAP_CALL(BERTH_TRAP_MK_TIMER_CREATE, values, 0) == KERN_SUCCESS
		   ? (mach_port_name_t)values[0]
		   : MACH_PORT_NULL;
}

/* Without a kernel no name means anything. */
static kern_return_t
code_of(kern_return_t code)
{
	return code == MACH_SEND_INVALID_DEST ? KERN_INVALID_NAME : code;
}

BERTH_EXPORT kern_return_t
mk_timer_destroy(mach_port_name_t name)
{
	return code_of(TRAP_CALL(BERTH_TRAP_MK_TIMER_DESTROY, NULL, name));
}

BERTH_EXPORT kern_return_t
mk_timer_arm(mach_port_name_t name, uint64_t expire_time)
{
	return code_of(TRAP_CALL(BERTH_TRAP_MK_TIMER_ARM, NULL, name, expire_time));
}

BERTH_EXPORT kern_return_t
mk_timer_arm_leeway(mach_port_name_t name, uint64_t mk_timer_flags, uint64_t expire_time,
		    uint64_t mk_leeway)
{
	return code_of(TRAP_CALL(BERTH_TRAP_MK_TIMER_ARM_LEEWAY, NULL, name, mk_timer_flags,
				 expire_time, mk_leeway));
}

BERTH_EXPORT kern_return_t
mk_timer_cancel(mach_port_name_t name, uint64_t *result_time)
{
	uint64_t values[TRAP_VALUE_COUNT];
	kern_return_t code = TRAP_CALL(BERTH_TRAP_MK_TIMER_CANCEL, values, name);

	if (code == KERN_SUCCESS && result_time)
		*result_time = values[0];
	return code_of(code);
}
