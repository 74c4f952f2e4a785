/*
 * Leftovers: see leftovers.h.
 */
#include "kexts/host/leftovers.h"

#include "kexts/host/control.h"
#include "kexts/host/host_log.h"
#include "kexts/host/kext_host.h"
#include "kexts/host/loader.h"
#include "kexts/host/mbuf_host.h"
#include "kexts/host/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define TRIES_MAX 1000 /* clients that come while others are sent away */

/* Some client of @control, counted; NULL: it has none. */
static struct connection *
some_connection(struct control *control)
{
	pthread_mutex_lock(&control->lock);
	struct connection *connection = LIST_FIRST(&control->connections);

	if (connection)
		connection_ref(connection);
	pthread_mutex_unlock(&control->lock);
	return connection;
}

/* False: clients come faster than they go. */
static bool
deregister(struct control *control)
{
	for (int i = 0; i < TRIES_MAX; i++) {
		struct connection *connection = some_connection(control);

		if (connection) {
			connection_detach(connection);
			connection_unref(connection);
		} else if (ctl_deregister(control->cookie) != EBUSY) {
			return true;
		}
	}
	return false;
}

/* Is @place in the code of the kext @context? */
static bool
is_of_kext(const void *place, void *context)
{
	const char *identifier = loader_identifier_of_address(place);

	return identifier && strcmp(identifier, context) == 0;
}

void
leftovers_take_back(const char *identifier, uint32_t tag, bool is_last)
{
	uint32_t slot = 0;

	for (struct control *control = control_next(&slot); control;
	     control = control_next(&slot)) {
		if (control->kext_tag == tag)
			host_log("%s: has left the control %s behind; %s", identifier,
				 control->reg.ctl_name,
				 deregister(control) ? "it was taken back" : "it is in use");
		control_unref(control);
	}
	memory_log_left_behind(identifier, is_of_kext, (void *)(uintptr_t)identifier);
	if (is_last && mbuf_live_count() > 0)
		host_log("%s: left behind: %" PRIu64 " mbufs", identifier, mbuf_live_count());
}
