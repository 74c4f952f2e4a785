/*
 * Numbers that Linux tells in /proc.
 */
#ifndef BERTH_CLIENT_MACH_PROC_H
#define BERTH_CLIENT_MACH_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Read the file at @path into @text, cut to @size - 1 bytes and ended with a NUL.  False: it
 * cannot be read. */
bool proc_read(const char *path, char *text, size_t size);

/* The same with a path from the folder @folder_fd. */
bool proc_read_at(int folder_fd, const char *path, char *text, size_t size);

/* The number behind @key ("MemFree:") at the start of a line of @text; 0: there is none. */
uint64_t proc_number(const char *text, const char *key);

#endif
