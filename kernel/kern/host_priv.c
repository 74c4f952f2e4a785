#include "kern/host_priv.h"

#include "kern/exception.h"
#include "kern/ipc_tt.h"

static bool
may_rule(const struct kernel *k, const struct task *task)
{
	const uint32_t user = task->token.val[TOKEN_EUID];

	return user == 0 || (k->first_task && k->first_task->token.val[TOKEN_EUID] == user);
}

struct kernel *
convert_port_to_host_priv(struct ipc_port *port)
{
	struct kernel *k = convert_port_to_kobject(port, IKOT_HOST_PRIV);

	if (k)
		return k;
	k = convert_port_to_kobject(port, IKOT_HOST);
	return k && k->asker && may_rule(k, k->asker) ? k : NULL;
}

kern_return_t
host_get_special_port(struct kernel *k, int node, int which, struct ipc_port **port)
{
	(void)node;
	if (!k || which < 0 || which > HOST_MAX_SPECIAL_PORT)
		return KERN_INVALID_ARGUMENT;
	switch (which) {
	case HOST_PORT:
		*port = ipc_port_make_send(k->host_port);
		return KERN_SUCCESS;
	case HOST_PRIV_PORT:
		if (!k->host_priv_port)
			k->host_priv_port = ipc_port_new_kernel(k, IKOT_HOST_PRIV, k);
		if (!k->host_priv_port)
			return KERN_RESOURCE_SHORTAGE;
		*port = ipc_port_make_send(k->host_priv_port);
		return KERN_SUCCESS;
	default:
		*port = ipc_port_copy_send(k->host_special[which]);
		return KERN_SUCCESS;
	}
}

kern_return_t
host_set_special_port(struct kernel *k, int which, struct ipc_port *port)
{
	struct ipc_port *old;

	if (!k || which <= HOST_MAX_SPECIAL_KERNEL_PORT || which > HOST_MAX_SPECIAL_PORT)
		return KERN_INVALID_ARGUMENT;
	old = k->host_special[which];
	k->host_special[which] = port;
	ipc_port_release_send(k, old);
	return KERN_SUCCESS;
}

void
host_ports_release(struct kernel *k)
{
	struct ipc_port *port = k->host_priv_port;

	k->watches_exceptions = false;
	exception_actions_free(k, &k->exceptions);
	for (int which = 0; which <= HOST_MAX_SPECIAL_PORT; which++) {
		struct ipc_port *old = k->host_special[which];

		k->host_special[which] = NULL;
		ipc_port_release_send(k, old);
	}
	k->host_priv_port = NULL;
	if (port) {
		ipc_port_destroy_kernel(k, port);
	}
}
