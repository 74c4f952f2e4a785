/* A task made by hand: see raw_task.h. */
#include "tests/daemon/raw_task.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SEGMENT_BYTES ((size_t)TRAP_SLOT_SIZE * TRAP_SEGMENT_SLOTS)
#define END_MS 20000

/* ---- the kernel -------------------------------------------------------------------- */

/* The folders of kernels that a failed test has not ended; berthd ends with us by itself. */
static struct {
	pid_t made_by;
	char folders[32][64];
} left;

static void
remove_left(void)
{
	char path[96];

	if (left.made_by != getpid())
		return;
	for (unsigned i = 0; i < sizeof(left.folders) / sizeof(left.folders[0]); i++) {
		if (left.folders[i][0] == '\0')
			continue;
		snprintf(path, sizeof(path), "%s/kernel", left.folders[i]);
		unlink(path);
		rmdir(left.folders[i]);
	}
}

/* Puts @to in the place of @from; an empty text is a free place. */
static void
left_change(const char *from, const char *to)
{
	if (left.made_by != getpid()) {
		memset(&left, 0, sizeof(left)); /* a child's: its parent's are not its own */
		left.made_by = getpid();
		atexit(remove_left);
	}
	for (unsigned i = 0; i < sizeof(left.folders) / sizeof(left.folders[0]); i++) {
		if (strcmp(left.folders[i], from) == 0) {
			snprintf(left.folders[i], sizeof(left.folders[i]), "%s", to);
			return;
		}
	}
}

struct raw_kernel
raw_kernel_start(const char *const *options)
{
	struct raw_kernel kernel = { 0 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *program = getenv("BERTHD");
	int listener, control[2];

	assert_non_null(program);
	strcpy(kernel.folder, "/tmp/berth-raw-XXXXXX");
	assert_non_null(mkdtemp(kernel.folder));
	left_change("", kernel.folder);
	snprintf(kernel.path, sizeof(kernel.path), "%s/kernel", kernel.folder);
	strcpy(address.sun_path, kernel.path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, SOMAXCONN), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
	kernel.pid = fork();
	assert_true(kernel.pid >= 0);
	if (kernel.pid == 0) {
		char listen_text[16], control_text[16];
		const char *argv[16] = { program,        "--listen-fd", listen_text,
					 "--control-fd", control_text,  "--no-launchd" };
		unsigned count = 6;

		snprintf(listen_text, sizeof(listen_text), "%d", listener);
		snprintf(control_text, sizeof(control_text), "%d", control[1]);
		fcntl(listener, F_SETFD, 0);
		fcntl(control[1], F_SETFD, 0);
		while (options != NULL && *options != NULL && count < 15)
			argv[count++] = *options++;
		execv(program, (char **)(uintptr_t)argv);
		_exit(127);
	}
	close(listener);
	close(control[1]);
	kernel.control_fd = control[0];
	return kernel;
}

/* Its status, once it has ended. */
static int
kernel_end(struct raw_kernel *kernel)
{
	uint64_t limit_ns = wait_now_ns() + END_MS * 1000000ull;
	int status = 0;
	pid_t pid;

	close(kernel->control_fd);
	while ((pid = waitpid(kernel->pid, &status, WNOHANG)) == 0 && wait_now_ns() < limit_ns)
		poll(NULL, 0, 2);
	if (pid == 0) {
		kill(kernel->pid, SIGKILL);
		waitpid(kernel->pid, NULL, 0);
	}
	unlink(kernel->path);
	rmdir(kernel->folder);
	left_change(kernel->folder, "");
	assert_int_equal(pid, kernel->pid);
	return status;
}

void
raw_kernel_end(struct raw_kernel *kernel)
{
	int status = kernel_end(kernel);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

void
raw_kernel_killed(struct raw_kernel *kernel)
{
	int status = kernel_end(kernel);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

unsigned
raw_kernel_descriptors(const struct raw_kernel *kernel)
{
	char path[64];
	unsigned count = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)kernel->pid);
	folder = opendir(path);
	if (folder == NULL)
		return 0; /* not ours to look at */
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

/* ---- the socket -------------------------------------------------------------------- */

int
raw_connect(const struct raw_kernel *kernel)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, kernel->path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

void
raw_send(int fd, const void *message, size_t size, const int *fds, unsigned fd_count)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int) * 253)];
	} control = { .bytes = { 0 } };
	struct iovec vector = { .iov_base = (void *)(uintptr_t)message, .iov_len = size };
	struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };

	if (fd_count > 0) {
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fd_count);
	}
	/* who is dropped for what he says may find his connection closed */
	ssize_t n = sendmsg(fd, &header, MSG_NOSIGNAL);

	(void)n;
}

ssize_t
raw_receive(int fd, void *message, size_t size, int *fds, unsigned *fd_count)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int) * 8)];
	} control;
	struct iovec vector = { .iov_base = message, .iov_len = size };
	struct msghdr header = { .msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);

	*fd_count = 0;
	if (n < 0)
		return errno == ECONNRESET ? 0 : n;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header); cmsg != NULL;
	     cmsg = CMSG_NXTHDR(&header, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		*fd_count = (unsigned)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(cmsg), *fd_count * sizeof(int));
	}
	return n;
}

/* ---- the task ---------------------------------------------------------------------- */

struct raw_task
raw_task_greet(int fd, uint32_t kind)
{
	struct raw_task task = { .socket_fd = fd };
	struct wire_hello hello = { .head = { kind, sizeof(hello) }, .version = WIRE_VERSION };
	unsigned fd_count;
	int fds[8];

	if (kind == WIRE_FORKED)
		hello.head.size_bytes = sizeof(hello.head);
	raw_send(fd, &hello, hello.head.size_bytes, NULL, 0);
	ssize_t n = raw_receive(fd, &task.welcome, sizeof(task.welcome), fds, &fd_count);

	assert_int_equal(n, sizeof(task.welcome));
	assert_int_equal(task.welcome.head.kind, WIRE_WELCOME);
	assert_int_equal(fd_count, 3);
	uint8_t *memory = mmap(NULL, sizeof(struct doorbell) + SEGMENT_BYTES,
			       PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	task.doorbell = (struct doorbell *)(void *)memory;
	task.segments[0] = (struct trap_slot *)(void *)(memory + sizeof(struct doorbell));
	task.page = mmap(NULL, sizeof(*task.page), PROT_READ, MAP_SHARED, fds[1], 0);
	assert_ptr_not_equal(task.page, MAP_FAILED);
	task.event_fd = fds[2];
	close(fds[0]);
	close(fds[1]);
	return task;
}

struct raw_task
raw_task_new(const struct raw_kernel *kernel)
{
	return raw_task_greet(raw_connect(kernel), WIRE_HELLO);
}

void
raw_task_free(struct raw_task *task)
{
	close(task->socket_fd);
	close(task->event_fd);
	munmap(task->doorbell, sizeof(struct doorbell) + SEGMENT_BYTES);
	munmap(task->page, sizeof(*task->page));
	for (unsigned i = 1; i < TRAP_SEGMENT_MAX; i++)
		if (task->segments[i] != NULL)
			munmap(task->segments[i], SEGMENT_BYTES);
}

struct trap_slot *
raw_slot(struct raw_task *task, uint32_t index)
{
	return &task->segments[index / TRAP_SEGMENT_SLOTS][index % TRAP_SEGMENT_SLOTS];
}

uint32_t
raw_thread_new(struct raw_task *task, uint32_t outer)
{
	struct wire_thread ask = { { WIRE_THREAD, sizeof(ask) }, outer, 77 };
	struct wire_slot slot;
	unsigned fd_count;
	int fds[8];

	raw_send(task->socket_fd, &ask, sizeof(ask), NULL, 0);
	assert_int_equal(raw_receive(task->socket_fd, &slot, sizeof(slot), fds, &fd_count),
			 sizeof(slot));
	assert_int_equal(slot.head.kind, WIRE_SLOT);
	assert_int_equal(slot.asked_by, 77);
	assert_int_equal(fd_count, slot.has_segment);
	if (slot.has_segment) {
		void *memory =
		    mmap(NULL, SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);

		assert_ptr_not_equal(memory, MAP_FAILED);
		task->segments[slot.segment_index] = memory;
		close(fds[0]);
	}
	return slot.slot_index;
}

void
raw_thread_exit(struct raw_task *task, uint32_t slot_index)
{
	struct wire_thread end = { { WIRE_THREAD_EXIT, sizeof(end) }, slot_index, 77 };

	raw_send(task->socket_fd, &end, sizeof(end), NULL, 0);
}

void
raw_fill(struct trap_slot *slot, uint32_t number, const uint64_t *args, unsigned arg_count)
{
	slot->request = (struct trap_request){ .number = number };
	for (unsigned i = 0; i < arg_count; i++)
		slot->request.args[i] = args[i];
}

void
raw_publish(struct trap_slot *slot)
{
	atomic_store(&slot->cancel, 0);
	slot->task_cpu = wait_cpu();
	atomic_store_explicit(&slot->state, TRAP_ASKED, memory_order_release);
}

void
raw_ask(struct trap_slot *slot, uint32_t number, const uint64_t *args, unsigned arg_count)
{
	raw_fill(slot, number, args, arg_count);
	raw_publish(slot);
}

void
raw_ring(struct raw_task *task, uint32_t slot_index)
{
	uint64_t one = 1;

	if (doorbell_ring(task->doorbell, slot_index))
		assert_int_equal(write(task->event_fd, &one, sizeof(one)), sizeof(one));
}

void
raw_ring_with(struct raw_task *task, uint32_t slot_index, const int *fds, unsigned fd_count)
{
	struct wire_thread message = { { WIRE_RING, sizeof(message) }, slot_index, 0 };

	raw_send(task->socket_fd, &message, sizeof(message), fds, fd_count);
}

bool
raw_await(struct trap_slot *slot, unsigned ms)
{
	uint64_t limit_ns = wait_now_ns() + ms * 1000000ull;

	while (atomic_load(&slot->state) == TRAP_ASKED && wait_now_ns() < limit_ns) {
		atomic_store(&slot->task_sleeps, 1);
		if (atomic_load(&slot->state) == TRAP_ASKED)
			wait_futex(&slot->state, TRAP_ASKED, limit_ns);
		atomic_store(&slot->task_sleeps, 0);
	}
	return atomic_load(&slot->state) == TRAP_DONE;
}

kern_return_t
raw_trap(struct raw_task *task, uint32_t slot_index, uint32_t number, unsigned arg_count, ...)
{
	struct trap_slot *slot = raw_slot(task, slot_index);
	uint64_t args[TRAP_ARG_COUNT];
	va_list list;

	va_start(list, arg_count);
	for (unsigned i = 0; i < arg_count; i++)
		args[i] = va_arg(list, uint64_t);
	va_end(list);
	raw_ask(slot, number, args, arg_count);
	raw_ring(task, slot_index);
	assert_true(raw_await(slot, 10000));
	return slot->reply.code;
}

unsigned
raw_descriptors(struct raw_task *task, int *fds)
{
	struct wire_descriptors message;
	unsigned fd_count;

	assert_int_equal(raw_receive(task->socket_fd, &message, sizeof(message), fds, &fd_count),
			 sizeof(message));
	assert_int_equal(message.head.kind, WIRE_DESCRIPTORS);
	return fd_count;
}

mach_port_name_t
raw_port(struct raw_task *task, uint32_t slot_index)
{
	struct trap_slot *slot = raw_slot(task, slot_index);
	mach_port_name_t name;

	assert_int_equal(raw_trap(task, slot_index, BERTH_TRAP_PORT_ALLOCATE, 2,
				  (uint64_t)BERTH_NAME_TASK_SELF,
				  (uint64_t)MACH_PORT_RIGHT_RECEIVE),
			 KERN_SUCCESS);
	name = (mach_port_name_t)slot->reply.values[0];
	assert_int_equal(raw_trap(task, slot_index, BERTH_TRAP_PORT_INSERT_RIGHT, 4,
				  (uint64_t)BERTH_NAME_TASK_SELF, (uint64_t)name, (uint64_t)name,
				  (uint64_t)MACH_MSG_TYPE_MAKE_SEND),
			 KERN_SUCCESS);
	return name;
}

int
raw_memfd(size_t size, uint8_t byte, int seals)
{
	int fd = memfd_create("raw", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	if (size > 0) {
		void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		assert_ptr_not_equal(memory, MAP_FAILED);
		memset(memory, byte, size);
		munmap(memory, size);
	}
	if (seals != 0)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

void
raw_message_ask(struct raw_task *task, uint32_t slot_index, mach_port_name_t dest,
		mach_msg_bits_t bits, const void *body, uint32_t body_size)
{
	struct trap_slot *slot = raw_slot(task, slot_index);
	mach_msg_header_t header = { .msgh_bits = bits,
				     .msgh_size = (mach_msg_size_t)(sizeof(header) + body_size),
				     .msgh_remote_port = dest,
				     .msgh_id = 4711 };
	uint64_t args[] = { MACH_SEND_MSG, header.msgh_size };

	memcpy(slot->data, &header, sizeof(header));
	memcpy(slot->data + sizeof(header), body, body_size);
	raw_fill(slot, BERTH_TRAP_MSG, args, 2);
	slot->request.stream_size_bytes = header.msgh_size;
	slot->request.prefix_size_bytes = header.msgh_size;
	raw_publish(slot);
}

kern_return_t
raw_message_receive(struct raw_task *task, uint32_t slot_index, mach_port_name_t name,
		    uint32_t size)
{
	return raw_trap(task, slot_index, BERTH_TRAP_MSG, 8,
			(uint64_t)(MACH_RCV_MSG | MACH_RCV_TIMEOUT), (uint64_t)0, (uint64_t)size,
			(uint64_t)name, (uint64_t)5000, (uint64_t)0, (uint64_t)0, (uint64_t)0);
}
