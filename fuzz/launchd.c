/*
 * Fuzzing of the name server by message: another task sends it requests that are nearly right, and
 * the server's own loop body receives and serves them, with its real state.  What is replaced is
 * what a run must not do: jobs are processes in name only, and time passes when the input says so.
 *
 * The client is a child of this process, a task of its own, so that rights are moved between two
 * spaces.  One order is sent to it at a time; what it caused is served before the next.  After
 * each run nothing may be left of it: neither a record nor a right.
 *
 * A request: a byte for the kind of step, the port, the kind of reply right, the routine, a count
 * of descriptors, each with its kind, its disposition, a right and what memory it has, and the
 * body behind a length.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mach/mach.h>

#include "fuzz/fuzz.h"
#include "fuzz/input.h"
#include "servers/launchd/launchd.h"
#include "servers/launchd/server.h"

#define STEPS_MAX 48u
#define DESCRIPTORS_MAX 3u
#define MEMORY_MAX 4096u
#define BODY_MAX 2048u
#define KNOWN 12u
#define PID_FIRST (1 << 23) /* Linux has none so large */
#define KERNEL_VARIABLE "BERTH_FUZZ_LAUNCHD"

static _Noreturn void
broken(const char *what, int line)
{
	fprintf(stderr, "fuzz/launchd.c:%d: not so: %s\n", line, what);
	abort();
}

#define must(holds) ((holds) ? (void)0 : broken(#holds, __LINE__))

/* ---- what the client is told --------------------------------------------------------- */

enum order_kind {
	ORDER_BEGIN, /* take the root's port from the mailbox */
	ORDER_SEND,
	ORDER_DROP, /* give up a right */
	ORDER_END   /* give up all rights */
};

enum descriptor_kind { DESCRIPTOR_RIGHT, DESCRIPTOR_MEMORY, DESCRIPTOR_RIGHTS };

struct order_descriptor {
	uint8_t kind, disposition, right;
	uint32_t size;
	uint8_t memory[MEMORY_MAX];
};

struct order {
	enum order_kind kind;
	uint8_t port, reply;
	mach_msg_id_t id;
	uint32_t descriptor_count;
	uint32_t body_size;
	uint8_t body[BODY_MAX];
	struct order_descriptor descriptors[DESCRIPTORS_MAX];
};

/* ---- the client ---------------------------------------------------------------------- */

static mach_port_t known[KNOWN];
static uint32_t known_next;
static mach_port_t mailbox, reply_port;

static void
learn(mach_port_t name)
{
	/* the first is the root's for as long as the run lasts */
	if (MACH_PORT_VALID(name))
		known[1 + known_next++ % (KNOWN - 1)] = name;
}

static mach_port_t
right_at(uint8_t index)
{
	return index == UINT8_MAX       ? MACH_PORT_DEAD
	       : index == UINT8_MAX - 1 ? MACH_PORT_NULL
					: known[index % KNOWN];
}

struct incoming {
	mach_msg_base_t base;
	uint8_t rest[4096 + MAX_TRAILER_SIZE];
};

static bool
take_one(mach_port_t port, struct incoming *in, bool wait)
{
	return mach_msg(&in->base.header, MACH_RCV_MSG | (wait ? 0 : MACH_RCV_TIMEOUT), 0,
			sizeof(*in), port, 0, MACH_PORT_NULL) == MACH_MSG_SUCCESS;
}

/* Keep the rights that came, and nothing else. */
static void
take_replies(void)
{
	struct incoming in;

	while (take_one(reply_port, &in, false)) {
		mach_msg_port_descriptor_t *right = (void *)in.rest;

		if (MACH_MSGH_BITS_IS_COMPLEX(in.base.header.msgh_bits) &&
		    in.base.body.msgh_descriptor_count == 1 &&
		    right->type == MACH_MSG_PORT_DESCRIPTOR)
			learn(right->name);
		else
			mach_msg_destroy(&in.base.header);
	}
}

static uint32_t
put_descriptor(struct order_descriptor *from, uint8_t *to)
{
	if (from->kind == DESCRIPTOR_RIGHT) {
		mach_msg_port_descriptor_t right = { .name = right_at(from->right),
						     .disposition = from->disposition,
						     .type = MACH_MSG_PORT_DESCRIPTOR };
		memcpy(to, &right, sizeof(right));
		return sizeof(right);
	}
	if (from->kind == DESCRIPTOR_MEMORY) {
		mach_msg_ool_descriptor_t memory = { .address = from->memory,
						     .size = from->size,
						     .copy = MACH_MSG_VIRTUAL_COPY,
						     .type = MACH_MSG_OOL_DESCRIPTOR };
		memcpy(to, &memory, sizeof(memory));
		return sizeof(memory);
	}
	mach_msg_ool_ports_descriptor_t rights = { .address = known,
						   .count = from->size % (KNOWN + 1),
						   .disposition = from->disposition,
						   .type = MACH_MSG_OOL_PORTS_DESCRIPTOR };
	memcpy(to, &rights, sizeof(rights));
	return sizeof(rights);
}

static void
send_request(struct order *order)
{
	static const mach_msg_type_name_t replies[] = {
		MACH_MSG_TYPE_MAKE_SEND_ONCE, MACH_MSG_TYPE_MAKE_SEND_ONCE,
		MACH_MSG_TYPE_MAKE_SEND_ONCE, MACH_MSG_TYPE_MAKE_SEND_ONCE,
		MACH_MSG_TYPE_MAKE_SEND,      0,
	};
	static _Alignas(8) uint8_t bytes[BODY_MAX + 256];
	mach_msg_base_t *base = (void *)bytes;
	uint32_t size = sizeof(mach_msg_header_t);
	mach_msg_type_name_t reply = replies[order->reply % (sizeof(replies) / sizeof(replies[0]))];

	if (order->descriptor_count > 0) {
		base->body.msgh_descriptor_count = order->descriptor_count;
		size = sizeof(*base);
		for (uint32_t i = 0; i < order->descriptor_count; i++)
			size += put_descriptor(&order->descriptors[i], bytes + size);
	}
	memcpy(bytes + size, order->body, order->body_size);
	size += order->body_size;
	base->header = (mach_msg_header_t){
		.msgh_bits =
		    MACH_MSGH_BITS_SET(MACH_MSG_TYPE_COPY_SEND, reply, 0,
				       order->descriptor_count > 0 ? MACH_MSGH_BITS_COMPLEX : 0),
		.msgh_size = size,
		.msgh_remote_port = known[order->port % KNOWN],
		.msgh_local_port = reply != 0 ? reply_port : MACH_PORT_NULL,
		.msgh_id = order->id,
	};
	kern_return_t kr = mach_msg(&base->header, MACH_SEND_MSG | MACH_SEND_TIMEOUT, size, 0,
				    MACH_PORT_NULL, 0, MACH_PORT_NULL);
	if (kr == MACH_SEND_TIMED_OUT)
		mach_msg_destroy(&base->header); /* a service's queue, which nobody empties */
}

static void
begin(void)
{
	struct incoming in;
	mach_msg_port_descriptor_t *right = (void *)in.rest;

	must(take_one(mailbox, &in, true));
	memset(known, 0, sizeof(known));
	known_next = 0;
	known[0] = right->name;
	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &reply_port) ==
	     KERN_SUCCESS);
	/* something of one's own to publish and to name as a requestor */
	for (int i = 0; i < 2; i++) {
		mach_port_options_t options = { .flags = MPO_INSERT_SEND_RIGHT };
		mach_port_t own;

		must(mach_port_construct(mach_task_self(), &options, 0, &own) == KERN_SUCCESS);
		learn(own);
	}
}

/* All that the run brought. */
static void
end(void)
{
	mach_port_name_array_t names;
	mach_port_type_array_t types;
	mach_msg_type_number_t count, type_count;

	must(mach_port_names(mach_task_self(), &names, &count, &types, &type_count) ==
	     KERN_SUCCESS);
	for (mach_msg_type_number_t i = 0; i < count; i++)
		if (names[i] != mailbox && names[i] != mach_task_self() &&
		    names[i] != bootstrap_port)
			mach_port_destroy(mach_task_self(), names[i]);
	vm_deallocate(mach_task_self(), (vm_address_t)names, count * sizeof(names[0]));
	vm_deallocate(mach_task_self(), (vm_address_t)types, type_count * sizeof(types[0]));
}

static void
obey(struct order *order)
{
	switch (order->kind) {
	case ORDER_BEGIN:
		begin();
		break;
	case ORDER_SEND:
		take_replies();
		send_request(order);
		break;
	case ORDER_DROP:
		take_replies();
		mach_port_destroy(mach_task_self(), known[1 + order->port % (KNOWN - 1)]);
		break;
	case ORDER_END:
		end();
		break;
	}
}

/* Introduce ourselves to who made us, then do as we are told until he is gone. */
static _Noreturn void
client(int fd)
{
	static struct order order;
	mach_port_t maker;
	mach_msg_header_t hello = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND,
								MACH_MSG_TYPE_MAKE_SEND),
				    .msgh_size = sizeof(hello) };

	must(task_get_bootstrap_port(mach_task_self(), &maker) == KERN_SUCCESS);
	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &mailbox) ==
	     KERN_SUCCESS);
	hello.msgh_remote_port = maker;
	hello.msgh_local_port = mailbox;
	must(mach_msg(&hello, MACH_SEND_MSG, sizeof(hello), 0, MACH_PORT_NULL, 0, MACH_PORT_NULL) ==
	     MACH_MSG_SUCCESS);
	while (read(fd, &order, sizeof(order)) > 0) {
		obey(&order);
		if (write(fd, "", 1) != 1)
			break;
	}
	_exit(0);
}

/* ---- what main.c has ----------------------------------------------------------------- */

static struct launchd server;
static uint64_t now;
static bool everybody_is_privileged;
static pid_t client_pid, last_pid;
static uint8_t starts; /* how the next jobs start */

uint64_t
now_ns(void)
{
	return now;
}

bool
is_privileged(const struct launchd *l, const audit_token_t *token)
{
	return everybody_is_privileged;
}

void
receive_failed(struct launchd *l, kern_return_t kr)
{
	abort();
}

int
watch_process(struct launchd *l, struct job *job)
{
	return 0;
}

/* No process: a number that none has, or the client's, so that it is the job. */
pid_t
start_job(struct job *job)
{
	uint8_t how = starts;

	starts = (uint8_t)(starts >> 1 | starts << 7);
	if ((how & 7) == 5)
		return -EAGAIN;
	if ((how & 1) && job_find_pid(job->launchd, client_pid) == NULL)
		return client_pid;
	return ++last_pid;
}

/* Jobs are ended by the input. */
int
kill(pid_t pid, int number)
{
	must(pid > 1 || pid < -1);
	return 0;
}

/* ---- a run --------------------------------------------------------------------------- */

static int client_fd;
static mach_port_t client_mailbox;
static struct order order;

static void
tell_client(enum order_kind kind)
{
	char done;

	order.kind = kind;
	must(write(client_fd, &order, sizeof(order)) == (ssize_t)sizeof(order));
	must(read(client_fd, &done, 1) == 1);
}

static void
send_root(void)
{
	struct {
		mach_msg_base_t base;
		mach_msg_port_descriptor_t right;
	} letter = {
		.base = { .header = { .msgh_bits = MACH_MSGH_BITS_SET(MACH_MSG_TYPE_COPY_SEND, 0, 0,
								      MACH_MSGH_BITS_COMPLEX),
				      .msgh_size = sizeof(letter),
				      .msgh_remote_port = client_mailbox },
			  .body = { .msgh_descriptor_count = 1 } },
		.right = { .name = port_held(&server.root->port),
			   .disposition = MACH_MSG_TYPE_MAKE_SEND,
			   .type = MACH_MSG_PORT_DESCRIPTOR },
	};

	must(mach_msg(&letter.base.header, MACH_SEND_MSG, sizeof(letter), 0, MACH_PORT_NULL, 0,
		      MACH_PORT_NULL) == MACH_MSG_SUCCESS);
}

static void
server_begin(uint8_t how)
{
	server = (struct launchd){ .is_system = how & 1,
				   .owner_uid = geteuid(),
				   .inotify_fd = server.inotify_fd };
	everybody_is_privileged = !(how & 2);
	starts = how;
	last_pid = PID_FIRST;
	now = 1000000000000;
	LIST_INIT(&server.jobs);
	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &server.request_set) ==
	     KERN_SUCCESS);
	must(demand_open(&server) == KERN_SUCCESS && notify_open(&server) == KERN_SUCCESS);
	server.root = context_new(&server, NULL, CONTEXT_ROOT, 0);
	must(server.root != NULL && context_open(server.root) == KERN_SUCCESS);
}

static void
server_end(void)
{
	server.stopping = true;
	context_shut_down(server.root);
	while (!LIST_EMPTY(&server.jobs))
		job_exited(LIST_FIRST(&server.jobs), 0);
	notify_serve(&server); /* a dead name comes with a reference */
	must(server.usage.contexts == 0 && server.usage.services == 0 && server.usage.jobs == 0);
	must(server.ports == NULL && server.anonymous == NULL);
	port_drop_receive(server.notify_port);
	mach_port_mod_refs(mach_task_self(), server.request_set, MACH_PORT_RIGHT_PORT_SET, -1);
	mach_port_mod_refs(mach_task_self(), server.demand_set, MACH_PORT_RIGHT_PORT_SET, -1);
}

/* What the loop does for its events. */
static void
serve_all(void)
{
	request_serve(&server);
	notify_serve(&server);
	demand_serve(&server);
}

static void
take_descriptor(struct input *input, struct order_descriptor *descriptor)
{
	static const uint8_t dispositions[] = { MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND,
						MACH_MSG_TYPE_MOVE_SEND,
						MACH_MSG_TYPE_MOVE_RECEIVE };
	uint8_t what = take_byte(input);

	descriptor->kind = what % 3;
	descriptor->disposition = dispositions[what / 3 % sizeof(dispositions)];
	descriptor->right = take_byte(input);
	descriptor->size = 0;
	if (descriptor->kind == DESCRIPTOR_RIGHT)
		return;
	descriptor->size = (uint32_t)take_word(input, 2) % (MEMORY_MAX + 1);
	if (descriptor->kind == DESCRIPTOR_MEMORY)
		for (uint32_t i = 0; i < descriptor->size; i++)
			descriptor->memory[i] = take_byte(input);
}

static void
step_request(struct input *input)
{
	static const mach_msg_id_t ids[] = {
		400,   402,   403,   404,   406,   408,   409,   418,   425,   436,   52000,
		52001, 52002, 52003, 52004, 52005, 52006, 52008, 52009, 52010, 52007, 401,
	};
	uint8_t id;

	order.port = take_byte(input);
	order.reply = take_byte(input);
	id = take_byte(input);
	order.id = id < 250 ? ids[id % (sizeof(ids) / sizeof(ids[0]))]
			    : (mach_msg_id_t)take_word(input, 4);
	order.descriptor_count = take_byte(input) % (DESCRIPTORS_MAX + 1);
	for (uint32_t i = 0; i < order.descriptor_count; i++)
		take_descriptor(input, &order.descriptors[i]);
	order.body_size = (uint32_t)take_word(input, 2) % (BODY_MAX + 1) & ~3u;
	for (uint32_t i = 0; i < order.body_size; i++)
		order.body[i] = take_byte(input);
	tell_client(ORDER_SEND);
}

static struct job *
job_at(uint8_t index)
{
	struct job *job = LIST_FIRST(&server.jobs);

	for (; job != NULL && index > 0; index--)
		job = LIST_NEXT(job, in_all);
	return job;
}

static void
pass_time(uint8_t how)
{
	struct job *job, *next;

	now += (uint64_t)1 << (20 + how % 24);
	for (job = LIST_FIRST(&server.jobs); job != NULL; job = next) {
		next = LIST_NEXT(job, in_all);
		if (job_next_ns(job) <= now)
			job_tick(job, now);
	}
}

static void
step(struct input *input)
{
	uint8_t what = take_byte(input), how;
	struct job *job;

	if (what < 192) {
		step_request(input);
		return;
	}
	how = take_byte(input);
	switch (what % 4) {
	case 0:
		pass_time(how);
		break;
	case 1: /* a process ends, by itself or by a signal */
		job = job_at(how & 7);
		if (job != NULL && job->pid != 0)
			job_exited(job, how >> 3 & 1 ? how >> 4 : (how >> 4) << 8);
		break;
	case 2:
		order.port = how;
		tell_client(ORDER_DROP);
		break;
	case 3: /* who declared something is gone */
		job = LIST_FIRST(&server.root->anonymous);
		if (job != NULL && job->pid_fd >= 0)
			job_anonymous_exited(job);
		break;
	}
}

/* The names that this task has. */
static mach_msg_type_number_t
count_names(void)
{
	mach_port_name_array_t names;
	mach_port_type_array_t types;
	mach_msg_type_number_t count, type_count;

	must(mach_port_names(mach_task_self(), &names, &count, &types, &type_count) ==
	     KERN_SUCCESS);
	vm_deallocate(mach_task_self(), (vm_address_t)names, count * sizeof(names[0]));
	vm_deallocate(mach_task_self(), (vm_address_t)types, type_count * sizeof(types[0]));
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input input = { bytes, bytes + size };
	mach_msg_type_number_t before = count_names();

	server_begin(take_byte(&input));
	send_root();
	tell_client(ORDER_BEGIN);
	for (uint32_t i = 0; input.at < input.end && i < STEPS_MAX; i++) {
		step(&input);
		serve_all();
	}
	tell_client(ORDER_END);
	serve_all();
	server_end();
	must(count_names() == before);
	return 0;
}

/* ---- start --------------------------------------------------------------------------- */

/* This program once more, on a kernel of its own, by the `berth` of the same build. */
static void
run_on_own_kernel(int argc, char **argv)
{
	char self[PATH_MAX], berth[PATH_MAX + 16];
	char **words = calloc((size_t)argc + 4, sizeof(*words));
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	must(words != NULL && length > 0);
	self[length] = '\0';
	snprintf(berth, sizeof(berth), "%.*s/../berth", (int)(strrchr(self, '/') - self), self);
	words[0] = berth;
	words[1] = strdup("run");
	words[2] = strdup("--");
	words[3] = self;
	memcpy(words + 4, argv + 1, (size_t)(argc - 1) * sizeof(*words));
	setenv(KERNEL_VARIABLE, "1", 1);
	execv(berth, words);
	perror(berth);
	_exit(2);
}

static void
client_new(void)
{
	struct {
		mach_msg_header_t head;
		mach_msg_max_trailer_t trailer;
	} hello;
	mach_port_t port;
	int ends[2];

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) == KERN_SUCCESS);
	must(mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND) ==
	     KERN_SUCCESS);
	must(task_set_bootstrap_port(mach_task_self(), port) == KERN_SUCCESS);
	client_pid = fork();
	must(client_pid >= 0);
	if (client_pid == 0) {
		close(ends[0]);
		client(ends[1]);
	}
	close(ends[1]);
	client_fd = ends[0];
	must(mach_msg(&hello.head, MACH_RCV_MSG, 0, sizeof(hello), port, 0, MACH_PORT_NULL) ==
	     MACH_MSG_SUCCESS);
	client_mailbox = hello.head.msgh_remote_port;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (getenv(KERNEL_VARIABLE) == NULL)
		run_on_own_kernel(*argc, *argv);
	log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
	/* one for all runs: Linux gives a user few of them, and takes them back late */
	must(paths_open(&server) == 0);
	client_new();
	return 0;
}
