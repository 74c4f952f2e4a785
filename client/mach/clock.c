/*
 * Clocks.  They are the kernel's: each call is a message.
 */
#include <mach/mach.h>
#include <mach/clock.h>
#include <mach/clock_reply.h>

#include "client/export.h"
#include "client/generated/clock_reply_user.h"
#include "client/generated/clock_user.h"
#include "client/mach/kernelrpc.h"

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
