/* completion: what bash and zsh offer behind "redisproxy", from the verb table and the option table. */
#ifndef REDISPROXY_OPS_COMPLETION_H
#define REDISPROXY_OPS_COMPLETION_H

#include <stdio.h>

void completion_print_bash(FILE *out);
void completion_print_zsh(FILE *out);

#endif
