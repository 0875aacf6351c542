/* ctl_path: see the header. */
#include "ops/ctl_path.h"

#include "ops/config_ini.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct search {
    bool in_proxy;
    char *path;
};

static void on_section(void *owner, int line, char *header)
{
    struct search *search = owner;
    (void)line;
    search->in_proxy = strcmp(header, "proxy") == 0;
}

static void on_setting(void *owner, int line, const char *name, const char *value)
{
    struct search *search = owner;
    (void)line;
    if (!search->in_proxy || strcmp(name, "admin") != 0)
        return;
    free(search->path);
    search->path = strdup(value);
}

static void on_nonsense(void *owner, int line, const char *why)
{
    (void)owner;
    (void)line;
    (void)why;
}

static char *read_all(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;
    if (!file)
        return NULL;
    if (getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

char *ctl_path_of(const char *file, const char *otherwise)
{
    struct search search = {0};
    char *text = read_all(file);
    if (!text)
        return NULL;
    (void)config_ini_read(text, strlen(text),
                          &(struct ini_events){.owner = &search,
                                               .on_section = on_section,
                                               .on_setting = on_setting,
                                               .on_nonsense = on_nonsense});
    free(text);
    if (!search.path)
        return strdup(otherwise);
    if (search.path[0] == '/' && !strchr(search.path, '$'))
        return search.path;
    free(search.path);
    return NULL;
}
