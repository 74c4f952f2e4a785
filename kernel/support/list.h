/*
 * List: a doubly linked ring through links inside the members.  Knows nothing of Mach.
 *
 * A link that is in no list points at itself, so that removing twice is harmless and
 * "is it listed?" has an answer.
 */
#ifndef KERNEL_LIST_H
#define KERNEL_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "check.h"

struct list {
	struct list *next;
	struct list *prev;
};

static inline void
list_init(struct list *link)
{
	link->next = link;
	link->prev = link;
}

static inline bool
list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline bool
list_is_linked(const struct list *link)
{
	return link->next != link;
}

static inline void
list_append(struct list *head, struct list *link)
{
	link->next = head;
	link->prev = head->prev;
	head->prev->next = link;
	head->prev = link;
}

static inline void
list_prepend(struct list *head, struct list *link)
{
	list_append(head->next, link);
}

static inline void
list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

static inline struct list *
list_first(const struct list *head)
{
	return list_is_empty(head) ? NULL : head->next;
}

#define list_entry(link, type, member) container_of(link, type, member)

#define LIST_FOR_EACH(item, head, type, member)                                                    \
	for (type *item = list_entry((head)->next, type, member); &item->member != (head);         \
	     item = list_entry(item->member.next, type, member))

/* The body may remove `item`, and nothing else. */
#define LIST_FOR_EACH_SAFE(item, head, type, member)                                               \
	for (type *item = list_entry((head)->next, type, member),                                  \
		  *item##_next = list_entry(item->member.next, type, member);                      \
	     &item->member != (head);                                                              \
	     item = item##_next, item##_next = list_entry(item->member.next, type, member))

#endif
