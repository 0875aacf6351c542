/*
 * verb: what "redisproxy ctl" can be asked for. One table is the single source of names, arguments and help: the admin
 * thread dispatches by it, "redisproxy ctl help", the man page and the shells' completion are made from it.
 */
#ifndef REDISPROXY_OPS_VERB_H
#define REDISPROXY_OPS_VERB_H

#include <stdbool.h>
#include <stddef.h>

struct admin_call;
struct config;

/* What a shell offers behind the verb. */
enum verb_words {
    WORDS_NONE,
    WORDS_GROUP,   /* the groups' names */
    WORDS_LEVEL,   /* debug info warn error */
    WORDS_SESSION, /* filters: user= idle> ... */
    WORDS_CONFIG,  /* get diff */
};

struct verb {
    const char *name;
    const char *args;    /* as people write it: "GROUP [--for TIME]"; "": none */
    const char *help;    /* one line */
    const char *more;    /* paragraphs for the man page, or NULL */
    const char *options; /* separated by blanks: "--for --to"; NULL: it has none */
    enum verb_words words;
    int least, most;      /* how many words it takes that belong to no option */
    bool changes;         /* it changes something: who did it is logged */
    bool only_asks_alone; /* without a word it only tells */
    bool slow;            /* it may take minutes */
    /* ctl does it itself, by the configuration: no running proxy is asked. Returns the exit status. */
    int (*local)(const struct config *config, bool json);
    void (*begin)(struct admin_call *call); /* answers now, or later; NULL: not in this build */
};

/* Whether a call with so many arguments changes something. */
static inline bool verb_changes(const struct verb *verb, int argc)
{
    return verb->changes && !(verb->only_asks_alone && argc == 0);
}

/* NULL: there is no such verb. */
const struct verb *verb_find(const char *name);
const struct verb *verb_table(size_t *count);

#endif
