/*
 * Everything of Mach that programs mostly want.
 */
#ifndef _MACH_H_
#define _MACH_H_

#include <mach/mach_error.h>
#include <mach/mach_host.h>
#include <mach/mach_init.h>
#include <mach/mach_interface.h>
#include <mach/mach_port.h>
#include <mach/mach_types.h>
#include <mach/mig.h>
#include <mach/mig_errors.h>
#include <mach/notify.h>
#include <mach/rpc.h>
#include <mach/std_types.h>
#include <mach/thread_switch.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- messages ---------------------------------------------------------------------- */

/* mach_msg() with the size that the header says, and no timeout. */
extern mach_msg_return_t mach_msg_send(mach_msg_header_t *header);

/* mach_msg() from the port msgh_local_port into msgh_size bytes, with no timeout. */
extern mach_msg_return_t mach_msg_receive(mach_msg_header_t *header);

/* Give up every right and all memory that a received message, or one not sent, holds. */
extern void mach_msg_destroy(mach_msg_header_t *msg);

/*
 * Receive requests at @rcv_name for ever, let @demux answer each, send the replies.
 *
 * @max_size  of any request or reply, without trailer
 * @options   for each mach_msg()
 *
 * Returns what receiving failed with, or sending; a client that is gone is no failure.
 * Source: mach-messages.md §15.2.
 */
extern mach_msg_return_t
mach_msg_server(boolean_t (*demux)(mach_msg_header_t *request, mach_msg_header_t *reply),
		mach_msg_size_t max_size, mach_port_t rcv_name, mach_msg_options_t options);

/* The same for one request. */
extern mach_msg_return_t
mach_msg_server_once(boolean_t (*demux)(mach_msg_header_t *request, mach_msg_header_t *reply),
		     mach_msg_size_t max_size, mach_port_t rcv_name, mach_msg_options_t options);

/* mach_msg_server() by another name. */
extern mach_msg_return_t mach_msg_server_importance(boolean_t (*demux)(mach_msg_header_t *request,
								       mach_msg_header_t *reply),
						    mach_msg_size_t max_size, mach_port_t rcv_name,
						    mach_msg_options_t options);

/*
 * Make @reply the answer to @request: where it goes, its size (mig_reply_error_t) and number.
 * RetCode stays as it is.
 */
extern void mig_reply_setup(mach_msg_header_t *request, mach_msg_header_t *reply);

/* ---- clocks -------------------------------------------------------------------------- */

extern kern_return_t clock_get_res(mach_port_t clock, clock_res_t *resolution);
extern kern_return_t clock_set_res(mach_port_t clock, clock_res_t resolution);

/*
 * Sleep until (TIME_ABSOLUTE) or for (TIME_RELATIVE) @sleep_time; *@wake_time becomes when it
 * ended.  A null clock is the system's.
 *
 * KERN_INVALID_ARGUMENT  not a clock
 * KERN_FAILURE           the calendar clock
 * KERN_INVALID_VALUE     a bad type or time
 * KERN_ABORTED           interrupted
 */
extern kern_return_t clock_sleep(mach_port_t clock, int sleep_type, mach_timespec_t sleep_time,
				 mach_timespec_t *wake_time);

/* ---- vouchers of messages: Darwin's policy ------------------------------------------------ */

#define VOUCHER_MACH_MSG_API_VERSION 20140205

typedef struct voucher_mach_msg_state_s *voucher_mach_msg_state_t;
#define VOUCHER_MACH_MSG_STATE_UNCHANGED ((voucher_mach_msg_state_t)~0ul)

/* Put the thread's voucher into a header; TRUE if there was one. */
extern boolean_t voucher_mach_msg_set(mach_msg_header_t *msg);

/* Take it out again, if it was put there. */
extern void voucher_mach_msg_clear(mach_msg_header_t *msg);

/* Make a received message's voucher the thread's; and put the old one back. */
extern voucher_mach_msg_state_t voucher_mach_msg_adopt(mach_msg_header_t *msg);
extern void voucher_mach_msg_revert(voucher_mach_msg_state_t state);

/* ---- old ones -------------------------------------------------------------------------- */

/* Say something on the console and end. */
extern void panic_init(mach_port_t port);
extern void panic(const char *format, ...);

/* What a kind of processor is called.  Gives static texts. */
extern void slot_name(cpu_type_t cpu_type, cpu_subtype_t cpu_subtype, char **cpu_name,
		      char **cpu_subname);

#ifdef __cplusplus
}
#endif

#endif
