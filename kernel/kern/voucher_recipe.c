#include "kern/voucher_recipe.h"

#include <string.h>

_Static_assert(RECIPE_SIZE == 16, "mach-types.md §11: a recipe without its content");

bool
recipe_read(const uint8_t *bytes, uint32_t size_bytes, struct voucher_attribute *recipe)
{
	mach_voucher_attr_recipe_data_t head;

	if (size_bytes < RECIPE_SIZE)
		return false;
	memcpy(&head, bytes, RECIPE_SIZE);
	if (head.content_size > size_bytes - RECIPE_SIZE)
		return false;
	*recipe = (struct voucher_attribute){
		.key = head.key,
		.command = head.command,
		.previous = head.previous_voucher,
		.size_bytes = head.content_size,
		.content = bytes + RECIPE_SIZE,
	};
	return true;
}

uint32_t
recipe_write(uint8_t *bytes, const struct voucher_attribute *attribute)
{
	const mach_voucher_attr_recipe_data_t head = {
		.key = attribute->key,
		.command = attribute->command,
		.content_size = attribute->size_bytes,
	};

	memcpy(bytes, &head, RECIPE_SIZE);
	memcpy(bytes + RECIPE_SIZE, attribute->content, attribute->size_bytes);
	return RECIPE_SIZE + attribute->size_bytes;
}

bool
voucher_attribute_find(const struct voucher *voucher, uint32_t key,
		       struct voucher_attribute *attribute)
{
	for (uint32_t at = 0; at < voucher->size_bytes; at += RECIPE_SIZE + attribute->size_bytes) {
		check(recipe_read(voucher->recipes + at, voucher->size_bytes - at, attribute));
		if (attribute->key == key)
			return true;
	}
	return false;
}

bool
recipe_is_key(uint32_t key)
{
	return key != MACH_VOUCHER_ATTR_KEY_NONE && key <= VOUCHER_KEY_COUNT;
}

bool
recipe_has_manager(uint32_t key)
{
	return key <= MACH_VOUCHER_ATTR_KEY_PTHPRIORITY || key == MACH_VOUCHER_ATTR_KEY_USER_DATA ||
	       key == MACH_VOUCHER_ATTR_KEY_TEST;
}

/* Is @command the manager's of @key?  Some have one that is theirs alone. */
static bool
is_command_of(uint32_t command, uint32_t key)
{
	switch (key) {
	case MACH_VOUCHER_ATTR_KEY_IMPORTANCE:
		return command == MACH_VOUCHER_ATTR_IMPORTANCE_SELF;
	case MACH_VOUCHER_ATTR_KEY_USER_DATA:
	case MACH_VOUCHER_ATTR_KEY_TEST:
		return command == MACH_VOUCHER_ATTR_USER_DATA_STORE;
	default:
		return command > MACH_VOUCHER_ATTR_REDEEM &&
		       command != MACH_VOUCHER_ATTR_IMPORTANCE_SELF &&
		       command != MACH_VOUCHER_ATTR_USER_DATA_STORE;
	}
}

/* ---- one after the other -------------------------------------------------------------------- */

static void
book_set(struct recipe_book *book, uint32_t key, const struct voucher_attribute *attribute)
{
	book->of[key - 1] = attribute ? *attribute : (struct voucher_attribute){ 0 };
}

/* What @key is in @previous, and there is nothing to take where that is NULL. */
static void
book_copy(struct recipe_book *book, uint32_t key, const struct voucher *previous)
{
	struct voucher_attribute attribute;

	if (previous)
		book_set(book, key,
			 voucher_attribute_find(previous, key, &attribute) ? &attribute : NULL);
}

/* One step with one key.  Contents are opaque: to redeem one, or to make it ready, is a copy. */
static kern_return_t
book_apply(struct recipe_book *book, uint32_t key, const struct voucher_attribute *recipe,
	   const struct voucher *previous)
{
	switch (recipe->command) {
	case MACH_VOUCHER_ATTR_COPY:
	case MACH_VOUCHER_ATTR_AUTO_REDEEM:
	case MACH_VOUCHER_ATTR_SEND_PREPROCESS:
	case MACH_VOUCHER_ATTR_REDEEM:
		book_copy(book, key, previous);
		return KERN_SUCCESS;
	case MACH_VOUCHER_ATTR_REMOVE:
		book_set(book, key, NULL);
		return KERN_SUCCESS;
	case MACH_VOUCHER_ATTR_NOOP:
		return KERN_SUCCESS;
	case MACH_VOUCHER_ATTR_SET_VALUE_HANDLE:
		return KERN_INVALID_CAPABILITY; /* handles are between managers and the kernel */
	default:
		if (!is_command_of(recipe->command, key))
			return KERN_INVALID_ARGUMENT;
		book_set(book, key, recipe);
		return KERN_SUCCESS;
	}
}

/* Commands for every attribute: they need no content, and may be for all keys at once. */
static bool
is_common_command(uint32_t command)
{
	return command <= MACH_VOUCHER_ATTR_SEND_PREPROCESS || command == MACH_VOUCHER_ATTR_REDEEM;
}

kern_return_t
recipe_book_step(struct recipe_book *book, const struct task *task,
		 const struct voucher_attribute *recipe)
{
	const bool is_common = is_common_command(recipe->command);
	struct voucher *previous = NULL;
	kern_return_t kr = KERN_SUCCESS;

	if (is_common && recipe->command != MACH_VOUCHER_ATTR_SET_VALUE_HANDLE &&
	    recipe->size_bytes > 0)
		return KERN_INVALID_ARGUMENT;
	if (recipe->previous != MACH_VOUCHER_NAME_NULL) {
		const struct ipc_entry *entry =
		    MACH_PORT_VALID(recipe->previous)
			? ipc_space_find_raw(&task->space, recipe->previous)
			: NULL;

		if (entry && (ie_type(entry) & MACH_PORT_TYPE_SEND))
			previous = convert_port_to_voucher(entry->port);
		if (!previous)
			return KERN_INVALID_CAPABILITY;
	}
	if (recipe->key == MACH_VOUCHER_ATTR_KEY_ALL && is_common) {
		for (uint32_t key = 1; key <= VOUCHER_KEY_COUNT && kr == KERN_SUCCESS; key++)
			kr = book_apply(book, key, recipe, previous);
		return kr;
	}
	if (!recipe_is_key(recipe->key))
		return KERN_INVALID_ARGUMENT;
	if (!recipe_has_manager(recipe->key))
		return KERN_INVALID_CAPABILITY;
	return book_apply(book, recipe->key, recipe, previous);
}

kern_return_t
recipe_book_write(const struct recipe_book *book, uint8_t *bytes, uint32_t *size_bytes)
{
	*size_bytes = 0;
	for (uint32_t i = 0; i < VOUCHER_KEY_COUNT; i++) {
		if (book->of[i].command == MACH_VOUCHER_ATTR_NOOP)
			continue;
		if (RECIPE_SIZE + book->of[i].size_bytes > RECIPES_MAX - *size_bytes)
			return KERN_NO_SPACE;
		*size_bytes += recipe_write(bytes + *size_bytes, &book->of[i]);
	}
	return KERN_SUCCESS;
}
