/* Darwin's calls as single traps: see calls.h. */
#include <stdio.h>
#include <string.h>

#include "tests/support/calls.h"
#include "wire/promise.h"

kern_return_t
trap(struct actor *t, uint32_t number, uint64_t arg1, uint64_t arg2, uint64_t arg3, uint64_t arg4,
     uint64_t arg5, uint64_t arg6)
{
	struct trap_frame frame = { .number = number,
				    .args = { arg1, arg2, arg3, arg4, arg5, arg6 } };

	if (!world_trap(t, &frame))
		fail_msg("trap %u blocks", number);
	return t->outcome.code;
}

static uint64_t
value(const struct actor *t, int index)
{
	return t->outcome.values[index];
}

/* A call that gives a name. */
static kern_return_t
trap_name(struct actor *t, uint32_t number, uint64_t arg2, uint64_t arg3, uint64_t arg4,
	  uint64_t arg5, mach_port_name_t *name)
{
	kern_return_t kr = trap(t, number, t->target, arg2, arg3, arg4, arg5, 0);

	*name = kr == KERN_SUCCESS ? (mach_port_name_t)value(t, 0) : MACH_PORT_NULL;
	return kr;
}

kern_return_t
port_allocate(struct actor *t, mach_port_right_t right, mach_port_name_t *name)
{
	return trap_name(t, BERTH_TRAP_PORT_ALLOCATE, right, 0, 0, 0, name);
}

kern_return_t
port_allocate_name(struct actor *t, mach_port_right_t right, mach_port_name_t name)
{
	return trap(t, BERTH_TRAP_PORT_ALLOCATE_NAME, t->target, right, name, 0, 0, 0);
}

kern_return_t
port_allocate_full(struct actor *t, mach_port_right_t right, uint32_t qos_flags, uint32_t qos_len,
		   mach_port_name_t *name)
{
	return trap_name(t, BERTH_TRAP_PORT_ALLOCATE_FULL, right, *name, qos_flags, qos_len, name);
}

kern_return_t
port_construct(struct actor *t, uint32_t flags, uint32_t qlimit, uint64_t context,
	       mach_port_name_t *name)
{
	return trap_name(t, BERTH_TRAP_PORT_CONSTRUCT, flags, qlimit, context, 0, name);
}

kern_return_t
port_destruct(struct actor *t, mach_port_name_t name, int32_t srdelta, uint64_t guard)
{
	return trap(t, BERTH_TRAP_PORT_DESTRUCT, t->target, name, (uint64_t)(int64_t)srdelta, guard,
		    0, 0);
}

kern_return_t
port_destroy(struct actor *t, mach_port_name_t name)
{
	return trap(t, BERTH_TRAP_PORT_DESTROY, t->target, name, 0, 0, 0, 0);
}

kern_return_t
port_deallocate(struct actor *t, mach_port_name_t name)
{
	uint64_t given = promise_word(name, PROMISE_GIVEN);

	/* every other time, as the library does always */
	if (t->target == BERTH_NAME_TASK_SELF && atomic_load(&t->promise) == given) {
		t->has_asked = !t->has_asked;
		if (!t->has_asked) {
			atomic_store(&t->promise, promise_word(name, PROMISE_TAKEN));
			return KERN_SUCCESS;
		}
	}
	return trap(t, BERTH_TRAP_PORT_DEALLOCATE, t->target, name, 0, 0, 0, 0);
}

kern_return_t
port_get_refs(struct actor *t, mach_port_name_t name, mach_port_right_t right, uint32_t *refs)
{
	kern_return_t kr = trap(t, BERTH_TRAP_PORT_GET_REFS, t->target, name, right, 0, 0, 0);

	*refs = kr == KERN_SUCCESS ? (uint32_t)value(t, 0) : 0;
	return kr;
}

kern_return_t
port_mod_refs(struct actor *t, mach_port_name_t name, mach_port_right_t right, int32_t delta)
{
	return trap(t, BERTH_TRAP_PORT_MOD_REFS, t->target, name, right, (uint64_t)(int64_t)delta,
		    0, 0);
}

kern_return_t
port_insert_right(struct actor *t, mach_port_name_t name, mach_port_name_t poly,
		  uint32_t disposition)
{
	return trap(t, BERTH_TRAP_PORT_INSERT_RIGHT, t->target, name, poly, disposition, 0, 0);
}

kern_return_t
port_extract_right(struct actor *t, mach_port_name_t name, uint32_t disposition,
		   mach_port_name_t *poly, uint32_t *poly_type)
{
	kern_return_t kr =
	    trap(t, BERTH_TRAP_PORT_EXTRACT_RIGHT, t->target, name, disposition, 0, 0, 0);

	*poly = kr == KERN_SUCCESS ? (mach_port_name_t)value(t, 0) : MACH_PORT_NULL;
	*poly_type = kr == KERN_SUCCESS ? (uint32_t)value(t, 1) : 0;
	return kr;
}

kern_return_t
port_insert_member(struct actor *t, mach_port_name_t name, mach_port_name_t set)
{
	return trap(t, BERTH_TRAP_PORT_INSERT_MEMBER, t->target, name, set, 0, 0, 0);
}

kern_return_t
port_extract_member(struct actor *t, mach_port_name_t name, mach_port_name_t set)
{
	return trap(t, BERTH_TRAP_PORT_EXTRACT_MEMBER, t->target, name, set, 0, 0, 0);
}

kern_return_t
port_move_member(struct actor *t, mach_port_name_t name, mach_port_name_t set)
{
	return trap(t, BERTH_TRAP_PORT_MOVE_MEMBER, t->target, name, set, 0, 0, 0);
}

kern_return_t
port_get_set_status(struct actor *t, mach_port_name_t name, const mach_port_name_t **members,
		    uint32_t *count)
{
	kern_return_t kr = trap(t, BERTH_TRAP_PORT_GET_SET_STATUS, t->target, name, 0, 0, 0, 0);

	*count = kr == KERN_SUCCESS ? (uint32_t)value(t, 0) : 0;
	*members = (const mach_port_name_t *)(const void *)t->outcome.bytes;
	if (kr == KERN_SUCCESS)
		assert_int_equal(t->outcome.bytes_size, *count * sizeof **members);
	return kr;
}

kern_return_t
port_request_notification(struct actor *t, mach_port_name_t name, int32_t msgid, uint32_t sync,
			  mach_port_name_t notify, uint32_t disposition, mach_port_name_t *previous)
{
	struct trap_frame frame = { .number = BERTH_TRAP_PORT_REQUEST_NOTIFICATION,
				    .args = { t->target, name, (uint64_t)(int64_t)msgid, sync,
					      notify, disposition } };

	if (!world_trap(t, &frame))
		fail_msg("request_notification blocks");
	if (previous)
		*previous = t->outcome.code == KERN_SUCCESS ? (mach_port_name_t)value(t, 0)
							    : MACH_PORT_NULL;
	return t->outcome.code;
}

kern_return_t
port_get_attributes(struct actor *t, mach_port_name_t name, int flavor, void *info, uint32_t *count)
{
	kern_return_t kr = trap(t, BERTH_TRAP_PORT_GET_ATTRIBUTES, t->target, name,
				(uint64_t)flavor, *count, 0, 0);

	if (kr != KERN_SUCCESS)
		return kr;
	/* of no port the count stays as asked, for one number: mach-ports.md §9 */
	const uint32_t asked = *count;

	*count = (uint32_t)value(t, 0);
	assert_true(t->outcome.bytes_size >= *count * 4 ||
		    (*count == asked && !MACH_PORT_VALID(name)));
	if (t->outcome.bytes_size > 0)
		memcpy(info, t->outcome.bytes, t->outcome.bytes_size);
	return kr;
}

static kern_return_t
trap_info(struct actor *t, uint32_t number, mach_port_name_t name, int flavor, const void *info,
	  uint32_t count)
{
	struct trap_frame frame = { .number = number,
				    .args = { t->target, name, (uint64_t)flavor, count },
				    .bytes = info,
				    .bytes_size = count * 4 };

	if (!world_trap(t, &frame))
		fail_msg("trap %u blocks", number);
	return t->outcome.code;
}

kern_return_t
port_set_attributes(struct actor *t, mach_port_name_t name, int flavor, const void *info,
		    uint32_t count)
{
	return trap_info(t, BERTH_TRAP_PORT_SET_ATTRIBUTES, name, flavor, info, count);
}

kern_return_t
port_assert_attributes(struct actor *t, mach_port_name_t name, int flavor, const void *info,
		       uint32_t count)
{
	return trap_info(t, BERTH_TRAP_PORT_ASSERT_ATTRIBUTES, name, flavor, info, count);
}

kern_return_t
port_get_context(struct actor *t, mach_port_name_t name, uint64_t *context)
{
	kern_return_t kr = trap(t, BERTH_TRAP_PORT_GET_CONTEXT, t->target, name, 0, 0, 0, 0);

	*context = kr == KERN_SUCCESS ? value(t, 0) : 0;
	return kr;
}

kern_return_t
port_set_context(struct actor *t, mach_port_name_t name, uint64_t context)
{
	return trap(t, BERTH_TRAP_PORT_SET_CONTEXT, t->target, name, context, 0, 0, 0);
}

kern_return_t
port_guard(struct actor *t, mach_port_name_t name, uint64_t guard, uint32_t flags)
{
	return trap(t, BERTH_TRAP_PORT_GUARD, t->target, name, guard, flags, 0, 0);
}

kern_return_t
port_unguard(struct actor *t, mach_port_name_t name, uint64_t guard)
{
	return trap(t, BERTH_TRAP_PORT_UNGUARD, t->target, name, guard, 0, 0, 0);
}

kern_return_t
port_swap_guard(struct actor *t, mach_port_name_t name, uint64_t old, uint64_t new)
{
	return trap(t, BERTH_TRAP_PORT_SWAP_GUARD, t->target, name, old, new, 0, 0);
}

kern_return_t
port_set_mscount(struct actor *t, mach_port_name_t name, uint32_t mscount)
{
	return trap(t, BERTH_TRAP_PORT_SET_MSCOUNT, t->target, name, mscount, 0, 0, 0);
}

kern_return_t
port_set_seqno(struct actor *t, mach_port_name_t name, uint32_t seqno)
{
	return trap(t, BERTH_TRAP_PORT_SET_SEQNO, t->target, name, seqno, 0, 0, 0);
}

kern_return_t
port_get_srights(struct actor *t, mach_port_name_t name, uint32_t *srights)
{
	kern_return_t kr = trap(t, BERTH_TRAP_PORT_GET_SRIGHTS, t->target, name, 0, 0, 0, 0);

	*srights = kr == KERN_SUCCESS ? (uint32_t)value(t, 0) : 0;
	return kr;
}

kern_return_t
port_type(struct actor *t, mach_port_name_t name, mach_port_type_t *type)
{
	kern_return_t kr = trap(t, BERTH_TRAP_PORT_TYPE, t->target, name, 0, 0, 0, 0);

	*type = kr == KERN_SUCCESS ? (mach_port_type_t)value(t, 0) : 0;
	return kr;
}

kern_return_t
get_special_port(struct actor *t, int which, mach_port_name_t *name)
{
	return trap_name(t, BERTH_TRAP_TASK_GET_SPECIAL_PORT, (uint64_t)which, 0, 0, 0, name);
}

kern_return_t
set_special_port(struct actor *t, int which, mach_port_name_t name)
{
	return trap(t, BERTH_TRAP_TASK_SET_SPECIAL_PORT, t->target, (uint64_t)which, name, 0, 0, 0);
}

kern_return_t
ports_register(struct actor *t, uint32_t count, mach_port_name_t first, mach_port_name_t second,
	       mach_port_name_t third)
{
	return trap(t, BERTH_TRAP_PORTS_REGISTER, t->target, count, first, second, third, 0);
}

kern_return_t
ports_lookup(struct actor *t, mach_port_name_t names[3])
{
	kern_return_t kr = trap(t, BERTH_TRAP_PORTS_LOOKUP, t->target, 0, 0, 0, 0, 0);

	for (int i = 0; i < 3; i++)
		names[i] = kr == KERN_SUCCESS ? (mach_port_name_t)value(t, i) : MACH_PORT_NULL;
	return kr;
}

static mach_port_name_t
trap_own(struct actor *t, uint32_t number)
{
	kern_return_t kr = trap(t, number, 0, 0, 0, 0, 0, 0);

	return kr == KERN_SUCCESS ? (mach_port_name_t)value(t, 0) : MACH_PORT_NULL;
}

mach_port_name_t
reply_port(struct actor *t)
{
	return trap_own(t, BERTH_TRAP_REPLY_PORT);
}

mach_port_name_t
task_self(struct actor *t)
{
	return trap_own(t, BERTH_TRAP_TASK_SELF);
}

mach_port_name_t
thread_self(struct actor *t)
{
	return trap_own(t, BERTH_TRAP_THREAD_SELF);
}

mach_port_name_t
host_self(struct actor *t)
{
	return trap_own(t, BERTH_TRAP_HOST_SELF);
}

mach_port_name_t
special_reply_port(struct actor *t)
{
	return trap_own(t, BERTH_TRAP_GET_SPECIAL_REPLY_PORT);
}

kern_return_t
fileport_make(struct actor *t, struct file *file, mach_port_name_t *name)
{
	struct trap_frame frame = { .number = BERTH_TRAP_FILEPORT_MAKE,
				    .file = file ? &file->core : NULL };

	assert_true(world_trap(t, &frame));
	*name = (mach_port_name_t)t->outcome.values[0];
	return t->outcome.code;
}

kern_return_t
fileport_open(struct actor *t, mach_port_name_t name, const struct file **file)
{
	kern_return_t kr = trap(t, BERTH_TRAP_FILEPORT_OPEN, name, 0, 0, 0, 0, 0);

	*file = t->outcome.file;
	assert_int_equal(kr == KERN_SUCCESS, *file != NULL);
	return kr;
}

kern_return_t
memory_entry_make(struct actor *t, struct file *file, uint64_t offset, uint64_t size,
		  uint64_t protection, uint64_t data, mach_port_name_t *name)
{
	struct trap_frame frame = { .number = BERTH_TRAP_MEMORY_ENTRY_MAKE,
				    .args = { offset, size, protection, data },
				    .file = file ? &file->core : NULL };

	assert_true(world_trap(t, &frame));
	*name = (mach_port_name_t)t->outcome.values[0];
	return t->outcome.code;
}

kern_return_t
memory_entry_open(struct actor *t, mach_port_name_t name, const struct file **file)
{
	kern_return_t kr = trap(t, BERTH_TRAP_MEMORY_ENTRY_OPEN, name, 0, 0, 0, 0, 0);

	*file = t->outcome.file;
	assert_int_equal(kr == KERN_SUCCESS, *file != NULL);
	return kr;
}

/* ---- short ways ---------------------------------------------------------------------- */

mach_port_name_t
new_port(struct actor *t)
{
	mach_port_name_t name;

	assert_ok(port_allocate(t, MACH_PORT_RIGHT_RECEIVE, &name));
	return name;
}

mach_port_name_t
new_port_with_send(struct actor *t)
{
	mach_port_name_t name = new_port(t);

	assert_ok(port_insert_right(t, name, name, MACH_MSG_TYPE_MAKE_SEND));
	return name;
}

mach_port_name_t
new_set(struct actor *t)
{
	mach_port_name_t name;

	assert_ok(port_allocate(t, MACH_PORT_RIGHT_PORT_SET, &name));
	return name;
}

mach_port_name_t
new_fileport(struct actor *t, const struct file **file)
{
	struct file *made = file_new(t->world);
	mach_port_name_t name;

	assert_ok(fileport_make(t, made, &name));
	file_drop(made);
	*file = made;
	return name;
}

mach_port_name_t
new_dead_name(struct actor *t)
{
	mach_port_name_t name;

	assert_ok(port_allocate(t, MACH_PORT_RIGHT_DEAD_NAME, &name));
	return name;
}

mach_port_name_t
new_send_once(struct actor *t, mach_port_name_t port)
{
	mach_port_name_t name;
	uint32_t type;

	assert_ok(port_extract_right(t, port, MACH_MSG_TYPE_MAKE_SEND_ONCE, &name, &type));
	assert_int_equal(type, MACH_MSG_TYPE_PORT_SEND_ONCE);
	return name;
}

mach_port_type_t
type_of(struct actor *t, mach_port_name_t name)
{
	mach_port_type_t type;
	kern_return_t kr = port_type(t, name, &type);

	if (kr != KERN_INVALID_NAME)
		assert_code(kr, KERN_SUCCESS);
	return type & (MACH_PORT_TYPE_ALL_RIGHTS);
}

uint32_t
refs_of(struct actor *t, mach_port_name_t name, mach_port_right_t right)
{
	uint32_t refs;
	kern_return_t kr = port_get_refs(t, name, right, &refs);

	if (kr != KERN_INVALID_NAME)
		assert_code(kr, KERN_SUCCESS);
	return refs;
}

uint32_t
send_refs(struct actor *t, mach_port_name_t name)
{
	return refs_of(t, name, MACH_PORT_RIGHT_SEND);
}

uint32_t
dead_refs(struct actor *t, mach_port_name_t name)
{
	return refs_of(t, name, MACH_PORT_RIGHT_DEAD_NAME);
}

mach_port_status_t
status_of(struct actor *t, mach_port_name_t name)
{
	mach_port_status_t status = { 0 };
	uint32_t count = sizeof status / 4;

	assert_ok(port_get_attributes(t, name, MACH_PORT_RECEIVE_STATUS, &status, &count));
	assert_int_equal(count, sizeof status / 4);
	return status;
}

uint32_t
srights_of(struct actor *t, mach_port_name_t name)
{
	uint32_t srights;

	assert_ok(port_get_srights(t, name, &srights));
	return srights;
}

uint32_t
msgcount_of(struct actor *t, mach_port_name_t name)
{
	return status_of(t, name).mps_msgcount;
}

void
set_qlimit(struct actor *t, mach_port_name_t name, uint32_t qlimit)
{
	mach_port_limits_t limits = { qlimit };

	assert_ok(port_set_attributes(t, name, MACH_PORT_LIMITS_INFO, &limits, 1));
}

void
check_entry(struct actor *t, mach_port_name_t name, mach_port_type_t type, uint32_t refs,
	    const char *what, const char *file, int line)
{
	mach_port_type_t is = type_of(t, name);
	uint32_t has = 0;

	if (is & MACH_PORT_TYPE_SEND)
		has = send_refs(t, name);
	else if (is & MACH_PORT_TYPE_DEAD_NAME)
		has = dead_refs(t, name);
	else if (is & MACH_PORT_TYPE_SEND_ONCE)
		has = refs_of(t, name, MACH_PORT_RIGHT_SEND_ONCE);
	if (is == type && has == refs)
		return;
	print_error("%s: %#x is of type %#x with %u user references, not %#x with %u\n", what, name,
		    is, has, type, refs);
	_fail(file, line);
}

/* ---- codes ---------------------------------------------------------------------------- */

#define CODE(code_)                                                                                \
	{                                                                                          \
		code_, #code_                                                                      \
	}

static const struct {
	kern_return_t code;
	const char *name;
} codes[] = {
	CODE(KERN_SUCCESS),
	CODE(KERN_INVALID_ADDRESS),
	CODE(KERN_NO_SPACE),
	CODE(KERN_INVALID_ARGUMENT),
	CODE(KERN_FAILURE),
	CODE(KERN_RESOURCE_SHORTAGE),
	CODE(KERN_NO_ACCESS),
	CODE(KERN_ALREADY_IN_SET),
	CODE(KERN_NOT_IN_SET),
	CODE(KERN_NAME_EXISTS),
	CODE(KERN_INVALID_NAME),
	CODE(KERN_INVALID_TASK),
	CODE(KERN_INVALID_RIGHT),
	CODE(KERN_INVALID_VALUE),
	CODE(KERN_UREFS_OVERFLOW),
	CODE(KERN_INVALID_CAPABILITY),
	CODE(KERN_RIGHT_EXISTS),
	CODE(KERN_NOT_SUPPORTED),
	CODE(KERN_DENIED),
	CODE(MACH_SEND_INVALID_DATA),
	CODE(MACH_SEND_INVALID_DEST),
	CODE(MACH_SEND_TIMED_OUT),
	CODE(MACH_SEND_INVALID_VOUCHER),
	CODE(MACH_SEND_INTERRUPTED),
	CODE(MACH_SEND_MSG_TOO_SMALL),
	CODE(MACH_SEND_INVALID_REPLY),
	CODE(MACH_SEND_INVALID_RIGHT),
	CODE(MACH_SEND_INVALID_MEMORY),
	CODE(MACH_SEND_NO_BUFFER),
	CODE(MACH_SEND_TOO_LARGE),
	CODE(MACH_SEND_INVALID_TYPE),
	CODE(MACH_SEND_INVALID_HEADER),
	CODE(MACH_RCV_INVALID_NAME),
	CODE(MACH_RCV_TIMED_OUT),
	CODE(MACH_RCV_TOO_LARGE),
	CODE(MACH_RCV_INTERRUPTED),
	CODE(MACH_RCV_PORT_CHANGED),
	CODE(MACH_RCV_INVALID_NOTIFY),
	CODE(MACH_RCV_INVALID_DATA),
	CODE(MACH_RCV_HEADER_ERROR),
	CODE(MACH_RCV_BODY_ERROR),
};

const char *
code_name(kern_return_t code)
{
	static char other[2][16];
	static int turn;

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (codes[i].code == code)
			return codes[i].name;
	turn = !turn;
	snprintf(other[turn], sizeof other[turn], "%#x", (unsigned)code);
	return other[turn];
}

void
check_code(kern_return_t code, kern_return_t expected, const char *call, const char *file, int line)
{
	if (code == expected)
		return;
	print_error("%s: %s, not %s\n", call, code_name(code), code_name(expected));
	_fail(file, line);
}
