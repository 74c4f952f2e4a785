/*
 * The table of loaded kexts: see kext_table.h.
 */
#include "tools/kext_table.h"

#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/json.h"
#include "tools/kernel_ask.h"
#include "wire/socket.h"

static int
by_number(const void *a, const void *b)
{
	uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;

	return (first > second) - (first < second);
}

static int
by_tag(const void *a, const void *b)
{
	return by_number(&((const struct kext_row *)a)->tag, &((const struct kext_row *)b)->tag);
}

static void
row_read(struct kext_row *row, const char *line)
{
	*row = (struct kext_row){
		.tag = (uint32_t)json_number(line, "tag"),
		.refs = (uint32_t)json_number(line, "refs"),
		.host_id = (uint32_t)json_number(line, "host_id"),
		.pid = (int32_t)json_number(line, "pid"),
		.address = json_number(line, "address"),
		.size_bytes = json_number(line, "size"),
		.is_started = json_true(line, "started"),
	};
	json_string(line, "identifier", row->identifier, sizeof(row->identifier));
	json_string(line, "version", row->version, sizeof(row->version));
	json_string(line, "path", row->path, sizeof(row->path));
	row->dependency_count =
	    json_numbers(line, "dependencies", row->dependencies, KEXT_DEPENDENCY_MAX);
	qsort(row->dependencies, row->dependency_count, sizeof(row->dependencies[0]), by_number);
}

int
kext_table_read(struct kext_table *table, const char *command, const char *kernel)
{
	char *text;
	size_t capacity = 0;
	int code = kernel_ask_text(command, kernel, WIRE_INSPECT_KEXTS, &text);

	*table = (struct kext_table){ 0 };
	if (code != 0)
		return code;
	char *rest = text;

	for (char *line = json_line(&rest); line; line = json_line(&rest)) {
		if (table->count == capacity) {
			capacity = capacity * 2 + 8;
			struct kext_row *rows =
			    reallocarray(table->rows, capacity, sizeof(*table->rows));

			if (!rows) {
				free(text);
				kext_table_deinit(table);
				return command_failed(command, "out of memory");
			}
			table->rows = rows;
		}
		row_read(&table->rows[table->count++], line);
	}
	free(text);
	if (table->count > 1)
		qsort(table->rows, table->count, sizeof(*table->rows), by_tag);
	return 0;
}

void
kext_table_deinit(struct kext_table *table)
{
	free(table->rows);
	*table = (struct kext_table){ 0 };
}

const struct kext_row *
kext_table_find(const struct kext_table *table, const char *identifier)
{
	for (size_t i = 0; i < table->count; i++) {
		if (strcmp(table->rows[i].identifier, identifier) == 0)
			return &table->rows[i];
	}
	return NULL;
}

const struct kext_row *
kext_table_find_path(const struct kext_table *table, const char *path)
{
	for (size_t i = 0; i < table->count; i++) {
		if (strcmp(table->rows[i].path, path) == 0)
			return &table->rows[i];
	}
	return NULL;
}
