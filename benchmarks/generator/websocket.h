/* RFC 6455 as a client of a server that it trusts: binary frames, whole messages, control frames. */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include "buffer.h"

enum opcode { BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

struct frame {
    enum opcode opcode;
    struct reader payload;
    size_t size; /* with its head */
};

enum frame_found { FRAME_PARTIAL, FRAME_WHOLE, FRAME_UNREADABLE };

void add_upgrade_request(struct buffer *out, const char *host, const char *path, const char *subprotocol);

/* The size of the server's answer; 0 while it is not complete, -1 where it is no upgrade to `subprotocol`. */
long read_upgrade_answer(const uint8_t *bytes, size_t length, const char *subprotocol);

/* Masked, as a client must. */
void add_frame(struct buffer *out, enum opcode opcode, const void *payload, size_t length);

enum frame_found read_frame(const uint8_t *bytes, size_t length, struct frame *frame);

#endif
