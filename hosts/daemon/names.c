/* Numbers as people know them: result codes, traps and their arguments, messages, rights. */
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/tools.h"

#include <stdio.h>
#include <string.h>

#include <mach/mig_errors.h>
#include <mach/notify.h>

struct code_name {
	kern_return_t code;
	const char *name;
};

#define CODE(name)                                                                                 \
	{                                                                                          \
		name, #name                                                                        \
	}

static const struct code_name codes[] = {
	CODE(KERN_SUCCESS),
	CODE(KERN_INVALID_ADDRESS),
	CODE(KERN_PROTECTION_FAILURE),
	CODE(KERN_NO_SPACE),
	CODE(KERN_INVALID_ARGUMENT),
	CODE(KERN_FAILURE),
	CODE(KERN_RESOURCE_SHORTAGE),
	CODE(KERN_NOT_RECEIVER),
	CODE(KERN_NO_ACCESS),
	CODE(KERN_MEMORY_FAILURE),
	CODE(KERN_MEMORY_ERROR),
	CODE(KERN_ALREADY_IN_SET),
	CODE(KERN_NOT_IN_SET),
	CODE(KERN_NAME_EXISTS),
	CODE(KERN_ABORTED),
	CODE(KERN_INVALID_NAME),
	CODE(KERN_INVALID_TASK),
	CODE(KERN_INVALID_RIGHT),
	CODE(KERN_INVALID_VALUE),
	CODE(KERN_INVALID_CAPABILITY),
	CODE(KERN_RIGHT_EXISTS),
	CODE(KERN_INVALID_HOST),
	CODE(KERN_INVALID_OBJECT),
	CODE(KERN_ALREADY_WAITING),
	CODE(KERN_DEFAULT_SET),
	CODE(KERN_TERMINATED),
	CODE(KERN_NOT_SUPPORTED),
	CODE(KERN_OPERATION_TIMED_OUT),
	CODE(KERN_POLICY_STATIC),
	CODE(KERN_INSUFFICIENT_BUFFER_SIZE),
	CODE(KERN_DENIED),
	CODE(KERN_NOT_FOUND),
	CODE(MACH_SEND_INVALID_DATA),
	CODE(MACH_SEND_INVALID_DEST),
	CODE(MACH_SEND_TIMED_OUT),
	CODE(MACH_SEND_INVALID_VOUCHER),
	CODE(MACH_SEND_INTERRUPTED),
	CODE(MACH_SEND_MSG_TOO_SMALL),
	CODE(MACH_SEND_INVALID_REPLY),
	CODE(MACH_SEND_INVALID_RIGHT),
	CODE(MACH_SEND_INVALID_NOTIFY),
	CODE(MACH_SEND_INVALID_MEMORY),
	CODE(MACH_SEND_NO_BUFFER),
	CODE(MACH_SEND_TOO_LARGE),
	CODE(MACH_SEND_INVALID_TYPE),
	CODE(MACH_SEND_INVALID_HEADER),
	CODE(MACH_SEND_INVALID_TRAILER),
	CODE(MACH_SEND_INVALID_CONTEXT),
	CODE(MACH_SEND_INVALID_OPTIONS),
	CODE(MACH_RCV_INVALID_NAME),
	CODE(MACH_RCV_TIMED_OUT),
	CODE(MACH_RCV_TOO_LARGE),
	CODE(MACH_RCV_INTERRUPTED),
	CODE(MACH_RCV_PORT_CHANGED),
	CODE(MACH_RCV_INVALID_NOTIFY),
	CODE(MACH_RCV_INVALID_DATA),
	CODE(MACH_RCV_PORT_DIED),
	CODE(MACH_RCV_IN_SET),
	CODE(MACH_RCV_HEADER_ERROR),
	CODE(MACH_RCV_BODY_ERROR),
	CODE(MIG_TYPE_ERROR),
	CODE(MIG_BAD_ID),
	CODE(MIG_BAD_ARGUMENTS),
	CODE(MIG_NO_REPLY),
};

const char *
name_of_code(kern_return_t code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return codes[i].name;
	return NULL;
}

/* ---- traps ------------------------------------------------------------------------- */

/* An argument's name says how it reads: '#' in front a number, '!' options of mach_msg,
 * none a port name or an address. */
struct trap_name {
	const char *name;
	const char *args[KERNEL_ARG_COUNT];
};

static const struct trap_name traps[BERTH_TRAP_LIMIT] = {
	[BERTH_TRAP_MSG] = { "mach_msg_trap",
			     { "!option", "#send_size", "#rcv_size", "rcv_name", "#timeout",
			       "priority", "msg", "sync_send" } },
	[BERTH_TRAP_REPLY_PORT] = { "mach_reply_port", { NULL } },
	[BERTH_TRAP_TASK_SELF] = { "task_self_trap", { NULL } },
	[BERTH_TRAP_THREAD_SELF] = { "thread_self_trap", { NULL } },
	[BERTH_TRAP_HOST_SELF] = { "host_self_trap", { NULL } },
	[BERTH_TRAP_GET_SPECIAL_REPLY_PORT] = { "thread_get_special_reply_port", { NULL } },
	[BERTH_TRAP_PORT_ALLOCATE] = { "mach_port_allocate", { "task", "#right" } },
	[BERTH_TRAP_PORT_ALLOCATE_NAME] = { "mach_port_allocate_name",
					    { "task", "#right", "name" } },
	[BERTH_TRAP_PORT_ALLOCATE_FULL] = { "mach_port_allocate_full",
					    { "task", "#right", "name", "qos", "#len" } },
	[BERTH_TRAP_PORT_CONSTRUCT] = { "mach_port_construct",
					{ "task", "flags", "#qlimit", "context" } },
	[BERTH_TRAP_PORT_DESTRUCT] = { "mach_port_destruct",
				       { "task", "name", "#srdelta", "guard" } },
	[BERTH_TRAP_PORT_DESTROY] = { "mach_port_destroy", { "task", "name" } },
	[BERTH_TRAP_PORT_DEALLOCATE] = { "mach_port_deallocate", { "task", "name" } },
	[BERTH_TRAP_PORT_GET_REFS] = { "mach_port_get_refs", { "task", "name", "#right" } },
	[BERTH_TRAP_PORT_MOD_REFS] = { "mach_port_mod_refs",
				       { "task", "name", "#right", "#delta" } },
	[BERTH_TRAP_PORT_INSERT_RIGHT] = { "mach_port_insert_right",
					   { "task", "name", "poly", "#disposition" } },
	[BERTH_TRAP_PORT_EXTRACT_RIGHT] = { "mach_port_extract_right",
					    { "task", "name", "#disposition" } },
	[BERTH_TRAP_PORT_INSERT_MEMBER] = { "mach_port_insert_member", { "task", "name", "pset" } },
	[BERTH_TRAP_PORT_EXTRACT_MEMBER] = { "mach_port_extract_member",
					     { "task", "name", "pset" } },
	[BERTH_TRAP_PORT_MOVE_MEMBER] = { "mach_port_move_member", { "task", "name", "pset" } },
	[BERTH_TRAP_PORT_GET_SET_STATUS] = { "mach_port_get_set_status", { "task", "name" } },
	[BERTH_TRAP_PORT_REQUEST_NOTIFICATION] = { "mach_port_request_notification",
						   { "task", "name", "#msgid", "#sync", "notify",
						     "#disposition" } },
	[BERTH_TRAP_PORT_GET_ATTRIBUTES] = { "mach_port_get_attributes",
					     { "task", "name", "#flavor", "#count" } },
	[BERTH_TRAP_PORT_SET_ATTRIBUTES] = { "mach_port_set_attributes",
					     { "task", "name", "#flavor", "#count" } },
	[BERTH_TRAP_PORT_ASSERT_ATTRIBUTES] = { "mach_port_assert_attributes",
						{ "task", "name", "#flavor", "#count" } },
	[BERTH_TRAP_PORT_GET_CONTEXT] = { "mach_port_get_context", { "task", "name" } },
	[BERTH_TRAP_PORT_SET_CONTEXT] = { "mach_port_set_context", { "task", "name", "context" } },
	[BERTH_TRAP_PORT_GUARD] = { "mach_port_guard", { "task", "name", "guard", "flags" } },
	[BERTH_TRAP_PORT_UNGUARD] = { "mach_port_unguard", { "task", "name", "guard" } },
	[BERTH_TRAP_PORT_SWAP_GUARD] = { "mach_port_swap_guard", { "task", "name", "old", "new" } },
	[BERTH_TRAP_PORT_SET_MSCOUNT] = { "mach_port_set_mscount", { "task", "name", "#mscount" } },
	[BERTH_TRAP_PORT_SET_SEQNO] = { "mach_port_set_seqno", { "task", "name", "#seqno" } },
	[BERTH_TRAP_PORT_GET_SRIGHTS] = { "mach_port_get_srights", { "task", "name" } },
	[BERTH_TRAP_PORT_PEEK] = { "mach_port_peek",
				   { "task", "name", "trailer", "#seqno", "#size" } },
	[BERTH_TRAP_PORT_NAMES] = { "mach_port_names", { "task" } },
	[BERTH_TRAP_PORT_TYPE] = { "mach_port_type", { "task", "name" } },
	[BERTH_TRAP_PORT_KOBJECT] = { "mach_port_kobject", { "task", "name" } },
	[BERTH_TRAP_PORT_SPACE_INFO] = { "mach_port_space_info", { "task" } },
	[BERTH_TRAP_PORT_DNREQUEST_INFO] = { "mach_port_dnrequest_info", { "task", "name" } },
	[BERTH_TRAP_TASK_GET_SPECIAL_PORT] = { "task_get_special_port", { "task", "#which" } },
	[BERTH_TRAP_TASK_SET_SPECIAL_PORT] = { "task_set_special_port",
					       { "task", "#which", "name" } },
	[BERTH_TRAP_PORTS_REGISTER] = { "mach_ports_register",
					{ "task", "#count", "name0", "name1", "name2" } },
	[BERTH_TRAP_PORTS_LOOKUP] = { "mach_ports_lookup", { "task" } },
	[BERTH_TRAP_TASK_IS_SELF] = { "task_is_self", { "name" } },
	[BERTH_TRAP_PID_FOR_TASK] = { "pid_for_task", { "task" } },
	[BERTH_TRAP_SEMAPHORE_SIGNAL] = { "semaphore_signal", { "semaphore" } },
	[BERTH_TRAP_SEMAPHORE_SIGNAL_ALL] = { "semaphore_signal_all", { "semaphore" } },
	[BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD] = { "semaphore_signal_thread",
						 { "semaphore", "thread" } },
	[BERTH_TRAP_SEMAPHORE_WAIT] = { "semaphore_wait", { "semaphore" } },
	[BERTH_TRAP_SEMAPHORE_TIMEDWAIT] = { "semaphore_timedwait",
					     { "semaphore", "#sec", "#nsec" } },
	[BERTH_TRAP_SEMAPHORE_WAIT_SIGNAL] = { "semaphore_wait_signal",
					       { "semaphore", "signalled" } },
	[BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL] = { "semaphore_timedwait_signal",
						    { "semaphore", "signalled", "#sec", "#nsec" } },
	[BERTH_TRAP_PORT_WATCH] = { "mach_port_watch", { "name" } },
	[BERTH_TRAP_CTL_INFO] = { "ctl_info", { NULL } },
	[BERTH_TRAP_CTL_COUNT] = { "ctl_count", { NULL } },
	[BERTH_TRAP_CTL_FIND] = { "ctl_find", { "id", "#unit" } },
	[BERTH_TRAP_KEV_ID] = { "kev_id", { NULL } },
	[BERTH_TRAP_KEV_VENDOR] = { "kev_vendor", { NULL } },
	[BERTH_TRAP_SYSTEM_STATISTICS] = { "system_statistics", { NULL } },
	[BERTH_TRAP_MK_TIMER_CREATE] = { "mk_timer_create", { NULL } },
	[BERTH_TRAP_MK_TIMER_DESTROY] = { "mk_timer_destroy", { "name" } },
	[BERTH_TRAP_MK_TIMER_ARM] = { "mk_timer_arm", { "name", "time" } },
	[BERTH_TRAP_MK_TIMER_ARM_LEEWAY] = { "mk_timer_arm_leeway",
					     { "name", "flags", "time", "leeway" } },
	[BERTH_TRAP_MK_TIMER_CANCEL] = { "mk_timer_cancel", { "name" } },
	[BERTH_TRAP_HOST_CREATE_MACH_VOUCHER] = { "host_create_mach_voucher", { "host" } },
	[BERTH_TRAP_THREAD_STATE_OFFER] = { "thread_state_offer", { NULL } },
	[BERTH_TRAP_THREAD_STATE_WITHDRAW] = { "thread_state_withdraw", { NULL } },
	[BERTH_TRAP_MACH_VOUCHER_EXTRACT_ATTR_RECIPE] = { "mach_voucher_extract_attr_recipe",
							  { "voucher", "#key", "#size" } },
	[BERTH_TRAP_FILEPORT_MAKE] = { "fileport_makeport", { NULL } },
	[BERTH_TRAP_FILEPORT_OPEN] = { "fileport_makefd", { "fileport" } },
	[BERTH_TRAP_TASK_FOR_PID] = { "task_for_pid", { "#pid" } },
	[BERTH_TRAP_TASK_NAME_FOR_PID] = { "task_name_for_pid", { "#pid" } },
	[BERTH_TRAP_TASK_PROCESS] = { "task_process", { "task" } },
	[BERTH_TRAP_TASK_THREADS] = { "task_threads", { "task" } },
	[BERTH_TRAP_THREAD_PROCESS] = { "thread_process", { "thread" } },
	[BERTH_TRAP_TASK_SUSPEND] = { "task_suspend", { "task" } },
	[BERTH_TRAP_TASK_RESUME] = { "task_resume", { "task" } },
	[BERTH_TRAP_TASK_SUSPEND2] = { "task_suspend2", { "task" } },
	[BERTH_TRAP_MEMORY_ENTRY_MAKE] = { "mach_make_memory_entry",
					   { "offset", "size", "#protection", "#data" } },
	[BERTH_TRAP_HOST_GET_CLOCK_CONTROL] = { "host_get_clock_control", { "host", "#clock" } },
	[BERTH_TRAP_CLOCK_CONTROL_ID] = { "clock_control_id", { "control" } },
	[BERTH_TRAP_MEMORY_ENTRY_OPEN] = { "memory_entry_open", { "entry" } },
	[BERTH_TRAP_THREAD_SUSPEND] = { "thread_suspend", { "thread", "#waits" } },
	[BERTH_TRAP_THREAD_RESUME] = { "thread_resume", { "thread" } },
	[BERTH_TRAP_THREAD_ABORT] = { "thread_abort", { "thread" } },
	[BERTH_TRAP_THREAD_TERMINATE] = { "thread_terminate", { "thread", "#wakes" } },
	[BERTH_TRAP_HOST_EXCEPTION_PORT] = { "host_exception_port", { "#type" } },
	[BERTH_TRAP_THREAD_HOLD] = { "thread_hold", { NULL } },
	[BERTH_TRAP_LANE_BEGIN] = { "lane_begin", { NULL } },
	[BERTH_TRAP_LANE_GATES] = { "lane_gates", { "#lane" } },
	[BERTH_TRAP_LANE_OPEN] = { "lane_open", { "port" } },
	[BERTH_TRAP_LANE_ACCEPT] = { "lane_accept", { NULL } },
	[BERTH_TRAP_LANE_BIND] = { "lane_bind", { "#lane", "reply" } },
	[BERTH_TRAP_LANE_CLOSE] = { "lane_close", { "#lane" } },
	[BERTH_TRAP_CARRIER_FIND] = { "carrier_find", { "port", "#size", "#unused" } },
};

const char *
name_of_trap(uint32_t number)
{
	return number < BERTH_TRAP_LIMIT ? traps[number].name : NULL;
}

const char *const *
name_of_trap_args(uint32_t number)
{
	static const char *const none[KERNEL_ARG_COUNT];

	return number < BERTH_TRAP_LIMIT ? traps[number].args : none;
}

/* ---- messages and rights ----------------------------------------------------------- */

const char *
name_of_message(mach_msg_id_t id)
{
	switch (id) {
	case MACH_NOTIFY_PORT_DELETED:
		return "MACH_NOTIFY_PORT_DELETED";
	case MACH_NOTIFY_SEND_POSSIBLE:
		return "MACH_NOTIFY_SEND_POSSIBLE";
	case MACH_NOTIFY_PORT_DESTROYED:
		return "MACH_NOTIFY_PORT_DESTROYED";
	case MACH_NOTIFY_NO_SENDERS:
		return "MACH_NOTIFY_NO_SENDERS";
	case MACH_NOTIFY_SEND_ONCE:
		return "MACH_NOTIFY_SEND_ONCE";
	case MACH_NOTIFY_DEAD_NAME:
		return "MACH_NOTIFY_DEAD_NAME";
	default:
		return NULL;
	}
}

const char *
name_of_type(mach_port_type_t type, char *text, size_t size)
{
	const char *name = "none";

	switch (type & MACH_PORT_TYPE_ALL_RIGHTS) {
	case MACH_PORT_TYPE_SEND:
		name = "send";
		break;
	case MACH_PORT_TYPE_RECEIVE:
		name = "receive";
		break;
	case MACH_PORT_TYPE_SEND_RECEIVE:
		name = "receive+send";
		break;
	case MACH_PORT_TYPE_SEND_ONCE:
		name = "send-once";
		break;
	case MACH_PORT_TYPE_PORT_SET:
		name = "set";
		break;
	case MACH_PORT_TYPE_DEAD_NAME:
		name = "dead-name";
		break;
	default:
		break;
	}
	snprintf(text, size, "%s", name);
	return text;
}
