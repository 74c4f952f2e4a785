/*
 * The page by which sleepers learn that whom they wait for is gone: berthd, or a kexthost.
 *
 * Its word `alive` holds the id of a thread of that process, with FUTEX_WAITERS, in a robust
 * futex.  When the thread ends, by whatever means, Linux sets FUTEX_OWNER_DIED there and wakes
 * one waiter, who wakes the next.  So the page says as much as a hang-up does, to one who
 * sleeps in a futex.
 */
#ifndef BERTH_WIRE_ALIVE_PAGE_H
#define BERTH_WIRE_ALIVE_PAGE_H

#include "wire/trap_page.h"

/*
 * A new page, which nobody but the caller's own mapping can ever write.  Its descriptor, which
 * the caller owns, and *@page; -errno.
 */
int alive_page_new(struct kernel_page **page);

/*
 * The page is alive as long as this thread is.  Only one page in a process can be.
 *
 * The thread's list of robust futexes, which libc made, is replaced: a thread that calls this
 * must use no robust mutexes.  0 or -errno.
 */
int alive_page_begin(struct kernel_page *page);

/* It ends now, before the thread does.  Unmaps it. */
void alive_page_end(struct kernel_page *page);

#endif
