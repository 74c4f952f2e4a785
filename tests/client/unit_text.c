/*
 * What the library says of codes, strings and audit tokens.
 */
#include <mach/mach.h>
#include <mach/mach_error.h>

#include <bsm/libbsm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

static void
a_copy_is_cut_and_always_ends(void **state)
{
	char to[8];

	(void)state;
	memset(to, 'x', sizeof(to));
	assert_int_equal(mig_strncpy(to, "abc", sizeof(to)), 4);
	assert_string_equal(to, "abc");
	assert_int_equal(to[4], 'x');
	assert_int_equal(mig_strncpy(to, "abcdefghijk", sizeof(to)), 8);
	assert_string_equal(to, "abcdefg");
	assert_int_equal(mig_strncpy(to, "abc", 1), 1);
	assert_string_equal(to, "");
	to[0] = 'x';
	assert_int_equal(mig_strncpy(to, "abc", 0), 0);
	assert_int_equal(mig_strncpy(to, "abc", -5), 0);
	assert_int_equal(to[0], 'x');
}

static void
a_source_without_end_is_not_read_beyond_the_length(void **state)
{
	char to[8];
	char from[7] = { 'a', 'b', 'c', 'd', 'e', 'f', 'g' };

	(void)state;
	assert_int_equal(mig_strncpy(to, from, sizeof(to)), 8);
	assert_string_equal(to, "abcdefg");
}

static void
zerofill_leaves_nothing_of_what_was_there(void **state)
{
	char to[8];

	(void)state;
	memset(to, 'x', sizeof(to));
	assert_int_equal(mig_strncpy_zerofill(to, "abc", sizeof(to)), 4);
	assert_memory_equal(to, "abc\0\0\0\0\0", sizeof(to));
	memset(to, 'x', sizeof(to));
	assert_int_equal(mig_strncpy_zerofill(to, NULL, sizeof(to)), 1);
	assert_memory_equal(to, "\0\0\0\0\0\0\0\0", sizeof(to));
}

static void
a_reply_is_set_up_from_its_request(void **state)
{
	mach_msg_header_t request = {
		.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_PORT_SEND, MACH_MSG_TYPE_PORT_SEND_ONCE),
		.msgh_remote_port = 0x103,
		.msgh_local_port = 0x207,
		.msgh_id = 400,
	};
	mig_reply_error_t reply;

	(void)state;
	memset(&reply, 0xee, sizeof(reply));
	mig_reply_setup(&request, &reply.Head);
	assert_int_equal(reply.Head.msgh_bits, MACH_MSG_TYPE_PORT_SEND_ONCE);
	assert_int_equal(reply.Head.msgh_size, 36);
	assert_int_equal(reply.Head.msgh_remote_port, 0x207);
	assert_int_equal(reply.Head.msgh_local_port, 0);
	assert_int_equal(reply.Head.msgh_id, 500);
	assert_memory_equal(&reply.NDR, &NDR_record, sizeof(NDR_record));
	assert_int_equal(reply.RetCode, (kern_return_t)0xeeeeeeee);
}

/* ---- codes -------------------------------------------------------------------------- */

static void
every_assigned_code_has_a_text_of_its_own(void **state)
{
	static const struct {
		mach_error_t first, last;
		const char *start;
		mach_error_t gaps[3];
	} ranges[] = {
		{ 0, 56, "(os/kern) ", { 0 } },
		{ 0x10000001, 0x10000019, "(ipc/send) ", { 0x10000006, 0x10000014 } },
		{ 0x10004001, 0x10004013, "(ipc/rcv) ", { 0x10004010 } },
		{ -309, -300, "(ipc/mig) ", { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		for (mach_error_t e = ranges[i].first; e <= ranges[i].last; e++) {
			const char *text = mach_error_string(e);
			int is_gap = e != 0 && (e == ranges[i].gaps[0] || e == ranges[i].gaps[1]);

			assert_int_equal(strncmp(text, ranges[i].start, strlen(ranges[i].start)),
					 0);
			assert_int_equal(strstr(text, "unknown") != NULL, is_gap);
			if (e != ranges[i].first && !is_gap) {
				char before[100];
				snprintf(before, sizeof(before), "%s", mach_error_string(e - 1));
				assert_string_not_equal(before, text);
			}
		}
	}
}

static void
old_numbers_mean_what_the_new_ones_do(void **state)
{
	(void)state;
	assert_string_equal(mach_error_string(-102), mach_error_string(MACH_SEND_INVALID_DATA));
	assert_string_equal(mach_error_string(-203), mach_error_string(MACH_RCV_TIMED_OUT));
	assert_string_equal(mach_error_type(-102), "(ipc/send)");
	assert_string_equal(mach_error_type(1001), "(server/netname)");
	assert_string_equal(mach_error_type(1602), "(server/environment)");
	assert_string_equal(mach_error_type(27699), "(server/exec)");
}

static void
resource_bits_do_not_hide_the_code(void **state)
{
	(void)state;
	assert_string_equal(mach_error_string(MACH_RCV_BODY_ERROR | MACH_MSG_VM_SPACE),
			    mach_error_string(MACH_RCV_BODY_ERROR));
}

static void
unix_errors_are_told_by_libc(void **state)
{
	(void)state;
	assert_string_equal(mach_error_string(unix_err(2)), "(os/unix) No such file or directory");
	assert_string_equal(mach_error_type(unix_err(2)), "(os/unix)");
}

static void
an_unknown_system_has_a_type_all_the_same(void **state)
{
	(void)state;
	assert_string_equal(mach_error_type(err_system(0x20) | 5), "(?/?)");
	assert_non_null(strstr(mach_error_string(err_system(0x20) | 5), "unknown"));
}

static void
mach_error_writes_one_line(void **state)
{
	char line[200] = { 0 };
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	int kept = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	mach_error("what:", KERN_INVALID_NAME);
	mach_error("that:", 200);
	fflush(stderr);
	dup2(kept, STDERR_FILENO);
	assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
	assert_string_equal(
	    line, "what: (os/kern) no such name\nthat: (os/kern) unknown error code (c8)\n");
	close(ends[0]);
	close(ends[1]);
	close(kept);
}

/* ---- tokens ------------------------------------------------------------------------- */

static void
each_part_of_a_token_is_found(void **state)
{
	audit_token_t token = { { 10, 11, 12, 13, 14, 15, 16, 17 } };
	uid_t auid, euid, ruid;
	gid_t egid, rgid;
	pid_t pid;
	au_asid_t asid;

	(void)state;
	assert_int_equal(audit_token_to_auid(token), 10);
	assert_int_equal(audit_token_to_euid(token), 11);
	assert_int_equal(audit_token_to_egid(token), 12);
	assert_int_equal(audit_token_to_ruid(token), 13);
	assert_int_equal(audit_token_to_rgid(token), 14);
	assert_int_equal(audit_token_to_pid(token), 15);
	assert_int_equal(audit_token_to_asid(token), 16);
	assert_int_equal(audit_token_to_pidversion(token), 17);
	audit_token_to_au32(token, &auid, &euid, &egid, &ruid, &rgid, &pid, &asid, NULL);
	assert_int_equal(auid + euid + egid + ruid + rgid + (unsigned)pid + (unsigned)asid,
			 10 + 11 + 12 + 13 + 14 + 15 + 16);
	audit_token_to_au32(token, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_is_cut_and_always_ends),
		cmocka_unit_test(a_source_without_end_is_not_read_beyond_the_length),
		cmocka_unit_test(zerofill_leaves_nothing_of_what_was_there),
		cmocka_unit_test(a_reply_is_set_up_from_its_request),
		cmocka_unit_test(every_assigned_code_has_a_text_of_its_own),
		cmocka_unit_test(old_numbers_mean_what_the_new_ones_do),
		cmocka_unit_test(resource_bits_do_not_hide_the_code),
		cmocka_unit_test(unix_errors_are_told_by_libc),
		cmocka_unit_test(an_unknown_system_has_a_type_all_the_same),
		cmocka_unit_test(mach_error_writes_one_line),
		cmocka_unit_test(each_part_of_a_token_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
