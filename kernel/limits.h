/*
 * Every bound of the kernel, with its unit and its reason.
 */
#ifndef KERNEL_LIMITS_H
#define KERNEL_LIMITS_H

/* ---- the contract's (mach-ports.md §2, §3, §11; mach-messages.md §3, §6) ------------ */

#define IPC_ENTRY_TABLE_MIN 32u      /* entries of a new table */
#define IPC_ENTRY_TABLE_MAX 305834u  /* entries: 7 MiB of 24 bytes each */
#define IPC_ENTRY_ORDERED 8u         /* free indices that a new space hands out in order */
#define UREFS_MAX 65535u             /* a count that reaches it is pegged */
#define KMSG_SIZE_MIN 24u            /* bytes: the header */
#define KMSG_SIZE_MAX 50331580u      /* bytes: 48 MiB − 68 */
#define KMSG_PORTS_MAX 16383u        /* rights carried by the descriptors of one message */
#define KMSG_OOL_SMALL 32768u        /* bytes: pieces above it count against the next line */
#define KMSG_OOL_COPY_MAX (7u << 20) /* bytes of physical copy a message may ask for */
#define QLIMIT_KERNEL 65534u         /* messages: the hard ceiling of any queue */
#define MK_TIMER_MESSAGE_SIZE 48u    /* bytes: a header and three numbers */

/* ---- ours: what one task may make the kernel hold ---------------------------------- */

#define TASK_COUNT_MAX 100000u       /* tasks a kernel */
#define TASK_SUSPEND_MAX 0x7fffffffu /* a count that is told as an int */
#define THREAD_SUSPEND_MAX 0x7fffu   /* suspensions of a thread: more than anybody nests */
#define TASK_THREAD_MAX 16384u       /* threads: the bells of one doorbell */
/* how long somebody waits for a thread to stop: one that waits for a disk stops when it can */
#define THREAD_STOP_WAIT_NS 2000000000ull
#define TASK_QUEUED_BYTES_MAX                                                                      \
	(256ull << 20)                      /* bytes of kernel memory in its unreceived messages   \
					     */
#define TASK_SEGMENT_BYTES_MAX (8ull << 30) /* bytes in memfds that it sent and nobody received */
#define TASK_REQUEST_MAX 262144u            /* notification requests registered at once */
#define TASK_SET_LINK_MAX 1048576u          /* memberships of ports in sets */
#define TASK_SEMAPHORE_MAX 65536u           /* semaphores that it owns, or died owning */
#define TASK_ALARM_MAX 4096u                /* alarms of clocks that it waits for */
#define TASK_FILEPORT_MAX 4096u             /* fileports: a descriptor of the host's each */
#define TASK_MEMORY_ENTRY_MAX 4096u         /* memory entries: likewise */
#define TASK_TIMER_MAX 4096u                /* timers: each holds a message and a deadline */
#define TASK_VOUCHER_BYTES_MAX (1u << 20)   /* bytes of vouchers that it made first */
#define LANE_COUNT_MAX 4096u                /* lanes a kernel: 400 KiB of address space each */
#define LANE_PEER_MAX 32u                   /* lanes of one task to another, which has 128 */
#define LANE_PEER_GATE_MAX 16u              /* ports, of 64, of another that it alone leads to */
#define LANE_OPEN_BURST 256u                /* lanes that a task may open in a row, */
#define LANE_OPEN_NS 1000000ull             /* and then one in so much time */
#define LANE_TAKE_NS 40000ull               /* what a message costs more that is taken over */
#define LANE_SPOILT_MAX 4u                  /* times that it was not worth it … */
#define LANE_SHUT_NS 1000000ull     /* … then the port is shut so long, twice as long … */
#define LANE_SHUT_DOUBLINGS 7u      /* … the next time, and so on */
#define LANE_COLD_NS 10000000000ull /* a lane that was not used for so long is closed */
#define PORT_REQUEST_MAX 65536u     /* dead-name and send-possible requests on one port */
#define NOTIFY_POOL_SLACK 64u       /* spare notification messages kept for reuse */

/* ---- controls, kernel events, kernel extensions: one kernel ---------------------------- */

#define CTL_COUNT_MAX 65535u        /* controls: slot + 1 has 16 bits in a reference */
#define KEV_VENDOR_TEXT_MAX 200u    /* bytes of a vendor's string, with the NUL: the contract's */
#define KEV_DATA_MAX 264u           /* bytes of one event: the contract's, as on Apple silicon */
#define KEV_CODE_COUNT_MAX 65536u   /* strings that have a code; none is ever given back */
#define KEV_SOCKET_COUNT_MAX 65536u /* event sockets: each is asked about each event */
#define KEXT_HOST_COUNT_MAX 1024u   /* processes that kexts run in */
#define KEXT_COUNT_MAX 4096u        /* kexts */
#define KEXT_DEPENDENCY_MAX 32u     /* kexts that one is linked against */
#define KEXT_PATH_MAX 1024u         /* bytes, with the NUL */

#endif
