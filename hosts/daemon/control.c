/*
 * What the owner of a kernel asks of it.
 *
 * Only a report has an answer; what else is asked is done, or refused in words.
 */
#include "hosts/daemon/berthd.h"
#include "hosts/daemon/tools.h"

#include <errno.h>

static void
no_memory(struct peer *peer)
{
	struct wire_end end = { .head = { .kind = WIRE_END, .size_bytes = sizeof(end) },
				.status = -ENOMEM };

	if (socket_send(peer, &end, sizeof(end), NULL, 0, NULL) < 0)
		peer_doom(peer);
}

/* Ownership is given once: with --control-fd, or to the first who asks for it. */
static void
own(struct peer *peer)
{
	struct peer *other;

	TAILQ_FOREACH(other, &peer->host->peers, link)
	{
		if (other->owns && other != peer) {
			peer_refuse(peer, "this kernel has an owner already");
			return;
		}
	}
	if (peer->host->options.mode != MODE_PRIVATE) {
		peer_refuse(peer, "a user's or a system's kernel belongs to no connection");
		return;
	}
	peer->owns = true;
}

void
control_message(struct peer *peer, const struct wire_control *request)
{
	struct host *host = peer->host;

	if (!peer->is_control && !credentials_sees_all(peer)) {
		peer_refuse(peer, "only its owner and root control a kernel");
		return;
	}
	switch (request->what) {
	case WIRE_CONTROL_OWN:
		own(peer);
		break;
	case WIRE_CONTROL_LEAKS:
		host->leaks_on = true;
		break;
	case WIRE_CONTROL_REPORT:
		peers_reap(host);
		peer->inspection = leaks_report_new(host);
		if (peer->inspection == NULL)
			no_memory(peer);
		socket_update(peer);
		break;
	default:
		peer_violation(peer, "an unknown control");
		break;
	}
}
