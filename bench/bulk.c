/*
 * Large memory in messages: what a send, a receive and giving the memory back cost, beside a
 * memcpy and a memfd of one's own passed to oneself.
 *
 *	bulk COUNT GIGABYTE_COUNT
 *
 * Prints a line for each way: its name, and the medians in µs.
 */
#include <mach/mach.h>
#include <mach/mach_vm.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#define PAGE ((size_t)4096)

struct message {
	mach_msg_base_t base;
	mach_msg_ool_descriptor_t memory;
	mach_msg_max_trailer_t trailer;
};

#define MESSAGE_SIZE ((mach_msg_size_t)offsetof(struct message, trailer))

/* Where the memory of a message comes from. */
enum source {
	FROM_KEPT,      /* the same, from vm_allocate, sent as a copy each time */
	FROM_CHANGED,   /* the same, of which all is written in between */
	FROM_ELSEWHERE, /* the same, from mmap */
	FROM_FRESH,     /* new, from vm_allocate, written and moved */
	FROM_EMPTY,     /* new, of which one page is written, and moved */
	FROM_RECEIVED   /* what came is moved on */
};

static mach_port_t port;
static volatile uint8_t sink;

static double
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *times, int count)
{
	qsort(times, (size_t)count, sizeof(*times), compare);
	return times[count / 2];
}

static void
must(bool is_so, const char *what)
{
	if (is_so)
		return;
	fprintf(stderr, "bulk: %s\n", what);
	exit(1);
}

static uint8_t *
allocate(size_t size)
{
	mach_vm_address_t address = 0;

	must(mach_vm_allocate(mach_task_self(), &address, size, VM_FLAGS_ANYWHERE) == KERN_SUCCESS,
	     "no memory");
	return (uint8_t *)(uintptr_t)address;
}

static void
touch(uint8_t *memory, size_t size)
{
	for (size_t at = 0; at < size; at += PAGE)
		memory[at] = (uint8_t)(at / PAGE);
}

static void
read_all(const uint8_t *memory, size_t size)
{
	for (size_t at = 0; at < size; at += PAGE)
		sink = memory[at];
}

static void
berth(const char *name, enum source source, size_t size, int count)
{
	double *sent = calloc(3 * (size_t)count, sizeof(*sent));
	double *received = sent + count, *used = received + count;
	bool is_kept = source <= FROM_ELSEWHERE;
	uint8_t *memory = NULL;

	must(sent != NULL, "no memory");
	if (source == FROM_ELSEWHERE)
		memory =
		    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	else if (is_kept || source == FROM_RECEIVED)
		memory = allocate(size);
	must(memory != MAP_FAILED, "no memory");
	if (memory != NULL)
		touch(memory, size);
	for (int i = 0; i < count; i++) {
		if (source == FROM_FRESH || source == FROM_EMPTY)
			memory = allocate(size);
		if (source == FROM_CHANGED || source == FROM_FRESH)
			touch(memory, size);
		if (source == FROM_EMPTY)
			memory[0] = 1;
		struct message message = { 0 };
		message.base.header.msgh_bits =
		    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) | MACH_MSGH_BITS_COMPLEX;
		message.base.header.msgh_remote_port = port;
		message.base.body.msgh_descriptor_count = 1;
		message.memory = (mach_msg_ool_descriptor_t){ .address = memory,
							      .size = (mach_msg_size_t)size,
							      .deallocate = !is_kept,
							      .copy = MACH_MSG_VIRTUAL_COPY,
							      .type = MACH_MSG_OOL_DESCRIPTOR };
		double start = now_us();
		must(mach_msg(&message.base.header, MACH_SEND_MSG, MESSAGE_SIZE, 0, 0, 0, 0) ==
			 MACH_MSG_SUCCESS,
		     "not sent");
		sent[i] = now_us() - start;
		start = now_us();
		must(mach_msg(&message.base.header, MACH_RCV_MSG, 0, sizeof(message), port, 0, 0) ==
			 MACH_MSG_SUCCESS,
		     "not received");
		received[i] = now_us() - start;
		if (source == FROM_RECEIVED) {
			memory = message.memory.address;
			continue;
		}
		start = now_us();
		if (source != FROM_EMPTY)
			read_all(message.memory.address, size);
		mach_vm_deallocate(mach_task_self(), (uintptr_t)message.memory.address, size);
		used[i] = now_us() - start;
	}
	printf("%-36s %10.1f %10.1f %12.1f\n", name, median(sent, count), median(received, count),
	       median(used, count));
	if (is_kept || source == FROM_RECEIVED)
		munmap(memory, size);
	free(sent);
}

/* What nobody can do without: a copy into memory that is there. */
static void
peer_memcpy(size_t size, int count)
{
	double *times = calloc((size_t)count, sizeof(*times));
	uint8_t *from = malloc(size), *to = malloc(size);

	must(times != NULL && from != NULL && to != NULL, "no memory");
	touch(from, size);
	touch(to, size);
	for (int i = 0; i < count; i++) {
		double start = now_us();
		memcpy(to, from, size);
		times[i] = now_us() - start;
		sink = to[size - 1];
	}
	printf("%-36s %10.1f\n", "memcpy, 1 MiB", median(times, count));
	free(times);
	free(from);
	free(to);
}

/* What a program does that passes memory by itself; without the socket. */
static void
peer_memfd(size_t size, int count)
{
	double *sent = calloc(2 * (size_t)count, sizeof(*sent)), *used = sent + count;
	uint8_t *from = malloc(size);

	must(sent != NULL && from != NULL, "no memory");
	touch(from, size);
	for (int i = 0; i < count; i++) {
		double start = now_us();
		int fd = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		must(fd >= 0 && pwrite(fd, from, size, 0) == (ssize_t)size &&
			 fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) == 0,
		     "no memfd");
		sent[i] = now_us() - start;
		start = now_us();
		uint8_t *to = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
		must(to != MAP_FAILED, "no memory");
		close(fd);
		read_all(to, size);
		munmap(to, size);
		used[i] = now_us() - start;
	}
	printf("%-36s %10.1f %10s %12.1f\n", "sealed memfd without a socket, 1 MiB",
	       median(sent, count), "", median(used, count));
	free(sent);
	free(from);
}

int
main(int argc, char **argv)
{
	const int count = argc > 1 ? atoi(argv[1]) : 100;
	const int giant_count = argc > 2 ? atoi(argv[2]) : 3;

	must(count > 0 && giant_count > 0, "COUNT GIGABYTE_COUNT");
	must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) == KERN_SUCCESS &&
		 mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND) ==
		     KERN_SUCCESS,
	     "no port");
	printf("%-36s %10s %10s %12s\n", "", "send", "receive", "read, free");
	peer_memcpy(MIB, count);
	peer_memfd(MIB, count);
	berth("copy, 1 MiB, not written since", FROM_KEPT, MIB, count);
	berth("copy, 1 MiB, written in between", FROM_CHANGED, MIB, count);
	berth("copy, 1 MiB, not of vm_allocate", FROM_ELSEWHERE, MIB, count);
	berth("move, 1 MiB, all of it written", FROM_FRESH, MIB, count);
	berth("move, 1 MiB, on to the next", FROM_RECEIVED, MIB, count);
	berth("move, 1 GiB, one page written", FROM_EMPTY, GIB, count);
	berth("move, 1 GiB, all of it written", FROM_FRESH, GIB, giant_count);
	berth("move, 1 GiB, on to the next", FROM_RECEIVED, GIB, giant_count * 10);
	return 0;
}
