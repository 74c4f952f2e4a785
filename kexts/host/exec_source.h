/*
 * Executions: what a kext that listens to KAUTH_SCOPE_VNODE or KAUTH_SCOPE_FILEOP hears.
 *
 * Linux asks us, by fanotify, before a program in one of some folders is run, and makes the
 * process that runs it wait for the answer.  Listeners run on a thread of ours, on behalf of
 * that process.  A denial is EPERM there.
 *
 *   (idle) ─► WATCHING   the first listens, and there are folders
 *   (idle) ─► FAILED     the same, and Linux does not permit it: the reason is kept and logged
 *
 * It watches until the process ends.  Nothing but the given folders is watched, and not what
 * lies in folders of theirs.  When the kexthost dies, however it does, Linux lets all through.
 */
#ifndef BERTH_KEXTS_HOST_EXEC_SOURCE_H
#define BERTH_KEXTS_HOST_EXEC_SOURCE_H

/* Absolute paths, borrowed for ever; before any kext is loaded. */
void exec_source_set_folders(char *const *folders, int count);

/* Why nobody hears of executions, in words; NULL: all is well, or nobody wants to. */
const char *exec_source_trouble(void);

#endif
