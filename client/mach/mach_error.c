/*
 * Codes in words.  The words are ours; the numbers and how they are split into system,
 * subsystem and code are mach-types.md §6.
 */
#include <mach/error.h>
#include <mach/mach_error.h>

#include "client/export.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The codes of one subsystem: texts[i] is that of code first + i; NULL: not assigned. */
struct subsystem {
	unsigned int system;
	unsigned int number;
	const char *name; /* as mach_error_type() gives it */
	const char *const *texts;
	unsigned int count;
};

#define TEXTS(array) array, sizeof(array) / sizeof((array)[0])

static const char *const kernel_texts[] = {
	"(os/kern) no error",
	"(os/kern) that address is not mapped, or cannot be used",
	"(os/kern) the memory's protection forbids it",
	"(os/kern) no room for it there, or anywhere",
	"(os/kern) invalid argument",
	"(os/kern) it failed",
	"(os/kern) short of resources",
	"(os/kern) not the receiver of that port",
	"(os/kern) no access",
	"(os/kern) the memory object failed",
	"(os/kern) error in the memory object",
	"(os/kern) the port is in the set already",
	"(os/kern) the port is not in the set",
	"(os/kern) the name is in use",
	"(os/kern) interrupted",
	"(os/kern) no such name",
	"(os/kern) not a task, or a dead one",
	"(os/kern) not that kind of right",
	"(os/kern) value out of range",
	"(os/kern) too many user references",
	"(os/kern) not a right that can be used so, or a dead one",
	"(os/kern) the right is there under another name",
	"(os/kern) not a host",
	"(os/kern) the memory is there already",
	"(os/kern) the memory's data were moved",
	"(os/kern) copying the memory must start anew",
	"(os/kern) not a processor set",
	"(os/kern) against a limit of the policy",
	"(os/kern) not a scheduling policy that applies",
	"(os/kern) not that kind of object",
	"(os/kern) somebody waits for it already",
	"(os/kern) not for the default set",
	"(os/kern) the exception port is protected",
	"(os/kern) not a ledger",
	"(os/kern) not a memory control port",
	"(os/kern) not a host security port",
	"(os/kern) the thread's priority is not depressed",
	"(os/kern) what was waited for is gone",
	"(os/kern) the lock set is destroyed",
	"(os/kern) the lock's holder has ended",
	"(os/kern) another thread holds the lock",
	"(os/kern) the caller holds the lock already",
	"(os/kern) the semaphore is destroyed",
	"(os/kern) the server ended before it answered",
	"(os/kern) an orphaned call is to end",
	"(os/kern) an orphaned call may go on",
	"(os/kern) not supported",
	"(os/kern) the other node is down",
	"(os/kern) that thread does not wait",
	"(os/kern) the time is over",
	"(os/kern) the code's signature is wrong",
	"(os/kern) the policy cannot be changed",
	"(os/kern) the buffer is too small",
	"(os/kern) denied",
	"(os/kern) the kext collection is missing",
	"(os/kern) the kext collection is invalid",
	"(os/kern) not found",
};

static const char *const send_texts[] = {
	"(ipc/send) no error",
	"(ipc/send) sending goes on",
	"(ipc/send) the message cannot be read",
	"(ipc/send) no right to send there, or nobody receives there any more",
	"(ipc/send) the queue was full until the time was over",
	"(ipc/send) not a voucher",
	NULL,
	"(ipc/send) interrupted",
	"(ipc/send) the message is too small for what it says",
	"(ipc/send) not a right that a reply could be sent to",
	"(ipc/send) a right in the message is not held",
	"(ipc/send) not a port for notifications",
	"(ipc/send) out-of-line memory cannot be read",
	"(ipc/send) no room for the message",
	"(ipc/send) the message is too large",
	"(ipc/send) not a kind of descriptor, or malformed",
	"(ipc/send) the header is malformed",
	"(ipc/send) the trailer is malformed",
	"(ipc/send) not the context that the port has",
	"(ipc/send) these options do not go together",
	NULL,
	"(ipc/send) out-of-line memory has a size that is not allowed here",
	"(ipc/send) that destination takes no rights",
	"(ipc/send) a message filter refused it",
	"(ipc/send) the auxiliary data are too small",
	"(ipc/send) the auxiliary data are too large",
};

static const char *const receive_texts[] = {
	"(ipc/rcv) no error",
	"(ipc/rcv) receiving goes on",
	"(ipc/rcv) not a receive right or port set",
	"(ipc/rcv) no message came in time",
	"(ipc/rcv) the message is larger than the buffer",
	"(ipc/rcv) interrupted",
	"(ipc/rcv) the receive right or set is gone",
	"(ipc/rcv) not the thread's special reply port",
	"(ipc/rcv) the buffer cannot be written; the message is lost",
	"(ipc/rcv) the port died",
	"(ipc/rcv) the port is in a set",
	"(ipc/rcv) no room for the header's rights; the message is lost",
	"(ipc/rcv) no room for all of the message's rights or memory",
	"(ipc/rcv) not a kind of descriptor",
	"(ipc/rcv) not enough places for out-of-line memory",
	"(ipc/rcv) not a kind of trailer",
	NULL,
	"(ipc/rcv) receiving goes on, until a time",
	"(ipc/rcv) not a reply port",
	"(ipc/rcv) invalid argument",
};

static const char *const mig_texts[] = {
	"(ipc/mig) no error",
	"(ipc/mig) the reply's arguments are not of the types they should be",
	"(ipc/mig) the reply answers another request",
	"(ipc/mig) the server failed in its own way",
	"(ipc/mig) the server has no such routine",
	"(ipc/mig) the request has not the shape it should have",
	"(ipc/mig) no reply is to be sent",
	"(ipc/mig) the server raised an exception",
	"(ipc/mig) an array is larger than there is room for",
	"(ipc/mig) the server died, or dropped the request",
	"(ipc/mig) not a kind of trailer",
};

#define SYSTEM_KERN 0u
#define SYSTEM_SERVER 2u
#define SYSTEM_MACH_IPC 4u
#define SUB_UNIX 3u

static const struct subsystem subsystems[] = {
	{ SYSTEM_KERN, 0, "(os/kern)", TEXTS(kernel_texts) },
	{ SYSTEM_KERN, SUB_UNIX, "(os/unix)", NULL, 0 }, /* strerror() knows them */
	{ SYSTEM_SERVER, 0, "(server/netname)", NULL, 0 },
	{ SYSTEM_SERVER, 1, "(server/environment)", NULL, 0 },
	{ SYSTEM_SERVER, 2, "(server/exec)", NULL, 0 },
	{ SYSTEM_MACH_IPC, 0, "(ipc/send)", TEXTS(send_texts) },
	{ SYSTEM_MACH_IPC, 1, "(ipc/rcv)", TEXTS(receive_texts) },
	{ SYSTEM_MACH_IPC, 2, "(ipc/mig)", TEXTS(mig_texts) },
};

/* Numbers from before codes were split: each range is the codes of a subsystem. */
static const struct {
	mach_error_t first;
	mach_error_t last;
	unsigned int system;
	unsigned int number;
	int is_negative; /* the distance is from the end that is nearest to 0 */
} old_ranges[] = {
	{ -199, -100, SYSTEM_MACH_IPC, 0, 1 }, { -299, -200, SYSTEM_MACH_IPC, 1, 1 },
	{ -399, -300, SYSTEM_MACH_IPC, 2, 1 }, { 1000, 1099, SYSTEM_SERVER, 0, 0 },
	{ 1600, 1699, SYSTEM_SERVER, 1, 0 },   { 27600, 27699, SYSTEM_SERVER, 2, 0 },
};

/* A code, taken apart. */
struct parts {
	const struct subsystem *subsystem; /* NULL: not one that we know */
	unsigned int code;
};

static struct parts
parts_of(mach_error_t error)
{
	unsigned int system = err_get_system(error);
	unsigned int number = err_get_sub(error);
	struct parts parts = { NULL, (unsigned int)err_get_code(error) };

	for (size_t i = 0; i < sizeof(old_ranges) / sizeof(old_ranges[0]); i++) {
		if (error < old_ranges[i].first || error > old_ranges[i].last)
			continue;
		system = old_ranges[i].system;
		number = old_ranges[i].number;
		parts.code =
		    (unsigned int)(old_ranges[i].is_negative ? old_ranges[i].last - error
							     : error - old_ranges[i].first);
		/* MIG's codes began at 0, MIG_TYPE_ERROR; our table begins with "no error" */
		if (number == 2 && old_ranges[i].is_negative)
			parts.code++;
		break;
	}
	for (size_t i = 0; i < sizeof(subsystems) / sizeof(subsystems[0]); i++)
		if (subsystems[i].system == system && subsystems[i].number == number)
			parts.subsystem = &subsystems[i];
	return parts;
}

/* The text of what is known; NULL: nothing. */
static const char *
known_text(struct parts parts)
{
	if (parts.subsystem == NULL || parts.code >= parts.subsystem->count)
		return NULL;
	return parts.subsystem->texts[parts.code];
}

static int
is_unix(struct parts parts)
{
	return parts.subsystem != NULL && parts.subsystem->system == SYSTEM_KERN &&
	       parts.subsystem->number == SUB_UNIX;
}

BERTH_EXPORT char *
mach_error_type(mach_error_t error)
{
	struct parts parts = parts_of(error);

	return (char *)(parts.subsystem != NULL ? parts.subsystem->name : "(?/?)");
}

/*
 * A resource bit (MACH_MSG_VM_SPACE …) may be OR-ed onto a code of mach_msg: the text is
 * then that of the bare code.
 */
static mach_error_t
without_resource_bits(mach_error_t error)
{
	const mach_error_t mask = 0x3e00;
	unsigned int number = err_get_sub(error);

	if (error > 0 && err_get_system(error) == SYSTEM_MACH_IPC && number <= 1)
		return error & ~mask;
	return error;
}

BERTH_EXPORT char *
mach_error_string(mach_error_t error)
{
	static __thread char text[80];
	struct parts parts = parts_of(without_resource_bits(error));
	const char *known = known_text(parts);

	if (known != NULL)
		return (char *)known;
	if (is_unix(parts))
		snprintf(text, sizeof(text), "(os/unix) %s",
			 strerrordesc_np((int)parts.code) != NULL ? strerrordesc_np((int)parts.code)
								  : "unknown error");
	else
		snprintf(text, sizeof(text), "%s unknown error code", mach_error_type(error));
	return text;
}

BERTH_EXPORT void
mach_error(const char *str, mach_error_t error)
{
	struct parts parts = parts_of(without_resource_bits(error));

	if (known_text(parts) != NULL || is_unix(parts))
		fprintf(stderr, "%s %s\n", str, mach_error_string(error));
	else
		fprintf(stderr, "%s %s (%x)\n", str, mach_error_string(error), (unsigned int)error);
}
