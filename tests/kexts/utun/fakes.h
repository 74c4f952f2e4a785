/*
 * A control server and a KPI of the test's own, for one kext in the same process: a client
 * socket is a queue of records here.
 */
#ifndef BERTH_TESTS_KEXTS_UTUN_FAKES_H
#define BERTH_TESTS_KEXTS_UTUN_FAKES_H

#define KERNEL 1

#include <mach/kmod.h>
#include <sys/kern_control.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_CLIENTS 8
#define FAKE_RECORDS 256

struct fake_client {
	bool is_used;
	uint32_t unit;
	void *unitinfo;
	/* what the program has not read yet */
	uint8_t *records[FAKE_RECORDS];
	size_t sizes[FAKE_RECORDS];
	uint32_t first;
	_Atomic uint32_t count;
	size_t bytes;
	_Atomic size_t room; /* bytes; changed at will */
	_Atomic uint32_t lowat;
};

/* What the kext has registered; NULL: nothing. */
extern const struct kern_ctl_reg *fake_registered;
extern bool fake_is_root; /* who calls */
extern bool fake_deregister_is_busy;

/* Was that printed? */
bool fake_logged(const char *words);
void fake_log_clear(void);

/* Blocks of memory and locks that are there. */
int fake_objects(void);

/* As the system calls; errno values.  Attaching gives a client in *@client. */
errno_t fake_bind(uint32_t unit, struct fake_client **client);
errno_t fake_connect(uint32_t unit, struct fake_client **client);
/* Of one that is bound; a failure ends it. */
errno_t fake_connect_bound(struct fake_client *client);
void fake_close(struct fake_client *client);
/* What a test that failed has left. */
void fake_close_all(void);
/* 20 seconds at most; its size.  @quietly: without the rcvd callback, as a bare system call. */
size_t fake_receive(struct fake_client *client, uint8_t *buffer, size_t size, bool quietly);
/* Waits until as many records are there. */
void fake_expect(struct fake_client *client, uint32_t count);
/* In pieces of @piece bytes at most. */
errno_t fake_send(struct fake_client *client, const void *header, size_t header_size,
		  const void *data, size_t size, size_t piece);
errno_t fake_setopt(struct fake_client *client, int option, const void *data, size_t size);
errno_t fake_getopt(struct fake_client *client, int option, void *data, size_t *size);

#endif
