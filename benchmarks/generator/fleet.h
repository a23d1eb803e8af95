/* All clients, their sockets in one epoll set. */
#ifndef FLEET_H
#define FLEET_H

#include <netinet/in.h>

#include "dialect.h"
#include "histogram.h"
#include "measure.h"

enum client_state {
    CLIENT_IDLE,       /* not begun */
    CLIENT_CONNECTING, /* TCP */
    CLIENT_UPGRADING,  /* asked for a WebSocket */
    CLIENT_WAITING,    /* has one, and waits for the word to open its document */
    CLIENT_OPENING,
    CLIENT_OPEN,
    CLIENT_CLOSED,
    CLIENT_STATES
};

struct client {
    int socket;
    uint32_t index;
    enum client_state state;
    int64_t asked_ns;
    uint64_t typed; /* its next clock */
    char *document;
    struct statuses statuses;
    struct buffer in;  /* the beginning of a frame */
    struct buffer out; /* what the socket did not take */
};

struct fleet {
    const struct dialect *dialect;
    struct sockaddr_in address;
    const char *path;  /* where it ends with /, the document's name follows */
    int open_together; /* nobody opens before fleet_open_all */
    uint32_t count;
    uint32_t begun;
    uint32_t in_state[CLIENT_STATES];
    struct client *clients;
    struct measure *measure;
    struct histogram opening; /* from asking for the document to having it */
    int epoll;
    int timer;
    uint64_t bytes_received;
    uint64_t bytes_sent;
    uint64_t frames_received;
    char failure[256]; /* the first one */
};

void fleet_init(struct fleet *fleet, uint32_t documents, uint32_t clients, const char *document_prefix);

/* Begin to connect more clients, a few at a time, so that no listen queue overflows. */
void fleet_connect_more(struct fleet *fleet);
void fleet_open_all(struct fleet *fleet);

/* Wait for sockets until `until_ns` at the latest, and handle what has come. */
void fleet_poll(struct fleet *fleet, int64_t until_ns);

/* `count` edits of an author from this clock on, in one write. */
void fleet_send_edits(struct fleet *fleet, uint32_t author, uint64_t clock, uint64_t count);
int fleet_was_sent(const struct fleet *fleet, uint32_t author, uint64_t clock);

#endif
