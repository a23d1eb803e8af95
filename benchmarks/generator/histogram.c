#include "histogram.h"

static unsigned bucket_of(uint64_t us)
{
    if (us < 2u << SUB_BUCKETS_LOG2)
        return (unsigned)us;
    unsigned shift = 63u - (unsigned)__builtin_clzll(us) - SUB_BUCKETS_LOG2;
    unsigned bucket = (shift << SUB_BUCKETS_LOG2) + (unsigned)(us >> shift);
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The largest value that falls into the bucket. */
static uint64_t top_of(unsigned bucket)
{
    if (bucket < 2u << SUB_BUCKETS_LOG2)
        return bucket;
    unsigned shift = (bucket >> SUB_BUCKETS_LOG2) - 1;
    uint64_t head = bucket - ((uint64_t)shift << SUB_BUCKETS_LOG2);
    return ((head + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, int64_t value_ns)
{
    uint64_t us = value_ns > 0 ? (uint64_t)value_ns / 1000 : 0;
    histogram->counts[bucket_of(us)]++;
    histogram->total++;
    if (us > histogram->max_us)
        histogram->max_us = us;
}

double histogram_percentile_ms(const struct histogram *histogram, double percent)
{
    uint64_t wanted = (uint64_t)((double)histogram->total * percent / 100.0 + 0.5);
    uint64_t seen = 0;
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen >= wanted && seen > 0) {
            uint64_t top = top_of(bucket);
            return (double)(top < histogram->max_us ? top : histogram->max_us) / 1000.0;
        }
    }
    return 0;
}
