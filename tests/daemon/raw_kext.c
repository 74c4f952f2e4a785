/* A kexthost made by hand: see raw_kext.h. */
#include "tests/daemon/raw_kext.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "wire/lane.h"

#define PATIENCE_S 60

int
raw_connect_patient(const struct raw_kernel *kernel)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = raw_connect(kernel);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/* ---- kexthosts ---------------------------------------------------------------------- */

static int
greet(const struct raw_kernel *kernel, uint32_t kind, pid_t host_pid, uint32_t *host_id)
{
	struct wire_kext_host hello = { { kind, sizeof(hello) }, WIRE_VERSION, host_pid };
	struct wire_kext_welcome welcome;
	int fd = raw_connect_patient(kernel), fds[8];
	unsigned fd_count;

	raw_send(fd, &hello, sizeof(hello), NULL, 0);
	assert_int_equal(raw_receive(fd, &welcome, sizeof(welcome), fds, &fd_count),
			 sizeof(welcome));
	assert_int_equal(welcome.head.kind, WIRE_KEXT_WELCOME);
	assert_int_equal(welcome.head.size_bytes, sizeof(welcome));
	if (host_id != NULL)
		*host_id = welcome.host_id;
	return fd;
}

int
raw_kext_host_new(const struct raw_kernel *kernel, uint32_t *host_id)
{
	uint32_t id;
	int fd = greet(kernel, WIRE_KEXT_HOST, 0, &id);

	assert_true(id != 0);
	if (host_id != NULL)
		*host_id = id;
	return fd;
}

int
raw_supervisor_new(const struct raw_kernel *kernel, pid_t host_pid)
{
	return greet(kernel, WIRE_KEXT_SUPERVISOR, host_pid, NULL);
}

int
raw_request(int fd, uint32_t operation, const uint64_t args[5], const void *payload,
	    size_t payload_size, struct raw_answer *answer)
{
	static uint32_t sequence = 1000;
	union {
		struct wire_kext_request request;
		uint8_t bytes[8192];
	} out = { .bytes = { 0 } };
	union {
		struct wire_kext_answer answer;
		uint8_t bytes[8192];
	} in;
	unsigned fd_count;
	int fds[8];

	out.request.head.kind = WIRE_KEXT_REQUEST;
	out.request.head.size_bytes = (uint32_t)(sizeof(out.request) + payload_size);
	out.request.sequence = ++sequence;
	out.request.operation = operation;
	if (args != NULL)
		memcpy(out.request.args, args, sizeof(out.request.args));
	assert_true(sizeof(out.request) + payload_size <= sizeof(out));
	if (payload_size > 0)
		memcpy(out.bytes + sizeof(out.request), payload, payload_size);
	raw_send(fd, &out, out.request.head.size_bytes, NULL, 0);
	ssize_t n = raw_receive(fd, &in, sizeof(in), fds, &fd_count);

	assert_true(n >= (ssize_t)sizeof(in.answer));
	assert_int_equal(in.answer.head.kind, WIRE_KEXT_ANSWER);
	assert_int_equal(in.answer.head.size_bytes, n);
	assert_int_equal(in.answer.sequence, sequence);
	if (answer != NULL) {
		memcpy(answer->values, in.answer.values, sizeof(answer->values));
		answer->payload_size = (size_t)n - sizeof(in.answer);
		assert_true(answer->payload_size <= sizeof(answer->payload));
		memcpy(answer->payload, in.bytes + sizeof(in.answer), answer->payload_size);
	}
	return in.answer.error;
}

int
raw_kext_load(int fd, const char *identifier, uint32_t *tag)
{
	struct wire_kext_record record = { .version = "1.2",
					   .path = "/tmp/Raw.kext",
					   .address = 0x7f0000400000,
					   .size_bytes = 8192 };
	struct raw_answer answer;
	int error;

	snprintf(record.identifier, sizeof(record.identifier), "%s", identifier);
	error = raw_request(fd, WIRE_KEXT_LOADING, NULL, &record, sizeof(record), &answer);
	*tag = (uint32_t)answer.values[0];
	return error;
}

int
raw_ctl_register(int fd, uint32_t tag, const char *name, uint64_t *ref, uint32_t *id)
{
	struct wire_ctl_record record = { .flags = 0x4 };
	struct raw_answer answer;
	int error;

	snprintf(record.name, sizeof(record.name), "%s", name);
	error = raw_request(fd, WIRE_CTL_REGISTER, (uint64_t[5]){ tag }, &record, sizeof(record),
			    &answer);
	if (ref != NULL)
		*ref = answer.values[0];
	if (id != NULL)
		*id = (uint32_t)answer.values[1];
	return error;
}

uint32_t
raw_vendor(int fd, const char *text)
{
	struct raw_answer answer;

	assert_int_equal(raw_request(fd, WIRE_KEV_VENDOR, (uint64_t[5]){ WIRE_VENDOR_EVENT }, text,
				     strlen(text), &answer),
			 0);
	return (uint32_t)answer.values[0];
}

int
raw_post(int fd, uint32_t vendor, uint32_t class, uint32_t subclass, const void *data,
	 size_t data_size)
{
	return raw_request(fd, WIRE_KEV_POST, (uint64_t[5]){ vendor, class, subclass, 77 }, data,
			   data_size, NULL);
}

void
raw_log(int fd, const char *text)
{
	union {
		struct wire_head head;
		uint8_t bytes[WIRE_MESSAGE_MAX];
	} message;
	size_t size = strlen(text);

	assert_true(size <= WIRE_KEXT_PAYLOAD_MAX);
	message.head = (struct wire_head){ WIRE_KEXT_LOG, (uint32_t)(sizeof(message.head) + size) };
	memcpy(message.bytes + sizeof(message.head), text, size);
	raw_send(fd, &message, message.head.size_bytes, NULL, 0);
}

/* ---- programs ----------------------------------------------------------------------- */

int
raw_ctl_info(struct raw_task *task, const char *name, uint32_t *id)
{
	struct trap_slot *slot = raw_slot(task, 0);
	uint32_t size = (uint32_t)strlen(name) + 1;

	memcpy(slot->data, name, size);
	raw_fill(slot, BERTH_TRAP_CTL_INFO, NULL, 0);
	slot->request.stream_size_bytes = slot->request.prefix_size_bytes = size;
	raw_publish(slot);
	raw_ring(task, 0);
	assert_true(raw_await(slot, PATIENCE_S * 1000));
	*id = (uint32_t)slot->reply.values[0];
	return slot->reply.code;
}

int
raw_ctl_find(struct raw_task *task, uint32_t id, uint32_t unit, uint32_t *host_id)
{
	int error = raw_trap(task, 0, BERTH_TRAP_CTL_FIND, 2, (uint64_t)id, (uint64_t)unit);

	*host_id = (uint32_t)raw_slot(task, 0)->reply.values[0];
	return error;
}

struct wire_system_answer
raw_system(struct raw_task *task, const struct wire_system *message, const int *fds,
	   unsigned fd_count, int *fd)
{
	struct wire_system_answer answer;
	struct wire_system out = *message;
	int came[8];
	unsigned came_count;

	out.head = (struct wire_head){ WIRE_SYSTEM, sizeof(out) };
	raw_send(task->socket_fd, &out, sizeof(out), fds, fd_count);
	assert_int_equal(raw_receive(task->socket_fd, &answer, sizeof(answer), came, &came_count),
			 sizeof(answer));
	assert_int_equal(answer.head.kind, WIRE_SYSTEM_ANSWER);
	assert_int_equal(answer.head.size_bytes, sizeof(answer));
	if (fd != NULL)
		*fd = came_count > 0 ? came[0] : -1;
	else
		assert_int_equal(came_count, 0);
	return answer;
}

int
raw_lane(struct raw_task *task, uint32_t host_id, int *fd)
{
	return raw_system(task,
			  &(struct wire_system){ .operation = WIRE_SYSTEM_LANE, .number = host_id },
			  NULL, 0, fd)
	    .error;
}

void
raw_event_pair(int pair[2])
{
	static unsigned counter;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	n = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s%d.%u",
		     SYSTEM_SOCKET_EVENT, (int)getpid(), ++counter);
	assert_int_equal(bind(pair[1], (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
			 0);
	setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

int
raw_event_open(struct raw_task *task)
{
	int pair[2];

	raw_event_pair(pair);
	assert_int_equal(raw_system(task,
				    &(struct wire_system){ .operation = WIRE_SYSTEM_EVENT_OPEN },
				    pair, 2, NULL)
			     .error,
			 0);
	close(pair[0]);
	return pair[1];
}

int
raw_event_filter(struct raw_task *task, int fd, uint32_t vendor, uint32_t class, uint32_t subclass)
{
	return raw_system(task,
			  &(struct wire_system){ .operation = WIRE_SYSTEM_EVENT_FILTER,
						 .filter = { vendor, class, subclass } },
			  &fd, 1, NULL)
	    .error;
}

int
raw_event_all(struct raw_task *task)
{
	int fd = raw_event_open(task);

	assert_int_equal(raw_event_filter(task, fd, 0, 0, 0), 0);
	return fd;
}

bool
raw_event_next(int fd, struct raw_event *event)
{
	ssize_t n = recv(fd, event, sizeof(*event), 0);

	if (n <= 0)
		return false;
	assert_in_range(n, 24, 24 + WIRE_KEV_MAX);
	assert_int_equal(event->total_size, n);
	return true;
}

unsigned
raw_event_drain(int fd)
{
	struct raw_event event;
	unsigned count = 0;

	while (recv(fd, &event, sizeof(event), MSG_DONTWAIT) > 0)
		count++;
	return count;
}

/* ---- tools -------------------------------------------------------------------------- */

struct wire_end
raw_inspect(const struct raw_kernel *kernel, uint32_t what, uint32_t flags, const char **text)
{
	static char kept[RAW_TEXT_MAX];
	static union {
		struct wire_head head;
		struct wire_end end;
		char bytes[WIRE_MESSAGE_MAX];
	} message;
	struct wire_inspect request = { { WIRE_INSPECT, sizeof(request) }, what, flags, 0, 0 };
	int fd = raw_connect_patient(kernel), fds[8];
	unsigned fd_count;
	size_t used = 0;

	raw_send(fd, &request, sizeof(request), NULL, 0);
	for (;;) {
		ssize_t n = raw_receive(fd, &message, sizeof(message), fds, &fd_count);

		assert_true(n >= (ssize_t)sizeof(message.head));
		if (message.head.kind == WIRE_END)
			break;
		assert_int_equal(message.head.kind, WIRE_TEXT);
		assert_true(used + (size_t)n < sizeof(kept));
		memcpy(kept + used, message.bytes + sizeof(message.head),
		       (size_t)n - sizeof(message.head));
		used += (size_t)n - sizeof(message.head);
	}
	kept[used] = '\0';
	*text = kept;
	close(fd);
	return message.end;
}

void
raw_command(int fd, uint32_t sequence, uint32_t command, uint32_t host_id, const void *payload,
	    size_t payload_size)
{
	union {
		struct wire_kext_command_message command;
		uint8_t bytes[WIRE_MESSAGE_MAX];
	} message = { .command = { .sequence = sequence,
				   .command = command,
				   .host_id = host_id,
				   .args = { 11, 22 } } };

	assert_true(sizeof(message.command) + payload_size <= sizeof(message));
	message.command.head.kind = WIRE_KEXT_COMMAND;
	message.command.head.size_bytes = (uint32_t)(sizeof(message.command) + payload_size);
	if (payload_size > 0)
		memcpy(message.bytes + sizeof(message.command), payload, payload_size);
	raw_send(fd, &message, message.command.head.size_bytes, NULL, 0);
}

struct wire_kext_done
raw_take_done(int tool)
{
	struct wire_kext_done done = { 0 };
	unsigned fd_count;
	int fds[8];

	assert_int_equal(raw_receive(tool, &done, sizeof(done), fds, &fd_count), sizeof(done));
	assert_int_equal(done.head.kind, WIRE_KEXT_DONE);
	assert_int_equal(done.head.size_bytes, sizeof(done));
	return done;
}

bool
raw_is_in(const char *text, const char *format, ...)
{
	char wanted[512];
	va_list args;

	va_start(args, format);
	vsnprintf(wanted, sizeof(wanted), format, args);
	va_end(args);
	bool found = strstr(text, wanted) != NULL;

	if (!found)
		print_error("'%s' is not in '%s'\n", wanted, text);
	return found;
}
