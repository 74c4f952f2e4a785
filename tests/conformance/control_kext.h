/*
 * What the kext of the control tests does, as it agrees with the programs that test it.
 */
#ifndef BERTH_TESTS_CONTROL_KEXT_H
#define BERTH_TESTS_CONTROL_KEXT_H

#include <stdint.h>

#define KEXT_DGRAM "berth.test.dgram"   /* default sizes; the options below */
#define KEXT_STREAM "berth.test.stream" /* the same, SOCK_STREAM */
#define KEXT_ROOT "berth.test.root"     /* the same, CTL_FLAG_PRIVILEGED */
#define KEXT_STATIC "berth.test.static" /* id and units given: two of one name */
#define KEXT_FULL "berth.test.full"     /* EXTENDED, with bind and rcvd */
#define KEXT_BARE "berth.test.bare"     /* nothing but connect */
#define KEXT_SETUP "berth.test.setup"   /* SETUP: unit 0 becomes 41, unit 13 is refused ERANGE */
#define KEXT_CRIT "berth.test.crit"     /* CRIT */
#define KEXT_LARGE "berth.test.large"   /* 256 KiB to send, 2 MiB to receive; echoes with EOR */

#define STATIC_ID 0x61626364u
#define STATIC_UNIT 7u

/* In sc_reserved[0] of the address: the errno that connect (bind) is to say.  In [1]: 1, the
 * connect callback enqueues a greeting, "hello", with EOR. */

enum kext_set {
	/* struct kext_enqueue, then the bytes; the result is what the enqueue function said */
	SET_ENQUEUE = 1,
	SET_ENQUEUE_MBUF,
	/* the bytes are packets of 4 bytes each; what remains is freed */
	SET_ENQUEUE_LIST,
	/* the name of a dynamic control: registered, or taken back */
	SET_REGISTER,
	SET_DEREGISTER,
	/* int: what the send callbacks of this client say from now on */
	SET_SEND_RESULT,
	/* struct kext_event, then the data: posted with the code of "com.example.test" */
	SET_POST,
	/* int: seconds that the call sleeps, interruptibly */
	SET_SLEEP,
	/* int: enum kext_death */
	SET_DIE,
	/* int: that errno */
	SET_FAIL,
	/* ctl_deregister of this very control */
	SET_DEREGISTER_SELF,
	/* int: send so many messages, each its number, as fast as they are read */
	SET_FLOOD
};

enum kext_get {
	GET_SPACE = 1, /* uint64_t */
	GET_READABLE,  /* uint32_t */
	GET_PACKETS,   /* uint32_t */
	GET_JOURNAL,   /* text: what happened, and is forgotten then */
	GET_CALLER,    /* struct kext_caller */
	GET_MIRROR,    /* the bytes given, turned round */
	GET_LIE,       /* says that it wrote more than there was room for */
	GET_SIZE,      /* 24 bytes of 'x'; their size if there is no buffer */
	GET_FAIL,      /* ERANGE */
	GET_LAST       /* the last message that send got: its bytes, its flags first (uint32_t) */
};

enum kext_death { DIE_OF_NULL = 1, DIE_OF_PANIC, DIE_OF_LOOP };

struct kext_enqueue {
	uint32_t flags;
};

struct kext_event {
	uint32_t kev_class, kev_subclass, code, vectors[5]; /* sizes of the vectors */
	uint32_t vendor;                                    /* 0: our own */
};

struct kext_caller {
	int32_t pid;
	uint32_t euid, ruid;
	char name[32];
};

#endif
