/* The wire protocols. A dialect writes payloads of frames, and says what a frame from the server was. */
#ifndef DIALECT_H
#define DIALECT_H

#include "buffer.h"
#include "yjs.h"

enum heard {
    HEARD_NOTHING,   /* nothing that is measured */
    HEARD_OPENED,    /* the client has what the server had */
    HEARD_UPDATES,   /* edits, given to the visitor */
    HEARD_SAVED,     /* every edit of this client up to number `saved` is acknowledged */
    HEARD_REFUSED,   /* the server says no */
    HEARD_UNREADABLE /* against the protocol */
};

/* Hocuspocus numbers nothing: it gives one status for each step 2 and each update, in their order. */
struct statuses {
    uint64_t owed_for_step_2;
    uint64_t edits;
};

struct incoming {
    struct reader payload;
    int is_open;           /* before that, text that comes is what the document held already */
    yjs_visitor visit;     /* for inserted characters */
    void *context;         /* of the visitor */
    struct buffer *reply;  /* what the protocol wants sent back, as one frame; empty: nothing */
    const char *document;
    struct statuses *statuses;
    uint64_t saved;
};

struct dialect {
    const char *name;
    const char *subprotocol; /* NULL: none is asked for */
    int opens_at_once;       /* there is nothing to wait for after the upgrade */
    int acknowledges;        /* each edit */
    void (*add_open)(struct buffer *out, const char *document);
    void (*add_edit)(struct buffer *out, const char *document, uint64_t client, uint64_t clock);
    enum heard (*receive)(struct incoming *incoming);
};

const struct dialect *find_dialect(const char *name);

#endif
