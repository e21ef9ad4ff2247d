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
	uint8_t		 dice;
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
	memset(out, bench.dice, n);
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

/* The noc is at `host`, the second one always at the same place. */
static void
configure(const char *host)
{
	static char names[2][8] = { "noc", "second" }, hosts[2][32];
	struct conf_receiver receivers[2] = { { .name = names[0], .inform = true, .host = hosts[0] },
		{ .name = names[1], .inform = true, .host = hosts[1] } };
	struct conf c = { .name = names[0], .receivers = receivers, .n_receivers = 2 };

	snprintf(hosts[0], sizeof hosts[0], "%s", host);
	snprintf(hosts[1], sizeof hosts[1], "192.0.2.2");
	outbox_configure(bench.o, &c);
}

static int
setup(void **state)
{
	static const struct outbox_ops ops = { deliver, random_octets, load, unsaved_done };

	(void)state;
	memset(&bench, 0, sizeof bench);
	bench.now.mono.ms = 1000000;
	bench.dice = 20;		/* no jitter: 80 + 20 hundredths */
	bench.o = outbox_new(&ops, NULL);
	assert_non_null(bench.o);
	configure("192.0.2.1");
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
	assert_int_equal(figures(0).state, RECEIVER_DOWN);
	assert_string_equal(figures(0).last_failure, "why");
	later(300000);
	result(1, DELIVERY_ACKNOWLEDGED);
	later(0);
	assert_int_equal(figures(0).state, RECEIVER_UP);
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
	assert_int_equal(figures(0).state, RECEIVER_REFUSED);
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

static void
fill(uint64_t from, uint64_t n)
{
	for (uint64_t row = from; row < from + n; row++)
		add("noc", row, (uint32_t)row, EVENT_DEVICE_DETECTED);
}

static uint64_t
expired_row(size_t nth)
{
	const uint64_t *done;
	size_t n;

	done = outbox_done(bench.o, &n);
	assert_int_equal(n, figures(0).expired);
	assert_true(nth < n);
	return done[nth];
}

static void
add_of_switch(uint64_t row, const char *name, enum event_type type)
{
	struct outbox_row r = { .row = row, .receiver = "noc", .event = { .type = type } };

	snprintf(r.event.switch_name, sizeof r.event.switch_name, "%s", name);
	bench.event[row % nitems(bench.event)] = r.event;
	assert_true(outbox_add(bench.o, &r, bench.now));
}

/* What a later row has cleared goes first, the one that clears it stays; a summary of a switch is not its state. */
static void
q3_when_full_the_cleared_go_first_and_then_the_oldest(void **state)
{
	static const uint64_t order[] = { 5, 70, 3, 99989, 99990, 1, 2, 4 };

	(void)state;
	outbox_notify_up(bench.o, false);
	fill(1, 99988);
	add("noc", 99989, 3, EVENT_DEVICE_MOVED);
	add_of_switch(99990, "a", EVENT_SWITCH_UNREACHABLE);
	add_of_switch(99991, "a", EVENT_SUMMARY);
	add("noc", 99992, 5, EVENT_DEVICE_GONE);
	add("noc", 99993, 70, EVENT_DEVICE_GONE);
	add("noc", 99994, 3, EVENT_DEVICE_GONE);	/* clears 99989, and 3 behind it */
	add_of_switch(99995, "a", EVENT_SWITCH_REACHABLE);
	for (uint64_t row = 99996; row <= 100000; row++)
		add_of_switch(row, "b", EVENT_SUMMARY);
	assert_int_equal(figures(0).expired, 0);
	for (uint64_t row = 100001; row <= 100008; row++)
		add_of_switch(row, "b", EVENT_SUMMARY);
	for (size_t i = 0; i < nitems(order); i++) {
		uint64_t row = expired_row(i);

		/* Of the two that one row cleared either may be first. */
		assert_true(row == order[i] || (i == 2 && row == 99989) || (i == 3 && row == 3));
	}
	assert_int_equal(figures(0).queued, 100000);
}

/* Gone, back, gone, back: what was told before the last of it is of no use; the last one is kept. */
static void
q3_a_device_that_comes_and_goes_keeps_its_last_word(void **state)
{
	(void)state;
	outbox_notify_up(bench.o, false);
	add("noc", 1, 7, EVENT_DEVICE_DETECTED);
	for (uint64_t row = 2; row <= 100000; row++)
		add("noc", row, 7, row % 2 != 0 ? EVENT_DEVICE_RETURNED : EVENT_DEVICE_GONE);
	for (uint64_t row = 100001; row <= 300000; row++)
		add("noc", row, 7, row % 2 != 0 ? EVENT_DEVICE_RETURNED : EVENT_DEVICE_GONE);
	assert_int_equal(figures(0).queued, 100000);
	for (size_t i = 0; i < 200000; i++)
		assert_int_equal(expired_row(i), i + 1);	/* in order, and without a look at the whole queue for each */
	outbox_settled(bench.o);
	outbox_notify_up(bench.o, true);
	later(0);
	assert_int_equal(bench.out[0].row, 200001);
}

static void
q3_an_overflow_is_said_once_and_so_is_its_end(void **state)
{
	struct outbox_overflow o;
	uint64_t row = 1;

	(void)state;
	outbox_notify_up(bench.o, false);
	fill(1, 100000);
	assert_false(outbox_overflow(bench.o, &o));
	fill(100001, 500);
	assert_true(outbox_overflow(bench.o, &o));
	assert_true(o.begun);
	assert_string_equal(o.receiver, "noc");
	fill(100501, 500);
	assert_false(outbox_overflow(bench.o, &o));
	assert_int_equal(figures(0).expired, 1000);
	/* It is back, and takes one after the other; a queue that is a little shorter is not well yet. */
	outbox_notify_up(bench.o, true);
	for (size_t at = 0; figures(0).queued > 90000; at++) {
		assert_false(outbox_overflow(bench.o, &o));
		if (at == bench.n_out) {
			bench.n_out = at = 0;
			later(1000);
		}
		row = bench.out[at].row;
		result(row, DELIVERY_ACKNOWLEDGED);
	}
	assert_int_equal(row, 11000);			/* the oldest first */
	assert_true(outbox_overflow(bench.o, &o));
	assert_false(o.begun);
	assert_int_equal(o.expired, 1000);
	assert_false(outbox_overflow(bench.o, &o));
}

/* A receiver that is back after a week gets what it missed, oldest first, fifty a second. */
static void
q3_on_return_the_oldest_goes_first_at_50_a_second(void **state)
{
	size_t answered = 0, in_second = 0;

	(void)state;
	outbox_notify_up(bench.o, false);
	fill(1, 3000);
	later(6ll * 86400 * 1000);
	outbox_notify_up(bench.o, true);
	later(1000);
	for (int ms = 0; ms < 60000; ms += 10) {
		size_t before = bench.n_out;

		for (; answered < bench.n_out; answered++)
			result(bench.out[answered].row, DELIVERY_ACKNOWLEDGED);
		later(10);
		in_second = ms % 1000 == 0 ? 0 : in_second;
		in_second += bench.n_out - before;
		assert_true(in_second <= (ms < 1000 ? 100 : 51));
	}
	assert_in_range(bench.n_out, 2900, 3000);
	for (size_t i = 0; i < bench.n_out; i++)
		assert_int_equal(bench.out[i].row, i + 1);
	/* A few alarms do not wait for that. */
	later(2000);
	for (; answered < bench.n_out; answered++)
		result(bench.out[answered].row, DELIVERY_ACKNOWLEDGED);
	fill(5001, 30);
	later(0);
	assert_int_equal(figures(0).in_flight, 30);
}

static void
q6_receivers_that_went_together_are_not_asked_together(void **state)
{
	static const struct { uint8_t dice; int64_t ms; } cases[] = { { 0, 800 }, { 20, 1000 }, { 40, 1200 }, { 255, 890 } };

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		void *none = NULL;

		bench.dice = cases[i].dice;
		add("noc", 1, 1, EVENT_DEVICE_DETECTED);
		later(0);
		result(1, DELIVERY_TIMED_OUT);
		later(cases[i].ms - 1);
		assert_int_equal(bench.n_out, 1);
		later(1);
		assert_int_equal(bench.n_out, 2);
		teardown(&none);
		setup(&none);
	}
}

/* Wrong credentials are not met with the whole queue again and again: one row at a time shows whether they are right now. */
static void
q6_who_refuses_us_is_tried_with_one_row_at_a_time(void **state)
{
	size_t before;

	(void)state;
	fill(1, 200);
	later(0);
	assert_int_equal(bench.n_out, 32);
	for (uint64_t row = 1; row <= 32; row++)
		result(row, DELIVERY_REFUSED);
	assert_int_equal(figures(0).state, RECEIVER_REFUSED);
	assert_string_equal(figures(0).last_failure, "why");
	before = bench.n_out;
	for (int64_t s = 0; s < 3600; s++) {
		size_t at = bench.n_out;

		later(1000);
		assert_true(bench.n_out - at <= 1);
		if (bench.n_out > at)
			result(bench.out[at].row, DELIVERY_REFUSED);
	}
	assert_in_range(bench.n_out - before, 10, 30);
	later(300000);
	assert_int_equal(figures(0).in_flight, 1);
	result(bench.out[bench.n_out - 1].row, DELIVERY_ACKNOWLEDGED);	/* somebody mended it */
	assert_int_equal(figures(0).state, RECEIVER_UP);
	later(1000);
	assert_int_equal(figures(0).in_flight, 32);
}

/* A reload is a reason for one try, not for thinking better of a receiver; another address is. */
static void
a_reload_keeps_what_is_known_of_a_receiver(void **state)
{
	(void)state;
	fill(1, 40);
	later(0);
	for (int i = 0; i < 8; i++) {
		for (uint64_t row = 1; row <= 32; row++)
			result(row, DELIVERY_TIMED_OUT);
		later(300000);
	}
	result(1, DELIVERY_TIMED_OUT);
	later(1000);
	assert_int_equal(figures(0).in_flight, 0);
	configure("192.0.2.1");
	assert_int_equal(figures(0).state, RECEIVER_DOWN);
	later(0);
	assert_int_equal(figures(0).in_flight, 1);
	result(1, DELIVERY_TIMED_OUT);
	later(200000);				/* it waits as long as before */
	assert_int_equal(figures(0).in_flight, 0);
	configure("192.0.2.9");
	assert_int_equal(figures(0).state, RECEIVER_UP);
	later(0);
	assert_int_equal(figures(0).in_flight, 32);
	assert_int_equal(figures(1).state, RECEIVER_UP);
	/* The same for one that refuses us. */
	for (uint64_t row = 1; row <= 32; row++)
		result(row, DELIVERY_REFUSED);
	configure("192.0.2.9");
	assert_int_equal(figures(0).state, RECEIVER_REFUSED);
	later(0);
	assert_int_equal(figures(0).in_flight, 1);
}

/* It answers each time when we have given it up: told again, with the same row and so the same id, until an answer is in time. */
static void
who_answers_too_late_gets_it_again_with_the_same_id(void **state)
{
	(void)state;
	add("noc", 1, 1, EVENT_DEVICE_DETECTED);
	later(0);
	later(31000);				/* longer than notify would wait */
	later(0);
	assert_int_equal(bench.n_out, 2);
	assert_int_equal(bench.out[1].row, 1);
	result(1, DELIVERY_ACKNOWLEDGED);	/* of the first one or of the second: it has it */
	result(1, DELIVERY_ACKNOWLEDGED);
	assert_int_equal(figures(0).delivered, 1);
	assert_int_equal(figures(0).queued, 0);
	add("noc", 2, 2, EVENT_DEVICE_DETECTED);
	later(0);
	result(2, DELIVERY_TIMED_OUT);
	result(2, DELIVERY_ACKNOWLEDGED);	/* too late: nothing is in flight */
	assert_int_equal(figures(0).queued, 1);
	later(1000);
	assert_int_equal(bench.out[bench.n_out - 1].row, 2);
	result(2, DELIVERY_ACKNOWLEDGED);
	assert_int_equal(figures(0).queued, 0);
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
		CLAIM(q3_when_full_the_cleared_go_first_and_then_the_oldest), CLAIM(q3_a_device_that_comes_and_goes_keeps_its_last_word),
		CLAIM(q3_an_overflow_is_said_once_and_so_is_its_end), CLAIM(q3_on_return_the_oldest_goes_first_at_50_a_second),
		CLAIM(q6_receivers_that_went_together_are_not_asked_together), CLAIM(q6_who_refuses_us_is_tried_with_one_row_at_a_time),
		CLAIM(a_reload_keeps_what_is_known_of_a_receiver), CLAIM(who_answers_too_late_gets_it_again_with_the_same_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
