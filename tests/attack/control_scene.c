/* A place to attack a kexthost from: see control_scene.h. */
#include "tests/conformance/control_program.h"

#include "tests/attack/control_scene.h"

struct raw_kernel scene_kernel;
uint32_t scene_id;

void
scene_find(void)
{
	scene_kernel = control_kernel();
	scene_id = id_of(KEXT_LARGE);
	journal_forget(); /* its client is there from now on */
}

struct scene
scene_begin(void)
{
	struct scene scene = { .task = raw_task_new(&scene_kernel) };

	scene.kexthost = kexthost_pid(&scene.task, scene_id);
	scene.bystander = control_bystander_start();
	usleep(100000);
	scene.descriptors = process_descriptors(scene.kexthost);
	assert_true(raw_lane_open(&scene.task, &scene.lane));
	return scene;
}

void
scene_end(struct scene *scene)
{
	raw_lane_close(&scene->lane);
	assert_int_equal(kexthost_pid(&scene->task, scene_id), scene->kexthost);
	/* the bystander may have a socket at this moment that it had not at that one */
	process_descriptors_settle(scene->kexthost, scene->descriptors + 1);
	control_bystander_end(&scene->bystander, WORST_MS);
	raw_task_free(&scene->task);
}
