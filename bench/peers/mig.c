/*
 * The same call on Berth through stubs that mig made, and mach_msg_server().
 */
#include "bench/peers/mach.h"

#include <string.h>

#include "bench/peers/echo.h"
#include "bench/peers/peer.h"
#include "echoServer.h"
#include "echoUser.h"

#define SERVICE "berth.bench.mig"

static mach_port_t service;

kern_return_t
serve_echo(mach_port_t server, echo_words_t request, echo_words_t *reply)
{
	struct words asked[4], answered[4] = { 0 };

	memcpy(asked, &request, sizeof(asked));
	answer(asked, answered);
	memcpy(reply, answered, sizeof(*reply));
	return KERN_SUCCESS;
}

static void
serve(void)
{
	mach_port_t port;

	must(bootstrap_check_in(bootstrap_port, SERVICE, &port), "bootstrap_check_in");
	serving();
	must(mach_msg_server(bench_echo_server,
			     sizeof(union __RequestUnion__serve_bench_echo_subsystem), port,
			     MACH_MSG_OPTION_NONE),
	     "mach_msg_server");
}

static void
look_up(void)
{
	must(bootstrap_look_up(bootstrap_port, SERVICE, &service), "bootstrap_look_up");
}

static void
call(const void *request, void *reply)
{
	echo_words_t words;

	memcpy(&words, request, sizeof(words));
	must(echo(service, words, reply), "echo");
}

static const struct peer peer_mig = {
	.system = "berth-mig",
	.size_max = sizeof(echo_words_t),
	.serve = serve,
	.connect = look_up,
	.call = call,
};

const struct peer *const peers_here[] = { &peer_mig, NULL };
