/*
 * What stubs ask of the kernel: run without any, for mach_msg() is ours and only notes how it
 * was called.
 *
 * Compiled with TWO_CALLS for -R, with NO_VOUCHERS for -novouchers.
 */
#include "calls.h"
#include "data.h"
#include "mig_test.h"

/* ---- mach_msg --------------------------------------------------------------------------- */

static struct {
	mach_msg_option_t option;
	mach_msg_size_t send_size;
	mach_msg_timeout_t timeout;
	mach_port_name_t receive_from;
} noted[2];
static unsigned noted_count, voucher_count, before_count, after_count;
static const char *traced;

mach_msg_return_t
mach_msg(mach_msg_header_t *msg, mach_msg_option_t option, mach_msg_size_t send_size,
	 mach_msg_size_t rcv_size, mach_port_name_t rcv_name, mach_msg_timeout_t timeout,
	 mach_port_name_t notify)
{
	if (noted_count < 2) {
		noted[noted_count].option = option;
		noted[noted_count].send_size = send_size;
		noted[noted_count].timeout = timeout;
		noted[noted_count].receive_from = rcv_name;
	}
	noted_count++;
	if ((option & MACH_SEND_MSG) != 0) {
		/* the stub tells the size, and leaves no byte of the header to chance */
		expect_equal(msg->msgh_voucher_port, MACH_PORT_NULL);
		expect((option & MACH_RCV_MSG) == 0 || rcv_size >= 36 + 8);
	}
	return (option & MACH_RCV_MSG) != 0 ? MACH_RCV_INTERRUPTED : MACH_MSG_SUCCESS;
}

boolean_t
voucher_mach_msg_set(mach_msg_header_t *msg)
{
	(void)msg;
	voucher_count++;
	return FALSE;
}

mach_port_t
mig_get_reply_port(void)
{
	return 0x703;
}

void
mig_dealloc_reply_port(mach_port_t port)
{
	expect_equal(port, 0x703);
}

mach_port_t
mig_get_special_reply_port(void)
{
	return 0x803;
}

void
mig_dealloc_special_reply_port(mach_port_t port)
{
	expect_equal(port, 0x803);
}

/* The trace macros, which the command line points here. */
void
before_hook(int number, const char *name)
{
	expect_equal(number, 10000);
	traced = name;
	before_count++;
}

void
after_hook(int number, const char *name)
{
	expect_equal(number, 10000);
	expect(strcmp(name, traced) == 0);
	after_count++;
}

/* ---- what is asked of the kernel ------------------------------------------------------------ */

static void
asked(kern_return_t code, mach_msg_option_t option, mach_msg_size_t send_size,
      mach_msg_timeout_t timeout, mach_port_t receive_from)
{
	bool two = false;

#ifdef TWO_CALLS
	two = (option & MACH_RCV_MSG) != 0;
#endif
	expect_equal(code, (option & MACH_RCV_MSG) != 0 ? MACH_RCV_INTERRUPTED : 0);
	expect_equal(noted_count, two ? 2 : 1);
	expect_equal(noted[0].send_size, send_size);
	expect_equal(noted[0].timeout, timeout);
	expect_equal(noted[two].receive_from, receive_from);
	if (two) {
		mach_msg_option_t both = MACH_SEND_MSG | MACH_RCV_MSG;
		expect_equal(noted[0].option & both, MACH_SEND_MSG);
		expect_equal(noted[1].option & both, MACH_RCV_MSG);
		expect_equal(noted[1].send_size, 0);
		expect_equal((noted[0].option | noted[1].option), option);
	} else {
		expect_equal(noted[0].option, option);
	}
#ifdef NO_VOUCHERS
	expect_equal(voucher_count, 0);
#else
	expect_equal(voucher_count, 1);
#endif
	noted_count = 0;
	voucher_count = 0;
}

static void
options(void)
{
	const mach_msg_option_t both = MACH_SEND_MSG | MACH_RCV_MSG;
	security_token_t sender;
	audit_token_t audit;
	int number;

	asked(data_nothing(0x103), both, 24, 0, 0x703);
	expect_equal(before_count, 1);
	expect_equal(after_count, 1);
	expect(strcmp(traced, "data_nothing") == 0);
	asked(data_tell_nothing(0x103), MACH_SEND_MSG, 24, 0, MACH_PORT_NULL);
	asked(call_wait_statement(0x103), both | MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT, 24, 150,
	      0x703);
	asked(call_wait_argument(0x103, 321, 0), both | MACH_SEND_TIMEOUT | MACH_RCV_TIMEOUT, 36,
	      321, 0x703);
	asked(call_send_statement(0x103, 0x203, NULL, 0), MACH_SEND_MSG | MACH_SEND_TIMEOUT, 68, 10,
	      MACH_PORT_NULL);
	asked(call_send_argument(0x103, 99, 0x203, NULL, 0), MACH_SEND_MSG | MACH_SEND_TIMEOUT, 68,
	      99, MACH_PORT_NULL);
	asked(call_option_statement(0x103), MACH_SEND_MSG | MACH_SEND_TIMEOUT, 24, 0,
	      MACH_PORT_NULL);
	asked(call_option_argument(0x103, MACH_SEND_INTERRUPT), MACH_SEND_MSG | MACH_SEND_INTERRUPT,
	      24, 0, MACH_PORT_NULL);
	asked(call_special(0x103, 1, &number),
	      both | MACH_SEND_SYNC_OVERRIDE | MACH_SEND_SYNC_USE_THRPRI | MACH_RCV_SYNC_WAIT, 36,
	      0, 0x803);
	asked(call_reply_here(0x103, 0x903, 1, &number), both, 36, 0, 0x903);
	asked(call_who_is_server(0x103, &sender, &audit, &number),
	      both | MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |
		  MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT),
	      24, 0, 0x703);
}

int
main(void)
{
	options();
	puts("done");
	return 0;
}
