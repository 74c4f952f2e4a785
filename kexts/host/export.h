/*
 * What of libberth-kpi kext code may see.  Everything else is hidden.
 */
#ifndef BERTH_KEXTS_HOST_EXPORT_H
#define BERTH_KEXTS_HOST_EXPORT_H

#define KPI_EXPORT __attribute__((visibility("default")))

#endif
