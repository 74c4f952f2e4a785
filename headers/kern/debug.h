/*
 * The end of the kernel, as far as an extension can bring it: of the process that it runs in.
 *
 * For kernel extensions (KERNEL is defined); empty for programs.
 *
 * Source: kext.md §5.3.
 */
#ifndef BERTH_KERN_DEBUG_H
#define BERTH_KERN_DEBUG_H

#ifdef KERNEL

#ifdef __cplusplus
extern "C" {
#endif

/* Log "panic: ...", and from where; then the extension's process ends.  No newline is needed. */
__attribute__((noreturn, cold, format(printf, 1, 2))) void panic(const char *string, ...);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
