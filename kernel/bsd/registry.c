/*
 * The registry, proved and printed: a part of audit.c and of dump.c.
 */
#include "bsd/registry.h"

#include <string.h>

#include "kern/state.h"

/* ---- the proof --------------------------------------------------------------------------- */

static void
audit_kext(const struct kernel *k, const struct kext *kext)
{
	uint32_t references = 0;

	check(kext_find(k, kext->host, kext->tag) == kext && kext->tag <= k->kext.last_tag);
	check(kext->kext.dependency_count <= KEXT_DEPENDENCY_MAX);
	for (uint32_t i = 0; i < kext->kext.dependency_count; i++) {
		check(kext->kext.dependencies[i] < kext->tag);
		check(kext_find(k, kext->host, kext->kext.dependencies[i]) != NULL);
	}
	LIST_FOR_EACH (other, &kext->host->kexts, struct kext, in_host)
		for (uint32_t i = 0; i < other->kext.dependency_count; i++)
			references += other->kext.dependencies[i] == kext->tag;
	check(references == kext->reference_count);
	LIST_FOR_EACH (control, &kext->controls, struct kern_control, in_kext)
		check(control->kext == kext && control->host == kext->host);
}

static void
audit_kexts(const struct kernel *k)
{
	uint32_t hosts = 0, kexts = 0, of_hosts = 0, controls = 0, last_tag = 0, last_id = 0;

	LIST_FOR_EACH (kext, &k->kext.kexts, struct kext, link) {
		check(kext->tag > last_tag);
		last_tag = kext->tag;
		audit_kext(k, kext);
		kexts++;
	}
	LIST_FOR_EACH (host, &k->kext.hosts, struct kernel_kext_host, link) {
		check(host->id > last_id && host->id <= k->kext.last_host_id);
		last_id = host->id;
		LIST_FOR_EACH (kext, &host->kexts, struct kext, in_host) {
			check(kext->host == host);
			of_hosts++;
		}
		LIST_FOR_EACH (control, &host->controls, struct kern_control, in_host) {
			check(control->host == host);
			controls++;
		}
		hosts++;
	}
	check(hosts == k->kext.host_count && hosts <= KEXT_HOST_COUNT_MAX);
	check(kexts == k->kext.count && of_hosts == kexts && kexts <= KEXT_COUNT_MAX);
	check(controls == k->ctl.count);
}

static void
audit_names(const struct kernel *k)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < CTL_BUCKETS; i++) {
		LIST_FOR_EACH (control, &k->ctl.by_name[i], struct kern_control, by_name) {
			check(ctl_name_bucket(control->ctl.name) == i);
			count++;
		}
	}
	check(count == k->ctl.count);
}

static void
audit_controls(const struct kernel *k)
{
	const struct kernel_ctl *last = NULL;
	uint32_t count = 0, slots = 0, free_slots = 0;

	LIST_FOR_EACH (control, &k->ctl.controls, struct kern_control, link) {
		const struct kernel_ctl *ctl = &control->ctl;
		const uint32_t slot = (uint32_t)(control->ref & 0xffff) - 1;

		check(!last || last->id < ctl->id ||
		      (last->id == ctl->id && last->unit < ctl->unit &&
		       (last->flags & ctl->flags & CTL_FLAG_REG_ID_UNIT)));
		last = ctl;
		check(slot < k->ctl.slot_capacity && k->ctl.slots[slot].control == control);
		check(control->ref >> 16 <= k->ctl.generation);
		check(ctl_find_by_id_unit(k, ctl->id, ctl->unit) == control);
		check(ctl->sendsize > 0 && ctl->recvsize > 0 && control->ended);
		check(list_is_linked(&control->in_kext) == (control->kext != NULL));
		count++;
	}
	for (uint32_t i = 0; i < k->ctl.slot_capacity; i++)
		slots += k->ctl.slots[i].control != NULL;
	for (uint32_t i = k->ctl.first_free; i; i = k->ctl.slots[i - 1].next_free) {
		check(i <= k->ctl.slot_capacity && free_slots < k->ctl.slot_capacity);
		check(!k->ctl.slots[i - 1].control);
		free_slots++;
	}
	check(count == k->ctl.count && count <= CTL_COUNT_MAX && slots == count);
	check(free_slots + slots == k->ctl.slot_capacity);
}

static void
audit_events(const struct kernel *k)
{
	uint32_t sockets = 0, codes = 0;
	uint64_t last_id = 0;
	uint32_t vendor_max = 0;

	LIST_FOR_EACH (socket, &k->kev.sockets, struct kernel_kev_socket, link) {
		check(socket->id > last_id && socket->id <= k->kev.last_socket_id);
		last_id = socket->id;
		sockets++;
	}
	for (uint32_t i = 0; i < KEV_BUCKETS; i++) {
		LIST_FOR_EACH (code, &k->kev.codes[i], struct kev_code, link) {
			check(code->code >= KEV_VENDOR_FIRST);
			check(code->code < KEV_VENDOR_FIRST + k->kev.code_count);
			check(code->purposes && code->size_bytes < KEV_VENDOR_TEXT_MAX);
			if ((code->purposes & (1u << KERNEL_VENDOR_EVENT)) &&
			    code->code > vendor_max)
				vendor_max = code->code;
			codes++;
		}
	}
	check(sockets == k->kev.socket_count && sockets <= KEV_SOCKET_COUNT_MAX);
	check(codes == k->kev.code_count && codes <= KEV_CODE_COUNT_MAX);
	check(vendor_max == k->kev.vendor_max);
	check(list_is_empty(&k->kev.events)); /* the host has taken every delivery */
}

void
registry_audit(const struct kernel *k)
{
	audit_kexts(k);
	audit_controls(k);
	audit_names(k);
	audit_events(k);
}

/* ---- as text -------------------------------------------------------------------------------- */

static void
dump_kext(const struct dump *d, const struct kext *kext)
{
	dump_number(d, "  kext ", kext->tag, 10);
	dump_text(d, " ");
	dump_text(d, kext->kext.identifier);
	dump_text(d, " ");
	dump_text(d, kext->kext.version);
	dump_text(d, kext->started ? " started" : " loading");
	dump_number(d, " refs ", kext->reference_count, 10);
	for (uint32_t i = 0; i < kext->kext.dependency_count; i++)
		dump_number(d, " against ", kext->kext.dependencies[i], 10);
	dump_text(d, "\n");
}

static void
dump_control(const struct dump *d, const struct kern_control *control)
{
	dump_number(d, "  control ", control->ctl.id, 10);
	dump_number(d, " unit ", control->ctl.unit, 10);
	dump_text(d, " ");
	dump_text(d, control->ctl.name);
	dump_number(d, " flags 0x", control->ctl.flags, 16);
	dump_number(d, " ref 0x", control->ref, 16);
	dump_number(d, " send ", control->ctl.sendsize, 10);
	dump_number(d, " receive ", control->ctl.recvsize, 10);
	dump_number(d, " kext ", control->kext ? control->kext->tag : 0, 10);
	dump_text(d, "\n");
}

void
registry_dump(const struct dump *d, const struct kernel *k)
{
	LIST_FOR_EACH (host, &k->kext.hosts, struct kernel_kext_host, link) {
		dump_number(d, "kext host ", host->id, 10);
		dump_number(d, " pid ", host->pid, 10);
		dump_text(d, "\n");
		LIST_FOR_EACH (kext, &host->kexts, struct kext, in_host)
			dump_kext(d, kext);
		LIST_FOR_EACH (control, &host->controls, struct kern_control, in_host)
			dump_control(d, control);
	}
	for (uint32_t i = 0; i < KEV_BUCKETS; i++) {
		LIST_FOR_EACH (code, &k->kev.codes[i], struct kev_code, link) {
			dump_number(d, "code ", code->code, 10);
			dump_number(d, " purposes ", code->purposes, 10);
			dump_text(d, " ");
			d->write(d->context, code->text, code->size_bytes);
			dump_text(d, "\n");
		}
	}
	LIST_FOR_EACH (socket, &k->kev.sockets, struct kernel_kev_socket, link) {
		dump_number(d, "event socket ", socket->id, 10);
		for (uint32_t i = 0; i < 3; i++)
			dump_number(d, i == 0 ? " filter " : ", ", socket->filter[i], 10);
		dump_text(d, "\n");
	}
	if (k->kev.last_id != 0) {
		dump_number(d, "last event ", k->kev.last_id, 10);
		dump_text(d, "\n");
	}
}
