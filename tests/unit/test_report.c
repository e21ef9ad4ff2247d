/* From the tables of a poll to the messages of a report: how much of them there is room for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/num.h"
#include "poller/report.h"

/* Names of `n` interfaces, as long as they may be; each its own. */
static struct tables *
long_names(uint32_t n)
{
	static char text[255];
	struct tables *t = tables_new(262144);

	assert_non_null(t);
	memset(text, 'x', sizeof text);
	for (uint32_t i = 1; i <= n; i++)
		for (uint32_t column = 1; column <= 18; column += 17) {		/* ifName, ifAlias */
			uint32_t oid[] = { 1, 3, 6, 1, 2, 1, 31, 1, 1, 1, column, i };
			struct varbind v = { .oid = oid, .oid_len = nitems(oid), .type = VB_OCTETS, .octets = (const uint8_t *)text, .n_octets = sizeof text };

			tables_put(t, &v);
		}
	for (size_t i = 0; i < poll_n_steps; i++)
		tables_step_done(t, i, true, NULL);
	assert_int_equal(tables_join(t), 0);
	return t;
}

static void
more_rows_than_a_report_takes_are_no_rows(void **state)
{
	static const struct { const char *name; uint32_t ports; int rc; } cases[] = {
		{ "many", 18000, 0 }, { "too many", 21000, -EMSGSIZE } };

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		struct tables *t = long_names(cases[i].ports);
		struct rowset rows;

		print_message("%s\n", cases[i].name);
		assert_int_equal(report_rows(t, &rows), cases[i].rc);
		assert_int_equal(rows.count, cases[i].rc == 0 ? tables_n_rows(t) : 0);
		rowset_free(&rows);
		tables_free(t);
	}
}

static struct rowset
rows_of_octets(size_t octets)
{
	struct rowset s = { 0 };

	for (uint32_t n = 0; s.bytes.len + 30 <= octets; n++, s.count++) {
		put_u16(&s.bytes, 28);
		for (int i = 0; i < 7; i++)
			put_u32(&s.bytes, n);
	}
	assert_false(s.bytes.bad);
	return s;
}

/* A poll begins only while the channel is not busy, and what comes of it has to find room by then: else it would be polled for again
 * and again. */
static void
the_longest_report_finds_room_in_a_channel_that_is_not_busy(void **state)
{
	static const struct chan_ops nobody = { 0 };
	const struct msg_report head = { .key = 7, .rows = REPORT_ROWS, .state = SWITCH_OK };
	struct rowset rows = rows_of_octets(REPORT_ROWS_MAX);
	struct event_base *base = event_base_new();
	struct buf body = { 0 };
	struct chan *c;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	c = chan_new(base, fds[0], &nobody, NULL);
	assert_non_null(c);
	for (int i = 0; i < 1000; i++)
		put_u32(&body, 0);
	for (size_t octets = 0; octets + body.len + 8 < CHAN_QUEUE_MAX / 4; octets += body.len + 8)
		assert_int_equal(chan_put(c, MSG_REPORT_ROWS, &body), 0);
	assert_false(chan_busy(c));
	assert_int_equal(report_put(c, &head, &rows), 0);
	assert_true(chan_busy(c));
	assert_int_equal(report_put(c, &head, &rows), -ENOBUFS);	/* or this would be no claim */
	chan_free(c);
	close(fds[1]);
	event_base_free(base);
	buf_free(&body);
	rowset_free(&rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_rows_than_a_report_takes_are_no_rows),
		cmocka_unit_test(the_longest_report_finds_room_in_a_channel_that_is_not_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
