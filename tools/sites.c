/*
 * Sites: see sites.h.
 *
 * The files were written by programs under test, some of them killed in the middle, some hostile,
 * some still running: each number in them is checked when it is used, against what was read.
 */
#include "tools/sites.h"

#include "tools/site_lines.h"
#include "wire/sites.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_SIZE offsetof(struct sites, stacks)

/* The notes of one program. */
struct table {
	uint32_t pid, order;
	bool is_read;
	struct sites *head; /* HEAD_SIZE bytes; NULL: could not be read */
	struct site_stack *stacks;
	uint32_t stack_count;
	struct site_record *records; /* sorted by name */
	uint32_t record_count;
	uint32_t *left;   /* for each stack: its number in the report, 0: not shown yet */
	uint32_t *rights; /* and how many rights were left there */
};

struct part {
	const struct site_record *record;
	uint32_t refs;
};

struct sites_right {
	struct sites_right *next; /* in found->rights */
	struct table *table;
	uint32_t part_count;
	struct part parts[]; /* one for each site and kind */
};

struct sites_found {
	char *folder;
	struct table *tables; /* sorted by pid and order */
	size_t count;
	struct sites_right *rights;
	struct site_lines *lines;
	int lines_err;
	uint32_t shown; /* sites */
};

/* ---- reading ------------------------------------------------------------------------------ */

static int
compare_tables(const void *a, const void *b)
{
	const struct table *left = a, *right = b;

	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	return left->order < right->order ? -1 : left->order > right->order;
}

struct sites_found *
sites_found_new(const char *folder)
{
	struct sites_found *found = calloc(1, sizeof(*found));

	if (!found)
		return NULL;
	found->folder = strdup(folder);
	found->lines = site_lines_new();
	if (!found->folder || !found->lines)
		return sites_found_free(found);
	DIR *directory = opendir(folder);
	const struct dirent *entry;
	while (directory && (entry = readdir(directory)) != NULL) {
		struct table table = { 0 };
		int end = 0;

		if (sscanf(entry->d_name, "%" SCNu32 ".%" SCNu32 "%n", &table.pid, &table.order,
			   &end) < 2 ||
		    entry->d_name[end] != '\0')
			continue;
		struct table *tables =
		    realloc(found->tables, (found->count + 1) * sizeof(tables[0]));
		if (!tables)
			break;
		found->tables = tables;
		tables[found->count++] = table;
	}
	if (directory)
		closedir(directory);
	if (found->count > 0)
		qsort(found->tables, found->count, sizeof(found->tables[0]), compare_tables);
	return found;
}

struct sites_found *
sites_found_free(struct sites_found *found)
{
	if (!found)
		return NULL;
	for (size_t i = 0; i < found->count; i++) {
		free(found->tables[i].head);
		free(found->tables[i].stacks);
		free(found->tables[i].records);
		free(found->tables[i].left);
		free(found->tables[i].rights);
	}
	while (found->rights) {
		struct sites_right *next = found->rights->next;

		free(found->rights);
		found->rights = next;
	}
	found->lines = site_lines_free(found->lines);
	free(found->tables);
	free(found->folder);
	free(found);
	return NULL;
}

/* @count things of @size bytes at @offset of a file: as many as there are, or NULL. */
static void *
read_things(int fd, size_t offset, size_t size, uint32_t *count)
{
	size_t wanted = size * *count, got = 0;
	char *things = malloc(wanted > 0 ? wanted : 1);

	while (things && got < wanted) {
		ssize_t n = pread(fd, things + got, wanted - got, (off_t)(offset + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	*count = things ? (uint32_t)(got / size) : 0;
	return things;
}

static void
head_check(struct table *table)
{
	struct sites *head = table->head;

	if (head->magic != SITES_MAGIC || head->version != SITES_VERSION) {
		free(head);
		table->head = NULL;
		return;
	}
	head->label[sizeof(head->label) - 1] = '\0';
	if (head->module_count > SITES_MODULES_MAX)
		head->module_count = SITES_MODULES_MAX;
	for (uint32_t i = 0; i < head->module_count; i++)
		head->modules[i].path[sizeof(head->modules[i].path) - 1] = '\0';
	table->stack_count =
	    head->stack_count < SITES_STACKS_MAX ? head->stack_count : SITES_STACKS_MAX;
	table->record_count =
	    head->record_count < SITES_RECORDS_MAX ? head->record_count : SITES_RECORDS_MAX;
}

static int
compare_records(const void *a, const void *b)
{
	const struct site_record *left = a, *right = b;

	return left->name < right->name ? -1 : left->name > right->name;
}

static void
table_read(const struct sites_found *found, struct table *table)
{
	char path[4096 + 64];
	uint32_t one = 1;

	if (table->is_read)
		return;
	table->is_read = true;
	snprintf(path, sizeof(path), "%s/%" PRIu32 ".%04" PRIu32, found->folder, table->pid,
		 table->order);
	/* a program may have put a FIFO there */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return;
	table->head = read_things(fd, 0, HEAD_SIZE, &one);
	if (one != 1) {
		free(table->head);
		table->head = NULL;
	} else {
		head_check(table);
	}
	if (table->head) {
		table->stacks =
		    read_things(fd, HEAD_SIZE, sizeof(table->stacks[0]), &table->stack_count);
		table->records = read_things(fd, offsetof(struct sites, records),
					     sizeof(table->records[0]), &table->record_count);
		table->left = calloc(table->stack_count + 1, sizeof(table->left[0]));
		table->rights = calloc(table->stack_count + 1, sizeof(table->rights[0]));
		if (!table->left || !table->rights)
			table->record_count = 0;
		if (table->record_count > 0)
			qsort(table->records, table->record_count, sizeof(table->records[0]),
			      compare_records);
	}
	close(fd);
}

/* ---- finding ------------------------------------------------------------------------------ */

/* Can a right that the kernel calls @kind have references of this one? */
static bool
record_fits(const struct table *table, const struct site_record *record, const char *kind)
{
	if (record->refs == 0 || record->stack >= table->stack_count)
		return false;
	switch (record->kind) {
	case SITE_RECEIVE:
		return strncmp(kind, "receive", 7) == 0;
	case SITE_PORT_SET:
		return strcmp(kind, "set") == 0;
	case SITE_SEND:
	case SITE_SEND_ONCE:
	case SITE_DEAD_NAME:
		return strstr(kind, "send") != NULL || strcmp(kind, "dead-name") == 0;
	default:
		return false;
	}
}

/* Ask for the lines of a stack. */
static void
stack_want(struct sites_found *found, const struct table *table, const struct site_stack *stack)
{
	for (uint32_t i = 0; i < stack->frame_count && i < SITES_FRAMES_MAX; i++) {
		if (stack->modules[i] >= table->head->module_count)
			continue;
		const struct site_module *module = &table->head->modules[stack->modules[i]];

		site_lines_add(found->lines, module->path, stack->addresses[i] - module->base - 1);
	}
}

/* The first record of @name, or where it would be. */
static uint32_t
first_record(const struct table *table, uint32_t name)
{
	uint32_t low = 0, high = table->record_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (table->records[middle].name < name)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct sites_right *
take_right(struct sites_found *found, struct table *table, uint32_t name, const char *kind)
{
	uint32_t first = first_record(table, name), end = first, count = 0;

	for (; end < table->record_count && table->records[end].name == name; end++)
		count += record_fits(table, &table->records[end], kind);
	struct sites_right *right =
	    count > 0 ? calloc(1, sizeof(*right) + count * sizeof(right->parts[0])) : NULL;
	if (!right)
		return NULL;
	right->table = table;
	for (uint32_t i = first; i < end; i++) {
		struct site_record *record = &table->records[i];

		if (!record_fits(table, record, kind))
			continue;
		right->parts[right->part_count++] = (struct part){ record, record->refs };
		record->refs = 0; /* the next right of this name is another program's */
		if (table->rights[record->stack]++ == 0)
			stack_want(found, table, &table->stacks[record->stack]);
	}
	right->next = found->rights;
	found->rights = right;
	return right;
}

struct sites_right *
sites_right_find(struct sites_found *found, uint32_t pid, const char *label, uint32_t name,
		 const char *kind)
{
	struct sites_right *right = NULL;

	/* a program may have changed its name after its first right: then any will do */
	for (int any_label = 0; any_label < 2 && !right; any_label++) {
		for (size_t i = 0; i < found->count && !right; i++) {
			struct table *table = &found->tables[i];

			if (table->pid != pid)
				continue;
			table_read(found, table);
			if (table->head && (any_label || strcmp(table->head->label, label) == 0))
				right = take_right(found, table, name, kind);
		}
	}
	return right;
}

void
sites_look_up(struct sites_found *found)
{
	found->lines_err = site_lines_look_up(found->lines);
}

/* ---- printing ----------------------------------------------------------------------------- */

static const char *
kind_name(uint32_t kind)
{
	switch (kind) {
	case SITE_RECEIVE:
		return "receive right";
	case SITE_SEND:
		return "send right";
	case SITE_SEND_ONCE:
		return "send-once right";
	case SITE_PORT_SET:
		return "port set";
	default:
		return "dead name";
	}
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The first line for a frame, or NULL; *@module is where it is, or NULL. */
static const char *
frame_text(const struct sites_found *found, const struct table *table,
	   const struct site_stack *stack, uint32_t frame, const struct site_module **module,
	   uint64_t *address)
{
	*address = stack->addresses[frame];
	*module = NULL;
	if (stack->modules[frame] >= table->head->module_count)
		return NULL;
	*module = &table->head->modules[stack->modules[frame]];
	*address -= (*module)->base;
	return site_lines_find(found->lines, (*module)->path, *address - 1);
}

/* The file of the outermost function in @text, up to its line's end; NULL: not known. */
static const char *
source_of(const char *text)
{
	const char *last = text ? strrchr(text, '\n') : NULL;
	const char *at = text ? strstr(last ? last : text, " at ") : NULL;

	return at ? at + 4 : NULL;
}

/* How many frames, innermost first, are the library's. */
static uint32_t
library_frames(const struct sites_found *found, const struct table *table,
	       const struct site_stack *stack, uint32_t count)
{
	const struct site_module *module;
	uint64_t address;
	uint32_t frames = 0;
	size_t length = 0;

	while (frames < count && stack->modules[frames] == table->head->library &&
	       table->head->library < table->head->module_count &&
	       strncmp(base_name(table->head->modules[table->head->library].path), "libberth.so",
		       11) == 0)
		frames++;
	if (frames > 0 || count == 0)
		return frames;
	/* it is in the program itself: what comes from the folder of the first one's source */
	const char *folder = source_of(frame_text(found, table, stack, 0, &module, &address));
	const char *slash = folder ? strrchr(folder, '/') : NULL;
	if (!slash)
		return 0;
	length = (size_t)(slash - folder) + 1;
	for (frames = 1; frames < count; frames++) {
		const char *source =
		    source_of(frame_text(found, table, stack, frames, &module, &address));

		if (!source || strncmp(source, folder, length) != 0)
			break;
	}
	return frames;
}

/* Print a frame.  True: it is main(), and what is further out interests nobody. */
static bool
frame_print(const struct sites_found *found, const struct table *table,
	    const struct site_stack *stack, uint32_t frame, FILE *out)
{
	const struct site_module *module;
	uint64_t address;
	const char *text = frame_text(found, table, stack, frame, &module, &address);
	bool is_main = false;

	if (!text) {
		fprintf(out, "        %s+0x%" PRIx64 "\n", module ? module->path : "?", address);
		return false;
	}
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		bool has_line = memmem(text, length, " at ", 4) != NULL;

		is_main = (length == 4 || has_line) && strncmp(text, "main", 4) == 0 &&
			  (text[4] == ' ' || text[4] == '\n' || text[4] == '\0');
		fprintf(out, "        %.*s", (int)length, text);
		if (!has_line)
			fprintf(out, " in %s+0x%" PRIx64, module->path, address);
		fputc('\n', out);
		text += length + (text[length] == '\n');
	}
	return is_main;
}

static void
stack_print(const struct sites_found *found, const struct table *table,
	    const struct site_stack *stack, FILE *out)
{
	uint32_t count =
	    stack->frame_count < SITES_FRAMES_MAX ? stack->frame_count : SITES_FRAMES_MAX;
	uint32_t first = library_frames(found, table, stack, count);

	if (first > 0) {
		const struct site_module *module;
		uint64_t address;
		const char *text = frame_text(found, table, stack, first - 1, &module, &address);
		const char *last = text ? strrchr(text, '\n') : NULL;

		/* the outermost function of the library is the one that the program called */
		if (text) {
			text = last ? last + 1 : text;
			fprintf(out, ", by %.*s", (int)strcspn(text, " "), text);
		}
	}
	fputs(":\n", out);
	for (uint32_t i = first; i < count; i++) {
		if (frame_print(found, table, stack, i, out))
			break;
	}
}

void
sites_right_print(struct sites_found *found, const struct sites_right *right, FILE *out)
{
	if (!right) {
		fputs("    not got by a call that was noted\n", out);
		return;
	}
	struct table *table = right->table;
	for (uint32_t i = 0; i < right->part_count; i++) {
		const struct part *part = &right->parts[i];
		uint32_t *number = &table->left[part->record->stack];
		bool is_new = *number == 0;

		if (is_new)
			*number = ++found->shown;
		fprintf(out, "    %" PRIu32 " %s%s got at site %" PRIu32, part->refs,
			kind_name(part->record->kind), part->refs == 1 ? "" : "s", *number);
		if (is_new)
			stack_print(found, table, &table->stacks[part->record->stack], out);
		else
			fputs(", see above\n", out);
	}
}

void
sites_summary_print(const struct sites_found *found, FILE *out)
{
	for (size_t i = 0; i < found->count; i++) {
		const struct table *table = &found->tables[i];

		if (!table->head)
			continue;
		for (uint32_t j = 0; j < table->stack_count && table->left; j++) {
			if (table->left[j] != 0 && table->rights[j] > 1)
				fprintf(out,
					"site %" PRIu32 " of %" PRIu32 "(%s) left %" PRIu32
					" rights\n",
					table->left[j], table->pid, table->head->label,
					table->rights[j]);
		}
		if (table->head->lost > 0)
			fprintf(out,
				"%" PRIu32 "(%s) could make no notes of %" PRIu64 " references\n",
				table->pid, table->head->label, table->head->lost);
	}
	if (found->lines_err < 0)
		fprintf(out,
			"functions and lines are not known: addr2line (package binutils): %s\n",
			strerror(-found->lines_err));
}
