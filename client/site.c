/*
 * The notes themselves: see site.h, and wire/sites.h for what they look like.
 *
 * The file is as large as it can become, and sparse.  Memory of a file for which the disk has no
 * room kills who touches it, so the parts that grow are reserved a piece at a time, before they
 * are used.  No descriptor stays open: programs close those that they do not know.
 *
 * All of it happens under `site_lock`, with all signals blocked, and without the heap.
 */
#include "client/site.h"

#include "client/connection.h"
#include "client/export.h"
#include "client/signals.h"

#include <mach/mach_init.h>

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define FILES_PER_PID_MAX 4096u /* one for each program that a process has executed */
#define RESERVE_BYTES 65536u
#define OWN_FRAMES 1 /* innermost: those of this file */

_Atomic bool site_notes_on;

static pthread_mutex_t site_lock = PTHREAD_MUTEX_INITIALIZER;
/* the rest is guarded by it */
static struct sites *sites; /* NULL: not made yet */
static char folder[PATH_MAX];
static char path[PATH_MAX + 32];
static uint64_t stacks_reserved, records_reserved; /* where the reserved parts end */
static uint32_t generation;

/* ---- the file ------------------------------------------------------------------------- */

/* May a file of this process be so large?  To be beyond its limit is a signal that kills. */
static bool
size_is_allowed(uint64_t size)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur >= size;
}

/* Make sure that the disk has room for the part of the file up to @end, from *@reserved on. */
static bool
reserve(uint64_t *reserved, uint64_t end)
{
	if (end <= *reserved)
		return true;
	uint64_t size = (end - *reserved + RESERVE_BYTES - 1) & ~(uint64_t)(RESERVE_BYTES - 1);
	if (*reserved + size > sizeof(struct sites))
		size = sizeof(struct sites) - *reserved;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	bool is_reserved = size_is_allowed(*reserved + size) &&
			   posix_fallocate(fd, (off_t)*reserved, (off_t)size) == 0;
	close(fd);
	if (is_reserved)
		*reserved += size;
	return is_reserved;
}

static void
read_label(void)
{
	int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	ssize_t size = read(fd, sites->label, sizeof(sites->label) - 1);
	close(fd);
	if (size > 0 && sites->label[size - 1] == '\n')
		size--;
	sites->label[size > 0 ? size : 0] = '\0';
}

/* A name that no earlier program of this process has.  The descriptor, or -1. */
static int
create_file(void)
{
	int fd = -1;

	for (uint32_t i = 0; fd < 0 && i < FILES_PER_PID_MAX; i++) {
		snprintf(path, sizeof(path), "%s/%ld.%04u", folder, (long)getpid(), i);
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 && errno != EEXIST)
			return -1;
	}
	return fd;
}

static uint32_t module_of(uint64_t address);

/* Make the file of this process; if that is impossible there are no notes. */
static void
sites_open(void)
{
	void *memory = MAP_FAILED;
	int fd = size_is_allowed(sizeof(struct sites)) ? create_file() : -1;

	if (fd >= 0 && ftruncate(fd, sizeof(struct sites)) == 0 &&
	    posix_fallocate(fd, 0, offsetof(struct sites, stacks)) == 0)
		memory =
		    mmap(NULL, sizeof(struct sites), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (memory == MAP_FAILED) {
		atomic_store(&site_notes_on, false);
		return;
	}
	madvise(memory, sizeof(struct sites), MADV_DONTFORK);
	sites = memory;
	stacks_reserved = offsetof(struct sites, stacks);
	records_reserved = offsetof(struct sites, records);
	sites->version = SITES_VERSION;
	sites->pid = (uint32_t)getpid();
	read_label();
	sites->library = module_of((uintptr_t)sites_open);
	sites->magic = SITES_MAGIC;
}

bool
site_begin(struct site_change *change)
{
	sigset_t all;

	sigfillset(&all);
	signals_set(SIG_SETMASK, &all, &change->signals);
	pthread_mutex_lock(&site_lock);
	change->has_stack = false;
	int saved_errno = errno;
	if (sites == NULL && site_is_on())
		sites_open();
	errno = saved_errno;
	if (sites == NULL) {
		site_end(change);
		return false;
	}
	return true;
}

void
site_end(struct site_change *change)
{
	pthread_mutex_unlock(&site_lock);
	signals_set(SIG_SETMASK, &change->signals, NULL);
}

void
site_forked(void)
{
	/* the only thread is this one; what another one was doing with the parent's notes is
	 * nothing here, where they are not mapped */
	pthread_mutex_init(&site_lock, NULL);
	sites = NULL;
	generation++;
}

/* Early, while nothing is going on: the first stack that is taken loads a library. */
__attribute__((constructor)) static void
site_prepare(void)
{
	const char *named = secure_getenv(SITES_VARIABLE);
	void *frame;

	if (named == NULL || named[0] != '/' || strlen(named) >= sizeof(folder))
		return;
	memcpy(folder, named, strlen(named) + 1);
	backtrace(&frame, 1);
	atomic_store(&site_notes_on, true);
}

/* ---- stacks ---------------------------------------------------------------------------- */

/* The module that has @address. */
static uint32_t
module_of(uint64_t address)
{
	struct dl_find_object found;

	for (uint32_t i = sites->module_count; i-- > 0;)
		if (address >= sites->modules[i].start && address < sites->modules[i].end)
			return i;
	if (_dl_find_object((void *)(uintptr_t)address, &found) != 0 ||
	    sites->module_count == SITES_MODULES_MAX)
		return SITES_NO_MODULE;
	struct site_module *module = &sites->modules[sites->module_count];
	module->start = (uintptr_t)found.dlfo_map_start;
	module->end = (uintptr_t)found.dlfo_map_end;
	module->base = found.dlfo_link_map->l_addr;
	const char *name = found.dlfo_link_map->l_name;
	ssize_t size;
	if (name == NULL || name[0] == '\0')
		size = readlink("/proc/self/exe", module->path, sizeof(module->path) - 1);
	else
		size = snprintf(module->path, sizeof(module->path), "%s", name);
	if (size < 0 || (size_t)size >= sizeof(module->path))
		size = 0;
	module->path[size] = '\0';
	return sites->module_count++;
}

/* Is it still what it was?  A library that was closed leaves its addresses to others. */
static bool
module_is_current(uint32_t index, uint64_t address)
{
	struct dl_find_object found;

	if (index == SITES_NO_MODULE)
		return true;
	if (_dl_find_object((void *)(uintptr_t)address, &found) != 0)
		return false;
	const struct site_module *module = &sites->modules[index];
	return module->start == (uintptr_t)found.dlfo_map_start &&
	       module->base == found.dlfo_link_map->l_addr;
}

static uint32_t
hash_of(void *const *frames, uint32_t count)
{
	uint64_t hash = 14695981039346656037u;

	for (uint32_t i = 0; i < count; i++)
		hash = (hash ^ (uintptr_t)frames[i]) * 1099511628211u;
	return (uint32_t)(hash >> 32) ^ (uint32_t)hash;
}

static bool
stack_is(const struct site_stack *stack, uint32_t hash, void *const *frames, uint32_t count)
{
	if (stack->hash != hash || stack->frame_count != count)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (stack->addresses[i] != (uintptr_t)frames[i] ||
		    !module_is_current(stack->modules[i], stack->addresses[i]))
			return false;
	return true;
}

/* The number of the calling stack; SITES_STACKS_MAX: there is no room for one more. */
static __attribute__((noinline)) uint32_t
stack_take(void)
{
	void *all[SITES_FRAMES_MAX + OWN_FRAMES];
	int taken = backtrace(all, SITES_FRAMES_MAX + OWN_FRAMES);
	void *const *frames = all + OWN_FRAMES;
	uint32_t count = taken > OWN_FRAMES ? (uint32_t)taken - OWN_FRAMES : 0;
	uint32_t hash = hash_of(frames, count);
	uint32_t *bucket = &sites->stack_buckets[hash % SITES_BUCKETS];

	for (uint32_t at = *bucket; at != 0; at = sites->stacks[at - 1].next)
		if (stack_is(&sites->stacks[at - 1], hash, frames, count))
			return at - 1;
	uint32_t index = sites->stack_count;
	if (index == SITES_STACKS_MAX ||
	    !reserve(&stacks_reserved, offsetof(struct sites, stacks[index + 1])))
		return SITES_STACKS_MAX;
	struct site_stack *stack = &sites->stacks[index];
	stack->hash = hash;
	stack->frame_count = count;
	for (uint32_t i = 0; i < count; i++) {
		stack->addresses[i] = (uintptr_t)frames[i];
		uint32_t module = module_of(stack->addresses[i]);
		stack->modules[i] = (uint16_t)module;
	}
	stack->next = *bucket;
	*bucket = index + 1;
	sites->stack_count = index + 1;
	return index;
}

/* ---- records --------------------------------------------------------------------------- */

static uint32_t *
bucket_of(mach_port_name_t name)
{
	return &sites->record_buckets[(name >> 8 ^ name >> 22) % SITES_BUCKETS];
}

static bool
is_user_reference(uint32_t kind)
{
	return kind == SITE_SEND || kind == SITE_SEND_ONCE || kind == SITE_DEAD_NAME;
}

static bool
is_same_kind(uint32_t a, uint32_t b)
{
	return a == b || (is_user_reference(a) && is_user_reference(b));
}

static void
record_free(uint32_t index)
{
	struct site_record *record = &sites->records[index];

	record->kind = SITE_NONE;
	record->refs = 0;
	record->next = sites->free_record;
	sites->free_record = index + 1;
}

/* A new one, in no list; SITES_RECORDS_MAX: there is no room. */
static uint32_t
record_new(void)
{
	uint32_t index;

	if (sites->free_record != 0) {
		index = sites->free_record - 1;
		sites->free_record = sites->records[index].next;
		return index;
	}
	index = sites->record_count;
	if (index == SITES_RECORDS_MAX ||
	    !reserve(&records_reserved, offsetof(struct sites, records[index + 1])))
		return SITES_RECORDS_MAX;
	sites->record_count = index + 1;
	return index;
}

/* Make the references of @name at @stack the latest, with @refs more. */
static void
record_add(mach_port_name_t name, uint32_t kind, uint32_t stack, uint32_t refs)
{
	uint32_t *bucket = bucket_of(name), *link = bucket;
	uint32_t index = SITES_RECORDS_MAX;

	for (; *link != 0; link = &sites->records[*link - 1].next) {
		struct site_record *record = &sites->records[*link - 1];
		if (record->name != name || record->kind != kind || record->stack != stack)
			continue;
		index = *link - 1;
		*link = record->next;
		break;
	}
	if (index == SITES_RECORDS_MAX) {
		index = record_new();
		if (index == SITES_RECORDS_MAX) {
			sites->lost += refs;
			return;
		}
		sites->records[index].refs = 0;
	}
	struct site_record *record = &sites->records[index];
	record->name = name;
	record->stack = (uint16_t)stack;
	record->refs += refs;
	record->next = *bucket;
	record->kind = (uint16_t)kind;
	*bucket = index + 1;
}

/*
 * Remove @refs references of @name, the latest first.  @moves, if not NULL, gets them; they stay
 * in the file, where they do no harm: the kernel knows whether the name is still there.
 */
static void
remove_refs(mach_port_name_t name, uint32_t kind, uint32_t refs, struct site_moves *moves)
{
	uint32_t *link = bucket_of(name);

	while (*link != 0 && refs > 0) {
		uint32_t index = *link - 1;
		struct site_record *record = &sites->records[index];
		if (record->name != name || !is_same_kind(record->kind, kind)) {
			link = &record->next;
			continue;
		}
		uint32_t taken = record->refs < refs ? record->refs : refs;
		uint32_t stack = record->stack, kept_kind = record->kind;
		refs -= taken;
		record->refs -= taken;
		bool is_empty = record->refs == 0;
		if (is_empty)
			*link = record->next;
		else
			link = &record->next;
		if (moves == NULL) {
			if (is_empty)
				record_free(index);
			continue;
		}
		uint32_t moved = is_empty ? index : record_new();
		if (moved == SITES_RECORDS_MAX) {
			sites->lost += taken;
			continue;
		}
		sites->records[moved] = (struct site_record){ .name = name,
							      .refs = taken,
							      .stack = (uint16_t)stack,
							      .kind = (uint16_t)kept_kind,
							      .next = moves->first };
		moves->first = moved + 1;
	}
}

/* ---- changes --------------------------------------------------------------------------- */

void
site_gain(struct site_change *change, mach_port_name_t name, enum site_kind kind, uint32_t refs)
{
	if (!MACH_PORT_VALID(name) || refs == 0)
		return;
	if (!change->has_stack) {
		change->stack = stack_take();
		change->has_stack = true;
	}
	if (change->stack == SITES_STACKS_MAX)
		sites->lost += refs;
	else
		record_add(name, kind, change->stack, refs);
}

void
site_lose(mach_port_name_t name, enum site_kind kind, uint32_t refs)
{
	remove_refs(name, kind, refs, NULL);
}

void
site_forget(mach_port_name_t name)
{
	remove_refs(name, SITE_RECEIVE, UINT32_MAX, NULL);
	remove_refs(name, SITE_PORT_SET, UINT32_MAX, NULL);
	remove_refs(name, SITE_SEND, UINT32_MAX, NULL);
}

void
site_take(struct site_moves *moves, mach_port_name_t name, enum site_kind kind)
{
	moves->generation = generation;
	remove_refs(name, kind, 1, moves);
}

void
site_moves_end(struct site_moves *moves, bool is_sent)
{
	struct site_change change;

	if (moves->first == 0 || !site_begin(&change))
		return;
	/* else the handler of a signal forked in between, and this is the child */
	while (moves->generation == generation && moves->first != 0) {
		uint32_t index = moves->first - 1;
		struct site_record record = sites->records[index];
		moves->first = record.next;
		record_free(index);
		if (!is_sent)
			record_add(record.name, record.kind, record.stack, record.refs);
	}
	site_end(&change);
}
