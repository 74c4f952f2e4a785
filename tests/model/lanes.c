/* See lanes.h. */
#include "tests/model/lanes.h"

#include <string.h>

/* Below @bound: the same for the same step and question. */
static uint32_t
draw(const struct play_lanes *l, const struct step *step, uint32_t question, uint32_t bound)
{
	uint64_t z = (l->seed << 32) + ((uint64_t)step->id << 8) + question;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)(((z ^ z >> 31) >> 32) * bound >> 32);
}

/* In so many of hundred steps; when lanes are forced, always. */
static bool
wants(const struct play_lanes *l, const struct step *step, uint32_t question, uint32_t percent)
{
	return l->mode == LANES_FORCED || draw(l, step, question, 100) < percent;
}

enum question {
	ASK_BEGIN,
	ASK_WHO_BEGINS,
	ASK_CLOSE,
	ASK_WHOSE,
	ASK_WHICH,
	ASK_TAKE_OVER,
	ASK_OPEN,
	ASK_ACCEPT,
	ASK_SEND,
	ASK_RECEIVE,
	ASK_LOOK,
	ASK_BETWEEN_SEND,
	ASK_BETWEEN_RECEIVE
};

/* ---- traps --------------------------------------------------------------------------------- */

struct asker {
	struct play *play;
	uint32_t index;
};

static struct lane_trap
aside(void *context, uint32_t number, uint64_t arg0, uint64_t arg1)
{
	const struct asker *asker = context;

	return play_aside(asker->play, asker->index, number, arg0, arg1);
}

static void
begin(struct play_lanes *l, uint32_t index)
{
	if (play_task(l->play, index))
		lane_task_begin(&l->tasks[index], aside, &(struct asker){ l->play, index });
}

static void
accept_all(struct play_lanes *l)
{
	for (uint32_t i = 0; i < M_TASKS; i++)
		if (play_task(l->play, i) && kernel_task_has_lane_offers(play_task(l->play, i)))
			lane_task_accept(&l->tasks[i], &l->memory, aside,
					 &(struct asker){ l->play, i });
}

/* A lane for what @task is about to send, if it is to have one, and where its answer goes. */
static void
provide(struct play_lanes *l, const struct step *step, uint32_t index,
	const mach_msg_header_t *header, enum lane_shape shape)
{
	struct lane_task *task = &l->tasks[index];
	struct asker asker = { l->play, index };
	uint32_t lane;

	if (!task->table || (shape != LANE_SHAPE_ONE_WAY && shape != LANE_SHAPE_REQUEST))
		return;
	lane = lane_of_right(task, header->msgh_remote_port);
	if (lane == MACH_LANE_MAX && wants(l, step, ASK_OPEN, 50))
		lane = lane_task_open(task, &l->memory, header->msgh_remote_port, aside, &asker);
	if (wants(l, step, ASK_ACCEPT, 90))
		accept_all(l);
	if (lane < MACH_LANE_MAX && shape == LANE_SHAPE_REQUEST)
		lane_task_bind(task, lane, header->msgh_local_port, aside, &asker);
}

/* ---- half done ------------------------------------------------------------------------------- */

/* What may come between the two halves of a step. */
static void
between(struct play_lanes *l, const struct step *step, uint32_t question)
{
	const uint32_t task = draw(l, step, question + 32, M_TASKS);

	if (l->mode == LANES_FORCED)
		return;
	switch (draw(l, step, question, 20)) {
	case 0:
		play_take_over(l->play);
		break;
	case 1: /* it makes all rights to answer real */
		if (play_task(l->play, task))
			play_aside(l->play, task, BERTH_TRAP_PORT_NAMES, BERTH_NAME_TASK_SELF, 0);
		break;
	default:
		break;
	}
}

static bool
finish(struct play_lanes *l, struct lane_step *half)
{
	const enum lane_step_kind kind = half->kind;

	if (!lane_finish(half)) {
		l->counts.failed++;
		return false;
	}
	l->counts.requests += kind == LANE_PUT;
	l->counts.taken += kind == LANE_TAKE;
	l->counts.answers += kind == LANE_ANSWER;
	l->counts.answers_taken += kind == LANE_TAKE_ANSWER;
	return true;
}

/* ---- messages ---------------------------------------------------------------------------------
 */

static bool
send(struct play_lanes *l, const struct step *step, uint32_t index, const struct m_call *call)
{
	const uint32_t option = (uint32_t)call->args[0], size = (uint32_t)call->args[1];
	struct lane_task *task = &l->tasks[index];
	struct lane_step half;
	mach_msg_header_t header;
	enum lane_shape shape;

	if ((option & MACH_SEND_NOTIFY) || size < sizeof header || size != call->bytes_size)
		return false;
	memcpy(&header, call->bytes, sizeof header);
	shape = lane_shape_of(&header, size);
	if (shape == LANE_SHAPE_OTHER)
		return false;
	provide(l, step, index, &header, shape);
	if (!wants(l, step, ASK_SEND, 75) ||
	    !lane_send_begin(task, (const mach_msg_header_t *)(const void *)call->bytes, size,
			     &half))
		return false;
	between(l, step, ASK_BETWEEN_SEND);
	return finish(l, &half);
}

/* What was received, as the kernel tells it. */
static void
tell(struct m_result *result, const struct lane_step *half)
{
	memcpy(result->bytes, half->message.bytes, half->size_bytes);
	result->bytes_size = half->size_bytes;
	memcpy(result->trailer, &half->trailer, sizeof half->trailer);
	result->trailer_size = half->trailer.msgh_trailer_size;
	result->values[BERTH_MSG_BUFFER] = BERTH_MSG_BUFFER_RECEIVE;
	result->values[BERTH_MSG_PREFIX] = half->size_bytes;
	result->values[BERTH_MSG_TRAILER] = result->trailer_size;
}

static bool
receive(struct play_lanes *l, const struct step *step, uint32_t index, const struct m_call *call,
	struct m_result *result)
{
	static struct lane_step half; /* large */
	const uint32_t option = (uint32_t)call->args[0];

	if (!l->tasks[index].table || (option & MACH_RCV_SYNC_WAIT) ||
	    !wants(l, step, ASK_RECEIVE, 75) ||
	    lane_receive_begin(&l->tasks[index], (mach_port_name_t)call->args[3], option,
			       (uint32_t)call->args[2], &half) != LANE_RECEIVE_BEGUN)
		return false;
	between(l, step, ASK_BETWEEN_RECEIVE);
	if (!finish(l, &half))
		return false;
	tell(result, &half);
	return true;
}

static void
result_clear(struct m_result *result)
{
	result->code = KERN_SUCCESS;
	memset(result->values, 0, sizeof result->values);
	result->bytes_size = result->trailer_size = result->piece_count = result->file = 0;
}

bool
play_lanes_try(struct play_lanes *l, const struct step *step, struct m_thread *thread,
	       struct m_call *call)
{
	const uint32_t task = thread->task->index;
	const uint32_t index = (uint32_t)(thread - thread->task->threads);
	struct m_result *result = &thread->actual;
	bool is_sent = false;

	if (l->mode == LANES_OFF || call->number != BERTH_TRAP_MSG)
		return false;
	if (call->args[0] & MACH_SEND_MSG) {
		is_sent = send(l, step, task, call);
		if (!is_sent)
			return false;
		call->args[0] &= ~(uint64_t)MACH_SEND_MSG;
		call->args[1] = call->bytes_size = 0;
	}
	if (call->args[0] & MACH_RCV_MSG) {
		result_clear(result);
		if (!receive(l, step, task, call, result)) {
			l->sent[task][index] = is_sent;
			return false;
		}
	} else if (!is_sent) {
		return false;
	} else {
		result_clear(result);
	}
	result->values[BERTH_MSG_SENT] = is_sent;
	thread->actual_done = true;
	return true;
}

void
play_lanes_completed(struct play_lanes *l, struct m_thread *thread)
{
	const uint32_t index = (uint32_t)(thread - thread->task->threads);
	bool *sent = &l->sent[thread->task->index][index];

	if (*sent)
		thread->actual.values[BERTH_MSG_SENT] = 1;
	*sent = false;
}

/* ---- what no step says ------------------------------------------------------------------------
 */

/* Either end may close it. */
static void
close_one(struct play_lanes *l, const struct step *step)
{
	const uint32_t index = draw(l, step, ASK_WHOSE, M_TASKS);
	const struct lane_task *task = &l->tasks[index];
	uint32_t at = draw(l, step, ASK_WHICH, 8);

	for (uint32_t i = 0; task->table && play_task(l->play, index) && i < MACH_LANE_MAX; i++)
		if (atomic_load(&task->table->entries[i].role) != MACH_LANE_NONE && at-- == 0)
			play_aside(l->play, index, BERTH_TRAP_LANE_CLOSE, i, 0);
}

void
play_lanes_before(struct play_lanes *l, const struct step *step)
{
	if (l->mode != LANES_FLAPPING)
		return;
	if (draw(l, step, ASK_BEGIN, 100) < 15)
		begin(l, draw(l, step, ASK_WHO_BEGINS, M_TASKS));
	if (draw(l, step, ASK_CLOSE, 100) < 2)
		close_one(l, step);
	if (draw(l, step, ASK_TAKE_OVER, 100) < 2)
		play_take_over(l->play);
}

bool
play_lanes_look(const struct play_lanes *l, const struct step *step)
{
	return draw(l, step, ASK_LOOK, 40) == 0;
}

void
play_lanes_task_new(struct play_lanes *l, uint32_t task)
{
	if (l->mode == LANES_FORCED)
		begin(l, task);
}

void
play_lanes_task_gone(struct play_lanes *l, uint32_t task)
{
	lane_task_end(&l->tasks[task], &l->memory);
	memset(l->sent[task], 0, sizeof l->sent[task]);
}

void
play_lanes_start(struct play_lanes *l, struct play *p, const struct sequence *s)
{
	for (uint32_t i = 0; i < M_TASKS; i++)
		play_lanes_task_gone(l, i);
	lane_memory_free(&l->memory); /* of a kernel that stopped */
	l->play = p;
	l->mode = s->lanes;
	l->seed = s->lane_seed;
}
