/*
 * Units of utun: numbers, names, beginning and end.
 *
 * Lock order: the lock of the units, and no other under it.
 */
#include "kexts/utun/utun.h"

#include <IOKit/IOLib.h>
#include <sys/errno.h>

#define UNIT_AUTOMATIC_MAX 65535u

static lck_grp_t *group;
static lck_mtx_t *units_lock;
static struct utun *units; /* guarded by units_lock; ascending */

errno_t
utun_units_start(void)
{
	group = lck_grp_alloc_init("utun", LCK_GRP_ATTR_NULL);
	if (group)
		units_lock = lck_mtx_alloc_init(group, LCK_ATTR_NULL);
	if (units_lock)
		return 0;
	utun_units_stop();
	return ENOMEM;
}

void
utun_units_stop(void)
{
	if (units_lock)
		lck_mtx_free(units_lock, group);
	if (group)
		lck_grp_free(group);
	units_lock = NULL;
	group = NULL;
}

static void
unit_name(u_int32_t unit, char name[UTUN_NAME_MAX])
{
	snprintf(name, UTUN_NAME_MAX, "utun%u", unit - 1);
}

/* Where a unit is linked, or would be. */
static struct utun **
unit_link_locked(u_int32_t unit)
{
	struct utun **link = &units;

	while (*link && (*link)->unit < unit)
		link = &(*link)->next;
	return link;
}

/*
 * The first free unit; 0: none.  Interfaces that others have made, as another kernel on this
 * machine may, are left out: a program that does not care about the number gets one that works.
 */
static u_int32_t
unit_first_free_locked(void)
{
	char name[UTUN_NAME_MAX];
	const struct utun *next = units;

	for (u_int32_t unit = 1; unit <= UNIT_AUTOMATIC_MAX; unit++) {
		if (next && next->unit == unit) {
			next = next->next;
			continue;
		}
		unit_name(unit, name);
		if (!tun_interface_exists(name))
			return unit;
	}
	return 0;
}

static void
utun_free(struct utun *utun)
{
	if (utun->lock)
		lck_mtx_free(utun->lock, group);
	IOFree(utun, sizeof(*utun));
}

static struct utun *
utun_new(void)
{
	struct utun *utun = IOMallocZero(sizeof(*utun));

	if (!utun)
		return NULL;
	utun->tun = TUN_NONE;
	utun->max_pending = 1;
	utun->channel[UTUN_OPT_SLOT_SIZE - UTUN_CHANNEL_FIRST] = 2048;
	utun->channel[UTUN_OPT_NETIF_RING_SIZE - UTUN_CHANNEL_FIRST] = 64;
	utun->channel[UTUN_OPT_TX_FSW_RING_SIZE - UTUN_CHANNEL_FIRST] = 64;
	utun->channel[UTUN_OPT_RX_FSW_RING_SIZE - UTUN_CHANNEL_FIRST] = 128;
	utun->lock = lck_mtx_alloc_init(group, LCK_ATTR_NULL);
	if (!utun->lock) {
		utun_free(utun);
		return NULL;
	}
	return utun;
}

errno_t
utun_setup(u_int32_t *unit, void **unitinfo)
{
	struct utun *utun = utun_new(), **link;

	if (!utun)
		return ENOMEM;
	lck_mtx_lock(units_lock);
	utun->unit = *unit ? *unit : unit_first_free_locked();
	link = unit_link_locked(utun->unit);
	if (!utun->unit || (*link && (*link)->unit == utun->unit)) {
		lck_mtx_unlock(units_lock);
		utun_free(utun);
		return EBUSY;
	}
	utun->next = *link;
	*link = utun;
	lck_mtx_unlock(units_lock);
	*unit = utun->unit;
	*unitinfo = utun;
	return 0;
}

errno_t
utun_bind(kern_ctl_ref kctlref, struct sockaddr_ctl *sac, void **unitinfo)
{
	(void)kctlref;
	(void)sac;
	(void)unitinfo;
	return 0; /* now it can be configured */
}

errno_t
utun_connect(kern_ctl_ref kctlref, struct sockaddr_ctl *sac, void **unitinfo)
{
	struct utun *utun = *unitinfo;
	char name[UTUN_NAME_MAX];
	int error;

	(void)sac;
	unit_name(utun->unit, name);
	error = tun_open(&utun->tun, name);
	if (error) {
		printf("utun: no interface %s: error %d\n", name, -error);
		return -error; /* disconnect is called now */
	}
	lck_mtx_lock(utun->lock);
	utun->control = kctlref;
	utun->header_size = sizeof(u_int32_t);
	if (utun->flags & UTUN_FLAGS_ENABLE_PROC_UUID)
		utun->header_size += UTUN_UUID_SIZE;
	strlcpy(utun->name, name, sizeof(utun->name));
	utun->is_connected = TRUE;
	lck_mtx_unlock(utun->lock);
	return -tun_start(&utun->tun, utun_output, utun);
}

errno_t
utun_disconnect(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo)
{
	struct utun *utun = unitinfo;

	(void)kctlref;
	(void)unit;
	if (!utun)
		return 0;
	lck_mtx_lock(utun->lock);
	utun->is_ending = TRUE;
	wakeup(utun);
	lck_mtx_unlock(utun->lock);
	tun_stop(&utun->tun);
	tun_close(&utun->tun);
	if (utun->is_connected)
		printf("%s: gone; in %llu packets, %llu bytes, %llu errors; out %llu packets, "
		       "%llu bytes, %llu errors\n",
		       utun->name, (unsigned long long)utun->in.utsp_packets,
		       (unsigned long long)utun->in.utsp_bytes,
		       (unsigned long long)utun->in.utsp_errors,
		       (unsigned long long)utun->out.utsp_packets,
		       (unsigned long long)utun->out.utsp_bytes,
		       (unsigned long long)utun->out.utsp_errors);

	/* only now may another have the unit, and make an interface of that name */
	lck_mtx_lock(units_lock);
	*unit_link_locked(utun->unit) = utun->next;
	lck_mtx_unlock(units_lock);
	utun_free(utun);
	return 0;
}
