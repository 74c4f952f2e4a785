/*
 * Types of the launch protocol, which the library, `berth launch` and the name server speak:
 * interfaces/servers/launch.defs.
 */
#ifndef BERTH_LAUNCH_TYPES_H
#define BERTH_LAUNCH_TYPES_H

#define LAUNCH_ARGUMENT_SIZE 1024
#define LAUNCH_PLIST_MAX 262144 /* bytes of one property list */

typedef char launch_argument_t[LAUNCH_ARGUMENT_SIZE];
typedef char *launch_data_t;
typedef char *launch_text_t;

enum launch_flags {
	LAUNCH_LOAD_ENABLED = 1,  /* load: whatever the key Disabled says */
	LAUNCH_KICKSTART_KILL = 2 /* kickstart: end the running instance first */
};

#endif
