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

int
launch_ask(launch_routine *routine, const char *argument, uint32_t flags, const char *data,
	   size_t size_bytes, struct launch_result *result)
{
	launch_text_t answer;
	mach_msg_type_number_t answer_size;

	if (strlen(argument) >= LAUNCH_ARGUMENT_SIZE)
		return launch_tell(argument, "too long");
	kern_return_t kr = routine(bootstrap_port, (launch_data_t)(uintptr_t)data,
				   (mach_msg_type_number_t)size_bytes, flags, argument, &answer,
				   &answer_size, &result->error);
	if (kr == MACH_SEND_INVALID_DEST)
		return launch_tell(NULL, "there is no name server to ask");
	if (kr != KERN_SUCCESS)
		return launch_tell(NULL, "the name server: %s", mach_error_string(kr));
	result->text = strndup(answer ? answer : "", answer_size);
	mig_deallocate((vm_address_t)answer, answer_size);
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
launch_ask_plist(launch_routine *routine, const char *argument, uint32_t flags)
{
	struct launch_result result;
	plist_t plist = NULL;

	if (launch_ask(routine, argument, flags, NULL, 0, &result))
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
launch_order(launch_routine *routine, const char *argument, uint32_t flags)
{
	struct launch_result result;

	if (launch_ask(routine, argument, flags, NULL, 0, &result))
		return -1;
	if (result.error)
		return launch_tell_error(argument, &result);
	free(result.text);
	return 0;
}
