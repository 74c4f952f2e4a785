/* From property lists to configurations, and the small rules beside them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "servers/launchd/job_config.h"

#define PLIST(body)                                                                                \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                                             \
	"<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"x.dtd\">\n"                      \
	"<plist version=\"1.0\"><dict>" body "</dict></plist>\n"
#define JOB(body)                                                                                  \
	PLIST("<key>Label</key><string>a.job</string>"                                             \
	      "<key>ProgramArguments</key><array><string>/bin/a</string></array>" body)

/* The messages of the last parse. */
static char *said;

static struct job_config *
parse_bytes(const char *xml, size_t size, int expected)
{
	struct job_config *config;
	size_t said_size;

	free(said);
	FILE *messages = open_memstream(&said, &said_size);
	int error = job_config_parse(xml, size, "a.plist", messages, &config);
	fclose(messages);
	if (error != expected)
		print_message("%s", said);
	assert_int_equal(error, expected);
	assert_true(error ? config == NULL : config != NULL);
	return config;
}

static struct job_config *
parse(const char *xml)
{
	return parse_bytes(xml, strlen(xml), 0);
}

static void
refuses(const char *xml, const char *why)
{
	parse_bytes(xml, strlen(xml), -EINVAL);
	if (!strstr(said, why))
		fail_msg("expected \"%s\" in: %s", why, said);
}

static void
a_plain_job_has_the_defaults(void **state)
{
	struct job_config *config = parse(JOB(""));

	assert_string_equal(config->label, "a.job");
	assert_null(config->program);
	assert_int_equal(config->arguments.count, 1);
	assert_int_equal(config->throttle_s, 10);
	assert_int_equal(config->exit_timeout_s, 20);
	assert_int_equal(config->keep_alive, JOB_KEEP_ALIVE_NEVER);
	assert_true(config->init_groups);
	assert_false(config->run_at_load);
	assert_string_equal(said, "");
	job_config_free(config);
}

static void
services_are_declared_with_their_options(void **state)
{
	struct job_config *config = parse(JOB(
	    "<key>MachServices</key><dict>"
	    "<key>one</key><true/><key>not</key><false/>"
	    "<key>two</key><dict><key>ResetAtClose</key><true/><key>HideUntilCheckIn</key><true/>"
	    "<key>DrainMessagesOnCrash</key><string>All</string></dict></dict>"));

	assert_int_equal(config->service_count, 2);
	assert_string_equal(config->services[0].name, "one");
	assert_false(config->services[0].reset_at_close);
	assert_string_equal(config->services[1].name, "two");
	assert_true(config->services[1].reset_at_close);
	assert_true(config->services[1].hide_until_check_in);
	assert_int_equal(config->services[1].drain, JOB_DRAIN_ALL);
	job_config_free(config);
}

static void
a_service_name_of_128_bytes_is_refused(void **state)
{
	char name[129], xml[1024];

	memset(name, 'n', 127);
	name[127] = '\0';
	snprintf(xml, sizeof(xml), JOB("<key>MachServices</key><dict><key>%s</key><true/></dict>"),
		 name);
	struct job_config *config = parse(xml);
	assert_string_equal(config->services[0].name, name);
	job_config_free(config);
	strcat(name, "n");
	snprintf(xml, sizeof(xml), JOB("<key>MachServices</key><dict><key>%s</key><true/></dict>"),
		 name);
	refuses(xml, "1 to 127 bytes");
	refuses(JOB("<key>MachServices</key><dict><key></key><true/></dict>"), "1 to 127 bytes");
}

static void
keep_alive_is_a_truth_or_conditions(void **state)
{
	struct job_config *config = parse(JOB("<key>KeepAlive</key><true/>"));

	assert_int_equal(config->keep_alive, JOB_KEEP_ALIVE_ALWAYS);
	job_config_free(config);
	config = parse(JOB("<key>OnDemand</key><false/>"));
	assert_int_equal(config->keep_alive, JOB_KEEP_ALIVE_ALWAYS);
	job_config_free(config);
	config = parse(JOB("<key>KeepAlive</key><dict><key>SuccessfulExit</key><false/>"
			   "<key>PathState</key><dict><key>/x</key><true/></dict>"
			   "<key>OtherJobEnabled</key><dict><key>b</key><false/></dict></dict>"));
	assert_int_equal(config->keep_alive, JOB_KEEP_ALIVE_CONDITIONS);
	assert_int_equal(config->successful_exit, JOB_CHOICE_FALSE);
	assert_int_equal(config->crashed, JOB_CHOICE_NONE);
	assert_int_equal(config->path_state.count, 1);
	assert_string_equal(config->path_state.items[0].name, "/x");
	assert_true(config->path_state.items[0].wanted);
	assert_false(config->other_job_enabled.items[0].wanted);
	job_config_free(config);
	refuses(JOB("<key>KeepAlive</key><integer>1</integer>"), "KeepAlive");
}

static void
numbers_have_bounds(void **state)
{
	struct job_config *config = parse(JOB("<key>ThrottleInterval</key><integer>0</integer>"
					      "<key>ExitTimeOut</key><integer>3</integer>"
					      "<key>Nice</key><integer>-5</integer>"
					      "<key>Umask</key><string>027</string>"));

	assert_int_equal(config->throttle_s, 0);
	assert_int_equal(config->exit_timeout_s, 3);
	assert_int_equal(config->nice, -5);
	assert_int_equal(config->umask, 027);
	job_config_free(config);
	config = parse(JOB("<key>Umask</key><integer>18</integer>"));
	assert_int_equal(config->umask, 022);
	job_config_free(config);
	refuses(JOB("<key>ThrottleInterval</key><integer>-1</integer>"), "ThrottleInterval");
	refuses(JOB("<key>StartInterval</key><integer>99999999999</integer>"), "StartInterval");
	refuses(JOB("<key>Nice</key><integer>21</integer>"), "Nice");
	refuses(JOB("<key>Umask</key><string>8</string>"), "Umask");
	refuses(JOB("<key>Umask</key><integer>-1</integer>"), "Umask");
}

static void
a_wrong_type_is_an_error_that_names_key_and_file(void **state)
{
	refuses(JOB("<key>RunAtLoad</key><string>yes</string>"), "a.plist: RunAtLoad");
	refuses(JOB("<key>StandardOutPath</key><string>x</string>"), "StandardOutPath");
	refuses(JOB("<key>WatchPaths</key><array><true/></array>"), "WatchPaths");
	refuses(JOB("<key>EnvironmentVariables</key><dict><key>A</key><true/></dict>"),
		"EnvironmentVariables");
	refuses(JOB("<key>EnvironmentVariables</key><dict><key>A=B</key><string/></dict>"),
		"EnvironmentVariables");
	refuses(JOB("<key>MachServices</key><dict><key>a</key><string>b</string></dict>"),
		"MachServices");
	refuses(JOB("<key>HardResourceLimits</key><dict><key>Core</key><true/></dict>"),
		"HardResourceLimits");
}

static void
what_is_needed_is_asked_for(void **state)
{
	refuses(PLIST("<key>Program</key><string>/bin/a</string>"), "Label");
	refuses(PLIST("<key>Label</key><string>a</string>"), "Program");
	refuses(PLIST("<key>Label</key><string></string>"), "Label");
	refuses(PLIST("<key>Label</key><string>a</string><key>ProgramArguments</key><array/>"),
		"Program");
	struct job_config *config =
	    parse(PLIST("<key>Label</key><string>a</string><key>Program</key><string>/b</string>"));
	assert_string_equal(config->program, "/b");
	job_config_free(config);
}

static void
unknown_keys_and_those_not_supported_are_named_and_ignored(void **state)
{
	struct job_config *config = parse(JOB("<key>Sockets</key><dict/><key>Typo</key><true/>"));

	assert_non_null(strstr(said, "a.plist: Sockets: not supported yet, ignored\n"));
	assert_non_null(strstr(said, "a.plist: Typo: unknown key, ignored\n"));
	job_config_free(config);
}

static void
environment_and_limits_are_taken(void **state)
{
	struct job_config *config = parse(
	    JOB("<key>EnvironmentVariables</key><dict><key>A</key><string>1</string></dict>"
		"<key>SoftResourceLimits</key><dict><key>NumberOfFiles</key><integer>99</integer>"
		"<key>Nonsense</key><integer>1</integer></dict>"));

	assert_string_equal(config->environment.items[0], "A=1");
	assert_null(config->environment.items[1]);
	for (size_t i = 0; i < JOB_LIMIT_COUNT; i++) {
		assert_false(config->limits[i].has_hard);
		assert_int_equal(config->limits[i].has_soft,
				 job_limit_resource(i) == RLIMIT_NOFILE);
	}
	assert_non_null(strstr(said, "Nonsense"));
	job_config_free(config);
}

static void
what_is_no_property_list_is_refused(void **state)
{
	refuses("", "well-formed");
	refuses("hello", "well-formed");
	refuses("<plist version=\"1.0\"><array/></plist>", "dictionary");
	refuses("<plist version=\"1.0\"><dict></plist>", "closes nothing");
	refuses("<plist version=\"1.0\"><dict></dict>", "<plist> is not closed");
	refuses("<plist version=\"1.0\"><dict/", "no end");
	refuses("bplist00", "XML");
}

static void
what_could_mislead_the_parser_does_not_reach_it(void **state)
{
	refuses(JOB("<!-- </dict></dict> -->"), "does not belong");
	refuses(JOB("<key>A</key><string a=\">\">x</string>"), "does not belong");
	refuses("<!DOCTYPE plist [ <!ENTITY a \"b\"> ]><plist version=\"1.0\"><dict/></plist>",
		"does not belong");
	refuses(JOB("<key>A</key><string><![CDATA[<dict>]]></string>"), "does not belong");
}

static void
values_too_deep_are_refused(void **state)
{
	static const char open[] = "<plist version=\"1.0\"><dict><key>A</key>";
	size_t levels = 100000;
	char *xml = calloc(1, sizeof(open) + levels * 7 + 1);

	strcpy(xml, open);
	for (size_t i = 0; i < levels; i++)
		memcpy(xml + sizeof(open) - 1 + i * 7, "<array>", 7);
	refuses(xml, "levels deep");
	free(xml);
}

static void
no_cut_or_changed_byte_does_harm(void **state)
{
	static const char xml[] = JOB("<key>MachServices</key><dict><key>one</key><dict>"
				      "<key>ResetAtClose</key><true/></dict></dict>"
				      "<key>Umask</key><string>022</string>");
	char copy[sizeof(xml)];

	for (size_t i = 0; i < sizeof(xml) - 1; i++) {
		static const char bytes[] = { '<', '>', '/', '&', '\0', (char)0xff };
		for (size_t b = 0; b <= sizeof(bytes); b++) {
			struct job_config *config;
			size_t size = b == sizeof(bytes) ? i : sizeof(xml) - 1;
			memcpy(copy, xml, sizeof(xml));
			if (b < sizeof(bytes))
				copy[i] = bytes[b];
			size_t said_size;
			free(said);
			FILE *messages = open_memstream(&said, &said_size);
			int error = job_config_parse(copy, size, "a.plist", messages, &config);
			fclose(messages);
			assert_true(error == 0 || (error == -EINVAL && *said));
			job_config_free(config);
		}
	}
}

static void
throttling_counts_from_the_last_start(void **state)
{
	assert_true(job_throttle_until_ns(0, 10) == 0);
	assert_true(job_throttle_until_ns(5, 10) == 10000000005u);
	assert_true(job_throttle_until_ns(5, 0) == 5);
}

static int
forget_words(void **state)
{
	free(said);
	said = NULL;
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_job_has_the_defaults),
		cmocka_unit_test(services_are_declared_with_their_options),
		cmocka_unit_test(a_service_name_of_128_bytes_is_refused),
		cmocka_unit_test(keep_alive_is_a_truth_or_conditions),
		cmocka_unit_test(numbers_have_bounds),
		cmocka_unit_test(a_wrong_type_is_an_error_that_names_key_and_file),
		cmocka_unit_test(what_is_needed_is_asked_for),
		cmocka_unit_test(unknown_keys_and_those_not_supported_are_named_and_ignored),
		cmocka_unit_test(environment_and_limits_are_taken),
		cmocka_unit_test(what_is_no_property_list_is_refused),
		cmocka_unit_test(what_could_mislead_the_parser_does_not_reach_it),
		cmocka_unit_test(values_too_deep_are_refused),
		cmocka_unit_test(no_cut_or_changed_byte_does_harm),
		cmocka_unit_test(throttling_counts_from_the_last_start),
	};

	return cmocka_run_group_tests(tests, NULL, forget_words);
}
