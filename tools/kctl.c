/*
 * berth kctl: kernel controls, who is connected to them, and what was counted.
 *
 * The kernel knows which controls there are; of connections only their kexthosts know, which
 * are asked one by one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/json.h"
#include "tools/kernel_ask.h"
#include "tools/kext_host.h"
#include "wire/kext.h"

static const char help_text[] =
    "Usage: berth kctl [--json] [--kernel KERNEL]\n"
    "\n"
    "Show the kernel controls that kernel extensions have registered, the programs that are\n"
    "connected to them, and the statistics of both.\n"
    "\n"
    "  --json           one JSON document instead of tables\n" KERNEL_HELP;

#define HOST_PATIENCE_S 10

/* CTL_FLAG_* of <sys/kern_control.h>, which shows them to kexts only */
static const struct {
	uint32_t flag;
	const char *name;
} flag_names[] = {
	{ 0x1, "privileged" }, { 0x2, "id-unit" }, { 0x4, "stream" },
	{ 0x8, "extended" },   { 0x10, "crit" },   { 0x20, "setup" },
};

/* struct kctlstat, in its order; those of controls are the kernel's, the rest the kexthosts' */
static const char *const counters[] = {
	"reg_total",
	"reg_count",
	"pcbcount",
	"gencnt",
	"connections",
	"conn_fail",
	"send_fail",
	"send_list_fail",
	"enqueue_fail",
	"enqueue_fullsock",
	"bad_kctlref",
	"tbl_size_too_big",
	"enqdata_mb_alloc_fail",
	"enqdata_sbappend_fail",
};

#define COUNTER_COUNT (sizeof(counters) / sizeof(counters[0]))
enum { COUNTER_REG_COUNT = 1 };

struct hosts {
	uint32_t *ids;
	size_t count;
};

struct picture {
	char *controls; /* JSON lines */
	char *hosts;    /* the same, of all kexthosts */
	uint64_t values[COUNTER_COUNT];
};

static void
picture_free(struct picture *picture)
{
	free(picture->controls);
	free(picture->hosts);
}

/* ---- asking ------------------------------------------------------------------------------- */

/* Each once.  False: no memory. */
static bool
hosts_add(struct hosts *hosts, uint32_t id)
{
	for (size_t i = 0; i < hosts->count; i++) {
		if (hosts->ids[i] == id)
			return true;
	}
	uint32_t *ids = reallocarray(hosts->ids, hosts->count + 1, sizeof(*ids));

	if (!ids)
		return false;
	hosts->ids = ids;
	hosts->ids[hosts->count++] = id;
	return true;
}

static int
ask_host(uint32_t id, FILE *out)
{
	struct kext_outcome outcome = { 0 };
	int err = kext_host_command("kctl", id, WIRE_COMMAND_STATUS, NULL, NULL, 0, HOST_PATIENCE_S,
				    out, &outcome);

	if (err == -EPIPE) /* it has gone meanwhile */
		return COMMAND_OK;
	if (err == -ETIMEDOUT) {
		fprintf(stderr,
			"berth kctl: a kexthost does not answer; what it knows is missing\n");
		return COMMAND_OK;
	}
	if (err == 0 && outcome.result != 0)
		return command_failed("kctl", "%s", outcome.why);
	return err;
}

/* Look at each line of *@text without spoiling it. */
static void
count_all(struct picture *picture)
{
	char *copy = strdup(picture->hosts), *rest = copy;
	char kind[16];

	for (char *line = json_line(&rest); line; line = json_line(&rest)) {
		json_string(line, "kind", kind, sizeof(kind));
		if (strcmp(kind, "statistics") != 0)
			continue;
		for (size_t i = 0; i < COUNTER_COUNT; i++)
			picture->values[i] += json_number(line, counters[i]);
	}
	free(copy);
}

/* 0, or the exit code after saying what went wrong. */
static int
ask_all(struct picture *picture, const char *kernel)
{
	struct hosts hosts = { 0 };
	size_t size;
	int code = kernel_ask_text("kctl", kernel, WIRE_INSPECT_KEXTS, &picture->hosts);
	bool has_memory = true;

	if (code != 0)
		return code;
	/* also those without controls: their failures count */
	char *rest = picture->hosts;

	for (char *line = json_line(&rest); line; line = json_line(&rest))
		has_memory =
		    hosts_add(&hosts, (uint32_t)json_number(line, "host_id")) && has_memory;
	free(picture->hosts);
	picture->hosts = NULL;
	code = kernel_ask_text("kctl", NULL, WIRE_INSPECT_CONTROLS, &picture->controls);
	FILE *out = code == 0 ? open_memstream(&picture->hosts, &size) : NULL;

	for (size_t i = 0; out && i < hosts.count && code == 0; i++)
		code = ask_host(hosts.ids[i], out);
	if (out && fclose(out) != 0)
		has_memory = false;
	free(hosts.ids);
	if (code == 0 && (!has_memory || !picture->hosts))
		code = command_failed("kctl", "out of memory");
	if (code != 0)
		return code;
	count_all(picture);
	/* the kernel counts these itself */
	picture->values[COUNTER_REG_COUNT] = 0;
	for (const char *at = picture->controls; *at != '\0'; at++)
		picture->values[COUNTER_REG_COUNT] += *at == '\n';
	return 0;
}

/* ---- printing ----------------------------------------------------------------------------- */

static void
print_flags(uint32_t flags)
{
	const char *before = "";

	for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++) {
		if (!(flags & flag_names[i].flag))
			continue;
		printf("%s%s", before, flag_names[i].name);
		before = ",";
	}
	puts(before[0] != '\0' ? "" : "-");
}

static void
print_controls(char *rest)
{
	char name[WIRE_CTL_NAME_MAX];

	printf("%6s %6s %9s %9s %7s %-40s %s\n", "ID", "UNIT", "SENDSIZE", "RECVSIZE", "PID",
	       "NAME", "FLAGS");
	for (char *line = json_line(&rest); line; line = json_line(&rest)) {
		uint64_t unit = json_number(line, "unit");

		json_string(line, "name", name, sizeof(name));
		printf("%6" PRIu64, json_number(line, "id"));
		if (unit == UINT32_MAX)
			printf(" %6s", "-"); /* the kernel chooses */
		else
			printf(" %6" PRIu64, unit);
		printf(" %9" PRIu64 " %9" PRIu64 " %7" PRIu64 " %-40s ",
		       json_number(line, "sendsize"), json_number(line, "recvsize"),
		       json_number(line, "pid"), name);
		print_flags((uint32_t)json_number(line, "flags"));
	}
}

static void
print_connections(char *rest)
{
	char kind[16], type[16], state[16];

	printf("\n%6s %6s %7s %-6s %-9s %9s %7s %9s %9s\n", "ID", "UNIT", "PID", "TYPE", "STATE",
	       "QUEUED", "RECORDS", "RECVSIZE", "SENDSIZE");
	for (char *line = json_line(&rest); line; line = json_line(&rest)) {
		json_string(line, "kind", kind, sizeof(kind));
		if (strcmp(kind, "connection") != 0)
			continue;
		json_string(line, "type", type, sizeof(type));
		json_string(line, "state", state, sizeof(state));
		printf("%6" PRIu64 " %6" PRIu64 " %7" PRIu64 " %-6s %-9s %9" PRIu64 " %7" PRIu64
		       " %9" PRIu64 " %9" PRIu64 "\n",
		       json_number(line, "id"), json_number(line, "unit"), json_number(line, "pid"),
		       type, state, json_number(line, "queued_bytes"),
		       json_number(line, "queued_records"), json_number(line, "recvsize"),
		       json_number(line, "sendsize"));
	}
}

/* The lines of @rest whose kind is @kind (NULL: all) as an array. */
static void
print_json_array(const char *key, char *rest, const char *wanted)
{
	const char *before = "\n";
	char kind[16];

	printf("\"%s\": [", key);
	for (char *line = json_line(&rest); line; line = json_line(&rest)) {
		json_string(line, "kind", kind, sizeof(kind));
		if (wanted && strcmp(kind, wanted) != 0)
			continue;
		printf("%s%s", before, line);
		before = ",\n";
	}
	puts("\n],");
}

static void
print_picture(const struct picture *picture, bool is_json)
{
	if (is_json) {
		putchar('{');
		print_json_array("controls", picture->controls, NULL);
		print_json_array("connections", picture->hosts, "connection");
		printf("\"statistics\": {");
	} else {
		print_controls(picture->controls);
		print_connections(picture->hosts);
		putchar('\n');
	}
	for (size_t i = 0; i < COUNTER_COUNT; i++) {
		if (is_json)
			printf("%s\"%s\": %" PRIu64, i > 0 ? ", " : "", counters[i],
			       picture->values[i]);
		else
			printf("%-22s %" PRIu64 "\n", counters[i], picture->values[i]);
	}
	if (is_json)
		puts("}}");
}

int
berth_kctl_main(int argc, char **argv)
{
	struct picture picture = { 0 };
	const char *kernel = NULL;
	bool is_json = false;

	for (int i = 1; i < argc; i++) {
		const char *value, *option = argv[i];

		if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
			return command_help(help_text);
		if (strcmp(option, "--json") == 0)
			is_json = true;
		else if ((value = option_value("--kernel", argc, argv, &i)) && value[0])
			kernel = value;
		else
			return command_usage("kctl", "'%s' is no option, or lacks its value",
					     option);
	}
	int code = ask_all(&picture, kernel);

	if (code == COMMAND_REFUSED)
		code = COMMAND_FAILED;
	if (code == 0) {
		print_picture(&picture, is_json);
		code = fflush(stdout) == 0 ? COMMAND_OK : COMMAND_FAILED;
	}
	picture_free(&picture);
	return code;
}
