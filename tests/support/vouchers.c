/* Vouchers: see vouchers.h. */
#include "tests/support/vouchers.h"

#include <string.h>

/* ---- recipes ------------------------------------------------------------------------------ */

void
recipes_add(struct recipes *r, uint32_t key, uint32_t command, mach_port_name_t previous,
	    const void *content, uint32_t content_size)
{
	const uint32_t head[4] = { key, command, previous, content_size };

	memcpy(r->bytes + r->size, head, sizeof head);
	if (content_size)
		memcpy(r->bytes + r->size + sizeof head, content, content_size);
	r->size += (uint32_t)sizeof head + content_size;
}

struct recipes
recipes_of(uint32_t key, uint32_t command, mach_port_name_t previous, const char *content)
{
	struct recipes r = { .size = 0 };

	recipes_add(&r, key, command, previous, content, (uint32_t)strlen(content));
	return r;
}

kern_return_t
voucher_create_at(struct actor *t, mach_port_name_t host, const struct recipes *r,
		  mach_port_name_t *voucher)
{
	struct trap_frame frame = { .number = BERTH_TRAP_HOST_CREATE_MACH_VOUCHER,
				    .args = { host },
				    .bytes = r->bytes,
				    .bytes_size = r->size };

	assert_true(world_trap(t, &frame));
	*voucher = (mach_port_name_t)t->outcome.values[0];
	return t->outcome.code;
}

kern_return_t
voucher_create(struct actor *t, const struct recipes *r, mach_port_name_t *voucher)
{
	mach_port_name_t host = host_self(t);
	kern_return_t kr = voucher_create_at(t, host, r, voucher);

	assert_ok(port_deallocate(t, host));
	return kr;
}

kern_return_t
voucher_create_one(struct actor *t, uint32_t key, uint32_t command, mach_port_name_t previous,
		   const char *content, mach_port_name_t *voucher)
{
	const struct recipes r = recipes_of(key, command, previous, content);

	return voucher_create(t, &r, voucher);
}

mach_port_name_t
voucher_new(struct actor *t, const char *content)
{
	mach_port_name_t voucher;

	assert_ok(voucher_create_one(t, USER_DATA, STORE, 0, content, &voucher));
	return voucher;
}

kern_return_t
voucher_extract(struct actor *t, mach_port_name_t voucher, uint32_t key, uint32_t room)
{
	return trap(t, BERTH_TRAP_MACH_VOUCHER_EXTRACT_ATTR_RECIPE, voucher, key, room, 0, 0, 0);
}

kern_return_t
object_call(struct actor *t, mach_port_name_t object, struct rpc *r)
{
	mach_port_name_t reply = reply_port(t);
	kern_return_t kr;

	t->target = object;
	kr = rpc_call(t, reply, r);
	t->target = BERTH_NAME_TASK_SELF;
	assert_ok(port_mod_refs(t, reply, MACH_PORT_RIGHT_RECEIVE, -1));
	return kr;
}

kern_return_t
voucher_ask(struct actor *t, mach_port_name_t voucher, int32_t id, uint32_t key, uint32_t room,
	    struct recipes *out)
{
	struct rpc r = rpc_to(id);
	kern_return_t kr;

	if (id != 5402)
		rpc_u32(&r, key);
	rpc_u32(&r, room);
	kr = object_call(t, voucher, &r);
	out->size = kr == KERN_SUCCESS ? rpc_result_u32(&r) : 0;
	if (kr == KERN_SUCCESS)
		memcpy(out->bytes, got.data + r.read, out->size);
	return kr;
}

void
assert_voucher_has(struct actor *t, mach_port_name_t voucher, uint32_t key, const char *content)
{
	struct recipes out;

	assert_ok(voucher_ask(t, voucher, 5400, key, 4096, &out));
	assert_int_equal(out.size, strlen(content));
	assert_memory_equal(out.bytes, content, out.size);
}
