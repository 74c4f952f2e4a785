/*
 * The host of the tests: see world.h.
 *
 * The heap puts the size in front of each piece, so that a piece given back with another
 * size than it was asked with is found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/message.h"
#include "tests/support/world.h"
#include "wire/mach_lane.h"

/* ---- a kernel that has lost count -------------------------------------------------------- */

/* The core's; weak there, so that a host can say first what went wrong. */
_Noreturn void kernel_check_failed(const char *expression, const char *file, int line);

_Noreturn void
kernel_check_failed(const char *expression, const char *file, int line)
{
	fprintf(stderr, "%s:%d: the kernel stops: %s\n", file, line, expression);
	abort();
}

/* ---- memory that can fail ---------------------------------------------------------- */

struct heap_head {
	size_t size_bytes;
	size_t magic;
};

#define HEAP_MAGIC ((size_t)0x6865617068656164)

static void *
fault_alloc(void *context, size_t size_bytes)
{
	struct fault *fault = context;
	struct heap_head *head;

	if (fault->armed && (++fault->asked == fault->fail_at ||
			     (fault->lasting && fault->asked > fault->fail_at))) {
		fault->hit = true;
		return NULL;
	}
	head = malloc(sizeof *head + size_bytes);
	if (!head)
		fail_msg("the test itself has no memory");
	head->size_bytes = size_bytes;
	head->magic = HEAP_MAGIC;
	memset(head + 1, 0xa5, size_bytes); /* nothing is zero unless the core made it so */
	fault->live_count++;
	fault->live_bytes += size_bytes;
	return head + 1;
}

static void
fault_free(void *context, void *memory, size_t size_bytes)
{
	struct fault *fault = context;
	struct heap_head *head;

	if (!memory)
		return;
	head = (struct heap_head *)memory - 1;
	if (head->magic != HEAP_MAGIC || head->size_bytes != size_bytes)
		fail_msg("freed %zu bytes that were %zu when asked for", size_bytes,
			 head->size_bytes);
	fault->live_count--;
	fault->live_bytes -= size_bytes;
	memset(head, 0x5a, sizeof *head + size_bytes);
	free(head);
}

void
fault_init(struct fault *fault)
{
	*fault = (struct fault){ .heap = { fault_alloc, fault_free, fault } };
}

void
fault_arm(struct fault *fault)
{
	fault->armed = true;
}

bool
fault_next(struct fault *fault)
{
	uint64_t fail_at = fault->fail_at;

	if (fail_at != 0 && !fault->hit)
		return false;
	fault_init(fault);
	fault->fail_at = fail_at + 1;
	return true;
}

/* ---- effects ----------------------------------------------------------------------- */

static void
piece_copy(struct piece *to, const struct kernel_piece *from)
{
	const uint8_t *bytes = from->bytes;

	to->kind = from->kind;
	to->size_bytes = from->size_bytes;
	if (from->kind == KERNEL_PIECE_SEGMENT) {
		struct segment *segment = (struct segment *)from->segment;

		assert_true(from->offset_bytes + from->size_bytes <= segment->core.size_bytes);
		to->segment = from->segment;
		bytes = segment->bytes + from->offset_bytes;
	}
	to->bytes = malloc(from->size_bytes + 1);
	if (from->size_bytes)
		memcpy(to->bytes, bytes, from->size_bytes);
}

static void
outcome_free(struct outcome *outcome)
{
	for (uint32_t i = 0; i < outcome->piece_count; i++)
		free(outcome->pieces[i].bytes);
	free(outcome->pieces);
	free(outcome->tail.bytes);
	free(outcome->bytes);
	free(outcome->trailer);
	*outcome = (struct outcome){ 0 };
}

static void *
copy(const void *bytes, uint32_t size_bytes)
{
	void *to = malloc(size_bytes + 1u);

	if (size_bytes)
		memcpy(to, bytes, size_bytes);
	return to;
}

static void
outcome_copy(struct world *w, struct outcome *to, const struct trap_result *from)
{
	to->code = from->code;
	to->guard = from->guard;
	memcpy(to->values, from->values, sizeof to->values);
	to->bytes_size = from->bytes_size;
	to->bytes = copy(from->bytes, from->bytes_size);
	to->trailer_size = from->trailer_size;
	to->trailer = copy(from->trailer, from->trailer_size);
	to->has_tail = from->has_tail;
	if (from->has_tail)
		piece_copy(&to->tail, &from->tail);
	to->piece_count = from->piece_count;
	to->pieces = calloc(from->piece_count + 1u, sizeof *to->pieces);
	for (uint32_t i = 0; i < from->piece_count; i++)
		piece_copy(&to->pieces[i], &from->pieces[i]);
	to->file = (const struct file *)from->file;
	to->shared = from->shared ? from->shared->address : NULL;
	if (from->watch && from->watch->host) {
		to->watch = from->watch->host; /* asked again: the same one */
	} else if (from->watch) {
		struct watch *watch = calloc(1, sizeof *watch);

		watch->core = from->watch;
		watch->ready = from->watch->ready;
		watch->next = w->watches;
		w->watches = watch;
		from->watch->host = watch;
		to->watch = watch;
	}
}

static void
watch_told(struct world *w, struct kernel_watch *core)
{
	struct watch *watch = core->host;

	if (!watch)
		return; /* not ours yet: its trap completes in this very step */
	watch->told++;
	watch->ready = core->ready;
	watch->closed = core->closed;
	if (core->closed) {
		kernel_watch_free(w->kernel, core);
		watch->core = NULL;
	}
}

/* As an effect: the last reference has gone. */
static void
file_end(struct file *file)
{
	assert_int_equal(file->core.ref_count, 0);
	file->world->live_files--;
	free(file);
}

static struct shared *
shared_new(struct world *w, size_t size_bytes)
{
	struct shared *shared = w->no_shared ? NULL : calloc(1, sizeof *shared);

	if (!shared)
		return NULL;
	shared->core.ref_count = 1;
	shared->core.address = calloc(1, size_bytes);
	shared->world = w;
	w->live_shared++;
	return shared;
}

/* As an effect: its sleepers would be woken, and if the last reference has gone it ends. */
static void
shared_told(struct shared *shared)
{
	if (shared->core.ref_count > 0)
		return;
	shared->world->live_shared--;
	if (shared->world->keeps_shared) {
		shared->next = shared->world->ended;
		shared->world->ended = shared;
		return;
	}
	free(shared->core.address);
	free(shared);
}

static void
work_off_shared(struct kernel_effects *effects)
{
	struct kernel_shared *shared;
	uint64_t wakes;

	while ((shared = kernel_effects_shared(effects, &wakes)))
		shared_told((struct shared *)shared);
}

/* What the host brings along for the traps of lanes: what the core asks for, as berthd does. */
static void
provide_shared(struct world *w, const struct task *task, struct trap_frame *frame)
{
	uint32_t wanted = kernel_lane_memory_wanted(task, frame);

	if (wanted == 1) {
		frame->shared[0] = (struct kernel_shared *)shared_new(w, sizeof(struct mach_lane));
	} else if (wanted == 2) {
		frame->shared[0] =
		    (struct kernel_shared *)shared_new(w, sizeof(struct mach_lane_table));
		frame->shared[1] =
		    (struct kernel_shared *)shared_new(w, sizeof(struct mach_lane_gates));
	}
}

static void
drop_shared(const struct trap_frame *frame)
{
	struct kernel_effects effects;

	kernel_effects_init(&effects);
	for (int i = 0; i < 2; i++)
		if (frame->shared[i])
			kernel_shared_unref(frame->shared[i], &effects);
	work_off_shared(&effects);
}

static void
world_step(struct world *w, struct kernel_event *event)
{
	struct kernel_effects effects;
	struct thread *thread;
	struct kernel_segment *segment;
	struct kernel_watch *watch;
	struct kernel_file *file;
	struct task *resumed;

	kernel_effects_init(&effects);
	event->now_ns = w->now_ns;
	event->wall_offset_ns = w->wall_offset_ns;
	w->completed = 0;
	kernel_step(w->kernel, event, &effects);
	while ((resumed = kernel_effects_resumed(&effects)))
		((struct party *)kernel_task_host(resumed))->resumed++;
	while ((thread = kernel_effects_thread(&effects))) {
		struct actor *actor = kernel_thread_host(thread);

		assert_ptr_equal(actor->thread, thread);
		assert_false(actor->done); /* each trap completes once */
		assert_false(kernel_thread_is_parked(thread));
		outcome_copy(w, &actor->outcome, thread_result(thread));
		thread_result_free(thread, &effects);
		actor->done = true;
		actor->parked = false;
		w->completed++;
	}
	while ((segment = kernel_effects_segment(&effects)))
		segment_drop((struct segment *)segment);
	while ((watch = kernel_effects_watch(&effects)))
		watch_told(w, watch);
	while ((file = kernel_effects_file(&effects)))
		file_end((struct file *)file);
	work_off_shared(&effects);
	if (!w->quiet_audit)
		kernel_audit(w->kernel);
}

/* ---- events ------------------------------------------------------------------------ */

/* A copy that ends where the frame says, so that a sanitizer sees a read beyond it. */
static void *
lend(const void *bytes, uint32_t size_bytes)
{
	void *lent = malloc(size_bytes ? size_bytes : 1u);

	if (size_bytes)
		memcpy(lent, bytes, size_bytes);
	return lent;
}

static void
take_back(void *lent, uint32_t size_bytes)
{
	if (lent)
		memset(lent, 0xee, size_bytes);
	free(lent);
}

static struct kernel_piece
lend_piece(const struct kernel_piece *piece)
{
	struct kernel_piece lent = *piece;

	if (piece->kind == KERNEL_PIECE_BYTES)
		lent.bytes = lend(piece->bytes, piece->size_bytes);
	return lent;
}

static void
take_back_piece(const struct kernel_piece *piece)
{
	if (piece->kind == KERNEL_PIECE_BYTES)
		take_back((void *)(uintptr_t)piece->bytes, piece->size_bytes);
}

bool
world_trap(struct actor *actor, const struct trap_frame *asked)
{
	struct world *w = actor->world;
	struct trap_frame frame = *asked;
	struct kernel_piece *pieces = calloc(asked->piece_count + 1u, sizeof *pieces);

	assert_non_null(actor->thread);
	assert_false(actor->parked);
	outcome_free(&actor->outcome);
	actor->done = false;

	frame.bytes = lend(asked->bytes, asked->bytes_size);
	for (uint32_t i = 0; i < asked->piece_count; i++)
		pieces[i] = lend_piece(&asked->pieces[i]);
	frame.pieces = pieces;
	if (frame.has_tail)
		frame.tail = lend_piece(&asked->tail);
	provide_shared(w, actor->party->task, &frame);

	world_step(w, &(struct kernel_event){
			  .kind = EVENT_TRAP, .thread = actor->thread, .frame = &frame });
	drop_shared(&frame);

	take_back((void *)(uintptr_t)frame.bytes, frame.bytes_size);
	for (uint32_t i = 0; i < asked->piece_count; i++)
		take_back_piece(&pieces[i]);
	free(pieces);
	if (frame.has_tail)
		take_back_piece(&frame.tail);

	actor->parked = !actor->done;
	assert_int_equal(kernel_thread_is_parked(actor->thread), actor->parked);
	if (!actor->done)
		return false;
	actor->done = false;
	return true;
}

const struct outcome *
world_completed(struct actor *actor)
{
	assert_true(actor->done);
	actor->done = false;
	return &actor->outcome;
}

void
world_look(struct world *w)
{
	world_step(w, &(struct kernel_event){ .kind = EVENT_LOOK });
}

void
world_interrupt(struct actor *actor)
{
	world_step(actor->world,
		   &(struct kernel_event){ .kind = EVENT_INTERRUPT, .thread = actor->thread });
}

void
world_thread_exit(struct actor *actor)
{
	struct thread *thread = actor->thread;

	actor->thread = NULL;
	outcome_free(&actor->outcome);
	actor->done = actor->parked = false;
	world_step(actor->world,
		   &(struct kernel_event){ .kind = EVENT_THREAD_EXIT, .thread = thread });
}

static void
party_forget_threads(struct party *party)
{
	for (uint32_t i = 0; i < party->actor_count; i++) {
		struct actor *actor = &party->actors[i];

		actor->thread = NULL;
		actor->done = actor->parked = false;
		outcome_free(&actor->outcome);
	}
}

void
world_task_exec(struct party *party)
{
	party_forget_threads(party);
	world_step(party->world,
		   &(struct kernel_event){ .kind = EVENT_TASK_EXEC, .task = party->task });
}

void
world_task_die(struct party *party)
{
	struct task *task = party->task;

	party_forget_threads(party);
	party->task = NULL;
	world_step(party->world, &(struct kernel_event){ .kind = EVENT_TASK_DIED, .task = task });
}

void
world_advance_ms(struct world *w, uint64_t ms)
{
	w->now_ns += ms * 1000000;
	world_step(w, &(struct kernel_event){ .kind = EVENT_DEADLINE });
	assert_true(kernel_next_deadline_ns(w->kernel) > w->now_ns);
}

/* ---- segments ---------------------------------------------------------------------- */

struct segment *
segment_new(struct world *w, const void *bytes, uint64_t size_bytes)
{
	struct segment *segment = calloc(1, sizeof *segment);

	segment->core.size_bytes = size_bytes;
	segment->core.ref_count = 1;
	segment->world = w;
	segment->bytes = malloc(size_bytes + 1);
	memcpy(segment->bytes, bytes, size_bytes);
	w->live_segments++;
	return segment;
}

/* As an effect: the last reference has gone. */
static void
segment_end(struct segment *segment)
{
	segment->world->live_segments--;
	free(segment->bytes);
	free(segment);
}

void
segment_drop(struct segment *segment)
{
	struct world *w = segment->world;
	struct kernel_effects effects;
	struct kernel_segment *gone;

	if (segment->core.ref_count == 0) {
		segment_end(segment);
		return;
	}
	kernel_effects_init(&effects);
	kernel_segment_unref(&segment->core, &effects);
	while ((gone = kernel_effects_segment(&effects)))
		segment_end((struct segment *)gone);
	kernel_audit(w->kernel);
}

/* ---- files ------------------------------------------------------------------------- */

struct file *
file_new(struct world *w)
{
	struct file *file = calloc(1, sizeof *file);

	file->core.ref_count = 1;
	file->world = w;
	w->live_files++;
	return file;
}

void
file_drop(struct file *file)
{
	struct world *w = file->world;
	struct kernel_effects effects;
	struct kernel_file *gone;

	kernel_effects_init(&effects);
	kernel_file_unref(&file->core, &effects);
	while ((gone = kernel_effects_file(&effects)))
		file_end((struct file *)gone);
	kernel_audit(w->kernel);
}

/* ---- tasks ------------------------------------------------------------------------- */

struct actor *
world_thread_new(struct party *party)
{
	struct actor *actor = &party->actors[party->actor_count];

	assert_true(party->actor_count < TASK_THREADS_MAX);
	*actor = (struct actor){ .world = party->world,
				 .party = party,
				 .target = BERTH_NAME_TASK_SELF,
				 .receive_buffer = 0x7000000 };
	actor->thread = kernel_thread_new(party->task, NULL, actor);
	if (!actor->thread)
		return NULL;
	kernel_thread_set_promise(actor->thread, &actor->promise);
	party->actor_count++;
	kernel_audit(party->world->kernel);
	return actor;
}

struct party *
world_task_new(struct world *w, struct party *parent)
{
	struct party *party = &w->parties[w->party_count];
	uint32_t n = w->party_count;

	assert_true(n < WORLD_TASKS_MAX);
	memset(party, 0, sizeof *party);
	party->world = w;
	party->index = n;
	party->token = (audit_token_t){ { 1000 + n, 2000 + n, 3000 + n, 4000 + n, 5000 + n, 100 + n,
					  77, 1 + n } };
	party->task =
	    kernel_task_new(w->kernel, &party->token, parent ? parent->task : NULL, party);
	if (!party->task)
		return NULL;
	w->party_count++;
	kernel_audit(w->kernel);
	if (!world_thread_new(party)) {
		world_task_die(party);
		return NULL;
	}
	return party;
}

struct actor *
world_actor(struct world *w, uint32_t task_index)
{
	assert_true(task_index < w->party_count);
	return &w->parties[task_index].actors[0];
}

const struct kernel_host_facts world_facts = {
	.memory_bytes = 0x123456789000,
	.page_bytes = 16384,
	.cpu_count = 6,
	.cpu_max = 8,
	.core_count = 3,
	.core_max = 4,
	.quantum_ms = 10,
	.cpu_type = 0x0100000c,
	.cpu_subtype = 2,
	.version = "A kernel of the tests",
};

/* ---- a world ----------------------------------------------------------------------- */

/*
 * Everybody gets a send right to everybody's mailbox.  The first task's mailbox is its
 * bootstrap port, which the others inherit; over that they introduce themselves.
 */
static void
connect(struct world *w)
{
	struct actor *hub = world_actor(w, 0);
	struct party *first = hub->party;

	assert_ok(port_allocate(hub, MACH_PORT_RIGHT_RECEIVE, &first->mailbox));
	assert_ok(port_insert_right(hub, first->mailbox, first->mailbox, MACH_MSG_TYPE_MAKE_SEND));
	assert_ok(set_special_port(hub, 4, first->mailbox));
	first->mailbox_of[0] = first->mailbox;
}

static void
introduce(struct party *party)
{
	struct world *w = party->world;
	struct party *first = &w->parties[0];
	struct actor *actor = &party->actors[0];
	uint32_t n = party->index;

	assert_ok(port_allocate(actor, MACH_PORT_RIGHT_RECEIVE, &party->mailbox));
	assert_ok(
	    port_insert_right(actor, party->mailbox, party->mailbox, MACH_MSG_TYPE_MAKE_SEND));
	party->mailbox_of[n] = party->mailbox;
	party->mailbox_of[0] = kernel_task_bootstrap_name(party->task);
	assert_int_equal(party->mailbox_of[0], BERTH_NAME_BOOTSTRAP);
	first->mailbox_of[n] =
	    give(actor, party->mailbox, MACH_MSG_TYPE_COPY_SEND, &first->actors[0]);
	for (uint32_t i = 1; i < n; i++) {
		struct party *other = &w->parties[i];

		other->mailbox_of[n] = give(&first->actors[0], first->mailbox_of[n],
					    MACH_MSG_TYPE_COPY_SEND, &other->actors[0]);
		party->mailbox_of[i] =
		    give(&first->actors[0], first->mailbox_of[i], MACH_MSG_TYPE_COPY_SEND, actor);
	}
}

static struct world *
world_make(struct fault *fault, uint32_t task_count, bool quiet_audit)
{
	struct world *w = calloc(1, sizeof *w);

	w->quiet_audit = quiet_audit;
	fault_init(&w->own_heap);
	w->fault = fault ? fault : &w->own_heap;
	w->now_ns = 1000000000;
	w->wall_offset_ns = 1700000000123456789;
	w->kernel = kernel_new(&(struct kernel_config){
	    .heap = w->fault->heap, .random_seed = 0x5eed5eed5eed, .facts = world_facts });
	if (!w->kernel) {
		free(w);
		return NULL;
	}
	for (uint32_t i = 0; i < task_count; i++) {
		if (!world_task_new(w, i > 0 ? &w->parties[0] : NULL)) {
			world_free(w);
			return NULL;
		}
		if (task_count > 1 && i == 0)
			connect(w);
		else if (task_count > 1)
			introduce(&w->parties[i]);
	}
	return w;
}

struct world *
world_new_on(struct fault *fault, uint32_t task_count)
{
	return world_make(fault, task_count, false);
}

struct world *
world_new(uint32_t task_count)
{
	struct world *w = world_new_on(NULL, task_count);

	assert_non_null(w);
	return w;
}

struct world *
world_new_quiet(uint32_t task_count)
{
	struct world *w = world_make(NULL, task_count, true);

	assert_non_null(w);
	return w;
}

void
world_free(struct world *w)
{
	struct fault *fault = w->fault;

	for (uint32_t i = 0; i < w->party_count; i++)
		if (w->parties[i].task)
			world_task_die(&w->parties[i]);
	for (struct watch *watch = w->watches, *next; watch; watch = next) {
		next = watch->next;
		assert_null(watch->core); /* its task is dead: the kernel has closed it */
		free(watch);
	}
	assert_null(kernel_free(w->kernel));
	assert_int_equal(fault->live_count, 0);
	assert_int_equal(fault->live_bytes, 0);
	assert_int_equal(w->live_segments, 0);
	assert_int_equal(w->live_files, 0);
	assert_int_equal(w->live_shared, 0);
	while (w->ended) {
		struct shared *shared = w->ended;

		w->ended = shared->next;
		free(shared->core.address);
		free(shared);
	}
	free(w);
}

/* ---- looking ----------------------------------------------------------------------- */

static void
dump_write(void *context, const char *text, size_t size_bytes)
{
	fwrite(text, 1, size_bytes, context);
}

char *
world_dump(struct world *w)
{
	char *text = NULL;
	size_t size_bytes = 0;
	FILE *stream = open_memstream(&text, &size_bytes);

	kernel_dump(w->kernel, dump_write, stream);
	fclose(stream);
	return text;
}

struct kernel_counts
world_counts(struct world *w)
{
	struct kernel_counts counts;

	kernel_counts(w->kernel, &counts);
	return counts;
}

void
world_same(char *before, char *after, const char *file, int line)
{
	const char *b = before, *a = after;

	if (strcmp(before, after) != 0) {
		/* back to the start of the first line that differs */
		while (*b && *b == *a)
			b++, a++;
		while (b > before && b[-1] != '\n')
			b--, a--;
		print_error("a call that was refused left a trace:\n before: %.*s\n after:  %.*s\n",
			    (int)strcspn(b, "\n"), b, (int)strcspn(a, "\n"), a);
		_fail(file, line);
	}
	free(before);
	free(after);
}
