/*
 * ctl_path: where the admin socket is, by a configuration file that has errors: just then an operator wants to ask the proxy
 * that still runs with the one before.
 */
#ifndef REDISPROXY_OPS_CTL_PATH_H
#define REDISPROXY_OPS_CTL_PATH_H

/* The value of `admin` in [proxy], or `otherwise`, if it is not set. To be freed. NULL: the file cannot be read, or the value
 * is one that only a good file could tell (off, or with a variable in it). */
char *ctl_path_of(const char *file, const char *otherwise);

#endif
