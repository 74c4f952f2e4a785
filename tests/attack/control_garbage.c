/*
 * Garbage on lanes: any request, in any slot, with any descriptors, in memory that changes while it
 * is read.  ATTACK_SEED=N repeats a run.
 */
#include "tests/conformance/control_program.h"

#include "tests/attack/control_scene.h"
#include "tests/attack/observe.h"

#include <pthread.h>
#include <stdatomic.h>

#define RSS_SLACK_KB (64u << 10)

/* Options of the test kext that harm nobody, and such that it does not know. */
static const uint32_t options[] = {
	0,        SET_ENQUEUE, SET_ENQUEUE_MBUF, SET_ENQUEUE_LIST, SET_SEND_RESULT,
	SET_FAIL, 77,          UINT32_MAX
};
static const uint64_t numbers[] = { 0,
				    1,
				    2,
				    3,
				    4,
				    63,
				    64,
				    4096,
				    LANE_DATA_SIZE - 1,
				    LANE_DATA_SIZE,
				    LANE_DATA_SIZE + 1,
				    LANE_DATA_MAX,
				    LANE_DATA_MAX + 1ull,
				    UINT32_MAX,
				    1ull << 32,
				    UINT64_MAX };
#define ANY(of, seed) (of)[attack_random(seed) % (sizeof(of) / sizeof((of)[0]))]

struct garbage {
	struct raw_lane *lane;
	uint64_t seed;
	uint64_t handle;
	_Atomic uint32_t stop;
};

/* What changes while it is read: all but the option, lest the kext be asked to die. */
static void *
garbage_scribble(void *argument)
{
	struct garbage *garbage = argument;
	uint64_t seed = garbage->seed ^ 0x5eed;

	while (!atomic_load(&garbage->stop)) {
		struct lane_slot *slot =
		    &garbage->lane->memory->slots[attack_random(&seed) % LANE_SLOTS];
		volatile struct lane_request *request = &slot->request;

		switch (attack_random(&seed) % 6) {
		case 0:
			request->size_bytes = (uint32_t)ANY(numbers, &seed);
			break;
		case 1:
			request->operation = attack_random(&seed) % 16;
			break;
		case 2:
			request->flags = (uint32_t)ANY(numbers, &seed);
			break;
		case 3:
			request->args[2] = ANY(numbers, &seed);
			break;
		case 4:
			atomic_store(&slot->state, attack_random(&seed) % 5);
			break;
		default:
			atomic_store(&slot->cancel, attack_random(&seed) % 2);
			slot->reply.error = (int32_t)attack_random(&seed);
			break;
		}
	}
	return NULL;
}

static int
garbage_descriptor(uint64_t *seed)
{
	switch (attack_random(seed) % 4) {
	case 0:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 1:
		return raw_memfd(ANY(numbers, seed) % 100000, 'g', 0);
	case 2:
		return raw_control_socket(SOCK_STREAM);
	default:
		return raw_control_socket(SOCK_SEQPACKET);
	}
}

static void
garbage_ask(struct garbage *garbage)
{
	uint64_t *seed = &garbage->seed;
	uint32_t slot_index = attack_random(seed) % LANE_SLOTS;
	struct lane_request request = {
		.operation = attack_random(seed) % 16,
		.flags = attack_random(seed) % 4 == 0 ? (uint32_t)ANY(numbers, seed) : 0,
		.size_bytes = (uint32_t)ANY(numbers, seed),
		.args = { attack_random(seed) % 4 ? garbage->handle : ANY(numbers, seed),
			  ANY(options, seed), ANY(numbers, seed), ANY(numbers, seed) },
	};
	struct sockaddr_ctl address = address_of(scene_id, attack_random(seed) % 4);

	if (request.operation <= LANE_ADOPT)
		request.args[0] = attack_random(seed) % 4 ? sizeof(address) : ANY(numbers, seed);
	memcpy(garbage->lane->memory->slots[slot_index].data, &address, sizeof(address));
	if (attack_random(seed) % 3 == 0) {
		int fds[2] = { garbage_descriptor(seed), garbage_descriptor(seed) };

		raw_lane_fds(garbage->lane, slot_index, fds, attack_random(seed) % 3);
		close(fds[0]);
		close(fds[1]);
	}
	raw_lane_ring(garbage->lane, slot_index, &request);
}

static void
garbage_harms_nobody(void **state)
{
	struct scene scene = scene_begin();
	struct garbage garbage = { .seed = attack_seed() };
	unsigned long rss_kb = process_rss_kb(scene.kexthost);
	const char *frames = getenv("ATTACK_FRAMES");
	int limit = frames != NULL ? atoi(frames) : 4000;
	char bytes[512];

	(void)state;
	for (int round = 0; round < 4; round++) {
		struct raw_lane lane;
		pthread_t scribbler;

		assert_true(raw_lane_open(&scene.task, &lane));
		fcntl(lane.socket_fd, F_SETFL, O_NONBLOCK);
		garbage.lane = &lane;
		garbage.stop = 0;
		int fd = raw_control_connect(&lane, scene_id, &garbage.handle);
		assert_int_equal(pthread_create(&scribbler, NULL, garbage_scribble, &garbage), 0);
		for (int i = 0; i < limit / 4; i++) {
			garbage_ask(&garbage);
			while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
				continue;
		}
		atomic_store(&garbage.stop, 1);
		pthread_join(scribbler, NULL);
		close(fd);
		raw_lane_close(&lane);
	}
	scene_end(&scene);
	unsigned long now_kb = process_rss_kb(scene.kexthost);
	printf("   kexthost: %lu KiB before, %lu after\n", rss_kb, now_kb);
#ifndef ATTACK_ASAN
	assert_true(now_kb < rss_kb + RSS_SLACK_KB);
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(garbage_harms_nobody),
	};

	signal(SIGPIPE, SIG_IGN);
	scene_find();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
