#include "yjs.h"

enum {
    HAS_ORIGIN = 0x80,
    HAS_RIGHT_ORIGIN = 0x40,
    HAS_PARENT_SUB = 0x20,
    KIND = 0x1f,
    GC = 0,
    DELETED = 1,
    STRING = 4,
    SKIP = 10,
};

void yjs_add_edit(struct buffer *out, uint64_t client, uint64_t clock)
{
    add_varuint(out, 1); /* clients */
    add_varuint(out, 1); /* structs */
    add_varuint(out, client);
    add_varuint(out, clock);
    if (clock == 0) {
        buffer_add_byte(out, STRING);
        add_varuint(out, 1); /* the parent is a root of the document, by name */
        add_varbytes(out, "content", 7);
    } else {
        buffer_add_byte(out, STRING | HAS_ORIGIN);
        add_varuint(out, client);
        add_varuint(out, clock - 1);
    }
    char character = (char)('a' + clock % 26);
    add_varbytes(out, &character, 1);
    add_varuint(out, 0); /* no deletes */
}

static void skip_id(struct reader *reader)
{
    read_varuint(reader);
    read_varuint(reader);
}

/* Yjs counts UTF-16 units. */
static uint64_t utf16_length(struct reader text)
{
    uint64_t units = 0;
    for (; text.at < text.end; text.at++)
        units += (*text.at & 0xc0) != 0x80 ? (*text.at >= 0xf0 ? 2 : 1) : 0;
    return units;
}

static uint64_t read_item(struct reader *reader, uint8_t info)
{
    if (info & HAS_ORIGIN)
        skip_id(reader);
    if (info & HAS_RIGHT_ORIGIN)
        skip_id(reader);
    if (!(info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN))) {
        if (read_varuint(reader) == 1)
            read_varbytes(reader);
        else
            skip_id(reader);
        if (info & HAS_PARENT_SUB)
            read_varbytes(reader);
    }
    if ((info & KIND) == DELETED)
        return read_varuint(reader);
    if ((info & KIND) == STRING)
        return utf16_length(read_varbytes(reader));
    reader->failed = 1;
    return 0;
}

int yjs_walk(struct reader update, yjs_visitor visit, void *context)
{
    uint64_t clients = read_varuint(&update);
    for (; clients > 0 && !update.failed; clients--) {
        uint64_t structs = read_varuint(&update);
        uint64_t client = read_varuint(&update);
        uint64_t clock = read_varuint(&update);
        for (; structs > 0 && !update.failed; structs--) {
            uint8_t info = read_byte(&update);
            uint8_t kind = info & KIND;
            uint64_t length = kind == GC || kind == SKIP ? read_varuint(&update) : read_item(&update, info);
            if (kind == STRING && !update.failed)
                visit(context, client, clock, length);
            clock += length;
        }
    }
    return !update.failed;
}
