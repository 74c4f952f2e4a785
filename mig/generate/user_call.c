/*
 * The call of a user stub, and what becomes of the request and the reply port when it fails.
 * Source: mig-codegen.md §5.1, §5.2, §6, §9 (KernelUser).
 */
#include "mig/generate/user.h"

/* ---- options --------------------------------------------------------------------------- */

static const char *
time_of(const struct user_stub *stub, const struct argument *argument, const char *text)
{
	return argument ? write_string(stub->w, "(mach_msg_timeout_t)%s", argument->name) : text;
}

static const char *
wait_time(const struct user_stub *stub)
{
	return time_of(stub, stub->routine->wait_time, stub->routine->wait_time_text);
}

static const char *
send_time(const struct user_stub *stub)
{
	return time_of(stub, stub->routine->send_time, stub->routine->send_time_text);
}

const char *
user_timeout(const struct user_stub *stub)
{
	const char *timeout = wait_time(stub);

	if (!timeout)
		timeout = send_time(stub);
	return timeout ? timeout : "MACH_MSG_TIMEOUT_NONE";
}

/* What the caller and the .defs ask for in words of their own. */
static const char *
extra_options(const struct user_stub *stub)
{
	struct writer *w = stub->w;
	const struct routine *routine = stub->routine;
	const char *text = "";
	const char *argument = "";

	if (routine->msg_option_text)
		text = write_string(w, " | (%s)", routine->msg_option_text);
	if (routine->msg_option)
		argument = write_string(w, " | (mach_msg_option_t)%s", routine->msg_option->name);
	return write_string(w, "%s%s", text, argument);
}

const char *
user_send_options(const struct user_stub *stub)
{
	const char *sync = "";

	if (stub->routine->special_reply_port && !stub->routine->simple)
		sync = " | MACH_SEND_SYNC_OVERRIDE | MACH_SEND_SYNC_USE_THRPRI";
	return write_string(stub->w, "%s%s%s",
			    wait_time(stub) || send_time(stub) ? " | MACH_SEND_TIMEOUT" : "", sync,
			    extra_options(stub));
}

static const char *
receive_options(const struct user_stub *stub)
{
	static const char *const elements[] = {
		[TRAILER_SENDER] = "MACH_RCV_TRAILER_SENDER",
		[TRAILER_AUDIT] = "MACH_RCV_TRAILER_AUDIT",
		[TRAILER_CONTEXT] = "MACH_RCV_TRAILER_CTX",
	};
	const struct routine *routine = stub->routine;
	const char *trailer = "";

	if (routine->user_trailer >= TRAILER_SENDER)
		trailer = write_string(stub->w,
				       " |\n\t    MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0)"
				       " | MACH_RCV_TRAILER_ELEMENTS(%s)",
				       elements[routine->user_trailer]);
	return write_string(stub->w, "%s%s%s", wait_time(stub) ? " | MACH_RCV_TIMEOUT" : "",
			    routine->special_reply_port ? " | MACH_RCV_SYNC_WAIT" : "", trailer);
}

/* ---- the call -------------------------------------------------------------------------- */

static const char *
out_size(const struct user_stub *stub)
{
	return stub->is_big ? "(mach_msg_size_t)sizeof(Mess->Out)"
			    : "(mach_msg_size_t)sizeof(Mess.Out)";
}

static const char *
reply_port(const struct user_stub *stub)
{
	return stub->reply_argument ? stub->reply_argument->name : "_reply_port";
}

static void
call_from_kernel(const struct user_stub *stub)
{
	struct writer *w = stub->w;

	if (stub->routine->simple)
		write_line(w, "\t_msg_result = mach_msg_send_from_kernel(&InP->Head, %s);",
			   stub->send_size);
	else
		write_line(w, "\t_msg_result = mach_msg_rpc_from_kernel(&InP->Head, %s, %s);",
			   stub->send_size, out_size(stub));
}

static void
call_mach_msg(const struct user_stub *stub, const char *option, const char *send_size,
	      const char *receive_size, const char *receive_port)
{
	struct writer *w = stub->w;

	write_line(w, "_msg_result = mach_msg(&InP->Head,");
	write_line(w, "\t    %s,", option);
	write_line(w, "\t    %s, %s, %s,", send_size, receive_size, receive_port);
	write_line(w, "\t    %s, MACH_PORT_NULL);", user_timeout(stub));
}

static void
call(const struct user_stub *stub)
{
	struct writer *w = stub->w;
	const char *send = write_string(w, "MACH_SEND_MSG%s", user_send_options(stub));
	const char *receive = write_string(w, "MACH_RCV_MSG%s", receive_options(stub));

	text_printf(w->text, "\t");
	if (stub->routine->simple) {
		call_mach_msg(stub, send, stub->send_size, "0", "MACH_PORT_NULL");
	} else if (w->settings->two_calls) {
		const char *both = write_string(w, "%s%s", receive, extra_options(stub));

		call_mach_msg(stub, send, stub->send_size, "0", "MACH_PORT_NULL");
		text_printf(w->text, "\tif (_msg_result == MACH_MSG_SUCCESS)\n\t\t");
		call_mach_msg(stub, both, "0", out_size(stub), reply_port(stub));
	} else {
		call_mach_msg(stub, write_string(w, "%s | %s", send, receive), stub->send_size,
			      out_size(stub), reply_port(stub));
	}
}

/* ---- when it fails --------------------------------------------------------------------- */

/* A late reply must hit a dead port; one that was never asked for leaves the port clean. */
static void
settle_reply_port(const struct user_stub *stub)
{
	struct writer *w = stub->w;
	const char *special = stub->routine->special_reply_port ? "special_" : "";

	write_line(w, "\t\tif (_msg_result != MACH_SEND_INVALID_DATA &&");
	write_line(w, "\t\t    _msg_result != MACH_SEND_INVALID_DEST &&");
	write_line(w, "\t\t    _msg_result != MACH_SEND_INVALID_HEADER)");
	write_line(w, "\t\t\tmig_dealloc_%sreply_port(_reply_port);", special);
	if (!stub->routine->special_reply_port) {
		write_line(w, "\t\telse");
		write_line(w, "\t\t\tmig_put_reply_port(_reply_port);");
	}
}

static void
consume_request(const struct user_stub *stub)
{
	struct writer *w = stub->w;

	write_line(w, "\t\t/* ConsumeOnSendError: the rights go with the message */");
	write_line(w, "\t\tif (_msg_result == MACH_SEND_TIMED_OUT%s) {",
		   stub->routine->consume == CONSUME_ANY
		       ? " ||\n\t\t    _msg_result == MACH_SEND_INVALID_DEST"
		       : "");
	if (stub->reply_argument) {
		write_line(w, "\t\t\tmach_msg_type_name_t _local =");
		write_line(w, "\t\t\t    MACH_MSGH_BITS_LOCAL(InP->Head.msgh_bits);\n");
		write_line(w, "\t\t\tif ((_local == MACH_MSG_TYPE_MOVE_SEND ||");
		write_line(w, "\t\t\t     _local == MACH_MSG_TYPE_MOVE_SEND_ONCE) &&");
		write_line(w, "\t\t\t    MACH_PORT_VALID(InP->Head.msgh_local_port))");
		write_line(w, "\t\t\t\tmach_port_deallocate(mach_task_self(),");
		write_line(w, "\t\t\t\t    InP->Head.msgh_local_port);");
	}
	write_line(w, "\t\t\tmach_msg_destroy(&InP->Head);");
	write_line(w, "\t\t}");
}

/* Memory that the kernel had taken came back as a copy that nobody else knows of. */
static void
free_copies(const struct user_stub *stub)
{
	struct writer *w = stub->w;
	const struct message *request = &stub->routine->request;
	bool begun = false;

	for (uint32_t i = 0; i < request->descriptor_count; i++) {
		const struct argument *argument = request->descriptors[i].argument;
		enum carriage carriage = argument->type->carriage;
		const char *star = argument->user == PASS_INOUT ? "*" : "";

		if (carriage != CARRIAGE_OOL && carriage != CARRIAGE_OOL_PORTS)
			continue;
		if (!begun) {
			write_line(w, "\t\tif (_msg_result == MACH_SEND_TIMED_OUT ||");
			write_line(w, "\t\t    _msg_result == MACH_SEND_INTERRUPTED) {");
			begun = true;
		}
		write_line(w, "\t\t\tif (InP->%s.address != (void *)(%s%s))", argument->name, star,
			   argument->name);
		write_line(w, "\t\t\t\tmig_deallocate((vm_address_t)InP->%s.address,",
			   argument->name);
		if (carriage == CARRIAGE_OOL)
			write_line(w, "\t\t\t\t    InP->%s.size);", argument->name);
		else
			write_line(w,
				   "\t\t\t\t    InP->%s.count * (vm_size_t)sizeof(mach_port_t));",
				   argument->name);
	}
	if (begun)
		write_line(w, "\t\t}");
}

void
user_write_call(const struct user_stub *stub)
{
	struct writer *w = stub->w;
	const struct routine *routine = stub->routine;
	const char *kind = routine->simple ? "Simple" : "Rpc";

	if (w->settings->event_logger)
		write_line(w, "\t__MIG_LogEvent(\"send\", %d, \"%s\")", routine->id, routine->name);
	write_line(w, "\t__BeforeSend%s(%d, \"%s\")", kind, routine->id, routine->name);
	if (w->interface->kernel_user)
		call_from_kernel(stub);
	else
		call(stub);
	write_line(w, "\t__AfterSend%s(%d, \"%s\")", kind, routine->id, routine->name);
	if (w->settings->event_logger)
		write_line(w, "\t__MIG_LogEvent(\"sent\", %d, \"%s\")", routine->id, routine->name);
	write_line(w, "\tif (_msg_result != MACH_MSG_SUCCESS) {");
	if (!w->interface->kernel_user) {
		if (!routine->simple && !stub->reply_argument)
			settle_reply_port(stub);
		if (routine->consume != CONSUME_NONE)
			consume_request(stub);
		else
			free_copies(stub);
	}
	user_leave(stub, "\t\t", "_msg_result");
	write_line(w, "\t}");
}
