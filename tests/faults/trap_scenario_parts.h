/*
 * What the files of the scenarios share: trap_scenarios.c has names, sets and the choice of all,
 * trap_scenarios_objects.c has tasks, threads, semaphores, timers, files and the registry,
 * trap_scenarios_lanes.c has lanes.
 */
#ifndef TESTS_FAULTS_TRAP_SCENARIO_PARTS_H
#define TESTS_FAULTS_TRAP_SCENARIO_PARTS_H

#include "tests/faults/trap_scenarios.h"

/* The arguments after the first one, which is the task for most. */
void call_args(struct call *c, uint64_t one, uint64_t two, uint64_t three, uint64_t four);
/* What goes in with the call: copied. */
void call_bytes(struct call *c, const void *bytes, uint32_t size_bytes);

scenario special, special_set, registered_set, registered, other_task, port_of_other_task,
    threads_of_other_task, own_thread, suspended_task, thread_beside, suspended_thread,
    handler_of_host, semaphore_with_count, semaphore_with_waiter, two_semaphores, watched, control,
    vendor, timer, timer_with_leeway, armed_timer, new_voucher, voucher, made_fileport, fileport,
    made_memory_entry, memory_entry, clock_of_host, clock_control, offered_state, state_to_withdraw,
    first_lanes, own_gates, new_lane, offered_lane, lane_to_bind, used_lane;

#endif
