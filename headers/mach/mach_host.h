/*
 * The calls on the host.
 *
 * @host is mach_host_self(), which gives a right that the caller deallocates.
 *
 * MACH_SEND_INVALID_DEST  it is no send right
 *
 * Source: mach-kobjects.md §4, §5 and §10.
 */
#ifndef _MACH_MACH_HOST_H_
#define _MACH_MACH_HOST_H_

#include <mach/clock_types.h>
#include <mach/host_info.h>
#include <mach/host_notify.h>
#include <mach/host_special_ports.h>
#include <mach/mach_init.h>
#include <mach/mach_types.h>
#include <mach/mach_voucher_types.h>
#include <mach/processor_info.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What @flavor (HOST_BASIC_INFO, ...) tells, into @host_info_out, which holds
 * *@host_info_outCnt numbers.
 *
 * KERN_FAILURE           too few
 * KERN_INVALID_ARGUMENT  a null host, or no such flavor
 */
extern kern_return_t host_info(host_t host, host_flavor_t flavor, host_info_t host_info_out,
			       mach_msg_type_number_t *host_info_outCnt);

/* What the kernel calls itself. */
extern kern_return_t host_kernel_version(host_t host, kernel_version_t kernel_version);

/*
 * Counts since the start: HOST_LOAD_INFO, HOST_VM_INFO, HOST_CPU_LOAD_INFO.
 *
 * KERN_INVALID_HOST      a null host
 * KERN_FAILURE           *@host_info_outCnt is too small
 * KERN_INVALID_ARGUMENT  no such flavor
 */
extern kern_return_t host_statistics(host_t host_priv, host_flavor_t flavor,
				     host_info_t host_info_out,
				     mach_msg_type_number_t *host_info_outCnt);

/* The same with 64 bits: HOST_VM_INFO64. */
extern kern_return_t host_statistics64(host_t host_priv, host_flavor_t flavor,
				       host_info64_t host_info64_out,
				       mach_msg_type_number_t *host_info64_outCnt);

/*
 * The same of each processor (PROCESSOR_BASIC_INFO, PROCESSOR_CPU_LOAD_INFO), one behind the
 * other.  Gives the array.
 */
extern kern_return_t host_processor_info(host_t host, processor_flavor_t flavor,
					 natural_t *out_processor_count,
					 processor_info_array_t *out_processor_info,
					 mach_msg_type_number_t *out_processor_infoCnt);

/* The clock SYSTEM_CLOCK or CALENDAR_CLOCK: a send right.  KERN_INVALID_ARGUMENT: another. */
extern kern_return_t host_get_clock_service(host_t host, clock_id_t clock_id,
					    clock_serv_t *clock_serv);

/* The set of all processors: its name, a send right. */
extern kern_return_t processor_set_default(host_t host, processor_set_name_t *default_set);

/* Where I/O Kit is: a send right. */
extern kern_return_t host_get_io_main(host_t host, io_main_t *io_main);
extern kern_return_t host_get_io_master(host_t host, io_master_t *io_master);

/* Tell @notify_port of changes. */
extern kern_return_t host_request_notification(host_t host, host_notify_type_t notify_type,
					       mach_port_t notify_port);

/*
 * A voucher made by the steps of @recipes (mach_voucher_attr_recipe_data_t, one behind the
 * other).  Gives a send right; none for no recipe.
 *
 * KERN_INVALID_ARGUMENT    malformed, or an unknown key
 * KERN_INVALID_CAPABILITY  a previous voucher is none, or nobody manages the key
 * KERN_NO_SPACE            its attributes would need more than that many bytes of recipes
 * MIG_ARRAY_TOO_LARGE      above MACH_VOUCHER_ATTR_MAX_RAW_RECIPE_ARRAY_SIZE bytes
 */
extern kern_return_t host_create_mach_voucher(host_t host,
					      mach_voucher_attr_raw_recipe_array_t recipes,
					      mach_msg_type_number_t recipesCnt,
					      ipc_voucher_t *voucher);

#ifdef __cplusplus
}
#endif

#endif
