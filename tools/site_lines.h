/*
 * Site lines: addresses in object files become functions, files and lines, by addr2line(1).
 *
 * Add all addresses, look them up at once (a process for each object file), then ask.
 */
#ifndef BERTH_TOOLS_SITE_LINES_H
#define BERTH_TOOLS_SITE_LINES_H

#include <stdbool.h>
#include <stdint.h>

struct site_lines;

/* NULL: no memory. */
struct site_lines *site_lines_new(void);
struct site_lines *site_lines_free(struct site_lines *lines);

/* Ask for @address of the object file @path.  Without memory it stays unknown. */
void site_lines_add(struct site_lines *lines, const char *path, uint64_t address);

/* Look up all.  0, or -errno: addr2line could not be executed, so that nothing is known. */
int site_lines_look_up(struct site_lines *lines);

/*
 * What is at @address of @path: a line for each function, "NAME at FILE:LINE" or "NAME", those
 * that were inlined first.  Borrowed.  NULL: not known.
 */
const char *site_lines_find(const struct site_lines *lines, const char *path, uint64_t address);

#endif
