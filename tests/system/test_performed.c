/*
 * performed: what a session performs itself, no node sees as its client sent it. In every state that a
 * connection can be in, the answer is Redis' own to the byte, and so is what it leaves behind.
 */
#include "harness/client.h"
#include "harness/compare.h"
#include "harness/raw.h"
#include "harness/wait.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSWORD "trio-secret"

const struct suite suite = {
    .since = 7,
    .trio = {.password = PASSWORD,
             .node_lines = "user alice on >pw ~* &* +@all\n"
                           "user nothing on >pw ~* &*\n"
                           "user queues on >pw ~* &* +multi +exec +discard +ping +echo\n"
                           "user nomulti on >pw ~* &* +@all -multi\n"
                           "user noselect on >pw ~* &* +@all -select\n"
                           "user noclient on >pw ~* &* +@all -client\n"
                           "user nonames on >pw ~* &* +@all -client|setname -client|reply\n"},
};

#define LET_IN "AUTH " PASSWORD "\nSET k 1\n"

/* What is performed. What follows each tells what it changed. */
static const char *const performed[] = {
    "CLIENT SETNAME new",
    "CLIENT SETNAME",
    "CLIENT GETNAME",
    "CLIENT REPLY ON",
    "CLIENT REPLY OFF",
    "CLIENT REPLY SKIP",
    "CLIENT REPLY MAYBE",
    "CLIENT UNBLOCK 99999",
    "CLIENT GETREDIR",
    "SELECT 1",
    "SELECT one",
    "SELECT 99",
    "SELECT",
    "AUTH alice pw",
    "AUTH alice wrong",
    "AUTH one two three",
    "HELLO",
    "HELLO 3",
    "HELLO 9",
    "HELLO 3 SETNAME new",
    "HELLO 2 SETNAME",
    "HELLO 2 AUTH alice wrong SETNAME new",
    "HELLO 3 AUTH alice pw SETNAME new",
    "RESET",
    "QUIT",
};

struct state {
    const char *before, *behind;
};

static void compare_in(const struct shared *s, const struct state *states, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < sizeof(performed) / sizeof(performed[0]); j++) {
            char script[600];
            if (strcmp(performed[j], "QUIT") == 0 && strstr(states[i].before, "REPLY"))
                continue; /* Redis closes when its answer is written, and there is none */
            snprintf(script, sizeof(script),
                     "%s%s\n%sCLIENT GETNAME\nACL WHOAMI\nGET k\nHELLO\nCLIENT REPLY ON\n"
                     "CLIENT GETNAME\nACL WHOAMI\nGET k\nHELLO\nQUIT\n",
                     states[i].before, performed[j], states[i].behind);
            compare_pipeline(s, PROXY_MASTER, script);
        }
}

#define COMPARE_IN(states) compare_in(&s, states, sizeof(states) / sizeof(states[0]))

Test(performed, outside_of_transactions, .timeout = 120)
{
    struct shared s = shared();
    static const struct state states[] = {
        {"", ""},
        {LET_IN, ""},
        {LET_IN "CLIENT SETNAME old\n", ""},
        {LET_IN "CLIENT REPLY OFF\n", ""},
        {LET_IN "CLIENT REPLY SKIP\n", ""},
        {LET_IN "HELLO 2 AUTH alice wrong SETNAME failed\n", ""},
        {LET_IN "HELLO 3 SETNAME named\n", ""},
        {LET_IN "WATCH k\n", ""},
    };
    COMPARE_IN(states);
}

Test(performed, inside_transactions, .timeout = 120)
{
    struct shared s = shared();
    static const struct state states[] = {
        {LET_IN "MULTI\nECHO a\n", "ECHO b\nEXEC\n"},
        {LET_IN "CLIENT SETNAME old\nMULTI\nCLIENT GETNAME\n", "CLIENT GETNAME\nEXEC\n"},
        {LET_IN "HELLO 3\nMULTI\nECHO a\n", "CLIENT GETNAME\nGET no\nEXEC\n"},
        {LET_IN "MULTI\nECHO a\n", "DISCARD\n"},
        {LET_IN "MULTI\nCLIENT REPLY OFF\nECHO a\n", "ECHO b\nEXEC\nECHO c\n"},
        {LET_IN "MULTI\nCLIENT REPLY SKIP\nECHO a\n", "ECHO b\nEXEC\nECHO c\nECHO d\n"},
        {LET_IN "CLIENT REPLY OFF\nMULTI\nECHO a\n", "ECHO b\nEXEC\nECHO c\n"},
        {LET_IN "MULTI\nECHO a\nCLIENT REPLY SKIP\n", "CLIENT REPLY ON\nEXEC\nECHO c\n"},
    };
    COMPARE_IN(states);
}

Test(performed, behind_what_was_refused, .timeout = 120)
{
    struct shared s = shared();
    static const struct state states[] = {
        {LET_IN "MULTI\nNOSUCH\n", "ECHO b\nEXEC\n"},
        {LET_IN "MULTI\nMULTI\n", "ECHO b\nEXEC\n"},
        {"AUTH nomulti pw\nMULTI\n", "ECHO b\nEXEC\n"},
        {"AUTH nomulti pw\nMULTI\nCLIENT REPLY OFF\n", "ECHO b\nEXEC\n"},
        {"MULTI\n", "ECHO b\nEXEC\n"},
        {LET_IN "EXEC\n", "DISCARD\n"},
    };
    COMPARE_IN(states);
}

Test(performed, by_a_subscriber, .timeout = 120)
{
    struct shared s = shared();
    static const struct state states[] = {
        {LET_IN "SUBSCRIBE ch\n", "UNSUBSCRIBE ch\n"},
        {LET_IN "SUBSCRIBE ch\nMULTI\n", "EXEC\nUNSUBSCRIBE ch\n"},
        {LET_IN "HELLO 3\nSUBSCRIBE ch\n", "UNSUBSCRIBE ch\n"},
        {LET_IN "HELLO 3\nSUBSCRIBE ch\nMULTI\n", "EXEC\nUNSUBSCRIBE ch\n"},
    };
    COMPARE_IN(states);
}

Test(performed, by_users_of_few_rights, .timeout = 120)
{
    struct shared s = shared();
    static const struct state states[] = {
        {"AUTH nothing pw\n", ""},
        {"AUTH nothing pw\nMULTI\n", "EXEC\n"},
        {"AUTH queues pw\nMULTI\n", "EXEC\n"},
        {"AUTH queues pw\nMULTI\nECHO a\nEXEC\n", ""},
        {"AUTH noselect pw\n", ""},
        {"AUTH noselect pw\nMULTI\n", "EXEC\n"},
        {LET_IN "SELECT 2\nAUTH noselect pw\n", ""},
        {"AUTH noclient pw\n", ""},
        {"AUTH nonames pw\n", ""},
        {LET_IN "CLIENT SETNAME old\nAUTH nonames pw\n", ""},
        {"AUTH nonames pw\nMULTI\n", "EXEC\n"},
    };
    COMPARE_IN(states);
}
