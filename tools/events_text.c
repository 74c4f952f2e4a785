/*
 * Kernel events in words: see events_text.h.
 *
 * Source of the numbers: kernel-event.md, <sys/kern_event.h>.
 */
#include "tools/events_text.h"

#include <stdbool.h>
#include <string.h>
#include <sys/kern_control.h>

struct names {
	uint32_t class, subclass;
	const char *const *codes; /* from 1 */
	size_t count;
};

static const char *const classes[] = { "network",  "iokit",     "system", "appleshare",
				       "firewall", "ieee80211", "nke" };

static const char *const inet_codes[] = {
	"new-address",        "changed-address",  "address-deleted", "destination-address",
	"broadcast-address",  "netmask",          "arp-collision",   "port-in-use",
	"arp-router-failure", "arp-router-alive",
};
static const char *const inet6_codes[] = {
	"new-user-address",       "changed-address",        "address-deleted",
	"new-link-local-address", "new-advertised-address", "default-router",
	"request-nat64-prefix",
};
static const char *const link_codes[] = {
	"flags-changed",
	"metrics-changed",
	"mtu-changed",
	"physical-address-set",
	"media-changed",
	"generic-set",
	"multicast-added",
	"multicast-deleted",
	"interface-attached",
	"interface-detaching",
	"interface-detached",
	"link-off",
	"link-on",
	"protocol-attached",
	"protocol-detached",
	"link-address-changed",
	"wake-flags-changed",
	"idle-route-references",
	"capabilities-changed",
	"link-quality-changed",
	"node-present",
	"node-absent",
	"primary-elected",
	"issues",
	"delegate-changed",
	"awdl-restricted",
	"awdl-unrestricted",
	"rrc-state-changed",
	"qos-mode-changed",
	"low-power-mode-changed",
};
static const char *const control_codes[] = { "registered", "deregistered" };

#define CODES(codes) codes, sizeof(codes) / sizeof((codes)[0])

static const struct names known[] = {
	{ KEV_NETWORK_CLASS, KEV_INET_SUBCLASS, CODES(inet_codes) },
	{ KEV_NETWORK_CLASS, KEV_DL_SUBCLASS, CODES(link_codes) },
	{ KEV_NETWORK_CLASS, KEV_INET6_SUBCLASS, CODES(inet6_codes) },
	{ KEV_SYSTEM_CLASS, KEV_CTL_SUBCLASS, CODES(control_codes) },
};

static const char *
subclass_name(uint32_t class, uint32_t subclass)
{
	if (class == KEV_SYSTEM_CLASS && subclass == KEV_CTL_SUBCLASS)
		return "kernel-control";
	if (class != KEV_NETWORK_CLASS)
		return NULL;
	return subclass == KEV_INET_SUBCLASS    ? "inet"
	       : subclass == KEV_DL_SUBCLASS    ? "link"
	       : subclass == KEV_INET6_SUBCLASS ? "inet6"
						: NULL;
}

static const char *
code_name(const struct kern_event_msg *event)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].class == event->kev_class &&
		    known[i].subclass == event->kev_subclass && event->event_code >= 1 &&
		    event->event_code <= known[i].count)
			return known[i].codes[event->event_code - 1];
	}
	return NULL;
}

static void
print_number(FILE *out, const char *what, uint32_t number, const char *name)
{
	fprintf(out, " %s=%u", what, number);
	if (name)
		fprintf(out, "(%s)", name);
}

/* What is no letter shows as a question mark: a vendor chose it. */
static void
print_name(FILE *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size && text[i] != '\0'; i++)
		fputc((unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i], out);
}

static void
print_bytes(FILE *out, const uint8_t *data, size_t size)
{
	fprintf(out, " data=%zu", size);
	for (size_t i = 0; i < size; i++)
		fprintf(out, "%s%02x", i == 0 ? ":" : i % 4 == 0 ? " " : "", data[i]);
}

static void
print_data(FILE *out, const struct kern_event_msg *event, size_t size, events_control_name *name,
	   void *context)
{
	const uint8_t *data = (const uint8_t *)event->event_data;
	bool is_apple = event->vendor_code == KEV_VENDOR_APPLE;
	struct ctl_event_data control;
	struct net_event_data interface;

	if (is_apple && subclass_name(event->kev_class, event->kev_subclass) &&
	    event->kev_class == KEV_SYSTEM_CLASS && size == sizeof(control)) {
		memcpy(&control, data, sizeof(control));
		fprintf(out, " ctl_id=%u", control.ctl_id);
		const char *text = name(context, control.ctl_id);
		if (text[0] != '\0') {
			fputs(" name=", out);
			print_name(out, text, strlen(text));
		}
	} else if (is_apple && event->kev_class == KEV_NETWORK_CLASS && size >= sizeof(interface)) {
		/* each event of an interface begins with this */
		memcpy(&interface, data, sizeof(interface));
		fputs(" interface=", out);
		print_name(out, interface.if_name, sizeof(interface.if_name));
		fprintf(out, "%u", interface.if_unit);
		if (size > sizeof(interface))
			print_bytes(out, data + sizeof(interface), size - sizeof(interface));
	} else if (size > 0) {
		print_bytes(out, data, size);
	}
}

void
events_print(FILE *out, const struct kern_event_msg *event, size_t size,
	     const struct events_vendor *vendor, events_control_name *name, void *context)
{
	if (size < KEV_MSG_HEADER_SIZE || event->total_size != size) {
		fputs("malformed event", out);
		print_bytes(out, (const uint8_t *)event, size);
		fputc('\n', out);
		return;
	}
	bool is_apple = event->vendor_code == KEV_VENDOR_APPLE;
	uint32_t class = event->kev_class;

	fprintf(out, "id=%u", event->id);
	print_number(out, "vendor", event->vendor_code,
		     is_apple                                                  ? "apple"
		     : vendor->code != 0 && vendor->code == event->vendor_code ? vendor->name
									       : NULL);
	print_number(out, "class", class,
		     is_apple && class >= 1 && class <= sizeof(classes) / sizeof(classes[0])
			 ? classes[class - 1]
			 : NULL);
	print_number(out, "subclass", event->kev_subclass,
		     is_apple ? subclass_name(class, event->kev_subclass) : NULL);
	print_number(out, "code", event->event_code, is_apple ? code_name(event) : NULL);
	print_data(out, event, size - KEV_MSG_HEADER_SIZE, name, context);
	fputc('\n', out);
}
