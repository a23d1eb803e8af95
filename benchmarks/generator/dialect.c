#include "dialect.h"

#include <string.h>

static const uint8_t EMPTY_STATE_VECTOR[] = {0};
static const uint8_t EMPTY_UPDATE[] = {0, 0};

static enum heard walked(struct incoming *incoming, struct reader update)
{
    if (update.failed)
        return HEARD_UNREADABLE;
    if (!incoming->is_open)
        return HEARD_NOTHING;
    return yjs_walk(update, incoming->visit, incoming->context) ? HEARD_UPDATES : HEARD_UNREADABLE;
}

/* collabdoc.v1 */

enum { CHANNEL = 1 };
enum { NATIVE_OPEN = 1, NATIVE_OPENED = 1, NATIVE_CLOSED = 2, NATIVE_UPDATE = 3, NATIVE_SAVED = 7, NATIVE_REJECTED = 8 };

static void native_add_open(struct buffer *out, const char *document)
{
    buffer_add_byte(out, 0x94);
    add_msgpack_uint(out, NATIVE_OPEN);
    add_msgpack_uint(out, CHANNEL);
    add_msgpack_str(out, document);
    add_msgpack_bin(out, EMPTY_STATE_VECTOR, sizeof EMPTY_STATE_VECTOR);
}

static void native_add_edit(struct buffer *out, const char *document, uint64_t client, uint64_t clock)
{
    (void)document;
    static struct buffer update;
    update.length = 0;
    yjs_add_edit(&update, client, clock);
    buffer_add_byte(out, 0x94);
    add_msgpack_uint(out, NATIVE_UPDATE);
    add_msgpack_uint(out, CHANNEL);
    add_msgpack_uint(out, clock + 1); /* the message's id */
    add_msgpack_bin(out, update.data, update.length);
}

static enum heard native_receive(struct incoming *incoming)
{
    struct reader *payload = &incoming->payload;
    read_msgpack_array(payload);
    uint64_t type = read_msgpack_uint(payload);
    uint64_t channel = read_msgpack_uint(payload); /* or what else comes second: PONG and GOAWAY have no channel */
    if (payload->failed || (type == NATIVE_UPDATE && channel != CHANNEL))
        return HEARD_UNREADABLE;
    enum heard heard = HEARD_NOTHING;
    switch (type) {
    case NATIVE_OPENED:
        return HEARD_OPENED;
    case NATIVE_CLOSED:
    case NATIVE_REJECTED:
        return HEARD_REFUSED;
    case NATIVE_SAVED:
        incoming->saved = read_msgpack_uint(payload);
        return payload->failed ? HEARD_UNREADABLE : HEARD_SAVED;
    case NATIVE_UPDATE:
        read_msgpack_uint(payload); /* the watermark */
        for (uint32_t count = read_msgpack_array(payload); count > 0; count--) {
            heard = walked(incoming, read_msgpack_bytes(payload));
            if (heard == HEARD_UNREADABLE)
                return heard;
        }
        return heard;
    default:
        return HEARD_NOTHING;
    }
}

/* The sync protocol that y-websocket and Hocuspocus share: varuint type, then one part with its length. */

enum { SYNC = 0, STEP_1 = 0, STEP_2 = 1, UPDATE = 2 };

static void add_sync(struct buffer *out, unsigned type, const void *bytes, size_t length)
{
    add_varuint(out, SYNC);
    add_varuint(out, type);
    add_varbytes(out, bytes, length);
}

static void add_sync_edit(struct buffer *out, uint64_t client, uint64_t clock)
{
    static struct buffer update;
    update.length = 0;
    yjs_add_edit(&update, client, clock);
    add_sync(out, UPDATE, update.data, update.length);
}

static enum heard receive_sync(struct incoming *incoming)
{
    uint64_t type = read_varuint(&incoming->payload);
    struct reader part = read_varbytes(&incoming->payload);
    if (part.failed || type > UPDATE)
        return HEARD_UNREADABLE;
    if (type == STEP_1) {
        add_sync(incoming->reply, STEP_2, EMPTY_UPDATE, sizeof EMPTY_UPDATE);
        return HEARD_NOTHING;
    }
    if (type == STEP_2 && !incoming->is_open)
        return HEARD_OPENED;
    return walked(incoming, part);
}

/* y-websocket */

static void yjs_add_open(struct buffer *out, const char *document)
{
    (void)document; /* the path names it */
    add_sync(out, STEP_1, EMPTY_STATE_VECTOR, sizeof EMPTY_STATE_VECTOR);
}

static void yjs_add_message(struct buffer *out, const char *document, uint64_t client, uint64_t clock)
{
    (void)document;
    add_sync_edit(out, client, clock);
}

static enum heard yjs_receive(struct incoming *incoming)
{
    enum { AUTH_DENIED = 2 };
    uint64_t type = read_varuint(&incoming->payload);
    if (type == AUTH_DENIED)
        return HEARD_REFUSED;
    return type == SYNC ? receive_sync(incoming) : HEARD_NOTHING;
}

/* Hocuspocus v4 */

enum {
    HOCUSPOCUS_AUTH = 2,
    HOCUSPOCUS_CLOSE = 7,
    HOCUSPOCUS_STATUS = 8,
    HOCUSPOCUS_PING = 9,
    HOCUSPOCUS_PONG = 10,
};

/* 1: taken, 0: refused. It is sent before anything is stored. */
static enum heard hocuspocus_receive_status(struct incoming *incoming)
{
    if (read_varuint(&incoming->payload) != 1)
        return HEARD_REFUSED;
    if (incoming->statuses->owed_for_step_2 > 0) {
        incoming->statuses->owed_for_step_2--;
        return HEARD_NOTHING;
    }
    incoming->saved = ++incoming->statuses->edits;
    return HEARD_SAVED;
}

static void hocuspocus_add_open(struct buffer *out, const char *document)
{
    static const char TOKEN[] = "benchmark";
    static const char VERSION[] = "4.7.0"; /* as the provider of that version says it */
    add_varbytes(out, document, strlen(document));
    add_varuint(out, HOCUSPOCUS_AUTH);
    add_varuint(out, 0);
    add_varbytes(out, TOKEN, sizeof TOKEN - 1);
    add_varbytes(out, VERSION, sizeof VERSION - 1);
}

static void hocuspocus_add_edit(struct buffer *out, const char *document, uint64_t client, uint64_t clock)
{
    add_varbytes(out, document, strlen(document));
    add_sync_edit(out, client, clock);
}

static enum heard hocuspocus_receive(struct incoming *incoming)
{
    enum { DENIED = 1 };
    struct reader *payload = &incoming->payload;
    if (payload->end - payload->at == 1) {
        if (*payload->at == HOCUSPOCUS_PING)
            buffer_add_byte(incoming->reply, HOCUSPOCUS_PONG);
        return HEARD_NOTHING;
    }
    read_varbytes(payload); /* the address */
    uint64_t type = read_varuint(payload);
    if (payload->failed)
        return HEARD_UNREADABLE;
    if (type == HOCUSPOCUS_CLOSE || (type == HOCUSPOCUS_AUTH && read_varuint(payload) == DENIED))
        return HEARD_REFUSED;
    if (type == HOCUSPOCUS_STATUS)
        return hocuspocus_receive_status(incoming);
    if (type != SYNC && type != HOCUSPOCUS_AUTH)
        return HEARD_NOTHING;
    size_t before = incoming->reply->length;
    add_varbytes(incoming->reply, incoming->document, strlen(incoming->document));
    if (type == HOCUSPOCUS_AUTH) { /* welcome: now the state is asked for */
        add_sync(incoming->reply, STEP_1, EMPTY_STATE_VECTOR, sizeof EMPTY_STATE_VECTOR);
        return HEARD_NOTHING;
    }
    size_t addressed = incoming->reply->length;
    enum heard heard = receive_sync(incoming);
    if (incoming->reply->length == addressed)
        incoming->reply->length = before;
    else
        incoming->statuses->owed_for_step_2++;
    return heard;
}

/* A relay: the update itself, nothing before it */

static void relay_add_open(struct buffer *out, const char *document)
{
    (void)out;
    (void)document;
}

static void relay_add_edit(struct buffer *out, const char *document, uint64_t client, uint64_t clock)
{
    (void)document;
    yjs_add_edit(out, client, clock);
}

static enum heard relay_receive(struct incoming *incoming)
{
    return walked(incoming, incoming->payload);
}

static const struct dialect DIALECTS[] = {
    {"native", "collabdoc.v1", 0, 1, native_add_open, native_add_edit, native_receive},
    {"yjs", NULL, 0, 0, yjs_add_open, yjs_add_message, yjs_receive},
    {"hocuspocus", NULL, 0, 1, hocuspocus_add_open, hocuspocus_add_edit, hocuspocus_receive},
    {"relay", NULL, 1, 0, relay_add_open, relay_add_edit, relay_receive},
};

const struct dialect *find_dialect(const char *name)
{
    for (size_t i = 0; i < sizeof DIALECTS / sizeof *DIALECTS; i++)
        if (strcmp(DIALECTS[i].name, name) == 0)
            return &DIALECTS[i];
    return NULL;
}
