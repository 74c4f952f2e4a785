/*
 * Fuzzing of what a kexthost reads from programs: any bytes as requests in the slots of a lane,
 * with any descriptors.  The control server runs in this process, without a kernel; its kext
 * believes the contract, and ends the program when it is called against it.
 */
#ifndef KERNEL
#define KERNEL 1
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/kern_control.h>
#include <sys/kpi_mbuf.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "kexts/host/kernel_link.h"
#include "kexts/host/kext_host.h"
#include "wire/lane.h"

#define PATIENCE_MS 60000
#define CONTROLS 3u
#define ALIVE 0x616c6976u
#define REQUESTS_MAX 64u

/* ---- a kernel that knows nothing ------------------------------------------------------ */

static int page_fd = -1;

int
kernel_link_start(int socket_fd, const struct kernel_link_handlers *handlers, uint32_t *host_id,
		  char *why, size_t why_size)
{
	(void)socket_fd, (void)handlers, (void)host_id, (void)why, (void)why_size;
	return -ENOSYS;
}

int
kernel_link_page_fd(void)
{
	return page_fd;
}

int
kernel_link_request(uint32_t operation, const uint64_t args[5], const void *payload,
		    size_t payload_size, uint64_t values[2], void *out, size_t out_size)
{
	static _Atomic uint32_t id;

	(void)args, (void)payload, (void)payload_size, (void)out, (void)out_size;
	if (operation == WIRE_CTL_REGISTER) {
		values[0] = values[1] = ++id;
	}
	return 0;
}

void
kernel_link_says(uint32_t sequence, const void *text, size_t size)
{
	(void)sequence, (void)text, (void)size;
}

void
kernel_link_done(uint32_t sequence, int32_t result, const char *why)
{
	(void)sequence, (void)result, (void)why;
}

/* ---- a kext that believes the contract ------------------------------------------------ */

struct client {
	uint32_t alive, unit;
};

static _Atomic uint32_t client_count;

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static struct client *
client_of(void *unitinfo, u_int32_t unit)
{
	struct client *client = unitinfo;

	must(client != NULL && client->alive == ALIVE && client->unit == unit);
	return client;
}

static errno_t
fuzz_connect(kern_ctl_ref ref, struct sockaddr_ctl *sac, void **unitinfo)
{
	(void)ref;
	must(*unitinfo == NULL);
	if (sac->sc_reserved[0] % 4 == 3)
		return EACCES;
	struct client *client = malloc(sizeof(*client));
	must(client != NULL);
	*client = (struct client){ ALIVE, sac->sc_unit };
	*unitinfo = client;
	client_count++;
	return 0;
}

static errno_t
fuzz_disconnect(kern_ctl_ref ref, u_int32_t unit, void *unitinfo)
{
	(void)ref;
	if (unitinfo == NULL)
		return 0; /* was refused */
	struct client *client = client_of(unitinfo, unit);
	client->alive = 0;
	free(client);
	client_count--;
	return 0;
}

static errno_t
fuzz_send(kern_ctl_ref ref, u_int32_t unit, void *unitinfo, mbuf_t m, int flags)
{
	(void)flags;
	client_of(unitinfo, unit);
	errno_t error = ctl_enqueuembuf(ref, unit, m, CTL_DATA_EOR);
	if (error != 0)
		mbuf_freem(m);
	return error;
}

static errno_t
fuzz_setopt(kern_ctl_ref ref, u_int32_t unit, void *unitinfo, int option, void *data, size_t size)
{
	(void)option, (void)unitinfo;
	must((data == NULL) == (size == 0));
	return size > 0 ? ctl_enqueuedata(ref, unit, data, size, 0) : 0;
}

static errno_t
fuzz_getopt(kern_ctl_ref ref, u_int32_t unit, void *unitinfo, int option, void *data, size_t *size)
{
	(void)ref, (void)unit, (void)unitinfo;
	must(data != NULL || *size == 0);
	if (data != NULL)
		memset(data, option, *size);
	if (option == 201)
		*size += 5; /* is cut */
	return 0;
}

static void
fuzz_rcvd(kern_ctl_ref ref, u_int32_t unit, void *unitinfo, int flags)
{
	(void)ref, (void)flags;
	client_of(unitinfo, unit);
}

static void
start(void)
{
	char folder[] = "/tmp/berth-fuzz-XXXXXX";

	page_fd = memfd_create("fuzz page", MFD_CLOEXEC);
	must(page_fd >= 0 && mkdtemp(folder) != NULL);
	must(control_server_start(1, folder) == 0 && rmdir(folder) == 0);
	for (uint32_t i = 0; i < CONTROLS; i++) {
		struct kern_ctl_reg reg = {
			.ctl_flags = CTL_FLAG_REG_EXTENDED |
				     (i == 1 ? (u_int32_t)CTL_FLAG_REG_SOCK_STREAM : 0u),
			.ctl_sendsize = 70000,
			.ctl_recvsize = 200000,
			.ctl_connect = fuzz_connect,
			.ctl_disconnect = fuzz_disconnect,
			.ctl_send = fuzz_send,
			.ctl_setopt = fuzz_setopt,
			.ctl_getopt = fuzz_getopt,
			.ctl_rcvd = fuzz_rcvd,
		};
		kern_ctl_ref ref;

		snprintf(reg.ctl_name, sizeof(reg.ctl_name), "fuzz.%u", i);
		must(ctl_register(&reg, &ref) == 0);
	}
}

/* ---- a program ------------------------------------------------------------------------ */

struct program {
	int socket_fd, event_fd;
	struct lane_memory *memory;
	int fds[4]; /* control sockets */
	uint64_t handles[4];
};

static void
message_send(struct program *program, uint32_t slot_index, const int *fds, unsigned fd_count)
{
	struct lane_message text = { .head = { LANE_FDS, sizeof(text) }, .slot_index = slot_index };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec part = { &text, sizeof(text) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd_count > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, fd_count * sizeof(int));
	}
	(void)!sendmsg(program->socket_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
welcome_take(struct program *program)
{
	struct lane_message text;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(3 * sizeof(int))];
	} control;
	struct iovec part = { &text, sizeof(text) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof(control.bytes) };
	int fds[3];

	must(recvmsg(program->socket_fd, &message, MSG_CMSG_CLOEXEC) == sizeof(text));
	must(control.align.cmsg_len == CMSG_LEN(sizeof(fds)));
	memcpy(fds, CMSG_DATA(&control.align), sizeof(fds));
	program->memory =
	    mmap(NULL, sizeof(*program->memory), PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	must(program->memory != MAP_FAILED);
	program->event_fd = fds[1];
	close(fds[0]);
	close(fds[2]);
}

static void
pause_us(unsigned us)
{
	nanosleep(&(struct timespec){ 0, us * 1000L }, NULL);
}

/* Each request is 16 bytes: operation, slot, flags and descriptor, socket, then numbers. */
static void
request_run(struct program *program, const uint8_t *bytes)
{
	static const uint32_t sizes[] = {
		0, 1, 16, 32, 100, LANE_DATA_SIZE, LANE_DATA_SIZE + 1, LANE_DATA_MAX + 1
	};
	uint32_t slot_index = bytes[1] % LANE_SLOTS, number;
	struct lane_slot *slot = &program->memory->slots[slot_index];
	int which = bytes[3] % 4, fds[2] = { program->fds[which], -1 };
	struct sockaddr_ctl address = { .sc_id = bytes[8] % (CONTROLS + 2),
					.sc_unit = bytes[9] % 8 };
	uint64_t one = 1;

	memcpy(&number, bytes + 4, sizeof(number));
	struct lane_request request = {
		.operation = bytes[0] % 16,
		.flags = bytes[2] & 1,
		.size_bytes = bytes[10] & 0x80 ? number : sizes[bytes[10] % 8],
		.args = { program->handles[which], bytes[11], bytes[12], number % 300000 },
	};
	if (request.operation <= LANE_ADOPT)
		request.args[0] = bytes[12] & 0x80 ? number : sizeof(address);
	else if (bytes[12] == 0xff)
		request.args[0] = number;
	address.sc_reserved[0] = bytes[13];
	memcpy(slot->data, &address, sizeof(address));
	if (request.flags & LANE_IN_MEMFD) {
		fds[1] = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		must(fds[1] >= 0 && ftruncate(fds[1], number % 200000) == 0);
	}
	bool shows = request.operation <= LANE_ADOPT;
	switch (bytes[2] >> 1 & 7) {
	case 0: /* what it should not be */
		message_send(program, slot_index, &program->event_fd, 1);
		break;
	case 1: /* none */
		break;
	default:
		if (shows || fds[1] >= 0)
			message_send(program, slot_index, shows ? fds : fds + 1,
				     (unsigned)shows + (fds[1] >= 0));
		break;
	}
	if (fds[1] >= 0)
		close(fds[1]);
	slot->request = request;
	atomic_store(&slot->state, LANE_ASKED);
	lane_ring(&program->memory->bell, slot_index);
	(void)!write(program->event_fd, &one, sizeof(one));
	/* most are waited for; some overlap with what comes next */
	for (unsigned i = 0; bytes[14] % 4 != 0 && atomic_load(&slot->state) != LANE_DONE; i++) {
		must(i < PATIENCE_MS * 50);
		pause_us(20);
	}
	if (shows && atomic_load(&slot->state) == LANE_DONE && slot->reply.values[LANE_HANDLE] != 0)
		program->handles[which] = slot->reply.values[LANE_HANDLE];
	uint8_t text[256];
	while (recv(program->fds[which], text, sizeof(text), MSG_DONTWAIT) > 0)
		continue;
	if (bytes[15] % 16 == 0) {
		close(program->fds[which]);
		program->fds[which] = socket(
		    AF_UNIX, (bytes[15] & 16 ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static bool is_started;
	struct wire_kext_lane from = { .pid = getpid(), .euid = 1 };
	struct program program = { .socket_fd = -1 };
	int ends[2];

	if (!is_started)
		start();
	is_started = true;
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	control_server_lane(&from, ends[0]);
	program.socket_fd = ends[1];
	welcome_take(&program);
	for (int i = 0; i < 4; i++)
		program.fds[i] =
		    socket(AF_UNIX, (i == 3 ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0);
	if (size > 16 * REQUESTS_MAX)
		size = 16 * REQUESTS_MAX;
	for (size_t at = 0; at + 16 <= size; at += 16)
		request_run(&program, bytes + at);
	for (int i = 0; i < 4; i++)
		close(program.fds[i]);
	munmap(program.memory, sizeof(*program.memory));
	close(program.event_fd);
	close(program.socket_fd);
	/* each that was connected is disconnected */
	for (unsigned i = 0; client_count > 0; i++) {
		must(i < PATIENCE_MS * 10);
		pause_us(100);
	}
	return 0;
}
