/*
 * What the calls share that a file comes back from.
 */
#ifndef BERTH_CLIENT_FILEPORT_H
#define BERTH_CLIENT_FILEPORT_H

#include <stdbool.h>

/* Is the table of this process full?  Asked first, because what does not fit is lost, and the
 * kernel's next message with it perhaps. */
bool fileport_table_is_full(void);

#endif
