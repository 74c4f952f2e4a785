/*
 * Every struct of the Mach headers against its size, and every field against its place.
 *
 * Compiling is most of the test.  What the compiler cannot say, where bit-fields lie and what
 * initialisers hold, main() looks at.  The numbers come from mach-types.md,
 * mach-kobjects.md and bootstrap.md, not from the headers.
 */
#include "numbers.h"

#include <stdio.h>
#include <string.h>

#include <mach/mach.h>
#include <mach/mach_time.h>
#include <mach/mk_timer.h>
#include <mach/notify.h>
#include <servers/bootstrap.h>

/* ---- messages ------------------------------------------------------------------------------ */

SIZE(mach_msg_header_t, 24);
FIELD(mach_msg_header_t, msgh_bits, 0, 4);
FIELD(mach_msg_header_t, msgh_size, 4, 4);
FIELD(mach_msg_header_t, msgh_remote_port, 8, 4);
FIELD(mach_msg_header_t, msgh_local_port, 12, 4);
FIELD(mach_msg_header_t, msgh_voucher_port, 16, 4);
FIELD(mach_msg_header_t, msgh_reserved, 16, 4);
FIELD(mach_msg_header_t, msgh_id, 20, 4);
SIZE(mach_msg_body_t, 4);
FIELD(mach_msg_body_t, msgh_descriptor_count, 0, 4);
SIZE(mach_msg_base_t, 28);
FIELD(mach_msg_base_t, header, 0, 24);
FIELD(mach_msg_base_t, body, 24, 4);
SIZE(mach_msg_type_descriptor_t, 12);
FIELD(mach_msg_type_descriptor_t, pad1, 0, 4);
FIELD(mach_msg_type_descriptor_t, pad2, 4, 4);
SIZE(mach_msg_port_descriptor_t, 12);
FIELD(mach_msg_port_descriptor_t, name, 0, 4);
FIELD(mach_msg_port_descriptor_t, pad1, 4, 4);
SIZE(mach_msg_ool_descriptor_t, 16);
FIELD(mach_msg_ool_descriptor_t, address, 0, 8);
FIELD(mach_msg_ool_descriptor_t, size, 12, 4);
SIZE(mach_msg_ool_ports_descriptor_t, 16);
FIELD(mach_msg_ool_ports_descriptor_t, address, 0, 8);
FIELD(mach_msg_ool_ports_descriptor_t, count, 12, 4);
SIZE(mach_msg_guarded_port_descriptor_t, 16);
FIELD(mach_msg_guarded_port_descriptor_t, context, 0, 8);
FIELD(mach_msg_guarded_port_descriptor_t, name, 12, 4);
SIZE(mach_msg_ool_descriptor32_t, 12);
FIELD(mach_msg_ool_descriptor32_t, address, 0, 4);
FIELD(mach_msg_ool_descriptor32_t, size, 4, 4);
SIZE(mach_msg_ool_ports_descriptor32_t, 12);
FIELD(mach_msg_ool_ports_descriptor32_t, address, 0, 4);
FIELD(mach_msg_ool_ports_descriptor32_t, count, 4, 4);
SIZE(mach_msg_guarded_port_descriptor32_t, 12);
FIELD(mach_msg_guarded_port_descriptor32_t, context, 0, 4);
FIELD(mach_msg_guarded_port_descriptor32_t, name, 4, 4);
SIZE(mach_msg_ool_descriptor64_t, 16);
FIELD(mach_msg_ool_descriptor64_t, address, 0, 8);
FIELD(mach_msg_ool_descriptor64_t, size, 12, 4);
SIZE(mach_msg_ool_ports_descriptor64_t, 16);
FIELD(mach_msg_ool_ports_descriptor64_t, address, 0, 8);
FIELD(mach_msg_ool_ports_descriptor64_t, count, 12, 4);
SIZE(mach_msg_guarded_port_descriptor64_t, 16);
FIELD(mach_msg_guarded_port_descriptor64_t, context, 0, 8);
FIELD(mach_msg_guarded_port_descriptor64_t, name, 12, 4);
SIZE(mach_msg_descriptor_t, 16);
FIELD(mach_msg_descriptor_t, port, 0, 12);
FIELD(mach_msg_descriptor_t, out_of_line, 0, 16);
FIELD(mach_msg_descriptor_t, ool_ports, 0, 16);
FIELD(mach_msg_descriptor_t, type, 0, 12);
FIELD(mach_msg_descriptor_t, guarded_port, 0, 16);
SIZE(mach_msg_empty_send_t, 24);
FIELD(mach_msg_empty_send_t, header, 0, 24);
SIZE(mach_msg_empty_rcv_t, 32);
FIELD(mach_msg_empty_rcv_t, header, 0, 24);
FIELD(mach_msg_empty_rcv_t, trailer, 24, 8);
SIZE(mach_msg_empty_t, 32);
FIELD(mach_msg_empty_t, send, 0, 24);
FIELD(mach_msg_empty_t, rcv, 0, 32);
SIZE(mach_msg_vector_t, 24);
FIELD(mach_msg_vector_t, msgv_data, 0, 8);
FIELD(mach_msg_vector_t, msgv_rcv_addr, 8, 8);
FIELD(mach_msg_vector_t, msgv_send_size, 16, 4);
FIELD(mach_msg_vector_t, msgv_rcv_size, 20, 4);
SIZE(mach_msg_aux_header_t, 8);
FIELD(mach_msg_aux_header_t, msgdh_size, 0, 4);
FIELD(mach_msg_aux_header_t, msgdh_reserved, 4, 4);

/* ---- trailers and tokens ------------------------------------------------------------------- */

SIZE(mach_msg_trailer_t, 8);
FIELD(mach_msg_trailer_t, msgh_trailer_type, 0, 4);
FIELD(mach_msg_trailer_t, msgh_trailer_size, 4, 4);
SIZE(mach_msg_seqno_trailer_t, 12);
FIELD(mach_msg_seqno_trailer_t, msgh_trailer_type, 0, 4);
FIELD(mach_msg_seqno_trailer_t, msgh_trailer_size, 4, 4);
FIELD(mach_msg_seqno_trailer_t, msgh_seqno, 8, 4);
SIZE(mach_msg_security_trailer_t, 20);
FIELD(mach_msg_security_trailer_t, msgh_trailer_type, 0, 4);
FIELD(mach_msg_security_trailer_t, msgh_trailer_size, 4, 4);
FIELD(mach_msg_security_trailer_t, msgh_seqno, 8, 4);
FIELD(mach_msg_security_trailer_t, msgh_sender, 12, 8);
SIZE(mach_msg_format_0_trailer_t, 20);
FIELD(mach_msg_format_0_trailer_t, msgh_sender, 12, 8);
SIZE(mach_msg_audit_trailer_t, 52);
FIELD(mach_msg_audit_trailer_t, msgh_trailer_type, 0, 4);
FIELD(mach_msg_audit_trailer_t, msgh_trailer_size, 4, 4);
FIELD(mach_msg_audit_trailer_t, msgh_seqno, 8, 4);
FIELD(mach_msg_audit_trailer_t, msgh_sender, 12, 8);
FIELD(mach_msg_audit_trailer_t, msgh_audit, 20, 32);
SIZE(mach_msg_context_trailer_t, 60);
FIELD(mach_msg_context_trailer_t, msgh_trailer_type, 0, 4);
FIELD(mach_msg_context_trailer_t, msgh_trailer_size, 4, 4);
FIELD(mach_msg_context_trailer_t, msgh_seqno, 8, 4);
FIELD(mach_msg_context_trailer_t, msgh_sender, 12, 8);
FIELD(mach_msg_context_trailer_t, msgh_audit, 20, 32);
FIELD(mach_msg_context_trailer_t, msgh_context, 52, 8);
SIZE(mach_msg_mac_trailer_t, 68);
FIELD(mach_msg_mac_trailer_t, msgh_trailer_type, 0, 4);
FIELD(mach_msg_mac_trailer_t, msgh_trailer_size, 4, 4);
FIELD(mach_msg_mac_trailer_t, msgh_seqno, 8, 4);
FIELD(mach_msg_mac_trailer_t, msgh_sender, 12, 8);
FIELD(mach_msg_mac_trailer_t, msgh_audit, 20, 32);
FIELD(mach_msg_mac_trailer_t, msgh_context, 52, 8);
FIELD(mach_msg_mac_trailer_t, msgh_ad, 60, 4);
FIELD(mach_msg_mac_trailer_t, msgh_labels, 64, 4);
FIELD(mach_msg_mac_trailer_t, msgh_labels.sender, 64, 4);
SIZE(mach_msg_max_trailer_t, 68);
SIZE(msg_labels_t, 4);
FIELD(msg_labels_t, sender, 0, 4);
SIZE(security_token_t, 8);
FIELD(security_token_t, val, 0, 8);
SIZE(audit_token_t, 32);
FIELD(audit_token_t, val, 0, 32);

/* ---- notifications ------------------------------------------------------------------------- */

SIZE(mach_port_deleted_notification_t, 56);
FIELD(mach_port_deleted_notification_t, not_header, 0, 24);
FIELD(mach_port_deleted_notification_t, NDR, 24, 8);
FIELD(mach_port_deleted_notification_t, not_port, 32, 4);
FIELD(mach_port_deleted_notification_t, trailer, 36, 20);
SIZE(mach_send_possible_notification_t, 56);
FIELD(mach_send_possible_notification_t, not_header, 0, 24);
FIELD(mach_send_possible_notification_t, NDR, 24, 8);
FIELD(mach_send_possible_notification_t, not_port, 32, 4);
FIELD(mach_send_possible_notification_t, trailer, 36, 20);
SIZE(mach_port_destroyed_notification_t, 60);
FIELD(mach_port_destroyed_notification_t, not_header, 0, 24);
FIELD(mach_port_destroyed_notification_t, not_body, 24, 4);
FIELD(mach_port_destroyed_notification_t, not_port, 28, 12);
FIELD(mach_port_destroyed_notification_t, trailer, 40, 20);
SIZE(mach_no_senders_notification_t, 56);
FIELD(mach_no_senders_notification_t, not_header, 0, 24);
FIELD(mach_no_senders_notification_t, NDR, 24, 8);
FIELD(mach_no_senders_notification_t, not_count, 32, 4);
FIELD(mach_no_senders_notification_t, trailer, 36, 20);
SIZE(mach_send_once_notification_t, 44);
FIELD(mach_send_once_notification_t, not_header, 0, 24);
FIELD(mach_send_once_notification_t, trailer, 24, 20);
SIZE(mach_dead_name_notification_t, 56);
FIELD(mach_dead_name_notification_t, not_header, 0, 24);
FIELD(mach_dead_name_notification_t, NDR, 24, 8);
FIELD(mach_dead_name_notification_t, not_port, 32, 4);
FIELD(mach_dead_name_notification_t, trailer, 36, 20);

/* ---- MIG ----------------------------------------------------------------------------------- */

SIZE(NDR_record_t, 8);
FIELD(NDR_record_t, mig_vers, 0, 1);
FIELD(NDR_record_t, if_vers, 1, 1);
FIELD(NDR_record_t, reserved1, 2, 1);
FIELD(NDR_record_t, mig_encoding, 3, 1);
FIELD(NDR_record_t, int_rep, 4, 1);
FIELD(NDR_record_t, char_rep, 5, 1);
FIELD(NDR_record_t, float_rep, 6, 1);
FIELD(NDR_record_t, reserved2, 7, 1);
SIZE(mig_reply_error_t, 36);
FIELD(mig_reply_error_t, Head, 0, 24);
FIELD(mig_reply_error_t, NDR, 24, 8);
FIELD(mig_reply_error_t, RetCode, 32, 4);
SIZE(mig_symtab_t, 24);
FIELD(mig_symtab_t, ms_routine_name, 0, 8);
FIELD(mig_symtab_t, ms_routine_number, 8, 4);
FIELD(mig_symtab_t, ms_routine, 16, 8);

/* ---- ports --------------------------------------------------------------------------------- */

SIZE(mach_port_status_t, 40);
FIELD(mach_port_status_t, mps_pset, 0, 4);
FIELD(mach_port_status_t, mps_seqno, 4, 4);
FIELD(mach_port_status_t, mps_mscount, 8, 4);
FIELD(mach_port_status_t, mps_qlimit, 12, 4);
FIELD(mach_port_status_t, mps_msgcount, 16, 4);
FIELD(mach_port_status_t, mps_sorights, 20, 4);
FIELD(mach_port_status_t, mps_srights, 24, 4);
FIELD(mach_port_status_t, mps_pdrequest, 28, 4);
FIELD(mach_port_status_t, mps_nsrequest, 32, 4);
FIELD(mach_port_status_t, mps_flags, 36, 4);
SIZE(mach_port_limits_t, 4);
FIELD(mach_port_limits_t, mpl_qlimit, 0, 4);
SIZE(mach_port_info_ext_t, 68);
FIELD(mach_port_info_ext_t, mpie_status, 0, 40);
FIELD(mach_port_info_ext_t, mpie_boost_cnt, 40, 4);
FIELD(mach_port_info_ext_t, reserved, 44, 24);
SIZE(mach_port_guard_info_t, 8);
FIELD(mach_port_guard_info_t, mpgi_guard, 0, 8);
SIZE(mach_port_qos_t, 8);
FIELD(mach_port_qos_t, len, 4, 4);
SIZE(mach_port_options_t, 24);
FIELD(mach_port_options_t, flags, 0, 4);
FIELD(mach_port_options_t, mpl, 4, 4);
FIELD(mach_port_options_t, reserved, 8, 16);
FIELD(mach_port_options_t, work_interval_port, 8, 4);
FIELD(mach_port_options_t, service_port_info, 8, 8);
FIELD(mach_port_options_t, service_port_name, 8, 4);
SIZE(mach_service_port_info_data_t, 256);
FIELD(mach_service_port_info_data_t, mspi_string_name, 0, 255);
FIELD(mach_service_port_info_data_t, mspi_domain_type, 255, 1);
SIZE(ipc_info_space_t, 24);
FIELD(ipc_info_space_t, iis_genno_mask, 0, 4);
FIELD(ipc_info_space_t, iis_table_size, 4, 4);
FIELD(ipc_info_space_t, iis_table_next, 8, 4);
FIELD(ipc_info_space_t, iis_tree_size, 12, 4);
FIELD(ipc_info_space_t, iis_tree_small, 16, 4);
FIELD(ipc_info_space_t, iis_tree_hash, 20, 4);
SIZE(ipc_info_space_basic_t, 24);
FIELD(ipc_info_space_basic_t, iisb_genno_mask, 0, 4);
FIELD(ipc_info_space_basic_t, iisb_table_size, 4, 4);
FIELD(ipc_info_space_basic_t, iisb_table_next, 8, 4);
FIELD(ipc_info_space_basic_t, iisb_table_inuse, 12, 4);
FIELD(ipc_info_space_basic_t, iisb_reserved, 16, 8);
SIZE(ipc_info_name_t, 28);
FIELD(ipc_info_name_t, iin_name, 0, 4);
FIELD(ipc_info_name_t, iin_collision, 4, 4);
FIELD(ipc_info_name_t, iin_type, 8, 4);
FIELD(ipc_info_name_t, iin_urefs, 12, 4);
FIELD(ipc_info_name_t, iin_object, 16, 4);
FIELD(ipc_info_name_t, iin_next, 20, 4);
FIELD(ipc_info_name_t, iin_hash, 24, 4);
SIZE(ipc_info_port_t, 8);
FIELD(ipc_info_port_t, iip_port_object, 0, 4);
FIELD(ipc_info_port_t, iip_receiver_object, 4, 4);

/* ---- vouchers ------------------------------------------------------------------------------ */

SIZE(mach_voucher_attr_recipe_data_t, 16);
FIELD(mach_voucher_attr_recipe_data_t, key, 0, 4);
FIELD(mach_voucher_attr_recipe_data_t, command, 4, 4);
FIELD(mach_voucher_attr_recipe_data_t, previous_voucher, 8, 4);
FIELD(mach_voucher_attr_recipe_data_t, content_size, 12, 4);

/* ---- times --------------------------------------------------------------------------------- */

SIZE(time_value_t, 8);
FIELD(time_value_t, seconds, 0, 4);
FIELD(time_value_t, microseconds, 4, 4);
SIZE(mach_timespec_t, 8);
FIELD(mach_timespec_t, tv_sec, 0, 4);
FIELD(mach_timespec_t, tv_nsec, 4, 4);
SIZE(mach_timebase_info_data_t, 8);
FIELD(mach_timebase_info_data_t, numer, 0, 4);
FIELD(mach_timebase_info_data_t, denom, 4, 4);
SIZE(mk_timer_expire_msg_t, 48);
FIELD(mk_timer_expire_msg_t, header, 0, 24);
FIELD(mk_timer_expire_msg_t, unused, 24, 24);

/* ---- the host ------------------------------------------------------------------------------ */

SIZE(host_basic_info_data_t, 48);
FIELD(host_basic_info_data_t, max_cpus, 0, 4);
FIELD(host_basic_info_data_t, avail_cpus, 4, 4);
FIELD(host_basic_info_data_t, memory_size, 8, 4);
FIELD(host_basic_info_data_t, cpu_type, 12, 4);
FIELD(host_basic_info_data_t, cpu_subtype, 16, 4);
FIELD(host_basic_info_data_t, cpu_threadtype, 20, 4);
FIELD(host_basic_info_data_t, physical_cpu, 24, 4);
FIELD(host_basic_info_data_t, physical_cpu_max, 28, 4);
FIELD(host_basic_info_data_t, logical_cpu, 32, 4);
FIELD(host_basic_info_data_t, logical_cpu_max, 36, 4);
FIELD(host_basic_info_data_t, max_mem, 40, 8);
SIZE(host_sched_info_data_t, 8);
FIELD(host_sched_info_data_t, min_timeout, 0, 4);
FIELD(host_sched_info_data_t, min_quantum, 4, 4);
SIZE(host_priority_info_data_t, 32);
FIELD(host_priority_info_data_t, kernel_priority, 0, 4);
FIELD(host_priority_info_data_t, system_priority, 4, 4);
FIELD(host_priority_info_data_t, server_priority, 8, 4);
FIELD(host_priority_info_data_t, user_priority, 12, 4);
FIELD(host_priority_info_data_t, depress_priority, 16, 4);
FIELD(host_priority_info_data_t, idle_priority, 20, 4);
FIELD(host_priority_info_data_t, minimum_priority, 24, 4);
FIELD(host_priority_info_data_t, maximum_priority, 28, 4);
SIZE(host_load_info_data_t, 24);
FIELD(host_load_info_data_t, avenrun, 0, 12);
FIELD(host_load_info_data_t, mach_factor, 12, 12);
SIZE(host_cpu_load_info_data_t, 16);
FIELD(host_cpu_load_info_data_t, cpu_ticks, 0, 16);
SIZE(host_preferred_user_arch_data_t, 8);
FIELD(host_preferred_user_arch_data_t, cpu_type, 0, 4);
FIELD(host_preferred_user_arch_data_t, cpu_subtype, 4, 4);
SIZE(processor_cpu_load_info_data_t, 16);
FIELD(processor_cpu_load_info_data_t, cpu_ticks, 0, 16);
SIZE(vm_statistics_data_t, 60);
FIELD(vm_statistics_data_t, free_count, 0, 4);
FIELD(vm_statistics_data_t, active_count, 4, 4);
FIELD(vm_statistics_data_t, inactive_count, 8, 4);
FIELD(vm_statistics_data_t, wire_count, 12, 4);
FIELD(vm_statistics_data_t, zero_fill_count, 16, 4);
FIELD(vm_statistics_data_t, reactivations, 20, 4);
FIELD(vm_statistics_data_t, pageins, 24, 4);
FIELD(vm_statistics_data_t, pageouts, 28, 4);
FIELD(vm_statistics_data_t, faults, 32, 4);
FIELD(vm_statistics_data_t, cow_faults, 36, 4);
FIELD(vm_statistics_data_t, lookups, 40, 4);
FIELD(vm_statistics_data_t, hits, 44, 4);
FIELD(vm_statistics_data_t, purgeable_count, 48, 4);
FIELD(vm_statistics_data_t, purges, 52, 4);
FIELD(vm_statistics_data_t, speculative_count, 56, 4);
SIZE(vm_statistics64_data_t, 152);
FIELD(vm_statistics64_data_t, free_count, 0, 4);
FIELD(vm_statistics64_data_t, active_count, 4, 4);
FIELD(vm_statistics64_data_t, inactive_count, 8, 4);
FIELD(vm_statistics64_data_t, wire_count, 12, 4);
FIELD(vm_statistics64_data_t, zero_fill_count, 16, 8);
FIELD(vm_statistics64_data_t, reactivations, 24, 8);
FIELD(vm_statistics64_data_t, pageins, 32, 8);
FIELD(vm_statistics64_data_t, pageouts, 40, 8);
FIELD(vm_statistics64_data_t, faults, 48, 8);
FIELD(vm_statistics64_data_t, cow_faults, 56, 8);
FIELD(vm_statistics64_data_t, lookups, 64, 8);
FIELD(vm_statistics64_data_t, hits, 72, 8);
FIELD(vm_statistics64_data_t, purges, 80, 8);
FIELD(vm_statistics64_data_t, purgeable_count, 88, 4);
FIELD(vm_statistics64_data_t, speculative_count, 92, 4);
FIELD(vm_statistics64_data_t, decompressions, 96, 8);
FIELD(vm_statistics64_data_t, compressions, 104, 8);
FIELD(vm_statistics64_data_t, swapins, 112, 8);
FIELD(vm_statistics64_data_t, swapouts, 120, 8);
FIELD(vm_statistics64_data_t, compressor_page_count, 128, 4);
FIELD(vm_statistics64_data_t, throttled_count, 132, 4);
FIELD(vm_statistics64_data_t, external_page_count, 136, 4);
FIELD(vm_statistics64_data_t, internal_page_count, 140, 4);
FIELD(vm_statistics64_data_t, total_uncompressed_pages_in_compressor, 144, 8);

/* ---- tasks, threads and memory ------------------------------------------------------------- */

SIZE(task_absolutetime_info_data_t, 32);
FIELD(task_absolutetime_info_data_t, total_user, 0, 8);
FIELD(task_absolutetime_info_data_t, total_system, 8, 8);
FIELD(task_absolutetime_info_data_t, threads_user, 16, 8);
FIELD(task_absolutetime_info_data_t, threads_system, 24, 8);
SIZE(task_events_info_data_t, 32);
FIELD(task_events_info_data_t, faults, 0, 4);
FIELD(task_events_info_data_t, pageins, 4, 4);
FIELD(task_events_info_data_t, cow_faults, 8, 4);
FIELD(task_events_info_data_t, messages_sent, 12, 4);
FIELD(task_events_info_data_t, messages_received, 16, 4);
FIELD(task_events_info_data_t, syscalls_mach, 20, 4);
FIELD(task_events_info_data_t, syscalls_unix, 24, 4);
FIELD(task_events_info_data_t, csw, 28, 4);
SIZE(task_thread_times_info_data_t, 16);
FIELD(task_thread_times_info_data_t, user_time, 0, 8);
FIELD(task_thread_times_info_data_t, system_time, 8, 8);
SIZE(task_basic_info_32_data_t, 32);
FIELD(task_basic_info_32_data_t, suspend_count, 0, 4);
FIELD(task_basic_info_32_data_t, virtual_size, 4, 4);
FIELD(task_basic_info_32_data_t, resident_size, 8, 4);
FIELD(task_basic_info_32_data_t, user_time, 12, 8);
FIELD(task_basic_info_32_data_t, system_time, 20, 8);
FIELD(task_basic_info_32_data_t, policy, 28, 4);
SIZE(task_basic_info_64_data_t, 40);
FIELD(task_basic_info_64_data_t, suspend_count, 0, 4);
FIELD(task_basic_info_64_data_t, virtual_size, 4, 8);
FIELD(task_basic_info_64_data_t, resident_size, 12, 8);
FIELD(task_basic_info_64_data_t, user_time, 20, 8);
FIELD(task_basic_info_64_data_t, system_time, 28, 8);
FIELD(task_basic_info_64_data_t, policy, 36, 4);
SIZE(task_basic_info_data_t, 40);
FIELD(task_basic_info_data_t, suspend_count, 0, 4);
FIELD(task_basic_info_data_t, virtual_size, 4, 8);
FIELD(task_basic_info_data_t, resident_size, 12, 8);
FIELD(task_basic_info_data_t, user_time, 20, 8);
FIELD(task_basic_info_data_t, system_time, 28, 8);
FIELD(task_basic_info_data_t, policy, 36, 4);
SIZE(task_affinity_tag_info_data_t, 16);
FIELD(task_affinity_tag_info_data_t, set_count, 0, 4);
FIELD(task_affinity_tag_info_data_t, min, 4, 4);
FIELD(task_affinity_tag_info_data_t, max, 8, 4);
FIELD(task_affinity_tag_info_data_t, task_count, 12, 4);
SIZE(task_dyld_info_data_t, 20);
FIELD(task_dyld_info_data_t, all_image_info_addr, 0, 8);
FIELD(task_dyld_info_data_t, all_image_info_size, 8, 8);
FIELD(task_dyld_info_data_t, all_image_info_format, 16, 4);
SIZE(mach_task_basic_info_data_t, 48);
FIELD(mach_task_basic_info_data_t, virtual_size, 0, 8);
FIELD(mach_task_basic_info_data_t, resident_size, 8, 8);
FIELD(mach_task_basic_info_data_t, resident_size_max, 16, 8);
FIELD(mach_task_basic_info_data_t, user_time, 24, 8);
FIELD(mach_task_basic_info_data_t, system_time, 32, 8);
FIELD(mach_task_basic_info_data_t, policy, 40, 4);
FIELD(mach_task_basic_info_data_t, suspend_count, 44, 4);
SIZE(task_power_info_data_t, 48);
SIZE(task_vm_info_data_t, 152);
FIELD(task_vm_info_data_t, virtual_size, 0, 8);
FIELD(task_vm_info_data_t, region_count, 8, 4);
FIELD(task_vm_info_data_t, page_size, 12, 4);
FIELD(task_vm_info_data_t, resident_size, 16, 8);
FIELD(task_vm_info_data_t, resident_size_peak, 24, 8);
FIELD(task_vm_info_data_t, phys_footprint, 144, 8);
SIZE(task_flags_info_data_t, 4);
FIELD(task_flags_info_data_t, flags, 0, 4);
SIZE(thread_basic_info_data_t, 40);
FIELD(thread_basic_info_data_t, user_time, 0, 8);
FIELD(thread_basic_info_data_t, system_time, 8, 8);
FIELD(thread_basic_info_data_t, cpu_usage, 16, 4);
FIELD(thread_basic_info_data_t, policy, 20, 4);
FIELD(thread_basic_info_data_t, run_state, 24, 4);
FIELD(thread_basic_info_data_t, flags, 28, 4);
FIELD(thread_basic_info_data_t, suspend_count, 32, 4);
FIELD(thread_basic_info_data_t, sleep_time, 36, 4);
SIZE(thread_identifier_info_data_t, 24);
FIELD(thread_identifier_info_data_t, thread_id, 0, 8);
FIELD(thread_identifier_info_data_t, thread_handle, 8, 8);
FIELD(thread_identifier_info_data_t, dispatch_qaddr, 16, 8);
SIZE(thread_extended_info_data_t, 112);
FIELD(thread_extended_info_data_t, pth_user_time, 0, 8);
FIELD(thread_extended_info_data_t, pth_system_time, 8, 8);
FIELD(thread_extended_info_data_t, pth_cpu_usage, 16, 4);
FIELD(thread_extended_info_data_t, pth_policy, 20, 4);
FIELD(thread_extended_info_data_t, pth_run_state, 24, 4);
FIELD(thread_extended_info_data_t, pth_flags, 28, 4);
FIELD(thread_extended_info_data_t, pth_sleep_time, 32, 4);
FIELD(thread_extended_info_data_t, pth_curpri, 36, 4);
FIELD(thread_extended_info_data_t, pth_priority, 40, 4);
FIELD(thread_extended_info_data_t, pth_maxpriority, 44, 4);
FIELD(thread_extended_info_data_t, pth_name, 48, 64);
SIZE(vm_region_basic_info_data_64_t, 36);
FIELD(vm_region_basic_info_data_64_t, protection, 0, 4);
FIELD(vm_region_basic_info_data_64_t, max_protection, 4, 4);
FIELD(vm_region_basic_info_data_64_t, inheritance, 8, 4);
FIELD(vm_region_basic_info_data_64_t, shared, 12, 4);
FIELD(vm_region_basic_info_data_64_t, reserved, 16, 4);
FIELD(vm_region_basic_info_data_64_t, offset, 20, 8);
FIELD(vm_region_basic_info_data_64_t, behavior, 28, 4);
FIELD(vm_region_basic_info_data_64_t, user_wired_count, 32, 2);
SIZE(mach_vm_read_entry_t, 4096);
SIZE(vm_read_entry_t, 4096);

/* ---- the name service ---------------------------------------------------------------------- */

SIZE(name_t, 128);
SIZE(cmd_t, 512);

_Static_assert(_Alignof(mach_port_options_t) == 8, "mach_port_options_t");
_Static_assert(_Alignof(mach_port_guard_info_t) == 8, "mach_port_guard_info_t");
_Static_assert(_Alignof(mach_msg_context_trailer_t) == 4, "mach_msg_context_trailer_t");

/* ---- what only a running program sees --------------------------------------------------- */

static int failures;

static void
expect(int holds, const char *what)
{
	if (holds)
		return;
	printf("wrong: %s\n", what);
	failures++;
}

/* Is the bit-field @field of @type the @bytes bytes at @offset, and nothing else? */
#define BIT_FIELD(type, field, offset, bytes)                                                      \
	do {                                                                                       \
		type value;                                                                        \
		unsigned char seen[sizeof(value)], wanted[sizeof(value)] = { 0 };                  \
		memset(&value, 0, sizeof(value));                                                  \
		value.field--; /* all ones */                                                      \
		memcpy(seen, &value, sizeof(value));                                               \
		memset(wanted + (offset), 0xff, (bytes));                                          \
		expect(memcmp(seen, wanted, sizeof(value)) == 0, #type "." #field);                \
	} while (0)

static void
check_bit_fields(void)
{
	BIT_FIELD(mach_msg_type_descriptor_t, pad3, 8, 3);
	BIT_FIELD(mach_msg_type_descriptor_t, type, 11, 1);
	BIT_FIELD(mach_msg_port_descriptor_t, pad2, 8, 2);
	BIT_FIELD(mach_msg_port_descriptor_t, disposition, 10, 1);
	BIT_FIELD(mach_msg_port_descriptor_t, type, 11, 1);
	BIT_FIELD(mach_msg_ool_descriptor_t, deallocate, 8, 1);
	BIT_FIELD(mach_msg_ool_descriptor_t, copy, 9, 1);
	BIT_FIELD(mach_msg_ool_descriptor_t, pad1, 10, 1);
	BIT_FIELD(mach_msg_ool_descriptor_t, type, 11, 1);
	BIT_FIELD(mach_msg_ool_descriptor32_t, deallocate, 8, 1);
	BIT_FIELD(mach_msg_ool_descriptor32_t, copy, 9, 1);
	BIT_FIELD(mach_msg_ool_descriptor32_t, pad1, 10, 1);
	BIT_FIELD(mach_msg_ool_descriptor32_t, type, 11, 1);
	BIT_FIELD(mach_msg_ool_descriptor64_t, deallocate, 8, 1);
	BIT_FIELD(mach_msg_ool_descriptor64_t, copy, 9, 1);
	BIT_FIELD(mach_msg_ool_descriptor64_t, pad1, 10, 1);
	BIT_FIELD(mach_msg_ool_descriptor64_t, type, 11, 1);
	BIT_FIELD(mach_msg_ool_ports_descriptor_t, deallocate, 8, 1);
	BIT_FIELD(mach_msg_ool_ports_descriptor_t, copy, 9, 1);
	BIT_FIELD(mach_msg_ool_ports_descriptor_t, disposition, 10, 1);
	BIT_FIELD(mach_msg_ool_ports_descriptor_t, type, 11, 1);
	BIT_FIELD(mach_msg_ool_ports_descriptor32_t, deallocate, 8, 1);
	BIT_FIELD(mach_msg_ool_ports_descriptor32_t, copy, 9, 1);
	BIT_FIELD(mach_msg_ool_ports_descriptor32_t, disposition, 10, 1);
	BIT_FIELD(mach_msg_ool_ports_descriptor32_t, type, 11, 1);
	BIT_FIELD(mach_msg_ool_ports_descriptor64_t, deallocate, 8, 1);
	BIT_FIELD(mach_msg_ool_ports_descriptor64_t, copy, 9, 1);
	BIT_FIELD(mach_msg_ool_ports_descriptor64_t, disposition, 10, 1);
	BIT_FIELD(mach_msg_ool_ports_descriptor64_t, type, 11, 1);
	BIT_FIELD(mach_msg_guarded_port_descriptor_t, flags, 8, 2);
	BIT_FIELD(mach_msg_guarded_port_descriptor_t, disposition, 10, 1);
	BIT_FIELD(mach_msg_guarded_port_descriptor_t, type, 11, 1);
	BIT_FIELD(mach_msg_guarded_port_descriptor32_t, flags, 8, 2);
	BIT_FIELD(mach_msg_guarded_port_descriptor32_t, disposition, 10, 1);
	BIT_FIELD(mach_msg_guarded_port_descriptor32_t, type, 11, 1);
	BIT_FIELD(mach_msg_guarded_port_descriptor64_t, flags, 8, 2);
	BIT_FIELD(mach_msg_guarded_port_descriptor64_t, disposition, 10, 1);
	BIT_FIELD(mach_msg_guarded_port_descriptor64_t, type, 11, 1);

	mach_port_qos_t qos = { .name = 1 };
	expect(*(unsigned char *)&qos == 1, "mach_port_qos_t.name");
	qos = (mach_port_qos_t){ .prealloc = 1 };
	expect(*(unsigned char *)&qos == 2, "mach_port_qos_t.prealloc");
}

static void
check_values(void)
{
	security_token_t kernel_security = KERNEL_SECURITY_TOKEN_VALUE;
	audit_token_t kernel_audit = KERNEL_AUDIT_TOKEN_VALUE;
	audit_token_t invalid_audit = INVALID_AUDIT_TOKEN_VALUE;
	mach_msg_header_t empty = MACH_MSG_HEADER_EMPTY;
	unsigned char *bytes = (unsigned char *)&empty;

	expect(kernel_security.val[0] == 0 && kernel_security.val[1] == 1,
	       "KERNEL_SECURITY_TOKEN_VALUE");
	for (int i = 0; i < 8; i++) {
		expect(kernel_audit.val[i] == 0, "KERNEL_AUDIT_TOKEN_VALUE");
		expect(invalid_audit.val[i] == 0xffffffffu, "INVALID_AUDIT_TOKEN_VALUE");
	}
	for (size_t i = 0; i < sizeof(empty); i++)
		expect(bytes[i] == 0, "MACH_MSG_HEADER_EMPTY");
	expect(ERR_ROUTINE_NIL == (mach_error_fn_t)0, "ERR_ROUTINE_NIL");
	expect(MACH_MSG_NULL == NULL && MACH_MSG_BODY_NULL == NULL, "MACH_MSG_NULL");
	expect(MACH_MSG_DESCRIPTOR_NULL == NULL && MACH_MSG_SIZE_NULL == NULL,
	       "MACH_MSG_DESCRIPTOR_NULL");
	expect((uintptr_t)VOUCHER_MACH_MSG_STATE_UNCHANGED == UINTPTR_MAX,
	       "VOUCHER_MACH_MSG_STATE_UNCHANGED");
}

static void
check_times(void)
{
	time_value_t time = { 1, 999999 }, second = { 2, 2 };
	mach_timespec_t early = { 1, 999999999 }, late = { 2, 2 };

	time_value_add_usec(&time, 1);
	expect(time.seconds == 2 && time.microseconds == 0, "time_value_add_usec");
	time.microseconds = 999999;
	time_value_add(&time, &second);
	expect(time.seconds == 5 && time.microseconds == 1, "time_value_add");

	expect(CMP_MACH_TIMESPEC(&early, &late) < 0, "CMP_MACH_TIMESPEC");
	expect(CMP_MACH_TIMESPEC(&late, &early) > 0, "CMP_MACH_TIMESPEC");
	expect(CMP_MACH_TIMESPEC(&late, &late) == 0, "CMP_MACH_TIMESPEC");
	ADD_MACH_TIMESPEC(&early, &late);
	expect(early.tv_sec == 4 && early.tv_nsec == 1, "ADD_MACH_TIMESPEC");
	SUB_MACH_TIMESPEC(&early, &late);
	expect(early.tv_sec == 1 && early.tv_nsec == 999999999, "SUB_MACH_TIMESPEC");
	late.tv_nsec = 1000000000;
	expect(BAD_MACH_TIMESPEC(&late) && !BAD_MACH_TIMESPEC(&early), "BAD_MACH_TIMESPEC");
}

int
main(void)
{
	check_bit_fields();
	check_values();
	check_times();
	return failures == 0 ? 0 : 1;
}
