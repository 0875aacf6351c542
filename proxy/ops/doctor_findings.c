/* doctor_findings: see the header. */
#include "ops/doctor_findings.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *severity_name(enum severity severity)
{
    static const char *const names[] = {
        [SEVERITY_NOTE] = "note", [SEVERITY_WARNING] = "warning", [SEVERITY_ERROR] = "error"};
    return names[severity];
}

/* ---- a finding ---- */

struct finding *finding_add(struct findings *findings, enum severity severity)
{
    struct finding *items =
        realloc(findings->items, (findings->count + 1) * sizeof(*findings->items));
    if (!items)
        out_of_memory((findings->count + 1) * sizeof(*items));
    findings->items = items;
    items[findings->count] = (struct finding){.severity = severity};
    return &items[findings->count++];
}

void finding_wrong(struct finding *finding, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(finding->wrong, sizeof(finding->wrong), format, args);
    va_end(args);
}

void finding_mend(struct finding *finding, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(finding->mend, sizeof(finding->mend), format, args);
    va_end(args);
}

void findings_free(struct findings *findings)
{
    free(findings->items);
    *findings = (struct findings){0};
}

const char *doctor_name(const struct endpoint *endpoint)
{
    static _Thread_local char texts[4][ENDPOINT_TEXT_MAX];
    static _Thread_local unsigned next;
    char *text = texts[next++ % 4];
    return endpoint_format(text, ENDPOINT_TEXT_MAX, endpoint);
}
