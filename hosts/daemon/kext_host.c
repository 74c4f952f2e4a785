/*
 * Kexthosts: what they register, the lanes to them, and their end.
 *
 *   NEW ──WIRE_KEXT_HOST──► KEXT_HOST ──hang-up──► last words taken, registry cleared, GONE
 *
 * A request has one answer, whatever is wrong with what it asks for; one that is no request at
 * all is a violation.  A kexthost that has died may not be noticed yet, while a program has seen
 * that its connection ended: so who looks for a control has its kexthost looked at first.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/kext.h"

/* ---- greeting ---------------------------------------------------------------------- */

static bool
supervisor_new(struct peer *peer, pid_t host_pid)
{
	peer->supervisor = calloc(1, sizeof(*peer->supervisor));
	if (peer->supervisor == NULL)
		return false;
	peer->supervisor->host_pid = host_pid;
	peer->kind = PEER_KEXT_SUPERVISOR;
	kext_log_retag(peer->host, host_pid);
	return true;
}

static bool
kext_host_new(struct peer *peer)
{
	peer->kext_host = kernel_kext_host_new(peer->host->kernel, (uint32_t)peer->pid, peer);
	if (peer->kext_host == NULL)
		return false;
	peer->kind = PEER_KEXT_HOST;
	return true;
}

void
kext_greeting(struct peer *peer, uint32_t kind, const struct received *received)
{
	const struct wire_kext_host *message =
	    (const struct wire_kext_host *)(const void *)received->bytes;
	struct wire_kext_welcome answer = { .head = { .kind = WIRE_KEXT_WELCOME,
						      .size_bytes = sizeof(answer) } };
	bool made;

	if (received->size_bytes != sizeof(*message)) {
		peer_violation(peer, "a greeting of a wrong size");
		return;
	}
	if (message->version != WIRE_VERSION) {
		peer_refuse(peer,
			    "this kexthost speaks version %u, this kernel version %u: they must "
			    "come from one build",
			    message->version, WIRE_VERSION);
		return;
	}
	if (!credentials_sees_all(peer)) {
		peer_refuse(peer, "only its owner and root load kexts into a kernel");
		return;
	}
	credentials_label(peer->pid, peer->label, sizeof(peer->label));
	made =
	    kind == WIRE_KEXT_HOST ? kext_host_new(peer) : supervisor_new(peer, message->host_pid);
	if (!made) {
		peer_refuse(peer, "the kernel has no resources for one more kexthost");
		return;
	}
	if (peer->kext_host != NULL)
		answer.host_id = kernel_kext_host_id(peer->kext_host);
	if (socket_send(peer, &answer, sizeof(answer), NULL, 0, NULL) < 0)
		peer_doom(peer);
}

/* ---- requests ---------------------------------------------------------------------- */

/* One request, with room for its answer. */
struct request {
	struct peer *peer;
	struct kernel *kernel;
	struct kernel_kext_host *kext_host;
	uint64_t args[5];
	const uint8_t *payload;
	size_t payload_size;
	uint64_t values[2];
	uint8_t out[WIRE_CTL_NAME_MAX];
	size_t out_size;
	struct kernel_effects effects;
};

/* A tag, reference or code is a number of 32 bits or none at all. */
static bool
is_32(uint64_t number)
{
	return number <= UINT32_MAX;
}

static int
loading(struct request *request)
{
	struct wire_kext_record record;
	struct kernel_kext kext = { 0 };
	uint32_t tag = 0;
	int error;

	if (request->payload_size != sizeof(record))
		return EINVAL;
	memcpy(&record, request->payload, sizeof(record));
	if (memchr(record.path, '\0', sizeof(record.path)) == NULL ||
	    record.dependency_count > WIRE_KEXT_DEPENDENCY_MAX)
		return EINVAL;
	_Static_assert(sizeof(kext.identifier) == sizeof(record.identifier), "copied whole");
	_Static_assert(sizeof(kext.version) == sizeof(record.version), "copied whole");
	memcpy(kext.identifier, record.identifier, sizeof(kext.identifier));
	memcpy(kext.version, record.version, sizeof(kext.version));
	kext.path = record.path;
	kext.address = record.address;
	kext.size_bytes = record.size_bytes;
	kext.dependencies = record.dependencies;
	kext.dependency_count = record.dependency_count;
	error = kernel_kext_loading(request->kernel, request->kext_host, &kext, &tag);
	request->values[0] = tag;
	if (error == 0)
		kext_log_retag(request->peer->host, request->peer->pid);
	return error;
}

static int
kext_state(struct request *request, uint32_t operation)
{
	uint32_t tag = (uint32_t)request->args[0];

	if (!is_32(request->args[0]))
		return EINVAL;
	if (operation == WIRE_KEXT_STARTED)
		return kernel_kext_started(request->kernel, request->kext_host, tag);
	if (operation == WIRE_KEXT_STOPPING)
		return kernel_kext_may_stop(request->kernel, request->kext_host, tag);
	return kernel_kext_gone(request->kernel, request->kext_host, tag, &request->effects);
}

static int
ctl_register(struct request *request)
{
	struct wire_ctl_record record;
	struct kernel_ctl ctl = { 0 };
	uint32_t id = 0;
	int error;

	if (request->payload_size != sizeof(record) || !is_32(request->args[0]))
		return EINVAL;
	memcpy(&record, request->payload, sizeof(record));
	_Static_assert(sizeof(ctl.name) == sizeof(record.name), "copied whole");
	_Static_assert(sizeof(ctl.callbacks) == sizeof(record.callbacks), "copied whole");
	memcpy(ctl.name, record.name, sizeof(ctl.name));
	memcpy(ctl.callbacks, record.callbacks, sizeof(ctl.callbacks));
	ctl.id = record.id;
	ctl.unit = record.unit;
	ctl.flags = record.flags;
	ctl.sendsize = record.sendsize;
	ctl.recvsize = record.recvsize;
	error = kernel_ctl_register(request->kernel, request->kext_host, (uint32_t)request->args[0],
				    &ctl, &request->values[0], &id, &request->effects);
	request->values[1] = id;
	return error;
}

static int
kev_post(struct request *request)
{
	uint32_t what[4];

	for (int i = 0; i < 4; i++) {
		if (!is_32(request->args[i]))
			return EINVAL;
		what[i] = (uint32_t)request->args[i];
	}
	return kernel_kev_post(request->kernel, what, request->payload,
			       (uint32_t)request->payload_size, request->args[4] != 0,
			       &request->effects);
}

/* The payload as a string; whether its NUL came along makes no difference. */
static size_t
text_size(const struct request *request)
{
	size_t size = request->payload_size;

	return size > 0 && request->payload[size - 1] == '\0' ? size - 1 : size;
}

static int
kev_vendor(struct request *request)
{
	uint32_t code = 0;
	int error;

	if (request->args[0] != WIRE_VENDOR_EVENT && request->args[0] != WIRE_VENDOR_MBUF_TAG)
		return EINVAL;
	error = kernel_kev_vendor(
	    request->kernel, (const char *)request->payload, text_size(request),
	    request->args[0] == WIRE_VENDOR_EVENT ? KERNEL_VENDOR_EVENT : KERNEL_VENDOR_MBUF_TAG,
	    &code);
	request->values[0] = code;
	return error;
}

static int
ctl_id_by_name(struct request *request)
{
	char name[WIRE_CTL_NAME_MAX] = { 0 };
	uint32_t id = 0, host_id;
	int error;

	if (text_size(request) >= sizeof(name))
		return ENOENT; /* none has such a name */
	memcpy(name, request->payload, text_size(request));
	error = kernel_ctl_find(request->kernel, name, &id, &host_id);
	request->values[0] = id;
	return error == EINVAL ? ENOENT : error;
}

static int
ctl_name_by_id(struct request *request)
{
	int error;

	if (!is_32(request->args[0]))
		return ENOENT;
	error = kernel_ctl_name(request->kernel, (uint32_t)request->args[0], (char *)request->out);
	request->out_size = error == 0 ? sizeof(request->out) : 0;
	return error;
}

static int
serve(struct request *request, uint32_t operation)
{
	switch (operation) {
	case WIRE_KEXT_LOADING:
		return loading(request);
	case WIRE_KEXT_STARTED:
	case WIRE_KEXT_GONE:
	case WIRE_KEXT_STOPPING:
		return kext_state(request, operation);
	case WIRE_CTL_REGISTER:
		return ctl_register(request);
	case WIRE_CTL_DEREGISTER:
		return kernel_ctl_deregister(request->kernel, request->kext_host, request->args[0],
					     &request->effects);
	case WIRE_KEV_VENDOR:
		return kev_vendor(request);
	case WIRE_KEV_POST:
		return kev_post(request);
	case WIRE_CTL_ID_BY_NAME:
		return ctl_id_by_name(request);
	case WIRE_CTL_NAME_BY_ID:
		return ctl_name_by_id(request);
	default:
		return ENOSYS;
	}
}

static void
request_message(struct peer *peer, const struct received *received)
{
	const struct wire_kext_request *message =
	    (const struct wire_kext_request *)(const void *)received->bytes;
	union {
		struct wire_kext_answer answer;
		uint8_t bytes[sizeof(struct wire_kext_answer) + WIRE_CTL_NAME_MAX];
	} out = { .bytes = { 0 } };
	struct request request = { .peer = peer,
				   .kernel = peer->host->kernel,
				   .kext_host = peer->kext_host };

	if (received->size_bytes < sizeof(*message)) {
		peer_violation(peer, "a request that is too short");
		return;
	}
	memcpy(request.args, message->args, sizeof(request.args));
	request.payload = message->payload;
	request.payload_size = received->size_bytes - sizeof(*message);
	kernel_effects_init(&request.effects);
	out.answer.error = serve(&request, message->operation);
	/* events are on their way before the call that made them returns */
	effects_work_off(peer->host, &request.effects);
	out.answer.head.kind = WIRE_KEXT_ANSWER;
	out.answer.head.size_bytes = (uint32_t)(sizeof(out.answer) + request.out_size);
	out.answer.sequence = message->sequence;
	memcpy(out.answer.values, request.values, sizeof(out.answer.values));
	memcpy(out.bytes + sizeof(out.answer), request.out, request.out_size);
	if (socket_send(peer, &out, out.answer.head.size_bytes, NULL, 0, NULL) < 0)
		peer_doom(peer); /* it would wait for ever */
}

void
kext_host_message(struct peer *peer, uint32_t kind, const struct received *received)
{
	switch (kind) {
	case WIRE_KEXT_REQUEST:
		request_message(peer, received);
		break;
	case WIRE_KEXT_SAYS:
	case WIRE_KEXT_DONE:
		if (!kext_command_answer(peer, kind, received->bytes, received->size_bytes))
			peer_violation(peer, "an answer to nobody's command");
		break;
	default:
		peer_violation(peer, "a message of an unknown kind");
		break;
	}
}

/* ---- the end ----------------------------------------------------------------------- */

/* What it answered before it went is still in the socket. */
static void
take_last_words(struct peer *peer)
{
	uint8_t *bytes = host_scratch(peer->host, WIRE_MESSAGE_MAX);

	for (uint32_t i = 0; bytes != NULL && peer->socket.fd >= 0 && i < LAST_WORDS_MAX; i++) {
		ssize_t n = recv(peer->socket.fd, bytes, WIRE_MESSAGE_MAX, MSG_DONTWAIT);
		const struct wire_head *head = (const struct wire_head *)(const void *)bytes;

		if (n < (ssize_t)sizeof(*head))
			break;
		if (head->size_bytes == (size_t)n &&
		    (head->kind == WIRE_KEXT_SAYS || head->kind == WIRE_KEXT_DONE))
			kext_command_answer(peer, head->kind, bytes, (size_t)n);
	}
}

void
kext_host_end(struct peer *peer)
{
	struct kernel_kext_host *kext_host = peer->kext_host;
	struct kernel_effects effects;

	if (kext_host == NULL)
		return;
	take_last_words(peer);
	peer->kext_host = NULL;
	kernel_effects_init(&effects);
	kernel_kext_host_died(peer->host->kernel, kext_host, &effects);
	effects_work_off(peer->host, &effects);
}

/* Has it hung up, or is it about to?  Linux closes the descriptors of a dying process one by one,
 * so that its programs may see it before we do. */
static bool
is_gone(const struct peer *peer)
{
	struct pollfd hang_up = { .fd = peer->socket.fd, .events = POLLRDHUP };

	return peer->doomed || peer->socket.fd < 0 || poll(&hang_up, 1, 0) > 0 ||
	       credentials_process_exits(peer->pid);
}

/* The kexthost @host_id if it lives; if not, it ends. */
static struct peer *
find_alive(struct host *host, uint32_t host_id)
{
	struct peer *peer = kernel_kext_host_of_id(host->kernel, host_id);

	if (peer == NULL || !is_gone(peer))
		return peer;
	peer_end(peer);
	return NULL;
}

void
kext_hosts_look(struct host *host, const struct trap_frame *frame)
{
	char name[WIRE_CTL_NAME_MAX + 1] = { 0 };
	uint32_t id, host_id;
	int error;

	if (frame->number != BERTH_TRAP_CTL_INFO && frame->number != BERTH_TRAP_CTL_FIND)
		return;
	/* the task may change it until the core reads it: then this look was for nothing */
	if (frame->number == BERTH_TRAP_CTL_INFO && frame->bytes_size < sizeof(name) &&
	    frame->bytes_size > 0)
		memcpy(name, frame->bytes, frame->bytes_size);
	do
		error = frame->number == BERTH_TRAP_CTL_INFO
			    ? kernel_ctl_find(host->kernel, name, &id, &host_id)
			    : kernel_ctl_find_id(host->kernel, (uint32_t)frame->args[0],
						 (uint32_t)frame->args[1], &host_id);
	while (error == 0 && find_alive(host, host_id) == NULL);
}

/* ---- lanes and event sockets ------------------------------------------------------- */

int
kext_host_lane(struct peer *task, uint32_t host_id, int *fd)
{
	struct wire_kext_lane message = {
		.head = { .kind = WIRE_KEXT_LANE, .size_bytes = sizeof(message) },
		.pid = task->pid,
		.ruid = task->ruid,
		.euid = task->euid,
		.rgid = task->rgid,
		.egid = task->egid,
	};
	struct peer *kext_host = find_alive(task->host, host_id);
	int ends[2], on = 1, error;

	_Static_assert(sizeof(message.label) == sizeof(task->label), "copied whole");
	memcpy(message.label, task->label, sizeof(message.label));
	if (kext_host == NULL)
		return ENOENT;
	if (kext_host->outgoing_count >= KEXT_QUEUED_MAX)
		return ENOBUFS; /* it does not read */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return errno;
	/* who asks is said by Linux with each message, from the first one on */
	setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	error = socket_send(kext_host, &message, sizeof(message), &ends[0], 1, NULL);
	close(ends[0]);
	if (error < 0) {
		close(ends[1]);
		return -error;
	}
	*fd = ends[1];
	return 0;
}

void
system_message(struct peer *peer, struct received *received)
{
	const struct wire_system *message =
	    (const struct wire_system *)(const void *)received->bytes;
	struct wire_system_answer answer = { .head = { .kind = WIRE_SYSTEM_ANSWER,
						       .size_bytes = sizeof(answer) } };
	int fd = -1, error;

	if (received->size_bytes != sizeof(*message)) {
		peer_violation(peer, "a message of a wrong size");
		return;
	}
	if (message->operation == WIRE_SYSTEM_LANE)
		answer.error = kext_host_lane(peer, message->number, &fd);
	else
		answer.error = event_socket_message(peer, received, &answer.number, answer.filter);
	error = socket_send(peer, &answer, sizeof(answer), &fd, fd >= 0 ? 1 : 0, NULL);
	if (fd >= 0)
		close(fd);
	if (error < 0)
		peer_doom(peer); /* it would wait for ever */
}
