/* What all children of a scene need, and its honest parts: see mach_lanes_scene.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mach/mach_vm.h>

#include "tests/attack/mach_lanes_scene.h"

#define PEERS 1024u /* whom a server counts what they say */
#define LARGE 40000u

void
scene_wrong(struct scene_notes *notes, const char *text, ...)
{
	va_list arguments;

	va_start(arguments, text);
	vsnprintf(notes->wrong, sizeof(notes->wrong), text, arguments);
	va_end(arguments);
	_exit(1);
}

void
scene_pause_us(uint32_t us)
{
	const struct timespec pause = { .tv_nsec = (long)us * 1000 };

	nanosleep(&pause, NULL);
}

mach_port_t
scene_port(struct scene_notes *notes)
{
	mach_port_t port;

	if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) != KERN_SUCCESS ||
	    mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND) !=
		KERN_SUCCESS)
		scene_wrong(notes, "no port");
	return port;
}

void
scene_say_hello(mach_port_t director, mach_port_t port)
{
	struct scene_message hello = { 0 };

	hello.header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_COPY_SEND);
	hello.header.msgh_remote_port = director;
	hello.header.msgh_local_port = port;
	if (mach_msg(&hello.header, MACH_SEND_MSG, SCENE_SIZE, 0, 0, 0, 0) != MACH_MSG_SUCCESS)
		_exit(90);
}

uint32_t
scene_name_count(void)
{
	mach_port_name_array_t names;
	mach_port_type_array_t types;
	mach_msg_type_number_t count, type_count;

	if (mach_port_names(mach_task_self(), &names, &count, &types, &type_count) != KERN_SUCCESS)
		return 0;
	mach_vm_deallocate(mach_task_self(), (mach_vm_address_t)(uintptr_t)names,
			   count * sizeof(names[0]));
	mach_vm_deallocate(mach_task_self(), (mach_vm_address_t)(uintptr_t)types,
			   count * sizeof(types[0]));
	return count;
}

static const mach_msg_audit_trailer_t *
trailer_of(const mach_msg_header_t *message)
{
	return (const void *)((const uint8_t *)message + message->msgh_size);
}

uint32_t
scene_pid_of_sender(const mach_msg_header_t *message)
{
	return trailer_of(message)->msgh_audit.val[5];
}

mach_msg_return_t
scene_send(mach_port_t server, mach_port_t reply, uint32_t operation, uint32_t number,
	   mach_msg_option_t option, mach_msg_timeout_t ms)
{
	struct scene_message message = {
		.operation = operation,
		.number = number,
		.pid = (uint32_t)getpid(),
	};

	message.header.msgh_bits = MACH_MSGH_BITS(
	    MACH_MSG_TYPE_COPY_SEND, reply == MACH_PORT_NULL ? 0 : MACH_MSG_TYPE_MAKE_SEND_ONCE);
	message.header.msgh_remote_port = server;
	message.header.msgh_local_port = reply;
	message.header.msgh_id = (mach_msg_id_t)(operation << 24 | (number & 0xffffff));
	return mach_msg(&message.header, MACH_SEND_MSG | option, SCENE_SIZE, 0, 0, ms, 0);
}

mach_msg_return_t
scene_receive(mach_port_t port, struct scene_message *message, mach_msg_timeout_t ms)
{
	return mach_msg(&message->header, MACH_RCV_MSG | MACH_RCV_TIMEOUT | SCENE_AUDIT, 0,
			sizeof(*message), port, ms, 0);
}

mach_msg_return_t
scene_answer(struct scene_message *request)
{
	mach_msg_return_t code;

	request->header.msgh_bits = MACH_MSGH_BITS(MACH_MSG_TYPE_MOVE_SEND_ONCE, 0);
	request->header.msgh_local_port = MACH_PORT_NULL;
	code = mach_msg(&request->header, MACH_SEND_MSG, SCENE_SIZE, 0, 0, 0, 0);
	if (code != MACH_MSG_SUCCESS)
		mach_msg_destroy(&request->header);
	return code;
}

/* ---- an honest server ----------------------------------------------------------------------- */

struct peer_count {
	uint32_t pid, said;
};

/* The oldest one's place is a new one's. */
static struct peer_count *
peer_of(struct peer_count peers[PEERS], uint32_t pid)
{
	static uint32_t next;

	for (uint32_t i = 0; i < PEERS; i++)
		if (peers[i].pid == pid)
			return &peers[i];
	peers[next % PEERS] = (struct peer_count){ .pid = pid };
	return &peers[next++ % PEERS];
}

static void
serve_one(struct scene_message *message, struct peer_count *peer)
{
	if (message->header.msgh_size != SCENE_SIZE)
		message->operation = SCENE_LIE;
	if (message->operation == SCENE_SAY) {
		peer->said = peer->said == UINT32_MAX || message->number != peer->said
				 ? UINT32_MAX
				 : peer->said + 1;
	}
	message->pid = peer->pid;
	message->said = peer->said;
	if (MACH_MSGH_BITS_REMOTE(message->header.msgh_bits) == MACH_MSG_TYPE_PORT_SEND_ONCE)
		(void)scene_answer(message); /* whether anybody still waits for it is not ours */
	else
		mach_msg_destroy(&message->header);
}

/* With @timeout it looks now and then whether it is to stop. */
static void
serve(mach_port_t director, struct scene_notes *notes, mach_msg_option_t timeout)
{
	static struct peer_count peers[PEERS];
	static union {
		struct scene_message message;
		uint8_t bytes[LARGE];
	} room;
	mach_port_t port = scene_port(notes);
	uint32_t names = 0;

	scene_say_hello(director, port);
	while (!atomic_load(&notes->stop)) {
		mach_msg_return_t code =
		    mach_msg(&room.message.header, MACH_RCV_MSG | timeout | SCENE_AUDIT, 0,
			     sizeof(room), port, 50, 0);

		if (code == MACH_RCV_TIMED_OUT)
			continue;
		if (code != MACH_MSG_SUCCESS)
			scene_wrong(notes, "the server's receive failed: 0x%x", (unsigned)code);
		if (names == 0)
			names = scene_name_count() -
				(room.message.header.msgh_remote_port != MACH_PORT_NULL);
		if (room.message.header.msgh_bits & MACH_MSGH_BITS_COMPLEX)
			scene_wrong(notes, "the server got a complex message");
		struct peer_count *peer = peer_of(peers, scene_pid_of_sender(&room.message.header));

		serve_one(&room.message, peer);
		if (peer->said == UINT32_MAX && atomic_load(&notes->strict) != 0)
			scene_wrong(notes, "%u said things in disorder", peer->pid);
		atomic_fetch_add(&notes->rounds, 1);
	}
	/* what is still there was not taken: only rights that were are counted */
	while (scene_receive(port, &room.message, 0) == MACH_MSG_SUCCESS)
		mach_msg_destroy(&room.message.header);
	if (names != 0 && scene_name_count() != names)
		scene_wrong(notes, "the server has %u names where it had %u", scene_name_count(),
			    names);
}

void
scene_serve(mach_port_t director, struct scene_notes *notes)
{
	serve(director, notes, MACH_RCV_TIMEOUT);
}

void
scene_serve_patiently(mach_port_t director, struct scene_notes *notes)
{
	serve(director, notes, 0);
}

/* ---- honest clients ------------------------------------------------------------------------- */

struct client {
	mach_port_t server, reply;
	uint32_t said, asked;
	uint32_t server_pid; /* 0: not known yet */
	uint64_t seed;
	struct scene_notes *notes;
};

static void
client_check(struct client *client, const struct scene_message *answer)
{
	struct scene_notes *notes = client->notes;
	uint32_t pid = scene_pid_of_sender(&answer->header);

	if (answer->header.msgh_size != SCENE_SIZE ||
	    answer->header.msgh_bits != MACH_MSGH_BITS(0, MACH_MSG_TYPE_PORT_SEND_ONCE) ||
	    answer->header.msgh_local_port != client->reply ||
	    answer->header.msgh_remote_port != MACH_PORT_NULL)
		scene_wrong(notes, "an answer of bits 0x%x, %u bytes, id 0x%x",
			    answer->header.msgh_bits, answer->header.msgh_size,
			    (unsigned)answer->header.msgh_id);
	if (answer->operation != SCENE_ASK || answer->number != client->asked)
		scene_wrong(notes, "asked %u, answered %u", client->asked, answer->number);
	if (client->server_pid == 0)
		client->server_pid = pid;
	if (pid != client->server_pid && atomic_load(&notes->several) == 0)
		scene_wrong(notes, "answered by %u, not by %u", pid, client->server_pid);
	if (answer->pid != (uint32_t)getpid())
		scene_wrong(notes, "the server was told %u for %d", answer->pid, getpid());
	if (answer->said != client->said)
		scene_wrong(notes, "said %u, of which the server knows %u", client->said,
			    answer->said);
}

/* Some numbers, then a question. */
static void
client_round(struct client *client)
{
	struct scene_message answer;
	mach_msg_return_t code;

	for (uint32_t i = attack_random(&client->seed) % 4; i > 0; i--) {
		code = scene_send(client->server, MACH_PORT_NULL, SCENE_SAY, client->said,
				  i == 3 ? MACH_SEND_TIMEOUT : 0, SCENE_HANG_MS);
		if (code != MACH_MSG_SUCCESS)
			scene_wrong(client->notes, "number %u: 0x%x", client->said, (unsigned)code);
		client->said++;
	}
	client->asked++;
	code = scene_send(client->server, client->reply, SCENE_ASK, client->asked, 0, 0);
	if (code != MACH_MSG_SUCCESS)
		scene_wrong(client->notes, "question %u: 0x%x", client->asked, (unsigned)code);
	code = scene_receive(client->reply, &answer, SCENE_HANG_MS);
	if (code != MACH_MSG_SUCCESS)
		scene_wrong(client->notes, "answer %u: 0x%x", client->asked, (unsigned)code);
	client_check(client, &answer);
}

void
scene_client(mach_port_t server, struct scene_notes *notes)
{
	struct client client = { .server = server,
				 .reply = mach_reply_port(),
				 .seed = (uint64_t)getpid(),
				 .notes = notes };

	while (!atomic_load(&notes->stop)) {
		uint64_t begun_ns = wait_now_ns(), ns;

		client_round(&client);
		ns = wait_now_ns() - begun_ns;
		if (ns > atomic_load(&notes->worst_ns))
			atomic_store(&notes->worst_ns, ns);
		atomic_fetch_add(&notes->rounds, 1);
		atomic_store(&notes->by_lanes, scene_sent_by_lanes());
	}
	if (scene_receive(client.reply, &(struct scene_message){ 0 }, 0) != MACH_RCV_TIMED_OUT)
		scene_wrong(notes, "something that it had not asked for came");
}

void
scene_caller(mach_port_t server, struct scene_notes *notes)
{
	mach_port_t reply = mach_reply_port();
	uint32_t sent = 0, ended = 0;
	struct scene_message answer;
	mach_msg_return_t code;

	for (;;) {
		/* several under way, so that some are in each state when it dies */
		for (uint32_t i = 0; i < 3; i++) {
			code = scene_send(server, reply, SCENE_ASK, sent, MACH_SEND_TIMEOUT,
					  SCENE_HANG_MS);
			if (code != MACH_MSG_SUCCESS)
				break;
			sent++;
		}
		while (ended < sent &&
		       scene_receive(reply, &answer, SCENE_HANG_MS) == MACH_MSG_SUCCESS) {
			ended++;
			if (answer.header.msgh_id == MACH_NOTIFY_SEND_ONCE)
				continue; /* it died, or had no use for it */
			if (answer.operation != SCENE_ASK || answer.pid != (uint32_t)getpid())
				scene_wrong(notes, "an answer that is none");
		}
		if (ended != sent)
			scene_wrong(notes, "%u questions, %u answers", sent, ended);
		atomic_store(&notes->by_lanes, scene_sent_by_lanes());
		atomic_fetch_add(&notes->rounds, 1);
		if (code == MACH_SEND_INVALID_DEST)
			break;
		if (code != MACH_MSG_SUCCESS)
			scene_wrong(notes, "question %u: 0x%x", sent, (unsigned)code);
	}
	if (scene_receive(reply, &answer, 0) != MACH_RCV_TIMED_OUT)
		scene_wrong(notes, "an answer too many");
}
