#include "kern/voucher.h"

#include <mach/mig_errors.h>

#include <string.h>

#include "ipc/ipc_right.h"
#include "kern/host.h"
#include "kern/ipc_tt.h"
#include "kern/syscall.h"
#include "kern/voucher_recipe.h"

#define BUCKETS_MIN 64u

struct voucher *
convert_port_to_voucher(struct ipc_port *port)
{
	return convert_port_to_kobject(port, IKOT_VOUCHER);
}

bool
voucher_is_whole(const struct voucher *voucher)
{
	struct voucher_attribute attribute = { 0 };
	uint32_t last_key = 0;

	for (uint32_t at = 0; at < voucher->size_bytes; at += RECIPE_SIZE + attribute.size_bytes) {
		if (!recipe_read(voucher->recipes + at, voucher->size_bytes - at, &attribute) ||
		    attribute.key <= last_key || attribute.previous != MACH_VOUCHER_NAME_NULL)
			return false;
		last_key = attribute.key;
	}
	return last_key <= VOUCHER_KEY_COUNT;
}

/* ---- one for each set --------------------------------------------------------------------- */

/* The seed keeps programs from knowing beforehand what lies where. */
static uint64_t
hash_of(const struct kernel *k, const uint8_t *bytes, uint32_t size_bytes)
{
	uint64_t hash = k->voucher_seed ^ size_bytes;

	for (uint32_t i = 0; i < size_bytes; i++) {
		hash = (hash ^ bytes[i]) * 0x100000001b3ull;
		hash ^= hash >> 29;
	}
	return hash;
}

static struct list *
bucket_of(const struct kernel *k, uint64_t hash)
{
	return &k->vouchers[hash & (k->voucher_bucket_count - 1)];
}

/* Room for one more.  Longer chains do, too, when there is no memory; false: not even that. */
static bool
table_grow(struct kernel *k)
{
	const uint32_t old_count = k->voucher_bucket_count;
	const uint32_t count = old_count ? old_count * 2 : BUCKETS_MIN;
	struct list *old = k->vouchers;
	struct list *buckets;

	if (k->voucher_count < old_count)
		return true;
	buckets = kernel_memory_alloc_raw(k, count * sizeof(*buckets));
	if (!buckets)
		return old_count > 0;
	for (uint32_t i = 0; i < count; i++)
		list_init(&buckets[i]);
	k->vouchers = buckets;
	k->voucher_bucket_count = count;
	for (uint32_t i = 0; i < old_count; i++)
		for (struct list *first; (first = list_first(&old[i])) != NULL;) {
			list_remove(first);
			list_append(bucket_of(k, list_entry(first, struct voucher, link)->hash),
				    first);
		}
	kernel_memory_free(k, old, old_count * sizeof(*old));
	return true;
}

void
vouchers_deinit(struct kernel *k)
{
	check(k->voucher_count == 0);
	kernel_memory_free(k, k->vouchers, k->voucher_bucket_count * sizeof(*k->vouchers));
	k->vouchers = NULL;
	k->voucher_bucket_count = 0;
}

static struct voucher *
find_same(const struct kernel *k, const uint8_t *recipes, uint32_t size_bytes, uint64_t hash)
{
	if (k->voucher_count == 0)
		return NULL;
	LIST_FOR_EACH (voucher, bucket_of(k, hash), struct voucher, link)
		if (voucher->hash == hash && voucher->size_bytes == size_bytes &&
		    memcmp(voucher->recipes, recipes, size_bytes) == 0)
			return voucher;
	return NULL;
}

static uint64_t
charge_of(uint32_t size_bytes)
{
	return sizeof(struct voucher) + sizeof(struct ipc_port) + size_bytes;
}

static struct voucher *
voucher_new(struct kernel *k, struct account *payer, const uint8_t *recipes, uint32_t size_bytes,
	    uint64_t hash)
{
	struct voucher *voucher;

	if (payer->voucher_bytes + charge_of(size_bytes) > TASK_VOUCHER_BYTES_MAX || !table_grow(k))
		return NULL;
	voucher = kernel_memory_alloc(k, sizeof(*voucher) + size_bytes);
	if (!voucher)
		return NULL;
	voucher->port = ipc_port_new_kernel(k, IKOT_VOUCHER, voucher);
	if (!voucher->port) {
		kernel_memory_free(k, voucher, sizeof(*voucher) + size_bytes);
		return NULL;
	}
	voucher->kernel = k;
	voucher->hash = hash;
	voucher->size_bytes = size_bytes;
	memcpy(voucher->recipes, recipes, size_bytes);
	voucher->payer = account_ref(payer);
	payer->voucher_bytes += charge_of(size_bytes);
	list_append(bucket_of(k, hash), &voucher->link);
	k->voucher_count++;
	return voucher;
}

void
voucher_no_senders(struct kernel *k, struct voucher *voucher)
{
	struct ipc_port *port = voucher->port;

	list_remove(&voucher->link);
	k->voucher_count--;
	voucher->payer->voucher_bytes -= charge_of(voucher->size_bytes);
	account_unref(voucher->payer);
	kernel_memory_free(k, voucher, sizeof(*voucher) + voucher->size_bytes);
	ipc_port_destroy_kernel(k, port);
}

/* ---- making ------------------------------------------------------------------------------- */

/* @recipes are the kernel's own by now: nobody writes them any more. */
static kern_return_t
voucher_create(struct task *task, const uint8_t *recipes, uint32_t size_bytes,
	       struct ipc_port **port)
{
	struct kernel *k = task->kernel;
	struct recipe_book book = { 0 };
	uint8_t whole[RECIPES_MAX];
	uint32_t whole_size;
	struct voucher_attribute recipe;
	struct voucher *voucher;
	kern_return_t kr;
	uint64_t hash;

	for (uint32_t at = 0; at < size_bytes; at += RECIPE_SIZE + recipe.size_bytes) {
		if (!recipe_read(recipes + at, size_bytes - at, &recipe))
			return KERN_INVALID_ARGUMENT;
		kr = recipe_book_step(&book, task, &recipe);
		if (kr != KERN_SUCCESS)
			return kr;
	}
	kr = recipe_book_write(&book, whole, &whole_size);
	if (kr != KERN_SUCCESS)
		return kr;
	hash = hash_of(k, whole, whole_size);
	voucher = find_same(k, whole, whole_size, hash);
	if (!voucher)
		voucher = voucher_new(k, task->account, whole, whole_size, hash);
	if (!voucher)
		return KERN_RESOURCE_SHORTAGE;
	*port = ipc_port_make_send(voucher->port);
	return KERN_SUCCESS;
}

kern_return_t
host_create_mach_voucher(struct kernel *k, uint8_t *recipes, uint32_t size_bytes,
			 struct ipc_port **port)
{
	*port = NULL;
	if (!k)
		return KERN_INVALID_ARGUMENT;
	if (size_bytes > RECIPES_MAX)
		return MIG_ARRAY_TOO_LARGE;
	if (size_bytes == 0)
		return KERN_SUCCESS;
	return voucher_create(k->asker, recipes, size_bytes, port);
}

/* ---- looking ------------------------------------------------------------------------------- */

/* The voucher behind @port, and that @key is one. */
static kern_return_t
find_arguments(struct ipc_port *port, uint32_t key, struct voucher **voucher)
{
	*voucher = convert_port_to_voucher(port);
	return *voucher && recipe_is_key(key) ? KERN_SUCCESS : KERN_INVALID_ARGUMENT;
}

kern_return_t
mach_voucher_extract_attr_content(struct ipc_port *port, uint32_t key, uint8_t *out,
				  uint32_t *size_bytes)
{
	struct voucher_attribute attribute = { 0 };
	struct voucher *voucher;
	kern_return_t kr = find_arguments(port, key, &voucher);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!voucher_attribute_find(voucher, key, &attribute))
		attribute.size_bytes = 0;
	if (attribute.size_bytes > *size_bytes)
		return KERN_NO_SPACE;
	if (attribute.size_bytes > 0)
		memcpy(out, attribute.content, attribute.size_bytes);
	*size_bytes = attribute.size_bytes;
	return KERN_SUCCESS;
}

kern_return_t
mach_voucher_extract_attr_recipe(struct ipc_port *port, uint32_t key, uint8_t *out,
				 uint32_t *size_bytes)
{
	struct voucher_attribute attribute;
	struct voucher *voucher;
	kern_return_t kr = find_arguments(port, key, &voucher);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!voucher_attribute_find(voucher, key, &attribute)) {
		*size_bytes = 0;
		return KERN_SUCCESS;
	}
	if (RECIPE_SIZE + attribute.size_bytes > *size_bytes)
		return KERN_NO_SPACE;
	*size_bytes = recipe_write(out, &attribute);
	return KERN_SUCCESS;
}

kern_return_t
mach_voucher_extract_all_attr_recipes(struct ipc_port *port, uint8_t *out, uint32_t *size_bytes)
{
	const struct voucher *voucher = convert_port_to_voucher(port);

	if (!voucher)
		return KERN_INVALID_ARGUMENT;
	if (voucher->size_bytes > *size_bytes)
		return KERN_NO_SPACE;
	memcpy(out, voucher->recipes, voucher->size_bytes);
	*size_bytes = voucher->size_bytes;
	return KERN_SUCCESS;
}

kern_return_t
mach_voucher_attr_command(struct ipc_port *port, uint32_t key, uint32_t command, uint8_t *in,
			  uint32_t in_size_bytes, uint8_t *out, uint32_t *out_size_bytes)
{
	struct voucher_attribute attribute;
	struct voucher *voucher;
	kern_return_t kr = find_arguments(port, key, &voucher);

	(void)command;
	(void)in;
	(void)in_size_bytes;
	(void)out;
	if (kr != KERN_SUCCESS)
		return kr;
	if (!recipe_has_manager(key))
		return KERN_INVALID_CAPABILITY;
	if (voucher_attribute_find(voucher, key, &attribute))
		return KERN_NOT_SUPPORTED;
	*out_size_bytes = 0;
	return KERN_SUCCESS;
}

kern_return_t
mach_voucher_debug_info(struct ipc_port *port, uint32_t key, uint8_t *out, uint32_t *size_bytes)
{
	(void)port;
	(void)key;
	(void)out;
	(void)size_bytes;
	return KERN_NOT_SUPPORTED;
}

/* ---- of tasks and threads ------------------------------------------------------------------ */

kern_return_t
task_get_mach_voucher(struct task *task, uint32_t which, struct ipc_port **voucher)
{
	(void)which;
	*voucher = NULL;
	return task ? KERN_SUCCESS : KERN_INVALID_TASK;
}

kern_return_t
task_set_mach_voucher(struct task *task, struct ipc_port *voucher)
{
	if (!task)
		return KERN_INVALID_TASK;
	ipc_port_release_send(task->kernel, voucher);
	return KERN_SUCCESS;
}

kern_return_t
task_swap_mach_voucher(struct task *task, struct ipc_port *voucher, struct ipc_port **old)
{
	(void)voucher;
	(void)old;
	return task ? KERN_NOT_SUPPORTED : KERN_INVALID_TASK;
}

kern_return_t
thread_get_mach_voucher(struct thread *thread, uint32_t which, struct ipc_port **voucher)
{
	(void)which;
	if (!thread)
		return KERN_INVALID_ARGUMENT;
	*voucher = ipc_port_copy_send(thread->voucher);
	return KERN_SUCCESS;
}

kern_return_t
thread_set_mach_voucher(struct thread *thread, struct ipc_port *voucher)
{
	struct ipc_port *old;
	struct thread *asker;

	if (!thread)
		return KERN_INVALID_ARGUMENT;
	asker = thread->task->kernel->asker_thread;
	if (asker->alias_of)
		asker = asker->alias_of;
	if (thread != asker || (voucher && !convert_port_to_voucher(voucher)))
		return KERN_INVALID_ARGUMENT;
	old = thread->voucher;
	thread->voucher = voucher;
	ipc_port_release_send(thread->task->kernel, old);
	return KERN_SUCCESS;
}

/* ---- the traps ----------------------------------------------------------------------------- */

static kern_return_t
trap_create(struct syscall *call)
{
	const uint32_t size_bytes = call->frame->bytes_size;
	uint8_t recipes[RECIPES_MAX];
	struct ipc_port *port;
	kern_return_t kr = kobject_from_name(call->caller, call_arg32(call, 0), &port);

	if (kr != KERN_SUCCESS)
		return kr;
	if (size_bytes > 0 && size_bytes <= RECIPES_MAX)
		memcpy(recipes, call->frame->bytes, size_bytes); /* read once, then believed */
	call->kernel->asker = call->caller;
	kr = host_create_mach_voucher(convert_port_to_host(port), recipes, size_bytes, &port);
	call->kernel->asker = NULL;
	if (kr != KERN_SUCCESS)
		return kr;
	return call_give_send(call, port, 0);
}

static kern_return_t
trap_extract_recipe(struct syscall *call)
{
	uint32_t size_bytes = call_arg32(call, 2);
	uint8_t recipe[RECIPES_MAX];
	struct ipc_port *port;
	kern_return_t kr = kobject_from_name(call->caller, call_arg32(call, 0), &port);

	if (call_arg32(call, 0) == MACH_PORT_NULL)
		return KERN_INVALID_ARGUMENT;
	if (size_bytes > RECIPES_MAX)
		size_bytes = RECIPES_MAX;
	if (kr == KERN_SUCCESS)
		kr = mach_voucher_extract_attr_recipe(port, call_arg32(call, 1), recipe,
						      &size_bytes);
	if (kr != KERN_SUCCESS || size_bytes == 0)
		return kr;
	if (!thread_output(call->thread, size_bytes))
		return KERN_RESOURCE_SHORTAGE;
	memcpy(call->thread->output, recipe, size_bytes);
	call->result->bytes = call->thread->output;
	call->result->bytes_size = size_bytes;
	call->result->values[0] = size_bytes;
	return KERN_SUCCESS;
}

syscall_function *
voucher_syscall(uint32_t number)
{
	switch (number) {
	case BERTH_TRAP_HOST_CREATE_MACH_VOUCHER:
		return trap_create;
	case BERTH_TRAP_MACH_VOUCHER_EXTRACT_ATTR_RECIPE:
		return trap_extract_recipe;
	default:
		return NULL;
	}
}
