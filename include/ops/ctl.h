/* ctl: "redisproxy ctl": asks a running proxy over its admin socket, and shows the answer. */
#ifndef REDISPROXY_OPS_CTL_H
#define REDISPROXY_OPS_CTL_H

/* Exit statuses. */
enum { CTL_OK = 0, CTL_FAILED = 1, CTL_UNREACHABLE = 2 };

/* argv[0] is "ctl". Returns the exit status. */
int ctl_main(int argc, char **argv);

#endif
