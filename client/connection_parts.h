/*
 * Inside of the connection: what connection.c and attach.c share.  All of it under the lock.
 */
#ifndef BERTH_CLIENT_CONNECTION_PARTS_H
#define BERTH_CLIENT_CONNECTION_PARTS_H

#include "client/connection.h"
#include "wire/kext.h"

#include <stddef.h>
#include <sys/types.h>

#define SEGMENT_SIZE ((size_t)TRAP_SLOT_SIZE * TRAP_SEGMENT_SLOTS)

/* Any message that a kernel sends; others come while a thread waits for one of its kind. */
union incoming {
	struct wire_head head;
	struct wire_slot slot;
	struct wire_descriptors descriptors;
	struct wire_welcome welcome;
	struct wire_refused refused;
	struct wire_system_answer system;
};

/* Receive one message of at most @size bytes into @buffer, with up to 3 descriptors that the
 * caller owns then.  Its size; 0: the other side is gone; or -errno. */
ssize_t connection_message_receive(int socket_fd, void *buffer, size_t size, int fds[3],
				   uint32_t *fd_count);
void connection_fds_close(int *fds, uint32_t fd_count);

/* Is there as much behind @fd as is to be mapped?  What is beyond its end would kill us with
 * SIGBUS, long after.  False: errno says why. */
bool connection_memory_is_there(int fd, size_t size);
/* Map what a segment needs.  @memory_fd stays the caller's. */
bool connection_segment_map(uint32_t segment_index, int memory_fd);

#endif
