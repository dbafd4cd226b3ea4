/* limit.c - the practical ceiling of a single-threaded relay on this kernel: what a chat server would cost
 * if its own work cost nothing.
 *
 * The plain line protocol at its barest: the first line is the alias, then each line goes as "alias: text\n"
 * to everyone, the sender too. Every ready socket is read and its lines appended to one shared log, then one
 * send() per client and turn goes from that client's cursor in the log. No names checked, no history, no
 * commands: not a server to use. A client that falls 64 MiB behind is cut off.
 *
 * Use: limit -p PORT (0: a free one); prints "listening on 127.0.0.1:PORT".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 65536
#define MAX_LINE 4096
#define MAX_ALIAS 60
#define MAX_LAG (64u << 20)
#define TRIM_BYTES (4u << 20)              /* dead log before the cursors that is worth a memmove */
#define BACKLOG 4096
#define EVENTS 1024

typedef struct {
    int fd, place, dead, want_out;         /* place in members, or -1 before the alias */
    uint64_t cursor;                       /* absolute offset in the log */
    char alias[MAX_ALIAS + 4]; int alias_len;
    char *part; int part_len;              /* unfinished line */
} conn;

static int ep, lagging;                    /* lagging: members whose socket is full */
static conn **members; static int n_members, cap_members;
static conn **graves; static int n_graves, cap_graves;   /* freed at the end of the turn: events may still name them */
static char *shared; static size_t shared_len, shared_cap; static uint64_t base;
static char rb[READ_BYTES + MAX_LINE];

static void close_conn(conn *c) {
    if (c->dead) return;
    c->dead = 1;
    if (c->place >= 0) { members[c->place] = members[--n_members]; members[c->place]->place = c->place; }
    lagging -= c->want_out;
    close(c->fd);
    if (n_graves == cap_graves) graves = realloc(graves, sizeof *graves * (cap_graves = cap_graves * 2 + 16));
    graves[n_graves++] = c;
}
static void set_want_out(conn *c, int on) {
    if (c->want_out == on) return;
    c->want_out = on; lagging += on ? 1 : -1;
    struct epoll_event e = {.events = EPOLLIN | (on ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}
static void pump(conn *c) {
    uint64_t head = base + shared_len;
    while (c->cursor < head) {
        ssize_t k = send(c->fd, shared + (c->cursor - base), head - c->cursor, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0 && errno == EAGAIN) { set_want_out(c, 1); return; }
        if (k < 0) { close_conn(c); return; }
        c->cursor += k;
    }
    set_want_out(c, 0);
}
static void join(conn *c, const char *alias, int n) {
    c->alias_len = n < MAX_ALIAS ? n : MAX_ALIAS;
    memcpy(c->alias, alias, c->alias_len);
    c->alias[c->alias_len++] = ':'; c->alias[c->alias_len++] = ' ';
    if (n_members == cap_members) members = realloc(members, sizeof *members * (cap_members = cap_members * 2 + 64));
    c->place = n_members; members[n_members++] = c; c->cursor = base + shared_len;
}
static void on_line(conn *c, const char *p, int n) {
    if (n && p[n - 1] == '\r') n--;
    if (c->place < 0) { join(c, p, n); return; }
    size_t m = c->alias_len + n + 1;
    if (shared_len + m > shared_cap) shared = realloc(shared, shared_cap = (shared_len + m) * 2);
    char *q = shared + shared_len;
    memcpy(q, c->alias, c->alias_len); memcpy(q + c->alias_len, p, n); q[m - 1] = '\n';
    shared_len += m;
}
static void on_readable(conn *c) {
    if (c->part_len) memcpy(rb, c->part, c->part_len);
    ssize_t k = recv(c->fd, rb + c->part_len, READ_BYTES, 0);
    if (k < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (k <= 0) { close_conn(c); return; }
    char *p = rb, *end = rb + c->part_len + k, *q;
    for (c->part_len = 0; (q = memchr(p, '\n', end - p)) && q - p <= MAX_LINE; p = q + 1) on_line(c, p, (int)(q - p));
    if (end - p > MAX_LINE) { close_conn(c); return; }
    if (p == end) return;
    if (!c->part) c->part = malloc(MAX_LINE);
    memcpy(c->part, p, c->part_len = (int)(end - p));
}
static void accept_all(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        conn *c = calloc(1, sizeof *c); c->fd = fd; c->place = -1;
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    }
}
/* One send per member, then forget what everybody has. */
static void fan_out(void) {
    uint64_t head = base + shared_len, low = head;
    for (int i = n_members - 1; i >= 0; i--) { conn *c = members[i]; if (!c->want_out && c->cursor < head) pump(c); }
    for (int i = n_members - 1; lagging && i >= 0; i--) {
        conn *c = members[i];
        if (head - c->cursor > MAX_LAG) close_conn(c);
        else if (c->cursor < low) low = c->cursor;
    }
    if (low == head) { base = head; shared_len = 0; }
    else if (low - base > TRIM_BYTES) { memmove(shared, shared + (low - base), head - low); shared_len = head - low; base = low; }
}
static int start_listening(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); socklen_t len = sizeof a;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (void *)&a, sizeof a) || listen(fd, BACKLOG) || getsockname(fd, (void *)&a, &len)) { perror("limit"); exit(2); }
    printf("listening on 127.0.0.1:%d\n", ntohs(a.sin_port)); fflush(stdout);
    return fd;
}
int main(int ac, char **av) {
    struct rlimit r; getrlimit(RLIMIT_NOFILE, &r); r.rlim_cur = r.rlim_max; setrlimit(RLIMIT_NOFILE, &r);
    signal(SIGPIPE, SIG_IGN);
    int port = ac == 3 && !strcmp(av[1], "-p") ? atoi(av[2]) : 0, listener = start_listening(port);
    ep = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, ev[EVENTS];
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(ep, ev, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            conn *c = ev[i].data.ptr;
            if (!c) { accept_all(listener); continue; }
            if (!c->dead && ev[i].events & EPOLLOUT) pump(c);
            if (!c->dead && ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(c);
        }
        if (shared_len) fan_out();
        while (n_graves) { conn *c = graves[--n_graves]; free(c->part); free(c); }
    }
}
