#define _GNU_SOURCE
#include "websocket.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { FINAL = 0x80, MASKED = 0x80, LENGTH_16 = 126, LENGTH_64 = 127, LONGEST_REQUEST = 2048 };

void add_upgrade_request(struct buffer *out, const char *host, const char *path, const char *subprotocol)
{
    char text[LONGEST_REQUEST];
    int length = snprintf(
        text, sizeof text,
        "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: Y29sbGFiZG9jIGJlbmNobQ==\r\n%s%s%s\r\n",
        path, host, subprotocol ? "Sec-WebSocket-Protocol: " : "", subprotocol ? subprotocol : "",
        subprotocol ? "\r\n" : ""
    );
    buffer_add(out, text, (size_t)length);
}

static int has_header(const char *head, size_t length, const char *name, const char *value)
{
    const char *end = head + length;
    for (const char *line = head; line && line < end;) {
        if (strncasecmp(line, name, strlen(name)) == 0) {
            const char *at = line + strlen(name);
            at += strspn(at, " ");
            return strncasecmp(at, value, strlen(value)) == 0;
        }
        line = memmem(line, (size_t)(end - line), "\r\n", 2);
        line = line ? line + 2 : NULL;
    }
    return 0;
}

long read_upgrade_answer(const uint8_t *bytes, size_t length, const char *subprotocol)
{
    const uint8_t *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    const char *head = (const char *)bytes;
    size_t size = (size_t)(end - bytes) + 4;
    if (strncmp(head, "HTTP/1.1 101", 12) != 0)
        return -1;
    if (subprotocol && !has_header(head, size, "Sec-WebSocket-Protocol:", subprotocol))
        return -1;
    return (long)size;
}

/* Any key will do here; a zero one would spare some servers their work. */
static uint32_t next_mask(void)
{
    static uint32_t state = 0x9e3779b9;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

void add_frame(struct buffer *out, enum opcode opcode, const void *payload, size_t length)
{
    buffer_reserve(out, length + 14);
    buffer_add_byte(out, (uint8_t)(FINAL | opcode));
    int extended = length < LENGTH_16 ? 0 : length < 0x10000 ? 2 : 8;
    buffer_add_byte(out, (uint8_t)(MASKED | (extended == 0 ? length : extended == 2 ? LENGTH_16 : LENGTH_64)));
    for (int shift = extended - 1; shift >= 0; shift--)
        buffer_add_byte(out, (uint8_t)((uint64_t)length >> (8 * shift)));
    uint32_t mask = next_mask();
    buffer_add(out, &mask, sizeof mask);
    const uint8_t *key = (const uint8_t *)&mask;
    const uint8_t *from = payload;
    uint8_t *to = out->data + out->length;
    for (size_t i = 0; i < length; i++)
        to[i] = from[i] ^ key[i & 3];
    out->length += length;
}

enum frame_found read_frame(const uint8_t *bytes, size_t length, struct frame *frame)
{
    if (length < 2)
        return FRAME_PARTIAL;
    if (!(bytes[0] & FINAL) || bytes[0] & 0x70 || bytes[1] & MASKED)
        return FRAME_UNREADABLE;
    uint64_t size = bytes[1];
    size_t head = 2;
    if (size >= LENGTH_16) {
        head = size == LENGTH_16 ? 4 : 10;
        if (length < head)
            return FRAME_PARTIAL;
        size = 0;
        for (size_t i = 2; i < head; i++)
            size = size << 8 | bytes[i];
    }
    frame->opcode = bytes[0] & 0x0f;
    frame->size = head + size;
    if (length < frame->size)
        return FRAME_PARTIAL;
    frame->payload = (struct reader){bytes + head, bytes + frame->size, 0};
    return FRAME_WHOLE;
}
