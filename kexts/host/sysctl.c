/*
 * The registry of variables: a tree of nodes, each a list of what is in it.
 *
 * The memory of an oid is its kext's.  While its handler runs it is counted (oid_refcnt), and
 * whoever takes it out of the registry waits until that is over.
 */
#include "kexts/host/sysctl.h"

#include "kexts/host/host_log.h"

#include <sys/kauth.h>
#include <sys/proc.h>
#include <sys/sysctl.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ROOT(name) KPI_EXPORT struct sysctl_oid_list sysctl_##name##_children

static struct sysctl_oid_list sysctl__children; /* the top of the tree */
ROOT(_kern);
ROOT(_vm);
ROOT(_vfs);
ROOT(_net);
ROOT(_net_inet);
ROOT(_net_systm);
ROOT(_debug);
ROOT(_hw);
ROOT(_machdep);
ROOT(_user);
ROOT(_security);

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER; /* guards tree and counts */
static pthread_cond_t handler_ended = PTHREAD_COND_INITIALIZER;
static pthread_once_t roots_once = PTHREAD_ONCE_INIT;

/* ---- the tree ---------------------------------------------------------------------------- */

#define NODE(parent, node)                                                                         \
	{                                                                                          \
		.oid_parent = &sysctl_##parent##_children, .oid_kind = CTLTYPE_NODE | CTLFLAG_RW,  \
		.oid_arg1 = &sysctl_##parent##_##node##_children, .oid_name = #node,               \
		.oid_fmt = "N",                                                                    \
	}

static struct sysctl_oid roots[] = {
	NODE(, kern),     NODE(, vm),        NODE(, vfs),      NODE(, net),
	NODE(_net, inet), NODE(_net, systm), NODE(, debug),    NODE(, hw),
	NODE(, machdep),  NODE(, user),      NODE(, security),
};

static void
roots_make(void)
{
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		SLIST_INSERT_HEAD(roots[i].oid_parent, &roots[i], oid_link);
}

static void
registry_lock_take(void)
{
	pthread_once(&roots_once, roots_make);
	pthread_mutex_lock(&registry_lock);
}

static bool
is_node(const struct sysctl_oid *oid)
{
	return (oid->oid_kind & CTLTYPE) == CTLTYPE_NODE;
}

/* In @list, by the first @length bytes of @name. */
static struct sysctl_oid *
child_find_locked(struct sysctl_oid_list *list, const char *name, size_t length)
{
	struct sysctl_oid *oid;

	SLIST_FOREACH(oid, list, oid_link)
	{
		if (strlen(oid->oid_name) == length && memcmp(oid->oid_name, name, length) == 0)
			break;
	}
	return oid;
}

static struct sysctl_oid *
oid_find_locked(const char *name)
{
	struct sysctl_oid_list *list = &sysctl__children;

	for (;;) {
		size_t length = strcspn(name, ".");
		struct sysctl_oid *oid = child_find_locked(list, name, length);

		if (oid == NULL || name[length] == '\0')
			return oid;
		if (!is_node(oid) || oid->oid_arg1 == NULL)
			return NULL;
		list = oid->oid_arg1;
		name += length + 1;
	}
}

KPI_EXPORT void
sysctl_register_oid(struct sysctl_oid *oidp)
{
	registry_lock_take();
	bool known =
	    child_find_locked(oidp->oid_parent, oidp->oid_name, strlen(oidp->oid_name)) != NULL;
	if (!known) {
		oidp->oid_refcnt = 0;
		SLIST_INSERT_HEAD(oidp->oid_parent, oidp, oid_link);
	}
	pthread_mutex_unlock(&registry_lock);
	if (known)
		host_log("sysctl_register_oid: there is a variable %s already", oidp->oid_name);
}

KPI_EXPORT void
sysctl_unregister_oid(struct sysctl_oid *oidp)
{
	struct sysctl_oid *oid;

	registry_lock_take();
	SLIST_FOREACH(oid, oidp->oid_parent, oid_link)
	{
		if (oid == oidp)
			break;
	}
	if (oid != NULL)
		SLIST_REMOVE(oidp->oid_parent, oidp, sysctl_oid, oid_link);
	while (oid != NULL && oidp->oid_refcnt > 0)
		pthread_cond_wait(&handler_ended, &registry_lock);
	pthread_mutex_unlock(&registry_lock);
}

static void
each_locked(struct sysctl_oid_list *list, const char *prefix,
	    void (*found)(const char *name, const char *format, void *context), void *context)
{
	struct sysctl_oid *oid;

	SLIST_FOREACH(oid, list, oid_link)
	{
		char name[SYSCTL_NAME_MAX];
		int length = snprintf(name, sizeof(name), "%s%s%s", prefix,
				      prefix[0] != '\0' ? "." : "", oid->oid_name);

		if (length < 0 || (size_t)length >= sizeof(name))
			continue; /* nobody can ask for it */
		if (!is_node(oid))
			found(name, oid->oid_fmt != NULL ? oid->oid_fmt : "", context);
		else if (oid->oid_arg1 != NULL)
			each_locked(oid->oid_arg1, name, found, context);
	}
}

void
sysctl_each(void (*found)(const char *name, const char *format, void *context), void *context)
{
	registry_lock_take();
	each_locked(&sysctl__children, "", found, context);
	pthread_mutex_unlock(&registry_lock);
}

/* ---- a request --------------------------------------------------------------------------- */

static int
request_out(struct sysctl_req *req, const void *from, size_t size)
{
	size_t room = req->oldptr == 0 ? 0 : req->oldlen - req->oldidx;
	size_t part = size < room ? size : room;

	if (part > 0)
		memcpy((char *)(uintptr_t)req->oldptr + req->oldidx, from, part);
	if (req->oldptr == 0) {
		req->oldidx += size; /* only how many there are */
		return 0;
	}
	req->oldidx += part;
	return part < size ? ENOMEM : 0;
}

static int
request_in(struct sysctl_req *req, void *to, size_t size)
{
	if (req->newptr == 0)
		return 0;
	if (req->newlen - req->newidx < size)
		return EINVAL;
	memcpy(to, (const char *)(uintptr_t)req->newptr + req->newidx, size);
	req->newidx += size;
	return 0;
}

static int
may_request(const struct sysctl_oid *oid, const struct sysctl_req *req)
{
	if (is_node(oid) && oid->oid_handler == NULL)
		return EISDIR;
	if (oid->oid_handler == NULL)
		return EINVAL;
	if ((oid->oid_kind & CTLFLAG_RD) == 0 && req->newptr == 0)
		return EPERM;
	if (req->newptr == 0)
		return 0;
	if ((oid->oid_kind & CTLFLAG_WR) == 0 ||
	    ((oid->oid_kind & CTLFLAG_ANYBODY) == 0 && kauth_getuid() != 0))
		return EPERM;
	return 0;
}

int
sysctl_request(const char *name, void *old, size_t *old_size, const void *new, size_t new_size)
{
	struct sysctl_req req = {
		.p = current_proc(),
		.oldptr = (user_addr_t)(uintptr_t)old,
		.oldlen = old_size != NULL ? *old_size : 0,
		.oldfunc = request_out,
		.newptr = (user_addr_t)(uintptr_t) new,
		.newlen = new_size,
		.newfunc = request_in,
	};

	registry_lock_take();
	struct sysctl_oid *oid = oid_find_locked(name);
	int error = oid == NULL ? ENOENT : may_request(oid, &req);
	if (error == 0)
		oid->oid_refcnt++;
	pthread_mutex_unlock(&registry_lock);
	if (error != 0)
		return error;

	error = oid->oid_handler(oid, oid->oid_arg1, oid->oid_arg2, &req);

	pthread_mutex_lock(&registry_lock);
	oid->oid_refcnt--;
	pthread_cond_broadcast(&handler_ended);
	pthread_mutex_unlock(&registry_lock);
	if (old_size != NULL)
		*old_size = req.oldidx;
	return error;
}

/* ---- handlers ---------------------------------------------------------------------------- */

/* A value of @size bytes at @arg1, or the constant @arg2, as kexts write SYSCTL_INT with NULL. */
static int
handle_number(void *arg1, const void *constant, size_t size, struct sysctl_req *req)
{
	int error = SYSCTL_OUT(req, arg1 != NULL ? arg1 : constant, size);

	if (error != 0 || req->newptr == 0)
		return error;
	if (arg1 == NULL)
		return EPERM;
	return req->newlen != size ? EINVAL : SYSCTL_IN(req, arg1, size);
}

KPI_EXPORT int sysctl_handle_int SYSCTL_HANDLER_ARGS
{
	return handle_number(arg1, &arg2, sizeof(int), req);
}

KPI_EXPORT int sysctl_handle_long SYSCTL_HANDLER_ARGS
{
	return arg1 != NULL ? handle_number(arg1, NULL, sizeof(long), req) : EINVAL;
}

KPI_EXPORT int sysctl_handle_quad SYSCTL_HANDLER_ARGS
{
	return arg1 != NULL ? handle_number(arg1, NULL, sizeof(long long), req) : EINVAL;
}

KPI_EXPORT int sysctl_handle_opaque SYSCTL_HANDLER_ARGS
{
	if (arg1 == NULL || arg2 < 0)
		return EINVAL;
	return handle_number(arg1, NULL, (size_t)arg2, req);
}

KPI_EXPORT int
sysctl_io_string(struct sysctl_req *req, char *pValue, size_t valueSize, int trunc, int *changed)
{
	size_t length = strnlen(pValue, valueSize);
	size_t shown = length + 1; /* with the NUL */

	if (changed != NULL)
		*changed = 0;
	if (trunc && req->oldptr != 0 && req->oldlen < shown && req->oldlen > 0) {
		shown = req->oldlen;
		length = shown - 1;
	}
	int error = SYSCTL_OUT(req, pValue, length);
	if (error == 0)
		error = SYSCTL_OUT(req, "", 1);
	if (error != 0 || req->newptr == 0)
		return error;
	if (req->newlen >= valueSize)
		return EINVAL;
	size_t new_size = req->newlen;
	error = SYSCTL_IN(req, pValue, new_size);
	if (error != 0)
		return error;
	pValue[new_size] = '\0';
	if (changed != NULL)
		*changed = 1;
	return 0;
}

KPI_EXPORT int sysctl_handle_string SYSCTL_HANDLER_ARGS
{
	if (arg1 == NULL)
		return EINVAL;
	/* without a size it is a constant */
	if (arg2 <= 0)
		return req->newptr != 0 ? EPERM
					: sysctl_io_string(req, arg1, strlen(arg1) + 1, 0, NULL);
	return sysctl_io_string(req, arg1, (size_t)arg2, 0, NULL);
}

KPI_EXPORT int
sysctl_io_number(struct sysctl_req *req, long long bigValue, size_t valueSize, void *pValue,
		 int *changed)
{
	int small = (int)bigValue;
	int error;

	if (changed != NULL)
		*changed = 0;
	if (valueSize != sizeof(int) && valueSize != sizeof(long long))
		return EINVAL;
	error = SYSCTL_OUT(req, valueSize == sizeof(int) ? (void *)&small : (void *)&bigValue,
			   valueSize);
	if (error != 0 || req->newptr == 0)
		return error;
	if (pValue == NULL)
		return EPERM;
	if (req->newlen != valueSize)
		return EINVAL;
	error = SYSCTL_IN(req, pValue, valueSize);
	if (error == 0 && changed != NULL)
		*changed = 1;
	return error;
}
