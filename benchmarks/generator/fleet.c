#define _GNU_SOURCE
#include "fleet.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "websocket.h"

enum { CONNECT_AT_ONCE = 32, READ_BYTES = 256 * 1024, EVENTS = 256, LONGEST_NAME = 200, TIMER = -1 };

static struct buffer scratch; /* frames while they are made */

static void enter(struct fleet *fleet, struct client *client, enum client_state state)
{
    fleet->in_state[client->state]--;
    fleet->in_state[state]++;
    client->state = state;
}

static void fail(struct fleet *fleet, struct client *client, const char *what, const char *detail)
{
    if (client->state == CLIENT_CLOSED)
        return;
    if (!*fleet->failure)
        snprintf(fleet->failure, sizeof fleet->failure, "client %u: %s%s", client->index, what, detail);
    for (char *at = fleet->failure; *at; at++) /* it goes into JSON */
        if (*at == '"' || *at == '\\' || (unsigned char)*at < ' ')
            *at = '?';
    close(client->socket);
    enter(fleet, client, CLIENT_CLOSED);
}

static void watch(struct fleet *fleet, struct client *client, int operation, int writable)
{
    struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0u), .data.u64 = client->index};
    if (epoll_ctl(fleet->epoll, operation, client->socket, &event) < 0)
        fail(fleet, client, "epoll: ", strerror(errno));
}

static void flush(struct fleet *fleet, struct client *client)
{
    ssize_t sent = send(client->socket, client->out.data, client->out.length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        fail(fleet, client, "send: ", strerror(errno));
        return;
    }
    if (sent > 0) {
        fleet->bytes_sent += (uint64_t)sent;
        buffer_drop(&client->out, (size_t)sent);
    }
    if (client->out.length == 0)
        watch(fleet, client, EPOLL_CTL_MOD, 0);
}

static void send_bytes(struct fleet *fleet, struct client *client, const struct buffer *bytes)
{
    if (client->state == CLIENT_CLOSED)
        return;
    if (client->out.length > 0) {
        buffer_add(&client->out, bytes->data, bytes->length);
        return;
    }
    ssize_t sent = send(client->socket, bytes->data, bytes->length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        fail(fleet, client, "send: ", strerror(errno));
        return;
    }
    size_t taken = sent > 0 ? (size_t)sent : 0;
    fleet->bytes_sent += taken;
    if (taken < bytes->length) {
        buffer_add(&client->out, bytes->data + taken, bytes->length - taken);
        watch(fleet, client, EPOLL_CTL_MOD, 1);
    }
}

static void send_payload(struct fleet *fleet, struct client *client, enum opcode opcode, struct reader payload)
{
    scratch.length = 0;
    add_frame(&scratch, opcode, payload.at, (size_t)(payload.end - payload.at));
    send_bytes(fleet, client, &scratch);
}

static struct reader whole(const struct buffer *buffer)
{
    return (struct reader){buffer->data, buffer->data + buffer->length, 0};
}

void fleet_init(struct fleet *fleet, uint32_t documents, uint32_t clients, const char *document_prefix)
{
    fleet->count = documents * clients;
    fleet->clients = must_allocate(fleet->count, sizeof *fleet->clients);
    for (uint32_t i = 0; i < fleet->count; i++) {
        fleet->clients[i].index = i;
        fleet->clients[i].document = must_allocate(LONGEST_NAME, 1);
        snprintf(fleet->clients[i].document, LONGEST_NAME, "%s-%u", document_prefix, i / clients);
    }
    fleet->in_state[CLIENT_IDLE] = fleet->count;
    fleet->epoll = epoll_create1(0);
    fleet->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)TIMER};
    if (fleet->epoll < 0 || fleet->timer < 0 || epoll_ctl(fleet->epoll, EPOLL_CTL_ADD, fleet->timer, &event) < 0) {
        perror("epoll");
        exit(1);
    }
}

static void connect_one(struct fleet *fleet, struct client *client)
{
    int yes = 1;
    client->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    enter(fleet, client, CLIENT_CONNECTING);
    if (client->socket < 0) {
        fail(fleet, client, "socket: ", strerror(errno));
        return;
    }
    setsockopt(client->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(client->socket, (struct sockaddr *)&fleet->address, sizeof fleet->address) < 0 && errno != EINPROGRESS) {
        fail(fleet, client, "connect: ", strerror(errno));
        return;
    }
    watch(fleet, client, EPOLL_CTL_ADD, 1);
}

/* The first client of each document comes alone: some servers lose clients that open a new document at once. */
static struct client *next_to_connect(struct fleet *fleet)
{
    uint32_t documents = fleet->measure->load.documents, clients = fleet->measure->load.clients;
    uint32_t i = fleet->begun;
    if (i < documents)
        return &fleet->clients[i * clients];
    if (i == documents && fleet->in_state[CLIENT_OPEN] + fleet->in_state[CLIENT_WAITING] < documents)
        return NULL;
    i -= documents;
    return &fleet->clients[i / (clients - 1) * clients + 1 + i % (clients - 1)];
}

void fleet_connect_more(struct fleet *fleet)
{
    uint32_t *in_state = fleet->in_state;
    while (fleet->begun < fleet->count
           && in_state[CLIENT_CONNECTING] + in_state[CLIENT_UPGRADING] + in_state[CLIENT_OPENING] < CONNECT_AT_ONCE) {
        struct client *client = next_to_connect(fleet);
        if (!client)
            return;
        fleet->begun++;
        connect_one(fleet, client);
    }
}

static void upgrade(struct fleet *fleet, struct client *client)
{
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(client->socket, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) {
        fail(fleet, client, "connect: ", strerror(error));
        return;
    }
    char path[2 * LONGEST_NAME];
    int named = fleet->path[strlen(fleet->path) - 1] == '/';
    snprintf(path, sizeof path, "%s%s", fleet->path, named ? client->document : "");
    enter(fleet, client, CLIENT_UPGRADING);
    watch(fleet, client, EPOLL_CTL_MOD, 0);
    scratch.length = 0;
    add_upgrade_request(&scratch, "127.0.0.1", path, fleet->dialect->subprotocol);
    send_bytes(fleet, client, &scratch);
}

static void open_document(struct fleet *fleet, struct client *client)
{
    static struct buffer payload;
    if (client->state == CLIENT_CLOSED)
        return;
    client->asked_ns = now_ns();
    if (fleet->dialect->opens_at_once) {
        enter(fleet, client, CLIENT_OPEN);
        return;
    }
    enter(fleet, client, CLIENT_OPENING);
    payload.length = 0;
    fleet->dialect->add_open(&payload, client->document);
    send_payload(fleet, client, BINARY, whole(&payload));
}

void fleet_open_all(struct fleet *fleet)
{
    fleet->open_together = 0;
    for (uint32_t i = 0; i < fleet->count; i++)
        open_document(fleet, &fleet->clients[i]);
}

void fleet_send_edits(struct fleet *fleet, uint32_t author, uint64_t clock, uint64_t count)
{
    static struct buffer payload, frames;
    struct client *client = &fleet->clients[author];
    frames.length = 0;
    for (client->typed = clock; client->typed < clock + count; client->typed++) {
        payload.length = 0;
        fleet->dialect->add_edit(
            &payload, client->document, fleet->measure->load.first_client_id + author, client->typed
        );
        add_frame(&frames, BINARY, payload.data, payload.length);
    }
    send_bytes(fleet, client, &frames);
}

int fleet_was_sent(const struct fleet *fleet, uint32_t author, uint64_t clock)
{
    return clock < fleet->clients[author].typed;
}

struct visit {
    struct measure *measure;
    uint32_t receiver;
    int64_t now;
};

static void deliver(void *context, uint64_t client, uint64_t clock, uint64_t length)
{
    struct visit *visit = context;
    measure_delivery(visit->measure, visit->receiver, client, clock, length, visit->now);
}

static void receive_message(struct fleet *fleet, struct client *client, struct reader payload, int64_t now)
{
    static struct buffer reply;
    struct visit visit = {fleet->measure, client->index, now};
    struct incoming incoming = {
        .payload = payload,
        .is_open = client->state == CLIENT_OPEN,
        .visit = deliver,
        .context = &visit,
        .reply = &reply,
        .document = client->document,
        .statuses = &client->statuses,
    };
    reply.length = 0;
    switch (fleet->dialect->receive(&incoming)) {
    case HEARD_OPENED:
        histogram_add(&fleet->opening, now - client->asked_ns);
        enter(fleet, client, CLIENT_OPEN);
        break;
    case HEARD_SAVED:
        measure_saved(fleet->measure, client->index, incoming.saved, now);
        break;
    case HEARD_REFUSED:
        fail(fleet, client, "the server refused it", "");
        return;
    case HEARD_UNREADABLE:
        fail(fleet, client, "a message cannot be read", "");
        return;
    case HEARD_NOTHING:
    case HEARD_UPDATES:
        break;
    }
    if (reply.length > 0)
        send_payload(fleet, client, BINARY, whole(&reply));
}

static void receive_frame(struct fleet *fleet, struct client *client, const struct frame *frame, int64_t now)
{
    fleet->frames_received++;
    if (frame->opcode == BINARY) {
        receive_message(fleet, client, frame->payload, now);
    } else if (frame->opcode == PING) {
        send_payload(fleet, client, PONG, frame->payload);
    } else if (frame->opcode == CLOSE) {
        char reason[128] = "";
        size_t length = (size_t)(frame->payload.end - frame->payload.at);
        if (length >= 2)
            snprintf(reason, sizeof reason, "%u %.*s", frame->payload.at[0] << 8 | frame->payload.at[1],
                     (int)length - 2, frame->payload.at + 2);
        fail(fleet, client, "closed by the server: ", reason);
    }
}

/* How much of the bytes has been dealt with. */
static size_t receive_bytes(struct fleet *fleet, struct client *client, const uint8_t *bytes, size_t length, int64_t now)
{
    size_t done = 0;
    if (client->state == CLIENT_UPGRADING) {
        long size = read_upgrade_answer(bytes, length, fleet->dialect->subprotocol);
        if (size < 0) {
            char answer[64];
            snprintf(answer, sizeof answer, "%.*s", (int)length, (const char *)bytes);
            fail(fleet, client, "no upgrade: ", answer);
        }
        if (size <= 0)
            return 0;
        done = (size_t)size;
        enter(fleet, client, CLIENT_WAITING);
        if (!fleet->open_together)
            open_document(fleet, client);
    }
    struct frame frame;
    while (client->state != CLIENT_CLOSED) {
        enum frame_found found = read_frame(bytes + done, length - done, &frame);
        if (found == FRAME_UNREADABLE)
            fail(fleet, client, "a frame cannot be read", "");
        if (found != FRAME_WHOLE)
            break;
        receive_frame(fleet, client, &frame, now);
        done += frame.size;
    }
    return done;
}

static void receive(struct fleet *fleet, struct client *client)
{
    /* One buffer for all, so that it stays in the processor's cache; a client keeps only the rest of a frame. */
    static struct buffer input;
    input.length = 0;
    buffer_add(&input, client->in.data, client->in.length);
    buffer_reserve(&input, READ_BYTES);
    ssize_t got = recv(client->socket, input.data + input.length, READ_BYTES, 0);
    int64_t now = now_ns();
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        fail(fleet, client, "the line was cut", got < 0 ? strerror(errno) : "");
        return;
    }
    fleet->bytes_received += (uint64_t)got;
    input.length += (size_t)got;
    size_t done = receive_bytes(fleet, client, input.data, input.length, now);
    client->in.length = 0;
    buffer_add(&client->in, input.data + done, input.length - done);
}

void fleet_poll(struct fleet *fleet, int64_t until_ns)
{
    struct epoll_event events[EVENTS];
    int is_due = until_ns <= now_ns();
    if (!is_due) {
        /* epoll counts in milliseconds; edits are due by the microsecond. */
        struct itimerspec timer = {.it_value = {until_ns / 1000000000, until_ns % 1000000000}};
        timerfd_settime(fleet->timer, TFD_TIMER_ABSTIME, &timer, NULL);
    }
    int count = epoll_wait(fleet->epoll, events, EVENTS, is_due ? 0 : -1);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == (uint64_t)TIMER) {
            uint64_t expirations;
            if (read(fleet->timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN)
                perror("timer");
            continue;
        }
        struct client *client = &fleet->clients[events[i].data.u64];
        if (client->state == CLIENT_CONNECTING) {
            upgrade(fleet, client);
            continue;
        }
        if (client->state != CLIENT_CLOSED && events[i].events & EPOLLOUT)
            flush(fleet, client);
        if (client->state != CLIENT_CLOSED && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            receive(fleet, client);
    }
}
