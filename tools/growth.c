/*
 * Growth: see growth.h.
 *
 * Rows are compared in order, as two sorted lists.  A right is the same one if task, kind, name
 * and port are: a name that was used again stands for another port.
 */
#include "tools/growth.h"

#include "tools/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct row {
	uint32_t pid;
	char label[64];
	char right[24];
	uint32_t name;
	uint32_t urefs;
	uint64_t port;
};

struct growth_look {
	struct row *rows; /* sorted */
	size_t count, room;
};

/* ---- a look ------------------------------------------------------------------------------- */

/* By task and kind: what makes one line of the answer. */
static int
compare_groups(const struct row *a, const struct row *b)
{
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	int order = strcmp(a->label, b->label);
	return order != 0 ? order : strcmp(a->right, b->right);
}

static int
compare_rows(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	int order = compare_groups(a, b);

	if (order != 0)
		return order;
	if (a->name != b->name)
		return a->name < b->name ? -1 : 1;
	return a->port < b->port ? -1 : a->port > b->port;
}

static int
look_add(struct growth_look *look, const struct row *row)
{
	if (look->count == look->room) {
		size_t room = look->room == 0 ? 256 : look->room * 2;
		struct row *rows = realloc(look->rows, room * sizeof(rows[0]));

		if (!rows)
			return -ENOMEM;
		look->rows = rows;
		look->room = room;
	}
	look->rows[look->count++] = *row;
	return 0;
}

int
growth_look_new(char *text, int32_t pid, struct growth_look **out)
{
	struct growth_look *look;
	const char *line;
	int err = 0;

	if (text[strspn(text, " \t\r\n")] != '[')
		return -EINVAL;
	look = calloc(1, sizeof(*look));
	if (!look)
		return -ENOMEM;
	while (err == 0 && (line = json_line(&text)) != NULL) {
		struct row row = {
			.pid = (uint32_t)json_number(line, "pid"),
			.name = (uint32_t)json_number(line, "name"),
			.urefs = (uint32_t)json_number(line, "urefs"),
			.port = json_number(line, "port"),
		};

		if (line[strspn(line, " \t\r")] != '{')
			continue; /* the brackets around the rows */
		/* what the library keeps for itself is nobody's growth, as it is nobody's leak */
		if (json_true(line, "kept_by_library") || (pid != 0 && row.pid != (uint32_t)pid))
			continue;
		if (row.pid == 0 || !json_string(line, "label", row.label, sizeof(row.label)) ||
		    !json_string(line, "right", row.right, sizeof(row.right)))
			err = -EINVAL;
		else
			err = look_add(look, &row);
	}
	if (err < 0) {
		growth_look_free(look);
		return err;
	}
	if (look->count > 0)
		qsort(look->rows, look->count, sizeof(look->rows[0]), compare_rows);
	*out = look;
	return 0;
}

struct growth_look *
growth_look_free(struct growth_look *look)
{
	if (look)
		free(look->rows);
	free(look);
	return NULL;
}

/* ---- two looks ---------------------------------------------------------------------------- */

/* The rows of one task and kind, in both looks. */
struct group {
	const struct row *before, *now;
	size_t before_count, now_count;
	uint64_t before_refs, now_refs;
	size_t gone_count, new_count;
};

static size_t
group_size(const struct growth_look *look, size_t from, const struct row *head)
{
	size_t at = from;

	while (at < look->count && compare_groups(&look->rows[at], head) == 0)
		at++;
	return at - from;
}

/* Go through the rows of a group: each pair in which a right is in one look or both. */
static bool
group_next(const struct group *group, size_t *before_at, size_t *now_at, const struct row **before,
	   const struct row **now)
{
	*before = *before_at < group->before_count ? &group->before[*before_at] : NULL;
	*now = *now_at < group->now_count ? &group->now[*now_at] : NULL;
	if (!*before && !*now)
		return false;
	int order = !*before ? 1 : !*now ? -1 : compare_rows(*before, *now);
	if (order < 0)
		*now = NULL;
	else if (order > 0)
		*before = NULL;
	*before_at += *before != NULL;
	*now_at += *now != NULL;
	return true;
}

/* Count.  True: something is different. */
static bool
group_count(struct group *group)
{
	const struct row *before, *now;
	size_t before_at = 0, now_at = 0;
	bool is_different = false;

	while (group_next(group, &before_at, &now_at, &before, &now)) {
		group->before_refs += before ? before->urefs : 0;
		group->now_refs += now ? now->urefs : 0;
		group->gone_count += !now;
		group->new_count += !before;
		is_different = is_different || !before || !now || before->urefs != now->urefs;
	}
	return is_different;
}

static void
group_print_text(const struct group *group, const struct row *head, FILE *out)
{
	const struct row *before, *now;
	size_t before_at = 0, now_at = 0;

	fprintf(out, "%7" PRIu32 " %-16s %-14s %8zu %8zu %+8" PRId64 " %8zu %8zu %+10" PRId64 "\n",
		head->pid, head->label, head->right, group->before_count, group->now_count,
		(int64_t)group->now_count - (int64_t)group->before_count, group->new_count,
		group->gone_count, (int64_t)group->now_refs - (int64_t)group->before_refs);
	while (group_next(group, &before_at, &now_at, &before, &now)) {
		if (now && !before)
			fprintf(out, "%8snew %#" PRIx32 ", %" PRIu32 " reference%s\n", "",
				now->name, now->urefs, now->urefs == 1 ? "" : "s");
		else if (now && now->urefs > before->urefs)
			fprintf(out,
				"%8sgrown %#" PRIx32 ", from %" PRIu32 " to %" PRIu32
				" references\n",
				"", now->name, before->urefs, now->urefs);
	}
}

static void
print_json_string(const char *text, FILE *out)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			fprintf(out, "\\u%04x", (unsigned)*text);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

/* The new names, or those that stayed and have more references. */
static void
print_json_names(const struct group *group, bool is_new, FILE *out)
{
	const struct row *before, *now;
	size_t before_at = 0, now_at = 0, count = 0;

	fputc('[', out);
	while (group_next(group, &before_at, &now_at, &before, &now)) {
		if (!now || is_new == (before != NULL) || (before && now->urefs <= before->urefs))
			continue;
		fprintf(out, "%s%" PRIu32, count++ > 0 ? ", " : "", now->name);
	}
	fputc(']', out);
}

static void
group_print_json(const struct group *group, const struct row *head, FILE *out)
{
	fprintf(out, "{\"pid\": %" PRIu32 ", \"label\": ", head->pid);
	print_json_string(head->label, out);
	fputs(", \"right\": ", out);
	print_json_string(head->right, out);
	fprintf(out,
		", \"before\": %zu, \"now\": %zu, \"references_before\": %" PRIu64
		", \"references_now\": %" PRIu64 ", \"gone\": %zu, \"new\": ",
		group->before_count, group->now_count, group->before_refs, group->now_refs,
		group->gone_count);
	print_json_names(group, true, out);
	fputs(", \"grown\": ", out);
	print_json_names(group, false, out);
	fputc('}', out);
}

int
growth_print(const struct growth_look *before, const struct growth_look *now, bool json, FILE *out)
{
	size_t before_at = 0, now_at = 0, count = 0;

	while (before_at < before->count || now_at < now->count) {
		const struct row *old = before_at < before->count ? &before->rows[before_at] : NULL;
		const struct row *new = now_at < now->count ? &now->rows[now_at] : NULL;
		const struct row *head = old && (!new || compare_groups(old, new) <= 0) ? old : new;
		struct group group = {
			.before = old,
			.now = new,
			.before_count = group_size(before, before_at, head),
			.now_count = group_size(now, now_at, head),
		};

		before_at += group.before_count;
		now_at += group.now_count;
		if (!group_count(&group))
			continue;
		if (json) {
			fputs(count == 0 ? "[\n  " : ",\n  ", out);
			group_print_json(&group, head, out);
		} else {
			if (count == 0)
				fprintf(out, "%7s %-16s %-14s %8s %8s %8s %8s %8s %10s\n", "PID",
					"TASK", "RIGHT", "BEFORE", "NOW", "GROWN", "NEW", "GONE",
					"REFERENCES");
			group_print_text(&group, head, out);
		}
		count++;
	}
	if (json)
		fputs(count == 0 ? "[]\n" : "\n]\n", out);
	else if (count == 0)
		fputs("every task holds what it held\n", out);
	return ferror(out) ? -EIO : 0;
}
