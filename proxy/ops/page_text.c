/*
 * page_text: see the header.
 *
 * The assembler puts the files into the program (.incbin), from the folder in which make runs: nothing else is needed for it,
 * whatever is compiled for. The Makefile knows that this file depends on them.
 */
#include "ops/page_text.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EMBED(name, path)                                                                          \
    __asm__(".pushsection .rodata\n"                                                               \
            ".global " #name "\n" #name ":\n"                                                      \
            ".incbin \"" path "\"\n"                                                               \
            ".byte 0\n"                                                                            \
            ".popsection\n");                                                                      \
    extern const char(name)[]

EMBED(page_html, "web/page.html");
EMBED(page_css, "web/page.css");
EMBED(page_js, "web/page.js");

/* These lines of page.html are for who opens it as it is; here the files themselves take their place. */
#define STYLE_LINE "<link rel=\"stylesheet\" href=\"page.css\">"
#define SCRIPT_LINE "<script src=\"page.js\" defer></script>"

#define SHA256_BYTES 32

/* "'sha256-...'", as the policy names a text. */
static void put_hash(FILE *out, const char *text)
{
    unsigned char hash[SHA256_BYTES], base64[2 * SHA256_BYTES];
    if (EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL) != 1)
        abort();
    EVP_EncodeBlock(base64, hash, sizeof(hash));
    fprintf(out, "'sha256-%s'", (const char *)base64);
}

static FILE *open_text(char **text, size_t *len)
{
    FILE *out = open_memstream(text, len);
    if (!out)
        abort();
    return out;
}

static char *policy(void)
{
    char *text;
    size_t len;
    FILE *out = open_text(&text, &len);
    fputs("default-src 'none'; style-src ", out);
    put_hash(out, page_css);
    fputs("; script-src ", out);
    put_hash(out, page_js);
    fputs("; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
          "frame-ancestors 'none'",
          out);
    fclose(out);
    return text;
}

/* Writes what stands before `line`, and `text` in a tag of its own instead of it. Returns what is behind. */
static const char *replace(FILE *out, const char *html, const char *line, const char *tag,
                           const char *text)
{
    const char *at = strstr(html, line);
    assert(at);
    fprintf(out, "%.*s<%s>%s</%s>", (int)(at - html), html, tag, text, tag);
    return at + strlen(line);
}

void page_text_make(struct page_text *text)
{
    size_t len;
    FILE *out = open_text(&text->html, &len);
    const char *rest = replace(out, page_html, STYLE_LINE, "style", page_css);
    rest = replace(out, rest, SCRIPT_LINE, "script", page_js);
    fputs(rest, out);
    fclose(out);
    text->policy = policy();
}

void page_text_free(struct page_text *text)
{
    free(text->html);
    free(text->policy);
}
