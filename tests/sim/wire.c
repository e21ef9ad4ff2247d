/* tests/sim/wire.c: see wire.h. */
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ber.h"
#include "mibs.h"
#include "network.h"

enum { BATCH = 64, LATE_MAX = 100000, BUFFER = 16 << 20 };

struct late { int64_t due; struct sockaddr_in to; uint32_t from; size_t n; uint8_t *p; };

struct agent_counters wire_counters;
static struct wire_options opt;
static int fd = -1;
static struct late *late;		/* a heap: the first is due first */
static size_t n_late;

/* One place for a datagram and the address of ours that it has to do with. */
union control { struct cmsghdr align; char room[CMSG_SPACE(sizeof(struct in_pktinfo))]; };

static struct {
	struct mmsghdr		in[BATCH], out[BATCH];
	struct iovec		in_vec[BATCH], out_vec[BATCH];
	struct sockaddr_in	from[BATCH], to[BATCH];
	union control		in_control[BATCH], out_control[BATCH];
	uint8_t			in_octets[BATCH][AGENT_IN], out_octets[BATCH][AGENT_OUT];
} b;

int
wire_open(const struct wire_options *o)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(o->port) };
	int one = 1, size = BUFFER;

	opt = *o;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) < 0 || setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one) < 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		fprintf(stderr, "campus: port %u on loopback: %s\n", o->port, strerror(errno));
		exit(1);
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	return fd;
}

static void
out_set(int i, uint32_t from, const struct sockaddr_in *to, const uint8_t *p, size_t n)
{
	struct msghdr *m = &b.out[i].msg_hdr;
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(from) };
	struct cmsghdr *c;

	b.to[i] = *to;
	b.out_vec[i] = (struct iovec){ (void *)(uintptr_t)p, n };
	*m = (struct msghdr){ .msg_name = &b.to[i], .msg_namelen = sizeof *to, .msg_iov = &b.out_vec[i], .msg_iovlen = 1,
		.msg_control = b.out_control[i].room, .msg_controllen = sizeof b.out_control[i].room };
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof info);
	memcpy(CMSG_DATA(c), &info, sizeof info);
}

void
wire_send(uint32_t from, const struct sockaddr_in *to, const void *p, size_t n)
{
	out_set(0, from, to, p, n);
	sendmsg(fd, &b.out[0].msg_hdr, 0);
}

/* ---- late ones */

static void
late_down(size_t i)
{
	for (;;) {
		size_t k = 2 * i + 1;
		struct late x;

		if (k + 1 < n_late && late[k + 1].due < late[k].due)
			k++;
		if (k >= n_late || late[i].due <= late[k].due)
			return;
		x = late[i], late[i] = late[k], late[k] = x;
		i = k;
	}
}

static void
late_put(int64_t due, uint32_t from, const struct sockaddr_in *to, const uint8_t *p, size_t n)
{
	size_t i = n_late;

	if (late == NULL && (late = calloc(LATE_MAX, sizeof *late)) == NULL)
		return;
	if (n_late == LATE_MAX)
		return;
	late[n_late] = (struct late){ due, *to, from, n, malloc(n) };
	if (late[n_late].p == NULL)
		return;
	memcpy(late[n_late++].p, p, n);
	for (; i > 0 && late[(i - 1) / 2].due > late[i].due; i = (i - 1) / 2) {
		struct late x = late[i];

		late[i] = late[(i - 1) / 2];
		late[(i - 1) / 2] = x;
	}
}

int64_t
wire_tick(void)
{
	while (n_late > 0 && late[0].due <= network.now) {
		wire_send(late[0].from, &late[0].to, late[0].p, late[0].n);
		free(late[0].p);
		late[0] = late[--n_late];
		late_down(0);
	}
	return n_late > 0 ? late[0].due - network.now : -1;
}

/* ---- answering */

static struct objects *
objects_cb(void *arg, const char *context, size_t n)
{
	return mibs_objects((int)((struct sw *)arg - network.sw), context, n);
}

static bool
mute_cb(void *arg, const uint8_t *oid, size_t n)
{
	const struct sw *s = arg;

	return s->n_mute > 0 && n >= s->n_mute && memcmp(oid, s->mute, s->n_mute) == 0;
}

/* The switch a datagram was sent to: addresses leave out .201 to .256 of each block. */
static struct sw *
asked(struct msghdr *m)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct in_pktinfo info;
	uint32_t d, i;

	if (c == NULL || c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO)
		return NULL;
	memcpy(&info, CMSG_DATA(c), sizeof info);
	d = ntohl(info.ipi_addr.s_addr) - network.opt.first;
	i = d / 256 * 200 + d % 256;
	return d % 256 < 200 && i < (uint32_t)network.n_sw ? &network.sw[i] : NULL;
}

static bool
lost(const struct sw *s)
{
	return s->dead || s->back > network.now || (s->loss > 0 && (int)network_draw(100) < s->loss);
}

void
wire_serve(void)
{
	int n, out = 0;

	for (int i = 0; i < BATCH; i++) {
		b.in_vec[i] = (struct iovec){ b.in_octets[i], AGENT_IN };
		b.in[i].msg_hdr = (struct msghdr){ .msg_name = &b.from[i], .msg_namelen = sizeof b.from[i], .msg_iov = &b.in_vec[i], .msg_iovlen = 1,
			.msg_control = b.in_control[i].room, .msg_controllen = sizeof b.in_control[i].room };
	}
	n = recvmmsg(fd, b.in, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct sw *s = asked(&b.in[i].msg_hdr);
		struct agent a = { opt.community, opt.user, NULL, objects_cb, mute_cb, s, &wire_counters };
		uint8_t *answer;
		size_t len;

		if (s == NULL || lost(s))
			continue;
		a.engine = &s->engine;
		s->engine.time = (uint32_t)((network.now - s->booted) / 1000);
		if ((len = agent_answer(&a, b.in_octets[i], b.in[i].msg_len, b.out_octets[out], &answer)) == 0)
			continue;
		if (s->truncate > 0 && len > (size_t)s->truncate)
			len = (size_t)s->truncate;
		if (s->delay > 0)
			late_put(network.now + s->delay, s->ip, &b.from[i], answer, len);
		else
			out_set(out++, s->ip, &b.from[i], answer, len);
	}
	for (int sent = 0; sent < out;) {
		int k = sendmmsg(fd, b.out + sent, (unsigned)(out - sent), 0);

		if (k < 0 && errno != EINTR && errno != ENOBUFS)
			k = 1;		/* that one is lost, as on any network */
		sent += k > 0 ? k : 0;
	}
}
