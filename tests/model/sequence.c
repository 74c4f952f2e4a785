/* Sequences as text: see sequence.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/sequence.h"

static const struct {
	uint32_t number;
	const char *name;
} trap_names[] = {
	{ BERTH_TRAP_REPLY_PORT, "reply_port" },
	{ BERTH_TRAP_TASK_SELF, "task_self" },
	{ BERTH_TRAP_THREAD_SELF, "thread_self" },
	{ BERTH_TRAP_HOST_SELF, "host_self" },
	{ BERTH_TRAP_GET_SPECIAL_REPLY_PORT, "special_reply_port" },
	{ BERTH_TRAP_PORT_ALLOCATE, "allocate" },
	{ BERTH_TRAP_PORT_ALLOCATE_NAME, "allocate_name" },
	{ BERTH_TRAP_PORT_ALLOCATE_FULL, "allocate_full" },
	{ BERTH_TRAP_PORT_CONSTRUCT, "construct" },
	{ BERTH_TRAP_PORT_DESTRUCT, "destruct" },
	{ BERTH_TRAP_PORT_DESTROY, "destroy" },
	{ BERTH_TRAP_PORT_DEALLOCATE, "deallocate" },
	{ BERTH_TRAP_PORT_GET_REFS, "get_refs" },
	{ BERTH_TRAP_PORT_MOD_REFS, "mod_refs" },
	{ BERTH_TRAP_PORT_INSERT_RIGHT, "insert_right" },
	{ BERTH_TRAP_PORT_EXTRACT_RIGHT, "extract_right" },
	{ BERTH_TRAP_PORT_INSERT_MEMBER, "insert_member" },
	{ BERTH_TRAP_PORT_EXTRACT_MEMBER, "extract_member" },
	{ BERTH_TRAP_PORT_MOVE_MEMBER, "move_member" },
	{ BERTH_TRAP_PORT_GET_SET_STATUS, "get_set_status" },
	{ BERTH_TRAP_PORT_REQUEST_NOTIFICATION, "request_notification" },
	{ BERTH_TRAP_PORT_GET_ATTRIBUTES, "get_attributes" },
	{ BERTH_TRAP_PORT_SET_ATTRIBUTES, "set_attributes" },
	{ BERTH_TRAP_PORT_ASSERT_ATTRIBUTES, "assert_attributes" },
	{ BERTH_TRAP_PORT_GET_CONTEXT, "get_context" },
	{ BERTH_TRAP_PORT_SET_CONTEXT, "set_context" },
	{ BERTH_TRAP_PORT_GUARD, "guard" },
	{ BERTH_TRAP_PORT_UNGUARD, "unguard" },
	{ BERTH_TRAP_PORT_SWAP_GUARD, "swap_guard" },
	{ BERTH_TRAP_PORT_SET_MSCOUNT, "set_mscount" },
	{ BERTH_TRAP_PORT_SET_SEQNO, "set_seqno" },
	{ BERTH_TRAP_PORT_GET_SRIGHTS, "get_srights" },
	{ BERTH_TRAP_PORT_NAMES, "names" },
	{ BERTH_TRAP_PORT_TYPE, "type" },
	{ BERTH_TRAP_MK_TIMER_CREATE, "timer_create" },
	{ BERTH_TRAP_MK_TIMER_DESTROY, "timer_destroy" },
	{ BERTH_TRAP_MK_TIMER_ARM, "timer_arm" },
	{ BERTH_TRAP_MK_TIMER_ARM_LEEWAY, "timer_arm_leeway" },
	{ BERTH_TRAP_MK_TIMER_CANCEL, "timer_cancel" },
	{ BERTH_TRAP_SEMAPHORE_SIGNAL, "signal" },
	{ BERTH_TRAP_SEMAPHORE_SIGNAL_ALL, "signal_all" },
	{ BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD, "signal_thread" },
	{ BERTH_TRAP_SEMAPHORE_WAIT, "wait" },
	{ BERTH_TRAP_SEMAPHORE_TIMEDWAIT, "timedwait" },
	{ BERTH_TRAP_SEMAPHORE_WAIT_SIGNAL, "wait_signal" },
	{ BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL, "timedwait_signal" },
	{ BERTH_TRAP_HOST_CREATE_MACH_VOUCHER, "voucher" },
	{ BERTH_TRAP_MACH_VOUCHER_EXTRACT_ATTR_RECIPE, "voucher_recipe" },
	{ BERTH_TRAP_PORT_KOBJECT, "kobject" },
	{ BERTH_TRAP_PORT_SPACE_INFO, "space_info" },
	{ BERTH_TRAP_PORT_DNREQUEST_INFO, "dnrequest_info" },
	{ BERTH_TRAP_PORT_PEEK, "peek" },
	{ BERTH_TRAP_TASK_GET_SPECIAL_PORT, "get_special" },
	{ BERTH_TRAP_TASK_SET_SPECIAL_PORT, "set_special" },
	{ BERTH_TRAP_PORTS_REGISTER, "register" },
	{ BERTH_TRAP_PORTS_LOOKUP, "lookup" },
	{ BERTH_TRAP_TASK_IS_SELF, "is_self" },
	{ BERTH_TRAP_PID_FOR_TASK, "pid" },
	{ BERTH_TRAP_TASK_PROCESS, "process" },
	{ BERTH_TRAP_TASK_SUSPEND, "suspend" },
	{ BERTH_TRAP_TASK_RESUME, "resume" },
	{ BERTH_TRAP_TASK_SUSPEND2, "suspend2" },
	{ BERTH_TRAP_HOST_EXCEPTION_PORT, "host_exception" },
	{ BERTH_TRAP_THREAD_STATE_OFFER, "offer" },
	{ BERTH_TRAP_THREAD_STATE_WITHDRAW, "withdraw" },
	{ BERTH_TRAP_FILEPORT_MAKE, "file_make" },
	{ BERTH_TRAP_FILEPORT_OPEN, "file_open" },
};

#define TRAP_NAME_COUNT (sizeof trap_names / sizeof trap_names[0])

const char *
trap_name_of(uint32_t number)
{
	for (size_t i = 0; i < TRAP_NAME_COUNT; i++)
		if (trap_names[i].number == number)
			return trap_names[i].name;
	return NULL;
}

void
sequence_add(struct sequence *s, const struct step *step)
{
	if (s->count == s->room) {
		s->room = s->room ? s->room * 2 : 256;
		s->steps = realloc(s->steps, s->room * sizeof *s->steps);
		if (!s->steps)
			abort();
	}
	s->steps[s->count++] = *step;
}

void
sequence_deinit(struct sequence *s)
{
	free(s->steps);
	*s = (struct sequence){ 0 };
}

/* ---- lanes ----------------------------------------------------------------------------- */

static const char *const lanes_names[] = {
	[LANES_OFF] = "off",
	[LANES_FORCED] = "forced",
	[LANES_FLAPPING] = "flapping",
};

bool
sequence_lanes_read(const char *word, enum sequence_lanes *lanes)
{
	for (int i = LANES_OFF; i <= LANES_FLAPPING; i++) {
		*lanes = (enum sequence_lanes)i;
		if (strcmp(word, lanes_names[i]) == 0)
			return true;
	}
	return false;
}

const char *
sequence_lanes_name(enum sequence_lanes lanes)
{
	return lanes_names[lanes];
}

/* ---- printing -------------------------------------------------------------------------- */

static void
arg_print(FILE *to, const struct arg *arg)
{
	if (arg->is_label)
		fprintf(to, "%%%u.%u", arg->step, arg->ordinal);
	else if (arg->number == BERTH_NAME_TASK_SELF)
		fputs("self", to);
	else if (arg->number == MACH_PORT_DEAD)
		fputs("dead", to);
	else
		fprintf(to, arg->number > 4096 ? "%#" PRIx64 : "%" PRId64, arg->number);
}

static void
descriptor_print(FILE *to, const struct step_descriptor *d)
{
	switch (d->type) {
	case MACH_MSG_PORT_DESCRIPTOR:
		fputs(" port:", to);
		arg_print(to, &d->names[0]);
		fprintf(to, ":%u", d->disposition);
		break;
	case MACH_MSG_OOL_PORTS_DESCRIPTOR:
		fprintf(to, " ports:%u:%u%s", d->disposition, d->count,
			d->unreadable ? ":unreadable" : "");
		for (uint32_t i = 0; i < d->count; i++) {
			fputc(':', to);
			arg_print(to, &d->names[i]);
		}
		break;
	case MACH_MSG_GUARDED_PORT_DESCRIPTOR:
		fputs(" guarded:", to);
		arg_print(to, &d->names[0]);
		fprintf(to, ":%u:%u:%" PRIu64, d->disposition, d->flags, d->context);
		break;
	case MACH_MSG_OOL_DESCRIPTOR:
	case MACH_MSG_OOL_VOLATILE_DESCRIPTOR:
		fprintf(to, " %s:%u:%u:%u%s",
			d->type == MACH_MSG_OOL_DESCRIPTOR ? "ool" : "volatile", d->count, d->copy,
			d->deallocate, d->unreadable ? ":unreadable" : "");
		break;
	default:
		fprintf(to, " raw:%u", d->type);
		break;
	}
}

static void
right_print(FILE *to, const char *word, const struct arg *name, uint32_t disposition)
{
	if (disposition == 0 && !name->is_label && name->number == 0)
		return;
	fprintf(to, " %s=", word);
	arg_print(to, name);
	fprintf(to, ":%u", disposition);
}

static void
number_print(FILE *to, const char *word, int64_t number)
{
	if (number)
		fprintf(to, " %s=%" PRId64, word, number);
}

static void
msg_print(FILE *to, const struct step *step)
{
	fprintf(to, " msg %#x", step->option);
	right_print(to, "to", &step->dest, step->dest_disposition);
	right_print(to, "reply", &step->reply, step->reply_disposition);
	number_print(to, "id", step->msgh_id);
	number_print(to, "data", step->data_size);
	for (uint32_t i = 0; i < step->word_count; i++)
		fprintf(to, " word=%d", (int)step->words[i]);
	number_print(to, "complex", step->complex);
	right_print(to, "voucher", &step->voucher, step->voucher_disposition);
	number_print(to, "size_error", step->size_error);
	number_print(to, "count_error", step->count_error);
	number_print(to, "timeout", step->timeout);
	if (step->option & MACH_RCV_MSG) {
		right_print(to, "from", &step->rcv_name, step->rcv_size);
		number_print(to, "buffer", (int64_t)step->rcv_buffer);
		right_print(to, "sync", &step->sync_name, 0);
	}
	for (uint32_t i = 0; i < step->descriptor_count; i++)
		descriptor_print(to, &step->descriptors[i]);
}

void
step_print(FILE *to, const struct step *step)
{
	static const char *const words[] = { [STEP_INTERRUPT] = "interrupt",
					     [STEP_EXIT] = "exit",
					     [STEP_THREAD] = "thread",
					     [STEP_FORK] = "fork" };

	fprintf(to, "%u ", step->id);
	switch (step->kind) {
	case STEP_ADVANCE:
		fprintf(to, "advance %" PRIu64, step->ms);
		break;
	case STEP_DIE:
		fprintf(to, "%u die", step->task);
		break;
	case STEP_TRAP:
		fprintf(to, "%u.%u %s", step->task, step->thread, trap_name_of(step->trap));
		for (uint32_t i = 0; i < step->arg_count; i++) {
			fputc(' ', to);
			arg_print(to, &step->args[i]);
		}
		break;
	case STEP_MSG:
		fprintf(to, "%u.%u", step->task, step->thread);
		msg_print(to, step);
		break;
	default:
		fprintf(to, "%u.%u %s", step->task, step->thread, words[step->kind]);
		break;
	}
	fputc('\n', to);
}

void
sequence_print(FILE *to, const struct sequence *s)
{
	fprintf(to, "tasks %u", s->task_count);
	if (s->lanes != LANES_OFF)
		fprintf(to, " lanes %s", sequence_lanes_name(s->lanes));
	if (s->lanes == LANES_FLAPPING)
		fprintf(to, " %" PRIu64, s->lane_seed);
	fputc('\n', to);
	for (uint32_t i = 0; i < s->count; i++)
		step_print(to, &s->steps[i]);
}

/* ---- reading ----------------------------------------------------------------------------- */

static bool
number_read(const char *word, int64_t *number)
{
	char *end;

	*number = (int64_t)strtoull(word, &end, 0);
	return end != word && *end == '\0';
}

static bool
arg_read(const char *word, struct arg *arg)
{
	int used = 0;

	*arg = (struct arg){ 0 };
	if (word[0] == '%') {
		arg->is_label = true;
		return sscanf(word, "%%%u.%u%n", &arg->step, &arg->ordinal, &used) == 2 &&
		       word[used] == '\0';
	}
	if (strcmp(word, "self") == 0)
		arg->number = BERTH_NAME_TASK_SELF;
	else if (strcmp(word, "dead") == 0)
		arg->number = MACH_PORT_DEAD;
	else
		return number_read(word, &arg->number);
	return true;
}

#define FIELDS_MAX 8

/* Cuts @word at each colon. */
static uint32_t
fields(char *word, char *field[FIELDS_MAX])
{
	uint32_t count = 0;
	char *save;

	for (char *at = strtok_r(word, ":", &save); at && count < FIELDS_MAX;
	     at = strtok_r(NULL, ":", &save))
		field[count++] = at;
	return count;
}

static bool
u32_read(const char *word, uint32_t *value)
{
	int64_t number;

	if (!number_read(word, &number))
		return false;
	*value = (uint32_t)number;
	return true;
}

static bool
ports_read(char *field[FIELDS_MAX], uint32_t count, struct step_descriptor *d)
{
	uint32_t first = 3;

	if (count < 3 || !u32_read(field[1], &d->disposition) || !u32_read(field[2], &d->count) ||
	    d->count > M_RIGHTS)
		return false;
	if (count > 3 && strcmp(field[3], "unreadable") == 0) {
		d->unreadable = true;
		first++;
	}
	if (count != first + d->count)
		return false;
	for (uint32_t i = 0; i < d->count; i++)
		if (!arg_read(field[first + i], &d->names[i]))
			return false;
	return true;
}

static bool
descriptor_read(char *word, struct step *step)
{
	struct step_descriptor *d = &step->descriptors[step->descriptor_count];
	char *field[FIELDS_MAX];
	uint32_t count = fields(word, field);
	int64_t context;

	if (step->descriptor_count == M_DESCRIPTORS || count == 0)
		return false;
	step->descriptor_count++;
	if (strcmp(field[0], "port") == 0) {
		d->type = MACH_MSG_PORT_DESCRIPTOR;
		return count == 3 && arg_read(field[1], &d->names[0]) &&
		       u32_read(field[2], &d->disposition);
	}
	if (strcmp(field[0], "ports") == 0) {
		d->type = MACH_MSG_OOL_PORTS_DESCRIPTOR;
		return ports_read(field, count, d);
	}
	if (strcmp(field[0], "guarded") == 0) {
		d->type = MACH_MSG_GUARDED_PORT_DESCRIPTOR;
		if (count != 5 || !arg_read(field[1], &d->names[0]) ||
		    !u32_read(field[2], &d->disposition) || !u32_read(field[3], &d->flags) ||
		    !number_read(field[4], &context))
			return false;
		d->context = (uint64_t)context;
		return true;
	}
	if (strcmp(field[0], "ool") == 0 || strcmp(field[0], "volatile") == 0) {
		d->type =
		    field[0][0] == 'o' ? MACH_MSG_OOL_DESCRIPTOR : MACH_MSG_OOL_VOLATILE_DESCRIPTOR;
		d->unreadable = count == 5;
		return (count == 4 || count == 5) && u32_read(field[1], &d->count) &&
		       d->count <= M_PIECE_BYTES && u32_read(field[2], &d->copy) &&
		       u32_read(field[3], &d->deallocate);
	}
	return strcmp(field[0], "raw") == 0 && count == 2 && u32_read(field[1], &d->type);
}

static bool
right_read(char *word, struct arg *name, uint32_t *number)
{
	char *field[FIELDS_MAX];

	return fields(word, field) == 2 && arg_read(field[0], name) && u32_read(field[1], number);
}

/* One key=value of a message. */
static bool
value_read(const char *key, char *value, struct step *step)
{
	uint32_t ignored;
	int64_t n;

	if (strcmp(key, "to") == 0)
		return right_read(value, &step->dest, &step->dest_disposition);
	if (strcmp(key, "reply") == 0)
		return right_read(value, &step->reply, &step->reply_disposition);
	if (strcmp(key, "from") == 0)
		return right_read(value, &step->rcv_name, &step->rcv_size);
	if (strcmp(key, "voucher") == 0)
		return right_read(value, &step->voucher, &step->voucher_disposition);
	if (strcmp(key, "sync") == 0)
		return right_read(value, &step->sync_name, &ignored);
	if (!number_read(value, &n))
		return false;
	if (strcmp(key, "id") == 0)
		step->msgh_id = (int32_t)n;
	else if (strcmp(key, "data") == 0 && n <= 200)
		step->data_size = (uint32_t)n;
	else if (strcmp(key, "complex") == 0)
		step->complex = n != 0;
	else if (strcmp(key, "word") == 0 && step->word_count < STEP_WORDS)
		step->words[step->word_count++] = (uint32_t)n;
	else if (strcmp(key, "size_error") == 0)
		step->size_error = (int32_t)n;
	else if (strcmp(key, "count_error") == 0)
		step->count_error = (uint32_t)n;
	else if (strcmp(key, "timeout") == 0)
		step->timeout = (uint32_t)n;
	else if (strcmp(key, "buffer") == 0)
		step->rcv_buffer = (uint64_t)n;
	else
		return false;
	return true;
}

static bool
msg_read(char **words, uint32_t count, struct step *step)
{
	step->kind = STEP_MSG;
	if (count < 1 || !u32_read(words[0], &step->option))
		return false;
	for (uint32_t i = 1; i < count; i++) {
		char *equals = strchr(words[i], '=');

		if (equals)
			*equals = '\0';
		if (equals ? !value_read(words[i], equals + 1, step)
			   : !descriptor_read(words[i], step))
			return false;
	}
	return true;
}

static bool
trap_read(char **words, uint32_t count, struct step *step)
{
	step->kind = STEP_TRAP;
	for (size_t i = 0; i < TRAP_NAME_COUNT; i++)
		if (strcmp(trap_names[i].name, words[0]) == 0)
			step->trap = trap_names[i].number;
	if (step->trap == 0 || count - 1 > M_ARGS)
		return false;
	for (uint32_t i = 1; i < count; i++)
		if (!arg_read(words[i], &step->args[step->arg_count++]))
			return false;
	return true;
}

#define WORDS_MAX 32

static bool
step_read(char *line, struct step *step)
{
	char *words[WORDS_MAX], *at;
	uint32_t count = 0;
	int64_t ms;

	for (char *word = strtok_r(line, " \t\n", &at); word && count < WORDS_MAX;
	     word = strtok_r(NULL, " \t\n", &at))
		words[count++] = word;
	if (count < 3 || !u32_read(words[0], &step->id))
		return false;
	if (strcmp(words[1], "advance") == 0) {
		step->kind = STEP_ADVANCE;
		if (!number_read(words[2], &ms))
			return false;
		step->ms = (uint64_t)ms;
		return true;
	}
	if (strcmp(words[2], "die") == 0) {
		step->kind = STEP_DIE;
		return u32_read(words[1], &step->task) && step->task < M_TASKS;
	}
	if (sscanf(words[1], "%u.%u", &step->task, &step->thread) != 2 || step->task >= M_TASKS ||
	    step->thread >= M_THREADS)
		return false;
	if (strcmp(words[2], "interrupt") == 0)
		step->kind = STEP_INTERRUPT;
	else if (strcmp(words[2], "exit") == 0)
		step->kind = STEP_EXIT;
	else if (strcmp(words[2], "thread") == 0)
		step->kind = STEP_THREAD;
	else if (strcmp(words[2], "fork") == 0)
		step->kind = STEP_FORK;
	else if (strcmp(words[2], "exec") == 0)
		step->kind = STEP_EXEC;
	else if (strcmp(words[2], "msg") == 0)
		return msg_read(words + 3, count - 3, step);
	else
		return trap_read(words + 2, count - 2, step);
	return true;
}

static bool
head_read(const char *line, struct sequence *s)
{
	char lanes[16] = "off";

	return sscanf(line, "tasks %u lanes %15s %" SCNu64, &s->task_count, lanes, &s->lane_seed) >
		   0 &&
	       s->task_count > 0 && s->task_count <= M_TASKS &&
	       sequence_lanes_read(lanes, &s->lanes);
}

bool
sequence_read(FILE *from, const char *file_name, struct sequence *s)
{
	char line[1024];
	uint32_t line_number = 0;

	while (fgets(line, sizeof line, from)) {
		struct step step = { 0 };

		line_number++;
		line[strcspn(line, "#\n")] = '\0';
		if (line[strspn(line, " \t")] == '\0')
			continue;
		if (s->task_count == 0) {
			if (head_read(line, s))
				continue;
			fprintf(stderr, "%s:%u: \"tasks N\" must come first, N up to %d\n",
				file_name, line_number, M_TASKS);
			return false;
		}
		if (!step_read(line, &step)) {
			fprintf(stderr, "%s:%u: this is no step\n", file_name, line_number);
			return false;
		}
		sequence_add(s, &step);
	}
	return true;
}
