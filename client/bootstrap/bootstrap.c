/*
 * <servers/bootstrap.h> and <servers/bootstrap_priv.h>: each call is one request to the
 * name server, but for bootstrap_unprivileged(), which asks nobody.
 */
#include <servers/bootstrap.h>
#include <servers/bootstrap_priv.h>

#include <string.h>

#include <berth/job_protocol.h>
#include <berth/launch_protocol.h>

#include "client/bootstrap/rpc.h"
#include "client/export.h"

/* A request, or its reply with the trailer. */
#define EXCHANGE(request_type, reply_type)                                                         \
	union {                                                                                    \
		request_type in;                                                                   \
		struct {                                                                           \
			reply_type body;                                                           \
			mach_msg_max_trailer_t trailer;                                            \
		} reply;                                                                           \
		mig_reply_error_t error;                                                           \
		mach_msg_header_t head;                                                            \
	}

#define RPC(port, id, exchange, shape)                                                             \
	bootstrap_rpc((port), (id), &(exchange)->head, sizeof((exchange)->in),                     \
		      sizeof((exchange)->reply), (shape))

static void
name_put(char *out, const char *name)
{
	mig_strncpy_zerofill(out, name, JOB_NAME_SIZE);
}

static void
port_put(mach_msg_port_descriptor_t *descriptor, mach_port_t name)
{
	*descriptor = (mach_msg_port_descriptor_t){ .name = name,
						    .disposition = MACH_MSG_TYPE_COPY_SEND,
						    .type = MACH_MSG_PORT_DESCRIPTOR };
}

/* ---- check in -------------------------------------------------------------------------- */

BERTH_EXPORT kern_return_t
bootstrap_check_in3(mach_port_t bp, const char *service_name, mach_port_t *sp,
		    bootstrap_uuid_t instance_id, uint64_t flags)
{
	static const struct rpc_reply_shape shape = {
		.size_bytes = sizeof(struct job_check_in_reply),
		.descriptor_count = 1,
		.descriptors = { { MACH_MSG_PORT_DESCRIPTOR, MACH_MSG_TYPE_MOVE_RECEIVE } },
	};
	EXCHANGE(struct job_check_in_request, struct job_check_in_reply)
	message = { .in = { .NDR = NDR_record, .flags = flags } };

	name_put(message.in.name, service_name);
	kern_return_t kr = RPC(bp, JOB_CHECK_IN, &message, &shape);
	if (kr != KERN_SUCCESS)
		return kr;
	*sp = message.reply.body.port.name;
	if (instance_id)
		memcpy(instance_id, message.reply.body.uuid, sizeof(message.reply.body.uuid));
	return KERN_SUCCESS;
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
	EXCHANGE(struct job_look_up_request, struct job_port_reply)
	message = { .in = { .NDR = NDR_record, .pid = target_pid, .flags = flags } };

	name_put(message.in.name, service_name);
	if (instance_id)
		memcpy(message.in.uuid, instance_id, sizeof(message.in.uuid));
	kern_return_t kr = RPC(bp, JOB_LOOK_UP, &message, &rpc_port_reply);
	if (kr != KERN_SUCCESS)
		return kr;

	/* forwarded requests are answered by who knows the name: the token is the answerer's */
	if ((flags & BOOTSTRAP_PRIVILEGED_SERVER) &&
	    bootstrap_rpc_audit(&message.head)->val[1] != 0) {
		mach_port_deallocate(mach_task_self(), message.reply.body.port.name);
		return BOOTSTRAP_NOT_PRIVILEGED;
	}
	*sp = message.reply.body.port.name;
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
	EXCHANGE(struct job_per_user_request, struct job_port_reply)
	message = { .in = { .NDR = NDR_record, .uid = target_user } };

	kern_return_t kr = RPC(bp, JOB_LOOKUP_PER_USER_CONTEXT, &message, &rpc_port_reply);
	if (kr != KERN_SUCCESS)
		return kr;
	mach_port_t context = message.reply.body.port.name;
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
	EXCHANGE(struct job_register_request, mig_reply_error_t)
	message = { .in = { .Head = { .msgh_bits = MACH_MSGH_BITS_COMPLEX },
			    .msgh_body = { .msgh_descriptor_count = 1 },
			    .NDR = NDR_record,
			    .flags = flags } };

	port_put(&message.in.port, sp);
	name_put(message.in.name, service_name);
	return RPC(bp, JOB_REGISTER, &message, &rpc_code_reply);
}

BERTH_EXPORT kern_return_t
bootstrap_register(mach_port_t bp, char *service_name, mach_port_t sp)
{
	return bootstrap_register2(bp, service_name, sp, 0);
}

BERTH_EXPORT kern_return_t
bootstrap_create_service(mach_port_t bp, char *service_name, mach_port_t *sp)
{
	EXCHANGE(struct launch_name_request, struct job_port_reply)
	message = { .in = { .NDR = NDR_record } };

	name_put(message.in.name, service_name);
	kern_return_t kr = RPC(bp, LAUNCH_CREATE_SERVICE, &message, &rpc_port_reply);
	if (kr == KERN_SUCCESS)
		*sp = message.reply.body.port.name;
	return kr;
}

BERTH_EXPORT kern_return_t
bootstrap_create_server(mach_port_t bp, char *server_cmd, uid_t server_uid, boolean_t on_demand,
			mach_port_t *server_port)
{
	EXCHANGE(struct job_create_server_request, struct job_port_reply)
	message = { .in = {
			.NDR = NDR_record, .uid = server_uid, .on_demand = (uint32_t)on_demand } };

	mig_strncpy_zerofill(message.in.command, server_cmd, JOB_COMMAND_SIZE);
	kern_return_t kr = RPC(bp, JOB_CREATE_SERVER, &message, &rpc_port_reply);
	if (kr == KERN_SUCCESS)
		*server_port = message.reply.body.port.name;
	return kr;
}

BERTH_EXPORT kern_return_t
bootstrap_status(mach_port_t bp, char *service_name, bootstrap_status_t *service_active)
{
	static const struct rpc_reply_shape shape = { .size_bytes =
							  sizeof(struct launch_status_reply) };
	EXCHANGE(struct launch_name_request, struct launch_status_reply)
	message = { .in = { .NDR = NDR_record } };

	name_put(message.in.name, service_name);
	kern_return_t kr = RPC(bp, LAUNCH_STATUS, &message, &shape);
	if (kr == KERN_SUCCESS)
		*service_active = message.reply.body.status;
	return kr;
}

/* ---- contexts -------------------------------------------------------------------------- */

BERTH_EXPORT kern_return_t
bootstrap_subset(mach_port_t bp, mach_port_t requestor_port, mach_port_t *subset_port)
{
	EXCHANGE(struct job_subset_request, struct job_port_reply)
	message = { .in = { .Head = { .msgh_bits = MACH_MSGH_BITS_COMPLEX },
			    .msgh_body = { .msgh_descriptor_count = 1 } } };

	port_put(&message.in.requestor, requestor_port);
	kern_return_t kr = RPC(bp, JOB_SUBSET, &message, &rpc_port_reply);
	if (kr == KERN_SUCCESS)
		*subset_port = message.reply.body.port.name;
	return kr;
}

static kern_return_t
ask_for_port(mach_port_t bp, mach_msg_id_t id, mach_port_t *port)
{
	EXCHANGE(struct job_empty_request, struct job_port_reply)
	message = { .in = { .Head = { 0 } } };

	kern_return_t kr = RPC(bp, id, &message, &rpc_port_reply);
	if (kr == KERN_SUCCESS)
		*port = message.reply.body.port.name;
	return kr;
}

BERTH_EXPORT kern_return_t
bootstrap_parent(mach_port_t bp, mach_port_t *parent_port)
{
	return ask_for_port(bp, JOB_PARENT, parent_port);
}

BERTH_EXPORT kern_return_t
bootstrap_get_root(mach_port_t bp, mach_port_t *root)
{
	return ask_for_port(bp, JOB_GET_ROOT_BOOTSTRAP, root);
}

BERTH_EXPORT kern_return_t
bootstrap_unprivileged(mach_port_t bp, mach_port_t *unpriv_port)
{
	kern_return_t kr = mach_port_mod_refs(mach_task_self(), bp, MACH_PORT_RIGHT_SEND, 1);

	if (kr == KERN_SUCCESS)
		*unpriv_port = bp;
	return kr;
}

/* Does an array of @count elements fill the memory that came with it, exactly? */
static bool
array_fits(const mach_msg_ool_descriptor_t *array, mach_msg_type_number_t count,
	   size_t element_size)
{
	return (uint64_t)count * element_size == array->size;
}

BERTH_EXPORT kern_return_t
bootstrap_lookup_children(mach_port_t bp, mach_port_array_t *children, name_array_t *names,
			  bootstrap_property_array_t *properties,
			  mach_msg_type_number_t *n_children)
{
	static const struct rpc_reply_shape shape = {
		.size_bytes = sizeof(struct job_children_reply),
		.descriptor_count = 3,
		.descriptors = { { MACH_MSG_OOL_PORTS_DESCRIPTOR, MACH_MSG_TYPE_MOVE_SEND },
				 { MACH_MSG_OOL_DESCRIPTOR, 0 },
				 { MACH_MSG_OOL_DESCRIPTOR, 0 } },
	};
	EXCHANGE(struct job_empty_request, struct job_children_reply)
	message = { .in = { .Head = { 0 } } };

	kern_return_t kr = RPC(bp, JOB_LOOKUP_CHILDREN, &message, &shape);
	if (kr != KERN_SUCCESS)
		return kr;
	struct job_children_reply *reply = &message.reply.body;
	mach_msg_type_number_t count = reply->portsCnt;
	if (reply->ports.count != count || reply->namesCnt != count ||
	    reply->propertiesCnt != count || !array_fits(&reply->names, count, sizeof(name_t)) ||
	    !array_fits(&reply->properties, count, sizeof(bootstrap_property_t))) {
		mach_msg_destroy(&reply->Head);
		return MIG_TYPE_ERROR;
	}
	*children = reply->ports.address;
	*names = reply->names.address;
	*properties = reply->properties.address;
	*n_children = count;
	return KERN_SUCCESS;
}

BERTH_EXPORT kern_return_t
bootstrap_info(mach_port_t bp, name_array_t *service_names,
	       mach_msg_type_number_t *service_namesCnt, name_array_t *service_jobs,
	       mach_msg_type_number_t *service_jobsCnt, bootstrap_status_array_t *service_active,
	       mach_msg_type_number_t *service_activeCnt, uint64_t flags)
{
	static const struct rpc_reply_shape shape = {
		.size_bytes = sizeof(struct job_info_reply),
		.descriptor_count = 3,
		.descriptors = { { MACH_MSG_OOL_DESCRIPTOR, 0 },
				 { MACH_MSG_OOL_DESCRIPTOR, 0 },
				 { MACH_MSG_OOL_DESCRIPTOR, 0 } },
	};
	EXCHANGE(struct job_info_request, struct job_info_reply)
	message = { .in = { .NDR = NDR_record, .flags = flags } };

	kern_return_t kr = RPC(bp, JOB_INFO, &message, &shape);
	if (kr != KERN_SUCCESS)
		return kr;
	struct job_info_reply *reply = &message.reply.body;
	if (!array_fits(&reply->names, reply->namesCnt, sizeof(name_t)) ||
	    !array_fits(&reply->jobs, reply->jobsCnt, sizeof(name_t)) ||
	    !array_fits(&reply->statuses, reply->statusesCnt, sizeof(bootstrap_status_t))) {
		mach_msg_destroy(&reply->Head);
		return MIG_TYPE_ERROR;
	}
	*service_names = reply->names.address;
	*service_namesCnt = reply->namesCnt;
	*service_jobs = reply->jobs.address;
	*service_jobsCnt = reply->jobsCnt;
	*service_active = reply->statuses.address;
	*service_activeCnt = reply->statusesCnt;
	return KERN_SUCCESS;
}
