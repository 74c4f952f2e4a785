/*
 * Fuzzing of what the name server reads of jobs: any bytes as a property list, and as the command
 * line of bootstrap_create_server().
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "servers/launchd/job_config.h"
#include "servers/launchd/words.h"

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
strings_must_be_whole(const struct job_strings *strings)
{
	must(strings->count <= JOB_STRINGS_MAX);
	for (size_t i = 0; i < strings->count; i++)
		must(strings->items[i] != NULL);
	must(strings->items == NULL || strings->items[strings->count] == NULL);
}

static void
config_must_be_whole(const struct job_config *config)
{
	must(config->label != NULL && config->label[0] != '\0');
	must(strlen(config->label) <= JOB_LABEL_MAX);
	must(config->program != NULL || config->arguments.count > 0);
	must(config->service_count <= JOB_SERVICES_MAX);
	for (size_t i = 0; i < config->service_count; i++) {
		const char *name = config->services[i].name;
		size_t length = strnlen(name, sizeof(name_t));

		must(length > 0 && length < sizeof(name_t));
	}
	strings_must_be_whole(&config->arguments);
	strings_must_be_whole(&config->watch_paths);
	strings_must_be_whole(&config->queue_directories);
	strings_must_be_whole(&config->environment);
	must(config->start_interval_s <= JOB_SECONDS_MAX);
	must(config->throttle_s <= JOB_SECONDS_MAX);
	must(config->exit_timeout_s <= JOB_SECONDS_MAX);
}

static void
try_words(const uint8_t *bytes, size_t size)
{
	char *command = malloc(size + 1), **words;
	size_t count;

	must(command != NULL);
	if (size > 0)
		memcpy(command, bytes, size);
	command[size] = '\0';
	if (words_split(command, &words, &count) == 0) {
		must(count > 0 && count <= WORDS_MAX && words[count] == NULL);
		words_free(words);
	}
	free(command);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct job_config *config = NULL;
	char *said = NULL;
	size_t said_size;
	FILE *messages = open_memstream(&said, &said_size);

	must(messages != NULL);
	int error = job_config_parse((const char *)bytes, size, "fuzz.plist", messages, &config);
	fclose(messages);
	must(error == 0 || error == -EINVAL || error == -ENOMEM);
	must((error == 0) == (config != NULL));
	if (error == -EINVAL) /* what is refused is told of */
		must(said_size > 0);
	if (config != NULL)
		config_must_be_whole(config);
	job_config_free(config);
	free(said);
	try_words(bytes, size);
	return 0;
}
