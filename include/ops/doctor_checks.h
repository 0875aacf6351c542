/*
 * doctor_checks: from what was found to what is wrong. Pure: nothing is asked here.
 */
#ifndef REDISPROXY_OPS_DOCTOR_CHECKS_H
#define REDISPROXY_OPS_DOCTOR_CHECKS_H

#include "ops/doctor_facts.h"
#include "ops/doctor_findings.h"

/* All of them. */
void doctor_check(const struct doctor_group *group, struct findings *findings);

/* Can the Sentinels be asked, do they know each other, do they agree? */
void doctor_check_sentinels(const struct doctor_group *group, struct findings *findings);

/* Can the nodes be used, and what would happen to them in a failure? */
void doctor_check_nodes(const struct doctor_group *group, struct findings *findings);

/* Whether this Sentinel answered, and knows the group; the first one that does, or NULL. */
bool doctor_asked(const struct doctor_sentinel *sentinel);
const struct doctor_sentinel *doctor_first_asked(const struct doctor_group *group);

#endif
