/*
 * A way for processes to talk, as bench/ measures it.  A new one is a file that defines
 * peers_here, and a line in bench/meson.build.
 *
 * One measurement: main() fills `shape` and calls listen(); then it makes a server process,
 * which calls serve(), and clients.  Each client calls choose() and connect(), and then
 * call() or send(), time and again.
 */
#ifndef BERTH_BENCH_PEER_H
#define BERTH_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is measured. */
struct shape {
	size_t request_bytes;
	size_t reply_bytes;
	unsigned clients;    /* that connect at the same time, at most */
	bool come_and_go;    /* clients end, and others come */
	bool oneway;         /* send(), and nobody answers */
	bool with_right;     /* each request carries a right: a port's, or a descriptor */
	size_t region_bytes; /* what move() moves; 0: nothing */
};

extern struct shape shape;

struct peer {
	const char *system;
	size_t size_max;      /* of a request or a reply, in bytes; 0: any */
	unsigned clients_max; /* at the same time; 0: any number */
	bool bulk_only;       /* there is nothing but memory to compare with */
	bool carries_rights;

	/* Whatever both sides inherit.  May be NULL. */
	void (*listen)(void);
	/* The server: calls serving() when clients may come.  Never returns. */
	void (*serve)(void);
	/* A client is client number so-and-so of those that inherited what listen() made.  May be
	 * NULL. */
	void (*choose)(unsigned client);
	/* A client finds the server by name.  NULL: such clients cannot come later. */
	void (*connect)(void);
	/* One request of shape.request_bytes, and its reply of shape.reply_bytes. */
	void (*call)(const void *request, void *reply);
	/* One message of shape.request_bytes; sleeps while the queue is full.  May be NULL. */
	void (*send)(const void *message);
	/* Make one end of what this system talks over, and let it go.  May be NULL. */
	void (*make)(void);
	/* Move shape.region_bytes of fresh memory to the server: returns the ns from sending until
	 * it has looked at both ends and said so.  May be NULL. */
	uint64_t (*move)(void);
};

/* The systems of this program, ended by NULL; each peers/NAME.c defines it. */
extern const struct peer *const peers_here[];

/* ---- what the server sides share ----------------------------------------------------------- */

/* The first bytes of each request and reply. */
struct words {
	uint64_t number; /* of the request; a reply has that of its request */
	uint64_t sum;    /* a reply: of what came */
};

#define LAST_NUMBER UINT64_MAX /* of the last message of a oneway run */

/* Clients may come: main() waits for it. */
void serving(void);

/* Look at all of @request, and fill the first words of @reply. */
void answer(const void *request, void *reply);

/* A oneway message has come: main() is told of the last one. */
void absorb(const void *message);

/* ---- help for those who need files or a third process ------------------------------------------
 */

/* A path in the folder that bench/run made for this program, and takes away. */
const char *own_path(const char *name);

#endif
