/*
 * Random numbers and checksums.
 */
#include "kexts/host/kpi.h"

#include "kexts/host/random.h"

#include <kern/debug.h>
#include <libkern/libkern.h>

#include <errno.h>
#include <pthread.h>
#include <sys/random.h>

KPI_EXPORT void
read_random(void *buffer, unsigned int size)
{
	char *at = buffer;

	while (size > 0) {
		ssize_t got = getrandom(at, size, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			panic("read_random: Linux gives no random bytes: %m");
		at += got;
		size -= (unsigned)got;
	}
}

KPI_EXPORT void
read_frandom(void *buffer, unsigned int size)
{
	read_random(buffer, size);
}

KPI_EXPORT long
kpi_random(void)
{
	uint32_t number;

	read_random(&number, sizeof(number));
	return (long)(number >> 1);
}

/* ---- CRC-32: reflected, polynomial 0x04c11db7, all ones before and after ------------------- */

static uint32_t crc_table[256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void
crc_table_make(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
		crc_table[byte] = crc;
	}
}

KPI_EXPORT uint32_t
kpi_crc32(uint32_t crc, const void *buf, size_t size)
{
	const uint8_t *bytes = buf;

	pthread_once(&crc_once, crc_table_make);
	crc = ~crc;
	for (size_t i = 0; i < size; i++)
		crc = crc >> 8 ^ crc_table[(crc ^ bytes[i]) & 0xff];
	return ~crc;
}
