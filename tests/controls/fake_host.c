/*
 * A kexthost made by hand: see fake_host.h.
 *
 * Bare system calls for the sockets that programs show: this process has the library under test
 * in it, too, which would take them for its own.
 */
#include "tests/controls/fake_host.h"

#include "wire/alive_page.h"
#include "wire/kext.h"
#include "wire/lane.h"
#include "wire/wait.h"

#include <berth/kernel_connection.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CLIENTS 64
#define CLOSE_US 20000 /* what a disconnect takes */

/* In the child from here on. */
static struct fake *fake;
static int kernel_fd, alive_fd;
static uint32_t host_id;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct client {
	uint64_t inode;
	int fd; /* our end */
	uint32_t unit, flags;
};
static struct client clients[CLIENTS];
static uint32_t client_count;
static uint8_t option_bytes[1 << 20];
static uint32_t option_size;

struct fake_lane {
	struct lane_memory *memory;
	int fd, bell_fd;
	int fds[LANE_SLOTS][2]; /* came ahead of the request in that slot */
	uint32_t fd_counts[LANE_SLOTS];
};

struct fake_call {
	struct fake_lane *lane;
	uint32_t slot_index;
	int fds[2];
	uint32_t fd_count;
};

static _Noreturn void
give_up(const char *what)
{
	fprintf(stderr, "fake kexthost: %s: %s\n", what, strerror(errno));
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* ---- clients ----------------------------------------------------------------------------- */

static struct client *
client_of(int program_fd)
{
	struct stat status;

	fstat(program_fd, &status);
	for (uint32_t i = 0; i < client_count; i++)
		if (clients[i].inode == status.st_ino)
			return &clients[i];
	return NULL;
}

/* Connect the program's socket to us. */
static struct client *
client_new(int program_fd, uint32_t unit)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char folder[] = "/tmp/berth-fake-XXXXXX";
	struct stat status;
	socklen_t size = sizeof(int);
	int type;

	if (mkdtemp(folder) == NULL || client_count == CLIENTS)
		give_up("a client more");
	getsockopt(program_fd, SOL_SOCKET, SO_TYPE, &type, &size);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/" KEXTHOST_SOCKET_NAME "%x",
		 folder, host_id);
	int listener = socket(AF_UNIX, type, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(listener, 1) != 0 ||
	    syscall(SYS_connect, program_fd, &address, sizeof(address)) != 0)
		give_up("connect");
	struct client *client = &clients[client_count++];
	fstat(program_fd, &status);
	client->inode = status.st_ino;
	client->unit = unit;
	client->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	unlink(address.sun_path);
	rmdir(folder);
	return client;
}

static void
tell(const struct client *client, struct lane_reply *reply)
{
	reply->values[LANE_HANDLE] = (uint64_t)(client - clients) + 1;
	reply->values[LANE_UNIT] = client->unit;
	reply->values[LANE_ID] = fake->control_id;
	reply->values[LANE_FLAGS] = client->flags;
	if ((client->unit & FAKE_UNIT_RCVD) != 0)
		reply->values[LANE_FLAGS] |= LANE_WANTS_RCVD;
	if ((client->unit & FAKE_UNIT_DEAF) == 0)
		reply->values[LANE_FLAGS] |= LANE_HAS_SEND;
	reply->values[LANE_SENDSIZE] = FAKE_SENDSIZE;
	reply->values[LANE_RECVSIZE] = 8192;
}

static int
attach(const struct fake_call *call, uint32_t operation, const uint8_t *data,
       struct lane_reply *reply)
{
	uint32_t unit;
	int error = operation == LANE_BIND ? EINVAL : 0; /* there is no bind callback */

	if (call->fd_count == 0)
		return EBADF;
	memcpy(&unit, data + 8, sizeof(unit));
	if (unit == FAKE_UNIT_REFUSES)
		return EPERM;
	pthread_mutex_lock(&lock);
	struct client *client = client_of(call->fds[0]);
	if (client == NULL)
		client = client_new(call->fds[0], unit);
	if (unit == FAKE_UNIT_DIES) {
		close(client->fd);
		client->fd = -1;
		client->inode = 0;
		error = EACCES;
	} else {
		if (operation == LANE_CONNECT)
			client->flags |= LANE_IS_CONNECTED;
		tell(client, reply);
	}
	pthread_mutex_unlock(&lock);
	return error;
}

static int
adopt(const struct fake_call *call, struct lane_reply *reply)
{
	pthread_mutex_lock(&lock);
	struct client *client = call->fd_count > 0 ? client_of(call->fds[0]) : NULL;
	if (client != NULL)
		tell(client, reply);
	pthread_mutex_unlock(&lock);
	fake->adopt_count++;
	return client != NULL ? 0 : ENOTCONN;
}

/* ---- calls ------------------------------------------------------------------------------- */

static int
take_data(const struct fake_call *call, const struct client *client, const uint8_t *data,
	  uint32_t size)
{
	const struct lane_slot *slot = &call->lane->memory->slots[call->slot_index];

	fake->send_count++;
	if (size == 5 && memcmp(data, "block", 5) == 0) {
		fake->blocked_count++;
		while (!fake->release && !slot->cancel)
			usleep(1000);
		fake->cancel_count += slot->cancel;
		return slot->cancel ? EINTR : 0;
	}
	if (size == 4 && memcmp(data, "pipe", 4) == 0)
		return EPIPE;
	else if (size == 3 && memcmp(data, "die", 3) == 0)
		kill(getpid(), SIGKILL);
	else
		send(client->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	return 0;
}

static int
get_option(const struct fake_call *call, const struct lane_request *request, uint8_t *out,
	   struct lane_reply *reply)
{
	uint32_t size = option_size;

	if (request->args[1] == 2)
		return ERANGE;
	if (request->args[3] > LANE_DATA_MAX)
		return EINVAL;
	reply->values[0] = size;
	if (!request->args[2])
		return 0;
	if (size > request->args[3] && request->args[1] != 3)
		reply->values[0] = size = (uint32_t)request->args[3];
	reply->size_bytes = size;
	if (size <= LANE_DATA_SIZE) {
		memcpy(out, option_bytes, size);
		return 0;
	}
	struct lane_message text = { { LANE_REPLY, sizeof(text) }, call->slot_index, 0 };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec part = { &text, sizeof(text) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int fd = memfd_create("fake", MFD_CLOEXEC);
	if (write(fd, option_bytes, size) != (ssize_t)size)
		give_up("memfd");
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	sendmsg(call->lane->fd, &message, MSG_NOSIGNAL);
	close(fd);
	reply->flags = LANE_OUT_MEMFD;
	return 0;
}

static int
run(const struct fake_call *call, const struct lane_request *request, const uint8_t *data,
    uint8_t *out, struct lane_reply *reply)
{
	uint32_t operation = request->operation;

	if (operation == LANE_CONNECT || operation == LANE_BIND)
		return attach(call, operation, data, reply);
	if (operation == LANE_ADOPT)
		return adopt(call, reply);
	if (request->args[0] == 0 || request->args[0] > client_count)
		return EPIPE;
	const struct client *client = &clients[request->args[0] - 1];

	switch (operation) {
	case LANE_SEND:
		reply->values[0] = request->size_bytes;
		return take_data(call, client, data, request->size_bytes);
	case LANE_SETOPT:
		if (request->args[3] != 0)
			return (int)request->args[3]; /* the value could not be sent */
		if (request->args[1] == 2)
			return ERANGE;
		memcpy(option_bytes, data, request->size_bytes);
		option_size = request->size_bytes;
		return 0;
	case LANE_GETOPT:
		return get_option(call, request, out, reply);
	case LANE_RCVD:
		fake->rcvd_flags = (uint32_t)request->args[1];
		fake->rcvd_count++;
		return 0;
	case LANE_CLOSED:
		fake->closing_count++;
		usleep(CLOSE_US);
		fake->closed_count++;
		return 0;
	case LANE_SHUT_RD:
		fake->shut_count++;
		return 0;
	case LANE_SIZES:
		for (int i = 0; i < 3; i++)
			fake->sizes[i] = (uint32_t)request->args[i + 1];
		return 0;
	case LANE_QUEUED:
		reply->values[0] = 7;
		return 0;
	default:
		return EINVAL;
	}
}

static void *
call_thread(void *argument)
{
	struct fake_call *call = argument;
	struct lane_slot *slot = &call->lane->memory->slots[call->slot_index];
	struct lane_request request = slot->request;
	struct lane_reply reply = { 0 };
	uint8_t *data = malloc(request.size_bytes + 64);

	if ((request.flags & LANE_IN_MEMFD) == 0)
		memcpy(data, slot->data, request.size_bytes);
	else if (pread(call->fds[call->fd_count - 1], data, request.size_bytes, 0) !=
		 (ssize_t)request.size_bytes)
		give_up("data");
	reply.error = run(call, &request, data, slot->data, &reply);
	for (uint32_t i = 0; i < call->fd_count; i++)
		close(call->fds[i]);
	slot->reply = reply;
	atomic_store(&slot->state, LANE_DONE);
	if (slot->program_sleeps)
		wait_wake(&slot->state, 1);
	free(data);
	free(call);
	return NULL;
}

static void
call_start(struct fake_lane *lane, uint32_t slot_index)
{
	uint32_t asked = LANE_ASKED;
	pthread_t thread;

	if (!atomic_compare_exchange_strong(&lane->memory->slots[slot_index].state, &asked,
					    LANE_TAKEN))
		return;
	struct fake_call *call = calloc(1, sizeof(*call));
	call->lane = lane;
	call->slot_index = slot_index;
	call->fd_count = lane->fd_counts[slot_index];
	memcpy(call->fds, lane->fds[slot_index], sizeof(call->fds));
	lane->fd_counts[slot_index] = 0;
	if (pthread_create(&thread, NULL, call_thread, call) != 0)
		give_up("thread");
	pthread_detach(thread);
}

/* ---- lanes ------------------------------------------------------------------------------- */

/* A message and its descriptors, by a bare call.  Its size. */
static ssize_t
hear(int fd, void *text, size_t size, int *fds, uint32_t *fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = { text, size };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t got = syscall(SYS_recvmsg, fd, &message, MSG_CMSG_CLOEXEC);

	*fd_count = 0;
	for (struct cmsghdr *at = got > 0 ? CMSG_FIRSTHDR(&message) : NULL; at != NULL;
	     at = CMSG_NXTHDR(&message, at)) {
		if (at->cmsg_type != SCM_RIGHTS)
			continue;
		*fd_count = (uint32_t)((at->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(at), *fd_count * sizeof(int));
	}
	return got;
}

/* What came ahead of requests.  False: hung up. */
static bool
lane_read(struct fake_lane *lane)
{
	struct lane_message message;
	uint32_t fd_count;
	int fds[8];
	ssize_t size;

	while ((size = hear(lane->fd, &message, sizeof(message), fds, &fd_count)) > 0) {
		if (message.head.kind != LANE_FDS || fd_count > 2)
			give_up("a message on the lane");
		memcpy(lane->fds[message.slot_index], fds, sizeof(lane->fds[0]));
		lane->fd_counts[message.slot_index] = fd_count;
	}
	return size < 0;
}

static void *
lane_thread(void *argument)
{
	struct fake_lane *lane = argument;
	struct pollfd ends[] = { { .fd = lane->fd, .events = POLLIN },
				 { .fd = lane->bell_fd, .events = POLLIN } };
	bool is_there = true;

	while (is_there) {
		uint64_t count;

		poll(ends, 2, -1);
		if (ends[1].revents != 0 && read(lane->bell_fd, &count, sizeof(count)) < 0)
			give_up("the bell");
		uint64_t bells = atomic_exchange(&lane->memory->bell.bells, 0);
		is_there = lane_read(lane);
		for (uint32_t i = 0; i < LANE_SLOTS; i++)
			if ((bells >> i & 1) != 0)
				call_start(lane, i);
	}
	close(lane->fd);
	fake->lane_count--;
	return NULL;
}

static void
lane_start(int fd)
{
	struct fake_lane *lane = calloc(1, sizeof(*lane));
	int memory_fd = memfd_create("fake lane", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct lane_message text = { { LANE_WELCOME, sizeof(text) }, LANE_VERSION, 0 };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(3 * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec part = { &text, sizeof(text) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	pthread_t thread;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	lane->fd = fd;
	lane->bell_fd = eventfd(0, EFD_CLOEXEC);
	if (ftruncate(memory_fd, sizeof(*lane->memory)) != 0)
		give_up("memory");
	lane->memory =
	    mmap(NULL, sizeof(*lane->memory), PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	lane->memory->bell.host_sleeps = 1;
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(3 * sizeof(int));
	memcpy(CMSG_DATA(&control.align), (int[3]){ memory_fd, lane->bell_fd, alive_fd },
	       3 * sizeof(int));
	fake->lane_count++;
	sendmsg(fd, &message, MSG_NOSIGNAL);
	close(memory_fd);
	if (pthread_create(&thread, NULL, lane_thread, lane) != 0)
		give_up("thread");
	pthread_detach(thread);
}

/* ---- the kernel -------------------------------------------------------------------------- */

/* One request; lanes that come meanwhile are taken.  The error. */
static int
kernel_ask(uint32_t operation, const uint64_t args[5], const void *payload, size_t size,
	   uint64_t values[2])
{
	static uint32_t sequence;
	union {
		struct wire_kext_request request;
		struct wire_kext_answer answer;
		uint8_t bytes[2048];
	} text = { .bytes = { 0 } };
	uint32_t fd_count;
	int fds[8];

	text.request.head.kind = WIRE_KEXT_REQUEST;
	text.request.head.size_bytes = (uint32_t)(sizeof(text.request) + size);
	text.request.sequence = ++sequence;
	text.request.operation = operation;
	memcpy(text.request.args, args, sizeof(text.request.args));
	if (size > 0)
		memcpy(text.bytes + sizeof(text.request), payload, size);
	if (send(kernel_fd, &text, text.request.head.size_bytes, MSG_NOSIGNAL) < 0)
		give_up("request");
	for (;;) {
		if (hear(kernel_fd, &text, sizeof(text), fds, &fd_count) <= 0)
			give_up("answer");
		if (text.answer.head.kind == WIRE_KEXT_LANE)
			lane_start(fds[0]);
		else
			break;
	}
	memcpy(values, text.answer.values, sizeof(text.answer.values));
	return text.answer.error;
}

static int
do_request(uint32_t request)
{
	struct wire_ctl_record record = { .name = FAKE_NAME, .sendsize = FAKE_SENDSIZE };
	uint64_t values[2], args[5] = { 0 };
	int error;

	switch (request) {
	case FAKE_REGISTER:
		error = kernel_ask(WIRE_CTL_REGISTER, args, &record, sizeof(record), values);
		fake->control_ref = values[0];
		fake->control_id = (uint32_t)values[1];
		return error;
	case FAKE_DEREGISTER:
		args[0] = fake->control_ref;
		return kernel_ask(WIRE_CTL_DEREGISTER, args, NULL, 0, values);
	case FAKE_VENDOR:
		args[0] = WIRE_VENDOR_EVENT;
		error =
		    kernel_ask(WIRE_KEV_VENDOR, args, fake->event_data, fake->event_size, values);
		fake->event[0] = (uint32_t)values[0];
		return error;
	default:
		for (int i = 0; i < 4; i++)
			args[i] = fake->event[i];
		return kernel_ask(WIRE_KEV_POST, args, fake->event_data, fake->event_size, values);
	}
}

static _Noreturn void
fake_main(void)
{
	struct wire_kext_host hello = { { WIRE_KEXT_HOST, sizeof(hello) }, WIRE_VERSION, 0 };
	struct wire_kext_welcome welcome;
	char why[512];
	uint32_t fd_count;
	int fds[8];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct kernel_page *alive;
	alive_fd = alive_page_new(&alive);
	kernel_fd = berth_kernel_connect(0, why, sizeof(why));
	if (alive_fd < 0 || alive_page_begin(alive) != 0 || kernel_fd < 0 ||
	    send(kernel_fd, &hello, sizeof(hello), MSG_NOSIGNAL) < 0 ||
	    hear(kernel_fd, &welcome, sizeof(welcome), fds, &fd_count) != sizeof(welcome) ||
	    welcome.head.kind != WIRE_KEXT_WELCOME)
		give_up("hello");
	host_id = welcome.host_id;
	for (;;) {
		struct pollfd kernel = { .fd = kernel_fd, .events = POLLIN };
		union {
			struct wire_head head;
			uint8_t bytes[2048];
		} text;

		if (poll(&kernel, 1, 1) > 0) {
			if (hear(kernel_fd, &text, sizeof(text), fds, &fd_count) <= 0)
				give_up("the kernel");
			if (text.head.kind == WIRE_KEXT_LANE)
				lane_start(fds[0]);
		}
		uint32_t request = atomic_exchange(&fake->request, 0);
		if (request != 0)
			fake->answer = (uint32_t)do_request(request) + 1;
	}
}

/* ---- in the test ------------------------------------------------------------------------- */

void
fake_await(const _Atomic uint32_t *counter, uint32_t value)
{
	for (int i = 0; i < 60000 && atomic_load(counter) < value; i++)
		usleep(1000);
	assert_true(atomic_load(counter) >= value);
}

int
fake_do(struct fake *shared, enum fake_request request)
{
	shared->answer = 0;
	shared->request = request;
	fake_await(&shared->answer, 1);
	return (int)shared->answer - 1;
}

struct fake *
fake_start(pid_t *pid)
{
	struct fake *shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(shared, MAP_FAILED);
	*pid = fork();
	if (*pid == 0) {
		fake = shared;
		fake_main();
	}
	assert_true(*pid > 0);
	assert_int_equal(fake_do(shared, FAKE_REGISTER), 0);
	return shared;
}

void
fake_end(struct fake *shared, pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	munmap(shared, sizeof(*shared));
}
