/*
 * The same for interfaces that programs on macOS speak: numbers seen there.
 */
#include <stddef.h>

#include "exc_user.h"
#include "mach_exc_user.h"
#include "mach_port_user.h"
#include "notify_user.h"
#include "task_user.h"

#define AT(type_, field_, offset_)                                                                 \
	_Static_assert(offsetof(type_, field_) == (offset_), #type_ "." #field_)
#define SIZE(type_, size_) _Static_assert(sizeof(type_) == (size_), #type_)

SIZE(__Request__mach_port_allocate_t, 36);
SIZE(__Reply__mach_port_allocate_t, 40);
AT(__Reply__mach_port_allocate_t, name, 36);
SIZE(__Request__mach_port_insert_right_t, 52);
AT(__Request__mach_port_insert_right_t, poly, 28);
AT(__Request__mach_port_insert_right_t, NDR, 40);
AT(__Request__mach_port_insert_right_t, name, 48);
SIZE(__Reply__mach_port_insert_right_t, 36);
SIZE(__Request__mach_port_extract_right_t, 40);
SIZE(__Reply__mach_port_extract_right_t, 40);
AT(__Reply__mach_port_extract_right_t, poly, 28);
SIZE(__Request__mach_port_request_notification_t, 60);
AT(__Request__mach_port_request_notification_t, notify, 28);
AT(__Request__mach_port_request_notification_t, NDR, 40);
AT(__Request__mach_port_request_notification_t, name, 48);
AT(__Request__mach_port_request_notification_t, msgid, 52);
AT(__Request__mach_port_request_notification_t, sync, 56);
SIZE(__Reply__mach_port_request_notification_t, 40);
AT(__Reply__mach_port_request_notification_t, previous, 28);
SIZE(__Request__mach_port_names_t, 24);
SIZE(__Reply__mach_port_names_t, 76);
AT(__Reply__mach_port_names_t, names, 28);
AT(__Reply__mach_port_names_t, types, 44);
AT(__Reply__mach_port_names_t, NDR, 60);
AT(__Reply__mach_port_names_t, namesCnt, 68);
AT(__Reply__mach_port_names_t, typesCnt, 72);

SIZE(__Request__task_info_t, 40);
AT(__Request__task_info_t, flavor, 32);
AT(__Request__task_info_t, task_info_outCnt, 36);
SIZE(__Reply__task_info_t, 416);
AT(__Reply__task_info_t, task_info_outCnt, 36);
AT(__Reply__task_info_t, task_info_out, 40);
SIZE(__Request__task_get_special_port_t, 36);
SIZE(__Reply__task_get_special_port_t, 40);
SIZE(__Request__mach_ports_register_t, 56);
AT(__Request__mach_ports_register_t, NDR, 44);
SIZE(__Reply__mach_ports_register_t, 36);

SIZE(__Request__exception_raise_t, 76);
AT(__Request__exception_raise_t, thread, 28);
AT(__Request__exception_raise_t, task, 40);
AT(__Request__exception_raise_t, NDR, 52);
AT(__Request__exception_raise_t, exception, 60);
AT(__Request__exception_raise_t, codeCnt, 64);
AT(__Request__exception_raise_t, code, 68);
SIZE(__Reply__exception_raise_t, 36);
AT(__Reply__exception_raise_state_t, flavor, 36);
AT(__Reply__exception_raise_state_t, new_stateCnt, 40);
AT(__Reply__exception_raise_state_t, new_state, 44);
SIZE(__Request__mach_exception_raise_t, 84);
AT(__Request__mach_exception_raise_t, code, 68);
SIZE(__Reply__mach_exception_raise_t, 36);

SIZE(__Request__mach_notify_port_deleted_t, 36);
AT(__Request__mach_notify_port_deleted_t, name, 32);
SIZE(__Request__mach_notify_no_senders_t, 36);
SIZE(__Request__mach_notify_dead_name_t, 36);
SIZE(__Request__mach_notify_port_destroyed_t, 40);
SIZE(__Request__mach_notify_send_once_t, 24);
