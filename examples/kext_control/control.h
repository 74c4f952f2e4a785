/*
 * What the kext and its clients agree on.
 */
#ifndef EXAMPLE_CONTROL_H
#define EXAMPLE_CONTROL_H

#define CONTROL_NAME "org.berth.example.control"
#define CONTROL_MESSAGE_MAX 256 /* bytes */

/* of level SYSPROTO_CONTROL; int: 1, messages are taken and not answered */
#define CONTROL_OPTION_QUIET 1

#endif
