/* What a task asks of berthd: see daemon_actions.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <berth/port_fd.h>
#include <mach/mach.h>
#include <sys/fileport.h>
#include <sys/kern_event.h>
#include <sys/sys_domain.h>

#include "tests/faults/daemon_actions.h"

#define LARGE_BYTES 300000u /* out of line: goes in a memfd */
#define INLINE_BYTES 40000u /* more than a slot has room for */
#define MANY_NAMES 20000u
#define MANY_RIGHTS 8000u

static enum outcome
outcome_of(kern_return_t code)
{
	switch (code) {
	case KERN_SUCCESS:
		return WORKED;
	case KERN_NO_SPACE:
	case KERN_RESOURCE_SHORTAGE:
	case MACH_SEND_NO_BUFFER:
	case MACH_MSG_VM_KERNEL: /* no memory for what is out of line */
		return REFUSED;
	case MACH_SEND_INVALID_DEST:
	case MACH_RCV_PORT_CHANGED:
	case MACH_RCV_INVALID_NAME:
		return DETACHED;
	}
	if ((code & ~MACH_MSG_MASK) == MACH_RCV_BODY_ERROR ||
	    (code & ~MACH_MSG_MASK) == MACH_RCV_HEADER_ERROR)
		return REFUSED;
	fprintf(stderr, "   code 0x%x is none that the contract has for this\n", (unsigned)code);
	return WRONG;
}

static enum outcome
outcome_of_errno(int result)
{
	if (result >= 0)
		return WORKED;
	switch (errno) {
	case ENOMEM:
	case ENOBUFS:
	case EMFILE:
	case ENFILE:
	case EAGAIN:
		return REFUSED;
	case ENOTCONN:
		return DETACHED;
	}
	fprintf(stderr, "   errno %s is none that the contract has for this\n", strerror(errno));
	return WRONG;
}

/* A port that comes and goes: the first call of a process attaches it. */
static enum outcome
a_port(void)
{
	mach_port_t port;
	kern_return_t code = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port);

	if (code == KERN_SUCCESS)
		code = mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
	return outcome_of(code);
}

struct letter {
	mach_msg_header_t header;
	mach_msg_body_t body;
	mach_msg_ool_descriptor_t memory[2];
	uint8_t bytes[INLINE_BYTES];
	mach_msg_max_trailer_t trailer;
};

/* A receive that sleeps until its time is over; a thread that sleeps asks for a waker. */
static void *
sleeping_thread(void *context)
{
	enum outcome *outcome = context;
	struct {
		mach_msg_header_t header;
		mach_msg_max_trailer_t trailer;
	} message;
	mach_port_t port;
	kern_return_t code = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port);

	if (code == KERN_SUCCESS) {
		code = mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
				sizeof(message), port, 20, MACH_PORT_NULL);
		if (code == MACH_RCV_TIMED_OUT)
			code = KERN_SUCCESS;
		mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
	}
	*outcome = outcome_of(code);
	return NULL;
}

static enum outcome
a_thread(void)
{
	enum outcome outcome = WRONG;
	pthread_t thread;

	if (pthread_create(&thread, NULL, sleeping_thread, &outcome) != 0 ||
	    pthread_join(thread, NULL) != 0)
		return WRONG;
	return outcome;
}

static enum outcome
a_child(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		alarm(CHILD_S);
		_exit(a_port());
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return WRONG;
	return (enum outcome)WEXITSTATUS(status);
}

/* @size bytes and @count regions of memory, to ourselves. */
static enum outcome
letter_to_ourselves(mach_msg_size_t size, uint32_t count)
{
	static uint8_t bytes[2][LARGE_BYTES];
	static struct letter letter;
	mach_port_t port;
	kern_return_t code = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port);

	if (code != KERN_SUCCESS)
		return outcome_of(code);
	letter.header = (mach_msg_header_t){
		.msgh_bits = MACH_MSGH_BITS_COMPLEX | MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0),
		.msgh_size = size,
		.msgh_remote_port = port,
	};
	letter.body.msgh_descriptor_count = count;
	for (uint32_t i = 0; i < count; i++) {
		memset(bytes[i], 7 + (int)i, LARGE_BYTES);
		letter.memory[i] = (mach_msg_ool_descriptor_t){ .address = bytes[i],
								.size = LARGE_BYTES,
								.type = MACH_MSG_OOL_DESCRIPTOR };
	}
	letter.bytes[size - offsetof(struct letter, bytes) - 1] = 9;
	code = mach_msg(&letter.header, MACH_SEND_MSG, size, 0, 0, 0, 0);
	if (code == KERN_SUCCESS) {
		memset(&letter, 0, sizeof(letter));
		code = mach_msg(&letter.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0, sizeof(letter),
				port, HANG_MS, 0);
	}
	enum outcome outcome = outcome_of(code);

	if (code == KERN_SUCCESS) {
		for (uint32_t i = 0; i < count; i++)
			if (letter.memory[i].size != LARGE_BYTES ||
			    ((uint8_t *)letter.memory[i].address)[LARGE_BYTES - 1] != 7 + i)
				outcome = WRONG;
		if (letter.bytes[size - offsetof(struct letter, bytes) - 1] != 9)
			outcome = WRONG;
		mach_msg_destroy(&letter.header);
	}
	mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
	return outcome;
}

static enum outcome
a_large_letter(void)
{
	return letter_to_ourselves(offsetof(struct letter, trailer), 1);
}

static enum outcome
two_regions(void)
{
	return letter_to_ourselves(offsetof(struct letter, bytes) + 64, 2);
}

/* So many rights in one letter that neither it nor its answer fits into a slot. */
static enum outcome
many_rights(void)
{
	static mach_port_t rights[MANY_RIGHTS];
	struct {
		mach_msg_header_t header;
		mach_msg_body_t body;
		mach_msg_ool_ports_descriptor_t rights;
		mach_msg_max_trailer_t trailer;
	} carrier = { .body = { 1 } };
	mach_port_t port;
	enum outcome outcome;
	kern_return_t code = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port);

	if (code != KERN_SUCCESS)
		return outcome_of(code);
	for (size_t i = 0; i < MANY_RIGHTS; i++)
		rights[i] = port;
	carrier.header = (mach_msg_header_t){
		.msgh_bits = MACH_MSGH_BITS_COMPLEX | MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0),
		.msgh_size = offsetof(__typeof__(carrier), trailer),
		.msgh_remote_port = port,
	};
	carrier.rights = (mach_msg_ool_ports_descriptor_t){ .address = rights,
							    .count = MANY_RIGHTS,
							    .disposition = MACH_MSG_TYPE_MAKE_SEND,
							    .type = MACH_MSG_OOL_PORTS_DESCRIPTOR };
	code = mach_msg(&carrier.header, MACH_SEND_MSG, carrier.header.msgh_size, 0, 0, 0, 0);
	if (code == KERN_SUCCESS)
		code = mach_msg(&carrier.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
				sizeof(carrier), port, HANG_MS, 0);
	outcome = outcome_of(code);
	if (code == KERN_SUCCESS) {
		if (carrier.rights.count != MANY_RIGHTS ||
		    ((mach_port_t *)carrier.rights.address)[MANY_RIGHTS - 1] != port)
			outcome = WRONG;
		mach_msg_destroy(&carrier.header);
	}
	mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
	return outcome;
}

static enum outcome
a_fileport(void)
{
	int ends[2], fd = -1;
	fileport_t port;
	enum outcome outcome = WRONG;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return WRONG;
	outcome = outcome_of_errno(fileport_makeport(ends[0], &port));
	if (outcome == WORKED) {
		fd = fileport_makefd(port);
		outcome = outcome_of_errno(fd);
		mach_port_deallocate(mach_task_self(), port);
	}
	if (fd >= 0)
		close(fd);
	close(ends[0]);
	close(ends[1]);
	return outcome;
}

static enum outcome
a_memory_entry(void)
{
	memory_object_size_t size = 1u << 16;
	vm_address_t memory = 0;
	mach_port_t entry;
	kern_return_t code = mach_make_memory_entry_64(
	    mach_task_self(), &size, 0, MAP_MEM_NAMED_CREATE | VM_PROT_READ | VM_PROT_WRITE, &entry,
	    MACH_PORT_NULL);

	if (code != KERN_SUCCESS)
		return outcome_of(code);
	code = vm_map(mach_task_self(), &memory, (vm_size_t)size, 0, VM_FLAGS_ANYWHERE, entry, 0, 0,
		      VM_PROT_READ | VM_PROT_WRITE, VM_PROT_READ | VM_PROT_WRITE, VM_INHERIT_NONE);
	if (code == KERN_SUCCESS) {
		*(uint8_t *)memory = 1;
		vm_deallocate(mach_task_self(), memory, (vm_size_t)size);
	}
	mach_port_deallocate(mach_task_self(), entry);
	return outcome_of(code);
}

/* The descriptor of a port tells of a message. */
static enum outcome
a_port_descriptor(void)
{
	mach_port_t port;
	mach_msg_header_t note = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0),
				   .msgh_size = sizeof(note) };
	struct pollfd readable = { .events = POLLIN };
	enum outcome outcome;
	kern_return_t code = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port);

	if (code != KERN_SUCCESS)
		return outcome_of(code);
	readable.fd = berth_port_fd(port);
	outcome = outcome_of_errno(readable.fd);
	if (outcome == WORKED) {
		note.msgh_remote_port = port;
		outcome = outcome_of(
		    mach_msg(&note, MACH_SEND_MSG | MACH_SEND_TIMEOUT, sizeof(note), 0, 0, 0, 0));
		if (outcome == WORKED && poll(&readable, 1, HANG_MS) != 1)
			outcome = WRONG;
		close(readable.fd);
	}
	mach_port_mod_refs(mach_task_self(), port, MACH_PORT_RIGHT_RECEIVE, -1);
	return outcome;
}

static enum outcome
an_event_socket(void)
{
	int fd = socket(PF_SYSTEM, SOCK_RAW, SYSPROTO_EVENT);
	enum outcome outcome = outcome_of_errno(fd);

	if (fd >= 0)
		close(fd);
	return outcome;
}

/* The names of the task, of which there are too many for a slot. */
static enum outcome
its_names(void)
{
	mach_port_name_array_t names;
	mach_port_type_array_t types;
	mach_msg_type_number_t count, type_count;
	kern_return_t code = mach_port_names(mach_task_self(), &names, &count, &types, &type_count);

	if (code == KERN_SUCCESS) {
		vm_deallocate(mach_task_self(), (vm_address_t)names, count * sizeof(*names));
		vm_deallocate(mach_task_self(), (vm_address_t)types, count * sizeof(*types));
	}
	return outcome_of(code);
}

/* Attaches, and makes so many names. */
static enum outcome
have_many_names(void)
{
	mach_port_t port;

	for (unsigned i = 0; i < MANY_NAMES; i++)
		if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_DEAD_NAME, &port) !=
		    KERN_SUCCESS)
			return WRONG;
	return WORKED;
}

const struct daemon_action daemon_actions[] = {
	{ "to attach", a_port, NULL, false },
	{ "a thread", a_thread, a_port, false },
	{ "a fork", a_child, a_port, true },
	{ "a large letter", a_large_letter, a_port, false },
	{ "many rights", many_rights, a_port, false },
	{ "many names", its_names, have_many_names, false },
	{ "two regions of memory", two_regions, a_port, false },
	{ "a fileport", a_fileport, a_port, false },
	{ "a memory entry", a_memory_entry, a_port, false },
	{ "a port's descriptor", a_port_descriptor, a_port, false },
	{ "an event socket", an_event_socket, a_port, false },
};

const size_t daemon_action_count = sizeof(daemon_actions) / sizeof(daemon_actions[0]);
