/*
 * A lane, its sender, its receiver and a kernel that looks: every interleaving.
 *
 * Messages come once and in order, whether by the ring or by the kernel, and nobody sleeps for
 * ever: spin finds an assertion that fails, or a state in which nobody can go on.
 *
 * What stands here for wire/mach_lane.h: a word is position, shut and epoch, moved by one
 * compare-and-exchange.  Step for step as client/mach_lane_send.c, client/mach_lane_receive.c and
 * kernel/ipc/ipc_lane.c; a step of the kernel is not atomic for the other two.
 *
 * Mutations, each of which must fail (tests/lanes/spin.py): what it shows stands where it is.
 */
#ifndef MESSAGES
#define MESSAGES 2
#define LOOKS 1
#define ROOM 1 /* messages in the ring */
#endif

typedef word_t { byte position; bool shut; byte epoch };

word_t tail, head;
byte ring[8];
chan queue = [4] of { byte }; /* the port's, in the kernel */
bool has_messages, looks;     /* the receiver's word: HAS_MESSAGES, IS_SHUT */
byte word_count;              /* … and how often it was told something */
bool task_sleeps;
byte receiver_sleeps, sender_sleeps; /* the number of the sleep; 0: awake */
bool receiver_in_futex, sender_in_futex;
bool kernel_busy; /* one step at a time */
/* who has parked in the kernel on the port that answers go to; an answer by the lane is lost to
   him.  The sender puts nothing in that would be answered by the lane while he is there. */
bool is_parked, reply_shut;
byte by_lane_to_parked;

inline same(a, b, yes) { yes = a.position == b.position && a.shut == b.shut && a.epoch == b.epoch }

inline copy(to, from) { d_step { to.position = from.position; to.shut = from.shut; to.epoch = from.epoch } }

/* NO_NUMBER_OF_SLEEP shows a peer who takes back what was said of the next sleep, and wakes nobody
 * then. */
inline next_sleep(sleep)
{
#ifndef NO_NUMBER_OF_SLEEP
	sleep++
#else
	sleep = 1
#endif
}

/* lane_wake(): who has woken the other one says so.  NO_LOOK_WHO_WAS_WOKEN shows one who had said
 * that he sleeps, but did not yet. */
inline wake_peer(sleeps, in_futex, seen, yes)
{
	seen = sleeps;
	if
	:: seen != 0 ->
		d_step {
#ifndef NO_LOOK_WHO_WAS_WOKEN
			yes = in_futex;
#else
			yes = true;
#endif
			in_futex = false
		}
		if
		:: yes ->
			d_step {
				if
				:: sleeps == seen -> sleeps = 0
				:: else
				fi
			}
		:: else
		fi
	:: else
	fi
}

/* ---- the kernel ---- */

inline kernel_begin()
{
	looks = true; /* gate_mark(): what answers need, which have no epoch; hammer.c shows it */
	tail.shut = true;
	head.shut = true;
	do
	:: head.position != tail.position ->
		queue ! ring[head.position];
		head.position++
	:: else -> break
	od
}

inline kernel_end()
{
	d_step {
		looks = false;
		has_messages = nempty(queue);
		word_count = (has_messages -> word_count + 1 : word_count)
	}
	if
	:: has_messages && task_sleeps -> receiver_in_futex = false
	:: else
	fi;
	if
	:: sender_sleeps != 0 -> sender_in_futex = false
	:: else
	fi;
	/* NO_EPOCH shows a request that was put in although its answer must not come by the lane */
	d_step {
		head.shut = false;
#ifndef NO_EPOCH
		head.epoch++
#endif
	}
	d_step {
		tail.shut = false;
#ifndef NO_EPOCH
		tail.epoch++
#endif
	}
	kernel_busy = false
}

/* Somebody looks at the port; and a thread of the sender's parks for an answer. */
proctype Kernel()
{
	byte i;

	do
	:: i == LOOKS -> break
	:: else ->
		atomic { !kernel_busy -> kernel_busy = true }
		kernel_begin();
		if
		:: reply_shut = true; is_parked = true
		:: skip
		fi;
		kernel_end();
		i++
	od
}

/* ---- the sender ---- */

proctype Sender()
{
	byte id = 1, sleep, flag;
	word_t t, h;
	bool yes;

	do
	:: id > MESSAGES -> break
	:: else ->
		copy(t, tail);
		copy(h, head);
		if
		:: t.shut || reply_shut -> goto by_kernel
		:: t.position - h.position >= ROOM -> goto is_full
		:: else
		fi;
		ring[t.position] = id;
		atomic {
			same(tail, t, yes);
			if
			:: yes ->
				tail.position++;
				/* who had parked by then is told nothing by a lane */
				assert(!is_parked)
			:: else
			fi
		}
		if
		:: !yes -> goto by_kernel
		:: else
		fi;
#ifndef NO_WAKE_RECEIVER /* it sleeps for ever */
		wake_peer(receiver_sleeps, receiver_in_futex, flag, yes);
#endif
		id++;
		goto next;
	is_full:
		next_sleep(sleep);
		sender_sleeps = sleep;
		atomic { /* futex: unless it has moved by now */
			if
#ifndef NO_SECOND_LOOK_OF_SENDER /* room that came before it said that it sleeps wakes nobody */
			:: head.position != h.position || head.shut != h.shut
#else
			:: false
#endif
			:: else -> sender_in_futex = true
			fi
		}
		!sender_in_futex;
		sender_sleeps = 0;
		goto next;
	by_kernel:
		atomic { !kernel_busy -> kernel_busy = true }
		kernel_begin();
		queue ! id;
		id++;
		kernel_end();
	next:
		skip
	od
}

/* ---- the receiver ---- */

proctype Receiver()
{
	byte expected = 1, id, count, seen, sleep, flag;
	word_t t, h;
	bool yes, told;

	do
	:: expected > MESSAGES -> break
	:: else ->
		d_step { told = has_messages || looks; count = word_count }
		if
		:: told -> goto by_kernel
		:: else
		fi;
		copy(h, head);
		copy(t, tail);
		/* the word once more; NO_SECOND_LOOK_AT_WORD shows a message that overtakes one
		   which the kernel has taken over */
		if
#ifndef NO_SECOND_LOOK_AT_WORD
		:: has_messages || looks || word_count != count -> goto next
#endif
		:: else
		fi;
		if
		:: h.shut || t.shut -> goto by_kernel
		:: h.position == t.position -> goto is_empty
		:: else
		fi;
		id = ring[h.position];
		atomic {
			same(head, h, yes);
			if
			:: yes -> head.position++
			:: else
			fi
		}
		if
		:: !yes -> goto by_kernel
		:: else
		fi;
		assert(id == expected);
		expected++;
		wake_peer(sender_sleeps, sender_in_futex, flag, yes);
		goto next;
	is_empty:
		next_sleep(sleep);
		task_sleeps = true;
		receiver_sleeps = sleep;
		seen = tail.position; /* what the futex is on, and the word */
		/* NO_SECOND_LOOK_OF_RECEIVER: what came before it said that it sleeps wakes nobody */
		if
#ifndef NO_SECOND_LOOK_OF_RECEIVER
		:: head.position != seen || has_messages || word_count != count
#else
		:: false
#endif
		:: else ->
			atomic {
				if
				:: tail.position == seen && word_count == count -> receiver_in_futex = true
				:: else
				fi
			}
			!receiver_in_futex
		fi;
		task_sleeps = false;
		receiver_sleeps = 0;
		goto next;
	by_kernel: /* who finds nothing there waits in the kernel, which is to look again */
		if
		:: atomic { !kernel_busy && nempty(queue) -> kernel_busy = true }
			kernel_begin();
			queue ? id;
			assert(id == expected);
			expected++;
			kernel_end()
		:: !kernel_busy && empty(queue)
		fi;
	next:
		skip
	od
}

init {
	atomic { run Sender(); run Receiver(); run Kernel() }
}
