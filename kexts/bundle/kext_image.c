/*
 * The code of a kext as a file: see kext_image.h.
 *
 * The whole file is read first and then believed; each offset in it is checked against its
 * size.
 */
#include "kexts/bundle/kext_image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_SIZE_MAX (256u << 20)

/* struct kmod_info: kext.md §1 */
enum { KMOD_VERSION_AT = 8, KMOD_NAME_AT = 16, KMOD_TEXT_AT = 80, KMOD_SIZE = 196 };

#if defined(__x86_64__)
#define IMAGE_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define IMAGE_MACHINE EM_AARCH64
#else
#define IMAGE_MACHINE EM_NONE /* no machine that we know: no image is for it */
#endif

struct image_file {
	const char *path;
	const uint8_t *bytes;
	size_t size;
	const ElfW(Ehdr) * head;
	struct kext_outcome *outcome;
};

/* @count items of @item bytes at @offset, or NULL: they are not in the file. */
static const void *
image_at(const struct image_file *file, uint64_t offset, uint64_t count, size_t item)
{
	if (offset > file->size || count > (file->size - offset) / item || offset % 8 != 0)
		return NULL;
	return file->bytes + offset;
}

static int32_t
image_is_bad(const struct image_file *file, const char *what)
{
	return kext_fails(file->outcome, kOSKextReturnBadData, "%s: a damaged shared object: %s",
			  file->path, what);
}

/* ---- tables ------------------------------------------------------------------------- */

struct image_table {
	const void *items;
	size_t count;
	const char *text; /* its strings; the last one ends within them */
	size_t text_size;
};

/* The string at @offset of @table's strings; NULL: it is not in them. */
static const char *
table_text(const struct image_table *table, uint64_t offset)
{
	return offset < table->text_size ? table->text + offset : NULL;
}

/* The first section of @type, with items of @item bytes.  0 and no items: there is none. */
static int32_t
image_table(const struct image_file *file, uint32_t type, size_t item, struct image_table *table)
{
	const ElfW(Ehdr) *head = file->head;
	const ElfW(Shdr) *sections =
	    image_at(file, head->e_shoff, head->e_shnum, sizeof(*sections));

	*table = (struct image_table){ 0 };
	if (head->e_shnum == 0)
		return 0;
	if (!sections || head->e_shentsize != sizeof(*sections))
		return image_is_bad(file, "its sections are not in it");
	for (uint32_t i = 0; i < head->e_shnum; i++) {
		const ElfW(Shdr) *section = &sections[i];

		if (section->sh_type != type)
			continue;
		if (section->sh_link >= head->e_shnum)
			return image_is_bad(file, "a section refers to none");
		const ElfW(Shdr) *strings = &sections[section->sh_link];

		table->count = section->sh_size / item;
		table->items = image_at(file, section->sh_offset, table->count, item);
		if (!table->items || section->sh_entsize != item ||
		    strings->sh_type != SHT_STRTAB || strings->sh_offset > file->size ||
		    strings->sh_size > file->size - strings->sh_offset)
			return image_is_bad(file, "a section is not in it");
		table->text = (const char *)file->bytes + strings->sh_offset;
		table->text_size = strings->sh_size;
		if (table->text_size == 0 || table->text[table->text_size - 1] != '\0')
			return image_is_bad(file, "strings have no end");
		return 0;
	}
	return 0;
}

/* ---- kmod_info ---------------------------------------------------------------------- */

/* @size bytes that the code will find at @address, or NULL: they are not in the file. */
static const uint8_t *
image_memory(const struct image_file *file, uint64_t address, uint64_t size)
{
	const ElfW(Phdr) *parts =
	    image_at(file, file->head->e_phoff, file->head->e_phnum, sizeof(*parts));

	for (uint32_t i = 0; parts && i < file->head->e_phnum; i++) {
		uint64_t into = address - parts[i].p_vaddr;

		if (parts[i].p_type != PT_LOAD || address < parts[i].p_vaddr ||
		    into > parts[i].p_filesz || size > parts[i].p_filesz - into)
			continue;
		if (parts[i].p_offset > file->size || into > file->size - parts[i].p_offset ||
		    size > file->size - parts[i].p_offset - into)
			return NULL;
		return file->bytes + parts[i].p_offset + into;
	}
	return NULL;
}

static int32_t
image_read_kmod(const struct image_file *file, const ElfW(Sym) * symbol, struct kext_image *image)
{
	const uint8_t *kmod = image_memory(file, symbol->st_value, KMOD_SIZE);
	int32_t info_version;

	if (!kmod || symbol->st_size < KMOD_SIZE)
		return image_is_bad(file, "kmod_info is not a kmod_info_t");
	memcpy(&info_version, kmod + KMOD_VERSION_AT, sizeof(info_version));
	memcpy(image->name, kmod + KMOD_NAME_AT, sizeof(image->name));
	memcpy(image->version, kmod + KMOD_TEXT_AT, sizeof(image->version));
	if (info_version != 1)
		return kext_fails(file->outcome, kOSKextReturnBadData,
				  "%s: kmod_info: info_version is %d, not 1", file->path,
				  info_version);
	if (!memchr(image->name, '\0', sizeof(image->name)) ||
	    !memchr(image->version, '\0', sizeof(image->version)))
		return image_is_bad(file, "the texts in kmod_info have no end");
	image->has_kmod_info = true;
	return 0;
}

static int32_t
image_read_symbols(const struct image_file *file, struct kext_image *image)
{
	struct image_table table;
	int32_t result = image_table(file, SHT_DYNSYM, sizeof(ElfW(Sym)), &table);
	const ElfW(Sym) *symbols = table.items;

	for (size_t i = 0; result == 0 && i < table.count; i++) {
		const char *name = table_text(&table, symbols[i].st_name);

		if (!name)
			return image_is_bad(file, "a symbol has no name");
		if (symbols[i].st_shndx == SHN_UNDEF)
			continue;
		if (strcmp(name, "kmod_info") == 0)
			result = image_read_kmod(file, &symbols[i], image);
		else if (strcmp(name, "_realmain") == 0)
			image->has_realmain = true;
	}
	return result;
}

/* ---- what it needs ------------------------------------------------------------------ */

static bool
is_early_runtime(const char *name)
{
	static const char *const starts[] = { "libasan.so", "libtsan.so", "libclang_rt.asan",
					      "libclang_rt.tsan" };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		if (strncmp(name, starts[i], strlen(starts[i])) == 0)
			return true;
	}
	return false;
}

/* Where of @folders, with : between them, there is @name; else its name alone. */
static void
find_runtime(struct kext_image *image, const char *folders, const char *name)
{
	while (folders && *folders != '\0') {
		int length = (int)strcspn(folders, ":");
		int size = snprintf(image->sanitizer, sizeof(image->sanitizer), "%.*s/%s", length,
				    folders, name);

		if (size > 0 && (size_t)size < sizeof(image->sanitizer) &&
		    access(image->sanitizer, R_OK) == 0)
			return;
		folders += length;
		folders += *folders == ':';
	}
	snprintf(image->sanitizer, sizeof(image->sanitizer), "%s", name);
}

static int32_t
image_read_needs(const struct image_file *file, struct kext_image *image)
{
	struct image_table table;
	int32_t result = image_table(file, SHT_DYNAMIC, sizeof(ElfW(Dyn)), &table);
	const ElfW(Dyn) *entries = table.items;
	const char *folders = NULL, *runtime = NULL;

	for (size_t i = 0; result == 0 && i < table.count && entries[i].d_tag != DT_NULL; i++) {
		uint64_t value = entries[i].d_un.d_val;

		if (entries[i].d_tag == DT_FLAGS_1 && (value & DF_1_PIE))
			return kext_fails(file->outcome, kOSKextReturnNotAKext,
					  "%s is a program, not a shared object", file->path);
		if (entries[i].d_tag != DT_NEEDED && entries[i].d_tag != DT_RUNPATH &&
		    entries[i].d_tag != DT_RPATH)
			continue;
		const char *text = table_text(&table, value);
		if (!text)
			return image_is_bad(file, "a library that it needs has no name");
		if (entries[i].d_tag != DT_NEEDED)
			folders = text;
		else if (is_early_runtime(text))
			runtime = text;
	}
	if (result == 0 && runtime)
		find_runtime(image, folders, runtime);
	return result;
}

/* ---- the file ----------------------------------------------------------------------- */

static int32_t
image_check_head(struct image_file *file)
{
	static const uint8_t mach_heads[][4] = { { 0xcf, 0xfa, 0xed, 0xfe },
						 { 0xce, 0xfa, 0xed, 0xfe },
						 { 0xca, 0xfe, 0xba, 0xbe } };
	const ElfW(Ehdr) *head = (const void *)file->bytes;

	for (size_t i = 0; file->size >= 4 && i < sizeof(mach_heads) / sizeof(mach_heads[0]); i++) {
		if (memcmp(file->bytes, mach_heads[i], 4) == 0)
			return kext_fails(file->outcome, kOSKextReturnArchNotFound,
					  "%s is code for macOS; compile its source with "
					  "'berth cc --kext'",
					  file->path);
	}
	if (file->size < sizeof(*head) || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0)
		return kext_fails(file->outcome, kOSKextReturnNotAKext, "%s is no shared object",
				  file->path);
	if (head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_ident[EI_DATA] != ELFDATA2LSB ||
	    head->e_machine != IMAGE_MACHINE)
		return kext_fails(file->outcome, kOSKextReturnArchNotFound,
				  "%s is for another machine", file->path);
	if (head->e_type == ET_REL)
		return kext_fails(file->outcome, kOSKextReturnNotAKext,
				  "%s is an object file; link it with 'berth cc --kext'",
				  file->path);
	if (head->e_type != ET_DYN)
		return kext_fails(file->outcome, kOSKextReturnNotAKext,
				  "%s is a program or the like, not a shared object", file->path);
	file->head = head;
	return 0;
}

/* The whole file, which the caller frees; NULL and an outcome. */
static uint8_t *
read_whole(const char *path, size_t *size, struct kext_outcome *outcome)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	uint8_t *bytes = NULL;

	if (fd < 0 || fstat(fd, &status) < 0) {
		kext_fails(outcome, kOSKextReturnNotFound, "%s: %s", path, strerror(errno));
	} else if (!S_ISREG(status.st_mode)) {
		kext_fails(outcome, kOSKextReturnNotAKext, "%s is no file", path);
	} else if (status.st_size > IMAGE_SIZE_MAX) {
		kext_fails(outcome, kOSKextReturnBadData, "%s is larger than %u MiB", path,
			   IMAGE_SIZE_MAX >> 20);
	} else if (!(bytes = malloc((size_t)status.st_size + 1))) {
		kext_fails(outcome, kOSKextReturnNoMemory, "out of memory");
	} else {
		ssize_t got = 1;

		*size = 0;
		while (*size < (size_t)status.st_size && got > 0) {
			got = read(fd, bytes + *size, (size_t)status.st_size - *size);
			*size += got > 0 ? (size_t)got : 0;
		}
		if (got < 0) {
			kext_fails(outcome, kOSKextReturnNotFound, "%s: %s", path, strerror(errno));
			free(bytes);
			bytes = NULL;
		}
	}
	if (fd >= 0)
		close(fd);
	return bytes;
}

int32_t
kext_image_read(struct kext_image *image, const char *path, struct kext_outcome *outcome)
{
	struct image_file file = { .path = path, .outcome = outcome };
	uint8_t *bytes = read_whole(path, &file.size, outcome);

	*image = (struct kext_image){ 0 };
	if (!bytes)
		return outcome->result;
	file.bytes = bytes;
	int32_t result = image_check_head(&file);
	if (result == 0)
		result = image_read_needs(&file, image);
	if (result == 0)
		result = image_read_symbols(&file, image);
	free(bytes);
	return result;
}
