/*
 * Kernel extensions: results of loading and unloading, and who the running one is.
 *
 * Source: kext.md §1.1 and §3.1.
 */
#ifndef BERTH_LIBKERN_OSKEXTLIB_H
#define BERTH_LIBKERN_OSKEXTLIB_H

#include <stdint.h>

#include <libkern/OSReturn.h>

#define sub_libkern_kext err_sub(2)
#define libkern_kext_err(code) (sys_libkern | sub_libkern_kext | (code)) /* 0xdc008000 + code */

#define kOSKextReturnInternalError libkern_kext_err(0x1)
#define kOSKextReturnNoMemory libkern_kext_err(0x2)
#define kOSKextReturnNoResources libkern_kext_err(0x3)
#define kOSKextReturnNotPrivileged libkern_kext_err(0x4)
#define kOSKextReturnInvalidArgument libkern_kext_err(0x5)
#define kOSKextReturnNotFound libkern_kext_err(0x6)
#define kOSKextReturnBadData libkern_kext_err(0x7)
#define kOSKextReturnSerialization libkern_kext_err(0x8)
#define kOSKextReturnUnsupported libkern_kext_err(0x9)
#define kOSKextReturnDisabled libkern_kext_err(0xa)
#define kOSKextReturnNotAKext libkern_kext_err(0xb)
#define kOSKextReturnValidation libkern_kext_err(0xc)
#define kOSKextReturnAuthentication libkern_kext_err(0xd)
#define kOSKextReturnDependencies libkern_kext_err(0xe)
#define kOSKextReturnArchNotFound libkern_kext_err(0xf)
#define kOSKextReturnCache libkern_kext_err(0x10)
#define kOSKextReturnDeferred libkern_kext_err(0x11)
#define kOSKextReturnBootLevel libkern_kext_err(0x12)
#define kOSKextReturnNotLoadable libkern_kext_err(0x13)
#define kOSKextReturnLoadedVersionDiffers libkern_kext_err(0x14)
#define kOSKextReturnDependencyLoadError libkern_kext_err(0x15)
#define kOSKextReturnLinkError libkern_kext_err(0x16)
#define kOSKextReturnStartStopError libkern_kext_err(0x17)
#define kOSKextReturnInUse libkern_kext_err(0x18)
#define kOSKextReturnTimeout libkern_kext_err(0x19)
#define kOSKextReturnStopping libkern_kext_err(0x1a)
#define kOSKextReturnSystemPolicy libkern_kext_err(0x1b)
#define kOSKextReturnKCLoadFailure libkern_kext_err(0x1c)
#define kOSKextReturnKCLoadFailureSystemKC libkern_kext_err(0x1d)
#define kOSKextReturnKCLoadFailureAuxKC libkern_kext_err(0x1e)

typedef uint32_t OSKextLoadTag;
#define kOSKextInvalidLoadTag ((OSKextLoadTag)-1)

#ifdef KERNEL

#ifdef __cplusplus
extern "C" {
#endif

/* Of the extension whose code calls: its identifier, its version, its load tag.  The strings are
 * good while it is loaded.  NULL, kOSKextInvalidLoadTag: the code is no extension's. */
const char *OSKextGetCurrentIdentifier(void);
const char *OSKextGetCurrentVersionString(void);
OSKextLoadTag OSKextGetCurrentLoadTag(void);

#ifdef __cplusplus
}
#endif

#endif /* KERNEL */

#endif
