/* What is due when, what has arrived, and how long it took.
 *
 * Open loop: edit i is due at start + i / rate, whatever the server does. Edits go round over the documents, and in each
 * over its writers, so the author and the clock of a character give back when it was due.
 * A delivery is one character that reached one peer of its author for the first time. */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>

#include "histogram.h"

struct workload {
    uint32_t documents;
    uint32_t clients; /* of each document */
    uint32_t writers; /* of each document: its first ones */
    uint64_t first_client_id;
    double rate; /* edits per second, over everything */
    double warmup_s;
    double seconds; /* measured, after the warm-up */
};

struct measure {
    struct workload load;
    int64_t start_ns;
    int64_t begin_ns; /* of the measured time */
    int64_t end_ns;
    uint64_t warmup_edits;
    uint64_t edits; /* in all */
    uint32_t *seen; /* by receiver and author: the next clock that is news */
    uint32_t *saved; /* by author: edits acknowledged */
    uint64_t arrived;           /* deliveries of all edits */
    uint64_t arrived_measured;  /* of measured edits, whenever they came */
    uint64_t arrived_in_window; /* in the measured time, whatever edit */
    uint64_t duplicates;
    uint64_t gaps; /* characters that were overtaken by a later one of their author */
    uint64_t strays; /* of another document */
    uint64_t saves;
    uint64_t saves_in_window;
    struct histogram latency;
    struct histogram save_latency;
};

int64_t now_ns(void);

void measure_init(struct measure *measure, struct workload load);
void measure_start(struct measure *measure, int64_t start_ns);

int64_t measure_due_ns(const struct measure *measure, uint64_t edit);
uint32_t measure_author(const struct measure *measure, uint64_t edit); /* a client's index, over all documents */
uint64_t measure_clock(const struct measure *measure, uint64_t edit);
uint64_t measure_next_of_author(const struct measure *measure, uint64_t edit);

/* `length` characters of `client_id`, from `clock` on, have reached the client with the index `receiver`. */
void measure_delivery(
    struct measure *measure, uint32_t receiver, uint64_t client_id, uint64_t clock, uint64_t length, int64_t now
);
/* All edits of this client below `clock` are committed. */
void measure_saved(struct measure *measure, uint32_t author, uint64_t clock, int64_t now);

uint64_t measure_expected(const struct measure *measure, uint64_t edits); /* deliveries that these edits make */

#endif
