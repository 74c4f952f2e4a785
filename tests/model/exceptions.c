/*
 * Exception ports of threads, tasks and the host, and the registers that a thread shows while
 * its exception is looked into.  mach-kobjects.md §9.
 *
 * The kernel keeps who is to hear and hands out rights; message and answer go between the
 * thread and its handler as any others do.
 */
#include <string.h>

#include <mach/exception_types.h>
#include <mach/mig_errors.h>
#include <mach/thread_status.h>

#include "tests/model/model.h"

#define HANDLERS_SENT 32u /* descriptors that always travel, most without a right */
#define STATE_MAX 1296u   /* words of a state */

enum {
	OF_HOST = 414, /* set, get, swap */
	OF_TASK = 3413,
	OF_THREAD = 3613,
	GET_STATE = 3603,
	SET_STATE = 3604
};

/* ---- who is to hear ----------------------------------------------------------------------------
 */

void
m_actions_release(struct model *m, struct m_action actions[M_EXCEPTIONS])
{
	for (uint32_t i = 0; i < M_EXCEPTIONS; i++) {
		m_hold(m, &actions[i].right, m_right_null(0));
		actions[i].behavior = actions[i].flavor = 0;
	}
}

void
m_actions_inherit(struct model *m, struct m_action to[M_EXCEPTIONS],
		  const struct m_action from[M_EXCEPTIONS])
{
	for (uint32_t i = 0; i < M_EXCEPTIONS; i++) {
		m_hold(m, &to[i].right, m_held_copy(&from[i].right));
		to[i].behavior = from[i].behavior;
		to[i].flavor = from[i].flavor;
	}
}

/* Flavors of this machine that the runner asks for. */
static bool
is_flavor(uint32_t flavor)
{
	return flavor >= x86_THREAD_STATE64 && flavor <= THREAD_STATE_NONE;
}

static kern_return_t
new_action_check(uint32_t mask, const struct m_right *right, uint32_t behavior, uint32_t flavor)
{
	const uint32_t base = behavior & ~(MACH_EXCEPTION_CODES | MACH_EXCEPTION_ERRORS |
					   MACH_EXCEPTION_BACKTRACE_PREFERRED);
	const bool protected_identity =
	    base == EXCEPTION_IDENTITY_PROTECTED || base == EXCEPTION_STATE_IDENTITY_PROTECTED;

	if (mask & ~(uint32_t)M_EXC_MASK_VALID)
		return KERN_INVALID_ARGUMENT;
	/* of no port the contract says only that it clears; the kernel asks no more of a dead one
	 */
	if (!right->kind)
		return KERN_SUCCESS;
	if (base < EXCEPTION_DEFAULT || base > EXCEPTION_STATE_IDENTITY_PROTECTED)
		return KERN_INVALID_ARGUMENT;
	if ((protected_identity || (behavior & MACH_EXCEPTION_BACKTRACE_PREFERRED)) &&
	    !(behavior & MACH_EXCEPTION_CODES))
		return KERN_INVALID_ARGUMENT;
	if (flavor != 0 && !is_flavor(flavor))
		return KERN_INVALID_ARGUMENT;
	/* there are no tokens of identity here */
	return protected_identity ? KERN_NOT_SUPPORTED : KERN_SUCCESS;
}

static bool
is_same_action(const struct m_action *a, const struct m_action *b)
{
	/* two ports are two, even when both are dead */
	return a->right.port == b->right.port && a->right.name == b->right.name &&
	       a->behavior == b->behavior && a->flavor == b->flavor;
}

/* What was there, equal entries once; each with a right of its own in the reply. */
static void
answer_actions(struct model *m, struct m_rpc *rpc, uint32_t mask,
	       const struct m_action actions[M_EXCEPTIONS])
{
	struct {
		uint32_t mask;
		const struct m_action *action;
	} told[M_EXCEPTIONS];
	uint32_t count = 0;

	for (uint32_t i = 0; i < M_EXCEPTIONS; i++) {
		uint32_t at = 0;

		if (!(mask & 1u << i))
			continue;
		while (at < count && !is_same_action(told[at].action, &actions[i]))
			at++;
		if (at == count) {
			told[count].mask = 0;
			told[count++].action = &actions[i];
		}
		told[at].mask |= 1u << i;
	}
	m_message_room(m, rpc->reply, HANDLERS_SENT);
	for (uint32_t i = 0; i < HANDLERS_SENT; i++)
		m_rpc_answer(rpc,
			     i < count ? m_held_copy(&told[i].action->right) : m_right_null(0));
	rpc->words[rpc->word_count++] = count;
	for (uint32_t i = 0; i < count; i++)
		rpc->words[rpc->word_count++] = told[i].mask;
	for (uint32_t i = 0; i < count; i++)
		rpc->words[rpc->word_count++] = told[i].action->behavior;
	for (uint32_t i = 0; i < count; i++)
		rpc->words[rpc->word_count++] = told[i].action->flavor;
}

/* The rights that were there go when the answer has theirs. */
static void
actions_set(struct model *m, struct m_action actions[M_EXCEPTIONS], uint32_t mask,
	    struct m_right *given, uint32_t behavior, uint32_t flavor)
{
	struct m_right right = *given;

	for (uint32_t i = 0; i < M_EXCEPTIONS; i++) {
		if (!(mask & 1u << i))
			continue;
		m_hold(m, &actions[i].right, right);
		actions[i].behavior = behavior;
		actions[i].flavor = flavor;
	}
	m_right_destroy(m, given); /* each has one of its own */
}

static kern_return_t
set_ports(struct model *m, struct m_rpc *rpc, struct m_action *actions, bool swaps)
{
	const uint32_t mask = m_rpc_word(rpc, 0), behavior = m_rpc_word(rpc, 1);
	const uint32_t flavor = m_rpc_word(rpc, 2);
	struct m_right *right;
	kern_return_t kr;

	if (!m_rpc_shape(rpc, 1, sizeof(mach_msg_port_descriptor_t), 3))
		return MIG_BAD_ARGUMENTS;
	right = m_rpc_right(rpc, 0);
	if (!right)
		return MIG_TYPE_ERROR;
	if (!actions)
		return KERN_INVALID_ARGUMENT;
	kr = new_action_check(mask, right, behavior, flavor);
	if (kr != KERN_SUCCESS)
		return kr;
	if (swaps)
		answer_actions(m, rpc, mask, actions);
	actions_set(m, actions, mask, right, behavior, flavor);
	return KERN_SUCCESS;
}

static kern_return_t
get_ports(struct model *m, struct m_rpc *rpc, const struct m_action *actions)
{
	if (!m_rpc_shape(rpc, 0, 0, 1))
		return MIG_BAD_ARGUMENTS;
	if (!actions || (m_rpc_word(rpc, 0) & ~(uint32_t)M_EXC_MASK_VALID))
		return KERN_INVALID_ARGUMENT;
	answer_actions(m, rpc, m_rpc_word(rpc, 0), actions);
	return KERN_SUCCESS;
}

/* args: exception.  values: name, behavior, flavor */
static kern_return_t
host_port(struct model *m, struct m_thread *thread, const struct m_call *call)
{
	const uint32_t exception = (uint32_t)call->args[0];
	const struct m_action *action;
	struct m_right right;

	if (exception >= M_EXCEPTIONS)
		return KERN_FAILURE;
	action = &m->host_exceptions[exception];
	right = m_held_copy(&action->right);
	if (!right.kind)
		return KERN_FAILURE;
	thread->result.values[0] =
	    m_copyout(m, thread->task, &right, (mach_port_name_t)thread->actual.values[0]);
	thread->result.values[1] = action->behavior;
	thread->result.values[2] = action->flavor;
	return KERN_SUCCESS;
}

/* ---- registers ---------------------------------------------------------------------------------
 */

/* Which bytes of the registers a flavor is, and whether a head that names them comes first. */
static bool
flavor_place(uint32_t flavor, uint32_t *at, uint32_t *words, bool *has_head)
{
	const bool thread = flavor == x86_THREAD_STATE64 || flavor == x86_THREAD_STATE;

	*has_head = flavor == x86_THREAD_STATE || flavor == x86_EXCEPTION_STATE;
	*at = thread ? 0 : sizeof(x86_thread_state64_t);
	*words = thread ? x86_THREAD_STATE64_COUNT : x86_EXCEPTION_STATE64_COUNT;
	return thread || flavor == x86_EXCEPTION_STATE64 || flavor == x86_EXCEPTION_STATE;
}

static kern_return_t
get_state(struct m_rpc *rpc, const struct m_thread *thread)
{
	const uint32_t flavor = m_rpc_word(rpc, 0), room = m_rpc_word(rpc, 1);
	uint32_t at, words;
	bool has_head;

	if (!m_rpc_shape(rpc, 0, 0, 2))
		return MIG_BAD_ARGUMENTS;
	if (!thread || !flavor_place(flavor, &at, &words, &has_head) ||
	    room < words + (has_head ? 2 : 0))
		return KERN_INVALID_ARGUMENT;
	if (!thread->offers)
		return KERN_FAILURE;
	rpc->words[rpc->word_count++] = words + (has_head ? 2 : 0);
	if (has_head) {
		rpc->words[rpc->word_count++] = at ? x86_EXCEPTION_STATE64 : x86_THREAD_STATE64;
		rpc->words[rpc->word_count++] = words;
	}
	memcpy(rpc->words + rpc->word_count, thread->registers + at, 4 * words);
	rpc->word_count += words;
	return KERN_SUCCESS;
}

static kern_return_t
set_state(struct m_rpc *rpc, struct m_thread *thread)
{
	const uint32_t flavor = m_rpc_word(rpc, 0), count = m_rpc_word(rpc, 1);
	uint32_t at, words, first = 2;
	bool has_head;

	if (rpc->request->size < sizeof(mach_msg_header_t) + 16 || count > STATE_MAX ||
	    !m_rpc_shape(rpc, 0, 0, 2 + count))
		return MIG_BAD_ARGUMENTS;
	if (!thread || !flavor_place(flavor, &at, &words, &has_head) || at != 0 ||
	    count < words + (has_head ? 2 : 0))
		return KERN_INVALID_ARGUMENT;
	if (has_head) {
		if (m_rpc_word(rpc, 2) != x86_THREAD_STATE64 || m_rpc_word(rpc, 3) != words)
			return KERN_INVALID_ARGUMENT;
		first += 2;
	}
	if (!thread->offers)
		return KERN_FAILURE;
	for (uint32_t i = 0; i < words; i++) {
		const uint32_t word = m_rpc_word(rpc, first + i);

		memcpy(thread->registers + 4 * i, &word, sizeof word);
	}
	return KERN_SUCCESS;
}

/* in: the registers */
static kern_return_t
offer(struct m_thread *thread, const struct m_call *call)
{
	if (call->bytes_size != M_REGISTERS)
		return KERN_INVALID_ARGUMENT;
	memcpy(thread->registers, call->bytes, M_REGISTERS);
	thread->offers = true;
	return KERN_SUCCESS;
}

/* bytes: the registers */
static kern_return_t
withdraw(struct m_thread *thread)
{
	if (!thread->offers)
		return KERN_FAILURE;
	thread->offers = false;
	memcpy(thread->result.bytes, thread->registers, M_REGISTERS);
	thread->result.bytes_size = M_REGISTERS;
	return KERN_SUCCESS;
}

/* ---- all ---------------------------------------------------------------------------------------
 */

kern_return_t
m_rpc_exception(struct model *m, struct m_rpc *rpc)
{
	const struct m_port *port = rpc->request->dest.port;
	struct m_thread *thread = port->kernel == M_OWNER_THREAD ? port->kernel_thread : NULL;
	struct m_action *of_host = m_rules_host(m, rpc) ? m->host_exceptions : NULL;
	struct m_action *of_task =
	    port->kernel == M_OWNER_TASK ? port->kernel_task->exceptions : NULL;
	struct m_action *of_thread = thread ? thread->exceptions : NULL;

	switch (rpc->request->id) {
	case OF_HOST:
	case OF_HOST + 2:
		return set_ports(m, rpc, of_host, rpc->request->id != OF_HOST);
	case OF_HOST + 1:
		return get_ports(m, rpc, of_host);
	case OF_TASK:
	case OF_TASK + 2:
		return set_ports(m, rpc, of_task, rpc->request->id != OF_TASK);
	case OF_TASK + 1:
		return get_ports(m, rpc, of_task);
	case OF_THREAD:
	case OF_THREAD + 2:
		return set_ports(m, rpc, of_thread, rpc->request->id != OF_THREAD);
	case OF_THREAD + 1:
		return get_ports(m, rpc, of_thread);
	case GET_STATE:
		return get_state(rpc, thread);
	case SET_STATE:
		return set_state(rpc, thread);
	default:
		return MIG_BAD_ID;
	}
}

bool
m_call_exception(struct model *m, struct m_thread *thread, const struct m_call *call)
{
	if (call->number == BERTH_TRAP_HOST_EXCEPTION_PORT)
		thread->result.code = host_port(m, thread, call);
	else if (call->number == BERTH_TRAP_THREAD_STATE_OFFER)
		thread->result.code = offer(thread, call);
	else if (call->number == BERTH_TRAP_THREAD_STATE_WITHDRAW)
		thread->result.code = withdraw(thread);
	else
		return false;
	return true;
}
