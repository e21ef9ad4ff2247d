/* tests/unit/test_outbox.c: which notification goes when: order, back-off, limits, and receivers that do not wait for each other. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "engine/outbox.h"

static struct bench {
	struct outbox	*o;
	struct moment	 now;
	struct event	 event[64];	/* of row % 64 */
	uint64_t	 broken;	/* a row that cannot be read */
	int		 broken_rc;
	struct { uint64_t row; char receiver[NAME_MAX_OCTETS]; } out[4096];
	size_t		 n_out;
	unsigned	 loads, unsaved_done;
} bench;

static void
deliver(void *arg, const struct msg_deliver *m)
{
	(void)arg;
	assert_true(bench.n_out < nitems(bench.out));
	bench.out[bench.n_out].row = m->row;
	snprintf(bench.out[bench.n_out++].receiver, sizeof bench.out->receiver, "%s", m->receiver);
}

static void
random_octets(void *arg, uint8_t *out, size_t n)
{
	(void)arg;
	memset(out, 20, n);		/* no jitter: 80 + 20 hundredths */
}

static int
load(void *arg, uint64_t row, struct event *out)
{
	(void)arg;
	bench.loads++;
	if (row == bench.broken)
		return bench.broken_rc;
	*out = bench.event[row % nitems(bench.event)];
	return 0;
}

static void
unsaved_done(void *arg, uint64_t row)
{
	(void)arg;
	assert_true((row & OUTBOX_UNSAVED) != 0);
	bench.unsaved_done++;
}

static int
setup(void **state)
{
	static const struct outbox_ops ops = { deliver, random_octets, load, unsaved_done };
	static char names[2][8] = { "noc", "second" };
	static struct conf_receiver receivers[2];
	struct conf c = { .name = names[0], .receivers = receivers, .n_receivers = 2 };

	(void)state;
	memset(&bench, 0, sizeof bench);
	bench.now.mono.ms = 1000000;
	for (int i = 0; i < 2; i++)
		receivers[i] = (struct conf_receiver){ .name = names[i], .inform = true };
	bench.o = outbox_new(&ops, NULL);
	assert_non_null(bench.o);
	outbox_configure(bench.o, &c);
	outbox_notify_up(bench.o, true);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	outbox_free(bench.o);
	return 0;
}

/* A row about detection `subject` (0: the agent). */
static void
add(const char *receiver, uint64_t row, uint32_t subject, enum event_type type)
{
	struct outbox_row r = { .row = row, .event = { .detection_id = subject, .type = type } };

	bench.event[row % nitems(bench.event)] = r.event;
	snprintf(r.receiver, sizeof r.receiver, "%s", receiver);
	assert_true(outbox_add(bench.o, &r, bench.now));
}

static void
result(uint64_t row, enum delivery what)
{
	struct msg_delivered m = { .row = row, .result = (uint8_t)what, .why = "why" };

	outbox_result(bench.o, &m, bench.now);
}

static size_t
sent_to(const char *receiver)
{
	size_t n = 0;

	for (size_t i = 0; i < bench.n_out; i++)
		n += strcmp(bench.out[i].receiver, receiver) == 0;
	return n;
}

static void
later(int64_t ms)
{
	bench.now.mono.ms += ms;
	bench.now.wall.us += ms * 1000;
	outbox_tick(bench.o, bench.now);
}

static struct outbox_figures
figures(size_t receiver)
{
	struct outbox_figures f;

	assert_true(outbox_figures(bench.o, receiver, &f));
	return f;
}

static void
one_device_is_told_in_order_and_others_do_not_wait(void **state)
{
	(void)state;
	add("noc", 1, 7, EVENT_DEVICE_DETECTED);
	add("noc", 2, 7, EVENT_DEVICE_MOVED);
	add("noc", 3, 8, EVENT_DEVICE_DETECTED);
	later(0);
	assert_int_equal(bench.n_out, 2);
	assert_int_equal(bench.out[0].row, 1);
	assert_int_equal(bench.out[1].row, 3);
	result(3, DELIVERY_ACKNOWLEDGED);
	later(0);
	assert_int_equal(bench.n_out, 2);
	result(1, DELIVERY_ACKNOWLEDGED);
	later(0);
	assert_int_equal(bench.n_out, 3);
	assert_int_equal(bench.out[2].row, 2);
}

static void
q6_a_silent_receiver_is_tried_after_1_2_4_up_to_300_s_with_its_oldest_row(void **state)
{
	static const int64_t waits[] = { 1000, 2000, 4000, 8000, 16000, 32000, 64000, 128000, 256000, 300000, 300000 };

	(void)state;
	for (uint64_t row = 1; row <= 3; row++)
		add("noc", row, (uint32_t)row, EVENT_DEVICE_DETECTED);
	later(0);
	assert_int_equal(bench.n_out, 3);
	for (uint64_t row = 1; row <= 3; row++)
		result(row, DELIVERY_TIMED_OUT);	/* three at once are one step */
	for (size_t i = 0; i < nitems(waits); i++) {
		size_t before = bench.n_out;

		later(waits[i] - 1);
		assert_int_equal(bench.n_out, before);
		later(1);
		assert_int_equal(bench.n_out, before + 1);
		assert_int_equal(bench.out[before].row, 1);
		result(1, DELIVERY_TIMED_OUT);
	}
	assert_true(figures(0).down);
	assert_string_equal(figures(0).last_failure, "why");
	later(300000);
	result(1, DELIVERY_ACKNOWLEDGED);
	later(0);
	assert_false(figures(0).down);
	assert_string_equal(figures(0).last_failure, "");
	assert_int_equal(figures(0).in_flight, 2);	/* the rest goes at once */
}

static void
q4_one_receiver_never_delays_another(void **state)
{
	(void)state;
	for (uint64_t row = 1; row <= 50; row++)
		add("noc", row, (uint32_t)row, EVENT_DEVICE_DETECTED);
	later(0);
	for (uint64_t row = 1; row <= 32; row++)
		result(row, DELIVERY_TIMED_OUT);
	add("second", 51, 51, EVENT_DEVICE_DETECTED);
	later(0);
	assert_int_equal(sent_to("second"), 1);
	result(51, DELIVERY_ACKNOWLEDGED);
	assert_int_equal(figures(1).delivered, 1);
}

static void
no_more_than_32_are_in_flight(void **state)
{
	(void)state;
	for (uint64_t row = 1; row <= 60; row++)
		add("noc", row, (uint32_t)row, EVENT_DEVICE_DETECTED);
	later(0);
	assert_int_equal(bench.n_out, 32);
	later(0);
	assert_int_equal(bench.n_out, 32);
	result(5, DELIVERY_ACKNOWLEDGED);
	later(0);
	assert_int_equal(bench.n_out, 33);
}

static void
what_notify_lost_is_sent_again(void **state)
{
	(void)state;
	add("noc", 1, 1, EVENT_DEVICE_DETECTED);
	later(0);
	outbox_notify_up(bench.o, false);
	later(0);
	assert_int_equal(bench.n_out, 1);
	outbox_notify_up(bench.o, true);
	later(0);
	assert_int_equal(bench.n_out, 2);
	later(31000);			/* and one that it never answered */
	later(0);
	assert_int_equal(bench.n_out, 3);
	result(1, DELIVERY_ACKNOWLEDGED);
	result(1, DELIVERY_ACKNOWLEDGED);	/* a late second answer is nobody's */
	assert_int_equal(figures(0).delivered, 1);
}

static void
a_refused_row_does_not_hold_up_others(void **state)
{
	(void)state;
	add("noc", 1, 1, EVENT_DEVICE_DETECTED);
	later(0);
	result(1, DELIVERY_REFUSED);
	assert_false(figures(0).down);
	add("noc", 2, 2, EVENT_DEVICE_DETECTED);
	later(0);
	assert_int_equal(bench.n_out, 2);
	assert_int_equal(bench.out[1].row, 2);
	later(1000);
	assert_int_equal(bench.n_out, 3);
	assert_int_equal(bench.out[2].row, 1);
}

static void
a_heartbeat_takes_the_place_of_the_one_that_waits(void **state)
{
	const uint64_t *done;
	size_t n;

	(void)state;
	add("noc", 1, 0, EVENT_HEARTBEAT);
	later(0);
	result(1, DELIVERY_TIMED_OUT);
	for (uint64_t row = 2; row <= 40; row++)
		add("noc", row, 0, EVENT_HEARTBEAT);
	assert_int_equal(figures(0).queued, 1);
	done = outbox_done(bench.o, &n);
	assert_int_equal(n, 39);
	assert_int_equal(done[38], 39);
	outbox_settled(bench.o);
	outbox_done(bench.o, &n);
	assert_int_equal(n, 0);
}

static void
a_row_that_cannot_be_read_is_given_up_and_counted_or_tried_later(void **state)
{
	size_t n;

	(void)state;
	bench.broken = 1;
	bench.broken_rc = -EIO;
	add("noc", 1, 1, EVENT_DEVICE_DETECTED);
	add("noc", 2, 2, EVENT_DEVICE_DETECTED);
	later(0);
	assert_int_equal(bench.n_out, 1);
	assert_int_equal(bench.out[0].row, 2);
	assert_int_equal(figures(0).expired, 0);
	bench.broken_rc = -EBADMSG;
	later(5000);
	assert_int_equal(figures(0).expired, 1);
	outbox_done(bench.o, &n);
	assert_int_equal(n, 1);
}

static void
q3_100000_rows_are_kept_and_7_days_and_then_the_oldest_goes(void **state)
{
	const uint64_t *done;
	unsigned before;
	size_t n;

	(void)state;
	outbox_notify_up(bench.o, false);
	for (uint64_t row = 1; row <= 100000; row++)
		add("noc", row, (uint32_t)(row % 5000 + 1), EVENT_DEVICE_DETECTED);
	assert_int_equal(figures(0).expired, 0);
	add("noc", 100001, 1, EVENT_DEVICE_DETECTED);
	assert_int_equal(figures(0).expired, 1);
	done = outbox_done(bench.o, &n);
	assert_int_equal(done[0], 1);
	/* A turn over a full queue reads no more events than it sends. */
	outbox_notify_up(bench.o, true);
	before = bench.loads;
	later(0);
	assert_int_equal(bench.loads - before, 32);
	for (size_t i = 0; i < 32; i++)
		result(bench.out[i].row, DELIVERY_TIMED_OUT);
	bench.now.wall.us += 3650ll * 86400 * 1000000;	/* S5: ten years by the wall clock expire nothing */
	later(1);
	assert_int_equal(figures(0).expired, 1);
	later(7ll * 86400 * 1000);
	assert_true(figures(0).expired >= 99900);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(one_device_is_told_in_order_and_others_do_not_wait),
		CLAIM(q6_a_silent_receiver_is_tried_after_1_2_4_up_to_300_s_with_its_oldest_row), CLAIM(q4_one_receiver_never_delays_another),
		CLAIM(no_more_than_32_are_in_flight), CLAIM(what_notify_lost_is_sent_again), CLAIM(a_refused_row_does_not_hold_up_others),
		CLAIM(a_heartbeat_takes_the_place_of_the_one_that_waits),
		CLAIM(a_row_that_cannot_be_read_is_given_up_and_counted_or_tried_later),
		CLAIM(q3_100000_rows_are_kept_and_7_days_and_then_the_oldest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
