/*
 * scripts: see the header. Texts are found by a hash of their own, which costs little for each EVAL;
 * the SHA1 of one is only reckoned when somebody asks for a SHA1.
 */
#include "traffic/scripts.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uthash.h>

#define SHA_TEXT 40
/* Longer ones are not kept. */
#define TEXT_MAX ((size_t)1024 * 1024)
#define NODES_MAX 8

struct script {
    UT_hash_handle hh; /* in `by_text`, oldest first */
    UT_hash_handle by_sha;
    char sha[SHA_TEXT + 1]; /* "": not reckoned yet */
    uint64_t nodes[NODES_MAX];
    unsigned node_count;
    size_t len;
    char text[];
};

struct scripts {
    struct script *by_text, *by_sha;
    struct script *unnamed; /* the oldest whose SHA1 was not reckoned; all behind it, too */
    size_t bytes, max;
};

struct scripts *scripts_new(size_t max_bytes)
{
    struct scripts *scripts = calloc(1, sizeof(*scripts));
    if (!scripts)
        abort();
    scripts->max = max_bytes;
    return scripts;
}

static void drop(struct scripts *scripts, struct script *script)
{
    if (scripts->unnamed == script)
        scripts->unnamed = script->hh.next;
    if (script->sha[0])
        HASH_DELETE(by_sha, scripts->by_sha, script);
    HASH_DELETE(hh, scripts->by_text, script);
    scripts->bytes -= script->len;
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

/* Returns whether it was noted before. With more nodes than fit the oldest note goes. */
static bool note_node(struct script *script, uint64_t node)
{
    for (unsigned i = 0; i < script->node_count && i < NODES_MAX; i++)
        if (script->nodes[i] == node)
            return true;
    script->nodes[script->node_count++ % NODES_MAX] = node;
    return false;
}

void scripts_forget_nodes(struct scripts *scripts)
{
    for (struct script *script = scripts->by_text; script; script = script->hh.next)
        script->node_count = 0;
}

static struct script *add(struct scripts *scripts, struct slice text)
{
    struct script *script = calloc(1, sizeof(*script) + text.len);
    if (!script)
        abort();
    script->len = text.len;
    memcpy(script->text, text.data, text.len);
    HASH_ADD(hh, scripts->by_text, text, text.len, script);
    if (!scripts->unnamed)
        scripts->unnamed = script;
    scripts->bytes += text.len;
    while (scripts->by_text && scripts->bytes > scripts->max)
        drop(scripts, scripts->by_text);
    return script;
}

bool scripts_saw(struct scripts *scripts, struct slice text, uint64_t node)
{
    struct script *script;
    bool new = false;
    if (!text.data || text.len > TEXT_MAX || text.len > scripts->max)
        return false;
    HASH_FIND(hh, scripts->by_text, text.data, text.len, script);
    if (!script) {
        script = add(scripts, text);
        new = true;
    }
    if (node)
        (void)note_node(script, node);
    return new;
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

bool scripts_went_to(struct scripts *scripts, struct slice sha, uint64_t node)
{
    struct script *script = find(scripts, sha);
    return !script || note_node(script, node);
}
