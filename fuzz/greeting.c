/*
 * Fuzzing of what berthd reads from its sockets: a host with a kernel in this process, and
 * connections of every kind that say anything, with any descriptors.  What they are answered
 * is taken, so that a connection can become a task, ask for slots, fork, and scribble in its
 * slots.  After each run the host ends, and no descriptor may be left.
 *
 * A step: a byte for what is done and by which connection.  A message: its kind, its size and
 * how many descriptors, then its words: a byte, or four behind a byte above 127.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "fuzz/input.h"
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/tools.h"
#include "wire/kext.h"

#define PEERS 4u
#define STEPS_MAX 48u
#define MESSAGE_MAX 2048u
#define DESCRIPTORS_LOOKED_AT 256
#define SEGMENT_BYTES                                                                              \
	(sizeof(struct doorbell) + (size_t)TRAP_SEGMENT_SLOTS * sizeof(struct trap_slot))

static _Noreturn void
broken(const char *what, int line)
{
	printf("fuzz/greeting.c:%d: not so: %s\n", line, what);
	fflush(stdout);
	abort();
}

#define must(holds) ((holds) ? (void)0 : broken(#holds, __LINE__))

/* ---- the host, as main.c makes it ------------------------------------------------------ */

static struct host host;
static int listen_fd;
static struct sockaddr_un address;
static socklen_t address_size;

static void *
heap_alloc(void *context, size_t size_bytes)
{
	return malloc(size_bytes);
}

static void
heap_free(void *context, void *memory, size_t size_bytes)
{
	free(memory);
}

static void
host_begin(uint8_t how)
{
	struct kernel_config config = { .heap = { .alloc = heap_alloc, .free = heap_free },
					.random_seed = 1,
					.facts = { .page_bytes = 4096, .cpu_count = 1 } };
	const size_t behind = offsetof(struct host, closer) + sizeof(host.closer);
	int fd;

	/* all but the closer, whose threads serve all hosts */
	memset(&host, 0, offsetof(struct host, closer));
	memset((uint8_t *)&host + behind, 0, sizeof(host) - behind);
	host.options = (struct options){ .mode = how & 1 ? MODE_SYSTEM : MODE_PRIVATE,
					 .control_fd = -1,
					 .owner_uid = how & 2 ? geteuid() + 1 : geteuid(),
					 .leaks = how & 4,
					 .strict = how & 8,
					 .idle_exit_seconds = -1 };
	host.leaks_on = host.options.leaks;
	TAILQ_INIT(&host.peers);
	TAILQ_INIT(&host.commands);
	LIST_INIT(&host.file_owners);
	kext_log_init(&host);
	event_sockets_init(&host);
	for (uint32_t i = 0; i < PID_BUCKETS; i++)
		TAILQ_INIT(&host.by_pid[i]);
	host.deadline_ns = host.retry_ns = host.accept_ns = UINT64_MAX;
	host.idle_since_ns = host.first.again_ns = UINT64_MAX;
	host.now_ns = wait_now_ns();
	host.lock_fd = host.page_fd = -1;
	host.descriptor_limit = 1024;
	host.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	host.reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	host.kernel = kernel_new(&config);
	must(host.epoll_fd >= 0 && host.reserve_fd >= 0 && host.kernel != NULL);
	must(kernel_page_new(&host) == 0);
	source_init(&host.signals, SOURCE_SIGNAL, &host, NULL);
	source_init(&host.listener, SOURCE_LISTEN, &host, NULL);
	fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 3);
	must(fd >= 0 && source_open(&host.listener, fd, EPOLLIN) == 0);
}

static void
host_rounds(void)
{
	for (int i = 0; i < 8; i++) {
		bool worked = host_look_at_sockets(&host) > 0;

		worked |= hot_poll(&host);
		host_settle(&host);
		if (!worked)
			break;
	}
}

/* Descriptors that are handed to threads to be closed are closed when this returns. */
static void
closer_finish(void)
{
	bool busy = true;

	while (busy) {
		pthread_mutex_lock(&host.closer.lock);
		busy = host.closer.waiting_count > 0 || !TAILQ_EMPTY(&host.closer.running);
		pthread_mutex_unlock(&host.closer.lock);
		if (busy)
			poll(NULL, 0, 1);
	}
}

static void
host_finish(void)
{
	struct peer *peer;

	host.ending = true;
	source_close(&host.listener);
	TAILQ_FOREACH(peer, &host.peers, link)
	peer_end(peer);
	while ((peer = TAILQ_FIRST(&host.peers)) != NULL)
		peer_free(peer);
	must(host.peer_count == 0 && host.task_count == 0 && host.waiting_count == 0);
	kernel_page_end(&host);
	event_sockets_end(&host);
	kext_log_deinit(&host);
	kernel_audit(host.kernel);
	host.kernel = kernel_free(host.kernel);
	leaks_free(&host);
	close(host.epoll_fd);
	if (host.reserve_fd >= 0)
		close(host.reserve_fd);
	free(host.scratch);
	closer_finish();
}

/* ---- the other side -------------------------------------------------------------------- */

static struct side {
	int fd;      /* -1: none */
	int bell_fd; /* of a task */
	uint8_t *segment;
} sides[PEERS];

static void
side_close(struct side *side)
{
	if (side->fd >= 0)
		close(side->fd);
	if (side->bell_fd >= 0)
		close(side->bell_fd);
	if (side->segment != NULL)
		munmap(side->segment, SEGMENT_BYTES);
	*side = (struct side){ .fd = -1, .bell_fd = -1 };
}

static void
side_open(struct side *side)
{
	side_close(side);
	side->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	must(side->fd >= 0);
	/* a backlog that is full says so */
	if (connect(side->fd, (struct sockaddr *)&address, address_size) != 0)
		side_close(side);
}

/* Take what came with an answer, as the library does. */
static void
take_descriptors(struct side *side, uint32_t kind, int *fds, uint32_t count)
{
	if (kind == WIRE_WELCOME && count == 3 && side->segment == NULL) {
		void *memory =
		    mmap(NULL, SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);

		must(memory != MAP_FAILED);
		side->segment = memory;
		side->bell_fd = fds[2];
		fds[2] = -1;
	} else if (kind == WIRE_CHILD && count == 1) {
		for (uint32_t i = 0; i < PEERS; i++) {
			if (sides[i].fd >= 0)
				continue;
			sides[i].fd = fds[0];
			fcntl(fds[0], F_SETFL, O_NONBLOCK);
			fds[0] = -1;
			break;
		}
	}
	for (uint32_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void
take_answers(struct side *side)
{
	union {
		struct wire_head head;
		uint8_t bytes[WIRE_MESSAGE_MAX];
	} answer;
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_PER_MESSAGE)];
	} control;

	while (side->fd >= 0) {
		struct iovec vector = { .iov_base = &answer, .iov_len = sizeof(answer) };
		struct msghdr message = { .msg_iov = &vector,
					  .msg_iovlen = 1,
					  .msg_control = control.bytes,
					  .msg_controllen = sizeof(control.bytes) };
		ssize_t n = recvmsg(side->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		int fds[DESCRIPTORS_PER_MESSAGE];
		uint32_t count = 0;

		if (n <= 0)
			return;
		must((size_t)n >= sizeof(answer.head) && answer.head.size_bytes == (size_t)n);
		struct cmsghdr *part = CMSG_FIRSTHDR(&message);
		if (part != NULL && part->cmsg_type == SCM_RIGHTS) {
			count = (uint32_t)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(fds, CMSG_DATA(part), count * sizeof(int));
		}
		take_descriptors(side, answer.head.kind, fds, count);
	}
}

/* ---- messages -------------------------------------------------------------------------- */

/* A word: small, or noise. */
static uint32_t
some_word(struct input *input)
{
	uint8_t how = take_byte(input);

	return how < 128 ? how : how == 255 ? UINT32_MAX : (uint32_t)take_word(input, 4);
}

static int
some_descriptor(struct input *input)
{
	uint8_t what = take_byte(input);
	int fd, ends[2];

	switch (what % 5) {
	case 0: /* bulk memory, or nearly */
		fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		must(fd >= 0 && ftruncate(fd, (what >> 4) * 2048) == 0);
		if (what & 8)
			fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
		return fd;
	case 1:
		must(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
		close(ends[what >> 7]);
		return ends[!(what >> 7)];
	case 2:
		must(socketpair(AF_UNIX, (what & 16 ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC,
				0, ends) == 0);
		close(ends[0]);
		return ends[1];
	case 3:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	default:
		return fcntl(listen_fd, F_DUPFD_CLOEXEC, 3);
	}
}

static uint32_t
some_kind(uint8_t how)
{
	static const uint8_t kinds[] = {
		WIRE_HELLO,        WIRE_THREAD,      WIRE_THREAD_EXIT,     WIRE_RING,
		WIRE_FORK,         WIRE_CREDENTIALS, WIRE_FORKED,          WIRE_WAKER,
		WIRE_SYSTEM,       WIRE_INSPECT,     WIRE_TRACE,           WIRE_CONTROL,
		WIRE_KEXT_COMMAND, WIRE_KEXT_HOST,   WIRE_KEXT_SUPERVISOR, WIRE_KEXT_REQUEST,
		WIRE_KEXT_SAYS,    WIRE_KEXT_DONE,   WIRE_KEXT_LOG,
	};

	return how < 240 ? kinds[how % sizeof(kinds)] : how;
}

/* What each kind has, so that a size of 0 in the input is the right one. */
static uint32_t
usual_size(uint32_t kind)
{
	switch (kind) {
	case WIRE_HELLO:
		return sizeof(struct wire_hello);
	case WIRE_THREAD:
	case WIRE_THREAD_EXIT:
	case WIRE_RING:
	case WIRE_WAKER:
		return sizeof(struct wire_thread);
	case WIRE_SYSTEM:
		return sizeof(struct wire_system);
	case WIRE_INSPECT:
	case WIRE_TRACE:
		return sizeof(struct wire_inspect);
	case WIRE_CONTROL:
		return sizeof(struct wire_control);
	case WIRE_KEXT_COMMAND:
		return sizeof(struct wire_kext_command_message) + 32;
	case WIRE_KEXT_HOST:
	case WIRE_KEXT_SUPERVISOR:
		return sizeof(struct wire_kext_host);
	case WIRE_KEXT_REQUEST:
		return sizeof(struct wire_kext_request) + sizeof(struct wire_kext_record);
	case WIRE_KEXT_SAYS:
		return sizeof(struct wire_kext_says) + 8;
	case WIRE_KEXT_DONE:
		return sizeof(struct wire_kext_done);
	default:
		return sizeof(struct wire_head);
	}
}

static void
side_say(struct side *side, struct input *input)
{
	static _Alignas(8) uint32_t words[MESSAGE_MAX / 4];
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_PER_MESSAGE)];
	} control = { 0 };
	struct wire_head head = { .kind = some_kind(take_byte(input)) };
	uint8_t size = take_byte(input), count = take_byte(input), told = take_byte(input);
	int fds[DESCRIPTORS_PER_MESSAGE];
	struct iovec vector = { .iov_base = words };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

	head.size_bytes = size == 0 ? usual_size(head.kind) : size * (MESSAGE_MAX / 256);
	vector.iov_len = head.size_bytes;
	for (uint32_t i = 2; i < (head.size_bytes + 3) / 4; i++)
		words[i] = some_word(input);
	if (told == 255)
		head.size_bytes = some_word(input);
	memcpy(words, &head, sizeof(head));
	count = count < 128 ? count % 3 : count % (DESCRIPTORS_PER_MESSAGE + 1);
	for (uint8_t i = 0; i < count; i++)
		must((fds[i] = some_descriptor(input)) >= 0);
	if (count > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * count);
	}
	(void)!sendmsg(side->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	for (uint8_t i = 0; i < count; i++)
		close(fds[i]);
}

/* Ask in a slot, and ring or not. */
static void
side_ask(struct side *side, struct input *input)
{
	struct doorbell *bell = (void *)side->segment;
	uint8_t index = take_byte(input), how = take_byte(input);
	struct trap_slot *slot =
	    (struct trap_slot *)(void *)(side->segment + sizeof(*bell)) + index % 4;

	slot->request.number = take_byte(input);
	slot->request.flags = how & 1 ? take_byte(input) : 0;
	slot->request.stream_size_bytes = some_word(input);
	slot->request.prefix_size_bytes = some_word(input);
	slot->request.piece_count = how & 2 ? some_word(input) : 0;
	for (uint32_t i = 0; i < TRAP_ARG_COUNT; i++)
		slot->request.args[i] = some_word(input);
	for (uint32_t i = 0; i < 64; i += 4) {
		uint32_t word = some_word(input);

		memcpy(slot->data + i, &word, sizeof(word));
	}
	atomic_store(&slot->cancel, how >> 2 & 1);
	atomic_store(&slot->task_sleeps, how >> 3 & 3);
	atomic_store(&slot->state, how & 32 ? take_byte(input) : (uint32_t)TRAP_ASKED);
	if (doorbell_ring(bell, how & 64 ? index : index % 4) || how & 128)
		(void)!write(side->bell_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
}

static void
step(struct input *input)
{
	uint8_t what = take_byte(input);
	struct side *side = &sides[what % PEERS];

	switch (what / PEERS % 8) {
	case 0:
		side_open(side);
		break;
	case 1:
		side_close(side);
		break;
	case 2:
	case 3:
		if (side->segment != NULL)
			side_ask(side, input);
		break;
	default:
		if (side->fd < 0)
			side_open(side);
		if (side->fd >= 0)
			side_say(side, input);
		break;
	}
}

/* ---- a run ----------------------------------------------------------------------------- */

static int
count_descriptors(void)
{
	struct pollfd all[DESCRIPTORS_LOOKED_AT];
	int count = DESCRIPTORS_LOOKED_AT;

	for (int i = 0; i < DESCRIPTORS_LOOKED_AT; i++)
		all[i] = (struct pollfd){ .fd = i };
	poll(all, DESCRIPTORS_LOOKED_AT, 0);
	for (int i = 0; i < DESCRIPTORS_LOOKED_AT; i++)
		count -= (all[i].revents & POLLNVAL) != 0;
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, bytes + size };
	int before = count_descriptors();

	host_begin(take_byte(&input));
	for (uint32_t i = 0; i < PEERS; i++)
		sides[i] = (struct side){ .fd = -1, .bell_fd = -1 };
	for (uint32_t i = 0; input.at < input.end && i < STEPS_MAX; i++) {
		step(&input);
		host_rounds();
		for (uint32_t j = 0; j < PEERS; j++)
			take_answers(&sides[j]);
		kernel_audit(host.kernel);
	}
	for (uint32_t i = 0; i < PEERS; i++)
		side_close(&sides[i]);
	host_rounds();
	host_finish();
	must(count_descriptors() == before);
	return 0;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int on = 1;

	stderr = fopen("/dev/null", "we"); /* what is told of peers */
	must(stderr != NULL);
	closer_init(&host.closer);
	/* an address without a name, which Linux chooses */
	address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	address_size = sizeof(address);
	listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	must(listen_fd >= 0);
	must(bind(listen_fd, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
	must(listen(listen_fd, SOMAXCONN) == 0);
	must(getsockname(listen_fd, (struct sockaddr *)&address, &address_size) == 0);
	must(setsockopt(listen_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	return 0;
}
