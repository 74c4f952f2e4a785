/*
 * <servers/bootstrap.h> and <servers/bootstrap_priv.h>: each call is one request to the
 * name server, but for bootstrap_unprivileged(), which asks nobody.
 */
#include <servers/bootstrap.h>
#include <servers/bootstrap_priv.h>

#include "client/export.h"
#include "jobUser.h"
#include "launchUser.h"

/* ---- check in -------------------------------------------------------------------------- */

BERTH_EXPORT kern_return_t
bootstrap_check_in3(mach_port_t bp, const char *service_name, mach_port_t *sp,
		    bootstrap_uuid_t instance_id, uint64_t flags)
{
	bootstrap_uuid_t unwanted;

	return vproc_mig_check_in2(bp, service_name, sp, instance_id ? instance_id : unwanted,
				   flags);
}

BERTH_EXPORT kern_return_t
bootstrap_check_in2(mach_port_t bp, const char *service_name, mach_port_t *sp, uint64_t flags)
{
	return bootstrap_check_in3(bp, service_name, sp, NULL, flags);
}

BERTH_EXPORT kern_return_t
bootstrap_check_in(mach_port_t bp, const char *service_name, mach_port_t *sp)
{
	return bootstrap_check_in2(bp, service_name, sp, 0);
}

/* ---- look up --------------------------------------------------------------------------- */

BERTH_EXPORT kern_return_t
bootstrap_look_up3(mach_port_t bp, const char *service_name, mach_port_t *sp, pid_t target_pid,
		   const bootstrap_uuid_t instance_id, uint64_t flags)
{
	static const bootstrap_uuid_t any_instance;
	audit_token_t server;
	mach_port_t service;

	kern_return_t kr =
	    vproc_mig_look_up2(bp, service_name, &service, target_pid,
			       instance_id ? instance_id : any_instance, flags, &server);
	if (kr != KERN_SUCCESS)
		return kr;

	/* forwarded requests are answered by who knows the name: the token is the answerer's */
	if ((flags & BOOTSTRAP_PRIVILEGED_SERVER) && server.val[1] != 0) {
		mach_port_deallocate(mach_task_self(), service);
		return BOOTSTRAP_NOT_PRIVILEGED;
	}
	*sp = service;
	return KERN_SUCCESS;
}

BERTH_EXPORT kern_return_t
bootstrap_look_up2(mach_port_t bp, const char *service_name, mach_port_t *sp, pid_t target_pid,
		   uint64_t flags)
{
	return bootstrap_look_up3(bp, service_name, sp, target_pid, NULL, flags);
}

BERTH_EXPORT kern_return_t
bootstrap_look_up(mach_port_t bp, const char *service_name, mach_port_t *sp)
{
	return bootstrap_look_up2(bp, service_name, sp, 0, 0);
}

BERTH_EXPORT kern_return_t
bootstrap_look_up_per_user(mach_port_t bp, const char *service_name, uid_t target_user,
			   mach_port_t *sp)
{
	mach_port_t context;

	kern_return_t kr = vproc_mig_lookup_per_user_context(bp, target_user, &context);
	if (kr != KERN_SUCCESS)
		return kr;
	if (!service_name) {
		*sp = context;
		return KERN_SUCCESS;
	}
	kr = bootstrap_look_up(context, service_name, sp);
	mach_port_deallocate(mach_task_self(), context);
	return kr;
}

/* ---- publish --------------------------------------------------------------------------- */

BERTH_EXPORT kern_return_t
bootstrap_register2(mach_port_t bp, char *service_name, mach_port_t sp, uint64_t flags)
{
	return vproc_mig_register2(bp, service_name, sp, flags);
}

BERTH_EXPORT kern_return_t
bootstrap_register(mach_port_t bp, char *service_name, mach_port_t sp)
{
	return bootstrap_register2(bp, service_name, sp, 0);
}

BERTH_EXPORT kern_return_t
bootstrap_create_service(mach_port_t bp, char *service_name, mach_port_t *sp)
{
	return berth_launch_create_service(bp, service_name, sp);
}

BERTH_EXPORT kern_return_t
bootstrap_create_server(mach_port_t bp, char *server_cmd, uid_t server_uid, boolean_t on_demand,
			mach_port_t *server_port)
{
	return vproc_mig_create_server(bp, server_cmd, server_uid, on_demand, server_port);
}

BERTH_EXPORT kern_return_t
bootstrap_status(mach_port_t bp, char *service_name, bootstrap_status_t *service_active)
{
	return berth_launch_status(bp, service_name, service_active);
}

/* ---- contexts -------------------------------------------------------------------------- */

BERTH_EXPORT kern_return_t
bootstrap_subset(mach_port_t bp, mach_port_t requestor_port, mach_port_t *subset_port)
{
	return vproc_mig_subset(bp, requestor_port, subset_port);
}

BERTH_EXPORT kern_return_t
bootstrap_parent(mach_port_t bp, mach_port_t *parent_port)
{
	return vproc_mig_parent(bp, parent_port);
}

BERTH_EXPORT kern_return_t
bootstrap_get_root(mach_port_t bp, mach_port_t *root)
{
	return vproc_mig_get_root_bootstrap(bp, root);
}

BERTH_EXPORT kern_return_t
bootstrap_unprivileged(mach_port_t bp, mach_port_t *unpriv_port)
{
	kern_return_t kr = mach_port_mod_refs(mach_task_self(), bp, MACH_PORT_RIGHT_SEND, 1);

	if (kr == KERN_SUCCESS)
		*unpriv_port = bp;
	return kr;
}

BERTH_EXPORT kern_return_t
bootstrap_lookup_children(mach_port_t bp, mach_port_array_t *children, name_array_t *names,
			  bootstrap_property_array_t *properties,
			  mach_msg_type_number_t *n_children)
{
	mach_msg_type_number_t child_count, name_count, property_count;
	mach_port_array_t child_ports;
	name_array_t child_names;
	bootstrap_property_array_t child_properties;

	kern_return_t kr =
	    vproc_mig_lookup_children(bp, &child_ports, &child_count, &child_names, &name_count,
				      &child_properties, &property_count);
	if (kr != KERN_SUCCESS)
		return kr;
	if (name_count != child_count || property_count != child_count) {
		for (mach_msg_type_number_t i = 0; i < child_count; i++)
			mach_port_deallocate(mach_task_self(), child_ports[i]);
		mig_deallocate((vm_address_t)child_ports, child_count * sizeof(*child_ports));
		mig_deallocate((vm_address_t)child_names, name_count * sizeof(*child_names));
		mig_deallocate((vm_address_t)child_properties,
			       property_count * sizeof(*child_properties));
		return MIG_TYPE_ERROR;
	}
	*children = child_ports;
	*names = child_names;
	*properties = child_properties;
	*n_children = child_count;
	return KERN_SUCCESS;
}

BERTH_EXPORT kern_return_t
bootstrap_info(mach_port_t bp, name_array_t *service_names,
	       mach_msg_type_number_t *service_namesCnt, name_array_t *service_jobs,
	       mach_msg_type_number_t *service_jobsCnt, bootstrap_status_array_t *service_active,
	       mach_msg_type_number_t *service_activeCnt, uint64_t flags)
{
	return vproc_mig_info(bp, service_names, service_namesCnt, service_jobs, service_jobsCnt,
			      service_active, service_activeCnt, flags);
}
