/*
 * D-Bus by sd-bus, over a private bus that ends with the benchmark.
 *
 *   dbus-daemon  the reference's bus
 *   dbus-broker  the other one
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "bench/peers/peer.h"
#include "bench/process.h"

#define NAME "berth.Bench"
#define PATH "/berth/bench"

static struct sockaddr_un socket_address = { .sun_family = AF_UNIX };
static char address[160], config[128];
static sd_bus *own;

static int
must(int result, const char *what)
{
	if (result < 0)
		die_saying("%s: %s", what, strerror(-result));
	return result;
}

/* ---- the bus --------------------------------------------------------------------------------- */

static void
address_choose(void)
{
	snprintf(socket_address.sun_path, sizeof(socket_address.sun_path), "%s", own_path("bus"));
	snprintf(address, sizeof(address), "unix:path=%s", socket_address.sun_path);
}

/* Everybody of this user may do everything, and the limits are far away. */
static void
config_write(void)
{
	FILE *file;

	snprintf(config, sizeof(config), "%s", own_path("bus.conf"));
	file = fopen(config, "w");
	if (file == NULL)
		die(config);
	fprintf(file,
		"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\""
		" \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
		"<busconfig><type>session</type><listen>%s</listen><auth>EXTERNAL</auth>\n"
		"<policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>"
		"<allow eavesdrop=\"true\"/><allow own=\"*\"/></policy>\n"
		"<limit name=\"max_completed_connections\">4096</limit>"
		"<limit name=\"max_connections_per_user\">4096</limit>"
		"<limit name=\"max_incoming_bytes\">1000000000</limit>"
		"<limit name=\"max_outgoing_bytes\">1000000000</limit>"
		"<limit name=\"max_message_size\">100000000</limit>"
		"<limit name=\"max_replies_per_connection\">50000</limit></busconfig>\n",
		address);
	if (fclose(file) != 0)
		die(config);
}

/* Until @pid serves. */
static void
bus_wait(pid_t pid)
{
	for (int tries = 0; tries < 1000; tries++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int result =
		    connect(fd, (struct sockaddr *)&socket_address, sizeof(socket_address));

		close(fd);
		if (result == 0)
			return;
		if (waitpid(pid, NULL, WNOHANG) == pid)
			break;
		usleep(10000);
	}
	die_saying("no bus");
}

static void
listen_daemon(void)
{
	pid_t pid;

	address_choose();
	config_write();
	pid = child();
	if (pid == 0) {
		execlp("dbus-daemon", "dbus-daemon", "--nofork", "--nopidfile", "--config-file",
		       config, (char *)NULL);
		die("dbus-daemon");
	}
	bus_wait(pid);
}

/*
 * A rule of each kind for everybody: verdict, priority; what a name must begin with; and what a
 * message must have: path, interface, member, error, its kind, eavesdropping, count of
 * descriptors.
 */
static void
append_rules(sd_bus_message *m)
{
	must(sd_bus_message_append(m, "bt", 1, UINT64_C(1)), "policy");
	must(sd_bus_message_append(m, "a(btbs)", 1, 1, UINT64_C(1), 1, ""), "policy");
	for (int direction = 0; direction < 2; direction++)
		must(sd_bus_message_append(m, "a(btssssuutt)", 1, 1, UINT64_C(1), "", "", "", "", 0,
					   0, UINT64_C(0), UINT64_MAX),
		     "policy");
}

#define RULES "bta(btbs)a(btssssuutt)a(btssssuutt)"

/* Everybody may do everything. */
static void
append_policy(sd_bus_message *m)
{
	must(sd_bus_message_open_container(m, 'v', "(a(u(" RULES "))a(buu(" RULES "))a(ss)bs)"),
	     "policy");
	must(sd_bus_message_open_container(m, 'r', "a(u(" RULES "))a(buu(" RULES "))a(ss)bs"),
	     "policy");
	must(sd_bus_message_open_container(m, 'a', "(u(" RULES "))"), "policy");
	must(sd_bus_message_open_container(m, 'r', "u(" RULES ")"), "policy");
	must(sd_bus_message_append(m, "u", UINT32_MAX), "policy");
	must(sd_bus_message_open_container(m, 'r', RULES), "policy");
	append_rules(m);
	for (int depth = 0; depth < 3; depth++)
		must(sd_bus_message_close_container(m), "policy");
	/* nothing for groups and for SELinux, no AppArmor, and what kind of bus it is */
	must(sd_bus_message_append(m, "a(buu(" RULES "))", 0), "policy");
	must(sd_bus_message_append(m, "a(ss)", 0), "policy");
	must(sd_bus_message_append(m, "bs", 0, "session"), "policy");
	must(sd_bus_message_close_container(m), "policy");
	must(sd_bus_message_close_container(m), "policy");
}

/*
 * This process is the broker's controller, as its launcher would be: that wants systemd and its
 * journal.  The broker ends with the connection.
 */
static void
listen_broker(void)
{
	static sd_bus *controller;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *m;
	int ends[2], listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	address_choose();
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&socket_address, sizeof(socket_address)) != 0 ||
	    listen(listener, SOMAXCONN) != 0)
		die("listen");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		die("socketpair");
	if (child() == 0) {
		char controller_fd[16];

		/* a copy is not closed at exec */
		snprintf(controller_fd, sizeof(controller_fd), "%d", dup(ends[1]));
		execlp("dbus-broker", "dbus-broker", "--controller", controller_fd, "--machine-id",
		       "0123456789abcdef0123456789abcdef", "--max-bytes", "1000000000", "--max-fds",
		       "100000", "--max-matches", "100000", "--max-objects", "1000000",
		       (char *)NULL);
		die("dbus-broker");
	}
	close(ends[1]);
	must(sd_bus_new(&controller), "sd_bus_new");
	must(sd_bus_set_fd(controller, ends[0], ends[0]), "sd_bus_set_fd");
	must(sd_bus_start(controller), "sd_bus_start");
	must(sd_bus_message_new_method_call(controller, &m, NULL, "/org/bus1/DBus/Broker",
					    "org.bus1.DBus.Broker", "AddListener"),
	     "AddListener");
	must(sd_bus_message_append(m, "oh", "/org/bus1/DBus/Listener/0", listener), "AddListener");
	append_policy(m);
	if (sd_bus_call(controller, m, 0, &error, NULL) < 0)
		die_saying("dbus-broker: %s", error.message);
	sd_bus_message_unref(m);
	close(listener);
}

static sd_bus *
bus_open(void)
{
	sd_bus *bus;

	must(sd_bus_new(&bus), "sd_bus_new");
	must(sd_bus_set_address(bus, address), "sd_bus_set_address");
	must(sd_bus_set_bus_client(bus, 1), "sd_bus_set_bus_client");
	must(sd_bus_start(bus), "sd_bus_start");
	return bus;
}

/* ---- the server ------------------------------------------------------------------------------ */

static const void *
bytes_of(sd_bus_message *m, size_t expected)
{
	const void *bytes;
	size_t size;

	must(sd_bus_message_read_array(m, 'y', &bytes, &size), "sd_bus_message_read_array");
	if (size != expected)
		die_saying("a message of %zu bytes, not %zu", size, expected);
	return bytes;
}

static int
handle_call(sd_bus_message *request, void *data, sd_bus_error *error)
{
	struct words bytes[4096 / sizeof(struct words)] = { 0 };
	sd_bus_message *reply = NULL;
	const void *asked = bytes_of(request, shape.request_bytes);

	if (shape.oneway) {
		absorb(asked);
		return 1;
	}
	answer(asked, bytes);
	must(sd_bus_message_new_method_return(request, &reply), "sd_bus_message_new_method_return");
	must(sd_bus_message_append_array(reply, 'y', bytes, shape.reply_bytes), "append");
	must(sd_bus_send(NULL, reply, NULL), "sd_bus_send");
	sd_bus_message_unref(reply);
	return 1;
}

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Call", "ay", "ay", handle_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static void
serve(void)
{
	sd_bus *bus = bus_open();

	must(sd_bus_add_object_vtable(bus, NULL, PATH, NAME, vtable, NULL), "vtable");
	must(sd_bus_request_name(bus, NAME, 0), "sd_bus_request_name");
	serving();
	for (;;) {
		if (must(sd_bus_process(bus, NULL), "sd_bus_process") == 0)
			must(sd_bus_wait(bus, UINT64_MAX), "sd_bus_wait");
	}
}

/* ---- a client -------------------------------------------------------------------------------- */

static void
connect_bus(void)
{
	own = bus_open();
}

static sd_bus_message *
request_new(const void *request)
{
	sd_bus_message *m;

	must(sd_bus_message_new_method_call(own, &m, NAME, PATH, NAME, "Call"), "method call");
	must(sd_bus_message_append_array(m, 'y', request, shape.request_bytes), "append");
	return m;
}

static void
call(const void *request, void *reply)
{
	sd_bus_message *m = request_new(request), *answered = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;

	if (sd_bus_call(own, m, 0, &error, &answered) < 0)
		die_saying("sd_bus_call: %s", error.message);
	memcpy(reply, bytes_of(answered, shape.reply_bytes), shape.reply_bytes);
	sd_bus_message_unref(answered);
	sd_bus_message_unref(m);
}

#define COMMON .serve = serve, .connect = connect_bus, .call = call

static const struct peer peer_daemon = { .system = "dbus-daemon", .listen = listen_daemon, COMMON };
static const struct peer peer_broker = { .system = "dbus-broker", .listen = listen_broker, COMMON };

const struct peer *const peers_here[] = { &peer_daemon, &peer_broker, NULL };
