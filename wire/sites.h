/*
 * Sites: where a process got the rights that it holds, for `berth run --leaks=sites`.
 *
 * Each process writes a file of its own, in a folder that `berth run` makes and names in
 * BERTH_SITES, and that is read when the process has ended.  The file is memory that the process
 * shares with it, so that it is there however the process died.  It holds what is held, not what
 * has happened: it does not grow with time.  It may be cut off anywhere, or forged by its program;
 * who reads it believes no number in it.
 */
#ifndef BERTH_WIRE_SITES_H
#define BERTH_WIRE_SITES_H

#include <stdint.h>

#define SITES_VARIABLE "BERTH_SITES"
#define SITES_MAGIC 0x73697465u
#define SITES_VERSION 1u

#define SITES_FRAMES_MAX 32u      /* of one stack; what is further out is cut off */
#define SITES_MODULES_MAX 128u    /* programs and libraries in one process */
#define SITES_STACKS_MAX 16384u   /* different ones */
#define SITES_RECORDS_MAX 524288u /* names times sites */
#define SITES_BUCKETS 16384u      /* of both kinds; a power of two */
#define SITES_NO_MODULE UINT16_MAX

enum site_kind {
	SITE_NONE = 0, /* the record is free */
	SITE_RECEIVE,
	SITE_SEND,
	SITE_SEND_ONCE,
	SITE_PORT_SET,
	SITE_DEAD_NAME
};

/* A file that is mapped with code in it. */
struct site_module {
	uint64_t start, end; /* addresses */
	uint64_t base;       /* an address minus this is one of the file's own */
	char path[488];
};

struct site_stack {
	uint32_t next; /* in its bucket, plus 1 */
	uint32_t hash;
	uint32_t frame_count;
	uint32_t pad;
	uint64_t addresses[SITES_FRAMES_MAX]; /* innermost first; return addresses */
	uint16_t modules[SITES_FRAMES_MAX];   /* SITES_NO_MODULE: none that is known */
};

/* So many references of a kind under a name were got at a stack. */
struct site_record {
	uint32_t name;
	uint32_t refs;
	uint16_t stack;
	uint16_t kind; /* enum site_kind */
	uint32_t next; /* in its bucket, the free ones or a message, plus 1 */
};

struct sites {
	uint32_t magic;
	uint32_t version;
	uint32_t pid;
	uint32_t library; /* the module that libberth is in */
	uint32_t module_count;
	uint32_t stack_count;
	uint32_t record_count;                  /* those beyond were never used */
	uint32_t free_record;                   /* plus 1 */
	uint64_t lost;                          /* references of which no note could be made */
	char label[24];                         /* the name of the program */
	uint32_t record_buckets[SITES_BUCKETS]; /* plus 1; of one bucket the latest first */
	uint32_t stack_buckets[SITES_BUCKETS];
	struct site_module modules[SITES_MODULES_MAX];
	struct site_stack stacks[SITES_STACKS_MAX];
	struct site_record records[SITES_RECORDS_MAX];
};

#endif
