/*
 * The program's memory behind pointers that it passed: what a system call answers with EFAULT.
 */
#ifndef BERTH_CLIENT_BSD_USER_MEMORY_H
#define BERTH_CLIENT_BSD_USER_MEMORY_H

#include <stddef.h>

/* Copy @size bytes from or to where the program says.  0 or EFAULT. */
int user_read(void *to, const void *from, size_t size);
int user_write(void *to, const void *from, size_t size);

#endif
