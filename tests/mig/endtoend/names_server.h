/*
 * The server's own types, imported by its header alone.
 */
#ifndef NAMES_SERVER_H
#define NAMES_SERVER_H

#include <stdbool.h>

#include <mach/port.h>

#define NAMES_SERVER 1

typedef double fahrenheit_t;
typedef struct object *struct_object_t;
typedef struct {
	mach_port_t port;
	unsigned serial;
} struct_server_t;

struct_object_t object_from_port(mach_port_t port);
mach_port_t object_to_port(struct_object_t object);
void object_release(struct_object_t object);
struct_server_t server_from_port(mach_port_t port);
void server_release(struct_server_t server);
fahrenheit_t degrees_in(celsius_t celsius);
celsius_t degrees_out(fahrenheit_t fahrenheit);

#endif
