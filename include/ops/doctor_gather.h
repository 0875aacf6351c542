/* doctor_gather: asks all Sentinels and nodes of a group. It blocks, for connect_timeout with each that does not answer. */
#ifndef REDISPROXY_OPS_DOCTOR_GATHER_H
#define REDISPROXY_OPS_DOCTOR_GATHER_H

#include "ops/doctor_facts.h"

/* Fills the group, of which `options` and `traffic` are set and the rest is zero. */
void doctor_gather(struct doctor_group *group);

#endif
