/*
 * The job protocol: what goes over the bootstrap port.
 *
 * MIG subsystem `job`, base 400, replies +100: ids and layouts of bootstrap.md §4, rules of
 * mig-codegen.md §2.  Shared by the library, which asks, and the name server, which answers.
 * Every error reply is the 36-byte mig_reply_error_t.
 */
#ifndef BERTH_JOB_PROTOCOL_H
#define BERTH_JOB_PROTOCOL_H

#include <stdint.h>

#include <mach/message.h>
#include <mach/ndr.h>

#define JOB_SUBSYSTEM_BASE 400
#define JOB_SUBSYSTEM_END 440 /* first id behind the subsystem */

#define JOB_NAME_SIZE 128    /* name_t: bytes with the NUL */
#define JOB_COMMAND_SIZE 512 /* cmd_t */
#define JOB_UUID_SIZE 16

enum job_routine {
	JOB_CREATE_SERVER = 400,
	JOB_CHECK_IN = 402,
	JOB_REGISTER = 403,
	JOB_LOOK_UP = 404,
	JOB_PARENT = 406,
	JOB_INFO = 408,
	JOB_SUBSET = 409,
	JOB_LOOKUP_PER_USER_CONTEXT = 418,
	JOB_LOOKUP_CHILDREN = 425,
	JOB_GET_ROOT_BOOTSTRAP = 436
};

#define JOB_REPLY_OFFSET 100

#pragma pack(push, 4)

/* parent, lookup_children, get_root_bootstrap: nothing but the header */
struct job_empty_request {
	mach_msg_header_t Head;
};

/* a reply whose only argument is a port */
struct job_port_reply {
	mach_msg_header_t Head;
	mach_msg_body_t msgh_body;
	mach_msg_port_descriptor_t port;
};

struct job_create_server_request {
	mach_msg_header_t Head;
	NDR_record_t NDR;
	char command[JOB_COMMAND_SIZE];
	uint32_t uid;
	uint32_t on_demand;
};

struct job_check_in_request {
	mach_msg_header_t Head;
	NDR_record_t NDR;
	char name[JOB_NAME_SIZE];
	uint64_t flags;
};

struct job_check_in_reply {
	mach_msg_header_t Head;
	mach_msg_body_t msgh_body;
	mach_msg_port_descriptor_t port;
	NDR_record_t NDR;
	unsigned char uuid[JOB_UUID_SIZE];
};

struct job_register_request {
	mach_msg_header_t Head;
	mach_msg_body_t msgh_body;
	mach_msg_port_descriptor_t port;
	NDR_record_t NDR;
	char name[JOB_NAME_SIZE];
	uint64_t flags;
};

struct job_look_up_request {
	mach_msg_header_t Head;
	NDR_record_t NDR;
	char name[JOB_NAME_SIZE];
	int32_t pid;
	unsigned char uuid[JOB_UUID_SIZE];
	uint64_t flags;
};

struct job_subset_request {
	mach_msg_header_t Head;
	mach_msg_body_t msgh_body;
	mach_msg_port_descriptor_t requestor;
};

struct job_info_request {
	mach_msg_header_t Head;
	NDR_record_t NDR;
	uint64_t flags;
};

struct job_info_reply {
	mach_msg_header_t Head;
	mach_msg_body_t msgh_body;
	mach_msg_ool_descriptor_t names;
	mach_msg_ool_descriptor_t jobs;
	mach_msg_ool_descriptor_t statuses;
	NDR_record_t NDR;
	mach_msg_type_number_t namesCnt;
	mach_msg_type_number_t jobsCnt;
	mach_msg_type_number_t statusesCnt;
};

struct job_per_user_request {
	mach_msg_header_t Head;
	NDR_record_t NDR;
	uint32_t uid;
};

struct job_children_reply {
	mach_msg_header_t Head;
	mach_msg_body_t msgh_body;
	mach_msg_ool_ports_descriptor_t ports;
	mach_msg_ool_descriptor_t names;
	mach_msg_ool_descriptor_t properties;
	NDR_record_t NDR;
	mach_msg_type_number_t portsCnt;
	mach_msg_type_number_t namesCnt;
	mach_msg_type_number_t propertiesCnt;
};

#pragma pack(pop)

#define JOB_LAYOUT(type, size) _Static_assert(sizeof(struct type) == (size), #type)
#define JOB_FIELD(type, field, offset)                                                             \
	_Static_assert(__builtin_offsetof(struct type, field) == (offset), #type "." #field)

JOB_LAYOUT(job_empty_request, 24);
JOB_LAYOUT(job_port_reply, 40);
JOB_LAYOUT(job_create_server_request, 552);
JOB_LAYOUT(job_check_in_request, 168);
JOB_LAYOUT(job_check_in_reply, 64);
JOB_LAYOUT(job_register_request, 184);
JOB_LAYOUT(job_look_up_request, 188);
JOB_LAYOUT(job_subset_request, 40);
JOB_LAYOUT(job_info_request, 40);
JOB_LAYOUT(job_info_reply, 96);
JOB_LAYOUT(job_per_user_request, 36);
JOB_LAYOUT(job_children_reply, 96);
JOB_FIELD(job_create_server_request, command, 32);
JOB_FIELD(job_create_server_request, uid, 544);
JOB_FIELD(job_create_server_request, on_demand, 548);
JOB_FIELD(job_check_in_request, name, 32);
JOB_FIELD(job_check_in_request, flags, 160);
JOB_FIELD(job_check_in_reply, port, 28);
JOB_FIELD(job_check_in_reply, NDR, 40);
JOB_FIELD(job_check_in_reply, uuid, 48);
JOB_FIELD(job_register_request, port, 28);
JOB_FIELD(job_register_request, NDR, 40);
JOB_FIELD(job_register_request, name, 48);
JOB_FIELD(job_register_request, flags, 176);
JOB_FIELD(job_look_up_request, name, 32);
JOB_FIELD(job_look_up_request, pid, 160);
JOB_FIELD(job_look_up_request, uuid, 164);
JOB_FIELD(job_look_up_request, flags, 180);
JOB_FIELD(job_info_reply, names, 28);
JOB_FIELD(job_info_reply, jobs, 44);
JOB_FIELD(job_info_reply, statuses, 60);
JOB_FIELD(job_info_reply, NDR, 76);
JOB_FIELD(job_info_reply, namesCnt, 84);

#undef JOB_LAYOUT
#undef JOB_FIELD

#endif
