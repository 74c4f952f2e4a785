/*
 * Everything that Berth has for programs and Darwin has not.
 */
#ifndef BERTH_BERTH_H
#define BERTH_BERTH_H

#include <berth/port_fd.h>

#endif
