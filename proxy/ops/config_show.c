/* config_show: see the header. */
#include "ops/config_show.h"

#include <string.h>

static void show_number(struct buf *out, const struct config_option *option, int64_t number)
{
    char text[32];
    if (option->word && number == option->word_value)
        buf_printf(out, "%s", option->word);
    else
        buf_printf(out, "%s", option_format_number(text, sizeof(text), option, number));
}

static void show_address(struct buf *out, const struct config_option *option,
                         const struct address *address)
{
    char text[ENDPOINT_TEXT_MAX];
    buf_printf(out, "%s",
               address->len ? address_format(text, sizeof(text), address) : option->word);
}

static void show_endpoints(struct buf *out, const struct endpoints *list)
{
    char text[ENDPOINT_TEXT_MAX];
    for (size_t i = 0; i < list->count; i++)
        buf_printf(out, "%s%s", i ? ", " : "",
                   endpoint_format(text, sizeof(text), &list->items[i]));
}

bool config_show_value(struct buf *out, const struct config_option *option,
                       const union settings *settings)
{
    const void *field = (const char *)settings + option->offset;
    const char *text = NULL;
    switch (option->type) {
    case OPTION_COUNT:
    case OPTION_DURATION:
    case OPTION_SIZE:
        show_number(out, option, *(const int64_t *)field);
        return true;
    case OPTION_CHOICE:
        buf_printf(out, "%s", option->choices[*(const int64_t *)field]);
        return true;
    case OPTION_ADDRESS:
        show_address(out, option, field);
        return true;
    case OPTION_ENDPOINTS:
        show_endpoints(out, field);
        return true;
    case OPTION_TEXT:
        text = *(char *const *)field;
        break;
    case OPTION_SECRET:
        text = *(char *const *)field ? "***" : NULL;
        break;
    case OPTION_SECRET_FILE:
        text = *(char *const *)(const void *)((const char *)settings + option->path_offset);
        break;
    }
    if (text)
        buf_printf(out, "%s", text);
    return text != NULL;
}
