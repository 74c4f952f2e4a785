/*
 * Leaks: see leaks.h.
 */
#include "tools/leaks.h"

#include "tools/sites.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A line of the report. */
struct leak {
	char *line;
	bool is_right; /* not words about something else */
	struct sites_right *right;
};

/* Who left what, from "leak: PID(LABEL) ended with KIND right NAME to ...". */
static bool
leak_parse(const char *line, uint32_t *pid, char label[64], char kind[32], uint32_t *name)
{
	int at = 0;

	if (sscanf(line, "leak: %u(%n", pid, &at) < 1 || at == 0)
		return false;
	/* the label is the program's choice: the last such place is ours */
	const char *end = NULL, *next = line + at;
	while ((next = strstr(next, ") ended with ")) != NULL)
		end = next++;
	if (!end || (size_t)(end - (line + at)) >= 64)
		return false;
	memcpy(label, line + at, (size_t)(end - (line + at)));
	label[end - (line + at)] = '\0';
	return sscanf(end, ") ended with %31s right %x", kind, name) == 2;
}

static void
leak_find(struct leak *leak, struct sites_found *found)
{
	uint32_t pid, name;
	char label[64], kind[32];

	leak->is_right = leak_parse(leak->line, &pid, label, kind, &name);
	if (leak->is_right)
		leak->right = sites_right_find(found, pid, label, name, kind);
}

void
leaks_print(char *report, const char *sites, FILE *out)
{
	size_t count = 0, i = 0;

	for (const char *at = report; *at != '\0'; at++)
		count += *at == '\n';
	if (count == 0)
		return;
	struct sites_found *found = sites_found_new(sites);
	struct leak *leaks = calloc(count, sizeof(leaks[0]));
	if (!found || !leaks) {
		fputs(report, out);
	} else {
		char *rest = report, *line;

		while (i < count && (line = strsep(&rest, "\n")) != NULL) {
			leaks[i].line = line;
			leak_find(&leaks[i++], found);
		}
		sites_look_up(found);
		for (size_t j = 0; j < i; j++) {
			fprintf(out, "%s\n", leaks[j].line);
			if (leaks[j].is_right)
				sites_right_print(found, leaks[j].right, out);
		}
		sites_summary_print(found, out);
	}
	free(leaks);
	found = sites_found_free(found);
}
