/*
 * berth events: kernel events as they come.
 *
 * An ordinary program: it has an event socket of <sys/kern_event.h>, as any other may.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/kern_event.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/events_text.h"
#include "tools/json.h"
#include "tools/kernel_ask.h"
#include "wire/socket.h"

static const char help_text[] =
    "Usage: berth events [--vendor=VENDOR] [--class=N] [--subclass=N] [--count=N]\n"
    "                    [--kernel KERNEL]\n"
    "\n"
    "Show kernel events as they come, a line each, until interrupted.  They are what kernel\n"
    "extensions and the kernel post.\n"
    "\n"
    "  --vendor=VENDOR  only those of this vendor: its string, or its code; 1 is Apple\n"
    "  --class=N        only those of this class; wants a vendor\n"
    "  --subclass=N     only those of this subclass; wants a class\n"
    "  --count=N        end after so many\n" KERNEL_HELP;

#define EVENT_SIZE_MAX 65536u

struct control {
	uint32_t id;
	char name[MAX_KCTL_NAME];
};

struct watch {
	const char *kernel, *vendor_text;
	struct kev_request filter;
	struct events_vendor vendor;
	uint64_t count; /* 0: no end */
	struct control *controls;
	size_t control_count;
};

/* ---- names of controls -------------------------------------------------------------------- */

static struct control *
control_find(struct watch *watch, uint32_t id)
{
	for (size_t i = 0; i < watch->control_count; i++) {
		if (watch->controls[i].id == id)
			return &watch->controls[i];
	}
	return NULL;
}

/* Remember the names of all that are there now; those that are not any more stay known. */
static void
controls_read(struct watch *watch)
{
	char *text, *rest;

	if (kernel_ask_text("events", NULL, WIRE_INSPECT_CONTROLS, &text) != 0)
		return;
	rest = text;
	for (char *line = json_line(&rest); line; line = json_line(&rest)) {
		uint32_t id = (uint32_t)json_number(line, "id");
		struct control *control = control_find(watch, id);

		if (!control) {
			struct control *more =
			    reallocarray(watch->controls, watch->control_count + 1, sizeof(*more));
			if (!more)
				break;
			watch->controls = more;
			control = &more[watch->control_count++];
			control->id = id;
		}
		json_string(line, "name", control->name, sizeof(control->name));
	}
	free(text);
}

static const char *
control_name(void *context, uint32_t id)
{
	const struct control *control = control_find(context, id);

	if (!control) {
		controls_read(context);
		control = control_find(context, id);
	}
	return control ? control->name : "";
}

/* ---- watching ------------------------------------------------------------------------------ */

/* 0, or the exit code after saying what went wrong. */
static int
set_filter(struct watch *watch, int fd)
{
	struct kev_vendor_code code = { 0 };

	if (watch->vendor_text) {
		snprintf(code.vendor_string, sizeof(code.vendor_string), "%s", watch->vendor_text);
		if (ioctl(fd, SIOCGKEVVENDOR, &code) != 0)
			return command_failed("events",
					      "no kernel extension has asked for vendor "
					      "'%s' yet: %s",
					      watch->vendor_text, strerror(errno));
		watch->filter.vendor_code = code.vendor_code;
		watch->vendor = (struct events_vendor){ code.vendor_code, watch->vendor_text };
	}
	if (ioctl(fd, SIOCSKEVFILT, &watch->filter) != 0)
		return command_failed("events", "the filter is not taken: %s", strerror(errno));
	return 0;
}

static int
show(struct watch *watch, int fd)
{
	static union {
		struct kern_event_msg event;
		char bytes[EVENT_SIZE_MAX];
	} message;

	for (uint64_t i = 0; watch->count == 0 || i < watch->count; i++) {
		ssize_t size = recv(fd, &message, sizeof(message), 0);

		if (size < 0 && errno == EINTR)
			continue;
		if (size == 0 || (size < 0 && errno == ECONNRESET))
			return COMMAND_OK; /* the kernel has ended */
		if (size < 0)
			return command_failed("events", "%s", strerror(errno));
		events_print(stdout, &message.event, (size_t)size, &watch->vendor, control_name,
			     watch);
		if (fflush(stdout) != 0)
			return COMMAND_FAILED;
	}
	return COMMAND_OK;
}

static int
watch_events(struct watch *watch)
{
	/* what is wrong with the kernel is better said here than by socket() */
	int fd = kernel_ask_connect("events", watch->kernel, 0);

	if (fd < 0)
		return COMMAND_FAILED;
	close(fd);
	fd = socket(PF_SYSTEM, SOCK_RAW, SYSPROTO_EVENT);
	if (fd < 0)
		return command_failed("events", "no event socket: %s", strerror(errno));
	int code = set_filter(watch, fd);

	if (code == 0)
		controls_read(watch);
	if (code == 0)
		code = show(watch, fd);
	close(fd);
	return code;
}

/* ---- options -------------------------------------------------------------------------------- */

static bool
read_number(const char *text, uint64_t max, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 0);
	return text[0] >= '0' && text[0] <= '9' && errno == 0 && *end == '\0' && *number <= max;
}

/* -1: go on; else the exit code. */
static int
parse(struct watch *watch, int argc, char **argv)
{
	uint64_t number;

	for (int i = 1; i < argc; i++) {
		const char *value, *option = argv[i];

		if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
			return command_help(help_text);
		if ((value = option_value("--vendor", argc, argv, &i)) && value[0] != '\0') {
			if (read_number(value, UINT32_MAX, &number))
				watch->filter.vendor_code = (uint32_t)number;
			else if (strlen(value) >= KEV_VENDOR_CODE_MAX_STR_LEN)
				return command_usage("events", "that is too long for a vendor");
			else
				watch->vendor_text = value;
		} else if ((value = option_value("--class", argc, argv, &i)) &&
			   read_number(value, UINT32_MAX, &number)) {
			watch->filter.kev_class = (uint32_t)number;
		} else if ((value = option_value("--subclass", argc, argv, &i)) &&
			   read_number(value, UINT32_MAX, &number)) {
			watch->filter.kev_subclass = (uint32_t)number;
		} else if ((value = option_value("--count", argc, argv, &i)) &&
			   read_number(value, UINT64_MAX, &watch->count)) {
			continue;
		} else if ((value = option_value("--kernel", argc, argv, &i)) && value[0] != '\0') {
			watch->kernel = value;
		} else {
			return command_usage("events", "'%s' is no option, or its value is wrong",
					     option);
		}
	}
	/* that is how filters work: what is less special is looked at first */
	if (watch->filter.kev_class != 0 && watch->filter.vendor_code == 0 && !watch->vendor_text)
		return command_usage("events", "--class wants --vendor, too");
	if (watch->filter.kev_subclass != 0 && watch->filter.kev_class == 0)
		return command_usage("events", "--subclass wants --class, too");
	return -1;
}

int
berth_events_main(int argc, char **argv)
{
	struct watch watch = { 0 };
	int code = parse(&watch, argc, argv);

	if (code < 0)
		code = watch_events(&watch);
	free(watch.controls);
	return code;
}
