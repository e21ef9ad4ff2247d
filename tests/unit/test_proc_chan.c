/* tests/unit/test_proc_chan.c: a channel between two processes, with a peer that breaks every rule. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"
#include "proc/chan.h"

/* Our end, the raw end of the peer, and what came. */
struct wire {
	struct event_base	*base;
	struct chan		*c;
	int			 peer;
	unsigned		 came, closed, drained;
	uint16_t		 types[4096];
	size_t			 lengths[4096];
	uint8_t			 last[CHAN_PACKET_MAX];	/* the last body */
	int			 fd;			/* the last descriptor; -1 */
	bool			 free_it;		/* in the callback */
};

static void
came(void *arg, struct chan *c, uint16_t type, struct msg_in *body, int fd)
{
	struct wire *w = arg;
	size_t n = msg_in_left(body);

	w->types[w->came % nitems(w->types)] = type;
	w->lengths[w->came++ % nitems(w->types)] = n;
	memcpy(w->last, body->p, n);
	if (fd >= 0)
		w->fd = fd;
	if (w->free_it) {
		chan_free(c);
		w->c = NULL;
	}
}

static void
closed(void *arg, struct chan *c)
{
	struct wire *w = arg;

	w->closed++;
	if (w->free_it) {
		chan_free(c);
		w->c = NULL;
	}
}

static void
drained(void *arg, struct chan *c)
{
	struct wire *w = arg;

	assert_false(chan_busy(c));
	w->drained++;
}

static const struct chan_ops ops = { came, closed, drained };

static int
open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static int
wire_up(void **state)
{
	struct wire *w = calloc(1, sizeof *w);
	int pair[2];

	if (w == NULL || (w->base = event_base_new()) == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	w->fd = -1;
	w->peer = pair[1];
	w->c = chan_new(w->base, pair[0], &ops, w);
	*state = w;
	return w->c != NULL ? 0 : -1;
}

static int
wire_down(void **state)
{
	struct wire *w = *state;

	chan_free(w->c);
	if (w->peer >= 0)
		close(w->peer);
	if (w->fd >= 0)
		close(w->fd);
	event_base_free(w->base);
	free(w);
	return 0;
}

/* All that can happen without waiting. */
static void
turn(struct wire *w)
{
	for (int i = 0; i < 4; i++)
		event_base_loop(w->base, EVLOOP_NONBLOCK);
}

static void
message(struct buf *b, uint16_t type, uint16_t version, uint32_t len, const char *body)
{
	put_u16(b, type);
	put_u16(b, version);
	put_u32(b, len);
	put_bytes(b, body, strlen(body));
}

/* As the peer; `n_fds` descriptors go with it. */
static void
peer_sends(struct wire *w, const void *p, size_t n, const int *fds, size_t n_fds)
{
	union { struct cmsghdr h; char space[CMSG_SPACE(8 * sizeof(int))]; } control = { 0 };
	struct iovec iov = { (void *)p, n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds > 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.h), fds, n_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(w->peer, &m, 0), n);
}

static void
messages_of_one_turn_leave_as_one_packet_in_order(void **state)
{
	struct wire *w = *state;
	struct buf b = { 0 };
	uint8_t packet[CHAN_PACKET_MAX];
	ssize_t n;

	put_bytes(&b, "abc", 3);
	assert_int_equal(chan_put(w->c, 7, &b), 0);
	assert_int_equal(chan_put(w->c, 8, NULL), 0);
	assert_int_equal(chan_put(w->c, 9, &b), 0);
	buf_free(&b);
	turn(w);
	n = recv(w->peer, packet, sizeof packet, MSG_DONTWAIT);
	assert_int_equal(n, 3 * 8 + 6);
	assert_int_equal(recv(w->peer, packet, sizeof packet, MSG_DONTWAIT), -1);
	peer_sends(w, packet, (size_t)n, NULL, 0);	/* what we write we can read */
	turn(w);
	assert_int_equal(w->came, 3);
	for (uint16_t i = 0; i < 3; i++)
		assert_int_equal(w->types[i], 7 + i);
	assert_int_equal(w->lengths[1], 0);
	assert_memory_equal(w->last, "abc", 3);
}

static void
malformed_packets_are_dropped_whole_and_counted(void **state)
{
	static const struct { const char *name; uint16_t version; uint32_t len; size_t cut; } bad[] = {
		{ "half a header", CHAN_VERSION, 3, 4 }, { "no header", CHAN_VERSION, 3, 10 }, { "another version", CHAN_VERSION + 1, 3, 0 },
		{ "version 0", 0, 3, 0 }, { "one octet missing", CHAN_VERSION, 4, 0 }, { "length of 4 GiB", CHAN_VERSION, UINT32_MAX, 0 },
		{ "one octet too many", CHAN_VERSION, 2, 0 },
	};
	struct wire *w = *state;
	uint8_t *large = calloc(1, CHAN_PACKET_MAX + 1);
	unsigned refused = 0;

	assert_non_null(large);
	for (size_t i = 0; i < nitems(bad); i++) {
		struct buf b = { 0 };

		print_message("%s\n", bad[i].name);
		message(&b, 1, bad[i].version, bad[i].len, "xyz");
		peer_sends(w, b.p, b.len - bad[i].cut, NULL, 0);
		buf_clear(&b);
		message(&b, 2, CHAN_VERSION, 3, "abc");		/* a good one before it in the same packet goes too */
		message(&b, 1, bad[i].version, bad[i].len, "xyz");
		peer_sends(w, b.p, b.len - bad[i].cut, NULL, 0);
		buf_free(&b);
		turn(w);
		refused += 2;
		assert_int_equal(w->came, 0);
		assert_int_equal(chan_refused(w->c), refused);
	}
	peer_sends(w, large, CHAN_PACKET_MAX + 1, NULL, 0);
	free(large);
	turn(w);
	assert_int_equal(chan_refused(w->c), refused + 1);
	{
		struct buf b = { 0 };

		message(&b, 3, CHAN_VERSION, 2, "ok");
		peer_sends(w, b.p, b.len, NULL, 0);
		buf_free(&b);
	}
	turn(w);
	assert_int_equal(w->came, 1);			/* and the channel lives on */
	assert_int_equal(w->closed, 0);
}

static void
bodies_up_to_the_limit_and_not_over(void **state)
{
	struct wire *w = *state;
	struct buf b = { 0 };
	uint8_t *packet = malloc(CHAN_PACKET_MAX);

	assert_non_null(packet);
	memset(packet, 'x', CHAN_PACKET_MAX);
	put_bytes(&b, packet, CHAN_BODY_MAX);
	assert_int_equal(chan_put(w->c, 1, &b), 0);
	put_u8(&b, 0);
	assert_int_equal(chan_put(w->c, 2, &b), -EMSGSIZE);
	b.bad = true;					/* its writer ran out of memory */
	b.len = 1;
	assert_int_equal(chan_put(w->c, 3, &b), -EMSGSIZE);
	buf_free(&b);
	turn(w);
	assert_int_equal(recv(w->peer, packet, CHAN_PACKET_MAX, MSG_DONTWAIT), CHAN_PACKET_MAX);
	peer_sends(w, packet, CHAN_PACKET_MAX, NULL, 0);
	free(packet);
	turn(w);
	assert_int_equal(w->came, 1);
	assert_int_equal(w->lengths[0], CHAN_BODY_MAX);
}

static void
a_descriptor_goes_along_and_is_its_receivers(void **state)
{
	struct wire *w = *state;
	struct buf b = { 0 };
	int ends[2], before;
	char ch;

	assert_int_equal(pipe(ends), 0);
	before = open_descriptors();
	message(&b, 5, CHAN_VERSION, 1, "a");
	message(&b, 6, CHAN_VERSION, 1, "b");
	peer_sends(w, b.p, b.len, &ends[1], 1);
	buf_free(&b);
	turn(w);
	assert_int_equal(w->came, 2);
	assert_int_equal(open_descriptors(), before + 1);
	assert_int_equal(fcntl(w->fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(write(w->fd, "!", 1), 1);
	assert_int_equal(read(ends[0], &ch, 1), 1);
	close(w->fd);
	w->fd = -1;

	assert_int_equal(chan_put_fd(w->c, 5, NULL, ends[1]), 0);	/* ours is a copy: the caller may close */
	close(ends[1]);
	turn(w);
	close(ends[0]);
	assert_int_equal(open_descriptors(), before - 2);
}

/* A peer that was taken over must not be able to use up our descriptors. */
static void
descriptors_nobody_asked_for_are_closed(void **state)
{
	static const size_t counts[] = { 2, 3, 8 };
	struct wire *w = *state;
	struct buf good = { 0 }, bad = { 0 };
	int fds[8], before;

	for (size_t i = 0; i < nitems(fds); i++)
		assert_true((fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
	before = open_descriptors();
	message(&good, 1, CHAN_VERSION, 1, "a");
	message(&bad, 1, CHAN_VERSION, 9, "a");
	for (size_t i = 0; i < nitems(counts); i++) {
		peer_sends(w, good.p, good.len, fds, counts[i]);
		turn(w);
		assert_int_equal(open_descriptors(), before);
		assert_int_equal(chan_refused(w->c), i + 1);
	}
	peer_sends(w, bad.p, bad.len, fds, 1);
	turn(w);
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(w->came, 0);
	for (size_t i = 0; i < nitems(fds); i++)
		close(fds[i]);
	buf_free(&good);
	buf_free(&bad);
}

static void
out_of_descriptors_is_an_error_and_takes_nothing(void **state)
{
	struct wire *w = *state;
	struct rlimit was, none;
	uint8_t packet[64];
	int rc;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){ 3, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	rc = chan_put_fd(w->c, 1, NULL, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(rc, -EMFILE);
	turn(w);
	assert_int_equal(recv(w->peer, packet, sizeof packet, MSG_DONTWAIT), -1);
	assert_int_equal(chan_put(w->c, 2, NULL), 0);
	turn(w);
	assert_int_equal(recv(w->peer, packet, sizeof packet, MSG_DONTWAIT), 8);
}

static void
a_peer_that_does_not_read_makes_us_busy_and_then_full(void **state)
{
	static uint8_t packet[CHAN_PACKET_MAX];
	struct wire *w = *state;
	struct buf b = { 0 };
	size_t put = 0, busy_at = 0, got = 0;
	ssize_t n;

	for (size_t i = 0; i < 1000; i++)
		put_u64(&b, 0);
	while (put < 100000) {
		for (int j = 0; j < 8; j++)
			b.p[j] = (uint8_t)(put >> 8 * (7 - j));
		if (chan_put(w->c, 1, &b) < 0)
			break;
		put++;
		if (busy_at == 0 && chan_busy(w->c))
			busy_at = put;
		if (put % 32 == 0)
			turn(w);
	}
	assert_in_range(put * 8008, CHAN_QUEUE_MAX, CHAN_QUEUE_MAX + (4 << 20));	/* the socket holds some */
	assert_true(busy_at > 0 && busy_at < put / 2);
	assert_int_equal(chan_put(w->c, 1, &b), -ENOBUFS);
	buf_free(&b);
	for (;;) {
		if ((n = recv(w->peer, packet, sizeof packet, MSG_DONTWAIT)) < 0) {
			turn(w);
			if ((n = recv(w->peer, packet, sizeof packet, MSG_DONTWAIT)) < 0)
				break;
		}
		for (ssize_t at = 0; at < n; at += 8008) {
			struct msg_in m = msg_in_of(packet + at + 8, 8);

			assert_int_equal(get_u64(&m), got);
			got++;
		}
	}
	assert_int_equal(got, put);			/* all, once, in order */
	assert_int_equal(w->drained, 1);
	assert_false(chan_busy(w->c));
}

static void
the_end_is_told_once(void **state)
{
	struct wire *w = *state;

	close(w->peer);
	w->peer = -1;
	turn(w);
	turn(w);
	assert_int_equal(w->closed, 1);
	assert_int_equal(chan_put(w->c, 1, NULL), -ENOBUFS);
}

/* The callee may free the channel between two messages of a packet, and at its end; the sanitizer watches. */
static void
freed_within_its_own_callback(void **state)
{
	struct wire *w = *state;
	struct buf b = { 0 };

	w->free_it = true;
	message(&b, 1, CHAN_VERSION, 1, "a");
	message(&b, 2, CHAN_VERSION, 1, "b");
	peer_sends(w, b.p, b.len, NULL, 0);
	buf_free(&b);
	turn(w);
	assert_int_equal(w->came, 1);
	assert_null(w->c);
}

static void
freed_at_its_end(void **state)
{
	struct wire *w = *state;

	w->free_it = true;
	close(w->peer);
	w->peer = -1;
	turn(w);
	assert_int_equal(w->closed, 1);
	assert_null(w->c);
}

int
main(void)
{
#define ON_A_WIRE(f) cmocka_unit_test_setup_teardown(f, wire_up, wire_down)
	const struct CMUnitTest tests[] = {
		ON_A_WIRE(messages_of_one_turn_leave_as_one_packet_in_order),
		ON_A_WIRE(malformed_packets_are_dropped_whole_and_counted),
		ON_A_WIRE(bodies_up_to_the_limit_and_not_over),
		ON_A_WIRE(a_descriptor_goes_along_and_is_its_receivers),
		ON_A_WIRE(descriptors_nobody_asked_for_are_closed),
		ON_A_WIRE(out_of_descriptors_is_an_error_and_takes_nothing),
		ON_A_WIRE(a_peer_that_does_not_read_makes_us_busy_and_then_full),
		ON_A_WIRE(the_end_is_told_once),
		ON_A_WIRE(freed_within_its_own_callback),
		ON_A_WIRE(freed_at_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
