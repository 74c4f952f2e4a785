/*
 * What kext headers call random and crc32, by the names that the linker knows.
 */
#ifndef BERTH_KEXTS_HOST_RANDOM_H
#define BERTH_KEXTS_HOST_RANDOM_H

#include <stddef.h>
#include <stdint.h>

long kpi_random(void);
uint32_t kpi_crc32(uint32_t crc, const void *buf, size_t size);

#endif
