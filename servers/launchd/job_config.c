/*
 * The life of a configuration; job_config_parse.c fills it from a property list.
 */
#include "job_config.h"

#include <stdlib.h>
#include <string.h>

static const int limit_resources[JOB_LIMIT_COUNT] = {
	RLIMIT_CORE,   RLIMIT_CPU,   RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_MEMLOCK,
	RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RSS,  RLIMIT_STACK,
};

int
job_limit_resource(size_t index)
{
	return limit_resources[index];
}

uint64_t
job_throttle_until_ns(uint64_t last_start_ns, uint32_t throttle_s)
{
	return last_start_ns == 0 ? 0 : last_start_ns + (uint64_t)throttle_s * 1000000000u;
}

struct job_config *
job_config_new(void)
{
	struct job_config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	config->throttle_s = JOB_THROTTLE_DEFAULT_S;
	config->exit_timeout_s = JOB_EXIT_TIMEOUT_DEFAULT_S;
	config->init_groups = true;
	return config;
}

static void
strings_free(struct job_strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->items[i]);
	free(strings->items);
}

static void
conditions_free(struct job_condition_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].name);
	free(list->items);
}

struct job_config *
job_config_free(struct job_config *config)
{
	if (!config)
		return NULL;
	strings_free(&config->arguments);
	strings_free(&config->watch_paths);
	strings_free(&config->queue_directories);
	strings_free(&config->environment);
	conditions_free(&config->path_state);
	conditions_free(&config->other_job_enabled);
	for (size_t i = 0; i < JOB_STDIO_COUNT; i++)
		free(config->stdio_path[i]);
	free(config->label);
	free(config->program);
	free(config->working_directory);
	free(config->root_directory);
	free(config->user_name);
	free(config->group_name);
	free(config->services);
	free(config);
	return NULL;
}
