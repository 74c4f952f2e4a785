/*
 * The traps of the core as functions that read like Darwin's calls.
 *
 * The task argument of each is actor->target: the actor's own task, unless a test says
 * otherwise.  None of them may block; that is a failed test.
 */
#ifndef TESTS_CALLS_H
#define TESTS_CALLS_H

#include "tests/support/world.h"

/* One trap with these arguments; must complete at once. */
kern_return_t trap(struct actor *t, uint32_t number, uint64_t arg1, uint64_t arg2, uint64_t arg3,
		   uint64_t arg4, uint64_t arg5, uint64_t arg6);

kern_return_t port_allocate(struct actor *t, mach_port_right_t right, mach_port_name_t *name);
kern_return_t port_allocate_name(struct actor *t, mach_port_right_t right, mach_port_name_t name);
kern_return_t port_allocate_full(struct actor *t, mach_port_right_t right, uint32_t qos_flags,
				 uint32_t qos_len, mach_port_name_t *name);
kern_return_t port_construct(struct actor *t, uint32_t flags, uint32_t qlimit, uint64_t context,
			     mach_port_name_t *name);
kern_return_t port_destruct(struct actor *t, mach_port_name_t name, int32_t srdelta,
			    uint64_t guard);
kern_return_t port_destroy(struct actor *t, mach_port_name_t name);
kern_return_t port_deallocate(struct actor *t, mach_port_name_t name);
kern_return_t port_get_refs(struct actor *t, mach_port_name_t name, mach_port_right_t right,
			    uint32_t *refs);
kern_return_t port_mod_refs(struct actor *t, mach_port_name_t name, mach_port_right_t right,
			    int32_t delta);
kern_return_t port_insert_right(struct actor *t, mach_port_name_t name, mach_port_name_t poly,
				uint32_t disposition);
kern_return_t port_extract_right(struct actor *t, mach_port_name_t name, uint32_t disposition,
				 mach_port_name_t *poly, uint32_t *poly_type);
kern_return_t port_insert_member(struct actor *t, mach_port_name_t name, mach_port_name_t set);
kern_return_t port_extract_member(struct actor *t, mach_port_name_t name, mach_port_name_t set);
kern_return_t port_move_member(struct actor *t, mach_port_name_t name, mach_port_name_t set);
/* @members points into the outcome. */
kern_return_t port_get_set_status(struct actor *t, mach_port_name_t name,
				  const mach_port_name_t **members, uint32_t *count);
kern_return_t port_request_notification(struct actor *t, mach_port_name_t name, int32_t msgid,
					uint32_t sync, mach_port_name_t notify,
					uint32_t disposition, mach_port_name_t *previous);
kern_return_t port_get_attributes(struct actor *t, mach_port_name_t name, int flavor, void *info,
				  uint32_t *count);
kern_return_t port_set_attributes(struct actor *t, mach_port_name_t name, int flavor,
				  const void *info, uint32_t count);
kern_return_t port_assert_attributes(struct actor *t, mach_port_name_t name, int flavor,
				     const void *info, uint32_t count);
kern_return_t port_get_context(struct actor *t, mach_port_name_t name, uint64_t *context);
kern_return_t port_set_context(struct actor *t, mach_port_name_t name, uint64_t context);
kern_return_t port_guard(struct actor *t, mach_port_name_t name, uint64_t guard, uint32_t flags);
kern_return_t port_unguard(struct actor *t, mach_port_name_t name, uint64_t guard);
kern_return_t port_swap_guard(struct actor *t, mach_port_name_t name, uint64_t old, uint64_t new);
kern_return_t port_set_mscount(struct actor *t, mach_port_name_t name, uint32_t mscount);
kern_return_t port_set_seqno(struct actor *t, mach_port_name_t name, uint32_t seqno);
kern_return_t port_get_srights(struct actor *t, mach_port_name_t name, uint32_t *srights);
kern_return_t port_type(struct actor *t, mach_port_name_t name, mach_port_type_t *type);

kern_return_t get_special_port(struct actor *t, int which, mach_port_name_t *name);
kern_return_t set_special_port(struct actor *t, int which, mach_port_name_t name);
kern_return_t ports_register(struct actor *t, uint32_t count, mach_port_name_t first,
			     mach_port_name_t second, mach_port_name_t third);
kern_return_t ports_lookup(struct actor *t, mach_port_name_t names[3]);

mach_port_name_t reply_port(struct actor *t);
mach_port_name_t task_self(struct actor *t);
mach_port_name_t thread_self(struct actor *t);
mach_port_name_t host_self(struct actor *t);
mach_port_name_t special_reply_port(struct actor *t);

/* A fileport of @file: a send right; and what one opens: the file, NULL on failure. */
kern_return_t fileport_make(struct actor *t, struct file *file, mach_port_name_t *name);
kern_return_t fileport_open(struct actor *t, mach_port_name_t name, const struct file **file);

/* A memory entry for @size bytes at @offset of @file. */
kern_return_t memory_entry_make(struct actor *t, struct file *file, uint64_t offset, uint64_t size,
				uint64_t protection, uint64_t data, mach_port_name_t *name);
kern_return_t memory_entry_open(struct actor *t, mach_port_name_t name, const struct file **file);

/* ---- short ways to what tests ask for all the time ----------------------------------- */

/* A port with receive right; with a send right of one user reference, too. */
mach_port_name_t new_port(struct actor *t);
mach_port_name_t new_port_with_send(struct actor *t);
mach_port_name_t new_set(struct actor *t);
mach_port_name_t new_dead_name(struct actor *t);
/* A fileport, which alone holds its file, and the file. */
mach_port_name_t new_fileport(struct actor *t, const struct file **file);
/* A name of its own for a new send-once right to @port, which @t receives on. */
mach_port_name_t new_send_once(struct actor *t, mach_port_name_t port);

/* Type bits without the request bits; 0: no such name. */
mach_port_type_t type_of(struct actor *t, mach_port_name_t name);
/* User references; 0: no such right.  What get_refs says. */
uint32_t refs_of(struct actor *t, mach_port_name_t name, mach_port_right_t right);
uint32_t send_refs(struct actor *t, mach_port_name_t name);
uint32_t dead_refs(struct actor *t, mach_port_name_t name);
mach_port_status_t status_of(struct actor *t, mach_port_name_t name);
uint32_t srights_of(struct actor *t, mach_port_name_t name);
uint32_t msgcount_of(struct actor *t, mach_port_name_t name);
void set_qlimit(struct actor *t, mach_port_name_t name, uint32_t qlimit);

/* The entry is exactly this: its type bits and its user references. */
#define assert_entry(t, name, type, refs)                                                          \
	check_entry(t, name, type, refs, #name, __FILE__, __LINE__)
void check_entry(struct actor *t, mach_port_name_t name, mach_port_type_t type, uint32_t refs,
		 const char *what, const char *file, int line);
#define assert_no_entry(t, name) check_entry(t, name, 0, 0, #name, __FILE__, __LINE__)

#endif
