/*
 * A name server below another, and one that serves several users: `berth-launchd -- COMMAND`
 * runs this program again, with "below" or "users" as its argument.
 */
#include "e2e.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bsm/libbsm.h>
#include <servers/bootstrap_priv.h>

#define SOMEBODY 65534

/* ---- who answers ----------------------------------------------------------------------- */

struct look_up_request {
	mach_msg_header_t head;
	NDR_record_t ndr;
	char name[128];
	int32_t pid;
	unsigned char uuid[16];
	uint64_t flags;
} __attribute__((packed, aligned(4)));

/* Look @name up; the process that answered, by the token of the reply. */
static pid_t
who_answers(const char *name, kern_return_t expected)
{
	union {
		struct look_up_request request;
		struct {
			mach_msg_header_t head;
			char room[256];
		} reply;
		mig_reply_error_t error;
	} message = { .request = { .ndr = NDR_record } };
	mach_port_t reply_port = mig_get_reply_port();

	strcpy(message.request.name, name);
	message.request.head.msgh_bits =
	    MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE);
	message.request.head.msgh_remote_port = bootstrap_port;
	message.request.head.msgh_local_port = reply_port;
	message.request.head.msgh_id = 404;
	CHECK_KR(mach_msg(&message.request.head,
			  MACH_SEND_MSG | MACH_RCV_MSG |
			      MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |
			      MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT),
			  sizeof(message.request), sizeof(message.reply), reply_port,
			  MACH_MSG_TIMEOUT_NONE, MACH_PORT_NULL),
		 0);
	CHECK(message.reply.head.msgh_id == 504);
	if (MACH_MSGH_BITS_IS_COMPLEX(message.reply.head.msgh_bits))
		CHECK(expected == KERN_SUCCESS);
	else
		CHECK(message.error.RetCode == expected);
	const mach_msg_audit_trailer_t *trailer =
	    (const void *)((const char *)&message + round_msg(message.reply.head.msgh_size));
	pid_t pid = audit_token_to_pid(trailer->msgh_audit);
	mach_msg_destroy(&message.reply.head);
	return pid;
}

/* ---- below ----------------------------------------------------------------------------- */

/* The program that runs on the name server below; @outer is the process of the one above. */
static int
below(pid_t outer)
{
	mach_port_t found, server;
	unsigned before;

	CHECK_KR(bootstrap_look_up(bootstrap_port, "outer", &found), 0);
	CHECK_KR(e2e_send(found, 21, -1), 0);
	CHECK(who_answers("outer", 0) == outer);
	CHECK(who_answers("nobody", BOOTSTRAP_UNKNOWN_SERVICE) == outer);
	CHECK_KR(bootstrap_look_up2(bootstrap_port, "outer", &found, 0, BOOTSTRAP_FORCE_LOCAL),
		 BOOTSTRAP_UNKNOWN_SERVICE);

	CHECK_KR(bootstrap_check_in(bootstrap_port, "inner", &server), 0);
	pid_t own = who_answers("inner", 0);
	CHECK(own != outer && own == getppid());

	/* forwarding leaves nothing behind, here or in between */
	before = e2e_name_count();
	for (int i = 0; i < 100; i++)
		CHECK_KR(bootstrap_look_up(bootstrap_port, "nobody", &found),
			 BOOTSTRAP_UNKNOWN_SERVICE);
	CHECK(e2e_name_count() == before);
	return 7; /* is berth-launchd's exit status, too */
}

static const char *
launchd_path(void)
{
	const char *path = getenv("BERTH_LAUNCHD");

	CHECK(path != NULL);
	return path;
}

static int
run_nested(void *context)
{
	char *const *words = context;

	execv(words[0], words);
	return 126;
}

static void
look_ups_go_up_and_are_answered_from_there(void)
{
	mach_port_t server, found;
	char outer[16];

	CHECK_KR(bootstrap_check_in(bootstrap_port, "outer", &server), 0);
	snprintf(outer, sizeof(outer), "%d", (int)who_answers("outer", 0));
	const char *const words[] = { launchd_path(), "--", e2e_self(), "below", outer, NULL };
	CHECK(e2e_in_child(run_nested, (void *)(uintptr_t)words) == 7);
	CHECK(e2e_receive(server, 5000) == 21);
	CHECK_KR(bootstrap_look_up(bootstrap_port, "inner", &found), BOOTSTRAP_UNKNOWN_SERVICE);
	e2e_drop_receive(server);
}

static void
a_nested_server_gives_back_how_its_command_ended(void)
{
	const char *const missing[] = { launchd_path(), "--", "/nonexistent", NULL };
	const char *const killed[] = { launchd_path(), "--", "sh", "-c", "kill -9 $$", NULL };
	const char *const wrong[] = { launchd_path(), "--owner-uid", "x", NULL };

	CHECK(e2e_in_child(run_nested, (void *)(uintptr_t)missing) == 127);
	CHECK(e2e_in_child(run_nested, (void *)(uintptr_t)killed) == 128 + 9);
	CHECK(e2e_in_child(run_nested, (void *)(uintptr_t)wrong) == 2);
}

/* ---- users ----------------------------------------------------------------------------- */

static int
as_somebody(void *context)
{
	mach_port_t port, mine = e2e_port();

	CHECK(setgid(SOMEBODY) == 0 && setuid(SOMEBODY) == 0);

	/* the system's names are seen, and are not to be had: the same name here is another's,
	 * which nobody else sees */
	CHECK_KR(bootstrap_look_up(bootstrap_port, "system-service", &port), 0);
	CHECK_KR(e2e_send(port, 1, -1), 0);
	CHECK_KR(bootstrap_register(bootstrap_port, (name_t){ "system-service" }, mine), 0);
	CHECK_KR(bootstrap_look_up(bootstrap_port, "system-service", &port), 0);
	CHECK(port == mine);
	CHECK_KR(bootstrap_look_up2(bootstrap_port, "system-service", &port, 0,
				    BOOTSTRAP_PRIVILEGED_SERVER),
		 0);
	CHECK(port != mine);
	CHECK_KR(e2e_send(port, 2, -1), 0);
	CHECK_KR(bootstrap_look_up2(bootstrap_port, "of-somebody", &port, 0,
				    BOOTSTRAP_PRIVILEGED_SERVER),
		 BOOTSTRAP_UNKNOWN_SERVICE);

	CHECK_KR(bootstrap_look_up_per_user(bootstrap_port, NULL, 0, &port), 0);
	CHECK_KR(bootstrap_register(port, (name_t){ "of-somebody" }, mine), 0);
	CHECK_KR(bootstrap_look_up(bootstrap_port, "of-somebody", &port), 0);
	CHECK(port == mine);
	CHECK_KR(bootstrap_look_up_per_user(bootstrap_port, NULL, 1, &port),
		 BOOTSTRAP_NOT_PRIVILEGED);
	CHECK_KR(bootstrap_parent(bootstrap_port, &port), BOOTSTRAP_NOT_PRIVILEGED);

	mach_port_array_t ports;
	name_array_t names;
	bootstrap_property_array_t properties;
	mach_msg_type_number_t count;
	CHECK_KR(bootstrap_lookup_children(bootstrap_port, &ports, &names, &properties, &count),
		 BOOTSTRAP_NOT_PRIVILEGED);
	CHECK_KR(bootstrap_create_server(bootstrap_port, (cmd_t){ "true" }, 0, TRUE, &port),
		 BOOTSTRAP_NOT_PRIVILEGED);

	/* one user cannot use up what there is for all */
	unsigned subsets = 0;
	kern_return_t kr;
	while ((kr = bootstrap_subset(bootstrap_port, mach_task_self(), &port)) == 0)
		subsets++;
	CHECK_KR(kr, BOOTSTRAP_NO_MEMORY);
	CHECK(subsets > 100 && subsets < 1024);
	e2e_note("published", "yes");
	e2e_await_notes("go", 1);
	return 0;
}

static int
load_as_somebody(void *context)
{
	char out[1024];

	CHECK(setgid(SOMEBODY) == 0 && setuid(SOMEBODY) == 0);
	/* root's job is nothing that somebody could see or steer */
	CHECK(e2e_launch(out, sizeof(out), "stop", "roots.job", NULL) != 0);
	CHECK(strstr(out, "no job has that label") != NULL);
	CHECK(e2e_launch(out, sizeof(out), "load", context, NULL) == 0);
	CHECK(strstr(out, "UserName") != NULL); /* only root's jobs may say who they run as */
	CHECK(e2e_launch(out, sizeof(out), "list", NULL) == 0);
	CHECK(strstr(out, "somebodys.job") != NULL && strstr(out, "roots.job") == NULL);
	return 0;
}

/* A job notes who it is. */
static int
note_user(const char *file)
{
	e2e_note(file, "%u %u", (unsigned)getuid(), (unsigned)getgid());
	return 0;
}

/* On `berth-launchd --system`, as root. */
static int
users(void)
{
	mach_port_t server, found, context;
	char line[64];

	CHECK_KR(bootstrap_check_in(bootstrap_port, "system-service", &server), 0);
	CHECK(chmod(e2e_folder(), 0777) == 0);
	pid_t pid = e2e_fork(as_somebody, NULL);
	e2e_await_notes("published", 1);
	CHECK(e2e_receive(server, 5000) == 1 && e2e_receive(server, 5000) == 2);

	/* what a user publishes is his */
	CHECK_KR(bootstrap_look_up(bootstrap_port, "of-somebody", &found),
		 BOOTSTRAP_UNKNOWN_SERVICE);
	CHECK_KR(bootstrap_look_up(bootstrap_port, "system-service", &found), 0);
	CHECK(found == server);
	CHECK_KR(bootstrap_look_up_per_user(bootstrap_port, "of-somebody", SOMEBODY, &found), 0);
	CHECK_KR(bootstrap_look_up_per_user(bootstrap_port, NULL, SOMEBODY, &context), 0);
	CHECK_KR(bootstrap_parent(context, &found), 0);
	CHECK(found == bootstrap_port);
	CHECK_KR(bootstrap_subset(bootstrap_port, mach_task_self(), &found), 0);
	e2e_note("go", "now");
	CHECK(e2e_wait(pid) == 0);

	/* jobs run as who loaded them, or as who root says */
	e2e_load("roots.job", "user:root",
		 "<key>RunAtLoad</key><true/><key>UserName</key><string>nobody</string>");
	e2e_await_notes("root", 1);
	e2e_read_note("root", 0, line, sizeof(line));
	CHECK(atoi(line) == SOMEBODY);
	const char *path = e2e_plist("somebodys.job", "user:somebody",
				     "<key>RunAtLoad</key><true/>"
				     "<key>UserName</key><string>root</string>");
	CHECK(chown(path, SOMEBODY, SOMEBODY) == 0);
	CHECK(e2e_in_child(load_as_somebody, (void *)(uintptr_t)path) == 0);
	e2e_await_notes("somebody", 1);
	e2e_read_note("somebody", 0, line, sizeof(line));
	CHECK(atoi(line) == SOMEBODY);
	return 0;
}

static void
users_have_contexts_of_their_own(void)
{
	const char *const words[] = { launchd_path(), "--system", "--", e2e_self(), "users", NULL };

	if (geteuid() != 0) {
		fprintf(stderr, "… left out: only root can become somebody else\n");
		return;
	}
	CHECK(e2e_in_child(run_nested, (void *)(uintptr_t)words) == 0);
}

int
main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (strcmp(mode, "below") == 0)
		return below(atoi(argv[2]));
	if (strcmp(mode, "users") == 0) {
		int status = users();
		exit(status);
	}
	if (strncmp(mode, "user:", 5) == 0)
		return note_user(mode + 5);
	RUN(look_ups_go_up_and_are_answered_from_there);
	RUN(a_nested_server_gives_back_how_its_command_ended);
	RUN(users_have_contexts_of_their_own);
	return 0;
}
