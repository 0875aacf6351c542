/* office: see the header. */
#include "traffic/office.h"

#include <stdlib.h>
#include <string.h>

struct office *office_new(size_t desks, size_t groups)
{
    struct office *office = calloc(1, sizeof(*office));
    if (!office)
        abort();
    office->desk_count = desks;
    office->group_count = groups;
    office->desks = aligned_alloc(DESK_LINE, desks * sizeof(*office->desks));
    office->held_bytes = calloc(groups + 1, sizeof(*office->held_bytes));
    office->rights = calloc(groups + 1, sizeof(*office->rights));
    office->unrenewed = calloc(groups + 1, sizeof(*office->unrenewed));
    if (!office->desks || !office->held_bytes || !office->rights || !office->unrenewed)
        abort();
    memset(office->desks, 0, desks * sizeof(*office->desks));
    for (size_t i = 0; i < desks; i++) {
        size_t size = (groups * sizeof(struct desk_hold) / DESK_LINE + 1) * DESK_LINE;
        office->desks[i].holds = aligned_alloc(DESK_LINE, size);
        if (!office->desks[i].holds)
            abort();
        memset(office->desks[i].holds, 0, size);
    }
    return office;
}

void office_free(struct office *office)
{
    for (size_t i = 0; i < office->desk_count; i++)
        free(office->desks[i].holds);
    free(office->desks);
    free(office->held_bytes);
    free(office->unrenewed);
    free(office->rights);
    free(office);
}

void office_ring_waiting(struct office *office)
{
    for (size_t i = 0; i < office->desk_count; i++)
        if (atomic_exchange(&office->desks[i].waits, false))
            mailbox_ring(&office->desks[i].box);
}
