/*
 * The kext of the control tests: it does as the programs that test it say, see control_kext.h.
 */
#include <IOKit/IOLib.h>
#include <kern/locks.h>
#include <libkern/libkern.h>
#include <mach/kmod.h>
#include <mach/mach_types.h>
#include <stdarg.h>
#include <sys/errno.h>
#include <sys/kauth.h>
#include <sys/kern_control.h>
#include <sys/kern_event.h>
#include <sys/param.h>
#include <sys/proc.h>
#include <sys/systm.h>

#include "tests/conformance/control_kext.h"

#define LAST_MAX 4096

/* What a client has here. */
struct client {
	int send_result;
	size_t last_size;
	uint32_t last_flags;
	char last[LAST_MAX];
};

static lck_grp_t *group;
static lck_mtx_t *lock; /* guards the journal */
static char journal[8192];
static size_t journal_size;

static struct {
	struct kern_ctl_reg reg;
	kern_ctl_ref ref;
} controls[16];
static int control_count;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void
note(const char *format, ...)
{
	va_list arguments;

	lck_mtx_lock(lock);
	va_start(arguments, format);
	int size =
	    vsnprintf(journal + journal_size, sizeof(journal) - journal_size, format, arguments);
	va_end(arguments);
	if (size > 0 && journal_size + (size_t)size < sizeof(journal))
		journal_size += (size_t)size;
	lck_mtx_unlock(lock);
}

static const char *
name_of(kern_ctl_ref ref)
{
	for (int i = 0; i < control_count; i++)
		if (controls[i].ref == ref)
			return controls[i].reg.ctl_name + sizeof("berth.test.") - 1;
	return "?";
}

/* ---- callbacks ---------------------------------------------------------------------------- */

static errno_t
test_connect(kern_ctl_ref ref, struct sockaddr_ctl *sac, void **unitinfo)
{
	note("connect %s %u\n", name_of(ref), sac->sc_unit);
	if (sac->sc_reserved[0] != 0)
		return (errno_t)sac->sc_reserved[0];
	struct client *client = IOMalloc(sizeof(*client));
	if (client == NULL)
		return ENOMEM;
	bzero(client, sizeof(*client));
	*unitinfo = client;
	if (sac->sc_reserved[1] == 1)
		return ctl_enqueuedata(ref, sac->sc_unit, (void *)(uintptr_t) "hello", 5,
				       CTL_DATA_EOR);
	return 0;
}

static errno_t
test_disconnect(kern_ctl_ref ref, u_int32_t unit, void *unitinfo)
{
	note("disconnect %s %u%s\n", name_of(ref), unit, unitinfo == NULL ? " nothing" : "");
	if (unitinfo != NULL)
		IOFree(unitinfo, sizeof(struct client));
	return 0;
}

static errno_t
test_bind(kern_ctl_ref ref, struct sockaddr_ctl *sac, void **unitinfo)
{
	(void)unitinfo;
	note("bind %s %u\n", name_of(ref), sac->sc_unit);
	return (errno_t)sac->sc_reserved[0];
}

static void
test_rcvd(kern_ctl_ref ref, u_int32_t unit, void *unitinfo, int flags)
{
	(void)unitinfo;
	note("rcvd %s %u %d\n", name_of(ref), unit, flags);
}

static errno_t
test_setup(u_int32_t *unit, void **unitinfo)
{
	(void)unitinfo;
	if (*unit == 13)
		return ERANGE;
	if (*unit == 0)
		*unit = 41;
	return 0;
}

static errno_t
test_send(kern_ctl_ref ref, u_int32_t unit, void *unitinfo, mbuf_t m, int flags)
{
	struct client *client = unitinfo;
	size_t size = mbuf_pkthdr_len(m);

	note("send %s %u %lu %d%s\n", name_of(ref), unit, (unsigned long)size, flags,
	     (mbuf_flags(m) & MBUF_EOR) ? " EOR" : "");
	client->last_flags = (uint32_t)flags;
	client->last_size = size < LAST_MAX ? size : LAST_MAX;
	mbuf_copydata(m, 0, client->last_size, client->last);
	mbuf_freem(m);
	return client->send_result;
}

static errno_t
echo_send(kern_ctl_ref ref, u_int32_t unit, void *unitinfo, mbuf_t m, int flags)
{
	(void)unitinfo;
	(void)flags;
	errno_t error = ctl_enqueuembuf(ref, unit, m, CTL_DATA_EOR);
	if (error != 0)
		mbuf_freem(m);
	return error;
}

/* ---- options --------------------------------------------------------------------------------- */

static errno_t
enqueue_mbuf(kern_ctl_ref ref, u_int32_t unit, const char *bytes, size_t size, u_int32_t flags)
{
	mbuf_t m;
	errno_t error = mbuf_allocpacket(MBUF_WAITOK, size > 0 ? size : 1, NULL, &m);

	if (error != 0)
		return error;
	error = size > 0 ? mbuf_copyback(m, 0, size, bytes, MBUF_WAITOK) : 0;
	if (error == 0)
		error = ctl_enqueuembuf(ref, unit, m, flags);
	if (error != 0)
		mbuf_freem(m);
	return error;
}

static errno_t
enqueue_list(kern_ctl_ref ref, u_int32_t unit, const char *bytes, size_t size, u_int32_t flags)
{
	mbuf_t first = NULL, *at = &first, last = NULL, remain = NULL;

	for (size_t i = 0; i + 4 <= size; i += 4) {
		mbuf_t m;

		if (mbuf_allocpacket(MBUF_WAITOK, 4, NULL, &m) != 0)
			break;
		mbuf_copyback(m, 0, 4, bytes + i, MBUF_WAITOK);
		if (last != NULL)
			mbuf_setnextpkt(last, m);
		else
			*at = m;
		last = m;
	}
	errno_t error = ctl_enqueuembuf_list(ref, unit, first, flags, &remain);
	if (remain != NULL)
		note("remain %d\n", mbuf_freem_list(remain));
	return error;
}

static errno_t
control_add(const char *name, u_int32_t flags, void (*change)(struct kern_ctl_reg *))
{
	if (control_count == (int)(sizeof(controls) / sizeof(controls[0])))
		return ENOMEM;
	struct kern_ctl_reg *reg = &controls[control_count].reg;

	bzero(reg, sizeof(*reg));
	strlcpy(reg->ctl_name, name, sizeof(reg->ctl_name));
	reg->ctl_flags = flags;
	reg->ctl_connect = test_connect;
	if (change != NULL)
		change(reg);
	errno_t error = ctl_register(reg, &controls[control_count].ref);
	if (error == 0)
		control_count++;
	return error;
}

static errno_t
control_remove(const char *name)
{
	for (int i = 0; i < control_count; i++) {
		if (strcmp(controls[i].reg.ctl_name, name) != 0)
			continue;
		errno_t error = ctl_deregister(controls[i].ref);
		if (error == 0)
			controls[i] = controls[--control_count];
		return error;
	}
	return ENOENT;
}

static errno_t
post_event(const char *data, size_t size)
{
	struct kext_event event;
	struct kev_msg message;
	char bytes[512]; /* each vector begins here, however much was given */

	if (size < sizeof(event) || size - sizeof(event) > sizeof(bytes))
		return EINVAL;
	memcpy(&event, data, sizeof(event));
	bzero(bytes, sizeof(bytes));
	memcpy(bytes, data + sizeof(event), size - sizeof(event));
	bzero(&message, sizeof(message));
	message.vendor_code = event.vendor;
	if (event.vendor == 0 &&
	    kev_vendor_code_find("com.example.test", &message.vendor_code) != 0)
		return ENOENT;
	message.kev_class = event.kev_class;
	message.kev_subclass = event.kev_subclass;
	message.event_code = event.code;
	for (int i = 0; i < N_KEV_VECTORS; i++) {
		message.dv[i].data_length = event.vectors[i];
		message.dv[i].data_ptr = bytes;
	}
	return kev_msg_post(&message);
}

static errno_t
die(int how)
{
	volatile int *nowhere = NULL;

	switch (how) {
	case DIE_OF_NULL:
		*nowhere = 1;
		break;
	case DIE_OF_PANIC:
		panic("the test asked for it");
		break;
	default:
		for (;;)
			IOSleep(1000);
	}
	return 0;
}

/* Wait for room as a kext does that knows nothing better. */
static errno_t
flood(kern_ctl_ref ref, u_int32_t unit, int count)
{
	errno_t error = 0;

	for (int i = 0; i < count && error == 0; i++)
		while ((error = ctl_enqueuedata(ref, unit, &i, sizeof(i), CTL_DATA_EOR)) == ENOBUFS)
			IOSleep(0);
	return error;
}

static errno_t
test_setopt(kern_ctl_ref ref, u_int32_t unit, void *unitinfo, int option, void *data, size_t size)
{
	struct client *client = unitinfo;
	const char *bytes = data;
	struct kext_enqueue enqueue = { 0 };
	struct timespec time = { 0, 0 };
	int number = 0;

	if (option <= SET_ENQUEUE_LIST) {
		if (size < sizeof(enqueue))
			return EINVAL;
		memcpy(&enqueue, data, sizeof(enqueue));
		bytes += sizeof(enqueue);
		size -= sizeof(enqueue);
	} else if (size == sizeof(number)) {
		memcpy(&number, data, sizeof(number));
	}
	switch (option) {
	case SET_ENQUEUE:
		return ctl_enqueuedata(ref, unit, (void *)(uintptr_t)bytes, size, enqueue.flags);
	case SET_ENQUEUE_MBUF:
		return enqueue_mbuf(ref, unit, bytes, size, enqueue.flags);
	case SET_ENQUEUE_LIST:
		return enqueue_list(ref, unit, bytes, size, enqueue.flags);
	case SET_REGISTER:
		return control_add(bytes, 0, NULL);
	case SET_DEREGISTER:
		return control_remove(bytes);
	case SET_DEREGISTER_SELF:
		return ctl_deregister(ref);
	case SET_SEND_RESULT:
		client->send_result = number;
		return 0;
	case SET_POST:
		return post_event(bytes, size);
	case SET_SLEEP:
		time.tv_sec = number;
		return msleep(&client->send_result, NULL, PCATCH | PWAIT, "test", &time);
	case SET_DIE:
		return die(number);
	case SET_FAIL:
		return number;
	case SET_FLOOD:
		return flood(ref, unit, number);
	default:
		return data == NULL && size == 0 ? EDOM : ENOPROTOOPT;
	}
}

static errno_t
get_number(const void *number, size_t number_size, void *data, size_t *size)
{
	if (data != NULL) {
		if (*size < number_size)
			return EMSGSIZE;
		memcpy(data, number, number_size);
	}
	*size = number_size;
	return 0;
}

static errno_t
get_caller(void *data, size_t *size)
{
	struct kext_caller caller;

	bzero(&caller, sizeof(caller));
	caller.pid = proc_selfpid();
	caller.euid = kauth_cred_getuid(kauth_cred_get());
	caller.ruid = kauth_cred_getruid(kauth_cred_get());
	proc_selfname(caller.name, sizeof(caller.name));
	return get_number(&caller, sizeof(caller), data, size);
}

static errno_t
get_journal(void *data, size_t *size)
{
	lck_mtx_lock(lock);
	size_t filled = journal_size < *size ? journal_size : *size;
	if (data != NULL)
		memcpy(data, journal, filled);
	*size = data != NULL ? filled : journal_size;
	if (data != NULL)
		journal_size = 0;
	lck_mtx_unlock(lock);
	return 0;
}

static errno_t
get_last(const struct client *client, void *data, size_t *size)
{
	size_t all = sizeof(uint32_t) + client->last_size;

	if (data == NULL || *size < all)
		return EMSGSIZE;
	memcpy(data, &client->last_flags, sizeof(uint32_t));
	memcpy((char *)data + sizeof(uint32_t), client->last, client->last_size);
	*size = all;
	return 0;
}

static void
turn_round(char *bytes, size_t size)
{
	for (size_t i = 0; i < size / 2; i++) {
		char byte = bytes[i];

		bytes[i] = bytes[size - 1 - i];
		bytes[size - 1 - i] = byte;
	}
}

static errno_t
test_getopt(kern_ctl_ref ref, u_int32_t unit, void *unitinfo, int option, void *data, size_t *size)
{
	errno_t error;
	size_t space;
	u_int32_t number;

	switch (option) {
	case GET_SPACE:
		error = ctl_getenqueuespace(ref, unit, &space);
		return error != 0 ? error
				  : get_number(&(uint64_t){ space }, sizeof(uint64_t), data, size);
	case GET_READABLE:
		error = ctl_getenqueuereadable(ref, unit, &number);
		return error != 0 ? error : get_number(&number, sizeof(number), data, size);
	case GET_PACKETS:
		error = ctl_getenqueuepacketcount(ref, unit, &number);
		return error != 0 ? error : get_number(&number, sizeof(number), data, size);
	case GET_JOURNAL:
		return get_journal(data, size);
	case GET_CALLER:
		return get_caller(data, size);
	case GET_MIRROR:
		turn_round(data, *size);
		return 0;
	case GET_LIE:
		*size += 1000;
		return 0;
	case GET_SIZE:
		if (data != NULL)
			memset(data, 'x', *size < 24 ? *size : 24);
		*size = 24;
		return 0;
	case GET_FAIL:
		*size = 1;
		return ERANGE;
	case GET_LAST:
		return get_last(unitinfo, data, size);
	default:
		return ENOPROTOOPT;
	}
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static void
make_usual(struct kern_ctl_reg *reg)
{
	reg->ctl_disconnect = test_disconnect;
	reg->ctl_send = test_send;
	reg->ctl_setopt = test_setopt;
	reg->ctl_getopt = test_getopt;
}

static void
make_static(struct kern_ctl_reg *reg)
{
	make_usual(reg);
	reg->ctl_id = STATIC_ID;
	reg->ctl_unit = STATIC_UNIT;
}

static void
make_static_next(struct kern_ctl_reg *reg)
{
	make_static(reg);
	reg->ctl_unit++;
}

static void
make_full(struct kern_ctl_reg *reg)
{
	make_usual(reg);
	reg->ctl_bind = test_bind;
	reg->ctl_rcvd = test_rcvd;
}

static void
make_setup(struct kern_ctl_reg *reg)
{
	make_usual(reg);
	reg->ctl_setup = test_setup;
}

static void
make_large(struct kern_ctl_reg *reg)
{
	make_usual(reg);
	reg->ctl_send = echo_send;
	reg->ctl_sendsize = 256 * 1024;
	reg->ctl_recvsize = 2 * 1024 * 1024;
}

static kern_return_t
test_start(kmod_info_t *info, void *data)
{
	(void)info;
	(void)data;
	group = lck_grp_alloc_init("berth.test", LCK_GRP_ATTR_NULL);
	lock = lck_mtx_alloc_init(group, LCK_ATTR_NULL);
	errno_t error = control_add(KEXT_DGRAM, 0, make_usual);
	error = error ? error : control_add(KEXT_STREAM, CTL_FLAG_REG_SOCK_STREAM, make_usual);
	error = error ? error : control_add(KEXT_ROOT, CTL_FLAG_PRIVILEGED, make_usual);
	error = error ? error : control_add(KEXT_STATIC, CTL_FLAG_REG_ID_UNIT, make_static);
	error = error ? error : control_add(KEXT_STATIC, CTL_FLAG_REG_ID_UNIT, make_static_next);
	error = error ? error : control_add(KEXT_FULL, CTL_FLAG_REG_EXTENDED, make_full);
	error = error ? error : control_add(KEXT_BARE, 0, NULL);
	error = error ? error : control_add(KEXT_SETUP, CTL_FLAG_REG_SETUP, make_setup);
	error = error ? error : control_add(KEXT_CRIT, CTL_FLAG_REG_CRIT, make_usual);
	error = error ? error : control_add(KEXT_LARGE, 0, make_large);
	printf("the test kext has started: %d\n", error);
	return error == 0 ? KERN_SUCCESS : KERN_FAILURE;
}

static kern_return_t
test_stop(kmod_info_t *info, void *data)
{
	(void)info;
	(void)data;
	while (control_count > 0) {
		if (ctl_deregister(controls[control_count - 1].ref) != 0) {
			printf("%s is in use\n", controls[control_count - 1].reg.ctl_name);
			return KERN_FAILURE;
		}
		control_count--;
	}
	lck_mtx_free(lock, group);
	lck_grp_free(group);
	return KERN_SUCCESS;
}

KMOD_EXPLICIT_DECL(berth.test.kext, "1.0.0", test_start, test_stop)
