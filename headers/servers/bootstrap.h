/*
 * The bootstrap name service: from names to ports.
 *
 * A look-up gives a send right, a check-in the receive right of a service.  @bp is the
 * bootstrap port of a task, mostly the own one, `bootstrap_port`.
 */
#ifndef _BOOTSTRAP_H_
#define _BOOTSTRAP_H_

#include <sys/types.h>

#include <mach/mach.h>

#define BOOTSTRAP_MAX_NAME_LEN 128 /* with the NUL */
#define BOOTSTRAP_MAX_CMD_LEN 512
#define BOOTSTRAP_MAX_LOOKUP_COUNT 20

/*
 * Where Darwin's prototypes say name_t or cmd_t for an argument, these say char *, which is the
 * same type: gcc would take the array's length for a promise that a string literal breaks.
 */
typedef char name_t[BOOTSTRAP_MAX_NAME_LEN];
typedef char cmd_t[BOOTSTRAP_MAX_CMD_LEN];
typedef name_t *name_array_t;

typedef int bootstrap_status_t;
typedef bootstrap_status_t *bootstrap_status_array_t;

#define BOOTSTRAP_STATUS_INACTIVE 0
#define BOOTSTRAP_STATUS_ACTIVE 1
#define BOOTSTRAP_STATUS_ON_DEMAND 2

typedef unsigned int bootstrap_property_t;
typedef bootstrap_property_t *bootstrap_property_array_t;

typedef boolean_t *bool_array_t;

#define BOOTSTRAP_SUCCESS 0
#define BOOTSTRAP_NOT_PRIVILEGED 1100
#define BOOTSTRAP_NAME_IN_USE 1101
#define BOOTSTRAP_UNKNOWN_SERVICE 1102
#define BOOTSTRAP_SERVICE_ACTIVE 1103
#define BOOTSTRAP_BAD_COUNT 1104
#define BOOTSTRAP_NO_MEMORY 1105
#define BOOTSTRAP_NO_CHILDREN 1106

#ifdef __cplusplus
extern "C" {
#endif

extern mach_port_t bootstrap_port;

/*
 * Each call may also give what sending to @bp gives: MACH_SEND_INVALID_DEST where @bp is no
 * port, MIG_SERVER_DIED where the name server ended.  Names are compared byte by byte and
 * cut to 127.  Source: bootstrap.md §2 and §3.
 */

/*
 * The receive right of the service @service_name of the caller's job, or of a new service,
 * if nobody declared one.  Gives the right: the caller owns it.
 *
 * BOOTSTRAP_NOT_PRIVILEGED  the service is another job's
 * BOOTSTRAP_SERVICE_ACTIVE  it has been checked in already
 */
extern kern_return_t bootstrap_check_in(mach_port_t bp, const char *service_name, mach_port_t *sp);

/*
 * A send right to the service @service_name, seen from @bp: there, or in a context above.
 * Gives one user reference.
 *
 * BOOTSTRAP_UNKNOWN_SERVICE  there is none
 */
extern kern_return_t bootstrap_look_up(mach_port_t bp, const char *service_name, mach_port_t *sp);

/*
 * Publish the caller's send right @sp, which is copied; MACH_PORT_NULL takes the name back.
 * Deprecated on Darwin: check in instead.
 *
 * BOOTSTRAP_NOT_PRIVILEGED  the service is another job's, or declared
 * BOOTSTRAP_SERVICE_ACTIVE  somebody serves it
 * BOOTSTRAP_NO_MEMORY       @sp is dead
 */
extern kern_return_t bootstrap_register(mach_port_t bp, char *service_name, mach_port_t sp);

/*
 * Make a job from a command line; FALSE for @on_demand keeps it running.  Gives the job's
 * own bootstrap port, which may declare services.
 *
 * BOOTSTRAP_NOT_PRIVILEGED  the caller may not run programs as @server_uid
 */
extern kern_return_t bootstrap_create_server(mach_port_t bp, char *server_cmd, uid_t server_uid,
					     boolean_t on_demand, mach_port_t *server_port);

/*
 * Declare a service of the job @bp.  The name server holds its port; gives a send right.
 *
 * BOOTSTRAP_NAME_IN_USE, BOOTSTRAP_SERVICE_ACTIVE, BOOTSTRAP_NOT_PRIVILEGED
 */
extern kern_return_t bootstrap_create_service(mach_port_t bp, char *service_name, mach_port_t *sp);

/*
 * Is the service served?  One of BOOTSTRAP_STATUS_* into *@service_active.
 *
 * BOOTSTRAP_UNKNOWN_SERVICE  there is none
 */
extern kern_return_t bootstrap_status(mach_port_t bp, char *service_name,
				      bootstrap_status_t *service_active);

/*
 * A context of its own below @bp, which dies with the port @requestor_port.  Gives a send
 * right to its bootstrap port.
 */
extern kern_return_t bootstrap_subset(mach_port_t bp, mach_port_t requestor_port,
				      mach_port_t *subset_port);

/*
 * The context above @bp; at the root, the root.  Gives a send right.
 *
 * BOOTSTRAP_NOT_PRIVILEGED  the caller is not root
 */
extern kern_return_t bootstrap_parent(mach_port_t bp, mach_port_t *parent_port);

/* One more user reference of @bp. */
extern kern_return_t bootstrap_unprivileged(mach_port_t bp, mach_port_t *unpriv_port);

/* What a code of these calls means, in words.  Never NULL; not to be freed. */
extern const char *bootstrap_strerror(kern_return_t r);

#ifdef __cplusplus
}
#endif

#endif
