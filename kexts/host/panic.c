/*
 * panic(): the log gets the words and the way there, and the process ends by SIGABRT, which
 * its supervisor reports.
 */
#include "kexts/host/kpi.h"

#include <kern/debug.h>

#include "kexts/host/host_log.h"
#include "kexts/host/panic.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAMES_MAX 48

struct place
place_of(const void *address)
{
	struct place place;
	Dl_info info;

	if (address == NULL || dladdr(address, &info) == 0 || info.dli_fname == NULL) {
		snprintf(place.text, sizeof(place.text), "%p", address);
		return place;
	}
	if (info.dli_sname != NULL) {
		snprintf(place.text, sizeof(place.text), "%s+0x%zx", info.dli_sname,
			 (size_t)((uintptr_t)address - (uintptr_t)info.dli_saddr));
		return place;
	}
	const char *slash = strrchr(info.dli_fname, '/');

	snprintf(place.text, sizeof(place.text), "%s+0x%zx",
		 slash != NULL ? slash + 1 : info.dli_fname,
		 (size_t)((uintptr_t)address - (uintptr_t)info.dli_fbase));
	return place;
}

KPI_EXPORT void
panic(const char *string, ...)
{
	void *frames[FRAMES_MAX];
	char words[1024];
	va_list arguments;

	va_start(arguments, string);
	vsnprintf(words, sizeof(words), string, arguments);
	va_end(arguments);
	size_t length = strlen(words);
	while (length > 0 && words[length - 1] == '\n')
		words[--length] = '\0';

	host_log_raw("panic: ", words);
	int count = backtrace(frames, FRAMES_MAX);
	for (int i = 1; i < count; i++)
		host_log_raw("panic:   from ", place_of(frames[i]).text);
	abort();
}
