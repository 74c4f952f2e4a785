/*
 * The private calls of the bootstrap name service, with the names that they have on Darwin.
 */
#ifndef _BOOTSTRAP_PRIVATE_H_
#define _BOOTSTRAP_PRIVATE_H_

#include <stdint.h>
#include <sys/types.h>

#include <servers/bootstrap.h>

#define BOOTSTRAP_PER_PID_SERVICE (1ull << 0) /* a service for each process of this name */
#define BOOTSTRAP_ALLOW_LOOKUP (1ull << 1)
#define BOOTSTRAP_DENY_JOB_CREATION (1ull << 2)
#define BOOTSTRAP_PRIVILEGED_SERVER (1ull << 3) /* only if root's name server answers */
#define BOOTSTRAP_FORCE_LOCAL (1ull << 4)       /* not from contexts above */
#define BOOTSTRAP_SPECIFIC_INSTANCE (1ull << 5)
#define BOOTSTRAP_STRICT_CHECKIN (1ull << 6) /* only what was declared */
#define BOOTSTRAP_STRICT_LOOKUP (1ull << 7)  /* not from contexts above */

#define BOOTSTRAP_PROPERTY_EXPLICITSUBSET (1u << 0)
#define BOOTSTRAP_PROPERTY_IMPLICITSUBSET (1u << 1)
#define BOOTSTRAP_PROPERTY_MOVEDSUBSET (1u << 2)
#define BOOTSTRAP_PROPERTY_PERUSER (1u << 3)
#define BOOTSTRAP_PROPERTY_XPC_DOMAIN (1u << 4)
#define BOOTSTRAP_PROPERTY_XPC_SINGLETON (1u << 5)

/* Sixteen bytes, as uuid_t of <uuid/uuid.h>. */
typedef unsigned char bootstrap_uuid_t[16];

#ifdef __cplusplus
extern "C" {
#endif

/* bootstrap_check_in() with flags.  BOOTSTRAP_UNKNOWN_SERVICE: strict, and not declared. */
extern kern_return_t bootstrap_check_in2(mach_port_t bp, const char *service_name, mach_port_t *sp,
					 uint64_t flags);

/* The same; @instance_id gets the identity of the caller's instance, here always zeroes. */
extern kern_return_t bootstrap_check_in3(mach_port_t bp, const char *service_name, mach_port_t *sp,
					 bootstrap_uuid_t instance_id, uint64_t flags);

/*
 * bootstrap_look_up() with flags.  @target_pid: whose service, with _PER_PID_SERVICE.
 * BOOTSTRAP_NOT_PRIVILEGED: _PRIVILEGED_SERVER, and the answer did not come from root.
 */
extern kern_return_t bootstrap_look_up2(mach_port_t bp, const char *service_name, mach_port_t *sp,
					pid_t target_pid, uint64_t flags);

/* The same; @instance_id: which instance, with _SPECIFIC_INSTANCE. */
extern kern_return_t bootstrap_look_up3(mach_port_t bp, const char *service_name, mach_port_t *sp,
					pid_t target_pid, const bootstrap_uuid_t instance_id,
					uint64_t flags);

/* bootstrap_register() with flags. */
extern kern_return_t bootstrap_register2(mach_port_t bp, char *service_name, mach_port_t sp,
					 uint64_t flags);

/*
 * Look @service_name up in the context of the user @target_user (0: the caller's); NULL: the
 * bootstrap port of that context itself.
 *
 * BOOTSTRAP_NOT_PRIVILEGED  another user's, and the caller is not root
 */
extern kern_return_t bootstrap_look_up_per_user(mach_port_t bp, const char *service_name,
						uid_t target_user, mach_port_t *sp);

/*
 * The contexts right below @bp: bootstrap ports (send rights), names and properties.  The
 * arrays and the rights are the caller's.
 *
 * BOOTSTRAP_NOT_PRIVILEGED  the caller is not root
 * BOOTSTRAP_NO_CHILDREN     there are none
 */
extern kern_return_t bootstrap_lookup_children(mach_port_t bp, mach_port_array_t *children,
					       name_array_t *names,
					       bootstrap_property_array_t *properties,
					       mach_msg_type_number_t *n_children);

/* A send right to the root's bootstrap port. */
extern kern_return_t bootstrap_get_root(mach_port_t bp, mach_port_t *root);

/*
 * The services seen from @bp: names, labels of their jobs, BOOTSTRAP_STATUS_*.  The arrays
 * are the caller's.  BOOTSTRAP_FORCE_LOCAL: not those of the contexts above.
 */
extern kern_return_t bootstrap_info(mach_port_t bp, name_array_t *service_names,
				    mach_msg_type_number_t *service_namesCnt,
				    name_array_t *service_jobs,
				    mach_msg_type_number_t *service_jobsCnt,
				    bootstrap_status_array_t *service_active,
				    mach_msg_type_number_t *service_activeCnt, uint64_t flags);

#ifdef __cplusplus
}
#endif

#endif
