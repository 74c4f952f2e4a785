/*
 * Job configuration: what a property list says about a job.
 *
 * Plain data: nothing here knows of ports or processes.  Keys and defaults are those of
 * launchd.plist(5), see bootstrap.md §8.
 */
#ifndef LAUNCHD_JOB_CONFIG_H
#define LAUNCHD_JOB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <servers/bootstrap.h>

#define JOB_THROTTLE_DEFAULT_S 10u
#define JOB_EXIT_TIMEOUT_DEFAULT_S 20u
#define JOB_SECONDS_MAX 31536000u /* of any interval: a year */
#define JOB_LABEL_MAX 255u        /* bytes */
#define JOB_SERVICES_MAX 10240u   /* declared by one job */
#define JOB_STRINGS_MAX 1024u     /* arguments, variables, paths: of each kind */
#define PLIST_DEPTH_MAX 32u       /* arrays and dictionaries inside one another */

enum job_drain {
	JOB_DRAIN_NONE,
	JOB_DRAIN_ONE, /* after a crash the oldest message is destroyed */
	JOB_DRAIN_ALL
};

struct job_service_config {
	name_t name;
	bool reset_at_close;
	bool hide_until_check_in;
	enum job_drain drain;
};

/* A string and the truth that goes with it: {path: true} and the like. */
struct job_condition {
	char *name;
	bool wanted;
};

struct job_condition_list {
	struct job_condition *items;
	size_t count;
};

/* Ends with NULL. */
struct job_strings {
	char **items;
	size_t count;
};

enum job_keep_alive {
	JOB_KEEP_ALIVE_NEVER,
	JOB_KEEP_ALIVE_ALWAYS,
	JOB_KEEP_ALIVE_CONDITIONS /* any of those below */
};

/* A boolean that may be missing. */
enum job_choice { JOB_CHOICE_NONE, JOB_CHOICE_FALSE, JOB_CHOICE_TRUE };

enum { JOB_STDIN, JOB_STDOUT, JOB_STDERR, JOB_STDIO_COUNT };

struct job_limit {
	bool has_soft, has_hard;
	rlim_t soft, hard;
};

#define JOB_LIMIT_COUNT 9

struct job_config {
	char *label;
	char *program;                /* NULL: the first argument */
	struct job_strings arguments; /* at least one unless there is a program */

	struct job_service_config *services;
	size_t service_count;

	bool run_at_load;
	bool disabled;
	bool launch_only_once;
	bool abandon_process_group;

	enum job_keep_alive keep_alive;
	enum job_choice successful_exit;
	enum job_choice crashed;
	bool after_initial_demand;
	struct job_condition_list path_state;
	struct job_condition_list other_job_enabled;

	uint32_t start_interval_s; /* 0: none */
	uint32_t throttle_s;
	uint32_t exit_timeout_s; /* 0: wait for ever */
	struct job_strings watch_paths;
	struct job_strings queue_directories;

	struct job_strings environment; /* NAME=value */
	char *working_directory;
	char *root_directory;
	char *stdio_path[JOB_STDIO_COUNT];
	bool has_umask;
	mode_t umask;
	bool has_nice;
	int nice;
	char *user_name;
	char *group_name;
	bool init_groups;
	struct job_limit limits[JOB_LIMIT_COUNT]; /* in the order of job_limit_resource() */
};

/* An empty configuration with the defaults.  NULL: no memory. */
struct job_config *job_config_new(void);
struct job_config *job_config_free(struct job_config *config);

/*
 * The configuration in the property list @xml of @size_bytes.
 *
 * Warnings about keys that are ignored, and the reason of a failure, are written to
 * @messages, a line each, naming the key and @path.
 *
 * 0        and *@config is the caller's
 * -EINVAL  no property list, a wrong type, a value out of range
 * -ENOMEM
 */
int job_config_parse(const char *xml, size_t size_bytes, const char *path, FILE *messages,
		     struct job_config **config);

/* RLIMIT_* of a place in `limits`. */
int job_limit_resource(size_t index);

/* When may a job that was last started at @last_start_ns (0: never) start again? */
uint64_t job_throttle_until_ns(uint64_t last_start_ns, uint32_t throttle_s);

#endif
