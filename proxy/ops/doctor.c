/*
 * doctor: gather, check, tell; one group after the other.
 */
#include "ops/doctor.h"

#include "base/memory.h"
#include "ops/config_environment.h"
#include "ops/doctor_checks.h"
#include "ops/doctor_gather.h"

#include <cjson/cJSON.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { FOUND_NOTHING = 0, FOUND_SOMETHING = 1, CANNOT_RUN = 2 };

/* ---- one group ---- */

static struct findings examine(const struct topology_options *options,
                               const struct traffic_group_options *traffic)
{
    struct findings findings = {0};
    struct doctor_group *group = calloc(1, sizeof(*group));
    if (!group)
        out_of_memory(sizeof(*group));
    group->options = options;
    group->traffic = traffic;
    doctor_gather(group);
    doctor_check(group, &findings);
    free(group);
    return findings;
}

static enum severity worst_of(const struct findings *findings)
{
    enum severity worst = SEVERITY_NOTE;
    for (size_t i = 0; i < findings->count; i++)
        if (findings->items[i].severity > worst)
            worst = findings->items[i].severity;
    return worst;
}

/* ---- telling ---- */

static void tell(FILE *out, const char *group, const struct findings *findings)
{
    fprintf(out, "group %s: %s\n", group, findings->count ? "" : "nothing is wrong");
    for (int severity = SEVERITY_ERROR; severity >= SEVERITY_NOTE; severity--)
        for (size_t i = 0; i < findings->count; i++) {
            const struct finding *finding = &findings->items[i];
            if (finding->severity == (enum severity)severity)
                fprintf(out, "  %-7s  %s\n           -> %s\n", severity_name(finding->severity),
                        finding->wrong, finding->mend);
        }
}

static cJSON *as_json(const char *group, const struct findings *findings)
{
    cJSON *object = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(object, "findings");
    cJSON_AddStringToObject(object, "group", group);
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "severity", severity_name(finding->severity));
        cJSON_AddStringToObject(item, "wrong", finding->wrong);
        cJSON_AddStringToObject(item, "mend", finding->mend);
        cJSON_AddItemToArray(list, item);
    }
    return object;
}

int doctor_run(const struct config *config, bool json, FILE *out)
{
    cJSON *groups = cJSON_CreateArray();
    int result = FOUND_NOTHING;
    for (size_t i = 0; i < config->traffic.group_count; i++) {
        struct findings findings = examine(&config->topology[i], &config->traffic.groups[i]);
        if (worst_of(&findings) > SEVERITY_NOTE)
            result = FOUND_SOMETHING;
        if (json)
            cJSON_AddItemToArray(groups, as_json(config->topology[i].name, &findings));
        else
            tell(out, config->topology[i].name, &findings);
        findings_free(&findings);
    }
    if (json) {
        char *text = cJSON_Print(groups);
        fprintf(out, "%s\n", text ? text : "[]");
        cJSON_free(text);
    }
    cJSON_Delete(groups);
    return result;
}

/* ---- command line ---- */

static const char usage[] = "usage: redisproxy doctor -c FILE [--json]\n"
                            "       redisproxy doctor --sentinels HOST:PORT,... [--master NAME] "
                            "[--json]\n\n"
                            "Asks the Sentinels and the nodes of this configuration what they say "
                            "of themselves and of each other, and tells\n"
                            "what is wrong, with the setting to change. It needs no proxy that "
                            "runs, and changes nothing.\n\n"
                            "Exit status: 0 nothing is wrong (notes tell of prices), 1 something "
                            "is, 2 the file cannot be used.\n";

int doctor_main(int argc, char **argv)
{
    static const struct option names[] = {
        {"config", required_argument, NULL, 'c'}, {"sentinels", required_argument, NULL, 's'},
        {"master", required_argument, NULL, 'm'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    const char *path = NULL;
    bool json = false;
    int letter;
    while ((letter = getopt_long(argc, argv, "c:h", names, NULL)) != -1) {
        if (letter == 'c')
            path = optarg;
        else if (letter == 'j')
            json = true;
        else if (letter == 's' || letter == 'm')
            config_environment_set(letter == 's' ? optarg : NULL, letter == 'm' ? optarg : NULL);
        else {
            fputs(usage, letter == 'h' ? stdout : stderr);
            return letter == 'h' ? FOUND_NOTHING : CANNOT_RUN;
        }
    }
    if ((!path && !config_environment_suffices()) || optind != argc) {
        fputs(usage, stderr);
        return CANNOT_RUN;
    }
    struct config *config = config_load(path, stderr);
    if (!config)
        return CANNOT_RUN;
    int result = doctor_run(config, json, stdout);
    config_free(config);
    return result;
}
