/*
 * Printing: whole lines, whoever prints; os_log's formats; panic().
 */
#include "tests/kpi/support.h"

#include "kexts/host/call.h"
#include "kexts/host/host_log.h"
#include "kexts/host/log.h"

#include <IOKit/IOLib.h>
#include <kern/debug.h>
#include <os/log.h>
#include <sys/syslog.h>
#include <sys/systm.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* ---- lines ----------------------------------------------------------------------------- */

static void
everything_goes_into_one_log(void **state)
{
	log_take();
	assert_int_equal(printf("printf %d\n", 1), 9);
	IOLog("IOLog %s\n", "two");
	kprintf("kprintf %c\n", '3');
	log(LOG_ERR, "log %#x\n", 4);
	host_log("said by the host");
	assert_string_equal(log_taken(), "printf 1\nIOLog two\nkprintf 3\nlog 0x4\n"
					 "kexthost: said by the host\n");
}

static void
a_line_is_written_when_it_is_whole(void **state)
{
	log_take();
	printf("one ");
	printf("line");
	printf("\nand\nhalf of");
	printf(" the next");
	assert_int_equal(lseek(STDERR_FILENO, 0, SEEK_END), strlen("one line\nand\n"));
	host_log_flush();
	host_log_flush();
	printf("\n\nx\n");
	assert_string_equal(log_taken(), "one line\nand\nhalf of the next\n\n\nx\n");
}

static void
an_unfinished_line_ends_with_the_call_and_the_thread_and_a_sleep(void **state)
{
	struct host_call call = { .caller = { .pid = 1 } };

	log_take();
	host_call_set_current(&call);
	printf("in a call");
	host_call_set_current(NULL);
	printf("before a sleep");
	IOSleep(1);
	os_log(OS_LOG_DEFAULT, "is a line of its own");
	assert_string_equal(log_taken(), "in a call\nbefore a sleep\nis a line of its own\n");
}

static void *
print_half(void *unused)
{
	printf("half a line");
	return NULL;
}

static void
what_a_thread_leaves_unfinished_is_not_lost(void **state)
{
	pthread_t thread;

	log_take();
	assert_int_equal(pthread_create(&thread, NULL, print_half, NULL), 0);
	pthread_join(thread, NULL);
	assert_string_equal(log_taken(), "half a line\n");
}

static void
print_pieces(void *argument)
{
	for (int i = 0; i < 200; i++) {
		printf("<%s", (const char *)argument);
		printf("%d", i);
		printf(">\n");
	}
}

static void
lines_of_threads_are_never_torn(void **state)
{
	unsigned lines = 0;
	char whole[16];

	log_take();
	struct running *first = thread_run_kpi(print_pieces, (char[]){ "first" });
	struct running *second = thread_run_kpi(print_pieces, (char[]){ "other" });
	thread_join(first);
	thread_join(second);
	for (const char *line = log_taken(); *line != '\0'; line = strchr(line, '\n') + 1) {
		int number = -1;

		assert_int_equal(sscanf(line, "<%5[a-z]%d>\n", whole, &number), 2);
		assert_true(strchr(line, '\n') == strchr(line, '>') + 1);
		lines++;
	}
	assert_int_equal(lines, 400);
}

static void
long_lines_are_cut_into_lines(void **state)
{
	char text[9000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_take();
	printf("%s\n", text); /* cut to 4,095 */
	for (int i = 0; i < 30; i++)
		printf("%.100s", text); /* a line without an end */
	host_log_raw("", text);
	unsigned length = 0, longest = 0, total = 0;
	for (const char *at = log_taken(); *at != '\0'; at++) {
		length = *at == '\n' ? 0 : length + 1;
		total += *at == 'x';
		if (length > longest)
			longest = length;
	}
	assert_true(longest < 4096);
	assert_true(total > 4000 + 3000 + 4000);
}

static void
a_reader_that_does_not_read_holds_up_nobody_for_long(void **state)
{
	int ends[2], saved = dup(STDERR_FILENO);
	char text[4096];

	host_log_flush();
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	for (int i = 0; i < 200000; i++) /* far more than a pipe holds */
		printf("line %d\n", i);

	ssize_t got = read(ends[0], text, sizeof(text) - 1);
	assert_true(got > 0);
	text[got] = '\0';
	assert_memory_equal(text, "line 0\nline 1\n", 14);
	/* now there is room: how much was lost is said first */
	assert_true(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
	while (read(ends[0], text, sizeof(text)) > 0)
		;
	printf("after all\n");
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(saved);
	close(ends[1]);
	got = read(ends[0], text, sizeof(text) - 1);
	assert_true(got > 0);
	text[got] = '\0';
	close(ends[0]);
	assert_non_null(strstr(text, " lines were lost here\nafter all\n"));
}

static void
errno_is_left_alone(void **state)
{
	log_take();
	errno = ENOTDIR;
	printf("x\n");
	os_log_error(OS_LOG_DEFAULT, "y");
	host_log("z");
	assert_int_equal(errno, ENOTDIR);
	(void)log_taken();
}

/* ---- printing into memory ------------------------------------------------------------------ */

static void
scnprintf_counts_what_is_there(void **state)
{
	char text[5];

	assert_int_equal(scnprintf(text, sizeof(text), "%s", "1234567"), 4);
	assert_string_equal(text, "1234");
	assert_int_equal(scnprintf(text, sizeof(text), "ab"), 2);
	assert_int_equal(scnprintf(text, 0, "ab"), 0);
	assert_int_equal(strlcpy(text, "1234567", sizeof(text)), 7);
	assert_string_equal(text, "1234");
	assert_int_equal(strlcat(text, "5", sizeof(text)), 5);
	assert_string_equal(text, "1234");
	assert_ptr_equal(strnstr(text, "34", 4), text + 2);
	assert_null(strnstr(text, "34", 3));
}

/* ---- os_log ----------------------------------------------------------------------------- */

static const char *
formatted(const char *format, ...)
{
	static char text[128];
	va_list arguments;

	va_start(arguments, format);
	size_t size = os_log_format(text, sizeof(text), format, arguments);
	va_end(arguments);
	assert_int_equal(size, strlen(text));
	return text;
}

static void
annotations_of_os_log_are_parsed_away(void **state)
{
	assert_string_equal(formatted("%{public}s and %{private}d", "text", 7), "text and 7");
	assert_string_equal(formatted("%{public, signpost.description:attribute}@", 1), "%@");
	assert_string_equal(formatted("%{private, mask.hash}s|", "s"), "s|");
	assert_string_equal(formatted("%{public}-8.3s|%{public}08x", "abcdef", 0xbeef),
			    "abc     |0000beef");
	assert_string_equal(formatted("%{public"), "%{public");
	assert_string_equal(formatted("100%"), "100%");
	assert_string_equal(formatted("100%% %%d"), "100% %d");
	assert_string_equal(formatted(""), "");
}

static void
conversions_of_os_log_are_those_of_printf(void **state)
{
	assert_string_equal(formatted("%d %i %u %o %x %X", -1, -2, 3u, 8u, 255u, 255u),
			    "-1 -2 3 10 ff FF");
	assert_string_equal(formatted("%hhd %hd %ld %lld %qd %jd %zd %td", 257, 65537, -1L, -2LL,
				      -3LL, (intmax_t)-4, (ssize_t)-5, (ptrdiff_t)-6),
			    "1 1 -1 -2 -3 -4 -5 -6");
	assert_string_equal(formatted("%hhu %hu %lu %llu %qx %ju %zu", 257, 65537, 1UL, UINT64_MAX,
				      0x1234567890abcdefULL, (uintmax_t)4, (size_t)5),
			    "1 1 1 18446744073709551615 1234567890abcdef 4 5");
	assert_string_equal(formatted("%5d|%-5d|%05d|%+d|% d|%#x", 1, 2, 3, 4, 5, 6),
			    "    1|2    |00003|+4| 5|0x6");
	assert_string_equal(formatted("%*d|%-*d|%*d|%.*s|%.*d", 4, 1, 4, 2, -4, 3, 2, "xyz", 3, 7),
			    "   1|2   |3   |xy|007");
	assert_string_equal(formatted("%c%s %p", 'c', "str", (void *)0x10), "cstr 0x10");
	assert_string_equal(formatted("%s", (char *)NULL), "(null)");
	assert_string_equal(formatted("%.2f %g %Lg", 1.005, 0.5, (long double)2.25),
			    "1.00 0.5 2.25");
}

static void
os_log_has_m_and_P(void **state)
{
	const uint8_t bytes[] = { 0x00, 0x7f, 0xff };

	errno = ENOENT;
	assert_string_equal(formatted("open: %m (%d)", 7), "open: No such file or directory (7)");
	assert_string_equal(formatted("%.3P|%.*P|%d", bytes, 2, bytes, 9), "007fff|007f|9");
	assert_string_equal(formatted("%{uuid_t}.2P|%P|%.4P", bytes, bytes, NULL), "007f||");
}

static void
a_line_of_os_log_that_is_too_long_is_cut(void **state)
{
	char long_text[400];

	memset(long_text, 'y', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	assert_int_equal(strlen(formatted("%s", long_text)), 127);
	assert_int_equal(strlen(formatted(long_text)), 127);
	assert_int_equal(strlen(formatted("%300d", 1)), 127);
	assert_int_equal(strlen(formatted("%*d%s", 100000, 1, "x")), 127);
}

static void
os_log_is_a_line_with_its_log_and_level(void **state)
{
	os_log_t mine = os_log_create("com.example", "net");

	assert_ptr_equal(os_log_create("com.example", "net"), mine);
	assert_ptr_not_equal(os_log_create("com.example", "disk"), mine);
	assert_true(os_log_info_enabled(mine));
	assert_false(os_log_debug_enabled(OS_LOG_DISABLED));
	log_take();
	os_log(OS_LOG_DEFAULT, "plain %{public}s", "text");
	os_log(mine, "with a newline\n");
	os_log_info(mine, "i");
	os_log_debug(mine, "d");
	os_log_error(OS_LOG_DEFAULT, "e");
	os_log_fault(mine, "f %d", 1);
	os_log_with_type(mine, OS_LOG_TYPE_ERROR, "t");
	os_log(OS_LOG_DISABLED, "never");
	assert_string_equal(log_taken(), "plain text\n"
					 "[com.example:net] with a newline\n"
					 "[com.example:net] info: i\n"
					 "[com.example:net] debug: d\n"
					 "error: e\n"
					 "[com.example:net] fault: f 1\n"
					 "[com.example:net] error: t\n");
}

/* ---- panic ------------------------------------------------------------------------------- */

static void
panic_with_a_number(void)
{
	printf("unfinished");
	panic("all is lost: %d\n", 42);
}

static void
panic_says_what_and_from_where(void **state)
{
	assert_panics(panic_with_a_number, "unfinished\npanic: all is lost: 42\npanic:   from ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_goes_into_one_log),
		cmocka_unit_test(a_line_is_written_when_it_is_whole),
		cmocka_unit_test(an_unfinished_line_ends_with_the_call_and_the_thread_and_a_sleep),
		cmocka_unit_test(what_a_thread_leaves_unfinished_is_not_lost),
		cmocka_unit_test(lines_of_threads_are_never_torn),
		cmocka_unit_test(long_lines_are_cut_into_lines),
		cmocka_unit_test(a_reader_that_does_not_read_holds_up_nobody_for_long),
		cmocka_unit_test(errno_is_left_alone),
		cmocka_unit_test(scnprintf_counts_what_is_there),
		cmocka_unit_test(annotations_of_os_log_are_parsed_away),
		cmocka_unit_test(conversions_of_os_log_are_those_of_printf),
		cmocka_unit_test(os_log_has_m_and_P),
		cmocka_unit_test(a_line_of_os_log_that_is_too_long_is_cut),
		cmocka_unit_test(os_log_is_a_line_with_its_log_and_level),
		cmocka_unit_test(panic_says_what_and_from_where),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
