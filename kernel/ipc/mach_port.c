/*
 * Names: making them, dropping and counting what they hold.
 */
#include "ipc/mach_port.h"

#include "ipc/ipc_right.h"
#include "kern/task.h"

/* ---- arguments ------------------------------------------------------------------------- */

kern_return_t
ipc_space_find_entry(struct ipc_space *space, mach_port_name_t name, kern_return_t no_name,
		     struct ipc_entry **entry)
{
	if (!MACH_PORT_VALID(name))
		return no_name;
	*entry = ipc_space_find(space, name);
	return *entry ? KERN_SUCCESS : KERN_INVALID_NAME;
}

kern_return_t
ipc_space_find_receive(struct ipc_space *space, mach_port_name_t name, kern_return_t no_name,
		       struct ipc_port **port)
{
	struct ipc_entry *entry;
	mach_port_type_t type;
	kern_return_t kr = ipc_space_find_entry(space, name, no_name, &entry);

	if (kr != KERN_SUCCESS)
		return kr;
	type = ie_type(entry);
	if (type == MACH_PORT_TYPE_DEAD_NAME)
		return KERN_INVALID_NAME;
	if (type & MACH_PORT_TYPE_RECEIVE) {
		*port = entry->port;
		return KERN_SUCCESS;
	}
	if (type != MACH_PORT_TYPE_PORT_SET && !ip_active(entry->port))
		return KERN_INVALID_NAME;
	return KERN_INVALID_RIGHT;
}

/* ---- making names ------------------------------------------------------------------------ */

static void
entry_becomes(struct ipc_entry *entry, mach_port_type_t type, uint32_t urefs)
{
	entry->bits = (entry->bits & ~(IE_TYPE_MASK | IE_UREFS_MASK)) | type | urefs;
}

static void
entry_takes_port(struct ipc_space *space, struct ipc_entry *entry, struct ipc_port *port)
{
	entry->port = port;
	entry_becomes(entry, MACH_PORT_TYPE_RECEIVE, 0);
	port->object.place = PORT_IN_SPACE;
	port->receiver = space;
	port->receiver_name = ie_name(space, entry);
	space->port_count++;
	KERNEL_TRACE(space->kernel, .kind = TRACE_IPC_PORT_ALLOC, .name = port->receiver_name,
		     .port_id = port->id);
}

static bool
can_be_allocated(mach_port_right_t right)
{
	return right == MACH_PORT_RIGHT_RECEIVE || right == MACH_PORT_RIGHT_PORT_SET ||
	       right == MACH_PORT_RIGHT_DEAD_NAME;
}

/*
 * A new right in @entry's place.  @space has room for one name; @wanted is its entry, or NULL
 * for a name that the space chooses.
 */
static kern_return_t
allocate_right(struct ipc_space *space, mach_port_right_t right, struct ipc_entry *wanted,
	       mach_port_name_t *name)
{
	struct kernel *k = space->kernel;
	struct ipc_port *port = NULL;
	struct ipc_pset *pset = NULL;

	if (right == MACH_PORT_RIGHT_RECEIVE) {
		port = ipc_port_new(k, space->task->account);
		if (!port)
			return KERN_RESOURCE_SHORTAGE;
	} else if (right == MACH_PORT_RIGHT_PORT_SET) {
		pset = ipc_pset_new(k, space);
		if (!pset)
			return KERN_RESOURCE_SHORTAGE;
	}

	struct ipc_entry *entry = wanted ? wanted : ipc_entry_alloc(space, name);

	*name = ie_name(space, entry);
	if (port) {
		entry_takes_port(space, entry, port);
	} else if (pset) {
		entry->pset = pset;
		entry_becomes(entry, MACH_PORT_TYPE_PORT_SET, 0);
		pset->name = *name;
	} else {
		entry_becomes(entry, MACH_PORT_TYPE_DEAD_NAME, 1);
	}
	return KERN_SUCCESS;
}

static kern_return_t
allocate_anywhere(struct ipc_space *space, mach_port_right_t right, mach_port_name_t *name)
{
	kern_return_t kr;

	*name = MACH_PORT_NULL;
	if (!can_be_allocated(right))
		return KERN_INVALID_VALUE;
	kr = ipc_space_reserve(space, 1);
	return kr == KERN_SUCCESS ? allocate_right(space, right, NULL, name) : kr;
}

static kern_return_t
allocate_named(struct ipc_space *space, mach_port_right_t right, mach_port_name_t wanted,
	       mach_port_name_t *name)
{
	struct ipc_entry *entry;
	kern_return_t kr;

	*name = MACH_PORT_NULL;
	if (!MACH_PORT_VALID(wanted) || !can_be_allocated(right))
		return KERN_INVALID_VALUE;
	/* a quirk that programs may have met: dead names are made under another name */
	if (right == MACH_PORT_RIGHT_DEAD_NAME)
		return allocate_anywhere(space, right, name);
	kr = ipc_entry_alloc_name(space, wanted, &entry);
	if (kr != KERN_SUCCESS)
		return kr;
	kr = allocate_right(space, right, entry, name);
	if (kr != KERN_SUCCESS)
		ipc_entry_free(space, entry);
	return kr;
}

kern_return_t
mach_port_allocate(struct ipc_space *space, mach_port_right_t right, mach_port_name_t *name)
{
	return space ? allocate_anywhere(space, right, name) : KERN_INVALID_TASK;
}

kern_return_t
mach_port_allocate_name(struct ipc_space *space, mach_port_right_t right, mach_port_name_t name)
{
	mach_port_name_t unused;

	return space ? allocate_named(space, right, name, &unused) : KERN_INVALID_TASK;
}

kern_return_t
mach_port_allocate_full(struct ipc_space *space, mach_port_right_t right, struct ipc_port *proto,
			mach_port_qos_t *qos, mach_port_name_t *name)
{
	if (!space)
		return KERN_INVALID_TASK;
	if (proto || (qos->name && !MACH_PORT_VALID(*name)))
		return KERN_INVALID_VALUE;
	if (qos->prealloc && qos->len > KMSG_SIZE_MAX)
		return KERN_RESOURCE_SHORTAGE;
	if (qos->prealloc && right != MACH_PORT_RIGHT_RECEIVE)
		return KERN_INVALID_VALUE;
	return qos->name ? allocate_named(space, right, *name, name)
			 : allocate_anywhere(space, right, name);
}

kern_return_t
mach_port_allocate_qos(struct ipc_space *space, mach_port_right_t right, mach_port_qos_t *qos,
		       mach_port_name_t *name)
{
	if (space && qos->name)
		return KERN_INVALID_ARGUMENT;
	return mach_port_allocate_full(space, right, NULL, qos, name);
}

static bool
more_than_one(uint32_t bits)
{
	return (bits & (bits - 1)) != 0;
}

kern_return_t
mach_port_construct(struct ipc_space *space, mach_port_options_t *options, uint64_t context,
		    mach_port_name_t *name)
{
	const uint32_t flags = options->flags;
	kern_return_t kr;

	if (!space)
		return KERN_INVALID_TASK;
	if (more_than_one(flags &
			  (MPO_SERVICE_PORT | MPO_CONNECTION_PORT | MPO_TG_BLOCK_TRACKING)) ||
	    more_than_one(flags & (MPO_REPLY_PORT | MPO_ENFORCE_REPLY_PORT_SEMANTICS |
				   MPO_EXCEPTION_PORT | MPO_PROVISIONAL_REPLY_PORT)))
		return KERN_INVALID_ARGUMENT;
	if (flags & (MPO_TG_BLOCK_TRACKING | MPO_SERVICE_PORT))
		return KERN_DENIED;
	if ((flags & MPO_QLIMIT) && options->mpl.mpl_qlimit > MACH_PORT_QLIMIT_MAX)
		return KERN_INVALID_VALUE;
	kr = allocate_anywhere(space, MACH_PORT_RIGHT_RECEIVE, name);
	if (kr != KERN_SUCCESS)
		return kr;

	struct ipc_entry *entry = ipc_space_find(space, *name);
	struct ipc_port *port = entry->port;

	port->context = context;
	if (flags & MPO_CONTEXT_AS_GUARD) {
		port->object.flags |= IPC_PORT_GUARDED;
		if (flags & MPO_STRICT)
			port->object.flags |= IPC_PORT_STRICT_GUARD;
		if (flags & MPO_IMMOVABLE_RECEIVE)
			port->object.flags |= IPC_PORT_IMMOVABLE;
	}
	if (flags & MPO_QLIMIT)
		port->qlimit = options->mpl.mpl_qlimit;
	if (flags & MPO_INSERT_SEND_RIGHT) {
		port->mscount++;
		port->srights++;
		entry_becomes(entry, MACH_PORT_TYPE_SEND_RECEIVE, 1);
	}
	return KERN_SUCCESS;
}

/* ---- dropping and counting ----------------------------------------------------------------- */

kern_return_t
mach_port_destruct(struct ipc_space *space, mach_port_name_t name, mach_port_delta_t srdelta,
		   uint64_t guard)
{
	struct ipc_entry *entry;
	kern_return_t kr = space ? ipc_space_find_entry(space, name, KERN_INVALID_NAME, &entry)
				 : KERN_INVALID_TASK;

	return kr == KERN_SUCCESS ? ipc_right_destruct(space, entry, srdelta, guard) : kr;
}

kern_return_t
mach_port_destroy(struct ipc_space *space, mach_port_name_t name)
{
	struct ipc_entry *entry = NULL;
	kern_return_t kr =
	    space ? ipc_space_find_entry(space, name, KERN_SUCCESS, &entry) : KERN_INVALID_TASK;

	return kr == KERN_SUCCESS && entry ? ipc_right_destroy(space, entry, true) : kr;
}

kern_return_t
mach_port_deallocate(struct ipc_space *space, mach_port_name_t name)
{
	struct ipc_entry *entry = NULL;
	kern_return_t kr =
	    space ? ipc_space_find_entry(space, name, KERN_SUCCESS, &entry) : KERN_INVALID_TASK;

	return kr == KERN_SUCCESS && entry ? ipc_right_dealloc(space, entry) : kr;
}

/* The entry whose @right is meant; success without one for 0 and DEAD, if they have such. */
static kern_return_t
find_counted(struct ipc_space *space, mach_port_name_t name, mach_port_right_t right,
	     struct ipc_entry **entry)
{
	*entry = NULL;
	if (!space)
		return KERN_INVALID_TASK;
	if (right >= MACH_PORT_RIGHT_NUMBER)
		return KERN_INVALID_VALUE;
	return ipc_space_find_entry(
	    space, name,
	    right == MACH_PORT_RIGHT_SEND || right == MACH_PORT_RIGHT_SEND_ONCE ? KERN_SUCCESS
										: KERN_INVALID_NAME,
	    entry);
}

kern_return_t
mach_port_get_refs(struct ipc_space *space, mach_port_name_t name, mach_port_right_t right,
		   mach_port_urefs_t *refs)
{
	struct ipc_entry *entry;
	kern_return_t kr = find_counted(space, name, right, &entry);

	if (kr != KERN_SUCCESS)
		return kr;
	if (!entry) {
		*refs = 1;
		return KERN_SUCCESS;
	}
	ipc_right_notice(space, entry);
	if (!(ie_type(entry) & MACH_PORT_TYPE(right)))
		*refs = 0;
	else if (right == MACH_PORT_RIGHT_SEND || right == MACH_PORT_RIGHT_DEAD_NAME)
		*refs = ie_urefs(entry);
	else
		*refs = 1;
	return KERN_SUCCESS;
}

kern_return_t
mach_port_mod_refs(struct ipc_space *space, mach_port_name_t name, mach_port_right_t right,
		   mach_port_delta_t delta)
{
	struct ipc_entry *entry;
	kern_return_t kr = find_counted(space, name, right, &entry);

	return kr == KERN_SUCCESS && entry ? ipc_right_delta(space, entry, right, delta) : kr;
}

/* ---- what is left of an old call --------------------------------------------------------------
 */

kern_return_t
task_set_port_space(struct ipc_space *space, int table_entries)
{
	(void)table_entries;
	return space ? KERN_SUCCESS : KERN_INVALID_TASK;
}
