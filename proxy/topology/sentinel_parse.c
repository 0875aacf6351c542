/*
 * sentinel_parse: the forms are those of sentinel.c's sentinelEvent():
 *
 *     master <name> <ip> <port>
 *     slave|sentinel <id> <ip> <port> @ <master name> <master ip> <master port>
 *     <name> <old ip> <old port> <new ip> <new port>            (+switch-master)
 *
 * What follows behind these (" #quorum 2/2", " new reported role is master")
 * is not needed.
 */
#include "topology/sentinel_parse.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 8

static bool take_endpoint(struct endpoint *out, const char *host, const char *port)
{
    char *end;
    long number = strtol(port, &end, 10);
    if (*end || number <= 0 || number > 65535 || !endpoint_is_host(host))
        return false;
    snprintf(out->host, sizeof(out->host), "%s", host);
    out->port = (uint16_t)number;
    return true;
}

static int split(char *text, char **words)
{
    char *rest = NULL;
    int count = 0;
    for (char *word = strtok_r(text, " ", &rest); word && count < WORDS_MAX;
         word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    return count;
}

static void take_name(struct sentinel_event *out, const char *name)
{
    snprintf(out->name, sizeof(out->name), "%s", name);
}

bool sentinel_parse_event(struct sentinel_event *out, const char *channel, const char *payload)
{
    char text[1024], *words[WORDS_MAX];
    *out = (struct sentinel_event){.name = ""};
    if (strcmp(channel, "+tilt") == 0 || strcmp(channel, "-tilt") == 0)
        return true;
    snprintf(text, sizeof(text), "%s", payload);
    int count = split(text, words);
    if (strcmp(channel, "+switch-master") == 0) {
        if (count < 5)
            return false;
        take_name(out, words[0]);
        return take_endpoint(&out->master, words[1], words[2]) &&
               take_endpoint(&out->subject, words[3], words[4]);
    }
    if (count >= 4 && strcmp(words[0], "master") == 0) {
        take_name(out, words[1]);
        return take_endpoint(&out->master, words[2], words[3]);
    }
    if (count < 8 || strcmp(words[4], "@") != 0)
        return false;
    take_name(out, words[5]);
    return take_endpoint(&out->subject, words[2], words[3]) &&
           take_endpoint(&out->master, words[6], words[7]);
}

static const struct {
    const char *channel;
    enum election_event event;
} election_events[] = {
    {"+try-failover", EVENT_TRY_FAILOVER},
    {"+elected-leader", EVENT_ELECTED_LEADER},
    {"+failover-state-select-slave", EVENT_ELECTED_LEADER},
    {"+selected-slave", EVENT_SELECTED_REPLICA},
    {"+failover-state-send-slaveof-noone", EVENT_SELECTED_REPLICA},
    {"+failover-state-wait-promotion", EVENT_WAIT_PROMOTION},
    {"+promoted-slave", EVENT_PROMOTED},
    {"+switch-master", EVENT_SWITCH_MASTER},
    {"-failover-abort-not-elected", EVENT_ABORTED},
    {"-failover-abort-no-good-slave", EVENT_ABORTED},
    {"-failover-abort-slave-timeout", EVENT_ABORTED},
};

bool sentinel_event_kind(const char *channel, enum election_event *out)
{
    for (size_t i = 0; i < sizeof(election_events) / sizeof(election_events[0]); i++) {
        if (strcmp(channel, election_events[i].channel) == 0) {
            *out = election_events[i].event;
            return true;
        }
    }
    return false;
}

bool sentinel_event_notable(const char *channel)
{
    static const char *const notable[] = {
        "+sdown",   "-sdown",   "+odown",        "-odown",         "+tilt",   "-tilt",
        "+monitor", "-monitor", "+reset-master", "+switch-master", "+reboot", "+convert-to-slave"};
    for (size_t i = 0; i < sizeof(notable) / sizeof(notable[0]); i++) {
        if (strcmp(channel, notable[i]) == 0)
            return true;
    }
    return false;
}

const char *sentinel_field(const struct redisReply *reply, const char *name)
{
    if (reply->type != REDIS_REPLY_ARRAY)
        return NULL;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *key = reply->element[i], *value = reply->element[i + 1];
        if (key->type == REDIS_REPLY_STRING && value->type == REDIS_REPLY_STRING &&
            strcmp(key->str, name) == 0)
            return value->str;
    }
    return NULL;
}

enum failover_step sentinel_parse_step(const char *text)
{
    static const struct {
        const char *text;
        enum failover_step step;
    } steps[] = {
        {"wait_start", FAILOVER_WAIT_START},
        {"select_slave", FAILOVER_SELECT_REPLICA},
        {"send_slaveof_noone", FAILOVER_SEND_PROMOTION},
        {"wait_promotion", FAILOVER_WAIT_PROMOTION},
        {"reconf_slaves", FAILOVER_RECONFIGURE},
        {"update_config", FAILOVER_UPDATE_CONFIG},
    };
    for (size_t i = 0; text && i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (strcmp(text, steps[i].text) == 0)
            return steps[i].step;
    }
    return FAILOVER_NONE;
}

bool sentinel_parse_address(struct endpoint *out, const struct redisReply *reply)
{
    *out = (struct endpoint){.port = 0};
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
           reply->element[0]->type == REDIS_REPLY_STRING &&
           reply->element[1]->type == REDIS_REPLY_STRING &&
           take_endpoint(out, reply->element[0]->str, reply->element[1]->str);
}

bool sentinel_parse_instance(struct endpoint *out, const struct redisReply *reply)
{
    const char *host = sentinel_field(reply, "ip"), *port = sentinel_field(reply, "port");
    *out = (struct endpoint){.port = 0};
    return host && port && take_endpoint(out, host, port);
}
