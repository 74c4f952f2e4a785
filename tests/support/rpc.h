/*
 * Requests to kernel objects as mig-codegen.md lays them out, written by hand: what stubs of
 * MIG make, without MIG.
 *
 *   struct rpc r = rpc_to(3204);
 *   rpc_u32(&r, MACH_PORT_RIGHT_RECEIVE);
 *   assert_ok(rpc_call(a, reply, &r));
 *   name = rpc_result_u32(&r);
 */
#ifndef TESTS_RPC_H
#define TESTS_RPC_H

#include "tests/support/message.h"

struct rpc {
	struct message message; /* descriptors are added to it directly */
	uint8_t data[2048];     /* NDR and the inline fields */
	uint32_t data_size;
	int32_t id;
	uint32_t read; /* of the reply's data */
};

/* A request of that number, without arguments. */
struct rpc rpc_to(int32_t id);
void rpc_u32(struct rpc *r, uint32_t value);
void rpc_u64(struct rpc *r, uint64_t value);

/*
 * Sends @r to t->target and receives the reply on @reply, into `got`.  The RetCode, or success
 * for a complex reply; a code of the send or the receive if one of them fails; MIG_SERVER_DIED if
 * the reply right was given up.  Header and shape of the reply are checked.
 */
kern_return_t rpc_call(struct actor *t, mach_port_name_t reply, struct rpc *r);

/* The next inline field of the reply. */
uint32_t rpc_result_u32(struct rpc *r);
uint64_t rpc_result_u64(struct rpc *r);

#endif
