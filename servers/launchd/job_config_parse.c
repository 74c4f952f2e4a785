/*
 * From a property list to a configuration.  Each key has a row in a table; a row's function
 * takes the value to its field.
 */
#include "job_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plist_reader.h"

/* ---- values ---------------------------------------------------------------------------- */

#define FIELD(type, target, offset) ((type *)(void *)((char *)(target) + (offset)))

static int
take_bool(struct plist_reader *reader, void *target, size_t offset, const char *name, plist_t value)
{
	*FIELD(bool, target, offset) = plist_truth(value);
	return 0;
}

static int
take_choice(struct plist_reader *reader, void *target, size_t offset, const char *name,
	    plist_t value)
{
	*FIELD(enum job_choice, target, offset) =
	    plist_truth(value) ? JOB_CHOICE_TRUE : JOB_CHOICE_FALSE;
	return 0;
}

static int
take_string(struct plist_reader *reader, void *target, size_t offset, const char *name,
	    plist_t value)
{
	char *copy = strdup(plist_text(value));

	if (!copy)
		return -ENOMEM;
	if (*copy == '\0') {
		free(copy);
		return plist_error(reader, name, "must not be empty");
	}
	free(*FIELD(char *, target, offset));
	*FIELD(char *, target, offset) = copy;
	return 0;
}

static int
take_path(struct plist_reader *reader, void *target, size_t offset, const char *name, plist_t value)
{
	if (plist_text(value)[0] != '/')
		return plist_error(reader, name, "must be an absolute path");
	return take_string(reader, target, offset, name, value);
}

static int
take_seconds(struct plist_reader *reader, void *target, size_t offset, const char *name,
	     plist_t value)
{
	int64_t seconds = plist_number(value);

	if (seconds < 0 || seconds > JOB_SECONDS_MAX)
		return plist_error(reader, name, "must be between 0 and %u seconds",
				   JOB_SECONDS_MAX);
	*FIELD(uint32_t, target, offset) = (uint32_t)seconds;
	return 0;
}

static int
strings_append(struct plist_reader *reader, const char *name, struct job_strings *strings,
	       char *string)
{
	if (!string)
		return -ENOMEM;
	if (strings->count == JOB_STRINGS_MAX) {
		free(string);
		return plist_error(reader, name, "more than %u values", JOB_STRINGS_MAX);
	}
	char **items = realloc(strings->items, (strings->count + 2) * sizeof(*items));
	if (!items) {
		free(string);
		return -ENOMEM;
	}
	strings->items = items;
	items[strings->count++] = string;
	items[strings->count] = NULL;
	return 0;
}

static int
take_strings(struct plist_reader *reader, void *target, size_t offset, const char *name,
	     plist_t value)
{
	for (uint32_t i = 0; i < plist_array_get_size(value); i++) {
		char *copy = strdup(plist_text(plist_array_get_item(value, i)));
		int error =
		    strings_append(reader, name, FIELD(struct job_strings, target, offset), copy);
		if (error)
			return error;
	}
	return 0;
}

/* ---- dictionaries ---------------------------------------------------------------------- */

static int
take_variable(struct plist_reader *reader, void *target, const char *key, plist_t value)
{
	char *variable = NULL;

	if (!plist_is(value, PLIST_STRING))
		return plist_error(reader, "EnvironmentVariables", "%.64s must be a string", key);
	if (key[0] == '\0' || strchr(key, '='))
		return plist_error(reader, "EnvironmentVariables", "\"%.64s\" cannot be a name",
				   key);
	if (asprintf(&variable, "%s=%s", key, plist_text(value)) < 0)
		return -ENOMEM;
	return strings_append(reader, "EnvironmentVariables", target, variable);
}

static int
take_environment(struct plist_reader *reader, void *target, size_t offset, const char *name,
		 plist_t value)
{
	return plist_each(reader, value, FIELD(struct job_strings, target, offset), take_variable);
}

static int
take_condition(struct plist_reader *reader, void *target, const char *key, plist_t value)
{
	struct job_condition_list *list = target;

	if (!plist_is(value, PLIST_BOOLEAN))
		return plist_error(reader, "KeepAlive", "%.64s must be true or false", key);
	if (list->count == JOB_STRINGS_MAX)
		return plist_error(reader, "KeepAlive", "more than %u conditions", JOB_STRINGS_MAX);
	struct job_condition *items = realloc(list->items, (list->count + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->count].name = strdup(key);
	if (!items[list->count].name)
		return -ENOMEM;
	items[list->count++].wanted = plist_truth(value);
	return 0;
}

static int
take_conditions(struct plist_reader *reader, void *target, size_t offset, const char *name,
		plist_t value)
{
	return plist_each(reader, value, FIELD(struct job_condition_list, target, offset),
			  take_condition);
}

#define CONFIG(field) offsetof(struct job_config, field)

static const struct plist_key keep_alive_keys[] = {
	{ "SuccessfulExit", WANT_BOOL, take_choice, CONFIG(successful_exit) },
	{ "Crashed", WANT_BOOL, take_choice, CONFIG(crashed) },
	{ "AfterInitialDemand", WANT_BOOL, take_bool, CONFIG(after_initial_demand) },
	{ "PathState", WANT_DICT, take_conditions, CONFIG(path_state) },
	{ "OtherJobEnabled", WANT_DICT, take_conditions, CONFIG(other_job_enabled) },
	{ "NetworkState", WANT_LATER, NULL, 0 },
	{ NULL, WANT_ANY, NULL, 0 },
};

static int
take_keep_alive(struct plist_reader *reader, void *target, size_t offset, const char *name,
		plist_t value)
{
	struct job_config *config = target;

	if (plist_is(value, PLIST_BOOLEAN)) {
		config->keep_alive =
		    plist_truth(value) ? JOB_KEEP_ALIVE_ALWAYS : JOB_KEEP_ALIVE_NEVER;
		return 0;
	}
	if (!plist_is(value, PLIST_DICT))
		return plist_error(reader, name, "must be true, false or a dictionary");
	config->keep_alive = JOB_KEEP_ALIVE_CONDITIONS;
	return plist_read_dict(reader, value, keep_alive_keys, config);
}

/* The old word for the opposite of KeepAlive. */
static int
take_on_demand(struct plist_reader *reader, void *target, size_t offset, const char *name,
	       plist_t value)
{
	struct job_config *config = target;

	if (!plist_truth(value))
		config->keep_alive = JOB_KEEP_ALIVE_ALWAYS;
	return 0;
}

static int
take_drain(struct plist_reader *reader, void *target, size_t offset, const char *name,
	   plist_t value)
{
	enum job_drain *drain = FIELD(enum job_drain, target, offset);

	if (strcmp(plist_text(value), "One") == 0)
		*drain = JOB_DRAIN_ONE;
	else if (strcmp(plist_text(value), "All") == 0)
		*drain = JOB_DRAIN_ALL;
	else
		return plist_error(reader, name, "must be One or All");
	return 0;
}

#define SERVICE(field) offsetof(struct job_service_config, field)

static const struct plist_key service_keys[] = {
	{ "ResetAtClose", WANT_BOOL, take_bool, SERVICE(reset_at_close) },
	{ "HideUntilCheckIn", WANT_BOOL, take_bool, SERVICE(hide_until_check_in) },
	{ "DrainMessagesOnCrash", WANT_STRING, take_drain, SERVICE(drain) },
	{ "TaskSpecialPort", WANT_LATER, NULL, 0 },
	{ "HostSpecialPort", WANT_LATER, NULL, 0 },
	{ "ExceptionServer", WANT_LATER, NULL, 0 },
	{ "kUNCServer", WANT_LATER, NULL, 0 },
	{ "PingEventUpdates", WANT_LATER, NULL, 0 },
	{ "EnterKernelDebuggerOnClose", WANT_LATER, NULL, 0 },
	{ NULL, WANT_ANY, NULL, 0 },
};

static int
take_service(struct plist_reader *reader, void *target, const char *key, plist_t value)
{
	struct job_config *config = target;
	struct job_service_config service = { .name = "" };

	if (key[0] == '\0' || strlen(key) >= sizeof(service.name)) {
		return plist_error(reader, "MachServices", "\"%.140s\" must have 1 to %zu bytes",
				   key, sizeof(service.name) - 1);
	}
	if (plist_is(value, PLIST_BOOLEAN)) {
		if (!plist_truth(value))
			return 0;
	} else if (plist_is(value, PLIST_DICT)) {
		int error = plist_read_dict(reader, value, service_keys, &service);
		if (error)
			return error;
	} else {
		return plist_error(reader, "MachServices", "%s must be true, false or a dictionary",
				   key);
	}
	if (config->service_count == JOB_SERVICES_MAX)
		return plist_error(reader, "MachServices", "more than %u services",
				   JOB_SERVICES_MAX);

	struct job_service_config *services =
	    realloc(config->services, (config->service_count + 1) * sizeof(*services));
	if (!services)
		return -ENOMEM;
	config->services = services;
	strcpy(service.name, key);
	services[config->service_count++] = service;
	return 0;
}

static int
take_services(struct plist_reader *reader, void *target, size_t offset, const char *name,
	      plist_t value)
{
	return plist_each(reader, value, target, take_service);
}

/* ---- limits and the like --------------------------------------------------------------- */

static const char *const limit_names[JOB_LIMIT_COUNT] = {
	"Core",
	"CPU",
	"Data",
	"FileSize",
	"MemoryLock",
	"NumberOfFiles",
	"NumberOfProcesses",
	"ResidentSetSize",
	"Stack",
};

struct limit_walk {
	struct job_config *config;
	const char *name;
	bool hard;
};

static int
take_limit(struct plist_reader *reader, void *target, const char *key, plist_t value)
{
	struct limit_walk *walk = target;
	size_t i = 0;

	while (i < JOB_LIMIT_COUNT && strcmp(limit_names[i], key) != 0)
		i++;
	if (i == JOB_LIMIT_COUNT) {
		plist_warn(reader, walk->name, "unknown limit %.64s, ignored", key);
		return 0;
	}
	if (!plist_is(value, PLIST_UINT) || plist_number(value) < 0)
		return plist_error(reader, walk->name, "%s must be an integer of 0 or more", key);
	struct job_limit *limit = &walk->config->limits[i];
	rlim_t number = (rlim_t)plist_number(value);
	if (walk->hard) {
		limit->has_hard = true;
		limit->hard = number;
	} else {
		limit->has_soft = true;
		limit->soft = number;
	}
	return 0;
}

static int
take_limits(struct plist_reader *reader, void *target, size_t offset, const char *name,
	    plist_t value)
{
	struct limit_walk walk = { target, name, strcmp(name, "HardResourceLimits") == 0 };

	return plist_each(reader, value, &walk, take_limit);
}

/* An integer, or a string that is one in octal, as "022". */
static int
take_umask(struct plist_reader *reader, void *target, size_t offset, const char *name,
	   plist_t value)
{
	struct job_config *config = target;
	long mask = -1;

	if (plist_is(value, PLIST_UINT)) {
		mask = (long)plist_number(value);
	} else if (plist_is(value, PLIST_STRING)) {
		char *end = NULL;
		mask = strtol(plist_text(value), &end, 8);
		if (end == plist_text(value) || *end != '\0')
			mask = -1;
	}
	if (mask < 0 || mask > 0777)
		return plist_error(reader, name, "must be an integer or an octal string up to 777");
	config->has_umask = true;
	config->umask = (mode_t)mask;
	return 0;
}

static int
take_nice(struct plist_reader *reader, void *target, size_t offset, const char *name, plist_t value)
{
	struct job_config *config = target;
	int64_t nice = plist_number(value);

	if (nice < -20 || nice > 20)
		return plist_error(reader, name, "must be between -20 and 20");
	config->has_nice = true;
	config->nice = (int)nice;
	return 0;
}

/* ---- the whole ------------------------------------------------------------------------- */

static const struct plist_key job_keys[] = {
	{ "Label", WANT_STRING, take_string, CONFIG(label) },
	{ "Program", WANT_STRING, take_string, CONFIG(program) },
	{ "ProgramArguments", WANT_STRING_ARRAY, take_strings, CONFIG(arguments) },
	{ "MachServices", WANT_DICT, take_services, 0 },
	{ "RunAtLoad", WANT_BOOL, take_bool, CONFIG(run_at_load) },
	{ "KeepAlive", WANT_ANY, take_keep_alive, 0 },
	{ "OnDemand", WANT_BOOL, take_on_demand, 0 },
	{ "Disabled", WANT_BOOL, take_bool, CONFIG(disabled) },
	{ "UserName", WANT_STRING, take_string, CONFIG(user_name) },
	{ "GroupName", WANT_STRING, take_string, CONFIG(group_name) },
	{ "InitGroups", WANT_BOOL, take_bool, CONFIG(init_groups) },
	{ "EnvironmentVariables", WANT_DICT, take_environment, CONFIG(environment) },
	{ "WorkingDirectory", WANT_STRING, take_path, CONFIG(working_directory) },
	{ "RootDirectory", WANT_STRING, take_path, CONFIG(root_directory) },
	{ "Umask", WANT_ANY, take_umask, 0 },
	{ "StandardInPath", WANT_STRING, take_path, CONFIG(stdio_path[JOB_STDIN]) },
	{ "StandardOutPath", WANT_STRING, take_path, CONFIG(stdio_path[JOB_STDOUT]) },
	{ "StandardErrorPath", WANT_STRING, take_path, CONFIG(stdio_path[JOB_STDERR]) },
	{ "StartInterval", WANT_INTEGER, take_seconds, CONFIG(start_interval_s) },
	{ "ThrottleInterval", WANT_INTEGER, take_seconds, CONFIG(throttle_s) },
	{ "ExitTimeOut", WANT_INTEGER, take_seconds, CONFIG(exit_timeout_s) },
	{ "WatchPaths", WANT_STRING_ARRAY, take_strings, CONFIG(watch_paths) },
	{ "QueueDirectories", WANT_STRING_ARRAY, take_strings, CONFIG(queue_directories) },
	{ "LaunchOnlyOnce", WANT_BOOL, take_bool, CONFIG(launch_only_once) },
	{ "AbandonProcessGroup", WANT_BOOL, take_bool, CONFIG(abandon_process_group) },
	{ "SoftResourceLimits", WANT_DICT, take_limits, 0 },
	{ "HardResourceLimits", WANT_DICT, take_limits, 0 },
	{ "Nice", WANT_INTEGER, take_nice, 0 },
	{ "StartCalendarInterval", WANT_LATER, NULL, 0 },
	{ "StartOnMount", WANT_LATER, NULL, 0 },
	{ "TimeOut", WANT_LATER, NULL, 0 },
	{ "EnableTransactions", WANT_LATER, NULL, 0 },
	{ "EnablePressuredExit", WANT_LATER, NULL, 0 },
	{ "EnableGlobbing", WANT_LATER, NULL, 0 },
	{ "ProcessType", WANT_LATER, NULL, 0 },
	{ "LowPriorityIO", WANT_LATER, NULL, 0 },
	{ "Sockets", WANT_LATER, NULL, 0 },
	{ "inetdCompatibility", WANT_LATER, NULL, 0 },
	{ "LimitLoadToSessionType", WANT_LATER, NULL, 0 },
	{ "LimitLoadToHosts", WANT_LATER, NULL, 0 },
	{ "LimitLoadFromHosts", WANT_LATER, NULL, 0 },
	{ "WaitForDebugger", WANT_LATER, NULL, 0 },
	{ "Debug", WANT_LATER, NULL, 0 },
	{ NULL, WANT_ANY, NULL, 0 },
};

static int
config_check(struct plist_reader *reader, const struct job_config *config)
{
	if (!config->label)
		return plist_error(reader, "Label", "missing");
	if (strlen(config->label) > JOB_LABEL_MAX)
		return plist_error(reader, "Label", "longer than %u bytes", JOB_LABEL_MAX);
	if (!config->program && config->arguments.count == 0)
		return plist_error(reader, "Program", "missing, and no ProgramArguments");
	if (!config->program && config->arguments.items[0][0] == '\0')
		return plist_error(reader, "ProgramArguments", "the first one must not be empty");
	return 0;
}

int
job_config_parse(const char *xml, size_t size_bytes, const char *path, FILE *messages,
		 struct job_config **config)
{
	struct plist_reader reader = { path, messages };

	*config = job_config_new();
	if (!*config)
		return -ENOMEM;
	int error = -EINVAL;
	plist_t plist = plist_parse_dict(&reader, xml, size_bytes, PLIST_DEPTH_MAX);
	if (plist) {
		error = plist_read_dict(&reader, plist, job_keys, *config);
		plist_free(plist);
	}
	if (!error)
		error = config_check(&reader, *config);
	if (error)
		*config = job_config_free(*config);
	return error;
}
