/*
 * iceoryx: requests and responses in shared memory that a daemon, RouDi, hands out.  There is one
 * RouDi a machine: where one runs already, this one fails to start.
 */
#include <iceoryx_binding_c/client.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/server.h>
#include <iceoryx_binding_c/types.h>
#include <iceoryx_binding_c/wait_set.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/peers/peer.h"
#include "bench/process.h"

/* One: it is made for few processes that stay, and leaves files behind those that do not. */
#define CLIENTS_MAX 1
#define END_S 10 /* it has not ended by then: so be it */

static iox_client_t own;
static iox_ws_t own_set;

static pid_t user_pid, roudi_pid; /* main()'s, and the daemon's */

/* RouDi takes its shared memory away when it is asked to end; it tells all others to end, too. */
static void
end(void)
{
	char pattern[64];
	glob_t found;
	pid_t pid;

	if (getpid() != user_pid)
		return;
	signal(SIGCHLD, SIG_DFL); /* the server ends now, and may */
	signal(SIGTERM, SIG_IGN);
	kill(roudi_pid, SIGTERM);
	/* it waits for all of them, and takes a zombie for somebody who lives */
	alarm(END_S);
	while ((pid = wait(NULL)) > 0 && pid != roudi_pid)
		continue;
	/* the sockets of those that were killed */
	snprintf(pattern, sizeof(pattern), "/tmp/berth-bench-%d-*", (int)user_pid);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		unlink(found.gl_pathv[i]);
	globfree(&found);
}

/* Shared memory for what is in flight: a few chunks of what each client has, and their headers. */
static void
listen_iceoryx(void)
{
	const char *config = own_path("roudi.toml");
	FILE *file = fopen(config, "w");
	int said[2];
	char line[256];

	if (file == NULL)
		die(config);
	fprintf(file, "[general]\nversion = 1\n[[segment]]\n"
		      "[[segment.mempool]]\nsize = 128\ncount = 4096\n"
		      "[[segment.mempool]]\nsize = 8192\ncount = 1024\n"
		      "[[segment.mempool]]\nsize = 1048832\ncount = 8\n");
	if (fclose(file) != 0)
		die(config);
	if (pipe(said) != 0)
		die("pipe");
	user_pid = getpid();
	roudi_pid = child();
	if (roudi_pid == 0) {
		/* not killed at once, if this process is: it would leave everything */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		dup2(said[1], STDOUT_FILENO);
		dup2(said[1], STDERR_FILENO);
		close(said[0]);
		execlp("iox-roudi", "iox-roudi", "-m", "off", "-k", "1", "-c", config,
		       (char *)NULL);
		die("iox-roudi");
	}
	close(said[1]);
	atexit(end);

	FILE *words = fdopen(said[0], "r");

	while (words != NULL && fgets(line, sizeof(line), words) != NULL)
		if (strstr(line, "is ready") != NULL)
			return;
	die_saying("iox-roudi has not started");
}

static void
runtime_init(const char *role)
{
	char name[64];

	snprintf(name, sizeof(name), "berth-bench-%d-%s-%d", (int)user_pid, role, (int)getpid());
	iox_runtime_init(name);
}

static void
wait_for_one(iox_ws_t set)
{
	iox_notification_info_t information;
	uint64_t missed;

	iox_ws_wait(set, &information, 1, &missed);
}

static void
serve(void)
{
	static iox_server_storage_t storage;
	static iox_ws_storage_t set_storage;
	iox_server_options_t options;
	iox_server_t server;
	iox_ws_t set;

	runtime_init("server");
	iox_server_options_init(&options);
	server = iox_server_init(&storage, "berth", "bench", "call", &options);
	set = iox_ws_init(&set_storage);
	if (iox_ws_attach_server_state(set, server, ServerState_HAS_REQUEST, 0, NULL) !=
	    WaitSetResult_SUCCESS)
		die_saying("iox_ws_attach_server_state");
	serving();
	for (;;) {
		const void *request;
		void *reply;

		wait_for_one(set);
		while (iox_server_take_request(server, &request) == ServerRequestResult_SUCCESS) {
			if (iox_server_loan_response(server, request, &reply,
						     (uint32_t)shape.reply_bytes) !=
			    AllocationResult_SUCCESS)
				die_saying("iox_server_loan_response");
			answer(request, reply);
			iox_server_send(server, reply);
			iox_server_release_request(server, request);
		}
	}
}

static void
connect_iceoryx(void)
{
	static iox_client_storage_t storage;
	static iox_ws_storage_t set_storage;
	iox_client_options_t options;

	runtime_init("client");
	iox_client_options_init(&options);
	own = iox_client_init(&storage, "berth", "bench", "call", &options);
	while (iox_client_get_connection_state(own) != ConnectionState_CONNECTED)
		usleep(100);
	own_set = iox_ws_init(&set_storage);
	if (iox_ws_attach_client_state(own_set, own, ClientState_HAS_RESPONSE, 0, NULL) !=
	    WaitSetResult_SUCCESS)
		die_saying("iox_ws_attach_client_state");
}

static void
call(const void *request, void *reply)
{
	const void *response;
	void *chunk;

	if (iox_client_loan_request(own, &chunk, (uint32_t)shape.request_bytes) !=
	    AllocationResult_SUCCESS)
		die_saying("iox_client_loan_request");
	memcpy(chunk, request, shape.request_bytes);
	if (iox_client_send(own, chunk) != ClientSendResult_SUCCESS)
		die_saying("iox_client_send");
	while (iox_client_take_response(own, &response) != ChunkReceiveResult_SUCCESS)
		wait_for_one(own_set);
	memcpy(reply, response, shape.reply_bytes);
	iox_client_release_response(own, response);
}

static const struct peer peer_iceoryx = {
	.system = "iceoryx",
	.clients_max = CLIENTS_MAX,
	.listen = listen_iceoryx,
	.serve = serve,
	.connect = connect_iceoryx,
	.call = call,
};

const struct peer *const peers_here[] = { &peer_iceoryx, NULL };
