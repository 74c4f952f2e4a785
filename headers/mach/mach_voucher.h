/*
 * The calls on vouchers.
 *
 * KERN_INVALID_ARGUMENT  a null voucher, or an unknown key
 * KERN_NO_SPACE          the buffer is too small
 *
 * Source: mach-kobjects.md §10.
 */
#ifndef _MACH_MACH_VOUCHER_H_
#define _MACH_MACH_VOUCHER_H_

#include <mach/mach_types.h>
#include <mach/mach_voucher_types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the attribute @key holds, into *@contentCnt bytes at @content. */
extern kern_return_t mach_voucher_extract_attr_content(ipc_voucher_t voucher,
						       mach_voucher_attr_key_t key,
						       mach_voucher_attr_content_t content,
						       mach_msg_type_number_t *contentCnt);

/* The recipe that makes the attribute @key again; size 0 for its default. */
extern kern_return_t mach_voucher_extract_attr_recipe(ipc_voucher_t voucher,
						      mach_voucher_attr_key_t key,
						      mach_voucher_attr_raw_recipe_t recipe,
						      mach_msg_type_number_t *recipeCnt);

/* The recipes of all attributes. */
extern kern_return_t
mach_voucher_extract_all_attr_recipes(ipc_voucher_t voucher,
				      mach_voucher_attr_raw_recipe_array_t recipes,
				      mach_msg_type_number_t *recipesCnt);

/*
 * Ask the manager of the attribute @key for @command.
 *
 * KERN_SUCCESS             the attribute has its default: nothing comes out
 * KERN_INVALID_CAPABILITY  nobody manages the key
 * KERN_NOT_SUPPORTED       its manager knows no command
 */
extern kern_return_t mach_voucher_attr_command(ipc_voucher_t voucher, mach_voucher_attr_key_t key,
					       mach_voucher_attr_command_t command,
					       mach_voucher_attr_content_t in_content,
					       mach_msg_type_number_t in_contentCnt,
					       mach_voucher_attr_content_t out_content,
					       mach_msg_type_number_t *out_contentCnt);

/* For those who debug kernels: KERN_NOT_SUPPORTED. */
extern kern_return_t mach_voucher_debug_info(ipc_voucher_t voucher, mach_voucher_attr_key_t key,
					     mach_voucher_attr_content_t info,
					     mach_msg_type_number_t *infoCnt);

#ifdef __cplusplus
}
#endif

#endif
