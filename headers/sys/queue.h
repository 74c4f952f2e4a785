/*
 * Lists and queues: the C library's, and what BSD has and it lacks.
 *
 * Source: kext.md §5.10.
 */
#ifndef BERTH_SYS_QUEUE_H
#define BERTH_SYS_QUEUE_H

#include_next <sys/queue.h>

/* The body of a _SAFE loop may remove and free the element it is at. */

#ifndef SLIST_FOREACH_SAFE
#define SLIST_FOREACH_SAFE(var, head, field, tvar)                                                 \
	for ((var) = SLIST_FIRST((head)); (var) && ((tvar) = SLIST_NEXT((var), field), 1);         \
	     (var) = (tvar))
#endif
#ifndef LIST_FOREACH_SAFE
#define LIST_FOREACH_SAFE(var, head, field, tvar)                                                  \
	for ((var) = LIST_FIRST((head)); (var) && ((tvar) = LIST_NEXT((var), field), 1);           \
	     (var) = (tvar))
#endif
#ifndef STAILQ_FOREACH_SAFE
#define STAILQ_FOREACH_SAFE(var, head, field, tvar)                                                \
	for ((var) = STAILQ_FIRST((head)); (var) && ((tvar) = STAILQ_NEXT((var), field), 1);       \
	     (var) = (tvar))
#endif
#ifndef TAILQ_FOREACH_SAFE
#define TAILQ_FOREACH_SAFE(var, head, field, tvar)                                                 \
	for ((var) = TAILQ_FIRST((head)); (var) && ((tvar) = TAILQ_NEXT((var), field), 1);         \
	     (var) = (tvar))
#endif
#ifndef TAILQ_FOREACH_REVERSE_SAFE
#define TAILQ_FOREACH_REVERSE_SAFE(var, head, headname, field, tvar)                               \
	for ((var) = TAILQ_LAST((head), headname);                                                 \
	     (var) && ((tvar) = TAILQ_PREV((var), headname, field), 1); (var) = (tvar))
#endif

#ifndef SLIST_REMOVE_AFTER
#define SLIST_REMOVE_AFTER(elm, field)                                                             \
	do {                                                                                       \
		SLIST_NEXT(elm, field) = SLIST_NEXT(SLIST_NEXT(elm, field), field);                \
	} while (0)
#endif

#ifndef STAILQ_LAST
#define STAILQ_LAST(head, type, field)                                                             \
	(STAILQ_EMPTY((head)) ? (struct type *)0                                                   \
			      : (struct type *)(void *)((char *)((head)->stqh_last) -              \
							__builtin_offsetof(struct type, field)))
#endif

#endif
