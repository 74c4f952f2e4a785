/* What of a kernel its tasks can see: see visible.h. */
#include "tests/faults/visible.h"

#include <string.h>

char *
visible(struct world *w)
{
	char *text = world_dump(w), *end = text, *next;

	for (char *line = text; *line; line = next) {
		char *table = strstr(line, " table "), *ports;
		size_t size;

		next = strchr(line, '\n') + 1;
		ports = table && table < next ? strstr(table, " ports ") : NULL;
		size = (size_t)((ports ? table : next) - line);
		if (!memmem(line, size, " kernel thread name 0x0 refs 1 flags 0 srights 0 ", 49)) {
			memmove(end, line, size);
			end += size;
		}
		if (ports) {
			memmove(end, ports, (size_t)(next - ports));
			end += next - ports;
		}
	}
	*end = '\0';
	return text;
}
