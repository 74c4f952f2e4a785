/*
 * Space: the table of rights that one task holds, by name.
 *
 * A name is an index and a low byte that changes when the index is used again; it means
 * nothing outside its space.  Each used entry holds one reference on its object, whatever
 * its count of user references.  Send and receive right of one port share one name:
 * the receive right is found through the port, a plain send right through a hash of ports.
 */
#ifndef KERNEL_IPC_SPACE_H
#define KERNEL_IPC_SPACE_H

#include "ipc/ipc_port.h"
#include "ipc/ipc_pset.h"

/* bits of an entry */
#define IE_UREFS_MASK 0x0000ffffu
#define IE_TYPE_MASK 0x001f0000u /* MACH_PORT_TYPE_* */
#define IE_ROLL_SHIFT 21         /* 2 bits: after how many names the low byte starts again */
#define IE_ROLL_MASK 0x00600000u
#define IE_KEPT 0x00800000u /* the library's own: no leak of the program's */
#define IE_GEN_SHIFT 24     /* the low byte of the name */

struct ipc_entry {
	union {
		struct ipc_object *object;
		struct ipc_port *port;
		struct ipc_pset *pset;
	};
	uint32_t bits;
	uint32_t next;    /* free list, or chain of the hash */
	uint32_t request; /* slot of the port's request table + 1 */
	uint32_t lane;    /* what a lane has to do with it: ipc_lane.h; 0: nothing */
};

_Static_assert(sizeof(struct ipc_entry) == 24, "the size of XNU's entry");

struct ipc_space {
	struct kernel *kernel;
	struct task *task;
	struct ipc_entry *table; /* index 0 is never a name */
	uint32_t table_size;
	uint32_t free_count;
	uint32_t free_head; /* indices; 0: none */
	uint32_t free_tail;
	uint32_t *buckets; /* bucket_count heads of chains, by port; 0: empty */
	uint32_t bucket_count;
	uint32_t port_count; /* receive rights */
	uint32_t lane_count; /* unused entries that lanes keep */
	bool active;
};

static inline mach_port_type_t
ie_type(const struct ipc_entry *entry)
{
	return entry->bits & IE_TYPE_MASK;
}

static inline uint32_t
ie_urefs(const struct ipc_entry *entry)
{
	return entry->bits & IE_UREFS_MASK;
}

static inline mach_port_name_t
ie_name(const struct ipc_space *space, const struct ipc_entry *entry)
{
	return (mach_port_name_t)((uint32_t)(entry - space->table) << 8) |
	       (entry->bits >> IE_GEN_SHIFT);
}

mustuse kern_return_t ipc_space_init(struct kernel *k, struct ipc_space *space, struct task *task);
void ipc_space_deinit(struct ipc_space *space);
/* Every right goes, receive rights first; the space is dead then. */
void ipc_space_terminate(struct ipc_space *space);

/* The used entry of @name, or NULL.  What lanes hold of it is in the kernel then (ipc_lane.h). */
struct ipc_entry *ipc_space_find(struct ipc_space *space, mach_port_name_t name);
/* The same for who only looks, and is not to change anything. */
struct ipc_entry *ipc_space_find_raw(const struct ipc_space *space, mach_port_name_t name);

/* Makes sure of @count free entries: KERN_NO_SPACE, KERN_RESOURCE_SHORTAGE.  Entries may move. */
mustuse kern_return_t ipc_space_reserve(struct ipc_space *space, uint32_t count);
/* Takes a free entry (reserved before): type NONE, no object. */
struct ipc_entry *ipc_entry_alloc(struct ipc_space *space, mach_port_name_t *name);
/*
 * Takes the entry of a name that the caller chose, as mach_port_allocate_name does: in order
 * KERN_NO_SPACE, KERN_INVALID_VALUE, KERN_FAILURE (index 0), KERN_NAME_EXISTS (*entry is the
 * one in use), KERN_FAILURE (another generation), KERN_RESOURCE_SHORTAGE.
 */
mustuse kern_return_t ipc_entry_alloc_name(struct ipc_space *space, mach_port_name_t name,
					   struct ipc_entry **entry);
/* Gives an entry back: no object, no request, not hashed any more. */
void ipc_entry_free(struct ipc_space *space, struct ipc_entry *entry);

/* The entry that holds SEND, RECEIVE or both for @port, or NULL. */
struct ipc_entry *ipc_space_find_port(const struct ipc_space *space, const struct ipc_port *port);
void ipc_hash_insert(struct ipc_space *space, struct ipc_entry *entry);
void ipc_hash_remove(struct ipc_space *space, struct ipc_entry *entry);

#endif
