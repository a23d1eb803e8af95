/* Growable bytes, and the two ways of writing numbers that the protocols use. */
#ifndef BUFFER_H
#define BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *data;
    size_t length;
    size_t capacity;
};

/* Bytes that somebody else owns, read from the front. A read past the end sets `failed` and gives 0. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
    int failed;
};

/* Ends the program: a generator that ran out of memory has measured nothing. */
void *must_allocate(size_t count, size_t size);

void buffer_reserve(struct buffer *buffer, size_t more);
void buffer_add(struct buffer *buffer, const void *bytes, size_t length);
void buffer_add_byte(struct buffer *buffer, uint8_t byte);
void buffer_drop(struct buffer *buffer, size_t length); /* from the front */

/* lib0: seven bits a byte, the lowest first. */
void add_varuint(struct buffer *buffer, uint64_t value);
void add_varbytes(struct buffer *buffer, const void *bytes, size_t length);
uint64_t read_varuint(struct reader *reader);
struct reader read_varbytes(struct reader *reader);
uint8_t read_byte(struct reader *reader);

/* msgpack: the few shapes of collabdoc.v1. */
void add_msgpack_uint(struct buffer *buffer, uint64_t value);
void add_msgpack_str(struct buffer *buffer, const char *text);
void add_msgpack_bin(struct buffer *buffer, const void *bytes, size_t length);
uint32_t read_msgpack_array(struct reader *reader);
uint64_t read_msgpack_uint(struct reader *reader);
struct reader read_msgpack_bytes(struct reader *reader); /* bin or str */

#endif
