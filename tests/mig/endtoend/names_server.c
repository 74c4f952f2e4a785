/*
 * Translates ports to objects and back, and counts how often.
 */
#include "mig_server.h"

#include "namesServer.h"

#ifdef NAMES_USER
#error "the server's header imports what is the user's"
#endif

struct object {
	mach_port_t port;
	unsigned references;
};

static unsigned serial; /* of server_from_port() */
static unsigned servers_alive;
static unsigned objects_alive;
static char order[64]; /* of calls: i intran, d destructor, f function, o outtran */
static mach_port_t own;

static void
begin(mach_port_t port)
{
	(void)port;
	own = port_new();
}

static void
end(void)
{
	port_end(own);
	expect_equal(servers_alive, 0);
	expect_equal(objects_alive, 0);
}

/* Before each request everything of the last was given up, in the right order. */
static boolean_t
demux(mach_msg_header_t *request, mach_msg_header_t *reply)
{
	expect_equal(servers_alive, 0);
	expect_equal(objects_alive, 0);
	order[0] = '\0';
	return names_server(request, reply);
}

const struct served served = { .demux = demux, .max_size = 4096, .begin = begin, .end = end };

static void
note(const char *what)
{
	expect(strlen(order) + strlen(what) < sizeof(order));
	strcat(order, what);
}

struct_object_t
object_from_port(mach_port_t port)
{
	struct object *object = calloc(1, sizeof(*object));

	expect(object != NULL);
	object->port = port;
	objects_alive++;
	note("i");
	return object;
}

/* Consumes the object: its right goes into the reply. */
mach_port_t
object_to_port(struct_object_t object)
{
	mach_port_t port = object->port;

	note("o");
	free(object);
	objects_alive--;
	return port;
}

void
object_release(struct_object_t object)
{
	note("d");
	free(object);
	objects_alive--;
}

struct_server_t
server_from_port(mach_port_t port)
{
	note("s");
	servers_alive++;
	return (struct_server_t){ port, ++serial };
}

void
server_release(struct_server_t server)
{
	note("S");
	expect_equal(server.serial, serial);
	servers_alive--;
}

fahrenheit_t
degrees_in(celsius_t celsius)
{
	return celsius * 1.8 + 32;
}

celsius_t
degrees_out(fahrenheit_t fahrenheit)
{
	return (celsius_t)((fahrenheit - 32) / 1.8);
}

kern_return_t
one_names_a(mach_port_t server, int *a)
{
	*a = 1;
	return KERN_SUCCESS;
}

kern_return_t
two_names_b(mach_port_t server, int *a)
{
	*a = 2;
	return KERN_SUCCESS;
}

kern_return_t
two_degrees(struct_server_t server, fahrenheit_t a, fahrenheit_t *b, fahrenheit_t *c)
{
	expect(right_type(server.port) & MACH_PORT_TYPE_RECEIVE);
	expect(a == 212.0);
	*b = 50.0;
	expect(*c == 32.0);
	*c = -40.0;
	return KERN_SUCCESS;
}

kern_return_t
two_objects(struct_server_t server, struct_object_t a, struct_object_t b, boolean_t fail,
	    struct_object_t *c)
{
	/* the request port first, then the arguments */
	expect(strcmp(order, "sii") == 0);
	note("f");
	if (fail)
		return KERN_FAILURE;
	number_send(a->port, MACH_MSG_TYPE_MOVE_SEND, 1);
	number_send(b->port, MACH_MSG_TYPE_MOVE_SEND, 2);
	*c = calloc(1, sizeof(**c));
	expect(*c != NULL);
	(*c)->port = own;
	objects_alive++;
	return KERN_SUCCESS;
}

kern_return_t
two_letters(mach_port_t server, four_letters_t a, four_letters_t b)
{
	for (int i = 0; i < 4; i++)
		b[i] = a[3 - i];
	return KERN_SUCCESS;
}

kern_return_t
two_in_place(mach_port_t server, in_place_t a, mach_msg_type_number_t aCnt, int *sum)
{
	*sum = 0;
	for (mach_msg_type_number_t i = 0; i < aCnt; i++)
		*sum += a[i];
	return KERN_SUCCESS;
}

kern_return_t
two_native(mach_port_t server, native_pair_t *a, native_pair_t b, native_pair_t *c,
	   native_pair_t *d, native_pair_t *e)
{
	expect(a->a == 1 && a->b == 'a' && b.a == 2 && b.b == 'b');
	c->a = d->a;
	c->b = 'c';
	d->a = a->a + b.a;
	d->b = 'd';
	if (e != NULL)
		d->a += e->a;
	return KERN_SUCCESS;
}

kern_return_t
two_pieces(mach_port_t server, pieces_t a, mach_msg_type_number_t *aSubs, int *total)
{
	*total = 0;
	for (int i = 0; i < 3; i++) {
		expect(values_match(a[i], aSubs[i], (uint64_t)i));
		*total += (int)aSubs[i];
		if (aSubs[i] > 0)
			memory_end(a[i], aSubs[i]);
	}
	return KERN_SUCCESS;
}

kern_return_t
two_few_pieces(mach_port_t server, few_pieces_t a, mach_msg_type_number_t aCnt,
	       mach_msg_type_number_t *aSubs, int *total)
{
	*total = 0;
	for (mach_msg_type_number_t i = 0; i < aCnt; i++) {
		expect(values_match(a[i], aSubs[i] * sizeof(**a), (uint64_t)i));
		*total += (int)aSubs[i];
		if (aSubs[i] > 0)
			memory_end(a[i], aSubs[i] * sizeof(**a));
	}
	return KERN_SUCCESS;
}

kern_return_t
two_pieces_back(mach_port_t server, uint32_t count, few_pieces_t a, mach_msg_type_number_t *aCnt,
		mach_msg_type_number_t *aSubs)
{
	static int32_t piece[100];

	values_fill(piece, sizeof(piece), 8);
	*aCnt = count;
	for (uint32_t i = 0; i < count; i++) {
		a[i] = piece;
		aSubs[i] = i * 20;
	}
	return KERN_SUCCESS;
}
