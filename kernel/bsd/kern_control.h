/*
 * Kernel controls: which there are, by name, by id and by reference.
 *
 * A dynamic control has its id from the kernel and its name for itself.  A static one says id and
 * unit; several may have one name, and several units one id.  The reference that a kexthost
 * gets is a slot of a table and the count of registrations, so that a stale one is known.
 *
 * Who is connected to a control is between programs and its kexthost.
 *
 * Source: kernel-control.md §1, §2.1, §2.2, §5.1.
 */
#ifndef KERNEL_KERN_CONTROL_H
#define KERNEL_KERN_CONTROL_H

#include "bsd/kern_event.h"

#define CTL_FLAG_REG_ID_UNIT 0x2u /* <sys/kern_control.h> has all flags; this one matters here */

#define KEV_CTL_SUBCLASS 2u
#define KEV_CTL_REGISTERED 1u
#define KEV_CTL_DEREGISTERED 2u

#define CTL_BUCKETS 256u
#define CTL_UNIT_DYNAMIC 0xffffffffu /* what stands for the unit of a dynamic control */

struct kext;

struct kern_control {
	struct list link;             /* ctl_state.controls, by id and unit */
	struct list by_name, by_id;   /* of their buckets */
	struct list in_host, in_kext; /* in_kext: linked if it has a kext */
	struct kernel_kext_host *host;
	struct kext *kext; /* NULL: of none in particular */
	uint64_t ref;
	struct kernel_ctl ctl;   /* id, unit and sizes filled in; the name has its NUL */
	struct kev_event *ended; /* KEV_CTL_DEREGISTERED, for when it goes */
};

struct ctl_slot {
	struct kern_control *control; /* NULL: free */
	uint32_t next_free;           /* of a free one: slot + 1, 0: none */
};

struct ctl_state {
	struct list controls;
	struct list by_name[CTL_BUCKETS], by_id[CTL_BUCKETS];
	uint32_t count;

	struct ctl_slot *slots;
	uint32_t slot_capacity;
	uint32_t first_free; /* slot + 1, 0: none */
	uint64_t generation; /* registrations so far */

	/* of struct kctlstat */
	uint64_t gencnt, bad_ref, table_full;
};

void ctl_init(struct kernel *k);
void ctl_deinit(struct kernel *k);
/* @control goes, with its event. */
void ctl_end(struct kernel *k, struct kern_control *control, struct kernel_effects *effects);

/* The bucket that a name is found in. */
uint32_t ctl_name_bucket(const char *name);
/* What connect() means by these; NULL: none. */
struct kern_control *ctl_find_by_id_unit(const struct kernel *k, uint32_t id, uint32_t unit);
/* The lowest id of that name; NULL: none. */
struct kern_control *ctl_find_by_name(const struct kernel *k, const char *name);

/* Copies what of a name is there to @to, with zeros behind it.  EINVAL: empty, or no NUL fits. */
mustuse int ctl_name_copy(char to[96], const void *name, size_t size_bytes);

#endif
