/*
 * Vouchers: sets of attributes, one object for each set.  mach-kobjects.md §10, mach-types.md §11.
 * How messages carry them: send.c, receive.c.
 */
#include <string.h>

#include <mach/mach_voucher_types.h>
#include <mach/mig_errors.h>

#include "tests/model/model.h"

#define RECIPE_SIZE 16u
#define RECIPES_MAX 5120u
#define NO_MANAGER(key) ((key) == 5 || (key) == 6)

/* A recipe as it lies in memory, and where its content does. */
struct recipe {
	uint32_t key, command, previous, size;
	const uint8_t *content;
};

/* Commands that each attribute has. */
static bool
is_common(uint32_t command)
{
	return command <= MACH_VOUCHER_ATTR_SEND_PREPROCESS || command == MACH_VOUCHER_ATTR_REDEEM;
}

/* Those that give an attribute a content of its own. */
static bool
may_store(uint32_t key, uint32_t command)
{
	switch (key) {
	case MACH_VOUCHER_ATTR_KEY_IMPORTANCE:
		return command == MACH_VOUCHER_ATTR_IMPORTANCE_SELF;
	case MACH_VOUCHER_ATTR_KEY_USER_DATA:
	case MACH_VOUCHER_ATTR_KEY_TEST:
		return command == MACH_VOUCHER_ATTR_USER_DATA_STORE;
	default:
		return command > MACH_VOUCHER_ATTR_REDEEM &&
		       command != MACH_VOUCHER_ATTR_IMPORTANCE_SELF &&
		       command != MACH_VOUCHER_ATTR_USER_DATA_STORE;
	}
}

static kern_return_t
change(struct m_attribute *attribute, uint32_t key, const struct recipe *recipe,
       const struct m_voucher *previous)
{
	switch (recipe->command) {
	case MACH_VOUCHER_ATTR_NOOP:
		return KERN_SUCCESS;
	case MACH_VOUCHER_ATTR_REMOVE:
		memset(attribute, 0, sizeof *attribute);
		return KERN_SUCCESS;
	case MACH_VOUCHER_ATTR_SET_VALUE_HANDLE:
		return KERN_INVALID_CAPABILITY;
	default:
		break;
	}
	if (is_common(recipe->command)) { /* all the others take what the previous one has */
		if (previous)
			*attribute = previous->of[key - 1];
		return KERN_SUCCESS;
	}
	if (!may_store(key, recipe->command))
		return KERN_INVALID_ARGUMENT;
	memset(attribute, 0, sizeof *attribute);
	attribute->command = recipe->command;
	attribute->size = recipe->size;
	memcpy(attribute->bytes, recipe->content, recipe->size);
	return KERN_SUCCESS;
}

static kern_return_t
follow(struct m_voucher *voucher, struct m_task *task, const struct recipe *recipe)
{
	const struct m_voucher *previous = NULL;
	const struct m_entry *entry;
	kern_return_t kr = KERN_SUCCESS;

	if (is_common(recipe->command) && recipe->size > 0 &&
	    recipe->command != MACH_VOUCHER_ATTR_SET_VALUE_HANDLE)
		return KERN_INVALID_ARGUMENT;
	if (recipe->previous != 0) {
		entry = m_entry_find(task, recipe->previous);
		if (entry && (entry->type & MACH_PORT_TYPE_SEND))
			previous = entry->port->voucher;
		if (!previous)
			return KERN_INVALID_CAPABILITY;
	}
	if (recipe->key == MACH_VOUCHER_ATTR_KEY_ALL && is_common(recipe->command)) {
		for (uint32_t key = 1; kr == KERN_SUCCESS && key <= M_VOUCHER_KEYS; key++)
			kr = change(&voucher->of[key - 1], key, recipe, previous);
		return kr;
	}
	if (recipe->key == 0 || recipe->key > M_VOUCHER_KEYS)
		return KERN_INVALID_ARGUMENT;
	if (NO_MANAGER(recipe->key))
		return KERN_INVALID_CAPABILITY;
	return change(&voucher->of[recipe->key - 1], recipe->key, recipe, previous);
}

/* Equal contents are one object. */
static struct m_port *
port_of(struct model *m, const struct m_voucher *voucher)
{
	struct m_port *made;

	M_EACH(struct m_port, port, &m->ports)
	if (port->alive && port->voucher && memcmp(port->voucher, voucher, sizeof *voucher) == 0)
		return port;
	made = m_port_new(m, NULL);
	made->kernel = M_OWNER_VOUCHER;
	made->voucher = m_alloc(m, sizeof *voucher);
	*made->voucher = *voucher;
	return made;
}

/* args: host.  in: recipes.  values: name */
static kern_return_t
create(struct model *m, struct m_thread *thread, const struct m_call *call)
{
	struct m_voucher voucher;
	struct recipe recipe;
	struct m_port *port;
	kern_return_t kr = m_kobject_named(thread->task, (mach_port_name_t)call->args[0], &port);

	if (kr != KERN_SUCCESS)
		return kr;
	if (port->kernel != M_OWNER_HOST && port->kernel != M_OWNER_HOST_PRIV)
		return KERN_INVALID_ARGUMENT;
	if (call->bytes_size > RECIPES_MAX)
		return MIG_ARRAY_TOO_LARGE;
	if (call->bytes_size == 0)
		return KERN_SUCCESS;
	memset(&voucher, 0, sizeof voucher);
	for (uint32_t at = 0; at < call->bytes_size; at += RECIPE_SIZE + recipe.size) {
		if (call->bytes_size - at < RECIPE_SIZE)
			return KERN_INVALID_ARGUMENT;
		memcpy(&recipe, call->bytes + at, RECIPE_SIZE);
		recipe.content = call->bytes + at + RECIPE_SIZE;
		if (recipe.size > call->bytes_size - at - RECIPE_SIZE)
			return KERN_INVALID_ARGUMENT;
		kr = follow(&voucher, thread->task, &recipe);
		if (kr != KERN_SUCCESS)
			return kr;
	}
	m_give_send(m, thread, port_of(m, &voucher));
	return KERN_SUCCESS;
}

/* args: voucher, key, room.  bytes: the recipe.  values: its size */
static kern_return_t
extract(struct m_thread *thread, const struct m_call *call)
{
	struct m_result *result = &thread->result;
	const uint32_t key = (uint32_t)call->args[1];
	const struct m_attribute *attribute;
	struct m_port *port;
	kern_return_t kr = m_kobject_named(thread->task, (mach_port_name_t)call->args[0], &port);

	if (call->args[0] == 0)
		return KERN_INVALID_ARGUMENT;
	if (kr != KERN_SUCCESS)
		return kr;
	if (!port->voucher || key == 0 || key > M_VOUCHER_KEYS)
		return KERN_INVALID_ARGUMENT;
	attribute = &port->voucher->of[key - 1];
	if (!attribute->command)
		return KERN_SUCCESS;
	if (RECIPE_SIZE + attribute->size > (uint32_t)call->args[2])
		return KERN_NO_SPACE;
	memcpy(result->bytes, (const uint32_t[]){ key, attribute->command, 0, attribute->size },
	       RECIPE_SIZE);
	memcpy(result->bytes + RECIPE_SIZE, attribute->bytes, attribute->size);
	result->bytes_size = RECIPE_SIZE + attribute->size;
	result->values[0] = result->bytes_size;
	return KERN_SUCCESS;
}

bool
m_call_voucher(struct model *m, struct m_thread *thread, const struct m_call *call)
{
	if (call->number == BERTH_TRAP_HOST_CREATE_MACH_VOUCHER)
		thread->result.code = create(m, thread, call);
	else if (call->number == BERTH_TRAP_MACH_VOUCHER_EXTRACT_ATTR_RECIPE)
		thread->result.code = extract(thread, call);
	else
		return false;
	return true;
}
