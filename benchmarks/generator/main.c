/* Clients of a collaborative document server that type at a fixed rate and time what their peers receive.
 *
 * Prints `connected` (with --together; then waits for a line on its input), `opened`, `begin` and `end` of the measured
 * time, each on a line of its own, so that whoever runs it can read the server's accounts at that moment; then one line
 * of JSON. It measures itself too: the share of a core that it used, and how late it sent. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "fleet.h"

enum { SENDS_BETWEEN_POLLS = 64 };

static const int64_t SECOND_NS = 1000000000, OPENING_LASTS_NS = 180 * 1000000000LL, DRAINING_LASTS_NS = 1000000000LL;

struct outcome {
    int64_t backlog_middle; /* deliveries that were due and had not arrived */
    int64_t backlog_end;
    double cpu_share;
    uint64_t bytes_opening;
    uint64_t bytes_window;
    uint64_t frames_window;
    struct histogram lateness; /* of our own sends */
};

static void say(const char *word)
{
    puts(word);
    fflush(stdout);
}

static double cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void reach(struct fleet *fleet, enum client_state state, int64_t deadline_ns)
{
    while (fleet->in_state[state] < fleet->count) {
        fleet_connect_more(fleet);
        fleet_poll(fleet, deadline_ns);
        if (fleet->in_state[CLIENT_CLOSED] > 0 || now_ns() > deadline_ns) {
            fprintf(stderr, "only %u of %u clients came in: %s\n", fleet->in_state[state], fleet->count,
                    *fleet->failure ? fleet->failure : "the server took too long");
            exit(1);
        }
    }
}

static void open_documents(struct fleet *fleet)
{
    int64_t deadline_ns = now_ns() + OPENING_LASTS_NS;
    if (fleet->open_together) {
        char line[16];
        reach(fleet, CLIENT_WAITING, deadline_ns);
        say("connected");
        if (!fgets(line, sizeof line, stdin))
            exit(1);
        fleet_open_all(fleet);
    }
    reach(fleet, CLIENT_OPEN, deadline_ns);
    say("opened");
}

static int64_t earlier(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

/* Send this edit, and with it all others of its author that are due: one that is behind does not write them one by one.
 * Otherwise the system's part of a write would be what ends a search where many type. */
static void send_due(struct fleet *fleet, uint64_t edit, int64_t now, struct outcome *outcome)
{
    struct measure *measure = fleet->measure;
    uint32_t author = measure_author(measure, edit);
    uint64_t clock = measure_clock(measure, edit), count = 0;
    int64_t due = measure_due_ns(measure, edit);
    do {
        if (edit >= measure->warmup_edits)
            histogram_add(&outcome->lateness, now - due);
        count++;
        edit = measure_next_of_author(measure, edit);
        due = measure_due_ns(measure, edit);
    } while (edit < measure->edits && due <= now);
    fleet_send_edits(fleet, author, clock, count);
}

/* Send what is due and handle what comes until `until_ns`; gives back the next edit. */
static uint64_t run_until(struct fleet *fleet, uint64_t edit, int64_t until_ns, struct outcome *outcome)
{
    struct measure *measure = fleet->measure;
    for (;;) {
        int64_t now = now_ns();
        if (now >= until_ns)
            return edit;
        for (int sends = 0; edit < measure->edits && sends < SENDS_BETWEEN_POLLS; edit++) {
            if (measure_due_ns(measure, edit) > now)
                break;
            if (fleet_was_sent(fleet, measure_author(measure, edit), measure_clock(measure, edit)))
                continue;
            send_due(fleet, edit, now, outcome);
            sends++;
            now = now_ns();
        }
        fleet_poll(fleet, edit < measure->edits ? earlier(measure_due_ns(measure, edit), until_ns) : until_ns);
    }
}

static int64_t backlog(const struct measure *measure, uint64_t edits)
{
    return (int64_t)(measure_expected(measure, edits) - measure->arrived);
}

static int is_complete(const struct fleet *fleet)
{
    const struct measure *measure = fleet->measure;
    if (fleet->dialect->acknowledges && measure->saves < measure->edits - measure->warmup_edits)
        return 0;
    return backlog(measure, measure->edits) <= 0;
}

static void run(struct fleet *fleet, struct outcome *outcome)
{
    struct measure *measure = fleet->measure;
    measure_start(measure, now_ns() + SECOND_NS / 10);
    outcome->bytes_opening = fleet->bytes_received;
    uint64_t edit = run_until(fleet, 0, measure->begin_ns, outcome);
    say("begin");
    double cpu_before_s = cpu_s();
    uint64_t bytes_before = fleet->bytes_received;
    uint64_t frames_before = fleet->frames_received;
    edit = run_until(fleet, edit, (measure->begin_ns + measure->end_ns) / 2, outcome);
    outcome->backlog_middle = backlog(measure, edit);
    edit = run_until(fleet, edit, measure->end_ns, outcome);
    outcome->cpu_share = (cpu_s() - cpu_before_s) / measure->load.seconds;
    outcome->backlog_end = backlog(measure, edit);
    outcome->bytes_window = fleet->bytes_received - bytes_before;
    outcome->frames_window = fleet->frames_received - frames_before;
    say("end");
    int64_t deadline_ns = measure->end_ns + DRAINING_LASTS_NS;
    while (!is_complete(fleet) && now_ns() < deadline_ns)
        edit = run_until(fleet, edit, now_ns() + SECOND_NS / 50, outcome);
}

static void print_latency(const char *name, const struct histogram *histogram)
{
    printf("\"%s\": {\"count\": %llu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}, ", name,
           (unsigned long long)histogram->total, histogram_percentile_ms(histogram, 50),
           histogram_percentile_ms(histogram, 99), (double)histogram->max_us / 1000.0);
}

static void print_count(const char *name, uint64_t value)
{
    printf("\"%s\": %llu, ", name, (unsigned long long)value);
}

static void print_outcome(const struct fleet *fleet, const struct outcome *outcome)
{
    const struct measure *measure = fleet->measure;
    uint64_t measured_edits = measure->edits - measure->warmup_edits;
    printf("{\"rate\": %.3f, \"seconds\": %.3f, ", measure->load.rate, measure->load.seconds);
    print_count("edits", measured_edits);
    print_count("expected", measure_expected(measure, measured_edits));
    print_count("delivered", measure->arrived_measured);
    print_count("delivered_in_window", measure->arrived_in_window);
    print_count("duplicates", measure->duplicates);
    print_count("gaps", measure->gaps);
    print_count("strays", measure->strays);
    print_count("saved_in_window", measure->saves_in_window);
    print_latency("latency", &measure->latency);
    print_latency("saved", &measure->save_latency);
    print_latency("opening", &fleet->opening);
    print_latency("lateness", &outcome->lateness);
    print_count("bytes_opening", outcome->bytes_opening);
    print_count("bytes_in_window", outcome->bytes_window);
    print_count("frames_in_window", outcome->frames_window);
    print_count("closed", fleet->in_state[CLIENT_CLOSED]);
    printf("\"backlog_middle\": %lld, \"backlog_end\": %lld, ", (long long)outcome->backlog_middle,
           (long long)outcome->backlog_end);
    printf("\"generator_cpu_share\": %.3f, \"failure\": \"%s\"}\n", outcome->cpu_share, fleet->failure);
    fflush(stdout);
}

static void usage(void)
{
    fputs("generator --port N --dialect native|yjs|hocuspocus|relay --path PATH --document PREFIX [--documents N]\n"
          "          [--clients N] [--writers N] [--rate EDITS_PER_SECOND] [--warmup S] [--seconds S]\n"
          "          [--first-client-id N] [--together]\n"
          "--clients and --writers are per document; documents are called PREFIX-0, PREFIX-1 ...\n",
          stderr);
    exit(2);
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"port", 1, 0, 'p'},    {"dialect", 1, 0, 'd'}, {"path", 1, 0, 'a'},     {"document", 1, 0, 'n'},
        {"documents", 1, 0, 'D'}, {"clients", 1, 0, 'c'}, {"writers", 1, 0, 'w'},  {"rate", 1, 0, 'r'},
        {"warmup", 1, 0, 'u'},  {"seconds", 1, 0, 's'}, {"first-client-id", 1, 0, 'i'}, {"together", 0, 0, 't'},
        {0, 0, 0, 0},
    };
    static struct measure measure;
    static struct outcome outcome;
    static struct fleet fleet = {.path = "/"};
    struct workload load = {.documents = 1, .clients = 2, .first_client_id = 1 << 30, .seconds = 1};
    const char *document = "benchmark";
    int port = 0;
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'd': fleet.dialect = find_dialect(optarg); break;
        case 'a': fleet.path = optarg; break;
        case 'n': document = optarg; break;
        case 'D': load.documents = (uint32_t)atoi(optarg); break;
        case 'c': load.clients = (uint32_t)atoi(optarg); break;
        case 'w': load.writers = (uint32_t)atoi(optarg); break;
        case 'r': load.rate = atof(optarg); break;
        case 'u': load.warmup_s = atof(optarg); break;
        case 's': load.seconds = atof(optarg); break;
        case 'i': load.first_client_id = strtoull(optarg, NULL, 10); break;
        case 't': fleet.open_together = 1; break;
        default: usage();
        }
    }
    if (!port || !fleet.dialect || !load.documents || !load.clients || load.writers > load.clients || load.seconds <= 0)
        usage();
    if (!load.writers)
        load.writers = load.clients;
    signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    measure_init(&measure, load);
    fleet.measure = &measure;
    fleet.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    fleet.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fleet_init(&fleet, load.documents, load.clients, document);
    open_documents(&fleet);
    run(&fleet, &outcome);
    print_outcome(&fleet, &outcome);
    return 0;
}
