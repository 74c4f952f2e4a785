/*
 * The table of loaded kexts, as the kernel has it.
 */
#ifndef BERTH_TOOLS_KEXT_TABLE_H
#define BERTH_TOOLS_KEXT_TABLE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kexts/bundle/kext_image.h"

#define KEXT_DEPENDENCY_MAX 32u /* as the kernel allows */

struct kext_row {
	uint32_t tag, refs, host_id;
	int32_t pid;
	uint64_t address, size_bytes;
	char identifier[KEXT_NAME_MAX], version[KEXT_NAME_MAX];
	char path[PATH_MAX];
	bool is_started;
	uint32_t dependencies[KEXT_DEPENDENCY_MAX]; /* load tags, sorted */
	size_t dependency_count;
};

struct kext_table {
	struct kext_row *rows; /* sorted by load tag */
	size_t count;
};

/*
 * Ask the kernel, as @command.  0, and kext_table_deinit() gives it back; or as
 * kernel_ask_text().
 */
int kext_table_read(struct kext_table *table, const char *command, const char *kernel);
void kext_table_deinit(struct kext_table *table);

/* NULL: it is not loaded.  Borrows. */
const struct kext_row *kext_table_find(const struct kext_table *table, const char *identifier);
const struct kext_row *kext_table_find_path(const struct kext_table *table, const char *path);

#endif
