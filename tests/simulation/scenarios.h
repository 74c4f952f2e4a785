/* The scenarios, each a set of programs with its own oracle. */
#ifndef TESTS_SIMULATION_SCENARIOS_H
#define TESTS_SIMULATION_SCENARIOS_H

#include "tests/simulation/programs.h"

extern const struct sim_scenario scenario_rpc, scenario_queues, scenario_semaphores, scenario_sets,
    scenario_moving, scenario_alarms, scenario_names, scenario_families, scenario_crowd;

#endif
