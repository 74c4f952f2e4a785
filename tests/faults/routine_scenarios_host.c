/* What routines on the host, clocks and vouchers need: see routine_scenarios.h. */
#include "tests/faults/routine_scenarios.h"

#include <string.h>

#include <mach/clock_types.h>
#include <mach/host_info.h>
#include <mach/host_special_ports.h>

#include "tests/support/calls.h"
#include "tests/support/vouchers.h"

#define MAKE MACH_MSG_TYPE_MAKE_SEND
#define MAKE_ONCE MACH_MSG_TYPE_MAKE_SEND_ONCE
#define COPY MACH_MSG_TYPE_COPY_SEND

/* ---- the host -------------------------------------------------------------------------------- */

static void
of_host(struct ask *ask)
{
	ask->target = host_self(ask->caller);
}

static void
basic_info(struct ask *ask)
{
	of_host(ask);
	ASK_WORDS(ask, HOST_BASIC_INFO, HOST_BASIC_INFO_COUNT);
}

static void
clock_service(struct ask *ask)
{
	of_host(ask);
	ASK_WORDS(ask, SYSTEM_CLOCK);
}

/* Made for who asks first. */
static void
privileged_port(struct ask *ask)
{
	of_host(ask);
	ASK_WORDS(ask, (uint32_t)HOST_LOCAL_NODE, HOST_PRIV_PORT);
	ask->lasts = true;
}

/* Another task's, for which the caller has no name. */
static void
special(struct ask *ask)
{
	struct rpc r = rpc_to(routine_id("host_set_special_port"));

	of_host(ask);
	message_add_port(&r.message, give(ask->other, new_port(ask->other), MAKE, ask->caller),
			 MACH_MSG_TYPE_MOVE_SEND);
	rpc_u32(&r, HOST_MAX_SPECIAL_PORT);
	ask_first(ask, ask->target, &r);
	ASK_WORDS(ask, (uint32_t)HOST_LOCAL_NODE, HOST_MAX_SPECIAL_PORT);
}

static void
special_set(struct ask *ask)
{
	of_host(ask);
	ask_port(ask, new_port(ask->caller), MAKE);
	ASK_WORDS(ask, HOST_MAX_SPECIAL_PORT);
}

static void
set_host_exceptions(struct ask *ask)
{
	of_host(ask);
	set_exceptions(ask);
}

static void
get_host_exceptions(struct ask *ask)
{
	of_host(ask);
	exceptions_handled(ask, "host_set_exception_ports");
	get_exceptions(ask);
}

static void
swap_host_exceptions(struct ask *ask)
{
	of_host(ask);
	exceptions_handled(ask, "host_set_exception_ports");
	swap_exceptions(ask);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static void
of_clock(struct ask *ask)
{
	struct rpc r = rpc_to(routine_id("host_get_clock_service"));

	rpc_u32(&r, SYSTEM_CLOCK);
	ask_first(ask, host_self(ask->caller), &r);
	ask->target = got.descriptors[0].name;
}

static void
attributes_of_clock(struct ask *ask)
{
	of_clock(ask);
	ASK_WORDS(ask, CLOCK_GET_TIME_RES, 1);
}

static void
alarm_in(struct ask *ask, uint32_t sec)
{
	of_clock(ask);
	ask_port(ask, new_port(ask->caller), MAKE_ONCE);
	ASK_WORDS(ask, TIME_RELATIVE, sec, 0);
}

static void
alarm_later(struct ask *ask)
{
	alarm_in(ask, 1);
}

static void
alarm_at_once(struct ask *ask)
{
	alarm_in(ask, 0);
}

/* ---- vouchers -------------------------------------------------------------------------------- */

static void
new_voucher(struct ask *ask)
{
	const struct recipes recipes = recipes_of(USER_DATA, STORE, MACH_PORT_NULL, "four");

	of_host(ask);
	ASK_WORDS(ask, recipes.size);
	for (uint32_t at = 0; at < recipes.size; at += sizeof(uint32_t)) {
		uint32_t word;

		memcpy(&word, recipes.bytes + at, sizeof word);
		ASK_WORDS(ask, word);
	}
}

static void
all_of_voucher(struct ask *ask)
{
	ask->target = voucher_new(ask->caller, "some");
	ASK_WORDS(ask, RECIPES_MOST);
}

static void
of_voucher(struct ask *ask)
{
	ask->target = voucher_new(ask->caller, "some");
	ASK_WORDS(ask, USER_DATA, 4096);
}

static void
command_without_content(struct ask *ask)
{
	ask->target = voucher_new(ask->caller, "some");
	ASK_WORDS(ask, MACH_VOUCHER_ATTR_KEY_TEST, 1, 0, 4096);
}

static void
nothing_to_debug(struct ask *ask)
{
	of_voucher(ask);
	ask->expected = KERN_NOT_SUPPORTED;
}

const struct routine_row routine_scenarios_host[] = {
	{ "host_info", basic_info },
	{ "host_kernel_version", of_host },
	{ "_host_page_size", of_host },
	{ "host_get_clock_service", clock_service },
	{ "host_create_mach_voucher", new_voucher },
	{ "host_get_special_port", privileged_port },
	{ "host_get_special_port", special },
	{ "host_set_special_port", special_set },
	{ "host_set_exception_ports", set_host_exceptions },
	{ "host_get_exception_ports", get_host_exceptions },
	{ "host_swap_exception_ports", swap_host_exceptions },
	{ "clock_get_time", of_clock },
	{ "clock_get_attributes", attributes_of_clock },
	{ "clock_alarm", alarm_later },
	{ "clock_alarm", alarm_at_once },
	{ "mach_voucher_extract_attr_content", of_voucher },
	{ "mach_voucher_extract_attr_recipe", of_voucher },
	{ "mach_voucher_extract_all_attr_recipes", all_of_voucher },
	{ "mach_voucher_attr_command", command_without_content },
	{ "mach_voucher_debug_info", nothing_to_debug },
	{ 0 },
};
