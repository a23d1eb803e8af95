#define _GNU_SOURCE
#include "measure.h"

#include <time.h>

#include "buffer.h"

int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void measure_init(struct measure *measure, struct workload load)
{
    size_t clients = (size_t)load.documents * load.clients;
    measure->load = load;
    measure->warmup_edits = (uint64_t)(load.rate * load.warmup_s);
    measure->edits = (uint64_t)(load.rate * (load.warmup_s + load.seconds));
    measure->seen = must_allocate(clients * load.clients, sizeof *measure->seen);
    measure->saved = must_allocate(clients, sizeof *measure->saved);
}

void measure_start(struct measure *measure, int64_t start_ns)
{
    measure->start_ns = start_ns;
    measure->begin_ns = start_ns + (int64_t)(measure->load.warmup_s * 1e9);
    measure->end_ns = measure->begin_ns + (int64_t)(measure->load.seconds * 1e9);
}

int64_t measure_due_ns(const struct measure *measure, uint64_t edit)
{
    return measure->start_ns + (int64_t)((double)edit * 1e9 / measure->load.rate);
}

uint32_t measure_author(const struct measure *measure, uint64_t edit)
{
    uint32_t documents = measure->load.documents;
    uint32_t document = (uint32_t)(edit % documents);
    uint32_t writer = (uint32_t)(edit / documents % measure->load.writers);
    return document * measure->load.clients + writer;
}

uint64_t measure_clock(const struct measure *measure, uint64_t edit)
{
    return edit / ((uint64_t)measure->load.documents * measure->load.writers);
}

uint64_t measure_next_of_author(const struct measure *measure, uint64_t edit)
{
    return edit + (uint64_t)measure->load.documents * measure->load.writers;
}

static uint64_t edit_of(const struct measure *measure, uint32_t author, uint64_t clock)
{
    const struct workload *load = &measure->load;
    uint32_t document = author / load->clients;
    uint32_t writer = author % load->clients;
    return (clock * load->writers + writer) * load->documents + document;
}

void measure_delivery(
    struct measure *measure, uint32_t receiver, uint64_t client_id, uint64_t clock, uint64_t length, int64_t now
)
{
    const struct workload *load = &measure->load;
    uint64_t author = client_id - load->first_client_id; /* wraps round for a smaller id */
    if (author >= (uint64_t)load->documents * load->clients || author == receiver)
        return; /* text that was there before, or an echo */
    if (author / load->clients != receiver / load->clients) {
        measure->strays += length;
        return;
    }
    uint32_t *next = &measure->seen[(size_t)receiver * load->clients + author % load->clients];
    uint64_t end = clock + length;
    if (clock > *next) {
        measure->gaps += clock - *next;
    } else if (clock < *next) {
        uint64_t known = (end < *next ? end : *next) - clock;
        measure->duplicates += known;
        clock += known;
    }
    if (clock >= end)
        return;
    *next = (uint32_t)end;
    measure->arrived += end - clock;
    if (now >= measure->begin_ns && now < measure->end_ns)
        measure->arrived_in_window += end - clock;
    for (; clock < end; clock++) {
        uint64_t edit = edit_of(measure, (uint32_t)author, clock);
        if (edit < measure->warmup_edits)
            continue;
        measure->arrived_measured++;
        histogram_add(&measure->latency, now - measure_due_ns(measure, edit));
    }
}

void measure_saved(struct measure *measure, uint32_t author, uint64_t clock, int64_t now)
{
    uint32_t *next = &measure->saved[author];
    for (; *next < clock; ++*next) {
        uint64_t edit = edit_of(measure, author, *next);
        measure->saves_in_window += now >= measure->begin_ns && now < measure->end_ns;
        if (edit < measure->warmup_edits)
            continue;
        measure->saves++;
        histogram_add(&measure->save_latency, now - measure_due_ns(measure, edit));
    }
}

uint64_t measure_expected(const struct measure *measure, uint64_t edits)
{
    return edits * (measure->load.clients - 1);
}
