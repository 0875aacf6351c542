/*
 * http_tls: TLS for the web server. libmicrohttpd speaks it with GnuTLS, which takes from here, for each connection, the
 * certificate that is the newest. The web server's thread only; there is one web server.
 */
#ifndef REDISPROXY_OPS_HTTP_TLS_H
#define REDISPROXY_OPS_HTTP_TLS_H

#include "net/tls_source.h"

#include <microhttpd.h>
#include <stdbool.h>

/* Options for MHD_START_DAEMON (MHD_OPTION_ARRAY), which end where `source` is NULL: plain. The array is good until
 * http_tls_end(). */
const struct MHD_OptionItem *http_tls_begin(struct tls_source *source);
void http_tls_end(void);

/* Whether the connection may have what is not for everybody: it is plain, nobody has to show a certificate, or it has shown
 * one of a CA that is believed now. */
bool http_tls_admits(struct MHD_Connection *connection);

#endif
