#include "buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *must_allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory) {
        fprintf(stderr, "cannot allocate %zu x %zu bytes\n", count, size);
        exit(1);
    }
    return memory;
}

void buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->length + more <= buffer->capacity)
        return;
    size_t capacity = buffer->capacity ? buffer->capacity : 64;
    while (capacity < buffer->length + more)
        capacity *= 2;
    uint8_t *data = realloc(buffer->data, capacity);
    if (!data) {
        fprintf(stderr, "cannot allocate %zu bytes\n", capacity);
        exit(1);
    }
    buffer->data = data;
    buffer->capacity = capacity;
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    buffer_reserve(buffer, length);
    memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
}

void buffer_add_byte(struct buffer *buffer, uint8_t byte)
{
    buffer_add(buffer, &byte, 1);
}

void buffer_drop(struct buffer *buffer, size_t length)
{
    buffer->length -= length;
    memmove(buffer->data, buffer->data + length, buffer->length);
}

void add_varuint(struct buffer *buffer, uint64_t value)
{
    while (value >= 0x80) {
        buffer_add_byte(buffer, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    buffer_add_byte(buffer, (uint8_t)value);
}

void add_varbytes(struct buffer *buffer, const void *bytes, size_t length)
{
    add_varuint(buffer, length);
    buffer_add(buffer, bytes, length);
}

uint8_t read_byte(struct reader *reader)
{
    if (reader->at >= reader->end) {
        reader->failed = 1;
        return 0;
    }
    return *reader->at++;
}

uint64_t read_varuint(struct reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        uint8_t byte = read_byte(reader);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    reader->failed = 1;
    return 0;
}

static struct reader take(struct reader *reader, uint64_t length)
{
    struct reader part = {reader->at, reader->at, 0};
    if (length > (uint64_t)(reader->end - reader->at)) {
        reader->failed = part.failed = 1;
        return part;
    }
    part.end = reader->at += length;
    return part;
}

struct reader read_varbytes(struct reader *reader)
{
    uint64_t length = read_varuint(reader);
    return take(reader, length);
}

static void add_big_endian(struct buffer *buffer, uint64_t value, int bytes)
{
    while (bytes--)
        buffer_add_byte(buffer, (uint8_t)(value >> (8 * bytes)));
}

static uint64_t read_big_endian(struct reader *reader, int bytes)
{
    uint64_t value = 0;
    while (bytes--)
        value = value << 8 | read_byte(reader);
    return value;
}

void add_msgpack_uint(struct buffer *buffer, uint64_t value)
{
    if (value < 0x80) {
        buffer_add_byte(buffer, (uint8_t)value);
        return;
    }
    int power = value < 0x100 ? 0 : value < 0x10000 ? 1 : value < 0x100000000 ? 2 : 3;
    buffer_add_byte(buffer, (uint8_t)(0xcc + power));
    add_big_endian(buffer, value, 1 << power);
}

static void add_msgpack_sized(struct buffer *buffer, uint8_t smallest, const void *bytes, size_t length)
{
    int power = length < 0x100 ? 0 : length < 0x10000 ? 1 : 2;
    buffer_add_byte(buffer, (uint8_t)(smallest + power));
    add_big_endian(buffer, length, 1 << power);
    buffer_add(buffer, bytes, length);
}

void add_msgpack_str(struct buffer *buffer, const char *text)
{
    add_msgpack_sized(buffer, 0xd9, text, strlen(text));
}

void add_msgpack_bin(struct buffer *buffer, const void *bytes, size_t length)
{
    add_msgpack_sized(buffer, 0xc4, bytes, length);
}

uint32_t read_msgpack_array(struct reader *reader)
{
    uint8_t head = read_byte(reader);
    if ((head & 0xf0) == 0x90)
        return head & 0x0f;
    if (head == 0xdc || head == 0xdd)
        return (uint32_t)read_big_endian(reader, head == 0xdc ? 2 : 4);
    reader->failed = 1;
    return 0;
}

uint64_t read_msgpack_uint(struct reader *reader)
{
    uint8_t head = read_byte(reader);
    if (head < 0x80)
        return head;
    if (head >= 0xcc && head <= 0xcf)
        return read_big_endian(reader, 1 << (head - 0xcc));
    reader->failed = 1;
    return 0;
}

struct reader read_msgpack_bytes(struct reader *reader)
{
    uint8_t head = read_byte(reader);
    if ((head & 0xe0) == 0xa0)
        return take(reader, head & 0x1f);
    if (head >= 0xc4 && head <= 0xc6)
        return take(reader, read_big_endian(reader, 1 << (head - 0xc4)));
    if (head >= 0xd9 && head <= 0xdb)
        return take(reader, read_big_endian(reader, 1 << (head - 0xd9)));
    reader->failed = 1;
    return (struct reader){reader->at, reader->at, 1};
}
