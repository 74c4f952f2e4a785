/*
 * A fuzz target without a fuzzer: every file of a folder as it is, and then texts made of them
 * under a seed.
 *
 * usage: program FOLDER [RUNS [SEED]]
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

#define FILES_MAX 256
#define SIZE_MAX_OF_TEXT 65536u

struct bytes {
	uint8_t *start;
	size_t size;
};

static struct bytes corpus[FILES_MAX];
static size_t corpus_count;
static uint64_t random_state;
static uint64_t run_index;

/* xorshift: the same everywhere */
static uint32_t
random_below(size_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return limit ? (uint32_t)(random_state % limit) : 0;
}

static struct bytes
read_bytes(const char *path)
{
	struct bytes bytes = { malloc(SIZE_MAX_OF_TEXT), 0 };
	FILE *file = fopen(path, "re");

	if (!file || !bytes.start) {
		perror(path);
		exit(2);
	}
	bytes.size = fread(bytes.start, 1, SIZE_MAX_OF_TEXT, file);
	fclose(file);
	return bytes;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In the order of the names, whatever the folder's is. */
static void
read_corpus(const char *folder)
{
	char *names[FILES_MAX];
	DIR *dir = opendir(folder);

	if (!dir) {
		perror(folder);
		exit(2);
	}
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		if (entry->d_name[0] == '.' || corpus_count == FILES_MAX)
			continue;
		if (asprintf(&names[corpus_count], "%s/%s", folder, entry->d_name) < 0)
			exit(2);
		corpus_count++;
	}
	closedir(dir);
	qsort(names, corpus_count, sizeof(names[0]), by_name);
	for (size_t i = 0; i < corpus_count; i++) {
		corpus[i] = read_bytes(names[i]);
		free(names[i]);
	}
}

/* Each run in memory of its own size, so that the address sanitizer sees its end. */
static void
try(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size + !size);

	if (!copy)
		exit(2);
	memcpy(copy, bytes, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void
insert(struct bytes *text, size_t at, const uint8_t *bytes, size_t size)
{
	if (text->size + size > SIZE_MAX_OF_TEXT)
		return;
	memmove(text->start + at + size, text->start + at, text->size - at);
	memcpy(text->start + at, bytes, size);
	text->size += size;
}

static void
mutate(struct bytes *text)
{
	static const char *const words[] = { "^",           "array[*:",  "] of ",       "(",
					     ")",           ";",         ",",           "\n# ",
					     "99999999999", "c_string[", "polymorphic", "inout ",
					     "skip;",       "=",         "\"",          "\0" };
	uint8_t taken[256];
	size_t at = random_below(text->size + 1);
	size_t size = random_below(64);

	if (size > text->size - at)
		size = text->size - at;
	switch (random_below(6)) {
	case 0: /* another byte */
		if (at < text->size)
			text->start[at] = (uint8_t)random_below(256);
		break;
	case 1: /* without some */
		memmove(text->start + at, text->start + at + size, text->size - at - size);
		text->size -= size;
		break;
	case 2: { /* some twice */
		memcpy(taken, text->start + at, size);
		insert(text, random_below(text->size + 1), taken, size);
		break;
	}
	case 3: { /* a word */
		const char *word = words[random_below(sizeof(words) / sizeof(words[0]))];

		insert(text, at, (const uint8_t *)word, strlen(word) + !*word);
		break;
	}
	case 4: { /* some of another file */
		const struct bytes *other = &corpus[random_below(corpus_count)];
		size_t from = random_below(other->size + 1);

		size = other->size - from < sizeof(taken) ? other->size - from : sizeof(taken);
		insert(text, at, other->start + from, random_below(size + 1));
		break;
	}
	default: /* the end cut off */
		if (random_below(4) == 0)
			text->size = at;
		break;
	}
}

/* In a signal handler: which run it was. */
static void
say_which(int signal_number)
{
	char line[] = "in run 00000000000000000000\n";
	size_t at = sizeof(line) - 3;

	for (uint64_t rest = run_index; rest > 0; rest /= 10)
		line[at--] = (char)('0' + rest % 10);
	if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
		_exit(3);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

int
main(int argc, char **argv)
{
	uint64_t runs = argc > 2 ? strtoull(argv[2], NULL, 10) : 2000;
	uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;

	if (argc < 2) {
		fprintf(stderr, "usage: %s FOLDER [RUNS [SEED]]\n", argv[0]);
		return 2;
	}
	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	read_corpus(argv[1]);
	printf("%zu files, %llu runs, seed %llu\n", corpus_count, (unsigned long long)runs,
	       (unsigned long long)seed);
	fflush(stdout);
	signal(SIGABRT, say_which);
	signal(SIGSEGV, say_which);
	for (size_t i = 0; i < corpus_count; i++)
		try(corpus[i].start, corpus[i].size);

	struct bytes text = { malloc(SIZE_MAX_OF_TEXT), 0 };
	for (run_index = 0; corpus_count && text.start && run_index < runs; run_index++) {
		/* each run from its own number: one is repeated without those before it */
		random_state = (seed * 1000003 + run_index + 1) * UINT64_C(0x9e3779b97f4a7c15);
		random_below(1);
		const struct bytes *base = &corpus[random_below(corpus_count)];

		memcpy(text.start, base->start, base->size);
		text.size = base->size;
		for (uint32_t i = random_below(8) + 1; i > 0; i--)
			mutate(&text);
		try(text.start, text.size);
	}
	free(text.start);
	for (size_t i = 0; i < corpus_count; i++)
		free(corpus[i].start);
	return 0;
}
