/* The routines that the kernel serves: see kernel_routines.h.  Compiled as stubs are. */
#include "ipc/ipc_kobject_stubs.h"

#include "tests/faults/kernel_routines.h"

#include "kernel_subsystems.h"

#define AS_TABLE(name) (mig_subsystem_t)(uintptr_t) & name##_subsystem,
#define AS_NAMES(name) subsystem_to_name_map_##name,

static const struct mig_subsystem *const subsystems[] = { KERNEL_SUBSYSTEMS(AS_TABLE) };

static const struct {
	const char *name;
	int32_t id;
} names[] = { KERNEL_SUBSYSTEMS(AS_NAMES) };

static const char *
name_of(int32_t id)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].id == id)
			return names[i].name;
	return "a routine without a name";
}

bool
kernel_routine_next(struct kernel_routine *routine)
{
	const int32_t after = routine->id;
	bool found = false;

	for (size_t i = 0; i < sizeof subsystems / sizeof *subsystems; i++) {
		const struct mig_subsystem *at = subsystems[i];

		for (int32_t id = at->start > after ? at->start : after + 1; id < at->end; id++) {
			if (!at->routine[id - at->start].stub_routine)
				continue;
			if (!found || id < routine->id)
				*routine = (struct kernel_routine){ id, name_of(id) };
			found = true;
			break;
		}
	}
	return found;
}
