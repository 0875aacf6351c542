/*
 * buf: a queue of bytes in one piece of memory. Bytes are appended at the
 * tail and consumed at the head; an empty buf owns no memory once it was
 * consumed to the end or freed, so that an idle connection costs nothing.
 *
 * Running out of memory ends the process: with overcommit there is nobody
 * left to report it to. One thread at a time.
 */
#ifndef REDISPROXY_BASE_BUF_H
#define REDISPROXY_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
    char *data; /* the allocation; the bytes start at data + head */
    size_t head, len, cap;
};

/* The first byte; meaningless when buf_len() is 0. */
static inline char *buf_head(const struct buf *b)
{
    return b->data + b->head;
}

static inline size_t buf_len(const struct buf *b)
{
    return b->len;
}

/* Makes room for `room` more bytes behind the tail and returns where they go; buf_grew() then says
 * how many were put there. */
char *buf_reserve(struct buf *b, size_t room);
void buf_grew(struct buf *b, size_t added);

void buf_append(struct buf *b, const void *bytes, size_t len);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops the first `len` bytes (at most buf_len()); frees the memory when none are left. */
void buf_consume(struct buf *b, size_t len);

/* Memory of bufs that come and go, for the next ones: all zero at first. */
struct buf_stock {
    struct {
        char *data;
        size_t cap;
    } pieces[256];
    size_t count, bytes;
};

/* Gives an empty buf without memory some, if there is. */
void buf_take(struct buf *b, struct buf_stock *stock);
/* Drops all bytes; the memory goes to the stock, unless that has enough or the piece is large. */
void buf_put(struct buf *b, struct buf_stock *stock);
void buf_stock_free(struct buf_stock *stock);

/* Drops all bytes and the memory. */
void buf_free(struct buf *b);

/* The same, after overwriting the memory: for bytes that hold a secret. */
void buf_wipe(struct buf *b);

#endif
