/*
 * What servers over descriptors share: one client is served by blocking calls, more by epoll.
 */
#ifndef BERTH_BENCH_CHANNELS_H
#define BERTH_BENCH_CHANNELS_H

#include <stddef.h>

struct channel {
	int in;
	int out;
};

/* Read all of @size_bytes into @data, and give what was read, there or elsewhere until the next
 * one; NULL at the end of the stream. */
typedef const void *channel_get(const struct channel *channel, void *data, size_t size_bytes);
typedef void channel_put(const struct channel *channel, const void *data, size_t size_bytes);

/* By read() and write(). */
channel_get channel_read;
channel_put channel_write;

/*
 * Serve the @count @channels, and whoever connects to @listener (-1: nobody does), as `shape`
 * says.  @accepted, if there is one, prepares a new connection.  Never returns.
 */
void channels_serve(const struct channel *channels, unsigned count, int listener,
		    void (*accepted)(int fd), channel_get *get, channel_put *put);

#endif
