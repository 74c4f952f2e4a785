/*
 * Every type of the Mach headers that is a number or a pointer, against what it must be.
 * Nothing runs: compiling is the test.  Source: mach-types.md §1.
 */
#include "numbers.h"

#include <bsm/audit.h>
#include <mach/mach.h>
#include <mach/mach_vm.h>
#include <mach/notify.h>
#include <servers/bootstrap.h>
#include <sys/fileport.h>

/* ---- scalars ------------------------------------------------------------------------- */

SAME(natural_t, uint32_t);
SAME(__darwin_natural_t, uint32_t);
SAME(mach_msg_kind_t, mach_port_seqno_t);
SAME(mach_voucher_attr_raw_recipe_array_t, uint8_t *);
SAME(integer_t, int32_t);
#if defined(__x86_64__)
SAME(boolean_t, unsigned int);
#else
SAME(boolean_t, int);
#endif
SAME(kern_return_t, int);
SAME(mach_msg_return_t, int);
SAME(mach_error_t, int);
SAME(mach_msg_filter_id, int);
SAME(mach_port_flavor_t, int);
SAME(vm_prot_t, int);
SAME(vm_behavior_t, int);
SAME(exception_type_t, int);
SAME(exception_behavior_t, int);
SAME(thread_state_flavor_t, int);
SAME(alarm_type_t, int);
SAME(sleep_type_t, int);
SAME(clock_id_t, int);
SAME(clock_flavor_t, int);
SAME(clock_res_t, int);
SAME(sync_policy_t, int);
SAME(policy_t, int);
SAME(bootstrap_status_t, int);
SAME(mach_port_name_t, uint32_t);
SAME(mach_port_t, uint32_t);
SAME(mach_port_right_t, uint32_t);
SAME(mach_port_type_t, uint32_t);
SAME(mach_port_urefs_t, uint32_t);
SAME(mach_port_seqno_t, uint32_t);
SAME(mach_port_mscount_t, uint32_t);
SAME(mach_port_msgcount_t, uint32_t);
SAME(mach_port_rights_t, uint32_t);
SAME(mach_msg_timeout_t, uint32_t);
SAME(mach_msg_size_t, uint32_t);
SAME(mach_msg_type_size_t, uint32_t);
SAME(mach_msg_type_number_t, uint32_t);
SAME(mach_port_context32_t, uint32_t);
SAME(mach_voucher_attr_key_t, uint32_t);
SAME(mach_voucher_selector_t, uint32_t);
SAME(mach_port_srights_t, unsigned int);
SAME(mach_msg_bits_t, unsigned int);
SAME(mach_msg_priority_t, unsigned int);
SAME(mach_msg_type_name_t, unsigned int);
SAME(mach_msg_copy_options_t, unsigned int);
SAME(mach_msg_guard_flags_t, unsigned int);
SAME(mach_msg_descriptor_type_t, unsigned int);
SAME(mach_msg_trailer_type_t, unsigned int);
SAME(mach_msg_trailer_size_t, unsigned int);
SAME(vm_inherit_t, unsigned int);
SAME(vm_sync_t, unsigned int);
SAME(exception_mask_t, unsigned int);
SAME(mach_port_delta_t, int32_t);
SAME(mach_msg_id_t, int32_t);
SAME(mach_msg_option_t, int32_t);
SAME(mach_msg_options_t, int32_t);
SAME(exception_data_type_t, int32_t);
SAME(vm_offset_t, uintptr_t);
SAME(vm_size_t, uintptr_t);
SAME(vm_address_t, uintptr_t);
SAME(pointer_t, uintptr_t);
SAME(mach_port_context_t, uintptr_t);
SAME(mach_vm_address_t, uint64_t);
SAME(mach_vm_offset_t, uint64_t);
SAME(mach_vm_size_t, uint64_t);
SAME(memory_object_size_t, uint64_t);
SAME(memory_object_offset_t, uint64_t);
SAME(mach_port_context64_t, uint64_t);
SAME(mach_msg_option64_t, uint64_t);
SAME(mach_voucher_attr_value_handle_t, uint64_t);
SAME(mach_exception_data_type_t, int64_t);
SAME(mach_port_name_array_t, mach_port_name_t *);
SAME(mach_port_array_t, mach_port_t *);
SAME(mach_port_type_array_t, mach_port_type_t *);
SAME(mach_port_info_t, integer_t *);
SAME(mach_msg_trailer_info_t, char *);
SAME(exception_data_t, integer_t *);
SAME(mach_exception_data_t, int64_t *);
SAME(mach_port_options_ptr_t, mach_port_options_t *);
SIZE(vm_offset_t, 8);

/* in user space every kernel object is a port */
SAME(task_t, mach_port_t);
SAME(task_name_t, mach_port_t);
SAME(task_policy_set_t, mach_port_t);
SAME(task_policy_get_t, mach_port_t);
SAME(task_inspect_t, mach_port_t);
SAME(task_read_t, mach_port_t);
SAME(task_suspension_token_t, mach_port_t);
SAME(thread_t, mach_port_t);
SAME(thread_act_t, mach_port_t);
SAME(thread_inspect_t, mach_port_t);
SAME(thread_read_t, mach_port_t);
SAME(ipc_space_t, mach_port_t);
SAME(ipc_space_read_t, mach_port_t);
SAME(ipc_space_inspect_t, mach_port_t);
SAME(coalition_t, mach_port_t);
SAME(host_t, mach_port_t);
SAME(host_priv_t, mach_port_t);
SAME(host_security_t, mach_port_t);
SAME(processor_t, mach_port_t);
SAME(processor_set_t, mach_port_t);
SAME(processor_set_control_t, mach_port_t);
SAME(processor_set_name_t, mach_port_t);
SAME(semaphore_t, mach_port_t);
SAME(lock_set_t, mach_port_t);
SAME(ledger_t, mach_port_t);
SAME(alarm_t, mach_port_t);
SAME(clock_serv_t, mach_port_t);
SAME(clock_ctrl_t, mach_port_t);
SAME(arcade_register_t, mach_port_t);
SAME(ipc_eventlink_t, mach_port_t);
SAME(task_id_token_t, mach_port_t);
SAME(kcdata_object_t, mach_port_t);
SAME(clock_reply_t, mach_port_t);
SAME(bootstrap_t, mach_port_t);
SAME(mem_entry_name_port_t, mach_port_t);
SAME(exception_handler_t, mach_port_t);
SAME(vm_task_entry_t, mach_port_t);
SAME(io_main_t, mach_port_t);
SAME(io_master_t, mach_port_t);
SAME(UNDServerRef, mach_port_t);
SAME(mach_eventlink_t, mach_port_t);
SAME(vm_map_t, mach_port_t);
SAME(vm_map_read_t, mach_port_t);
SAME(vm_map_inspect_t, mach_port_t);
SAME(upl_t, mach_port_t);
SAME(vm_named_entry_t, mach_port_t);
SAME(mach_voucher_t, mach_port_t);
SAME(ipc_voucher_t, mach_port_t);
SAME(notify_port_t, mach_port_t);
SAME(mach_voucher_attr_manager_t, mach_port_t);
SAME(mach_voucher_attr_control_t, mach_port_t);
SAME(fileport_t, mach_port_t);
SAME(host_name_t, mach_port_t);
SAME(exception_port_t, mach_port_t);
SAME(task_port_t, mach_port_t);
SAME(thread_port_t, mach_port_t);
SAME(thread_act_port_t, mach_port_t);
SAME(ipc_space_port_t, mach_port_t);
SAME(host_name_port_t, mach_port_t);
SAME(processor_port_t, mach_port_t);
SAME(processor_set_port_t, mach_port_t);
SAME(processor_set_name_port_t, mach_port_t);
SAME(processor_set_control_port_t, mach_port_t);
SAME(semaphore_port_t, mach_port_t);
SAME(lock_set_port_t, mach_port_t);
SAME(ledger_port_t, mach_port_t);
SAME(alarm_port_t, mach_port_t);
SAME(clock_serv_port_t, mach_port_t);
SAME(clock_ctrl_port_t, mach_port_t);
SAME(memory_object_t, mach_port_t);
SAME(task_array_t, task_t *);
SAME(thread_array_t, thread_t *);
SAME(thread_act_array_t, thread_act_t *);
SAME(processor_array_t, processor_t *);
SAME(processor_set_array_t, processor_set_t *);
SAME(processor_set_name_array_t, processor_set_name_t *);
SAME(ledger_array_t, ledger_t *);
SAME(exception_handler_array_t, exception_handler_t *);
SAME(exception_port_arrary_t, exception_handler_t *);
SIZE(eventlink_port_pair_t, 8);
SAME(au_id_t, uid_t);
SAME(au_asid_t, pid_t);
