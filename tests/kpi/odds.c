/*
 * Variables, the memory of programs, atomics, clocks, chance, and who the running kext is.
 */
#include "tests/kpi/support.h"

#include "kexts/host/call.h"
#include "kexts/host/kext_identity.h"
#include "kexts/host/sysctl.h"

#include <IOKit/IOLib.h>
#include <kern/clock.h>
#include <libkern/OSAtomic.h>
#include <libkern/OSKextLib.h>
#include <libkern/OSReturn.h>
#include <mach/kmod.h>
#include <sys/kauth.h>
#include <sys/queue.h>
#include <sys/sysctl.h>
#include <sys/systm.h>

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- sysctl ----------------------------------------------------------------------------- */

static int number = 5;
static long long quad = 1LL << 40;
static long a_long = -7;
static char text[8] = "text";
static struct {
	int a, b;
} pair = { 1, 2 };
static int handled;

static int handle_double SYSCTL_HANDLER_ARGS
{
	int value = *(int *)arg1 * 2, changed = 0;
	int error = sysctl_io_number(req, value, sizeof(value), &value, &changed);

	handled++;
	if (changed)
		*(int *)arg1 = value / 2;
	return error;
}

static SYSCTL_NODE(_debug, OID_AUTO, mine, CTLFLAG_RW | CTLFLAG_LOCKED, NULL, "of the test");
static SYSCTL_INT(_debug_mine, OID_AUTO, number, CTLFLAG_RW, &number, 0, "a number");
static SYSCTL_INT(_debug_mine, OID_AUTO, fixed, CTLFLAG_RD, NULL, 77, "a constant");
static SYSCTL_INT(_debug_mine, OID_AUTO, open, CTLFLAG_RW | CTLFLAG_ANYBODY, &number, 0, "");
static SYSCTL_QUAD(_debug_mine, OID_AUTO, quad, CTLFLAG_RD, &quad, "");
static SYSCTL_LONG(_debug_mine, OID_AUTO, along, CTLFLAG_RW, &a_long, "");
static SYSCTL_STRING(_debug_mine, OID_AUTO, text, CTLFLAG_RW, text, sizeof(text), "");
static SYSCTL_OPAQUE(_debug_mine, OID_AUTO, pair, CTLFLAG_RW, &pair, sizeof(pair), "S,pair", "");
static SYSCTL_PROC(_debug_mine, OID_AUTO, twice, CTLTYPE_INT | CTLFLAG_RW, &number, 0,
		   handle_double, "I", "");

static struct sysctl_oid *const oids[] = {
	&sysctl__debug_mine,      &sysctl__debug_mine_number, &sysctl__debug_mine_fixed,
	&sysctl__debug_mine_open, &sysctl__debug_mine_quad,   &sysctl__debug_mine_along,
	&sysctl__debug_mine_text, &sysctl__debug_mine_pair,   &sysctl__debug_mine_twice,
};

static int
read_int(const char *name)
{
	int value = -1;
	size_t size = sizeof(value);

	assert_int_equal(sysctl_request(name, &value, &size, NULL, 0), 0);
	assert_int_equal(size, sizeof(value));
	return value;
}

static int
write_int(const char *name, int value)
{
	return sysctl_request(name, NULL, NULL, &value, sizeof(value));
}

static void
note_name(const char *name, const char *format, void *context)
{
	char *names = context;

	if (strncmp(name, "debug.mine.", 11) == 0) {
		strlcat(names, name + 11, 256);
		strlcat(names, "=", 256);
		strlcat(names, format, 256);
		strlcat(names, " ", 256);
	}
}

static void
published_variables_are_read_and_written(void **state)
{
	char buffer[32];
	size_t size;

	for (size_t i = 0; i < COUNT_OF(oids); i++)
		sysctl_register_oid(oids[i]);
	assert_int_equal(read_int("debug.mine.number"), 5);
	assert_int_equal(read_int("debug.mine.fixed"), 77);
	assert_int_equal(write_int("debug.mine.number", 9), 0);
	assert_int_equal(number, 9);
	assert_int_equal(read_int("debug.mine.twice"), 18);
	assert_int_equal(write_int("debug.mine.twice", 40), 0);
	assert_int_equal(number, 20);
	assert_int_equal(handled, 2);
	assert_int_equal(write_int("debug.mine.fixed", 1), EPERM);

	size = sizeof(buffer);
	assert_int_equal(sysctl_request("debug.mine.quad", buffer, &size, NULL, 0), 0);
	assert_int_equal(size, 8);
	assert_memory_equal(buffer, &quad, 8);
	long other = 13;
	assert_int_equal(sysctl_request("debug.mine.along", NULL, NULL, &other, sizeof(other)), 0);
	assert_int_equal(a_long, 13);
	const int both[] = { 3, 4 };
	assert_int_equal(sysctl_request("debug.mine.pair", NULL, NULL, both, sizeof(both)), 0);
	assert_int_equal(pair.b, 4);

	size = sizeof(buffer);
	assert_int_equal(sysctl_request("debug.mine.text", buffer, &size, "others", 6), 0);
	assert_int_equal(size, 5);
	assert_string_equal(buffer, "text");
	assert_string_equal(text, "others");
	size = 0;
	assert_int_equal(sysctl_request("debug.mine.text", NULL, &size, NULL, 0), 0);
	assert_int_equal(size, 7);

	char names[256] = "";
	sysctl_each(note_name, names);
	assert_non_null(strstr(names, "number=I "));
	assert_non_null(strstr(names, "text=A "));
	assert_non_null(strstr(names, "quad=Q "));
}

static void
requests_that_make_no_sense_are_refused_and_change_nothing(void **state)
{
	struct host_call call = { .caller = { .pid = 1, .euid = 5 } };
	char buffer[4];
	size_t size = 2;

	number = 5;
	assert_int_equal(sysctl_request("debug.mine.nothing", NULL, NULL, NULL, 0), ENOENT);
	assert_int_equal(sysctl_request("debug.mine.number.x", NULL, NULL, NULL, 0), ENOENT);
	assert_int_equal(sysctl_request("", NULL, NULL, NULL, 0), ENOENT);
	assert_int_equal(sysctl_request("debug.mine", NULL, NULL, NULL, 0), EISDIR);
	assert_int_equal(sysctl_request("debug.mine.number", buffer, &size, NULL, 0), ENOMEM);
	assert_int_equal(sysctl_request("debug.mine.number", NULL, NULL, "ab", 2), EINVAL);
	assert_int_equal(sysctl_request("debug.mine.number", NULL, NULL, "abcdefgh", 8), EINVAL);
	assert_int_equal(sysctl_request("debug.mine.text", NULL, NULL, "12345678", 8), EINVAL);
	assert_string_equal(text, "others");
	host_call_set_current(&call); /* not root */
	assert_int_equal(write_int("debug.mine.number", 1), EPERM);
	assert_int_equal(number, 5);
	assert_int_equal(write_int("debug.mine.open", 6), 0);
	assert_int_equal(number, 6);
	host_call_set_current(NULL);
}

static void
a_variable_is_there_once_and_goes_when_taken_back(void **state)
{
	struct sysctl_oid again = sysctl__debug_mine_number;

	again.oid_arg1 = &handled;
	log_take();
	sysctl_register_oid(&again);
	assert_non_null(strstr(log_taken(), "there is a variable number already"));
	sysctl_unregister_oid(&again); /* never was there */
	assert_int_equal(read_int("debug.mine.number"), number);
	for (size_t i = COUNT_OF(oids); i > 0; i--)
		sysctl_unregister_oid(oids[i - 1]);
	assert_int_equal(sysctl_request("debug.mine.number", NULL, NULL, NULL, 0), ENOENT);
	sysctl_unregister_oid(oids[1]); /* twice is nothing */
}

static _Atomic bool inside, may_leave;

static int handle_slowly SYSCTL_HANDLER_ARGS
{
	atomic_store(&inside, true);
	while (!atomic_load(&may_leave))
		IOSleep(1);
	return sysctl_handle_int(oidp, arg1, arg2, req);
}

static SYSCTL_PROC(_debug, OID_AUTO, slow, CTLTYPE_INT | CTLFLAG_RW, &number, 0, handle_slowly, "I",
		   "");

static void
read_slowly(void *unused)
{
	(void)read_int("debug.slow");
}

static void
leave_soon(void *unused)
{
	IOSleep(20);
	atomic_store(&may_leave, true);
}

static void
unregistering_waits_for_the_handler(void **state)
{
	sysctl_register_oid(&sysctl__debug_slow);
	struct running *reader = thread_run_kpi(read_slowly, NULL);
	while (!atomic_load(&inside))
		IOSleep(1);
	struct running *leaver = thread_run_kpi(leave_soon, NULL);
	sysctl_unregister_oid(&sysctl__debug_slow);
	assert_true(atomic_load(&may_leave));
	thread_join(reader);
	thread_join(leaver);
}

/* ---- the memory of programs -------------------------------------------------------------------
 */

static char *theirs; /* two pages, the second of which is not there in the child */

static pid_t
child_with_memory(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int ends[2];
	char ready;

	theirs = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(theirs, MAP_FAILED);
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		memset(theirs, 'a', page);
		memcpy(theirs + 10, "a string", 9);
		memcpy(theirs + page - 4, "end", 4);
		munmap(theirs + page, page);
		if (write(ends[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ends[0], &ready, 1), 1);
	close(ends[0]);
	close(ends[1]);
	return child;
}

static void
copying_reaches_the_memory_of_the_caller(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), done = 99;
	pid_t child = child_with_memory();
	struct host_call call = { .caller = { .pid = child } };
	user_addr_t at = (user_addr_t)(uintptr_t)theirs;
	char ours[64];

	assert_int_equal(copyin(at, ours, 1), EFAULT); /* nobody has called */
	host_call_set_current(&call);
	assert_int_equal(copyin(at + 10, ours, 9), 0);
	assert_string_equal(ours, "a string");
	assert_int_equal(copyout("another.", at + 10, 9), 0);
	assert_int_equal(copyinstr(at + 10, ours, sizeof(ours), &done), 0);
	assert_string_equal(ours, "another.");
	assert_int_equal(done, 9);
	assert_int_equal(theirs[10], 0); /* only there */
	assert_int_equal(copyinstr(at + 10, ours, 4, &done), ENAMETOOLONG);
	assert_int_equal(done, 4);
	assert_int_equal(copyinstr(at + page - 4, ours, sizeof(ours), NULL), 0);
	assert_string_equal(ours, "end"); /* what lies beyond is not touched */
	assert_int_equal(copyin(at, ours, 0), 0);

	assert_int_equal(copyin(at + page, ours, 1), EFAULT);
	assert_int_equal(copyin(at + page - 4, ours, 8), EFAULT);
	assert_int_equal(copyin(0, ours, 8), EFAULT);
	assert_int_equal(copyin(UINT64_MAX - 3, ours, 8), EFAULT);
	assert_int_equal(copyout(ours, at + page, 1), EFAULT);
	assert_int_equal(copyinstr(at + page, ours, sizeof(ours), NULL), EFAULT);

	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(copyin(at, ours, 1), EFAULT);
	host_call_set_current(NULL);
	munmap(theirs, 2 * page);
}

/* ---- atomics ---------------------------------------------------------------------------- */

static void
atomics_give_the_value_before(void **state)
{
	SInt32 number32 = 5;
	SInt64 number64 = 1LL << 40;
	SInt16 number16 = -1;
	SInt8 number8 = 127;
	long a_long_number = 1;
	int64_t other64 = 3;

	assert_int_equal(OSAddAtomic(3, &number32), 5);
	assert_int_equal(OSIncrementAtomic(&number32), 8);
	assert_int_equal(OSDecrementAtomic(&number32), 9);
	assert_int_equal(number32, 8);
	assert_true(OSAddAtomic64(-1, &number64) == 1LL << 40 && number64 == (1LL << 40) - 1);
	assert_int_equal(OSIncrementAtomic64(&other64), 3);
	assert_int_equal(OSIncrementAtomic16(&number16), -1);
	assert_int_equal(number16, 0);
	assert_int_equal(OSIncrementAtomic8(&number8), 127);
	assert_int_equal(number8, -128);
	assert_int_equal(OSAddAtomicLong(4, &a_long_number), 1);
	assert_int_equal(OSDecrementAtomicLong(&a_long_number), 5);
	assert_int_equal(a_long_number, 4);

	UInt32 bits = 0xf0;
	UInt16 bits16 = 0xff00;
	UInt8 bits8 = 0x0f;
	assert_int_equal(OSBitOrAtomic(0x0f, &bits), 0xf0);
	assert_int_equal(OSBitAndAtomic(0x3c, &bits), 0xff);
	assert_int_equal(OSBitXorAtomic(0xff, &bits), 0x3c);
	assert_int_equal(bits, 0xc3);
	assert_int_equal(OSBitOrAtomic16(0xf, &bits16), 0xff00);
	assert_int_equal(OSBitAndAtomic16(0xf00f, &bits16), 0xff0f);
	assert_int_equal(OSBitXorAtomic16(0xffff, &bits16), 0xf00f);
	assert_int_equal(bits16, 0x0ff0);
	assert_int_equal(OSBitOrAtomic8(0x10, &bits8), 0x0f);
	assert_int_equal(OSBitAndAtomic8(0x11, &bits8), 0x1f);
	assert_int_equal(OSBitXorAtomic8(0x01, &bits8), 0x11);
	assert_int_equal(bits8, 0x10);
	OSMemoryBarrier();
	OSSynchronizeIO();
}

static void
compare_and_swap_says_whether_it_did(void **state)
{
	UInt32 value32 = 1;
	UInt64 value64 = 1ULL << 50;
	UInt8 value8 = 1;
	UInt16 value16 = 1;
	char *pointer = text;

	assert_false(OSCompareAndSwap(2, 3, &value32));
	assert_int_equal(value32, 1);
	assert_true(OSCompareAndSwap(1, 3, &value32));
	assert_int_equal(value32, 3);
	assert_true(OSCompareAndSwap64(1ULL << 50, 9, &value64));
	assert_false(OSCompareAndSwap64(1ULL << 50, 8, &value64));
	assert_true(value64 == 9);
	assert_true(OSCompareAndSwap8(1, 2, &value8) && value8 == 2);
	assert_true(OSCompareAndSwap16(1, 2, &value16) && value16 == 2);
	assert_true(OSCompareAndSwapPtr(text, NULL, &pointer));
	assert_false(OSCompareAndSwapPtr(text, NULL, &pointer));
	assert_null(pointer);
}

static void
bit_0_is_the_most_significant_of_the_first_byte(void **state)
{
	UInt8 bits[2] = { 0, 0 };

	assert_false(OSTestAndSet(0, bits)); /* was not set */
	assert_int_equal(bits[0], 0x80);
	assert_true(OSTestAndSet(0, bits));
	assert_false(OSTestAndSet(9, bits));
	assert_int_equal(bits[1], 0x40);
	assert_false(OSTestAndClear(9, bits)); /* was not clear */
	assert_true(OSTestAndClear(9, bits));
	assert_int_equal(bits[0], 0x80);
	assert_int_equal(bits[1], 0);
}

static SInt32 counted;

static void
count_atomically(void *unused)
{
	for (int i = 0; i < 20000; i++)
		(void)OSIncrementAtomic(&counted);
}

static void
atomics_are_atomic(void **state)
{
	run_many(4, count_atomically, NULL);
	assert_int_equal(counted, 80000);
}

/* ---- clocks ----------------------------------------------------------------------------- */

static void
clocks_go_forward_and_agree(void **state)
{
	uint64_t before = mach_absolute_time(), after, uptime, deadline, ns;
	struct timeval tv;
	struct timespec ts;
	clock_sec_t secs;
	clock_usec_t usecs;

	IOSleep(2);
	IODelay(200);
	IOPause(100);
	after = mach_absolute_time();
	assert_true(after - before >= 2200000);
	clock_get_uptime(&uptime);
	assert_true(uptime >= after && mach_continuous_time() >= after);
	microuptime(&tv);
	assert_true((uint64_t)tv.tv_sec * 1000000 + (uint64_t)tv.tv_usec >= after / 1000);
	nanouptime(&ts);
	assert_true((uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec >= after);
	time_t now = time(NULL);
	microtime(&tv);
	nanotime(&ts);
	clock_get_calendar_microtime(&secs, &usecs);
	assert_true(tv.tv_sec >= now && ts.tv_sec >= now && (time_t)secs >= now);
	assert_true(usecs < 1000000);
	getmicrotime(&tv);
	getnanotime(&ts);
	getmicrouptime(&tv);
	getnanouptime(&ts);
	clock_get_system_microtime(&secs, &usecs);
	assert_true(secs >= after / 1000000000);

	clock_interval_to_deadline(3, kSecondScale, &deadline);
	assert_true(deadline >= after + 3000000000u);
	clock_interval_to_absolutetime_interval(UINT32_MAX, UINT32_MAX, &ns);
	assert_true(ns == (uint64_t)UINT32_MAX * UINT32_MAX);
	clock_absolutetime_interval_to_deadline(UINT64_MAX, &deadline);
	assert_true(deadline == UINT64_MAX);
	absolutetime_to_nanoseconds(123, &ns);
	assert_int_equal(ns, 123);
	nanoseconds_to_absolutetime(456, &ns);
	assert_int_equal(ns, 456);
	absolutetime_to_microtime(1500000000, &secs, &usecs);
	assert_int_equal(secs, 1);
	assert_int_equal(usecs, 500000);
	clock_delay_until(mach_absolute_time() + 1000);
	assert_int_equal(kMillisecondScale, NSEC_PER_MSEC);
}

/* ---- chance, checksums, lists ------------------------------------------------------------------
 */

static void
random_bytes_are_not_all_the_same(void **state)
{
	unsigned char a[64] = { 0 }, b[64] = { 0 };
	long ored = 0;

	read_random(a, sizeof(a));
	read_frandom(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	for (int i = 0; i < 200; i++) {
		long value = random();

		assert_true(value >= 0 && value <= INT32_MAX);
		ored |= value;
	}
	assert_true(ored > INT32_MAX / 2);
	assert_int_equal(crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32(crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
	assert_int_equal(crc32(0, "", 0), 0);
	assert_int_equal(min(3, 4), 3);
	assert_int_equal(max(3, 4), 4);
	assert_int_equal(imin(-3, 4), -3);
	assert_int_equal(lmax(-3, -4), -3);
}

struct element {
	int number;
	TAILQ_ENTRY(element) tail_link;
	LIST_ENTRY(element) list_link;
	SLIST_ENTRY(element) slist_link;
	STAILQ_ENTRY(element) stail_link;
};

static void
safe_loops_may_free_what_they_are_at(void **state)
{
	TAILQ_HEAD(tail_head, element) tail = TAILQ_HEAD_INITIALIZER(tail);
	LIST_HEAD(, element) list = LIST_HEAD_INITIALIZER(list);
	SLIST_HEAD(, element) slist = SLIST_HEAD_INITIALIZER(slist);
	STAILQ_HEAD(, element) stail = STAILQ_HEAD_INITIALIZER(stail);
	struct element *element, *next;
	int sum = 0;

	for (int i = 0; i < 10; i++) {
		element = calloc(1, sizeof(*element));
		element->number = i;
		TAILQ_INSERT_TAIL(&tail, element, tail_link);
		LIST_INSERT_HEAD(&list, element, list_link);
		SLIST_INSERT_HEAD(&slist, element, slist_link);
		STAILQ_INSERT_TAIL(&stail, element, stail_link);
	}
	assert_int_equal(STAILQ_LAST(&stail, element, stail_link)->number, 9);
	LIST_FOREACH_SAFE(element, &list, list_link, next)
	LIST_REMOVE(element, list_link);
	SLIST_FOREACH_SAFE(element, &slist, slist_link, next)
	SLIST_REMOVE(&slist, element, element, slist_link);
	STAILQ_FOREACH_SAFE(element, &stail, stail_link, next)
	STAILQ_REMOVE(&stail, element, element, stail_link);
	TAILQ_FOREACH_REVERSE_SAFE(element, &tail, tail_head, tail_link, next)
	{
		sum += element->number;
		if (element->number % 2 == 0) {
			TAILQ_REMOVE(&tail, element, tail_link);
			free(element);
		}
	}
	TAILQ_FOREACH_SAFE(element, &tail, tail_link, next)
	{
		sum += element->number;
		TAILQ_REMOVE(&tail, element, tail_link);
		free(element);
	}
	assert_int_equal(sum, 45 + 25);
	assert_true(TAILQ_EMPTY(&tail) && LIST_EMPTY(&list) && SLIST_EMPTY(&slist));
	assert_true(STAILQ_EMPTY(&stail));
}

/* ---- kexts ------------------------------------------------------------------------------- */

static kern_return_t
test_start(kmod_info_t *ki, void *data)
{
	return KMOD_RETURN_SUCCESS;
}

static kern_return_t
test_stop(kmod_info_t *ki, void *data)
{
	return KMOD_RETURN_FAILURE;
}

KMOD_EXPLICIT_DECL(com.example.test.kext, "1.2.3", test_start, test_stop)

static void
kmod_info_is_what_the_table_says(void **state)
{
	assert_int_equal(sizeof(kmod_info_t), 196);
	assert_int_equal(offsetof(kmod_info_t, name), 16);
	assert_int_equal(offsetof(kmod_info_t, version), 80);
	assert_int_equal(offsetof(kmod_info_t, reference_count), 144);
	assert_int_equal(offsetof(kmod_info_t, reference_list), 148);
	assert_int_equal(offsetof(kmod_info_t, address), 156);
	assert_int_equal(offsetof(kmod_info_t, size), 164);
	assert_int_equal(offsetof(kmod_info_t, hdr_size), 172);
	assert_int_equal(offsetof(kmod_info_t, start), 180);
	assert_int_equal(offsetof(kmod_info_t, stop), 188);
	assert_string_equal(kmod_info.name, "com.example.test.kext");
	assert_string_equal(kmod_info.version, "1.2.3");
	assert_int_equal(kmod_info.info_version, KMOD_INFO_VERSION);
	assert_int_equal(kmod_info.id, UINT32_MAX);
	assert_int_equal(kmod_info.reference_count, -1);
	assert_int_equal(kmod_info.start(&kmod_info, NULL), 0);
	assert_int_equal(kmod_info.stop(&kmod_info, NULL), 5);
}

static bool
find_this(const void *address, struct kext_identity *identity)
{
	if ((uintptr_t)address < (uintptr_t)find_this - 0x100000 ||
	    (uintptr_t)address > (uintptr_t)find_this + 0x100000)
		return false;
	*identity = (struct kext_identity){ "com.example.this", "9.8", 4 };
	return true;
}

static void
a_kext_learns_who_it_is(void **state)
{
	kext_identity_set_finder(NULL);
	assert_null(OSKextGetCurrentIdentifier());
	assert_null(OSKextGetCurrentVersionString());
	assert_int_equal(OSKextGetCurrentLoadTag(), kOSKextInvalidLoadTag);
	kext_identity_set_finder(find_this);
	assert_string_equal(OSKextGetCurrentIdentifier(), "com.example.this");
	assert_string_equal(OSKextGetCurrentVersionString(), "9.8");
	assert_int_equal(OSKextGetCurrentLoadTag(), 4);
	kext_identity_set_finder(NULL);
}

static void
results_have_their_numbers(void **state)
{
	assert_int_equal((uint32_t)kOSReturnError, 0xdc000001);
	assert_int_equal((uint32_t)kOSKextReturnInternalError, 0xdc008001);
	assert_int_equal((uint32_t)kOSKextReturnStartStopError, 0xdc008017);
	assert_int_equal((uint32_t)kOSKextReturnKCLoadFailureAuxKC, 0xdc00801e);
	assert_int_equal((uint32_t)libkern_metaclass_err(1), 0xdc004001);
	assert_int_equal((uint32_t)kIOReturnError, 0xe00002bc);
	assert_int_equal((uint32_t)kIOReturnNotFound, 0xe00002f0);
	assert_int_equal((uint32_t)kIOReturnInvalid, 0xe0000001);
	assert_int_equal((uint32_t)iokit_vendor_specific_err(5), 0xe3ff8005);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_variables_are_read_and_written),
		cmocka_unit_test(requests_that_make_no_sense_are_refused_and_change_nothing),
		cmocka_unit_test(a_variable_is_there_once_and_goes_when_taken_back),
		cmocka_unit_test(unregistering_waits_for_the_handler),
		cmocka_unit_test(copying_reaches_the_memory_of_the_caller),
		cmocka_unit_test(atomics_give_the_value_before),
		cmocka_unit_test(compare_and_swap_says_whether_it_did),
		cmocka_unit_test(bit_0_is_the_most_significant_of_the_first_byte),
		cmocka_unit_test(atomics_are_atomic),
		cmocka_unit_test(clocks_go_forward_and_agree),
		cmocka_unit_test(random_bytes_are_not_all_the_same),
		cmocka_unit_test(safe_loops_may_free_what_they_are_at),
		cmocka_unit_test(kmod_info_is_what_the_table_says),
		cmocka_unit_test(a_kext_learns_who_it_is),
		cmocka_unit_test(results_have_their_numbers),
	};

	return cmocka_run_group_tests_name("odds", tests, NULL, NULL);
}
