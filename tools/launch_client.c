#include "tools/launch_client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mach/mach.h>
#include <mach/mach_error.h>
#include <servers/bootstrap.h>

int
launch_tell(const char *what, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "berth launch: %s%s", what ? what : "", what ? ": " : "");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return -1;
}

union exchange {
	struct launch_request in;
	struct {
		struct launch_reply body;
		mach_msg_trailer_t trailer;
	} reply;
	mig_reply_error_t error;
	mach_msg_header_t head;
};

/* Is what came the answer?  Otherwise a code that says why not. */
static kern_return_t
reply_check(enum launch_routine id, const union exchange *message)
{
	if (message->head.msgh_id != (mach_msg_id_t)id + JOB_REPLY_OFFSET)
		return message->head.msgh_id == MACH_NOTIFY_SEND_ONCE ? MIG_SERVER_DIED
								      : MIG_REPLY_MISMATCH;
	if (!MACH_MSGH_BITS_IS_COMPLEX(message->head.msgh_bits))
		return message->head.msgh_size == sizeof(message->error) && message->error.RetCode
			   ? message->error.RetCode
			   : MIG_TYPE_ERROR;
	if (message->head.msgh_size != sizeof(message->reply.body) ||
	    message->reply.body.msgh_body.msgh_descriptor_count != 1 ||
	    message->reply.body.data.type != MACH_MSG_OOL_DESCRIPTOR)
		return MIG_TYPE_ERROR;
	return KERN_SUCCESS;
}

static kern_return_t
launch_call(enum launch_routine id, union exchange *message)
{
	mach_port_t reply_port = mig_get_reply_port();

	message->head.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE) |
	    MACH_MSGH_BITS_COMPLEX;
	message->head.msgh_size = sizeof(message->in);
	message->head.msgh_remote_port = bootstrap_port;
	message->head.msgh_local_port = reply_port;
	message->head.msgh_id = (mach_msg_id_t)id;
	kern_return_t kr =
	    mach_msg(&message->head, MACH_SEND_MSG | MACH_RCV_MSG, sizeof(message->in),
		     sizeof(message->reply), reply_port, MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL);
	if (kr != MACH_MSG_SUCCESS)
		return kr;
	kr = reply_check(id, message);
	if (kr != KERN_SUCCESS)
		mach_msg_destroy(&message->head);
	return kr;
}

int
launch_ask(enum launch_routine id, const char *argument, uint32_t flags, const char *data,
	   size_t size_bytes, struct launch_result *result)
{
	union exchange message = { .in = { .msgh_body = { .msgh_descriptor_count = 1 },
					   .data = { .address = (void *)(uintptr_t)data,
						     .copy = MACH_MSG_VIRTUAL_COPY,
						     .type = MACH_MSG_OOL_DESCRIPTOR,
						     .size = (mach_msg_size_t)size_bytes },
					   .NDR = NDR_record,
					   .dataCnt = (mach_msg_type_number_t)size_bytes,
					   .flags = flags } };

	if (strlen(argument) >= sizeof(message.in.argument))
		return launch_tell(argument, "too long");
	strcpy(message.in.argument, argument);
	kern_return_t kr = launch_call(id, &message);
	if (kr == MACH_SEND_INVALID_DEST)
		return launch_tell(NULL, "there is no name server to ask");
	if (kr != KERN_SUCCESS)
		return launch_tell(NULL, "the name server: %s", mach_error_string(kr));
	result->error = message.reply.body.status;
	result->text =
	    strndup(message.reply.body.data.address ? message.reply.body.data.address : "",
		    message.reply.body.data.size);
	mach_msg_destroy(&message.head);
	return result->text ? 0 : launch_tell(NULL, "out of memory");
}

/* @argument's error in the server's words, or in Linux'. */
static int
launch_tell_error(const char *argument, struct launch_result *result)
{
	launch_tell(*argument ? argument : NULL, "%s",
		    *result->text ? result->text : strerror(result->error));
	free(result->text);
	return -1;
}

plist_t
launch_ask_plist(enum launch_routine id, const char *argument, uint32_t flags)
{
	struct launch_result result;
	plist_t plist = NULL;

	if (launch_ask(id, argument, flags, NULL, 0, &result))
		return NULL;
	if (result.error) {
		launch_tell_error(argument, &result);
		return NULL;
	}
	plist_from_xml(result.text, (uint32_t)strlen(result.text), &plist);
	free(result.text);
	if (!plist)
		launch_tell(NULL, "the name server's answer cannot be read");
	return plist;
}

int
launch_order(enum launch_routine id, const char *argument, uint32_t flags)
{
	struct launch_result result;

	if (launch_ask(id, argument, flags, NULL, 0, &result))
		return -1;
	if (result.error)
		return launch_tell_error(argument, &result);
	free(result.text);
	return 0;
}
