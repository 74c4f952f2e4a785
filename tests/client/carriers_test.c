/*
 * Large messages between the same two tasks go through memory that is used again (carriers), and
 * into memory that was given back: nobody sees more of that than of a copy.
 */
#include "tests/client/moves.h"
#include "tests/client/other_process.h"

#include <servers/bootstrap.h>

#include <fcntl.h>
#include <limits.h>

#define SIZE ((size_t)256 << 10)
#define SECRET 77 /* a seed that no other message has */

struct right_message {
	mach_msg_base_t base;
	mach_msg_port_descriptor_t right;
	mach_msg_max_trailer_t trailer;
};

#define RIGHT_SIZE ((mach_msg_size_t)offsetof(struct right_message, trailer))

/* ---- support ----------------------------------------------------------------------------- */

static void
send_right(mach_port_t to, mach_port_t name, mach_msg_type_name_t disposition)
{
	struct right_message m = {
		.base.header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0) |
					      MACH_MSGH_BITS_COMPLEX,
				 .msgh_remote_port = to },
		.base.body.msgh_descriptor_count = 1,
		.right = { .name = name,
			   .disposition = disposition,
			   .type = MACH_MSG_PORT_DESCRIPTOR },
	};

	assert_int_equal(mach_msg(&m.base.header, MACH_SEND_MSG, RIGHT_SIZE, 0, 0, 0, 0),
			 MACH_MSG_SUCCESS);
}

static mach_port_t
receive_right(mach_port_t from)
{
	struct right_message m;

	assert_int_equal(mach_msg(&m.base.header, MACH_RCV_MSG, 0, sizeof(m), from, 0, 0),
			 MACH_MSG_SUCCESS);
	return m.right.name;
}

/* Sends a copy of memory that is nobody's in particular, filled with @seed. */
static mach_msg_return_t
send_filled(mach_port_t port, size_t size, unsigned seed)
{
	uint8_t *memory =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(memory != MAP_FAILED);
	fill(memory, size, seed);
	mach_msg_return_t code = send_memory(port, memory, size, false);
	munmap(memory, size);
	return code;
}

typedef bool carrier_visitor(uint8_t *memory, size_t size, bool is_writable);

/* How many mappings of carriers this process has for which @visitor says so. */
static unsigned
visit_carriers(carrier_visitor *visitor)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	unsigned count = 0;
	char line[512], rights[8];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL)
		if (strstr(line, "berth-carrier") != NULL &&
		    sscanf(line, "%lx-%lx %7s", &start, &end, rights) == 3)
			count += visitor((uint8_t *)start, end - start, rights[1] == 'w');
	fclose(maps);
	return count;
}

static bool
leads_here(uint8_t *memory, size_t size, bool is_writable)
{
	return !is_writable;
}

static bool
leads_away(uint8_t *memory, size_t size, bool is_writable)
{
	return is_writable;
}

static bool
scribble(uint8_t *memory, size_t size, bool is_writable)
{
	if (is_writable)
		memset(memory, 0xee, size);
	return is_writable;
}

static bool
becomes_writable(uint8_t *memory, size_t size, bool is_writable)
{
	return !is_writable && mprotect(memory, size, PROT_READ | PROT_WRITE) == 0;
}

static bool
holds_secret(uint8_t *memory, size_t size, bool is_writable)
{
	return size >= SIZE && is_filled(memory, SIZE, SECRET);
}

/* ---- one task ----------------------------------------------------------------------------- */

static void
each_message_is_a_copy_of_its_own(void **state)
{
	enum { COUNT = 12 };
	uint8_t *came[COUNT];
	mach_port_t port = port_new();

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < COUNT; i++) {
			assert_int_equal(send_filled(port, SIZE, 20 * round + i), 0);
			came[i] = receive_memory(port, SIZE);
		}
		assert_true(visit_carriers(leads_here) > 0 && visit_carriers(leads_away) > 0);
		for (unsigned i = 0; i < COUNT; i++) {
			assert_true(is_filled(came[i], SIZE, 20 * round + i));
			fill(came[i], SIZE, 200);
		}
		for (unsigned i = 0; i < COUNT; i++)
			deallocate(came[i], SIZE);
	}
	/* several in the queue at once, too */
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(send_filled(port, SIZE, i), 0);
	for (unsigned i = 0; i < 5; i++) {
		came[i] = receive_memory(port, SIZE);
		assert_true(is_filled(came[i], SIZE, i));
		deallocate(came[i], SIZE);
	}
	port_end(port);
}

static void
memory_given_back_is_gone(void **state)
{
	mach_port_t port = port_new();

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		/* what follows the message in its last page is zero, whatever was there before */
		size_t size = SIZE - vm_page_size + (i % 2 == 0 ? vm_page_size : 100);
		assert_int_equal(send_filled(port, size, i), 0);
		uint8_t *memory = receive_memory(port, size);
		assert_true(is_filled(memory, size, i));
		for (size_t at = size; at % vm_page_size != 0; at++)
			assert_int_equal(memory[at], 0);
		memset(memory, 0xff, SIZE);
		deallocate(memory, SIZE);
		assert_false(is_there(memory));
		assert_false(is_there(memory + SIZE - vm_page_size));
		/* and its place is free */
		void *again = mmap(memory, SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		assert_ptr_equal(again, memory);
		assert_int_equal(memory[0], 0);
		munmap(again, SIZE);
	}
	port_end(port);
}

static void
several_given_back_at_once_are_gone(void **state)
{
	enum { COUNT = 4 };
	mach_port_t port = port_new();
	uint8_t *came[COUNT];

	(void)state;
	for (unsigned round = 0; round < 4; round++) {
		/* sizes change, so that what is kept does */
		size_t size = SIZE << (round % 2);
		for (unsigned i = 0; i < COUNT; i++) {
			assert_int_equal(send_filled(port, size, i), 0);
			came[i] = receive_memory(port, size);
		}
		for (unsigned i = 0; i < COUNT; i++)
			deallocate(came[i], size);
		for (unsigned i = 0; i < COUNT; i++)
			assert_false(is_there(came[i]));
	}
	port_end(port);
}

static void
what_the_program_maps_in_its_place_is_left_alone(void **state)
{
	mach_port_t port = port_new();
	char path[] = "/tmp/berth-carriers-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0 && unlink(path) == 0 && ftruncate(fd, (off_t)SIZE) == 0);
	for (unsigned i = 0; i < 8; i++) {
		uint8_t byte = 1;
		assert_int_equal(send_filled(port, SIZE, i), 0);
		uint8_t *memory = receive_memory(port, SIZE);
		assert_ptr_equal(
		    mmap(memory, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0),
		    memory);
		deallocate(memory, SIZE);
		assert_false(is_there(memory));
		assert_int_equal(pread(fd, &byte, 1, SIZE / 2), 1);
		assert_int_equal(byte, 0);
	}
	/* and what it protects can be used again */
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(send_filled(port, SIZE, i), 0);
		uint8_t *memory = receive_memory(port, SIZE);
		assert_true(is_filled(memory, SIZE, i));
		assert_int_equal(mprotect(memory, SIZE, i % 2 == 0 ? PROT_NONE : PROT_READ), 0);
		deallocate(memory, SIZE);
	}
	close(fd);
	port_end(port);
}

static void
memory_that_is_not_there_is_refused(void **state)
{
	mach_port_t port = port_new();
	uint8_t *memory =
	    mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(send_filled(port, SIZE, i), 0);
		deallocate(receive_memory(port, SIZE), SIZE);
	}
	munmap(memory + SIZE / 2, vm_page_size);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(send_memory(port, memory, SIZE, false), MACH_SEND_INVALID_MEMORY);
	munmap(memory, SIZE);
	/* none of them keeps a carrier */
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(send_filled(port, SIZE, i), 0);
		uint8_t *came = receive_memory(port, SIZE);
		assert_true(is_filled(came, SIZE, i));
		assert_int_equal(file_of(came), 0);
		deallocate(came, SIZE);
	}
	port_end(port);
}

static void
a_message_may_lie_anywhere(void **state)
{
	enum { PLACES = 80 };
	mach_port_t port = port_new();
	uint8_t *pages = mmap(NULL, 3 * vm_page_size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *memory = allocate(SIZE);

	(void)state;
	assert_true(pages != MAP_FAILED);
	munmap(pages + 2 * vm_page_size, vm_page_size);
	fill(memory, SIZE, 1);
	for (unsigned i = 0; i < 8 + PLACES; i++) {
		const mach_msg_size_t size = MESSAGE_SIZE(1);
		/* first the port becomes known, then the message crosses from page to page, and at
		 * last it ends where nothing follows */
		size_t before = i < 8 ? 0 : (size_t)(i - 8) * 4;
		uint8_t *at = pages + vm_page_size - before;
		if (i + 1 == 8 + PLACES)
			at = pages + 2 * vm_page_size - size;
		struct memory_message m = {
			.base.header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MAKE_SEND, 0) |
						      MACH_MSGH_BITS_COMPLEX,
					 .msgh_remote_port = port },
			.base.body.msgh_descriptor_count = 1,
			.memory[0] = { .address = memory,
				       .copy = MACH_MSG_PHYSICAL_COPY,
				       .size = SIZE,
				       .type = MACH_MSG_OOL_DESCRIPTOR },
		};
		memcpy(at, &m, size);
		assert_int_equal(mach_msg((mach_msg_header_t *)at, MACH_SEND_MSG, size, 0, 0, 0, 0),
				 MACH_MSG_SUCCESS);
		uint8_t *came = receive_memory(port, SIZE);
		assert_true(is_filled(came, SIZE, 1));
		if (i >= 8)
			assert_int_equal(file_of(came), 0); /* it came by a carrier */
		deallocate(came, SIZE);
	}
	munmap(pages, 2 * vm_page_size);
	deallocate(memory, SIZE);
	port_end(port);
}

static void
a_child_has_carriers_of_its_own(void **state)
{
	mach_port_t port = port_new();
	uint8_t *kept = NULL;
	int status;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(send_filled(port, SIZE, i), 0);
		kept = receive_memory(port, SIZE);
		if (i < 5)
			deallocate(kept, SIZE);
	}
	pid_t child = fork();
	assert_true(child >= 0);
	bool is_well =
	    child != 0 || (visit_carriers(leads_here) == 0 && visit_carriers(leads_away) == 0);
	mach_port_t own = child == 0 ? port_new() : port;
	for (unsigned i = 0; i < 6; i++) {
		unsigned seed = child == 0 ? 100 + i : i;
		is_well = is_well && send_filled(own, SIZE, seed) == MACH_MSG_SUCCESS;
		uint8_t *came = receive_memory(own, SIZE);
		is_well = is_well && is_filled(came, SIZE, seed) && is_filled(kept, SIZE, 5);
		deallocate(came, SIZE);
	}
	is_well = is_well && visit_carriers(leads_here) > 0;
	if (child == 0)
		_exit(!is_well);
	assert_true(is_well);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	deallocate(kept, SIZE);
	port_end(port);
}

/* ---- hostile ends ------------------------------------------------------------------------- */

static mach_port_t inbox, service; /* of a receiver */

/* A receiver: does what @byte says. */
static uint8_t
receiver_does(uint8_t byte)
{
	switch (byte) {
	case 'i': /* tells where it can be reached */
		inbox = port_new();
		send_right(bootstrap_port, inbox, MACH_MSG_TYPE_MAKE_SEND);
		return 0;
	case 'g':
		service = receive_right(inbox);
		return 0;
	case 'p': /* passes its service on */
		send_right(receive_right(inbox), service, MACH_MSG_TYPE_MOVE_RECEIVE);
		return 0;
	case 'c':
		return (uint8_t)visit_carriers(leads_here);
	case 'w':
		return (uint8_t)visit_carriers(becomes_writable);
	case 'l':
		return (uint8_t)visit_carriers(holds_secret);
	default: { /* receives what is filled with that */
		uint8_t *came = receive_memory(service, SIZE);
		bool is_right = is_filled(came, SIZE, byte);
		deallocate(came, SIZE);
		return is_right;
	}
	}
}

/* A receiver, and a right to its inbox. */
static struct other
receiver_start(mach_port_t own, mach_port_t *its_inbox)
{
	struct other other = other_start(receiver_does);

	assert_int_equal(other_does(&other, 'i'), 0);
	*its_inbox = receive_right(own);
	return other;
}

/* This task is a sender; its own port is its children's bootstrap port. */
static mach_port_t
become_bootstrap(mach_port_t *before)
{
	mach_port_t own = port_new();

	*before = bootstrap_port;
	assert_int_equal(task_set_special_port(mach_task_self(), TASK_BOOTSTRAP_PORT, own), 0);
	return own;
}

static void
a_former_receiver_sees_nothing_more(void **state)
{
	mach_port_t before, own = become_bootstrap(&before), first_inbox, second_inbox;
	struct other first = receiver_start(own, &first_inbox);
	struct other second = receiver_start(own, &second_inbox);
	mach_port_t right = port_new();

	(void)state;
	send_right(first_inbox, right, MACH_MSG_TYPE_MOVE_RECEIVE);
	assert_int_equal(other_does(&first, 'g'), 0);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(send_filled(right, SIZE, i), 0);
		assert_int_equal(other_does(&first, (uint8_t)i), 1);
	}
	assert_true(other_does(&first, 'c') > 0);
	assert_int_equal(other_does(&first, 'w'), 0); /* nor can it write what it reads */
	send_right(first_inbox, second_inbox, MACH_MSG_TYPE_COPY_SEND);
	/* one that is in the queue when the right moves arrives, too */
	assert_int_equal(send_filled(right, SIZE, 6), 0);
	assert_int_equal(other_does(&first, 'p'), 0);
	assert_int_equal(send_filled(right, SIZE, SECRET), 0);
	assert_int_equal(other_does(&second, 'g'), 0);
	assert_int_equal(other_does(&second, 6), 1);
	assert_int_equal(other_does(&second, SECRET), 1);
	for (unsigned i = 0; i < 40; i++) { /* who got no carrier does not ask for some time */
		assert_int_equal(send_filled(right, SIZE, SECRET), 0);
		assert_int_equal(other_does(&second, SECRET), 1);
	}
	assert_true(other_does(&second, 'l') > 0); /* it is found where it may be */
	assert_int_equal(other_does(&first, 'l'), 0);
	other_end(&first);
	other_end(&second);
	task_set_special_port(mach_task_self(), TASK_BOOTSTRAP_PORT, before);
	mach_port_deallocate(mach_task_self(), right);
	mach_port_deallocate(mach_task_self(), first_inbox);
	mach_port_deallocate(mach_task_self(), second_inbox);
	port_end(own);
}

static uint8_t
sender_does(uint8_t byte)
{
	if (byte == 'x')
		return (uint8_t)visit_carriers(scribble);
	return send_filled(bootstrap_port, SIZE, byte) == MACH_MSG_SUCCESS;
}

static void
a_sender_changes_nothing_that_has_come(void **state)
{
	mach_port_t before, own = become_bootstrap(&before);
	struct other sender = other_start(sender_does);
	uint8_t *copy = malloc(SIZE);

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(other_does(&sender, (uint8_t)i), 1);
		uint8_t *came = receive_memory(own, SIZE);
		bool is_carried = other_does(&sender, 'x') > 0;
		assert_true(is_carried || i < 2);
		assert_true(is_filled(came, SIZE, i));
		deallocate(came, SIZE);
	}
	/* while it is in the queue a sender spoils its own message, until it is received */
	assert_int_equal(other_does(&sender, 9), 1);
	assert_true(other_does(&sender, 'x') > 0);
	uint8_t *came = receive_memory(own, SIZE);
	memcpy(copy, came, SIZE);
	assert_int_equal(other_does(&sender, 10), 1);
	assert_true(other_does(&sender, 'x') > 0);
	assert_memory_equal(copy, came, SIZE);
	deallocate(came, SIZE);
	deallocate(receive_memory(own, SIZE), SIZE);
	free(copy);
	other_end(&sender);
	task_set_special_port(mach_task_self(), TASK_BOOTSTRAP_PORT, before);
	port_end(own);
}

static void
either_end_may_die(void **state)
{
	mach_port_t before, own = become_bootstrap(&before), its_inbox;

	(void)state;
	for (unsigned round = 0; round < 12; round++) {
		struct other receiver = receiver_start(own, &its_inbox);
		mach_port_t right = port_new();

		send_right(its_inbox, right, MACH_MSG_TYPE_MOVE_RECEIVE);
		assert_int_equal(other_does(&receiver, 'g'), 0);
		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(send_filled(right, SIZE, i), 0);
			assert_int_equal(other_does(&receiver, (uint8_t)i), 1);
		}
		assert_true(visit_carriers(leads_away) > 0);
		assert_int_equal(send_filled(right, SIZE, 4), 0); /* dies with the queue */
		other_end(&receiver);
		mach_port_deallocate(mach_task_self(), right);
		mach_port_deallocate(mach_task_self(), its_inbox);

		struct other sender = other_start(sender_does);
		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(other_does(&sender, (uint8_t)i), 1);
			uint8_t *came = receive_memory(own, SIZE);
			assert_true(is_filled(came, SIZE, i));
			deallocate(came, SIZE);
		}
		assert_int_equal(other_does(&sender, 5), 1);
		other_end(&sender);
		uint8_t *came = receive_memory(own, SIZE); /* what it sent is there all the same */
		assert_true(is_filled(came, SIZE, 5));
		deallocate(came, SIZE);
	}
	task_set_special_port(mach_task_self(), TASK_BOOTSTRAP_PORT, before);
	port_end(own);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_message_is_a_copy_of_its_own),
		cmocka_unit_test(memory_given_back_is_gone),
		cmocka_unit_test(several_given_back_at_once_are_gone),
		cmocka_unit_test(what_the_program_maps_in_its_place_is_left_alone),
		cmocka_unit_test(memory_that_is_not_there_is_refused),
		cmocka_unit_test(a_message_may_lie_anywhere),
		cmocka_unit_test(a_child_has_carriers_of_its_own),
		cmocka_unit_test(a_former_receiver_sees_nothing_more),
		cmocka_unit_test(a_sender_changes_nothing_that_has_come),
		cmocka_unit_test(either_end_may_die),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
