/*
 * A place to attack lanes (wire/mach_lane.h) from: a kernel of its own, and on it an honest server,
 * honest clients, and hostile tasks that have the library and write into the memory of their own
 * lanes what it never would.
 *
 * All of them are children of the *director*, whose bootstrap port is the server that they find.
 * BERTH_LANES is as it was given if it asks for any lanes, else 1.
 */
#ifndef TESTS_ATTACK_MACH_LANES_SCENE_H
#define TESTS_ATTACK_MACH_LANES_SCENE_H

#include <mach/mach.h>

#include "tests/attack/observe.h"
#include "wire/mach_lane.h"

#define SCENE_HANG_MS 20000u
#define SCENE_BODY 256u
#define SCENE_AUDIT                                                                                \
	(MACH_RCV_TRAILER_TYPE(MACH_MSG_TRAILER_FORMAT_0) |                                        \
	 MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT))

enum scene_operation {
	SCENE_SAY = 1, /* no answer: only the next number, counted for who sent it */
	SCENE_ASK,     /* answered with what was asked, and with how much was said before */
	SCENE_LIE      /* what hostile tasks send: no rule */
};

struct scene_message {
	mach_msg_header_t header;
	uint32_t operation, number;
	uint32_t pid;  /* who asks, as he says; of an answer: as the kernel told the server */
	uint32_t said; /* of an answer: how often he had said something; UINT32_MAX: in disorder */
	uint8_t body[SCENE_BODY];
	mach_msg_max_trailer_t trailer;
};

#define SCENE_SIZE ((mach_msg_size_t)offsetof(struct scene_message, body))

/* What a child and its director share. */
struct scene_notes {
	_Atomic uint32_t stop;
	_Atomic uint32_t steps;   /* of a hostile part: it is at it */
	_Atomic uint32_t strict;  /* a server's: nobody lies, so disorder is wrong */
	_Atomic uint32_t several; /* a client's: more than one answers */
	_Atomic uint64_t rounds, worst_ns, by_lanes;
	char wrong[200]; /* empty: nothing */
};

struct scene_child {
	pid_t pid;
	mach_port_t port; /* a server's: the director's right to it */
	struct scene_notes *notes;
};

struct scene_lane {
	uint32_t number;
	struct mach_lane *shared;
	struct mach_lane_gates *gates; /* the receiver's */
	struct mach_lane_table *table; /* our own */
	struct mach_lane_gate *gate;
};

/* ---- directors ------------------------------------------------------------------------------ */

typedef void scene_director(const struct raw_kernel *kernel, uint64_t seed);
typedef void scene_part(mach_port_t server, struct scene_notes *notes);
typedef void scene_raw_part(const struct raw_kernel *kernel, struct scene_notes *notes);

/* A whole attack, as attack(): a bystander besides, the audit, and nothing is left. */
void scene_attack(scene_director *director);
/* The same with a kernel that @director, who is given @seed, kills. */
void scene_attack_to_the_end(scene_director *director, uint64_t seed);
/* To be called first by main(): begins the program anew if BERTH_LANES asks for no lanes. */
void scene_choose_lanes(char **argv);
/* Do lanes come and go by chance? */
bool scene_lanes_flap(void);

/* A child that plays @part; its server is @server, and it has ended when its part has. */
struct scene_child scene_start(scene_part *part, mach_port_t server);
/* The same without the library, whose task the child has not; it finds @server as any. */
struct scene_child scene_start_raw(scene_raw_part *part, const struct raw_kernel *kernel,
				   mach_port_t server);
/* One that says first where it receives. */
struct scene_child scene_start_server(scene_part *part);
/* Where servers say hello. */
mach_port_t scene_director_port(void);
/* Waits until it has done @count rounds more; fails the test if that takes too long, or if
 * something went wrong. */
void scene_await_rounds(const struct scene_child *child, uint64_t count);
/* The same until it has done @count of them since it began. */
void scene_await_all_rounds(const struct scene_child *child, uint64_t count);
void scene_await_steps(const struct scene_child *child, uint32_t count);
/* Lets it come to its end, which must be a good one. */
void scene_end(struct scene_child *child);
/* The same, and its slowest round took at most @worst_ms; its messages went by lanes. */
void scene_end_by_lanes(struct scene_child *child, unsigned worst_ms);
void scene_kill(struct scene_child *child);

/* ---- parts ---------------------------------------------------------------------------------- */

scene_part scene_serve; /* a server: until it is told to stop, and then it has the names it had */
scene_part scene_serve_patiently; /* the same without an end, and without a look at the time */
scene_part scene_client;          /* calls until it is told to stop, and believes nothing */
/* calls until its server is dead: each call has one end, an answer or a notification */
scene_part scene_caller;

/* Says @text, in the manner of printf, and ends the child. */
__attribute__((format(printf, 2, 3), noreturn)) void scene_wrong(struct scene_notes *notes,
								 const char *text, ...);
/* A port with both rights. */
mach_port_t scene_port(struct scene_notes *notes);
/* Tells the director, who waits for it, where we receive. */
void scene_say_hello(mach_port_t director, mach_port_t port);
uint32_t scene_name_count(void);
void scene_pause_us(uint32_t us);
uint32_t scene_pid_of_sender(const mach_msg_header_t *message);
/* One request to @server; answered to @reply, or with MACH_PORT_NULL not at all. */
mach_msg_return_t scene_send(mach_port_t server, mach_port_t reply, uint32_t operation,
			     uint32_t number, mach_msg_option_t option, mach_msg_timeout_t ms);
mach_msg_return_t scene_receive(mach_port_t port, struct scene_message *message,
				mach_msg_timeout_t ms);
/* Answers @request with what is in it. */
mach_msg_return_t scene_answer(struct scene_message *request);

/* Messages of this process that went by lanes. */
uint64_t scene_sent_by_lanes(void);
/* Lanes that it sends by. */
uint32_t scene_lane_count(void);

/* ---- hostile parts -------------------------------------------------------------------------- */

/* Sends to @server until there is a lane to it: mappings of its memory that the library does not
 * know of, so that they stay whatever it does. */
struct scene_lane scene_lane_to(mach_port_t server, struct scene_notes *notes);
/* Of the lanes that lead to us, which there must be, one by chance. */
bool scene_lane_from_client(struct scene_lane *lane, uint64_t *seed);
void scene_lane_forget(struct scene_lane *lane);

/* A message of @size bytes into the ring, whatever the gate says.  False: no room, or shut. */
bool scene_put(struct scene_lane *lane, const void *message, uint32_t size, uint32_t call,
	       uint32_t ticket);
/* What the receiver looks at to see whether it should wake, and the wake. */
void scene_wake(const struct scene_lane *lane);

/* The call says something else of itself, mostly with its number. */
void scene_call_spoil(struct mach_lane_call *call, uint32_t state);

/* One word of the lane, changed to something likely to do harm. */
void scene_scribble(struct scene_lane *lane, uint64_t *seed);

#endif
