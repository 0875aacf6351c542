/*
 * buf: a queue of bytes in one piece of memory.
 *
 *     data          data + head             data + head + len     data + cap
 *      |  consumed   |  bytes                |  room                |
 *
 * Growth is geometric, so that appending n bytes costs O(n) in all; before
 * growing, the consumed front is used again when that alone makes the room
 * and no more bytes have to be moved than were consumed.
 */
#include "base/buf.h"

#include "base/memory.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST 256
/* Larger pieces are not kept in a stock, nor more than these bytes. */
#define STOCK_PIECE_MAX ((size_t)32 * 1024)
#define STOCK_MAX ((size_t)1024 * 1024)

static void grow(struct buf *b, size_t room)
{
    size_t need, cap = b->cap ? b->cap : BUF_FIRST;

    if (__builtin_add_overflow(b->len, room, &need) || need > SIZE_MAX / 2)
        out_of_memory(room);
    while (cap < need)
        cap *= 2;
    char *data = malloc(cap);
    if (!data)
        out_of_memory(cap);
    if (b->len)
        memcpy(data, buf_head(b), b->len);
    free(b->data);
    *b = (struct buf){.data = data, .len = b->len, .cap = cap};
}

char *buf_reserve(struct buf *b, size_t room)
{
    if (!b->data || room > b->cap - b->head - b->len) {
        if (b->data && b->len <= b->head && room <= b->cap - b->len) {
            memcpy(b->data, buf_head(b), b->len);
            b->head = 0;
        } else {
            grow(b, room);
        }
    }
    return buf_head(b) + b->len;
}

void buf_grew(struct buf *b, size_t added)
{
    assert(added <= b->cap - b->head - b->len);
    b->len += added;
}

void buf_append(struct buf *b, const void *bytes, size_t len)
{
    if (!len)
        return;
    memcpy(buf_reserve(b, len), bytes, len);
    b->len += len;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(len >= 0);
    /* vsnprintf wants room for a NUL, which is not part of the bytes. */
    vsnprintf(buf_reserve(b, (size_t)len + 1), (size_t)len + 1, format, again);
    va_end(again);
    b->len += (size_t)len;
}

void buf_consume(struct buf *b, size_t len)
{
    assert(len <= b->len);
    b->head += len;
    b->len -= len;
    if (!b->len)
        buf_free(b);
}

void buf_take(struct buf *b, struct buf_stock *stock)
{
    assert(!b->data);
    if (stock->count == 0)
        return;
    stock->count--;
    *b = (struct buf){.data = stock->pieces[stock->count].data,
                      .cap = stock->pieces[stock->count].cap};
    stock->bytes -= b->cap;
}

void buf_put(struct buf *b, struct buf_stock *stock)
{
    if (!b->data || b->cap > STOCK_PIECE_MAX || stock->bytes + b->cap > STOCK_MAX ||
        stock->count == sizeof(stock->pieces) / sizeof(stock->pieces[0])) {
        buf_free(b);
        return;
    }
    stock->pieces[stock->count].data = b->data;
    stock->pieces[stock->count].cap = b->cap;
    stock->count++;
    stock->bytes += b->cap;
    *b = (struct buf){0};
}

void buf_stock_free(struct buf_stock *stock)
{
    while (stock->count > 0)
        free(stock->pieces[--stock->count].data);
    stock->bytes = 0;
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

void buf_wipe(struct buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->cap);
    buf_free(b);
}
