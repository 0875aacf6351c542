/* metrics_tls: certificates and handshakes, where there is TLS. */
#include "net/tls.h"
#include "net/tls_error.h"
#include "ops/metrics_parts.h"

static void put_end(struct metrics_out *out, const char *role, const char *of, int64_t ends_s)
{
    if (ends_s)
        metrics_put_number(out, LABELS({"role", role}, {"of", of}), (double)ends_s);
}

static void put_certificates(struct metrics_out *out, const struct topology *topology,
                             const struct config_tls *tls)
{
    metrics_begin(out, METRIC_TLS_ENDS);
    for (size_t i = 0; i < tls->count; i++) {
        struct tls_context *context = tls_source_context(tls->sources[i]);
        bool server = tls_source_settings(tls->sources[i])->side == TLS_SERVER;
        const char *of = tls_source_name(tls->sources[i]);
        put_end(out, server ? "listener" : "client", of, tls_context_cert_ends(context));
        put_end(out, server ? "listener_ca" : "ca", of, tls_context_ca_ends(context));
        tls_context_release(context);
    }
    for (size_t i = 0; i < topology->group_count; i++) {
        const struct topology_group *g = &topology->groups[i];
        for (size_t k = 0; k < g->node_count; k++)
            put_end(out, "node", g->nodes[k].name, g->nodes[k].cert_ends_s);
        put_end(out, "sentinel", g->name, g->sentinel_cert_ends_s);
    }
}

static void put_reloads(struct metrics_out *out, const struct config_tls *tls)
{
    metrics_begin(out, METRIC_TLS_RELOADS);
    for (size_t i = 0; i < tls->count; i++) {
        struct tls_source_counts counts = tls_source_counts(tls->sources[i]);
        const char *of = tls_source_name(tls->sources[i]);
        metrics_put(out, LABELS({"of", of}, {"result", "used"}), counts.loaded);
        metrics_put(out, LABELS({"of", of}, {"result", "refused"}), counts.refused);
    }
}

static void put_handshakes(struct metrics_out *out)
{
    static const char *const sides[] = {[TLS_SERVER] = "client", [TLS_CLIENT] = "node"};
    metrics_begin(out, METRIC_TLS_HANDSHAKES);
    for (int side = TLS_SERVER; side <= TLS_CLIENT; side++)
        for (int resumed = 0; resumed < 2; resumed++)
            metrics_put(out, LABELS({"with", sides[side]}, {"resumed", resumed ? "yes" : "no"}),
                        tls_handshakes((enum tls_side)side, resumed));
    metrics_begin(out, METRIC_TLS_FAILURES);
    for (int side = TLS_SERVER; side <= TLS_CLIENT; side++)
        for (int why = 0; why < TLS_FAILURES; why++)
            metrics_put(
                out,
                LABELS({"with", sides[side]}, {"reason", tls_failure_name((enum tls_failure)why)}),
                tls_failures((enum tls_side)side, (enum tls_failure)why));
}

void metrics_tls(struct metrics_out *out, const struct metrics_view *view)
{
    if (!view->tls)
        return;
    put_certificates(out, view->topology, view->tls);
    put_reloads(out, view->tls);
    put_handshakes(out);
}
