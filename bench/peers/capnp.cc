/*
 * Cap'n Proto RPC over a Unix socket.
 */
#if defined(__GNUC__) && !defined(__clang__)
/* with the sanitizers gcc takes a size hint of capnp's that is not there for one that is not set */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <capnp/ez-rpc.h>
#include <kj/debug.h>

#include <cstring>
#include <string>
#include <vector>

#include "capnp.capnp.h"

extern "C" {
#include "bench/peers/peer.h"
#include "bench/process.h"
}

namespace
{

std::string address;

class Server final : public Bench::Server
{
	std::vector<uint64_t> reply;

    public:
	Server() : reply(shape.reply_bytes / sizeof(uint64_t))
	{
	}

	kj::Promise<void> call(CallContext context) override
	{
		auto request = context.getParams().getRequest();

		KJ_REQUIRE(request.size() == shape.request_bytes);
		answer(request.begin(), reply.data());
		context.getResults().setReply(
		    capnp::Data::Reader((const kj::byte *)reply.data(), shape.reply_bytes));
		return kj::READY_NOW;
	}
};

void
listen_capnp()
{
	address = std::string("unix:") + own_path("capnp");
}

void
serve()
{
	capnp::EzRpcServer server(kj::heap<Server>(), address.c_str());

	server.getPort().wait(server.getWaitScope());
	serving();
	kj::Promise<void>(kj::NEVER_DONE).wait(server.getWaitScope());
}

struct Client {
	capnp::EzRpcClient rpc;
	Bench::Client bench;

	Client() : rpc(address.c_str()), bench(rpc.getMain<Bench>())
	{
	}
};

Client *own;

void
connect_capnp()
{
	own = new Client;
}

void
call(const void *request, void *reply)
{
	auto asked = own->bench.callRequest();

	asked.setRequest(capnp::Data::Reader((const kj::byte *)request, shape.request_bytes));

	auto answered = asked.send().wait(own->rpc.getWaitScope());

	KJ_REQUIRE(answered.getReply().size() == shape.reply_bytes);
	memcpy(reply, answered.getReply().begin(), shape.reply_bytes);
}

struct peer
peer_of_capnp()
{
	struct peer peer = {};

	peer.system = "capnp";
	peer.listen = listen_capnp;
	peer.serve = serve;
	peer.connect = connect_capnp;
	peer.call = call;
	return peer;
}

const struct peer peer_capnp = peer_of_capnp();

} // namespace

extern "C" {
extern const struct peer *const peers_here[];
const struct peer *const peers_here[] = { &peer_capnp, nullptr };
}
