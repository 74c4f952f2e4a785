/*
 * What stubs made by MIG need: the tables that they fill and the helpers that they call.
 */
#ifndef _MACH_MIG_H_
#define _MACH_MIG_H_

#include <stdint.h>

#include <mach/kern_return.h>
#include <mach/message.h>
#include <mach/port.h>
#include <mach/vm_types.h>

/* Stubs check what they receive. */
#ifndef __MigTypeCheck
#define __MigTypeCheck 1
#endif

/* Stubs lay their messages out with #pragma pack(4). */
#define __MigPackStructs 1

/* A stub takes a request and fills the reply; a demultiplexer looks for a stub. */
typedef void (*mig_stub_routine_t)(mach_msg_header_t *InHeadP, mach_msg_header_t *OutHeadP);
typedef mig_stub_routine_t mig_routine_t;
typedef mig_routine_t (*mig_server_routine_t)(mach_msg_header_t *InHeadP);
typedef kern_return_t (*mig_impl_routine_t)(void);

typedef mach_msg_type_descriptor_t routine_arg_descriptor;
typedef mach_msg_type_descriptor_t *routine_arg_descriptor_t;
typedef mach_msg_type_descriptor_t *mig_routine_arg_descriptor_t;
#define MIG_ROUTINE_ARG_DESCRIPTOR_NULL ((mig_routine_arg_descriptor_t)0)

/* One routine of a subsystem; all zero where a number is skipped. */
struct routine_descriptor {
	mig_impl_routine_t impl_routine;
	mig_stub_routine_t stub_routine;
	unsigned int argc;
	unsigned int descr_count;
	routine_arg_descriptor_t arg_descr;
	unsigned int max_reply_msg;
};
typedef struct routine_descriptor *routine_descriptor_t;

typedef struct routine_descriptor mig_routine_descriptor;
typedef mig_routine_descriptor *mig_routine_descriptor_t;
#define MIG_ROUTINE_DESCRIPTOR_NULL ((mig_routine_descriptor_t)0)

/* A subsystem: routines start to end - 1. */
typedef struct mig_subsystem {
	mig_server_routine_t server;
	mach_msg_id_t start;
	mach_msg_id_t end;
	mach_msg_size_t maxsize; /* of any reply */
	vm_address_t reserved;
	mig_routine_descriptor routine[1]; /* as many as there are */
} * mig_subsystem_t;
#define MIG_SUBSYSTEM_NULL ((mig_subsystem_t)0)

/* With `mig -s`: a table from numbers to stubs. */
typedef struct mig_symtab {
	char *ms_routine_name;
	int ms_routine_number;
	void (*ms_routine)(void); /* to be cast to mig_routine_t */
} mig_symtab_t;

#ifndef MIG_SERVER_ROUTINE
#define MIG_SERVER_ROUTINE
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The calling thread's reply port: a receive right, made on first use and kept until it is
 * given up.  MACH_PORT_NULL: none could be made.
 */
extern mach_port_t mig_get_reply_port(void);

/* The thread's reply port may still get a late reply: drop it, and @reply_port if it is
 * another. */
extern void mig_dealloc_reply_port(mach_port_t reply_port);

/* Nothing; for old stubs. */
extern void mig_put_reply_port(mach_port_t reply_port);

/* The same with the thread's special reply port. */
extern mach_port_t mig_get_special_reply_port(void);
extern void mig_dealloc_special_reply_port(mach_port_t reply_port);

/*
 * Copy @src, cut to @len - 1 bytes, and end it with a NUL.  Gives the length with the NUL, 0
 * if @len is not positive.  _zerofill clears the rest of @dest, and takes NULL for an empty
 * @src.
 */
extern int mig_strncpy(char *dest, const char *src, int len);
extern int mig_strncpy_zerofill(char *dest, const char *src, int len);

/* Memory of the own task, by pages; *@addr is 0 where there is none. */
extern void mig_allocate(vm_address_t *addr, vm_size_t size);
extern void mig_deallocate(vm_address_t addr, vm_size_t size);

/* Heap for messages too large for the stack. */
extern char *mig_user_allocate(vm_size_t size);
extern void mig_user_deallocate(char *data, vm_size_t size);

#ifdef __cplusplus
}
#endif

#endif
