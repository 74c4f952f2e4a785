/*
 * First in each file that defines what kexts call: their headers as they see them.
 */
#ifndef BERTH_KEXTS_HOST_KPI_H
#define BERTH_KEXTS_HOST_KPI_H

#ifndef KERNEL
#define KERNEL 1
#endif

#include "kexts/host/export.h"

#endif
