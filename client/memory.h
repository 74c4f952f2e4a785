/*
 * Looking at memory that may not be there, and memory that others look at.
 */
#ifndef BERTH_CLIENT_MEMORY_H
#define BERTH_CLIENT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif

#define PAGE_BYTES 4096u /* the smallest page of any machine: what is true of one is true of it */

/* Can every page of @size bytes at @address be read?  One system call a page. */
bool memory_is_readable(const void *address, size_t size);

/* The same for very many pages: one system call, where Linux has it, and pages are there then. */
bool memory_is_readable_now(const void *address, size_t size);

/*
 * Can all of a message of @size bytes be read?  The page where it begins is believed to be there,
 * as Darwin's own library does.  One system call for each further page that this thread has not
 * asked about lately, nor received into.
 */
bool memory_message_is_readable(const void *message, size_t size);

/*
 * Can all of @size (at least 8) bytes at @address be written?  Writes 8 bytes into each
 * page: only for memory that is about to be overwritten.  One system call a page that this
 * thread has not asked about lately.
 */
bool memory_is_writable(void *address, size_t size);

/* Memory was unmapped or protected: what is remembered of that is void. */
void memory_changed(void);

/* Another process has written there, in memory shared with it: Valgrind did not see that. */
static inline void
memory_came(const void *address, size_t size)
{
#ifdef VALGRIND_MAKE_MEM_DEFINED
	VALGRIND_MAKE_MEM_DEFINED(address, size);
#else
	(void)address, (void)size;
#endif
}

/* A new memfd, close-on-exec, that can be sealed; or -errno. */
int memory_fd_new(const char *name);

/* Forbid every change of its size or contents for ever, if it is not so yet.  0 or -errno. */
int memory_fd_seal(int fd);

/*
 * Write @size bytes at @from, which may not be readable, at @offset of @fd.
 *
 * 0; -EFAULT: @from cannot be read; another -errno: no room.
 */
int memory_fd_write(int fd, const void *from, size_t size, uint64_t offset);

/* The opposite.  0; -EFAULT: @to cannot be written; -EIO: @fd is shorter. */
int memory_fd_read(int fd, void *to, size_t size, uint64_t offset);

#endif
