/*
 * Commands of tools to kexthosts, passed on and back.
 *
 * A command is under way from the tool's message to DONE, which comes exactly once: from the
 * kexthost, or from us when it cannot be reached or dies.  Numbers are ours towards the
 * kexthost and the tool's own towards the tool.
 */
#include "hosts/daemon/berthd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/kext.h"

struct kext_command {
	TAILQ_ENTRY(kext_command) link;
	struct peer *tool; /* NULL: it is gone, and its answers with it */
	struct peer *kext_host;
	uint32_t sequence; /* ours */
	uint32_t tool_sequence;
};

static void
command_free(struct host *host, struct kext_command *command)
{
	TAILQ_REMOVE(&host->commands, command, link);
	host->command_count--;
	if (command->tool != NULL)
		command->tool->command_count--;
	free(command);
}

static void
done(struct peer *tool, uint32_t sequence, int32_t result, const char *why)
{
	struct wire_kext_done message = {
		.head = { .kind = WIRE_KEXT_DONE, .size_bytes = sizeof(message) },
		.sequence = sequence,
		.result = result,
	};

	snprintf(message.why, sizeof(message.why), "%s", why);
	if (socket_send(tool, &message, sizeof(message), NULL, 0, NULL) < 0)
		peer_doom(tool);
}

/* Sends it on.  0, or -errno and @why it was not. */
static int
pass_on(struct peer *tool, const struct received *received, const char **why)
{
	struct host *host = tool->host;
	struct wire_kext_command_message *message =
	    (struct wire_kext_command_message *)(void *)(uintptr_t)received->bytes;
	struct peer *kext_host = kernel_kext_host_of_id(host->kernel, message->host_id);
	struct kext_command *command;

	*why = "only the owner of this kernel and root command kexthosts";
	if (!credentials_sees_all(tool))
		return -EPERM;
	*why = "there is no such kexthost";
	if (kext_host == NULL || kext_host->doomed)
		return -ENOENT;
	*why = "too many commands are under way";
	if (tool->command_count >= COMMANDS_PER_TOOL_MAX || host->command_count >= COMMANDS_MAX ||
	    kext_host->outgoing_count >= KEXT_QUEUED_MAX)
		return -EBUSY;
	*why = "the kernel has no memory";
	command = calloc(1, sizeof(*command));
	if (command == NULL)
		return -ENOMEM;
	command->tool = tool;
	command->kext_host = kext_host;
	command->tool_sequence = message->sequence;
	command->sequence = ++host->last_command;
	message->sequence = command->sequence;
	if (socket_send(kext_host, message, received->size_bytes, NULL, 0, NULL) < 0) {
		free(command);
		return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(&host->commands, command, link);
	host->command_count++;
	tool->command_count++;
	return 0;
}

void
kext_command_message(struct peer *tool, const struct received *received)
{
	const struct wire_kext_command_message *message =
	    (const struct wire_kext_command_message *)(const void *)received->bytes;
	uint32_t sequence;
	const char *why;
	int error;

	if (received->size_bytes < sizeof(*message)) {
		peer_violation(tool, "a command that is too short");
		return;
	}
	sequence = message->sequence;
	error = pass_on(tool, received, &why);
	if (error != 0)
		done(tool, sequence, error, why);
}

static struct kext_command *
command_find(const struct peer *kext_host, uint32_t sequence)
{
	struct kext_command *command;

	TAILQ_FOREACH(command, &kext_host->host->commands, link)
	{
		if (command->kext_host == kext_host && command->sequence == sequence)
			return command;
	}
	return NULL;
}

/* @size_bytes of SAYS or DONE, with the tool's own number in it. */
static void
pass_back(const struct kext_command *command, const uint8_t *bytes, size_t size_bytes)
{
	struct peer *tool = command->tool;
	struct wire_kext_says *message = (struct wire_kext_says *)(void *)(uintptr_t)bytes;

	if (tool == NULL)
		return;
	if (tool->outgoing_bytes > TOOL_QUEUED_BYTES_MAX) {
		peer_doom(tool); /* it asks and does not read */
		return;
	}
	_Static_assert(offsetof(struct wire_kext_says, sequence) ==
			   offsetof(struct wire_kext_done, sequence),
		       "at one place in both");
	message->sequence = command->tool_sequence;
	if (socket_send(tool, message, size_bytes, NULL, 0, NULL) < 0)
		peer_doom(tool);
}

bool
kext_command_answer(struct peer *kext_host, uint32_t kind, const uint8_t *bytes, size_t size_bytes)
{
	const struct wire_kext_says *message = (const struct wire_kext_says *)(const void *)bytes;
	struct kext_command *command;

	if (kind == WIRE_KEXT_DONE ? size_bytes != sizeof(struct wire_kext_done)
				   : size_bytes < sizeof(*message))
		return false;
	command = command_find(kext_host, message->sequence);
	if (command == NULL)
		return false;
	pass_back(command, bytes, size_bytes);
	if (kind == WIRE_KEXT_DONE)
		command_free(kext_host->host, command);
	return true;
}

void
kext_commands_end(struct peer *peer)
{
	struct kext_command *command = TAILQ_FIRST(&peer->host->commands), *next;

	for (; command != NULL; command = next) {
		next = TAILQ_NEXT(command, link);
		if (command->tool == peer) {
			/* the kexthost is still at it: its answer must be known for one */
			command->tool = NULL;
			peer->command_count--;
		}
		if (command->kext_host != peer)
			continue;
		if (command->tool != NULL)
			done(command->tool, command->tool_sequence, -EPIPE,
			     "the kexthost has died");
		command_free(peer->host, command);
	}
}
