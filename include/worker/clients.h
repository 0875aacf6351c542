/*
 * clients: who connects becomes a session of the worker that accepts, or, as a letter, of another one:
 *
 *     clients_on_accept() -> balance_next(): which worker? -> take(), or give_to_worker() --mail--> open_given() -> take()
 */
#ifndef REDISPROXY_WORKER_CLIENTS_H
#define REDISPROXY_WORKER_CLIENTS_H

/* A client has connected at this accept point (worker_state.h): its descriptor is taken. The accepting worker's thread. */
void clients_on_accept(void *accept_point, int fd);

#endif
