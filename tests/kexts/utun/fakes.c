#include "tests/kexts/utun/fakes.h"

#include <IOKit/IOLib.h>
#include <sys/kauth.h>

#include "kexts/host/kernel_link.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define WAIT_S 20

static struct kern_ctl_reg registered;
const struct kern_ctl_reg *fake_registered;
bool fake_is_root = true;
bool fake_deregister_is_busy;

static struct fake_client clients[FAKE_CLIENTS];
static pthread_mutex_t clients_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t clients_change = PTHREAD_COND_INITIALIZER;

/* ---- memory, locks, sleeping, words -----------------------------------------------------------
 */

static _Atomic int object_count;

int
fake_objects(void)
{
	return atomic_load(&object_count);
}

void *
IOMalloc(vm_size_t size)
{
	object_count++;
	return malloc(size);
}

void *
IOMallocZero(vm_size_t size)
{
	object_count++;
	return calloc(1, size);
}

void
IOFree(void *address, vm_size_t size)
{
	(void)size;
	object_count--;
	free(address);
}

lck_grp_t *
lck_grp_alloc_init(const char *name, lck_grp_attr_t *attr)
{
	(void)name;
	(void)attr;
	object_count++;
	return calloc(1, sizeof(lck_grp_t));
}

void
lck_grp_free(lck_grp_t *group)
{
	object_count--;
	free(group);
}

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(lck_mtx_t), "a mutex fits in a mutex");

lck_mtx_t *
lck_mtx_alloc_init(lck_grp_t *group, lck_attr_t *attr)
{
	pthread_mutex_t *mutex = calloc(1, sizeof(lck_mtx_t));

	(void)group;
	(void)attr;
	object_count++;
	pthread_mutex_init(mutex, NULL);
	return (lck_mtx_t *)mutex;
}

void
lck_mtx_free(lck_mtx_t *lock, lck_grp_t *group)
{
	(void)group;
	object_count--;
	pthread_mutex_destroy((pthread_mutex_t *)lock);
	free(lock);
}

void
lck_mtx_lock(lck_mtx_t *lock)
{
	assert_int_equal(pthread_mutex_lock((pthread_mutex_t *)lock), 0);
}

void
lck_mtx_unlock(lck_mtx_t *lock)
{
	assert_int_equal(pthread_mutex_unlock((pthread_mutex_t *)lock), 0);
}

static pthread_cond_t sleepers = PTHREAD_COND_INITIALIZER;

int
msleep(void *chan, lck_mtx_t *lock, int pri, const char *message, struct timespec *limit)
{
	struct timespec until;

	(void)chan;
	(void)pri;
	(void)message;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += limit->tv_sec;
	return pthread_cond_timedwait(&sleepers, (pthread_mutex_t *)lock, &until) ? EWOULDBLOCK : 0;
}

/* Callers hold the lock that the sleepers sleep with. */
void
wakeup(void *chan)
{
	(void)chan;
	pthread_cond_broadcast(&sleepers);
}

static char fake_log[8192];
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

bool
fake_logged(const char *words)
{
	bool there;

	pthread_mutex_lock(&log_lock);
	there = strstr(fake_log, words) != NULL;
	pthread_mutex_unlock(&log_lock);
	return there;
}

void
fake_log_clear(void)
{
	pthread_mutex_lock(&log_lock);
	fake_log[0] = 0;
	pthread_mutex_unlock(&log_lock);
}

int
printf(const char *format, ...)
{
	va_list arguments;
	size_t used;
	int length;

	pthread_mutex_lock(&log_lock);
	used = strlen(fake_log);
	va_start(arguments, format);
	length = vsnprintf(fake_log + used, sizeof(fake_log) - used, format, arguments);
	va_end(arguments);
	pthread_mutex_unlock(&log_lock);
	return length;
}

void
panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	abort();
}

kauth_cred_t
kauth_cred_get(void)
{
	return (kauth_cred_t)(uintptr_t)0x10;
}

int
kauth_cred_issuser(kauth_cred_t credential)
{
	(void)credential;
	return fake_is_root;
}

/* tags of mbufs ask for it; nobody here does */
int
kernel_link_request(uint32_t operation, const uint64_t args[5], const void *payload,
		    size_t payload_size, uint64_t values[2], void *out, size_t out_size)
{
	(void)operation;
	(void)args;
	(void)payload;
	(void)payload_size;
	(void)values;
	(void)out;
	(void)out_size;
	return ENOTCONN;
}

/* ---- the control server
 * --------------------------------------------------------------------------- */

#define CONTROL ((kern_ctl_ref)(uintptr_t)0x10001)

errno_t
ctl_register(struct kern_ctl_reg *reg, kern_ctl_ref *ref)
{
	registered = *reg;
	fake_registered = &registered;
	*ref = CONTROL;
	return 0;
}

errno_t
ctl_deregister(kern_ctl_ref ref)
{
	assert_ptr_equal(ref, CONTROL);
	if (fake_deregister_is_busy)
		return EBUSY;
	fake_registered = NULL;
	return 0;
}

/* With the lock held; NULL and without it: none. */
static struct fake_client *
client_lock(kern_ctl_ref ref, uint32_t unit)
{
	assert_ptr_equal(ref, CONTROL);
	pthread_mutex_lock(&clients_lock);
	for (int i = 0; i < FAKE_CLIENTS; i++)
		if (clients[i].is_used && clients[i].unit == unit)
			return &clients[i];
	pthread_mutex_unlock(&clients_lock);
	return NULL;
}

errno_t
ctl_enqueuedata(kern_ctl_ref ref, u_int32_t unit, void *data, size_t len, u_int32_t flags)
{
	struct fake_client *client = client_lock(ref, unit);
	errno_t error = 0;

	if (!client)
		return EINVAL;
	assert_int_equal(flags, CTL_DATA_EOR);
	if (client->bytes + len > client->room || client->count == FAKE_RECORDS) {
		error = ENOBUFS;
	} else {
		uint32_t at = (client->first + client->count) % FAKE_RECORDS;

		client->records[at] = malloc(len);
		memcpy(client->records[at], data, len);
		client->sizes[at] = len;
		client->bytes += len;
		client->count++;
		pthread_cond_broadcast(&clients_change);
	}
	pthread_mutex_unlock(&clients_lock);
	return error;
}

errno_t
ctl_getenqueuepacketcount(kern_ctl_ref ref, u_int32_t unit, u_int32_t *count)
{
	struct fake_client *client = client_lock(ref, unit);

	if (!client)
		return EINVAL;
	*count = client->count;
	pthread_mutex_unlock(&clients_lock);
	return 0;
}

errno_t
ctl_getenqueuereadable(kern_ctl_ref ref, u_int32_t unit, u_int32_t *difference)
{
	struct fake_client *client = client_lock(ref, unit);

	if (!client)
		return EINVAL;
	*difference = client->bytes < client->lowat ? client->lowat - (uint32_t)client->bytes : 0;
	pthread_mutex_unlock(&clients_lock);
	return 0;
}

/* ---- clients
 * ------------------------------------------------------------------------------------------ */

static errno_t
attach(uint32_t unit, struct fake_client **out)
{
	struct fake_client *client = NULL;
	errno_t error;

	for (int i = 0; i < FAKE_CLIENTS && !client; i++)
		if (!clients[i].is_used)
			client = &clients[i];
	assert_non_null(client);
	memset(client, 0, sizeof(*client));
	client->unit = unit;
	client->room = fake_registered->ctl_recvsize;
	client->lowat = 1;
	error = fake_registered->ctl_setup(&client->unit, &client->unitinfo);
	if (error)
		return error;
	pthread_mutex_lock(&clients_lock);
	client->is_used = true;
	pthread_mutex_unlock(&clients_lock);
	*out = client;
	return 0;
}

errno_t
fake_bind(uint32_t unit, struct fake_client **client)
{
	struct sockaddr_ctl address = { 0 };
	errno_t error = attach(unit, client);

	if (error)
		return error;
	address.sc_unit = (*client)->unit;
	return fake_registered->ctl_bind(CONTROL, &address, &(*client)->unitinfo);
}

errno_t
fake_connect_bound(struct fake_client *client)
{
	struct sockaddr_ctl address = { .sc_unit = client->unit };
	errno_t error = fake_registered->ctl_connect(CONTROL, &address, &client->unitinfo);

	if (error)
		fake_close(client);
	return error;
}

errno_t
fake_connect(uint32_t unit, struct fake_client **client)
{
	errno_t error = attach(unit, client);

	return error ? error : fake_connect_bound(*client);
}

void
fake_close(struct fake_client *client)
{
	fake_registered->ctl_disconnect(CONTROL, client->unit, client->unitinfo);
	pthread_mutex_lock(&clients_lock);
	for (; client->count; client->count--)
		free(client->records[client->first++ % FAKE_RECORDS]);
	client->is_used = false;
	pthread_mutex_unlock(&clients_lock);
}

void
fake_close_all(void)
{
	for (int i = 0; i < FAKE_CLIENTS; i++)
		if (clients[i].is_used)
			fake_close(&clients[i]);
}

static void
client_wait_locked(struct fake_client *client, uint32_t count)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	while (client->count < count)
		assert_int_equal(pthread_cond_timedwait(&clients_change, &clients_lock, &until), 0);
}

void
fake_expect(struct fake_client *client, uint32_t count)
{
	pthread_mutex_lock(&clients_lock);
	client_wait_locked(client, count);
	pthread_mutex_unlock(&clients_lock);
}

size_t
fake_receive(struct fake_client *client, uint8_t *buffer, size_t size, bool quietly)
{
	uint8_t *record;
	size_t got;

	pthread_mutex_lock(&clients_lock);
	client_wait_locked(client, 1);
	record = client->records[client->first];
	got = client->sizes[client->first];
	client->first = (client->first + 1) % FAKE_RECORDS;
	client->count--;
	client->bytes -= got;
	pthread_mutex_unlock(&clients_lock);
	assert_true(got <= size);
	memcpy(buffer, record, got);
	free(record);
	if (!quietly)
		fake_registered->ctl_rcvd(CONTROL, client->unit, client->unitinfo, 0);
	return got;
}

errno_t
fake_send(struct fake_client *client, const void *header, size_t header_size, const void *data,
	  size_t size, size_t piece)
{
	mbuf_t first, last, next;
	size_t total = header_size + size;

	/* small pieces, and the header may be cut in two */
	assert_int_equal(mbuf_gethdr(MBUF_WAITOK, MBUF_TYPE_DATA, &first), 0);
	last = first;
	for (size_t at = 0; at < total;) {
		size_t room = piece < 200 ? piece : 200, part = 0;

		assert_int_equal(mbuf_get(MBUF_WAITOK, MBUF_TYPE_DATA, &next), 0);
		for (; part < room && at < total; part++, at++)
			((uint8_t *)mbuf_data(next))[part] =
			    at < header_size ? ((const uint8_t *)header)[at]
					     : ((const uint8_t *)data)[at - header_size];
		mbuf_setlen(next, part);
		assert_int_equal(mbuf_setnext(last, next), 0);
		last = next;
	}
	mbuf_pkthdr_setlen(first, total);
	return fake_registered->ctl_send(CONTROL, client->unit, client->unitinfo, first, 0);
}

errno_t
fake_setopt(struct fake_client *client, int option, const void *data, size_t size)
{
	return fake_registered->ctl_setopt(CONTROL, client->unit, client->unitinfo, option,
					   (void *)(uintptr_t)data, size);
}

errno_t
fake_getopt(struct fake_client *client, int option, void *data, size_t *size)
{
	return fake_registered->ctl_getopt(CONTROL, client->unit, client->unitinfo, option, data,
					   size);
}
