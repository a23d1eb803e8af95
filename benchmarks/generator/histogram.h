/* Latencies in buckets that grow with the value: about 1.6 % wide, from 1 us to minutes (as HdrHistogram does). */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

enum { SUB_BUCKETS_LOG2 = 6, BUCKETS = (1 << SUB_BUCKETS_LOG2) * 32 };

struct histogram {
    uint64_t counts[BUCKETS];
    uint64_t total;
    uint64_t max_us;
};

void histogram_add(struct histogram *histogram, int64_t value_ns);
double histogram_percentile_ms(const struct histogram *histogram, double percent);

#endif
