/*
 * Each allocation of requests to kernel objects fails once.
 *
 * The code says so: MACH_SEND_NO_BUFFER when the request could not be taken in,
 * KERN_RESOURCE_SHORTAGE when the routine found no memory, MIG_SERVER_DIED when there was none
 * for the reply.  Then nothing has been done, and the rights of the request are gone; after it
 * the same call works.
 */
#include <mach/exception_types.h>
#include <mach/mig_errors.h>
#include <mach/thread_status.h>

#include <string.h>

#include "tests/support/calls.h"
#include "tests/support/rpc.h"
#include "tests/support/vouchers.h"

#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define MOVE_RECEIVE MACH_MSG_TYPE_MOVE_RECEIVE

/* Writes a request; @port is a port of the caller's, with a send right. */
typedef struct rpc request(mach_port_name_t port);

static struct rpc
names(mach_port_name_t port)
{
	return rpc_to(3200);
}

static struct rpc
allocate(mach_port_name_t port)
{
	struct rpc r = rpc_to(3204);

	rpc_u32(&r, MACH_PORT_RIGHT_RECEIVE);
	return r;
}

static struct rpc
allocate_far_out(mach_port_name_t port)
{
	struct rpc r = rpc_to(3203);

	rpc_u32(&r, MACH_PORT_RIGHT_PORT_SET);
	rpc_u32(&r, (900 << 8) | 3);
	return r;
}

static struct rpc
request_notification(mach_port_name_t port)
{
	struct rpc r = rpc_to(3213);

	message_add_port(&r.message, port, MAKE_ONCE);
	rpc_u32(&r, port);
	rpc_u32(&r, MACH_NOTIFY_DEAD_NAME);
	rpc_u32(&r, 0);
	return r;
}

static struct rpc
insert_right(mach_port_name_t port)
{
	struct rpc r = rpc_to(3214);

	message_add_port(&r.message, port, MAKE_ONCE);
	rpc_u32(&r, 0x7703);
	return r;
}

static struct rpc
extract_right(mach_port_name_t port)
{
	struct rpc r = rpc_to(3215);

	rpc_u32(&r, port);
	rpc_u32(&r, MAKE_ONCE);
	return r;
}

static struct rpc
space_info(mach_port_name_t port)
{
	return rpc_to(3223);
}

static struct rpc
construct(mach_port_name_t port)
{
	static const mach_port_options_t options = { .flags = MPO_INSERT_SEND_RIGHT };
	struct rpc r = rpc_to(3231);

	message_add_ool(&r.message, &options, sizeof options, false, MACH_MSG_VIRTUAL_COPY);
	rpc_u64(&r, 0);
	return r;
}

static struct rpc
registered(mach_port_name_t port)
{
	static mach_port_name_t ports[3];
	struct rpc r = rpc_to(3403);

	ports[0] = ports[1] = ports[2] = port;
	message_add_ool_ports(&r.message, ports, 3, MAKE);
	rpc_u32(&r, 3);
	return r;
}

static struct rpc
look_up(mach_port_name_t port)
{
	return rpc_to(3404);
}

static struct rpc
semaphore(mach_port_name_t port)
{
	struct rpc r = rpc_to(3418);

	rpc_u32(&r, 0);
	rpc_u32(&r, 1);
	return r;
}

static struct rpc
clock_service(mach_port_name_t port)
{
	struct rpc r = rpc_to(206);

	rpc_u32(&r, 0);
	return r;
}

static struct rpc
host_basic_info(mach_port_name_t port)
{
	struct rpc r = rpc_to(200);

	rpc_u32(&r, 1);
	rpc_u32(&r, 12);
	return r;
}

static struct rpc
alarm_in(mach_port_name_t port, uint32_t sec)
{
	struct rpc r = rpc_to(1002);

	message_add_port(&r.message, port, MAKE_ONCE);
	rpc_u32(&r, 1); /* TIME_RELATIVE */
	rpc_u32(&r, sec);
	rpc_u32(&r, 0);
	return r;
}

static struct rpc
alarm_later(mach_port_name_t port)
{
	return alarm_in(port, 1);
}

static struct rpc
alarm_now(mach_port_name_t port)
{
	return alarm_in(port, 0);
}

static struct rpc
new_voucher(mach_port_name_t port)
{
	const struct recipes recipes = recipes_of(USER_DATA, STORE, MACH_PORT_NULL, "four");
	struct rpc r = rpc_to(222);

	rpc_u32(&r, recipes.size);
	memcpy(r.data + r.data_size, recipes.bytes, recipes.size);
	r.data_size += recipes.size;
	return r;
}

static struct rpc
recipes_of_all(mach_port_name_t port)
{
	struct rpc r = rpc_to(5402);

	rpc_u32(&r, RECIPES_MOST);
	return r;
}

static struct rpc
no_voucher_any_more(mach_port_name_t port)
{
	struct rpc r = rpc_to(3626);

	message_add_port(&r.message, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND);
	return r;
}

/* Those of two exceptions: @id says of what, and whether the old ones are told. */
static struct rpc
exception_ports(int32_t id, mach_port_name_t port)
{
	struct rpc r = rpc_to(id);

	message_add_port(&r.message, port, MAKE);
	rpc_u32(&r, EXC_MASK_BAD_ACCESS | EXC_MASK_ARITHMETIC);
	rpc_u32(&r, EXCEPTION_DEFAULT);
	rpc_u32(&r, x86_THREAD_STATE64);
	return r;
}

static struct rpc
set_task_exceptions(mach_port_name_t port)
{
	return exception_ports(3413, port);
}

static struct rpc
swap_task_exceptions(mach_port_name_t port)
{
	return exception_ports(3415, port);
}

static struct rpc
set_thread_exceptions(mach_port_name_t port)
{
	return exception_ports(3613, port);
}

static struct rpc
swap_thread_exceptions(mach_port_name_t port)
{
	return exception_ports(3615, port);
}

static struct rpc
get_task_exceptions(mach_port_name_t port)
{
	struct rpc r = rpc_to(3414);

	rpc_u32(&r, EXC_MASK_ALL);
	return r;
}

static struct rpc
get_thread_exceptions(mach_port_name_t port)
{
	struct rpc r = rpc_to(3614);

	rpc_u32(&r, EXC_MASK_ALL);
	return r;
}

static struct rpc
get_state(mach_port_name_t port)
{
	struct rpc r = rpc_to(3603);

	rpc_u32(&r, x86_THREAD_STATE64);
	rpc_u32(&r, x86_THREAD_STATE64_COUNT);
	return r;
}

static struct rpc
set_state(mach_port_name_t port)
{
	struct rpc r = rpc_to(3604);

	rpc_u32(&r, x86_THREAD_STATE64);
	rpc_u32(&r, x86_THREAD_STATE64_COUNT);
	for (uint32_t i = 0; i < x86_THREAD_STATE64_COUNT; i++)
		rpc_u32(&r, i);
	return r;
}

/* Of these tasks none is served: the error form needs memory, too. */
static struct rpc
unknown(mach_port_name_t port)
{
	return rpc_to(3699);
}

/* The object that is asked. */
typedef mach_port_name_t object(struct actor *a);

static mach_port_name_t
own_task(struct actor *a)
{
	return BERTH_NAME_TASK_SELF;
}

static mach_port_name_t
system_clock(struct actor *a)
{
	struct rpc r = clock_service(MACH_PORT_NULL);

	a->target = host_self(a);
	assert_ok(rpc_call(a, reply_port(a), &r));
	return got.descriptors[0].name;
}

static mach_port_name_t
some_voucher(struct actor *a)
{
	return voucher_new(a, "some");
}

/* Objects with an exception port, which the call replaces or tells. */
static mach_port_name_t
with_exceptions(struct actor *a, mach_port_name_t subject, request *set)
{
	struct rpc r = set(new_port(a));

	a->target = subject;
	assert_ok(rpc_call(a, reply_port(a), &r));
	return subject;
}

static mach_port_name_t
task_with_exceptions(struct actor *a)
{
	return with_exceptions(a, BERTH_NAME_TASK_SELF, set_task_exceptions);
}

static mach_port_name_t
thread_with_exceptions(struct actor *a)
{
	return with_exceptions(a, thread_self(a), set_thread_exceptions);
}

/* A thread that lets others have its registers. */
static mach_port_name_t
offering_thread(struct actor *a)
{
	static const uint8_t state[sizeof(x86_thread_state64_t) + sizeof(x86_exception_state64_t)];
	const struct trap_frame offer = { .number = BERTH_TRAP_THREAD_STATE_OFFER,
					  .bytes = state,
					  .bytes_size = sizeof state };

	assert_true(world_trap(a, &offer));
	assert_ok(a->outcome.code);
	return thread_self(a);
}

static bool
is_shortage(kern_return_t code)
{
	return code == MACH_SEND_NO_BUFFER || code == KERN_RESOURCE_SHORTAGE ||
	       code == MIG_SERVER_DIED || code == MACH_MSG_VM_KERNEL;
}

static void
fails_or_works(object *get, request *write, kern_return_t expected)
{
	FOR_EACH_FAILURE (fault) {
		struct world *w = world_new_on(&fault, 2);
		struct actor *a = world_actor(w, 0);
		mach_port_name_t reply = reply_port(a), port = new_port_with_send(a);
		struct kernel_counts before;
		struct rpc r = write(port);
		kern_return_t kr;

		a->target = get(a);

		before = world_counts(w);
		fault_arm(&fault);
		kr = rpc_call(a, reply, &r);
		fault.armed = false;
		if (kr != expected && !(fault.hit && is_shortage(kr)))
			fail_msg("allocation %lu fails: %s", (unsigned long)fault.fail_at,
				 code_name(kr));
		if (is_shortage(kr)) {
			assert_int_equal(world_counts(w).ports, before.ports);
			/* send-once rights that were in the request have told that they are gone */
			while (take_id(a, port) != 0 || take_id(a, reply) != 0)
				;
			r = write(port);
			assert_code(rpc_call(a, reply, &r), expected);
		}
		world_free(w);
		assert_int_equal(fault.live_count, 0);
	}
}

TEST(requests_to_the_kernel_fail_for_want_of_memory_and_work_afterwards)
{
	static request *const requests[] = {
		names,        allocate,      allocate_far_out, request_notification,
		insert_right, extract_right, space_info,       construct,
		registered,   look_up,       semaphore,
	};

	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
		fails_or_works(own_task, requests[i], KERN_SUCCESS);
	fails_or_works(own_task, unknown, MIG_BAD_ID);
	fails_or_works(host_self, clock_service, KERN_SUCCESS);
	fails_or_works(host_self, host_basic_info, KERN_SUCCESS);
	fails_or_works(system_clock, alarm_later, KERN_SUCCESS);
	fails_or_works(system_clock, alarm_now, KERN_SUCCESS);
	fails_or_works(host_self, new_voucher, KERN_SUCCESS);
	fails_or_works(some_voucher, recipes_of_all, KERN_SUCCESS);
	fails_or_works(thread_self, no_voucher_any_more, KERN_SUCCESS);
	fails_or_works(own_task, set_task_exceptions, KERN_SUCCESS);
	fails_or_works(task_with_exceptions, swap_task_exceptions, KERN_SUCCESS);
	fails_or_works(task_with_exceptions, get_task_exceptions, KERN_SUCCESS);
	fails_or_works(thread_self, set_thread_exceptions, KERN_SUCCESS);
	fails_or_works(thread_with_exceptions, swap_thread_exceptions, KERN_SUCCESS);
	fails_or_works(thread_with_exceptions, get_thread_exceptions, KERN_SUCCESS);
	fails_or_works(offering_thread, get_state, KERN_SUCCESS);
	fails_or_works(offering_thread, set_state, KERN_SUCCESS);
}
