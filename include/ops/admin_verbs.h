/* admin_verbs: what the verbs do: each answers its call (admin_call.h). The table is verb.c's. */
#ifndef REDISPROXY_OPS_ADMIN_VERBS_H
#define REDISPROXY_OPS_ADMIN_VERBS_H

struct admin_call;

/* ---- admin_show.c: from the newest snapshot, and what the workers show ---- */
void admin_status(struct admin_call *call);
void admin_nodes(struct admin_call *call);

/* ---- admin_sentinels.c: asks the control plane ---- */
void admin_sentinels(struct admin_call *call);

/* ---- admin_settings.c ---- */
void admin_log_level(struct admin_call *call);
void admin_config(struct admin_call *call);
void admin_drain(struct admin_call *call);

/* ---- admin_reload.c ---- */
void admin_reload(struct admin_call *call);
void admin_config_diff(struct admin_call *call);

/* ---- admin_sessions.c, admin_rebalance.c, admin_reconnect.c: ask the workers ---- */
void admin_sessions(struct admin_call *call);
void admin_kill(struct admin_call *call);
void admin_rebalance(struct admin_call *call);
void admin_reconnect(struct admin_call *call);

/* ---- admin_pause.c ---- */
void admin_pause(struct admin_call *call);
void admin_resume(struct admin_call *call);

/* ---- admin_history.c ---- */
void admin_history(struct admin_call *call);

/* ---- admin_switchover.c ---- */
void admin_switchover(struct admin_call *call);

#endif
