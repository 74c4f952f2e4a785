/*
 * The trace of a schedule: a hash of all of it, the end of it in the report, and all of it as
 * text for who asks.
 */
#include <inttypes.h>
#include <string.h>

#include "hosts/simulated/step.h"

static void
mix(struct sim *sim, uint64_t word)
{
	sim->hash = (sim->hash ^ word) * 0x9e3779b97f4a7c15u;
	sim->hash ^= sim->hash >> 29;
}

void
sim_trace_bytes(struct sim *sim, const void *bytes, size_t size_bytes)
{
	const uint8_t *at = bytes;
	uint64_t word;

	for (; size_bytes >= sizeof word; size_bytes -= sizeof word, at += sizeof word) {
		memcpy(&word, at, sizeof word);
		mix(sim, word);
	}
	word = size_bytes;
	memcpy((uint8_t *)&word + 1, at, size_bytes);
	mix(sim, word);
}

void
sim_trace(struct sim *sim, struct sim_record record)
{
	struct sim_report *report = sim->report;

	record.now_ns = sim->now_ns;
	record.step = sim->step;
	sim_trace_bytes(sim, &record, sizeof record);
	report->records[report->record_count++ % SIM_RECORDS] = record;
	report->step = sim->step;
	if (sim->text)
		sim_record_print(&record, sim->text);
}

void
sim_note(struct sim_thread *thread, uint32_t number, uint32_t a, uint32_t b)
{
	sim_trace(thread->sim, (struct sim_record){ .kind = SIM_NOTE,
						    .task = thread->task->index,
						    .thread = thread->number,
						    .number = number,
						    .a = a,
						    .b = b });
}

/* ---- as text ------------------------------------------------------------------------------ */

static const char *
trap_name(uint32_t number)
{
	static const char *const names[BERTH_TRAP_LIMIT] = {
		[BERTH_TRAP_MSG] = "mach_msg",
		[BERTH_TRAP_REPLY_PORT] = "mach_reply_port",
		[BERTH_TRAP_TASK_SELF] = "mach_task_self",
		[BERTH_TRAP_THREAD_SELF] = "mach_thread_self",
		[BERTH_TRAP_HOST_SELF] = "mach_host_self",
		[BERTH_TRAP_PORT_ALLOCATE] = "allocate",
		[BERTH_TRAP_PORT_CONSTRUCT] = "construct",
		[BERTH_TRAP_PORT_DESTRUCT] = "destruct",
		[BERTH_TRAP_PORT_DESTROY] = "destroy",
		[BERTH_TRAP_PORT_DEALLOCATE] = "deallocate",
		[BERTH_TRAP_PORT_MOD_REFS] = "mod_refs",
		[BERTH_TRAP_PORT_INSERT_RIGHT] = "insert_right",
		[BERTH_TRAP_PORT_EXTRACT_RIGHT] = "extract_right",
		[BERTH_TRAP_PORT_INSERT_MEMBER] = "insert_member",
		[BERTH_TRAP_PORT_EXTRACT_MEMBER] = "extract_member",
		[BERTH_TRAP_PORT_MOVE_MEMBER] = "move_member",
		[BERTH_TRAP_PORT_REQUEST_NOTIFICATION] = "request_notification",
		[BERTH_TRAP_PORT_SET_ATTRIBUTES] = "set_attributes",
		[BERTH_TRAP_PORT_GET_ATTRIBUTES] = "get_attributes",
		[BERTH_TRAP_PORT_TYPE] = "type",
		[BERTH_TRAP_TASK_SET_SPECIAL_PORT] = "set_special_port",
		[BERTH_TRAP_SEMAPHORE_SIGNAL] = "semaphore_signal",
		[BERTH_TRAP_SEMAPHORE_SIGNAL_ALL] = "semaphore_signal_all",
		[BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD] = "semaphore_signal_thread",
		[BERTH_TRAP_SEMAPHORE_WAIT] = "semaphore_wait",
		[BERTH_TRAP_SEMAPHORE_TIMEDWAIT] = "semaphore_timedwait",
		[BERTH_TRAP_SEMAPHORE_WAIT_SIGNAL] = "semaphore_wait_signal",
		[BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL] = "semaphore_timedwait_signal",
	};

	return number < BERTH_TRAP_LIMIT && names[number] ? names[number] : "trap";
}

void
sim_record_print(const struct sim_record *r, FILE *to)
{
	static const char *const lane_steps[] = { "sleeps", "sends", "takes", "answers",
						  "takes an answer" };
	static const char *const phases[] = { "set-up", "storm", "calm", "end" };

	fprintf(to, "%5" PRIu32 " %4" PRIu64 ".%09" PRIu64 "  ", r->step, r->now_ns / 1000000000,
		r->now_ns % 1000000000);
	if (r->kind != SIM_DEADLINE && r->kind != SIM_SHORTAGE && r->kind != SIM_PHASE)
		fprintf(to, "task %" PRIu32 " thread %" PRIu32 "  ", r->task, r->thread);
	switch (r->kind) {
	case SIM_TRAP:
		fprintf(to, "%s(%#" PRIx32 ", %#" PRIx32 ") %" PRIu32 "\n", trap_name(r->number),
			r->a, r->b, r->number);
		break;
	case SIM_DONE:
		fprintf(to, "%s = %#" PRIx32 "; %#" PRIx32 ", %#" PRIx32 "\n", trap_name(r->number),
			(uint32_t)r->code, r->a, r->b);
		break;
	case SIM_PARKED:
		fprintf(to, "%s blocks\n", trap_name(r->number));
		break;
	case SIM_INTERRUPT:
		fprintf(to, "is interrupted%s\n", r->a ? "" : ", though it does not wait");
		break;
	case SIM_DEADLINE:
		fprintf(to, "time passes: %" PRIu32 " us\n", r->a);
		break;
	case SIM_EXIT:
		fprintf(to, "the thread exits\n");
		break;
	case SIM_EXEC:
		fprintf(to, "exec\n");
		break;
	case SIM_DIED:
		fprintf(to, "the task dies\n");
		break;
	case SIM_TASK:
		fprintf(to, "a new task, child of %" PRId32 "%s\n", (int32_t)r->a,
			r->b ? "" : ": no memory");
		break;
	case SIM_THREAD:
		fprintf(to, "a new thread%s\n", r->b ? "" : ": no memory");
		break;
	case SIM_SHORTAGE:
		fprintf(to, "allocations that failed: %" PRIu32 "\n", r->a);
		break;
	case SIM_PHASE:
		fprintf(to, "---- %s\n", r->a <= SIM_END ? phases[r->a] : "?");
		break;
	case SIM_LANE:
		fprintf(to, "%s by lane %" PRIu32 "%s\n", lane_steps[r->number], r->a,
			r->b ? "" : ": the kernel came between");
		break;
	default:
		fprintf(to, "note %" PRIu32 ": %#" PRIx32 ", %#" PRIx32 "\n", r->number, r->a,
			r->b);
	}
}

void
sim_report_print(const struct sim_report *report, uint32_t count, FILE *to)
{
	uint32_t end = report->record_count;
	uint32_t kept = end < SIM_RECORDS ? end : SIM_RECORDS;

	for (uint32_t i = end - (count < kept ? count : kept); i != end; i++)
		sim_record_print(&report->records[i % SIM_RECORDS], to);
}
