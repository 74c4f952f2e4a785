/*
 * The parts of a kexthost, as main() puts them together.
 */
#ifndef BERTH_KEXTS_HOST_KEXT_HOST_H
#define BERTH_KEXTS_HOST_KEXT_HOST_H

#include "kexts/host/kernel_link.h"

#include <stdint.h>
#include <sys/types.h>

/* ---- the control server: controls, connections, lanes (kern_control.c, lane_server.c …) ---- */

/* Before any kext is loaded.  0 or -errno. */
int control_server_start(uint32_t host_id);
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

#endif
