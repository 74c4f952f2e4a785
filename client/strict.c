/*
 * Strict mode: see strict.h.
 *
 * What the kernel tells is said in one write(2); then come the callers, without this library.
 * Nothing here may wait for the program: it may be in any state, and in a signal handler.
 */
#include "client/strict.h"

#include <mach/mach_error.h>
#include <mach/message.h>
#include <mach/port.h>

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define FRAME_MAX 48
#define PATIENCE_S 10

#define CODE_FLAVOR(code) ((uint32_t)((code) >> 32) & 0x1fffffffu)

struct text {
	char bytes[4096];
	size_t size;
};

__attribute__((format(printf, 2, 3))) static void
add(struct text *text, const char *format, ...)
{
	size_t room = sizeof(text->bytes) - text->size;
	va_list arguments;

	va_start(arguments, format);
	int more = vsnprintf(text->bytes + text->size, room, format, arguments);
	va_end(arguments);
	if (more > 0)
		text->size += (size_t)more < room ? (size_t)more : room - 1;
}

static void
text_write(const struct text *text)
{
	size_t done = 0;

	while (done < text->size) {
		ssize_t n = write(STDERR_FILENO, text->bytes + done, text->size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nobody is left to tell */
		done += (size_t)n;
	}
}

/* ---- the call ----------------------------------------------------------------------------- */

/* Arguments behind the task: a name, a kind of right, a signed number, a guard, a disposition. */
static const struct {
	uint32_t number;
	const char *name;
	const char *arguments;
} calls[] = {
	{ BERTH_TRAP_PORT_DESTRUCT, "mach_port_destruct", "ndg" },
	{ BERTH_TRAP_PORT_DESTROY, "mach_port_destroy", "n" },
	{ BERTH_TRAP_PORT_DEALLOCATE, "mach_port_deallocate", "n" },
	{ BERTH_TRAP_PORT_MOD_REFS, "mach_port_mod_refs", "nrd" },
	{ BERTH_TRAP_PORT_INSERT_RIGHT, "mach_port_insert_right", "nnp" },
	{ BERTH_TRAP_PORT_EXTRACT_RIGHT, "mach_port_extract_right", "np" },
	{ BERTH_TRAP_PORT_INSERT_MEMBER, "mach_port_insert_member", "nn" },
	{ BERTH_TRAP_PORT_EXTRACT_MEMBER, "mach_port_extract_member", "nn" },
	{ BERTH_TRAP_PORT_MOVE_MEMBER, "mach_port_move_member", "nn" },
	{ BERTH_TRAP_PORT_REQUEST_NOTIFICATION, "mach_port_request_notification", "nddnp" },
	{ BERTH_TRAP_PORT_SET_ATTRIBUTES, "mach_port_set_attributes", "nd" },
	{ BERTH_TRAP_PORT_SET_CONTEXT, "mach_port_set_context", "ng" },
	{ BERTH_TRAP_PORT_GUARD, "mach_port_guard", "ng" },
	{ BERTH_TRAP_PORT_UNGUARD, "mach_port_unguard", "ng" },
	{ BERTH_TRAP_PORT_SWAP_GUARD, "mach_port_swap_guard", "ngg" },
	{ BERTH_TRAP_PORT_SET_MSCOUNT, "mach_port_set_mscount", "nd" },
	{ BERTH_TRAP_PORT_SET_SEQNO, "mach_port_set_seqno", "nd" },
};

static void
add_right(struct text *text, uint32_t right)
{
	static const char *const rights[] = { "SEND",     "RECEIVE",   "SEND_ONCE",
					      "PORT_SET", "DEAD_NAME", "LABELH" };

	if (right < sizeof(rights) / sizeof(rights[0]))
		add(text, "MACH_PORT_RIGHT_%s", rights[right]);
	else
		add(text, "%" PRIu32, right);
}

static void
add_disposition(struct text *text, uint32_t disposition)
{
	static const char *const dispositions[] = { "MOVE_RECEIVE", "MOVE_SEND", "MOVE_SEND_ONCE",
						    "COPY_SEND",    "MAKE_SEND", "MAKE_SEND_ONCE" };
	uint32_t index = disposition - MACH_MSG_TYPE_MOVE_RECEIVE;

	if (index < sizeof(dispositions) / sizeof(dispositions[0]))
		add(text, "MACH_MSG_TYPE_%s", dispositions[index]);
	else
		add(text, "%" PRIu32, disposition);
}

static void
add_argument(struct text *text, char kind, uint64_t value)
{
	switch (kind) {
	case 'r':
		add_right(text, (uint32_t)value);
		break;
	case 'p':
		add_disposition(text, (uint32_t)value);
		break;
	case 'd':
		add(text, "%" PRId32, (int32_t)value);
		break;
	case 'g':
		add(text, "0x%" PRIx64, value);
		break;
	default:
		add(text, "0x%" PRIx32, (uint32_t)value);
		break;
	}
}

static void
add_message_call(struct text *text, const struct trap_slot *slot, uint32_t flavor)
{
	const struct trap_request *request = &slot->request;
	mach_msg_header_t header;

	if (flavor == kGUARD_EXC_RCV_INVALID_NAME) {
		add(text, "mach_msg, receiving");
		return;
	}
	add(text, "mach_msg, sending");
	/* a refused message comes with no answer, so it is still there */
	if ((request->flags & TRAP_HAS_SPILL) != 0 || request->prefix_size_bytes < sizeof(header))
		return;
	memcpy(&header, slot->data, sizeof(header));
	add(text, " message %" PRId32 " to 0x%" PRIx32, header.msgh_id, header.msgh_remote_port);
}

static void
add_call(struct text *text, const struct trap_slot *slot, uint32_t flavor)
{
	const struct trap_request *request = &slot->request;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i].number != request->number)
			continue;
		add(text, "%s(mach_task_self()", calls[i].name);
		for (uint32_t at = 0; calls[i].arguments[at] != '\0'; at++) {
			add(text, ", ");
			add_argument(text, calls[i].arguments[at], request->args[at + 1]);
		}
		add(text, ")");
		return;
	}
	if (request->number == BERTH_TRAP_MSG)
		add_message_call(text, slot, flavor);
	else
		add(text, "trap %" PRIu32, request->number);
}

/* ---- what was wrong ------------------------------------------------------------------------ */

static const struct {
	uint32_t flavor;
	const char *name;
	const char *meaning;
} flavors[] = {
	{ kGUARD_EXC_DESTROY, "kGUARD_EXC_DESTROY", "a guarded port was to be destroyed" },
	{ kGUARD_EXC_MOD_REFS, "kGUARD_EXC_MOD_REFS",
	  "the receive right of a guarded port was to be dropped" },
	{ kGUARD_EXC_SET_CONTEXT, "kGUARD_EXC_SET_CONTEXT",
	  "the context of a strictly guarded port was to be changed" },
	{ kGUARD_EXC_UNGUARDED, "kGUARD_EXC_UNGUARDED",
	  "a guard was given for a port that has none" },
	{ kGUARD_EXC_INCORRECT_GUARD, "kGUARD_EXC_INCORRECT_GUARD", "not the guard of the port" },
	{ kGUARD_EXC_IMMOVABLE, "kGUARD_EXC_IMMOVABLE", "a right that may not be moved" },
	{ kGUARD_EXC_INVALID_RIGHT, "kGUARD_EXC_INVALID_RIGHT",
	  "the name does not have the right that the call wants" },
	{ kGUARD_EXC_INVALID_NAME, "kGUARD_EXC_INVALID_NAME", "the name is not held" },
	{ kGUARD_EXC_INVALID_VALUE, "kGUARD_EXC_INVALID_VALUE",
	  "more references than there are, or a number that cannot be" },
	{ kGUARD_EXC_INVALID_ARGUMENT, "kGUARD_EXC_INVALID_ARGUMENT",
	  "the port has a guard or a context already" },
	{ kGUARD_EXC_RIGHT_EXISTS, "kGUARD_EXC_RIGHT_EXISTS",
	  "the port has another name in this task" },
	{ kGUARD_EXC_KERN_NO_SPACE, "kGUARD_EXC_KERN_NO_SPACE",
	  "a name beyond what a task may have" },
	{ kGUARD_EXC_KERN_FAILURE, "kGUARD_EXC_KERN_FAILURE",
	  "a name that cannot be given: its index is 0, or in use by another name" },
	{ kGUARD_EXC_SEND_INVALID_REPLY, "kGUARD_EXC_SEND_INVALID_REPLY",
	  "the reply port is not held with the right that its disposition wants" },
	{ kGUARD_EXC_SEND_INVALID_VOUCHER, "kGUARD_EXC_SEND_INVALID_VOUCHER",
	  "the voucher of the message is none" },
	{ kGUARD_EXC_SEND_INVALID_RIGHT, "kGUARD_EXC_SEND_INVALID_RIGHT",
	  "a descriptor names a right that is not held" },
	{ kGUARD_EXC_RCV_INVALID_NAME, "kGUARD_EXC_RCV_INVALID_NAME",
	  "neither a receive right nor a port set" },
};

static void
add_references(struct text *text, uint32_t count)
{
	add(text, " with %" PRIu32 " user reference%s", count, count == 1 ? "" : "s");
}

/* What the name was when the call was refused. */
static void
add_name(struct text *text, const struct trap_guard *guard)
{
	switch (guard->name_type) {
	case BERTH_GUARD_NAME_NEVER:
		add(text, "not held, and it does not look as if it ever was");
		break;
	case BERTH_GUARD_NAME_GONE:
		add(text, "not held any more: it was, and its last right is gone");
		break;
	case BERTH_GUARD_NAME_NO_NAME:
		add(text, "no name (MACH_PORT_NULL or MACH_PORT_DEAD)");
		break;
	case BERTH_GUARD_NAME_FREE:
		add(text, "not held, as it should be: the right was to get this name");
		break;
	case MACH_PORT_TYPE_SEND:
		add(text, "a send right");
		add_references(text, guard->name_refs);
		break;
	case MACH_PORT_TYPE_RECEIVE:
		add(text, "a receive right, without a send right");
		break;
	case MACH_PORT_TYPE_SEND_RECEIVE:
		add(text, "a receive right and a send right");
		add_references(text, guard->name_refs);
		break;
	case MACH_PORT_TYPE_SEND_ONCE:
		add(text, "a send-once right");
		break;
	case MACH_PORT_TYPE_PORT_SET:
		add(text, "a port set");
		break;
	case MACH_PORT_TYPE_DEAD_NAME:
		add(text, "a dead name");
		add_references(text, guard->name_refs);
		add(text, ": its port has died");
		break;
	default:
		add(text, "a right of type 0x%" PRIx32, guard->name_type);
		break;
	}
}

static void
add_all(struct text *text, const struct trap_slot *slot)
{
	const struct trap_guard *guard = &slot->reply.guard;
	uint32_t flavor = CODE_FLAVOR(guard->code);
	const char *name = "an unknown flavor", *meaning = "unknown";

	for (size_t i = 0; i < sizeof(flavors) / sizeof(flavors[0]); i++) {
		if (flavors[i].flavor == flavor) {
			name = flavors[i].name;
			meaning = flavors[i].meaning;
		}
	}
	add(text, "libberth: strict: %s (pid %ld, thread %ld) is stopped in ",
	    program_invocation_short_name, (long)getpid(), (long)gettid());
	add_call(text, slot, flavor);
	add(text, "\n  misuse     %s\n  name       0x%" PRIx32 ": ", meaning,
	    (uint32_t)guard->code);
	add_name(text, guard);
	add(text, "\n  exception  EXC_GUARD, %s: code 0x%" PRIx64 ", subcode 0x%" PRIx64, name,
	    guard->code, guard->subcode);
	add(text, "\n  macOS      newer versions %s; older ones only give 0x%x, %s\n  called by\n",
	    flavor <= MAX_FATAL_kGUARD_EXC_CODE
		? "always kill the task"
		: "kill the task, if its guard exceptions are fatal",
	    (unsigned)slot->reply.code, mach_error_string(slot->reply.code));
}

/* ---- the callers ---------------------------------------------------------------------------- */

static const void *
object_of(const void *address)
{
	Dl_info info;

	return dladdr(address, &info) != 0 ? info.dli_fbase : NULL;
}

static void
callers_write(void)
{
	void *frames[FRAME_MAX];
	int count = backtrace(frames, FRAME_MAX), first = 0;
	const void *own = object_of((const void *)(uintptr_t)&strict_stop);

	/* linked into the program, the library cannot be told from it */
	if (own != object_of((const void *)getauxval(AT_ENTRY))) {
		/* behind a sanitizer's backtrace(), if there is one, and this library's calls */
		while (first < count && object_of(frames[first]) != own)
			first++;
		while (first < count && object_of(frames[first]) == own)
			first++;
		if (first == count)
			first = 0;
	}
	if (first < count)
		backtrace_symbols_fd(frames + first, count - first, STDERR_FILENO);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* From now on @number ends the process; none that came before does. */
static void
signal_take_back(int number)
{
	struct sigaction action = { .sa_handler = SIG_IGN };
	sigset_t only;

	sigaction(number, &action, NULL); /* what was blocked is forgotten */
	action.sa_handler = SIG_DFL;
	sigaction(number, &action, NULL);
	sigemptyset(&only);
	sigaddset(&only, number);
	pthread_sigmask(SIG_UNBLOCK, &only, NULL);
}

static void
end_by(int number)
{
	signal_take_back(number);
	raise(number);
}

_Noreturn void
strict_stop(const struct trap *trap)
{
	static _Atomic uint32_t is_stopping;
	static struct text text;

	if (atomic_exchange(&is_stopping, 1) != 0) {
		/* another thread tells its story; ours ends with it */
		for (;;)
			pause();
	}
	add_all(&text, trap->slot);
	text_write(&text);
	/* a handler of signals may have come between the locks that backtrace() takes */
	signal_take_back(SIGALRM);
	alarm(PATIENCE_S);
	callers_write();
	alarm(0);
	end_by(SIGTRAP);
	end_by(SIGABRT); /* a debugger has kept the first one to itself */
	kill(getpid(), SIGKILL);
	_exit(128 + SIGTRAP);
}
