/*
 * The trace as text: each stage of a trap by the name that it has in XNU, what it was
 * given by name, and how it ended.
 */
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/tools.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A line in the making; what it has no room for is cut. */
struct line {
	char *text;
	size_t size, used;
};

static void add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
add(struct line *line, const char *format, ...)
{
	size_t room = line->size - line->used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line->text + line->used, room, format, args);
	va_end(args);
	if (n > 0)
		line->used += (size_t)n < room ? (size_t)n : room - 1;
}

static void
add_code(struct line *line, kern_return_t code)
{
	const char *name = name_of_code(code);
	/* what could not be copied out is told by bits beside a code of mach_msg */
	kern_return_t bits = code & MACH_MSG_MASK;

	if (name == NULL && bits != 0 && (name = name_of_code(code & ~bits)) != NULL)
		add(line, "%s|0x%x", name, (unsigned)bits);
	else if (name != NULL)
		add(line, "%s", name);
	else
		add(line, "0x%x", (unsigned)code);
}

/* What the traps for controls and events give. */
static void
add_errno(struct line *line, int error)
{
	const char *name = strerrorname_np(error);

	if (name != NULL)
		add(line, "%s", name);
	else
		add(line, "0x%x", (unsigned)error);
}

static void
add_message(struct line *line, mach_msg_id_t id)
{
	const char *name = name_of_message(id);

	if (name != NULL)
		add(line, " id=%s", name);
	else
		add(line, " id=%d", (int)id);
}

static const char *
disposition(uint32_t number)
{
	static const char *const names[] = { "move-receive", "move-send", "move-send-once",
					     "copy-send",    "make-send", "make-send-once",
					     "copy-receive" };

	if (number == 0)
		return "none";
	return number >= MACH_MSG_TYPE_MOVE_RECEIVE && number <= MACH_MSG_TYPE_COPY_RECEIVE
		   ? names[number - MACH_MSG_TYPE_MOVE_RECEIVE]
		   : "?";
}

static void
add_option(struct line *line, uint64_t option)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} bits[] = {
		{ MACH_SEND_MSG, "SEND" },
		{ MACH_RCV_MSG, "RCV" },
		{ MACH_RCV_LARGE, "RCV_LARGE" },
		{ MACH_RCV_LARGE_IDENTITY, "RCV_LARGE_IDENTITY" },
		{ MACH_SEND_TIMEOUT, "SEND_TIMEOUT" },
		{ MACH_SEND_INTERRUPT, "SEND_INTERRUPT" },
		{ MACH_SEND_NOTIFY, "SEND_NOTIFY" },
		{ MACH_RCV_TIMEOUT, "RCV_TIMEOUT" },
		{ MACH_RCV_INTERRUPT, "RCV_INTERRUPT" },
		{ MACH_RCV_VOUCHER, "RCV_VOUCHER" },
		{ MACH_RCV_GUARDED_DESC, "RCV_GUARDED_DESC" },
	};
	uint32_t rest = (uint32_t)option;
	const char *between = "";

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		if ((rest & bits[i].bit) == 0)
			continue;
		add(line, "%s%s", between, bits[i].name);
		between = "|";
		rest &= ~bits[i].bit;
	}
	if (rest != 0 || *between == '\0')
		add(line, "%s0x%x", between, rest);
}

static void
add_trap_name(struct line *line, uint32_t number)
{
	const char *name = name_of_trap(number);

	if (name != NULL)
		add(line, "%s", name);
	else
		add(line, "trap_%u", number);
}

static void
add_trap(struct line *line, const struct kernel_trace *trace)
{
	const char *const *names = name_of_trap_args(trace->number);

	add_trap_name(line, trace->number);
	add(line, "(");
	for (uint32_t i = 0; i < KERNEL_ARG_COUNT && trace->args != NULL && names[i] != NULL; i++) {
		const char *name = names[i];

		if (*name == '#' || *name == '!')
			name++;
		add(line, "%s%s=", i > 0 ? ", " : "", name);
		if (*names[i] == '!')
			add_option(line, trace->args[i]);
		else if (*names[i] == '#')
			add(line, "%" PRId64, (int64_t)(int32_t)trace->args[i]);
		else
			add(line, "0x%" PRIx64, trace->args[i]);
	}
	add(line, ")");
}

static void
add_trap_done(struct line *line, const struct kernel_trace *trace)
{
	add(line, "  = ");
	add_trap_name(line, trace->number);
	add(line, ": ");
	if (trace->number >= BERTH_TRAP_CTL_INFO && trace->number <= BERTH_TRAP_SYSTEM_STATISTICS)
		add_errno(line, trace->code);
	else
		add_code(line, trace->code);
	if (trace->args == NULL || trace->number == BERTH_TRAP_MSG)
		return;
	for (uint32_t i = 0; i < KERNEL_VALUE_COUNT; i++)
		if (trace->args[i] != 0)
			add(line, " [%u]=0x%" PRIx64, i, trace->args[i]);
}

/* Name and port of what a stage is about. */
static void
add_port(struct line *line, const struct kernel_trace *trace)
{
	if (trace->name != 0)
		add(line, " name=0x%x", trace->name);
	if (trace->port_id != 0)
		add(line, " port=%" PRIu64, trace->port_id);
}

static void
add_header(struct line *line, const struct kernel_trace *trace)
{
	add(line, " dest=0x%x(%s)", trace->name, disposition(MACH_MSGH_BITS_REMOTE(trace->bits)));
	if (trace->port_id != 0)
		add(line, " port=%" PRIu64, trace->port_id);
	if (trace->reply_name != 0)
		add(line, " reply=0x%x(%s)", trace->reply_name,
		    disposition(MACH_MSGH_BITS_LOCAL(trace->bits)));
	if (trace->reply_port_id != 0)
		add(line, " reply_port=%" PRIu64, trace->reply_port_id);
}

static const char *
stage(enum kernel_trace_kind kind)
{
	static const char *const stages[] = {
		[TRACE_TRAP] = "trap",
		[TRACE_TRAP_DONE] = "trap_done",
		[TRACE_TRAP_PARKED] = "blocked",
		[TRACE_IPC_KMSG_GET] = "ipc_kmsg_get",
		[TRACE_IPC_KMSG_COPYIN_HEADER] = "ipc_kmsg_copyin_header",
		[TRACE_IPC_KMSG_COPYIN_BODY] = "ipc_kmsg_copyin_body",
		[TRACE_IPC_MQUEUE_SEND] = "ipc_mqueue_send",
		[TRACE_IPC_KOBJECT_SERVER] = "ipc_kobject_server",
		[TRACE_IPC_MQUEUE_COPYIN] = "ipc_mqueue_copyin",
		[TRACE_IPC_MQUEUE_RECEIVE] = "ipc_mqueue_receive",
		[TRACE_IPC_KMSG_COPYOUT] = "ipc_kmsg_copyout",
		[TRACE_MACH_MSG_RECEIVE_RESULTS] = "mach_msg_receive_results",
		[TRACE_IPC_PORT_ALLOC] = "ipc_port_alloc",
		[TRACE_IPC_PORT_DESTROY] = "ipc_port_destroy",
		[TRACE_IPC_RIGHT_COPYIN] = "ipc_right_copyin",
		[TRACE_IPC_RIGHT_COPYOUT] = "ipc_right_copyout",
		[TRACE_IPC_RIGHT_DEALLOC] = "ipc_right_dealloc",
		[TRACE_IPC_NOTIFY] = "ipc_notify",
		[TRACE_TASK_NEW] = "task_new",
		[TRACE_TASK_DIED] = "task_died",
	};

	return (size_t)kind < sizeof(stages) / sizeof(stages[0]) && stages[kind] != NULL
		   ? stages[kind]
		   : "?";
}

int
trace_format(const struct kernel_trace *trace, char *text, size_t size)
{
	struct line line = { .text = text, .size = size };

	if (trace->kind == TRACE_TRAP) {
		add_trap(&line, trace);
		return (int)line.used;
	}
	if (trace->kind == TRACE_TRAP_DONE) {
		add_trap_done(&line, trace);
		return (int)line.used;
	}
	add(&line, "  %s", stage(trace->kind));
	switch (trace->kind) {
	case TRACE_IPC_KMSG_COPYIN_HEADER:
		add_header(&line, trace);
		break;
	case TRACE_IPC_KMSG_COPYOUT:
		add(&line, " local=0x%x remote=0x%x", trace->name, trace->reply_name);
		add_message(&line, trace->msgh_id);
		add(&line, " size=%u", trace->size_bytes);
		break;
	case TRACE_IPC_KMSG_GET:
		add(&line, " size=%u", trace->size_bytes);
		add_message(&line, trace->msgh_id);
		break;
	case TRACE_IPC_KMSG_COPYIN_BODY:
		add(&line, " descriptors=%u", trace->count);
		break;
	case TRACE_IPC_MQUEUE_SEND:
		add_port(&line, trace);
		add_message(&line, trace->msgh_id);
		add(&line, " msgcount=%u/%u", trace->count, trace->limit);
		break;
	case TRACE_IPC_MQUEUE_RECEIVE:
		add_port(&line, trace);
		add_message(&line, trace->msgh_id);
		add(&line, " left=%u seqno=%u", trace->count, trace->limit);
		break;
	case TRACE_MACH_MSG_RECEIVE_RESULTS:
		add(&line, " ");
		add_code(&line, trace->code);
		if (trace->size_bytes != 0)
			add(&line, " size=%u", trace->size_bytes);
		break;
	case TRACE_IPC_KOBJECT_SERVER:
	case TRACE_IPC_NOTIFY:
		add_port(&line, trace);
		add_message(&line, trace->msgh_id);
		break;
	case TRACE_IPC_RIGHT_COPYIN:
		add_port(&line, trace);
		add(&line, " %s", disposition(trace->bits));
		break;
	case TRACE_IPC_RIGHT_COPYOUT:
		add_port(&line, trace);
		add(&line, " %s urefs=%u", disposition(trace->bits), trace->count);
		break;
	case TRACE_IPC_PORT_DESTROY:
		add_port(&line, trace);
		add(&line, " msgcount=%u", trace->count);
		break;
	default:
		add_port(&line, trace);
		break;
	}
	if (trace->note != NULL && trace->note[0] != '\0')
		add(&line, " (%s)", trace->note);
	return (int)line.used;
}
