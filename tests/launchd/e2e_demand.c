/* Declared services: their queue outlives their servers, and a message starts those. */
#include "e2e.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <servers/bootstrap_priv.h>

#define DECLARED "<key>MachServices</key><dict><key>demand</key><true/></dict>"
#define QUICK "<key>ThrottleInterval</key><integer>0</integer>"

/* ---- the server, in its modes ---------------------------------------------------------- */

/* Check in and note each message, "id pid"; 99 asks to end. */
static int
serve(const char *name)
{
	mach_port_t port;
	mach_msg_id_t id;

	e2e_note("started", "%d", (int)getpid());
	CHECK_KR(bootstrap_check_in(bootstrap_port, name, &port), 0);
	while ((id = e2e_receive(port, 60000)) != 99 && id != -1)
		e2e_note("served", "%d %d", id, (int)getpid());
	return 0;
}

/* Check in, take nothing. */
static int
sleep_on(const char *name)
{
	mach_port_t port;

	CHECK_KR(bootstrap_check_in(bootstrap_port, name, &port), 0);
	e2e_note("started", "%d", (int)getpid());
	for (;;)
		pause();
}

static int
check_in_again(void *context)
{
	mach_port_t port;

	/* a child inherits the job's port, and with it what the job may do */
	return bootstrap_check_in(bootstrap_port, "demand", &port) == 0 &&
		       e2e_receive(port, 5000) == 1
		   ? 0
		   : 1;
}

static int
serve_in_child(void)
{
	int status = e2e_in_child(check_in_again, NULL);
	mach_port_t port;

	/* it has come back: the first check-in did not belong to the child alone */
	CHECK_KR(bootstrap_check_in(bootstrap_port, "demand", &port), 0);
	CHECK_KR(bootstrap_check_in(bootstrap_port, "demand", &port), BOOTSTRAP_SERVICE_ACTIVE);
	e2e_note("served", "%d", status);
	return 0;
}

/* The first instance asks for its right and ends before the answer can come. */
static int
die_asking(void)
{
	struct {
		mach_msg_header_t head;
		NDR_record_t ndr;
		char name[128];
		uint64_t flags;
	} __attribute__((packed, aligned(4))) request = { .ndr = NDR_record, .name = "demand" };

	if (e2e_notes("started") > 0)
		return serve("demand");
	e2e_note("started", "%d", (int)getpid());
	mach_port_t reply = mig_get_reply_port();
	request.head.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	request.head.msgh_remote_port = bootstrap_port;
	request.head.msgh_local_port = reply;
	request.head.msgh_id = 402;
	CHECK_KR(mach_msg(&request.head, MACH_SEND_MSG, sizeof(request), 0, MACH_PORT_NULL, 0,
			  MACH_PORT_NULL),
		 0);
	_exit(0);
}

/* Ends without a look at its service, the first two times. */
static int
ignore_service(void)
{
	if (e2e_notes("started") >= 2)
		return serve("demand");
	e2e_note("started", "%d", (int)getpid());
	return 3;
}

static int
crash(void)
{
	if (e2e_notes("started") > 0)
		return serve("demand");
	mach_port_t port;
	CHECK_KR(bootstrap_check_in(bootstrap_port, "demand", &port), 0);
	e2e_note("started", "%d", (int)getpid());
	e2e_await_notes("go", 1);
	signal(SIGABRT, SIG_DFL);
	abort();
}

/* ---- helpers of the tests -------------------------------------------------------------- */

static mach_port_t
look_up(const char *name)
{
	mach_port_t port;

	CHECK_KR(bootstrap_look_up(bootstrap_port, name, &port), 0);
	return port;
}

static void
unload(const char *label)
{
	char out[1024];

	if (e2e_launch(out, sizeof(out), "remove", label, NULL) != 0) {
		fprintf(stderr, "%s", out);
		CHECK(!"removed");
	}
	unlink(e2e_path("started"));
	unlink(e2e_path("served"));
	unlink(e2e_path("go"));
}

/* The number that line @index of @file begins with. */
static int
noted(const char *file, unsigned index)
{
	char line[512];

	e2e_read_note(file, index, line, sizeof(line));
	return atoi(line);
}

static int
send_one(void *context)
{
	mach_port_t port = look_up("demand");

	return e2e_send(port, *(int *)context, -1) == 0 ? 0 : 1;
}

/* ---- tests ----------------------------------------------------------------------------- */

static void
a_message_starts_the_server_that_gets_it(void)
{
	mach_port_t port;
	bootstrap_status_t status;

	CHECK_KR(bootstrap_look_up(bootstrap_port, "demand", &port), BOOTSTRAP_UNKNOWN_SERVICE);
	e2e_load("demand.job", "serve", DECLARED);
	port = look_up("demand");
	CHECK(e2e_type(port) == MACH_PORT_TYPE_SEND);
	CHECK_KR(bootstrap_check_in(bootstrap_port, "demand", &port), BOOTSTRAP_NOT_PRIVILEGED);
	CHECK_KR(bootstrap_register(bootstrap_port, (name_t){ "demand" }, e2e_port()),
		 BOOTSTRAP_NOT_PRIVILEGED);
	CHECK_KR(bootstrap_status(bootstrap_port, (name_t){ "demand" }, &status), 0);
	e2e_sleep_ms(200);
	CHECK(e2e_notes("started") == 0);

	CHECK_KR(e2e_send(port, 1, -1), 0);
	CHECK_KR(e2e_send(port, 2, -1), 0);
	e2e_await_notes("served", 2);
	CHECK(noted("served", 0) == 1 && noted("served", 1) == 2);
	CHECK_KR(bootstrap_status(bootstrap_port, (name_t){ "demand" }, &status), 0);
	CHECK(status == BOOTSTRAP_STATUS_ACTIVE);

	unload("demand.job");
	CHECK_KR(bootstrap_look_up(bootstrap_port, "demand", &port), BOOTSTRAP_UNKNOWN_SERVICE);
}

/* Five fill the queue and three wait: a killed server's successor gets all, and those of
 * the queue in order.  (How waiting senders queue up is tested with the kernel, which can
 * tell that they do.) */
static void
nothing_is_lost_when_a_server_is_killed(void)
{
	int ids[8];
	pid_t senders[3];

	e2e_load("demand.job", "sleep-then-serve", DECLARED QUICK "<key>RunAtLoad</key><true/>");
	e2e_await_notes("started", 1);
	mach_port_t port = look_up("demand");
	for (int i = 0; i < 5; i++)
		CHECK_KR(e2e_send(port, ids[i] = i, 0), 0);
	CHECK_KR(e2e_send(port, 5, 0), MACH_SEND_TIMED_OUT);
	for (int i = 5; i < 8; i++) {
		ids[i] = i;
		senders[i - 5] = e2e_fork(send_one, &ids[i]);
	}
	e2e_sleep_ms(150); /* time enough to wait; what must hold holds if they do not yet */
	CHECK(kill(noted("started", 0), SIGKILL) == 0);
	e2e_await_notes("served", 8);
	unsigned seen = 0;
	for (unsigned i = 0; i < 8; i++) {
		CHECK(i >= 5 || noted("served", i) == (int)i);
		seen |= 1u << noted("served", i);
	}
	CHECK(seen == 0xff);
	for (unsigned i = 0; i < 3; i++)
		CHECK(e2e_wait(senders[i]) == 0);
	CHECK(e2e_type(port) & MACH_PORT_TYPE_SEND);
	unload("demand.job");
	e2e_await_death(port);
}

static void
reset_at_close_gives_a_new_port(void)
{
	e2e_load("demand.job", "sleep-then-serve",
		 QUICK "<key>RunAtLoad</key><true/><key>MachServices</key><dict><key>demand</key>"
		       "<dict><key>ResetAtClose</key><true/></dict></dict>");
	e2e_await_notes("started", 1);
	mach_port_t old = look_up("demand");
	CHECK_KR(e2e_send(old, 1, -1), 0);
	CHECK(kill(noted("started", 0), SIGKILL) == 0);

	/* a racing look-up gets the old one, dead or dying, or the new one: never nothing */
	mach_port_t new = old;
	while (new == old || new == MACH_PORT_DEAD)
		new = look_up("demand");
	e2e_await_death(old);
	CHECK_KR(e2e_send(new, 2, -1), 0);
	e2e_await_notes("served", 1);
	CHECK(noted("served", 0) == 2);
	unload("demand.job");
}

static void
a_hidden_service_shows_when_it_is_checked_in(void)
{
	mach_port_t port;
	char line[64];

	e2e_load("demand.job", "serve-hidden",
		 "<key>MachServices</key><dict><key>hidden</key>"
		 "<dict><key>HideUntilCheckIn</key><true/></dict></dict>");
	CHECK_KR(bootstrap_look_up(bootstrap_port, "hidden", &port), BOOTSTRAP_UNKNOWN_SERVICE);
	CHECK(e2e_launch(line, sizeof(line), "start", "demand.job", NULL) == 0);
	e2e_await_notes("started", 1);
	while (bootstrap_look_up(bootstrap_port, "hidden", &port) != 0)
		e2e_sleep_ms(10);
	CHECK_KR(e2e_send(port, 99, -1), 0);
	while (bootstrap_look_up(bootstrap_port, "hidden", &port) == 0)
		e2e_sleep_ms(10);
	unload("demand.job");
}

static void
a_child_of_the_job_counts_as_the_job(void)
{
	e2e_load("demand.job", "serve-in-child", DECLARED);
	CHECK_KR(e2e_send(look_up("demand"), 1, -1), 0);
	e2e_await_notes("served", 1);
	CHECK(noted("served", 0) == 0);
	unload("demand.job");
}

static void
a_right_that_nobody_received_comes_back(void)
{
	e2e_load("demand.job", "die-asking", DECLARED QUICK);
	CHECK_KR(e2e_send(look_up("demand"), 1, -1), 0);
	e2e_await_notes("served", 1);
	CHECK(noted("served", 0) == 1 && e2e_notes("started") == 2);
	unload("demand.job");
}

static void
a_server_that_does_not_look_is_started_again(void)
{
	e2e_load("demand.job", "ignore", DECLARED QUICK);
	CHECK_KR(e2e_send(look_up("demand"), 1, -1), 0);
	e2e_await_notes("served", 1);
	CHECK(noted("served", 0) == 1 && e2e_notes("started") == 3);
	unload("demand.job");
}

static void
starts_are_throttled(void)
{
	e2e_load("demand.job", "ignore",
		 DECLARED "<key>ThrottleInterval</key><integer>1</integer>");
	struct timespec before, after;
	clock_gettime(CLOCK_MONOTONIC, &before);
	CHECK_KR(e2e_send(look_up("demand"), 1, -1), 0);
	e2e_await_notes("started", 3);
	clock_gettime(CLOCK_MONOTONIC, &after);
	double s =
	    (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
	CHECK(s >= 1.9);
	unload("demand.job");
}

static void
a_crash_drains_if_the_job_says_so(void)
{
	mach_port_t answers = e2e_port();

	e2e_load("demand.job", "crash",
		 QUICK "<key>RunAtLoad</key><true/><key>MachServices</key><dict><key>demand</key>"
		       "<dict><key>DrainMessagesOnCrash</key><string>One</string></dict></dict>");
	e2e_await_notes("started", 1);
	mach_port_t port = look_up("demand");
	CHECK_KR(e2e_send_asking(port, 1, answers), 0);
	CHECK_KR(e2e_send(port, 2, -1), 0);
	e2e_note("go", "now");
	e2e_await_notes("served", 1);
	CHECK(noted("served", 0) == 2);
	/* who asked is told that there will be no answer */
	CHECK(e2e_receive(answers, 5000) == MACH_NOTIFY_SEND_ONCE);
	unload("demand.job");
}

static void
a_declared_name_cannot_be_declared_again(void)
{
	char out[1024];

	e2e_load("demand.job", "serve", DECLARED);
	CHECK(e2e_launch(out, sizeof(out), "load", e2e_plist("other.job", "serve", DECLARED),
			 NULL) != 0);
	CHECK(strstr(out, "MachServices") != NULL);
	CHECK(e2e_launch(out, sizeof(out), "load", e2e_path("demand.job.plist"), NULL) != 0);
	CHECK(strstr(out, "label is loaded") != NULL);
	unload("demand.job");
}

int
main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (strcmp(mode, "serve") == 0)
		return serve("demand");
	if (strcmp(mode, "serve-hidden") == 0)
		return serve("hidden");
	if (strcmp(mode, "sleep-then-serve") == 0)
		return e2e_notes("started") ? serve("demand") : sleep_on("demand");
	if (strcmp(mode, "serve-in-child") == 0)
		return serve_in_child();
	if (strcmp(mode, "die-asking") == 0)
		return die_asking();
	if (strcmp(mode, "ignore") == 0)
		return ignore_service();
	if (strcmp(mode, "crash") == 0)
		return crash();

	RUN(a_message_starts_the_server_that_gets_it);
	RUN(nothing_is_lost_when_a_server_is_killed);
	RUN(reset_at_close_gives_a_new_port);
	RUN(a_hidden_service_shows_when_it_is_checked_in);
	RUN(a_child_of_the_job_counts_as_the_job);
	RUN(a_right_that_nobody_received_comes_back);
	RUN(a_server_that_does_not_look_is_started_again);
	RUN(starts_are_throttled);
	RUN(a_crash_drains_if_the_job_says_so);
	RUN(a_declared_name_cannot_be_declared_again);
	return 0;
}
