/*
 * Traffic through the library, for processes that are killed or stopped in the middle of it:
 * calls with rights, memory and large messages, and the server that answers them.
 */
#ifndef TESTS_ATTACK_TRAFFIC_H
#define TESTS_ATTACK_TRAFFIC_H

#include <mach/mach.h>

#include <stdbool.h>
#include <stdint.h>

#define TRAFFIC_HANG_MS 20000

/* A port with both rights, that children find as their bootstrap port. */
mach_port_t traffic_port(void);
/* The port of the process above. */
mach_port_t traffic_server(void);

/* One call of any kind to @server; the first code that is no success. */
mach_msg_return_t traffic_call(mach_port_t server, uint64_t *seed);
/* Takes one call within @ms and answers it; the code of the receive.  An answer that nobody
 * waits for any more is dropped. */
mach_msg_return_t traffic_serve(mach_port_t port, unsigned ms);

/* A plain number, and the next number within @ms; minus the code: none. */
mach_msg_return_t traffic_send_number(mach_port_t port, int number, mach_msg_option_t options,
				      unsigned ms);
int traffic_receive_number(mach_port_t port, unsigned ms);

uint32_t traffic_random(uint64_t *seed);
/* The letter of /proc: R, S, T …; '?': gone. */
char traffic_process_state(int pid);
/* Waits until it is that; false: it takes too long. */
bool traffic_await_state(int pid, char state);

#endif
