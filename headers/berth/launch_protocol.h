/*
 * The launch protocol: Berth's own routines on the bootstrap port.
 *
 * Three of them serve the library and started jobs; the others are what `berth launch`
 * asks for.  Layouts follow the rules of MIG (mig-codegen.md §2), replies are id + 100,
 * errors the 36-byte form.  Private: both ends are built together.
 */
#ifndef BERTH_LAUNCH_PROTOCOL_H
#define BERTH_LAUNCH_PROTOCOL_H

#include <stdint.h>

#include <mach/message.h>
#include <mach/ndr.h>

#include <berth/job_protocol.h>

#define LAUNCH_SUBSYSTEM_BASE 52000
#define LAUNCH_SUBSYSTEM_END 52011

enum launch_routine {
	/* Steering: struct launch_request, struct launch_reply. */
	LAUNCH_LOAD = 52000,      /* data: property list as XML; argument: its path */
	LAUNCH_REMOVE = 52001,    /* argument: label.  Answered when the job has ended */
	LAUNCH_LIST = 52002,      /* answer: array of {Label, PID?, LastExitStatus?} */
	LAUNCH_PRINT = 52003,     /* argument: label.  answer: dictionary */
	LAUNCH_KICKSTART = 52004, /* argument: label.  answer: {PID} once it runs */
	LAUNCH_START = 52005,     /* argument: label */
	LAUNCH_STOP = 52006,      /* argument: label */

	/* The process that a job was started as asks for the job's own bootstrap port:
	 * struct launch_empty_request, struct job_port_reply. */
	LAUNCH_CLAIM_PORT = 52008,
	/* struct launch_name_request, struct job_port_reply */
	LAUNCH_CREATE_SERVICE = 52009,
	/* struct launch_name_request, struct launch_status_reply */
	LAUNCH_STATUS = 52010
};

enum launch_flags {
	LAUNCH_LOAD_ENABLED = 1,  /* LOAD: whatever the key Disabled says */
	LAUNCH_KICKSTART_KILL = 2 /* KICKSTART: end the running instance first */
};

#define LAUNCH_ARGUMENT_SIZE 1024
#define LAUNCH_PLIST_MAX 262144 /* bytes of one property list */

#pragma pack(push, 4)

struct launch_request {
	mach_msg_header_t Head;
	mach_msg_body_t msgh_body;
	mach_msg_ool_descriptor_t data;
	NDR_record_t NDR;
	mach_msg_type_number_t dataCnt;
	uint32_t flags; /* enum launch_flags */
	char argument[LAUNCH_ARGUMENT_SIZE];
};

/*
 * `status` is 0 or an errno of Linux.  `data` is then text for people: why it failed, or,
 * after LOAD, what was ignored.  The answers named above are property lists as XML.
 */
struct launch_reply {
	mach_msg_header_t Head;
	mach_msg_body_t msgh_body;
	mach_msg_ool_descriptor_t data;
	NDR_record_t NDR;
	mach_msg_type_number_t dataCnt;
	int32_t status;
};

struct launch_empty_request {
	mach_msg_header_t Head;
};

struct launch_name_request {
	mach_msg_header_t Head;
	NDR_record_t NDR;
	char name[JOB_NAME_SIZE];
};

struct launch_status_reply {
	mach_msg_header_t Head;
	NDR_record_t NDR;
	kern_return_t RetCode;
	int32_t status; /* bootstrap_status_t */
};

#pragma pack(pop)

_Static_assert(sizeof(struct launch_request) == 60 + LAUNCH_ARGUMENT_SIZE, "launch_request");
_Static_assert(sizeof(struct launch_reply) == 60, "launch_reply");
_Static_assert(sizeof(struct launch_name_request) == 160, "launch_name_request");
_Static_assert(sizeof(struct launch_status_reply) == 40, "launch_status_reply");

#endif
