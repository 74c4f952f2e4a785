/*
 * Parts of berthd that need no kernel: streams, lineage, names, and how both sides wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "hosts/daemon/berthd.h"
#include "hosts/daemon/tools.h"
#include "hosts/daemon/trap_codec.h"

/* What the files under test need of the rest: an honest host of no tasks. */
int
bulk_fd(const struct kernel_segment *segment)
{
	return (int)segment->ref_count; /* the tests keep it there */
}

/* none of them lies in a carrier */
struct carrier *
bulk_carrier(const struct kernel_segment *segment)
{
	return NULL;
}

bool
carrier_leads_to(const struct carrier *carrier, const struct peer *peer)
{
	return false;
}

uint32_t
carrier_show(struct carrier *carrier, int *fd)
{
	return 0;
}

void *
host_scratch(struct host *host, size_t size)
{
	static uint8_t scratch[1 << 20];

	return size <= sizeof(scratch) ? scratch : NULL;
}

struct peer *
peer_of_pid(struct host *host, pid_t pid, bool remnants)
{
	return NULL;
}

bool
credentials_process_ended(int pidfd)
{
	return false;
}

/* ---- streams ----------------------------------------------------------------------- */

/* A result with everything: tail, bytes, an unreadable piece, a segment. */
static struct trap_result
full_result(struct kernel_piece pieces[3], struct kernel_segment *segment)
{
	static const char text[] = "seventeen bytes..";

	pieces[0] = (struct kernel_piece){ KERNEL_PIECE_BYTES, 17, text, NULL, 0 };
	pieces[1] = (struct kernel_piece){ KERNEL_PIECE_UNREADABLE, 99, NULL, NULL, 0 };
	pieces[2] = (struct kernel_piece){ KERNEL_PIECE_SEGMENT, 5000, NULL, segment, 8192 };
	return (struct trap_result){ .code = 3,
				     .values = { 1, 2, 3, 4, 5, 6 },
				     .bytes = "header!",
				     .bytes_size = 7,
				     .trailer = "trailer.",
				     .trailer_size = 8,
				     .has_tail = true,
				     .tail = { KERNEL_PIECE_BYTES, 4, "tail", NULL, 0 },
				     .pieces = pieces,
				     .piece_count = 3 };
}

/* A reply as if it were a request: the two directions have one format, but for the trailer. */
static struct trap_source
as_request(const struct reply_encoded *encoded, const uint8_t *data, uint32_t trailer_size,
	   struct kernel_segment *bulk)
{
	return (struct trap_source){
		.request = { .number = BERTH_TRAP_MSG,
			     .flags = encoded->reply.flags,
			     .stream_size_bytes = encoded->reply.stream_size_bytes,
			     .prefix_size_bytes = encoded->reply.prefix_size_bytes + trailer_size,
			     .piece_count = encoded->reply.piece_count },
		.data = data,
		.spill_fd = encoded->spill_fd,
		.bulk = bulk,
	};
}

static void
check_full(const struct trap_decoded *decoded, const struct kernel_segment *segment)
{
	const struct trap_frame *frame = &decoded->frame;

	assert_int_equal(frame->bytes_size, 15);
	assert_memory_equal(frame->bytes, "header!trailer.", 15);
	assert_true(frame->has_tail);
	assert_int_equal(frame->tail.size_bytes, 4);
	assert_memory_equal(frame->tail.bytes, "tail", 4);
	assert_int_equal(frame->piece_count, 3);
	assert_int_equal(frame->pieces[0].kind, KERNEL_PIECE_BYTES);
	assert_memory_equal(frame->pieces[0].bytes, "seventeen bytes..", 17);
	assert_int_equal(frame->pieces[1].kind, KERNEL_PIECE_UNREADABLE);
	assert_int_equal(frame->pieces[1].size_bytes, 99);
	assert_int_equal(frame->pieces[2].kind, KERNEL_PIECE_SEGMENT);
	assert_ptr_equal(frame->pieces[2].segment, segment);
	assert_int_equal(frame->pieces[2].offset_bytes, 8192);
}

static void
what_is_encoded_is_decoded_again(void **state)
{
	struct kernel_segment segment = { .size_bytes = 65536, .ref_count = 0 };
	struct kernel_piece pieces[3];
	struct trap_result result = full_result(pieces, &segment);
	_Alignas(8) uint8_t data[TRAP_DATA_SIZE];

	for (uint32_t capacity = TRAP_DATA_SIZE;; capacity = 8 /* spills */) {
		struct reply_encoded encoded = { .capacity = capacity };
		struct trap_decoded decoded = { 0 };

		assert_int_equal(reply_encode(NULL, &result, data, &encoded), 0);
		assert_int_equal(encoded.spill_fd >= 0, capacity == 8);
		struct trap_source source = as_request(&encoded, data, 8, &segment);

		assert_int_equal(trap_decode(&source, &decoded), KERN_SUCCESS);
		check_full(&decoded, &segment);
		trap_decode_free(&decoded);
		reply_encoded_free(&encoded);
		if (capacity == 8)
			break;
	}
}

static void
pieces_of_several_segments_are_gathered_in_one(void **state)
{
	int fds[2];
	struct kernel_segment segments[2];
	struct kernel_piece pieces[2];
	char got[2];
	_Alignas(8) uint8_t data[TRAP_DATA_SIZE];

	for (int i = 0; i < 2; i++) {
		fds[i] = memfd_create("unit", MFD_CLOEXEC);
		assert_int_equal(ftruncate(fds[i], 16384), 0);
		assert_int_equal(pwrite(fds[i], i == 0 ? "a" : "b", 1, 4096), 1);
		segments[i] =
		    (struct kernel_segment){ .size_bytes = 16384, .ref_count = (uint32_t)fds[i] };
		pieces[i] =
		    (struct kernel_piece){ KERNEL_PIECE_SEGMENT, 5000, NULL, &segments[i], 4096 };
	}
	struct trap_result result = { .pieces = pieces, .piece_count = 2 };
	struct reply_encoded encoded = { .capacity = TRAP_DATA_SIZE };
	struct trap_piece_wire wire[2];

	assert_int_equal(reply_encode(NULL, &result, data, &encoded), 0);
	assert_true(encoded.bulk_is_ours);
	memcpy(wire, data, sizeof(wire));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(wire[i].kind, TRAP_PIECE_BULK);
		assert_int_equal(wire[i].offset_bytes % 4096, 0);
		assert_int_equal(pread(encoded.bulk_fd, &got[i], 1, (off_t)wire[i].offset_bytes),
				 1);
		close(fds[i]);
	}
	assert_int_equal(got[0], 'a');
	assert_int_equal(got[1], 'b');
	assert_int_equal(fcntl(encoded.bulk_fd, F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
	reply_encoded_free(&encoded);
}

/* Everything that decoding hands on must lie within what was handed over. */
static void
check_bounds(const struct trap_source *source, const struct trap_decoded *decoded)
{
	const struct trap_frame *frame = &decoded->frame;
	const uint8_t *stream = decoded->spill != NULL ? decoded->spill : source->data;
	uint64_t total = 0;

	assert_in_range(frame->bytes_size, 0, source->request.stream_size_bytes);
	for (uint32_t i = 0; i < source->request.piece_count; i++) {
		const struct kernel_piece *piece = &decoded->pieces[i];

		if (piece->kind == KERNEL_PIECE_BYTES) {
			const uint8_t *bytes = piece->bytes;

			assert_true(bytes >= stream &&
				    bytes + piece->size_bytes <=
					stream + source->request.stream_size_bytes);
			total += piece->size_bytes;
		} else if (piece->kind == KERNEL_PIECE_SEGMENT) {
			assert_true(piece->offset_bytes + piece->size_bytes <=
				    piece->segment->size_bytes);
		}
	}
	assert_in_range(total, 0, source->request.stream_size_bytes);
}

static void
a_mutated_request_is_refused_or_stays_within_bounds(void **state)
{
	struct kernel_segment segment = { .size_bytes = 65536, .ref_count = 0 };
	struct kernel_piece pieces[3];
	struct trap_result result = full_result(pieces, &segment);
	unsigned seed = 2026, taken = 0, refused = 0;
	_Alignas(8) uint8_t clean[TRAP_DATA_SIZE] = { 0 }, data[TRAP_DATA_SIZE];
	struct reply_encoded encoded = { .capacity = TRAP_DATA_SIZE };

	assert_int_equal(reply_encode(NULL, &result, clean, &encoded), 0);
	for (int i = 0; i < 200000; i++) {
		struct trap_source source =
		    as_request(&encoded, data, 8, rand_r(&seed) % 8 ? &segment : NULL);
		struct trap_decoded decoded = { 0 };

		memcpy(data, clean, 256);
		for (int flips = rand_r(&seed) % 4; flips > 0; flips--) {
			uint8_t *target = rand_r(&seed) % 3 ? data : (uint8_t *)&source.request;
			size_t size = target == data ? encoded.reply.stream_size_bytes : 24;

			target[(size_t)rand_r(&seed) % size] =
			    rand_r(&seed) % 2 ? 0xff : (uint8_t)rand_r(&seed);
		}
		if (trap_decode(&source, &decoded) == KERN_SUCCESS) {
			check_bounds(&source, &decoded);
			taken++;
		} else {
			refused++;
		}
		trap_decode_free(&decoded);
	}
	reply_encoded_free(&encoded);
	assert_true(taken > 1000 && refused > 1000);
}

static void
a_spill_that_is_no_memfd_is_refused_without_reading_it(void **state)
{
	struct trap_source source = { .request = { .number = BERTH_TRAP_MSG,
						   .flags = TRAP_HAS_SPILL,
						   .stream_size_bytes = 100,
						   .prefix_size_bytes = 100 } };
	struct trap_decoded decoded = { 0 };
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	source.spill_fd = ends[0]; /* a read would wait for ever */
	assert_int_equal(trap_decode(&source, &decoded), MACH_SEND_INVALID_DATA);
	trap_decode_free(&decoded);
	close(ends[0]);
	close(ends[1]);

	/* shorter than it says */
	source.spill_fd = memfd_create("unit", MFD_CLOEXEC);
	assert_int_equal(ftruncate(source.spill_fd, 50), 0);
	assert_int_equal(trap_decode(&source, &decoded), MACH_SEND_INVALID_DATA);
	trap_decode_free(&decoded);
	close(source.spill_fd);
}

/* ---- lineage ----------------------------------------------------------------------- */

static void
a_parent_is_found_whatever_the_program_calls_itself(void **state)
{
	static const struct {
		const char *text;
		int parent;
	} cases[] = {
		{ "12 (sh) S 7 12 12", 7 },
		{ "12 (a b) R 7 12 12", 7 },
		{ "12 () S 1) S 4242 12", 4242 },
		{ "12 (x) S 1 (y) Z 99 1", 99 },
		{ "12 ()) S 0 0", 0 },
		{ "12 (sh) S 2147483647 1", 2147483647 },
		{ "12 (sh) S 2147483648 1", -EINVAL },
		{ "12 (sh) S 77", -EINVAL }, /* cut off: it may go on */
		{ "12 (sh) S -7 1", -EINVAL },
		{ "12 (sh) ", -EINVAL },
		{ "12 (sh", -EINVAL },
		{ "12 sh) S", -EINVAL },
		{ "", -EINVAL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(lineage_parse_stat(cases[i].text, strlen(cases[i].text)),
				 cases[i].parent);
	assert_int_equal(lineage_parent(getpid()), getppid());
	assert_true(lineage_descends(getpid(), getppid()));
	assert_false(lineage_descends(getppid(), getpid()));
	assert_int_equal(lineage_parent(0x7ffffff0), 0);
}

/* ---- names and trace --------------------------------------------------------------- */

static void
a_trace_line_names_what_it_shows(void **state)
{
	uint64_t args[KERNEL_ARG_COUNT] = { MACH_SEND_MSG | MACH_RCV_MSG, 24, 128, 0x1203, 500 };
	struct kernel_trace trace = { .kind = TRACE_TRAP, .number = BERTH_TRAP_MSG, .args = args };
	char line[512];

	trace_format(&trace, line, sizeof(line));
	assert_string_equal(line, "mach_msg_trap(option=SEND|RCV, send_size=24, rcv_size=128, "
				  "rcv_name=0x1203, timeout=500, priority=0x0, msg=0x0, "
				  "sync_send=0x0)");
	trace = (struct kernel_trace){ .kind = TRACE_TRAP_DONE,
				       .number = BERTH_TRAP_MSG,
				       .code = MACH_SEND_INVALID_DEST };
	trace_format(&trace, line, sizeof(line));
	assert_string_equal(line, "  = mach_msg_trap: MACH_SEND_INVALID_DEST");
	trace.code = MACH_RCV_BODY_ERROR | MACH_MSG_IPC_SPACE;
	trace_format(&trace, line, sizeof(line));
	assert_string_equal(line, "  = mach_msg_trap: MACH_RCV_BODY_ERROR|0x2000");
	trace = (struct kernel_trace){ .kind = TRACE_IPC_KMSG_COPYIN_HEADER,
				       .name = 0x703,
				       .port_id = 12,
				       .reply_name = 0x803,
				       .bits = MACH_MSGH_BITS(19, 21) };
	trace_format(&trace, line, sizeof(line));
	assert_string_equal(line, "  ipc_kmsg_copyin_header dest=0x703(copy-send) port=12 "
				  "reply=0x803(make-send-once)");
}

static void
every_trap_and_trace_point_has_a_name(void **state)
{
	char line[40];

	for (uint32_t i = 1; i < BERTH_TRAP_LIMIT; i++) {
		bool is_gap =
		    (i > BERTH_TRAP_GET_SPECIAL_REPLY_PORT && i < BERTH_TRAP_PORT_ALLOCATE) ||
		    (i > BERTH_TRAP_PORT_DNREQUEST_INFO && i < BERTH_TRAP_TASK_GET_SPECIAL_PORT) ||
		    (i > BERTH_TRAP_PID_FOR_TASK && i < BERTH_TRAP_SEMAPHORE_SIGNAL) ||
		    (i > BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL && i < BERTH_TRAP_PORT_WATCH) ||
		    (i > BERTH_TRAP_PORT_WATCH && i < BERTH_TRAP_CTL_INFO) ||
		    (i > BERTH_TRAP_SYSTEM_STATISTICS && i < BERTH_TRAP_MK_TIMER_CREATE) ||
		    (i > BERTH_TRAP_MK_TIMER_CANCEL && i < BERTH_TRAP_HOST_CREATE_MACH_VOUCHER) ||
		    (i > BERTH_TRAP_MACH_VOUCHER_EXTRACT_ATTR_RECIPE &&
		     i < BERTH_TRAP_FILEPORT_MAKE) ||
		    (i > BERTH_TRAP_FILEPORT_OPEN && i < BERTH_TRAP_THREAD_STATE_OFFER) ||
		    (i > BERTH_TRAP_THREAD_STATE_WITHDRAW && i < BERTH_TRAP_TASK_FOR_PID) ||
		    (i > BERTH_TRAP_TASK_SUSPEND2 && i < BERTH_TRAP_MEMORY_ENTRY_MAKE) ||
		    (i > BERTH_TRAP_CLOCK_CONTROL_ID && i < BERTH_TRAP_THREAD_SUSPEND) ||
		    (i > BERTH_TRAP_HOST_EXCEPTION_PORT && i < BERTH_TRAP_LANE_BEGIN) ||
		    (i > BERTH_TRAP_LANE_CLOSE && i < BERTH_TRAP_CARRIER_FIND);

		assert_int_equal(name_of_trap(i) == NULL, is_gap);
	}
	for (int kind = TRACE_TRAP; kind <= TRACE_TASK_DIED; kind++) {
		struct kernel_trace trace = { .kind = (enum kernel_trace_kind)kind };

		/* cut where there is no room, and never beyond */
		memset(line, 'x', sizeof(line));
		assert_in_range(trace_format(&trace, line, 20), 1, 19);
		assert_int_equal(line[20], 'x');
		assert_null(strchr(line, '?'));
	}
}

static void
traps_that_give_an_errno_are_traced_with_its_name(void **state)
{
	const uint64_t values[KERNEL_VALUE_COUNT] = { 0 };
	struct kernel_trace trace = { .kind = TRACE_TRAP_DONE,
				      .number = BERTH_TRAP_CTL_INFO,
				      .code = ENOENT,
				      .args = values };
	char line[80];

	trace_format(&trace, line, sizeof(line));
	assert_non_null(strstr(line, "ctl_info: ENOENT"));
	trace.code = 0;
	trace_format(&trace, line, sizeof(line));
	assert_non_null(strstr(line, "ctl_info: 0"));
	trace.code = 123456;
	trace_format(&trace, line, sizeof(line));
	assert_non_null(strstr(line, "0x1e240"));
}

/* ---- waiting ----------------------------------------------------------------------- */

#define ELSEWHERE 1000000u /* no CPU that a test could be moved to */

static void
looking_ends_within_its_window(void **state)
{
	struct wait_state wait = { 0 };
	uint64_t begin_ns = wait_now_ns();

	wait_begin(&wait);
	while (wait_look(&wait, ELSEWHERE))
		continue;
	assert_in_range(wait_now_ns() - begin_ns, wait.window_ns / 2, 20000000000);
}

static void
who_yields_to_nobody_sleeps(void **state)
{
	struct wait_state wait = { 0 };
	uint32_t yields;

	wait_begin(&wait);
	wait.untaken = WAIT_UNTAKEN_MAX;
	assert_false(wait_look(&wait, wait_cpu()));
	assert_true(wait_look(&wait, ELSEWHERE)); /* it need not run here */
	/* now and then that is chance; always, and it is not tried for a while */
	for (yields = 1; wait.yields_off == 0; yields++) {
		wait_begin(&wait);
		wait.untaken = WAIT_UNTAKEN_MAX;
		assert_false(wait_look(&wait, 0));
	}
	assert_in_range(yields, 4, WAIT_FRUITLESS_MAX / 4);
	/* who runs elsewhere is looked for all the same: nobody wants this CPU */
	wait_begin(&wait);
	wait.spins = WAIT_SPINS_FIRST;
	assert_false(wait_look(&wait, wait_cpu()));
	assert_true(wait_look(&wait, ELSEWHERE));
	wait = (struct wait_state){ 0 };
	for (yields = 0; yields < 10 * WAIT_FRUITLESS_MAX; yields++) {
		wait_begin(&wait);
		wait.has_yielded = true;
		if (yields % 4 == 0) {
			wait.untaken = WAIT_UNTAKEN_MAX;
			assert_false(wait_look(&wait, 0));
		} else {
			wait_end(&wait); /* it was there */
		}
	}
	assert_int_equal(wait.yields_off, 0);
}

static void
yields_to_nobody_become_few_but_go_on_where_others_are_taken(void **state)
{
	struct wait_state wait = { 0 };

	/* every other wait is for somebody whom a yield does not reach */
	for (uint32_t i = 0; i < 10 * WAIT_FRUITLESS_MAX; i++) {
		wait_begin(&wait);
		wait.has_yielded = true;
		wait_end(&wait);
		wait_begin(&wait);
		wait.untaken = wait.patience;
		assert_false(wait_look(&wait, wait_cpu()));
	}
	assert_int_equal(wait.patience, 1);
	assert_int_equal(wait.yields_off, 0);
	/* it was worth it, this time */
	wait_begin(&wait);
	wait.has_yielded = true;
	wait.untaken = 1;
	wait_end(&wait);
	assert_int_equal(wait.patience, 2);
}

static void
the_kernel_waits_for_whom_it_answered(void **state)
{
	/* who rang is here, and waits for the same one, who is elsewhere */
	const struct host host = { .cpu = 1, .rang_cpu = 1, .woken_cpu = 2 };

	assert_int_equal(hot_peer_cpu(&host), 2);
	assert_int_equal(hot_peer_cpu(&(struct host){ .cpu = 1, .rang_cpu = 1 }), 1);
}

static void
who_waits_for_another_cpu_leaves_his_own_to_others(void **state)
{
	struct wait_state wait = { 0 };

	wait_begin(&wait);
	for (uint32_t i = 0; i < WAIT_HOG_YIELDS; i++) {
		wait.last_ns = wait_now_ns() - 2 * WAIT_HOG_NS;
		wait_yield(&wait);
	}
	assert_int_not_equal(wait.yields_off, 0);
	wait.spins = WAIT_SPINS_FIRST;
	assert_false(wait_look(&wait, ELSEWHERE));
}

/* Peers, too, have this CPU for tens of microseconds before they yield.  The yield itself may be
 * longer where others run: so what it took is looked at. */
static void
a_peer_that_works_is_no_hog(void **state)
{
	for (int i = 0; i < 100; i++) {
		struct wait_state wait = { .last_ns = wait_now_ns() - WAIT_HOG_NS / 4 };
		uint64_t before_ns = wait.last_ns;

		wait_yield(&wait);
		assert_int_equal(wait.long_ones, wait.last_ns - before_ns > WAIT_HOG_NS);
	}
}

static void
a_short_wait_reads_no_clock(void **state)
{
	struct wait_state wait = { 0 };

	wait_begin(&wait);
	for (uint32_t i = 0; i + 1 < WAIT_SPINS_FIRST; i++)
		assert_true(wait_look(&wait, ELSEWHERE));
	assert_int_equal(wait.begun_ns, 0);
	wait_begin(&wait);
	assert_true(wait_look(&wait, wait_cpu())); /* yields */
	assert_int_equal(wait.begun_ns, 0);
	wait_look(&wait, wait_cpu());
	assert_int_not_equal(wait.begun_ns, 0);
}

static void
after_a_long_yield_each_is_measured_for_a_while(void **state)
{
	struct wait_state wait = { .clocked = 3 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		wait_begin(&wait);
		wait_look(&wait, wait_cpu());
		assert_int_not_equal(wait.begun_ns, 0);
	}
	wait_begin(&wait);
	wait_look(&wait, wait_cpu());
	assert_int_equal(wait.begun_ns, 0);
}

static void
beside_a_hog_yielding_stops_for_longer_and_longer(void **state)
{
	struct wait_state wait = { 0 };
	uint32_t last = 0;

	for (int i = 0; i < 10; i++) {
		wait_begin(&wait);
		wait.yields_off = 0;
		if (i == 0) {
			/* a single one says nothing */
			wait.last_ns = wait_now_ns() - 2 * WAIT_HOG_NS;
			wait_yield(&wait);
			assert_int_equal(wait.yields_off, 0);
		}
		wait.last_ns =
		    wait_now_ns() - 2 * WAIT_HOG_NS; /* as if the yield had taken so long */
		wait_yield(&wait);
		assert_true(wait.yields_off >= last && wait.yields_off >= WAIT_HOG_PENALTY_MIN);
		assert_true(wait.yields_off <= WAIT_HOG_PENALTY_MAX);
		last = wait.yields_off;
	}
	assert_int_equal(last, WAIT_HOG_PENALTY_MAX);
	wait_begin(&wait);
	assert_int_equal(wait.yields_off, last - 1);
	assert_false(wait_look(&wait, 0)); /* sleeps at once */
	assert_true(wait_look(&wait, ELSEWHERE));
}

static void
slept(struct wait_state *wait, uint64_t ns)
{
	wait_sleeps(wait);
	wait->last_ns -= ns;
	wait_woken(wait);
}

static void
the_window_learns_from_sleeps(void **state)
{
	struct wait_state wait = { .floor_ns = 7000 };

	wait_begin(&wait);
	assert_int_equal(wait.window_ns, WAIT_WINDOW_FIRST_NS);
	slept(&wait, 2 * WAIT_LONG_SLEEP_NS);
	assert_int_equal(wait.window_ns, 7000);
	/* one short sleep between long ones says nothing: a call every now and then */
	slept(&wait, 0);
	assert_int_equal(wait.window_ns, 7000);
	slept(&wait, 2 * WAIT_LONG_SLEEP_NS);
	for (int i = 0; i < 6; i++)
		slept(&wait, 0);
	assert_int_equal(wait.window_ns, WAIT_WINDOW_MAX_NS);
	/* longer than looking could have taken, and no pause either: by and by it is given up */
	slept(&wait, WAIT_SHORT_SLEEP_NS + 10000);
	assert_int_equal(wait.window_ns, WAIT_WINDOW_MAX_NS / 2);
	for (int i = 0; i < 4; i++)
		slept(&wait, WAIT_SHORT_SLEEP_NS + 10000);
	assert_int_equal(wait.window_ns, 7000);
}

static void
who_need_not_look_sleeps_at_once(void **state)
{
	struct wait_state wait = { 0 };

	wait_begin(&wait);
	slept(&wait, 2 * WAIT_LONG_SLEEP_NS);
	assert_false(wait_look(&wait, 0));
	/* a moment of spinning is never wrong where the kernel runs elsewhere */
	assert_true(wait_look(&wait, ELSEWHERE));
}

/* Nobody takes yields @times: how long the last find of that stops them, in waits. */
static uint32_t
stopped_after(struct wait_state *wait, uint32_t times)
{
	for (uint32_t i = 0; i < times; i++) {
		wait->yields_off = 0;
		wait->fruitless = WAIT_FRUITLESS_MAX - 2;
		wait_was_fruitless(wait);
	}
	return wait->yields_off;
}

static void
only_a_hog_stops_yields_for_long(void **state)
{
	struct wait_state wait = { 0 };

	wait_begin(&wait);
	assert_int_equal(stopped_after(&wait, 10), WAIT_HOG_PENALTY_MIN);
	slept(&wait, 2 * WAIT_SLICE_NS);
	assert_int_equal(stopped_after(&wait, 3), 8 * WAIT_HOG_PENALTY_MIN);
	wait.slice_ns -= WAIT_NO_HOG_NS; /* it is gone */
	assert_int_equal(stopped_after(&wait, 1), WAIT_HOG_PENALTY_MIN);
}

/* A wait for a peer elsewhere, which is met after @spins; how many were made. */
static uint32_t
spun(struct wait_state *wait, uint32_t spins)
{
	uint32_t first, made = 0;

	wait_begin(wait);
	wait->window_ns = 0;
	first = wait->spins;
	while (made < spins && wait_look(wait, ELSEWHERE))
		made++;
	wait_end(wait);
	return wait->spins - first;
}

static void
who_spins_in_vain_spins_seldom(void **state)
{
	struct wait_state wait = { 0 };
	uint32_t waits = 1;

	for (uint32_t i = 0; i < WAIT_VAIN_MAX; i++)
		assert_int_equal(spun(&wait, UINT32_MAX), WAIT_SPINS_FIRST);
	while (spun(&wait, UINT32_MAX) == 0)
		waits++;
	assert_int_equal(waits, WAIT_VAIN_AGAIN);
	while (spun(&wait, 10) == 0)
		waits++;
	assert_int_equal(waits, 2 * WAIT_VAIN_AGAIN - 1);
	assert_int_equal(spun(&wait, UINT32_MAX), WAIT_SPINS_FIRST); /* it has paid */
}

static void *
set_later(void *word)
{
	usleep(20000);
	atomic_store((_Atomic uint32_t *)word, 1);
	wait_wake(word, 1);
	return NULL;
}

static void
either_of_two_words_wakes(void **state)
{
	for (int which = 0; which < 2; which++) {
		_Atomic uint32_t words[2] = { 0, 0 };
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, set_later, (void *)&words[which]),
				 0);
		while (atomic_load(&words[0]) == 0 && atomic_load(&words[1]) == 0)
			assert_int_not_equal(wait_futex_either(&words[0], 0, &words[1], 0,
							       wait_now_ns() + 5000000000u),
					     -ETIMEDOUT);
		assert_int_equal(words[which], 1);
		pthread_join(thread, NULL);
	}
	_Atomic uint32_t word = 0;

	assert_int_equal(wait_futex(&word, 1, WAIT_FOREVER), -EAGAIN);
	assert_int_equal(wait_futex(&word, 0, wait_now_ns() + 1000000), -ETIMEDOUT);
	assert_int_equal(wait_futex_either(&word, 0, &word, 1, WAIT_FOREVER), -EAGAIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_encoded_is_decoded_again),
		cmocka_unit_test(pieces_of_several_segments_are_gathered_in_one),
		cmocka_unit_test(a_mutated_request_is_refused_or_stays_within_bounds),
		cmocka_unit_test(a_spill_that_is_no_memfd_is_refused_without_reading_it),
		cmocka_unit_test(a_parent_is_found_whatever_the_program_calls_itself),
		cmocka_unit_test(a_trace_line_names_what_it_shows),
		cmocka_unit_test(every_trap_and_trace_point_has_a_name),
		cmocka_unit_test(traps_that_give_an_errno_are_traced_with_its_name),
		cmocka_unit_test(looking_ends_within_its_window),
		cmocka_unit_test(who_yields_to_nobody_sleeps),
		cmocka_unit_test(yields_to_nobody_become_few_but_go_on_where_others_are_taken),
		cmocka_unit_test(the_kernel_waits_for_whom_it_answered),
		cmocka_unit_test(who_waits_for_another_cpu_leaves_his_own_to_others),
		cmocka_unit_test(a_peer_that_works_is_no_hog),
		cmocka_unit_test(a_short_wait_reads_no_clock),
		cmocka_unit_test(after_a_long_yield_each_is_measured_for_a_while),
		cmocka_unit_test(beside_a_hog_yielding_stops_for_longer_and_longer),
		cmocka_unit_test(the_window_learns_from_sleeps),
		cmocka_unit_test(who_need_not_look_sleeps_at_once),
		cmocka_unit_test(only_a_hog_stops_yields_for_long),
		cmocka_unit_test(who_spins_in_vain_spins_seldom),
		cmocka_unit_test(either_of_two_words_wakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
