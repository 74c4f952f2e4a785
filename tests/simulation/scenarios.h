/* The scenarios, each a set of programs with its own oracle. */
#ifndef TESTS_SIMULATION_SCENARIOS_H
#define TESTS_SIMULATION_SCENARIOS_H

#include "tests/simulation/programs.h"

extern const struct sim_scenario scenario_rpc;
extern const struct sim_scenario scenario_queues;
extern const struct sim_scenario scenario_semaphores;
extern const struct sim_scenario scenario_sets;
extern const struct sim_scenario scenario_moving;
extern const struct sim_scenario scenario_alarms;
extern const struct sim_scenario scenario_names;
extern const struct sim_scenario scenario_families;
extern const struct sim_scenario scenario_notices;
extern const struct sim_scenario scenario_crowd;
extern const struct sim_scenario scenario_timers;
extern const struct sim_scenario scenario_guards;
extern const struct sim_scenario scenario_vouchers;

#endif
