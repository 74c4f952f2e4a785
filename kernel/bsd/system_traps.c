/*
 * The traps of programs that look for controls and events.  They need no right, and give an errno.
 *
 * Source: kernel-control.md §4.2, §5.1, §9; kernel-event.md §2.1, §6.
 */
#include <errno.h>
#include <string.h>

#include "bsd/kern_control.h"
#include "bsd/kext.h"
#include "kern/state.h"
#include "kern/syscall.h"

#define KEVT_STATISTICS 7  /* words of struct kevtstat */
#define KCTL_STATISTICS 14 /* of struct kctlstat */

static kern_return_t
trap_ctl_info(struct syscall *call)
{
	const struct kern_control *control;
	char name[96];

	if (ctl_name_copy(name, call->frame->bytes, call->frame->bytes_size) != 0)
		return EINVAL;
	control = ctl_find_by_name(call->kernel, name);
	if (!control)
		return ENOENT;
	call->result->values[0] = control->ctl.id;
	return 0;
}

static kern_return_t
trap_ctl_count(struct syscall *call)
{
	call->result->values[0] = call->kernel->ctl.count;
	return 0;
}

static kern_return_t
trap_ctl_find(struct syscall *call)
{
	const struct kern_control *control =
	    ctl_find_by_id_unit(call->kernel, call_arg32(call, 0), call_arg32(call, 1));

	if (!control)
		return ENOENT;
	call->result->values[0] = control->host->id;
	call->result->values[1] = control->ctl.flags;
	return 0;
}

static kern_return_t
trap_kev_id(struct syscall *call)
{
	call->result->values[0] = call->kernel->kev.last_id;
	return 0;
}

static kern_return_t
trap_kev_vendor(struct syscall *call)
{
	char text[KEV_VENDOR_TEXT_MAX] = { 0 };
	uint32_t code = 0;
	int error;

	if (call->frame->bytes_size > sizeof(text))
		return EINVAL;
	if (call->frame->bytes_size > 0)
		memcpy(text, call->frame->bytes, call->frame->bytes_size);
	text[sizeof(text) - 1] = '\0';
	error = kev_vendor_find(call->kernel, text, strlen(text), &code);
	call->result->values[0] = code;
	return error;
}

static kern_return_t
trap_system_statistics(struct syscall *call)
{
	const struct ctl_state *ctl = &call->kernel->ctl;
	const size_t size_bytes = (KEVT_STATISTICS + KCTL_STATISTICS) * sizeof(uint64_t);
	uint64_t *words = thread_output(call->thread, size_bytes);

	if (!words)
		return ENOMEM;
	memset(words, 0, size_bytes);
	kernel_kev_statistics(call->kernel, words);
	/* struct kctlstat: what is about connections its kexthosts know; reg_total stays 0 */
	words[KEVT_STATISTICS + 1] = ctl->count;
	words[KEVT_STATISTICS + 3] = ctl->gencnt;
	words[KEVT_STATISTICS + 10] = ctl->bad_ref;
	words[KEVT_STATISTICS + 11] = ctl->table_full;
	call->result->bytes = words;
	call->result->bytes_size = (uint32_t)size_bytes;
	return 0;
}

syscall_function *
bsd_syscall(uint32_t number)
{
	switch (number) {
	case BERTH_TRAP_CTL_INFO:
		return trap_ctl_info;
	case BERTH_TRAP_CTL_COUNT:
		return trap_ctl_count;
	case BERTH_TRAP_CTL_FIND:
		return trap_ctl_find;
	case BERTH_TRAP_KEV_ID:
		return trap_kev_id;
	case BERTH_TRAP_KEV_VENDOR:
		return trap_kev_vendor;
	case BERTH_TRAP_SYSTEM_STATISTICS:
		return trap_system_statistics;
	default:
		return NULL;
	}
}
