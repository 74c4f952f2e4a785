/*
 * Since when and until when there is a call, as Darwin's sources say it.  Berth has what it has:
 * all of it expands to nothing, and the system is as new as can be.
 */
#ifndef __AVAILABILITY__
#define __AVAILABILITY__

#include <AvailabilityVersions.h>

/* What a program asks that chooses by version: what it may use, and what it must run on. */
#ifndef __MAC_OS_X_VERSION_MIN_REQUIRED
#define __MAC_OS_X_VERSION_MIN_REQUIRED __MAC_15_0
#endif
#ifndef __MAC_OS_X_VERSION_MAX_ALLOWED
#define __MAC_OS_X_VERSION_MAX_ALLOWED __MAC_15_0
#endif

/* ---- the newer way --------------------------------------------------------------------- */

#define API_AVAILABLE(...)
#define API_AVAILABLE_BEGIN(...)
#define API_AVAILABLE_END
#define API_DEPRECATED(...)
#define API_DEPRECATED_BEGIN(...)
#define API_DEPRECATED_END
#define API_DEPRECATED_WITH_REPLACEMENT(...)
#define API_DEPRECATED_WITH_REPLACEMENT_BEGIN(...)
#define API_DEPRECATED_WITH_REPLACEMENT_END
#define API_OBSOLETED(...)
#define API_OBSOLETED_WITH_REPLACEMENT(...)
#define API_UNAVAILABLE(...)
#define API_UNAVAILABLE_BEGIN(...)
#define API_UNAVAILABLE_END

#define SPI_AVAILABLE(...)
#define SPI_AVAILABLE_BEGIN(...)
#define SPI_AVAILABLE_END
#define SPI_DEPRECATED(...)
#define SPI_DEPRECATED_WITH_REPLACEMENT(...)

#ifndef API_TO_BE_DEPRECATED
#define API_TO_BE_DEPRECATED 100000
#endif

/* ---- the older ways ---------------------------------------------------------------------- */

#define __OSX_AVAILABLE(version)
#define __OSX_AVAILABLE_STARTING(osx, ios)
#define __OSX_AVAILABLE_BUT_DEPRECATED(osx_intro, osx_dep, ios_intro, ios_dep)
#define __OSX_AVAILABLE_BUT_DEPRECATED_MSG(osx_intro, osx_dep, ios_intro, ios_dep, message)
#define __OSX_DEPRECATED(start, dep, message)
#define __OSX_UNAVAILABLE
#define __OSX_EXTENSION_UNAVAILABLE(message)

#define __IOS_AVAILABLE(version)
#define __IOS_DEPRECATED(start, dep, message)
#define __IOS_UNAVAILABLE
#define __IOS_PROHIBITED
#define __IOS_EXTENSION_UNAVAILABLE(message)

#define __TVOS_AVAILABLE(version)
#define __TVOS_DEPRECATED(start, dep, message)
#define __TVOS_UNAVAILABLE
#define __TVOS_PROHIBITED

#define __WATCHOS_AVAILABLE(version)
#define __WATCHOS_DEPRECATED(start, dep, message)
#define __WATCHOS_UNAVAILABLE
#define __WATCHOS_PROHIBITED

#define __SWIFT_UNAVAILABLE
#define __SWIFT_UNAVAILABLE_MSG(message)
#define __OS_EXTENSION_UNAVAILABLE(message)
#define __OS_AVAILABILITY(target, availability)
#define __OS_AVAILABILITY_MSG(target, availability, message)

/* clang knows it, and says yes where the system is none that it knows */
#if !defined(__clang__) && !defined(__builtin_available)
#define __builtin_available(...) 1
#endif

#endif
