/*
 * Message in the kernel: bytes copied once, rights as objects, OOL memory as pieces.
 *
 * `bytes` is the header and what follows it (all of the message, or header and descriptors
 * when a tail lies in a segment), with room for a trailer behind it.  From copyin to copyout
 * the names in it mean nothing: the rights are in `dest`, `reply` and `descriptors`.
 */
#ifndef KERNEL_IPC_KMSG_H
#define KERNEL_IPC_KMSG_H

#include "ipc/ipc_space.h"

struct mk_timer;
struct thread;

/* A descriptor, apart from its bytes. */
struct ipc_kmsg_descriptor {
	uint32_t offset;     /* in bytes, of the descriptor in the message */
	uint8_t type;        /* MACH_MSG_*_DESCRIPTOR */
	uint8_t disposition; /* as sent until copied in; then as received, 0 for none */
	uint8_t copy;
	uint8_t deallocate;
	uint16_t guard_flags;
	bool has_piece;          /* memory travels with it: the next of `pieces` */
	uint32_t count;          /* bytes (OOL) or rights (OOL ports) */
	uint32_t piece_index;    /* if has_piece */
	struct ipc_port *port;   /* port and guarded: NULL, IP_DEAD or a right */
	struct ipc_port **ports; /* OOL ports: `count` of them; names after copyout */
};

struct ipc_kmsg {
	struct kernel *kernel;
	struct list link; /* port.messages, or the pool of notifications */
	size_t alloc_size;
	uint64_t charge_bytes;  /* to @payer: this and the memory of its pieces */
	struct account *payer;  /* NULL: the kernel's own message */
	bool is_notification;   /* from the pool and back to it */
	struct mk_timer *timer; /* whose one message this is, and to whom it goes back */
	bool circular;          /* would hold itself: destroyed instead of delivered */

	struct ipc_port *dest;  /* a right of kind dest_type, or NULL once copied out */
	struct ipc_port *reply; /* a right of kind reply_type, NULL or IP_DEAD */
	mach_msg_type_name_t dest_type;
	mach_msg_type_name_t reply_type; /* may be nonzero without a right */
	mach_port_name_t reply_name;     /* as sent, if it is no right: 0 or DEAD */
	mach_msg_type_name_t voucher_type;
	mach_port_name_t voucher_name; /* as sent: plain bits when voucher_type is 0 */
	struct ipc_port *voucher;      /* a send right, or NULL */
	uint32_t sender_pid;           /* 0: the kernel */
	uint64_t lane_task_id;         /* it came by a lane to this task, which could write it, too:
					  nobody else is told who sent it.  0: by the kernel */

	uint32_t size;       /* of the message, without trailer */
	uint32_t bytes_size; /* of it, in `bytes`; the rest is the tail */
	struct kernel_piece tail;
	uint32_t seqno;
	audit_token_t audit;

	uint32_t descriptor_count;
	uint32_t descriptors_taken; /* their rights and memory are ours */
	uint32_t piece_count;
	struct ipc_kmsg_descriptor *descriptors;
	struct kernel_piece *pieces;
	uint8_t *bytes; /* followed by room for sizeof(mach_msg_max_trailer_t) */
};

static inline mach_msg_header_t *
ikm_header(const struct ipc_kmsg *kmsg)
{
	return (mach_msg_header_t *)(void *)kmsg->bytes;
}

/*
 * S1 and S2: sizes, the copy, the walk over descriptors.  Nothing is consumed on failure.
 * Codes and their order: mach-messages.md §3.
 */
mustuse mach_msg_return_t ipc_kmsg_get(struct thread *thread, const struct trap_frame *frame,
				       mach_msg_size_t send_size, struct ipc_kmsg **out);
/* S3 and S4.  On failure the kmsg is gone, and nothing was taken. */
mustuse mach_msg_return_t ipc_kmsg_copyin_header(struct thread *thread, struct ipc_kmsg *kmsg);
/* S6.  On failure the kmsg and what it had taken are gone; *captured counts the descriptors
 * whose memory was captured. */
mustuse mach_msg_return_t ipc_kmsg_copyin_body(struct thread *thread, struct ipc_kmsg *kmsg,
					       const struct trap_frame *frame, uint32_t *captured);
/* R5 and R6: rights into the receiver's space; MACH_MSG_SUCCESS, or bits that say what found
 * no room.  On MACH_RCV_HEADER_ERROR everything was destroyed and only a bare header is left. */
mach_msg_return_t ipc_kmsg_copyout(struct thread *thread, struct ipc_kmsg *kmsg);
/* Pseudo-receive: all rights back to the sender (mach-messages.md §7); resource bits or 0. */
mach_msg_return_t ipc_kmsg_copyout_pseudo(struct thread *thread, struct ipc_kmsg *kmsg);
/* The trailer that @option asks for, for @receiver, behind the message; its size in bytes.
 * @kernel_tokens: the message was destroyed and says nothing about its sender any more. */
uint32_t ipc_kmsg_add_trailer(struct ipc_kmsg *kmsg, const struct task *receiver,
			      mach_msg_option_t option, uint64_t context, bool kernel_tokens);
/* Destroys all rights but leaves a header as a receiver that was too small sees it. */
void ipc_kmsg_strip(struct kernel *k, struct ipc_kmsg *kmsg, mach_port_name_t local_name);

/* With all its rights and memory; dest and reply too. */
void ipc_kmsg_destroy(struct kernel *k, struct ipc_kmsg *kmsg);
/* Memory only: its rights have gone elsewhere. */
void ipc_kmsg_free(struct kernel *k, struct ipc_kmsg *kmsg);

/* Bytes of trailer that @option asks for. */
uint32_t ipc_kmsg_trailer_size(mach_msg_option_t option);

#endif
