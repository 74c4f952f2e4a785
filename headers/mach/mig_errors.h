/*
 * Errors of MIG stubs, and the reply that carries one.
 */
#ifndef _MACH_MIG_ERRORS_H_
#define _MACH_MIG_ERRORS_H_

#include <mach/kern_return.h>
#include <mach/message.h>
#include <mach/mig.h>
#include <mach/ndr.h>

#define MIG_TYPE_ERROR -300      /* an argument has not the type it should have */
#define MIG_REPLY_MISMATCH -301  /* the reply answers something else */
#define MIG_REMOTE_ERROR -302    /* the server failed in its own way */
#define MIG_BAD_ID -303          /* no routine has that number */
#define MIG_BAD_ARGUMENTS -304   /* the request has not the size or shape it should have */
#define MIG_NO_REPLY -305        /* the server answers later, or not at all */
#define MIG_EXCEPTION -306       /* the server raised an exception */
#define MIG_ARRAY_TOO_LARGE -307 /* more elements than there is room for */
#define MIG_SERVER_DIED -308     /* the reply right was given up */
#define MIG_TRAILER_ERROR -309   /* the trailer is of an unknown kind */

#pragma pack(push, 4)
typedef struct {
	mach_msg_header_t Head;
	NDR_record_t NDR;
	kern_return_t RetCode;
} mig_reply_error_t;

#pragma pack(pop)

#endif
