/*
 * Recipes: what programs ask for when they make a voucher, and how a voucher is kept.
 *
 * Contents are opaque here: nothing is known of an attribute but its key, and whether somebody
 * manages it.  Source: mach-kobjects.md §10.
 */
#ifndef KERNEL_VOUCHER_RECIPE_H
#define KERNEL_VOUCHER_RECIPE_H

#include "kern/voucher.h"

#define VOUCHER_KEY_COUNT MACH_VOUCHER_ATTR_KEY_NUM_WELL_KNOWN  /* keys are 1 to this */
#define RECIPES_MAX MACH_VOUCHER_ATTR_MAX_RAW_RECIPE_ARRAY_SIZE /* bytes */
#define RECIPE_SIZE ((uint32_t)sizeof(mach_voucher_attr_recipe_data_t))

/* A recipe, apart from its bytes: what an attribute is.  `command` NOOP: the default. */
struct voucher_attribute {
	uint32_t key, command, previous, size_bytes;
	const uint8_t *content;
};

/* The first recipe of @size_bytes, whose content stays where it is; false: they are none. */
bool recipe_read(const uint8_t *bytes, uint32_t size_bytes, struct voucher_attribute *recipe);
/* Writes the recipe that makes @attribute; gives its size.  @bytes has the room. */
uint32_t recipe_write(uint8_t *bytes, const struct voucher_attribute *attribute);

/* The attribute @key of @voucher, which keeps the content; false: it has the default. */
bool voucher_attribute_find(const struct voucher *voucher, uint32_t key,
			    struct voucher_attribute *attribute);

bool recipe_is_key(uint32_t key);
bool recipe_has_manager(uint32_t key);

/* A voucher in the making: its attributes by key - 1. */
struct recipe_book {
	struct voucher_attribute of[VOUCHER_KEY_COUNT];
};

/*
 * What @recipe does to the voucher in the making; @task is who asks, in whose space it names a
 * previous one.  @book borrows the recipe's content, and the previous voucher's.
 *
 * KERN_SUCCESS
 * KERN_INVALID_ARGUMENT    a key or a command that is none, content where there is to be none
 * KERN_INVALID_CAPABILITY  a previous voucher that is none, a key without a manager, a command
 *                          that is a manager's to use
 */
mustuse kern_return_t recipe_book_step(struct recipe_book *book, const struct task *task,
				       const struct voucher_attribute *recipe);
/* @book as the recipes of a voucher, in RECIPES_MAX @bytes.
 * KERN_SUCCESS; KERN_NO_SPACE: they are more. */
mustuse kern_return_t recipe_book_write(const struct recipe_book *book, uint8_t *bytes,
					uint32_t *size_bytes);

#endif
