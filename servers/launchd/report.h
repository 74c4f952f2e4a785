/*
 * Reports: what tools are told of jobs, as property lists in XML.
 */
#ifndef LAUNCHD_REPORT_H
#define LAUNCHD_REPORT_H

#include "launchd.h"

/* Each gives malloc()ed text that ends with NUL, or NULL without memory. */

/* The jobs of the domain of @context: an array of {Label, PID?, LastExitStatus?}. */
char *report_jobs(struct context *context);
/* Everything about one. */
char *report_job(struct job *job);
/* {PID} */
char *report_pid(const struct job *job);

#endif
