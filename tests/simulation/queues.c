/*
 * Producers and consumers before a queue with a limit.  Producers block, time out, are
 * interrupted and try again with what came back; consumers are slow; the limit changes; memory
 * travels along.  The ledger knows what must become of each letter, and in which order.
 */
#include <string.h>

#include "tests/simulation/scenarios.h"

#define QUEUES 2u

struct producer {
	mach_port_name_t to[QUEUES];
	uint32_t channels[QUEUES], queue_count;
	uint32_t count, limit;
	uint32_t size, tries;
	int32_t option;
};

struct consumer {
	mach_port_name_t from;
	uint32_t qlimit;
};

static void
producer(struct sim_thread *self)
{
	struct producer *me = self->state;
	uint32_t to;

	BEGIN(self);
	while (!CALM(self) && me->count < me->limit) {
		to = sim_pick(self->sim, me->queue_count);
		me->option = sim_chance(self->sim, 40) ? MACH_SEND_TIMEOUT : 0;
		if (sim_chance(self->sim, 10))
			me->option |= MACH_SEND_NOTIFY; /* nothing is registered: no difference */
		draft_to(self, me->to[to], COPY);
		if (sim_chance(self->sim, 20)) {
			me->size = 1 + sim_pick(self->sim, SIM_PIECE_MAX);
			draft_bulk(self, me->size, sim_chance(self->sim, 50));
		}
		me->count++;
		ASK(self, ask_send(self, me->channels[to], 0, me->count, me->option,
				   sim_pick(self->sim, 4)));
		for (me->tries = 0; came_back(self) && me->tries < 3; me->tries++)
			ASK(self, ask_resend(self, me->option, 1 + sim_pick(self->sim, 4)));
		if (came_back(self)) {
			/* what came back is the program's: one more user reference of its right */
			if (MACH_PORT_VALID(mail_of(self).remote)) {
				ASK(self, ask(self, BERTH_TRAP_PORT_DEALLOCATE,
					      BERTH_NAME_TASK_SELF, mail_of(self).remote, 0, 0));
				expect(self, KERN_SUCCESS);
			}
		} else if (self->result.code == MACH_SEND_INVALID_DEST) {
			break;
		}
	}
	END(self);
}

static void
consumer(struct sim_thread *self)
{
	struct consumer *me = self->state;

	BEGIN(self);
	for (;;) {
		if (!CALM(self) && sim_chance(self->sim, 15)) {
			me->qlimit = sim_pick(self->sim, 7);
			ask(self, BERTH_TRAP_PORT_SET_ATTRIBUTES, BERTH_NAME_TASK_SELF, me->from,
			    MACH_PORT_LIMITS_INFO, 1);
			memcpy(self->out, &me->qlimit, 4);
			ASK(self, self->out_size = 4);
			expect(self, KERN_SUCCESS);
		} else if (CALM(self) && me->qlimit == 0) {
			me->qlimit = 5; /* a queue without any room keeps its senders for ever */
			ask(self, BERTH_TRAP_PORT_SET_ATTRIBUTES, BERTH_NAME_TASK_SELF, me->from,
			    MACH_PORT_LIMITS_INFO, 1);
			memcpy(self->out, &me->qlimit, 4);
			ASK(self, self->out_size = 4);
			expect(self, KERN_SUCCESS);
		}
		if (CALM(self) && me->qlimit == 0)
			continue;
		/* in the storm never for long: nobody would raise a limit of 0 again */
		if (CALM(self) || (me->qlimit > 0 && sim_chance(self->sim, 30)))
			ASK(self, ask_receive(self, me->from, 0, 0));
		else
			ASK(self,
			    ask_receive(self, me->from, MACH_RCV_TIMEOUT, sim_pick(self->sim, 5)));
		if (!was_received(self) && self->result.code != MACH_RCV_TIMED_OUT &&
		    !is_interrupted(self->result.code))
			sim_fail(self->sim, "a consumer hears %#x", (unsigned)self->result.code);
	}
	END(self);
}

static void
start(struct sim *sim)
{
	struct sim_thread *consumers[QUEUES], *t;
	struct producer first = { .queue_count = 1 + sim_pick(sim, QUEUES) };
	const uint32_t producer_count = 1 + sim_pick(sim, 4);
	struct sim_task *task;

	setup_task(sim, NULL);
	for (uint32_t i = 0; i < first.queue_count; i++) {
		struct consumer state = { .qlimit = 1 + sim_pick(sim, 5) };

		task = setup_task(sim, sim->tasks[0]);
		task->mortal = true;
		consumers[i] = sim_thread_new(task, consumer, sizeof(struct consumer));
		state.from = setup_port(consumers[i], true);
		setup_qlimit(consumers[i], state.from, state.qlimit);
		first.channels[i] = channel_open(task, state.from);
		*(struct consumer *)consumers[i]->state = state;
	}
	for (uint32_t i = 0; i < producer_count; i++) {
		task = setup_task(sim, sim->tasks[0]);
		task->mortal = true;
		t = sim_thread_new(task, producer, sizeof(struct producer));
		for (uint32_t j = 0; j < first.queue_count; j++)
			first.to[j] = setup_give(
			    consumers[j], ((struct consumer *)consumers[j]->state)->from, COPY, t);
		for (uint32_t threads = 1 + sim_pick(sim, 3);; threads--) {
			first.limit = 1 + sim_pick(sim, 40);
			*(struct producer *)t->state = first;
			if (threads == 1)
				break;
			t = sim_thread_new(task, producer, sizeof(struct producer));
		}
	}
}

static void
settled(struct sim *sim)
{
	ledger_settled(sim);
	for (uint32_t i = 0; i < sim->live_count; i++) {
		const struct sim_thread *t = sim->live[i];

		if (t->program == consumer)
			sim_must(sim, t->parked, "consumer %u has gone", t->number);
	}
}

const struct sim_scenario scenario_queues = {
	.name = "queues",
	.storm_steps = 200,
	.share = 150,
	.threads_exit = true,
	.memory_fails = true,
	.tasks_die = true,
	.model_bytes = sizeof(struct ledger),
	.start = start,
	.completed = ledger_completed,
	.thread_gone = ledger_thread_gone,
	.task_gone = ledger_task_gone,
	.settled = settled,
	.model_free = ledger_free,
};
