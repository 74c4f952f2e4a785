/*
 * Vouchers, by trap and by message: recipes as programs write them, and what comes back.
 */
#ifndef TESTS_VOUCHERS_H
#define TESTS_VOUCHERS_H

#include <mach/mach_voucher_types.h>

#include "tests/support/calls.h"
#include "tests/support/rpc.h"

#define USER_DATA MACH_VOUCHER_ATTR_KEY_USER_DATA
#define STORE MACH_VOUCHER_ATTR_USER_DATA_STORE
#define RECIPES_MOST 5120u

struct recipes {
	uint8_t bytes[RECIPES_MOST + 64];
	uint32_t size;
};

/* One more behind those that are there. */
void recipes_add(struct recipes *r, uint32_t key, uint32_t command, mach_port_name_t previous,
		 const void *content, uint32_t content_size);
/* One alone. */
struct recipes recipes_of(uint32_t key, uint32_t command, mach_port_name_t previous,
			  const char *content);

/* host_create_mach_voucher, by trap.  *@voucher is 0 if it fails. */
kern_return_t voucher_create_at(struct actor *t, mach_port_name_t host, const struct recipes *r,
				mach_port_name_t *voucher);
kern_return_t voucher_create(struct actor *t, const struct recipes *r, mach_port_name_t *voucher);
kern_return_t voucher_create_one(struct actor *t, uint32_t key, uint32_t command,
				 mach_port_name_t previous, const char *content,
				 mach_port_name_t *voucher);
/* One with that user data. */
mach_port_name_t voucher_new(struct actor *t, const char *content);

/* mach_voucher_extract_attr_recipe, by trap: the recipe is in the outcome. */
kern_return_t voucher_extract(struct actor *t, mach_port_name_t voucher, uint32_t key,
			      uint32_t room);

/* @r to @object; the reply is in `got`, and its port gone. */
kern_return_t object_call(struct actor *t, mach_port_name_t object, struct rpc *r);
/* The bytes that routine @id gives of @key: 5400 content, 5401 recipe, 5402 all, 5404. */
kern_return_t voucher_ask(struct actor *t, mach_port_name_t voucher, int32_t id, uint32_t key,
			  uint32_t room, struct recipes *out);

/* The attribute @key has this content. */
void assert_voucher_has(struct actor *t, mach_port_name_t voucher, uint32_t key,
			const char *content);

#endif
