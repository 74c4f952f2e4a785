/*
 * The parts of a kexthost, as main() puts them together.
 */
#ifndef BERTH_KEXTS_HOST_KEXT_HOST_H
#define BERTH_KEXTS_HOST_KEXT_HOST_H

#include "kexts/host/kernel_link.h"

#include <stdint.h>
#include <sys/types.h>

/* ---- the control server: controls, connections, lanes (kern_control.c, lane_server.c …) ---- */

/* Before any kext is loaded.  @folder: one that may be written, the kernel's own; nothing stays
 * there.  0 or -errno. */
int control_server_start(uint32_t host_id, const char *folder);
/* A lane to a program; owns @fd. */
void control_server_lane(const struct wire_kext_lane *lane, int fd);
/* Controls of the kext with this load tag that are still registered. */
uint32_t control_server_count(uint32_t kext_tag);
/* Writes the answer of WIRE_COMMAND_STATUS. */
void control_server_status(uint32_t sequence);

/* ---- the loader (loader.c) ------------------------------------------------------------- */

/* The load tag of the kext whose start routine this thread runs, or whose code it is; 0: not
 * known.  @address: of something in it, as of its callback. */
uint32_t loader_tag_of_address(const void *address);

/* ---- crashes (crash.c) ------------------------------------------------------------------ */

/*
 * Called by each thread that will run kext code, before it does: crash signals are let
 * through, and get a stack.
 */
void kext_thread_start(void);

/* What kext code of the kext @tag (0: not known) is called for, on this thread: told of when it
 * crashes.  @what: "ctl_send" …, lives for ever; @unit 0: of none.  Gives what was before, for
 * kext_activity_end().  Cheap. */
struct kext_activity {
	const char *what;
	uint32_t unit, tag;
};
struct kext_activity kext_activity_begin(const char *what, uint32_t unit, uint32_t tag);
void kext_activity_end(struct kext_activity before);
uint32_t kext_activity_tag(void);

#endif
