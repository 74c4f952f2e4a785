/*
 * A place to attack a kexthost from: a task by hand with a lane, and a bystander that uses the same
 * kext through the library meanwhile and must not notice.
 */
#ifndef TESTS_ATTACK_CONTROL_SCENE_H
#define TESTS_ATTACK_CONTROL_SCENE_H

#include "tests/attack/control_raw.h"

#define WORST_MS 20000 /* of a round of the bystander */

/* The kernel, and the control that is attacked: KEXT_LARGE. */
extern struct raw_kernel scene_kernel;
extern uint32_t scene_id;

struct scene {
	struct raw_task task;
	struct raw_lane lane;
	pid_t kexthost;
	unsigned descriptors;
	struct control_bystander bystander;
};

/* Finds the two; once. */
void scene_find(void);
struct scene scene_begin(void);
/* The kexthost is the same process, the bystander was served, and nothing is left. */
void scene_end(struct scene *scene);

#endif
