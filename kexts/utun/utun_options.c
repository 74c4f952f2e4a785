/*
 * Options of utun's sockets.
 *
 * Source: builtin-controls.md §2.1 and §2.2: root first, then the length, then whether it is the
 * time for it, then the value.
 */
#include "kexts/utun/utun.h"

#include <sys/errno.h>
#include <sys/kauth.h>

enum phase { PHASE_ANY, PHASE_BEFORE, PHASE_AFTER };

/* Options that are one 32-bit number. */
struct number_option {
	u_int8_t option;
	u_int8_t phase; /* of setting: enum phase */
	u_int8_t needs_root;
	u_int8_t can_get;
	u_int32_t least, most; /* as unsigned */
};

#define ANY_NUMBER 0, 0xffffffffu
#define RING_SIZE 8, 1024

static const struct number_option number_options[] = {
	{ UTUN_OPT_FLAGS, PHASE_BEFORE, TRUE, TRUE, ANY_NUMBER },
	{ UTUN_OPT_EXT_IFDATA_STATS, PHASE_AFTER, TRUE, TRUE, ANY_NUMBER },
	{ UTUN_OPT_MAX_PENDING_PACKETS, PHASE_ANY, FALSE, TRUE, 1, 0xffffffffu },
	{ UTUN_OPT_ENABLE_CHANNEL, PHASE_AFTER, FALSE, TRUE, ANY_NUMBER },
	{ UTUN_OPT_ENABLE_FLOWSWITCH, PHASE_AFTER, FALSE, TRUE, ANY_NUMBER },
	{ UTUN_OPT_ENABLE_NETIF, PHASE_BEFORE, FALSE, TRUE, ANY_NUMBER },
	{ UTUN_OPT_SLOT_SIZE, PHASE_BEFORE, FALSE, TRUE, 1024, 32768 },
	{ UTUN_OPT_NETIF_RING_SIZE, PHASE_BEFORE, FALSE, TRUE, RING_SIZE },
	{ UTUN_OPT_TX_FSW_RING_SIZE, PHASE_BEFORE, FALSE, TRUE, RING_SIZE },
	{ UTUN_OPT_RX_FSW_RING_SIZE, PHASE_BEFORE, FALSE, TRUE, RING_SIZE },
	{ UTUN_OPT_KPIPE_TX_RING_SIZE, PHASE_BEFORE, FALSE, TRUE, RING_SIZE },
	{ UTUN_OPT_KPIPE_RX_RING_SIZE, PHASE_BEFORE, FALSE, TRUE, RING_SIZE },
	{ UTUN_OPT_ATTACH_FLOWSWITCH, PHASE_BEFORE, FALSE, FALSE, ANY_NUMBER },
};

static const struct number_option *
number_option_find(int option)
{
	for (size_t i = 0; i < sizeof(number_options) / sizeof(number_options[0]); i++)
		if (number_options[i].option == option)
			return &number_options[i];
	return NULL;
}

static boolean_t
caller_is_root(void)
{
	return kauth_cred_issuser(kauth_cred_get()) != 0;
}

/* ---- set ----------------------------------------------------------------------------------------
 */

static errno_t
number_set_locked(struct utun *utun, int option, u_int32_t value)
{
	switch (option) {
	case UTUN_OPT_FLAGS:
		utun->flags = value;
		return 0;
	case UTUN_OPT_EXT_IFDATA_STATS:
		utun->program_counts = value != 0;
		return 0;
	case UTUN_OPT_MAX_PENDING_PACKETS:
		utun->max_pending = value;
		utun->received++; /* the thread looks again */
		wakeup(utun);
		return 0;
	case UTUN_OPT_ENABLE_CHANNEL:
	case UTUN_OPT_ENABLE_FLOWSWITCH:
		return value ? ENOTSUP : 0; /* there are none */
	default:
		utun->channel[option - UTUN_CHANNEL_FIRST] = value;
		return 0;
	}
}

static errno_t
number_set(struct utun *utun, const struct number_option *option, const void *data, size_t len)
{
	u_int32_t value;
	errno_t error;

	if (option->needs_root && !caller_is_root())
		return EPERM;
	if (!data || len != sizeof(value))
		return EMSGSIZE;
	memcpy(&value, data, sizeof(value));
	lck_mtx_lock(utun->lock);
	if (option->phase != PHASE_ANY && (option->phase == PHASE_AFTER) != utun->is_connected)
		error = EINVAL;
	else if (value < option->least || value > option->most)
		error = EINVAL;
	else
		error = number_set_locked(utun, option->option, value);
	lck_mtx_unlock(utun->lock);
	return error;
}

static errno_t
statistics_add(struct utun *utun, struct utun_stats_param *stats, const void *data, size_t len)
{
	struct utun_stats_param more;
	errno_t error = 0;

	if (!data || len < sizeof(more))
		return EINVAL;
	memcpy(&more, data, sizeof(more));
	lck_mtx_lock(utun->lock);
	if (!utun->is_connected || !utun->program_counts) {
		error = EINVAL;
	} else {
		stats->utsp_packets += more.utsp_packets;
		stats->utsp_bytes += more.utsp_bytes;
		stats->utsp_errors += more.utsp_errors;
	}
	lck_mtx_unlock(utun->lock);
	return error;
}

static errno_t
delegate_set(struct utun *utun, const void *data, size_t len)
{
	char name[UTUN_DELEGATE_MAX + 1] = "";
	errno_t error = 0;

	if (!caller_is_root())
		return EPERM;
	if (len > UTUN_DELEGATE_MAX)
		return EMSGSIZE;
	if (len)
		memcpy(name, data, len);
	lck_mtx_lock(utun->lock);
	if (!utun->is_connected)
		error = EINVAL;
	else if (name[0] && !tun_interface_exists(name))
		error = ENXIO;
	else
		strlcpy(utun->delegate, name, sizeof(utun->delegate));
	lck_mtx_unlock(utun->lock);
	return error;
}

errno_t
utun_setopt(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo, int option, void *data,
	    size_t len)
{
	const struct number_option *number = number_option_find(option);
	struct utun *utun = unitinfo;

	(void)kctlref;
	(void)unit;
	if (number)
		return number_set(utun, number, data, len);
	switch (option) {
	case UTUN_OPT_INC_IFDATA_STATS_IN:
		return statistics_add(utun, &utun->in, data, len);
	case UTUN_OPT_INC_IFDATA_STATS_OUT:
		return statistics_add(utun, &utun->out, data, len);
	case UTUN_OPT_SET_DELEGATE_INTERFACE:
		return delegate_set(utun, data, len);
	default:
		return ENOPROTOOPT;
	}
}

/* ---- get ----------------------------------------------------------------------------------------
 */

static u_int32_t
number_get_locked(const struct utun *utun, int option)
{
	switch (option) {
	case UTUN_OPT_FLAGS:
		return utun->flags;
	case UTUN_OPT_EXT_IFDATA_STATS:
		return (u_int32_t)utun->program_counts;
	case UTUN_OPT_MAX_PENDING_PACKETS:
		return utun->max_pending;
	case UTUN_OPT_ENABLE_CHANNEL:
	case UTUN_OPT_ENABLE_FLOWSWITCH:
		return 0;
	default:
		return utun->channel[option - UTUN_CHANNEL_FIRST];
	}
}

static errno_t
number_get(struct utun *utun, int option, void *data, size_t *len)
{
	u_int32_t value;

	if (!data || *len != sizeof(value))
		return EMSGSIZE;
	lck_mtx_lock(utun->lock);
	value = number_get_locked(utun, option);
	lck_mtx_unlock(utun->lock);
	memcpy(data, &value, sizeof(value));
	return 0;
}

static errno_t
name_get(struct utun *utun, void *data, size_t *len)
{
	errno_t error = 0;
	size_t needed;

	lck_mtx_lock(utun->lock);
	needed = strlen(utun->name) + 1;
	if (!data || *len < needed) {
		error = EMSGSIZE;
	} else if (!utun->is_connected) {
		error = EINVAL;
	} else {
		memcpy(data, utun->name, needed);
		*len = needed;
	}
	lck_mtx_unlock(utun->lock);
	return error;
}

errno_t
utun_getopt(kern_ctl_ref kctlref, u_int32_t unit, void *unitinfo, int option, void *data,
	    size_t *len)
{
	const struct number_option *number = number_option_find(option);
	struct utun *utun = unitinfo;

	(void)kctlref;
	(void)unit;
	if (number && number->can_get)
		return number_get(utun, option, data, len);
	switch (option) {
	case UTUN_OPT_IFNAME:
		return name_get(utun, data, len);
	case UTUN_OPT_GET_CHANNEL_UUID:
		return !data || *len != UTUN_UUID_SIZE ? EMSGSIZE : ENXIO;
	default:
		return ENOPROTOOPT;
	}
}
