/*
 * doctor: "redisproxy doctor -c proxy.conf": what is wrong with this deployment. It asks the configured Sentinels and their
 * nodes itself, with the proxy's own passwords, so that it needs no proxy that runs, and tells what is wrong with
 * the setting to change.
 */
#ifndef REDISPROXY_OPS_DOCTOR_H
#define REDISPROXY_OPS_DOCTOR_H

#include "ops/config.h"

#include <stdbool.h>
#include <stdio.h>

/* Writes what was found for each group, as text or as JSON. Returns 0: nothing, or notes only; 1: warnings or errors. */
int doctor_run(const struct config *config, bool json, FILE *out);

/* The program's command line behind "doctor". Returns the exit status: doctor_run()'s, or 2 where the command line or the
 * file is wrong. */
int doctor_main(int argc, char **argv);

#endif
