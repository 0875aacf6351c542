/*
 * metrics_list: every family of /metrics, in the order in which they are written: METRIC(id, name, type, unit, help). The
 * enum, the lines HELP, TYPE and UNIT, and docs/metrics.md come from here; a test holds that the proxy's answer, the
 * dashboard, the alerts and the documents name nothing else.
 *
 * Names are whole here, without what a histogram's lines end with. A counter ends with _total, and what has a unit ends
 * with it (before _total), as Prometheus asks.
 */
#ifndef REDISPROXY_OPS_METRICS_LIST_H
#define REDISPROXY_OPS_METRICS_LIST_H

#define METRICS(X)                                                                                 \
    /* ---- the process ---- */                                                                    \
    X(BUILD_INFO, "redisproxy_build_info", gauge, "", "Always 1; the version is a label.")         \
    X(PROCESS_CPU, "process_cpu_seconds_total", counter, "seconds",                                \
      "CPU time of the process, the kernel's for it included.")                                    \
    X(PROCESS_RSS, "process_resident_memory_bytes", gauge, "bytes", "Memory in use (RSS).")        \
    X(PROCESS_VIRTUAL, "process_virtual_memory_bytes", gauge, "bytes", "Address space.")           \
    X(PROCESS_FDS, "process_open_fds", gauge, "", "Open file descriptors.")                        \
    X(PROCESS_MAX_FDS, "process_max_fds", gauge, "",                                               \
      "How many file descriptors there may be (RLIMIT_NOFILE).")                                   \
    X(PROCESS_THREADS, "process_threads", gauge, "", "Threads.")                                   \
    X(PROCESS_START, "process_start_time_seconds", gauge, "seconds",                               \
      "When the process started, in seconds since 1970.")                                          \
    X(RELOAD_OK, "redisproxy_config_last_reload_successful", gauge, "",                            \
      "Whether the configuration was taken when it was read last; at the start it was.")           \
    X(RELOAD_TIME, "redisproxy_config_last_reload_success_timestamp_seconds", gauge, "seconds",    \
      "When a configuration was taken last.")                                                      \
    X(LOG_DROPPED, "redisproxy_log_dropped_total", counter, "",                                    \
      "Lines that are not in the log: it was not read fast enough, or too many of a kind.")        \
    /* ---- groups, nodes, Sentinels ---- */                                                       \
    X(GROUP_STATE, "redisproxy_group_state", gauge, "", "Whether the group is in this state.")     \
    X(GROUP_WRITABLE, "redisproxy_group_writable", gauge, "",                                      \
      "Whether requests are written to the group's master now.")                                   \
    X(GROUP_QUORUM, "redisproxy_group_quorum", gauge, "",                                          \
      "Whether a majority of the group's Sentinels names one master.")                             \
    X(GROUP_EPOCH, "redisproxy_group_epoch", gauge, "", "Sentinel's config-epoch of the master.")  \
    X(GROUP_SENTINELS, "redisproxy_group_sentinels", gauge, "",                                    \
      "Sentinels of which a majority is asked for.")                                               \
    X(GROUP_VOTES, "redisproxy_group_votes", gauge, "",                                            \
      "Sentinels that name the master that most of them name.")                                    \
    X(NODE_MASTER, "redisproxy_node_master", gauge, "", "Whether the node is its group's master.") \
    X(NODE_UP, "redisproxy_node_up", gauge, "", "Whether the node answers the proxy's probe.")     \
    X(NODE_SUSPECT, "redisproxy_node_suspect", gauge, "",                                          \
      "Whether the node is silent or refuses connections.")                                        \
    X(NODE_READABLE, "redisproxy_node_readable", gauge, "",                                        \
      "Whether the node is a replica that serves reads.")                                          \
    X(NODE_REFUSES, "redisproxy_node_refuses", gauge, "",                                          \
      "Whether the node lets no new connection of the proxy in.")                                  \
    X(NODE_LAG_BYTES, "redisproxy_node_lag_bytes", gauge, "bytes",                                 \
      "How much of the master's replication stream the replica lacks.")                            \
    X(NODE_LAG_SECONDS, "redisproxy_node_lag_seconds", gauge, "seconds",                           \
      "How long ago the master was where the replica is.")                                         \
    X(SENTINEL_PRESENT, "redisproxy_sentinel_present", gauge, "", "Whether the Sentinel answers.") \
    X(SENTINEL_AGREES, "redisproxy_sentinel_agrees", gauge, "",                                    \
      "Whether the Sentinel names the master that a majority names.")                              \
    X(SENTINEL_EPOCH, "redisproxy_sentinel_epoch", gauge, "",                                      \
      "The config-epoch that the Sentinel told last.")                                             \
    X(SENTINEL_TILT, "redisproxy_sentinel_tilt", gauge, "",                                        \
      "Whether the Sentinel has said that it is in TILT.")                                         \
    X(SENTINEL_ANSWER, "redisproxy_sentinel_last_answer_timestamp_seconds", gauge, "seconds",      \
      "When the Sentinel answered last.")                                                          \
    X(SWITCHOVERS, "redisproxy_switchovers_total", counter, "",                                    \
      "Holds that ended, at another master or at the one before.")                                 \
    X(SWITCHOVER_TIME, "redisproxy_switchover_duration_seconds", histogram, "seconds",             \
      "Switchovers to another master: the time from the hold to each phase.")                      \
    /* ---- clients ---- */                                                                        \
    X(SESSIONS, "redisproxy_sessions", gauge, "", "Client connections.")                           \
    X(SESSIONS_OPENED, "redisproxy_sessions_opened_total", counter, "",                            \
      "Client connections that were taken.")                                                       \
    X(SESSIONS_REFUSED, "redisproxy_sessions_refused_total", counter, "",                          \
      "Client connections that were not taken.")                                                   \
    X(SESSIONS_CLOSED, "redisproxy_sessions_closed_total", counter, "",                            \
      "Client connections that ended.")                                                            \
    X(DISCONNECTED, "redisproxy_disconnected_total", counter, "",                                  \
      "Client connections that the proxy ended; the log says why.")                                \
    X(OUTPUT_DISCONNECTED, "redisproxy_output_disconnected_total", counter, "",                    \
      "Client connections that the proxy ended, for they were over output_limit or "               \
      "output_memory.")                                                                            \
    X(CLIENT_RECEIVED, "redisproxy_client_received_bytes_total", counter, "bytes",                 \
      "Bytes that clients sent.")                                                                  \
    X(CLIENT_SENT, "redisproxy_client_sent_bytes_total", counter, "bytes",                         \
      "Bytes that were sent to clients.")                                                          \
    X(CLIENT_LIB, "redisproxy_client_lib_info", gauge, "",                                         \
      "Client libraries that named themselves (CLIENT SETINFO) since the start; always 1.")        \
    /* ---- requests ---- */                                                                       \
    X(REQUESTS, "redisproxy_requests_total", counter, "", "Requests that were answered.")          \
    X(REQUEST_RESULTS, "redisproxy_request_results_total", counter, "",                            \
      "The same by result alone, those that never happened included: for alerts.")                 \
    X(REQUEST_TIME, "redisproxy_request_duration_seconds", histogram, "seconds",                   \
      "From a request's coming to its answer.")                                                    \
    X(NODE_TIME, "redisproxy_node_duration_seconds", histogram, "seconds",                         \
      "From a request's being given to a node's connection to its answer.")                        \
    X(RETRIES, "redisproxy_retries_total", counter, "", "Requests that were sent once more.")      \
    X(HELD_SESSIONS, "redisproxy_held_sessions", gauge, "",                                        \
      "Client connections whose requests wait for a node.")                                        \
    X(HELD_BYTES, "redisproxy_held_bytes", gauge, "bytes",                                         \
      "Bytes of requests that wait for a node.")                                                   \
    X(HOLD_BYTES, "redisproxy_hold_memory_bytes", gauge, "bytes",                                  \
      "Bytes of requests that wait for a node of the group, of all workers.")                      \
    X(HOLD_LIMIT, "redisproxy_hold_memory_limit_bytes", gauge, "bytes",                            \
      "How many there may be (hold_memory).")                                                      \
    X(HELD, "redisproxy_held_requests_total", counter, "",                                         \
      "Requests that had to wait for a node.")                                                     \
    X(HOLD_TIME, "redisproxy_hold_duration_seconds", histogram, "seconds",                         \
      "How long they waited.")                                                                     \
    X(HOLD_MAX, "redisproxy_hold_max_duration_seconds", gauge, "seconds",                          \
      "How long one waited at most, since the start.")                                             \
    X(UNRENEWED, "redisproxy_unrenewed_subscribers", gauge, "",                                    \
      "Client connections whose subscriptions are to be made again.")                              \
    X(EARLY_PUBLISH, "redisproxy_early_publish_total", counter, "",                                \
      "How often held messages went out before all subscriptions were made again.")                \
    /* ---- connections to nodes ---- */                                                           \
    X(UPSTREAMS, "redisproxy_upstreams", gauge, "",                                                \
      "Connections to nodes that carry clients' commands.")                                        \
    X(NODE_UPSTREAMS, "redisproxy_node_upstreams", gauge, "",                                      \
      "The same by node, as they were a second ago at most.")                                      \
    X(CONNECTS, "redisproxy_node_connects_total", counter, "", "Connections that were begun.")     \
    X(CONNECT_FAILED, "redisproxy_node_connection_failures_total", counter, "",                    \
      "Connections that failed.")                                                                  \
    X(NODE_RECEIVED, "redisproxy_node_received_bytes_total", counter, "bytes",                     \
      "Bytes that the group's nodes sent to clients' connections.")                                \
    X(NODE_SENT, "redisproxy_node_sent_bytes_total", counter, "bytes",                             \
      "Bytes that were sent to the group's nodes for clients.")                                    \
    /* ---- workers ---- */                                                                        \
    X(LOOP_LAG, "redisproxy_loop_lag_seconds", gauge, "seconds",                                   \
      "How late the worker's loop came to its timer: the worst of the last five to ten seconds.")  \
    X(REQUEST_BYTES, "redisproxy_request_bytes", gauge, "bytes",                                   \
      "Bytes of requests that are not answered yet, with the memory around them "                  \
      "(request_memory).")                                                                         \
    X(OUTPUT_BYTES, "redisproxy_output_bytes", gauge, "bytes",                                     \
      "Bytes of replies that wait for clients that have more than output_high of them.")           \
    X(AHEAD_BYTES, "redisproxy_ahead_bytes", gauge, "bytes",                                       \
      "Bytes of requests that were read of clients that read no replies.")                         \
    X(MEMORY, "redisproxy_memory_bytes", gauge, "bytes",                                           \
      "What all workers hold in memory for clients, by what it is.")                               \
    /* ---- TLS ---- */                                                                            \
    X(TLS_ENDS, "redisproxy_tls_certificate_not_after_timestamp_seconds", gauge, "seconds",        \
      "When a certificate ends: the proxy's own, its CAs', those that nodes and Sentinels show.")  \
    X(TLS_RELOADS, "redisproxy_tls_reloads_total", counter, "",                                    \
      "How often changed certificates were read, and with what result.")                           \
    X(TLS_HANDSHAKES, "redisproxy_tls_handshakes_total", counter, "",                              \
      "TLS handshakes that were done, in full or with the session of an earlier one.")             \
    X(TLS_FAILURES, "redisproxy_tls_handshake_failures_total", counter, "",                        \
      "TLS handshakes that failed, with clients and with nodes or Sentinels.")

#endif
