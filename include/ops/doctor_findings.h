/*
 * doctor_findings: what the doctor has found, each with the setting to change; and what its checks share.
 */
#ifndef REDISPROXY_OPS_DOCTOR_FINDINGS_H
#define REDISPROXY_OPS_DOCTOR_FINDINGS_H

#include "ops/doctor_facts.h"

#include <stddef.h>

enum severity {
    SEVERITY_NOTE,    /* as intended perhaps; it has a price */
    SEVERITY_WARNING, /* it works now, and will not in a failure */
    SEVERITY_ERROR,   /* something does not work */
};

struct finding {
    enum severity severity;
    char wrong[400]; /* what is wrong, and with whom */
    char mend[300];  /* which setting to change, and where */
};

/* A list that grows. Zeroed before its first use. */
struct findings {
    struct finding *items;
    size_t count;
};

/* A new one at the end; good until the next one is added. */
struct finding *finding_add(struct findings *findings, enum severity severity);
void finding_wrong(struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void finding_mend(struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "note", "warning", "error". */
const char *severity_name(enum severity severity);

/* An endpoint as text; good until the fourth call after it, so that some may stand in one sentence. */
const char *doctor_name(const struct endpoint *endpoint);

void findings_free(struct findings *findings);

#endif
