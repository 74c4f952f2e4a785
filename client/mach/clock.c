/*
 * Clocks.  They are the kernel's: each call is a message.  Only setting one is the library's: it
 * asks Linux as the program itself, which may or may not.
 */
#include <mach/mach.h>
#include <mach/clock.h>
#include <mach/clock_priv.h>
#include <mach/clock_reply.h>
#include <mach/host_priv.h>

#include "client/export.h"
#include "client/generated/clock_priv_user.h"
#include "client/generated/clock_reply_user.h"
#include "client/generated/clock_user.h"
#include "client/mach/kernelrpc.h"
#include "client/trap.h"

#include <errno.h>
#include <time.h>

BERTH_EXPORT kern_return_t
host_get_clock_service(host_t host, clock_id_t clock_id, clock_serv_t *clock_serv)
{
	return _kernelrpc_host_get_clock_service(host, clock_id, clock_serv);
}

BERTH_EXPORT kern_return_t
clock_get_time(clock_serv_t clock_serv, mach_timespec_t *cur_time)
{
	return _kernelrpc_clock_get_time(clock_serv, cur_time);
}

BERTH_EXPORT kern_return_t
clock_get_attributes(clock_serv_t clock_serv, clock_flavor_t flavor, clock_attr_t clock_attr,
		     mach_msg_type_number_t *clock_attrCnt)
{
	return _kernelrpc_clock_get_attributes(clock_serv, flavor, clock_attr, clock_attrCnt);
}

BERTH_EXPORT kern_return_t
clock_alarm(clock_serv_t clock_serv, alarm_type_t alarm_type, mach_timespec_t alarm_time,
	    clock_reply_t alarm_port)
{
	return _kernelrpc_clock_alarm(clock_serv, alarm_type, alarm_time, alarm_port);
}

BERTH_EXPORT kern_return_t
clock_alarm_reply(clock_reply_t alarm_port, kern_return_t alarm_code, alarm_type_t alarm_type,
		  mach_timespec_t alarm_time)
{
	return _kernelrpc_clock_alarm_reply(alarm_port, alarm_code, alarm_type, alarm_time);
}

BERTH_EXPORT kern_return_t
clock_get_res(mach_port_t clock, clock_res_t *resolution)
{
	mach_msg_type_number_t count = 1;

	return clock_get_attributes(clock, CLOCK_GET_TIME_RES, resolution, &count);
}

/* ---- control ------------------------------------------------------------------------------ */

BERTH_EXPORT kern_return_t
host_get_clock_control(host_priv_t host_priv, clock_id_t clock_id, clock_ctrl_t *clock_ctrl)
{
	uint64_t values[TRAP_VALUE_COUNT];

	if (!MACH_PORT_VALID(host_priv))
		return KERN_INVALID_ARGUMENT;
	kern_return_t code =
	    TRAP_CALL(BERTH_TRAP_HOST_GET_CLOCK_CONTROL, values, host_priv, (uint64_t)clock_id);
	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_host_get_clock_control(host_priv, clock_id, clock_ctrl);
	if (code == KERN_SUCCESS)
		*clock_ctrl = (clock_ctrl_t)values[0];
	return code;
}

/* Which clock @control is of.  BERTH_TRAP_BY_MESSAGE: some task receives there. */
static kern_return_t
control_id(clock_ctrl_t control, clock_id_t *id)
{
	uint64_t values[TRAP_VALUE_COUNT];

	if (!MACH_PORT_VALID(control))
		return KERN_INVALID_ARGUMENT;
	kern_return_t code = TRAP_CALL(BERTH_TRAP_CLOCK_CONTROL_ID, values, control);
	*id = (clock_id_t)values[0];
	return code;
}

BERTH_EXPORT kern_return_t
clock_set_time(clock_ctrl_t clock_ctrl, mach_timespec_t new_time)
{
	clock_id_t id;
	kern_return_t code = control_id(clock_ctrl, &id);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_clock_set_time(clock_ctrl, new_time);
	if (code != KERN_SUCCESS)
		return code;
	if (BAD_MACH_TIMESPEC(&new_time))
		return KERN_INVALID_VALUE;
	if (id != CALENDAR_CLOCK)
		return KERN_FAILURE;
	const struct timespec time = { .tv_sec = (time_t)new_time.tv_sec,
				       .tv_nsec = new_time.tv_nsec };
	if (clock_settime(CLOCK_REALTIME, &time) == 0)
		return KERN_SUCCESS;
	return errno == EPERM ? KERN_NO_ACCESS : KERN_INVALID_VALUE;
}

BERTH_EXPORT kern_return_t
clock_set_attributes(clock_ctrl_t clock_ctrl, clock_flavor_t flavor, clock_attr_t clock_attr,
		     mach_msg_type_number_t clock_attrCnt)
{
	clock_id_t id;
	kern_return_t code = control_id(clock_ctrl, &id);

	if (code == BERTH_TRAP_BY_MESSAGE)
		return _kernelrpc_clock_set_attributes(clock_ctrl, flavor, clock_attr,
						       clock_attrCnt);
	if (code != KERN_SUCCESS)
		return code;
	/* no clock of Linux's has one that can be set */
	return clock_attrCnt == 1 && (flavor < CLOCK_GET_TIME_RES || flavor > CLOCK_ALARM_MAXRES)
		   ? KERN_INVALID_VALUE
		   : KERN_FAILURE;
}

BERTH_EXPORT kern_return_t
clock_set_res(mach_port_t clock, clock_res_t resolution)
{
	return clock_set_attributes(clock, CLOCK_ALARM_CURRES, &resolution, 1);
}
