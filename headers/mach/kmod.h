/*
 * The record by which a kernel extension is known: who it is, how it starts and stops.
 *
 * Source: kext.md §1.
 */
#ifndef BERTH_MACH_KMOD_H
#define BERTH_MACH_KMOD_H

#include <mach/kern_return.h>
#include <mach/mach_types.h>

#define KMOD_MAX_NAME 64 /* bytes, with the NUL */

#define KMOD_RETURN_SUCCESS KERN_SUCCESS
#define KMOD_RETURN_FAILURE KERN_FAILURE

#ifdef __cplusplus
extern "C" {
#endif

struct kmod_info;

/* Start, stop: 0, or why not.  @data is NULL. */
typedef kern_return_t kmod_start_func_t(struct kmod_info *ki, void *data);
typedef kern_return_t kmod_stop_func_t(struct kmod_info *ki, void *data);

#pragma pack(push, 4)

typedef struct kmod_reference {
	struct kmod_reference *next;
	struct kmod_info *info;
} kmod_reference_t;

typedef struct kmod_info {
	struct kmod_info *next;
	int32_t info_version; /* KMOD_INFO_VERSION */
	uint32_t id;          /* load tag; set when it is loaded */
	char name[KMOD_MAX_NAME];
	char version[KMOD_MAX_NAME];
	int32_t reference_count;
	kmod_reference_t *reference_list;
	vm_address_t address;
	vm_size_t size;
	vm_size_t hdr_size;
	kmod_start_func_t *start;
	kmod_stop_func_t *stop;
} kmod_info_t;

#pragma pack(pop)

#ifdef __cplusplus
}
#endif

#define KMOD_INFO_NAME kmod_info
#define KMOD_INFO_VERSION 1

#ifdef __cplusplus
#define KMOD_LINKAGE_ extern "C"
#else
#define KMOD_LINKAGE_
#endif

/* Defines the record: KMOD_EXPLICIT_DECL(com.example.driver, "1.0.0", start, stop) */
#define KMOD_EXPLICIT_DECL(name, version, start, stop)                                             \
	KMOD_LINKAGE_ __attribute__((visibility("default"))) kmod_info_t KMOD_INFO_NAME;           \
	kmod_info_t KMOD_INFO_NAME = {                                                             \
		0, KMOD_INFO_VERSION, -1U, { #name }, { version }, -1, 0, 0, 0, 0, start, stop     \
	};

/* The same, with <name>_module_start and <name>_module_stop, which are static. */
#define KMOD_DECL(name, version)                                                                   \
	static kmod_start_func_t name##_module_start;                                              \
	static kmod_stop_func_t name##_module_stop;                                                \
	KMOD_EXPLICIT_DECL(name, version, name##_module_start, name##_module_stop)

#endif
