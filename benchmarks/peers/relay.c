/* The ceiling: a relay with no document behind it, one `send` for each frame and each peer, one thread, epoll.
 *
 * A frame goes to all others that connected to the same path. It knows as much of WebSocket as that needs. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_PEERS = 16384, READ_BYTES = 64 * 1024, EVENTS = 256, LISTENER = -1, CLOSE = 8, PING = 9, PONG = 10 };

struct peer {
    int socket;
    uint8_t *in; /* the beginning of a request or a frame */
    size_t in_length;
    uint8_t *out; /* what the socket did not take */
    size_t out_length;
    struct room *room;
    uint32_t place; /* in the room */
};

struct room {
    char path[256];
    struct peer **peers;
    uint32_t count, capacity;
    struct room *next;
};

static int epoll;
static struct peer peers[MOST_PEERS]; /* by socket */
static struct room *rooms[4096];      /* by the hash of the path */

static void *must(void *memory)
{
    if (!memory) {
        perror("memory");
        exit(1);
    }
    return memory;
}

/* SHA-1 of a short text: the answer to an upgrade needs it. */
static void sha1(const char *text, uint8_t digest[20])
{
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t block[128] = {0};
    size_t length = strlen(text), blocks = length + 9 <= 64 ? 1 : 2;
    memcpy(block, text, length);
    block[length] = 0x80;
    block[blocks * 64 - 1] = (uint8_t)(length * 8);
    block[blocks * 64 - 2] = (uint8_t)(length * 8 >> 8);
    for (size_t b = 0; b < blocks; b++) {
        uint32_t w[80], a = h[0], c = h[1], d = h[2], e = h[3], f = h[4];
        for (int i = 0; i < 80; i++) {
            const uint8_t *at = block + b * 64 + i * 4;
            uint32_t mixed = i < 16 ? 0 : w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
            w[i] = i < 16 ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]
                          : mixed << 1 | mixed >> 31;
            uint32_t mix = i < 20 ? (c & d) | (~c & e) : i < 40 || i >= 60 ? c ^ d ^ e : (c & d) | (c & e) | (d & e);
            uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
            uint32_t next = (a << 5 | a >> 27) + mix + f + k + w[i];
            f = e, e = d, d = c << 30 | c >> 2, c = a, a = next;
        }
        h[0] += a, h[1] += c, h[2] += d, h[3] += e, h[4] += f;
    }
    for (int i = 0; i < 20; i++)
        digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const uint8_t *from, size_t length, char *to)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        uint32_t bits = (uint32_t)from[i] << 16;
        bits |= i + 1 < length ? (uint32_t)from[i + 1] << 8 : 0;
        bits |= i + 2 < length ? from[i + 2] : 0;
        *to++ = DIGITS[bits >> 18];
        *to++ = DIGITS[bits >> 12 & 63];
        *to++ = i + 1 < length ? DIGITS[bits >> 6 & 63] : '=';
        *to++ = i + 2 < length ? DIGITS[bits & 63] : '=';
    }
    *to = 0;
}

static void watch(struct peer *peer, int operation, int writable)
{
    struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0u), .data.fd = peer->socket};
    epoll_ctl(epoll, operation, peer->socket, &event);
}

static void drop(struct peer *peer)
{
    if (peer->room) {
        struct peer *last = peer->room->peers[--peer->room->count];
        peer->room->peers[peer->place] = last;
        last->place = peer->place;
    }
    close(peer->socket);
    free(peer->in);
    free(peer->out);
    memset(peer, 0, sizeof *peer);
}

static void send_to(struct peer *peer, const uint8_t *bytes, size_t length)
{
    size_t sent = 0;
    if (peer->out_length == 0) {
        ssize_t taken = send(peer->socket, bytes, length, MSG_NOSIGNAL);
        sent = taken > 0 ? (size_t)taken : 0; /* a dead socket is told by its reading side */
        if (sent == length)
            return;
        watch(peer, EPOLL_CTL_MOD, 1);
    }
    peer->out = must(realloc(peer->out, peer->out_length + length - sent));
    memcpy(peer->out + peer->out_length, bytes + sent, length - sent);
    peer->out_length += length - sent;
}

static void flush(struct peer *peer)
{
    ssize_t taken = send(peer->socket, peer->out, peer->out_length, MSG_NOSIGNAL);
    if (taken <= 0)
        return;
    peer->out_length -= (size_t)taken;
    memmove(peer->out, peer->out + taken, peer->out_length);
    if (peer->out_length == 0)
        watch(peer, EPOLL_CTL_MOD, 0);
}

static void join(struct peer *peer, const char *path)
{
    uint32_t hash = 5381;
    for (const char *at = path; *at; at++)
        hash = hash * 33 + (uint8_t)*at;
    struct room **place = &rooms[hash % 4096];
    while (*place && strcmp((*place)->path, path) != 0)
        place = &(*place)->next;
    if (!*place) {
        *place = must(calloc(1, sizeof **place));
        snprintf((*place)->path, sizeof(*place)->path, "%s", path);
    }
    struct room *room = *place;
    if (room->count == room->capacity) {
        room->capacity = room->capacity ? 2 * room->capacity : 4;
        room->peers = must(realloc(room->peers, room->capacity * sizeof *room->peers));
    }
    peer->room = room;
    peer->place = room->count;
    room->peers[room->count++] = peer;
}

/* The size of the request; 0 while it is not complete. */
static size_t upgrade(struct peer *peer, const uint8_t *bytes, size_t length)
{
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    char head[4096], path[256], key[64], joined[128], accept[32], answer[256];
    size_t size = (size_t)(end - (const char *)bytes) + 4;
    snprintf(head, sizeof head, "%.*s", (int)size, (const char *)bytes);
    const char *line = strcasestr(head, "Sec-WebSocket-Key:");
    if (!line || sscanf(line + 18, " %63s", key) != 1 || sscanf(head, "GET %255s", path) != 1) {
        drop(peer);
        return size;
    }
    uint8_t digest[20];
    snprintf(joined, sizeof joined, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    sha1(joined, digest);
    base64(digest, sizeof digest, accept);
    int answered = snprintf(answer, sizeof answer,
                            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Accept: %s\r\n\r\n",
                            accept);
    join(peer, path);
    send_to(peer, (const uint8_t *)answer, (size_t)answered);
    return size;
}

static void relay(struct peer *author, uint8_t opcode, const uint8_t *masked, const uint8_t *key, size_t length)
{
    static uint8_t frame[READ_BYTES + 4];
    size_t head = length < 126 ? 2 : 4;
    frame[0] = 0x80 | opcode;
    frame[1] = length < 126 ? (uint8_t)length : 126;
    if (head == 4)
        frame[2] = (uint8_t)(length >> 8), frame[3] = (uint8_t)length;
    for (size_t i = 0; i < length; i++)
        frame[head + i] = masked[i] ^ key[i & 3];
    if (opcode >= CLOSE) {
        frame[0] = 0x80 | PONG;
        if (opcode == PING)
            send_to(author, frame, head + length);
        return;
    }
    struct room *room = author->room;
    for (uint32_t i = 0; i < room->count; i++)
        if (room->peers[i] != author)
            send_to(room->peers[i], frame, head + length);
}

/* The size of one whole frame, which it relays; 0 while it is not complete. */
static size_t take_frame(struct peer *peer, const uint8_t *bytes, size_t length)
{
    if (length < 6)
        return 0;
    size_t head = 2, size = bytes[1] & 0x7f;
    if (size == 126)
        head = 4, size = (size_t)bytes[2] << 8 | bytes[3];
    if (!(bytes[1] & 0x80) || size == 127 || (bytes[0] & 0x0f) == CLOSE) {
        drop(peer);
        return 0;
    }
    if (length < head + 4 + size)
        return 0;
    relay(peer, bytes[0] & 0x0f, bytes + head + 4, bytes + head, size);
    return head + 4 + size;
}

static void receive(struct peer *peer)
{
    static uint8_t input[3 * READ_BYTES];
    size_t length = peer->in_length, done = 0;
    if (length > 2 * READ_BYTES) {
        drop(peer);
        return;
    }
    memcpy(input, peer->in ? peer->in : input, length);
    ssize_t got = recv(peer->socket, input + length, READ_BYTES, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            drop(peer);
        return;
    }
    length += (size_t)got;
    for (size_t size = 1; size > 0 && peer->socket; done += size)
        size = peer->room ? take_frame(peer, input + done, length - done) : upgrade(peer, input + done, length - done);
    if (!peer->socket)
        return;
    peer->in_length = length - done;
    if (peer->in_length > 0) {
        peer->in = must(realloc(peer->in, peer->in_length));
        memcpy(peer->in, input + done, peer->in_length);
    }
}

static void accept_all(int listener)
{
    int yes = 1;
    for (int socket; (socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        if (socket >= MOST_PEERS) {
            close(socket);
            continue;
        }
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        peers[socket].socket = socket;
        watch(&peers[socket], EPOLL_CTL_ADD, 0);
    }
}

int main(int argc, char **argv)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0))};
    struct rlimit limit;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1024) < 0) {
        perror("listen");
        return 1;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    signal(SIGPIPE, SIG_IGN);
    epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = LISTENER}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == LISTENER) {
                accept_all(listener);
                continue;
            }
            struct peer *peer = &peers[events[i].data.fd];
            if (peer->socket && events[i].events & EPOLLOUT)
                flush(peer);
            if (peer->socket && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                receive(peer);
        }
    }
}
