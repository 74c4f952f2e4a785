/*
 * What of the library a program may see.  Everything else is hidden.
 */
#ifndef BERTH_CLIENT_EXPORT_H
#define BERTH_CLIENT_EXPORT_H

#define BERTH_EXPORT __attribute__((visibility("default")))

#endif
