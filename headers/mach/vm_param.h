/*
 * Pages as numbers: all of them come from the variables of <mach/vm_page_size.h>.
 */
#ifndef _MACH_VM_PARAM_H_
#define _MACH_VM_PARAM_H_

#include <mach/vm_page_size.h>
#include <mach/vm_types.h>

/* <sys/user.h> has constants of these names for this machine, with which PAGE_MASK is the other
 * way round; whoever includes both wants those. */
#ifndef PAGE_SIZE
#define PAGE_SIZE vm_page_size
#define PAGE_MASK vm_page_mask
#define PAGE_SHIFT vm_page_shift
#endif

#define PAGE_MAX_SHIFT 16 /* arm64 may have pages of 64 KiB */
#define PAGE_MAX_SIZE (1 << PAGE_MAX_SHIFT)
#define PAGE_MAX_MASK (PAGE_MAX_SIZE - 1)
#define PAGE_MIN_SHIFT 12
#define PAGE_MIN_SIZE (1 << PAGE_MIN_SHIFT)
#define PAGE_MIN_MASK (PAGE_MIN_SIZE - 1)

#define page_aligned(x) ((((vm_offset_t)(x)) & vm_page_mask) == 0)
#define mach_vm_page_aligned(x) ((((mach_vm_offset_t)(x)) & vm_page_mask) == 0)

#define atop(x) ((vm_address_t)(x) >> vm_page_shift) /* address to page number */
#define ptoa(x) ((vm_address_t)(x) << vm_page_shift)

#define VM_MIN_ADDRESS ((vm_offset_t)0)

#endif
