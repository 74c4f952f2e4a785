/* Kernel controls by hand: see control_raw.h. */
#include "tests/conformance/control_program.h"

#include "tests/attack/control_raw.h"

#include <dirent.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "wire/kext.h"

#define HOST_ID 1u /* the kext of the control tests is the first that is loaded */
#define ANSWER_MS 60000

struct raw_kernel
control_kernel(void)
{
	struct raw_kernel kernel = { .control_fd = -1 };
	const char *path = getenv("BERTH_KERNEL");

	assert_non_null(path);
	assert_true(strlen(path) < sizeof(kernel.path));
	strcpy(kernel.path, path);
	return kernel;
}

/* ---- lanes -------------------------------------------------------------------------- */

bool
raw_lane_open(struct raw_task *task, struct raw_lane *lane)
{
	struct wire_system ask = { .head = { WIRE_SYSTEM, sizeof(ask) },
				   .operation = WIRE_SYSTEM_LANE,
				   .number = HOST_ID };
	struct wire_system_answer answer = { .error = 0 };
	struct lane_message welcome;
	unsigned fd_count;
	int fds[8];

	raw_send(task->socket_fd, &ask, sizeof(ask), NULL, 0);
	ssize_t size = raw_receive(task->socket_fd, &answer, sizeof(answer), fds, &fd_count);
	if (size != sizeof(answer) || answer.error != 0 || fd_count != 1)
		return false;
	lane->socket_fd = fds[0];
	size = raw_receive(lane->socket_fd, &welcome, sizeof(welcome), fds, &fd_count);
	if (size != sizeof(welcome) || fd_count != 3) {
		close(lane->socket_fd);
		return false;
	}
	lane->memory =
	    mmap(NULL, sizeof(*lane->memory), PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	lane->event_fd = fds[1];
	close(fds[0]);
	close(fds[2]);
	return lane->memory != MAP_FAILED;
}

void
raw_lane_close(struct raw_lane *lane)
{
	munmap(lane->memory, sizeof(*lane->memory));
	close(lane->event_fd);
	close(lane->socket_fd);
}

void
raw_lane_fds(struct raw_lane *lane, uint32_t slot_index, const int *fds, unsigned fd_count)
{
	struct lane_message message = { .head = { LANE_FDS, sizeof(message) },
					.slot_index = slot_index };

	raw_send(lane->socket_fd, &message, sizeof(message), fds, fd_count);
}

void
raw_lane_ring(struct raw_lane *lane, uint32_t slot_index, const struct lane_request *request)
{
	struct lane_slot *slot = &lane->memory->slots[slot_index];
	uint64_t one = 1;

	slot->request = *request;
	atomic_store(&slot->state, LANE_ASKED);
	lane_ring(&lane->memory->bell, slot_index);
	(void)!write(lane->event_fd, &one, sizeof(one));
}

bool
raw_lane_await(struct raw_lane *lane, uint32_t slot_index, unsigned ms)
{
	uint64_t limit_ns = wait_now_ns() + ms * 1000000ull;

	while (atomic_load(&lane->memory->slots[slot_index].state) != LANE_DONE) {
		if (wait_now_ns() > limit_ns)
			return false;
		usleep(50);
	}
	return true;
}

int
raw_lane_call(struct raw_lane *lane, const struct lane_request *request)
{
	raw_lane_ring(lane, 0, request);
	assert_true(raw_lane_await(lane, 0, ANSWER_MS));
	return lane->memory->slots[0].reply.error;
}

int
raw_lane_show(struct raw_lane *lane, uint32_t operation, int fd, uint32_t id, uint32_t unit,
	      uint64_t *handle)
{
	struct sockaddr_ctl address = address_of(id, unit);
	struct lane_request request = { .operation = operation,
					.size_bytes = sizeof(address),
					.args = { sizeof(address) } };

	memcpy(lane->memory->slots[0].data, &address, sizeof(address));
	if (fd >= 0)
		raw_lane_fds(lane, 0, &fd, 1);
	int error = raw_lane_call(lane, &request);
	*handle = error == 0 ? lane->memory->slots[0].reply.values[LANE_HANDLE] : 0;
	return error;
}

int
raw_control_socket(int type)
{
	/* not the library's socket(): it is to know nothing of this */
	int fd = (int)syscall(SYS_socket, AF_UNIX, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

int
raw_control_connect(struct raw_lane *lane, uint32_t id, uint64_t *handle)
{
	int fd = raw_control_socket(SOCK_SEQPACKET);

	assert_int_equal(raw_lane_show(lane, LANE_CONNECT, fd, id, 0, handle), 0);
	assert_true(*handle != 0);
	return fd;
}

/* ---- processes ---------------------------------------------------------------------- */

pid_t
kexthost_pid(struct raw_task *task, uint32_t id)
{
	struct {
		pid_t pid;
		uid_t uid;
		gid_t gid;
	} peer;
	socklen_t size = sizeof(peer);
	struct raw_lane lane;
	uint64_t handle;

	/* lanes that were closed a moment ago count until the kexthost has seen that they are */
	bool is_open = raw_lane_open(task, &lane);
	for (int i = 0; i < SETTLE_MS / 5 && !is_open; i++) {
		usleep(5000);
		is_open = raw_lane_open(task, &lane);
	}
	assert_true(is_open);
	int fd = raw_control_connect(&lane, id, &handle);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size), 0);
	close(fd);
	raw_lane_close(&lane);
	return peer.pid;
}

static unsigned
entries(pid_t pid, const char *what)
{
	char path[64];
	unsigned count = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	DIR *folder = opendir(path);
	if (folder == NULL)
		return 0;
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

unsigned
process_descriptors(pid_t pid)
{
	return entries(pid, "fd");
}

unsigned
process_threads(pid_t pid)
{
	return entries(pid, "task");
}

unsigned long
process_rss_kb(pid_t pid)
{
	char path[64];
	unsigned long all, resident = 0;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%lu %lu", &all, &resident) != 2)
		resident = 0;
	fclose(file);
	return resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
}

void
process_descriptors_settle(pid_t pid, unsigned limit)
{
	unsigned now = 0;

	for (int i = 0; i < SETTLE_MS / 5; i++) {
		now = process_descriptors(pid);
		if (now <= limit)
			return;
		usleep(5000);
	}
	fail_msg("process %d has %u descriptors, and had %u", (int)pid, now, limit);
}

/* ---- the bystander ------------------------------------------------------------------ */

struct control_bystander_notes {
	_Atomic uint32_t stop;
	_Atomic uint64_t rounds, worst_ns;
	char wrong[160];
};

/* NULL, or what went wrong. */
static const char *
bystander_round(uint32_t id, uint64_t number)
{
	struct sockaddr_ctl address = address_of(id, 0);
	uint64_t back = 0;
	socklen_t size = sizeof(back);
	int fd = socket(PF_SYSTEM, SOCK_DGRAM, SYSPROTO_CONTROL);

	if (fd < 0)
		return "no socket";
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return "connect";
	if (send(fd, &number, sizeof(number), 0) != sizeof(number))
		return "send";
	if (recv(fd, &back, sizeof(back), 0) != sizeof(back) || back != number)
		return "recv";
	if (getsockopt(fd, SYSPROTO_CONTROL, GET_MIRROR, &back, &size) != 0 ||
	    back != __builtin_bswap64(number))
		return "getsockopt";
	if (close(fd) != 0)
		return "close";
	return NULL;
}

static void
bystander_run(struct control_bystander_notes *notes)
{
	uint32_t id = id_of(KEXT_LARGE);

	for (uint64_t i = 0; !atomic_load(&notes->stop); i++) {
		uint64_t begun_ns = wait_now_ns();
		const char *wrong = bystander_round(id, i);
		uint64_t ns = wait_now_ns() - begun_ns;

		if (wrong != NULL) {
			snprintf(notes->wrong, sizeof(notes->wrong), "round %llu: %s: %s",
				 (unsigned long long)i, wrong, strerror(errno));
			return;
		}
		if (ns > atomic_load(&notes->worst_ns))
			atomic_store(&notes->worst_ns, ns);
		atomic_store(&notes->rounds, i + 1);
		usleep(500);
	}
}

struct control_bystander
control_bystander_start(void)
{
	struct control_bystander bystander = { 0 };

	bystander.notes = mmap(NULL, sizeof(*bystander.notes), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(bystander.notes, MAP_FAILED);
	fflush(stdout);
	bystander.pid = fork();
	assert_true(bystander.pid >= 0);
	if (bystander.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		bystander_run(bystander.notes);
		_exit(0);
	}
	for (int i = 0;
	     i < ANSWER_MS && bystander.notes->rounds == 0 && bystander.notes->wrong[0] == '\0';
	     i++)
		usleep(1000);
	assert_string_equal(bystander.notes->wrong, "");
	assert_true(bystander.notes->rounds > 0);
	return bystander;
}

void
control_bystander_end(struct control_bystander *bystander, unsigned worst_ms)
{
	struct control_bystander_notes *notes = bystander->notes;
	int status = -1;
	pid_t ended = 0;

	atomic_store(&notes->stop, 1);
	for (unsigned i = 0; i < worst_ms && ended == 0; i++) {
		ended = waitpid(bystander->pid, &status, WNOHANG);
		usleep(1000);
	}
	if (ended == 0) {
		kill(bystander->pid, SIGKILL);
		waitpid(bystander->pid, &status, 0);
		fail_msg("the bystander hangs in round %llu", (unsigned long long)notes->rounds);
	}
	printf("   bystander: %llu rounds, the slowest %.1f ms\n",
	       (unsigned long long)notes->rounds, (double)notes->worst_ns / 1e6);
	assert_string_equal(notes->wrong, "");
	assert_int_equal(status, 0);
	assert_in_range(notes->worst_ns / 1000000, 0, worst_ms);
	munmap(notes, sizeof(*notes));
}
