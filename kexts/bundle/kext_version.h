/*
 * Versions of kexts, as text and as numbers that compare.
 *
 * MAJOR[.MINOR[.REVISION]][STAGE LEVEL]: numbers of one to four digits; STAGE is d, a, b, f or
 * fc, in that order, f and fc being one; LEVEL is 1 to 255.  No stage is the release, which is
 * later than all stages.
 *
 * Source: kext.md §2.
 */
#ifndef BERTH_KEXTS_BUNDLE_KEXT_VERSION_H
#define BERTH_KEXTS_BUNDLE_KEXT_VERSION_H

#include <stdint.h>

/* What com.apple.kpi.* are here. */
#define KEXT_KPI_VERSION "24.6.0"

/* A number that is greater for a later version; 0: @text is no version. */
uint64_t kext_version_parse(const char *text);

#endif
