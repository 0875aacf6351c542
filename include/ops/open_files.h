/*
 * open_files: what becomes of the descriptors that the system grants. Clients shall not take the last one: then no node
 * could be connected to, no Sentinel asked and no probe answered.
 *
 *     0 ........ clients ........ client_files ... leases ... lease_files ... all others ... the limit
 *
 * A new descriptor is the lowest that is free. So its number tells how many are taken, and whether it is one of those
 * that are kept back.
 */
#ifndef REDISPROXY_OPS_OPEN_FILES_H
#define REDISPROXY_OPS_OPEN_FILES_H

#include "nodes/options.h"

/* Raises the limit to what the system grants, and shares it out: sets client_files, lease_files, http_connections, and
 * max_clients, with a warning when that has to be lower than it was. */
void open_files_share_out(struct traffic_options *options);

/* The same for a limit of `files`. Returns whether max_clients stays what it was. */
bool open_files_share(struct traffic_options *options, size_t files);

#endif
