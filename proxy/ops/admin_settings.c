/* admin_settings: log-level, config, drain. */
#include "ops/admin_verbs.h"

#include "base/log.h"
#include "ops/admin_call.h"
#include "ops/config_sections.h"
#include "ops/config_show.h"

#include <stdlib.h>
#include <string.h>

void admin_log_level(struct admin_call *call)
{
    const char *wanted = admin_word(call, 0);
    cJSON *result;
    int level = -1;
    for (int i = LOG_DEBUG; wanted && i <= LOG_ERROR; i++)
        if (strcmp(wanted, log_level_name((enum log_level)i)) == 0)
            level = i;
    if (wanted && level < 0) {
        admin_failed(call, "there is no such level: choose debug, info, warn or error");
        return;
    }
    result = cJSON_CreateObject();
    admin_add_text(result, "log_level",
                   log_level_name(level < 0 ? log_level() : (enum log_level)level));
    if (level > LOG_INFO) { /* the line about it comes first */
        admin_done(call, result);
        log_set_level((enum log_level)level);
        return;
    }
    if (level >= 0)
        log_set_level((enum log_level)level);
    admin_done(call, result);
}

/* ---- config ---- */

static void add_setting(cJSON *list, const struct section *section,
                        const struct config_option *option)
{
    char where[300];
    struct buf value = {0};
    bool set = config_show_value(&value, option, &section->settings);
    cJSON *row = cJSON_CreateObject();
    int line = config_section_given(section, option->name);
    snprintf(where, sizeof(where), "%s%s%s", section_kind_name(section->kind),
             section->label && *section->label ? " " : "", section->label ? section->label : "");
    buf_append(&value, "", 1);
    admin_add_text(row, "section", where);
    admin_add_text(row, "name", option->name);
    admin_add_text(row, "value", set ? buf_head(&value) : "");
    if (line > 0)
        admin_add_number(row, "line", line);
    else
        admin_add_text(row, "line", line == LINE_ENVIRONMENT ? "environment" : "default");
    cJSON_AddItemToArray(list, row);
    buf_free(&value);
}

static cJSON *settings_named(const struct config *config, const char *name)
{
    size_t count;
    const struct config_option *table = config_table(&count);
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < config->sections->count; i++) {
        const struct section *section = config->sections->items[i];
        for (size_t k = 0; k < count; k++)
            if (table[k].section == section->kind && (!name || strcmp(name, table[k].name) == 0))
                add_setting(list, section, &table[k]);
    }
    return list;
}

static void refuse_unknown(struct admin_call *call, const char *name)
{
    const char *names[OPTIONS_MAX];
    size_t count;
    const struct config_option *table = config_table(&count);
    for (size_t i = 0; i < count; i++)
        names[i] = table[i].name;
    const char *nearest = config_nearest(name, names, count);
    if (nearest)
        admin_failed(call, "there is no setting %s: did you mean %s?", name, nearest);
    else
        admin_failed(call, "there is no setting %s: \"redisproxy ctl config\" lists them", name);
}

void admin_config(struct admin_call *call)
{
    const char *what = admin_word(call, 0), *name = admin_word(call, 1);
    if (what && strcmp(what, "diff") == 0 && !name) {
        admin_config_diff(call);
        return;
    }
    if (what && strcmp(what, "get") != 0) {
        admin_failed(call, "config knows \"config get NAME\" and \"config diff\"");
        return;
    }
    cJSON *list = settings_named(call->core->sources.config, name), *result;
    if (cJSON_GetArraySize(list) == 0) {
        cJSON_Delete(list);
        refuse_unknown(call, name);
        return;
    }
    result = cJSON_CreateObject();
    cJSON_AddItemToObject(result, "settings", list);
    admin_done(call, result);
}

/* ---- drain ---- */

void admin_drain(struct admin_call *call)
{
    struct admin_core *core = call->core;
    cJSON *result = cJSON_CreateObject();
    bool already =
        atomic_exchange(&core->draining, true); /* a second signal would end it at once */
    if (!already)
        core->sources.drain();
    admin_add_text(result, "drain", already ? "goes on already" : "has begun");
    admin_add_number(result, "drain_timeout_ms", core->sources.config->traffic.drain_timeout_ms);
    admin_done(call, result);
}
