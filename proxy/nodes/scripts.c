/*
 * scripts: see the header. Texts are found by a hash of their own, which costs little for each EVAL;
 * the SHA1 of one is only reckoned when somebody asks for a SHA1.
 */
#include "nodes/scripts.h"

#include "base/keyed_hash.h"
#include "base/list.h"

#include <malloc.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SHA_TEXT 40
/* Longer ones are not kept. */
#define TEXT_MAX ((size_t)1024 * 1024)
#define NODES_MAX 8

/* A node that has it, or is to get it. */
struct note {
    uint64_t node;
    enum script_state state;
    const void *who; /* LOADING: the connection; REFUSED: the user */
};

struct script {
    UT_hash_handle hh; /* in `by_text`, the newest last */
    UT_hash_handle by_sha;
    struct list in_use;     /* the most recently used last */
    bool asked;             /* for, by its SHA1 */
    char sha[SHA_TEXT + 1]; /* "": not reckoned yet */
    struct note notes[NODES_MAX];
    unsigned note_count;
    size_t len;
    char text[];
};

struct scripts {
    struct script *by_text, *by_sha;
    struct script *unnamed; /* the oldest whose SHA1 was not reckoned; all behind it, too */
    struct list in_use;
    uint64_t told; /* the node that was told the recent ones */
    size_t bytes;  /* of the entries, without the tables */
    size_t max;
};

struct scripts *scripts_new(size_t max_bytes)
{
    struct scripts *scripts = calloc(1, sizeof(*scripts));
    if (!scripts)
        abort();
    scripts->max = max_bytes;
    list_init(&scripts->in_use);
    return scripts;
}

/* ---- what they take ---- */

/* What the allocator gave, and its own word before it: an entry is some hundred bytes more than its text. */
static size_t bytes_of(struct script *script)
{
    return malloc_usable_size(script) + sizeof(size_t);
}

static size_t bytes_of_table(const struct UT_hash_table *table)
{
    return sizeof(*table) + table->num_buckets * sizeof(*table->buckets);
}

size_t scripts_bytes(const struct scripts *scripts)
{
    return scripts->bytes + (scripts->by_text ? bytes_of_table(scripts->by_text->hh.tbl) : 0) +
           (scripts->by_sha ? bytes_of_table(scripts->by_sha->by_sha.tbl) : 0);
}

/* ---- by text ---- */

static void drop(struct scripts *scripts, struct script *script)
{
    if (scripts->unnamed == script)
        scripts->unnamed = script->hh.next;
    if (script->sha[0])
        HASH_DELETE(by_sha, scripts->by_sha, script);
    HASH_DELETE(hh, scripts->by_text, script);
    list_remove(&script->in_use);
    scripts->bytes -= bytes_of(script);
    free(script);
}

void scripts_clear(struct scripts *scripts)
{
    while (scripts->by_text)
        drop(scripts, scripts->by_text);
}

void scripts_free(struct scripts *scripts)
{
    scripts_clear(scripts);
    free(scripts);
}

static void use(struct scripts *scripts, struct script *script)
{
    list_remove(&script->in_use);
    list_append(&scripts->in_use, &script->in_use);
}

/* What is too large by itself goes at once, with all others. */
static void add(struct scripts *scripts, struct slice text)
{
    struct script *script = calloc(1, sizeof(*script) + text.len);
    if (!script)
        abort();
    list_init(&script->in_use);
    list_append(&scripts->in_use, &script->in_use);
    script->len = text.len;
    memcpy(script->text, text.data, text.len);
    HASH_ADD(hh, scripts->by_text, text, text.len, script);
    if (!scripts->unnamed)
        scripts->unnamed = script;
    scripts->bytes += bytes_of(script);
    while (scripts->by_text && scripts_bytes(scripts) > scripts->max)
        drop(scripts, container_of(scripts->in_use.next, struct script, in_use));
}

bool scripts_saw(struct scripts *scripts, struct slice text)
{
    struct script *script;
    if (!text.data || text.len > TEXT_MAX || text.len > scripts->max)
        return false;
    HASH_FIND(hh, scripts->by_text, text.data, text.len, script);
    if (script)
        use(scripts, script);
    else
        add(scripts, text);
    return !script;
}

/* ---- by SHA1 ---- */

static void reckon(struct script *script)
{
    unsigned char digest[SHA_DIGEST_LENGTH];
    SHA1((const unsigned char *)script->text, script->len, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(script->sha + 2 * i, 3, "%02x", digest[i]);
}

static struct script *find(struct scripts *scripts, struct slice sha)
{
    char lower[SHA_TEXT];
    struct script *script;
    if (sha.len != SHA_TEXT)
        return NULL;
    for (size_t i = 0; i < SHA_TEXT; i++)
        lower[i] =
            sha.data[i] >= 'A' && sha.data[i] <= 'Z' ? (char)(sha.data[i] | 0x20) : sha.data[i];
    for (; scripts->unnamed; scripts->unnamed = scripts->unnamed->hh.next) {
        reckon(scripts->unnamed);
        HASH_ADD(by_sha, scripts->by_sha, sha, SHA_TEXT, scripts->unnamed);
    }
    HASH_FIND(by_sha, scripts->by_sha, lower, SHA_TEXT, script);
    return script;
}

struct slice scripts_text(struct scripts *scripts, struct slice sha)
{
    const struct script *script = find(scripts, sha);
    return script ? (struct slice){script->text, script->len} : (struct slice){NULL, 0};
}

/* ---- nodes ---- */

static struct note *find_note(struct script *script, uint64_t node)
{
    for (unsigned i = 0; i < script->note_count && i < NODES_MAX; i++)
        if (script->notes[i].node == node)
            return &script->notes[i];
    return NULL;
}

static enum script_state state_of(struct script *script, uint64_t node, const void *user)
{
    const struct note *note = find_note(script, node);
    if (!note || (note->state == SCRIPT_REFUSED && note->who != user))
        return SCRIPT_MISSING;
    return note->state;
}

enum script_state scripts_at(struct scripts *scripts, struct slice sha, uint64_t node,
                             const void *user, const void **on)
{
    struct script *script = find(scripts, sha);
    enum script_state state;
    *on = NULL;
    if (!script)
        return SCRIPT_UNSEEN;
    use(scripts, script);
    script->asked = true;
    state = state_of(script, node, user);
    if (state == SCRIPT_LOADING)
        *on = find_note(script, node)->who;
    return state;
}

/* With more nodes than fit the oldest note goes. */
void scripts_load(struct scripts *scripts, struct slice sha, uint64_t node, const void *on)
{
    struct script *script = find(scripts, sha);
    struct note *note;
    if (!script)
        return;
    note = find_note(script, node);
    if (!note)
        note = &script->notes[script->note_count++ % NODES_MAX];
    *note = (struct note){node, SCRIPT_LOADING, on};
}

void scripts_loaded(struct scripts *scripts, struct slice sha, uint64_t node, const void *on,
                    enum script_state now, const void *user)
{
    struct script *script = find(scripts, sha);
    struct note *note = script ? find_note(script, node) : NULL;
    if (note && note->state == SCRIPT_LOADING && note->who == on)
        *note = (struct note){node, now, now == SCRIPT_REFUSED ? user : NULL};
}

void scripts_forget_node(struct scripts *scripts, uint64_t node)
{
    struct note *note;
    for (struct script *script = scripts->by_text; script; script = script->hh.next)
        if ((note = find_note(script, node)))
            note->state = SCRIPT_MISSING;
}

void scripts_forget_nodes(struct scripts *scripts)
{
    for (struct script *script = scripts->by_text; script; script = script->hh.next)
        script->note_count = 0;
    scripts->told = 0;
}

bool scripts_told(struct scripts *scripts, uint64_t node)
{
    bool told = scripts->told == node;
    scripts->told = node;
    return told;
}

void scripts_each_recent(struct scripts *scripts, uint64_t node, const void *user, size_t max_bytes,
                         void (*each)(void *data, struct slice sha), void *data)
{
    size_t bytes = 0;
    for (struct list *it = scripts->in_use.prev; it != &scripts->in_use; it = it->prev) {
        struct script *script = container_of(it, struct script, in_use);
        if (!script->asked)
            continue;
        bytes += script->len;
        if (bytes > max_bytes)
            return;
        if (state_of(script, node, user) == SCRIPT_MISSING)
            each(data, (struct slice){script->sha, SHA_TEXT});
    }
}
