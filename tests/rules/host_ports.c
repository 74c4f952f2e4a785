/* The host's privileged port, and what is kept behind it: mach-kobjects.md §3.1, §9. */
#include <mach/exception_types.h>
#include <mach/host_special_ports.h>
#include <mach/mig_errors.h>

#include "tests/support/calls.h"
#include "tests/support/rpc.h"

#define GET_SPECIAL_PORT 412
#define SET_SPECIAL_PORT 413
#define SET_EXCEPTION_PORTS 414

static kern_return_t
get_port(struct actor *t, mach_port_name_t host, uint32_t which, mach_port_name_t *name)
{
	struct rpc r = rpc_to(GET_SPECIAL_PORT);
	kern_return_t kr;

	rpc_u32(&r, (uint32_t)HOST_LOCAL_NODE);
	rpc_u32(&r, which);
	t->target = host;
	kr = rpc_call(t, reply_port(t), &r);
	t->target = BERTH_NAME_TASK_SELF;
	*name = kr == KERN_SUCCESS ? got.descriptors[0].name : MACH_PORT_NULL;
	return kr;
}

static kern_return_t
set_port(struct actor *t, mach_port_name_t host, uint32_t which, mach_port_name_t name)
{
	struct rpc r = rpc_to(SET_SPECIAL_PORT);
	kern_return_t kr;

	message_add_port(&r.message, name, MACH_MSG_TYPE_COPY_SEND);
	rpc_u32(&r, which);
	t->target = host;
	kr = rpc_call(t, reply_port(t), &r);
	t->target = BERTH_NAME_TASK_SELF;
	return kr;
}

static kern_return_t
set_handler(struct actor *t, mach_port_name_t host, mach_port_name_t name)
{
	struct rpc r = rpc_to(SET_EXCEPTION_PORTS);
	kern_return_t kr;

	message_add_port(&r.message, name, MACH_MSG_TYPE_COPY_SEND);
	rpc_u32(&r, EXC_MASK_BAD_ACCESS);
	rpc_u32(&r, EXCEPTION_DEFAULT);
	rpc_u32(&r, THREAD_STATE_NONE);
	t->target = host;
	kr = rpc_call(t, reply_port(t), &r);
	t->target = BERTH_NAME_TASK_SELF;
	return kr;
}

TEST_2(only_who_owns_the_kernel_gets_the_privileged_port)
{
	mach_port_name_t name, left = new_port_with_send(b);

	assert_ok(get_port(a, host_self(a), HOST_PRIV_PORT, &name));
	assert_entry(a, name, MACH_PORT_TYPE_SEND, 1);
	assert_code(get_port(b, host_self(b), HOST_PRIV_PORT, &name), KERN_INVALID_ARGUMENT);
	assert_code(get_port(b, host_self(b), HOST_MAX_SPECIAL_PORT, &name), KERN_INVALID_ARGUMENT);
	assert_code(set_port(b, host_self(b), HOST_MAX_SPECIAL_PORT, left), KERN_INVALID_ARGUMENT);
	assert_code(set_handler(b, host_self(b), left), KERN_INVALID_ARGUMENT);
	assert_int_equal(srights_of(b, left), 1);
}

TEST_2(root_may_what_the_owner_may)
{
	mach_port_name_t name;
	audit_token_t root = b->party->token;

	root.val[1] = 0;
	kernel_task_set_token(b->party->task, &root);
	assert_ok(get_port(b, host_self(b), HOST_PRIV_PORT, &name));
}

TEST_2(the_privileged_port_is_a_right_like_others)
{
	mach_port_name_t name, priv, left = new_port_with_send(b);

	assert_ok(get_port(a, host_self(a), HOST_PRIV_PORT, &priv));
	priv = give(a, priv, MACH_MSG_TYPE_COPY_SEND, b);
	assert_ok(set_port(b, priv, HOST_MAX_SPECIAL_PORT, left));
	assert_ok(get_port(b, priv, HOST_MAX_SPECIAL_PORT, &name));
	assert_int_equal(name, left);
	assert_int_equal(send_refs(b, left), 2);
	assert_ok(port_mod_refs(b, left, MACH_PORT_RIGHT_RECEIVE, -1));
	assert_ok(get_port(a, host_self(a), HOST_MAX_SPECIAL_PORT, &name));
	assert_int_equal(name, MACH_PORT_DEAD);
}

TEST_1(what_is_set_again_replaces_the_right)
{
	mach_port_name_t first = new_port_with_send(a), second = new_port_with_send(a), name;

	assert_ok(set_port(a, host_self(a), HOST_MAX_SPECIAL_PORT, first));
	assert_int_equal(srights_of(a, first), 2);
	assert_ok(set_port(a, host_self(a), HOST_MAX_SPECIAL_PORT, second));
	assert_int_equal(srights_of(a, first), 1);
	assert_ok(get_port(a, host_self(a), HOST_MAX_SPECIAL_PORT, &name));
	assert_int_equal(name, second);
}

TEST_1(what_is_no_such_port_is_refused)
{
	mach_port_name_t name, left = new_port_with_send(a);

	assert_code(get_port(a, host_self(a), HOST_MAX_SPECIAL_PORT + 1, &name),
		    KERN_INVALID_ARGUMENT);
	assert_code(get_port(a, host_self(a), (uint32_t)-1, &name), KERN_INVALID_ARGUMENT);
	assert_code(get_port(a, BERTH_NAME_TASK_SELF, HOST_PORT, &name), KERN_INVALID_ARGUMENT);
	assert_code(set_port(a, host_self(a), HOST_MAX_SPECIAL_KERNEL_PORT, left),
		    KERN_INVALID_ARGUMENT);
	assert_code(set_port(a, host_self(a), HOST_MAX_SPECIAL_PORT + 1, left),
		    KERN_INVALID_ARGUMENT);
	assert_ok(get_port(a, host_self(a), HOST_IO_MAIN_PORT, &name));
	assert_int_equal(name, MACH_PORT_NULL);
}

TEST_2(the_host_s_handler_is_told_to_who_needs_it)
{
	mach_port_name_t port = new_port_with_send(a);

	assert_refused_without_trace(
	    w, trap(b, BERTH_TRAP_HOST_EXCEPTION_PORT, EXC_BAD_ACCESS, 0, 0, 0, 0, 0),
	    KERN_FAILURE);
	assert_false(kernel_task_watches_exceptions(b->party->task));
	assert_ok(set_handler(a, host_self(a), port));
	assert_true(kernel_task_watches_exceptions(b->party->task));
	assert_ok(trap(b, BERTH_TRAP_HOST_EXCEPTION_PORT, EXC_BAD_ACCESS, 0, 0, 0, 0, 0));
	assert_int_equal(b->outcome.values[1], EXCEPTION_DEFAULT);
	assert_entry(b, (mach_port_name_t)b->outcome.values[0], MACH_PORT_TYPE_SEND, 1);
	assert_refused_without_trace(
	    w, trap(b, BERTH_TRAP_HOST_EXCEPTION_PORT, EXC_ARITHMETIC, 0, 0, 0, 0, 0),
	    KERN_FAILURE);
	assert_refused_without_trace(
	    w, trap(b, BERTH_TRAP_HOST_EXCEPTION_PORT, 0xffffffff, 0, 0, 0, 0, 0), KERN_FAILURE);
	assert_ok(port_mod_refs(a, port, MACH_PORT_RIGHT_RECEIVE, -1));
	assert_refused_without_trace(
	    w, trap(b, BERTH_TRAP_HOST_EXCEPTION_PORT, EXC_BAD_ACCESS, 0, 0, 0, 0, 0),
	    KERN_FAILURE);
}

/* A fileport, which alone holds its file, has it closed when all tasks are gone. */
TEST_1(what_was_left_at_the_host_goes_with_the_last_task)
{
	const struct file *file;
	mach_port_name_t port = new_fileport(a, &file);

	assert_ok(set_port(a, host_self(a), HOST_MAX_SPECIAL_PORT, port));
	world_task_die(a->party);
	assert_int_equal(w->live_files, 0);
}
