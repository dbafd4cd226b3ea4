/* loadgen.c - the load: many clients in one room, everything that is delivered counted (loopback, Linux).
 *
 * One thread. N clients join one room (channel, subject); M of them, spread evenly, also send. Every
 * delivered message is counted at every client; some clients parse each message and check the order per
 * sender. A message's payload is  |SSSSQQQQQQQQTTTTTTTTTTTTTTTTxxx...  (sender, sequence, time stamp in ns,
 * all hex), so one '|' is one message whatever the server puts around it.
 *
 * Closed loop (--rate 0): each sender keeps at most W messages in flight. Its credit comes back when the
 * *witness*, the client next after the sender, has the message: the same rule for servers without echo.
 * Open loop (--rate R): each sender sends R msg/s on one even schedule, and the stamp is the *scheduled*
 * time, so that a server (or this program) that falls behind is charged for it (no coordinated omission).
 * Latencies are a sample of all deliveries; with --own-echo they are those of each sender's own messages,
 * every one: how long until the server said "taken".
 *
 * Prints one JSON line. Exit: 0 all delivered in order, 1 not, 2 usage or system error, 3 setup failed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MARK '|'
#define HEADER 29              /* the mark, then 4 + 8 + 16 hex digits */
#define READ_BYTES (1 << 18)
#define PAD 64                 /* room before a read for the carried start of a cut header */
#define LINE_BYTES 600         /* an IRC line is at most 512 */
#define EVENTS 1024
#define PROBE_SENDER 0xffff    /* sender id of the messages that test whether all have joined */
#define MAX_PIDS 64
#define MAX_ORDER_CELLS 4000000
#define NS 1000000000ull
/* Quiet for this long before counting begins: longer than any timer that gathers join notices (250 ms). */
#define QUIET_NS 400000000ull
#define QUIET_LIMIT_NS (30 * NS)
#define ECHO_WAIT_NS 300000000ull

typedef uint64_t u64;
typedef uint32_t u32;
enum proto { LINE, NATIVE, WEB, IRC, REDIS, PROTOS };       /* native: JSON lines; web: the same over WebSocket */
static const char *const PROTO_NAMES[] = {"line", "native", "web", "irc", "redis"};
static const char ROOM[] = "bench";
#define ID_DIGITS (HEADER - 1)  /* a line's id is what stands behind its mark */
#define SHORT_FRAME 125         /* RFC 6455 5.2: the longest payload whose length is in the second byte */
#define UPGRADE "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

typedef struct {
    int fd;
    unsigned char connected, ready, closed, stage, want_out;
    unsigned char full;                    /* parses every message */
    unsigned char hot, bulk;               /* closed loop: served at once / read once per lazy_us */
    int witness_of;                        /* sender index, or -1 */
    int order_row;                         /* row in the order table, or -1 */
    u64 marks;                             /* messages received */
    int carry_len; char carry[HEADER];     /* the cut header at the end of the last read */
    char *line; int line_len;              /* setup: unfinished line */
    char *out; size_t out_len, out_head, out_cap;
    u32 credit, seq; u64 sent;
} conn;

static struct {
    enum proto proto; int port, clients, senders, size, window, in_hand, sample, idle_mode, own_echo;
    double rate, duration_s, drain_s, idle_s, setup_s, lazy_us;
    int pids[MAX_PIDS], npids;
} opt = {LINE, 7000, 10, 10, 64, 8, 1000, 16, 0, 0, 0, 3, 10, 1, 60, 1000, {0}, 0};

static conn *C;
static int ep, ep_bulk = -1, counting;
static char *rb;
static int n_connected, n_ready, n_probed;
static u64 n_closed, recvs, delivered, sent_total, order_errors, last_delivery;
static u32 *order;
static int *dirty, n_dirty; static unsigned char *is_dirty;  /* senders that have something to do */

static u64 now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return (u64)t.tv_sec * NS + t.tv_nsec; }
static void die(const char *what) { fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno)); exit(2); }
static int client_of(int sender) { return (int)((long)sender * opt.clients / opt.senders); }
static void mark_dirty(int s) { if (!is_dirty[s]) { is_dirty[s] = 1; dirty[n_dirty++] = s; } }

/* ---- latency histogram: log-linear, 6 bits of mantissa (1.6 %) ---- */
#define SUB 64
static u64 hist[64 * SUB], hist_n;
static void hist_add(u64 ns) {
    int i = (int)ns;
    if (ns >= SUB) { int e = 63 - __builtin_clzll(ns); i = (e - 5) * SUB + (int)((ns >> (e - 6)) & (SUB - 1)); }
    hist[i]++; hist_n++;
}
static double hist_us(double q) {
    u64 want = (u64)(q * hist_n), seen = 0;
    if (!hist_n) return -1;
    for (int i = 0; i < 64 * SUB; i++) {
        seen += hist[i];
        if (seen <= want) continue;
        if (i < SUB) return i / 1e3;
        int e = i / SUB + 5;
        return (double)((1ull << e) + ((u64)(i % SUB) << (e - 6))) / 1e3;
    }
    return -1;
}

/* ---- the server's cost, read from outside ---- */
static double server_cpu_s(void) {
    double total = 0;
    for (int k = 0; k < opt.npids; k++) {
        clockid_t clock; struct timespec t;  /* utime + stime of all its threads, in nanoseconds */
        if (!clock_getcpuclockid(opt.pids[k], &clock) && !clock_gettime(clock, &t)) total += t.tv_sec + t.tv_nsec / 1e9;
    }
    return total;
}
static double server_rss_kib(void) {
    double total = 0;
    for (int k = 0; k < opt.npids; k++) {
        char name[64]; long size, resident;
        snprintf(name, sizeof name, "/proc/%d/statm", opt.pids[k]);
        FILE *f = fopen(name, "r");
        if (!f) continue;
        if (fscanf(f, "%ld %ld", &size, &resident) == 2) total += resident * (sysconf(_SC_PAGESIZE) / 1024.0);
        fclose(f);
    }
    return total;
}
static double own_cpu_s(void) {
    struct rusage r; getrusage(RUSAGE_SELF, &r);
    return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* ---- output ---- */
static void set_want_out(conn *c, int on) {
    if (c->want_out == on) return;
    c->want_out = on;
    struct epoll_event e = {.events = EPOLLIN | (on ? EPOLLOUT : 0), .data.u32 = (u32)(c - C)};
    epoll_ctl(c->bulk ? ep_bulk : ep, EPOLL_CTL_MOD, c->fd, &e);
}
static void flush_out(conn *c) {
    while (c->out_len && !c->closed) {
        ssize_t k = send(c->fd, c->out + c->out_head, c->out_len, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0 && errno == EAGAIN) { set_want_out(c, 1); return; }
        if (k < 0) { c->out_len = 0; return; }
        c->out_head += k; c->out_len -= k;
    }
    c->out_head = 0;
    set_want_out(c, 0);
}
static char *reserve(conn *c, size_t n) {
    if (c->out_head + c->out_len + n > c->out_cap) {
        if (c->out_head) { memmove(c->out, c->out + c->out_head, c->out_len); c->out_head = 0; }
        if (c->out_len + n > c->out_cap) {
            c->out_cap = (c->out_len + n) * 2 + 256;
            if (!(c->out = realloc(c->out, c->out_cap))) die("memory");
        }
    }
    return c->out + c->out_head + c->out_len;
}
static void put(conn *c, const char *s, size_t n) { memcpy(reserve(c, n), s, n); c->out_len += n; }

static char prefix[256], suffix[4]; static int prefix_n, suffix_n, id_at;
/* The head of a text frame, masked with zeros: the standard allows it, and it costs neither side more. */
static int frame_head(char *b, int n) {
    int k = 0;
    b[k++] = (char)0x81;
    if (n <= SHORT_FRAME) b[k++] = (char)(0x80 | n);
    else { b[k++] = (char)0xfe; b[k++] = (char)(n >> 8); b[k++] = (char)n; }
    memset(b + k, 0, 4);
    return k + 4;
}
static void make_json_framing(void) {
    static const char before[] = "{\"t\":\"say\",\"id\":\"", after[] = "\",\"room\":\"#lobby\",\"text\":\"";
    int n = (int)(sizeof before - 1 + ID_DIGITS + sizeof after - 1);
    strcpy(suffix, opt.proto == NATIVE ? "\"}\n" : "\"}");
    if (opt.proto == WEB) prefix_n = frame_head(prefix, n + opt.size + (int)strlen(suffix));
    memcpy(prefix + prefix_n, before, sizeof before - 1);
    id_at = prefix_n + (int)sizeof before - 1;
    memcpy(prefix + id_at + ID_DIGITS, after, sizeof after - 1);
    prefix_n += n;
}
static void make_framing(void) {
    strcpy(suffix, opt.proto == LINE ? "\n" : "\r\n");
    if (opt.proto == NATIVE || opt.proto == WEB) make_json_framing();
    if (opt.proto == IRC) prefix_n = sprintf(prefix, "PRIVMSG #%s :", ROOM);
    if (opt.proto == REDIS) prefix_n = sprintf(prefix, "*3\r\n$7\r\nPUBLISH\r\n$%zu\r\n%s\r\n$%d\r\n", strlen(ROOM), ROOM, opt.size);
    suffix_n = (int)strlen(suffix);
}
static void to_hex(char *p, u64 v, int n) { while (n--) { p[n] = "0123456789abcdef"[v & 15]; v >>= 4; } }
static u64 from_hex(const char *p, int n) { u64 v = 0; while (n--) { unsigned ch = *p++; v = v << 4 | ((ch & 15) + (ch >> 6) * 9); } return v; }
static void queue_message(conn *c, u32 sender, u32 seq, u64 stamp) {
    char *p = reserve(c, prefix_n + opt.size + suffix_n);
    char *id = id_at ? p + id_at : NULL;
    memcpy(p, prefix, prefix_n); p += prefix_n;
    p[0] = MARK; to_hex(p + 1, sender, 4); to_hex(p + 5, seq, 8); to_hex(p + 13, stamp, 16);
    if (id) memcpy(id, p + 1, ID_DIGITS);
    memset(p + HEADER, 'x', opt.size - HEADER); memcpy(p + opt.size, suffix, suffix_n);
    c->out_len += prefix_n + opt.size + suffix_n;
}
static void queue_load(int sender, u64 stamp) {
    conn *c = &C[client_of(sender)];
    queue_message(c, sender, c->seq++, stamp);
    c->sent++; sent_total++;
}

/* ---- counting ---- */
static u64 count_marks(const char *p, size_t n) {
    u64 total = 0;
    while (n >= 128) {                     /* a byte-wide sum: the compiler makes it SIMD */
        unsigned char s = 0;
        for (int i = 0; i < 128; i++) s += p[i] == MARK;
        total += s; p += 128; n -= 128;
    }
    for (size_t i = 0; i < n; i++) total += p[i] == MARK;
    return total;
}
static u32 random32(void) { static u64 s = 88172645463325252ull; s ^= s << 13; s ^= s >> 7; s ^= s << 17; return (u32)(s >> 16); }
static void sample_latency(const char *header, u64 t) { u64 stamp = from_hex(header + 13, 16); hist_add(t > stamp ? t - stamp : 0); }

/* Most clients: marks are counted, and about one message in `sample` gives its latency. */
static void count_only(conn *c, char *p, size_t n, u64 t) {
    static long skip;                      /* bytes until the next sample */
    u64 k = count_marks(p, n);
    c->marks += k; delivered += k;
    if (k) last_delivery = t;
    if (c->bulk || opt.own_echo) return;   /* bulk: read late on purpose, its latency says nothing */
    while (skip < (long)n) {
        char *q = memchr(p + skip, MARK, n - skip);
        if (!q || p + n - q < HEADER) { skip = (long)n; break; }
        sample_latency(q, t);
        skip = q - p + 1 + random32() % (2L * opt.sample * (opt.size + 20));
    }
    skip -= (long)n;
}
/* Witnesses and checkers: every header is read; order and credit come from here. */
static void parse_all(conn *c, char *p, size_t n, u64 t) {
    static long skip;                      /* messages until the next sample */
    char *end = p + n;
    if (c->carry_len) { p -= c->carry_len; memcpy(p, c->carry, c->carry_len); c->carry_len = 0; }
    while ((p = memchr(p, MARK, end - p))) {
        if (end - p < HEADER) { c->carry_len = (int)(end - p); memcpy(c->carry, p, end - p); break; }
        u32 sender = (u32)from_hex(p + 1, 4);
        c->marks++; delivered++; last_delivery = t;
        if (sender >= (u32)opt.senders) order_errors++;   /* a late probe, or damage */
        else {
            if (c->order_row >= 0) {
                u32 seq = (u32)from_hex(p + 5, 8), *expected = &order[(size_t)c->order_row * opt.senders + sender];
                if (seq != *expected) order_errors++;
                *expected = seq + 1;
            }
            if (c->witness_of == (int)sender) { C[client_of(sender)].credit++; mark_dirty(sender); }
        }
        if (opt.own_echo) { if (sender < (u32)opt.senders && &C[client_of((int)sender)] == c) sample_latency(p, t); }
        else if (--skip < 0) { skip = random32() % (2L * opt.sample); sample_latency(p, t); }
        p += HEADER;
    }
}
static void answer_ping(conn *c, char *p, size_t n) {
    if (opt.proto != IRC || n < 6 || memcmp(p, "PING", 4)) return;
    char *end = memchr(p, '\n', n);
    if (!end) return;
    put(c, "PONG", 4); put(c, p + 4, end + 1 - (p + 4)); flush_out(c);
}

/* ---- joining ---- */
static void set_ready(conn *c) { if (!c->ready) { c->ready = 1; n_ready++; } }
static void say_hello(conn *c) {
    char b[128], hello[96];
    int n = sprintf(hello, "{\"t\":\"hello\",\"v\":1,\"alias\":\"u%05d\"}", (int)(c - C));
    if (opt.proto == WEB) put(c, b, frame_head(b, n)); else hello[n++] = '\n';
    put(c, hello, n); flush_out(c);
}
static void json_setup(conn *c, char *p, size_t n) {
    if (opt.proto == WEB && !c->stage && memmem(p, n, "\r\n\r\n", 4)) { c->stage = 1; say_hello(c); }
    if (memmem(p, n, "\"welcome\"", 9)) set_ready(c);
}
static void on_connected(conn *c) {
    char b[256]; int i = (int)(c - C), k = 0;
    c->connected = 1; n_connected++;
    if (opt.proto == LINE) { k = sprintf(b, "u%05d\n", i); set_ready(c); }  /* the probe proves the join */
    if (opt.proto == NATIVE) say_hello(c);
    if (opt.proto == WEB) k = sprintf(b, "%s", UPGRADE);
    if (opt.proto == IRC) k = sprintf(b, "NICK u%05d\r\nUSER u%05d 0 * :bench\r\n", i, i);
    if (opt.proto == REDIS) k = sprintf(b, "HELLO 3\r\nSUBSCRIBE %s\r\n", ROOM);
    put(c, b, k); flush_out(c);
    if (!c->out_len) { c->want_out = 1; set_want_out(c, 0); }
}
static void irc_line(conn *c, char *l, int n) {
    char b[64];
    if (n >= 4 && !memcmp(l, "PING", 4)) { put(c, "PONG", 4); put(c, l + 4, n - 4); put(c, "\r\n", 2); flush_out(c); return; }
    if (n >= 5 && !memcmp(l, "ERROR", 5)) { fprintf(stderr, "loadgen: client %d: %.*s\n", (int)(c - C), n, l); return; }
    char *space = n >= 8 && l[0] == ':' ? memchr(l, ' ', n) : NULL;
    if (c->ready || !space || space + 4 >= l + n) return;
    int numeric = atoi(space + 1);
    if (numeric == 1 && c->stage == 0) { c->stage = 1; put(c, b, sprintf(b, "JOIN #%s\r\n", ROOM)); flush_out(c); }
    else if (numeric == 366 && c->stage == 1) set_ready(c);   /* end of the list of names */
    else if (numeric >= 400 && numeric < 600 && numeric != 422) fprintf(stderr, "loadgen: client %d: %.*s\n", (int)(c - C), n, l);
}
static void irc_setup(conn *c, char *p, size_t n) {
    for (char *end = p + n, *q; p < end; p = q + 1) {
        q = memchr(p, '\n', end - p);
        int len = (int)((q ? q : end) - p), room = LINE_BYTES - c->line_len;
        if (!c->line && !(c->line = malloc(LINE_BYTES))) die("memory");
        memcpy(c->line + c->line_len, p, len < room ? len : room);
        c->line_len += len < room ? len : room;
        if (!q) return;
        int x = c->line_len;
        c->line_len = 0;
        while (x && c->line[x - 1] == '\r') x--;
        irc_line(c, c->line, x);
    }
}
static void on_setup(conn *c, char *p, size_t n) {
    u64 k = count_marks(p, n);
    if (k && !c->marks) n_probed++;
    c->marks += k;
    if (opt.proto == NATIVE || opt.proto == WEB) json_setup(c, p, n);
    if (opt.proto == IRC) irc_setup(c, p, n);
    if (opt.proto == REDIS && memmem(p, n, "subscribe", 9)) set_ready(c);
}

/* ---- the loop ---- */
static int wait_events(int set, struct epoll_event *ev, u64 timeout_ns) {
    struct timespec ts = {(time_t)(timeout_ns / NS), (long)(timeout_ns % NS)};
#if __GLIBC_PREREQ(2, 35)
    return epoll_pwait2(set, ev, EVENTS, &ts, NULL);
#else
    struct pollfd p = {set, POLLIN, 0};
    return ppoll(&p, 1, &ts, NULL) > 0 ? epoll_wait(set, ev, EVENTS, 0) : 0;
#endif
}
static void on_closed(conn *c, int read) {
    if (++n_closed <= 3) fprintf(stderr, "loadgen: client %d closed by server (%s)\n", (int)(c - C), read ? strerror(errno) : "EOF");
    c->closed = 1;
    epoll_ctl(c->bulk ? ep_bulk : ep, EPOLL_CTL_DEL, c->fd, NULL);
}
static void on_readable(conn *c) {
    char *p = rb + PAD;
    ssize_t k = recv(c->fd, p, READ_BYTES, 0);
    recvs++;
    if (k < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (k <= 0) { on_closed(c, (int)k); return; }
    if (!counting) { on_setup(c, p, k); return; }
    answer_ping(c, p, k);
    if (c->full) parse_all(c, p, k, now()); else count_only(c, p, k, now());
}
static int turn(int set, u64 timeout_ns) {
    static struct epoll_event ev[EVENTS];
    int n = wait_events(set, ev, timeout_ns);
    if (n < 0 && errno != EINTR) die("epoll");
    for (int i = 0; i < n; i++) {
        conn *c = &C[ev[i].data.u32];
        if (!c->connected) {
            int error = 0; socklen_t len = sizeof error;
            getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
            if (error) { errno = error; die("connect"); }
            if (ev[i].events & EPOLLOUT) on_connected(c);
            continue;
        }
        if (ev[i].events & EPOLLOUT) flush_out(c);
        if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(c);
    }
    return n;
}
/* Closed loop: the hot clients (senders, witnesses, checkers) are served at once; the others, who only
 * take in and count, are read once per lazy_us, so that the load does not become the bottleneck. */
static void step(u64 timeout_ns) {
    static u64 next_bulk;
    if (ep_bulk < 0) { turn(ep, timeout_ns); return; }
    u64 t = now();
    if (t >= next_bulk) { while (turn(ep_bulk, 0) == EVENTS) ; t = now(); next_bulk = t + (u64)(opt.lazy_us * 1e3); }
    turn(ep, next_bulk - t < timeout_ns ? next_bulk - t : timeout_ns);
}

/* ---- phases ---- */
static void open_client(int i) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(opt.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    conn *c = &C[i]; int one = 1;
    c->witness_of = c->order_row = -1;
    if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) < 0) die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (void *)&a, sizeof a) && errno != EINPROGRESS) die("connect");
    c->want_out = 1;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.u32 = (u32)i};
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
}
/* True when every other client has read a message of the last one: then all have joined. A client that
 * reads it as history has joined too. */
static int all_probed(u32 tries) {
    static u64 next_probe;
    conn *last = &C[opt.clients - 1];
    if (n_probed - (last->marks > 0) == opt.clients - 1 && (tries || opt.clients == 1)) {
        u64 until = now() + ECHO_WAIT_NS;  /* does this server echo to the sender? */
        while (now() < until && !last->marks) step(10000000);
        return 1;
    }
    if (now() >= next_probe) {
        queue_message(last, PROBE_SENDER, 0, now()); flush_out(last);
        next_probe = now() + 50000000ull + (u64)opt.clients * 20000;
        return -1;
    }
    return 0;
}
/* Opens all clients, at most `in_hand` unanswered, and returns the seconds until all had joined. */
static double join_all(int probe) {
    u64 start = now(), limit = start + (u64)(opt.setup_s * 1e9);
    u32 tries = 0;
    for (int opened = 0;;) {
        while (opened < opt.clients && opened - (opt.proto == LINE ? n_connected : n_ready) < opt.in_hand) open_client(opened++);
        if (n_ready == opt.clients) {
            int seen = probe ? all_probed(tries) : 1;
            if (seen > 0) return (now() - start) / 1e9;
            tries += seen < 0;
        }
        if (n_closed) { fprintf(stderr, "loadgen: connection lost in setup (%d ready)\n", n_ready); exit(3); }
        if (now() > limit) {
            fprintf(stderr, "loadgen: setup timed out: %d connected, %d ready, %d probed\n", n_connected, n_ready, n_probed);
            exit(3);
        }
        step(5000000);
    }
}
static void wait_quiet(void) {
    u64 since = now(), limit = since + QUIET_LIMIT_NS, seen = recvs;
    while (now() - since < QUIET_NS && now() < limit) {
        step(20000000);
        if (recvs != seen) { seen = recvs; since = now(); }
    }
}
static void wait_idle(void) { for (u64 until = now() + (u64)(opt.idle_s * 1e9); now() < until;) step(20000000); }

static void assign_roles(void) {
    int n = opt.clients, rows = 0;
    for (int i = 0; i < n; i++) C[i].marks = 0;
    C[0].full = C[n / 2].full = C[n - 1].full = 1;
    for (int s = 0; opt.own_echo && s < opt.senders; s++) C[client_of(s)].full = 1;
    for (int s = 0; opt.rate == 0 && s < opt.senders; s++) {
        conn *sender = &C[client_of(s)], *witness = &C[(client_of(s) + 1) % n];
        witness->witness_of = s; witness->full = witness->hot = sender->hot = 1;
        sender->credit = opt.window; mark_dirty(s);
    }
    for (int i = 0; i < n && (size_t)rows * opt.senders < MAX_ORDER_CELLS; i++) if (C[i].full) C[i].order_row = rows++;
    if (!(order = calloc((size_t)rows * opt.senders + 1, sizeof *order))) die("memory");
    if (opt.rate > 0 || opt.lazy_us <= 0) return;
    ep_bulk = epoll_create1(0);
    for (int i = 0; i < n; i++) {
        if (C[i].full || C[i].hot) continue;
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = (u32)i};
        epoll_ctl(ep, EPOLL_CTL_DEL, C[i].fd, NULL); epoll_ctl(ep_bulk, EPOLL_CTL_ADD, C[i].fd, &e);
        C[i].bulk = 1;
    }
}
/* Queues all that is due by the schedule; returns ns until the next one, 0 when all are sent. */
static u64 send_scheduled(u64 start, u64 *scheduled, u64 *late_max) {
    u64 all = (u64)(opt.rate * opt.senders * opt.duration_s), t = now();
    double gap = 1e9 / (opt.rate * opt.senders);
    for (; *scheduled < all; ++*scheduled) {
        u64 due = start + (u64)(*scheduled * gap);
        if (due > t) return due - t;
        if (t - due > *late_max) *late_max = t - due;
        int s = (int)(*scheduled % opt.senders);
        queue_load(s, due); mark_dirty(s);
    }
    return 0;
}
static void send_credits(void) {
    u64 t = now();
    for (int k = 0; k < n_dirty; k++) for (conn *c = &C[client_of(dirty[k])]; c->credit; c->credit--) queue_load(dirty[k], t);
}
static void flush_dirty(int sending) {
    for (int k = 0; k < n_dirty; k++) {
        conn *c = &C[client_of(dirty[k])];
        is_dirty[dirty[k]] = 0;
        if (sending && c->out_len && !c->want_out) flush_out(c);
    }
    n_dirty = 0;
}
/* Sends for duration_s, then waits until everything is delivered, at most drain_s. Returns the worst lateness. */
static u64 run_load(u64 start, u64 receivers) {
    u64 stop = start + (u64)(opt.duration_s * 1e9), drain = 0, scheduled = 0, late = 0;
    for (int sending = 1; !n_closed;) {
        u64 timeout = 20000000;
        if (sending && opt.rate > 0) { u64 gap = send_scheduled(start, &scheduled, &late); sending = gap > 0; if (gap && gap < timeout) timeout = gap; flush_dirty(1); }
        else if (sending && now() < stop) { send_credits(); flush_dirty(1); }
        else {
            sending = 0; flush_dirty(0);
            if (!drain) drain = now() + (u64)(opt.drain_s * 1e9);
            if (delivered >= sent_total * receivers || now() > drain) break;
        }
        step(timeout);
    }
    return late;
}

/* ---- results ---- */
static void report_idle(double setup_s, double rss0) {
    double rss1 = server_rss_kib();
    printf("{\"mode\":\"idle\",\"clients\":%d,\"setup_s\":%.4f,\"joined_per_s\":%.0f,\"rss0_kib\":%.0f,\"rss_kib\":%.0f,"
        "\"rss_per_client_kib\":%.3f,\"closed\":%llu}\n", opt.clients, setup_s, opt.clients / setup_s, rss0, rss1,
        (rss1 - rss0) / opt.clients, (unsigned long long)n_closed);
}
static int report_load(u64 start, double cpu_s, double own_s, u64 late, int echo) {
    u64 receivers = opt.clients - !echo, bad = 0;
    double wall = (last_delivery - start) / 1e9, all = (now() - start) / 1e9;
    for (int i = 0; i < opt.clients; i++) bad += C[i].marks != sent_total - (echo ? 0 : C[i].sent);
    long long lost = (long long)(sent_total * receivers) - (long long)delivered;
    printf("{\"mode\":\"load\",\"clients\":%d,\"senders\":%d,\"echo\":%d,\"sent\":%llu,\"delivered\":%llu,\"lost\":%lld,"
        "\"bad_clients\":%llu,\"order_errors\":%llu,\"closed\":%llu,\"wall_s\":%.3f,\"cpu_s\":%.4f,\"deliveries_per_cpu_s\":%.0f,"
        "\"timed\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"load_busy\":%.3f,\"load_late_us\":%.0f}\n",
        opt.clients, opt.senders, echo, (unsigned long long)sent_total, (unsigned long long)delivered, lost, (unsigned long long)bad,
        (unsigned long long)order_errors, (unsigned long long)n_closed, wall, cpu_s, cpu_s > 0 ? delivered / cpu_s : 0,
        (unsigned long long)hist_n, hist_us(.5), hist_us(.99), hist_us(.999), own_s / all, late / 1e3);
    return lost || bad || order_errors || n_closed;
}

static void parse_options(int ac, char **av) {
    static const struct option names[] = {{"proto", 1, 0, 'P'}, {"port", 1, 0, 'p'}, {"pid", 1, 0, 'i'}, {"clients", 1, 0, 'n'},
        {"senders", 1, 0, 'm'}, {"size", 1, 0, 's'}, {"window", 1, 0, 'w'}, {"rate", 1, 0, 'r'}, {"duration", 1, 0, 'd'},
        {"drain", 1, 0, 'D'}, {"idle", 1, 0, 'I'}, {"setup", 1, 0, 'S'}, {"in-hand", 1, 0, 'h'}, {"own-echo", 0, 0, 'e'}, {0, 0, 0, 0}};
    for (int o; (o = getopt_long(ac, av, "", names, NULL)) != -1;) switch (o) {
        case 'P': for (opt.proto = 0; opt.proto < PROTOS && strcmp(PROTO_NAMES[opt.proto], optarg);) opt.proto++; break;
        case 'p': opt.port = atoi(optarg); break;
        case 'i': if (opt.npids < MAX_PIDS) opt.pids[opt.npids++] = atoi(optarg); break;
        case 'n': opt.clients = atoi(optarg); break;
        case 'm': opt.senders = atoi(optarg); break;
        case 's': opt.size = atoi(optarg); break;
        case 'w': opt.window = atoi(optarg); break;
        case 'r': opt.rate = atof(optarg); break;
        case 'd': opt.duration_s = atof(optarg); break;
        case 'D': opt.drain_s = atof(optarg); break;
        case 'I': opt.idle_mode = 1; opt.idle_s = atof(optarg); break;   /* join, sit still, report memory */
        case 'h': opt.in_hand = atoi(optarg); break;
        case 'e': opt.own_echo = 1; break;
        case 'S': opt.setup_s = atof(optarg); break;
        default: exit(2);
    }
    if (opt.proto == PROTOS || opt.senders < 1 || opt.senders > opt.clients || opt.clients > 60000 || opt.size < HEADER ||
        opt.size > 4096 || opt.window < 1 || opt.duration_s > 120) { fprintf(stderr, "loadgen: bad options\n"); exit(2); }
}
static void raise_fd_limit(void) {
    struct rlimit r; getrlimit(RLIMIT_NOFILE, &r);
    r.rlim_cur = r.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &r)) die("RLIMIT_NOFILE");
}
int main(int ac, char **av) {
    parse_options(ac, av);
    signal(SIGPIPE, SIG_IGN);
    raise_fd_limit(); make_framing();
    C = calloc(opt.clients, sizeof *C); rb = malloc(PAD + READ_BYTES);
    dirty = calloc(opt.clients, sizeof *dirty); is_dirty = calloc(opt.clients, 1); ep = epoll_create1(0);
    if (!C || !rb || !dirty || !is_dirty) die("memory");

    double rss0 = server_rss_kib(), setup_s = join_all(!opt.idle_mode || opt.proto == LINE);
    wait_quiet();
    if (opt.idle_mode) { wait_idle(); report_idle(setup_s, rss0); return n_closed ? 3 : 0; }

    int echo = C[opt.clients - 1].marks > 0;
    assign_roles();
    counting = 1;
    double own0 = own_cpu_s(), cpu0 = server_cpu_s();
    u64 start = last_delivery = now(), late = run_load(start, opt.clients - !echo);
    double cpu = server_cpu_s() - cpu0, own = own_cpu_s() - own0;
    return report_load(start, cpu, own, late, echo);
}
