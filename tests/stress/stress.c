/*
 * Eight tasks of four threads send each other messages with rights and memory in them, while
 * ports are made and destroyed and tasks exit, are killed and are replaced.  Then every
 * stream must be whole and in order, every send-once right used once or reported, and
 * every right accounted for: by each task, and by the kernel.
 *
 * usage: berth run -- stress [MESSAGES [SEED]]
 */
#include "stress.h"

#include <stdarg.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/stress/counts.h"

struct plan *plan;

struct place {
	pid_t pid;
	uint32_t incarnation;
	mach_port_t inboxes[THREADS]; /* NULL: not registered yet, or dead */
	uint32_t done_1, done_2;      /* threads */
	bool is_dying;                /* on our wish */
	bool is_killed;               /* and for certain: it may be done no more */
};

static struct place places[SLOTS];
static mach_port_t hub;
static uint32_t incarnation_count, replaced_count;
static pid_t coordinator;

_Noreturn void
fail(const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "stress: %s %d: %s\n", getpid() == coordinator ? "coordinator" : "worker",
		getpid(), text);
	/* workers end with their parent */
	_exit(1);
}

/* ---- workers -------------------------------------------------------------------------- */

static void
place_fill(uint32_t slot)
{
	struct place *place = &places[slot];

	if (++incarnation_count >= INCARNATIONS_MAX)
		fail("more deaths than the test can count");
	*place = (struct place){ .incarnation = incarnation_count };
	place->pid = fork();
	if (place->pid < 0)
		fail("cannot fork: %s", strerror(errno));
	if (place->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != coordinator)
			_exit(1);
		worker_run(slot, place->incarnation);
	}
}

/* Wait for its end, which must be the one that we wanted. */
static void
place_reap(const struct place *place)
{
	int status;

	if (waitpid(place->pid, &status, 0) != place->pid)
		fail("waitpid: %s", strerror(errno));
	bool is_killed = place->is_dying && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	if (!is_killed && status != 0)
		fail("worker %d ended with status 0x%x", place->pid, status);
}

/* Nobody told us of a death, but there may be one that nobody wanted. */
static void
look_for_failures(void)
{
	siginfo_t info = { 0 };

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0 &&
	    info.si_status != 0 && info.si_status != SIGKILL)
		fail("worker %d failed", info.si_pid);
}

/* One of the workers has to go: it is killed, or it exits in the middle of everything. */
static void
end_somebody(struct dice *dice)
{
	uint32_t slot = dice_roll(dice, SLOTS);
	struct place *place = &places[slot];

	if (place->inboxes[0] == MACH_PORT_NULL || place->is_dying || place->done_1 > 0)
		return;
	place->is_dying = true;
	place->is_killed = dice_roll(dice, 2);
	if (place->is_killed)
		kill(place->pid, SIGKILL);
	else
		atomic_store(&plan->leave[slot], place->incarnation);
}

/* ---- what workers tell ----------------------------------------------------------------- */

static void
register_came(const struct inboxes_note *note)
{
	struct place *place = &places[note->slot];
	mach_port_t previous;

	if (note->incarnation != place->incarnation)
		fail("somebody registers who is dead");
	for (uint32_t i = 0; i < THREADS; i++)
		place->inboxes[i] = note->inboxes[i].name;
	MUST(mach_port_request_notification(mach_task_self(), place->inboxes[0],
					    MACH_NOTIFY_DEAD_NAME, 1, hub,
					    MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous));
}

static void
look_up_came(const struct note *question)
{
	const struct place *place = &places[question->slot];
	struct inboxes_note answer = {
		.header = { .msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0) |
					 MACH_MSGH_BITS_COMPLEX,
			    .msgh_remote_port = question->header.msgh_remote_port,
			    .msgh_id = ID_LOCATION },
		.body.msgh_descriptor_count = THREADS,
		.slot = question->slot,
		.incarnation = place->incarnation,
	};

	if (!MACH_PORT_VALID(question->header.msgh_remote_port))
		return; /* died meanwhile */
	for (uint32_t i = 0; i < THREADS; i++)
		answer.inboxes[i] =
		    (mach_msg_port_descriptor_t){ .name = place->inboxes[i],
						  .disposition = MACH_MSG_TYPE_COPY_SEND,
						  .type = MACH_MSG_PORT_DESCRIPTOR };
	kern_return_t kr = mach_msg(&answer.header, MACH_SEND_MSG, sizeof(answer), 0, 0, 0, 0);
	if (kr == MACH_SEND_INVALID_DEST)
		kr = mach_port_deallocate(mach_task_self(), answer.header.msgh_remote_port);
	MUST(kr);
}

static void
inboxes_drop(struct place *place)
{
	for (uint32_t i = 0; i < THREADS; i++) {
		MUST(mach_port_deallocate(mach_task_self(), place->inboxes[i]));
		place->inboxes[i] = MACH_PORT_NULL;
	}
}

static void
death_came(mach_port_name_t name)
{
	uint32_t slot = 0;

	while (slot < SLOTS && places[slot].inboxes[0] != name)
		slot++;
	if (slot == SLOTS)
		fail("an unknown port died");
	MUST(mach_port_deallocate(mach_task_self(), name)); /* the notification's reference */
	inboxes_drop(&places[slot]);
	place_reap(&places[slot]);
	if (!places[slot].is_dying)
		fail("worker %d ended too early", places[slot].pid);
	place_fill(slot);
	replaced_count++;
}

static void
done_came(const struct note *note)
{
	struct place *place = &places[note->slot];

	if (note->incarnation != place->incarnation)
		return; /* a death overtook it */
	if (note->header.msgh_id == ID_DONE_1)
		place->done_1++;
	else
		place->done_2++;
}

static void
take(struct dice *dice)
{
	union {
		mach_msg_header_t header;
		struct note note;
		struct inboxes_note inboxes;
		mach_dead_name_notification_t dead_name;
		uint8_t room[sizeof(struct note) + MAX_TRAILER_SIZE];
	} message;
	kern_return_t kr = mach_msg(&message.header, MACH_RCV_MSG | MACH_RCV_TIMEOUT, 0,
				    sizeof(message), hub, 500, 0);

	if (kr == MACH_RCV_TIMED_OUT) {
		look_for_failures();
		return;
	}
	MUST(kr);
	switch (message.header.msgh_id) {
	case ID_REGISTER:
		register_came(&message.inboxes);
		break;
	case ID_LOOK_UP:
		look_up_came(&message.note);
		break;
	case ID_DONE_1:
	case ID_DONE_2:
		done_came(&message.note);
		break;
	case ID_TICK:
		end_somebody(dice);
		break;
	case MACH_NOTIFY_DEAD_NAME:
		death_came(message.dead_name.not_port);
		break;
	default:
		fail("a message %d came, which nobody sends", message.header.msgh_id);
	}
}

/* ---- the end -------------------------------------------------------------------------- */

static bool
all_are(enum message_id id)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < SLOTS; i++)
		count += places[i].is_killed ? 0
			 : id == ID_DONE_1   ? places[i].done_1
					     : places[i].done_2;
	return count == SLOTS * THREADS;
}

static void
stop_all(enum message_id id)
{
	struct note note = { .header.msgh_id = (mach_msg_id_t)id };

	for (uint32_t i = 0; i < SLOTS; i++)
		note.incarnations[i] = places[i].incarnation;
	for (uint32_t i = 0; i < SLOTS; i++) {
		for (uint32_t k = 0; k < THREADS; k++) {
			note.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, 0);
			note.header.msgh_remote_port = places[i].inboxes[k];
			MUST(mach_msg(&note.header, MACH_SEND_MSG, sizeof(note), 0, 0, 0, 0));
		}
	}
}

/* Workers end by themselves now, and their deaths are no surprise. */
static void
see_off(void)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		mach_port_t previous;

		MUST(mach_port_request_notification(mach_task_self(), places[i].inboxes[0],
						    MACH_NOTIFY_DEAD_NAME, 0, MACH_PORT_NULL,
						    MACH_MSG_TYPE_MAKE_SEND_ONCE, &previous));
		MUST(mach_port_deallocate(mach_task_self(), previous));
	}
}

static void
print_summary(const struct timespec *begin)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	double seconds =
	    (double)(end.tv_sec - begin->tv_sec) + (double)(end.tv_nsec - begin->tv_nsec) / 1e9;
	unsigned long long data = plan->data;

	printf("%llu messages in %.1f s, %.0f a second; %u tasks died and were replaced\n", data,
	       seconds, (double)data / seconds, replaced_count);
	printf("received %llu; queues were full %llu times\n", (unsigned long long)plan->received,
	       (unsigned long long)plan->full);
	printf("rights: %llu came, %llu of them receive rights with %llu messages; %llu dead\n",
	       (unsigned long long)plan->rights, (unsigned long long)plan->receives,
	       (unsigned long long)plan->queued, (unsigned long long)plan->dead_rights);
	printf("memory: %llu pieces, %llu bytes; %llu arrays of rights\n",
	       (unsigned long long)plan->memories, (unsigned long long)plan->memory_bytes,
	       (unsigned long long)plan->arrays);
	printf("notices: %llu answers, %llu send-once, %llu no-senders, %llu dead-name, %llu "
	       "port-deleted\n",
	       (unsigned long long)plan->answers, (unsigned long long)plan->unused,
	       (unsigned long long)plan->no_senders, (unsigned long long)plan->dead_names,
	       (unsigned long long)plan->deleted);
}

int
main(int argc, char **argv)
{
	long long messages = argc > 1 ? atoll(argv[1]) : 20000;
	struct kernel_totals totals;
	struct holdings before;
	struct timespec begin;

	plan = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	coordinator = getpid();
	if (plan == MAP_FAILED || messages <= 0)
		fail("usage: stress [MESSAGES [SEED]]");
	plan->remaining = messages;
	plan->seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
	plan->tick_every = messages / 40 < 500     ? 500
			   : messages / 40 > 20000 ? 20000
						   : messages / 40;
	printf("%lld messages, seed %llu\n", messages, (unsigned long long)plan->seed);
	fflush(stdout);
	clock_gettime(CLOCK_MONOTONIC, &begin);

	holdings_take(&before);
	kernel_totals_ask(&totals);
	hub = port_with_qlimit(MACH_PORT_QLIMIT_LARGE);
	MUST(mach_port_insert_right(mach_task_self(), hub, hub, MACH_MSG_TYPE_MAKE_SEND));
	MUST(mach_ports_register(mach_task_self(), &hub, 1));
	struct dice dice = { plan->seed + 1 };
	for (uint32_t i = 0; i < SLOTS; i++)
		place_fill(i);
	while (!all_are(ID_DONE_1))
		take(&dice);
	stop_all(ID_STOP_1);
	while (!all_are(ID_DONE_2))
		take(&dice);
	see_off();
	stop_all(ID_STOP_2);
	for (uint32_t i = 0; i < SLOTS; i++) {
		place_reap(&places[i]);
		inboxes_drop(&places[i]);
	}
	MUST(mach_ports_register(mach_task_self(), NULL, 0));
	MUST(mach_port_deallocate(mach_task_self(), hub));
	receive_right_drop(hub);
	holdings_check(&before, "the coordinator");
	holdings_free(&before);
	kernel_totals_await(&totals);
	print_summary(&begin);
	return 0;
}
