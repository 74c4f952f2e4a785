/*
 * The traps of a Berth kernel: what a task may ask of it, by number.
 *
 * Private between the library and the kernel, as <mach/syscall_sw.h> is on Darwin: both
 * are built together and the numbers may change.  A task argument is a name in the
 * caller's space.  `values` and `bytes` are what comes back; where nothing is said, only
 * the code does.  Semantics and the order of checks: mach-ports.md §9 and §10.
 */
#ifndef BERTH_SYSCALL_SW_H
#define BERTH_SYSCALL_SW_H

enum berth_trap_number {
	/* never valid: an empty frame asks for nothing */
	BERTH_TRAP_NONE = 0,

	/*
	 * args: option, send_size, rcv_size, rcv_name, timeout (ms), priority,
	 *       address of the receive buffer (a number; guards use it), sync-send name
	 * in:   the message, see struct trap_frame
	 * values: see enum berth_msg_value
	 */
	BERTH_TRAP_MSG = 1,

	/* args: enum berth_reply_port_flags.  values: name (0: none could be made) */
	BERTH_TRAP_REPLY_PORT,
	/* values: name, with one more user reference */
	BERTH_TRAP_TASK_SELF,
	BERTH_TRAP_THREAD_SELF,
	BERTH_TRAP_HOST_SELF,
	/* args: enum berth_reply_port_flags.  values: name (0: none) */
	BERTH_TRAP_GET_SPECIAL_REPLY_PORT,

	/* args: task, right.  values: name */
	BERTH_TRAP_PORT_ALLOCATE = 16,
	/* args: task, right, name */
	BERTH_TRAP_PORT_ALLOCATE_NAME,
	/* args: task, right, wanted name, qos flags (1 name, 2 prealloc), qos len.  values: name */
	BERTH_TRAP_PORT_ALLOCATE_FULL,
	/* args: task, flags, qlimit, context.  values: name */
	BERTH_TRAP_PORT_CONSTRUCT,
	/* args: task, name, srdelta, guard */
	BERTH_TRAP_PORT_DESTRUCT,
	/* args: task, name */
	BERTH_TRAP_PORT_DESTROY,
	BERTH_TRAP_PORT_DEALLOCATE,
	/* args: task, name, right.  values: refs */
	BERTH_TRAP_PORT_GET_REFS,
	/* args: task, name, right, delta */
	BERTH_TRAP_PORT_MOD_REFS,
	/* args: task, name, poly, disposition */
	BERTH_TRAP_PORT_INSERT_RIGHT,
	/* args: task, name, disposition.  values: poly, disposition as received */
	BERTH_TRAP_PORT_EXTRACT_RIGHT,
	/* args: task, name, set */
	BERTH_TRAP_PORT_INSERT_MEMBER,
	BERTH_TRAP_PORT_EXTRACT_MEMBER,
	/* args: task, name, set or 0 */
	BERTH_TRAP_PORT_MOVE_MEMBER,
	/* args: task, name.  bytes: names (u32 each).  values: count */
	BERTH_TRAP_PORT_GET_SET_STATUS,
	/* args: task, name, msgid, sync, notify, disposition.  values: previous */
	BERTH_TRAP_PORT_REQUEST_NOTIFICATION,
	/* args: task, name, flavor, count.  bytes: info (u32 each).  values: count */
	BERTH_TRAP_PORT_GET_ATTRIBUTES,
	/* args: task, name, flavor, count.  in: info (u32 each) */
	BERTH_TRAP_PORT_SET_ATTRIBUTES,
	BERTH_TRAP_PORT_ASSERT_ATTRIBUTES,
	/* args: task, name.  values: context */
	BERTH_TRAP_PORT_GET_CONTEXT,
	/* args: task, name, context */
	BERTH_TRAP_PORT_SET_CONTEXT,
	/* args: task, name, guard, flags (MPG_*) */
	BERTH_TRAP_PORT_GUARD,
	/* args: task, name, guard */
	BERTH_TRAP_PORT_UNGUARD,
	/* args: task, name, old, new */
	BERTH_TRAP_PORT_SWAP_GUARD,
	/* args: task, name, value */
	BERTH_TRAP_PORT_SET_MSCOUNT,
	BERTH_TRAP_PORT_SET_SEQNO,
	/* args: task, name.  values: srights */
	BERTH_TRAP_PORT_GET_SRIGHTS,
	/* args: task, name, trailer type, seqno, capacity (bytes).
	 * values: seqno, size, id, trailer size.  bytes: trailer */
	BERTH_TRAP_PORT_PEEK,
	/* args: task.  bytes: count names, then count types (u32 each).  values: count */
	BERTH_TRAP_PORT_NAMES,
	/* args: task, name.  values: type */
	BERTH_TRAP_PORT_TYPE,
	/* args: task, name.  values: object type, object address (0).  bytes: description text */
	BERTH_TRAP_PORT_KOBJECT,
	/* args: task.  values: table size, next size, in use.  bytes: ipc_info_name_t each */
	BERTH_TRAP_PORT_SPACE_INFO,
	/* args: task, name.  values: total, used */
	BERTH_TRAP_PORT_DNREQUEST_INFO,

	/* args: task, which.  values: name */
	BERTH_TRAP_TASK_GET_SPECIAL_PORT = 64,
	/* args: task, which, name (its send right is copied) */
	BERTH_TRAP_TASK_SET_SPECIAL_PORT,
	/* args: task, count, name, name, name (send rights are copied) */
	BERTH_TRAP_PORTS_REGISTER,
	/* args: task.  values: three names */
	BERTH_TRAP_PORTS_LOOKUP,
	/* args: name.  values: 1 if it names the caller's own task */
	BERTH_TRAP_TASK_IS_SELF,
	/* args: task.  values: pid */
	BERTH_TRAP_PID_FOR_TASK,

	/* args: semaphore.  Semantics: mach-kobjects.md §6 */
	BERTH_TRAP_SEMAPHORE_SIGNAL = 80,
	BERTH_TRAP_SEMAPHORE_SIGNAL_ALL,
	/* args: semaphore, thread or 0 */
	BERTH_TRAP_SEMAPHORE_SIGNAL_THREAD,
	/* args: semaphore.  This one and the next ones may block */
	BERTH_TRAP_SEMAPHORE_WAIT,
	/* args: semaphore, seconds, nanoseconds */
	BERTH_TRAP_SEMAPHORE_TIMEDWAIT,
	/* args: semaphore to wait for, semaphore to signal */
	BERTH_TRAP_SEMAPHORE_WAIT_SIGNAL,
	/* args: the same, seconds, nanoseconds */
	BERTH_TRAP_SEMAPHORE_TIMEDWAIT_SIGNAL,

	/* args: name of a receive right or set.  The host hands back a descriptor. */
	BERTH_TRAP_PORT_WATCH = 96,

	/* in: name.  values: control id.  Codes of this and the next ones: an errno of Linux.
	 * kernel-control.md §4.2 */
	BERTH_TRAP_CTL_INFO = 112,
	/* values: registered controls */
	BERTH_TRAP_CTL_COUNT,
	/* args: id, unit.  values: host id, flags (CTL_FLAG_*).  ENOENT: kernel-control.md §5.1,
	 * row 8 */
	BERTH_TRAP_CTL_FIND,
	/* values: the id that the last kernel event got */
	BERTH_TRAP_KEV_ID,
	/* in: vendor string.  values: code.  ENOENT: kernel-event.md §2.1 */
	BERTH_TRAP_KEV_VENDOR,
	/* bytes: struct kevtstat, then struct kctlstat without what kexthosts count */
	BERTH_TRAP_SYSTEM_STATISTICS,

	/* Timers, in the caller's own space.  Times are those of mach_absolute_time().
	 * mach-kobjects.md §5.1.  values: name of the receive right */
	BERTH_TRAP_MK_TIMER_CREATE = 128,
	/* args: name */
	BERTH_TRAP_MK_TIMER_DESTROY,
	/* args: name, time */
	BERTH_TRAP_MK_TIMER_ARM,
	/* args: name, flags, time, leeway */
	BERTH_TRAP_MK_TIMER_ARM_LEEWAY,
	/* args: name.  values: the time that was set, 0 for none */
	BERTH_TRAP_MK_TIMER_CANCEL,

	/* args: host.  in: recipes.  values: name, 0 for no recipe.  mach-kobjects.md §10 */
	BERTH_TRAP_HOST_CREATE_MACH_VOUCHER = 136,
	/* args: voucher, key, room (bytes).  bytes: the recipe.  values: its size */
	BERTH_TRAP_MACH_VOUCHER_EXTRACT_ATTR_RECIPE,

	/* The host takes the descriptor that comes along.  values: name of a send right.
	 * mach-kobjects.md §11 */
	BERTH_TRAP_FILEPORT_MAKE = 144,
	/* args: fileport.  The host hands back a descriptor. */
	BERTH_TRAP_FILEPORT_OPEN,

	/* in: x86_thread_state64_t, x86_exception_state64_t: what the calling thread lets others
	 * read and change until it takes it back.  mach-kobjects.md §9 */
	BERTH_TRAP_THREAD_STATE_OFFER = 152,
	/* bytes: the same, as it is now */
	BERTH_TRAP_THREAD_STATE_WITHDRAW,

	/* Other tasks.  The host finds the one of args[0], a pid, and decides whether the caller
	 * may have it.  For its control port the caller shows the file of its memory, open for
	 * reading and writing.  values: name of a send right.  mach-kobjects.md §3 */
	BERTH_TRAP_TASK_FOR_PID = 176,
	BERTH_TRAP_TASK_NAME_FOR_PID,
	/* args: task or its name port.  values: enum berth_task_value.  bytes: audit_token_t */
	BERTH_TRAP_TASK_PROCESS,
	/* args: task.  bytes: a name (u32) for each thread.  values: count */
	BERTH_TRAP_TASK_THREADS,
	/* args: thread.  values: enum berth_task_value, with BERTH_TASK_THREAD */
	BERTH_TRAP_THREAD_PROCESS,
	/* args: task.  Counts; who asks stops the process, and lets it go, when the count says so.
	 * values: the new count */
	BERTH_TRAP_TASK_SUSPEND,
	BERTH_TRAP_TASK_RESUME,
	/* args: task.  The same, but what counts is a token, and the host lets the process go when
	 * it ends, however it does.  values: name of the token, a send-once right */
	BERTH_TRAP_TASK_SUSPEND2,

	/* Memory entries.  The host takes the memory that comes along.  args: offset and size in
	 * it, protection, where the data begins in the range.  values: name of a send right.
	 * mach-kobjects.md §8 */
	BERTH_TRAP_MEMORY_ENTRY_MAKE = 192,
	/* args: entry.  values: enum berth_memory_entry_value.  The host hands back a descriptor.
	 */
	BERTH_TRAP_MEMORY_ENTRY_OPEN,

	/* Control of clocks, for root: it says which clock is meant, and is no power to set it,
	 * which Linux alone gives.  args: host, clock id.  values: name of a send right.
	 * mach-kobjects.md §5 */
	BERTH_TRAP_HOST_GET_CLOCK_CONTROL,
	/* args: clock control.  values: clock id */
	BERTH_TRAP_CLOCK_CONTROL_ID,

	/* Single threads.  The kernel counts and ends waits in it; who asks sends the thread the
	 * signal that has it ask for BERTH_TRAP_THREAD_HOLD.  mach-kobjects.md §7.
	 * args: thread, 0.  values: the new count.  Then, when it has the signal, thread, 1: blocks
	 * until it has stopped.  KERN_ABORTED: ask again */
	BERTH_TRAP_THREAD_SUSPEND = 200,
	/* args: thread.  values: the new count */
	BERTH_TRAP_THREAD_RESUME,
	/* args: thread.  values: 1 if it waited in the kernel, and does not any more */
	BERTH_TRAP_THREAD_ABORT,
	/* args: thread, 0; then, when it has the signal, thread, 1: what it waits for ends */
	BERTH_TRAP_THREAD_TERMINATE,
	/* Blocks the calling thread while it is suspended.  KERN_TERMINATED: it is to end.
	 * in: nothing, or what BERTH_TRAP_THREAD_STATE_OFFER takes.  bytes: the same, as it is now;
	 * none if it did not block.  values: 1 if it was aborted since it asked last */
	BERTH_TRAP_THREAD_HOLD,
	/* args: exception type.  values: name of a send right, behavior, flavor.  KERN_FAILURE:
	 * none was set for the host.  mach-kobjects.md §9 */
	BERTH_TRAP_HOST_EXCEPTION_PORT,

	/*
	 * Lanes (wire/mach_lane.h).  The host brings the memory for the first and the third, and
	 * hands back the descriptor of memory for the first four.  KERN_NOT_SUPPORTED: not now.
	 *
	 * The caller's table, which is made once.
	 */
	BERTH_TRAP_LANE_BEGIN = 216,
	/* args: lane.  The gates of its receiver; BERTH_LANE_OWN: the caller's */
	BERTH_TRAP_LANE_GATES,
	/* args: name of a send right.  values: lane */
	BERTH_TRAP_LANE_OPEN,
	/* values: lane, one that leads to the caller and that it has not got yet.  KERN_FAILURE:
	 * there is none */
	BERTH_TRAP_LANE_ACCEPT,
	/* args: lane, name of a receive right.  values: binding, port of the table, its
	 * incarnation */
	BERTH_TRAP_LANE_BIND,
	/* args: lane */
	BERTH_TRAP_LANE_CLOSE,

	/*
	 * Where to put the memory of a message (wire/trap_page.h).  The host alone answers it.
	 * args: name of a send right, bytes, carriers that were given and are not used (bits).
	 * values: enum berth_carrier, number
	 */
	BERTH_TRAP_CARRIER_FIND = 224,

	BERTH_TRAP_LIMIT
};

/*
 * What a trap with a task argument says when the name is a send right, but the port is no kernel
 * object: a task receives there.  The library then makes the call by message, as it would for
 * any object that the kernel does not serve.  No other code has this value.
 */
#define BERTH_TRAP_BY_MESSAGE 0x62657274

/* values of BERTH_TRAP_MSG: what the library must do with the buffers */
enum berth_msg_value {
	BERTH_MSG_BUFFER = 0, /* 0 none; 1 the receive buffer is to be written; 2 the send buffer */
	BERTH_MSG_CAPTURED = 1, /* descriptors captured: their `deallocate` memory may go */
	BERTH_MSG_PREFIX = 2,   /* bytes of the message that come first in the stream */
	BERTH_MSG_TAIL = 3,     /* bytes of the message that lie in the tail piece */
	BERTH_MSG_TRAILER = 4,  /* bytes of trailer, in the stream right behind the prefix */
	/* BERTH_MSG_BUFFER_LARGE only: what goes to msgh_size and msgh_local_port; 0: untouched */
	BERTH_MSG_NEEDED = 3,
	BERTH_MSG_IDENTITY = 4,
	BERTH_MSG_SENT = 5 /* 1 once the send half is done: a retry must not send again */
};

enum berth_msg_buffer {
	BERTH_MSG_BUFFER_NONE = 0,
	BERTH_MSG_BUFFER_RECEIVE = 1,
	BERTH_MSG_BUFFER_SEND = 2,
	BERTH_MSG_BUFFER_LARGE = 3 /* MACH_RCV_LARGE: only two fields of the receive buffer */
};

/* values of BERTH_TRAP_TASK_PROCESS and _THREAD_PROCESS: which process of Linux a task is */
enum berth_task_value {
	BERTH_TASK_PID = 0,
	BERTH_TASK_BIRTH = 1,      /* starttime of proc(5), so that a pid used again is noticed; 0:
				      unknown */
	BERTH_TASK_IS_CONTROL = 2, /* 1: the port is the control port; 0: the name port */
	BERTH_TASK_SUSPEND_COUNT = 3,
	/* _THREAD_PROCESS only: 1: it waits in the kernel, and runs nothing of the program's */
	BERTH_TASK_THREAD_WAITS = 2,
	BERTH_TASK_THREAD = 4, /* its number in Linux, as the task says it; 0: unknown */
	BERTH_TASK_THREAD_SUSPEND_COUNT = 5
};

/* values of BERTH_TRAP_MEMORY_ENTRY_OPEN: as they were given when the entry was made */
enum berth_memory_entry_value {
	BERTH_MEMORY_ENTRY_OFFSET = 0,
	BERTH_MEMORY_ENTRY_SIZE = 1,
	BERTH_MEMORY_ENTRY_PROTECTION = 2,
	BERTH_MEMORY_ENTRY_DATA = 3
};

/* values of BERTH_TRAP_CARRIER_FIND: what the caller may do for its next message */
enum berth_carrier {
	BERTH_CARRIER_NONE = 0, /* a memfd of the message's own */
	BERTH_CARRIER_USE = 1,  /* send by that carrier */
	BERTH_CARRIER_MAKE = 2  /* hand over a new one, which gets that number */
};

#define BERTH_LANE_OWN 0xffffffffu

/* BERTH_TRAP_REPLY_PORT, BERTH_TRAP_GET_SPECIAL_REPLY_PORT */
enum berth_reply_port_flags {
	BERTH_REPLY_PORT_KEPT = 1 /* kept by the library for its thread: no leak of the program's */
};

/*
 * What a name was that a guard exception is about: MACH_PORT_TYPE_* of the rights that it had,
 * or, as these are bits from 16 on, one of these.
 */
enum berth_guard_name {
	BERTH_GUARD_NAME_NEVER = 1,   /* not held, and nothing tells that it was */
	BERTH_GUARD_NAME_GONE = 2,    /* held once, and given back */
	BERTH_GUARD_NAME_NO_NAME = 3, /* MACH_PORT_NULL or MACH_PORT_DEAD */
	BERTH_GUARD_NAME_FREE = 4     /* not held, nor must it be: a right was to get this name */
};

/* Names that every task starts with, so that the library knows them before it attaches. */
#define BERTH_NAME_TASK_SELF 0x103u
#define BERTH_NAME_BOOTSTRAP 0x203u

#endif
